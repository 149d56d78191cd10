package store

import (
	"errors"

	"golang.org/x/sys/unix"
)

// errNoRenameFlags: the file system cannot exchange, or refuse to replace.
var errNoRenameFlags = errors.New("no renameat2")

func renameNoReplace(d int, from string, to int, name string) error {
	return rename2(d, from, to, name, unix.RENAME_NOREPLACE)
}

func renameExchange(d int, from string, to int, name string) error {
	return rename2(d, from, to, name, unix.RENAME_EXCHANGE)
}

func rename2(d int, from string, to int, name string, flags uint) error {
	err := unix.Renameat2(d, from, to, name, flags)
	if err == unix.EINVAL || err == unix.ENOSYS || err == unix.EOPNOTSUPP {
		return errNoRenameFlags
	}
	return err
}

// dataSync makes what was written to f durable, but not its times.
func (f file) dataSync() error {
	return pathError("fdatasync", "file", retry(func() error { return unix.Fdatasync(int(f)) }))
}

// syncTree makes everything durable that was written to the file system of d:
// for many files one call instead of one each.
func (d dir) syncTree() error {
	return pathError("syncfs", "folder", retry(func() error { return unix.Syncfs(int(d)) }))
}
