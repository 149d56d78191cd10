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
	"syscall"
	"testing"
	"time"

	"inetdav/store/object"
)

// TestForeignChanges: whatever another program does to the folder is seen at
// the next look, and is in the history.
func TestForeignChanges(t *testing.T) {
	tests := []struct {
		name string
		do   func(fx *fixture) error
		want []string
		age  time.Duration // StatAge that it takes to see it
	}{
		{"add", func(fx *fixture) error {
			return os.WriteFile(fx.at("user/cal/new.ics"), event("new", 1), 0o666)
		}, []string{"+new.ics"}, statNever},
		{"add an empty file", func(fx *fixture) error {
			return os.WriteFile(fx.at("user/cal/new.ics"), nil, 0o666)
		}, []string{"+new.ics"}, statNever},
		{"remove", func(fx *fixture) error { return os.Remove(fx.at("user/cal/a.ics")) }, []string{"-a.ics"}, statNever},
		{"rename", func(fx *fixture) error {
			return os.Rename(fx.at("user/cal/a.ics"), fx.at("user/cal/z.ics"))
		}, []string{"-a.ics", "+z.ics"}, statNever},
		{"rename over another", func(fx *fixture) error {
			return os.Rename(fx.at("user/cal/a.ics"), fx.at("user/cal/b.ics"))
		}, []string{"-a.ics", "+b.ics"}, statNever},
		{"replace", func(fx *fixture) error {
			return errors.Join(
				os.WriteFile(fx.at("user/cal/.new"), event("a", 9), 0o666),
				os.Rename(fx.at("user/cal/.new"), fx.at("user/cal/a.ics")))
		}, []string{"+a.ics"}, statNever},
		{"replace by a file of the same size and time", func(fx *fixture) error {
			info, err := os.Stat(fx.at("user/cal/a.ics"))
			return errors.Join(err,
				os.WriteFile(fx.at("user/cal/.new"), event("a", 9), 0o666),
				os.Chtimes(fx.at("user/cal/.new"), info.ModTime(), info.ModTime()),
				os.Rename(fx.at("user/cal/.new"), fx.at("user/cal/a.ics")))
		}, []string{"+a.ics"}, statNever},
		{"edit in place", func(fx *fixture) error {
			return os.WriteFile(fx.at("user/cal/a.ics"), event("a", 9), 0o666)
		}, []string{"+a.ics"}, StatAlways},
		{"edit in place, same size and time", func(fx *fixture) error {
			info, err := os.Stat(fx.at("user/cal/a.ics"))
			return errors.Join(err,
				os.WriteFile(fx.at("user/cal/a.ics"), event("a", 9), 0o666),
				os.Chtimes(fx.at("user/cal/a.ics"), info.ModTime(), info.ModTime()))
		}, []string{"+a.ics"}, StatAlways},
		{"edit in place, small collection", func(fx *fixture) error {
			past := time.Now().Add(-3 * statAgePerObject) // the last pass
			return errors.Join(
				os.Chtimes(fx.journal(checkedName), past, past),
				os.WriteFile(fx.at("user/cal/a.ics"), event("a", 9), 0o666))
		}, []string{"+a.ics"}, StatAuto},
		{"touch", func(fx *fixture) error {
			return os.Chtimes(fx.at("user/cal/a.ics"), time.Unix(1, 0), time.Unix(1, 0))
		}, nil, StatAlways},
		{"touch the folder", func(fx *fixture) error {
			return os.Chtimes(fx.dir, time.Unix(1, 0), time.Unix(1, 0))
		}, nil, statNever},
		{"link", func(fx *fixture) error {
			return os.Symlink("a.ics", fx.at("user/cal/l.ics"))
		}, []string{"+l.ics"}, statNever},
		{"absolute link", func(fx *fixture) error {
			return os.Symlink(fx.at("user/cal/a.ics"), fx.at("user/cal/l.ics"))
		}, []string{"+l.ics"}, statNever},
		{"link to another collection", func(fx *fixture) error {
			return errors.Join(
				os.WriteFile(fx.at("user/x"), event("x", 1), 0o666),
				os.Symlink("../x", fx.at("user/cal/l.ics")))
		}, []string{"+l.ics"}, statNever},
		{"link out of the root", func(fx *fixture) error {
			return os.Symlink("/etc/passwd", fx.at("user/cal/l.ics"))
		}, nil, statNever},
		{"relative link out of the root", func(fx *fixture) error {
			return os.Symlink("../../../.Radicale.lock", fx.at("user/cal/l.ics"))
		}, nil, statNever},
		{"dangling link", func(fx *fixture) error { return os.Symlink("no", fx.at("user/cal/l.ics")) }, nil, statNever},
		{"looping link", func(fx *fixture) error { return os.Symlink("l.ics", fx.at("user/cal/l.ics")) }, nil, statNever},
		{"FIFO", func(fx *fixture) error { return syscall.Mkfifo(fx.at("user/cal/fifo"), 0o666) }, nil, statNever},
		{"folder", func(fx *fixture) error { return os.Mkdir(fx.at("user/cal/sub"), 0o777) }, nil, statNever},
		{"object replaced by a folder", func(fx *fixture) error {
			return errors.Join(os.Remove(fx.at("user/cal/a.ics")), os.Mkdir(fx.at("user/cal/a.ics"), 0o777))
		}, []string{"-a.ics"}, statNever},
		{"names that are none", func(fx *fixture) error {
			return errors.Join(
				os.WriteFile(fx.at("user/cal/.hidden"), event("x", 1), 0o666),
				os.WriteFile(fx.at("user/cal/backup~"), event("x", 1), 0o666))
		}, nil, statNever},
		{"Radicale's temporary folder", func(fx *fixture) error {
			return os.Mkdir(fx.at("user/cal/.Radicale.tmp-abcdefgh"), 0o700)
		}, nil, statNever},
		{"everything", func(fx *fixture) error {
			var err error
			for i := range 600 { // more than a log takes
				err = errors.Join(err, os.WriteFile(fx.at(fmt.Sprintf("user/cal/%s%03d", strings.Repeat("n", 200), i)), event("x", i), 0o666))
			}
			return err
		}, nil, statNever},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			fx := newFixture(t, func(o *Options) { o.StatAge = test.age })
			fx.put("a.ics", 1)
			fx.put("b.ics", 2)
			token := fx.collection().SyncToken()
			fx.must(test.do(fx))
			c, err := fx.Collection(calPath)
			fx.must(err)
			defer c.Close()
			got := changes(t, c, token)
			slices.Sort(got)
			want := slices.Clone(test.want)
			slices.Sort(want)
			if test.name == "everything" {
				if len(got) != 600 {
					t.Errorf("%d changes", len(got))
				}
			} else if !slices.Equal(got, want) {
				t.Errorf("changes %v, want %v", got, want)
			}
			// Once found, it is not looked for again.
			fx.StatAge = statNever
			again, err := fx.unsynced(calPath)
			if err != nil {
				t.Fatalf("next look: %v", err)
			}
			defer again.Close()
			if again.CTag() != c.CTag() {
				t.Error("ctag changes while nothing happens")
			}
		})
	}
}

