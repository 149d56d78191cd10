package main

import (
	"context"
	"io"
	"net/http"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-ical"
	"github.com/emersion/go-vcard"
	"github.com/emersion/go-webdav"
	"github.com/emersion/go-webdav/caldav"
	"github.com/emersion/go-webdav/carddav"
)

// go-webdav's clients: somebody else's reading of the RFCs in this language.
// They do not send is-not-defined in calendar queries, take the 507 at the end
// of a page of changes (RFC 6578, 3.6) and, in address books, the 404 of a
// removed member for errors; so these are tested without them.

func TestGoWebDAV(t *testing.T) { onBoth(t, testGoWebDAV) }

func testGoWebDAV(t *testing.T, how handover) {
	s := plainServer(t, how)
	ctx := context.Background()
	c, err := webdav.NewClient(webdav.HTTPClientWithBasicAuth(s.Client, "demo", "demo"), s.URL)
	if err != nil {
		t.Fatal(err)
	}
	ok := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	principal, err := c.FindCurrentUserPrincipal(ctx)
	if err != nil || principal != "/demo/" {
		t.Fatalf("the principal is %q, %v", principal, err)
	}
	put := func(name, text string) {
		t.Helper()
		w, err := c.Create(ctx, name)
		ok("create "+name, err)
		_, err = io.WriteString(w, text)
		ok("write "+name, err)
		ok("close "+name, w.Close())
	}
	get := func(name string) string {
		t.Helper()
		r, err := c.Open(ctx, name)
		ok("open "+name, err)
		defer r.Close()
		b, err := io.ReadAll(r)
		ok("read "+name, err)
		return string(b)
	}
	ok("mkdir", c.Mkdir(ctx, "/demo/files/"))
	ok("mkdir", c.Mkdir(ctx, "/demo/files/sub dir/"))
	if err := c.Mkdir(ctx, "/demo/files/"); err == nil {
		t.Error("mkdir of what exists succeeded")
	}
	put("/demo/files/a.txt", "hello\n")
	put("/demo/files/sub dir/ü+%41.bin", strings.Repeat("\x00\xff", 50_000))
	if got := get("/demo/files/sub dir/ü+%41.bin"); got != strings.Repeat("\x00\xff", 50_000) {
		t.Errorf("a file of %d bytes came back", len(got))
	}
	info, err := c.Stat(ctx, "/demo/files/a.txt")
	ok("stat", err)
	if info.Size != 6 || info.IsDir || info.ETag == "" || time.Since(info.ModTime) > time.Hour || !strings.HasPrefix(info.MIMEType, "text/plain") {
		t.Errorf("stat gives %+v", info)
	}
	ok("copy", c.Copy(ctx, "/demo/files/sub dir/", "/demo/files/copied/", nil))
	ok("copy of the collection alone", c.Copy(ctx, "/demo/files/sub dir/", "/demo/files/empty/", &webdav.CopyOptions{NoRecursive: true}))
	ok("move", c.Move(ctx, "/demo/files/a.txt", "/demo/files/copied/b.txt", nil))
	put("/demo/files/c.txt", "c")
	if err := c.Move(ctx, "/demo/files/c.txt", "/demo/files/copied/b.txt", &webdav.MoveOptions{NoOverwrite: true}); err == nil {
		t.Error("a move without overwriting did overwrite")
	}
	names := func(recursive bool) (names []string) {
		t.Helper()
		files, err := c.ReadDir(ctx, "/demo/files/", recursive)
		ok("readdir", err)
		for _, f := range files {
			names = append(names, strings.TrimSuffix(f.Path, "/")[len("/demo/"):])
		}
		slices.Sort(names)
		return names
	}
	if got, want := names(false), []string{"files", "files/c.txt", "files/copied", "files/empty", "files/sub dir"}; !slices.Equal(got, want) {
		t.Errorf("readdir gives %q, want %q", got, want)
	}
	if got, want := names(true), []string{
		"files", "files/c.txt", "files/copied", "files/copied/b.txt", "files/copied/ü+%41.bin", "files/empty", "files/sub dir", "files/sub dir/ü+%41.bin",
	}; !slices.Equal(got, want) {
		t.Errorf("readdir, recursive, gives %q, want %q", got, want)
	}
	ok("remove", c.RemoveAll(ctx, "/demo/files/copied/"))
	if _, err := c.Stat(ctx, "/demo/files/copied/b.txt"); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("stat of what is removed: %v", err)
	}
	s.noServerError()
}

func TestGoCalDAV(t *testing.T) { onBoth(t, testGoCalDAV) }

