package object

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"inetdav/store/object/caltime"
)

// expanded is what d makes of a calendar, without its frame and UIDs.
func (d CalendarData) of(t testing.TB, floating *caltime.Zone, lines ...string) string {
	t.Helper()
	source := calendar(lines...)
	c, err := ParseCalendar(source)
	if err != nil {
		t.Fatal(err)
	}
	out, err := d.Append(nil, c, source, floating)
	if err != nil {
		t.Fatal(err)
	}
	s := strings.ReplaceAll(string(out), "\r\n", "\n")
	s = strings.ReplaceAll(s, "UID:1\n", "")
	s = strings.TrimPrefix(s, "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\n")
	return strings.TrimSuffix(s, "END:VCALENDAR\n")
}

// TestExpand: RFC 4791, 9.6.5.
func TestExpand(t *testing.T) {
	usEast := strings.Split(usEastern, "\n")
	in := func(name string, blocks ...string) string {
		var out strings.Builder
		for _, b := range blocks {
			out.WriteString("BEGIN:" + name + "\n" + strings.ReplaceAll(b, " ", "\n") + "\nEND:" + name + "\n")
		}
		return out.String()
	}
	tokyo := (*caltime.Zones)(nil).Lookup("Asia/Tokyo")
	for _, tt := range []struct {
		name     string
		lines    [][]string
		r        string
		floating *caltime.Zone
		want     string
	}{
		{"single", [][]string{usEast, component("VEVENT", "DTSTART;TZID=US/Eastern:20200101T100000 DTEND;TZID=US/Eastern:20200101T110000 X-T;TZID=US/Eastern:20200101T120000,20200701T120000 X-P;TZID=US/Eastern:20200101T120000/PT1H,20200101T120000/20200101T130000 X-Q;TZID=US/Eastern:what")},
			"20200101T000000Z/20200102T000000Z", nil,
			in("VEVENT", "DTSTART:20200101T150000Z DTEND:20200101T160000Z X-T:20200101T170000Z,20200701T160000Z X-P:20200101T170000Z/PT1H,20200101T170000Z/20200101T180000Z X-Q;TZID=US/Eastern:what")},
		{"outside", [][]string{component("VEVENT", "DTSTART:20200101T100000Z")}, "20200102T000000Z/20200103T000000Z", nil, ""},
		{"over the change of clocks", [][]string{component("VEVENT", "DTSTART;TZID=Europe/Berlin:20200328T100000 DTEND;TZID=Europe/Berlin:20200328T110000 RRULE:FREQ=DAILY EXDATE;TZID=Europe/Berlin:20200330T100000")},
			"20200328T000000Z/20200401T000000Z", nil,
			in("VEVENT", "DTSTART:20200328T090000Z DTEND:20200328T100000Z RECURRENCE-ID:20200328T090000Z",
				"DTSTART:20200329T080000Z DTEND:20200329T090000Z RECURRENCE-ID:20200329T080000Z",
				"DTSTART:20200331T080000Z DTEND:20200331T090000Z RECURRENCE-ID:20200331T080000Z")},
		{"a day is longer", [][]string{component("VEVENT", "DTSTART;TZID=Europe/Berlin:20201024T120000 DURATION:P1D RRULE:FREQ=DAILY;COUNT=2")}, "20201024T000000Z/20201027T000000Z", nil,
			in("VEVENT", "DTSTART:20201024T100000Z DURATION:PT90000S RECURRENCE-ID:20201024T100000Z", "DTSTART:20201025T110000Z DURATION:P1D RECURRENCE-ID:20201025T110000Z")},
		{"dates", [][]string{component("VEVENT", "DTSTART;VALUE=DATE:20200101 DTEND;VALUE=DATE:20200103 RRULE:FREQ=WEEKLY;COUNT=2")}, "20200108T000000Z/20200112T000000Z", tokyo,
			in("VEVENT", "DTSTART;VALUE=DATE:20200108 DTEND;VALUE=DATE:20200110 RECURRENCE-ID;VALUE=DATE:20200108")},
		{"floating", [][]string{component("VEVENT", "DTSTART:20200101T100000 DTEND:20200101T110000 RRULE:FREQ=DAILY;COUNT=3")}, "20200102T010000Z/20200102T020000Z", tokyo,
			in("VEVENT", "DTSTART:20200102T100000 DTEND:20200102T110000 RECURRENCE-ID:20200102T100000")},
		{"unknown zone", [][]string{component("VEVENT", "DTSTART;TZID=Nowhere:20200101T100000 DTEND;TZID=Nowhere:20200101T110000")}, "20200101T000000Z/20200102T000000Z", tokyo,
			in("VEVENT", "DTSTART:20200101T010000Z DTEND:20200101T020000Z")},
		{"periods", [][]string{component("VEVENT", "DTSTART:20200101T100000Z DURATION:PT1H RDATE;VALUE=PERIOD:20200102T100000Z/PT3H")}, "20200101T000000Z/20200103T000000Z", nil,
			in("VEVENT", "DTSTART:20200101T100000Z DURATION:PT1H RECURRENCE-ID:20200101T100000Z", "DTSTART:20200102T100000Z DTEND:20200102T130000Z RECURRENCE-ID:20200102T100000Z")},
		{"overrides", [][]string{component("VEVENT", "DTSTART;TZID=Europe/Berlin:20200101T100000 DURATION:PT1H RRULE:FREQ=DAILY;COUNT=5"),
			component("VEVENT", "RECURRENCE-ID;TZID=Europe/Berlin:20200102T100000 DTSTART:20200102T120000Z SUMMARY:o"),
			component("VEVENT", "RECURRENCE-ID;RANGE=THISANDFUTURE;TZID=Europe/Berlin:20200104T100000 DTSTART;TZID=Europe/Berlin:20200104T150000 SUMMARY:f")}, "20200102T000000Z/20200106T000000Z", nil,
			in("VEVENT", "RECURRENCE-ID:20200102T090000Z DTSTART:20200102T120000Z SUMMARY:o",
				"DTSTART:20200103T090000Z DURATION:PT1H RECURRENCE-ID:20200103T090000Z",
				"RECURRENCE-ID:20200104T090000Z DTSTART:20200104T140000Z SUMMARY:f",
				"RECURRENCE-ID:20200105T090000Z DTSTART:20200105T140000Z SUMMARY:f")},
		{"to-dos", [][]string{component("VTODO", "DUE;TZID=Europe/Berlin:20200101T100000 RRULE:FREQ=DAILY;COUNT=2")}, "20200102T000000Z/20200103T000000Z", nil,
			in("VTODO", "DUE:20200102T090000Z RECURRENCE-ID:20200102T090000Z")},
		{"to-do without times", [][]string{component("VTODO", "SUMMARY:x")}, "20200102T000000Z/20200103T000000Z", nil, in("VTODO", "SUMMARY:x")},
		{"alarms", [][]string{component("VEVENT", "DTSTART:20200101T100000Z RRULE:FREQ=DAILY;COUNT=2 BEGIN:VALARM TRIGGER:-PT5M X;TZID=Europe/Berlin:20200101T100000 END:VALARM")}, "20200102T000000Z/20200103T000000Z", nil,
			in("VEVENT", "DTSTART:20200102T100000Z RECURRENCE-ID:20200102T100000Z BEGIN:VALARM TRIGGER:-PT5M X:20200101T090000Z END:VALARM")},
		{"free-busy", [][]string{component("VFREEBUSY", "DTSTART:20200101T100000Z DTEND:20200101T110000Z"), component("VFREEBUSY", "DTSTART:20200105T100000Z DTEND:20200105T110000Z")}, "20200101T000000Z/20200103T000000Z", nil,
			in("VFREEBUSY", "DTSTART:20200101T100000Z DTEND:20200101T110000Z")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var lines []string
			for _, l := range tt.lines {
				lines = append(lines, l...)
			}
			r := span(t, tt.r)
			got := CalendarData{Expand: &r}.of(t, tt.floating, lines...)
			if got != tt.want {
				t.Errorf("got\n%swant\n%s", got, tt.want)
			}
		})
	}
}

