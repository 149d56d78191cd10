package ical

import (
	"bytes"
	"strings"
)

// Parse reads all components of b, which is several for a stream of vCards.
// The trees do not refer to b afterwards. Errors are *SyntaxError.
//
// Names are brought to upper case and components must be well nested and
// closed; nothing else is demanded.
func Parse(b []byte) ([]*Component, error) {
	// All that is not folded becomes a substring of this one copy.
	p := parser{src: string(b), lines: NewLines(b)}
	return p.parse()
}

// ParseOnly is Parse without the properties for which keep returns false. Keep
// gets the component that the property is in, complete as far as it has been
// read, and the property's name as it was written, with its group.
//
// It fails exactly when Parse fails.
func ParseOnly(b []byte, keep func(in *Component, name []byte) bool) ([]*Component, error) {
	p := parser{lines: NewLines(b), keep: keep}
	if len(b) <= smallInput {
		p.src = string(b)
	}
	return p.parse()
}

// smallInput is how long an input may be, in bytes, for ParseOnly to copy it
// whole rather than line by line.
const smallInput = 4 << 10

type parser struct {
	src   string
	lines Lines
	keep  func(*Component, []byte) bool
	roots []*Component
	open  []*Component

	// Properties, parameters and values lie one after the other in these; the
	// tree has slices of them. When append moves one of them, earlier slices
	// keep the old array.
	props  []Property
	params []Param
	values []string

	// nprops and ncomps count against the limits.
	nprops, ncomps int
}

func (p *parser) parse() ([]*Component, error) {
	var open [4]*Component // deep enough for all that is real
	p.open = open[:0]
	for p.lines.Next() {
		text := p.lines.Text
		n := nameEnd(text)
		switch {
		case n == 5 && len(text) > 5 && text[5] == ':' && equalFold(text[:5], "BEGIN"):
			if err := p.begin(componentName(text[6:])); err != nil {
				return nil, err
			}
			continue
		case n == 3 && len(text) > 3 && text[3] == ':' && equalFold(text[:3], "END"):
			if err := p.end(componentName(text[4:])); err != nil {
				return nil, err
			}
			continue
		case len(p.open) == 0:
			return nil, p.error("content outside of a component")
		}
		if p.nprops++; p.nprops > MaxProperties {
			return nil, p.error("too many properties")
		}
		switch {
		case p.keep != nil && !p.keep(p.open[len(p.open)-1], text[:n]):
		case p.src != "" && !p.lines.Folded:
			p.add(p.property(p.src[p.lines.Start:p.lines.Start+len(text)], n))
		default:
			p.add(p.property(string(text), n))
		}
	}
	if err := p.lines.Err(); err != nil {
		return nil, err
	}
	if n := len(p.open); n > 0 {
		return nil, p.error("BEGIN:" + shorten(p.open[n-1].Name) + " without END")
	}
	return p.roots, nil
}

