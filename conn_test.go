package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestChooseFD(t *testing.T) {
	tests := []struct {
		name  string
		env   map[string]string
		inetd bool
		fd    int
		want  string // in the refusal
	}{
		{name: "systemd", env: map[string]string{"LISTEN_PID": "7", "LISTEN_FDS": "1"}, fd: 3},
		{name: "systemd, fd 0 a socket, too", env: map[string]string{"LISTEN_PID": "7", "LISTEN_FDS": "1"}, inetd: true, fd: 3},
		{name: "several sockets", env: map[string]string{"LISTEN_PID": "7", "LISTEN_FDS": "2"}, want: "Accept=yes"},
		{name: "another process's", env: map[string]string{"LISTEN_PID": "6", "LISTEN_FDS": "1"}, want: "LISTEN_PID is 6, but this is process 7"},
		{name: "inetd", inetd: true},
		{name: "inetd below a super-server that systemd started", env: map[string]string{"LISTEN_PID": "6", "LISTEN_FDS": "1"}, inetd: true},
		{name: "no fds", env: map[string]string{"LISTEN_PID": "7", "LISTEN_FDS": "0"}, inetd: true},
		{name: "control characters", env: map[string]string{"LISTEN_PID": "6\n", "LISTEN_FDS": "1"}, want: `LISTEN_PID is 6\n,`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			fd, err := chooseFD(7, func(k string) string { return test.env[k] }, test.inetd)
			if test.want != "" {
				if err == nil || !strings.Contains(err.Error(), test.want) {
					t.Errorf("got %v, want %q in it", err, test.want)
				}
			} else if err != nil || fd != test.fd {
				t.Errorf("got fd %d, %v, want %d", fd, err, test.fd)
			}
		})
	}
}

func TestPeerAddress(t *testing.T) {
	tcp := func(s string) net.Addr { a, _ := net.ResolveTCPAddr("tcp", s); return a }
	unixAddr := &net.UnixAddr{Net: "unix", Name: "@"}
	tests := []struct {
		name string
		addr net.Addr
		env  map[string]string
		want string
		near bool
	}{
		{"v4", tcp("192.0.2.1:99"), nil, "192.0.2.1:99", false},
		{"v4 in v6", tcp("[::ffff:192.0.2.1]:99"), nil, "192.0.2.1:99", false},
		{"v6", tcp("[2001:db8::1]:99"), nil, "[2001:db8::1]:99", false},
		{"loopback", tcp("127.0.0.1:99"), nil, "127.0.0.1:99", true},
		{"loopback v6", tcp("[::1]:99"), nil, "[::1]:99", true},
		{"unix", unixAddr, nil, "unix", true},
		{"nothing known", nil, nil, "unix", true},
		{"systemd", tcp("127.0.0.1:99"), map[string]string{"REMOTE_ADDR": "192.0.2.9", "REMOTE_PORT": "5", "TCPREMOTEIP": "192.0.2.8"}, "192.0.2.9:5", true},
		{"systemd v6", unixAddr, map[string]string{"REMOTE_ADDR": "2001:db8::9", "REMOTE_PORT": "5"}, "[2001:db8::9]:5", true},
		{"stunnel", tcp("127.0.0.1:99"), map[string]string{"REMOTE_HOST": "192.0.2.9", "REMOTE_PORT": "5"}, "192.0.2.9:5", true},
		{"xinetd", tcp("127.0.0.1:99"), map[string]string{"REMOTE_HOST": "192.0.2.9"}, "192.0.2.9:0", true},
		{"a name is no address", unixAddr, map[string]string{"REMOTE_HOST": "phone.example", "TCPREMOTEIP": "192.0.2.8"}, "192.0.2.8:0", true},
		{"tcpserver", unixAddr, map[string]string{"TCPREMOTEIP": "192.0.2.9", "TCPREMOTEPORT": "5"}, "192.0.2.9:5", true},
		{"busybox", unixAddr, map[string]string{"TCPREMOTEADDR": "192.0.2.9"}, "192.0.2.9:0", true},
		{"busybox with a port", unixAddr, map[string]string{"TCPREMOTEADDR": "192.0.2.9:5"}, "192.0.2.9:5", true},
		{"socat v6", unixAddr, map[string]string{"SOCAT_PEERADDR": "[2001:0db8:0000:0000:0000:0000:0000:0009]", "SOCAT_PEERPORT": "5"}, "[2001:db8::9]:5", true},
		{"ncat", unixAddr, map[string]string{"NCAT_REMOTE_ADDR": "192.0.2.9", "NCAT_REMOTE_PORT": "5"}, "192.0.2.9:5", true},
		{"a port that is none", unixAddr, map[string]string{"TCPREMOTEIP": "192.0.2.9", "TCPREMOTEPORT": "70000x"}, "192.0.2.9:0", true},
		{"the socket is right where it can be", tcp("192.0.2.1:99"), map[string]string{"REMOTE_ADDR": "192.0.2.9"}, "192.0.2.1:99", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			peer, near := peerAddress(test.addr, func(k string) string { return test.env[k] })
			if peer != test.want || near != test.near {
				t.Errorf("got %q %v, want %q %v", peer, near, test.want, test.near)
			}
		})
	}
}

