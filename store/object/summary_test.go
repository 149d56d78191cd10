package object

import (
	"math/rand/v2"
	"strings"
	"testing"

	"inetdav/store/object/caltime"
)

// TestCreated: RFC 4918, 15.1; RFC 5545, 3.8.7.1.
func TestCreated(t *testing.T) {
	event := func(lines ...string) string {
		return string(calendar(append(append([]string{"BEGIN:VEVENT", "UID:1", "DTSTART:20200101T100000Z"}, lines...), "END:VEVENT")...))
	}
	zone := "BEGIN:VTIMEZONE\r\nTZID:x\r\nCREATED:20000101T000000Z\r\nEND:VTIMEZONE"
	for _, c := range []struct{ name, data, want string }{
		{"an event", event("CREATED:20191224T180000Z"), "20191224T180000Z"},
		{"a series with an exception", event("CREATED:20191224T180000Z", "RRULE:FREQ=DAILY", "END:VEVENT", "BEGIN:VEVENT",
			"UID:1", "RECURRENCE-ID:20200102T100000Z", "DTSTART:20200102T110000Z", "CREATED:20191223T180000Z"), "20191223T180000Z"},
		{"with parameters", event("CREATED;X-A=b:20191224T180000Z"), "20191224T180000Z"},
		{"of the zone", string(calendar(zone, "BEGIN:VEVENT", "UID:1", "DTSTART:20200101T100000Z", "END:VEVENT")), ""},
		{"not in UTC", event("CREATED:20191224T180000"), ""},
		{"no time", event("CREATED:yesterday"), ""},
		{"none", event(), ""},
		{"broken", "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n", ""},
	} {
		s, _ := Summarize(KindCalendar, []byte(c.data))
		got, ok := s.Created()
		if ok != (c.want != "") || ok && got != at(c.want) {
			t.Errorf("%s: %d %v, want %s, hints %q", c.name, got, ok, c.want, s.Hints)
		}
	}
}

