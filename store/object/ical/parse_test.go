package ical

import (
	"strings"
	"testing"
)

func lines(s ...string) string { return strings.Join(s, "\r\n") + "\r\n" }

func TestParseTree(t *testing.T) {
	src := lines("BEGIN:VCALENDAR", "VERSION:2.0", "begin:vevent", "UID:1", "DTSTART;TZID=\"Europe/Paris\";x=a,\"b:c\",d:2020",
		"BEGIN:VALARM", "ACTION:DISPLAY", "END:VALARM", "SUMMARY:a", " b", "\tc", "END:VEVENT", "X-LATE:1", "END:VCALENDAR")
	for _, eol := range []string{"\r\n", "\n", "\r\r\n", "\r\n\r\n", "\n\n"} {
		in := strings.ReplaceAll(src, "\r\n", eol)
		roots, err := Parse([]byte(in))
		if err != nil {
			t.Fatalf("%q: %v", eol, err)
		}
		cal := roots[0]
		if len(roots) != 1 || cal.Name != "VCALENDAR" || len(cal.Properties) != 2 || cal.Value("X-LATE") != "1" || len(cal.Components) != 1 {
			t.Fatalf("%q: %+v", eol, cal)
		}
		ev := cal.Components[0]
		if ev.Name != "VEVENT" || len(ev.Properties) != 3 || ev.Value("SUMMARY") != "abc" || len(ev.Components) != 1 || ev.Components[0].Value("ACTION") != "DISPLAY" {
			t.Fatalf("%q: %+v", eol, ev)
		}
		p := ev.Prop("DTSTART")
		if p.ParamText("TZID") != "Europe/Paris" || len(p.Params) != 2 || strings.Join(p.Param("X").Values, "|") != "a|b:c|d" || p.Value != "2020" {
			t.Fatalf("%q: %+v", eol, p)
		}
		if got := in[ev.Start:ev.End]; !strings.HasPrefix(got, "begin:vevent") || !strings.HasSuffix(got, "END:VEVENT"+eol[:strings.IndexByte(eol, '\n')+1]) {
			t.Fatalf("%q: source of the event is %q", eol, got)
		}
	}
}
