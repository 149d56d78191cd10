package davxml

import (
	"encoding/binary"
	"io"
	"unicode/utf8"
	"unsafe"
)

// bufferSize is how many bytes a Writer holds back.
const bufferSize = 16 << 10

// Writer streams XML. It holds one fixed buffer and keeps the first error: the
// caller may write on and look at [Writer.Flush] in the end. What is written
// is well-formed if Start and End are called in pairs; names are taken as they
// are, text may be anything.
//
// The first start tag of a document declares the namespaces that answers need
// often: DAV: is the default, the others have the prefixes of Radicale's
// answers. Any other namespace is declared where it is used. So what a name
// looks like depends on the name alone, and End needs no stack.
type Writer struct {
	w     io.Writer
	err   error
	n     int
	begun bool // the root's start tag is written
	bare  int  // open elements without a namespace: within them DAV: is not the default
	buf   [bufferSize]byte
}

// NewWriter returns a Writer at the start of a document on w.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// Reset lets go of all state, buffered bytes too, and starts a new document on w.
func (x *Writer) Reset(w io.Writer) {
	x.w, x.err, x.n, x.begun, x.bare = w, nil, 0, false, 0
}

// Header writes the XML declaration, UTF-8.
func (x *Writer) Header() {
	x.str("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n")
}

// Start writes a start tag. Most of an answer is tags of DAV: without
// attributes, so they have a short way through Start and End.
func (x *Writer) Start(name Name, attrs ...Attr) {
	if name.Space == DAV && x.begun && x.bare == 0 && len(attrs) == 0 {
		if n := len(name.Local) + 2; n <= len(x.buf)-x.n {
			b := x.buf[x.n : x.n+n]
			b[0] = '<'
			copy(b[1:], name.Local)
			b[n-1] = '>'
			x.n += n
			return
		}
		x.char('<')
		x.str(name.Local)
		x.char('>')
		return
	}
	x.open(name, attrs)
	x.char('>')
	if name.Space == "" {
		x.bare++
	}
}

// End writes the end tag of the innermost open element, whose name it is given.
func (x *Writer) End(name Name) {
	if name.Space == DAV && x.bare == 0 {
		if n := len(name.Local) + 3; n <= len(x.buf)-x.n {
			b := x.buf[x.n : x.n+n]
			b[0], b[1] = '<', '/'
			copy(b[2:], name.Local)
			b[n-1] = '>'
			x.n += n
			return
		}
	}
	if name.Space == "" {
		x.bare--
	}
	x.str("</")
	x.qname(name)
	x.char('>')
}

// Empty writes an element without content.
func (x *Writer) Empty(name Name, attrs ...Attr) {
	x.open(name, attrs)
	x.str("/>")
}

// Element writes an element that contains the text alone.
func (x *Writer) Element(name Name, text string) {
	x.Start(name)
	x.Text(text)
	x.End(name)
}

// Text writes character data. What XML cannot carry, control characters and
// bad UTF-8, becomes U+FFFD: something stored long ago must not break the
// answer. A carriage return is written as a reference and so survives.
func (x *Writer) Text(s string) { x.escape(s, false) }

// TextBytes is Text for bytes.
func (x *Writer) TextBytes(b []byte) {
	// The string lives no longer than the call, in which nobody writes to b.
	x.escape(unsafe.String(unsafe.SliceData(b), len(b)), false)
}

// Raw writes XML as it is. It must be well-formed by itself and declare its
// namespaces, as [Element.InnerXML] gives it.
func (x *Writer) Raw(s string) { x.str(s) }

// Href writes a DAV:href element for a decoded path, escaped as by [EscapePath].
func (x *Writer) Href(path string) {
	href := Name{DAV, "href"}
	x.Start(href)
	for path != "" {
		n := plainPrefix(path)
		x.str(path[:n])
		if path = path[n:]; path != "" {
			c := path[0]
			x.char('%')
			x.char(hexDigits[c>>4])
			x.char(hexDigits[c&15])
			path = path[1:]
		}
	}
	x.End(href)
}

// Flush sends what is buffered to the underlying writer and returns the first error met.
func (x *Writer) Flush() error {
	if x.n > 0 && x.err == nil {
		_, x.err = x.w.Write(x.buf[:x.n])
	}
	x.n = 0
	return x.err
}

// Err returns the first error of the underlying writer.
func (x *Writer) Err() error { return x.err }

