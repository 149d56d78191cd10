// Package store is the storage folder: Radicale's layout, read and written so
// that any other program may do the same at any time. It is the only package
// that touches files.
//
// What is there, is in the folder: an object is a file, byte for byte as the
// client sent it, a collection is a folder, its properties are the file
// .Radicale.props. Beside that each collection has a journal of ours, a cache
// with a memory, which may be lost at any time; inetdav-journal(5) describes
// it byte by byte.
//
// Reading: Store.Collection takes the shared lock, compares the folder's times
// with the journal, and returns a snapshot which it reads without any lock. Only
// if the folder has changed does it take the exclusive lock and bring the journal
// up to date. An edit in place does not change the folder's times: it is looked
// for without any lock, object by object, now and then, and mostly by
// Store.Listing, for answers that name all objects anyway.
//
// Writing: Store.Stage receives a body without any lock. Store.Update takes the
// exclusive lock and hands out a Tx, which changes the folder first and tells
// the journal then. A crash in between is nothing but a change by a stranger.
//
// The files of this package, from the bottom up:
//
//	path.go       where a name becomes a path, never outside the root
//	file.go       system calls on open folders and files
//	lock.go       the one lock
//	confined.go   what is opened for whom
//	durable.go    how something gets its name, and what a crash leaves
//	json.go, props.go, deadprops.go   properties
//	record.go     what is known of one object
//	block.go, index.go, log.go        the files of the journal
//	stamp.go      whether a folder was touched
//	journal.go    index and log as one, at one moment
//	live.go       the journal in the hands of the lock's holder
//	scan.go       what happened behind our back
//	collection.go, open.go, token.go  reading
//	stage.go, tx*.go                  writing
//	writelock.go                      the locks of WebDAV
//	pickle.go, radicale.go  what a Radicale remembers
//	hook.go       the command after a change
//	verify.go     the check of everything
package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"inetdav/store/confine"
	"inetdav/store/object"
)

// Kind says what a resource is.
type Kind uint8

const (
	// None is no resource; the In of a collection.
	None Kind = iota
	// Plain is a collection without a tag: the root, a principal's home, an
	// ordinary WebDAV folder.
	Plain
	// Calendar is a calendar collection (tag VCALENDAR; RFC 4791, 4.2).
	Calendar
	// AddressBook is an address book collection (tag VADDRESSBOOK; RFC 6352, 5.2).
	AddressBook
	// Subscribed is a subscription to a foreign calendar (tag VSUBSCRIBED).
	Subscribed
	// Object is a file in a collection.
	Object
)

// IsCollection reports whether resources of this kind have members.
func (k Kind) IsCollection() bool { return k != None && k != Object }

// Errors a caller may look for with errors.Is, beside fs.ErrNotExist,
// fs.ErrExist, fs.ErrPermission and the errno values (ENOSPC, EDQUOT, EROFS...).
var (
	// ErrName: a path has a segment which may not be stored (see CheckName).
	ErrName = errors.New("name not allowed")
	// ErrLocked: another process kept the lock for longer than Options.LockTimeout.
	ErrLocked = errors.New("storage is locked")
	// ErrSyncToken: a sync token that is malformed, of another history, or
	// older than what is remembered (RFC 6578, 3.2: valid-sync-token).
	ErrSyncToken = errors.New("sync token not valid")
	// ErrTooLarge: a body is longer than the limit given.
	ErrTooLarge = errors.New("object too large")
	// ErrKind: the operation does not fit the kind of the resource, such as
	// storing an object where a collection is.
	ErrKind = errors.New("wrong kind of resource")
	// ErrStale: the folder that a Collection was taken of has been replaced,
	// moved or deleted since, so that what is not found in it may well be at
	// its path. What was begun with the Collection cannot be finished; a new
	// one has an answer.
	ErrStale = errors.New("collection has been replaced, moved or deleted meanwhile")
)

// Values of Options.StatAge that are no durations; negative ones mean never.
const (
	// StatAuto lets the time grow with the collection: 5 ms an object, at most
	// six hours, so that the passes cost less than a thousandth of the time.
	// In a collection of more than 256 objects this is for Store.Listing, and
	// six hours for Store.Collection, whose cost is not to grow with it.
	StatAuto time.Duration = 0
	// StatAlways looks at every object before each answer.
	StatAlways time.Duration = 1
)

// Levels of Options.Logf: the severities of syslog (RFC 5424, 6.2.1).
const (
	LevelError   = 3
	LevelWarning = 4
	LevelInfo    = 6
	LevelDebug   = 7
)

