package store

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"inetdav/store/object"
)

// try runs one change and returns its error.
func (fx *fixture) try(f func(*Tx) error) error { return fx.Update(context.Background(), f) }

// at returns the place of a path in the file system.
func (fx *fixture) at(path string) string {
	return filepath.Join(fx.opts.Folder, rootName, path)
}

// noTemps checks that nothing temporary is left anywhere.
func (fx *fixture) noTemps() {
	fx.t.Helper()
	filepath.WalkDir(fx.opts.Folder, func(path string, d fs.DirEntry, err error) error {
		if isTemp(filepath.Base(path)) {
			fx.t.Errorf("left over: %s", path)
		}
		return nil
	})
}

func isErr(target error) func(error) bool {
	return func(err error) bool { return errors.Is(err, target) }
}

// TestChanges is a table of single changes: RFC 4918, 9.3 (MKCOL), 9.6
// (DELETE), 9.8 (COPY), 9.9 (MOVE) and what they must leave.
func TestChanges(t *testing.T) {
	ok := func(err error) bool { return err == nil }
	calendar := Props{{"D:displayname", "Ü"}, {"tag", "VCALENDAR"}}
	tests := []struct {
		name  string
		do    func(*Tx) error
		want  func(error) bool
		there []string
		gone  []string
	}{
		{"mkcol", func(tx *Tx) error { return tx.Mkcol("user/new", calendar, nil) }, ok, []string{"user/new"}, nil},
		{"mkcol plain", func(tx *Tx) error { return tx.Mkcol("user/new", nil, nil) }, ok, []string{"user/new"}, nil},
		{"mkcol nested", func(tx *Tx) error { return tx.Mkcol("user/cal/new", nil, nil) }, ok, []string{"user/cal/new"}, nil},
		{"mkcol over a collection", func(tx *Tx) error { return tx.Mkcol(calPath, nil, nil) }, isErr(fs.ErrExist), nil, nil},
		{"mkcol over an object", func(tx *Tx) error { return tx.Mkcol("user/cal/a.ics", nil, nil) }, isErr(fs.ErrExist), []string{"user/cal/a.ics"}, nil},
		{"mkcol without a parent", func(tx *Tx) error { return tx.Mkcol("user/no/new", nil, nil) }, isErr(fs.ErrNotExist), nil, []string{"user/no"}},
		{"mkcol in an object", func(tx *Tx) error { return tx.Mkcol("user/cal/a.ics/new", nil, nil) }, isErr(ErrKind), nil, nil},
		{"mkcol of the root", func(tx *Tx) error { return tx.Mkcol("", nil, nil) }, isErr(ErrKind), nil, nil},
		{"mkcol hidden", func(tx *Tx) error { return tx.Mkcol("user/.x", nil, nil) }, isErr(ErrName), nil, nil},
		{"mkcol too large properties", func(tx *Tx) error {
			return tx.Mkcol("user/new", Props{{"x", strings.Repeat("x", maxProps)}}, nil)
		}, isErr(ErrTooLarge), nil, []string{"user/new"}},
		{"mkcol with rich properties", func(tx *Tx) error {
			return tx.Mkcol("user/new", nil, Props{{"{u:}x", "<x/>"}})
		}, ok, []string{"user/new/.inetdav.props"}, []string{"user/new/.Radicale.props"}},
		{"mkcol with too large rich properties", func(tx *Tx) error {
			return tx.Mkcol("user/new", calendar, Props{{"{u:}x", strings.Repeat("ü", maxProps/6)}})
		}, isErr(ErrTooLarge), nil, []string{"user/new"}},
		{"set all properties", func(tx *Tx) error {
			return tx.SetProps("user", calendar, Props{{"{u:}x", "<x/>"}})
		}, ok, []string{"user/.Radicale.props", "user/.inetdav.props"}, nil},
		{"set all properties, of which some do not fit", func(tx *Tx) error {
			return tx.SetProps("user", calendar, Props{{"{u:}x", strings.Repeat("ü", maxProps/6)}})
		}, isErr(ErrTooLarge), nil, []string{"user/.Radicale.props", "user/.inetdav.props"}},
		{"set all properties, of which others do not fit", func(tx *Tx) error {
			return tx.SetProps("user", Props{{"{u:}x", strings.Repeat("ü", maxProps/6)}}, Props{{"{u:}x", "<x/>"}})
		}, isErr(ErrTooLarge), nil, []string{"user/.Radicale.props", "user/.inetdav.props"}},
		{"set all properties of an object", func(tx *Tx) error {
			return tx.SetProps("user/cal/a.ics", nil, nil)
		}, isErr(ErrKind), nil, []string{"user/cal/.inetdav.props"}},
		{"delete an object", func(tx *Tx) error { return tx.Delete("user/cal/a.ics") }, ok, []string{"user/cal/b.ics"}, []string{"user/cal/a.ics"}},
		{"delete a collection", func(tx *Tx) error { return tx.Delete(calPath) }, ok, []string{"user/book"}, []string{calPath}},
		{"delete a home", func(tx *Tx) error { return tx.Delete("user") }, ok, nil, []string{"user"}},
		{"delete the root", func(tx *Tx) error { return tx.Delete("") }, isErr(ErrKind), []string{"user"}, nil},
		{"delete nothing", func(tx *Tx) error { return tx.Delete("user/cal/no") }, isErr(fs.ErrNotExist), nil, nil},
		{"delete below an object", func(tx *Tx) error { return tx.Delete("user/cal/a.ics/x") }, isErr(fs.ErrNotExist), nil, nil},
		{"delete .Radicale.props", func(tx *Tx) error { return tx.Delete("user/cal/.Radicale.props") }, isErr(ErrName), []string{"user/cal/.Radicale.props"}, nil},
		{"move an object", func(tx *Tx) error { return tx.Move("user/cal/a.ics", "user/cal/c.ics") }, ok, []string{"user/cal/c.ics"}, []string{"user/cal/a.ics"}},
		{"move to another collection", func(tx *Tx) error { return tx.Move("user/cal/a.ics", "user/other/a.ics") }, ok, []string{"user/other/a.ics"}, []string{"user/cal/a.ics"}},
		{"move over another", func(tx *Tx) error { return tx.Move("user/cal/a.ics", "user/cal/b.ics") }, ok, []string{"user/cal/b.ics"}, []string{"user/cal/a.ics"}},
		{"move to itself", func(tx *Tx) error { return tx.Move("user/cal/a.ics", "user/cal/a.ics") }, isErr(ErrKind), []string{"user/cal/a.ics"}, nil},
		{"move into nothing", func(tx *Tx) error { return tx.Move("user/cal/a.ics", "user/no/a.ics") }, isErr(fs.ErrNotExist), []string{"user/cal/a.ics"}, nil},
		{"move into an object", func(tx *Tx) error { return tx.Move("user/cal/a.ics", "user/cal/b.ics/x") }, isErr(fs.ErrNotExist), []string{"user/cal/a.ics"}, nil},
		{"move nothing", func(tx *Tx) error { return tx.Move("user/cal/no", "user/cal/x") }, isErr(fs.ErrNotExist), nil, nil},
		{"move a collection", func(tx *Tx) error { return tx.Move(calPath, "user/moved") }, ok, []string{"user/moved/a.ics"}, []string{calPath}},
		{"move a collection over another", func(tx *Tx) error { return tx.Move(calPath, "user/book") }, ok, []string{"user/book/a.ics"}, []string{calPath, "user/book/c.vcf"}},
		{"move a collection over an object", func(tx *Tx) error { return tx.Move("user/book", "user/cal/a.ics") }, ok, []string{"user/cal/a.ics/c.vcf"}, []string{"user/book"}},
		{"move an object over a collection", func(tx *Tx) error { return tx.Move("user/cal/a.ics", "user/book") }, ok, []string{"user/book"}, []string{"user/cal/a.ics", "user/book/c.vcf"}},
		{"move a collection into itself", func(tx *Tx) error { return tx.Move(calPath, "user/cal/x") }, isErr(ErrKind), []string{calPath}, nil},
		{"move a collection over its parent", func(tx *Tx) error { return tx.Move(calPath, "user") }, isErr(ErrKind), []string{"user/cal/a.ics"}, nil},
		{"copy an object", func(tx *Tx) error { return tx.Copy("user/cal/a.ics", "user/other/x.ics", true) }, ok, []string{"user/cal/a.ics", "user/other/x.ics"}, nil},
		{"copy over another", func(tx *Tx) error { return tx.Copy("user/cal/a.ics", "user/cal/b.ics", true) }, ok, []string{"user/cal/a.ics", "user/cal/b.ics"}, nil},
		{"copy a collection", func(tx *Tx) error { return tx.Copy(calPath, "user/copy", true) }, ok, []string{"user/cal/a.ics", "user/copy/a.ics", "user/copy/.Radicale.props"}, []string{"user/copy/.Radicale.cache"}},
		{"copy a collection alone", func(tx *Tx) error { return tx.Copy(calPath, "user/copy", false) }, ok, []string{"user/copy/.Radicale.props"}, []string{"user/copy/a.ics"}},
		{"copy a home", func(tx *Tx) error { return tx.Copy("user", "user2", true) }, ok, []string{"user2/cal/a.ics", "user2/book/c.vcf"}, nil},
		{"copy a collection into itself", func(tx *Tx) error { return tx.Copy("user", "user/cal/x", true) }, isErr(ErrKind), nil, []string{"user/cal/x"}},
		{"copy an object into the address book", func(tx *Tx) error { return tx.Copy("user/cal/a.ics", "user/book/a.ics", true) }, ok, []string{"user/book/a.ics"}, nil},
		{"set properties", func(tx *Tx) error { return tx.SetProps("user", Props{{"D:displayname", "x"}}, nil) }, ok, []string{"user/.Radicale.props"}, []string{"user/.Radicale.cache"}},
		{"set dead properties of a home", func(tx *Tx) error { return tx.SetObjectProps("user", Props{{"{u:}x", "<x/>"}}) }, ok, []string{"user/.inetdav.props"}, nil},
		{"set properties of nothing", func(tx *Tx) error { return tx.SetProps("user/no", nil, nil) }, isErr(fs.ErrNotExist), nil, nil},
		{"set properties of an object", func(tx *Tx) error { return tx.SetProps("user/cal/a.ics", nil, nil) }, isErr(ErrKind), nil, nil},
	}
	for _, cache := range []bool{false, true} {
		for _, test := range tests {
			name := test.name
			if cache {
				name += " with a cache folder"
			}
			t.Run(name, func(t *testing.T) {
				fx := newFixture(t, func(o *Options) {
					if cache {
						o.CacheFolder = filepath.Join(o.Folder, "cache")
					}
				})
				if cache && strings.HasPrefix(test.name, "copy a collection") {
					test.gone = slices.DeleteFunc(slices.Clone(test.gone), func(p string) bool { return strings.Contains(p, "cache") })
				}
				fx.put("a.ics", 1)
				fx.put("b.ics", 2)
				fx.update(func(tx *Tx) error {
					return errors.Join(
						tx.Mkcol("user/other", Props{{"tag", "VCALENDAR"}}, nil),
						tx.Mkcol("user/book", Props{{"tag", "VADDRESSBOOK"}}, nil))
				})
				fx.must(os.WriteFile(fx.at("user/book/c.vcf"), []byte("BEGIN:VCARD\nVERSION:4.0\nUID:c\nFN:C\nEND:VCARD\n"), 0o666))
				for _, path := range []string{calPath, "user/other", "user/book"} {
					c, err := fx.Collection(path)
					fx.must(err)
					c.Close()
				}
				if err := fx.try(test.do); !test.want(err) {
					t.Fatalf("error %v", err)
				}
				for _, path := range test.there {
					if _, err := os.Stat(fx.at(path)); err != nil {
						t.Error(err)
					}
				}
				for _, path := range test.gone {
					if _, err := os.Lstat(fx.at(path)); err == nil {
						t.Errorf("%s is still there", path)
					}
				}
				fx.noTemps()
				fx.logs = slices.DeleteFunc(fx.logs, func(s string) bool { return strings.HasPrefix(s, "broken object") })
				if len(fx.logs) > 0 {
					t.Errorf("log: %q", fx.logs)
				}
				for _, path := range []string{"user", "user2", calPath, "user/other", "user/book", "user/copy", "user/moved"} {
					fx.checkAgainstFolder(path)
				}
			})
		}
	}
}

