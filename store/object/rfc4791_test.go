package object

import (
	"encoding/xml"
	"fmt"
	"strings"
	"testing"
	"time"

	"inetdav/store/object/caltime"
)

// The calendar of RFC 4791, appendix B, with the corrections that the
// examples of 7.8 need (a second override in abcd2, X-ABC-GUID in abcd3, a
// to-do abcd9 whose alarm lies where 7.8.5 looks for it).
const rfc4791B = `
-- abcd1.ics --
BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Example Corp.//CalDAV Client//EN
@US/Eastern
BEGIN:VEVENT
DTSTAMP:20060206T001102Z
DTSTART;TZID=US/Eastern:20060102T100000
DURATION:PT1H
SUMMARY:Event #1
Description:Go Steelers!
UID:74855313FA803DA593CD579A@example.com
END:VEVENT
END:VCALENDAR
-- abcd2.ics --
BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Example Corp.//CalDAV Client//EN
@US/Eastern
BEGIN:VEVENT
DTSTAMP:20060206T001121Z
DTSTART;TZID=US/Eastern:20060102T120000
DURATION:PT1H
RRULE:FREQ=DAILY;COUNT=5
SUMMARY:Event #2
UID:00959BC664CA650E933C892C@example.com
END:VEVENT
BEGIN:VEVENT
DTSTAMP:20060206T001121Z
DTSTART;TZID=US/Eastern:20060104T140000
DURATION:PT1H
RECURRENCE-ID;TZID=US/Eastern:20060104T120000
SUMMARY:Event #2 bis
UID:00959BC664CA650E933C892C@example.com
END:VEVENT
BEGIN:VEVENT
DTSTAMP:20060206T001121Z
DTSTART;TZID=US/Eastern:20060106T140000
DURATION:PT1H
RECURRENCE-ID;TZID=US/Eastern:20060106T120000
SUMMARY:Event #2 bis bis
UID:00959BC664CA650E933C892C@example.com
END:VEVENT
END:VCALENDAR
-- abcd3.ics --
BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Example Corp.//CalDAV Client//EN
@US/Eastern
BEGIN:VEVENT
ATTENDEE;PARTSTAT=ACCEPTED;ROLE=CHAIR:mailto:cyrus@example.com
ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:lisa@example.com
DTSTAMP:20060206T001220Z
DTSTART;TZID=US/Eastern:20060104T100000
DURATION:PT1H
LAST-MODIFIED:20060206T001330Z
ORGANIZER:mailto:cyrus@example.com
SEQUENCE:1
STATUS:TENTATIVE
SUMMARY:Event #3
UID:DC6C50A017428C5216A2F1CD@example.com
X-ABC-GUID:E1CX5Dr-0007ym-Hz@example.com
END:VEVENT
END:VCALENDAR
-- abcd4.ics --
BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Example Corp.//CalDAV Client//EN
BEGIN:VTODO
DTSTAMP:20060205T235335Z
DUE;VALUE=DATE:20060104
STATUS:NEEDS-ACTION
SUMMARY:Task #1
UID:DDDEEB7915FA61233B861457@example.com
BEGIN:VALARM
ACTION:AUDIO
TRIGGER;RELATED=START:-PT10M
END:VALARM
END:VTODO
END:VCALENDAR
-- abcd5.ics --
BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Example Corp.//CalDAV Client//EN
BEGIN:VTODO
DTSTAMP:20060205T235300Z
DUE;VALUE=DATE:20060106
LAST-MODIFIED:20060205T235308Z
SEQUENCE:1
STATUS:NEEDS-ACTION
SUMMARY:Task #2
UID:E10BA47467C5C69BB74E8720@example.com
BEGIN:VALARM
ACTION:AUDIO
TRIGGER;RELATED=START:-PT10M
END:VALARM
END:VTODO
END:VCALENDAR
-- abcd6.ics --
BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Example Corp.//CalDAV Client//EN
BEGIN:VTODO
COMPLETED:20051223T122322Z
DTSTAMP:20060205T235400Z
DUE;VALUE=DATE:20051225
LAST-MODIFIED:20060205T235308Z
SEQUENCE:1
STATUS:COMPLETED
SUMMARY:Task #3
UID:E10BA47467C5C69BB74E8722@example.com
END:VTODO
END:VCALENDAR
-- abcd7.ics --
BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Example Corp.//CalDAV Client//EN
BEGIN:VTODO
DTSTAMP:20060205T235600Z
DUE;VALUE=DATE:20060101
LAST-MODIFIED:20060205T235308Z
SEQUENCE:1
STATUS:CANCELLED
SUMMARY:Task #4
UID:E10BA47467C5C69BB74E8725@example.com
END:VTODO
END:VCALENDAR
-- abcd8.ics --
BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Example Corp.//CalDAV Client//EN
BEGIN:VFREEBUSY
ORGANIZER;CN="Bernard Desruisseaux":mailto:bernard@example.com
UID:76ef34-54a3d2@example.com
DTSTAMP:20050530T123421Z
DTSTART:20060101T000000Z
DTEND:20060108T000000Z
FREEBUSY:20050531T230000Z/20050601T010000Z
FREEBUSY;FBTYPE=BUSY-TENTATIVE:20060102T100000Z/20060102T120000Z
FREEBUSY:20060103T100000Z/20060103T120000Z
FREEBUSY:20060104T100000Z/20060104T120000Z
FREEBUSY;FBTYPE=BUSY-UNAVAILABLE:20060105T100000Z/20060105T120000Z
FREEBUSY:20060106T100000Z/20060106T120000Z
END:VFREEBUSY
END:VCALENDAR
-- abcd9.ics --
BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Example Corp.//CalDAV Client//EN
@US/Eastern
BEGIN:VTODO
DTSTAMP:20060205T235300Z
DTSTART;TZID=US/Eastern:20060106T120000
DUE;TZID=US/Eastern:20060106T130000
STATUS:COMPLETED
COMPLETED:20060106T180000Z
SUMMARY:Task #2
UID:E10BA47467C5C69BB74E8799@example.com
BEGIN:VALARM
ACTION:AUDIO
TRIGGER;RELATED=START:-PT10M
END:VALARM
END:VTODO
END:VCALENDAR
`

