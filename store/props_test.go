package store

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// randomText returns text with everything that JSON treats in its own way.
func randomText(rnd *rand.Rand) string {
	var b []byte
	for range rnd.IntN(12) {
		switch rnd.IntN(4) {
		case 0:
			b = append(b, byte(rnd.IntN(128)))
		case 1:
			b = utf8.AppendRune(b, rune(rnd.IntN(0x11000)))
		case 2:
			b = utf8.AppendRune(b, rune(0x10000+rnd.IntN(0x100000)))
		case 3:
			b = append(b, `"\/`[rnd.IntN(3)])
		}
	}
	return string(b)
}

func randomProps(rnd *rand.Rand) Props {
	var p Props
	for range rnd.IntN(6) {
		p = p.Set(randomText(rnd), randomText(rnd))
	}
	return p
}

func (p Props) asMap() map[string]string {
	m := map[string]string{}
	for _, prop := range p {
		m[prop.Key] = prop.Value
	}
	return m
}

// TestPropsAgainstEncodingJSON writes what encoding/json reads and reads what
// it writes.
func TestPropsAgainstEncodingJSON(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		p := randomProps(rnd)
		b := p.appendJSON(nil)
		var m map[string]string
		if err := json.Unmarshal(b, &m); err != nil || !equalMaps(m, p.asMap()) {
			t.Fatalf("%s: %v %v", b, m, err)
		}
		theirs, err := json.MarshalIndent(m, "\n", "\t")
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range [][]byte{b, theirs} {
			if got, err := parseProps(b); err != nil || !slices.Equal(got, p) {
				t.Fatalf("%s: %q\nwant %q, %v", b, got, p, err)
			}
		}
	}
}

// TestPropsAgainstPython: byte for byte what Radicale writes.
func TestPropsAgainstPython(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3")
	}
	rnd := rand.New(rand.NewPCG(3, 4))
	var input bytes.Buffer
	for range 500 {
		input.Write(randomProps(rnd).appendJSON(nil))
		input.WriteByte('\n')
	}
	input.Write(deadProps{{"", Props{{"a", "b"}}}, {"n", Props{{"a", "b"}, {"c", "ü"}}}}.appendJSON(nil))
	input.WriteByte('\n')
	want := input.String()
	cmd := exec.Command(python, "-c", "import json, sys\nfor line in sys.stdin: print(json.dumps(json.loads(line), sort_keys=True))")
	cmd.Stdin, cmd.Stderr = &input, os.Stderr
	got, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("Python writes\n%s\nwe\n%s", got, want)
	}
}

func TestParseProps(t *testing.T) {
	for _, test := range []struct {
		text string
		want Props
		ok   bool
	}{
		{`{}`, nil, true},
		{" {\t\"a\" :\r\n\"b\" , \"c\":\"d\" } \n", Props{{"a", "b"}, {"c", "d"}}, true},
		{`{"b": "1", "a": "2", "b": "3"}`, Props{{"a", "2"}, {"b", "3"}}, true},
		{`{"a": null, "b": "c"}`, Props{{"b", "c"}}, true},
		{`{"a": 1, "b": "c"}`, Props{{"b", "c"}}, false},
		{`{"a": [1, {"x": [true, false, -1.5e+3]}], "b": "c"}`, Props{{"b", "c"}}, false},
		{`{"a": {}, "b": []}`, nil, false},
		{`{"a": "\ud83d\ude00\u00fc\ud83dx\ude00"}`, Props{{"a", "😀ü\ufffdx\ufffd"}}, true},
		{`{"a": "\ud83d\ud83d\ude00"}`, Props{{"a", "\ufffd😀"}}, true},
		{"{\"a\": \"\xff\"}", Props{{"a", "\ufffd"}}, true},
		{`{"a": "b"`, Props{{"a", "b"}}, false},
		{`{"a": "b",}`, Props{{"a", "b"}}, false},
		{`{"a": "b"} x`, Props{{"a", "b"}}, false},
		{"{\"a\": \"b\"}\x00", Props{{"a", "b"}}, false},
		{`{"a" "b"}`, nil, false},
		{`{a: "b"}`, nil, false},
		{`{"a": nul}`, nil, false},
		{`{"a": "\x"}`, nil, false},
		{`{"a": "\u12"}`, nil, false},
		{`{"a": "`, nil, false},
		{`["a"]`, nil, false},
		{``, nil, false},
		{`{"a": ` + strings.Repeat("[", 1000) + `}`, nil, false},
	} {
		got, err := parseProps([]byte(test.text))
		if (err == nil) != test.ok || !slices.Equal(withoutEmpty(got), test.want) {
			t.Errorf("%s: %q %v", test.text, got, err)
		}
	}
}

