package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"inetdav/dav"
	"inetdav/dav/access"
	"inetdav/dav/config"
	"inetdav/dav/davxml"
	"inetdav/store"
	"inetdav/store/object"
)

// A destination is the storage folder, written to as a client does.
type destination struct {
	store   *store.Store
	handler http.Handler
	folder  string
	said    string // what the handler logged last
}

func newDestination(s *store.Store, c *config.Config, folder string) (*destination, error) {
	auth, err := access.NewAuthenticator(c)
	if err != nil {
		return nil, err
	}
	rights, err := access.NewRights(c)
	if err != nil {
		return nil, err
	}
	d := &destination{store: s, folder: folder}
	logf := func(_ int, format string, args ...any) { d.said = fmt.Sprintf(format, args...) }
	auth.Logf = logf
	d.handler, err = dav.New(dav.Options{Store: s, Auth: auth, Rights: rights, Config: c, Logf: logf, Version: version})
	return d, err
}

// answer is what the handler answered.
type answer struct {
	status int
	header http.Header
	body   bytes.Buffer
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) WriteHeader(status int)      { a.status = status }
func (a *answer) Write(b []byte) (int, error) { return a.body.Write(b) }

// do is one request. An error is the storage's fault, and no use in going on;
// what the request asks for in vain is a status.
func (d *destination) do(method, path string, body []byte, headers ...string) (a *answer, err error) {
	r, err := http.NewRequest(method, "http://localhost"+davxml.EscapePath("/"+path), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	r.RemoteAddr = "127.0.0.1:0"
	r.RequestURI = r.URL.RequestURI()
	a = &answer{status: http.StatusOK, header: http.Header{}}
	d.said = ""
	defer func() {
		if p := recover(); p == http.ErrAbortHandler {
			err = fmt.Errorf("%s %q: %s", method, path, d.said)
		} else if p != nil {
			panic(p)
		}
	}()
	d.handler.ServeHTTP(a, r)
	if a.status >= 500 {
		return nil, fmt.Errorf("%s %q: %d %s", method, path, a.status, d.reason())
	}
	return a, nil
}

// reason is why the handler refused, in its words.
func (d *destination) reason() string {
	_, reason, ok := strings.Cut(d.said, ": ")
	if !ok {
		reason = d.said
	}
	return reason
}

// outcome is what became of an object.
type outcome uint8

const (
	isNew     outcome = iota // stored
	isChanged                // stored over what was there
	isSame                   // was there
	isKept                   // ours is another one, and stays
	isRefused                // cannot be stored
)

// put stores an object. known is the entity tag under which the last import
// stored it, or "": there was none. It returns under which name (name, if no
// other object of the collection has its UID) and entity tag it is there now,
// and the reason when it is not.
func (d *destination) put(collection, name string, data []byte, known string, overwrite bool) (o outcome, at, etag, reason string, err error) {
	etag = etagOf(data)
	path := collection + "/" + name
	condition := []string{"If-None-Match", "*"}
	if known != "" {
		condition = []string{"If-Match", known}
	}
	a, err := d.do(http.MethodPut, path, data, condition...)
	if err != nil {
		return 0, "", "", "", err
	}
	switch a.status {
	case http.StatusCreated:
		return isNew, name, etag, "", nil
	case http.StatusNoContent:
		return isChanged, name, etag, "", nil
	}
	reason = d.reason()
	at = name
	there, err := d.etag(path)
	if err != nil {
		return 0, "", "", "", err
	}
	switch {
	case a.status == http.StatusPreconditionFailed && there == "":
		reason = "was removed here since"
	case a.status == http.StatusPreconditionFailed:
		reason = "another one is here under this name"
		if known != "" {
			reason = "was changed here since"
		}
	default: // another object has the UID?
		if at, there, err = d.claimant(collection, a); err != nil {
			return 0, "", "", "", err
		}
		if at == "" {
			return isRefused, "", "", reason, nil
		}
		reason = fmt.Sprintf("%q has the same UID", at)
	}
	if there == etag {
		return isSame, at, etag, "", nil
	}
	if !overwrite {
		return isKept, "", "", reason, nil
	}
	if a, err = d.do(http.MethodPut, collection+"/"+at, data); err != nil {
		return 0, "", "", "", err
	}
	if a.status != http.StatusCreated && a.status != http.StatusNoContent {
		return isRefused, "", "", d.reason(), nil
	}
	return isChanged, at, etag, "", nil
}

// claimant is the object that a no-uid-conflict names.
func (d *destination) claimant(collection string, a *answer) (name, etag string, err error) {
	root, err := davxml.Parse(a.body.Bytes())
	if err != nil {
		return "", "", nil // no such answer
	}
	for cond := range root.Elements() {
		if cond.Name.Local != "no-uid-conflict" {
			continue
		}
		path, ok := pathOf(cond.Child(davxml.Name{Space: davxml.DAV, Local: "href"}).Text())
		name, inside := strings.CutPrefix(path, "/"+collection+"/")
		if !ok || !inside {
			return "", "", nil
		}
		etag, err := d.etag(collection + "/" + name)
		return name, etag, err
	}
	return "", "", nil
}

// etag is the entity tag of an object now; "" if it is not there.
func (d *destination) etag(path string) (string, error) {
	o, err := d.store.OpenObject(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, store.ErrKind) || errors.Is(err, store.ErrName) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return o.ETag, o.Close()
}

// remove removes an object unless it was changed since it was stored with this
// entity tag.
func (d *destination) remove(path, etag string) (gone bool, err error) {
	a, err := d.do(http.MethodDelete, path, nil, "If-Match", etag)
	if err != nil {
		return false, err
	}
	return a.status/100 == 2, nil
}

// kindAt is the kind of the collection at path; store.None if there is none.
func (d *destination) kindAt(path string) (store.Kind, error) {
	if d == nil {
		return store.None, nil
	}
	r, err := d.store.Resource(path)
	if errors.Is(err, fs.ErrNotExist) {
		return store.None, nil
	}
	return r.Kind, err
}

// etagOf is the entity tag of bytes as the store has them.
func etagOf(data []byte) string {
	sum := sha256.Sum256(data)
	return `"` + hex.EncodeToString(sum[:]) + `"`
}

// check says why the folder would refuse an object, or nil: for who wants to
// know without storing it.
func check(kind store.Kind, data []byte, limit int64) error {
	if int64(len(data)) > limit {
		return fmt.Errorf("%d bytes are more than max_resource_size", len(data))
	}
	if kind == store.AddressBook {
		card, err := object.ParseCard(data)
		if err == nil {
			err = card.Check()
		}
		return err
	}
	cal, err := object.ParseCalendar(data)
	if err == nil {
		err = cal.Check()
	}
	return err
}

// writeReject keeps an object that could not be stored.
func writeReject(folder, path string, data []byte) error {
	if !filepath.IsLocal(path) {
		return fmt.Errorf("%q would lead out of %s", path, folder)
	}
	file := filepath.Join(folder, filepath.FromSlash(path))
	if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
		return err
	}
	return os.WriteFile(file, data, 0o666)
}
