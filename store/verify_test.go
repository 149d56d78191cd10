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
			found, err := Verify(fx.opts, &out)
			fx.must(err)
			n := found.Defects
			if found.Collections < 3 || found.Objects < 1 {
				t.Errorf("looked at %+v", found)
			}
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
		if found, err := Verify(o, io.Discard); found.Defects != want || err != nil {
			t.Errorf("%+v, %v; want %d", found, err, want)
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

func TestRepair(t *testing.T) {
	past := time.Now().Add(-2 * tempAge)
	leftover := func(fx *fixture, path string, dir bool) error {
		var err error
		if dir {
			err = os.MkdirAll(fx.at(path), 0o777)
			if err == nil {
				err = os.WriteFile(fx.at(path+"/old.ics"), event("old", 1), 0o666)
			}
		} else {
			err = os.WriteFile(fx.at(path), []byte("half"), 0o666)
		}
		if err != nil {
			return err
		}
		return os.Chtimes(fx.at(path), past, past)
	}
	const temp = "user/cal/.Radicale.tmp-abcdefgh"
	tests := []struct {
		name  string
		aside bool
		do    func(fx *fixture) error
		want  string // part of the lines
		left  int    // defects that stay
		kept  string // below lost+found
	}{
		{"nothing", true, func(*fixture) error { return nil }, "", 0, ""},
		{"file left over", false, func(fx *fixture) error { return leftover(fx, temp, false) }, `"` + temp + `": repaired: removed`, 0, ""},
		{"file left over by the stage", false, func(fx *fixture) error {
			return leftover(fx, "user/cal/.Radicale.cache/inetdav/.Radicale.tmp-abcdefgh", false)
		}, `inetdav/.Radicale.tmp-abcdefgh": repaired: removed`, 0, ""},
		{"folder left over", false, func(fx *fixture) error { return leftover(fx, temp, true) }, `left over`, 1, ""},
		{"folder moved aside", true, func(fx *fixture) error { return leftover(fx, temp, true) }, `repaired: moved to lost+found`, 0, temp + "/old.ics"},
		{"broken object", false, func(fx *fixture) error { return os.WriteFile(fx.at("user/cal/x.ics"), []byte("x"), 0o666) }, `"user/cal/x.ics": `, 1, ""},
		{"broken object moved aside", true, func(fx *fixture) error {
			if err := os.MkdirAll(filepath.Join(fx.opts.Folder, "lost+found/user/cal"), 0o777); err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(fx.opts.Folder, "lost+found/user/cal/x.ics"), []byte("older"), 0o666); err != nil {
				return err
			}
			return os.WriteFile(fx.at("user/cal/x.ics"), []byte("x"), 0o666)
		}, `"user/cal/x.ics": repaired: moved to lost+found`, 0, "user/cal/x.ics.1"},
		{"duplicate UID", true, func(fx *fixture) error { return os.WriteFile(fx.at("user/cal/x.ics"), event("a", 1), 0o666) }, "same UID", 1, ""},
		{"damaged index", false, func(fx *fixture) error {
			f, err := os.OpenFile(fx.journal(indexName), os.O_RDWR, 0)
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = f.WriteAt([]byte("x"), blockSize+50)
			return err
		}, `inetdav": repaired: made anew`, 0, ""},
		{"edit in place", false, func(fx *fixture) error { return os.WriteFile(fx.at("user/cal/a.ics"), event("a", 9), 0o666) },
			`repaired: brought up to date`, 0, ""},
		{"properties of what is gone", false, func(fx *fixture) error {
			fx.update(func(tx *Tx) error { return tx.SetObjectProps("user/cal/a.ics", Props{{"{u}p", "<p/>"}}) })
			b, err := os.ReadFile(fx.at("user/cal/.inetdav.props"))
			if err != nil {
				return err
			}
			return os.WriteFile(fx.at("user/cal/.inetdav.props"), []byte(strings.Replace(string(b), "a.ics", "gone.ics", 1)), 0o666)
		}, `"user/cal/.inetdav.props": repaired: properties of "gone.ics" removed`, 0, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			fx := newFixture(t)
			fx.put("a.ics", 1)
			forceFold(fx)
			fx.must(test.do(fx))
			good, err := os.ReadFile(fx.at("user/cal/a.ics"))
			fx.must(err)
			var out strings.Builder
			found, err := Repair(fx.opts, &out, test.aside)
			fx.must(err)
			if found.Defects != test.left || !strings.Contains(out.String(), test.want) || (found.Repaired > 0) != strings.Contains(out.String(), "repaired: ") {
				t.Fatalf("%+v\n%s", found, out.String())
			}
			if again, err := Verify(fx.opts, io.Discard); err != nil || again.Defects != test.left {
				t.Errorf("still %+v, %v", again, err)
			}
			if test.kept != "" {
				if _, err := os.Stat(filepath.Join(fx.opts.Folder, lostName, test.kept)); err != nil {
					t.Error(err)
				}
			}
			if now, err := os.ReadFile(fx.at("user/cal/a.ics")); err != nil || string(now) != string(good) {
				t.Errorf("%q, %v", now, err)
			}
			if got := list(t, fx.collection()); !equalMaps(got, fx.truth()) {
				t.Errorf("the journal has %v, the folder %v", got, fx.truth())
			}
		})
	}
}
