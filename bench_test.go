//go:build bench

package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The benchmark of whole processes: each operation is one request on a new
// connection to a new process, paired in each round with a "hello": the
// smallest net/http server for one connection, built with the same flags. What
// counts are the medians of the ratios; times alone only tell of the machine.
//
//	make bench
//
// CPU is user and system time of the process, from exec to exit. RSS is its peak
// (VmHWM), private what it alone has, its binary apart (Private_Dirty), both
// read before the connection ends.

// helloSource is the program to compare with.
const helloSource = `package main

import (
	"net"
	"net/http"
	"os"
)

type listener struct {
	conn chan net.Conn
	done chan struct{}
}

func (l listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conn:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}
func (l listener) Close() error   { return nil }
func (l listener) Addr() net.Addr { return &net.TCPAddr{} }

func main() {
	c, err := net.FileConn(os.NewFile(0, "socket"))
	if err != nil {
		os.Exit(1)
	}
	l := listener{make(chan net.Conn, 1), make(chan struct{})}
	l.conn <- c
	body := make([]byte, 200)
	for i := range body {
		body[i] = 'x'
	}
	s := http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write(body) }),
		ConnState: func(_ net.Conn, s http.ConnState) {
			if s == http.StateClosed {
				close(l.done)
			}
		},
	}
	s.Serve(l)
}
`

const benchRounds = 31

// process is one run of a program for one request.
type process struct {
	cpu, wall    time.Duration
	rss, private int64 // KiB
	answer       int   // bytes
}

// runProcess starts a program on a new connection, sends a request, reads the
// answer, looks at the process, closes, and waits for its end.
func runProcess(b *testing.T, l net.Listener, program string, args []string, request []byte, want int) process {
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	conn, err := l.Accept()
	if err != nil {
		b.Fatal(err)
	}
	file, err := connFile(conn)
	if err != nil {
		b.Fatal(err)
	}
	conn.Close()
	cmd := exec.Command(program, args...)
	cmd.Env = baseEnv()
	cmd.Dir = "/"
	cmd.Stdin, cmd.Stdout, cmd.Stderr = file, file, file
	start := time.Now()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	file.Close()
	if _, err := client.Write(request); err != nil {
		b.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(client), &http.Request{Method: string(bytes.Fields(request)[0])})
	if err != nil {
		b.Fatalf("%s: %v", firstLine(request), err)
	}
	n, err := io.Copy(io.Discard, resp.Body)
	if err != nil || resp.StatusCode != want {
		b.Fatalf("%s: %s %v", firstLine(request), resp.Status, err)
	}
	p := process{wall: time.Since(start), answer: int(n)}
	p.rss = procField(cmd.Process.Pid, "status", "VmHWM:")
	p.private = procField(cmd.Process.Pid, "smaps_rollup", "Private_Dirty:")
	client.Close()
	if err := cmd.Wait(); err != nil {
		b.Fatalf("%s: %v", firstLine(request), err)
	}
	p.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return p
}

func firstLine(b []byte) string {
	line, _, _ := strings.Cut(string(b), "\r\n")
	return line
}

func procField(pid int, file, key string) int64 {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file))
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, key); ok {
			n, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return n
		}
	}
	return 0
}

