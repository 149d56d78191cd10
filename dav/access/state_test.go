package access

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// noon is when the tests of the tables begin.
var noon = time.Unix(1_800_000_000, 0)

func attempt(t *testing.T, dir string, now time.Time, address, user string, right bool) (wait, delay time.Duration) {
	t.Helper()
	f, err := openFailures(dir, now)
	if err != nil {
		t.Fatal(err)
	}
	defer f.close()
	if wait, delay, err = f.begin(time.Second, address, user); err != nil {
		t.Fatal(err)
	}
	if right && wait == 0 {
		if err := f.succeeded(address, user); err != nil {
			t.Fatal(err)
		}
	}
	return wait, delay
}

func TestThrottleAddress(t *testing.T) {
	dir := t.TempDir()
	now := noon
	for i := range freeFailures + 1 {
		if wait, _ := attempt(t, dir, now, "192.0.2.1", "u", false); wait != 0 {
			t.Fatalf("attempt %d has to wait %v", i, wait)
		}
	}
	for _, want := range []time.Duration{1, 2, 4, 8, 16, 32} {
		want *= time.Second
		// Who does not wait is refused, for no longer than at first.
		for range 3 {
			if wait, _ := attempt(t, dir, now, "192.0.2.1", "u", true); wait != want {
				t.Fatalf("has to wait %v, want %v", wait, want)
			}
		}
		if wait, _ := attempt(t, dir, now, "192.0.2.2", "v", false); wait != 0 {
			t.Errorf("another address has to wait %v", wait)
		}
		now = now.Add(want)
		if wait, _ := attempt(t, dir, now, "192.0.2.1", "u", false); wait != 0 {
			t.Fatalf("has to wait %v after %v", wait, want)
		}
	}
	// A guess a minute, and no worse, whatever it tries.
	for range 100 {
		wait, _ := attempt(t, dir, now, "192.0.2.1", "u", false)
		if wait <= 0 || wait > maxWait {
			t.Fatalf("has to wait %v", wait)
		}
		now = now.Add(wait)
		if wait, _ := attempt(t, dir, now, "192.0.2.1", "u", false); wait != 0 {
			t.Fatalf("has to wait %v more", wait)
		}
	}
	// It is forgotten.
	now = now.Add(time.Hour)
	if wait, _ := attempt(t, dir, now, "192.0.2.1", "u", false); wait != 0 {
		t.Errorf("has to wait %v after an hour", wait)
	}
	// The clock was set back by a day.
	if wait, _ := attempt(t, dir, now.Add(-24*time.Hour), "192.0.2.1", "u", false); wait != 0 {
		t.Errorf("has to wait %v before the last attempt", wait)
	}
}

// Nobody can lock a user out: not from elsewhere, nor from where he is.
func TestThrottleUser(t *testing.T) {
	dir := t.TempDir()
	now := noon
	attempt(t, dir, now, "192.0.2.1", "alice", true)
	for i := range 200 {
		address := "198.51.100." + string(rune('a'+i%100))
		if wait, delay := attempt(t, dir, now, address, "alice", false); wait != 0 || delay > maxTarpit || i > 20 && delay != maxTarpit {
			t.Fatalf("attempt %d: wait %v, delay %v", i, wait, delay)
		}
	}
	if wait, delay := attempt(t, dir, now, "203.0.113.1", "alice", true); wait != 0 || delay != maxTarpit {
		t.Errorf("at a new place: wait %v, delay %v", wait, delay)
	}
	for range 2 * freeFailures {
		attempt(t, dir, now, "192.0.2.1", "bob", false)
	}
	if wait, _ := attempt(t, dir, now, "192.0.2.1", "carol", true); wait == 0 {
		t.Error("the address has not to wait")
	}
	if wait, delay := attempt(t, dir, now, "192.0.2.1", "alice", true); wait != 0 || delay != 0 {
		t.Errorf("where she logs in: wait %v, delay %v", wait, delay)
	}
	// Trust ends with wrong passwords.
	for range freeFailures + 1 {
		attempt(t, dir, now, "192.0.2.1", "alice", false)
	}
	if wait, _ := attempt(t, dir, now, "192.0.2.1", "alice", false); wait == 0 {
		t.Error("an address that was trusted may guess")
	}
}

