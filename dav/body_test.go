package dav

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// RFC 5545, 3.1.4: the media type names the charset; what is stored is UTF-8.
func TestCharset(t *testing.T) {
	url, _ := testServer(t)
	ask := func(method, path, mediaType, body string) (int, string) {
		t.Helper()
		r, err := http.NewRequest(method, url+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.SetBasicAuth("bernard", "secret")
		if mediaType != "" {
			r.Header.Set("Content-Type", mediaType)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(text)
	}
	if status, text := ask("MKCALENDAR", "/bernard/work/", "", ""); status != http.StatusCreated {
		t.Fatal(status, text)
	}
	for _, test := range []struct {
		name, mediaType, summary string
		status                   int
	}{
		{"declared", "text/calendar; charset=ISO-8859-1", "B\xfccher \xdf", http.StatusCreated},
		{"utf-8", "text/calendar; charset=utf-8", "Bücher ß", http.StatusCreated},
		{"no-charset", "text/calendar", "Bücher ß", http.StatusCreated},
		{"undeclared", "text/calendar", "B\xfccher \xdf", http.StatusForbidden},
		{"lie", "text/calendar; charset=utf-8", "B\xfccher \xdf", http.StatusForbidden},
	} {
		path := "/bernard/work/" + test.name + ".ics"
		body := "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//example.org//EN\r\nBEGIN:VEVENT\r\nUID:" + test.name +
			"\r\nDTSTAMP:20261101T120000Z\r\nDTSTART:20261201T100000Z\r\nSUMMARY:" + test.summary +
			"\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
		if status, text := ask("PUT", path, test.mediaType, body); status != test.status {
			t.Errorf("%s: %d %s", test.name, status, text)
		}
		status, text := ask("GET", path, "", "")
		if stored := status == http.StatusOK; stored != (test.status == http.StatusCreated) {
			t.Errorf("%s: then %d", test.name, status)
		} else if stored && !strings.Contains(text, "\r\nSUMMARY:Bücher ß\r\n") {
			t.Errorf("%s: stored as %q", test.name, text)
		}
	}
}