// TestEditInLargeCollection: an edit in place in a large collection is seen at
// once in a list of all objects, and within maxStatAge by who polls.
func TestEditInLargeCollection(t *testing.T) {
	fx := newFixture(t, func(o *Options) { o.StatAge = StatAuto })
	for i := range fewObjects + 1 {
		fx.write(fmt.Sprint(i, ".ics"), event(fmt.Sprint(i), 0))
	}
	take := map[string]func(context.Context, string) (*Collection, error){"Collection": fx.Store.Collection, "Listing": fx.Store.Listing}
	token := fx.collection().SyncToken()
	for i, step := range []struct {
		how  string
		idle time.Duration
		seen bool
	}{
		{"Listing", 0, false}, // somebody has just looked
		{"Collection", maxStatAge / 2, false},
		{"Listing", maxStatAge / 2, true},
		{"Collection", maxStatAge + time.Second, true},
		{"Collection", 0, false},
		{"Listing", time.Minute, true},
	} {
		fx.idle(step.idle)
		fx.write("7.ics", event("7", i+1))
		c, err := take[step.how](t.Context(), calPath)
		fx.must(err)
		if got := changes(t, c, token); (len(got) > 0) != step.seen {
			t.Errorf("step %d: %s after %v: changes %v", i, step.how, step.idle, got)
		}
		token = c.SyncToken()
		c.Close()
		if step.seen {
			if c, err = fx.unsynced(calPath); err != nil || c.SyncToken() != token {
				t.Errorf("step %d: not recorded: %v", i, err)
			}
			c.Close()
		}
	}
	// A write does not wait for a look at every object either.
	fx.idle(maxStatAge + time.Second)
	fx.write("7.ics", event("7", 100))
	fx.put("8.ics", 100)
	if c, err := fx.unsynced(calPath); err != nil {
		t.Error(err)
	} else if got := changes(t, c, token); !slices.Equal(got, []string{"+8.ics"}) {
		t.Errorf("a write: changes %v", got)
	}
}

