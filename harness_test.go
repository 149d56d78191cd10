package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// The harness of this package's tests: an accept loop in the test process that
// starts the real program once for each connection, as a super-server does.
//
//	s := startServer(t, "--auth-type=htpasswd", "--auth-htpasswd-filename="+users)
//	resp, err := http.Get(s.URL)
//
// Nothing outlives the test: at its end the listener is closed, connections
// still open are ended by SIGTERM, and a process that does not go, or whose
// exit code is not 0, fails the test.

// A handover is the way in which the connection is passed.
type handover int

const (
	systemd handover = iota // on fd 3, with LISTEN_PID and LISTEN_FDS
	inetd                   // on fd 0, 1 and 2
)

func (h handover) String() string { return [...]string{"systemd", "inetd"}[h] }

// patience is how long the harness waits for what must happen before it calls
// it a failure. Only broken programs ever wait so long.
const patience = 20 * time.Second

// serverOptions are the uncommon wishes of a test; the zero value is what
// startServer uses.
type serverOptions struct {
	handover handover
	network  string                           // "tcp4" (zero value), "tcp6" or "unix"
	helper   string                           // name of a handler in helpers instead of the real program
	args     []string                         // the program's, after the harness's own
	env      []string                         // besides PATH, HOME and TMPDIR
	command  []string                         // in front of the program, for example strace
	bare     bool                             // no arguments of the harness's own but the log
	noLog    bool                             // leave [inetdav] log alone: standard error (systemd), syslog (inetd)
	tls      bool                             // only changes the URL's scheme; see args
	anyExit  bool                             // exit codes are the test's business; see server.exits
	fd       func(net.Conn) (*os.File, error) // what to hand over, if not the connection
	extra    []*os.File                       // more descriptors to leak into the program, from 3 (inetd only)
}

// A server starts the program for each connection to it.
type server struct {
	// URL of the root, with a slash at its end; "http://unix/" for unix
	// sockets, where Client must be used.
	URL string
	// Folder is the storage folder, unless the test's args say otherwise.
	Folder string
	// Address is what the listener listens on.
	Address net.Addr
	// Client talks to the server; its connections are kept.
	Client *http.Client

	t        testing.TB
	options  serverOptions
	logPath  string
	listener net.Listener

	mu    sync.Mutex
	procs map[*exec.Cmd]bool
	exits chan int // exit codes in order of ending; for tests with anyExit
	wait  sync.WaitGroup

	stopping atomic.Bool // the test has come to its end
}

// startServer serves a fresh storage folder, with `[auth] type = none` unless
// the arguments, Radicale's command line options, say otherwise.
func startServer(t testing.TB, args ...string) *server {
	t.Helper()
	return startServerWith(t, serverOptions{args: args})
}

func startServerWith(t testing.TB, o serverOptions) *server {
	t.Helper()
	if o.network == "" {
		o.network = "tcp4"
	}
	dir := t.TempDir()
	address := map[string]string{"tcp4": "127.0.0.1:0", "tcp6": "[::1]:0", "unix": filepath.Join(dir, "s")}[o.network]
	l, err := net.Listen(o.network, address)
	if err != nil {
		if o.network == "tcp6" {
			t.Skipf("no IPv6 here: %v", err)
		}
		t.Fatal(err)
	}
	s := &server{
		Folder:   filepath.Join(dir, "storage"),
		Address:  l.Addr(),
		t:        t,
		options:  o,
		logPath:  filepath.Join(dir, "log"),
		listener: l,
		procs:    map[*exec.Cmd]bool{},
		exits:    make(chan int, 1000),
	}
	scheme := "http"
	if o.tls {
		scheme = "https"
	}
	s.URL = scheme + "://" + l.Addr().String() + "/"
	if o.network == "unix" {
		s.URL = scheme + "://unix/"
	}
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, l.Addr().Network(), l.Addr().String())
	}}
	s.Client = &http.Client{Transport: transport, Timeout: patience}
	go s.acceptLoop()
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		s.stop()
		if t.Failed() {
			t.Logf("the server's log:\n%s", s.Log())
		}
	})
	return s
}

func (s *server) acceptLoop() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		err = s.start(conn)
		conn.Close()
		if err != nil {
			s.t.Errorf("starting the program: %v", err)
		}
	}
}

