package caltime

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// The limits of a zone that is made of observances.
const (
	// MaxZoneRules is how many recurrence rules its observances may have
	// together. Real ones have up to about thirty.
	MaxZoneRules = 256
	// MaxZoneOnsets is how many single onsets (DTSTART and RDATE) they may have
	// together. Real ones have up to about three hundred.
	MaxZoneOnsets = 20_000
)

// Zone turns local times into instants and back. A nil *Zone is UTC.
//
// A Zone remembers what it computed last, so it serves one goroutine at a time.
type Zone struct {
	name string
	// Either location is set, or onsets and rules are used.
	location *time.Location
	onsets   []onset // single ones, ordered
	rules    []zoneRule
	start    int64  // the first onset of all
	before   int    // the offset before start
	zones    *Zones // where the zone of this name is found, for times before start

	// The last stretch that was found, and for observances all stretches from
	// spans[0].start to the end of the last.
	last  span
	spans []span
	// What a client may write as a definition is bounded, so is the work: when a
	// zone's rules have used it up they change nothing any more.
	budget Budget
}

// span is a stretch of time, start included, end not, with one offset.
type span struct {
	start, end int64
	offset     int
}

// onset is an instant from which an offset holds.
type onset struct {
	at     int64
	offset int
}

// zoneRule gives the onsets of an observance which recur.
type zoneRule struct {
	rule     Rule
	start    DateTime
	from, to int
	// bound is the last onset of a rule that ends; once it is known.
	bound    Civil
	hasBound bool
}

// Observance is a STANDARD or DAYLIGHT part of a VTIMEZONE (RFC 5545, 3.6.5).
type Observance struct {
	// Start is DTSTART: the first onset, in the local time that TZOFFSETFROM
	// makes.
	Start Civil
	// From and To are TZOFFSETFROM and TZOFFSETTO, in seconds east of UTC.
	From, To int
	// Rules are the RRULEs. The RFC allows one; several add up.
	Rules []*Rule
	// Dates are the RDATEs, local as Start is.
	Dates []Civil
}

// NewZone makes a zone of the observances of a VTIMEZONE.
//
// Before the first onset the RFC leaves the offset open. Many definitions start
// shortly before the event for which they were written and are asked about earlier
// times all the same, so the zone that zones knows by the same name is taken
// there, and only if there is none, or zones is nil, the TZOFFSETFROM of the
// first onset.
//
// Errors wrap ErrZone.
func NewZone(tzid string, observances []Observance, zones *Zones) (*Zone, error) {
	z := &Zone{name: tzid, zones: zones, start: math.MaxInt64}
	for i := range observances {
		o := &observances[i]
		if o.From <= -Day || o.From >= Day || o.To <= -Day || o.To >= Day {
			return nil, fmt.Errorf("%w: offset of %s", ErrZone, clip(tzid))
		}
		if len(z.onsets)+1+len(o.Dates) > MaxZoneOnsets || len(z.rules)+len(o.Rules) > MaxZoneRules {
			return nil, fmt.Errorf("%w: %s has too many observances", ErrZone, clip(tzid))
		}
		z.onset(o.Start, o)
		for _, d := range o.Dates {
			z.onset(d, o)
		}
		for _, r := range o.Rules {
			if r.freq < Monthly {
				return nil, fmt.Errorf("%w: %s changes more than monthly", ErrZone, clip(tzid))
			}
			zr := zoneRule{rule: *r, start: DateTime{o.Start, Local}, from: o.From, to: o.To}
			// UNTIL is in UTC there, the onsets in local time before the change.
			if r.hasUntil && r.until.Form == UTC {
				zr.rule.until = DateTime{r.until.Civil + Civil(o.From), Local}
			}
			z.rules = append(z.rules, zr)
		}
	}
	if len(z.onsets) == 0 {
		return nil, fmt.Errorf("%w: %s has no observances", ErrZone, clip(tzid))
	}
	// Where two onsets fall on one instant the later in the text wins.
	slices.SortStableFunc(z.onsets, compareOnsets)
	return z, nil
}

func (z *Zone) onset(c Civil, o *Observance) {
	at := int64(c) - int64(o.From)
	if at < z.start {
		z.start, z.before = at, o.From
	}
	z.onsets = append(z.onsets, onset{at, o.To})
}

// later makes o another one that is later, or at the same time.
func (o *onset) later(p onset) {
	if p.at >= o.at {
		*o = p
	}
}

func compareOnsets(a, b onset) int {
	switch {
	case a.at < b.at:
		return -1
	case a.at > b.at:
		return 1
	}
	return 0
}

// FixedZone returns a zone with one offset, in seconds east of UTC.
func FixedZone(name string, offset int) *Zone {
	return &Zone{name: name, last: span{math.MinInt64, math.MaxInt64, offset}}
}

// Name returns the identifier with which the zone was made; that of UTC is UTC.
func (z *Zone) Name() string {
	if z == nil {
		return "UTC"
	}
	return z.name
}