// Options say where a store lies and how it behaves.
type Options struct {
	// Folder holds collection-root and .Radicale.lock
	// (Radicale: [storage] filesystem_folder).
	Folder string
	// CacheFolder, when not empty, holds the journals (below collection-cache)
	// instead of the collections themselves (filesystem_cache_folder).
	CacheFolder string
	// MaxSyncTokenAge is how long removals are remembered
	// (max_sync_token_age). 0: 30 days.
	MaxSyncTokenAge time.Duration
	// ItemsInCacheFolder, HistoryInCacheFolder and TokensInCacheFolder say that a
	// Radicale keeps these of its caches there, too (use_cache_subfolder_for_...).
	ItemsInCacheFolder, HistoryInCacheFolder, TokensInCacheFolder bool
	// FolderUmask is the umask for new folders; -1: the process's own.
	FolderUmask int
	// StatAge is how old the last look at every single object may be before
	// the next snapshot takes another; it bounds how long an edit in place by
	// another program can go unseen. Who changes something takes none in a
	// collection of more than 256 objects, unless StatAge is StatAlways.
	StatAge time.Duration
	// MaxObject is the largest object, in bytes, whose contents are looked at
	// when it is found in the folder. 0: 10 MiB.
	MaxObject int64
	// LockTimeout is how long to wait for another process's lock.
	// 0: 30 seconds.
	LockTimeout time.Duration
	// FollowLinks lets symbolic links lead out of the storage folder.
	FollowLinks bool
	// Predefined are the collections that a new principal's home begins with
	// (predefined_collections): a JSON object of names, each with the
	// properties as .Radicale.props holds them. "" is none.
	Predefined string
	// Hook, when not empty, is what the shell is given after each Update that
	// has changed something. HookTimeout is how long it may take. 0: 60 seconds.
	Hook        Hook
	HookTimeout time.Duration
	// Logf, when not nil, receives what the answer cannot tell: broken
	// objects found, a journal rebuilt.
	Logf func(level int, format string, args ...any)
	// Confine, when not nil, is what Confined needs; nil: there are no bounds.
	Confine *confine.Policy
}

// Resource is what a path names.
type Resource struct {
	Path    string // as asked: unescaped, without slashes at its ends; "" is the root
	Kind    Kind
	In      Kind // of an object: the kind of its collection
	ModTime time.Time
	Size    int64 // of an object: bytes
}

// Record is what the journal knows of one object.
//
// A Record handed out by an iterator, and its strings and Hints, are valid
// until the loop's next step: strings.Clone what is kept. One that Lookup
// returned is the caller's own.
type Record struct {
	Name    string // the last segment of the object's path
	Size    int64
	ModTime time.Time
	object.Summary
	sum sum // of the bytes
	tag sum // the entity tag, if it is not sum but the record is flagged as tagged
}

// ETag returns the entity tag with its quotes: the SHA-256 of the bytes in hex,
// as Radicale's, or the one by which a Radicale called these bytes before.
func (r *Record) ETag() string {
	if r.tag != (sum{}) {
		return r.tag.etag()
	}
	return r.sum.etag()
}

// Change is one step of a collection's history.
type Change struct {
	Record         // of a removal only Name is set
	Removed bool   // the object is gone
	seq     uint64 // after this change
	epoch   uint64
}

// Token returns the sync token of the moment after this change: where an
// answer that was cut short continues (RFC 6578, 3.6). "" if none names it:
// the answer may not be cut short there.
func (c *Change) Token() string {
	if c.seq == 0 {
		return ""
	}
	return syncToken(c.epoch, c.seq)
}

// Store is an open storage folder. It is for one goroutine at a time.
type Store struct {
	options
	folder dir   // Options.Folder
	root   *root // its collection-root
	cache  *root // where journals lie; nil: in the collections

	readOnly bool // not even a lock file is made
	bounds   bounds
}

type options = Options

// Open opens the storage folder, making it and its collection-root when missing.
func Open(o Options) (*Store, error) {
	s := newStore(o)
	if err := s.open(); err != nil {
		s.Close()
		return nil, fmt.Errorf("storage folder: %w", err)
	}
	return s, nil
}

func newStore(o Options) *Store {
	o.MaxSyncTokenAge = cmp.Or(o.MaxSyncTokenAge, defaultSyncTokenAge)
	o.MaxObject = cmp.Or(o.MaxObject, defaultMaxObject)
	o.LockTimeout = cmp.Or(o.LockTimeout, defaultLockTimeout)
	o.HookTimeout = cmp.Or(o.HookTimeout, defaultHookTimeout)
	return &Store{options: o, folder: noDir}
}

func (s *Store) open() error {
	base, err := openOrMake(s.Folder, s.FolderUmask)
	if err != nil {
		return err
	}
	s.folder, base.dir = base.dir, noDir
	base.close()
	if s.root, err = openOrMake(filepath.Join(s.Folder, rootName), s.FolderUmask); err != nil {
		return err
	}
	s.root.leaves = s.FollowLinks
	if s.CacheFolder != "" {
		s.cache, err = openOrMake(filepath.Join(s.CacheFolder, cacheRootName), s.FolderUmask)
	}
	return err
}

