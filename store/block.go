package store

import (
	"bufio"
	"encoding/binary"
	"hash/crc32"
	"io"
)

// An index is made of blocks: blockData bytes and their checksum, in which the
// number of the block takes part. Whoever reads sees one run of bytes, the
// data of all blocks after the other, all of it checked: a damaged index is
// noticed by whatever meets the damage, and costs no pass over the file before.

const (
	blockSize = 4096
	blockData = blockSize - 4
	// blockBatch is how many blocks a sequential pass reads or writes at once.
	blockBatch = 16
	// blockCache is how many blocks random access keeps.
	blockCache = 8
)

// checksum is the CRC-32 of b, of which the words before it are part. It is
// IEEE's: to make the tables of Castagnoli's takes more instructions than all
// else that a poll does.
func checksum(b []byte, words ...uint64) uint32 {
	crc := uint32(0)
	var w [8]byte
	for _, word := range words {
		binary.LittleEndian.PutUint64(w[:], word)
		crc = crc32.Update(crc, crc32.IEEETable, w[:])
	}
	return crc32.Update(crc, crc32.IEEETable, b)
}

// sealBlock writes the checksum of block number no.
func sealBlock(block []byte, no uint64) {
	binary.LittleEndian.PutUint32(block[blockData:], checksum(block[:blockData], no))
}

func checkBlock(block []byte, no uint64) error {
	if binary.LittleEndian.Uint32(block[blockData:]) != checksum(block[:blockData], no) {
		return errDamaged
	}
	return nil
}

// storage is where an index lies: a file, or memory where no file may be written.
type storage interface {
	io.ReaderAt
	io.WriterAt
}

// memory is storage in memory.
type memory struct{ b []byte }

func (m *memory) ReadAt(b []byte, off int64) (int, error) {
	if off > int64(len(m.b)) {
		return 0, io.EOF
	}
	n := copy(b, m.b[off:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (m *memory) WriteAt(b []byte, off int64) (int, error) {
	if end := int(off) + len(b); end > len(m.b) {
		m.b = append(m.b, make([]byte, end-len(m.b))...)
	}
	return copy(m.b[off:], b), nil
}

// blockReader gives random access to blocks.
type blockReader struct {
	r     io.ReaderAt
	cache [blockCache]struct {
		no   uint64 // 0: empty; block 0 is never kept
		data *[blockSize]byte
	}
	scratch []byte
}

// block returns the data of block number no, valid until the next call.
func (br *blockReader) block(no uint64) ([]byte, error) {
	slot := &br.cache[no%blockCache]
	if slot.data == nil {
		slot.data = new([blockSize]byte)
	}
	if slot.no != no || no == 0 {
		slot.no = 0
		if err := readBlocks(br.r, slot.data[:], no); err != nil {
			return nil, err
		}
		slot.no = no
	}
	return slot.data[:blockData], nil
}

// readBlocks fills b with whole blocks, the first of which is number no.
func readBlocks(r io.ReaderAt, b []byte, no uint64) error {
	if n, err := r.ReadAt(b, int64(no*blockSize)); n < len(b) {
		if err == io.EOF {
			return errDamaged
		}
		return err
	}
	for ; len(b) > 0; b = b[blockSize:] {
		if err := checkBlock(b[:blockSize], no); err != nil {
			return err
		}
		no++
	}
	return nil
}

// bytes returns n bytes at offset off, valid until the next call. n is at most
// maxRecord.
func (br *blockReader) bytes(off uint64, n int) ([]byte, error) {
	no, at := off/blockData, int(off%blockData)
	b, err := br.block(no)
	if err != nil {
		return nil, err
	}
	if at+n <= blockData {
		return b[at : at+n], nil
	}
	br.scratch = append(br.scratch[:0], b[at:]...)
	for len(br.scratch) < n {
		no++
		if b, err = br.block(no); err != nil {
			return nil, err
		}
		br.scratch = append(br.scratch, b[:min(blockData, n-len(br.scratch))]...)
	}
	return br.scratch, nil
}

// blockStream is an io.Reader of the data of the blocks first to last-1.
type blockStream struct {
	r           io.ReaderAt
	first, last uint64
	buf         []byte
	rest        []byte // of the current block
	blocks      []byte // read and checked, not yet handed out
}

// newBlockReader returns a buffered reader of the data from offset off, which
// begins a block, to the end. Peek may ask for maxRecord bytes.
func newBlockReader(r io.ReaderAt, off, end uint64) *bufio.Reader {
	s := &blockStream{r: r, first: off / blockData, last: (end + blockData - 1) / blockData}
	s.buf = make([]byte, blockSize*min(blockBatch, s.last-s.first))
	return bufio.NewReaderSize(s, max(maxRecord, len(s.buf)))
}

func (s *blockStream) Read(b []byte) (int, error) {
	if len(s.rest) == 0 {
		if len(s.blocks) == 0 {
			if s.first >= s.last {
				return 0, io.EOF
			}
			n := min(s.last-s.first, uint64(len(s.buf)/blockSize))
			s.blocks = s.buf[:n*blockSize]
			if err := readBlocks(s.r, s.blocks, s.first); err != nil {
				return 0, err
			}
			s.first += n
		}
		s.rest, s.blocks = s.blocks[:blockData], s.blocks[blockSize:]
	}
	n := copy(b, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

// blockWriter writes blocks from number 1 on; block 0 comes last. After an
// error it does nothing but return it.
type blockWriter struct {
	w   io.WriterAt
	no  uint64 // of the block that buf begins with
	buf []byte
	n   uint64 // bytes of data written so far, that of block 0 included
	err error
}

func newBlockWriter(w io.WriterAt) *blockWriter {
	return &blockWriter{w: w, no: 1, buf: make([]byte, 0, blockBatch*blockSize), n: blockData}
}

func (bw *blockWriter) write(b []byte) error {
	for len(b) > 0 && bw.err == nil {
		room := blockData - len(bw.buf)%blockSize
		n := min(room, len(b))
		bw.buf = append(bw.buf, b[:n]...)
		b = b[n:]
		bw.n += uint64(n)
		if n == room {
			bw.endBlock()
		}
	}
	return bw.err
}

// endBlock completes the block begun, and writes when the buffer is full.
func (bw *blockWriter) endBlock() {
	fill := blockData - len(bw.buf)%blockSize
	bw.n += uint64(fill)
	bw.buf = append(bw.buf, make([]byte, fill+4)...)
	done := uint64(len(bw.buf)) / blockSize
	sealBlock(bw.buf[len(bw.buf)-blockSize:], bw.no+done-1)
	if len(bw.buf) == cap(bw.buf) {
		bw.flush()
	}
}

func (bw *blockWriter) flush() {
	if bw.err == nil {
		_, bw.err = bw.w.WriteAt(bw.buf, int64(bw.no*blockSize))
	}
	bw.no += uint64(len(bw.buf)) / blockSize
	bw.buf = bw.buf[:0]
}

// align begins a new block, unless one has just begun.
func (bw *blockWriter) align() {
	if len(bw.buf)%blockSize != 0 {
		bw.endBlock()
	}
}

// finish writes what is left and, last, block 0 with the header.
func (bw *blockWriter) finish(header []byte) error {
	bw.align()
	bw.flush()
	if bw.err != nil {
		return bw.err
	}
	var first [blockSize]byte
	copy(first[:], header)
	sealBlock(first[:], 0)
	_, err := bw.w.WriteAt(first[:], 0)
	return err
}
