package store

import (
	"cmp"
	"errors"
	"io/fs"
	"slices"

	"golang.org/x/sys/unix"

	"inetdav/store/confine"
)

// This file bounds what the kernel opens during a request to what the request's
// user can reach (package confine): his homes, that is folders just below the
// root, and the links in them, which are the administrator's word that he may go
// there. Of the root itself the names are seen, and its properties.
//
// What belongs to all users is done outside, where Confined was called: the list of
// write locks, the hook, and the making and removing of homes.

// bounds are those of the requests of one user.
type bounds struct {
	thread *confine.Thread
	homes  []string
	states []fileStat // of the root and of each home: zero where there is none
	inside bool       // f of Confined is running
}

// Confined runs f, during which only these folders just below the root can be
// reached, if Options.Confine says so. What f begins ends with it. The error is
// that of f, or of the kernel.
func (s *Store) Confined(homes []string, f func() error) error {
	if s.Confine == nil || s.root.std != nil {
		return f()
	}
	if err := s.bound(homes); err != nil {
		return pathError("confine", rootName, err)
	}
	var err error
	s.enter()
	defer s.leave()
	s.bounds.thread.Do(func() { err = f() })
	return err
}

// enter says that f of Confined begins, or goes on, leave that it has ended or
// waits for what is done outside.
func (s *Store) enter() {
	s.bounds.inside, s.root.outside = true, s.bounds.thread.Outside
	if s.cache != nil {
		s.cache.outside = s.bounds.thread.Outside
	}
}

func (s *Store) leave() {
	s.bounds.inside, s.root.outside = false, nil
	if s.cache != nil {
		s.cache.outside = nil
	}
}

// outside runs f without bounds.
func (s *Store) outside(f func() error) (err error) {
	if !s.bounds.inside {
		return f()
	}
	s.bounds.thread.Outside(func() {
		s.leave()
		defer s.enter()
		err = f()
	})
	return err
}

// outsideFor is outside for what changes a home as a whole, else nothing but f:
// a home is a name in the root, where nobody has rights of his own.
func (s *Store) outsideFor(path string, f func() error) error {
	if collection, _ := splitPath(path); collection != "" {
		return f()
	}
	return s.outside(f)
}

// bound makes a thread for the homes, if the last one is for others or if one of
// them is another folder by now, or has another link.
func (s *Store) bound(homes []string) error {
	b := &s.bounds
	states := make([]fileStat, 1, 1+len(homes))
	var err error
	if states[0], err = fstat(int(s.root.dir)); err != nil {
		return err
	}
	for _, home := range homes {
		var st unix.Stat_t
		if err := retry(func() error { return unix.Fstatat(int(s.root.dir), home, &st, 0) }); err != nil {
			st = unix.Stat_t{}
		}
		states = append(states, newFileStat(&st))
	}
	if b.thread != nil && slices.Equal(b.homes, homes) && slices.Equal(b.states, states) {
		return nil
	}
	s.unbound()
	var rules []confine.Rule
	defer func() {
		for _, r := range rules {
			unix.Close(r.FD)
		}
	}()
	add := func(fd int, write bool, err error) error {
		switch {
		case err == nil:
			rules = append(rules, confine.Rule{FD: fd, Write: write})
		case !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) && !errors.Is(err, unix.ENOTDIR):
			return err
		}
		return nil
	}
	fd, err := s.openLock()
	if err = add(fd, true, err); err != nil {
		return err
	}
	for _, name := range [...]string{propsName, deadPropsName, radicaleCache} {
		fd, err := dir(s.root.dir).open(name, unix.O_RDONLY)
		if err := add(fd, name == radicaleCache, err); err != nil {
			return err
		}
	}
	for _, home := range homes {
		fd, err := s.root.open(home, unix.O_RDONLY)
		if err := add(fd, true, err); err != nil {
			return err
		}
		if err == nil {
			err = s.eachLink(home, dir(fd), func(path string) error {
				fd, err := s.root.open(path, unix.O_RDONLY)
				return add(fd, true, err)
			})
		}
		if err == nil && s.cache != nil {
			var d dir
			d, err = s.cache.mkdirAll(home, dirPermission, s.FolderUmask)
			if err := add(int(d), true, err); err != nil {
				return err
			}
		}
	}
	b.thread, err = confine.Start(*s.Confine, rules)
	b.homes, b.states = slices.Clone(homes), states
	return err
}

// eachLink calls f with the paths of the symbolic links in a home.
func (s *Store) eachLink(home string, d dir, f func(path string) error) error {
	var first error
	err := d.eachName(func(name string) {
		if first == nil && listable(name) {
			if st, err := d.stat(name); err == nil && st.isLink() {
				first = f(joinPath(home, name))
			}
		}
	})
	return cmp.Or(err, first)
}

// unbound ends the thread.
func (s *Store) unbound() {
	if s.bounds.thread != nil {
		s.bounds.thread.Stop()
		s.bounds.thread = nil
	}
}
