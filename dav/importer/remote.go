package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/emersion/go-webdav/caldav"
	"github.com/emersion/go-webdav/carddav"

	"inetdav/dav/davxml"
	"inetdav/store"
)

// Limits of what another server may answer with.
const (
	// maxBatch is the number of objects of one request.
	maxBatch = 1000
	// maxListing is the size of a list of all objects, in bytes.
	maxListing = 1 << 30
	// maxProperties is the size of the properties of a collection, in bytes.
	maxProperties = 4 << 20
	// maxCollections is how many collections one server may have.
	maxCollections = 10_000
)

// A remote is another server.
type remote struct {
	*job
	client *client
	base   *url.URL
}

// A found is a collection of another server.
type found struct {
	kind       store.Kind
	path       string // unescaped, on the server
	name       string // its display name, or ""
	components []string
}

// importRemote imports the collections of a server.
func (j *job) importRemote(source, password string) error {
	r := &remote{job: j, client: newClient(j.login, password, j.trust, j.retries)}
	collections, err := r.discover(source)
	if err != nil {
		return err
	}
	if len(collections) > maxCollections {
		return fmt.Errorf("%s has more than %d collections", source, maxCollections)
	}
	if len(j.collections) > 0 {
		collections = slices.DeleteFunc(collections, func(f found) bool {
			return !slices.Contains(j.collections, path.Base(f.path)) && !slices.Contains(j.collections, f.name)
		})
	}
	if len(collections) == 0 {
		return fmt.Errorf("%s has no such calendars or address books", source)
	}
	if len(collections) > 1 && strings.Contains(j.to, "/") {
		return fmt.Errorf("%s has %d collections: say a user (--to USER), or which one (--collection NAME)", source, len(collections))
	}
	used := map[string]bool{}
	for _, f := range collections {
		if err := r.collection(f, used); err != nil {
			return err
		}
	}
	return nil
}

// at is the URL of a path of the server.
func (r *remote) at(p string) *url.URL {
	return &url.URL{Scheme: r.base.Scheme, Host: r.base.Host, Path: p}
}

// discover finds the calendars and address books: those at or right below the
// URL, else those of the homes of the principal that the server sees in us (RFC
// 6764, RFC 5397).
func (r *remote) discover(source string) ([]found, error) {
	var tried []error
	starts, domain := r.starts(source)
	var all []found
	for i, start := range starts {
		u, err := url.Parse(start)
		if err != nil || u.Host == "" {
			return nil, fmt.Errorf("%q is no URL", start)
		}
		if u.User != nil {
			return nil, errors.New("a URL with a user in it: say --login NAME")
		}
		r.client.trust(u.Hostname(), domain)
		some, err := r.discoverAt(u)
		if err != nil {
			tried = append(tried, err)
			if lasting(err) || r.ctx.Err() != nil {
				break
			}
		}
		for _, f := range some {
			if !slices.ContainsFunc(all, func(o found) bool { return o.path == f.path }) {
				all = append(all, f)
			}
		}
		if len(all) > 0 && i == 0 && len(starts) == 3 {
			break // the URL itself will do
		}
	}
	if len(all) == 0 && len(tried) > 0 {
		return nil, tried[0]
	}
	return all, nil
}

// starts are the URLs where to look, and the host or domain that they have been
// found by.
func (r *remote) starts(source string) (starts []string, domain string) {
	if u, err := url.Parse(source); err == nil && u.Host != "" {
		starts = []string{source}
		if u.Path == "" || u.Path == "/" {
			for _, service := range [...]string{"caldav", "carddav"} {
				starts = append(starts, u.Scheme+"://"+u.Host+"/.well-known/"+service)
			}
		}
		return starts, u.Hostname()
	}
	domain = source[strings.LastIndexByte(source, '@')+1:]
	calendars, err := caldav.DiscoverContextURL(r.ctx, domain)
	if err != nil {
		calendars = "https://" + domain + "/.well-known/caldav"
	}
	cards, err := carddav.DiscoverContextURL(r.ctx, domain)
	if err != nil {
		cards = "https://" + domain + "/.well-known/carddav"
	}
	return []string{calendars, cards}, domain
}

