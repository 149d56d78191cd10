package dav

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"syscall"
	"time"

	"inetdav/dav/davxml"
	"inetdav/store"
	"inetdav/store/object"
)

// Error is a request refused: the status the client gets, the pre- or
// postcondition element that says why (RFC 4918, 16), and the cause, which only
// the log sees.
type Error struct {
	Status int
	Cond   davxml.Name   // zero: the status says it all
	Href   string        // a path shown inside Cond, where its definition has a DAV:href
	Lacks  davxml.Name   // the privilege on Href that DAV:need-privileges tells of
	And    *Error        // another lack of the same request, or nil
	After  time.Duration // of a 503: when to come again; 0: retryAfter
	Err    error
}

func (e *Error) Error() string {
	s := strconv.Itoa(e.Status)
	if e.Cond != (davxml.Name{}) {
		s += " " + e.Cond.Local
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

func refuse(status int, format string, args ...any) *Error {
	return &Error{Status: status, Err: fmt.Errorf(format, args...)}
}

// violates is the failure of a precondition that the request itself cannot
// meet, whatever the state (RFC 4918, 16: 403).
func violates(cond davxml.Name, err error) *Error {
	return &Error{Status: http.StatusForbidden, Cond: cond, Err: err}
}

// conflicts is the failure of a precondition that depends on the state (409).
func conflicts(cond davxml.Name, err error) *Error {
	return &Error{Status: http.StatusConflict, Cond: cond, Err: err}
}

// retryAfter is what a client is told to wait, in seconds, when another
// process holds the lock, or has just replaced what was being read.
const retryAfter = "5"

// fail is the only place where an error becomes a status.
func (q *request) fail(err error) {
	e := asError(err)
	if e.Status == 0 { // the client has gone, or the answer is cut short on purpose
		panic(http.ErrAbortHandler)
	}
	if e.Status == http.StatusInternalServerError || e.Status == http.StatusInsufficientStorage || closed(err) || exhausted(err) {
		q.h.logf(levelError, "%s %s: %v", q.r.Method, q.r.URL.Path, err)
	} else {
		q.h.logf(levelInfo, "%s %s: %v", q.r.Method, q.r.URL.Path, err)
	}
	if q.wrote {
		// RFC 4918, 13: a 207 that has begun cannot take its status back. A
		// short list that looks whole is a deletion on somebody's phone.
		panic(http.ErrAbortHandler)
	}
	if e.Status == http.StatusInternalServerError || e.Status == http.StatusInsufficientStorage {
		q.pause(q.h.errorDelay)
	}
	h := q.w.Header()
	clearAnswer(h)
	switch e.Status {
	case http.StatusUnauthorized:
		if c := q.h.auth.Challenge(); c != "" {
			h.Set("WWW-Authenticate", c)
		} else {
			e.Status = http.StatusForbidden
		}
	case http.StatusServiceUnavailable:
		h.Set("Retry-After", retryAfter)
		if e.After > 0 {
			h.Set("Retry-After", strconv.FormatInt(int64((e.After+time.Second-1)/time.Second), 10))
		}
	case http.StatusMethodNotAllowed:
		h.Set("Allow", q.h.allow(q.kindForAllow()))
	}
	if e.Status == http.StatusPreconditionFailed && e.Cond == (davxml.Name{}) && q.current() {
		return
	}
	if e.Cond == (davxml.Name{}) {
		text := http.StatusText(e.Status) + "\n"
		h.Set("Content-Type", "text/plain; charset=utf-8")
		h.Set("Content-Length", strconv.Itoa(len(text)))
		q.w.WriteHeader(e.Status)
		if q.r.Method != http.MethodHead {
			fmt.Fprint(q.w, text)
		}
		return
	}
	h.Set("Content-Type", contentXML)
	q.w.WriteHeader(e.Status)
	x := davxml.NewWriter(q.w)
	x.Header()
	x.Start(nError)
	switch {
	case e.Lacks != davxml.Name{}: // RFC 3744, 7.1.1
		x.Start(e.Cond)
		for l := e; l != nil; l = l.And {
			x.Start(nResource)
			x.Href(q.href(l.Href))
			writePrivilege(x, l.Lacks)
			x.End(nResource)
		}
		x.End(e.Cond)
	case e.Href != "":
		x.Start(e.Cond)
		x.Href(q.href(e.Href))
		x.End(e.Cond)
	default:
		x.Empty(e.Cond)
	}
	x.End(nError)
	x.Flush()
}

// maxErrorDelay bounds [server] delay_on_error: an instance that waits is one
// that nobody else gets.
const maxErrorDelay = 10 * time.Second

// pause waits for about d, by chance half of it more or less, as Radicale does
// so that what makes it fail is not tried too often. It ends with the request.
func (q *request) pause(d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d/2 + rand.N(d))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-q.r.Context().Done():
	}
}

