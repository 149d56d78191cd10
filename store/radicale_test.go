package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// radicaleFolder copies a folder of testdata and opens it.
func radicaleFolder(t *testing.T, name string) *fixture {
	t.Helper()
	fx := &fixture{t: t, opts: Options{Folder: t.TempDir(), FolderUmask: -1, StatAge: statNever}}
	fx.must(os.CopyFS(fx.opts.Folder, os.DirFS(filepath.Join("testdata", name))))
	fx.reopen()
	t.Cleanup(func() { fx.Store.Close() })
	return fx
}

func (fx *fixture) open(path string) *Collection {
	fx.t.Helper()
	c, err := fx.Store.Collection(context.Background(), path)
	fx.must(err)
	fx.t.Cleanup(func() { c.Close() })
	return c
}

// changesSince sums up what a client is told who comes with a token.
func (fx *fixture) changesSince(path, token string) []string {
	fx.t.Helper()
	c := fx.open(path)
	changes, err := c.Changes(token)
	fx.must(err)
	var names []string
	for ch := range changes {
		name := strings.Clone(ch.Name)
		if ch.Removed {
			name = "-" + name
		}
		names = append(names, name)
	}
	fx.must(c.Err())
	slices.Sort(names)
	return names
}

// TestRadicaleTakenOver: who was a client of Radicale's finds each object under
// the entity tag that it knows, and is told what happened since its sync token,
// no more and no less. testdata/make-radicale.py made the folders.
func TestRadicaleTakenOver(t *testing.T) {
	for _, test := range []struct {
		version   string
		elsewhere bool // use_cache_subfolder_for_...
	}{{"radicale-3.0", false}, {"radicale-3.1.8", false}, {"radicale-3.8", false}, {"radicale-3.8", true}} {
		version, name := test.version, test.version
		if test.elsewhere {
			name += " with a cache folder"
		}
		t.Run(name, func(t *testing.T) {
			fx := radicaleFolder(t, version)
			caches := filepath.Join(fx.opts.Folder, rootName)
			if test.elsewhere {
				caches = filepath.Join(fx.opts.Folder, cacheRootName)
				for _, c := range []string{"u/cal", "u/book"} {
					fx.must(os.MkdirAll(filepath.Join(caches, c), 0o777))
					fx.must(os.Rename(filepath.Join(fx.opts.Folder, rootName, c, radicaleCache), filepath.Join(caches, c, radicaleCache)))
				}
				fx.opts.CacheFolder = fx.opts.Folder
				fx.opts.ItemsInCacheFolder, fx.opts.HistoryInCacheFolder, fx.opts.TokensInCacheFolder = true, true, true
				fx.reopen()
			}
			expect, err := os.ReadFile(filepath.Join("testdata", version, "expect"))
			fx.must(err)
			tokens, hands := map[string]string{}, 0
			for line := range strings.Lines(string(expect)) {
				words := strings.Fields(line)
				switch {
				case words[0] == "token":
					tokens[words[1]] = words[2]
				case strings.HasSuffix(words[1], "/edited.ics"):
					// Radicale has not seen this one since.
				default:
					collection, name := splitPath(words[1])
					c := fx.open(collection)
					r, _ := c.Lookup(name)
					data, read, err := c.Read(name, nil)
					fx.must(err)
					o, err := fx.OpenObject(words[1])
					fx.must(err)
					o.Close()
					var locked string
					fx.update(func(tx *Tx) (err error) { locked, err = tx.ETag(words[1]); return err })
					if want := words[2]; r.ETag() != want || read != want || o.ETag != want || locked != want {
						t.Errorf("%s: listed %s, read %s, opened %s, locked %s, want %s", words[1], r.ETag(), read, o.ETag, locked, want)
					}
					if digest := hash(data); digest.etag() != words[2] {
						hands++
					}
				}
			}
			if hands != 2 {
				t.Errorf("%d objects have another tag than their hash, want 2", hands)
			}
			if got, want := fx.changesSince("u/cal", tokens["u/cal"]), []string{"-gone.ics", "-removed.ics", "changed.ics", "edited.ics", "new.ics"}; !slices.Equal(got, want) {
				t.Errorf("since Radicale's token: %v, want %v", got, want)
			}
			if got := fx.changesSince("u/book", tokens["u/book"]); got != nil {
				t.Errorf("nothing happened, but %v", got)
			}

			// The tags stay, whatever becomes of Radicale's cache.
			fx.must(os.RemoveAll(filepath.Join(caches, "u/cal/.Radicale.cache/item")))
			before := fx.open("u/cal")
			r, _ := before.Lookup("hand.ics")
			fx.update(func(tx *Tx) error { return tx.Move("u/cal/hand.ics", "u/cal/moved.ics") })
			moved := filepath.Join(fx.opts.Folder, "collection-root/u/cal/moved.ics")
			fx.must(os.Chtimes(moved, time.Unix(1, 0), time.Unix(1, 0)))
			fx.opts.StatAge = StatAlways
			fx.reopen()
			after, _ := fx.open("u/cal").Lookup("moved.ics")
			if after.ETag() != r.ETag() {
				t.Errorf("moved, %s is %s", r.ETag(), after.ETag())
			}
			// Other bytes have another, and so have the same ones when a client
			// sends them: it was told the hash.
			data, _, err := fx.open("u/cal").Read("moved.ics", nil)
			fx.must(err)
			st, err := fx.StageBytes("u/cal", data)
			fx.must(err)
			token := fx.open("u/cal").SyncToken()
			fx.update(func(tx *Tx) error { _, err := tx.Put("u/cal/moved.ics", st, after.Summary); return err })
			if r, _ := fx.open("u/cal").Lookup("moved.ics"); r.ETag() != st.ETag || r.ETag() == after.ETag() {
				t.Errorf("sent by a client it is %s, who was told %s", r.ETag(), st.ETag)
			}
			if got := fx.changesSince("u/cal", token); !slices.Equal(got, []string{"moved.ics"}) {
				t.Errorf("sent by a client, others are told %v", got)
			}
			for _, bad := range []string{radicaleToken, radicaleToken + strings.Repeat("0", 64), radicaleToken + strings.Repeat("../", 22)[:64], tokens["u/book"]} {
				if _, err := fx.open("u/cal").Changes(bad); !errors.Is(err, ErrSyncToken) {
					t.Errorf("%s: %v", bad, err)
				}
			}
		})
	}
}

