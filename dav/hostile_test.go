package dav

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"inetdav/dav/davxml"
)

// tree is what a folder holds: names, kinds and contents. The journal is ours
// to change at any time.
func tree(t *testing.T, folder string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(folder, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && d.Name() == ".Radicale.cache" {
			return fs.SkipDir
		}
		what := d.Type().String()
		if d.Type().IsRegular() {
			b, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			sum := sha256.Sum256(b)
			what += hex.EncodeToString(sum[:])
		}
		rel, _ := filepath.Rel(folder, name)
		files[rel] = what
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func diffTree(before, after map[string]string) string {
	var diff []string
	for name, what := range after {
		switch was, ok := before[name]; {
		case !ok:
			diff = append(diff, "new: "+name)
		case was != what:
			diff = append(diff, "changed: "+name)
		}
	}
	for name := range before {
		if _, ok := after[name]; !ok {
			diff = append(diff, "gone: "+name)
		}
	}
	slices.Sort(diff)
	return strings.Join(diff, "\n")
}

const hostileEvent = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:test\r\nBEGIN:VEVENT\r\nUID:a\r\nDTSTAMP:20260101T000000Z\r\n" +
	"DTSTART:20260101T100000Z\r\nSUMMARY:Event\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"

const hostileCard = "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:a\r\nFN:Somebody\r\nN:;;;;\r\nEND:VCARD\r\n"

// event wraps lines into an event, to which nothing but them is wrong.
func event(lines ...string) string {
	return "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:test\r\nBEGIN:VEVENT\r\nUID:x\r\nDTSTAMP:20260101T000000Z\r\n" +
		strings.Join(lines, "\r\n") + "\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
}

func gzipped(s string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	io.WriteString(z, s)
	z.Close()
	return b.String()
}

// hostileServer has a user with a calendar, an address book and a plain
// collection, one object in each; and a file outside of the storage's root.
func hostileServer(t *testing.T) (url, folder string) {
	url, folder = testServer(t, "--server-max-content-length=20000000")
	do := func(method, path, body string, want int) {
		t.Helper()
		req, err := http.NewRequest(method, url+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth("bernard", "secret")
		if resp, b := roundTrip(t, path, req); resp.StatusCode != want {
			t.Fatalf("%s %s: %d\n%s", method, path, resp.StatusCode, b)
		}
	}
	do("MKCALENDAR", "/bernard/work/", "", 201)
	do("PUT", "/bernard/work/a.ics", hostileEvent, 201)
	do("MKCOL", "/bernard/people/", `<mkcol xmlns="DAV:"><set><prop><resourcetype><collection/><addressbook xmlns="urn:ietf:params:xml:ns:carddav"/></resourcetype></prop></set></mkcol>`, 201)
	do("PUT", "/bernard/people/a.vcf", hostileCard, 201)
	do("MKCOL", "/bernard/files/", "", 201)
	do("PUT", "/bernard/files/a.txt", "text", 201)
	do("MKCOL", "/eve/", "", 201)
	do("MKCALENDAR", "/eve/work/", "", 201)
	if err := os.WriteFile(filepath.Join(folder, "outside.ics"), []byte(hostileEvent), 0o600); err != nil {
		t.Fatal(err)
	}
	return url, folder
}

// Limits of what one bad request may cost. They are generous: what they catch is
// a cost without bound.
const (
	hostileTime  = 10 * time.Second
	hostileAlloc = 256 << 20 // bytes, all in all
	hostileHeap  = 32 << 20  // bytes left over by all requests together
)

type hostile struct {
	name   string
	method string
	path   string // as it stands in the request line
	header string // lines "K: v", separated by \n
	body   string
	want   []int  // one of these
	cond   string // local name of the condition, where it has one
}

const (
	propfindPrefix = `<propfind xmlns="DAV:"><prop>`
	propfindSuffix = `</prop></propfind>`
)

func hostileXML() []hostile {
	bad := func(name, body string, want ...int) hostile {
		return hostile{name: name, method: "PROPFIND", path: "/bernard/work/", header: "Depth: 0", body: body, want: want}
	}
	lol := `<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY lol1 "&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;">` +
		`<!ENTITY lol2 "&lol1;&lol1;&lol1;&lol1;&lol1;&lol1;&lol1;&lol1;&lol1;&lol1;">]>`
	filter := func(inner string) string {
		return `<C:calendar-query xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><prop><getetag/><C:calendar-data/></prop>` +
			`<C:filter><C:comp-filter name="VCALENDAR">` + inner + `</C:comp-filter></C:filter></C:calendar-query>`
	}
	report := func(name, body, cond string, want ...int) hostile {
		return hostile{name: name, method: "REPORT", path: "/bernard/work/", body: body, want: want, cond: cond}
	}
	nested := func(open, end string, n int) string { return strings.Repeat(open, n) + strings.Repeat(end, n) }
	utf16 := func(s string) string {
		b := []byte{0xFE, 0xFF}
		for _, r := range s {
			b = append(b, byte(r>>8), byte(r))
		}
		return string(b)
	}
	return []hostile{
		bad("no XML", "hello", 400),
		bad("cut", `<propfind xmlns="DAV:"><prop>`, 400),
		bad("wrong end", `<propfind xmlns="DAV:"><prop></propfind></prop>`, 400),
		bad("two roots", `<propfind xmlns="DAV:"><allprop/></propfind><propfind xmlns="DAV:"/>`, 400),
		bad("text behind", `<propfind xmlns="DAV:"><allprop/></propfind>x`, 400),
		bad("unbound prefix", `<D:propfind><D:allprop/></D:propfind>`, 400),
		bad("same attribute twice", `<propfind xmlns="DAV:" a="1" a="2"><allprop/></propfind>`, 400),
		bad("entity bomb", lol+`<propfind xmlns="DAV:"><prop><x>&lol2;</x></prop></propfind>`, 400),
		bad("external entity", `<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><propfind xmlns="DAV:"><prop><x>&f;</x></prop></propfind>`, 400),
		bad("external DTD", `<!DOCTYPE propfind SYSTEM "http://127.0.0.1:1/x.dtd"><propfind xmlns="DAV:"><allprop/></propfind>`, 400),
		bad("unknown entity", `<propfind xmlns="DAV:"><prop><x>&nbsp;</x></prop></propfind>`, 400),
		bad("bad reference", `<propfind xmlns="DAV:"><prop><x>&#0;</x></prop></propfind>`, 400),
		bad("huge reference", `<propfind xmlns="DAV:"><prop><x>&#99999999999999999999;</x></prop></propfind>`, 400),
		bad("control character", "<propfind xmlns=\"DAV:\"><prop><x>\x01</x></prop></propfind>", 400),
		bad("bad UTF-8", "<propfind xmlns=\"DAV:\"><prop><x>\xff</x></prop></propfind>", 400),
		bad("NUL", "<propfind xmlns=\"DAV:\">\x00<allprop/></propfind>", 400),
		bad("unknown encoding", `<?xml version="1.0" encoding="utf-7"?><propfind xmlns="DAV:"><allprop/></propfind>`, 400),
		bad("half of UTF-16", utf16(`<propfind xmlns="DAV:"><allprop/></propfind>`)+"x", 400),
		bad("UTF-16 without a mark", utf16(`<propfind xmlns="DAV:"><allprop/></propfind>`)[2:], 400),
		bad("UTF-16", utf16(`<propfind xmlns="DAV:"><allprop/></propfind>`), 207),
		bad("Latin 1", "<?xml version=\"1.0\" encoding=\"iso-8859-1\"?><propfind xmlns=\"DAV:\"><prop><x xmlns=\"\xfc\"/></prop></propfind>", 207),
		bad("deep", propfindPrefix+nested("<x>", "</x>", 100_000)+propfindSuffix, 400),
		bad("deep and cut", propfindPrefix+strings.Repeat("<x>", 1_000_000), 400),
		bad("many elements", propfindPrefix+strings.Repeat("<x/>", 1_000_000)+propfindSuffix, 400),
		bad("many attributes", `<propfind xmlns="DAV:" `+strings.Repeat(`a="" `, 100_000)+`/>`, 400),
		bad("many attributes of different names", `<propfind xmlns="DAV:"`+manyAttributes(100_000)+`/>`, 400),
		bad("many prefixes", `<propfind xmlns="DAV:"`+manyPrefixes(100_000)+`><allprop/></propfind>`, 400),
		bad("many properties", propfindPrefix+manyNames(MaxNames)+propfindSuffix, 207),
		bad("too many properties", propfindPrefix+manyNames(MaxNames+1)+propfindSuffix, 413),
		bad("long text", propfindPrefix+"<x>"+strings.Repeat("x", 4<<20)+"</x>"+propfindSuffix, 207),
		bad("long name", propfindPrefix+"<"+strings.Repeat("x", 1<<20)+"/>"+propfindSuffix, 207, 400),
		bad("too long", propfindPrefix+strings.Repeat(" ", MaxXML)+propfindSuffix, 413),
		bad("a comment without end", `<propfind xmlns="DAV:"><!-- `+strings.Repeat("- ", 100_000), 400),
		bad("a CDATA without end", `<propfind xmlns="DAV:"><![CDATA[ `+strings.Repeat("] ", 100_000), 400),
		{name: "too long in chunks", method: "PROPFIND", path: "/bernard/work/", header: "Transfer-Encoding: chunked",
			body: propfindPrefix + strings.Repeat(" ", MaxXML) + propfindSuffix, want: []int{413}},
		{name: "gzip bomb", method: "PROPFIND", path: "/bernard/work/", header: "Content-Encoding: gzip",
			body: gzipped(propfindPrefix + strings.Repeat(" ", 100<<20) + propfindSuffix), want: []int{413}},
		{name: "gzip", method: "PROPFIND", path: "/bernard/work/", header: "Content-Encoding: gzip",
			body: gzipped(propfindPrefix + propfindSuffix), want: []int{207}},
		{name: "no gzip", method: "PROPFIND", path: "/bernard/work/", header: "Content-Encoding: gzip", body: propfindPrefix + propfindSuffix, want: []int{400}},
		{name: "cut gzip", method: "PROPFIND", path: "/bernard/work/", header: "Content-Encoding: gzip",
			body: gzipped(propfindPrefix + propfindSuffix)[:30], want: []int{400}},
		{name: "gzip in gzip", method: "PROPFIND", path: "/bernard/work/", header: "Content-Encoding: gzip, gzip",
			body: gzipped(gzipped(propfindPrefix + propfindSuffix)), want: []int{415}},
		{name: "MKCOL", method: "MKCOL", path: "/bernard/new/", body: "<mkcol", want: []int{400, 415}},
		{name: "MKCALENDAR", method: "MKCALENDAR", path: "/bernard/new/", body: "<mkcalendar", want: []int{400, 415}},
		{name: "MKCALENDAR too deep", method: "MKCALENDAR", path: "/bernard/new/",
			body: `<C:mkcalendar xmlns:C="urn:ietf:params:xml:ns:caldav">` + nested("<x>", "</x>", 100_000) + `</C:mkcalendar>`, want: []int{400, 415}},
		{name: "PROPPATCH", method: "PROPPATCH", path: "/bernard/work/", body: "<propertyupdate", want: []int{400}},
		{name: "PROPPATCH of a value too long", method: "PROPPATCH", path: "/bernard/work/",
			body: `<propertyupdate xmlns="DAV:"><set><prop><x xmlns="y">` + strings.Repeat("x", MaxProperty+1) + `</x></prop></set></propertyupdate>`, want: []int{207}},
		{name: "PROPPATCH of values too many", method: "PROPPATCH", path: "/bernard/work/",
			body: `<propertyupdate xmlns="DAV:"><set><prop>` + manyValues(MaxInstructions, 600) + `</prop></set></propertyupdate>`, want: []int{207}},
		{name: "PROPPATCH of properties too many", method: "PROPPATCH", path: "/bernard/work/",
			body: `<propertyupdate xmlns="DAV:"><set><prop>` + manyValues(MaxInstructions+1, 3) + `</prop></set></propertyupdate>`, want: []int{413}},
		{name: "PROPPATCH without a namespace", method: "PROPPATCH", path: "/bernard/work/",
			body: `<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><x>1</x></D:prop></D:set><D:set><D:prop><D:getetag/></D:prop></D:set></D:propertyupdate>`, want: []int{207}},
		{name: "PROPPATCH of the tag", method: "PROPPATCH", path: "/bernard/work/",
			body: `<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><tag>VADDRESSBOOK</tag></D:prop></D:set><D:set><D:prop><D:getetag/></D:prop></D:set></D:propertyupdate>`, want: []int{207}},
		report("filters in filters", filter(nested(`<C:comp-filter name="VEVENT">`, `</C:comp-filter>`, 10_000)), "", 400),
		report("filters in filters, as deep as may be", filter(nested(`<C:comp-filter name="VEVENT">`, `</C:comp-filter>`, davxml.MaxDepth-10)), "", 207, 403),
		report("many filters", filter(`<C:comp-filter name="VEVENT">`+strings.Repeat(`<C:prop-filter name="SUMMARY"><C:text-match>v</C:text-match></C:prop-filter>`, 10_000)+`</C:comp-filter>`), "", 207, 403),
		report("a long text", filter(`<C:comp-filter name="VEVENT"><C:prop-filter name="SUMMARY"><C:text-match>`+strings.Repeat("v", 1<<20)+`</C:text-match></C:prop-filter></C:comp-filter>`), "", 207, 403),
		report("a time-range without ends", filter(`<C:comp-filter name="VEVENT"><C:time-range/></C:comp-filter>`), "valid-filter", 403),
		report("a time-range of nonsense", filter(`<C:comp-filter name="VEVENT"><C:time-range start="99999999T999999Z"/></C:comp-filter>`), "valid-filter", 403),
		report("the longest time-range", filter(`<C:comp-filter name="VEVENT"><C:time-range start="00010101T000000Z" end="99991231T235959Z"/></C:comp-filter>`), "", 207),
		report("two kinds of children", filter(`<C:comp-filter name="VEVENT"><C:is-not-defined/><C:time-range start="20260101T000000Z"/></C:comp-filter>`), "", 207, 403),
		report("no name", filter(`<C:comp-filter/>`), "valid-filter", 403),
		report("many hrefs", `<C:calendar-multiget xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><prop><getetag/></prop>`+
			strings.Repeat("<href>/bernard/work/no</href>", 90_000)+`</C:calendar-multiget>`, "", 207),
		report("the same href often", `<C:calendar-multiget xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><prop><C:calendar-data/></prop>`+
			strings.Repeat("<href>/bernard/work/a.ics</href>", 10_000)+`</C:calendar-multiget>`, "", 207),
		report("hrefs to and fro", `<C:calendar-multiget xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><prop><getetag/></prop>`+
			strings.Repeat("<href>/bernard/work/a.ics</href><href>/eve/work/a.ics</href>", 2_000)+`</C:calendar-multiget>`, "", 207),
		report("hrefs out of the folder", `<C:calendar-multiget xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><prop><C:calendar-data/></prop>`+
			`<href>/bernard/work/../../../outside.ics</href><href>/bernard/work/%2e%2e%2f%2e%2e%2f%2e%2e%2foutside.ics</href><href>/bernard/work/.Radicale.props</href><href>/bernard/work/%00</href></C:calendar-multiget>`, "", 207),
		report("expand-property, deep", `<expand-property xmlns="DAV:">`+nested(`<property name="current-user-principal">`, `</property>`, 90)+`</expand-property>`, "", 207),
		report("expand-property, deep and wide", `<expand-property xmlns="DAV:">`+wide(4, 12)+`</expand-property>`, "", 207),
		report("a sync token of nonsense", `<sync-collection xmlns="DAV:"><sync-token>`+strings.Repeat("x", 100_000)+`</sync-token><sync-level>1</sync-level><prop/></sync-collection>`, "valid-sync-token", 403),
		report("a limit beyond all numbers", `<sync-collection xmlns="DAV:"><sync-token/><sync-level>1</sync-level><limit><nresults>99999999999999999999</nresults></limit><prop/></sync-collection>`, "", 400, 207),
		report("free-busy of all time", `<C:free-busy-query xmlns:C="urn:ietf:params:xml:ns:caldav"><C:time-range start="00010101T000000Z" end="99991231T235959Z"/></C:free-busy-query>`, "", 200, 403),
		report("free-busy without a time-range", `<C:free-busy-query xmlns:C="urn:ietf:params:xml:ns:caldav"/>`, "", 400, 403),
		report("expand without an end", `<C:calendar-multiget xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><prop><C:calendar-data><C:expand start="20260101T000000Z"/></C:calendar-data></prop><href>/bernard/work/a.ics</href></C:calendar-multiget>`, "", 400, 403),
		{name: "Depth", method: "PROPFIND", path: "/bernard/work/", header: "Depth: 2", want: []int{400}},
		{name: "Depth in words", method: "PROPFIND", path: "/bernard/work/", header: "Depth: deep", want: []int{400}},
		{name: "Depth below zero", method: "PROPFIND", path: "/bernard/work/", header: "Depth: -1", want: []int{400}},
		{name: "If", method: "PUT", path: "/bernard/work/a.ics", header: "If: " + strings.Repeat("(", 10_000), body: hostileEvent, want: []int{400}},
		{name: "If-Match", method: "PUT", path: "/bernard/work/a.ics", header: "If-Match: " + strings.Repeat(`"",`, 10_000), body: hostileEvent, want: []int{412}},
		{name: "If-Match without an end", method: "PUT", path: "/bernard/work/a.ics", header: `If-Match: "abc`, body: hostileEvent, want: []int{412, 400}},
	}
}

func manyAttributes(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, ` a%d=""`, i)
	}
	return b.String()
}

func manyPrefixes(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, ` xmlns:a%d="u%d"`, i, i)
	}
	return b.String()
}

