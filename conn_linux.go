package main

import (
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// descriptorFolder lists the process's open descriptors.
const descriptorFolder = "/proc/self/fd"

// dup2 makes to lead where from leads, also over an exec. Not all of Linux's
// architectures have dup2 itself.
func dup2(from, to int) error { return unix.Dup3(from, to, 0) }

// setUserTimeout has the kernel give up the connection when sent data stays
// unacknowledged, or the peer's window closed, for d (RFC 5482; tcp(7)): a peer
// that vanished is noticed long before TCP's own quarter of an hour. Best
// effort: deadlines hold without it.
func setUserTimeout(c net.Conn, d time.Duration) {
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return
	}
	raw.Control(func(fd uintptr) {
		unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(d.Milliseconds()))
	})
}
