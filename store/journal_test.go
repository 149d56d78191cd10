package store

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"inetdav/store/object"
)

func (fx *fixture) journal(name string) string {
	return filepath.Join(fx.dir, radicaleCache, journalName, name)
}

// withHistory returns a store whose journal has an index with removals, and a
// log with entries of each kind.
func withHistory(t testing.TB) *fixture {
	fx := newFixture(t)
	for i := range 12 {
		fx.put(fmt.Sprintf("o%02d.ics", i), i)
	}
	remove := func(name string) {
		fx.update(func(tx *Tx) error { return tx.Delete(calPath + "/" + name) })
	}
	remove("o03.ics")
	forceFold(fx)
	fx.put("o03.ics", 100)
	fx.put("o05.ics", 100)
	fx.put("o05.ics", 100) // the same again: a refresh
	fx.put("new.ics", 100)
	remove("o07.ics")
	fx.update(func(tx *Tx) error { return tx.SetProps(calPath, Props{{"tag", "VCALENDAR"}}, nil) })
	fx.put("o09.ics", 100)
	return fx
}

// overwrite changes a file of the journal in place, so that it keeps its inode.
func (fx *fixture) overwrite(name string, b []byte) {
	fx.t.Helper()
	fx.must(os.Truncate(fx.journal(name), 0))
	f, err := os.OpenFile(fx.journal(name), os.O_WRONLY, 0)
	fx.must(err)
	_, err = f.Write(b)
	fx.must(err)
	fx.must(f.Close())
}

// checkHealthy checks that everything a client can ask is answered, and right.
func (fx *fixture) checkHealthy(client *syncClient) {
	fx.t.Helper()
	c, err := fx.Collection(calPath)
	fx.must(err)
	defer c.Close()
	want := fx.truth()
	// Each of these meets other parts of the journal first.
	for name, etag := range want {
		if r, ok := c.Lookup(name); !ok || r.ETag() != etag {
			fx.t.Fatalf("Lookup(%q): %v %v %v", name, r, ok, c.Err())
		}
		uid := strings.TrimSuffix(name, ".ics")
		if got, ok := c.FindUID(uid); !ok || got != name {
			fx.t.Fatalf("FindUID(%q): %q %v %v", uid, got, ok, c.Err())
		}
	}
	if _, ok := c.Lookup("o07.ics"); ok {
		fx.t.Fatal("removed object found")
	}
	if got := list(fx.t, c); !equalMaps(got, want) {
		fx.t.Fatalf("listed %v\nwant %v", got, want)
	}
	client.sync(fx.t, c, 0)
	if !equalMaps(client.have, want) {
		fx.t.Fatalf("client has %v\nwant %v", client.have, want)
	}
}

// TestDamagedJournal flips bits of index and log and cuts them, all over their
// length. Whatever is damaged, answers are right, the damage does not last,
// and a client that replays changes from before converges.
func TestDamagedJournal(t *testing.T) {
	damages := []struct {
		name string
		do   func(b []byte, at int) []byte
	}{
		{"flip", func(b []byte, at int) []byte { b[at] ^= 1 << (at % 8); return b }},
		{"cut", func(b []byte, at int) []byte { return b[:at] }},
	}
	for _, file := range []string{indexName, logName} {
		for _, damage := range damages {
			t.Run(damage.name+" "+file, func(t *testing.T) {
				t.Parallel()
				fx := withHistory(t)
				var client syncClient
				for at := 0; ; at += damageStep(file) {
					// Something the client does not know, at the end of the log.
					fx.sync(&client, at%5)
					fx.put(fmt.Sprintf("o%02d.ics", at%7), at+1000)
					b, err := os.ReadFile(fx.journal(file))
					fx.must(err)
					if at >= len(b) {
						break
					}
					fx.overwrite(file, damage.do(b, at))
					fx.checkHealthy(&client)
					fx.checkHealthy(&client)
				}
			})
		}
	}
}

