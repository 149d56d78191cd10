package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// pythonSource reads files from its input, one JSON string a line, and says
// what Python's configparser makes of each: null when it refuses, else the
// sections with their options, raw and interpolated (null where that fails).
const pythonSource = `
import sys, json, io, configparser
def lines(text):
    # what open() in text mode gives: universal newlines
    return io.TextIOWrapper(io.BytesIO(text.encode("utf-8")), encoding="utf-8")
for line in sys.stdin:
    text = json.loads(line)
    try:
        raw = configparser.RawConfigParser()
        raw.read_file(lines(text))
        basic = configparser.ConfigParser()
        basic.read_file(lines(text))
        out = [["DEFAULT", [[k, v, None] for k, v in raw.defaults().items()]]]
        for s in raw.sections():
            options = []
            for k in raw._sections[s]:
                try:
                    value = basic.get(s, k)
                except configparser.InterpolationError:
                    value = None
                options.append([k, raw.get(s, k), value])
            out.append([s, options])
    except configparser.Error:
        out = None
    print(json.dumps(out))
`

func python(t *testing.T, files []string) []any {
	t.Helper()
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("SKIPPED: python3 is missing, nothing was compared")
	}
	var in bytes.Buffer
	for _, f := range files {
		b, _ := json.Marshal(f)
		in.Write(append(b, '\n'))
	}
	cmd := exec.Command("python3", "-c", pythonSource)
	cmd.Stdin = &in
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, &stderr)
	}
	var all []any
	for line := range strings.Lines(string(out)) {
		var v any
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatal(err)
		}
		all = append(all, v)
	}
	if len(all) != len(files) {
		t.Fatalf("%d answers to %d files", len(all), len(files))
	}
	return all
}

// own says the same in the same form.
func own(text string) any {
	f, err := Parse(strings.NewReader(text), "test")
	if err != nil {
		return nil
	}
	options := func(s *Section, list []Option, interpolated bool) any {
		all := []any{}
		for _, o := range list {
			var value any
			if v, _, err := f.Interpolated(s, o.Key); interpolated && err == nil {
				value = v
			}
			all = append(all, []any{o.Key, o.Value, value})
		}
		return all
	}
	out := []any{[]any{"DEFAULT", options(&Section{}, f.Defaults, false)}}
	for i := range f.Sections {
		s := &f.Sections[i]
		out = append(out, []any{s.Name, options(s, s.Options, true)})
	}
	return out
}

var tricky = []string{
	"",
	"\n# only\n;comments\n",
	"[a]",
	"[a]\nkey = value\nkey2: value2\nkey3=\nkey4 =\n  continued\n",
	"[a]\nKEY = Value\n  more\n\n  after a blank\n\n\nnext = x\n",
	"[a]\nk = v # no comment\nl = v ; neither\n",
	"[a]\nk = one\n  # comment within\n  two\n; comment at the edge\n  three\n",
	"  [a]\n  k = v\n  l = w\n    cont\n   deeper = by one\n",
	"[a]\nk = v\n\t[b]\n",
	"[a]\n\tk = v\n  l = w\n",
	"[a]\nk = 1\n[a]\nl = 2\n",
	"[a]\nk = 1\nK = 2\n",
	"[DEFAULT]\nk = 1\n[a]\nl = 2\n[DEFAULT]\nm = 3\n",
	"[DEFAULT]\nk = 1\n[DEFAULT]\nk = 2\n",
	"k = v\n[a]\n",
	"[a]\nno delimiter\n",
	"[a]\n= no key\n",
	"[a]\n  : no key\n",
	"[]\n", "[a]\n[]\n", "[a]\n[] = x\n", "[ a ]\nk=v\n", "[a]b]\nk=v\n", "[a] trailing\nk=v\n", "[a]=b]c\n", "[a\nk=v\n",
	"[a]\nk = a = b : c\nl: a = b\nm : = x\nn =: x\n",
	"[a]\r\nk = v\r\n  w\r\n\r\nl = x\r\n",
	"[a]\rk = v\r\rl = x",
	"[a]\nk = v\n\r  w\n",
	"[a]\nk = v\\\n  w\n",
	"[a]\nk with blanks = v\n",
	"[a]\nk\u00a0=\u00a0v\u00a0\n\u2003l = w\n\x1c m = x\x1f\n",
	"[a]\nk = v\x0b\x0cw\n",
	"\ufeff[a]\nk = v\n",
	"[a]\nk = ü\nÜ = x\n",
	"[a]\nk = v\n    \n\t\n  w   \n   ",
	"[a]\nk = \n\n\n",
	"[a]\nk =\n\n  v\n",
	"[a]\n#k = v\n #l = w\nm = #x\nn = ;y\n",
	"[a]\n;\n#\nk=v",
	"[a]\nk = %%\nl = %(k)s\nm = 100%\nn = %(none)s\no = %(l)s%(l)s\np = %(p)s\nq = %d\nr = %(k\ns = %()s\nt = %(K)s\nu = %%(k)s\n",
	"[DEFAULT]\nd = x%(k)s\n[a]\nk = 1\nl = %(d)s\n[b]\nl = %(d)s\n",
	"[a]\nk1=%(k2)s\nk2=%(k3)s\nk3=%(k4)s\nk4=%(k5)s\nk5=%(k6)s\nk6=%(k7)s\nk7=%(k8)s\nk8=%(k9)s\nk9=%(k10)s\nk10=%(k11)s\nk11=%%\n",
	"[owner]\nuser: .+\ncollection: {user}(/.*)?\npermissions: RrWw\n",
	"[a]\nk = v\n[b]\n  w\n",
	"[a]\nk = [b]\n[c]\n",
	"[a]\n\"k\" = 'v'\n",
	"[a]\nk = v\x00w\n",
}

