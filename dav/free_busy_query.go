package dav

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"inetdav/dav/davxml"
	"inetdav/store"
	"inetdav/store/object"
)

// freeBusyQuery is RFC 4791, 7.10. Decisions:
//
//   - Depth says which calendars count: with 0 the calendar that is asked, with 1 also
//     those that are in the collection that is asked, with infinity all below it. A
//     calendar that counts does so with its objects. Without the header it is 0.
//   - Calendars which the user may not read do not count.
//   - CALDAV:schedule-calendar-transp and CALDAV:calendar-free-busy-set are of no
//     account: by RFC 6638, 9.1 they speak of requests to an outbox, which there is
//     not, and this report is defined by the collections that it is asked of.
//   - Of the STATUSes that the table has no name for all are BUSY.
func (q *request) freeBusyQuery(root *davxml.Element) error {
	var r *object.TimeRange
	for e := range root.Elements() {
		if e.Name != nTimeRange {
			continue
		}
		if r != nil {
			return refuse(http.StatusBadRequest, "free-busy-query with several time-ranges")
		}
		var err error
		if r, err = readTimeRange(e); err != nil {
			return err
		}
	}
	if r == nil {
		return refuse(http.StatusBadRequest, "free-busy-query without a time-range")
	}
	depth, err := q.depth(0)
	if err != nil {
		return err
	}
	fb := object.NewFreeBusy(*r, nil)
	fb.Stamp, fb.Max = time.Now().Unix(), q.h.maxFreeBusy
	if q.kind() == kPrincipal && depth > 0 {
		if err := q.freeBusyOfPrincipal(fb); err != nil {
			return err
		}
	}
	if err := q.collectionsBelow(store.Calendar, q.path, depth, func(c *store.Collection) error { return q.freeBusyOf(fb, c) }); err != nil {
		return err
	}
	if err := fb.Check(); err != nil {
		return violates(nNumberOfMatches, err)
	}
	out := fb.Append(nil)
	h := q.w.Header()
	h.Set("Content-Type", "text/calendar; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(out)))
	q.w.WriteHeader(http.StatusOK)
	q.wrote = true
	_, err = q.w.Write(out)
	return err
}

// freeBusyOfPrincipal takes in CALDAV:calendar-availability.
func (q *request) freeBusyOfPrincipal(fb *object.FreeBusy) error {
	c, err := q.snapshot(q.path, false)
	if err != nil {
		return err
	}
	defer c.Close()
	text, ok := c.Props().Get("C:calendar-availability")
	if !ok {
		return nil
	}
	a, err := availabilityOf(text)
	if err == nil {
		a.Zones = &q.zones
		err = fb.Add(a)
	}
	return q.freeBusyError(err, c.Path())
}

// freeBusyOf takes in the objects of a calendar.
func (q *request) freeBusyOf(fb *object.FreeBusy, c *store.Collection) error {
	fb.SetFloating(q.floatingOf(c))
	a := asked{}
	t := target{res: store.Resource{Kind: store.Object, In: c.Kind()}, coll: c}
	for t.rec = range c.Objects() {
		if fb.Decide(&t.rec.Summary) == object.No || t.rec.Flags&object.Broken != 0 {
			continue
		}
		t.res.Path = join(c.Path(), t.rec.Name)
		err := a.load(&t)
		if err == nil {
			err = q.parse(&t)
		}
		if err == nil {
			err = fb.Add(t.calendar)
		}
		if err := q.freeBusyError(err, t.res.Path); err != nil {
			return err
		}
	}
	return c.Err()
}

// freeBusyError passes over what cannot be read, and fails where there is too much:
// the answer must not say that somebody is free who is not.
func (q *request) freeBusyError(err error, path string) error {
	switch {
	case errors.Is(err, object.ErrInstances): // by itself that is a 403
		return violates(nNumberOfMatches, err)
	case err == nil || gone(err):
	case memberStatus(err) == 0:
		return err
	default:
		q.h.logf(levelWarning, "free-busy-query leaves out /%s: %v", path, err)
	}
	return nil
}

// freeBusyDenied hides what the user may not read (RFC 4791, 7.10): where others
// get a 403 this report gets a 404.
func (q *request) freeBusyDenied(denied error) error {
	if asError(denied).Status != http.StatusForbidden {
		return denied
	}
	root, err := q.readXML()
	if err != nil || root == nil || root.Name != nFreeBusyQuery {
		return denied
	}
	return &Error{Status: http.StatusNotFound, Err: denied}
}
