package store

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"inetdav/store/object"
)

// Tx is the exclusive lock held: the only way to change anything. Paths are as
// those of Resource. What a method did is durable when it returns.
type Tx struct {
	s       *Store
	lives   []*live
	folders []*folder // open without a journal
}

// Update runs f with the exclusive lock held. What f does is durable when it
// returns; there is no rollback: f checks its preconditions first. f must not
// wait for the network. The error is that of f, ErrLocked, that of ctx, or one
// of the system's.
func (s *Store) Update(ctx context.Context, f func(*Tx) error) error {
	held, err := s.lock(ctx, unix.LOCK_EX)
	if err != nil {
		return err
	}
	defer held.release()
	tx := &Tx{s: s}
	defer tx.close()
	return f(tx)
}

func (tx *Tx) close() {
	tx.forget("")
	for _, f := range tx.folders {
		f.close()
	}
}

// live returns the journal of a collection, up to date with its folder.
func (tx *Tx) live(path string) (*live, error) {
	i := slices.IndexFunc(tx.lives, func(l *live) bool { return l.f.path == path })
	if i >= 0 {
		l := tx.lives[i]
		current, err := l.j.current(l.f, l.kind)
		if err != nil || current {
			return l, err
		}
		tx.lives = slices.Delete(tx.lives, i, i+1)
		l.done()
	}
	f, err := tx.s.openFolder(path)
	if err != nil {
		return nil, err
	}
	p, err := tx.s.readProps(f)
	var l *live
	if err == nil {
		l, err = tx.s.openLiveAnyhow(f, p.Kind())
	}
	if err != nil {
		f.close()
		return nil, err
	}
	tx.lives = append(tx.lives, l)
	return l, nil
}

// done closes the journal and the folder.
func (l *live) done() {
	l.close()
	l.f.close()
}

// forget closes the journals of the collection at path and of those below it.
func (tx *Tx) forget(path string) {
	tx.lives = slices.DeleteFunc(tx.lives, func(l *live) bool {
		if !below(l.f.path, path) {
			return false
		}
		l.done()
		return true
	})
}

// below reports whether path is that of a collection or of something in it.
func below(path, collection string) bool {
	rest, ok := strings.CutPrefix(path, collection)
	return ok && (collection == "" || rest == "" || rest[0] == '/')
}

// member returns the journal of the collection that the object at path is in,
// and the object's name.
func (tx *Tx) member(path string) (l *live, name string, err error) {
	if err := checkPath(path); err != nil {
		return nil, "", err
	}
	if path == "" {
		return nil, "", pathError("change", path, ErrKind)
	}
	collection, name := splitPath(path)
	l, err = tx.live(collection)
	return l, name, err
}

// lookup sets r to what the journal knows of an object that is there.
func (l *live) lookup(name string, r *record) (bool, error) {
	ok, err := l.j.lookup(name, r)
	if errors.Is(err, errDamaged) {
		if err = l.rebuild(); err == nil {
			ok, err = l.j.lookup(name, r)
		}
	}
	return ok && !r.removed(), err
}

// change makes one change in the folder and records it as an entry of that
// kind. The caller has just made sure that the journal is up to date: a
// stranger's change in the few microseconds between that and the new stamp is
// not seen before the next pass over all objects.
//
// Once the folder is synced the change has happened. If the journal cannot
// take it, nobody needs to know: the stamp differs, and the next one who looks
// finds the change in the folder.
func (l *live) change(kind entryKind, r *record, do func() error) error {
	if err := do(); err != nil {
		return err
	}
	st := l.j.now
	var err error
	if st.stamp, err = l.f.newStamp(!l.inMemory); err != nil {
		return err
	}
	if err := l.f.sync(); err != nil {
		return err
	}
	now := time.Now()
	st.wall = now.UnixNano()
	switch kind {
	case entryChange:
		r.seq = st.advance(now)
		if r.isNew {
			st.live++
		}
	case entryRemoval:
		r.seq = st.advance(now)
		r.flags |= flagRemoved
		r.stat = fileStat{mtime: st.wall}
		st.live--
	}
	entry := appendEntry(nil, &l.j.head, l.j.size, kind, &st, r)
	if err = l.append(entry, st); err == nil {
		err = l.foldIfLarge()
	}
	if err != nil {
		l.s.logf(LevelWarning, "journal of %q: %v", l.f.path, err)
	}
	return nil
}

// Resource is Store.Resource.
func (tx *Tx) Resource(path string) (Resource, error) { return tx.s.Resource(path) }

