package main

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"inetdav/store/confine"
)

// confinedServer serves a folder in which two users have a calendar each, and
// alice two links to bob's: the first is in her home, where links are the
// administrator's word that she may go there; the second is deeper, and stands for
// whatever a bug would let through.
func confinedServer(t *testing.T, args ...string) *server {
	t.Helper()
	users := filepath.Join(t.TempDir(), "auth", "users")
	if err := os.MkdirAll(filepath.Dir(users), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(users, []byte("alice:a\nbob:b\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := startServer(t, append([]string{"--auth-type=htpasswd", "--auth-htpasswd-filename=" + users, "--logging-level=debug"}, args...)...)
	root := filepath.Join(s.Folder, "collection-root")
	for _, path := range []string{"alice/cal", "bob/cal", "bob/other"} {
		user, _, _ := strings.Cut(path, "/")
		dir := filepath.Join(root, path)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for name, text := range map[string]string{
			".Radicale.props": `{"tag":"VCALENDAR"}`,
			"x.ics": "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:" + user +
				"\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:20260101T000000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
		} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	for link, to := range map[string]string{"alice/given": "../bob/cal", "alice/cal/taken.ics": "../../bob/other/x.ics"} {
		if err := os.Symlink(to, filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// visitor is a connection, as a proxy's, on which several users speak.
func visitor(t *testing.T, s *server) func(user, method, path string) int {
	conn := s.dial()
	r := bufio.NewReader(conn)
	return func(user, method, path string) int {
		t.Helper()
		req, err := http.NewRequest(method, s.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if user != "" {
			req.SetBasicAuth(user, user[:1])
		}
		if err := req.Write(conn); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(r, req)
		if err != nil {
			t.Fatalf("%s %s: %v", method, path, err)
		}
		defer resp.Body.Close()
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			t.Fatalf("%s %s: %v", method, path, err)
		}
		return resp.StatusCode
	}
}

func TestConfinedUsers(t *testing.T) {
	t.Parallel()
	if !confine.Threads() {
		t.Skip("SKIPPED: this kernel has no landlock of version 2")
	}
	for _, how := range []string{"no", "auto", "strict"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			s := confinedServer(t, "--inetdav-confine="+how)
			ask := visitor(t, s)
			taken := 403
			if how == "no" {
				taken = 200
			}
			for _, step := range []struct {
				user, method, path string
				want               int
			}{
				{"", "GET", "alice/cal/x.ics", 401},
				{"alice", "GET", "alice/cal/x.ics", 200},
				{"alice", "GET", "alice/given/x.ics", 200},
				{"alice", "GET", "alice/cal/taken.ics", taken},
				{"alice", "GET", "bob/cal/x.ics", 403},
				{"alice", "GET", "bob/cal/none.ics", 403},
				{"bob", "GET", "bob/cal/x.ics", 200},
				{"alice", "GET", "alice/cal/taken.ics", taken},
				{"", "GET", "alice/cal/x.ics", 401},
				{"alice", "PROPFIND", "", 207},
				{"alice", "PROPFIND", "alice/", 207},
				{"alice", "MKCALENDAR", "alice/new/", 201},
				{"alice", "LOCK", "alice/new/", 400},
				{"alice", "MOVE", "alice/new/", 400},
				{"alice", "DELETE", "alice/new/", 204},
				{"bob", "DELETE", "bob/cal/x.ics", 204},
				{"bob", "DELETE", "bob/", 204},
				{"bob", "MKCALENDAR", "bob/again/", 201},
				{"bob", "PROPFIND", "bob/again/", 207},
			} {
				if got := ask(step.user, step.method, step.path); got != step.want {
					t.Errorf("%s: %s /%s: %d, want %d", step.user, step.method, step.path, got, step.want)
				}
			}
			// Every thread of the process has the filter.
			for _, pid := range s.pids() {
				threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
				if err != nil || len(threads) == 0 {
					t.Fatal(threads, err)
				}
				for _, name := range threads {
					b, err := os.ReadFile(name)
					if err != nil {
						continue // it has ended
					}
					for _, line := range []string{"\nNoNewPrivs:\t1\n", "\nSeccomp:\t2\n"} {
						if strings.Contains(string(b), line) != (how != "no") {
							t.Errorf("%s: %q", name, b)
						}
					}
				}
			}
			if strings.Contains(s.Log(), "not confined") {
				t.Error("it is not confined")
			}
		})
	}
}

// pids are those of the processes that run.
func (s *server) pids() (list []int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for cmd := range s.procs {
		list = append(list, cmd.Process.Pid)
	}
	return list
}

// TestConfineStrict: with strict, what would have to be left out keeps the process
// from serving.
func TestConfineStrict(t *testing.T) {
	t.Parallel()
	for option, says := range map[string]string{
		"--storage-hook=true":         "programs are to be started",
		"--inetdav-follow-links=True": "links may lead out",
	} {
		s := startServerWith(t, serverOptions{args: []string{"--inetdav-confine=strict", option}, anyExit: true})
		s.dial()
		if code := s.waitExit(); code != exitRefused {
			t.Errorf("%s: exit code %d", option, code)
		}
		s.waitLog(says)
	}
}

// TestConfinedUsersFile: a users file that is replaced is read again.
func TestConfinedUsersFile(t *testing.T) {
	t.Parallel()
	s := confinedServer(t)
	ask := visitor(t, s)
	if got := ask("bob", "GET", "bob/cal/x.ics"); got != 200 {
		t.Fatal(got)
	}
	var users string
	for _, arg := range s.options.args {
		if name, ok := strings.CutPrefix(arg, "--auth-htpasswd-filename="); ok {
			users = name
		}
	}
	if err := os.WriteFile(users+".new", []byte("bob:other\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(users+".new", users); err != nil {
		t.Fatal(err)
	}
	if got := ask("bob", "GET", "bob/cal/x.ics"); got != 401 {
		t.Errorf("with the old password: %d", got)
	}
}
