package dav

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"

	"inetdav/store"
	"inetdav/store/object"
)

// get is GET and HEAD (RFC 9110, 9.3): an object byte for byte, but for a card
// that is wanted in another version, or a whole calendar or address book in one
// file, as Radicale exports it.
func (q *request) get() error {
	k := q.kind()
	if k == kRoot { // somebody tried the address in a browser
		return q.plain(http.StatusOK, "This is a calendar and contacts server (CalDAV, CardDAV).\nGive its address to your calendar or contacts program.\n")
	}
	if k&kTagged != 0 {
		return q.export()
	}
	if err := q.need(q.res, mayRead); err != nil {
		return err
	}
	if err := q.readCondition(); err != nil {
		return err
	}
	if k&kCollection != 0 {
		return q.plain(http.StatusForbidden, "Directory listings are not supported.\n")
	}
	f, err := q.h.store.OpenObject(q.path)
	if err != nil {
		return err
	}
	defer f.Close()
	h := q.w.Header()
	h.Set("ETag", f.ETag)
	q.objectHeaders(f.Resource)
	var content io.ReadSeeker = f
	if k == kCalObject {
		h.Add("Vary", "CalDAV-Timezones") // RFC 7809, 7.1
		if q.timezones() != 0 && f.Size <= q.h.maxObject {
			b, err := io.ReadAll(f)
			if err != nil {
				return err
			}
			c, _ := object.ParseCalendar(b)
			content = bytes.NewReader(q.withTimezones(c, b))
		}
	}
	if k == kCardObject {
		if content, err = q.negotiateCard(f); err != nil {
			return err
		}
	}
	if q.r.Method == http.MethodHead {
		q.r.Header.Del("Range") // RFC 9110, 14.2: only GET has ranges
	}
	q.wrote = true
	// conditions and ranges (RFC 9110, 13 and 14)
	http.ServeContent(q.w, q.r, "", f.ModTime, content)
	return nil
}

// objectHeaders tells what an object is: a client's data, which must not run as a
// page of this origin.
func (q *request) objectHeaders(r store.Resource) {
	h := q.w.Header()
	h.Set("Content-Type", contentType(r, ""))
	if language := q.objectLanguage(r.Path); language != "" {
		h.Set("Content-Language", language)
	}
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "sandbox")
}

// fileType is the media type of a file in a plain collection.
func fileType(name string) string {
	switch strings.ToLower(path.Ext(name)) {
	case ".ics":
		return "text/calendar; charset=utf-8"
	case ".vcf":
		return "text/vcard; charset=utf-8"
	case ".txt":
		return "text/plain; charset=utf-8"
	case ".html", ".htm":
		return "text/html; charset=utf-8"
	case ".xml":
		return "application/xml"
	case ".json":
		return "application/json"
	case ".pdf":
		return "application/pdf"
	case ".png":
		return "image/png"
	case ".jpg", ".jpeg":
		return "image/jpeg"
	}
	return "application/octet-stream"
}

// export streams a whole collection. Its entity tag is that of its state, from
// which its bytes follow.
func (q *request) export() error {
	if !q.allowed(q.res, mayRead) && !strings.Contains(q.h.rights.Letters(q.user, q.path), "i") {
		return q.need(q.res, mayRead)
	}
	if err := q.readCondition(); err != nil {
		return err
	}
	c, err := q.snapshot(q.path, true)
	if err != nil {
		return err
	}
	defer c.Close()
	h := q.w.Header()
	etag := `"` + c.CTag() + `"`
	var convert func([]byte) []byte
	if c.Kind() == store.AddressBook {
		tag := ""
		if convert, tag = q.cardVersions(); convert != nil {
			etag = "W/" + etag[:len(etag)-1] + tag + `"` // see negotiateCard
		}
	}
	h.Set("ETag", etag)
	if language, ok := c.Props().Get(store.Tag(nGetContentLanguage.Space, nGetContentLanguage.Local)); ok && isLanguages(language) {
		h.Set("Content-Language", language)
	}
	h.Set("Last-Modified", c.ModTime().UTC().Format(http.TimeFormat))
	if unmodified, err := unmodified(q.r.Header, etag, c.ModTime()); err != nil {
		return err
	} else if unmodified {
		q.w.WriteHeader(http.StatusNotModified)
		return nil
	}
	name, _ := c.Props().Get("D:displayname")
	mediaType, suffix, fallback := "text/calendar; charset=utf-8", ".ics", "Calendar"
	kind := object.KindCalendar
	if c.Kind() == store.AddressBook {
		mediaType, suffix, fallback = "text/vcard; charset=utf-8", ".vcf", "Address book"
		kind = object.KindAddressBook
	}
	file := name
	if file == "" {
		file = fallback
	}
	// RFC 8187, 3.2.1: attr-char is less than what a path may have
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Disposition", "attachment; filename*=utf-8''"+strings.ReplaceAll(url.QueryEscape(file+suffix), "+", "%20"))
	b := q.answerBody(http.StatusOK, mediaType)
	if q.r.Method == http.MethodHead {
		h.Set("Content-Type", mediaType)
		h.Add("Vary", "Accept-Encoding")
		q.w.WriteHeader(http.StatusOK)
		return nil
	}
	description, _ := c.Props().Get("C:calendar-description")
	x := object.NewExport(kind)
	var buf []byte
	out := x.Header(nil, name, description)
	for rec := range c.Objects() {
		if rec.Flags&object.Broken != 0 {
			continue // logged when it was found; `verify` names it
		}
		data, _, err := c.Read(rec.Name, buf)
		if err != nil {
			if gone(err) {
				continue
			}
			return err
		}
		buf = data[:0]
		if convert != nil {
			data = convert(data)
		}
		if q.timezones() != 0 && kind == object.KindCalendar {
			if c, err := object.ParseCalendar(data); err == nil {
				data = q.withTimezones(c, data)
			}
		}
		if out, err = x.Add(out, data); err != nil {
			q.h.logf(levelWarning, "export of /%s leaves out %s: %v", q.path, rec.Name, err)
		}
		if len(out) >= exportBuffer {
			if _, err := b.Write(out); err != nil {
				return err
			}
			out = out[:0]
		}
	}
	if err := c.Err(); err != nil {
		return err
	}
	if _, err := b.Write(x.Footer(out)); err != nil {
		return err
	}
	return b.Close()
}

// exportBuffer is how much of an export is gathered before it is sent, in bytes.
const exportBuffer = 32 << 10

// plain answers with a short text.
func (q *request) plain(status int, text string) error {
	h := q.w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(text)))
	q.w.WriteHeader(status)
	q.wrote = true
	if q.r.Method == http.MethodHead {
		return nil
	}
	_, err := q.w.Write([]byte(text))
	return err
}

// options is RFC 4918, 10.1 and RFC 9110, 9.3.7. It tells nothing of what is
// where: it is answered without a login.
func (q *request) options() error {
	h := q.w.Header()
	h.Set("DAV", davHeader)
	h.Set("Allow", q.h.allow(kAny|kNone))
	h.Set("Content-Length", "0")
	q.w.WriteHeader(http.StatusOK)
	return nil
}
