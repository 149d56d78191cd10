package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"inetdav/dav/config"
	"inetdav/store"
)

// A crash at any moment. The real program is run once for each kind of write
// with its system calls recorded (strace). What a crash would have left is then
// made of the record, after each call, by a model of a file system which keeps
//
//   - what was synced: a file's bytes by fsync of the file, a name by fsync of
//     its folder, everything by syncfs;
//   - of the rest whatever it likes, in whatever order: all (so it is when only
//     the process is killed), nothing, names without bytes, bytes without names,
//     each change alone, all but one, and some by chance.
//
// A rename is one change, also that from one folder to another. In each such folder everything has to be as before or as after, as
// after if the client had its answer, and the next ones must be served.

// fsNode is a file or a folder of the model.
type fsNode struct {
	id   int
	data []byte
	sub  map[string]*fsNode // nil: a file
}

func (n *fsNode) walk(path string, f func(path string, n *fsNode)) {
	for _, name := range slices.Sorted(maps.Keys(n.sub)) {
		child := filepath.Join(path, name)
		f(child, n.sub[name])
		n.sub[name].walk(child, f)
	}
}

// fsOp is one change: name in the folder node is now what (nil: nothing), or
// bytes of the file node.
type fsOp struct {
	at    int // number of the call
	node  *fsNode
	name  string
	what  *fsNode
	bytes []byte // with name == ""
	off   int64
	trunc bool  // to off
	needs *fsOp // the other half of a rename
	sure  int   // number of the call which made it durable
	call  string
}

func (o *fsOp) isName() bool { return o.name != "" }

// fsRecord is what a program did to a folder.
type fsRecord struct {
	root     string
	before   *fsNode // what was there
	now      *fsNode
	ops      []*fsOp
	calls    int
	answered int // number of the call that told the client that it is done
	ids      int
	unknown  []string

	forgets bool // the calendar may be another one, with another history

	token string            // of /demo/cal/ before
	had   map[string]string // its objects by then
}

const never = 1 << 30

func (r *fsRecord) newNode(dir bool) *fsNode {
	r.ids++
	n := &fsNode{id: r.ids}
	if dir {
		n.sub = map[string]*fsNode{}
	}
	return n
}

func (r *fsRecord) readFolder(path string) (*fsNode, error) {
	n := r.newNode(true)
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		child := filepath.Join(path, e.Name())
		if e.IsDir() {
			if n.sub[e.Name()], err = r.readFolder(child); err != nil {
				return nil, err
			}
			continue
		}
		file := r.newNode(false)
		if file.data, err = os.ReadFile(child); err != nil {
			return nil, err
		}
		n.sub[e.Name()] = file
	}
	return n, nil
}

// clone copies a tree; nodes keep their ids.
func (n *fsNode) clone(byID map[int]*fsNode) *fsNode {
	c := &fsNode{id: n.id, data: slices.Clone(n.data)}
	byID[n.id] = c
	if n.sub != nil {
		c.sub = make(map[string]*fsNode, len(n.sub))
		for name, child := range n.sub {
			c.sub[name] = child.clone(byID)
		}
	}
	return c
}

// find gives the node at an absolute path; nil outside of the folder, or if
// there is none.
func (r *fsRecord) find(path string) *fsNode {
	rel, err := filepath.Rel(r.root, path)
	if err != nil || rel == ".." || strings.HasPrefix(rel, "../") {
		return nil
	}
	n := r.now
	if rel == "." {
		return n
	}
	for segment := range strings.SplitSeq(rel, "/") {
		if n = n.sub[segment]; n == nil {
			return nil
		}
	}
	return n
}

func (r *fsRecord) inside(path string) bool { return strings.HasPrefix(path, r.root+"/") }

// apply does one change to the tree as it is.
func (o *fsOp) apply(node, what *fsNode) {
	switch {
	case o.isName() && what == nil:
		delete(node.sub, o.name)
	case o.isName():
		node.sub[o.name] = what
	case o.trunc:
		node.data = append(node.data, make([]byte, max(0, int(o.off)-len(node.data)))...)[:o.off]
	default:
		if grow := int(o.off) + len(o.bytes) - len(node.data); grow > 0 {
			node.data = append(node.data, make([]byte, grow)...)
		}
		copy(node.data[o.off:], o.bytes)
	}
}

