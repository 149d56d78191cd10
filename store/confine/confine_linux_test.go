package confine

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Confinement cannot be taken back, so each test runs one of helpers in a process
// of its own, this test program once more, in a folder of its own:
//
//	store/alice/a, store/bob/b   what homes hold
//	etc/users                    a file that is read
//	elsewhere/x                  what nobody needs

const helperVariable = "INETDAV_CONFINE_HELPER"

func TestMain(m *testing.M) {
	if name := os.Getenv(helperVariable); name != "" {
		helpers[name]()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// inHelper runs a helper and returns what it printed, line by line.
func inHelper(t *testing.T, name string) []string {
	t.Helper()
	if !Threads() {
		t.Skip("SKIPPED: this kernel has no landlock of version 2: nothing of confinement is tested")
	}
	dir := t.TempDir()
	for _, f := range []string{"store/alice/a", "store/bob/b", "elsewhere/x", "etc/users"} {
		path := filepath.Join(dir, f)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("secret"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), helperVariable+"="+name)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

func here(path string) string {
	dir, err := os.Getwd()
	check("getwd", err)
	return filepath.Join(dir, path)
}

// check ends a helper.
func check(what string, err error) {
	if err != nil {
		fmt.Println("FAILED", what, err)
		os.Exit(1)
	}
}

func testPolicy() Policy {
	return Policy{Folders: []string{here("store")}, Files: []string{here("etc/users")}}
}

// An act is something that a process may try.
type act struct {
	name string
	do   func() error
}

func read(path string) func() error {
	return func() error { _, err := os.ReadFile(path); return err }
}

func write(path string) func() error {
	return func() error { return os.WriteFile(path, []byte("mine"), 0o644) }
}

func direct(number uintptr, arguments ...uintptr) func() error {
	return func() error {
		var a [6]uintptr
		copy(a[:], arguments)
		_, _, errno := unix.Syscall6(number, a[0], a[1], a[2], a[3], a[4], a[5])
		if errno != 0 {
			return errno
		}
		return nil
	}
}

// beyond is what no connection has to do.
func beyond() []act {
	return []act{
		{"exec", func() error { return unix.Exec("/bin/true", []string{"true"}, nil) }},
		{"start", func() error { return exec.Command("/bin/true").Run() }},
		{"fork", direct(unix.SYS_CLONE, uintptr(unix.SIGCHLD))},
		{"socket tcp", func() error { _, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0); return err }},
		{"socket udp", func() error { _, err := unix.Socket(unix.AF_INET6, unix.SOCK_DGRAM, 0); return err }},
		{"socket unix", func() error { _, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0); return err }},
		{"socket netlink", func() error { _, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW, 0); return err }},
		{"socketpair", func() error { _, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0); return err }},
		{"ptrace", direct(unix.SYS_PTRACE, unix.PTRACE_ATTACH, uintptr(os.Getppid()))},
		{"vm", direct(unix.SYS_PROCESS_VM_READV, uintptr(os.Getppid()))},
		{"kill", func() error { return unix.Kill(os.Getppid(), 0) }},
		{"tgkill", func() error { return unix.Tgkill(os.Getppid(), os.Getppid(), 0) }},
		{"setuid", direct(unix.SYS_SETUID, 1)},
		{"mount", func() error { return unix.Mount("none", "store", "tmpfs", 0, "") }},
		{"chroot", func() error { return unix.Chroot("store") }},
		{"unshare", func() error { return unix.Unshare(unix.CLONE_NEWUSER) }},
		{"bpf", direct(unix.SYS_BPF)},
		{"io_uring", direct(unix.SYS_IO_URING_SETUP)},
		{"keyctl", direct(unix.SYS_KEYCTL)},
		{"symlink", func() error { return os.Symlink("/etc/passwd", "store/link") }},
		{"mknod", func() error { return unix.Mkfifo("store/fifo", 0o600) }},
		{"chown", func() error { return os.Chown("store", 1, 1) }},
		{"xattr", func() error { return unix.Setxattr("store", "user.x", nil, 0) }},
		{"mmap exec", func() error {
			_, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_EXEC, unix.MAP_ANON|unix.MAP_PRIVATE)
			return err
		}},
		{"mprotect exec", func() error {
			b, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ, unix.MAP_ANON|unix.MAP_PRIVATE)
			if err != nil {
				return nil
			}
			return unix.Mprotect(b, unix.PROT_READ|unix.PROT_EXEC)
		}},
		{"rlimit", func() error {
			return unix.Prlimit(0, unix.RLIMIT_CORE, &unix.Rlimit{Cur: 1, Max: 1}, nil)
		}},
		{"dumpable", func() error { return unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0) }},
		{"read passwd", read("/etc/passwd")},
		{"read memory", read("/proc/self/mem")},
		{"read elsewhere", read("elsewhere/x")},
		{"write elsewhere", write("elsewhere/y")},
		{"write users", write("etc/users")},
		{"remove users", func() error { return os.Remove("etc/users") }},
		{"list /", func() error { _, err := os.ReadDir("/"); return err }},
		{"link out", func() error { return os.Link("elsewhere/x", "store/x") }},
		{"move out", func() error { return os.Rename("store/alice/a", "elsewhere/a") }},
	}
}