// clearAnswer takes back the headers of an answer that is not given.
func clearAnswer(h http.Header) {
	for _, k := range []string{"Etag", "Last-Modified", "Content-Disposition", "Content-Encoding", "Content-Language", "Content-Length", "Content-Location", "Location", "Preference-Applied"} {
		h.Del(k)
	}
}

// asError finds the status of an error that came up from below.
func asError(err error) *Error {
	var e *Error
	var tooLarge *http.MaxBytesError
	var syntax *davxml.SyntaxError
	status := func(code int) *Error { return &Error{Status: code, Err: err} }
	switch {
	case errors.As(err, &e):
		return e
	case errors.As(err, &tooLarge):
		return status(http.StatusRequestEntityTooLarge)
	case errors.As(err, &syntax):
		return status(http.StatusBadRequest)
	case errors.Is(err, store.ErrName):
		return status(http.StatusForbidden)
	case errors.Is(err, store.ErrLocked), errors.Is(err, store.ErrStale):
		return status(http.StatusServiceUnavailable)
	case errors.Is(err, store.ErrTooLarge):
		return status(http.StatusInsufficientStorage)
	case errors.Is(err, store.ErrSyncToken):
		return &Error{Status: http.StatusForbidden, Cond: nValidSyncToken, Err: err}
	case errors.Is(err, object.ErrInstances):
		return &Error{Status: http.StatusForbidden, Cond: nMaxInstances, Err: err}
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, store.ErrKind):
		return status(http.StatusNotFound)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return status(http.StatusRequestTimeout)
	case errors.Is(err, context.Canceled), errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.ECONNRESET):
		return status(0)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), errors.Is(err, syscall.EFBIG):
		// RFC 4331, 6 has no condition for a full disk; 507 is RFC 4918, 11.5.
		return status(http.StatusInsufficientStorage)
	case closed(err):
		return status(http.StatusForbidden)
	case exhausted(err), errors.Is(err, syscall.ESTALE):
		return status(http.StatusServiceUnavailable)
	}
	return status(http.StatusInternalServerError)
}

// closed reports whether the disk refuses the server what it needs. The client
// is told 403, as by Radicale; only an administrator can do something about it.
func closed(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS)
}

// exhausted reports whether the machine lacks something for a while which has
// nothing to do with the resource.
func exhausted(err error) bool {
	for _, errno := range [...]syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.ENOLCK} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}

// gone reports whether the error is that something does not exist. What cannot
// be read is not gone: clients remove what is.
func gone(err error) bool { return err != nil && absent(err) == nil }

// listError is the failure to list the members of a collection.
type listError struct{ error }

func (e listError) Unwrap() error { return e.error }

// memberStatus is the status that an answer about many resources gives for one
// that cannot be read; 0, where the failure is not of that one alone, and the
// answer must not be completed.
func memberStatus(err error) int {
	switch {
	case errors.Is(err, store.ErrStale), errors.Is(err, store.ErrLocked), errors.Is(err, os.ErrDeadlineExceeded), exhausted(err):
		return 0
	case errors.As(err, new(listError)):
		return 0
	case gone(err):
		return http.StatusNotFound
	}
	return asError(err).Status
}
