package store

import (
	"encoding/binary"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// journal is what is known of a collection's objects at one moment: an index
// and the entries of the log since. It does not change; see live for what does.
type journal struct {
	idx  *index
	head logHeader
	now  state

	log  storage // where the entries are
	size int64   // how much of the log belongs to this moment

	// Read from the log when first needed:
	loaded  bool
	entries []byte   // all of them
	records []uint32 // where in entries each record begins, oldest first
	newest  []uint32 // the same, only the newest of each name, by name

	// volatile: this is not, or not all, on disk. It gives no sync tokens.
	volatile bool
	files    []file // to close
}

// openJournal opens the journal in the folder d of the collection whose folder
// has that inode. The log is opened for writing too if write is set. The error
// is fs.ErrNotExist if there is none and errDamaged if it cannot be trusted.
func openJournal(d dir, folder uint64, write bool) (*journal, error) {
	j := new(journal)
	if err := j.openFiles(d, folder, write); err != nil {
		j.close()
		return nil, err
	}
	return j, nil
}

func (j *journal) openFiles(d dir, folder uint64, write bool) error {
	idx, size, _, err := j.open(d, indexName, unix.O_RDONLY)
	if err != nil {
		return err
	}
	if j.idx, err = openIndex(idx, size); err != nil {
		return err
	}
	flags := unix.O_RDONLY
	if write {
		flags = unix.O_RDWR
	}
	// A crash right after the first index was put in its place leaves no log,
	// and so no journal.
	log, size, own, err := j.open(d, logName, flags)
	if err != nil {
		return err
	}
	j.log, j.size = log, size
	var b [logHeaderSize]byte
	if err := readFull(log, b[:], 0); err != nil {
		return err
	}
	if err := j.head.decode(b[:]); err != nil {
		return err
	}
	j.now = j.idx.state
	switch {
	case j.head.own != own || j.head.folder != folder || j.head.epoch != j.idx.epoch:
		return errDamaged
	case j.head.generation+1 == j.idx.generation:
		// A fold was interrupted between its two renames: the index has all
		// that this log says.
		j.size = 0
	case j.head.generation != j.idx.generation || size > maxLog:
		return errDamaged
	case size > logHeaderSize:
		var last entry
		if err := j.head.readTail(log, size, &last); err != nil {
			return err
		}
		j.now = last.state
	}
	return nil
}

// open opens one of the journal's files.
func (j *journal) open(d dir, name string, flags int) (f file, size int64, ino uint64, err error) {
	fd, err := d.open(name, flags)
	if err != nil {
		return 0, 0, 0, err
	}
	j.files = append(j.files, file(fd))
	st, err := fstat(fd)
	if err == nil && !st.isRegular() {
		err = errDamaged
	}
	return file(fd), st.size, st.ino, err
}

func (j *journal) close() {
	for _, f := range j.files {
		f.close()
	}
	j.files = nil
}

// hasLog reports whether there are entries, and that there is a log at all to
// append to: not while that of the generation before lies there.
func (j *journal) hasLog() bool { return j.size > 0 }

// load reads the entries of the log.
func (j *journal) load() error {
	if j.loaded {
		return nil
	}
	j.entries, j.records, j.newest = nil, nil, nil
	if j.size > logHeaderSize {
		j.entries = make([]byte, j.size-logHeaderSize)
		if err := readFull(j.log, j.entries, logHeaderSize); err != nil {
			return err
		}
	}
	for at := 0; at < len(j.entries); {
		var e entry
		n, err := j.head.decodeEntry(j.entries[at:], logHeaderSize+int64(at), &e)
		if err != nil {
			return err
		}
		if e.kind != entryStamp {
			if err := decodeRecord(e.record, new(record)); err != nil {
				return err
			}
			j.records = append(j.records, uint32(at+entryHead))
		}
		at += n
	}
	j.newest = slices.Clone(j.records)
	slices.SortFunc(j.newest, func(a, b uint32) int {
		if c := strings.Compare(j.name(a), j.name(b)); c != 0 {
			return c
		}
		return int(b) - int(a) // the newest first, which CompactFunc keeps
	})
	j.newest = slices.CompactFunc(j.newest, func(a, b uint32) bool { return j.name(a) == j.name(b) })
	j.loaded = true
	return nil
}

// name returns the name in the record at a position in the log's entries.
func (j *journal) name(at uint32) string {
	return view(j.entries[at+recordFixed:][:j.entries[at+5]])
}

// decode sets r to the record at a position in the log's entries.
func (j *journal) decode(at uint32, r *record) error {
	return decodeRecord(j.entries[at:][:binary.LittleEndian.Uint32(j.entries[at:])], r)
}

// logged sets r to what the log says last of the object called name.
func (j *journal) logged(name string, r *record) (bool, error) {
	i, ok := slices.BinarySearchFunc(j.newest, name, func(at uint32, name string) int {
		return strings.Compare(j.name(at), name)
	})
	if !ok {
		return false, nil
	}
	return true, j.decode(j.newest[i], r)
}

// lookup sets r to the newest record of the name, be it a removal.
func (j *journal) lookup(name string, r *record) (bool, error) {
	if err := j.load(); err != nil {
		return false, err
	}
	if ok, err := j.logged(name, r); ok || err != nil {
		return ok, err
	}
	return j.idx.find(name, r)
}

// findUID returns the name of an object with that UID.
func (j *journal) findUID(uid string) (name string, ok bool, err error) {
	if err := j.load(); err != nil {
		return "", false, err
	}
	uid = shortUID(uid)
	var r record
	for _, at := range j.newest {
		if err := j.decode(at, &r); err != nil {
			return "", false, err
		}
		if r.UID == uid && !r.removed() {
			return strings.Clone(r.Name), true, nil
		}
	}
	err = j.idx.eachUID(uid, func(r *record) bool {
		if r.UID != uid || r.removed() {
			return false
		}
		var other record
		if newer, _ := j.logged(r.Name, &other); newer {
			return false
		}
		name, ok = strings.Clone(r.Name), true
		return true
	})
	return name, ok, err
}

// cursor reads all records, the newest of each name, in the order of names.
type cursor struct {
	j      *journal
	idx    indexCursor
	newest []uint32
	held   record // of the index, not yet handed out
	full   bool
}

func (j *journal) cursor() (*cursor, error) {
	if err := j.load(); err != nil {
		return nil, err
	}
	return &cursor{j: j, idx: j.idx.cursor(), newest: j.newest}, nil
}

// next sets r to the next record, until it is called again.
func (c *cursor) next(r *record) (bool, error) {
	if !c.full {
		var err error
		if c.full, err = c.idx.next(&c.held); err != nil {
			return false, err
		}
	}
	if len(c.newest) > 0 {
		name := c.j.name(c.newest[0])
		if !c.full || c.held.Name >= name {
			c.full = c.full && c.held.Name != name
			err := c.j.decode(c.newest[0], r)
			c.newest = c.newest[1:]
			return true, err
		}
	}
	if !c.full {
		return false, nil
	}
	c.full = false
	*r = c.held
	return true, nil
}

// changes calls f with the newest record of each name that changed after seq,
// in the order of changes, until it says stop.
func (j *journal) changes(seq uint64, f func(r *record) (stop bool)) error {
	if err := j.load(); err != nil {
		return err
	}
	// A record of either part is the newest of its name if no entry of the
	// log has another sequence number: entries that only refresh repeat it.
	var r, other record
	emit := func() (stop bool, err error) {
		ok, err := j.logged(r.Name, &other)
		switch {
		case err != nil:
			return true, err
		case !ok:
			return f(&r), nil
		case other.seq == r.seq:
			return f(&other), nil
		}
		return false, nil
	}
	i, err := j.idx.after(seq)
	for ; err == nil && i < j.idx.records; i++ {
		var stop bool
		if err = j.idx.bySeq(i, &r); err == nil {
			stop, err = emit()
		}
		if stop {
			return err
		}
	}
	if err != nil {
		return err
	}
	done := max(seq, j.idx.seq)
	for _, at := range j.records {
		if err := j.decode(at, &r); err != nil {
			return err
		}
		if r.seq <= done {
			continue // refreshed, or told already
		}
		done = r.seq
		if stop, err := emit(); stop {
			return err
		}
	}
	return nil
}
