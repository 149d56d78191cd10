package object

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// What objects may cost that somebody made to cost much. Each is put through
// all that a server does with an object; the time is that of a slow machine
// with others on it, and a bomb would take minutes.
func TestHostile(t *testing.T) {
	repeat := func(n int, f func(i int) []string) []string {
		var lines []string
		for i := range n {
			lines = append(lines, f(i)...)
		}
		return lines
	}
	day := func(i int) string { return time.Unix(int64(i)*86400, 0).UTC().Format("20060102") }
	override := func(i int) []string {
		return []string{"BEGIN:VEVENT", "UID:1", "RECURRENCE-ID:" + day(i) + "T000000Z", "DTSTART:" + day(i) + "T010000Z", "END:VEVENT"}
	}
	rule := func(r string) []byte {
		return event("DTSTART:19700101T000000Z", "DURATION:PT1S", "RRULE:"+r)
	}
	alarm := func(i int) []string {
		return []string{"BEGIN:VALARM", fmt.Sprintf("TRIGGER:-PT%dM", i), "REPEAT:1000", "DURATION:PT1S", "END:VALARM"}
	}
	for _, c := range []struct {
		name string
		data []byte
	}{
		{"COUNT=10^9", rule("FREQ=SECONDLY;COUNT=1000000000")},
		{"SECONDLY", rule("FREQ=SECONDLY")},
		{"UNTIL 9999", rule("FREQ=SECONDLY;UNTIL=99991231T235959Z")},
		{"never", rule("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30")},
		{"never, by seconds", rule("FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30")},
		{"0TH", event("DTSTART:19700101T000000Z", "RRULE:FREQ=MONTHLY;BYDAY=0TH")},
		{"EXRULE", event("DTSTART:19700101T000000Z", "RRULE:FREQ=SECONDLY", "EXRULE:FREQ=SECONDLY")},
		{"many rules", event(append([]string{"DTSTART:19700101T000000Z"}, repeat(1000, func(int) []string { return []string{"RRULE:FREQ=SECONDLY"} })...)...)},
		{"10^5 RDATE", event("DTSTART:19700101T000000Z", "RDATE:"+strings.Join(repeat(100_000, func(i int) []string { return []string{day(i%20000) + "T000000Z"} }), ","))},
		{"10^5 EXDATE", event(append([]string{"DTSTART:19700101T000000Z", "RRULE:FREQ=HOURLY"}, repeat(100_000, func(i int) []string { return []string{"EXDATE:" + day(i%20000) + "T000000Z"} })...)...)},
		{"40000 overrides", calendar(append([]string{"BEGIN:VEVENT", "UID:1", "DTSTART:19700101T000000Z", "RRULE:FREQ=DAILY", "END:VEVENT"}, repeat(40_000, override)...)...)},
		{"40000 overrides without a master", calendar(repeat(40_000, override)...)},
		{"2000 alarms", event(append([]string{"DTSTART:19700101T000000Z", "RRULE:FREQ=HOURLY"}, repeat(2000, alarm)...)...)},
		{"2000 alarms of a bomb", event(append([]string{"DTSTART:19700101T000000Z", "RRULE:FREQ=SECONDLY;COUNT=1000000000"}, repeat(2000, alarm)...)...)},
		{"10^4 onsets", calendar(append(append([]string{"BEGIN:VTIMEZONE", "TZID:x"},
			repeat(10_000, func(i int) []string {
				return []string{"BEGIN:STANDARD", "DTSTART:" + day(i) + "T000000", "TZOFFSETFROM:+0000", "TZOFFSETTO:+0100", "END:STANDARD"}
			})...),
			"END:VTIMEZONE", "BEGIN:VEVENT", "UID:1", "DTSTART;TZID=x:19700101T000000", "RRULE:FREQ=DAILY", "END:VEVENT")...)},
		{"10^4 zones", calendar(append(repeat(10_000, func(i int) []string {
			return []string{"BEGIN:VTIMEZONE", fmt.Sprint("TZID:", i), "BEGIN:STANDARD", "DTSTART:19700101T000000", "TZOFFSETFROM:+0000", "TZOFFSETTO:+0100", "END:STANDARD", "END:VTIMEZONE"}
		}), append([]string{"BEGIN:VEVENT", "UID:1", "DTSTART;TZID=9999:19700101T000000"},
			append(repeat(10_000, func(i int) []string { return []string{fmt.Sprintf("RDATE;TZID=%d:%sT000000", i, day(i))} }), "END:VEVENT")...)...)...)},
		{"free-busy", calendar(append([]string{"BEGIN:VFREEBUSY", "UID:1"}, append(repeat(100_000, func(i int) []string { return []string{"FREEBUSY:" + day(i%20000) + "T000000Z/PT1H"} }), "END:VFREEBUSY")...)...)},
		{"10^5 properties", event(repeat(100_000, func(int) []string { return []string{"X;X=y:z"} })...)},
	} {
		t.Run(c.name, func(t *testing.T) {
			start := time.Now()
			step := func(what string) {
				if d := time.Since(start); d > 5*time.Second {
					t.Errorf("%s: %v", what, d)
				} else if testing.Verbose() {
					t.Logf("%s: %v", what, d)
				}
				start = time.Now()
			}
			cal, err := ParseCalendar(c.data)
			if err != nil {
				t.Fatal(err)
			}
			_ = cal.Check()
			step("check")
			s, _ := Summarize(KindCalendar, c.data)
			step("summarize")
			// Late, in a second with nothing in it where that can be.
			r := &TimeRange{at("20500101T003001Z"), at("20500101T003002Z")}
			text := &TextMatch{Text: "nothing"}
			for _, f := range []CompFilter{
				{Name: "VCALENDAR", Comps: []CompFilter{{Name: s.Component, TimeRange: r}}},
				{Name: "VCALENDAR", Comps: []CompFilter{{Name: s.Component, TimeRange: r, Comps: []CompFilter{{Name: "VALARM", TimeRange: r}}}}},
				{Name: "VCALENDAR", Comps: []CompFilter{{Name: s.Component, Comps: []CompFilter{{Name: "VALARM", TimeRange: r}}}}},
				{Name: "VCALENDAR", Comps: []CompFilter{{Name: s.Component, Props: []PropFilter{{Name: "X", TextMatch: text, Params: []ParamFilter{{Name: "X", TextMatch: text}}}}}}},
				{Name: "VCALENDAR", Comps: []CompFilter{{Name: s.Component, Props: []PropFilter{{Name: "EXDATE", TimeRange: r}}}}},
			} {
				_, _ = f.Match(cal, nil)
				step(describe(&f))
			}
			wide := &TimeRange{at("19700101T000000Z"), at("21000101T000000Z")}
			for name, d := range map[string]CalendarData{"expand": {Expand: wide}, "limit-recurrence-set": {LimitRecurrenceSet: wide}, "limit-recurrence-set, narrow": {LimitRecurrenceSet: r}, "limit-freebusy-set": {LimitFreeBusySet: r}} {
				_, _ = d.Append(nil, cal, c.data, nil)
				step(name)
			}
			for range SplitCalendar(c.data) {
			}
			step("split")
		})
	}
}
