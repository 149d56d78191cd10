package dav

import (
	"fmt"
	"strings"

	"inetdav/dav/davxml"
	"inetdav/store"
	"inetdav/store/object"
	"inetdav/store/object/caltime"
)

// Time zones by reference (RFC 7809). Decisions:
//
//   - The standard zones are those of the IANA database, by their exact names.
//   - What clients send is kept as it is (3.1.4, the first choice): with or without
//     VTIMEZONE, of standard zones or of their own. Without CalDAV-Timezones it also
//     comes back as it is.
//   - An answer that CalDAV-Timezones changes has the entity tag of the object as it
//     is stored: clients compare it with getetag.
//   - calendar-no-timezone is not in the DAV header: 3.1.2 demands a time zone
//     distribution service (RFC 7808) beside the server, and there is none; nor is
//     there a CALDAV:timezone-service-set. All else works for those who try.

// timezones is what CalDAV-Timezones says (RFC 7809, 7.1): 'T', 'F', or 0.
func (q *request) timezones() byte {
	switch strings.TrimSpace(q.r.Header.Get("CalDAV-Timezones")) {
	case "T":
		return 'T'
	case "F":
		return 'F'
	}
	return 0
}

// withTimezones is an object with the VTIMEZONEs that the client wants to have of
// it (RFC 7809, 3.1.3); data itself if that is so already, or if c is nil: what
// cannot be parsed is not touched.
func (q *request) withTimezones(c *object.Calendar, data []byte) []byte {
	if c == nil {
		return data
	}
	switch q.timezones() {
	case 'T':
		return c.WithTimezones(data)
	case 'F':
		return c.WithoutTimezones(data)
	}
	return data
}

// timezoneOf is the zone of a CALDAV:timezone-id (RFC 7809, 6.2).
func (q *request) timezoneOf(id string) (*caltime.Zone, error) {
	id = strings.TrimSpace(id)
	if z := q.zones.Lookup(id); z != nil {
		return z, nil
	}
	return nil, violates(nValidTimezone, fmt.Errorf("time zone %q", id))
}

// getTimezoneID is the TZID in calendar-timezone (RFC 7809, 5.2).
func getTimezoneID(q *request, t *target, o *propOut) error {
	text, ok, err := q.text(t, nCalendarTimezone)
	if err != nil || !ok {
		return err
	}
	c, err := object.ParseCalendar([]byte(strings.TrimSpace(text) + "\r\n"))
	if err == nil {
		if id := c.TimezoneID(); id != "" {
			o.text(id)
		}
	}
	return nil
}

// setTimezoneID sets calendar-timezone: the two cannot disagree.
func setTimezoneID(p *proppatch, e *davxml.Element) error {
	if e == nil {
		p.remove(nCalendarTimezone)
		return nil
	}
	id := strings.TrimSpace(e.Text())
	text, ok := object.TimezoneObject(id)
	if !ok {
		return violates(nValidTimezone, fmt.Errorf("time zone %q", id))
	}
	p.put(nCalendarTimezone, text)
	return nil
}

// floatingOf is the zone of floating times of a calendar: calendar-timezone, else
// UTC (RFC 4791, 7.3).
func (q *request) floatingOf(c *store.Collection) *caltime.Zone {
	text, ok := c.Props().Get("C:calendar-timezone")
	if !ok {
		return nil
	}
	z, err := zoneOf(text)
	if err != nil {
		q.h.logf(levelWarning, "calendar-timezone of /%s: %v", c.Path(), err)
		return nil
	}
	return z
}
