package dav

import (
	"errors"
	"io/fs"
	"net/http"
	"strings"

	"inetdav/store"
)

// MaxIf bounds the If header, in bytes.
const MaxIf = 16 << 10

// state is what the conditions of an If header are compared with.
type state interface {
	Resource(path string) (store.Resource, error)
	Collection(path string) (*store.Collection, error)
	ETag(path string) (string, error)
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
			matched, err := q.ifList(&p, s, path, onServer)
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

// ifList evaluates one list: all of its conditions have to be true.
func (q *request) ifList(p *ifParser, s state, path string, onServer bool) (bool, error) {
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
			matched, err = q.ifToken(s, path, onServer, token)
		case '[':
			tag, ok := p.until('[', ']')
			if !ok {
				return false, badIf(p.rest)
			}
			matched, err = q.ifEtag(s, path, onServer, tag)
		default:
			return false, badIf(p.rest)
		}
		if err != nil {
			return false, err
		}
		all = all && matched != not
	}
}

// ifToken compares a state token. Of a resource that does not exist none is
// true (RFC 4918, 10.4.4).
func (q *request) ifToken(s state, path string, onServer bool, token string) (bool, error) {
	q.locks.tokens = append(q.locks.tokens, token)
	if !onServer {
		return false, nil
	}
	r, err := s.Resource(path)
	if err != nil {
		return false, absent(err)
	}
	for _, l := range q.covering(path) {
		if l.Token == token {
			return true, nil
		}
	}
	if kindOf(r)&(kCalendar|kAddressbook) == 0 {
		return false, nil
	}
	c, err := s.Collection(path)
	if err != nil {
		return false, absent(err)
	}
	return token == c.SyncToken() && token != "", nil
}

func (q *request) ifEtag(s state, path string, onServer bool, tag string) (bool, error) {
	if !onServer {
		return false, nil
	}
	etag, err := s.ETag(path)
	return err == nil && strongMatch(tag, etag), absent(err)
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
