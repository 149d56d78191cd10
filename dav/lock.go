package dav

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"inetdav/dav/davxml"
	"inetdav/store"
	"inetdav/store/object"
)

// Limits of locks. How many there may be, and how long their owners, is the
// store's business.
const (
	// DefaultTimeout is how long a lock holds whose client names no time.
	DefaultTimeout = 30 * time.Minute
	// MaxTimeout is how long a lock holds at most without being refreshed,
	// whatever its client asks for (RFC 4918, 10.7).
	MaxTimeout = 7 * 24 * time.Hour
)

// lockTable is what a request sees of the locks.
type lockTable struct {
	all     store.WriteLocks
	read    bool
	checked bool      // owners that are no XML are left out
	stale   bool      // some are gone, but not yet from the file
	touched []touched // what the request changes
	tokens  []string  // submitted in the If header (RFC 4918, 10.4.1)
	refresh bool      // the request is a LOCK without a body
}

// touched is a resource that a request changes.
type touched struct {
	path string
	tree bool // with all its members
}

// lockTable gives the locks, read at the first call; a method that writes makes
// that under the storage lock.
func (q *request) lockTable() *lockTable {
	t := &q.locks
	if !t.read {
		t.read, t.all = true, q.h.store.WriteLocks(q.h.now())
	}
	return t
}

// covering gives the locks on a resource.
func (q *request) covering(path string) store.WriteLocks {
	t := q.lockTable()
	var on store.WriteLocks
	for i := range t.all {
		if t.all[i].Covers(path) {
			on = append(on, t.all[i])
		}
	}
	return on
}

func (t *lockTable) find(token string) int {
	return slices.IndexFunc(t.all, func(l store.WriteLock) bool { return l.Token == token })
}

// touches tells what a request of a method that writes will change: what has to
// be unlocked, or unlocked by it (RFC 4918, 7). That a collection gets or loses
// a member is a change of the collection (7.4).
func (q *request) touches(tx *store.Tx) ([]touched, error) {
	here, in := touched{path: q.path}, touched{path: parent(q.path)}
	tree := touched{path: q.path, tree: true}
	switch q.r.Method {
	case "LOCK", "UNLOCK":
		return nil, nil // they see to it themselves
	case "MKCOL", "MKCALENDAR":
		return []touched{in}, nil
	case "DELETE":
		return []touched{tree, in}, nil
	case "PUT":
		switch res, err := tx.Resource(q.path); {
		case errors.Is(err, fs.ErrNotExist):
			return []touched{in}, nil
		case err != nil:
			return nil, err
		case res.Kind.IsCollection():
			return []touched{tree}, nil
		}
	case "COPY", "MOVE":
		to, err := q.destination()
		if err != nil {
			return nil, err
		}
		there, err := tx.Resource(to)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		changes := []touched{{path: to, tree: true}}
		if q.r.Method == "MOVE" {
			changes = append(changes, tree, in)
		}
		if there.Kind != store.Object || q.res.Kind != store.Object || q.r.Method == "MOVE" {
			changes = append(changes, touched{path: parent(to)})
		} // else only the content of what is there changes
		return changes, nil
	}
	return []touched{here}, nil
}

// locked checks, under the storage lock, that the request has submitted the
// token of a lock of its own user wherever it changes what is locked (RFC 4918,
// 6.4 and 7.5). It fails with 423; where the lock is on a member of what the
// request names, the answer is a 207 (9.6.1, 9.8.5, 9.9.4).
func (q *request) locked(tx *store.Tx) (a answer, err error) {
	t := q.lockTable()
	if len(t.all) == 0 {
		return a, nil
	}
	if t.touched, err = q.touches(tx); err != nil {
		return a, err
	}
	q.pruneLocks(tx)
	for _, c := range t.touched {
		if l := q.blocking(c.path); l != nil {
			return a, q.lockError(tx, nLockTokenSubmitted, l)
		}
	}
	var members []string
	for _, c := range t.touched {
		for i := range t.all {
			if root := t.all[i].Root; !c.tree || !inside(root, c.path) || slices.Contains(members, root) {
				continue
			} else if l := q.blocking(root); l != nil {
				if q.r.Method == http.MethodPut {
					return a, q.lockError(tx, nLockTokenSubmitted, l)
				}
				members = append(members, root)
			}
		}
	}
	if len(members) == 0 {
		return a, nil
	}
	if members, err = q.escaped(tx, members); err != nil {
		return a, err
	}
	a.body = func(q *request) error {
		m := q.newMultistatus()
		for _, href := range members {
			if err := m.status(href, http.StatusLocked, nLockTokenSubmitted); err != nil {
				return err
			}
		}
		m.x.Element(nResponsedescription, nothingChanged)
		return m.close()
	}
	return a, nil
}

