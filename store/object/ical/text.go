package ical

import (
	"iter"
	"strings"
	"unicode/utf8"
)

// DecodeParam undoes the encoding of parameter values of RFC 6868, 3.1: ^n is
// a line feed, ^^ a circumflex, ^' a double quote, anything else itself.
func DecodeParam(s string) string {
	i := strings.IndexByte(s, '^')
	if i < 0 {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for i >= 0 && i+1 < len(s) {
		b.WriteString(s[:i])
		switch s[i+1] {
		case 'n':
			b.WriteByte('\n')
		case '^':
			b.WriteByte('^')
		case '\'':
			b.WriteByte('"')
		default:
			b.WriteByte('^')
			s = s[i+1:]
			i = strings.IndexByte(s, '^')
			continue
		}
		s = s[i+2:]
		i = strings.IndexByte(s, '^')
	}
	b.WriteString(s)
	return b.String()
}

// EncodeParam is the inverse of [DecodeParam].
func EncodeParam(s string) string {
	if !strings.ContainsAny(s, "^\n\"") {
		return s
	}
	return strings.NewReplacer("^", "^^", "\n", "^n", `"`, "^'").Replace(s)
}

// Unescape undoes the escaping of TEXT values (RFC 5545, 3.3.11; RFC 6350,
// 3.4): \n and \N are a line feed, before a backslash, comma, semicolon or
// colon (vCard 2.1 and 3.0 programs) the backslash falls away, elsewhere it stays.
func Unescape(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	return string(AppendUnescaped(make([]byte, 0, len(s)), s))
}

// AppendUnescaped is [Unescape] into a buffer.
func AppendUnescaped[T []byte | string](dst []byte, s T) []byte {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '\\' && i+1 < len(s) {
			switch s[i+1] {
			case 'n', 'N':
				c = '\n'
				i++
			case '\\', ',', ';', ':':
				i++
				c = s[i]
			}
		}
		dst = append(dst, c)
	}
	return dst
}

// AppendEscaped appends s escaped as a TEXT value.
func AppendEscaped(dst []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '\\', ',', ';':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			// A line end CRLF is one line feed, and a lone CR has no place.
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// Split cuts a value at each sep (a comma or semicolon) that has no backslash
// before it. The parts are still escaped.
func Split(s string, sep byte) iter.Seq[string] {
	return func(yield func(string) bool) {
		from := 0
		for i := 0; i < len(s); i++ {
			switch s[i] {
			case '\\':
				i++
			case sep:
				if !yield(s[from:i]) {
					return
				}
				from = i + 1
			}
		}
		yield(s[from:])
	}
}

// foldAt is the length of a physical line in bytes, without its line end
// (RFC 5545, 3.1).
const foldAt = 75

// AppendLine appends a content line, folded at 75 bytes but never within a
// character, with CRLF. The line must hold no line end.
func AppendLine[T []byte | string](dst []byte, line T) []byte {
	room := foldAt
	for len(line) > room {
		n := room
		for n > room-utf8.UTFMax && !utf8.RuneStart(line[n]) {
			n--
		}
		if !utf8.RuneStart(line[n]) {
			n = room // not UTF-8
		}
		dst = append(append(dst, line[:n]...), "\r\n "...)
		line = line[n:]
		room = foldAt - 1
	}
	return append(append(dst, line...), "\r\n"...)
}

// Append appends the property as a folded content line. Names come out in
// upper case and quotes only where they are needed, whatever was parsed.
func (p *Property) Append(dst []byte) []byte {
	return AppendLine(dst, p.AppendUnfolded(make([]byte, 0, 128+len(p.Value))))
}

// AppendUnfolded appends the property as one line without a line end.
func (p *Property) AppendUnfolded(dst []byte) []byte {
	if p.Name != "" {
		dst = p.appendHead(dst)
	}
	return append(dst, clean(p.Value)...)
}

// AppendHead appends the property with an empty value (RFC 4791, 9.6.4: novalue).
func (p *Property) AppendHead(dst []byte) []byte {
	return AppendLine(dst, p.appendHead(make([]byte, 0, 128)))
}

func (p *Property) appendHead(line []byte) []byte {
	if p.Group != "" {
		line = append(append(line, p.Group...), '.')
	}
	line = append(line, p.Name...)
	for i := range p.Params {
		line = append(append(line, ';'), p.Params[i].Name...)
		for j, v := range p.Params[i].Values {
			if j == 0 {
				line = append(line, '=')
			} else {
				line = append(line, ',')
			}
			if strings.IndexByte(v, '"') >= 0 {
				v = EncodeParam(DecodeParam(v))
			}
			if v == "" || strings.ContainsAny(v, ",;:") {
				line = append(append(append(line, '"'), clean(v)...), '"')
			} else {
				line = append(line, clean(v)...)
			}
		}
	}
	return append(line, ':')
}

// clean takes out line ends, which would begin a line of their own.
func clean(s string) string {
	if strings.IndexByte(s, '\n') < 0 && strings.IndexByte(s, '\r') < 0 {
		return s
	}
	return strings.NewReplacer("\r\n", " ", "\n", " ", "\r", " ").Replace(s)
}

// Append appends the component and all within, folded, with CRLF. Properties
// come first.
func (c *Component) Append(dst []byte) []byte {
	dst = append(append(append(dst, "BEGIN:"...), c.Name...), "\r\n"...)
	for i := range c.Properties {
		dst = c.Properties[i].Append(dst)
	}
	for _, sub := range c.Components {
		dst = sub.Append(dst)
	}
	return append(append(append(dst, "END:"...), c.Name...), "\r\n"...)
}

// Decoded returns the value without the encoding quoted-printable of vCard
// 2.1, if it has it. The charset is taken for UTF-8.
func (p *Property) Decoded() string {
	e := p.Param("ENCODING")
	if e == nil || len(e.Values) == 0 || upperString(e.Values[0]) != "QUOTED-PRINTABLE" || strings.IndexByte(p.Value, '=') < 0 {
		return p.Value
	}
	b := make([]byte, 0, len(p.Value))
	for i := 0; i < len(p.Value); i++ {
		if p.Value[i] == '=' && i+2 < len(p.Value) {
			hi, lo := unhex(p.Value[i+1]), unhex(p.Value[i+2])
			if hi >= 0 && lo >= 0 {
				b = append(b, byte(hi<<4|lo))
				i += 2
				continue
			}
		}
		b = append(b, p.Value[i])
	}
	return string(b)
}

func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	}
	return -1
}
