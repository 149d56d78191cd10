package dav

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestQueryOpensNothing: a query for the entity tags of one month of 10 000 objects
// opens no file that its summary decides. What the files hold is destroyed in place
// after the index is made: whoever opened one would find no object in it.
func TestQueryOpensNothing(t *testing.T) {
	folder := t.TempDir()
	h := testHandler(t, folder, "--inetdav-stat-age=3600")
	calendar := filepath.Join(folder, "collection-root", "bernard", "work")
	if err := os.MkdirAll(calendar, 0o700); err != nil {
		t.Fatal(err)
	}
	write := func(name, content string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(calendar, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(".Radicale.props", `{"tag": "VCALENDAR"}`)
	const objects = 10_000
	day := time.Date(2000, 1, 1, 10, 0, 0, 0, time.UTC)
	inMonth, recurring := 0, 0
	sizes := map[string]int{}
	for i := range objects {
		start := day.AddDate(0, 0, i)
		rule := ""
		if i%1000 == 999 { // over before the month
			rule = "RRULE:FREQ=DAILY;COUNT=5\r\n"
			recurring++
		}
		if start.Year() == 2010 && start.Month() == time.May {
			inMonth++
			rule = ""
		}
		text := fmt.Sprintf("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:test\r\nBEGIN:VEVENT\r\nUID:%d\r\nDTSTAMP:20000101T000000Z\r\nDTSTART:%s\r\nDURATION:PT1H\r\n%sSUMMARY:Number %d\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
			i, start.Format("20060102T150405Z"), rule, i)
		name := fmt.Sprintf("%d.ics", i)
		write(name, text)
		sizes[name] = len(text)
	}
	query := func(filter string) string {
		t.Helper()
		r := httptest.NewRequest("REPORT", "/bernard/work/", strings.NewReader(`<C:calendar-query xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><prop><getetag/></prop>`+
			`<C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT">`+filter+`</C:comp-filter></C:comp-filter></C:filter></C:calendar-query>`))
		r.Header.Set("Depth", "1")
		r.SetBasicAuth("bernard", "bernard")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != http.StatusMultiStatus {
			t.Fatal(w.Code, w.Body)
		}
		return w.Body.String()
	}
	const month = `<C:time-range start="20100501T000000Z" end="20100601T000000Z"/>`
	want := query(month)
	if n := strings.Count(want, "<response>"); n != inMonth || recurring < 5 {
		t.Fatalf("%d objects in the month, not %d", n, inMonth)
	}
	for name, size := range sizes {
		f, err := os.OpenFile(filepath.Join(calendar, name), os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = f.WriteString(strings.Repeat("x", size)); err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	if got := query(month); got != want {
		t.Errorf("files were opened: %d objects in the month, not %d", strings.Count(got, "<response>"), inMonth)
	}
	// So would it be seen if they were.
	if got := query(month + `<C:prop-filter name="SUMMARY"/>`); strings.Contains(got, "<response>") {
		t.Errorf("an object without its file:\n%s", got)
	}
}
