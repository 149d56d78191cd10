package dav

import (
	"net/http"

	"inetdav/dav/davxml"
)

// depth0 refuses a report that is defined for the resource alone where it is
// asked for more (RFC 3744, 9.2 to 9.5: 400).
func (q *request) depth0() error {
	d, err := q.depth(0)
	if err == nil && d != 0 {
		err = refuse(http.StatusBadRequest, "Depth %q", q.r.Header.Get("Depth"))
	}
	return err
}

// aclPrincipalPropSet is RFC 3744, 9.2: properties of the principals that are
// named in the ACL of a resource, each once. There are two at most, so
// DAV:number-of-matches-within-limits always holds.
func (q *request) aclPrincipalPropSet(root *davxml.Element) error {
	if err := q.depth0(); err != nil {
		return err
	}
	names := q.h.lookup(root.Child(nProp))
	m := q.newMultistatus()
	for _, a := range q.aces(q.res) {
		if a.user == "" {
			continue
		}
		r, ok, err := q.principal(a.user)
		if err != nil {
			return err
		}
		if !ok { // no folder, or one that the rights hide: RFC 3744, 9.2 still wants a response
			err = m.status(davxml.EscapePath(q.collectionHref(a.user)), http.StatusNotFound)
		} else {
			err = m.foundPrincipal(r, names)
		}
		if err != nil {
			return err
		}
	}
	return m.close()
}