// start starts the program on conn.
func (s *server) start(conn net.Conn) error {
	handed := s.options.fd
	if handed == nil {
		handed = connFile
	}
	file, err := handed(conn)
	if err != nil {
		return err
	}
	defer file.Close()

	cmd := programCommand(s.options.helper, s.options.command, s.options.handover, file)
	cmd.ExtraFiles = append(cmd.ExtraFiles, s.options.extra...)
	cmd.Args = append(cmd.Args, s.args()...)
	cmd.Env = append(cmd.Env, s.options.env...)
	stderr, err := os.OpenFile(s.logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer stderr.Close()
	if s.options.handover == systemd {
		cmd.Stdout, cmd.Stderr = stderr, stderr
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	if err := cmd.Start(); err != nil {
		return err
	}
	s.procs[cmd] = true
	s.wait.Go(func() {
		cmd.Wait()
		s.mu.Lock()
		delete(s.procs, cmd)
		s.mu.Unlock()
		code := cmd.ProcessState.ExitCode()
		if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && s.stopping.Load() && status.Signal() == syscall.SIGTERM {
			code = 0 // a process so young as not to heed signals yet: see signalDelay
		}
		if code != 0 && !s.options.anyExit {
			s.t.Errorf("the program ended with %v", cmd.ProcessState)
		}
		s.exits <- code
	})
	return nil
}

// args gives the program's command line.
func (s *server) args() []string {
	if s.options.helper != "" {
		return append([]string{"--inetdav-log=" + map[bool]string{false: s.logPath, true: "auto"}[s.options.noLog]}, s.options.args...)
	}
	args := []string{
		"--config=",
		"--storage-filesystem-folder=" + s.Folder,
		"--auth-type=none",
		"--logging-level=debug",
	}
	if s.options.bare {
		args = nil
	}
	if !s.options.noLog {
		args = append(args, "--inetdav-log="+s.logPath)
	}
	return append(args, s.options.args...)
}

// programCommand makes the command that runs the program (or the handler of
// this name in helpers) on a connection.
func programCommand(helper string, before []string, how handover, file *os.File) *exec.Cmd {
	argv := append([]string(nil), before...)
	env := baseEnv()
	if helper != "" {
		argv = append(argv, os.Args[0])
		env = append(env, helperVariable+"="+helper)
	} else {
		argv = append(argv, programPath)
	}
	if how == systemd {
		// LISTEN_PID must be the program's own: exec keeps the shell's.
		argv = append([]string{"/bin/sh", "-c", `LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=connection exec "$0" "$@"`}, argv...)
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = env
	cmd.Dir = "/"
	if how == systemd {
		cmd.ExtraFiles = []*os.File{file}
	} else {
		cmd.Stdin, cmd.Stdout, cmd.Stderr = file, file, file
	}
	return cmd
}

// baseEnv is the environment of every program that the harness starts.
func baseEnv() []string {
	env := []string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + os.TempDir(), "HOME=/nonexistent"}
	if dir := os.Getenv("GOCOVERDIR"); dir != "" {
		env = append(env, "GOCOVERDIR="+dir)
	}
	return env
}

// connFile gives a descriptor of conn in the state in which super-servers hand
// it over: blocking.
func connFile(conn net.Conn) (*os.File, error) {
	f, err := conn.(interface{ File() (*os.File, error) }).File()
	if err != nil {
		return nil, err
	}
	f.Fd() // makes it blocking
	return f, nil
}

// Log gives what the program has logged so far.
func (s *server) Log() string {
	b, _ := os.ReadFile(s.logPath)
	return string(b)
}

// waitLog waits until the log contains text.
func (s *server) waitLog(text string) {
	s.t.Helper()
	waitFor(s.t, fmt.Sprintf("%q in the log", text), func() bool { return strings.Contains(s.Log(), text) })
}

// waitExit waits until the next process has ended and gives its exit code.
func (s *server) waitExit() int {
	s.t.Helper()
	select {
	case code := <-s.exits:
		return code
	case <-time.After(patience):
		s.t.Fatal("the program does not end")
		return -1
	}
}

// signal sends sig to every process that is running.
func (s *server) signal(sig os.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for cmd := range s.procs {
		cmd.Process.Signal(sig)
	}
}

// stop ends all. Tests need not call it.
func (s *server) stop() {
	s.listener.Close()
	s.stopping.Store(true)
	ended := make(chan struct{})
	go func() { s.wait.Wait(); close(ended) }()
	s.signal(syscall.SIGTERM)
	select {
	case <-ended:
	case <-time.After(patience):
		s.t.Error("a process did not end after SIGTERM")
		s.signal(syscall.SIGKILL)
		<-ended
	}
}

// dial opens a raw connection to the server, with a deadline.
func (s *server) dial() net.Conn {
	s.t.Helper()
	c, err := net.Dial(s.Address.Network(), s.Address.String())
	if err != nil {
		s.t.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(patience))
	s.t.Cleanup(func() { c.Close() })
	return c
}

// waitFor waits until condition holds. It asks again and again, for conditions
// that nobody announces; what says "now" has a channel.
func waitFor(t testing.TB, what string, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// programPath is the program under test, built once by TestMain.
var programPath string

func TestMain(m *testing.M) {
	if name := os.Getenv(helperVariable); name != "" {
		os.Exit(helperMain(name))
	}
	os.Exit(testMain(m))
}

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "inetdav-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	// Other users (those of xinetd's services) run it, too.
	os.Chmod(dir, 0o755)
	programPath = filepath.Join(dir, "inetdav")
	build := exec.Command("go", "build", "-tags", "nethttpomithttp2", "-trimpath", "-ldflags", "-s -w -X main.version=test", "-o", programPath, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building the program: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// run runs the program as a command, with stdin, and gives what it printed and
// its exit code.
func run(t testing.TB, stdin string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, programPath, args...)
	cmd.Env = baseEnv()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}
