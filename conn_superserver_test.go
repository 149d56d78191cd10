package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Real super-servers, as far as this machine has them. A missing one is
// skipped with its name: .ci/run installs them all.

// A superServer is how to start one.
type superServer struct {
	name string
	// argv gives its command for a program which it shall start for each
	// connection to address ("127.0.0.1:port" or the path of a unix socket),
	// or nil when the machine does not have it.
	argv func(t *testing.T, address string, program []string) []string
	unix bool
	// peer is how the client's address looks in it; empty: ip:port of the
	// client.
	peer string
	// inetd tells that the program's standard error is the client, so that
	// its messages go to syslog.
	inetd bool
}

var superServers = []superServer{
	{name: "systemd-socket-activate", argv: func(t *testing.T, address string, program []string) []string {
		return found([]string{"systemd-socket-activate"}, append([]string{"--accept", "--listen=" + address}, program...)...)
	}},
	{name: "systemd-socket-activate unix", unix: true, peer: "unix", argv: func(t *testing.T, address string, program []string) []string {
		return found([]string{"systemd-socket-activate"}, append([]string{"--accept", "--listen=" + address}, program...)...)
	}},
	{name: "systemd-socket-activate inetd", argv: func(t *testing.T, address string, program []string) []string {
		return found([]string{"systemd-socket-activate"}, append([]string{"--accept", "--inetd", "--listen=" + address}, program...)...)
	}},
	{name: "xinetd", inetd: true, argv: func(t *testing.T, address string, program []string) []string {
		return xinetd(t, address, program, "no")
	}},
	{name: "openbsd-inetd", inetd: true, argv: func(t *testing.T, address string, program []string) []string {
		conf := inetdConf(t, address, program, "nowait")
		// Its own name where xinetd is installed, too; they conflict.
		return found([]string{"openbsd-inetd"}, "-i", conf)
	}},
	{name: "busybox inetd", inetd: true, argv: func(t *testing.T, address string, program []string) []string {
		return applet("inetd", "-f", inetdConf(t, address, program, "nowait"))
	}},
	{name: "busybox tcpsvd", argv: func(t *testing.T, address string, program []string) []string {
		host, port, _ := net.SplitHostPort(address)
		return applet("tcpsvd", append([]string{host, port}, program...)...)
	}},
	{name: "ipsvd tcpsvd", argv: func(t *testing.T, address string, program []string) []string {
		host, port, _ := net.SplitHostPort(address)
		return found([]string{"tcpsvd"}, append([]string{host, port}, program...)...)
	}},
	{name: "tcpserver", argv: func(t *testing.T, address string, program []string) []string {
		host, port, _ := net.SplitHostPort(address)
		return found([]string{"tcpserver"}, append([]string{"-RHl0", host, port}, program...)...)
	}},
	{name: "socat", argv: func(t *testing.T, address string, program []string) []string {
		host, port, _ := net.SplitHostPort(address)
		return found([]string{"socat"}, "TCP4-LISTEN:"+port+",bind="+host+",reuseaddr,fork", "EXEC:"+strings.Join(program, " "))
	}},
	{name: "socat nofork", argv: func(t *testing.T, address string, program []string) []string {
		host, port, _ := net.SplitHostPort(address)
		return found([]string{"socat"}, "TCP4-LISTEN:"+port+",bind="+host+",reuseaddr,fork", "EXEC:"+strings.Join(program, " ")+",nofork")
	}},
	{name: "s6-ipcserver", unix: true, peer: "unix", argv: func(t *testing.T, address string, program []string) []string {
		return found([]string{"s6-ipcserver"}, append([]string{address}, program...)...)
	}},
}

// found gives the command of the first of names that exists.
func found(names []string, args ...string) []string {
	for _, name := range names {
		for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin", "/usr/local/sbin", "/sbin") {
			if path := filepath.Join(dir, name); isExecutable(path) {
				return append([]string{path}, args...)
			}
		}
	}
	return nil
}

