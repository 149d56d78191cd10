package object

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"inetdav/store/object/caltime"
	"inetdav/store/object/ical"
)

// MaxBusy is the number of busy periods that do not touch each other, of one type,
// in one answer, where FreeBusy does not say less; more is ErrInstances. A year has
// 8 784 hours.
const MaxBusy = 50_000

// busyType is an FBTYPE other than FREE (RFC 5545, 3.2.9).
type busyType uint8

const (
	busy busyType = iota
	busyUnavailable
	busyTentative
	busyTypes
)

// FreeBusy gathers when the owner of some calendars is busy (RFC 4791, 7.10).
// Its use is NewFreeBusy, Add for each object that Decide does not rule out, Append.
type FreeBusy struct {
	// Stamp is the time of the answer (DTSTAMP), in Unix seconds.
	Stamp int64
	// Max is how many busy periods, of one type, the answer may have, more being
	// ErrInstances; 0, or what is larger, is MaxBusy.
	Max int

	r        TimeRange
	floating *caltime.Zone
	times    [busyTypes][]period
	// tidy is how many of times are ordered and apart from each other, mark how many
	// there were before the object that is being added.
	tidy, mark [busyTypes]int
	// available is what VAVAILABILITYs say, free how many periods are in that.
	available []availability
	free      int
}

// period is a stretch of busy time, in Unix seconds.
type period struct{ start, end int64 }

// NewFreeBusy returns a FreeBusy for a range, in which dates and floating times lie
// in the zone floating; nil is UTC. A range without an end will mostly end in
// ErrInstances.
func NewFreeBusy(r TimeRange, floating *caltime.Zone) *FreeBusy {
	return &FreeBusy{r: r, floating: floating}
}

// SetFloating sets the zone of dates and floating times for the objects that follow:
// another calendar may have another.
func (f *FreeBusy) SetFloating(floating *caltime.Zone) { f.floating = floating }

// Decide says whether an object could change the answer: No if it could not, else
// Maybe.
func (f *FreeBusy) Decide(s *Summary) Verdict {
	if s.Flags&Broken != 0 || s.Flags&Mixed == 0 && s.Component != "VEVENT" && s.Component != "VFREEBUSY" && s.Component != "VAVAILABILITY" {
		return No
	}
	if f.r.decide(s) == No {
		return No
	}
	if s.Flags&(HintsWhole|Several) == HintsWhole && s.Component == "VEVENT" {
		for p := range hints(s.Hints, "TRANSP") {
			if isTransparent(p.Value) {
				return No
			}
			break
		}
		for p := range hints(s.Hints, "STATUS") {
			if isCancelled(p.Value) {
				return No
			}
			break
		}
	}
	return Maybe
}

func isTransparent(transp string) bool { return sameName(strings.TrimSpace(transp), "TRANSPARENT") }
func isCancelled(status string) bool   { return sameName(strings.TrimSpace(status), "CANCELLED") }

// Add takes in the VEVENTs, the VFREEBUSYs and the VAVAILABILITYs of an object. On an error, which
// wraps ErrInstances or ErrSyntax, it takes in nothing.
func (f *FreeBusy) Add(c *Calendar) error {
	for t := range f.times {
		f.mark[t] = len(f.times[t])
	}
	available, free := len(f.available), f.free
	err := f.add(c)
	if err != nil {
		f.available, f.free = f.available[:available], free
		for t := range f.times {
			f.times[t] = f.times[t][:f.mark[t]]
		}
		return err
	}
	for t := range f.times {
		if len(f.times[t]) > 2*f.tidy[t]+1000 {
			f.merge(busyType(t))
			if err := f.full(t); err != nil {
				return err
			}
		}
	}
	return nil
}

// full is an error if there are too many periods of a type.
func (f *FreeBusy) full(t int) error {
	if most := f.most(); len(f.times[t]) > most {
		return fmt.Errorf("%w: more than %d busy periods", ErrInstances, most)
	}
	return nil
}

func (f *FreeBusy) most() int {
	if f.Max > 0 {
		return min(f.Max, MaxBusy)
	}
	return MaxBusy
}

func (f *FreeBusy) add(c *Calendar) error {
	c.readSeries(f.floating)
	for _, s := range c.times.all {
		if name := s.name(); name != "VEVENT" {
			continue
		}
		if s.err != nil {
			return s.err
		}
		// What no instance can change need not be followed.
		if _, ok := busyTypeOf(s.master); !ok && len(s.parts) == 0 {
			continue
		}
		var b caltime.Budget
		err := s.each(f.r, &b, func(i *instance) bool {
			if t, ok := busyTypeOf(i.part); ok && i.timed {
				f.put(t, i.start, i.end)
			}
			return true
		})
		if err != nil {
			return err
		}
	}
	for _, comp := range c.Root.Components {
		if comp.Name == "VAVAILABILITY" {
			if err := f.addAvailability(c, comp); err != nil {
				return err
			}
		}
		if comp.Name != "VFREEBUSY" {
			continue
		}
		for p := range comp.Props("FREEBUSY") {
			t := busy
			switch fbtype := strings.TrimSpace(p.ParamText("FBTYPE")); {
			case sameName(fbtype, "FREE"):
				continue
			case sameName(fbtype, "BUSY-UNAVAILABLE"):
				t = busyUnavailable
			case sameName(fbtype, "BUSY-TENTATIVE"):
				t = busyTentative
			}
			for value := range strings.SplitSeq(p.Value, ",") {
				if start, end, _, ok := c.period(p, value, f.floating); ok {
					f.put(t, start, end)
				}
			}
		}
	}
	return nil
}