// TestFreshFile: an object that was read in the tick of the clock in which it
// was written is read again, since another edit in that tick leaves no trace.
func TestFreshFile(t *testing.T) {
	fx := newFixture(t)
	fx.write("a.ics", event("a", 1))
	c := fx.checkTruth()
	var r record
	if ok, err := c.j.lookup("a.ics", &r); !ok || err != nil || r.flags != flagRacy {
		t.Fatalf("%v %v flags %v", ok, err, r.flags)
	}
	past := time.Now().Add(-time.Hour)
	fx.must(os.Chtimes(fx.at("user/cal/a.ics"), past, past)) // ctime stays fresh
	fx.StatAge = StatAlways
	c = fx.checkTruth()
	if ok, err := c.j.lookup("a.ics", &r); !ok || err != nil || r.flags != flagRacy || !r.ModTime.Equal(past) {
		t.Fatalf("%v %v flags %v, %v", ok, err, r.flags, r.ModTime)
	}
}

// TestReplacedFolder: another folder at the same path is another history.
func TestReplacedFolder(t *testing.T) {
	fx := newFixture(t)
	fx.put("a.ics", 1)
	token := fx.collection().SyncToken()
	fx.must(os.Rename(fx.dir, fx.dir+".away"))
	fx.must(os.Mkdir(fx.dir, 0o777))
	fx.must(os.WriteFile(fx.at("user/cal/.Radicale.props"), []byte(`{"tag": "VCALENDAR"}`), 0o666))
	c := fx.checkTruth()
	if _, err := c.Changes(token); err != ErrSyncToken {
		t.Error(err)
	}
}

func TestLinkedCollections(t *testing.T) {
	fx := newFixture(t)
	fx.put("a.ics", 1)
	fx.must(fx.EnsurePrincipal("friend"))
	for name, target := range map[string]string{
		"relative": "../user/cal", "absolute": fx.dir, "out-and-in": "../../" + rootName + "/user/cal",
	} {
		fx.must(os.Symlink(target, fx.at("friend/"+name)))
		c, err := fx.Collection("friend/" + name)
		fx.must(err)
		if c.Kind() != Calendar || c.Len() != 1 {
			t.Errorf("%s: %v with %d objects", name, c.Kind(), c.Len())
		}
		if _, _, err := c.Read("a.ics", nil); err != nil {
			t.Error(err)
		}
		c.Close()
	}
	for name, target := range map[string]string{"out": t.TempDir(), "up": "../../..", "proc": "/proc/self/root"} {
		fx.must(os.Symlink(target, fx.at("friend/"+name)))
		if _, err := fx.Collection("friend/" + name); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := fx.Resource("friend/" + name); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := fx.StageBytes("friend/"+name, nil); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("%s: %v", name, err)
		}
	}
	home, err := fx.Collection("friend")
	fx.must(err)
	defer home.Close()
	var names []string
	for name, err := range home.Collections() {
		fx.must(err)
		names = append(names, name)
	}
	if want := []string{"absolute", "out-and-in", "relative"}; !slices.Equal(names, want) {
		t.Errorf("collections %v, want %v", names, want)
	}
	// Deleting a link does not delete what it leads to.
	fx.update(func(tx *Tx) error { return tx.Delete("friend/absolute") })
	if c := fx.checkTruth(); c.Len() != 1 {
		t.Error("the collection was deleted through a link")
	}
	fx.noTemps()
}

func TestUnreadableAndHuge(t *testing.T) {
	fx := newFixture(t, func(o *Options) { o.MaxObject = 1000 })
	fx.put("a.ics", 1)
	fx.write("huge.ics", append(event("huge", 1), make([]byte, 1000)...))
	fx.write("broken.ics", []byte("BEGIN:VCALENDAR\r\nnonsense"))
	c := fx.checkTruth() // with the entity tags of their bytes
	for _, name := range []string{"huge.ics", "broken.ics"} {
		if r, ok := c.Lookup(name); !ok || r.Flags&object.Broken == 0 {
			t.Errorf("%s: %+v %v", name, r, ok)
		}
	}
	if _, _, err := c.Read("huge.ics", nil); !errors.Is(err, ErrTooLarge) {
		t.Errorf("Read: %v", err)
	}
	o, err := fx.OpenObject("user/cal/huge.ics")
	fx.must(err)
	o.Close()
	if n := strings.Count(strings.Join(fx.logs, "\n"), "broken.ics"); n != 1 {
		t.Errorf("the broken object is logged %d times: %q", n, fx.logs)
	}
}

