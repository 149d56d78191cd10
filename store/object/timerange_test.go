package object

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"inetdav/store/object/caltime"
	"inetdav/store/object/ical"
)

func parsed(t testing.TB, lines ...string) *Calendar {
	t.Helper()
	c, err := ParseCalendar(calendar(lines...))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func span(t testing.TB, s string) TimeRange {
	t.Helper()
	a, b, _ := strings.Cut(s, "/")
	r := TimeRange{NoStart, NoEnd}
	if a != "" {
		r.Start = at(a)
	}
	if b != "" {
		r.End = at(b)
	}
	return r
}

// component wraps properties, given as one line with blanks between, in a component.
func component(name, props string) []string {
	return append(append([]string{"BEGIN:" + name, "UID:1"}, strings.Fields(props)...), "END:"+name)
}

// TestTimeRange has the rows of the tables of RFC 4791, 9.9, each with ranges that
// just touch (no) and just overlap (yes).
func TestTimeRange(t *testing.T) {
	const day = "20200102T"
	for _, tt := range []struct{ name, comp, props, yes, no string }{
		// (start < DTEND AND end > DTSTART)
		{"DTEND", "VEVENT", "DTSTART:20200102T100000Z DTEND:20200102T120000Z", "115959Z/130000Z 090000Z/100001Z 110000Z/110001Z 090000Z/130000Z", "120000Z/130000Z 090000Z/100000Z"},
		// (start < DTSTART+DURATION AND end > DTSTART)
		{"DURATION", "VEVENT", "DTSTART:20200102T100000Z DURATION:PT2H", "115959Z/130000Z 090000Z/100001Z", "120000Z/130000Z 090000Z/100000Z"},
		// (start <= DTSTART AND end > DTSTART)
		{"DURATION zero", "VEVENT", "DTSTART:20200102T100000Z DURATION:PT0S", "100000Z/100001Z 090000Z/100001Z", "100001Z/110000Z 090000Z/100000Z"},
		{"no DURATION", "VEVENT", "DTSTART:20200102T100000Z", "100000Z/100001Z 090000Z/100001Z", "100001Z/110000Z 090000Z/100000Z"},
		{"DTEND is DTSTART", "VEVENT", "DTSTART:20200102T100000Z DTEND:20200102T100000Z", "100000Z/100001Z", "100001Z/110000Z 090000Z/100000Z"},
		{"DTEND before DTSTART", "VEVENT", "DTSTART:20200102T100000Z DTEND:20200102T080000Z", "100000Z/100001Z", "100001Z/110000Z 080000Z/100000Z"},
		// (start < DTSTART+P1D AND end > DTSTART)
		{"date", "VEVENT", "DTSTART;VALUE=DATE:20200102", "000000Z/000001Z 235959Z/ /000001Z", "/000000Z"},
		{"date of two days", "VEVENT", "DTSTART;VALUE=DATE:20200101 DTEND;VALUE=DATE:20200103", "235959Z/ /000001Z", ""},
		{"date ends before it starts", "VEVENT", "DTSTART;VALUE=DATE:20200102 DTEND;VALUE=DATE:20200102", "235959Z/ /000001Z", "/000000Z"},
		{"no DTSTART", "VEVENT", "SUMMARY:x", "", "/ 100000Z/110000Z"},
		{"unreadable DTEND", "VEVENT", "DTSTART:20200102T100000Z DTEND:soon", "100000Z/100001Z", "100001Z/110000Z"},
		{"unreadable DURATION", "VEVENT", "DTSTART:20200102T100000Z DURATION:long", "100000Z/100001Z", "100001Z/110000Z"},
		{"unknown zone", "VEVENT", "DTSTART;TZID=Nowhere:20200102T100000 DURATION:PT1H", "100000Z/110000Z", "110000Z/120000Z"},
		{"known zone", "VEVENT", "DTSTART;TZID=Europe/Berlin:20200102T100000 DURATION:PT1H", "090000Z/100000Z", "100000Z/120000Z"},

		// (start <= DTSTART+DURATION) AND ((end > DTSTART) OR (end >= DTSTART+DURATION))
		{"DTSTART, DURATION", "VTODO", "DTSTART:20200102T100000Z DURATION:PT2H", "120000Z/130000Z 090000Z/100001Z", "120001Z/130000Z 090000Z/100000Z"},
		{"DTSTART, DURATION zero", "VTODO", "DTSTART:20200102T100000Z DURATION:PT0S", "100000Z/130000Z 090000Z/100000Z", "100001Z/130000Z 090000Z/095959Z"},
		// ((start < DUE) OR (start <= DTSTART)) AND ((end > DTSTART) OR (end >= DUE))
		{"DTSTART, DUE", "VTODO", "DTSTART:20200102T100000Z DUE:20200102T120000Z COMPLETED:20200105T000000Z", "115959Z/130000Z 090000Z/100001Z", "120000Z/130000Z 090000Z/100000Z"},
		{"DTSTART is DUE", "VTODO", "DTSTART:20200102T100000Z DUE:20200102T100000Z", "100000Z/130000Z 090000Z/100000Z", "100001Z/130000Z 090000Z/095959Z"},
		// (start <= DTSTART) AND (end > DTSTART)
		{"DTSTART", "VTODO", "DTSTART:20200102T100000Z CREATED:20200105T000000Z", "100000Z/130000Z 090000Z/100001Z", "100001Z/130000Z 090000Z/100000Z"},
		// (start < DUE) AND (end >= DUE)
		{"DUE", "VTODO", "DUE:20200102T100000Z COMPLETED:20200105T000000Z", "095959Z/130000Z 090000Z/100000Z", "100000Z/130000Z 090000Z/095959Z"},
		// ((start <= CREATED) OR (start <= COMPLETED)) AND ((end >= CREATED) OR (end >= COMPLETED))
		{"COMPLETED, CREATED", "VTODO", "COMPLETED:20200102T120000Z CREATED:20200102T100000Z", "120000Z/130000Z 090000Z/100000Z 110000Z/110001Z", "120001Z/130000Z 090000Z/095959Z"},
		// (start <= COMPLETED) AND (end >= COMPLETED)
		{"COMPLETED", "VTODO", "COMPLETED:20200102T120000Z", "120000Z/130000Z 090000Z/120000Z", "120001Z/130000Z 090000Z/115959Z"},
		// (end > CREATED)
		{"CREATED", "VTODO", "CREATED:20200102T120000Z", "120000Z/130000Z 120001Z/ 130000Z/140000Z 110000Z/120001Z", "090000Z/120000Z"},
		{"nothing", "VTODO", "SUMMARY:x", "/ 120000Z/130000Z", ""},

		// (start <= DTSTART) AND (end > DTSTART)
		{"time", "VJOURNAL", "DTSTART:20200102T100000Z DTEND:20200102T120000Z", "100000Z/100001Z", "100001Z/110000Z 090000Z/100000Z"},
		// (start < DTSTART+P1D) AND (end > DTSTART)
		{"date", "VJOURNAL", "DTSTART;VALUE=DATE:20200102", "000000Z/000001Z 235959Z/", "/000000Z"},
		{"nothing", "VJOURNAL", "SUMMARY:x", "", "/"},

		// (start <= DTEND) AND (end > DTSTART)
		{"whole", "VFREEBUSY", "DTSTART:20200102T100000Z DTEND:20200102T120000Z FREEBUSY:20200105T000000Z/PT1H", "120000Z/130000Z 090000Z/100001Z", "120001Z/130000Z 090000Z/100000Z"},
		// (start < freebusy-period-end) AND (end > freebusy-period-start)
		{"periods", "VFREEBUSY", "DTSTART:20200102T000000Z FREEBUSY:20200102T100000Z/PT1H,20200102T140000Z/20200102T150000Z FREEBUSY;FBTYPE=FREE:20200102T180000Z/PT1H",
			"105959Z/120000Z 143000Z/144000Z 180000Z/180001Z", "110000Z/140000Z 150000Z/160000Z 190000Z/"},
		{"nothing", "VFREEBUSY", "DURATION:PT1H", "", "/"},
		{"unknown", "X-COMP", "DTSTART:20200102T100000Z", "/ 190000Z/", ""},
	} {
		t.Run(tt.comp+" "+tt.name, func(t *testing.T) {
			c := parsed(t, component(tt.comp, tt.props)...)
			comp := c.Root.Components[0]
			for want, ranges := range map[bool]string{true: tt.yes, false: tt.no} {
				for _, s := range strings.Fields(ranges) {
					a, b, _ := strings.Cut(s, "/")
					if a != "" {
						a = day + a
					}
					if b != "" {
						b = day + b
					}
					r := span(t, a+"/"+b)
					if got, err := c.overlaps(comp, r, nil); got != want || err != nil {
						t.Errorf("%s: %v %v", s, got, err)
					}
					lo, hi, exact, err := c.span(nil)
					meets := r.meets(lo, hi)
					if err != nil || want && !meets || exact && want != meets {
						t.Errorf("%s: span %s/%s exact %v, %v", s, civil(lo), civil(hi), exact, err)
					}
				}
			}
		})
	}
}

// RFC 4791, 7.3: floating times and dates lie in the zone given.
func TestTimeRangeFloating(t *testing.T) {
	tokyo, ny := (&caltime.Zones{}).Lookup("Asia/Tokyo"), (&caltime.Zones{}).Lookup("America/New_York")
	c := parsed(t, component("VEVENT", "DTSTART:20200102T100000 DURATION:PT1H")...)
	d := parsed(t, component("VEVENT", "DTSTART;VALUE=DATE:20200102")...)
	for _, tt := range []struct {
		zone      *caltime.Zone
		at, dayAt string
	}{{nil, "20200102T100000Z/20200102T100001Z", "20200102T000000Z/20200102T000001Z"}, {tokyo, "20200102T010000Z/20200102T010001Z", "20200101T150000Z/20200101T150001Z"},
		{ny, "20200102T150000Z/20200102T150001Z", "20200102T050000Z/20200102T050001Z"}} {
		for cal, s := range map[*Calendar]string{c: tt.at, d: tt.dayAt} {
			r := span(t, s)
			in, _ := cal.overlaps(cal.Root.Components[0], r, tt.zone)
			out, _ := cal.overlaps(cal.Root.Components[0], TimeRange{r.Start - 1, r.End - 1}, tt.zone)
			if !in || out {
				t.Errorf("%s %s: %v %v", tt.zone.Name(), s, in, out)
			}
		}
	}
}

// starts lists the instances of the first series in a range, as UTC starts, with the
// SUMMARY of the component that describes each.
func listStarts(t testing.TB, c *Calendar, r TimeRange) (string, error) {
	t.Helper()
	s := c.series(c.Root.Components[len(c.Root.Components)-1], nil)
	for _, comp := range c.Root.Components {
		if comp.Name != "VTIMEZONE" {
			s = c.series(comp, nil)
			break
		}
	}
	list, err := c.instances(s, r, MaxExpand)
	var out []string
	for _, i := range list {
		d := fmt.Sprintf("%s+%d", strings.TrimSuffix(civil(i.start).String(), "00"), (i.end-i.start)/60)
		if v := i.part.comp.Value("SUMMARY"); v != "" {
			d += v
		}
		out = append(out, d)
	}
	return strings.Join(out, " "), err
}

// TestInstances: recurrence sets of RFC 5545, 3.8.5 and 3.8.4.4.
func TestInstances(t *testing.T) {
	usEast := strings.Split(usEastern, "\n")
	ev := func(props string) []string { return component("VEVENT", props) }
	for _, tt := range []struct {
		name  string
		lines [][]string
		r     string
		want  string
	}{
		{"COUNT", [][]string{ev("DTSTART:20200101T100000Z DURATION:PT1H RRULE:FREQ=DAILY;COUNT=3")}, "/", "20200101T1000+60 20200102T1000+60 20200103T1000+60"},
		{"range", [][]string{ev("DTSTART:20200101T100000Z DURATION:PT1H RRULE:FREQ=DAILY")}, "20200105T105900Z/20200107T100000Z", "20200105T1000+60 20200106T1000+60"},
		{"long ones reach into the range", [][]string{ev("DTSTART:20200101T000000Z DURATION:P40D RRULE:FREQ=MONTHLY")}, "20200302T000000Z/20200303T000000Z", "20200201T0000+57600 20200301T0000+57600"},
		{"EXDATE", [][]string{ev("DTSTART:20200101T100000Z DURATION:PT1H RRULE:FREQ=DAILY;COUNT=4 EXDATE:20200102T100000Z,20200101T100000Z,garbage")}, "/", "20200103T1000+60 20200104T1000+60"},
		{"EXDATE in another zone", [][]string{ev("DTSTART:20200101T100000Z DURATION:PT1H RRULE:FREQ=DAILY;COUNT=2 EXDATE;TZID=Europe/Berlin:20200102T110000")}, "/", "20200101T1000+60"},
		{"EXDATE as date for times", [][]string{usEast, ev("DTSTART;TZID=US/Eastern:20200101T230000 DURATION:PT1H RRULE:FREQ=DAILY;COUNT=3 EXDATE;VALUE=DATE:20200102")}, "/", "20200102T0400+60 20200104T0400+60"},
		{"EXDATE as time for dates", [][]string{ev("DTSTART;VALUE=DATE:20200101 RRULE:FREQ=DAILY;COUNT=3 EXDATE:20200102T000000")}, "/", "20200101T0000+1440 20200103T0000+1440"},
		{"RDATE", [][]string{ev("DTSTART:20200101T100000Z DURATION:PT1H RDATE:20200105T120000Z,20200103T120000Z,garbage RDATE:20200105T120000Z")}, "/", "20200101T1000+60 20200103T1200+60 20200105T1200+60"},
		{"RDATE before DTSTART", [][]string{ev("DTSTART:20200110T100000Z RDATE:20200101T100000Z RRULE:FREQ=DAILY;COUNT=2")}, "20200101T000000Z/20200102T000000Z", "20200101T1000+0"},
		{"RDATE and RRULE at one time", [][]string{ev("DTSTART:20200101T100000Z DURATION:PT1H RRULE:FREQ=DAILY;COUNT=2 RDATE;VALUE=PERIOD:20200102T100000Z/PT5H,20200103T100000Z/20200103T100500Z")}, "/",
			"20200101T1000+60 20200102T1000+300 20200103T1000+5"},
		{"RDATE period that reaches into the range", [][]string{ev("DTSTART:20200101T100000Z DURATION:PT1H RDATE;VALUE=PERIOD:20200102T100000Z/P300D")}, "20200601T000000Z/20200602T000000Z", "20200102T1000+432000"},
		{"RDATE in its zone", [][]string{usEast, ev("DTSTART;TZID=US/Eastern:20200101T100000 DURATION:PT1H RDATE;TZID=Europe/Berlin:20200701T100000")}, "/", "20200101T1500+60 20200701T0800+60"},
		{"RDATE as date", [][]string{ev("DTSTART;TZID=Europe/Berlin:20200101T100000 RDATE;VALUE=DATE:20200701")}, "/", "20200101T0900+0 20200701T0800+0"},
		{"dates", [][]string{ev("DTSTART;VALUE=DATE:20200101 DTEND;VALUE=DATE:20200103 RRULE:FREQ=WEEKLY;COUNT=2 RDATE;VALUE=DATE:20200120")}, "/", "20200101T0000+2880 20200108T0000+2880 20200120T0000+2880"},
		{"DTEND is exact over the change of clocks", [][]string{ev("DTSTART;TZID=Europe/Berlin:20200328T120000 DTEND;TZID=Europe/Berlin:20200329T120000 RRULE:FREQ=WEEKLY;COUNT=2")}, "/",
			"20200328T1100+1380 20200404T1000+1380"},
		{"DURATION is nominal over the change of clocks", [][]string{ev("DTSTART;TZID=Europe/Berlin:20200328T120000 DURATION:P1D RRULE:FREQ=WEEKLY;COUNT=2")}, "/",
			"20200328T1100+1380 20200404T1000+1440"},
		{"in the gap", [][]string{ev("DTSTART;TZID=Europe/Berlin:20200328T023000 DURATION:PT1H RRULE:FREQ=DAILY;COUNT=3")}, "/", "20200328T0130+60 20200329T0130+60 20200330T0030+60"},
		{"in the fold", [][]string{ev("DTSTART;TZID=Europe/Berlin:20201024T023000 DURATION:PT1H RRULE:FREQ=DAILY;COUNT=3")}, "/", "20201024T0030+60 20201025T0030+60 20201026T0130+60"},
		{"hours over the gap", [][]string{ev("DTSTART;TZID=Europe/Berlin:20200329T010000 RRULE:FREQ=HOURLY;COUNT=4")}, "/", "20200329T0000+0 20200329T0100+0 20200329T0200+0"},
		{"UNTIL in UTC", [][]string{ev("DTSTART;TZID=America/New_York:20200101T200000 RRULE:FREQ=DAILY;UNTIL=20200103T010000Z")}, "/", "20200102T0100+0 20200103T0100+0"},
		{"override", [][]string{ev("DTSTART:20200101T100000Z DURATION:PT1H RRULE:FREQ=DAILY;COUNT=3"), ev("SUMMARY:o RECURRENCE-ID:20200102T100000Z DTSTART:20200102T150000Z DURATION:PT2H")}, "/",
			"20200101T1000+60 20200102T1500+120o 20200103T1000+60"},
		{"override moved out of the range", [][]string{ev("DTSTART:20200101T100000Z DURATION:PT1H RRULE:FREQ=DAILY;COUNT=3"), ev("SUMMARY:o RECURRENCE-ID:20200102T100000Z DTSTART:20210102T150000Z")}, "20200102T000000Z/20200103T000000Z", ""},
		{"override moved into the range", [][]string{ev("DTSTART:20200101T100000Z DURATION:PT1H RRULE:FREQ=DAILY;COUNT=3"), ev("SUMMARY:o RECURRENCE-ID:20200102T100000Z DTSTART:20210102T150000Z")}, "20210101T000000Z/20220101T000000Z", "20210102T1500+0o"},
		{"override first in the file, in another zone", [][]string{ev("SUMMARY:o RECURRENCE-ID;TZID=Europe/Berlin:20200102T110000 DTSTART:20200102T150000Z"), ev("DTSTART:20200101T100000Z RRULE:FREQ=DAILY;COUNT=2")}, "/",
			"20200101T1000+0 20200102T1500+0o"},
		{"override by date", [][]string{ev("DTSTART:20200101T100000Z RRULE:FREQ=DAILY;COUNT=2"), ev("SUMMARY:o RECURRENCE-ID;VALUE=DATE:20200102 DTSTART:20200102T150000Z")}, "/", "20200101T1000+0 20200102T1500+0o"},
		{"override of no instance", [][]string{ev("DTSTART:20200101T100000Z RRULE:FREQ=DAILY;COUNT=1"), ev("SUMMARY:o RECURRENCE-ID:20200505T100000Z DTSTART:20200505T150000Z")}, "/", "20200101T1000+0 20200505T1500+0o"},
		{"detached", [][]string{ev("SUMMARY:o RECURRENCE-ID:20200102T100000Z DTSTART:20200102T150000Z"), ev("SUMMARY:p RECURRENCE-ID;RANGE=THISANDFUTURE:20200103T100000Z DTSTART:20200103T150000Z")}, "/",
			"20200102T1500+0o 20200103T1500+0p"},
		{"THISANDFUTURE", [][]string{ev("DTSTART:20200101T100000Z DURATION:PT1H RRULE:FREQ=DAILY;COUNT=5"),
			ev("SUMMARY:f RECURRENCE-ID;RANGE=THISANDFUTURE:20200103T100000Z DTSTART:20200103T120000Z DURATION:PT2H")}, "/",
			"20200101T1000+60 20200102T1000+60 20200103T1200+120f 20200104T1200+120f 20200105T1200+120f"},
		{"THISANDFUTURE and others", [][]string{ev("DTSTART:20200101T100000Z DURATION:PT1H RRULE:FREQ=DAILY;COUNT=6 EXDATE:20200106T100000Z"),
			ev("SUMMARY:g RECURRENCE-ID;RANGE=THISANDFUTURE:20200105T100000Z DTSTART:20200105T090000Z"),
			ev("SUMMARY:f RECURRENCE-ID;RANGE=THISANDFUTURE:20200102T100000Z DTSTART:20200102T120000Z DURATION:PT2H"),
			ev("SUMMARY:o RECURRENCE-ID:20200103T100000Z DTSTART:20200103T230000Z")}, "/",
			"20200101T1000+60 20200102T1200+120f 20200103T2300+0o 20200104T1200+120f 20200105T0900+0g"},
		{"THISANDFUTURE moves far, and into the range", [][]string{ev("DTSTART:20200101T100000Z DURATION:PT1H RRULE:FREQ=WEEKLY"),
			ev("SUMMARY:f RECURRENCE-ID;RANGE=THISANDFUTURE:20200108T100000Z DTSTART:20200318T100000Z")}, "20200319T000000Z/20200401T000000Z", "20200325T1000+0f"},
		{"THISANDFUTURE moves far back", [][]string{ev("DTSTART:20200101T100000Z DURATION:PT1H RRULE:FREQ=WEEKLY"),
			ev("SUMMARY:f RECURRENCE-ID;RANGE=THISANDFUTURE:20200318T100000Z DTSTART:20200108T100000Z")}, "20200114T000000Z/20200116T000000Z", "20200115T1000+60 20200115T1000+0f"},
		{"THISANDFUTURE keeps the clock", [][]string{ev("DTSTART;TZID=Europe/Berlin:20200327T100000 RRULE:FREQ=DAILY;COUNT=3"),
			ev("SUMMARY:f RECURRENCE-ID;RANGE=THISANDFUTURE;TZID=Europe/Berlin:20200328T100000 DTSTART;TZID=Europe/Berlin:20200328T120000")}, "/", "20200327T0900+0 20200328T1100+0f 20200329T1000+0f"},
		{"THISANDFUTURE of dates", [][]string{ev("DTSTART;VALUE=DATE:20200101 RRULE:FREQ=DAILY;COUNT=4"), ev("SUMMARY:f RECURRENCE-ID;VALUE=DATE;RANGE=THISANDFUTURE:20200103 DTSTART;VALUE=DATE:20200104 DURATION:P2D")}, "/",
			"20200101T0000+1440 20200102T0000+1440 20200104T0000+2880f 20200105T0000+2880f"},
		{"THISANDFUTURE makes times of dates", [][]string{ev("DTSTART;VALUE=DATE:20200101 RRULE:FREQ=DAILY;COUNT=3"), ev("SUMMARY:f RECURRENCE-ID;VALUE=DATE;RANGE=THISANDFUTURE:20200102 DTSTART:20200102T120000Z DURATION:PT1H")}, "/",
			"20200101T0000+1440 20200102T1200+60f 20200103T1200+60f"},
		{"THISANDFUTURE makes dates of times", [][]string{ev("DTSTART:20200101T100000Z RRULE:FREQ=DAILY;COUNT=3"), ev("SUMMARY:f RECURRENCE-ID;VALUE=DATE;RANGE=THISANDFUTURE:20200102 DTSTART;VALUE=DATE:20200103")}, "/",
			"20200101T1000+0 20200103T0000+1440f 20200104T0000+1440f"},
		{"two RRULEs", [][]string{ev("DTSTART:20200101T100000Z RRULE:FREQ=DAILY;COUNT=2 RRULE:FREQ=WEEKLY;COUNT=2")}, "/", "20200101T1000+0 20200102T1000+0 20200108T1000+0"},
		{"zone defined after the event", [][]string{{"BEGIN:VTIMEZONE", "TZID:America/New_York", "BEGIN:DAYLIGHT", "DTSTART:20200308T020000", "TZOFFSETFROM:-0500", "TZOFFSETTO:-0400", "END:DAYLIGHT", "END:VTIMEZONE"},
			ev("DTSTART;TZID=America/New_York:20190701T100000 RRULE:FREQ=YEARLY;COUNT=2")}, "/", "20190701T1400+0 20200701T1400+0"},
		{"zone of a Windows program", [][]string{{"BEGIN:VTIMEZONE", "TZID:My own", "BEGIN:STANDARD", "DTSTART:16010101T000000", "TZOFFSETFROM:+0200", "TZOFFSETTO:+0100", "RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10", "END:STANDARD",
			"BEGIN:DAYLIGHT", "DTSTART:16010101T000000", "TZOFFSETFROM:+0100", "TZOFFSETTO:+0200", "RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3", "END:DAYLIGHT", "END:VTIMEZONE"},
			ev("DTSTART;TZID=\"My:own\":20200101T100000 DTEND;TZID=My:20200101T110000"), ev("DTSTART:20200101T100000Z")}, "/", "20200101T1000+60"},
		{"far from 1970", [][]string{ev("DTSTART:19700105T100000Z DURATION:PT1H RRULE:FREQ=WEEKLY")}, "20261101T000000Z/20261108T000000Z", "20261102T1000+60"},
		{"a rule in another calendar", [][]string{ev("DTSTART:20200101T100000Z RRULE:RSCALE=CHINESE;FREQ=YEARLY")}, "/", "20200101T1000+0"},
		{"a leap month of another calendar", [][]string{ev("DTSTART:20140208T100000Z RRULE:RSCALE=HEBREW;FREQ=YEARLY;BYMONTH=5L;BYMONTHDAY=8;SKIP=FORWARD")}, "/", "20140208T1000+0"},
		{"SKIP", [][]string{ev("DTSTART:20200131T100000Z RRULE:RSCALE=GREGORIAN;FREQ=MONTHLY;SKIP=BACKWARD")}, "20200201T000000Z/20200501T000000Z", "20200229T1000+0 20200331T1000+0 20200430T1000+0"},
		{"THISANDFUTURE from an hour that is left out", [][]string{ev("DTSTART;TZID=Europe/Paris:20200328T023000 RRULE:FREQ=DAILY;COUNT=4"),
			ev("SUMMARY:f RECURRENCE-ID;RANGE=THISANDFUTURE;TZID=Europe/Paris:20200329T023000 DTSTART;TZID=Europe/Paris:20200329T180000")}, "/",
			"20200328T0130+0 20200329T1600+0f 20200330T1600+0f 20200331T1600+0f"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var lines []string
			for _, l := range tt.lines {
				lines = append(lines, l...)
			}
			got, err := listStarts(t, parsed(t, lines...), span(t, tt.r))
			if err != nil || got != tt.want {
				t.Errorf("\n got %s (%v)\nwant %s", got, err, tt.want)
			}
		})
	}
}