func (r *remote) discoverAt(u *url.URL) ([]found, error) {
	// One request of our own tells where redirects lead, and fails for a
	// reason that can be said.
	b, at, err := r.client.propfind(r.ctx, u, propfindHome)
	if err != nil {
		return nil, err
	}
	r.base = at
	here := r.base.Path
	endpoint := r.at(here).String()
	calendars, err := caldav.NewClient(r.client, endpoint)
	if err != nil {
		return nil, err
	}
	cards, err := carddav.NewClient(r.client, endpoint)
	if err != nil {
		return nil, err
	}
	if kind := kindOfAnswer(b); kind != store.None {
		f := found{kind: kind, path: here}
		if c, err := calendars.FindCalendar(r.ctx, here); err == nil && kind == store.Calendar {
			f.name, f.components = c.Name, c.SupportedComponentSet
		}
		return []found{f}, nil
	}
	below := func(home string) (all []found) {
		list, err := calendars.FindCalendars(r.ctx, home)
		for i := range list {
			all = append(all, found{store.Calendar, list[i].Path, list[i].Name, list[i].SupportedComponentSet})
		}
		books, err2 := cards.FindAddressBooks(r.ctx, home)
		for _, book := range books {
			all = append(all, found{store.AddressBook, book.Path, book.Name, nil})
		}
		if len(all) == 0 && err != nil && err2 != nil {
			r.note("%s: %v", r.at(home), err)
		}
		return all
	}
	if here != "/" {
		if all := below(here); len(all) > 0 {
			return all, nil
		}
	}
	principal, err := calendars.FindCurrentUserPrincipal(r.ctx)
	if err != nil || principal == "" {
		return nil, err
	}
	var homes []string
	if home, err := calendars.FindCalendarHomeSet(r.ctx, principal); err == nil && home != "" {
		homes = append(homes, home)
	}
	if home, err := cards.FindAddressBookHomeSet(r.ctx, principal); err == nil && home != "" && !slices.Contains(homes, home) {
		homes = append(homes, home)
	}
	var all []found
	for _, home := range homes {
		all = append(all, below(home)...)
	}
	return all, nil
}

const propfindHome = `<?xml version="1.0" encoding="utf-8"?>
<propfind xmlns="DAV:"><prop><resourcetype/><current-user-principal/></prop></propfind>`

// kindOfAnswer is the kind of collection that a resourcetype in a 207 says.
func kindOfAnswer(b []byte) store.Kind {
	root, err := davxml.Parse(b)
	if err != nil {
		return store.None
	}
	for p := range properties(root) {
		if p.Name != (davxml.Name{Space: davxml.DAV, Local: "resourcetype"}) {
			continue
		}
		if p.Child(davxml.Name{Space: davxml.CalDAV, Local: "calendar"}) != nil {
			return store.Calendar
		}
		if p.Child(davxml.Name{Space: davxml.CardDAV, Local: "addressbook"}) != nil {
			return store.AddressBook
		}
	}
	return store.None
}

// properties yields those of the first response that have a value.
func properties(root *davxml.Element) func(yield func(*davxml.Element) bool) {
	name := func(local string) davxml.Name { return davxml.Name{Space: davxml.DAV, Local: local} }
	return func(yield func(*davxml.Element) bool) {
		for ps := range root.Child(name("response")).Elements() {
			if ps.Name != name("propstat") || !succeeded(ps.Child(name("status")).Text()) {
				continue
			}
			for p := range ps.Child(name("prop")).Elements() {
				if !yield(p) {
					return
				}
			}
		}
	}
}