// within is what each connection has to do.
func within() []act {
	return []act{
		{"read", read("store/alice/a")},
		{"write", write("store/alice/new")},
		{"list", func() error { _, err := os.ReadDir("store"); return err }},
		{"mkdir", func() error { return os.MkdirAll("store/alice/cal/deep", 0o755) }},
		{"move", func() error { return os.Rename("store/alice/new", "store/alice/cal/new") }},
		{"exchange", func() error {
			return unix.Renameat2(unix.AT_FDCWD, "store/alice/cal", unix.AT_FDCWD, "store/bob", unix.RENAME_EXCHANGE)
		}},
		{"remove", func() error { return os.RemoveAll("store/bob") }},
		{"read users", read("etc/users")},
		{"grow", func() error {
			for range 8 {
				runtime.KeepAlive(make([]byte, 8<<20))
				runtime.GC()
			}
			return nil
		}},
		{"wait", func() error { time.Sleep(time.Millisecond); return nil }},
	}
}

// unknownCall is newer than the tables.
const unknownCall = lastCall + 200

// show prints what becomes of the acts.
func show(acts []act) {
	for _, a := range acts {
		err := a.do()
		var errno unix.Errno
		switch {
		case errors.As(err, &errno):
			fmt.Println(a.name+":", unix.ErrnoName(errno))
		default:
			fmt.Println(a.name+":", err)
		}
	}
}

// onThreads runs f on so many threads at once that most of them are new.
func onThreads(n int, f func() error) []error {
	errs := make(chan error)
	all := make(chan bool)
	for range n {
		go func() {
			runtime.LockOSThread()
			<-all
			errs <- f()
		}()
	}
	close(all)
	var list []error
	for range n {
		list = append(list, <-errs)
	}
	return list
}