func manyNames(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `<a%d/>`, i)
	}
	return b.String()
}

func manyValues(n, length int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `<a%d xmlns="x">%s</a%d>`, i, strings.Repeat("v", length), i)
	}
	return b.String()
}

// wide asks for the principal in the principal, each time many times.
func wide(depth, n int) string {
	if depth == 0 {
		return `<property name="resourcetype"/>`
	}
	return strings.Repeat(`<property name="owner">`+wide(depth-1, n)+`</property>`, n)
}

func hostileObjects() []hostile {
	ics := func(name, body, cond string, want ...int) hostile {
		return hostile{name: name, method: "PUT", path: "/bernard/work/x.ics", header: "Content-Type: text/calendar", body: body, want: want, cond: cond}
	}
	vcf := func(name, body, cond string, want ...int) hostile {
		return hostile{name: name, method: "PUT", path: "/bernard/people/x.vcf", header: "Content-Type: text/vcard", body: body, want: want, cond: cond}
	}
	const data = "valid-calendar-data"
	start := "DTSTART:20260101T100000Z"
	return []hostile{
		ics("binary", string([]byte{0, 1, 2, 3, 255, 254}), data, 403),
		ics("NUL inside", event(start, "SUMMARY:a\x00b"), "", 403, 201),
		ics("bad UTF-8", event(start, "SUMMARY:a\xffb"), "", 403, 201),
		ics("not ended", "BEGIN:VCALENDAR\r\nVERSION:2.0\r\n", data, 403),
		ics("cut in a line", hostileEvent[:len(hostileEvent)-30], data, 403),
		ics("ended twice", hostileEvent+"END:VCALENDAR\r\n", data, 403),
		ics("two calendars", hostileEvent+strings.ReplaceAll(hostileEvent, "UID:a", "UID:b"), "", 403),
		ics("ends crossed", "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nEND:VCALENDAR\r\nEND:VEVENT\r\n", data, 403),
		ics("deep", strings.Repeat("BEGIN:VCALENDAR\r\n", 100_000), data, 403),
		ics("deep and ended", strings.Repeat("BEGIN:X\r\n", 50_000)+strings.Repeat("END:X\r\n", 50_000), data, 403),
		ics("deep in an event", event(start, strings.Repeat("BEGIN:X\r\n", 50_000)+strings.TrimSuffix(strings.Repeat("END:X\r\n", 50_000), "\r\n")), data, 403),
		ics("a long line", event(start, "SUMMARY:"+strings.Repeat("x", 5<<20)), "", 403, 201),
		ics("a line folded often", event(start, "SUMMARY:x"+strings.Repeat("\r\n x", 1_000_000)), "", 403, 201),
		ics("many lines", event(start+strings.Repeat("\r\nX:1", 1_000_000)), "", 403, 201),
		ics("many parameters", event(start, "X"+strings.Repeat(";A=B", 500_000)+":1"), "", 403, 201),
		ics("a parameter without a value", event(start, "ATTENDEE;CN=foo"), data, 403),
		ics("a line without a colon", event(start, "SUMMARY"), data, 403),
		ics("a quote without an end", event(start, `ATTENDEE;CN="foo:mailto:x`), "", 403, 201),
		ics("a start of nonsense", event("DTSTART:tomorrow"), data, 403),
		ics("a start in month 13", event("DTSTART:20261301T000000Z"), data, 403),
		ics("two starts", event(start, start), "", 403, 201),
		ics("end and duration", event(start, "DTEND:20260101T110000Z", "DURATION:PT1H"), "", 403, 201),
		ics("a duration beyond all bounds", event(start, "DURATION:P99999999999999999999D"), "", 403, 201),
		ics("a rule of nonsense", event(start, "RRULE:nonsense"), data, 403),
		ics("a rule without end of seconds", event(start, "RRULE:FREQ=SECONDLY"), "", 403, 201),
		ics("a rule of a thousand million", event(start, "RRULE:FREQ=SECONDLY;COUNT=1000000000"), "", 403, 201),
		ics("a rule that never matches", event(start, "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"), "", 403, 201),
		ics("a rule by weekday 10MO", event(start, "RRULE:FREQ=MONTHLY;BYDAY=10MO"), "", 403, 201),
		ics("a rule by weekday 0TH", event(start, "RRULE:FREQ=MONTHLY;BYDAY=0TH"), "", 403, 201),
		ics("a rule of interval 0", event(start, "RRULE:FREQ=DAILY;INTERVAL=0"), "", 403, 201),
		ics("a rule of interval beyond all bounds", event(start, "RRULE:FREQ=DAILY;INTERVAL=99999999999999999999"), "", 403, 201),
		ics("many rules", event(start+strings.Repeat("\r\nRRULE:FREQ=DAILY", 10_000)), "", 403, 201),
		ics("many exceptions", event(start, "RRULE:FREQ=DAILY"+strings.Repeat("\r\nEXDATE:20260101T100000Z", 50_000)), "", 403, 201),
		ics("many dates in one line", event(start, "RDATE:20260101T100000Z"+strings.Repeat(",20260101T100000Z", 200_000)), "", 403, 201),
		ics("a zone that refers to nothing", event("DTSTART;TZID=/../../../etc/passwd:20260101T100000"), "", 403, 201),
		ics("a zone of many changes", "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:test\r\nBEGIN:VTIMEZONE\r\nTZID:Z\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\n"+
			"TZOFFSETFROM:+0000\r\nTZOFFSETTO:+0000\r\nRRULE:FREQ=SECONDLY\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\nBEGIN:VEVENT\r\nUID:x\r\nDTSTAMP:20260101T000000Z\r\nDTSTART;TZID=Z:20260101T100000\r\nRRULE:FREQ=DAILY\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n", "", 403, 201),
		ics("many overrides", "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:test\r\n"+overrides(20_000)+"END:VCALENDAR\r\n", "", 403, 201),
		ics("no component", "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:test\r\nEND:VCALENDAR\r\n", "valid-calendar-object-resource", 403),
		ics("a long UID", strings.ReplaceAll(hostileEvent, "UID:a", "UID:"+strings.Repeat("a", 1<<20)), "", 403, 201),
		ics("a calendar in an event", event(start, strings.TrimSuffix(hostileEvent, "\r\n")), "", 403),
		{name: "too large", method: "PUT", path: "/bernard/work/x.ics", body: event(start, "SUMMARY:"+strings.Repeat("x", 11_000_000)), want: []int{403}, cond: "max-resource-size"},
		{name: "too large in chunks", method: "PUT", path: "/bernard/work/x.ics", header: "Transfer-Encoding: chunked",
			body: event(start, "SUMMARY:"+strings.Repeat("x", 11_000_000)), want: []int{403}, cond: "max-resource-size"},
		{name: "far too large", method: "PUT", path: "/bernard/work/x.ics", body: strings.Repeat("x", 21_000_000), want: []int{413}},
		{name: "a bomb of gzip", method: "PUT", path: "/bernard/work/x.ics", header: "Content-Encoding: gzip",
			body: gzipped(event(start, "SUMMARY:"+strings.Repeat("x", 100<<20))), want: []int{403, 413}},
		{name: "a whole calendar, far too large, in chunks", method: "PUT", path: "/bernard/work/", header: "Transfer-Encoding: chunked\nContent-Type: text/calendar",
			body: strings.Repeat("x", 21_000_000), want: []int{413}},
		{name: "a whole calendar of nonsense", method: "PUT", path: "/bernard/work/", body: "nonsense", want: []int{403}, cond: data},
		{name: "a whole calendar, not ended", method: "PUT", path: "/bernard/work/", body: hostileEvent[:len(hostileEvent)-5], want: []int{403}, cond: data},
		{name: "a file, far too large, in chunks", method: "PUT", path: "/bernard/files/x", header: "Transfer-Encoding: chunked",
			body: strings.Repeat("x", 21_000_000), want: []int{413}},

		vcf("binary", string([]byte{0, 1, 2, 3, 255, 254}), "valid-address-data", 403),
		vcf("not ended", "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:x\r\n", "valid-address-data", 403),
		vcf("deep", strings.Repeat("BEGIN:VCARD\r\n", 100_000), "valid-address-data", 403),
		vcf("many parameters", "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:x\r\nFN"+strings.Repeat(";A", 500_000)+":1\r\nEND:VCARD\r\n", "", 403, 201),
		vcf("quoted-printable without end", "BEGIN:VCARD\r\nVERSION:2.1\r\nUID:x\r\nFN;QUOTED-PRINTABLE:a=\r\n", "valid-address-data", 403),
		vcf("a photo", "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:x\r\nFN:x\r\nPHOTO;ENCODING=b:"+strings.Repeat("QUFB", 1_000_000)+"\r\nEND:VCARD\r\n", "", 403, 201),
		vcf("no UID", "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:x\r\nEND:VCARD\r\n", "", 403, 201),
		vcf("two cards", hostileCard+hostileCard, "valid-address-data", 403),
	}
}

