package dav

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"inetdav/dav/davxml"
	"inetdav/store"
)

// unprivileged runs the test in a process of nobody's, for whom files without
// permissions are closed, where this one is root's. It is true in that process.
func unprivileged(t *testing.T) bool {
	t.Helper()
	if os.Getuid() != 0 {
		return true
	}
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	binary := filepath.Join(dir, "dav.test")
	program, err := os.ReadFile(os.Args[0])
	if err == nil {
		err = os.WriteFile(binary, program, 0o755)
	}
	if err == nil {
		err = os.Chmod(dir, 0o777)
	}
	if err != nil {
		t.Fatal(err)
	}
	args := []string{binary, "-test.run=^" + t.Name() + "$", "-test.v"}
	if runner := os.Getenv("INETDAV_TEST_RUNNER"); runner != "" { // qemu of `make test-cross`
		args = append([]string{runner}, args...)
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir, cmd.Env = "/", append(os.Environ(), "TMPDIR="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("--- PASS: "+t.Name())) {
		t.Errorf("as nobody: %v\n%s", err, out)
	}
	return false
}

func testEvent(uid string) string {
	return strings.ReplaceAll("BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:test\nBEGIN:VEVENT\nUID:"+uid+
		"\nDTSTAMP:20260101T000000Z\nDTSTART:20260101T100000Z\nSUMMARY:"+uid+"\nEND:VEVENT\nEND:VCALENDAR\n", "\n", "\r\n")
}

// ask makes a request as bernard and wants a status.
func ask(t *testing.T, status int, method, url, body string, headers ...string) []byte {
	t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("bernard", "secret")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, got := roundTrip(t, method+" "+url, req)
	if resp.StatusCode != status {
		t.Fatalf("%s %s: status %d, want %d\n%s", method, url, resp.StatusCode, status, got)
	}
	return got
}

// statuses gives, for each href of a 207, the code of its response or of its
// propstats, and the sync token.
func statuses(t *testing.T, body []byte) (of map[string]string, token string) {
	t.Helper()
	root, err := davxml.Parse(body)
	if err != nil {
		t.Fatal(err)
	}
	of = map[string]string{}
	for r := range root.Elements() {
		if r.Name == nSyncToken {
			token = r.Text()
		}
		if r.Name != nResponse {
			continue
		}
		href := r.Child(nHref).Text()
		for e := range r.Elements() {
			if e.Name == nPropstat {
				e = e.Child(nStatus)
			}
			if e.Name == nStatus {
				of[href] += strings.Fields(e.Text())[1]
			}
		}
	}
	return of, token
}

func wantStatuses(t *testing.T, what string, body []byte, want map[string]string) (token string) {
	t.Helper()
	got, token := statuses(t, body)
	if !maps.Equal(got, want) {
		t.Errorf("%s: %v, want %v\n%s", what, got, want, body)
	}
	return token
}

// What cannot be read is not gone: an answer about many resources says of it why
// (RFC 4918, 13), and goes on. A client removes what is 404.
func TestUnreadable(t *testing.T) {
	if !unprivileged(t) {
		return
	}
	url, folder := testServer(t)
	root := filepath.Join(folder, "collection-root", "bernard")
	ask(t, 201, "MKCALENDAR", url+"/bernard/work/", "")
	ask(t, 201, "MKCALENDAR", url+"/bernard/closed/", "")
	for _, name := range []string{"a", "big", "secret"} {
		ask(t, 201, "PUT", url+"/bernard/work/"+name+".ics", testEvent(name))
	}
	ask(t, 201, "PUT", url+"/bernard/closed/b.ics", testEvent("b"))
	ask(t, 207, "PROPPATCH", url+"/bernard/work/", `<propertyupdate xmlns="DAV:"><set><prop><see xmlns="urn:x">
		<href xmlns="DAV:">/bernard/closed/</href><href xmlns="DAV:">/bernard/nothing/</href></see></prop></set></propertyupdate>`)
	const homeSync = `<sync-collection xmlns="DAV:"><sync-token>%s</sync-token><sync-level>%s</sync-level><prop><getetag/></prop></sync-collection>`
	before, token := statuses(t, ask(t, 207, "REPORT", url+"/bernard/", fmt.Sprintf(homeSync, "", "infinite")))
	if len(before) != 6 {
		t.Fatal(before)
	}
	for _, err := range []error{
		os.Mkdir(filepath.Join(root, "work", "sub"), 0o700),
		os.Truncate(filepath.Join(root, "work", "big.ics"), 11<<20),
		os.Chmod(filepath.Join(root, "work", "secret.ics"), 0),
		os.Chmod(filepath.Join(root, "closed"), 0),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { os.Chmod(filepath.Join(root, "closed"), 0o700) })

	const multigetOf = `<C:calendar-multiget xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav">%s
		<href>/bernard/work/a.ics</href><href>/bernard/work/big.ics</href><href>/bernard/work/secret.ics</href>
		<href>/bernard/work/sub</href><href>/bernard/work/nothing.ics</href><href>/bernard/nothing/a.ics</href>
		<href>/bernard/closed/b.ics</href></C:calendar-multiget>`
	wantStatuses(t, "multiget", ask(t, 207, "REPORT", url+"/bernard/work/", fmt.Sprintf(multigetOf, "<prop><C:calendar-data/></prop>")), map[string]string{
		"/bernard/work/a.ics": "200", "/bernard/work/big.ics": "507", "/bernard/work/secret.ics": "403",
		"/bernard/work/sub": "404", "/bernard/work/nothing.ics": "404", "/bernard/nothing/a.ics": "404",
		"/bernard/closed/b.ics": "403"})
	wantStatuses(t, "multiget of hrefs", ask(t, 207, "REPORT", url+"/bernard/work/", fmt.Sprintf(multigetOf, "")), map[string]string{
		"/bernard/work/a.ics": "200", "/bernard/work/big.ics": "200", "/bernard/work/secret.ics": "200",
		"/bernard/work/sub": "404", "/bernard/work/nothing.ics": "404", "/bernard/nothing/a.ics": "404",
		"/bernard/closed/b.ics": "403"})
	wantStatuses(t, "sync", ask(t, 207, "REPORT", url+"/bernard/work/", `<sync-collection xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav">
		<sync-token/><sync-level>1</sync-level><prop><C:calendar-data/></prop></sync-collection>`), map[string]string{
		"/bernard/work/a.ics": "200", "/bernard/work/big.ics": "507", "/bernard/work/secret.ics": "403"})
	wantStatuses(t, "home", ask(t, 207, "PROPFIND", url+"/bernard/", `<propfind xmlns="DAV:"><prop><resourcetype/></prop></propfind>`, "Depth", "1"), map[string]string{
		"/bernard/": "200", "/bernard/work/": "200", "/bernard/closed/": "403"})
	ask(t, 207, "PROPFIND", url+"/bernard/", `<propfind xmlns="DAV:"><prop><sync-token/><CS:getctag xmlns:CS="http://calendarserver.org/ns/"/></prop></propfind>`, "Depth", "0")
	expanded := ask(t, 207, "REPORT", url+"/bernard/work/", `<expand-property xmlns="DAV:">
		<property name="see" namespace="urn:x"><property name="displayname"/></property></expand-property>`)
	for _, want := range []string{"/bernard/closed/</href><status>HTTP/1.1 403 ", "/bernard/nothing/</href><status>HTTP/1.1 404 "} {
		if !bytes.Contains(expanded, []byte(want)) {
			t.Errorf("expand-property without %s:\n%s", want, expanded)
		}
	}
	token = wantStatuses(t, "sync of the home", ask(t, 207, "REPORT", url+"/bernard/", fmt.Sprintf(homeSync, strings.ReplaceAll(token, "&", "&amp;"), "1")), map[string]string{
		"/bernard/closed/": "403", "/bernard/work/": "200"})
	// what is to be replaced stays where its successor cannot be made
	// (RFC 4918, 9.8.4)
	ask(t, 201, "MKCALENDAR", url+"/bernard/there/", "")
	ask(t, 201, "PUT", url+"/bernard/there/c.ics", testEvent("c"))
	ask(t, 403, "COPY", url+"/bernard/work/", "", "Destination", "/bernard/there/")
	ask(t, 200, "GET", url+"/bernard/there/c.ics", "")
	ask(t, 204, "DELETE", url+"/bernard/there/", "")
	if err := os.Chmod(filepath.Join(root, "closed"), 0o700); err != nil {
		t.Fatal(err)
	}
	after, _ := statuses(t, ask(t, 207, "REPORT", url+"/bernard/", fmt.Sprintf(homeSync, strings.ReplaceAll(token, "&", "&amp;"), "infinite")))
	for href, status := range after {
		if status == "404" || strings.HasPrefix(href, "/bernard/closed/") {
			t.Errorf("after all: %v", after)
		}
	}
	nothingStaged(t, folder)
}

// meanwhile is a client that does something at the first bytes of an answer.
type meanwhile struct {
	*httptest.ResponseRecorder
	do func()
}

func (m *meanwhile) Write(b []byte) (int, error) {
	if m.do != nil {
		m.do()
		m.do = nil
	}
	return m.ResponseRecorder.Write(b)
}

// A collection that is replaced, moved or deleted while an answer about it is on
// its way takes the answer's end with it: what is missing in the folder that is
// being emptied is not gone.
func TestStale(t *testing.T) {
	folder := t.TempDir()
	h, other := testHandler(t, folder), testHandler(t, folder)
	serve := func(h http.Handler, w http.ResponseWriter, method, path, body string) {
		req := httptest.NewRequest(method, path, strings.NewReader(body))
		req.SetBasicAuth("bernard", "secret")
		req.Header.Set("Destination", "/bernard/elsewhere/")
		h.ServeHTTP(w, req)
	}
	var whole, hrefs strings.Builder
	const n = 300
	for i := range n {
		uid := fmt.Sprint("event-", i)
		whole.WriteString(testEvent(uid))
		fmt.Fprintf(&hrefs, "<href>/bernard/work/%s.ics</href>", uid)
	}
	calendar := strings.ReplaceAll(whole.String(), "END:VCALENDAR\r\nBEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:test\r\n", "")
	put := func() {
		w := httptest.NewRecorder()
		serve(other, w, "PUT", "/bernard/work/", calendar)
		if w.Code != 201 && w.Code != 204 {
			t.Fatal(w.Code, w.Body)
		}
	}
	const data = `xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><prop><getetag/><C:calendar-data/></prop>`
	reports := map[string]string{
		"multiget": "<C:calendar-multiget " + data + hrefs.String() + "</C:calendar-multiget>",
		"query":    "<C:calendar-query " + data + `<C:filter><C:comp-filter name="VCALENDAR"/></C:filter></C:calendar-query>`,
		"sync":     "<sync-collection " + data + "<sync-token/><sync-level>1</sync-level></sync-collection>",
	}
	changes := map[string]func(){
		"nothing": func() {},
		"PUT":     put,
		"DELETE":  func() { serve(other, httptest.NewRecorder(), "DELETE", "/bernard/work/", "") },
	}
	for report, body := range reports {
		for change, do := range changes {
			t.Run(report+" "+change, func(t *testing.T) {
				put()
				w := &meanwhile{httptest.NewRecorder(), do}
				aborted := func() (aborted bool) {
					defer func() {
						if r := recover(); r != nil {
							if aborted = r == http.ErrAbortHandler; !aborted {
								panic(r)
							}
						}
					}()
					serve(h, w, "REPORT", "/bernard/work/", body)
					return false
				}()
				found := bytes.Count(w.Body.Bytes(), []byte("200 OK"))
				if aborted != (change != "nothing") || bytes.Contains(w.Body.Bytes(), []byte("404 Not Found")) || !aborted && found != n {
					t.Errorf("aborted %v, %d objects, 404: %v", aborted, found, bytes.Contains(w.Body.Bytes(), []byte("404 Not Found")))
				}
			})
		}
	}
	if status := asError(fmt.Errorf("reading: %w", store.ErrStale)).Status; status != http.StatusServiceUnavailable {
		t.Errorf("before the first byte: %d", status)
	}
}

// A collection that goes away while its home is listed is left out, no more.
func TestMemberGoes(t *testing.T) {
	folder := t.TempDir()
	h, other := testHandler(t, folder), testHandler(t, folder)
	serve := func(h http.Handler, w http.ResponseWriter, method, path, body string) {
		req := httptest.NewRequest(method, path, strings.NewReader(body))
		req.SetBasicAuth("bernard", "secret")
		h.ServeHTTP(w, req)
	}
	const n = 200
	for i := range n {
		if err := os.MkdirAll(filepath.Join(folder, "collection-root", "bernard", fmt.Sprintf("c%03d", i)), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	w := &meanwhile{httptest.NewRecorder(), func() {
		serve(other, httptest.NewRecorder(), "DELETE", fmt.Sprintf("/bernard/c%03d/", n-1), "")
	}}
	serve(h, w, "PROPFIND", "/bernard/", "")
	body, err := io.ReadAll(w.Body)
	if err != nil || w.Code != 207 {
		t.Fatal(w.Code, err)
	}
	if of, _ := statuses(t, body); len(of) != n {
		t.Errorf("%d responses, want %d", len(of), n)
	}
}

// Failures that are not of one resource alone end the answer.
func TestMemberStatus(t *testing.T) {
	for _, test := range []struct {
		err  error
		want int
	}{
		{os.ErrNotExist, 404},
		{store.ErrName, 404},
		{store.ErrKind, 404},
		{syscall.EACCES, 403},
		{syscall.EIO, 500},
		{store.ErrTooLarge, 507},
		{store.ErrStale, 0},
		{store.ErrLocked, 0},
		{syscall.EMFILE, 0},
		{syscall.EPIPE, 0},
		{os.ErrDeadlineExceeded, 0},
		{listError{syscall.EACCES}, 0},
		{errors.New("unknown"), 500},
	} {
		if got := memberStatus(fmt.Errorf("context: %w", test.err)); got != test.want {
			t.Errorf("%v: %d, want %d", test.err, got, test.want)
		}
	}
}

// What the disk refuses is the administrator's business: the client's 403 is an
// error in the log, that of a right is not.
func TestRefusedByDisk(t *testing.T) {
	for _, test := range []struct {
		err         error
		status, log int
	}{
		{&fs.PathError{Op: "open", Path: ".Radicale.lock", Err: syscall.EACCES}, 403, levelError},
		{syscall.EROFS, 403, levelError},
		{syscall.ENOSPC, 507, levelError},
		{syscall.EDQUOT, 507, levelError},
		{&fs.PathError{Op: "open", Path: "a.ics", Err: syscall.EMFILE}, 503, levelError},
		{syscall.ENOLCK, 503, levelError},
		{syscall.ENOMEM, 503, levelError},
		{syscall.ESTALE, 503, levelInfo},
		{store.ErrLocked, 503, levelInfo},
		{refuse(403, "no right"), 403, levelInfo},
		{store.ErrName, 403, levelInfo},
	} {
		w, level := httptest.NewRecorder(), -1
		h := &handler{logf: func(l int, _ string, _ ...any) { level = l }}
		(&request{h: h, w: w, r: httptest.NewRequest("PUT", "/u/c/o.ics", nil)}).fail(test.err)
		if w.Code != test.status || level != test.log {
			t.Errorf("%v: %d, logged at level %d; want %d, %d", test.err, w.Code, level, test.status, test.log)
		}
	}
}
