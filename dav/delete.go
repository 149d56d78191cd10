package dav

import (
	"net/http"
	"strings"

	"inetdav/store"
)

// delete is RFC 4918, 9.6: an object, or a collection with all that is in it,
// whatever its Depth says: there are clients that send 0 and mean infinity.
func (q *request) delete() (change, error) {
	if err := q.mayRemove(); err != nil {
		return nil, err
	}
	if err := q.noBody(); err != nil {
		return nil, err
	}
	return func(tx *store.Tx) (answer, error) {
		if err := q.currentCondition(tx); err != nil {
			return answer{}, err
		}
		if err := tx.Delete(q.path); err != nil {
			return answer{}, err
		}
		return answer{status: http.StatusNoContent}, nil
	}, nil
}

// mayRemove checks the right to take the resource away from where it is.
func (q *request) mayRemove() error {
	if q.path == "" {
		return refuse(http.StatusForbidden, "the root stays")
	}
	if err := q.need(q.res, mayWrite); err != nil {
		return err
	}
	if q.kind()&kTagged != 0 {
		letters := q.h.rights.Letters(q.user, q.path)
		if q.h.permitDelete && strings.Contains(letters, "d") || !q.h.permitDelete && !strings.Contains(letters, "D") {
			return refuse(http.StatusForbidden, "[rights] permit_delete_collection")
		}
	}
	return nil
}

// currentCondition evaluates the preconditions on the resource of the request
// as it is now, which has to be there.
func (q *request) currentCondition(tx *store.Tx) error {
	res, err := tx.Resource(q.path)
	if err != nil {
		return err
	}
	etag := ""
	switch k := kindOf(res); {
	case k&kObject != 0:
		etag, err = tx.ETag(q.path)
	case k&kTagged != 0:
		c, cerr := tx.Collection(q.path)
		if cerr != nil {
			return cerr
		}
		etag = `"` + c.CTag() + `"`
	}
	if err != nil {
		return err
	}
	return precondition(q.r.Header, etag, true, res.ModTime)
}
