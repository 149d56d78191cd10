package davxml

import "testing"

func TestIsLocal(t *testing.T) {
	for _, s := range []string{"x", "_x", "x-1.y", "é", "calendar-color", "xß", "x·"} {
		if !IsLocal(s) {
			t.Errorf("IsLocal(%q) = false", s)
		}
	}
	for _, s := range []string{"", "1", "a b", "<x", "a:b", ":", "-x", "x}", "x\xff", "x\"", "·x", "x>"} {
		if IsLocal(s) {
			t.Errorf("IsLocal(%q) = true", s)
		}
	}
}
