package access

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"inetdav/dav/config"
)

// load makes a configuration of command line arguments alone.
func load(t testing.TB, args ...string) *config.Config {
	t.Helper()
	c, rest, warnings, err := config.Load(append([]string{"--config="}, args...), func(string) string { return "" })
	if err != nil || len(rest) > 0 || len(warnings) > 0 {
		t.Fatal(rest, warnings, err)
	}
	return c
}

func tempFile(t testing.TB, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestRights(t *testing.T) {
	for _, test := range []struct {
		kind, auth string
		user, path string
		want       string
	}{
		{"owner_only", "htpasswd", "", "", ""},
		{"owner_only", "htpasswd", "", "u", ""},
		{"owner_only", "htpasswd", "u", "", "R"},
		{"owner_only", "htpasswd", "u", "/", "R"},
		{"owner_only", "htpasswd", "u", "u", "RW"},
		{"owner_only", "htpasswd", "u", "/u/", "RW"},
		{"owner_only", "htpasswd", "u", "u/c", "rw"},
		{"owner_only", "htpasswd", "u", "u/c/o", ""},
		{"owner_only", "htpasswd", "u", "v", ""},
		{"owner_only", "htpasswd", "u", "v/c", ""},
		{"owner_only", "htpasswd", "u", "uu/c", ""},
		{"owner_only", "none", "", "", "R"},
		{"owner_only", "none", "", "v", "RW"},
		{"owner_only", "none", "u", "v/c", "rw"},
		{"owner_only", "none", "u", "v/c/o", ""},
		{"owner_write", "htpasswd", "", "v/c", ""},
		{"owner_write", "htpasswd", "u", "", "R"},
		{"owner_write", "htpasswd", "u", "u", "RW"},
		{"owner_write", "htpasswd", "u", "u/c", "rw"},
		{"owner_write", "htpasswd", "u", "v", "R"},
		{"owner_write", "htpasswd", "u", "v/c", "r"},
		{"owner_write", "htpasswd", "u", "v/c/o", ""},
		{"owner_write", "none", "", "v/c", "rw"},
		{"authenticated", "htpasswd", "", "", ""},
		{"authenticated", "htpasswd", "u", "", "RW"},
		{"authenticated", "htpasswd", "u", "v", "RW"},
		{"authenticated", "htpasswd", "u", "v/c", "rw"},
		{"authenticated", "htpasswd", "u", "v/c/o", ""},
		{"authenticated", "none", "", "", "RW"},
	} {
		r, err := NewRights(load(t, "--rights-type", test.kind, "--auth-type", test.auth))
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Letters(test.user, test.path); got != test.want {
			t.Errorf("%s with auth %s: %q on %q: got %q, want %q", test.kind, test.auth, test.user, test.path, got, test.want)
		}
	}
	if _, err := NewRights(load(t, "--rights-type", "ldap")); err == nil || !strings.Contains(err.Error(), "from_file") {
		t.Error(err)
	}
}

// rightsScript is what Radicale's rights from_file do, on Python's own modules.
const rightsScript = `
import sys, json, re, configparser
for line in sys.stdin:
    text, user, path = json.loads(line)
    answer = ""
    try:
        c = configparser.ConfigParser()
        c.read_string(text)
        for section in c.sections():
            user_pattern = c.get(section, "user", fallback="")
            collection_pattern = c.get(section, "collection")
            m = user_pattern != "" and re.fullmatch(user_pattern.format(), user)
            if m and re.fullmatch(collection_pattern.format(*(re.escape(s) for s in m.groups()), user=re.escape(user)), path):
                answer = c.get(section, "permissions")
                break
    except Exception as e:
        answer = None
    print(json.dumps(answer))
`

const sampleRights = `
# The root for everybody who has logged in
[root]
user: .+
collection:
permissions: R

[admin]
user = admin|root
collection = .*
permissions = RrWw

# Users of one domain read the calendars of their domain
[domain-principal]
user: .+@(.+)
collection: {0}
permissions: R
[domain]
user: .+@(.+)
collection: {0}/[^/]+
permissions: r

[principal]
user: .+
collection: {user}
permissions: RW
[calendars]
user: .+
collection: {user}/[^/]+
permissions: rwDo

[both]
user: (\w+)-(\w+)
collection: {1}/{0}(/.{{1,3}})?
permissions: i

[percent]
user: 100%%
collection: %(user)s/x
permissions: r

[public]
user: .*
collection: public(/.+)?
permissions: r%%
`

func TestRightsFromFileAsRadicale(t *testing.T) {
	users := []string{"", "u", "admin", "root", "ann@example.org", "a.b+c@x y.z", "left-right", "100%", "u(", "ü", "U"}
	paths := []string{"", "u", "u/cal", "u/cal/x", "U/cal", "public", "public/x/y", "publicity", "example.org", "example.org/team", "example_org/team",
		"ann@example.org", "ann@example.org/cal", "a.b+c@x y.z/cal", "a.bbc@x y.z/cal", "right/left", "right/left/abc", "right/left/abcd", "left/right",
		"100%/x", "100%%/x", "u(/x", "ü/é", "x y.z", "u/a\nb"}
	files := []string{sampleRights,
		"[DEFAULT]\npermissions = r\n[a]\nuser = u\ncollection = u\n[b]\nuser: .*\ncollection: .*/.*\npermissions: w\n",
		"[nobody]\ncollection: .*\npermissions: RW\n",
		"[empty]\nuser: u\ncollection:\npermissions:\n[after]\nuser: u\ncollection: .*\npermissions: R\n",
		""}
	var questions []any
	for _, file := range files {
		for _, user := range users {
			for _, path := range paths {
				questions = append(questions, []string{file, user, path})
			}
		}
	}
	given := 0
	rights := make(map[string]*Rights)
	for i, want := range python(t, rightsScript, questions) {
		q := questions[i].([]string)
		r := rights[q[0]]
		if r == nil {
			var err error
			if r, err = NewRights(load(t, "--rights-type=from_file", "--rights-file="+tempFile(t, q[0]))); err != nil {
				t.Fatal(err)
			}
			rights[q[0]] = r
		}
		got := r.Letters(q[1], q[2])
		if got != "" {
			given++
		}
		if want != any(got) {
			w, _ := json.Marshal(want)
			t.Errorf("%q on %q: got %q, want %s, in %.30q", q[1], q[2], got, w, q[0])
		}
	}
	if given < 50 {
		t.Errorf("only %d answers give rights", given)
	}
}

func TestRightsFromFileErrors(t *testing.T) {
	for _, test := range []struct{ name, in, want string }{
		{"syntax", "x", "line 1"},
		{"no collection", "[s]\nuser = u\npermissions = r\n", "section [s]: collection is missing"},
		{"no permissions", "[s]\nuser = u\ncollection = u\npermission = r\n", "section [s]: permissions is missing"},
		{"percent", "[s]\nuser = 100%\ncollection = u\npermissions = r\n", "[s]: user: a percent sign"},
		{"pattern", "[s]\nuser = (\ncollection = u\npermissions = r\n", "section [s]: user: "},
		{"look-behind", "[s]\nuser = u\ncollection = (?<=a)b\npermissions = r\n", "section [s]: collection: "},
		{"group", "[s]\nuser = u\ncollection = {0}\npermissions = r\n", "no such group"},
		{"field", "[s]\nuser = u\ncollection = {login}\npermissions = r\n", "{login}"},
		{"braces", "[s]\nuser = .{3}\ncollection = u\npermissions = r\n", "doubled"},
		{"brace", "[s]\nuser = u\ncollection = a{\npermissions = r\n", "{{"},
		{"brace end", "[s]\nuser = u\ncollection = a}\npermissions = r\n", "}}"},
		{"mixed", "[s]\nuser = (.)(.)\ncollection = {0}{}\npermissions = r\n", "mixed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := NewRights(load(t, "--rights-type=from_file", "--rights-file="+tempFile(t, test.in)))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
	if _, err := NewRights(load(t, "--rights-type=from_file", "--rights-file=/does/not/exist")); err == nil {
		t.Error("a missing file")
	}
}

// What cannot be decided gives nothing, and the sections after it are not asked.
func TestRightsFailClosed(t *testing.T) {
	for _, in := range []string{
		"[s]\nuser = (a)?u\ncollection = {0}\npermissions = r\n[t]\nuser = .*\ncollection = .*\npermissions = RrWw\n",
		"[s]\nuser = u\ncollection = (c+)+d\npermissions = r\n[t]\nuser = .*\ncollection = .*\npermissions = RrWw\n",
		"[s]\nuser = (u+)+d|u\ncollection = .*\npermissions = \n[t]\nuser = .*\ncollection = .*\npermissions = RrWw\n",
	} {
		r, err := NewRights(load(t, "--rights-type=from_file", "--rights-file="+tempFile(t, in)))
		if err != nil {
			t.Fatal(err)
		}
		logged := 0
		r.Logf = func(level int, format string, args ...any) { logged++ }
		user := "u"
		if strings.Contains(in, "(u+)+d") {
			user = strings.Repeat("u", 60)
		}
		if got := r.Letters(user, strings.Repeat("c", 60)); got != "" || logged != 1 {
			t.Errorf("got %q, %d lines logged, for %q", got, logged, in)
		}
		if got := r.Letters("v", "c"); got != "RrWw" {
			t.Errorf("another user gets %q", got)
		}
	}
}

func BenchmarkRights(b *testing.B) {
	c := load(b, "--rights-type=from_file", "--rights-file="+tempFile(b, sampleRights))
	b.Run("read", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := NewRights(c); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("letters", func(b *testing.B) {
		r, err := NewRights(c)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			if r.Letters("ann", "ann/calendar") != "rwDo" {
				b.Fatal("no rights")
			}
		}
	})
}
