//go:build darwin || freebsd

package store

import (
	"time"

	"golang.org/x/sys/unix"
)

// birth returns when a folder was made; false where the file system does not
// remember it.
func (d dir) birth() (time.Time, bool) {
	var st unix.Stat_t
	if err := retry(func() error { return unix.Fstat(int(d), &st) }); err != nil || st.Btim.Nano() <= 0 {
		return time.Time{}, false
	}
	return time.Unix(0, st.Btim.Nano()), true
}