func TestPace(t *testing.T) {
	p := pace{stall: 10 * time.Second}
	if got := p.allowance(); got != p.stall {
		t.Errorf("at first %v", got)
	}
	p.spent = 15 * time.Second
	if got := p.allowance(); got != 5*time.Second {
		t.Errorf("after 15 s without a byte %v, want what is left of twice the limit", got)
	}
	p.moved = 100 * minRate
	if got := p.allowance(); got != p.stall {
		t.Errorf("after enough bytes %v", got)
	}
	p.spent = time.Hour
	if got := p.allowance(); got > 0 {
		t.Errorf("a trickle may go on for %v", got)
	}
}

// everyHandover runs test for each way of handing over and kind of socket.
func everyHandover(t *testing.T, test func(t *testing.T, s *server)) {
	for _, how := range []handover{systemd, inetd} {
		for _, network := range []string{"tcp4", "tcp6", "unix"} {
			t.Run(how.String()+" "+network, func(t *testing.T) {
				test(t, startServerWith(t, serverOptions{helper: "hello", handover: how, network: network}))
			})
		}
	}
}

func TestKeptConnection(t *testing.T) {
	everyHandover(t, func(t *testing.T, s *server) {
		var pid string
		for i := range 3 {
			got := get(t, s, "pid")
			if i > 0 && got != pid {
				t.Errorf("request %d went to process %s, want %s", i, got, pid)
			}
			pid = got
		}
		want := "hello 127.0.0.1:"
		switch s.options.network {
		case "tcp6":
			want = "hello [::1]:"
		case "unix":
			want = "hello unix"
		}
		if got := get(t, s, ""); !strings.HasPrefix(got, want) {
			t.Errorf("got %q, want %q...", got, want)
		}
		s.Client.CloseIdleConnections()
		if code := s.waitExit(); code != 0 {
			t.Errorf("exit code %d", code)
		}
		// at debug a line for the connection and one for each request
		log := s.Log()
		if strings.Count(log, "\n") != 13 || strings.Count(log, "[DEBUG] connection from ") != 1 || strings.Count(log, "[INFO] GET request for ") != 4 ||
			strings.Count(log, "[INFO] GET response status for ") != 4 {
			t.Errorf("logged %q", log)
		}
	})
}

