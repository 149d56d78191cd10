package store

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"math"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// Staged is a body on its way into a collection: written and synced, but not
// yet visible. It is put in place by Tx.Put, which uses it up, or discarded.
type Staged struct {
	ETag string // with quotes
	Size int64  // bytes

	sum  sum
	d    dir // where the temporary file is
	name string
	file file
	racy bool // its time is not exactly what we set
}

// Stage reads a body of at most limit bytes for an object of the collection
// and makes it durable, without any lock. The error is ErrTooLarge when it is
// longer, fs.ErrNotExist when the collection does not exist.
func (s *Store) Stage(collection string, r io.Reader, limit int64) (*Staged, error) {
	f, err := s.openFolder(collection)
	if err != nil {
		return nil, err
	}
	defer f.close()
	return s.stage(f, r, limit)
}

// StageBytes is Stage for a body in memory.
func (s *Store) StageBytes(collection string, b []byte) (*Staged, error) {
	return s.Stage(collection, bytes.NewReader(b), int64(len(b)))
}

// stage writes the body into the folder of the journal, if there can be one:
// one more file in the collection's own would show in its times, and everything
// would be looked at again.
func (s *Store) stage(f *folder, r io.Reader, limit int64) (*Staged, error) {
	d, err := s.openJournalDir(f, true)
	if err != nil {
		if d, err = f.openDir("."); err != nil {
			return nil, err
		}
	}
	st := &Staged{d: d}
	if st.file, st.name, err = d.createTemp(); err != nil {
		d.close()
		return nil, err
	}
	if err := st.fill(r, limit); err != nil {
		st.Discard()
		return nil, err
	}
	return st, nil
}

// fill writes and syncs.
func (st *Staged) fill(r io.Reader, limit int64) error {
	h := sha256.New()
	limit = min(limit, math.MaxInt64-1)
	n, err := io.Copy(io.MultiWriter(st.file, h), io.LimitReader(r, limit+1))
	switch {
	case err != nil:
		return err
	case n > limit:
		return ErrTooLarge
	}
	h.Sum(st.sum[:0])
	st.ETag, st.Size = st.sum.etag(), n
	// A time that no tick of a clock will hit: an edit right after shows.
	now := time.Now()
	st.racy = st.d.setTime(st.name, now) != nil
	if err := st.file.sync(); err != nil {
		return err
	}
	info, err := fstat(int(st.file))
	st.racy = st.racy || info.mtime != now.UnixNano()
	return err
}

// Discard removes a body that was not put in place. It may be called always.
func (st *Staged) Discard() {
	if st == nil || st.name == "" {
		return
	}
	st.d.unlink(st.name)
	st.done()
}

// done lets go of what has been put in place or removed.
func (st *Staged) done() {
	st.name = ""
	st.file.close()
	st.d.close()
}

// place renames the body to name in d, replacing what is there, and returns
// what the journal remembers of the file. The caller syncs d.
func (st *Staged) place(d dir, name string) (fileStat, recordFlags, error) {
	if st.name == "" {
		return fileStat{}, 0, pathError("rename", name, ErrKind)
	}
	err := st.d.rename(st.name, d, name)
	if errors.Is(err, unix.EXDEV) {
		return st.placeCopy(d, name)
	}
	if err != nil {
		return fileStat{}, 0, err
	}
	info, err := fstat(int(st.file))
	flags := recordFlags(0)
	if st.racy {
		flags = flagRacy
	}
	st.done()
	return info, flags, err
}

// placeCopy is place where the journal is on another file system.
func (st *Staged) placeCopy(d dir, name string) (fileStat, recordFlags, error) {
	err := d.writeFile(name, func(f file) error {
		_, err := io.Copy(f, io.NewSectionReader(st.file, 0, st.Size))
		return err
	})
	st.Discard()
	if err != nil {
		return fileStat{}, 0, err
	}
	info, err := d.stat(name)
	return info, flagRacy, err
}

// StagedCollection is a whole collection on its way in: a folder beside its
// place, not yet visible. See Store.StageCollection and Tx.Replace.
type StagedCollection struct {
	parent dir
	name   string // of the temporary folder in parent
	d      dir
	synced bool // since the last Add
}

// StageCollection begins a whole collection whose place will be at path; its
// parent has to exist (fs.ErrNotExist).
func (s *Store) StageCollection(path string) (*StagedCollection, error) {
	if path == "" {
		return nil, pathError("make", path, ErrKind)
	}
	if err := checkPath(path); err != nil {
		return nil, err
	}
	parent, _ := splitPath(path)
	f, err := s.openFolder(parent)
	if err != nil {
		return nil, err
	}
	st := &StagedCollection{parent: f.dir}
	if st.d, st.name, err = f.makeTemp(s.FolderUmask); err != nil {
		f.close()
		return nil, err
	}
	return st, nil
}

// Add writes one object. A name that was used already: fs.ErrExist.
func (st *StagedCollection) Add(name string, b []byte) error {
	if err := CheckName(name); err != nil {
		return err
	}
	st.synced = false
	return st.d.createFile(name, b)
}

// Sync makes all that was added durable, which takes its time: better here than
// in Tx.Replace, with the lock held. After an error the collection is of no use.
func (st *StagedCollection) Sync() error {
	if st.synced {
		return nil
	}
	if err := st.d.syncTree(); err != nil {
		return err
	}
	st.synced = true
	return nil
}

// finish adds the properties p and the dead ones of the collection old, if
// there is one, and of those of its objects that have a successor here, and makes
// durable what is not yet. It does so file by file: there is nothing else to wait
// for.
func (st *StagedCollection) finish(s *Store, p Props, old *folder) error {
	if err := st.Sync(); err != nil {
		return err
	}
	if err := st.d.writeProps(p); err != nil {
		return err
	}
	if old != nil {
		dead, err := s.readDeadProps(old)
		if err != nil {
			return err
		}
		dead = slices.DeleteFunc(dead, func(m memberProps) bool {
			if m.name == "" {
				return false
			}
			_, err := st.d.stat(m.name)
			return err != nil
		})
		if err := st.d.writeDeadProps(dead); err != nil {
			return err
		}
	}
	return st.d.sync()
}

// createFile makes a file. The caller syncs the tree.
func (d dir) createFile(name string, b []byte) error {
	fd, err := d.open(name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	_, err = file(fd).Write(b)
	return pathError("write", name, err)
}

// Discard removes what was not put in place. It may be called always.
func (st *StagedCollection) Discard() {
	if st == nil || st.name == "" {
		return
	}
	st.parent.removeTree(st.name, 0)
	st.done()
}

func (st *StagedCollection) done() {
	st.name = ""
	st.d.close()
	st.parent.close()
}
