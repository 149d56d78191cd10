package dav

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
	"strings"

	"inetdav/store"
	"inetdav/store/object"
)

// maxRanges is how many media ranges of a field Accept are looked at.
const maxRanges = 64

// mediaRange is one media range of a field Accept (RFC 9110, 12.5.1).
type mediaRange struct {
	typ     string // in lower case
	version string // the parameter, RFC 6350, 10.1; or ""
	q       float64
}

// negotiateCard finds what a client wants of a card that GET names (RFC 6352,
// 5.1.1): the stored bytes, unless its Accept likes another version of vCard
// better by name. It sets the header fields in which the two differ.
func (q *request) negotiateCard(f *store.OpenedObject) (io.ReadSeeker, error) {
	h := q.w.Header()
	h.Add("Vary", "Accept")
	accept, _ := list(q.r.Header, "Accept")
	ranges, named := cardRanges(accept)
	if !named || f.Size > q.h.maxObject {
		return f, nil
	}
	b, err := io.ReadAll(f)
	if err != nil {
		return nil, err
	}
	stored := object.CardVersion(b)
	version := preferredCard(ranges, stored)
	if version == stored {
		return bytes.NewReader(b), nil
	}
	c, err := object.ParseCard(b)
	if err == nil {
		var out []byte
		if out, err = c.Convert(nil, b, version); err == nil {
			// Not the bytes that the entity tag is of; and the same bytes only
			// as long as this program makes them so (RFC 9110, 8.8.3).
			h.Set("ETag", `W/"`+strings.Trim(f.ETag, `"`)+"-"+version+`"`)
			h.Set("Content-Type", "text/vcard; charset=utf-8; version="+version)
			return bytes.NewReader(out), nil
		}
	}
	if quality(ranges, stored) > 0 {
		return bytes.NewReader(b), nil
	}
	return nil, &Error{Status: http.StatusNotAcceptable, Cond: nSupportedAddrConvert, Err: err}
}

// cardVersions is the choice of negotiateCard for each card of an export; nil: all
// of them as they are. tag tells what comes of one choice from what comes of another.
func (q *request) cardVersions() (convert func(data []byte) []byte, tag string) {
	q.w.Header().Add("Vary", "Accept")
	accept, _ := list(q.r.Header, "Accept")
	ranges, named := cardRanges(accept)
	if !named {
		return nil, ""
	}
	for _, v := range []string{"3.0", "4.0"} {
		if w := preferredCard(ranges, v); w == "3.0" || w == "4.0" {
			v = w
		}
		tag += "-" + v
	}
	convert = func(data []byte) []byte {
		stored := object.CardVersion(data)
		version := preferredCard(ranges, stored)
		if version == stored {
			return data
		}
		if c, err := object.ParseCard(data); err == nil {
			if out, err := c.Convert(nil, data, version); err == nil {
				return out
			}
		}
		return data // better than none: this is what people back up
	}
	return convert, tag
}

// cardRanges reads a field Accept. named reports whether it names a version of
// vCard, or a format that is not text: else there is nothing to choose.
func cardRanges(accept string) (ranges []mediaRange, named bool) {
	if len(accept) < len("text/vcard;version=") {
		return nil, false
	}
	for part := range strings.SplitSeq(accept, ",") {
		if len(ranges) == maxRanges {
			break
		}
		typ, params, _ := strings.Cut(part, ";")
		r := mediaRange{typ: strings.ToLower(strings.TrimSpace(typ)), q: 1}
		for p := range strings.SplitSeq(params, ";") {
			name, value, _ := strings.Cut(p, "=")
			value = strings.Trim(strings.TrimSpace(value), `"`)
			switch strings.ToLower(strings.TrimSpace(name)) {
			case "version":
				r.version = value
			case "q":
				if w, err := strconv.ParseFloat(value, 64); err == nil && 0 <= w && w <= 1 {
					r.q = w
				}
			}
		}
		named = named || r.typ == "text/vcard" && r.version != "" || strings.HasPrefix(r.typ, "application/vcard+")
		ranges = append(ranges, r)
	}
	return ranges, named
}

// preferredCard returns the version that is liked best: the stored one where the
// others are not liked better, and also where nothing is liked that this server
// could give and no version is asked for. "" is what is stored but no vCard.
func preferredCard(ranges []mediaRange, stored string) string {
	best, most := stored, quality(ranges, stored)
	for _, v := range []string{"4.0", "3.0"} {
		if w := quality(ranges, v); w > most {
			best, most = v, w
		}
	}
	if most > 0 {
		return best
	}
	for _, r := range ranges {
		if r.q > 0 && (r.typ == "text/vcard" || strings.HasPrefix(r.typ, "application/vcard+")) {
			return r.typ + " " + r.version // which nobody can convert to
		}
	}
	return stored
}

// quality is how much a version of vCard is liked: what the most specific range
// says that it is in (RFC 9110, 12.5.1).
func quality(ranges []mediaRange, version string) (w float64) {
	level := 0
	for _, r := range ranges {
		l := 0
		switch {
		case r.typ == "*/*":
			l = 1
		case r.typ == "text/*":
			l = 2
		case version == "":
		case (r.typ == "text/vcard" || r.typ == "text/x-vcard" || r.typ == "text/directory") && r.version == "":
			l = 3
		case r.typ == "text/vcard" && r.version == version:
			l = 4
		}
		if l > level || l == level && l > 0 && r.q > w {
			level, w = l, r.q
		}
	}
	return w
}
