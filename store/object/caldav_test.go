package object

import (
	"slices"
	"strings"
	"testing"

	"inetdav/store/object/caltime"
)

// TestExrule: RFC 2445, 4.8.5.2, for which RFC 4791 was written.
func TestExrule(t *testing.T) {
	for _, tt := range []struct{ name, props, want string }{
		{"none", "DTSTART:20200101T100000Z RRULE:FREQ=DAILY;COUNT=4", "01 02 03 04"},
		{"every other", "DTSTART:20200101T100000Z RRULE:FREQ=DAILY;COUNT=6 EXRULE:FREQ=DAILY;INTERVAL=2", "02 04 06"},
		{"weekends", "DTSTART:20200101T100000Z RRULE:FREQ=DAILY;COUNT=7 EXRULE:FREQ=WEEKLY;BYDAY=SA,SU", "01 02 03 06 07"},
		// DTSTART is excluded only by a rule that it fits.
		{"not DTSTART", "DTSTART:20200101T100000Z RRULE:FREQ=DAILY;COUNT=3 EXRULE:FREQ=WEEKLY;BYDAY=TH", "01 03"},
		{"another hour", "DTSTART:20200101T100000Z RRULE:FREQ=DAILY;COUNT=3 EXRULE:FREQ=DAILY;BYHOUR=11", "01 02 03"},
		{"two", "DTSTART:20200101T100000Z RRULE:FREQ=DAILY;COUNT=5 EXRULE:FREQ=WEEKLY;BYDAY=TH EXRULE:FREQ=WEEKLY;BYDAY=SA", "01 03 05"},
		{"RDATE", "DTSTART:20200101T100000Z RRULE:FREQ=DAILY;COUNT=2 RDATE:20200109T100000Z,20200110T100000Z EXRULE:FREQ=WEEKLY;BYDAY=TH", "01 10"},
		{"alone", "DTSTART:20200101T100000Z EXRULE:FREQ=DAILY", ""},
		{"with an end", "DTSTART:20200101T100000Z RRULE:FREQ=DAILY;COUNT=4 EXRULE:FREQ=DAILY;COUNT=2", "03 04"},
		{"date", "DTSTART;VALUE=DATE:20200101 RRULE:FREQ=DAILY;COUNT=4 EXRULE:FREQ=DAILY;INTERVAL=3", "02 03"},
		{"a zone", "DTSTART;TZID=Europe/Berlin:20200101T100000 RRULE:FREQ=DAILY;COUNT=4 EXRULE:FREQ=DAILY;INTERVAL=3", "02 03"},
		{"unreadable", "DTSTART:20200101T100000Z RRULE:FREQ=DAILY;COUNT=2 EXRULE:FREQ=NEVER", "01 02"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := parsed(t, component("VEVENT", tt.props)...)
			c.readSeries(nil)
			for _, r := range []string{"/", "20191231T000000Z/20200201T000000Z"} {
				list, err := c.instances(c.times.all[0], span(t, r), MaxExpand)
				if err != nil {
					t.Fatal(err)
				}
				var got []string
				for _, i := range list {
					got = append(got, i.local.String()[6:8])
				}
				if strings.Join(got, " ") != tt.want {
					t.Errorf("%s: %v, want %s", r, got, tt.want)
				}
			}
			// A range in the middle sees the same.
			for day := 1; day <= 12; day++ {
				d := string(caltime.Date(2020, 1, day).AppendDate(nil))
				r := span(t, d+"T000000Z/"+d+"T235959Z")
				got, err := c.overlaps(c.Root.Components[0], r, nil)
				if err != nil {
					t.Fatal(err)
				}
				if want := slices.Contains(strings.Fields(tt.want), d[6:8]); got != want {
					t.Errorf("%s: %v, want %v", d, got, want)
				}
			}
		})
	}
}

