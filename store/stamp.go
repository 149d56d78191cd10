package store

import (
	"encoding/binary"
	"time"
)

// stamp tells whether a collection's folder was touched since: each file that
// is made, removed or renamed in it sets the folder's times. Only, clocks of
// file systems stand still for some milliseconds, and a second change in the
// same tick leaves no trace. Therefore, after looking or writing, we set the
// folder's mtime ourselves, to a nanosecond that no tick will hit, and if it
// reads back the same, whatever happens next must show: the stamp is exact.
// Where we may not do that, or the file system rounds it, the stamp is exact
// if the folder's last change was long enough ago by then.
type stamp struct {
	ino          uint64
	mtime, ctime int64
	exact        bool
}

func (s *stamp) flag() byte {
	if s.exact {
		return 1
	}
	return 0
}

// append appends the stamp but its flag.
func (s *stamp) append(dst []byte) []byte {
	le := binary.LittleEndian
	dst = le.AppendUint64(dst, s.ino)
	dst = le.AppendUint64(dst, uint64(s.mtime))
	return le.AppendUint64(dst, uint64(s.ctime))
}

func decodeStamp(b []byte, flag byte) stamp {
	le := binary.LittleEndian
	return stamp{
		ino:   le.Uint64(b),
		mtime: int64(le.Uint64(b[8:])),
		ctime: int64(le.Uint64(b[16:])),
		exact: flag == 1,
	}
}

// matches reports whether the folder is in the state that the stamp was made
// of, and surely so.
func (s *stamp) matches(st *fileStat) bool {
	return s.exact && s.ino == st.ino && s.mtime == st.mtime && s.ctime == st.ctime
}

// newStamp makes a stamp of the folder; with touch it sets the time first.
func (d dir) newStamp(touch bool) (stamp, error) {
	now := time.Now()
	if now.Nanosecond()%1000 == 0 { // a clock that counts in microseconds
		now = now.Add(1)
	}
	set := touch && d.setTime(".", now) == nil
	st, err := fstat(int(d))
	if err != nil {
		return stamp{}, err
	}
	s := stamp{ino: st.ino, mtime: st.mtime, ctime: st.ctime}
	s.exact = set && st.mtime == now.UnixNano() || settled(st.mtime, now, racyFolder)
	return s, nil
}

// settled reports whether a change after now must show in a time that reads t,
// with a clock of that granularity; whole seconds mean a clock of racyFile.
func settled(t int64, now time.Time, granularity time.Duration) bool {
	if t%int64(time.Second) == 0 {
		granularity = racyFile
	}
	return now.UnixNano()-t > int64(granularity)
}
