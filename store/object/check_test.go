package object

import (
	"inetdav/store/object/caltime"
	"strings"
	"testing"
)

func calendar(lines ...string) []byte {
	return crlf(append(append([]string{"BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:x"}, lines...), "END:VCALENDAR")...)
}

func event(lines ...string) []byte {
	return calendar(append(append([]string{"BEGIN:VEVENT", "UID:1"}, lines...), "END:VEVENT")...)
}

func TestCheckCalendar(t *testing.T) {
	zone := strings.Split(usEastern, "\n")
	for _, c := range []struct {
		name string
		data []byte
		want error
		say  string
	}{
		{"plain", event("DTSTART:20200101T000000Z"), nil, ""},
		{"bytes that are none", nil, ErrSyntax, "no VCALENDAR"},
		{"something else", []byte("hello"), ErrSyntax, "line 1"},
		{"a card", crlf("BEGIN:VCARD", "UID:1", "END:VCARD"), ErrSyntax, "VCARD"},
		{"cut off", []byte("BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1\r\n"), ErrSyntax, "VEVENT without END"},
		{"two calendars", append(event(), event()...), ErrObject, "more than one"},
		{"4.1 METHOD", calendar("METHOD:REQUEST", "BEGIN:VEVENT", "UID:1", "END:VEVENT"), ErrObject, "line 4: METHOD"},
		{"4.1 two types", calendar("BEGIN:VEVENT", "UID:1", "END:VEVENT", "BEGIN:VTODO", "UID:1", "END:VTODO"), ErrObject, "VTODO beside VEVENT"},
		{"4.1 two UIDs", calendar("BEGIN:VEVENT", "UID:1", "END:VEVENT", "BEGIN:VEVENT", "UID:2", "END:VEVENT"), ErrObject, `"1" and "2"`},
		{"4.1 only overrides", event("RECURRENCE-ID:20200101T000000Z", "DTSTART:20200101T000000Z"), nil, ""},
		{"4.1 a zone too", calendar(append(zone, "BEGIN:VEVENT", "UID:1", "DTSTART;TZID=US/Eastern:20200101T000000", "END:VEVENT")...), nil, ""},
		{"4.1 zone not given", event("DTSTART;TZID=Europe/Paris:20200101T000000"), nil, ""},
		{"nothing in it", calendar(), ErrObject, "no component"},
		{"only a zone", calendar(zone...), ErrObject, "no component"},
		{"zone without name", calendar("BEGIN:VTIMEZONE", "END:VTIMEZONE", "BEGIN:VEVENT", "UID:1", "END:VEVENT"), ErrSyntax, "TZID"},
		{"no UID", calendar("BEGIN:VEVENT", "END:VEVENT"), ErrObject, "without UID"},
		{"blank UID", calendar("BEGIN:VTODO", "UID: ", "END:VTODO"), ErrObject, "without UID"},
		{"free-busy without UID", calendar("BEGIN:VFREEBUSY", "END:VFREEBUSY"), nil, ""},
		{"unknown component", calendar("BEGIN:X-FOO", "END:X-FOO"), nil, ""},
		{"long UID", event("X:1", "END:VEVENT", "BEGIN:VEVENT", "UID:"+strings.Repeat("a", MaxUID+1)), ErrObject, "too long"},
		{"version 1.0", crlf("BEGIN:VCALENDAR", "VERSION:1.0", "BEGIN:VEVENT", "UID:1", "END:VEVENT", "END:VCALENDAR"), ErrSyntax, "version"},
		{"no version", crlf("BEGIN:VCALENDAR", "BEGIN:VEVENT", "UID:1", "DTSTART:20200101T000000Z", "END:VEVENT", "END:VCALENDAR"), nil, ""},
		{"RFC 5545, 3.6.1 no DTSTART", event("SUMMARY:x"), ErrSyntax, "VEVENT without DTSTART"},
		{"3.6.1 two UIDs", event("DTSTART:20200101T000000Z", "UID:1"), ErrSyntax, "UID a second time"},
		{"3.6.1 DTEND and DURATION", event("DTSTART:20200101T000000Z", "DTEND:20200101T010000Z", "DURATION:PT1H"), ErrSyntax, "both DTEND and DURATION"},
		{"DTEND and DURATION of no length", event("DTSTART:20200101T000000Z", "DTEND:20200101T010000Z", "DURATION:PT0S"), nil, ""},
		{"3.8.2.2 types", event("DTSTART:20200101T000000Z", "DTEND;VALUE=DATE:20200102"), ErrSyntax, "different types"},
		{"3.6.5 empty zone", calendar("BEGIN:VTIMEZONE", "TZID:x", "END:VTIMEZONE", "BEGIN:VEVENT", "UID:1", "DTSTART:20200101T000000Z", "END:VEVENT"), ErrSyntax, "without STANDARD"},
		{"a task without dates", calendar("BEGIN:VTODO", "UID:1", "END:VTODO"), nil, ""},
		{"junk line", event("DESCRIPTION:one", "two"), ErrSyntax, `line 7: no content line: "two"`},
		{"control characters", event("DTSTART:20200101T000000Z", "SUMMARY:a\x01\x7f"), nil, ""},
		{"not UTF-8", event("SUMMARY:\xe4"), ErrSyntax, "UTF-8"},
		{"folded within a character", []byte(strings.ReplaceAll(string(event("DTSTART:20200101T000000Z", "SUMMARY:ä")), "\xc3\xa4", "\xc3\r\n \xa4")), nil, ""},
		{"byte order mark", append([]byte("\xef\xbb\xbf"), event("DTSTART:20200101T000000Z")...), ErrSyntax, "byte order mark"},
		{"event in event", event("BEGIN:VEVENT", "UID:1", "END:VEVENT"), ErrSyntax, "VEVENT within VEVENT"},
		{"alarm", event("DTSTART:20200101T000000Z", "BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER:-PT1M", "END:VALARM"), nil, ""},
		{"bad start", event("DTSTART:tomorrow"), ErrSyntax, "line 6: DTSTART"},
		{"30 February", event("DTSTART;VALUE=DATE:20200230"), ErrSyntax, "DTSTART"},
		{"two starts", event("DTSTART:20200101T000000Z", "DTSTART:20200102T000000Z"), ErrSyntax, "second time"},
		{"bad duration", event("DURATION:1H"), ErrSyntax, "DURATION"},
		{"bad rule", event("RRULE:FREQ=SOMETIMES"), ErrSyntax, "RRULE"},
		{"RFC 7529", event("DTSTART:20200101T000000Z", "RRULE:RSCALE=CHINESE;FREQ=YEARLY"), caltime.ErrScale, "RSCALE=CHINESE"},
		{"RFC 7953, 3.1", calendar("BEGIN:VAVAILABILITY", "UID:1", "BEGIN:AVAILABLE", "UID:2", "DTSTART:20200101T000000Z", "DURATION:PT1H", "END:AVAILABLE", "END:VAVAILABILITY"), nil, ""},
		{"RFC 7953, 3.1, two ends", calendar("BEGIN:VAVAILABILITY", "UID:1", "DTSTART:20200101T000000Z", "DURATION:P1D", "DTEND:20200102T000000Z", "END:VAVAILABILITY"), ErrSyntax, "both DTEND and DURATION"},
		{"RFC 7953, 3.1, DURATION of nothing", calendar("BEGIN:VAVAILABILITY", "UID:1", "DURATION:P1D", "END:VAVAILABILITY"), ErrSyntax, "without DTSTART"},
		{"RFC 7953, 3.1, available never", calendar("BEGIN:VAVAILABILITY", "UID:1", "BEGIN:AVAILABLE", "UID:2", "END:AVAILABLE", "END:VAVAILABILITY"), ErrSyntax, "AVAILABLE without DTSTART"},
		{"RFC 7529, a leap month", event("DTSTART:20200101T000000Z", "RRULE:RSCALE=HEBREW;FREQ=YEARLY;BYMONTH=5L"), caltime.ErrScale, "RSCALE=HEBREW"},
		{"RFC 7529, SKIP", event("DTSTART:20200101T000000Z", "RRULE:RSCALE=gregorian;FREQ=YEARLY;SKIP=FORWARD"), nil, ""},
		{"bad EXDATE", event("EXDATE:20200101T000000Z,x"), ErrSyntax, "EXDATE"},
		{"empty EXDATE", event("DTSTART:20200101T000000Z", "EXDATE:"), nil, ""},
		{"RDATE periods", event("DTSTART:20200101T000000Z", "RDATE;VALUE=PERIOD:20200101T000000Z/PT1H, 20200102T000000Z/20200102T010000Z"), nil, ""},
		{"bad zone", calendar("BEGIN:VTIMEZONE", "TZID:x", "BEGIN:STANDARD", "DTSTART:x", "END:STANDARD", "END:VTIMEZONE", "BEGIN:VEVENT", "UID:1", "END:VEVENT"), ErrSyntax, "DTSTART"},
		{"date-time where a date was said", event("DTSTART;VALUE=DATE:20200101T000000"), nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			cal, err := ParseCalendar(c.data)
			if err == nil {
				err = cal.Check()
			}
			if !wraps(err, c.want) || err != nil && !strings.Contains(err.Error(), c.say) {
				t.Errorf("%v, want %v with %q", err, c.want, c.say)
			}
		})
	}
}