// Offset returns the offset from UTC in seconds, positive to the east, at an
// instant.
func (z *Zone) Offset(instant int64) int {
	if z == nil {
		return 0
	}
	return z.find(instant).offset
}

// Civil returns what the wall clock shows at an instant.
func (z *Zone) Civil(instant int64) Civil { return Civil(instant) + Civil(z.Offset(instant)) }

// Instant returns the instant at which the wall clock shows c. If it does so twice
// it is the first one; if the clock is moved over c, the instant is computed with
// the offset from before the gap (RFC 5545, 3.3.5).
func (z *Zone) Instant(c Civil) int64 {
	if z == nil {
		return int64(c)
	}
	// Offsets are less than a day, so the instant is within one of c. The
	// stretches are tried in their order.
	c = min(max(c, MinCivil-Day), MaxCivil+Day)
	s := z.find(int64(c) - Day)
	u := int64(c) - int64(s.offset)
	// No real zone has more than two changes in two days.
	for range 16 {
		if u < s.end {
			break
		}
		s = z.find(s.end)
		next := int64(c) - int64(s.offset)
		// Beyond the last stretch's end, but before this one's start: a gap.
		if next < s.start {
			break
		}
		u = next
	}
	return u
}

// lastCivil is the greatest local time whose instant is no later than the one given.
// In a fold that is not what the clock shows: all its times mean the first pass.
func (z *Zone) lastCivil(instant int64) Civil {
	c := z.Civil(instant)
	if z == nil || z.Instant(c) == instant {
		return c
	}
	s := z.find(instant)
	return max(c, Civil(s.start)+Civil(z.find(s.start-1).offset)-1)
}

// find returns the stretch in which the instant is. It may be cut shorter than the
// offset lasts.
func (z *Zone) find(t int64) span {
	t = min(max(t, int64(MinCivil)-3*Day), int64(MaxCivil)+3*Day)
	if t >= z.last.start && t < z.last.end {
		return z.last
	}
	if z.location != nil {
		tm := time.Unix(t, 0).In(z.location)
		_, offset := tm.Zone()
		start, end := tm.ZoneBounds()
		z.last = span{math.MinInt64, math.MaxInt64, offset}
		if !start.IsZero() {
			z.last.start = start.Unix()
		}
		if !end.IsZero() {
			z.last.end = end.Unix()
			// On 31 December of leap years for which the database has only a
			// rule, ZoneBounds ends the stretch at the start of that day.
			if z.last.end <= t {
				z.last.end = int64(Civil(t).Midnight()) + Day
			}
		}
		return z.last
	}
	if t < z.start {
		z.last = span{math.MinInt64, z.start, z.before}
		if z.zones != nil {
			if earlier := z.zones.Lookup(z.name); earlier != nil && earlier != z {
				z.last = earlier.find(t)
				z.last.end = min(z.last.end, z.start)
			}
		}
		return z.last
	}
	if n := len(z.spans); n == 0 || t < z.spans[0].start || t >= z.spans[n-1].end {
		z.compute(t)
	}
	i, found := slices.BinarySearchFunc(z.spans, t, func(s span, t int64) int {
		switch {
		case s.start < t:
			return -1
		case s.start > t:
			return 1
		}
		return 0
	})
	if !found {
		i--
	}
	z.last = z.spans[i]
	return z.last
}

// compute fills spans for the year of t and those around it.
func (z *Zone) compute(t int64) {
	year, _, _ := Civil(t).Date()
	lo, hi := int64(Date(year-1, 1, 1)), int64(Date(year+2, 1, 1))
	lo = max(lo, z.start)
	// latest is the onset before lo that counts: t is not before start, so there is one.
	latest := onset{math.MinInt64, z.before}
	found := make([]onset, 0, 8)
	i, _ := slices.BinarySearchFunc(z.onsets, onset{at: lo + 1}, compareOnsets)
	if i > 0 {
		latest = z.onsets[i-1]
	}
	for ; i < len(z.onsets) && z.onsets[i].at < hi; i++ {
		found = append(found, z.onsets[i])
	}
	for i := range z.rules {
		r := &z.rules[i]
		from, until := Civil(lo+int64(r.from)), Civil(hi+int64(r.from))
		if !r.hasBound && (r.rule.count > 0 || r.rule.hasUntil) {
			last, finite, err := r.rule.Last(r.start, nil, &z.budget)
			if finite && err == nil {
				r.bound, r.hasBound = last, true
			} else {
				r.bound, r.hasBound = MaxCivil, true
			}
		}
		if r.hasBound && r.bound <= from {
			latest.later(onset{int64(r.bound) - int64(r.from), r.to})
			continue
		}
		if r.start.Civil >= until {
			continue
		}
		// Real rules have an onset in the 400 days before; for others it is searched.
		back := max(from-400*Day, r.start.Civil)
		it := r.rule.Instances(r.start, nil, back, &z.budget)
		c, ok := it.Next()
		if back > r.start.Civil && (!ok || c > from) {
			if c, err := r.rule.Before(r.start, nil, from, &z.budget); err == nil && c <= from {
				latest.later(onset{int64(c) - int64(r.from), r.to})
			}
		}
		for ; ok && c < until; c, ok = it.Next() {
			o := onset{int64(c) - int64(r.from), r.to}
			if c <= from {
				latest.later(o)
			} else {
				found = append(found, o)
			}
		}
	}
	slices.SortStableFunc(found, compareOnsets)
	z.spans = append(slices.Grow(z.spans[:0], len(found)+1), span{lo, hi, latest.offset})
	for _, o := range found {
		s := &z.spans[len(z.spans)-1]
		if o.at == s.start {
			s.offset = o.offset
			continue
		}
		s.end = o.at
		z.spans = append(z.spans, span{o.at, hi, o.offset})
	}
}