// TestExpandedIsTheSame: random objects expand to components without recurrence and
// zones, as many as there are instances, of which each overlaps the range.
func TestExpandedIsTheSame(t *testing.T) {
	m := maker{rand.New(rand.NewPCG(4791, 965))}
	n := 0
	for range 2000 {
		source := m.calendar()
		c, err := ParseCalendar(source)
		if err != nil {
			t.Fatal(err)
		}
		r := TimeRange{Start: at("20191225T000000Z") + int64(m.IntN(20*86400))}
		r.End = r.Start + 1 + int64(m.IntN(10*86400))
		floating := []*caltime.Zone{nil, caltime.FixedZone("east", 9*3600)}[m.IntN(2)]
		out, err := (&CalendarData{Expand: &r}).Append(nil, c, source, floating)
		if err != nil {
			continue
		}
		for _, bad := range []string{"BEGIN:VTIMEZONE", "RRULE", "RDATE", "EXDATE", "TZID=US/Eastern:2"} {
			if strings.Contains(string(out), bad) && !strings.Contains(string(source), "BEGIN:X-FOO") && !strings.Contains(string(source), "BEGIN:VFREEBUSY") {
				t.Fatalf("%s in\n%s\nof\n%s", bad, out, source)
			}
		}
		e, err := ParseCalendar(out)
		if err != nil {
			t.Fatal(err)
		}
		want := 0
		for _, s := range c.times.all {
			list, err := c.instances(s, r, MaxExpand)
			if err != nil {
				t.Fatal(err)
			}
			want += len(list)
		}
		got := 0
		for _, comp := range e.Root.Components {
			switch comp.Name {
			case "VEVENT", "VTODO", "VJOURNAL":
				got++
				p, err := e.part(comp, floating)
				if err != nil {
					t.Fatal(err)
				}
				i := p.at()
				if lo, hi, ok := e.cover(&i); !ok || !r.meets(lo, hi) {
					t.Fatalf("beside the range %s/%s:\n%s\nof\n%s", utc(r.Start), utc(r.End), comp.Append(nil), source)
				}
			}
		}
		if got != want {
			t.Fatalf("%d components for %d instances\n%s\nof\n%s", got, want, out, source)
		}
		n += got
	}
	if n < 500 {
		t.Errorf("only %d instances", n)
	}
}

