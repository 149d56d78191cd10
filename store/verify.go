package store

import (
	"cmp"
	"context"
	"encoding/binary"
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

// Verified is what a check has found.
type Verified struct {
	Collections, Objects int // that were looked at
	Defects              int // that are there
	Repaired             int // that were, and are no more
}

// Verify checks every collection below the folder and writes one line per
// defect: the path, quoted, a colon and the reason. It changes nothing, makes
// nothing, takes the shared lock for each collection if somebody has made one,
// and follows links only inside the storage folder. Memory: some 60 bytes for
// each object of a collection.
//
// The error is of w or the folder itself, or ErrLocked: not all was checked.
func Verify(o Options, w io.Writer) (Verified, error) {
	return verify(o, w, false, false)
}

// Repair is Verify, and mends what can be mended without loss: leftovers of
// interrupted writes that were acknowledged to nobody, journals, properties of
// objects that are gone. With aside, objects that cannot be read, and temporary
// folders, are moved to the same path below lost+found, beside collection-root,
// where no server looks. Each repair is a line with "repaired: " before what was
// done. It takes the exclusive lock for each.
func Repair(o Options, w io.Writer, aside bool) (Verified, error) {
	return verify(o, w, true, aside)
}

func verify(o Options, w io.Writer, repair, aside bool) (Verified, error) {
	s := newStore(o)
	s.readOnly = !repair
	s.Hook = "" // nothing that a hook is about is changed
	defer s.Close()
	v := verifier{s: s, w: w, repair: repair, aside: aside}
	if err := s.openExisting(); err != nil {
		return v.Verified, fmt.Errorf("storage folder: %w", err)
	}
	if s.root == nil {
		return v.Verified, nil // nobody has used it yet
	}
	// A link to a collection above leads down again: paths have an end.
	pending := []string{""}
	for len(pending) > 0 && v.err == nil {
		path := pending[len(pending)-1]
		below := v.collection(path)
		v.mend()
		pending = append(pending[:len(pending)-1], below...)
	}
	return v.Verified, v.err
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
	Verified
	s             *Store
	w             io.Writer
	repair, aside bool
	fixes         []fix // of the collection at hand
	err           error // of w, or why no more can be checked
	buf           []byte
}

// fix mends one defect, or all defects of one path. No lock is held.
type fix struct {
	path, what string
	defects    int
	do         func() error
}

func (v *verifier) line(path, format string, args ...any) {
	if _, err := fmt.Fprintf(v.w, "%q: %s\n", path, fmt.Sprintf(format, args...)); v.err == nil {
		v.err = err
	}
}

func (v *verifier) report(path, format string, args ...any) {
	v.Defects++
	v.line(path, format, args...)
}

// fixable notes how to mend what was reported last.
func (v *verifier) fixable(path, what string, do func() error) {
	if v.repair {
		v.fixes = append(v.fixes, fix{path, what, 1, do})
	}
}

// mend carries out what was noted.
func (v *verifier) mend() {
	for _, f := range v.fixes {
		if v.err != nil {
			break
		}
		if err := f.do(); err != nil {
			v.line(f.path, "not repaired: %v", err)
			continue
		}
		v.Defects -= f.defects
		v.Repaired += f.defects
		v.line(f.path, "repaired: %s", f.what)
	}
	v.fixes = v.fixes[:0]
}

// uidOwner is one object's UID, by a hash, and the place of its name in the list.
type uidOwner struct {
	hash uint64
	at   int32
}

// collection checks one collection and returns the paths of its member collections.
func (v *verifier) collection(path string) (members []string) {
	held, err := v.s.lock(context.Background(), unix.LOCK_SH)
	if errors.Is(err, ErrLocked) {
		v.err = err
		return nil
	}
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
	v.Collections++
	kind := v.props(f)
	names, err := f.listObjects()
	if err != nil {
		v.report(path, "%v", err)
		return nil
	}
	v.leftovers(f.dir, path)
	v.orphans(f)
	var uids []uidOwner
	sums := make([]sum, len(names.at)) // zero: no object that could be read
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
			v.Objects++
			if uid, digest, ok := v.object(f, kind, name); ok {
				sums[i] = digest
				if uid != "" {
					sum := hash([]byte(uid))
					uids = append(uids, uidOwner{binary.LittleEndian.Uint64(sum[:]), int32(i)})
				}
			}
		default:
			v.report(member, "neither file nor folder")
		}
	}
	v.duplicates(f, kind, names, uids)
	v.journal(f, kind, names, sums)
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

// leftovers reports what interrupted writes left in a folder and nobody removed.
func (v *verifier) leftovers(d dir, path string) {
	d.eachName(func(name string) {
		if !isTemp(name) {
			return
		}
		st, err := d.stat(name)
		if err != nil || time.Since(time.Unix(0, st.mtime)) <= tempAge {
			return
		}
		left := joinPath(path, name)
		v.report(left, "left over from an interrupted write")
		name = strings.Clone(name)
		switch {
		case !st.isDir():
			v.fixable(left, "removed", func() error { return v.inFolder(path, func(d dir) error { return d.unlink(name) }) })
		case v.aside: // a collection that was to make way may be in it
			v.fixable(left, "moved to "+lostName, func() error { return v.putAside(path, name) })
		}
	})
}

// inFolder runs do with the exclusive lock held, on the folder at a path below
// the root.
func (v *verifier) inFolder(path string, do func(d dir) error) error {
	return v.s.Update(context.Background(), func(*Tx) error {
		fd, err := v.s.root.open(path, unix.O_RDONLY|unix.O_DIRECTORY)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		if err := do(dir(fd)); err != nil {
			return err
		}
		return dir(fd).sync()
	})
}

