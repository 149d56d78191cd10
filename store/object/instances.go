package object

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"inetdav/store/object/caltime"
	"inetdav/store/object/ical"
)

// Recurrence sets (RFC 5545, 3.8.5): a series is the components with one UID,
// and what happens when is its instances.

// The limits of one series; more is ErrInstances.
const (
	// MaxRules is the number of RRULEs of a component. The RFC wants one.
	MaxRules = 16
	// MaxRanges is the number of overrides with RANGE=THISANDFUTURE.
	MaxRanges = 100
)

// slack is added at both ends of a range where what is looked for depends on more
// than one clock: no offset from UTC is that large, nor any change of one.
const slack = 2 * caltime.Day

// endKind is how a component says when it ends.
type endKind uint8

const (
	endNone     endKind = iota
	endExact            // DTEND or DUE: of all instances the same exact length
	endDuration         // DURATION: the same nominal length
)

// part is one component of a series.
type part struct {
	comp     *ical.Component
	hasStart bool
	start    moment
	// onlyDue says that start is that of DUE, for a to-do which has no DTSTART.
	onlyDue bool
	// floats says that start or end depend on the zone of floating times.
	floats  bool
	endKind endKind
	length  int64 // endExact: in seconds, if start is a date in days
	dur     caltime.Duration

	// recurrence says that it has RRULE or RDATE.
	recurrence bool

	isOverride bool // it has a RECURRENCE-ID
	future     bool // with RANGE=THISANDFUTURE
	id         moment
	from       int64         // future: the instant of id for the master
	shift      caltime.Civil // future: by how much start is later than id, on the master's clock
}

// date is a single instance from RDATE.
type date struct {
	local   caltime.Civil // on the master's clock
	instant int64
	period  bool // with an end of its own
	end     int64
	floats  bool
}

// series is a master component with its overrides, or overrides alone.
type series struct {
	master *part // nil if there is none
	parts  []*part
	of     map[*ical.Component]*part // the parts by component, see override
	// err is why the series cannot be known; then nothing else holds.
	err error
	// scale says that there is a rule for another calendar (RFC 7529), which is left
	// out: there may be instances at any time after the first.
	scale bool

	rules   []*caltime.Rule
	dates   []date
	except  keys            // EXDATE
	exrules []*caltime.Rule // EXRULE
	// overridden are the RECURRENCE-IDs of parts, futures the parts with RANGE
	// in the order of theirs.
	overridden keys
	futures    []*part
	// most is the greatest length of an instance, in seconds, RDATE aside. Late is how
	// much further its start may lie from its RECURRENCE-ID, as futures move it; early
	// is the same in the other direction, or how much an end may lie before its start.
	most, early, late int64
}

// keys is a set of instances as EXDATE and RECURRENCE-ID name them. A time names
// the instance at that instant, or the one on that date if the series has dates;
// a date, though the RFC forbids it and Evolution writes it, all of that date.
type keys struct {
	instants []int64
	days     []caltime.Civil
}

func (k *keys) add(m moment, master *part) {
	switch {
	case master != nil && master.start.Form == caltime.DateOnly:
		k.instants = append(k.instants, int64(m.Civil.Midnight()))
	case m.Form == caltime.DateOnly:
		k.days = append(k.days, m.Civil)
	default:
		k.instants = append(k.instants, m.instant())
	}
}

func (k *keys) sort() {
	slices.Sort(k.instants)
	slices.Sort(k.days)
}

// has says whether k names the instance of master at this time.
func (k *keys) has(master *part, local caltime.Civil, instant int64) bool {
	if len(k.instants) > 0 {
		key := instant
		if master.start.Form == caltime.DateOnly {
			key = int64(local)
		}
		if _, ok := slices.BinarySearch(k.instants, key); ok {
			return true
		}
	}
	if len(k.days) > 0 {
		_, ok := slices.BinarySearch(k.days, local.Midnight())
		return ok
	}
	return false
}

// instance is one of a series.
type instance struct {
	// part describes it: the master, or an override.
	part *part
	// timed says that it has a start; a to-do may have none.
	timed bool
	// local is its start on the clock of part; start and end are instants.
	local      caltime.Civil
	start, end int64
	// idLocal is its RECURRENCE-ID on the clock of the master, or of the override's
	// own RECURRENCE-ID, and id the instant of that.
	idLocal caltime.Civil
	id      int64
	// period says that end comes from an RDATE.
	period bool
}

