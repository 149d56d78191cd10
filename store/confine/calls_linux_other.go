//go:build linux && !(amd64 || arm64 || riscv64 || 386 || arm || mips || mipsle)

package confine

// There is no table for this machine.
const (
	auditArch = 0
	bigEndian = false
	lastCall  = 0
)

var commonCalls, calls, socketCalls []call
