package dav

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"inetdav/dav/davxml"
	"inetdav/store"
)

// propWebDAV is RFC 4918, 15; RFC 3253, 3.1.5; RFC 6578, 4; RFC 5397; and RFC
// 5995, 3.2.1.
func propWebDAV() []property {
	d := func(local string) davxml.Name { return davxml.Name{Space: davxml.DAV, Local: local} }
	return []property{
		{name: nResourcetype, on: kAny, allprop: true, get: getResourcetype, set: setResourcetype},
		{name: nDisplayname, on: kCollection, allprop: true, get: getDisplayname, set: setText(nDisplayname)},
		{name: d("creationdate"), on: kAny, allprop: true, get: getCreationDate},
		{name: nGetetag, on: kObject | kTagged, allprop: true, get: getEtag},
		{name: d("getcontenttype"), on: kObject | kTagged, allprop: true, get: getContentType},
		{name: nGetContentLanguage, on: kAny &^ kRoot, allprop: true, get: getHuman(nGetContentLanguage), set: setContentLanguage},
		{name: d("getcontentlength"), on: kObject, allprop: true, get: getContentLength},
		{name: d("getlastmodified"), on: kAny, allprop: true, get: getLastModified},
		{name: d("supportedlock"), on: kAny &^ kRoot, allprop: true, get: getSupportedLock},
		{name: nLockdiscovery, on: kAny &^ kRoot, allprop: true, get: getLockDiscovery},
		{name: nSyncToken, on: kTagged | kPrincipal, get: getSyncToken},
		{name: d("supported-report-set"), on: kAny, get: getSupportedReportSet},
		{name: d("add-member"), on: kCalendar | kAddressbook, refs: addMemberRef},
		{name: nCurrentUserPrincipal, on: kAny, get: getCurrentUserPrincipal, refs: currentUserRef},
	}
}

func getResourcetype(_ *request, t *target, o *propOut) error {
	k := t.kind()
	if k&kCollection == 0 {
		o.start()
		o.x.Empty(o.name)
		return nil
	}
	o.elements(func(x *davxml.Writer) {
		x.Empty(nCollection)
		switch k {
		case kPrincipal:
			x.Empty(nPrincipal)
		case kCalendar:
			x.Empty(nCalendar)
		case kAddressbook:
			x.Empty(nAddressbook)
		case kSubscribed:
			x.Empty(nSubscribed)
		}
	})
	return nil
}

func getDisplayname(q *request, t *target, o *propOut) error {
	name, ok, err := q.displayname(t)
	if err != nil || !ok {
		return err
	}
	stored, _, err := q.text(t, nDisplayname)
	if err == nil && stored == name {
		return q.getDead(t, nDisplayname, o) // with its language
	}
	o.text(name)
	return err
}

// displayname falls back to the name in the URL: calendars without any name look
// broken in every client, and a principal must have one that is not empty
// (RFC 3744, 4).
func (q *request) displayname(t *target) (name string, ok bool, err error) {
	name, ok, err = q.text(t, nDisplayname)
	if err == nil && t.res.Path != "" && (!ok || name == "" && t.kind() == kPrincipal) {
		name, ok = base(t.res.Path), true
	}
	return name, ok, err
}

// getCreationDate is RFC 4918, 15.1. Of a calendar object it is what the object
// says, which a later version of it says again, and the index knows; of a
// collection the birth of its folder. A card or a file is born anew with each
// version, so it has none.
func getCreationDate(q *request, t *target, o *propOut) error {
	var created time.Time
	switch k := t.kind(); {
	case k == kCalObject:
		rec, err := q.record(t)
		if rec == nil {
			return err
		}
		at, ok := rec.Created()
		if !ok {
			return nil
		}
		created = time.Unix(at, 0)
	case k&kCollection != 0:
		c, err := q.collection(t)
		if err != nil {
			return err
		}
		var ok bool
		if created, ok = c.Created(); !ok {
			return nil
		}
	default:
		return nil
	}
	o.text(created.UTC().Format(time.RFC3339))
	return nil
}