func TestSummarize(t *testing.T) {
	const day = 86400
	const wide = 26 * 3600
	for _, c := range []struct {
		name  string
		data  []byte
		comp  string
		uid   string
		start int64
		end   int64
		flags Flags
		hints string
	}{
		{"UTC", event("DTSTART:20200101T100000Z", "DTEND:20200101T110000Z", "STATUS:CONFIRMED", "transp:OPAQUE"), "VEVENT", "1",
			at("20200101T100000Z"), at("20200101T110000Z"), Exact | Single | HintsWhole, "STATUS:CONFIRMED\nTRANSP:OPAQUE\n"},
		{"zone", calendar(append(strings.Split(usEastern, "\n"), "BEGIN:VEVENT", "DTSTART;TZID=US/Eastern:20200701T100000", "DURATION:PT1H", "UID:a\\,b", "END:VEVENT")...), "VEVENT", "a,b",
			at("20200701T140000Z"), at("20200701T150000Z"), Exact | Single | HintsWhole | HasTimezone, ""},
		{"date", event("DTSTART;VALUE=DATE:20200101"), "VEVENT", "1",
			at("20200101T000000Z") - wide, at("20200102T000000Z") + wide, Single | HintsWhole, ""},
		{"floating", event("DTSTART:20200101T100000", "DTEND:20200101T110000"), "VEVENT", "1",
			at("20200101T100000Z") - wide, at("20200101T110000Z") + wide, Single | HintsWhole, ""},
		{"rule", event("DTSTART:20200101T100000Z", "DTEND:20200101T110000Z", "RRULE:FREQ=DAILY;COUNT=3"), "VEVENT", "1",
			at("20200101T100000Z"), at("20200103T110000Z"), Recurring | HintsWhole, ""},
		{"endless", event("DTSTART:20200101T100000Z", "DTEND:20200101T110000Z", "RRULE:FREQ=DAILY"), "VEVENT", "1",
			at("20200101T100000Z"), NoEnd, Recurring | HintsWhole, ""},
		{"override", calendar("BEGIN:VEVENT", "UID:1", "DTSTART:20200101T100000Z", "RRULE:FREQ=DAILY;COUNT=2", "DURATION:PT1H", "END:VEVENT",
			"BEGIN:VEVENT", "UID:1", "DTSTART:20200109T100000Z", "RECURRENCE-ID:20200102T100000Z", "DURATION:PT1H", "BEGIN:VALARM", "END:VALARM", "END:VEVENT"), "VEVENT", "1",
			at("20200101T100000Z"), at("20200109T110000Z"), Recurring | Several | HasAlarm, ""},
		{"to-do", calendar("BEGIN:VTODO", "UID:1", "STATUS;X=1:NEEDS-ACTION", "END:VTODO"), "VTODO", "1", NoStart, NoEnd, HintsWhole, "STATUS;X=1:NEEDS-ACTION\n"},
		{"mixed", calendar("BEGIN:VTODO", "UID:1", "END:VTODO", "BEGIN:VEVENT", "UID:1", "END:VEVENT"), "VTODO", "1", NoStart, NoEnd, Several | Mixed, ""},
		{"two UIDs", event("UID:2", "DTSTART:20200101T100000Z", "DURATION:P1D"), "VEVENT", "1", at("20200101T100000Z"), at("20200101T100000Z") + day, Exact | Single, ""},
		{"long hint", calendar("BEGIN:VTODO", "UID:1", "STATUS:"+strings.Repeat("x", MaxHints), "COMPLETED:20200101T100000Z", "END:VTODO"), "VTODO", "1",
			NoStart, NoEnd, Exact, "COMPLETED:20200101T100000Z\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := Summarize(KindCalendar, c.data)
			if err != nil {
				t.Fatal(err)
			}
			if s.Component != c.comp || s.UID != c.uid || s.Flags != c.flags || string(s.Hints) != c.hints {
				t.Errorf("%s %q flags %b, want %b, hints %q", s.Component, s.UID, s.Flags, c.flags, s.Hints)
			}
			if s.Component == "VEVENT" && (s.Start != c.start || s.End != c.end) {
				t.Errorf("%d to %d, want %d to %d", s.Start, s.End, c.start, c.end)
			}
		})
	}
	for _, b := range []string{"", "hello", "BEGIN:VCALENDAR\n", "BEGIN:VCALENDAR\nEND:VCALENDAR\n", string(event()) + string(event())} {
		for _, kind := range []Kind{KindCalendar, KindAddressBook} {
			s, err := Summarize(kind, []byte(b))
			if err == nil || s.Flags&Broken == 0 || s.Start != NoStart || s.End != NoEnd {
				t.Errorf("%q: %+v, %v", b, s, err)
			}
			f := CompFilter{Name: "VCALENDAR"}
			if f.Decide(&s, nil) != No || (&CardFilter{}).Decide(&s) != No {
				t.Errorf("%q matches", b)
			}
		}
	}
	s, err := Summarize(KindAddressBook, archive(addressBook)[0].data)
	const want = "N:Daboo;Cyrus;;Dr.;\nNICKNAME:me\nUID:34222-232@example.com\nFN:Cyrus Daboo\nEMAIL;TYPE=internet,work:daboo@example.com\n" +
		"EMAIL;TYPE=home:cyrus@home.example\nX-ABC.TEL;TYPE=cell:+1\n"
	if err != nil || string(s.Hints) != want || s.Flags != HintsWhole || s.Component != "VCARD" || s.UID != "34222-232@example.com" {
		t.Errorf("%v %+v %s", err, s, s.Hints)
	}
	if s, err := Summarize(KindAddressBook, crlf("BEGIN:VLIST", "FN:x", "END:VLIST")); err != nil || s.Component != "VLIST" {
		t.Errorf("%v %+v", err, s)
	}
}

// maker makes random objects and filters which have a fair chance to meet.
type maker struct{ *rand.Rand }

func (m maker) one(of ...string) string { return of[m.IntN(len(of))] }