// target is where a collection comes to lie: under its own name, or, where one
// of another kind is, with what it is behind it.
func (r *remote) target(f found, used map[string]bool) (p string, exists bool, err error) {
	if strings.Contains(r.to, "/") {
		kind, err := r.dest.kindAt(r.to)
		if err == nil && kind != store.None && kind != f.kind {
			err = fmt.Errorf("%q is there, and of another kind", r.to)
		}
		return r.to, kind != store.None, err
	}
	name := localName(path.Base(f.path))
	suffix := map[store.Kind]string{store.Calendar: "-calendar", store.AddressBook: "-contacts"}[f.kind]
	for i := 1; ; i++ {
		p = r.to + "/" + name
		if i > 1 {
			p += suffix
		}
		if i > 2 {
			p += fmt.Sprint("-", i)
		}
		kind, err := r.dest.kindAt(p)
		if err != nil {
			return "", false, err
		}
		if !used[p] && (kind == store.None || kind == f.kind) {
			used[p] = true
			return p, kind != store.None, nil
		}
	}
}

// localName makes a name that may be stored of one that came from elsewhere.
func localName(name string) string {
	name = strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f || c == '/' || c == '\\' {
			return '-'
		}
		return c
	}, strings.ToValidUTF8(name, "-"))
	name = strings.TrimRight(strings.TrimLeft(name, "."), "~")
	if store.CheckName(name) != nil {
		return fmt.Sprintf("imported-%s", strings.Trim(etagOf([]byte(name)), `"`)[:12])
	}
	return name
}

// listed is an object of the list of another server.
type listed struct{ path, etag string }

// collection imports one collection.
func (r *remote) collection(f found, used map[string]bool) error {
	target, exists, err := r.target(f, used)
	if err != nil {
		return err
	}
	var log *journal
	if r.dest != nil {
		if log, err = openJournal(r.dest.folder, r.at(f.path).String(), target, !r.dryRun); err != nil {
			return err
		}
		defer log.close()
	} else {
		log = &journal{objects: map[string]fetched{}}
	}
	if !exists {
		if err := log.forget(); err != nil {
			return err
		}
	}
	if !r.dryRun {
		if err := r.prepare(f, target, exists, log); err != nil {
			return err
		}
	}
	todo, t, err := r.list(f, log)
	if err != nil {
		return err
	}
	all := len(todo)
	if r.dryRun {
		for _, o := range todo {
			if _, ok := log.objects[o.path]; ok {
				t.changed++
			} else {
				t.fresh++
			}
		}
		todo = nil
	}
	if r.prune {
		if err := r.removeGone(target, log, &t); err != nil {
			return err
		}
	}
	g := &fetching{remote: r, found: f, target: target, log: log, tally: &t, byGet: false}
	for done := 0; len(todo) > 0; {
		n := min(r.batch, len(todo))
		r.progress.show(target, done, all)
		if err := g.batch(todo[:n]); err != nil {
			r.report(target, f.name, t)
			return err
		}
		todo, done = todo[n:], done+n
		r.progress.show(target, done, all)
	}
	r.report(target, f.name, t)
	return nil
}

// list lists what is to be fetched, and counts what is not.
func (r *remote) list(f found, log *journal) (todo []listed, t tally, err error) {
	const body = `<?xml version="1.0" encoding="utf-8"?>
<propfind xmlns="DAV:"><prop><getetag/><resourcetype/></prop></propfind>`
	for attempts := 0; ; attempts++ {
		todo, t = nil, tally{}
		log.seen = map[string]bool{}
		var resp *http.Response
		if resp, err = r.client.request(r.ctx, "PROPFIND", r.at(f.path), "1", body, http.StatusMultiStatus); err != nil {
			return nil, t, err
		}
		err = eachResponse(resp.Body, maxListing, func(o *response) error {
			p, ok := pathOf(o.Href)
			if !ok || o.isCollection() || strings.TrimSuffix(p, "/") == strings.TrimSuffix(f.path, "/") || strings.Contains(o.Status, " 404") {
				return nil
			}
			log.seen[p] = true
			known, ok := log.objects[p]
			if ok && known.ETag == o.etag() && known.ETag != "" && !r.overwrite {
				t.same++
				return nil
			}
			todo = append(todo, listed{p, o.etag()})
			return nil
		})
		resp.Body.Close()
		if err == nil || !errors.Is(err, errCut) || attempts >= r.retries {
			return todo, t, err
		}
		if err := r.client.wait(r.ctx, pause(attempts)); err != nil {
			return nil, t, err
		}
	}
}

