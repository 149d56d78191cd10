package store

import (
	"errors"
	"io/fs"
	"time"

	"golang.org/x/sys/unix"

	"inetdav/store/object"
)

// This file is what a Tx does with single objects.

// ETag returns the entity tag (with quotes) of the object at path, of its bytes
// now; "" if there is no object.
func (tx *Tx) ETag(path string) (string, error) {
	o, err := tx.s.openObject(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrKind) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer o.Close()
	collection, name := splitPath(path)
	tagged, err := tx.s.tagged(collection)
	if err != nil || !tagged {
		return o.ETag, err
	}
	l, err := tx.live(collection)
	if err != nil {
		return "", err
	}
	var r record
	if ok, err := l.lookup(name, &r); err != nil || !ok || r.sum != o.sum {
		return o.ETag, err
	}
	return r.ETag(), nil
}

// Put puts a staged body in place as the object at path, new or replaced; sum
// is what object.Summarize says of it. ErrKind if there is a collection.
func (tx *Tx) Put(path string, body *Staged, sum object.Summary) (created bool, err error) {
	return tx.put(path, body, sum, nil)
}

// put is Put. With a copied it is a copy, with those properties, and replaces a
// collection, too.
func (tx *Tx) put(path string, body *Staged, sum object.Summary, copied *Props) (created bool, err error) {
	l, name, err := tx.member(path)
	if err != nil {
		return false, err
	}
	st, err := l.f.statMember(name)
	exists := err == nil
	if exists && !st.isRegular() {
		if copied == nil {
			return false, pathError("write", path, ErrKind)
		}
		exists = false
	}
	var old record
	known, err := l.lookup(name, &old)
	if err != nil {
		return false, err
	}
	r := record{isNew: !known}
	r.Name, r.sum, r.Summary = name, body.sum, sum
	if !l.kind.hasSummaries() {
		r.Summary = unknownSummary()
	}
	kind := entryChange
	if known && old.sum == r.sum && old.flags&flagTagged == 0 && exists && old.stat.same(&st) {
		kind, r.seq = entryRefresh, old.seq // the same bytes again
	}
	err = l.change(kind, &r, func() (err error) {
		var dead Props
		if copied != nil {
			dead = *copied
		}
		// The properties go first: they may not fit, and without an object
		// nobody sees them.
		var before Props
		if copied != nil || !exists {
			if before, err = tx.s.replaceDead(l.f, name, dead); err != nil {
				return err
			}
		}
		err = tx.displacing(l.f, name, func() (err error) {
			r.stat, r.flags, err = body.place(l.f.dir, name)
			return tx.did(err)
		})
		if err != nil && copied != nil {
			err = errors.Join(err, tx.s.setDead(l.f, name, before))
		}
		return err
	})
	return !exists, err
}

// displacing runs do, which puts an object called name into f. A collection
// that is there makes way, and comes back if do fails; a crash in between leaves
// it as a temporary folder.
func (tx *Tx) displacing(f *folder, name string, do func() error) error {
	st, err := f.stat(name)
	if err != nil || !st.isDir() {
		return do()
	}
	tx.forget(joinPath(f.path, name))
	temp := tempName()
	if err := f.rename(name, f.dir, temp); err != nil {
		return err
	}
	if err := do(); err != nil {
		return errors.Join(err, f.rename(temp, f.dir, name))
	}
	tx.s.removeTree(f.dir, temp, joinPath(f.path, name))
	tx.s.dropJournals(joinPath(f.path, name))
	return nil
}

// Delete removes the object or the collection with all its members.
// fs.ErrNotExist if there is neither.
func (tx *Tx) Delete(path string) error {
	return tx.s.outsideFor(path, func() error { return tx.delete(path) })
}

func (tx *Tx) delete(path string) error {
	r, err := tx.s.Resource(path)
	if err != nil {
		return err
	}
	if r.Kind.IsCollection() {
		return tx.deleteCollection(path)
	}
	l, name, err := tx.member(path)
	if err != nil {
		return err
	}
	known, err := l.lookup(name, new(record))
	if err != nil {
		return err
	}
	gone := record{isNew: !known}
	gone.Name = name
	return l.change(entryRemoval, &gone, func() error {
		err := tx.did(l.f.unlink(name))
		if err == nil {
			tx.dropDead(l.f, name)
		}
		return err
	})
}

// Move moves an object or a collection; what is at to is replaced, and stays if
// that fails. fs.ErrNotExist if there is nothing at from or no collection to
// hold to; ErrKind if one is the other or in it.
func (tx *Tx) Move(from, to string) error {
	return tx.s.outsideFor(from, func() error {
		return tx.s.outsideFor(to, func() error { return tx.move(from, to) })
	})
}

func (tx *Tx) move(from, to string) error {
	collection, over, err := tx.prepare(from, to)
	if err != nil {
		return err
	}
	if collection {
		err = tx.moveCollection(from, to, over)
	} else {
		err = tx.moveObject(from, to)
	}
	if errors.Is(err, unix.EXDEV) {
		if err = tx.copy(from, to, true); err == nil {
			err = tx.delete(from)
		}
	}
	return err
}

