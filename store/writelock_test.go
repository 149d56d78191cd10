package store

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

var lockTime = time.Date(2026, 11, 22, 12, 0, 0, 500, time.UTC)

// testLock is a lock of a user that holds for an hour from lockTime.
func testLock(root, user string) WriteLock {
	return WriteLock{Token: NewLockToken(), Root: root, User: user, Timeout: time.Hour, Expires: lockTime.Add(time.Hour)}
}

func (fx *fixture) locksFile() string { return filepath.Join(fx.opts.Folder, locksName) }

// locked makes these locks the ones that there are.
func (fx *fixture) locked(w ...WriteLock) {
	fx.t.Helper()
	fx.update(func(tx *Tx) error { return tx.SetWriteLocks(w) })
}

func byToken(a, b WriteLock) int { return strings.Compare(a.Token, b.Token) }

func sameLocks(a, b WriteLocks) bool {
	a, b = slices.SortedFunc(slices.Values(a), byToken), slices.SortedFunc(slices.Values(b), byToken)
	return len(a) == len(b) && (len(a) == 0 || reflect.DeepEqual(a, b))
}

func TestWriteLocksAreKept(t *testing.T) {
	fx := newFixture(t)
	if _, err := os.Lstat(fx.locksFile()); !os.IsNotExist(err) {
		t.Fatal("a file without locks", err)
	}
	a, b := testLock("user/cal", "ü ser"), testLock("user/cal/a \"b\\.ics", "")
	a.Deep, a.Owner = true, "<owner xmlns=\"DAV:\">\x7f\u00fc\U0001f600&amp;</owner>"
	b.Shared = true
	fx.locked(a, b)
	for range 2 {
		if got := fx.WriteLocks(lockTime); !sameLocks(got, WriteLocks{a, b}) {
			t.Errorf("got  %+v\nwant %+v", got, WriteLocks{a, b})
		}
		fx.reopen()
	}
	fx.locked(b)
	if got := fx.WriteLocks(lockTime); !sameLocks(got, WriteLocks{b}) {
		t.Errorf("after one was removed: %+v", got)
	}
	fx.locked()
	if _, err := os.Lstat(fx.locksFile()); !os.IsNotExist(err) {
		t.Error("the file outlives the locks", err)
	}
	fx.locked() // removing nothing
	names, err := os.ReadDir(fx.opts.Folder)
	fx.must(err)
	for _, e := range names {
		if isTemp(e.Name()) {
			t.Error("left behind:", e.Name())
		}
	}
}

// RFC 4918, 6.6.
func TestWriteLocksExpire(t *testing.T) {
	fx := newFixture(t)
	long := testLock("user/cal", "user")
	short := testLock("user/cal/a", "user")
	short.Timeout, short.Expires = time.Second, lockTime.Add(time.Second)
	fx.locked(long, short)
	for _, test := range []struct {
		after time.Duration
		want  WriteLocks
	}{
		{0, WriteLocks{long, short}},
		{time.Second - 1, WriteLocks{long, short}},
		{time.Second, WriteLocks{long}},
		{time.Hour - 1, WriteLocks{long}},
		{time.Hour, nil},
		{1000 * time.Hour, nil},
		{-time.Minute, WriteLocks{long, short}}, // a clock put right
		{-lockSkew, WriteLocks{long, short}},
		{-lockSkew - 1, nil}, // they were made by a clock that was wrong
	} {
		if got := fx.WriteLocks(lockTime.Add(test.after)); !sameLocks(got, test.want) {
			t.Errorf("after %v: %+v, want %+v", test.after, got, test.want)
		}
	}
	// The next writer drops what has ended.
	fx.update(func(tx *Tx) error { return tx.SetWriteLocks(tx.WriteLocks(lockTime.Add(time.Minute))) })
	if got := fx.WriteLocks(lockTime); !sameLocks(got, WriteLocks{long}) {
		t.Errorf("after the file was written: %+v", got)
	}
}

