package object

import (
	"inetdav/store/object/caltime"
	"inetdav/store/object/ical"
)

// effective says whether a time-range on the property with this name is one on what
// the instances of comp effectively have (RFC 4791, 9.9): DTSTART, DTEND and DUE of
// what recurs, and DTEND and DUE that DURATION makes.
func effective(comp *ical.Component, name string) bool {
	end := "DTEND"
	switch comp.Name {
	case "VTODO":
		end = "DUE"
	case "VEVENT", "VJOURNAL":
	default:
		return false
	}
	switch {
	case sameName(name, "DTSTART"):
		if comp.Prop("DTSTART") == nil {
			return false
		}
	case !sameName(name, end) || comp.Prop("DTSTART") == nil && comp.Prop(end) == nil:
		return false
	}
	id := comp.Prop("RECURRENCE-ID")
	return comp.Prop("RRULE") != nil || comp.Prop("RDATE") != nil ||
		sameName(name, end) && comp.Prop(end) == nil && comp.Prop("DURATION") != nil ||
		id != nil && sameName(id.ParamText("RANGE"), "THISANDFUTURE")
}

// effectiveOverlaps says whether the start, or the end, of an instance that comp
// describes is within r.
func (c *Calendar) effectiveOverlaps(comp *ical.Component, name string, r TimeRange, floating *caltime.Zone) (bool, error) {
	s := c.series(comp, floating)
	if s.err != nil {
		return false, s.err
	}
	within := func(i *instance) bool {
		t := i.end
		switch {
		case !i.timed:
			return false
		case sameName(name, "DTSTART"):
			t = i.start
		case i.part.onlyDue: // DUE, the only time that there is
			t = i.start
		case i.part.endKind == endNone && !i.period:
			return false
		}
		return r.Start <= t && t < r.End
	}
	if p := s.alone(comp); p != nil {
		i := p.at()
		return within(&i), nil
	}
	var b caltime.Budget
	found := false
	err := s.each(r, &b, func(i *instance) bool {
		found = i.part.comp == comp && within(i)
		return !found
	})
	return found, err
}
