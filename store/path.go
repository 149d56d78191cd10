package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// This file is the only place where a name becomes a path.
//
// A path is resolved below a root by the kernel (openat2, RESOLVE_BENEATH), or
// by os.Root where the kernel cannot. Symbolic links are followed as long as
// they stay inside the root, since symlinked collections are Radicale's way of
// sharing; a link that leaves it is outsideError.

// outsideError: a link leads out of the storage folder. It is an fs.ErrPermission.
type outsideError struct{}

func (outsideError) Error() string        { return "link leads out of the storage folder" }
func (outsideError) Is(target error) bool { return target == fs.ErrPermission }

// CheckName tells whether name may be a segment of a path: not empty, no
// slash, no NUL, not beginning with a dot, not ending with a tilde, at most
// 255 bytes. The error is ErrName.
func CheckName(name string) error {
	if name == "" || len(name) > maxName || name[0] == '.' || name[len(name)-1] == '~' ||
		strings.ContainsAny(name, "/\x00") {
		return fmt.Errorf("%w: %q", ErrName, name)
	}
	return nil
}

// checkPath tells whether all segments of path are allowed; "" is the root.
func checkPath(path string) error {
	if path == "" {
		return nil
	}
	if len(path) > maxPath || strings.Count(path, "/") >= maxDepth {
		return fmt.Errorf("%w: path too long", ErrName)
	}
	for name := range strings.SplitSeq(path, "/") {
		if err := CheckName(name); err != nil {
			return err
		}
	}
	return nil
}

// splitPath returns the path of the collection and the name in it.
func splitPath(path string) (collection, name string) {
	i := strings.LastIndexByte(path, '/')
	if i < 0 {
		return "", path
	}
	return path[:i], path[i+1:]
}

func joinPath(collection, name string) string {
	if collection == "" {
		return name
	}
	return collection + "/" + name
}

// root is a folder below which paths are resolved.
type root struct {
	dir
	path string   // absolute
	std  *os.Root // resolves where the kernel cannot; else nil

	leaves bool // links may lead out (Options.FollowLinks)

	// outside runs a function where the root itself may be opened, while
	// Confined bounds who asks; else nil.
	outside func(func())
}

// openRoot opens the folder at path, which has to exist.
func openRoot(path string) (*root, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	r := &root{path: path}
	if r.dir, err = openResolving(path); err == errNoResolver {
		if r.std, err = os.OpenRoot(path); err != nil {
			return nil, err
		}
		r.dir, err = r.dupOpen(".", unix.O_RDONLY|unix.O_DIRECTORY)
	}
	if err != nil {
		return nil, pathError("open", path, err)
	}
	return r, nil
}

func (r *root) close() {
	r.dir.close()
	if r.std != nil {
		r.std.Close()
	}
}

// open opens what is at path without creating it; "" is the root itself.
func (r *root) open(path string, flags int) (int, error) {
	if path == "" {
		path = "."
	}
	flags |= unix.O_NONBLOCK | unix.O_CLOEXEC
	if path == "." && r.outside != nil {
		var fd int
		var err error
		r.outside(func() { fd, err = r.resolve(path, flags) })
		return fd, pathError("open", path, err)
	}
	fd, err := r.resolve(path, flags)
	if err == unix.EXDEV {
		// An absolute link, or one that goes out and comes back in. Where it
		// ends is only a guess until the kernel has resolved that again.
		if inside, ok := r.follow(path); ok {
			fd, err = r.resolve(inside, flags)
		}
		if err == unix.EXDEV && r.leaves {
			// Names have been checked: only a link of the administrator's
			// leads out.
			err = retry(func() error { fd, err = unix.Openat(int(r.dir), path, flags, 0); return err })
		}
		if err == unix.EXDEV {
			err = outsideError{}
		}
	}
	if err == unix.EACCES && r.outside != nil {
		return fd, pathError("open, within the homes of the user,", path, err)
	}
	return fd, pathError("open", path, err)
}

func (r *root) openDir(path string) (dir, error) {
	fd, err := r.open(path, unix.O_RDONLY|unix.O_DIRECTORY)
	return dir(fd), err
}

// resolve opens path, following only links that stay inside the root; EXDEV
// says that one does not.
func (r *root) resolve(path string, flags int) (int, error) {
	if r.std == nil {
		return resolveBeneath(r.dir, path, flags)
	}
	d, err := r.dupOpen(path, flags)
	return int(d), err
}

// dupOpen opens path with os.Root and returns a descriptor of its own.
func (r *root) dupOpen(path string, flags int) (dir, error) {
	f, err := r.std.OpenFile(path, flags, 0)
	if err != nil {
		var errno unix.Errno
		if errors.As(err, &errno) {
			return noDir, errno
		}
		return noDir, unix.EXDEV
	}
	defer f.Close()
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	return dir(fd), err
}

// follow returns where path leads when links may leave the root on the way.
func (r *root) follow(path string) (inside string, ok bool) {
	base, err := filepath.EvalSymlinks(r.path)
	if err != nil {
		return "", false
	}
	target, err := filepath.EvalSymlinks(filepath.Join(r.path, path))
	if err != nil {
		return "", false
	}
	inside, err = filepath.Rel(base, target)
	return inside, err == nil && filepath.IsLocal(inside)
}

// mkdirAll makes the folder at path and its parents, and opens it. Its own
// permission is perm, that of its parents dirPermission, both less the umask.
func (r *root) mkdirAll(path string, perm uint32, umask int) (dir, error) {
	d, err := r.openDir(path)
	if path == "" || !errors.Is(err, fs.ErrNotExist) {
		return d, err
	}
	parent, name := splitPath(path)
	p, err := r.mkdirAll(parent, dirPermission, umask)
	if err != nil {
		return noDir, err
	}
	defer p.close()
	if err := p.mkdir(name, perm, umask); err != nil && !errors.Is(err, fs.ErrExist) {
		return noDir, err
	}
	return p.openDir(name)
}

// folder is a collection's folder, open.
type folder struct {
	dir
	root *root
	path string
}

func (r *root) openFolder(path string) (*folder, error) {
	if err := checkPath(path); err != nil {
		return nil, err
	}
	d, err := r.openDir(path)
	if err != nil {
		return nil, err
	}
	return &folder{dir: d, root: r, path: path}, nil
}

// openMember opens a regular file of the folder for reading. What is no
// regular file is ErrKind.
func (f *folder) openMember(name string) (file, fileStat, error) {
	fd, err := f.open(name, unix.O_RDONLY)
	if errors.Is(err, errIsLink) {
		fd, err = f.root.open(joinPath(f.path, name), unix.O_RDONLY)
	}
	if errors.Is(err, unix.ENXIO) { // a socket
		return -1, fileStat{}, pathError("open", name, ErrKind)
	}
	if err != nil {
		return -1, fileStat{}, err
	}
	st, err := fstat(fd)
	if err == nil && !st.isRegular() {
		err = pathError("open", name, ErrKind)
	}
	if err != nil {
		unix.Close(fd)
		return -1, st, err
	}
	return file(fd), st, nil
}

// statMember is stat, but follows a link inside the root.
func (f *folder) statMember(name string) (fileStat, error) {
	st, err := f.stat(name)
	if err != nil || !st.isLink() {
		return st, err
	}
	fd, err := f.root.open(joinPath(f.path, name), unix.O_RDONLY)
	if err != nil {
		return st, err
	}
	defer unix.Close(fd)
	return fstat(fd)
}

// listable reports whether a name found in a folder may be a resource's.
func listable(name string) bool { return name[0] != '.' && name[len(name)-1] != '~' }
