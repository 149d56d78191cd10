package dav

import (
	"errors"
	"net/http"
	"slices"

	"inetdav/dav/davxml"
	"inetdav/store"
)

// Limits of dead properties.
const (
	// MaxProperty is the size of the largest value, in bytes.
	MaxProperty = 256 << 10
	// MaxProperties is the size of all values of a resource, in bytes.
	MaxProperties = 1 << 20
	// MaxPropertyCount is how many of them a resource may have.
	MaxPropertyCount = 1000
	// MaxInstructions is how many properties one request may set and remove.
	MaxInstructions = 2000
)

// proppatch is a set of instructions being carried out on the properties of a
// resource: those of PROPPATCH (RFC 4918, 9.2), or those with which MKCOL and
// MKCALENDAR begin (RFC 5689, 3; RFC 4791, 5.3.1).
type proppatch struct {
	h     *handler
	kind  kind
	isNew bool        // the collection is being made: its kind may be set
	makes kind        // the kinds that it may be set to; 0: any
	props store.Props // text, as .Radicale.props has it
	rich  store.Props // what is more than text, and all of an object
	done  []outcome
	bad   bool // one of them failed
}

// outcome is what became of one instruction.
type outcome struct {
	name   davxml.Name
	status int
	cond   davxml.Name
}

func (p *proppatch) put(name davxml.Name, text string) {
	p.props = p.props.Set(store.Tag(name.Space, name.Local), text)
	p.rich = p.rich.Without(name.String())
}

func (p *proppatch) remove(name davxml.Name) {
	p.props = p.props.Without(store.Tag(name.Space, name.Local))
	p.rich = p.rich.Without(name.String())
}

// setDead keeps whatever the client put into the element, and its language
// (RFC 4918, 4.3).
func (p *proppatch) setDead(e *davxml.Element) error {
	whole := wholeXML(e)
	if len(whole) > MaxProperty {
		return &Error{Status: http.StatusInsufficientStorage, Err: errors.New("value too long")}
	}
	simple := e.Lang == "" && len(e.Attrs) == 0
	for range e.Elements() {
		simple = false
	}
	if p.kind&kCollection != 0 {
		p.put(e.Name, e.Text())
		if simple {
			return nil
		}
	}
	p.rich = p.rich.Set(e.Name.String(), whole)
	return nil
}

// wholeXML serialises an element with all that it needs from around it.
func wholeXML(e *davxml.Element) string {
	whole := *e
	if e.Lang != "" && !slices.ContainsFunc(e.Attrs, func(a davxml.Attr) bool { return a.Name == nXMLLang }) {
		whole.Attrs = append(slices.Clone(e.Attrs), davxml.Attr{Name: nXMLLang, Value: e.Lang})
	}
	return (&davxml.Element{Nodes: []davxml.Node{{Element: &whole}}}).InnerXML()
}

// setKind gives a new collection its kind, and lets nothing change that of one
// that exists: its objects would be of the wrong kind.
func (p *proppatch) setKind(k kind) error {
	if !p.isNew || p.makes != 0 && p.makes&k == 0 {
		if k == p.kind {
			return nil
		}
		return violates(nCannotModifyProtected, nil)
	}
	p.kind = k
	tag := map[kind]string{kCalendar: "VCALENDAR", kAddressbook: "VADDRESSBOOK", kSubscribed: "VSUBSCRIBED"}[k]
	if tag == "" {
		p.props = p.props.Without("tag")
	} else {
		p.props = p.props.Set("tag", tag)
	}
	return nil
}

// instructions carries out all of root's DAV:set and DAV:remove elements in
// their order. Where one fails, nothing may be kept. The error is for a request
// that asks for too much.
func (p *proppatch) instructions(root *davxml.Element) error {
	if root == nil {
		return nil
	}
	for op := range root.Elements() {
		if op.Name != nSet && op.Name != nRemove {
			continue
		}
		prop := op.Child(nProp)
		if prop == nil {
			continue
		}
		for e := range prop.Elements() {
			if len(p.done) == MaxInstructions {
				return refuse(http.StatusRequestEntityTooLarge, "more than %d properties", MaxInstructions)
			}
			p.instruction(e, op.Name == nSet)
		}
	}
	return nil
}

