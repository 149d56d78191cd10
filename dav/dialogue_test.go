package dav

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"inetdav/dav/access"
	"inetdav/dav/config"
	"inetdav/dav/davxml"
	"inetdav/store"
)

// everything is a rights file by which everybody may do everything.
const everything = "[all]\nuser: .*\ncollection: .*\npermissions: RrWw\n"

// testServer serves a new, empty folder with these options of the command line.
// By default everybody may do everything, and any password will do.
func testServer(t testing.TB, args ...string) (url, folder string) {
	t.Helper()
	folder = t.TempDir()
	h := testHandler(t, folder, args...)
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return srv.URL, folder
}

// testHandler is the handler of a server on a folder.
func testHandler(t testing.TB, folder string, args ...string) http.Handler {
	t.Helper()
	rightsFile := filepath.Join(t.TempDir(), "rights")
	if err := os.WriteFile(rightsFile, []byte(everything), 0o600); err != nil {
		t.Fatal(err)
	}
	args = append([]string{"--config", "", "--storage-filesystem-folder=" + folder, "--auth-type=none",
		"--auth-delay=0", "--rights-type=from_file", "--rights-file=" + rightsFile}, args...)
	c, rest, warnings, err := config.Load(args, func(string) string { return "" })
	if err != nil || len(rest) > 0 || len(warnings) > 0 {
		t.Fatalf("config: %v %v %v", err, rest, warnings)
	}
	logf := func(level int, format string, a ...any) { t.Logf("<%d> "+format, append([]any{level}, a...)...) }
	s, err := store.Open(store.Options{Folder: folder, FolderUmask: -1, Logf: logf})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	auth, err := access.NewAuthenticator(c)
	if err != nil {
		t.Fatal(err)
	}
	rights, err := access.NewRights(c)
	if err != nil {
		t.Fatal(err)
	}
	rights.Groups = auth.Groups
	h, err := New(Options{Store: s, Auth: auth, Rights: rights, Config: c, Logf: logf, Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// section is one file of a txtar archive.
type section struct{ name, data string }

func parseTxtar(s string) (comment string, files []section) {
	for line := range strings.Lines(s) {
		if name, ok := strings.CutPrefix(line, "-- "); ok && strings.HasSuffix(strings.TrimSpace(name), " --") {
			files = append(files, section{name: strings.TrimSuffix(strings.TrimSpace(name), " --")})
		} else if len(files) == 0 {
			comment += line
		} else {
			files[len(files)-1].data += line
		}
	}
	return comment, files
}

// dialogue is a conversation with a server of its own.
type dialogue struct {
	t      *testing.T
	url    string
	folder string
	vars   map[string]string
	n      int // of the request under way
}

// TestDialogues plays the dialogues in testdata: txtar files whose comment names
// the section of the RFC. Each is a conversation with a new server. Before it
// starts:
//
//	-- file NAME --      a file in a folder of its own, which is ${DIR}
//	-- options --        options of the command line, one a line
//
// and then, in any order:
//
//	-- setup NAME --     what testdata/setup/NAME.txtar says
//	-- object NAME --    a text, from now on ${NAME}
//	-- request --        method and path; headers; a blank line; the body
//	-- response --       the status; headers that must be there; a blank line; the body
//	-- store PATH --     another program writes this file below collection-root
//	-- remove PATH --    another program removes it
//	-- stored PATH --    the file is there, with this content
//	-- missing PATH --   nothing is there
//	-- different A B --  what ${A} and ${B} stand for differs
//
// In an expected header or text, * stands for anything within a line, and
// ${NAME}, where it has no value yet, takes what is there. ${URL} is the
// server's address. Headers named with a leading ! must be missing. XML is
// compared without regard to order; an element <more xmlns="test"/> says that
// its parent may hold more than is listed. Other bodies are compared line by
// line. Bodies that are iCalendar or vCard are sent with CRLF. A request's
// Authorization is user "bernard" or the one named by a line "User: NAME" (or
// "User: NAME:PASSWORD") among its headers; "User: -" is anonymous.
func TestDialogues(t *testing.T) {
	names, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(names) == 0 {
		t.Fatal("no dialogues", err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			t.Parallel()
			playDialogue(t, name)
		})
	}
}

func readTxtar(t *testing.T, name string) []section {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	_, files := parseTxtar(string(b))
	return files
}

func playDialogue(t *testing.T, name string) {
	files := readTxtar(t, name)
	dir := t.TempDir()
	d := dialogue{t: t, vars: map[string]string{"DIR": dir}}
	var args []string
	for len(files) > 0 {
		f := files[0]
		if name, ok := strings.CutPrefix(f.name, "file "); ok {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(f.data), 0o600); err != nil {
				t.Fatal(err)
			}
		} else if f.name == "options" {
			args = append(args, strings.Fields(d.expand(f.data, false))...)
		} else {
			break
		}
		files = files[1:]
	}
	d.url, d.folder = testServer(t, args...)
	d.vars["URL"] = d.url
	d.play(files)
	if d.n == 0 {
		t.Fatal("no requests")
	}
	nothingStaged(t, d.folder)
}

// nothingStaged checks that no request has left behind what it received: not
// even one that was refused.
func nothingStaged(t *testing.T, folder string) {
	t.Helper()
	err := filepath.WalkDir(folder, func(name string, _ fs.DirEntry, err error) error {
		if strings.HasPrefix(filepath.Base(name), ".Radicale.tmp") {
			t.Errorf("left behind: %s", name)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func (d *dialogue) play(files []section) {
	t := d.t
	t.Helper()
	for i := 0; i < len(files); i++ {
		f := files[i]
		verb, arg, _ := strings.Cut(f.name, " ")
		file := filepath.Join(d.folder, "collection-root", filepath.FromSlash(d.expand(arg, false)))
		switch verb {
		case "setup":
			d.play(readTxtar(t, filepath.Join("testdata", "setup", arg+".txtar")))
		case "object":
			d.vars[arg] = strings.TrimSpace(f.data)
		case "request":
			i++
			if i == len(files) || files[i].name != "response" {
				t.Fatalf("request %d has no response", d.n+1)
			}
			d.speak(f.data, files[i].data)
		case "store":
			if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(d.expand(f.data, false)), 0o600); err != nil {
				t.Fatal(err)
			}
		case "remove":
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
		case "stored":
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if want, got := unixLines(d.expand(f.data, false)), unixLines(string(b)); !d.like(want, got) {
				t.Errorf("after %d: %s is\n%s\nwant\n%s", d.n, arg, got, want)
			}
		case "different":
			if a, b, _ := strings.Cut(arg, " "); d.vars[a] == d.vars[b] || d.vars[a] == "" {
				t.Errorf("after %d: %s is %q, %s is %q", d.n, a, d.vars[a], b, d.vars[b])
			}
		case "missing":
			if _, err := os.Lstat(file); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("after %d: %s is there (%v)", d.n, arg, err)
			}
		default:
			t.Fatalf("section %q", f.name)
		}
	}
}

func unixLines(s string) string { return strings.TrimSpace(strings.ReplaceAll(s, "\r\n", "\n")) }

// expand puts in what is known by name.
func (d *dialogue) expand(s string, xml bool) string {
	for k, v := range d.vars {
		if xml {
			v = strings.NewReplacer("&", "&amp;", "<", "&lt;").Replace(v)
		}
		s = strings.ReplaceAll(s, "${"+k+"}", v)
	}
	return s
}

func isXML(body string) bool { return strings.HasPrefix(strings.TrimSpace(body), "<") }

func (d *dialogue) speak(request, response string) {
	t := d.t
	t.Helper()
	d.n++
	head, body, _ := strings.Cut(request, "\n\n")
	body = d.expand(body, isXML(body))
	lines := strings.Split(strings.TrimRight(d.expand(head, false), "\n"), "\n")
	method, path, _ := strings.Cut(lines[0], " ")
	what := fmt.Sprintf("%d: %s", d.n, lines[0])
	if strings.HasPrefix(strings.TrimSpace(body), "BEGIN:") {
		body = strings.ReplaceAll(strings.TrimRight(body, "\n")+"\n", "\n", "\r\n")
	}
	if strings.TrimSpace(body) == "" {
		body = ""
	}
	req, err := http.NewRequest(method, d.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	user := "bernard"
	for _, line := range lines[1:] {
		k, v, _ := strings.Cut(line, ":")
		v = strings.TrimSpace(v)
		switch k {
		case "User":
			user = v
		case "Host":
			req.Host = v
		case "Transfer-Encoding":
			req.ContentLength = -1
		default:
			req.Header.Add(k, v)
		}
	}
	if user != "-" {
		name, password, ok := strings.Cut(user, ":")
		if !ok {
			password = "secret"
		}
		req.SetBasicAuth(name, password)
	}
	resp, got := roundTrip(t, what, req)
	head, want, _ := strings.Cut(response, "\n\n")
	lines = strings.Split(strings.TrimRight(d.expand(head, false), "\n"), "\n")
	if strconv.Itoa(resp.StatusCode) != lines[0] {
		t.Fatalf("%s: status %d, want %s\n%s", what, resp.StatusCode, lines[0], got)
	}
	for _, line := range lines[1:] {
		k, v, _ := strings.Cut(line, ":")
		v = strings.TrimSpace(v)
		have := strings.Join(resp.Header.Values(k), ", ")
		if k, ok := strings.CutPrefix(k, "!"); ok {
			if _, ok := resp.Header[http.CanonicalHeaderKey(k)]; ok {
				t.Errorf("%s: has %s: %s", what, k, resp.Header.Get(k))
			}
		} else if !d.like(v, have) || have == "" && v != "" {
			t.Errorf("%s: %s is %q, want %q", what, k, have, v)
		}
	}
	switch want = d.expand(want, isXML(want)); {
	case strings.TrimSpace(want) == "":
	case isXML(want):
		d.compareXML(what, got, []byte(want))
	default:
		if w, g := unixLines(want), unixLines(string(got)); !d.like(w, g) {
			t.Errorf("%s: body is\n%s\nwant\n%s", what, g, w)
		}
	}
}

// transport is not http.DefaultTransport, the connections of which the end of any
// other test closes.
var transport = &http.Transport{DisableCompression: true}

// roundTrip follows no redirect, and undoes the content coding that it finds.
func roundTrip(t testing.TB, what string, req *http.Request) (*http.Response, []byte) {
	t.Helper()
	resp, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	got, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err == nil && resp.Header.Get("Content-Encoding") == "gzip" && len(got) > 0 {
		var z *gzip.Reader
		if z, err = gzip.NewReader(bytes.NewReader(got)); err == nil {
			got, err = io.ReadAll(z)
		}
	}
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "application/xml") && req.Method != "HEAD" {
		wellFormed(t, what, got)
	}
	return resp, got
}

// wellFormed asks another reader of XML than ours.
func wellFormed(t testing.TB, what string, body []byte) {
	t.Helper()
	for d := xml.NewDecoder(bytes.NewReader(body)); ; {
		if _, err := d.Token(); err == io.EOF {
			return
		} else if err != nil {
			t.Errorf("%s: %v in\n%.1000s", what, err, body)
			return
		}
	}
}

var variable = regexp.MustCompile(`\$\{(\w+)\}|\*`)

// like compares with the wildcard, and fills variables.
func (d *dialogue) like(want, got string) bool {
	found, ok := matchText(want, got)
	if ok {
		maps.Copy(d.vars, found)
	}
	return ok
}

func matchText(want, got string) (found map[string]string, ok bool) {
	if want == got {
		return nil, true
	}
	var pattern strings.Builder
	var names []string
	rest := want
	for m := variable.FindStringSubmatchIndex(rest); m != nil; m = variable.FindStringSubmatchIndex(rest) {
		pattern.WriteString(regexp.QuoteMeta(rest[:m[0]]))
		if m[2] >= 0 {
			names = append(names, rest[m[2]:m[3]])
			pattern.WriteString("(.+)")
		} else {
			pattern.WriteString("[^\n]*")
		}
		rest = rest[m[1]:]
	}
	if len(rest) == len(want) {
		return nil, false
	}
	m := regexp.MustCompile("(?s)^" + pattern.String() + regexp.QuoteMeta(rest) + "$").FindStringSubmatch(got)
	if m == nil {
		return nil, false
	}
	found = map[string]string{}
	for i, name := range names {
		found[name] = m[i+1]
	}
	return found, true
}

// compareXML compares two documents without regard to prefixes, to blank space
// between elements, and to the order of elements.
func (d *dialogue) compareXML(what string, got, want []byte) {
	t := d.t
	t.Helper()
	w, err := davxml.Parse(bytes.TrimSpace(want))
	if err != nil {
		t.Fatalf("%s: expected body: %v\n%s", what, err, want)
	}
	g, err := davxml.Parse(got)
	if err != nil {
		t.Fatalf("%s: %v\n%s", what, err, got)
	}
	found, ok := matchTree(w, g)
	if !ok {
		t.Errorf("%s: body is\n%s\nthat is\n  %s\nwant\n  %s", what, got,
			strings.Join(canonical(g, ""), "\n  "), strings.Join(canonical(w, ""), "\n  "))
	}
	maps.Copy(d.vars, found)
}

var more = davxml.Name{Space: "test", Local: "more"}

// textOf is the text of an element. That of an object is compared exactly, but
// for the ends of lines; blank space in any other is of no account.
func textOf(e *davxml.Element) string {
	s := strings.ReplaceAll(e.Text(), "\r", "")
	if strings.HasPrefix(strings.TrimSpace(s), "BEGIN:V") {
		return strings.TrimSpace(s)
	}
	return strings.Join(strings.Fields(s), " ")
}

func attrsOf(e *davxml.Element) string {
	attrs := slices.Clone(e.Attrs)
	slices.SortFunc(attrs, func(a, b davxml.Attr) int { return cmp.Compare(a.Name.String(), b.Name.String()) })
	s := ""
	for _, a := range attrs {
		s += fmt.Sprintf(" %s=%q", a.Name, a.Value)
	}
	return s
}

// matchTree matches the children in any order: those first that have no
// wildcards inside.
func matchTree(want, got *davxml.Element) (found map[string]string, ok bool) {
	if want.Name != got.Name || attrsOf(want) != attrsOf(got) {
		return nil, false
	}
	found = map[string]string{}
	f, ok := matchText(textOf(want), textOf(got))
	if !ok {
		return nil, false
	}
	maps.Copy(found, f)
	open := false
	var children []*davxml.Element
	for c := range want.Elements() {
		if c.Name == more {
			open = true
		} else {
			children = append(children, c)
		}
	}
	slices.SortStableFunc(children, func(a, b *davxml.Element) int { return cmp.Compare(wild(a), wild(b)) })
	rest := slices.Collect(got.Elements())
	for _, c := range children {
		i := slices.IndexFunc(rest, func(e *davxml.Element) bool {
			f, ok := matchTree(c, e)
			if ok {
				maps.Copy(found, f)
			}
			return ok
		})
		if i < 0 {
			return nil, false
		}
		rest = slices.Delete(rest, i, i+1)
	}
	return found, open || len(rest) == 0
}

// wild counts the wildcards in a tree.
func wild(e *davxml.Element) int {
	n := len(variable.FindAllString(e.Text(), -1))
	for c := range e.Elements() {
		n += wild(c)
		if c.Name == more {
			n++
		}
	}
	return n
}

// canonical turns a tree into lines "path = text", sorted within each element:
// first by shape, then by the text of the hrefs inside.
func canonical(e *davxml.Element, indent string) []string {
	line := indent + e.Name.String() + attrsOf(e)
	var children [][]string
	for c := range e.Elements() {
		children = append(children, canonical(c, indent+"  "))
	}
	slices.SortFunc(children, func(a, b []string) int { return cmp.Compare(strings.Join(a, "\n"), strings.Join(b, "\n")) })
	out := []string{line + " = " + textOf(e)}
	for _, c := range children {
		out = append(out, c...)
	}
	return out
}
