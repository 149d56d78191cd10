package dav

import (
	"net/http"
	"strconv"
	"strings"

	"inetdav/dav/davxml"
	"inetdav/store"
)

// syncCollection is RFC 6578, 3.2. It costs as much as has changed since the
// token, whatever the size of the collection.
func (q *request) syncCollection(root *davxml.Element) error {
	if d := q.r.Header.Get("Depth"); d != "" && d != "0" && d != "1" { // RFC 6578, 3.3; Apple sends 1
		return refuse(http.StatusBadRequest, "Depth %q", d)
	}
	token := strings.TrimSpace(root.Child(nSyncToken).Text())
	limit := 0
	if l := root.Child(nLimit); l != nil { // RFC 5323, 5.17
		n, err := strconv.Atoi(strings.TrimSpace(l.Child(nDAVNresults).Text()))
		if err != nil || n < 1 {
			return refuse(http.StatusBadRequest, "limit")
		}
		limit = n
	}
	switch level := strings.TrimSpace(root.Child(nSyncLevel).Text()); level {
	case "1", "infinite", "": // nothing lies deeper in a calendar or an address book
	default:
		return refuse(http.StatusBadRequest, "sync-level %q", level)
	}
	a, err := q.readAsked(root)
	if err != nil {
		return err
	}
	c, err := q.h.store.Collection(q.path)
	if err != nil {
		return err
	}
	defer c.Close()
	changes, err := c.Changes(token)
	if err != nil {
		return err
	}
	now := c.SyncToken()
	m := q.newMultistatus()
	n := 0
	for ch := range changes {
		if limit > 0 && n == limit { // RFC 6578, 3.6
			if err := m.truncated(davxml.EscapePath(q.collectionHref(q.path))); err != nil {
				return err
			}
			break
		}
		n++
		if limit > 0 && n == limit {
			now = ch.Token()
		}
		t := &target{res: store.Resource{Path: join(q.path, ch.Name), Kind: store.Object, In: c.Kind()}, coll: c, rec: &ch.Record}
		href := davxml.EscapePath(q.href(t.res.Path))
		if !ch.Removed && a.data {
			if err := a.load(t); err != nil {
				if !gone(err) {
					return err
				}
				ch.Removed = true
			}
		}
		if ch.Removed {
			err = m.status(href, http.StatusNotFound)
		} else {
			err = m.object(href, t, a)
		}
		if err != nil {
			return err
		}
	}
	if err := c.Err(); err != nil {
		return err
	}
	if now != "" {
		m.x.Element(nSyncToken, now)
	}
	return m.close()
}
