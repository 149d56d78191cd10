package store

import (
	"errors"
	"iter"
	"time"

	"inetdav/store/object"
)

type (
	sum        [32]byte
	tempFile   struct{}
	tempFolder struct{}
)

func (s sum) append(dst []byte) []byte   { return dst }
func syncToken(epoch, seq uint64) string { return "" }

// Store is an open storage folder.
type Store struct{}

// Open opens the storage folder, making it and its collection-root when missing.
func Open(o Options) (*Store, error) { return nil, errors.ErrUnsupported }

// Close lets the descriptors go.
func (s *Store) Close() error { return nil }

// Collection is a snapshot of one collection: what it was when it was taken,
// whatever happens to the folder since. Every Collection has to be closed,
// except those of a Tx.
type Collection struct{}

// Path returns the path it was asked for by.
func (c *Collection) Path() string { return "" }

// Kind returns its kind, never None or Object.
func (c *Collection) Kind() Kind { return None }

// Props returns its properties as .Radicale.props holds them; not to be modified.
func (c *Collection) Props() Props { return nil }

// ModTime returns when the collection changed last.
func (c *Collection) ModTime() time.Time { return time.Time{} }

// CTag returns a string that differs whenever an object or a property changed.
func (c *Collection) CTag() string { return "" }

// SyncToken returns the token of this moment (RFC 6578, 3.1: a URI), or ""
// when the collection has none: nowhere to keep a history.
func (c *Collection) SyncToken() string { return "" }

// Len returns the number of objects.
func (c *Collection) Len() int { return 0 }

// Objects yields the objects in the order of their names. After the loop Err
// tells whether it was complete.
func (c *Collection) Objects() iter.Seq[*Record] { return nil }

// Lookup returns the record of the object called name. When it says false, Err
// tells whether that is the truth.
func (c *Collection) Lookup(name string) (Record, bool) { return Record{}, false }

// FindUID returns the name of an object with that UID, which is not empty.
func (c *Collection) FindUID(uid string) (name string, ok bool) { return "", false }

// Changes yields, oldest first, what happened since the token: each object
// once, with its newest state. The token "" stands for an empty collection
// long ago: all objects, no removals (RFC 6578, 3.4). After the loop Err tells
// whether it was complete. The error is ErrSyncToken.
func (c *Collection) Changes(token string) (iter.Seq[*Change], error) { return nil, nil }

// Collections yields the names of the member collections in order, each with
// an error in its place if it cannot be read. Only in the snapshot's moment.
func (c *Collection) Collections() iter.Seq2[string, error] { return nil }

// ObjectProps returns the dead properties of the object called name: Clark
// names and XML. The name "" stands for the collection itself: those of its
// properties whose values are more than text.
func (c *Collection) ObjectProps(name string) (Props, error) { return nil, nil }

// Read reads the object called name itself, into buf if it has room, and
// returns its bytes and the entity tag (with quotes) of these bytes. A file
// longer than Options.MaxObject: ErrTooLarge.
func (c *Collection) Read(name string, buf []byte) (data []byte, etag string, err error) {
	return nil, "", errors.ErrUnsupported
}

// Err returns the first error met by an iteration or a look-up since the
// snapshot was taken. A list that ended with an error must not be sent as if
// it were whole.
func (c *Collection) Err() error { return nil }

// Close lets the snapshot go.
func (c *Collection) Close() error { return nil }

// Props are properties ordered by key, as .Radicale.props holds them: a key is
// a human tag (see Tag) or one of Radicale's own words ("tag"). Values are text.
type Props []Prop

// Prop is one property.
type Prop struct{ Key, Value string }

// Get returns the value of key.
func (p Props) Get(key string) (value string, ok bool) { return "", false }

// Set returns p with key set to value; p is not modified.
func (p Props) Set(key, value string) Props { return nil }

// Without returns p without key; p is not modified.
func (p Props) Without(key string) Props { return nil }

// Kind returns the kind of a collection with these properties.
func (p Props) Kind() Kind { return None }

// Tag returns the key of a property: "D:displayname" for the namespaces which
// Radicale knows, else Clark's "{namespace}name".
func Tag(space, local string) string { return "" }

// SplitTag is the inverse of Tag. ok is false for a key that is no property's,
// such as "tag".
func SplitTag(key string) (space, local string, ok bool) { return "", "", false }

// CheckName tells whether name may be a segment of a path: not empty, no
// slash, no NUL, not beginning with a dot, not ending with a tilde, at most
// MaxName bytes. The error is ErrName.
func CheckName(name string) error { return errors.ErrUnsupported }

// Limits and defaults.
const (
	// MaxName is the length of the longest name, in bytes.
	MaxName = 255
	// DefaultSyncTokenAge is Radicale's 30 days.
	DefaultSyncTokenAge = 30 * 24 * time.Hour
	// DefaultMaxObject is the largest object looked at, in bytes.
	DefaultMaxObject = 10 << 20
	// DefaultLockTimeout is how long a request waits for the lock.
	DefaultLockTimeout = 30 * time.Second
)

// Tx is the exclusive lock held: the only way to change anything. Paths are as
// those of Resource.
type Tx struct{}

// Resource is Store.Resource.
func (tx *Tx) Resource(path string) (Resource, error) { return Resource{}, nil }

// Collection is Store.Collection in the present state of the transaction. It
// is not to be closed and ends with the transaction or the next change.
func (tx *Tx) Collection(path string) (*Collection, error) { return nil, nil }

// ETag returns the entity tag (with quotes) of the object at path, of its bytes
// now; "" if there is no object.
func (tx *Tx) ETag(path string) (string, error) { return "", nil }

// FindUID returns the name of the object in the collection that has the UID.
func (tx *Tx) FindUID(collection, uid string) (name string, ok bool, err error) {
	return "", false, nil
}

// Put puts a staged body in place as the object at path, new or replaced.
func (tx *Tx) Put(path string, st *Staged, sum object.Summary) (created bool, err error) {
	return false, errors.ErrUnsupported
}

// Delete removes the object or the collection with all its members.
func (tx *Tx) Delete(path string) error { return errors.ErrUnsupported }

// Move moves an object or a collection; what is at to is replaced.
func (tx *Tx) Move(from, to string) error { return errors.ErrUnsupported }

// Copy copies an object or a collection; what is at to is replaced. A
// collection is copied with its members if infinite (RFC 4918, 9.8.3).
func (tx *Tx) Copy(from, to string, infinite bool) error { return errors.ErrUnsupported }

// Mkcol makes a collection. fs.ErrExist if there is something at path,
// fs.ErrNotExist if there is no collection to hold it.
func (tx *Tx) Mkcol(path string, p Props) error { return errors.ErrUnsupported }

// Replace puts a staged collection in the place of the one at path, if any, in
// one step, with the properties p. Sync tokens of the old one stay valid.
func (tx *Tx) Replace(path string, p Props, st *StagedCollection) error {
	return errors.ErrUnsupported
}

// SetProps replaces the properties of the collection at path.
func (tx *Tx) SetProps(path string, p Props) error { return errors.ErrUnsupported }

// ObjectProps returns the dead properties of the object at path, or those of a
// collection which are more than text. See Collection.ObjectProps.
func (tx *Tx) ObjectProps(path string) (Props, error) { return nil, errors.ErrUnsupported }

// SetObjectProps replaces them; none removes them.
func (tx *Tx) SetObjectProps(path string, p Props) error { return errors.ErrUnsupported }
