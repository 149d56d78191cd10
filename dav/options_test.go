package dav

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"inetdav/dav/config"
)

// answerTo gives the answer to one request; fields are "Name: value".
func answerTo(h http.Handler, method, target, body string, fields ...string) *http.Response {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.SetBasicAuth("u", "p")
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		if name == "Host" {
			r.Host = value
		} else {
			r.Header.Set(name, value)
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

const eventText = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//EN\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20250101T000000Z\r\nDTSTART:20250101T000000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"

// What validate_path_value refuses can neither be made nor reached, also as the
// place to move to; but only where somebody chose the rule.
func TestValidatePathValue(t *testing.T) {
	for _, test := range []struct {
		name, rule     string
		create, before int // the status of a new one, and of one that is there
	}{
		{"plain.ics", "", 201, 200},
		{"d%C3%A9j%C3%A0%20vu.ics", "", 201, 200},
		{"a:b.ics", "", 201, 200},
		{"it's.ics", "", 201, 200},
		{"a:b.ics", "minimal", 400, 400},
		{"a:b.ics", "none", 201, 200},
		{"a:b.ics", "unicode-none", 201, 200},
		{"%E2%82%AC.ics", "unicode-none", 201, 200}, // as in Radicale, whose test of the word is wrong
		{"%E2%82%AC.ics", "no-unicode", 400, 400},
		{"%C3%A9.ics", "no-unicode", 201, 200},
		{"a:b.ics", "no-unicode", 400, 400},
		{"%E2%82%AC.ics", "unicode-letter", 400, 400},
		{"%C3%A9.ics", "unicode-letter", 201, 200},
		{"%C3%A9.ics", "strict", 400, 400},
		{"a-b_c@d.ics", "strict", 201, 200},
	} {
		t.Run(test.rule+" "+test.name, func(t *testing.T) {
			folder := t.TempDir()
			var args []string
			if test.rule != "" {
				args = append(args, "--server-validate-path-value="+test.rule)
			}
			h := testHandler(t, folder, args...)
			if got := answerTo(h, "MKCALENDAR", "/u/c/", "").StatusCode; got != 201 {
				t.Fatal(got)
			}
			if got := answerTo(h, "PUT", "/u/c/"+test.name, eventText).StatusCode; got != test.create {
				t.Errorf("PUT: %d, want %d", got, test.create)
			}
			answerTo(h, "PUT", "/u/c/from.ics", strings.Replace(eventText, "UID:1", "UID:2", 1))
			want := test.create
			if want == 201 {
				want = 204
			}
			if got := answerTo(h, "MOVE", "/u/c/from.ics", "", "Destination: /u/c/"+test.name).StatusCode; got != want && !(want == 204 && got == 409) {
				t.Errorf("MOVE: %d, want %d", got, want)
			}
			name, _ := url.PathUnescape(test.name)
			if err := os.WriteFile(folder+"/collection-root/u/c/"+name, []byte(eventText), 0o600); err != nil {
				t.Fatal(err)
			}
			if got := answerTo(h, "GET", "/u/c/"+test.name, "").StatusCode; got != test.before {
				t.Errorf("GET: %d, want %d", got, test.before)
			}
		})
	}
}

// The prefix is what the configuration says behind a proxy, else what
// X-Script-Name says; hrefs and the Destination of MOVE have it.
func TestBasePrefix(t *testing.T) {
	for _, test := range []struct {
		name, option string
		target       string
		fields       []string
		status       int
		location     string
	}{
		{"none", "", "/.well-known/caldav", nil, 301, "/"},
		{"script_name without a proxy", "/dav", "/.well-known/caldav", nil, 301, "/"},
		{"script_name", "/dav", "/dav/.well-known/caldav", []string{"X-Forwarded-For: 192.0.2.1"}, 301, "/dav/"},
		{"script_name, cut off", "/dav/", "/.well-known/caldav", []string{"X-Forwarded-Server: h"}, 301, "/dav/"},
		{"script_name wins", "/dav", "/.well-known/caldav", []string{"X-Forwarded-Proto: https", "X-Script-Name: /x"}, 301, "/dav/"},
		{"X-Script-Name", "", "/.well-known/caldav", []string{"X-Script-Name: /dav"}, 301, "/dav/"},
		{"X-Script-Name with a slash", "", "/.well-known/caldav", []string{"X-Script-Name: /dav/"}, 301, "/dav/"},
		{"X-Script-Name without one", "", "/.well-known/caldav", []string{"X-Script-Name: dav"}, 400, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := testHandler(t, t.TempDir(), "--server-script-name="+test.option)
			resp := answerTo(h, "GET", test.target, "", test.fields...)
			if got := resp.Header.Get("Location"); resp.StatusCode != test.status || got != test.location {
				t.Errorf("%d %q, want %d %q", resp.StatusCode, got, test.status, test.location)
			}
		})
	}
}

// MOVE behind a proxy: Destination has the name by which the client knows us.
func TestDestinationBehindProxy(t *testing.T) {
	forwarded := func(fields ...string) []string { return append(fields, "Host: localhost:5232") }
	for _, test := range []struct {
		name, destination string
		fields            []string
		status            int
	}{
		{"a path", "/u/c/b.ics", forwarded(), 201},
		{"our own name", "http://localhost:5232/u/c/b.ics", forwarded(), 201},
		{"another host", "http://example.org/u/c/b.ics", forwarded(), 502},
		{"the proxy's name", "https://example.org/u/c/b.ics", forwarded("X-Forwarded-Host: example.org"), 201},
		{"its standard port", "https://example.org:443/u/c/b.ics", forwarded("X-Forwarded-Host: example.org", "X-Forwarded-Proto: https"), 201},
		{"its own port", "https://example.org:8443/u/c/b.ics", forwarded("X-Forwarded-Host: example.org", "X-Forwarded-Port: 8443"), 201},
		{"another port", "https://example.org:8443/u/c/b.ics", forwarded("X-Forwarded-Host: example.org"), 502},
		{"with the prefix", "https://example.org/dav/u/c/b.ics", forwarded("X-Forwarded-Host: example.org", "X-Script-Name: /dav"), 201},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := testHandler(t, t.TempDir())
			answerTo(h, "MKCALENDAR", "/u/c/", "")
			answerTo(h, "PUT", "/u/c/a.ics", eventText)
			resp := answerTo(h, "MOVE", "/u/c/a.ics", "", append(test.fields, "Destination: "+test.destination)...)
			if resp.StatusCode != test.status {
				t.Errorf("%d, want %d", resp.StatusCode, test.status)
			}
		})
	}
}

