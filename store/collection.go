package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Collection is a snapshot of one collection: what it was when it was taken,
// whatever happens to the folder since. Only Read, ObjectProps and Collections
// look at the folder as it is; they fail with ErrStale when they do not find
// something and there is another folder, or none, at the path. Every Collection
// has to be closed, except those of a Tx.
type Collection struct {
	s     *Store
	f     *folder
	kind  Kind
	props collectionProps
	mtime int64    // of the folder, Unix nanoseconds
	j     *journal // nil: no object, and no journal needed
	live  *live    // of a Tx: whose journal j is; else nil
	epoch uint64   // of this moment's history, and
	seq   uint64   // where in it the moment is, even if j had to be replaced
	err   error
	dead  deadProps
	read  bool // dead has been read
	// tags is j once more, for the entity tags of what is read; untagged: none is needed.
	tags     *journal
	untagged bool
}

// Collection returns a snapshot of the collection at path, up to date with its
// folder. A lock is held until Collection returns, no longer: shared, or
// exclusive if the journal has to be written. The error is fs.ErrNotExist,
// ErrName, ErrKind if there is an object, ErrLocked, that of ctx, or one of the
// system's.
//
// What it costs does not grow with the number of objects, if nothing happened:
// for edits in place it looks only in small collections, or after very long
// (see Options.StatAge). That is right for whoever asks whether there is
// something new, or for single objects.
func (s *Store) Collection(ctx context.Context, path string) (*Collection, error) {
	return s.take(ctx, path, usual)
}

// Listing is Collection for an answer about every object, which may look at
// every object first: for edits in place.
func (s *Store) Listing(ctx context.Context, path string) (*Collection, error) {
	return s.take(ctx, path, thorough)
}

// maxTakes is how often a snapshot is taken before the exclusive lock makes
// sure that nothing of ours interferes.
const maxTakes = 3

func (s *Store) take(ctx context.Context, path string, e effort) (*Collection, error) {
	for range maxTakes {
		c, d, err := s.snapshot(ctx, path, e)
		if err == errOutdated {
			return s.freshSnapshot(ctx, path, ours)
		}
		if err != nil || d == noDir {
			return c, err
		}
		// No lock is held: a change of ours meanwhile looks like an edit, but
		// shows in the stamp.
		err = s.unchanged(c.f, c.j)
		if err == nil {
			passed(d)
		}
		d.close()
		if err == nil {
			return c, nil
		}
		current, _ := c.j.current(c.f, c.kind)
		c.Close()
		if current {
			break
		}
	}
	return s.freshSnapshot(ctx, path, forced)
}

// snapshot takes a snapshot without writing anything; errOutdated if the
// journal is missing or not up to date. d is the journal's folder if a pass
// over all objects is due, else noDir.
func (s *Store) snapshot(ctx context.Context, path string, e effort) (c *Collection, d dir, err error) {
	held, err := s.lock(ctx, unix.LOCK_SH)
	if err != nil {
		return nil, noDir, err
	}
	defer held.release()
	if c, err = s.newCollection(path); err != nil {
		return nil, noDir, err
	}
	if d, err = c.openJournal(e); err != nil {
		c.Close()
		return nil, noDir, err
	}
	c.remember()
	return c, d, nil
}

// remember notes what moment c is of.
func (c *Collection) remember() {
	if c.j != nil {
		c.epoch, c.seq = c.j.idx.epoch, c.j.now.seq
	}
}

