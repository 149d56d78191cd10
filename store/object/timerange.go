package object

import (
	"strings"

	"inetdav/store/object/caltime"
	"inetdav/store/object/ical"
)

// overlaps says whether a component of the object overlaps r, as the tables of
// RFC 4791, 9.9, have it: for VEVENT, VTODO and VJOURNAL one of its instances, which
// for a master are those of its overrides as well, and for an override with
// RANGE=THISANDFUTURE all to which it applies; for VFREEBUSY itself or its periods;
// for VALARM one of its triggers; for VAVAILABILITY (RFC 7953, 7.2.2) itself. For others the RFC defines nothing: they overlap
// all ranges.
//
// A rule for another calendar (RFC 7529) may give instances at any time after the
// first. Errors wrap ErrSyntax or ErrInstances.
func (c *Calendar) overlaps(comp *ical.Component, r TimeRange, floating *caltime.Zone) (bool, error) {
	switch comp.Name {
	case "VEVENT", "VTODO", "VJOURNAL":
		return c.overlapsSeries(comp, r, floating)
	case "VFREEBUSY":
		return c.overlapsFreeBusy(comp, r, floating)
	case "VALARM":
		return c.overlapsAlarm(comp, r, floating)
	case "VAVAILABILITY":
		lo, hi, _, err := c.coverAvailability(comp, floating)
		return err == nil && r.meets(lo, hi), err
	}
	return true, nil
}

// meets is the condition of [Calendar.cover].
func (r TimeRange) meets(lo, hi int64) bool { return r.Start < hi && r.End > lo }

func (c *Calendar) overlapsSeries(comp *ical.Component, r TimeRange, floating *caltime.Zone) (bool, error) {
	s := c.series(comp, floating)
	if s.err != nil {
		return false, s.err
	}
	if p := s.alone(comp); p != nil {
		i := p.at()
		lo, hi, ok := c.cover(&i)
		return ok && r.meets(lo, hi), nil
	}
	isMaster := s.master != nil && s.master.comp == comp
	var b caltime.Budget
	found := false
	err := s.each(r, &b, func(i *instance) bool {
		if isMaster || i.part.comp == comp {
			lo, hi, ok := c.cover(i)
			found = found || ok && r.meets(lo, hi)
		}
		return !found
	})
	if !found && err == nil && s.scale && isMaster {
		first := s.master.at()
		lo, _, _ := c.cover(&first)
		found = r.End > lo
	}
	return found, err
}

// alone returns the part of comp if it is an override of nothing but one instance.
func (s *series) alone(comp *ical.Component) *part {
	if s.master != nil && s.master.comp == comp {
		return nil
	}
	if p := s.override(comp); p != nil && !p.future {
		return p
	}
	return nil
}

// overlapsFreeBusy tests a VFREEBUSY: its whole time if it says which that is,
// else each of its periods.
func (c *Calendar) overlapsFreeBusy(comp *ical.Component, r TimeRange, floating *caltime.Zone) (bool, error) {
	lo, hi, _, ok, err := c.coverFreeBusy(comp, floating)
	if err != nil {
		return false, err
	}
	if ok {
		return r.meets(lo, hi), nil
	}
	for p := range comp.Props("FREEBUSY") {
		for value := range strings.SplitSeq(p.Value, ",") {
			if start, end, _, ok := c.period(p, value, floating); ok && r.meets(start, end) {
				return true, nil
			}
		}
	}
	return false, nil
}

// coverFreeBusy is the cover of a VFREEBUSY that has DTSTART and DTEND.
func (c *Calendar) coverFreeBusy(comp *ical.Component, floating *caltime.Zone) (lo, hi int64, floats, ok bool, err error) {
	start, end := comp.Prop("DTSTART"), comp.Prop("DTEND")
	if start == nil || end == nil {
		return 0, 0, false, false, nil
	}
	s, err := c.moment(start, start.Value, floating)
	if err != nil {
		return 0, 0, false, false, badTime(start, err)
	}
	e, err := c.moment(end, end.Value, floating)
	if err != nil {
		return 0, 0, false, false, badTime(end, err)
	}
	// (start <= DTEND) AND (end > DTSTART)
	return s.instant(), e.instant() + 1, s.floats || e.floats, true, nil
}

// spanFreeBusy adds a VFREEBUSY to an envelope.
func (c *Calendar) spanFreeBusy(e *envelope, comp *ical.Component, floating *caltime.Zone) error {
	lo, hi, floats, ok, err := c.coverFreeBusy(comp, floating)
	if err != nil {
		return err
	}
	if ok {
		if hi <= lo {
			// It overlaps what lies around both its ends.
			lo, hi, e.exact = min(lo, hi-1), max(hi, lo+1), false
		}
		e.add(lo, hi, floats)
		return nil
	}
	for p := range comp.Props("FREEBUSY") {
		for value := range strings.SplitSeq(p.Value, ",") {
			if start, end, floats, ok := c.period(p, value, floating); ok {
				e.add(start, end, floats)
			}
		}
	}
	return nil
}