// MaxZones is how many zones a Zones remembers; beyond that it starts anew.
const MaxZones = 64

// Zones finds zones by name and remembers them. The zero value is ready, and a nil
// one finds them without remembering. It serves one goroutine at a time.
type Zones struct {
	byName map[string]*Zone
}

// Lookup returns the zone which a TZID names without a definition, or nil if it
// names none that is known. These are known: names of the IANA database; such
// names at the end of another identifier (/mozilla.org/20070129_1/Europe/Berlin);
// the names Windows has for zones (W. Europe Standard Time); UTC and GMT with an
// offset, UTC+01:00.
func (zs *Zones) Lookup(tzid string) *Zone {
	if zs == nil {
		return lookup(tzid)
	}
	z, ok := zs.byName[tzid]
	if !ok {
		if len(tzid) > maxZoneName {
			return nil
		}
		z = lookup(tzid)
		if zs.byName == nil || len(zs.byName) >= MaxZones {
			zs.byName = make(map[string]*Zone, 4)
		}
		zs.byName[tzid] = z
	}
	return z
}

// maxZoneName bounds the identifiers that are looked up, in bytes.
const maxZoneName = 128

func lookup(tzid string) *Zone {
	name := strings.Trim(tzid, "\" ")
	if name == "" || len(name) > maxZoneName {
		return nil
	}
	if offset, ok := parseUTCName(name); ok {
		return FixedZone(tzid, offset)
	}
	if l := loadLocation(name); l != nil {
		return &Zone{name: tzid, location: l}
	}
	if iana := windowsZone(name); iana != "" {
		if l := loadLocation(iana); l != nil {
			return &Zone{name: tzid, location: l}
		}
	}
	// The last parts of a path, beginning with a part that is an area.
	for rest := name; ; {
		_, after, ok := strings.Cut(rest, "/")
		if !ok {
			return nil
		}
		rest = after
		area, _, _ := strings.Cut(rest, "/")
		if isArea(area) {
			if l := loadLocation(rest); l != nil {
				return &Zone{name: tzid, location: l}
			}
		}
		if offset, ok := parseUTCName(rest); ok {
			return FixedZone(tzid, offset)
		}
	}
}

// isArea says whether names of the IANA database start with this.
func isArea(s string) bool {
	switch s {
	case "Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Brazil", "Canada",
		"Chile", "Etc", "Europe", "Indian", "Mexico", "Pacific", "US":
		return true
	}
	return false
}

// loadLocation reads a zone of the IANA database. Only names of its form are
// tried, so that what a client sent never leads out of the database's folder, to
// the machine's own zone or to zones which count leap seconds.
func loadLocation(name string) *time.Location {
	if name[0] < 'A' || name[0] > 'Z' || name == "Local" {
		return nil
	}
	for i := range len(name) {
		switch c := name[i]; {
		case c|0x20 >= 'a' && c|0x20 <= 'z', c >= '0' && c <= '9', c == '_', c == '+', c == '-':
		case c == '/' && i+1 < len(name) && name[i-1] != '/':
		default:
			return nil
		}
	}
	l, err := time.LoadLocation(name)
	if err != nil {
		return nil
	}
	return l
}

// parseUTCName reads UTC, GMT or Z, alone or with an offset: +01:00, +0100, +1.
func parseUTCName(s string) (int, bool) {
	switch s {
	case "UTC", "GMT", "Z", "Utc", "Etc/UTC", "Etc/GMT":
		return 0, true
	}
	if len(s) < 5 || s[:3] != "UTC" && s[:3] != "GMT" || s[3] != '+' && s[3] != '-' {
		return 0, false
	}
	h, m, colon := strings.Cut(s[4:], ":")
	if !colon && len(h) == 4 {
		h, m = h[:2], h[2:]
	}
	hours, minutes := digits(h, len(h)), 0
	if m != "" {
		minutes = digits(m, 2)
	}
	if len(h) < 1 || len(h) > 2 || hours < 0 || hours > 14 || len(m) != 0 && len(m) != 2 || minutes < 0 || minutes > 59 {
		return 0, false
	}
	offset := hours*3600 + minutes*60
	if s[3] == '-' {
		offset = -offset
	}
	return offset, true
}
