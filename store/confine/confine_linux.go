package confine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// maxFiles is how many descriptors a process may have, as in radicale@.service.
const maxFiles = 256

// Process confines the process, all of its threads. The error names what could
// not be had, by [errors.Join]; everything else is in force all the same.
func Process(p Policy) error {
	// Nobody else of this user looks into the memory, which holds passwords.
	lacks := []error{named("dumpable", unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0))}
	if p.Programs {
		return errors.Join(append(lacks, lack{"process", errors.New("programs are to be started")})...)
	}
	lacks = append(lacks,
		named("core", limit(unix.RLIMIT_CORE, 0)),
		named("descriptors", limit(unix.RLIMIT_NOFILE, maxFiles)))

	runtime.LockOSThread()
	err := noNewPrivileges()
	if err == nil {
		// Gives its filter to all threads, and no_new_privs with it.
		err = filter(p, unix.SECCOMP_FILTER_FLAG_TSYNC)
	}
	runtime.UnlockOSThread()
	lacks = append(lacks, named("seccomp", err))
	everywhere := syscall.AllThreadsSyscall
	if err != nil {
		if _, _, errno := everywhere(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0); errno != 0 {
			return errors.Join(append(lacks, named("no_new_privs", errno))...)
		}
	}

	err = errors.New("links may lead out of the storage folder")
	if !p.Anywhere {
		err = restrictProcess(p)
	}
	return errors.Join(append(lacks, named("landlock", err))...)
}

func named(what string, err error) error {
	if err == nil {
		return nil
	}
	return lack{what, err}
}

// limit lowers a limit of the process, for good.
func limit(resource int, n uint64) error {
	var now unix.Rlimit
	if err := unix.Prlimit(0, resource, nil, &now); err != nil {
		return err
	}
	n = min(n, now.Max)
	return unix.Prlimit(0, resource, &unix.Rlimit{Cur: n, Max: n}, nil)
}

// noNewPrivileges is for the calling thread.
func noNewPrivileges() error { return unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }

// run is the thread.
func (t *Thread) run(p Policy, rules []Rule, ready chan<- error) {
	// Never unlocked: the thread ends with the goroutine. No other thread
	// comes of it, the runtime has a clean one for that.
	runtime.LockOSThread()
	err := restrictThread(p, rules)
	ready <- err
	if err == nil {
		t.serve()
	}
}

func restrictThread(p Policy, rules []Rule) error {
	if p.Anywhere {
		return errNone
	}
	if p.Programs {
		if err := noNewPrivileges(); err != nil {
			return err
		}
		// Nothing is lost where there is none.
		filter(p, 0)
	}
	r, err := newRuleset(false)
	if err != nil {
		return err
	}
	defer r.close()
	for _, rule := range rules {
		access := readAccess
		if rule.Write {
			access |= writeAccess
		}
		if err := r.add(rule.FD, access); err != nil {
			return err
		}
	}
	if _, _, errno := unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, uintptr(r.fd), 0, 0); errno != 0 {
		return os.NewSyscallError("landlock_restrict_self", errno)
	}
	return nil
}

// Rights of landlock. What is not among them is denied, with all else that the
// kernel knows to deny: devices, FIFOs, sockets and links are not made, nothing is
// executed.
const (
	readAccess  uint64 = unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_READ_DIR
	writeAccess uint64 = unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_TRUNCATE |
		unix.LANDLOCK_ACCESS_FS_MAKE_REG | unix.LANDLOCK_ACCESS_FS_MAKE_DIR |
		unix.LANDLOCK_ACCESS_FS_REMOVE_FILE | unix.LANDLOCK_ACCESS_FS_REMOVE_DIR | unix.LANDLOCK_ACCESS_FS_REFER
	fileAccess uint64 = unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_TRUNCATE
)

// A ruleset is one of landlock's, being made.
type ruleset struct {
	fd      int
	handled uint64
}

// minVersion is the first of landlock's with which a file may be moved from one
// folder to another at all.
const minVersion = 2

// newRuleset begins a ruleset that allows nothing; with all, nothing of the
// network either.
func newRuleset(all bool) (*ruleset, error) {
	version, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		return nil, os.NewSyscallError("landlock_create_ruleset", errno)
	}
	if version < minVersion {
		return nil, fmt.Errorf("version %d, before Linux 5.19", version)
	}
	attr := unix.LandlockRulesetAttr{Handled_access_fs: unix.LANDLOCK_ACCESS_FS_REFER<<1 - 1}
	size := unsafe.Sizeof(attr.Handled_access_fs)
	if version >= 3 {
		attr.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_TRUNCATE
	}
	if version >= 5 {
		attr.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
	}
	if all && version >= 4 {
		attr.Handled_access_net = unix.LANDLOCK_ACCESS_NET_BIND_TCP | unix.LANDLOCK_ACCESS_NET_CONNECT_TCP
		size = unsafe.Offsetof(attr.Scoped)
	}
	if all && version >= 6 {
		attr.Scoped = unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | unix.LANDLOCK_SCOPE_SIGNAL
		size = unsafe.Offsetof(attr.Quiet_access_fs)
	}
	fd, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attr)), size, 0)
	if errno != 0 {
		return nil, os.NewSyscallError("landlock_create_ruleset", errno)
	}
	return &ruleset{int(fd), attr.Handled_access_fs}, nil
}

func (r *ruleset) close() { unix.Close(r.fd) }

// add allows some of the access to what is at fd and below it.
func (r *ruleset) add(fd int, access uint64) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return os.NewSyscallError("fstat", err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		access &= fileAccess
	}
	attr := unix.LandlockPathBeneathAttr{Allowed_access: access & r.handled, Parent_fd: int32(fd)}
	_, _, errno := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(r.fd), unix.LANDLOCK_RULE_PATH_BENEATH, uintptr(unsafe.Pointer(&attr)), 0, 0, 0)
	if errno != 0 {
		return os.NewSyscallError("landlock_add_rule", errno)
	}
	return nil
}

// addPath is add for a path. One that leads nowhere needs nothing.
func (r *ruleset) addPath(path string, access uint64) error {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err == unix.ENOENT || err == unix.ENOTDIR {
		return nil
	}
	if err != nil {
		return &os.PathError{Op: "open", Path: path, Err: err}
	}
	defer unix.Close(fd)
	return r.add(fd, access)
}

func restrictProcess(p Policy) error {
	r, err := newRuleset(true)
	if err != nil {
		return err
	}
	defer r.close()
	for _, path := range p.Folders {
		if err == nil {
			err = r.addPath(path, readAccess|writeAccess)
		}
	}
	for _, path := range p.Trees {
		if err == nil {
			err = r.addPath(path, readAccess)
		}
	}
	for _, path := range p.Files {
		if err == nil {
			err = r.addPath(path, unix.LANDLOCK_ACCESS_FS_READ_FILE)
		}
		// A file that is written anew is another one, in the same folder.
		// (A folder just below / holds too much for that.)
		if dir := filepath.Dir(path); err == nil && filepath.Dir(dir) != "/" {
			err = r.addPath(dir, unix.LANDLOCK_ACCESS_FS_READ_FILE)
		}
	}
	if err != nil {
		return err
	}
	if _, _, errno := syscall.AllThreadsSyscall(unix.SYS_LANDLOCK_RESTRICT_SELF, uintptr(r.fd), 0, 0); errno != 0 {
		return os.NewSyscallError("landlock_restrict_self", errno)
	}
	return nil
}

// Threads reports whether a Thread can have bounds.
func Threads() bool {
	version, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	return errno == 0 && version >= minVersion
}
