package dav

import (
	"net/http/httptest"
	"strings"
	"testing"
)

// RFC 4918, 9.2: all of the instructions or none of them, also where only a part
// fits into the files, in which ü is six bytes long.
func TestPropertiesTooLarge(t *testing.T) {
	h := testHandler(t, t.TempDir())
	do := func(method, path, body string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		r.SetBasicAuth("bernard", "x")
		r.Header.Set("Depth", "0")
		h.ServeHTTP(w, r)
		return w
	}
	if w := do("MKCALENDAR", "/bernard/work/", ""); w.Code != 201 {
		t.Fatal(w.Code)
	}
	long := strings.Repeat("ü", MaxProperty/2-10)
	properties := `<set><prop><displayname>changed</displayname><a xmlns="urn:x" v="` + long + `">x</a><b xmlns="urn:x" v="` + long + `">x</b></prop></set>`
	w := do("PROPPATCH", "/bernard/work/", `<propertyupdate xmlns="DAV:">`+properties+`</propertyupdate>`)
	if w.Code != 207 || !strings.Contains(w.Body.String(), "507 Insufficient Storage") || strings.Contains(w.Body.String(), "200 OK") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	w = do("PROPFIND", "/bernard/work/", `<propfind xmlns="DAV:"><prop><displayname/></prop></propfind>`)
	if strings.Contains(w.Body.String(), "changed") {
		t.Errorf("something of it was kept: %s", w.Body)
	}
	w = do("MKCOL", "/bernard/more/", `<mkcol xmlns="DAV:"><set><prop><resourcetype><collection/><C:calendar xmlns:C="urn:ietf:params:xml:ns:caldav"/></resourcetype></prop></set>`+properties+`</mkcol>`)
	if w.Code < 400 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w = do("PROPFIND", "/bernard/more/", ""); w.Code != 404 {
		t.Errorf("made all the same: %d", w.Code)
	}
}