// openOrMake opens the folder at path as a root; it and its parents are made
// when missing.
func openOrMake(path string, umask int) (*root, error) {
	r, err := openRoot(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return r, err
	}
	parent, name := filepath.Split(filepath.Clean(path))
	p, err := openOrMake(cmp.Or(parent, "."), umask)
	if err != nil {
		return nil, err
	}
	defer p.close()
	if err := p.mkdir(name, dirPermission, umask); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	if err := p.sync(); err != nil {
		return nil, err
	}
	return openRoot(path)
}

// Close lets the descriptors go.
func (s *Store) Close() error {
	s.unbound()
	s.folder.close()
	for _, r := range [...]*root{s.root, s.cache} {
		if r != nil {
			r.close()
		}
	}
	return nil
}

func (s *Store) logf(level int, format string, args ...any) {
	if s.Logf != nil {
		s.Logf(level, format, args...)
	}
}

// Resource tells what path names. It takes no lock. The error is
// fs.ErrNotExist, ErrName or fs.ErrPermission, or one of the system's.
func (s *Store) Resource(path string) (Resource, error) {
	r := Resource{Path: path}
	if err := checkPath(path); err != nil {
		return r, err
	}
	fd, err := s.root.open(path, unix.O_RDONLY)
	if errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ENXIO) {
		err = pathError("open", path, fs.ErrNotExist)
	}
	if err != nil {
		return r, err
	}
	defer unix.Close(fd)
	st, err := fstat(fd)
	if err != nil {
		return r, err
	}
	r.ModTime = time.Unix(0, st.mtime)
	switch {
	case st.isDir():
		var p collectionProps
		p, err = s.readProps(&folder{dir: dir(fd), root: s.root, path: path})
		r.Kind = p.Kind()
	case st.isRegular():
		r.Kind, r.Size = Object, st.size
		r.In, err = s.kindOf(r.Path)
	default:
		err = pathError("open", path, fs.ErrNotExist)
	}
	return r, err
}

// kindOf returns the kind of the collection that the object at path is in.
func (s *Store) kindOf(path string) (Kind, error) {
	collection, _ := splitPath(path)
	f, err := s.root.openFolder(collection)
	if err != nil {
		return None, err
	}
	defer f.close()
	p, err := s.readProps(f)
	return p.Kind(), err
}

// EnsurePrincipal makes the user's home folder if there is none.
func (s *Store) EnsurePrincipal(user string) error {
	if err := CheckName(user); err != nil {
		return err
	}
	if d, err := s.root.openDir(user); !errors.Is(err, fs.ErrNotExist) {
		d.close()
		return err
	}
	return s.Update(context.Background(), func(tx *Tx) error {
		tx.Cause = Cause{User: user, Path: user + "/"}
		err := tx.makePrincipal(user)
		if errors.Is(err, fs.ErrExist) {
			return nil
		}
		return err
	})
}

// CheckPredefined tells whether Options.Predefined can be made of the text.
func CheckPredefined(text string) error {
	_, err := parsePredefined(text)
	return err
}

func parsePredefined(text string) (deadProps, error) {
	if text == "" {
		return nil, nil
	}
	collections, err := parseDeadProps([]byte(text))
	if err != nil {
		return nil, err
	}
	for _, c := range collections {
		if err := CheckName(c.name); err != nil {
			return nil, err
		}
		if tag, _ := c.props.Get(TagKey); tag != "" && c.props.Kind() == Plain {
			return nil, fmt.Errorf("%q: unknown tag %q", c.name, tag)
		}
	}
	return collections, nil
}

// makePrincipal makes the home of a user and in it the predefined collections,
// all or nothing.
func (tx *Tx) makePrincipal(user string) error {
	f, name, err := tx.parent(user)
	if err != nil {
		return err
	}
	defer f.close()
	if _, err := f.stat(name); err == nil {
		return pathError("make", user, fs.ErrExist)
	}
	predefined, err := parsePredefined(tx.s.Predefined)
	if err != nil {
		tx.s.logf(LevelError, "predefined collections: %v", err)
	}
	return tx.build(f, name, false, func(home dir) error {
		for _, c := range predefined {
			if err := home.mkdir(c.name, dirPermission, tx.s.FolderUmask); err != nil {
				return err
			}
			d, err := home.openDir(c.name)
			if err != nil {
				return err
			}
			defer d.close()
			if err := d.writeProps(c.props); err != nil {
				return err
			}
		}
		return nil
	})
}