var helpers = map[string]func(){
	"process": func() {
		old := make(chan bool) // a thread from before
		hear := make(chan error)
		for range 3 {
			go func() {
				runtime.LockOSThread()
				<-old
				hear <- read("elsewhere/x")()
				_, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
				hear <- err
			}()
		}
		runtime.Gosched()
		check("process", Process(testPolicy()))
		show(beyond())
		fmt.Println("-")
		show(within())
		fmt.Println("-")
		close(old)
		for range 6 {
			fmt.Println(<-hear)
		}
		for _, err := range onThreads(8, read("elsewhere/x")) {
			fmt.Println(err)
		}
		for _, err := range onThreads(8, func() error { _, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0); return err }) {
			fmt.Println(err)
		}
		fmt.Println("-")
		show([]act{{"unknown", direct(unknownCall)}, {"clone3", direct(unix.SYS_CLONE3)}})
	},
	"sockets": func() {
		p := testPolicy()
		p.Datagrams = true
		check("process", Process(p))
		socket := func(domain, kind int) func() error {
			return func() error { _, err := unix.Socket(domain, kind, 0); return err }
		}
		show([]act{
			{"datagram", socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC)},
			{"stream", socket(unix.AF_UNIX, unix.SOCK_STREAM)},
			{"udp", socket(unix.AF_INET, unix.SOCK_DGRAM)},
			{"tcp", socket(unix.AF_INET, unix.SOCK_STREAM)},
		})
	},
	"programs": func() {
		p := testPolicy()
		p.Programs = true
		if err := Process(p); err == nil {
			check("process", errors.New("it says that all is confined"))
		}
		thread := startThread(p, "store/alice")
		thread.Do(func() {
			show([]act{
				{"exec", func() error { return unix.Exec("/bin/true", []string{"true"}, nil) }},
				{"other", read("store/bob/b")},
				{"own", read("store/alice/a")},
			})
			thread.Outside(func() {
				show([]act{{"outside", func() error { return exec.Command("/bin/sh", "-c", "cat elsewhere/x").Run() }}})
			})
		})
	},
	"thread": func() {
		check("process", Process(testPolicy()))
		alice := startThread(testPolicy(), "store/alice")
		bob := startThread(testPolicy(), "store/bob")
		acts := []act{
			{"alice", read("store/alice/a")},
			{"bob", read("store/bob/b")},
			{"write alice", write("store/alice/new")},
			{"write bob", write("store/bob/new")},
			{"list", func() error { _, err := os.ReadDir("store"); return err }},
			{"up", read("store/alice/../bob/b")},
			{"move", func() error { return os.Rename("store/alice/a", "store/bob/a") }},
			{"users", read("etc/users")},
		}
		alice.Do(func() { show(acts) })
		fmt.Println("-")
		bob.Do(func() { show(acts) })
		fmt.Println("-")
		// Outside of the threads nothing of that holds, and threads that come of
		// them are not bound.
		alice.Do(func() { alice.Outside(func() { show(acts[:2]) }) })
		alice.Do(func() {
			done := make(chan bool)
			for range 20 {
				go func() {
					runtime.LockOSThread()
					if err := read("store/bob/b")(); err != nil {
						fmt.Println("a thread of alice's:", err)
					}
					done <- true
				}()
			}
			for range 20 {
				<-done
			}
		})
		// The next user, after the last one's thread has ended.
		for _, t := range []*Thread{alice, bob} {
			t.Stop()
		}
		show(acts[:2])
	},
	"panic": func() {
		thread := startThread(testPolicy(), "store/alice")
		defer func() {
			p, ok := recover().(*Panic)
			fmt.Println(ok, p, strings.Contains(string(p.Stack), "helperThatPanics"))
			thread.Do(func() { fmt.Println("again") })
		}()
		thread.Do(helperThatPanics)
	},
}

func helperThatPanics() { panic("ouch") }

func startThread(p Policy, paths ...string) *Thread {
	var rules []Rule
	for _, path := range paths {
		fd, err := unix.Open(path, unix.O_RDONLY, 0)
		check("open", err)
		defer unix.Close(fd)
		rules = append(rules, Rule{fd, true})
	}
	t, err := Start(p, rules)
	check("thread", err)
	return t
}

// sections cuts what a helper printed at lines "-".
func sections(lines []string) (list [][]string) {
	list = append(list, nil)
	for _, line := range lines {
		if line == "-" {
			list = append(list, nil)
			continue
		}
		list[len(list)-1] = append(list[len(list)-1], line)
	}
	return list
}

func TestProcess(t *testing.T) {
	parts := sections(inHelper(t, "process"))
	if len(parts) != 4 {
		t.Fatalf("%q", parts)
	}
	if len(parts[0]) != len(beyond()) || len(parts[1]) != len(within()) {
		t.Errorf("%d and %d acts", len(parts[0]), len(parts[1]))
	}
	for _, line := range parts[0] {
		if !strings.HasSuffix(line, ": EPERM") && !strings.HasSuffix(line, ": EACCES") && line != "link out: EXDEV" {
			t.Error(line)
		}
		path := strings.Contains(line, "read ") || strings.Contains(line, "write ") || strings.Contains(line, "list") ||
			strings.Contains(line, "remove") || strings.Contains(line, " out") ||
			strings.Contains(line, "start") // needs /dev/null before anything else
		if !path && !strings.HasSuffix(line, ": EPERM") {
			t.Errorf("%s: not by the filter", line)
		}
	}
	for _, line := range parts[1] {
		if !strings.HasSuffix(line, ": <nil>") {
			t.Error(line)
		}
	}
	for _, line := range parts[2] {
		if line == "<nil>" {
			t.Errorf("a thread is not confined: %q", parts[2])
			break
		}
	}
	if want := []string{"unknown: ENOSYS", "clone3: ENOSYS"}; !slices.Equal(parts[3], want) {
		t.Errorf("%q", parts[3])
	}
}

