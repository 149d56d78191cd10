package dav

import (
	"errors"
	"io/fs"
	"net/http"
	"strings"

	"inetdav/dav/davxml"
	"inetdav/store"
	"inetdav/store/object"
	"inetdav/store/object/caltime"
)

// report is a row of the table of reports (RFC 3253, 3.6).
type report struct {
	name  davxml.Name
	on    kind
	serve func(q *request, root *davxml.Element) error
}

// reports is the table of reports.
func reports() []report {
	d := func(local string) davxml.Name { return davxml.Name{Space: davxml.DAV, Local: local} }
	c := func(local string) davxml.Name { return davxml.Name{Space: davxml.CalDAV, Local: local} }
	cr := func(local string) davxml.Name { return davxml.Name{Space: davxml.CardDAV, Local: local} }
	return []report{
		{name: d("expand-property"), on: kAny, serve: (*request).expandProperty},
		{name: d("acl-principal-prop-set"), on: kAny, serve: (*request).aclPrincipalPropSet},
		{name: d("principal-match"), on: kCollection, serve: (*request).principalMatch},
		{name: d("principal-property-search"), on: kCollection, serve: (*request).principalPropertySearch},
		{name: nSearchPropertySet, on: kCollection, serve: (*request).principalSearchPropertySet},
		{name: nSyncCollection, on: kSynced, serve: (*request).syncCollection},
		{name: c("calendar-multiget"), on: kCalendar | kCalObject | kPrincipal | kPlain, serve: (*request).calendarMultiget},
		{name: c("calendar-query"), on: kCalendar | kCalObject | kPrincipal | kPlain, serve: (*request).calendarQuery},
		{name: c("free-busy-query"), on: kCalendar | kPrincipal | kPlain, serve: (*request).freeBusyQuery},
		{name: cr("addressbook-multiget"), on: kAddressbook | kCardObject | kPrincipal | kPlain, serve: (*request).addressbookMultiget},
		{name: cr("addressbook-query"), on: kAddressbook | kCardObject | kPrincipal | kPlain, serve: (*request).addressbookQuery},
	}
}

// report is REPORT (RFC 3253, 3.6).
func (q *request) report() error {
	if err := q.need(q.res, mayRead); err != nil {
		return q.freeBusyDenied(err)
	}
	if err := q.readCondition(); err != nil {
		return err
	}
	root, err := q.readXML()
	if err != nil {
		return err
	}
	if root == nil {
		return refuse(http.StatusBadRequest, "REPORT without a body")
	}
	for i := range q.h.reports {
		if r := &q.h.reports[i]; r.name == root.Name && r.on&q.kind() != 0 {
			return r.serve(q, root)
		}
	}
	return violates(nSupportedReportCond, errors.New(root.Name.String()))
}

// asked is what a report wants to know of each object: properties, and perhaps
// the object itself, in whole or in part.
type asked struct {
	names    []wanted
	propname bool
	data     bool                 // CALDAV:calendar-data or CARDDAV:address-data
	calendar *object.CalendarData // the part of it; nil: the whole
	card     *object.AddressData  // likewise
	floating *caltime.Zone        // of floating times and dates
	minimal  bool
	buf      []byte // of the object being read
	out      []byte // of the part being written
}

// readAsked reads the DAV:prop, DAV:allprop or DAV:propname of a report; with none, only
// hrefs are wanted (RFC 4791, 9.5).
func (q *request) readAsked(root *davxml.Element) (*asked, error) {
	a := &asked{minimal: q.minimal()}
	switch {
	case root.Child(nProp) != nil:
		a.names = q.h.lookup(root.Child(nProp))
	case root.Child(nAllprop) != nil:
		a.names = q.h.allprop()
	case root.Child(nPropname) != nil:
		a.propname = true
	}
	for i := range a.names {
		n := &a.names[i]
		var err error
		switch n.name {
		case nCalendarData:
			a.data = true
			if a.calendar, err = readCalendarData(n.arg); a.calendar != nil {
				a.calendar.MaxExpand = q.h.maxExpand
			}
			n.row = &property{name: n.name, on: kCalObject, get: getData}
		case nAddressData:
			a.data = true
			a.card, err = readAddressData(n.arg)
			n.row = &property{name: n.name, on: kCardObject, get: getData}
		}
		if err != nil {
			return nil, err
		}
	}
	return a, nil
}

