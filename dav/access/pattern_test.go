package access

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"inetdav/dav/config"
)

func TestHomes(t *testing.T) {
	for expression, want := range map[string]string{
		"alice":             "alice alone",
		"alice/.*":          "alice",
		"alice/[^/]+":       "alice",
		"alice(/.*)?":       "alice alone",
		"alice(/.+|)":       "alice alone",
		`alice\.b/x`:        "alice.b",
		"^alice/":           "alice",
		"(alice)/x":         "alice",
		"alice/?x":          "-", // alicex
		"alice/*":           "alice alone",
		"alice?":            "-",
		"alice*/x":          "-",
		"ali[c]e/x":         "-",
		"alice|bob":         "-",
		"(alice|bob)/x":     "-",
		"alice(/x|bob)":     "-",
		"(?i)alice/x":       "-",
		".*":                "-",
		"[^/]+/x":           "-",
		"(?=x)alice/x":      "-",
		"":                  " alone",
		"alice(/)+(/)*/?":   "alice",
		"alice(((/)?)?)*":   "alice alone",
		`alice\b/x`:         "-",
		"alice(?:/a|/b)?/?": "alice alone",
	} {
		p, err := compile(expression)
		if err != nil {
			t.Errorf("%s: %v", expression, err)
			continue
		}
		home, alone, ok := p.home()
		got := home
		if alone {
			got += " alone"
		}
		if !ok {
			got = "-"
		}
		if got != want {
			t.Errorf("%s: %q, want %q", expression, got, want)
		}
	}
}

// FuzzHomes: what a pattern matches is in its home.
func FuzzHomes(f *testing.F) {
	for _, s := range []string{"alice(/.*)?", "a|b", "a/?b*/", "(a)(/|)+"} {
		f.Add(s, "alice/x")
		f.Add(s, "a")
	}
	f.Fuzz(func(t *testing.T, expression, path string) {
		p, err := compile(expression)
		if err != nil {
			t.Skip()
		}
		home, alone, bound := p.home()
		if _, ok, err := p.match(path); !ok || err != nil || !bound {
			return
		}
		first, _, below := strings.Cut(path, "/")
		if first != home || !below && !alone {
			t.Errorf("%q matches %q, but its home is %q, alone %v", expression, path, home, alone)
		}
	})
}

func TestReach(t *testing.T) {
	for _, test := range []struct{ kind, file, user, want string }{
		{"owner_only", "", "alice", "alice"},
		{"owner_only", "", "", ""},
		{"owner_write", "", "alice", "all"},
		{"owner_write", "", "", ""},
		{"authenticated", "", "alice", "all"},
		{"from_file", "[a]\nuser: .+\ncollection: {user}(/.*)?\npermissions: RW\n", "alice", "alice"},
		{"from_file", "[a]\nuser: .+\ncollection: {user}(/.*)?\npermissions: RrWw\n", "alice", "all"},
		{"from_file", "[r]\nuser: .+\ncollection:\npermissions: R\n[a]\nuser: bob\ncollection: alice/shared\npermissions: r\n", "bob", "bob alice"},
		{"from_file", "[a]\nuser: bob\ncollection: alice/shared\npermissions: r\n", "carol", "carol"},
		{"from_file", "[a]\nuser: bob\ncollection: alice/secret\npermissions:\n", "bob", "bob"},
		{"from_file", "[a]\nuser: .*\ncollection: public(/[^/]+)?\npermissions: Rr\n", "", "public"},
		{"from_file", "[a]\nuser: .+\ncollection:\npermissions: RW\n", "alice", "all"},
		{"from_file", "[a]\nuser: admin\ncollection: .*\npermissions: RrWw\n", "admin", "all"},
	} {
		file := filepath.Join(t.TempDir(), "rights")
		if err := os.WriteFile(file, []byte(test.file), 0o600); err != nil {
			t.Fatal(err)
		}
		c, _, _, err := config.Load([]string{"--auth-type=htpasswd", "--rights-type=" + test.kind, "--rights-file=" + file}, func(string) string { return "" })
		if err != nil {
			t.Fatal(err)
		}
		r, err := NewRights(c)
		if err != nil {
			t.Fatal(err)
		}
		homes, all := r.Reach(test.user)
		got := strings.Join(homes, " ")
		if all {
			got = "all"
		}
		if got != test.want {
			t.Errorf("%+v: %q", test, got)
		}
	}
}