// endOf is when an instance of p ends which starts at this time.
func (p *part) endOf(local caltime.Civil, start int64) int64 {
	end := start
	isDate := p.start.Form == caltime.DateOnly
	switch {
	case p.endKind == endExact && isDate:
		end = p.start.zone.Instant(local + caltime.Civil(p.length)*caltime.Day)
	case p.endKind == endExact:
		end = start + p.length
	case p.endKind == endDuration:
		end = p.dur.After(local, p.start.zone)
	}
	if isDate && end <= start && !p.onlyDue && p.comp.Name != "VTODO" {
		// A day is one day long. Many write DTEND as if it were included.
		end = p.start.zone.Instant(local + caltime.Day)
	}
	return end
}

// longest is how long the instances of p are at most, in seconds; negative if they
// end before they start, as those of a VTODO may.
func (p *part) longest() int64 {
	n := int64(0)
	switch {
	case p.start.Form == caltime.DateOnly:
		n = caltime.Day
		if p.endKind == endExact && (p.length > 1 || p.length < 0) {
			n = p.length * caltime.Day
		} else if p.endKind == endDuration {
			n = max(n, p.dur.Nominal())
		}
	case p.endKind == endExact:
		return p.length
	case p.endKind == endDuration:
		n = p.dur.Nominal()
		if p.dur.Days == 0 {
			return n
		}
	}
	if p.start.zone != nil && n > 0 {
		// There are days with more than 24 hours.
		n += caltime.Day
	}
	return n
}

// at is the instance of p itself.
func (p *part) at() instance {
	i := instance{part: p, timed: p.hasStart}
	if p.hasStart {
		i.local, i.start = p.start.Civil, p.start.instant()
		i.end = p.endOf(i.local, i.start)
		i.idLocal, i.id = i.local, i.start
	}
	if p.isOverride {
		i.idLocal, i.id = p.id.Civil, p.id.instant()
	}
	return i
}

// cover is the time that an instance takes for the conditions of RFC 4791, 9.9: it
// overlaps [start, end) if and only if start < hi and end > lo. The rows of the
// tables with <= and >= become so by the second which is the unit of all times.
// False means that no range is overlapped.
func (c *Calendar) cover(i *instance) (lo, hi int64, ok bool) {
	p := i.part
	switch p.comp.Name {
	case "VEVENT":
		return i.start, max(i.end, i.start+1), i.timed
	case "VJOURNAL":
		if i.timed && p.start.Form == caltime.DateOnly {
			return i.start, max(p.start.zone.Instant(i.local+caltime.Day), i.start+1), true
		}
		return i.start, i.start + 1, i.timed
	case "VTODO":
		switch {
		case !i.timed:
			lo, hi, _ = c.coverUntimed(p)
			return lo, hi, true
		case p.onlyDue:
			return i.start - 1, i.start, true
		case p.endKind == endDuration && !i.period:
			return min(i.start, i.end-1), i.end + 1, true
		case p.endKind == endNone && !i.period:
			return i.start, i.start + 1, true
		}
		return min(i.start, i.end-1), max(i.end, i.start+1), true
	}
	return NoStart, NoEnd, true
}

// coverUntimed is the cover of a to-do with neither DTSTART nor DUE, and whether it
// depends on the zone of floating times.
func (c *Calendar) coverUntimed(p *part) (lo, hi int64, floats bool) {
	var times [2]moment
	var has [2]bool
	for i, name := range [...]string{"CREATED", "COMPLETED"} {
		if prop := p.comp.Prop(name); prop != nil {
			m, err := c.moment(prop, prop.Value, c.times.floating)
			times[i], has[i] = m, err == nil
		}
	}
	floats = times[0].floats || times[1].floats
	switch created, completed := times[0].instant(), times[1].instant(); {
	case has[0] && has[1]:
		return min(created, completed) - 1, max(created, completed) + 1, floats
	case has[1]:
		return completed - 1, completed + 1, floats
	case has[0]:
		return created, NoEnd, floats
	}
	return NoStart, NoEnd, false
}

// series returns the series of a VEVENT, VTODO or VJOURNAL.
func (c *Calendar) series(comp *ical.Component, floating *caltime.Zone) *series {
	c.readSeries(floating)
	if s := c.times.of[comp]; s != nil {
		return s
	}
	for _, s := range c.times.all {
		if s.has(comp) {
			return s
		}
	}
	// A component in a place where it does not belong.
	return c.newSeries(comp, nil, floating)
}