// damageStep is how far apart the damages are: every byte takes minutes.
func damageStep(file string) int {
	if testing.Short() {
		return 211
	}
	if file == indexName {
		return 41
	}
	return 3
}

// logSize returns the size of the log.
func (fx *fixture) logSize() int64 {
	fx.t.Helper()
	info, err := os.Stat(fx.journal(logName))
	fx.must(err)
	return info.Size()
}

// TestLostEntries takes the last entries off the log, as a disk that lied
// about its cache would after a power cut, and lets the store go on.
func TestLostEntries(t *testing.T) {
	for lost := 1; lost <= 3; lost++ {
		fx := newFixture(t)
		fx.put("a.ics", 1)
		var sizes []int64
		for i := range 4 {
			sizes = append(sizes, fx.logSize())
			fx.put(fmt.Sprintf("%d.ics", i), 2)
		}
		var client syncClient
		fx.sync(&client, 0)
		fx.must(os.Truncate(fx.journal(logName), sizes[len(sizes)-lost]))
		// What takes the numbers of the lost changes must not hide behind them.
		fx.write("+.ics", event("+", 1))
		fx.put("a.ics", 3)
		fx.checkHealthy(&client)
	}
}

// TestTornBatch takes the end off what a scan appended: what is left must not
// claim to be all.
func TestTornBatch(t *testing.T) {
	fx := newFixture(t)
	fx.put("a.ics", 1)
	var before syncClient
	fx.sync(&before, 0)
	start := fx.logSize()
	for i := range 3 {
		fx.write(fmt.Sprintf("%d.ics", i), event(fmt.Sprint(i), i))
	}
	c := fx.checkTruth()
	if err := c.j.load(); err != nil {
		t.Fatal(err)
	}
	for _, at := range c.j.records {
		if end := logHeaderSize + int64(at) - entryHead; end > start {
			fx.must(os.Truncate(fx.journal(logName), end))
			client := before
			fx.checkHealthy(&client)
			return
		}
	}
	t.Fatal("no batch")
}

// TestRacyRecord: an object that was read too early to tell is read again,
// though its file looks the same.
func TestRacyRecord(t *testing.T) {
	for _, flag := range []recordFlags{flagRacy, flagUnread} {
		fx := newFixture(t, func(o *Options) { o.StatAge = StatAlways })
		fx.put("a.ics", 1)
		fx.update(func(tx *Tx) error {
			l, err := tx.live(calPath)
			if err != nil {
				return err
			}
			var r record
			if _, err := l.lookup("a.ics", &r); err != nil {
				return err
			}
			r.flags, r.sum = flag, sum{}
			entry := appendEntry(nil, &l.j.head, l.j.size, entryRefresh, &l.j.now, &r)
			return l.append(entry, l.j.now)
		})
		fx.checkTruth()
	}
}

func TestStamp(t *testing.T) {
	fx := newFixture(t)
	f, err := fx.openFolder(calPath)
	fx.must(err)
	defer f.close()
	now := time.Now()
	for _, test := range []struct {
		mtime time.Time
		exact bool
	}{
		{now, false},                                // in this tick
		{now.Add(-2 * racyFolder), true},            // long ago
		{now.Truncate(time.Second), false},          // a clock of seconds, maybe two
		{now.Truncate(time.Second).Add(-3e9), true}, // long ago even for that
		{now.Add(time.Hour), false},                 // the future
	} {
		fx.must(os.Chtimes(fx.dir, test.mtime, test.mtime))
		st, err := fstat(int(f.dir))
		fx.must(err)
		s, err := f.newStamp(false)
		if err != nil || s.exact != test.exact || s.matches(&st) != test.exact {
			t.Errorf("%v: exact %v, %v", now.Sub(test.mtime), s.exact, err)
		}
	}
	s, err := f.newStamp(true)
	fx.must(err)
	st, err := fstat(int(f.dir))
	fx.must(err)
	if !s.exact || !s.matches(&st) || st.mtime < now.UnixNano() {
		t.Errorf("%+v", s)
	}
}

