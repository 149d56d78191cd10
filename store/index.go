package store

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"io"
	"slices"
)

// The index is what the journal knew when it was folded last. Its data (see
// block.go) is
//
//	header   in block 0
//	records  from block 1, ordered by name, removals among them
//	names    from the next block: the offset of each record, u32
//	seqs     record numbers, u32, ordered by sequence number
//	uids     hash u32 and record number u32, ordered by both
//
// Offsets count bytes of data, that of block 0 included.

// indexMagic begins an index.
const indexMagic = "inetdavI"

// indexHeader is the header of an index.
//
//	  0  8    magic
//	  8  u32  formatVersion
//	 12  u32  summaryVersion
//	 16  u64  epoch
//	 24  u64  generation
//	 32  u64  sequence number of the newest change
//	 40  u64  floor
//	 48  u64  secret
//	 56  u64  stamp: inode of the collection's folder
//	 64  i64  stamp: its mtime
//	 72  i64  stamp: its ctime
//	 80  i64  when the last change was recorded, Unix nanoseconds
//	 88  u8   1 if the stamp is exact
//	 89  u8   kind of the collection
//	 92  u32  number of objects
//	 96  u32  number of records
//	100  u32  number of entries in uids
//	104  u64  offset of names
//	112  u64  end of the data
type indexHeader struct {
	state
	summaries  uint32
	epoch      uint64 // of the history; a token of another is unknown
	generation uint64 // of the files; a log of another is stale
	floor      uint64 // a token below it is too old: removals were forgotten
	secret     uint64 // of the hashes in uids
	kind       Kind
	records    uint32
	uids       uint32
	names      uint64
	end        uint64
}

// state is what every change moves on.
type state struct {
	seq   uint64 // of the newest change
	stamp stamp
	wall  int64 // when, Unix nanoseconds
	live  uint32
}

const indexHeaderSize = 120

func (h *indexHeader) seqsAt() uint64 { return h.names + 4*uint64(h.records) }
func (h *indexHeader) uidsAt() uint64 { return h.seqsAt() + 4*uint64(h.records) }

func (h *indexHeader) encode() []byte {
	le := binary.LittleEndian
	b := append(make([]byte, 0, indexHeaderSize), indexMagic...)
	b = le.AppendUint32(b, formatVersion)
	b = le.AppendUint32(b, h.summaries)
	b = le.AppendUint64(b, h.epoch)
	b = le.AppendUint64(b, h.generation)
	b = le.AppendUint64(b, h.seq)
	b = le.AppendUint64(b, h.floor)
	b = le.AppendUint64(b, h.secret)
	b = h.stamp.append(b)
	b = le.AppendUint64(b, uint64(h.wall))
	b = append(b, h.stamp.flag(), byte(h.kind), 0, 0)
	b = le.AppendUint32(b, h.live)
	b = le.AppendUint32(b, h.records)
	b = le.AppendUint32(b, h.uids)
	b = le.AppendUint64(b, h.names)
	return le.AppendUint64(b, h.end)
}

// decode reads a header and checks that its numbers fit each other and a file
// of size bytes.
func (h *indexHeader) decode(b []byte, size int64) error {
	le := binary.LittleEndian
	if string(b[:8]) != indexMagic || le.Uint32(b[8:]) != formatVersion {
		return errDamaged
	}
	*h = indexHeader{
		state: state{
			seq:   le.Uint64(b[32:]),
			stamp: decodeStamp(b[56:], b[88]),
			wall:  int64(le.Uint64(b[80:])),
			live:  le.Uint32(b[92:]),
		},
		summaries:  le.Uint32(b[12:]),
		epoch:      le.Uint64(b[16:]),
		generation: le.Uint64(b[24:]),
		floor:      le.Uint64(b[40:]),
		secret:     le.Uint64(b[48:]),
		kind:       Kind(b[89]),
		records:    le.Uint32(b[96:]),
		uids:       le.Uint32(b[100:]),
		names:      le.Uint64(b[104:]),
		end:        le.Uint64(b[112:]),
	}
	blocks := uint64(size) / blockSize
	if uint64(size)%blockSize != 0 || h.names%blockData != 0 || h.names < blockData ||
		h.names > blocks*blockData || h.uids > h.records || h.live > h.records ||
		uint64(h.records)*(recordFixed+1) > h.names-blockData ||
		h.end != h.uidsAt()+8*uint64(h.uids) || blocks != (h.end+blockData-1)/blockData {
		return errDamaged
	}
	return nil
}

// index is an index opened for reading. Its methods fail with errDamaged, or
// with an error of the system.
type index struct {
	indexHeader
	blockReader
}

func openIndex(r io.ReaderAt, size int64) (*index, error) {
	x := &index{blockReader: blockReader{r: r}}
	first, err := x.block(0)
	if err != nil {
		return nil, err
	}
	return x, x.decode(first, size)
}

// word returns the 32-bit number at offset off.
func (x *index) word(off uint64) (uint32, error) {
	b, err := x.bytes(off, 4)
	if err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint32(b), nil
}

// record sets r to record number i, until the next call of a method.
func (x *index) record(i uint32, r *record) error {
	if i >= x.records {
		return errDamaged
	}
	at, err := x.word(x.names + 4*uint64(i))
	if err != nil {
		return err
	}
	off := uint64(at)
	if off < blockData || off+recordFixed > x.names {
		return errDamaged
	}
	n, err := x.word(off)
	if err != nil {
		return err
	}
	if n < recordFixed || n > maxRecord || off+uint64(n) > x.names {
		return errDamaged
	}
	b, err := x.bytes(off, int(n))
	if err != nil {
		return err
	}
	return decodeRecord(b, r)
}

