package backend_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/xml"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"inetdav/dav"
	"inetdav/dav/access"
	"inetdav/dav/config"
	"inetdav/store"
)

// ours is package dav's handler over the store, under the same URLs as
// handler's.
func ours(t testing.TB, folder string, s *store.Store) http.Handler {
	t.Helper()
	rightsFile := filepath.Join(t.TempDir(), "rights")
	write(t, rightsFile, "[own]\nuser: .+\ncollection: {user}(/.*)?\npermissions: RrWw\n[root]\nuser: .+\ncollection:\npermissions: R\n")
	c, _, _, err := config.Load([]string{"--config", "", "--storage-filesystem-folder=" + folder, "--auth-type=none",
		"--auth-delay=0", "--rights-type=from_file", "--rights-file=" + rightsFile}, func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	auth, err := access.NewAuthenticator(c)
	if err != nil {
		t.Fatal(err)
	}
	rights, err := access.NewRights(c)
	if err != nil {
		t.Fatal(err)
	}
	h, err := dav.New(dav.Options{Store: s, Auth: auth, Rights: rights, Config: c, Version: "test",
		Logf: func(int, string, ...any) {}})
	if err != nil {
		t.Fatal(err)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if mount, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/"); mount[0] != '.' {
			r.Header.Set("X-Script-Name", "/"+mount)
		}
		h.ServeHTTP(w, r)
	})
}

// facts are what an answer says, one by one.
type facts map[string]string

// element is an XML element of an answer.
type element struct {
	name     string
	attrs    []string
	text     string
	children []*element
}

// short is a name as the table has it: DAV: goes without saying.
func short(n xml.Name) string {
	switch n.Space {
	case "DAV:", "":
		return n.Local
	case "urn:ietf:params:xml:ns:caldav":
		return "C:" + n.Local
	case "urn:ietf:params:xml:ns:carddav":
		return "CR:" + n.Local
	case "http://calendarserver.org/ns/":
		return "CS:" + n.Local
	}
	return "{" + n.Space + "}" + n.Local
}

func parseXML(t testing.TB, b []byte) *element {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(b))
	stack := []*element{{}}
	for {
		tok, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("%v in %s", err, b)
		}
		top := stack[len(stack)-1]
		switch tok := tok.(type) {
		case xml.StartElement:
			e := &element{name: short(tok.Name)}
			for _, a := range tok.Attr {
				if a.Name.Space != "xmlns" && a.Name.Local != "xmlns" {
					e.attrs = append(e.attrs, a.Name.Local+"="+a.Value)
				}
			}
			slices.Sort(e.attrs)
			top.children = append(top.children, e)
			stack = append(stack, e)
		case xml.EndElement:
			stack = stack[:len(stack)-1]
		case xml.CharData:
			top.text += string(tok)
		}
	}
	return stack[0].children[0]
}

// value is an element's content in a canonical form.
func (e *element) value() string {
	if len(e.children) == 0 {
		return describe(e.text)
	}
	var parts []string
	for _, c := range e.children {
		s := c.name
		if len(c.attrs) > 0 {
			s += "[" + strings.Join(c.attrs, " ") + "]"
		}
		if v := c.value(); v != "" {
			s += "(" + v + ")"
		}
		parts = append(parts, s)
	}
	slices.Sort(parts)
	return strings.Join(parts, " ")
}

func (e *element) child(name string) *element {
	for _, c := range e.children {
		if c.name == name {
			return c
		}
	}
	return nil
}

// describe gives long texts a name: what of the seed it is, byte for byte but
// for line ends, or a rendering of it.
func describe(s string) string {
	s = strings.ReplaceAll(s, "\r\n", "\n")
	for name, data := range seed {
		if data = strings.ReplaceAll(data, "\r\n", "\n"); s == data {
			return "bytes of " + filepath.Base(name)
		}
	}
	if strings.Contains(s, "\n") {
		lines := slices.Sorted(strings.Lines(s))
		for name, data := range seed {
			data = strings.ReplaceAll(strings.ReplaceAll(data, "\r\n ", ""), "\r\n", "\n")
			if slices.Equal(lines, slices.Sorted(strings.Lines(data))) {
				return "lines of " + filepath.Base(name) + ", in another order"
			}
		}
		return fmt.Sprintf("text of %d lines", len(lines))
	}
	return strings.TrimSpace(s)
}

// headers are those that are compared.
var headers = []string{"Allow", "DAV", "ETag", "Content-Type", "Last-Modified", "Location", "Content-Range"}

// read takes the facts from an answer.
func (f facts) read(t testing.TB, resp *http.Response) {
	t.Helper()
	f["status"] = fmt.Sprint(resp.StatusCode)
	for _, h := range headers {
		if v := resp.Header.Get(h); v != "" {
			if resp.StatusCode >= 400 && h == "Content-Type" {
				continue // nobody reads the text
			}
			f["header "+h] = v
		}
	}
	if m := f["header Last-Modified"]; m != "" && m != seedTime.Format(http.TimeFormat) {
		f["header Last-Modified"] = "now"
	}
	b := must(io.ReadAll(resp.Body))(t)
	switch ct := resp.Header.Get("Content-Type"); {
	case strings.HasPrefix(string(b), "<?xml"):
		e := parseXML(t, b)
		switch {
		case e.name == "multistatus":
			f.multistatus(e)
		case e.name == "error":
			f["condition"] = e.value()
		default:
			f["body"] = e.name
		}
	case resp.StatusCode < 300 && (len(b) > 0 || ct != ""):
		f["body"] = describe(string(b))
	}
}