func (r *fsRecord) add(call string, o *fsOp) *fsOp {
	o.at, o.sure, o.call = r.calls, never, call
	o.apply(o.node, o.what)
	r.ops = append(r.ops, o)
	return o
}

// synced notes which changes are durable from now on.
func (r *fsRecord) synced(covers func(o *fsOp) bool) {
	for _, o := range r.ops {
		if o.sure == never && covers(o) {
			o.sure = r.calls
			if o.needs != nil {
				o.needs.sure = r.calls
			}
		}
	}
}

// A traced call: arguments as strace -y -xx prints them.
type tracedCall struct {
	name string
	args []string
	ret  int
	fd   string // what the descriptor returned is
}

// splitTrace reads strace's output; calls in the order in which they ended.
func splitTrace(text string) (calls []tracedCall) {
	begun := map[string]string{}
	for line := range strings.Lines(text) {
		pid, line, _ := strings.Cut(strings.TrimRight(line, "\n"), " ")
		line = strings.TrimLeft(line, " ")
		if head, ok := strings.CutSuffix(line, " <unfinished ...>"); ok {
			begun[pid] = head
			continue
		}
		if strings.HasPrefix(line, "<... ") {
			_, tail, _ := strings.Cut(line, " resumed>")
			line = begun[pid] + tail
			delete(begun, pid)
		}
		name, rest, ok := strings.Cut(line, "(")
		end := strings.LastIndex(rest, ") = ")
		if end < 0 { // padded to a column
			if end = strings.LastIndex(rest, " = "); end >= 0 {
				end = strings.LastIndex(rest[:end], ")")
			}
		}
		if !ok || end < 0 {
			continue
		}
		_, result, _ := strings.Cut(rest[end:], "= ")
		result, _, _ = strings.Cut(result, " ")
		number, fd, _ := strings.Cut(result, "<")
		c := tracedCall{name: name, fd: unhex(strings.TrimSuffix(fd, ">"))}
		if n, err := strconv.Atoi(number); err == nil {
			c.ret = n
		}
		c.args = strings.Split(rest[:end], ", ")
		calls = append(calls, c)
	}
	return calls
}

// unhex reads \x12\x34.
func unhex(s string) string {
	b, err := hex.DecodeString(strings.ReplaceAll(s, `\x`, ""))
	if err != nil {
		return s
	}
	return string(b)
}

func (c *tracedCall) text(i int) string {
	s, ok := strings.CutPrefix(c.args[i], `"`)
	if !ok {
		return ""
	}
	s, _, _ = strings.Cut(s, `"`)
	return unhex(s)
}

// folder gives the path of a descriptor, as it is called now.
func (c *tracedCall) folder(i int) string {
	_, path, _ := strings.Cut(c.args[i], "<")
	path, _, _ = strings.Cut(path, ">")
	return unhex(path)
}

// path gives the absolute path of a name relative to a descriptor.
func (c *tracedCall) path(at, name int) string {
	path := c.text(name)
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(c.folder(at), path)
}

func (c *tracedCall) number(i int) int64 {
	n, _ := strconv.ParseInt(c.args[i], 0, 64)
	return n
}