// componentName returns the value of a BEGIN or END line; the usual ones
// without an allocation.
func componentName(b []byte) string {
	for len(b) > 0 && isBlank(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	for len(b) > 0 && isBlank(b[0]) {
		b = b[1:]
	}
	switch string(b) {
	case "VCALENDAR":
		return "VCALENDAR"
	case "VEVENT":
		return "VEVENT"
	case "VTODO":
		return "VTODO"
	case "VJOURNAL":
		return "VJOURNAL"
	case "VTIMEZONE":
		return "VTIMEZONE"
	case "STANDARD":
		return "STANDARD"
	case "DAYLIGHT":
		return "DAYLIGHT"
	case "VALARM":
		return "VALARM"
	case "VCARD":
		return "VCARD"
	}
	return upperString(string(b))
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' }

func (p *parser) error(msg string) error { return &SyntaxError{p.lines.Line, msg} }

func (p *parser) begin(name string) error {
	if name == "" {
		return p.error("BEGIN without a name")
	}
	if len(name) > MaxName {
		return p.error("name of a component too long")
	}
	if len(p.open) >= MaxDepth {
		return p.error("components nested too deep")
	}
	if p.ncomps++; p.ncomps > MaxComponents {
		return p.error("too many components")
	}
	c := &Component{Name: name, Start: p.lines.Start}
	if n := len(p.open); n > 0 {
		p.open[n-1].Components = append(p.open[n-1].Components, c)
	} else {
		p.roots = append(p.roots, c)
	}
	p.open = append(p.open, c)
	return nil
}

func (p *parser) end(name string) error {
	n := len(p.open)
	if n == 0 {
		return p.error("END:" + shorten(name) + " without BEGIN")
	}
	c := p.open[n-1]
	if c.Name != name {
		return p.error("END:" + shorten(name) + " where BEGIN:" + shorten(c.Name) + " is open")
	}
	c.End = p.lines.End
	p.open = p.open[:n-1]
	return nil
}

// add gives a property to the innermost open component.
func (p *parser) add(prop Property) {
	c := p.open[len(p.open)-1]
	n, m := len(c.Properties), len(p.props)
	if m < cap(p.props) && (n == 0 || m > 0 && &c.Properties[n-1] == &p.props[m-1]) {
		// The usual case: they lie one after the other.
		p.props = append(p.props, prop)
		c.Properties = p.props[m-n : m+1 : m+1]
		return
	}
	if n == 0 {
		p.props = append(make([]Property, 0, p.room()), prop)
		c.Properties = p.props[:1:1]
		return
	}
	// Properties after an inner component, or the array is full: from now
	// on this component has its own array, which doubles.
	c.Properties = append(c.Properties, prop)
}

// room is how many properties to make room for: those which are there still
// if no line is folded, within reason, for a folded photograph is line feeds
// for the most part.
func (p *parser) room() int {
	if p.keep != nil {
		return 8
	}
	return min(bytes.Count(p.lines.src[p.lines.Start:min(len(p.lines.src), p.lines.Start+8192)], []byte{'\n'})+1, 64)
}

// property splits a line whose name has n bytes. A line with too many
// parameters counts as no content line.
func (p *parser) property(line string, n int) Property {
	prop := Property{Value: line, Start: p.lines.Start, End: p.lines.End, Line: p.lines.Line}
	if n == 0 || n == len(line) {
		return prop
	}
	value := n + 1
	switch line[n] {
	case ':':
	case ';':
		colon := headEnd(line, n)
		if colon == 0 {
			return prop
		}
		params, ok := p.parameters(line[n+1 : colon])
		if !ok {
			return prop
		}
		prop.Params = params
		value = colon + 1
	default:
		return prop
	}
	name := line[:n]
	if dot := strings.LastIndexByte(name, '.'); dot >= 0 {
		prop.Group, name = name[:dot], name[dot+1:]
	}
	if name == "" { // "group.:value"
		prop.Group, prop.Params = "", nil
		return prop
	}
	prop.Name, prop.Value = upperString(name), line[value:]
	return prop
}

// ParseProperty splits one unfolded content line, as Parse does.
func ParseProperty(line string) Property {
	var p parser
	return p.property(line, nameEnd(line))
}

// parameters splits what stands between the name and the colon.
func (p *parser) parameters(s string) ([]Param, bool) {
	first, left := len(p.params), MaxParams
	closed := true // whether a quote that opens may still be closed
	for s != "" {
		if left--; left < 0 {
			return nil, false
		}
		i := 0
		for i < len(s) && s[i] != '=' && s[i] != ';' {
			i++
		}
		name := strings.TrimSpace(s[:i])
		if i == len(s) || s[i] == ';' {
			// A bare one, as in vCard 2.1.
			if name != "" {
				v := len(p.values)
				p.values = append(p.values, name)
				p.params = append(p.params, Param{bareName(name), p.values[v : v+1 : v+1]})
			}
			s = s[min(i+1, len(s)):]
			continue
		}
		s = s[i+1:]
		v := len(p.values)
		for {
			var value string
			value, s, closed = paramValue(s, closed)
			p.values = append(p.values, value)
			if s == "" || s[0] == ';' {
				break
			}
			s = s[1:] // the comma
			if left--; left < 0 {
				return nil, false
			}
		}
		if s != "" {
			s = s[1:]
		}
		p.params = append(p.params, Param{upperString(name), p.values[v:len(p.values):len(p.values)]})
	}
	if first == len(p.params) {
		return nil, true
	}
	return p.params[first:len(p.params):len(p.params)], true
}

// paramValue takes one value from the beginning of s. The rest is empty or
// begins with a comma or semicolon. A quote that nothing closes is an
// ordinary character; closed says whether that may still come true, so that
// s is not searched to its end again and again.
func paramValue(s string, closed bool) (value, rest string, stillClosed bool) {
	if closed && s != "" && s[0] == '"' {
		q := strings.IndexByte(s[1:], '"')
		if q < 0 {
			closed = false
		} else {
			value, rest = s[1:1+q], s[q+2:]
			if rest == "" || rest[0] == ',' || rest[0] == ';' {
				return value, rest, closed
			}
			// "a"b: what follows the quote belongs to it.
			i := strings.IndexAny(rest, ",;")
			if i < 0 {
				i = len(rest)
			}
			return value + rest[:i], rest[i:], closed
		}
	}
	i := 0
	for i < len(s) && s[i] != ',' && s[i] != ';' {
		i++
	}
	return s[:i], s[i:], closed
}

// bareName returns the name of the parameter for which a bare word stands
// (vCard 2.1, 2.1.2).
func bareName(word string) string {
	switch upperString(word) {
	case "7BIT", "8BIT", "QUOTED-PRINTABLE", "BASE64", "B":
		return "ENCODING"
	case "INLINE", "CONTENT-ID", "CID", "URL":
		return "VALUE"
	}
	return "TYPE"
}

// upperString brings ASCII letters to upper case; the rest stays.
func upperString(s string) string {
	for i := 0; i < len(s); i++ {
		if 'a' <= s[i] && s[i] <= 'z' {
			b := []byte(s)
			for ; i < len(b); i++ {
				b[i] = upper(b[i])
			}
			return string(b)
		}
	}
	return s
}

// shorten keeps error messages short.
func shorten(s string) string {
	if len(s) > 40 {
		return s[:40] + "..."
	}
	return s
}