// python runs a script that answers each JSON line of its input with one.
func python(t *testing.T, script string, in []any) []any {
	t.Helper()
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("SKIPPED: python3 is missing, nothing was compared")
	}
	var stdin, stderr bytes.Buffer
	for _, v := range in {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		stdin.Write(append(b, '\n'))
	}
	cmd := exec.Command("python3", "-c", script)
	cmd.Stdin, cmd.Stderr = &stdin, &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, &stderr)
	}
	var all []any
	for line := range bytes.Lines(out) {
		var v any
		if err := json.Unmarshal(line, &v); err != nil {
			t.Fatal(err)
		}
		all = append(all, v)
	}
	if len(all) != len(in) {
		t.Fatalf("%d answers to %d questions", len(all), len(in))
	}
	return all
}

const fullmatch = `
import sys, json, re, warnings
warnings.simplefilter("ignore")
for line in sys.stdin:
    pattern, text = json.loads(line)
    try:
        m = re.fullmatch(pattern, text)
        print(json.dumps(None if m is None else list(m.groups())))
    except (re.error, OverflowError) as e:
        print(json.dumps("error"))
`

func ownMatch(pattern, text string) any {
	p, err := compile(pattern)
	if err != nil {
		return "error"
	}
	offsets, ok, err := p.match(text)
	if err != nil {
		return "steps"
	}
	if !ok {
		return nil
	}
	groups := []any{}
	for i := 0; i < len(offsets); i += 2 {
		if offsets[i] < 0 || offsets[i+1] < 0 {
			groups = append(groups, nil)
		} else {
			groups = append(groups, text[offsets[i]:offsets[i+1]])
		}
	}
	return groups
}

