package main

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

func TestShortMemory(t *testing.T) {
	for _, test := range []struct {
		text string
		want bool
	}{
		{"", false},
		{"some avg10=0.00 avg60=99.00 avg300=99.00 total=1\nfull avg10=99.00 avg60=0.00 avg300=0.00 total=0\n", false},
		{"some avg10=19.99 avg60=0.00 avg300=0.00 total=1\n", false},
		{"some avg10=20.00 avg60=0.00 avg300=0.00 total=1\n", true},
		{"some avg10=100.00 avg60=0.00 avg300=0.00 total=1\n", true},
		{"some avg10=x.00", false},
	} {
		if got := stalled(test.text); got != test.want {
			t.Errorf("%q: %v", test.text, got)
		}
	}
	for _, test := range []struct {
		total, available string
		want             bool
	}{
		{"65536", "4095", true}, // a router
		{"65536", "4096", false},
		{"33554432", "65535", true}, // a server: no more than 64 MB
		{"33554432", "65536", false},
		{"65536", "x", false},
		{"0", "0", false},
	} {
		text := fmt.Sprintf("MemTotal:     %s kB\nMemFree:       1 kB\nMemAvailable:    %s kB\nBuffers: 0 kB\n", test.total, test.available)
		if got := scarce(text); got != test.want {
			t.Errorf("%q: %v", text, got)
		}
	}
	if scarce("MemTotal: 65536 kB\nMemFree: 1 kB\n") { // before Linux 3.14
		t.Error("what is not said is not short")
	}
}

// Where memory is short an idle connection is closed, and no other one.
func TestIdleWhereMemoryIsShort(t *testing.T) {
	watch := filepath.Join(t.TempDir(), "memory.pressure")
	if err := os.WriteFile(watch, []byte("some avg10=55.00 avg60=0.00 avg300=0.00 total=1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := startServerWith(t, serverOptions{env: []string{"MEMORY_PRESSURE_WATCH=" + watch}})
	c := s.dial()
	r := bufio.NewReader(c)
	const body = `<propfind xmlns="DAV:"><allprop/></propfind>`
	fmt.Fprintf(c, "PROPFIND / HTTP/1.1\r\nHost: h\r\nDepth: 0\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", len(body))
	expectContinue(t, r)
	io.WriteString(c, body)
	if status, _ := readAnswer(t, r); status != 207 {
		t.Errorf("status %d", status)
	}
	// As long as a request may take, the connection would stay idle.
	if _, err := r.ReadByte(); err != io.EOF {
		t.Errorf("%v, want the end", err)
	}
	if code := s.waitExit(); code != exitDone || !strings.Contains(s.Log(), "[INFO] memory is short") {
		t.Errorf("ended with %d, logged %q", code, s.Log())
	}
}

// privateMemory is what a process alone has, in KiB: not the program's pages, which
// all processes share and the system can read again.
func privateMemory(pid int) (kib int64) {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "Anonymous:" {
			kib, _ = strconv.ParseInt(f[1], 10, 64)
		}
	}
	return kib
}

// maxIdleMemory is what a kept connection may cost while nothing happens, in KiB.
const maxIdleMemory = 2048

// A connection gives back what its requests needed.
func TestIdleMemory(t *testing.T) {
	if _, err := os.Stat("/proc/self/smaps_rollup"); err != nil {
		t.Skip("no /proc/PID/smaps_rollup")
	}
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprint("TLS ", secure), func(t *testing.T) {
			o := serverOptions{env: []string{"GOMAXPROCS=1"}}
			if secure {
				certificate, key := selfSigned(t)
				o.tls, o.args = true, []string{"--ssl", "--certificate=" + certificate, "--key=" + key}
			}
			s := startServerWith(t, o)
			client := s.Client
			client.Transport.(*http.Transport).TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
			ask := func(method, path, body string, want int) {
				t.Helper()
				a, err := askAt(client, s.URL, method, path, body, "Depth: 1")
				if err != nil || a.Code != want {
					t.Fatalf("%s %s: %d %v", method, path, a.Code, err)
				}
			}
			ask("MKCALENDAR", "/demo/cal/", "", 201)
			s.mu.Lock()
			var pid int
			for cmd := range s.procs {
				pid = cmd.Process.Pid
			}
			s.mu.Unlock()
			settle := func(after string, limit int64) {
				t.Helper()
				busy, idle := privateMemory(pid), int64(0)
				waitFor(t, fmt.Sprintf("an idle process to have less than %d KiB for itself", limit), func() bool {
					idle = privateMemory(pid)
					return idle > 0 && idle <= limit
				})
				t.Logf("%s: after %s %d KiB, idle %d KiB", runtime.GOARCH, after, busy, idle)
			}
			ask("PUT", "/demo/cal/a.ics", crlf(vevent("a", "x", "20261201T100000Z", "")), 201)
			ask("PROPFIND", "/demo/cal/", `<propfind xmlns="DAV:"><allprop/></propfind>`, 207)
			settle("some requests", maxIdleMemory)
			// The runtime keeps some of what was much more.
			ask("PUT", "/demo/cal/a.ics", crlf(vevent("a", "x", "20261201T100000Z", strings.Repeat("COMMENT:"+strings.Repeat("x", 60)+"\n", 80000))), 204)
			if busy := privateMemory(pid); busy <= 5*maxIdleMemory {
				t.Errorf("%d KiB after an upload: nothing to be given back", busy)
			}
			settle("an upload of 5 MB", 4*maxIdleMemory)
			ask("OPTIONS", "/", "", 200)
		})
	}
}
