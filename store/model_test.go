package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"inetdav/store/object"
)

// syncClient is a client that knows a collection only by its sync reports
// (RFC 6578), some of which were cut short.
type syncClient struct {
	token string
	have  map[string]string
}

// sync follows the changes, stopping early at limit (0: never).
func (sc *syncClient) sync(t testing.TB, c *Collection, limit int) {
	t.Helper()
	seq, err := c.Changes(sc.token)
	if errors.Is(err, ErrSyncToken) {
		sc.token, sc.have = "", map[string]string{}
		seq, err = c.Changes("")
	}
	if err != nil {
		t.Fatal(err)
	}
	if sc.have == nil {
		sc.have = map[string]string{}
	}
	n := 0
	for ch := range seq {
		if ch.Removed {
			delete(sc.have, ch.Name)
		} else {
			sc.have[strings.Clone(ch.Name)] = ch.ETag()
		}
		if n++; n == limit {
			sc.token = ch.Token()
			return
		}
	}
	if c.Err() != nil {
		t.Fatal(c.Err())
	}
	sc.token = c.SyncToken()
}

// sync takes a snapshot for the client to follow.
func (fx *fixture) sync(sc *syncClient, limit int) {
	fx.t.Helper()
	c, err := fx.Collection(calPath)
	fx.must(err)
	defer c.Close()
	sc.sync(fx.t, c, limit)
}

// TestModel does random things to a collection, with the store and behind its
// back, and compares it with a plain map of what ought to be there.
func TestModel(t *testing.T) {
	for _, mode := range []struct {
		name   string
		change func(*Options)
	}{
		{"in the collection", func(o *Options) { o.StatAge = StatAlways }},
		{"cache folder", func(o *Options) {
			o.StatAge = StatAlways
			o.CacheFolder = filepath.Join(o.Folder, "elsewhere")
		}},
		{"short memory", func(o *Options) {
			o.StatAge = StatAlways
			o.MaxSyncTokenAge = time.Nanosecond
		}},
	} {
		t.Run(mode.name, func(t *testing.T) {
			seeds := 6
			if testing.Short() {
				seeds = 2
			}
			for seed := range seeds {
				t.Run(fmt.Sprint(seed), func(t *testing.T) { runModel(t, uint64(seed), mode.change) })
			}
		})
	}
}

func runModel(t *testing.T, seed uint64, change func(*Options)) {
	fx := newFixture(t, change)
	rnd := rand.New(rand.NewPCG(seed, 1))
	want := map[string][]byte{}
	var clients [4]syncClient
	name := func() string { return fmt.Sprintf("o%d.ics", rnd.IntN(30)) }
	path := func(n string) string { return filepath.Join(fx.dir, n) }
	version := 0
	for step := range 300 {
		n := name()
		version++
		b := event(strings.TrimSuffix(n, ".ics"), version)
		switch op := rnd.IntN(14); op {
		case 0, 1, 2, 3:
			fx.put(n, version)
			want[n] = b
		case 4, 5:
			if _, ok := want[n]; ok {
				fx.update(func(tx *Tx) error { return tx.Delete(calPath + "/" + n) })
				delete(want, n)
			}
		case 6:
			to := name()
			if _, ok := want[n]; ok && to != n {
				fx.update(func(tx *Tx) error { return tx.Move(calPath+"/"+n, calPath+"/"+to) })
				want[to] = want[n]
				delete(want, n)
			}
		case 7:
			fx.must(os.WriteFile(path(n), b, 0o666)) // in place, or new
			want[n] = b
		case 8:
			fx.must(os.WriteFile(path(".tmp"), b, 0o666))
			fx.must(os.Rename(path(".tmp"), path(n)))
			want[n] = b
		case 9:
			if _, ok := want[n]; ok {
				fx.must(os.Remove(path(n)))
				delete(want, n)
			}
		case 10: // the same size, the old time
			if _, ok := want[n]; ok {
				info, err := os.Stat(path(n))
				fx.must(err)
				fx.must(os.WriteFile(path(n), b, 0o666))
				fx.must(os.Chtimes(path(n), info.ModTime(), info.ModTime()))
				want[n] = b
			}
		case 11:
			st, err := fx.StageCollection(calPath)
			fx.must(err)
			for keep := range want {
				if rnd.IntN(4) == 0 {
					delete(want, keep)
				}
			}
			want[n] = b
			for _, keep := range slices.Sorted(maps.Keys(want)) {
				fx.must(st.Add(keep, want[keep]))
			}
			if rnd.IntN(4) == 0 {
				fx.update(func(tx *Tx) error {
					return tx.Replace(calPath, Props{{"tag", "VCALENDAR"}}, st)
				})
			} else {
				// Another process replaces the folder, as Radicale does.
				st.Discard()
				for old := range list(t, fx.collection()) {
					if _, ok := want[old]; !ok {
						fx.must(os.Remove(path(old)))
					}
				}
				fx.must(os.WriteFile(path(n), b, 0o666))
			}
		case 12:
			fx.update(func(tx *Tx) error {
				return tx.SetProps(calPath, Props{{"D:displayname", fmt.Sprint(step)}, {"tag", "VCALENDAR"}}, nil)
			})
		case 13:
			if rnd.IntN(5) == 0 {
				forceFold(fx)
			}
		}
		if rnd.IntN(3) > 0 {
			continue
		}
		c, err := fx.Collection(calPath)
		fx.must(err)
		checkModel(t, c, want)
		for i := range clients {
			if rnd.IntN(3) == 0 {
				clients[i].sync(t, c, []int{0, 0, 3, 1}[i])
			}
		}
		c.Close()
	}
	c := fx.collection()
	checkModel(t, c, want)
	for i := range clients {
		clients[i].sync(t, c, 0)
		if got := list(t, c); !equalMaps(clients[i].have, got) {
			t.Errorf("client %d has %v\nwant %v", i, clients[i].have, got)
		}
	}
	var report strings.Builder
	if _, err := Verify(fx.opts, &report); err != nil {
		t.Error(err)
	}
	for line := range strings.Lines(report.String()) {
		if !strings.Contains(line, "same UID") { // moved objects
			t.Errorf("Verify: %s", line)
		}
	}
}

