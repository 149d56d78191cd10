package store

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"io/fs"
	"time"

	"golang.org/x/sys/unix"
)

// errTooMany: an index would become larger than 4 GiB.
var errTooMany = errors.New("too many objects in one collection")

// journalError marks a failure to write the journal, as opposed to one to read
// the objects: the collection can still be served, from memory.
type journalError struct{ error }

func (e journalError) Unwrap() error { return e.error }

func asJournalError(err error) error {
	if err == nil {
		return nil
	}
	return journalError{err}
}

// live is the journal of a collection in the hands of whoever holds the
// exclusive lock.
//
// Invariants, whenever no method runs: what j says is on disk (unless
// j.volatile); if j.now.stamp matches the folder, j is what is in the folder.
type live struct {
	s    *Store
	f    *folder
	kind Kind
	d    dir // of the journal, if there is one
	j    *journal
	// inMemory: nothing is written but to memory, and j is volatile.
	inMemory bool
	marked   bool // taggedName is there
}

// openLive opens the journal of a collection and brings it up to date with its
// folder. In memory, nothing is written. A journalError says that it could not
// be written and had better be opened in memory.
func (s *Store) openLive(f *folder, kind Kind, e effort, inMemory bool) (*live, error) {
	l := &live{s: s, f: f, kind: kind, d: noDir, inMemory: inMemory}
	err := l.open()
	if err == nil {
		err = l.update(e)
	}
	if err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

// openLiveAnyhow is openLive, in memory where it cannot be otherwise.
func (s *Store) openLiveAnyhow(f *folder, kind Kind, e effort) (*live, error) {
	l, err := s.openLive(f, kind, e, false)
	if errors.As(err, new(journalError)) {
		s.logf(LevelWarning, "journal of %q: %v", f.path, err)
		l, err = s.openLive(f, kind, e, true)
	}
	return l, err
}

func (l *live) close() {
	l.d.close()
	l.d = noDir
	if l.j != nil {
		l.j.close()
		l.j = nil
	}
}

// open opens the journal as it lies there; l.j stays nil if there is none or
// none to trust.
func (l *live) open() error {
	st, err := fstat(int(l.f.dir))
	if err != nil {
		return err
	}
	if l.d, err = l.s.openJournalDir(l.f, !l.inMemory); err == nil {
		l.j, err = openJournal(l.d, st.ino, !l.inMemory)
	}
	switch {
	case err == nil && l.inMemory:
		err = l.leaveDisk()
	case errors.Is(err, errDamaged):
		l.s.logf(LevelWarning, "journal of %q is damaged or a copy: building it anew", l.f.path)
		err = nil
	case errors.Is(err, fs.ErrNotExist) || l.inMemory:
		err = nil
	}
	return asJournalError(err)
}

// leaveDisk lets the log go on in memory.
func (l *live) leaveDisk() error {
	b := make([]byte, max(logHeaderSize, l.j.size))
	if l.j.hasLog() {
		if err := readFull(l.j.log, b, 0); err != nil {
			return err
		}
	}
	l.j.volatile = true
	l.j.log, l.j.size = &memory{b}, int64(len(b))
	l.j.head.generation = l.j.idx.generation
	return nil
}

// openJournalDir opens the folder of the collection's journal, making it if create is set.
func (s *Store) openJournalDir(f *folder, create bool) (dir, error) {
	path := journalPath(f.path)
	root := f.root
	if s.cache != nil {
		root = s.cache
	}
	if create {
		return root.mkdirAll(path, ownPermission, s.FolderUmask)
	}
	return root.openDir(path)
}

func journalPath(collection string) string {
	return joinPath(collection, radicaleCache+"/"+journalName)
}

// advance moves the state on by one change.
func (st *state) advance(now time.Time) uint64 {
	// The clock makes numbers that were lost with the end of a log (a disk
	// that lied, a restored backup) unlikely to be used twice, so that a
	// client who saw them gets to see what took their place.
	st.seq = max(st.seq+1, uint64(max(0, now.UnixMicro())))
	return st.seq
}

// append writes whole entries, made for the end of the log, after which the
// state is st.
func (l *live) append(b []byte, st state) error {
	_, err := l.j.log.WriteAt(b, l.j.size)
	if f, onDisk := l.j.log.(file); onDisk {
		if err == nil {
			err = f.dataSync()
		}
		if err != nil {
			// Nobody looks beyond the old end. If this fails too, the torn
			// end makes the next one build the journal anew.
			f.truncate(l.j.size)
		}
	}
	if err != nil {
		return journalError{err}
	}
	l.j.size += int64(len(b))
	l.j.now = st
	l.j.loaded = false
	return nil
}

// foldSize is the size at which the log is folded.
func (l *live) foldSize() int64 {
	return min(max(minFold, int64(l.j.idx.end)/4), maxFold)
}

// foldIfLarge writes a new index when the log has become too large.
func (l *live) foldIfLarge() error {
	if l.j.size < l.foldSize() {
		return nil
	}
	if !l.inMemory {
		l.d.sweep(time.Now()) // bodies that were staged and never came
	}
	err := l.fold()
	if errors.Is(err, errDamaged) {
		err = l.rebuild()
	}
	return err
}

// fold writes a new index with all that the journal knows.
func (l *live) fold() error {
	old := l.j
	h := old.idx.indexHeader
	h.state = old.now
	return l.rewrite(h, func(x *indexWriter) error {
		c, err := old.cursor()
		if err != nil {
			return err
		}
		var r record
		for {
			ok, err := c.next(&r)
			if !ok || err != nil {
				return err
			}
			if err := l.keep(x, &r); err != nil {
				return err
			}
		}
	})
}

// keep adds a record to a new index, unless it is a removal that is old enough
// to be forgotten.
func (l *live) keep(x *indexWriter, r *record) error {
	if r.removed() && time.Since(time.Unix(0, r.stat.mtime)) > l.s.MaxSyncTokenAge {
		x.floor = max(x.floor, r.seq)
		return nil
	}
	l.mark(r)
	return x.add(r)
}

// mark sees to it that readers of an object find out when the journal has to be
// asked for its entity tag (see Store.tagged), before it does.
func (l *live) mark(r *record) {
	if r.flags&flagTagged == 0 || l.inMemory || l.marked {
		return
	}
	fd, err := l.d.open(taggedName, unix.O_WRONLY|unix.O_CREAT)
	if err != nil {
		r.flags &^= flagTagged
		r.tag = sum{}
		return
	}
	unix.Close(fd)
	l.marked = true
}

// rewrite replaces the journal by an index that fill writes and an empty log.
// The index is renamed first: see openJournal for what a crash then leaves.
func (l *live) rewrite(h indexHeader, fill func(*indexWriter) error) (err error) {
	h.generation++
	h.kind = l.kind
	h.secret = random64()
	j := &journal{volatile: l.inMemory}
	defer func() {
		if err != nil {
			j.close()
		}
	}()

	var idx storage = new(memory)
	var temp string
	if !j.volatile {
		if idx, temp, err = l.createTemp(j); err != nil {
			return err
		}
		defer func() {
			if err != nil {
				l.d.unlink(temp)
			}
		}()
	}
	x := newIndexWriter(idx, h)
	if err := fill(x); err != nil {
		return err
	}
	if err := x.finish(); err != nil {
		return asJournalError(err)
	}
	j.now = x.state
	j.size = logHeaderSize
	j.head = logHeader{epoch: x.epoch, generation: x.generation, folder: x.stamp.ino}
	size := int64((x.end + blockData - 1) / blockData * blockSize)
	if j.idx, err = openIndex(idx, size); err != nil {
		return asJournalError(err)
	}
	if j.volatile {
		j.log = &memory{j.head.encode()}
	} else if err = l.install(j, idx.(file), temp); err != nil {
		return asJournalError(err)
	}
	if l.j != nil {
		l.j.close()
	}
	l.j = j
	return nil
}

func (l *live) createTemp(j *journal) (file, string, error) {
	f, temp, err := l.d.createTemp()
	if err != nil {
		return f, temp, journalError{err}
	}
	j.files = append(j.files, f)
	return f, temp, nil
}

// install puts a new index and the new log of j in their places.
func (l *live) install(j *journal, idx file, temp string) error {
	if err := idx.sync(); err != nil {
		return err
	}
	if err := l.d.rename(temp, l.d, indexName); err != nil {
		return err
	}
	log, temp, err := l.createTemp(j)
	if err != nil {
		return err
	}
	st, err := fstat(int(log))
	if err == nil {
		j.log, j.head.own = log, st.ino
		_, err = log.WriteAt(j.head.encode(), 0)
	}
	if err == nil {
		err = log.sync()
	}
	if err == nil {
		err = l.d.rename(temp, l.d, logName)
	}
	if err != nil {
		l.d.unlink(temp)
		return err
	}
	return l.d.sync()
}

func random64() uint64 {
	var b [8]byte
	rand.Read(b[:])
	return binary.LittleEndian.Uint64(b[:])
}

// effort is how much is done to find edits in place, which do not show in the
// folder's times: a pass over all objects.
type effort uint8

const (
	// ours: in passing, with the exclusive lock held; only in small collections.
	ours effort = iota
	// usual: for Store.Collection; in large ones only every maxStatAge.
	usual
	// thorough: for Store.Listing; whenever the pass costs little of the time.
	thorough
	// forced: always; a pass without the lock has found something.
	forced
	// renewed: the journal is built anew.
	renewed
)

// passDue reports whether it is time to look at every object.
func (s *Store) passDue(d dir, objects uint32, e effort) bool {
	age := s.StatAge
	switch {
	case e >= forced || age == StatAlways:
		return true
	case age < 0 || e == ours && objects > fewObjects:
		return false
	case age == StatAuto:
		age = min(time.Duration(objects)*statAgePerObject, maxStatAge)
		if e == usual && objects > fewObjects {
			age = maxStatAge
		}
	}
	st, err := d.stat(checkedName)
	if err != nil {
		return true
	}
	since := time.Since(time.Unix(0, st.mtime))
	return since < 0 || since > age
}

// passed remembers that every object was looked at.
func passed(d dir) {
	now := time.Now()
	if d.setTime(checkedName, now) == nil {
		return
	}
	if fd, err := d.open(checkedName, unix.O_WRONLY|unix.O_CREAT); err == nil {
		file(fd).close()
		d.setTime(checkedName, now)
	}
}