// hostileReports ask for what has been stored.
func hostileReports(collection string) []hostile {
	get := hostile{name: "exported", method: "GET", path: collection + "/", want: []int{200}}
	if strings.HasSuffix(collection, "/people") {
		return []hostile{get, {name: "queried", method: "REPORT", path: collection + "/", want: []int{207},
			body: `<C:addressbook-query xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:carddav"><prop><C:address-data><C:prop name="FN"/></C:address-data></prop>` +
				`<C:filter><C:prop-filter name="NOTE"><C:text-match>x</C:text-match></C:prop-filter></C:filter></C:addressbook-query>`}}
	}
	query := func(data, start, end string) string {
		return `<C:calendar-query xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><prop><C:calendar-data>` + data + `</C:calendar-data></prop>` +
			`<C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT"><C:time-range start="` + start + `" end="` + end + `"/></C:comp-filter></C:comp-filter></C:filter></C:calendar-query>`
	}
	return []hostile{get,
		{name: "queried", method: "REPORT", path: collection + "/", want: []int{207}, body: query("", "20260105T000000Z", "20260106T000000Z")},
		{name: "queried in a far year", method: "REPORT", path: collection + "/", want: []int{207}, body: query("", "98760105T000000Z", "98760106T000000Z")},
		{name: "expanded", method: "REPORT", path: collection + "/", want: []int{207, 403},
			body: query(`<C:expand start="20260101T000000Z" end="20300101T000000Z"/>`, "20260101T000000Z", "20300101T000000Z")},
		{name: "expanded for ever", method: "REPORT", path: collection + "/", want: []int{207, 403},
			body: query(`<C:expand start="00010101T000000Z" end="99991231T000000Z"/>`, "00010101T000000Z", "99991231T000000Z")},
		{name: "as busy time", method: "REPORT", path: collection + "/", want: []int{200, 403},
			body: `<C:free-busy-query xmlns:C="urn:ietf:params:xml:ns:caldav"><C:time-range start="20260101T000000Z" end="20300101T000000Z"/></C:free-busy-query>`},
	}
}

