package dav

import (
	"net/http"
	"strings"

	"inetdav/dav/davxml"
	"inetdav/store"
)

// letter is one of the rights of Radicale, in its lower case form; which case
// counts depends on the resource (see allowed).
type letter byte

const (
	mayRead  letter = 'r'
	mayWrite letter = 'w'
)

func parent(p string) string {
	if i := strings.LastIndexByte(p, '/'); i >= 0 {
		return p[:i]
	}
	return ""
}

func base(p string) string { return p[strings.LastIndexByte(p, '/')+1:] }

// allowed reports whether the user may do what l stands for to the resource.
// Radicale's rule: a calendar or address book needs the small letter on its own
// path, any other collection the capital, an object the small letter on its
// collection (the capital where that is a plain one), and what does not exist
// yet either letter on its path or the small one on its parent.
func (q *request) allowed(r store.Resource, l letter) bool {
	capital := l - 'a' + 'A'
	has := func(path string, letters ...letter) bool {
		s := q.h.rights.Letters(q.user, path)
		for _, x := range letters {
			if strings.IndexByte(s, byte(x)) >= 0 {
				return true
			}
		}
		return false
	}
	switch k := kindOf(r); {
	case k&kTagged != 0:
		return has(r.Path, l)
	case k&kCollection != 0:
		return has(r.Path, capital)
	case k == kFile:
		return has(parent(r.Path), capital)
	case k&kObject != 0:
		return has(parent(r.Path), l)
	}
	return has(r.Path, l, capital) || r.Path != "" && has(parent(r.Path), l)
}

// need refuses what is not allowed: with 401 to whom has not said who he is
// (RFC 9110, 15.5.2), else with 403 and the privilege that is missing
// (RFC 3744, 7.1.1).
func (q *request) need(r store.Resource, l letter) error {
	if q.allowed(r, l) {
		return nil
	}
	if q.user == "" {
		return refuse(http.StatusUnauthorized, "anonymous")
	}
	return violates(nNeedPrivileges, errRights{q.user, r.Path, l})
}

type errRights struct {
	user, path string
	letter     letter
}

func (e errRights) Error() string {
	return "user " + e.user + " lacks right " + string(rune(e.letter)) + " on /" + e.path
}

// privileges gives the names of the privileges (RFC 3744, 3; 5.4) that the
// rights amount to.
func (q *request) privileges(r store.Resource) []davxml.Name {
	var p []davxml.Name
	if q.allowed(r, mayRead) {
		p = append(p, davxml.Name{Space: davxml.DAV, Local: "read"},
			davxml.Name{Space: davxml.DAV, Local: "read-current-user-privilege-set"})
		if kindOf(r)&(kCalendar|kCalObject) != 0 {
			p = append(p, davxml.Name{Space: davxml.CalDAV, Local: "read-free-busy"}) // RFC 4791, 6.1.1
		}
	}
	if q.allowed(r, mayWrite) {
		for _, local := range []string{"all", "write", "write-properties", "write-content"} {
			p = append(p, davxml.Name{Space: davxml.DAV, Local: local})
		}
		if kindOf(r)&kCollection != 0 {
			p = append(p, davxml.Name{Space: davxml.DAV, Local: "bind"}, davxml.Name{Space: davxml.DAV, Local: "unbind"})
		}
	}
	return p
}
