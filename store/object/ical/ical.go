// Package ical reads and writes the content lines of iCalendar (RFC 5545, 3.1)
// and vCard (RFC 6350, 3.3; RFC 2426; vCard 2.1) and knows nothing of what
// they mean.
//
// [Parse] makes a tree which keeps the order of everything and remembers for
// each component and property which bytes of the source it came from, so that
// a part of an object can be handed out as the very bytes a client sent.
// [Lines] walks over the lines without a tree and without allocations, for
// those who want only a few values.
//
// Both are lenient: what somebody else's program left in the folder must stay
// readable. Lines may end in LF, CRLF or CR CRLF, empty lines are skipped, a
// line that is no content line is kept as a [Property] without a name. It is
// for the caller to refuse those where that is wanted. Neither reads anything
// unbounded: each limit has a name, and the work is linear in the input.
package ical

import (
	"fmt"
	"iter"
)

// The limits of Parse. An input beyond one of them is a *SyntaxError, unless
// something else is said.
const (
	// MaxDepth is how deep components may nest. The deepest that the RFCs
	// know is VCALENDAR, VEVENT, VALARM.
	MaxDepth = 16
	// MaxName is the length of the name of a component in bytes.
	MaxName = 64
	// MaxComponents is the number of components of one input, of all depths.
	MaxComponents = 100_000
	// MaxProperties is the number of properties of one input, in all its components.
	MaxProperties = 300_000
	// MaxParams is the number of parameters and of parameter values of one
	// property. A line with more is taken for no content line.
	MaxParams = 1000
	// MaxLine is the length of one unfolded content line in bytes. Attachments
	// and photographs are lines.
	MaxLine = 64 << 20
)

// Component is what stands between BEGIN and END.
type Component struct {
	// Name is in upper case: VCALENDAR, VEVENT, VCARD, ...
	Name string
	// Properties are the component's own, in their order.
	Properties []Property
	// Components are the components within, in their order.
	Components []*Component
	// Start and End delimit the component in the source: from the first byte
	// of the BEGIN line to after the line end of the END line.
	Start, End int
}

// Property is one content line.
type Property struct {
	// Group is what stands before the dot in a vCard, as it was written; often empty.
	Group string
	// Name is in upper case, and empty if the line is no content line (its
	// unfolded text is then the Value).
	Name string
	// Params are in their order. vCard 2.1's bare ones (TEL;HOME:) have no
	// Values here: they are given as values of TYPE or ENCODING.
	Params []Param
	// Value is unfolded and otherwise as it was written.
	Value string
	// Start and End delimit the line in the source, its line end included.
	Start, End int
	// Line is the number of the line's first physical line, from 1.
	Line int
}

// Param is a parameter of a property.
type Param struct {
	// Name is in upper case.
	Name string
	// Values are as they were written but without the quotes: see [Param.Text].
	Values []string
}

// SyntaxError says where an input stops being what this package reads.
type SyntaxError struct {
	Line int // physical line, from 1
	Msg  string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("line %d: %s", e.Line, e.Msg)
}

// Prop returns the first property with this name (upper case), or nil.
func (c *Component) Prop(name string) *Property {
	for i := range c.Properties {
		if c.Properties[i].Name == name {
			return &c.Properties[i]
		}
	}
	return nil
}

// Props returns all properties with this name (upper case), in their order.
func (c *Component) Props(name string) iter.Seq[*Property] {
	return func(yield func(*Property) bool) {
		for i := range c.Properties {
			if c.Properties[i].Name == name && !yield(&c.Properties[i]) {
				return
			}
		}
	}
}

// Value returns the raw value of the first property with this name, or "".
func (c *Component) Value(name string) string {
	if p := c.Prop(name); p != nil {
		return p.Value
	}
	return ""
}

// Param returns the first parameter with this name (upper case), or nil.
func (p *Property) Param(name string) *Param {
	for i := range p.Params {
		if p.Params[i].Name == name {
			return &p.Params[i]
		}
	}
	return nil
}

// ParamText returns the first value of the parameter with this name (upper
// case), decoded as RFC 6868 says, or "".
func (p *Property) ParamText(name string) string {
	if m := p.Param(name); m != nil && len(m.Values) > 0 {
		return DecodeParam(m.Values[0])
	}
	return ""
}

// Text returns the i-th value, decoded as RFC 6868 says.
func (p *Param) Text(i int) string { return DecodeParam(p.Values[i]) }
