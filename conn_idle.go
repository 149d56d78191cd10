package main

import (
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// This file is about connections on which nothing happens, of which there are
// many more than of others: they give back the memory that the last request
// needed, and where memory is short they end before their time.

const (
	// restAfter is how long a connection is idle before its memory is given
	// back: that takes a collection, which clients who go on at once, and
	// connections that are closed at once, need not pay for.
	restAfter = time.Second

	// memoryEvery is how often an idle connection looks whether memory is
	// short.
	memoryEvery = 5 * time.Second

	// shortPart and shortMost say when memory is short: when less than this
	// part of it, and less than so many kilobytes, could be had.
	shortPart = 16
	shortMost = 64 << 10

	// shortStall is the other sign of it: the part of the last ten seconds, in
	// percent, in which somebody waited for memory (Linux's pressure stall
	// information).
	shortStall = 20
)

// A memoryWatch is where the system says how much memory there is: open files of
// procfs, for a process that is confined opens none any more. Descriptors are -1
// where the system has no such file.
type memoryWatch struct {
	pressure int // of the unit (systemd's memory pressure protocol), else of the machine
	info     int // /proc/meminfo
}

func openMemoryWatch(getenv func(string) string) memoryWatch {
	open := func(name string) int {
		fd, err := unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
		if err != nil {
			return -1
		}
		return fd
	}
	name := getenv("MEMORY_PRESSURE_WATCH")
	if name == os.DevNull { // "do not watch"
		return memoryWatch{-1, -1}
	}
	if name == "" {
		name = "/proc/pressure/memory"
	}
	return memoryWatch{pressure: open(name), info: open("/proc/meminfo")}
}

// short tells whether memory is short, as far as the system says.
func (w memoryWatch) short() bool {
	read := func(fd int) string {
		var b [4096]byte
		n := 0
		if fd >= 0 {
			n, _ = unix.Pread(fd, b[:], 0)
		}
		return string(b[:max(n, 0)])
	}
	return stalled(read(w.pressure)) || scarce(read(w.info))
}

// stalled reads a file of pressure stall information: "some avg10=0.00 ...".
func stalled(text string) bool {
	_, text, ok := strings.Cut(text, "some avg10=")
	text, _, _ = strings.Cut(text, ".")
	n, err := strconv.Atoi(text)
	return ok && err == nil && n >= shortStall
}

// scarce reads /proc/meminfo: "MemAvailable:  123 kB".
func scarce(text string) bool {
	kilobytes := func(key string) int64 {
		_, text, _ := strings.Cut(text, key+":")
		text, _, _ = strings.Cut(strings.TrimLeft(text, " "), " ")
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return -1
		}
		return n
	}
	total, available := kilobytes("MemTotal"), kilobytes("MemAvailable")
	return available >= 0 && total > 0 && available < min(total/shortPart, shortMost)
}

// A rest is what a connection does while it is idle: begin and end are called by
// turns.
type rest struct {
	memory memoryWatch
	leave  func() // closes the connection if it is still idle

	mu    sync.Mutex
	timer *time.Timer // nil until the first rest
	idle  bool
	fresh bool // the memory has not been given back yet
}

func (r *rest) begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.idle, r.fresh = true, true
	if r.timer == nil {
		r.timer = time.AfterFunc(restAfter, r.pass)
	} else {
		r.timer.Reset(restAfter)
	}
}

func (r *rest) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.idle = false
	if r.timer != nil {
		r.timer.Stop()
	}
}

// pass is called by the timer, which may be late: end is what counts.
func (r *rest) pass() {
	r.mu.Lock()
	idle, fresh := r.idle, r.fresh
	r.fresh = false
	r.mu.Unlock()
	if !idle {
		return
	}
	if fresh {
		debug.FreeOSMemory()
	}
	if r.memory.short() {
		r.leave()
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.idle && !r.fresh {
		r.timer.Reset(memoryEvery)
	}
}
