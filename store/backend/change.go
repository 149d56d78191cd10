package backend

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/emersion/go-webdav"
	"github.com/emersion/go-webdav/caldav"
	"github.com/emersion/go-webdav/carddav"

	"inetdav/store"
	"inetdav/store/object"
)

// stored is what became of an object.
type stored struct {
	etag    string // without quotes, as go-webdav wants them
	modTime time.Time
	created bool
}

// putObject validates an object and stores it in the calendar or address book
// of that kind.
func (b *Backend) putObject(ctx context.Context, p string, in store.Kind, body []byte, ifMatch, ifNoneMatch webdav.ConditionalMatch) (stored, error) {
	if err := newName(p); err != nil {
		return stored{}, err
	}
	collection, _ := split(p)
	switch r, err := b.store.Resource(collection); {
	case errors.Is(err, fs.ErrNotExist):
		return stored{}, refuse(http.StatusConflict, "no collection to hold it") // RFC 4918, 9.7.1
	case err != nil:
		return stored{}, err
	case r.Kind == store.Calendar && in != r.Kind:
		return stored{}, calViolates(caldav.PreconditionSupportedCalendarData, errors.New("in a calendar"))
	case r.Kind == store.AddressBook && in != r.Kind:
		return stored{}, cardViolates(carddav.PreconditionSupportedAddressData, errors.New("in an address book"))
	case r.Kind != in:
		return stored{}, refuse(http.StatusForbidden, "objects of this kind cannot be stored there")
	}
	if int64(len(body)) > b.store.MaxObject {
		err := fmt.Errorf("%w: %d bytes", store.ErrTooLarge, len(body))
		if in == store.Calendar {
			return stored{}, calViolates(caldav.PreconditionMaxResourceSize, err)
		}
		return stored{}, cardViolates(carddav.PreconditionMaxResourceSize, err)
	}
	sum, err := check(in, body)
	if err != nil {
		return stored{}, err
	}
	return b.put(ctx, p, bytes.NewReader(body), sum, ifMatch, ifNoneMatch, func(tx *store.Tx) error {
		if err := accepts(tx, collection, &sum); err != nil {
			return err
		}
		return uidConflict(tx, p, sum.UID)
	})
}

// put stores what has been validated. under runs with the lock held, after the
// conditions have been met.
func (b *Backend) put(ctx context.Context, p string, body *bytes.Reader, sum object.Summary, ifMatch, ifNoneMatch webdav.ConditionalMatch, under func(*store.Tx) error) (stored, error) {
	collection, _ := split(p)
	staged, err := b.store.Stage(collection, body, body.Size())
	if err != nil {
		return stored{}, err
	}
	defer staged.Discard()
	s := stored{etag: bare(staged.ETag)}
	err = b.store.Update(ctx, func(tx *store.Tx) error {
		if err := condition(tx, p, ifMatch, ifNoneMatch); err != nil {
			return err
		}
		_, err := tx.Resource(p)
		if err := unlocked(tx, p, errors.Is(err, fs.ErrNotExist)); err != nil {
			return err
		}
		if err := under(tx); err != nil {
			return err
		}
		if s.created, err = tx.Put(p, staged, sum); err != nil {
			return err
		}
		r, err := tx.Resource(p)
		s.modTime = r.ModTime
		return err
	})
	return s, err
}

// unlocked fails if a lock of WebDAV forbids to change what is at p, or, if
// member is set, to make or remove it as a member of its collection (RFC 4918,
// 7 and 7.4). No lock token reaches a Backend, so that who holds the lock is
// refused as well.
func unlocked(tx *store.Tx, p string, member bool) error {
	collection, _ := split(p)
	for _, l := range tx.WriteLocks(time.Now()) {
		if l.Covers(p) || within(l.Root, p) || member && l.Root == collection {
			return refuse(http.StatusLocked, "locked")
		}
	}
	return nil
}

// bare is an entity tag without its quotes.
func bare(etag string) string { return strings.Trim(etag, `"`) }

// condition evaluates If-Match and If-None-Match on what is at p now (RFC 9110,
// 13.1.1 and 13.1.2), as far as a webdav.ConditionalMatch can hold them: one
// entity tag or "*". The entity tag of a calendar or address book is its CTag.
func condition(tx *store.Tx, p string, ifMatch, ifNoneMatch webdav.ConditionalMatch) error {
	if !ifMatch.IsSet() && !ifNoneMatch.IsSet() {
		return nil
	}
	r, err := tx.Resource(p)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	etag, exists := "", err == nil
	switch r.Kind {
	case store.None, store.Plain:
	case store.Object:
		etag, err = tx.ETag(p)
		if err != nil {
			return err
		}
	default:
		c, err := tx.Collection(p)
		if err != nil {
			return err
		}
		etag = c.CTag()
	}
	matches := func(m webdav.ConditionalMatch) (bool, error) {
		if m.IsWildcard() {
			return exists, nil
		}
		ok, err := m.MatchETag(bare(etag))
		if err != nil {
			return false, refuse(http.StatusBadRequest, "%q: %w", string(m), err)
		}
		return ok, nil
	}
	if ifMatch.IsSet() {
		if ok, err := matches(ifMatch); err != nil {
			return err
		} else if !ok {
			return refuse(http.StatusPreconditionFailed, "If-Match %s", ifMatch)
		}
	}
	if ifNoneMatch.IsSet() {
		if ok, err := matches(ifNoneMatch); err != nil {
			return err
		} else if ok {
			return refuse(http.StatusPreconditionFailed, "If-None-Match %s", ifNoneMatch)
		}
	}
	return nil
}

