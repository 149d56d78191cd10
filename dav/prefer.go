package dav

import (
	"errors"
	"io"
	"io/fs"
	"net/http"
	"strconv"
	"strings"

	"inetdav/dav/davxml"
	"inetdav/store"
)

// minimal reports whether the client wants to hear only of properties that are
// there (RFC 8144, 2.1; Apple's Brief).
func (q *request) minimal() bool {
	return q.prefers("return=minimal") || q.r.Header.Get("Brief") == "t"
}

// prefers reports whether the client has a preference, and says that it is
// heeded (RFC 7240, 2 and 3): it is asked only where it is.
func (q *request) prefers(preference string) bool {
	prefer, _ := list(q.r.Header, "Prefer")
	for part := range strings.SplitSeq(prefer, ",") {
		part, _, _ = strings.Cut(part, ";")
		if strings.EqualFold(strings.ReplaceAll(strings.TrimSpace(part), `"`, ""), preference) {
			q.w.Header().Add("Preference-Applied", preference)
			return true
		}
	}
	return false
}

// echo lets the answer to a change carry the object that it has made, where the
// client wants that (RFC 8144, 3.1): a GET saved where others rewrite what they
// are sent. It is opened under the lock, so nobody else's change comes between.
func (q *request) echo(a answer, path string) answer {
	if !q.prefers(returnRepresentation) {
		return a
	}
	f, err := q.h.store.OpenObject(path)
	if err != nil { // the change is made, all the same
		q.w.Header().Del("Preference-Applied")
		q.h.logf(levelWarning, "representation of /%s: %v", path, err)
		return a
	}
	if a.status == http.StatusNoContent {
		a.status = http.StatusOK
	}
	status := a.status
	a.body = func(q *request) error { return q.representation(status, f) }
	return a
}

const returnRepresentation = "return=representation"

// representation answers with an object as it is stored, and closes it.
func (q *request) representation(status int, f *store.OpenedObject) error {
	defer f.Close()
	h := q.w.Header()
	h.Set("ETag", f.ETag)
	q.objectHeaders(f.Resource)
	h.Set("Content-Location", davxml.EscapePath(q.href(f.Path)))
	h.Set("Content-Length", strconv.FormatInt(f.Size, 10))
	q.w.WriteHeader(status)
	q.wrote = true
	_, err := io.Copy(q.w, f)
	return err
}

// current answers a change of an object whose conditions have failed with what is
// there instead (RFC 8144, 3.2), if the client wants that and may read it. It
// reports whether it has answered.
func (q *request) current() bool {
	switch q.r.Method {
	case http.MethodPut, http.MethodDelete, "COPY", "MOVE":
	default:
		return false
	}
	if o := q.r.Header.Get("Overwrite"); o != "" && o != "T" && o != "t" {
		return false // it was perhaps not this object that was in the way
	}
	f, err := q.h.store.OpenObject(q.path)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, store.ErrKind) {
			q.h.logf(levelWarning, "representation of /%s: %v", q.path, err)
		}
		return false
	}
	if !q.allowed(f.Resource, mayRead) || !q.prefers(returnRepresentation) {
		f.Close()
		return false
	}
	if err := q.representation(http.StatusPreconditionFailed, f); err != nil {
		panic(http.ErrAbortHandler) // the client has gone, or the object is cut short
	}
	return true
}
