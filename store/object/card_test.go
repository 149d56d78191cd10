package object

import (
	"strings"
	"testing"
)

const addressBook = `
-- v102.vcf --
BEGIN:VCARD
VERSION:3.0
N:Daboo;Cyrus;;Dr.;
NICKNAME:me
UID:34222-232@example.com
FN:Cyrus Daboo
EMAIL;TYPE=internet,work:daboo@example.com
EMAIL;TYPE=home:cyrus@home.example
X-ABC.TEL;TYPE=cell:+1
END:VCARD
-- v103.vcf --
BEGIN:VCARD
VERSION:4.0
UID:urn:uuid:4fbe8971-0bc3-424c-9c26-36c3e1eff6b1
FN:Jörg Ångström
N:Ångström;Jörg;;;
NICKNAME:Joe,Jo\, the Great
ORG:Straße GmbH
NOTE:a long story that is not among the hints
CATEGORIES:friend,chess club
END:VCARD
-- v104.vcf --
BEGIN:VCARD
VERSION:3.0
NICKNAME:oliver
UID:34222-23222@example.com
FN:Oliver Daboo
EMAIL:oliver@example.com
TEL:+2
END:VCARD
-- v105.vcf --
BEGIN:VCARD
VERSION:2.1
UID:105
N;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:M=C3=BCller;J=
=C3=BCrgen
TEL;HOME;VOICE:+3
END:VCARD
-- list.vcf --
BEGIN:VLIST
UID:list
FN:All
CARD;EMAIL=daboo@example.com;FN=Cyrus:v102.vcf
END:VLIST
`

