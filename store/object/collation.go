package object

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// The collations (RFC 4790) that text-match knows. "default" and none at all
// are ASCIICasemap in CalDAV (RFC 4791, 7.5) and UnicodeCasemap in CardDAV
// (RFC 6352, 8.3).
const (
	ASCIICasemap   = "i;ascii-casemap"   // RFC 4790, 9.2
	Octet          = "i;octet"           // RFC 4790, 9.3
	UnicodeCasemap = "i;unicode-casemap" // RFC 5051
)

type collation uint8

const (
	octet collation = iota
	asciiCasemap
	unicodeCasemap
)

func collationOf(name string, byDefault collation) (collation, error) {
	switch strings.ToLower(name) {
	case "", "default":
		return byDefault, nil
	case ASCIICasemap:
		return asciiCasemap, nil
	case Octet:
		return octet, nil
	case UnicodeCasemap:
		return unicodeCasemap, nil
	}
	return 0, fmt.Errorf("%w: %q", ErrCollation, name)
}

// needle is the text of a TextMatch, ready to be looked for.
type needle struct {
	text  string
	typ   MatchType
	c     collation
	ascii bool
	key   string // of i;unicode-casemap, made when it is first needed
}

func (t *TextMatch) needle(byDefault collation) (needle, error) {
	c, err := collationOf(t.Collation, byDefault)
	return needle{text: t.Text, typ: t.MatchType, c: c, ascii: c == unicodeCasemap && isASCII(t.Text)}, err
}

// Match tells whether a text that stands by itself matches; the collation is
// [UnicodeCasemap] where t names none. Errors wrap ErrCollation.
func (t *TextMatch) Match(text string) (bool, error) { return t.match(text, unicodeCasemap) }

// in compares one value.
func (n *needle) in(value string) bool {
	text, c := n.text, n.c
	if c == unicodeCasemap {
		if n.ascii && isASCII(value) {
			// Title case and decomposition leave ASCII in upper case.
			c = asciiCasemap
		} else {
			if n.key == "" {
				n.key = unicodeCasemapKey(text)
			}
			value, text, c = unicodeCasemapKey(value), n.key, octet
		}
	}
	if len(text) > len(value) {
		return false
	}
	if c == octet {
		switch n.typ {
		case Equals:
			return value == text
		case StartsWith:
			return strings.HasPrefix(value, text)
		case EndsWith:
			return strings.HasSuffix(value, text)
		}
		return strings.Contains(value, text)
	}
	switch n.typ {
	case Equals:
		return len(value) == len(text) && equalFold(value, text)
	case StartsWith:
		return equalFold(value[:len(text)], text)
	case EndsWith:
		return equalFold(value[len(value)-len(text):], text)
	}
	return containsFold(value, text)
}

// equalFold compares strings of the same length without regard to the case of
// ASCII letters.
func equalFold(a, b string) bool {
	for i := 0; i < len(a); i++ {
		if x, y := a[i], b[i]; x != y && lower(x) != lower(y) {
			return false
		}
	}
	return true
}

// sameName compares the names of components, properties and parameters.
func sameName(a, b string) bool { return len(a) == len(b) && equalFold(a, b) }

// containsFold finds text in value without regard to the case of ASCII
// letters. The needle may come from a stranger and be as long as the value, so
// this is the linear search of strings.Index where it could be quadratic.
func containsFold(value, text string) bool {
	if text == "" {
		return true
	}
	if len(text) > 64 {
		return strings.Contains(lowerASCII(value), lowerASCII(text))
	}
	first := lower(text[0])
	for i := 0; i+len(text) <= len(value); i++ {
		if lower(value[i]) == first && equalFold(value[i+1:i+len(text)], text[1:]) {
			return true
		}
	}
	return false
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

func lowerASCII(s string) string {
	b := []byte(s)
	for i := range b {
		b[i] = lower(b[i])
	}
	return string(b)
}

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// unicodeCasemapKey makes a string such that strings equal under
// i;unicode-casemap have equal ones (RFC 5051, 2): each character's simple
// title case, then the full compatibility decomposition of that.
//
// Only what is not ASCII is looked up, for ASCII decomposes to itself and nothing is
// reordered over it; and one character between ASCII, as most European texts have
// them, needs no machinery to put several in order, which costs a microsecond.
func unicodeCasemapKey(s string) string {
	key := make([]byte, 0, len(s)+8)
	var title []byte
	for i := 0; i < len(s); {
		if c := s[i]; c < utf8.RuneSelf {
			if 'a' <= c && c <= 'z' {
				c -= 'a' - 'A'
			}
			key = append(key, c)
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		r = unicode.ToTitle(r)
		if i += n; r < hangul && (i == len(s) || s[i] < utf8.RuneSelf) {
			var b [utf8.UTFMax]byte
			one := b[:utf8.EncodeRune(b[:], r)]
			if d := norm.NFKD.Properties(one).Decomposition(); d != nil {
				one = d
			}
			key = append(key, one...)
			continue
		}
		for title = utf8.AppendRune(title[:0], r); i < len(s) && s[i] >= utf8.RuneSelf; i += n {
			r, n = utf8.DecodeRuneInString(s[i:])
			title = utf8.AppendRune(title, unicode.ToTitle(r))
		}
		key = norm.NFKD.Append(key, title...)
	}
	return string(key)
}

// hangul is from where on there are characters whose decomposition stands in no
// table.
const hangul = 0x1100
