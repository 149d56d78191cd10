package dav

import (
	"cmp"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// root is the top of the repository, from here.
const root = ".."

// rfcRow is a row of doc/rfc.txt.
type rfcRow struct {
	line                         int
	rfc, section                 string
	done, where, tests, whatItIs string
}

// readRFCs reads doc/rfc.txt. Rows that are none are errors of the test.
func readRFCs(t *testing.T) []rfcRow {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, "doc", "rfc.txt"))
	if err != nil {
		t.Fatal(err)
	}
	var rows []rfcRow
	n := 0
	for line := range strings.Lines(string(b)) {
		n++
		line = strings.TrimSuffix(line, "\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Split(line, "\t")
		if len(f) != 6 || slices.ContainsFunc(f, func(s string) bool { return s == "" || s != strings.TrimSpace(s) }) {
			t.Errorf("doc/rfc.txt:%d: not six columns: %q", n, line)
			continue
		}
		rows = append(rows, rfcRow{n, f[0], f[1], f[2], f[3], f[4], f[5]})
	}
	return rows
}

// compareRows orders rows by RFC, then by section: numbers by their value, and
// before names and appendices.
func compareRows(a, b rfcRow) int {
	return cmp.Or(comparePart(a.rfc, b.rfc),
		slices.CompareFunc(strings.Split(a.section, "."), strings.Split(b.section, "."), comparePart))
}

func comparePart(a, b string) int {
	x, errX := strconv.Atoi(a)
	y, errY := strconv.Atoi(b)
	switch {
	case errX == nil && errY == nil:
		return cmp.Compare(x, y)
	case errX == nil:
		return -1
	case errY == nil:
		return 1
	}
	return cmp.Compare(a, b)
}

// goSources gives the text of the Go files, by their paths from the root.
func goSources(t *testing.T) map[string]string {
	t.Helper()
	sources := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata"):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go"):
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		sources[filepath.ToSlash(rel)] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return sources
}

// citation is a section that a source cites.
type citation struct{ rfc, section string }

var (
	commentBreak = regexp.MustCompile(`\n[ \t]*(?://)?[ \t]*`)
	citedSection = `(?:appendix [A-Z](?:\.[0-9]+)*|[A-Z](?:\.[0-9]+)+|[0-9]{1,2}(?:\.[0-9]+)*)\b`
	citations    = regexp.MustCompile(`\bRFC ([0-9]{3,5}), ((?:` + citedSection + `)(?:(?:, and |, | and | or | to )` + citedSection + `)*)`)
	sections     = regexp.MustCompile(citedSection)
)

// cited gives the sections that a text cites: `RFC 4791, 7.8`, `RFC 9110, 13.1.1
// and 13.1.2`, `RFC 4791, 5.2.6 to 5.2.9`, `RFC 3744, appendix B`, also across
// the lines of a comment.
func cited(text string) (list []citation) {
	text = commentBreak.ReplaceAllString(text, " ")
	for _, m := range citations.FindAllStringSubmatch(text, -1) {
		for _, s := range sections.FindAllString(m[2], -1) {
			list = append(list, citation{m[1], strings.TrimPrefix(s, "appendix ")})
		}
	}
	return list
}

