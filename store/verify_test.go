package store

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestVerify(t *testing.T) {
	past := time.Now().Add(-2 * tempAge)
	tests := []struct {
		name string
		do   func(fx *fixture) error
		want []string // a part of each line
	}{
		{"nothing", func(*fixture) error { return nil }, nil},
		{"broken object", func(fx *fixture) error {
			return os.WriteFile(fx.at("user/cal/x.ics"), []byte("x"), 0o666)
		}, []string{`"user/cal/x.ics": `}},
		{"duplicate UID", func(fx *fixture) error {
			return os.WriteFile(fx.at("user/cal/x.ics"), event("a", 1), 0o666)
		}, []string{`"user/cal/x.ics": same UID "a" as "a.ics"`}},
		{"nested collection", func(fx *fixture) error { return os.Mkdir(fx.at("user/cal/sub"), 0o777) },
			[]string{`"user/cal/sub": collection inside`}},
		{"leftover", func(fx *fixture) error {
			p := fx.at("user/cal/.Radicale.tmp-abcdefgh")
			if err := os.Mkdir(p, 0o777); err != nil {
				return err
			}
			return os.Chtimes(p, past, past)
		}, []string{`"user/cal/.Radicale.tmp-abcdefgh": left over`}},
		{"dangling link", func(fx *fixture) error { return os.Symlink("no", fx.at("user/cal/l")) },
			[]string{`"user/cal/l": `}},
		{"broken properties", func(fx *fixture) error {
			return os.WriteFile(fx.at("user/cal/.Radicale.props"), []byte(`{"tag": "VCALENDAR"`), 0o666)
		}, []string{`"user/cal/.Radicale.props": not valid JSON`}},
		{"unknown tag", func(fx *fixture) error {
			return os.WriteFile(fx.at("user/.Radicale.props"), []byte(`{"tag": "X"}`), 0o666)
		}, []string{`"user/.Radicale.props": unknown tag "X"`}},
		{"damaged index", func(fx *fixture) error {
			f, err := os.OpenFile(fx.journal(indexName), os.O_RDWR, 0)
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = f.WriteAt([]byte("x"), blockSize+50)
			return err
		}, []string{`"user/cal/.Radicale.cache/inetdav": journal damaged`}},
		{"edit in place", func(fx *fixture) error {
			return os.WriteFile(fx.at("user/cal/a.ics"), event("a", 9), 0o666)
		}, []string{`"user/cal/a.ics": edited in place`}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			fx := newFixture(t)
			fx.put("a.ics", 1)
			forceFold(fx)
			fx.must(test.do(fx))
			before := fx.truth()
			var out strings.Builder
			n, err := Verify(fx.opts, &out)
			fx.must(err)
			lines := slices.Collect(strings.Lines(out.String()))
			if n != len(lines) || n != len(test.want) {
				t.Fatalf("%d defects:\n%s", n, out.String())
			}
			for i, want := range test.want {
				if !strings.Contains(lines[i], want) {
					t.Errorf("%s\nwant %s", lines[i], want)
				}
			}
			if !equalMaps(before, fx.truth()) {
				t.Error("something was changed")
			}
		})
	}
	// It makes nothing, be there everything or nothing yet.
	folder := t.TempDir()
	o := Options{Folder: folder, CacheFolder: folder + "/cache"}
	for i, want := range []int{0, 0, 1} {
		switch i {
		case 1:
			must(t, os.MkdirAll(folder+"/collection-root/u/cal", 0o777))
			must(t, os.WriteFile(folder+"/collection-root/u/cal/.Radicale.props", []byte(`{"tag": "VCALENDAR"}`), 0o666))
		case 2:
			must(t, os.WriteFile(folder+"/collection-root/u/cal/x.ics", nil, 0o666))
		}
		before := tree(t, folder)
		if n, err := Verify(o, io.Discard); n != want || err != nil {
			t.Errorf("%d defects, %v; want %d", n, err, want)
		}
		if after := tree(t, folder); !slices.Equal(before, after) {
			t.Errorf("before %q\nafter %q", before, after)
		}
	}
	if _, err := Verify(Options{Folder: t.TempDir() + "/no"}, os.Stderr); err == nil {
		t.Error("verified what is not there")
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// tree returns the names of all that is below a folder.
func tree(t *testing.T, folder string) (names []string) {
	t.Helper()
	must(t, filepath.WalkDir(folder, func(path string, _ fs.DirEntry, err error) error {
		names = append(names, path)
		return err
	}))
	return names
}
