package object

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func splitAll(t testing.TB, b []byte) (uids []string, parts []string) {
	t.Helper()
	for p, err := range SplitCalendar(b) {
		if err != nil {
			t.Fatal(err)
		}
		uids = append(uids, p.UID)
		parts = append(parts, string(p.Data))
	}
	return uids, parts
}

// RFC 4791, 4.1: the very example.
func TestSplitCalendar(t *testing.T) {
	one := []string{"BEGIN:VEVENT", "UID:1@example.com", "SUMMARY:One-off", " Meeting", "DTSTART:20041207T120000Z", "END:VEVENT"}
	two := []string{"BEGIN:VEVENT", "UID:2@example.com", "DTSTART;TZID=US/Eastern:20041206T120000", "RRULE:FREQ=WEEKLY", "END:VEVENT"}
	bis := []string{"BEGIN:VEVENT", "UID:2@example.com", "RECURRENCE-ID;TZID=\"US/Eastern\":20041213T120000", "DTSTART;TZID=Nowhere:20041213T130000", "END:VEVENT"}
	zone := strings.Split(usEastern, "\n")
	unused := strings.Split(strings.ReplaceAll(usEastern, "US/Eastern", "Other"), "\n")
	head := []string{"BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:x", "CALSCALE:GREGORIAN"}
	in := crlf(slices.Concat(head, []string{"METHOD:PUBLISH", "X-WR-CALNAME:My\\, cal"}, two, one, unused, zone, bis, []string{"X-WR-CALDESC:a\\nb", "END:VCALENDAR"})...)
	uids, parts := splitAll(t, in)
	if !slices.Equal(uids, []string{"2@example.com", "1@example.com"}) {
		t.Fatalf("%q", uids)
	}
	end := []string{"END:VCALENDAR"}
	if want := string(crlf(slices.Concat(head, zone, two, bis, end)...)); parts[0] != want {
		t.Errorf("%s\nwant\n%s", parts[0], want)
	}
	if want := string(crlf(slices.Concat(head, one, end)...)); parts[1] != want {
		t.Errorf("%s\nwant\n%s", parts[1], want)
	}
	for i := range parts {
		c, err := ParseCalendar([]byte(parts[i]))
		if err != nil || c.Check() != nil || c.UID() != uids[i] {
			t.Errorf("%v, %v", err, c.Check())
		}
	}
	if name, desc := CalendarName(in); name != "My, cal" || desc != "a\nb" {
		t.Errorf("%q, %q", name, desc)
	}
}

func TestSplitWithoutUIDs(t *testing.T) {
	ev := []string{"BEGIN:VEVENT", "DTSTART:20200101T000000Z", "SUMMARY:x", "BEGIN:VALARM", "UID:of the alarm", "END:VALARM", "END:VEVENT"}
	in := calendar(slices.Concat(ev, ev, []string{"BEGIN:VTODO", "END:VTODO"})...)
	in = append(in, calendar("BEGIN:VEVENT", "DTSTART:20200101T000000Z", "UID:a\\,b", "END:VEVENT", "BEGIN:VEVENT", "DTSTART:20200101T000000Z", "UID:c", "END:VEVENT")...)
	uids, parts := splitAll(t, in)
	if len(uids) != 5 || uids[3] != "a,b" || uids[0] == uids[1] || len(uids[0]) != 36 {
		t.Fatalf("%q", uids)
	}
	for i := range parts {
		c, err := ParseCalendar([]byte(parts[i]))
		if err != nil || c.Check() != nil || c.UID() != uids[i] {
			t.Errorf("%v %q %s", err, uids[i], parts[i])
		}
	}
	again, _ := splitAll(t, in)
	if !slices.Equal(uids, again) {
		t.Errorf("other UIDs the second time: %q, %q", uids, again)
	}
}