// removeGone removes what an earlier import brought and the source has no more.
func (r *remote) removeGone(target string, log *journal, t *tally) error {
	for p, o := range log.objects {
		if log.seen[p] {
			continue
		}
		if r.dryRun {
			t.removed++
			continue
		}
		gone, err := r.dest.remove(target+"/"+o.Name, o.Ours)
		if err != nil {
			return err
		}
		if gone {
			t.removed++
		}
		if err := log.add(fetched{Path: p}); err != nil {
			return err
		}
	}
	return nil
}

// prepare makes the collection and sets its properties, once.
func (r *remote) prepare(f found, target string, exists bool, log *journal) error {
	if err := r.store.EnsurePrincipal(strings.Split(target, "/")[0]); err != nil {
		return err
	}
	if exists && (log.props || !log.begun) {
		return nil // its properties are not ours to change
	}
	if err := log.add(fetched{Step: stepBegun}); err != nil {
		return err
	}
	props, err := r.properties(f)
	if err != nil {
		if errors.As(err, new(*statusError)) || errors.As(err, new(*davxml.SyntaxError)) {
			r.note("%q: its properties cannot be read: %v", target, err)
		} else {
			return err
		}
	}
	if !exists {
		if err := r.make(f, target, props); err != nil {
			return err
		}
	}
	for _, p := range props {
		if !worthKeeping(p) {
			continue
		}
		a, err := r.dest.do("PROPPATCH", target, wrapXML("propertyupdate", p), "Content-Type", "application/xml")
		if err != nil {
			return err
		}
		if a.status != http.StatusMultiStatus || !bytes.Contains(a.body.Bytes(), []byte(" 200 ")) {
			r.note("%q: property %v is not kept", target, p.Name)
		}
	}
	return log.add(fetched{Step: stepDone})
}

// properties asks for the properties of a collection: for those that are known
// by name, as they need not be part of allprop, and for all (RFC 4918, 9.1).
func (r *remote) properties(f found) (props []*davxml.Element, err error) {
	for _, body := range [...]string{propfindCollection, propfindAll} {
		b, _, err := r.client.propfind(r.ctx, r.at(f.path), body)
		if err != nil {
			return props, err
		}
		root, err := davxml.Parse(b)
		if err != nil {
			return props, err
		}
		for p := range properties(root) {
			if !slices.ContainsFunc(props, func(o *davxml.Element) bool { return o.Name == p.Name }) {
				props = append(props, p)
			}
		}
	}
	return props, nil
}

// make makes the collection: its kind, and which components it takes, are set
// once and for all.
func (r *remote) make(f found, target string, props []*davxml.Element) error {
	e := func(space, local string, children ...*davxml.Element) *davxml.Element {
		e := &davxml.Element{Name: davxml.Name{Space: space, Local: local}}
		for _, c := range children {
			e.Nodes = append(e.Nodes, davxml.Node{Element: c})
		}
		return e
	}
	kind := e(davxml.CalDAV, "calendar")
	if f.kind == store.AddressBook {
		kind = e(davxml.CardDAV, "addressbook")
	}
	set := []*davxml.Element{e(davxml.DAV, "resourcetype", e(davxml.DAV, "collection"), kind)}
	for _, p := range props {
		if f.kind == store.Calendar && p.Name == (davxml.Name{Space: davxml.CalDAV, Local: "supported-calendar-component-set"}) {
			set = append(set, p)
		}
	}
	for {
		a, err := r.dest.do("MKCOL", target, wrapXML("mkcol", set...), "Content-Type", "application/xml")
		switch {
		case err != nil:
			return err
		case a.status == http.StatusCreated:
			return nil
		case len(set) == 1:
			return fmt.Errorf("%q cannot be made: %d %s", target, a.status, r.dest.reason())
		}
		r.note("%q: property %v is not kept", target, set[1].Name)
		set = set[:1]
	}
}

