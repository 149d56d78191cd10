package object

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"

	"inetdav/store/object/caltime"
	"inetdav/store/object/ical"
)

// The limits of what one object expands to; more is ErrInstances.
const (
	// MaxExpand is the number of instances, where CalendarData does not say less.
	MaxExpand = 10_000
	// MaxExpandBytes is the length of all instances together, about.
	MaxExpandBytes = 64 << 20
)

// expand yields the components that replace all within VCALENDAR (RFC 4791, 9.6.5):
// of each series the instances which overlap r, in the order of their starts, with
// times in UTC and without recurrence properties; of other components those which
// overlap r; no VTIMEZONE. Dates and floating times stay what they are. Each
// instance of what recurs has a RECURRENCE-ID, the first one too.
//
// There are at most so many of them, most, which must not exceed MaxExpand.
//
// Of the components the unchanged properties are those of the source; changed and
// new ones have Start and End 0. A rule for another calendar (RFC 7529) gives the
// first instance only. An error, which wraps ErrInstances or ErrSyntax, comes alone
// and last.
func (c *Calendar) expand(r TimeRange, most int, floating *caltime.Zone) iter.Seq2[*ical.Component, error] {
	return func(yield func(*ical.Component, error) bool) {
		count, size := 0, 0
		give := func(comp, from *ical.Component) bool {
			count++
			size += from.End - from.Start + 64
			if count > most || size > MaxExpandBytes {
				yield(nil, fmt.Errorf("%w: more than %d, or %d bytes", ErrInstances, most, MaxExpandBytes))
				return false
			}
			return yield(comp, nil)
		}
		done := make(map[*series]bool, 1)
		for _, comp := range c.Root.Components {
			switch comp.Name {
			case "VTIMEZONE":
			case "VEVENT", "VTODO", "VJOURNAL":
				s := c.series(comp, floating)
				if done[s] {
					continue
				}
				done[s] = true
				instances, err := c.instances(s, r, most)
				if err != nil {
					yield(nil, err)
					return
				}
				for i := range instances {
					if !give(c.component(s, &instances[i], floating), instances[i].part.comp) {
						return
					}
				}
			default:
				ok, err := c.overlaps(comp, r, floating)
				if err != nil {
					yield(nil, err)
					return
				}
				if !ok {
					continue
				}
				out := c.inUTC(comp, floating)
				if comp.Name == "VAVAILABILITY" {
					out = &ical.Component{Name: out.Name, Start: out.Start, End: out.End, Properties: out.Properties}
					if out.Components, err = c.expandAvailable(comp, r, most, floating); err != nil {
						yield(nil, err)
						return
					}
					count += len(out.Components)
				}
				if !give(out, comp) {
					return
				}
			}
		}
	}
}

// instances lists those of a series which overlap r, by their start.
func (c *Calendar) instances(s *series, r TimeRange, most int) ([]instance, error) {
	var list []instance
	var b caltime.Budget
	full := false
	err := s.each(r, &b, func(i *instance) bool {
		if lo, hi, ok := c.cover(i); ok && r.meets(lo, hi) {
			if len(list) == most {
				full = true
				return false
			}
			list = append(list, *i)
		}
		return true
	})
	if full {
		err = fmt.Errorf("%w: more than %d", ErrInstances, most)
	}
	slices.SortStableFunc(list, func(a, b instance) int { return cmp.Compare(a.start, b.start) })
	return list, err
}