const usEastern = `BEGIN:VTIMEZONE
LAST-MODIFIED:20040110T032845Z
TZID:US/Eastern
BEGIN:DAYLIGHT
DTSTART:20000404T020000
RRULE:FREQ=YEARLY;BYDAY=1SU;BYMONTH=4
TZNAME:EDT
TZOFFSETFROM:-0500
TZOFFSETTO:-0400
END:DAYLIGHT
BEGIN:STANDARD
DTSTART:20001026T020000
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10
TZNAME:EST
TZOFFSETFROM:-0400
TZOFFSETTO:-0500
END:STANDARD
END:VTIMEZONE`

type file struct {
	name string
	data []byte
}

// archive reads texts of the form "-- name --\ncontent"; a line "@zone" stands
// for the time zone.
func archive(s string) []file {
	var files []file
	for part := range strings.SplitSeq(s, "\n-- ") {
		name, data, ok := strings.Cut(part, " --\n")
		if !ok {
			continue
		}
		data = strings.ReplaceAll(data, "@US/Eastern", usEastern)
		if !strings.HasSuffix(data, "\n") {
			data += "\n"
		}
		files = append(files, file{name, []byte(strings.ReplaceAll(data, "\n", "\r\n"))})
	}
	return files
}

// xmlElement lets tests be written in the words of the RFCs.
type xmlElement struct {
	XMLName  xml.Name
	Attrs    []xml.Attr   `xml:",any,attr"`
	Text     string       `xml:",chardata"`
	Children []xmlElement `xml:",any"`
}