// TestCopiedJournal: a journal that was restored with its folder may have
// parted from what clients were told since.
func TestCopiedJournal(t *testing.T) {
	fx := withHistory(t)
	token := fx.collection().SyncToken()
	old := fx.dir + ".old"
	fx.must(os.Rename(fx.dir, old))
	fx.must(os.CopyFS(fx.dir, os.DirFS(old)))
	c := fx.checkTruth()
	if _, err := c.Changes(token); err != ErrSyncToken {
		t.Fatalf("token of the folder that was copied: %v", err)
	}
}

func TestInterruptedFold(t *testing.T) {
	fx := withHistory(t)
	c := fx.collection()
	token := c.SyncToken()
	want := list(t, c)
	// Fold, but keep the log of before: the crash came between the renames.
	fx.must(os.Link(fx.journal(logName), fx.journal("kept")))
	forceFold(fx)
	fx.must(os.Rename(fx.journal("kept"), fx.journal(logName)))
	c = fx.checkTruth()
	if got := list(t, c); !equalMaps(got, want) {
		t.Fatalf("%v\nwant %v", got, want)
	}
	if got := changes(t, c, token); len(got) != 0 {
		t.Fatalf("changes %v", got)
	}
	fx.put("after.ics", 1)
	if got := changes(t, fx.checkTruth(), token); !slices.Equal(got, []string{"+after.ics"}) {
		t.Fatalf("changes %v", got)
	}
}

func TestFoldKeepsHistory(t *testing.T) {
	fx := withHistory(t)
	var clients []syncClient
	for limit := range 12 {
		var sc syncClient
		fx.sync(&sc, limit)
		clients = append(clients, sc)
	}
	fx.put("more.ics", 1)
	fx.update(func(tx *Tx) error { return tx.Delete(calPath + "/o01.ics") })
	forceFold(fx)
	c := fx.checkTruth()
	for i := range clients {
		if _, err := c.Changes(clients[i].token); err != nil {
			t.Fatalf("client %d: %v", i, err)
		}
		clients[i].sync(t, c, 0)
		if !equalMaps(clients[i].have, fx.truth()) {
			t.Errorf("client %d has %v", i, clients[i].have)
		}
	}
}

// TestFoldBySize: a log does not grow without end, and each fold keeps what
// the one before knew.
func TestFoldBySize(t *testing.T) {
	fx := newFixture(t)
	start := fx.collection().SyncToken()
	folds, last := 0, uint64(0)
	long := strings.Repeat("x", 200)
	for i := 0; folds < 2; i++ {
		fx.write(fmt.Sprintf("%s-%d", long, i%50), event("u", i))
		for k := range 30 {
			fx.write(fmt.Sprintf("%s-%d", long, (i*31+k)%400), event(fmt.Sprint(i, k), i))
		}
		c, err := fx.Collection(calPath)
		fx.must(err)
		if c.j.size > maxFold+maxEntry {
			t.Fatalf("log of %d bytes", c.j.size)
		}
		if c.j.idx.generation != last {
			folds++
		}
		last = c.j.idx.generation
		c.Close()
	}
	c := fx.checkTruth()
	if got := changes(t, c, start); len(got) != c.Len() {
		t.Fatalf("%d changes, %d objects", len(got), c.Len())
	}
}

func TestForgetsOldRemovals(t *testing.T) {
	fx := newFixture(t, func(o *Options) { o.MaxSyncTokenAge = time.Nanosecond })
	fx.put("a.ics", 1)
	before := fx.collection().SyncToken()
	fx.put("b.ics", 1)
	fx.update(func(tx *Tx) error { return tx.Delete(calPath + "/a.ics") })
	after := fx.collection().SyncToken()
	forceFold(fx)
	c := fx.checkTruth()
	if _, err := c.Changes(before); err != ErrSyncToken {
		t.Errorf("token of before the forgotten removal: %v", err)
	}
	if got := changes(t, c, after); len(got) != 0 {
		t.Errorf("changes %v", got)
	}
}

