package ical

import "strings"

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
			b.WriteString(s[i : i+2])
		}
		s = s[i+2:]
		i = strings.IndexByte(s, '^')
	}
	b.WriteString(s)
	return b.String()
}