// Collection is Store.Collection in the present state of the transaction. It
// is not to be closed and ends with the transaction or the next change.
func (tx *Tx) Collection(path string) (*Collection, error) {
	f, err := tx.unjournaled(path)
	if err != nil {
		return nil, err
	}
	var l *live
	if f == nil {
		if l, err = tx.live(path); err != nil {
			return nil, err
		}
		f = l.f
	}
	c := &Collection{s: tx.s, f: f, live: l}
	st, err := fstat(int(f.dir))
	if err == nil {
		c.props, err = tx.s.readProps(f)
	}
	c.mtime, c.kind = st.mtime, c.props.Kind()
	if l != nil {
		c.j = l.j
	}
	return c, err
}

// unjournaled returns the folder of a collection that has no journal and
// needs none, else nil. It is closed with the transaction.
func (tx *Tx) unjournaled(path string) (*folder, error) {
	c, err := tx.s.newCollection(path)
	if err != nil {
		return nil, err
	}
	if !c.kind.hasSummaries() && c.openJournal() == nil && c.j == nil {
		tx.folders = append(tx.folders, c.f)
		return c.f, nil
	}
	return nil, c.Close()
}

// ETag returns the entity tag (with quotes) of the object at path, of its bytes
// now; "" if there is no object.
func (tx *Tx) ETag(path string) (string, error) {
	o, err := tx.s.OpenObject(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrKind) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return o.ETag, o.Close()
}

// FindUID returns the name of the object in the collection that has the UID.
func (tx *Tx) FindUID(collection, uid string) (name string, ok bool, err error) {
	c, err := tx.Collection(collection)
	if err != nil {
		return "", false, err
	}
	name, ok = c.FindUID(uid)
	return name, ok, c.Err()
}

// Put puts a staged body in place as the object at path, new or replaced; sum
// is what object.Summarize says of it. ErrKind if there is a collection.
func (tx *Tx) Put(path string, st *Staged, sum object.Summary) (created bool, err error) {
	l, name, err := tx.member(path)
	if err != nil {
		return false, err
	}
	if err := l.refuseFolder(name); err != nil {
		return false, err
	}
	var old record
	had, err := l.lookup(name, &old)
	if err != nil {
		return false, err
	}
	r := record{isNew: !had}
	r.Name, r.sum, r.Summary = name, st.sum, sum
	if !l.kind.hasSummaries() {
		r.Summary = unknownSummary()
	}
	kind := entryChange
	if had && old.sum == r.sum {
		kind, r.seq = entryRefresh, old.seq
	}
	err = l.change(kind, &r, func() (err error) {
		if !had {
			if err = l.s.setDead(l.f, name, nil); err != nil {
				return err
			}
		}
		r.stat, r.flags, err = st.place(l.f.dir, name)
		return err
	})
	return !had, err
}

// refuseFolder fails if name is no place for an object.
func (l *live) refuseFolder(name string) error {
	st, err := l.f.statMember(name)
	if err == nil && !st.isRegular() {
		return pathError("write", name, ErrKind)
	}
	return nil
}

// Delete removes the object or the collection with all its members.
// fs.ErrNotExist if there is neither.
func (tx *Tx) Delete(path string) error {
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
	gone := record{}
	gone.Name = name
	return l.change(entryRemoval, &gone, func() error {
		if err := l.f.unlink(name); err != nil {
			return err
		}
		return tx.s.setDead(l.f, name, nil)
	})
}

// Move moves an object or a collection; what is at to is replaced.
// fs.ErrNotExist if there is nothing at from or no collection to hold to;
// ErrKind if one is the other or in it.
func (tx *Tx) Move(from, to string) error {
	r, err := tx.prepare(from, to)
	if err != nil {
		return err
	}
	if r.Kind.IsCollection() {
		err = tx.moveCollection(from, to)
	} else {
		err = tx.moveObject(from, to)
	}
	if errors.Is(err, unix.EXDEV) {
		if err = tx.Copy(from, to, true); err == nil {
			err = tx.Delete(from)
		}
	}
	return err
}

// Copy copies an object or a collection; what is at to is replaced. A
// collection is copied with its members if infinite (RFC 4918, 9.8.3).
func (tx *Tx) Copy(from, to string, infinite bool) error {
	r, err := tx.prepare(from, to)
	if err != nil {
		return err
	}
	if r.Kind.IsCollection() {
		return tx.copyCollection(from, to, infinite)
	}
	return tx.copyObject(from, to)
}