func isExecutable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// applet gives the command of a busybox applet; distributions leave out some.
func applet(name string, args ...string) []string {
	busybox := found([]string{"busybox"})
	if busybox == nil {
		return nil
	}
	list, _ := exec.Command(busybox[0], "--list").Output()
	if !strings.Contains("\n"+string(list), "\n"+name+"\n") {
		return nil
	}
	return append(busybox, append([]string{name}, args...)...)
}

func userName(t *testing.T) string {
	u, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	return u.Username
}

func xinetd(t *testing.T, address string, program []string, wait string) []string {
	host, port, _ := net.SplitHostPort(address)
	dir := t.TempDir()
	conf := filepath.Join(dir, "xinetd.conf")
	text := fmt.Sprintf(`service inetdav
{
	type = UNLISTED
	socket_type = stream
	protocol = tcp
	port = %s
	bind = %s
	wait = %s
	user = %s
	server = %s
	server_args = %s
	flags = IPv4 KEEPALIVE NODELAY
	cps = 1000 1
	log_type = FILE %s
}
`, port, host, wait, userName(t), program[0], strings.Join(program[1:], " "), filepath.Join(dir, "xinetd.log"))
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return found([]string{"xinetd"}, "-dontfork", "-f", conf, "-pidfile", filepath.Join(dir, "pid"), "-stayalive")
}

func inetdConf(t *testing.T, address string, program []string, wait string) string {
	conf := filepath.Join(t.TempDir(), "inetd.conf")
	text := fmt.Sprintf("%s stream tcp %s %s %s %s\n", address, wait, userName(t), program[0], strings.Join(program, " "))
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return conf
}

// freeAddress gives an address on which nobody listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// startSuperServer starts argv and ends it with the test. It gives a client
// for address and what the super-server and its programs print.
func startSuperServer(t *testing.T, argv []string, address string) (client *http.Client, output func() string) {
	t.Helper()
	log := filepath.Join(t.TempDir(), "output")
	f, err := os.Create(log)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = append(baseEnv(), "HOME="+filepath.Dir(log)) // Caddy writes there
	cmd.Stdout, cmd.Stderr = f, f
	// A group of its own: for what socat and others leave behind when they
	// are ended.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	output = func() string { b, _ := os.ReadFile(log); return string(b) }
	client = dialUntilThere(address)
	t.Cleanup(func() {
		client.CloseIdleConnections()
		cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(patience):
			t.Error("the super-server does not end")
		}
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		if t.Failed() {
			t.Logf("%q printed:\n%s", argv, output())
		}
	})
	return client, output
}

