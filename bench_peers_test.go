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
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Other servers over the same objects, as far as they are installed: resident
// ones, so that what counts is the processor time of the process from the request
// to the end of its answer, without its start. Each request has a new connection.

const (
	// peerRounds is how often each is asked the same.
	peerRounds = 5
	// peerPatience bounds the time for one operation and size: what takes longer
	// is asked less often.
	peerPatience = 8 * time.Second
	// peerLimit bounds what all of it may take.
	peerLimit = 9 * time.Minute
)

// A benchPeer is another server.
type benchPeer struct {
	name, needs string
	start       func(t *testing.T, dir, storage string, targets []*benchTarget) (cmd *exec.Cmd, address string)
	home        string // path of the calendars
	books       string // of the address books; "": has none
	login       string // and password, for Basic
}

var benchPeersKnown = []benchPeer{
	{name: "Radicale", needs: "/usr/bin/radicale", home: "/demo/", books: "/demo/", start: func(t *testing.T, dir, storage string, targets []*benchTarget) (*exec.Cmd, string) {
		folder := filepath.Join(dir, "radicale")
		for _, target := range targets {
			for _, path := range []string{target.calendar, target.book} {
				copyObjects(t, filepath.Join(storage, "collection-root", path), filepath.Join(folder, "collection-root", path))
			}
		}
		return startPeer(t, nil, "/usr/bin/radicale", "--config", "", "--server-hosts", "127.0.0.1:%PORT%", "--storage-filesystem-folder", folder, "--auth-type", "none", "--logging-level", "error")
	}},
	{name: "Xandikos", needs: "/usr/bin/xandikos", home: "/demo/calendars/", books: "/demo/contacts/", start: func(t *testing.T, dir, storage string, targets []*benchTarget) (*exec.Cmd, string) {
		folder := filepath.Join(dir, "xandikos")
		for _, target := range targets {
			for in, path := range map[string]string{"calendars": target.calendar, "contacts": target.book} {
				to := filepath.Join(folder, "demo", in, filepath.Base(path))
				copyObjects(t, filepath.Join(storage, "collection-root", path), to)
				os.Remove(filepath.Join(to, ".Radicale.props"))
				kind := map[string]string{"calendars": "calendar", "contacts": "addressbook"}[in]
				git := func(args ...string) {
					cmd := exec.Command("git", append([]string{"-C", to, "-c", "user.name=bench", "-c", "user.email=bench@localhost"}, args...)...)
					cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null")
					if out, err := cmd.CombinedOutput(); err != nil {
						t.Fatalf("git %v: %v\n%s", args, err, out)
					}
				}
				git("init", "-q")
				git("config", "xandikos.type", kind)
				git("add", "-A")
				git("commit", "-q", "-m", "bench")
			}
		}
		return startPeer(t, nil, "/usr/bin/xandikos", "-d", folder, "-l", "127.0.0.1", "-p", "%PORT%", "--current-user-principal", "/demo/")
	}},
	{name: "sabre/dav", needs: "/usr/share/php/Sabre/DAV/Server.php", home: "/calendars/admin/", books: "/addressbooks/admin/", login: "admin:admin", start: func(t *testing.T, dir, storage string, targets []*benchTarget) (*exec.Cmd, string) {
		env := []string{"SABRE_DATABASE=" + filepath.Join(dir, "sabre.db")}
		script, err := filepath.Abs("testdata/bench_sabre.php")
		if err != nil {
			t.Fatal(err)
		}
		fill := exec.Command("/usr/bin/php", script)
		for _, target := range targets {
			for _, path := range []string{target.calendar, target.book} {
				fill.Args = append(fill.Args, filepath.Join(storage, "collection-root", path))
			}
		}
		fill.Env = append(os.Environ(), env...)
		if out, err := fill.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return startPeer(t, env, "/usr/bin/php", "-d", "opcache.enable_cli=1", "-d", "memory_limit=1G", "-S", "127.0.0.1:%PORT%", script)
	}},
}

