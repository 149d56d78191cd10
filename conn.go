package main

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"inetdav/dav/console"
)

// This file finds the one connection that a super-server left for us and makes
// the process safe for it: conn_serve.go then speaks HTTP on it, conn_log.go is
// where messages go meanwhile.
//
// Two ways of handing over cover every super-server: systemd's protocol
// (LISTEN_PID, LISTEN_FDS, the socket on fd 3; sd_listen_fds(3)) and inetd's
// (the socket on fd 0, mostly on 1 and 2 as well).
//
// Invariant: once inherit has returned, no descriptor 0, 1 or 2 leads to a
// client. A log line, a stack trace or a SIGPIPE there would end up in the
// middle of an answer or kill the process.

// listenFD is the first descriptor of systemd's protocol (SD_LISTEN_FDS_START).
const listenFD = 3

// Exit codes. What a peer does ends in exitDone: super-servers count everything
// else as a failed service. exitRefused is what s6 and daemontools read as "do
// not try again".
const (
	exitDone    = 0
	exitFailed  = 1
	exitUsage   = 2
	exitRefused = 100
)

// errPeerGone says that the peer had reset the connection before we came to it.
// That is the peer's right and no fault: nothing is logged, exit code 0.
var errPeerGone = errors.New("the peer is gone")

// A refusal is a way of being started that cannot work. Its text says what to
// change, in one sentence, to the administrator who set it up.
type refusal string

func (r refusal) Error() string { return string(r) }

// A connection is the accepted connection on which the process lives.
type connection struct {
	// Conn is a bare *net.TCPConn or *net.UnixConn: net/http looks for
	// CloseWrite (without which an early answer is lost in a reset) and
	// ReadFrom (sendfile) on it, so it must not be wrapped.
	net.Conn
	// peer is the client's address for logs: "ip:port", port 0 when unknown,
	// or "unix".
	peer string
	// near tells that the socket's other end is on this machine: a reverse
	// proxy as a rule, which keeps its connections open for longer.
	near bool
	// memory is asked while the connection is idle.
	memory memoryWatch
}

// inherit takes over the connection from the super-server. It moves it away
// from descriptors 0-2, gives these to /dev/null where they are sockets, and
// closes descriptors that leaked in from the super-server. getenv is
// os.Getenv.
//
// The error is a refusal, errPeerGone or an unexpected failure of the system;
// in each case descriptors 0-2 are as safe as after success.
func inherit(getenv func(string) string) (*connection, error) {
	fd, chosen := chooseFD(os.Getpid(), getenv, isSocket(0))

	// Out of the way first of all; whether it is any good comes later.
	moved := -1
	if chosen == nil {
		var err error
		moved, err = unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, listenFD)
		if err != nil {
			chosen = notSocket(fd)
		} else if fd == listenFD {
			unix.Close(fd)
		}
	}
	safe := freeStandard(getenv("JOURNAL_STREAM"))
	if chosen == nil {
		chosen = checkSocket(moved, fd)
	}
	if chosen != nil {
		return nil, chosen
	}
	if safe != nil {
		return nil, safe
	}
	if fd == 0 {
		// systemd leaks nothing; others leave their listening sockets, and
		// socat the other end of its own socket pair, on which no end of
		// file would ever come.
		closeLeaked(moved)
	}

	file := os.NewFile(uintptr(moved), "connection")
	conn, err := net.FileConn(file) // a duplicate, close-on-exec, in the poller
	file.Close()
	if err != nil {
		if isGone(err) {
			return nil, errPeerGone
		}
		return nil, refusal(describeFD(fd) + " is a stream socket of a kind that is not served (" + err.Error() +
			"): listen on TCP or on a unix socket")
	}
	c := &connection{Conn: conn, memory: openMemoryWatch(getenv)}
	c.peer, c.near = peerAddress(conn.RemoteAddr(), getenv)
	return c, nil
}

