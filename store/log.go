package store

import (
	"encoding/binary"
	"io"
)

// The log is what happened since the index was written. It only grows, under
// the exclusive lock; a reader looks at no more of it than there was when it
// held the lock. Its last entry alone tells the state of the journal.
//
//	 0  8    magic
//	 8  u32  formatVersion
//	12  u32  0
//	16  u64  epoch of the index
//	24  u64  generation of the index
//	32  u64  inode of the log itself
//	40  u64  inode of the collection's folder
//	48  u64  0
//	56  u32  0
//	60  u32  CRC-32 of the bytes before
//
// The inodes tell a journal that was copied or restored with its folder from
// the one that was written here: the copy's history may have parted from what
// clients were told.

// logMagic begins a log.
const logMagic = "inetdavL"

const logHeaderSize = 64

type logHeader struct {
	epoch, generation uint64
	own, folder       uint64
}

func (h *logHeader) encode() []byte {
	le := binary.LittleEndian
	b := append(make([]byte, 0, logHeaderSize), logMagic...)
	b = le.AppendUint32(b, formatVersion)
	b = le.AppendUint32(b, 0)
	b = le.AppendUint64(b, h.epoch)
	b = le.AppendUint64(b, h.generation)
	b = le.AppendUint64(b, h.own)
	b = le.AppendUint64(b, h.folder)
	b = append(b, make([]byte, 12)...)
	return le.AppendUint32(b, checksum(b))
}

func (h *logHeader) decode(b []byte) error {
	le := binary.LittleEndian
	if string(b[:8]) != logMagic || le.Uint32(b[8:]) != formatVersion ||
		le.Uint32(b[60:]) != checksum(b[:60]) {
		return errDamaged
	}
	*h = logHeader{
		epoch:      le.Uint64(b[16:]),
		generation: le.Uint64(b[24:]),
		own:        le.Uint64(b[32:]),
		folder:     le.Uint64(b[40:]),
	}
	return nil
}

// entryKind says what an entry of the log is. The values are on disk.
type entryKind uint8

const (
	// entryChange: the object is new or has new bytes.
	entryChange entryKind = 1 + iota
	// entryRemoval: the object is gone.
	entryRemoval
	// entryRefresh: the object has the bytes and the sequence number that it
	// had; what else the journal knows of it has changed.
	entryRefresh
	// entryStamp: only the stamp has changed. It has no record.
	entryStamp
)

// Sizes of entries, in bytes.
const (
	entryHead = 56
	entryTail = 8
	maxEntry  = entryHead + maxRecord + entryTail
)

// appendEntry appends an entry that says st and, unless it is an entryStamp, r:
//
//	 0  u32  length of the whole entry
//	 4  u8   kind
//	 5  u8   1 if the stamp is exact
//	 6  u16  0
//	 8  u64  sequence number of the newest change
//	16  i64  when the entry was written, Unix nanoseconds
//	24  u64  stamp: inode of the folder
//	32  i64  stamp: its mtime
//	40  i64  stamp: its ctime
//	48  u32  number of objects
//	52  u32  0
//	56       the record
//	-8  u32  CRC-32 of epoch, generation, offset (u64 each) and the bytes before
//	-4  u32  length of the whole entry, once more
//
// off is where in the log it will stand.
func appendEntry(dst []byte, h *logHeader, off int64, kind entryKind, st *state, r *record) []byte {
	le := binary.LittleEndian
	start := len(dst)
	dst = le.AppendUint32(dst, 0)
	dst = append(dst, byte(kind), st.stamp.flag(), 0, 0)
	dst = le.AppendUint64(dst, st.seq)
	dst = le.AppendUint64(dst, uint64(st.wall))
	dst = st.stamp.append(dst)
	dst = le.AppendUint32(dst, st.live)
	dst = le.AppendUint32(dst, 0)
	if kind != entryStamp {
		dst = appendRecord(dst, r)
	}
	n := uint32(len(dst) - start + entryTail)
	le.PutUint32(dst[start:], n)
	dst = le.AppendUint32(dst, h.checksum(dst[start:], off))
	return le.AppendUint32(dst, n)
}

func (h *logHeader) checksum(b []byte, off int64) uint32 {
	return checksum(b, h.epoch, h.generation, uint64(off))
}

// entry is one entry read.
type entry struct {
	kind entryKind
	state
	record []byte
}

// decodeEntry reads the entry at the start of b, which stands at off in the
// log, and returns its length.
func (h *logHeader) decodeEntry(b []byte, off int64, e *entry) (int, error) {
	le := binary.LittleEndian
	if len(b) < entryHead+entryTail {
		return 0, errDamaged
	}
	n := int64(le.Uint32(b))
	if n < entryHead+entryTail || n > min(maxEntry, int64(len(b))) {
		return 0, errDamaged
	}
	b = b[:n]
	if le.Uint32(b[n-4:]) != uint32(n) || le.Uint32(b[n-8:]) != h.checksum(b[:n-8], off) {
		return 0, errDamaged
	}
	*e = entry{
		kind: entryKind(b[4]),
		state: state{
			seq:   le.Uint64(b[8:]),
			wall:  int64(le.Uint64(b[16:])),
			stamp: decodeStamp(b[24:], b[5]),
			live:  le.Uint32(b[48:]),
		},
		record: b[entryHead : n-entryTail],
	}
	if e.kind < entryChange || e.kind > entryStamp || (e.kind == entryStamp) != (len(e.record) == 0) {
		return 0, errDamaged
	}
	return int(n), nil
}

// readTail reads the last entry of a log that ends at end.
func (h *logHeader) readTail(r io.ReaderAt, end int64, e *entry) error {
	n := min(end-logHeaderSize, maxEntry)
	if n < entryHead+entryTail {
		return errDamaged
	}
	b := make([]byte, n)
	if err := readFull(r, b, end-n); err != nil {
		return err
	}
	last := int64(binary.LittleEndian.Uint32(b[n-4:]))
	if last > n {
		return errDamaged
	}
	got, err := h.decodeEntry(b[n-last:], end-last, e)
	if err == nil && int64(got) != last {
		err = errDamaged
	}
	return err
}

// readFull fills b, or fails: a file that is shorter than it was is damaged.
func readFull(r io.ReaderAt, b []byte, off int64) error {
	n, err := r.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if err == io.EOF {
		err = errDamaged
	}
	return err
}