// RFC 5545 wants DTSTART with a rule; programs for tasks go by DUE.
func TestRecurringToDo(t *testing.T) {
	for _, props := range []string{
		"DUE:20200101T100000Z RRULE:FREQ=WEEKLY",
		"DTSTART:20200101T090000Z DUE:20200101T100000Z RRULE:FREQ=WEEKLY",
	} {
		c := parsed(t, component("VTODO", props)...)
		for s, want := range map[string]bool{"20200108T095900Z/20200108T100000Z": true, "20200109T000000Z/20200115T080000Z": false, "20200108T110000Z/": true} {
			if got, err := c.overlaps(c.Root.Components[0], span(t, s), nil); got != want || err != nil {
				t.Errorf("%s in %s: %v %v", props, s, got, err)
			}
		}
	}
}

// An override answers for itself, or with RANGE for those that follow; the master for
// all of its set.
func TestOverlapsOfOne(t *testing.T) {
	lines := component("VEVENT", "DTSTART:20200101T100000Z DURATION:PT1H RRULE:FREQ=DAILY;COUNT=9")
	lines = append(lines, component("VEVENT", "RECURRENCE-ID:20200102T100000Z DTSTART:20200202T100000Z DURATION:PT1H")...)
	lines = append(lines, component("VEVENT", "RECURRENCE-ID;RANGE=THISANDFUTURE:20200105T100000Z DTSTART:20200105T150000Z DURATION:PT1H")...)
	c := parsed(t, lines...)
	for _, tt := range []struct {
		r    string
		want [3]bool
	}{
		{"20200101T000000Z/20200102T000000Z", [3]bool{true, false, false}},
		{"20200102T000000Z/20200103T000000Z", [3]bool{false, false, false}},
		{"20200202T000000Z/20200203T000000Z", [3]bool{true, true, false}},
		{"20200107T150000Z/20200107T160000Z", [3]bool{true, false, true}},
		{"20200107T100000Z/20200107T110000Z", [3]bool{false, false, false}},
	} {
		for i, want := range tt.want {
			if got, err := c.overlaps(c.Root.Components[i], span(t, tt.r), nil); got != want || err != nil {
				t.Errorf("%d in %s: %v %v", i, tt.r, got, err)
			}
		}
	}
}