func (s *series) has(comp *ical.Component) bool {
	if s.master != nil && s.master.comp == comp {
		return true
	}
	return s.override(comp) != nil
}

// override returns the part that is this component, or nil.
func (s *series) override(comp *ical.Component) *part {
	const few = 16
	if len(s.parts) <= few {
		for _, p := range s.parts {
			if p.comp == comp {
				return p
			}
		}
		return nil
	}
	if s.of == nil {
		s.of = make(map[*ical.Component]*part, len(s.parts))
		for _, p := range s.parts {
			s.of[p.comp] = p
		}
	}
	return s.of[comp]
}

// readSeries sorts the components of the object into series.
func (c *Calendar) readSeries(floating *caltime.Zone) {
	t := &c.times
	if t.read && t.floating == floating {
		return
	}
	t.read, t.floating, t.all, t.of = true, floating, nil, nil
	var comps []*ical.Component
	for _, comp := range c.Root.Components {
		switch comp.Name {
		case "VEVENT", "VTODO", "VJOURNAL":
			comps = append(comps, comp)
		}
	}
	if len(comps) == 1 {
		t.all = []*series{c.newSeries(comps[0], nil, floating)}
		return
	}
	type key struct{ name, uid string }
	groups := make(map[key][]*ical.Component, 1)
	var order []key
	for _, comp := range comps {
		k := key{comp.Name, uid(comp)}
		if _, ok := groups[k]; !ok {
			order = append(order, k)
		}
		groups[k] = append(groups[k], comp)
	}
	t.of = make(map[*ical.Component]*series, len(comps))
	for _, k := range order {
		var masters, overrides []*ical.Component
		for _, comp := range groups[k] {
			if comp.Prop("RECURRENCE-ID") != nil {
				overrides = append(overrides, comp)
			} else {
				masters = append(masters, comp)
			}
		}
		if len(masters) == 0 {
			masters = []*ical.Component{nil}
		}
		for i, m := range masters {
			// There should be but one master; overrides are the first one's.
			var o []*ical.Component
			if i == 0 {
				o = overrides
			}
			s := c.newSeries(m, o, floating)
			t.all = append(t.all, s)
			if m != nil {
				t.of[m] = s
			}
			for _, comp := range o {
				t.of[comp] = s
			}
		}
	}
}

// newSeries reads a series. Master may be nil, or an override itself.
func (c *Calendar) newSeries(master *ical.Component, overrides []*ical.Component, floating *caltime.Zone) *series {
	s := &series{}
	if master != nil {
		p, err := c.part(master, floating)
		if err != nil {
			s.err = err
			return s
		}
		if p.isOverride {
			s.parts = append(s.parts, p)
		} else {
			s.master = p
		}
	}
	for _, comp := range overrides {
		p, err := c.part(comp, floating)
		if err != nil {
			s.err = err
			return s
		}
		s.parts = append(s.parts, p)
	}
	if s.err = c.readRecurrence(s, floating); s.err != nil {
		return s
	}
	for _, p := range s.parts {
		s.most = max(s.most, p.longest())
		s.early = max(s.early, -p.longest())
		s.overridden.add(p.id, s.master)
		if !p.future || !p.hasStart || s.master == nil || !s.master.hasStart {
			continue
		}
		// The difference is one of the clock, so that what is moved by a day stays
		// at its hour when the offset changes.
		id := s.local(p.id)
		p.from = s.master.start.instantOf(id)
		p.shift = p.on(s.master) - id
		s.early = max(s.early, slack-int64(p.shift)-min(0, p.longest()))
		s.late = max(s.late, slack+int64(p.shift))
		s.futures = append(s.futures, p)
	}
	if len(s.futures) > MaxRanges {
		s.err = fmt.Errorf("%w: more than %d overrides with RANGE", ErrInstances, MaxRanges)
	}
	s.overridden.sort()
	slices.SortStableFunc(s.futures, func(a, b *part) int { return cmp.Compare(a.from, b.from) })
	return s
}

