package dav

import (
	"slices"

	"inetdav/dav/davxml"
	"inetdav/store"
	"inetdav/store/object"
)

// target is a resource whose properties are asked.
type target struct {
	res   store.Resource
	coll  *store.Collection // the snapshot of the collection itself, or of the one that holds the object; loaded on demand
	owned bool              // coll is to be closed with the target
	every bool              // coll is for an answer about each of its objects
	rec   *store.Record     // of an object in coll
	etag  string            // of data
	// of an object that a report has read:
	data     []byte
	part     []byte // what is asked for of it
	calendar *object.Calendar
	card     *object.Card
	rich     store.Props // dead properties that are more than text, and those of objects; loaded on demand
	ready    bool        // rich is loaded
}

func (t *target) kind() kind { return kindOf(t.res) }

func (t *target) close() {
	if t.owned {
		t.coll.Close()
	}
}

// snapshot takes a snapshot of a collection, for an answer about every object in
// it or not: see store.Listing.
func (q *request) snapshot(path string, every bool) (*store.Collection, error) {
	if every {
		return q.h.store.Listing(q.r.Context(), path)
	}
	return q.h.store.Collection(q.r.Context(), path)
}

// collection is the snapshot that a target's properties are read from.
func (q *request) collection(t *target) (*store.Collection, error) {
	if t.coll == nil {
		path := t.res.Path
		if t.kind()&kObject != 0 {
			path = parent(path)
		}
		c, err := q.snapshot(path, t.every)
		if err != nil {
			return nil, err
		}
		t.coll, t.owned = c, true
	}
	return t.coll, nil
}

// record is what the index knows of an object; nil where it is gone.
func (q *request) record(t *target) (*store.Record, error) {
	if t.rec != nil {
		return t.rec, nil
	}
	c, err := q.collection(t)
	if err != nil {
		return nil, err
	}
	if r, ok := c.Lookup(base(t.res.Path)); ok {
		t.rec = &r
	}
	return t.rec, c.Err()
}

// MaxNames is how many properties one request may ask for: each is looked for
// on every resource.
const MaxNames = 1000

// wanted is one name asked for, looked up once per request.
type wanted struct {
	name davxml.Name
	row  *property       // nil: a dead property, if anything
	arg  *davxml.Element // the element of the request, where its content matters
	// an optional one is passed over in silence where it is missing
	optional bool
	lacks    bool // of the resource that was last written
}

// property is a row of the table of properties.
type property struct {
	name    davxml.Name
	on      kind // the kinds of resource that have it
	allprop bool // part of the answer to allprop (RFC 4918, 9.1)
	// get writes the value, or nothing where there is none; refs gives the paths
	// of the hrefs that are the value, for principal-match, and for getProp where
	// there is no get: none at all are an empty value, and nil is no value
	get  func(q *request, t *target, o *propOut) error
	refs func(q *request, t *target) []string
	// set checks and stores a value, or removes it when e is nil; nil: protected
	set func(p *proppatch, e *davxml.Element) error
}

// properties is the table of live properties.
func properties() []property {
	return slices.Concat(propWebDAV(), propACL(), propCalDAV(), propCalendarLimits(), propCardDAV(), propQuota(), propApple(), propRadicale())
}

func (h *handler) property(name davxml.Name) *property {
	for i := range h.properties {
		if h.properties[i].name == name {
			return &h.properties[i]
		}
	}
	return nil
}

// allprop are the properties that an answer to allprop has, where they exist.
func (h *handler) allprop() []wanted {
	var names []wanted
	for i := range h.properties {
		if p := &h.properties[i]; p.allprop {
			names = append(names, wanted{name: p.name, row: p, optional: true})
		}
	}
	return names
}

// getProp writes one property, or nothing where the resource lacks it.
func (q *request) getProp(t *target, n *wanted, o *propOut) error {
	p := n.row
	if p == nil || p.on&t.kind() == 0 && p.set != nil {
		return q.getDead(t, n.name, o)
	}
	if p.on&t.kind() == 0 {
		return nil
	}
	if p.get != nil {
		return p.get(q, t, o)
	}
	if refs := p.refs(q, t); refs != nil {
		o.elements(func(x *davxml.Writer) {
			for _, r := range refs {
				x.Href(q.href(r))
			}
		})
	}
	return nil
}

// getDead writes a property that only its client understands. What is asked of
// it costs a listing the reading of one file, for all objects together, and one
// that does not ask costs nothing.
func (q *request) getDead(t *target, name davxml.Name, o *propOut) error {
	rich, err := q.rich(t)
	if err != nil {
		return err
	}
	value, isRich := rich.Get(name.String())
	if t.kind()&kCollection != 0 {
		text, ok, err := q.text(t, name)
		if err != nil || !ok {
			return err
		}
		if !isRich || !sameText(value, text) {
			o.text(text)
			return nil
		}
	}
	if e, err := davxml.Parse([]byte(value)); isRich && err == nil && e.Name == name {
		o.start() // any program may have written the file
		o.x.Raw(value)
	}
	return nil
}

// sameText reports whether a rich value still goes with the text that stands in
// .Radicale.props: Radicale, which only knows the text, may have changed it.
func sameText(value, text string) bool {
	e, err := davxml.Parse([]byte(value))
	return err == nil && e.Text() == text
}

// rich are the dead properties that are XML.
func (q *request) rich(t *target) (store.Props, error) {
	if t.ready {
		return t.rich, nil
	}
	c, err := q.collection(t)
	if err != nil {
		return nil, err
	}
	name := ""
	if t.kind()&kObject != 0 {
		name = base(t.res.Path)
	}
	t.rich, err = c.ObjectProps(name)
	t.ready = err == nil
	return t.rich, err
}

// text is a property of a collection whose value is text.
func (q *request) text(t *target, name davxml.Name) (value string, ok bool, err error) {
	c, err := q.collection(t)
	if err != nil {
		return "", false, err
	}
	value, ok = c.Props().Get(store.Tag(name.Space, name.Local))
	return value, ok, nil
}

// getText is the getter of a property that is text and lies in .Radicale.props.
func getText(name davxml.Name) func(*request, *target, *propOut) error {
	return func(q *request, t *target, o *propOut) error {
		value, ok, err := q.text(t, name)
		if ok {
			o.text(value)
		}
		return err
	}
}

// getHuman is getText for a text that people read, with its language.
func getHuman(name davxml.Name) func(*request, *target, *propOut) error {
	return func(q *request, t *target, o *propOut) error { return q.getDead(t, name, o) }
}

// setText is the setter of a property that is text. Its language is kept, as
// RFC 4918, 4.3 wants.
func setText(name davxml.Name) func(*proppatch, *davxml.Element) error {
	return func(p *proppatch, e *davxml.Element) error {
		if e == nil {
			p.remove(name)
			return nil
		}
		if e.Lang != "" {
			return p.setDead(e)
		}
		p.put(name, e.Text())
		return nil
	}
}

// deadNames are the names of all dead properties of a resource.
func (q *request) deadNames(t *target) ([]davxml.Name, error) {
	rich, err := q.rich(t)
	if err != nil {
		return nil, err
	}
	var names []davxml.Name
	add := func(props store.Props) {
		for _, p := range props {
			space, local, ok := store.SplitTag(p.Key)
			name := davxml.Name{Space: space, Local: local}
			if ok && davxml.IsLocal(local) && q.h.property(name) == nil && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	add(rich)
	if t.kind()&kCollection != 0 {
		add(t.coll.Props())
	}
	return names, nil
}
