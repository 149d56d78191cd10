package confine

import "golang.org/x/sys/unix"

const (
	auditArch = unix.AUDIT_ARCH_I386
	// bigEndian is whether the low half of an argument comes last.
	bigEndian = false
)

// lastCall is the highest number of package unix.
const lastCall = unix.SYS_RSEQ_SLICE_YIELD

// calls are the calls that are allowed beside commonCalls.
var calls = [...]call{
	{unix.SYS_OPEN, allow},
	{unix.SYS_UNLINK, allow},
	{unix.SYS_TIME, allow},
	{unix.SYS_ACCESS, allow},
	{unix.SYS_RENAME, allow},
	{unix.SYS_MKDIR, allow},
	{unix.SYS_GETTIMEOFDAY, allow},
	{unix.SYS_SOCKETCALL, multi},
	{unix.SYS_SIGRETURN, allow},
	{unix.SYS_MODIFY_LDT, allow},
	{unix.SYS__LLSEEK, allow},
	{unix.SYS_MMAP2, noExec},
	{unix.SYS_FTRUNCATE64, allow},
	{unix.SYS_STAT64, allow},
	{unix.SYS_FSTAT64, allow},
	{unix.SYS_GETUID32, allow},
	{unix.SYS_GETGID32, allow},
	{unix.SYS_GETEUID32, allow},
	{unix.SYS_GETEGID32, allow},
	{unix.SYS_FCNTL64, allow},
	{unix.SYS_SENDFILE64, allow},
	{unix.SYS_SET_THREAD_AREA, allow},
	{unix.SYS_FADVISE64, allow},
	{unix.SYS_EPOLL_WAIT, allow},
	{unix.SYS_FSTATFS64, allow},
	{unix.SYS_FADVISE64_64, allow},
	{unix.SYS_FSTATAT64, allow},
	{unix.SYS_RENAMEAT, allow},
	{unix.SYS_CLOCK_GETTIME64, allow},
	{unix.SYS_CLOCK_NANOSLEEP_TIME64, allow},
	{unix.SYS_UTIMENSAT_TIME64, allow},
	{unix.SYS_FUTEX_TIME64, allow},
}
