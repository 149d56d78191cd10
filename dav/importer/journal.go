package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// journalFolder is the folder, beside collection-root, where imports write down
// what they have done. Nothing but time is lost with it.
const journalFolder = ".inetdav.import"

// maxJournalLine bounds a line of a journal, in bytes.
const maxJournalLine = 1 << 20

// A journal remembers what was fetched from one collection of another server
// into one of ours: a file of JSON lines, of which the last one about an object
// counts. A torn last line is none.
type journal struct {
	file    *os.File // nil: a dry run
	objects map[string]fetched
	seen    map[string]bool // what the source has now
	begun   bool            // the collection was made by an import
	props   bool            // its properties have been set
	path    string
}

// fetched is an object as it was fetched and stored.
type fetched struct {
	Step string `json:"collection,omitempty"` // begun or done: the line is about the collection
	Path string `json:"path,omitempty"`       // there
	ETag string `json:"etag,omitempty"`       // there
	Name string `json:"name,omitempty"`       // here; "": removed
	Ours string `json:"ours,omitempty"`       // entity tag here
}

// openJournal opens the journal of a pair of collections. A dry run (write is
// false) makes none.
func openJournal(folder, source, target string, write bool) (*journal, error) {
	sum := sha256.Sum256([]byte(source + "\x00" + target))
	j := &journal{objects: map[string]fetched{}, path: filepath.Join(folder, journalFolder, fmt.Sprintf("%x", sum[:12]))}
	b, err := os.ReadFile(j.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	j.read(b)
	if !write {
		return j, nil
	}
	if err := os.MkdirAll(filepath.Dir(j.path), 0o700); err != nil {
		return nil, err
	}
	// Rewritten whole: shorter, and without a torn end.
	if err := j.compact(source, target); err != nil {
		return nil, err
	}
	j.file, err = os.OpenFile(j.path, os.O_WRONLY|os.O_APPEND, 0)
	return j, err
}

func (j *journal) read(b []byte) {
	lines := bufio.NewScanner(bytes.NewReader(b))
	lines.Buffer(nil, maxJournalLine)
	for lines.Scan() {
		var f fetched
		if json.Unmarshal(lines.Bytes(), &f) == nil {
			j.note(f)
		}
	}
}

func (j *journal) note(f fetched) {
	switch {
	case f.Step != "":
		j.begun, j.props = true, f.Step == stepDone
	case f.Name == "":
		delete(j.objects, f.Path)
	default:
		j.objects[f.Path] = f
	}
}

// Steps in the life of a collection.
const (
	stepBegun = "begun" // its properties may not all be there
	stepDone  = "done"
)

func (j *journal) compact(source, target string) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# inetdav import, what came from %q to %q; may be deleted\n", source, target)
	e := json.NewEncoder(&b)
	if j.begun {
		e.Encode(fetched{Step: map[bool]string{false: stepBegun, true: stepDone}[j.props]})
	}
	for _, f := range j.objects {
		e.Encode(f)
	}
	temp := j.path + ".new"
	if err := os.WriteFile(temp, b.Bytes(), 0o600); err != nil {
		return err
	}
	return os.Rename(temp, j.path)
}

// add writes down what has been stored, or removed.
func (j *journal) add(f fetched) error {
	j.note(f)
	if j.file == nil {
		return nil
	}
	line, err := json.Marshal(f)
	if err == nil {
		_, err = j.file.Write(append(line, '\n'))
	}
	return err
}

// forget empties the journal: what it tells of is gone.
func (j *journal) forget() error {
	clear(j.objects)
	j.begun, j.props = false, false
	if j.file == nil {
		return nil
	}
	return j.file.Truncate(0)
}

func (j *journal) close() {
	if j.file != nil {
		j.file.Close()
	}
}
