package dav

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestGzip: RFC 9110, 8.4 and 12.5.3. What is long is compressed for who asks for
// it, and is the same for who does not.
func TestGzip(t *testing.T) {
	url, _ := testServer(t)
	do := func(method, path, header, body string) (*http.Response, []byte) {
		t.Helper()
		req, err := http.NewRequest(method, url+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth("bernard", "secret")
		for line := range strings.Lines(header) {
			k, v, _ := strings.Cut(strings.TrimSpace(line), ":")
			req.Header.Add(k, strings.TrimSpace(v))
		}
		resp, err := transport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp, b
	}
	var all strings.Builder
	all.WriteString("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:test\r\n")
	for i := range 300 {
		fmt.Fprintf(&all, "BEGIN:VEVENT\r\nUID:event-%d\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:20260101T100000Z\r\nSUMMARY:Event %d\r\nEND:VEVENT\r\n", i, i)
	}
	all.WriteString("END:VCALENDAR\r\n")
	if resp, b := do("PUT", "/bernard/work/", "", all.String()); resp.StatusCode != 201 {
		t.Fatalf("%s\n%s", resp.Status, b)
	}
	const etags = `<propfind xmlns="DAV:"><prop><getetag/></prop></propfind>`
	for _, r := range []struct{ method, path, header, body string }{
		{"PROPFIND", "/bernard/work/", "Depth: 1\n", etags},
		{"REPORT", "/bernard/work/", "", `<sync-collection xmlns="DAV:"><sync-token/><sync-level>1</sync-level><prop><getetag/></prop></sync-collection>`},
		{"GET", "/bernard/work/", "", ""},
	} {
		what := r.method + " " + r.path
		resp, plain := do(r.method, r.path, r.header, r.body)
		if resp.Header.Get("Content-Encoding") != "" || !strings.Contains(resp.Header.Get("Vary"), "Accept-Encoding") || len(plain) < 20_000 {
			t.Fatalf("%s: %d bytes, %v", what, len(plain), resp.Header)
		}
		for _, accept := range []struct {
			header string
			gzip   bool
		}{
			{"gzip", true}, {"deflate, gzip;q=0.5", true}, {"br, GZIP", true}, {"gzip, deflate", true},
			{"gzip;q=0", false}, {"gzip; q=0.000", false}, {"identity", false}, {"br", false}, {"", false},
		} {
			resp, got := do(r.method, r.path, r.header+"Accept-Encoding: "+accept.header+"\n", r.body)
			if (resp.Header.Get("Content-Encoding") == "gzip") != accept.gzip {
				t.Errorf("%s: Accept-Encoding: %s: %v", what, accept.header, resp.Header)
				continue
			}
			if etag := resp.Header.Get("ETag"); etag != "" && strings.HasPrefix(etag, "W/") != accept.gzip {
				t.Errorf("%s: Accept-Encoding: %s: ETag %s", what, accept.header, etag)
			}
			if accept.gzip {
				if len(got) > len(plain)/2 {
					t.Errorf("%s: %d bytes of %d", what, len(got), len(plain))
				}
				z, err := gzip.NewReader(bytes.NewReader(got))
				if err != nil {
					t.Fatal(err)
				}
				if got, err = io.ReadAll(z); err != nil {
					t.Fatal(err)
				}
			}
			if !bytes.Equal(got, plain) {
				t.Errorf("%s: Accept-Encoding: %s: another body", what, accept.header)
			}
		}
	}
	// HEAD has the headers of GET
	resp, b := do("HEAD", "/bernard/work/", "Accept-Encoding: gzip\n", "")
	if resp.StatusCode != 200 || len(b) > 0 {
		t.Errorf("HEAD: %s, %d bytes", resp.Status, len(b))
	}
	// a body may be compressed too
	if resp, b := do("PUT", "/bernard/work/x.ics", "Content-Encoding: gzip\n", gzipped(hostileEvent)); resp.StatusCode != 201 {
		t.Errorf("PUT: %s\n%s", resp.Status, b)
	}
	if _, b := do("GET", "/bernard/work/x.ics", "", ""); string(b) != hostileEvent {
		t.Errorf("PUT stored\n%q", b)
	}
}