// TestLimitRecurrenceSet: RFC 4791, 9.6.6.
func TestLimitRecurrenceSet(t *testing.T) {
	lines := component("VEVENT", "SUMMARY:m DTSTART:20200101T100000Z DURATION:PT1H RRULE:FREQ=DAILY;COUNT=30")
	for _, o := range []string{
		"SUMMARY:a RECURRENCE-ID:20200102T100000Z DTSTART:20200202T100000Z",
		"SUMMARY:b RECURRENCE-ID:20200103T100000Z DTSTART:20200103T150000Z",
		"SUMMARY:c RECURRENCE-ID;RANGE=THISANDFUTURE:20200105T100000Z DTSTART:20200105T230000Z",
	} {
		lines = append(lines, component("VEVENT", o)...)
	}
	for r, want := range map[string]string{
		"20200101T000000Z/20200102T000000Z": "m",
		"20200102T000000Z/20200102T100000Z": "m",
		"20200102T105959Z/20200102T120000Z": "ma", // as it would have been
		"20200202T000000Z/20200203T000000Z": "ma", // as it is
		"20200103T000000Z/20200104T000000Z": "mb",
		"20200110T100000Z/20200110T110000Z": "mc", // as it would have been
		"20200110T230000Z/20200110T230001Z": "mc", // as it is
		"20200110T120000Z/20200110T130000Z": "m",
		"20200301T000000Z/20200302T000000Z": "m",
	} {
		limit := span(t, r)
		out := CalendarData{LimitRecurrenceSet: &limit}.of(t, nil, lines...)
		got := ""
		for line := range strings.SplitSeq(out, "\n") {
			if v, ok := strings.CutPrefix(line, "SUMMARY:"); ok {
				got += v
			}
		}
		if got != want {
			t.Errorf("%s: %s, want %s", r, got, want)
		}
	}
	// What is overridden is a period of its own length.
	lines = component("VEVENT", "SUMMARY:m DTSTART:20200101T100000Z DURATION:PT1H RDATE;VALUE=PERIOD:20200105T100000Z/PT48H")
	lines = append(lines, component("VEVENT", "SUMMARY:a RECURRENCE-ID:20200105T100000Z DTSTART:20200202T100000Z")...)
	for r, want := range map[string]bool{"20200107T090000Z/20200107T100000Z": true, "20200107T100000Z/20200107T110000Z": false} {
		limit := span(t, r)
		if got := strings.Contains(CalendarData{LimitRecurrenceSet: &limit}.of(t, nil, lines...), "SUMMARY:a"); got != want {
			t.Errorf("the override of a period in %s: %v", r, got)
		}
	}
	// Without the master.
	limit := span(t, "20200102T000000Z/20200103T000000Z")
	for props, want := range map[string]bool{
		"RECURRENCE-ID:20200102T100000Z DTSTART:20200202T100000Z": true,
		"RECURRENCE-ID:20200107T100000Z DTSTART:20200102T100000Z": true,
		"RECURRENCE-ID:20200107T100000Z DTSTART:20200106T100000Z": false,
		"RECURRENCE-ID:20200107T100000Z":                          false,
	} {
		out := CalendarData{LimitRecurrenceSet: &limit}.of(t, nil, component("VEVENT", props)...)
		if got := out != ""; got != want {
			t.Errorf("%s: %v", props, got)
		}
	}
}

