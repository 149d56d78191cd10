package object

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"inetdav/store/object/caltime"
)

// A second implementation of recurrence sets and of the tables of RFC 4791, 9.9, which
// knows nothing of the first: it lists all instances, with package time, from what the
// object was made of instead of its text, and has the conditions as the tables have
// them.

// modelTime is a wall clock time; form as in caltime, zone empty for what floats.
type modelTime struct {
	clock time.Time // as if in UTC
	form  caltime.Form
	zone  string
}

func (m modelTime) text(name, params string) string {
	switch {
	case m.form == caltime.DateOnly:
		return name + ";VALUE=DATE" + params + ":" + m.clock.Format("20060102")
	case m.form == caltime.UTC:
		return name + params + ":" + m.clock.Format("20060102T150405Z")
	case m.zone != "":
		return name + ";TZID=" + m.zone + params + ":" + m.clock.Format("20060102T150405")
	}
	return name + params + ":" + m.clock.Format("20060102T150405")
}

// model is what an object is made of.
type model struct {
	name     string // of the components
	master   *modelPart
	parts    []modelPart
	floating *time.Location
}

type modelPart struct {
	start    modelTime
	hasStart bool
	end      *modelTime
	duration string // DURATION, or ""
	days     int
	seconds  int

	rule     string
	step     int // days between instances of the rule
	weekdays []time.Weekday
	hours    []int // BYHOUR of a daily rule
	count    int
	until    *modelTime
	dates    []modelTime
	periods  []modelPeriod
	except   []modelTime

	id     *modelTime
	future bool

	created, completed *modelTime
	trigger            string // "", START or END
	offset             int    // of the trigger, in minutes
}

type modelPeriod struct {
	start   modelTime
	minutes int
	byEnd   bool
}

// modelInstance is one instance: clock and form of its part, instants.
type modelInstance struct {
	part       *modelPart
	clock      time.Time
	start, end int64
	period     bool
}

// instant finds the instant at which a clock shows t: the first of two, and where there
// is none, that of the offset before (RFC 5545, 3.3.5).
func instant(t time.Time, l *time.Location) int64 {
	_, before := time.Unix(t.Unix()-86400, 0).In(l).Zone()
	_, after := time.Unix(t.Unix()+86400, 0).In(l).Zone()
	for _, offset := range []int{max(before, after), min(before, after)} {
		u := t.Unix() - int64(offset)
		if _, o := time.Unix(u, 0).In(l).Zone(); o == offset {
			return u
		}
	}
	return t.Unix() - int64(before)
}

func (m *model) location(t modelTime) *time.Location {
	switch {
	case t.form == caltime.UTC:
		return time.UTC
	case t.form == caltime.Local && t.zone != "":
		l, err := time.LoadLocation(t.zone)
		if err != nil {
			panic(err)
		}
		return l
	}
	return m.floating
}

func (m *model) instant(t modelTime) int64 { return instant(t.clock, m.location(t)) }

// wall shows an instant on the clock of t.
func (m *model) wall(u int64, t modelTime) time.Time {
	l := time.Unix(u, 0).In(m.location(t))
	return time.Date(l.Year(), l.Month(), l.Day(), l.Hour(), l.Minute(), l.Second(), 0, time.UTC)
}

// endOf is when an instance of p ends that starts at this time.
func (m *model) endOf(p *modelPart, clock time.Time, start int64) int64 {
	l := m.location(p.start)
	switch {
	case p.end != nil && p.start.form == caltime.DateOnly:
		return instant(clock.Add(p.end.clock.Sub(p.start.clock)), l)
	case p.end != nil:
		return start + m.instant(*p.end) - m.instant(p.start)
	case p.duration != "":
		return instant(clock.AddDate(0, 0, p.days), l) + int64(p.seconds)
	}
	return start
}

