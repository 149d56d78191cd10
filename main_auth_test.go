package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// buildBeside builds a program beside the one under test, once for all tests.
func buildBeside(t testing.TB, name, pkg string) string {
	t.Helper()
	path := filepath.Join(filepath.Dir(programPath), name)
	if _, err := os.Stat(path); err == nil {
		return path
	}
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building %s: %v\n%s", name, err, out)
	}
	return path
}

// checker is a checkpassword program, which counts in a file how often it ran.
func checker(t *testing.T) (program, count string) {
	t.Helper()
	dir := t.TempDir()
	program, count = filepath.Join(dir, "check"), filepath.Join(dir, "count")
	script := fmt.Sprintf(`#!/bin/sh
echo x >>%s
case $(tr '\0' '|' <&3) in
"alice|secret|Y"*) exit 0;;
"busy|"*) exit 111;;
esac
exit 1
`, count)
	if err := os.WriteFile(program, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return program, count
}

// status is that of a PROPFIND of the user's home.
func (s *server) status(user, password string) (int, http.Header) {
	s.t.Helper()
	r, err := http.NewRequest("PROPFIND", s.URL+user+"/", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Depth", "0")
	r.SetBasicAuth(user, password)
	resp, err := s.Client.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	io.Copy(io.Discard, resp.Body) // so that the connection is kept
	resp.Body.Close()
	return resp.StatusCode, resp.Header
}

func (s *server) wantStatus(user, password string, want int) {
	s.t.Helper()
	if got, _ := s.status(user, password); got != want {
		s.t.Errorf("%s, %s: %d, want %d", user, password, got, want)
	}
}

func runs(count string) int {
	b, _ := os.ReadFile(count)
	return strings.Count(string(b), "x")
}

// The server starts the helper where nobody listens.
func TestHelperAsChild(t *testing.T) {
	buildBeside(t, "inetdav-auth-helper", "./dav/access/helper")
	for _, how := range []handover{systemd, inetd} {
		t.Run(how.String(), func(t *testing.T) {
			program, count := checker(t)
			s := startServerWith(t, serverOptions{handover: how, args: []string{"--auth-type=checkpassword", "--auth-delay=0",
				"--inetdav-checkpassword=" + program, "--inetdav-auth-socket=" + filepath.Join(t.TempDir(), "none")}})
			s.wantStatus("alice", "secret", 207)
			s.wantStatus("alice", "wrong", 401)
			s.wantStatus("alice", "", 401)
			if status, header := s.status("busy", "x"); status != 503 || header.Get("Retry-After") != "10" {
				t.Errorf("temporary failure: %d, Retry-After %q", status, header.Get("Retry-After"))
			}
			s.wantStatus("alice", "secret", 207)
			// The connection was kept, and remembers what was right.
			if n := runs(count); n != 3 {
				t.Errorf("the program ran %d times:\n%s", n, s.Log())
			}
			for _, line := range []string{"Successful login: 'alice' (checkpassword)", "Failed login attempt from 127.0.0.1: 'alice' (checkpassword)"} {
				if !strings.Contains(s.Log(), line) {
					t.Errorf("the log has no line %q", line)
				}
			}
		})
	}
}

// The helper listens, below a super-server; connections remember together.
func TestHelperSocket(t *testing.T) {
	helper := buildBeside(t, "inetdav-auth-helper", "./dav/access/helper")
	program, count := checker(t)
	dir := t.TempDir()
	socket := filepath.Join(dir, "auth.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			f, err := c.(*net.UnixConn).File()
			if err != nil {
				t.Error(err)
				return
			}
			cmd := exec.Command(helper, "--config=", "--auth-type=checkpassword", "--inetdav-checkpassword="+program)
			cmd.Stdin, cmd.Stdout, cmd.Stderr = f, f, os.Stderr
			if err := cmd.Run(); err != nil {
				t.Error(err)
			}
			f.Close()
			c.Close()
		}
	}()
	state := filepath.Join(dir, "state")
	os.Mkdir(state, 0o700)
	s := startServer(t, "--auth-type=checkpassword", "--auth-delay=0.001", "--inetdav-auth-socket="+socket, "--inetdav-state-folder="+state,
		"--auth-cache-logins=True", "--auth-cache-successful-logins-expiry=3600", "--auth-cache-failed-logins-expiry=3600", "--inetdav-max-requests=1")
	for range 3 {
		s.wantStatus("alice", "secret", 207)
		s.wantStatus("alice", "wrong", 401)
	}
	if n := runs(count); n != 2 {
		t.Errorf("the program ran %d times, not once for each password:\n%s", n, s.Log())
	}
	s.wantStatus("alice", "", 401)
	s.wantStatus("alice", "other", 401)
	l.Close()
	<-served
	s.stop()
	b, err := os.ReadFile(filepath.Join(state, "logins"))
	if err != nil || strings.Contains(string(b), "secret") {
		t.Errorf("the cache: %v", err)
	}

	// Who listens no more is not replaced: 503, and the reason in the log.
	os.Remove(socket)
	fd, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket})
	if err != nil {
		t.Fatal(err)
	}
	fd.SetUnlinkOnClose(false)
	fd.Close()
	s = startServer(t, "--auth-type=checkpassword", "--auth-delay=0", "--inetdav-auth-socket="+socket, "--inetdav-state-folder="+state)
	s.wantStatus("alice", "secret", 503)
	s.waitLog("a login cannot be verified (checkpassword): asking the helper: ")
}

