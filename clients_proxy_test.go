package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/emersion/go-webdav"
	"github.com/emersion/go-webdav/caldav"
)

// Clients behind a reverse proxy: one connection carries many users, and URLs
// begin with what the proxy says.

// startProxy serves the server below /dav/ and gives the URL; at most
// connections connections to it are open, and all are kept.
func startProxy(t *testing.T, s *server, connections int) string {
	t.Helper()
	target, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	transport := s.transportOf()
	transport.MaxConnsPerHost = connections
	proxy := &httputil.ReverseProxy{
		Transport: transport,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host
			r.SetXForwarded()
			r.Out.Header.Set("X-Script-Name", "/dav")
		},
	}
	front := httptest.NewServer(http.StripPrefix("/dav", proxy))
	t.Cleanup(front.Close)
	return front.URL + "/dav/"
}

func TestProxyPrefix(t *testing.T) {
	t.Parallel()
	s := clientServer(t)
	front := startProxy(t, s, 1)
	ctx := context.Background()
	c, err := caldav.NewClient(webdav.HTTPClientWithBasicAuth(http.DefaultClient, "demo", "demo"), front)
	if err != nil {
		t.Fatal(err)
	}
	principal, err := c.FindCurrentUserPrincipal(ctx)
	if err != nil || principal != "/dav/demo/" {
		t.Fatalf("the principal is %q, %v", principal, err)
	}
	home, err := c.FindCalendarHomeSet(ctx, principal)
	if err != nil || home != "/dav/demo/" {
		t.Fatalf("the home is %q, %v", home, err)
	}
	s.mkcalendar("/demo/cal/", "Calendar")
	calendars, err := c.FindCalendars(ctx, home)
	if err != nil || len(calendars) != 1 || calendars[0].Path != "/dav/demo/cal/" {
		t.Fatalf("calendars: %+v, %v", calendars, err)
	}
	object := path.Join(calendars[0].Path, "a.ics")
	put, err := askAt(http.DefaultClient, front, "PUT", "/demo/cal/a.ics", crlf(vevent("a", "A", "20261201T100000Z", "")))
	if err != nil || put.Code != 201 {
		t.Fatalf("PUT: %d, %v", put.Code, err)
	}
	many, err := c.MultiGetCalendar(ctx, calendars[0].Path, &caldav.CalendarMultiGet{Paths: []string{object}, CompRequest: caldav.CalendarCompRequest{Name: "VCALENDAR", AllProps: true, AllComps: true}})
	if err != nil || len(many) != 1 || many[0].Path != object {
		t.Errorf("multiget: %+v, %v", many, err)
	}
	if err := c.Move(ctx, object, "/dav/demo/cal/b.ics", nil); err != nil {
		t.Errorf("move: %v", err)
	}
	if got := s.stored("demo/cal"); len(got) != 1 || got["b.ics"] == "" {
		t.Errorf("after a move the calendar has %v", got)
	}
	// The way in that knows no prefix.
	a, err := askAt(&http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		front, "PROPFIND", "/.well-known/caldav", "")
	if err != nil || a.Header.Get("Location") != "/dav/" {
		t.Errorf("/.well-known/caldav leads to %q, %v", a.Header.Get("Location"), err)
	}
	s.noServerError()
}

// Users take turns on one connection: each gets what is his, and nothing of the
// one before.
func TestProxyUsers(t *testing.T) {
	t.Parallel()
	s := clientServer(t)
	front := startProxy(t, s, 1)
	users := []string{"demo", "other"}
	for _, user := range users {
		ask(t, front, user, user, "MKCALENDAR", user+"/cal/", "", 201)
		ask(t, front, user, user, "PUT", user+"/cal/a.ics", crlf(vevent("a", "Of "+user, "20261201T100000Z", "")), 201)
	}
	for round := range 3 {
		for _, user := range users {
			for _, owner := range users {
				want := map[bool]int{true: 200, false: 403}[user == owner]
				body := ask(t, front, user, user, "GET", owner+"/cal/a.ics", "", want)
				if strings.Contains(body, "Of "+owner) != (user == owner) {
					t.Errorf("round %d: %s asks for %s's and gets %q", round, user, owner, body)
				}
			}
			ask(t, front, user, "wrong", "GET", user+"/cal/a.ics", "", 401)
			ask(t, front, "", "", "GET", user+"/cal/a.ics", "", 401)
			body := ask(t, front, user, user, "PROPFIND", "", `<propfind xmlns="DAV:"><prop><current-user-principal/></prop></propfind>`, 207)
			if !strings.Contains(body, "<current-user-principal><href>/dav/"+user+"/</href>") {
				t.Errorf("%s is told\n%s", user, body)
			}
		}
	}
	if n := strings.Count(s.Log(), "connection from"); n != 1 {
		t.Errorf("%d connections were made", n)
	}
	s.noServerError()
}

// ask sends a request as a user, nobody if "", and gives the body of the answer,
// which must have this status.
func ask(t *testing.T, base, user, password, method, path, body string, want int) string {
	t.Helper()
	login := "Authorization: "
	if user != "" {
		r := &http.Request{Header: http.Header{}}
		r.SetBasicAuth(user, password)
		login += r.Header.Get("Authorization")
	}
	a, err := askAt(http.DefaultClient, base, method, path, body, login, "Depth: 0")
	if err != nil {
		t.Fatal(err)
	}
	if a.Code != want {
		t.Errorf("%s %s as %q: %d, want %d\n%s", method, path, user, a.Code, want, a.Body)
	}
	return a.Body
}

// Many clients at once, through a proxy with a few connections, on one calendar.
func TestProxyPool(t *testing.T) {
	t.Parallel()
	s := clientServerOn(t, inetd)
	front := startProxy(t, s, 4)
	s.mkcalendar("/demo/cal/", "Calendar")
	var created atomic.Int64
	t.Run("clients", func(t *testing.T) {
		for i := range 12 {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				for j := range 6 {
					name := fmt.Sprintf("demo/cal/%d-%d.ics", i, j)
					text := crlf(vevent(name, "Text", "20261201T100000Z", ""))
					ask(t, front, "demo", "demo", "PUT", name, text, 201)
					created.Add(1)
					if got := ask(t, front, "demo", "demo", "GET", name, "", 200); got != text {
						t.Errorf("%s came back as %q", name, got)
					}
					ask(t, front, "other", "other", "GET", name, "", 403)
				}
			})
		}
	})
	if n := len(s.etags("demo/cal")); n != int(created.Load()) || n != 72 {
		t.Errorf("%d objects are listed, %d were created", n, created.Load())
	}
	s.noServerError()
}
