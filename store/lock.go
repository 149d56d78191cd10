package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// This file is the only place that locks: flock(2) on .Radicale.lock, shared
// for readers and exclusive for writers, which is how every Radicale that
// works on the folder does it. The lock file is never removed. Whoever has
// taken the lock opens the folder that it is about before looking at it: that
// makes an NFS client forget what it thinks to know of the folder.

// lock is the storage lock held.
type lock struct{ fd int }

func (l lock) release() {
	if l.fd >= 0 {
		unix.Close(l.fd)
	}
}

// lock takes the lock; how is LOCK_SH or LOCK_EX. A reader of a folder that
// it may not write to, and where nobody made a lock file, goes without.
func (s *Store) lock(ctx context.Context, how int) (lock, error) {
	fd, err := s.openLock()
	if errors.Is(err, unix.ENOENT) && how == unix.LOCK_SH {
		return lock{-1}, nil
	}
	if err != nil {
		return lock{-1}, err
	}
	switch err := flock(fd, how|unix.LOCK_NB); err {
	case nil:
		return lock{fd}, nil
	case unix.EWOULDBLOCK:
		return s.waitLock(ctx, fd, how)
	default:
		unix.Close(fd)
		return lock{-1}, pathError("flock", lockName, err)
	}
}

// openLock opens the lock file, making it when missing; ENOENT says that it
// cannot be made.
func (s *Store) openLock() (fd int, err error) {
	err = unix.EROFS
	if !s.readOnly {
		fd, err = s.folder.open(lockName, unix.O_RDWR|unix.O_CREAT)
	}
	if err != nil && unwritable(err) {
		fd, err = s.folder.open(lockName, unix.O_RDONLY)
	}
	return fd, err
}

// waitLock waits in the kernel's queue, so that those who came first are
// served first. When it gives up, the descriptor goes to the waiting goroutine,
// which closes it as soon as the kernel lets it.
func (s *Store) waitLock(ctx context.Context, fd, how int) (lock, error) {
	timer := time.NewTimer(s.LockTimeout)
	defer timer.Stop()
	got := make(chan error)
	gone := make(chan struct{})
	go func() {
		err := flock(fd, how)
		select {
		case got <- err:
		case <-gone:
			unix.Close(fd)
		}
	}()
	select {
	case err := <-got:
		if err != nil {
			unix.Close(fd)
			return lock{-1}, pathError("flock", lockName, err)
		}
		return lock{fd}, nil
	case <-timer.C:
		close(gone)
		return lock{-1}, fmt.Errorf("%w for %v", ErrLocked, s.LockTimeout)
	case <-ctx.Done():
		close(gone)
		return lock{-1}, ctx.Err()
	}
}

func flock(fd, how int) error {
	return retry(func() error { return unix.Flock(fd, how) })
}

// unwritable reports whether err says that the disk is not to be written to,
// be it for want of a right or of room, while it can still be read.
func unwritable(err error) bool {
	for _, errno := range [...]unix.Errno{unix.EROFS, unix.EACCES, unix.EPERM, unix.ENOSPC, unix.EDQUOT} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}
