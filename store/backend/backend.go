// Package backend lets any Go program serve a Radicale folder with the handlers
// of github.com/emersion/go-webdav: a [Backend] is a caldav.Backend, a
// carddav.Backend, a webdav.FileSystem and a webdav.UserPrincipalBackend over a
// store.Store. The serving program does not use it: package dav speaks the
// protocol itself, and says more of it than go-webdav's handlers can.
//
//	b := backend.New(backend.Options{Store: s, User: userOf})
//	mux.Handle("/cal/", &caldav.Handler{Backend: b.At("/cal")})
//	mux.Handle("/card/", &carddav.Handler{Backend: b.At("/card")})
//	mux.Handle("/files/", &webdav.Handler{FileSystem: b.At("/files")})
//	http.ListenAndServe(addr, b.Guard(mux))
//
// # Where to mount
//
// go-webdav's handlers tell by the number of segments what a URL names: a
// principal has one, a home two, a calendar three, an object four. Radicale's
// /alice/work/1.ics has one less. So a calendar or address book handler is
// mounted one segment below its Prefix: with At("/cal") and no Prefix, "/cal/"
// is the principal of whoever asks, "/cal/alice/" the home and
// "/cal/alice/work/1.ics" an object. Files may be mounted anywhere, also at "".
//
// Backends made from one another by At share one turn, because a store.Store is
// for one goroutine at a time; nobody else may use the Store meanwhile. Another
// program may use the folder.
//
// # What the bytes are
//
// Objects lie in the folder as package object accepts them, whoever wrote them,
// and entity tags are the store's: the SHA-256 of the bytes in the file. Files
// come and go byte for byte. Through the calendar and address book interfaces
// they come as trees, and a tree forgets: the order of properties, folding,
// quotes. What GET and REPORT of those handlers send is go-ical's and go-vcard's
// rendering of the object; go-vcard alters what it renders (`\;` becomes `\\;`,
// the commas of a list become text, and so those of data: URIs). What a client
// PUTs is stored as it was sent if it comes through [Backend.Guard], else as
// the encoder writes it.
//
// Reading does not go through the decoders, which hostile objects make panic,
// overflow the stack or run for minutes: a tree of go-ical is built from the
// one that package object/ical reads within its limits, and go-vcard is given
// nothing but plain lines that this package wrote. But a handler itself decodes
// the body of a PUT before any Backend sees it. Therefore Guard.
//
// What is missing in an object that go-ical refuses to write without (PRODID,
// VERSION, DTSTAMP; VERSION of a card) is added to the tree. An object that no
// tree can hold is listed without data, and left out of queries.
//
// # Errors
//
// Errors are those of webdav.NewHTTPError, with the precondition elements of
// RFC 4791, 5.3.2.1 and RFC 6352, 6.3.2.1 in them; see fail. Their text names
// paths in the store and is sent to the client by go-webdav. What is locked by
// WebDAV's LOCK, which package dav speaks and go-webdav does not, cannot be
// changed through a Backend: 423.
package backend

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path"
	"strings"
	"syscall"
	"unicode"
	"unicode/utf8"

	"github.com/emersion/go-webdav"
	"github.com/emersion/go-webdav/caldav"
	"github.com/emersion/go-webdav/carddav"

	"inetdav/store"
	"inetdav/store/object"
)

// MaxAnswer bounds the objects that one call reads, in bytes: the answers of
// go-webdav's interfaces are slices and its handlers hold all of a 207. Beyond
// it the error is 507.
const MaxAnswer = 64 << 20

// MaxEntries is the number of entries of one ReadDir. Beyond it the error is 507.
const MaxEntries = 1_000_000

// Options is what a Backend needs.
type Options struct {
	// Store is used by nobody but the Backend from now on. Its MaxObject is
	// the length of the longest body taken, in bytes.
	Store *store.Store
	// User tells who asks, from the context of the request; "" is nobody in
	// particular. An error goes to the handler as it is. Nil: always nobody.
	User func(context.Context) (user string, err error)
	// Allow tells whether the user may read, or change, what is at a path of
	// the store ("alice/work/1.ics", "" is the root). Nil is OwnOnly. It must
	// be fit for concurrent calls, and must not call the Backend.
	Allow func(user, path string, write bool) bool
}

