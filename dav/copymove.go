package dav

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"strings"

	"inetdav/dav/davxml"
	"inetdav/store"
	"inetdav/store/object"
)

// copy is RFC 4918, 9.8.
func (q *request) copy() (change, error) { return q.copyMove(false) }

// move is RFC 4918, 9.9.
func (q *request) move() (change, error) { return q.copyMove(true) }

func (q *request) copyMove(move bool) (change, error) {
	err := q.need(q.res, mayRead)
	if err == nil && move {
		err = q.mayRemove(q.res)
	}
	if err != nil {
		return nil, q.andArrive(err)
	}
	if err := q.noBody(); err != nil {
		return nil, err
	}
	to, err := q.destination()
	if err != nil {
		return nil, err
	}
	overwrite := true // RFC 4918, 10.6
	switch o := q.r.Header.Get("Overwrite"); o {
	case "", "T", "t":
	case "F", "f":
		overwrite = false
	default:
		return nil, refuse(http.StatusBadRequest, "Overwrite %q", o)
	}
	depth, err := q.depth(MaxDepth)
	if err != nil {
		return nil, err
	}
	if q.kind()&kCollection != 0 && (depth == 1 || move && depth == 0) { // RFC 4918, 9.8.3 and 9.9.2
		return nil, refuse(http.StatusBadRequest, "Depth of a collection")
	}
	if err := q.mayArrive(to); err != nil {
		return nil, err
	}
	return func(tx *store.Tx) (answer, error) {
		if err := q.currentCondition(tx); err != nil {
			return answer{}, err
		}
		replaced, err := q.destinationReady(tx, to, move, overwrite, depth > 0)
		if err != nil {
			return answer{}, err
		}
		if move {
			err = tx.Move(q.path, to)
		} else {
			err = tx.Copy(q.path, to, depth > 0)
		}
		if err != nil {
			return answer{}, err
		}
		a := answer{status: putStatus(!replaced)}
		if q.kind()&kObject != 0 {
			a = q.echo(a, to)
		}
		return a, nil
	}, nil
}

// destination reads the Destination header (RFC 4918, 10.3) as a path.
func (q *request) destination() (string, error) {
	d := q.r.Header.Get("Destination")
	u, err := url.Parse(d)
	switch {
	case d == "" || err != nil || !strings.HasPrefix(u.Path, "/"):
		return "", refuse(http.StatusBadRequest, "Destination %q", d)
	case u.Host != "" && !q.sameHost(u):
		return "", refuse(http.StatusBadGateway, "Destination %q is on another server", d)
	}
	to, ok := q.pathOfHref(d)
	switch {
	case !ok || to == "" || !printable(to):
		return "", refuse(http.StatusForbidden, "Destination %q", d)
	case to == q.path, strings.HasPrefix(to, q.path+"/"), strings.HasPrefix(q.path, to+"/"):
		return "", refuse(http.StatusForbidden, "source and destination overlap") // RFC 4918, 9.8.5
	}
	return to, q.checkPath(to)
}

// mayArrive checks the right to write where the resource is to go.
func (q *request) mayArrive(to string) error {
	r, err := q.look(to)
	if errors.Is(err, fs.ErrNotExist) {
		r = q.res // it will be of the source's kind
		r.Path = to
		if r.Kind == store.Object {
			if in, err := q.lookIn(to); err == nil {
				r.In = in.Kind
			}
		}
	} else if err != nil {
		return err
	}
	return q.need(r, mayWrite)
}

// andArrive adds to the privileges that a request lacks on its source those that
// it lacks where the resource is to go, so that they are told at once (RFC 3744,
// 7.1.1).
func (q *request) andArrive(err error) error {
	var e, there *Error
	if !errors.As(err, &e) || e.Lacks == (davxml.Name{}) {
		return err
	}
	if to, bad := q.destination(); bad == nil && errors.As(q.mayArrive(to), &there) && there.Lacks != (davxml.Name{}) {
		e.And = there
	}
	return err
}

// destinationReady checks, under the lock, that the resource fits where it is
// to go (RFC 4918, 9.8.5 and 9.9.4; RFC 4791, 5.3.2.1; RFC 6352, 6.3.2.1), and
// says whether something there will be replaced.
func (q *request) destinationReady(tx *store.Tx, to string, move, overwrite, deep bool) (replaced bool, err error) {
	from, err := tx.Resource(q.path)
	if err != nil {
		return false, err
	}
	in, err := tx.Resource(parent(to))
	if errors.Is(err, fs.ErrNotExist) || err == nil && !in.Kind.IsCollection() {
		return false, refuse(http.StatusConflict, "no collection to hold it")
	}
	if err != nil {
		return false, err
	}
	there, err := tx.Resource(to)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	replaced = err == nil
	if replaced && !overwrite {
		return replaced, refuse(http.StatusPreconditionFailed, "Overwrite: F")
	}
	arriving := from
	arriving.Path = to
	if from.Kind == store.Object {
		arriving.In = in.Kind
	}
	if err := q.mayTransfer(tx, from, arriving, move, deep); err != nil {
		return replaced, err
	}
	if replaced {
		if err := q.mayReplaceTree(tx, there); err != nil {
			return replaced, err
		}
	}
	k := kindOf(in)
	if from.Kind.IsCollection() {
		if k&kTagged != 0 {
			return replaced, violates(locationOK(kindOf(from)), errors.New("inside a calendar or an address book"))
		}
		if replaced && kindOf(there)&(kPrincipal|kRoot) != 0 {
			return replaced, refuse(http.StatusForbidden, "a principal is there")
		}
		return replaced, nil
	}
	if replaced && there.Kind.IsCollection() && kindOf(there)&kPlain == 0 {
		return replaced, refuse(http.StatusForbidden, "a collection is there")
	}
	switch {
	case k&(kRoot|kPrincipal|kSubscribed) != 0:
		return replaced, refuse(http.StatusForbidden, "objects cannot be stored there")
	case k&(kCalendar|kAddressbook) != 0:
		return replaced, q.fits(tx, from, in, to, move)
	}
	return replaced, nil
}

// fits checks that an object may go into a calendar or address book.
func (q *request) fits(tx *store.Tx, from, in store.Resource, to string, move bool) error {
	c, err := tx.Collection(parent(q.path))
	if err != nil {
		return err
	}
	calendar := in.Kind == store.Calendar
	var sum object.Summary
	if in.Path == parent(q.path) {
		// what the collection holds already may stay in it
		r, ok := c.Lookup(base(q.path))
		if !ok {
			return fmt.Errorf("%w: /%s", fs.ErrNotExist, q.path)
		}
		sum = r.Summary
		sum.UID = strings.Clone(sum.UID)
	} else {
		b, _, err := c.Read(base(q.path), nil)
		if err != nil {
			return err
		}
		if int64(len(b)) > q.h.maxObject {
			cond := nCardMaxResourceSize
			if calendar {
				cond = nMaxResourceSize
			}
			return violates(cond, fmt.Errorf("%d bytes", len(b)))
		}
		if sum, err = q.check(b, calendar); err != nil {
			return err
		}
	}
	if move && in.Path == parent(q.path) {
		// Only its name changes; it takes no other object's place.
		return otherUID(c, to, sum.UID)
	}
	if err := accepts(tx, in.Path, &sum); err != nil {
		return err
	}
	return uidConflict(tx, to, sum.UID)
}