func TestSyncTokenSyntax(t *testing.T) {
	fx := newFixture(t)
	fx.put("a.ics", 1)
	c := fx.collection()
	good := c.SyncToken()
	if !strings.HasPrefix(good, "data:,") {
		t.Fatalf("token %q is no URI", good)
	}
	epoch, seq := c.j.idx.epoch, c.j.now.seq
	for _, bad := range []string{
		" ", "x", good + " ", " " + good, strings.ToUpper(good), good + "0", good[:len(good)-1],
		"http://radicale.org/ns/sync/" + strings.Repeat("0", 64),
		syncToken(epoch, seq+1), syncToken(epoch+1, seq), syncToken(epoch, math.MaxUint64),
		strings.Replace(good, "-", "-0", 1), strings.Replace(good, "-", "-+", 1), "data:,-", "data:,-1",
	} {
		if _, err := c.Changes(bad); err != ErrSyncToken && bad != good[:len(good)-1] {
			t.Errorf("token %q: %v", bad, err)
		}
	}
	if _, err := c.Changes(good); err != nil {
		t.Error(err)
	}
}

func TestRecordRoundTrip(t *testing.T) {
	long := strings.Repeat("u", maxUID+1)
	for _, r := range []record{
		{Record: Record{Name: "n"}},
		{
			Record: Record{Name: strings.Repeat("n", maxName), Summary: object.Summary{
				Component: "VEVENT", UID: "ü", Start: math.MinInt64, End: math.MaxInt64,
				Flags: object.Recurring | object.HintsWhole, Hints: []byte("FN:x\n"),
			}, sum: hash([]byte("x"))},
			stat:  fileStat{size: 1 << 40, mtime: -1, ctime: math.MinInt64, ino: math.MaxUint64},
			seq:   math.MaxUint64,
			flags: flagRacy | flagUnread,
		},
		{Record: Record{Name: "n", Summary: object.Summary{UID: long, Component: long}}},
		{Record: Record{Name: "n", Summary: object.Summary{Flags: object.HintsWhole, Hints: make([]byte, maxHints+1)}}},
	} {
		b := appendRecord(nil, &r)
		if len(b) > maxRecord {
			t.Errorf("record of %d bytes", len(b))
		}
		var got record
		if err := decodeRecord(b, &got); err != nil {
			t.Fatal(err)
		}
		want := r
		want.UID, want.Size, want.ModTime = shortUID(r.UID), r.stat.size, time.Unix(0, r.stat.mtime)
		want.Component = r.Component[:min(len(r.Component), maxComponent)]
		if len(r.Hints) > maxHints {
			want.Hints, want.Flags = nil, 0
		}
		if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
			t.Errorf("%+v\nwant %+v", got, want)
		}
		got.clone()
		clear(b)
		if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
			t.Errorf("clone: %+v\nwant %+v", got, want)
		}
		for n := range b {
			if decodeRecord(b[:n], &got) == nil {
				t.Errorf("record cut to %d bytes decoded", n)
			}
		}
	}
	if a, b := shortUID(long+"a"), shortUID(long+"b"); a == b || len(a) > maxUID || shortUID(a) != a {
		t.Errorf("short UIDs %q %q", a, b)
	}
}