// checkAgainstFolder compares a collection with its folder, if there is one.
func (fx *fixture) checkAgainstFolder(path string) {
	fx.t.Helper()
	c, err := fx.Collection(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrKind) {
		return
	}
	fx.must(err)
	defer c.Close()
	old := fx.dir
	fx.dir = fx.at(path)
	defer func() { fx.dir = old }()
	if got, want := list(fx.t, c), fx.truth(); !equalMaps(got, want) {
		fx.t.Errorf("%s: listed %v\nwant %v", path, got, want)
	}
}

// TestJournalFollowsChanges: after our own changes nothing is scanned again,
// and the history goes on.
func TestJournalFollowsChanges(t *testing.T) {
	fx := newFixture(t)
	fx.put("a.ics", 1)
	fx.put("b.ics", 1)
	fx.update(func(tx *Tx) error { return tx.Mkcol("user/other", Props{{"tag", "VCALENDAR"}}, nil) })
	fx.checkAgainstFolder("user/other")
	token := fx.collection().SyncToken()
	steps := []struct {
		do   func(*Tx) error
		want []string
	}{
		{func(tx *Tx) error { return tx.Move("user/cal/a.ics", "user/cal/c.ics") }, []string{"+c.ics", "-a.ics"}},
		{func(tx *Tx) error { return tx.Move("user/cal/c.ics", "user/other/c.ics") }, []string{"-a.ics", "-c.ics"}},
		{func(tx *Tx) error { return tx.Copy("user/other/c.ics", "user/cal/d.ics", true) }, []string{"-a.ics", "-c.ics", "+d.ics"}},
		{func(tx *Tx) error { return tx.SetProps(calPath, Props{{"D:x", "y"}, {"tag", "VCALENDAR"}}, nil) }, []string{"-a.ics", "-c.ics", "+d.ics"}},
		{func(tx *Tx) error { return tx.SetObjectProps("user/cal/d.ics", Props{{"{u:}x", "<x/>"}}) }, []string{"-a.ics", "-c.ics", "+d.ics"}},
		{func(tx *Tx) error { return tx.Delete("user/cal/b.ics") }, []string{"-a.ics", "-c.ics", "+d.ics", "-b.ics"}},
	}
	for i, step := range steps {
		before := fx.collection().CTag()
		fx.update(step.do)
		c, err := fx.unsynced(calPath)
		if err != nil {
			t.Fatalf("step %d: %v: the journal is not up to date", i, err)
		}
		if got := changes(t, c, token); !slices.Equal(got, step.want) {
			t.Errorf("step %d: changes %v", i, got)
		}
		if i != 4 && c.CTag() == before {
			t.Errorf("step %d: same ctag", i)
		}
		c.Close()
		fx.checkTruth()
	}
}

