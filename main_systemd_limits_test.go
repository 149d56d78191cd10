package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// What radicale.socket and radicale@.service promise of connections, below a real
// systemd into which `make install` has put them, as README says.
func TestSystemdLimits(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("SKIPPED: booting a systemd needs root")
	}
	buildBeside(t, "inetdav-import", "./dav/importer")
	buildBeside(t, "inetdav-auth-helper", "./dav/access/helper")
	dest := t.TempDir()
	makeInstall := exec.Command("make", "install", "GO=false", "DESTDIR="+dest, "PREFIX=/usr/local", "PROGRAM="+programPath)
	if out, err := makeInstall.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	etc := t.TempDir()
	for name, text := range map[string]string{
		"config": "[auth]\ntype = htpasswd\nhtpasswd_filename = /etc/radicale/users\nhtpasswd_encryption = plain\ndelay = 0\n",
		"users":  "alice:secret\n",
	} {
		if err := os.WriteFile(filepath.Join(etc, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	bad := 200
	if os.Getenv(longVariable) != "" {
		bad = 10_000
	}
	for _, part := range []string{"requests", "limits", "bad", "broken", "load"} {
		t.Run(part, func(t *testing.T) {
			out := inBox(t, []string{"-r", "rm -rf /var/lib/radicale",
				"-c", dest + "/usr/local:/usr/local",
				"-c", etc + ":/etc/radicale",
				"-c", os.Args[0] + ":/root/client:755"},
				"env", helperVariable+"=limits", "/root/client", part, strconv.Itoa(bad))
			if out != "" {
				t.Error(out)
			}
		})
	}
}

// limitsMain is the client in the box: it prints what is wrong.
func limitsMain() (code int) {
	b := &box{}
	b.command("systemd-sysusers")
	b.command("systemd-tmpfiles", "--create", "inetdav.conf")
	b.command("systemctl", "daemon-reload")
	part, bad := os.Args[1], 0
	if len(os.Args) > 2 {
		bad, _ = strconv.Atoi(os.Args[2])
	}
	b.command("systemctl", "start", "radicale.socket")
	switch part {
	case "requests":
		b.vdirsyncer()
		b.namesAndJournal()
		b.deferred()
	case "limits":
		b.sources()
	case "bad":
		b.badPeers(bad)
	case "broken":
		b.broken()
	case "load":
		b.load()
	}
	if part != "broken" {
		b.quiet()
	}
	if b.complaints.Load() > 0 {
		return 1
	}
	return 0
}

// A box is the inside of a machine that is there for the test.
type box struct {
	mu         sync.Mutex
	complaints atomic.Int32
}

func (b *box) complain(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.complaints.Add(1) <= 20 {
		fmt.Printf(format+"\n", args...)
	}
}

// command runs a program, which has to succeed, and gives what it said.
func (b *box) command(args ...string) string {
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	if err != nil {
		b.complain("%q: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// show gives a property of a unit.
func (b *box) show(unit, property string) string {
	return b.command("systemctl", "show", "-p", property, "--value", unit)
}

func (b *box) number(unit, property string) int {
	n, err := strconv.Atoi(b.show(unit, property))
	if err != nil {
		b.complain("%s of %s: %v", property, unit, err)
	}
	return n
}

// wait waits for what nobody announces.
func (b *box) wait(what string, condition func() bool) {
	for deadline := time.Now().Add(patience); !condition(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			b.complain("waited in vain for %s", what)
			return
		}
	}
}

func (b *box) instances(states ...string) []string {
	args := append([]string{"list-units", "--plain", "--no-legend", "--full", "--all", "radicale@*.service"}, states...)
	return strings.FieldsFunc(b.command(append([]string{"systemctl"}, args...)...), func(r rune) bool { return r == '\n' })
}

// quiet wants that nothing has failed and nothing is left, and that the journal
// says nothing bad of what the peers did: neither systemd nor inetdav.
func (b *box) quiet() {
	b.wait("the end of all connections", func() bool { return len(b.instances()) == 0 })
	if failed := b.command("systemctl", "--failed", "--no-legend", "--plain"); failed != "" {
		b.complain("failed units:\n%s", failed)
	}
	if state := b.show("radicale.socket", "ActiveState"); state != "active" {
		b.complain("the socket is %s: %s", state, b.show("radicale.socket", "Result"))
	}
	// What PID 1 says of an instance that did not end well.
	out := b.command("journalctl", "-b", "-q", "--no-pager", "-o", "cat", "_PID=1")
	for line := range strings.Lines(out) {
		if strings.Contains(line, "radicale@") && !strings.Contains(line, "system-radicale") {
			b.complain("the journal says: %s", strings.TrimSpace(line))
		}
	}
}

func dialBox(address string) (net.Conn, error) {
	c, err := net.DialTimeout("tcp", address, patience)
	if err == nil {
		c.SetDeadline(time.Now().Add(patience))
	}
	return c, err
}

const (
	box4, box6   = "127.0.0.1:5232", "[::1]:5232"
	boxOptions   = "OPTIONS / HTTP/1.1\r\nHost: h\r\n\r\n"
	boxWithdrawn = "OPTIONS / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
)

// kept makes a connection, has a request answered on it and keeps it.
func (b *box) kept(address string) (net.Conn, error) {
	c, err := dialBox(address)
	if err != nil {
		return nil, err
	}
	if err = kept(c, bufio.NewReader(c)); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func kept(c net.Conn, r *bufio.Reader) error {
	if _, err := io.WriteString(c, boxOptions); err != nil {
		return err
	}
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New(resp.Status)
	}
	return err
}

// vdirsyncer synchronises a folder with a calendar, there and back.
func (b *box) vdirsyncer() {
	if _, err := exec.LookPath("vdirsyncer"); err != nil {
		return
	}
	home := "/root/desk"
	calendar := filepath.Join(home, "cal/work")
	for dir, text := range map[string]string{
		home + "/.config/vdirsyncer/config": `[general]
status_path = "~/status/"
[pair p]
a = "here"
b = "there"
collections = ["from a", "from b"]
conflict_resolution = "b wins"
[storage here]
type = "filesystem"
path = "~/cal/"
fileext = ".ics"
[storage there]
type = "caldav"
url = "http://127.0.0.1:5232/"
username = "alice"
password = "secret"
`,
		calendar + "/a.ics": boxEvent,
	} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(dir), 0o755), os.WriteFile(dir, []byte(text), 0o644)); err != nil {
			b.complain("%v", err)
		}
	}
	vdirsyncer := func(command string) {
		cmd := exec.Command("vdirsyncer", command)
		cmd.Env = append(os.Environ(), "HOME="+home)
		cmd.Stdin = strings.NewReader(strings.Repeat("y\n", 10))
		if out, err := cmd.CombinedOutput(); err != nil {
			b.complain("vdirsyncer %s: %v\n%s", command, err, out)
		}
	}
	vdirsyncer("discover")
	vdirsyncer("sync")
	stored, _ := filepath.Glob("/var/lib/radicale/collections/collection-root/alice/work/*.ics")
	if len(stored) != 1 {
		b.complain("vdirsyncer stored %q, want one object", stored)
	}
	request, _ := http.NewRequest("PUT", "http://"+box4+"/alice/work/b.ics", strings.NewReader(strings.ReplaceAll(boxEvent, "UID:a", "UID:b")))
	request.SetBasicAuth("alice", "secret")
	request.Header.Set("Content-Type", "text/calendar")
	request.Close = true
	if resp, err := http.DefaultClient.Do(request); err != nil || resp.StatusCode != http.StatusCreated {
		b.complain("PUT: %v %v", resp, err)
	}
	vdirsyncer("sync")
	if here, _ := filepath.Glob(calendar + "/*.ics"); len(here) != 2 {
		b.complain("vdirsyncer brought %q, want two objects", here)
	}
}

// namesAndJournal looks at what instances are called, and at what an administrator
// reads.
func (b *box) namesAndJournal() {
	for address, pattern := range map[string]string{
		box4: `^\S*radicale@\d+-127\.0\.0\.1:5232-127\.0\.0\.1:%s\.service`,
		box6: `^\S*radicale@\d+-::1:5232-::1:%s\.service`,
	} {
		c, err := b.kept(address)
		if err != nil {
			b.complain("%s: %v", address, err)
			continue
		}
		_, port, _ := net.SplitHostPort(c.LocalAddr().String())
		name := regexp.MustCompile(fmt.Sprintf(pattern, port))
		found := false
		for _, instance := range b.instances() {
			found = found || name.MatchString(strings.TrimLeft(instance, "● "))
		}
		if !found {
			b.complain("%s: no instance %s among\n%s", address, name, strings.Join(b.instances(), "\n"))
		}
		c.Close()
	}

	c, err := dialBox(box4)
	if err != nil {
		b.complain("%v", err)
		return
	}
	defer c.Close()
	_, port, _ := net.SplitHostPort(c.LocalAddr().String())
	r := bufio.NewReader(c)
	if err := kept(c, r); err != nil {
		b.complain("%v", err)
	}
	fmt.Fprintf(c, "PROPFIND / HTTP/1.1\r\nHost: h\r\nAuthorization: Basic %s\r\n\r\n", basic("mallory"))
	if resp, err := http.ReadResponse(r, nil); err != nil || resp.StatusCode != http.StatusUnauthorized {
		b.complain("a wrong password: %v, %v", resp, err)
	}
	// The instance is still there: journald learns LogLevelMax= of a unit from PID 1,
	// and of one that has ended nothing any more.
	said := func() string {
		return b.command("journalctl", "-b", "-q", "--no-pager", "-o", "verbose", "--output-fields=PRIORITY,MESSAGE,SYSLOG_IDENTIFIER", "-u", "radicale@*:"+port+".service")
	}
	b.wait("the login in the journal", func() bool { return strings.Contains(said(), "mallory") })
	if out := said(); !strings.Contains(out, "PRIORITY=4") || !strings.Contains(out, "SYSLOG_IDENTIFIER=inetdav") {
		b.complain("the journal says\n%s\nwant a warning of the instance", out)
	}
	// LogLevelMax=notice: no line for each connection, request and login that is
	// right.
	if out := said(); strings.Contains(out, "PRIORITY=6") || strings.Contains(out, "PRIORITY=7") {
		b.complain("the journal has what is no notice:\n%s", out)
	}
}

// deferred wants no process for a peer that says nothing, and one once it does.
func (b *box) deferred() {
	accepted := b.number("radicale.socket", "NAccepted")
	silent, err := dialBox(box4)
	if err != nil {
		b.complain("%v", err)
		return
	}
	defer silent.Close()
	// The kernel hands connections over in their order: whoever speaks later
	// would have come after the silent one.
	for range 3 {
		c, err := b.kept(box4)
		if err != nil {
			b.complain("%v", err)
			return
		}
		c.Close()
	}
	if n := b.number("radicale.socket", "NAccepted"); n != accepted+3 {
		b.complain("%d connections were accepted besides a silent one, want 3", n-accepted)
	}
	if err := kept(silent, bufio.NewReader(silent)); err != nil {
		b.complain("the one that was silent: %v", err)
	}
}

// sources fills the socket from one address and from both, and asks for more than
// systemd's own limit, 200 in two seconds, would let through.
func (b *box) sources() {
	perSource, all := b.number("radicale.socket", "MaxConnectionsPerSource"), b.number("radicale.socket", "MaxConnections")
	var open []net.Conn
	fill := func(address string, n int) {
		var wait sync.WaitGroup
		var mu sync.Mutex
		places := make(chan struct{}, 8)
		for range n {
			wait.Go(func() {
				places <- struct{}{}
				c, err := b.kept(address)
				<-places
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					b.complain("%s, of %d: %v", address, n, err)
					return
				}
				open = append(open, c)
			})
		}
		wait.Wait()
	}
	refused := func(address, what string) {
		c, err := dialBox(address)
		if err != nil {
			return
		}
		defer c.Close()
		if err := kept(c, bufio.NewReader(c)); err == nil {
			b.complain("%s was served", what)
		}
	}
	fill(box4, perSource)
	refused(box4, fmt.Sprintf("connection %d of an address", perSource+1))
	fill(box6, all-perSource)
	if n := b.number("radicale.socket", "NConnections"); n != all {
		b.complain("%d connections, want %d", n, all)
	}
	refused("127.0.0.2:5232", "a connection of one more than all")

	const many = 1000
	before := b.number("radicale.socket", "NRefused")
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for range many / 8 {
				refused(box4, "a connection of too many")
			}
		})
	}
	wait.Wait()
	if n := b.number("radicale.socket", "NRefused") - before; n < many/2 {
		b.complain("%d connections were refused, want about %d", n, many)
	}
	for _, c := range open {
		c.Close()
	}
	b.wait("the end of the connections", func() bool { return b.number("radicale.socket", "NConnections") == 0 })
	if c, err := b.kept(box4); err != nil {
		b.complain("after too many: %v", err)
	} else {
		c.Close()
	}
}

