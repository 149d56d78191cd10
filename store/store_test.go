package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"inetdav/store/object"
)

// fixture is a store in a temporary folder with one calendar.
type fixture struct {
	*Store
	t    testing.TB
	opts Options
	dir  string // of the calendar
	logs []string
}

const calPath = "user/cal"

// statNever relies on the folders' times alone.
const statNever time.Duration = -1

func newFixture(t testing.TB, change ...func(*Options)) *fixture {
	t.Helper()
	fx := &fixture{t: t}
	fx.opts = Options{Folder: t.TempDir(), FolderUmask: -1, StatAge: statNever}
	fx.opts.Logf = func(level int, format string, args ...any) {
		fx.logs = append(fx.logs, fmt.Sprintf(format, args...))
	}
	for _, f := range change {
		f(&fx.opts)
	}
	fx.reopen()
	t.Cleanup(func() { fx.Store.Close() })
	fx.must(fx.EnsurePrincipal("user"))
	fx.update(func(tx *Tx) error { return tx.Mkcol(calPath, Props{{"tag", "VCALENDAR"}}, nil) })
	fx.dir = filepath.Join(fx.opts.Folder, rootName, calPath)
	return fx
}

// reopen opens the store as the next process would.
func (fx *fixture) reopen() {
	fx.t.Helper()
	if fx.Store != nil {
		fx.Store.Close()
	}
	s, err := Open(fx.opts)
	fx.must(err)
	fx.Store = s
}

func (fx *fixture) must(err error) {
	fx.t.Helper()
	if err != nil {
		fx.t.Fatal(err)
	}
}

func (fx *fixture) update(f func(*Tx) error) {
	fx.t.Helper()
	fx.must(fx.Update(context.Background(), f))
}

func event(uid string, n int) []byte {
	return fmt.Appendf(nil, "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:%s\r\n"+
		"DTSTAMP:20260101T000000Z\r\nDTSTART:20260101T100000Z\r\nDTEND:20260101T110000Z\r\nSUMMARY:%06d\r\n"+
		"END:VEVENT\r\nEND:VCALENDAR\r\n", uid, n)
}

// put stores an object; its UID is its name without suffix.
func (fx *fixture) put(name string, n int) string {
	fx.t.Helper()
	b := event(strings.TrimSuffix(name, ".ics"), n)
	st, err := fx.StageBytes(calPath, b)
	fx.must(err)
	defer st.Discard()
	sum, _ := object.Summarize(object.KindCalendar, b)
	fx.update(func(tx *Tx) error {
		_, err := tx.Put(calPath+"/"+name, st, sum)
		return err
	})
	return st.ETag
}

func (fx *fixture) collection() *Collection {
	fx.t.Helper()
	c, err := fx.Collection(calPath)
	fx.must(err)
	fx.t.Cleanup(func() { c.Close() })
	return c
}

// Collection is Store.Collection for who is ready to wait.
func (fx *fixture) Collection(path string) (*Collection, error) {
	return fx.Store.Collection(context.Background(), path)
}

// unsynced returns a snapshot if the journal as it lies there is up to date.
func (fx *fixture) unsynced(path string) (*Collection, error) {
	c, due, err := fx.snapshot(context.Background(), path, usual)
	due.close()
	return c, err
}

// idle lets the last look at every object be so long ago.
func (fx *fixture) idle(d time.Duration) {
	fx.t.Helper()
	past := time.Now().Add(-d)
	fx.must(os.Chtimes(fx.journal(checkedName), past, past))
}

// write writes a file behind the store's back.
func (fx *fixture) write(name string, b []byte) {
	fx.t.Helper()
	fx.must(os.WriteFile(filepath.Join(fx.dir, name), b, 0o666))
}

// list returns name and entity tag of each object.
func list(t testing.TB, c *Collection) map[string]string {
	t.Helper()
	m := map[string]string{}
	last := ""
	for r := range c.Objects() {
		if r.Name <= last {
			t.Fatalf("%q after %q", r.Name, last)
		}
		last = strings.Clone(r.Name)
		m[last] = r.ETag()
	}
	if err := c.Err(); err != nil {
		t.Fatal(err)
	}
	if len(m) != c.Len() {
		t.Fatalf("%d objects, Len says %d", len(m), c.Len())
	}
	return m
}

