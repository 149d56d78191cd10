package ical

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	goical "github.com/emersion/go-ical"
	govcard "github.com/emersion/go-vcard"
)

func lines(s ...string) string { return strings.Join(s, "\r\n") + "\r\n" }

// RFC 5545, 3.1 and 3.4, with the line ends that are seen.
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

// One line each, as the only property of a component.
func TestParseProperty(t *testing.T) {
	for _, c := range []struct {
		name, line string
		group      string
		prop       string
		params     string // NAME=value|value;...
		value      string
	}{
		{"RFC 5545 3.1", `ATTENDEE;RSVP=TRUE;ROLE=REQ-PARTICIPANT:mailto:jsmith@example.com`, "", "ATTENDEE", "RSVP=TRUE;ROLE=REQ-PARTICIPANT", "mailto:jsmith@example.com"},
		{"RFC 5545 3.1.1", `RDATE;VALUE=DATE:19970304,19970504`, "", "RDATE", "VALUE=DATE", "19970304,19970504"},
		{"RFC 5545 3.2.1", `DESCRIPTION;ALTREP="CID:part3.msg.970415T083000@example.com":Project XYZ`, "", "DESCRIPTION", "ALTREP=CID:part3.msg.970415T083000@example.com", "Project XYZ"},
		{"RFC 5545 3.2.11", `ATTENDEE;MEMBER="mailto:a@example.com","mailto:b@example.com":mailto:c@example.com`, "", "ATTENDEE", "MEMBER=mailto:a@example.com|mailto:b@example.com", "mailto:c@example.com"},
		{"RFC 6868 3.2", `ATTENDEE;CN=George Herman ^'Babe^' Ruth:mailto:babe@example.com`, "", "ATTENDEE", "CN=George Herman ^'Babe^' Ruth", "mailto:babe@example.com"},
		{"RFC 6350 3.3 group", `item1.tel;type=home:1`, "item1", "TEL", "TYPE=home", "1"},
		{"two dots", `a.b.TEL:1`, "a.b", "TEL", "", "1"},
		{"vCard 2.1 bare", `TEL;HOME;VOICE;BASE64:1`, "", "TEL", "TYPE=HOME;TYPE=VOICE;ENCODING=BASE64", "1"},
		{"empty value", `X:`, "", "X", "", ""},
		{"empty parameter", `X;;A=:1`, "", "X", "A=", "1"},
		{"quote within", `X;CN=a"b:c":1`, "", "X", `CN=a"b:c"`, "1"},
		{"quote not closed", `X;CN="a;B=c:1`, "", "X", `CN="a;B=c`, "1"}, // the semicolon ends the value all the same
		{"text after quote", `X;CN="a"b,c:1`, "", "X", `CN=ab|c`, "1"},
		{"colon in value", `X;A=b:c:d`, "", "X", "A=b", "c:d"},
		{"no colon", `ATTENDEE;CN=foo`, "", "", "", "ATTENDEE;CN=foo"},
		{"no name", `:x`, "", "", "", ":x"},
		{"only a group", `a.:x`, "", "", "", "a.:x"},
		{"junk", `and more text`, "", "", "", "and more text"},
		{"not ASCII", `é:x`, "", "", "", "é:x"},
		{"BEGIN with parameter", `BEGIN;X=1:VEVENT`, "", "BEGIN", "X=1", "VEVENT"},
	} {
		t.Run(c.name, func(t *testing.T) {
			roots, err := Parse([]byte("BEGIN:X\r\n" + c.line + "\r\nEND:X\r\n"))
			if err != nil {
				t.Fatal(err)
			}
			if len(roots[0].Properties) != 1 {
				t.Fatalf("%+v", roots[0].Properties)
			}
			p := roots[0].Properties[0]
			var params []string
			for _, m := range p.Params {
				params = append(params, m.Name+"="+strings.Join(m.Values, "|"))
			}
			got := strings.Join(params, ";")
			if p.Group != c.group || p.Name != c.prop || got != c.params || p.Value != c.value {
				t.Errorf("group %q name %q params %q value %q", p.Group, p.Name, got, p.Value)
			}
			name, _, value := Cut([]byte(c.line))
			if (p.Name != "") != (name != nil) && c.name != "only a group" || p.Name != "" && string(value) != c.value {
				t.Errorf("Cut: %q %q", name, value)
			}
			if p.Name != "" && !Is(name, p.Name) {
				t.Errorf("Is(%q, %q) is false", name, p.Name)
			}
			if q := ParseProperty(c.line); q.Name != p.Name || q.Value != p.Value || !reflect.DeepEqual(q.Params, p.Params) {
				t.Errorf("ParseProperty: %+v", q)
			}
		})
	}
}