// withoutEmpty leaves out what a broken string left half read.
func withoutEmpty(p Props) Props {
	return slices.DeleteFunc(p, func(prop Prop) bool { return prop.Value == "" })
}

func FuzzProps(f *testing.F) {
	f.Add([]byte(`{"a": "b", "c": {"d": "\u00e4"}}`))
	f.Add([]byte(`{"": {"{u:}x": "<x/>"}, "n": {}, "n": {"a": "b"}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, err := parseProps(b); err == nil {
			again, err := parseProps(p.appendJSON(nil))
			if err != nil || !slices.Equal(p, again) {
				t.Errorf("%q\n%q %v", p, again, err)
			}
			var m map[string]*string
			if err := json.Unmarshal(b, &m); err == nil {
				for k, v := range m {
					if got, ok := p.Get(k); ok != (v != nil) || ok && got != *v {
						t.Errorf("%q: %q", k, got)
					}
				}
			}
		}
		if d, err := parseDeadProps(b); err == nil {
			if again, err := parseDeadProps(d.appendJSON(nil)); err != nil || len(again) != len(d) {
				t.Errorf("%q\n%q %v", d, again, err)
			}
		}
	})
}

func TestTags(t *testing.T) {
	for _, test := range []struct{ key, space, local string }{
		{"D:displayname", "DAV:", "displayname"},
		{"C:calendar-description", "urn:ietf:params:xml:ns:caldav", "calendar-description"},
		{"CR:addressbook-description", "urn:ietf:params:xml:ns:carddav", "addressbook-description"},
		{"CS:source", "http://calendarserver.org/ns/", "source"},
		{"ICAL:calendar-color", "http://apple.com/ns/ical/", "calendar-color"},
		{"ME:x", "http://me.com/_namespace/", "x"},
		{"RADICALE:x", "http://radicale.org/ns/", "x"},
		{"{http://inf-it.com/ns/ab/}addressbook-color", "http://inf-it.com/ns/ab/", "addressbook-color"},
		{"{}x", "", "x"},
		{"{x}y}z", "x}y", "z"},
		{"{{}x", "{", "x"},
	} {
		if got := Tag(test.space, test.local); got != test.key {
			t.Errorf("Tag(%q, %q) = %q", test.space, test.local, got)
		}
		space, local, ok := SplitTag(test.key)
		if space != test.space || local != test.local || !ok {
			t.Errorf("SplitTag(%q) = %q, %q, %v", test.key, space, local, ok)
		}
	}
	for _, key := range []string{"tag", "X:y", "D:", "{x", "{x}", ""} {
		if _, _, ok := SplitTag(key); ok {
			t.Errorf("SplitTag(%q)", key)
		}
	}
}

func TestBrokenProps(t *testing.T) {
	fx := newFixture(t)
	fx.put("a.ics", 1)
	for _, test := range []struct {
		text string
		kind Kind
	}{
		{`{"tag": "VCALENDAR", "D:displayname": 5}`, Calendar},
		{`{"tag": "VCALENDAR", "D:displayname": "x"`, Calendar},
		{`{"tag": "VJOURNAL"}`, Plain},
		{``, Plain},
	} {
		fx.logs = nil
		fx.must(os.WriteFile(fx.at("user/cal/.Radicale.props"), []byte(test.text), 0o666))
		if c := fx.checkTruth(); c.Kind() != test.kind {
			t.Errorf("%s: %v", test.text, c.Kind())
		}
		if len(fx.logs) == 0 {
			t.Errorf("%s: nothing logged", test.text)
		}
	}
}
