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
func (q *request) allowed(r store.Resource, l letter) bool { return q.h.permits(q.user, r, l) }

// permits is Radicale's rule: a calendar or address book needs the small letter
// on its own path, any other collection the capital, an object the small letter
// on its collection (the capital where that is a plain one), and what does not
// exist yet either letter on its path or the small one on its parent.
func (h *handler) permits(user string, r store.Resource, l letter) bool {
	capital := l - 'a' + 'A'
	has := func(path string, letters ...letter) bool {
		s := h.rights.Letters(user, path)
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
	path, privilege := q.lacks(r, l)
	return lacking(path, privilege, errRights{q.user, r.Path, l})
}

// lacking is the failure for want of a privilege on the resource with the path.
func lacking(path string, privilege davxml.Name, err error) *Error {
	return &Error{Status: http.StatusForbidden, Cond: nNeedPrivileges, Href: path, Lacks: privilege, Err: err}
}

// lacks names the privilege that is missing, in the words of RFC 3744, appendix
// B, and the path, with the slash of a collection, of the resource on which it
// is. Who may not read a resource must not learn from the answer whether it is
// there: to him it says the same in both cases.
func (q *request) lacks(r store.Resource, l letter) (path string, privilege davxml.Name) {
	path = r.Path
	if path != "" && (path == q.path && q.slash || path != q.path && kindOf(r)&kCollection != 0) {
		path += "/"
	}
	above := parent(r.Path)
	if above != "" {
		above += "/"
	}
	readable := q.allowed(r, mayRead)
	switch q.r.Method {
	case "PUT", "LOCK": // may be sent to nothing
		if q.kind() != kNone && q.allowed(q.res, mayRead) {
			return path, privilegeWriteContent
		}
		return above, privilegeBind
	case "MKCOL", "MKCALENDAR":
		return above, privilegeBind
	case "COPY", "MOVE":
		if r.Path != q.path { // the destination
			return above, privilegeBind
		}
	}
	if l == mayRead || !readable {
		return path, privilegeRead
	}
	switch q.r.Method {
	case "POST":
		return path, privilegeBind
	case "PROPPATCH":
		return path, privilegeWriteProperties
	case "DELETE", "MOVE":
		// a collection goes with its own write, whatever its parent gives
		in := store.Resource{Path: parent(r.Path), Kind: store.Plain}
		if kindOf(r)&kObject != 0 || !q.allowed(in, mayWrite) {
			return above, privilegeUnbind
		}
	}
	return path, privilegeWrite
}

type errRights struct {
	user, path string
	letter     letter
}

func (e errRights) Error() string {
	return "user " + e.user + " lacks right " + string(rune(e.letter)) + " on /" + e.path
}
