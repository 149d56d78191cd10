package confine

import (
	"errors"
	"os"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

// This file makes the filter of system calls (seccomp(2)). The kernel runs it for
// each call, but remembers which numbers it allows whatever their arguments are; and
// it is read through once for each of them, when a process starts. So it is a
// balanced tree of comparisons over ranges of numbers, not a list.

// A verdict on a range of numbers.
type verdict uint8

const (
	deny verdict = iota // EPERM
	allow
	newer   // ENOSYS: than the tables, or clone3(2), whose flags are in memory; callers then do it in another way
	thread  // clone(2), of threads only
	noExec  // mmap(2) and mprotect(2), not of executable memory
	names   // prctl(2), of names of memory, which the runtime gives
	own     // tgkill(2), of threads of this process
	sockets // socket(2), of Unix sockets of the types that Policy allows
	multi   // socketcall(2), of 386, likewise
)

// A call is a row of a machine's table. What is in no row is denied.
type call struct {
	number  uint32
	verdict verdict
}

// A span is from its first number to the next span's.
type span struct {
	first   uint32
	verdict verdict
}

// errNoTable: nobody has made a table for this machine.
var errNoTable = errors.New("no table for this machine")

// filter makes the filter of the calling thread, with SECCOMP_FILTER_FLAG_TSYNC of
// all threads.
func filter(p Policy, flags uintptr) error {
	program, err := p.program()
	if err != nil {
		return err
	}
	prog := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	// Speculation is bounded for who runs strangers' code; Linux before 5.16 would
	// slow this process, too, but for this flag, and before 4.17 it knows none.
	for _, more := range [...]uintptr{unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW, 0} {
		r, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags|more, uintptr(unsafe.Pointer(&prog)))
		switch {
		case errno == unix.EINVAL && more != 0:
			continue
		case errno != 0:
			return os.NewSyscallError("seccomp", errno)
		case r != 0:
			return errors.New("a thread has a filter of its own")
		}
		return nil
	}
	return unix.EINVAL
}

// spans are the table's, in order. What is above the last number that the tables
// of package unix know is newer.
func (p Policy) spans() []span {
	table := slices.Concat(commonCalls[:], calls[:])
	if p.Datagrams || p.Streams {
		table = append(table, socketCalls[:]...)
	}
	slices.SortFunc(table, func(a, b call) int { return int(a.number) - int(b.number) })
	spans := []span{{0, deny}}
	next := func(n uint32, v verdict) {
		last := &spans[len(spans)-1]
		switch {
		case last.first == n:
			last.verdict = v
		case last.verdict != v:
			spans = append(spans, span{n, v})
		}
	}
	known := true
	for _, c := range table {
		if known && c.number > lastCall { // those of one machine alone, far above
			next(lastCall+1, newer)
			known = false
		}
		next(c.number, c.verdict)
		next(c.number+1, deny)
	}
	if known {
		next(lastCall+1, newer)
	}
	return spans
}

// program assembles the filter.
func (p Policy) program() ([]unix.SockFilter, error) {
	if len(calls) == 0 {
		return nil, errNoTable
	}
	a := assembler{p: p, code: make([]unix.SockFilter, 0, 256)}
	// The numbers are those of one machine: another's, as 386's on amd64, mean other
	// calls. (Those of x32 are above all others.)
	a.load(unsafe.Offsetof(seccompData{}.arch))
	a.unless(unix.BPF_JEQ, auditArch, deny)
	a.load(unsafe.Offsetof(seccompData{}.number))
	a.tree(p.spans())
	a.close()
	return a.code, a.err
}

// seccompData is what a filter is run on.
type seccompData struct {
	number      int32
	arch        uint32
	instruction uint64
	arguments   [6]uint64
}

type assembler struct {
	p    Policy
	code []unix.SockFilter
	open []exit
	err  error
}

func (a *assembler) emit(code uint16, jt, jf uint8, k uint32) {
	a.code = append(a.code, unix.SockFilter{Code: code, Jt: jt, Jf: jf, K: k})
}

func (a *assembler) load(offset uintptr) {
	a.emit(unix.BPF_LD|unix.BPF_W|unix.BPF_ABS, 0, 0, uint32(offset))
}

// argument loads the low half of an argument.
func (a *assembler) argument(i int) {
	offset := unsafe.Offsetof(seccompData{}.arguments) + 8*uintptr(i)
	if bigEndian {
		offset += 4
	}
	a.load(offset)
}