// nothingChanged says in a 207 what its list of failures leaves open: trees are
// removed, copied and moved whole or not at all.
const nothingChanged = "Nothing was changed."

// inside reports whether path is that of a member of a collection, however deep.
func inside(path, collection string) bool { return strings.HasPrefix(path, collection+"/") }

// blocking is a lock because of which the request must not change the resource
// at path; nil where none is there, or where one of them is the user's and
// submitted: of shared locks one is enough (RFC 4918, 6.2).
func (q *request) blocking(path string) *store.WriteLock {
	on := q.covering(path)
	for i := range on {
		if on[i].User == q.user && slices.Contains(q.locks.tokens, on[i].Token) {
			return nil
		}
	}
	if len(on) == 0 {
		return nil
	}
	return &on[0]
}

// lockError is a 423 that names the root of a lock (RFC 4918, 16).
func (q *request) lockError(tx *store.Tx, cond davxml.Name, l *store.WriteLock) error {
	href := l.Root
	if res, err := tx.Resource(l.Root); err == nil && res.Kind.IsCollection() {
		href += "/"
	}
	return &Error{Status: http.StatusLocked, Cond: cond, Href: href,
		Err: fmt.Errorf("/%s is locked by %q", l.Root, l.User)}
}

// pruneLocks forgets the locks that bear on what the request changes and whose
// resource is gone: a lock ends with its resource (RFC 4918, 6.1), even if a
// program removed that which knows nothing of locks.
func (q *request) pruneLocks(tx *store.Tx) {
	t := &q.locks
	before := len(t.all)
	t.all = slices.DeleteFunc(t.all, func(l store.WriteLock) bool {
		bears := slices.ContainsFunc(t.touched, func(c touched) bool {
			return l.Covers(c.path) || inside(l.Root, c.path)
		})
		if !bears {
			return false
		}
		_, err := tx.Resource(l.Root)
		return errors.Is(err, fs.ErrNotExist)
	})
	t.stale = t.stale || len(t.all) < before
}

// endLocks removes the locks whose resources the change has removed. They have
// none to lock any more, so if that fails nobody needs to know.
func (q *request) endLocks(tx *store.Tx) {
	t := &q.locks
	if len(t.touched) == 0 {
		return
	}
	q.pruneLocks(tx)
	if !t.stale {
		return
	}
	if err := tx.SetWriteLocks(t.all); err != nil {
		q.h.logf(levelWarning, "%s %s: locks: %v", q.r.Method, q.r.URL.Path, err)
	}
}

// lock is RFC 4918, 9.10: with a body it makes a lock, without one it refreshes
// one.
func (q *request) lock() (change, error) {
	if err := q.mayLock(); err != nil {
		return nil, err
	}
	root, err := q.readXML()
	if err != nil {
		return nil, err
	}
	if root == nil {
		return q.refreshLock()
	}
	l, err := q.lockInfo(root)
	if err != nil {
		return nil, err
	}
	var empty *store.Staged
	if q.kind() == kNone {
		if empty, err = q.h.store.StageBytes(parent(q.path), nil); err != nil {
			return nil, err
		}
		q.discard = empty.Discard
	}
	return func(tx *store.Tx) (answer, error) {
		if l.Deep && q.kind()&kCollection != 0 {
			denied, err := q.deniedBelow(tx)
			if err != nil {
				return answer{}, err
			}
			if denied != "" {
				return answer{body: func(q *request) error { return q.refuseTree(denied) }}, nil
			}
		}
		return q.newLock(tx, l, empty)
	}, nil
}

// mayLock checks the right to write what is to be locked. Where nothing is, an
// empty resource is made as by PUT without a body (RFC 4918, 7.3), and refused
// as that would be: calendars and address books hold no empty objects (RFC 4791,
// 4.1; RFC 6352, 5.1), and a home no files.
func (q *request) mayLock() error {
	if q.kind() != kNone {
		return q.need(q.res, mayWrite)
	}
	in, err := q.lookIn(q.path)
	missing := errors.Is(err, fs.ErrNotExist) || err == nil && !in.Kind.IsCollection()
	if err != nil && !missing {
		return err
	}
	res := q.res
	if !missing {
		res = store.Resource{Path: q.path, Kind: store.Object, In: in.Kind}
	}
	if err := q.need(res, mayWrite); err != nil {
		return err
	}
	switch k := kindOf(in); {
	case missing:
		return refuse(http.StatusConflict, "no collection to hold it") // RFC 4918, 9.10.6
	case k&(kCalendar|kAddressbook) != 0:
		_, err := q.check(nil, k == kCalendar)
		return err
	case k != kPlain:
		return refuse(http.StatusForbidden, "files cannot be stored here")
	}
	return nil
}

