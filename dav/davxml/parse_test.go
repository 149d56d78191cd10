package davxml

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
)

// dump shows a tree unambiguously, on one line.
func dump(e *Element) string {
	var b strings.Builder
	var walk func(e *Element)
	walk = func(e *Element) {
		b.WriteString("<" + e.Name.String())
		for _, a := range e.Attrs {
			b.WriteString(" " + a.Name.String() + "=" + quote(a.Value))
		}
		b.WriteString(">")
		for _, n := range e.Nodes {
			if n.Element != nil {
				walk(n.Element)
			} else {
				b.WriteString(quote(n.Text))
			}
		}
		b.WriteString("</>")
	}
	walk(e)
	return b.String()
}

func quote(s string) string {
	return `"` + strings.NewReplacer("\n", `\n`, "\r", `\r`, "\t", `\t`, `"`, `\"`, `\`, `\\`).Replace(s) + `"`
}

func utf16Bytes(s string, big bool) []byte {
	b := []byte{0xFF, 0xFE}
	if big {
		b = []byte{0xFE, 0xFF}
	}
	for _, u := range utf16.Encode([]rune(s)) {
		if big {
			b = append(b, byte(u>>8), byte(u))
		} else {
			b = append(b, byte(u), byte(u>>8))
		}
	}
	return b
}

func TestParse(t *testing.T) {
	for _, test := range []struct{ name, in, want string }{
		{"empty element", `<a/>`, `<a></>`},
		{"default namespace", `<propfind xmlns="DAV:"><prop/></propfind>`, `<{DAV:}propfind><{DAV:}prop></></>`},
		{"prefix", `<D:a xmlns:D="DAV:" xmlns:C='urn:ietf:params:xml:ns:caldav'><C:b/></D:a>`, `<{DAV:}a><{urn:ietf:params:xml:ns:caldav}b></></>`},
		{"redeclared", `<a xmlns="u:1"><a xmlns="u:2"/><a xmlns=""/><a/></a>`, `<{u:1}a><{u:2}a></><a></><{u:1}a></></>`},
		{"declared after use", `<p:a p:b="1" xmlns:p="u:1"/>`, `<{u:1}a {u:1}b="1"></>`},
		{"default is not for attributes", `<a xmlns="u:1" b="2"/>`, `<{u:1}a b="2"></>`},
		{"xml prefix", `<a xml:lang="de"/>`, `<a {http://www.w3.org/XML/1998/namespace}lang="de"></>`},
		{"same attribute in two namespaces", `<a b="1" p:b="2" xmlns:p="u:1"/>`, `<a b="1" {u:1}b="2"></>`},
		{"text", "<a> x\n<b>y</b>z</a>", `<a>" x\n"<b>"y"</>"z"</>`},
		{"references", `<a b="&lt;&gt;&amp;&apos;&quot;">&lt;&gt;&amp;&apos;&quot;&#65;&#x20ac;&#x1F600;</a>`, `<a b="<>&'\"">"<>&'\"A€😀"</>`},
		{"line ends, XML 2.11", "<a>1\r\n2\r3\n4\r</a>", `<a>"1\n2\n3\n4\n"</>`},
		{"line end by reference stays", "<a>1&#13;\n2&#xD;</a>", `<a>"1\r\n2\r"</>`},
		{"attribute white space, XML 3.3.3", "<a b='1\r\n2\t3\r4&#10;5&#9;6'/>", `<a b="1 2 3 4\n5\t6"></>`},
		{"CDATA", "<a>x<![CDATA[<&amp;]]]]>\r\n<![CDATA[>]]></a>", `<a>"x<&amp;]]\n>"</>`},
		{"empty CDATA", "<a><![CDATA[]]></a>", `<a></>`},
		{"comments join text", `<!-- c --><a>x<!-- <b/> -->y<!---->z<?p i?>&amp;</a><!-- d -->`, `<a>"xyz&"</>`},
		{"instructions", "<?xml version='1.0' encoding='utf-8' standalone='yes' ?>\n<?xml-stylesheet a?><a/><?p?>", `<a></>`},
		{"declaration 1.1", `<?xml version="1.1"?><a/>`, `<a></>`},
		{"byte order mark", "\uFEFF<?xml version='1.0' encoding='UTF-8'?><a>é</a>", `<a>"é"</>`},
		{"UTF-16 LE", string(utf16Bytes("<?xml version='1.0' encoding='utf-16'?><a>é😀</a>", false)), `<a>"é😀"</>`},
		{"UTF-16 BE", string(utf16Bytes("<a>é😀</a>", true)), `<a>"é😀"</>`},
		{"ISO-8859-1", "<?xml version='1.0' encoding='ISO-8859-1'?><a>\xe9</a>", `<a>"é"</>`},
		{"US-ASCII", "<?xml version='1.0' encoding='us-ascii'?><a>e</a>", `<a>"e"</>`},
		{"names beyond ASCII", `<é xmlns:ü="u:1"><ü:ñ·-.1/></é>`, `<é><{u:1}ñ·-.1></></>`},
		{"white space in tags", "<a\n b = '1'\t></a\r\n>", `<a b="1"></>`},
		{"white space around", " \r\n\t<a/> \n", `<a></>`},
		{"quotes in quotes", `<a b='"' c="'"/>`, `<a b="\"" c="'"></>`},
		{"] in text", `<a>]]]&gt; ]>]</a>`, `<a>"]]]> ]>]"</>`},
		{"> in attribute", `<a b=">"/>`, `<a b=">"></>`},
		{"name with dashes", `<calendar-data-x/>`, `<calendar-data-x></>`},
	} {
		t.Run(test.name, func(t *testing.T) {
			e, err := Parse([]byte(test.in))
			if err != nil {
				t.Fatal(err)
			}
			if got := dump(e); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	for _, test := range []struct{ name, in, msg string }{
		{"empty", ``, "no root element"},
		{"only white space", " \n", "no root element"},
		{"only a declaration", `<?xml version="1.0"?>`, "no root element"},
		{"only text", `x`, "outside"},
		{"two roots", `<a/><b/>`, "more than one root"},
		{"text after", `<a/>x`, "outside"},
		{"CDATA before", `<![CDATA[x]]><a/>`, "outside"},
		{"unclosed", `<a><b></b>`, "does not end"},
		{"crossed", `<a><b></a></b>`, "does not match"},
		{"longer end tag", `<a></ab>`, "does not match"},
		{"other prefix", `<p:a xmlns:p="u" xmlns:q="u"></q:a>`, "does not match"},
		{"end tag first", `</a>`, "without a start tag"},
		{"end tag after", `<a/></a>`, "without a start tag"},
		{"document type", `<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>`, "document types"},
		{"external entity", `<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>`, "document types"},
		{"entity", `<a>&nbsp;</a>`, "entities"},
		{"entity in attribute", `<a b="&nbsp;"/>`, "entities"},
		{"bare ampersand", `<a>a & b</a>`, "entities"},
		{"reference to NUL", `<a>&#0;</a>`, "not allowed"},
		{"reference to a surrogate", `<a>&#xD800;</a>`, "not allowed"},
		{"reference beyond Unicode", `<a>&#x110000;</a>`, "not allowed"},
		{"reference overflow", `<a>&#99999999999999999999;</a>`, "not allowed"},
		{"reference without digits", `<a>&#;</a>`, "character reference"},
		{"reference without end", `<a>&#65</a>`, "character reference"},
		{"upper case X", `<a>&#X41;</a>`, "character reference"},
		{"control character", "<a>\x01</a>", "not allowed"},
		{"NUL in a comment", "<a><!-- \x00 --></a>", "not allowed"},
		{"U+FFFE", "<a>\uFFFE</a>", "not allowed"},
		{"bad UTF-8", "<a>\xff</a>", "invalid UTF-8"},
		{"overlong UTF-8", "<a>\xc0\xaf</a>", "invalid UTF-8"},
		{"UTF-8 surrogate", "<a>\xed\xa0\x80</a>", "invalid UTF-8"},
		{"odd UTF-16", "\xff\xfe<\x00a", "half"},
		{"lone surrogate", "\xff\xfe<\x00a\x00>\x00\x00\xd8<\x00", "lone"},
		{"UTF-16 says utf-8", string(utf16Bytes("<?xml version='1.0' encoding='utf-8'?><a/>", true)), "declared encoding"},
		{"UTF-8 says utf-16", `<?xml version="1.0" encoding="utf-16"?><a/>`, "not supported"},
		{"mark and latin1", "\uFEFF<?xml version='1.0' encoding='iso-8859-1'?><a/>", "declared encoding"},
		{"other encoding", `<?xml version="1.0" encoding="ebcdic-cp-us"?><a/>`, "not supported"},
		{"not US-ASCII", "<?xml version='1.0' encoding='us-ascii'?><a>é</a>", "not US-ASCII"},
		{"late declaration", ` <?xml version="1.0"?><a/>`, "misplaced"},
		{"declaration inside", `<a><?XML version="1.0"?></a>`, "misplaced"},
		{"declaration without version", `<?xml encoding="utf-8"?><a/>`, "XML declaration"},
		{"declaration 2.0", `<?xml version="2.0"?><a/>`, "XML declaration"},
		{"declaration twice", `<?xml version="1.0" version="1.0"?><a/>`, "XML declaration"},
		{"declaration cut", `<?xml version="1.0"`, "XML declaration"},
		{"duplicate attribute", `<a b="1" b="2"/>`, "duplicate"},
		{"duplicate by namespace", `<a p:b="1" q:b="2" xmlns:p="u" xmlns:q="u"/>`, "duplicate"},
		{"duplicate declaration", `<a xmlns:p="u" xmlns:p="v"/>`, "duplicate"},
		{"unbound prefix", `<p:a/>`, "prefix"},
		{"unbound attribute prefix", `<a p:b="1"/>`, "prefix"},
		{"prefix out of scope", `<a><b xmlns:p="u"/><p:c/></a>`, "prefix"},
		{"prefix to nothing, Namespaces 5", `<a xmlns:p=""/>`, "no namespace"},
		{"xmlns bound", `<a xmlns:xmlns="u"/>`, "reserved"},
		{"bound to xmlns", `<a xmlns:p="http://www.w3.org/2000/xmlns/"/>`, "reserved"},
		{"xml bound elsewhere", `<a xmlns:xml="u"/>`, "reserved"},
		{"default bound to xml", `<a xmlns="http://www.w3.org/XML/1998/namespace"/>`, "reserved"},
		{"xmlns as a prefix", `<xmlns:a/>`, "prefix"},
		{"two colons", `<a:b:c xmlns:a="u"/>`, "bad name"},
		{"empty prefix", `<:a/>`, "bad name"},
		{"empty local", `<a: xmlns:a="u"/>`, "bad name"},
		{"digit after the colon", `<a:1 xmlns:a="u"/>`, "bad name"},
		{"digit first", `<1/>`, "name is missing"},
		{"space first", `< a/>`, "name is missing"},
		{"attributes without a space", `<a b="1"c="2"/>`, "white space"},
		{"attribute without quotes", `<a b=1/>`, "quotes"},
		{"attribute without value", `<a b/>`, "without a value"},
		{"< in an attribute", `<a b="<"/>`, "< in"},
		{"attribute unclosed", `<a b="1/>`, "does not end"},
		{"]]> in text", `<a>]]></a>`, "]]>"},
		{"-- in a comment", `<a><!-- -- --></a>`, "comment"},
		{"comment ends in ---", `<a><!-- ---></a>`, "comment"},
		{"comment unclosed", `<a><!-- `, "comment"},
		{"CDATA unclosed", `<a><![CDATA[ ]]`, "CDATA"},
		{"instruction unclosed", `<a><?p`, "instruction"},
		{"tag unclosed", `<a `, "does not end"},
		{"half a tag", `<a /b>`, "bad tag"},
		{"lone <", `<`, "name is missing"},
		{"too deep", strings.Repeat("<a>", MaxDepth+1), "too deep"},
		{"too many elements", "<a>" + strings.Repeat("<b/>", MaxElements), "too many elements"},
		{"too many attributes", "<a" + numbered(" b%='1'", MaxAttrs+1) + "/>", "too many attributes"},
		{"too many prefixes", "<a" + numbered(" xmlns:b%='u'", MaxPrefixes+1) + "/>", "too many namespace"},
	} {
		t.Run(test.name, func(t *testing.T) {
			e, err := Parse([]byte(test.in))
			var syntax *SyntaxError
			if !errors.As(err, &syntax) {
				t.Fatalf("got %v, %v", e, err)
			}
			if !strings.Contains(syntax.Msg, test.msg) {
				t.Errorf("got %q, want %q in it", syntax.Msg, test.msg)
			}
			if syntax.Offset < 0 || syntax.Offset > len(test.in)+2 {
				t.Errorf("offset %d of %d", syntax.Offset, len(test.in))
			}
		})
	}
}

// numbered repeats a text with % replaced by a number.
func numbered(s string, n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.ReplaceAll(s, "%", string(rune('a'+i%26))+string(rune('a'+i/26))))
	}
	return b.String()
}

func TestParseAtTheLimits(t *testing.T) {
	for _, in := range []string{
		strings.Repeat("<a>", MaxDepth) + strings.Repeat("</a>", MaxDepth),
		"<a>" + strings.Repeat("<b/>", MaxElements-1) + "</a>",
		"<a" + numbered(" b%='1'", MaxAttrs) + numbered(" xmlns:b%='u'", MaxPrefixes) + "/>",
		"<a>" + strings.Repeat("<b"+numbered(" xmlns:b%='u'", MaxPrefixes)+"/>", 3) + "</a>",
	} {
		if _, err := Parse([]byte(in)); err != nil {
			t.Errorf("%.40s...: %v", in, err)
		}
	}
}

// RFC 4918, 4.3: the language in scope belongs to a property's value.
func TestLang(t *testing.T) {
	e, err := Parse([]byte(`<a xml:lang="en"><b/><c xml:lang="de"><d/></c><e xml:lang=""/></a>`))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for c := range e.Elements() {
		got = append(got, c.Name.Local+"="+c.Lang)
	}
	got = append(got, e.Child(Name{"", "c"}).Child(Name{"", "d"}).Lang)
	if want := []string{"b=en", "c=de", "e=", "de"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestElement(t *testing.T) {
	e, err := Parse([]byte(`<a n="1" p:m="2" xmlns:p="u">x<b>1</b>y<b>2</b></a>`))
	if err != nil {
		t.Fatal(err)
	}
	if got := e.Text(); got != "xy" {
		t.Errorf("Text = %q", got)
	}
	if got := e.Child(Name{"", "b"}).Text(); got != "1" {
		t.Errorf("first b = %q", got)
	}
	if e.Attr("n") != "1" || !e.HasAttr("n") || e.Attr("m") != "" || e.HasAttr("m") {
		t.Error("attributes")
	}
	if e.Child(Name{"", "none"}) != nil {
		t.Error("a child that is not there")
	}
	for range e.Elements() {
		break
	}
	var none *Element
	if none.Text() != "" || none.Child(Name{}) != nil || none.Attr("n") != "" || none.InnerXML() != "" {
		t.Error("nil element")
	}
	for range none.Elements() {
		t.Error("nil element has children")
	}
}

func TestInnerXML(t *testing.T) {
	for _, test := range []struct{ name, in, want string }{
		{"text", `<x>a&lt;&amp;]]&gt;&#13;</x>`, `a&lt;&amp;]]&gt;&#13;`},
		{"no namespace", `<x><a><b/></a></x>`, `<a xmlns=""><b/></a>`},
		{"DAV:", `<x xmlns="DAV:"><a><b c="1"/></a></x>`, `<D:a xmlns:D="DAV:"><D:b c="1"/></D:a>`},
		{"mixed", `<x xmlns="u"><a xmlns="">1<b xmlns="v" xmlns:w="w" w:c="&#10;"/><d/></a></x>`,
			`<a xmlns="">1<n0:b xmlns:n0="v" xmlns:n1="w" n1:c="&#10;"/><d/></a>`},
		{"language", `<x><a xml:lang="de"/></x>`, `<a xmlns="" xml:lang="de"/>`},
	} {
		t.Run(test.name, func(t *testing.T) {
			e, err := Parse([]byte(test.in))
			if err != nil {
				t.Fatal(err)
			}
			if got := e.InnerXML(); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
			checkRoundTrip(t, e)
		})
	}
}

// checkRoundTrip says that InnerXML needs nothing from outside, whatever is around it.
func checkRoundTrip(t *testing.T, e *Element) {
	t.Helper()
	inner := e.InnerXML()
	for _, around := range []string{"x", `x xmlns="DAV:"`, `x xmlns="u" xmlns:n0="v" xmlns:D="w"`} {
		again, err := Parse([]byte("<" + around + ">" + inner + "</x>"))
		if err != nil {
			t.Fatalf("%v in %s", err, inner)
		}
		again.Name, again.Attrs = e.Name, e.Attrs
		if dump(again) != dump(e) {
			t.Fatalf("got  %s\nwant %s\nby %s", dump(again), dump(e), inner)
		}
	}
}

// oracle builds our tree from encoding/xml's tokens.
func oracle(body []byte) (*Element, error) {
	d := xml.NewDecoder(bytes.NewReader(body))
	root := &Element{}
	stack := []*Element{root}
	for {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		top := stack[len(stack)-1]
		switch token := token.(type) {
		case xml.StartElement:
			e := &Element{Name: Name(token.Name)}
			for _, a := range token.Attr {
				if a.Name.Space != "xmlns" && (a.Name.Space != "" || a.Name.Local != "xmlns") {
					e.Attrs = append(e.Attrs, Attr{Name(a.Name), a.Value})
				}
			}
			top.Nodes = append(top.Nodes, Node{Element: e})
			stack = append(stack, e)
		case xml.EndElement:
			stack = stack[:len(stack)-1]
		case xml.CharData:
			if len(token) == 0 {
				break
			}
			if n := len(top.Nodes); n > 0 && top.Nodes[n-1].Element == nil {
				top.Nodes[n-1].Text += string(token)
			} else {
				top.Nodes = append(top.Nodes, Node{Text: string(token)})
			}
		}
	}
	for c := range root.Elements() {
		return c, nil
	}
	return nil, errors.New("no element")
}

// FuzzParse: Parse never panics; what it takes, encoding/xml takes too and sees
// the same tree; what it makes of a document survives InnerXML.
//
// Where the two may differ, and why:
//   - encoding/xml lets pass what the specification forbids: document types,
//     several roots, text outside of the root, attributes without white space
//     between, duplicates, prefixes that are undeclared, bound to nothing or
//     reserved, names such as ":a", a misplaced declaration, bytes in comments
//     that are no characters. Parse refuses these: an error of Parse is never a difference.
//   - Parse knows encodings, XML 1.x, names of the fifth edition, an end of file
//     right after the root and a byte order mark that encoding/xml refuses or
//     takes as text. An error of encoding/xml is a difference only for ASCII
//     documents without a declaration.
//   - encoding/xml does not normalise white space in attributes (XML 1.0,
//     3.3.3): values with such white space are compared as sets of fields.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		`<a/>`, `<?xml version="1.0" encoding="utf-8"?><D:propfind xmlns:D="DAV:"><D:prop><D:getetag/></D:prop></D:propfind>`,
		`<a xmlns="u" xmlns:p="v" p:b="1&#10;2">t<p:c/>&amp;<![CDATA[<]]><!-- c --></a>`,
		`<a b="&lt;'" c='"'>&#x41;&#66;]]&gt;</a>`, "<a>\r\n\r<b xml:lang='de'/></a>", "<é:ñ xmlns:é='u'/>",
		`<!DOCTYPE a><a/>`, `<a><?p i?></a>`, "\uFEFF<a/>", string(utf16Bytes("<a>é</a>", true)),
		"<?xml version='1.0' encoding='iso-8859-1'?><a>\xe9</a>", `<x xmlns="u"><a xmlns=""><b xmlns="v" xmlns:w="w" w:c="&#10;"/><d/></a></x>`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		e, err := Parse(body)
		if err != nil {
			return
		}
		checkRoundTrip(t, e)
		var b bytes.Buffer
		w := NewWriter(&b)
		writeTree(w, e)
		if w.Flush() != nil {
			t.Fatal(w.Err())
		}
		again, err := Parse(b.Bytes())
		if errors.As(err, new(*SyntaxError)) && strings.Contains(err.Error(), "too many namespace") {
			return // the Writer declares a namespace anew at each element
		}
		if err != nil {
			t.Fatalf("%v in %s", err, b.Bytes())
		}
		if dump(again) != dump(e) {
			t.Fatalf("written and read\ngot  %s\nwant %s\nby %s", dump(again), dump(e), b.Bytes())
		}

		ascii := !slices.ContainsFunc(body, func(c byte) bool { return c >= 0x80 })
		declared := bytes.Contains(body, []byte("<?xml"))
		want, err := oracle(body)
		switch {
		case err != nil && (!ascii || declared):
			return
		case err != nil:
			t.Fatalf("Parse takes what encoding/xml refuses: %v", err)
		}
		if got, want := dump(fields(e)), dump(fields(want)); got != want {
			t.Fatalf("got  %s\nwant %s", got, want)
		}
	})
}

// fields makes all white space in attributes single spaces.
func fields(e *Element) *Element {
	for i := range e.Attrs {
		e.Attrs[i].Value = strings.Join(strings.Fields(e.Attrs[i].Value), " ")
	}
	for c := range e.Elements() {
		fields(c)
	}
	return e
}

func writeTree(w *Writer, e *Element) {
	w.Start(e.Name, e.Attrs...)
	for _, n := range e.Nodes {
		if n.Element != nil {
			writeTree(w, n.Element)
		} else {
			w.Text(n.Text)
		}
	}
	w.End(e.Name)
}

// TestLinear feeds the shapes that make careless parsers quadratic. A
// quadratic step over these sizes takes minutes; the test's own deadline fails it.
func TestLinear(t *testing.T) {
	const n = 1 << 20
	for name, in := range map[string]string{
		"comments cut a text":   "<a>" + strings.Repeat("b<!---->", n) + "</a>",
		"references":            "<a>" + strings.Repeat("&amp;", n) + "</a>",
		"CDATA sections":        "<a>" + strings.Repeat("<![CDATA[\r]]>", n) + "</a>",
		"long attribute":        "<a b='" + strings.Repeat("&#10;\r\n", n) + "'/>",
		"long number":           "<a>&#" + strings.Repeat("0", n) + "65;</a>",
		"long name":             "<" + strings.Repeat("a", n) + "/>",
		"many prefixes in use":  "<a" + numbered(" xmlns:b%='u%'", MaxPrefixes) + ">" + strings.Repeat("<baa:c/>", MaxElements-1) + "</a>",
		"deep and wide":         strings.Repeat("<a>", MaxDepth-1) + strings.Repeat("<b>t</b>", MaxElements-MaxDepth) + strings.Repeat("</a>", MaxDepth-1),
		"many attributes":       "<a>" + strings.Repeat("<b"+numbered(" c%=''", MaxAttrs)+"/>", 2000) + "</a>",
		"declarations and back": "<a>" + strings.Repeat("<b"+numbered(" xmlns:c%='u'", MaxPrefixes)+"/>", 1000) + "</a>",
	} {
		t.Run(name, func(t *testing.T) {
			e, err := Parse([]byte(in))
			if err != nil {
				t.Fatal(err)
			}
			if e.InnerXML() == "" && len(e.Nodes) > 0 {
				t.Error("nothing inside")
			}
		})
	}
}

// multiget is the body of a calendar-multiget (RFC 4791, 7.9) of n objects.
func multiget(n int) []byte {
	var b bytes.Buffer
	b.WriteString(`<?xml version="1.0" encoding="utf-8"?>` + "\n" +
		`<C:calendar-multiget xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:prop><D:getetag/><C:calendar-data/></D:prop>` + "\n")
	for i := range n {
		b.WriteString("<D:href>/user/calendar/6ba7b810-9dad-11d1-80b4-00c04fd430c8-" + string(rune('a'+i%26)) + ".ics</D:href>\n")
	}
	b.WriteString("</C:calendar-multiget>")
	return b.Bytes()
}

func BenchmarkParseMultiget(b *testing.B) {
	for name, parse := range map[string]func([]byte) (*Element, error){"own": Parse, "encoding-xml": oracle} {
		body := multiget(10_000)
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := parse(body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkParsePropfind(b *testing.B) {
	body := []byte(`<?xml version="1.0" encoding="utf-8"?><D:propfind xmlns:D="DAV:" xmlns:CS="http://calendarserver.org/ns/"><D:prop><D:resourcetype/><D:displayname/><CS:getctag/><D:sync-token/></D:prop></D:propfind>`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(body); err != nil {
			b.Fatal(err)
		}
	}
}
