package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io"

	"golang.org/x/sys/unix"
)

// OpenedObject is one object opened for reading: the file itself, not what the
// journal says of it.
type OpenedObject struct {
	Resource
	ETag string // with quotes
	io.ReadSeeker
	file file
	sum  sum
}

// OpenObject opens the object at path. The errors are those of Resource;
// ErrKind if it is a collection.
func (s *Store) OpenObject(path string) (*OpenedObject, error) {
	o, err := s.openObject(path)
	if err != nil {
		return nil, err
	}
	if err := s.setTag(o); err != nil {
		o.Close()
		return nil, err
	}
	return o, nil
}

// setTag looks up the entity tag, where it may be another than the hash of what
// has been read.
func (s *Store) setTag(o *OpenedObject) error {
	collection, name := splitPath(o.Path)
	tagged, err := s.tagged(collection)
	if err != nil || !tagged {
		return err
	}
	c, err := s.Collection(context.Background(), collection)
	if err != nil {
		return err
	}
	defer c.Close()
	if r, ok := c.Lookup(name); ok && r.sum == o.sum {
		o.ETag = r.ETag()
	}
	return c.Err()
}

// openObject is OpenObject, whose entity tag is always the hash.
func (s *Store) openObject(path string) (*OpenedObject, error) {
	r, err := s.Resource(path)
	if err != nil {
		return nil, err
	}
	if r.Kind != Object {
		return nil, pathError("open", path, ErrKind)
	}
	fd, err := s.root.open(path, unix.O_RDONLY)
	if err != nil {
		return nil, err
	}
	o := &OpenedObject{Resource: r, file: file(fd)}
	if err := o.read(o.file); err != nil {
		o.Close()
		return nil, err
	}
	return o, nil
}

// read computes the entity tag. A file of usual size stays in memory: what is
// sent is then what the tag says, whatever is done to the file.
func (o *OpenedObject) read(f file) error {
	st, err := fstat(int(f))
	if err != nil {
		return err
	}
	o.Size = st.size
	var digest sum
	if st.size <= maxInMemory {
		b, err := f.readAll(nil, st.size, maxInMemory)
		if err != nil {
			return pathError("read", o.Path, err)
		}
		digest = hash(b)
		o.ReadSeeker, o.Size = bytes.NewReader(b), int64(len(b))
	} else {
		h := sha256.New()
		part := io.NewSectionReader(f, 0, st.size)
		if _, err := io.Copy(h, part); err != nil {
			return pathError("read", o.Path, err)
		}
		h.Sum(digest[:0])
		part.Seek(0, io.SeekStart)
		o.ReadSeeker = part
	}
	o.sum, o.ETag = digest, digest.etag()
	return nil
}

// Close lets the file go.
func (o *OpenedObject) Close() error {
	o.file.close()
	return nil
}