// component makes the component of one instance.
func (c *Calendar) component(s *series, i *instance, floating *caltime.Zone) *ical.Component {
	p := i.part
	from := p.comp
	comp := &ical.Component{Name: from.Name, Start: from.Start, End: from.End, Components: c.subsInUTC(from.Components, floating)}
	// Most of many properties are exceptions, which no instance has.
	comp.Properties = make([]ical.Property, 0, min(len(from.Properties), 32)+1)
	endName := "DTEND"
	if from.Name == "VTODO" {
		endName = "DUE"
	}
	startName := "DTSTART"
	if p.onlyDue {
		startName = "DUE"
	}
	var id *ical.Property
	if s.master != nil && s.master.recurrence && !p.isOverride || p.future {
		id = &ical.Property{Name: "RECURRENCE-ID"}
		form := p.id
		if s.master != nil {
			form = s.master.start
		}
		setTime(id, form, i.idLocal, i.id, false)
	}
	for k := range from.Properties {
		prop := &from.Properties[k]
		switch prop.Name {
		case "RRULE", "RDATE", "EXDATE", "EXRULE":
			continue
		case "RECURRENCE-ID":
			if id != nil {
				prop, id = id, nil
			} else {
				prop = c.propertyInUTC(prop, floating)
			}
		case startName:
			if i.timed {
				prop = changed(prop, p.start, i.local, i.start)
			}
		case "DTEND", "DUE":
			if i.period {
				continue
			}
			if prop.Name == endName && i.timed && p.endKind == endExact {
				if m, err := c.moment(prop, prop.Value, floating); err == nil {
					prop = changed(prop, m, m.local(i.end), i.end)
				}
			} else {
				prop = c.propertyInUTC(prop, floating)
			}
		case "DURATION":
			if i.period {
				continue
			}
			// In UTC each day has 24 hours, where it began perhaps not.
			if n := i.end - i.start; p.endKind == endDuration && p.start.Form == caltime.Local && n != p.dur.Nominal() {
				d := ical.Property{Name: prop.Name, Params: prop.Params, Value: "PT" + strconv.FormatInt(n, 10) + "S"}
				prop = &d
			}
		default:
			prop = c.propertyInUTC(prop, floating)
		}
		comp.Properties = append(comp.Properties, *prop)
	}
	if i.period {
		end := ical.Property{Name: endName}
		setTime(&end, p.start, p.start.local(i.end), i.end, false)
		comp.Properties = append(comp.Properties, end)
	}
	if id != nil {
		comp.Properties = append(comp.Properties, *id)
	}
	return comp
}

// changed is prop with another time, which is of m's form: in UTC if m is in a zone.
// What does not change comes back as it is.
func changed(prop *ical.Property, m moment, local caltime.Civil, instant int64) *ical.Property {
	known := prop.ParamText("TZID") != ""
	if !known && m.Civil == local {
		return prop
	}
	p := &ical.Property{Group: prop.Group, Name: prop.Name, Params: withoutZone(prop.Params)}
	setTime(p, m, local, instant, known)
	return p
}

// setTime sets the value of p, which has no TZID. Inzone says that a floating time
// only floats for want of a definition of its zone.
func setTime(p *ical.Property, m moment, local caltime.Civil, instant int64, inZone bool) {
	switch {
	case m.Form == caltime.DateOnly:
		if p.Param("VALUE") == nil {
			p.Params = append(p.Params, ical.Param{Name: "VALUE", Values: []string{"DATE"}})
		}
		p.Value = string(local.AppendDate(nil))
	case m.floats && !inZone:
		p.Value = local.String()
	default:
		p.Value = utc(instant)
	}
}

func utc(instant int64) string {
	return caltime.DateTime{Civil: civil(instant), Form: caltime.UTC}.String()
}

// withoutZone copies parameters without those which an instance in UTC cannot have.
func withoutZone(params []ical.Param) []ical.Param {
	out := make([]ical.Param, 0, len(params))
	for _, p := range params {
		if p.Name != "TZID" && p.Name != "RANGE" {
			out = append(out, p)
		}
	}
	return out
}

// propertyInUTC is prop with its values in UTC if it has a TZID, and without RANGE.
// What cannot be read stays as it is.
func (c *Calendar) propertyInUTC(prop *ical.Property, floating *caltime.Zone) *ical.Property {
	inZone := prop.Param("TZID") != nil
	if !inZone && (prop.Name != "RECURRENCE-ID" || prop.Param("RANGE") == nil) {
		return prop
	}
	p := &ical.Property{Group: prop.Group, Name: prop.Name, Params: withoutZone(prop.Params), Value: prop.Value}
	if !inZone {
		return p
	}
	var out []byte
	for value := range strings.SplitSeq(prop.Value, ",") {
		start, end, isPeriod := strings.Cut(value, "/")
		for n, v := range [...]string{start, end} {
			if n == 1 {
				if !isPeriod {
					break
				}
				out = append(out, '/')
				if _, err := caltime.ParseDuration(v); err == nil {
					out = append(out, v...)
					break
				}
			}
			m, err := c.moment(prop, v, floating)
			switch {
			case err != nil:
				return prop
			case m.Form == caltime.DateOnly:
				out = m.Append(out)
			default:
				out = append(out, utc(m.instant())...)
			}
		}
		out = append(out, ',')
	}
	p.Value = string(out[:len(out)-1])
	return p
}

