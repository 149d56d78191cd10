package caltime

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// IsStandard reports whether a TZID is the name of a zone of the IANA database,
// exactly: what a client can be expected to know (RFC 7809, 3.1.3).
func IsStandard(tzid string) bool {
	return tzid != "" && len(tzid) <= maxZoneName && loadLocation(tzid) != nil
}

// The years that a VTIMEZONE made by AppendTimezone lists. In those of the tail,
// more than the 28 after which the days of the week repeat, there are only rules.
const (
	firstYear = 1970
	tailYear  = 2100
	lastYear  = tailYear + 30
)

// change is one onset of an offset.
type change struct {
	local    Civil // on the clock before it
	from, to int
	name     string // TZNAME
	daylight bool
}

func (c *change) like(o *change) bool {
	return c.from == o.from && c.to == o.to && c.name == o.name && c.daylight == o.daylight
}

// AppendTimezone appends the VTIMEZONE (RFC 5545, 3.6.5) of a zone that
// [Zones.Lookup] knows by this identifier, from 1970 on, and what no rule can say
// until 2129; false, and dst as it was, if it knows none, or if the identifier
// would need escapes or a second line.
func AppendTimezone(dst []byte, tzid string) ([]byte, bool) {
	z := lookup(tzid)
	if z == nil || len(tzid) > 70 || strings.ContainsFunc(tzid, func(r rune) bool { return r < ' ' || r == 0x7f || r == ',' || r == ';' || r == '\\' }) {
		return dst, false
	}
	changes := z.changes()
	dst = append(append(append(dst, "BEGIN:VTIMEZONE\r\nTZID:"...), tzid...), "\r\n"...)
	// The latest rules, and how far back they hold.
	last := changes[len(changes)-1]
	y, _, _ := last.local.Date()
	for i := len(changes) - 1; i > 0 && y >= tailYear; i-- {
		if cy, _, _ := changes[i].local.Date(); cy < y {
			break
		}
		c := changes[i]
		rule, first, gives := ruleOf(changes, c)
		if rule == "" {
			continue
		}
		dst = appendObservance(dst, &first, rule, nil)
		changes = slices.DeleteFunc(changes, func(o change) bool { return o.local >= first.local && gives(&o) })
		i = min(i, len(changes))
	}
	for len(changes) > 0 {
		c := changes[0]
		var dates []Civil
		for _, o := range changes[1:] {
			if o.like(&c) {
				dates = append(dates, o.local)
			}
		}
		dst = appendObservance(dst, &c, "", dates)
		changes = slices.DeleteFunc(changes, func(o change) bool { return o.like(&c) })
	}
	return append(dst, "END:VTIMEZONE\r\n"...), true
}

// changes lists the changes of a zone in the years that are listed; the first one is
// how the first year begins.
func (z *Zone) changes() []change {
	describe := func(t int64) (name string, daylight bool) {
		if z.location == nil {
			return z.name, false
		}
		tm := time.Unix(t, 0).In(z.location)
		name, _ = tm.Zone()
		return name, tm.IsDST()
	}
	s := z.find(int64(Date(firstYear, 1, 1)))
	first := change{local: Date(firstYear, 1, 1), from: s.offset, to: s.offset}
	first.name, first.daylight = describe(int64(first.local))
	all := []change{first}
	for end := int64(Date(lastYear, 1, 1)); s.end < end; {
		at := s.end
		s = z.find(at)
		c := change{local: Civil(at) + Civil(all[len(all)-1].to), from: all[len(all)-1].to, to: s.offset}
		c.name, c.daylight = describe(at)
		if p := &all[len(all)-1]; c.to != p.to || c.daylight != p.daylight || c.name != p.name {
			all = append(all, c)
		}
	}
	return all
}

// ruleOf finds the yearly rule by which the changes like c come in the years of the
// tail, the first of those before that come by it too, without a gap, and what tells
// which it gives; "" if there is none.
func ruleOf(changes []change, c change) (rule string, first change, gives func(*change) bool) {
	_, month, _ := c.local.Date()
	clock, weekday := c.local.clock(), c.local.Weekday()
	least, most, isLast := 31, 1, true
	fits := func(o *change) bool {
		_, m, _ := o.local.Date()
		return m == month && o.local.clock() == clock && o.local.Weekday() == weekday
	}
	years := 0
	for i := range changes {
		o := &changes[i]
		if y, _, d := o.local.Date(); y >= tailYear && o.like(&c) {
			if !fits(o) {
				return "", c, nil
			}
			years++
			least, most = min(least, d), max(most, d)
			isLast = isLast && d > DaysIn(y, month)-7
		}
	}
	if years != lastYear-tailYear || most-least > 6 {
		return "", c, nil
	}
	rule = "FREQ=YEARLY;BYMONTH=" + strconv.Itoa(month)
	day := [...]string{"MO", "TU", "WE", "TH", "FR", "SA", "SU"}[weekday]
	switch {
	case isLast:
		rule += ";BYDAY=-1" + day
	case least%7 == 1:
		rule += ";BYDAY=" + strconv.Itoa(least/7+1) + day
	default:
		rule += ";BYDAY=" + day + ";BYMONTHDAY="
		for d := least; d < least+7; d++ {
			if d > least {
				rule += ","
			}
			rule += strconv.Itoa(d)
		}
	}
	gives = func(o *change) bool {
		y, _, d := o.local.Date()
		return o.like(&c) && fits(o) && (isLast && d > DaysIn(y, month)-7 || !isLast && d >= least && d <= least+6)
	}
	first = c
	for _, o := range slices.Backward(changes) {
		y, _, _ := o.local.Date()
		fy, _, _ := first.local.Date()
		if y >= fy || !gives(&o) {
			continue
		}
		if y < fy-1 {
			break
		}
		first = o
	}
	return rule, first, gives
}

func appendObservance(dst []byte, c *change, rule string, dates []Civil) []byte {
	name := "STANDARD"
	if c.daylight {
		name = "DAYLIGHT"
	}
	line := func(parts ...string) {
		for _, p := range parts {
			dst = append(dst, p...)
		}
		dst = append(dst, "\r\n"...)
	}
	line("BEGIN:", name)
	line("DTSTART:", c.local.String())
	if rule != "" {
		line("RRULE:", rule)
	}
	for _, d := range dates {
		line("RDATE:", d.String())
	}
	line("TZOFFSETFROM:", offsetText(c.from))
	line("TZOFFSETTO:", offsetText(c.to))
	line("TZNAME:", c.name)
	line("END:", name)
	return dst
}

// offsetText writes a UTC-OFFSET (RFC 5545, 3.3.14).
func offsetText(seconds int) string {
	b := []byte{'+'}
	if seconds < 0 {
		b[0], seconds = '-', -seconds
	}
	two := func(n int) { b = append(b, digit(n/10%10), digit(n%10)) }
	two(seconds / 3600)
	two(seconds / 60 % 60)
	if seconds%60 != 0 {
		two(seconds % 60)
	}
	return string(b)
}