// lostName is the folder, beside collection-root, of what --repair moves aside.
const lostName = "lost+found"

// putAside moves a file or folder out of the collection at path, to the same
// path below lost+found; nothing that is there is replaced.
func (v *verifier) putAside(path, name string) error {
	return v.inFolder(path, func(from dir) error {
		to := v.s.folder
		for segment := range strings.SplitSeq(strings.Trim(lostName+"/"+path, "/"), "/") {
			err := to.mkdir(segment, ownPermission, v.s.FolderUmask)
			if errors.Is(err, fs.ErrExist) {
				err = nil
			}
			var sub dir
			if err == nil {
				sub, err = to.openDir(segment)
			}
			if to != v.s.folder {
				err = errors.Join(err, to.sync())
				to.close()
			}
			if err != nil {
				return err
			}
			to = sub
		}
		defer to.close()
		for n, free := 1, name; ; n++ {
			err := from.moveFolder(name, to, free)
			if !errors.Is(err, fs.ErrExist) {
				return errors.Join(err, to.sync())
			}
			free = fmt.Sprintf("%s.%d", name, n)
		}
	})
}

// orphans reports the dead properties of objects that another program removed.
func (v *verifier) orphans(f *folder) {
	raw, _, err := f.readSmall(deadPropsName)
	if err != nil || raw == nil {
		return // said by props
	}
	d, err := parseDeadProps(raw)
	if err != nil {
		return
	}
	path := f.path
	for _, m := range d {
		name := m.name
		if name == "" {
			continue
		}
		if _, err := f.statMember(name); !missing(err) {
			continue
		}
		v.report(joinPath(path, deadPropsName), "has properties of %q, which is not there", name)
		v.fixable(joinPath(path, deadPropsName), fmt.Sprintf("properties of %q removed", name), func() error {
			return v.s.Update(context.Background(), func(tx *Tx) error {
				return tx.changeCollection(path, func(f *folder) error {
					if _, err := f.statMember(name); !missing(err) {
						return err // it is back
					}
					return v.s.setDead(f, name, nil)
				})
			})
		})
	}
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
		if v.aside {
			collection, name := strings.Clone(f.path), strings.Clone(name)
			v.fixable(path, "moved to "+lostName, func() error { return v.putAside(collection, name) })
		}
	} else if meaning.UID == "" && meaning.Component != "VLIST" {
		v.report(path, "no UID")
	}
	return strings.Clone(meaning.UID), digest, true
}

// duplicates reports objects with the UID of another one. Which of them is the
// right one, only a person can say.
func (v *verifier) duplicates(f *folder, kind Kind, names *nameList, uids []uidOwner) {
	slices.SortFunc(uids, func(a, b uidOwner) int {
		return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(a.at, b.at))
	})
	for i := 1; i < len(uids); i++ {
		if uids[i].hash != uids[i-1].hash {
			continue
		}
		name, other := names.name(int(uids[i].at)), names.name(int(uids[i-1].at))
		uid, ok := v.uid(f, kind, name)
		if before, ok2 := v.uid(f, kind, other); ok && ok2 && uid == before {
			v.report(joinPath(f.path, name), "same UID %q as %q", uid, other)
		}
	}
}

// uid reads the UID of an object once more.
func (v *verifier) uid(f *folder, kind Kind, name string) (uid string, ok bool) {
	fd, st, err := f.openMember(name)
	if err != nil {
		return "", false
	}
	defer fd.close()
	if v.buf, err = fd.readAll(v.buf, st.size, v.s.MaxObject); err != nil {
		return "", false
	}
	meaning, err := object.Summarize(kind.of(), v.buf)
	return strings.Clone(meaning.UID), err == nil
}

// journal checks that a journal which claims to be up to date says what is in
// the folder.
func (v *verifier) journal(f *folder, kind Kind, names *nameList, sums []sum) {
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
	if v.s.cache == nil {
		v.leftovers(d, journalPath(f.path))
	}
	st, err := fstat(int(f.dir))
	if err != nil {
		v.report(f.path, "%v", err)
		return
	}
	path := f.path
	damaged := func(err error) {
		v.report(journalPath(path), "%v", err)
		v.fixable(journalPath(path), "made anew", func() error { return v.anew(path, renewed) })
	}
	j, err := openJournal(d, st.ino, false)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil {
		damaged(err)
		return
	}
	defer j.close()
	current, _ := j.current(f, kind)
	lacking := 0 // objects that the journal does not know
	for i := range sums {
		if sums[i] != (sum{}) {
			lacking++
		}
	}
	c, err := j.cursor()
	var r record
	stale := 0
	for i, more := 0, err == nil; more; {
		if more, err = c.next(&r); !more || r.removed() {
			continue
		}
		for i < len(sums) && names.name(i) < r.Name {
			i++
		}
		if i == len(sums) || names.name(i) != r.Name || sums[i] == (sum{}) {
			continue
		}
		lacking--
		if current && r.flags&flagUnread == 0 && sums[i] != r.sum {
			stale++
			v.report(joinPath(path, r.Name), "edited in place, not yet noticed")
		}
	}
	switch {
	case err != nil:
		damaged(err)
	case current && lacking > 0:
		v.report(journalPath(path), "%d objects missing", lacking)
		v.fixable(journalPath(path), "made anew", func() error { return v.anew(path, renewed) })
	case stale > 0 && v.repair:
		v.fixes = append(v.fixes, fix{journalPath(path), "brought up to date", stale, func() error { return v.anew(path, forced) }})
	}
}

// anew brings the journal of a collection up to date.
func (v *verifier) anew(path string, e effort) error {
	c, err := v.s.freshSnapshot(context.Background(), path, e)
	if err != nil {
		return err
	}
	return c.Close()
}