func overrides(n int) string {
	var b strings.Builder
	b.WriteString("BEGIN:VEVENT\r\nUID:x\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:20260101T100000Z\r\nRRULE:FREQ=DAILY\r\nEND:VEVENT\r\n")
	day := time.Date(2026, 1, 1, 10, 0, 0, 0, time.UTC)
	for i := range n {
		s := day.AddDate(0, 0, i).Format("20060102T150405Z")
		b.WriteString("BEGIN:VEVENT\r\nUID:x\r\nDTSTAMP:20260101T000000Z\r\nRECURRENCE-ID:" + s + "\r\nDTSTART:" + s + "\r\nEND:VEVENT\r\n")
	}
	return b.String()
}

func hostilePaths() []hostile {
	put := func(name, path string, want ...int) hostile {
		return hostile{name: "PUT " + name, method: "PUT", path: path, body: strings.ReplaceAll(hostileEvent, "UID:a", "UID:x"), want: want}
	}
	get := func(name, path string, want ...int) hostile {
		return hostile{name: "GET " + name, method: "GET", path: path, want: want}
	}
	move := func(name, destination string, want ...int) hostile {
		return hostile{name: "MOVE " + name, method: "MOVE", path: "/bernard/work/a.ics", header: "Destination: " + destination, want: want}
	}
	long := strings.Repeat("a", 256)
	var all []hostile
	for _, h := range []struct{ name, path string }{
		{"dots", "/bernard/work/../../../outside.ics"},
		{"escaped dots", "/bernard/work/%2e%2e/%2e%2e/%2e%2e/outside.ics"},
		{"escaped slashes", "/bernard/work/..%2f..%2f..%2foutside.ics"},
		{"twice escaped", "/bernard/work/%252e%252e%252foutside.ics"},
		{"properties", "/bernard/work/.Radicale.props"},
		{"cache", "/bernard/work/.Radicale.cache/item/a.ics"},
		{"journal", "/bernard/work/.Radicale.cache/inetdav/index"},
		{"lock", "/.Radicale.lock"},
		{"a dot-file", "/bernard/work/.a.ics"},
		{"a backup", "/bernard/work/a.ics~"},
		{"an escaped dot-file", "/bernard/work/%2ea.ics"},
		{"a dot-folder", "/bernard/.work/a.ics"},
		{"a dot-user", "/.bernard/work/a.ics"},
		{"the collection-root", "/../collection-root/bernard/work/x.ics"},
		{"a long name", "/bernard/work/" + long},
		{"a long path", "/bernard/work/" + strings.Repeat("a/", 3000)},
		{"below an object", "/bernard/work/a.ics/b.ics"},
	} {
		all = append(all, get(h.name, h.path, 404, 400, 414))
		all = append(all, hostile{name: "DELETE " + h.name, method: "DELETE", path: h.path, want: []int{404, 400, 403, 414}})
		all = append(all, hostile{name: "PROPFIND " + h.name, method: "PROPFIND", path: h.path, header: "Depth: infinity", want: []int{404, 400, 414}})
	}
	return append(all,
		put("properties", "/bernard/work/.Radicale.props", 400, 403),
		put("a dot-file", "/bernard/work/.a.ics", 400, 403),
		put("an escaped dot-file", "/bernard/work/%2Ea.ics", 400, 403),
		put("a backup", "/bernard/work/a.ics~", 400, 403),
		put("a long name", "/bernard/work/"+long, 400, 403, 414),
		put("a long path", "/bernard/work/"+strings.Repeat("a/", 3000)+"x", 400, 403, 414),
		put("a NUL", "/bernard/work/a%00.ics", 400),
		put("a line end", "/bernard/work/a%0d%0ax.ics", 400),
		put("a control character", "/bernard/work/a%7f.ics", 400),
		put("bad UTF-8", "/bernard/work/%ff%fe.ics", 400),
		put("a bad escape", "/bernard/work/%zz.ics", 400),
		put("cache", "/bernard/work/.Radicale.cache/x", 400, 403, 409),
		put("below an object", "/bernard/work/a.ics/b.ics", 409),
		put("the root", "/", 403, 405),
		put("dots to the root", "/bernard/..", 403, 405),
		get("a NUL", "/bernard/work/a%00.ics", 400, 404),
		get("bad UTF-8", "/bernard/work/%ff.ics", 400, 404),
		hostile{name: "MKCOL of a dot-folder", method: "MKCOL", path: "/bernard/.x/", want: []int{400, 403}},
		hostile{name: "MKCALENDAR of a dot-folder", method: "MKCALENDAR", path: "/bernard/.Radicale.cache/", want: []int{400, 403}},
		hostile{name: "MKCALENDAR of a line end", method: "MKCALENDAR", path: "/bernard/a%0ab/", want: []int{400}},
		hostile{name: "MKCALENDAR of a long name", method: "MKCALENDAR", path: "/bernard/" + long, want: []int{400, 403, 414}},
		hostile{name: "MKCALENDAR of a long path", method: "MKCALENDAR", path: "/bernard" + strings.Repeat("/a", 100), want: []int{400, 403, 409}},
		hostile{name: "DELETE of the root", method: "DELETE", path: "/", want: []int{403}},
		hostile{name: "DELETE of dots", method: "DELETE", path: "/bernard/..", want: []int{403}},
		move("onto the properties", "/bernard/work/.Radicale.props", 400, 403),
		move("out of the folder", "/../../outside2.ics", 400, 403, 409),
		move("out of the folder, escaped", "/bernard/work/%2e%2e%2f%2e%2e%2f%2e%2e%2foutside2.ics", 400, 403, 409),
		move("to a line end", "/bernard/work/a%0ab.ics", 400, 403),
		move("to a NUL", "/bernard/work/a%00b.ics", 400, 403),
		move("to a long name", "/bernard/work/"+long, 400, 403),
		move("to a bad escape", "/bernard/work/%zz", 400),
		move("to a query", "/bernard/work/a.ics?x=y", 400, 403),
		move("to another scheme", "ftp://127.0.0.1/bernard/work/b.ics", 400, 403, 502),
		move("to nothing", " ", 400),
		move("to itself", "/bernard/work/./a.ics", 403),
		move("over a collection", "/bernard/people/", 403, 409),
		move("over the home", "/bernard/", 403),
	)
}

