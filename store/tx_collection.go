package store

import (
	"errors"
	"io"
	"io/fs"
	"time"

	"golang.org/x/sys/unix"
)

// This file is what a Tx does with whole collections.

// parent opens the folder that a collection at path is in, or will be.
func (tx *Tx) parent(path string) (*folder, string, error) {
	if err := checkPath(path); err != nil {
		return nil, "", err
	}
	if path == "" {
		return nil, "", pathError("change", path, ErrKind)
	}
	collection, name := splitPath(path)
	f, err := tx.s.openFolder(collection)
	return f, name, err
}

// Mkcol makes a collection with the properties p and, beside them, those which
// are more than text (see Tx.SetProps). fs.ErrExist if there is something at
// path, fs.ErrNotExist if there is no collection to hold it.
func (tx *Tx) Mkcol(path string, p, rich Props) error {
	return tx.s.outsideFor(path, func() error { return tx.mkcol(path, p, rich) })
}

func (tx *Tx) mkcol(path string, p, rich Props) error {
	f, name, err := tx.parent(path)
	if err != nil {
		return err
	}
	defer f.close()
	if _, err := f.stat(name); err == nil {
		return pathError("make", path, fs.ErrExist)
	}
	return tx.build(f, name, false, func(d dir) error {
		made := &folder{dir: d, root: f.root, path: path}
		if len(p) == 0 {
			return tx.s.setDead(made, "", rich)
		}
		return tx.s.writeAllProps(made, p, rich)
	})
}

// build makes a folder called name in f, with what fill puts in it, whole or
// not at all. What is there is replaced if over is set; else nothing may be.
func (tx *Tx) build(f *folder, name string, over bool, fill func(d dir) error) error {
	f.sweep(time.Now())
	d, temp, err := f.makeTemp(tx.s.FolderUmask)
	if err != nil {
		return err
	}
	defer d.close()
	if err = fill(d); err == nil {
		err = d.syncTree()
	}
	switch {
	case err != nil:
	case over:
		tx.forget(joinPath(f.path, name))
		err = f.exchange(temp, f.dir, name)
	default:
		err = f.moveFolder(temp, f.dir, name)
	}
	if tx.did(err) != nil {
		f.removeTree(temp, 0)
		return err
	}
	if err := f.sync(); err != nil || !over {
		return err // nobody knows which of two will be there: keep both
	}
	tx.buried(f, temp, name)
	return nil
}

// buried removes the remains of what was called name in f and has been
// replaced; they are called temp now.
func (tx *Tx) buried(f *folder, temp, name string) {
	path := joinPath(f.path, name)
	tx.s.removeTree(f.dir, temp, path)
	tx.s.dropJournals(path)
	tx.dropDead(f, name)
}

// dropDead removes the dead properties of an object that is gone. If that
// fails the object is gone all the same.
func (tx *Tx) dropDead(f *folder, name string) {
	dead, err := tx.s.dead(f, name)
	if err == nil && len(dead) > 0 {
		// Synced, or the disk could keep the object, and not these.
		if err = f.sync(); err == nil {
			err = tx.s.setDead(f, name, nil)
		}
	}
	if err != nil {
		tx.s.logf(LevelWarning, "properties of %q: %v", joinPath(f.path, name), err)
	}
}

// deleteCollection removes a collection: at once for whoever looks, in its own
// time on the disk.
func (tx *Tx) deleteCollection(path string) error {
	f, name, err := tx.parent(path)
	if err != nil {
		return err
	}
	defer f.close()
	f.sweep(time.Now())
	tx.forget(path)
	temp := tempName()
	if err := tx.did(f.rename(name, f.dir, temp)); err != nil {
		return err
	}
	if err := f.sync(); err != nil {
		return err
	}
	tx.s.removeTree(f.dir, temp, path)
	tx.s.dropJournals(path)
	return nil
}

// removeTree removes a folder that nobody sees any more.
func (s *Store) removeTree(d dir, temp, path string) {
	if err := d.removeTree(temp, 0); err != nil {
		s.logf(LevelWarning, "remains of %q: %v", path, err)
	}
}

// dropJournals removes the journals of a collection that is gone, and of those
// below it, from the cache folder.
func (s *Store) dropJournals(path string) {
	if s.cache == nil {
		return
	}
	parent, name := splitPath(path)
	if d, err := s.cache.openDir(parent); err == nil {
		s.removeTree(d, name, path)
		d.close()
	}
}

// moveCollection moves a collection; what is at to is replaced if over is set.
// Nothing is lost before everything is in its place: a crash in between leaves
// the two exchanged.
func (tx *Tx) moveCollection(from, to string, over bool) error {
	f, name, err := tx.parent(from)
	if err != nil {
		return err
	}
	defer f.close()
	t, newName, err := tx.parent(to)
	if err != nil {
		return err
	}
	defer t.close()
	tx.forget(from)
	tx.forget(to)
	temp := tempName()
	if !over {
		err = f.moveFolder(name, t.dir, newName)
	} else if err = f.exchange(name, t.dir, newName); err == nil {
		// Synced, or the second could be all that is left of the two.
		if err = errors.Join(t.sync(), f.sync()); err == nil {
			err = f.rename(name, t.dir, temp)
		}
		if err != nil {
			err = errors.Join(err, f.exchange(name, t.dir, newName))
		}
	}
	if tx.did(err) != nil {
		return err
	}
	tx.s.dropJournals(from)
	if err := errors.Join(t.sync(), f.sync()); err != nil || !over {
		return err
	}
	tx.buried(t, temp, newName)
	return nil
}