func (m maker) some(p float64) bool { return m.Float64() < p }

func (m maker) day() string {
	return "202001" + m.one("01", "02", "03", "04", "05", "06", "07", "08", "09", "10")
}

func (m maker) date(name string) string {
	switch m.IntN(6) {
	case 0:
		return name + ";VALUE=DATE:" + m.day()
	case 1:
		return name + ":" + m.day() + "T" + m.one("00", "10", "23") + "0000"
	case 2:
		return name + ";TZID=" + m.one("US/Eastern", "Europe/Paris", "Nowhere") + ":" + m.day() + "T" + m.one("00", "10", "23") + "0000"
	}
	return name + ":" + m.day() + "T" + m.one("00", "10", "12", "23") + "0000Z"
}

func (m maker) component(name string) []string {
	c := []string{"BEGIN:" + name, "UID:" + m.one("1", "1", "1", "2", " 1 ", "a\\,B", "")}
	if m.some(.1) {
		c = append(c, m.one("UID;X=1:3", "UID:2", "x.UID:2"))
	}
	if m.some(.9) {
		c = append(c, m.date("DTSTART"))
	}
	end := "DTEND"
	if name == "VTODO" {
		end = "DUE"
	}
	switch m.IntN(4) {
	case 0:
		c = append(c, m.date(end))
	case 1:
		c = append(c, "DURATION:"+m.one("PT1H", "P1D", "PT0S", "P2W", "-PT1H"))
	}
	if m.some(.2) {
		c = append(c, "RRULE:"+m.one("FREQ=DAILY", "FREQ=DAILY;COUNT=3", "FREQ=WEEKLY;UNTIL=20200108", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "RSCALE=X;FREQ=DAILY"))
	}
	if m.some(.1) {
		c = append(c, m.date("EXDATE"))
	}
	if m.some(.1) {
		c = append(c, m.date("RDATE"))
	}
	if m.some(.1) {
		c = append(c, m.date("RECURRENCE-ID"))
	}
	if m.some(.4) {
		c = append(c, m.one("STATUS", "status", "g.STATUS")+m.one("", ";X=y", ";X=\"a;b\"")+":"+m.one("CANCELLED", "COMPLETED", "", "a\\,b", "q\x0b="))
	}
	if m.some(.2) {
		c = append(c, m.date("COMPLETED"))
	}
	if m.some(.1) {
		c = append(c, m.date("CREATED"))
	}
	if m.some(.2) {
		c = append(c, "FREEBUSY:"+m.one("20200103T000000Z/20200104T000000Z", "20200105T000000Z/PT1H"))
	}
	if m.some(.2) {
		c = append(c, "BEGIN:"+m.one("VALARM", "X-Y"), "TRIGGER:-PT1H", "END:")
		c[len(c)-1] += strings.TrimPrefix(c[len(c)-3], "BEGIN:")
	}
	return append(c, "END:"+name)
}

func (m maker) calendar() []byte {
	var lines []string
	if m.some(.4) {
		lines = append(lines, strings.Split(usEastern, "\n")...)
	}
	name := m.one("VEVENT", "VEVENT", "VEVENT", "VTODO", "VTODO", "VJOURNAL", "VFREEBUSY", "X-FOO")
	lines = append(lines, m.component(name)...)
	for m.some(.2) {
		if m.some(.1) {
			name = m.one("VEVENT", "VTODO")
		}
		lines = append(lines, m.component(name)...)
	}
	return calendar(lines...)
}

func (m maker) timeRange(p float64) *TimeRange {
	if !m.some(p) {
		return nil
	}
	r := &TimeRange{NoStart, NoEnd}
	start := at("20191231T000000Z") + int64(m.IntN(12*24))*3600
	if m.some(.8) {
		r.Start = start
	}
	if m.some(.8) || r.Start == NoStart {
		r.End = start + 1 + int64(m.IntN(10*24))*3600
	}
	return r
}