// newCollection opens a collection, but not its journal.
func (s *Store) newCollection(path string) (*Collection, error) {
	f, err := s.openFolder(path)
	if err != nil {
		return nil, err
	}
	c := &Collection{s: s, f: f}
	st, err := fstat(int(f.dir))
	if err == nil {
		c.props, err = s.readProps(f)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	c.mtime, c.kind = st.mtime, c.props.Kind()
	return c, nil
}

// openFolder opens the folder of a collection.
func (s *Store) openFolder(path string) (*folder, error) {
	f, err := s.root.openFolder(path)
	if errors.Is(err, unix.ENOTDIR) {
		// An object, or something that is below one and so does not exist.
		if r, err := s.Resource(path); err != nil || r.Kind != Object {
			return nil, pathError("open", path, fs.ErrNotExist)
		}
		return nil, pathError("open", path, ErrKind)
	}
	return f, err
}

// openJournal opens the journal as it lies there, if that will do; else the
// error is errOutdated. due is the journal's folder if a pass is due.
func (c *Collection) openJournal(e effort) (due dir, err error) {
	d, err := c.s.openJournalDir(c.f, false)
	if errors.Is(err, fs.ErrNotExist) && !c.kind.hasSummaries() {
		return noDir, c.withoutJournal()
	}
	if err != nil {
		return noDir, errOutdated
	}
	defer func() {
		if due == noDir {
			d.close()
		}
	}()
	st, err := fstat(int(c.f.dir))
	if err != nil {
		return noDir, err
	}
	if c.j, err = openJournal(d, st.ino, false); err != nil {
		return noDir, errOutdated
	}
	current, err := c.j.current(c.f, c.kind)
	if err != nil || !current {
		return noDir, errOutdated
	}
	if c.s.passDue(d, c.j.now.live, e) {
		return d, nil
	}
	return noDir, nil
}

// withoutJournal accepts that there is no journal if there are no objects: a
// home is not littered with files of ours.
func (c *Collection) withoutJournal() error {
	names, err := c.f.listObjects()
	if err != nil {
		return err
	}
	for i := range names.at {
		st, err := c.f.statMember(names.name(i))
		if err == nil && st.isRegular() {
			return errOutdated
		}
	}
	return nil
}

// freshSnapshot brings the journal up to date and takes a snapshot.
func (s *Store) freshSnapshot(ctx context.Context, path string, e effort) (*Collection, error) {
	held, err := s.lock(ctx, unix.LOCK_EX)
	inMemory := err != nil && (unwritable(err) || errors.Is(err, fs.ErrNotExist))
	if err != nil && !inMemory {
		return nil, err
	}
	defer held.release()
	c, err := s.newCollection(path)
	if err != nil {
		return nil, err
	}
	var l *live
	if inMemory {
		l, err = s.openLive(c.f, c.kind, e, true)
	} else {
		l, err = s.openLiveAnyhow(c.f, c.kind, e)
	}
	if err == nil && e == renewed {
		if err = l.rebuild(); err != nil {
			l.close()
		}
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	c.j, l.j = l.j, nil
	c.mtime = c.j.now.stamp.mtime
	c.remember()
	l.close()
	return c, nil
}

// heal replaces the journal, which turned out to be damaged.
func (c *Collection) heal() error {
	if c.live != nil {
		err := c.live.rebuild()
		c.j = c.live.j
		return err
	}
	fresh, err := c.s.freshSnapshot(context.Background(), c.f.path, renewed)
	if err != nil {
		return err
	}
	if fresh.f.is(c.f) != nil {
		fresh.Close()
		return ErrStale
	}
	c.j.close()
	c.j, fresh.j = fresh.j, nil
	c.tags = nil
	return fresh.Close()
}

// healing runs f, and once more with a new journal if the old one is damaged.
func (c *Collection) healing(f func() error) {
	if c.j == nil || c.err != nil {
		return
	}
	err := f()
	if errors.Is(err, errDamaged) {
		if err = c.heal(); err == nil {
			err = f()
		}
	}
	c.err = err
}

// notFound returns err, which says that something is not in the folder, unless
// the folder itself is no longer what is at its path: then it is ErrStale. A
// folder that was displaced is being emptied, and what is missing in it says
// nothing.
func (c *Collection) notFound(err error) error {
	st, statErr := fstat(int(c.f.dir))
	if statErr != nil {
		return statErr
	}
	if st.mtime == c.mtime {
		return err // nothing has left it since
	}
	now, openErr := c.s.openFolder(c.f.path)
	switch {
	case errors.Is(openErr, fs.ErrNotExist) || errors.Is(openErr, ErrKind):
		return pathError("read", c.f.path, ErrStale)
	case openErr != nil:
		return openErr
	}
	defer now.close()
	if stale := now.is(c.f); stale != nil {
		return stale
	}
	return err
}

// is returns ErrStale unless both are the same folder.
func (f *folder) is(o *folder) error {
	a, err := fstat(int(f.dir))
	if err != nil {
		return err
	}
	b, err := fstat(int(o.dir))
	if err == nil && (a.ino != b.ino || a.dev != b.dev) {
		err = pathError("read", f.path, ErrStale)
	}
	return err
}

// Path returns the path it was asked for by.
func (c *Collection) Path() string { return c.f.path }

// Kind returns its kind, never None or Object.
func (c *Collection) Kind() Kind { return c.kind }

// Props returns its properties as .Radicale.props holds them; not to be modified.
func (c *Collection) Props() Props { return c.props.Props }

// ModTime returns when the collection changed last.
func (c *Collection) ModTime() time.Time {
	t := max(c.mtime, c.props.mtime)
	if c.j != nil {
		t = max(t, c.j.now.wall)
	}
	return time.Unix(0, t)
}

// Created returns when the collection was made, or put as a whole in the place
// of another; false where the file system does not remember it. A move keeps it.
func (c *Collection) Created() (time.Time, bool) { return c.f.dir.birth() }

// CTag returns a string that differs whenever an object or a property changed.
func (c *Collection) CTag() string {
	var b []byte
	switch {
	case c.j == nil:
		b = append(b, "empty"...)
	case c.j.volatile:
		h := sha256.New()
		var line []byte
		for r := range c.Objects() {
			line = append(append(append(line[:0], r.Name...), '/'), r.sum[:]...)
			h.Write(line)
		}
		b = hex.AppendEncode(b, h.Sum(nil)[:16])
	default:
		b = appendHex64(b, c.epoch)
		b = append(b, '-')
		b = strconv.AppendUint(b, c.seq, 16)
	}
	props := sha256.Sum256(c.props.raw)
	return string(hex.AppendEncode(append(b, '-'), props[:8]))
}

// SyncToken returns the token of this moment (RFC 6578, 3.1: a URI), or ""
// when the collection has none: nowhere to keep a history.
func (c *Collection) SyncToken() string {
	if c.j == nil || c.j.volatile {
		return ""
	}
	return syncToken(c.epoch, c.seq)
}

// Len returns the number of objects.
func (c *Collection) Len() int {
	if c.j == nil {
		return 0
	}
	return int(c.j.now.live)
}

// Objects yields the objects in the order of their names. After the loop Err
// tells whether it was complete.
func (c *Collection) Objects() iter.Seq[*Record] {
	return func(yield func(*Record) bool) {
		last := "" // names are not empty
		c.healing(func() error {
			cur, err := c.j.cursor()
			if err != nil {
				return err
			}
			var r record
			var name []byte
			for {
				ok, err := cur.next(&r)
				if err != nil {
					last = string(name)
				}
				if !ok || err != nil {
					return err
				}
				if r.removed() || r.Name <= last {
					continue
				}
				name = append(name[:0], r.Name...)
				if !yield(&r.Record) {
					return nil
				}
			}
		})
	}
}

// Lookup returns the record of the object called name. When it says false, Err
// tells whether that is the truth.
func (c *Collection) Lookup(name string) (Record, bool) {
	var r record
	found := false
	c.healing(func() (err error) {
		found, err = c.j.lookup(name, &r)
		return err
	})
	if !found || c.err != nil || r.removed() {
		return Record{}, false
	}
	r.clone()
	return r.Record, true
}

// FindUID returns the name of an object with that UID, which is not empty.
// When it says false, Err tells whether that is the truth.
func (c *Collection) FindUID(uid string) (name string, ok bool) {
	c.healing(func() (err error) {
		name, ok, err = c.j.findUID(uid)
		return err
	})
	return name, ok && c.err == nil
}

// Changes yields, oldest first, what happened since the token: each object
// once, with its newest state. The token "" stands for an empty collection
// long ago: all objects, no removals (RFC 6578, 3.4). After the loop Err tells
// whether it was complete. The error is ErrSyncToken.
func (c *Collection) Changes(token string) (iter.Seq[*Change], error) {
	if strings.HasPrefix(token, radicaleToken) {
		return c.changesSinceRadicale(token)
	}
	seq := uint64(0)
	if token != "" {
		if c.j == nil || c.j.volatile {
			return nil, ErrSyncToken
		}
		var err error
		if seq, err = c.j.parseToken(token); err != nil {
			return nil, err
		}
	}
	return func(yield func(*Change) bool) {
		if c.j == nil || c.err != nil {
			return
		}
		ch := Change{epoch: c.j.idx.epoch}
		c.err = c.j.changes(seq, func(r *record) (stop bool) {
			if token == "" && r.removed() {
				return false
			}
			ch.Record, ch.Removed, ch.seq = r.Record, r.removed(), r.seq
			return !yield(&ch)
		})
		if errors.Is(c.err, errDamaged) {
			// What was yielded belongs to a history that ends here: the
			// answer must not be completed, the next one begins anew.
			if err := c.heal(); err != nil {
				c.err = err
			}
		}
	}, nil
}

// changesSinceRadicale is Changes for a token of Radicale's.
func (c *Collection) changesSinceRadicale(token string) (iter.Seq[*Change], error) {
	if c.j == nil || c.j.volatile {
		return nil, ErrSyncToken
	}
	k, err := c.s.sinceRadicale(c.f, token)
	if err != nil {
		return nil, err
	}
	return func(yield func(*Change) bool) {
		if c.err != nil {
			return
		}
		ch := Change{epoch: c.j.idx.epoch}
		c.err = k.changes(c, func(r *record) (stop bool) {
			ch.Record, ch.Removed, ch.seq = r.Record, r.removed(), r.seq
			return !yield(&ch)
		})
	}, nil
}

// Collections yields the names of the member collections in order, each with
// an error in its place if it cannot be read. It looks at the folder as it is.
func (c *Collection) Collections() iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		names, err := c.f.listObjects()
		if err == nil || missing(err) { // removed, a folder cannot even be listed
			err = c.notFound(err)
		}
		if err != nil {
			yield("", err)
			return
		}
		for i := range names.at {
			name := names.name(i)
			st, err := c.f.statMember(name)
			if missing(err) {
				err = c.notFound(nil)
				st.mode = 0
			}
			if err == nil && !st.isDir() {
				continue
			}
			if !yield(strings.Clone(name), err) {
				return
			}
		}
	}
}