// local is a moment on the clock of the master. A date means the master's time of
// day on it; for a master which is a date itself, a time means its day.
func (s *series) local(m moment) caltime.Civil {
	start := s.master.start
	switch {
	case m.Form == start.Form && m.zone == start.zone:
		// As written: a time which the clock leaves out is another as an instant.
		return m.Civil
	case m.Form == caltime.DateOnly:
		return m.Civil + start.Civil - start.Civil.Midnight()
	case start.Form == caltime.DateOnly:
		return start.local(m.instant()).Midnight()
	}
	return start.local(m.instant())
}

// on is the start of p on the clock of the master.
func (p *part) on(master *part) caltime.Civil {
	if p.start.Form == caltime.DateOnly || p.start.Form == master.start.Form && p.start.zone == master.start.zone {
		return p.start.Civil
	}
	return master.start.local(p.start.instant())
}

// part reads the times of one component. What only says how long it is, and
// cannot be read, counts as not there.
func (c *Calendar) part(comp *ical.Component, floating *caltime.Zone) (*part, error) {
	p := &part{comp: comp}
	var start, end, dur, id *ical.Property
	endName := "DTEND"
	if comp.Name == "VTODO" {
		endName = "DUE"
	}
	for i := range comp.Properties {
		switch prop := &comp.Properties[i]; prop.Name {
		case "DTSTART":
			start = cmp.Or(start, prop)
		case endName:
			end = cmp.Or(end, prop)
		case "DURATION":
			dur = cmp.Or(dur, prop)
		case "RECURRENCE-ID":
			id = cmp.Or(id, prop)
		case "RRULE", "RDATE":
			p.recurrence = true
		}
	}
	var err error
	if id != nil {
		if p.id, err = c.moment(id, id.Value, floating); err != nil {
			return nil, badTime(id, err)
		}
		p.isOverride = true
		p.future = sameName(id.ParamText("RANGE"), "THISANDFUTURE")
	}
	if start == nil && end != nil && comp.Name == "VTODO" {
		// RFC 5545 demands DTSTART where there is a rule; programs for tasks which
		// know only DUE count from that.
		start, end, dur, p.onlyDue = end, nil, nil, true
	}
	if start == nil {
		return p, nil
	}
	if p.start, err = c.moment(start, start.Value, floating); err != nil {
		return nil, badTime(start, err)
	}
	p.hasStart, p.floats = true, p.start.floats
	if end != nil {
		if m, err := c.moment(end, end.Value, floating); err == nil {
			p.endKind = endExact
			p.floats = p.floats || m.floats
			switch {
			case p.start.Form != caltime.DateOnly:
				p.length = m.instant() - p.start.instant()
			case m.Form == caltime.DateOnly:
				p.length = int64(m.Civil-p.start.Civil) / caltime.Day
			default:
				p.length = int64(m.Civil-p.start.Civil+caltime.Day-1) / caltime.Day
			}
			if p.length < 0 && comp.Name != "VTODO" {
				p.length = 0
			}
			return p, nil
		}
	}
	if dur != nil {
		if d, err := caltime.ParseDuration(strings.TrimSpace(dur.Value)); err == nil {
			p.endKind, p.dur = endDuration, d
			if d.Nominal() < 0 {
				p.dur = caltime.Duration{}
			}
		}
	}
	return p, nil
}

// readRecurrence reads RRULE, RDATE and EXDATE of the master, and EXRULE, which RFC
// 5545 took out, but RFC 4791 was written for, and calendars of that time have.
func (c *Calendar) readRecurrence(s *series, floating *caltime.Zone) error {
	m := s.master
	if m == nil || !m.hasStart {
		return nil
	}
	s.most, s.early = m.longest(), max(0, -m.longest())
	for i := range m.comp.Properties {
		switch p := &m.comp.Properties[i]; p.Name {
		case "RRULE":
			r, err := caltime.ParseRule(strings.TrimSpace(p.Value))
			if errors.Is(err, caltime.ErrScale) {
				s.scale = true
				continue
			}
			if err != nil {
				return badTime(p, err)
			}
			if len(s.rules) == MaxRules {
				return fmt.Errorf("%w: more than %d RRULEs", ErrInstances, MaxRules)
			}
			s.rules = append(s.rules, r)
		case "EXRULE":
			r, err := caltime.ParseRule(strings.TrimSpace(p.Value))
			if err != nil {
				// It excludes what nobody knows, so nothing.
				continue
			}
			if len(s.exrules) == MaxRules {
				return fmt.Errorf("%w: more than %d EXRULEs", ErrInstances, MaxRules)
			}
			s.exrules = append(s.exrules, r)
		case "RDATE":
			for value := range strings.SplitSeq(p.Value, ",") {
				if d, ok := c.rdate(s, p, strings.TrimSpace(value), floating); ok {
					s.dates = append(s.dates, d)
				}
			}
		case "EXDATE":
			for value := range strings.SplitSeq(p.Value, ",") {
				if t, err := c.moment(p, value, floating); err == nil {
					s.except.add(t, m)
				}
			}
		}
	}
	s.except.sort()
	// Of two at one time the period comes first, and is the one that counts.
	slices.SortFunc(s.dates, func(a, b date) int {
		if a.local != b.local {
			return cmp.Compare(a.local, b.local)
		}
		return cmp.Compare(b.end, a.end)
	})
	return nil
}

