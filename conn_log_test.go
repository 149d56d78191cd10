package main

import (
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

func TestAppendPrintable(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"plain", "a b~", "a b~"},
		{"forged line", "x\n[INFO] Successful login", `x\n[INFO] Successful login`},
		{"C0 and DEL", "\x00\x1b[31m\r\t\x7f", `\x00\x1b[31m\x0d\x09\x7f`},
		{"C1", "\u0085\u009b", `\u0085\u009b`},
		{"line and paragraph separators", "\u2028\u2029", `\u2028\u2029`},
		{"direction", "\u202egnp\u2066", `\u202egnp\u2066`},
		{"not UTF-8", "a\xffb\xc3", `a\xffb\xc3`},
		{"the replacement character itself", "\ufffd", "\ufffd"},
		{"letters", "Müller 日本 😀", "Müller 日本 😀"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := printable(test.in); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
	t.Run("limit", func(t *testing.T) {
		if got := string(appendPrintable(nil, "abcdef", 4)); got != "abcd..." {
			t.Errorf("got %q", got)
		}
		if got := string(appendPrintable(nil, "abc日def", 4)); got != "abc..." {
			t.Errorf("got %q", got)
		}
	})
}

func TestUnrepeated(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	s, err := openSink(path, levelInfo, os.Getenv)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(s.fd)
	u := &unrepeated{sink: s}
	for range 3 {
		u.Logf(levelWarning, "read-only: %s", "a")
		u.Logf(levelWarning, "read-only: %s", "b")
		u.Logf(levelDebug, "too fine")
	}
	b, _ := os.ReadFile(path)
	if strings.Count(string(b), "\n") != 2 || strings.Count(string(b), "read-only: a") != 1 || strings.Count(string(b), "read-only: b") != 1 {
		t.Errorf("logged %q", b)
	}
}

func FuzzAppendPrintable(f *testing.F) {
	f.Add("a\nb\x00\xff\u2028", 5)
	f.Add("日本", 4)
	f.Fuzz(func(t *testing.T, s string, limit int) {
		limit = max(0, min(limit, 1<<16))
		got := string(appendPrintable(nil, s, limit))
		if !utf8.ValidString(got) {
			t.Errorf("%q is not UTF-8", got)
		}
		for _, r := range got {
			if r < 0x20 || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029 {
				t.Errorf("%q has a control character", got)
			}
		}
		if len(got) > 4*limit+3 { // \xff; a \uNNNN stands for two bytes or three
			t.Errorf("%d bytes from %d", len(got), limit)
		}
	})
}

// RFC 3164, 4.1
var rfc3164 = regexp.MustCompile(`^<(\d+)>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d inetdav\[(\d+)\]: (.*)$`)

func TestSyslog(t *testing.T) {
	t.Run("datagram", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "log")
		daemon, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
		if err != nil {
			t.Fatal(err)
		}
		s := &sink{level: levelInfo, fd: -1}
		if err := s.dialSyslog(path); err != nil {
			t.Fatal(err)
		}
		s.Logf(levelWarning, "one\n%s", "two")
		s.Logf(levelDebug, "left out")
		expectSyslog(t, daemon, levelWarning, `one\ntwo`)

		// The daemon starts anew: the entry finds the new one.
		daemon.Close()
		os.Remove(path)
		if daemon, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"}); err != nil {
			t.Fatal(err)
		}
		defer daemon.Close()
		s.Logf(levelError, "three")
		expectSyslog(t, daemon, levelError, "three")
	})
	t.Run("datagram, gone", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "log")
		daemon, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
		if err != nil {
			t.Fatal(err)
		}
		s := &sink{level: levelInfo, fd: -1}
		if err := s.dialSyslog(path); err != nil {
			t.Fatal(err)
		}
		daemon.Close()
		os.Remove(path)
		s.Logf(levelError, "lost")
		s.Logf(levelError, "lost, too")
		if s.fd != -1 {
			t.Errorf("fd is %d", s.fd)
		}
	})
	t.Run("stream", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "log")
		daemon, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer daemon.Close()
		s := &sink{level: levelInfo, fd: -1}
		if err := s.dialSyslog(path); err != nil {
			t.Fatal(err)
		}
		s.Logf(levelInfo, "one")
		c, err := daemon.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		expectSyslog(t, c, levelInfo, "one\x00")
	})
	t.Run("none", func(t *testing.T) {
		s := &sink{level: levelInfo, fd: -1}
		if err := s.dialSyslog(filepath.Join(t.TempDir(), "log")); err == nil || !strings.Contains(err.Error(), "no such file") {
			t.Errorf("got %v", err)
		}
		s.Logf(levelError, "nowhere")
	})
}

func expectSyslog(t *testing.T, c net.Conn, level int, text string) {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(patience))
	buf := make([]byte, 8192)
	n, err := c.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	m := rfc3164.FindStringSubmatch(string(buf[:n]))
	if m == nil {
		t.Fatalf("not of RFC 3164's form: %q", buf[:n])
	}
	if m[1] != strconv.Itoa(24+level) || m[2] != strconv.Itoa(os.Getpid()) || m[3] != "["+levelName(level)+"] "+text {
		t.Errorf("got %q", m[1:])
	}
}

func TestLogFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	s, err := openSink(path, levelInfo, func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	s.Logf(levelWarning, "Failed login attempt from %s: %q (htpasswd)", "192.0.2.1:5", "u\n")
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := regexp.MustCompile(`^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4}\] \[\d+\] \[WARNING\] Failed login attempt from 192\.0\.2\.1:5: "u\\n" \(htpasswd\)\n$`)
	if !want.Match(got) {
		t.Errorf("got %q", got)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if mode := info.Mode().Perm(); mode&0o007 != 0 {
		t.Errorf("mode %o lets others read who logs in", mode)
	}
	if _, err := openSink(filepath.Join(path, "below"), levelInfo, os.Getenv); err == nil {
		t.Error("a log that cannot be opened is no error")
	}
}

func TestParseLevel(t *testing.T) {
	for name, want := range map[string]int{"debug": 7, "trace": 7, "INFO": 6, "notice": 5, "warning": 4, "error": 3, "critical": 2, "alert": 2} {
		if got, ok := parseLevel(name); got != want || !ok {
			t.Errorf("%s: %d %v", name, got, ok)
		}
	}
	if _, ok := parseLevel("loud"); ok {
		t.Error("loud is a level")
	}
}

var (
	chatter   = regexp.MustCompile(`(?m)^<[67]>.*\n`)
	processID = regexp.MustCompile(`\[\d+\]`)
)

// systemd reads levels off the lines (sd-daemon(3)), inetd's own log does not.
func TestLogOnStandardError(t *testing.T) {
	for _, how := range []handover{systemd, inetd} {
		t.Run(how.String(), func(t *testing.T) {
			s := startServerWith(t, serverOptions{helper: "hello", handover: how, noLog: true})
			get(t, s, "log?text=one%0Atwo")
			want := "<4>[] [WARNING] said one\\ntwo\n"
			if how == inetd {
				want = "" // standard error is the client
			}
			if got := processID.ReplaceAllString(chatter.ReplaceAllString(s.Log(), ""), "[]"); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}