func TestPatternAsPython(t *testing.T) {
	questions := []any{}
	ask := func(pattern string, texts ...string) {
		for _, text := range texts {
			questions = append(questions, []string{pattern, text})
		}
	}
	ask("", "", "a")
	ask(".*", "", "a", "a\nb", "ü/x")
	ask(".+", "", "a")
	ask("alice|bob", "alice", "bob", "alic", "alicebob")
	ask("a|ab|abc", "abc", "ab", "abcd")
	ask("([^@]+)@(.+)", "u@example.org", "u@", "@x", "u@a@b")
	ask(`user@domain\.test/[^/]+`, "user@domain.test/cal", "user@domainxtest/cal", "user@domain.test/cal/x")
	ask("(?i)ALICE[a-f]", "aliceB", "ALICEg")
	ask("(?s).+", "a\nb")
	ask(`\w+`, "äöü_1²", "a b", "٣")
	ask(`\d+\D\s\S`, "1a x", "٣a\u00a0x", "²a x")
	ask(`[\w.-]+`, "a.b-c", "a b")
	ask(`[]a]+[^]a]`, "]ab", "]]]")
	ask(`[a\-z]+[\]\\]`, `a-z]`, `a-\`, "b]")
	ask(`[a-]+[-a]`, "a-a")
	ask(`[[:alpha:]]`, "a]", ":]")
	ask(`a{2,3}b{2}c{,2}d{1,}`, "aabbd", "aaabbccdd", "abbd", "aabbcccd")
	ask(`a{,}b{2`, "aab{2", "aab")
	ask(`x{,2`, "x{,2")
	ask(`{a}`, "{a}")
	ask(`(a)|(b)`, "a", "b")
	ask(`(a*)*`, "", "aaa", "b")
	ask(`(a|b?)*c`, "abc", "c", "abbbac")
	ask(`(a*?)(a*)`, "aaa")
	ask(`(a+?)(a??)a`, "aaa", "aa")
	ask(`(?P<x>a)(?P=x)\1`, "aaa", "aa")
	ask(`(a)?\1b`, "aab", "b")
	ask(`(?!admin)[a-z]+`, "admin", "adminx", "user")
	ask(`(?=(a+))a+b`, "aab")
	ask(`(?:a(?=(b))|ac)(.*)`, "ab", "ac")
	ask(`^a$`, "a", "a\n")
	ask(`a$\n`, "a\n")
	ask(`a\Z`, "a")
	ask(`\Aa\b.\Bb?`, "a b", "a bb", "a-")
	ask(`\b`, "")
	ask(`\B`, "")
	ask(`a(?#comment)b`, "ab")
	ask(`\x41\u00e9\U0001F600\t\/\-\.`, "Aé😀\t/-.")
	ask(`\.\ \@\%`, ". @%")
	for _, bad := range []string{"(", ")", "a)", "(a", "[a", "[", "[^", "*", "+a", "a**", "a{2}{3}", "a{3,2}", `\`, `\y`, `\xg1`, `\u12`, "[z-a]", `[\d-z]`,
		`\1`, `(a\1)`, "(?P<1>a)", "(?P<a>a)(?P<a>b)", "(?P=a)", "(?P<a", "(?", "(?#a", "^*", "$+", `\b*`, "(?z)a", "[[", "a|*", "(|*)"} {
		ask(bad, "a")
	}
	random := rand.New(rand.NewPCG(3, 4))
	for range 20000 {
		var s strings.Builder
		for range random.IntN(6) {
			s.WriteByte("aaabbc\n"[random.IntN(7)])
		}
		ask(randomPattern(random, 3), s.String())
	}
	matched, failed := 0, 0
	for i, want := range python(t, fullmatch, questions) {
		q := questions[i].([]string)
		got := ownMatch(q[0], q[1])
		g, _ := json.Marshal(got)
		w, _ := json.Marshal(want)
		if want == "error" {
			failed++
		} else if want != nil {
			matched++
		}
		// Python 3.11 has possessive repeats; we refuse them.
		if got == "error" && want != "error" && possessive(q[0]) {
			continue
		}
		if !bytes.Equal(g, w) {
			t.Errorf("%q on %q: got %s, want %s", q[0], q[1], g, w)
		}
	}
	if matched < 1000 {
		t.Errorf("only %d of %d match, %d patterns are wrong", matched, len(questions), failed)
	}
}

// randomPattern makes patterns most of which are right, over a small alphabet.
func randomPattern(random *rand.Rand, depth int) string {
	pick := func(words ...string) string { return words[random.IntN(len(words))] }
	var b strings.Builder
	for range 1 + random.IntN(3) {
		if depth > 0 && random.IntN(3) == 0 {
			b.WriteString(pick("(", "(", "(", "(?:", "(?=", "(?!") + randomPattern(random, depth-1))
			if random.IntN(3) == 0 {
				b.WriteString("|" + randomPattern(random, depth-1))
			}
			b.WriteString(")")
		} else {
			b.WriteString(pick("a", "a", "a", "b", "c", ".", ".", ".", "[ab]", "[^a]", `\w`, "[a-c]", "\n", `\1`, `\b`))
		}
		if random.IntN(2) == 0 {
			b.WriteString(pick("*", "+", "?", "*?", "+?", "??", "{2}", "{1,2}", "{,1}?", "{0,}"))
		}
	}
	return b.String()
}

func possessive(pattern string) bool {
	return regexp.MustCompile(`[*+?}]\+`).MatchString(pattern)
}

func TestPatternRefuses(t *testing.T) {
	for _, p := range []string{"(?<=a)b", "(?<!a)b", "(?>a)", "a++", "(a)?(?(1)b|c)", "a(?i)b", "(?i:a)", "(?x)a", `\101`, "\xff",
		strings.Repeat("(", maxPatternDepth+1) + strings.Repeat(")", maxPatternDepth+1), "a{9999999}", "(((a{100}){100}){100}){100}",
		strings.Repeat("a", maxPatternCode+1), strings.Repeat("a|", maxPatternCode+1)} {
		if _, err := compile(p); err == nil {
			t.Errorf("%.40q is taken", p)
		}
	}
}

// A pattern that backtracks without end is stopped.
func TestPatternSteps(t *testing.T) {
	for _, p := range []string{"(a+)+b", "(a|a)*b", "(a*)*b", "(?=(a+)+b)a*", "(?!(a+)+b)a*"} {
		c, err := compile(p)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok, err := c.match(strings.Repeat("a", 60)); !errors.Is(err, errSteps) {
			t.Errorf("%s: %v, %v", p, ok, err)
		}
	}
}

func FuzzPattern(f *testing.F) {
	f.Add("([^@]+)@(.+)", "u@example.org")
	f.Add("(?P<x>a|b)*?(?=c)\\1[\\w-]{2,3}", "abc")
	f.Fuzz(func(t *testing.T, p, s string) {
		c, err := compile(p)
		if err != nil {
			return
		}
		groups, _, _ := c.match(s)
		for _, at := range groups {
			if at < -1 || at > len(s) {
				t.Errorf("offset %d", at)
			}
		}
		// What is quoted matches itself.
		if c, err = compile(quote(s)); err != nil {
			if len(s) <= maxPatternCode/2 && strings.ToValidUTF8(s, "") == s {
				t.Error(err)
			}
		} else if _, ok, err := c.match(s); !ok && err == nil {
			t.Errorf("%q does not match itself", s)
		}
	})
}

func BenchmarkPattern(b *testing.B) {
	b.Run("compile", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := compile(`user@example\.org/[^/]+`); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("match", func(b *testing.B) {
		p, err := compile(`user@example\.org/[^/]+`)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			if _, ok, _ := p.match("user@example.org/6ba7b810-9dad-11d1-80b4-00c04fd430c8"); !ok {
				b.Fatal("no match")
			}
		}
	})
}