// search returns the first i of n for which after(i) is true.
func search(n uint32, after func(i uint32) (bool, error)) (uint32, error) {
	low, high := uint32(0), n
	for low < high {
		mid := low + (high-low)/2
		yes, err := after(mid)
		if err != nil {
			return 0, err
		}
		if yes {
			high = mid
		} else {
			low = mid + 1
		}
	}
	return low, nil
}

// find sets r to the record called name, be it a removal.
func (x *index) find(name string, r *record) (bool, error) {
	i, err := search(x.records, func(i uint32) (bool, error) {
		err := x.record(i, r)
		return r.Name >= name, err
	})
	if err != nil || i == x.records {
		return false, err
	}
	err = x.record(i, r)
	return r.Name == name, err
}

// bySeq sets r to the record that is number i in the order of changes.
func (x *index) bySeq(i uint32, r *record) error {
	no, err := x.word(x.seqsAt() + 4*uint64(i))
	if err != nil {
		return err
	}
	return x.record(no, r)
}

// after returns the number, in the order of changes, of the first record whose
// sequence number is above seq.
func (x *index) after(seq uint64) (uint32, error) {
	var r record
	return search(x.records, func(i uint32) (bool, error) {
		err := x.bySeq(i, &r)
		return r.seq > seq, err
	})
}

// eachUID calls f with the records which may have the UID, until it says stop.
func (x *index) eachUID(uid string, f func(r *record) (stop bool)) error {
	hash := uidHash(x.secret, uid)
	i, err := search(x.uids, func(i uint32) (bool, error) {
		h, err := x.word(x.uidsAt() + 8*uint64(i))
		return h >= hash, err
	})
	var r record
	for ; err == nil && i < x.uids; i++ {
		var b []byte
		if b, err = x.bytes(x.uidsAt()+8*uint64(i), 8); err != nil {
			break
		}
		if binary.LittleEndian.Uint32(b) != hash {
			break
		}
		if err = x.record(binary.LittleEndian.Uint32(b[4:]), &r); err == nil && f(&r) {
			break
		}
	}
	return err
}

// uidHash is FNV-1a with a secret beginning, mixed: who chooses UIDs cannot
// choose their hashes, and if he could, the index would still be built in
// time, being sorted and not probed.
func uidHash(secret uint64, uid string) uint32 {
	h := secret ^ 14695981039346656037
	for i := range len(uid) {
		h = (h ^ uint64(uid[i])) * 1099511628211
	}
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	return uint32(h >> 32)
}

// indexCursor reads all records of an index in order.
type indexCursor struct {
	r    *bufio.Reader
	left uint32
	last int // length of the record before
	name []byte
}

func (x *index) cursor() indexCursor {
	return indexCursor{r: newBlockReader(x.r, blockData, x.names), left: x.records}
}

// next sets r to the next record, until it is called again.
func (c *indexCursor) next(r *record) (bool, error) {
	if c.left == 0 {
		return false, nil
	}
	c.left--
	c.r.Discard(c.last)
	b, err := c.r.Peek(recordFixed)
	if err == nil {
		n := binary.LittleEndian.Uint32(b)
		if n < recordFixed || n > maxRecord {
			return false, errDamaged
		}
		c.last = int(n)
		b, err = c.r.Peek(c.last)
	}
	if err == io.EOF {
		err = errDamaged
	}
	if err == nil {
		err = decodeRecord(b, r)
	}
	if err != nil {
		return false, err
	}
	if r.Name <= view(c.name) {
		return false, errDamaged
	}
	c.name = append(c.name[:0], r.Name...)
	return true, nil
}

// indexWriter writes an index. For each record it holds 24 bytes until the end.
type indexWriter struct {
	indexHeader
	w       *blockWriter
	scratch []byte
	offsets []uint32
	seqs    []seqEntry
	hashes  []uint64 // hash and record number, as they are sorted
}

type seqEntry struct {
	seq uint64
	no  uint32
}

func newIndexWriter(w io.WriterAt, h indexHeader) *indexWriter {
	h.summaries = summaryVersion
	h.live = 0
	return &indexWriter{indexHeader: h, w: newBlockWriter(w)}
}

// add adds a record. Records come in the order of their names.
func (x *indexWriter) add(r *record) error {
	if x.w.n+maxRecord > 1<<32 {
		return errTooMany
	}
	no := uint32(len(x.offsets))
	x.offsets = append(x.offsets, uint32(x.w.n))
	x.seqs = append(x.seqs, seqEntry{r.seq, no})
	if !r.removed() {
		x.live++
		if r.UID != "" {
			hash := uidHash(x.secret, shortUID(r.UID))
			x.hashes = append(x.hashes, uint64(hash)<<32|uint64(no))
		}
	}
	x.scratch = appendRecord(x.scratch[:0], r)
	return x.w.write(x.scratch)
}

// finish writes the tables and the header.
func (x *indexWriter) finish() error {
	x.w.align()
	x.names = x.w.n
	x.records, x.uids = uint32(len(x.offsets)), uint32(len(x.hashes))
	x.end = x.uidsAt() + 8*uint64(x.uids)
	slices.SortFunc(x.seqs, func(a, b seqEntry) int { return cmp.Compare(a.seq, b.seq) })
	slices.Sort(x.hashes)
	for _, off := range x.offsets {
		x.word(off)
	}
	for _, s := range x.seqs {
		x.word(s.no)
	}
	for _, h := range x.hashes {
		x.word(uint32(h >> 32))
		x.word(uint32(h))
	}
	return x.w.finish(x.encode())
}

func (x *indexWriter) word(v uint32) {
	x.scratch = binary.LittleEndian.AppendUint32(x.scratch[:0], v)
	x.w.write(x.scratch)
}
