package dav

import (
	"iter"
	"net/http"
	"net/url"
	"strings"

	"inetdav/dav/davxml"
	"inetdav/store"
)

// The synchronization of a home (RFC 6578, 3.3 and 3.5): its members are
// collections, and with sync-level infinite what is in them too. Its token is
// made of theirs, so nothing more is to be remembered, and where a client is cut
// short each collection goes on from where it was:
//
//	data:,home/work=4f1c...-660e...&play=...

const (
	homeToken  = "data:,home/"
	childToken = "data:,"
	// MaxHomeToken bounds the token of a home, in bytes: one of more
	// collections has none.
	MaxHomeToken = 16 << 10
)

// position is how far a client has come in a collection.
type position struct{ name, token string }

// joinPositions makes the token of a home.
func joinPositions(ps []position) string {
	var b strings.Builder
	b.WriteString(homeToken)
	for i, p := range ps {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(url.QueryEscape(p.name) + "=" + strings.TrimPrefix(p.token, childToken))
	}
	return b.String()
}

// splitPositions is its inverse.
func splitPositions(token string) ([]position, error) {
	rest, ok := strings.CutPrefix(token, homeToken)
	if !ok || len(token) > MaxHomeToken {
		return nil, store.ErrSyncToken
	}
	var ps []position
	for rest != "" {
		var part string
		part, rest, _ = strings.Cut(rest, "&")
		name, tail, ok := strings.Cut(part, "=")
		name, err := url.QueryUnescape(name)
		if !ok || err != nil || name == "" {
			return nil, store.ErrSyncToken
		}
		ps = append(ps, position{name, childToken + tail})
	}
	return ps, nil
}

// members yields the collections in a collection that the user may read. Of one
// that cannot be looked at only the path is known, and the error; a listError
// says that there may be others.
func (q *request) members(in *store.Collection) iter.Seq2[store.Resource, error] {
	return func(yield func(store.Resource, error) bool) {
		for name, err := range in.Collections() {
			if name == "" {
				yield(store.Resource{}, listError{err})
				return
			}
			res := store.Resource{Path: join(in.Path(), name)}
			if err == nil {
				res, err = q.lookAt(res.Path)
			}
			if gone(err) || err == nil && !res.Kind.IsCollection() || !q.allowed(res, mayRead) {
				continue // gone since, or not for us
			}
			if !yield(res, err) {
				return
			}
		}
	}
}

// homeSyncToken is the token of this moment, made of those that tokenOf gives; ""
// where a collection has none or there are too many.
func (q *request) homeSyncToken(home *store.Collection, tokenOf func(store.Resource) (string, error)) (string, error) {
	var ps []position
	size := 0
	for res, err := range q.members(home) {
		token := ""
		if err == nil {
			token, err = tokenOf(res)
		}
		switch {
		case err != nil && memberStatus(err) != 0:
			continue // who goes on from here hears of it once it can be read
		case err != nil:
			return "", err
		case kindOf(res)&(kCalendar|kAddressbook) != 0 && token == "":
			return "", nil
		}
		ps = append(ps, position{base(res.Path), token})
		if size += len(base(res.Path)) + len(token); size > MaxHomeToken {
			return "", nil
		}
	}
	token := joinPositions(ps)
	if len(token) > MaxHomeToken {
		return "", nil
	}
	return token, nil
}

// tokenOf is the sync token of a member of a home.
func (q *request) tokenOf(res store.Resource) (string, error) {
	c, err := q.snapshot(res.Path, false)
	if err != nil {
		return "", err
	}
	defer c.Close()
	return c.SyncToken(), nil
}

// home writes what has changed in a home since the token.
func (s *syncer) home(token string) error {
	var old []position
	if token != "" {
		var err error
		if old, err = splitPositions(token); err != nil {
			return err
		}
	}
	known := map[string]string{}
	for _, p := range old {
		known[p.name] = p.token
	}
	home, err := s.snapshot(s.path, false)
	if err != nil {
		return err
	}
	defer home.Close()
	s.m = s.newMultistatus()
	var now []position
	for res, err := range s.members(home) {
		name := base(res.Path)
		before, seen := known[name]
		delete(known, name)
		after, err := s.member(res, err, before, seen)
		if err != nil {
			return err
		}
		if after.name != "" {
			now = append(now, after)
		}
	}
	for _, p := range old {
		if _, left := known[p.name]; !left {
			continue
		}
		if s.full() {
			now = append(now, p)
			continue
		}
		s.written++
		if err := s.m.status(davxml.EscapePath(s.collectionHref(join(s.path, p.name))), http.StatusNotFound); err != nil {
			return err
		}
	}
	if token = joinPositions(now); len(token) > MaxHomeToken {
		return refuse(http.StatusInsufficientStorage, "too many collections for a sync-token")
	}
	return s.close(token)
}

// member writes what has changed in a collection of the home, and returns how
// far the client then is; without a name where it has not heard of it. The error
// given is the one with which the collection was found.
func (s *syncer) member(res store.Resource, err error, before string, seen bool) (position, error) {
	p := position{base(res.Path), before}
	since := before
	if !seen || since == childToken {
		since = ""
	}
	var c *store.Collection
	if err == nil {
		c, err = s.snapshot(res.Path, s.infinite && since == "")
	}
	if err != nil {
		if !seen {
			p = position{}
		}
		if gone(err) || s.full() {
			return p, nil // the next answer will say so
		}
		s.written++
		return p, s.m.failed(davxml.EscapePath(s.collectionHref(res.Path)), res.Path, err)
	}
	defer c.Close()
	if kindOf(res)&kSynced != 0 && c.SyncToken() == "" {
		return position{}, noHistory(res.Path)
	}
	synced := s.infinite && c.Kind() != store.Subscribed && kindOf(res)&kTagged != 0
	var changes iter.Seq[*store.Change]
	if synced { // before anything of this collection is written
		if changes, err = c.Changes(since); err != nil {
			return position{}, err
		}
	}
	// RFC 6578, 3.5.1: what has an entity tag changes with it. At level infinite
	// the members that made it change are there themselves.
	changed := !s.infinite && strings.TrimPrefix(before, childToken) != strings.TrimPrefix(c.SyncToken(), childToken)
	if !seen || changed {
		if s.full() {
			if !seen {
				p = position{}
			}
			return p, nil
		}
		s.written++
		if s.infinite && !synced { // RFC 6578, 3.3: once
			err = s.m.status(davxml.EscapePath(s.collectionHref(res.Path)), http.StatusForbidden, nSupportedReportCond)
		} else {
			err = s.m.response(&target{res: res, coll: c}, s.asked.names, s.asked.minimal)
		}
		if err != nil {
			return position{}, err
		}
		p.token = childToken
	}
	if synced {
		token, err := s.changes(c, changes)
		if token != "" {
			p.token = token
		}
		return p, err
	}
	p.token = c.SyncToken()
	return p, nil
}
