package store

import (
	"context"
	"errors"
	"io"
	"time"

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
)

// Values of Options.StatAge that are no durations.
const (
	// StatAuto lets the time grow with the collection: 5 ms an object, at
	// most an hour, so that the passes cost less than a thousandth of the time.
	StatAuto time.Duration = 0
	// StatAlways looks at every object before each answer.
	StatAlways time.Duration = 1
	// StatNever relies on the folders' times alone.
	StatNever time.Duration = -1
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
	// (max_sync_token_age). 0: DefaultSyncTokenAge.
	MaxSyncTokenAge time.Duration
	// FolderUmask is the umask for new folders; -1: the process's own.
	FolderUmask int
	// StatAge is how old the last look at every single object may be before
	// the next answer takes another; it bounds how long an edit in place by
	// another program can go unseen in listings.
	StatAge time.Duration
	// MaxObject is the largest object, in bytes, whose contents are looked at
	// when it is found in the folder. 0: DefaultMaxObject.
	MaxObject int64
	// LockTimeout is how long to wait for another process's lock.
	// 0: DefaultLockTimeout.
	LockTimeout time.Duration
	// Logf, when not nil, receives what the answer cannot tell: broken
	// objects found, a journal rebuilt.
	Logf func(level int, format string, args ...any)
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
	sum sum
}

// ETag returns the entity tag with its quotes: the SHA-256 of the bytes in hex,
// as Radicale's.
func (r *Record) ETag() string { return string(r.sum.append(nil)) }

// AppendETag is ETag without garbage.
func (r *Record) AppendETag(dst []byte) []byte { return r.sum.append(dst) }

// Change is one step of a collection's history.
type Change struct {
	Record         // of a removal only Name is set
	Removed bool   // the object is gone
	seq     uint64 // after this change
	epoch   uint64
}

// Token returns the sync token of the moment after this change: where an
// answer that was cut short continues (RFC 6578, 3.6).
func (c *Change) Token() string { return syncToken(c.epoch, c.seq) }

// Staged is a body on its way into a collection: written and synced, but not
// yet visible. It is put in place by Tx.Put, which uses it up, or discarded.
type Staged struct {
	ETag string // with quotes
	Size int64  // bytes
	temp tempFile
	sum  sum
}

// StagedCollection is a whole collection on its way in: a folder beside its
// place, not yet visible. See Store.StageCollection and Tx.Replace.
type StagedCollection struct {
	temp tempFolder
}

// Stage reads a body of at most limit bytes for an object of the collection
// and makes it durable, without any lock. The error is ErrTooLarge when it is
// longer, fs.ErrNotExist when the collection does not exist.
func (s *Store) Stage(collection string, r io.Reader, limit int64) (*Staged, error) {
	return nil, errors.ErrUnsupported
}

// StageBytes is Stage for a body in memory.
func (s *Store) StageBytes(collection string, b []byte) (*Staged, error) {
	return nil, errors.ErrUnsupported
}

// Discard removes a body that was not put in place. It may be called always.
func (st *Staged) Discard() {}

// StageCollection begins a whole collection whose place will be at path; its
// parent has to exist.
func (s *Store) StageCollection(path string) (*StagedCollection, error) {
	return nil, errors.ErrUnsupported
}

// Add writes one object. A name that was used already: fs.ErrExist.
func (st *StagedCollection) Add(name string, b []byte) error { return errors.ErrUnsupported }

// Discard removes what was not put in place. It may be called always.
func (st *StagedCollection) Discard() {}

// OpenedObject is one object opened for reading: the file itself, not what the
// journal says of it.
type OpenedObject struct {
	Resource
	ETag string // with quotes
	io.ReadSeeker
}

// Close lets the file go.
func (o *OpenedObject) Close() error { return nil }

// OpenObject opens the object at path. The errors are those of Resource;
// ErrKind if it is a collection.
func (s *Store) OpenObject(path string) (*OpenedObject, error) { return nil, errors.ErrUnsupported }

// Resource tells what path names. It takes no lock. The error is
// fs.ErrNotExist, ErrName or fs.ErrPermission, or one of the system's.
func (s *Store) Resource(path string) (Resource, error) { return Resource{}, errors.ErrUnsupported }

// Collection returns a snapshot of the collection at path, up to date with its
// folder. The shared lock is held until Collection returns, no longer.
func (s *Store) Collection(path string) (*Collection, error) { return nil, errors.ErrUnsupported }

// EnsurePrincipal makes the user's home folder if there is none.
func (s *Store) EnsurePrincipal(user string) error { return errors.ErrUnsupported }

// Update runs f with the exclusive lock held. What f does is durable when it
// returns; there is no rollback: f checks its preconditions first. f must not
// wait for the network.
func (s *Store) Update(ctx context.Context, f func(*Tx) error) error { return errors.ErrUnsupported }

// Verify checks every collection below the folder, writes one line per defect
// and returns their number. It changes nothing.
func Verify(o Options, w io.Writer) (defects int, err error) { return 0, errors.ErrUnsupported }
