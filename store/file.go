package store

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// This file is the system calls on an open folder and on open files. Names
// here are single segments and symbolic links are never followed: that is the
// business of path.go.

// dir is the descriptor of an open folder.
type dir int

// noDir is no folder.
const noDir dir = -1

func (d dir) close() {
	if d >= 0 {
		unix.Close(int(d))
	}
}

// fileStat is what tells one state of a file from another.
type fileStat struct {
	size         int64
	mtime, ctime int64 // Unix nanoseconds
	ino, dev     uint64
	mode         uint32
}

func (st *fileStat) isRegular() bool { return st.mode&unix.S_IFMT == unix.S_IFREG }
func (st *fileStat) isDir() bool     { return st.mode&unix.S_IFMT == unix.S_IFDIR }
func (st *fileStat) isLink() bool    { return st.mode&unix.S_IFMT == unix.S_IFLNK }

// same reports whether nothing hints at a change between the two.
func (st *fileStat) same(o *fileStat) bool {
	return st.size == o.size && st.mtime == o.mtime && st.ctime == o.ctime && st.ino == o.ino
}

func newFileStat(st *unix.Stat_t) fileStat {
	return fileStat{
		size:  st.Size,
		mtime: st.Mtim.Nano(),
		ctime: st.Ctim.Nano(),
		ino:   uint64(st.Ino),
		dev:   uint64(st.Dev),
		mode:  uint32(st.Mode),
	}
}

// pathError gives a system's error its context; nil stays nil.
func pathError(op, name string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: name, Err: err}
}

// retry repeats f as long as a signal interrupts it.
func retry(f func() error) error {
	for {
		if err := f(); err != unix.EINTR {
			return err
		}
	}
}

func fstat(fd int) (fileStat, error) {
	var st unix.Stat_t
	if err := retry(func() error { return unix.Fstat(fd, &st) }); err != nil {
		return fileStat{}, os.NewSyscallError("fstat", err)
	}
	return newFileStat(&st), nil
}

func (d dir) stat(name string) (fileStat, error) {
	var st unix.Stat_t
	err := retry(func() error { return unix.Fstatat(int(d), name, &st, unix.AT_SYMLINK_NOFOLLOW) })
	if err != nil {
		return fileStat{}, pathError("stat", name, err)
	}
	return newFileStat(&st), nil
}

// open opens a file of the folder. A FIFO does not make it wait.
func (d dir) open(name string, flags int) (int, error) {
	fd := -1
	err := retry(func() (err error) {
		fd, err = unix.Openat(int(d), name, flags|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, filePermission)
		return err
	})
	return fd, pathError("open", name, err)
}

func (d dir) openDir(name string) (dir, error) {
	fd, err := d.open(name, unix.O_RDONLY|unix.O_DIRECTORY)
	return dir(fd), err
}

func (d dir) unlink(name string) error {
	return pathError("unlink", name, retry(func() error { return unix.Unlinkat(int(d), name, 0) }))
}

func (d dir) rmdir(name string) error {
	return pathError("rmdir", name, retry(func() error { return unix.Unlinkat(int(d), name, unix.AT_REMOVEDIR) }))
}

// mkdir makes a folder whose permission is perm less the umask given, or less
// the process's own if umask is negative.
func (d dir) mkdir(name string, perm uint32, umask int) error {
	err := retry(func() error { return unix.Mkdirat(int(d), name, perm) })
	if err == nil && umask >= 0 {
		err = unix.Fchmodat(int(d), name, perm&^uint32(umask), 0)
	}
	return pathError("mkdir", name, err)
}

// setTime sets the times of a file, or of the folder itself if
// name is ".".
func (d dir) setTime(name string, t time.Time) error {
	ts, err := unix.TimeToTimespec(t)
	if err != nil {
		return err
	}
	return unix.UtimesNanoAt(int(d), name, []unix.Timespec{ts, ts}, unix.AT_SYMLINK_NOFOLLOW)
}

// eachName calls f with the names in the folder, in the order of the system,
// batch by batch.
func (d dir) eachName(f func(name string)) error {
	fd, err := d.open(".", unix.O_RDONLY|unix.O_DIRECTORY)
	if errors.Is(err, fs.ErrPermission) {
		// The root, where Confined bounds who asks: through the descriptor that
		// he has, which nobody else uses.
		if fd, err = unix.FcntlInt(uintptr(d), unix.F_DUPFD_CLOEXEC, 0); err == nil {
			_, err = unix.Seek(fd, 0, io.SeekStart)
		}
	}
	if err != nil {
		return err
	}
	list := os.NewFile(uintptr(fd), ".")
	defer list.Close()
	for {
		names, err := list.Readdirnames(512)
		for _, name := range names {
			f(name)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// file is the descriptor of an open file.
type file int

func (f file) close() { unix.Close(int(f)) }

func (f file) Read(b []byte) (n int, err error) {
	if len(b) == 0 {
		return 0, nil
	}
	err = retry(func() (err error) { n, err = unix.Read(int(f), b); return err })
	return f.result("read", n, err)
}

func (f file) ReadAt(b []byte, off int64) (n int, err error) {
	for n < len(b) {
		var m int
		err = retry(func() (err error) { m, err = unix.Pread(int(f), b[n:], off+int64(n)); return err })
		if m, err = f.result("pread", m, err); err != nil {
			return n, err
		}
		n += m
	}
	return n, nil
}

// result turns what a read call says into what io.Reader wants.
func (f file) result(op string, n int, err error) (int, error) {
	switch {
	case err != nil:
		return 0, os.NewSyscallError(op, err)
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

func (f file) Write(b []byte) (n int, err error) {
	for n < len(b) {
		var m int
		err = retry(func() (err error) { m, err = unix.Write(int(f), b[n:]); return err })
		if err != nil {
			return n, os.NewSyscallError("write", err)
		}
		n += m
	}
	return n, nil
}

func (f file) WriteAt(b []byte, off int64) (n int, err error) {
	for n < len(b) {
		var m int
		err = retry(func() (err error) { m, err = unix.Pwrite(int(f), b[n:], off+int64(n)); return err })
		if err != nil {
			return n, os.NewSyscallError("pwrite", err)
		}
		n += m
	}
	return n, nil
}

func (f file) truncate(size int64) error {
	return retry(func() error { return unix.Ftruncate(int(f), size) })
}

// readAll reads a file from its start into buf, which grows if it has to. A
// file of more than limit bytes is ErrTooLarge.
func (f file) readAll(buf []byte, size, limit int64) ([]byte, error) {
	if size > limit {
		return buf[:0], ErrTooLarge
	}
	// Room for more than expected: a read that stops where the file ended a moment
	// ago has met its end.
	if int64(cap(buf)) <= size {
		buf = make([]byte, 0, size+512)
	}
	buf = buf[:0]
	for {
		n, err := f.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if err == io.EOF {
			return buf, nil
		}
		if err != nil {
			return buf, err
		}
		if int64(len(buf)) > limit {
			return buf[:0], ErrTooLarge
		}
		if int64(len(buf)) == size && len(buf) < cap(buf) {
			return buf, nil
		}
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
	}
}