func TestParseErrors(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"BEGIN:A\nBEGIN:B\nEND:A\nEND:B\n", "line 3: END:A where BEGIN:B is open"},
		{"BEGIN:A\n", "line 1: BEGIN:A without END"},
		{"END:A\n", "line 1: END:A without BEGIN"},
		{"\n\nX:1\n", "line 3: content outside of a component"},
		{"BEGIN:\nEND:\n", "line 1: BEGIN without a name"},
		{"BEGIN:" + strings.Repeat("A", MaxName+1) + "\n", "too long"},
		{strings.Repeat("BEGIN:A\n", MaxDepth+1), fmt.Sprintf("line %d: components nested too deep", MaxDepth+1)},
		{strings.Repeat("BEGIN:A\n", 1_000_000), "components nested too deep"},
		{"BEGIN:A\n" + strings.Repeat("X:\n", MaxProperties+1) + "END:A\n", "too many properties"},
		{"BEGIN:A\n" + strings.Repeat("BEGIN:X\nEND:X\n", MaxComponents) + "END:A\n", "too many components"},
	} {
		_, err := Parse([]byte(c.in))
		var syntax *SyntaxError
		if !errors.As(err, &syntax) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.40q: error %v, want %s", c.in, err, c.want)
		}
		if _, err2 := ParseOnly([]byte(c.in), func(*Component, []byte) bool { return false }); fmt.Sprint(err2) != fmt.Sprint(err) {
			t.Errorf("%.40q: ParseOnly: %v, Parse: %v", c.in, err2, err)
		}
	}
	if roots, err := Parse(nil); err != nil || roots != nil {
		t.Errorf("nothing: %v %v", roots, err)
	}
}

// RFC 5545, 3.1: a fold may lie within a character. Blank lines and a byte
// order mark are of no account.
func TestUnfold(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"X:Caf\xc3\r\n \xa9\r\n", "Café"},
		{"X:a\r\n  b\r\n", "a b"},
		{"X:a\r\n\tb\r\n\r\n c\r\n", "abc"},
		{"X:a\n \n b\n", "ab"},
		{"X:a\x00\x01\n", "a\x00\x01"},
		{"X:a\rb\n", "a\rb"},
		{"N;ENCODING=QUOTED-PRINTABLE:J=C3=\r\n=B6rg=\r\n\r\n", "J=C3=B6rg"},
		{"N;quoted-printable:a=\r\nb=\r\nc\r\n", "abc"},
		{"PHOTO;ENCODING=b:YWJj=\r\nX-N:1\r\n", "YWJj="},
	} {
		in := "\xef\xbb\xbf\r\nBEGIN:A\r\n" + c.in + "END:A\r\n  \r\n\r\n"
		roots, err := Parse([]byte(in))
		if err != nil {
			t.Errorf("%q: %v", c.in, err)
			continue
		}
		p := roots[0].Properties[0]
		if p.Value != c.want {
			t.Errorf("%q: %q", c.in, p.Value)
		}
		if p.Line != 3 {
			t.Errorf("%q: line %d", c.in, p.Line)
		}
	}
}

func TestDecoded(t *testing.T) {
	p := ParseProperty("N;ENCODING=Quoted-Printable;CHARSET=UTF-8:J=C3=B6rg=3D=zz=4")
	if got := p.Decoded(); got != "Jörg==zz=4" {
		t.Errorf("%q", got)
	}
	p = ParseProperty("URL:http://x/?a=4A")
	if got := p.Decoded(); got != "http://x/?a=4A" {
		t.Errorf("%q", got)
	}
}

