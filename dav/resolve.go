package dav

import (
	"errors"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"inetdav/dav/access"
	"inetdav/dav/davxml"
	"inetdav/store"
)

// kind is a set of kinds of resource, as the tables of methods, properties and
// reports name them.
type kind uint16

const (
	kRoot        kind = 1 << iota
	kPrincipal        // a folder just below the root
	kPlain            // a collection that is neither calendar nor address book
	kCalendar         // RFC 4791, 4.2
	kAddressbook      // RFC 6352, 5.2
	kSubscribed       // a calendar that lives elsewhere, only pointed to (CS:source)
	kCalObject        // an object in a calendar
	kCardObject       // an object in an address book
	kFile             // an object in a plain collection
	kNone             // nothing there

	kCollection = kRoot | kPrincipal | kPlain | kCalendar | kAddressbook | kSubscribed
	kObject     = kCalObject | kCardObject | kFile
	kAny        = kCollection | kObject
	kTagged     = kCalendar | kAddressbook | kSubscribed
	kSynced     = kCalendar | kAddressbook | kPrincipal // RFC 6578
)

func kindOf(r store.Resource) kind {
	switch r.Kind {
	case store.None:
		return kNone
	case store.Calendar:
		return kCalendar
	case store.AddressBook:
		return kAddressbook
	case store.Subscribed:
		return kSubscribed
	case store.Object:
		switch r.In {
		case store.Calendar, store.Subscribed:
			return kCalObject
		case store.AddressBook:
			return kCardObject
		}
		return kFile
	}
	switch {
	case r.Path == "":
		return kRoot
	case !strings.Contains(r.Path, "/"):
		return kPrincipal
	}
	return kPlain
}

func (q *request) kind() kind { return kindOf(q.res) }

// kindForAllow is the kind that a 405 speaks of; the method may have been
// refused before anything was resolved.
func (q *request) kindForAllow() kind {
	if q.res.Kind == store.None {
		return kAny | kNone
	}
	return q.kind()
}

// maxURLPath bounds the decoded path of a request, in bytes.
const maxURLPath = 4096

// locate finds out which path the URL names, and what comes before it.
func (q *request) locate() error {
	u := q.r.URL.Path
	if q.r.Method == http.MethodOptions && q.r.RequestURI == "*" {
		u = "/"
	}
	if len(u) > maxURLPath {
		return refuse(http.StatusRequestURITooLong, "path of %d bytes", len(u))
	}
	prefix := q.r.Header.Get("X-Script-Name")
	if q.h.scriptName != "" && behindProxy(q.r) {
		prefix = q.h.scriptName
	}
	if prefix = strings.TrimRight(prefix, "/"); prefix != "" {
		if !validPrefix(prefix) {
			return refuse(http.StatusBadRequest, "script name %q does not begin with a slash", prefix)
		}
		q.prefix = prefix
		if rest, ok := strings.CutPrefix(u, prefix); ok && (rest == "" || rest[0] == '/') {
			u = rest
		}
	}
	p, slash, err := cleanPath(u)
	q.path, q.slash = p, slash
	if err != nil {
		return err
	}
	return q.checkPath(p)
}

// checkPath applies [server] validate_path_value where somebody chose a rule.
// Radicale's default rule, which refuses : ' " * and ?, is not applied: those are
// in names that Radicale before 3.7.2 and clients of files make.
func (q *request) checkPath(p string) error {
	if q.h.pathRule != "" && !access.ValidPath(q.h.pathRule, p) {
		return refuse(http.StatusBadRequest, "the path is against [server] validate_path_value = %s", q.h.pathRule)
	}
	return nil
}

// validPrefix reports whether URLs can begin with prefix.
func validPrefix(prefix string) bool {
	return prefix[0] == '/' && !strings.ContainsAny(prefix, "\r\n\"<>")
}

func behindProxy(r *http.Request) bool {
	for _, k := range []string{"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Server"} {
		if r.Header.Get(k) != "" {
			return true
		}
	}
	return false
}

// cleanPath turns a decoded URL path into a path of the store.
func cleanPath(u string) (p string, slash bool, err error) {
	if strings.IndexByte(u, 0) >= 0 {
		return "", false, refuse(http.StatusBadRequest, "NUL in the path")
	}
	slash = strings.HasSuffix(u, "/") || strings.HasSuffix(u, "/.") || strings.HasSuffix(u, "/..")
	p = strings.TrimPrefix(path.Clean("/"+u), "/")
	return p, slash, nil
}

// href is the URL of a path, not yet percent-encoded.
func (q *request) href(p string) string { return q.prefix + "/" + p }

// collectionHref is the URL of a collection: with the slash at its end that
// RFC 4918, 5.2 wants.
func (q *request) collectionHref(p string) string {
	if p == "" {
		return q.prefix + "/"
	}
	return q.prefix + "/" + p + "/"
}

func (q *request) hrefOf(r store.Resource) string {
	if kindOf(r)&kCollection != 0 {
		return q.collectionHref(r.Path)
	}
	return q.href(r.Path)
}

// pathOfHref turns an href that a client sent (a URL or an absolute path,
// percent-encoded) into a path of the store. ok is false where it points to
// another server or out of our URL space.
func (q *request) pathOfHref(href string) (p string, ok bool) {
	u, err := url.Parse(strings.TrimSpace(href))
	if err != nil || len(u.Path) > maxURLPath {
		return "", false
	}
	if u.Host != "" && !q.sameHost(u) {
		return "", false
	}
	rest := u.Path
	if q.prefix != "" {
		if rest, ok = strings.CutPrefix(rest, q.prefix); !ok {
			return "", false
		}
	}
	if !strings.HasPrefix(rest, "/") {
		return "", false
	}
	p, _, err = cleanPath(rest)
	return p, err == nil
}

