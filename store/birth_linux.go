package store

import (
	"time"

	"golang.org/x/sys/unix"
)

// birth returns when a folder was made; false where the file system or the
// kernel does not remember it.
func (d dir) birth() (time.Time, bool) {
	var st unix.Statx_t
	err := retry(func() error {
		return unix.Statx(int(d), "", unix.AT_EMPTY_PATH|unix.AT_STATX_DONT_SYNC, unix.STATX_BTIME, &st)
	})
	if err != nil || st.Mask&unix.STATX_BTIME == 0 {
		return time.Time{}, false
	}
	return time.Unix(st.Btime.Sec, int64(st.Btime.Nsec)), true
}