// chooseFD tells on which descriptor the connection must be, from systemd's
// variables and from whether fd 0 is a socket.
func chooseFD(pid int, getenv func(string) string, inetd bool) (int, error) {
	listenPID, listenFDs := getenv("LISTEN_PID"), getenv("LISTEN_FDS")
	given := listenPID != "" && listenFDs != "" && listenFDs != "0"
	switch {
	case given && listenPID == strconv.Itoa(pid):
		if listenFDs != "1" {
			return 0, refusal("LISTEN_FDS is " + printable(listenFDs) +
				", but one process serves one connection: set Accept=yes in the socket unit (systemd-socket-activate: --accept)")
		}
		return listenFD, nil
	case inetd:
		// Variables for another process are what the super-server itself
		// was started with.
		return 0, nil
	case given:
		return 0, refusal("LISTEN_PID is " + printable(listenPID) + ", but this is process " + strconv.Itoa(pid) +
			": the socket was meant for a parent; start inetdav directly, or with `exec` in the wrapper script")
	}
	return 0, notSocket(0)
}

// notSocket says what fd is instead of a socket, and what to do about it.
func notSocket(fd int) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return refusal(describeFD(fd) + " is closed: a super-server has to leave the accepted connection there" + seeHelp)
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFIFO:
		return refusal(describeFD(fd) + " is a pipe, not a socket: have the super-server hand over the connection itself" +
			" (socat: EXEC without pipes; ncat cannot)")
	case unix.S_IFCHR:
		if console.IsTerminal(fd) {
			return refusal(describeFD(fd) + " is a terminal, not a connection: inetdav is started by a super-server," +
				" once for each connection" + seeHelp)
		}
	}
	return refusal(describeFD(fd) + " is not a socket: inetdav is started by a super-server, once for each connection" + seeHelp)
}

const seeHelp = " (try `inetdav help`)"

// checkSocket tells whether the socket fd is an accepted connection. was is
// the descriptor on which it came, for the wording.
func checkSocket(fd, was int) error {
	kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil {
		return notSocketMoved(fd, was)
	}
	if kind != unix.SOCK_STREAM {
		return refusal(describeFD(was) + " is a datagram socket, but HTTP needs a stream:" +
			" use ListenStream= (systemd), socket_type = stream (xinetd), `stream tcp nowait` (inetd)")
	}
	if listening, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN); err == nil && listening != 0 {
		if was == listenFD {
			return refusal(describeFD(was) + " is a listening socket, but one process serves one accepted connection:" +
				" set Accept=yes in the socket unit (systemd-socket-activate: --accept)")
		}
		return refusal(describeFD(was) + " is a listening socket, but one process serves one accepted connection:" +
			" set wait = no (xinetd) or nowait (inetd)")
	}
	if _, err := unix.Getpeername(fd); isGone(err) {
		return errPeerGone
	}
	return nil
}

// notSocketMoved is notSocket for a descriptor that was moved from was to fd.
func notSocketMoved(fd, was int) error {
	text := notSocket(fd).Error()
	return refusal(describeFD(was) + strings.TrimPrefix(text, describeFD(fd)))
}

// isGone tells whether err is what system calls return on a connection whose
// peer has reset it.
func isGone(err error) bool {
	return errors.Is(err, unix.ENOTCONN) || errors.Is(err, unix.ECONNRESET) ||
		errors.Is(err, unix.EPIPE) || errors.Is(err, unix.ECONNABORTED) || errors.Is(err, unix.EINVAL)
}

// freeStandard makes descriptors 0, 1 and 2 lead to /dev/null where they are
// sockets (the client, as a rule, or another way to it), so that nothing that
// is printed reaches a client. The journal's stream, named by the variable
// JOURNAL_STREAM as "device:inode", is a socket and stays.
func freeStandard(journal string) error {
	null := -1
	for fd := range 3 {
		if !isSocket(fd) || isJournal(fd, journal) {
			continue
		}
		if null < 0 {
			var err error
			null, err = unix.Open(os.DevNull, unix.O_RDWR|unix.O_CLOEXEC, 0)
			if err != nil {
				// Without /dev/null closing is the only way left; whatever
				// is opened next will get the number.
				unix.Close(fd)
				continue
			}
		}
		if err := dup2(null, fd); err != nil {
			return os.NewSyscallError("dup2", err)
		}
	}
	if null > 2 {
		unix.Close(null)
	}
	return nil
}