// sameHost reports whether a URL points to this server, under any of the names
// by which the client or its proxy may know it.
func (q *request) sameHost(u *url.URL) bool {
	host := func(hostport string) string {
		if h, port, err := net.SplitHostPort(hostport); err == nil && (port == "80" || port == "443") {
			return h
		}
		return hostport
	}
	want := host(u.Host)
	if strings.EqualFold(want, host(q.r.Host)) {
		return true
	}
	if forwarded := q.r.Header.Get("X-Forwarded-Host"); forwarded != "" {
		if strings.EqualFold(want, host(forwarded)) {
			return true
		}
		port := q.r.Header.Get("X-Forwarded-Port")
		return port != "" && strings.EqualFold(want, host(net.JoinHostPort(forwarded, port)))
	}
	return false
}

// resolve is the only place where a URL becomes a resource.
func (q *request) resolve() error {
	r, err := q.look(q.path)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, store.ErrName):
		// reading what cannot be there finds nothing; writing it is refused
		if m := q.r.Method; m == "PUT" || m == "LOCK" || m == "MKCOL" || m == "MKCALENDAR" {
			if errors.Is(err, store.ErrName) || !printable(q.path) {
				return refuse(http.StatusBadRequest, "%w", err)
			}
		}
		r = store.Resource{Path: q.path}
	case err != nil:
		return err
	}
	q.res = r
	return nil
}

// lookAt finds a resource other than the request's. Where that fails it has a path
// and no kind: the rights are those to what does not exist.
func (q *request) lookAt(path string) (store.Resource, error) {
	r, err := q.look(path)
	if err != nil {
		r = store.Resource{Path: path}
	}
	return r, err
}

// look finds a resource, unless the user has no right there whatever it is: then
// it is fs.ErrNotExist, and the folder is not touched. See permits.
func (q *request) look(path string) (store.Resource, error) {
	if !q.reaches(path) {
		return store.Resource{Path: path}, fs.ErrNotExist
	}
	return q.h.store.Resource(path)
}

// lookIn is look for the collection that is to hold what is, or will be, at path:
// who has rights there needs none to the collection.
func (q *request) lookIn(path string) (store.Resource, error) {
	in := parent(path)
	if !q.reaches(path) && !q.reaches(in) {
		return store.Resource{Path: in}, fs.ErrNotExist
	}
	return q.h.store.Resource(in)
}

// reaches reports whether the user can have any right to what is at path. That
// there is a root is known to everybody.
func (q *request) reaches(path string) bool {
	return path == "" || q.h.rights.Letters(q.user, path) != "" || q.h.rights.Letters(q.user, parent(path)) != ""
}

// printable reports whether something new may have this path: Radicale, and any
// program that lists the folder, fails on names that are not UTF-8 or hold
// control characters.
func printable(p string) bool {
	return utf8.ValidString(p) && !strings.ContainsFunc(p, unicode.IsControl)
}

// missing is the answer where there is nothing: 404 to whom may read there,
// else what a resource that exists would answer, so that nobody learns names.
func (q *request) missing() error {
	// Apple's clients begin here, whatever the server; nobody's name is told.
	if q.path == "principals" && q.r.Method == "PROPFIND" {
		return q.toRoot()
	}
	if err := q.need(q.res, mayRead); err != nil {
		if q.r.Method == "REPORT" {
			return q.freeBusyDenied(err)
		}
		return err
	}
	return refuse(http.StatusNotFound, "nothing there")
}

func authError(err error) error {
	var busy *access.BusyError
	switch {
	case errors.As(err, &busy):
		return &Error{Status: http.StatusServiceUnavailable, After: busy.After, Err: err}
	case errors.Is(err, access.ErrCredentials):
		return &Error{Status: http.StatusUnauthorized, Err: err}
	case errors.Is(err, access.ErrMalformed):
		return &Error{Status: http.StatusBadRequest, Err: err}
	}
	return err
}

// welcome makes the folder of a principal at its first login, where the rights
// let it be written (as Radicale does).
func (q *request) welcome() error {
	if q.user == "" || !strings.Contains(q.h.rights.Letters(q.user, q.user), "W") {
		return nil
	}
	err := q.h.store.EnsurePrincipal(q.user)
	if err != nil && !errors.Is(err, store.ErrName) {
		q.h.logf(levelWarning, "principal folder of %q: %v", q.user, err)
	}
	return nil
}

// wellKnown leads a client that only knows the host to the context path
// (RFC 6764, 5).
func (q *request) wellKnown(name string) error {
	if name != "caldav" && name != "carddav" {
		return refuse(http.StatusNotFound, "no such well-known name")
	}
	q.w.Header().Set("Cache-Control", "max-age=3600")
	return q.toRoot()
}

// toRoot sends a client to the root, from where every property of discovery
// leads on. 307 and not Radicale's 301, at which curl and Python's requests
// repeat a PROPFIND without its body; for GET 301, which may be kept.
func (q *request) toRoot() error {
	status := http.StatusTemporaryRedirect
	if q.r.Method == http.MethodGet || q.r.Method == http.MethodHead {
		status = http.StatusMovedPermanently
	}
	q.w.Header().Set("Location", davxml.EscapePath(q.prefix+"/"))
	q.w.Header().Set("Content-Length", "0")
	q.w.WriteHeader(status)
	return nil
}
