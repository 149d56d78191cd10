package backend

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"path"
	"strings"

	"github.com/emersion/go-webdav"

	"inetdav/store"
	"inetdav/store/object"
)

// Open opens the object at name. What it returns is an io.Seeker too. 404 if
// there is none, 405 if it is a collection.
func (b *Backend) Open(ctx context.Context, name string) (rc io.ReadCloser, err error) {
	err = b.reading(ctx, name, func(p string) error {
		o, err := b.store.OpenObject(p)
		if errors.Is(err, store.ErrKind) {
			return refuse(http.StatusMethodNotAllowed, "a collection")
		}
		if err != nil {
			return err
		}
		rc = o
		return nil
	})
	return rc, err
}

// Stat says what is at name. The entity tag of an object is of its bytes now.
func (b *Backend) Stat(ctx context.Context, name string) (info *webdav.FileInfo, err error) {
	err = b.reading(ctx, name, func(p string) error {
		info, err = b.stat(p)
		return err
	})
	return info, err
}

func (b *Backend) stat(p string) (*webdav.FileInfo, error) {
	r, err := b.store.Resource(p)
	if err != nil {
		return nil, err
	}
	if r.Kind != store.Object {
		info := b.collectionInfo(r)
		return &info, nil
	}
	o, err := b.store.OpenObject(p)
	if err != nil {
		return nil, err
	}
	defer o.Close()
	return &webdav.FileInfo{
		Path:     b.href(p, false),
		Size:     o.Size,
		ModTime:  o.ModTime,
		MIMEType: mimeType(o.In, p),
		ETag:     bare(o.ETag),
	}, nil
}

func (b *Backend) collectionInfo(r store.Resource) webdav.FileInfo {
	return webdav.FileInfo{Path: b.href(r.Path, true), ModTime: r.ModTime, IsDir: true}
}

// mimeType is the media type of an object by where it is and its name.
func mimeType(in store.Kind, p string) string {
	switch in {
	case store.Calendar, store.Subscribed:
		return "text/calendar; charset=utf-8"
	case store.AddressBook:
		return "text/vcard; charset=utf-8"
	}
	switch strings.ToLower(path.Ext(p)) {
	case ".ics":
		return "text/calendar; charset=utf-8"
	case ".vcf":
		return "text/vcard; charset=utf-8"
	case ".txt":
		return "text/plain; charset=utf-8"
	}
	return "application/octet-stream"
}

// ReadDir lists what is at name: itself first, as go-webdav's handler wants it,
// then its members by name, collections after objects, without those that
// whoever asks may not read; if recursive, all below it. Entity tags are those
// of the index.
func (b *Backend) ReadDir(ctx context.Context, name string, recursive bool) (list []webdav.FileInfo, err error) {
	err = b.reading(ctx, name, func(p string) error {
		user, err := b.user(ctx)
		if err != nil {
			return refusal{err}
		}
		r, err := b.store.Resource(p)
		if err != nil {
			return err
		}
		if r.Kind == store.Object {
			info, err := b.stat(p)
			if err == nil {
				list = append(list, *info)
			}
			return err
		}
		list = append(list, b.collectionInfo(r))
		return b.readDir(ctx, user, p, recursive, &list)
	})
	if err != nil {
		return nil, err // never a part that looks whole
	}
	return list, nil
}

// readDir appends the members of a collection. The depth is bounded by
// what a path in the store may have, beyond which none exists.
func (b *Backend) readDir(ctx context.Context, user, p string, recursive bool, list *[]webdav.FileInfo) error {
	c, err := b.store.Listing(ctx, p)
	if err != nil {
		return err
	}
	defer c.Close()
	for rec := range c.Objects() {
		at := join(p, rec.Name)
		if !b.allow(user, at, false) {
			continue
		}
		if len(*list) >= MaxEntries {
			return tooMany()
		}
		*list = append(*list, webdav.FileInfo{
			Path:     b.href(at, false),
			Size:     rec.Size,
			ModTime:  rec.ModTime,
			MIMEType: mimeType(c.Kind(), rec.Name),
			ETag:     bare(rec.ETag()),
		})
	}
	if err := c.Err(); err != nil {
		return err
	}
	for name, err := range c.Collections() {
		at := join(p, name)
		if err == nil {
			err = b.readMember(ctx, user, at, recursive, list)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
			return err
		}
	}
	return nil
}

