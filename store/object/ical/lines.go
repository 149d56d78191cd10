package ical

import "bytes"

// Lines walks over the unfolded content lines of an input (RFC 5545, 3.1).
// It does not allocate but for a buffer that is used again and again when
// lines are folded.
//
//	l := ical.NewLines(b)
//	for l.Next() {
//		name, params, value := ical.Cut(l.Text)
//	}
//	if err := l.Err(); err != nil { ... }
type Lines struct {
	// Text is the current line, unfolded and without line end: a view of the
	// input, or, if Folded, of a buffer that the next call of Next reuses.
	Text   []byte
	Folded bool
	// Start and End delimit the current line in the input, line end included;
	// empty lines after it are not.
	Start, End int
	// Line is the number of its first physical line, from 1.
	Line int

	src  []byte
	next int // physical line number at End
	buf  []byte
	err  error
}

// bom is the byte order mark of UTF-8, which some programs write first.
const bom = "\xef\xbb\xbf"

// NewLines returns the lines of b, which must not change meanwhile.
func NewLines(b []byte) Lines {
	l := Lines{src: b, next: 1}
	if len(b) >= len(bom) && string(b[:len(bom)]) == bom {
		l.End = len(bom)
	}
	return l
}

// Err returns the *SyntaxError that ended the walk, if one did.
func (l *Lines) Err() error { return l.err }

// Next goes to the next line that is not empty and reports whether there is one.
func (l *Lines) Next() bool {
	if l.err != nil {
		return false
	}
	pos := l.End
	for pos < len(l.src) && (l.src[pos] == '\n' || l.src[pos] == '\r') {
		if l.src[pos] == '\n' {
			l.next++
		}
		pos++
	}
	if pos >= len(l.src) {
		l.Text, l.Start, l.End = nil, len(l.src), len(l.src)
		return false
	}
	l.Start, l.Line, l.Folded = pos, l.next, false
	text, end := l.physical(pos)
	l.Text, l.End = text, end

	soft, softKnown := false, false
	for l.End < len(l.src) {
		if c, blank := l.continuation(); c > 0 {
			l.next += blank
			text, end = l.physical(c)
			l.join(l.Text, text)
			l.End = end
		} else if n := len(l.Text); n > 0 && l.Text[n-1] == '=' {
			// A soft line break of quoted-printable (vCard 2.1, 2.1.3).
			if !softKnown {
				soft, softKnown = quotedPrintable(l.Text), true
			}
			if !soft {
				break
			}
			text, end = l.physical(l.End)
			l.join(l.Text[:n-1], text)
			l.End = end
		} else {
			break
		}
		if len(l.Text) > MaxLine {
			l.err = &SyntaxError{l.Line, "line too long"}
			return false
		}
	}
	if len(l.Text) > MaxLine {
		l.err = &SyntaxError{l.Line, "line too long"}
		return false
	}
	return true
}

// physical returns the text of the physical line at pos and where the next begins.
func (l *Lines) physical(pos int) (text []byte, end int) {
	l.next++
	i := bytes.IndexByte(l.src[pos:], '\n')
	if i < 0 {
		text, end = l.src[pos:], len(l.src)
	} else {
		text, end = l.src[pos:pos+i], pos+i+1
	}
	for len(text) > 0 && text[len(text)-1] == '\r' {
		text = text[:len(text)-1]
	}
	return text, end
}

// continuation returns where the text goes on if the next physical line
// belongs to this one, or 0, and how many empty lines lie between: they are
// not there for RFC 5545, but programs which double line ends exist.
func (l *Lines) continuation() (pos, blank int) {
	pos = l.End
	for pos < len(l.src) && (l.src[pos] == '\n' || l.src[pos] == '\r') {
		if l.src[pos] == '\n' {
			blank++
		}
		pos++
	}
	if pos < len(l.src) && (l.src[pos] == ' ' || l.src[pos] == '\t') {
		return pos + 1, blank
	}
	return 0, 0
}

// join makes Text a, b. a is what Text is already or a prefix of it.
func (l *Lines) join(a, b []byte) {
	if l.Folded {
		l.buf = append(l.buf[:len(a)], b...)
	} else {
		l.buf = append(append(l.buf[:0], a...), b...)
	}
	l.Text, l.Folded = l.buf, true
}

// quotedPrintable reports whether the line says that its value is encoded so.
func quotedPrintable(line []byte) bool {
	const want = "QUOTED-PRINTABLE"
	head, _, ok := bytes.Cut(line, []byte{':'})
	if !ok {
		return false
	}
	for i := 0; i+len(want) <= len(head); i++ {
		if equalFold(head[i:i+len(want)], want) {
			return true
		}
	}
	return false
}

// equalFold reports whether b is s, which is in upper case, in any ASCII case.
func equalFold(b []byte, s string) bool {
	if len(b) != len(s) {
		return false
	}
	for i := range b {
		if upper(b[i]) != s[i] {
			return false
		}
	}
	return true
}

func upper(c byte) byte {
	if 'a' <= c && c <= 'z' {
		return c - 'a' + 'A'
	}
	return c
}

// Is reports whether name, in any case and with or without a group, is the
// property with the given name in upper case.
func Is(name []byte, upperName string) bool {
	if n := len(name) - len(upperName); n > 0 {
		if name[n-1] != '.' {
			return false
		}
		name = name[n:]
	}
	return equalFold(name, upperName)
}

// Cut splits an unfolded content line into its name (with the group, if there
// is one), its parameters (without the first semicolon) and its value. A line
// that is no content line has a nil name; the value is then the line.
func Cut(line []byte) (name, params, value []byte) {
	n := nameEnd(line)
	if n == 0 || n == len(line) {
		return nil, nil, line
	}
	switch line[n] {
	case ':':
		return line[:n], nil, line[n+1:]
	case ';':
		if colon := headEnd(line, n); colon > 0 {
			return line[:n], line[n+1 : colon], line[colon+1:]
		}
	}
	return nil, nil, line
}

// nameEnd returns how long the name at the beginning of the line is: letters,
// digits, hyphens, one dot after a group; underscores because they are seen.
func nameEnd[T []byte | string](line T) int {
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '_':
		case c == '.' && i > 0:
		default:
			return i
		}
	}
	return len(line)
}

// headEnd returns the position of the colon before the value: the first one
// from n on that is not within double quotes. If quotes are not closed, it is
// simply the first one. 0 if there is none.
func headEnd[T []byte | string](line T, n int) int {
	first, quoted := 0, false
	for i := n; i < len(line); i++ {
		switch line[i] {
		case '"':
			quoted = !quoted
		case ':':
			if !quoted {
				return i
			}
			if first == 0 {
				first = i
			}
		}
	}
	return first
}

// ParamValue returns the first value of the parameter with this name (upper
// case) in what Cut returned as params, without quotes and not decoded.
func ParamValue(params []byte, upperName string) (value []byte, ok bool) {
	for len(params) > 0 {
		// The end of this parameter: the next semicolon outside of quotes.
		end, quoted := len(params), false
		for i, c := range params {
			if c == '"' {
				quoted = !quoted
			} else if c == ';' && !quoted {
				end = i
				break
			}
		}
		name, value, found := bytes.Cut(params[:end], []byte{'='})
		if found && equalFold(bytes.TrimSpace(name), upperName) {
			if len(value) > 0 && value[0] == '"' {
				value, _, _ = bytes.Cut(value[1:], []byte{'"'})
			} else {
				value, _, _ = bytes.Cut(value, []byte{','})
			}
			return value, true
		}
		params = params[min(end+1, len(params)):]
	}
	return nil, false
}
