package store

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"inetdav/store/object"
)

// This file finds out what happened in a folder behind our back: it lists the
// folder, compares each object with what the journal says, and reads those
// that differ.

// errOutdated: the folder is not as the journal says.
var errOutdated = errors.New("journal is stale")

// errLarge: there are more changes than a log should take.
var errLarge = errors.New("too many changes for the log")

// nameList is the names in a folder, in one piece of memory: each with its
// length before it, and where each begins.
type nameList struct {
	text []byte
	at   []uint32
}

func (n *nameList) add(name string) {
	n.at = append(n.at, uint32(len(n.text)))
	n.text = append(n.text, byte(len(name)))
	n.text = append(n.text, name...)
}

func (n *nameList) name(i int) string { return n.get(n.at[i]) }

func (n *nameList) get(at uint32) string {
	return view(n.text[at+1:][:n.text[at]])
}

// listObjects lists what may be objects in the folder, in order.
func (f *folder) listObjects() (*nameList, error) {
	var n nameList
	err := f.eachName(func(name string) {
		if listable(name) && len(name) <= maxName {
			n.add(name)
		}
	})
	slices.SortFunc(n.at, func(a, b uint32) int { return strings.Compare(n.get(a), n.get(b)) })
	return &n, err
}

// scanner compares a folder with its journal.
type scanner struct {
	s      *Store
	f      *folder
	kind   Kind
	reread bool       // even objects that look unchanged
	items  *itemCache // of a Radicale, if there is one
	now    time.Time
	st     state // as it will be
	buf    []byte
	rec    record // the one at hand
	// found gets each record: entryChange, entryRemoval and entryRefresh as in
	// the log, or 0 for one that is as it was.
	found func(kind entryKind, r *record) error
}

// run compares; old is nil if there is no journal yet.
func (sc *scanner) run(names *nameList, old *journal) error {
	sc.now = time.Now()
	sc.st.wall = sc.now.UnixNano()
	var known record
	next := func() (bool, error) { return false, nil }
	if old != nil {
		c, err := old.cursor()
		if err != nil {
			return err
		}
		next = func() (bool, error) { return c.next(&known) }
	}
	more, err := next()
	for i := 0; err == nil && (more || i < len(names.at)); {
		name := ""
		if i < len(names.at) {
			name = names.name(i)
		}
		switch {
		case name == "" || more && known.Name < name:
			if err = sc.gone(&known); err == nil {
				more, err = next()
			}
		case more && known.Name == name:
			if err = sc.met(name, &known); err == nil {
				more, err = next()
			}
			i++
		default:
			err = sc.met(name, nil)
			i++
		}
	}
	return err
}

// gone handles a name in the journal that is no object in the folder.
func (sc *scanner) gone(known *record) error {
	if known.removed() {
		return sc.found(0, known)
	}
	r := &sc.rec
	*r = record{flags: flagRemoved, seq: sc.st.advance(sc.now)}
	r.Name = known.Name
	r.stat.mtime = sc.st.wall
	sc.st.live--
	return sc.found(entryRemoval, r)
}

// met handles a name in the folder; known is nil if the journal does not have it.
func (sc *scanner) met(name string, known *record) error {
	st, err := sc.f.statMember(name)
	absent := missing(err) || err == nil && !st.isRegular()
	live := known != nil && !known.removed()
	if err == nil && !absent && live && !sc.reread && known.flags&^flagTagged == 0 && known.stat.same(&st) {
		return sc.found(0, known)
	}
	r := &sc.rec
	*r = record{}
	r.Name = name
	var data []byte
	if !absent {
		data, err = sc.read(r)
		absent = missing(err) || errors.Is(err, ErrKind)
	}
	switch {
	case absent && known != nil:
		return sc.gone(known)
	case absent:
		return nil
	case err != nil:
		return err
	}
	if !live || known.sum != r.sum {
		sc.summarize(r, data)
		// What Radicale makes of a text may be the same for two that differ:
		// other bytes never keep the tag.
		if tag, ok := sc.items.tag(r, data); ok && (!live || tag.etag() != known.ETag()) {
			r.tag, r.flags = tag, r.flags|flagTagged
		}
		if !live {
			sc.st.live++
		}
		r.seq = sc.st.advance(sc.now)
		return sc.found(entryChange, r)
	}
	r.seq, r.tag, r.flags = known.seq, known.tag, r.flags|known.flags&flagTagged
	switch {
	case sc.reread:
		sc.summarize(r, data)
	case known.stat.same(&r.stat) && known.flags == r.flags:
		return sc.found(0, known)
	default:
		r.Summary = known.Summary
	}
	return sc.found(entryRefresh, r)
}