// EscapePath percent-encodes a decoded path: everything but unreserved
// characters (RFC 3986, 2.3) and "/". This is the one canonical form of an
// href; Radicale's answers use it too.
func EscapePath(path string) string {
	n := 0
	for i := range len(path) {
		if !plainPath(path[i]) {
			n++
		}
	}
	if n == 0 {
		return path
	}
	b := make([]byte, 0, len(path)+2*n)
	for i := range len(path) {
		if c := path[i]; plainPath(c) {
			b = append(b, c)
		} else {
			b = append(b, '%', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return string(b)
}

const hexDigits = "0123456789ABCDEF"

// classes says for each byte where it may be written as it is, as a digit whose
// bits are inPath, inText and inAttr. Bytes of UTF-8 beyond ASCII have none.
const classes = "" +
	"0000000002200000" +
	"0000000000000000" +
	"6626660666666777" + //  !"#$%&\'()*+,-./
	"7777777777660606" + // 0123456789:;<=>?
	"6777777777777777" + // @ABCDEFGHIJKLMNO
	"7777777777766667" + // PQRSTUVWXYZ[\\]^_
	"6777777777777777" + // `abcdefghijklmno
	"7777777777766676" +
	"0000000000000000" +
	"0000000000000000" +
	"0000000000000000" +
	"0000000000000000" +
	"0000000000000000" +
	"0000000000000000" +
	"0000000000000000" +
	"0000000000000000"

const (
	inPath = 1 << iota // unreserved (RFC 3986, 2.3) and "/"
	inText
	inAttr
)

func plainPath(c byte) bool { return classes[c]&inPath != 0 }

// plainPrefix returns how many bytes from the start on stand for themselves in an href.
func plainPrefix(s string) int {
	q := s
	for len(q) >= 4 && classes[q[0]]&classes[q[1]]&classes[q[2]]&classes[q[3]]&inPath != 0 {
		q = q[4:]
	}
	for q != "" && plainPath(q[0]) {
		q = q[1:]
	}
	return len(s) - len(q)
}

// open writes a tag up to its last character.
func (x *Writer) open(name Name, attrs []Attr) {
	x.char('<')
	x.qname(name)
	root := !x.begun
	if root {
		x.begun = true
		if name.Space != "" {
			x.str(` xmlns="DAV:"`)
		}
		x.str(` xmlns:C="` + CalDAV + `" xmlns:CR="` + CardDAV + `" xmlns:CS="` + CS +
			`" xmlns:ICAL="` + ICAL + `" xmlns:ME="` + ME + `" xmlns:RADICALE="` + Radicale + `"`)
	}
	switch {
	case name.Space == "":
		x.str(` xmlns=""`)
	case name.Space == DAV:
		if x.bare > 0 {
			x.str(` xmlns:D="DAV:"`)
		}
	case prefix(name.Space) == "":
		x.str(` xmlns:X="`)
		x.escape(name.Space, true)
		x.char('"')
	}
	for i := range attrs {
		x.attr(i, &attrs[i])
	}
}

// attr writes an attribute, with a declaration of its own where its namespace has no prefix.
func (x *Writer) attr(i int, a *Attr) {
	x.char(' ')
	if a.Name.Space != "" {
		if p := prefix(a.Name.Space); p != "" {
			x.str(p)
		} else {
			p := [...]byte{'A', byte('a' + i%26), byte('a' + i/26%26)}
			x.str("xmlns:")
			x.bytes(p[:])
			x.str(`="`)
			x.escape(a.Name.Space, true)
			x.str(`" `)
			x.bytes(p[:])
		}
		x.char(':')
	}
	x.str(a.Name.Local)
	x.str(`="`)
	x.escape(a.Value, true)
	x.char('"')
}

// qname writes a name as tags show it.
func (x *Writer) qname(name Name) {
	switch name.Space {
	case "":
	case DAV:
		if x.bare > 0 {
			x.str("D:")
		}
	default:
		p := prefix(name.Space)
		if p == "" {
			p = "X"
		}
		x.str(p)
		x.char(':')
	}
	x.str(name.Local)
}

func (x *Writer) escape(s string, attr bool) {
	for i := 0; i < len(s); {
		at, rep, n := special(s, i, attr)
		x.str(s[i:at])
		x.str(rep)
		i = at + n
	}
}

func (x *Writer) char(c byte) {
	if x.n == len(x.buf) {
		x.Flush()
	}
	x.buf[x.n] = c
	x.n++
}

func (x *Writer) str(s string) {
	if len(s) > len(x.buf)-x.n {
		x.long(s)
		return
	}
	x.n += copy(x.buf[x.n:], s)
}

// long is str for what does not fit.
func (x *Writer) long(s string) {
	for {
		n := copy(x.buf[x.n:], s)
		x.n += n
		if n == len(s) {
			return
		}
		s = s[n:]
		x.Flush()
	}
}

func (x *Writer) bytes(b []byte) {
	for _, c := range b {
		x.char(c)
	}
}

// appendEscaped appends text, or an attribute's value, with the replacements of special.
func appendEscaped(b []byte, s string, attr bool) []byte {
	for i := 0; i < len(s); {
		at, rep, n := special(s, i, attr)
		b = append(append(b, s[i:at]...), rep...)
		i = at + n
	}
	return b
}

// special finds the first place from i on that cannot be written as it is:
// n bytes at offset at, to be replaced by rep. Without one, at is len(s).
func special(s string, i int, attr bool) (at int, rep string, n int) {
	class := byte(inText)
	if attr {
		class = inAttr
	}
	for i < len(s) {
		if !attr && len(s)-i >= 8 && plainWord(binary.LittleEndian.Uint64([]byte(s[i:i+8]))) {
			i += 8
			continue
		}
		if classes[s[i]]&class != 0 {
			i++
			continue
		}
		c := s[i]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 || !isChar(r) {
				return i, "\uFFFD", n
			}
			i += n
			continue
		}
		switch c {
		case '&':
			return i, "&amp;", 1
		case '<':
			return i, "&lt;", 1
		case '>':
			return i, "&gt;", 1
		case '"':
			if attr {
				return i, "&quot;", 1
			}
		case '\r':
			return i, "&#13;", 1
		// Read back literally, these two would become spaces in an attribute.
		case '\t':
			if attr {
				return i, "&#9;", 1
			}
		case '\n':
			if attr {
				return i, "&#10;", 1
			}
		default:
			if c < ' ' {
				return i, "\uFFFD", 1
			}
		}
		i++
	}
	return len(s), "", 0
}

// plainWord reports whether none of eight bytes is a control character, beyond
// ASCII, or one of & < >.
func plainWord(w uint64) bool {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	amp := w ^ '&'*ones
	angle := w&^(2*ones) ^ '<'*ones // "<" and ">" differ in one bit
	return (w|(w-' '*ones)|(amp-ones)&^amp|(angle-ones)&^angle)&high == 0
}
