// Package confine takes from this process what it does not need: for good, and
// before it has read anything from a stranger.
//
// [Process] is for the process as a whole, all of its threads and those to come.
// What it may do after that:
//
//   - System calls: those that the Go runtime and this program make, by name. No
//     program is started, no socket made, nobody signalled or traced, no memory
//     made executable (seccomp(2); Linux).
//   - Files: the storage folder, the folders of caches and state, which are read
//     and written, and the files that are read again when they change
//     (landlock(7), Linux 5.19 and later; unveil(2), OpenBSD).
//   - Network: the connection that it has. No TCP connection or port is opened
//     (landlock, too, from Linux 6.7), no abstract Unix socket reached (6.12).
//   - No set-user-ID program gives it other rights, no core is written, others of
//     the same user do not trace it.
//
// A [Thread] is for the requests of one user: a thread of its own, on which the
// kernel opens only the files that were named when it was made.
//
// What that means for who finds a mistake in this program: a wrong path, be it by
// a bug in a parser, in the resolution of names or in the rights, is refused by the
// kernel where it leads to the data of somebody else, to the users file or out of
// the storage folder. Who comes as far as to run code of his own in the process is
// stopped by the bounds of the process, not by those of the thread: threads share
// their memory. He reads and writes the storage folder, as all connections could,
// and speaks on the one connection that he has; he starts no program, reaches
// neither the network nor other processes nor files elsewhere, and what he has done
// ends with the process.
//
// What a kernel cannot do is left out and named. A call that is refused fails with
// EPERM, or ENOSYS where it is newer than the tables here: nothing is killed, and
// the Go runtime has another way for each of the new ones.
package confine

import (
	"errors"
	"fmt"
	"runtime/debug"
)

// Policy is what a process needs.
type Policy struct {
	// Folders are read and written, with all that is below them.
	Folders []string
	// Files are read, now or when something else takes their place: so their
	// folders can be read, with all that is below them, unless they are just
	// below /, as /etc is.
	Files []string
	// Trees are folders that are read, with all that is below them.
	Trees []string
	// Datagrams and Streams let Unix sockets of these types be made and
	// connected, for syslog and for inetdav-auth.socket.
	Datagrams, Streams bool
	// Programs says that programs are started, which would inherit everything:
	// then only a Thread is confined.
	Programs bool
	// Anywhere says that files may be anywhere: their paths are not confined.
	Anywhere bool
}

// errNone: there is nothing of the kind on this system.
var errNone = errors.New("not on this system")

// A lack is a part of the confinement that could not be had.
type lack struct {
	what string
	err  error
}

func (l lack) Error() string { return fmt.Sprintf("%s: %v", l.what, l.err) }
func (l lack) Unwrap() error { return l.err }

// A Rule lets what is at an open descriptor be read, and with Write be written,
// with all that is below it.
type Rule struct {
	FD    int
	Write bool
}

// A Thread is a thread of the system, and a goroutine on it, that reaches no files
// but those of its rules. It is for one caller at a time.
type Thread struct {
	work  chan func()
	calls chan func() // for who waits in Do; nil: the work is done
	back  chan struct{}
	panic *Panic
}

// Start makes a thread with these rules, which may be forgotten then.
func Start(p Policy, rules []Rule) (*Thread, error) {
	t := &Thread{work: make(chan func()), calls: make(chan func()), back: make(chan struct{})}
	ready := make(chan error)
	go t.run(p, rules, ready)
	if err := <-ready; err != nil {
		return nil, err
	}
	return t, nil
}

// Do runs f on the thread and waits for it. A panic of f goes on here, as *Panic.
func (t *Thread) Do(f func()) {
	t.work <- f
	for call := range t.calls {
		if call == nil {
			break
		}
		call()
		t.back <- struct{}{}
	}
	if p := t.panic; p != nil {
		t.panic = nil
		panic(p)
	}
}

// Outside runs f where Do was called, without the bounds of the thread. It may be
// called by what Do runs only, and f must not panic.
func (t *Thread) Outside(f func()) {
	t.calls <- f
	<-t.back
}

// Stop ends the thread.
func (t *Thread) Stop() { close(t.work) }

func (t *Thread) serve() {
	for f := range t.work {
		t.one(f)
	}
}

func (t *Thread) one(f func()) {
	defer func() {
		if v := recover(); v != nil {
			t.panic = &Panic{v, debug.Stack()}
		}
		t.calls <- nil
	}()
	f()
}

// A Panic is what went wrong on a Thread, and where.
type Panic struct {
	Value any
	Stack []byte
}

func (p *Panic) Error() string { return fmt.Sprint(p.Value) }

// Unwrap gives the value, if it is an error.
func (p *Panic) Unwrap() error {
	err, _ := p.Value.(error)
	return err
}