// RFC 5545, 3.8.6, and RFC 4791, 9.9.
func TestAlarms(t *testing.T) {
	for _, tt := range []struct{ name, comp, props, alarm, yes, no string }{
		{"before", "VEVENT", "DTSTART:20200102T100000Z DURATION:PT1H", "TRIGGER:-PT15M", "20200102T094500Z/20200102T094501Z", "20200102T094501Z/20200102T120000Z 20200102T000000Z/20200102T094500Z"},
		{"after the end", "VEVENT", "DTSTART:20200102T100000Z DURATION:PT1H", "TRIGGER;RELATED=END:PT5M", "20200102T110500Z/20200102T110501Z", "20200102T100000Z/20200102T110500Z"},
		{"absolute", "VEVENT", "DTSTART:20200102T100000Z RRULE:FREQ=DAILY", "TRIGGER;VALUE=DATE-TIME:20191231T000000Z", "20191231T000000Z/20191231T000001Z", "20200101T000000Z/"},
		{"repeated", "VEVENT", "DTSTART:20200102T100000Z", "TRIGGER:-PT1H REPEAT:4 DURATION:PT10M", "20200102T093500Z/20200102T094100Z 20200102T090000Z/20200102T090001Z", "20200102T094001Z/20200103T000000Z 20200102T093001Z/20200102T094000Z"},
		{"repeated very often", "VEVENT", "DTSTART:20200102T100000Z", "TRIGGER:PT0S REPEAT:99999999999999 DURATION:PT1S", "20200107T100000Z/20200107T100001Z", "20200102T000000Z/20200102T100000Z"},
		{"repeated without DURATION", "VEVENT", "DTSTART:20200102T100000Z", "TRIGGER:PT0S REPEAT:4", "20200102T100000Z/20200102T100001Z", "20200102T100001Z/"},
		{"recurring", "VEVENT", "DTSTART:20200102T100000Z RRULE:FREQ=DAILY", "TRIGGER:-P1D", "20200601T100000Z/20200601T100001Z 20200101T100000Z/20200101T100001Z", "20200601T100001Z/20200602T100000Z"},
		{"a day before the change of clocks", "VEVENT", "DTSTART;TZID=Europe/Berlin:20200329T120000", "TRIGGER:-P1D", "20200328T110000Z/20200328T110001Z", "20200328T100000Z/20200328T110000Z"},
		{"24 hours before the change of clocks", "VEVENT", "DTSTART;TZID=Europe/Berlin:20200329T120000", "TRIGGER:-PT24H", "20200328T100000Z/20200328T100001Z", "20200328T100001Z/20200329T110000Z"},
		{"due", "VTODO", "DUE:20200102T100000Z", "TRIGGER;RELATED=END:-PT15M", "20200102T094500Z/20200102T094501Z", "20200102T094501Z/"},
		{"date", "VEVENT", "DTSTART;VALUE=DATE:20200102", "TRIGGER:PT9H", "20200102T090000Z/20200102T090001Z", "20200102T000000Z/20200102T090000Z"},
		{"end of a date", "VEVENT", "DTSTART;VALUE=DATE:20200102", "TRIGGER;RELATED=END:PT0S", "20200103T000000Z/20200103T000001Z", "20200102T000000Z/20200103T000000Z"},
		{"none", "VEVENT", "DTSTART:20200102T100000Z", "ACTION:AUDIO", "", "/"},
		{"far before", "VEVENT", "DTSTART:20200102T100000Z RRULE:FREQ=MONTHLY;COUNT=2", "TRIGGER:-P1000W", "20001102T100000Z/20001102T100001Z 20001203T100000Z/20001203T100001Z", "20001103T000000Z/20001203T100000Z"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			lines := component(tt.comp, tt.props)
			end := lines[len(lines)-1]
			lines = append(append(append(lines[:len(lines)-1], "BEGIN:VALARM"), strings.Fields(tt.alarm)...), "END:VALARM", end)
			c := parsed(t, lines...)
			alarm := c.Root.Components[0].Components[0]
			for want, ranges := range map[bool]string{true: tt.yes, false: tt.no} {
				for _, s := range strings.Fields(ranges) {
					if got, err := c.overlaps(alarm, span(t, s), nil); got != want || err != nil {
						t.Errorf("%s: %v %v", s, got, err)
					}
				}
			}
		})
	}
	// The alarm of an override is its own.
	lines := component("VEVENT", "DTSTART:20200101T100000Z RRULE:FREQ=DAILY;COUNT=3 BEGIN:VALARM TRIGGER:-PT1H END:VALARM")
	lines = append(lines, component("VEVENT", "RECURRENCE-ID:20200102T100000Z DTSTART:20200102T150000Z BEGIN:VALARM TRIGGER:-PT2H END:VALARM")...)
	c := parsed(t, lines...)
	for i, want := range []string{"20200101T090000Z 20200103T090000Z", "20200102T130000Z"} {
		for u := at("20200101T000000Z"); u < at("20200104T000000Z"); u += 3600 {
			got, err := c.overlaps(c.Root.Components[i].Components[0], TimeRange{u, u + 1}, nil)
			if err != nil || got != strings.Contains(want, utc(u)) {
				t.Errorf("%d at %s: %v %v", i, utc(u), got, err)
			}
		}
	}
}

