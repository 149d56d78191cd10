package backend_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/emersion/go-ical"
	"github.com/emersion/go-vcard"
	"github.com/emersion/go-webdav/caldav"
	"github.com/emersion/go-webdav/carddav"

	"inetdav/store/backend"
)

func send(t testing.TB, h http.Handler, method, url, contentType, body string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, url, strings.NewReader(body))
	r.SetBasicAuth("alice", "x")
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

// What a client PUTs is in the folder byte for byte, and the entity tag is the
// store's of these bytes.
func TestPutKeepsBytes(t *testing.T) {
	folder, s := seeded(t)
	h := handler(s)
	for _, c := range []struct{ url, contentType, path, body string }{
		{"/cal/alice/empty/2.ics", "text/calendar", "alice/empty/2.ics", weekly},
		{"/cal/alice/empty/2.ics", "text/calendar; charset=utf-8", "alice/empty/2.ics", strings.ReplaceAll(weekly, "\r\n", "\n")},
		{"/card/alice/people/bob.vcf", "text/vcard", "alice/people/bob.vcf", strings.Replace(bob, "Friends", "Enemies", 1)},
		{"/files/alice/people/bob.vcf", "text/vcard", "alice/people/bob.vcf", bob},
		{"/files/alice/people/bob.vcf", "", "alice/people/bob.vcf", strings.ReplaceAll(bob, "\r\n", "\n")},
		{"/files/alice/docs/a.ics", "text/calendar", "alice/docs/a.ics", "no calendar at all"},
	} {
		resp := send(t, h, "PUT", c.url, c.contentType, c.body)
		if resp.StatusCode/100 != 2 {
			b, _ := io.ReadAll(resp.Body)
			t.Fatalf("PUT %s: %s: %s", c.url, resp.Status, b)
		}
		expect(t, c.path, content(t, folder, c.path), c.body)
		expect(t, "ETag of "+c.path, resp.Header.Get("ETag"), etagOf(t, folder, c.path))
	}
}

// Without Guard an object is stored as the encoder writes it.
func TestPutEncodes(t *testing.T) {
	folder, s := seeded(t)
	b := backend.New(backend.Options{Store: s, User: userOf})
	ctx := as(t, "alice")
	cal := decodeICal(t, event)
	co := must(b.PutCalendarObject(ctx, "/alice/empty/1.ics", cal, nil))(t)
	var want strings.Builder
	if err := ical.NewEncoder(&want).Encode(cal); err != nil {
		t.Fatal(err)
	}
	expect(t, "bytes", content(t, folder, "alice/empty/1.ics"), want.String())
	expect(t, "etag", `"`+co.ETag+`"`, etagOf(t, folder, "alice/empty/1.ics"))
	ao := must(b.PutAddressObject(ctx, "/alice/people/ann.vcf", decodeVCard(t, ann), nil))(t)
	expect(t, "etag", `"`+ao.ETag+`"`, etagOf(t, folder, "alice/people/ann.vcf"))
}

// Guard's bytes are not taken for another object than the one that the handler
// made of them.
func TestGuardedPutOfAnother(t *testing.T) {
	folder, s := seeded(t)
	b := backend.New(backend.Options{Store: s, User: userOf})
	other := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		cal := must(ical.NewDecoder(r.Body).Decode())(t)
		cal.Children[0].Props.SetText(ical.PropSummary, "changed on the way")
		must(b.PutCalendarObject(r.Context(), "/alice/empty/1.ics", cal, nil))(t)
	})
	send(t, login(b.Guard(other)), "PUT", "/", "text/calendar", event)
	if got := content(t, folder, "alice/empty/1.ics"); !strings.Contains(got, "changed on the way") {
		t.Error(got)
	}
}