func TestPutSameBytes(t *testing.T) {
	fx := newFixture(t)
	fx.put("a.ics", 1)
	token := fx.collection().SyncToken()
	fx.put("a.ics", 1)
	c := fx.checkTruth()
	if c.SyncToken() != token {
		t.Error("the same bytes are a change")
	}
	// But not if there were others in between that someone may have read.
	fx.write("a.ics", event("a", 2))
	fx.put("a.ics", 1)
	if got := changes(t, fx.checkTruth(), token); !slices.Equal(got, []string{"+a.ics"}) {
		t.Errorf("changes %v", got)
	}
}

// A copy has the properties of its source, none if that has none, and not those
// of what it replaces (RFC 4918, 9.8.2 and 9.8.4).
func TestCopiedProperties(t *testing.T) {
	fx := newFixture(t)
	fx.put("a.ics", 1)
	fx.put("b.ics", 1)
	a, b := Props{{"{u:}p", "<p xmlns=\"u:\">a</p>"}}, Props{{"{u:}q", "<q xmlns=\"u:\">b</q>"}}
	for _, props := range []Props{a, nil} {
		fx.update(func(tx *Tx) error { return tx.SetObjectProps(calPath+"/a.ics", props) })
		fx.update(func(tx *Tx) error { return tx.SetObjectProps(calPath+"/b.ics", b) })
		fx.update(func(tx *Tx) error { return tx.Copy(calPath+"/a.ics", calPath+"/b.ics", true) })
		got, err := fx.ObjectProps(calPath + "/b.ics")
		if err != nil || !slices.Equal(got, props) {
			t.Errorf("%v %v, want %v", got, err, props)
		}
	}
}