// TestIndexSizes writes indexes whose parts begin and end anywhere in a block.
func TestIndexSizes(t *testing.T) {
	for _, n := range []int{0, 1, 2, 37, 38, 39, 500, 1023, 2000} {
		for _, pad := range []int{1, 50, 200} {
			var m memory
			x := newIndexWriter(&m, indexHeader{epoch: 7, secret: 8})
			x.seq = uint64(n)
			name := func(i int) string { return fmt.Sprintf("%0*d", pad, i) }
			for i := range n {
				r := record{seq: uint64(n - i)}
				r.Name, r.UID = name(i), fmt.Sprint("uid", i)
				r.Hints = make([]byte, i%3000)
				if i%5 == 4 {
					r.flags |= flagRemoved
				}
				if err := x.add(&r); err != nil && pad > len(fmt.Sprint(n)) {
					t.Fatal(err)
				}
			}
			if pad <= len(fmt.Sprint(n-1)) {
				continue // names not in order
			}
			if err := x.finish(); err != nil {
				t.Fatal(err)
			}
			got, err := openIndex(&m, int64(len(m.b)))
			if err != nil {
				t.Fatal(n, pad, err)
			}
			if int(got.records) != n || int(got.live) != n-n/5 {
				t.Fatalf("%d records, %d live of %d", got.records, got.live, n)
			}
			c := got.cursor()
			var r record
			for i := range n {
				if ok, err := c.next(&r); !ok || err != nil || r.Name != name(i) || len(r.Hints) != i%3000 {
					t.Fatalf("record %d of %d: %q %v %v", i, n, r.Name, ok, err)
				}
				if ok, err := got.find(name(i), &r); !ok || err != nil || r.Name != name(i) {
					t.Fatalf("find %d of %d: %q %v %v", i, n, r.Name, ok, err)
				}
				if err := got.bySeq(uint32(i), &r); err != nil || r.seq != uint64(i+1) {
					t.Fatalf("bySeq %d: %d %v", i, r.seq, err)
				}
				if at, err := got.after(uint64(i)); err != nil || int(at) != i {
					t.Fatalf("after %d: %d %v", i, at, err)
				}
				found := false
				uid := fmt.Sprint("uid", i)
				err := got.eachUID(uid, func(r *record) bool { found = r.UID == uid; return found })
				if err != nil || found != (i%5 != 4) {
					t.Fatalf("uid %d: %v %v", i, found, err)
				}
			}
			if ok, err := c.next(&r); ok || err != nil {
				t.Fatal("a record too many")
			}
		}
	}
}

// hostile is a storage whose blocks all carry a right checksum, whatever they say.
func hostile(data []byte) *memory {
	var m memory
	for no := uint64(0); len(data) > 0 || no == 0; no++ {
		var block [blockSize]byte
		n := copy(block[:blockData], data)
		data = data[n:]
		sealBlock(block[:], no)
		m.WriteAt(block[:], int64(no*blockSize))
	}
	return &m
}

// FuzzIndex reads indexes that someone who may write to the folder made up:
// they may lie, but not make us panic or run for ever.
func FuzzIndex(f *testing.F) {
	var m memory
	x := newIndexWriter(&m, indexHeader{epoch: 1, secret: 2})
	for i := range 50 {
		r := record{seq: uint64(i + 1)}
		r.Name, r.UID = fmt.Sprintf("%03d", i), fmt.Sprint(i)
		x.add(&r)
	}
	x.finish()
	var data []byte
	for b := m.b; len(b) > 0; b = b[blockSize:] {
		data = append(data, b[:blockData]...)
	}
	f.Add(data[:200], uint16(0))
	f.Add(data[blockData:blockData+600], uint16(blockData))
	f.Add(data[x.names:x.end], uint16(x.names))
	f.Fuzz(func(t *testing.T, patch []byte, at uint16) {
		d := slices.Clone(data)
		copy(d[min(int(at), len(d)):], patch)
		readAllOf(hostile(d))
	})
}