// RFC 4791, 9.9, at the end.
func TestPropertyTimeRange(t *testing.T) {
	for line, want := range map[string]bool{
		"COMPLETED:20200102T100000Z": true, "COMPLETED:20200102T095959Z": false, "COMPLETED:20200102T110000Z": false,
		"DTSTART;TZID=Europe/Berlin:20200102T110000": true, "LAST-MODIFIED:20200102T105959Z": true, "DUE;VALUE=DATE:20200102": false,
		"SUMMARY:x": false, "RDATE:20190101T000000Z,20200102T100000Z": true,
	} {
		p := ical.ParseProperty(line)
		c := parsed(t, component("VEVENT", "")...)
		if got, err := c.propertyOverlaps(&p, span(t, "20200102T100000Z/20200102T110000Z"), nil); got != want || err != nil {
			t.Errorf("%s: %v %v", line, got, err)
		}
	}
}

// Objects made to keep a server busy end in ErrInstances or soon.
func TestBombs(t *testing.T) {
	manyDates := strings.Repeat("20200102T000000Z,", 150_000)
	var overrides []string
	for i := range 3000 {
		overrides = append(overrides, component("VEVENT", fmt.Sprintf("RECURRENCE-ID;RANGE=THISANDFUTURE:%s DTSTART:%s", utc(int64(i)*86400), utc(int64(i)*86400)))...)
	}
	for name, tt := range map[string]struct {
		lines []string
		err   error // of at least one range
	}{
		"seconds":        {component("VEVENT", "DTSTART:20200101T000000Z RRULE:FREQ=SECONDLY;COUNT=1000000000"), nil},
		"irregular":      {component("VEVENT", "DTSTART:20200101T000000Z RRULE:FREQ=SECONDLY;BYSECOND=1,2;BYMINUTE=1;COUNT=1000000000"), ErrInstances},
		"never":          {component("VEVENT", "DTSTART:20200101T000000Z RRULE:FREQ=MINUTELY;INTERVAL=1440;BYYEARDAY=366;BYMONTH=1"), ErrInstances},
		"excluded":       {component("VEVENT", "DTSTART;VALUE=DATE:20200101 RRULE:FREQ=DAILY;COUNT=100000000 EXDATE:"+manyDates), nil},
		"dates":          {component("VEVENT", "DTSTART:20200101T000000Z RDATE:"+manyDates), ErrInstances},
		"rules":          {component("VEVENT", "DTSTART:20200101T000000Z "+strings.Repeat("RRULE:FREQ=DAILY ", MaxRules+1)), ErrInstances},
		"ranges":         {append(component("VEVENT", "DTSTART:19700101T000000Z RRULE:FREQ=DAILY"), overrides...), ErrInstances},
		"unreadable":     {component("VEVENT", "DTSTART:20200101T000000Z RRULE:FREQ=SOMETIMES"), ErrSyntax},
		"unreadable too": {component("VEVENT", "DTSTART:today"), ErrSyntax},
	} {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			c := parsed(t, tt.lines...)
			var failed error
			for _, comp := range c.Root.Components[:min(10, len(c.Root.Components))] {
				for _, r := range []string{"20500101T123456Z/20500101T123457Z", "99991231T235958Z/99991231T235959Z", "99991231T235958Z/", "20200101T000000Z/20200101T000000Z"} {
					_, err := c.overlaps(comp, span(t, r), nil)
					if err != nil && !errors.Is(err, tt.err) {
						t.Errorf("%v", err)
					}
					failed = cmp.Or(failed, err)
				}
			}
			if !wraps(failed, tt.err) {
				t.Errorf("%v, want %v", failed, tt.err)
			}
			if _, _, _, err := c.span(nil); err != nil && !errors.Is(err, tt.err) {
				t.Errorf("span: %v", err)
			}
			n := 0
			for _, err := range c.expand(span(t, "20200101T000000Z/99991231T235959Z"), MaxExpand, nil) {
				n++
				if err != nil && !errors.Is(err, ErrInstances) && !errors.Is(err, tt.err) {
					t.Errorf("expand: %v", err)
				}
			}
			if n > MaxExpand+1 {
				t.Errorf("%d instances", n)
			}
			f := NewFreeBusy(span(t, "20200101T000000Z/99991231T235959Z"), nil)
			if err := f.Add(c); err != nil && !errors.Is(err, ErrInstances) && !errors.Is(err, tt.err) {
				t.Errorf("free-busy: %v", err)
			}
			if d := time.Since(began); d > 5*time.Second {
				t.Errorf("took %v", d)
			}
		})
	}
}

