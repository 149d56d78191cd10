package object

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strings"

	"inetdav/store/object/caltime"
	"inetdav/store/object/ical"
)

// Kind is what a collection holds.
type Kind uint8

const (
	// KindCalendar objects are iCalendar (RFC 5545).
	KindCalendar Kind = iota + 1
	// KindAddressBook objects are vCard (RFC 6350, RFC 2426).
	KindAddressBook
)

// Flags of a Summary. The values are stored in indexes: they never change.
type Flags uint16

const (
	// Broken: the object could not be read. All that is known is that it is there.
	Broken Flags = 1 << iota
	// Recurring: more than one instance, or possibly so, or an instance of
	// something recurring.
	Recurring
	// Exact: there is one component besides time zones, with one instance,
	// and a time-range overlaps it (RFC 4791, 9.9) if and only if it overlaps
	// [Start, End), whatever the floating zone is.
	Exact
	// HasAlarm: there is a VALARM.
	HasAlarm
	// Single: there is one component besides time zones, a VEVENT with one
	// instance, which lies within [Start, End).
	Single
	// Several: more than one component besides time zones.
	Several
	// HasTimezone: there is a VTIMEZONE.
	HasTimezone
	// HintsWhole: Hints has all properties with the names that it may have,
	// and the component has exactly the UID of the summary, if any.
	HintsWhole
	// Mixed: components of different types, which RFC 4791 forbids.
	Mixed
)

// NoStart and NoEnd are the Start and End of a Summary that is open there, or
// where nothing is known.
const (
	NoStart = math.MinInt64
	NoEnd   = math.MaxInt64
)

// Summary is what an index keeps of an object, so that most questions are
// answered without opening its file.
type Summary struct {
	// Component is the type of the object: VEVENT, VTODO, VJOURNAL,
	// VFREEBUSY, ..., VCARD, VLIST; empty if Broken.
	Component string
	// UID is unescaped; empty if there is none.
	UID string
	// Start and End enclose all instances of a calendar object, alarms not
	// included, in Unix seconds: nothing of it lies before Start or at or
	// after End (an instance without length lies at Start: End is then larger
	// by one). For address objects they are NoStart and NoEnd.
	Start, End int64
	Flags      Flags
	// Hints are a few whole content lines, unfolded, each with a line feed.
	// For address objects: FN N NICKNAME EMAIL TEL ORG KIND UID. For a
	// calendar object that is not Several: STATUS TRANSP COMPLETED of its component.
	// For any calendar object: the CREATED of its components, see Created.
	Hints []byte
}

// MaxHints is the length of Hints in bytes. What does not fit is left out, and
// HintsWhole with it.
const MaxHints = 2048

// MaxHintUID is the length of a UID in bytes up to which filters are decided by
// the UID of a summary (HintsWhole). What an index makes of longer ones is its
// own affair.
const MaxHintUID = 512

// broken is the summary of an object of which nothing is known.
func broken() Summary { return Summary{Start: NoStart, End: NoEnd, Flags: Broken} }

// Summarize reads an object just as far as its summary needs. It never fails
// whole: with an error, which wraps ErrSyntax, ErrObject or ErrInstances and
// says why, comes a Summary which is right though it may say little. A client's
// object is to be refused by [Calendar.Check] or [Card.Check], not by this.
func Summarize(kind Kind, b []byte) (Summary, error) {
	if kind == KindAddressBook {
		return summarizeCard(b)
	}
	return summarizeCalendar(b)
}

// forSummary chooses the properties on which the summary of a calendar
// object depends: those of its time zones, and of its other components those
// that tell when it is.
func forSummary(in *ical.Component, name []byte) bool {
	switch in.Name {
	case "VCALENDAR", "VALARM":
		return false
	case "VTIMEZONE", "STANDARD", "DAYLIGHT":
		// Names and descriptions of zones tell nothing.
		return !ical.Is(name, "TZNAME") && !ical.Is(name, "X-LIC-LOCATION") && !ical.Is(name, "LAST-MODIFIED")
	}
	// iCalendar has no groups, but Parse takes them off all the same.
	name = name[bytes.LastIndexByte(name, '.')+1:]
	switch len(name) {
	case 3:
		return ical.Is(name, "UID") || ical.Is(name, "DUE")
	case 5:
		return ical.Is(name, "DTEND") || ical.Is(name, "RRULE") || ical.Is(name, "RDATE")
	case 6:
		return ical.Is(name, "STATUS") || ical.Is(name, "TRANSP") || ical.Is(name, "EXDATE") || ical.Is(name, "EXRULE")
	case 7:
		return ical.Is(name, "DTSTART") || ical.Is(name, "CREATED")
	case 8:
		return ical.Is(name, "DURATION") || ical.Is(name, "FREEBUSY")
	case 9:
		return ical.Is(name, "COMPLETED")
	case 13:
		return ical.Is(name, "RECURRENCE-ID")
	}
	return false
}