// Reading changes nothing, and says of each object the same entity tag
// whichever way it is asked.
func TestReadingAgreesWithStore(t *testing.T) {
	folder, s := seeded(t)
	b := backend.New(backend.Options{Store: s, User: userOf}).At("/x")
	ctx := as(t, "alice")
	want := map[string]string{}
	for name := range seed {
		if !strings.HasPrefix(name, "alice/") || strings.Contains(name, ".Radicale") {
			continue
		}
		want["/x/"+name] = strings.Trim(etagOf(t, folder, name), `"`)
	}
	check := func(what, path, etag string) {
		t.Helper()
		if etag != want[path] {
			t.Errorf("%s: %s has the etag %q, want %q", what, path, etag, want[path])
		}
	}
	whole := &caldav.CalendarCompRequest{AllProps: true, AllComps: true}
	for what, list := range map[string][]caldav.CalendarObject{
		"list":       must(b.ListCalendarObjects(ctx, "/x/alice/work/", whole))(t),
		"light list": must(b.ListCalendarObjects(ctx, "/x/alice/work", &caldav.CalendarCompRequest{}))(t),
		"query":      must(b.QueryCalendarObjects(ctx, "/x/alice/work/", nil))(t),
	} {
		expect(t, what, eventNames(list), "1.ics 2.ics 3.ics")
		for _, o := range list {
			check(what, o.Path, o.ETag)
			got := must(b.GetCalendarObject(ctx, o.Path, nil))(t)
			check("get", got.Path, got.ETag)
			var sb strings.Builder
			if err := ical.NewEncoder(&sb).Encode(got.Data); err != nil {
				t.Error(o.Path, err)
			}
			expect(t, "length", got.ContentLength, int64(sb.Len()))
			if what != "light list" && !reflect.DeepEqual(o.Data, got.Data) {
				t.Errorf("%s: %s is %v, want %v", what, o.Path, o.Data, got.Data)
			}
		}
	}
	for what, list := range map[string][]carddav.AddressObject{
		"list":       must(b.ListAddressObjects(ctx, "/x/alice/people/", nil))(t),
		"light list": must(b.ListAddressObjects(ctx, "/x/alice/people/", &carddav.AddressDataRequest{}))(t),
		"query":      must(b.QueryAddressObjects(ctx, "/x/alice/people/", nil))(t),
	} {
		expect(t, what, cardNames(list), "ann.vcf bob.vcf")
		for _, o := range list {
			check(what, o.Path, o.ETag)
			got := must(b.GetAddressObject(ctx, o.Path, nil))(t)
			check("get", got.Path, got.ETag)
			var sb strings.Builder
			if err := vcard.NewEncoder(&sb).Encode(got.Card); err != nil {
				t.Error(o.Path, err)
			}
			expect(t, "length", got.ContentLength, int64(sb.Len()))
		}
	}
	for _, fi := range must(b.ReadDir(ctx, "/x/alice", true))(t) {
		if !fi.IsDir {
			check("dir", fi.Path, fi.ETag)
			st := must(b.Stat(ctx, fi.Path))(t)
			check("stat", st.Path, st.ETag)
			r := must(b.Open(ctx, fi.Path))(t)
			if _, ok := r.(io.Seeker); !ok {
				t.Error("cannot seek")
			}
			data := must(io.ReadAll(r))(t)
			r.Close()
			expect(t, fi.Path, string(data), seed[strings.TrimPrefix(fi.Path, "/x/")])
		}
	}
	for name, data := range seed {
		expect(t, name, content(t, folder, name), data)
	}
}

// What cannot be read is listed, so that no client deletes it, and does not
// hide the others.
func TestUnreadableObjects(t *testing.T) {
	folder, s := seeded(t)
	write(t, folder+"/collection-root/alice/work/bad.ics", "BEGIN:VCALENDAR\nBEGIN:VEVENT\n")
	write(t, folder+"/collection-root/alice/people/bad.vcf", "nonsense")
	write(t, folder+"/collection-root/alice/people/list.vcf", "BEGIN:VLIST\r\nUID:l\r\nFN:L\r\nEND:VLIST\r\n")
	b := backend.New(backend.Options{Store: s, User: userOf})
	ctx := as(t, "alice")
	expect(t, "list", eventNames(must(b.ListCalendarObjects(ctx, "/alice/work", nil))(t)), "1.ics 2.ics 3.ics bad.ics")
	expect(t, "query", eventNames(must(b.QueryCalendarObjects(ctx, "/alice/work", nil))(t)), "1.ics 2.ics 3.ics")
	_, err := b.GetCalendarObject(ctx, "/alice/work/bad.ics", nil)
	expect(t, "get", status(err), "500")
	expect(t, "cards", cardNames(must(b.ListAddressObjects(ctx, "/alice/people", nil))(t)), "ann.vcf bad.vcf bob.vcf list.vcf")
	expect(t, "query", cardNames(must(b.QueryAddressObjects(ctx, "/alice/people", nil))(t)), "ann.vcf bob.vcf")
	_, err = b.GetAddressObject(ctx, "/alice/people/list.vcf", nil)
	expect(t, "get", status(err), "500")
	// go-webdav's handler survives them
	h := handler(s)
	for _, url := range []string{"/cal/alice/work/", "/card/alice/people/"} {
		r := httptest.NewRequest("PROPFIND", url, nil)
		r.SetBasicAuth("alice", "x")
		r.Header.Set("Depth", "1")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != 207 || !strings.Contains(w.Body.String(), "/bad.") {
			t.Errorf("PROPFIND %s: %d %s", url, w.Code, w.Body)
		}
	}
}