// record replays a trace of a program that began with the folder before.
func (r *fsRecord) replay(trace string) {
	r.now = r.before.clone(map[int]*fsNode{})
	nodes := map[string]int64{} // where write(2) goes on, by descriptor
	for _, c := range splitTrace(trace) {
		if c.ret < 0 || len(c.args) == 0 {
			continue
		}
		descriptor, _, _ := strings.Cut(c.args[0], "<")
		change := func(o *fsOp) *fsOp { return r.add(c.name, o) }
		parent := func(path string) *fsNode { return r.find(filepath.Dir(path)) }
		switch c.name {
		case "openat", "openat2":
			delete(nodes, strconv.Itoa(c.ret))
			path := c.path(0, 1)
			if !r.inside(path) || !strings.Contains(c.args[2], "O_CREAT") && !strings.Contains(c.args[2], "O_TRUNC") {
				continue
			}
			if n := r.find(path); n == nil {
				r.calls++
				change(&fsOp{node: parent(path), name: filepath.Base(path), what: r.newNode(false)})
			} else if strings.Contains(c.args[2], "O_TRUNC") && len(n.data) > 0 {
				r.calls++
				change(&fsOp{node: n, trunc: true})
			}
		case "mkdirat":
			if path := c.path(0, 1); r.inside(path) {
				r.calls++
				change(&fsOp{node: parent(path), name: filepath.Base(path), what: r.newNode(true)})
			}
		case "unlinkat":
			if path := c.path(0, 1); r.inside(path) {
				r.calls++
				change(&fsOp{node: parent(path), name: filepath.Base(path)})
			}
		case "renameat", "renameat2":
			from, to := c.path(0, 1), c.path(2, 3)
			if !r.inside(from) {
				continue
			}
			r.calls++
			a, b := r.find(from), r.find(to)
			there := change(&fsOp{node: parent(to), name: filepath.Base(to), what: a})
			here := change(&fsOp{node: parent(from), name: filepath.Base(from), needs: there})
			there.needs = here
			if len(c.args) > 4 && strings.Contains(c.args[4], "EXCHANGE") {
				here.what = b
				here.apply(here.node, b)
			}
		case "write", "pwrite64":
			data := []byte(c.text(1))[:c.ret]
			if strings.HasPrefix(c.args[0], descriptor+"<socket:") || strings.HasPrefix(c.args[0], descriptor+"<"+`\x73\x6f\x63\x6b\x65\x74`) {
				if r.answered == never && bytes.HasPrefix(data, []byte("HTTP/1.1 2")) {
					r.answered = r.calls
				}
				continue
			}
			path := c.folder(0)
			if !r.inside(path) || strings.HasSuffix(c.args[0], "(deleted)") {
				continue
			}
			r.calls++
			off := nodes[descriptor]
			if c.name == "pwrite64" {
				off = c.number(3)
			} else {
				nodes[descriptor] += int64(c.ret)
			}
			change(&fsOp{node: r.find(path), bytes: data, off: off})
		case "ftruncate":
			if path := c.folder(0); r.inside(path) {
				r.calls++
				change(&fsOp{node: r.find(path), trunc: true, off: c.number(1)})
			}
		case "fsync", "fdatasync":
			path := c.folder(0)
			if n := r.find(path); n != nil && (r.inside(path) || path == r.root) {
				r.calls++
				r.synced(func(o *fsOp) bool { return o.node.id == n.id })
			}
		case "syncfs":
			r.calls++
			r.synced(func(*fsOp) bool { return true })
		case "linkat", "symlinkat", "copy_file_range", "sendfile", "fallocate", "pwritev", "writev", "rename", "unlink", "mkdir", "truncate":
			if strings.Contains(strings.Join(c.args, " "), hexOf(r.root+"/")) {
				r.unknown = append(r.unknown, c.name)
			}
		}
	}
}

// hexOf is unhex's other direction.
func hexOf(s string) string {
	var b strings.Builder
	for i := range len(s) {
		fmt.Fprintf(&b, `\x%02x`, s[i])
	}
	return b.String()
}

// crash gives what is there after a crash which followed the call number k, where
// keep says what is kept of what was not synced.
func (r *fsRecord) crash(k int, keep func(o *fsOp) bool) *fsNode {
	byID := map[int]*fsNode{}
	tree := r.before.clone(byID)
	node := func(n *fsNode) *fsNode {
		if n == nil {
			return nil
		}
		if byID[n.id] == nil {
			byID[n.id] = &fsNode{id: n.id}
			if n.sub != nil {
				byID[n.id].sub = map[string]*fsNode{}
			}
		}
		return byID[n.id]
	}
	kept := map[*fsOp]bool{}
	for _, o := range r.ops {
		if o.at <= k && (o.sure <= k || keep(o)) {
			kept[o] = true
			if o.needs != nil {
				kept[o.needs] = true
			}
		}
	}
	for _, o := range r.ops {
		if kept[o] {
			o.apply(node(o.node), node(o.what))
		}
	}
	return tree
}

// open gives the changes that a crash after the call number k may lose.
func (r *fsRecord) open(k int) (list []*fsOp) {
	for _, o := range r.ops {
		if o.at <= k && o.sure > k {
			list = append(list, o)
		}
	}
	return list
}