// forceFold folds whatever there is.
func forceFold(fx *fixture) {
	fx.t.Helper()
	fx.update(func(tx *Tx) error {
		l, err := tx.live(calPath)
		if err != nil {
			return err
		}
		return l.fold()
	})
}

func checkModel(t *testing.T, c *Collection, want map[string][]byte) {
	t.Helper()
	etags := map[string]string{}
	for n, b := range want {
		etags[n] = etagOf(b)
	}
	if got := list(t, c); !equalMaps(got, etags) {
		t.Fatalf("listed %v\nwant %v", got, etags)
	}
	for n, b := range want {
		r, ok := c.Lookup(n)
		if !ok || r.ETag() != etags[n] || r.Size != int64(len(b)) {
			t.Fatalf("Lookup(%q) = %+v, %v", n, r, ok)
		}
		sum, err := object.Summarize(object.KindCalendar, b)
		if err != nil {
			t.Fatal(err)
		}
		if r.UID != sum.UID || r.Start != sum.Start || r.End != sum.End || r.Flags != sum.Flags ||
			r.Component != sum.Component || !bytes.Equal(r.Hints, sum.Hints) {
			t.Fatalf("%q: %+v\nwant %+v", n, r.Summary, sum)
		}
		// A moved object keeps its UID: two may share one.
		if name, ok := c.FindUID(sum.UID); !ok || !strings.Contains(string(want[name]), "UID:"+sum.UID+"\r") {
			t.Fatalf("FindUID(%q) = %q, %v", sum.UID, name, ok)
		}
	}
	for _, gone := range []string{"o", "o99.ics"} {
		if _, ok := c.Lookup(gone); ok || c.Err() != nil {
			t.Fatalf("Lookup(%q): %v %v", gone, ok, c.Err())
		}
		if _, ok := c.FindUID(gone); ok {
			t.Fatalf("FindUID(%q)", gone)
		}
	}
}

func TestUpdateTimesOut(t *testing.T) {
	fx := newFixture(t, func(o *Options) { o.LockTimeout = time.Millisecond })
	other, err := Open(fx.opts)
	fx.must(err)
	defer other.Close()
	fx.update(func(tx *Tx) error {
		if err := other.Update(context.Background(), func(*Tx) error { return nil }); !errors.Is(err, ErrLocked) {
			t.Errorf("second writer: %v", err)
		}
		if _, err := other.Collection(context.Background(), calPath); !errors.Is(err, ErrLocked) {
			t.Errorf("reader: %v", err)
		}
		gone, leave := context.WithCancel(context.Background())
		leave()
		for _, take := range []func(context.Context, string) (*Collection, error){fx.Store.Collection, fx.Store.Listing} {
			if _, err := take(gone, calPath); !errors.Is(err, context.Canceled) {
				t.Errorf("reader who has gone: %v", err)
			}
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		other.LockTimeout = time.Hour
		if err := other.Update(ctx, func(*Tx) error { return nil }); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
		return nil
	})
	// What gave up waiting left nothing locked.
	fx.must(other.Update(context.Background(), func(*Tx) error { return nil }))
}
