package store

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Tx is the exclusive lock held: the only way to change anything. Paths are as
// those of Resource. What a method did is durable when it returns.
type Tx struct {
	// Cause is what the hook is told. It is set by whoever knows.
	Cause Cause

	s       *Store
	changed bool // something in the folder, for the hook
	lives   []*live
	folders []*folder // open without a journal
}

// Update runs f with the exclusive lock held. What f does is durable when it
// returns; there is no rollback: f checks its preconditions first. f must not
// wait for the network. If it has changed something, the hook runs before the
// lock is released. The error is that of f, ErrLocked, that of ctx, or one
// of the system's.
func (s *Store) Update(ctx context.Context, f func(*Tx) error) error {
	held, err := s.lock(ctx, unix.LOCK_EX)
	if err != nil {
		return err
	}
	defer held.release()
	tx := &Tx{s: s}
	defer tx.close()
	err = f(tx)
	if tx.changed && s.Hook != "" {
		s.outside(func() error { s.runHook(tx.Cause); return nil })
	}
	return err
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
		if l.j != nil {
			current, err := l.j.current(l.f, l.kind)
			if err != nil || current {
				return l, err
			}
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
		l, err = tx.s.openLiveAnyhow(f, p.Kind(), ours)
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
	l.f.dir = noDir
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
	if l.j == nil { // lost in the change before this one
		return l.f.sync()
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
		if !r.isNew {
			st.live--
		}
	}
	if r != nil {
		l.mark(r)
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

// did notes for the hook that the folder has changed, unless err says no.
func (tx *Tx) did(err error) error {
	tx.changed = tx.changed || err == nil
	return err
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
		c.remember()
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
	if !c.kind.hasSummaries() {
		due, err := c.openJournal(ours)
		due.close()
		if err == nil && c.j == nil {
			tx.folders = append(tx.folders, c.f)
			return c.f, nil
		}
	}
	return nil, c.Close()
}
