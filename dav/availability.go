package dav

import (
	"errors"
	"strings"

	"inetdav/dav/davxml"
	"inetdav/store/object"
)

// Calendar availability (RFC 7953). VAVAILABILITYs are objects of calendars, and
// free-busy-query heeds them. The property stands on the principal, which is its own
// home: there is no inbox without scheduling (RFC 6638). RFC 7953 has it heeded where
// free-busy is asked of a user, not of a calendar; here that is the free-busy-query
// on the home.

// setAvailability takes an iCalendar object with one VAVAILABILITY, and VTIMEZONEs
// (RFC 7953, 7.2.4).
func setAvailability(p *proppatch, e *davxml.Element) error {
	if e != nil {
		if _, err := availabilityOf(e.Text()); err != nil {
			return calendarCondition(err)
		}
	}
	return setText(nCalendarAvailability)(p, e)
}

// availabilityOf is the object in the property.
func availabilityOf(text string) (*object.Calendar, error) {
	c, err := object.ParseCalendar([]byte(strings.TrimSpace(text) + "\r\n"))
	if err == nil {
		err = c.Check()
	}
	if err == nil {
		err = c.CheckLimits(0)
	}
	if err != nil {
		return nil, err
	}
	n := 0
	for _, comp := range c.Root.Components {
		switch comp.Name {
		case "VAVAILABILITY":
			n++
		case "VTIMEZONE":
		default:
			n = 2
		}
	}
	if n != 1 {
		return nil, errors.New("not one VAVAILABILITY, and no more")
	}
	return c, nil
}