func (e *xmlElement) attr(name string) string {
	for _, a := range e.Attrs {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

func mustXML(t testing.TB, s string) *xmlElement {
	t.Helper()
	var e xmlElement
	if err := xml.Unmarshal([]byte(s), &e); err != nil {
		t.Fatalf("%v in %s", err, s)
	}
	return &e
}

func at(s string) int64 {
	x, err := time.Parse("20060102T150405Z", s)
	if err != nil {
		panic(err)
	}
	return x.Unix()
}

func (e *xmlElement) timeRange() *TimeRange {
	r := TimeRange{NoStart, NoEnd}
	if s := e.attr("start"); s != "" {
		r.Start = at(s)
	}
	if s := e.attr("end"); s != "" {
		r.End = at(s)
	}
	return &r
}

func (e *xmlElement) textMatch() *TextMatch {
	m := &TextMatch{Text: e.Text, Collation: e.attr("collation"), Negate: e.attr("negate-condition") == "yes"}
	switch e.attr("match-type") {
	case "equals":
		m.MatchType = Equals
	case "starts-with":
		m.MatchType = StartsWith
	case "ends-with":
		m.MatchType = EndsWith
	}
	return m
}

func (e *xmlElement) compFilter() CompFilter {
	f := CompFilter{Name: e.attr("name")}
	for i := range e.Children {
		c := &e.Children[i]
		switch c.XMLName.Local {
		case "is-not-defined":
			f.IsNotDefined = true
		case "time-range":
			f.TimeRange = c.timeRange()
		case "comp-filter":
			f.Comps = append(f.Comps, c.compFilter())
		case "prop-filter":
			f.Props = append(f.Props, c.propFilter())
		}
	}
	return f
}

func (e *xmlElement) propFilter() PropFilter {
	f := PropFilter{Name: e.attr("name")}
	for i := range e.Children {
		c := &e.Children[i]
		switch c.XMLName.Local {
		case "is-not-defined":
			f.IsNotDefined = true
		case "time-range":
			f.TimeRange = c.timeRange()
		case "text-match":
			f.TextMatch = c.textMatch()
		case "param-filter":
			f.Params = append(f.Params, c.paramFilter())
		}
	}
	return f
}

func (e *xmlElement) paramFilter() ParamFilter {
	f := ParamFilter{Name: e.attr("name")}
	for i := range e.Children {
		c := &e.Children[i]
		switch c.XMLName.Local {
		case "is-not-defined":
			f.IsNotDefined = true
		case "text-match":
			f.TextMatch = c.textMatch()
		}
	}
	return f
}

func (e *xmlElement) cardFilter() CardFilter {
	f := CardFilter{AllOf: e.attr("test") == "allof"}
	for i := range e.Children {
		c := &e.Children[i]
		p := CardPropFilter{Name: c.attr("name"), AllOf: c.attr("test") == "allof"}
		for j := range c.Children {
			switch d := &c.Children[j]; d.XMLName.Local {
			case "is-not-defined":
				p.IsNotDefined = true
			case "text-match":
				p.TextMatches = append(p.TextMatches, *d.textMatch())
			case "param-filter":
				p.Params = append(p.Params, d.paramFilter())
			}
		}
		f.Props = append(f.Props, p)
	}
	return f
}

func (e *xmlElement) compSelect() *CompSelect {
	s := &CompSelect{Name: e.attr("name")}
	for i := range e.Children {
		c := &e.Children[i]
		switch c.XMLName.Local {
		case "allprop":
			s.AllProp = true
		case "allcomp":
			s.AllComp = true
		case "prop":
			s.Props = append(s.Props, PropSelect{c.attr("name"), c.attr("novalue") == "yes"})
		case "comp":
			s.Comps = append(s.Comps, *c.compSelect())
		}
	}
	return s
}

func (e *xmlElement) calendarData() CalendarData {
	var d CalendarData
	for i := range e.Children {
		c := &e.Children[i]
		switch c.XMLName.Local {
		case "comp":
			d.Comp = c.compSelect()
		case "expand":
			d.Expand = c.timeRange()
		case "limit-recurrence-set":
			d.LimitRecurrenceSet = c.timeRange()
		case "limit-freebusy-set":
			d.LimitFreeBusySet = c.timeRange()
		}
	}
	return d
}

// query gives the names of the files which match, and tests on the way that
// what the summary decides is what the object says.
func query(t testing.TB, files []file, f *CompFilter, floating *caltime.Zone) string {
	t.Helper()
	if err := f.Check(); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, x := range files {
		c, err := ParseCalendar(x.data)
		if err != nil {
			t.Fatalf("%s: %v", x.name, err)
		}
		ok, err := f.Match(c, floating)
		if err != nil {
			t.Fatalf("%s: %v", x.name, err)
		}
		s, err := Summarize(KindCalendar, x.data)
		if err != nil {
			t.Fatalf("%s: %v", x.name, err)
		}
		if v := f.Decide(&s, floating); v == Yes && !ok || v == No && ok {
			t.Errorf("%s: Decide: %d, Match: %v", x.name, v, ok)
		}
		if ok {
			names = append(names, strings.TrimSuffix(x.name, ".ics"))
		}
	}
	return strings.Join(names, " ")
}

func comp(inner string) string {
	return `<comp-filter name="VCALENDAR">` + inner + `</comp-filter>`
}

func TestCalendarQuery(t *testing.T) {
	files := archive(rfc4791B)
	for _, c := range []struct{ section, filter, want string }{
		{"7.8.1", `<comp-filter name="VEVENT"><time-range start="20060104T000000Z" end="20060105T000000Z"/></comp-filter>`, "abcd2 abcd3"},
		{"7.8.2", `<comp-filter name="VEVENT"><time-range start="20060103T000000Z" end="20060105T000000Z"/></comp-filter>`, "abcd2 abcd3"},
		{"7.8.4", `<comp-filter name="VFREEBUSY"><time-range start="20060102T000000Z" end="20060103T000000Z"/></comp-filter>`, "abcd8"},
		{"7.8.5", `<comp-filter name="VTODO"><comp-filter name="VALARM"><time-range start="20060106T100000Z" end="20060107T100000Z"/></comp-filter></comp-filter>`, "abcd9"},
		{"7.8.6", `<comp-filter name="VEVENT"><prop-filter name="UID"><text-match collation="i;octet">DC6C50A017428C5216A2F1CD@example.com</text-match></prop-filter></comp-filter>`, "abcd3"},
		{"7.8.7", `<comp-filter name="VEVENT"><prop-filter name="ATTENDEE"><text-match collation="i;ascii-casemap">mailto:lisa@example.com</text-match><param-filter name="PARTSTAT"><text-match collation="i;ascii-casemap">NEEDS-ACTION</text-match></param-filter></prop-filter></comp-filter>`, "abcd3"},
		{"7.8.8", `<comp-filter name="VEVENT"/>`, "abcd1 abcd2 abcd3"},
		{"7.8.9", `<comp-filter name="VTODO"><prop-filter name="COMPLETED"><is-not-defined/></prop-filter><prop-filter name="STATUS"><text-match negate-condition="yes">CANCELLED</text-match></prop-filter></comp-filter>`, "abcd4 abcd5"},
		{"7.8.10 which is supported here", `<comp-filter name="VEVENT"><prop-filter name="X-ABC-GUID"><text-match>e1cx</text-match></prop-filter></comp-filter>`, "abcd3"},
		{"9.7 empty", ``, "abcd1 abcd2 abcd3 abcd4 abcd5 abcd6 abcd7 abcd8 abcd9"},
		{"9.7.1 is-not-defined", `<comp-filter name="VEVENT"><is-not-defined/></comp-filter>`, "abcd4 abcd5 abcd6 abcd7 abcd8 abcd9"},
		{"9.7.1 zone", `<comp-filter name="VTIMEZONE"/>`, "abcd1 abcd2 abcd3 abcd9"},
		{"9.7.1 no zone", `<comp-filter name="VTIMEZONE"><is-not-defined/></comp-filter>`, "abcd4 abcd5 abcd6 abcd7 abcd8"},
		{"9.7.1 zone by property", `<comp-filter name="VTIMEZONE"><prop-filter name="TZID"><text-match>eastern</text-match></prop-filter></comp-filter>`, "abcd1 abcd2 abcd3 abcd9"},
		{"9.7.1 deeper", `<comp-filter name="VTIMEZONE"><comp-filter name="DAYLIGHT"><prop-filter name="TZNAME"><text-match>EDT</text-match></prop-filter></comp-filter></comp-filter>`, "abcd1 abcd2 abcd3 abcd9"},
		{"9.7.1 no alarm", `<comp-filter name="VTODO"><comp-filter name="VALARM"><is-not-defined/></comp-filter></comp-filter>`, "abcd6 abcd7"},
		{"9.7.1 alarm", `<comp-filter name="vtodo"><comp-filter name="valarm"/></comp-filter>`, "abcd4 abcd5 abcd9"},
		{"9.7.1 alarm and property", `<comp-filter name="VTODO"><prop-filter name="SUMMARY"><text-match>#2</text-match></prop-filter><comp-filter name="VALARM"/></comp-filter>`, "abcd5 abcd9"},
		{"9.7.1 two types", `<comp-filter name="VEVENT"/><comp-filter name="VTODO"/>`, ""},
		{"9.7.1 unknown", `<comp-filter name="X-FOO"/>`, ""},
		{"9.7.1 not unknown", `<comp-filter name="VEVENT"/><comp-filter name="X-FOO"><is-not-defined/></comp-filter>`, "abcd1 abcd2 abcd3"},
		{"9.7.1 of one component", `<comp-filter name="VEVENT"><prop-filter name="RRULE"/><prop-filter name="RECURRENCE-ID"/></comp-filter>`, ""},
		{"9.7.2 on VCALENDAR", `<prop-filter name="PRODID"><text-match>example corp</text-match></prop-filter>`, "abcd1 abcd2 abcd3 abcd4 abcd5 abcd6 abcd7 abcd8 abcd9"},
		{"9.7.2 defined", `<comp-filter name="VEVENT"><prop-filter name="status"/></comp-filter>`, "abcd3"},
		{"9.7.2 not defined", `<comp-filter name="VEVENT"><prop-filter name="STATUS"><is-not-defined/></prop-filter></comp-filter>`, "abcd1 abcd2"},
		{"9.7.2 negated wants one", `<comp-filter name="VEVENT"><prop-filter name="STATUS"><text-match negate-condition="yes">CANCELLED</text-match></prop-filter></comp-filter>`, "abcd3"},
		{"9.7.2 time-range", `<comp-filter name="VTODO"><prop-filter name="COMPLETED"><time-range start="20051201T000000Z" end="20060101T000000Z"/></prop-filter></comp-filter>`, "abcd6"},
		{"9.7.3 not defined", `<comp-filter name="VEVENT"><prop-filter name="ATTENDEE"><param-filter name="ROLE"><is-not-defined/></param-filter></prop-filter></comp-filter>`, "abcd3"},
		{"9.7.3 on one property", `<comp-filter name="VEVENT"><prop-filter name="ATTENDEE"><text-match>lisa</text-match><param-filter name="ROLE"/></prop-filter></comp-filter>`, ""},
		{"9.7.3 negated", `<comp-filter name="VEVENT"><prop-filter name="ATTENDEE"><param-filter name="PARTSTAT"><text-match negate-condition="yes">ACCEPTED</text-match></param-filter></prop-filter></comp-filter>`, "abcd3"},
		{"9.7.3 negated wants one", `<comp-filter name="VEVENT"><prop-filter name="SUMMARY"><param-filter name="PARTSTAT"><text-match negate-condition="yes">ACCEPTED</text-match></param-filter></prop-filter></comp-filter>`, ""},
		{"9.7.5 octet", `<comp-filter name="VEVENT"><prop-filter name="SUMMARY"><text-match collation="i;octet">event</text-match></prop-filter></comp-filter>`, ""},
		{"9.7.5 default", `<comp-filter name="VEVENT"><prop-filter name="SUMMARY"><text-match collation="default">EVENT #1</text-match></prop-filter></comp-filter>`, "abcd1"},
		{"UID by part", `<comp-filter name="VEVENT"><prop-filter name="UID"><text-match>dc6c50</text-match></prop-filter></comp-filter>`, "abcd3"},
		{"status", `<comp-filter name="VTODO"><prop-filter name="STATUS"><text-match>completed</text-match></prop-filter></comp-filter>`, "abcd6 abcd9"},
	} {
		t.Run(c.section, func(t *testing.T) {
			f := mustXML(t, comp(c.filter)).compFilter()
			if got := query(t, files, &f, nil); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
	f := CompFilter{Name: "VCALENDAR", IsNotDefined: true}
	if got := query(t, files, &f, nil); got != "" {
		t.Errorf("no VCALENDAR: %q", got)
	}
}

// What a summary must decide alone, or queries open every file.
func TestDecides(t *testing.T) {
	files := archive(rfc4791B)
	for _, c := range []struct{ filter, want string }{
		{`<comp-filter name="VEVENT"/>`, "Y Y Y N N N N N N"},
		{`<comp-filter name="VEVENT"><prop-filter name="UID"><text-match collation="i;octet">DC6C50A017428C5216A2F1CD@example.com</text-match></prop-filter></comp-filter>`, "N ? Y N N N N N N"},
		{`<comp-filter name="VTODO"><prop-filter name="COMPLETED"><is-not-defined/></prop-filter><prop-filter name="STATUS"><text-match negate-condition="yes">CANCELLED</text-match></prop-filter></comp-filter>`, "N N N Y Y N N N N"},
		{`<comp-filter name="VEVENT"><time-range start="20060104T000000Z" end="20060105T000000Z"/></comp-filter>`, "N ? Y N N N N N N"},
		{`<comp-filter name="VEVENT"><time-range start="20070104T000000Z"/></comp-filter>`, "N N N N N N N N N"},
	} {
		f := mustXML(t, comp(c.filter)).compFilter()
		var got []string
		for _, x := range files {
			s, err := Summarize(KindCalendar, x.data)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, [...]string{"N", "?", "Y"}[f.Decide(&s, nil)+1])
		}
		if g := strings.Join(got, " "); g != c.want {
			t.Errorf("%s: %s, want %s", c.filter, g, c.want)
		}
	}
}

// selected gives what d selects of a file, with line feeds.
func selected(t testing.TB, files []file, name, data string) string {
	t.Helper()
	d := mustXML(t, "<calendar-data>"+data+"</calendar-data>").calendarData()
	if err := d.Check(); err != nil {
		t.Fatal(err)
	}
	for _, x := range files {
		if x.name != name+".ics" {
			continue
		}
		c, err := ParseCalendar(x.data)
		if err != nil {
			t.Fatal(err)
		}
		out, err := d.Append([]byte("before\n"), c, x.data, nil)
		if err != nil {
			t.Fatal(err)
		}
		s, ok := strings.CutPrefix(string(out), "before\n")
		if !ok || strings.Count(s, "\n") != strings.Count(s, "\r\n") {
			t.Fatalf("%q", out)
		}
		return strings.ReplaceAll(s, "\r", "")
	}
	t.Fatalf("no %s", name)
	return ""
}

func sourceOf(files []file, name string) string {
	for _, x := range files {
		if x.name == name+".ics" {
			return strings.ReplaceAll(string(x.data), "\r", "")
		}
	}
	return ""
}

func TestCalendarData(t *testing.T) {
	files := archive(rfc4791B)
	without := func(s string, parts ...string) string {
		for _, p := range parts {
			if !strings.Contains(s, p) {
				t.Fatalf("no %q in %s", p, s)
			}
			s = strings.ReplaceAll(s, p, "")
		}
		return s
	}
	abcd2 := sourceOf(files, "abcd2")
	bisbis := abcd2[strings.LastIndex(abcd2, "BEGIN:VEVENT"):strings.LastIndex(abcd2, "END:VCALENDAR")]
	const prodid = "PRODID:-//Example Corp.//CalDAV Client//EN\n"
	for _, c := range []struct{ section, name, data, want string }{
		{"whole", "abcd2", ``, abcd2},
		{"9.6.1 empty comp", "abcd2", `<comp name="VCALENDAR"/>`, abcd2},
		{"9.6.1 allprop allcomp", "abcd2", `<comp name="VCALENDAR"><allprop/><allcomp/></comp>`, abcd2},
		{"7.8.1", "abcd2", `<comp name="VCALENDAR"><prop name="VERSION"/><comp name="VEVENT"><prop name="SUMMARY"/><prop name="UID"/><prop name="DTSTART"/><prop name="DTEND"/><prop name="DURATION"/><prop name="RRULE"/><prop name="RDATE"/><prop name="EXRULE"/><prop name="EXDATE"/><prop name="RECURRENCE-ID"/></comp><comp name="VTIMEZONE"/></comp>`,
			without(abcd2, prodid, "DTSTAMP:20060206T001121Z\n")},
		{"7.8.2", "abcd2", `<limit-recurrence-set start="20060103T000000Z" end="20060105T000000Z"/>`, without(abcd2, bisbis)},
		// The RFC's answer lacks the Z of UTC.
		{"7.8.3", "abcd2", `<expand start="20060103T000000Z" end="20060105T000000Z"/>`, `BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Example Corp.//CalDAV Client//EN
BEGIN:VEVENT
DTSTAMP:20060206T001121Z
DTSTART:20060103T170000Z
DURATION:PT1H
SUMMARY:Event #2
UID:00959BC664CA650E933C892C@example.com
RECURRENCE-ID:20060103T170000Z
END:VEVENT
BEGIN:VEVENT
DTSTAMP:20060206T001121Z
DTSTART:20060104T190000Z
DURATION:PT1H
RECURRENCE-ID:20060104T170000Z
SUMMARY:Event #2 bis
UID:00959BC664CA650E933C892C@example.com
END:VEVENT
END:VCALENDAR
`},
		{"7.8.3 with parts", "abcd3", `<comp name="VCALENDAR"><comp name="VEVENT"><prop name="DTSTART"/></comp></comp><expand start="20060103T000000Z" end="20060105T000000Z"/>`,
			"BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20060104T150000Z\nEND:VEVENT\nEND:VCALENDAR\n"},
		{"7.8.4", "abcd8", `<limit-freebusy-set start="20060102T000000Z" end="20060103T000000Z"/>`, without(sourceOf(files, "abcd8"),
			"FREEBUSY:20050531T230000Z/20050601T010000Z\n", "FREEBUSY:20060103T100000Z/20060103T120000Z\n", "FREEBUSY:20060104T100000Z/20060104T120000Z\n",
			"FREEBUSY;FBTYPE=BUSY-UNAVAILABLE:20060105T100000Z/20060105T120000Z\n", "FREEBUSY:20060106T100000Z/20060106T120000Z\n")},
		{"9.6.4 novalue", "abcd3", `<comp name="VCALENDAR"><comp name="VEVENT"><prop name="attendee" novalue="yes"/><prop name="UID"/></comp></comp>`,
			"BEGIN:VCALENDAR\nBEGIN:VEVENT\nATTENDEE;PARTSTAT=ACCEPTED;ROLE=CHAIR:\nATTENDEE;PARTSTAT=NEEDS-ACTION:\nUID:DC6C50A017428C5216A2F1CD@example.com\nEND:VEVENT\nEND:VCALENDAR\n"},
		{"9.6.1 no inner components", "abcd4", `<comp name="VCALENDAR"><comp name="VTODO"><prop name="UID"/></comp></comp>`,
			"BEGIN:VCALENDAR\nBEGIN:VTODO\nUID:DDDEEB7915FA61233B861457@example.com\nEND:VTODO\nEND:VCALENDAR\n"},
		{"9.6.2 allcomp", "abcd4", `<comp name="VCALENDAR"><allcomp/></comp>`, without(sourceOf(files, "abcd4"), "VERSION:2.0\n", prodid)},
		{"9.6.3 allprop", "abcd4", `<comp name="VCALENDAR"><allprop/><comp name="VEVENT"/></comp>`, "BEGIN:VCALENDAR\nVERSION:2.0\n" + prodid + "END:VCALENDAR\n"},
	} {
		t.Run(c.section, func(t *testing.T) {
			if got := selected(t, files, c.name, c.data); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

func TestFilterChecks(t *testing.T) {
	deep := CompFilter{Name: "VCALENDAR"}
	for range 100 {
		deep = CompFilter{Name: "VCALENDAR", Comps: []CompFilter{deep}}
	}
	wide := CompFilter{Name: "VCALENDAR", Props: make([]PropFilter, MaxFilters)}
	for i := range wide.Props {
		wide.Props[i].Name = "X"
	}
	for _, c := range []struct {
		f    CompFilter
		want error
	}{
		{CompFilter{Name: "VEVENT"}, ErrFilter},
		{CompFilter{Name: "VCALENDAR", TimeRange: &TimeRange{1, 2}}, ErrFilter},
		{CompFilter{Name: "VCALENDAR", IsNotDefined: true, Props: []PropFilter{{Name: "X"}}}, ErrFilter},
		{CompFilter{Name: "VCALENDAR", Comps: []CompFilter{{}}}, ErrFilter},
		{CompFilter{Name: "VCALENDAR", Comps: []CompFilter{{Name: "VEVENT", TimeRange: &TimeRange{2, 2}}}}, ErrFilter},
		{CompFilter{Name: "VCALENDAR", Props: []PropFilter{{}}}, ErrFilter},
		{CompFilter{Name: "VCALENDAR", Props: []PropFilter{{Name: "X", TextMatch: &TextMatch{Collation: "i;klingon"}}}}, ErrCollation},
		{CompFilter{Name: "VCALENDAR", Props: []PropFilter{{Name: "X", Params: []ParamFilter{{Name: "Y", TextMatch: &TextMatch{Collation: "*"}}}}}}, ErrCollation},
		{CompFilter{Name: "VCALENDAR", Props: []PropFilter{{Name: "X", IsNotDefined: true, TextMatch: &TextMatch{}}}}, ErrFilter},
		{CompFilter{Name: "VCALENDAR", Props: []PropFilter{{Name: "X", TextMatch: &TextMatch{Text: strings.Repeat("a", MaxText+1)}}}}, ErrFilter},
		{deep, ErrFilter},
		{wide, ErrFilter},
		{CompFilter{Name: "vcalendar"}, nil},
	} {
		if err := c.f.Check(); !wraps(err, c.want) {
			t.Errorf("%.80s: %v, want %v", fmt.Sprintf("%+v", c.f), err, c.want)
		}
	}
	for _, d := range []CalendarData{
		{Expand: &TimeRange{2, 1}},
		{Expand: &TimeRange{NoStart, 1}},
		{Expand: &TimeRange{1, 2}, LimitRecurrenceSet: &TimeRange{1, 2}},
		{Comp: &CompSelect{Name: "VEVENT"}},
	} {
		if err := d.Check(); !wraps(err, ErrFilter) {
			t.Errorf("%+v: %v", d, err)
		}
	}
}