func (m maker) textMatch(p float64) *TextMatch {
	if !m.some(p) {
		return nil
	}
	return &TextMatch{
		Text:      m.one("1", "2", "", "a,b", "CANCELLED", "compl", "y", "a;b", "x", "ü", "me", "q\x0b="),
		Collation: m.one("", "i;octet", "i;ascii-casemap", "i;unicode-casemap"),
		MatchType: MatchType(m.IntN(4)),
		Negate:    m.some(.3),
	}
}

func (m maker) params(p float64) []ParamFilter {
	var fs []ParamFilter
	for m.some(p) {
		f := ParamFilter{Name: m.one("X", "TZID", "TYPE", "VALUE"), TextMatch: m.textMatch(.5)}
		f.IsNotDefined = f.TextMatch == nil && m.some(.3)
		fs = append(fs, f)
	}
	return fs
}

func (m maker) filter(name string, depth int) CompFilter {
	f := CompFilter{Name: name}
	if depth > 0 && m.some(.15) {
		f.IsNotDefined = true
		return f
	}
	if depth > 0 {
		f.TimeRange = m.timeRange(.5)
	}
	for m.some(.3) {
		p := PropFilter{Name: m.one("UID", "STATUS", "COMPLETED", "TRANSP", "DTSTART", "PRODID", "g.STATUS")}
		switch m.IntN(4) {
		case 0:
			p.IsNotDefined = true
		case 1:
			p.TimeRange = m.timeRange(.5)
			p.Params = m.params(.2)
		default:
			p.TextMatch = m.textMatch(.8)
			p.Params = m.params(.2)
		}
		f.Props = append(f.Props, p)
		if depth == 0 {
			f.Props = nil
		}
	}
	if depth < 2 {
		for m.some(.6 / float64(depth+1)) {
			f.Comps = append(f.Comps, m.filter(m.one("VEVENT", "VEVENT", "VTODO", "VTODO", "VALARM", "VTIMEZONE", "X-FOO", "VFREEBUSY"), depth+1))
		}
	}
	return f
}

func (m maker) card() []byte {
	lines := []string{"BEGIN:VCARD", "VERSION:3.0"}
	for range m.IntN(8) {
		lines = append(lines, m.one("", "", "a.", "b.")+m.one("FN", "N", "nickname", "EMAIL", "TEL", "ORG", "KIND", "UID", "NOTE", "X-FN")+
			m.one("", "", ";TYPE=x", ";X=\"a;b\",y", ";HOME", ";ENCODING=QUOTED-PRINTABLE")+":"+
			m.one("me", "a\\,b", "me,x", "ME;X", "", "1", "=C3=BC", "Ü", "x\r\n y", strings.Repeat("x", 900)))
	}
	return crlf(append(lines, "END:VCARD")...)
}

func (m maker) cardFilter() CardFilter {
	f := CardFilter{AllOf: m.some(.5)}
	for m.some(.7) {
		p := CardPropFilter{Name: m.one("", "", "a.", "c.") + m.one("FN", "N", "NICKNAME", "email", "TEL", "ORG", "KIND", "UID", "NOTE"), AllOf: m.some(.5)}
		if m.some(.2) {
			p.IsNotDefined = true
		} else {
			for m.some(.5) {
				p.TextMatches = append(p.TextMatches, *m.textMatch(1))
			}
			p.Params = m.params(.3)
		}
		f.Props = append(f.Props, p)
	}
	return f
}

