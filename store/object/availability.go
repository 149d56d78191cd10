package object

import (
	"fmt"
	"slices"
	"strings"

	"inetdav/store/object/caltime"
	"inetdav/store/object/ical"
)

// Calendar availability (RFC 7953): a VAVAILABILITY makes its time busy, but for its
// AVAILABLEs, which recur as events do.

// The limits of availability (RFC 7953, 8); more is ErrInstances.
const (
	// MaxAvailability is the number of VAVAILABILITYs in one free-busy answer.
	MaxAvailability = 1000
	// MaxAvailable is the number of AVAILABLEs in one VAVAILABILITY.
	MaxAvailable = 1000
)

// availability is one VAVAILABILITY within the range of a free-busy answer.
type availability struct {
	// rank orders by priority, 0 the lowest: that of PRIORITY 0 or none, then 9
	// to 1 (RFC 7953, 4).
	rank int
	t    busyType
	time period
	free []period // ordered and apart
}

// coverAvailability is when a VAVAILABILITY holds (RFC 7953, 3.1 and 7.2.2): it
// overlaps [start, end) if and only if start < hi and end > lo. Floats says that
// this depends on the zone of floating times.
func (c *Calendar) coverAvailability(comp *ical.Component, floating *caltime.Zone) (lo, hi int64, floats bool, err error) {
	lo, hi = NoStart, NoEnd
	var start moment
	if p := comp.Prop("DTSTART"); p != nil {
		if start, err = c.moment(p, p.Value, floating); err != nil {
			return NoStart, NoEnd, false, badTime(p, err)
		}
		lo, floats = start.instant(), start.floats
	}
	if p := comp.Prop("DTEND"); p != nil {
		end, err := c.moment(p, p.Value, floating)
		if err != nil {
			return NoStart, NoEnd, false, badTime(p, err)
		}
		return lo, max(end.instant(), lo), floats || end.floats, nil
	}
	if p := comp.Prop("DURATION"); p != nil && lo != NoStart {
		if d, err := caltime.ParseDuration(strings.TrimSpace(p.Value)); err == nil {
			hi = max(d.After(start.Civil, start.zone), lo)
		}
	}
	return lo, hi, floats, nil
}

// availableSeries sorts the AVAILABLEs of a VAVAILABILITY into series.
func (c *Calendar) availableSeries(comp *ical.Component, floating *caltime.Zone) ([]*series, error) {
	type group struct {
		master    *ical.Component
		overrides []*ical.Component
	}
	var groups []group
	of := map[string]int{}
	n := 0
	for _, sub := range comp.Components {
		if sub.Name != "AVAILABLE" {
			continue
		}
		if n++; n > MaxAvailable {
			return nil, fmt.Errorf("%w: more than %d AVAILABLE", ErrInstances, MaxAvailable)
		}
		id := uid(sub)
		i, ok := of[id]
		isOverride := sub.Prop("RECURRENCE-ID") != nil
		if !ok || id == "" || !isOverride && groups[i].master != nil {
			i = len(groups)
			groups = append(groups, group{})
			if !ok {
				of[id] = i
			}
		}
		if isOverride {
			groups[i].overrides = append(groups[i].overrides, sub)
		} else {
			groups[i].master = sub
		}
	}
	all := make([]*series, len(groups))
	for i, g := range groups {
		all[i] = c.newSeries(g.master, g.overrides, floating)
		if all[i].err != nil {
			return nil, all[i].err
		}
	}
	return all, nil
}

