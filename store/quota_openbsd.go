package store

import "golang.org/x/sys/unix"

// Available returns how many bytes may still be stored (RFC 4331, 3): what the
// file system has for this process.
func (s *Store) Available() (int64, error) {
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(s.folder), &st); err != nil {
		return 0, pathError("statfs", "storage folder", err)
	}
	return st.F_bavail * int64(st.F_bsize), nil
}