// TestEffectiveEnd: RFC 4791, 9.9: a time-range on DTEND or DUE where there is only
// DURATION, and every instance counts.
func TestEffectiveEnd(t *testing.T) {
	for _, tt := range []struct {
		name, comp, props, prop, in string
		want                        bool
	}{
		{"DTEND itself", "VEVENT", "DTSTART:20200102T100000Z DTEND:20200102T120000Z", "DTEND", "20200102T120000Z/20200102T120001Z", true},
		{"DTEND itself, end", "VEVENT", "DTSTART:20200102T100000Z DTEND:20200102T120000Z", "DTEND", "20200102T110000Z/20200102T120000Z", false},
		{"DTEND by DURATION", "VEVENT", "DTSTART:20200102T100000Z DURATION:PT2H", "DTEND", "20200102T120000Z/20200102T120001Z", true},
		{"DTEND by DURATION, not DTSTART", "VEVENT", "DTSTART:20200102T100000Z DURATION:PT2H", "DTEND", "20200102T100000Z/20200102T120000Z", false},
		{"no DTEND", "VEVENT", "DTSTART:20200102T100000Z", "DTEND", "/", false},
		{"DUE by DURATION", "VTODO", "DTSTART:20200102T100000Z DURATION:PT2H", "DUE", "20200102T120000Z/20200102T120001Z", true},
		{"DUE without DTSTART", "VTODO", "DURATION:PT2H", "DUE", "/", false},
		{"DUE of a VEVENT", "VEVENT", "DTSTART:20200102T100000Z DURATION:PT2H", "DUE", "/", false},
		{"DTSTART of an instance", "VEVENT", "DTSTART:20200102T100000Z DURATION:PT2H RRULE:FREQ=DAILY", "DTSTART", "20200109T100000Z/20200109T100001Z", true},
		{"DTSTART between instances", "VEVENT", "DTSTART:20200102T100000Z DURATION:PT2H RRULE:FREQ=DAILY", "DTSTART", "20200109T100001Z/20200110T100000Z", false},
		{"DTEND of an instance", "VEVENT", "DTSTART:20200102T100000Z DTEND:20200102T120000Z RRULE:FREQ=DAILY", "DTEND", "20200109T120000Z/20200109T120001Z", true},
		{"DTEND between instances", "VEVENT", "DTSTART:20200102T100000Z DTEND:20200102T120000Z RRULE:FREQ=DAILY", "DTEND", "20200109T120001Z/20200110T120000Z", false},
		{"DUE alone, recurring", "VTODO", "DUE:20200102T100000Z RRULE:FREQ=DAILY", "DUE", "20200109T100000Z/20200109T100001Z", true},
		{"DTSTART of DUE alone", "VTODO", "DUE:20200102T100000Z RRULE:FREQ=DAILY", "DTSTART", "/", false},
		{"DTSTAMP is one", "VEVENT", "DTSTAMP:20200101T000000Z DTSTART:20200102T100000Z RRULE:FREQ=DAILY", "DTSTAMP", "20200109T100000Z/20200110T100001Z", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := span(t, tt.in)
			f := CompFilter{Name: "VCALENDAR", Comps: []CompFilter{{Name: tt.comp, Props: []PropFilter{{Name: tt.prop, TimeRange: &r}}}}}
			data := calendar(component(tt.comp, tt.props)...)
			c, err := ParseCalendar(data)
			if err != nil {
				t.Fatal(err)
			}
			got, err := f.Match(c, nil)
			if err != nil || got != tt.want {
				t.Errorf("%v, %v", got, err)
			}
			s, err := Summarize(KindCalendar, data)
			if v := f.Decide(&s, nil); err != nil || v == Yes && !got || v == No && got {
				t.Errorf("Decide: %v, %v", v, err)
			}
		})
	}
}

