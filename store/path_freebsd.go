package store

import "golang.org/x/sys/unix"

// errIsLink is what O_NOFOLLOW says about a link.
const errIsLink = unix.EMLINK