func (f facts) multistatus(ms *element) {
	for _, r := range ms.children {
		if r.name != "response" {
			f["multistatus "+r.name] = "some"
			continue
		}
		href := r.child("href").text
		if s := r.child("status"); s != nil {
			f[href] = strings.Fields(s.text)[1]
		} else {
			f[href] = "there"
		}
		for _, ps := range r.children {
			if ps.name != "propstat" {
				continue
			}
			status := strings.Fields(ps.child("status").text)[1]
			for _, p := range ps.child("prop").children {
				v := status
				if status == "200" {
					v = p.value()
				}
				f[href+" "+p.name] = v
			}
		}
	}
}

// tree is what lies below collection-root, without caches and locks.
func tree(t testing.TB, folder string) map[string]string {
	t.Helper()
	root := filepath.Join(folder, "collection-root")
	files := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if d.Name() == ".Radicale.cache" {
				return filepath.SkipDir
			}
			files[filepath.ToSlash(strings.TrimPrefix(path, root))+"/"] = "a folder"
			return nil
		}
		b, err := os.ReadFile(path)
		files[filepath.ToSlash(strings.TrimPrefix(path, root))] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// changes adds what a request did to the folder.
func (f facts) changes(before, after map[string]string) {
	for name := range union(before, after) {
		switch old, now := before[name], after[name]; {
		case now == old:
		case now == "":
			f["folder "+name] = "gone"
		case now == "a folder", now[0] == '{':
			f["folder "+name] = now
		default:
			f["folder "+name] = fmt.Sprintf("%x", sha256.Sum256([]byte(now)))[:8]
		}
	}
}

// ask sends a request to a handler and takes the facts, those of the folder
// included.
func ask(t testing.TB, h http.Handler, folder string, q request) facts {
	t.Helper()
	r := httptest.NewRequest(q.method, q.url, strings.NewReader(q.body))
	if q.body == "" {
		r.Body = http.NoBody
	}
	r.SetBasicAuth("alice", "x")
	for line := range strings.Lines(q.headers) {
		k, v, _ := strings.Cut(strings.TrimSpace(line), ": ")
		r.Header.Set(k, v)
	}
	if strings.HasPrefix(q.body, "<") && r.Header.Get("Content-Type") == "" {
		r.Header.Set("Content-Type", "application/xml")
	}
	before := tree(t, folder)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	f := facts{}
	f.read(t, w.Result())
	f.changes(before, tree(t, folder))
	return f
}

// glob matches a pattern in which * stands for anything; nothing but an empty
// pattern matches nothing.
func glob(pattern, s string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 || s == "" {
		return pattern == s
	}
	s, ok := strings.CutPrefix(s, parts[0])
	last := parts[len(parts)-1]
	for _, p := range parts[1 : len(parts)-1] {
		i := strings.Index(s, p)
		if !ok || i < 0 {
			return false
		}
		s = s[i+len(p):]
	}
	return ok && strings.HasSuffix(s, last)
}

// TestHandlersCompared sends the same requests to go-webdav's handlers over a
// Backend and to package dav's, over one store, and compares status, headers,
// what the bodies say and what became of the folder. Each difference has to
// stand in the table of differences with its explanation, and each row of the
// table has to be seen.
func TestHandlersCompared(t *testing.T) {
	used := make([]bool, len(differences))
	asked := 0
	for _, q := range requests {
		t.Run(q.name, func(t *testing.T) {
			asked++
			folder, s := seeded(t)
			before := tree(t, folder)
			theirs := ask(t, handler(s), folder, q)
			if !maps.Equal(tree(t, folder), before) { // it was changed: ours begins anew
				folder, s = seeded(t)
			}
			our := ask(t, ours(t, folder, s), folder, q)
			for _, fact := range slices.Sorted(maps.Keys(union(theirs, our))) {
				a, b := theirs[fact], our[fact]
				if a == b {
					continue
				}
				known := false
				for i, d := range differences {
					if glob(d.request, q.name) && glob(d.fact, fact) && glob(d.theirs, a) && glob(d.ours, b) {
						used[i], known = true, true
						break
					}
				}
				if !known {
					t.Errorf("unexplained: {%q, %q, %q, %q, \"\"},", q.name, fact, a, b)
				}
			}
		})
	}
	for i, d := range differences {
		if !used[i] && asked == len(requests) {
			t.Errorf("vanished: %q %q: %s", d.request, d.fact, d.why)
		}
	}
}

func union[M ~map[string]string](a, b M) M {
	u := maps.Clone(a)
	maps.Copy(u, b)
	return u
}