// prepare checks the two ends of a move or copy, and clears the way if a
// collection is concerned.
func (tx *Tx) prepare(from, to string) (Resource, error) {
	source, err := tx.s.Resource(from)
	if err != nil {
		return source, err
	}
	if from == "" || to == "" || below(to, from) || below(from, to) {
		return source, pathError("move", to, ErrKind)
	}
	target, err := tx.s.Resource(to)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		parent, _ := splitPath(to)
		p, err := tx.s.Resource(parent)
		if err == nil && !p.Kind.IsCollection() {
			err = pathError("move", to, fs.ErrNotExist)
		}
		return source, err
	case err == nil && (source.Kind.IsCollection() || target.Kind.IsCollection()):
		err = tx.Delete(to)
	}
	return source, err
}

// known sets r to the record of an object, with the summary that it has in a
// collection of that kind.
func (l *live) known(name string, kind Kind, r *record) error {
	ok, err := l.lookup(name, r)
	if err != nil {
		return err
	}
	if !ok {
		return pathError("open", name, fs.ErrNotExist)
	}
	r.clone()
	if kind != l.kind {
		sc := scanner{s: l.s, f: l.f, kind: kind, now: time.Now()}
		data, err := sc.read(r)
		if err != nil {
			return err
		}
		sc.summarize(r, data)
	}
	return nil
}

func (tx *Tx) moveObject(from, to string) error {
	source, name, err := tx.member(from)
	if err != nil {
		return err
	}
	target, newName, err := tx.member(to)
	if err != nil {
		return err
	}
	var r, old record
	if err := source.known(name, target.kind, &r); err != nil {
		return err
	}
	had, err := target.lookup(newName, &old)
	if err != nil {
		return err
	}
	dead, err := tx.s.dead(source.f, name)
	if err != nil {
		return err
	}
	r.Name, r.isNew = newName, !had
	err = target.change(entryChange, &r, func() error {
		if err := source.f.rename(name, target.f.dir, newName); err != nil {
			return err
		}
		if err := tx.s.setDead(target.f, newName, dead); err != nil {
			return err
		}
		r.stat, err = target.f.stat(newName)
		return err
	})
	if err != nil {
		return err
	}
	gone := record{}
	gone.Name = name
	return source.change(entryRemoval, &gone, func() error { return tx.s.setDead(source.f, name, nil) })
}

func (tx *Tx) copyObject(from, to string) error {
	source, name, err := tx.member(from)
	if err != nil {
		return err
	}
	target, _, err := tx.member(to)
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
	if err := source.known(name, target.kind, &r); err != nil {
		return err
	}
	if _, err := tx.Put(to, st, r.Summary); err != nil || len(dead) == 0 {
		return err
	}
	return tx.SetObjectProps(to, dead)
}

// SetProps replaces the properties of the collection at path.
func (tx *Tx) SetProps(path string, p Props) error {
	err := tx.changeCollection(path, func(f *folder) error { return f.writeProps(p) })
	tx.forget(path) // its kind may be another now
	return err
}

// changeCollection changes something about the collection itself.
func (tx *Tx) changeCollection(path string, do func(f *folder) error) error {
	f, err := tx.unjournaled(path)
	if err != nil {
		return err
	}
	if f != nil {
		if err := do(f); err != nil {
			return err
		}
		return f.sync()
	}
	l, err := tx.live(path)
	if err != nil {
		return err
	}
	return l.change(entryStamp, nil, func() error { return do(l.f) })
}

// writeProps writes .Radicale.props.
func (d dir) writeProps(p Props) error {
	b := slices.Clone(p).sorted().appendJSON(nil)
	if len(b) > MaxProps {
		return pathError("write", propsName, ErrTooLarge)
	}
	return d.writeFile(propsName, func(f file) error {
		_, err := f.Write(b)
		return err
	})
}

// ObjectProps returns the dead properties of the object at path, or those of a
// collection which are more than text. See Collection.ObjectProps.
func (tx *Tx) ObjectProps(path string) (Props, error) {
	r, err := tx.s.Resource(path)
	if err != nil {
		return nil, err
	}
	name := ""
	if r.Kind == Object {
		path, name = splitPath(path)
	}
	f, err := tx.s.openFolder(path)
	if err != nil {
		return nil, err
	}
	defer f.close()
	return tx.s.dead(f, name)
}

// SetObjectProps replaces them; none removes them. An object's are kept in its
// collection, those of a collection in itself.
func (tx *Tx) SetObjectProps(path string, p Props) error {
	r, err := tx.s.Resource(path)
	if err != nil {
		return err
	}
	name := ""
	if r.Kind == Object {
		path, name = splitPath(path)
	}
	return tx.changeCollection(path, func(f *folder) error { return tx.s.setDead(f, name, p) })
}
