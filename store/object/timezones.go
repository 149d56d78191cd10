package object

import (
	"slices"
	"strings"

	"inetdav/store/object/caltime"
	"inetdav/store/object/ical"
)

// Time zones by reference (RFC 7809).

// MaxTimezones is how many VTIMEZONEs WithTimezones puts into an object; what it
// names beyond that it must define itself.
const MaxTimezones = 50

// TimezoneObject returns an iCalendar object with the VTIMEZONE of a zone that is
// known by name, as CALDAV:calendar-timezone holds it; false if none is.
func TimezoneObject(tzid string) (string, bool) {
	b := []byte("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:" + productID + "\r\n")
	b, ok := caltime.AppendTimezone(b, tzid)
	return string(append(b, "END:VCALENDAR\r\n"...)), ok
}

// TimezoneID returns the TZID of the VTIMEZONE in such an object, or "".
func (c *Calendar) TimezoneID() string {
	for _, comp := range c.Root.Components {
		if comp.Name == "VTIMEZONE" {
			return strings.TrimSpace(ical.Unescape(comp.Value("TZID")))
		}
	}
	return ""
}

// WithTimezones returns source, from which c was parsed, with a VTIMEZONE for each
// zone that it names and does not define, as far as they are known by name; source
// itself if nothing is missing (RFC 7809, 3.1.3: CalDAV-Timezones: T).
func (c *Calendar) WithTimezones(source []byte) []byte {
	if len(c.Root.Components) == 0 {
		return source
	}
	var ids []string
	for _, comp := range c.Root.Components {
		ids = appendTZIDs(ids, comp)
	}
	at := c.Root.Components[0].Start
	var out []byte
	for _, id := range ids {
		if c.definition(id) != nil {
			continue
		}
		if out == nil {
			out = append(make([]byte, 0, len(source)+2048), source[:at]...)
		}
		out, _ = caltime.AppendTimezone(out, id)
	}
	if len(out) <= at {
		return source
	}
	return append(out, source[at:]...)
}

// appendTZIDs collects the zones that a component names, each once.
func appendTZIDs(ids []string, comp *ical.Component) []string {
	for i := range comp.Properties {
		id := strings.TrimSpace(comp.Properties[i].ParamText("TZID"))
		if id != "" && len(ids) < MaxTimezones && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	for _, sub := range comp.Components {
		ids = appendTZIDs(ids, sub)
	}
	return ids
}

// WithoutTimezones returns source, from which c was parsed, without the VTIMEZONEs
// of zones of the IANA database; source itself if it has none (RFC 7809, 3.1.3:
// CalDAV-Timezones: F).
func (c *Calendar) WithoutTimezones(source []byte) []byte {
	var out []byte
	done := 0
	for _, comp := range c.Root.Components {
		if comp.Name == "VTIMEZONE" && caltime.IsStandard(strings.TrimSpace(ical.Unescape(comp.Value("TZID")))) {
			if out == nil {
				out = make([]byte, 0, len(source))
			}
			out = append(out, source[done:comp.Start]...)
			done = comp.End
		}
	}
	if done == 0 {
		return source
	}
	return append(out, source[done:]...)
}
