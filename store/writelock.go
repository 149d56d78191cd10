package store

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// The write locks of WebDAV (RFC 4918, 6 and 7) are kept in one file beside
// collection-root, where Radicale does not look: a JSON object of lock tokens,
// each with an object of strings. It is there as long as there are locks, it is
// changed under the storage lock only, and always replaced whole, so that it
// may be read without any.
//
// A lock is nothing but a promise among those who keep it: a file that is
// damaged or lost loses the locks, and no request fails because of it.

// WriteLock is a lock on a resource.
type WriteLock struct {
	Token   string // a URI, unique for all time: urn:uuid:...
	Root    string // path of the resource that was locked
	User    string // who made it; "" when anonymous
	Shared  bool   // others may share the lock; else it is exclusive
	Deep    bool   // with all members (Depth: infinity)
	Owner   string // what its maker says of himself: an XML element, or nothing
	Timeout time.Duration
	Expires time.Time // Timeout after the lock was made or refreshed
}

// lockSkew is how far the clock may have been set back under a lock. One that
// has more time left than that on top of its timeout was made by a clock that
// was wrong, and would hold for years.
const lockSkew = time.Hour

// Covers reports whether the resource at path is locked, directly or not.
func (l *WriteLock) Covers(path string) bool {
	return l.Root == path || l.Deep && below(path, l.Root)
}

// Conflicts reports whether the two may not be held at once (RFC 4918, 6.1 and
// 9.10.5).
func (l *WriteLock) Conflicts(o *WriteLock) bool {
	return (l.Covers(o.Root) || o.Covers(l.Root)) && !(l.Shared && o.Shared)
}

// WriteLocks are the locks that hold at some moment.
type WriteLocks []WriteLock

