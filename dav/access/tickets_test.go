package access

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"
)

func tickets(t *testing.T, dir string, now time.Time, bound ...string) [][32]byte {
	t.Helper()
	keys, err := TicketKeys(load(t, "--inetdav-state-folder="+dir), os.Getenv, now, bound...)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// A key is used for a day, understood for two more, and then gone from the file.
func TestTicketRotation(t *testing.T) {
	dir := t.TempDir()
	now := noon
	first := tickets(t, dir, now)
	if len(first) != 1 {
		t.Fatalf("%d keys at first", len(first))
	}
	if again := tickets(t, dir, now.Add(ticketRotation-time.Second)); !slices.Equal(again, first) {
		t.Error("another key within a day")
	}
	seen := [][32]byte{first[0]}
	for day := 1; day < 6; day++ {
		now = noon.Add(time.Duration(day) * ticketRotation)
		keys := tickets(t, dir, now)
		if slices.Contains(seen, keys[0]) {
			t.Fatalf("day %d: no new key", day)
		}
		seen = slices.Insert(seen, 0, keys[0])
		if want := seen[:min(len(seen), ticketKeys)]; !slices.Equal(keys, want) {
			t.Errorf("day %d: %d keys, want the last %d, newest first", day, len(keys), len(want))
		}
	}
	// Nobody came for long.
	if keys := tickets(t, dir, now.Add(ticketKeys*ticketRotation)); len(keys) != 1 || slices.Contains(seen, keys[0]) {
		t.Errorf("%d keys after a pause", len(keys))
	}
	b, _ := os.ReadFile(filepath.Join(dir, "tickets"))
	if used := len(bytes.TrimRight(b[headerSize:], "\x00")); bytes.Count(b[headerSize:], make([]byte, ticketSize)) != ticketKeys-1 {
		t.Errorf("old keys are left in the file (%d bytes)", used)
	}
	// The clock was set back.
	if keys := tickets(t, dir, noon); len(keys) != 1 {
		t.Errorf("%d keys, of which some come from the future", len(keys))
	}
}

func TestTicketKeysHoldForCertificates(t *testing.T) {
	dir := t.TempDir()
	a := tickets(t, dir, noon, "certificate", "authority")
	if b := tickets(t, dir, noon, "certificate", "another"); b[0] == a[0] {
		t.Error("one key for two authorities")
	}
	if b := tickets(t, dir, noon, "certificatea", "uthority"); b[0] == a[0] {
		t.Error("one key for two sets")
	}
	if b := tickets(t, dir, noon, "certificate", "authority"); b[0] != a[0] {
		t.Error("two keys for one set")
	}
}

func TestTicketsWithoutFile(t *testing.T) {
	// Neither a configured folder nor one that is given.
	if keys, err := TicketKeys(load(t), func(string) string { return "" }, noon); err != nil || len(keys) != 0 && ours("/run/inetdav") != nil {
		t.Errorf("%d keys, %v", len(keys), err)
	}
	dir := t.TempDir()
	name := filepath.Join(dir, "tickets")
	first := tickets(t, dir, noon)
	if info, err := os.Stat(name); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	good, _ := os.ReadFile(name)
	damaged := func(change func(b []byte) []byte) {
		t.Helper()
		if err := os.WriteFile(name, change(slices.Clone(good)), 0o600); err != nil {
			t.Fatal(err)
		}
		keys := tickets(t, dir, noon)
		if len(keys) != 1 || keys[0] == first[0] {
			t.Errorf("%d keys of a damaged file", len(keys))
		}
		if again := tickets(t, dir, noon); !slices.Equal(again, keys) {
			t.Error("it was not replaced")
		}
	}
	damaged(func(b []byte) []byte { return nil })
	damaged(func(b []byte) []byte { return b[:len(b)-1] })
	damaged(func(b []byte) []byte { b[0]++; return b })
	damaged(func(b []byte) []byte { b[headerSize]++; return b })
	damaged(func(b []byte) []byte { b[headerSize+20]++; return b })
	damaged(func(b []byte) []byte { clear(b[headerSize:]); return b })

	// What others could read or have made is not used.
	refused := func(what string) {
		t.Helper()
		if keys, err := TicketKeys(load(t, "--inetdav-state-folder="+dir), os.Getenv, noon); err == nil || len(keys) > 0 {
			t.Errorf("%s: %d keys, %v", what, len(keys), err)
		}
	}
	os.Chmod(name, 0o640)
	refused("readable by others")
	os.Chmod(name, 0o600)
	if os.Getuid() == 0 {
		os.Chown(name, 1, 1)
		refused("another user's")
		os.Chown(name, 0, 0)
	}
	other := filepath.Join(dir, "other")
	os.Rename(name, other)
	os.Symlink(other, name)
	refused("a link")
	os.Remove(name)
	os.Link(other, name)
	refused("with two names")
}

// Who comes first makes the key, the others use it.
func TestTicketsAtOnce(t *testing.T) {
	dir := t.TempDir()
	var all [8][][32]byte
	var wait sync.WaitGroup
	for i := range all {
		wait.Go(func() { all[i] = tickets(t, dir, noon.Add(time.Duration(i-4)*time.Millisecond)) })
	}
	wait.Wait()
	for i, keys := range all {
		if !slices.Equal(keys, all[0]) {
			t.Errorf("%d has other keys", i)
		}
	}
}
