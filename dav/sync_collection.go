package dav

import (
	"fmt"
	"iter"
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
	s := &syncer{request: q}
	if l := root.Child(nLimit); l != nil { // RFC 5323, 5.17
		n, err := strconv.Atoi(strings.TrimSpace(l.Child(nDAVNresults).Text()))
		if err != nil || n < 1 {
			return refuse(http.StatusBadRequest, "limit")
		}
		s.limit = n
	}
	switch level := strings.TrimSpace(root.Child(nSyncLevel).Text()); level {
	case "1", "":
	case "infinite":
		s.infinite = true
	default:
		return refuse(http.StatusBadRequest, "sync-level %q", level)
	}
	var err error
	if s.asked, err = q.readAsked(root); err != nil {
		return err
	}
	token := strings.TrimSpace(root.Child(nSyncToken).Text())
	if q.kind() == kPrincipal {
		return s.home(token)
	}
	c, err := q.snapshot(q.path, token == "")
	if err != nil {
		return err
	}
	defer c.Close()
	if c.SyncToken() == "" {
		return noHistory(q.path)
	}
	changes, err := s.since(c, token)
	if err != nil {
		return err
	}
	s.m = q.newMultistatus()
	now, err := s.changes(c, changes)
	if err != nil {
		return err
	}
	return s.close(now)
}

// noHistory refuses the report where there is no place for a history: without a
// token the answer would be of no use.
func noHistory(path string) error {
	return violates(nSupportedReportCond, fmt.Errorf("no history of /%s", path))
}

// syncer writes the changes of one collection, or of all in a home.
type syncer struct {
	*request
	m        *multistatus
	asked    *asked
	infinite bool // also what is in the collections of a home
	limit    int  // of responses; 0: none
	written  int
	cut      bool // there is more than the limit allows
}

// since yields what changed since the token: as Changes does, but all at once in
// the order in which it is stored, where nobody wants only a part of it to go on
// from.
func (s *syncer) since(c *store.Collection, token string) (iter.Seq[*store.Change], error) {
	if token != "" || s.limit > 0 {
		return c.Changes(token)
	}
	return func(yield func(*store.Change) bool) {
		var ch store.Change
		for r := range c.Objects() {
			ch.Record = *r
			if !yield(&ch) {
				return
			}
		}
	}, nil
}

// full reports whether one more response would be more than the client wants;
// the answer then ends with what is there (RFC 6578, 3.6).
func (s *syncer) full() bool {
	if s.limit > 0 && s.written >= s.limit {
		s.cut = true
	}
	return s.cut
}

// changes writes the changes of a collection and returns the token from which
// the client goes on.
func (s *syncer) changes(c *store.Collection, changes iter.Seq[*store.Change]) (token string, err error) {
	token = c.SyncToken()
	last := ""
	// What is gone since a token of Radicale's has no token that a client could go
	// on from: the answer is then as much longer than the limit as it takes to have one.
	pending := false
	for ch := range changes {
		if s.limit > 0 && ch.Token() != "" && !pending && s.full() {
			// nothing of this collection was written: the token before the
			// first change is not known here, so the caller keeps its own
			return last, nil
		}
		if err := s.change(c, ch); err != nil {
			return "", err
		}
		if pending = ch.Token() == ""; s.limit > 0 && !pending {
			last = ch.Token()
		}
	}
	return token, c.Err()
}

// change writes one change.
func (s *syncer) change(c *store.Collection, ch *store.Change) error {
	s.written++
	t := &target{res: store.Resource{Path: join(c.Path(), ch.Name), Kind: store.Object, In: c.Kind()}, coll: c, rec: &ch.Record}
	href := davxml.EscapePath(s.href(t.res.Path))
	if !ch.Removed && s.asked.data {
		if err := s.asked.load(t); err != nil {
			return s.m.failed(href, t.res.Path, err)
		}
	}
	if ch.Removed {
		return s.m.status(href, http.StatusNotFound)
	}
	return s.m.object(href, t, s.asked)
}

// close ends the answer with the token, and before it says if there is more.
func (s *syncer) close(token string) error {
	if s.cut {
		if err := s.m.truncated(davxml.EscapePath(s.collectionHref(s.path))); err != nil {
			return err
		}
	}
	if token != "" {
		s.m.x.Element(nSyncToken, token)
	}
	return s.m.close()
}
