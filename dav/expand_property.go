package dav

import (
	"net/http"

	"inetdav/dav/davxml"
)

// Limits of expand-property.
const (
	// MaxExpand is how many hrefs deep an expansion goes.
	MaxExpand = 4
	// MaxExpansions is how many hrefs are followed in all; the rest are 507.
	MaxExpansions = 1000
)

// expandProperty is RFC 3253, 3.8: a PROPFIND that follows the hrefs in values.
func (q *request) expandProperty(root *davxml.Element) error {
	x := &expansion{request: q, m: q.newMultistatus(), left: MaxExpansions}
	t := &target{res: q.res}
	defer t.close()
	if err := x.response(t, root, MaxExpand); err != nil {
		return err
	}
	return x.m.close()
}

type expansion struct {
	*request
	m    *multistatus
	left int
}

// response writes one resource with the properties that an element asks for.
func (x *expansion) response(t *target, asks *davxml.Element, depth int) error {
	var names []wanted
	for e := range asks.Elements() {
		if e.Name != nPropertyElement {
			continue
		}
		name := davxml.Name{Space: davxml.DAV, Local: e.Attr("name")}
		if e.HasAttr("namespace") {
			name.Space = e.Attr("namespace")
		}
		row := x.h.property(name)
		if row != nil && row.refs != nil && depth > 0 && e.Child(nPropertyElement) != nil {
			row = x.expanded(row, e, depth)
		}
		names = append(names, wanted{name: name, row: row})
	}
	// the writer of properties is used again inside: keep this one's state
	outer := x.m.out
	defer func() { x.m.out = outer }()
	return x.m.response(t, names, x.minimal())
}

// expanded is a property whose hrefs are replaced by responses.
func (x *expansion) expanded(row *property, e *davxml.Element, depth int) *property {
	return &property{name: row.name, on: row.on, get: func(q *request, t *target, o *propOut) error {
		refs := row.refs(q, t)
		if len(refs) == 0 {
			return nil
		}
		o.start()
		o.x.Start(o.name)
		for _, ref := range refs {
			if err := x.follow(ref, e, depth-1); err != nil {
				return err
			}
		}
		o.x.End(o.name)
		return nil
	}}
}

func (x *expansion) follow(ref string, e *davxml.Element, depth int) error {
	path, _, err := cleanPath("/" + ref)
	if err != nil {
		return err
	}
	res, err := x.h.store.Resource(path)
	if err != nil || !x.allowed(res, mayRead) {
		return x.m.status(davxml.EscapePath(x.href(ref)), http.StatusNotFound)
	}
	if x.left--; x.left < 0 {
		return x.m.status(davxml.EscapePath(x.href(ref)), http.StatusInsufficientStorage, nNumberOfMatches)
	}
	t := &target{res: res}
	defer t.close()
	return x.response(t, e, depth)
}