// What hostile inputs cost: each of these has megabytes and would take minutes
// if anything were quadratic.
func TestLinear(t *testing.T) {
	const n = 4 << 20
	for name, in := range map[string]string{
		"one parameter of 4 MiB":     "X;A=" + strings.Repeat("b", n) + ":1\n",
		"quotes never closed":        "X;A=" + strings.Repeat(`"b;A=`, n/5) + ":1\n",
		"comma list":                 "X;A=" + strings.Repeat(",", n) + ":1\n",
		"semicolons":                 "X" + strings.Repeat(";", n) + ":1\n",
		"colons in quotes":           "X;A=\"" + strings.Repeat(":", n) + "\n",
		"folds of one byte":          "X:" + strings.Repeat("a\n ", n/3) + "\n",
		"soft breaks":                "X;QUOTED-PRINTABLE:" + strings.Repeat("a=\n", n/3) + "\n",
		"soft breaks, long head":     "X;Y=" + strings.Repeat("A", n/2) + ":" + strings.Repeat("a=\n ", n/8) + "\n",
		"empty lines":                "X:1" + strings.Repeat("\n", n) + "Y:1\n",
		"empty lines between folds":  "X:1" + strings.Repeat("\n\n ", n/3) + "\nY:1\n",
		"carriage returns":           "X:1" + strings.Repeat("\r", n) + "\n",
		"properties around children": strings.Repeat("X:\nBEGIN:B\nEND:B\n", MaxComponents-1),
		"circumflexes":               "X;A=" + strings.Repeat("^", n) + ":1\n",
	} {
		start := time.Now()
		roots, err := Parse([]byte("BEGIN:A\n" + in + "END:A\n"))
		if err == nil {
			for i := range roots[0].Properties {
				p := &roots[0].Properties[i]
				for j := range p.Params {
					for k := range p.Params[j].Values {
						p.Params[j].Text(k)
					}
				}
			}
			roots[0].Append(nil)
		}
		if d := time.Since(start); d > 10*time.Second {
			t.Errorf("%s: %v", name, d)
		}
	}
	// A line with too many parameters is no content line.
	roots, err := Parse([]byte("BEGIN:A\nX" + strings.Repeat(";A=1", MaxParams+1) + ":1\nEND:A\n"))
	if err != nil || roots[0].Properties[0].Name != "" {
		t.Errorf("%v", err)
	}
}