func (b *Backend) readMember(ctx context.Context, user, p string, recursive bool, list *[]webdav.FileInfo) error {
	if !b.allow(user, p, false) {
		return nil
	}
	r, err := b.store.Resource(p)
	if err != nil || !r.Kind.IsCollection() {
		return err
	}
	if len(*list) >= MaxEntries {
		return tooMany()
	}
	*list = append(*list, b.collectionInfo(r))
	if !recursive {
		return nil
	}
	return b.readDir(ctx, user, p, true, list)
}

func tooMany() error {
	return refuse(http.StatusInsufficientStorage, "more than %d entries: ask for less", MaxEntries)
}

// Create stores an object byte for byte: one of a calendar or an address book
// after validation, in a plain collection anything. Homes hold no files, since
// a Radicale beside us fails on them (403). 405 if there is a collection, 409
// if there is none to hold it, 412, 413.
func (b *Backend) Create(ctx context.Context, name string, body io.ReadCloser, opts *webdav.CreateOptions) (info *webdav.FileInfo, created bool, err error) {
	if opts == nil {
		opts = &webdav.CreateOptions{}
	}
	// before it is our turn: a slow client must not keep the others waiting
	data, err := io.ReadAll(io.LimitReader(body, b.store.MaxObject+1))
	if data, err = sentFile(ctx, data, err); err != nil {
		return nil, false, fail(refuse(http.StatusBadRequest, "body: %w", err))
	}
	if int64(len(data)) > b.store.MaxObject {
		return nil, false, fail(store.ErrTooLarge)
	}
	err = b.writing(ctx, name, func(p string) error {
		s, err := b.create(ctx, p, data, opts)
		if err != nil {
			return err
		}
		created = s.created
		info = &webdav.FileInfo{Path: b.href(p, false), Size: int64(len(data)), ModTime: s.modTime, ETag: s.etag}
		return nil
	})
	return info, created, err
}

func (b *Backend) create(ctx context.Context, p string, data []byte, opts *webdav.CreateOptions) (stored, error) {
	collection, _ := split(p)
	in, err := b.store.Resource(collection)
	switch {
	case p == "":
		return stored{}, refuse(http.StatusMethodNotAllowed, "a collection")
	case errors.Is(err, fs.ErrNotExist), err == nil && in.Kind == store.Object:
		return stored{}, refuse(http.StatusConflict, "no collection to hold it") // RFC 4918, 9.7.1
	case err != nil:
		return stored{}, err
	}
	if r, err := b.store.Resource(p); err == nil && r.Kind.IsCollection() {
		return stored{}, refuse(http.StatusMethodNotAllowed, "a collection")
	}
	switch {
	case in.Kind == store.Calendar, in.Kind == store.AddressBook:
		return b.putObject(ctx, p, in.Kind, data, opts.IfMatch, opts.IfNoneMatch)
	case in.Kind != store.Plain, !strings.Contains(collection, "/"):
		return stored{}, refuse(http.StatusForbidden, "files cannot be stored there")
	}
	if err := newName(p); err != nil {
		return stored{}, err
	}
	sum := object.Summary{Start: object.NoStart, End: object.NoEnd}
	return b.put(ctx, p, bytes.NewReader(data), sum, opts.IfMatch, opts.IfNoneMatch, func(*store.Tx) error { return nil })
}

// RemoveAll deletes the object, or the collection with all that is in it. 403
// for the root.
func (b *Backend) RemoveAll(ctx context.Context, name string, opts *webdav.RemoveAllOptions) error {
	if opts == nil {
		opts = &webdav.RemoveAllOptions{}
	}
	return b.writing(ctx, name, func(p string) error {
		if p == "" {
			return refuse(http.StatusForbidden, "the root stays")
		}
		return b.store.Update(ctx, func(tx *store.Tx) error {
			if err := condition(tx, p, opts.IfMatch, opts.IfNoneMatch); err != nil {
				return err
			}
			if err := unlocked(tx, p, true); err != nil {
				return err
			}
			return tx.Delete(p)
		})
	})
}

// Mkdir makes a plain collection. 405 if there is something, 409 if there is no
// collection to hold it, 403 in a calendar or an address book.
func (b *Backend) Mkdir(ctx context.Context, name string) error {
	return b.writing(ctx, name, func(p string) error { return b.mkcol(ctx, p, nil) })
}