// TestNarrowRanges: what a narrow range finds is what there is in a wide one. The leap
// to the start of the range must not leave anything out.
func TestNarrowRanges(t *testing.T) {
	m := maker{rand.New(rand.NewPCG(4791, 9))}
	hits := 0
	zones := []*caltime.Zone{nil, (*caltime.Zones)(nil).Lookup("Australia/Lord_Howe"), (*caltime.Zones)(nil).Lookup("America/Los_Angeles")}
	for range 4000 {
		data := string(m.calendar())
		if m.some(.5) {
			data = strings.ReplaceAll(data, "RECURRENCE-ID", "RECURRENCE-ID;RANGE=THISANDFUTURE")
		}
		c, err := ParseCalendar([]byte(data))
		if err != nil {
			t.Fatal(err)
		}
		lo, hi, exact, serr := c.span(nil)
		wide := TimeRange{at("20150101T000000Z"), at("20230101T000000Z")}
		floating := zones[m.IntN(len(zones))]
		c.readSeries(floating)
		for _, s := range c.times.all {
			all, err := c.instances(s, wide, MaxExpand)
			if err != nil {
				continue
			}
			for i := range all {
				l, h, _ := c.cover(&all[i])
				if serr == nil && (l < lo || h > hi || exact && (l != lo || h != hi)) {
					t.Fatalf("cover %s/%s, span %s/%s exact %v\n%s", utc(l), utc(h), utc(lo), utc(hi), exact, data)
				}
			}
			for range 5 {
				r := TimeRange{Start: at("20191220T000000Z") + int64(m.IntN(60*24*4))*900}
				r.End = r.Start + 1 + int64(m.IntN(5*86400))
				got, err := c.instances(s, r, MaxExpand)
				if err != nil {
					t.Fatal(err)
				}
				n := 0
				for i := range all {
					if lo, hi, ok := c.cover(&all[i]); ok && r.meets(lo, hi) {
						n++
					}
				}
				if n != len(got) {
					t.Fatalf("%d instances in %s/%s, not %d\n%s", len(got), utc(r.Start), utc(r.End), n, data)
				}
				hits += n
			}
		}
	}
	if hits < 1000 {
		t.Errorf("only %d hits", hits)
	}
}