func TestAddressbookQuery(t *testing.T) {
	files := archive(addressBook)
	for _, c := range []struct{ section, filter, want string }{
		{"8.6.3", `<filter><prop-filter name="NICKNAME"><text-match collation="i;unicode-casemap" match-type="equals">me</text-match></prop-filter></filter>`, "v102"},
		{"8.6.4", `<filter test="anyof"><prop-filter name="FN"><text-match collation="i;unicode-casemap" match-type="contains">daboo</text-match></prop-filter><prop-filter name="EMAIL"><text-match collation="i;unicode-casemap" match-type="contains">daboo</text-match></prop-filter></filter>`, "v102 v104"},
		{"8.6.4 allof", `<filter test="allof"><prop-filter name="FN"><text-match>daboo</text-match></prop-filter><prop-filter name="EMAIL"><text-match>daboo</text-match></prop-filter></filter>`, "v102"},
		{"10.5 empty", `<filter/>`, "v102 v103 v104 v105 list"},
		{"10.5.1 defined", `<filter><prop-filter name="EMAIL"/></filter>`, "v102 v104"},
		{"10.5.1 not defined", `<filter><prop-filter name="email"><is-not-defined/></prop-filter></filter>`, "v103 v105 list"},
		{"10.5.1 any group", `<filter><prop-filter name="TEL"/></filter>`, "v102 v104 v105"},
		{"10.5.1 this group", `<filter><prop-filter name="x-abc.tel"/></filter>`, "v102"},
		{"10.5.1 other group", `<filter><prop-filter name="X-ABC-1.TEL"/></filter>`, ""},
		{"10.5.1 other group not defined", `<filter><prop-filter name="X-ABC-1.TEL"><is-not-defined/></prop-filter></filter>`, "v102 v103 v104 v105 list"},
		{"10.5.1 allof on one property", `<filter><prop-filter name="EMAIL" test="allof"><text-match>cyrus</text-match><param-filter name="TYPE"><text-match>work</text-match></param-filter></prop-filter></filter>`, ""},
		{"10.5.1 anyof", `<filter><prop-filter name="EMAIL" test="anyof"><text-match>nobody</text-match><param-filter name="TYPE"><text-match>WORK</text-match></param-filter></prop-filter></filter>`, "v102"},
		{"10.5.2 not defined", `<filter><prop-filter name="EMAIL"><param-filter name="TYPE"><is-not-defined/></param-filter></prop-filter></filter>`, "v104"},
		{"10.5.2 defined", `<filter><prop-filter name="EMAIL"><param-filter name="type"/></prop-filter></filter>`, "v102"},
		{"10.5.2 bare", `<filter><prop-filter name="TEL"><param-filter name="TYPE"><text-match match-type="equals">home</text-match></param-filter></prop-filter></filter>`, "v105"},
		{"10.5.4 starts-with", `<filter><prop-filter name="FN"><text-match match-type="starts-with">oli</text-match></prop-filter></filter>`, "v104"},
		{"10.5.4 ends-with", `<filter><prop-filter name="FN"><text-match match-type="ends-with">DABOO</text-match></prop-filter></filter>`, "v102 v104"},
		{"10.5.4 negated", `<filter><prop-filter name="FN"><text-match negate-condition="yes">daboo</text-match></prop-filter></filter>`, "v103 list"},
		{"10.5.4 default is unicode", `<filter><prop-filter name="FN"><text-match>JÖRG ÅNG</text-match></prop-filter></filter>`, "v103"},
		{"10.5.4 ascii", `<filter><prop-filter name="FN"><text-match collation="i;ascii-casemap">JÖRG</text-match></prop-filter></filter>`, ""},
		{"10.5.4 octet", `<filter><prop-filter name="FN"><text-match collation="i;octet">Jörg</text-match></prop-filter></filter>`, "v103"},
		{"escaped list", `<filter><prop-filter name="NICKNAME"><text-match match-type="equals">jo, the great</text-match></prop-filter></filter>`, "v103"},
		{"list", `<filter><prop-filter name="CATEGORIES"><text-match match-type="equals">Chess Club</text-match></prop-filter></filter>`, "v103"},
		{"quoted-printable", `<filter><prop-filter name="N"><text-match>müller;jürgen</text-match></prop-filter></filter>`, "v105"},
		{"not hinted", `<filter><prop-filter name="NOTE"><text-match>story</text-match></prop-filter></filter>`, "v103"},
		{"hinted or not", `<filter><prop-filter name="NOTE"/><prop-filter name="UID"><text-match match-type="equals">105</text-match></prop-filter></filter>`, "v103 v105"},
	} {
		t.Run(c.section, func(t *testing.T) {
			f := mustXML(t, c.filter).cardFilter()
			if err := f.Check(); err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, x := range files {
				card, err := ParseCard(x.data)
				if err != nil {
					t.Fatal(err)
				}
				ok, err := f.Match(card)
				if err != nil {
					t.Fatal(err)
				}
				s, err := Summarize(KindAddressBook, x.data)
				if err != nil {
					t.Fatal(err)
				}
				if v := f.Decide(&s); v == Yes && !ok || v == No && ok {
					t.Errorf("%s: Decide: %d, Match: %v", x.name, v, ok)
				} else if v == Maybe && !strings.Contains(c.filter, "NOTE") && !strings.Contains(c.filter, "CATEGORIES") {
					t.Errorf("%s: not decided by %q", x.name, s.Hints)
				}
				if ok {
					names = append(names, strings.TrimSuffix(x.name, ".vcf"))
				}
			}
			if got := strings.Join(names, " "); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
	for _, f := range []CardFilter{
		{Props: []CardPropFilter{{}}},
		{Props: []CardPropFilter{{Name: "X", IsNotDefined: true, TextMatches: []TextMatch{{}}}}},
		{Props: []CardPropFilter{{Name: "X", TextMatches: make([]TextMatch, MaxFilters)}}},
		{Props: []CardPropFilter{{Name: "X", Params: make([]ParamFilter, MaxFilters)}}},
		{Props: []CardPropFilter{{Name: "X", Params: make([]ParamFilter, 1)}}},
	} {
		if err := f.Check(); !wraps(err, ErrFilter) {
			t.Errorf("%+v: %v", f, err)
		}
	}
	f := CardFilter{Props: []CardPropFilter{{Name: "FN", TextMatches: []TextMatch{{Collation: "i;klingon"}}}}}
	if err := f.Check(); !wraps(err, ErrCollation) {
		t.Error(err)
	}
	card, err := ParseCard(files[0].data)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Match(card); !wraps(err, ErrCollation) {
		t.Error(err)
	}
}

// RFC 6352, 8.6.3 and 10.4.2.
func TestAddressData(t *testing.T) {
	files := archive(addressBook)
	card, err := ParseCard(files[0].data)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		props []PropSelect
		want  string
	}{
		{nil, string(files[0].data)},
		{[]PropSelect{{Name: "VERSION"}, {Name: "UID"}, {Name: "NICKNAME"}, {Name: "EMAIL"}, {Name: "FN"}},
			string(crlf("BEGIN:VCARD", "VERSION:3.0", "NICKNAME:me", "UID:34222-232@example.com", "FN:Cyrus Daboo",
				"EMAIL;TYPE=internet,work:daboo@example.com", "EMAIL;TYPE=home:cyrus@home.example", "END:VCARD"))},
		{[]PropSelect{{Name: "tel"}, {Name: "EMAIL", NoValue: true}},
			string(crlf("BEGIN:VCARD", "VERSION:3.0", "EMAIL;TYPE=internet,work:", "EMAIL;TYPE=home:", "X-ABC.TEL;TYPE=cell:+1", "END:VCARD"))},
		{[]PropSelect{{Name: "OTHER.TEL"}}, string(crlf("BEGIN:VCARD", "VERSION:3.0", "END:VCARD"))},
	} {
		d := AddressData{Props: c.props}
		if got, err := d.Append(nil, card, files[0].data); err != nil || string(got) != c.want {
			t.Errorf("%v: %v\n%s\nwant\n%s", c.props, err, got, c.want)
		}
	}
}

// RFC 4790, 9.2 and 9.3; RFC 5051.
func TestCollations(t *testing.T) {
	for _, c := range []struct {
		collation, value, text string
		typ                    MatchType
		want                   bool
	}{
		{ASCIICasemap, "Hello World", "LO WO", Contains, true},
		{ASCIICasemap, "Hello", "", Contains, true},
		{ASCIICasemap, "", "", Equals, true},
		{ASCIICasemap, "", "a", Contains, false},
		{ASCIICasemap, "Ä", "ä", Contains, false},
		{ASCIICasemap, "@[", "`{", Equals, false},
		{ASCIICasemap, "Hello", "hell", StartsWith, true},
		{ASCIICasemap, "Hello", "ello", StartsWith, false},
		{ASCIICasemap, "Hello", "ELLO", EndsWith, true},
		{ASCIICasemap, "Hello", "hello", Equals, true},
		{ASCIICasemap, "Hello", "hello ", Equals, false},
		{ASCIICasemap, strings.Repeat("ab", 100), strings.Repeat("BA", 50), Contains, true},
		{Octet, "Hello", "hello", Contains, false},
		{Octet, "Hello", "He", StartsWith, true},
		{Octet, "Hello", "lo", EndsWith, true},
		{Octet, "Hello", "Hello", Equals, true},
		{UnicodeCasemap, "ÄÖ", "äö", Equals, true},
		{UnicodeCasemap, "A\u0308", "ä", Equals, true},       // decomposed
		{UnicodeCasemap, "\uFB01sh", "FISH", Equals, false},  // ligature: no simple title case, decomposes to lower case
		{UnicodeCasemap, "\uFF21", "a", Equals, true},        // full width
		{UnicodeCasemap, "Straße", "STRASSE", Equals, false}, // title case, not full case folding
		{UnicodeCasemap, "Straße", "sTRAßE", Equals, true},
		{UnicodeCasemap, "ĳ", "Ĳ", Equals, true},
		{UnicodeCasemap, "Ǆ", "ǆ", Equals, true}, // both have the title case ǅ
		{UnicodeCasemap, "Σίσυφος", "σΊΣΥΦΟς", Equals, true},
		{UnicodeCasemap, "Ångström", "ström", EndsWith, true},
		{UnicodeCasemap, "plain", "PLA", StartsWith, true},
		{UnicodeCasemap, "x", "ä", Contains, false},
		{"default", "Hello", "hello", Equals, true},
		{"I;ASCII-CASEMAP", "Hello", "hello", Equals, true},
	} {
		m := TextMatch{Text: c.text, Collation: c.collation, MatchType: c.typ}
		ok, err := m.match(c.value, asciiCasemap)
		if err != nil || ok != c.want {
			t.Errorf("%s: %q in %q (%d): %v, %v", c.collation, c.text, c.value, c.typ, ok, err)
		}
		m.Negate = true
		if ok, err := m.match(c.value, asciiCasemap); err != nil || ok == c.want {
			t.Errorf("negated %s: %q in %q (%d): %v, %v", c.collation, c.text, c.value, c.typ, ok, err)
		}
	}
}
