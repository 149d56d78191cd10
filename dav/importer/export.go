package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"inetdav/dav"
	"inetdav/store"
	"inetdav/store/object"
)

// export writes the collections of --from to a folder.
func (j *job) export(folder string) error {
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return err
	}
	user := func(path string) string { owner, _, _ := strings.Cut(path, "/"); return owner }
	several := slices.ContainsFunc(j.from, func(path string) bool { return user(path) != user(j.from[0]) })
	for _, from := range j.from {
		folder := folder
		if several { // whose collections may have the same names
			folder = filepath.Join(folder, fileName(user(from)))
			if err := os.MkdirAll(folder, 0o777); err != nil {
				return err
			}
		}
		var paths []string
		c, err := j.store.Collection(j.ctx, from)
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("there is no %q in the storage folder", from)
		}
		if err != nil {
			return err
		}
		if c.Kind() != store.Plain {
			paths = append(paths, from)
		}
		for name, err := range c.Collections() {
			if c.Kind() != store.Plain {
				break
			}
			if err != nil {
				j.missing++
				j.reject(from+"/"+name, err.Error(), nil)
				continue
			}
			paths = append(paths, from+"/"+name)
		}
		c.Close()
		for _, p := range paths {
			if err := j.exportCollection(p, folder); err != nil {
				return err
			}
		}
	}
	return nil
}

// exportCollection writes one collection, and what is known of it beside.
func (j *job) exportCollection(from, folder string) error {
	c, err := j.store.Listing(j.ctx, from)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, store.ErrKind) {
		return nil // gone since, or a file
	}
	if err != nil {
		return err
	}
	defer c.Close()
	if c.Kind() == store.Plain {
		j.note("%q: neither a calendar nor an address book", from)
		return nil
	}
	name := fileName(path.Base(from))
	e := exporting{job: j, c: c, from: from, suffix: ".ics", kind: object.KindCalendar}
	if c.Kind() == store.AddressBook {
		e.suffix, e.kind = ".vcf", object.KindAddressBook
	}
	e.about = described{Format: describedFormat, Properties: mapOf(c.Props())}
	rich, err := c.ObjectProps("")
	if err != nil {
		return err
	}
	e.about.XML = mapOf(rich)
	at := filepath.Join(folder, name)
	if j.objects || c.Kind() == store.Subscribed {
		err = e.toFolder(at)
	} else {
		err = e.toFile(at + e.suffix)
	}
	if err != nil {
		return err
	}
	b, err := json.MarshalIndent(e.about, "", "  ")
	if err != nil {
		return err
	}
	if err := writeWhole(at+".json", func(w *bufio.Writer) error { _, err := w.Write(append(b, '\n')); return err }); err != nil {
		return err
	}
	j.progress.clear()
	fmt.Fprintf(j.out, "%q: %d objects, %d left out\n", from, e.done, e.left)
	j.missing += e.left
	return nil
}

// exporting is one collection on its way out.
type exporting struct {
	*job
	c          *store.Collection
	from       string
	suffix     string
	kind       object.Kind
	about      described
	done, left int
	buf        []byte
}

// each reads each object in turn. What cannot be read, or written, is named.
func (e *exporting) each(do func(name string, data []byte) error) error {
	all := e.c.Len()
	for r := range e.c.Objects() {
		if err := e.ctx.Err(); err != nil {
			return err
		}
		name, uid := strings.Clone(r.Name), strings.Clone(r.UID)
		var err error
		e.buf, _, err = e.c.Read(name, e.buf)
		if errors.Is(err, fs.ErrNotExist) {
			continue // gone since
		}
		if errors.Is(err, store.ErrStale) {
			return err
		}
		if err == nil {
			err = do(name, e.buf)
		}
		var left leftOut
		if errors.As(err, &left) || errors.Is(err, store.ErrTooLarge) {
			e.left++
			e.reject(e.from+"/"+name, err.Error(), nil)
			continue
		}
		if err != nil {
			return err
		}
		e.done++
		rich, err := e.c.ObjectProps(name)
		if err != nil {
			return err
		}
		if len(rich) > 0 || !e.objects && name != dav.ObjectName(uid, e.suffix, 0) {
			e.about.Objects = append(e.about.Objects, describedObject{UID: uid, Name: name, XML: mapOf(rich)})
		}
		e.progress.show(e.from, e.done, all)
	}
	return e.c.Err()
}

// leftOut is an object that cannot be part of the file.
type leftOut struct{ error }

// toFile writes all objects as one stream.
func (e *exporting) toFile(file string) error {
	return writeWhole(file, func(w *bufio.Writer) error {
		name, _ := e.c.Props().Get("D:displayname")
		description, _ := e.c.Props().Get("C:calendar-description")
		stream := object.NewExport(e.kind)
		if _, err := w.Write(stream.Header(nil, name, description)); err != nil {
			return err
		}
		var out []byte
		err := e.each(func(_ string, data []byte) (err error) {
			if out, err = stream.Add(out[:0], data); err != nil {
				return leftOut{err}
			}
			_, err = w.Write(out)
			return err
		})
		if err != nil {
			return err
		}
		_, err = w.Write(stream.Footer(nil))
		return err
	})
}

// toFolder writes each object to a file, byte for byte.
func (e *exporting) toFolder(folder string) error {
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return err
	}
	written := map[string]bool{}
	err := e.each(func(name string, data []byte) error {
		file := fileName(name)
		if kindOfFile(file) == store.None {
			file += e.suffix
		}
		if written[file] {
			return leftOut{fmt.Errorf("another object is in the file %q", file)}
		}
		written[file] = true
		return writeWhole(filepath.Join(folder, file), func(w *bufio.Writer) error { _, err := w.Write(data); return err })
	})
	if err != nil {
		return err
	}
	// What stands there is not ours, or an older form of what was left out.
	if !isDescribed(folder) || e.left > 0 {
		return nil
	}
	return removeOthers(folder, written, e.suffix)
}

// removeOthers removes what an earlier export wrote and is no more.
func removeOthers(folder string, written map[string]bool, suffix string) error {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if written[entry.Name()] || !strings.HasSuffix(entry.Name(), suffix) || !entry.Type().IsRegular() {
			continue
		}
		if err := os.Remove(filepath.Join(folder, entry.Name())); err != nil {
			return err
		}
	}
	return nil
}

// writeWhole makes a file, whole or not at all: a new one takes the place of an
// old one when it is finished.
func writeWhole(name string, fill func(*bufio.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".inetdav-*")
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 64<<10)
	err = fill(w)
	err = errors.Join(err, w.Flush(), f.Sync())
	if b, statErr := os.Stat(name); statErr == nil && err == nil {
		err = f.Chmod(b.Mode().Perm())
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

// fileName makes a name that every system can have: of letters, digits and a
// few signs; what others there are is written as %XX.
func fileName(name string) string {
	var b bytes.Buffer
	for i, c := range []byte(name) {
		switch {
		case c == '.' && i == 0, c == '%', c < ' ', c == 0x7f, strings.IndexByte(`/\:*?"<>|`, c) >= 0:
			fmt.Fprintf(&b, "%%%02X", c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

func mapOf(p store.Props) map[string]string {
	if len(p) == 0 {
		return nil
	}
	m := make(map[string]string, len(p))
	for _, prop := range p {
		m[prop.Key] = prop.Value
	}
	return m
}