func TestDeadProperties(t *testing.T) {
	fx := newFixture(t)
	fx.put("a.ics", 1)
	p := Props{{"{u:}b", "<b xmlns=\"u:\">ü𐍈</b>"}, {"{u:}a", "<a xmlns=\"u:\"/>"}}
	get := func(path string) (got Props) {
		fx.update(func(tx *Tx) (err error) { got, err = tx.ObjectProps(path); return err })
		return got
	}
	set := func(path string, p Props) {
		t.Helper()
		fx.update(func(tx *Tx) error { return tx.SetObjectProps(path, p) })
	}
	want := slices.Clone(p).sorted()
	set("user/cal/a.ics", p)
	set(calPath, p[:1])
	if got := get("user/cal/a.ics"); !slices.Equal(got, want) {
		t.Fatalf("%v", got)
	}
	if got, err := fx.collection().ObjectProps(""); err != nil || !slices.Equal(got, p[:1]) {
		t.Fatalf("%v %v", got, err)
	}
	fx.put("a.ics", 2) // a PUT keeps them (RFC 4918, 9.7.1)
	if got := get("user/cal/a.ics"); !slices.Equal(got, want) {
		t.Fatalf("after PUT: %v", got)
	}
	fx.update(func(tx *Tx) error { return tx.Move("user/cal/a.ics", "user/cal/m.ics") })
	fx.update(func(tx *Tx) error { return tx.Copy("user/cal/m.ics", "user/cal/c.ics", true) })
	for _, path := range []string{"user/cal/m.ics", "user/cal/c.ics"} {
		if got := get(path); !slices.Equal(got, want) {
			t.Fatalf("%s: %v", path, got)
		}
	}
	fx.update(func(tx *Tx) error { return tx.Delete("user/cal/c.ics") })
	fx.put("c.ics", 1)
	if got := get("user/cal/c.ics"); got != nil {
		t.Fatalf("those of a deleted object: %v", got)
	}
	fx.must(os.Remove(fx.at("user/cal/m.ics"))) // by someone else
	fx.put("m.ics", 1)
	if got := get("user/cal/m.ics"); got != nil {
		t.Fatalf("those of a removed object: %v", got)
	}
	set("user/cal/c.ics", p)
	fx.update(func(tx *Tx) error { return tx.Copy(calPath, "user/shallow", false) })
	set(calPath, p[:1])
	fx.update(func(tx *Tx) error { return tx.Copy(calPath, "user/deep", true) })
	for path, want := range map[string]string{
		"user/shallow": `{"": {"{u:}b": "<b xmlns=\"u:\">\u00fc\ud800\udf48</b>"}}`,
		"user/deep":    "c.ics",
	} {
		if b, err := os.ReadFile(fx.at(path + "/.inetdav.props")); err != nil || !strings.Contains(string(b), want) || strings.Contains(string(b), "c.ics") != (path == "user/deep") {
			t.Errorf("properties of the copy %s: %v %s", path, err, b)
		}
	}
	st, err := fx.StageCollection("user/deep")
	fx.must(err)
	fx.must(st.Add("m.ics", []byte("x")))
	fx.update(func(tx *Tx) error { return tx.Replace("user/deep", Props{{"tag", "VCALENDAR"}}, st) })
	if got := get("user/deep"); !slices.Equal(got, p[:1]) {
		t.Errorf("those of a replaced collection: %v", got)
	}
	if b, err := os.ReadFile(fx.at("user/deep/.inetdav.props")); err != nil || strings.Contains(string(b), "c.ics") {
		t.Errorf("those of an object that is replaced by none: %v %s", err, b)
	}
	set("user/cal/c.ics", nil)
	set(calPath, nil)
	if _, err := os.Stat(fx.at("user/cal/.inetdav.props")); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("an empty file is left: %v", err)
	}
}

