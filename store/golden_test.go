package store

import (
	"crypto/sha256"
	"encoding/hex"
	"testing"

	"inetdav/store/object"
)

// TestFormat pins the bytes of index and log: they are the same on every
// machine, and another version of the program must find what this one wrote.
func TestFormat(t *testing.T) {
	h := indexHeader{epoch: 0x0102030405060708, generation: 9, floor: 10, secret: 11, kind: Calendar}
	h.state = state{seq: 12, stamp: stamp{13, 14, -15, true}, wall: 16}
	var m memory
	x := newIndexWriter(&m, h)
	r := record{
		Record: Record{Name: "a.ics", sum: hash([]byte("a")), Summary: object.Summary{
			Component: "VEVENT", UID: "u", Start: -17, End: 18, Flags: object.Recurring, Hints: []byte("STATUS:X\n"),
		}},
		stat: fileStat{size: 19, mtime: 20, ctime: 21, ino: 22}, seq: 11, flags: flagRacy,
	}
	gone := record{Record: Record{Name: "b"}, seq: 12, flags: flagRemoved}
	for _, r := range []*record{&r, &gone} {
		if err := x.add(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := x.finish(); err != nil {
		t.Fatal(err)
	}
	head := logHeader{epoch: h.epoch, generation: 9, own: 23, folder: 13}
	log := head.encode()
	log = appendEntry(log, &head, int64(len(log)), entryChange, &h.state, &r)
	log = appendEntry(log, &head, int64(len(log)), entryStamp, &h.state, nil)
	for _, test := range []struct {
		name, want string
		b          []byte
	}{
		{"index", "2cb4c4b2161c46e6", m.b},
		{"log", "4cd5fe167f3f92e1", log},
	} {
		digest := sha256.Sum256(test.b)
		if got := hex.EncodeToString(digest[:8]); got != test.want {
			t.Errorf("%s: %d bytes, digest %s, want %s", test.name, len(test.b), got, test.want)
		}
	}
}
