package dav

import (
	"net/http"
	"slices"
	"strings"

	"inetdav/dav/davxml"
	"inetdav/store"
)

// principalMatch is RFC 3744, 9.3: the members of a collection, at any depth,
// that are the user's principal (DAV:self), or that have a property which names
// it. As there are no groups, one principal at most is the user's.
func (q *request) principalMatch(root *davxml.Element) error {
	if err := q.depth0(); err != nil {
		return err
	}
	self, property := root.Child(nSelf), root.Child(nPrincipalProperty)
	if (self == nil) == (property == nil) {
		return refuse(http.StatusBadRequest, "principal-match wants one of self and principal-property")
	}
	names := q.h.lookup(root.Child(nProp))
	m := q.newMultistatus()
	if q.user == "" { // matches no principal
		return m.close()
	}
	if self != nil {
		if q.path == "" || q.path == q.user {
			r, ok, err := q.principal(q.user)
			if ok {
				err = m.foundPrincipal(r, names)
			}
			if err != nil {
				return err
			}
		}
		return m.close()
	}
	var wanted davxml.Name
	for e := range property.Elements() {
		wanted = e.Name
		break
	}
	if wanted.Local == "" {
		return refuse(http.StatusBadRequest, "principal-property without a property")
	}
	top, ok := q.res, true
	if wanted == nOwner { // whose is only in the own home
		var err error
		if q.path == "" {
			top, ok, err = q.principal(q.user)
		} else {
			ok = ownerOf(q.res) == q.user
		}
		if err != nil {
			return err
		}
	}
	if ok {
		var v values
		err := m.walk(&target{res: top}, MaxDepth, func(t *target) error {
			if t.res.Path == q.path {
				return nil // no member of itself
			}
			ok, err := q.names(t, wanted, &v)
			if err != nil || !ok {
				return err
			}
			return m.found(t, names)
		})
		if err != nil {
			return err
		}
	}
	return m.close()
}

// names reports whether an href in the value of a property is that of the user's
// principal.
func (q *request) names(t *target, name davxml.Name, v *values) (bool, error) {
	row := q.h.property(name)
	if row != nil && row.refs != nil {
		return row.on&t.kind() != 0 && slices.ContainsFunc(row.refs(q, t), func(ref string) bool {
			return strings.TrimSuffix(ref, "/") == q.user
		}), nil
	}
	e, err := v.of(q, t, &wanted{name: name, row: row})
	if err != nil || e == nil {
		return false, err
	}
	for c := range e.Elements() {
		if c.Name == nHref {
			if path, ok := q.pathOfHref(c.Text()); ok && path == q.user {
				return true, nil
			}
		}
	}
	return false, nil
}

// found writes the response of a resource that a report found: with its
// properties, or, where none are asked for, with its status.
func (m *multistatus) found(t *target, names []wanted) error {
	if len(names) == 0 {
		return m.status(davxml.EscapePath(m.q.hrefOf(t.res)), http.StatusOK)
	}
	return m.response(t, names, m.q.minimal())
}

// foundPrincipal is found for a resource that is not open yet.
func (m *multistatus) foundPrincipal(r store.Resource, names []wanted) error {
	t := &target{res: r}
	defer t.close()
	return m.found(t, names)
}
