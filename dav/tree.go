package dav

import (
	"errors"
	"net/http"
	"strings"

	"inetdav/dav/davxml"
	"inetdav/store"
)

// The rights to a collection say nothing of those to the collections in it,
// which Radicale's rules give for each path. So whoever copies, moves, replaces,
// removes or locks a tree needs them for each collection in it. That is looked at
// in a transaction: a collection that comes meanwhile may be one of those denied.

// MaxTree is how many collections there may be below one that is copied, moved,
// replaced, removed or locked.
const MaxTree = 10_000

// walkTree visits a resource and, if it is a collection, all collections in it,
// however deep.
func walkTree(tx *store.Tx, top store.Resource, visit func(store.Resource) error) error {
	if err := visit(top); err != nil || !top.Kind.IsCollection() {
		return err
	}
	paths := []string{top.Path}
	for n := 0; len(paths) > 0; {
		path := paths[len(paths)-1]
		paths = paths[:len(paths)-1]
		for name, err := range tx.Collections(path) {
			if err != nil {
				return err
			}
			res, err := tx.Resource(join(path, name))
			if gone(err) {
				continue // what the store does not see it does not copy
			}
			if err == nil {
				err = visit(res)
			}
			if err != nil {
				return err
			}
			if n++; n > MaxTree {
				return &Error{Status: http.StatusInsufficientStorage, Err: errors.New("too many collections")}
			}
			paths = append(paths, res.Path)
		}
	}
	return nil
}

// needIn is need for r, which is top or in it. Of what is in it the answer names
// nothing: the user may not be allowed to know that it exists.
func (q *request) needIn(top, r store.Resource, l letter) error {
	err := q.need(r, l)
	var e *Error
	if r.Path != top.Path && errors.As(err, &e) && e.Lacks != (davxml.Name{}) {
		e.Href, e.Lacks = q.lacks(top, l)
	}
	return err
}

// mayRemove checks the right to take a resource away from where it is, without
// regard to what is in it.
func (q *request) mayRemove(r store.Resource) error { return q.mayRemoveIn(r, r) }

func (q *request) mayRemoveIn(top, r store.Resource) error {
	if r.Path == "" {
		return refuse(http.StatusForbidden, "the root stays")
	}
	if err := q.needIn(top, r, mayWrite); err != nil {
		return err
	}
	if r.Kind.IsCollection() && !q.permitted(q.h.permitDelete, 'd', r.Path) {
		return refuse(http.StatusForbidden, "[rights] permit_delete_collection")
	}
	return nil
}

// mayRemoveTree is mayRemove for a resource with all that is in it.
func (q *request) mayRemoveTree(tx *store.Tx, top store.Resource) error {
	return walkTree(tx, top, func(r store.Resource) error { return q.mayRemoveIn(top, r) })
}

// mayReplaceTree is mayRemoveTree where something else takes the place of the
// resource.
func (q *request) mayReplaceTree(tx *store.Tx, top store.Resource) error {
	if top.Kind.IsCollection() && !q.permitted(q.h.permitOver, 'o', top.Path) {
		return refuse(http.StatusForbidden, "[rights] permit_overwrite_collection")
	}
	return q.mayRemoveTree(tx, top)
}

// mayTransfer checks the rights to copy or move a resource to a path: to read
// all that goes, to write where it goes, and, if it moves, to take it away.
// Without deep nothing that is in a collection goes with it.
func (q *request) mayTransfer(tx *store.Tx, from, arriving store.Resource, move, deep bool) error {
	check := func(r store.Resource) error {
		if err := q.needIn(from, r, mayRead); err != nil {
			return err
		}
		if move {
			if err := q.mayRemoveIn(from, r); err != nil {
				return err
			}
		}
		if r.Path == from.Path {
			return q.need(arriving, mayWrite)
		}
		r.Path = arriving.Path + strings.TrimPrefix(r.Path, from.Path)
		return q.needIn(arriving, r, mayWrite)
	}
	if !deep {
		return check(from)
	}
	return walkTree(tx, from, check)
}

// permitted is Radicale's rule for what needs more than the right to write: the
// configuration permits it in general, and a small letter forbids it; or forbids
// it, and a capital permits it.
func (q *request) permitted(general bool, l letter, path string) bool {
	letters := q.h.rights.Letters(q.user, path)
	if general {
		return strings.IndexByte(letters, byte(l)) < 0
	}
	return strings.IndexByte(letters, byte(l-'a'+'A')) >= 0
}
