// Package object knows what a calendar object and an address object mean:
// their parts, the time they cover, whether a filter matches them and how a
// selection of them is written. It is pure: bytes come in, bytes and values go
// out; no files, no network, no clock but what is given.
package object

import (
	"errors"

	"inetdav/store/object/ical"
)

// What can be wrong with an object. Errors of this package wrap one of them
// with the detail; the comment says which precondition it breaks.
var (
	// ErrSyntax: CALDAV:valid-calendar-data (RFC 4791, 5.3.2.1) or
	// CARDDAV:valid-address-data (RFC 6352, 6.3.2.1).
	ErrSyntax = errors.New("not valid data")
	// ErrObject: CALDAV:valid-calendar-object-resource (RFC 4791, 4.1), or
	// an address object of more than one card (RFC 6352, 5.1).
	ErrObject = errors.New("not a valid object resource")
	// ErrComponent: CALDAV:supported-calendar-component.
	ErrComponent = errors.New("unsupported component")
	// ErrInstances: CALDAV:max-instances; also more steps of a recurrence
	// rule than are allowed for one object.
	ErrInstances = errors.New("too many instances")
	// ErrCollation: CALDAV:supported-collation, CARDDAV:supported-collation.
	ErrCollation = errors.New("unsupported collation")
	// ErrFilter: CALDAV:valid-filter, CARDDAV:supported-filter.
	ErrFilter = errors.New("not a valid filter")
)

// Calendar is a parsed calendar object: one VCALENDAR.
type Calendar struct {
	// Root is the VCALENDAR.
	Root *ical.Component
}

// Card is a parsed address object: one VCARD, or one VLIST (SOGo).
type Card struct {
	Root *ical.Component
}

// ParseCalendar reads a calendar object leniently: what is returned may still
// not be storable, see [Calendar.Check]. Errors wrap ErrSyntax.
func ParseCalendar(b []byte) (*Calendar, error) {
	return nil, ErrSyntax
}

// ParseCard reads an address object leniently, see [Card.Check]. Errors wrap
// ErrSyntax.
func ParseCard(b []byte) (*Card, error) {
	return nil, ErrSyntax
}

// Check says whether a client may store c as a calendar object resource (RFC
// 4791, 4.1 and 5.3.2.1). Errors wrap ErrSyntax or ErrObject.
func (c *Calendar) Check() error { return nil }

// Check says whether a client may store c as an address object resource (RFC
// 6352, 5.1 and 6.3.2.1). Errors wrap ErrSyntax or ErrObject.
func (c *Card) Check() error { return nil }