// rdate reads one value of an RDATE; one that cannot be read is left out.
func (c *Calendar) rdate(s *series, p *ical.Property, value string, floating *caltime.Zone) (date, bool) {
	var d date
	var start moment
	if strings.IndexByte(value, '/') >= 0 {
		period, err := caltime.ParsePeriod(value)
		if err != nil {
			return d, false
		}
		start = c.place(period.Start, p, floating)
		d.period = true
		if period.HasDuration {
			d.end = period.Duration.After(period.Start.Civil, start.zone)
		} else {
			d.end = c.place(period.End, p, floating).instant()
		}
	} else {
		var err error
		if start, err = c.moment(p, value, floating); err != nil {
			return d, false
		}
	}
	master := s.master.start
	d.local = s.local(start)
	if start.Form != caltime.DateOnly && master.Form != caltime.DateOnly {
		d.instant, d.floats = start.instant(), start.floats
	} else {
		d.instant, d.floats = master.instantOf(d.local), master.floats
	}
	d.end = max(d.end, d.instant)
	return d, true
}

// each calls yield with the instances that may overlap r or touch it, and perhaps
// a few beside it, until yield returns false: first the overrides, then those of
// the master in the order of their RECURRENCE-ID.
func (s *series) each(r TimeRange, b *caltime.Budget, yield func(*instance) bool) error {
	if s.err != nil {
		return s.err
	}
	for _, p := range s.parts {
		if i := p.at(); !yield(&i) {
			return nil
		}
	}
	m := s.master
	if m == nil {
		return nil
	}
	if !m.hasStart {
		i := m.at()
		yield(&i)
		return nil
	}
	if len(s.rules) == 0 && len(s.dates) == 0 && len(s.except.instants)+len(s.except.days)+len(s.exrules)+len(s.parts) == 0 {
		i := m.at()
		yield(&i)
		return nil
	}
	// Covers reach a second beyond the time of their instance.
	from, _ := m.start.clocks(sub(r.Start, max(0, s.most)+max(0, s.late)+2))
	_, until := m.start.clocks(add(r.End, s.early+2))
	its := make([]starts, 0, 1)
	for _, rule := range s.rules {
		its = append(its, starts{it: rule.Instances(m.start.DateTime, m.start.zone, from, b)})
		its[len(its)-1].next()
	}
	if len(s.rules) == 0 && m.start.Civil >= from {
		its = append(its, starts{at: m.start.Civil, ok: true, single: true})
	}
	// RDATEs have lengths of their own, so all that start before the end are looked at.
	dates := s.dates
	excluded := s.excluded(from, b)
	last, any := int64(0), false
	for {
		next := -1
		for k := range its {
			if its[k].ok && (next < 0 || its[k].at < its[next].at) {
				next = k
			}
		}
		i := instance{part: m, timed: true}
		switch {
		case len(dates) > 0 && (next < 0 || dates[0].local <= its[next].at):
			d := dates[0]
			dates = dates[1:]
			if !b.Spend(1) {
				return tooMany(caltime.ErrBudget)
			}
			i.local, i.start = d.local, d.instant
			i.end = m.endOf(d.local, d.instant)
			if d.period {
				i.end, i.period = d.end, true
			}
		case next >= 0:
			i.local = its[next].at
			its[next].next()
			i.start = m.start.instantOf(i.local)
			i.end = m.endOf(i.local, i.start)
		default:
			for k := range its {
				if err := its[k].err(); err != nil {
					return tooMany(err)
				}
			}
			return nil
		}
		if i.local > until {
			return nil
		}
		// What two sources give, or an hour that the clock leaves out makes of two,
		// is one instance.
		if any && i.start == last {
			continue
		}
		last, any = i.start, true
		i.idLocal, i.id = i.local, i.start
		out, err := excluded.has(i.local)
		if err != nil {
			return tooMany(err)
		}
		if out || s.except.has(m, i.local, i.start) || s.overridden.has(m, i.local, i.start) {
			continue
		}
		s.move(&i)
		if !yield(&i) {
			return nil
		}
	}
}

