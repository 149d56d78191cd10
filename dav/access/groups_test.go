package access

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"inetdav/dav/access/question"
)

func TestGroupName(t *testing.T) {
	for group, want := range map[string]string{"family": "ZmFtaWx5", "a": "YQ==", "": "", "???": "", "Ünï": "w5xuw68="} {
		got, ok := GroupName(group)
		if ok != (want != "") || ok && got != want {
			t.Errorf("%q: got %q, %v, want %q", group, got, ok, want)
		}
	}
}

func TestHtgroup(t *testing.T) {
	name := tempFile(t, "# comment\n\nfamily: alice  bob\nno colon\n: x\nstaff:carol\r\nfamily: dave\nempty:\n")
	g, err := newGroups(load(t, "--group-type=htgroup", "--group-htgroup-filename="+name))
	if err != nil {
		t.Fatal(err)
	}
	logs := new(logger)
	g.Logf = logs.logf
	check := func(user string, want ...string) {
		t.Helper()
		if got := g.Of(user); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", user, got, want)
		}
	}
	check("alice", "family")
	check("dave", "family")
	check("carol", "staff")
	check("")
	check("x")
	if len(*logs) != 2 {
		t.Errorf("log: %q", *logs)
	}
	turn := g.current()
	os.WriteFile(name, []byte("staff: alice\n"), 0o600)
	check("alice", "family") // until the next login
	g.login("alice", nil)
	check("alice", "staff")
	if g.current() == turn {
		t.Error("the change does not show")
	}
	// What cannot be read any more is as it was.
	os.Remove(name)
	g.login("alice", nil)
	check("alice", "staff")

	for _, args := range [][]string{
		{"--group-type=htgroup", "--group-htgroup-filename=/nonexistent"},
		{"--group-type=from_auth", "--auth-type=htpasswd"},
		{"--group-type=ldap"},
	} {
		if _, err := newGroups(load(t, args...)); err == nil || !strings.Contains(err.Error(), "[group]") {
			t.Errorf("%q: %v", args, err)
		}
	}
}

func TestRightsOfGroups(t *testing.T) {
	groups := tempFile(t, "family: alice bob\nstaff: carol\n")
	rights := tempFile(t, `[both]
user = bob
groups = staff, family
collection = {user}/x|shared
permissions = r
[one]
groups = staff
collection = staff
permissions = w
[pattern]
user = (.*)l
collection = {0}/y
permissions = i
`)
	g, err := newGroups(load(t, "--group-type=htgroup", "--group-htgroup-filename="+groups))
	if err != nil {
		t.Fatal(err)
	}
	r, err := NewRights(load(t, "--rights-type=from_file", "--rights-file="+rights))
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Letters("alice", "shared"); got != "" {
		t.Errorf("without groups: %q", got)
	}
	r.Groups = g
	g.login("", nil)
	g.turn++
	for _, test := range [][3]string{
		{"alice", "shared", "r"}, {"alice", "alice/x", "r"}, {"alice", "bob/x", ""}, {"bob", "shared", "r"},
		{"carol", "shared", "r"}, {"carol", "staff", "w"}, {"alice", "staff", ""}, {"", "shared", ""}, {"dave", "shared", ""},
		{"carol", "caro/y", "i"}, {"family", "shared", ""},
	} {
		if got := r.Letters(test[0], test[1]); got != test[2] {
			t.Errorf("%s on %s: got %q, want %q", test[0], test[1], got, test[2])
		}
	}
	for text, want := range map[string]string{
		"[a]\nuser=(.*)\ngroups=g\ncollection={0}\npermissions=r\n": "section [a]: collection: in a section with groups",
		"[b]\nuser=(?<=x)y\ncollection=x\npermissions=r\n":          "section [b]: user: ",
		"[c]\nuser=.*\ncollection=(?>x)\npermissions=r\n":           "section [c]: collection: ",
		"[d]\ngroups=g\npermissions=r\n":                            "section [d]: collection is missing",
	} {
		if _, err := NewRights(load(t, "--rights-type=from_file", "--rights-file="+tempFile(t, text))); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// helper answers questions on a socket, as long as the test lasts.
func helper(t *testing.T, answer func(question.Question) question.Answer) (socket string, asked *atomic.Int32) {
	t.Helper()
	socket, asked = filepath.Join(t.TempDir(), "s"), new(atomic.Int32)
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { l.Close(); <-done })
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			asked.Add(1)
			if q, err := question.ReadQuestion(c); err == nil {
				answer(q).Write(c)
			}
			c.Close()
		}
	}()
	return socket, asked
}

