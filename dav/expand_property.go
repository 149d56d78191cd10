package dav

import (
	"bytes"
	"io/fs"
	"net/http"

	"inetdav/dav/davxml"
)

// Limits of expand-property.
const (
	// MaxExpand is how many hrefs deep an expansion goes; those below stay hrefs.
	MaxExpand = 16
	// MaxExpansions is how many hrefs are followed in all; the rest are 507.
	MaxExpansions = 1000
)

// expandProperty is RFC 3253, 3.8: a PROPFIND that follows the hrefs in values.
func (q *request) expandProperty(root *davxml.Element) error {
	depth, err := q.depth(0)
	if err != nil {
		return err
	}
	if err := checkExpand(root); err != nil {
		return err
	}
	x := &expansion{request: q, m: q.newMultistatus(), left: MaxExpansions}
	err = x.m.walk(&target{res: q.res}, depth, func(t *target) error { return x.response(t, root, MaxExpand) })
	if err != nil {
		return err
	}
	return x.m.close()
}

// checkExpand refuses names that would not be names in the answer: these come
// in attributes, not as elements.
func checkExpand(e *davxml.Element) error {
	for p := range e.Elements() {
		if p.Name != nPropertyElement {
			continue
		}
		if name := p.Attr("name"); !davxml.IsLocal(name) || p.Attr("namespace") == "http://www.w3.org/2000/xmlns/" {
			return refuse(http.StatusBadRequest, "property %q", name)
		}
		if err := checkExpand(p); err != nil { // no deeper than davxml.MaxDepth
			return err
		}
	}
	return nil
}

type expansion struct {
	*request
	m      *multistatus
	values values
	left   int
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
		n := wanted{name: name, row: x.h.property(name)}
		if depth > 0 && e.Child(nPropertyElement) != nil {
			n.row = x.expanded(n, e, depth)
		}
		if len(names) == MaxNames {
			return refuse(http.StatusRequestEntityTooLarge, "more than %d names of properties", MaxNames)
		}
		names = append(names, n)
	}
	// the writer of properties is used again inside: keep this one's state
	outer := x.m.out
	defer func() { x.m.out = outer }()
	return x.m.response(t, names, x.minimal())
}

// expanded is a property whose hrefs are replaced by responses.
func (x *expansion) expanded(n wanted, e *davxml.Element, depth int) *property {
	return &property{name: n.name, on: kAny, get: func(q *request, t *target, o *propOut) error {
		value, err := x.values.of(q, t, &n)
		if err != nil || value == nil {
			return err
		}
		o.start()
		return x.expand(value, e, depth)
	}}
}

// expand writes a value. Hrefs that lead away from here stay what they are.
func (x *expansion) expand(value, e *davxml.Element, depth int) error {
	if value.Name == nHref {
		if path, ok := x.pathOfHref(value.Text()); ok {
			return x.follow(path, value.Text(), e, depth-1)
		}
	}
	x.m.x.Start(value.Name, value.Attrs...)
	for _, n := range value.Nodes {
		if n.Element == nil {
			x.m.x.Text(n.Text)
		} else if err := x.expand(n.Element, e, depth); err != nil {
			return err
		}
	}
	x.m.x.End(value.Name)
	return x.m.x.Err()
}

func (x *expansion) follow(path, href string, e *davxml.Element, depth int) error {
	if x.left--; x.left < 0 {
		return x.m.status(href, http.StatusInsufficientStorage, nNumberOfMatches)
	}
	res, err := x.lookAt(path)
	if !x.allowed(res, mayRead) {
		err = fs.ErrNotExist
	}
	if err != nil {
		return x.m.failed(href, path, err)
	}
	t := &target{res: res}
	defer t.close()
	return x.response(t, e, depth)
}

// values reads properties as a client would.
type values struct {
	b bytes.Buffer
	o propOut
}

// of is the value of a property, nil where the resource lacks it.
func (v *values) of(q *request, t *target, n *wanted) (*davxml.Element, error) {
	v.b.Reset()
	if v.o.x == nil {
		v.o.x = davxml.NewWriter(&v.b)
	} else {
		v.o.x.Reset(&v.b)
	}
	v.o.name, v.o.wrote, v.o.open = n.name, false, true // no propstat around it
	if err := q.getProp(t, n, &v.o); err != nil || !v.o.wrote {
		return nil, err
	}
	if err := v.o.x.Flush(); err != nil {
		return nil, err
	}
	return davxml.Parse(v.b.Bytes())
}