func TestPipelining(t *testing.T) {
	everyHandover(t, func(t *testing.T, s *server) {
		c := s.dial()
		var requests strings.Builder
		for i := range 10 {
			body := fmt.Sprintf("number %d", i)
			if i%2 == 0 {
				fmt.Fprintf(&requests, "PUT /echo HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
			} else {
				fmt.Fprintf(&requests, "PUT /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n",
					body[:3], len(body)-3, body[3:])
			}
		}
		io.WriteString(c, requests.String())
		r := bufio.NewReader(c)
		for i := range 10 {
			status, body := readAnswer(t, r)
			if status != 200 || body != fmt.Sprintf("number %d", i) {
				t.Errorf("answer %d: %d %q", i, status, body)
			}
		}
	})
}

func TestExpectContinue(t *testing.T) {
	everyHandover(t, func(t *testing.T, s *server) {
		c := s.dial()
		r := bufio.NewReader(c)
		for range 2 {
			io.WriteString(c, "PUT /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
			expectContinue(t, r)
			io.WriteString(c, "abc")
			if status, body := readAnswer(t, r); status != 200 || body != "abc" {
				t.Errorf("%d %q", status, body)
			}
		}
	})
}

// An answer that needs no body comes without one: a client that waits for
// "100 Continue" never sends it.
func TestExpectRefused(t *testing.T) {
	for _, target := range []string{"/refuse", "/refuse?long"} {
		everyHandover(t, func(t *testing.T, s *server) {
			c := s.dial()
			io.WriteString(c, "PUT "+target+" HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 30\r\n\r\n")
			resp, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != http.StatusRequestEntityTooLarge || !resp.Close {
				t.Errorf("%d, Connection: close is %v", resp.StatusCode, resp.Close)
			}
			if _, err := io.Copy(io.Discard, resp.Body); err != nil {
				t.Error(err)
			}
			s.waitExit()
		})
	}
}

func TestHalfClosedPeer(t *testing.T) {
	everyHandover(t, func(t *testing.T, s *server) {
		c := s.dial()
		io.WriteString(c, "PUT /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc")
		c.(interface{ CloseWrite() error }).CloseWrite()
		r := bufio.NewReader(c)
		if status, body := readAnswer(t, r); status != 200 || body != "abc" {
			t.Errorf("%d %q", status, body)
		}
		if _, err := r.ReadByte(); err != io.EOF {
			t.Errorf("then %v, want the end", err)
		}
		s.waitExit()
	})
}

func TestHalfClosedBody(t *testing.T) {
	s := startServerWith(t, serverOptions{helper: "hello"})
	c := s.dial()
	io.WriteString(c, "PUT /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 30\r\n\r\nabc")
	c.(*net.TCPConn).CloseWrite()
	if status, _ := readAnswer(t, bufio.NewReader(c)); status != 400 {
		t.Errorf("status %d", status)
	}
	s.waitExit()
}

// A peer that goes is its own business: exit code 0 (checked by the harness)
// and nothing above info in the log.
func TestResets(t *testing.T) {
	for _, how := range []handover{systemd, inetd} {
		for name, request := range map[string]string{
			"at once":           "",
			"in the header":     "GET / HTTP/1.1\r\nHo",
			"in the body":       "PUT /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc",
			"before the answer": "GET /zeros?n=100000000 HTTP/1.1\r\nHost: h\r\n\r\n",
		} {
			t.Run(how.String()+" "+name, func(t *testing.T) {
				s := startServerWith(t, serverOptions{helper: "hello", handover: how})
				c := s.dial().(*net.TCPConn)
				io.WriteString(c, request)
				if name == "before the answer" {
					c.Read(make([]byte, 1))
				}
				c.SetLinger(0)
				c.Close()
				s.waitExit()
				if log := s.Log(); strings.Contains(log, "ERROR") || strings.Contains(log, "WARNING") {
					t.Errorf("logged %q", log)
				}
			})
		}
		t.Run(how.String()+" before the start", func(t *testing.T) {
			var client *net.TCPConn
			dialled := make(chan bool)
			s := startServerWith(t, serverOptions{helper: "hello", handover: how, fd: func(c net.Conn) (*os.File, error) {
				<-dialled
				client.SetLinger(0)
				client.Close()
				waitFor(t, "the reset to arrive", func() bool {
					var gone bool
					raw, _ := c.(*net.TCPConn).SyscallConn()
					raw.Control(func(fd uintptr) { _, err := unix.Getpeername(int(fd)); gone = err == unix.ENOTCONN })
					return gone
				})
				return connFile(c)
			}})
			client = s.dial().(*net.TCPConn)
			close(dialled)
			s.waitExit()
			if log := s.Log(); log != "" {
				t.Errorf("logged %q", log)
			}
		})
	}
}

func TestSlowPeers(t *testing.T) {
	start := func(t *testing.T, limits string) (*server, net.Conn, *bufio.Reader) {
		s := startServerWith(t, serverOptions{helper: "hello", env: []string{limitsVariable + "=" + limits}})
		c := s.dial()
		return s, c, bufio.NewReader(c)
	}
	t.Run("silent from the start", func(t *testing.T) {
		s, _, r := start(t, "header=50ms")
		if _, err := r.ReadByte(); err != io.EOF {
			t.Errorf("got %v, want the end", err)
		}
		s.waitExit()
	})
	t.Run("header", func(t *testing.T) {
		s, c, r := start(t, "header=50ms")
		io.WriteString(c, "GET / HTTP/1.1\r\nHost:")
		io.Copy(io.Discard, r)
		s.waitExit()
	})
	t.Run("second header", func(t *testing.T) {
		s, c, r := start(t, "header=200ms idle=20s")
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
		if status, _ := readAnswer(t, r); status != 200 {
			t.Errorf("status %d", status)
		}
		io.WriteString(c, "GET / HTTP/1.1\r\nHost:")
		io.Copy(io.Discard, r)
		s.waitExit()
	})
	t.Run("idle", func(t *testing.T) {
		s, c, r := start(t, "idle=50ms")
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
		if status, _ := readAnswer(t, r); status != 200 {
			t.Errorf("status %d", status)
		}
		if _, err := r.ReadByte(); err != io.EOF {
			t.Errorf("got %v, want the end", err)
		}
		s.waitExit()
	})
	t.Run("body", func(t *testing.T) {
		s, c, r := start(t, "body=50ms")
		io.WriteString(c, "PUT /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc")
		if status, _ := readAnswer(t, r); status != 408 {
			t.Errorf("status %d, want 408", status)
		}
		if _, err := r.ReadByte(); err != io.EOF {
			t.Errorf("then %v, want the end", err)
		}
		s.waitExit()
	})
	t.Run("body which trickles", func(t *testing.T) {
		s, c, r := start(t, "body=100ms")
		io.WriteString(c, "PUT /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n")
		stop := make(chan bool)
		defer close(stop)
		go func() {
			tick := time.NewTicker(30 * time.Millisecond) // always within the limit of a wait
			defer tick.Stop()
			for {
				select {
				case <-tick.C:
					io.WriteString(c, "x")
				case <-stop:
					return
				}
			}
		}()
		if status, _ := readAnswer(t, r); status != 408 {
			t.Errorf("status %d, want 408", status)
		}
		s.waitExit()
	})
	t.Run("body in time, longer than the limit in all", func(t *testing.T) {
		s, c, r := start(t, "body=500ms")
		_ = s
		const pieces = 12
		fmt.Fprintf(c, "PUT /echo HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n", pieces*1000)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for range pieces {
			<-tick.C
			io.WriteString(c, strings.Repeat("x", 1000))
		}
		if status, body := readAnswer(t, r); status != 200 || len(body) != pieces*1000 {
			t.Errorf("status %d, %d bytes", status, len(body))
		}
	})
	t.Run("unread body after the answer", func(t *testing.T) {
		s, c, r := start(t, "body=50ms")
		io.WriteString(c, "PUT /refuse HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc")
		if status, _ := readAnswer(t, r); status != 413 {
			t.Errorf("status %d", status)
		}
		s.waitExit()
	})
	t.Run("answer", func(t *testing.T) {
		s, c, _ := start(t, "write=100ms")
		io.WriteString(c, "GET /zeros?n=100000000 HTTP/1.1\r\nHost: h\r\n\r\n")
		s.waitExit() // nobody has read
		if log := s.Log(); !strings.Contains(log, "i/o timeout") {
			t.Errorf("logged %q", log)
		}
	})
	t.Run("answer of a file", func(t *testing.T) {
		name := filepath.Join(t.TempDir(), "big")
		os.WriteFile(name, nil, 0o600)
		if err := os.Truncate(name, 100_000_000); err != nil {
			t.Fatal(err)
		}
		s, c, _ := start(t, "write=100ms")
		io.WriteString(c, "GET /file?name="+name+" HTTP/1.1\r\nHost: h\r\n\r\n")
		s.waitExit()
	})
	t.Run("deadline of the body is over with the body", func(t *testing.T) {
		s, c, r := start(t, "body=50ms")
		_ = s
		io.WriteString(c, "PUT /context HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc")
		if status, body := readAnswer(t, r); status != 200 || body != "undisturbed" {
			t.Errorf("%d %q", status, body)
		}
	})
	t.Run("errors after an idle time", func(t *testing.T) {
		// The write deadline of the first request must not hold for the
		// second.
		s, c, r := start(t, "write=50ms")
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
		readAnswer(t, r)
		<-time.After(100 * time.Millisecond)
		io.WriteString(c, "nonsense\r\n\r\n")
		if status, _ := readAnswer(t, r); status != 400 {
			t.Errorf("status %d", status)
		}
		s.waitExit()
	})
}

// An early answer to a long body must reach the client: with a wrapped
// connection a reset would overtake it.
func TestEarlyAnswer(t *testing.T) {
	everyHandover(t, func(t *testing.T, s *server) {
		c := s.dial()
		io.WriteString(c, "PUT /refuse HTTP/1.1\r\nHost: h\r\nContent-Length: 20000000\r\n\r\n")
		sent := make(chan error, 1)
		go func() {
			_, err := io.Copy(c, io.LimitReader(zeros{}, 20_000_000))
			sent <- err
		}()
		status, body := readAnswer(t, bufio.NewReader(c))
		if status != 413 || body != "too large\n" {
			t.Errorf("%d %q", status, body)
		}
		c.Close()
		<-sent
	})
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestFileAnswer(t *testing.T) {
	content := bytes.Repeat([]byte("0123456789"), 1_000_000/10+7)
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
	everyHandover(t, func(t *testing.T, s *server) {
		if got := get(t, s, "file?name="+name); got != string(content) {
			t.Errorf("got %d bytes, want %d", len(got), len(content))
		}
		request, _ := http.NewRequest("GET", s.URL+"file?name="+name, nil)
		request.Header.Set("Range", "bytes=300000-899999")
		resp, err := s.Client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if got, _ := io.ReadAll(resp.Body); string(got) != string(content[300000:900000]) {
			t.Errorf("range: got %d bytes", len(got))
		}
	})
}

func TestLimitedRequests(t *testing.T) {
	s := startServerWith(t, serverOptions{helper: "hello", env: []string{limitsVariable + "=requests=3"}})
	c := s.dial()
	r := bufio.NewReader(c)
	for i := range 3 {
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		if want := i == 2; resp.Close != want {
			t.Errorf("answer %d: Connection: close is %v", i+1, resp.Close)
		}
	}
	s.waitExit()
}

func TestLimitedAge(t *testing.T) {
	s := startServerWith(t, serverOptions{helper: "hello", env: []string{limitsVariable + "=age=1ns"}})
	c := s.dial()
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	if !resp.Close {
		t.Error("no Connection: close")
	}
	s.waitExit()
}

func TestStopSignals(t *testing.T) {
	for _, how := range []handover{systemd, inetd} {
		for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP} {
			t.Run(fmt.Sprint(how, " ", sig, " during a request"), func(t *testing.T) {
				s := startServerWith(t, serverOptions{helper: "hello", handover: how})
				c := s.dial()
				r := bufio.NewReader(c)
				io.WriteString(c, "PUT /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 6\r\n\r\n")
				expectContinue(t, r)
				io.WriteString(c, "abc")
				s.signal(sig)
				s.waitLog("finishing")
				io.WriteString(c, "def")
				resp, err := http.ReadResponse(r, nil)
				if err != nil {
					t.Fatal(err)
				}
				body, _ := io.ReadAll(resp.Body)
				if resp.StatusCode != 200 || string(body) != "abcdef" || !resp.Close {
					t.Errorf("%d %q, Connection: close is %v", resp.StatusCode, body, resp.Close)
				}
				s.waitExit()
			})
		}
		t.Run(how.String()+" idle", func(t *testing.T) {
			s := startServerWith(t, serverOptions{helper: "hello", handover: how})
			c := s.dial()
			r := bufio.NewReader(c)
			io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
			readAnswer(t, r)
			s.waitLog("signals are heeded")
			began := time.Now()
			s.signal(syscall.SIGTERM)
			if _, err := r.ReadByte(); err != io.EOF {
				t.Errorf("got %v, want the end", err)
			}
			s.waitExit()
			if d := time.Since(began); d > stopLimit/2 {
				t.Errorf("took %v", d)
			}
		})
	}
}

func TestPanic(t *testing.T) {
	everyHandover(t, func(t *testing.T, s *server) {
		c := s.dial()
		io.WriteString(c, "GET /panic HTTP/1.1\r\nHost: h\r\n\r\n")
		if got, err := io.ReadAll(c); len(got) != 0 || err != nil {
			t.Errorf("the client got %q, %v", got, err)
		}
		s.waitExit()
		log := s.Log()
		if !strings.Contains(log, `panic in GET "/panic": the handler's secret`) || !strings.Contains(log, "conn_helper_test.go:") {
			t.Errorf("logged %q", log)
		}
	})
}

// An answer that breaks off must be seen to be broken.
func TestLatePanic(t *testing.T) {
	everyHandover(t, func(t *testing.T, s *server) {
		resp, err := s.Client.Get(s.URL + "panic-late")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		got, err := io.ReadAll(resp.Body)
		if err == nil || strings.Contains(string(got), "secret") {
			t.Errorf("%d bytes, %v", len(got), err)
		}
	})
}

func TestNothingPrintedReachesTheClient(t *testing.T) {
	everyHandover(t, func(t *testing.T, s *server) {
		c := s.dial()
		io.WriteString(c, "GET /print HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
		got, err := io.ReadAll(c)
		if err != nil || !strings.HasPrefix(string(got), "HTTP/1.1 200 OK\r\n") || !strings.HasSuffix(string(got), "\r\n\r\nquiet") ||
			strings.Contains(string(got), "printed") {
			t.Errorf("%q, %v", got, err)
		}
		if log := s.Log(); !strings.Contains(log, "said") {
			t.Errorf("logged %q", log)
		}
	})
}

// A log that nobody reads any more must not end the process by SIGPIPE.
func TestLogWithoutReader(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	defer w.Close()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	file, err := connFile(accepted)
	if err != nil {
		t.Fatal(err)
	}
	cmd := programCommand("hello", nil, inetd, file)
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	file.Close()
	accepted.Close()
	io.WriteString(c, "GET /log?text=a HTTP/1.1\r\nHost: h\r\n\r\nGET /log?text=b HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
	br := bufio.NewReader(c)
	for range 2 {
		if status, _ := readAnswer(t, br); status != 200 {
			t.Errorf("status %d", status)
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

func TestLeakedDescriptors(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	listening, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer listening.Close()
	s := startServerWith(t, serverOptions{helper: "hello", handover: inetd, extra: []*os.File{w, listening, r}})
	if got := get(t, s, "descriptors"); got != "0 1 2 " {
		t.Errorf("open: %s", got)
	}
	w.Close()
	r.SetReadDeadline(time.Now().Add(patience))
	if _, err := r.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the pipe: %v, want its end", err)
	}
}

// socat EXEC leaves the other end of its socket pair open in the program, so
// that the end of the connection would never be seen.
func TestLeakedOtherEnd(t *testing.T) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "ours"), os.NewFile(uintptr(pair[1]), "theirs")
	unix.CloseOnExec(pair[0])
	unix.CloseOnExec(pair[1])
	cmd := programCommand("hello", nil, inetd, theirs)
	cmd.Stderr = nil
	cmd.ExtraFiles = []*os.File{ours}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	ours.WriteString("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	if status, body := readAnswer(t, bufio.NewReader(ours)); status != 200 || body != "hello unix" {
		t.Errorf("%d %q", status, body)
	}
	ours.Close()
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(patience):
		cmd.Process.Kill()
		t.Error("the process does not see the end of the connection")
	}
}

// refusals are the ways of being started that cannot work.
func TestRefusals(t *testing.T) {
	dir := t.TempDir()
	listener := func(t *testing.T) *os.File {
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		f, err := l.(*net.TCPListener).File()
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	unixListener := func(t *testing.T) *os.File {
		l, err := net.Listen("unix", filepath.Join(dir, "listening"))
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		f, err := l.(*net.UnixListener).File()
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	datagram := func(t *testing.T) *os.File {
		c, err := net.ListenPacket("udp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		f, err := c.(*net.UDPConn).File()
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	pipe := func(t *testing.T) *os.File {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { w.Close() })
		return r
	}
	regular := func(t *testing.T) *os.File {
		f, err := os.Create(filepath.Join(dir, "regular"))
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	null := func(t *testing.T) *os.File {
		f, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	tests := []struct {
		name  string
		how   handover
		file  func(*testing.T) *os.File
		wants []string
	}{
		{"listening", systemd, listener, []string{"fd 3 is a listening socket", "Accept=yes"}},
		{"listening", inetd, listener, []string{"standard input is a listening socket", "wait = no", "nowait"}},
		{"listening unix", systemd, unixListener, []string{"fd 3 is a listening socket", "Accept=yes"}},
		{"datagram", systemd, datagram, []string{"fd 3 is a datagram socket", "ListenStream="}},
		{"datagram", inetd, datagram, []string{"standard input is a datagram socket", "socket_type = stream"}},
		{"pipe", inetd, pipe, []string{"standard input is a pipe", "socat"}},
		{"pipe", systemd, pipe, []string{"fd 3 is a pipe"}},
		{"file", inetd, regular, []string{"standard input is not a socket", "inetdav help"}},
		{"file", systemd, regular, []string{"fd 3 is not a socket"}},
		{"null", inetd, null, []string{"standard input is not a socket"}},
	}
	for _, helper := range []string{"hello"} {
		for _, test := range tests {
			t.Run(fmt.Sprint(test.how, " ", test.name), func(t *testing.T) {
				file := test.file(t)
				cmd := programCommand(helper, nil, test.how, file)
				log := filepath.Join(t.TempDir(), "log")
				cmd.Args = append(cmd.Args, "--inetdav-log="+log)
				checkRefusal(t, cmd.Run(), func() string { b, _ := os.ReadFile(log); return string(b) }, test.wants...)
				file.Close()
			})
		}
	}
	t.Run("systemd closed", func(t *testing.T) {
		cmd := programCommand("hello", nil, systemd, null(t))
		cmd.ExtraFiles = nil
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		checkRefusal(t, cmd.Run(), stderr.String, "fd 3 is ", "super-server", "<3>")
	})
	t.Run("inetd closed", func(t *testing.T) {
		cmd := programCommand("hello", []string{"/bin/sh", "-c", `exec "$0" "$@" <&-`}, inetd, null(t))
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		checkRefusal(t, cmd.Run(), stderr.String, "standard input is ", "super-server")
	})
	t.Run("systemd, wrapped without exec", func(t *testing.T) {
		file := listener(t)
		defer file.Close()
		cmd := programCommand("hello", []string{"/bin/sh", "-c", `"$0" "$@"; exit $?`}, systemd, file)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		cmd.Stdin = nil
		checkRefusal(t, cmd.Run(), stderr.String, "LISTEN_PID is ", "`exec`")
	})
}

// checkRefusal checks that the command which ended with err refused its work,
// in one line with all of wants.
func checkRefusal(t *testing.T, err error, log func() string, wants ...string) {
	t.Helper()
	var exit interface{ ExitCode() int }
	if !errors.As(err, &exit) || exit.ExitCode() != exitRefused {
		t.Errorf("ended with %v, want exit code %d", err, exitRefused)
	}
	text := log()
	if strings.Count(text, "\n") != 1 {
		t.Errorf("not one line: %q", text)
	}
	for _, want := range wants {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in %q", want, text)
		}
	}
}

// get gives the body of GET path.
func get(t testing.TB, s *server, path string) string {
	t.Helper()
	resp, err := s.Client.Get(s.URL + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != 200 {
		t.Fatalf("GET %s: %s\n%s", path, resp.Status, b)
	}
	return string(b)
}

// readAnswer reads one answer from a raw connection.
func readAnswer(t testing.TB, r *bufio.Reader) (status int, body string) {
	t.Helper()
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// expectContinue reads an interim answer 100.
func expectContinue(t testing.TB, r *bufio.Reader) {
	t.Helper()
	var got string
	for !strings.HasSuffix(got, "\r\n\r\n") {
		line, err := r.ReadString('\n')
		if got += line; err != nil {
			t.Fatalf("%q, %v", got, err)
		}
	}
	if got != "HTTP/1.1 100 Continue\r\n\r\n" {
		t.Fatalf("got %q", got)
	}
}
