package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"inetdav/store/object"
)

// Verify checks every collection below the folder, writes one line per defect
// and returns their number. It changes nothing, makes nothing, takes the shared
// lock for each collection if somebody has made one, and follows links only
// inside the storage folder.
func Verify(o Options, w io.Writer) (defects int, err error) {
	s := newStore(o)
	s.readOnly = true
	defer s.Close()
	if err := s.openExisting(); err != nil {
		return 0, fmt.Errorf("storage folder: %w", err)
	}
	if s.root == nil {
		return 0, nil // nobody has used it yet
	}
	v := verifier{s: s, w: w}
	// A link to a collection above leads down again: paths have an end.
	pending := []string{""}
	for len(pending) > 0 && v.err == nil {
		path := pending[len(pending)-1]
		below := v.collection(path)
		pending = append(pending[:len(pending)-1], below...)
	}
	return v.defects, v.err
}

// openExisting opens the storage folder as it is. Without a collection-root,
// s.root stays nil.
func (s *Store) openExisting() error {
	base, err := openRoot(s.Folder)
	if err != nil {
		return err
	}
	s.folder, base.dir = base.dir, noDir
	base.close()
	s.root, err = openRoot(filepath.Join(s.Folder, rootName))
	if err == nil && s.CacheFolder != "" {
		s.cache, err = openRoot(filepath.Join(s.CacheFolder, cacheRootName))
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return err
}

type verifier struct {
	s       *Store
	w       io.Writer
	defects int
	err     error // of w
	buf     []byte
}

func (v *verifier) report(path, format string, args ...any) {
	v.defects++
	if _, err := fmt.Fprintf(v.w, "%q: %s\n", path, fmt.Sprintf(format, args...)); v.err == nil {
		v.err = err
	}
}

// uidOwner is one object's UID.
type uidOwner struct{ uid, name string }

// collection checks one collection and returns the paths of its member collections.
func (v *verifier) collection(path string) (members []string) {
	held, err := v.s.lock(context.Background(), unix.LOCK_SH)
	if err != nil {
		v.report(path, "%v", err)
		return nil
	}
	defer held.release()
	f, err := v.s.openFolder(path)
	if err != nil {
		v.report(path, "%v", err)
		return nil
	}
	defer f.close()
	kind := v.props(f)
	names, err := f.listObjects()
	if err != nil {
		v.report(path, "%v", err)
		return nil
	}
	v.leftovers(f)
	var uids []uidOwner
	sums := make(map[string]sum, len(names.at))
	for i := range names.at {
		name := names.name(i)
		member := joinPath(path, name)
		st, err := f.statMember(name)
		switch {
		case err != nil:
			v.report(member, "%v", err)
		case st.isDir() && checkPath(member) != nil:
			v.report(member, "too deep")
		case st.isDir():
			members = append(members, member)
			if kind.hasSummaries() {
				v.report(member, "collection inside a calendar or address book")
			}
		case st.isRegular():
			if uid, digest, ok := v.object(f, kind, name); ok {
				sums[name] = digest
				if uid != "" {
					uids = append(uids, uidOwner{uid, name})
				}
			}
		default:
			v.report(member, "neither file nor folder")
		}
	}
	v.duplicates(path, uids)
	v.journal(f, kind, sums)
	return members
}

func (v *verifier) props(f *folder) Kind {
	raw, _, err := f.readSmall(propsName)
	var p Props
	if err == nil && raw != nil {
		p, err = parseProps(raw)
	}
	if err != nil {
		v.report(joinPath(f.path, propsName), "%v", err)
	}
	if tag, _ := p.Get(TagKey); tag != "" && p.Kind() == Plain {
		v.report(joinPath(f.path, propsName), "unknown tag %q", tag)
	}
	if raw, _, err := f.readSmall(deadPropsName); err != nil {
		v.report(joinPath(f.path, deadPropsName), "%v", err)
	} else if raw != nil {
		if _, err := parseDeadProps(raw); err != nil {
			v.report(joinPath(f.path, deadPropsName), "%v", err)
		}
	}
	return p.Kind()
}

// leftovers reports what interrupted writes left and nobody removed.
func (v *verifier) leftovers(f *folder) {
	f.eachName(func(name string) {
		if !isTemp(name) {
			return
		}
		if st, err := f.stat(name); err == nil && time.Since(time.Unix(0, st.mtime)) > tempAge {
			v.report(joinPath(f.path, name), "left over from an interrupted write")
		}
	})
}

func (v *verifier) object(f *folder, kind Kind, name string) (uid string, digest sum, ok bool) {
	path := joinPath(f.path, name)
	fd, st, err := f.openMember(name)
	if err == nil {
		v.buf, err = fd.readAll(v.buf, st.size, v.s.MaxObject)
		fd.close()
	}
	if err != nil {
		v.report(path, "%v", err)
		return "", sum{}, false
	}
	digest = hash(v.buf)
	if !kind.hasSummaries() {
		return "", digest, true
	}
	meaning, err := object.Summarize(kind.of(), v.buf)
	if err != nil {
		v.report(path, "%v", err)
	} else if meaning.UID == "" && meaning.Component != "VLIST" {
		v.report(path, "no UID")
	}
	return strings.Clone(meaning.UID), digest, true
}

func (v *verifier) duplicates(path string, uids []uidOwner) {
	slices.SortStableFunc(uids, func(a, b uidOwner) int { return strings.Compare(a.uid, b.uid) })
	for i := 1; i < len(uids); i++ {
		if uids[i].uid == uids[i-1].uid {
			v.report(joinPath(path, uids[i].name), "same UID %q as %q", uids[i].uid, uids[i-1].name)
		}
	}
}

// journal checks that a journal which claims to be up to date says what is in
// the folder.
func (v *verifier) journal(f *folder, kind Kind, sums map[string]sum) {
	if v.s.CacheFolder != "" && v.s.cache == nil {
		return // no journal has been written yet
	}
	d, err := v.s.openJournalDir(f, false)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			v.report(journalPath(f.path), "%v", err)
		}
		return
	}
	defer d.close()
	st, err := fstat(int(f.dir))
	if err != nil {
		v.report(f.path, "%v", err)
		return
	}
	j, err := openJournal(d, st.ino, false)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil {
		v.report(journalPath(f.path), "%v", err)
		return
	}
	defer j.close()
	current, _ := j.current(f, kind)
	c, err := j.cursor()
	var r record
	for more := err == nil; more; {
		if more, err = c.next(&r); !more || r.removed() {
			continue
		}
		digest, there := sums[r.Name]
		if current && there && r.flags&flagUnread == 0 && digest != r.sum {
			v.report(joinPath(f.path, r.Name), "edited in place, not yet noticed")
		}
		delete(sums, r.Name)
	}
	if err != nil {
		v.report(journalPath(f.path), "%v", err)
	} else if current && len(sums) > 0 {
		v.report(journalPath(f.path), "%d objects missing", len(sums))
	}
}
