package store

import (
	"errors"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// This file reads and writes the two shapes of JSON that the folder holds: an
// object of strings (.Radicale.props) and an object of such objects
// (.inetdav.props). What is written is byte for byte what Python's
// json.dumps(..., sort_keys=True) writes, so that a Radicale beside us finds
// nothing changed.

// maxJSONDepth is how deeply values that are skipped may be nested.
const maxJSONDepth = 32

// appendJSONString appends s as a JSON string in ASCII.
func appendJSONString(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	escape := func(u rune) {
		dst = append(dst, '\\', 'u', hex[u>>12&15], hex[u>>8&15], hex[u>>4&15], hex[u&15])
	}
	dst = append(dst, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r >= ' ' && r <= '~':
			dst = append(dst, byte(r))
		case r == '\n':
			dst = append(dst, '\\', 'n')
		case r == '\r':
			dst = append(dst, '\\', 'r')
		case r == '\t':
			dst = append(dst, '\\', 't')
		case r == '\f':
			dst = append(dst, '\\', 'f')
		case r == '\b':
			dst = append(dst, '\\', 'b')
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			escape(high)
			escape(low)
		default:
			escape(r)
		}
	}
	return append(dst, '"')
}

// appendJSON appends the properties as an object.
func (p Props) appendJSON(dst []byte) []byte {
	dst = append(dst, '{')
	for i, prop := range p {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		dst = appendJSONString(dst, prop.Key)
		dst = append(dst, ": "...)
		dst = appendJSONString(dst, prop.Value)
	}
	return append(dst, '}')
}

// parseProps reads an object of strings. Values of another type are left out;
// the error then says so, and the rest is returned with it.
func parseProps(b []byte) (Props, error) {
	j := jsonReader{b: b}
	var p Props
	err := j.document(func() error { return j.props(&p) })
	if err == nil {
		err = j.odd
	}
	return p, err
}

// jsonReader reads one document.
type jsonReader struct {
	b   []byte
	pos int
	odd error // the first value of an unexpected type
}

var errJSON = errors.New("not valid JSON")

func (j *jsonReader) fail() error { return fmt.Errorf("%w at byte %d", errJSON, j.pos) }

// document reads a document which is one object read by f.
func (j *jsonReader) document(f func() error) error {
	if err := f(); err != nil {
		return err
	}
	if j.peek() != 0 || j.pos < len(j.b) {
		return j.fail()
	}
	return nil
}

// peek returns the next byte that is no white space, 0 at the end.
func (j *jsonReader) peek() byte {
	for ; j.pos < len(j.b); j.pos++ {
		switch c := j.b[j.pos]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

// take skips c, which has to come next.
func (j *jsonReader) take(c byte) error {
	if j.peek() != c || j.pos >= len(j.b) {
		return j.fail()
	}
	j.pos++
	return nil
}

// list reads what stands between begin and end, separated by commas.
func (j *jsonReader) list(begin, end byte, member func() error) error {
	if err := j.take(begin); err != nil {
		return err
	}
	if j.peek() == end {
		return j.take(end)
	}
	for {
		if err := member(); err != nil {
			return err
		}
		if j.peek() != ',' {
			return j.take(end)
		}
		j.pos++
	}
}

// object reads an object, calling value with each key.
func (j *jsonReader) object(value func(key string) error) error {
	return j.list('{', '}', func() error {
		j.peek()
		key, err := j.string()
		if err == nil {
			err = j.take(':')
		}
		if err != nil {
			return err
		}
		j.peek()
		return value(key)
	})
}

// props reads an object of strings, keeping the last of equal keys as Python does.
func (j *jsonReader) props(p *Props) error {
	err := j.object(func(key string) error {
		if j.peek() == '"' {
			value, err := j.string()
			*p = append(*p, Prop{key, value})
			return err
		}
		return j.skip(key, 0)
	})
	*p = p.sorted()
	return err
}

// skip skips a value that is no string. Only null may stand there unnoticed.
func (j *jsonReader) skip(key string, depth int) error {
	c := j.peek()
	if c != 'n' && j.odd == nil {
		j.odd = fmt.Errorf("%w: %q is no string", errJSON, key)
	}
	if depth > maxJSONDepth {
		return j.fail()
	}
	value := func(string) error { return j.skip(key, depth+1) }
	switch {
	case c == '{':
		return j.object(value)
	case c == '[':
		return j.list('[', ']', func() error { return value("") })
	case c == '"':
		_, err := j.string()
		return err
	}
	start := j.pos
	for j.pos < len(j.b) && isJSONWord(j.b[j.pos]) {
		j.pos++
	}
	word := string(j.b[start:j.pos])
	if word == "null" || word == "true" || word == "false" {
		return nil
	}
	if _, err := strconv.ParseFloat(word, 64); err != nil && !errors.Is(err, strconv.ErrRange) {
		j.pos = start
		return j.fail()
	}
	return nil
}

func isJSONWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '+' || c == '.' || c == 'E'
}

// string reads a string. Control characters in it are taken as they are.
func (j *jsonReader) string() (string, error) {
	if err := j.take('"'); err != nil {
		return "", err
	}
	var s []byte
	for j.pos < len(j.b) {
		c := j.b[j.pos]
		j.pos++
		switch c {
		case '"':
			if !utf8.Valid(s) {
				s = []byte(string([]rune(string(s))))
			}
			return string(s), nil
		case '\\':
			r, err := j.escape()
			if err != nil {
				return "", err
			}
			s = utf8.AppendRune(s, r)
		default:
			s = append(s, c)
		}
	}
	return "", j.fail()
}

// escape reads what follows a backslash.
func (j *jsonReader) escape() (rune, error) {
	if j.pos >= len(j.b) {
		return 0, j.fail()
	}
	c := j.b[j.pos]
	j.pos++
	switch c {
	case '"', '\\', '/':
		return rune(c), nil
	case 'n':
		return '\n', nil
	case 'r':
		return '\r', nil
	case 't':
		return '\t', nil
	case 'f':
		return '\f', nil
	case 'b':
		return '\b', nil
	case 'u':
		r, err := j.hex()
		if err != nil || !utf16.IsSurrogate(r) {
			return r, err
		}
		if j.pos+1 < len(j.b) && j.b[j.pos] == '\\' && j.b[j.pos+1] == 'u' {
			back := j.pos
			j.pos += 2
			low, err := j.hex()
			if err != nil {
				return 0, err
			}
			if both := utf16.DecodeRune(r, low); both != utf8.RuneError {
				return both, nil
			}
			j.pos = back
		}
		return utf8.RuneError, nil
	}
	return 0, j.fail()
}

// hex reads the four digits of an escape.
func (j *jsonReader) hex() (rune, error) {
	if j.pos+4 > len(j.b) {
		return 0, j.fail()
	}
	n, err := strconv.ParseUint(string(j.b[j.pos:j.pos+4]), 16, 16)
	if err != nil {
		return 0, j.fail()
	}
	j.pos += 4
	return rune(n), nil
}