func TestOpenLargeObject(t *testing.T) {
	fx := newFixture(t)
	b := make([]byte, maxInMemory+5)
	b[len(b)-1] = 1
	fx.write("large", b)
	o, err := fx.OpenObject("user/cal/large")
	fx.must(err)
	defer o.Close()
	got := make([]byte, 3)
	if _, err := o.Seek(-3, 2); err != nil {
		t.Fatal(err)
	}
	if n, err := o.Read(got); n != 3 || got[2] != 1 || err != nil || o.ETag != etagOf(b) {
		t.Errorf("%d %v %v", n, got, err)
	}
}

// TestHomesStayClean: what has no objects needs no journal.
func TestHomesStayClean(t *testing.T) {
	fx := newFixture(t)
	for _, path := range []string{"", "user"} {
		c, err := fx.Collection(path)
		fx.must(err)
		if c.Kind() != Plain || c.Len() != 0 || c.SyncToken() != "" || c.CTag() == "" {
			t.Errorf("%q: %v %d %q", path, c.Kind(), c.Len(), c.SyncToken())
		}
		for range c.Objects() {
			t.Error("an object")
		}
		if _, ok := c.Lookup("x"); ok || c.Err() != nil {
			t.Error(c.Err())
		}
		if seq, err := c.Changes(""); err != nil {
			t.Error(err)
		} else {
			for range seq {
				t.Error("a change")
			}
		}
		c.Close()
		if _, err := os.Stat(filepath.Join(fx.at(path), radicaleCache)); err == nil {
			t.Errorf("%q has a journal", path)
		}
	}
	// With an object in it, it has one.
	fx.must(os.WriteFile(fx.at("user/note.txt"), []byte("x"), 0o666))
	fx.checkAgainstFolder("user")
	c, err := fx.Collection("user")
	fx.must(err)
	defer c.Close()
	if c.SyncToken() == "" || c.Len() != 1 {
		t.Errorf("%q %d", c.SyncToken(), c.Len())
	}
}

func TestSweep(t *testing.T) {
	fx := newFixture(t)
	fx.put("a.ics", 1)
	old := time.Now().Add(-2 * tempAge)
	leave := func(path string, folder bool, at time.Time) string {
		p := fx.at(path)
		if folder {
			fx.must(os.MkdirAll(filepath.Join(p, "sub"), 0o777))
		} else {
			fx.must(os.WriteFile(p, nil, 0o666))
		}
		fx.must(os.Chtimes(p, at, at))
		return p
	}
	gone := []string{
		leave("user/cal/.Radicale.tmp-aaaaaaaa", true, old),
		leave("user/cal/.Radicale.tmp-bbbbbbbb", false, old),
	}
	kept := []string{
		leave("user/cal/.Radicale.tmp-cccccccc", true, time.Now()),
		leave("user/cal/.Radicale.tmp-other-name", false, old),
	}
	staged := filepath.Join(fx.dir, radicaleCache, journalName, ".Radicale.tmp-dddddddd")
	fx.must(os.WriteFile(staged, nil, 0o666))
	fx.must(os.Chtimes(staged, old, old))
	forceFold(fx) // a journal that is made anew: at a fold, or at first
	fx.must(os.Remove(fx.journal(indexName)))
	fx.checkTruth()
	for _, p := range append(gone, staged) {
		if _, err := os.Lstat(p); err == nil {
			t.Errorf("%s is still there", p)
		}
	}
	// When the log is folded, what was staged in vain goes too.
	fx.must(os.WriteFile(staged, nil, 0o666))
	fx.must(os.Chtimes(staged, old, old))
	fx.update(func(tx *Tx) error {
		l, err := tx.live(calPath)
		fx.must(err)
		var batch []byte
		for len(batch) < minFold {
			batch = appendEntry(batch, &l.j.head, l.j.size+int64(len(batch)), entryStamp, &l.j.now, nil)
		}
		fx.must(l.append(batch, l.j.now))
		return l.foldIfLarge()
	})
	if _, err := os.Lstat(staged); err == nil {
		t.Errorf("%s is still there after a fold", staged)
	}
	for _, p := range kept {
		if _, err := os.Lstat(p); err != nil {
			t.Error(err)
		}
	}
}