// ObjectProps returns the dead properties of the object called name: Clark
// names and XML. The name "" stands for the collection itself: those of its
// properties whose values are more than text.
func (c *Collection) ObjectProps(name string) (Props, error) {
	if !c.read {
		dead, err := c.s.readDeadProps(c.f)
		if err == nil && dead == nil {
			err = c.notFound(nil)
		}
		if err != nil {
			return nil, err
		}
		c.dead, c.read = dead, true
	}
	return slices.Clone(c.dead.get(name)), nil
}

// Read reads the object called name itself, into buf if it has room, and
// returns its bytes and the entity tag (with quotes) of these bytes. A file
// longer than Options.MaxObject: ErrTooLarge. One that is gone since:
// fs.ErrNotExist.
func (c *Collection) Read(name string, buf []byte) (data []byte, etag string, err error) {
	if err := CheckName(name); err != nil {
		return buf[:0], "", err
	}
	f, st, err := c.f.openMember(name)
	if errors.Is(err, fs.ErrNotExist) {
		err = c.notFound(err)
	}
	if err != nil {
		return buf[:0], "", err
	}
	defer f.close()
	data, err = f.readAll(buf, st.size, c.s.MaxObject)
	if err != nil {
		return data, "", pathError("read", name, err)
	}
	etag, err = c.tagOf(name, hash(data))
	return data, etag, err
}

