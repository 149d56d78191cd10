// Package object knows what a calendar object and an address object mean:
// their parts, the time they cover, whether a filter matches them and how a
// selection of them is written. It is pure: bytes come in, bytes and values go
// out; no files, no network, no clock but what is given.
//
// Reading is lenient, storing is not: [ParseCalendar], [Summarize], [CompFilter.Match]
// and the writers make the best of whatever lies in the folder; [Calendar.Check]
// and [Card.Check] say what a client may put there.
//
//	object.go      objects, errors, what may be stored; checktimes.go its times
//	summary.go     Summarize: what an index keeps
//	filter.go      filters as plain structs; match.go the full test;
//	               decide.go the test against a summary; collation.go texts
//	select.go      CalendarData, AddressData: the parts a client asked for
//	convert.go     Card.Convert: vCard 3.0 and 4.0; convertvalue.go their values
//	split.go       one stream into objects; export.go objects into one stream
//	zones.go, instances.go, timerange.go, expand.go, freebusy.go, availability.go
//	               everything about time
//	checklimits.go the limits that a calendar tells; timezones.go time zones
//	               by reference
package object

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"inetdav/store/object/caltime"
	"inetdav/store/object/ical"
)

// Error is a kind of error of this package. Errors returned wrap one of them,
// or one of package caltime's.
type Error string

func (e Error) Error() string { return string(e) }

// What can be wrong with an object or a request for it. The comments say which
// precondition it breaks.
const (
	// ErrSyntax: CALDAV:valid-calendar-data (RFC 4791, 5.3.2.1) or
	// CARDDAV:valid-address-data (RFC 6352, 6.3.2.1).
	ErrSyntax Error = "not valid data"
	// ErrObject: CALDAV:valid-calendar-object-resource (RFC 4791, 4.1), or
	// an address object that is not one card with a UID (RFC 6352, 5.1).
	ErrObject Error = "not a valid object resource"
	// ErrComponent: CALDAV:supported-calendar-component.
	ErrComponent Error = "unsupported component"
	// ErrInstances: CALDAV:max-instances; also more steps of a recurrence
	// rule than are allowed for one object.
	ErrInstances Error = "too many instances"
	// ErrCollation: CALDAV:supported-collation, CARDDAV:supported-collation.
	ErrCollation Error = "unsupported collation"
	// ErrFilter: CALDAV:valid-filter, CARDDAV:supported-filter.
	ErrFilter Error = "not a valid filter"
)

// MaxUID is the length of a UID in bytes. RFC 7986, 5.3, demands room for 255.
const MaxUID = 4096

// Calendar is a parsed calendar object: one VCALENDAR.
type Calendar struct {
	// Root is the VCALENDAR. It must not be changed.
	Root *ical.Component
	// Zones, which may be nil, is where zones without a VTIMEZONE are found:
	// one for many calendars reads the zone database once.
	Zones *caltime.Zones

	badUTF8 bool
	mark    bool // the source begins with a byte order mark
	times   timeCache
}

// Card is a parsed address object: one VCARD, or one VLIST (SOGo).
type Card struct {
	Root *ical.Component

	badUTF8 bool
	mark    bool // the source begins with a byte order mark
}

// ParseCalendar reads a calendar object leniently: what is returned may still
// not be storable, see [Calendar.Check]. Errors wrap ErrSyntax, or ErrObject if
// there is more than one VCALENDAR.
func ParseCalendar(b []byte) (*Calendar, error) {
	roots, err := ical.Parse(b)
	c, err := calendarOf(roots, err)
	if err == nil {
		c.badUTF8, c.mark = !validUTF8(b), bytes.HasPrefix(b, byteOrderMark)
	}
	return c, err
}

// ParseCard reads an address object leniently, see [Card.Check]. Errors wrap
// ErrSyntax, or ErrObject if there is more than one card.
func ParseCard(b []byte) (*Card, error) {
	roots, err := ical.Parse(b)
	c, err := cardOf(roots, err)
	if err == nil {
		c.badUTF8, c.mark = !validUTF8(b), bytes.HasPrefix(b, byteOrderMark)
	}
	return c, err
}

var byteOrderMark = []byte("\xef\xbb\xbf")