// period reads a value of FREEBUSY; false if it cannot be read or has no length.
func (c *Calendar) period(p *ical.Property, value string, floating *caltime.Zone) (start, end int64, floats, ok bool) {
	v, err := caltime.ParsePeriod(strings.TrimSpace(value))
	if err != nil {
		return 0, 0, false, false
	}
	s := c.place(v.Start, p, floating)
	start, floats = s.instant(), s.floats
	if v.HasDuration {
		end = v.Duration.After(v.Start.Civil, s.zone)
	} else {
		e := c.place(v.End, p, floating)
		end, floats = e.instant(), floats || e.floats
	}
	return start, end, floats, end > start
}

// overlapsAlarm tests the triggers of a VALARM (RFC 5545, 3.8.6): of one relative
// to its component, those for each instance which that component describes.
func (c *Calendar) overlapsAlarm(alarm *ical.Component, r TimeRange, floating *caltime.Zone) (bool, error) {
	prop := alarm.Prop("TRIGGER")
	if prop == nil {
		return false, nil
	}
	// What repeats: count more triggers, step seconds apart.
	count, step := int64(0), int64(0)
	if d := alarm.Prop("DURATION"); d != nil {
		if v, err := caltime.ParseDuration(strings.TrimSpace(d.Value)); err == nil && v.Positive() {
			count, step = repeats(alarm.Value("REPEAT")), v.Nominal()
		}
	}
	value := strings.TrimSpace(prop.Value)
	offset, err := caltime.ParseDuration(value)
	if err != nil {
		m, err := c.moment(prop, value, floating)
		if err != nil {
			return false, badTime(prop, err)
		}
		return r.meetsRepeated(m.instant(), count, step), nil
	}
	parent := c.parent(alarm)
	if parent == nil {
		return false, nil
	}
	fromEnd := sameName(prop.ParamText("RELATED"), "END")
	s := c.series(parent, floating)
	if s.err != nil {
		return false, s.err
	}
	// The instances that can trigger within r.
	near := TimeRange{
		Start: sub(r.Start, count*step+max(0, offset.Nominal())+slack),
		End:   add(r.End, max(0, -offset.Nominal())+slack),
	}
	var b caltime.Budget
	found := false
	err = s.each(near, &b, func(i *instance) bool {
		if i.part.comp == parent && i.timed {
			zone := i.part.start.zone
			base := i.local
			if fromEnd && !i.part.onlyDue {
				base = zone.Civil(i.end)
			}
			found = r.meetsRepeated(offset.After(base, zone), count, step)
		}
		return !found
	})
	return found, err
}

// maxRepeats is how often an alarm repeats at most.
const maxRepeats = 1_000_000

// repeats reads REPEAT. What is more than maxRepeats is taken as that.
func repeats(s string) int64 {
	n := int64(0)
	for _, d := range []byte(strings.TrimSpace(s)) {
		if d < '0' || d > '9' {
			return 0
		}
		n = min(n*10+int64(d-'0'), maxRepeats)
	}
	return n
}

// meetsRepeated says whether (start <= t) AND (end > t) for one of the times
// first, first+step, ... first+count*step.
func (r TimeRange) meetsRepeated(first, count, step int64) bool {
	t := first
	if t < r.Start && step > 0 {
		// The first time that is not before the range.
		t += min(count, (r.Start-t+step-1)/step) * step
	}
	return r.Start <= t && t < r.End
}

// parent returns the component within VCALENDAR in which sub is.
func (c *Calendar) parent(sub *ical.Component) *ical.Component {
	if c.times.parents == nil {
		c.times.parents = make(map[*ical.Component]*ical.Component)
		for _, comp := range c.Root.Components {
			if comp.Name == "VEVENT" || comp.Name == "VTODO" {
				for _, s := range comp.Components {
					c.times.parents[s] = comp
				}
			}
		}
	}
	return c.times.parents[sub]
}

// propertyOverlaps says whether a value of p is within r (RFC 4791, 9.9, at the
// end). The RFC defines that for properties with one date or time; others overlap
// if one of the dates and times they list does.
func (c *Calendar) propertyOverlaps(p *ical.Property, r TimeRange, floating *caltime.Zone) (bool, error) {
	for value := range strings.SplitSeq(p.Value, ",") {
		value, _, _ = strings.Cut(value, "/")
		m, err := c.moment(p, value, floating)
		if err != nil {
			// Not a time: in no range.
			continue
		}
		if t := m.instant(); r.Start <= t && t < r.End {
			return true, nil
		}
	}
	return false, nil
}