func TestReplace(t *testing.T) {
	fx := newFixture(t)
	fx.put("same.ics", 1)
	fx.put("other.ics", 1)
	fx.put("gone.ics", 1)
	token := fx.collection().SyncToken()
	replace := func(path string, p Props, names ...string) {
		t.Helper()
		st, err := fx.StageCollection(path)
		fx.must(err)
		defer st.Discard()
		for _, name := range names {
			n := 1
			if name == "other.ics" {
				n = 2
			}
			fx.must(st.Add(name, event(strings.TrimSuffix(name, ".ics"), n)))
		}
		if err := st.Add(names[0], nil); !errors.Is(err, fs.ErrExist) {
			t.Fatalf("the same name twice: %v", err)
		}
		fx.update(func(tx *Tx) error { return tx.Replace(path, p, st) })
		fx.noTemps()
	}
	replace(calPath, Props{{"D:displayname", "new"}, {"tag", "VCALENDAR"}}, "same.ics", "other.ics", "added.ics")
	c, err := fx.unsynced(calPath)
	if err != nil {
		t.Fatalf("%v: the journal is not up to date", err)
	}
	defer c.Close()
	if got := changes(t, c, token); !slices.Equal(got, []string{"+added.ics", "-gone.ics", "+other.ics"}) {
		t.Errorf("changes %v", got)
	}
	if name, _ := c.Props().Get("D:displayname"); name != "new" {
		t.Errorf("properties %v", c.Props())
	}
	fx.checkTruth()
	// Where nothing was.
	replace("user/fresh", Props{{"tag", "VCALENDAR"}}, "same.ics")
	fx.checkAgainstFolder("user/fresh")
	// As another kind.
	replace(calPath, Props{{"tag", "VADDRESSBOOK"}}, "x.vcf")
	if c := fx.checkTruth(); c.Kind() != AddressBook {
		t.Errorf("kind %v", c.Kind())
	}
	// What cannot be.
	if _, err := fx.StageCollection("user/no/x"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	st, err := fx.StageCollection("user/x")
	fx.must(err)
	if err := st.Add(".hidden", nil); !errors.Is(err, ErrName) {
		t.Error(err)
	}
	st.Discard()
	st.Discard()
	fx.noTemps()
}

func TestKindChange(t *testing.T) {
	fx := newFixture(t)
	fx.put("a.ics", 1)
	token := fx.collection().SyncToken()
	fx.must(os.WriteFile(fx.at("user/cal/.Radicale.props"), []byte(`{"tag": "VSUBSCRIBED"}`), 0o666))
	c := fx.checkTruth()
	if r, _ := c.Lookup("a.ics"); c.Kind() != Subscribed || r.Component != "" {
		t.Errorf("%v %+v", c.Kind(), r)
	}
	fx.update(func(tx *Tx) error { return tx.SetProps(calPath, Props{{"tag", "VCALENDAR"}}, nil) })
	c = fx.checkTruth()
	if r, _ := c.Lookup("a.ics"); c.Kind() != Calendar || r.Component != "VEVENT" {
		t.Errorf("%v %+v", c.Kind(), r)
	}
	if got := changes(t, c, token); len(got) != 0 {
		t.Errorf("changes %v: the bytes are the same", got)
	}
}

func TestStage(t *testing.T) {
	fx := newFixture(t)
	if _, err := fx.Stage(calPath, strings.NewReader("12345"), 4); !errors.Is(err, ErrTooLarge) {
		t.Errorf("too long: %v", err)
	}
	if _, err := fx.StageBytes("user/no", nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no collection: %v", err)
	}
	st, err := fx.Stage(calPath, strings.NewReader("1234"), 4)
	fx.must(err)
	if st.Size != 4 || st.ETag != etagOf([]byte("1234")) {
		t.Errorf("%+v", st)
	}
	for _, path := range []string{"", "user", calPath, "user/cal/.x", "user/cal/x~", "user/no/x"} {
		if err := fx.try(func(tx *Tx) error { _, err := tx.Put(path, st, object.Summary{}); return err }); err == nil {
			t.Errorf("put at %q", path)
		}
	}
	fx.update(func(tx *Tx) error {
		created, err := tx.Put("user/cal/x", st, object.Summary{})
		if !created {
			t.Error("not created")
		}
		if etag, err := tx.ETag("user/cal/x"); etag != st.ETag || err != nil {
			t.Errorf("ETag: %q %v", etag, err)
		}
		if etag, err := tx.ETag("user/cal/y"); etag != "" || err != nil {
			t.Errorf("ETag of nothing: %q %v", etag, err)
		}
		return err
	})
	st.Discard()
	if err := fx.try(func(tx *Tx) error { _, err := tx.Put("user/cal/y", st, object.Summary{}); return err }); err == nil {
		t.Error("put in place twice")
	}
	fx.noTemps()
	fx.checkTruth()
}

func TestTxSeesItsChanges(t *testing.T) {
	fx := newFixture(t)
	st, err := fx.StageBytes(calPath, event("u", 1))
	fx.must(err)
	sum, _ := object.Summarize(object.KindCalendar, event("u", 1))
	fx.update(func(tx *Tx) error {
		if _, err := tx.Put("user/cal/x.ics", st, sum); err != nil {
			return err
		}
		if name, ok, err := findUID(tx, "u"); name != "x.ics" || !ok || err != nil {
			t.Errorf("FindUID: %q %v %v", name, ok, err)
		}
		if err := tx.Delete("user/cal/x.ics"); err != nil {
			return err
		}
		if _, ok, err := findUID(tx, "u"); ok || err != nil {
			t.Errorf("FindUID after Delete: %v %v", ok, err)
		}
		c, err := tx.Collection(calPath)
		if err == nil && c.Len() != 0 {
			t.Errorf("%d objects", c.Len())
		}
		return err
	})
}

// TestStaleSnapshot: in a folder that was replaced, moved or deleted under a
// snapshot, what is missing is not taken for gone.
func TestStaleSnapshot(t *testing.T) {
	replace := func(fx *fixture) error {
		st, err := fx.StageCollection(calPath)
		fx.must(err)
		fx.must(st.Add("a.ics", event("a", 2)))
		return fx.try(func(tx *Tx) error { return tx.Replace(calPath, Props{{"tag", "VCALENDAR"}}, st) })
	}
	for name, do := range map[string]func(*fixture) error{
		"replaced": replace,
		"deleted":  func(fx *fixture) error { return fx.try(func(tx *Tx) error { return tx.Delete(calPath) }) },
		"deleted with its home": func(fx *fixture) error {
			return fx.try(func(tx *Tx) error { return tx.Delete("user") })
		},
		"an object now": func(fx *fixture) error {
			return errors.Join(os.RemoveAll(fx.dir), os.WriteFile(fx.dir, nil, 0o666))
		},
	} {
		t.Run(name, func(t *testing.T) {
			fx := newFixture(t)
			fx.put("a.ics", 1)
			fx.put("b.ics", 1)
			fx.update(func(tx *Tx) error { return tx.SetObjectProps(calPath+"/a.ics", Props{{"{u:}x", "<x/>"}}) })
			fx.must(os.Mkdir(fx.at("user/cal/sub"), 0o777))
			c := fx.collection()
			fx.must(do(fx))
			if data, _, err := c.Read("a.ics", nil); !errors.Is(err, ErrStale) || errors.Is(err, fs.ErrNotExist) {
				t.Errorf("Read: %q %v", data, err)
			}
			if p, err := c.ObjectProps("a.ics"); !errors.Is(err, ErrStale) {
				t.Errorf("ObjectProps: %v %v", p, err)
			}
			got := error(nil)
			for _, err := range c.Collections() {
				got = errors.Join(got, err)
			}
			if !errors.Is(got, ErrStale) {
				t.Errorf("Collections: %v", got)
			}
			if len(list(t, c)) != 2 {
				t.Error("the list is not what it was")
			}
		})
	}
	fx := newFixture(t)
	fx.put("a.ics", 1)
	fx.put("b.ics", 1)
	c := fx.collection()
	fx.update(func(tx *Tx) error { return tx.Delete(calPath + "/a.ics") })
	if _, _, err := c.Read("a.ics", nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Read of what is gone: %v", err)
	}
	if _, _, err := c.Read("b.ics", nil); err != nil {
		t.Errorf("Read of what is left: %v", err)
	}
	// Moved, what is in it can still be read, and what is not is stale.
	fx.update(func(tx *Tx) error { return tx.Move(calPath, "user/moved") })
	if _, _, err := c.Read("a.ics", nil); !errors.Is(err, ErrStale) {
		t.Errorf("Read in a moved collection: %v", err)
	}
}

// TestFailedOverwrite: RFC 4918, 9.8.4 and 9.9.3: what a COPY or MOVE would
// replace is there until all of the new is.
func TestFailedOverwrite(t *testing.T) {
	fx := newFixture(t)
	fx.put("a.ics", 1)
	fx.must(os.MkdirAll(fx.at("user/cal/"+strings.Repeat("d/", maxDepth)), 0o777)) // too deep to be copied
	fx.update(func(tx *Tx) error {
		return errors.Join(
			tx.Mkcol("user/other", Props{{"tag", "VCALENDAR"}}, nil),
			tx.Copy("user/cal/a.ics", "user/other/b.ics", true))
	})
	fx.must(os.WriteFile(fx.at("user/note"), []byte("note"), 0o666))
	for _, to := range []string{"user/other", "user/note", "user/new"} {
		if err := fx.try(func(tx *Tx) error { return tx.Copy(calPath, to, true) }); !errors.Is(err, ErrName) {
			t.Errorf("copy to %s: %v", to, err)
		}
	}
	failure := errors.New("failure")
	fx.update(func(tx *Tx) error {
		f, err := fx.openFolder("user")
		fx.must(err)
		defer f.close()
		if err := tx.displacing(f, "other", func() error { return failure }); !errors.Is(err, failure) {
			t.Errorf("displacing: %v", err)
		}
		return nil
	})
	for _, path := range []string{"user/other/b.ics", "user/note", "user/cal/a.ics"} {
		if _, err := os.Stat(fx.at(path)); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(fx.at("user/new")); err == nil {
		t.Error("half a copy is there")
	}
	fx.noTemps()
	fx.checkAgainstFolder("user/other")
}

// TestTwoPaths: a collection that is reached by two paths has one journal.
func TestTwoPaths(t *testing.T) {
	fx := newFixture(t)
	fx.put("a.ics", 1)
	token := fx.collection().SyncToken()
	fx.must(os.Symlink("cal", fx.at("user/alias")))
	fx.update(func(tx *Tx) error { return tx.Move("user/alias/a.ics", "user/cal/b.ics") })
	c, err := fx.unsynced(calPath)
	if err != nil {
		t.Fatalf("the journal is not up to date: %v", err)
	}
	if got := changes(t, c, token); !slices.Equal(got, []string{"+b.ics", "-a.ics"}) {
		t.Errorf("changes %v", got)
	}
	c.Close()
	fx.checkTruth()
	for _, to := range []string{"user/alias/b.ics", "user/cal/b.ics"} {
		if err := fx.try(func(tx *Tx) error { return tx.Move("user/cal/b.ics", to) }); !errors.Is(err, ErrKind) {
			t.Errorf("move to itself: %v", err)
		}
	}
	fx.checkTruth()
	if len(fx.logs) > 0 {
		t.Error(fx.logs)
	}
}

// TestUnwritableProperties: an object whose properties cannot be removed is
// gone all the same.
func TestUnwritableProperties(t *testing.T) {
	fx := newFixture(t)
	for _, name := range []string{"a.ics", "b.ics"} {
		fx.put(name, 1)
	}
	fx.must(os.WriteFile(fx.at("user/cal/.inetdav.props"), make([]byte, maxProps+1), 0o666))
	fx.update(func(tx *Tx) error { return tx.Delete(calPath + "/a.ics") })
	if err := fx.try(func(tx *Tx) error { return tx.Move(calPath+"/b.ics", "user/b.ics") }); !errors.Is(err, ErrTooLarge) {
		t.Errorf("moved without its properties: %v", err)
	}
	if c := fx.checkTruth(); c.Len() != 1 || len(fx.logs) == 0 {
		t.Errorf("%d objects, log %q", c.Len(), fx.logs)
	}
}

func findUID(tx *Tx, uid string) (name string, ok bool, err error) {
	c, err := tx.Collection(calPath)
	if err != nil {
		return "", false, err
	}
	name, ok = c.FindUID(uid)
	return name, ok, c.Err()
}
