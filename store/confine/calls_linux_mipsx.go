//go:build linux && (mips || mipsle)

package confine

import "golang.org/x/sys/unix"

// bigEndian is whether the low half of an argument comes last.
const bigEndian = auditArch == unix.AUDIT_ARCH_MIPS

// lastCall is the highest number of package unix.
const lastCall = unix.SYS_RSEQ_SLICE_YIELD

// calls are the calls that are allowed beside commonCalls.
var calls = [...]call{
	{unix.SYS_ACCESS, allow},
	{unix.SYS_PIPE, allow},
	{unix.SYS_MMAP, noExec},
	{unix.SYS_SOCKETCALL, multi},
	{unix.SYS_SIGRETURN, allow},
	{unix.SYS__LLSEEK, allow},
	{unix.SYS_CACHEFLUSH, allow},
	{unix.SYS_RECV, allow},
	{unix.SYS_SEND, allow},
	{unix.SYS_MMAP2, noExec},
	{unix.SYS_FTRUNCATE64, allow},
	{unix.SYS_FSTAT64, allow},
	{unix.SYS_FCNTL64, allow},
	{unix.SYS_SENDFILE64, allow},
	{unix.SYS_FADVISE64, allow},
	{unix.SYS_FSTATFS64, allow},
	{unix.SYS_SET_THREAD_AREA, allow},
	{unix.SYS_FSTATAT64, allow},
	{unix.SYS_RENAMEAT, allow},
	{unix.SYS_CLOCK_GETTIME64, allow},
	{unix.SYS_CLOCK_NANOSLEEP_TIME64, allow},
	{unix.SYS_UTIMENSAT_TIME64, allow},
	{unix.SYS_FUTEX_TIME64, allow},
}
