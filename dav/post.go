package dav

import (
	"errors"
	"io/fs"
	"net/http"
	"net/url"
	"strings"

	"inetdav/dav/davxml"
	"inetdav/store"
)

// post is POST on the DAV:add-member URL of a calendar or address book, which
// is its own (RFC 5995, 3.1): the server finds a name for the object.
func (q *request) post() (change, error) {
	in := q.res
	if err := q.need(in, mayWrite); err != nil {
		return nil, err
	}
	n, err := q.receiveObject(in)
	if err != nil {
		return nil, err
	}
	return func(tx *store.Tx) (answer, error) {
		if err := q.currentCondition(tx); err != nil {
			return answer{}, err
		}
		path, err := q.freePath(tx, in, n.sum.UID)
		if err != nil {
			return answer{}, err
		}
		a, err := q.putReceived(tx, path, n)
		if err == nil {
			q.w.Header().Set("Location", davxml.EscapePath(q.href(path))) // RFC 5995, 3.1
		}
		return a, err
	}, nil
}

// freePath is the path for a new object with that UID: of the name that the client
// would like, if it can be had.
func (q *request) freePath(tx *store.Tx, in store.Resource, uid string) (string, error) {
	suffix := ".vcf"
	if in.Kind == store.Calendar {
		suffix = ".ics"
	}
	name := q.slug(suffix)
	for try := 0; ; try++ {
		if name == "" {
			name = ObjectName(uid, suffix, try)
		}
		path := join(in.Path, name)
		switch _, err := tx.Resource(path); {
		case errors.Is(err, fs.ErrNotExist):
			return path, nil
		case err != nil:
			return "", err
		case try > 4: // random names that are all taken
			return "", refuse(http.StatusInternalServerError, "no free name")
		}
		name = ""
	}
}

// slug is the name for a new object that a client suggests (RFC 5995, 3.3): UTF-8,
// percent-encoded (RFC 5023, 9.7.1). "" is none, or none that an object can have.
func (q *request) slug(suffix string) string {
	name, err := url.PathUnescape(strings.TrimSpace(q.r.Header.Get("Slug")))
	if name = strings.TrimSpace(name); err != nil || name == "" {
		return ""
	}
	if !strings.HasSuffix(strings.ToLower(name), suffix) {
		name += suffix
	}
	if store.CheckName(name) != nil || !printable(name) {
		return ""
	}
	return name
}
