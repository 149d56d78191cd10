package confine

import (
	"errors"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Process confines the process. The error names what could not be had, by
// [errors.Join]; everything else is in force all the same.
func Process(p Policy) error {
	if p.Programs {
		return lack{"process", errors.New("programs are to be started")}
	}
	promises := "stdio rpath wpath cpath fattr flock"
	if p.Datagrams || p.Streams {
		promises += " unix"
	}
	if p.Anywhere {
		err := lack{"unveil", errors.New("links may lead out of the storage folder")}
		return errors.Join(err, named("pledge", unix.PledgePromises(promises)))
	}
	for _, path := range p.Folders {
		if err := unveil(path, "rwc"); err != nil {
			return err
		}
	}
	for _, path := range p.Trees {
		if err := unveil(path, "r"); err != nil {
			return err
		}
	}
	for _, path := range p.Files {
		// A file that is written anew is another one, in the same folder.
		if dir := filepath.Dir(path); filepath.Dir(dir) != "/" {
			path = dir
		}
		if err := unveil(path, "r"); err != nil {
			return err
		}
	}
	if p.Datagrams {
		if err := unveil("/dev/log", "rw"); err != nil {
			return err
		}
	}
	return errors.Join(named("unveil", unix.UnveilBlock()), named("pledge", unix.PledgePromises(promises)))
}

func unveil(path, flags string) error {
	err := unix.Unveil(path, flags)
	if err == unix.ENOENT {
		return nil
	}
	return named("unveil", err)
}

func named(what string, err error) error {
	if err == nil {
		return nil
	}
	return lack{what, err}
}

// run says that no thread has bounds of its own here.
func (t *Thread) run(_ Policy, _ []Rule, ready chan<- error) { ready <- errNone }

// Threads reports whether a Thread can have bounds.
func Threads() bool { return false }