// closeLeaked closes every descriptor above 2 but keep that would survive an
// exec: the runtime's and our own never do, so these are the super-server's.
func closeLeaked(keep int) {
	for _, fd := range openDescriptors() {
		if fd <= 2 || fd == keep {
			continue
		}
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			unix.Close(fd)
		}
	}
}

// maxProbedFD bounds the search for open descriptors where the system has no
// folder that lists them.
const maxProbedFD = 256

// openDescriptors lists the process's descriptors, more or less: some may be
// closed by the time.
func openDescriptors() []int {
	if dir, err := unix.Open(descriptorFolder, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err == nil {
		defer unix.Close(dir)
		var fds []int
		buf := make([]byte, 2048)
		for {
			n, err := unix.ReadDirent(dir, buf)
			if err != nil || n <= 0 {
				break
			}
			_, _, names := unix.ParseDirent(buf[:n], -1, nil)
			for _, name := range names {
				if fd, err := strconv.Atoi(name); err == nil {
					fds = append(fds, fd)
				}
			}
		}
		if len(fds) > 0 {
			return fds
		}
	}
	fds := make([]int, maxProbedFD)
	for i := range fds {
		fds[i] = i
	}
	return fds
}

// peerAddress gives the client's address for logs and tells whether the other
// end of the socket is on this machine. The socket is right unless it leads to
// a helper (socat's socket pair, stunnel's loopback pair): then the
// super-server's variables know better, and they cannot come from the client.
func peerAddress(addr net.Addr, getenv func(string) string) (peer string, near bool) {
	peer, near = "unix", true
	if tcp, ok := addr.(*net.TCPAddr); ok {
		ap := tcp.AddrPort()
		ip := ap.Addr().Unmap() // a dual-stack socket shows IPv4 peers as ::ffff:1.2.3.4
		peer, near = netip.AddrPortFrom(ip, ap.Port()).String(), ip.IsLoopback()
	}
	if !near {
		return peer, near
	}
	for _, name := range [...][2]string{
		{"REMOTE_ADDR", "REMOTE_PORT"},       // systemd
		{"REMOTE_HOST", "REMOTE_PORT"},       // xinetd (no port), stunnel
		{"TCPREMOTEIP", "TCPREMOTEPORT"},     // tcpserver, ipsvd, s6-networking, inetutils
		{"TCPREMOTEADDR", ""},                // busybox tcpsvd
		{"SOCAT_PEERADDR", "SOCAT_PEERPORT"}, // socat
		{"NCAT_REMOTE_ADDR", "NCAT_REMOTE_PORT"},
	} {
		value := getenv(name[0])
		if value == "" {
			continue
		}
		if ap, err := netip.ParseAddrPort(value); err == nil {
			return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port()).String(), near
		}
		ip, err := netip.ParseAddr(strings.Trim(value, "[]"))
		if err != nil {
			continue // a host name, or nothing that we know
		}
		port, err := strconv.ParseUint(getenv(name[1]), 10, 16)
		if err != nil {
			port = 0
		}
		return netip.AddrPortFrom(ip.Unmap(), uint16(port)).String(), near
	}
	return peer, near
}

// describeFD names a descriptor in messages.
func describeFD(fd int) string {
	if fd == 0 {
		return "standard input"
	}
	return "fd " + strconv.Itoa(fd)
}

func isSocket(fd int) bool {
	var st unix.Stat_t
	return unix.Fstat(fd, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFSOCK
}

// isJournal tells whether fd is the stream that JOURNAL_STREAM names; see
// systemd.exec(5). A variable inherited through another program names some
// other stream.
func isJournal(fd int, journal string) bool {
	if journal == "" {
		return false
	}
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil {
		return false
	}
	return journal == strconv.FormatUint(uint64(st.Dev), 10)+":"+strconv.FormatUint(uint64(st.Ino), 10)
}