// lockInfo reads the body, Depth and Timeout of a LOCK.
func (q *request) lockInfo(root *davxml.Element) (store.WriteLock, error) {
	l := store.WriteLock{Root: q.path, User: q.user, Timeout: q.lockTimeout(DefaultTimeout)}
	if root.Name != nLockinfo {
		return l, refuse(http.StatusBadRequest, "LOCK with %v", root.Name)
	}
	scope, locktype := root.Child(nLockscope), root.Child(nLocktype)
	exclusive, shared := scope.Child(nExclusive) != nil, scope.Child(nShared) != nil
	if exclusive == shared || locktype.Child(nWrite) == nil {
		return l, refuse(http.StatusUnprocessableEntity, "no lock of a known kind is asked for")
	}
	depth, err := q.depth(MaxDepth)
	if err != nil {
		return l, err
	}
	if depth == 1 {
		return l, refuse(http.StatusBadRequest, "LOCK with Depth: 1") // RFC 4918, 9.10.3
	}
	l.Shared, l.Deep = shared, depth > 0
	if owner := root.Child(nOwner); owner != nil {
		l.Owner = wholeXML(owner)
	}
	return l, nil
}

// lockTimeout is how long the client wants the lock to hold, the first of its
// wishes that can be read (RFC 4918, 10.7); missing, if it has none.
func (q *request) lockTimeout(missing time.Duration) time.Duration {
	h, _ := list(q.r.Header, "Timeout")
	for wish := range strings.SplitSeq(h, ",") {
		wish = strings.TrimSpace(wish)
		if strings.EqualFold(wish, "Infinite") {
			return MaxTimeout
		}
		const second = "Second-"
		if len(wish) <= len(second) || !strings.EqualFold(wish[:len(second)], second) {
			continue
		}
		seconds, err := strconv.ParseUint(wish[len(second):], 10, 32)
		switch {
		case errors.Is(err, strconv.ErrRange):
			return MaxTimeout
		case err == nil:
			return min(max(time.Duration(seconds)*time.Second, time.Second), MaxTimeout)
		}
	}
	return missing
}

// deniedBelow is the path of a collection inside the one of the request that
// the user may read but not write, "" if there is none. That he may not even read
// one is an error, which does not name it.
func (q *request) deniedBelow(tx *store.Tx) (denied string, err error) {
	err = walkTree(tx, q.res, func(r store.Resource) error {
		if denied == "" && q.allowed(r, mayRead) && !q.allowed(r, mayWrite) {
			denied = r.Path
		}
		if denied != "" {
			return nil
		}
		return q.needIn(q.res, r, mayWrite)
	})
	return denied, err
}

// refuseTree answers a LOCK that cannot be granted to all members (RFC 4918,
// 9.10.3).
func (q *request) refuseTree(denied string) error {
	m := q.newMultistatus()
	if err := m.status(davxml.EscapePath(q.collectionHref(denied)), http.StatusForbidden); err != nil {
		return err
	}
	if err := m.status(davxml.EscapePath(q.hrefOf(q.res)), http.StatusFailedDependency); err != nil {
		return err
	}
	return m.close()
}