// crashes calls f with what crashes can leave, once for each different folder;
// answered says that the client may have had its answer.
func (r *fsRecord) crashes(seed uint64, f func(tree *fsNode, answered bool, what string)) {
	rnd := rand.New(rand.NewPCG(seed, 7))
	seen := map[string]bool{}
	for k := 0; k <= r.calls; k++ {
		try := func(what string, keep func(o *fsOp) bool) {
			tree := r.crash(k, keep)
			h := sha256.New()
			tree.walk("", func(path string, n *fsNode) { fmt.Fprintf(h, "%q %v %q\n", path, n.sub != nil, n.data) })
			answered := k >= r.answered
			key := fmt.Sprintf("%x %v", h.Sum(nil), answered)
			if seen[key] {
				return
			}
			seen[key] = true
			f(tree, answered, fmt.Sprintf("after call %d of %d, %s", k, r.calls, what))
		}
		open := r.open(k)
		try("all kept", func(*fsOp) bool { return true })
		if len(open) == 0 {
			continue
		}
		try("only what was synced", func(*fsOp) bool { return false })
		try("names without bytes", func(o *fsOp) bool { return o.isName() })
		try("bytes without names", func(o *fsOp) bool { return !o.isName() })
		for i, one := range open {
			if len(open) > 12 && rnd.IntN(len(open)) >= 12 {
				continue
			}
			try(fmt.Sprintf("only %s of %q (%d) kept", one.call, one.name, i), func(o *fsOp) bool { return o == one })
			try(fmt.Sprintf("all but %s of %q (%d) kept", one.call, one.name, i), func(o *fsOp) bool { return o != one })
		}
		for range min(len(open), 8) {
			pick := map[*fsOp]bool{}
			for _, o := range open {
				pick[o] = rnd.IntN(2) == 0
			}
			try("some kept", func(o *fsOp) bool { return pick[o] })
		}
	}
}

// view is what clients can see of a folder: each resource by its path.
func (n *fsNode) view() map[string]string {
	seen := map[string]string{}
	var walk func(path string, n *fsNode)
	walk = func(path string, n *fsNode) {
		for name, child := range n.sub {
			full := path + "/" + name
			switch {
			case name == ".Radicale.cache" || name == ".Radicale.lock" || strings.HasPrefix(name, ".Radicale.tmp-"):
			case child.sub != nil:
				seen[full] = "a collection"
				walk(full, child)
			case name == ".inetdav.props":
				// those of what is not there are not seen
				var p map[string]map[string]string
				if json.Unmarshal(child.data, &p) != nil {
					seen[full] = "damaged"
				}
				for member, props := range p {
					if member == "" || n.sub[member] != nil {
						seen[full+"/"+member] = fmt.Sprint(props)
					}
				}
			default:
				seen[full] = string(child.data)
			}
		}
	}
	walk("", n)
	// locks of what is not there are none
	var locks map[string]map[string]string
	if text, ok := seen["/.inetdav.locks"]; ok && json.Unmarshal([]byte(text), &locks) == nil {
		delete(seen, "/.inetdav.locks")
		for token, l := range locks {
			if _, ok := seen["/collection-root/"+l["root"]]; ok {
				seen["/.inetdav.locks/"+l["root"]] = token
			}
		}
	}
	return seen
}

