package main

import (
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// Tests by real clients, each against the real program on real connections.
// .ci/run installs the clients; one that is missing skips its test by name.
//
//	s := clientServer(t)          // users demo and other, password as the name
//	d := newDesk(t)               // where a person sits: a home of its own
//	d.run("", "khal", "list")     // fails the test unless it succeeds
//
// They run in parallel: most of their time is Python's.

// clientPatience is how long one command of a client may take; Python programs
// on a busy machine take seconds.
const clientPatience = 2 * time.Minute

// need skips the test unless Debian's package is there, told by a file of it.
func need(t testing.TB, debianPackage, file string) {
	t.Helper()
	if _, err := os.Stat(file); err != nil {
		t.Skipf("SKIPPED, NOT TESTED: Debian's package %s is not installed (no %s)", debianPackage, file)
	}
}

// clientServer serves a fresh folder to the users demo and other, whose
// passwords are their names.
func clientServer(t testing.TB, args ...string) *server {
	t.Helper()
	return clientServerOn(t, systemd, args...)
}

// clientServerOn is clientServer with a way to hand connections over.
func clientServerOn(t testing.TB, how handover, args ...string) *server {
	t.Helper()
	users := filepath.Join(t.TempDir(), "users")
	writeFile(t, users, "demo:demo\nother:other\n")
	return startServerWith(t, serverOptions{handover: how, args: append([]string{
		"--auth-type=htpasswd", "--auth-htpasswd-filename=" + users, "--auth-htpasswd-encryption=plain", "--auth-delay=0",
	}, args...)})
}

// A desk is where a person sits: a home, with a client's files in it.
type desk struct {
	t    testing.TB
	Home string
}

func newDesk(t testing.TB) *desk { return &desk{t, t.TempDir()} }

// path gives a name in the home.
func (d *desk) path(name string) string { return filepath.Join(d.Home, filepath.FromSlash(name)) }

// write writes a file below the home.
func (d *desk) write(name, text string) { d.t.Helper(); writeFile(d.t, d.path(name), text) }

// read reads a file below the home.
func (d *desk) read(name string) string { d.t.Helper(); return readFile(d.t, d.path(name)) }

// files gives the contents of a folder below the home, or of one given
// absolutely, by file name, without those that start with a dot.
func (d *desk) files(folder string) map[string]string {
	d.t.Helper()
	return objectFiles(d.t, d.path(folder))
}

// try runs a client at the desk and gives all that it printed.
func (d *desk) try(stdin string, argv ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), clientPatience)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	if path, err := lookClient(argv[0]); err == nil {
		cmd.Path, cmd.Err = path, nil
	}
	cmd.Dir = d.Home
	// No proxy, no user's settings, and Debian's Python before any other.
	cmd.Env = []string{
		"HOME=" + d.Home, "PATH=" + clientPath, "TMPDIR=" + d.Home,
		"LC_ALL=C.UTF-8", "TZ=Europe/Berlin", "TERM=dumb", "EDITOR=/bin/false", "PYTHONUNBUFFERED=1",
	}
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// run runs a client which must succeed and gives what it printed.
func (d *desk) run(stdin string, argv ...string) string {
	d.t.Helper()
	out, err := d.try(stdin, argv...)
	if err != nil {
		d.t.Fatalf("%s: %v\n%s", strings.Join(argv, " "), err, out)
	}
	return out
}

const clientPath = "/usr/bin:/bin:/usr/sbin:/sbin"

func lookClient(name string) (string, error) {
	for _, dir := range filepath.SplitList(clientPath) {
		if path := filepath.Join(dir, name); isExecutable(path) {
			return path, nil
		}
	}
	return exec.LookPath(name)
}

func writeFile(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func readFile(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// objectFiles gives the files of a folder by name, without those that start
// with a dot.
func objectFiles(t testing.TB, folder string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") && e.Type().IsRegular() {
			files[e.Name()] = readFile(t, filepath.Join(folder, e.Name()))
		}
	}
	return files
}