// NewLockToken makes the token of a new lock: a random UUID (RFC 4918, 6.5;
// RFC 4122, 4.4).
func NewLockToken() string {
	var b [16]byte
	rand.Read(b[:])
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	h := hex.EncodeToString(b[:])
	return lockTokenPrefix + h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

const lockTokenPrefix = "urn:uuid:"

// Add returns the locks with one more. ErrTooLarge if that is one too many, or
// one that says too much; ErrName if its resource has a name, or its user,
// that is not UTF-8.
func (w WriteLocks) Add(l WriteLock) (WriteLocks, error) {
	if !utf8.ValidString(l.Root) || !utf8.ValidString(l.User) {
		return w, fmt.Errorf("%w: not UTF-8: %q", ErrName, l.Root)
	}
	count, size := 1, l.size()
	for i := range w {
		if w[i].User == l.User {
			count++
			size += w[i].size()
		}
	}
	switch {
	case len(l.Owner) > maxLockOwner:
		return w, fmt.Errorf("%w: owner of %d bytes", ErrTooLarge, len(l.Owner))
	case count > maxUserLocks || size > maxUserLocksSize:
		return w, fmt.Errorf("%w: %d locks of one user", ErrTooLarge, count)
	case len(w) >= maxLocks:
		return w, fmt.Errorf("%w: %d locks", ErrTooLarge, len(w)+1)
	}
	return append(slices.Clip(w), l), nil
}

func (l *WriteLock) size() int { return len(l.Root) + len(l.User) + len(l.Owner) }

// WriteLocks returns the locks that hold at a time. It needs no lock.
func (s *Store) WriteLocks(now time.Time) WriteLocks {
	var b []byte
	err := s.outside(func() (err error) { b, err = s.readLocks(); return err })
	if b == nil && err == nil {
		return nil
	}
	var w WriteLocks
	if err == nil {
		w, err = parseWriteLocks(b)
	}
	if err != nil {
		s.logf(LevelWarning, "%s: %v", locksName, err)
	}
	return slices.DeleteFunc(w, func(l WriteLock) bool {
		left := l.Expires.Sub(now)
		return left <= 0 || left > l.Timeout+lockSkew
	})
}

// WriteLocks is Store.WriteLocks.
func (tx *Tx) WriteLocks(now time.Time) WriteLocks { return tx.s.WriteLocks(now) }

func (s *Store) readLocks() ([]byte, error) {
	fd, err := s.folder.open(locksName, unix.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	f := file(fd)
	defer f.close()
	st, err := fstat(fd)
	if err == nil && !st.isRegular() {
		err = ErrKind
	}
	if err != nil {
		return nil, err
	}
	return f.readAll(nil, st.size, maxLocksFile)
}

// SetWriteLocks replaces the locks. ErrTooLarge if they do not fit into the file.
func (tx *Tx) SetWriteLocks(w WriteLocks) error {
	return tx.s.outside(func() error { return tx.s.setWriteLocks(w) })
}

func (s *Store) setWriteLocks(w WriteLocks) error {
	d := s.folder
	if len(w) == 0 {
		if err := d.unlink(locksName); err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return err
		}
		return d.sync()
	}
	b := w.appendJSON(nil)
	if len(b) > maxLocksFile {
		return pathError("write", locksName, ErrTooLarge)
	}
	d.sweep(time.Now())
	err := d.writeFile(locksName, func(f file) error {
		_, err := f.Write(b)
		return err
	})
	if err != nil {
		return err
	}
	return d.sync()
}

func (w WriteLocks) appendJSON(dst []byte) []byte {
	var d deadProps // of the same shape
	for i := range w {
		l := &w[i]
		p := Props{
			{"depth", "0"},
			{"expires", l.Expires.UTC().Format(time.RFC3339Nano)},
			{"owner", l.Owner},
			{"root", l.Root},
			{"scope", "exclusive"},
			{"timeout", strconv.FormatInt(int64(l.Timeout/time.Second), 10)},
			{"user", l.User},
		}
		if l.Deep {
			p[0].Value = "infinity"
		}
		if l.Shared {
			p[4].Value = "shared"
		}
		d = d.set(l.Token, p)
	}
	return d.appendJSON(dst)
}

var errLock = errors.New("not a lock")

// parseWriteLocks reads the file. What is no lock is left out, and the error
// then says so; a file that is not JSON holds no locks.
func parseWriteLocks(b []byte) (WriteLocks, error) {
	d, err := parseDeadProps(b)
	if err != nil {
		return nil, err
	}
	var w WriteLocks
	for i := range d {
		if l, ok := parseWriteLock(&d[i]); ok {
			w = append(w, l)
		} else {
			err = fmt.Errorf("%w: %.100q", errLock, d[i].name)
		}
	}
	return w, err
}

func parseWriteLock(m *memberProps) (WriteLock, bool) {
	get := func(key string) string {
		value, _ := m.props.Get(key)
		return value
	}
	depth, scope := get("depth"), get("scope")
	seconds, err := strconv.ParseUint(get("timeout"), 10, 32)
	expires, timeErr := time.Parse(time.RFC3339Nano, get("expires"))
	expires = expires.UTC()
	l := WriteLock{
		Token:   m.name,
		Root:    get("root"),
		User:    get("user"),
		Shared:  scope == "shared",
		Deep:    depth == "infinity",
		Owner:   get("owner"),
		Timeout: time.Duration(seconds) * time.Second,
		Expires: expires,
	}
	return l, err == nil && timeErr == nil && seconds > 0 && expires.Year() >= 1970 && expires.Year() < 10000 &&
		isLockToken(l.Token) && l.Root != "" && checkPath(l.Root) == nil && len(l.Owner) <= maxLockOwner &&
		(l.Shared || scope == "exclusive") && (l.Deep || depth == "0")
}

// isLockToken reports whether s could be one of NewLockToken's.
func isLockToken(s string) bool {
	digits, ok := strings.CutPrefix(s, lockTokenPrefix)
	return ok && len(digits) == 36 && strings.Trim(digits, "0123456789abcdef-") == ""
}
