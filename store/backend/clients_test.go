package backend_test

import (
	"io"
	"net/http"
	"path"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-ical"
	"github.com/emersion/go-vcard"
	"github.com/emersion/go-webdav"
	"github.com/emersion/go-webdav/caldav"
	"github.com/emersion/go-webdav/carddav"

	"inetdav/store/backend"
)

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func decodeICal(t testing.TB, s string) *ical.Calendar {
	t.Helper()
	return must(ical.NewDecoder(strings.NewReader(s)).Decode())(t)
}

func decodeVCard(t testing.TB, s string) vcard.Card {
	t.Helper()
	return must(vcard.NewDecoder(strings.NewReader(s)).Decode())(t)
}

// names are the last segments of the paths of objects.
func names[T any](list []T, pathOf func(T) string) string {
	var out []string
	for _, o := range list {
		out = append(out, path.Base(pathOf(o)))
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func eventNames(list []caldav.CalendarObject) string {
	return names(list, func(o caldav.CalendarObject) string { return o.Path })
}

func cardNames(list []carddav.AddressObject) string {
	return names(list, func(o carddav.AddressObject) string { return o.Path })
}

func expect[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// RFC 4791 as go-webdav's client speaks it.
func TestCalendarClient(t *testing.T) {
	url, folder, alice := serve(t)
	ctx := t.Context()
	c := must(caldav.NewClient(alice, url+"/.well-known/caldav"))(t)
	principal := must(c.FindCurrentUserPrincipal(ctx))(t)
	expect(t, "principal", principal, "/cal/")
	home := must(c.FindCalendarHomeSet(ctx, principal))(t)
	expect(t, "home", home, "/cal/alice/")
	calendars := must(c.FindCalendars(ctx, home))(t)
	if len(calendars) != 2 {
		t.Fatal("calendars:", calendars)
	}
	expect(t, "calendars", calendars[0].Path+" "+calendars[1].Path, "/cal/alice/empty/ /cal/alice/work/")
	work := calendars[1]
	expect(t, "name", work.Name, "Work")
	expect(t, "unnamed", calendars[0].Name, "empty")
	expect(t, "description", work.Description, "What I do")
	expect(t, "components", strings.Join(work.SupportedComponentSet, " "), "VEVENT VTODO")
	expect(t, "components of one that does not say", strings.Join(calendars[0].SupportedComponentSet, " "), "VEVENT VTODO VJOURNAL VFREEBUSY VAVAILABILITY")
	if work.MaxResourceSize <= 0 {
		t.Error("max-resource-size", work.MaxResourceSize)
	}

	// GET, and what is in it
	o := must(c.GetCalendarObject(ctx, "/cal/alice/work/2.ics"))(t)
	e := o.Data.Events()[0]
	expect(t, "SUMMARY", must(e.Props.Text(ical.PropSummary))(t), "Choir, every week")
	expect(t, "CN", e.Props.Get(ical.PropAttendee).Params.Get("CN"), "Ann; Alto")

	// calendar-query: the store's filters, not go-webdav's
	query := func(f caldav.CompFilter) string {
		t.Helper()
		return eventNames(must(c.QueryCalendar(ctx, work.Path, &caldav.CalendarQuery{
			CompFilter: caldav.CompFilter{Name: "VCALENDAR", Comps: []caldav.CompFilter{f}},
		}))(t))
	}
	expect(t, "events", query(caldav.CompFilter{Name: "VEVENT"}), "1.ics 2.ics")
	expect(t, "todos", query(caldav.CompFilter{Name: "VTODO"}), "3.ics")
	day := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
	expect(t, "one day", query(caldav.CompFilter{Name: "VEVENT", Start: day, End: day.AddDate(0, 0, 1)}), "1.ics")
	later := day.AddDate(20, 0, 0)
	expect(t, "a week in 20 years", query(caldav.CompFilter{Name: "VEVENT", Start: later, End: later.AddDate(0, 0, 7)}), "2.ics")
	expect(t, "text", query(caldav.CompFilter{Name: "VEVENT", Props: []caldav.PropFilter{
		{Name: "SUMMARY", TextMatch: &caldav.TextMatch{Text: "LUNCH"}}}}), "1.ics")

	// calendar-multiget, with the store's entity tags
	list := must(c.MultiGetCalendar(ctx, work.Path, &caldav.CalendarMultiGet{
		Paths: []string{"/cal/alice/work/1.ics", "/cal/alice/work/3.ics"}}))(t)
	expect(t, "multiget", eventNames(list), "1.ics 3.ics")
	expect(t, "etag", `"`+list[0].ETag+`"`, etagOf(t, folder, "alice/work/1.ics"))

	// MKCOL, PUT, GET, DELETE: go-webdav's client has no extended MKCOL
	mkcol(t, alice, url+"/cal/alice/new/", `<resourcetype><collection/><C:calendar/></resourcetype><displayname>New</displayname>`, http.StatusCreated)
	expect(t, "props", content(t, folder, "alice/new/.Radicale.props"), `{"D:displayname": "New", "tag": "VCALENDAR"}`)
	put := must(c.PutCalendarObject(ctx, "/cal/alice/new/a.ics", decodeICal(t, event)))(t)
	got := must(c.GetCalendarObject(ctx, put.Path))(t)
	expect(t, "etag of PUT and GET", put.ETag, got.ETag)
	if !reflect.DeepEqual(got.Data, decodeICal(t, event)) {
		t.Errorf("GET after PUT: %v", got.Data)
	}
	if err := c.RemoveAll(ctx, put.Path); err != nil {
		t.Error("DELETE", err)
	}
	missing(t, folder, "alice/new/a.ics")
	if err := c.RemoveAll(ctx, "/cal/alice/new/"); err != nil {
		t.Error("DELETE of the calendar", err)
	}
	missing(t, folder, "alice/new")
	_, err := c.GetCalendarObject(ctx, put.Path)
	expect(t, "GET after DELETE", status(err), "404")
}

func mkcol(t testing.TB, c webdav.HTTPClient, url, props string, want int) {
	t.Helper()
	body := `<mkcol xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:CR="urn:ietf:params:xml:ns:carddav"><set><prop>` + props + `</prop></set></mkcol>`
	r := must(http.NewRequest("MKCOL", url, strings.NewReader(body)))(t)
	r.Header.Set("Content-Type", "application/xml")
	resp := must(c.Do(r))(t)
	resp.Body.Close()
	expect(t, "MKCOL", resp.StatusCode, want)
}

// RFC 6352 as go-webdav's client speaks it.
func TestAddressBookClient(t *testing.T) {
	url, folder, alice := serve(t)
	ctx := t.Context()
	c := must(carddav.NewClient(alice, url+"/card/"))(t)
	if err := c.HasSupport(ctx); err != nil {
		t.Error(err)
	}
	principal := must(c.FindCurrentUserPrincipal(ctx))(t)
	home := must(c.FindAddressBookHomeSet(ctx, principal))(t)
	books := must(c.FindAddressBooks(ctx, home))(t)
	if len(books) != 1 {
		t.Fatal("address books:", books)
	}
	expect(t, "path", books[0].Path, "/card/alice/people/")
	expect(t, "name", books[0].Name, "People")
	expect(t, "description", books[0].Description, "Who I know")

	o := must(c.GetAddressObject(ctx, "/card/alice/people/ann.vcf"))(t)
	expect(t, "FN", o.Card.PreferredValue(vcard.FieldFormattedName), "Ann Alto")
	expect(t, "etag", `"`+o.ETag+`"`, etagOf(t, folder, "alice/people/ann.vcf"))

	query := func(q carddav.AddressBookQuery) []carddav.AddressObject {
		t.Helper()
		return must(c.QueryAddressBook(ctx, books[0].Path, &q))(t)
	}
	fn := func(text string) []carddav.PropFilter {
		return []carddav.PropFilter{{Name: "FN", TextMatches: []carddav.TextMatch{{Text: text, MatchType: carddav.MatchStartsWith}}}}
	}
	expect(t, "query", cardNames(query(carddav.AddressBookQuery{PropFilters: fn("ANN")})), "ann.vcf")
	expect(t, "limit", len(query(carddav.AddressBookQuery{Limit: 1})), 1)
	only := query(carddav.AddressBookQuery{PropFilters: fn("ann"), DataRequest: carddav.AddressDataRequest{Props: []string{"EMAIL"}}})
	if len(only) != 1 || len(only[0].Card) != 2 || only[0].Card.Value("EMAIL") != "ann@example.org" {
		t.Error("only EMAIL:", only)
	}
	list := must(c.MultiGetAddressBook(ctx, books[0].Path, &carddav.AddressBookMultiGet{
		Paths: []string{"/card/alice/people/bob.vcf"}}))(t)
	expect(t, "multiget", cardNames(list), "bob.vcf")

	mkcol(t, alice, url+"/card/alice/new/", `<resourcetype><collection/><CR:addressbook/></resourcetype><displayname>New</displayname>`, http.StatusCreated)
	put := must(c.PutAddressObject(ctx, "/card/alice/new/ann.vcf", decodeVCard(t, ann)))(t)
	got := must(c.GetAddressObject(ctx, put.Path))(t)
	expect(t, "etag of PUT and GET", put.ETag, got.ETag)
	if !reflect.DeepEqual(got.Card, decodeVCard(t, ann)) {
		t.Errorf("GET after PUT: %v", got.Card)
	}
	if err := c.RemoveAll(ctx, put.Path); err != nil {
		t.Error("DELETE", err)
	}
	if err := c.RemoveAll(ctx, "/card/alice/new/"); err != nil {
		t.Error("DELETE of the address book", err)
	}
	missing(t, folder, "alice/new")
}

// RFC 4918 as go-webdav's client speaks it.
func TestFileClient(t *testing.T) {
	url, folder, alice := serve(t)
	ctx := t.Context()
	c := must(webdav.NewClient(alice, url+"/files/"))(t)
	paths := func(list []webdav.FileInfo) string {
		var s []string
		for _, fi := range list {
			s = append(s, fi.Path)
		}
		return strings.Join(s, " ")
	}
	expect(t, "root", paths(must(c.ReadDir(ctx, "/files/", false))(t)), "/files/ /files/alice/")
	expect(t, "flat", paths(must(c.ReadDir(ctx, "/files/alice/docs/", false))(t)),
		"/files/alice/docs/ /files/alice/docs/note.txt /files/alice/docs/sub/")
	expect(t, "recursive", paths(must(c.ReadDir(ctx, "/files/alice/docs/", true))(t)),
		"/files/alice/docs/ /files/alice/docs/note.txt /files/alice/docs/sub/ /files/alice/docs/sub/deep.txt")
	fi := must(c.Stat(ctx, "/files/alice/work/2.ics"))(t)
	expect(t, "size", fi.Size, int64(len(weekly)))
	expect(t, "etag", `"`+fi.ETag+`"`, etagOf(t, folder, "alice/work/2.ics"))
	expect(t, "mtime", fi.ModTime.Equal(seedTime), true)

	read := func(name string) string {
		t.Helper()
		r := must(c.Open(ctx, name))(t)
		defer r.Close()
		return string(must(io.ReadAll(r))(t))
	}
	create := func(name, data string) error {
		w := must(c.Create(ctx, name))(t)
		io.WriteString(w, data) // an early answer ends the pipe; Close tells
		return w.Close()
	}
	expect(t, "bytes", read("/files/alice/work/2.ics"), weekly)
	if err := create("/files/alice/docs/new.bin", "\x00\x01"); err != nil {
		t.Error(err)
	}
	expect(t, "bytes", read("/files/alice/docs/new.bin"), "\x00\x01")
	other := strings.Replace(weekly, "UID:two", "UID:four", 1)
	if err := create("/files/alice/work/4.ics", other); err != nil {
		t.Error(err)
	}
	expect(t, "bytes", content(t, folder, "alice/work/4.ics"), other)

	if err := c.Mkdir(ctx, "/files/alice/docs/dir"); err != nil {
		t.Error(err)
	}
	if err := c.Copy(ctx, "/files/alice/docs/note.txt", "/files/alice/docs/dir/copy.txt", nil); err != nil {
		t.Error(err)
	}
	expect(t, "copy", content(t, folder, "alice/docs/dir/copy.txt"), "Hello\n")
	if err := c.Move(ctx, "/files/alice/docs/note.txt", "/files/alice/docs/dir/moved.txt", nil); err != nil {
		t.Error(err)
	}
	expect(t, "move", content(t, folder, "alice/docs/dir/moved.txt"), "Hello\n")
	missing(t, folder, "alice/docs/note.txt")
	if err := c.Copy(ctx, "/files/alice/docs/dir", "/files/alice/docs/twin", nil); err != nil {
		t.Error(err)
	}
	expect(t, "copy of a collection", content(t, folder, "alice/docs/twin/moved.txt"), "Hello\n")
	if err := c.Copy(ctx, "/files/alice/docs/dir", "/files/alice/docs/shallow", &webdav.CopyOptions{NoRecursive: true}); err != nil {
		t.Error(err)
	}
	missing(t, folder, "alice/docs/shallow/moved.txt")
	if err := c.Move(ctx, "/files/alice/work/1.ics", "/files/alice/empty/1.ics", nil); err != nil {
		t.Error(err)
	}
	expect(t, "move of an event", content(t, folder, "alice/empty/1.ics"), event)
	if err := c.RemoveAll(ctx, "/files/alice/docs"); err != nil {
		t.Error(err)
	}
	missing(t, folder, "alice/docs")

	for _, e := range []struct {
		what   string
		err    error
		status string
	}{
		{"RFC 4918, 9.3.1: MKCOL on what exists", c.Mkdir(ctx, "/files/alice/work"), "405"},
		{"RFC 4918, 9.3.1: MKCOL without a parent", c.Mkdir(ctx, "/files/alice/none/a"), "409"},
		{"RFC 4791, 4.2: MKCOL in a calendar", c.Mkdir(ctx, "/files/alice/work/sub"), "403"},
		{"MKCOL of a name that cannot be", c.Mkdir(ctx, "/files/alice/.hidden"), "400"},
		{"RFC 4918, 9.7.1: PUT without a parent", create("/files/alice/none/a", "x"), "409"},
		{"RFC 4918, 9.7.2: PUT on a collection", create("/files/alice/empty", "x"), "405"},
		{"PUT in a home", create("/files/alice/a", "x"), "403"},
		{"PUT of nonsense in a calendar", create("/files/alice/empty/x.ics", "nonsense"), "403"},
		{"PUT of a UID that is taken", create("/files/alice/empty/x.ics", event), "409"},
		{"RFC 4918, 9.8.5: COPY, Overwrite: F", c.Copy(ctx, "/files/alice/work/2.ics", "/files/alice/empty/1.ics", &webdav.CopyOptions{NoOverwrite: true}), "412"},
		{"RFC 4918, 9.8.5: COPY without a parent", c.Copy(ctx, "/files/alice/work/2.ics", "/files/alice/none/2.ics", nil), "409"},
		{"RFC 4918, 9.8.5: COPY onto itself", c.Copy(ctx, "/files/alice/work/2.ics", "/files/alice/work/2.ics", nil), "403"},
		{"COPY of a UID that is taken", c.Copy(ctx, "/files/alice/work/2.ics", "/files/alice/work/5.ics", nil), "409"},
		{"COPY of an event into an address book", c.Copy(ctx, "/files/alice/work/2.ics", "/files/alice/people/2.ics", nil), "403"},
		{"COPY of an event into a home", c.Copy(ctx, "/files/alice/work/2.ics", "/files/alice/2.ics", nil), "403"},
		{"MOVE of a calendar into another", c.Move(ctx, "/files/alice/empty", "/files/alice/work/empty", nil), "403"},
		{"MOVE of what is not there", c.Move(ctx, "/files/alice/none", "/files/alice/other", nil), "404"},
		{"DELETE of what is not there", c.RemoveAll(ctx, "/files/alice/none"), "404"},
		{"DELETE of the root", c.RemoveAll(ctx, "/files/"), "403"},
		{"DELETE of another's", c.RemoveAll(ctx, "/files/bob/private"), "403"},
		{"MOVE of another's", c.Move(ctx, "/files/bob/private/1.ics", "/files/alice/empty/2.ics", nil), "403"},
		{"COPY to another's", c.Copy(ctx, "/files/alice/work/2.ics", "/files/bob/private/2.ics", nil), "403"},
	} {
		expect(t, e.what, status(e.err), e.status)
	}
	_, err := c.Stat(ctx, "/files/bob/private/1.ics")
	expect(t, "reading another's", status(err), "403")
	_, err = c.Open(ctx, "/files/alice/empty/")
	expect(t, "GET of a collection", status(err), "405")
	anyone := must(webdav.NewClient(nil, url+"/files/"))(t)
	_, err = anyone.Stat(ctx, "/files/alice/work/1.ics")
	expect(t, "nobody", status(err), "401")
}

// RFC 9110, 13.1: webdav.ConditionalMatch on each way in.
func TestConditions(t *testing.T) {
	folder, s := seeded(t)
	b := backend.New(backend.Options{Store: s, User: userOf})
	ctx := as(t, "alice")
	right := webdav.ConditionalMatch(etagOf(t, folder, "alice/work/1.ics"))
	wrong := webdav.ConditionalMatch(`"x"`)
	for _, c := range []struct {
		path            string
		ifMatch, ifNone webdav.ConditionalMatch
		status          string
	}{
		{"1.ics", "", "", "200"},
		{"1.ics", right, "", "200"},
		{"1.ics", "*", "", "200"},
		{"1.ics", wrong, "", "412"},
		{"1.ics", "", "*", "412"},
		{"1.ics", "", right, "412"},
		{"1.ics", "", wrong, "200"},
		{"1.ics", "not quoted", "", "400"},
		{"9.ics", "*", "", "412"},
		{"9.ics", right, "", "412"},
		{"9.ics", "", "*", "200"},
	} {
		what := c.path + " If-Match " + string(c.ifMatch) + " If-None-Match " + string(c.ifNone)
		body := event
		if c.path == "9.ics" {
			body = strings.Replace(event, "UID:one", "UID:nine", 1)
		}
		_, err := b.PutCalendarObject(ctx, "/alice/work/"+c.path, decodeICal(t, body), &caldav.PutCalendarObjectOptions{IfMatch: c.ifMatch, IfNoneMatch: c.ifNone})
		expect(t, "put "+what, status(err), c.status)
		if c.path == "9.ics" && err == nil {
			if err := b.RemoveAll(ctx, "/alice/work/9.ics", nil); err != nil {
				t.Error(err)
			}
		}
		restore(t, s, folder)
		_, _, err = b.Create(ctx, "/alice/work/"+c.path, io.NopCloser(strings.NewReader(body)), &webdav.CreateOptions{IfMatch: c.ifMatch, IfNoneMatch: c.ifNone})
		expect(t, "create "+what, status(err), c.status)
		restore(t, s, folder)
		want := c.status
		if c.path == "9.ics" && want == "200" {
			continue // it is there now
		}
		err = b.RemoveAll(ctx, "/alice/work/"+c.path, &webdav.RemoveAllOptions{IfMatch: c.ifMatch, IfNoneMatch: c.ifNone})
		expect(t, "delete "+what, status(err), want)
		restore(t, s, folder)
	}
	// a collection has an entity tag too
	err := b.RemoveAll(ctx, "/alice/work/", &webdav.RemoveAllOptions{IfMatch: wrong})
	expect(t, "delete of a calendar", status(err), "412")
	err = b.RemoveAll(ctx, "/alice/docs/", &webdav.RemoveAllOptions{IfMatch: "*"})
	expect(t, "delete of a plain collection", status(err), "200")
}