// [headers] are in every answer, also in those that refuse.
func TestHeaders(t *testing.T) {
	h := testHandler(t, t.TempDir(), "--headers-X-Frame-Options=DENY", "--headers-access-control-allow-origin=*")
	for _, test := range []struct {
		method, target string
		status         int
	}{
		{"OPTIONS", "/", 200}, {"PROPFIND", "/u/", 207}, {"GET", "/u/nothing", 404}, {"BREW", "/", 501},
		{"GET", "/.well-known/caldav", 301}, {"PUT", "/u/", 405},
	} {
		resp := answerTo(h, test.method, test.target, "", "Depth: 0")
		if resp.StatusCode != test.status || resp.Header.Get("X-Frame-Options") != "DENY" || resp.Header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s %s: %d %v", test.method, test.target, resp.StatusCode, resp.Header)
		}
	}
}

func TestRefusedConfiguration(t *testing.T) {
	for _, arg := range []string{"--server-script-name=dav", "--headers-Content-Length=5", "--headers-transfer-encoding=chunked", "--headers-X Y=3", "--headers-X-Y=a\rb"} {
		c, _, _, err := config.Load([]string{"--config=", arg}, func(string) string { return "" })
		if err != nil {
			t.Fatal(err)
		}
		if _, err := New(Options{Config: c}); err == nil {
			t.Errorf("%s is taken", arg)
		}
	}
}

// The pause before an answer that tells of a failure of ours ends with the
// request, and is bounded.
func TestDelayOnError(t *testing.T) {
	c, _, _, err := config.Load([]string{"--config=", "--server-delay-on-error=86400"}, func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	made, err := New(Options{Config: c})
	if err != nil {
		t.Fatal(err)
	}
	h := made.(*handler)
	if h.errorDelay != maxErrorDelay {
		t.Errorf("%v is not bounded", h.errorDelay)
	}
	h.logf = func(int, string, ...any) {}
	fails := func(ctx context.Context, status int) time.Duration {
		w := httptest.NewRecorder()
		q := &request{h: h, w: w, r: httptest.NewRequest("GET", "/", nil).WithContext(ctx)}
		start := time.Now()
		q.fail(refuse(status, "for the test"))
		if w.Code != status {
			t.Errorf("%d, want %d", w.Code, status)
		}
		return time.Since(start)
	}
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	if took := fails(gone, http.StatusInternalServerError); took > h.errorDelay/4 {
		t.Errorf("a request that is over waits %v", took)
	}
	if took := fails(context.Background(), http.StatusServiceUnavailable); took > h.errorDelay/4 {
		t.Errorf("503 waits %v", took)
	}
	h.errorDelay = 40 * time.Millisecond
	if took := fails(context.Background(), http.StatusInternalServerError); took < h.errorDelay/2 {
		t.Errorf("500 waits %v", took)
	}
}

// max_resource_size is at most 80 % of max_content_length.
func TestSizeLimits(t *testing.T) {
	for _, test := range []struct {
		content, resource string
		maxBody, maxObj   int64
	}{
		{"1000", "2000", 1000, 800},
		{"1000", "100", 1000, 100},
		{"0", "100", 1 << 30, 100},
		{"0", "0", 1 << 30, 100_000_000},
	} {
		c, _, _, err := config.Load([]string{"--config=", "--server-max-content-length=" + test.content, "--server-max-resource-size=" + test.resource}, func(string) string { return "" })
		if err != nil || c.MaxBody() != test.maxBody || c.MaxObject() != test.maxObj {
			t.Errorf("%v: %d %d %v", test, c.MaxBody(), c.MaxObject(), err)
		}
	}
}
