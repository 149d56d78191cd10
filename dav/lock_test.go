package dav

import (
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const exclusiveLock = `<lockinfo xmlns="DAV:"><lockscope><exclusive/></lockscope><locktype><write/></locktype><owner>me</owner></lockinfo>`

// lockServer is a server whose locks go by the test's clock, with a file in a
// plain collection.
type lockServer struct {
	t      *testing.T
	h      *handler
	folder string
	now    time.Time
}

func newLockServer(t *testing.T) *lockServer {
	s := &lockServer{t: t, folder: t.TempDir(), now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)}
	s.h = testHandler(t, s.folder).(*handler)
	s.h.now = func() time.Time { return s.now }
	s.do(201, "MKCOL", "/bernard/c/", "")
	s.do(201, "PUT", "/bernard/c/a", "text")
	return s
}

// do makes a request; headers are "Name: value".
func (s *lockServer) do(want int, method, path, body string, headers ...string) *httptest.ResponseRecorder {
	s.t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.SetBasicAuth("bernard", "secret")
	for _, h := range headers {
		k, v, _ := strings.Cut(h, ": ")
		r.Header.Add(k, v)
	}
	w := httptest.NewRecorder()
	s.h.ServeHTTP(w, r)
	if w.Code != want {
		s.t.Fatalf("%s %s: %d, want %d\n%s", method, path, w.Code, want, w.Body)
	}
	return w
}

func (s *lockServer) lock(path string, headers ...string) (token string) {
	s.t.Helper()
	return s.do(200, "LOCK", path, exclusiveLock, headers...).Header().Get("Lock-Token")
}

func (s *lockServer) discovery() string {
	s.t.Helper()
	return s.do(207, "PROPFIND", "/bernard/c/a", `<propfind xmlns="DAV:"><prop><lockdiscovery/></prop></propfind>`, "Depth: 0").Body.String()
}

func (s *lockServer) locksFile() string { return filepath.Join(s.folder, ".inetdav.locks") }

// RFC 4918, 6.6 and 9.10.2.
func TestLockTimeout(t *testing.T) {
	s := newLockServer(t)
	token := s.lock("/bernard/c/a", "Timeout: Second-100")
	for _, step := range []struct {
		wait    time.Duration
		refresh string // Timeout of a LOCK without a body; "-": none, "": no such LOCK
		left    string // what lockdiscovery then says; "": no lock
	}{
		{0, "", "Second-100"},
		{300 * time.Millisecond, "", "Second-100"},
		{700 * time.Millisecond, "", "Second-99"},
		{98 * time.Second, "", "Second-1"},
		{500 * time.Millisecond, "-", "Second-100"},
		{99 * time.Second, "Second-10", "Second-10"},
		{9 * time.Second, "-", "Second-10"},
		{10 * time.Second, "", ""},
	} {
		s.now = s.now.Add(step.wait)
		switch step.refresh {
		case "":
		case "-":
			s.do(200, "LOCK", "/bernard/c/a", "", "If: ("+token+")")
		default:
			s.do(200, "LOCK", "/bernard/c/a", "", "If: ("+token+")", "Timeout: "+step.refresh)
		}
		got := s.discovery()
		if step.left == "" && strings.Contains(got, "activelock") || !strings.Contains(got, step.left) {
			t.Errorf("%v later, %q: want %q in\n%s", step.wait, step.refresh, step.left, got)
		}
		if step.left != "" {
			s.do(423, "PUT", "/bernard/c/a", "no")
		}
	}
	s.do(412, "LOCK", "/bernard/c/a", "", "If: ("+token+")")
	s.do(409, "UNLOCK", "/bernard/c/a", "", "Lock-Token: "+token)
	s.do(204, "PUT", "/bernard/c/a", "free")
	// The next lock that is made takes the place of those that have ended.
	s.lock("/bernard/c/a")
	b, err := os.ReadFile(s.locksFile())
	if err != nil || strings.Contains(string(b), strings.Trim(token, "<>")) {
		t.Errorf("%s (%v)", b, err)
	}
}

// The file is there as long as there are locks.
func TestLocksFile(t *testing.T) {
	s := newLockServer(t)
	gone := func(when string) {
		t.Helper()
		if _, err := os.Lstat(s.locksFile()); !os.IsNotExist(err) {
			t.Errorf("%s: %v", when, err)
		}
	}
	s.discovery()
	s.do(403, "LOCK", "/bernard/new", exclusiveLock)
	gone("nobody has locked")
	token := s.lock("/bernard/c/a")
	s.do(204, "UNLOCK", "/bernard/c/a", "", "Lock-Token: "+token)
	gone("after UNLOCK")
	token = s.lock("/bernard/c/a")
	s.do(204, "DELETE", "/bernard/c/", "", "If: </bernard/c/a> ("+token+")")
	gone("after DELETE of the collection")
}

