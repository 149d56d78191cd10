package store

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestPollCost counts system calls: a poll costs the same for 10 and for 2000
// objects, also right after a change of ours. In a large collection that was
// left alone for hours it costs the same again: nobody looks at its objects.
func TestPollCost(t *testing.T) {
	strace := findStrace(t)
	const polls = 50
	count := func(role string, objects int) int {
		fx := newFixture(t)
		for i := range objects {
			fx.write(fmt.Sprintf("%d.ics", i), event(fmt.Sprint(i), i))
		}
		fx.collection()
		fx.put("1.ics", -1)
		trace := filepath.Join(t.TempDir(), "trace")
		calls := func(n int) int {
			cmd := fx.process(fmt.Sprint(role, " ", n), strace, "-f", "-qq", "-e", "trace=file,desc", "-o", trace)
			if out, err := cmd.Output(); err != nil {
				t.Skipf("strace: %v %s", err, out)
			}
			b, err := os.ReadFile(trace)
			fx.must(err)
			return strings.Count(string(b), ".Radicale.lock") + strings.Count(string(b), "pread64(") +
				strings.Count(string(b), "read(") + strings.Count(string(b), "openat") + strings.Count(string(b), "newfstatat(") +
				strings.Count(string(b), "getdents")
		}
		// rounded: the runtime's own threads add a call here and there
		return (calls(polls+1) - calls(1) + polls/2) / polls
	}
	few, many := count("poll", 10), count("poll", 2000)
	t.Logf("%d system calls that look at files in each poll", many)
	if few != many || many == 0 || many > 20 {
		t.Errorf("%d with 10 objects, %d with 2000", few, many)
	}
	for _, objects := range []int{fewObjects + 1, 2000} {
		if idle := count("idle poll", objects); idle != many+1 { // the time of the last look
			t.Errorf("%d after hours with %d objects, %d in use", idle, objects, many)
		}
	}
}

// TestReplaceSyncsBefore: with the lock held nobody waits for a whole
// collection to reach the disk.
func TestReplaceSyncsBefore(t *testing.T) {
	strace := findStrace(t)
	fx := newFixture(t)
	fx.put("a.ics", 1)
	trace := filepath.Join(t.TempDir(), "trace")
	cmd := fx.process("replace 2", strace, "-f", "-qq", "-e", "trace=syncfs,flock", "-o", trace)
	if out, err := cmd.Output(); err != nil {
		t.Skipf("strace: %v %s", err, out)
	}
	b, err := os.ReadFile(trace)
	fx.must(err)
	before, after, locked := strings.Cut(string(b), "LOCK_EX")
	if !locked || strings.Count(before, "syncfs(") != 1 || strings.Contains(after, "syncfs(") {
		t.Errorf("%s", b)
	}
	if fx.truth()["a.ics"] != etagOf(event("a", 2)) {
		t.Error("not replaced")
	}
	fx.checkTruth()
}

// TestFailingCalls lets each system call of a PUT fail, one after the other:
// what is acknowledged is there, what is not is old or new, and the store goes on.
func TestFailingCalls(t *testing.T) {
	strace := findStrace(t)
	calls := []string{"write", "pwrite64", "fsync", "fdatasync", "renameat", "utimensat", "openat2", "openat", "fstat", "newfstatat", "pread64", "flock", "mkdirat"}
	for _, call := range calls {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			fx := newFixture(t)
			fx.put("a.ics", 1)
			fx.put("b.ics", 1)
			var client syncClient
			failed, injected := 0, true
			for when := 1; injected && when < 40; when++ {
				if testing.Short() && when > 3 {
					break
				}
				fx.sync(&client, 0)
				trace := filepath.Join(t.TempDir(), "trace")
				cmd := fx.process(fmt.Sprint("put ", when+1), strace, "-f", "-qq", "-o", trace,
					"-e", "trace="+call, "-e", fmt.Sprintf("inject=%s:error=EIO:when=%d", call, when))
				cmd.Stderr = nil
				out, err := cmd.Output()
				if err != nil {
					failed++
				}
				b, readErr := os.ReadFile(trace)
				if readErr != nil {
					t.Skipf("strace: %v", err)
				}
				injected = strings.Contains(string(b), "INJECTED")
				etag := fx.truth()["a.ics"]
				isNew := etag == etagOf(event("a", when+1))
				acknowledged := strings.Contains(string(out), "done")
				if acknowledged && !isNew {
					t.Fatalf("call %d: acknowledged, but not there", when)
				}
				if !isNew && etag != client.have["a.ics"] {
					t.Fatalf("call %d: neither old nor new", when)
				}
				fx.checkTruth().Close()
				fx.sync(&client, 0)
				if !equalMaps(client.have, fx.truth()) {
					t.Fatalf("call %d: client has %v, truth %v", when, client.have, fx.truth())
				}
			}
			t.Logf("%d failures", failed)
		})
	}
}

