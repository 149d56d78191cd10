package store

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// This file reads what a Radicale remembers of a collection, so that clients
// which knew it go on as if nothing had happened. Below .Radicale.cache it has
//
//	item/NAME         how it calls an object, and what it makes of the file
//	history/NAME      the entity tag it saw last, and a hash over all of them
//	sync-token/TOKEN  these hashes at the time of a sync token
//
// Radicale's entity tag is the SHA-256 of the text that it would write. For a
// file that it wrote that is the SHA-256 of the file, as ours is. For one that
// somebody put there by hand it is another, and it is taken over when the file
// is met for the first time. What is sent is the file all the same: it says
// what the text says.

// Folders below .Radicale.cache.
const (
	radicaleItems   = "item"
	radicaleHistory = "history"
	radicaleTokens  = "sync-token"
)

// openRadicale opens a folder of Radicale's below .Radicale.cache; elsewhere
// says that it is in the cache folder (use_cache_subfolder_for_...).
func (s *Store) openRadicale(f *folder, name string, elsewhere bool) (dir, error) {
	root := f.root
	if elsewhere {
		if s.cache == nil {
			return noDir, pathError("open", name, fs.ErrNotExist)
		}
		root = s.cache
	}
	return root.openDir(joinPath(f.path, radicaleCache+"/"+name))
}

// readPickle reads the pickle called name.
func (d dir) readPickle(name string, size int64, values int) (pickled, error) {
	fd, err := d.open(name, unix.O_RDONLY)
	if err != nil {
		return pickled{}, err
	}
	defer unix.Close(fd)
	st, err := fstat(fd)
	if err == nil && !st.isRegular() {
		err = errPickle
	}
	if err != nil {
		return pickled{}, err
	}
	b, err := file(fd).readAll(nil, st.size, size)
	if err != nil {
		return pickled{}, err
	}
	return parsePickle(b, values)
}

// itemCache is Radicale's cache of a collection's objects, while a scan goes on.
type itemCache struct {
	d       dir
	limit   int64  // of an entry, in bytes
	version string // Radicale's CACHE_VERSION, once an entry has shown it
	failed  int    // entries that no version fits
}

// openItemCache opens it; nil if there is none.
func (s *Store) openItemCache(f *folder) *itemCache {
	d, err := s.openRadicale(f, radicaleItems, s.ItemsInCacheFolder)
	if err != nil {
		return nil
	}
	return &itemCache{d: d, limit: 4*s.MaxObject + 4096}
}

func (c *itemCache) close() {
	if c != nil {
		c.d.close()
	}
}

// tag returns the entity tag by which Radicale calls the object of r, whose
// bytes are data, if it knows just these bytes and it is another than ours.
func (c *itemCache) tag(r *record, data []byte) (tag sum, ok bool) {
	if c == nil || data == nil {
		return sum{}, false
	}
	p, err := c.d.readPickle(r.Name, c.limit, maxItemValues)
	if err != nil || p.kind != pickleList || len(p.items) != 8 {
		return sum{}, false
	}
	known, etag := p.items[0], p.items[2]
	if known.kind != pickleText || etag.kind != pickleText || len(etag.text) != 2*len(tag)+2 {
		return sum{}, false
	}
	inner, quoted := strings.CutSuffix(strings.TrimPrefix(etag.text, `"`), `"`)
	if n, err := hex.Decode(tag[:], []byte(inner)); !quoted || err != nil || n != len(tag) || tag == r.sum {
		return sum{}, false
	}
	return tag, c.fits(known.text, r, data)
}

// fits reports whether what Radicale notes of a file is true of these bytes:
// the SHA-256 of CACHE_VERSION and the bytes, or, with
// use_mtime_and_size_for_item_cache, CACHE_VERSION, size and time themselves.
func (c *itemCache) fits(known string, r *record, data []byte) bool {
	if strings.HasPrefix(known, "radicale=") {
		return strings.HasSuffix(known, ";size="+strconv.FormatInt(r.stat.size, 10)+";mtime="+strconv.FormatInt(r.stat.mtime, 10))
	}
	var want sum
	if n, err := hex.Decode(want[:], []byte(known)); err != nil || n != len(want) {
		return false
	}
	h := sha256.New()
	var line []byte
	try := func(version string) bool {
		h.Reset()
		line = append(line[:0], version...)
		h.Write(line)
		h.Write(data)
		var got sum
		h.Sum(got[:0])
		if got == want {
			c.version = version
		}
		return got == want
	}
	if c.version != "" {
		return try(c.version)
	}
	if c.failed >= maxUnknownItems {
		return false
	}
	for version := range cacheVersions {
		if try(version) {
			return true
		}
	}
	c.failed++
	return false
}