// wrapXML is a document that sets properties.
func wrapXML(root string, props ...*davxml.Element) []byte {
	inner := &davxml.Element{}
	for _, p := range props {
		inner.Nodes = append(inner.Nodes, davxml.Node{Element: p})
	}
	return []byte(`<?xml version="1.0" encoding="utf-8"?><D:` + root + ` xmlns:D="DAV:"><D:set><D:prop>` +
		inner.InnerXML() + `</D:prop></D:set></D:` + root + `>`)
}

const propfindCollection = `<?xml version="1.0" encoding="utf-8"?>
<propfind xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:CR="urn:ietf:params:xml:ns:carddav" xmlns:A="http://apple.com/ns/ical/" xmlns:I="http://inf-it.com/ns/ab/"><prop>
<displayname/><C:calendar-description/><C:calendar-timezone/><C:supported-calendar-component-set/><C:schedule-calendar-transp/><C:calendar-availability/>
<CR:addressbook-description/><A:calendar-color/><A:calendar-order/><I:addressbook-color/></prop></propfind>`

const propfindAll = `<?xml version="1.0" encoding="utf-8"?><propfind xmlns="DAV:"><allprop/></propfind>`

// worthKeeping tells the properties that somebody chose from those that a server
// reckons, and those that say something only there.
func worthKeeping(p *davxml.Element) bool {
	empty := len(p.Nodes) == 0
	switch p.Name.Space {
	case davxml.DAV:
		return p.Name.Local == "displayname" && !empty
	case davxml.CalDAV:
		switch p.Name.Local {
		case "calendar-description", "calendar-timezone", "schedule-calendar-transp", "calendar-availability":
			return !empty
		}
		return false
	case davxml.CardDAV:
		return p.Name.Local == "addressbook-description" && !empty
	case "http://calendarserver.org/ns/", "http://sabredav.org/ns", "http://owncloud.org/ns", "http://nextcloud.com/ns",
		"http://nextcloud.org/ns", "http://radicale.org/ns/", "http://www.xythos.com/namespaces/StorageServer", "http://cal.me.com/_namespace/":
		return false
	}
	return true
}

// fetching is the transfer of one collection.
type fetching struct {
	*remote
	found  found
	target string
	log    *journal
	tally  *tally
	byGet  bool // the server has no multiget that works
}

// batch fetches and stores some objects. What comes is stored at once: when the
// connection breaks, only the rest is asked for again.
func (g *fetching) batch(todo []listed) error {
	pending := map[string]string{} // path to entity tag
	for _, o := range todo {
		pending[o.path] = o.etag
	}
	for attempts := 0; len(pending) > 0 && !g.byGet; {
		before := len(pending)
		err := g.multiget(todo, pending)
		var status *statusError
		var syntax *xml.SyntaxError
		switch {
		case err == nil:
			if len(pending) == before { // it answers, but not this
				g.byGet = len(todo) > 1
			}
			attempts = g.retries + 1
		case errors.As(err, &status) && status.code < 500 || errors.As(err, &status) && status.code == http.StatusNotImplemented:
			g.byGet = true
		case errors.As(err, &syntax):
			attempts = g.retries + 1 // one object spoils the answer: each by itself
		case !errors.Is(err, errCut):
			return err
		case len(pending) < before:
			attempts = 0
		default:
			if attempts++; attempts > g.retries {
				return fmt.Errorf("%s: %w", g.at(g.found.path).Redacted(), err)
			}
			if err := g.client.wait(g.ctx, pause(attempts)); err != nil {
				return err
			}
		}
		if attempts > g.retries {
			break
		}
	}
	for _, o := range todo {
		if _, ok := pending[o.path]; !ok {
			continue
		}
		if err := g.one(o); err != nil {
			return err
		}
	}
	return nil
}