func summarizeCalendar(b []byte) (Summary, error) {
	roots, err := ical.ParseOnly(b, forSummary)
	c, err := calendarOf(roots, err)
	if err != nil {
		return broken(), err
	}
	s := Summary{Start: NoStart, End: NoEnd}
	first := c.first()
	if first != nil {
		// A clone, so that a summary does not keep the whole object in memory.
		s.Component, s.UID = first.Name, strings.Clone(uid(first))
	}
	for _, comp := range c.Root.Components {
		switch {
		case comp.Name == "VTIMEZONE":
			s.Flags |= HasTimezone
		case comp == first:
		default:
			s.Flags |= Several
			if comp.Name != first.Name {
				s.Flags |= Mixed
			}
		}
		if hasAlarm(comp) {
			s.Flags |= HasAlarm
		}
	}
	if first == nil {
		s.Flags |= Broken
		return s, fmt.Errorf("%w: no component besides time zones", ErrObject)
	}
	for _, comp := range c.Root.Components {
		for i := range comp.Properties {
			switch p := &comp.Properties[i]; p.Name {
			case "RRULE", "RDATE", "EXRULE", "EXDATE", "RECURRENCE-ID":
				s.Flags |= Recurring
			}
		}
	}
	if s.Flags&Several == 0 {
		s.hintCalendar(first)
	}
	s.hintCreated(c.Root)
	start, end, exact, err := c.span(nil)
	if errors.Is(err, caltime.ErrScale) {
		// A rule of RFC 7529 is kept, not computed: it is not known when this is.
		return s, nil
	}
	if err != nil {
		return s, err
	}
	s.Start, s.End = start, end
	if s.Flags&(Several|Recurring) == 0 {
		if exact {
			s.Flags |= Exact
		}
		if first.Name == "VEVENT" && first.Prop("DTSTART") != nil && start != NoStart && end != NoEnd {
			s.Flags |= Single
		}
	}
	return s, nil
}

// hasAlarm reports whether there is a VALARM in c, at any depth.
func hasAlarm(c *ical.Component) bool {
	for _, sub := range c.Components {
		if sub.Name == "VALARM" || hasAlarm(sub) {
			return true
		}
	}
	return false
}

// hintCalendar collects the hints of an object with one component.
func (s *Summary) hintCalendar(c *ical.Component) {
	if len(s.UID) <= MaxHintUID {
		s.Flags |= HintsWhole
	}
	uids := 0
	for i := range c.Properties {
		switch p := &c.Properties[i]; p.Name {
		case "UID":
			if uids++; uids > 1 || len(p.Params) > 0 || ical.Unescape(p.Value) != s.UID {
				s.Flags &^= HintsWhole
			}
		case "STATUS", "TRANSP", "COMPLETED":
			s.hint(p)
		}
	}
}

// hintCreated adds the earliest CREATED of the components, where there is room.
func (s *Summary) hintCreated(root *ical.Component) {
	var first *ical.Property
	var at int64
	for _, comp := range root.Components {
		for i := range comp.Properties {
			p := &comp.Properties[i]
			if p.Name != "CREATED" || comp.Name == "VTIMEZONE" {
				continue
			}
			if t, err := caltime.ParseDateTime(p.Value); err == nil && t.Form == caltime.UTC && (first == nil || t.Instant(nil) < at) {
				first, at = p, t.Instant(nil)
			}
		}
	}
	if first != nil {
		flags := s.Flags
		s.hint(first)
		s.Flags = flags // no filter is decided by this hint
	}
}

// Created is when the object was made (RFC 5545, 3.8.7.1), in Unix seconds: the
// earliest CREATED of its components, be they several; false if none is known.
func (s *Summary) Created() (int64, bool) {
	if s.Flags&Broken == 0 {
		for p := range hints(s.Hints, "CREATED") {
			if t, err := caltime.ParseDateTime(p.Value); err == nil {
				return t.Instant(nil), true
			}
		}
	}
	return 0, false
}

// hint adds a line to the hints if it fits.
func (s *Summary) hint(p *ical.Property) {
	n := len(s.Hints)
	if n+len(p.Name)+len(p.Value) <= MaxHints {
		if s.Hints = p.AppendUnfolded(s.Hints); len(s.Hints) < MaxHints {
			s.Hints = append(s.Hints, '\n')
			return
		}
		s.Hints = s.Hints[:n]
	}
	s.Flags &^= HintsWhole
}

func summarizeCard(b []byte) (Summary, error) {
	roots, err := ical.ParseOnly(b, func(_ *ical.Component, name []byte) bool { return isCardHint(name) })
	c, err := cardOf(roots, err)
	if err != nil {
		return broken(), err
	}
	s := Summary{Component: c.Root.Name, UID: strings.Clone(uid(c.Root)), Start: NoStart, End: NoEnd, Flags: HintsWhole}
	n := 0
	for i := range c.Root.Properties {
		n += len(c.Root.Properties[i].Value) + 40
	}
	s.Hints = make([]byte, 0, min(n, MaxHints))
	for i := range c.Root.Properties {
		if p := &c.Root.Properties[i]; p.Name != "" {
			s.hint(p)
		}
	}
	return s, nil
}

// isCardHint reports whether name, in any case and with or without a group,
// is that of a property which the hints of cards have.
func isCardHint[T []byte | string](name T) bool {
	for i := len(name) - 1; i >= 0; i-- {
		if name[i] == '.' {
			name = name[i+1:]
			break
		}
	}
	if len(name) == 0 || len(name) > len("NICKNAME") {
		return false
	}
	var upper [len("NICKNAME")]byte
	for i := range len(name) {
		upper[i] = name[i]
		if 'a' <= upper[i] && upper[i] <= 'z' {
			upper[i] -= 'a' - 'A'
		}
	}
	switch string(upper[:len(name)]) {
	case "FN", "N", "NICKNAME", "EMAIL", "TEL", "ORG", "KIND", "UID":
		return true
	}
	return false
}
