package dav

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"inetdav/dav/davxml"
	"inetdav/store"
)

// onlyRefusals fails unless an error is one that a client is told of.
func onlyRefusals(t *testing.T, err error) {
	t.Helper()
	var e *Error
	if err != nil && !errors.As(err, &e) {
		t.Fatalf("%T: %v", err, err)
	}
	if err != nil && (e.Status < 400 || e.Status > 499) {
		t.Fatal(err)
	}
}

func FuzzCleanPath(f *testing.F) {
	for _, s := range []string{"/", "/u/cal/a.ics", "//u/../v/./w//", "/u/%2e%2e/", "/\x00", "/..", "/u/.", "u"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, _, err := cleanPath(s)
		onlyRefusals(t, err)
		if err != nil {
			return
		}
		if again, _, err := cleanPath("/" + p); err != nil || again != p {
			t.Errorf("%q is %q, and that %q, %v", s, p, again, err)
		}
		for part := range strings.SplitSeq(p, "/") {
			if p != "" && (part == "" || part == "." || part == "..") {
				t.Errorf("%q is %q", s, p)
			}
		}
	})
}

func FuzzPathOfHref(f *testing.F) {
	for _, s := range []string{"/dav/u/cal/a%20b.ics", "http://example.com/dav/u/", "//example.com/dav/", "http://other/dav/u", "/u", "%zz", "/dav/%2e%2e/x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		q := &request{r: httptest.NewRequest("GET", "http://example.com/dav/", nil), prefix: "/dav"}
		p, ok := q.pathOfHref(s)
		if !ok {
			return
		}
		if again, ok := q.pathOfHref(davxml.EscapePath(q.href(p))); !ok || again != p {
			t.Errorf("%q is %q, and that %q, %v", s, p, again, ok)
		}
	})
}

func FuzzPrecondition(f *testing.F) {
	f.Add(`"a", W/"b" , c`, `*`, "Sat, 01 Jan 2000 00:00:00 GMT")
	f.Add(`"unclosed`, `,,,`, "")
	f.Fuzz(func(t *testing.T, match, noneMatch, since string) {
		h := http.Header{"If-Match": {match}, "If-None-Match": {noneMatch}, "If-Unmodified-Since": {since}}
		err := precondition(h, `"a"`, true, time.Unix(1e9, 0))
		onlyRefusals(t, err)
		// a list of one tag is what it says
		if strings.Trim(match, "!#$%&'()+-./0123456789abcdefghijklmnopqrstuvwxyz") == "" && match != "" {
			if got := matches(`"`+match+`"`, `"a"`, true, strongMatch); got != (match == "a") {
				t.Errorf("%q matches: %v", match, got)
			}
		}
	})
}

func FuzzIfHeader(f *testing.F) {
	for _, s := range []string{
		`(<urn:uuid:181d4fae-7d8c-11d0-a765-00a0c91e6bf2> ["I am an ETag"]) (["I am another ETag"])`,
		`<http://example.com/u/cal/> (Not <DAV:no-lock>) (["a]b"])`, `(`, `<`, `()`, `([)`, `(Not`, `</u> `,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p := ifParser{rest: s}
		for range len(s) + 1 { // each step takes something or ends it
			before := len(p.rest)
			switch c := p.peek(); c {
			case 0:
				return
			case '<':
				if _, ok := p.until('<', '>'); !ok {
					return
				}
			case '[':
				if _, ok := p.until('[', ']'); !ok {
					return
				}
			default:
				p.rest = p.rest[1:]
			}
			if len(p.rest) >= before {
				t.Fatalf("%q: stands still at %q", s, p.rest)
			}
		}
		t.Fatalf("%q: no end", s)
	})
}