// RFC 4918, 6.1 and 9.10.5.
func TestWriteLocksConflict(t *testing.T) {
	lock := func(s string) WriteLock {
		f := strings.Fields(s)
		return WriteLock{Root: f[0], Deep: f[1] == "infinity", Shared: f[2] == "shared"}
	}
	for _, test := range []struct {
		a, b string
		want bool
	}{
		{"a/b 0 exclusive", "a/b 0 exclusive", true},
		{"a/b 0 exclusive", "a/b 0 shared", true},
		{"a/b 0 shared", "a/b infinity shared", false},
		{"a 0 exclusive", "a/b 0 exclusive", false},
		{"a infinity exclusive", "a/b 0 exclusive", true},
		{"a infinity exclusive", "a/b/c/d 0 shared", true},
		{"a infinity shared", "a/b 0 shared", false},
		{"a infinity shared", "a/b 0 exclusive", true},
		{"a infinity exclusive", "ab 0 exclusive", false},
		{"a/b infinity exclusive", "a 0 exclusive", false},
	} {
		a, b := lock(test.a), lock(test.b)
		if got, back := a.Conflicts(&b), b.Conflicts(&a); got != test.want || back != test.want {
			t.Errorf("%s, %s: %v and %v, want %v", test.a, test.b, got, back, test.want)
		}
	}
}

func TestWriteLocksLimits(t *testing.T) {
	long := strings.Repeat("x", maxLockOwner)
	many := func(n, users int, owner string) (w WriteLocks) {
		for i := range n {
			l := testLock("user/cal", fmt.Sprint(i%users))
			l.Owner = owner
			w = append(w, l)
		}
		return w
	}
	with := func(change func(*WriteLock)) WriteLock {
		l := testLock("user/cal", "0")
		change(&l)
		return l
	}
	for _, test := range []struct {
		name string
		w    WriteLocks
		add  WriteLock
		want error
	}{
		{"first", nil, testLock("user/cal", "0"), nil},
		{"owner", nil, with(func(l *WriteLock) { l.Owner = long }), nil},
		{"long owner", nil, with(func(l *WriteLock) { l.Owner = long + "x" }), ErrTooLarge},
		{"last of a user", many(maxUserLocks-1, 1, ""), testLock("user/cal", "0"), nil},
		{"too many of a user", many(maxUserLocks, 1, ""), testLock("user/cal", "0"), ErrTooLarge},
		{"another user", many(maxUserLocks, 1, ""), testLock("user/cal", "1"), nil},
		{"too much of a user", many(maxUserLocksSize/maxLockOwner, 1, long), testLock("user/cal", "0"), ErrTooLarge},
		{"last", many(maxLocks-1, maxLocks, ""), testLock("user/cal", "0"), nil},
		{"too many", many(maxLocks, maxLocks, ""), testLock("user/cal", "0"), ErrTooLarge},
		{"path not UTF-8", nil, testLock("user/\xff", "0"), ErrName},
		{"user not UTF-8", nil, testLock("user/cal", "\xff"), ErrName},
	} {
		got, err := test.w.Add(test.add)
		if !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
		if want := len(test.w); (err == nil) != (len(got) == want+1) || err != nil && len(got) != want {
			t.Errorf("%s: %d locks of %d, %v", test.name, len(got), want, err)
		}
	}
	fx := newFixture(t)
	before := testLock("user/cal", "0")
	fx.locked(before)
	err := fx.Update(t.Context(), func(tx *Tx) error {
		return tx.SetWriteLocks(many(maxLocksFile/maxLockOwner, maxLocks, long))
	})
	if !errors.Is(err, ErrTooLarge) {
		t.Errorf("a file too large: %v", err)
	}
	if got := fx.WriteLocks(lockTime); !sameLocks(got, WriteLocks{before}) {
		t.Errorf("then there are %d locks", len(got))
	}
}