// checkEncoding refuses what is not UTF-8, or begins with a byte order mark,
// which the grammars have no place for (RFC 5545, 3.1; RFC 6350, 3.1).
func checkEncoding(badUTF8, mark bool) error {
	switch {
	case badUTF8:
		return fmt.Errorf("%w: not UTF-8", ErrSyntax)
	case mark:
		return fmt.Errorf("%w: line 1: a byte order mark", ErrSyntax)
	}
	return nil
}

// validUTF8 reports whether the content lines of b are UTF-8. A fold may lie
// within a character (RFC 5545, 3.1).
func validUTF8(b []byte) bool {
	if utf8.Valid(b) {
		return true
	}
	for l := ical.NewLines(b); l.Next(); {
		if !utf8.Valid(l.Text) {
			return false
		}
	}
	return true
}

func calendarOf(roots []*ical.Component, err error) (*Calendar, error) {
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrSyntax, err)
	case len(roots) == 0:
		return nil, fmt.Errorf("%w: no VCALENDAR", ErrSyntax)
	case roots[0].Name != "VCALENDAR":
		return nil, fmt.Errorf("%w: %q where VCALENDAR belongs", ErrSyntax, clip(roots[0].Name))
	case len(roots) > 1:
		return nil, fmt.Errorf("%w: more than one VCALENDAR", ErrObject)
	}
	return &Calendar{Root: roots[0]}, nil
}

func cardOf(roots []*ical.Component, err error) (*Card, error) {
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrSyntax, err)
	case len(roots) == 0:
		return nil, fmt.Errorf("%w: no VCARD", ErrSyntax)
	case roots[0].Name != "VCARD" && roots[0].Name != "VLIST":
		return nil, fmt.Errorf("%w: %q where VCARD belongs", ErrSyntax, clip(roots[0].Name))
	case len(roots) > 1:
		return nil, fmt.Errorf("%w: more than one %s", ErrObject, roots[0].Name)
	}
	return &Card{Root: roots[0]}, nil
}

// Component returns the type of the object: the name of its first component
// that is no VTIMEZONE, or "". Those that are not standard (X-) count only where
// there are no others.
func (c *Calendar) Component() string {
	if comp := c.first(); comp != nil {
		return comp.Name
	}
	return ""
}

// UID returns the UID of the component that Component names, unescaped.
func (c *Calendar) UID() string {
	if comp := c.first(); comp != nil {
		return uid(comp)
	}
	return ""
}

// first is the component by which the object goes, or nil.
func (c *Calendar) first() *ical.Component {
	var first *ical.Component
	for _, comp := range c.Root.Components {
		switch {
		case comp.Name == "VTIMEZONE":
		case !isPrivate(comp.Name):
			return comp
		case first == nil:
			first = comp
		}
	}
	return first
}

// isPrivate reports whether a component is not a standard one (RFC 4791, 5.3.3).
func isPrivate(name string) bool { return strings.HasPrefix(name, "X-") }

// UID returns the card's UID, unescaped.
func (c *Card) UID() string { return uid(c.Root) }

// uid returns the first UID that is not blank, unescaped.
func uid(c *ical.Component) string {
	for p := range c.Props("UID") {
		if u := strings.TrimSpace(ical.Unescape(p.Value)); u != "" {
			return u
		}
	}
	return ""
}