// makeCalendar writes a calendar of n objects as Radicale leaves it: 70 % single
// events, 15 % weekly ones with exceptions, the rest all-day events and tasks;
// alarms, attendees, UTF-8.
func makeCalendar(folder string, n int) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	props := `{"D:displayname": "bench", "tag": "VCALENDAR"}`
	if err := os.WriteFile(filepath.Join(folder, ".Radicale.props"), []byte(props), 0o644); err != nil {
		return err
	}
	first := time.Date(2024, 1, 1, 8, 0, 0, 0, time.UTC)
	for i := range n {
		at := first.Add(time.Duration(i*7919%(3*365*24)) * time.Hour)
		const basic = "20060102T150405Z"
		var body strings.Builder
		line := func(format string, a ...any) { fmt.Fprintf(&body, format+"\r\n", a...) }
		kind := i % 20
		component := "VEVENT"
		if kind == 18 || kind == 19 {
			component = "VTODO"
		}
		line("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//bench//EN\r\nBEGIN:%s\r\nUID:%06d-bench", component, i)
		line("DTSTAMP:20240101T000000Z\r\nSUMMARY:Prüfung № %d – Überblick", i)
		switch {
		case kind < 14:
			line("DTSTART:%s\r\nDTEND:%s", at.Format(basic), at.Add(time.Hour).Format(basic))
			line("LOCATION:Café „Zur Post“\r\nDESCRIPTION:%s", strings.Repeat("Lorem ipsum dolor sit amet ", 8))
		case kind < 17:
			line("DTSTART:%s\r\nDTEND:%s\r\nRRULE:FREQ=WEEKLY;COUNT=150", at.Format(basic), at.Add(time.Hour).Format(basic))
			line("EXDATE:%s\r\nEXDATE:%s", at.AddDate(0, 0, 7).Format(basic), at.AddDate(0, 0, 21).Format(basic))
		case kind == 17:
			line("DTSTART;VALUE=DATE:%s", at.Format("20060102"))
		default:
			line("DUE:%s\r\nSTATUS:NEEDS-ACTION", at.Format(basic))
		}
		if i%4 == 0 {
			for a := range 3 {
				line("ATTENDEE;CN=Person %d;PARTSTAT=ACCEPTED:mailto:person%d@example.org", a, a)
			}
			line("ORGANIZER:mailto:boss@example.org")
		}
		if i%3 == 0 && component == "VEVENT" {
			line("BEGIN:VALARM\r\nACTION:DISPLAY\r\nDESCRIPTION:x\r\nTRIGGER:-PT15M\r\nEND:VALARM")
		}
		line("END:%s\r\nEND:VCALENDAR", component)
		name := filepath.Join(folder, fmt.Sprintf("%06d-bench.ics", i))
		if err := os.WriteFile(name, []byte(body.String()), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// makeBook writes an address book of n cards, a tenth of them with a photo of
// 20 kB.
func makeBook(folder string, n int) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	props := `{"D:displayname": "bench", "tag": "VADDRESSBOOK"}`
	if err := os.WriteFile(filepath.Join(folder, ".Radicale.props"), []byte(props), 0o644); err != nil {
		return err
	}
	photo := "PHOTO;ENCODING=b;TYPE=JPEG:" + strings.Repeat("/9j/4AAQSkZJRgABAQEASABIAAD+", 700) + "\r\n"
	for i := range n {
		body := fmt.Sprintf("BEGIN:VCARD\r\nVERSION:3.0\r\nUID:%06d-bench\r\nFN:Jürgen Müller %d\r\nN:Müller %d;Jürgen;;;\r\n"+
			"EMAIL;TYPE=HOME:person%d@example.org\r\nTEL;TYPE=CELL:+49 151 %07d\r\nADR;TYPE=HOME:;;Straße %d;Köln;;5%04d;Deutschland\r\nNOTE:%s\r\n",
			i, i, i, i, i*7919%10_000_000, i, i%10000, strings.Repeat("Lorem ipsum dolor sit amet ", 4))
		if i%10 == 0 {
			body += photo
		}
		name := filepath.Join(folder, fmt.Sprintf("%06d-bench.vcf", i))
		if err := os.WriteFile(name, []byte(body+"END:VCARD\r\n"), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func benchRequest(method, path string, headers, body string) []byte {
	// demo:demo
	return fmt.Appendf(nil, "%s %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic ZGVtbzpkZW1v\r\nContent-Length: %d\r\n%s\r\n%s",
		method, path, len(body), headers, body)
}

const (
	benchXML   = "Content-Type: application/xml\r\n"
	benchPoll  = `<propfind xmlns="DAV:"><prop><getctag xmlns="http://calendarserver.org/ns/"/><sync-token/></prop></propfind>`
	benchEtags = `<propfind xmlns="DAV:"><prop><getetag/></prop></propfind>`
	benchMonth = `<C:calendar-query xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><prop><getetag/>%s</prop><C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT"><C:time-range start="20250301T000000Z" end="20250401T000000Z"/></C:comp-filter></C:comp-filter></C:filter></C:calendar-query>`
	benchSync  = `<sync-collection xmlns="DAV:"><sync-token>%s</sync-token><sync-level>1</sync-level><prop><getetag/></prop></sync-collection>`
	benchAll   = `<C:calendar-query xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><prop><getetag/><C:calendar-data/></prop><C:filter><C:comp-filter name="VCALENDAR"/></C:filter></C:calendar-query>`
	benchCards = `<C:addressbook-query xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:carddav"><prop><getetag/></prop><C:filter test="anyof"><C:prop-filter name="%s"><C:text-match match-type="contains">77</C:text-match></C:prop-filter></C:filter></C:addressbook-query>`
	benchBusy  = `<C:free-busy-query xmlns:C="urn:ietf:params:xml:ns:caldav"><C:time-range start="20250301T000000Z" end="20250401T000000Z"/></C:free-busy-query>`
)

func benchEvent(uid string) string {
	return "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//bench//EN\r\nBEGIN:VEVENT\r\nUID:" + uid +
		"\r\nDTSTAMP:20240101T000000Z\r\nDTSTART:20250305T100000Z\r\nDTEND:20250305T110000Z\r\nSUMMARY:new\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
}

// benchOperation is a row of the table.
type benchOperation struct {
	name    string
	request func(path string, round int) []byte
	status  int
	flat    bool // costs the same whatever the size of the collection, and not much
	book    bool // of address books
	token   bool // asks for what changed since a token
	writes  bool
}

// benchTarget is a collection to ask, of n objects.
type benchTarget struct {
	n              int
	calendar, book string // paths
	token          string // of the calendar, one change ago
	now            string // of the calendar, now
}

func (t *benchTarget) path(op *benchOperation) string {
	if op.book {
		return t.book
	}
	return t.calendar
}

func benchOperations(targets []*benchTarget) []benchOperation {
	multiget := map[string]string{}
	token, now := map[string]string{}, map[string]string{}
	for _, t := range targets {
		var hrefs strings.Builder
		for i := range 50 {
			fmt.Fprintf(&hrefs, "<href>%s%06d-bench.ics</href>", t.calendar, i*t.n/50)
		}
		multiget[t.calendar] = `<C:calendar-multiget xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><prop><getetag/><C:calendar-data/></prop>` + hrefs.String() + `</C:calendar-multiget>`
		token[t.calendar], now[t.calendar] = t.token, t.now
	}
	const depth1 = "Depth: 1\r\n" + benchXML
	report := func(headers string, body func(path string) string) func(string, int) []byte {
		return func(p string, _ int) []byte { return benchRequest("REPORT", p, headers, body(p)) }
	}
	same := func(body string) func(string) string { return func(string) string { return body } }
	put := func(summary string) func(string, int) []byte {
		return func(p string, round int) []byte {
			uid := fmt.Sprintf("new-%d", round)
			return benchRequest("PUT", p+uid+".ics", "Content-Type: text/calendar\r\n", strings.Replace(benchEvent(uid), "SUMMARY:new", "SUMMARY:"+summary, 1))
		}
	}
	return []benchOperation{
		{name: "OPTIONS", status: 200, request: func(p string, _ int) []byte { return benchRequest("OPTIONS", p, "", "") }},
		{name: "GET one object", status: 200, request: func(p string, _ int) []byte { return benchRequest("GET", p+"000001-bench.ics", "", "") }},
		{name: "poll (PROPFIND 0, ctag and token)", status: 207, flat: true, request: func(p string, _ int) []byte {
			return benchRequest("PROPFIND", p, "Depth: 0\r\n"+benchXML, benchPoll)
		}},
		{name: "sync-collection, nothing changed", status: 207, flat: true, token: true, request: report(benchXML, func(p string) string { return fmt.Sprintf(benchSync, now[p]) })},
		{name: "sync-collection, one change", status: 207, flat: true, token: true, request: report(benchXML, func(p string) string { return fmt.Sprintf(benchSync, token[p]) })},
		{name: "sync-collection, initial", status: 207, request: report(benchXML, same(fmt.Sprintf(benchSync, "")))},
		{name: "PROPFIND 1, etags", status: 207, request: func(p string, _ int) []byte {
			return benchRequest("PROPFIND", p, depth1, benchEtags)
		}},
		{name: "calendar-query, month, etags", status: 207, request: report(depth1, same(fmt.Sprintf(benchMonth, "")))},
		{name: "calendar-query, month, data", status: 207, request: report(depth1, same(fmt.Sprintf(benchMonth, "<C:calendar-data/>")))},
		{name: "free-busy-query, month", status: 200, request: report(depth1, same(benchBusy))},
		{name: "calendar-multiget 50", status: 207, request: report(depth1, func(p string) string { return multiget[p] })},
		{name: "calendar-query, all, data", status: 207, request: report(depth1, same(benchAll))},
		{name: "GET of the calendar", status: 200, request: func(p string, _ int) []byte { return benchRequest("GET", p, "", "") }},
		{name: "addressbook-query, FN", status: 207, book: true, request: report(depth1, same(fmt.Sprintf(benchCards, "FN")))},
		{name: "addressbook-query, EMAIL", status: 207, book: true, request: report(depth1, same(fmt.Sprintf(benchCards, "EMAIL")))},
		{name: "addressbook-query, TEL", status: 207, book: true, request: report(depth1, same(fmt.Sprintf(benchCards, "TEL")))},
		{name: "addressbook-query, NOTE", status: 207, book: true, request: report(depth1, same(fmt.Sprintf(benchCards, "NOTE")))},
		{name: "PUT new", writes: true, status: 201, request: put("new")},
		{name: "PUT update", writes: true, status: 204, request: put("newer")},
		{name: "DELETE", writes: true, status: 204, request: func(p string, round int) []byte {
			return benchRequest("DELETE", fmt.Sprintf("%snew-%d.ics", p, round), "", "")
		}},
	}
}

// benchSizes are the collections' sizes: with -short small ones, for a quick look.
func benchSizes() (sizes []int, rounds int) {
	if testing.Short() {
		return []int{100, 1000}, 7
	}
	return []int{100, 1000, 10000, 100000}, benchRounds
}

// benchLarge is from which size on fewer rounds must do.
const benchLarge = 100000

func TestBench(t *testing.T) {
	dir := t.TempDir()
	hello := filepath.Join(dir, "hello")
	if err := os.WriteFile(filepath.Join(dir, "hello.go"), []byte(helloSource), 0o644); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-tags", "nethttpomithttp2", "-trimpath", "-ldflags", "-s -w", "-o", hello, filepath.Join(dir, "hello.go"))
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	sizes, rounds := benchSizes()
	storage := filepath.Join(dir, "storage")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	args := []string{"--config=", "--storage-filesystem-folder=" + storage, "--auth-type=none", "--inetdav-log=" + filepath.Join(dir, "log"), "--logging-level=warning"}
	inetdav := func(request []byte, want int) process {
		return runProcess(t, l, programPath, args, request, want)
	}
	var targets []*benchTarget
	for _, n := range sizes {
		target := &benchTarget{n: n, calendar: fmt.Sprintf("/demo/%d/", n), book: fmt.Sprintf("/demo/cards-%d/", n)}
		targets = append(targets, target)
		if err := makeCalendar(filepath.Join(storage, "collection-root", target.calendar), n); err != nil {
			t.Fatal(err)
		}
		if err := makeBook(filepath.Join(storage, "collection-root", target.book), n); err != nil {
			t.Fatal(err)
		}
		// the folder's own times: a pass over each file is due now and then
		p := inetdav(benchRequest("PROPFIND", target.calendar, "Depth: 0\r\n"+benchXML, benchPoll), 207)
		t.Logf("first request, no index, %6d objects: CPU %v, wall %v, RSS %d KiB", n, p.cpu, p.wall, p.rss)
		target.token = benchToken(t, l, args, target.calendar)
		inetdav(benchRequest("PUT", target.calendar+"changed.ics", "Content-Type: text/calendar\r\n", benchEvent("changed")), 201)
		target.now = benchToken(t, l, args, target.calendar)
		inetdav(benchRequest("PROPFIND", target.book, "Depth: 0\r\n"+benchXML, benchPoll), 207)
	}
	unix.Sync() // pages of a program that are not on disk yet count as dirty
	operations := benchOperations(targets)
	type key struct {
		op, n int
	}
	results := map[key][]process{}
	var hellos []process
	helloRequest := benchRequest("GET", "/", "", "")
	runProcess(t, l, hello, nil, helloRequest, 200) // warm
	ratios := map[key][]float64{}
	// What writes comes last, so that there is one change where one is asked for.
	for turn := range 2 * rounds {
		round := turn % rounds
		for oi, op := range operations {
			if op.writes != (turn >= rounds) {
				continue
			}
			h := runProcess(t, l, hello, nil, helloRequest, 200)
			hellos = append(hellos, h)
			for _, target := range targets {
				if target.n >= benchLarge && round%5 != 0 {
					continue
				}
				p := inetdav(op.request(target.path(&op), round), op.status)
				k := key{oi, target.n}
				results[k] = append(results[k], p)
				ratios[k] = append(ratios[k], float64(p.cpu)/float64(h.cpu))
			}
		}
	}
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	cpu := func(p process) float64 { return ms(p.cpu) }
	wall := func(p process) float64 { return ms(p.wall) }
	var out strings.Builder
	fmt.Fprintf(&out, "medians of %d rounds, a new connection and process each\n", rounds)
	fmt.Fprintf(&out, "%-36s %7s %9s %9s %9s %9s %9s %10s\n", "operation", "objects", "CPU ms", "x hello", "wall ms", "RSS KiB", "private", "answer B")
	row := func(name, objects string, ps []process, ratio float64) {
		fmt.Fprintf(&out, "%-36s %7s %9.2f %9.2f %9.2f %9.0f %9.0f %10.0f\n", name, objects, median(ps, cpu), ratio, median(ps, wall),
			median(ps, func(p process) float64 { return float64(p.rss) }), median(ps, func(p process) float64 { return float64(p.private) }),
			median(ps, func(p process) float64 { return float64(p.answer) }))
	}
	row("hello", "-", hellos, 1)
	for oi, op := range operations {
		for _, n := range sizes {
			k := key{oi, n}
			slices.Sort(ratios[k])
			row(op.name, strconv.Itoa(n), results[k], ratios[k][len(ratios[k])/2])
		}
	}
	kept, private := benchKept(t, l, args, benchRequest("PROPFIND", targets[0].calendar, "Depth: 0\r\n"+benchXML, benchPoll))
	fmt.Fprintf(&out, "%-36s %7d %9.3f\n", "poll on a kept connection", targets[0].n, ms(kept))
	fmt.Fprintf(&out, "%-36s %7d %49d\n", "idle for two seconds", targets[0].n, private)
	fmt.Print(out.String())

	benchPeers(t, dir, storage, targets)

	// What the shape promises. The machine may be too busy to keep it: then the
	// table above says so too, and another run decides.
	for oi, op := range operations {
		rss := func(p process) float64 { return float64(p.rss) }
		for _, n := range sizes[1:] {
			if grown := median(results[key{oi, n}], rss) - median(results[key{oi, sizes[0]}], rss); grown > maxGrowth {
				t.Errorf("%s: %.0f KiB more for %d objects than for %d, at most %d", op.name, grown, n, sizes[0], maxGrowth)
			}
		}
		if !op.flat {
			continue
		}
		for _, n := range sizes {
			if r := ratios[key{oi, n}]; r[len(r)/2] > maxPoll {
				t.Errorf("%s of %d objects: %.2f x hello, at most %.2f", op.name, n, r[len(r)/2], maxPoll)
			}
		}
	}
}

// benchKept sends a request again and again on one connection, and gives the
// processor time of each, and what private memory, in KiB, the process has when
// it has been idle.
func benchKept(t *testing.T, l net.Listener, args []string, request []byte) (each time.Duration, private int64) {
	client, cmd := benchStart(t, l, args)
	defer client.Close()
	r := bufio.NewReader(client)
	ask := func(times int) {
		for range times {
			client.Write(request)
			resp, err := http.ReadResponse(r, nil)
			if err != nil {
				t.Fatal(err)
			}
			io.Copy(io.Discard, resp.Body)
		}
	}
	const times = 500
	ask(10)
	before := processCPU(t, cmd.Process.Pid)
	ask(times)
	each = (processCPU(t, cmd.Process.Pid) - before) / times
	time.Sleep(2 * time.Second) // what is measured is a time: see restAfter
	private = procField(cmd.Process.Pid, "smaps_rollup", "Private_Dirty:")
	client.Close()
	cmd.Wait()
	return each, private
}

// processCPU is the time that a process and its threads have taken so far.
func processCPU(t *testing.T, pid int) time.Duration {
	const schedClock = 2 // clock_getcpuclockid(3)
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|schedClock), &ts); err != nil {
		t.Fatal(err)
	}
	return time.Duration(ts.Nano())
}

const (
	// maxPoll is how many times hello's processor time a poll may cost: 1.5, and a
	// quarter for the confinement, which hello does without.
	maxPoll = 1.75
	// maxGrowth is how much more memory, in KiB, the largest calendar may cost
	// than the smallest.
	maxGrowth = 4 << 10
)

func median(ps []process, f func(process) float64) float64 {
	v := make([]float64, len(ps))
	for i, p := range ps {
		v[i] = f(p)
	}
	slices.Sort(v)
	return v[len(v)/2]
}

// benchStart starts the program on a new connection.
func benchStart(t *testing.T, l net.Listener, args []string) (net.Conn, *exec.Cmd) {
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	file, err := connFile(conn)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	cmd := exec.Command(programPath, args...)
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = baseEnv(), file, file, file
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	file.Close()
	return client, cmd
}

// benchToken asks for the present sync token.
func benchToken(t *testing.T, l net.Listener, args []string, path string) string {
	client, cmd := benchStart(t, l, args)
	client.Write(benchRequest("PROPFIND", path, "Depth: 0\r\nConnection: close\r\n"+benchXML, benchPoll))
	b, _ := io.ReadAll(client)
	client.Close()
	cmd.Wait()
	token := tokenIn(string(b))
	if token == "" {
		t.Fatalf("no sync-token in %s", b)
	}
	return token
}

var tokenElement = regexp.MustCompile(`sync-token[^>]*>([^<]+)<`)

func tokenIn(answer string) string {
	if m := tokenElement.FindStringSubmatch(answer); m != nil {
		return m[1]
	}
	return ""
}
