package store

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
)

// Props are properties ordered by key, as .Radicale.props holds them: a key is
// a human tag (see Tag) or one of Radicale's own words ("tag"). Values are text.
type Props []Prop

// Prop is one property.
type Prop struct{ Key, Value string }

func (p Props) find(key string) (int, bool) {
	return slices.BinarySearchFunc(p, key, func(prop Prop, key string) int {
		return strings.Compare(prop.Key, key)
	})
}

// Get returns the value of key.
func (p Props) Get(key string) (value string, ok bool) {
	if i, ok := p.find(key); ok {
		return p[i].Value, true
	}
	return "", false
}

// Set returns p with key set to value; p is not modified.
func (p Props) Set(key, value string) Props {
	i, ok := p.find(key)
	if ok {
		p = slices.Clone(p)
		p[i].Value = value
		return p
	}
	return slices.Insert(slices.Clone(p), i, Prop{key, value})
}

// Without returns p without key; p is not modified.
func (p Props) Without(key string) Props {
	if i, ok := p.find(key); ok {
		return slices.Delete(slices.Clone(p), i, i+1)
	}
	return p
}

// sorted returns p in order, with the last of those with equal keys. p is
// overwritten.
func (p Props) sorted() Props {
	slices.SortStableFunc(p, func(a, b Prop) int { return strings.Compare(a.Key, b.Key) })
	kept := p[:0]
	for i, prop := range p {
		if i+1 == len(p) || p[i+1].Key != prop.Key {
			kept = append(kept, prop)
		}
	}
	return kept
}

// TagKey is the key whose value says what kind of collection it is.
const TagKey = "tag"

// Kind returns the kind of a collection with these properties. A tag that is
// not known makes it Plain.
func (p Props) Kind() Kind {
	switch tag, _ := p.Get(TagKey); tag {
	case "VCALENDAR":
		return Calendar
	case "VADDRESSBOOK":
		return AddressBook
	case "VSUBSCRIBED":
		return Subscribed
	}
	return Plain
}

// prefixes are the namespaces Radicale has short names for.
var prefixes = [...]struct{ prefix, space string }{
	{"C", "urn:ietf:params:xml:ns:caldav"},
	{"CR", "urn:ietf:params:xml:ns:carddav"},
	{"D", "DAV:"},
	{"CS", "http://calendarserver.org/ns/"},
	{"ICAL", "http://apple.com/ns/ical/"},
	{"ME", "http://me.com/_namespace/"},
	{"RADICALE", "http://radicale.org/ns/"},
}

// Tag returns the key of a property: "D:displayname" for the namespaces which
// Radicale knows, else Clark's "{namespace}name".
func Tag(space, local string) string {
	for i := range prefixes {
		if prefixes[i].space == space {
			return prefixes[i].prefix + ":" + local
		}
	}
	return "{" + space + "}" + local
}

// SplitTag is the inverse of Tag. ok is false for a key that is no property's,
// such as "tag".
func SplitTag(key string) (space, local string, ok bool) {
	if clark, ok := strings.CutPrefix(key, "{"); ok {
		// the last one: a namespace may hold it, a local name cannot
		i := strings.LastIndexByte(clark, '}')
		if i < 0 || i == len(clark)-1 {
			return "", "", false
		}
		return clark[:i], clark[i+1:], true
	}
	prefix, local, ok := strings.Cut(key, ":")
	if !ok || local == "" {
		return "", "", false
	}
	for i := range prefixes {
		if prefixes[i].prefix == prefix {
			return prefixes[i].space, local, true
		}
	}
	return "", "", false
}

// readSmall reads a file of the folder; one that is missing is empty.
func (f *folder) readSmall(name string) ([]byte, fileStat, error) {
	fd, st, err := f.openMember(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fileStat{}, nil
	}
	if err != nil {
		return nil, fileStat{}, err
	}
	defer fd.close()
	b, err := fd.readAll(nil, st.size, maxProps)
	return b, st, pathError("read", name, err)
}

// collectionProps are the properties of a collection and the file they stand in.
type collectionProps struct {
	Props
	raw   []byte
	mtime int64 // Unix nanoseconds; 0 if there is no file
}

// readProps reads .Radicale.props. What cannot be understood is left out, with
// a line in the log: a collection does not become unreachable by it.
func (s *Store) readProps(f *folder) (collectionProps, error) {
	raw, st, err := f.readSmall(propsName)
	if err != nil {
		return collectionProps{}, err
	}
	cp := collectionProps{raw: raw, mtime: st.mtime}
	if raw == nil {
		return cp, nil
	}
	if cp.Props, err = parseProps(raw); err != nil {
		s.logf(LevelWarning, "%s of %q: %v", propsName, f.path, err)
	}
	if tag, _ := cp.Get(TagKey); tag != "" && cp.Kind() == Plain {
		s.logf(LevelWarning, "%s of %q: unknown tag %q", propsName, f.path, tag)
	}
	return cp, nil
}
