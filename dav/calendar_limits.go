package dav

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"inetdav/dav/davxml"
	"inetdav/store"
	"inetdav/store/object"
	"inetdav/store/object/caltime"
)

// The limits of RFC 4791, 5.2, as a calendar tells them and as PUT, COPY and MOVE
// keep them (5.3.2.1).
//
//   - max-resource-size is [server] max_resource_size.
//   - min-date-time and max-date-time are what the format can say, but for the year
//     0. Who lists birthdays of 1604 or plans a thousand years ahead harms nobody.
//   - max-instances is [server] max_vevent_rrule_occurrence, and as with Radicale
//     it is for series that have an end: one that has none is kept, and expanded as
//     far as [reporting] max_expand_occurrence goes.
//   - max-attendees-per-instance is object.MaxAttendees.

// propCalendarLimits are RFC 4791, 5.2.6 to 5.2.9.
func propCalendarLimits() []property {
	number := func(n func(*handler) int) func(*request, *target, *propOut) error {
		return func(q *request, _ *target, o *propOut) error {
			if n := n(q.h); n > 0 {
				o.text(strconv.Itoa(n))
			}
			return nil
		}
	}
	text := func(s string) func(*request, *target, *propOut) error {
		return func(_ *request, _ *target, o *propOut) error {
			o.text(s)
			return nil
		}
	}
	return []property{
		{name: nMinDateTime, on: kCalendar, get: text(object.MinDateTime)},
		{name: nMaxDateTime, on: kCalendar, get: text(object.MaxDateTime)},
		{name: nMaxInstances, on: kCalendar, get: number(func(h *handler) int { return h.maxInstances })},
		{name: nMaxAttendees, on: kCalendar, get: number(func(*handler) int { return object.MaxAttendees })},
	}
}

// calendarCondition is the precondition that an object fails (RFC 4791, 5.3.2.1).
func calendarCondition(err error) *Error {
	for _, c := range []struct {
		err  error
		cond davxml.Name
	}{
		{caltime.ErrScale, nSupportedRscale},
		{object.ErrMinDate, nMinDateTime},
		{caltime.ErrYear, nMinDateTime},
		{object.ErrMaxDate, nMaxDateTime},
		{object.ErrAttendees, nMaxAttendees},
		{object.ErrInstances, nMaxInstances},
		{object.ErrComponent, nSupportedCalComponent},
		{object.ErrObject, nValidCalObject},
	} {
		if errors.Is(err, c.err) {
			return violates(c.cond, err)
		}
	}
	return violates(nValidCalData, err)
}

// components are the types of component that a calendar accepts where it does not
// say otherwise: those of RFC 5545, and that of RFC 7953, which are known here.
const components = "VEVENT,VTODO,VJOURNAL,VFREEBUSY,VAVAILABILITY"

// componentSet is the comma-joined list of a calendar (RFC 4791, 5.2.3).
func componentSet(p store.Props) string {
	if set, _ := p.Get("C:supported-calendar-component-set"); set != "" {
		return set
	}
	return components
}

// takes checks that a calendar with these properties takes components of a type.
func takes(p store.Props, component string) error {
	set := componentSet(p)
	if slices.ContainsFunc(strings.Split(set, ","), func(s string) bool { return strings.TrimSpace(s) == component }) {
		return nil
	}
	return violates(nSupportedCalComponent, fmt.Errorf("%s in a calendar of %s", component, set))
}
