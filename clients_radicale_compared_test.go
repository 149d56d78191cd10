package main

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// The proof that inetdav can take Radicale's place: TestRadicaleCompared sends
// the requests of testdata/radicale/*.txtar to Debian's Radicale and to this
// program, on copies of one folder and with the same configuration, and compares
// what each answer says and what became of each folder. A difference stands
// beside its request under a name that doc/radicale.txt explains; one that does
// not stand there fails the test, and so does one that no longer shows.
//
// A script is a txtar file. Its sections, before the first request:
//
//	-- config --         a file of Radicale's configuration, which leaves out [server]
//	                     hosts and [storage] filesystem_folder
//	-- file NAME --      a file in a folder of its own, which is ${DIR}
//	-- env --            the programs' environment, one variable a line
//
// and anywhere:
//
//	-- text NAME --      a text, from now on ${NAME}
//	-- setup NAME --     the sections of NAME.setup
//	-- store PATH --     another program writes this file below collection-root of
//	                     both; iCalendar and vCard with CRLF
//	-- store-raw PATH -- the same, byte for byte
//	-- remove PATH --    another program removes it from both
//	-- METHOD TARGET --  a request: headers, a blank line, the body
//	-- differs NAME --   how the answers to the last request differ; before the
//	                     first: what may differ in any
//	-- handover --       ours gets Radicale's caches, and its ${NAME}s: it takes over
//	-- same A B --       what ${A} and ${B} stand for is the same at each server
//	-- different A B --  or differs
//
// Among the headers of a request, "User: NAME" or "User: NAME:PASSWORD" makes
// Basic credentials (alice by default), "User: -" none, and "Keep: NAME FACT"
// keeps a fact of the answer as ${NAME}, each server's own, "Only: Radicale" asks
// nothing of ours. A body that begins
// with "prop " is a PROPFIND for the properties listed, one with "set " or
// "remove " a PROPPATCH. ${URL} is the server's address, ${NS} the declarations of
// the usual namespaces; ${event UID}, ${todo UID} and ${card UID} are objects in
// the form in which Radicale writes them.
//
// A line of differs is "FACT | Radicale's value | ours"; * stands for anything,
// - for a fact that is missing. The line "all" stands for whatever else a request
// differs in, but for the folder, and may only be where the status differs.
//
// After a request that left different folders, ours is made equal to Radicale's:
// each request begins on equal ones.
func TestRadicaleCompared(t *testing.T) {
	need(t, "radicale", "/usr/bin/radicale")
	why := readDifferences(t)
	scripts, err := filepath.Glob("testdata/radicale/*.txtar")
	if err != nil || len(scripts) == 0 {
		t.Fatal("no scripts", err)
	}
	_, sections := parseTxtar(readFile(t, "testdata/radicale/everywhere.setup"))
	var everywhere []*differs
	for _, s := range sections {
		everywhere = append(everywhere, parseDiffers(t, "everywhere.setup", s)...)
	}
	var mu sync.Mutex
	shown, asked := map[string]bool{}, 0
	t.Run("scripts", func(t *testing.T) {
		for _, name := range scripts {
			t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
				t.Parallel()
				c := compare(t, name, everywhere)
				mu.Lock()
				defer mu.Unlock()
				asked += c.asked
				for _, d := range c.used {
					d.used = true
					shown[d.name] = true
				}
			})
		}
	})
	t.Logf("%d requests", asked)
	if t.Failed() {
		return
	}
	for _, d := range everywhere {
		if !d.used {
			t.Errorf("everywhere.setup: no request shows %s", d)
		}
	}
	for name := range shown {
		if !why[name] {
			t.Errorf("doc/radicale.txt does not explain %s", name)
		}
	}
	for name := range why {
		if !shown[name] {
			t.Errorf("doc/radicale.txt: no request shows %s", name)
		}
	}
}

