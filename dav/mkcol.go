package dav

import (
	"errors"
	"io/fs"
	"net/http"
	"time"

	"inetdav/dav/davxml"
	"inetdav/store"
)

// mkcol is RFC 4918, 9.3, and with a body RFC 5689, 3.
func (q *request) mkcol() (change, error) {
	root, err := q.readMkcol(nMkcol)
	if err != nil {
		return nil, err
	}
	p := &proppatch{h: q.h, isNew: true, kind: kPlain}
	// the kind first: which properties there are depends on it
	if root != nil {
		q.w.Header().Set("Cache-Control", "no-cache") // RFC 5689, 3
		for op := range root.Elements() {
			if rt := op.Child(nProp).Child(nResourcetype); op.Name == nSet && rt != nil {
				// a failure comes again with its turn
				_ = setResourcetype(p, rt)
			}
		}
	}
	return q.makeCollection(p, root, nMkcolResponse)
}

// mkcalendar is RFC 4791, 5.3.1.
func (q *request) mkcalendar() (change, error) {
	root, err := q.readMkcol(nMkcalendar)
	if err != nil {
		return nil, err
	}
	q.w.Header().Set("Cache-Control", "no-cache") // RFC 4791, 5.3.1
	p := &proppatch{h: q.h, isNew: true}
	if err := p.setKind(kCalendar); err != nil {
		return nil, err
	}
	p.makes = kCalendar | kSubscribed // the latter is how Apple's Calendar subscribes
	return q.makeCollection(p, root, nMkcalendarResponse)
}

func (q *request) readMkcol(name davxml.Name) (*davxml.Element, error) {
	// RFC 4918, 8.1: first see whether any kind may be made
	if err := q.mayMake(kCalendar); err != nil && (name == nMkcalendar || q.mayMake(kPlain) != nil) {
		return nil, err
	}
	root, err := q.readXML()
	var syntax *davxml.SyntaxError
	switch {
	case errors.As(err, &syntax) && name == nMkcol:
		// RFC 4918, 9.3.1: a body that is not understood
		return nil, &Error{Status: http.StatusUnsupportedMediaType, Err: err}
	case err != nil:
		return nil, err
	case root != nil && root.Name != name:
		return nil, refuse(http.StatusUnsupportedMediaType, "%s with %v", q.r.Method, root.Name)
	}
	return root, nil
}

// makeCollection makes a collection with the properties that the client asks
// for, or with none of it (RFC 5689, 3: all or nothing).
func (q *request) makeCollection(p *proppatch, root *davxml.Element, response davxml.Name) (change, error) {
	if err := q.mayMake(p.kind); err != nil {
		return nil, err
	}
	if err := p.instructions(root); err != nil {
		return nil, err
	}
	if p.bad {
		return nil, q.refuseInstructions(p, response)
	}
	return func(tx *store.Tx) (answer, error) {
		if err := precondition(q.r.Header, "", false, time.Time{}); err != nil {
			return answer{}, err
		}
		if err := q.makeable(tx, p.kind); err != nil {
			return answer{}, err
		}
		if err := tx.Mkcol(q.path, p.props, p.rich); err != nil {
			return answer{}, err
		}
		q.prefers("return=minimal") // RFC 8144, 2.3: as it is in any case
		return answer{status: http.StatusCreated}, nil
	}, nil
}

// mayMake checks the rights to make a collection of a kind: the small letter on
// its path for a calendar or address book, the capital for any other.
func (q *request) mayMake(k kind) error {
	r := store.Resource{Path: q.path, Kind: store.Plain}
	if k&kTagged != 0 {
		r.Kind = store.Calendar
	}
	return q.need(r, mayWrite)
}

// makeable checks that a collection of kind k can be where the request wants it.
func (q *request) makeable(tx *store.Tx, k kind) error {
	switch _, err := tx.Resource(q.path); {
	case err == nil && q.r.Method == "MKCALENDAR":
		return violates(nResourceMustBeNull, errors.New("exists")) // RFC 4791, 5.3.1
	case err == nil && q.r.ContentLength != 0:
		return violates(nResourceMustBeNull, errors.New("exists")) // RFC 5689, 3.3
	case err == nil:
		return refuse(http.StatusMethodNotAllowed, "exists") // RFC 4918, 9.3.1
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	in, err := tx.Resource(parent(q.path))
	if errors.Is(err, fs.ErrNotExist) || err == nil && in.Kind == store.Object {
		return refuse(http.StatusConflict, "no collection to hold it")
	}
	if err != nil {
		return err
	}
	if kindOf(in)&kTagged != 0 {
		// RFC 4791, 4.2 and RFC 6352, 5.2: no collections inside
		return violates(locationOK(k), errors.New("inside a calendar or an address book"))
	}
	return nil
}

// locationOK is the condition that names a place where no such collection may be.
func locationOK(k kind) davxml.Name {
	switch k {
	case kCalendar, kSubscribed:
		return nCalLocationOK
	case kAddressbook:
		return nCardLocationOK
	}
	return davxml.Name{}
}

// refuseInstructions answers with what became of each property (RFC 5689, 3.1;
// RFC 4791, 5.3.1.1).
func (q *request) refuseInstructions(p *proppatch, response davxml.Name) error {
	status := http.StatusForbidden
	if response == nMkcalendarResponse {
		status = http.StatusMultiStatus
	}
	for _, o := range p.done {
		if o.status == http.StatusInsufficientStorage {
			status = o.status
		}
	}
	b := q.answerBody(status, contentXML)
	x := davxml.NewWriter(b)
	x.Header()
	if response == nMkcalendarResponse { // a 207 has but one body: RFC 4918, 13
		x.Start(nMultistatus)
		x.Start(nResponse)
		x.Href(q.collectionHref(q.path))
		p.report(x)
		x.End(nResponse)
		x.End(nMultistatus)
	} else {
		x.Start(response)
		p.report(x)
		x.End(response)
	}
	if err := x.Flush(); err != nil {
		return err
	}
	return b.Close()
}
