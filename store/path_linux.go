package store

import (
	"errors"

	"golang.org/x/sys/unix"
)

// errNoResolver: the kernel cannot resolve beneath a folder (before 5.6), or a
// sandbox hides that it can.
var errNoResolver = errors.New("no openat2")

// errIsLink is what O_NOFOLLOW says about a link.
const errIsLink = unix.ELOOP

// openResolving opens the folder at path, if resolveBeneath works.
func openResolving(path string) (dir, error) {
	how := unix.OpenHow{Flags: unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC}
	fd, err := unix.Openat2(unix.AT_FDCWD, path, &how)
	if err == unix.ENOSYS || err == unix.EPERM {
		err = errNoResolver
	}
	return dir(fd), err
}

// resolveBeneath opens path relative to d, never leaving it.
func resolveBeneath(d dir, path string, flags int) (int, error) {
	how := unix.OpenHow{
		Flags:   uint64(flags) | unix.O_LARGEFILE,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_MAGICLINKS,
	}
	// EAGAIN: something was renamed meanwhile. A neighbour who never stops
	// renaming must not hold us here.
	for range 100 {
		fd, err := unix.Openat2(int(d), path, &how)
		if err != unix.EAGAIN && err != unix.EINTR {
			return fd, err
		}
	}
	return -1, unix.EAGAIN
}
