package dav

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// limitsIn gives the constants of a source that are called a maximum: their
// values, as they are written there, by name.
func limitsIn(t *testing.T, path, text string) map[string]string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, text, 0)
	if err != nil {
		t.Fatal(err)
	}
	limits := map[string]string{}
	for _, decl := range file.Decls {
		d, ok := decl.(*ast.GenDecl)
		if !ok || d.Tok != token.CONST {
			continue
		}
		for _, spec := range d.Specs {
			v := spec.(*ast.ValueSpec)
			for i, name := range v.Names {
				if len(name.Name) < 4 || !strings.EqualFold(name.Name[:3], "max") || name.Name[3] < 'A' || name.Name[3] > 'Z' || i >= len(v.Values) {
					continue
				}
				var b bytes.Buffer
				if err := printer.Fprint(&b, token.NewFileSet(), v.Values[i]); err != nil {
					t.Fatal(err)
				}
				limits[name.Name] = b.String()
			}
		}
	}
	return limits
}

// TestGuarantees checks that doc/guarantees.txt names tests that there are, and
// every limit of the serving program with its value.
func TestGuarantees(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(root, "doc", "guarantees.txt"))
	if err != nil {
		t.Fatal(err)
	}
	sources := goSources(t)
	tests := map[string]bool{}
	limits := map[string]string{} // "file name": value
	for path, text := range sources {
		switch {
		case strings.HasSuffix(path, "_test.go"):
			for _, m := range regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`).FindAllStringSubmatch(text, -1) {
				tests[m[1]] = true
			}
		case strings.HasPrefix(path, "store/backend/"), strings.HasPrefix(path, "dav/importer/"), strings.HasPrefix(path, "dav/access/helper/"):
			// not in the server
		default:
			for name, value := range limitsIn(t, path, text) {
				limits[path+" "+name] = value
			}
		}
	}
	promises, named := 0, 0
	n := 0
	for line := range strings.Lines(string(b)) {
		n++
		line = strings.TrimSuffix(line, "\n")
		if tail, ok := strings.CutPrefix(strings.TrimSpace(line), "Tests: "); ok {
			promises++
			for name := range strings.SplitSeq(tail, ", ") {
				named++
				if strings.HasSuffix(name, ".txtar") {
					if _, err := os.Stat(filepath.Join("testdata", name)); err != nil {
						t.Errorf("doc/guarantees.txt:%d: %v", n, err)
					}
				} else if !tests[name] {
					t.Errorf("doc/guarantees.txt:%d: there is no test %q", n, name)
				}
			}
			continue
		}
		f := strings.Split(line, "\t")
		if len(f) == 1 {
			continue
		}
		if len(f) != 4 || f[3] == "" {
			t.Errorf("doc/guarantees.txt:%d: not four columns: %q", n, line)
			continue
		}
		key := f[0] + " " + f[1]
		switch value, ok := limits[key]; {
		case !ok:
			t.Errorf("doc/guarantees.txt:%d: there is no limit %s, or it is here twice", n, key)
		case value != f[2]:
			t.Errorf("doc/guarantees.txt:%d: %s is %s, not %s", n, key, value, f[2])
		}
		delete(limits, key)
	}
	for key, value := range limits {
		t.Errorf("doc/guarantees.txt has no row for %s = %s", key, value)
	}
	if promises < 6 || named < 20 {
		t.Errorf("%d promises, %d tests", promises, named)
	}
}