// exclusions are the instances of the EXRULEs of a series.
type exclusions []starts

// excluded returns what the EXRULEs exclude from the instances of each that begin at
// from, or with an RDATE before it.
func (s *series) excluded(from caltime.Civil, b *caltime.Budget) exclusions {
	if len(s.exrules) == 0 {
		return nil
	}
	if len(s.dates) > 0 {
		from = min(from, s.dates[0].local)
	}
	all := make(exclusions, len(s.exrules))
	for k, rule := range s.exrules {
		all[k].it = rule.Exclusions(s.master.start.DateTime, s.master.start.zone, from, b)
		all[k].next()
	}
	return all
}

// has reports whether a local time is excluded, which must not be earlier than that
// of the last call.
func (e exclusions) has(local caltime.Civil) (bool, error) {
	found := false
	for k := range e {
		x := &e[k]
		for x.ok && x.at < local {
			x.next()
		}
		if err := x.err(); err != nil {
			return false, err
		}
		found = found || x.ok && x.at == local
	}
	return found, nil
}

// move applies the override with RANGE=THISANDFUTURE that is in force for i (RFC
// 5545, 3.8.4.4).
func (s *series) move(i *instance) {
	n, _ := slices.BinarySearchFunc(s.futures, i.id, func(p *part, id int64) int {
		if p.from <= id {
			return -1
		}
		return 1
	})
	if n == 0 {
		return
	}
	p := s.futures[n-1]
	local := i.local + p.shift
	i.part, i.period = p, false
	switch {
	case p.start.Form == caltime.DateOnly:
		i.local = local.Midnight()
		i.start = p.start.instantOf(i.local)
	case s.master.start.Form == caltime.DateOnly:
		i.local = local
		i.start = p.start.instantOf(i.local)
	default:
		i.start = s.master.start.instantOf(local)
		i.local = p.start.local(i.start)
	}
	i.end = p.endOf(i.local, i.start)
}

// starts is where instances of a series come from: a rule, or DTSTART alone.
type starts struct {
	it     caltime.Iterator
	at     caltime.Civil
	ok     bool
	single bool
}

func (s *starts) next() {
	if s.single {
		s.ok = false
		return
	}
	s.at, s.ok = s.it.Next()
}

func (s *starts) err() error {
	if s.single {
		return nil
	}
	return s.it.Err()
}

// span returns the envelope of all instances of the object, alarms not included:
// none lies before start, none at or after end, however floating times and dates
// are placed (they are widened by spanSlack). It is exact if there is one instance,
// which overlaps just those ranges that [start, end) overlaps. Without any
// instance, or where nothing is known, it is NoStart and NoEnd.
//
// Errors wrap ErrSyntax, ErrInstances or caltime.ErrScale.
func (c *Calendar) span(floating *caltime.Zone) (start, end int64, exact bool, err error) {
	e := envelope{lo: NoEnd, hi: NoStart, exact: true}
	for _, comp := range c.Root.Components {
		switch comp.Name {
		case "VTIMEZONE", "VEVENT", "VTODO", "VJOURNAL":
		case "VFREEBUSY":
			if err := c.spanFreeBusy(&e, comp, floating); err != nil {
				return NoStart, NoEnd, false, err
			}
		case "VAVAILABILITY":
			lo, hi, floats, err := c.coverAvailability(comp, floating)
			if err != nil {
				return NoStart, NoEnd, false, err
			}
			e.add(lo, hi, floats)
		default:
			// Of others it is not defined when they are.
			e.add(NoStart, NoEnd, false)
		}
	}
	c.readSeries(floating)
	for _, s := range c.times.all {
		if err := c.spanSeries(&e, s); err != nil {
			return NoStart, NoEnd, false, err
		}
	}
	if e.n == 0 {
		return NoStart, NoEnd, false, nil
	}
	return e.lo, e.hi, e.exact && e.n == 1 && e.lo != NoStart && e.hi != NoEnd, nil
}