// Guesses are counted across connections, by address; a user who is known at
// another address goes on.
func TestThrottle(t *testing.T) {
	state := t.TempDir()
	os.Chmod(state, 0o700)
	users := filepath.Join(t.TempDir(), "users")
	if err := os.WriteFile(users, []byte("alice:secret\nbob:secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	// the delay begins to count with the eleventh, and is a minute by then
	s := startServer(t, "--auth-type=htpasswd", "--auth-htpasswd-filename="+users, "--auth-delay=0.002",
		"--inetdav-state-folder="+state, "--inetdav-max-requests=1")
	from := func(address, user, password string) (int, string) {
		t.Helper()
		r, _ := http.NewRequest("PROPFIND", s.URL, nil)
		r.SetBasicAuth(user, password)
		r.Header.Set("Depth", "0")
		r.Header.Set("X-Forwarded-For", address)
		resp, err := s.Client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode, resp.Header.Get("Retry-After")
	}
	if status, _ := from("192.0.2.1", "bob", "secret"); status != 207 {
		t.Fatal(status)
	}
	refused := 0
	for i := range 200 {
		status, after := from("192.0.2.1", "alice", fmt.Sprint(i))
		if status == 503 {
			refused++
			if after == "" || after == "0" {
				t.Fatalf("Retry-After %q", after)
			}
			if refused == 20 {
				break
			}
		} else if status != 401 {
			t.Fatal(status)
		}
	}
	if refused < 20 {
		t.Errorf("%d refused", refused)
	}
	if status, _ := from("192.0.2.1", "bob", "secret"); status != 207 {
		t.Errorf("who logs in there before: %d", status)
	}
	if status, _ := from("192.0.2.2", "alice", "secret"); status != 207 {
		t.Errorf("at another address: %d", status)
	}
	if !strings.Contains(s.Log(), "Too many failed login attempts from 192.0.2.1: refused for") {
		t.Error("the log does not say so")
	}
}

// A group's members have what a rights file gives it; nobody can be called like
// the folder of the groups.
func TestGroupRights(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	family := base64.StdEncoding.EncodeToString([]byte("family"))
	groups := write("groups", "# who is who\nfamily: alice bob\n\nstaff: carol\nfamily: dave\n")
	rights := write("rights", `[root]
user = .+
collection =
permissions = R
[own]
user = .+
collection = {user}(/[^/]*)?
permissions = RWrw
[family]
groups = other,family
collection = GROUPS/`+family+`
permissions = rw
`)
	users := write("users", "alice:x\nbob:x\ncarol:x\ndave:x\nGROUPS:x\n")
	s := startServer(t, "--auth-type=htpasswd", "--auth-htpasswd-filename="+users, "--auth-delay=0", "--group-type=htgroup",
		"--group-htgroup-filename="+groups, "--rights-type=from_file", "--rights-file="+rights)
	calendar := filepath.Join(s.Folder, "collection-root", "GROUPS", family)
	if err := os.MkdirAll(calendar, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(calendar, ".Radicale.props"), []byte(`{"tag": "VCALENDAR"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	put := func(user string) int {
		t.Helper()
		body := "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:t\r\nBEGIN:VEVENT\r\nUID:" + user + "\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:20260101T000000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
		r, _ := http.NewRequest("PUT", s.URL+"GROUPS/"+strings.ReplaceAll(family, "=", "%3D")+"/"+user+".ics", strings.NewReader(body))
		r.SetBasicAuth(user, "x")
		resp, err := s.Client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		return resp.StatusCode
	}
	for user, want := range map[string]int{"alice": 201, "bob": 201, "carol": 403, "dave": 201} {
		if got := put(user); got != want {
			t.Errorf("%s: %d, want %d", user, got, want)
		}
	}
	s.wantStatus("GROUPS", "x", 401)
	// The file is read again when it has changed, also within a connection.
	write("groups", "family: carol\n")
	for user, want := range map[string]int{"alice": 403, "carol": 201} {
		if got := put(user); got != want {
			t.Errorf("after the change, %s: %d, want %d", user, got, want)
		}
	}
}

// The helper below a real systemd: the sandbox of radicale@.service with auth.conf
// lets the question through, that of inetdav-auth@.service the answer, and
// processes of different connections share what they know.
func TestSystemdAuth(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("booting a systemd needs root")
	}
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("curl is not installed")
	}
	buildBeside(t, "inetdav-import", "./dav/importer")
	buildBeside(t, "inetdav-auth-helper", "./dav/access/helper")
	dest, dir := t.TempDir(), t.TempDir()
	if out, err := exec.Command("make", "install", "GO=false", "DESTDIR="+dest, "PREFIX=/usr/local", "PROGRAM="+programPath).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	prefix := dest + "/usr/local"
	config := filepath.Join(dir, "config")
	text := "[auth]\ntype = checkpassword\ncache_logins = True\n[inetdav]\ncheckpassword = /usr/local/bin/check\n"
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "check")
	// Who asks is the server's user, in a network that is not the box's own.
	script := "#!/bin/sh\nexec 0<&3\n[ \"$(id -un)\" = radicale ] || exit 111\ncase $(tr '\\0' '|') in 'alice|secret|Y'*) exit 0;; esac\nexit 1\n"
	if err := os.WriteFile(program, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	lib, examples := prefix+"/lib/systemd/system/", prefix+"/share/doc/inetdav/examples/"
	const client = `cd /
ask() { curl -s -m 20 -o /dev/null -w '%{http_code} ' -u "$1" -X PROPFIND -H 'Depth: 0' http://127.0.0.1:5232/; }
ask alice:secret; ask alice:wrong; ask alice:secret
systemctl stop inetdav-auth.socket; rm /etc/systemd/system/inetdav-auth.socket; systemctl daemon-reload
ask alice:secret; ask alice:other
stat -c '%U %a %n' /run/inetdav /run/inetdav/failures /run/inetdav/logins
`
	args := []string{"units/systemd-in-box.sh", "-k", "-r", "rm -rf /var/lib/radicale",
		"-u", prefix + "/lib/sysusers.d/inetdav.conf:radicale.sysusers.conf",
		"-u", prefix + "/lib/tmpfiles.d/inetdav.conf:radicale.tmpfiles.conf",
		"-c", config + ":/etc/radicale/config:644",
		"-c", program + ":/usr/local/bin/check:755",
		"-c", prefix + "/bin/inetdav:/usr/local/bin/inetdav:755",
		"-c", prefix + "/bin/inetdav-auth-helper:/usr/local/bin/inetdav-auth-helper:755",
		"-u", lib + "radicale.socket", "-u", lib + "radicale@.service", "-u", lib + "radicale.slice",
		"-u", lib + "inetdav-auth.socket", "-u", lib + "inetdav-auth@.service",
		"-u", examples + "auth.conf:radicale@.service.d/auth.conf",
		"-s", "inetdav-auth.socket", "-s", "radicale.socket", "--", "sh", "-c", client}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // it cleans up
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 125 {
		t.Skipf("no systemd can be booted here:\n%s%s", out, exit.Stderr)
	}
	// What was right is remembered when nobody can be asked; the rest is not known.
	want := "207 401 207 207 503 radicale 700 /run/inetdav\nradicale 600 /run/inetdav/failures\nradicale 600 /run/inetdav/logins\n"
	if err != nil || string(out) != want {
		t.Errorf("%v\ngot  %q\nwant %q", err, out, want)
		if exit != nil {
			t.Logf("%s", exit.Stderr)
		}
	}
}