// instances lists the whole recurrence set.
func (m *model) instances() []modelInstance {
	var all []modelInstance
	taken := map[int64]bool{} // RECURRENCE-IDs
	for i := range m.parts {
		p := &m.parts[i]
		taken[m.instant(*p.id)] = true
		x := modelInstance{part: p, clock: p.start.clock, start: m.instant(p.start)}
		x.end = m.endOf(p, x.clock, x.start)
		all = append(all, x)
	}
	p := m.master
	if p == nil {
		return all
	}
	if !p.hasStart {
		return append(all, modelInstance{part: p})
	}
	set := map[int64]modelInstance{}
	add := func(clock time.Time) {
		u := instant(clock, m.location(p.start))
		if _, ok := set[u]; !ok {
			set[u] = modelInstance{part: p, clock: clock, start: u, end: m.endOf(p, clock, u)}
		}
	}
	add(p.start.clock)
	n := 1
	for d := p.start.clock; p.rule != "" && n < 400; d = d.AddDate(0, 0, 1) {
		off := int(d.Sub(p.start.clock).Hours()+.5) / 24
		if len(p.weekdays) > 0 {
			// weeks begin on Monday
			monday := p.start.clock.AddDate(0, 0, -(int(p.start.clock.Weekday())+6)%7)
			if int(d.Sub(monday).Hours()+.5)/24/7%p.step != 0 || !slices.Contains(p.weekdays, d.Weekday()) {
				continue
			}
		} else if off%p.step != 0 {
			continue
		}
		times := []time.Time{d}
		if len(p.hours) > 0 {
			times = times[:0]
			for _, h := range p.hours {
				times = append(times, time.Date(d.Year(), d.Month(), d.Day(), h, d.Minute(), d.Second(), 0, time.UTC))
			}
		}
		for _, t := range times {
			if !t.After(p.start.clock) || p.count > 0 && n >= p.count {
				continue
			}
			n++
			if p.until != nil {
				over := t.After(p.until.clock)
				if p.until.form == caltime.UTC && p.start.form == caltime.Local {
					over = instant(t, m.location(p.start)) > p.until.clock.Unix()
				} else if p.until.form == caltime.DateOnly {
					over = !t.Before(p.until.clock.AddDate(0, 0, 1))
				}
				if over {
					continue
				}
			}
			add(t)
		}
		if p.until == nil && p.count == 0 || p.count > 0 && n >= p.count {
			if p.count == 0 && d.Sub(p.start.clock) < 120*24*time.Hour {
				continue
			}
			break
		}
	}
	for _, d := range p.dates {
		clock := m.wall(m.instant(d), p.start)
		if d.form == caltime.DateOnly {
			clock = d.clock
		}
		add(clock)
	}
	for _, d := range p.periods {
		u := m.instant(d.start)
		set[u] = modelInstance{part: p, clock: m.wall(u, p.start), start: u, end: u + int64(d.minutes)*60, period: true}
	}
	for _, d := range p.except {
		delete(set, m.instant(d))
	}
	for id, x := range set {
		if taken[id] {
			continue
		}
		// the latest change that is not later than the instance
		var by *modelPart
		for i := range m.parts {
			f := &m.parts[i]
			if f.future && m.instant(*f.id) <= id && (by == nil || m.instant(*f.id) > m.instant(*by.id)) {
				by = f
			}
		}
		if by != nil {
			x.part, x.period = by, false
			if by.start.form == p.start.form && by.start.zone == p.start.zone {
				from := by.id.clock
				if by.id.form != p.start.form {
					from = m.wall(m.instant(*by.id), p.start)
				}
				x.clock = x.clock.Add(by.start.clock.Sub(from))
				x.start = instant(x.clock, m.location(by.start))
			} else {
				// by how much the clock of the series is later
				from := by.id.clock
				if by.id.form != p.start.form || by.id.zone != p.start.zone {
					from = m.wall(m.instant(*by.id), p.start)
				}
				moved := m.wall(m.instant(by.start), p.start).Sub(from)
				x.start = instant(x.clock.Add(moved), m.location(p.start))
				x.clock = m.wall(x.start, by.start)
			}
			x.end = m.endOf(by, x.clock, x.start)
		}
		all = append(all, x)
	}
	return all
}