// dialUntilThere gives a client for address, "ip:port" or the path of a unix
// socket, which dials until somebody listens there.
func dialUntilThere(address string) *http.Client {
	network := "tcp4"
	if strings.HasPrefix(address, "/") {
		network = "unix"
	}
	dial := func(_, _ string) (net.Conn, error) {
		deadline := time.Now().Add(patience)
		for {
			c, err := net.Dial(network, address)
			if err == nil || time.Now().After(deadline) {
				return c, err
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	return &http.Client{Transport: &http.Transport{Dial: dial}, Timeout: patience}
}

// helperScript makes a program that serves with the helper "hello": a shell
// script, since super-servers pass environments on in different ways. mark is
// found in the command line of each of its processes.
func helperScript(t *testing.T) (program, mark string) {
	t.Helper()
	program = filepath.Join(t.TempDir(), "program")
	text := fmt.Sprintf("#!/bin/sh\nexport %s=hello\nexec %s --mark=%s \"$@\"\n", helperVariable, os.Args[0], program)
	if err := os.WriteFile(program, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	return program, "--mark=" + program
}

// processes counts the processes that have arg in their command line.
func processes(arg string) (n int) {
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, f := range files {
		b, _ := os.ReadFile(f)
		for word := range strings.SplitSeq(string(b), "\x00") {
			if word == arg {
				n++
			}
		}
	}
	return n
}

func TestSuperServers(t *testing.T) {
	for _, super := range superServers {
		t.Run(super.name, func(t *testing.T) {
			address := freeAddress(t)
			if super.unix {
				address = filepath.Join(t.TempDir(), "s")
			}
			program, mark := helperScript(t)
			log := filepath.Join(t.TempDir(), "log")
			argv := super.argv(t, address, []string{program, "--inetdav-log=" + log})
			if argv == nil {
				t.Skipf("%s is not installed", super.name)
			}
			client, _ := startSuperServer(t, argv, address)
			s := &server{t: t, URL: "http://localhost/", Client: client}

			pid := get(t, s, "pid")
			if again := get(t, s, "pid"); again != pid {
				t.Errorf("the second request went to process %s, the first to %s", again, pid)
			}
			got := get(t, s, "")
			if super.peer != "" && got != "hello "+super.peer || super.peer == "" && !strings.HasPrefix(got, "hello 127.0.0.1:") {
				t.Errorf("got %q", got)
			}
			for _, body := range []io.Reader{strings.NewReader("abc"), io.MultiReader(strings.NewReader("abc"))} { // Content-Length, chunked
				resp, err := client.Post(s.URL+"echo", "text/plain", body)
				if err != nil {
					t.Fatal(err)
				}
				b, _ := io.ReadAll(resp.Body)
				resp.Body.Close()
				if string(b) != "abc" {
					t.Errorf("echo: %q", b)
				}
			}
			if got := get(t, s, "print"); got != "quiet" {
				t.Errorf("print: %q", got)
			}
			if got := get(t, s, "descriptors"); got != "0 1 2 " && !strings.HasPrefix(super.name, "systemd") {
				t.Errorf("open descriptors: %s", got)
			}
			if n := processes(mark); n != 1 {
				t.Errorf("%d processes serve one connection", n)
			}
			client.CloseIdleConnections()
			waitFor(t, "the process to end", func() bool { return processes(mark) == 0 })

			// Each connection has its own process.
			if again := get(t, s, "pid"); again == pid {
				t.Errorf("a new connection went to process %s, too", pid)
			}
			client.CloseIdleConnections()
			waitFor(t, "the process to end", func() bool { return processes(mark) == 0 })
			if b, _ := os.ReadFile(log); !strings.Contains(string(b), "connection from ") || strings.Contains(string(b), "ERROR") {
				t.Errorf("logged %q", b)
			}
		})
	}
}

// A super-server that passes the listening socket must be told so.
func TestSuperServersThatListen(t *testing.T) {
	tests := []struct {
		name, want string
		argv       func(t *testing.T, address string, program []string) []string
	}{
		{"systemd-socket-activate", "Accept=yes", func(t *testing.T, address string, program []string) []string {
			return found([]string{"systemd-socket-activate"}, append([]string{"--listen=" + address}, program...)...)
		}},
		{"xinetd", "wait = no", func(t *testing.T, address string, program []string) []string {
			return xinetd(t, address, program, "yes")
		}},
		{"openbsd-inetd", "nowait", func(t *testing.T, address string, program []string) []string {
			return found([]string{"openbsd-inetd"}, "-i", inetdConf(t, address, program, "wait"))
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			address := freeAddress(t)
			program, _ := helperScript(t)
			log := filepath.Join(t.TempDir(), "log")
			argv := test.argv(t, address, []string{program, "--inetdav-log=" + log})
			if argv == nil {
				t.Skipf("%s is not installed", test.name)
			}
			client, _ := startSuperServer(t, argv, address)
			c, err := client.Transport.(*http.Transport).Dial("", "")
			if err != nil {
				t.Fatal(err)
			}
			waitFor(t, "the refusal", func() bool {
				b, _ := os.ReadFile(log)
				return strings.Contains(string(b), "is a listening socket") && strings.Contains(string(b), test.want)
			})
			c.Close()
		})
	}
}