// getData writes the object, or the part of it that is asked for.
func getData(_ *request, t *target, o *propOut) error {
	o.start()
	o.x.Start(o.name)
	o.x.TextBytes(t.part)
	o.x.End(o.name)
	return nil
}

// load reads an object of a snapshot: the bytes as they are now, with the entity
// tag of these bytes. They are good until the next call.
func (a *asked) load(t *target) error {
	data, etag, err := t.coll.Read(base(t.res.Path), a.buf)
	if err != nil {
		return err
	}
	a.buf = data[:0]
	t.data, t.etag = data, etag
	t.calendar, t.card = nil, nil
	return nil
}

// parse makes the tree of an object that is loaded, once.
func (q *request) parse(t *target) (err error) {
	switch {
	case t.kind() == kCalObject && t.calendar == nil:
		if t.calendar, err = object.ParseCalendar(t.data); err == nil {
			t.calendar.Zones = &q.zones
		}
	case t.kind() == kCardObject && t.card == nil:
		t.card, err = object.ParseCard(t.data)
	}
	return err
}

// choose finds the part of a loaded object that is asked for, before anything
// of its response is written.
func (a *asked) choose(q *request, t *target) (err error) {
	// a fold may split a character (RFC 5545, 3.1), XML must not
	t.part = object.ForXML(t.data)
	switch {
	case t.kind() == kCalObject && a.calendar != nil:
		if err = q.parse(t); err == nil {
			c, data := t.calendar, t.data
			// expand leaves no zones (RFC 4791, 9.6.5)
			if a.calendar.Expand == nil && q.timezones() != 0 {
				if data = q.withTimezones(c, data); len(data) != len(t.data) {
					if c, err = object.ParseCalendar(data); err != nil {
						return err
					}
					c.Zones = &q.zones
				}
			}
			a.out, err = a.calendar.Append(a.out[:0], c, data, a.floating)
			t.part = a.out
		}
	case t.kind() == kCalObject && q.timezones() != 0:
		if q.parse(t) == nil {
			t.part = object.ForXML(q.withTimezones(t.calendar, t.data))
		}
	case t.kind() == kCardObject && a.card != nil && !a.card.Whole(t.data):
		if err = q.parse(t); err == nil {
			a.out, err = a.card.Append(a.out[:0], t.card, t.data)
			t.part = a.out
		}
	}
	return err
}

// object writes the response of one object, under the href as its client knows
// it.
func (m *multistatus) object(href string, t *target, a *asked) error {
	if a.data {
		if err := a.choose(m.q, t); err != nil {
			m.q.h.logf(levelWarning, "part of /%s: %v", t.res.Path, err)
			cond := nValidCalData
			switch {
			case errors.Is(err, object.ErrInstances):
				cond = nMaxInstances
			case t.kind() == kCardObject && a.card.Version != "": // RFC 6352, 8.7.2
				return m.status(href, http.StatusUnsupportedMediaType, nSupportedAddrConvert)
			case t.kind() == kCardObject:
				cond = nValidAddrData
			}
			return m.status(href, http.StatusForbidden, cond)
		}
	}
	if a.propname {
		f := propfind{request: m.q, multistatus: m}
		return f.namesOf(href, t)
	}
	m.x.Start(nResponse)
	m.x.Element(nHref, href)
	if len(a.names) == 0 {
		m.x.Element(nStatus, statusLine(http.StatusOK))
	} else if err := m.propstats(t, a.names, a.minimal); err != nil {
		return err
	}
	m.x.End(nResponse)
	return m.x.Err()
}

// multiget writes the objects with the hrefs that are asked for, in their
// order, each for itself: one that is missing is a 404 and no more (RFC 4791,
// 7.9; RFC 6352, 8.7). Hrefs come back as the client wrote them.
func (q *request) multiget(root *davxml.Element, on kind) error {
	a, err := q.readAsked(root)
	if err != nil {
		return err
	}
	g := &multiget{multistatus: q.newMultistatus(), asked: a, on: on}
	defer g.done()
	for e := range root.Elements() {
		if e.Name != nHref {
			continue
		}
		href := strings.TrimSpace(e.Text())
		path, ok := q.pathOfHref(href)
		err := fs.ErrNotExist
		var t *target
		if ok {
			t, err = g.open(path)
		}
		if err != nil {
			err = g.failed(href, path, err)
		} else {
			err = g.object(href, t, a)
		}
		if err != nil {
			return err
		}
	}
	return g.close()
}

