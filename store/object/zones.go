package object

import (
	"slices"
	"strings"

	"inetdav/store/object/caltime"
	"inetdav/store/object/ical"
)

// timeCache is what a Calendar remembers of its times, so that a filter with
// many conditions, or an object with many components, reads each date and each
// zone once. It makes a Calendar serve one goroutine at a time.
type timeCache struct {
	zones map[string]*caltime.Zone
	// definitions are the VTIMEZONEs by TZID, if there is much to look through.
	definitions map[string]*ical.Component
	byName      caltime.Zones
	parents     map[*ical.Component]*ical.Component

	// All that follows holds for this zone of floating times.
	floating *caltime.Zone
	read     bool
	all      []*series
	of       map[*ical.Component]*series
}

// zone returns the zone that a TZID means: the VTIMEZONE of the object, else
// one known by name; nil and false if it means nothing.
func (c *Calendar) zone(tzid string) (*caltime.Zone, bool) {
	z, ok := c.times.zones[tzid]
	if !ok {
		z = c.readZone(tzid)
		if c.times.zones == nil {
			c.times.zones = make(map[string]*caltime.Zone, 2)
		}
		c.times.zones[tzid] = z
	}
	return z, z != nil
}

func (c *Calendar) readZone(tzid string) *caltime.Zone {
	names := &c.times.byName
	if c.Zones != nil {
		names = c.Zones
	}
	id := strings.TrimSpace(tzid)
	if comp := c.definition(id); comp != nil {
		if z, err := caltime.NewZone(id, observances(comp), names); err == nil {
			return z
		}
	}
	return names.Lookup(id)
}

// definition returns the first VTIMEZONE with this TZID, or nil.
func (c *Calendar) definition(id string) *ical.Component {
	const few = 16
	if t := &c.times; len(c.Root.Components) > few && t.definitions == nil {
		t.definitions = make(map[string]*ical.Component)
		for _, comp := range slices.Backward(c.Root.Components) {
			if comp.Name == "VTIMEZONE" {
				v := strings.TrimSpace(comp.Value("TZID"))
				t.definitions[ical.Unescape(v)] = comp
				t.definitions[v] = comp
			}
		}
	}
	if c.times.definitions != nil {
		return c.times.definitions[id]
	}
	for _, comp := range c.Root.Components {
		if comp.Name != "VTIMEZONE" {
			continue
		}
		if v := strings.TrimSpace(comp.Value("TZID")); v == id || ical.Unescape(v) == id {
			return comp
		}
	}
	return nil
}

// observances reads the parts of a VTIMEZONE; those which cannot be read are
// left out.
func observances(comp *ical.Component) []caltime.Observance {
	all := make([]caltime.Observance, 0, len(comp.Components))
	for _, sub := range comp.Components {
		if sub.Name != "STANDARD" && sub.Name != "DAYLIGHT" {
			continue
		}
		start, err := caltime.ParseDateTime(strings.TrimSpace(sub.Value("DTSTART")))
		if err != nil {
			continue
		}
		var o caltime.Observance
		if o.To, err = caltime.ParseOffset(strings.TrimSpace(sub.Value("TZOFFSETTO"))); err != nil {
			continue
		}
		if o.From, err = caltime.ParseOffset(strings.TrimSpace(sub.Value("TZOFFSETFROM"))); err != nil {
			// Without a change there is no offset from which to change.
			o.From = o.To
		}
		local := func(t caltime.DateTime) caltime.Civil {
			if t.Form == caltime.UTC {
				return t.Civil + caltime.Civil(o.From)
			}
			return t.Civil
		}
		o.Start = local(start)
		for i := range sub.Properties {
			switch p := &sub.Properties[i]; p.Name {
			case "RRULE":
				if r, err := caltime.ParseRule(strings.TrimSpace(p.Value)); err == nil {
					o.Rules = append(o.Rules, r)
				}
			case "RDATE":
				for part := range strings.SplitSeq(p.Value, ",") {
					if t, err := caltime.ParseDateTime(strings.TrimSpace(part)); err == nil {
						o.Dates = append(o.Dates, local(t))
					}
				}
			}
		}
		all = append(all, o)
	}
	return all
}

// moment is a date or time with the zone in which it is local.
type moment struct {
	caltime.DateTime
	zone *caltime.Zone
	// floats says that zone is that of floating times: for dates, for times
	// without a zone, and for those in a zone nobody knows.
	floats bool
}

// instant is m in Unix seconds; of a date, its midnight.
func (m moment) instant() int64 { return m.Instant(m.zone) }

// local is an instant as the clock of m shows it.
func (m moment) local(instant int64) caltime.Civil { return m.zone.Civil(instant) }

// instantOf is the instant at which the clock of m shows local.
func (m moment) instantOf(local caltime.Civil) int64 {
	return caltime.DateTime{Civil: local, Form: m.Form}.Instant(m.zone)
}

// moment reads one value of a property, with its TZID.
func (c *Calendar) moment(p *ical.Property, value string, floating *caltime.Zone) (moment, error) {
	t, err := caltime.ParseDateTime(strings.TrimSpace(value))
	if err != nil {
		return moment{}, err
	}
	return c.place(t, p, floating), nil
}

// place says in which zone a value of p is local.
func (c *Calendar) place(t caltime.DateTime, p *ical.Property, floating *caltime.Zone) moment {
	switch t.Form {
	case caltime.UTC:
		return moment{DateTime: t}
	case caltime.Local:
		if tzid := p.ParamText("TZID"); tzid != "" {
			if z, ok := c.zone(tzid); ok {
				return moment{DateTime: t, zone: z}
			}
		}
	}
	return moment{DateTime: t, zone: floating, floats: true}
}
