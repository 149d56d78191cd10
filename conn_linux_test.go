package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// openTerminal opens a pseudo terminal, as an xterm does.
func openTerminal(t *testing.T) (outside, inside *os.File) {
	t.Helper()
	outside, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no pseudo terminals here: %v", err)
	}
	t.Cleanup(func() { outside.Close() })
	if err := unix.IoctlSetPointerInt(int(outside.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(outside.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	inside, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { inside.Close() })
	return outside, inside
}

// A person who just calls the program must be told what it is.
func TestTerminal(t *testing.T) {
	for _, program := range []string{"hello", ""} {
		outside, inside := openTerminal(t)
		cmd := programCommand(program, nil, inetd, inside)
		err := cmd.Run()
		inside.Close()
		said, _ := io.ReadAll(outside) // ends with EIO when nobody has the terminal open
		checkRefusal(t, err, func() string { return string(said) }, "standard input is a terminal", "super-server", "inetdav help")
	}
}

// TestUserTimeout asks the kernel, which also shows that net.FileConn's own
// settings are there.
func TestUserTimeout(t *testing.T) {
	if _, err := exec.LookPath("strace"); err != nil {
		t.Skip("strace is not installed")
	}
	trace := t.TempDir() + "/trace"
	s := startServerWith(t, serverOptions{helper: "hello", command: []string{"strace", "-f", "-e", "trace=setsockopt", "-o", trace}, handover: inetd})
	get(t, s, "")
	s.Client.CloseIdleConnections()
	s.waitExit()
	b, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"TCP_USER_TIMEOUT, [20000]", "TCP_NODELAY, [1]", "SO_KEEPALIVE, [1]"} {
		if !strings.Contains(string(b), want) {
			t.Errorf("%s is not set:\n%s", want, b)
		}
	}
}

// A connection on which nothing has come yet ends soon after a signal, too.
func TestStopBeforeFirstRequest(t *testing.T) {
	s := startServerWith(t, serverOptions{helper: "hello"})
	c := s.dial()
	s.waitLog("connection from")
	s.waitLog("signals are heeded")
	began := time.Now()
	s.signal(unix.SIGTERM)
	if _, err := bufio.NewReader(c).ReadByte(); err != io.EOF {
		t.Errorf("got %v, want the end", err)
	}
	s.waitExit()
	if d := time.Since(began); d > stopLimit/2 {
		t.Errorf("took %v", d)
	}
}