// MaxContentLanguage is the length of the languages of a resource, in bytes.
const MaxContentLanguage = 256

// isLanguages reports whether s is a list of language tags (RFC 9110, 8.5).
func isLanguages(s string) bool {
	if len(s) > MaxContentLanguage {
		return false
	}
	for tag := range strings.SplitSeq(s, ",") {
		for sub := range strings.SplitSeq(strings.Trim(tag, " \t"), "-") {
			if len(sub) == 0 || len(sub) > 8 || strings.ContainsFunc(sub, func(r rune) bool {
				return (r|0x20 < 'a' || r|0x20 > 'z') && (r < '0' || r > '9')
			}) {
				return false
			}
		}
	}
	return true
}

// setContentLanguage is RFC 4918, 15.3.
func setContentLanguage(p *proppatch, e *davxml.Element) error {
	if e == nil {
		p.remove(nGetContentLanguage)
		return nil
	}
	language := strings.TrimSpace(e.Text())
	if !isLanguages(language) { // RFC 4918, 9.2.1
		return refuse(http.StatusConflict, "no language: %q", language)
	}
	p.setLanguage(language)
	return nil
}

func (p *proppatch) setLanguage(language string) {
	if p.kind&kCollection != 0 {
		p.put(nGetContentLanguage, language)
		return
	}
	e := &davxml.Element{Name: nGetContentLanguage, Nodes: []davxml.Node{{Text: language}}}
	p.rich = p.rich.Set(e.Name.String(), wholeXML(e))
}

// contentLanguage is the language of what a request brings; "" where it does not
// say.
func (q *request) contentLanguage() (string, error) {
	language, _ := list(q.r.Header, "Content-Language")
	if language = strings.TrimSpace(language); language != "" && !isLanguages(language) {
		return "", refuse(http.StatusBadRequest, "Content-Language %q", language)
	}
	return language, nil
}

// objectLanguage is the Content-Language of an object, "" if there is none.
func (q *request) objectLanguage(path string) string {
	dead, err := q.h.store.ObjectProps(path)
	if err != nil {
		q.h.logf(levelWarning, "language of /%s: %v", path, err)
	}
	value, ok := dead.Get(nGetContentLanguage.String())
	if !ok {
		return ""
	}
	e, err := davxml.Parse([]byte(value)) // any program may have written it
	if err != nil || !isLanguages(e.Text()) {
		return ""
	}
	return e.Text()
}

// keepLanguage keeps the language of an object just stored. Without one, that
// which it had stays (RFC 4918, 9.7.1). The object is there by now, so a failure
// is no failure of the request.
func (q *request) keepLanguage(tx *store.Tx, path, language string) {
	if language == "" {
		return
	}
	before, err := tx.ObjectProps(path)
	if err == nil {
		p := &proppatch{kind: kFile, rich: slices.Clone(before)}
		if p.setLanguage(language); !slices.Equal(before, p.rich) {
			err = tx.SetObjectProps(path, p.rich)
		}
	}
	if err != nil {
		q.h.logf(levelWarning, "language of /%s: %v", path, err)
	}
}

func getEtag(q *request, t *target, o *propOut) error {
	if t.kind()&kTagged != 0 {
		return getCTag(q, t, o)
	}
	etag, err := q.etagOf(t)
	if etag != "" {
		o.text(etag)
	}
	return err
}

// etagOf is the entity tag of an object: that of the bytes just read, else that
// of the index.
func (q *request) etagOf(t *target) (string, error) {
	if t.etag != "" {
		return t.etag, nil
	}
	rec, err := q.record(t)
	if rec == nil {
		return "", err
	}
	return rec.ETag(), nil
}

func getContentType(q *request, t *target, o *propOut) error {
	component := ""
	if t.kind()&(kCalObject|kCardObject) != 0 {
		rec, err := q.record(t)
		if err != nil {
			return err
		}
		if rec != nil {
			component = rec.Component
		}
	}
	o.text(contentType(t.res, component))
	return nil
}