// RFC 4791, 9.6: what only a caller of the methods can ask for.
func TestCalendarData(t *testing.T) {
	_, s := seeded(t)
	b := backend.New(backend.Options{Store: s, User: userOf})
	ctx := as(t, "alice")
	req := &caldav.CalendarCompRequest{Name: "VCALENDAR", Comps: []caldav.CalendarCompRequest{{Name: "VEVENT", Props: []string{"SUMMARY"}}}}
	co := must(b.GetCalendarObject(ctx, "/alice/work/1.ics", req))(t)
	if len(co.Data.Children) != 1 || len(co.Data.Children[0].Props) != 1 || co.ContentLength != 0 {
		t.Errorf("SUMMARY alone: %v", co)
	}
	req = &caldav.CalendarCompRequest{Expand: &caldav.CalendarExpandRequest{Start: seedTime, End: seedTime.AddDate(0, 0, 21)}}
	co = must(b.GetCalendarObject(ctx, "/alice/work/2.ics", req))(t)
	expect(t, "instances", len(co.Data.Children), 3)
	_, err := b.GetCalendarObject(ctx, "/alice/work/2.ics", &caldav.CalendarCompRequest{Expand: &caldav.CalendarExpandRequest{Start: seedTime, End: seedTime}})
	expect(t, "nothing to expand to", status(err), "400")
	_, err = b.QueryCalendarObjects(ctx, "/alice/work", &caldav.CalendarQuery{CompFilter: caldav.CompFilter{Name: "VCALENDAR", Start: seedTime, End: seedTime}})
	expect(t, "an empty time-range", status(err), "403")
	_, err = b.QueryAddressObjects(ctx, "/alice/people", &carddav.AddressBookQuery{FilterTest: "some"})
	expect(t, "an unknown test", status(err), "403")
	_, err = b.QueryCalendarObjects(ctx, "/alice/people", nil)
	expect(t, "calendar-query on an address book", status(err), "403")
	one := must(b.QueryCalendarObjects(ctx, "/alice/work/3.ics", nil))(t)
	expect(t, "calendar-query on an object", eventNames(one), "3.ics")
}

// The store is for one goroutine at a time; a Backend is for many.
func TestConcurrentUse(t *testing.T) {
	_, s := seeded(t)
	b := backend.New(backend.Options{Store: s, User: userOf})
	views := []*backend.Backend{b, b.At("/a"), b.At("/b")}
	done := make(chan error)
	for i, v := range views {
		go func() {
			prefix := []string{"", "/a", "/b"}[i]
			for range 20 {
				if _, err := v.ListCalendars(as(t, "alice")); err != nil {
					done <- err
					return
				}
				if _, err := v.GetCalendarObject(as(t, "alice"), prefix+"/alice/work/1.ics", nil); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range views {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// An answer is bounded, and a list that would be longer is no shorter list.
func TestMaxAnswer(t *testing.T) {
	folder, s := seeded(t)
	b := backend.New(backend.Options{Store: s, User: userOf})
	ctx := as(t, "alice")
	size := maxObject - 1000
	for i := range backend.MaxAnswer/size + 1 {
		uid := strings.Repeat("x", i+1)
		big := strings.Replace(strings.Replace(event, "one", uid, 1), "Lunch", strings.Repeat("Lunch", size/5), 1)
		write(t, folder+"/collection-root/alice/empty/"+uid+".ics", big)
	}
	list, err := b.ListCalendarObjects(ctx, "/alice/empty", nil)
	expect(t, "list", status(err), "507")
	expect(t, "listed", len(list), 0)
	list, err = b.QueryCalendarObjects(ctx, "/alice/empty", nil)
	expect(t, "query", status(err), "507")
	expect(t, "found", len(list), 0)
	light := must(b.ListCalendarObjects(ctx, "/alice/empty", &caldav.CalendarCompRequest{}))(t)
	expect(t, "off the index", len(light), backend.MaxAnswer/size+1)
}