// promise tests what the type Verdict promises, on one random object and filter.
func promise(t *testing.T, m maker) (v Verdict, matched bool) {
	t.Helper()
	zones := []*caltime.Zone{nil, caltime.FixedZone("east", 14*3600), caltime.FixedZone("west", -12*3600)}
	floating := zones[m.IntN(len(zones))]
	if m.some(.3) {
		b, f := m.card(), m.cardFilter()
		s, err := Summarize(KindAddressBook, b)
		if err != nil {
			t.Fatalf("%s: %v", b, err)
		}
		c, err := ParseCard(b)
		if err != nil {
			t.Fatal(err)
		}
		ok, err := f.Match(c)
		if err != nil {
			t.Fatal(err)
		}
		v := f.Decide(&s)
		if v == Yes && !ok || v == No && ok {
			t.Errorf("Decide: %d, Match: %v\n%+v\n%s\n%s", v, ok, f, b, s.Hints)
		}
		return v, ok
	}
	b, f := m.calendar(), m.filter("VCALENDAR", 0)
	s, serr := Summarize(KindCalendar, b)
	c, err := ParseCalendar(b)
	if err != nil {
		t.Fatal(err)
	}
	ok, err := f.Match(c, floating)
	v = f.Decide(&s, floating)
	if err == nil && (v == Yes && !ok || v == No && ok) {
		t.Errorf("Decide: %d, Match: %v, %v\n%s\n%+v %v\n%s", v, ok, f, describe(&f), s, serr, b)
	}
	return v, ok
}

func describe(f *CompFilter) string {
	var b strings.Builder
	b.WriteString("<" + f.Name)
	if f.IsNotDefined {
		b.WriteString(" not")
	}
	if r := f.TimeRange; r != nil {
		b.WriteString(" " + caltime.Civil(max(r.Start, int64(caltime.MinCivil))).String() + "/" + caltime.Civil(min(r.End, int64(caltime.MaxCivil))).String())
	}
	for _, p := range f.Props {
		b.WriteString(" " + p.Name)
		if p.IsNotDefined {
			b.WriteString(" not")
		}
		if p.TextMatch != nil {
			b.WriteString("~" + p.TextMatch.Text)
		}
	}
	for i := range f.Comps {
		b.WriteString(describe(&f.Comps[i]))
	}
	return b.String() + ">"
}

func TestPromise(t *testing.T) {
	m := maker{rand.New(rand.NewPCG(1, 2))}
	var verdicts [3]int
	matches := 0
	for range 30_000 {
		v, ok := promise(t, m)
		if t.Failed() {
			return
		}
		verdicts[v+1]++
		if ok {
			matches++
		}
	}
	// A test in which nothing is ever decided or matched proves nothing.
	if verdicts[0] < 3000 || verdicts[2] < 3000 || matches < 3000 {
		t.Errorf("No, Maybe, Yes: %v; %d matches", verdicts, matches)
	}
}

func FuzzPromise(f *testing.F) {
	f.Add(uint64(1), uint64(1))
	f.Fuzz(func(t *testing.T, a, b uint64) { promise(t, maker{rand.New(rand.NewPCG(a, b))}) })
}