// Copy copies an object, or a collection (with its members unless NoRecursive),
// to the URL path dest. 412 if that is taken and NoOverwrite is set, 409 if
// there is no collection to hold it, 403 if one lies in the other or it does not
// belong there; the preconditions of a PUT where dest is in a calendar or an
// address book.
func (b *Backend) Copy(ctx context.Context, name, dest string, options *webdav.CopyOptions) (created bool, err error) {
	if options == nil {
		options = &webdav.CopyOptions{}
	}
	return b.transfer(ctx, name, dest, false, options.NoOverwrite, func(tx *store.Tx, from, to string) error {
		return tx.Copy(from, to, !options.NoRecursive)
	})
}

// Move moves an object or a collection to the URL path dest, with the errors of
// Copy.
func (b *Backend) Move(ctx context.Context, name, dest string, options *webdav.MoveOptions) (created bool, err error) {
	if options == nil {
		options = &webdav.MoveOptions{}
	}
	return b.transfer(ctx, name, dest, true, options.NoOverwrite, func(tx *store.Tx, from, to string) error {
		return tx.Move(from, to)
	})
}

func (b *Backend) transfer(ctx context.Context, name, dest string, move, noOverwrite bool, do func(tx *store.Tx, from, to string) error) (created bool, err error) {
	from, err := b.path(name)
	if err == nil {
		err = b.need(ctx, from, move)
	}
	if err != nil {
		return false, fail(err)
	}
	err = b.writing(ctx, dest, func(to string) error {
		if err := newName(to); err != nil {
			return err
		}
		if within(to, from) || within(from, to) { // RFC 4918, 9.8.5 and 9.9.4
			return refuse(http.StatusForbidden, "source and destination overlap")
		}
		return b.store.Update(ctx, func(tx *store.Tx) error {
			replaced, err := ready(tx, from, to, move, noOverwrite)
			if err == nil {
				err = unlocked(tx, to, !replaced)
			}
			if err == nil && move {
				err = unlocked(tx, from, true)
			}
			if err != nil {
				return err
			}
			created = !replaced
			return do(tx, from, to)
		})
	})
	return created && err == nil, err
}

// within reports whether p is the collection or something in it.
func within(p, collection string) bool {
	rest, ok := strings.CutPrefix(p, collection)
	return ok && (collection == "" || rest == "" || rest[0] == '/')
}

// ready checks that what is at from fits where it is to go (RFC 4918, 9.8.5 and
// 9.9.4; RFC 4791, 5.3.2.1; RFC 6352, 6.3.2.1), and says whether something there
// will be replaced.
func ready(tx *store.Tx, from, to string, move, noOverwrite bool) (replaced bool, err error) {
	source, err := tx.Resource(from)
	if err != nil {
		return false, err
	}
	collection, _ := split(to)
	in, err := tx.Resource(collection)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !in.Kind.IsCollection() {
		return false, refuse(http.StatusConflict, "no collection to hold it")
	}
	if err != nil {
		return false, err
	}
	there, err := tx.Resource(to)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	replaced = err == nil
	isHome := !strings.Contains(to, "/")
	switch {
	case replaced && noOverwrite:
		return replaced, refuse(http.StatusPreconditionFailed, "exists")
	case source.Kind.IsCollection() && in.Kind != store.Plain:
		return replaced, notInside(source.Kind)
	case source.Kind.IsCollection() && replaced && isHome:
		return replaced, refuse(http.StatusForbidden, "a home is there")
	case source.Kind.IsCollection():
		return replaced, nil
	case replaced && there.Kind.IsCollection() && (there.Kind != store.Plain || isHome):
		return replaced, refuse(http.StatusForbidden, "a collection is there")
	case in.Kind == store.Calendar || in.Kind == store.AddressBook:
		return replaced, fits(tx, source, in, to, move)
	case in.Kind != store.Plain, !strings.Contains(collection, "/"):
		return replaced, refuse(http.StatusForbidden, "objects cannot be stored there")
	}
	return replaced, nil
}

// fits checks that an object may go into a calendar or address book.
func fits(tx *store.Tx, source, in store.Resource, to string, move bool) error {
	collection, name := split(source.Path)
	c, err := tx.Collection(collection)
	if err != nil {
		return err
	}
	var sum object.Summary
	if source.In == in.Kind {
		r, ok := c.Lookup(name)
		if !ok {
			return cmp.Or(c.Err(), fs.ErrNotExist)
		}
		sum = r.Summary
	} else {
		data, _, err := c.Read(name, nil)
		if err != nil {
			return err
		}
		if sum, err = check(in.Kind, data); err != nil {
			return err
		}
	}
	if err := accepts(tx, in.Path, &sum); err != nil || move && in.Path == collection {
		return err // within a collection only its name changes
	}
	return uidConflict(tx, to, sum.UID)
}