// TestValidFilter: RFC 4791, 7.8, CALDAV:valid-filter.
func TestValidFilter(t *testing.T) {
	nest := func(names ...string) *CompFilter {
		f := &CompFilter{Name: names[len(names)-1]}
		for _, n := range slices.Backward(names[:len(names)-1]) {
			f = &CompFilter{Name: n, Comps: []CompFilter{*f}}
		}
		return f
	}
	prop := func(name string) *CompFilter {
		return &CompFilter{Name: "VCALENDAR", Comps: []CompFilter{{Name: "VEVENT", Props: []PropFilter{{Name: name, TimeRange: &TimeRange{0, 1}}}}}}
	}
	for _, tt := range []struct {
		name string
		f    *CompFilter
		want error
	}{
		{"VEVENT", nest("VCALENDAR", "VEVENT"), nil},
		{"VALARM", nest("VCALENDAR", "vevent", "valarm"), nil},
		{"STANDARD", nest("VCALENDAR", "VTIMEZONE", "STANDARD"), nil},
		{"AVAILABLE", nest("VCALENDAR", "VAVAILABILITY", "AVAILABLE"), nil},
		{"unknown", nest("VCALENDAR", "X-A", "VEVENT"), nil},
		{"unknown within", nest("VCALENDAR", "VEVENT", "PARTICIPANT"), nil},
		{"VEVENT in VTODO", nest("VCALENDAR", "VTODO", "VEVENT"), ErrFilter},
		{"VCALENDAR twice", nest("VCALENDAR", "VCALENDAR"), ErrFilter},
		{"VALARM in VCALENDAR", nest("VCALENDAR", "VALARM"), ErrFilter},
		{"AVAILABLE in VEVENT", nest("VCALENDAR", "VEVENT", "AVAILABLE"), ErrFilter},
		{"time-range on SUMMARY", prop("Summary"), ErrFilter},
		{"time-range on DTSTAMP", prop("DTSTAMP"), nil},
		{"time-range on X-WHEN", prop("X-WHEN"), nil},
	} {
		if err := tt.f.Check(); !wraps(err, tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// TestCheckLimits: RFC 4791, 5.2.6 to 5.2.9.
func TestCheckLimits(t *testing.T) {
	attendees := func(n int) []string { return slices.Repeat([]string{"ATTENDEE:mailto:a@example.com"}, n) }
	for _, tt := range []struct {
		name string
		data []byte
		want error
	}{
		{"as early as can be", event("DTSTART:00010101T000000Z"), nil},
		{"year 0", event("DTSTART;VALUE=DATE:00000229"), ErrMinDate},
		{"year 0 that is no date", event("DTSTART;VALUE=DATE:00000230"), nil},
		{"year 0 in an EXDATE", event("DTSTART:20200101T000000Z", "EXDATE:20200101T000000Z,00000101T000000Z"), ErrMinDate},
		{"year 0 in a period", event("DTSTART:20200101T000000Z", "RDATE;VALUE=PERIOD:00000101T000000Z/PT1H"), ErrMinDate},
		{"year 0 in an alarm", event("DTSTART:20200101T000000Z", "BEGIN:VALARM", "TRIGGER;VALUE=DATE-TIME:00000101T000000Z", "END:VALARM"), ErrMinDate},
		{"early by its zone", event("DTSTART;TZID=Asia/Tokyo:00010101T085900"), ErrMinDate},
		{"late by its zone", event("DTSTART;TZID=America/New_York:99991231T195900"), ErrMaxDate},
		{"as late as can be", event("DTSTART:99991231T235959Z"), nil},
		{"late floating", event("DTSTART:99991231T235959"), nil},
		{"zones may begin early", calendar("BEGIN:VTIMEZONE", "TZID:x", "BEGIN:STANDARD", "DTSTART:00000101T000000", "TZOFFSETTO:+0000", "END:STANDARD", "END:VTIMEZONE", "BEGIN:VEVENT", "UID:1", "END:VEVENT"), nil},
		{"instances", event("DTSTART:20200101T000000Z", "RRULE:FREQ=DAILY;COUNT=10"), nil},
		{"one too many", event("DTSTART:20200101T000000Z", "RRULE:FREQ=DAILY;COUNT=11"), ErrInstances},
		{"by UNTIL", event("DTSTART:20200101T000000Z", "RRULE:FREQ=DAILY;UNTIL=20200111T000000Z"), ErrInstances},
		{"by RDATE", event("DTSTART:20200101T000000Z", "RDATE;VALUE=DATE:20200102,20200103,20200104,20200105,20200106,20200107,20200108,20200109,20200110,20200111"), ErrInstances},
		{"very many", event("DTSTART:20200101T000000Z", "RRULE:FREQ=SECONDLY;COUNT=1000000000"), ErrInstances},
		{"far apart", event("DTSTART:20200101T000000Z", "RRULE:FREQ=SECONDLY;BYYEARDAY=366;BYHOUR=1;BYMINUTE=1;BYSECOND=1;UNTIL=99991231T000000Z"), ErrInstances},
		{"without an end", event("DTSTART:20200101T000000Z", "RRULE:FREQ=SECONDLY"), nil},
		{"AVAILABLE", calendar("BEGIN:VAVAILABILITY", "UID:1", "BEGIN:AVAILABLE", "UID:2", "DTSTART:20200101T000000Z", "RRULE:FREQ=DAILY;COUNT=11", "END:AVAILABLE", "END:VAVAILABILITY"), ErrInstances},
		{"attendees", event(attendees(MaxAttendees)...), nil},
		{"one attendee too many", event(attendees(MaxAttendees + 1)...), ErrAttendees},
	} {
		c, err := ParseCalendar(tt.data)
		if err != nil {
			t.Fatal(err)
		}
		err = c.CheckLimits(10)
		if tt.name == "year 0 that is no date" {
			if !wraps(err, ErrSyntax) {
				t.Errorf("%s: %v", tt.name, err)
			}
		} else if !wraps(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
}

// TestAvailability: RFC 7953, 4 and 5. Each VAVAILABILITY is hours of one day
// (PRIORITY BUSYTYPE start-end: free free), the answer the letters of each hour: U, B,
// T as in 5.1, F where nobody is busy.
func TestAvailability(t *testing.T) {
	hour := func(s string) string {
		if s == "24" {
			return "20200102T000000Z"
		}
		return "20200101T" + s + "0000Z"
	}
	for _, tt := range []struct {
		name string
		in   []string
		want string
	}{
		{"none", nil, "FFFFFFFFFFFFFFFFFFFFFFFF"},
		{"one", []string{" - 00-24: 09-17"}, "UUUUUUUUUFFFFFFFFUUUUUUU"},
		{"open", []string{" - -: 09-17"}, "UUUUUUUUUFFFFFFFFUUUUUUU"},
		{"open at its end", []string{"0 BUSY 04-:"}, "FFFFBBBBBBBBBBBBBBBBBBBB"},
		{"AVAILABLE counts only within", []string{" - 10-12: 00-11"}, "FFFFFFFFFFFUFFFFFFFFFFFF"},
		{"BUSYTYPE", []string{" BUSY-TENTATIVE 00-02:", " BUSY 04-06:", " X-UNKNOWN 08-10:"}, "TTFFBBFFBBFFFFFFFFFFFFFF"},
		{"higher priority hides", []string{"1 BUSY 00-12: 06-08", "0 - 00-24: 00-03 11-13"}, "BBBBBBFFBBBBFUUUUUUUUUUU"},
		{"1 is higher than 9", []string{"9 - 00-24: 00-24", "1 - 04-06:"}, "FFFFUUFFFFFFFFFFFFFFFFFF"},
		{"9 is higher than 0", []string{"9 - 00-24: 00-24", "0 - 04-06:"}, "FFFFFFFFFFFFFFFFFFFFFFFF"},
		{"equal: BUSY > BUSY-UNAVAILABLE > BUSY-TENTATIVE", []string{"5 BUSY-TENTATIVE 00-06:", "5 BUSY-UNAVAILABLE 02-08:", "5 BUSY 04-10:"}, "TTUUBBBBBBFFFFFFFFFFFFFF"},
		{"equal: each makes available", []string{"5 BUSY 00-06: 02-03", "5 - 00-06: 04-05"}, "BBFBFBFFFFFFFFFFFFFFFFFF"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for range 2 {
				f := NewFreeBusy(span(t, "20200101T000000Z/20200102T000000Z"), nil)
				for _, s := range tt.in {
					head, free, _ := strings.Cut(s, ":")
					fields := strings.Split(head, " ")
					lines := []string{"BEGIN:VAVAILABILITY", "UID:1"}
					if fields[0] != "" {
						lines = append(lines, "PRIORITY:"+fields[0])
					}
					if fields[1] != "-" {
						lines = append(lines, "BUSYTYPE:"+fields[1])
					}
					times := func(s string) {
						a, b, _ := strings.Cut(s, "-")
						if a != "" {
							lines = append(lines, "DTSTART:"+hour(a))
						}
						if b != "" {
							lines = append(lines, "DTEND:"+hour(b))
						}
					}
					times(fields[2])
					for _, a := range strings.Fields(free) {
						lines = append(lines, "BEGIN:AVAILABLE", "UID:"+a)
						times(a)
						lines = append(lines, "END:AVAILABLE")
					}
					data := calendar(append(lines, "END:VAVAILABILITY")...)
					c, err := ParseCalendar(data)
					if err == nil {
						err = c.Check()
					}
					if err != nil {
						t.Fatal(err)
					}
					sum, err := Summarize(KindCalendar, data)
					if err != nil || f.Decide(&sum) == No {
						t.Errorf("%q: %v, %+v", s, err, sum)
					}
					if err := f.Add(c); err != nil {
						t.Fatal(err)
					}
				}
				if err := f.Check(); err != nil {
					t.Fatal(err)
				}
				got := []byte("FFFFFFFFFFFFFFFFFFFFFFFF")
				for b, all := range f.times {
					for _, p := range all {
						for h := p.start; h < p.end; h += 3600 {
							i := (h - f.r.Start) / 3600
							if got[i] != 'F' {
								t.Errorf("hour %d is %c and %c", i, got[i], "BUT"[b])
							}
							got[i] = "BUT"[b]
						}
					}
				}
				if string(got) != tt.want {
					t.Errorf("%s, want %s", got, tt.want)
				}
				slices.Reverse(tt.in) // the order of objects does not matter
			}
		})
	}
}

// TestAvailabilityRange has the rows of the table of RFC 7953, 7.2.2.
func TestAvailabilityRange(t *testing.T) {
	for _, tt := range []struct{ props, yes, no string }{
		{"DTSTART:20200102T100000Z DTEND:20200102T120000Z", "20200102T115959Z/ /20200102T100001Z 20200102T110000Z/20200102T110001Z", "20200102T120000Z/ /20200102T100000Z"},
		{"DTSTART:20200102T100000Z DURATION:PT2H", "20200102T115959Z/ /20200102T100001Z", "20200102T120000Z/ /20200102T100000Z"},
		{"DTSTART:20200102T100000Z", "20300102T115959Z/ /20200102T100001Z", "/20200102T100000Z"},
		{"DTEND:20200102T120000Z", "20200102T115959Z/ /19000102T100001Z", "20200102T120000Z/"},
		{"SUMMARY:x", "20300102T115959Z/ /19000102T100001Z", ""},
		{"DURATION:PT2H", "20300102T115959Z/ /19000102T100001Z", ""},
	} {
		data := calendar(component("VAVAILABILITY", tt.props)...)
		c, err := ParseCalendar(data)
		if err != nil {
			t.Fatal(err)
		}
		sum, err := Summarize(KindCalendar, data)
		if err != nil {
			t.Fatal(err)
		}
		for want, list := range map[bool]string{true: tt.yes, false: tt.no} {
			for _, s := range strings.Fields(list) {
				r := span(t, s)
				f := CompFilter{Name: "VCALENDAR", Comps: []CompFilter{{Name: "VAVAILABILITY", TimeRange: &r}}}
				got, err := f.Match(c, nil)
				if err != nil || got != want {
					t.Errorf("%s in %s: %v, %v", tt.props, s, got, err)
				}
				if v := f.Decide(&sum, nil); v == Yes && !want || v == No && want {
					t.Errorf("%s in %s: Decide: %v", tt.props, s, v)
				}
			}
		}
	}
}

// TestAvailabilityLimits: RFC 7953, 8: complexity is bounded.
func TestAvailabilityLimits(t *testing.T) {
	with := func(lines ...string) *Calendar {
		return parsed(t, append(append([]string{"BEGIN:VAVAILABILITY", "UID:1"}, lines...), "END:VAVAILABILITY")...)
	}
	available := []string{"BEGIN:AVAILABLE", "DTSTART:20200101T000000Z", "DURATION:PT1S", "END:AVAILABLE"}
	seconds := []string{"BEGIN:AVAILABLE", "DTSTART:20200101T000000Z", "DURATION:PT1S", "RRULE:FREQ=SECONDLY;INTERVAL=2", "END:AVAILABLE"}
	r := span(t, "20200101T000000Z/20210101T000000Z")
	f := NewFreeBusy(r, nil)
	if err := f.Add(with(slices.Repeat(available, MaxAvailable+1)...)); !wraps(err, ErrInstances) {
		t.Errorf("AVAILABLEs: %v", err)
	}
	if err := f.Add(with(seconds...)); !wraps(err, ErrInstances) {
		t.Errorf("seconds: %v", err)
	}
	if len(f.available) > 0 || f.free > 0 {
		t.Errorf("an error leaves %d, %d", len(f.available), f.free)
	}
	f.Max = 10
	if err := f.Add(with("BEGIN:AVAILABLE", "DTSTART:20200101T000000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=11", "END:AVAILABLE")); !wraps(err, ErrInstances) {
		t.Errorf("11 of 10: %v", err)
	}
	if err := f.Add(with("BEGIN:AVAILABLE", "DTSTART:20200101T000000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=10", "END:AVAILABLE")); err != nil {
		t.Errorf("10 of 10: %v", err)
	}
	f = NewFreeBusy(r, nil)
	var err error
	for range MaxAvailability + 1 {
		if err = f.Add(with(available...)); err != nil {
			break
		}
	}
	if !wraps(err, ErrInstances) {
		t.Errorf("VAVAILABILITYs: %v", err)
	}
}

// TestPrivateComponents: RFC 4791, 5.3.3.
func TestPrivateComponents(t *testing.T) {
	private := []string{"BEGIN:X-A", "END:X-A"}
	for _, tt := range []struct {
		lines     []string
		component string
		want      error
	}{
		{append(slices.Clone(private), component("VEVENT", "DTSTART:20200101T000000Z")...), "VEVENT", nil},
		{append(component("VTODO", ""), private...), "VTODO", nil},
		{append(slices.Clone(private), private...), "X-A", nil},
		{append(slices.Clone(private), "BEGIN:X-B", "END:X-B"), "X-A", ErrObject},
	} {
		data := calendar(tt.lines...)
		c, err := ParseCalendar(data)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Check(); !wraps(err, tt.want) {
			t.Errorf("%v: %v", tt.lines, err)
		}
		s, err := Summarize(KindCalendar, data)
		if err != nil || s.Component != tt.component || c.Component() != tt.component || s.UID != c.UID() {
			t.Errorf("%v: %v, %+v, %s", tt.lines, err, s, c.Component())
		}
	}
}

// TestWithTimezones: RFC 7809, 3.1.3. What is not known by name, or could not stand in
// a TZID, stays undefined; nothing else changes.
func TestWithTimezones(t *testing.T) {
	for _, tt := range []struct {
		name     string
		data     []byte
		add, cut string // TZIDs
	}{
		{"none", event("DTSTART:20200101T000000Z"), "", ""},
		{"one", event("DTSTART;TZID=Europe/Berlin:20200101T000000"), "Europe/Berlin", ""},
		{"in an alarm", event("BEGIN:VALARM", "X-TIME;TZID=Asia/Tokyo:20200101T000000", "END:VALARM"), "Asia/Tokyo", ""},
		{"twice", event("DTSTART;TZID=Europe/Berlin:20200101T000000", "DTEND;TZID=Europe/Berlin:20200101T000000"), "Europe/Berlin", ""},
		{"unknown", event("DTSTART;TZID=Mars/Phobos:20200101T000000"), "", ""},
		{"of Windows", event("DTSTART;TZID=W. Europe Standard Time:20200101T000000"), "W. Europe Standard Time", ""},
		{"with a line break", event("DTSTART;TZID=a^nBEGIN:VEVENT^n/Europe/Berlin:20200101T000000"), "", ""},
		{"defined", calendar("BEGIN:VTIMEZONE", "TZID:Europe/Berlin", "END:VTIMEZONE", "BEGIN:VEVENT", "DTSTART;TZID=Europe/Berlin:20200101T000000", "END:VEVENT"), "", "Europe/Berlin"},
		{"defined otherwise", calendar("BEGIN:VTIMEZONE", "TZID:Ours", "END:VTIMEZONE", "BEGIN:VEVENT", "DTSTART;TZID=Ours:20200101T000000", "END:VEVENT"), "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ids := func(b []byte) []string {
				c, err := ParseCalendar(b)
				if err != nil {
					t.Fatal(err)
				}
				var ids []string
				for _, comp := range c.Root.Components {
					if comp.Name == "VTIMEZONE" {
						ids = append(ids, comp.Value("TZID"))
					}
				}
				return ids
			}
			c, err := ParseCalendar(tt.data)
			if err != nil {
				t.Fatal(err)
			}
			before := strings.Join(ids(tt.data), ",")
			full := c.WithTimezones(tt.data)
			if got := strings.Join(ids(full), ","); tt.add != "" && got != tt.add || tt.add == "" && string(full) != string(tt.data) {
				t.Errorf("T: %q", full)
			}
			bare := c.WithoutTimezones(tt.data)
			if got := strings.Join(ids(bare), ","); tt.cut != "" && (got != "" || before != tt.cut) || tt.cut == "" && string(bare) != string(tt.data) {
				t.Errorf("F: %q", bare)
			}
			// One undoes the other.
			if fc, err := ParseCalendar(full); err != nil || caltime.IsStandard(tt.add) && string(fc.WithoutTimezones(full)) != string(tt.data) {
				t.Errorf("F of T: %v, %q", err, full)
			}
		})
	}
}
