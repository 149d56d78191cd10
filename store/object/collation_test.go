package object

import (
	"math/rand/v2"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// The key is what RFC 5051, 2 says, whatever is mixed with what: title case, then
// decomposition of all at once.
func TestUnicodeCasemapKey(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 100_000 {
		var s, title []byte
		for range random.IntN(8) {
			switch random.IntN(6) {
			case 0:
				s = append(s, byte(random.IntN(utf8.RuneSelf)))
			case 1:
				s = utf8.AppendRune(s, rune(random.IntN(0x500)))
			case 2: // marks, which are put in order
				s = utf8.AppendRune(s, 0x300+rune(random.IntN(0x70)))
			case 3:
				s = utf8.AppendRune(s, rune(random.IntN(0x11000)))
			case 4:
				s = append(s, byte(random.IntN(256)))
			case 5: // Hangul
				s = utf8.AppendRune(s, 0xac00+rune(random.IntN(11172)))
			}
		}
		for _, r := range string(s) {
			title = utf8.AppendRune(title, unicode.ToTitle(r))
		}
		if got, want := unicodeCasemapKey(string(s)), norm.NFKD.String(string(title)); got != want {
			t.Fatalf("%q: %q, want %q", s, got, want)
		}
	}
}

func BenchmarkUnicodeCasemapKey(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		unicodeCasemapKey("Jürgen Müller 1234")
	}
}