func BenchmarkTimeRange(b *testing.B) {
	zone := strings.Split(usEastern, "\n")
	for _, bb := range []struct {
		name  string
		lines []string
	}{
		{"weekly VTIMEZONE", append(zone, component("VEVENT", "DTSTART;TZID=US/Eastern:20240105T100000 DTEND;TZID=US/Eastern:20240105T110000 RRULE:FREQ=WEEKLY;BYDAY=FR")...)},
		{"weekly IANA", component("VEVENT", "DTSTART;TZID=America/New_York:20240105T100000 DTEND;TZID=America/New_York:20240105T110000 RRULE:FREQ=WEEKLY;BYDAY=FR")},
		{"weekly UTC", component("VEVENT", "DTSTART:20240105T100000Z DURATION:PT1H RRULE:FREQ=WEEKLY")},
		{"daily COUNT=1000", component("VEVENT", "DTSTART:20240105T100000Z DURATION:PT1H RRULE:FREQ=DAILY;COUNT=1000")},
		{"monthly from 1970", component("VEVENT", "DTSTART:19700105T100000Z DURATION:PT1H RRULE:FREQ=MONTHLY;BYDAY=-1FR")},
		{"single", append(zone, component("VEVENT", "DTSTART;TZID=US/Eastern:20240105T100000 DURATION:PT1H")...)},
	} {
		b.Run(bb.name, func(b *testing.B) {
			c := parsed(b, bb.lines...)
			zones := &caltime.Zones{}
			comp := c.Root.Components[len(c.Root.Components)-1]
			r := span(b, "20260202T000000Z/20260203T000000Z")
			b.ReportAllocs()
			for b.Loop() {
				c.times, c.Zones = timeCache{}, zones
				if _, err := c.overlaps(comp, r, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
