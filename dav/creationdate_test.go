package dav

import (
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestCreationDate: RFC 4918, 15.1 for collections: the moment at which it was
// made, which a MOVE keeps and a COPY does not.
func TestCreationDate(t *testing.T) {
	t.Parallel()
	url, _ := testServer(t)
	do := func(method, path, body string, headers ...string) string {
		t.Helper()
		r, err := http.NewRequest(method, url+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.SetBasicAuth("bernard", "")
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		b, err := io.ReadAll(answer.Body)
		if err != nil || answer.StatusCode >= 300 {
			t.Fatalf("%s %s: %s %v", method, path, answer.Status, err)
		}
		return string(b)
	}
	date := regexp.MustCompile(`<creationdate>(.*)</creationdate>`)
	created := func(path string) time.Time {
		t.Helper()
		b := do("PROPFIND", path, `<propfind xmlns="DAV:"><prop><creationdate/></prop></propfind>`, "Depth", "0")
		found := date.FindStringSubmatch(b)
		if found == nil {
			if !strings.Contains(b, "404") {
				t.Fatalf("%s: %s", path, b)
			}
			t.Skip("THIS FILE SYSTEM DOES NOT REMEMBER WHEN FOLDERS WERE MADE")
		}
		when, err := time.Parse(time.RFC3339, found[1])
		if err != nil || !strings.HasSuffix(found[1], "Z") {
			t.Fatalf("%s: %v %s", path, err, found[1])
		}
		return when
	}
	before := time.Now().Add(-2 * time.Second) // whole seconds, and another clock
	do("MKCALENDAR", "/bernard/work/", "")
	when := created("/bernard/work/")
	if when.Before(before) || when.After(time.Now().Add(time.Second)) {
		t.Errorf("made at %v", when)
	}
	for time.Now().Truncate(time.Second).Before(when.Add(2 * time.Second)) {
		time.Sleep(10 * time.Millisecond) // the clock is what is waited for
	}
	do("PROPPATCH", "/bernard/work/", `<propertyupdate xmlns="DAV:"><set><prop><displayname>x</displayname></prop></set></propertyupdate>`)
	do("COPY", "/bernard/work/", "", "Destination", "/bernard/copy/")
	do("MOVE", "/bernard/work/", "", "Destination", "/bernard/moved/")
	if got := created("/bernard/moved/"); !got.Equal(when) {
		t.Errorf("moved: %v, was %v", got, when)
	}
	if got := created("/bernard/copy/"); !got.After(when) {
		t.Errorf("copied: %v, the source %v", got, when)
	}
}
