package davxml

import (
	"encoding/binary"
	"iter"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// What a document may hold. The length of the body is limited by the caller.
const (
	// MaxDepth is how deep elements may nest; requests of known clients stay below 12.
	MaxDepth = 100
	// MaxElements is how many elements a document may have. It bounds the memory
	// of the tree to about 15 MB and admits a multiget of all of a large collection.
	MaxElements = 100_000
	// MaxAttrs is how many attributes one element may have, namespace declarations aside.
	MaxAttrs = 64
	// MaxPrefixes is how many namespace declarations may be in scope at once,
	// not counting xmlns="". Resolving a name walks them, so this is what keeps
	// parsing linear.
	MaxPrefixes = 128
)

// Node is one child of an element in document order: an element when Element
// is not nil, else a run of text with references resolved and CDATA sections
// unwrapped. Two runs of text never follow each other.
type Node struct {
	Element *Element
	Text    string
}

// Element is an element and all that is in it. Its strings are parts of one
// copy of the body wherever the body has them literally.
type Element struct {
	Name  Name
	Attrs []Attr
	Lang  string // xml:lang in scope, "" when none (RFC 4918, 4.3)
	Nodes []Node
}

// SyntaxError says where and why a body is refused.
type SyntaxError struct {
	Offset int // in bytes from the start of the body, as decoded to UTF-8
	Msg    string
}

// Error implements error.
func (e *SyntaxError) Error() string {
	return "xml: offset " + strconv.Itoa(e.Offset) + ": " + e.Msg
}

// Parse reads one XML 1.0 document with namespaces (RFC 4918, 8.2) and returns its root.
//
// Comments and processing instructions are skipped. Bodies are UTF-8, or
// UTF-16 with a byte order mark, or US-ASCII or ISO-8859-1 when declared.
// Refused, each with a *SyntaxError: other encodings, document types, entities
// other than the five predefined, prefixes without a declaration, and whatever
// is not well-formed or passes one of the limits of this package.
func Parse(body []byte) (*Element, error) {
	s, start, err := decode(body)
	if err != nil {
		return nil, err
	}
	p := parser{s: s, i: start}
	return p.document()
}

// Elements gives the child elements in document order. It may be called on nil.
func (e *Element) Elements() iter.Seq[*Element] {
	return func(yield func(*Element) bool) {
		if e == nil {
			return
		}
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

// Text returns the character data directly in the element, concatenated and
// untrimmed. It may be called on nil.
func (e *Element) Text() string {
	if e == nil {
		return ""
	}
	var first string
	runs := 0
	for i := range e.Nodes {
		if e.Nodes[i].Element == nil {
			if runs == 0 {
				first = e.Nodes[i].Text
			}
			runs++
		}
	}
	if runs < 2 {
		return first
	}
	var b strings.Builder
	for i := range e.Nodes {
		if e.Nodes[i].Element == nil {
			b.WriteString(e.Nodes[i].Text)
		}
	}
	return b.String()
}

// Attr returns the value of the attribute with that local name and no
// namespace, or "". It may be called on nil.
func (e *Element) Attr(local string) string {
	v, _ := e.attr(local)
	return v
}

// HasAttr reports whether there is an attribute with that local name and no
// namespace. It may be called on nil.
func (e *Element) HasAttr(local string) bool {
	_, ok := e.attr(local)
	return ok
}

func (e *Element) attr(local string) (string, bool) {
	if e != nil {
		for i := range e.Attrs {
			if e.Attrs[i].Name.Local == local && e.Attrs[i].Name.Space == "" {
				return e.Attrs[i].Value, true
			}
		}
	}
	return "", false
}

// InnerXML returns what is in the element as XML that needs no declaration
// from outside and may be put into any element. Parsing it inside an element
// gives the same nodes. Prefixes are chosen anew: text that speaks of the old
// ones loses its meaning.
func (e *Element) InnerXML() string {
	if e == nil {
		return ""
	}
	var w inner
	for i := range e.Nodes {
		w.node(&e.Nodes[i], false)
	}
	return string(w.b)
}

// inner serialises nodes. Every namespace is declared once on the way from the
// outermost element to the innermost, and never hidden by another: so there
// are no more declarations in scope than there were in the document parsed,
// and what Parse took it will take again.
type inner struct {
	b     []byte
	scope []string // namespaces declared around the place at hand
}

// node appends a node; bare says whether the default namespace is known to be none.
func (w *inner) node(n *Node, bare bool) {
	e := n.Element
	if e == nil {
		w.b = appendEscaped(w.b, n.Text, false)
		return
	}
	outer := len(w.scope)
	w.declare(e.Name.Space)
	for i := range e.Attrs {
		w.declare(e.Attrs[i].Name.Space)
	}
	w.b = append(w.b, '<')
	w.name(e.Name)
	if e.Name.Space == "" && !bare {
		w.b = append(w.b, ` xmlns=""`...)
		bare = true
	}
	for i := outer; i < len(w.scope); i++ {
		w.b = append(w.b, " xmlns:"...)
		w.prefix(w.scope[i])
		w.b = append(w.b, `="`...)
		w.b = append(appendEscaped(w.b, w.scope[i], true), '"')
	}
	for i := range e.Attrs {
		w.b = append(w.b, ' ')
		w.name(e.Attrs[i].Name)
		w.b = append(w.b, `="`...)
		w.b = append(appendEscaped(w.b, e.Attrs[i].Value, true), '"')
	}
	if len(e.Nodes) == 0 {
		w.b = append(w.b, "/>"...)
	} else {
		w.b = append(w.b, '>')
		for i := range e.Nodes {
			w.node(&e.Nodes[i], bare)
		}
		w.b = append(w.b, "</"...)
		w.name(e.Name)
		w.b = append(w.b, '>')
	}
	w.scope = w.scope[:outer]
}

func (w *inner) declare(space string) {
	if space != "" && space != XML && !slices.Contains(w.scope, space) {
		w.scope = append(w.scope, space)
	}
}

func (w *inner) name(n Name) {
	if n.Space != "" {
		w.prefix(n.Space)
		w.b = append(w.b, ':')
	}
	w.b = append(w.b, n.Local...)
}

func (w *inner) prefix(space string) {
	switch p := prefix(space); {
	case p != "":
		w.b = append(w.b, p...)
	case space == DAV:
		w.b = append(w.b, 'D')
	default:
		w.b = strconv.AppendInt(append(w.b, 'n'), int64(slices.Index(w.scope, space)), 10)
	}
}

// decode returns the document as UTF-8 in which every character is an XML
// Char, and the offset after byte order mark and XML declaration.
func decode(body []byte) (s string, start int, err error) {
	big := len(body) >= 2 && body[0] == 0xFE && body[1] == 0xFF
	little := len(body) >= 2 && body[0] == 0xFF && body[1] == 0xFE
	if big || little {
		if len(body)%2 != 0 {
			return "", 0, &SyntaxError{len(body), "half a UTF-16 code unit"}
		}
		units := make([]uint16, 0, len(body)/2-1)
		for i := 2; i < len(body); i += 2 {
			if big {
				units = append(units, binary.BigEndian.Uint16(body[i:]))
			} else {
				units = append(units, binary.LittleEndian.Uint16(body[i:]))
			}
		}
		b := make([]byte, 0, len(units)+len(units)/2)
		for i := 0; i < len(units); i++ {
			r := rune(units[i])
			if utf16.IsSurrogate(r) {
				if i++; i == len(units) || utf16.DecodeRune(r, rune(units[i])) == utf8.RuneError {
					return "", 0, &SyntaxError{len(b), "lone UTF-16 surrogate"}
				}
				r = utf16.DecodeRune(r, rune(units[i]))
			}
			b = utf8.AppendRune(b, r)
		}
		body = b
	}
	bom := 0
	if !big && !little && len(body) >= 3 && string(body[:3]) == "\uFEFF" {
		bom = 3
	}
	s = string(body)
	encoding, start, err := declaration(s, bom)
	if err != nil {
		return "", 0, err
	}
	switch encoding = strings.ToLower(encoding); {
	case big || little:
		if encoding != "" && !strings.HasPrefix(encoding, "utf-16") {
			return "", 0, &SyntaxError{bom, "declared encoding is not the one used"}
		}
	case encoding == "" || encoding == "utf-8" || encoding == "utf8":
	case bom != 0:
		return "", 0, &SyntaxError{bom, "declared encoding is not the one used"}
	case encoding == "us-ascii" || encoding == "ascii":
		for i, c := range body {
			if c >= utf8.RuneSelf {
				return "", 0, &SyntaxError{i, "not US-ASCII"}
			}
		}
	case encoding == "iso-8859-1" || encoding == "iso_8859-1" || encoding == "latin1" || encoding == "l1":
		b := make([]byte, 0, len(body)+len(body)/8)
		for _, c := range body {
			b = utf8.AppendRune(b, rune(c))
		}
		// The declaration is ASCII, so its end stays where it was.
		body, s = b, string(b)
	default:
		return "", 0, &SyntaxError{bom, "encoding is not supported"}
	}
	return s, start, checkChars(body)
}

// checkChars refuses bad UTF-8 and characters outside Char (XML 1.0, 2.2).
func checkChars(b []byte) error {
	const low, high = 0x2020202020202020, 0x8080808080808080
	for i := 0; i < len(b); {
		if len(b)-i >= 8 {
			// Eight bytes that are all in 0x20..0x7F at once.
			w := binary.LittleEndian.Uint64(b[i:])
			if (w|(w-low))&high == 0 {
				i += 8
				continue
			}
		}
		c := b[i]
		if c < utf8.RuneSelf {
			if c < ' ' && c != '\t' && c != '\n' && c != '\r' {
				return &SyntaxError{i, "character not allowed in XML"}
			}
			i++
			continue
		}
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 {
			return &SyntaxError{i, "invalid UTF-8"}
		}
		if !isChar(r) {
			return &SyntaxError{i, "character not allowed in XML"}
		}
		i += n
	}
	return nil
}

// isChar is the production Char (XML 1.0, 2.2).
func isChar(r rune) bool {
	return r >= ' ' && r < 0xD800 || r == '\t' || r == '\n' || r == '\r' ||
		r >= 0xE000 && r < 0xFFFE || r >= 0x10000 && r <= utf8.MaxRune
}

// declaration reads the XML declaration, if there is one at offset i, and
// returns the encoding it names and the offset after it (XML 1.0, 2.8).
func declaration(s string, i int) (encoding string, end int, err error) {
	if !strings.HasPrefix(s[i:], "<?xml") || len(s) <= i+5 || !isSpace(s[i+5]) {
		return "", i, nil
	}
	bad := func(i int) (string, int, error) {
		return "", 0, &SyntaxError{i, "bad XML declaration"}
	}
	i += len("<?xml")
	// version is needed, encoding and standalone may follow in that order.
	for step := 0; ; {
		at := i
		for i < len(s) && isSpace(s[i]) {
			i++
		}
		if strings.HasPrefix(s[i:], "?>") {
			if step == 0 {
				return bad(i)
			}
			return encoding, i + 2, nil
		}
		if at == i {
			return bad(i)
		}
		nameAt := i
		for i < len(s) && 'a' <= s[i] && s[i] <= 'z' {
			i++
		}
		name := s[nameAt:i]
		for i < len(s) && isSpace(s[i]) {
			i++
		}
		if i == len(s) || s[i] != '=' {
			return bad(i)
		}
		for i++; i < len(s) && isSpace(s[i]); {
			i++
		}
		if i == len(s) || s[i] != '"' && s[i] != '\'' {
			return bad(i)
		}
		n := strings.IndexByte(s[i+1:], s[i])
		if n < 0 {
			return bad(i)
		}
		value := s[i+1 : i+1+n]
		i += n + 2
		switch {
		case name == "version" && step == 0:
			minor, ok := strings.CutPrefix(value, "1.")
			if !ok || minor == "" || strings.Trim(minor, "0123456789") != "" {
				return bad(i)
			}
			step = 1
		case name == "encoding" && step == 1:
			if value == "" {
				return bad(i)
			}
			encoding, step = value, 2
		case name == "standalone" && (step == 1 || step == 2):
			if value != "yes" && value != "no" {
				return bad(i)
			}
			step = 3
		default:
			return bad(nameAt)
		}
	}
}

// parser walks over s once. Its stacks are its own, so depth costs no stack of Go's.
type parser struct {
	s string
	i int

	open     []frame
	bindings []binding // declarations in scope, innermost last
	prefixes int       // those of them that bind to a namespace
	nodes    []Node    // children so far of all open elements, innermost last
	elements int

	text string // pending run of text when it is one piece of s
	buf  []byte // pending run of text when it is several pieces

	attrs   []rawAttr // of the start tag at hand
	scratch []byte    // for values with references

	elementSlab []Element
	nodeSlab    []Node
}

type frame struct {
	element  *Element
	tag      string // the name as written, for the end tag
	bindings int    // len(parser.bindings) before this element
	nodes    int    // len(parser.nodes) before its first child
}

type binding struct{ prefix, space string }

type rawAttr struct {
	prefix, local, value string
	at                   int
}

func (p *parser) fail(msg string) error { return &SyntaxError{p.i, msg} }

// document reads prolog, root element and what follows it.
func (p *parser) document() (*Element, error) {
	var root *Element
	for p.i < len(p.s) {
		if p.s[p.i] != '<' {
			if len(p.open) > 0 {
				if err := p.charData(); err != nil {
					return nil, err
				}
				continue
			}
			if !isSpace(p.s[p.i]) {
				return nil, p.fail("text outside of the root element")
			}
			p.i++
			continue
		}
		rest := p.s[p.i:]
		switch {
		case strings.HasPrefix(rest, "</"):
			e, err := p.endTag()
			if err != nil {
				return nil, err
			}
			if len(p.open) == 0 {
				root = e
			}
		case strings.HasPrefix(rest, "<!--"):
			// Comments must not contain "--" (XML 1.0, 2.5).
			n := strings.Index(rest[4:], "--")
			if n < 0 || !strings.HasPrefix(rest[4+n:], "-->") {
				return nil, p.fail("bad comment")
			}
			p.i += 4 + n + 3
		case strings.HasPrefix(rest, "<![CDATA["):
			if len(p.open) == 0 {
				return nil, p.fail("text outside of the root element")
			}
			n := strings.Index(rest, "]]>")
			if n < 0 {
				return nil, p.fail("CDATA section does not end")
			}
			p.addText(p.newlines(rest[len("<![CDATA["):n]))
			p.i += n + 3
		case strings.HasPrefix(rest, "<!"):
			return nil, p.fail("document types are refused")
		case strings.HasPrefix(rest, "<?"):
			if err := p.instruction(); err != nil {
				return nil, err
			}
		default:
			if root != nil {
				return nil, p.fail("more than one root element")
			}
			e, err := p.startTag()
			if err != nil {
				return nil, err
			}
			if len(p.open) == 0 {
				root = e
			}
		}
	}
	if root == nil {
		if len(p.open) > 0 {
			return nil, p.fail("element does not end")
		}
		return nil, p.fail("no root element")
	}
	return root, nil
}

// charData reads text up to the next tag (XML 1.0, 2.4).
func (p *parser) charData() error {
	start, plain := p.i, true
	for p.i < len(p.s) && p.s[p.i] != '<' {
		switch p.s[p.i] {
		case '&', '\r':
			plain = false
		case '>':
			if p.i-start >= 2 && p.s[p.i-1] == ']' && p.s[p.i-2] == ']' {
				return p.fail("]]> in text")
			}
		}
		p.i++
	}
	t := p.s[start:p.i]
	if !plain {
		var err error
		if t, err = p.resolve(t, start, false); err != nil {
			return err
		}
	}
	p.addText(t)
	return nil
}

// addText appends to the pending run of text. Pieces are gathered in one
// buffer, so that a text cut by comments a thousand times is copied once.
func (p *parser) addText(t string) {
	switch {
	case t == "":
	case p.text == "":
		p.text = t
	default:
		if len(p.buf) == 0 {
			p.buf = append(p.buf, p.text...)
		}
		p.buf = append(p.buf, t...)
	}
}

// flushText makes the pending run of text a node.
func (p *parser) flushText() {
	if p.text == "" {
		return
	}
	if len(p.buf) > 0 {
		p.text, p.buf = string(p.buf), p.buf[:0]
	}
	p.nodes = append(p.nodes, Node{Text: p.text})
	p.text = ""
}

// newlines makes CR LF and CR one LF (XML 1.0, 2.11).
func (p *parser) newlines(t string) string {
	if strings.IndexByte(t, '\r') < 0 {
		return t
	}
	b := p.scratch[:0]
	for i := range len(t) {
		switch {
		case t[i] != '\r':
			b = append(b, t[i])
		case i+1 == len(t) || t[i+1] != '\n':
			b = append(b, '\n')
		}
	}
	p.scratch = b
	return string(b)
}

// resolve replaces references and line ends in text; in an attribute's value
// literal white space becomes a space (XML 1.0, 3.3.3). at is the offset of t.
func (p *parser) resolve(t string, at int, attr bool) (string, error) {
	b := p.scratch[:0]
	for i := 0; i < len(t); {
		c := t[i]
		if c == '&' {
			n := 0
			var err error
			if b, n, err = p.reference(b, t[i:], at+i); err != nil {
				return "", err
			}
			i += n
			continue
		}
		if c == '\r' {
			if i+1 < len(t) && t[i+1] == '\n' {
				i++
			}
			c = '\n'
		}
		if attr && (c == '\n' || c == '\t') {
			c = ' '
		}
		b = append(b, c)
		i++
	}
	p.scratch = b
	return string(b), nil
}

// reference appends what the reference at the start of t stands for, and
// returns the length of the reference (XML 1.0, 4.1 and 4.6).
func (p *parser) reference(b []byte, t string, at int) ([]byte, int, error) {
	refuse := func(msg string) ([]byte, int, error) {
		return nil, 0, &SyntaxError{at, msg}
	}
	digits, base := "", rune(10)
	switch {
	case strings.HasPrefix(t, "&lt;"):
		return append(b, '<'), 4, nil
	case strings.HasPrefix(t, "&gt;"):
		return append(b, '>'), 4, nil
	case strings.HasPrefix(t, "&amp;"):
		return append(b, '&'), 5, nil
	case strings.HasPrefix(t, "&apos;"):
		return append(b, '\''), 6, nil
	case strings.HasPrefix(t, "&quot;"):
		return append(b, '"'), 6, nil
	case strings.HasPrefix(t, "&#x"):
		digits, base = t[3:], 16
	case strings.HasPrefix(t, "&#"):
		digits = t[2:]
	default:
		return refuse("entities are refused")
	}
	var r rune
	n := 0
	for ; n < len(digits); n++ {
		c := digits[n]
		var d rune
		switch {
		case '0' <= c && c <= '9':
			d = rune(c - '0')
		case base == 16 && 'a' <= c|0x20 && c|0x20 <= 'f':
			d = rune(c|0x20-'a') + 10
		default:
			d = -1
		}
		if d < 0 {
			break
		}
		if r = r*base + d; r > utf8.MaxRune {
			return refuse("character not allowed in XML")
		}
	}
	if n == 0 || n == len(digits) || digits[n] != ';' {
		return refuse("bad character reference")
	}
	if !isChar(r) {
		return refuse("character not allowed in XML")
	}
	return utf8.AppendRune(b, r), len(t) - len(digits) + n + 1, nil
}

// instruction skips a processing instruction (XML 1.0, 2.6).
func (p *parser) instruction() error {
	at := p.i
	p.i += 2
	target, err := p.name()
	if err != nil {
		return err
	}
	if strings.EqualFold(target, "xml") {
		p.i = at
		return p.fail("misplaced XML declaration")
	}
	rest := p.s[p.i:]
	n := strings.Index(rest, "?>")
	if n < 0 || n > 0 && !isSpace(rest[0]) {
		return p.fail("bad processing instruction")
	}
	p.i += n + 2
	return nil
}

// startTag reads a start tag or an empty-element tag (XML 1.0, 3.1).
func (p *parser) startTag() (*Element, error) {
	if len(p.open) >= MaxDepth {
		return nil, p.fail("elements nest too deep")
	}
	if p.elements++; p.elements > MaxElements {
		return nil, p.fail("too many elements")
	}
	p.flushText()
	at := p.i
	p.i++
	tag, err := p.name()
	if err != nil {
		return nil, err
	}
	prefix, local, err := p.split(tag, at+1)
	if err != nil {
		return nil, err
	}
	p.attrs = p.attrs[:0]
	outer := len(p.bindings)
	empty := false
	for {
		before := p.i
		for p.i < len(p.s) && isSpace(p.s[p.i]) {
			p.i++
		}
		if p.i == len(p.s) {
			return nil, p.fail("tag does not end")
		}
		if p.s[p.i] == '>' {
			p.i++
			break
		}
		if p.s[p.i] == '/' {
			if p.i+1 == len(p.s) || p.s[p.i+1] != '>' {
				return nil, p.fail("bad tag")
			}
			p.i += 2
			empty = true
			break
		}
		if before == p.i {
			return nil, p.fail("white space is missing before an attribute")
		}
		if err := p.attribute(outer); err != nil {
			return nil, err
		}
	}

	e := p.newElement()
	if n := len(p.open); n > 0 {
		e.Lang = p.open[n-1].element.Lang
	}
	if e.Name.Space, err = p.space(prefix, at+1); err != nil {
		return nil, err
	}
	e.Name.Local = local
	if len(p.attrs) > 0 {
		if e.Attrs, err = p.resolveAttrs(); err != nil {
			return nil, err
		}
		for i := range e.Attrs {
			if e.Attrs[i].Name == (Name{XML, "lang"}) {
				e.Lang = e.Attrs[i].Value
			}
		}
	}
	if empty {
		p.leave(outer)
		p.nodes = append(p.nodes, Node{Element: e})
		return e, nil
	}
	p.open = append(p.open, frame{e, tag, outer, len(p.nodes)})
	return e, nil
}

// attribute reads one attribute; a namespace declaration goes to p.bindings,
// where those of this tag begin at outer.
func (p *parser) attribute(outer int) error {
	at := p.i
	name, err := p.name()
	if err != nil {
		return err
	}
	prefix, local, err := p.split(name, at)
	if err != nil {
		return err
	}
	p.skipSpace()
	if p.i == len(p.s) || p.s[p.i] != '=' {
		return p.fail("attribute without a value")
	}
	p.i++
	p.skipSpace()
	if p.i == len(p.s) || p.s[p.i] != '"' && p.s[p.i] != '\'' {
		return p.fail("attribute value without quotes")
	}
	start := p.i + 1
	n := strings.IndexByte(p.s[start:], p.s[p.i])
	if n < 0 {
		return p.fail("attribute value does not end")
	}
	value := p.s[start : start+n]
	plain := true
	for i := range len(value) {
		switch value[i] {
		case '<':
			p.i = start + i
			return p.fail("< in an attribute value")
		case '&', '\r', '\n', '\t':
			plain = false
		}
	}
	if !plain {
		if value, err = p.resolve(value, start, true); err != nil {
			return err
		}
	}
	p.i = start + n + 1

	switch {
	case prefix == "xmlns":
		return p.declare(local, value, outer, at)
	case prefix == "" && local == "xmlns":
		return p.declare("", value, outer, at)
	case len(p.attrs) >= MaxAttrs:
		return p.fail("too many attributes")
	}
	p.attrs = append(p.attrs, rawAttr{prefix, local, value, at})
	return nil
}

// declare binds a prefix, "" being the default namespace (Namespaces in XML 1.0, 3 and 5).
func (p *parser) declare(prefix, space string, outer, at int) error {
	refuse := func(msg string) error { return &SyntaxError{at, msg} }
	switch {
	case prefix == "xmlns", space == xmlns, (prefix == "xml") != (space == XML):
		return refuse("reserved namespace or prefix")
	case prefix != "" && space == "":
		return refuse("prefix bound to no namespace")
	case space != "" && p.prefixes >= MaxPrefixes:
		return refuse("too many namespace declarations")
	}
	for _, b := range p.bindings[outer:] {
		if b.prefix == prefix {
			return refuse("duplicate attribute")
		}
	}
	p.bindings = append(p.bindings, binding{prefix, intern(space)})
	if space != "" {
		p.prefixes++
	}
	return nil
}

// space returns the namespace bound to a prefix of an element's name.
func (p *parser) space(prefix string, at int) (string, error) {
	for i := len(p.bindings) - 1; i >= 0; i-- {
		if p.bindings[i].prefix == prefix {
			return p.bindings[i].space, nil
		}
	}
	switch prefix {
	case "":
		return "", nil
	case "xml":
		return XML, nil
	}
	return "", &SyntaxError{at, "prefix without a namespace declaration"}
}

// resolveAttrs gives the attributes of the tag at hand their namespaces. The
// default namespace is not for attributes (Namespaces in XML 1.0, 6.2).
func (p *parser) resolveAttrs() ([]Attr, error) {
	attrs := make([]Attr, len(p.attrs))
	for i := range p.attrs {
		a := &p.attrs[i]
		name := Name{Local: a.local}
		if a.prefix != "" {
			var err error
			if name.Space, err = p.space(a.prefix, a.at); err != nil {
				return nil, err
			}
		}
		for j := range i {
			if attrs[j].Name == name {
				return nil, &SyntaxError{a.at, "duplicate attribute"}
			}
		}
		attrs[i] = Attr{name, a.value}
	}
	return attrs, nil
}

// endTag closes the innermost element.
func (p *parser) endTag() (*Element, error) {
	if len(p.open) == 0 {
		return nil, p.fail("end tag without a start tag")
	}
	p.flushText()
	f := p.open[len(p.open)-1]
	rest := p.s[p.i+2:]
	if !strings.HasPrefix(rest, f.tag) {
		return nil, p.fail("end tag does not match the start tag")
	}
	at := p.i
	p.i += 2 + len(f.tag)
	p.skipSpace()
	if p.i == len(p.s) || p.s[p.i] != '>' {
		p.i = at
		return nil, p.fail("end tag does not match the start tag")
	}
	p.i++
	f.element.Nodes = p.keepNodes(p.nodes[f.nodes:])
	p.nodes = append(p.nodes[:f.nodes], Node{Element: f.element})
	p.leave(f.bindings)
	p.open = p.open[:len(p.open)-1]
	return f.element, nil
}

// leave takes the declarations of an element that ends out of scope.
func (p *parser) leave(outer int) {
	for _, b := range p.bindings[outer:] {
		if b.space != "" {
			p.prefixes--
		}
	}
	p.bindings = p.bindings[:outer]
}

// newElement and keepNodes hand out memory in slabs: a body of ten thousand
// hrefs then costs hundreds of allocations, and a small one a few.
func (p *parser) newElement() *Element {
	if len(p.elementSlab) == 0 {
		p.elementSlab = make([]Element, min(max(8, p.elements), 256))
	}
	e := &p.elementSlab[0]
	p.elementSlab = p.elementSlab[1:]
	return e
}

func (p *parser) keepNodes(nodes []Node) []Node {
	n := len(nodes)
	if n == 0 {
		return nil
	}
	if n > len(p.nodeSlab) {
		size := min(max(8, p.elements), 256)
		if n > size/4 {
			return append([]Node(nil), nodes...)
		}
		p.nodeSlab = make([]Node, size)
	}
	kept := p.nodeSlab[:n:n]
	p.nodeSlab = p.nodeSlab[n:]
	copy(kept, nodes)
	return kept
}

func (p *parser) skipSpace() {
	for p.i < len(p.s) && isSpace(p.s[p.i]) {
		p.i++
	}
}

// name reads a Name (XML 1.0 fifth edition, 2.3).
func (p *parser) name() (string, error) {
	start := p.i
	for p.i < len(p.s) {
		c := p.s[p.i]
		if c < utf8.RuneSelf {
			if 'a' <= c|0x20 && c|0x20 <= 'z' || c == '_' || c == ':' ||
				p.i > start && ('0' <= c && c <= '9' || c == '-' || c == '.') {
				p.i++
				continue
			}
			break
		}
		r, n := utf8.DecodeRuneInString(p.s[p.i:])
		if !isNameRune(r, p.i == start) {
			break
		}
		p.i += n
	}
	if p.i == start {
		return "", p.fail("a name is missing")
	}
	return p.s[start:p.i], nil
}

// split cuts a QName (Namespaces in XML 1.0, 4) at its colon.
func (p *parser) split(name string, at int) (prefix, local string, err error) {
	prefix, local, found := strings.Cut(name, ":")
	if !found {
		return "", name, nil
	}
	// The local part must be a name by itself.
	r, _ := utf8.DecodeRuneInString(local)
	first := r < utf8.RuneSelf && ('a' <= r|0x20 && r|0x20 <= 'z' || r == '_') || r >= utf8.RuneSelf && isNameRune(r, true)
	if prefix == "" || local == "" || !first || strings.IndexByte(local, ':') >= 0 {
		return "", "", &SyntaxError{at, "bad name"}
	}
	return prefix, local, nil
}

// IsLocal tells whether s can be the local part of a name: a stored name that is
// none would break the answer that it is written into.
func IsLocal(s string) bool {
	p := parser{s: "x:" + s}
	name, err := p.name()
	if err != nil || name != p.s || !utf8.ValidString(s) {
		return false
	}
	_, _, err = p.split(name, 0)
	return err == nil
}

// isNameRune says whether a character beyond ASCII may stand in a name, at its
// start or later (NameStartChar and NameChar of XML 1.0 fifth edition, 2.3).
func isNameRune(r rune, first bool) bool {
	switch {
	case r >= 0xC0 && r <= 0x2FF:
		return r != 0xD7 && r != 0xF7
	case r >= 0x370 && r <= 0x1FFF:
		return r != 0x37E
	case r == 0x200C, r == 0x200D,
		r >= 0x2070 && r <= 0x218F,
		r >= 0x2C00 && r <= 0x2FEF,
		r >= 0x3001 && r <= 0xD7FF,
		r >= 0xF900 && r <= 0xFDCF,
		r >= 0xFDF0 && r <= 0xFFFD,
		r >= 0x10000 && r <= 0xEFFFF:
		return true
	case r == 0xB7, r >= 0x300 && r <= 0x36F, r == 0x203F, r == 0x2040:
		return !first
	}
	return false
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }
