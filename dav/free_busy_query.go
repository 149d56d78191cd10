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

// freeBusyQuery is RFC 4791, 7.10.
func (q *request) freeBusyQuery(root *davxml.Element) error {
	e := root.Child(nTimeRange)
	if e == nil {
		return refuse(http.StatusBadRequest, "free-busy-query without a time-range")
	}
	r, err := readSpan(e)
	if err != nil {
		return err
	}
	floating, err := q.floating(root)
	if err != nil {
		return err
	}
	c, err := q.h.store.Collection(q.path)
	if err != nil {
		return err
	}
	defer c.Close()
	fb := object.NewFreeBusy(*r, floating)
	fb.Stamp = time.Now().Unix()
	a := asked{}
	t := target{res: store.Resource{Kind: store.Object, In: c.Kind()}, coll: c}
	for t.rec = range c.Objects() {
		if fb.Decide(&t.rec.Summary) == object.No || t.rec.Flags&object.Broken != 0 {
			continue
		}
		t.res.Path = join(q.path, t.rec.Name)
		err := a.load(&t)
		if err == nil {
			err = q.parse(&t)
		}
		if err == nil {
			err = fb.Add(t.calendar)
		}
		switch {
		case err == nil || gone(err):
		case errors.Is(err, object.ErrInstances):
			return violates(nNumberOfMatches, err)
		default:
			q.h.logf(levelWarning, "free-busy-query leaves out /%s: %v", t.res.Path, err)
		}
	}
	if err := c.Err(); err != nil {
		return err
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