// TestRadicaleSameTag: vobject drops what is behind a comma, so that Radicale may
// call two texts by one tag. Here what differs has different ones.
func TestRadicaleSameTag(t *testing.T) {
	fx := radicaleFolder(t, "radicale-3.1.8")
	at := filepath.Join(fx.opts.Folder, "collection-root/u/cal")
	r, _ := fx.open("u/cal").Lookup("hand.ics")
	old, err := os.ReadFile(at + "/hand.ics")
	fx.must(err)
	data := bytes.Replace(old, []byte("by hand"), []byte("by hand, again"), 1)
	tag := sum(bytes.Repeat([]byte{7}, 32))
	if !bytes.Contains(data, []byte("again")) || r.tag == (sum{}) {
		t.Fatal("the fixture is another")
	}
	entry := func(data []byte, etag string) []byte {
		digest := hash(append([]byte("radicale=3.1.8;vobject=0.9.6.1;python-dateutil=2.8.2;"), data...))
		return appendPickle(nil, []string{strings.Trim(digest.etag(), `"`), "hand", etag, "text", "VCALENDAR", "VEVENT"}, []int64{1, 2})
	}
	replace := func(data []byte, etag string) {
		fx.must(os.WriteFile(at+"/.Radicale.cache/item/hand.ics", entry(data, etag), 0o666))
		fx.must(os.WriteFile(at+"/.new", data, 0o666))
		fx.must(os.Rename(at+"/.new", at+"/hand.ics"))
	}
	replace(data, r.ETag())
	if now, _ := fx.open("u/cal").Lookup("hand.ics"); now.ETag() == r.ETag() {
		t.Error("other bytes, the same tag")
	}
	replace(old, tag.etag())
	if now, _ := fx.open("u/cal").Lookup("hand.ics"); now.ETag() != tag.etag() {
		t.Error("an entry that fits is not used")
	}
	replace(append(data, "\r\n"...), `"my-own"`)
	if now, _ := fx.open("u/cal").Lookup("hand.ics"); now.tag != (sum{}) {
		t.Error("a tag which is no hash is used")
	}
	// The form of use_mtime_and_size_for_item_cache.
	st, err := os.Stat(at + "/hand.ics")
	fx.must(err)
	c := &itemCache{}
	rec := record{stat: fileStat{size: 12, mtime: st.ModTime().UnixNano()}}
	for known, want := range map[string]bool{
		"radicale=3.3.1;vobject=0.9.9;size=12;mtime=" + strconv.FormatInt(rec.stat.mtime, 10):   true,
		"radicale=3.3.1;vobject=0.9.9;size=2;mtime=" + strconv.FormatInt(rec.stat.mtime, 10):    false,
		"radicale=3.3.1;vobject=0.9.9;size=12;mtime=" + strconv.FormatInt(rec.stat.mtime+1, 10): false,
	} {
		if c.fits(known, &rec, nil) != want {
			t.Errorf("%s: %v", known, !want)
		}
	}
}