// OwnOnly allows users everything below their own folder, and to look at the
// root; it is Radicale's owner_only.
func OwnOnly(user, path string, write bool) bool {
	if user == "" || path == "" {
		return user != "" && !write
	}
	first, _, _ := strings.Cut(path, "/")
	return first == user
}

// Backend is go-webdav's view of a store. It is fit for concurrent use.
type Backend struct {
	store  *store.Store
	user   func(context.Context) (string, error)
	allow  func(user, path string, write bool) bool
	turn   chan struct{} // holds one value while the store is in use
	prefix string        // of all URL paths, "" or "/cal"
}

var (
	_ caldav.Backend              = (*Backend)(nil)
	_ carddav.Backend             = (*Backend)(nil)
	_ webdav.FileSystem           = (*Backend)(nil)
	_ webdav.UserPrincipalBackend = (*Backend)(nil)
)

// New returns a Backend whose URL paths are those of the store.
func New(o Options) *Backend {
	b := &Backend{store: o.Store, user: o.User, allow: o.Allow, turn: make(chan struct{}, 1)}
	if b.user == nil {
		b.user = func(context.Context) (string, error) { return "", nil }
	}
	if b.allow == nil {
		b.allow = OwnOnly
	}
	return b
}

// At returns a Backend over the same store whose URL paths begin with prefix,
// such as "/cal".
func (b *Backend) At(prefix string) *Backend {
	view := *b
	view.prefix = strings.TrimRight(path.Clean("/"+prefix), "/")
	return &view
}

// CurrentUserPrincipal returns the URL path that stands for whoever asks: that
// of the folder itself.
func (b *Backend) CurrentUserPrincipal(ctx context.Context) (string, error) {
	if _, err := b.asker(ctx); err != nil {
		return "", fail(err)
	}
	return b.prefix + "/", nil
}

// home returns the URL path of the home of whoever asks.
func (b *Backend) home(ctx context.Context) (string, error) {
	user, err := b.asker(ctx)
	if err != nil {
		return "", fail(err)
	}
	return b.href(user, true), nil
}

// asker returns who asks; 401 if that is nobody in particular.
func (b *Backend) asker(ctx context.Context) (string, error) {
	user, err := b.user(ctx)
	switch {
	case err != nil:
		return "", refusal{err}
	case user == "":
		return "", refuse(http.StatusUnauthorized, "nobody is logged in")
	case store.CheckName(user) != nil:
		return "", refuse(http.StatusForbidden, "user %q cannot have a folder", user)
	}
	return user, nil
}

// need fails if whoever asks may not read, or write, what is at the path p.
func (b *Backend) need(ctx context.Context, p string, write bool) error {
	user, err := b.user(ctx)
	switch {
	case err != nil:
		return refusal{err}
	case b.allow(user, p, write):
		return nil
	case user == "":
		return refuse(http.StatusUnauthorized, "nobody is logged in")
	}
	return refuse(http.StatusForbidden, "not allowed")
}

// use runs f while nobody else uses the store, and makes of its error what
// handlers understand.
func (b *Backend) use(ctx context.Context, f func() error) error {
	select {
	case b.turn <- struct{}{}:
		defer func() { <-b.turn }()
		return fail(f())
	case <-ctx.Done():
		return fail(ctx.Err())
	}
}

// reading resolves a URL path and runs f with the store's, if it may be read.
func (b *Backend) reading(ctx context.Context, urlPath string, f func(p string) error) error {
	p, err := b.path(urlPath)
	if err == nil {
		err = b.need(ctx, p, false)
	}
	if err != nil {
		return fail(err)
	}
	return b.use(ctx, func() error { return f(p) })
}