// multiget is what goes on from one href to the next: mostly they are in one
// collection.
type multiget struct {
	*multistatus
	asked *asked
	on    kind
	in    store.Resource    // the collection
	c     *store.Collection // its snapshot, or nil
}

func (g *multiget) done() {
	if g.c != nil {
		g.c.Close()
		g.c = nil
	}
}

// open finds an object and, if anything is to be told of it, reads it.
// fs.ErrNotExist if there is none, or none that the user may read.
func (g *multiget) open(path string) (*target, error) {
	q := g.q
	if g.c == nil || g.in.Path != parent(path) {
		g.done()
		in, err := q.lookAt(parent(path))
		if err == nil && kindOf(in)&g.on == 0 || !q.allowed(in, mayRead) {
			return nil, fs.ErrNotExist
		}
		if err == nil {
			g.c, err = q.snapshot(in.Path, false)
		}
		if err != nil {
			return nil, err
		}
		g.in = in
		if g.asked.calendar != nil {
			g.asked.floating = q.floatingOf(g.c)
		}
	}
	t := &target{res: store.Resource{Path: path, Kind: store.Object, In: g.in.Kind}, coll: g.c}
	if g.asked.data || g.asked.propname || len(g.asked.names) > 0 {
		return t, g.asked.load(t)
	}
	rec, err := q.record(t)
	if rec == nil && err == nil {
		err = fs.ErrNotExist
	}
	return t, err
}

// matches writes the objects of a collection that a filter matches; of the one named
// only, if there is such a name. decide answers from the index alone; match opens
// the object, where decide could not tell. left is how many more objects the client
// wants, nil if there is no limit; errTruncated if there are more.
func (m *multistatus) matches(c *store.Collection, only string, a *asked, left *int, decide func(*object.Summary) object.Verdict, match func(*target) (bool, error)) error {
	q, path := m.q, c.Path()
	t := target{res: store.Resource{Kind: store.Object, In: c.Kind()}, coll: c}
	for t.rec = range c.Objects() {
		if only != "" && t.rec.Name != only {
			continue
		}
		v := decide(&t.rec.Summary)
		if v == object.No || t.rec.Flags&object.Broken != 0 {
			continue
		}
		t.res.Path = join(path, t.rec.Name)
		t.etag, t.data, t.calendar, t.card = "", nil, nil, nil
		t.rich, t.ready = nil, false
		if v == object.Maybe || a.data {
			err := a.load(&t)
			if gone(err) {
				continue
			}
			if err != nil {
				if err := m.failed(davxml.EscapePath(q.href(t.res.Path)), t.res.Path, err); err != nil {
					return err
				}
				continue
			}
			err = q.parseIf(&t, v == object.Maybe)
			ok := err == nil
			if ok && v == object.Maybe {
				ok, err = match(&t)
			}
			if errors.Is(err, object.ErrInstances) {
				// it may match: nobody can tell within the limits
				if err := m.status(davxml.EscapePath(q.href(t.res.Path)), http.StatusForbidden, nMaxInstances); err != nil {
					return err
				}
			} else if err != nil {
				// RFC 4791, 7.8: one bad object must not hide the others
				q.h.logf(levelWarning, "query leaves out /%s: %v", t.res.Path, err)
			}
			if !ok {
				continue
			}
		}
		if left != nil {
			if *left--; *left < 0 {
				return errTruncated
			}
		}
		if err := m.object(davxml.EscapePath(q.href(t.res.Path)), &t, a); err != nil {
			return err
		}
	}
	return c.Err()
}

// errTruncated ends a list of which the client wants no more.
var errTruncated = errors.New("truncated")

func (q *request) parseIf(t *target, needed bool) error {
	if !needed {
		return nil
	}
	return q.parse(t)
}

// truncated says that there is more than the client wants to have at once
// (RFC 6352, 8.6.2; RFC 6578, 3.6).
func (m *multistatus) truncated(href string) error {
	return m.status(href, http.StatusInsufficientStorage, nNumberOfMatches)
}
