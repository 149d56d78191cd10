package main

import (
	"bytes"
	"encoding/xml"
	"flag"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// Radicale, served from the same folder: before and after this program, and at
// the same time.

// startRadicale starts Debian's Radicale on the server's folder and gives its
// URL.
func startRadicale(t *testing.T, s *server) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "config")
	writeFile(t, name, "[auth]\ntype = none\n[storage]\nfilesystem_folder = "+s.Folder+"\n")
	address, _ := startRadicaleWith(t, nil, name)
	return address
}

// startRadicaleWith starts Debian's Radicale with these files of its
// configuration, which leave out where it listens, and gives its URL. It ends
// with the test, or with stop.
func startRadicaleWith(t *testing.T, env []string, configs ...string) (address string, stop func()) {
	t.Helper()
	need(t, "radicale", "/usr/bin/radicale")
	d := newDesk(t)
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address = l.Addr().String()
	l.Close()
	d.write("config", "[server]\nhosts = "+address+"\nmax_connections = 30\n")
	log, err := os.Create(d.path("log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command("/usr/bin/radicale", "-C", strings.Join(append(configs, d.path("config")), ":"))
	cmd.Env = append([]string{"PATH=" + clientPath, "HOME=" + d.Home, "LC_ALL=C.UTF-8", "PYTHONUNBUFFERED=1"}, env...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	stop = sync.OnceFunc(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(patience):
			cmd.Process.Kill()
			<-ended
		}
	})
	t.Cleanup(func() {
		stop()
		if t.Failed() {
			text := d.read("log")
			t.Logf("Radicale's log:\n%s", text[max(0, len(text)-20_000):])
		}
	})
	waitFor(t, "Radicale", func() bool {
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("Radicale ended: %v\n%s", err, d.read("log"))
		default:
		}
		c, err := net.Dial("tcp4", address)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	return "http://" + address + "/", stop
}

// A side is one of the two servers of a folder.
type side struct {
	name string
	url  string
	http *http.Client // server.Client reaches its own server only
	s    *server
	t    *testing.T
}

func (p side) ask(method, path, body string, headers ...string) answer {
	p.t.Helper()
	a, err := askAt(p.http, p.url, method, path, body, headers...)
	if err != nil {
		p.t.Fatalf("%s: %v", p.name, err)
	}
	return a
}

// must is ask where only success will do.
func (p side) must(method, path, body string, headers ...string) answer {
	p.t.Helper()
	a := p.ask(method, path, body, headers...)
	if a.Code/100 != 2 {
		p.t.Fatalf("%s: %s %s: %d\n%s", p.name, method, path, a.Code, a.Body)
	}
	return a
}

func (p side) etags(collection string) map[string]string {
	p.t.Helper()
	tags, err := etagsAt(p.http, p.url, collection)
	if err != nil {
		p.t.Fatalf("%s: %v", p.name, err)
	}
	return tags
}

// changes asks with sync-collection for what changed since a token: entity tags
// by name, "" for what is gone.
func (p side) changes(collection, token string) (map[string]string, string) {
	p.t.Helper()
	changed, token, err := changesAt(p.http, p.url, collection, token)
	if err != nil {
		p.t.Fatalf("%s: %v", p.name, err)
	}
	return changed, token
}

func changesAt(client *http.Client, url, collection, token string) (map[string]string, string, error) {
	a, err := askAt(client, url, "REPORT", "/"+collection+"/", `<sync-collection xmlns="DAV:"><sync-token>`+token+`</sync-token><sync-level>1</sync-level><prop><getetag/></prop></sync-collection>`)
	if err != nil {
		return nil, "", err
	}
	var m multistatus
	if err := xml.Unmarshal([]byte(a.Body), &m); a.Code != 207 || err != nil {
		return nil, "", fmt.Errorf("sync-collection on %s: %d, %v\n%s", collection, a.Code, err, a.Body)
	}
	changed := map[string]string{}
	for _, r := range m.Responses {
		name := r.Href[strings.LastIndexByte(r.Href, '/')+1:]
		changed[name] = ""
		for _, stat := range r.Stats {
			if stat.Prop.ETag != "" {
				changed[name] = stat.Prop.ETag
			}
		}
	}
	return changed, m.Token, nil
}

// both starts both servers on one folder.
func both(t *testing.T) (ours, theirs side) {
	t.Helper()
	need(t, "radicale", "/usr/bin/radicale")
	s := startServer(t)
	return side{"inetdav", s.URL, s.Client, s, t},
		side{"Radicale", startRadicale(t, s), &http.Client{Transport: s.transportOf(), Timeout: patience}, s, t}
}

// exported gives the objects of a whole-collection GET, sorted: order and frame
// are each server's own.
func exported(t *testing.T, body string) []string {
	t.Helper()
	var parts []string
	for _, name := range []string{"VEVENT", "VTODO", "VCARD", "VTIMEZONE"} {
		parts = append(parts, regexp.MustCompile(`(?s)BEGIN:`+name+`\r\n.*?END:`+name+`\r\n`).FindAllString(body, -1)...)
	}
	slices.Sort(parts)
	return parts
}

func TestRadicaleAlternates(t *testing.T) {
	t.Parallel()
	ours, theirs := both(t)
	collections := []string{"demo/cal", "demo/book"}
	agree := func(when string) {
		t.Helper()
		for _, c := range collections {
			a, b := ours.etags(c), theirs.etags(c)
			if !maps.Equal(a, b) {
				t.Errorf("%s: %s is %v of inetdav, %v of Radicale", when, c, a, b)
			}
			for name, etag := range b {
				x, y := ours.ask("GET", c+"/"+name, ""), theirs.ask("GET", c+"/"+name, "")
				if x.Code != 200 || y.Code != 200 || x.Body != y.Body || x.Header.Get("ETag") != etag || y.Header.Get("ETag") != etag {
					t.Errorf("%s: GET %s/%s differs: %d %q %s, Radicale %d %q %s", when, c, name, x.Code, x.Body, x.Header.Get("ETag"), y.Code, y.Body, y.Header.Get("ETag"))
				}
				if x, y := x.Header.Get("Last-Modified"), y.Header.Get("Last-Modified"); x != y {
					t.Errorf("%s: %s/%s: Last-Modified %s, Radicale %s", when, c, name, x, y)
				}
			}
			x, y := ours.must("GET", c+"/", ""), theirs.must("GET", c+"/", "")
			if p, q := exported(t, x.Body), exported(t, y.Body); !slices.Equal(p, q) {
				t.Errorf("%s: GET %s/ differs:\n%s\n--- Radicale\n%s", when, c, strings.Join(p, ""), strings.Join(q, ""))
			}
			// Radicale's spelling
			if x, y := x.Header.Get("Content-Disposition"), strings.Replace(y.Header.Get("Content-Disposition"), "attachement", "attachment", 1); x != y {
				t.Errorf("%s: %s: Content-Disposition %q, Radicale %q", when, c, x, y)
			}
			for _, prop := range []string{
				`<displayname/>`, `<resourcetype/>`, `<C:calendar-description/>`, `<CR:addressbook-description/>`, `<I:calendar-color/>`, `<I:calendar-order/>`, `<dead xmlns="http://example.org/ns"/>`, `<new xmlns="http://example.org/ns"/>`, `<C:supported-calendar-component-set/>`,
			} {
				if c != "demo/cal" && strings.Contains(prop, "component-set") {
					// Radicale has it everywhere; RFC 4791, 5.2.3 has it on
					// calendars. Where none was set, inetdav takes, and so
					// lists, two types more.
					continue
				}
				body := `<propfind xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:CR="urn:ietf:params:xml:ns:carddav" xmlns:I="http://apple.com/ns/ical/"><prop>` + prop + `</prop></propfind>`
				x, y := ours.must("PROPFIND", c+"/", body, "Depth: 0"), theirs.must("PROPFIND", c+"/", body, "Depth: 0")
				if p, q := propOf(t, x.Body), propOf(t, y.Body); p != q {
					t.Errorf("%s: %s: %s is %s, of Radicale %s", when, c, prop, p, q)
				}
			}
		}
	}

	// Radicale was here first.
	theirs.must("MKCALENDAR", "/demo/cal/", `<C:mkcalendar xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:I="http://apple.com/ns/ical/"><set><prop>
<displayname>Büro &amp; mehr</displayname><C:calendar-description>"Two"
lines</C:calendar-description><I:calendar-color>#ff0000ff</I:calendar-color><I:calendar-order>3</I:calendar-order>
<C:supported-calendar-component-set><C:comp name="VEVENT"/><C:comp name="VTODO"/></C:supported-calendar-component-set>
<dead xmlns="http://example.org/ns">kept</dead></prop></set></C:mkcalendar>`)
	theirs.must("MKCOL", "/demo/book/", `<mkcol xmlns="DAV:" xmlns:CR="urn:ietf:params:xml:ns:carddav"><set><prop><resourcetype><collection/><CR:addressbook/></resourcetype><displayname>📇</displayname></prop></set></mkcol>`)
	texts := map[string]string{
		"cal/weekly.ics":          weekly("weekly", "Team"),
		"cal/a%20b%20%C3%BC@.ics": vevent("one@x", "Ein Büro; mit, Zeichen\\n", "20261201T100000Z", "X-FOO;X-BAR=\"a:b\":v\nDESCRIPTION:"+strings.Repeat("lang ", 40)+"\n"),
		"cal/todo.ics":            vtodo("todo", "To do", "DUE;VALUE=DATE:20261205\nCATEGORIES:B,A\n"),
		"book/ada.vcf":            vcardOf("ada", "Ada Löwe", "EMAIL;TYPE=work:ada@example.org\nitem1.X-ABLabel:x\n"),
	}
	for name, text := range texts {
		theirs.must("PUT", "/demo/"+name, crlf(text))
	}
	agree("after Radicale's uploads")

	// What Radicale makes of a text is what both call by the same tag, whoever
	// writes it: take it from a scratch calendar of Radicale's.
	theirs.must("MKCALENDAR", "/demo/scratch/", "")
	normal := func(text string) string {
		t.Helper()
		theirs.must("PUT", "/demo/scratch/x.ics", crlf(text))
		text = theirs.must("GET", "/demo/scratch/x.ics", "").Body
		theirs.must("DELETE", "/demo/scratch/x.ics", "")
		return text
	}
	_, oursToken := ours.changes("demo/cal", "")
	_, theirsToken := theirs.changes("demo/cal", "")
	moved := func(when string, want ...string) {
		t.Helper()
		var a, b map[string]string
		a, oursToken = ours.changes("demo/cal", oursToken)
		b, theirsToken = theirs.changes("demo/cal", theirsToken)
		if !maps.Equal(a, b) || !slices.Equal(slices.Sorted(maps.Keys(a)), want) {
			t.Errorf("%s: changed %v for inetdav, %v for Radicale, want %v", when, a, b, want)
		}
	}
	moved("nothing")

	ours.must("PUT", "/demo/cal/ours.ics", normal(weekly("ours", "Written by inetdav")), "If-None-Match: *")
	agree("after an upload")
	moved("after an upload", "ours.ics")
	etag := theirs.etags("demo/cal")["ours.ics"]
	theirs.must("PUT", "/demo/cal/ours.ics", normal(weekly("ours", "Changed by Radicale")), "If-Match: "+etag)
	if a := ours.ask("PUT", "/demo/cal/ours.ics", normal(weekly("ours", "Lost")), "If-Match: "+etag); a.Code != 412 {
		t.Errorf("PUT over a change by Radicale: %d", a.Code)
	}
	agree("after a change by Radicale")
	moved("after a change by Radicale", "ours.ics")
	etag = ours.etags("demo/cal")["weekly.ics"]
	ours.must("PUT", "/demo/cal/weekly.ics", normal(weekly("weekly", "Changed by inetdav")), "If-Match: "+etag)
	if a := theirs.ask("PUT", "/demo/cal/weekly.ics", normal(weekly("weekly", "Lost")), "If-Match: "+etag); a.Code != 412 {
		t.Errorf("PUT over a change by inetdav: %d from Radicale", a.Code)
	}
	agree("after a change by inetdav")
	moved("after a change by inetdav", "weekly.ics")
	theirs.must("DELETE", "/demo/cal/ours.ics", "")
	if a := ours.ask("GET", "/demo/cal/ours.ics", ""); a.Code != 404 {
		t.Errorf("GET of what Radicale deleted: %d", a.Code)
	}
	agree("after a DELETE by Radicale")
	moved("after a DELETE by Radicale", "ours.ics")
	ours.must("DELETE", "/demo/cal/todo.ics", "", "If-Match: "+theirs.etags("demo/cal")["todo.ics"])
	if a := theirs.ask("GET", "/demo/cal/todo.ics", ""); a.Code != 404 {
		t.Errorf("GET of what inetdav deleted: %d from Radicale", a.Code)
	}
	agree("after a DELETE by inetdav")
	moved("after a DELETE by inetdav", "todo.ics")
	for i, p := range []side{ours, theirs} {
		from, to := fmt.Sprintf("/demo/cal/m%d.ics", i), fmt.Sprintf("moved%d.ics", i)
		ours.must("PUT", from, normal(vevent(fmt.Sprint("m", i), "Moved", "20261202T100000Z", "")))
		moved("before a MOVE", filepath.Base(from))
		p.must("MOVE", from, "", "Destination: "+p.url+"demo/cal/"+to)
		agree("after a MOVE by " + p.name)
		moved("after a MOVE by "+p.name, filepath.Base(from), to)
	}
	// A UID is one object's, whoever wrote it.
	for _, p := range []side{ours, theirs} {
		if a := p.ask("PUT", "/demo/cal/again.ics", normal(vevent("m0", "Again", "20261202T100000Z", ""))); a.Code != 409 {
			t.Errorf("a UID a second time: %d from %s", a.Code, p.name)
		}
	}

	// Properties.
	patch := func(p side, what string) {
		t.Helper()
		a := p.must("PROPPATCH", "/demo/cal/", `<propertyupdate xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:I="http://apple.com/ns/ical/">`+what+`</propertyupdate>`)
		if strings.Contains(a.Body, "HTTP/1.1 4") {
			t.Errorf("PROPPATCH by %s: %s", p.name, a.Body)
		}
		agree("after a PROPPATCH by " + p.name)
	}
	patch(ours, `<set><prop><displayname>Von inetdav "ü" \ 😀</displayname><I:calendar-color>#00ff00ff</I:calendar-color><new xmlns="http://example.org/ns">x</new></prop></set><remove><prop><C:calendar-description/></prop></remove>`)
	patch(theirs, `<set><prop><displayname>Von Radicale</displayname><C:calendar-description>  back </C:calendar-description></prop></set><remove><prop><I:calendar-order/></prop></remove>`)

	// Collections.
	ours.must("MKCALENDAR", "/demo/new/", `<C:mkcalendar xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><set><prop><displayname>New</displayname></prop></set></C:mkcalendar>`)
	collections = append(collections, "demo/new")
	theirs.must("PUT", "/demo/new/x.ics", crlf(vevent("x", "X", "20261202T100000Z", "")))
	agree("after MKCALENDAR by inetdav")
	// Radicale replaces a whole calendar, then inetdav does.
	whole := strings.Replace(weekly("w", "Whole"), "END:VCALENDAR", "BEGIN:VTODO\nUID:t\nDTSTAMP:20261101T120000Z\nSUMMARY:T\nEND:VTODO\nEND:VCALENDAR", 1)
	whole = strings.Replace(whole, "PRODID", "X-WR-CALNAME:Wholly new\nPRODID", 1)
	theirs.must("PUT", "/demo/new/", crlf(whole), "Content-Type: text/calendar")
	if got := ours.etags("demo/new"); len(got) != 2 {
		t.Errorf("Radicale replaced a calendar; inetdav lists %v", got)
	}
	agree("after a whole calendar from Radicale")
	ours.must("PUT", "/demo/new/", theirs.must("GET", "/demo/cal/", "").Body, "Content-Type: text/calendar")
	if a, b, want := ours.etags("demo/new"), theirs.etags("demo/new"), len(ours.etags("demo/cal")); len(a) != want || len(b) != want {
		t.Errorf("inetdav replaced a calendar by %d objects; it lists %v, Radicale %v", want, a, b)
	}
	theirs.must("DELETE", "/demo/new/", "")
	if a := ours.ask("PROPFIND", "/demo/new/", "", "Depth: 0"); a.Code != 404 {
		t.Errorf("PROPFIND of a calendar that Radicale deleted: %d", a.Code)
	}
	ours.must("DELETE", "/demo/scratch/", "")
	if a := theirs.ask("PROPFIND", "/demo/scratch/", "", "Depth: 0"); a.Code != 404 {
		t.Errorf("PROPFIND of a calendar that inetdav deleted: %d from Radicale", a.Code)
	}
	collections = collections[:2]
	agree("at the end")
	ours.s.noServerError()
	if stdout, stderr, code := run(t, "", "verify", "--config=", "--storage-filesystem-folder="+ours.s.Folder); code != 0 {
		t.Errorf("verify: %d\n%s%s", code, stdout, stderr)
	}
}

// propOf gives the value of the only property of a 207 answer in one form of
// namespaces, or its status.
func propOf(t *testing.T, body string) string {
	t.Helper()
	var m struct {
		Stats []struct {
			Status string `xml:"DAV: status"`
			Prop   struct {
				Any []tree `xml:",any"`
			} `xml:"DAV: prop"`
		} `xml:"DAV: response>propstat"`
	}
	if err := xml.Unmarshal([]byte(body), &m); err != nil {
		t.Fatalf("%v\n%s", err, body)
	}
	if len(m.Stats) != 1 || len(m.Stats[0].Prop.Any) != 1 || !strings.Contains(m.Stats[0].Status, " 200 ") {
		if len(m.Stats) == 1 {
			return m.Stats[0].Status
		}
		return body
	}
	return m.Stats[0].Prop.Any[0].String()
}

// A tree is an XML element without its attributes but name.
type tree struct {
	XMLName xml.Name
	Comp    string `xml:"name,attr"`
	Text    string `xml:",chardata"`
	Inner   []tree `xml:",any"`
}

func (e tree) String() string {
	var inner []string
	for _, i := range e.Inner {
		inner = append(inner, i.String())
	}
	slices.Sort(inner) // the order of resource types and the like means nothing
	return fmt.Sprintf("(%s %s %s %q %v)", e.XMLName.Space, e.XMLName.Local, e.Comp, e.Text, inner)
}

// A client that moves between the two has nothing to fetch: it is the same
// server to it.
func TestRadicaleHandsOver(t *testing.T) {
	t.Parallel()
	need(t, "vdirsyncer", "/usr/bin/vdirsyncer")
	ours, theirs := both(t)
	theirs.must("MKCALENDAR", "/demo/cal/", "")
	theirs.must("MKCOL", "/demo/book/", `<mkcol xmlns="DAV:" xmlns:CR="urn:ietf:params:xml:ns:carddav"><set><prop><resourcetype><collection/><CR:addressbook/></resourcetype></prop></set></mkcol>`)
	for i := range 5 {
		theirs.must("PUT", fmt.Sprintf("/demo/cal/e%d.ics", i), crlf(weekly(fmt.Sprint("e", i), "Team")))
		theirs.must("PUT", fmt.Sprintf("/demo/book/c%d.vcf", i), crlf(vcardOf(fmt.Sprint("c", i), "Somebody", "")))
	}

	// The address that the client knows, behind which the server changes.
	var behind atomic.Pointer[url.URL]
	var mu sync.Mutex
	asked := map[string]int{}
	turn := func(p side) {
		u, err := url.Parse(p.url)
		if err != nil {
			t.Fatal(err)
		}
		behind.Store(u)
		mu.Lock()
		clear(asked)
		mu.Unlock()
	}
	front := httptest.NewServer(&httputil.ReverseProxy{
		Transport: ours.s.transportOf(),
		Rewrite: func(r *httputil.ProxyRequest) {
			mu.Lock()
			asked[r.In.Method]++
			mu.Unlock()
			r.SetURL(behind.Load())
			r.Out.Host = r.In.Host
		}})
	defer front.Close()

	turn(theirs)
	d := vdirDesk(t, front.URL+"/")
	d.vdirDiscover()
	if n := len(d.vdirSync()); n != 10 {
		t.Errorf("%d objects came from Radicale", n)
	}
	// The files as vdirsyncer left them, with their times: rewritten ones would
	// have others.
	idle := func(p side) {
		t.Helper()
		turn(p)
		before := vdirTimes(d)
		wantTransfers(t, "moved to "+p.name, d.vdirSync())
		if after := vdirTimes(d); !maps.Equal(before, after) {
			t.Errorf("moved to %s: files were rewritten", p.name)
		}
		mu.Lock()
		defer mu.Unlock()
		delete(asked, "OPTIONS")
		if len(asked) != 1 || asked["PROPFIND"] == 0 {
			t.Errorf("moved to %s: vdirsyncer asked %v, want only PROPFIND", p.name, asked)
		}
	}
	idle(ours)
	idle(theirs)
	idle(ours)
	// Work with either, then move.
	turn(theirs)
	edit(t, vdirFile(d, "cal/cal", "e0"), "SUMMARY:Team", "SUMMARY:By Radicale")
	remove(t, vdirFile(d, "con/book", "c0"))
	wantTransfers(t, "changes, uploaded to Radicale", d.vdirSync(),
		"Copying (updating) item e0 to cal_there/cal",
		"Deleting item c0 from con_there/book")
	idle(ours)
	turn(ours)
	ours.must("PUT", "/demo/cal/e1.ics", strings.Replace(theirs.must("GET", "/demo/cal/e1.ics", "").Body, "SUMMARY:Team", "SUMMARY:By inetdav", 1))
	remove(t, vdirFile(d, "cal/cal", "e2"))
	ours.must("DELETE", "/demo/book/c3.vcf", "")
	wantTransfers(t, "changes, with inetdav", d.vdirSync(),
		"Copying (updating) item e1 to cal_here/cal",
		"Deleting item e2 from cal_there/cal",
		"Deleting item c3 from con_here/book")
	idle(theirs)
	idle(ours)
	// An object that inetdav keeps as it was sent (vdirsyncer sends LF), Radicale
	// reads, writes anew for itself and calls by the tag of that: moving to
	// Radicale costs a client one download of each of these, and of no other.
	edit(t, vdirFile(d, "cal/cal", "e3"), "SUMMARY:Team", "SUMMARY:As it was sent")
	wantTransfers(t, "a change, uploaded to inetdav", d.vdirSync(), "Copying (updating) item e3 to cal_there/cal")
	turn(theirs)
	wantTransfers(t, "back at Radicale", d.vdirSync(), "Copying (updating) item e3 to cal_here/cal")
	idle(theirs)
	ours.s.noServerError()
}

// A person stops Radicale, starts inetdav with the same configuration, users,
// rights and folder, and goes back again. Clients keep their passwords and what
// they have: nothing is fetched but what changed meanwhile.
func TestRadicaleSwitch(t *testing.T) {
	t.Parallel()
	need(t, "radicale", "/usr/bin/radicale")
	need(t, "vdirsyncer", "/usr/bin/vdirsyncer")
	dir := t.TempDir()
	folder, config := filepath.Join(dir, "storage"), filepath.Join(dir, "config")
	// The password demo, as htpasswd writes it by default.
	writeFile(t, filepath.Join(dir, "users"), "# users of the house\ndemo:$apr1$abcdefgh$i9D60H9dc6jEixOU11t2h/\n")
	writeFile(t, config, "[auth]\ntype = htpasswd\nhtpasswd_filename = "+filepath.Join(dir, "users")+"\nhtpasswd_encryption = md5\n"+
		"[rights]\ntype = owner_only\n[storage]\nfilesystem_folder = "+folder+"\n[logging]\nlevel = info\n")

	// The address that the client knows, and how much went through it.
	var behind atomic.Pointer[url.URL]
	var fetched, refused atomic.Int64
	transport := &http.Transport{DisableKeepAlives: true}
	front := httptest.NewServer(&httputil.ReverseProxy{
		Transport: transport,
		Rewrite: func(r *httputil.ProxyRequest) {
			body, err := io.ReadAll(r.In.Body)
			if err != nil {
				t.Error(err)
			}
			r.Out.Body = io.NopCloser(bytes.NewReader(body))
			switch r.In.Method {
			case "GET":
				fetched.Add(1)
			case "REPORT": // the objects that a multiget names, and all of a query
				fetched.Add(max(1, int64(strings.Count(string(body), "href>")/2)))
			}
			r.SetURL(behind.Load())
			r.Out.Host = r.In.Host
		},
		ModifyResponse: func(resp *http.Response) error {
			if resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden {
				refused.Add(1)
			}
			return nil
		},
	})
	defer front.Close()
	turn := func(address string) {
		t.Helper()
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		behind.Store(u)
		fetched.Store(0)
		refused.Store(0)
	}
	must := func(method, path, body string) {
		t.Helper()
		if a, err := askAt(http.DefaultClient, front.URL+"/", method, path, body); err != nil || a.Code != 201 {
			t.Fatalf("%s %s: %d %v\n%s", method, path, a.Code, err, a.Body)
		}
	}
	quiet := func(when string) {
		t.Helper()
		if n := refused.Load(); n > 0 {
			t.Errorf("%s: %d requests were refused", when, n)
		}
	}

	address, stop := startRadicaleWith(t, nil, config)
	turn(address)
	must("MKCALENDAR", "demo/cal/", `<C:mkcalendar xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:I="http://apple.com/ns/ical/"><set><prop><displayname>Büro</displayname><I:calendar-color>#ff8800ff</I:calendar-color></prop></set></C:mkcalendar>`)
	must("MKCOL", "demo/book/", `<mkcol xmlns="DAV:" xmlns:CR="urn:ietf:params:xml:ns:carddav"><set><prop><resourcetype><collection/><CR:addressbook/></resourcetype></prop></set></mkcol>`)
	d := vdirDesk(t, front.URL+"/")
	d.vdirDiscover()
	const objects = 12
	for i := range objects / 2 {
		// As khal and khard write them: in another order than Radicale, with LF.
		d.write(fmt.Sprintf("cal/cal/e%d.ics", i), weekly(fmt.Sprint("e", i), "Team"))
		d.write(fmt.Sprintf("con/book/c%d.vcf", i), vcardOf(fmt.Sprint("c", i), "Somebody", "EMAIL;TYPE=work:somebody@example.org\n"))
	}
	if n := len(d.vdirSync()); n < objects {
		t.Fatalf("%d objects went to Radicale, want %d", n, objects)
	}
	d.vdirSync() // what Radicale wrote anew comes back, if at all
	before := vdirTimes(d)
	stop()

	s := startServerWith(t, serverOptions{bare: true, args: []string{"--config=" + config}})
	turn(s.URL)
	wantTransfers(t, "moved to inetdav", d.vdirSync())
	quiet("moved to inetdav")
	if n := fetched.Load(); n != 0 || !maps.Equal(before, vdirTimes(d)) {
		t.Errorf("moved to inetdav: %d objects were fetched", n)
	}
	// Work goes on, then back.
	edit(t, vdirFile(d, "cal/cal", "e1"), "SUMMARY:Team", "SUMMARY:By inetdav")
	remove(t, vdirFile(d, "con/book", "c2"))
	wantTransfers(t, "changes, uploaded to inetdav", d.vdirSync(),
		"Copying (updating) item e1 to cal_there/cal",
		"Deleting item c2 from con_there/book")
	quiet("changes, uploaded to inetdav")
	s.noServerError()
	s.stop()

	address, stop = startRadicaleWith(t, nil, config)
	turn(address)
	d.vdirSync()
	quiet("back at Radicale")
	if n := fetched.Load(); n > 1 {
		t.Errorf("back at Radicale: %d objects were fetched, one was changed", n)
	}
	turn(address)
	wantTransfers(t, "at Radicale", d.vdirSync())
	if n := fetched.Load(); n != 0 {
		t.Errorf("at Radicale: %d objects were fetched again", n)
	}
	stop()
	d.run("", "/usr/bin/radicale", "-C", config, "--verify-storage")
}

func vdirTimes(d *desk) map[string]string {
	d.t.Helper()
	times := map[string]string{}
	for _, dir := range []string{"cal/cal", "con/book"} {
		entries, err := os.ReadDir(d.path(dir))
		if err != nil {
			d.t.Fatal(err)
		}
		for _, e := range entries {
			info, err := e.Info()
			if err != nil {
				d.t.Fatal(err)
			}
			times[dir+"/"+e.Name()] = info.ModTime().String()
		}
	}
	return times
}

// transportOf gives a transport whose idle connections end with the test.
func (s *server) transportOf() *http.Transport {
	transport := &http.Transport{}
	s.t.Cleanup(transport.CloseIdleConnections)
	return transport
}

var long = flag.Bool("long", false, "let inetdav and Radicale write into one folder for a minute")

// Both at once: no update is lost, no request fails, and whoever follows the
// changes has them all in the end.
func TestRadicaleBeside(t *testing.T) {
	t.Parallel()
	ours, theirs := both(t)
	theirs.must("MKCALENDAR", "/demo/cal/", "")
	const counters, writers = 2, 3 // writers of each side
	steps := 8                     // of each writer
	if *long {
		steps = 150
	}
	name := func(c int) string { return fmt.Sprintf("/demo/cal/counter%d.ics", c) }
	for c := range counters {
		theirs.must("PUT", name(c), crlf(vevent(fmt.Sprint("counter", c), "0", "20261202T100000Z", "")))
	}
	number := regexp.MustCompile(`SUMMARY:(\d+)`)
	deadline := time.Now().Add(time.Duration(steps) * clientPatience / 8)

	var done [counters]atomic.Int64
	var group sync.WaitGroup
	for w := range 2 * writers {
		p := []side{ours, theirs}[w%2]
		group.Go(func() {
			client := &http.Client{Transport: p.s.transportOf(), Timeout: patience}
			ask := func(method, path, body string, headers ...string) answer {
				a, err := askAt(client, p.url, method, path, body, headers...)
				if err != nil || a.Code >= 500 {
					t.Errorf("%s: %s %s: %d, %v", p.name, method, path, a.Code, err)
				}
				return a
			}
			for step := range steps {
				// one more, with If-Match, until nobody was faster
				c := (w + step) % counters
				for {
					if time.Now().After(deadline) || t.Failed() {
						return
					}
					got := ask("GET", name(c), "")
					m := number.FindStringSubmatch(got.Body)
					if m == nil {
						t.Errorf("%s: GET %s: %d %s", p.name, name(c), got.Code, got.Body)
						return
					}
					n, _ := strconv.Atoi(m[1])
					put := ask("PUT", name(c), strings.Replace(got.Body, m[0], fmt.Sprintf("SUMMARY:%d", n+1), 1), "If-Match: "+got.Header.Get("ETag"))
					if put.Code/100 == 2 {
						done[c].Add(1)
						break
					}
					if put.Code != 412 {
						t.Errorf("%s: PUT %s: %d\n%s", p.name, name(c), put.Code, put.Body)
					}
				}
				// and an object of its own, which comes, and every other time goes
				own := fmt.Sprintf("/demo/cal/w%d-%d.ics", w, step)
				if a := ask("PUT", own, crlf(vevent(fmt.Sprintf("w%d-%d", w, step), "Own", "20261203T100000Z", "")), "If-None-Match: *"); a.Code != 201 {
					t.Errorf("%s: PUT %s: %d\n%s", p.name, own, a.Code, a.Body)
				}
				if step%2 == 0 {
					if a := ask("DELETE", own, ""); a.Code/100 != 2 {
						t.Errorf("%s: DELETE %s: %d\n%s", p.name, own, a.Code, a.Body)
					}
				}
			}
		})
	}
	// Followers, who sum up what sync-collection tells them.
	stop := make(chan struct{})
	var followers sync.WaitGroup
	for _, p := range []side{ours, theirs} {
		followers.Go(func() {
			client := &http.Client{Transport: p.s.transportOf(), Timeout: patience}
			known, token := map[string]string{}, ""
			follow := func() bool {
				changed, next, err := changesAt(client, p.url, "demo/cal", token)
				if err != nil {
					t.Errorf("%s: %v", p.name, err)
					return false
				}
				token = next
				for name, etag := range changed {
					if etag == "" {
						delete(known, name)
					} else {
						known[name] = etag
					}
				}
				return true
			}
			for {
				select {
				case <-stop:
					if follow() {
						if d := different(known, p.etags("demo/cal")); d != "" {
							t.Errorf("%s: who follows the changes has, and has not:%s", p.name, d)
						}
					}
					return
				default:
					if !follow() {
						return
					}
				}
			}
		})
	}
	group.Wait()
	close(stop)
	followers.Wait()
	total := int64(0)
	for c := range counters {
		want := done[c].Load()
		total += want
		for _, p := range []side{ours, theirs} {
			if m := number.FindStringSubmatch(p.must("GET", name(c), "").Body); m == nil || m[1] != strconv.FormatInt(want, 10) {
				t.Errorf("%s: counter %d is %v after %d successful updates", p.name, c, m, want)
			}
		}
	}
	if total != int64(2*writers*steps) {
		t.Errorf("%d updates succeeded, want %d", total, 2*writers*steps)
	}
	if a, b := slices.Sorted(maps.Keys(ours.etags("demo/cal"))), slices.Sorted(maps.Keys(theirs.etags("demo/cal"))); !slices.Equal(a, b) || len(a) != counters+2*writers*steps/2 {
		t.Errorf("inetdav lists %d: %v, Radicale %d: %v", len(a), a, len(b), b)
	}
	// Either finds everything in order.
	if stdout, stderr, code := run(t, "", "verify", "--config=", "--storage-filesystem-folder="+ours.s.Folder); code != 0 {
		t.Errorf("verify: %d\n%s%s", code, stdout, stderr)
	}
	config := filepath.Join(t.TempDir(), "config")
	writeFile(t, config, "[storage]\nfilesystem_folder = "+ours.s.Folder+"\n")
	if out, err := exec.Command("/usr/bin/radicale", "-C", config, "--verify-storage").CombinedOutput(); err != nil {
		t.Errorf("radicale --verify-storage: %v\n%s", err, out)
	}
	ours.s.noServerError()
}

// different tells where two maps differ: "" nowhere.
func different(a, b map[string]string) (d string) {
	for name, value := range a {
		if b[name] != value {
			d += fmt.Sprintf("\n%s: %q, not %q", name, value, b[name])
		}
	}
	for name, value := range b {
		if _, ok := a[name]; !ok {
			d += fmt.Sprintf("\n%s: nothing, not %q", name, value)
		}
	}
	return d
}