// TestLimitFreeBusySet: RFC 4791, 9.6.7.
func TestLimitFreeBusySet(t *testing.T) {
	r := span(t, "20200102T000000Z/20200103T000000Z")
	out := CalendarData{LimitFreeBusySet: &r}.of(t, nil, component("VFREEBUSY", "DTSTART:20200101T000000Z DTEND:20200105T000000Z "+
		"FREEBUSY:20200101T100000Z/PT1H FREEBUSY;FBTYPE=FREE:20200101T230000Z/PT1H,20200101T230000Z/PT1H1S,20200102T100000Z/20200102T110000Z,20200103T000000Z/PT1H FREEBUSY:what")...)
	const want = "BEGIN:VFREEBUSY\nDTSTART:20200101T000000Z\nDTEND:20200105T000000Z\nFREEBUSY;FBTYPE=FREE:20200101T230000Z/PT1H1S,20200102T100000Z/20200102T1100\n 00Z\nFREEBUSY:what\nEND:VFREEBUSY\n"
	if out != want {
		t.Errorf("got\n%swant\n%s", out, want)
	}
}

// TestFreeBusy: the table and the rules of RFC 4791, 7.10.
func TestFreeBusy(t *testing.T) {
	f := NewFreeBusy(span(t, "20200101T000000Z/20200201T000000Z"), (*caltime.Zones)(nil).Lookup("Asia/Tokyo"))
	f.Stamp = at("20191231T120000Z")
	add := func(lines ...string) {
		t.Helper()
		c := parsed(t, lines...)
		s, err := Summarize(KindCalendar, calendar(lines...))
		before := string(f.Append(nil))
		if err := f.Add(c); err != nil {
			t.Fatal(err)
		}
		if after := string(f.Append(nil)); err == nil && f.Decide(&s) == No && before != after {
			t.Errorf("Decide says No to\n%s", calendar(lines...))
		}
	}
	add(component("VEVENT", "DTSTART:20200102T100000Z DURATION:PT1H")...)
	add(component("VEVENT", "DTSTART:20200102T103000Z DURATION:PT1H STATUS:CONFIRMED TRANSP:OPAQUE")...)
	add(component("VEVENT", "DTSTART:20200102T113000Z DURATION:PT30M STATUS:X-WHATEVER")...)
	add(component("VEVENT", "DTSTART:20200102T110000Z DURATION:PT1H STATUS:TENTATIVE")...)
	add(component("VEVENT", "DTSTART:20200103T100000Z DURATION:PT1H STATUS:CANCELLED")...)
	add(component("VEVENT", "DTSTART:20200103T120000Z DURATION:PT1H TRANSP:TRANSPARENT")...)
	add(component("VEVENT", "DTSTART:20200103T140000Z DURATION:PT1H TRANSP:transparent STATUS:TENTATIVE")...)
	add(component("VEVENT", "DTSTART:20200103T160000Z")...)
	add(component("VTODO", "DTSTART:20200103T100000Z DURATION:PT1H")...)
	add(component("VJOURNAL", "DTSTART:20200103T100000Z")...)
	add(component("VEVENT", "DTSTART;VALUE=DATE:20200110")...)
	add(component("VEVENT", "DTSTART:20191231T230000Z DURATION:PT2H")...)
	add(component("VEVENT", "DTSTART:20200131T230000Z DURATION:P2D")...)
	add(component("VEVENT", "DTSTART:20200301T230000Z DURATION:P2D")...)
	recurring := component("VEVENT", "DTSTART:20200115T100000Z DURATION:PT1H RRULE:FREQ=DAILY;COUNT=4")
	recurring = append(recurring, component("VEVENT", "RECURRENCE-ID:20200116T100000Z DTSTART:20200116T100000Z DURATION:PT1H TRANSP:TRANSPARENT")...)
	recurring = append(recurring, component("VEVENT", "RECURRENCE-ID:20200117T100000Z DTSTART:20200117T130000Z DURATION:PT1H STATUS:TENTATIVE")...)
	add(recurring...)
	cancelled := component("VEVENT", "DTSTART:20200120T100000Z DURATION:PT1H RRULE:FREQ=DAILY;COUNT=4 STATUS:CANCELLED")
	add(append(cancelled, component("VEVENT", "RECURRENCE-ID:20200121T100000Z DTSTART:20200121T100000Z DURATION:PT1H")...)...)
	add(component("VFREEBUSY", "DTSTART:20200125T000000Z DTEND:20200126T000000Z FREEBUSY;FBTYPE=BUSY-UNAVAILABLE:20200125T080000Z/PT1H,20200125T090000Z/20200125T093000Z "+
		"FREEBUSY;FBTYPE=FREE:20200125T120000Z/PT1H FREEBUSY;FBTYPE=BUSY-TENTATIVE:20200125T140000Z/PT1H FREEBUSY;FBTYPE=X-BUSY:20200125T160000Z/PT1H FREEBUSY:20200125T170000Z/PT1H,what")...)
	// An object that cannot be read changes nothing.
	before := string(f.Append(nil))
	bad := append(component("VEVENT", "DTSTART:20200128T100000Z DURATION:PT1H"), "BEGIN:VEVENT", "UID:2", "DTSTART:today", "END:VEVENT")
	if err := f.Add(parsed(t, bad...)); !errors.Is(err, ErrSyntax) || string(f.Append(nil)) != before {
		t.Errorf("%v", err)
	}
	const want = `BEGIN:VCALENDAR
VERSION:2.0
PRODID:` + productID + `
BEGIN:VFREEBUSY
DTSTAMP:20191231T120000Z
DTSTART:20200101T000000Z
DTEND:20200201T000000Z
FREEBUSY:20200101T000000Z/20200101T010000Z
FREEBUSY:20200102T100000Z/20200102T120000Z
FREEBUSY:20200109T150000Z/20200110T150000Z
FREEBUSY:20200115T100000Z/20200115T110000Z
FREEBUSY:20200118T100000Z/20200118T110000Z
FREEBUSY:20200121T100000Z/20200121T110000Z
FREEBUSY:20200125T160000Z/20200125T180000Z
FREEBUSY:20200131T230000Z/20200201T000000Z
FREEBUSY;FBTYPE=BUSY-UNAVAILABLE:20200125T080000Z/20200125T093000Z
FREEBUSY;FBTYPE=BUSY-TENTATIVE:20200102T110000Z/20200102T120000Z
FREEBUSY;FBTYPE=BUSY-TENTATIVE:20200117T130000Z/20200117T140000Z
FREEBUSY;FBTYPE=BUSY-TENTATIVE:20200125T140000Z/20200125T150000Z
END:VFREEBUSY
END:VCALENDAR
`
	if got := strings.ReplaceAll(string(f.Append(nil)), "\r\n", "\n"); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if _, err := ParseCalendar(f.Append(nil)); err != nil {
		t.Error(err)
	}
}

