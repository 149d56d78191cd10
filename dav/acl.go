package dav

import (
	"errors"
	"net/http"

	"inetdav/dav/davxml"
	"inetdav/store"
)

// acl is the ACL method (RFC 3744, 8.1), which is refused: the rights are the
// administrator's, so all entries of an ACL are protected, and it can be given no
// others. Only a request for none is granted, for that is what there is. The
// condition in the answer is the first of 8.1.1 that the request does not meet,
// and DAV:no-ace-conflict, the catchall, where it meets all others.
func (q *request) acl() (change, error) {
	if err := q.need(q.res, mayWrite); err != nil {
		return nil, err
	}
	root, err := q.readXML()
	if err != nil {
		return nil, err
	}
	if root == nil || root.Name != nACL {
		return nil, refuse(http.StatusBadRequest, "ACL without a list")
	}
	for e := range root.Elements() {
		if e.Name != nACE {
			continue
		}
		if err := q.checkACE(e); err != nil {
			return nil, err
		}
		return nil, violates(nNoACEConflict, errors.New("rights cannot be changed from here"))
	}
	return func(*store.Tx) (answer, error) { return answer{status: http.StatusOK}, nil }, nil
}

func (q *request) checkACE(e *davxml.Element) error {
	if e.Child(nInvert) != nil {
		return violates(nNoInvert, nil)
	}
	if e.Child(nDeny) != nil {
		return violates(nGrantOnly, nil)
	}
	principal, grant := e.Child(nPrincipal), e.Child(nGrant)
	if principal == nil || grant == nil {
		return refuse(http.StatusBadRequest, "entry without principal or grant")
	}
	all := privilegesOn(q.kind())
	for p := range grant.Elements() {
		for name := range p.Elements() {
			if !all.has(name.Name) {
				return violates(nNotSupportedPrivilege, errors.New(name.Name.String()))
			}
		}
	}
	href := principal.Child(nHref)
	if href == nil {
		return nil
	}
	path, ok := q.pathOfHref(href.Text())
	if ok && path != q.user {
		var err error
		if _, ok, err = q.principal(path); err != nil {
			return err
		}
	}
	if !ok {
		return violates(nRecognizedPrincipal, errors.New(href.Text()))
	}
	return nil
}

// has reports whether a privilege is, or contains, the one with the name.
func (p privilege) has(name davxml.Name) bool {
	if p.name == name {
		return true
	}
	for _, p := range p.in {
		if p.has(name) {
			return true
		}
	}
	return false
}