// one fetches one object by itself.
func (g *fetching) one(o listed) error {
	for attempts := 0; ; attempts++ {
		data, etag, err := g.client.get(g.ctx, g.at(o.path), g.maxSize)
		var status *statusError
		switch {
		case err == nil:
			if etag == "" {
				etag = o.etag
			}
			return g.store1(o.path, etag, data)
		case errors.As(err, &status) && (status.code == http.StatusNotFound || status.code == http.StatusGone):
			return nil
		case errors.As(err, &status):
			g.tally.refused++
			g.reject(g.target+"/"+localName(path.Base(o.path)), err.Error(), nil)
			return nil
		case !errors.Is(err, errCut) || attempts >= g.retries:
			return err
		}
		if err := g.client.wait(g.ctx, pause(attempts)); err != nil {
			return err
		}
	}
}

// multiget asks for all that is pending (RFC 4791, 7.9; RFC 6352, 8.7).
func (g *fetching) multiget(todo []listed, pending map[string]string) error {
	space, report, data := davxml.CalDAV, "calendar-multiget", "calendar-data"
	if g.found.kind == store.AddressBook {
		space, report, data = davxml.CardDAV, "addressbook-multiget", "address-data"
	}
	var body bytes.Buffer
	x := davxml.NewWriter(&body)
	name := func(space, local string) davxml.Name { return davxml.Name{Space: space, Local: local} }
	x.Header()
	x.Start(name(space, report))
	x.Start(name(davxml.DAV, "prop"))
	x.Empty(name(davxml.DAV, "getetag"))
	x.Empty(name(space, data))
	x.End(name(davxml.DAV, "prop"))
	for _, o := range todo {
		if _, ok := pending[o.path]; ok {
			x.Element(name(davxml.DAV, "href"), davxml.EscapePath(o.path))
		}
	}
	x.End(name(space, report))
	if err := x.Flush(); err != nil {
		return err
	}
	resp, err := g.client.request(g.ctx, "REPORT", g.at(g.found.path), "1", body.String(), http.StatusMultiStatus)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	limit := int64(len(todo))*(g.maxSize+64<<10) + maxProperties
	return eachResponse(resp.Body, limit, func(o *response) error {
		p, ok := pathOf(o.Href)
		if _, asked := pending[p]; !ok || !asked {
			return nil
		}
		if strings.Contains(o.Status, " 404") {
			delete(pending, p) // gone since it was listed
			return nil
		}
		b := o.data()
		if b == nil {
			return nil
		}
		etag := o.etag()
		if etag == "" {
			etag = pending[p]
		}
		if err := g.store1(p, etag, b); err != nil {
			return err
		}
		delete(pending, p)
		return nil
	})
}

// store1 stores an object and writes that down.
func (g *fetching) store1(from, etag string, data []byte) error {
	if err := g.ctx.Err(); err != nil {
		return err
	}
	name := localName(path.Base(from))
	if int64(len(data)) > g.maxSize {
		g.tally.refused++
		g.reject(g.target+"/"+name, "larger than max_resource_size", nil)
		return nil
	}
	known := g.log.objects[from]
	if known.Name != "" {
		name = known.Name
	}
	o, at, ours, reason, err := g.dest.put(g.target, name, data, known.Ours, g.overwrite)
	if err != nil {
		return err
	}
	g.tally.add(o)
	if reason != "" {
		g.reject(g.target+"/"+name, reason, data)
		return nil
	}
	return g.log.add(fetched{Path: from, ETag: etag, Name: at, Ours: ours})
}