func TestLinesAllocate(t *testing.T) {
	b := []byte(lines("BEGIN:VEVENT", "DTSTART;TZID=\"Europe/Paris\":20200101T000000", "SUMMARY:x", "END:VEVENT"))
	n := testing.AllocsPerRun(100, func() {
		l := NewLines(b)
		for l.Next() {
			name, params, _ := Cut(l.Text)
			if Is(name, "DTSTART") {
				if v, ok := ParamValue(params, "TZID"); !ok || string(v) != "Europe/Paris" {
					t.Fatalf("%q", v)
				}
			}
		}
	})
	if n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestParamValue(t *testing.T) {
	for _, c := range []struct {
		params, want string
		ok           bool
	}{
		{"TZID=a", "a", true},
		{"X=1;tzid=a,b", "a", true},
		{`X="a;TZID=b";TZID="c;d"`, "c;d", true},
		{"TZID", "", false},
		{"XTZID=a", "", false},
		{"", "", false},
		{";;", "", false},
	} {
		if v, ok := ParamValue([]byte(c.params), "TZID"); string(v) != c.want || ok != c.ok {
			t.Errorf("%q: %q, %v", c.params, v, ok)
		}
	}
}

// go-ical and go-vcard read well-formed input as we do. Both keep no order
// among different names, so the values of each name are compared.
func TestOracles(t *testing.T) {
	for _, src := range seeds() {
		roots, err := Parse([]byte(src))
		if err != nil || len(roots) != 1 {
			continue
		}
		switch roots[0].Name {
		case "VCALENDAR":
			cal, err := goical.NewDecoder(strings.NewReader(src)).Decode()
			if err != nil {
				continue
			}
			compareICal(t, roots[0], cal.Component)
		case "VCARD":
			if roots[0].Value("VERSION") == "2.1" {
				continue // which go-vcard does not read
			}
			card, err := govcard.NewDecoder(strings.NewReader(src)).Decode()
			if err != nil {
				continue
			}
			for _, p := range roots[0].Properties {
				found := false
				for _, f := range card[p.Name] {
					// go-vcard unescapes all values as texts.
					if f.Value == Unescape(p.Value) && f.Group == p.Group {
						found = true
					}
				}
				if !found {
					t.Errorf("go-vcard has no %s:%q", p.Name, p.Value)
				}
			}
		}
	}
}

func compareICal(t *testing.T, c *Component, o *goical.Component) {
	t.Helper()
	if c.Name != o.Name || len(c.Components) != len(o.Children) {
		t.Fatalf("%s with %d children, go-ical: %s with %d", c.Name, len(c.Components), o.Name, len(o.Children))
	}
	n := map[string]int{}
	for i := range c.Properties {
		p := &c.Properties[i]
		props := o.Props[p.Name]
		if n[p.Name] >= len(props) {
			t.Errorf("go-ical has no %d. %s", n[p.Name]+1, p.Name)
			continue
		}
		q := props[n[p.Name]]
		n[p.Name]++
		if q.Value != p.Value {
			t.Errorf("%s: %q, go-ical: %q", p.Name, p.Value, q.Value)
		}
		for name, values := range q.Params {
			if m := p.Param(name); m == nil || !reflect.DeepEqual(m.Values, values) {
				t.Errorf("%s;%s: %v, go-ical: %q", p.Name, name, m, values)
			}
		}
	}
	for i := range c.Components {
		compareICal(t, c.Components[i], o.Children[i])
	}
}

func seeds() []string {
	return []string{
		lines("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//x//EN", "BEGIN:VTIMEZONE", "TZID:US/Eastern", "BEGIN:STANDARD",
			"DTSTART:20001026T020000", "RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10", "TZOFFSETFROM:-0400", "TZOFFSETTO:-0500",
			"END:STANDARD", "END:VTIMEZONE", "BEGIN:VEVENT", "UID:1", "DTSTAMP:20060206T001121Z",
			"ATTENDEE;PARTSTAT=ACCEPTED;ROLE=CHAIR;MEMBER=\"mailto:a@b\",\"mailto:c@d\":mailto:cyrus@example.com",
			"DTSTART;TZID=US/Eastern:20060102T120000", "SUMMARY:A long line that is folded\\, more or less\\; in the mid",
			" dle of a word with \\n an escape", "BEGIN:VALARM", "TRIGGER:-PT10M", "ACTION:DISPLAY", "DESCRIPTION:x", "END:VALARM",
			"END:VEVENT", "END:VCALENDAR"),
		lines("BEGIN:VCARD", "VERSION:3.0", "UID:1", "FN:Jörg \\, B.", "N:B.;Jörg;;;", "item1.TEL;TYPE=home,voice:+1", "NICKNAME:a\\,b,c", "END:VCARD"),
		lines("BEGIN:VCARD", "VERSION:2.1", "N;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:J=C3=", "=B6rg", "TEL;HOME;VOICE:1", "END:VCARD"),
		lines("BEGIN:A", "X;\"a;=b;c=\"^n^'^^\":x", "junk", "END:A", "BEGIN:A", "END:A"),
	}
}

// plain is a tree without its places in the source.
func plain(cs []*Component) string {
	var b strings.Builder
	for _, c := range cs {
		fmt.Fprintf(&b, "<%s>", c.Name)
		for _, p := range c.Properties {
			fmt.Fprintf(&b, "%q.%q %q", p.Group, p.Name, clean(p.Value))
			for _, m := range p.Params {
				fmt.Fprintf(&b, ";%q", m.Name)
				for i := range m.Values {
					fmt.Fprintf(&b, " %q", clean(m.Text(i)))
				}
			}
		}
		b.WriteString(plain(c.Components))
		fmt.Fprintf(&b, "</%s>", c.Name)
	}
	return b.String()
}

func FuzzParse(f *testing.F) {
	for _, s := range seeds() {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		roots, err := Parse(b)
		only, err2 := ParseOnly(b, func(*Component, []byte) bool { return true })
		if fmt.Sprint(err) != fmt.Sprint(err2) || !reflect.DeepEqual(roots, only) {
			t.Fatalf("Parse: %v, ParseOnly: %v", err, err2)
		}
		if err != nil {
			return
		}
		end := 0
		for _, r := range roots {
			if r.Start < end || r.End <= r.Start || r.End > len(b) {
				t.Fatalf("places %d to %d after %d", r.Start, r.End, end)
			}
			end = r.End
			// The source of a component alone is the same component.
			again, err := Parse(b[r.Start:r.End])
			if err != nil || plain(again) != plain([]*Component{r}) {
				t.Fatalf("from its own bytes: %v\n%s\n%s", err, plain(again), plain([]*Component{r}))
			}
		}
		checkPlaces(t, b, roots)
		if strings.Contains(string(b), "=\n") || strings.Contains(string(b), "=\r") || strings.ContainsAny(string(b), "\r\x0b\x0c\u0085\u00a0") {
			return // what is written differs from what was read, on purpose
		}
		if !writable(roots) {
			return
		}
		var out []byte
		for _, r := range roots {
			out = r.Append(out)
		}
		again, err := Parse(out)
		if err != nil {
			t.Fatalf("written: %v\n%q", err, out)
		}
		if plain(again) != plain(roots) {
			t.Fatalf("round trip:\n%s\n%s", plain(roots), plain(again))
		}
	})
}