// TestFullDisk: what is there can be read and deleted, what is new is refused.
func TestFullDisk(t *testing.T) {
	mount := t.TempDir()
	if err := syscall.Mount("tmpfs", mount, "tmpfs", 0, "size=400k"); err != nil {
		t.Skip("cannot mount a small file system: ", err)
	}
	defer syscall.Unmount(mount, 2) // MNT_DETACH
	fx := newFixture(t, func(o *Options) { o.Folder = mount })
	fx.put("a.ics", 1)
	fx.put("b.ics", 1)
	filler, err := os.Create(filepath.Join(mount, "filler"))
	fx.must(err)
	for err == nil {
		_, err = filler.Write(make([]byte, 4096))
	}
	filler.Close()
	if _, err := fx.StageBytes(calPath, event("c", 1)); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("staging: %v", err)
	}
	fx.checkTruth()
	fx.must(os.RemoveAll(filepath.Join(fx.dir, radicaleCache)))
	_, err = os.Stat(filepath.Join(mount, "filler"))
	fx.must(err)
	for err == nil {
		var f *os.File
		if f, err = os.OpenFile(filepath.Join(mount, "filler"), os.O_WRONLY|os.O_APPEND, 0); err == nil {
			_, err = f.Write(make([]byte, 4096))
			f.Close()
		}
	}
	if c := fx.checkTruth(); c.SyncToken() != "" {
		t.Error("a token that is kept nowhere")
	}
	fx.update(func(tx *Tx) error { return tx.Delete(calPath + "/a.ics") })
	fx.checkTruth()
	fx.must(os.Remove(filepath.Join(mount, "filler")))
	fx.put("c.ics", 1)
	if c := fx.checkTruth(); c.SyncToken() == "" {
		t.Error("no journal, though there is room again")
	}
}

// TestCacheOnOtherFileSystem: what was staged there cannot be renamed into the
// collection, and is copied.
func TestCacheOnOtherFileSystem(t *testing.T) {
	mount := t.TempDir()
	if err := syscall.Mount("tmpfs", mount, "tmpfs", 0, ""); err != nil {
		t.Skip("cannot mount another file system: ", err)
	}
	defer syscall.Unmount(mount, 2) // MNT_DETACH
	fx := newFixture(t, func(o *Options) { o.CacheFolder = mount })
	fx.put("a.ics", 1)
	fx.put("a.ics", 2)
	fx.put("b.ics", 1)
	fx.checkTruth()
	fx.update(func(tx *Tx) error { return tx.Copy("user/cal/a.ics", "user/cal/c.ics", true) })
	fx.checkTruth()
	fx.noTemps()
	if _, err := os.Stat(filepath.Join(fx.dir, radicaleCache)); err == nil {
		t.Error("there is a cache in the collection")
	}
}

func findStrace(t *testing.T) string {
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("no strace")
	}
	if os.Getenv(runnerVariable) != "" {
		t.Skip("strace would see the runner's calls, too")
	}
	return strace
}