func TestCited(t *testing.T) {
	for _, test := range []struct {
		text string
		want []citation
	}{
		{"RFC 4791, 7.8", []citation{{"4791", "7.8"}}},
		{"(RFC 4791, 5.3.2.1; RFC 6352, 6.3.2.1)", []citation{{"4791", "5.3.2.1"}, {"6352", "6.3.2.1"}}},
		{"RFC 9110, 13.1.1 and 13.1.2).", []citation{{"9110", "13.1.1"}, {"9110", "13.1.2"}}},
		{"RFC 4791, 5.2.6 to 5.2.9", []citation{{"4791", "5.2.6"}, {"4791", "5.2.9"}}},
		{"RFC 3744, 9.2, 9.3, and 9.5", []citation{{"3744", "9.2"}, {"3744", "9.3"}, {"3744", "9.5"}}},
		{"RFC 4918, 9; RFC 4791", []citation{{"4918", "9"}}},
		{"RFC 3744, appendix\n\t// B. Who", []citation{{"3744", "B"}}},
		{"// (RFC\n// 4791,\n// 9.9)", []citation{{"4791", "9.9"}}},
		{"RFC 6350, A.2 and 6.10)", []citation{{"6350", "A.2"}, {"6350", "6.10"}}},
		{"RFC 7986, 5.3, demands room for 255", []citation{{"7986", "5.3"}}},
		{"RFC 2425 and RFC 6350, 5, let", []citation{{"6350", "5"}}},
		{"RFC 4918 and RFC 6350, A list", nil},
	} {
		if got := cited(test.text); !slices.Equal(got, test.want) {
			t.Errorf("%q: %v, want %v", test.text, got, test.want)
		}
	}
}

// TestRFCs checks that doc/rfc.txt says what is there.
func TestRFCs(t *testing.T) {
	rows := readRFCs(t)
	sources := goSources(t)
	if len(rows) == 0 || len(sources) == 0 {
		t.Fatalf("%d rows, %d sources", len(rows), len(sources))
	}
	tests := map[string]bool{}
	for path, text := range sources {
		if !strings.HasSuffix(path, "_test.go") {
			continue
		}
		for _, m := range regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`).FindAllStringSubmatch(text, -1) {
			tests[m[1]] = true
		}
	}
	section := regexp.MustCompile(`^(?:[0-9]+|[A-Z])(?:\.[0-9]+)*$`)
	known := map[citation]bool{}
	for i, r := range rows {
		wrong := func(format string, args ...any) {
			t.Helper()
			t.Errorf("doc/rfc.txt:%d: RFC %s, %s: "+format, append([]any{r.line, r.rfc, r.section}, args...)...)
		}
		known[citation{r.rfc, r.section}] = true
		if !section.MatchString(r.section) {
			wrong("no section")
		}
		if i > 0 {
			switch c := compareRows(rows[i-1], r); {
			case c == 0:
				wrong("twice")
			case c > 0:
				wrong("out of order, after RFC %s, %s", rows[i-1].rfc, rows[i-1].section)
			}
		}
		if r.where != "-" {
			if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(r.where))); err != nil {
				wrong("where: %v", err)
			}
		}
		switch r.done {
		case "Yes", "Partly":
			if r.where == "-" || r.tests == "-" {
				wrong("%s, but nowhere or untested", r.done)
			}
		case "No":
			if r.tests != "-" {
				wrong("No, but tested")
			}
		default:
			wrong("%q is none of Yes, Partly and No", r.done)
		}
		if r.done != "Yes" && !strings.Contains(r.whatItIs, "; ") {
			wrong("%s, but not why", r.done)
		}
		for name := range strings.SplitSeq(r.tests, ",") {
			if strings.HasSuffix(name, ".txtar") {
				if _, err := os.Stat(filepath.Join("testdata", name)); err != nil {
					wrong("tests: %v", err)
				}
			} else if name != "-" && !tests[name] {
				wrong("there is no test %q", name)
			}
		}
	}
	covered := func(c citation) bool {
		for {
			if known[c] {
				return true
			}
			dot := strings.LastIndexByte(c.section, '.')
			if dot < 0 {
				return false
			}
			c.section = c.section[:dot]
		}
	}
	n := 0
	for _, path := range slices.Sorted(maps.Keys(sources)) {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		for _, c := range cited(sources[path]) {
			n++
			if !covered(c) {
				t.Errorf("%s: RFC %s, %s has no row in doc/rfc.txt", path, c.rfc, c.section)
			}
		}
	}
	if n == 0 {
		t.Error("no citations found")
	}
}