func readAllOf(m *memory) {
	x, err := openIndex(m, int64(len(m.b)))
	if err != nil {
		return
	}
	j := &journal{idx: x, now: x.state, log: &memory{}}
	c, err := j.cursor()
	var r record
	for more := err == nil; more && err == nil; {
		more, err = c.next(&r)
	}
	j.lookup("003", &r)
	j.findUID("3")
	j.changes(0, func(*record) bool { return false })
}

// FuzzLog does the same with logs.
func FuzzLog(f *testing.F) {
	h := logHeader{epoch: 1, generation: 2}
	var b []byte
	for i := range 5 {
		r := record{seq: uint64(i)}
		r.Name = fmt.Sprint(i)
		b = appendEntry(b, &h, logHeaderSize+int64(len(b)), entryChange, &state{seq: uint64(i)}, &r)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		var e entry
		for at := 0; at < len(b); {
			n, err := h.decodeEntry(b[at:], logHeaderSize+int64(at), &e)
			if err != nil {
				break
			}
			if n <= 0 || n > len(b)-at {
				t.Fatalf("length %d of %d", n, len(b)-at)
			}
			at += n
		}
		h.readTail(io.NewSectionReader(bytes.NewReader(append(make([]byte, logHeaderSize), b...)), 0, 1<<40),
			logHeaderSize+int64(len(b)), &e)
		decodeRecord(b, new(record))
		new(logHeader).decode(append(slices.Clone(b), make([]byte, logHeaderSize)...))
	})
}

// TestFindUIDAfterFold: what the index says of UIDs is overruled by the log.
func TestFindUIDAfterFold(t *testing.T) {
	fx := newFixture(t)
	for _, name := range []string{"removed.ics", "changed.ics", "moved.ics"} {
		fx.put(name, 1)
	}
	forceFold(fx)
	fx.write("changed.ics", event("new", 1))
	fx.must(os.Chtimes(fx.dir, time.Now(), time.Now()))
	fx.update(func(tx *Tx) error {
		return errors.Join(tx.Delete("user/cal/removed.ics"), tx.Move("user/cal/moved.ics", "user/cal/here.ics"))
	})
	c := fx.checkTruth()
	for uid, want := range map[string]string{"removed": "", "changed": "", "new": "changed.ics", "moved": "here.ics"} {
		if name, ok := c.FindUID(uid); name != want || ok != (want != "") {
			t.Errorf("FindUID(%q) = %q, %v", uid, name, ok)
		}
	}
}

// TestDamageInTheMiddle: a list that meets damage on its way goes on with a
// new journal where it was; a list of changes, whose history ends there, fails.
func TestDamageInTheMiddle(t *testing.T) {
	damaged := func() (*fixture, *Collection, string) {
		fx := newFixture(t)
		for i := range 1000 {
			fx.write(fmt.Sprintf("%04d.ics", i), event(fmt.Sprint(i), i))
		}
		token := fx.collection().SyncToken()
		c := fx.collection()
		b, err := os.ReadFile(fx.journal(indexName))
		fx.must(err)
		b[(blockBatch+4)*blockSize] ^= 1 // not read with the first batch
		fx.overwrite(indexName, b)
		return fx, c, token
	}
	fx, c, _ := damaged()
	if got, want := list(t, c), fx.truth(); !equalMaps(got, want) {
		t.Errorf("%d objects, want %d", len(got), len(want))
	}
	// Half of that list was of one moment, half of another: no client may
	// take it for the state that a valid token stands for.
	if _, err := fx.collection().Changes(c.SyncToken()); err != ErrSyncToken {
		t.Errorf("token of the list: %v", err)
	}
	fx, c, _ = damaged()
	seq, err := c.Changes("")
	fx.must(err)
	n := 0
	for range seq {
		n++
	}
	if n >= 1000 || !errors.Is(c.Err(), errDamaged) {
		t.Errorf("%d changes, error %v", n, c.Err())
	}
	if got := changes(t, fx.checkTruth(), ""); len(got) != 1000 {
		t.Errorf("%d changes the next time", len(got))
	}
}