// The periods of many objects in any order are joined as they come.
func TestFreeBusyMerge(t *testing.T) {
	m := rand.New(rand.NewPCG(4791, 710))
	f := NewFreeBusy(TimeRange{0, 1 << 30}, nil)
	var taken [5000]bool
	for range 20000 {
		start := m.IntN(4990)
		end := start + 1 + m.IntN(2)
		f.put(busy, int64(start), int64(end))
		for i := start; i < end; i++ {
			taken[i] = true
		}
		if m.IntN(100) == 0 {
			f.merge(busy)
		}
	}
	f.merge(busy)
	var got [5000]bool
	for i, p := range f.times[busy] {
		if i > 0 && p.start <= f.times[busy][i-1].end {
			t.Fatalf("%v after %v", p, f.times[busy][i-1])
		}
		for j := p.start; j < p.end; j++ {
			got[j] = true
		}
	}
	if got != taken {
		t.Error("not the same time")
	}
}

func TestFreeBusyTooMuch(t *testing.T) {
	f := NewFreeBusy(TimeRange{at("20200101T000000Z"), at("20400101T000000Z")}, nil)
	var err error
	for i := 0; i < 10 && err == nil; i++ {
		err = f.Add(parsed(t, component("VEVENT", "DTSTART:20"+string([]byte{'2', byte('0' + i)})+"0101T000000Z DURATION:PT1M RRULE:FREQ=MINUTELY;INTERVAL=2;COUNT=50000")...))
	}
	if !errors.Is(err, ErrInstances) {
		t.Error(err)
	}
}