func (p *proppatch) instruction(e *davxml.Element, set bool) {
	var err error
	row := p.h.property(e.Name)
	switch {
	case set && len(e.Text()) > MaxProperty:
		err = &Error{Status: http.StatusInsufficientStorage, Err: errors.New("value too long")}
	case p.kind == kRoot:
		err = refuse(http.StatusForbidden, "no dead properties here")
	case row != nil && row.set == nil:
		err = violates(nCannotModifyProtected, nil)
	case row != nil && row.set != nil && row.on&p.kind != 0:
		if set {
			err = row.set(p, e)
		} else {
			err = row.set(p, nil)
		}
	case p.bad: // it would be undone
	case set:
		err = p.setDead(e)
	default:
		p.remove(e.Name)
	}
	if err == nil && (len(p.props)+len(p.rich) > MaxPropertyCount || size(p.props)+size(p.rich) > MaxProperties) {
		err = &Error{Status: http.StatusInsufficientStorage, Err: errors.New("too many properties")}
	}
	o := outcome{name: e.Name, status: http.StatusOK}
	if err != nil {
		failed := asError(err)
		o.status, o.cond = failed.Status, failed.Cond
		p.bad = true
	}
	p.done = append(p.done, o)
}

// size is how long properties are in their file, in bytes: JSON in which all but
// ASCII is escaped.
func size(props store.Props) int {
	n := 0
	for _, p := range props {
		for _, s := range [...]string{p.Key, p.Value} {
			for _, r := range s {
				switch {
				case r >= 0x10000:
					n += 12
				case r >= 0x7f || r < ' ':
					n += 6
				case r == '"' || r == '\\':
					n += 2
				default:
					n++
				}
			}
		}
		n += len(`"": "", `)
	}
	return n
}

// report writes the propstats of the instructions: each with its status, or
// with 424 where another one's failure undid it (RFC 4918, 9.2.1).
func (p *proppatch) report(x *davxml.Writer) {
	for _, o := range p.done {
		if p.bad && o.status == http.StatusOK {
			o.status = http.StatusFailedDependency
		}
		x.Start(nPropstat)
		x.Start(nProp)
		x.Empty(o.name)
		x.End(nProp)
		x.Element(nStatus, statusLine(o.status))
		if o.cond != (davxml.Name{}) {
			x.Start(nError)
			x.Empty(o.cond)
			x.End(nError)
		}
		x.End(nPropstat)
	}
}

// proppatch is RFC 4918, 9.2.
func (q *request) proppatch() (change, error) {
	if err := q.need(q.res, mayWrite); err != nil {
		return nil, err
	}
	root, err := q.readXML()
	if err != nil {
		return nil, err
	}
	if root == nil || root.Name != nPropertyupdate {
		return nil, refuse(http.StatusBadRequest, "no propertyupdate")
	}
	return func(tx *store.Tx) (answer, error) {
		if err := q.currentCondition(tx); err != nil {
			return answer{}, err
		}
		res, err := tx.Resource(q.path)
		if err != nil {
			return answer{}, err
		}
		p := &proppatch{h: q.h, kind: kindOf(res)}
		if p.rich, err = tx.ObjectProps(q.path); err != nil {
			return answer{}, err
		}
		if p.kind&kCollection != 0 {
			c, err := tx.Collection(q.path)
			if err != nil {
				return answer{}, err
			}
			p.props = c.Props()
		}
		before, beforeRich := p.props, p.rich
		if err := p.instructions(root); err != nil {
			return answer{}, err
		}
		changed := !slices.Equal(before, p.props) || !slices.Equal(beforeRich, p.rich)
		switch {
		case p.bad || !changed:
		case p.kind&kCollection != 0:
			err = tx.SetProps(q.path, p.props, p.rich)
		default:
			err = tx.SetObjectProps(q.path, p.rich)
		}
		if err != nil {
			return answer{}, err
		}
		if !p.bad && q.prefers("return=minimal") { // RFC 8144, 2.2
			return answer{status: http.StatusOK}, nil
		}
		return answer{body: func(q *request) error {
			m := q.newMultistatus()
			m.x.Start(nResponse)
			m.x.Href(q.hrefOf(res))
			if len(p.done) == 0 {
				m.x.Element(nStatus, statusLine(http.StatusOK))
			}
			p.report(m.x)
			m.x.End(nResponse)
			return m.close()
		}}, nil
	}, nil
}
