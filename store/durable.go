package store

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// This file is the only place where something visible changes its name.
//
// A file is made durable so:
//
//	openat(TMP, O_CREAT|O_EXCL)  1
//	write ...                    2
//	utimensat(TMP)               3
//	fsync(TMP)                   4
//	renameat(TMP, NAME)          5
//	fsync(FOLDER)                6
//
// A crash before 5 leaves a temporary file, which nobody lists and which is
// swept when it is tempAge old. After 5 and before 6 there is the old or the
// new file, either of them whole, because 4 came first; nobody has been told
// yet that it is the new one. After 6 it is the new one. A file is removed by
// unlinkat and step 6.
//
// A collection is built in a temporary folder, synced whole, and moved to its
// place with one rename, or exchanged with its predecessor with one renameat2.
// Where the file system cannot exchange, two renames do it: a crash between
// them leaves no collection there, and the old one as a temporary folder.
//
// A failed fsync is a failed write. It is not tried again: the kernel may have
// dropped the pages by then and would say that all is well.

// tempName returns a new name as Radicale's, for files and folders that are
// not yet in place.
func tempName() string {
	const letters = "abcdefghijklmnopqrstuvwxyz012345"
	var b [8]byte
	rand.Read(b[:])
	for i := range b {
		b[i] = letters[b[i]%byte(len(letters))]
	}
	return tempPrefix + string(b[:])
}

// isTemp reports whether name is one of tempName's, or of Radicale's own.
func isTemp(name string) bool {
	return len(name) == len(tempPrefix)+8 && strings.HasPrefix(name, tempPrefix)
}

// createTemp makes a temporary file in d.
func (d dir) createTemp() (file, string, error) {
	for {
		name := tempName()
		fd, err := d.open(name, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL)
		if !errors.Is(err, fs.ErrExist) {
			return file(fd), name, err
		}
	}
}

// makeTemp makes a temporary folder in d.
func (d dir) makeTemp(umask int) (dir, string, error) {
	for {
		name := tempName()
		err := d.mkdir(name, dirPermission, umask)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return noDir, name, err
		}
		made, err := d.openDir(name)
		return made, name, err
	}
}

func (f file) sync() error {
	return pathError("fsync", "file", retry(func() error { return unix.Fsync(int(f)) }))
}

func (d dir) sync() error {
	return pathError("fsync", "folder", retry(func() error { return unix.Fsync(int(d)) }))
}

// rename puts a file or an object in its place; what is there is replaced.
func (d dir) rename(from string, to dir, name string) error {
	return pathError("rename", name, retry(func() error {
		return unix.Renameat(int(d), from, int(to), name)
	}))
}

// writeFile replaces the file called name by what write writes, in a temporary
// file in the same folder. The caller syncs the folder.
func (d dir) writeFile(name string, write func(f file) error) error {
	f, temp, err := d.createTemp()
	if err != nil {
		return err
	}
	defer f.close()
	if err = write(f); err == nil {
		err = f.sync()
	}
	if err == nil {
		err = d.rename(temp, d, name)
	}
	if err != nil {
		d.unlink(temp)
	}
	return err
}

// writeTemp writes b into a new temporary file and syncs it.
func (d dir) writeTemp(b []byte) (name string, err error) {
	f, name, err := d.createTemp()
	if err != nil {
		return name, err
	}
	defer f.close()
	if _, err = f.Write(b); err == nil {
		err = f.sync()
	}
	if err != nil {
		d.unlink(name)
	}
	return name, err
}

// moveFolder gives a folder its place, where nothing may be.
func (d dir) moveFolder(from string, to dir, name string) error {
	err := retry(func() error { return renameNoReplace(int(d), from, int(to), name) })
	if err == errNoRenameFlags {
		// We hold the lock; a stranger's file appearing right now makes the
		// rename fail, and an empty folder of his is no loss.
		if _, err := to.stat(name); err == nil {
			return pathError("rename", name, unix.EEXIST)
		}
		return d.rename(from, to, name)
	}
	return pathError("rename", name, err)
}

// exchange swaps two entries. Where the file system cannot, aside is the
// temporary name that the second one passes through.
func (d dir) exchange(a string, to dir, b string) error {
	err := retry(func() error { return renameExchange(int(d), a, int(to), b) })
	if err != errNoRenameFlags {
		return pathError("rename", b, err)
	}
	aside := tempName()
	if err := to.rename(b, to, aside); err != nil {
		return err
	}
	if err := d.rename(a, to, b); err != nil {
		return errors.Join(err, to.rename(aside, to, b))
	}
	return to.rename(aside, d, a)
}

// removeTree removes the folder called name with all that is in it. Its
// members at depth levels below maxDepth stay, and so does it then.
func (d dir) removeTree(name string, depth int) error {
	if depth > maxDepth {
		return pathError("remove", name, ErrName)
	}
	sub, err := d.openDir(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case errors.Is(err, errIsLink) || errors.Is(err, unix.ENOTDIR):
		return d.unlink(name)
	}
	if err != nil {
		return err
	}
	defer sub.close()
	var first error
	err = sub.eachName(func(member string) {
		st, err := sub.stat(member)
		switch {
		case err != nil:
		case st.isDir():
			err = sub.removeTree(member, depth+1)
		default:
			err = sub.unlink(member)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) && first == nil {
			first = err
		}
	})
	if err == nil {
		err = first
	}
	if err != nil {
		return err
	}
	return d.rmdir(name)
}

// sweep removes leftovers of interrupted writes from d.
func (d dir) sweep(now time.Time) {
	var old []string
	d.eachName(func(name string) {
		if isTemp(name) && len(old) < 64 {
			old = append(old, name)
		}
	})
	for _, name := range old {
		st, err := d.stat(name)
		if err != nil || now.Sub(time.Unix(0, st.mtime)) < tempAge {
			continue
		}
		if st.isDir() {
			d.removeTree(name, 0)
		} else {
			d.unlink(name)
		}
	}
}
