//go:build unix && !linux

package store

import (
	"errors"

	"golang.org/x/sys/unix"
)

// errNoRenameFlags: rename can only replace here.
var errNoRenameFlags = errors.New("no renameat2")

func renameNoReplace(int, string, int, string) error { return errNoRenameFlags }

func renameExchange(int, string, int, string) error { return errNoRenameFlags }

func (f file) dataSync() error { return f.sync() }

// syncTree makes the folder and all below it durable.
func (d dir) syncTree() error {
	var first error
	err := d.eachName(func(name string) {
		st, err := d.stat(name)
		if err == nil && st.isDir() {
			var sub dir
			if sub, err = d.openDir(name); err == nil {
				err = sub.syncTree()
				sub.close()
			}
		} else if err == nil {
			var fd int
			if fd, err = d.open(name, unix.O_RDONLY); err == nil {
				err = file(fd).sync()
				file(fd).close()
			}
		}
		if first == nil {
			first = err
		}
	})
	return errors.Join(err, first, d.sync())
}