// check says what the index is to remember of an object, or which precondition
// it fails (RFC 4791, 5.3.2.1; RFC 6352, 6.3.2.1).
func check(in store.Kind, body []byte) (object.Summary, error) {
	if in == store.AddressBook {
		card, err := object.ParseCard(body)
		if err == nil {
			err = card.Check()
		}
		var sum object.Summary
		if err == nil {
			sum, err = object.Summarize(object.KindAddressBook, body)
		}
		if err != nil {
			return sum, cardViolates(carddav.PreconditionValidAddressData, err)
		}
		return sum, nil
	}
	cal, err := object.ParseCalendar(body)
	if err == nil {
		err = cal.Check()
	}
	var sum object.Summary
	if err == nil {
		sum, err = object.Summarize(object.KindCalendar, body)
	}
	cond := caldav.PreconditionValidCalendarData
	switch {
	case err == nil:
		return sum, nil
	case errors.Is(err, object.ErrInstances):
		cond = caldav.PreconditionMaxInstances
	case errors.Is(err, object.ErrComponent):
		cond = caldav.PreconditionSupportedCalendarComponent
	case errors.Is(err, object.ErrObject):
		cond = caldav.PreconditionValidCalendarObjectResource
	}
	return sum, calViolates(cond, err)
}

// accepts checks that a calendar takes components of this type (RFC 4791,
// 5.2.3).
func accepts(tx *store.Tx, collection string, sum *object.Summary) error {
	c, err := tx.Collection(collection)
	if err != nil || c.Kind() != store.Calendar {
		return err
	}
	if set := componentSet(c.Props()); !slices.Contains(set, sum.Component) && len(set) > 0 {
		return calViolates(caldav.PreconditionSupportedCalendarComponent, fmt.Errorf("%s in a calendar of %v", sum.Component, set))
	}
	return nil
}

// uidConflict refuses what RFC 4791, 5.3.2.1 and RFC 6352, 6.3.2.1 call a
// no-uid-conflict: another object of the collection has the UID, or the one
// that would be replaced has another.
func uidConflict(tx *store.Tx, p, uid string) error {
	if uid == "" {
		return nil
	}
	collection, name := split(p)
	c, err := tx.Collection(collection)
	if err != nil {
		return err
	}
	other, ok := c.FindUID(uid)
	if !ok || other == name {
		r, ok := c.Lookup(name)
		if !ok || r.UID == uid || r.UID == "" || r.Flags&object.Broken != 0 {
			return c.Err()
		}
		other, uid = name, r.UID
	}
	cond := caldav.NewPreconditionError(caldav.PreconditionNoUIDConflict)
	if c.Kind() == store.AddressBook {
		cond = carddav.NewPreconditionError(carddav.PreconditionNoUIDConflict)
	}
	return refuse(http.StatusConflict, "%w: %q has the UID %q", cond, other, uid)
}

// mkcol makes a collection. In calendars and address books there are no others
// (RFC 4791, 4.2; RFC 6352, 5.2).
func (b *Backend) mkcol(ctx context.Context, p string, props store.Props) error {
	if p == "" {
		return refuse(http.StatusMethodNotAllowed, "exists")
	}
	if err := newName(p); err != nil {
		return err
	}
	in, _ := split(p)
	if user, err := b.user(ctx); err == nil && in == user {
		// the home comes with its first calendar; what fails here fails below
		_ = b.store.EnsurePrincipal(user)
	}
	return b.store.Update(ctx, func(tx *store.Tx) error {
		switch _, err := tx.Resource(p); {
		case err == nil:
			return refuse(http.StatusMethodNotAllowed, "exists") // RFC 4918, 9.3.1
		case !errors.Is(err, fs.ErrNotExist):
			return err
		}
		switch r, err := tx.Resource(in); {
		case errors.Is(err, fs.ErrNotExist), err == nil && r.Kind == store.Object:
			return refuse(http.StatusConflict, "no collection to hold it")
		case err != nil:
			return err
		case r.Kind != store.Plain:
			return notInside(props.Kind())
		}
		if err := unlocked(tx, p, true); err != nil {
			return err
		}
		return tx.Mkcol(p, props, nil)
	})
}

// notInside is the failure to put a collection of a kind into a calendar or an
// address book.
func notInside(kind store.Kind) error {
	err := errors.New("inside a calendar or an address book")
	switch kind {
	case store.Calendar, store.Subscribed:
		return calViolates(caldav.PreconditionCalendarCollectionLocationOk, err)
	case store.AddressBook:
		return cardViolates("addressbook-collection-location-ok", err)
	}
	return refuse(http.StatusForbidden, "%w", err)
}

// deleteKind deletes what is at p if it is of one of these kinds.
func (b *Backend) deleteKind(ctx context.Context, p string, accept func(store.Resource) bool) error {
	return b.store.Update(ctx, func(tx *store.Tx) error {
		r, err := tx.Resource(p)
		if err != nil {
			return err
		}
		if !accept(r) {
			return refuse(http.StatusForbidden, "not of the kind that is to be deleted")
		}
		if err := unlocked(tx, p, true); err != nil {
			return err
		}
		return tx.Delete(p)
	})
}