// contentType is the media type of a resource; the component is told where it
// is known (RFC 4791, 5.2; RFC 5545, 8.1).
func contentType(r store.Resource, component string) string {
	switch kindOf(r) {
	case kCalObject:
		if component != "" {
			return "text/calendar; charset=utf-8; component=" + component
		}
		return "text/calendar; charset=utf-8"
	case kCardObject:
		if component == "VLIST" {
			return "text/x-vlist; charset=utf-8"
		}
		return "text/vcard; charset=utf-8"
	case kCalendar, kSubscribed:
		return "text/calendar; charset=utf-8"
	case kAddressbook:
		return "text/vcard; charset=utf-8"
	}
	return fileType(base(r.Path))
}

func getContentLength(_ *request, t *target, o *propOut) error {
	size := t.res.Size
	switch {
	case t.data != nil:
		size = int64(len(t.data))
	case t.rec != nil:
		size = t.rec.Size
	}
	o.text(strconv.FormatInt(size, 10))
	return nil
}

func getLastModified(_ *request, t *target, o *propOut) error {
	mod := t.res.ModTime
	switch {
	case t.rec != nil:
		mod = t.rec.ModTime
	case t.coll != nil:
		mod = t.coll.ModTime()
	}
	o.text(mod.UTC().Format(http.TimeFormat))
	return nil
}

func getSyncToken(q *request, t *target, o *propOut) error {
	token, err := q.syncToken(t)
	if token != "" {
		o.text(token)
	}
	return err
}

// syncToken is the token of a collection; "" where there is no place for a
// history.
func (q *request) syncToken(t *target) (string, error) {
	c, err := q.collection(t)
	if err != nil {
		return "", err
	}
	if t.kind() == kPrincipal {
		return q.homeSyncToken(c, q.tokenOf)
	}
	return c.SyncToken(), nil
}

// getSupportedReportSet leaves DAV:sync-collection out where it would be
// refused.
func getSupportedReportSet(q *request, t *target, o *propOut) error {
	token := ""
	if t.kind()&kSynced != 0 {
		var err error
		if token, err = q.syncToken(t); err != nil {
			return err
		}
	}
	o.elements(func(x *davxml.Writer) {
		for i := range q.h.reports {
			if r := &q.h.reports[i]; r.on&t.kind() != 0 && (token != "" || r.name != nSyncCollection) {
				x.Start(nSupportedReport)
				x.Start(nReport)
				x.Empty(r.name)
				x.End(nReport)
				x.End(nSupportedReport)
			}
		}
	})
	return nil
}

// setResourcetype is what MKCOL may say (RFC 5689, 3) and what PROPPATCH may
// change: the kind of an existing collection only between those that hold the
// same objects.
func setResourcetype(p *proppatch, e *davxml.Element) error {
	k := kPlain
	if e != nil {
		for c := range e.Elements() {
			was := k
			switch c.Name {
			case nCollection:
				continue
			case nCalendar:
				k = kCalendar
			case nAddressbook:
				k = kAddressbook
			case nSubscribed:
				k = kSubscribed
			default:
				return violates(nValidResourcetype, nil)
			}
			if was != kPlain { // RFC 4791, 4.2 and RFC 6352, 5.2: never two of them
				return violates(nValidResourcetype, nil)
			}
		}
	}
	return p.setKind(k)
}

// addMemberRef: a collection is its own add-member URL (RFC 5995, 3.2.1).
func addMemberRef(_ *request, t *target) []string { return []string{t.res.Path + "/"} }

func currentUserRef(q *request, _ *target) []string {
	if q.user == "" {
		return nil
	}
	return []string{q.user + "/"}
}

func getCurrentUserPrincipal(q *request, _ *target, o *propOut) error {
	o.elements(func(x *davxml.Writer) {
		if q.user == "" {
			x.Empty(nUnauthenticated) // RFC 5397, 3
		} else {
			x.Href(q.collectionHref(q.user))
		}
	})
	return nil
}
