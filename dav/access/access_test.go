package access

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

func request(fields ...string) *http.Request {
	r := httptest.NewRequest("PROPFIND", "/", nil)
	r.RemoteAddr = "192.0.2.1:1234"
	for i := 0; i < len(fields); i += 2 {
		r.Header.Add(fields[i], fields[i+1])
	}
	return r
}

func login(user, password string) *http.Request {
	return request("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(user+":"+password)))
}

// logger keeps what is logged, the severity in front.
type logger []string

func (l *logger) logf(level int, format string, args ...any) {
	*l = append(*l, fmt.Sprint(level, " ")+fmt.Sprintf(format, args...))
}

func newAuthenticator(t testing.TB, args ...string) (*Authenticator, *logger) {
	t.Helper()
	a, err := NewAuthenticator(load(t, append([]string{"--auth-delay=0"}, args...)...))
	if err != nil {
		t.Fatal(err)
	}
	l := new(logger)
	a.Logf = l.logf
	return a, l
}

func hashed(t testing.TB, scheme, password string) string {
	t.Helper()
	var b strings.Builder
	if err := HashPassword(&b, scheme, password); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestBasic(t *testing.T) {
	a, _ := newAuthenticator(t, "--auth-type=none")
	for _, test := range []struct {
		name   string
		fields []string
		user   string
		err    error
	}{
		{"no credentials", nil, "", nil},
		{"RFC 7617, 2", []string{"Authorization", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="}, "Aladdin", nil},
		{"RFC 7617, 2.1", []string{"Authorization", "Basic dGVzdDoxMjPCow=="}, "test", nil},
		{"scheme in other case", []string{"Authorization", "bAsIc  QWxhZGRpbjpvcGVuIHNlc2FtZQ=="}, "Aladdin", nil},
		{"no padding", []string{"Authorization", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ"}, "Aladdin", nil},
		{"UTF-8", []string{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte("müller:x"))}, "müller", nil},
		{"ISO-8859-1", []string{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte("m\xfcller:x"))}, "müller", nil},
		{"other scheme", []string{"Authorization", "Bearer abc"}, "", nil},
		{"empty login", []string{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte(":x"))}, "", nil},
		{"no colon", []string{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte("user"))}, "", ErrMalformed},
		{"bad base64", []string{"Authorization", "Basic !"}, "", ErrMalformed},
		{"no token", []string{"Authorization", "Basic"}, "", ErrMalformed},
		{"two fields", []string{"Authorization", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Authorization", "Basic x"}, "", ErrMalformed},
	} {
		t.Run(test.name, func(t *testing.T) {
			user, err := a.Authenticate(request(test.fields...))
			if user != test.user || !errors.Is(err, test.err) {
				t.Errorf("got %q, %v; want %q, %v", user, err, test.user, test.err)
			}
		})
	}
}

func TestLatin1(t *testing.T) {
	a, _ := newAuthenticator(t, "--auth-type=none", "--encoding-request=ISO-8859-1")
	if user, err := a.Authenticate(login("é", "")); err != nil || user != "Ã©" {
		t.Errorf("got %q, %v", user, err)
	}
	if user, err := a.Authenticate(login("m\xfcller", "")); err != nil || user != "müller" {
		t.Errorf("got %q, %v", user, err)
	}
}

func TestHtpasswdLogin(t *testing.T) {
	name := tempFile(t, strings.Join([]string{
		"# users", "", "   ", "  # indented", "no-colon", ":x", "nobody:",
		"plain:secret", "space: secret ", "colon:a:b",
		"apr1:" + apr1Crypt("secret", "salt"),
		"sha512:" + hashed(t, "sha512-crypt", "secret"),
		"bcrypt:" + hashed(t, "bcrypt", "secret"),
		"argon2:" + hashed(t, "argon2id", "secret") + "\r",
		"sha:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=",
		"twice:first", "twice:second",
	}, "\n"))
	a, logs := newAuthenticator(t, "--auth-type=htpasswd", "--auth-htpasswd-filename="+name)
	for _, test := range []struct {
		user, password string
		ok             bool
	}{
		{"plain", "secret", true},
		{"plain", "Secret", false},
		{"plain", "", false},
		{"space", " secret ", true},
		{"space", "secret", false},
		{"colon", "a:b", true},
		{"apr1", "secret", true},
		{"apr1", "wrong", false},
		{"sha512", "secret", true},
		{"sha512", "wrong", false},
		{"bcrypt", "secret", true},
		{"bcrypt", "secret", true},
		{"bcrypt", "wrong", false},
		{"argon2", "secret", true},
		{"argon2", "wrong", false},
		{"sha", "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", false},
		{"sha", "secret", false},
		{"twice", "first", true},
		{"twice", "second", false},
		{"nobody", "", false},
		{"unknown", "secret", false},
		{"# users", "", false},
		{"plain", "secret\x00", false},
		{"plain", strings.Repeat("x", MaxPassword+1), false},
	} {
		*logs = nil
		user, err := a.Authenticate(login(test.user, test.password))
		last := (*logs)[len(*logs)-1]
		if test.ok {
			if err != nil || user != test.user || last != "6 Successful login: '"+test.user+"' (htpasswd)" {
				t.Errorf("%s, %q: got %q, %v, %q", test.user, test.password, user, err, last)
			}
		} else if !errors.Is(err, ErrCredentials) || user != "" || last != "4 Failed login attempt from 192.0.2.1: '"+test.user+"' (htpasswd)" {
			t.Errorf("%s, %q: got %q, %v, %q", test.user, test.password, user, err, last)
		}
		if test.user == "sha" && !strings.Contains((*logs)[0], "line 15: the hash is of no known kind") {
			t.Errorf("unknown hash: %q", *logs)
		}
	}
}

// A fixed kind of hash takes no other.
func TestHtpasswdEncryption(t *testing.T) {
	digests := map[string]string{
		"plain": "secret", "md5": apr1Crypt("secret", "salt"), "sha256": hashed(t, "sha256-crypt", "secret"),
		"sha512": hashed(t, "sha512-crypt", "secret"), "bcrypt": hashed(t, "bcrypt", "secret"), "argon2": hashed(t, "argon2id", "secret"),
	}
	for encryption := range digests {
		var text strings.Builder
		for kind, digest := range digests {
			text.WriteString(kind + ":" + digest + "\n")
		}
		a, logs := newAuthenticator(t, "--auth-type=htpasswd", "--auth-htpasswd-encryption="+encryption, "--auth-htpasswd-filename="+tempFile(t, text.String()))
		for kind := range digests {
			*logs = nil
			_, err := a.Authenticate(login(kind, "secret"))
			if encryption != "plain" && kind != encryption && !strings.Contains((*logs)[0], "the entry is of kind "+kind+", but [auth] htpasswd_encryption = "+encryption+" allows") {
				t.Errorf("%s refuses %s: %q", encryption, kind, *logs)
			}
			if (err == nil) != (kind == encryption) {
				t.Errorf("%s takes %s: %v", encryption, kind, err)
			}
		}
	}
}

// A changed file counts at the next request, also for what was remembered.
func TestHtpasswdChange(t *testing.T) {
	name := tempFile(t, "u:"+hashed(t, "bcrypt", "secret")+"\n")
	a, logs := newAuthenticator(t, "--auth-type=htpasswd", "--auth-htpasswd-filename="+name)
	for range 2 {
		if _, err := a.Authenticate(login("u", "secret")); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(name+".new", []byte("u:"+hashed(t, "bcrypt", "other")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(name+".new", name); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Authenticate(login("u", "secret")); !errors.Is(err, ErrCredentials) {
		t.Errorf("the old password: %v", err)
	}
	if _, err := a.Authenticate(login("u", "other")); err != nil {
		t.Errorf("the new password: %v", err)
	}
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	*logs = nil
	if _, err := a.Authenticate(login("u", "other")); err != nil || len(*logs) != 2 || !strings.HasPrefix((*logs)[0], "4 users file: ") {
		t.Errorf("the file removed: %v, %q", err, *logs)
	}
}

// Verified logins are remembered, wrong ones and other users' never.
func TestRemembered(t *testing.T) {
	digest := hashed(t, "bcrypt", "secret")
	a, _ := newAuthenticator(t, "--auth-type=htpasswd", "--auth-htpasswd-filename="+tempFile(t, "u:"+digest+"\nv:"+digest+"\n"))
	check := func(user, password string, ok bool) {
		t.Helper()
		if _, err := a.Authenticate(login(user, password)); (err == nil) != ok {
			t.Errorf("%s, %s: %v", user, password, err)
		}
	}
	check("u", "wrong", false)
	if a.next != 0 {
		t.Error("a wrong password is remembered")
	}
	check("u", "secret", true)
	check("u", "secret", true)
	if a.next != 1 {
		t.Errorf("verified %d times", a.next)
	}
	check("v", "secret", true)
	if a.next != 2 {
		t.Errorf("one user's proof is good for another")
	}
	check("u", "wrong", false)
	check("v", "secret:", false)
	for i := range 2 * remembered {
		a.logins[a.next%remembered] = verified{proof: [32]byte{byte(i)}, user: "x"}
		a.next++
	}
	check("u", "secret", true)
}

func TestNoneAndDenyall(t *testing.T) {
	a, _ := newAuthenticator(t, "--auth-type=none")
	if user, err := a.Authenticate(login("u", "whatever")); user != "u" || err != nil {
		t.Errorf("none: %q, %v", user, err)
	}
	const unset = "no [auth] type is set"
	for _, set := range []bool{false, true} {
		args := []string{"--auth-type=denyall"}
		if !set {
			args = nil
		}
		var logs *logger
		a, logs = newAuthenticator(t, args...)
		for range 2 {
			user, err := a.Authenticate(login("u", "whatever"))
			if user != "" || !errors.Is(err, ErrCredentials) || strings.Contains(err.Error(), "wrong") {
				t.Errorf("denyall: %q, %v", user, err)
			}
		}
		if n := strings.Count(strings.Join(*logs, "\n"), unset); n != map[bool]int{false: 1}[set] {
			t.Errorf("set is %v: told %d times: %q", set, n, *logs)
		}
	}
	if user, err := a.Authenticate(request()); user != "" || err != nil {
		t.Errorf("denyall without credentials: %q, %v", user, err)
	}
}

func TestExternal(t *testing.T) {
	for kind, name := range map[string]string{"http_remote_user": "Remote-User", "http_x_remote_user": "X-Remote-User"} {
		a, logs := newAuthenticator(t, "--auth-type="+kind)
		if a.Challenge() != "" {
			t.Error("an external type challenges")
		}
		if user, err := a.Authenticate(request(name, "u")); user != "u" || err != nil {
			t.Errorf("%s: %q, %v", kind, user, err)
		}
		if user, err := a.Authenticate(login("u", "x")); user != "" || err != nil {
			t.Errorf("%s with Basic: %q, %v", kind, user, err)
		}
		if user, err := a.Authenticate(request(name, "u", name, "v")); user != "" || !errors.Is(err, ErrCredentials) {
			t.Errorf("%s twice: %q, %v", kind, user, err)
		}
		*logs = nil
		if user, err := a.Authenticate(request(name, "u/v", "X-Forwarded-For", "a\nb")); user != "" || !errors.Is(err, ErrCredentials) ||
			!slices.Contains(*logs, "4 Failed login attempt from 192.0.2.1 (forwarded for 'a\\nb'): 'u/v' ("+kind+")") {
			t.Errorf("%s: %q, %v, %q", kind, user, err, *logs)
		}
	}
	t.Setenv("REMOTE_USER", "from-outside")
	a, _ := newAuthenticator(t, "--auth-type=remote_user")
	if user, err := a.Authenticate(request("Remote-User", "u")); user != "from-outside" || err != nil {
		t.Errorf("remote_user: %q, %v", user, err)
	}
}

func TestUserNames(t *testing.T) {
	for _, test := range []struct {
		args     []string
		in, want string // want is "" for refused
	}{
		{nil, "User", "User"},
		{nil, "user@example.org", "user@example.org"},
		{nil, "ü", "ü"},
		{nil, "a b", "a b"},
		{nil, "a/b", ""},
		{nil, ".", ""},
		{nil, "..", ""},
		{nil, ".hidden", ""},
		{nil, "backup~", ""},
		{nil, "a*", ""},
		{nil, "a'", ""},
		{nil, "a\nb", ""},
		{nil, "a\u0085", ""},
		{nil, "a\u200b", ""},
		{nil, "a\ue000", ""},
		{nil, strings.Repeat("a", 256), ""},
		{[]string{"--server-validate-user-value=none"}, "a*'\"", "a*'\""},
		{[]string{"--server-validate-user-value=none"}, "a\n", ""},
		{[]string{"--server-validate-user-value=none"}, "a/b", ""},
		{[]string{"--server-validate-user-value=strict"}, "a.B-c_1@d", "a.B-c_1@d"},
		{[]string{"--server-validate-user-value=strict"}, "ü", ""},
		{[]string{"--server-validate-user-value=strict"}, "a@b@c", ""},
		{[]string{"--server-validate-user-value=strict"}, "@a", ""},
		{[]string{"--server-validate-user-value=strict"}, "a@", ""},
		{[]string{"--server-validate-user-value=strict"}, "a~b", ""},
		{[]string{"--server-validate-user-value=unicode-letter"}, "ü.1", "ü.1"},
		{[]string{"--server-validate-user-value=unicode-letter"}, "a b", ""},
		{[]string{"--server-validate-user-value=no-unicode"}, "é", "é"},
		{[]string{"--server-validate-user-value=no-unicode"}, "ł", ""},
		{[]string{"--auth-lc-username"}, "ÄB", "äb"},
		{[]string{"--auth-uc-username"}, "äb", "ÄB"},
		{[]string{"--auth-strip-domain"}, "u@x@y", "u"},
		{[]string{"--auth-strip-domain"}, "@x", ""},
		{[]string{"--auth-urldecode-username"}, "u%40x%C3%BC", "u@xü"},
		{[]string{"--auth-urldecode-username", "--auth-strip-domain"}, "u%40x", "u"},
		{[]string{"--auth-urldecode-username"}, "a%2Fb", ""},
		{[]string{"--auth-urldecode-username", "--auth-lc-username"}, "%41%zz%", "A%zz%"},
		{[]string{"--auth-urldecode-username"}, "a%ff", "a\uFFFD"},
	} {
		a, _ := newAuthenticator(t, append([]string{"--auth-type=none"}, test.args...)...)
		user, err := a.Authenticate(login(test.in, "x"))
		if user != test.want || (test.want == "") != errors.Is(err, ErrCredentials) {
			t.Errorf("%q with %q: got %q, %v; want %q", test.in, test.args, user, err, test.want)
		}
	}
}

func TestPrincipal(t *testing.T) {
	for in, ok := range map[string]bool{"u": true, "u@x.y": true, "a:b": true, "": false, ".": false, "..": false, "a/b": false, "/": false, ".a": false, "a~": false, "~a": true, "a\x00": false} {
		if path, got := Principal(in); got != ok || ok && path != in {
			t.Errorf("%q: %q, %v", in, path, got)
		}
	}
}

func TestValidPath(t *testing.T) {
	for _, test := range []struct {
		rule, path string
		want       bool
	}{
		{"minimal", "/u@x.y/cal endar/ö.ics", true}, {"minimal", "/u/a:b", false}, {"minimal", "/u/a\x7f", false}, {"minimal", "/u/a?", false},
		{"none", "/u/a:b", true}, {"none", "/u/\u0001", false}, {"none", "/\xff", false},
		{"strict", "/u@x/~a-b_c.ics", true}, {"strict", "/u@x@y/@", true}, {"strict", "/u/a b", false},
		{"unicode-letter", "/ü/~1", true}, {"unicode-letter", "/ü/+", false},
	} {
		if got := ValidPath(test.rule, test.path); got != test.want {
			t.Errorf("%s, %q: %v", test.rule, test.path, got)
		}
	}
}

func TestChallenge(t *testing.T) {
	a, _ := newAuthenticator(t, "--auth-type=none", "--auth-realm=a \"b\" \\ c\n")
	if got, want := a.Challenge(), `Basic realm="a \"b\" \\ c", charset="UTF-8"`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestDelay(t *testing.T) {
	a, _ := newAuthenticator(t, "--auth-type=denyall", "--auth-delay=0.2")
	start := time.Now()
	if _, err := a.Authenticate(login("u", "x")); !errors.Is(err, ErrCredentials) {
		t.Error(err)
	}
	if d := time.Since(start); d < 100*time.Millisecond {
		t.Errorf("refused after %v", d)
	}
	// The client that hangs up does not keep the process.
	a, _ = newAuthenticator(t, "--auth-type=denyall", "--auth-delay=1e12")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := a.Authenticate(login("u", "x").WithContext(ctx)); !errors.Is(err, ErrCredentials) {
		t.Error(err)
	}
}

func TestNewAuthenticatorErrors(t *testing.T) {
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"--auth-type=kerberos"}, "there are none, denyall, htpasswd"},
		{[]string{"--auth-lc-username", "--auth-uc-username"}, "exclude"},
		{[]string{"--auth-type=htpasswd", "--auth-htpasswd-filename=/does/not/exist"}, "htpasswd_filename"},
		{[]string{"--auth-type=htpasswd", "--auth-htpasswd-filename="}, "empty"},
		{[]string{"--auth-type=htpasswd", "--auth-htpasswd-encryption=rot13"}, "autodetect"},
	} {
		if _, err := NewAuthenticator(load(t, test.args...)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: %v", test.args, err)
		}
	}
	a, _ := newAuthenticator(t, "--auth-type=htpasswd", "--auth-htpasswd-filename="+t.TempDir())
	if _, err := a.Authenticate(login("u", "x")); err == nil || errors.Is(err, ErrCredentials) {
		t.Errorf("a folder as users file: %v", err)
	}
	a, _ = newAuthenticator(t, "--auth-type=htpasswd", "--auth-htpasswd-filename="+tempFile(t, strings.Repeat("#", MaxUsersFile+1)))
	if _, err := a.Authenticate(login("u", "x")); err == nil || errors.Is(err, ErrCredentials) {
		t.Errorf("a file too long: %v", err)
	}
}

func TestRepr(t *testing.T) {
	for in, want := range map[string]string{
		"u": "'u'", "a'b": `"a'b"`, `a'"b`: `'a\'"b'`, "\n\r\t\\": `'\n\r\t\\'`, "\x00\x7f\x80\u0085\u200b\U000E0001ü": `'\x00\x7f\x80\x85\u200b\U000e0001ü'`,
	} {
		if got := repr(in); got != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
	}
}

func BenchmarkRememberedLogin(b *testing.B) {
	a, _ := newAuthenticator(b, "--auth-type=htpasswd", "--auth-htpasswd-filename="+tempFile(b, "u:"+hashed(b, "bcrypt", "secret")+"\n"))
	a.Logf = nil
	r := login("u", "secret")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.Authenticate(r); err != nil {
			b.Fatal(err)
		}
	}
}