// readDifferences gives the names that doc/radicale.txt explains: a line each,
// followed by indented paragraphs for what Radicale does, what inetdav does, and
// why.
func readDifferences(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	name, parts := "", ""
	end := func() {
		if name != "" && parts != "Radicale inetdav Why " {
			t.Errorf("doc/radicale.txt: %s has the paragraphs %s", name, parts)
		}
	}
	n := 0
	for line := range strings.Lines(readFile(t, "doc/radicale.txt")) {
		n++
		line = strings.TrimRight(line, "\n")
		switch word, _, _ := strings.Cut(strings.TrimSpace(line), ":"); {
		case line == "" || line[0] == '#' || strings.HasPrefix(line, "      "):
		case line[0] == ' ' && (word == "Radicale" || word == "inetdav" || word == "Why"):
			parts += word + " "
		case line[0] != ' ' && !strings.Contains(line, " "):
			end()
			name, parts = line, ""
			if names[name] {
				t.Errorf("doc/radicale.txt:%d: %s is there twice", n, name)
			}
			names[name] = true
		default:
			t.Errorf("doc/radicale.txt:%d: %q", n, line)
		}
	}
	end()
	return names
}

// A txtarSection is one file of a txtar archive.
type txtarSection struct{ name, data string }

func parseTxtar(s string) (comment string, files []txtarSection) {
	for line := range strings.Lines(s) {
		if name, ok := strings.CutPrefix(line, "-- "); ok && strings.HasSuffix(strings.TrimSpace(name), " --") {
			files = append(files, txtarSection{name: strings.TrimSuffix(strings.TrimSpace(name), " --")})
		} else if len(files) == 0 {
			comment += line
		} else {
			files[len(files)-1].data += line
		}
	}
	return comment, files
}

// differs is a line of a section of that name.
type differs struct {
	where, name        string
	fact, theirs, ours string // fact is "" for all
	used               bool
}

func (d *differs) String() string {
	return fmt.Sprintf("%s: %s | %s | %s", d.name, d.fact, d.theirs, d.ours)
}

func parseDiffers(t *testing.T, where string, s txtarSection) (list []*differs) {
	t.Helper()
	name, ok := strings.CutPrefix(s.name, "differs ")
	if !ok {
		t.Fatalf("%s: section %q", where, s.name)
	}
	for line := range strings.Lines(s.data) {
		line = strings.TrimSpace(line)
		f := strings.Split(line, " | ")
		switch {
		case line == "":
		case line == "all":
			list = append(list, &differs{where: where, name: name})
		case len(f) == 3:
			list = append(list, &differs{where: where, name: name, fact: f[0], theirs: f[1], ours: f[2]})
		default:
			t.Fatalf("%s: %q", where, line)
		}
	}
	if len(list) == 0 {
		t.Fatalf("%s: %s is empty", where, s.name)
	}
	return list
}

// matches tells whether d is about this difference.
func (d *differs) matches(fact, theirs, ours string, statusDiffers bool) bool {
	if d.fact == "" {
		return statusDiffers && !strings.HasPrefix(fact, "folder ")
	}
	return glob(d.fact, fact) && glob(d.theirs, theirs) && glob(d.ours, ours)
}

// missing is the value of a fact that an answer does not have.
const missing = "-"

// glob matches a pattern in which * stands for anything but what is missing.
func glob(pattern, s string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 || s == missing {
		return pattern == s
	}
	s, ok := strings.CutPrefix(s, parts[0])
	last := parts[len(parts)-1]
	for _, p := range parts[1 : len(parts)-1] {
		_, after, found := strings.Cut(s, p)
		if !ok || !found {
			return false
		}
		s = after
	}
	return ok && strings.HasSuffix(s, last)
}

// A comparison plays one script to both servers.
type comparison struct {
	t       *testing.T
	name    string
	folders [2]string            // Radicale's, ours: collection-root
	urls    [2]string            // with a slash at the end
	clients [2]*http.Client      //
	vars    [2]map[string]string //
	general []*differs           // what may differ anywhere
	own     []*differs           // and in this script
	used    []*differs           //
	asked   int                  // requests
}