// truth returns name and entity tag of each file in the folder.
func (fx *fixture) truth() map[string]string {
	fx.t.Helper()
	m := map[string]string{}
	entries, err := os.ReadDir(fx.dir)
	fx.must(err)
	for _, e := range entries {
		if !e.Type().IsRegular() || !listable(e.Name()) {
			continue
		}
		b, err := os.ReadFile(filepath.Join(fx.dir, e.Name()))
		fx.must(err)
		m[e.Name()] = etagOf(b)
	}
	return m
}

func (fx *fixture) checkTruth() *Collection {
	fx.t.Helper()
	c := fx.collection()
	if got, want := list(fx.t, c), fx.truth(); !equalMaps(got, want) {
		fx.t.Fatalf("listed %v\nwant %v\nlog %v", got, want, fx.logs)
	}
	return c
}

func equalMaps(a, b map[string]string) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if b[k] != v {
			return false
		}
	}
	return true
}

// changes returns the changes since token as "+name" and "-name".
func changes(t testing.TB, c *Collection, token string) []string {
	t.Helper()
	seq, err := c.Changes(token)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for ch := range seq {
		sign := "+"
		if ch.Removed {
			sign = "-"
		}
		got = append(got, sign+strings.Clone(ch.Name))
	}
	if c.Err() != nil {
		t.Fatal(c.Err())
	}
	return got
}

func TestPutGetDelete(t *testing.T) {
	fx := newFixture(t)
	etag := fx.put("a.ics", 1)
	fx.put("b.ics", 2)
	c := fx.checkTruth()
	token := c.SyncToken()
	r, ok := c.Lookup("a.ics")
	if !ok || r.ETag() != etag || r.UID != "a" || r.Component != "VEVENT" || r.Name != "a.ics" {
		t.Fatalf("Lookup: %+v %v", r, ok)
	}
	if name, ok := c.FindUID("b"); !ok || name != "b.ics" {
		t.Fatalf("FindUID: %q %v", name, ok)
	}
	if _, ok := c.FindUID("c"); ok {
		t.Fatal("found a UID nobody has")
	}
	data, got, err := c.Read("a.ics", nil)
	if err != nil || got != etag || string(data) != string(event("a", 1)) {
		t.Fatalf("Read: %q %v %v", data, got, err)
	}
	o, err := fx.OpenObject(calPath + "/a.ics")
	fx.must(err)
	if o.ETag != etag || o.In != Calendar || o.Kind != Object || o.Size != r.Size {
		t.Fatalf("OpenObject: %+v", o)
	}
	o.Close()
	etag2 := fx.put("a.ics", 3)
	fx.update(func(tx *Tx) error { return tx.Delete(calPath + "/b.ics") })
	c2 := fx.checkTruth()
	if got := changes(t, c2, token); !slices.Equal(got, []string{"+a.ics", "-b.ics"}) {
		t.Fatalf("changes %v", got)
	}
	if _, ok := c2.FindUID("b"); ok {
		t.Fatal("found a removed UID")
	}
	if r, _ := c2.Lookup("a.ics"); r.ETag() != etag2 {
		t.Fatal("stale etag")
	}
	if got := changes(t, c2, c2.SyncToken()); got != nil {
		t.Fatalf("changes since now: %v", got)
	}
	if c.CTag() == c2.CTag() {
		t.Fatal("same ctag")
	}
	// The old snapshot is what it was.
	if len(list(t, c)) != 2 {
		t.Fatal("snapshot changed")
	}
	if err := fx.Update(context.Background(), func(tx *Tx) error {
		return tx.Delete(calPath + "/b.ics")
	}); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("second delete: %v", err)
	}
	fx.reopen()
	if got := fx.checkTruth(); got.SyncToken() != c2.SyncToken() || got.CTag() != c2.CTag() {
		t.Fatal("another process sees another state")
	}
	if len(fx.logs) > 0 {
		t.Fatal(fx.logs)
	}
}

func etagOf(b []byte) string {
	r := Record{sum: hash(b)}
	return r.ETag()
}