func testGoCalDAV(t *testing.T, how handover) {
	s := clientServerOn(t, how)
	ctx := context.Background()
	login := webdav.HTTPClientWithBasicAuth(s.Client, "demo", "demo")
	c, err := caldav.NewClient(login, s.URL)
	if err != nil {
		t.Fatal(err)
	}
	principal, err := c.FindCurrentUserPrincipal(ctx)
	if err != nil {
		t.Fatal(err)
	}
	home, err := c.FindCalendarHomeSet(ctx, principal)
	if err != nil {
		t.Fatal(err)
	}
	s.mkcalendar(path.Join(home, "c1")+"/", "One &amp; only")
	s.mkaddressbook(path.Join(home, "book")+"/", "Not a calendar")
	calendars, err := c.FindCalendars(ctx, home)
	if err != nil || len(calendars) != 1 || calendars[0].Path != "/demo/c1/" || calendars[0].Name != "One & only" {
		t.Fatalf("calendars: %+v, %v", calendars, err)
	}
	if got := calendars[0]; !slices.Contains(got.SupportedComponentSet, "VEVENT") || got.MaxResourceSize <= 0 || got.ReadOnly {
		t.Errorf("the calendar is %+v", got)
	}
	cal := calendars[0].Path

	put := func(name, text string) *caldav.CalendarObject {
		t.Helper()
		data, err := ical.NewDecoder(strings.NewReader(crlf(text))).Decode()
		if err != nil {
			t.Fatal(err)
		}
		o, err := c.PutCalendarObject(ctx, cal+name, data)
		if err != nil {
			t.Fatalf("put %s: %v", name, err)
		}
		if o.ETag == "" {
			t.Errorf("put %s: no entity tag", name)
		}
		return o
	}
	first, err := c.SyncCollection(ctx, cal, &caldav.SyncQuery{})
	if err != nil || len(first.Updated)+len(first.Deleted) != 0 || first.SyncToken == "" {
		t.Fatalf("sync of an empty calendar: %+v, %v", first, err)
	}
	put("weekly.ics", weekly("weekly", "Team"))
	one := put("a b ü.ics", vevent("one", "One", "20261201T100000Z", "LOCATION:Büro\nCATEGORIES:WORK,X\n"))
	put("day.ics", strings.Replace(vevent("day", "Day", "XX", ""), "DTSTART:XX\nDURATION:PT1H", "DTSTART;VALUE=DATE:20261224", 1))
	put("todo.ics", vtodo("todo", "To do", "DUE:20261201T103000Z\n"))

	got, err := c.GetCalendarObject(ctx, one.Path)
	if err != nil || got.ETag != one.ETag {
		t.Fatalf("get: %+v, %v; put gave %s", got, err, one.ETag)
	}
	if p := got.Data.Children[0].Props.Get("LOCATION"); p == nil || p.Value != "Büro" {
		t.Errorf("get: %+v", got.Data.Children[0].Props)
	}
	at := func(month time.Month, day, hour int) time.Time {
		return time.Date(2026, month, day, hour, 0, 0, 0, time.UTC)
	}
	everything := caldav.CalendarCompRequest{Name: "VCALENDAR", AllProps: true, AllComps: true}
	query := func(filter caldav.CompFilter) (uids []string) {
		t.Helper()
		objects, err := c.QueryCalendar(ctx, cal, &caldav.CalendarQuery{
			CompRequest: everything,
			CompFilter:  caldav.CompFilter{Name: "VCALENDAR", Comps: []caldav.CompFilter{filter}},
		})
		if err != nil {
			t.Fatalf("query %+v: %v", filter, err)
		}
		for _, o := range objects {
			for _, child := range o.Data.Children {
				if p := child.Props.Get("UID"); p != nil && !slices.Contains(uids, p.Value) {
					uids = append(uids, p.Value)
				}
			}
		}
		slices.Sort(uids)
		return uids
	}
	contains := func(name, text string) []caldav.PropFilter {
		return []caldav.PropFilter{{Name: name, TextMatch: &caldav.TextMatch{Text: text}}}
	}
	for _, q := range []struct {
		filter caldav.CompFilter
		want   string
	}{
		{caldav.CompFilter{Name: "VEVENT"}, "day one weekly"},
		{caldav.CompFilter{Name: "VTODO"}, "todo"},
		{caldav.CompFilter{Name: "VJOURNAL"}, ""},
		{caldav.CompFilter{Name: "VEVENT", Start: at(12, 1, 0), End: at(12, 2, 0)}, "one"},
		{caldav.CompFilter{Name: "VEVENT", Start: at(12, 1, 11), End: at(12, 2, 0)}, ""},
		{caldav.CompFilter{Name: "VEVENT", Start: at(11, 2, 9), End: at(11, 2, 10)}, ""},
		{caldav.CompFilter{Name: "VEVENT", Start: at(11, 3, 14), End: at(11, 3, 15)}, "weekly"},
		{caldav.CompFilter{Name: "VEVENT", Start: at(10, 26, 0), End: at(10, 27, 0)}, ""},
		{caldav.CompFilter{Name: "VEVENT", Start: at(11, 30, 9), End: at(11, 30, 10)}, "weekly"},
		{caldav.CompFilter{Name: "VEVENT", Start: at(12, 2, 0), End: at(12, 31, 0)}, "day"},
		{caldav.CompFilter{Name: "VTODO", Start: at(12, 1, 10), End: at(12, 1, 11)}, "todo"},
		{caldav.CompFilter{Name: "VEVENT", Props: contains("SUMMARY", "one")}, "one"},
		{caldav.CompFilter{Name: "VEVENT", Props: contains("SUMMARY", "moved")}, "weekly"},
		{caldav.CompFilter{Name: "VEVENT", Props: []caldav.PropFilter{{Name: "LOCATION"}}}, "one"},
		{caldav.CompFilter{Name: "VEVENT", Props: []caldav.PropFilter{{Name: "SUMMARY", TextMatch: &caldav.TextMatch{Text: "e", NegateCondition: true}}}}, "day"},
	} {
		if got := strings.Join(query(q.filter), " "); got != q.want {
			t.Errorf("query %+v: %q, want %q", q.filter, got, q.want)
		}
	}
	expand := everything
	expand.Expand = &caldav.CalendarExpandRequest{Start: at(10, 1, 0), End: at(12, 31, 0)}
	expanded, err := c.MultiGetCalendar(ctx, cal, &caldav.CalendarMultiGet{Paths: []string{cal + "weekly.ics"}, CompRequest: expand})
	if err != nil || len(expanded) != 1 || len(expanded[0].Data.Children) != 7 {
		t.Errorf("multiget with expand: %+v, %v", expanded, err)
	}
	many, err := c.MultiGetCalendar(ctx, cal, &caldav.CalendarMultiGet{Paths: []string{cal + "weekly.ics", one.Path, cal + "todo.ics"}, CompRequest: everything})
	if err != nil || len(many) != 3 || many[1].Path != one.Path || many[1].ETag != one.ETag {
		t.Errorf("multiget: %+v, %v", many, err)
	}

	second, err := c.SyncCollection(ctx, cal, &caldav.SyncQuery{SyncToken: first.SyncToken})
	if err != nil || len(second.Updated) != 4 || len(second.Deleted) != 0 {
		t.Fatalf("sync: %+v, %v", second, err)
	}
	if err := c.RemoveAll(ctx, one.Path); err != nil {
		t.Fatal(err)
	}
	changed := put("day.ics", strings.Replace(vevent("day", "Another day", "XX", ""), "DTSTART:XX\nDURATION:PT1H", "DTSTART;VALUE=DATE:20261225", 1))
	third, err := c.SyncCollection(ctx, cal, &caldav.SyncQuery{SyncToken: second.SyncToken})
	if err != nil || len(third.Updated) != 1 || third.Updated[0].Path != cal+"day.ics" || third.Updated[0].ETag != changed.ETag || !slices.Equal(third.Deleted, []string{one.Path}) {
		t.Errorf("sync: %+v, %v", third, err)
	}
	_, err = c.SyncCollection(ctx, cal, &caldav.SyncQuery{SyncToken: "http://example.org/none"})
	if err == nil || !strings.Contains(err.Error(), "403") {
		t.Errorf("sync with a foreign token: %v", err)
	}
	s.noServerError()
}