func TestSockets(t *testing.T) {
	want := []string{"datagram: <nil>", "stream: EPERM", "udp: EPERM", "tcp: EPERM"}
	if runtime.GOARCH == "386" { // see multi
		want = []string{"datagram: <nil>", "stream: <nil>", "udp: <nil>", "tcp: <nil>"}
	}
	if got := inHelper(t, "sockets"); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func TestPrograms(t *testing.T) {
	want := []string{"exec: EPERM", "other: EACCES", "own: <nil>", "outside: <nil>"}
	if got := inHelper(t, "programs"); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func TestThread(t *testing.T) {
	want := [][]string{
		{"alice: <nil>", "bob: EACCES", "write alice: <nil>", "write bob: EACCES", "list: EACCES", "up: EACCES", "move: EACCES", "users: EACCES"},
		{"alice: EACCES", "bob: <nil>", "write alice: EACCES", "write bob: <nil>", "list: EACCES", "up: <nil>", "move: EACCES", "users: EACCES"},
		{"alice: <nil>", "bob: <nil>", "alice: <nil>", "bob: <nil>"},
	}
	got := sections(inHelper(t, "thread"))
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || !slices.Equal(got[i], want[i]) {
			t.Fatalf("got %q\nwant %q", got, want)
		}
	}
}

func TestPanic(t *testing.T) {
	if got, want := inHelper(t, "panic"), []string{"true ouch true", "again"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

// TestFilter runs the filter as the kernel would, on all numbers there are.
func TestFilter(t *testing.T) {
	for _, p := range []Policy{{}, {Datagrams: true}, {Datagrams: true, Streams: true}} {
		code, err := p.program()
		if err != nil {
			t.Fatal(err)
		}
		table := map[uint32]verdict{}
		for _, c := range slices.Concat(commonCalls[:], calls[:]) {
			table[c.number] = c.verdict
		}
		if p.Datagrams {
			for _, c := range socketCalls {
				table[c.number] = c.verdict
			}
		}
		const no, yes, unknown = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM), unix.SECCOMP_RET_ALLOW, unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
		for n := range uint32(lastCall + 1000) {
			want := uint32(no)
			v, known := table[n]
			switch {
			case v == allow || v == noExec:
				want = yes
			case v == newer || !known && n > lastCall:
				want = unknown
			}
			if got, _ := simulate(t, code, seccompData{number: int32(n), arch: auditArch}); got != want {
				t.Errorf("%+v: call %d: %#x, want %#x", p, n, got, want)
			}
		}
		for name, arch := range map[string]uint32{"386": unix.AUDIT_ARCH_I386, "sparc": unix.AUDIT_ARCH_SPARC} {
			if got, _ := simulate(t, code, seccompData{number: unix.SYS_READ, arch: arch}); arch != auditArch && got != no {
				t.Errorf("calls of %s: %#x", name, got)
			}
		}
		longest := 0
		for n := range uint32(lastCall + 1) {
			_, steps := simulate(t, code, seccompData{number: int32(n), arch: auditArch})
			longest = max(longest, steps)
		}
		if longest > 16 {
			t.Errorf("%d instructions for a call", longest)
		}
		t.Logf("%+v: %d instructions, at most %d for a call", p, len(code), longest)
	}
}

// simulate is classic BPF, as far as filters here have it.
func simulate(t *testing.T, code []unix.SockFilter, d seccompData) (result uint32, steps int) {
	t.Helper()
	var a uint32
	for pc := 0; pc < len(code); pc++ {
		steps++
		in := code[pc]
		jump := func(ok bool) {
			if ok {
				pc += int(in.Jt)
			} else {
				pc += int(in.Jf)
			}
		}
		switch in.Code {
		case unix.BPF_LD | unix.BPF_W | unix.BPF_ABS:
			switch in.K {
			case 0:
				a = uint32(d.number)
			case 4:
				a = d.arch
			default:
				a = uint32(d.arguments[(in.K-16)/8])
			}
		case unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K:
			jump(a == in.K)
		case unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K:
			jump(a >= in.K)
		case unix.BPF_JMP | unix.BPF_JGT | unix.BPF_K:
			jump(a > in.K)
		case unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K:
			jump(a&in.K != 0)
		case unix.BPF_ALU | unix.BPF_AND | unix.BPF_K:
			a &= in.K
		case unix.BPF_RET | unix.BPF_K:
			return in.K, steps
		default:
			t.Fatalf("instruction %#x", in.Code)
		}
	}
	t.Fatal("no verdict")
	return 0, 0
}