// A damaged file is no locks and a line in the log; the next lock replaces it.
func TestWriteLocksDamaged(t *testing.T) {
	good := testLock("user/cal", "user")
	whole := string(WriteLocks{good}.appendJSON(nil))
	token := NewLockToken()
	entry := func(s string) string { return whole[:len(whole)-1] + `, ` + s + `}` }
	for _, test := range []struct {
		name, file string
		want       WriteLocks
	}{
		{"empty", "", nil},
		{"torn", whole[:len(whole)/2], nil},
		{"not JSON", "locks", nil},
		{"a list", "[]", nil},
		{"twice", whole + whole, nil},
		{"large", `{"x": {"y": "` + strings.Repeat("z", maxLocksFile) + `"}}`, nil},
		{"a number", entry(`"x": 1`), nil},
		{"no token", entry(`"x": {}`), WriteLocks{good}},
		{"token with a mark", strings.Replace(whole, "urn:uuid:", "urn:uuid:>", 1), nil},
		{"nothing in it", entry(`"` + token + `": {}`), WriteLocks{good}},
		{"the root", strings.Replace(whole, "user/cal", "", 1), nil},
		{"outside", strings.Replace(whole, "user/cal", "../cal", 1), nil},
		{"no depth", strings.Replace(whole, `"depth": "0"`, `"depth": "1"`, 1), nil},
		{"no scope", strings.Replace(whole, "exclusive", "wide", 1), nil},
		{"no time", strings.Replace(whole, `"timeout": "3600"`, `"timeout": "-1"`, 1), nil},
		{"a long time", strings.Replace(whole, `"timeout": "3600"`, `"timeout": "99999999999"`, 1), nil},
		{"no end", strings.Replace(whole, `"expires": "2026`, `"expires": "x`, 1), nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			fx := newFixture(t)
			fx.must(os.WriteFile(fx.locksFile(), []byte(test.file), 0o600))
			if got := fx.WriteLocks(lockTime); !sameLocks(got, test.want) {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
			if len(fx.logs) != 1 || !strings.Contains(fx.logs[0], locksName) {
				t.Errorf("log: %q", fx.logs)
			}
			next := testLock("user/cal/x", "user")
			fx.locked(next)
			if got := fx.WriteLocks(lockTime); !sameLocks(got, WriteLocks{next}) {
				t.Errorf("then %+v", got)
			}
		})
	}
	t.Run("a folder", func(t *testing.T) {
		fx := newFixture(t)
		fx.must(os.Mkdir(fx.locksFile(), 0o700))
		if got := fx.WriteLocks(lockTime); got != nil || len(fx.logs) != 1 {
			t.Errorf("%+v, log %q", got, fx.logs)
		}
	})
}

func TestNewLockToken(t *testing.T) {
	a, b := NewLockToken(), NewLockToken()
	if a == b || !isLockToken(a) || len(a) != 45 || a[23] != '4' || !strings.ContainsRune("89ab", rune(a[28])) {
		t.Errorf("tokens %s and %s", a, b)
	}
}

// FuzzParseWriteLocks: whatever the file says, what is taken from it is a set
// of locks that is written and read again as it is.
func FuzzParseWriteLocks(f *testing.F) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for n := range 4 {
		var w WriteLocks
		for range n {
			l := testLock("user/"+fmt.Sprint(rnd.IntN(100)), randomText(rnd))
			l.Deep, l.Shared, l.Owner = rnd.IntN(2) == 0, rnd.IntN(2) == 0, randomText(rnd)
			w = append(w, l)
		}
		b := w.appendJSON(nil)
		f.Add(b)
		f.Add(b[:len(b)/2])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		w, err := parseWriteLocks(b)
		for i := range w {
			if l := &w[i]; !isLockToken(l.Token) || l.Root == "" || checkPath(l.Root) != nil || l.Timeout <= 0 || len(l.Owner) > maxLockOwner {
				t.Fatalf("%+v (%v)", *l, err)
			}
		}
		again, err := parseWriteLocks(w.appendJSON(nil))
		if err != nil || len(again) != len(w) {
			t.Fatalf("%d locks become %d: %v", len(w), len(again), err)
		}
		for i := range w {
			a, b := w[i], again[i]
			if !a.Expires.Equal(b.Expires) {
				t.Fatalf("%v becomes %v", a.Expires, b.Expires)
			}
			if a.Expires = b.Expires; a != b {
				t.Fatalf("%+v becomes %+v", a, b)
			}
		}
	})
}