// name is the name of the components of s.
func (s *series) name() string {
	switch {
	case s.master != nil:
		return s.master.comp.Name
	case len(s.parts) > 0:
		return s.parts[0].comp.Name
	}
	// It has an error; let it be seen.
	return "VEVENT"
}

// busyTypeOf is the table of RFC 4791, 7.10; false means free. An unknown STATUS is
// BUSY.
func busyTypeOf(p *part) (busyType, bool) {
	if p == nil {
		return busy, false
	}
	status := p.comp.Value("STATUS")
	switch {
	case isTransparent(p.comp.Value("TRANSP")), isCancelled(status):
		return busy, false
	case sameName(strings.TrimSpace(status), "TENTATIVE"):
		return busyTentative, true
	}
	return busy, true
}

// put adds what of a period is within the range.
func (f *FreeBusy) put(t busyType, start, end int64) {
	start, end = max(start, f.r.Start), min(end, f.r.End)
	if start >= end {
		return
	}
	// Mostly they come in order: then what touches needs no place of its own.
	if n := len(f.times[t]); n > 0 {
		if last := &f.times[t][n-1]; n > f.mark[t] && start >= last.start && start <= last.end {
			last.end = max(last.end, end)
			return
		}
	}
	f.times[t] = append(f.times[t], period{start, end})
}

// merge orders the periods of a type and joins those that touch.
func (f *FreeBusy) merge(t busyType) {
	f.times[t] = union(f.times[t])
	f.tidy[t] = len(f.times[t])
}

// union orders periods and joins those that touch, in place.
func union(all []period) []period {
	slices.SortFunc(all, func(a, b period) int { return cmp.Compare(a.start, b.start) })
	n := 0
	for _, p := range all {
		if n > 0 && p.start <= all[n-1].end {
			all[n-1].end = max(all[n-1].end, p.end)
			continue
		}
		all[n] = p
		n++
	}
	return all[:n]
}

// Check returns ErrInstances if the answer would be too long. It is to be called
// when all is added, before Append.
func (f *FreeBusy) Check() error {
	f.layAvailability()
	for t := range f.times {
		f.merge(busyType(t))
		if err := f.full(t); err != nil {
			return err
		}
	}
	return nil
}

// Append appends the answer: a VCALENDAR with one VFREEBUSY, of which each FREEBUSY
// has one period. Periods of one type are in order and do not touch.
func (f *FreeBusy) Append(dst []byte) []byte {
	f.layAvailability()
	dst = append(dst, "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:"+productID+"\r\nBEGIN:VFREEBUSY\r\nDTSTAMP:"...)
	dst = append(append(dst, utc(f.Stamp)...), "\r\n"...)
	if f.r.Start != NoStart {
		dst = append(append(append(dst, "DTSTART:"...), utc(f.r.Start)...), "\r\n"...)
	}
	if f.r.End != NoEnd {
		dst = append(append(append(dst, "DTEND:"...), utc(f.r.End)...), "\r\n"...)
	}
	for t := range busyTypes {
		f.merge(t)
		name := [...]string{"FREEBUSY:", "FREEBUSY;FBTYPE=BUSY-UNAVAILABLE:", "FREEBUSY;FBTYPE=BUSY-TENTATIVE:"}[t]
		for _, p := range f.times[t] {
			dst = append(append(dst, name...), utc(p.start)...)
			dst = append(append(append(dst, '/'), utc(p.end)...), "\r\n"...)
		}
	}
	return append(dst, "END:VFREEBUSY\r\nEND:VCALENDAR\r\n"...)
}

// Timezone returns the zone that an object with a single VTIMEZONE defines, as
// CALDAV:calendar-timezone and CALDAV:timezone have it (RFC 4791, 5.2.2 and 9.8).
// Errors wrap ErrSyntax.
func (c *Calendar) Timezone() (*caltime.Zone, error) {
	if n := len(c.Root.Components); n > 1 {
		return nil, fmt.Errorf("%w: %d components where a VTIMEZONE belongs", ErrSyntax, n)
	}
	i := slices.IndexFunc(c.Root.Components, func(comp *ical.Component) bool { return comp.Name == "VTIMEZONE" })
	if i < 0 {
		return nil, fmt.Errorf("%w: no VTIMEZONE", ErrSyntax)
	}
	tzid := c.Root.Components[i].Value("TZID")
	if z, ok := c.zone(tzid); ok {
		return z, nil
	}
	return nil, fmt.Errorf("%w: VTIMEZONE %q has no usable observances", ErrSyntax, clip(tzid))
}
