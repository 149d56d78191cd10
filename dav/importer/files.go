package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"inetdav/dav"
	"inetdav/store"
	"inetdav/store/object"
)

// maxFile is the size of the largest file that is imported, in bytes; it is
// held in memory.
const maxFile = 512 << 20

// described is what NAME.json says of the collection in NAME.ics, NAME.vcf or
// the folder NAME.
type described struct {
	Format string `json:"format"` // describedFormat
	// Properties are those of .Radicale.props.
	Properties map[string]string `json:"properties"`
	// XML are those that are more than text: Clark names, and the element.
	XML map[string]string `json:"xml,omitempty"`
	// Objects are those with a name that does not follow from the UID, or with
	// properties of their own.
	Objects []describedObject `json:"objects,omitempty"`
}

type describedObject struct {
	UID  string            `json:"uid,omitempty"`
	Name string            `json:"name"`
	XML  map[string]string `json:"xml,omitempty"`
}

const describedFormat = "inetdav export 1"

// kindOfFile tells from its name what a file holds.
func kindOfFile(name string) store.Kind {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".ics", ".ical", ".ifb":
		return store.Calendar
	case ".vcf", ".vcard":
		return store.AddressBook
	}
	return store.None
}

// importFiles imports a file, or a folder: itself as one collection, each of
// its folders, and each of its files that has a NAME.json beside it, as one of
// their own.
func (j *job) importFiles(source string) error {
	info, err := os.Stat(source)
	if err != nil {
		return err
	}
	single := strings.Contains(j.to, "/")
	target := func(name string) string {
		if single {
			return j.to
		}
		return j.to + "/" + localName(name)
	}
	source = filepath.Clean(source)
	if !info.IsDir() {
		kind := kindOfFile(source)
		if kind == store.None {
			return fmt.Errorf("%s is neither .ics nor .vcf", source)
		}
		base := filepath.Base(source)
		return j.importCollection(target(strings.TrimSuffix(base, filepath.Ext(base))), kind, source, []string{source})
	}
	// A link may lead to a folder that it is in.
	if slices.ContainsFunc(j.within, func(above os.FileInfo) bool { return os.SameFile(above, info) }) {
		j.note("%s leads to a folder that it is in", source)
		return nil
	}
	j.within = append(j.within, info)
	defer func() { j.within = j.within[:len(j.within)-1] }()
	entries, err := os.ReadDir(source)
	if err != nil {
		return err
	}
	loose := map[store.Kind][]string{}
	for _, e := range entries {
		name := filepath.Join(source, e.Name())
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		info, err := os.Stat(name) // a link is what it leads to
		switch kind := kindOfFile(name); {
		case err != nil:
			return err
		case info.IsDir() && single:
			return fmt.Errorf("%s is more than one collection: say a user (--to USER)", source)
		case info.IsDir():
			err = j.importFiles(name)
		case kind == store.None:
		case !single && isDescribed(name):
			err = j.importFiles(name)
		default:
			loose[kind] = append(loose[kind], name)
		}
		if err != nil {
			return err
		}
	}
	abs, err := filepath.Abs(source)
	if err != nil {
		return err
	}
	if d, _ := readDescribed(source); d != nil && len(loose) == 0 { // it is empty
		kind := store.Props{{Key: store.TagKey, Value: d.Properties[store.TagKey]}}.Kind()
		return j.importCollection(target(filepath.Base(abs)), kind, source, nil)
	}
	for _, kind := range [...]store.Kind{store.Calendar, store.AddressBook} {
		to := target(filepath.Base(abs))
		switch {
		case len(loose[kind]) == 0:
			continue
		case len(loose) == 2 && single:
			return fmt.Errorf("%s holds both calendars and cards: say a user (--to USER)", source)
		case len(loose) == 2 && kind == store.AddressBook:
			to += "-contacts"
		}
		if err := j.importCollection(to, kind, source, loose[kind]); err != nil {
			return err
		}
	}
	return nil
}

// describedName is where the properties of a collection stand.
func describedName(collection string) string {
	if info, err := os.Stat(collection); kindOfFile(collection) != store.None && !(err == nil && info.IsDir()) {
		collection = strings.TrimSuffix(collection, filepath.Ext(collection))
	}
	return collection + ".json"
}

func isDescribed(collection string) bool {
	d, err := readDescribed(collection)
	return d != nil && err == nil
}

// readDescribed reads what stands beside a collection; nil if nothing does.
func readDescribed(collection string) (*described, error) {
	name := describedName(collection)
	f, err := os.Open(name)
	if err != nil {
		return nil, nil
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err != nil {
		return nil, err
	}
	var d described
	if err := json.Unmarshal(b, &d); err != nil || d.Format != describedFormat {
		return nil, nil // another program's
	}
	return &d, nil
}

// importCollection imports files into one collection.
func (j *job) importCollection(target string, kind store.Kind, source string, files []string) error {
	var t tally
	d, err := readDescribed(source)
	if err != nil {
		return err
	}
	there, err := j.dest.kindAt(target)
	switch {
	case err != nil:
		return err
	case there != store.None && there != kind:
		return fmt.Errorf("%q is there, and of another kind", target)
	case there == store.None && !j.dryRun:
		if err := j.makeFrom(target, kind, source, files, d); err != nil {
			return err
		}
	}
	byUID, byName := map[string]*describedObject{}, map[string]*describedObject{}
	if d != nil {
		for i := range d.Objects {
			o := &d.Objects[i]
			if store.CheckName(o.Name) != nil {
				continue // it would lead elsewhere; somebody else may have written it
			}
			byName[o.Name] = o
			if o.UID != "" {
				byUID[o.UID] = o
			}
		}
	}
	for i, file := range files {
		b, err := readFile(file)
		if err != nil {
			return err
		}
		err = j.importFile(target, kind, file, b, &t, func(part object.Part, only bool) (string, *describedObject) {
			base := filepath.Base(file)
			switch {
			case only && len(files) > 1 || only && source != file:
				if localName(base) == base {
					return base, byName[base]
				}
			case byUID[part.UID] != nil:
				return byUID[part.UID].Name, byUID[part.UID]
			}
			return "", nil
		})
		if err != nil {
			return err
		}
		j.progress.show(target, i+1, len(files))
	}
	j.report(target, "", t)
	return nil
}

func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(b) > maxFile {
		err = fmt.Errorf("%s: more than %d bytes", name, maxFile)
	}
	return b, err
}