func TestHostile(t *testing.T) {
	for _, group := range []struct {
		name  string
		cases []hostile
	}{{"XML", hostileXML()}, {"objects", hostileObjects()}, {"paths", hostilePaths()}} {
		t.Run(group.name, func(t *testing.T) {
			url, folder := hostileServer(t)
			host := strings.TrimPrefix(url, "http://")
			before := tree(t, folder)
			var start, was, now runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&start)
			for _, h := range group.cases {
				send := func(h hostile) (status int, body []byte) {
					t.Helper()
					runtime.ReadMemStats(&was)
					began := time.Now()
					status, body = h.send(t, host)
					took := time.Since(began)
					runtime.ReadMemStats(&now)
					if !slices.Contains(h.want, status) {
						t.Errorf("%s: status %d, want %v\n%.500s", h.name, status, h.want, body)
					}
					if took > hostileTime && os.Getenv("INETDAV_TEST_RUNNER") == "" { // qemu is ten times as slow
						t.Errorf("%s: took %v", h.name, took)
					}
					if n := now.TotalAlloc - was.TotalAlloc; n > hostileAlloc {
						t.Errorf("%s: allocated %d MB", h.name, n>>20)
					}
					if status == http.StatusMultiStatus {
						wellFormed(t, h.name, body)
					}
					return status, body
				}
				status, body := send(h)
				if h.cond != "" && !bytes.Contains(body, []byte(h.cond+"/>")) {
					t.Errorf("%s: condition %s is missing in\n%.500s", h.name, h.cond, body)
				}
				if strings.Contains(string(body), folder) || strings.Contains(string(body), "goroutine") {
					t.Errorf("%s: the answer tells of the inside:\n%.500s", h.name, body)
				}
				after := tree(t, folder)
				if status == http.StatusCreated { // accepted: it may be there, be asked for, and is taken away
					for _, r := range hostileReports(parent(h.path)) {
						r.name = h.name + ", " + r.name
						send(r)
					}
					if status, _ := (&hostile{method: "DELETE", path: h.path}).send(t, host); status != http.StatusNoContent {
						t.Errorf("%s: DELETE afterwards: %d", h.name, status)
					}
					after = tree(t, folder)
				}
				if diff := diffTree(before, after); diff != "" {
					t.Fatalf("%s: %d, and the folder has changed:\n%s", h.name, status, diff)
				}
			}
			runtime.GC()
			runtime.ReadMemStats(&now)
			if now.HeapAlloc > start.HeapAlloc+hostileHeap {
				t.Errorf("heap grew from %d to %d MB", start.HeapAlloc>>20, now.HeapAlloc>>20)
			}
		})
	}
}