// overlaps is the tables of RFC 4791, 9.9.
func (m *model) overlaps(x modelInstance, start, end int64) bool {
	p := x.part
	isDate := p.start.form == caltime.DateOnly
	switch m.name {
	case "VEVENT":
		switch {
		case p.end != nil, x.period:
			if x.end > x.start {
				return start < x.end && end > x.start
			}
		case p.duration != "":
			if p.days > 0 || p.seconds > 0 {
				return start < x.end && end > x.start
			}
		}
		if isDate {
			return start < instant(x.clock.AddDate(0, 0, 1), m.location(p.start)) && end > x.start
		}
		return start <= x.start && end > x.start
	case "VJOURNAL":
		switch {
		case !p.hasStart:
			return false
		case isDate:
			return start < instant(x.clock.AddDate(0, 0, 1), m.location(p.start)) && end > x.start
		}
		return start <= x.start && end > x.start
	}
	var created, completed int64
	if p.created != nil {
		created = m.instant(*p.created)
	}
	if p.completed != nil {
		completed = m.instant(*p.completed)
	}
	switch {
	case p.hasStart && (p.end != nil || x.period):
		return (start < x.end || start <= x.start) && (end > x.start || end >= x.end)
	case p.hasStart && p.duration != "":
		return start <= x.end && (end > x.start || end >= x.end)
	case p.hasStart:
		return start <= x.start && end > x.start
	case p.end != nil:
		due := m.instant(*p.end)
		return start < due && end >= due
	case p.completed != nil && p.created != nil:
		return (start <= created || start <= completed) && (end >= created || end >= completed)
	case p.completed != nil:
		return start <= completed && end >= completed
	case p.created != nil:
		return end > created
	}
	return true
}

// triggers says whether the alarm of the part of x goes off within the range.
func (m *model) triggers(x modelInstance, start, end int64) bool {
	p := x.part
	if p.trigger == "" || !p.hasStart && p.end == nil {
		return false
	}
	t := x.start
	if !p.hasStart { // DUE is the only time there is
		t = m.instant(*p.end) + int64(p.offset)*60
		return start <= t && end > t
	}
	if p.trigger == "END" {
		t = x.end
		if m.name == "VEVENT" && p.start.form == caltime.DateOnly && t <= x.start {
			t = instant(x.clock.AddDate(0, 0, 1), m.location(p.start))
		}
	}
	t += int64(p.offset) * 60
	return start <= t && end > t
}

func (p *modelPart) lines(name string) []string {
	l := []string{"BEGIN:" + name, "UID:1"}
	add := func(s string) { l = append(l, s) }
	if p.id != nil {
		params := ""
		if p.future {
			params = ";RANGE=THISANDFUTURE"
		}
		add(p.id.text("RECURRENCE-ID", params))
	}
	if p.hasStart {
		add(p.start.text("DTSTART", ""))
	}
	if p.end != nil {
		end := "DTEND"
		if name == "VTODO" {
			end = "DUE"
		}
		add(p.end.text(end, ""))
	}
	if p.duration != "" {
		add("DURATION:" + p.duration)
	}
	if p.rule != "" {
		add("RRULE:" + p.rule)
	}
	for _, d := range p.dates {
		add(d.text("RDATE", ""))
	}
	for _, d := range p.periods {
		value := d.start.text("RDATE", ";VALUE=PERIOD")
		if d.byEnd && d.start.form == caltime.UTC {
			value += "/" + d.start.clock.Add(time.Duration(d.minutes)*time.Minute).Format("20060102T150405Z")
		} else {
			value += fmt.Sprintf("/PT%dM", d.minutes)
		}
		add(value)
	}
	for _, d := range p.except {
		add(d.text("EXDATE", ""))
	}
	if p.created != nil {
		add(p.created.text("CREATED", ""))
	}
	if p.completed != nil {
		add(p.completed.text("COMPLETED", ""))
	}
	if p.trigger != "" {
		l = append(l, "BEGIN:VALARM", fmt.Sprintf("TRIGGER;RELATED=%s:%s", p.trigger, minutes(p.offset)), "END:VALARM")
	}
	return append(l, "END:"+name)
}