// The groups are those of the user of the request, also when the login was
// cached, and when users take turns.
func TestGroupsFromAuth(t *testing.T) {
	socket, asked := helper(t, func(q question.Question) question.Answer {
		switch q.User {
		case "alice":
			return question.Answer{Verdict: question.Yes, User: "alice.1", Groups: []string{"family", "staff"}}
		case "bob":
			return question.Answer{Verdict: question.Yes, User: "bob"}
		case "evil":
			return question.Answer{Verdict: question.Yes, User: "../alice"}
		}
		return question.Answer{Verdict: question.No, Reason: "unknown"}
	})
	dir := t.TempDir()
	args := []string{"--auth-type=ldap", "--group-type=from_auth", "--inetdav-auth-socket=" + socket, "--inetdav-state-folder=" + dir,
		"--auth-cache-logins=True", "--auth-cache-successful-logins-expiry=3600"}
	for round := range 2 {
		a, _ := newAuthenticator(t, args...)
		for range 2 {
			for login1, want := range map[string][]string{"alice": {"alice.1", "family", "staff"}, "bob": {"bob"}} {
				user, err := a.Authenticate(login(login1, "secret"))
				if got := append([]string{user}, a.Groups.Of(user)...); err != nil || !slices.Equal(got, want) {
					t.Errorf("round %d: %q, %v, want %q", round, got, err, want)
				}
				if a.Groups.Of("carol") != nil {
					t.Error("others' groups are known")
				}
			}
		}
	}
	if asked.Load() != 2 {
		t.Errorf("asked %d times", asked.Load())
	}
	a, _ := newAuthenticator(t, args...)
	for _, bad := range []string{"evil", "carol"} {
		if user, err := a.Authenticate(login(bad, "secret")); !errors.Is(err, ErrCredentials) || user != "" {
			t.Errorf("%s: %q, %v", bad, user, err)
		}
	}
	if user, err := a.Authenticate(login("alice", "other")); err != nil || user != "alice.1" || asked.Load() != 5 {
		t.Errorf("another password was not asked for: %q, %v, %d", user, err, asked.Load())
	}
}

// What one authority has said does not count where another one is asked.
func TestCachedAuthority(t *testing.T) {
	yes, _ := helper(t, func(q question.Question) question.Answer {
		return question.Answer{Verdict: question.Yes, User: q.User}
	})
	no, _ := helper(t, func(question.Question) question.Answer { return question.Answer{Verdict: question.No} })
	dir := t.TempDir()
	may := func(args ...string) bool {
		a, _ := newAuthenticator(t, append(args, "--inetdav-state-folder="+dir, "--auth-cache-logins=True", "--auth-cache-successful-logins-expiry=3600")...)
		_, err := a.Authenticate(login("alice", "secret"))
		return err == nil
	}
	if !may("--auth-type=ldap", "--inetdav-auth-socket="+yes) {
		t.Fatal("refused")
	}
	for _, other := range [][]string{
		{"--auth-type=ldap", "--inetdav-auth-socket=" + no},
		{"--auth-type=imap", "--inetdav-auth-socket=" + no},
	} {
		if may(other...) {
			t.Errorf("%q: let in by another's word", other)
		}
	}
	may("--auth-type=ldap", "--inetdav-auth-socket="+yes, "--auth-ldap-filter=(uid={0})")
	os.Remove(yes) // only what is cached can be answered
	if !may("--auth-type=ldap", "--inetdav-auth-socket="+yes) {
		t.Error("nothing is cached")
	}
	if may("--auth-type=ldap", "--inetdav-auth-socket="+yes, "--auth-ldap-filter=(&(uid={0})(memberOf=x))") {
		t.Error("let in by what another filter has found")
	}
}

// A helper that says nothing whole lets nobody in, and is no wrong password.
func TestHelperFails(t *testing.T) {
	for name, answer := range map[string]question.Answer{
		"later":   {Verdict: question.Later, Reason: "no answer"},
		"unknown": {Verdict: "perhaps"},
	} {
		socket, _ := helper(t, func(question.Question) question.Answer { return answer })
		a, _ := newAuthenticator(t, "--auth-type=imap", "--inetdav-auth-socket="+socket)
		var busy *BusyError
		if _, err := a.Authenticate(login("alice", "secret")); !errors.As(err, &busy) || busy.After < time.Second {
			t.Errorf("%s: %v", name, err)
		}
	}
	a, _ := newAuthenticator(t, "--auth-type=imap", "--inetdav-auth-socket=/nonexistent")
	var busy *BusyError
	if _, err := a.Authenticate(login("alice", "secret")); !errors.As(err, &busy) {
		t.Errorf("nobody listens: %v", err)
	}
	if err := a.CheckHelper(); err == nil {
		t.Error("nobody listens, and nobody says so")
	}
}
