package dav

import (
	"io"
	"net/http"
	"strings"

	"inetdav/dav/davxml"
	"inetdav/store"
)

// MaxDepth bounds how many levels below the resource a request with
// Depth: infinity goes.
const MaxDepth = 16

// depth reads the Depth header (RFC 4918, 10.2); missing is what its absence
// means.
func (q *request) depth(missing int) (int, error) {
	switch d := strings.TrimSpace(q.r.Header.Get("Depth")); {
	case d == "":
		return missing, nil
	case d == "0":
		return 0, nil
	case d == "1", strings.HasPrefix(d, "1,"): // "1,noroot"
		return 1, nil
	case strings.EqualFold(d, "infinity"):
		return MaxDepth, nil
	default:
		return 0, refuse(http.StatusBadRequest, "Depth %q", d)
	}
}

// propfind is RFC 4918, 9.1.
func (q *request) propfind() error {
	if err := q.need(q.res, mayRead); err != nil {
		return err
	}
	if err := q.readCondition(); err != nil {
		return err
	}
	depth, err := q.depth(MaxDepth)
	if err != nil {
		return err
	}
	f := propfind{request: q, quiet: q.minimal()}
	root, err := q.readXML()
	if err != nil {
		return err
	}
	if err := f.read(root); err != nil {
		return err
	}
	f.multistatus = q.newMultistatus()
	visit := f.one
	if depth > 0 && q.prefers("depth-noroot") { // RFC 8144, 4
		visit = func(t *target) error {
			if t.res.Path == q.res.Path {
				return nil
			}
			return f.one(t)
		}
	}
	if err := f.walk(&target{res: q.res}, depth, visit); err != nil {
		return err
	}
	if err := f.ofGroups(depth, visit); err != nil {
		return err
	}
	return f.close()
}

type propfind struct {
	*request
	*multistatus
	names    []wanted
	allprop  bool // the dead properties too
	propname bool
	quiet    bool
}

func (f *propfind) read(root *davxml.Element) error {
	if root == nil { // RFC 4918, 9.1: an empty body asks for all properties
		f.allprop = true
	} else if root.Name != nPropfind {
		return refuse(http.StatusBadRequest, "PROPFIND with %v", root.Name)
	}
	if root != nil {
		prop, propname, allprop := root.Child(nProp), root.Child(nPropname), root.Child(nAllprop)
		switch {
		case prop != nil && propname == nil && allprop == nil:
			f.names = f.h.lookup(prop)
			return f.dareAnonymous()
		case propname != nil && prop == nil && allprop == nil:
			f.propname = true
			return nil
		case allprop != nil && prop == nil && propname == nil:
			f.allprop = true
		default:
			return refuse(http.StatusBadRequest, "PROPFIND asks for none or several of prop, propname and allprop")
		}
		if include := root.Child(nInclude); include != nil {
			f.names = f.h.lookup(include)
		}
	}
	f.names = append(f.names, f.h.allprop()...)
	return nil
}

// dareAnonymous asks who is there before it says that nobody is: DAVx5 takes
// the answer of RFC 5397 to be the last word.
func (f *propfind) dareAnonymous() error {
	if f.user != "" || f.h.auth.Challenge() == "" {
		return nil
	}
	for i := range f.names {
		if f.names[i].name == nCurrentUserPrincipal {
			return refuse(http.StatusUnauthorized, "anonymous asks for its principal")
		}
	}
	return nil
}

// lookup finds the rows of the properties named in an element, in its order,
// each once.
func (h *handler) lookup(prop *davxml.Element) []wanted {
	var names []wanted
	seen := map[davxml.Name]bool{}
	for e := range prop.Elements() {
		if !seen[e.Name] {
			seen[e.Name] = true
			names = append(names, wanted{name: e.Name, row: h.property(e.Name), arg: e})
		}
	}
	return names
}

// walk visits a resource and what is in it, depth levels down, as far as the
// user may read it; of a collection that cannot be read it writes the status. Its
// snapshots are immutable and hold no lock, so the client may take its time.
func (m *multistatus) walk(t *target, depth int, visit func(*target) error) error {
	q := m.q
	defer t.close()
	t.every = depth > 0 && t.kind()&kCollection != 0
	if err := visit(t); err != nil {
		return err
	}
	if depth == 0 || t.kind()&kCollection == 0 {
		return nil
	}
	c, err := q.collection(t)
	if err != nil {
		return err
	}
	o := target{res: store.Resource{Kind: store.Object, In: c.Kind()}, coll: c}
	for o.rec = range c.Objects() {
		o.res.Path = join(t.res.Path, o.rec.Name)
		o.rich, o.ready = nil, false
		if err := visit(&o); err != nil {
			return err
		}
	}
	if err := c.Err(); err != nil {
		return err
	}
	if t.kind()&kTagged != 0 {
		return nil // no collections inside: RFC 4791, 4.2; RFC 6352, 5.2
	}
	for res, err := range q.members(c) {
		in := &target{res: res, every: depth > 1}
		if err == nil { // before anything of it is written
			_, err = q.collection(in)
		}
		switch {
		case gone(err):
			continue
		case err != nil:
			err = m.failed(davxml.EscapePath(q.collectionHref(res.Path)), res.Path, err)
		default:
			err = m.walk(in, depth-1, visit)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func join(dir, name string) string {
	if dir == "" {
		return name
	}
	return dir + "/" + name
}

// one writes the response of one resource.
func (f *propfind) one(t *target) error {
	names := f.names
	switch {
	case f.propname:
		return f.namesOf(davxml.EscapePath(f.hrefOf(t.res)), t)
	case f.allprop:
		dead, err := f.deadNames(t)
		if err != nil {
			return err
		}
		names = names[:len(names):len(names)]
		for _, n := range dead {
			names = append(names, wanted{name: n, optional: true})
		}
	}
	return f.response(t, names, f.quiet)
}

// namesOf writes the response of DAV:propname, under an href as it is on the wire.
func (f *propfind) namesOf(href string, t *target) error {
	names, err := f.nonempty(t)
	if err != nil {
		return err
	}
	f.x.Start(nResponse)
	f.x.Element(nHref, href)
	f.out.start()
	for i := range names {
		f.x.Empty(names[i].name)
	}
	f.out.close(http.StatusOK)
	f.x.End(nResponse)
	return f.x.Err()
}

// nonempty are the names of all properties that a resource has.
func (f *propfind) nonempty(t *target) ([]wanted, error) {
	var names []wanted
	probe := propOut{x: davxml.NewWriter(io.Discard)}
	for i := range f.h.properties {
		p := &f.h.properties[i]
		probe.name, probe.wrote = p.name, false
		n := wanted{name: p.name, row: p}
		if err := f.getProp(t, &n, &probe); err != nil {
			return nil, err
		}
		if probe.wrote {
			names = append(names, n)
		}
	}
	dead, err := f.deadNames(t)
	for _, n := range dead {
		names = append(names, wanted{name: n})
	}
	return names, err
}