// newLock makes a lock, and where nothing is yet an empty file.
func (q *request) newLock(tx *store.Tx, l store.WriteLock, empty *store.Staged) (answer, error) {
	t := q.lockTable()
	t.touched = []touched{{path: q.path, tree: l.Deep}, {path: parent(q.path)}}
	q.pruneLocks(tx)
	_, err := tx.Resource(q.path)
	isNew := errors.Is(err, fs.ErrNotExist)
	switch {
	case isNew && empty != nil:
		err = precondition(q.r.Header, "", false, time.Time{})
	case err == nil:
		err = q.currentCondition(tx)
	}
	if err != nil {
		return answer{}, err
	}
	if a, err := q.conflicting(tx, l); err != nil || a.body != nil {
		return a, err
	}
	if isNew {
		if b := q.blocking(parent(q.path)); b != nil {
			return answer{}, q.lockError(tx, nLockTokenSubmitted, b)
		}
	}
	l.Token, l.Expires = store.NewLockToken(), q.h.now().Add(l.Timeout)
	before := slices.Clone(t.all)
	if t.all, err = t.all.Add(l); err != nil {
		return answer{}, tooManyLocks(err)
	}
	// The lock comes first: one without a resource is none (see pruneLocks), so
	// nobody sees half of this if it goes no further.
	if err := tx.SetWriteLocks(t.all); err != nil {
		return answer{}, tooManyLocks(err)
	}
	t.stale = false
	status := http.StatusOK
	if isNew {
		status = http.StatusCreated
		if _, err := tx.Put(q.path, empty, object.Summary{Start: object.NoStart, End: object.NoEnd}); err != nil {
			return answer{}, errors.Join(err, tx.SetWriteLocks(before))
		}
	}
	return q.lockAnswer(tx, status, l.Token)
}

// conflicting refuses a lock because of others that hold: with 423 for those on
// the resource of the request, else, for those on its members, with a 207 that
// names them (RFC 4918, 9.10.3 and 9.10.6).
func (q *request) conflicting(tx *store.Tx, l store.WriteLock) (a answer, err error) {
	var members []string
	for i := range q.locks.all {
		other := &q.locks.all[i]
		switch {
		case !l.Conflicts(other):
		case other.Covers(q.path):
			return a, q.lockError(tx, nNoConflictingLock, other)
		case !slices.Contains(members, other.Root):
			members = append(members, other.Root)
		}
	}
	if len(members) == 0 {
		return a, nil
	}
	if members, err = q.escaped(tx, members); err != nil {
		return a, err
	}
	a.body = func(q *request) error {
		m := q.newMultistatus()
		for _, href := range members {
			if err := m.status(href, http.StatusLocked, nNoConflictingLock); err != nil {
				return err
			}
		}
		if err := m.status(davxml.EscapePath(q.hrefOf(q.res)), http.StatusFailedDependency); err != nil {
			return err
		}
		return m.close()
	}
	return a, nil
}

// escaped turns paths into hrefs, percent-encoded.
func (q *request) escaped(tx *store.Tx, paths []string) ([]string, error) {
	for i := range paths {
		res, err := tx.Resource(paths[i])
		if err != nil {
			return nil, err
		}
		paths[i] = davxml.EscapePath(q.hrefOf(res))
	}
	return paths, nil
}

func tooManyLocks(err error) error {
	if errors.Is(err, store.ErrTooLarge) {
		return &Error{Status: http.StatusInsufficientStorage, Err: err}
	}
	return err
}

// refreshLock restarts the time of the lock that the If header names (RFC 4918,
// 9.10.2).
func (q *request) refreshLock() (change, error) {
	if q.r.Header.Get("If") == "" {
		return nil, refuse(http.StatusBadRequest, "LOCK without a body and without If")
	}
	q.locks.refresh = true
	return func(tx *store.Tx) (answer, error) {
		t := q.lockTable()
		found := -1
		if _, err := tx.Resource(q.path); err == nil {
			for _, l := range q.covering(q.path) {
				if !slices.Contains(t.tokens, l.Token) {
					continue
				}
				if found >= 0 {
					return answer{}, refuse(http.StatusBadRequest, "LOCK to refresh several locks")
				}
				found = t.find(l.Token)
			}
		}
		if found < 0 {
			return answer{}, &Error{Status: http.StatusPreconditionFailed, Cond: nLockTokenMatches, Err: errNoLock}
		}
		l := &t.all[found]
		if l.User != q.user {
			return answer{}, refuse(http.StatusForbidden, "the lock is %q's", l.User)
		}
		l.Timeout = q.lockTimeout(l.Timeout)
		l.Expires = q.h.now().Add(l.Timeout)
		if err := tx.SetWriteLocks(t.all); err != nil {
			return answer{}, err
		}
		return q.lockAnswer(tx, http.StatusOK, "")
	}, nil
}

var errNoLock = errors.New("no such lock there")

