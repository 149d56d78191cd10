package dav

import (
	"net/http"

	"inetdav/store"
)

// delete is RFC 4918, 9.6: an object, or a collection with all that is in it,
// whatever its Depth says: there are clients that send 0 and mean infinity.
func (q *request) delete() (change, error) {
	if err := q.mayRemove(q.res); err != nil {
		return nil, err
	}
	if err := q.noBody(); err != nil {
		return nil, err
	}
	return func(tx *store.Tx) (answer, error) {
		if err := q.currentCondition(tx); err != nil {
			return answer{}, err
		}
		res, err := tx.Resource(q.path)
		if err == nil {
			err = q.mayRemoveTree(tx, res)
		}
		if err == nil {
			err = tx.Delete(q.path)
		}
		if err != nil {
			return answer{}, err
		}
		return answer{status: http.StatusNoContent}, nil
	}, nil
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
