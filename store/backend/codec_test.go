package backend

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
	"time"

	goical "github.com/emersion/go-ical"
	"github.com/emersion/go-vcard"

	"inetdav/store/object"
)

// calendars are bodies of PUTs: ordinary ones, and those at which go-ical's
// decoder panics, overflows the stack or takes minutes.
var calendars = []struct {
	what, body string
	passes     bool
}{
	{"folded, quoted", "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:1\r\nSUMMARY:folded\r\n  line\r\nATTENDEE;CN=\"A; B\";ROLE=X,\"Y,Z\":mailto:a\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n", true},
	{"groups, RFC 6868, no line end", "BEGIN:VCALENDAR\nBEGIN:VEVENT\nitem1.UID:1\nX;A=^'q^':v\nDESCRIPTION:\n\nEND:VEVENT\nEND:VCALENDAR", true},
	{"panics: no colon", "BEGIN:VCALENDAR\nBEGIN:VEVENT\nATTENDEE;CN=foo\nEND:VEVENT\nEND:VCALENDAR\n", false},
	{"panics: text after a quote", "BEGIN:VCALENDAR\nBEGIN:VEVENT\nATTENDEE;CN=\"foo\"x:a\nEND:VEVENT\nEND:VCALENDAR\n", true},
	{"no closing quote", "BEGIN:VCALENDAR\nBEGIN:VEVENT\nX;A=\"b:c\nEND:VEVENT\nEND:VCALENDAR\n", true},
	{"a BEGIN for go-ical only", "BEGIN:VCALENDAR\nBEGIN;X=1:VEVENT\nUID:1\nEND:VCALENDAR\n", false},
	{"quote in a name", "BEGIN:VCALENDAR\nBEGIN:VEVENT\nX;A\"=b:c\"=d:v\nEND:VEVENT\nEND:VCALENDAR\n", false},
	{"no name", "BEGIN:VCALENDAR\nBEGIN:VEVENT\nX;=b:v\nEND:VEVENT\nEND:VCALENDAR\n", false},
	{"nothing", "", false},
	{"deep", "BEGIN:VCALENDAR\n" + strings.Repeat("BEGIN:X\n", 1000), false},
	{"deep for go-ical only", "BEGIN:VCALENDAR\n" + strings.Repeat("BEGIN;A=B:X\n", 1000) + "END:VCALENDAR\n", false},
	{"one long parameter", "BEGIN:VCALENDAR\nX;A=" + strings.Repeat("a", 1<<20) + ":v\nEND:VCALENDAR\n", false},
	{"many long parameters", "BEGIN:VCALENDAR\nX" + strings.Repeat(";A="+strings.Repeat("a", 1<<14), 10) + ":v\nEND:VCALENDAR\n", false},
	{"a parameter of 16 KiB", "BEGIN:VCALENDAR\nX;A=" + strings.Repeat("a", 1<<14) + ":v\nEND:VCALENDAR\n", true},
}

// What Guard lets through is read by go-ical without harm, as the tree that
// this package makes itself.
func checkCalendar(t *testing.T, body []byte) (passed bool) {
	s := &sent{body: body}
	if err := s.read("text/calendar"); err != nil {
		return false
	}
	want := calendarTree(s.calendar.Root)
	got, err := goical.NewDecoder(bytes.NewReader(s.plain)).Decode()
	if err != nil {
		t.Fatalf("%q: %v", s.plain, err)
	}
	if !reflect.DeepEqual(got.Component, want) {
		t.Fatalf("%q: decoded %v, made %v", s.plain, got.Component, want)
	}
	// and what is made of it can be written, or is refused in good order
	cal := decodeCalendar(s.calendar, time.Unix(0, 0))
	if b, err := encodeCalendar(cal); err == nil {
		if _, err := object.ParseCalendar(b); err != nil {
			t.Fatalf("%q: written as %q: %v", body, b, err)
		}
	}
	return true
}

func TestGuardedCalendars(t *testing.T) {
	for _, c := range calendars {
		t.Run(c.what, func(t *testing.T) {
			start := time.Now()
			if passes := checkCalendar(t, []byte(c.body)); passes != c.passes {
				t.Errorf("passes: %v", passes)
			}
			if d := time.Since(start); d > 10*time.Second {
				t.Errorf("took %v", d)
			}
		})
	}
}

func FuzzGuardedCalendar(f *testing.F) {
	for _, c := range calendars[:9] {
		f.Add([]byte(c.body))
	}
	f.Fuzz(func(t *testing.T, b []byte) { checkCalendar(t, b) })
}

var cards = []string{
	"BEGIN:VCARD\r\nVERSION:3.0\r\nUID:1\r\nFN:A\r\nitem1.EMAIL;TYPE=HOME,WORK;PREF=1:a@b\r\nN:a\\;b;c\\,d;;;\r\nPHOTO;ENCODING=b:AAAA\r\n BBBB\r\nEND:VCARD\r\n",
	"BEGIN:VCARD\nVERSION:2.1\nTEL;HOME;X=\"a\\z\":1\nX-A;B=\"c\\\"d\":e\nEND:VCARD\n",
	"BEGIN:VCARD\nBEGIN:X\nEND:X\nEND:VCARD\n",
	"BEGIN:VLIST\nUID:l\nEND:VLIST\n",
	"BEGIN:VCARD\nX;A=\"b\nEND:VCARD\n",
}

func checkCard(t *testing.T, body []byte) {
	s := &sent{body: body}
	if err := s.read("text/vcard"); err != nil {
		return
	}
	// neither may panic; what is read can be written
	vcard.NewDecoder(bytes.NewReader(s.plain)).Decode()
	card, err := decodeCard(s.card)
	if err != nil {
		return
	}
	b, err := encodeCard(card)
	if err != nil {
		t.Fatalf("%q: %v", body, err)
	}
	if _, err := object.ParseCard(b); err != nil {
		t.Fatalf("%q: written as %q: %v", body, b, err)
	}
}

func TestGuardedCards(t *testing.T) {
	for _, c := range cards {
		checkCard(t, []byte(c))
	}
	// folded lines cost go-vcard the square of their number
	long := "BEGIN:VCARD\nVERSION:3.0\nUID:1\nFN:A\nPHOTO:" + strings.Repeat("AAAAAAAAA\n ", 200_000) + "\nEND:VCARD\n"
	start := time.Now()
	checkCard(t, []byte(long))
	if d := time.Since(start); d > 10*time.Second {
		t.Errorf("a long card took %v", d)
	}
}

func FuzzGuardedCard(f *testing.F) {
	for _, c := range cards {
		f.Add([]byte(c))
	}
	f.Fuzz(func(t *testing.T, b []byte) { checkCard(t, b) })
}