// A damaged file is no locks; what it says of an owner is not sent if it is no
// XML.
func TestLocksFileDamaged(t *testing.T) {
	s := newLockServer(t)
	token := s.lock("/bernard/c/a")
	whole, err := os.ReadFile(s.locksFile())
	if err != nil {
		t.Fatal(err)
	}
	for _, broken := range []string{"", "{", string(whole[:len(whole)-9]), "[1]", strings.Repeat("x", 2<<20)} {
		write(t, s.locksFile(), broken)
		s.discovery()
		s.do(204, "PUT", "/bernard/c/a", "free")
	}
	write(t, s.locksFile(), strings.Replace(string(whole), "me</", "</owner><", 1))
	if got := s.discovery(); !strings.Contains(got, strings.Trim(token, "<>")) || strings.Contains(got, "owner") {
		t.Errorf("lockdiscovery with an owner that is no XML:\n%s", got)
	}
	write(t, s.locksFile(), "{")
	s.lock("/bernard/c/a")
	s.do(423, "PUT", "/bernard/c/a", "locked again")
}

func write(t *testing.T, name, data string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(data), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A request that is refused under the lock leaves nothing behind of its body.
func TestRefusedBodyIsDiscarded(t *testing.T) {
	s := newLockServer(t)
	s.do(201, "MKCALENDAR", "/bernard/cal/", "")
	event := "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20261101T120000Z\r\nDTSTART:20261201T090000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
	s.lock("/bernard/c/")
	s.lock("/bernard/cal/")
	s.do(423, "PUT", "/bernard/c/a", "no")
	s.do(423, "PUT", "/bernard/c/new", "no")
	s.do(423, "LOCK", "/bernard/c/new", exclusiveLock)
	s.do(423, "PUT", "/bernard/cal/1.ics", event)
	s.do(423, "POST", "/bernard/cal/", event)
	s.do(423, "PUT", "/bernard/cal/", event)
	s.do(412, "PUT", "/bernard/cal/1.ics", event, `If: (["no"])`)
	err := filepath.WalkDir(s.folder, func(path string, d fs.DirEntry, err error) error {
		if strings.HasPrefix(filepath.Base(path), ".Radicale.tmp-") {
			t.Error("left behind:", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// RFC 4918, 11.5: there is an end to what locks may take.
func TestTooManyLocks(t *testing.T) {
	s := newLockServer(t)
	shared := strings.Replace(exclusiveLock, "exclusive", "shared", 1)
	n := 0
	for ; n < 10_000; n++ {
		r := httptest.NewRequest("LOCK", "/bernard/c/a", strings.NewReader(shared))
		r.SetBasicAuth("bernard", "secret")
		w := httptest.NewRecorder()
		s.h.ServeHTTP(w, r)
		if w.Code == http.StatusInsufficientStorage {
			break
		}
		if w.Code != http.StatusOK {
			t.Fatal(fmt.Sprint(n), w.Code, w.Body)
		}
	}
	if n != 100 {
		t.Errorf("one user has %d locks", n)
	}
	s.do(507, "LOCK", "/bernard/c/new", exclusiveLock)
	s.do(404, "GET", "/bernard/c/new", "")
	s.now = s.now.Add(DefaultTimeout)
	s.lock("/bernard/c/a")
}

// FuzzLock: whatever a client says, nobody's error is ours, and what we answer
// is XML.
func FuzzLock(f *testing.F) {
	f.Add(exclusiveLock, "Second-60", "", "<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6>")
	f.Add("", "Infinite", "(<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6>) (Not <DAV:no-lock>)", "<>")
	f.Add(`<lockinfo xmlns="DAV:" xml:lang="x"><locktype><write/></locktype><lockscope><shared/></lockscope><owner a="b">&#x7f;<c xmlns="urn:c"/></owner></lockinfo>`, "Second-4294967296,Second-", "()", "<a>b>")
	h := testHandler(f, f.TempDir()).(*handler)
	h.logf = func(int, string, ...any) {} // of f, which must not be used below
	h.auth.Logf = nil
	do := func(t testing.TB, method, path, body string, headers ...string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		r.SetBasicAuth("bernard", "x")
		for i := 0; i < len(headers); i += 2 {
			if headers[i+1] != "" {
				r.Header.Set(headers[i], headers[i+1])
			}
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code >= 500 && w.Code != http.StatusInsufficientStorage {
			t.Fatalf("%s: %d\n%s", method, w.Code, w.Body)
		}
		if strings.Contains(w.Header().Get("Content-Type"), "xml") {
			wellFormed(t, method, w.Body.Bytes())
		}
		return w
	}
	do(f, "MKCOL", "/bernard/c/", "")
	do(f, "PUT", "/bernard/c/a", "text")
	f.Fuzz(func(t *testing.T, body, timeout, ifHeader, token string) {
		w := do(t, "LOCK", "/bernard/c/a", body, "Timeout", timeout, "If", ifHeader)
		do(t, "PROPFIND", "/bernard/c/a", "", "Depth", "0")
		if w.Code == http.StatusOK && w.Header().Get("Lock-Token") != "" {
			if w := do(t, "UNLOCK", "/bernard/c/a", "", "Lock-Token", w.Header().Get("Lock-Token")); w.Code != http.StatusNoContent {
				t.Fatalf("UNLOCK: %d", w.Code)
			}
		}
		do(t, "UNLOCK", "/bernard/c/a", "", "Lock-Token", token)
	})
}