// send writes the request as it is, without the care that net/http's client
// takes.
func (h *hostile) send(t *testing.T, host string) (status int, body []byte) {
	t.Helper()
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Basic %s\r\nConnection: close\r\n", h.method, h.path, host,
		base64.StdEncoding.EncodeToString([]byte("bernard:secret")))
	if h.header != "" {
		b.WriteString(strings.ReplaceAll(h.header, "\n", "\r\n") + "\r\n")
	}
	if strings.Contains(h.header, "Transfer-Encoding: chunked") {
		b.WriteString("\r\n")
		for part := range slices.Chunk([]byte(h.body), 64<<10) {
			fmt.Fprintf(&b, "%x\r\n%s\r\n", len(part), part)
		}
		b.WriteString("0\r\n\r\n")
	} else {
		b.WriteString("Content-Length: " + strconv.Itoa(len(h.body)) + "\r\n\r\n" + h.body)
	}
	status, body, err := speakRaw(host, b.Bytes(), false)
	if err != nil {
		t.Errorf("%s: %v", h.name, err)
	}
	return status, body
}

// speakRaw sends bytes, and reads the answer while it does: a server need not
// read a request that it refuses.
func speakRaw(host string, request []byte, half bool) (status int, body []byte, err error) {
	conn, err := net.Dial("tcp", host)
	if err != nil {
		return 0, nil, err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(2 * hostileTime))
	go func() {
		conn.Write(request)
		if half {
			conn.(*net.TCPConn).CloseWrite()
		}
	}()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(resp.Body)
	return resp.StatusCode, body, err
}

