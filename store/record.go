package store

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"time"
	"unsafe"

	"inetdav/store/object"
)

// errDamaged: a file of the journal is not what was written. It never reaches
// a client: the journal is built anew.
var errDamaged = errors.New("journal damaged")

// sum is the SHA-256 of an object.
type sum [sha256.Size]byte

// append appends the entity tag.
func (s *sum) append(dst []byte) []byte {
	dst = append(dst, '"')
	dst = hex.AppendEncode(dst, s[:])
	return append(dst, '"')
}

func (s *sum) etag() string {
	var b [2*sha256.Size + 2]byte
	return string(s.append(b[:0]))
}

// recordFlags say what the journal has to remember beside the facts. The
// values are on disk.
type recordFlags uint8

const (
	// flagRemoved: the object is gone; mtime is when that was found, and of
	// the rest only the name and the sequence number mean anything.
	flagRemoved recordFlags = 1 << iota
	// flagRacy: the file had changed so short before it was read that the
	// next change may not show in its times. It is read again.
	flagRacy
	// flagUnread: the file could not be read. It is tried again.
	flagUnread
	// flagTagged: Radicale called these bytes by another entity tag, and so do
	// we. It follows the hints.
	flagTagged
)

// record is a Record with what only the journal needs.
type record struct {
	Record
	stat  fileStat
	seq   uint64
	flags recordFlags
	isNew bool // of a change being made: the journal has no object of the name
}

func (r *record) removed() bool { return r.flags&flagRemoved != 0 }

// clone makes r independent of the buffer that it was decoded from.
func (r *record) clone() {
	n, u := len(r.Name), len(r.UID)
	b := make([]byte, 0, n+u+len(r.Component)+len(r.Hints))
	b = append(b, r.Name...)
	b = append(b, r.UID...)
	b = append(b, r.Component...)
	b = append(b, r.Hints...)
	all := view(b)
	c := n + u + len(r.Component)
	r.Name, r.UID, r.Component = all[:n], all[n:n+u], all[n+u:c]
	r.Hints = b[c:len(b):len(b)]
}

// view returns b as a string without copying it. The string changes when b does.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// recordFixed is the size of a record without its strings.
const recordFixed = 104

// tagSize is what flagTagged adds.
const tagSize = 32

// appendRecord appends r in the form that index and log share (all numbers are
// little-endian):
//
//	 0  u32  length of the whole record
//	 4  u8   flags
//	 5  u8   length of the name
//	 6  u8   length of the component
//	 7  u8   0
//	 8  u16  flags of the summary
//	10  u16  length of the UID
//	12  u32  length of the hints
//	16  u64  sequence number of the last change
//	24  i64  size
//	32  i64  mtime, Unix nanoseconds
//	40  i64  ctime, Unix nanoseconds
//	48  u64  inode
//	56  i64  start, Unix seconds
//	64  i64  end, Unix seconds
//	72  32   SHA-256 of the bytes
//	104      name, component, UID, hints; if flagged as tagged, 32 bytes more
func appendRecord(dst []byte, r *record) []byte {
	component := r.Component[:min(len(r.Component), maxComponent)]
	uid := shortUID(r.UID)
	hints, flags := r.Hints, r.Flags
	if len(hints) > maxHints {
		hints, flags = nil, flags&^object.HintsWhole
	}
	le := binary.LittleEndian
	n := recordFixed + len(r.Name) + len(component) + len(uid) + len(hints)
	if r.flags&flagTagged != 0 {
		n += tagSize
	}
	dst = le.AppendUint32(dst, uint32(n))
	dst = append(dst, byte(r.flags), byte(len(r.Name)), byte(len(component)), 0)
	dst = le.AppendUint16(dst, uint16(flags))
	dst = le.AppendUint16(dst, uint16(len(uid)))
	dst = le.AppendUint32(dst, uint32(len(hints)))
	dst = le.AppendUint64(dst, r.seq)
	dst = le.AppendUint64(dst, uint64(r.stat.size))
	dst = le.AppendUint64(dst, uint64(r.stat.mtime))
	dst = le.AppendUint64(dst, uint64(r.stat.ctime))
	dst = le.AppendUint64(dst, r.stat.ino)
	dst = le.AppendUint64(dst, uint64(r.Start))
	dst = le.AppendUint64(dst, uint64(r.End))
	dst = append(dst, r.sum[:]...)
	dst = append(dst, r.Name...)
	dst = append(dst, component...)
	dst = append(dst, uid...)
	dst = append(dst, hints...)
	if r.flags&flagTagged != 0 {
		dst = append(dst, r.tag[:]...)
	}
	return dst
}

// decodeRecord sets r to the record that b is, whole. Its strings are views of b.
func decodeRecord(b []byte, r *record) error {
	if len(b) < recordFixed {
		return errDamaged
	}
	le := binary.LittleEndian
	component := recordFixed + int(b[5])
	uid := component + int(b[6])
	hints := uid + int(le.Uint16(b[10:]))
	r.flags = recordFlags(b[4])
	end := len(b)
	if r.flags&flagTagged != 0 {
		end -= tagSize
	}
	if b[5] == 0 || end < hints || uint64(hints)+uint64(le.Uint32(b[12:])) != uint64(end) || le.Uint32(b) != uint32(len(b)) {
		return errDamaged
	}
	r.seq = le.Uint64(b[16:])
	r.stat.size = int64(le.Uint64(b[24:]))
	r.stat.mtime = int64(le.Uint64(b[32:]))
	r.stat.ctime = int64(le.Uint64(b[40:]))
	r.stat.ino = le.Uint64(b[48:])
	r.sum = sum(b[72:])
	if r.tag = (sum{}); end < len(b) {
		r.tag = sum(b[end:])
	}
	r.Name = view(b[recordFixed:component])
	r.Size = r.stat.size
	r.ModTime = time.Unix(0, r.stat.mtime)
	r.Summary = object.Summary{
		Component: view(b[component:uid]),
		UID:       view(b[uid:hints]),
		Start:     int64(le.Uint64(b[56:])),
		End:       int64(le.Uint64(b[64:])),
		Flags:     object.Flags(le.Uint16(b[8:])),
		Hints:     b[hints:end:end],
	}
	return nil
}

// shortUID returns the UID as the journal keeps it: whole, or its beginning and
// a hash that keeps different ones different.
func shortUID(uid string) string {
	if len(uid) <= maxUID {
		return uid
	}
	h := sha256.Sum256([]byte(uid))
	b := append(make([]byte, 0, maxUID), uid[:maxUID-1-2*len(h)]...)
	return string(hex.AppendEncode(append(b, '#'), h[:]))
}

func hash(b []byte) sum { return sha256.Sum256(b) }
