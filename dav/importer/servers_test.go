package main

import (
	"maps"
	"path/filepath"
	"strings"
	"testing"
)

// Importing from the servers that Debian has, and from ours.
func TestServers(t *testing.T) {
	for _, test := range []struct {
		name  string
		start func(t *testing.T) *source
	}{
		{"inetdav", func(t *testing.T) *source {
			base, _ := startOurs(t)
			s := &source{base: base, login: "bob", password: "x", start: "/", calendar: "/bob/work/", cards: "/bob/people/"}
			s.send(t, "PROPFIND", "/", "")
			s.makeCollections(t)
			return s
		}},
		{"radicale", func(t *testing.T) *source {
			need(t, "radicale", "/usr/bin/radicale")
			base := startProgram(t, nil, "/usr/bin/radicale", "--config", "", "--server-hosts", "127.0.0.1:%PORT%", "--storage-filesystem-folder", t.TempDir(), "--auth-type", "none")
			s := &source{base: base, login: "bob", password: "x", start: "/", calendar: "/bob/work/", cards: "/bob/people/"}
			s.send(t, "PROPFIND", "/bob/", "")
			s.makeCollections(t)
			return s
		}},
		{"radicale, a home", func(t *testing.T) *source {
			need(t, "radicale", "/usr/bin/radicale")
			base := startProgram(t, nil, "/usr/bin/radicale", "--config", "", "--server-hosts", "127.0.0.1:%PORT%", "--storage-filesystem-folder", t.TempDir(), "--auth-type", "none")
			s := &source{base: base, login: "bob", password: "x", start: "/bob/", calendar: "/bob/work/", cards: "/bob/people/"}
			s.send(t, "PROPFIND", "/bob/", "")
			s.makeCollections(t)
			return s
		}},
		{"xandikos", func(t *testing.T) *source {
			need(t, "xandikos", "/usr/bin/xandikos")
			base := startProgram(t, nil, "/usr/bin/xandikos", "-d", t.TempDir(), "-l", "127.0.0.1", "-p", "%PORT%", "--defaults", "--current-user-principal", "/bob/")
			return &source{base: base, start: "/", calendar: "/bob/calendars/calendar/", cards: "/bob/contacts/addressbook/", noProps: true}
		}},
		{"sabre/dav", func(t *testing.T) *source {
			need(t, "php-sabre-dav", "/usr/share/php/Sabre/DAV/Server.php")
			need(t, "php-cli", "/usr/bin/php")
			if found, _ := filepath.Glob("/usr/lib/php/*/pdo_sqlite.so"); len(found) == 0 {
				t.Skip("needs Debian's package php-sqlite3")
			}
			base := startProgram(t, []string{"SABRE_DATABASE=" + filepath.Join(t.TempDir(), "db")}, "/usr/bin/php", "-S", "127.0.0.1:%PORT%", "testdata/sabre.php")
			s := &source{base: base, login: "admin", password: "admin", start: "/", calendar: "/calendars/admin/work/", cards: "/addressbooks/admin/people/"}
			s.makeCollections(t)
			return s
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := test.start(t)
			s.fill(t, 7)
			folder := t.TempDir()
			args := []string{"--to=alice", "--batch=3", s.base + s.start}
			if s.login != "" {
				t.Setenv(passwordVariable, s.password)
				args = append(args, "--login="+s.login)
			}
			calendar := "alice/" + filepath.Base(s.calendar)
			cards := "alice/" + filepath.Base(s.cards)
			want(t, exitDone, []string{`"` + calendar + `"`, ": 7 new,", `"` + cards + `"`}, folder, args...)

			for name, data := range objects(t, folder, calendar) {
				// Servers may put the lines in another order, but they keep them.
				for _, line := range []string{"SUMMARY:Ereignis Nº " + strings.TrimSuffix(strings.TrimPrefix(name, "event"), ".ics") + " & <more>\r\n", "END:VCALENDAR\r\n"} {
					if !strings.Contains(data, line) {
						t.Errorf("%s: no %q in %q", name, line, data)
					}
				}
			}
			if n, m := len(objects(t, folder, calendar)), len(objects(t, folder, cards)); n != 7 || m != 7 {
				t.Errorf("%d events, %d cards", n, m)
			}
			if !s.noProps {
				for key, value := range map[string]string{"D:displayname": "Büro & Haus", "C:calendar-description": "What we do", "C:supported-calendar-component-set": "VEVENT"} {
					if got := property(t, folder, calendar, key); got != value {
						t.Errorf("%s: %q, want %q", key, got, value)
					}
				}
				if got := property(t, folder, calendar, "ICAL:calendar-color"); !strings.HasPrefix(got, "#FF2968") {
					t.Errorf("colour %q", got)
				}
				if got := property(t, folder, cards, "CR:addressbook-description"); got != "Whom we know" {
					t.Errorf("description %q", got)
				}
			}

			// Only what has changed is fetched the next time.
			before := objects(t, folder, calendar)
			s.send(t, "PUT", s.calendar+"event1.ics", event("event1", "other"))
			s.send(t, "DELETE", s.calendar+"event2.ics", "")
			s.send(t, "PUT", s.calendar+"event9.ics", event("event9", "new"))
			if out := want(t, exitDone, []string{"1 new, 1 changed, 5 as before, 0 removed", "0 new, 0 changed, 7 as before"}, folder, args...); strings.Contains(out, "refused\n\"") && strings.Contains(out, "1 refused") {
				t.Error(out)
			}
			if now := objects(t, folder, calendar); now["event2.ics"] != before["event2.ics"] || !strings.Contains(now["event1.ics"], "SUMMARY:other\r\n") || len(now) != 8 {
				t.Errorf("%q", slicesOf(now))
			}
			want(t, exitDone, []string{"0 new, 0 changed, 7 as before, 1 removed"}, folder, append(args, "--prune")...)
			if _, there := objects(t, folder, calendar)["event2.ics"]; there {
				t.Error("not removed")
			}
		})
	}
}

func slicesOf(m map[string]string) (names []string) {
	for name := range maps.Keys(m) {
		names = append(names, name)
	}
	return names
}
