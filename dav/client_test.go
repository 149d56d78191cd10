package dav

import (
	"context"
	"io"
	"net/http"
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

// go-webdav's clients were written by others, against other servers.

func client(t *testing.T) (c webdav.HTTPClient, url string) {
	t.Helper()
	url, _ = testServer(t)
	return webdav.HTTPClientWithBasicAuth(&http.Client{Transport: transport}, "bernard", "secret"), url
}

func mkcol(t *testing.T, c webdav.HTTPClient, url, resourcetype, properties string) {
	t.Helper()
	body := `<mkcol xmlns="DAV:"><set><prop><resourcetype><collection/>` + resourcetype + `</resourcetype>` + properties + `</prop></set></mkcol>`
	req, err := http.NewRequest("MKCOL", url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		t.Fatal(resp.Status)
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

func TestClientWebDAV(t *testing.T) {
	ctx := context.Background()
	hc, url := client(t)
	c, err := webdav.NewClient(hc, url)
	check(t, err)
	principal, err := c.FindCurrentUserPrincipal(ctx)
	check(t, err)
	equal(t, "principal", principal, "/bernard/")

	check(t, c.Mkdir(ctx, "/bernard/files"))
	check(t, c.Mkdir(ctx, "/bernard/files/deep er"))
	if err := c.Mkdir(ctx, "/bernard/files"); err == nil {
		t.Error("Mkdir twice")
	}
	w, err := c.Create(ctx, "/bernard/files/deep er/ä&b.txt")
	check(t, err)
	io.WriteString(w, "content")
	check(t, w.Close())

	fi, err := c.Stat(ctx, "/bernard/files/deep er/ä&b.txt")
	check(t, err)
	equal(t, "size", fi.Size, 7)
	equal(t, "path", fi.Path, "/bernard/files/deep er/ä&b.txt")
	if fi.IsDir || fi.ETag == "" || time.Since(fi.ModTime).Abs() > time.Hour || !strings.HasPrefix(fi.MIMEType, "text/plain") {
		t.Errorf("Stat: %+v", fi)
	}
	r, err := c.Open(ctx, "/bernard/files/deep er/ä&b.txt")
	check(t, err)
	b, err := io.ReadAll(r)
	check(t, err)
	r.Close()
	equal(t, "content", string(b), "content")

	check(t, c.Copy(ctx, "/bernard/files/deep er", "/bernard/files/copy", nil))
	if err := c.Copy(ctx, "/bernard/files/deep er", "/bernard/files/copy", &webdav.CopyOptions{NoOverwrite: true}); err == nil {
		t.Error("Copy without overwriting")
	}
	check(t, c.Move(ctx, "/bernard/files/deep er", "/bernard/files/moved", nil))
	list, err := c.ReadDir(ctx, "/bernard/files/", true)
	check(t, err)
	var paths []string
	for _, fi := range list {
		paths = append(paths, fi.Path)
	}
	slices.Sort(paths)
	want := []string{"/bernard/files/", "/bernard/files/copy/", "/bernard/files/copy/ä&b.txt", "/bernard/files/moved/", "/bernard/files/moved/ä&b.txt"}
	if !slices.Equal(paths, want) {
		t.Errorf("ReadDir: %q", paths)
	}
	check(t, c.RemoveAll(ctx, "/bernard/files"))
	if _, err := c.Stat(ctx, "/bernard/files"); err == nil {
		t.Error("Stat after RemoveAll")
	}
}

func TestClientCalDAV(t *testing.T) {
	ctx := context.Background()
	hc, url := client(t)
	c, err := caldav.NewClient(hc, url)
	check(t, err)
	principal, err := c.FindCurrentUserPrincipal(ctx)
	check(t, err)
	home, err := c.FindCalendarHomeSet(ctx, principal)
	check(t, err)
	equal(t, "home", home, "/bernard/")
	mkcol(t, hc, url+"/bernard/work/", `<calendar xmlns="urn:ietf:params:xml:ns:caldav"/>`,
		`<displayname>Wörk</displayname><C:calendar-description xmlns:C="urn:ietf:params:xml:ns:caldav">All of it</C:calendar-description>`)
	mkcol(t, hc, url+"/bernard/people/", `<addressbook xmlns="urn:ietf:params:xml:ns:carddav"/>`, "")
	calendars, err := c.FindCalendars(ctx, home)
	check(t, err)
	if len(calendars) != 1 {
		t.Fatalf("FindCalendars: %+v", calendars)
	}
	cal := calendars[0]
	equal(t, "path", cal.Path, "/bernard/work/")
	equal(t, "name", cal.Name, "Wörk")
	equal(t, "description", cal.Description, "All of it")
	equal(t, "read-only", cal.ReadOnly, false)
	if !slices.Equal(cal.SupportedComponentSet, []string{"VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VAVAILABILITY"}) || cal.MaxResourceSize == 0 {
		t.Errorf("calendar: %+v", cal)
	}

	first, err := c.SyncCollection(ctx, cal.Path, &caldav.SyncQuery{})
	check(t, err)
	equal(t, "updated in the empty calendar", len(first.Updated), 0)

	event := func(uid string, start time.Time, rule string) *ical.Calendar {
		e := ical.NewEvent()
		e.Props.SetText(ical.PropUID, uid)
		e.Props.SetText(ical.PropSummary, "Event "+uid)
		e.Props.SetDateTime(ical.PropDateTimeStamp, start)
		e.Props.SetDateTime(ical.PropDateTimeStart, start)
		e.Props.SetDateTime(ical.PropDateTimeEnd, start.Add(time.Hour))
		if rule != "" {
			p := ical.NewProp(ical.PropRecurrenceRule)
			p.Value = rule
			e.Props.Set(p)
		}
		cal := ical.NewCalendar()
		cal.Props.SetText(ical.PropVersion, "2.0")
		cal.Props.SetText(ical.PropProductID, "test")
		cal.Children = append(cal.Children, e.Component)
		return cal
	}
	day := func(d int) time.Time { return time.Date(2026, 3, d, 10, 0, 0, 0, time.UTC) }
	put := map[string]string{} // ETags by path
	for _, e := range []struct {
		name, rule string
		day        int
	}{{"one", "", 1}, {"two", "", 2}, {"daily", "FREQ=DAILY;COUNT=10", 5}} {
		o, err := c.PutCalendarObject(ctx, cal.Path+e.name+".ics", event(e.name, day(e.day), e.rule))
		check(t, err)
		if o.ETag == "" {
			t.Errorf("no ETag for %s", e.name)
		}
		put[cal.Path+e.name+".ics"] = o.ETag
	}
	got, err := c.GetCalendarObject(ctx, cal.Path+"one.ics")
	check(t, err)
	equal(t, "ETag", got.ETag, put[cal.Path+"one.ics"])
	equal(t, "summary", got.Data.Children[0].Props.Get(ical.PropSummary).Value, "Event one")

	names := func(objects []caldav.CalendarObject) string {
		var s []string
		for _, o := range objects {
			if o.ETag != put[o.Path] {
				t.Errorf("%s: ETag %q, want %q", o.Path, o.ETag, put[o.Path])
			}
			s = append(s, strings.TrimSuffix(strings.TrimPrefix(o.Path, cal.Path), ".ics"))
		}
		slices.Sort(s)
		return strings.Join(s, " ")
	}
	all := caldav.CalendarCompRequest{Name: "VCALENDAR", AllProps: true, AllComps: true}
	query := func(f caldav.CompFilter) string {
		t.Helper()
		objects, err := c.QueryCalendar(ctx, cal.Path, &caldav.CalendarQuery{CompRequest: all,
			CompFilter: caldav.CompFilter{Name: "VCALENDAR", Comps: []caldav.CompFilter{f}}})
		check(t, err)
		for _, o := range objects {
			if o.Data == nil || len(o.Data.Children) != 1 {
				t.Errorf("%s: %+v", o.Path, o.Data)
			}
		}
		return names(objects)
	}
	equal(t, "events", query(caldav.CompFilter{Name: "VEVENT"}), "daily one two")
	equal(t, "to-dos", query(caldav.CompFilter{Name: "VTODO"}), "")
	equal(t, "events of March 1", query(caldav.CompFilter{Name: "VEVENT", Start: day(1), End: day(1).Add(time.Minute)}), "one")
	equal(t, "events of March 14", query(caldav.CompFilter{Name: "VEVENT", Start: day(14), End: day(15)}), "daily")
	equal(t, "events of March 15", query(caldav.CompFilter{Name: "VEVENT", Start: day(15), End: day(16)}), "")
	equal(t, "events called two", query(caldav.CompFilter{Name: "VEVENT",
		Props: []caldav.PropFilter{{Name: "SUMMARY", TextMatch: &caldav.TextMatch{Text: "EVENT T"}}}}), "two")
	equal(t, "events not called two", query(caldav.CompFilter{Name: "VEVENT",
		Props: []caldav.PropFilter{{Name: "SUMMARY", TextMatch: &caldav.TextMatch{Text: "two", NegateCondition: true}}}}), "daily one")

	expand := all
	expand.Expand = &caldav.CalendarExpandRequest{Start: day(6), End: day(8)}
	objects, err := c.QueryCalendar(ctx, cal.Path, &caldav.CalendarQuery{CompRequest: expand, CompFilter: caldav.CompFilter{Name: "VCALENDAR",
		Comps: []caldav.CompFilter{{Name: "VEVENT", Start: day(6), End: day(8)}}}})
	check(t, err)
	if len(objects) != 1 || len(objects[0].Data.Children) != 2 {
		t.Errorf("expanded: %+v", objects)
	}

	objects, err = c.MultiGetCalendar(ctx, cal.Path, &caldav.CalendarMultiGet{CompRequest: all, Paths: []string{cal.Path + "two.ics", cal.Path + "one.ics"}})
	check(t, err)
	equal(t, "multiget", names(objects), "one two")

	second, err := c.SyncCollection(ctx, cal.Path, &caldav.SyncQuery{SyncToken: first.SyncToken, CompRequest: all})
	check(t, err)
	equal(t, "updated", names(second.Updated), "daily one two")
	w, err := webdav.NewClient(hc, url)
	check(t, err)
	check(t, w.RemoveAll(ctx, cal.Path+"two.ics"))
	o, err := c.PutCalendarObject(ctx, cal.Path+"one.ics", event("one", day(20), ""))
	check(t, err)
	put[cal.Path+"one.ics"] = o.ETag
	third, err := c.SyncCollection(ctx, cal.Path, &caldav.SyncQuery{SyncToken: second.SyncToken})
	check(t, err)
	equal(t, "updated", names(third.Updated), "one")
	if !slices.Equal(third.Deleted, []string{cal.Path + "two.ics"}) {
		t.Errorf("deleted: %q", third.Deleted)
	}
	if _, err := c.SyncCollection(ctx, cal.Path, &caldav.SyncQuery{SyncToken: "http://example.com/nonsense"}); err == nil {
		t.Error("a sync token of nonsense")
	}
}

func TestClientCardDAV(t *testing.T) {
	ctx := context.Background()
	hc, url := client(t)
	c, err := carddav.NewClient(hc, url+"/bernard/")
	check(t, err)
	check(t, c.HasSupport(ctx))
	principal, err := c.FindCurrentUserPrincipal(ctx)
	check(t, err)
	home, err := c.FindAddressBookHomeSet(ctx, principal)
	check(t, err)
	mkcol(t, hc, url+"/bernard/people/", `<addressbook xmlns="urn:ietf:params:xml:ns:carddav"/>`,
		`<displayname>People</displayname><C:addressbook-description xmlns:C="urn:ietf:params:xml:ns:carddav">I know</C:addressbook-description>`)
	mkcol(t, hc, url+"/bernard/work/", `<calendar xmlns="urn:ietf:params:xml:ns:caldav"/>`, "")
	books, err := c.FindAddressBooks(ctx, home)
	check(t, err)
	if len(books) != 1 {
		t.Fatalf("FindAddressBooks: %+v", books)
	}
	book := books[0]
	equal(t, "path", book.Path, "/bernard/people/")
	equal(t, "name", book.Name, "People")
	equal(t, "description", book.Description, "I know")
	if !book.SupportsAddressData("text/vcard", "3.0") || !book.SupportsAddressData("text/vcard", "4.0") {
		t.Errorf("address book: %+v", book)
	}
	first, err := c.SyncCollection(ctx, book.Path, &carddav.SyncQuery{})
	check(t, err)
	for _, name := range []string{"Anna", "Bert", "Änne"} {
		card := vcard.Card{}
		card.SetValue(vcard.FieldVersion, "4.0")
		card.SetValue(vcard.FieldUID, name)
		card.SetValue(vcard.FieldFormattedName, name+" Müller")
		card.SetValue(vcard.FieldEmail, strings.ToLower(name[:1])+"@example.com")
		o, err := c.PutAddressObject(ctx, book.Path+name+".vcf", card)
		check(t, err)
		got, err := c.GetAddressObject(ctx, book.Path+name+".vcf")
		check(t, err)
		equal(t, "ETag", got.ETag, o.ETag)
		equal(t, "name", got.Card.PreferredValue(vcard.FieldFormattedName), name+" Müller")
	}
	names := func(objects []carddav.AddressObject) string {
		var s []string
		for _, o := range objects {
			s = append(s, strings.TrimSuffix(strings.TrimPrefix(o.Path, book.Path), ".vcf"))
		}
		slices.Sort(s)
		return strings.Join(s, " ")
	}
	all := carddav.AddressDataRequest{AllProp: true}
	query := func(test carddav.FilterTest, limit int, f ...carddav.PropFilter) string {
		t.Helper()
		objects, err := c.QueryAddressBook(ctx, book.Path, &carddav.AddressBookQuery{DataRequest: all, FilterTest: test, PropFilters: f, Limit: limit})
		check(t, err)
		return names(objects)
	}
	fn := func(m carddav.MatchType, text string) carddav.PropFilter {
		return carddav.PropFilter{Name: "FN", TextMatches: []carddav.TextMatch{{Text: text, MatchType: m}}}
	}
	equal(t, "all", query(carddav.FilterAnyOf, 0, fn(carddav.MatchContains, "müller")), "Anna Bert Änne")
	equal(t, "upper case", query(carddav.FilterAnyOf, 0, fn(carddav.MatchContains, "MÜLLER")), "Anna Bert Änne")
	equal(t, "beginning with ä", query(carddav.FilterAnyOf, 0, fn(carddav.MatchStartsWith, "ä")), "Änne")
	equal(t, "equal", query(carddav.FilterAnyOf, 0, fn(carddav.MatchEquals, "anna müller")), "Anna")
	equal(t, "ending", query(carddav.FilterAnyOf, 0, fn(carddav.MatchEndsWith, "t müller")), "Bert")
	email := carddav.PropFilter{Name: "EMAIL", TextMatches: []carddav.TextMatch{{Text: "a@"}}}
	equal(t, "any of", query(carddav.FilterAnyOf, 0, email, fn(carddav.MatchStartsWith, "b")), "Anna Bert")
	equal(t, "all of", query(carddav.FilterAllOf, 0, email, fn(carddav.MatchStartsWith, "b")), "")
	equal(t, "without a telephone", query(carddav.FilterAnyOf, 0, carddav.PropFilter{Name: "TEL", IsNotDefined: true}), "Anna Bert Änne")

	objects, err := c.MultiGetAddressBook(ctx, book.Path, &carddav.AddressBookMultiGet{DataRequest: carddav.AddressDataRequest{Props: []string{"VERSION", "EMAIL"}},
		Paths: []string{book.Path + "Änne.vcf"}})
	check(t, err)
	if len(objects) != 1 || objects[0].Card.Value("FN") != "" || objects[0].Card.Value("EMAIL") == "" {
		t.Errorf("multiget: %+v", objects)
	}
	second, err := c.SyncCollection(ctx, book.Path, &carddav.SyncQuery{SyncToken: first.SyncToken})
	check(t, err)
	equal(t, "updated", names(second.Updated), "Anna Bert Änne")
	check(t, c.RemoveAll(ctx, book.Path+"Bert.vcf"))
	// the client for calendars: the one for address books fails at removals
	cc, err := caldav.NewClient(hc, url)
	check(t, err)
	third, err := cc.SyncCollection(ctx, book.Path, &caldav.SyncQuery{SyncToken: second.SyncToken})
	check(t, err)
	if len(third.Updated) > 0 || !slices.Equal(third.Deleted, []string{book.Path + "Bert.vcf"}) {
		t.Errorf("third: %+v", third)
	}
}