func minutes(n int) string {
	if n < 0 {
		return fmt.Sprintf("-PT%dM", -n)
	}
	return fmt.Sprintf("PT%dM", n)
}

// randomModel makes an object about 29 March 2020, when Paris leaves out 2 to 3
// o'clock.
func randomModel(r maker) *model {
	m := &model{name: r.one("VEVENT", "VEVENT", "VTODO", "VJOURNAL")}
	m.floating = time.UTC
	if z := r.one("", "Asia/Tokyo", "America/New_York", "Europe/Paris"); z != "" {
		m.floating, _ = time.LoadLocation(z)
	}
	day := func() time.Time { return time.Date(2020, 3, 24+r.IntN(9), 0, 0, 0, 0, time.UTC) }
	clock := func() time.Time { return day().Add(time.Duration(r.IntN(48)) * 30 * time.Minute) }
	form := caltime.Form(r.IntN(3))
	zone := ""
	if form == caltime.Local {
		zone = r.one("", "Europe/Paris", "Europe/Paris", "America/New_York")
	}
	like := func() modelTime {
		t := modelTime{clock(), form, zone}
		if form == caltime.DateOnly {
			t.clock = t.clock.Truncate(24 * time.Hour)
		}
		return t
	}
	length := func(p *modelPart) {
		if m.name == "VJOURNAL" {
			return
		}
		switch r.IntN(4) {
		case 0:
			e := p.start
			n := r.IntN(4 * 24)
			if form == caltime.DateOnly {
				n = n / 24 * 24
			}
			e.clock = e.clock.Add(time.Duration(n) * time.Hour)
			if m.instant(e) >= m.instant(p.start) {
				p.end = &e
			}
		case 1, 2:
			p.days = r.IntN(3)
			p.duration = fmt.Sprintf("P%dD", p.days)
			if form != caltime.DateOnly && r.some(.7) {
				p.seconds = r.IntN(30) * 1800
				p.duration += fmt.Sprintf("T%dS", p.seconds)
			}
		}
	}
	alarm := func(p *modelPart) {
		if m.name != "VJOURNAL" && r.some(.3) {
			p.trigger, p.offset = r.one("START", "END"), (r.IntN(80)-40)*30
		}
	}
	stamp := func() *modelTime {
		if r.some(.5) {
			return nil
		}
		return &modelTime{clock(), caltime.UTC, ""}
	}
	if r.some(.9) {
		p := &modelPart{hasStart: true, start: like()}
		if m.name != "VEVENT" && r.some(.15) {
			p.hasStart = false
			if r.some(.4) && m.name == "VTODO" {
				p.end = &p.start
			}
		} else {
			length(p)
		}
		if m.name == "VTODO" {
			p.created, p.completed = stamp(), stamp()
		}
		alarm(p)
		m.master = p
		if p.hasStart && r.some(.6) {
			p.step = 1 + r.IntN(3)
			if r.some(.3) {
				p.weekdays = []time.Weekday{p.start.clock.Weekday(), time.Weekday(r.IntN(7))}
				names := []string{"SU", "MO", "TU", "WE", "TH", "FR", "SA"}
				p.rule = fmt.Sprintf("FREQ=WEEKLY;INTERVAL=%d;BYDAY=%s,%s", p.step, names[p.weekdays[0]], names[p.weekdays[1]])
			} else {
				p.rule = fmt.Sprintf("FREQ=DAILY;INTERVAL=%d", p.step)
				if form != caltime.DateOnly && r.some(.2) {
					p.hours = []int{1 + r.IntN(4), 12 + r.IntN(10)}
					p.rule += fmt.Sprintf(";BYHOUR=%d,%d", p.hours[0], p.hours[1])
				}
			}
			switch r.IntN(3) {
			case 0:
				p.count = 1 + r.IntN(12)
				p.rule += fmt.Sprintf(";COUNT=%d", p.count)
			case 1:
				u := like()
				u.zone = ""
				if form == caltime.Local && r.some(.5) {
					u.form = caltime.UTC
				}
				p.until = &u
				p.rule += ";" + strings.Replace(strings.Replace(u.text("UNTIL", ""), ";VALUE=DATE", "", 1), ":", "=", 1)
			}
		}
		for p.hasStart && r.some(.3) {
			switch {
			case form != caltime.DateOnly && r.some(.5):
				p.periods = append(p.periods, modelPeriod{modelTime{clock(), form, zone}, r.IntN(100) * 30, r.some(.5)})
			case r.some(.3) && form != caltime.DateOnly && (zone != "" || form == caltime.UTC):
				p.dates = append(p.dates, modelTime{clock(), caltime.UTC, ""})
			default:
				p.dates = append(p.dates, like())
			}
		}
		if len(p.periods) > 1 {
			p.periods = p.periods[:1]
		}
	}
	whole := m.instances()
	pick := func() (modelTime, bool) {
		var of []modelInstance
		for _, x := range whole {
			if m.master != nil && x.part == m.master && m.master.hasStart && x.clock.Before(time.Date(2020, 4, 15, 0, 0, 0, 0, time.UTC)) {
				of = append(of, x)
			}
		}
		if len(of) == 0 {
			return modelTime{}, false
		}
		slices.SortFunc(of, func(a, b modelInstance) int { return cmp.Compare(a.start, b.start) })
		t := m.master.start
		t.clock = of[r.IntN(min(len(of), 12))].clock
		return t, true
	}
	for m.master != nil && r.some(.3) {
		if t, ok := pick(); ok {
			m.master.except = append(m.master.except, t)
		}
	}
	if m.master != nil && !m.master.hasStart {
		return m // DUE counts as a start, which an override would replace
	}
	for n := 0; n < 3 && (r.some(.35) || m.master == nil && n == 0); n++ {
		id, ok := pick()
		if !ok || r.some(.1) {
			id = like()
			if m.master != nil && m.master.hasStart {
				id.form, id.zone = m.master.start.form, m.master.start.zone
			}
		}
		if slices.ContainsFunc(m.parts, func(p modelPart) bool { return m.instant(*p.id) == m.instant(id) }) {
			continue
		}
		p := modelPart{hasStart: true, id: &id, start: like(), future: r.some(.4)}
		if (zone != "" || form == caltime.UTC) && r.some(.4) {
			// another clock than that of the series
			p.start.form, p.start.zone = caltime.UTC, ""
			if r.some(.5) {
				p.start.form, p.start.zone = caltime.Local, r.one("Europe/Paris", "Asia/Tokyo")
			}
			if r.some(.5) {
				id = modelTime{m.wall(m.instant(id), modelTime{form: caltime.UTC}), caltime.UTC, ""}
			}
		}
		length(&p)
		alarm(&p)
		m.parts = append(m.parts, p)
	}
	return m
}