// missing reports whether err says that there is no object: also a link that
// leads nowhere, or where it must not.
func missing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, outsideError{}) ||
		errors.Is(err, errIsLink) || errors.Is(err, unix.ENOTDIR)
}

// unreadable reports whether err says that there is an object which cannot be
// read, now or ever.
func unreadable(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, unix.EIO)
}

// read reads the object that r names and sets what its file says. data is nil
// if it is too large or cannot be read.
func (sc *scanner) read(r *record) (data []byte, err error) {
	f, st, err := sc.f.openMember(r.Name)
	if unreadable(err) && !missing(err) {
		sc.unread(r, err)
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.close()
	r.stat = st
	if !settled(st.mtime, sc.now, racyFile) || !settled(st.ctime, sc.now, racyFile) {
		r.flags |= flagRacy
	}
	sc.buf, err = f.readAll(sc.buf, st.size, sc.s.MaxObject)
	switch {
	case err == nil:
		r.sum = hash(sc.buf)
		return sc.buf, nil
	case errors.Is(err, ErrTooLarge):
		h := sha256.New()
		if _, err = io.Copy(h, io.NewSectionReader(f, 0, 1<<62)); err == nil {
			h.Sum(r.sum[:0])
			return nil, nil
		}
	}
	if unreadable(err) {
		sc.unread(r, err)
		return nil, nil
	}
	return nil, err
}

// unread completes the record of an object that is there but cannot be read:
// left out, it would be taken for removed.
func (sc *scanner) unread(r *record, err error) {
	sc.s.logf(LevelWarning, "cannot read %q: %v", joinPath(sc.f.path, r.Name), err)
	if st, err := sc.f.statMember(r.Name); err == nil {
		r.stat = st
	}
	r.flags |= flagUnread
	b := append([]byte("unread "), r.Name...)
	b = binary.LittleEndian.AppendUint64(b, uint64(r.stat.size))
	b = binary.LittleEndian.AppendUint64(b, uint64(r.stat.mtime))
	r.sum = hash(b)
}

// summarize sets what the bytes of an object mean; nil if nobody knows.
func (sc *scanner) summarize(r *record, data []byte) {
	r.Summary = unknownSummary()
	if !sc.kind.hasSummaries() {
		return
	}
	err := ErrTooLarge
	if data != nil {
		r.Summary, err = object.Summarize(sc.kind.of(), data)
	} else if r.flags&flagUnread != 0 {
		return // said already
	}
	if err != nil {
		sc.s.logf(LevelWarning, "broken object %q: %v", joinPath(sc.f.path, r.Name), err)
	}
}

// of returns what package object calls the members of a collection.
func (k Kind) of() object.Kind {
	if k == AddressBook {
		return object.KindAddressBook
	}
	return object.KindCalendar
}

// unknownSummary is that of an object of which nothing is known.
func unknownSummary() object.Summary {
	return object.Summary{Start: object.NoStart, End: object.NoEnd, Flags: object.Broken}
}

// hasSummaries reports whether objects in a collection of this kind mean anything.
func (k Kind) hasSummaries() bool { return k == Calendar || k == AddressBook }

// unchanged compares the folder with j, which its stamp says to be up to date,
// object by object. The error is errOutdated if that is not so after all.
func (s *Store) unchanged(f *folder, j *journal) error {
	names, err := f.listObjects()
	if err != nil {
		return err
	}
	sc := scanner{s: s, f: f, kind: j.idx.kind, found: func(kind entryKind, _ *record) error {
		if kind != 0 {
			return errOutdated
		}
		return nil
	}}
	return sc.run(names, j)
}

// current reports whether j can be used for a collection of that kind without
// looking at its objects.
func (j *journal) current(f *folder, kind Kind) (bool, error) {
	st, err := fstat(int(f.dir))
	return err == nil && j.hasLog() && j.idx.kind == kind && j.idx.summaries == summaryVersion &&
		j.now.stamp.matches(&st), err
}

// update brings the journal up to date with the folder.
func (l *live) update(e effort) error {
	sc := &scanner{s: l.s, f: l.f, kind: l.kind}
	fresh := false
	if l.j != nil {
		var err error
		fresh, err = l.j.current(l.f, l.kind)
		if err != nil || fresh && !l.s.passDue(l.d, l.j.now.live, e) {
			return err
		}
		sc.st = l.j.now
		sc.reread = l.j.idx.kind != l.kind || l.j.idx.summaries != summaryVersion
	}
	if l.j == nil && !l.inMemory {
		l.f.sweep(time.Now())
	}
	if !l.inMemory { // whoever reads an object asks for its tag only what is on disk
		sc.items = l.s.openItemCache(l.f)
		defer sc.items.close()
	}
	// The stamp comes before the list: what changes meanwhile will show.
	if !fresh {
		var err error
		if sc.st.stamp, err = l.f.newStamp(!l.inMemory); err != nil {
			return err
		}
	}
	names, err := l.f.listObjects()
	if err != nil {
		return err
	}
	if l.j != nil {
		if err = l.continueScan(sc, names); errors.Is(err, errDamaged) {
			l.discard()
		}
	}
	if l.j == nil {
		err = l.rewriteScan(sc, names)
	}
	if err == nil && !l.inMemory {
		passed(l.d)
	}
	return err
}

// discard lets go of a journal that turned out to be damaged.
func (l *live) discard() {
	l.s.logf(LevelWarning, "journal of %q is damaged: building it anew", l.f.path)
	l.j.close()
	l.j = nil
}

// rebuild builds the journal anew, with a new history.
func (l *live) rebuild() error {
	l.discard()
	return l.update(renewed)
}

// continueScan scans and takes what it finds into the journal.
func (l *live) continueScan(sc *scanner, names *nameList) error {
	if sc.reread || !l.j.hasLog() {
		return l.rewriteScan(sc, names)
	}
	before := sc.st
	err := l.appendScan(sc, names)
	if err == errLarge {
		sc.st = before
		err = l.rewriteScan(sc, names)
	}
	return err
}

// appendScan appends to the log what a scan finds; errLarge if that is too much.
func (l *live) appendScan(sc *scanner, names *nameList) error {
	last := l.j.now.stamp
	room := int(l.foldSize() - l.j.size)
	var batch []byte
	sc.found = func(kind entryKind, r *record) error {
		if kind == 0 {
			return nil
		}
		if len(batch) > room {
			return errLarge
		}
		l.mark(r)
		// Torn within the batch, the log must not claim to be up to date.
		st := sc.st
		st.stamp.exact = false
		batch = appendEntry(batch, &l.j.head, l.j.size+int64(len(batch)), kind, &st, r)
		return nil
	}
	if err := sc.run(names, l.j); err != nil {
		return err
	}
	if len(batch) == 0 && sc.st.stamp == last {
		return nil
	}
	batch = appendEntry(batch, &l.j.head, l.j.size+int64(len(batch)), entryStamp, &sc.st, nil)
	if err := l.append(batch, sc.st); err != nil {
		return err
	}
	return l.foldIfLarge()
}

// rewriteScan writes a new index of what a scan finds: with a new history if
// there is none to continue.
func (l *live) rewriteScan(sc *scanner, names *nameList) error {
	old := l.j
	var h indexHeader
	if old != nil {
		h = old.idx.indexHeader
	} else {
		h.epoch = random64()
		sc.st = state{stamp: sc.st.stamp}
	}
	h.wall = time.Now().UnixNano()
	if !l.inMemory {
		l.d.sweep(time.Now())
	}
	return l.rewrite(h, func(x *indexWriter) error {
		sc.found = func(_ entryKind, r *record) error { return l.keep(x, r) }
		err := sc.run(names, old)
		sc.st.live = x.live // the same number, counted twice
		x.state = sc.st
		return err
	})
}