// copyObjects copies the files of a collection, not what is ours.
func copyObjects(t *testing.T, from, to string) {
	if err := os.MkdirAll(to, 0o755); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() {
			continue
		}
		b, err := os.ReadFile(filepath.Join(from, e.Name()))
		if err == nil {
			err = os.WriteFile(filepath.Join(to, e.Name()), b, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// startPeer starts a server, in whose arguments %PORT% is where it shall listen,
// and waits until it does. It ends with the test.
func startPeer(t *testing.T, env []string, name string, args ...string) (*exec.Cmd, string) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
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
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	for deadline := time.Now().Add(patience); ; {
		c, err := net.Dial("tcp4", address)
		if err == nil {
			c.Close()
			return cmd, address
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not listen:\n%s", name, log.String())
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// benchPeers prints the table of the peers, for the sizes that they can be
// expected to live with.
func benchPeers(t *testing.T, dir, storage string, targets []*benchTarget) {
	began := time.Now()
	for _, peer := range benchPeersKnown {
		if _, err := os.Stat(peer.needs); err != nil {
			fmt.Printf("\n%s: NOT MEASURED, it is not installed (%s)\n", peer.name, peer.needs)
			continue
		}
		t.Run(peer.name, func(t *testing.T) { peer.bench(t, dir, storage, targets, began.Add(peerLimit)) })
	}
}

func (peer *benchPeer) bench(t *testing.T, dir, storage string, targets []*benchTarget, deadline time.Time) {
	targets = slices.DeleteFunc(slices.Clone(targets), func(target *benchTarget) bool { return target.n >= benchLarge })
	cmd, address := peer.start(t, dir, storage, targets)
	ask := func(request []byte) (cpu, wall time.Duration, status int, answer []byte) {
		if peer.login != "" {
			request = bytes.Replace(request, []byte("Basic ZGVtbzpkZW1v"), []byte("Basic YWRtaW46YWRtaW4="), 1) // admin:admin
		}
		request = bytes.Replace(request, []byte("\r\n"), []byte("\r\nConnection: close\r\n"), 1)
		before, start := processCPU(t, cmd.Process.Pid), time.Now()
		req, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(request)))
		if err != nil {
			t.Fatal(err)
		}
		req.URL.Scheme, req.URL.Host, req.RequestURI = "http", address, ""
		client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 2 * time.Minute}
		resp, err := client.Do(req)
		if err != nil {
			return 0, 0, 0, nil
		}
		answer, err = io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			return 0, 0, 0, nil
		}
		return processCPU(t, cmd.Process.Pid) - before, time.Since(start), resp.StatusCode, answer
	}
	var own []*benchTarget
	for _, target := range targets {
		name := filepath.Base(target.calendar)
		o := &benchTarget{n: target.n, calendar: peer.home + name + "/", book: peer.books + filepath.Base(target.book) + "/"}
		poll := benchRequest("PROPFIND", o.calendar, "Depth: 0\r\n"+benchXML, benchPoll)
		_, _, status, answer := ask(poll)
		o.token = tokenIn(string(answer))
		if status != 207 {
			t.Fatalf("%s: %d %.500s", o.calendar, status, answer)
		}
		ask(benchRequest("PUT", o.calendar+"changed.ics", "Content-Type: text/calendar\r\n", benchEvent("changed")))
		_, _, _, answer = ask(poll)
		o.now = tokenIn(string(answer))
		own = append(own, o)
	}
	var out strings.Builder
	fmt.Fprintf(&out, "\n%s, resident, a new connection each\n%-36s %7s %9s %9s %6s %10s\n", peer.name, "operation", "objects", "CPU ms", "wall ms", "status", "answer B")
	for _, op := range benchOperations(own) {
		for _, target := range own {
			if op.token && target.token == "" {
				fmt.Fprintf(&out, "%-36s %7d NOT MEASURED: it has no sync tokens\n", op.name, target.n)
				continue
			}
			var cpus, walls []float64
			status, size := 0, 0
			for start, round := time.Now(), 0; round < peerRounds && (round == 0 || time.Since(start) < peerPatience) && time.Now().Before(deadline); round++ {
				cpu, wall, s, answer := ask(op.request(target.path(&op), round))
				cpus, walls = append(cpus, cpu.Seconds()*1000), append(walls, wall.Seconds()*1000)
				status, size = s, len(answer)
				if s == 0 {
					break
				}
			}
			if len(cpus) == 0 {
				fmt.Fprintf(&out, "%-36s %7d NOT MEASURED: time is up\n", op.name, target.n)
				continue
			}
			slices.Sort(cpus)
			slices.Sort(walls)
			said := strconv.Itoa(status)
			if status == 0 {
				said = "broken"
			}
			fmt.Fprintf(&out, "%-36s %7d %9.2f %9.2f %6s %10d\n", op.name, target.n, cpus[len(cpus)/2], walls[len(walls)/2], said, size)
		}
	}
	fmt.Fprintf(&out, "resident memory: %d KiB\n", procField(cmd.Process.Pid, "status", "VmRSS:"))
	fmt.Print(out.String())
}