// TestBrokenFolder: what a crash, an old version or a careless hand left in a
// folder costs nothing but itself.
func TestBrokenFolder(t *testing.T) {
	fx := radicaleFolder(t, "radicale-3.1.8")
	at := filepath.Join(fx.opts.Folder, "collection-root/u")
	write := func(name string, data string) {
		t.Helper()
		fx.must(os.MkdirAll(filepath.Dir(filepath.Join(at, name)), 0o777))
		fx.must(os.WriteFile(filepath.Join(at, name), []byte(data), 0o666))
	}
	// Pickles: torn, empty, none, one that would run a command, Radicale 2's tuple.
	for name, b := range map[string]string{
		"hand.ics": "\x80\x04\x95", "edited.ics": "", "kept.ics": "text",
		"changed.ics": "cos\nsystem\n(S'true'\ntR.",
		"new.ics":     string(appendPickle(nil, []string{"h", "u", `"e"`, "t", "VEVENT"}, []int64{1, 2})),
	} {
		write("cal/.Radicale.cache/item/"+name, b)
		write("cal/.Radicale.cache/history/"+name, b)
	}
	// Leftovers.
	write("cal/.Radicale.tmp-abcdefgh/hand.ics", "torn")
	write(".Radicale.tmp-abcdefgh/collection/x.ics", "torn")
	write("cal/.hidden", "x")
	write("cal/backup~", "x")
	write("cal/broken.ics", "BEGIN:VCALENDAR\r\n")
	// Properties: none, null, no text, no JSON, a tag of another version.
	fx.must(os.Remove(filepath.Join(at, "book/.Radicale.props")))
	write("null/.Radicale.props", `{"tag": "VCALENDAR", "D:displayname": null, "C:calendar-description": 7}`)
	write("torn/.Radicale.props", `{"tag": "VCALEN`)
	write("other/.Radicale.props", `{"tag": "VJOURNAL"}`)

	names := map[string]Kind{}
	home := fx.open("u")
	for name, err := range home.Collections() {
		fx.must(err)
		r, err := fx.Resource("u/" + name)
		fx.must(err)
		names[name] = r.Kind
	}
	if want := map[string]Kind{"cal": Calendar, "book": Plain, "null": Calendar, "torn": Plain, "other": Plain}; !maps.Equal(names, want) {
		t.Errorf("collections %v, want %v", names, want)
	}
	cal := fx.open("u/cal")
	listed := slices.Sorted(maps.Keys(fx.etagsOf(cal)))
	if want := []string{"broken.ics", "changed.ics", "edited.ics", "hand.ics", "kept.ics", "new.ics"}; !slices.Equal(listed, want) {
		t.Errorf("objects %v, want %v", listed, want)
	}
	for name, etag := range fx.etagsOf(cal) {
		data, read, err := cal.Read(name, nil)
		if digest := hash(data); err != nil || read != etag || etag != digest.etag() {
			t.Errorf("%s: %s, read %s, %v", name, etag, read, err)
		}
	}
	if p := fx.open("u/null").Props(); len(p) != 1 {
		t.Errorf("null/.Radicale.props: %v", p)
	}
}

func (fx *fixture) etagsOf(c *Collection) map[string]string {
	tags := map[string]string{}
	for r := range c.Objects() {
		tags[strings.Clone(r.Name)] = r.ETag()
	}
	fx.must(c.Err())
	return tags
}