// TestHostileLength sends bodies that do not keep what their headers promise
// (RFC 9112, 6.3 and 8): nothing of them may be stored.
func TestHostileLength(t *testing.T) {
	url, folder := hostileServer(t)
	host := strings.TrimPrefix(url, "http://")
	before := tree(t, folder)
	event := strings.ReplaceAll(hostileEvent, "UID:a", "UID:x")
	for _, h := range []struct {
		name, method, path, rest string
		want                     []int // 0: the connection ends without an answer
	}{
		{"short body", "PUT", "/bernard/work/x.ics", fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(event)+10, event), []int{400, 0}},
		{"short body of a file", "PUT", "/bernard/files/x", "Content-Length: 100\r\n\r\nshort", []int{400, 0}},
		{"short body of a whole calendar", "PUT", "/bernard/work/", fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(event)+10, event), []int{400, 0}},
		{"short body of a new calendar", "PUT", "/bernard/new/", fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(event)+10, event), []int{400, 0}},
		{"short body of XML", "PROPPATCH", "/bernard/work/", "Content-Length: 1000\r\n\r\n<propertyupdate xmlns=\"DAV:\"><set><prop><displayname>x</displayname></prop></set></propertyupdate>", []int{400, 0}},
		{"short body of MKCOL", "MKCOL", "/bernard/new/", "Content-Length: 1000\r\n\r\n", []int{400, 0}},
		{"no last chunk", "PUT", "/bernard/work/x.ics", fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n", len(event), event), []int{400, 0}},
		{"no last chunk of a file", "PUT", "/bernard/files/x", "Transfer-Encoding: chunked\r\n\r\n4\r\ntext\r\n", []int{400, 0}},
		{"chunk cut", "PUT", "/bernard/work/x.ics", fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s", len(event)+10, event), []int{400, 0}},
		{"chunk of no number", "PUT", "/bernard/work/x.ics", fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\nxyz\r\n%s\r\n0\r\n\r\n", event), []int{400, 0}},
		{"chunk of a huge number", "PUT", "/bernard/work/x.ics", "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nx\r\n0\r\n\r\n", []int{400, 0}},
		{"negative length", "PUT", "/bernard/work/x.ics", "Content-Length: -1\r\n\r\n" + event, []int{400}},
		{"two lengths", "PUT", "/bernard/work/x.ics", fmt.Sprintf("Content-Length: %d\r\nContent-Length: 5\r\n\r\n%s", len(event), event), []int{400}},
		{"length of words", "PUT", "/bernard/work/x.ics", "Content-Length: long\r\n\r\n" + event, []int{400}},
		{"unknown transfer coding", "PUT", "/bernard/work/x.ics", "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", []int{400, 501}},
		{"a length beyond all bounds", "PUT", "/bernard/work/x.ics", "Content-Length: 9223372036854775807\r\n\r\n" + event, []int{413}},
		{"a length beyond the limit", "PUT", "/bernard/files/x", "Content-Length: 21000000\r\n\r\n" + event, []int{413, 400}},
	} {
		request := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\nAuthorization: Basic YmVybmFyZDp4\r\n%s", h.method, h.path, host, h.rest)
		status, body, err := speakRaw(host, []byte(request), true)
		if err != nil {
			status = 0
		}
		if !slices.Contains(h.want, status) {
			t.Errorf("%s: status %d (%v), want %v\n%s", h.name, status, err, h.want, body)
		}
		if diff := diffTree(before, tree(t, folder)); diff != "" {
			t.Fatalf("%s: %d, and the folder has changed:\n%s", h.name, status, diff)
		}
	}
}