// unless gives the verdict if what is loaded does not compare.
func (a *assembler) unless(compare uint16, k uint32, v verdict) {
	a.emit(unix.BPF_JMP|compare|unix.BPF_K, 1, 0, k)
	a.give(v)
}

// tree finds the span of the number that is loaded, of two or more. What follows is
// left open: see close.
func (a *assembler) tree(spans []span) {
	half := len(spans) / 2
	at := len(a.code)
	a.emit(unix.BPF_JMP|unix.BPF_JGE|unix.BPF_K, 0, 0, spans[half].first)
	less, more := spans[:half], spans[half:]
	if len(less) == 1 {
		a.open = append(a.open, exit{at, false, less[0].verdict})
	} else {
		a.tree(less)
	}
	if len(more) == 1 {
		a.open = append(a.open, exit{at, true, more[0].verdict})
		return
	}
	a.code[at].Jt = a.distance(at)
	a.tree(more)
}

// An exit is where a comparison has found the span: the one side of it, or the
// other.
type exit struct {
	at      int
	more    bool
	verdict verdict
}

// close adds what is done for each verdict, once, and leads there.
func (a *assembler) close() {
	for v := deny; v <= multi; v++ {
		used := false
		for _, e := range a.open {
			switch {
			case e.verdict != v:
				continue
			case e.more:
				a.code[e.at].Jt = a.distance(e.at)
			default:
				a.code[e.at].Jf = a.distance(e.at)
			}
			used = true
		}
		if used {
			a.leaf(v)
		}
	}
}

// distance is how far it is from a comparison to what comes next.
func (a *assembler) distance(at int) uint8 {
	n := len(a.code) - at - 1
	if n > 255 {
		a.err = errors.New("the filter is too long")
	}
	return uint8(n)
}

// leaf decides a call by its arguments, where the number does not say all.
func (a *assembler) leaf(v verdict) {
	switch v {
	case thread:
		a.argument(0)
		a.unless(unix.BPF_JSET, unix.CLONE_THREAD, deny)
	case noExec:
		a.argument(2)
		a.emit(unix.BPF_JMP|unix.BPF_JSET|unix.BPF_K, 0, 1, unix.PROT_EXEC)
		a.give(deny)
	case names:
		a.argument(0)
		a.unless(unix.BPF_JEQ, unix.PR_SET_VMA, deny)
	case own:
		a.argument(0)
		a.unless(unix.BPF_JEQ, uint32(os.Getpid()), deny)
	case sockets:
		a.argument(0)
		a.unless(unix.BPF_JEQ, unix.AF_UNIX, deny)
		a.argument(1)
		a.emit(unix.BPF_ALU|unix.BPF_AND|unix.BPF_K, 0, 0, socketType)
		if a.p.Streams {
			a.emit(unix.BPF_JMP|unix.BPF_JEQ|unix.BPF_K, 0, 1, unix.SOCK_STREAM)
			a.give(allow)
		}
		if a.p.Datagrams {
			a.emit(unix.BPF_JMP|unix.BPF_JEQ|unix.BPF_K, 0, 1, unix.SOCK_DGRAM)
			a.give(allow)
		}
		v = deny
	case multi:
		// The arguments are in memory, where a filter does not look: sockets of any
		// kind, or none.
		a.argument(0)
		if a.p.Datagrams || a.p.Streams {
			for _, n := range [...]uint32{callSocket, callConnect} {
				a.emit(unix.BPF_JMP|unix.BPF_JEQ|unix.BPF_K, 0, 1, n)
				a.give(allow)
			}
		}
		a.unless(unix.BPF_JGE, callGetsockname, deny)
		a.emit(unix.BPF_JMP|unix.BPF_JEQ|unix.BPF_K, 0, 1, callSocketpair)
		a.give(deny)
		a.emit(unix.BPF_JMP|unix.BPF_JGT|unix.BPF_K, 0, 1, callRecvmsg)
		a.give(deny)
	default:
		a.give(v)
		return
	}
	if v != deny {
		v = allow
	}
	a.give(v)
}

// socketType is the part of socket(2)'s second argument that is no flag.
const socketType = 0xf

// Numbers of calls in socketcall(2).
const (
	callSocket      = 1
	callConnect     = 3
	callGetsockname = 6
	callSocketpair  = 8
	callRecvmsg     = 17
)

func (a *assembler) give(v verdict) {
	result := uint32(unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM))
	switch v {
	case allow:
		result = unix.SECCOMP_RET_ALLOW
	case newer:
		result = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
	}
	a.emit(unix.BPF_RET|unix.BPF_K, 0, 0, result)
}
