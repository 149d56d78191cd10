package davxml

import (
	"iter"
	"strings"
)

// Node is one child of an element in document order: an element when Element
// is not nil, else a run of text, with references resolved and CDATA unwrapped.
type Node struct {
	Element *Element
	Text    string
}

// Element is an element and all that is in it.
type Element struct {
	Name  Name
	Attrs []Attr
	Lang  string // xml:lang in scope (RFC 4918, 4.3), "" when none
	Nodes []Node
}

// SyntaxError says where and why a body is refused.
type SyntaxError struct {
	Offset int // in bytes, from the start of the body as decoded to UTF-8
	Msg    string
}

func (e *SyntaxError) Error() string { return "xml: " + e.Msg }

// Parse reads one XML document.
func Parse(body []byte) (*Element, error) { return nil, &SyntaxError{Msg: "unfinished"} }

// Elements gives the child elements in document order.
func (e *Element) Elements() iter.Seq[*Element] {
	return func(yield func(*Element) bool) {
		for i := range e.Nodes {
			if c := e.Nodes[i].Element; c != nil && !yield(c) {
				return
			}
		}
	}
}

// Child returns the first child element with the name, or nil. It may be called on nil.
func (e *Element) Child(name Name) *Element {
	if e == nil {
		return nil
	}
	for i := range e.Nodes {
		if c := e.Nodes[i].Element; c != nil && c.Name == name {
			return c
		}
	}
	return nil
}

// Text returns the character data directly in the element, concatenated, untrimmed.
// It may be called on nil.
func (e *Element) Text() string {
	if e == nil {
		return ""
	}
	var one string
	n := 0
	for i := range e.Nodes {
		if e.Nodes[i].Element == nil {
			one = e.Nodes[i].Text
			n++
		}
	}
	if n < 2 {
		return one
	}
	var b strings.Builder
	for i := range e.Nodes {
		if e.Nodes[i].Element == nil {
			b.WriteString(e.Nodes[i].Text)
		}
	}
	return b.String()
}

// Attr returns the value of the attribute with that local name and no namespace, or "".
func (e *Element) Attr(local string) string {
	for i := range e.Attrs {
		if e.Attrs[i].Name.Local == local && e.Attrs[i].Name.Space == "" {
			return e.Attrs[i].Value
		}
	}
	return ""
}

// HasAttr reports whether the attribute with that local name and no namespace is there.
func (e *Element) HasAttr(local string) bool {
	for i := range e.Attrs {
		if e.Attrs[i].Name.Local == local && e.Attrs[i].Name.Space == "" {
			return true
		}
	}
	return false
}

// InnerXML serialises what is in the element with all namespace declarations it needs.
func (e *Element) InnerXML() string { return "" }