// writable leaves out what no content line can express.
func writable(cs []*Component) bool {
	for _, c := range cs {
		for _, p := range c.Properties {
			if p.Name == "" {
				return false
			}
			if strings.HasSuffix(p.Value, "=") {
				return false // may look like a soft line break
			}
			for _, m := range p.Params {
				if m.Name == "" || strings.ContainsAny(m.Name, "\":,") {
					return false
				}
			}
		}
		if !writable(c.Components) || strings.TrimSpace(c.Name) != c.Name {
			return false
		}
	}
	return true
}

func checkPlaces(t *testing.T, b []byte, cs []*Component) {
	for _, c := range cs {
		for _, p := range c.Properties {
			if p.Start < c.Start || p.End > c.End || p.Start >= p.End {
				t.Fatalf("%s at %d to %d in %s at %d to %d", p.Name, p.Start, p.End, c.Name, c.Start, c.End)
			}
			l := NewLines(b[p.Start:p.End])
			if !l.Next() {
				t.Fatalf("no line at %d", p.Start)
			}
			if q := ParseProperty(string(l.Text)); q.Name != p.Name || q.Value != p.Value {
				t.Fatalf("%q at its place: %q", p.Value, q.Value)
			}
		}
		checkPlaces(t, b, c.Components)
	}
}

// RFC 5545, 3.3.11; RFC 6350, 3.4.
func TestEscape(t *testing.T) {
	for _, c := range []struct{ raw, text string }{
		{`a\, b\; c\\ d\n\Ne`, "a, b; c\\ d\n\ne"},
		{`http\://x`, "http://x"},
		{`\x\`, `\x\`},
		{``, ``},
	} {
		if got := Unescape(c.raw); got != c.text {
			t.Errorf("%q: %q", c.raw, got)
		}
		if got := Unescape(string(AppendEscaped(nil, c.text))); got != c.text {
			t.Errorf("%q escaped and back: %q", c.text, got)
		}
	}
	var parts []string
	for p := range Split(`a\;b;;c\\;d`, ';') {
		parts = append(parts, p)
	}
	if strings.Join(parts, "|") != `a\;b||c\\|d` {
		t.Errorf("%q", parts)
	}
}

func FuzzText(f *testing.F) {
	f.Add("a,b;c\\n\nd^'")
	f.Fuzz(func(t *testing.T, s string) {
		want := strings.ReplaceAll(s, "\r", "")
		if got := Unescape(string(AppendEscaped(nil, s))); got != want {
			t.Errorf("%q: %q", s, got)
		}
		var parts []string
		for p := range Split(s, ',') {
			parts = append(parts, p)
		}
		if strings.Join(parts, ",") != s {
			t.Errorf("split %q: %q", s, parts)
		}
		DecodeParam(s)
	})
}

// RFC 5545, 3.1: 75 octets, never within a character.
func TestAppendLine(t *testing.T) {
	for _, unit := range []string{"a", "é", "€", "😀", "aé€😀", "\xff"} {
		for n := range 120 {
			line := "X:" + strings.Repeat(unit, n)
			out := string(AppendLine(nil, line))
			for p := range strings.SplitSeq(strings.TrimSuffix(out, "\r\n"), "\r\n") {
				if len(p) > 75 {
					t.Fatalf("%d bytes in %q", len(p), p)
				}
				if unit != "\xff" && strings.ToValidUTF8(p, "!") != p {
					t.Fatalf("%q", p)
				}
			}
			if strings.ReplaceAll(strings.TrimSuffix(out, "\r\n"), "\r\n ", "") != line {
				t.Fatalf("%q", out)
			}
		}
	}
}

func BenchmarkParse(b *testing.B) {
	src := []byte(seeds()[0])
	b.SetBytes(int64(len(src)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(src); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLines(b *testing.B) {
	src := []byte(seeds()[0])
	b.SetBytes(int64(len(src)))
	b.ReportAllocs()
	for b.Loop() {
		l := NewLines(src)
		n := 0
		for l.Next() {
			if name, _, _ := Cut(l.Text); Is(name, "DTSTART") {
				n++
			}
		}
		if n != 2 {
			b.Fatal(n)
		}
	}
}