const (
	theirs = iota
	ours
)

// namespaces is ${NS}.
const namespaces = `xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:CR="urn:ietf:params:xml:ns:carddav" xmlns:CS="http://calendarserver.org/ns/" xmlns:I="http://apple.com/ns/ical/" xmlns:X="http://example.org/ns"`

// seedTime is when the files of a script's beginning were written.
var seedTime = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func compare(t *testing.T, name string, everywhere []*differs) *comparison {
	c := &comparison{t: t, name: filepath.Base(name), general: everywhere}
	_, sections := parseTxtar(readFile(t, name))
	dir := t.TempDir()
	var configs []string
	var env []string
	for i := range c.vars {
		c.vars[i] = map[string]string{"DIR": dir, "NS": namespaces}
		c.folders[i] = filepath.Join(t.TempDir(), "collection-root")
		if err := os.MkdirAll(c.folders[i], 0o755); err != nil {
			t.Fatal(err)
		}
	}
	seed := true
	for i := 0; i < len(sections); i++ {
		s := sections[i]
		verb, arg, _ := strings.Cut(s.name, " ")
		if seed {
			switch {
			case verb == "config":
				configs = append(configs, filepath.Join(dir, fmt.Sprint("config ", len(configs))))
				writeFile(t, configs[len(configs)-1], strings.ReplaceAll(s.data, "${DIR}", dir))
				continue
			case verb == "file":
				writeFile(t, filepath.Join(dir, arg), s.data)
				continue
			case verb == "env":
				env = append(env, strings.Fields(s.data)...)
				continue
			case verb == strings.ToUpper(verb):
				seed = false
				c.start(configs, env)
			}
		}
		switch verb {
		case "setup":
			_, more := parseTxtar(readFile(t, filepath.Join("testdata/radicale", arg+".setup")))
			sections = slices.Insert(sections, i+1, more...)
		case "text":
			for j := range c.vars {
				c.vars[j][arg] = wireText(c.expand(s.data, j))
			}
		case "store", "store-raw":
			for j, folder := range c.folders {
				text := c.expand(s.data, j)
				if verb == "store" {
					text = wireText(text)
				}
				path := filepath.Join(folder, filepath.FromSlash(arg))
				writeFile(t, path, text)
				if strings.HasSuffix(arg, ".props") {
					// without the blank line that ends a section
					writeFile(t, path, strings.TrimSpace(text))
				}
				if err := os.Chtimes(path, seedTime, seedTime); seed && err != nil {
					t.Fatal(err)
				}
			}
		case "remove":
			for _, folder := range c.folders {
				if err := os.RemoveAll(filepath.Join(folder, filepath.FromSlash(arg))); err != nil {
					t.Fatal(err)
				}
			}
		case "handover":
			maps.Copy(c.vars[ours], c.vars[theirs])
			c.vars[ours]["URL"] = strings.TrimSuffix(c.urls[ours], "/")
			copyCaches(t, c.folders[theirs], c.folders[ours])
		case "same", "different":
			a, b, _ := strings.Cut(arg, " ")
			for j, v := range c.vars {
				if v[a] == "" || v[b] == "" || (v[a] == v[b]) != (verb == "same") {
					t.Errorf("%s: %s has %q and %q", s.name, [2]string{"Radicale", "inetdav"}[j], v[a], v[b])
				}
			}
		case "differs":
			if !seed {
				t.Fatalf("%s follows no request", s.name)
			}
			c.own = append(c.own, parseDiffers(t, c.name, s)...)
		default:
			var here []*differs
			for i+1 < len(sections) && strings.HasPrefix(sections[i+1].name, "differs ") {
				i++
				here = append(here, parseDiffers(t, c.name, sections[i])...)
			}
			c.request(verb, arg, s.data, here)
		}
	}
	if c.asked == 0 {
		t.Error("no requests")
	}
	for _, d := range c.own {
		if !slices.Contains(c.used, d) {
			t.Errorf("no request shows %s", d)
		}
	}
	return c
}