func TestSplitErrors(t *testing.T) {
	for _, in := range []string{"", "hello", "BEGIN:VCARD\nEND:VCARD\n", "BEGIN:VCALENDAR\nBEGIN:VEVENT\nEND:VCALENDAR\n", string(event()) + "BEGIN:VCALENDAR\n",
		"BEGIN:VCALENDAR\n" + strings.Repeat("BEGIN:X\n", 100)} {
		n := 0
		var last error
		for _, err := range SplitCalendar([]byte(in)) {
			n, last = n+1, err
		}
		if n != 1 || !wraps(last, ErrSyntax) {
			t.Errorf("%.40q: %d yields, %v", in, n, last)
		}
	}
}

func TestSplitCards(t *testing.T) {
	a := string(crlf("BEGIN:VCARD", "VERSION:3.0", "UID:a", "FN:A", "END:VCARD"))
	b := "BEGIN:vCard\nVERSION:4.0\nFN:B\nend:vcard"
	var got []Part
	for p, err := range SplitCards([]byte(a + "\r\n" + b)) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, p)
	}
	if len(got) != 2 || got[0].UID != "a" || string(got[0].Data) != a || len(got[1].UID) != 36 {
		t.Fatalf("%+v", got)
	}
	want := "BEGIN:vCard\nVERSION:4.0\nFN:B\nUID:" + got[1].UID + "\r\nend:vcard\r\n"
	if string(got[1].Data) != want {
		t.Errorf("%q, want %q", got[1].Data, want)
	}
	n := 0
	var last error
	for _, err := range SplitCards([]byte(a + "BEGIN:VEVENT\nEND:VEVENT\n" + a)) {
		n, last = n+1, err
	}
	if n != 2 || !wraps(last, ErrSyntax) {
		t.Errorf("%d yields, %v", n, last)
	}
	for range SplitCards(nil) {
		t.Error("a card of nothing")
	}
}

// Splitting and exporting are inverse as far as the components go, and cost no
// more than linear time.
func TestExport(t *testing.T) {
	for _, kind := range []Kind{KindCalendar, KindAddressBook} {
		files := archive(rfc4791B)
		if kind == KindAddressBook {
			files = archive(addressBook)
		}
		e := NewExport(kind)
		out := e.Header(nil, "Näme, with comma", "two\nlines")
		for _, f := range files {
			var err error
			if out, err = e.Add(out, f.data); err != nil {
				t.Fatal(err)
			}
			before := len(out)
			if out, err = e.Add(out, f.data[:len(f.data)-8]); !wraps(err, ErrSyntax) || len(out) != before {
				t.Fatalf("%s cut off: %v, %d bytes more", f.name, err, len(out)-before)
			}
		}
		out = e.Footer(out)
		i := 0
		split := SplitCalendar
		if kind == KindAddressBook {
			split = SplitCards
		}
		for p, err := range split(out) {
			if err != nil {
				t.Fatal(err)
			}
			want := string(files[i].data)
			got := strings.Replace(string(p.Data), productID, "-//Example Corp.//CalDAV Client//EN", 1)
			if got != want {
				t.Errorf("%s:\n%s\nwant\n%s", files[i].name, got, want)
			}
			i++
		}
		if i != len(files) {
			t.Errorf("%d of %d objects", i, len(files))
		}
		if kind == KindCalendar {
			if n := bytes.Count(out, []byte("BEGIN:VTIMEZONE")); n != 1 {
				t.Errorf("%d time zones", n)
			}
			if name, desc := CalendarName(out); name != "Näme, with comma" || desc != "two\nlines" {
				t.Errorf("%q, %q", name, desc)
			}
		}
	}
	e := NewExport(KindCalendar)
	if _, err := e.Add(nil, []byte("BEGIN:VCARD\nEND:VCARD\n")); !wraps(err, ErrSyntax) {
		t.Error(err)
	}
	// A zone of an object that is left out is not taken for written.
	bad := calendar(append(strings.Split(usEastern, "\n"), "BEGIN:VEVENT")...)
	if _, err := e.Add(nil, bad); err == nil {
		t.Error("no error")
	}
	out, err := e.Add(nil, archive(rfc4791B)[0].data)
	if err != nil || !bytes.Contains(out, []byte("VTIMEZONE")) {
		t.Errorf("%v: %s", err, out)
	}
}