// badPeers makes n connections of every bad kind; quiet says what they may not
// have left.
func (b *box) badPeers(n int) {
	put := "PUT /alice/x.ics HTTP/1.1\r\nHost: h\r\nAuthorization: Basic YWxpY2U6c2VjcmV0\r\nContent-Length: 100000\r\n\r\nBEGIN:VCALENDAR\r\n"
	kinds := []string{
		"\r\n",
		"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
		"GET / HTTP/1.1\r\nHost: h\r\nX",
		"GET /../../etc/shadow HTTP/9.9\r\n\r\n",
		"\x00\xff\x00\xff\r\n\r\n",
		put,
		"PROPFIND / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
		"GET / HTTP/1.1\r\nHost: h\r\nA: " + strings.Repeat("a", 70_000) + "\r\n\r\n",
	}
	next := make(chan int)
	var wait sync.WaitGroup
	for range 16 {
		wait.Go(func() {
			for i := range next {
				c, err := dialBox(box4)
				if err != nil {
					b.complain("%v", err)
					continue
				}
				io.WriteString(c, kinds[i%len(kinds)])
				switch i / len(kinds) % 3 {
				case 0: // takes the answer
					c.(*net.TCPConn).CloseWrite()
					io.Copy(io.Discard, c)
				case 1: // goes without a word
					c.(*net.TCPConn).SetLinger(0)
				}
				c.Close()
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wait.Wait()
	if out := b.command("journalctl", "-b", "-t", "inetdav", "-p", "err", "-q", "--no-pager"); out != "" {
		b.complain("what peers do is no error:\n%s", out)
	}
}

// broken serves with a configuration that is wrong: the journal says so, and the
// units that fail do not pile up.
func (b *box) broken() {
	if err := os.WriteFile("/etc/radicale/config", []byte("[auth]\ntype = nonsense\n"), 0o644); err != nil {
		b.complain("%v", err)
	}
	for range 40 {
		if c, err := dialBox(box4); err == nil {
			io.WriteString(c, boxWithdrawn)
			io.Copy(io.Discard, c)
			c.Close()
		}
	}
	b.wait("the end of the failed instances", func() bool { return len(b.instances()) == 0 })
	if out := b.command("journalctl", "-b", "-t", "inetdav", "-p", "err", "-q", "--no-pager"); !strings.Contains(out, "nonsense") {
		b.complain("the journal does not say what is wrong:\n%s", out)
	}
	if state := b.show("radicale.socket", "ActiveState"); state != "active" {
		b.complain("the socket is %s", state)
	}
}

// load has clients at work while the program is replaced and while the instances
// are stopped. A request is lost when its answer is torn, or when it gets none on
// a new connection; on one that was kept it may be repeated, as any client does
// whose connection was closed between two requests.
func (b *box) load() {
	request, _ := http.NewRequest("MKCALENDAR", "http://"+box4+"/alice/cal/", nil)
	request.SetBasicAuth("alice", "secret")
	request.Close = true
	if _, err := http.DefaultClient.Do(request); err != nil {
		b.complain("%v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wait sync.WaitGroup
	var served [4]atomic.Int64
	var fresh sync.WaitGroup // the odd ones, who make a connection for each request
	var stopping atomic.Bool
	for worker := range served {
		group := &wait
		if worker%2 == 1 {
			group = &fresh
		}
		group.Go(func() {
			transport := &http.Transport{DisableKeepAlives: worker%2 == 1}
			defer transport.CloseIdleConnections()
			client := &http.Client{Transport: transport, Timeout: patience}
			// While instances are stopped, only those who have a connection work:
			// a process that is told to stop before it listens to signals cannot
			// answer.
			for i := 0; ctx.Err() == nil && !(stopping.Load() && worker%2 == 1); i++ {
				body := fmt.Sprintf(strings.ReplaceAll(boxEvent, "UID:a", "UID:w%d"), worker)
				request, _ := http.NewRequest("PUT", fmt.Sprintf("http://%s/alice/cal/%d.ics", box4, worker), strings.NewReader(body+strings.Repeat("\r\n", i%7)))
				request.SetBasicAuth("alice", "secret")
				request.Header.Set("Content-Type", "text/calendar")
				request.Header["Idempotency-Key"] = nil // PUT is; net/http wants to be told
				resp, err := client.Do(request)
				if err != nil {
					b.complain("request %d of client %d: %v", i, worker, err)
					continue
				}
				_, err = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				if err != nil || resp.StatusCode/100 != 2 {
					b.complain("request %d of client %d: %s, %v", i, worker, resp.Status, err)
				}
				served[worker].Add(1)
			}
		})
	}
	// more waits until each client has had n more answers.
	more := func(n int64) {
		for worker := range served {
			if start := served[worker].Load(); !stopping.Load() || worker%2 == 0 {
				b.wait("more requests", func() bool { return served[worker].Load() >= start+n })
			}
		}
	}
	more(5)
	const program = "/usr/local/bin/inetdav"
	for range 5 {
		// As `make install` and dpkg do.
		b.command("install", "-m", "755", program, program+".new")
		b.command("mv", "-f", program+".new", program)
		b.command("systemctl", "daemon-reload")
		more(3)
	}
	stopping.Store(true)
	fresh.Wait()
	for range 5 {
		b.command("systemctl", "stop", "radicale@*.service")
		more(2)
	}
	cancel()
	wait.Wait()
}