func TestCheckCard(t *testing.T) {
	card := func(lines ...string) []byte {
		return crlf(append(append([]string{"BEGIN:VCARD"}, lines...), "END:VCARD")...)
	}
	for _, c := range []struct {
		name string
		data []byte
		want error
		say  string
	}{
		{"plain", card("VERSION:3.0", "UID:1", "FN:x"), nil, ""},
		{"4.0", card("VERSION:4.0", "UID:1", "FN:x"), nil, ""},
		{"2.1", card("VERSION:2.1", "UID:1", "N:x"), nil, ""},
		{"no version", card("UID:1", "FN:x"), nil, ""},
		{"RFC 6350, 6.2.1 no name", card("VERSION:4.0", "UID:1"), ErrSyntax, "without FN"},
		{"2.1 no name", card("VERSION:2.1", "UID:1"), nil, ""},
		{"5.1 no UID", card("VERSION:3.0", "FN:x"), ErrObject, "without UID"},
		{"5.1 two", append(card("UID:1"), card("UID:2")...), ErrObject, "more than one"},
		{"version 5", card("VERSION:5.0", "UID:1"), ErrSyntax, "version"},
		{"a calendar", event(), ErrSyntax, "VCALENDAR"},
		{"list", crlf("BEGIN:VLIST", "FN:x", "END:VLIST"), nil, ""},
		{"junk", card("UID:1", "what"), ErrSyntax, "line 3"},
		{"not UTF-8", card("UID:1", "FN:\xff"), ErrSyntax, "UTF-8"},
		{"long UID", card("FN:x", "UID:"+strings.Repeat("a", MaxUID+1)), ErrObject, "too long"},
		{"empty", nil, ErrSyntax, "no VCARD"},
	} {
		t.Run(c.name, func(t *testing.T) {
			x, err := ParseCard(c.data)
			if err == nil {
				err = x.Check()
			}
			if !wraps(err, c.want) || err != nil && !strings.Contains(err.Error(), c.say) {
				t.Errorf("%v, want %v with %q", err, c.want, c.say)
			}
		})
	}
}