// cacheVersions yields what CACHE_VERSION may be: from 3.3.2 on two versions,
// before that three.
func cacheVersions(yield func(string) bool) {
	vobjects := [...]string{"0.9.9", "0.9.8", "0.9.7", "0.9.6.1", "0.9.6", "0.9.5", "1.0.0"}
	for _, v := range vobjects {
		if !yield("radicale=3.3.1;vobject=" + v + ";") {
			return
		}
	}
	for _, r := range [...]string{
		"3.1.8", "3.3.1", "3.3.0", "3.2.3", "3.2.2", "3.2.1", "3.2.0", "3.1.9", "3.1.7", "3.1.6", "3.1.5", "3.1.4",
		"3.1.3", "3.1.2", "3.1.1", "3.1.0", "3.0.6", "3.0.5", "3.0.4", "3.0.3", "3.0.2", "3.0.1", "3.0.0",
	} {
		for _, v := range vobjects {
			for _, d := range [...]string{
				"2.8.2", "2.9.0.post0", "2.9.0", "2.8.1", "2.8.0", "2.7.5", "2.7.3", "2.6.1", "2.6.0",
			} {
				if !yield("radicale=" + r + ";vobject=" + v + ";python-dateutil=" + d + ";") {
					return
				}
			}
		}
	}
}

// radicaleToken begins Radicale's sync tokens; 64 hex digits follow.
const radicaleToken = "http://radicale.org/ns/sync/"

// since is what a client knows who was told a sync token by Radicale.
type since struct {
	state   map[string]string // hash by name, of what was there and what was gone
	history dir               // while changes runs
}

// sinceRadicale finds it. The error is ErrSyncToken if Radicale does not know
// the token either.
func (s *Store) sinceRadicale(f *folder, token string) (*since, error) {
	name := strings.TrimPrefix(token, radicaleToken)
	if len(name) != 2*sha256.Size || strings.Trim(name, "0123456789abcdef") != "" {
		return nil, ErrSyncToken
	}
	d, err := s.openRadicale(f, radicaleTokens, s.TokensInCacheFolder)
	if err != nil {
		return nil, ErrSyncToken
	}
	defer d.close()
	p, err := d.readPickle(name, maxTokenState, maxTokenValues)
	if err != nil {
		return nil, ErrSyncToken
	}
	texts, err := p.texts(pickleDict, -1)
	if err != nil {
		return nil, ErrSyncToken
	}
	k := &since{state: make(map[string]string, len(texts)/2), history: noDir}
	for i := 0; i < len(texts); i += 2 {
		k.state[texts[i]] = texts[i+1]
	}
	return k, nil
}

// knows reports whether the client has the object called name with this entity
// tag; "" stands for one that is gone.
func (k *since) knows(name, etag string) bool {
	was, ok := k.state[name]
	if !ok || k.history == noDir {
		return false
	}
	p, err := k.history.readPickle(name, maxHistoryEntry, maxItemValues)
	if err != nil {
		return false
	}
	entry, err := p.texts(pickleList, 2)
	return err == nil && entry[0] == etag && entry[1] == was
}

// changes calls f with what the client does not know, until it says stop: first
// what is gone, without a sequence number, then the rest in the order of changes.
func (k *since) changes(c *Collection, f func(r *record) (stop bool)) error {
	j := c.j
	var err error
	if k.history, err = c.s.openRadicale(c.f, radicaleHistory, c.s.HistoryInCacheFolder); err != nil {
		k.history = noDir // then everything differs
	}
	defer k.history.close()
	there := make(map[string]struct{}, len(k.state))
	cur, err := j.cursor()
	if err != nil {
		return err
	}
	var r record
	for {
		ok, err := cur.next(&r)
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		if _, was := k.state[r.Name]; was && !r.removed() {
			there[strings.Clone(r.Name)] = struct{}{}
		}
	}
	for name := range k.state {
		if _, is := there[name]; is || k.knows(name, "") {
			continue
		}
		gone := record{flags: flagRemoved}
		gone.Name = name
		if f(&gone) {
			return nil
		}
	}
	return j.changes(0, func(r *record) (stop bool) {
		return !r.removed() && !k.knows(r.Name, r.ETag()) && f(r)
	})
}

// tagged reports whether the journal has entity tags that are not the hashes of
// the bytes: then it has to be asked for them.
func (s *Store) tagged(collection string) (bool, error) {
	root := s.root
	if s.cache != nil {
		root = s.cache
	}
	fd, err := root.open(journalPath(collection)+"/"+taggedName, unix.O_RDONLY)
	if err == nil {
		unix.Close(fd)
		return true, nil
	}
	if errors.Is(err, outsideError{}) {
		// A link that goes out and comes back: only what exists can be followed.
		d, dirErr := root.openDir(journalPath(collection))
		if dirErr == nil {
			_, err = d.stat(taggedName)
			d.close()
		}
		if dirErr != nil || err == nil {
			return err == nil, nil
		}
	}
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		err = nil
	}
	return false, err
}
