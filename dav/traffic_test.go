package dav

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"inetdav/dav/davxml"
)

// TestTraffic replays what real clients sent, in order, on a server with the
// resources that they name. The files in testdata/traffic are txtar:
//
//	-- collections --       "calendar" or "addressbook" and the path, one a line
//	-- other PATH --        another client puts this object
//	-- request STATUS --    as in a dialogue; without a response
//
// ${ETAG} is what the client would have heard of the resource, ${TOKEN:x} a sync
// token, ${LOCK} the last lock token. Repetitions and headers that mean nothing to a server are left out.
// Besides the status every answer is checked for what clients need: the
// properties that each kind of resource must have when asked for them; an
// answer for each href of a multiget; an ETag after PUT and the same bytes from
// GET and from reports; the properties as the client has set them; a sync token
// that is good the next time.
func TestTraffic(t *testing.T) {
	names, err := filepath.Glob("testdata/traffic/*.txtar")
	if err != nil || len(names) == 0 {
		t.Fatal("no traffic", err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			t.Parallel()
			users := filepath.Join(t.TempDir(), "users")
			if err := os.WriteFile(users, []byte("alice:secret\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			c := &replay{t: t, set: map[string]map[davxml.Name]string{}, objects: map[string]string{}, tokens: map[string]string{}, latest: map[string]string{}, kinds: map[string]kind{"/": kRoot, "/alice/": kPrincipal}}
			c.url, _ = testServer(t, "--rights-type=owner_only", "--auth-type=htpasswd", "--auth-htpasswd-filename="+users, "--auth-htpasswd-encryption=plain")
			for _, f := range readTxtar(t, name) {
				verb, arg, _ := strings.Cut(f.name, " ")
				switch verb {
				case "collections":
					c.collections(f.data)
				case "other":
					c.do("PUT", (&url.URL{Path: arg}).EscapedPath(), f.data, 201)
					c.objects[arg] = strings.TrimSpace(f.data)
				case "request":
					c.request(arg, f.data)
				default:
					t.Fatalf("section %q", f.name)
				}
			}
			if c.n == 0 {
				t.Fatal("no requests")
			}
			if c.checked == 0 {
				t.Error("nothing came back that was set")
			}
		})
	}
}

type replay struct {
	t      *testing.T
	url    string
	n      int
	kinds  map[string]kind   // of collections, by path with slashes
	tokens map[string]string // recorded ones, by what they stand for now
	latest map[string]string // the last one told of a collection

	set     map[string]map[davxml.Name]string // what clients have set, by path without a slash at its end
	objects map[string]string                 // what they have put, by path
	lock    string                            // the last lock token
	checked int                               // how many properties and objects came back
}

// do is a request that is no part of the recording.
func (c *replay) do(method, path, body string, want ...int) (*http.Response, []byte) {
	c.t.Helper()
	if strings.HasPrefix(body, "BEGIN:") {
		body = strings.ReplaceAll(body, "\n", "\r\n")
	}
	req, err := http.NewRequest(method, c.url+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	req.SetBasicAuth("alice", "secret")
	resp, got := roundTrip(c.t, method+" "+path, req)
	if !slices.Contains(want, resp.StatusCode) {
		c.t.Fatalf("%s %s: status %d, want %v\n%s", method, path, resp.StatusCode, want, got)
	}
	return resp, got
}

func (c *replay) collections(lines string) {
	for line := range strings.Lines(lines) {
		what, path, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok {
			continue
		}
		rt, k := `<calendar xmlns="urn:ietf:params:xml:ns:caldav"/>`, kCalendar
		if what == "addressbook" {
			rt, k = `<addressbook xmlns="urn:ietf:params:xml:ns:carddav"/>`, kAddressbook
		}
		c.do("MKCOL", path, `<mkcol xmlns="DAV:"><set><prop><resourcetype><collection/>`+rt+`</resourcetype></prop></set></mkcol>`, 201)
		c.kinds[path] = k
	}
}

var recordedToken = regexp.MustCompile(`\$\{TOKEN:(\w+)\}`)

func (c *replay) request(want, data string) {
	t := c.t
	c.n++
	head, body, _ := strings.Cut(data, "\n\n")
	lines := strings.Split(strings.TrimRight(head, "\n"), "\n")
	method, path, _ := strings.Cut(lines[0], " ")
	what := fmt.Sprintf("%d: %s", c.n, lines[0])
	body = strings.TrimSpace(body)
	if strings.HasPrefix(body, "BEGIN:") {
		body = strings.ReplaceAll(body, "\n", "\r\n") + "\r\n"
	}
	body = strings.ReplaceAll(body, "${URL}", c.url)
	body = strings.ReplaceAll(body, "${HOST}", strings.TrimPrefix(c.url, "http://"))
	body = recordedToken.ReplaceAllStringFunc(body, func(name string) string {
		name = path + name // Radicale's token of an empty collection is the same for all
		if c.tokens[name] == "" {
			c.tokens[name] = c.latest[path]
		}
		return c.tokens[name]
	})
	req, err := http.NewRequest(method, c.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("alice", "secret")
	for _, line := range lines[1:] {
		k, v, _ := strings.Cut(line, ":")
		v = strings.ReplaceAll(strings.TrimSpace(v), "${URL}", c.url)
		v = strings.ReplaceAll(v, "${LOCK}", c.lock)
		if v == "${ETAG}" {
			resp, _ := c.do("HEAD", path, "", 200)
			v = resp.Header.Get("ETag")
		}
		if k == "User" {
			req.Header.Del("Authorization")
		} else {
			req.Header.Add(k, v)
		}
	}
	resp, got := roundTrip(t, what, req)
	if strconv.Itoa(resp.StatusCode) != want {
		t.Errorf("%s: status %d, want %s\n%.2000s", what, resp.StatusCode, want, got)
		return
	}
	var asked *davxml.Element
	if strings.HasPrefix(body, "<") {
		if asked, err = davxml.Parse([]byte(body)); err != nil {
			t.Fatalf("%s: the request: %v", what, err)
		}
	}
	switch {
	case resp.StatusCode == http.StatusUnauthorized:
		if !strings.HasPrefix(resp.Header.Get("WWW-Authenticate"), "Basic realm=") {
			t.Errorf("%s: no challenge", what)
		}
	case resp.StatusCode == http.StatusMovedPermanently, resp.StatusCode == http.StatusTemporaryRedirect:
		if resp.Header.Get("Location") != "/" {
			t.Errorf("%s: Location %q", what, resp.Header.Get("Location"))
		}
	case method == "OPTIONS":
		dav := resp.Header.Get("DAV")
		for _, class := range []string{"1", "3", "calendar-access", "addressbook", "extended-mkcol"} {
			if !slices.Contains(strings.Split(dav, ", "), class) {
				t.Errorf("%s: DAV: %s lacks %s", what, dav, class)
			}
		}
	case method == "PROPPATCH" && resp.StatusCode < 300:
		if resp.StatusCode == http.StatusMultiStatus {
			c.multistatus(what, path, asked, got)
			if regexp.MustCompile(`HTTP/1.1 [345]`).Match(got) {
				return
			}
		}
		c.remember(path, asked)
	case resp.StatusCode == http.StatusMultiStatus:
		c.multistatus(what, path, asked, got)
	case method == "PUT" && resp.StatusCode < 300:
		c.put(what, path, resp, body)
	case method == "LOCK" && resp.StatusCode == http.StatusOK:
		c.lock = resp.Header.Get("Lock-Token")
		told, err := davxml.Parse(got)
		if err != nil || "<"+strings.TrimSpace(told.Child(nLockdiscovery).Child(nActivelock).Child(nLocktoken).Child(nHref).Text())+">" != c.lock {
			t.Errorf("%s: token %s, %v\n%s", what, c.lock, err, got)
		}
	case method == "DELETE" && resp.StatusCode < 300, method == "MOVE" && resp.StatusCode < 300:
		c.do("GET", path, "", 404)
		clear(c.objects) // of a collection, or of what was replaced
		clear(c.set)
	case method == "COPY" && resp.StatusCode < 300:
		clear(c.objects)
	case method == "MKCALENDAR" && resp.StatusCode == http.StatusCreated:
		c.kinds[path] = kCalendar
		c.remember(path, asked)
	case method == "MKCOL" && resp.StatusCode == http.StatusCreated:
		path = strings.TrimSuffix(path, "/") + "/"
		c.kinds[path] = kPlain
		c.remember(path, asked)
		if asked != nil {
			rt := asked.Child(nSet).Child(nProp).Child(nResourcetype)
			if rt.Child(nCalendar) != nil {
				c.kinds[path] = kCalendar
			} else if rt.Child(nAddressbook) != nil {
				c.kinds[path] = kAddressbook
			}
		}
	}
}

// remember notes what a client has set, and told to remove.
func (c *replay) remember(path string, asked *davxml.Element) {
	if asked == nil {
		return
	}
	path = strings.TrimSuffix(path, "/")
	if c.set[path] == nil {
		c.set[path] = map[davxml.Name]string{}
	}
	for op := range asked.Elements() {
		if op.Child(nProp) == nil {
			continue
		}
		for p := range op.Child(nProp).Elements() {
			if delete(c.set[path], p.Name); op.Name == nSet {
				c.set[path][p.Name] = strings.Join(canonical(p, ""), "\n")
			}
		}
	}
}

// compare: a property is as it was set, an object as it was put.
func (c *replay) compare(what, path string, status int, p *davxml.Element, asked *davxml.Element) {
	if want, ok := c.set[strings.TrimSuffix(path, "/")][p.Name]; ok {
		c.checked++
		if got := strings.Join(canonical(p, ""), "\n"); status != 200 || got != want {
			c.t.Errorf("%s: %s: %d %s\nwas set to %s", what, path, status, got, want)
		}
	}
	if put, ok := c.objects[path]; ok && status == 200 && (p.Name == nCalendarData || p.Name == nAddressData) {
		as := asked.Child(nProp).Child(p.Name)
		for range as.Elements() {
			return // a part
		}
		if as == nil || as.HasAttr("version") {
			return
		}
		c.checked++
		if got := strings.TrimSpace(strings.ReplaceAll(p.Text(), "\r", "")); got != put {
			c.t.Errorf("%s: %s is\n%s\nput as\n%s", what, path, got, put)
		}
	}
}

// put: the ETag is strong, and is that of what GET gives: the bytes sent.
func (c *replay) put(what, path string, resp *http.Response, body string) {
	etag := resp.Header.Get("ETag")
	if !strings.HasPrefix(etag, `"`) || len(etag) < 3 {
		c.t.Errorf("%s: ETag %q", what, etag)
	}
	c.objects[decoded(path)] = strings.TrimSpace(strings.ReplaceAll(body, "\r", ""))
	stored, got := c.do("GET", path, "", 200)
	if string(got) != body {
		c.t.Errorf("%s: stored as\n%s\nsent\n%s", what, got, body)
	}
	if stored.Header.Get("ETag") != etag {
		c.t.Errorf("%s: ETag %s, then %s", what, etag, stored.Header.Get("ETag"))
	}
}

// decoded is the path of a request without percent-encoding.
func decoded(path string) string {
	u, err := url.PathUnescape(path)
	if err != nil {
		return path
	}
	return u
}

// kindOfPath tells what the replay knows of a path.
func (c *replay) kindOfPath(path string) kind {
	if k, ok := c.kinds[strings.TrimSuffix(path, "/")+"/"]; ok {
		return k
	}
	switch c.kinds[path[:strings.LastIndexByte(path, '/')+1]] {
	case kCalendar:
		return kCalObject
	case kAddressbook:
		return kCardObject
	}
	return kNone
}

// mustHave are the properties that clients rely on: they have to be there when
// they are asked for.
func mustHave() map[davxml.Name]kind {
	d := func(local string) davxml.Name { return davxml.Name{Space: davxml.DAV, Local: local} }
	c := func(local string) davxml.Name { return davxml.Name{Space: davxml.CalDAV, Local: local} }
	cr := func(local string) davxml.Name { return davxml.Name{Space: davxml.CardDAV, Local: local} }
	return map[davxml.Name]kind{
		d("resourcetype"):                     kAny,
		d("displayname"):                      kPrincipal | kTagged,
		d("current-user-principal"):           kAny,
		d("current-user-privilege-set"):       kAny,
		d("supported-report-set"):             kAny,
		d("owner"):                            kAny &^ kRoot,
		d("principal-URL"):                    kPrincipal,
		d("principal-collection-set"):         kAny,
		d("getetag"):                          kTagged | kObject,
		d("getcontenttype"):                   kTagged | kObject,
		d("getcontentlength"):                 kObject,
		d("getlastmodified"):                  kAny,
		d("sync-token"):                       kTagged,
		c("calendar-home-set"):                kPrincipal,
		c("calendar-user-address-set"):        kPrincipal,
		c("supported-calendar-component-set"): kCalendar,
		c("supported-calendar-data"):          kCalendar,
		c("max-resource-size"):                kCalendar,
		c("calendar-data"):                    kCalObject,
		cr("addressbook-home-set"):            kPrincipal,
		cr("supported-address-data"):          kAddressbook,
		cr("max-resource-size"):               kAddressbook,
		cr("address-data"):                    kCardObject,
		{Space: davxml.CS, Local: "getctag"}:  kTagged | kPrincipal,
	}
}

func (c *replay) multistatus(what, path string, asked *davxml.Element, got []byte) {
	t := c.t
	root, err := davxml.Parse(got)
	if err != nil || root.Name != nMultistatus {
		t.Fatalf("%s: %v\n%s", what, err, got)
	}
	if token := root.Child(nSyncToken).Text(); token != "" {
		c.latest[path] = token
	}
	must := mustHave()
	answered := map[string]int{} // status, by decoded path
	for r := range root.Elements() {
		if r.Name != nResponse {
			continue
		}
		href := r.Child(nHref).Text()
		u, err := url.Parse(href)
		if err != nil || u.Path == "" {
			t.Errorf("%s: href %q", what, href)
			continue
		}
		k := c.kindOfPath(u.Path)
		answered[u.Path] = statusOf(r)
		if r.Child(nPropstat) == nil && r.Child(nStatus) == nil {
			t.Errorf("%s: %s has neither a status nor properties", what, href)
		}
		for ps := range r.Elements() {
			if ps.Name != nPropstat {
				continue
			}
			status := statusOf(ps)
			for p := range ps.Child(nProp).Elements() {
				if asked != nil && asked.Name.Local != "propertyupdate" {
					c.compare(what, u.Path, status, p, asked)
				}
				data := p.Name == nCalendarData || p.Name == nAddressData // which PROPFIND does not know: RFC 4791, 9.6
				if status != 200 && must[p.Name]&k != 0 && !(data && asked.Name == nPropfind) {
					t.Errorf("%s: %s has no %v", what, href, p.Name)
				}
				if p.Name == nSyncToken && status == 200 {
					c.latest[u.Path] = p.Text()
				}
				if data && status == 200 && asked.Child(nProp).Child(p.Name).Child(nExpand) == nil &&
					!strings.HasPrefix(strings.TrimSpace(p.Text()), "BEGIN:V") {
					t.Errorf("%s: %s is %q", what, href, p.Text())
				}
			}
		}
	}
	if asked == nil {
		return
	}
	switch asked.Name.Local {
	case "sync-collection":
		if root.Child(nSyncToken).Text() == "" {
			t.Errorf("%s: no sync token", what)
		}
	case "calendar-multiget", "addressbook-multiget":
		for h := range asked.Elements() {
			if h.Name != nHref {
				continue
			}
			u, err := url.Parse(strings.TrimSpace(h.Text()))
			if err != nil {
				t.Fatal(err)
			}
			if status, ok := answered[u.Path]; !ok || status != 200 && status != 404 {
				t.Errorf("%s: %s: %d %v", what, u.Path, status, ok)
			}
		}
	case "propfind":
		if _, ok := answered[path]; !ok && len(answered) != 1 && path != "/" {
			if _, ok := answered[path+"/"]; !ok {
				t.Errorf("%s: the resource itself is missing in %v", what, answered)
			}
		}
	}
}

// statusOf is the number in the status of a response or propstat, 200 where it
// has none.
func statusOf(e *davxml.Element) int {
	if e.Child(nStatus) == nil {
		return 200
	}
	f := strings.Fields(e.Child(nStatus).Text())
	if len(f) < 2 {
		return 0
	}
	n, _ := strconv.Atoi(f[1])
	return n
}
