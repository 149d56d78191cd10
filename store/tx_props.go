package store

import "slices"

// This file is what a Tx does with properties.

// SetProps replaces the properties of the collection at path and, beside
// them, those which are more than text (see Collection.ObjectProps): both or
// neither. ErrTooLarge if either do not fit into their file.
func (tx *Tx) SetProps(path string, p, rich Props) error {
	err := tx.changeCollection(path, func(f *folder) error { return tx.s.writeAllProps(f, p, rich) })
	tx.forget(path) // its kind may be another now
	return err
}

// writeAllProps writes both files, or, in vain, only temporary ones.
func (s *Store) writeAllProps(f *folder, p, rich Props) error {
	b, err := p.encode()
	if err != nil {
		return err
	}
	text, err := f.writeTemp(b)
	if err != nil {
		return err
	}
	if _, err = s.replaceDead(f, "", rich); err == nil {
		err = f.rename(text, f.dir, propsName)
	}
	if err != nil {
		f.unlink(text)
	}
	return err
}

// encode returns the properties as .Radicale.props holds them.
func (p Props) encode() ([]byte, error) {
	b := slices.Clone(p).sorted().appendJSON(nil)
	if len(b) > maxProps {
		return nil, pathError("write", propsName, ErrTooLarge)
	}
	return b, nil
}

// changeCollection changes something about the collection itself.
func (tx *Tx) changeCollection(path string, do func(f *folder) error) error {
	f, err := tx.unjournaled(path)
	if err != nil {
		return err
	}
	if f != nil {
		if err := tx.did(do(f)); err != nil {
			return err
		}
		return f.sync()
	}
	l, err := tx.live(path)
	if err != nil {
		return err
	}
	return l.change(entryStamp, nil, func() error { return tx.did(do(l.f)) })
}

// writeProps writes .Radicale.props.
func (d dir) writeProps(p Props) error {
	b, err := p.encode()
	if err != nil {
		return err
	}
	return d.writeFile(propsName, func(f file) error {
		_, err := f.Write(b)
		return err
	})
}

// ObjectProps returns the dead properties of the object at path, or those of a
// collection which are more than text. See Collection.ObjectProps.
func (tx *Tx) ObjectProps(path string) (Props, error) {
	r, err := tx.s.Resource(path)
	if err != nil {
		return nil, err
	}
	if r.Kind == Object {
		return tx.s.ObjectProps(path)
	}
	return tx.s.ownProps(path, "")
}

// ObjectProps returns the dead properties of the object at path as they are now,
// without looking whether there is one. See Collection.ObjectProps.
func (s *Store) ObjectProps(path string) (Props, error) {
	collection, name := splitPath(path)
	return s.ownProps(collection, name)
}

func (s *Store) ownProps(collection, name string) (Props, error) {
	f, err := s.openFolder(collection)
	if err != nil {
		return nil, err
	}
	defer f.close()
	return s.dead(f, name)
}

// SetObjectProps replaces them; none removes them. An object's are kept in its
// collection, those of a collection in itself.
func (tx *Tx) SetObjectProps(path string, p Props) error {
	r, err := tx.s.Resource(path)
	if err != nil {
		return err
	}
	name := ""
	if r.Kind == Object {
		path, name = splitPath(path)
	}
	return tx.changeCollection(path, func(f *folder) error { return tx.s.setDead(f, name, p) })
}
