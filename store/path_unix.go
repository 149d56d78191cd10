//go:build unix && !linux

package store

import (
	"errors"

	"golang.org/x/sys/unix"
)

// errNoResolver: os.Root has to resolve.
var errNoResolver = errors.New("no openat2")

func openResolving(string) (dir, error) { return noDir, errNoResolver }

func resolveBeneath(dir, string, int) (int, error) { return -1, unix.ENOSYS }