// start starts both servers with the same configuration: files, each of which
// overrides those before.
func (c *comparison) start(configs, env []string) {
	t := c.t
	t.Helper()
	for i := range c.folders {
		folder := filepath.Join(t.TempDir(), "config")
		writeFile(t, folder, "[storage]\nfilesystem_folder = "+filepath.Dir(c.folders[i])+"\n")
		// No connection is kept: each request of ours is a program's first.
		c.clients[i] = &http.Client{Transport: &http.Transport{DisableCompression: true, DisableKeepAlives: true, ResponseHeaderTimeout: patience}}
		if i == theirs {
			c.urls[i], _ = startRadicaleWith(t, env, append(slices.Clone(configs), folder)...)
		} else {
			c.urls[i] = startServerWith(t, serverOptions{bare: true, env: env, args: []string{"--config=" + strings.Join(append(slices.Clone(configs), folder), ":")}}).URL
		}
	}
	for i := range c.vars {
		c.vars[i]["URL"] = strings.TrimSuffix(c.urls[i], "/")
	}
}

// wireText gives iCalendar and vCard the ends of lines that they have there.
func wireText(s string) string {
	s = strings.TrimRight(s, "\r\n")
	if strings.HasPrefix(s, "BEGIN:") {
		return crlf(strings.ReplaceAll(s, "\r\n", "\n") + "\n")
	}
	return s
}

var placeholder = regexp.MustCompile(`\$\{(\w+)(?: ([^}]+))?\}`)

// expand puts in what one of the servers knows by name.
func (c *comparison) expand(s string, which int) string {
	return placeholder.ReplaceAllStringFunc(s, func(p string) string {
		m := placeholder.FindStringSubmatch(p)
		switch uid := m[2]; {
		case uid == "":
			v, ok := c.vars[which][m[1]]
			if !ok {
				c.t.Fatalf("nothing is named %s", p)
			}
			return v
		case m[1] == "event":
			return crlf("BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//example.org//EN\nBEGIN:VEVENT\nUID:" + uid +
				"\nDTSTART:20261201T100000Z\nDTEND:20261201T110000Z\nDTSTAMP:20261101T120000Z\nSUMMARY:" + uid + "\nEND:VEVENT\nEND:VCALENDAR\n")
		case m[1] == "todo":
			return crlf("BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//example.org//EN\nBEGIN:VTODO\nDTSTAMP:20261101T120000Z\nDUE:20261205T120000Z\nSUMMARY:" + uid +
				"\nUID:" + uid + "\nEND:VTODO\nEND:VCALENDAR\n")
		case m[1] == "card":
			return crlf("BEGIN:VCARD\nVERSION:3.0\nUID:" + uid + "\nFN:" + uid + "\nN:" + uid + ";;;;\nEND:VCARD\n")
		case m[1] == "long":
			n, err := strconv.Atoi(uid)
			if err != nil {
				c.t.Fatal(err)
			}
			return strings.Repeat("x", n)
		}
		c.t.Fatalf("nothing is named %s", p)
		return ""
	})
}

// body gives a request's body, as it is sent.
func (c *comparison) body(method, text string, which int) string {
	text = strings.TrimSuffix(text, "\n")
	kind, names, _ := strings.Cut(text, " ")
	list := func() (xml string) {
		for _, n := range strings.Fields(names) {
			name, value, ok := strings.Cut(n, "=")
			if value = strings.ReplaceAll(value, "+", " "); !ok {
				xml += "<" + n + "/>"
			} else {
				xml += "<" + name + ">" + value + "</" + name + ">"
			}
		}
		return xml
	}
	switch kind {
	case "prop":
		return "<propfind " + namespaces + "><prop>" + list() + "</prop></propfind>"
	case "set", "remove":
		return "<propertyupdate " + namespaces + "><" + kind + "><prop>" + list() + "</prop></" + kind + "></propertyupdate>"
	}
	return wireText(c.expand(text, which))
}