// spanSlack is by how much spans of dates and floating times are widened: more
// than any zone is away from UTC.
const spanSlack = 26 * 3600

// envelope grows over covers.
type envelope struct {
	lo, hi int64
	n      int
	exact  bool
}

func (e *envelope) add(lo, hi int64, floats bool) {
	if floats {
		lo, hi, e.exact = sub(lo, spanSlack), add(hi, spanSlack), false
	}
	e.lo, e.hi = min(e.lo, lo), max(e.hi, hi)
	e.n++
}

func (c *Calendar) spanSeries(e *envelope, s *series) error {
	if s.err != nil {
		return s.err
	}
	if s.scale {
		return caltime.ErrScale
	}
	cover := func(i instance, floats bool) {
		if lo, hi, ok := c.cover(&i); ok {
			if !i.timed {
				_, _, floats = c.coverUntimed(i.part)
			}
			e.add(lo, hi, floats)
		}
	}
	for _, p := range s.parts {
		cover(p.at(), p.floats)
	}
	m := s.master
	if m == nil {
		return nil
	}
	cover(m.at(), m.floats)
	if !m.hasStart {
		return nil
	}
	m0 := m.start
	for _, d := range s.dates {
		i := instance{part: m, timed: true, local: d.local, start: d.instant, end: d.end, period: d.period}
		if !d.period {
			i.end = m.endOf(i.local, i.start)
		}
		cover(i, d.floats || m.floats)
	}
	var b caltime.Budget
	for _, r := range s.rules {
		last, finite, err := r.Last(m0.DateTime, m0.zone, &b)
		if err != nil || !finite {
			// Too long to follow, or without an end.
			e.add(e.lo, NoEnd, false)
			continue
		}
		if u, ok := r.Until(); ok && m0.floats && u.Form == caltime.UTC {
			// Which instances are before it depends on the zone.
			last = max(last, u.Civil+spanSlack)
		}
		i := instance{part: m, timed: true, local: last, start: m0.instantOf(last)}
		i.end = m.endOf(i.local, i.start)
		cover(i, m.floats)
	}
	if len(s.rules) > 0 {
		e.exact = false
		if m0.zone != nil {
			// The last instance need not end last if an offset changes before it.
			e.hi = add(e.hi, caltime.Day)
		}
	}
	if len(s.futures) > 0 {
		e.exact = false
		e.lo = sub(e.lo, s.early)
		e.hi = add(e.hi, max(0, s.late)+max(0, s.most))
		for _, p := range s.futures {
			if p.floats {
				e.lo, e.hi = sub(e.lo, spanSlack), add(e.hi, spanSlack)
				break
			}
		}
	}
	return nil
}

func badTime(p *ical.Property, err error) error {
	return fmt.Errorf("%w: line %d: %s: %w", ErrSyntax, p.Line, p.Name, err)
}

// tooMany makes the error of a budget that of the object.
func tooMany(err error) error { return fmt.Errorf("%w: %w", ErrInstances, err) }

// clocks returns the first local time that may be at or after an instant, and the last
// that may be at or before it. Around a change of offset they are not the one which
// the clock shows: it repeats, or leaves out, some, and those left out are instants.
func (m moment) clocks(instant int64) (first, last caltime.Civil) {
	t := int64(civil(instant))
	if m.zone == nil || m.Form == caltime.UTC {
		return caltime.Civil(t), caltime.Civil(t)
	}
	now, before, after := m.zone.Offset(t), m.zone.Offset(t-caltime.Day), m.zone.Offset(t+caltime.Day)
	first = caltime.Civil(t + int64(min(now, before, after)))
	last = caltime.Civil(t + int64(max(now, before, after)))
	return first, last
}

// civil is an instant as a time of the wall clock in UTC, within the years that exist.
func civil(instant int64) caltime.Civil {
	return caltime.Civil(min(max(instant, int64(caltime.MinCivil)), int64(caltime.MaxCivil)))
}

// add and sub keep to what int64 can hold. The second number is not negative, and
// what is open stays open.
func add(a, b int64) int64 {
	if a == NoStart {
		return a
	}
	if a > math.MaxInt64-b {
		return NoEnd
	}
	return a + b
}

func sub(a, b int64) int64 {
	if a == NoEnd {
		return a
	}
	if a < math.MinInt64+b {
		return NoStart
	}
	return a - b
}