func (m *model) text() []byte {
	var lines [][]string
	if m.master != nil {
		lines = append(lines, m.master.lines(m.name))
	}
	for i := range m.parts {
		lines = append(lines, m.parts[i].lines(m.name))
	}
	return calendar(slices.Concat(lines...)...)
}

// compareFreeBusy compares the busy time of RFC 4791, 7.10.
func compareFreeBusy(t *testing.T, m *model, all []modelInstance, c *Calendar, floating *caltime.Zone) {
	t.Helper()
	if m.name != "VEVENT" {
		return
	}
	r := TimeRange{at("20200322T000000Z"), at("20200412T000000Z")}
	minutes := map[int64]bool{}
	for _, x := range all {
		if x.part.start.form == caltime.DateOnly && x.end <= x.start {
			x.end = instant(x.clock.AddDate(0, 0, 1), m.location(x.part.start))
		}
		for u := max(x.start, r.Start); u < min(x.end, r.End); u += 60 {
			minutes[u] = true
		}
	}
	f := NewFreeBusy(r, floating)
	if err := f.Add(c); err != nil {
		t.Fatal(err)
	}
	if err := f.Check(); err != nil {
		t.Fatal(err)
	}
	n, last := 0, int64(0)
	for _, p := range f.times[busy] {
		if p.start <= last || p.end <= p.start {
			t.Fatalf("periods that touch in\n%s", f.Append(nil))
		}
		last = p.end
		for u := p.start; u < p.end; u += 60 {
			if n++; !minutes[u] {
				t.Fatalf("%s is not busy\n%s\n%s", utc(u), f.Append(nil), m.text())
			}
		}
	}
	if n != len(minutes) {
		t.Fatalf("%d minutes, not %d, in %s\n%s\n%s", n, len(minutes), m.floating, f.Append(nil), m.text())
	}
}