// Copy copies an object or a collection; what is at to is replaced, and stays
// if that fails. A collection is copied with its members if infinite (RFC 4918,
// 9.8.3).
func (tx *Tx) Copy(from, to string, infinite bool) error {
	return tx.s.outsideFor(to, func() error { return tx.copy(from, to, infinite) })
}

func (tx *Tx) copy(from, to string, infinite bool) error {
	collection, over, err := tx.prepare(from, to)
	if err != nil {
		return err
	}
	if collection {
		return tx.copyCollection(from, to, infinite, over)
	}
	return tx.copyObject(from, to)
}

// prepare checks the two ends of a move or copy, and reports whether it is of
// a collection and whether there is something to replace.
func (tx *Tx) prepare(from, to string) (collection, over bool, err error) {
	source, err := tx.s.Resource(from)
	if err != nil {
		return false, false, err
	}
	if from == "" || to == "" || below(to, from) || below(from, to) {
		return false, false, pathError("move", to, ErrKind)
	}
	_, err = tx.s.Resource(to)
	if errors.Is(err, fs.ErrNotExist) {
		parent, _ := splitPath(to)
		p, err := tx.s.Resource(parent)
		if err == nil && !p.Kind.IsCollection() {
			err = pathError("move", to, fs.ErrNotExist)
		}
		return source.Kind.IsCollection(), false, err
	}
	return source.Kind.IsCollection(), true, err
}

// members is member for both ends of a move: one and the same journal if they
// are in one folder, be it by two paths (a link). Two would write over each
// other's entries.
func (tx *Tx) members(from, to string) (source, target *live, name, newName string, err error) {
	if target, newName, err = tx.member(to); err != nil {
		return nil, nil, "", "", err
	}
	if err = checkPath(from); err != nil {
		return nil, nil, "", "", err
	}
	collection, name := splitPath(from)
	if collection == target.f.path {
		return target, target, name, newName, nil
	}
	if source, err = tx.live(collection); err == nil && source.f.is(target.f) == nil {
		source = target
	}
	return source, target, name, newName, err
}

// describe sets r to what a collection of that kind will know of an object,
// and reports whether this one knows it.
func (l *live) describe(name string, kind Kind, r *record) (known bool, err error) {
	known, err = l.lookup(name, r)
	if err != nil {
		return false, err
	}
	if known && kind == l.kind {
		r.clone()
		return true, nil
	}
	old := *r
	*r = record{}
	r.Name = name
	sc := scanner{s: l.s, f: l.f, kind: kind, now: time.Now()}
	data, err := sc.read(r)
	if err != nil {
		return known, err
	}
	sc.summarize(r, data)
	if known && r.sum == old.sum && old.flags&flagTagged != 0 {
		r.tag, r.flags = old.tag, r.flags|flagTagged
	}
	return known, nil
}

func (tx *Tx) moveObject(from, to string) error {
	source, target, name, newName, err := tx.members(from, to)
	if err != nil {
		return err
	}
	if source == target && name == newName { // by two paths
		return pathError("move", to, ErrKind)
	}
	var r, old record
	known, err := source.describe(name, target.kind, &r)
	if err != nil {
		return err
	}
	replaces, err := target.lookup(newName, &old)
	if err != nil {
		return err
	}
	dead, err := tx.s.dead(source.f, name)
	if err != nil {
		return err
	}
	r.Name, r.isNew = newName, !replaces
	err = target.change(entryChange, &r, func() error {
		// The properties go first: they may not fit.
		before, err := tx.s.replaceDead(target.f, newName, dead)
		if err != nil {
			return err
		}
		err = tx.displacing(target.f, newName, func() error {
			return tx.did(source.f.rename(name, target.f.dir, newName))
		})
		if err != nil {
			return errors.Join(err, tx.s.setDead(target.f, newName, before))
		}
		r.stat, err = target.f.stat(newName)
		return err
	})
	if err != nil {
		return err
	}
	gone := record{isNew: !known}
	gone.Name = name
	return source.change(entryRemoval, &gone, func() error {
		tx.dropDead(source.f, name)
		return nil
	})
}

func (tx *Tx) copyObject(from, to string) error {
	source, target, name, _, err := tx.members(from, to)
	if err != nil {
		return err
	}
	f, info, err := source.f.openMember(name)
	if err != nil {
		return err
	}
	defer f.close()
	dead, err := tx.s.dead(source.f, name)
	if err != nil {
		return err
	}
	st, err := tx.s.stage(target.f, f, info.size)
	if err != nil {
		return err
	}
	defer st.Discard()
	var r record
	if _, err := source.describe(name, target.kind, &r); err != nil {
		return err
	}
	_, err = tx.put(to, st, r.Summary, &dead)
	return err
}
