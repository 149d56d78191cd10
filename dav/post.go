package dav

import (
	"errors"
	"io/fs"
	"net/http"

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
		path, err := freePath(tx, in, n.sum.UID)
		if err != nil {
			return answer{}, err
		}
		a, err := n.put(tx, path)
		if err == nil {
			q.w.Header().Set("Location", davxml.EscapePath(q.href(path))) // RFC 5995, 3.1
		}
		return a, err
	}, nil
}

// freePath is the path for a new object with that UID.
func freePath(tx *store.Tx, in store.Resource, uid string) (string, error) {
	suffix := ".vcf"
	if in.Kind == store.Calendar {
		suffix = ".ics"
	}
	for try := 0; ; try++ {
		path := join(in.Path, objectName(uid, suffix, try))
		switch _, err := tx.Resource(path); {
		case errors.Is(err, fs.ErrNotExist):
			return path, nil
		case err != nil:
			return "", err
		case try > 3: // random names that are all taken
			return "", refuse(http.StatusInternalServerError, "no free name")
		}
	}
}