// Configuration and rights files mean what they mean to Radicale.
func TestParseAsPython(t *testing.T) {
	files := slices.Clone(tricky)
	// Files of random pieces, always the same ones.
	pieces := []string{"[a]", "[b]", "[DEFAULT]", "k", "l", "Key", " ", "  ", "\t", "=", ":", "#", ";", "\n", "\n", "\n", "\r\n", "\r", "%", "%%", "%(k)s", "v", "]", "[", "\u00a0", "\x1d"}
	random := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		var b strings.Builder
		if random.IntN(4) > 0 {
			b.WriteString("[x]\n")
		}
		for range random.IntN(25) {
			b.WriteString(pieces[random.IntN(len(pieces))])
		}
		files = append(files, b.String())
	}
	// Lines that make sense more often.
	lines := []string{"[a]\n", "[b]\n", "[DEFAULT]\n", "k=1\n", "l: 2\n", "m =\n", "  more\n", "    deeper = x\n", "\n", " \n", "# c\n", "  ; c\n", "  n = %(k)s\n", " o = %%\n"}
	for range 3000 {
		var b strings.Builder
		for range random.IntN(10) {
			b.WriteString(lines[random.IntN(len(lines))])
		}
		files = append(files, b.String())
	}
	accepted := 0
	for i, want := range python(t, files) {
		got := own(files[i])
		if want != nil {
			accepted++
		}
		g, _ := json.Marshal(got)
		w, _ := json.Marshal(want)
		if !bytes.Equal(g, w) {
			t.Errorf("%q\ngot  %s\nwant %s", files[i], g, w)
		}
	}
	if accepted < len(files)/5 {
		t.Errorf("only %d of %d files are good ones", accepted, len(files))
	}
}

func TestParseErrors(t *testing.T) {
	for _, test := range []struct{ name, in, want string }{
		{"place", "[a]\nk = v\n\nbad\n", "test: line 4: neither a section"},
		{"UTF-8", "[a]\nk = \xff\n", "line 2: not UTF-8"},
		{"too long", strings.Repeat("#", MaxFile+1), "longer than"},
		{"too many options", "[a]\n" + numbered("k%d = v\n", MaxOptions+1), "too many options"},
		{"too many sections", numbered("[k%d]\n", MaxOptions+1), "too many sections"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := Parse(strings.NewReader(test.in), "test")
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func numbered(format string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

// Each level of references may double a value: that ends at a limit.
func TestInterpolationBomb(t *testing.T) {
	text := "[a]\nk0 = " + strings.Repeat("x", 1000) + "%%\n"
	for i := range 9 {
		text += fmt.Sprintf("k%d = %s\n", i+1, strings.Repeat(fmt.Sprintf("%%(k%d)s", i), 10))
	}
	f, err := Parse(strings.NewReader(text), "test")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := f.Interpolated(&f.Sections[0], "k9"); err == nil || !strings.Contains(err.Error(), "longer than") {
		t.Errorf("got %v", err)
	}
}

// A file of blank continuation lines must not take quadratic time.
func TestParseLinear(t *testing.T) {
	f, err := Parse(strings.NewReader("[a]\nk = v\n"+strings.Repeat("\n", MaxFile/2)+"  w\n"), "test")
	if err != nil {
		t.Fatal(err)
	}
	if v, _ := f.Get(&f.Sections[0], "k"); len(v) != MaxFile/2+3 {
		t.Errorf("%d bytes", len(v))
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range tricky {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		file, err := Parse(strings.NewReader(s), "fuzz")
		if err != nil {
			return
		}
		for i := range file.Sections {
			for _, o := range file.Sections[i].Options {
				if v, ok := file.Get(&file.Sections[i], o.Key); !ok || v != o.Value {
					t.Errorf("%q: %q, want %q", o.Key, v, o.Value)
				}
				file.Interpolated(&file.Sections[i], o.Key)
			}
		}
	})
}