// addAvailability takes in one VAVAILABILITY (RFC 7953, 5: steps 2.A, 2.C and 3.A).
func (f *FreeBusy) addAvailability(c *Calendar, comp *ical.Component) error {
	lo, hi, _, err := c.coverAvailability(comp, f.floating)
	if err != nil {
		return err
	}
	a := availability{rank: rank(comp.Value("PRIORITY")), t: busyUnavailable, time: period{max(lo, f.r.Start), min(hi, f.r.End)}}
	if a.time.start >= a.time.end {
		return nil
	}
	if len(f.available) == MaxAvailability {
		return fmt.Errorf("%w: more than %d VAVAILABILITY", ErrInstances, MaxAvailability)
	}
	switch t := strings.TrimSpace(comp.Value("BUSYTYPE")); {
	case t == "", sameName(t, "BUSY-UNAVAILABLE"):
	case sameName(t, "BUSY-TENTATIVE"):
		a.t = busyTentative
	default:
		a.t = busy // RFC 5545, 3.2.9: types that are not known
	}
	all, err := c.availableSeries(comp, f.floating)
	if err != nil {
		return err
	}
	r := TimeRange{a.time.start, a.time.end}
	for _, s := range all {
		var b caltime.Budget
		full := false
		err := s.each(r, &b, func(i *instance) bool {
			if p := (period{max(i.start, r.Start), min(i.end, r.End)}); i.timed && p.start < p.end {
				if full = f.free == f.most(); full {
					return false
				}
				a.free = append(a.free, p)
				f.free++
			}
			return true
		})
		if err != nil {
			return err
		}
		if full {
			return fmt.Errorf("%w: more than %d periods available", ErrInstances, f.most())
		}
	}
	a.free = union(a.free)
	f.available = append(f.available, a)
	return nil
}

// rank is the place of a PRIORITY in the order of RFC 7953, 4.
func rank(priority string) int {
	if p := strings.TrimSpace(priority); len(p) == 1 && p[0] >= '1' && p[0] <= '9' {
		return 10 - int(p[0]-'0')
	}
	return 0
}

// layAvailability turns the availability into busy time (RFC 7953, 4), once. Of
// those with one priority what any says to be available is so, and where several
// make the time busy the type is BUSY before BUSY-UNAVAILABLE before
// BUSY-TENTATIVE; all of them together hide what those with lower priority say.
func (f *FreeBusy) layAvailability() {
	slices.SortStableFunc(f.available, func(a, b availability) int { return a.rank - b.rank })
	var times [busyTypes][]period
	for len(f.available) > 0 {
		n := slices.IndexFunc(f.available, func(a availability) bool { return a.rank != f.available[0].rank })
		if n < 0 {
			n = len(f.available)
		}
		var own [busyTypes][]period
		var free, taken []period
		for _, a := range f.available[:n] {
			own[a.t] = append(own[a.t], a.time)
			free = append(free, a.free...)
		}
		free = union(free)
		for t := range own { // in the order of their force
			own[t] = without(union(own[t]), taken)
			taken = union(append(slices.Clone(taken), own[t]...))
		}
		for t := range times {
			times[t] = union(append(without(times[t], taken), without(own[t], free)...))
		}
		f.available = f.available[n:]
	}
	f.available, f.free = nil, 0
	for t := range times {
		f.times[t] = append(f.times[t], times[t]...)
	}
}

// without returns what of some periods is in none of others. Both are ordered and
// apart.
func without(all, others []period) []period {
	var out []period
	for _, p := range all {
		for len(others) > 0 && others[0].end <= p.start {
			others = others[1:]
		}
		for _, o := range others {
			if o.start >= p.end {
				break
			}
			if p.start < o.start {
				out = append(out, period{p.start, o.start})
			}
			p.start = max(p.start, o.end)
		}
		if p.start < p.end {
			out = append(out, p)
		}
	}
	return out
}

// expandAvailable are the instances of the AVAILABLEs of a VAVAILABILITY that overlap
// r, and what else is in it, as expand has them.
func (c *Calendar) expandAvailable(comp *ical.Component, r TimeRange, most int, floating *caltime.Zone) ([]*ical.Component, error) {
	var out []*ical.Component
	for _, sub := range comp.Components {
		if sub.Name != "AVAILABLE" {
			out = append(out, c.inUTC(sub, floating))
		}
	}
	all, err := c.availableSeries(comp, floating)
	if err != nil {
		return nil, err
	}
	for _, s := range all {
		var b caltime.Budget
		full := false
		err := s.each(r, &b, func(i *instance) bool {
			if i.timed && r.meets(i.start, max(i.end, i.start+1)) {
				if full = len(out) >= most; full {
					return false
				}
				out = append(out, c.component(s, i, floating))
			}
			return true
		})
		if err != nil {
			return nil, err
		}
		if full {
			return nil, fmt.Errorf("%w: more than %d", ErrInstances, most)
		}
	}
	return out, nil
}