// lockAnswer answers with the locks on the resource, and the token of a new one
// (RFC 4918, 9.10.1).
func (q *request) lockAnswer(tx *store.Tx, status int, token string) (answer, error) {
	res, err := tx.Resource(q.path)
	if err != nil {
		return answer{}, err
	}
	return answer{body: func(q *request) error {
		if token != "" {
			q.w.Header().Set("Lock-Token", "<"+token+">")
		}
		b := q.answerBody(status, contentXML)
		o := propOut{x: davxml.NewWriter(b), name: nLockdiscovery, open: true}
		o.x.Header()
		o.x.Start(nProp)
		if err := getLockDiscovery(q, &target{res: res}, &o); err != nil {
			return err
		}
		o.x.End(nProp)
		if err := o.x.Flush(); err != nil {
			return err
		}
		return b.Close()
	}}, nil
}

// unlock is RFC 4918, 9.11. Whoever made a lock may remove it, and he to whose
// home the resource belongs (6.4).
func (q *request) unlock() (change, error) {
	if err := q.need(q.res, mayRead); err != nil {
		return nil, err
	}
	if err := q.noBody(); err != nil {
		return nil, err
	}
	header := strings.TrimSpace(q.r.Header.Get("Lock-Token"))
	rest, begins := strings.CutPrefix(header, "<")
	token, ends := strings.CutSuffix(rest, ">")
	if !begins || !ends || token == "" {
		return nil, refuse(http.StatusBadRequest, "Lock-Token %q", header)
	}
	return func(tx *store.Tx) (answer, error) {
		if _, err := tx.Resource(q.path); err != nil {
			return answer{}, err
		}
		t := q.lockTable()
		i := t.find(token)
		if i < 0 || !t.all[i].Covers(q.path) {
			return answer{}, conflicts(nLockTokenMatches, errNoLock)
		}
		if l := &t.all[i]; l.User != q.user {
			home, _, _ := strings.Cut(l.Root, "/")
			if q.user == "" || home != q.user {
				return answer{}, lacking(q.path, privilegeUnlock, fmt.Errorf("the lock is %q's", l.User)) // RFC 3744, 3.5
			}
		}
		t.all = slices.Delete(t.all, i, i+1)
		if err := tx.SetWriteLocks(t.all); err != nil {
			return answer{}, err
		}
		return answer{status: http.StatusNoContent}, nil
	}, nil
}

// checkOwners sees to it, once a request, that what is said of the locks is XML:
// another program may have touched the file.
func (t *lockTable) checkOwners() {
	if t.checked {
		return
	}
	t.checked = true
	for i := range t.all {
		if _, err := davxml.Parse([]byte(t.all[i].Owner)); err != nil {
			t.all[i].Owner = ""
		}
	}
}

// getLockDiscovery is RFC 4918, 15.8. The tokens are no secrets: only their
// user can use them.
func getLockDiscovery(q *request, t *target, o *propOut) error {
	q.lockTable().checkOwners()
	on := q.covering(t.res.Path)
	if len(on) == 0 {
		o.start()
		o.x.Empty(o.name)
		return nil
	}
	now := q.h.now()
	o.elements(func(x *davxml.Writer) {
		for i := range on {
			root := t.res
			if on[i].Root != root.Path { // then it is above
				root = store.Resource{Path: on[i].Root, Kind: store.Plain}
			}
			activeLock(x, &on[i], q.hrefOf(root), now)
		}
	})
	return nil
}

// activeLock writes a lock (RFC 4918, 14.1).
func activeLock(x *davxml.Writer, l *store.WriteLock, root string, now time.Time) {
	x.Start(nActivelock)
	lockKind(x, l.Shared)
	depth := "0"
	if l.Deep {
		depth = "infinity"
	}
	x.Element(nDepth, depth)
	x.Raw(l.Owner)
	left := (l.Expires.Sub(now) + time.Second - 1) / time.Second
	x.Element(nTimeout, "Second-"+strconv.FormatInt(int64(left), 10))
	x.Start(nLocktoken)
	x.Element(nHref, l.Token)
	x.End(nLocktoken)
	x.Start(nLockroot)
	x.Href(root)
	x.End(nLockroot)
	x.End(nActivelock)
}

func lockKind(x *davxml.Writer, isShared bool) {
	scope := nExclusive
	if isShared {
		scope = nShared
	}
	x.Start(nLockscope)
	x.Empty(scope)
	x.End(nLockscope)
	x.Start(nLocktype)
	x.Empty(nWrite)
	x.End(nLocktype)
}

// getSupportedLock is RFC 4918, 15.10.
func getSupportedLock(_ *request, _ *target, o *propOut) error {
	o.elements(func(x *davxml.Writer) {
		for _, shared := range [...]bool{false, true} {
			x.Start(nLockentry)
			lockKind(x, shared)
			x.End(nLockentry)
		}
	})
	return nil
}
