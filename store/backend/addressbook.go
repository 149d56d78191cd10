package backend

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/emersion/go-vcard"
	"github.com/emersion/go-webdav/carddav"

	"inetdav/store"
	"inetdav/store/object"
)

// AddressBookHomeSetPath returns the URL path of the home of whoever asks,
// which holds calendars as well.
func (b *Backend) AddressBookHomeSetPath(ctx context.Context) (string, error) { return b.home(ctx) }

// CreateAddressBook makes an empty address book with the Name and the
// Description given. 405 if there is something, 409 if there is no collection
// to hold it.
func (b *Backend) CreateAddressBook(ctx context.Context, ab *carddav.AddressBook) error {
	return b.writing(ctx, ab.Path, func(p string) error {
		props := store.Props{}.Set(store.TagKey, "VADDRESSBOOK")
		if ab.Name != "" {
			props = props.Set(nameKey, ab.Name)
		}
		if ab.Description != "" {
			props = props.Set(cardDescriptionKey, ab.Description)
		}
		return b.mkcol(ctx, p, props)
	})
}

// ListAddressBooks returns the address books of whoever asks, in the order of
// their paths.
func (b *Backend) ListAddressBooks(ctx context.Context) ([]carddav.AddressBook, error) {
	var list []carddav.AddressBook
	err := b.members(ctx, store.AddressBook, func(c *store.Collection, readOnly bool) {
		list = append(list, b.addressBook(c, readOnly))
	})
	if err != nil {
		return nil, err // never a part that looks whole
	}
	return list, nil
}