// Check says whether a client may store c as a calendar object resource (RFC
// 4791, 4.1 and 5.3.2.1). Errors wrap ErrSyntax or ErrObject.
//
// It demands what a server needs to do its work and to keep the collection
// sane, not all that RFC 5545 demands: a missing PRODID, VERSION, DTSTAMP, even
// DTSTART (drafts), a VTIMEZONE left out for a zone of the IANA, control
// characters and unknown properties harm nobody, and refusing them keeps
// people's appointments out.
func (c *Calendar) Check() error {
	if err := checkEncoding(c.badUTF8, c.mark); err != nil {
		return err
	}
	if err := checkLines(c.Root); err != nil {
		return err
	}
	if p := c.Root.Prop("VERSION"); p != nil && strings.TrimSpace(p.Value) != "2.0" {
		return fmt.Errorf("%w: line %d: iCalendar version %q", ErrSyntax, p.Line, clip(p.Value))
	}
	if p := c.Root.Prop("METHOD"); p != nil {
		return fmt.Errorf("%w: line %d: METHOD", ErrObject, p.Line)
	}
	if err := checkNames(c.Root, "VCALENDAR", 0); err != nil {
		return err
	}
	first := c.first()
	if first == nil {
		return fmt.Errorf("%w: no component besides time zones", ErrObject)
	}
	id := uid(first)
	for _, comp := range c.Root.Components {
		if comp.Name == "VTIMEZONE" {
			if strings.TrimSpace(comp.Value("TZID")) == "" {
				return fmt.Errorf("%w: VTIMEZONE without TZID", ErrSyntax)
			}
			continue
		}
		u := uid(comp)
		switch comp.Name {
		case "VEVENT", "VTODO", "VJOURNAL", "VAVAILABILITY":
			if u == "" {
				return fmt.Errorf("%w: %s without UID", ErrObject, comp.Name)
			}
		}
		if len(u) > MaxUID {
			return fmt.Errorf("%w: UID too long", ErrObject)
		}
		if isPrivate(comp.Name) && !isPrivate(first.Name) {
			continue // RFC 4791, 5.3.3: it may be beside anything
		}
		if comp.Name != first.Name {
			return fmt.Errorf("%w: %s beside %s", ErrObject, clip(comp.Name), clip(first.Name))
		}
		if u != id {
			return fmt.Errorf("%w: components with different UIDs, %q and %q", ErrObject, clip(id), clip(u))
		}
	}
	return c.checkTimes()
}

// checkLines refuses lines which are no content lines.
func checkLines(c *ical.Component) error {
	for i := range c.Properties {
		if p := &c.Properties[i]; p.Name == "" {
			return fmt.Errorf("%w: line %d: no content line: %q", ErrSyntax, p.Line, clip(p.Value))
		}
	}
	for _, sub := range c.Components {
		if err := checkLines(sub); err != nil {
			return err
		}
	}
	return nil
}

// checkNames refuses components where RFC 5545, 3.6, has no place for them:
// a VEVENT within a VEVENT would be out of reach of any filter. Unknown ones
// may be anywhere.
func checkNames(c *ical.Component, parent string, depth int) error {
	for _, sub := range c.Components {
		place := ""
		switch sub.Name {
		case "VCALENDAR", "VCARD":
			return fmt.Errorf("%w: %s within %s", ErrSyntax, sub.Name, clip(parent))
		case "VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VTIMEZONE", "VAVAILABILITY":
			place = "VCALENDAR"
		case "AVAILABLE":
			place = "VAVAILABILITY"
		case "STANDARD", "DAYLIGHT":
			place = "VTIMEZONE"
		}
		if place != "" && parent != place {
			return fmt.Errorf("%w: %s within %s", ErrSyntax, sub.Name, clip(parent))
		}
		if err := checkNames(sub, sub.Name, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// Check says whether a client may store c as an address object resource (RFC
// 6352, 5.1 and 6.3.2.1). Errors wrap ErrSyntax or ErrObject. A missing FN, N
// or VERSION is not held against a card.
func (c *Card) Check() error {
	if err := checkEncoding(c.badUTF8, c.mark); err != nil {
		return err
	}
	if err := checkLines(c.Root); err != nil {
		return err
	}
	if p := c.Root.Prop("VERSION"); p != nil && c.Root.Name == "VCARD" {
		switch strings.TrimSpace(p.Value) {
		case "2.1", "3.0", "4.0":
		default:
			return fmt.Errorf("%w: line %d: vCard version %q", ErrSyntax, p.Line, clip(p.Value))
		}
	}
	if c.Root.Prop("FN") == nil && c.Root.Name == "VCARD" && c.Root.Value("VERSION") != "2.1" { // RFC 6350, 6.2.1; RFC 2426, 3.1.1
		return fmt.Errorf("%w: VCARD without FN", ErrSyntax)
	}
	u := c.UID()
	if u == "" && c.Root.Name == "VCARD" {
		return fmt.Errorf("%w: VCARD without UID", ErrObject)
	}
	if len(u) > MaxUID {
		return fmt.Errorf("%w: UID too long", ErrObject)
	}
	return nil
}

// clip keeps error messages short.
func clip(s string) string {
	if len(s) > 60 {
		return strings.ToValidUTF8(s[:60], "") + "..."
	}
	return s
}