func TestPickle(t *testing.T) {
	// From Python: pickle.dumps(v, protocol).
	tests := []struct {
		name, in string
		kind     pickleKind
		texts    []string // nil: an error
	}{
		{"protocol 4", "\x80\x04\x95\x0e\x00\x00\x00\x00\x00\x00\x00]\x94(\x8c\x01a\x94\x8c\x01b\x94e.", pickleList, []string{"a", "b"}},
		{"protocol 3", "\x80\x03]q\x00(X\x01\x00\x00\x00aq\x01X\x01\x00\x00\x00bq\x02e.", pickleList, []string{"a", "b"}},
		{"the same text twice", "\x80\x04\x95\x0c\x00\x00\x00\x00\x00\x00\x00]\x94(\x8c\x01a\x94h\x01e.", pickleList, []string{"a", "a"}},
		{"a dictionary", "\x80\x04\x95\x0d\x00\x00\x00\x00\x00\x00\x00}\x94\x8c\x01a\x94\x8c\x01b\x94s.", pickleDict, []string{"a", "b"}},
		{"a pair", "\x80\x04\x95\x0a\x00\x00\x00\x00\x00\x00\x00\x8c\x01a\x94h\x00\x86\x94.", pickleList, []string{"a", "a"}},
		{"a number", "\x80\x04K\x01\x8c\x01a\x86.", pickleList, nil},
		{"a global", "cos\nsystem\n(S'true'\ntR.", pickleList, nil},
		{"a global of protocol 4", "\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R.", pickleList, nil},
		{"a list that is its own member", "\x80\x04]\x94h\x00a.", pickleList, nil},
		{"no end", "\x80\x04]\x94", pickleList, nil},
		{"an open mark", "](.", pickleList, nil},
		{"below a mark", "]\x8c\x01a(a.", pickleList, nil},
		{"nothing", ".", pickleList, nil},
		{"a text longer than the rest", "X\xff\xff\xff\xffa.", pickleList, nil},
		{"an item below a mark, and another end", "]\x8c\x01a(ae.", pickleList, nil},
		{"half a pair", "}(\x8c\x01au.", pickleDict, nil},
		{"too many", strings.Repeat("N", 65) + ".", pickleList, nil},
	}
	for _, test := range tests {
		p, err := parsePickle([]byte(test.in), maxItemValues)
		var texts []string
		if err == nil {
			texts, err = p.texts(test.kind, -1)
		}
		if (err != nil) != (test.texts == nil) || !slices.Equal(texts, test.texts) {
			t.Errorf("%s: %q, %v, want %q", test.name, texts, err, test.texts)
		}
	}
	if _, err := parsePickle([]byte("\x80\x04]\x94h\x00a."), maxItemValues); err == nil {
		t.Error("a list may be its own member")
	}
	p, err := parsePickle(appendPickle(nil, []string{"ü", ""}, []int64{-62135596800, 253402300800}), maxItemValues)
	if err != nil || len(p.items) != 4 || p.items[0].text != "ü" || p.items[2].number != -62135596800 || p.items[3].number != 253402300800 {
		t.Errorf("back: %v, %v", p, err)
	}
}

func FuzzPickle(f *testing.F) {
	f.Add([]byte("\x80\x04\x95\x0e\x00\x00\x00\x00\x00\x00\x00]\x94(\x8c\x01a\x94\x8c\x01b\x94e."))
	f.Add(appendPickle(nil, []string{"a", "b"}, []int64{1}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, err := parsePickle(b, 100); err == nil && len(p.items) > 100 {
			t.Errorf("%d items", len(p.items))
		}
	})
}

// appendPickle appends the pickle, in protocol 2, of a tuple of texts and, after
// them, numbers.
func appendPickle(dst []byte, texts []string, numbers []int64) []byte {
	dst = append(dst, opProto, 2, opMark)
	for _, s := range texts {
		dst = append(dst, opBinUnicode)
		dst = binary.LittleEndian.AppendUint32(dst, uint32(len(s)))
		dst = append(dst, s...)
	}
	for _, n := range numbers {
		dst = append(dst, opLong1, 8)
		dst = binary.LittleEndian.AppendUint64(dst, uint64(n))
	}
	return append(dst, opTuple, opStop)
}