// inUTC is a component with all that has a TZID in UTC.
func (c *Calendar) inUTC(comp *ical.Component, floating *caltime.Zone) *ical.Component {
	if !hasZone(comp) {
		return comp
	}
	out := &ical.Component{Name: comp.Name, Start: comp.Start, End: comp.End, Components: c.subsInUTC(comp.Components, floating)}
	out.Properties = make([]ical.Property, 0, len(comp.Properties))
	for i := range comp.Properties {
		out.Properties = append(out.Properties, *c.propertyInUTC(&comp.Properties[i], floating))
	}
	return out
}

// subsInUTC is inUTC of a list; mostly there is nothing to do.
func (c *Calendar) subsInUTC(subs []*ical.Component, floating *caltime.Zone) []*ical.Component {
	if !slices.ContainsFunc(subs, hasZone) {
		return subs
	}
	out := make([]*ical.Component, len(subs))
	for i, sub := range subs {
		out[i] = c.inUTC(sub, floating)
	}
	return out
}

// hasZone says whether some property has a TZID, at any depth (which Parse limits).
func hasZone(comp *ical.Component) bool {
	for i := range comp.Properties {
		if comp.Properties[i].Param("TZID") != nil {
			return true
		}
	}
	return slices.ContainsFunc(comp.Components, hasZone)
}

// inRecurrenceSet says whether a component within VCALENDAR is kept by
// limit-recurrence-set (RFC 4791, 9.6.6): everything but overrides which overlap r
// neither as they are nor as they would have been.
func (c *Calendar) inRecurrenceSet(comp *ical.Component, r TimeRange, floating *caltime.Zone) (bool, error) {
	switch comp.Name {
	case "VEVENT", "VTODO", "VJOURNAL":
	default:
		return true, nil
	}
	s := c.series(comp, floating)
	if s.err != nil {
		return false, s.err
	}
	if s.master != nil && s.master.comp == comp {
		return true, nil
	}
	if ok, err := c.overlapsSeries(comp, r, floating); ok || err != nil {
		return ok, err
	}
	p := s.override(comp)
	if s.master == nil || !s.master.hasStart {
		// How long it would have been is not known: as long as it is.
		i := instance{part: p, timed: true, local: p.id.Civil, start: p.id.instant()}
		i.end = i.start + max(0, p.longest())
		lo, hi, _ := c.cover(&i)
		return r.meets(lo, hi), nil
	}
	m := s.master
	if !p.future {
		i := instance{part: m, timed: true, local: s.local(p.id)}
		i.start = m.start.instantOf(i.local)
		i.end = m.endOf(i.local, i.start)
		for _, d := range s.dates {
			if d.period && d.instant == i.start {
				i.end, i.period = d.end, true
			}
		}
		lo, hi, ok := c.cover(&i)
		return ok && r.meets(lo, hi), nil
	}
	// The series without any override.
	plain := series{master: m, rules: s.rules, dates: s.dates, except: s.except, exrules: s.exrules, most: m.longest(), early: max(0, -m.longest())}
	var b caltime.Budget
	found := false
	err := plain.each(r, &b, func(i *instance) bool {
		if i.id >= p.from {
			lo, hi, ok := c.cover(i)
			found = ok && r.meets(lo, hi)
		}
		return !found
	})
	return found, err
}

// limitFreeBusy returns comp without the FREEBUSY values beside r (RFC 4791,
// 9.6.7): comp itself if nothing falls away. Values that cannot be read stay.
func (c *Calendar) limitFreeBusy(comp *ical.Component, r TimeRange, floating *caltime.Zone) (*ical.Component, error) {
	if comp.Name != "VFREEBUSY" {
		return comp, nil
	}
	out := &ical.Component{Name: comp.Name, Start: comp.Start, End: comp.End, Components: comp.Components}
	out.Properties = make([]ical.Property, 0, len(comp.Properties))
	same := true
	for i := range comp.Properties {
		p := &comp.Properties[i]
		if p.Name != "FREEBUSY" {
			out.Properties = append(out.Properties, *p)
			continue
		}
		var kept []string
		n := 0
		for value := range strings.SplitSeq(p.Value, ",") {
			n++
			start, end, _, ok := c.period(p, value, floating)
			if !ok || r.meets(start, end) {
				kept = append(kept, value)
			}
		}
		switch {
		case len(kept) == n:
			out.Properties = append(out.Properties, *p)
		case len(kept) > 0:
			out.Properties = append(out.Properties, ical.Property{Group: p.Group, Name: p.Name, Params: p.Params, Value: strings.Join(kept, ",")})
			same = false
		default:
			same = false
		}
	}
	if same {
		return comp, nil
	}
	return out, nil
}