// build makes the tree a real folder, whose journals say of themselves that they
// were written here: inodes are what a copy cannot keep.
func (n *fsNode) build(t testing.TB, folder string) {
	t.Helper()
	var logs []string
	n.walk("", func(path string, n *fsNode) {
		path = filepath.Join(folder, path)
		var err error
		if n.sub != nil {
			err = os.Mkdir(path, 0o700)
		} else {
			err = os.WriteFile(path, n.data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(path, "/.Radicale.cache/inetdav/log") {
			logs = append(logs, path)
		}
	})
	inode := func(path string) uint64 {
		var st syscall.Stat_t
		if err := syscall.Stat(path, &st); err != nil {
			t.Fatal(err)
		}
		return st.Ino
	}
	for _, path := range logs { // inetdav-journal(5): the log's header
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		le := binary.LittleEndian
		if len(b) < 64 || le.Uint32(b[60:]) != crc32.ChecksumIEEE(b[:60]) {
			continue
		}
		le.PutUint64(b[32:], inode(path))
		le.PutUint64(b[40:], inode(filepath.Dir(filepath.Dir(filepath.Dir(path)))))
		le.PutUint32(b[60:], crc32.ChecksumIEEE(b[:60]))
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// shortLived gives a folder in memory, where fsync costs nothing.
func shortLived(t testing.TB) string {
	t.Helper()
	if dir, err := os.MkdirTemp("/dev/shm", "inetdav-test-"); err == nil {
		t.Cleanup(func() { os.RemoveAll(dir) })
		return dir
	}
	return t.TempDir()
}

// crashCase is one kind of write.
type crashCase struct {
	name, method, path, body string
	headers                  []string
	want                     int
	between                  []state // what may also be there before the answer
	forgets                  bool    // the calendar is replaced, and with it perhaps its history
}

// A state makes of what is seen before and after a write what a crash in the
// middle may leave. There are few, each told in doc/guarantees.txt.
type state func(before, after map[string]string) map[string]string

// early is as before, but some of it as after: what begins with one of these
// prefixes.
func early(prefixes ...string) state {
	return func(before, after map[string]string) map[string]string {
		begins := func(path, _ string) bool {
			return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(path, p) })
		}
		seen := maps.Clone(before)
		maps.DeleteFunc(seen, begins)
		for path, text := range after {
			if begins(path, text) {
				seen[path] = text
			}
		}
		return seen
	}
}

// exchanged is as before, but a and b in each other's place.
func exchanged(a, b string) state {
	return func(before, _ map[string]string) map[string]string {
		seen := map[string]string{}
		for path, text := range before {
			if rest, ok := strings.CutPrefix(path, a); ok {
				path = b + rest
			} else if rest, ok := strings.CutPrefix(path, b); ok {
				path = a + rest
			}
			seen[path] = text
		}
		return seen
	}
}

const (
	twoEvents = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:one\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:20260101T100000Z\r\nEND:VEVENT\r\n" +
		"BEGIN:VEVENT\r\nUID:two\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:20260102T100000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
	richProperty = `<propertyupdate xmlns="DAV:" xmlns:x="urn:x"><set><prop><displayname>New</displayname><x:rich><x:a>b</x:a></x:rich></prop></set></propertyupdate>`
	deadProperty = `<propertyupdate xmlns="DAV:" xmlns:x="urn:x"><set><prop><x:note>%s</x:note></prop></set></propertyupdate>`
)

func crashCases() []crashCase {
	return []crashCase{
		{name: "PUT new", method: "PUT", path: "/demo/cal/new.ics", body: oneEvent("new", "New"), want: 201},
		{name: "PUT again", method: "PUT", path: "/demo/cal/a.ics", body: oneEvent("a", "Changed"), want: 204},
		{name: "PUT refused", method: "PUT", path: "/demo/cal/a.ics", body: oneEvent("a", "Changed"), headers: []string{`If-Match: "no"`}, want: 412},
		{name: "PUT invalid", method: "PUT", path: "/demo/cal/a.ics", body: "no", want: 403},
		{name: "PUT file", method: "PUT", path: "/demo/files/new", body: "bytes", want: 201},
		{name: "PUT file again", method: "PUT", path: "/demo/files/a", body: "bytes", want: 204},
		{name: "POST", method: "POST", path: "/demo/cal/", body: oneEvent("posted", "Posted"), headers: []string{"Content-Type: text/calendar"}, want: 201},
		{name: "DELETE", method: "DELETE", path: "/demo/cal/a.ics", want: 204},
		{name: "DELETE collection", method: "DELETE", path: "/demo/cal/", want: 204},
		{name: "MOVE", method: "MOVE", path: "/demo/cal/a.ics", headers: []string{"Destination: {URL}demo/cal/z.ics"}, want: 201},
		{name: "MOVE to another", method: "MOVE", path: "/demo/cal/a.ics", headers: []string{"Destination: {URL}demo/third/z.ics"}, want: 201},
		{name: "MOVE over", method: "MOVE", path: "/demo/cal/a.ics", headers: []string{"Destination: {URL}demo/other/a.ics"}, want: 204, between: []state{early("/collection-root/demo/other/.inetdav.props/")}},
		{name: "COPY", method: "COPY", path: "/demo/files/a", headers: []string{"Destination: {URL}demo/files/c"}, want: 201},
		{name: "COPY over", method: "COPY", path: "/demo/files/a", headers: []string{"Destination: {URL}demo/files/b"}, want: 204, between: []state{early("/collection-root/demo/files/.inetdav.props/")}},
		{name: "COPY collection", method: "COPY", path: "/demo/cal/", headers: []string{"Destination: {URL}demo/copy/"}, want: 201},
		{name: "COPY collection over", method: "COPY", path: "/demo/cal/", headers: []string{"Destination: {URL}demo/other/"}, want: 204},
		{name: "MOVE collection", method: "MOVE", path: "/demo/cal/", headers: []string{"Destination: {URL}demo/moved/"}, want: 201},
		{name: "MOVE collection over", method: "MOVE", path: "/demo/cal/", headers: []string{"Destination: {URL}demo/other/"}, want: 204, between: []state{exchanged("/collection-root/demo/cal", "/collection-root/demo/other")}, forgets: true},
		{name: "MKCALENDAR", method: "MKCALENDAR", path: "/demo/made/", body: `<C:mkcalendar xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:x="urn:x"><set><prop><displayname>Made</displayname><x:rich><x:a>b</x:a></x:rich></prop></set></C:mkcalendar>`, want: 201},
		{name: "MKCOL", method: "MKCOL", path: "/demo/made/", want: 201},
		{name: "PUT collection", method: "PUT", path: "/demo/whole/", body: twoEvents, headers: []string{"Content-Type: text/calendar"}, want: 201},
		{name: "PUT collection again", method: "PUT", path: "/demo/cal/", body: twoEvents, headers: []string{"Content-Type: text/calendar"}, want: 204, forgets: true},
		{name: "PROPPATCH collection", method: "PROPPATCH", path: "/demo/cal/", body: richProperty, want: 207, between: []state{early("/collection-root/demo/cal/.inetdav.props/")}},
		{name: "PROPPATCH object", method: "PROPPATCH", path: "/demo/cal/a.ics", body: fmt.Sprintf(deadProperty, "changed"), want: 207},
		{name: "LOCK", method: "LOCK", path: "/demo/cal/a.ics", body: exclusiveLock, want: 200},
		{name: "LOCK new", method: "LOCK", path: "/demo/files/locked", body: exclusiveLock, want: 201},
		{name: "UNLOCK", method: "UNLOCK", path: "/demo/files/b", headers: []string{"Lock-Token: {TOKEN}"}, want: 204},
		{name: "DELETE locked", method: "DELETE", path: "/demo/files/b", headers: []string{"If: ({TOKEN})"}, want: 204},
		{name: "first login", method: "PROPFIND", path: "/other/", headers: []string{"Depth: 0", "Authorization: Basic b3RoZXI6b3RoZXI="}, want: 207},
	}
}

// crashServer has what the cases need, and a lock on /demo/files/b.
func crashServer(t *testing.T) (s *server, token string) {
	s = plainServer(t, systemd)
	s.mkcalendar("/demo/cal/", "Calendar")
	s.mkcalendar("/demo/other/", "Other")
	s.mkcalendar("/demo/third/", "Third")
	s.must([]int{201}, "PUT", "/demo/cal/a.ics", oneEvent("a", "Old"))
	s.must([]int{201}, "PUT", "/demo/cal/b.ics", oneEvent("b", "Old"))
	s.must([]int{201}, "PUT", "/demo/other/a.ics", oneEvent("a", "Other"))
	s.must([]int{207}, "PROPPATCH", "/demo/cal/a.ics", fmt.Sprintf(deadProperty, "of a"))
	s.must([]int{207}, "PROPPATCH", "/demo/other/a.ics", fmt.Sprintf(deadProperty, "of the other"))
	s.must([]int{201}, "MKCOL", "/demo/files/", "")
	s.must([]int{201}, "PUT", "/demo/files/a", "old")
	s.must([]int{207}, "PROPPATCH", "/demo/files/a", fmt.Sprintf(deadProperty, "of a file"))
	s.must([]int{201}, "PUT", "/demo/files/b", "old")
	token = s.must([]int{200}, "LOCK", "/demo/files/b", exclusiveLock, "Timeout: Second-600").Header.Get("Lock-Token")
	s.must([]int{207}, "PROPFIND", "/demo/cal/", "", "Depth: 1")
	s.must([]int{207}, "PROPFIND", "/demo/other/", "", "Depth: 1")
	return s, token
}

const recordedCalls = "trace=file,desc,write,fsync,fdatasync,syncfs"

// record gives what the program does to the folder for one request.
func (c *crashCase) record(t *testing.T) *fsRecord {
	t.Helper()
	s, token := crashServer(t)
	if c.name == "COPY over" {
		s.must([]int{204}, "UNLOCK", "/demo/files/b", "", "Lock-Token: "+token)
	}
	s.Client.CloseIdleConnections()
	folder, err := filepath.EvalSymlinks(s.Folder)
	if err != nil {
		t.Fatal(err)
	}
	r := &fsRecord{root: folder, answered: never, forgets: c.forgets}
	if r.before, err = r.readFolder(folder); err != nil {
		t.Fatal(err)
	}
	r.token, r.had = listed(t, folder)
	trace := filepath.Join(t.TempDir(), "trace")
	traced := startServerWith(t, serverOptions{
		handover: inetd,
		command:  []string{"strace", "-f", "-y", "-xx", "-s", "10000000", "-e", recordedCalls, "-e", "signal=none", "-o", trace},
		args:     append(slices.Clone(s.options.args), "--storage-filesystem-folder="+s.Folder),
	})
	headers := slices.Clone(c.headers)
	for i := range headers {
		headers[i] = strings.NewReplacer("{URL}", traced.URL, "{TOKEN}", token).Replace(headers[i])
	}
	a := traced.ask(c.method, c.path, c.body, headers...)
	if a.Code != c.want {
		t.Fatalf("%d, want %d\n%s", a.Code, c.want, a.Body)
	}
	traced.Client.CloseIdleConnections()
	traced.waitExit()
	b, err := os.ReadFile(trace)
	if err != nil || len(b) == 0 {
		t.Skipf("SKIPPED, NOT TESTED: strace does not work here: %v", err)
	}
	r.replay(string(b))
	if len(r.unknown) > 0 {
		t.Fatalf("the model does not know what %v does", r.unknown)
	}
	if a.Code < 300 && r.answered == never {
		t.Fatal("no answer in the trace")
	}
	// The model has to end with what is there.
	real, err := new(fsRecord).readFolder(folder)
	if err != nil {
		t.Fatal(err)
	}
	if d := different(r.now.view(), real.view()); d != "" {
		t.Fatalf("the model has, and the folder has not:%s", d)
	}
	return r
}

func TestCrashPoints(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("strace"); err != nil {
		t.Skip("SKIPPED, NOT TESTED: strace is not installed")
	}
	for _, c := range crashCases() {
		t.Run(c.name, func(t *testing.T) {
			r := c.record(t)
			before, after := r.before.view(), r.now.view()
			handle := newCrashHandler(t, r)
			folders := 0
			r.crashes(1, func(tree *fsNode, answered bool, what string) {
				folders++
				seen := tree.view()
				switch {
				case maps.Equal(seen, after):
				case !answered && maps.Equal(seen, before):
				case !answered && slices.ContainsFunc(c.between, func(s state) bool { return maps.Equal(seen, s(before, after)) }):
				case answered:
					t.Errorf("%s: lost, though acknowledged. There is, and should not be:%s", what, different(seen, after))
				default:
					t.Errorf("%s: neither before nor after. There is, and was not before:%s\nand is not after:%s", what, different(seen, before), different(seen, after))
				}
				handle(t, tree, answered, what)
				if t.Failed() {
					t.FailNow()
				}
			})
			t.Logf("%d calls, %d different folders", r.calls, folders)
		})
	}
}

// withCalendar calls f with /demo/cal/, if it is there.
func withCalendar(t testing.TB, folder string, f func(c *store.Collection)) {
	t.Helper()
	s, err := store.Open(store.Options{Folder: folder, FolderUmask: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c, err := s.Collection(context.Background(), "demo/cal")
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	f(c)
	if err := c.Err(); err != nil {
		t.Fatal(err)
	}
}

// listed gives the sync token of /demo/cal/, and its objects.
func listed(t testing.TB, folder string) (token string, etags map[string]string) {
	t.Helper()
	etags = map[string]string{}
	withCalendar(t, folder, func(c *store.Collection) {
		token = c.SyncToken()
		for r := range c.Objects() {
			etags[strings.Clone(r.Name)] = r.ETag()
		}
	})
	return token, etags
}

// follow checks that who knew the calendar before knows it again by what has
// changed since, in each journal that still has a memory.
func (r *fsRecord) follow(t testing.TB, folder, what string) {
	t.Helper()
	withCalendar(t, folder, func(c *store.Collection) {
		changes, err := c.Changes(r.token)
		if errors.Is(err, store.ErrSyncToken) {
			if r.forgets {
				return
			}
			t.Errorf("%s: the journal has forgotten", what)
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		knows := maps.Clone(r.had)
		for ch := range changes {
			if ch.Removed {
				delete(knows, ch.Name)
			} else {
				knows[strings.Clone(ch.Name)] = ch.ETag()
			}
		}
		has := map[string]string{}
		for o := range c.Objects() {
			has[strings.Clone(o.Name)] = o.ETag()
		}
		if d := different(knows, has); d != "" {
			t.Errorf("%s: who follows the changes has, and has not:%s", what, d)
		}
	})
}

// newCrashHandler gives what looks into a folder after a crash: nothing is
// damaged, and the next requests are served.
func newCrashHandler(t *testing.T, r *fsRecord) func(t *testing.T, tree *fsNode, answered bool, what string) {
	base := shortLived(t)
	rights := filepath.Join(base, "rights")
	writeFile(t, rights, "[all]\nuser: .+\ncollection: .*\npermissions: RrWw\n")
	n := 0
	return func(t *testing.T, tree *fsNode, answered bool, what string) {
		t.Helper()
		n++
		folder := filepath.Join(base, strconv.Itoa(n))
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(folder)
		tree.build(t, folder)
		verified := func(when string) {
			var report strings.Builder
			_, err := store.Verify(store.Options{Folder: folder, FolderUmask: -1}, &report)
			for line := range strings.Lines(report.String()) {
				// properties of what is not there, nobody sees
				if err == nil && (answered || !strings.Contains(line, "has properties of ")) {
					err = errors.New(line)
				}
			}
			if err != nil {
				t.Errorf("%s: verify %s: %v", what, when, err)
			}
		}
		verified("after the crash")
		r.follow(t, folder, what)
		c, _, _, err := config.Load([]string{"--config=", "--storage-filesystem-folder=" + folder, "--auth-type=none", "--rights-type=from_file", "--rights-file=" + rights}, func(string) string { return "" })
		if err != nil {
			t.Fatal(err)
		}
		logs := &sink{}
		handler, auth, _, err := open(c, logs, store.Open)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		defer auth.Close()
		ask := func(method, path, body string, want ...int) {
			req := httptest.NewRequestWithContext(context.Background(), method, path, strings.NewReader(body))
			req.Header.Set("Depth", "1")
			req.SetBasicAuth("demo", "demo")
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, req)
			if !slices.Contains(want, w.Code) {
				t.Errorf("%s: then %s %s: %d, want %v\n%s", what, method, path, w.Code, want, w.Body)
			}
		}
		seen := tree.view()
		for path, text := range seen {
			name, ok := strings.CutPrefix(path, "/collection-root/demo/")
			switch {
			case !ok || strings.Contains(name, "/."):
			case text == "a collection":
				ask("PROPFIND", "/demo/"+name+"/", "", http.StatusMultiStatus)
				ask("PUT", "/demo/"+name+"/next.ics", oneEvent("next", "Next"), http.StatusCreated)
			default:
				ask("GET", "/demo/"+name, "", http.StatusOK)
				if _, locked := seen["/.inetdav.locks/demo/"+name]; locked {
					ask("DELETE", "/demo/"+name, "", http.StatusLocked)
				} else {
					ask("DELETE", "/demo/"+name, "", http.StatusNoContent, http.StatusOK)
				}
			}
		}
		ask("PROPFIND", "/other/", "", http.StatusMultiStatus, http.StatusForbidden, http.StatusNotFound)
		verified("after the next requests")
	}
}