// copyCollection copies a collection; what is at to is replaced if over is set,
// but not before the copy is whole.
func (tx *Tx) copyCollection(from, to string, infinite, over bool) error {
	source, err := tx.s.openFolder(from)
	if err != nil {
		return err
	}
	defer source.close()
	f, name, err := tx.parent(to)
	if err != nil {
		return err
	}
	defer f.close()
	return tx.build(f, name, over, func(d dir) error { return tx.s.copyTree(source, d, infinite) })
}

// copyTree copies the properties of a collection and, if infinite, its members.
// The depth is bounded by that of a path.
func (s *Store) copyTree(from *folder, to dir, infinite bool) error {
	if err := copyFile(from, to, propsName); err != nil && !missing(err) {
		return err
	}
	if !infinite { // only its own properties go with it
		own, err := s.dead(from, "")
		if err != nil {
			return err
		}
		return s.setDead(&folder{dir: to, root: from.root, path: from.path}, "", own)
	}
	if err := copyFile(from, to, deadPropsName); err != nil && !missing(err) {
		return err
	}
	names, err := from.listObjects()
	for i := 0; err == nil && i < len(names.at); i++ {
		name := names.name(i)
		st, statErr := from.statMember(name)
		switch {
		case missing(statErr):
		case statErr != nil:
			err = statErr
		case st.isRegular():
			err = copyFile(from, to, name)
		case st.isDir():
			err = s.copyFolder(from, to, name)
		}
	}
	return err
}

func (s *Store) copyFolder(from *folder, to dir, name string) error {
	source, err := from.root.openFolder(joinPath(from.path, name))
	if err != nil {
		return err
	}
	defer source.close()
	if err := to.mkdir(name, dirPermission, s.FolderUmask); err != nil {
		return err
	}
	target, err := to.openDir(name)
	if err != nil {
		return err
	}
	defer target.close()
	return s.copyTree(source, target, true)
}

func copyFile(from *folder, to dir, name string) error {
	f, _, err := from.openMember(name)
	if err != nil {
		return err
	}
	defer f.close()
	fd, err := to.open(name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	_, err = io.Copy(file(fd), f)
	return err
}

// Replace puts a staged collection in the place of the one at path, if any, in
// one step, with the properties p. What was synced with StagedCollection.Sync is
// not synced again. Sync tokens of the old one stay valid: its
// history goes on with what differs. ErrKind if there is an object.
func (tx *Tx) Replace(path string, p Props, st *StagedCollection) error {
	return tx.s.outsideFor(path, func() error { return tx.replace(path, p, st) })
}

func (tx *Tx) replace(path string, p Props, st *StagedCollection) error {
	if st.name == "" {
		return pathError("replace", path, ErrKind)
	}
	defer st.Discard()
	f, name, err := tx.parent(path)
	if err != nil {
		return err
	}
	defer f.close()
	old, err := tx.live(path)
	if errors.Is(err, fs.ErrNotExist) {
		return tx.place(f, name, p, st)
	}
	if err != nil {
		return err
	}
	if err := st.finish(tx.s, p, old.f); err != nil {
		return err
	}
	if err := tx.did(st.parent.exchange(st.name, f.dir, name)); err != nil {
		return err
	}
	if err := f.sync(); err != nil {
		st.done() // nobody knows which of the two will be there: keep both
		return err
	}
	if err := tx.succeed(old, path, p.Kind()); err != nil {
		tx.s.logf(LevelWarning, "journal of %q: %v", path, err)
	}
	tx.forget(path)
	return nil // st.Discard removes what was at path before
}

// place puts a staged collection where nothing is.
func (tx *Tx) place(f *folder, name string, p Props, st *StagedCollection) error {
	if err := st.finish(tx.s, p, nil); err != nil {
		return err
	}
	if err := tx.did(st.parent.moveFolder(st.name, f.dir, name)); err != nil {
		return err
	}
	st.done()
	return f.sync()
}

// succeed lets the folder that is now at path inherit the history of old.
func (tx *Tx) succeed(old *live, path string, kind Kind) error {
	f, err := tx.s.openFolder(path)
	if err != nil {
		return err
	}
	defer f.close()
	d, err := tx.s.openJournalDir(f, true)
	if err != nil {
		return err
	}
	heir := &live{s: tx.s, f: f, kind: kind, d: d, j: old.j}
	old.j = nil
	defer heir.close()
	sc := &scanner{s: tx.s, f: f, kind: kind, st: heir.j.now, reread: kind != old.kind}
	if sc.st.stamp, err = f.newStamp(true); err != nil {
		return err
	}
	names, err := f.listObjects()
	if err != nil {
		return err
	}
	if err = heir.rewriteScan(sc, names); err == nil {
		passed(d)
	}
	return err
}