// writing is reading for a change.
func (b *Backend) writing(ctx context.Context, urlPath string, f func(p string) error) error {
	p, err := b.path(urlPath)
	if err == nil {
		err = b.need(ctx, p, true)
	}
	if err != nil {
		return fail(err)
	}
	return b.use(ctx, func() error { return f(p) })
}

// path turns a decoded URL path into one of the store.
func (b *Backend) path(urlPath string) (string, error) {
	if strings.IndexByte(urlPath, 0) >= 0 {
		return "", refuse(http.StatusBadRequest, "NUL in the path")
	}
	rest, ok := strings.CutPrefix(path.Clean("/"+urlPath), b.prefix)
	if !ok || rest != "" && rest[0] != '/' {
		return "", refuse(http.StatusNotFound, "not below %s/", b.prefix)
	}
	return strings.TrimPrefix(rest, "/"), nil
}

// href is the inverse of path. That of a collection ends in a slash (RFC 4918,
// 5.2).
func (b *Backend) href(p string, collection bool) string {
	if collection && p != "" {
		p += "/"
	}
	return b.prefix + "/" + p
}

// newName refuses what nothing new may be called: Radicale, and any program
// that lists the folder, fails on names that are not UTF-8 or hold control
// characters.
func newName(p string) error {
	if !utf8.ValidString(p) || strings.ContainsFunc(p, unicode.IsControl) {
		return refuse(http.StatusBadRequest, "not a name: %q", p)
	}
	for name := range strings.SplitSeq(p, "/") {
		if err := store.CheckName(name); err != nil {
			return refuse(http.StatusBadRequest, "%w", err)
		}
	}
	return nil
}

// split returns the path of the collection and the name in it.
func split(p string) (collection, name string) {
	i := strings.LastIndexByte(p, '/')
	if i < 0 {
		return "", p
	}
	return p[:i], p[i+1:]
}

func join(collection, name string) string {
	if collection == "" {
		return name
	}
	return collection + "/" + name
}

// refusal is an error that handlers understand already.
type refusal struct{ error }

func (r refusal) Unwrap() error { return r.error }

func refuse(status int, format string, args ...any) error {
	return refusal{webdav.NewHTTPError(status, fmt.Errorf(format, args...))}
}

// calViolates is the failure of a precondition of RFC 4791 that the request
// cannot meet, whatever the state (RFC 4918, 16: 403).
func calViolates(cond caldav.PreconditionType, err error) error {
	return refuse(http.StatusForbidden, "%w: %w", caldav.NewPreconditionError(cond), err)
}

// cardViolates is the same for RFC 6352.
func cardViolates(cond carddav.PreconditionType, err error) error {
	return refuse(http.StatusForbidden, "%w: %w", carddav.NewPreconditionError(cond), err)
}

// fail is the only place where an error gets its status.
func fail(err error) error {
	var r refusal
	if err == nil {
		return nil
	} else if errors.As(err, &r) {
		return r.error
	}
	status := http.StatusInternalServerError
	switch {
	case errors.Is(err, store.ErrName), errors.Is(err, fs.ErrNotExist):
		status = http.StatusNotFound
	case errors.Is(err, store.ErrLocked), errors.Is(err, store.ErrStale), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		status = http.StatusServiceUnavailable
	case errors.Is(err, store.ErrTooLarge):
		status = http.StatusRequestEntityTooLarge
	case errors.Is(err, store.ErrKind):
		status = http.StatusConflict
	case errors.Is(err, object.ErrInstances):
		return webdav.NewHTTPError(http.StatusForbidden, fmt.Errorf("%w: %w", caldav.NewPreconditionError(caldav.PreconditionMaxInstances), err))
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), errors.Is(err, syscall.EFBIG):
		status = http.StatusInsufficientStorage
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		status = http.StatusForbidden
	case errors.Is(err, os.ErrDeadlineExceeded):
		status = http.StatusRequestTimeout
	}
	return webdav.NewHTTPError(status, err)
}