// facts are what an answer says, one by one.
type facts map[string]string

// request sends one request to both and compares.
func (c *comparison) request(method, target, text string, here []*differs) {
	t := c.t
	t.Helper()
	c.asked++
	what := fmt.Sprintf("%d: %s %s", c.asked, method, target)
	head, text, _ := strings.Cut("\n"+text, "\n\n")
	head = strings.TrimPrefix(head, "\n")
	var got [2]facts
	if head, ok := strings.CutPrefix(head, "Only: Radicale\n"); ok {
		c.ask(what, method, target, head, text, theirs)
		return
	}
	for i := range got {
		got[i] = c.ask(what, method, target, head, text, i)
	}
	c.compareFolders(got)
	statusDiffers := got[theirs]["status"] != got[ours]["status"]
	for fact := range maps.Keys(got[theirs]) {
		if _, ok := got[ours][fact]; !ok {
			got[ours][fact] = missing
		}
	}
	var lines []string
	for fact, b := range got[ours] {
		a, ok := got[theirs][fact]
		if !ok {
			a = missing
		}
		if a == b {
			continue
		}
		matched := false
		for _, list := range [][]*differs{here, c.own, c.general} {
			if i := slices.IndexFunc(list, func(d *differs) bool { return d.matches(fact, a, b, statusDiffers) }); i >= 0 && !matched {
				c.used = append(c.used, list[i])
				matched = true
			}
		}
		if !matched {
			lines = append(lines, fmt.Sprintf("%s | %s | %s", fact, a, b))
		}
	}
	if len(lines) > 0 {
		slices.Sort(lines)
		t.Errorf("%s differs:\n%s", what, strings.Join(lines, "\n"))
	}
	for _, d := range here {
		if !slices.Contains(c.used, d) {
			t.Errorf("%s does not show %s", what, d)
		}
	}
}

func (c *comparison) ask(what, method, target, head, text string, which int) facts {
	t := c.t
	t.Helper()
	req, err := http.NewRequest(method, c.urls[which], strings.NewReader(c.body(method, text, which)))
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	if text == "" {
		req.Body, req.ContentLength = http.NoBody, 0
	}
	// The target goes out as it is written.
	u, _ := url.Parse(c.urls[which])
	req.URL = &url.URL{Scheme: u.Scheme, Host: u.Host, Opaque: c.expand(target, which)}
	user := "alice"
	keep := map[string]string{}
	for line := range strings.Lines(head) {
		name, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		if !ok {
			t.Fatalf("%s: header %q", what, line)
		}
		value = c.expand(strings.TrimPrefix(value, " "), which)
		switch name {
		case "User":
			user = value
		case "Keep":
			name, fact, _ := strings.Cut(value, " ")
			keep[name] = fact
		case "Host":
			req.Host = value
		case "Transfer-Encoding":
			req.ContentLength = -1
		case "Gzip":
			var b bytes.Buffer
			z := gzip.NewWriter(&b)
			io.WriteString(z, c.body(method, text, which))
			z.Close()
			req.Body, req.ContentLength = io.NopCloser(&b), int64(b.Len())
			req.Header.Set("Content-Encoding", "gzip")
		case "Latin1":
			var b []byte
			for _, r := range c.body(method, text, which) {
				b = append(b, byte(r))
			}
			req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(b)), int64(len(b))
		default:
			req.Header.Add(name, value)
		}
	}
	if user != "-" {
		name, password, ok := strings.Cut(user, ":")
		if !ok {
			password = name
		}
		req.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(name+":"+password)))
	}
	resp, err := c.clients[which].Transport.RoundTrip(req)
	if err != nil {
		t.Fatalf("%s: %s: %v", what, [2]string{"Radicale", "inetdav"}[which], err)
	}
	b, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err == nil && resp.Header.Get("Content-Encoding") == "gzip" && len(b) > 0 {
		var z *gzip.Reader
		if z, err = gzip.NewReader(bytes.NewReader(b)); err == nil {
			b, err = io.ReadAll(z)
		}
	}
	if err != nil {
		t.Fatalf("%s: the body: %v", what, err)
	}
	f, raw := facts{}, facts{}
	raw["status"] = strconv.Itoa(resp.StatusCode)
	for name, values := range resp.Header {
		switch name {
		case "Date", "Server", "Connection":
			continue // the frame, which no client looks at
		case "Content-Type":
			if resp.StatusCode >= 400 {
				continue // that of the error's text
			}
		case "Content-Length":
			if method != "HEAD" {
				continue // the body is compared
			}
		}
		raw["header "+headerName(name)] = strings.Join(values, ", ")
	}
	raw.readBody(t, what, req, resp, b)
	for fact, value := range raw {
		f[c.normalName(fact, which)] = c.normal(fact, value, which)
	}
	for name, fact := range keep {
		value, ok := raw[fact]
		if !ok {
			t.Errorf("%s: %s has no %q", what, [2]string{"Radicale", "inetdav"}[which], fact)
		}
		c.vars[which][name] = value
	}
	return f
}