// tagOf returns the entity tag of an object with that hash.
func (c *Collection) tagOf(name string, digest sum) (string, error) {
	if c.j == nil || c.untagged {
		return digest.etag(), nil
	}
	if c.tags == nil {
		tagged, err := c.s.tagged(c.f.path)
		if err == nil && tagged {
			err = c.j.load()
		}
		if err != nil || !tagged {
			c.untagged = err == nil
			return digest.etag(), err
		}
		// With blocks of its own: an iteration may be under way.
		j := *c.j
		j.idx = &index{indexHeader: c.j.idx.indexHeader, blockReader: blockReader{r: c.j.idx.r}}
		c.tags = &j
	}
	var r record
	ok, err := c.tags.lookup(name, &r)
	if errors.Is(err, errDamaged) {
		err = pathError("read", name, ErrStale) // whoever lists next builds it anew
	}
	if ok && err == nil && !r.removed() && r.sum == digest {
		return r.ETag(), nil
	}
	return digest.etag(), err
}

// Err returns the first error met by an iteration or a look-up since the
// snapshot was taken. A list that ended with an error must not be sent as if
// it were whole.
func (c *Collection) Err() error { return c.err }

// Close lets the snapshot go.
func (c *Collection) Close() error {
	c.f.close()
	c.f.dir = noDir
	if c.j != nil {
		c.j.close()
	}
	return nil
}