// Whatever the bytes are: no panic, and the summary agrees with the object.
func FuzzSummarize(f *testing.F) {
	for _, x := range archive(rfc4791B + addressBook) {
		f.Add(x.data)
	}
	filters := []CompFilter{
		{Name: "VCALENDAR", Comps: []CompFilter{{Name: "VEVENT", TimeRange: &TimeRange{at("20060103T000000Z"), at("20060105T000000Z")}}}},
		{Name: "VCALENDAR", Comps: []CompFilter{{Name: "VTODO", TimeRange: &TimeRange{at("20060103T000000Z"), NoEnd}}}},
		{Name: "VCALENDAR", Comps: []CompFilter{{Name: "VTODO", Props: []PropFilter{{Name: "STATUS", TextMatch: &TextMatch{Text: "c", Negate: true}}, {Name: "UID"}}}}},
		{Name: "VCALENDAR", Comps: []CompFilter{{Name: "VEVENT", Props: []PropFilter{{Name: "UID", TextMatch: &TextMatch{Text: "1"}}}}}},
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := Summarize(KindCalendar, b)
		c, perr := ParseCalendar(b)
		if perr != nil {
			if err == nil {
				t.Fatalf("Summarize: nil, ParseCalendar: %v", perr)
			}
		} else {
			if s.Component != c.Component() || s.UID != c.UID() {
				t.Fatalf("%q %q, ParseCalendar: %q %q", s.Component, s.UID, c.Component(), c.UID())
			}
			_ = c.Check()
			for i := range filters {
				ok, err := filters[i].Match(c, nil)
				v := filters[i].Decide(&s, nil)
				if err == nil && s.Flags&Broken == 0 && (v == Yes && !ok || v == No && ok) {
					t.Fatalf("%s: Decide: %d, Match: %v, %+v", describe(&filters[i]), v, ok, s)
				}
			}
			d := CalendarData{Comp: &CompSelect{Name: "VCALENDAR", AllProp: true, AllComp: true, Props: []PropSelect{{"SUMMARY", true}}}}
			out, err := d.Append(nil, c, b, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := ParseCalendar(out); err != nil {
				t.Fatalf("%v in %q", err, out)
			}
			r := &TimeRange{at("20060101T000000Z"), at("20060201T000000Z")}
			for _, d := range []CalendarData{{Expand: r}, {LimitRecurrenceSet: r}, {LimitFreeBusySet: r}} {
				out, err := d.Append([]byte("X"), c, b, nil)
				if err != nil {
					if string(out) != "X" {
						t.Fatalf("%v, but %q", err, out)
					}
				} else if _, err := ParseCalendar(out[1:]); err != nil {
					t.Fatalf("%v in %q", err, out)
				}
			}
		}
		s, err = Summarize(KindAddressBook, b)
		card, perr := ParseCard(b)
		if (err == nil) != (perr == nil) {
			t.Fatalf("Summarize: %v, ParseCard: %v", err, perr)
		}
		if perr == nil {
			_ = card.Check()
			for _, name := range []string{"FN", "a.N", "UID"} {
				f := CardFilter{Props: []CardPropFilter{{Name: name, TextMatches: []TextMatch{{Text: "a"}}}, {Name: name, IsNotDefined: true}}}
				ok, err := f.Match(card)
				if v := f.Decide(&s); err != nil || v == Yes && !ok || v == No && ok {
					t.Fatalf("%s: Decide: %d, Match: %v %v, %q", name, v, ok, err, s.Hints)
				}
			}
		}
	})
}

func BenchmarkSummarize(b *testing.B) {
	files := archive(rfc4791B + addressBook)
	for _, x := range []struct {
		name string
		kind Kind
		data []byte
	}{
		{"utc", KindCalendar, event("DTSTAMP:20200101T000000Z", "CREATED:20200101T000000Z", "LAST-MODIFIED:20200101T000000Z", "DTSTART:20200101T100000Z", "DTEND:20200101T110000Z", "SUMMARY:x",
			"DESCRIPTION:some longer text that goes on for a while and is folded in the middl", " e of a word", "LOCATION:here", "SEQUENCE:1", "TRANSP:OPAQUE", "CLASS:PUBLIC",
			"BEGIN:VALARM", "TRIGGER:-PT15M", "ACTION:DISPLAY", "DESCRIPTION:x", "END:VALARM")},
		{"date", KindCalendar, event("DTSTAMP:20200101T000000Z", "DTSTART;VALUE=DATE:20200101", "SUMMARY:x")},
		{"zone", KindCalendar, files[0].data},
		{"rule", KindCalendar, files[1].data},
		{"todo", KindCalendar, files[4].data},
		{"card", KindAddressBook, files[9].data},
	} {
		b.Run(x.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(x.data)))
			for b.Loop() {
				if _, err := Summarize(x.kind, x.data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkDecide(b *testing.B) {
	s, err := Summarize(KindAddressBook, archive(addressBook)[0].data)
	if err != nil {
		b.Fatal(err)
	}
	f := CardFilter{Props: []CardPropFilter{{Name: "FN", TextMatches: []TextMatch{{Text: "nobody"}}}, {Name: "EMAIL", TextMatches: []TextMatch{{Text: "nobody"}}}}}
	b.ReportAllocs()
	for b.Loop() {
		if f.Decide(&s) != No {
			b.Fatal("not No")
		}
	}
}