// headerName is a name as the RFCs write it.
func headerName(s string) string {
	return strings.NewReplacer("Etag", "ETag", "Dav", "DAV", "Www", "WWW").Replace(s)
}

func (f facts) readBody(t *testing.T, what string, req *http.Request, resp *http.Response, b []byte) {
	t.Helper()
	if len(b) == 0 {
		return
	}
	text := strings.ReplaceAll(string(b), "\r\n", "\n")
	if !strings.Contains(resp.Header.Get("Content-Type"), "/xml") && resp.StatusCode >= 400 {
		f["error text"] = strings.TrimSpace(text)
		return
	}
	if !strings.Contains(resp.Header.Get("Content-Type"), "/xml") {
		if resp.Header.Get("Content-Disposition") != "" && strings.HasPrefix(text, "BEGIN:V") {
			text = sortedComponents(text)
		}
		f["body"] = text
		return
	}
	e, err := parseNode(b)
	if err != nil {
		t.Errorf("%s: %v in\n%s", what, err, b)
		return
	}
	switch e.name {
	case "multistatus":
		expand := false
		if req.GetBody != nil {
			if r, err := req.GetBody(); err == nil {
				asked, _ := io.ReadAll(r)
				expand = bytes.Contains(asked, []byte("expand"))
			}
		}
		f.multistatus(e, expand)
	case "error":
		f["condition"] = e.value()
		f["error text"] = "in XML"
	default:
		f["body"] = e.name + " " + e.value()
	}
}

func (f facts) multistatus(ms *node, expand bool) {
	add := func(fact, value string) {
		for old, ok := f[fact]; ok; old, ok = f[fact] {
			_ = old
			fact += "'" // a second time
		}
		f[fact] = value
	}
	for _, r := range ms.children {
		if r.name != "response" {
			add("multistatus "+r.name, r.value())
			continue
		}
		href, status := "", "there"
		for _, e := range r.children {
			switch e.name {
			case "href":
				href += e.value()
			case "status":
				status = strings.Fields(e.text)[1]
			}
		}
		add(href, status)
		for _, stat := range r.children {
			if stat.name != "propstat" {
				continue
			}
			status, props := "", (*node)(nil)
			for _, e := range stat.children {
				switch e.name {
				case "status":
					status = strings.Fields(e.text)[1]
				case "prop":
					props = e
				default:
					add(href+" propstat "+e.name, e.value())
				}
			}
			for _, p := range props.children {
				value := p.value()
				if expand && strings.HasPrefix(value, "BEGIN:") {
					value = sortedComponents(value)
				}
				if status != "200" {
					value = strings.TrimSpace(status + " " + value)
				}
				if text, ok := strings.CutPrefix(value, "BEGIN:"); ok {
					// what the XML parser of a client makes of it
					f["line ends of data"] = map[bool]string{true: "CRLF", false: "LF"}[strings.Contains(text, "\r\n")]
					value = strings.ReplaceAll(value, "\r\n", "\n")
				}
				add(href+" "+p.name, value)
			}
		}
	}
}