// Right logins cost nobody anything, also many at once.
func TestThrottleSuccess(t *testing.T) {
	dir := t.TempDir()
	for i := range 10 * freeFailures {
		if wait, delay := attempt(t, dir, noon, "192.0.2.1", "u"+string(rune('a'+i)), true); wait != 0 || delay != 0 {
			t.Fatalf("attempt %d: wait %v, delay %v", i, wait, delay)
		}
	}
}

func openLoginsAt(t *testing.T, dir string, now time.Time) *logins {
	t.Helper()
	l, err := openLogins(dir, now)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestLogins(t *testing.T) {
	dir := t.TempDir()
	tag := bytes.Repeat([]byte{7}, 32)
	l := openLoginsAt(t, dir, noon)
	key := string(l.key)
	if err := l.put(tag, kept{[]byte("hash"), "u\x00staff\x00"}, 15*time.Second); err != nil {
		t.Fatal(err)
	}
	// As many others in the same set push out the one that expires first.
	for i := range loginWays - 1 {
		other := bytes.Clone(tag)
		other[31] = byte(100 + i)
		if err := l.put(other, kept{text: "v\x00"}, 20*time.Second); err != nil {
			t.Fatal(err)
		}
	}
	l.close()
	l = openLoginsAt(t, dir, noon.Add(14*time.Second))
	if k, ok, err := l.get(tag); !ok || err != nil || string(k.hash) != "hash" || k.text != "u\x00staff\x00" {
		t.Errorf("got %v, %v, %v", k, ok, err)
	}
	if string(l.key) != key {
		t.Error("another key")
	}
	l.close()
	// What has expired is erased by whoever comes next.
	l = openLoginsAt(t, dir, noon.Add(16*time.Second))
	if _, ok, _ := l.get(tag); ok {
		t.Error("still there")
	}
	l.close()
	b, err := os.ReadFile(filepath.Join(dir, "logins"))
	if err != nil || bytes.Contains(b, tag) || bytes.Contains(b, []byte("staff")) || int64(len(b)) != loginsSize {
		t.Errorf("%d bytes, %v; the entry is there: %v", len(b), err, bytes.Contains(b, tag))
	}
	l = openLoginsAt(t, dir, noon.Add(time.Minute))
	l.close()
	if string(l.key) == key {
		t.Error("an empty table keeps its key")
	}
	l = openLoginsAt(t, dir, noon)
	defer l.close()
	for i := range 1000 {
		tag[31], tag[30] = byte(i), byte(i>>8)
		if err := l.put(tag, kept{text: "u\x00"}, time.Duration(i+1)*time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
	if _, ok, _ := l.get(tag); !ok {
		t.Error("the last is not there")
	}
	if err := l.put(tag, kept{text: strings.Repeat("x", loginText+1)}, time.Second); err != nil {
		t.Error(err)
	}
}

// A damaged file is made anew, a foreign one left alone.
func TestTableFiles(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "failures")
	attempt(t, dir, noon, "a", "u", true)
	whole, err := os.ReadFile(path)
	if err != nil || len(whole) != failuresSize {
		t.Fatal(len(whole), err)
	}
	for name, damage := range map[string]func([]byte) []byte{
		"empty":   func([]byte) []byte { return nil },
		"cut":     func(b []byte) []byte { return b[:len(b)-1] },
		"longer":  func(b []byte) []byte { return append(b, 0) },
		"key":     func(b []byte) []byte { b[10]++; return b },
		"version": func(b []byte) []byte { b[7]++; return b },
	} {
		if err := os.WriteFile(path, damage(bytes.Clone(whole)), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := openFailures(dir, noon)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if _, known, _ := f.find(pairs, "u", "a"); known || bytes.Equal(f.key, whole[8:40]) {
			t.Errorf("%s: something is left", name)
		}
		f.close()
	}
	refused := func(what string) {
		t.Helper()
		if f, err := openFailures(dir, noon); err == nil {
			f.close()
			t.Errorf("%s: no error", what)
		}
	}
	os.Chmod(path, 0o640)
	refused("others can read it")
	os.Chmod(path, 0o600)
	os.Link(path, path+"2")
	refused("it has another name")
	os.Remove(path)
	refusedTarget := filepath.Join(dir, "target")
	os.WriteFile(refusedTarget, []byte("precious"), 0o600)
	os.Symlink(refusedTarget, path)
	refused("a symbolic link")
	os.Remove(path)
	syscall.Mkfifo(path, 0o600)
	refused("a pipe")
	os.Remove(path)
	if os.Geteuid() == 0 {
		os.WriteFile(path, whole, 0o600)
		os.Chown(path, 1, 1)
		refused("another user's")
		os.Remove(path)
	}
	// Somebody has stopped with the lock: nobody waits for long.
	f, err := openFailures(dir, noon)
	if err != nil {
		t.Fatal(err)
	}
	refused("locked")
	f.close()
}

func TestStateFolder(t *testing.T) {
	dir := t.TempDir()
	mode := func(m os.FileMode) string {
		d := filepath.Join(t.TempDir(), "d")
		os.Mkdir(d, 0o700)
		os.Chmod(d, m)
		return d
	}
	env := func(value string) func(string) string {
		return func(name string) string {
			if name == "RUNTIME_DIRECTORY" {
				return value
			}
			return ""
		}
	}
	if got, err := stateFolder(load(t, "--inetdav-state-folder="+dir), env("")); got != dir || err != nil {
		t.Error(got, err)
	}
	if got, err := stateFolder(load(t), env(dir+":/nonexistent")); got != dir || err != nil {
		t.Error(got, err)
	}
	for _, bad := range []string{filepath.Join(dir, "missing"), mode(0o770), mode(0o777), "/proc/version"} {
		if got, err := stateFolder(load(t, "--inetdav-state-folder="+bad), env(dir)); got != "" || err == nil {
			t.Error(bad, got, err)
		}
		if got, err := stateFolder(load(t), env(bad)); got == bad || err != nil {
			t.Error(bad, got, err)
		}
	}
}

// Two authenticators stand for two processes.
func TestLoginsAcrossProcesses(t *testing.T) {
	dir := t.TempDir()
	users := tempFile(t, "alice:"+hashed(t, "bcrypt", "secret")+"\nplain:secret\n")
	start := func() *Authenticator {
		a, _ := newAuthenticator(t, "--auth-type=htpasswd", "--auth-htpasswd-filename="+users,
			"--inetdav-state-folder="+dir, "--auth-cache-logins=True", "--auth-cache-successful-logins-expiry=3600")
		return a
	}
	check := func(user, password string, want error) {
		t.Helper()
		if _, err := start().Authenticate(login(user, password)); !errors.Is(err, want) {
			t.Fatalf("%s, %s: %v, want %v", user, password, err, want)
		}
	}
	check("alice", "secret", nil)
	check("alice", "wrong", ErrCredentials)
	// Nobody may hash now: only what is remembered can be answered.
	var releases []func()
	for range min(runtime.NumCPU(), maxHashing) {
		release, err := acquire(t.Context(), dir, false)
		if err != nil {
			t.Fatal(err)
		}
		releases = append(releases, release)
	}
	check("alice", "secret", nil)
	check("alice", "wrong", ErrCredentials)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	var busy *BusyError
	if _, err := start().Authenticate(login("alice", "third").WithContext(ctx)); !errors.As(err, &busy) {
		t.Errorf("what is not remembered: %v", err)
	}
	for _, release := range releases {
		release()
	}
	check("plain", "secret", nil)
	b, err := os.ReadFile(filepath.Join(dir, "logins"))
	if err != nil || bytes.Contains(b, []byte("secret")) {
		t.Error("the password is in the file", err)
	}
	// The entry is worth nothing once the line has changed.
	if err := os.WriteFile(users, []byte("alice:"+hashed(t, "bcrypt", "other")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	check("alice", "secret", ErrCredentials)
	check("alice", "other", nil)
}

func TestThrottledLogin(t *testing.T) {
	dir := t.TempDir()
	users := tempFile(t, "alice:secret\n")
	args := []string{"--auth-type=htpasswd", "--auth-htpasswd-filename=" + users, "--inetdav-state-folder=" + dir, "--auth-delay=0.000001"}
	from := func(address, forwarded, password string) error {
		a, err := NewAuthenticator(load(t, args...))
		if err != nil {
			t.Fatal(err)
		}
		r := login("alice", password)
		r.RemoteAddr = address
		if forwarded != "" {
			r.Header.Set("X-Forwarded-For", forwarded)
		}
		_, err = a.Authenticate(r)
		return err
	}
	// the wait has to be longer than the test
	count := func(address string) {
		f, err := openFailures(dir, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		defer f.close()
		e, _, _ := f.find(addresses, address)
		e.count, e.last = 1000, f.now
		f.put(e)
	}
	count("192.0.2.1")
	var busy *BusyError
	if err := from("192.0.2.1:1", "", "secret"); !errors.As(err, &busy) || busy.After <= 0 || busy.After > maxWait {
		t.Errorf("a throttled address: %v", err)
	}
	if err := from("127.0.0.1:1", "203.0.113.9, 192.0.2.1", "secret"); !errors.As(err, &busy) {
		t.Errorf("a throttled address behind a proxy: %v", err)
	}
	// The client chooses what is further left, and what it sends without a proxy.
	for _, other := range [][2]string{{"127.0.0.1:1", "192.0.2.1, 203.0.113.9"}, {"192.0.2.7:1", "192.0.2.1"}, {"127.0.0.1:1", ""}, {"@", ""}} {
		if err := from(other[0], other[1], "secret"); err != nil {
			t.Errorf("%q: %v", other, err)
		}
	}
	args = append(args, "--auth-remote-ip-source=X-Remote-Addr")
	for _, test := range []struct {
		fields []string
		want   bool
	}{{nil, true}, {[]string{"192.0.2.1"}, false}, {[]string{"192.0.2.2", "192.0.2.1"}, true}, {[]string{"192.0.2.1", "192.0.2.2"}, true}} {
		a, err := NewAuthenticator(load(t, args...))
		if err != nil {
			t.Fatal(err)
		}
		r := login("alice", "secret")
		r.RemoteAddr, r.Header["X-Remote-Addr"] = "127.0.0.1:1", test.fields
		if _, err := a.Authenticate(r); (err == nil) != test.want {
			t.Errorf("X-Remote-Addr %q: %v", test.fields, err)
		}
	}
	args = args[:len(args)-1]
	count("2001:db8::/64")
	if err := from("[2001:db8::5]:1", "", "secret"); !errors.As(err, &busy) {
		t.Errorf("another address of a throttled network: %v", err)
	}
}

func TestAcquire(t *testing.T) {
	dir := t.TempDir()
	release, err := acquire(t.Context(), dir, true)
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan error)
	go func() {
		release, err := acquire(t.Context(), dir, true)
		if err == nil {
			release()
		}
		got <- err
	}()
	select {
	case err := <-got:
		t.Fatalf("two at once: %v", err)
	case <-time.After(20 * time.Millisecond):
	}
	release()
	if err := <-got; err != nil {
		t.Error(err)
	}
	// Without a folder nobody waits.
	for range 3 {
		if _, err := acquire(t.Context(), "", true); err != nil {
			t.Error(err)
		}
	}
}