// compareExpanded compares when the components of CALDAV:expand begin and end.
func (m *model) compareExpanded(t *testing.T, all []modelInstance, c *Calendar, r TimeRange, floating *caltime.Zone) {
	t.Helper()
	var want, got []string
	for _, x := range all {
		if x.part.start.form == caltime.DateOnly && x.end <= x.start && m.name != "VTODO" && x.part.hasStart {
			x.end = instant(x.clock.AddDate(0, 0, 1), m.location(x.part.start))
		}
		if !m.overlaps(x, r.Start, r.End) {
			continue
		}
		if !x.part.hasStart && x.part.end != nil {
			x.start = m.instant(*x.part.end)
			x.end = x.start
		}
		want = append(want, utc(x.start)+"/"+utc(x.end))
	}
	out, err := (&CalendarData{Expand: &r}).Append(nil, c, m.text(), floating)
	if err != nil {
		t.Fatal(err)
	}
	e, err := ParseCalendar(out)
	if err != nil {
		t.Fatal(err)
	}
	for _, comp := range e.Root.Components {
		p, err := e.part(comp, floating)
		if err != nil {
			t.Fatal(err)
		}
		i := p.at()
		got = append(got, utc(i.start)+"/"+utc(i.end))
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Fatalf("%s/%s in %s:\n got %v\nwant %v\n%s\n%s", utc(r.Start), utc(r.End), m.floating, got, want, m.text(), out)
	}
}

// compareLimited compares which overrides limit-recurrence-set leaves (RFC 4791,
// 9.6.6).
func (m *model) compareLimited(t *testing.T, all, original []modelInstance, c *Calendar, r TimeRange, floating *caltime.Zone) {
	t.Helper()
	if m.master == nil || !m.master.hasStart {
		return
	}
	for n := range m.parts {
		p := &m.parts[n]
		id := m.instant(*p.id)
		want, known := false, false
		for _, x := range all {
			want = want || x.part == p && m.overlaps(x, r.Start, r.End)
		}
		for _, x := range original {
			if x.start == id || p.future && x.start >= id {
				known = known || x.start == id
				want = want || m.overlaps(x, r.Start, r.End)
			}
		}
		if !known {
			continue // it changes what is not there
		}
		comp := c.Root.Components[n+1]
		if got, err := c.inRecurrenceSet(comp, r, floating); err != nil || got != want {
			t.Fatalf("override %d in %s/%s in %s: %v, %v\n%s", n, utc(r.Start), utc(r.End), m.floating, got, err, m.text())
		}
	}
}