func TestSplitLinear(t *testing.T) {
	start := time.Now()
	for _, in := range []string{
		strings.Repeat("BEGIN:VEVENT\nEND:VEVENT\n", 100_000),
		strings.Repeat("BEGIN:VEVENT\nUID:1\nEND:VEVENT\n", 100_000),
		strings.Repeat("BEGIN:VTIMEZONE\nTZID:1\nEND:VTIMEZONE\n", 100_000),
		"BEGIN:VEVENT\n" + strings.Repeat("X;TZID=a:\nX;TZID=b:\n", 200_000) + "END:VEVENT\n",
	} {
		for range SplitCalendar([]byte("BEGIN:VCALENDAR\n" + in + "END:VCALENDAR\n")) {
		}
	}
	for range SplitCards([]byte(strings.Repeat("BEGIN:VCARD\nEND:VCARD\n", 100_000))) {
	}
	if d := time.Since(start); d > 30*time.Second {
		t.Errorf("%v", d)
	}
}

func FuzzSplit(f *testing.F) {
	for _, x := range archive(rfc4791B + addressBook) {
		f.Add(x.data)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e := NewExport(KindCalendar)
		out := e.Header(nil, "", "")
		n := 0
		for p, err := range SplitCalendar(b) {
			if err != nil {
				if !wraps(err, ErrSyntax) {
					t.Fatal(err)
				}
				return
			}
			c, err := ParseCalendar(p.Data)
			if err != nil || c.UID() != p.UID {
				t.Fatalf("part %q: %v", p.Data, err)
			}
			if out, err = e.Add(out, p.Data); err != nil {
				t.Fatal(err)
			}
			n++
		}
		for _, err := range SplitCalendar(e.Footer(out)) {
			if err != nil {
				t.Fatal(err)
			}
			n--
		}
		if n != 0 {
			t.Fatalf("%d objects lost", n)
		}
		for p, err := range SplitCards(b) {
			if err != nil {
				break
			}
			if c, err := ParseCard(p.Data); err != nil || c.UID() != p.UID {
				t.Fatalf("card %q: %v", p.Data, err)
			}
		}
	})
}

// RFC 5545, 3.1: what is folded within a character comes out whole.
func TestFoldedCharacter(t *testing.T) {
	in := bytes.ReplaceAll(event("SUMMARY:ä", "DTSTART:20200101T000000Z"), []byte("\xc3\xa4"), []byte("\xc3\r\n \xa4"))
	c, err := ParseCalendar(in)
	if err != nil || c.Check() != nil {
		t.Fatal(err, c.Check())
	}
	for _, d := range []CalendarData{{}, {Comp: &CompSelect{Name: "VCALENDAR", AllProp: true, Comps: []CompSelect{{Name: "VEVENT"}}}}} {
		out, err := d.Append(nil, c, in, nil)
		if want := event("SUMMARY:ä", "DTSTART:20200101T000000Z"); err != nil || !bytes.Equal(out, want) {
			t.Errorf("%q, want %q", out, want)
		}
	}
}

// A time zone that is longer than all the rest must not be multiplied without
// bound.
func TestSplitGrowth(t *testing.T) {
	var b strings.Builder
	b.WriteString("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VTIMEZONE\r\nTZID:Long\r\n")
	for range 5000 {
		b.WriteString("COMMENT:" + strings.Repeat("x", 60) + "\r\n")
	}
	b.WriteString("BEGIN:STANDARD\r\nDTSTART:19700101T000000\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0100\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n")
	for i := range 1000 {
		fmt.Fprintf(&b, "BEGIN:VEVENT\r\nUID:%d\r\nDTSTART;TZID=Long:20260101T000000\r\nEND:VEVENT\r\n", i)
	}
	b.WriteString("END:VCALENDAR\r\n")
	total, failed := 0, false
	for part, err := range SplitCalendar([]byte(b.String())) {
		total += len(part.Data)
		failed = failed || errors.Is(err, ErrSyntax)
	}
	if !failed || total > MaxSplitGrowth*b.Len()+MaxSplitExtra {
		t.Errorf("%d bytes of %d, refused: %v", total, b.Len(), failed)
	}
}