func TestGoCardDAV(t *testing.T) { onBoth(t, testGoCardDAV) }

func testGoCardDAV(t *testing.T, how handover) {
	s := clientServerOn(t, how)
	ctx := context.Background()
	c, err := carddav.NewClient(webdav.HTTPClientWithBasicAuth(s.Client, "demo", "demo"), s.URL)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.HasSupport(ctx); err != nil {
		t.Error(err)
	}
	principal, err := c.FindCurrentUserPrincipal(ctx)
	if err != nil {
		t.Fatal(err)
	}
	home, err := c.FindAddressBookHomeSet(ctx, principal)
	if err != nil {
		t.Fatal(err)
	}
	s.mkaddressbook(path.Join(home, "people")+"/", "People")
	s.mkcalendar(path.Join(home, "cal")+"/", "Not an address book")
	books, err := c.FindAddressBooks(ctx, home)
	if err != nil || len(books) != 1 || books[0].Name != "People" || !books[0].SupportsAddressData("text/vcard", "3.0") || !books[0].SupportsAddressData("text/vcard", "4.0") {
		t.Fatalf("address books: %+v, %v", books, err)
	}
	book := books[0].Path
	first, err := c.SyncCollection(ctx, book, &carddav.SyncQuery{})
	if err != nil {
		t.Fatal(err)
	}
	put := func(name, text string) *carddav.AddressObject {
		t.Helper()
		card, err := vcard.NewDecoder(strings.NewReader(crlf(text))).Decode()
		if err != nil {
			t.Fatal(err)
		}
		o, err := c.PutAddressObject(ctx, book+name, card)
		if err != nil || o.ETag == "" {
			t.Fatalf("put %s: %+v, %v", name, o, err)
		}
		return o
	}
	ada := put("ada.vcf", vcardOf("ada", "Ada Löwe", "EMAIL;TYPE=work:ada@example.org\nEMAIL;TYPE=home:ada@example.com\n"))
	put("grace h.vcf", vcardOf("grace", "Grace", "TEL;TYPE=cell:+1 555\n"))
	put("zoe.vcf", vcardOf("zoe", "Zoë", "NICKNAME:Zo\nEMAIL:zoe@example.org\n"))
	got, err := c.GetAddressObject(ctx, ada.Path)
	if err != nil || got.ETag != ada.ETag || got.Card.PreferredValue("FN") != "Ada Löwe" {
		t.Errorf("get: %+v, %v", got, err)
	}
	match := func(name, text string, how carddav.MatchType) carddav.PropFilter {
		return carddav.PropFilter{Name: name, TextMatches: []carddav.TextMatch{{Text: text, MatchType: how}}}
	}
	for _, q := range []struct {
		test    carddav.FilterTest
		filters []carddav.PropFilter
		want    string
	}{
		{"", nil, "ada grace zoe"},
		{"", []carddav.PropFilter{match("FN", "LÖW", "")}, "ada"},
		{"", []carddav.PropFilter{match("EMAIL", "example.org", carddav.MatchEndsWith)}, "ada zoe"},
		{"", []carddav.PropFilter{match("EMAIL", "zoe", carddav.MatchStartsWith)}, "zoe"},
		{"", []carddav.PropFilter{match("FN", "grace", carddav.MatchEquals)}, "grace"},
		{"", []carddav.PropFilter{{Name: "EMAIL", IsNotDefined: true}}, "grace"},
		{carddav.FilterAnyOf, []carddav.PropFilter{match("FN", "grace", ""), match("NICKNAME", "zo", "")}, "grace zoe"},
		{carddav.FilterAllOf, []carddav.PropFilter{match("EMAIL", "example", ""), match("NICKNAME", "zo", "")}, "zoe"},
		{"", []carddav.PropFilter{{Name: "EMAIL", Params: []carddav.ParamFilter{{Name: "TYPE", TextMatch: &carddav.TextMatch{Text: "home", MatchType: carddav.MatchEquals}}}}}, "ada"},
	} {
		objects, err := c.QueryAddressBook(ctx, book, &carddav.AddressBookQuery{DataRequest: carddav.AddressDataRequest{AllProp: true}, PropFilters: q.filters, FilterTest: q.test})
		if err != nil {
			t.Errorf("query %+v: %v", q.filters, err)
			continue
		}
		var uids []string
		for _, o := range objects {
			uids = append(uids, o.Card.Value("UID"))
		}
		slices.Sort(uids)
		if got := strings.Join(uids, " "); got != q.want {
			t.Errorf("query %s %+v: %q, want %q", q.test, q.filters, got, q.want)
		}
	}
	some, err := c.MultiGetAddressBook(ctx, book, &carddav.AddressBookMultiGet{Paths: []string{ada.Path, book + "grace h.vcf"}, DataRequest: carddav.AddressDataRequest{Props: []string{"FN"}}})
	if err != nil || len(some) != 2 || some[0].Card.Value("FN") != "Ada Löwe" || some[0].Card.Value("EMAIL") != "" {
		t.Errorf("multiget of FN: %+v, %v", some, err)
	}
	second, err := c.SyncCollection(ctx, book, &carddav.SyncQuery{SyncToken: first.SyncToken})
	if err != nil || len(second.Updated) != 3 {
		t.Errorf("sync: %+v, %v", second, err)
	}
	if err := c.RemoveAll(ctx, ada.Path); err != nil {
		t.Fatal(err)
	}
	if a := s.ask(http.MethodGet, book, ""); a.Code != 200 || strings.Count(a.Body, "BEGIN:VCARD") != 2 {
		t.Errorf("GET of the address book: %d\n%s", a.Code, a.Body)
	}
	s.noServerError()
}
