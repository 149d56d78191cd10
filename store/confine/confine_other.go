//go:build unix && !linux && !openbsd

package confine

// Process says that there is nothing to confine the process with.
func Process(Policy) error { return lack{"process", errNone} }

// run says that no thread has bounds of its own here.
func (t *Thread) run(_ Policy, _ []Rule, ready chan<- error) { ready <- errNone }

// Threads reports whether a Thread can have bounds.
func Threads() bool { return false }