// GetAddressBook returns the address book at path. 404 if there is none.
func (b *Backend) GetAddressBook(ctx context.Context, path string) (*carddav.AddressBook, error) {
	var ab carddav.AddressBook
	err := b.collection(ctx, path, store.AddressBook, b.store.Collection, func(c *store.Collection) error {
		ab = b.addressBook(c, b.need(ctx, c.Path(), true) != nil)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &ab, nil
}

func (b *Backend) addressBook(c *store.Collection, readOnly bool) carddav.AddressBook {
	ab := carddav.AddressBook{
		Path:            b.href(c.Path(), true),
		Name:            displayName(c),
		MaxResourceSize: b.store.MaxObject,
		SupportedAddressData: []carddav.AddressDataType{
			{ContentType: vcard.MIMEType, Version: "3.0"},
			{ContentType: vcard.MIMEType, Version: "4.0"},
		},
		ReadOnly: readOnly,
	}
	ab.Description, _ = c.Props().Get(cardDescriptionKey)
	return ab
}

// DeleteAddressBook deletes the address book at path with all that is in it.
func (b *Backend) DeleteAddressBook(ctx context.Context, path string) error {
	return b.writing(ctx, path, func(p string) error {
		return b.deleteKind(ctx, p, func(r store.Resource) bool { return r.Kind == store.AddressBook })
	})
}

// GetAddressObject returns the object at path, its Card as asked for by req:
// whole if req is nil or names no properties. 404 if there is none in an
// address book, 500 if it cannot be read or is no vCard (but SOGo's VLIST).
//
// ContentLength is the length of what go-vcard writes of Card, if that is whole.
func (b *Backend) GetAddressObject(ctx context.Context, path string, req *carddav.AddressDataRequest) (ao *carddav.AddressObject, err error) {
	err = b.object(ctx, path, store.AddressBook, func(o *store.OpenedObject, data []byte) error {
		ao = &carddav.AddressObject{Path: b.href(o.Path, false), ModTime: o.ModTime, ETag: bare(o.ETag)}
		if err := fillCard(ao, req, data); err != nil {
			ao = nil
			return fmt.Errorf("stored object: %w", err)
		}
		return nil
	})
	return ao, err
}

// fillCard gives an object its Card and ContentLength.
func fillCard(ao *carddav.AddressObject, req *carddav.AddressDataRequest, data []byte) error {
	c, err := object.ParseCard(data)
	if err != nil {
		return err
	}
	card, err := decodeCard(c)
	if err != nil {
		return err
	}
	ao.Card = card
	if req != nil && !req.AllProp && len(req.Props) > 0 {
		// RFC 6352, 10.4.2; without VERSION it would be no vCard
		ao.Card = vcard.Card{vcard.FieldVersion: card[vcard.FieldVersion]}
		for _, name := range req.Props {
			if name = strings.ToUpper(name); card[name] != nil {
				ao.Card[name] = card[name]
			}
		}
		return nil
	}
	ao.ContentLength = length(func(w io.Writer) error { return vcard.NewEncoder(w).Encode(card) })
	return nil
}

// ListAddressObjects returns the objects of the address book at path, in the
// order of their names. If req asks for nothing (it is not nil but zero, as
// go-webdav's PROPFIND has it) that is read off the index: Card is then nil. So
// it is for an object that cannot be read.
func (b *Backend) ListAddressObjects(ctx context.Context, path string, req *carddav.AddressDataRequest) (list []carddav.AddressObject, err error) {
	err = b.collection(ctx, path, store.AddressBook, b.store.Listing, func(c *store.Collection) error {
		light := req != nil && !req.AllProp && len(req.Props) == 0
		var read reader
		for rec := range c.Objects() {
			ao := b.addressRecord(c, rec)
			if !light {
				data, etag, err := read.object(c, rec)
				if gone(err) {
					continue
				}
				if err == nil {
					ao.ETag = bare(etag)
					err = fillCard(&ao, req, data)
				}
				if err != nil && !unreadable(err) {
					return err
				}
			}
			list = append(list, ao)
		}
		return c.Err()
	})
	if err != nil {
		return nil, err // never a part that looks whole
	}
	return list, nil
}

// addressRecord is an object as the index knows it.
func (b *Backend) addressRecord(c *store.Collection, rec *store.Record) carddav.AddressObject {
	return carddav.AddressObject{
		Path:    b.href(join(c.Path(), rec.Name), false),
		ModTime: rec.ModTime,
		ETag:    bare(rec.ETag()),
	}
}

// QueryAddressObjects returns the objects that match query, at most query.Limit
// if that is positive: of the address book at path, or that one object at path.
// Without a query, or without filters in it, all match. Objects that cannot be
// read match nothing.
func (b *Backend) QueryAddressObjects(ctx context.Context, path string, query *carddav.AddressBookQuery) (list []carddav.AddressObject, err error) {
	if query == nil {
		query = &carddav.AddressBookQuery{}
	}
	f, err := cardFilter(query)
	if err == nil {
		err = f.Check()
	}
	if err != nil {
		return nil, fail(cardViolates("supported-filter", err))
	}
	err = b.scope(ctx, path, store.AddressBook, func(c *store.Collection, only string) error {
		var read reader
		for rec := range c.Objects() {
			if only != "" && rec.Name != only || rec.Flags&object.Broken != 0 {
				continue
			}
			v := f.Decide(&rec.Summary)
			if v == object.No {
				continue
			}
			ao := b.addressRecord(c, rec)
			data, etag, err := read.object(c, rec)
			ok := err == nil
			if ok && v == object.Maybe {
				ok, err = cardMatches(&f, data)
			}
			if ok {
				ao.ETag = bare(etag)
				err = fillCard(&ao, &query.DataRequest, data)
				ok = err == nil
			}
			if err != nil && !unreadable(err) && !gone(err) {
				return err
			}
			if !ok {
				continue
			}
			if list = append(list, ao); len(list) == query.Limit {
				break
			}
		}
		return c.Err()
	})
	if err != nil {
		return nil, err // never a part that looks whole
	}
	return list, nil
}

func cardMatches(f *object.CardFilter, data []byte) (bool, error) {
	c, err := object.ParseCard(data)
	if err != nil {
		return false, err
	}
	return f.Match(c)
}

// cardFilter is CARDDAV:filter (RFC 6352, 10.5) as go-webdav has it.
func cardFilter(query *carddav.AddressBookQuery) (f object.CardFilter, err error) {
	if f.AllOf, err = allOf(query.FilterTest); err != nil {
		return f, err
	}
	for i := range query.PropFilters {
		p := &query.PropFilters[i]
		pf := object.CardPropFilter{Name: p.Name, IsNotDefined: p.IsNotDefined}
		if pf.AllOf, err = allOf(p.Test); err != nil {
			return f, err
		}
		for j := range p.TextMatches {
			m, err := cardTextMatch(&p.TextMatches[j])
			if err != nil {
				return f, err
			}
			pf.TextMatches = append(pf.TextMatches, *m)
		}
		for _, param := range p.Params {
			m, err := cardTextMatch(param.TextMatch)
			if err != nil {
				return f, err
			}
			pf.Params = append(pf.Params, object.ParamFilter{Name: param.Name, IsNotDefined: param.IsNotDefined, TextMatch: m})
		}
		f.Props = append(f.Props, pf)
	}
	return f, nil
}

func allOf(t carddav.FilterTest) (bool, error) {
	switch t {
	case "", carddav.FilterAnyOf:
		return false, nil
	case carddav.FilterAllOf:
		return true, nil
	}
	return false, fmt.Errorf("%w: test %q", object.ErrFilter, t)
}

func cardTextMatch(m *carddav.TextMatch) (*object.TextMatch, error) {
	if m == nil {
		return nil, nil
	}
	t := &object.TextMatch{Text: m.Text, Negate: m.NegateCondition}
	switch m.MatchType {
	case "", carddav.MatchContains:
	case carddav.MatchEquals:
		t.MatchType = object.Equals
	case carddav.MatchStartsWith:
		t.MatchType = object.StartsWith
	case carddav.MatchEndsWith:
		t.MatchType = object.EndsWith
	default:
		return nil, fmt.Errorf("%w: match-type %q", object.ErrFilter, m.MatchType)
	}
	return t, nil
}

// PutAddressObject validates an object and stores it: as it was sent, if it
// comes unchanged from a request through Guard, else as go-vcard encodes it.
// The errors are the preconditions of RFC 6352, 6.3.2.1; 412; 409 if there is
// no collection to hold it.
func (b *Backend) PutAddressObject(ctx context.Context, path string, card vcard.Card, opts *carddav.PutAddressObjectOptions) (ao *carddav.AddressObject, err error) {
	if opts == nil {
		opts = &carddav.PutAddressObjectOptions{}
	}
	err = b.writing(ctx, path, func(p string) error {
		body := sentCard(ctx, card)
		if body == nil {
			var err error
			if body, err = encodeCard(card); err != nil {
				return cardViolates(carddav.PreconditionValidAddressData, err)
			}
		}
		s, err := b.putObject(ctx, p, store.AddressBook, body, opts.IfMatch, opts.IfNoneMatch)
		if err != nil {
			return err
		}
		ao = &carddav.AddressObject{Path: b.href(p, false), ModTime: s.modTime, ETag: s.etag, Card: card}
		return nil
	})
	return ao, err
}

// DeleteAddressObject deletes the object at path.
func (b *Backend) DeleteAddressObject(ctx context.Context, path string) error {
	return b.writing(ctx, path, func(p string) error {
		return b.deleteKind(ctx, p, func(r store.Resource) bool { return r.Kind == store.Object && r.In == store.AddressBook })
	})
}
