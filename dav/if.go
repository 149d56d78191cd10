package dav

import (
	"errors"
	"io/fs"
	"net/http"
	"strings"

	"inetdav/store"
)

// Limits of the If header.
const (
	// MaxIf is its length in bytes.
	MaxIf = 16 << 10
	// MaxIfResources is how many resources it may speak of: the entity tag of
	// each is that of its bytes, which are read with the lock held.
	MaxIfResources = 32
)

// state is what the conditions of an If header are compared with.
type state interface {
	Resource(path string) (store.Resource, error)
	Collection(path string) (*store.Collection, error)
	ETag(path string) (string, error)
}

// unlocked is the state for methods that only read: they take no lock.
type unlocked struct {
	q    *request
	open []*store.Collection
}

func (u *unlocked) Resource(path string) (store.Resource, error) { return u.q.h.store.Resource(path) }

func (u *unlocked) Collection(path string) (*store.Collection, error) {
	c, err := u.q.snapshot(path, false)
	if err == nil {
		u.open = append(u.open, c)
	}
	return c, err
}

func (u *unlocked) ETag(path string) (string, error) {
	o, err := u.q.h.store.OpenObject(path)
	if err != nil {
		return "", absent(err)
	}
	return o.ETag, o.Close()
}

// readCondition evaluates the If header of a method that only reads. Its rights
// are checked by then.
func (q *request) readCondition() error {
	u := &unlocked{q: q}
	err := q.ifHeader(u)
	for _, c := range u.open {
		c.Close()
	}
	return err
}

// ifHeader evaluates the If header (RFC 4918, 10.4): lists of conditions, each
// of which may be true, for the resource of the request or for one that is
// named. The state tokens that can match are those of locks and sync tokens
// (RFC 6578, 5). It fails with 412 where no list is true. All state tokens are
// submitted, whatever becomes of their lists (RFC 4918, 10.4.1).
func (q *request) ifHeader(s state) error {
	h, ok := list(q.r.Header, "If")
	if !ok {
		return nil
	}
	if len(h) > MaxIf {
		return refuse(http.StatusBadRequest, "If header of %d bytes", len(h))
	}
	p := ifParser{rest: h}
	seen := &ifState{q: q, s: s}
	path, onServer, any := q.path, true, false
	for lists := 0; ; {
		switch c := p.peek(); {
		case c == 0 && lists > 0:
			if any {
				return nil
			}
			e := refuse(http.StatusPreconditionFailed, "If %s", h)
			if q.locks.refresh {
				e.Cond = nLockTokenMatches // RFC 4918, 9.10.6
			}
			return e
		case c == '<':
			tag, ok := p.until('<', '>')
			if !ok {
				return badIf(h)
			}
			path, onServer = q.pathOfHref(tag)
		case c == '(':
			lists++
			p.rest = p.rest[1:]
			matched, err := seen.list(&p, path, onServer)
			if err != nil {
				return err
			}
			any = any || matched
		default:
			return badIf(h)
		}
	}
}

func badIf(h string) error { return refuse(http.StatusBadRequest, "If header %q", h) }

// list evaluates one list: all of its conditions have to be true.
func (i *ifState) list(p *ifParser, path string, onServer bool) (bool, error) {
	all := true
	for n := 0; ; n++ {
		c := p.peek()
		if c == ')' && n > 0 {
			p.rest = p.rest[1:]
			return all, nil
		}
		not := false
		if len(p.rest) >= 3 && strings.EqualFold(p.rest[:3], "Not") {
			not = true
			p.rest = p.rest[3:]
			c = p.peek()
		}
		var matched bool
		var err error
		switch c {
		case '<':
			token, ok := p.until('<', '>')
			if !ok {
				return false, badIf(p.rest)
			}
			matched, err = i.token(path, onServer, token)
		case '[':
			tag, ok := p.until('[', ']')
			if !ok {
				return false, badIf(p.rest)
			}
			matched, err = i.etag(path, onServer, tag)
		default:
			return false, badIf(p.rest)
		}
		if err != nil {
			return false, err
		}
		all = all && matched != not
	}
}

