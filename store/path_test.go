package store

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
)

func TestCheckName(t *testing.T) {
	for name, ok := range map[string]bool{
		"a": true, "a.ics": true, " ": true, "a b;c'\"?*:": true, "ü": true, "\x01": true, "~a": true, "a.": true,
		strings.Repeat("n", maxName): true,
		"":                           false, ".": false, "..": false, ".a": false, "a~": false, "a/b": false, "/": false, "a\x00": false,
		strings.Repeat("n", maxName+1): false,
	} {
		if err := CheckName(name); (err == nil) != ok || err != nil && !errors.Is(err, ErrName) {
			t.Errorf("CheckName(%q): %v", name, err)
		}
	}
}

func TestPaths(t *testing.T) {
	fx := newFixture(t)
	fx.put("a.ics", 1)
	deep := strings.Repeat("a/", maxDepth) + "a"
	for path, want := range map[string]error{
		"/": ErrName, "user/": ErrName, "/user": ErrName, "user//cal": ErrName, "user/../user": ErrName,
		"user/cal/.Radicale.props": ErrName, "user/cal/.Radicale.cache": ErrName, "user/x\x00": ErrName,
		deep: ErrName, strings.Repeat("n/", maxPath): ErrName,
		"no": fs.ErrNotExist, "user/cal/no": fs.ErrNotExist, "user/cal/a.ics/x": fs.ErrNotExist,
		deep[2:]: fs.ErrNotExist,
	} {
		if _, err := fx.Resource(path); !errors.Is(err, want) {
			t.Errorf("Resource(%q): %v", path, err)
		}
		if _, err := fx.Collection(path); !errors.Is(err, want) {
			t.Errorf("Collection(%q): %v", path, err)
		}
		if _, err := fx.OpenObject(path); !errors.Is(err, want) {
			t.Errorf("OpenObject(%q): %v", path, err)
		}
	}
	if _, err := fx.Collection("user/cal/a.ics"); !errors.Is(err, ErrKind) {
		t.Errorf("an object as collection: %v", err)
	}
	if _, err := fx.OpenObject(calPath); !errors.Is(err, ErrKind) {
		t.Errorf("a collection as object: %v", err)
	}
	for path, want := range map[string]Resource{
		"":               {Kind: Plain},
		"user":           {Kind: Plain},
		calPath:          {Kind: Calendar},
		"user/cal/a.ics": {Kind: Object, In: Calendar, Size: int64(len(event("a", 1)))},
	} {
		r, err := fx.Resource(path)
		want.Path, want.ModTime = path, r.ModTime
		if err != nil || r != want || r.ModTime.IsZero() {
			t.Errorf("Resource(%q): %+v %v", path, r, err)
		}
	}
	c := fx.collection()
	for _, name := range []string{"", ".", "..", "../cal/a.ics", ".Radicale.props", "a.ics/"} {
		if _, _, err := c.Read(name, nil); !errors.Is(err, ErrName) {
			t.Errorf("Read(%q): %v", name, err)
		}
	}
}

// TestResolvers: os.Root, which stands in where the kernel cannot resolve
// beneath a folder, answers as the kernel does.
func TestResolvers(t *testing.T) {
	fx := newFixture(t)
	fx.put("a.ics", 1)
	fx.must(os.Symlink("cal", fx.at("user/in")))
	fx.must(os.Symlink(fx.dir, fx.at("user/absolute")))
	fx.must(os.Symlink("../../..", fx.at("user/out")))
	std := &root{path: fx.root.path}
	var err error
	std.std, err = os.OpenRoot(std.path)
	fx.must(err)
	std.dir, err = std.dupOpen(".", os.O_RDONLY)
	fx.must(err)
	defer std.close()
	for _, r := range []*root{fx.root, std} {
		for path, want := range map[string]error{
			"": nil, "user/cal": nil, "user/cal/a.ics": nil, "user/in/a.ics": nil, "user/absolute/a.ics": nil,
			"user/out": fs.ErrPermission, "user/out/x": fs.ErrPermission, "user/no": fs.ErrNotExist, "user/in/no": fs.ErrNotExist,
		} {
			fd, err := r.open(path, os.O_RDONLY)
			if !errors.Is(err, want) {
				t.Errorf("%q: %v (os.Root %v)", path, err, r.std != nil)
			}
			if err == nil {
				file(fd).close()
			}
		}
	}
	// The whole store works on it.
	fx.root.close()
	fx.root = std
	fx.put("b.ics", 1)
	fx.checkTruth()
	fx.root, err = openRoot(std.path)
	fx.must(err)
}

func TestOpenMakesFolders(t *testing.T) {
	folder := t.TempDir() + "/a/b"
	s, err := Open(Options{Folder: folder, CacheFolder: folder + "/c", FolderUmask: 0o027})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, dir := range []string{folder, folder + "/collection-root", folder + "/c/collection-cache"} {
		info, err := os.Stat(dir)
		if err != nil || info.Mode().Perm() != 0o750 {
			t.Errorf("%s: %v %v", dir, info, err)
		}
	}
	if err := s.EnsurePrincipal("u"); err != nil {
		t.Error(err)
	}
	if err := s.EnsurePrincipal("u"); err != nil {
		t.Error("second time:", err)
	}
	if err := s.EnsurePrincipal("../u"); !errors.Is(err, ErrName) {
		t.Error(err)
	}
	if _, err := Open(Options{Folder: "/dev/null/x"}); err == nil {
		t.Error("opened a folder below a file")
	}
}