// FuzzReport gives any XML to all that reads requests.
func FuzzReport(f *testing.F) {
	f.Add(`<C:calendar-query xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><prop><C:calendar-data><C:comp name="VCALENDAR"><C:allprop/><C:comp name="VEVENT"><C:prop name="UID" novalue="yes"/></C:comp></C:comp><C:expand start="20260101T000000Z" end="20260201T000000Z"/></C:calendar-data></prop><C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT"><C:time-range start="20260101T000000Z"/><C:prop-filter name="X"><C:is-not-defined/></C:prop-filter></C:comp-filter></C:comp-filter></C:filter></C:calendar-query>`)
	f.Add(`<C:addressbook-query xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:carddav"><prop><C:address-data><C:prop name="FN"/></C:address-data></prop><C:filter test="allof"><C:prop-filter name="FN" test="anyof"><C:text-match collation="i;octet" match-type="starts-with">x</C:text-match><C:param-filter name="TYPE"/></C:prop-filter></C:filter><C:limit><C:nresults>3</C:nresults></C:limit></C:addressbook-query>`)
	f.Add(`<sync-collection xmlns="DAV:"><sync-token>data:,home/a=b</sync-token><limit><nresults>1</nresults></limit></sync-collection>`)
	f.Add(`<expand-property xmlns="DAV:"><property name="owner"><property name="owner"/></property></expand-property>`)
	f.Add(`<propertyupdate xmlns="DAV:"><set><prop><resourcetype><collection/></resourcetype></prop></set></propertyupdate>`)
	h := testHandler(f, f.TempDir())
	h.(*handler).logf = func(int, string, ...any) {} // of f, which must not be used below
	h.(*handler).auth.Logf = nil
	for _, r := range []struct{ method, path, body string }{
		{"MKCALENDAR", "/bernard/work/", ""},
		{"PUT", "/bernard/work/a.ics", "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:a\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:20260101T000000Z\r\nRRULE:FREQ=DAILY\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"},
		{"MKCOL", "/bernard/cards/", `<mkcol xmlns="DAV:"><set><prop><resourcetype><collection/><addressbook xmlns="urn:ietf:params:xml:ns:carddav"/></resourcetype></prop></set></mkcol>`},
		{"PUT", "/bernard/cards/a.vcf", "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:a\r\nFN:A\r\nN:A;;;;\r\nEND:VCARD\r\n"},
	} {
		w := httptest.NewRecorder()
		req := httptest.NewRequest(r.method, r.path, strings.NewReader(r.body))
		req.SetBasicAuth("bernard", "x")
		h.ServeHTTP(w, req)
		if w.Code != http.StatusCreated {
			f.Fatal(r.method, r.path, w.Code, w.Body)
		}
	}
	f.Fuzz(func(t *testing.T, body string) {
		for _, path := range []string{"/bernard/work/", "/bernard/cards/", "/bernard/"} {
			for _, method := range []string{"REPORT", "PROPFIND"} {
				w := httptest.NewRecorder()
				req := httptest.NewRequest(method, path, strings.NewReader(body))
				req.SetBasicAuth("bernard", "x")
				h.ServeHTTP(w, req)
				if w.Code >= 500 && w.Code != http.StatusInsufficientStorage {
					t.Fatalf("%s %s: %d\n%s", method, path, w.Code, w.Body)
				}
				if w.Code == http.StatusMultiStatus {
					b, _ := io.ReadAll(w.Body)
					if _, err := davxml.Parse(b); err != nil {
						t.Fatalf("%v\n%s", err, b)
					}
				}
			}
		}
	})
}

func FuzzHomeToken(f *testing.F) {
	f.Add("data:,home/work=4f1c-660e&play=")
	f.Add("data:,home/")
	f.Add("data:,home/%zz=1")
	f.Fuzz(func(t *testing.T, token string) {
		ps, err := splitPositions(token)
		if err != nil {
			if !errors.Is(err, store.ErrSyncToken) {
				t.Fatal(err)
			}
			return
		}
		again, err := splitPositions(joinPositions(ps))
		if len(joinPositions(ps)) <= MaxHomeToken && (err != nil || len(again) != len(ps)) {
			t.Errorf("%q: %v, %v", token, again, err)
		}
	})
}