// ifState is what an If header was compared with so far: each resource is looked
// at once, however many conditions speak of it.
type ifState struct {
	q    *request
	s    state
	seen []*ifResource
}

// ifResource is a resource that an If header names.
type ifResource struct {
	path     string
	exists   bool
	readable bool             // by the user: else nothing is to be learned of it
	locks    store.WriteLocks // on it
	sync     string           // its sync token, "" if it has none
	home     bool             // sync is yet to be made of its collections' tokens
	etag     string           // "" if it has none
	hashed   bool             // etag is known: that of an object costs reading it
}

func (i *ifState) resource(path string) (*ifResource, error) {
	for _, r := range i.seen {
		if r.path == path {
			return r, nil
		}
	}
	if len(i.seen) == MaxIfResources {
		return nil, refuse(http.StatusBadRequest, "If header with more than %d resources", MaxIfResources)
	}
	res, err := i.s.Resource(path)
	if err != nil {
		res = store.Resource{Path: path}
	}
	r := &ifResource{path: path, exists: err == nil, readable: i.q.allowed(res, mayRead)}
	i.seen = append(i.seen, r)
	if r.exists {
		r.locks = i.q.covering(path)
	}
	if k := kindOf(res); r.exists && r.readable && k&kTagged != 0 {
		var c *store.Collection
		if c, err = i.s.Collection(path); err == nil {
			r.etag, r.hashed = `"`+c.CTag()+`"`, true
			if k != kSubscribed {
				r.sync = c.SyncToken()
			}
		}
	}
	if r.exists && r.readable && kindOf(res) == kPrincipal {
		r.home = true
	}
	if !r.readable {
		err = nil
	}
	return r, absent(err)
}

// token compares a state token. Of a resource that does not exist none is true
// (RFC 4918, 10.4.4), and of one that the user may not read none but that of a
// lock, which cannot be guessed.
func (i *ifState) token(path string, onServer bool, token string) (bool, error) {
	i.q.locks.tokens = append(i.q.locks.tokens, token)
	if !onServer {
		return false, nil
	}
	r, err := i.resource(path)
	if err != nil {
		return false, err
	}
	for l := range r.locks {
		if r.locks[l].Token == token {
			return true, nil
		}
	}
	if r.home && strings.HasPrefix(token, homeToken) { // which costs a look at all collections
		r.home = false
		home, err := i.s.Collection(path)
		if err == nil {
			r.sync, err = i.q.homeSyncToken(home, func(res store.Resource) (string, error) {
				if kindOf(res) == kPlain {
					return "", nil // has none, and there is no bound to how many are open
				}
				c, err := i.s.Collection(res.Path)
				if err != nil {
					return "", err
				}
				return c.SyncToken(), nil
			})
		}
		if absent(err) != nil {
			return false, err
		}
	}
	return token == r.sync && token != "", nil
}

// etag compares an entity tag, by the same rule.
func (i *ifState) etag(path string, onServer bool, tag string) (bool, error) {
	if !onServer {
		return false, nil
	}
	r, err := i.resource(path)
	if err != nil || !r.exists || !r.readable {
		return false, err
	}
	if !r.hashed {
		if r.etag, err = i.s.ETag(path); absent(err) != nil {
			return false, err
		}
		r.hashed = true
	}
	return strongMatch(tag, r.etag), nil
}

// absent makes an error of what is not there no error.
func absent(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, store.ErrName) || errors.Is(err, store.ErrKind) {
		return nil
	}
	return err
}

type ifParser struct{ rest string }

// peek skips blanks and gives the next byte, 0 at the end.
func (p *ifParser) peek() byte {
	p.rest = strings.TrimLeft(p.rest, " \t,")
	if p.rest == "" {
		return 0
	}
	return p.rest[0]
}

// until takes what is between two marks; peek has seen the first. An entity tag
// in quotes may hold the second.
func (p *ifParser) until(open, end byte) (string, bool) {
	quoted := false
	for i := 1; i < len(p.rest); i++ {
		switch c := p.rest[i]; {
		case c == '"' && open == '[':
			quoted = !quoted
		case c == end && !quoted:
			s := p.rest[1:i]
			p.rest = p.rest[i+1:]
			return s, true
		}
	}
	return "", false
}