// stored gives the objects of a collection as they lie in the server's folder.
func (s *server) stored(collection string) map[string]string {
	s.t.Helper()
	return objectFiles(s.t, filepath.Join(s.Folder, "collection-root", filepath.FromSlash(collection)))
}

// An answer is a response, read to its end.
type answer struct {
	Code   int
	Header http.Header
	Body   string
}

// ask sends a request by hand as user demo. Headers are "Name: value".
func (s *server) ask(method, path, body string, headers ...string) answer {
	s.t.Helper()
	a, err := askAt(s.Client, s.URL, method, path, body, headers...)
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

func askAt(client *http.Client, url, method, path, body string, headers ...string) (answer, error) {
	req, err := http.NewRequest(method, url+strings.TrimPrefix(path, "/"), strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	req.SetBasicAuth("demo", "demo")
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	resp, err := client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{}, fmt.Errorf("%s %s: the body: %w", method, path, err)
	}
	return answer{resp.StatusCode, resp.Header, string(b)}, nil
}

// must is ask where only these statuses will do.
func (s *server) must(codes []int, method, path, body string, headers ...string) answer {
	s.t.Helper()
	a := s.ask(method, path, body, headers...)
	if !slices.Contains(codes, a.Code) {
		s.t.Fatalf("%s %s: %d, want one of %v\n%s", method, path, a.Code, codes, a.Body)
	}
	return a
}

func (s *server) mkcalendar(path, displayname string) {
	s.t.Helper()
	s.must([]int{201}, "MKCALENDAR", path, `<?xml version="1.0" encoding="utf-8"?>
<C:mkcalendar xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:I="http://apple.com/ns/ical/"><set><prop>
<displayname>`+displayname+`</displayname><I:calendar-color>#11aa33ff</I:calendar-color>
</prop></set></C:mkcalendar>`, "Content-Type: application/xml")
}

func (s *server) mkaddressbook(path, displayname string) {
	s.t.Helper()
	s.must([]int{201}, "MKCOL", path, `<?xml version="1.0" encoding="utf-8"?>
<mkcol xmlns="DAV:" xmlns:CR="urn:ietf:params:xml:ns:carddav"><set><prop>
<resourcetype><collection/><CR:addressbook/></resourcetype><displayname>`+displayname+`</displayname>
</prop></set></mkcol>`, "Content-Type: application/xml")
}

// etags asks with PROPFIND for the entity tags of a collection's objects, by
// name.
func (s *server) etags(collection string) map[string]string {
	s.t.Helper()
	tags, err := etagsAt(s.Client, s.URL, collection)
	if err != nil {
		s.t.Fatal(err)
	}
	return tags
}

// multistatus is a 207 answer as this package's tests read it.
type multistatus struct {
	Responses []struct {
		Href  string `xml:"DAV: href"`
		Stats []struct {
			Status string `xml:"DAV: status"`
			Prop   struct {
				ETag string `xml:"DAV: getetag"`
				Type struct {
					Collection *struct{} `xml:"DAV: collection"`
				} `xml:"DAV: resourcetype"`
				Name string `xml:"DAV: displayname"`
				CTag string `xml:"http://calendarserver.org/ns/ getctag"`
				Tint string `xml:"http://apple.com/ns/ical/ calendar-color"`
			} `xml:"DAV: prop"`
		} `xml:"DAV: propstat"`
	} `xml:"DAV: response"`
	Token string `xml:"DAV: sync-token"`
}

func etagsAt(client *http.Client, url, collection string) (map[string]string, error) {
	a, err := askAt(client, url, "PROPFIND", "/"+collection+"/", `<propfind xmlns="DAV:"><prop><getetag/><resourcetype/></prop></propfind>`, "Depth: 1")
	if err != nil {
		return nil, err
	}
	var m multistatus
	if err := xml.Unmarshal([]byte(a.Body), &m); a.Code != 207 || err != nil {
		return nil, fmt.Errorf("PROPFIND %s: %d, %v\n%s", collection, a.Code, err, a.Body)
	}
	tags := map[string]string{}
	for _, r := range m.Responses {
		for _, stat := range r.Stats {
			if stat.Prop.ETag != "" && stat.Prop.Type.Collection == nil {
				tags[r.Href[strings.LastIndexByte(r.Href, '/')+1:]] = stat.Prop.ETag
			}
		}
	}
	return tags, nil
}

// Objects of the tests. They have LF where a test does not care.

const meetingZone = `BEGIN:VTIMEZONE
TZID:Europe/Berlin
BEGIN:DAYLIGHT
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
TZNAME:CEST
DTSTART:19700329T020000
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU
END:DAYLIGHT
BEGIN:STANDARD
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
TZNAME:CET
DTSTART:19701025T030000
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
END:STANDARD
END:VTIMEZONE
`

// vevent gives a calendar object with an hour's event; more is further content
// lines of it.
func vevent(uid, summary, start, more string) string {
	return "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//inetdav//tests//EN\nBEGIN:VEVENT\nUID:" + uid +
		"\nDTSTAMP:20261101T120000Z\nDTSTART:" + start + "\nDURATION:PT1H\nSUMMARY:" + summary + "\n" + more +
		"END:VEVENT\nEND:VCALENDAR\n"
}

// weekly gives a recurring event in a time zone, with an instance moved and one
// left out.
func weekly(uid, summary string) string {
	return "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//inetdav//tests//EN\n" + meetingZone +
		"BEGIN:VEVENT\nUID:" + uid + "\nDTSTAMP:20261101T120000Z\nDTSTART;TZID=Europe/Berlin:20261012T100000\n" +
		"DTEND;TZID=Europe/Berlin:20261012T110000\nRRULE:FREQ=WEEKLY;COUNT=8\nEXDATE;TZID=Europe/Berlin:20261026T100000\nSUMMARY:" + summary + "\nEND:VEVENT\n" +
		"BEGIN:VEVENT\nUID:" + uid + "\nRECURRENCE-ID;TZID=Europe/Berlin:20261102T100000\nDTSTAMP:20261101T120000Z\n" +
		"DTSTART;TZID=Europe/Berlin:20261103T150000\nDTEND;TZID=Europe/Berlin:20261103T160000\nSUMMARY:" + summary + " (moved)\nEND:VEVENT\nEND:VCALENDAR\n"
}

func vtodo(uid, summary, more string) string {
	return "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//inetdav//tests//EN\nBEGIN:VTODO\nUID:" + uid +
		"\nDTSTAMP:20261101T120000Z\nSUMMARY:" + summary + "\n" + more + "END:VTODO\nEND:VCALENDAR\n"
}

func vcardOf(uid, name, more string) string {
	return "BEGIN:VCARD\nVERSION:3.0\nUID:" + uid + "\nFN:" + name + "\nN:" + name + ";;;;\n" + more + "END:VCARD\n"
}

// crlf gives text with the line ends of RFC 5545.
func crlf(text string) string { return strings.ReplaceAll(text, "\n", "\r\n") }

// same fails the test unless both folders hold the same files.
func same(t testing.TB, what string, got, want map[string]string) {
	t.Helper()
	for name, text := range want {
		if other, ok := got[name]; !ok {
			t.Errorf("%s: %s is missing", what, name)
		} else if other != text {
			t.Errorf("%s: %s differs:\n%s\n--- want\n%s", what, name, other, text)
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("%s: %s is too many", what, name)
		}
	}
}

// noServerError fails the test if the server's log tells of an error.
func (s *server) noServerError() {
	s.t.Helper()
	for line := range strings.Lines(s.Log()) {
		if strings.Contains(line, "panic") || strings.Contains(line, "[ERROR]") {
			s.t.Errorf("in the server's log: %s", line)
		}
	}
}

// onBoth runs a test with connections on fd 3, as from systemd, and on fd 0, as
// from inetd.
func onBoth(t *testing.T, test func(t *testing.T, how handover)) {
	for _, how := range []handover{systemd, inetd} {
		t.Run(how.String(), func(t *testing.T) {
			t.Parallel()
			test(t, how)
		})
	}
}