// importFile stores each object of a file. named gives the name of one, or "",
// and what else is known of it; only says that it is the file's only one.
func (j *job) importFile(target string, kind store.Kind, file string, b []byte, t *tally, named func(object.Part, bool) (string, *describedObject)) error {
	split, suffix := object.SplitCalendar, ".ics"
	if kind == store.AddressBook {
		split, suffix = object.SplitCards, ".vcf"
	}
	parts := 0
	for _, err := range split(b) {
		if parts++; err != nil || parts > 1 {
			break
		}
	}
	done := 0
	for part, err := range split(b) {
		if err != nil {
			t.refused++
			j.reject(target+"/"+localName(filepath.Base(file)), err.Error(), b)
			return nil
		}
		if err := j.ctx.Err(); err != nil {
			return err
		}
		name, about := named(part, parts == 1)
		data := part.Data
		if parts == 1 && isObject(b) {
			data = b // byte for byte
		}
		if name == "" {
			name = dav.ObjectName(part.UID, suffix, 0)
		}
		if err := j.storePart(target, name, kind, data, about, t); err != nil {
			return err
		}
		if done++; parts > 1 {
			j.progress.show(target, done, max(done, parts))
		}
	}
	return nil
}

// isObject tells a file that a client could have stored as it is from one that
// only a split makes an object of: with several cards or calendars, or with the
// name of a collection.
func isObject(b []byte) bool {
	b = bytes.ToUpper(b)
	return bytes.Count(b, []byte("BEGIN:VCALENDAR"))+bytes.Count(b, []byte("BEGIN:VCARD")) == 1 && !bytes.Contains(b, []byte("X-WR-CALNAME"))
}

func (j *job) storePart(target, name string, kind store.Kind, data []byte, about *describedObject, t *tally) error {
	path := target + "/" + name
	if j.dryRun {
		if err := check(kind, data, j.maxSize); err != nil {
			t.refused++
			j.reject(path, err.Error(), data)
			return nil
		}
		there := ""
		if j.dest != nil {
			var err error
			if there, err = j.dest.etag(path); err != nil {
				return err
			}
		}
		switch there {
		case "":
			t.fresh++
		case etagOf(data):
			t.same++
		default:
			t.kept++
		}
		return nil
	}
	o, at, _, reason, err := j.dest.put(target, name, data, "", j.overwrite)
	if err != nil {
		return err
	}
	t.add(o)
	if reason != "" {
		j.reject(path, reason, data)
		return nil
	}
	if about == nil || len(about.XML) == 0 || o != isNew {
		return nil
	}
	return j.store.Update(j.ctx, func(tx *store.Tx) error { return tx.SetObjectProps(target+"/"+at, propsOf(about.XML)) })
}

// makeFrom makes a collection with the properties that stand beside, or those
// that the file tells of itself.
func (j *job) makeFrom(target string, kind store.Kind, source string, files []string, d *described) error {
	if err := j.store.EnsurePrincipal(strings.Split(target, "/")[0]); err != nil {
		return err
	}
	var props, rich store.Props
	tag := map[store.Kind]string{store.Calendar: "VCALENDAR", store.AddressBook: "VADDRESSBOOK"}[kind]
	if d != nil {
		props, rich = propsOf(d.Properties), propsOf(d.XML)
	} else {
		name, description := "", ""
		if kind == store.Calendar && len(files) == 1 {
			b, err := readFile(files[0])
			if err != nil {
				return err
			}
			name, description = object.CalendarName(b)
		}
		// As vdirsyncer keeps them beside the objects.
		vdir := func(file string) string {
			b, err := readFile(filepath.Join(source, file))
			if err != nil || len(b) > maxVdirProperty {
				return ""
			}
			return strings.TrimSpace(string(b))
		}
		if s := vdir("displayname"); s != "" {
			name = s
		}
		if s := vdir("color"); s != "" {
			props = props.Set(store.Tag(map[store.Kind]string{store.Calendar: "http://apple.com/ns/ical/", store.AddressBook: "http://inf-it.com/ns/ab/"}[kind],
				map[store.Kind]string{store.Calendar: "calendar-color", store.AddressBook: "addressbook-color"}[kind]), s)
		}
		if name != "" {
			props = props.Set("D:displayname", name)
		}
		if description != "" {
			props = props.Set("C:calendar-description", description)
		}
	}
	if tag != "" { // else a subscription, as described
		props = props.Set(store.TagKey, tag)
	}
	err := j.store.Update(j.ctx, func(tx *store.Tx) error { return tx.Mkcol(target, props, rich) })
	if errors.Is(err, fs.ErrExist) {
		return nil // somebody was quicker
	}
	return err
}

// maxVdirProperty is the size of a file with a name or a colour, in bytes.
const maxVdirProperty = 4096

func propsOf(m map[string]string) (p store.Props) {
	for k, v := range m {
		p = p.Set(k, v)
	}
	return p
}
