package dav

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestListingLeavesDeadProperties: a listing that asks for no dead property does
// not open the file that they are in, which here is larger than may be.
func TestListingLeavesDeadProperties(t *testing.T) {
	folder := t.TempDir()
	h := testHandler(t, folder)
	do := func(method, path, body string) (status int, answer string) {
		t.Helper()
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		r.SetBasicAuth("bernard", "")
		r.Header.Set("Depth", "1")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code, w.Body.String()
	}
	event := "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:a\r\nDTSTAMP:20260101T000000Z\r\n" +
		"DTSTART:20260101T000000Z\r\nCREATED:20251224T000000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
	do("MKCALENDAR", "/bernard/work/", "")
	if status, _ := do("PUT", "/bernard/work/a.ics", event); status != http.StatusCreated {
		t.Fatal(status)
	}
	if err := os.WriteFile(filepath.Join(folder, "collection-root/bernard/work/.inetdav.props"), make([]byte, 1<<20+1), 0o600); err != nil {
		t.Fatal(err)
	}
	const propfind = `<propfind xmlns="DAV:"><prop><getetag/><getcontenttype/><getcontentlength/><getlastmodified/><resourcetype/><creationdate/></prop></propfind>`
	const query = `<C:calendar-query xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><prop><getetag/><creationdate/></prop>` +
		`<C:filter><C:comp-filter name="VCALENDAR"/></C:filter></C:calendar-query>`
	for _, c := range []struct {
		method, body string
		status       int
		want         string
	}{
		{"PROPFIND", propfind, http.StatusMultiStatus, "2025-12-24T00:00:00Z"},
		{"REPORT", query, http.StatusMultiStatus, "2025-12-24T00:00:00Z"},
		{"PROPFIND", `<propfind xmlns="DAV:"><prop><mine xmlns="http://example.com/"/></prop></propfind>`, http.StatusInsufficientStorage, ""},
	} {
		if status, answer := do(c.method, "/bernard/work/", c.body); status != c.status || !strings.Contains(answer, c.want) {
			t.Errorf("%s %s: %d %s", c.method, c.body, status, answer)
		}
	}
}
