//go:build unix && !linux

package main

import (
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// descriptorFolder lists the process's open descriptors.
const descriptorFolder = "/dev/fd"

// dup2 makes to lead where from leads, also over an exec.
func dup2(from, to int) error { return unix.Dup2(from, to) }

// setUserTimeout does nothing here: the option is Linux's, deadlines hold
// without it.
func setUserTimeout(net.Conn, time.Duration) {}
