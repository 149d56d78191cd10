package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"inetdav/dav/config"
	"inetdav/store"
)

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

// importing runs the program on a folder, and gives what it printed.
func importing(t *testing.T, ctx context.Context, folder string, args ...string) (out string, code int) {
	t.Helper()
	var b bytes.Buffer
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	code = run(ctx, slices.Insert(slices.Clone(args), 1, "--config=", "--storage-filesystem-folder="+folder), null, &b, &b)
	return b.String(), code
}

// want is importing, with an exit code to expect and parts of what is printed.
func want(t *testing.T, code int, parts []string, folder string, args ...string) string {
	t.Helper()
	out, got := importing(t, t.Context(), folder, args...)
	if got != code {
		t.Errorf("%q: exit code %d, want %d", args, got, code)
	}
	for _, part := range parts {
		if !strings.Contains(out, part) {
			t.Errorf("%q: no %q", args, part)
		}
	}
	if t.Failed() {
		t.Fatal(out)
	}
	return out
}

func event(uid, summary string) string {
	return "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//x//EN\r\nBEGIN:VEVENT\r\nUID:" + uid +
		"\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:20260102T100000Z\r\nSUMMARY:" + summary + "\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
}

func card(uid, name string) string {
	return "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:" + uid + "\r\nFN:" + name + "\r\nN:" + name + ";;;;\r\nEND:VCARD\r\n"
}

// objects gives the files of a collection.
func objects(t *testing.T, folder, collection string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(folder, "collection-root", collection))
	if err != nil {
		t.Fatal(err)
	}
	m := map[string]string{}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		b, err := os.ReadFile(filepath.Join(folder, "collection-root", collection, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		m[e.Name()] = string(b)
	}
	return m
}

// property reads one of .Radicale.props.
func property(t *testing.T, folder, collection, key string) string {
	t.Helper()
	s, err := store.Open(store.Options{Folder: folder, FolderUmask: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c, err := s.Collection(t.Context(), collection)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	value, _ := c.Props().Get(key)
	return value
}

// need skips a test whose Debian package is missing.
func need(t *testing.T, pkg, file string) {
	t.Helper()
	if _, err := os.Stat(file); err != nil {
		t.Skipf("needs Debian's package %s", pkg)
	}
}

// startProgram runs a server on a free port until the test ends. %s in an
// argument becomes the port.
func startProgram(t *testing.T, env []string, name string, args ...string) (base string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	_, port, _ := net.SplitHostPort(address)
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], "%PORT%", port)
	}
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), env...)
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-ended
		if t.Failed() {
			t.Logf("%s said:\n%.4000s", name, log.String())
		}
	})
	deadline := time.Now().Add(patience)
	for {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
			return "http://" + address
		}
		select {
		case <-ended:
			t.Fatalf("%s has ended:\n%s", name, log.String())
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not listen", name)
		}
	}
}

// startOurs serves a folder by the server's own handler.
func startOurs(t *testing.T) (base, folder string) {
	t.Helper()
	folder = t.TempDir()
	c, _, _, err := config.Load([]string{"--config=", "--auth-type=none"}, func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(store.Options{Folder: folder, FolderUmask: -1})
	if err != nil {
		t.Fatal(err)
	}
	d, err := newDestination(s, c, folder)
	if err != nil {
		t.Fatal(err)
	}
	one := make(chan struct{}, 1) // a handler is for one connection
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		one <- struct{}{}
		defer func() { <-one }()
		d.handler.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { server.Close(); s.Close() })
	return server.URL, folder
}

// dialogue sends a request of a test's own, with the login of the source.
func (s *source) send(t *testing.T, method, path, body string) {
	t.Helper()
	c := newClient(s.login, s.password, []string{"127.0.0.1"}, 0)
	req, err := http.NewRequest(method, s.base+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", map[bool]string{true: "text/calendar", false: "text/vcard"}[strings.HasSuffix(path, ".ics")])
	if strings.HasPrefix(body, "<") {
		req.Header.Set("Content-Type", "application/xml")
	}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, _ := io.ReadAll(resp.Body); resp.StatusCode >= 300 || bytes.Contains(b, []byte("HTTP/1.1 4")) {
		t.Fatalf("%s %s: %d %s", method, path, resp.StatusCode, b)
	}
}

// source is a server with something in it.
type source struct {
	base, login, password string
	calendar, cards       string // paths of a collection each, made by the test or there
	start                 string // path of the URL to import from
	noProps               bool
}

// fill stores n events and n cards.
func (s *source) fill(t *testing.T, n int) {
	t.Helper()
	for i := range n {
		s.send(t, "PUT", fmt.Sprintf("%sevent%d.ics", s.calendar, i), event(fmt.Sprintf("event%d", i), fmt.Sprintf("Ereignis Nº %d & <more>", i)))
		s.send(t, "PUT", fmt.Sprintf("%scard%d.vcf", s.cards, i), card(fmt.Sprintf("card%d", i), fmt.Sprintf("Café %d", i)))
	}
}

const extended = `<?xml version="1.0" encoding="utf-8"?><mkcol xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:R="urn:ietf:params:xml:ns:carddav" xmlns:A="http://apple.com/ns/ical/"><set><prop>
<resourcetype><collection/>%s</resourcetype><displayname>%s</displayname>%s</prop></set></mkcol>`

// makeCollections makes them where the server has none of its own.
func (s *source) makeCollections(t *testing.T) {
	t.Helper()
	s.send(t, "MKCOL", s.calendar, fmt.Sprintf(extended, "<C:calendar/>", "Büro &amp; Haus",
		`<C:supported-calendar-component-set><C:comp name="VEVENT"/></C:supported-calendar-component-set><A:calendar-color>#FF2968FF</A:calendar-color><C:calendar-description>What we do</C:calendar-description>`))
	s.send(t, "MKCOL", s.cards, fmt.Sprintf(extended, "<R:addressbook/>", "Leute", "<R:addressbook-description>Whom we know</R:addressbook-description>"))
}
