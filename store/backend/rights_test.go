package backend_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-webdav"
	"github.com/emersion/go-webdav/caldav"
	"github.com/emersion/go-webdav/carddav"

	"inetdav/store/backend"
)

func TestOwnOnly(t *testing.T) {
	for _, c := range []struct {
		user, path  string
		read, write bool
	}{
		{"alice", "", true, false},
		{"alice", "alice", true, true},
		{"alice", "alice/work/1.ics", true, true},
		{"alice", "alice2", false, false},
		{"alice", "bob/private", false, false},
		{"", "", false, false},
		{"", "alice", false, false},
	} {
		expect(t, c.user+" reads "+c.path, backend.OwnOnly(c.user, c.path, false), c.read)
		expect(t, c.user+" writes "+c.path, backend.OwnOnly(c.user, c.path, true), c.write)
	}
}

// Options.Allow decides, for each collection and each object.
func TestAllow(t *testing.T) {
	folder, s := seeded(t)
	b := backend.New(backend.Options{Store: s, User: userOf, Allow: func(user, path string, write bool) bool {
		switch {
		case user == "alice" && strings.HasPrefix(path, "bob"):
			return !write
		case path == "alice/empty", path == "alice/docs/note.txt":
			return false
		}
		return backend.OwnOnly(user, path, write)
	}})
	ctx := as(t, "alice")
	cal := must(b.GetCalendar(ctx, "/bob/private"))(t)
	expect(t, "read-only", cal.ReadOnly, true)
	_, err := b.PutCalendarObject(ctx, "/bob/private/1.ics", decodeICal(t, event), nil)
	expect(t, "put", status(err), "403")
	expect(t, "delete", status(b.DeleteCalendarObject(ctx, "/bob/private/1.ics")), "403")
	expect(t, "create", status(b.CreateCalendar(ctx, &caldav.Calendar{Path: "/bob/new"})), "403")
	expect(t, "bytes", content(t, folder, "bob/private/1.ics"), event)
	list := must(b.ListCalendars(ctx))(t)
	expect(t, "listed", len(list), 1)
	expect(t, "mine", list[0].ReadOnly, false)
	for _, fi := range must(b.ReadDir(ctx, "/alice", true))(t) {
		if strings.Contains(fi.Path, "empty") || strings.Contains(fi.Path, "note") {
			t.Error("listed:", fi.Path)
		}
	}
	_, err = b.ListCalendars(t.Context())
	expect(t, "nobody", status(err), "401")
	_, err = b.ListAddressBooks(as(t, ".."))
	expect(t, "nobody's name", status(err), "403")
}

// The error of Options.User reaches the handler as it is.
func TestUserError(t *testing.T) {
	_, s := seeded(t)
	want := webdav.NewHTTPError(http.StatusTeapot, errors.New("x"))
	b := backend.New(backend.Options{Store: s, User: func(context.Context) (string, error) { return "", want }})
	_, principal := b.CurrentUserPrincipal(t.Context())
	_, get := b.GetCalendar(t.Context(), "/alice/work")
	_, list := b.ListAddressBooks(t.Context())
	for _, err := range []error{principal, get, list} {
		if err != want {
			t.Error(err)
		}
	}
}

// The home comes with the first calendar or address book.
func TestNewUser(t *testing.T) {
	folder, s := seeded(t)
	b := backend.New(backend.Options{Store: s, User: userOf}).At("/dav/")
	ctx := as(t, "carol")
	expect(t, "home", must(b.AddressBookHomeSetPath(ctx))(t), "/dav/carol/")
	expect(t, "calendars", len(must(b.ListCalendars(ctx))(t)), 0)
	missing(t, folder, "carol")
	ab := &carddav.AddressBook{Path: "/dav/carol/people/", Name: "People", Description: "All"}
	if err := b.CreateAddressBook(ctx, ab); err != nil {
		t.Fatal(err)
	}
	got := must(b.GetAddressBook(ctx, ab.Path))(t)
	expect(t, "name", got.Name+" "+got.Description, "People All")
	expect(t, "again", status(b.CreateAddressBook(ctx, ab)), "405")
	expect(t, "calendars", len(must(b.ListCalendars(ctx))(t)), 0)
	_, err := b.GetCalendar(ctx, ab.Path)
	expect(t, "as a calendar", status(err), "404")
	_, err = b.GetCalendar(ctx, "/elsewhere/carol/people")
	expect(t, "not below the mount", status(err), "404")
	expect(t, "deleted as an object", status(b.DeleteAddressObject(ctx, ab.Path)), "403")
	expect(t, "deleted as a calendar", status(b.DeleteCalendarObject(ctx, ab.Path)), "403")
	expect(t, "deleted", status(b.DeleteAddressBook(ctx, ab.Path)), "200")
	missing(t, folder, "carol/people")

	cal := &caldav.Calendar{Path: "/dav/carol/tasks", SupportedComponentSet: []string{"VTODO"}}
	expect(t, "calendar", status(b.CreateCalendar(ctx, cal)), "200")
	_, err = b.PutCalendarObject(ctx, "/dav/carol/tasks/1.ics", decodeICal(t, event), nil)
	if status(err) != "403" || !strings.Contains(err.Error(), "supported-calendar-component") {
		t.Error("an event among tasks:", err)
	}
	expect(t, "inside", status(b.CreateCalendar(ctx, &caldav.Calendar{Path: "/dav/carol/tasks/sub"})), "403")
	expect(t, "nowhere", status(b.CreateCalendar(ctx, &caldav.Calendar{Path: "/dav/carol/none/sub"})), "409")
	expect(t, "control character", status(b.CreateCalendar(ctx, &caldav.Calendar{Path: "/dav/carol/a\nb"})), "400")
	expect(t, "NUL", status(b.CreateCalendar(ctx, &caldav.Calendar{Path: "/dav/carol/a\x00b"})), "400")
}

// Whoever gives up waiting for the turn is answered.
func TestTurnIsGivenUp(t *testing.T) {
	_, s := seeded(t)
	entered, leave := make(chan struct{}), make(chan struct{})
	var once sync.Once
	b := backend.New(backend.Options{Store: s, User: userOf, Allow: func(_, path string, _ bool) bool {
		if path == "alice/work" { // within the turn, while members are listed
			once.Do(func() { close(entered) })
			<-leave
		}
		return true
	}})
	done := make(chan error)
	go func() {
		_, err := b.ListCalendars(as(t, "alice"))
		done <- err
	}()
	<-entered
	ctx, cancel := context.WithCancel(as(t, "alice"))
	cancel()
	_, err := b.GetCalendar(ctx, "/alice/empty")
	expect(t, "while another has it", status(err), "503")
	close(leave)
	if err := <-done; err != nil {
		t.Error(err)
	}
}