// compareProperties compares time-ranges on the starts and ends of instances.
func (m *model) compareProperties(t *testing.T, all []modelInstance, c *Calendar, f CompFilter, r TimeRange, floating *caltime.Zone) {
	t.Helper()
	if p := m.master; p != nil && (!p.hasStart || p.rule == "" && len(p.dates)+len(p.periods) == 0 && len(p.except)+len(m.parts) > 0) {
		return // DTSTART is what it is, though nothing happens then
	}
	names := []string{"DTSTART", "DTEND"}
	if m.name == "VTODO" {
		names[1] = "DUE"
	}
	for n, name := range names[:len(names)-len(m.name)/8] {
		want := false
		for _, x := range all {
			u := x.start
			if n == 1 {
				if u = x.end; x.part.start.form == caltime.DateOnly && u <= x.start {
					return // how many write an event of one day
				}
				if x.part.end == nil && x.part.duration == "" && !x.period {
					continue
				}
			}
			want = want || r.Start <= u && u < r.End
		}
		f.Comps = []CompFilter{{Name: m.name, Props: []PropFilter{{Name: name, TimeRange: &r}}}}
		if got, err := f.Match(c, floating); err != nil || got != want {
			t.Fatalf("%s in %s/%s in %s: %v, %v\n%s", name, utc(r.Start), utc(r.End), m.floating, got, err, m.text())
		}
	}
}

// TestAgainstModel compares what random objects overlap: as a whole, each override by
// itself, and their alarms.
func TestAgainstModel(t *testing.T) {
	r := maker{rand.New(rand.NewPCG(4791, 99))}
	yes, alarms := 0, 0
	var zones caltime.Zones
	n := 2500
	if testing.Short() {
		n = 800
	}
	for range n {
		m := randomModel(r)
		source := m.text()
		c, err := ParseCalendar(source)
		if err != nil {
			t.Fatal(err)
		}
		floating := zones.Lookup(m.floating.String())
		all := m.instances()
		sum, err := Summarize(KindCalendar, source)
		if err != nil {
			t.Fatalf("%v\n%s", err, source)
		}
		compareFreeBusy(t, m, all, c, floating)
		plain := *m
		plain.parts = nil
		original := plain.instances()
		for range 8 {
			start := at("20200320T000000Z") + int64(r.IntN(20*48))*1800
			end := start + 1 + int64(r.IntN(3))*1799
			if r.some(.3) {
				end = start + int64(1+r.IntN(6*24))*3600
			}
			q := TimeRange{start, end}
			f := CompFilter{Name: "VCALENDAR", Comps: []CompFilter{{Name: m.name, TimeRange: &q}}}
			want := slices.ContainsFunc(all, func(x modelInstance) bool { return m.overlaps(x, start, end) })
			got, err := f.Match(c, floating)
			if err != nil || got != want {
				t.Fatalf("%s/%s in %s: %v, %v\n%s", utc(start), utc(end), m.floating, got, err, source)
			}
			if v := f.Decide(&sum, floating); v == Yes && !want || v == No && want {
				t.Fatalf("%s/%s in %s: %v\n%s", utc(start), utc(end), m.floating, v, source)
			}
			if want {
				yes++
			}
			m.compareExpanded(t, all, c, q, floating)
			m.compareLimited(t, all, original, c, q, floating)
			f.Comps[0].TimeRange = nil
			m.compareProperties(t, all, c, f, q, floating)
			f.Comps[0].Comps = []CompFilter{{Name: "VALARM", TimeRange: &q}}
			want = slices.ContainsFunc(all, func(x modelInstance) bool { return m.triggers(x, start, end) })
			if got, err = f.Match(c, floating); err != nil || got != want {
				t.Fatalf("alarm %s/%s in %s: %v, %v\n%s", utc(start), utc(end), m.floating, got, err, source)
			}
			if want {
				alarms++
			}
		}
	}
	t.Logf("%d overlaps, %d alarms", yes, alarms)
	if yes < n || alarms < n/20 {
		t.Errorf("%d overlaps, %d alarms", yes, alarms)
	}
}