// A node is an XML element of an answer.
type node struct {
	name     string
	attrs    []string
	text     string
	children []*node
}

func parseNode(b []byte) (*node, error) {
	d := xml.NewDecoder(bytes.NewReader(b))
	stack := []*node{{}}
	for {
		token, err := d.Token()
		if err == io.EOF && len(stack[0].children) == 1 {
			return stack[0].children[0], nil
		}
		if err != nil {
			return nil, err
		}
		top := stack[len(stack)-1]
		switch token := token.(type) {
		case xml.StartElement:
			e := &node{name: nodeName(token.Name)}
			for _, a := range token.Attr {
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
			top.text += string(token)
		}
	}
}

// nodeName is a name with the prefixes of the scripts; DAV: goes without saying.
func nodeName(n xml.Name) string {
	switch n.Space {
	case "DAV:":
		return n.Local
	case "urn:ietf:params:xml:ns:caldav":
		return "C:" + n.Local
	case "urn:ietf:params:xml:ns:carddav":
		return "CR:" + n.Local
	case "http://calendarserver.org/ns/":
		return "CS:" + n.Local
	case "http://apple.com/ns/ical/":
		return "I:" + n.Local
	case "http://example.org/ns":
		return "X:" + n.Local
	}
	return "{" + n.Space + "}" + n.Local
}

// value is an element's content; the order of children is of no account.
func (e *node) value() string {
	if len(e.children) == 0 {
		return e.text
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

// sortedComponents gives iCalendar or vCard with its content lines unfolded and
// the components of each, and the lines of each, sorted: what is made out of
// several objects has no order.
func sortedComponents(text string) string {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	lines := strings.Split(strings.TrimRight(strings.ReplaceAll(text, "\n ", ""), "\n"), "\n")
	var block func() string
	block = func() string {
		var own, inner []string
		for len(lines) > 0 {
			line := lines[0]
			lines = lines[1:]
			if strings.HasPrefix(line, "BEGIN:") {
				inner = append(inner, line+"\n"+block()+"END:"+line[6:]+"\n")
			} else if strings.HasPrefix(line, "END:") {
				break
			} else {
				own = append(own, line+"\n")
			}
		}
		slices.Sort(own)
		slices.Sort(inner)
		return strings.Join(own, "") + strings.Join(inner, "")
	}
	return block()
}

var (
	randomName = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)
	quotedHash = regexp.MustCompile(`^"[0-9a-f]{64}"$`)
	stamp      = regexp.MustCompile(`(DTSTAMP|REV):(\d{8}T\d{6})Z?`)
)

func (c *comparison) normalName(fact string, which int) string {
	fact = strings.ReplaceAll(fact, strings.TrimSuffix(c.urls[which], "/"), "${URL}")
	return strings.ReplaceAll(randomName.ReplaceAllString(fact, "RANDOM"), "\n", `\n`)
}

// normal takes out of a value what differs between any two servers: the time of
// now, random names, and what is opaque to clients.
func (c *comparison) normal(fact, value string, which int) string {
	switch {
	case value == "":
		return `""`
	case strings.HasSuffix(fact, " creationdate"):
		if at, err := time.Parse(time.RFC3339, value); err == nil && time.Since(at).Abs() < 10*time.Minute {
			return "now"
		}
	case fact == "header Last-Modified" || strings.HasSuffix(fact, " getlastmodified"):
		if at, err := http.ParseTime(value); err == nil && time.Since(at).Abs() < 10*time.Minute {
			return "now"
		}
	case strings.HasSuffix(fact, " CS:getctag") && quotedHash.MatchString(value), strings.HasSuffix(fact, "/ getetag") && quotedHash.MatchString(value):
		return "a hash" // of each server's own making
	case strings.HasSuffix(fact, " sync-token") && !strings.HasPrefix(value, "404"):
		for _, prefix := range []string{"http://radicale.org/ns/sync/", "data:,"} {
			if strings.HasPrefix(value, prefix) {
				return prefix + "*"
			}
		}
	}
	value = stamp.ReplaceAllStringFunc(value, func(s string) string {
		m := stamp.FindStringSubmatch(s)
		if at, err := time.Parse("20060102T150405", m[2]); err == nil && time.Since(at).Abs() < 48*time.Hour {
			return m[1] + ":now"
		}
		return s
	})
	value = strings.ReplaceAll(value, strings.TrimSuffix(c.urls[which], "/"), "${URL}")
	value = randomName.ReplaceAllString(value, "RANDOM")
	return strings.NewReplacer("\r", `\r`, "\n", `\n`).Replace(value)
}

// compareFolders adds what differs below collection-root, and makes ours equal
// to Radicale's.
func (c *comparison) compareFolders(got [2]facts) {
	t := c.t
	t.Helper()
	var files [2]map[string]string
	for i, folder := range c.folders {
		files[i] = folderFiles(t, folder)
		for name, text := range files[i] {
			got[i]["folder "+c.normalName(name, i)] = c.normal("", text, i)
		}
	}
	for name := range files[ours] {
		if _, ok := files[theirs][name]; !ok {
			if err := os.RemoveAll(filepath.Join(c.folders[ours], name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(files[theirs])) {
		text := files[theirs][name]
		if old, ok := files[ours][name]; ok && old == text {
			continue
		}
		from, to := filepath.Join(c.folders[theirs], name), filepath.Join(c.folders[ours], name)
		if text == "folder" {
			if err := os.MkdirAll(to, 0o755); err != nil {
				t.Fatal(err)
			}
			continue
		}
		writeFile(t, to, readFile(t, from))
		info, err := os.Stat(from)
		if err == nil {
			err = os.Chtimes(to, info.ModTime(), info.ModTime())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// copyCaches copies Radicale's caches, with the times of the files, on which it
// may depend whether they are believed.
func copyCaches(t *testing.T, from, to string) {
	t.Helper()
	n := 0
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.Contains(path, "/.Radicale.cache/") {
			return err
		}
		n++
		copied := to + strings.TrimPrefix(path, from)
		writeFile(t, copied, readFile(t, path))
		info, err := d.Info()
		if err != nil {
			return err
		}
		return os.Chtimes(copied, info.ModTime(), info.ModTime())
	})
	if err != nil || n == 0 {
		t.Fatalf("%d files of Radicale's caches: %v", n, err)
	}
}

// folderFiles gives what lies below a collection-root, without caches: "folder"
// for a folder, the properties of collections in one form of JSON.
func folderFiles(t *testing.T, root string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		name := filepath.ToSlash(strings.TrimPrefix(strings.TrimPrefix(path, root), "/"))
		switch {
		case err != nil || path == root:
			return err
		case d.Name() == ".Radicale.cache":
			return filepath.SkipDir
		case d.IsDir():
			files[name] = "folder"
			return nil
		}
		text := readFile(t, path)
		if d.Name() == ".Radicale.props" {
			var props map[string]any
			if err := json.Unmarshal([]byte(text), &props); err != nil {
				return fmt.Errorf("%s: %w\n%s", path, err, text)
			}
			b, _ := json.Marshal(props)
			text = string(b)
		}
		files[name] = text
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