// RFC 4791, 5.2.2.
func TestTimezone(t *testing.T) {
	z, err := parsed(t, strings.Split(usEastern, "\n")...).Timezone()
	if err != nil || z.Offset(at("20200701T000000Z")) != -4*3600 {
		t.Error(z, err)
	}
	z, err = parsed(t, "BEGIN:VTIMEZONE", "TZID:Europe/Berlin", "END:VTIMEZONE").Timezone()
	if err != nil || z.Offset(at("20200701T000000Z")) != 2*3600 {
		t.Error(z, err)
	}
	for _, lines := range [][]string{{"BEGIN:VTIMEZONE", "TZID:Nowhere", "END:VTIMEZONE"}, {"BEGIN:VTIMEZONE", "END:VTIMEZONE"}, component("VEVENT", "DTSTART:20200101T000000Z")} {
		if z, err := parsed(t, lines...).Timezone(); !errors.Is(err, ErrSyntax) {
			t.Error(z, err)
		}
	}
}

// FuzzTimes: whatever is in an object, the answers about its time agree with each other
// and come.
func FuzzTimes(f *testing.F) {
	m := maker{rand.New(rand.NewPCG(1, 1))}
	for range 20 {
		f.Add(string(m.calendar()), int64(1577836800), int64(86400))
	}
	f.Fuzz(func(t *testing.T, data string, start, length int64) {
		c, err := ParseCalendar([]byte(data))
		if err != nil {
			return
		}
		r := TimeRange{Start: min(max(start, int64(caltime.MinCivil)), int64(caltime.MaxCivil)-1)}
		r.End = r.Start + 1 + min(max(length, 0), 100*86400)
		lo, hi, exact, serr := c.span(nil)
		for _, comp := range c.Root.Components {
			ok, err := c.overlaps(comp, r, nil)
			if err == nil && serr == nil && comp.Name != "VTIMEZONE" && (ok && !r.meets(lo, hi) || exact && ok != r.meets(lo, hi)) {
				t.Fatalf("%s overlaps %s/%s: %v, span %s/%s exact %v", comp.Name, utc(r.Start), utc(r.End), ok, utc(lo), utc(hi), exact)
			}
			for _, sub := range comp.Components {
				c.overlaps(sub, r, nil)
			}
		}
		n := 0
		for comp, err := range c.expand(r, MaxExpand, nil) {
			if n++; n > MaxExpand+1 || (comp == nil) == (err == nil) {
				t.Fatal(n, comp, err)
			}
		}
		fb := NewFreeBusy(r, nil)
		if err := fb.Add(c); err == nil {
			fb.Append(nil)
		}
	})
}
