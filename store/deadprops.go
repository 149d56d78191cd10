package store

import (
	"slices"
	"strings"
)

// The dead properties of objects (RFC 4918, 4.1), and those of a collection
// whose values are more than text, are kept in .inetdav.props in the
// collection's folder, where Radicale does not look: a JSON object of names,
// each with an object of Clark names and XML. The collection's own stand under
// the empty name.

// memberProps are the dead properties of one object.
type memberProps struct {
	name  string
	props Props
}

// deadProps are the contents of a .inetdav.props, ordered by name.
type deadProps []memberProps

func (d deadProps) find(name string) (int, bool) {
	return slices.BinarySearchFunc(d, name, func(m memberProps, name string) int {
		return strings.Compare(m.name, name)
	})
}

// get returns the properties of the object called name.
func (d deadProps) get(name string) Props {
	if i, ok := d.find(name); ok {
		return d[i].props
	}
	return nil
}

// set returns d with the properties of the object called name replaced;
// without any, the object is left out. d itself may be overwritten.
func (d deadProps) set(name string, p Props) deadProps {
	i, ok := d.find(name)
	switch {
	case ok && len(p) == 0:
		return slices.Delete(d, i, i+1)
	case ok:
		d[i].props = p
	case len(p) > 0:
		return slices.Insert(d, i, memberProps{name, p})
	}
	return d
}

func (d deadProps) appendJSON(dst []byte) []byte {
	dst = append(dst, '{')
	for i, m := range d {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		dst = appendJSONString(dst, m.name)
		dst = append(dst, ": "...)
		dst = m.props.appendJSON(dst)
	}
	return append(dst, '}')
}

// parseDeadProps reads a .inetdav.props; see parseProps for values of unexpected types.
func parseDeadProps(b []byte) (deadProps, error) {
	j := jsonReader{b: b}
	var d deadProps
	err := j.document(func() error {
		return j.object(func(name string) error {
			if j.peek() != '{' {
				return j.skip(name, 0)
			}
			var p Props
			err := j.props(&p)
			d = append(d, memberProps{name, p})
			return err
		})
	})
	slices.SortStableFunc(d, func(a, b memberProps) int { return strings.Compare(a.name, b.name) })
	d = slices.CompactFunc(d, func(a, b memberProps) bool { return a.name == b.name })
	if err == nil {
		err = j.odd
	}
	return d, err
}

// readDeadProps reads .inetdav.props, as readProps does.
func (s *Store) readDeadProps(f *folder) (deadProps, error) {
	raw, _, err := f.readSmall(deadPropsName)
	if err != nil || raw == nil {
		return nil, err
	}
	d, err := parseDeadProps(raw)
	if err != nil {
		s.logf(LevelWarning, "%s of %q: %v", deadPropsName, f.path, err)
	}
	return d, nil
}

// dead returns the dead properties of the object called name.
func (s *Store) dead(f *folder, name string) (Props, error) {
	d, err := s.readDeadProps(f)
	return d.get(name), err
}

// setDead replaces the dead properties of the object called name, as part of a
// change. Without any, and if it had none, nothing is written.
func (s *Store) setDead(f *folder, name string, p Props) error {
	d, err := s.readDeadProps(f)
	if err != nil || len(p) == 0 && len(d.get(name)) == 0 {
		return err
	}
	if d = d.set(name, slices.Clone(p).sorted()); len(d) == 0 {
		return f.unlink(deadPropsName)
	}
	return f.writeDeadProps(d)
}

// replaceDead is setDead, before the rest of the change: where both would be
// durable only at its end, the disk could keep the rest alone. It gives those that
// were there before.
func (s *Store) replaceDead(f *folder, name string, p Props) (before Props, err error) {
	if before, err = s.dead(f, name); err != nil {
		return nil, err
	}
	if err = s.setDead(f, name, p); err == nil && len(before)+len(p) > 0 {
		err = f.sync()
	}
	return before, err
}

// writeDeadProps writes .inetdav.props, or nothing where there is nothing to keep.
func (f dir) writeDeadProps(d deadProps) error {
	if len(d) == 0 {
		return nil
	}
	b := d.appendJSON(nil)
	if len(b) > maxProps {
		return pathError("write", deadPropsName, ErrTooLarge)
	}
	return f.writeFile(deadPropsName, func(f file) error {
		_, err := f.Write(b)
		return err
	})
}
