package confine

import "golang.org/x/sys/unix"

const (
	auditArch = unix.AUDIT_ARCH_X86_64
	// bigEndian is whether the low half of an argument comes last.
	bigEndian = false
)

// lastCall is the highest number of package unix.
const lastCall = unix.SYS_RSEQ_SLICE_YIELD

// calls are the calls that are allowed beside commonCalls.
var calls = [...]call{
	{unix.SYS_MMAP, noExec},
	{unix.SYS_ACCESS, allow},
	{unix.SYS_ARCH_PRCTL, allow},
	{unix.SYS_FADVISE64, allow},
	{unix.SYS_NEWFSTATAT, allow},
	{unix.SYS_RENAMEAT, allow},
}
