// Package access answers two questions: who speaks ([Authenticator]), and what
// may they do ([Rights]). Both are Radicale's answers to Radicale's
// configuration, with these exceptions, all of them stricter:
//
//   - An entry of the users file that looks like a hash of an unknown kind lets
//     nobody in. Radicale takes it for a plain password.
//   - A user name that cannot be the name of a folder is refused at login.
//   - A rights file with a mistake is refused at once, not when a request comes
//     by its section.
//
// An unknown user costs as much time as a wrong password. A login that was
// verified is remembered by the process, as a digest under a random key, so that
// further requests of a connection do not pay for bcrypt: as long as it lives and
// the line of the users file stays, or for cache_successful_logins_expiry where
// somebody else verified it. What processes remember together is in state.go:
// failed logins, and verified ones with [auth] cache_logins.
//
// Logins by LDAP, IMAP, Dovecot, OAuth2, PAM and checkpassword are verified by
// another program, inetdav-auth-helper, to which package question speaks: what
// needs the network, large libraries or other rights is not in the process that
// serves strangers.
//
// Values are used by one goroutine at a time, as one connection does.
package access

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"inetdav/dav/config"
)

var (
	// ErrCredentials says that the login is wrong: 401 with the challenge.
	ErrCredentials = errors.New("wrong user or password")
	// ErrMalformed says that the Authorization field cannot be read: 400.
	ErrMalformed = errors.New("malformed credentials")
)

// nobody is ErrCredentials where no user and password would be right.
type nobody struct{}

func (nobody) Error() string        { return "nobody can log in here" }
func (nobody) Is(target error) bool { return target == ErrCredentials }

// Severities of syslog (RFC 5424, 6.2.1), as Logf gets them.
const (
	levelError   = 3
	levelWarning = 4
	levelInfo    = 6
)

// remembered is how many verified logins a process keeps in mind.
const remembered = 8

// Authenticator finds out who speaks.
type Authenticator struct {
	// Logf gets messages in syslog's severities; nil drops them. Control
	// characters in names of users are escaped.
	Logf func(level int, format string, args ...any)

	kind  string
	unset bool // nobody chose kind, and nobody was told so yet
	// Helper gives the program that verifies logins which this one cannot, and
	// its arguments; it is started where nobody listens at [inetdav] auth_socket.
	// nil: nothing is started.
	Helper func() (argv []string, err error)
	// Groups are those of [group] type; never nil.
	Groups *Groups

	realm     string
	delay     time.Duration
	lower     bool
	upper     bool
	unquote   bool
	cutDomain bool
	latin1    bool
	rule      string
	external  string // REMOTE_USER as the process got it
	users     *users
	config    *config.Config

	socket        string        // where the helper listens, "" nowhere
	header        string        // of a proxy that says who the client is
	shared        bool          // [auth] cache_logins
	expiry, sorry time.Duration // of logins that were right, and wrong
	getenv        func(string) string
	state         string // the folder, once stateKnown
	stateKnown    bool
	cached        bool // this process has opened the table of logins

	key    []byte
	logins [remembered]verified
	next   int
}

// verified is a login that was right.
type verified struct {
	proof  [sha256.Size]byte
	user   string
	groups []string
	until  time.Time // zero: as long as the process lives
}

// A BusyError says that a login was not looked at, or cannot be, for now: 503,
// and not 401, at which clients ask their users for other passwords.
type BusyError struct {
	After time.Duration // when to come again
	Err   error
}

func (e *BusyError) Error() string { return e.Err.Error() }
func (e *BusyError) Unwrap() error { return e.Err }

// NewAuthenticator makes the authentication that [auth] type asks for: none,
// denyall, htpasswd, remote_user, http_remote_user, http_x_remote_user, or one
// that the helper knows: ldap, imap, dovecot, oauth2, pam, checkpassword.
//
// remote_user takes the name from the variable REMOTE_USER of the process's
// environment. Nothing that starts a process for a connection knows a user, so
// it serves where a wrapper has authenticated the peer, and is useless
// otherwise. The two header types believe the header: whoever can connect can
// be anybody, so only the proxy may be able to.
func NewAuthenticator(c *config.Config) (*Authenticator, error) {
	a := &Authenticator{
		kind:      c.String("auth", "type"),
		unset:     c.Source("auth", "type") == "default",
		realm:     c.String("auth", "realm"),
		delay:     c.Duration("auth", "delay"),
		lower:     c.Bool("auth", "lc_username"),
		upper:     c.Bool("auth", "uc_username"),
		unquote:   c.Bool("auth", "urldecode_username"),
		cutDomain: c.Bool("auth", "strip_domain"),
		rule:      c.String("server", "validate_user_value"),
		shared:    c.Bool("auth", "cache_logins"),
		expiry:    max(0, c.Duration("auth", "cache_successful_logins_expiry")),
		sorry:     max(0, c.Duration("auth", "cache_failed_logins_expiry")),
		socket:    c.Path("inetdav", "auth_socket"),
		getenv:    os.Getenv,
		config:    c,
	}
	switch source := c.String("auth", "remote_ip_source"); source {
	case "REMOTE_ADDR":
	case "X-Remote-Addr":
		a.header = source
	default:
		return nil, fmt.Errorf("[auth] remote_ip_source: %q does not exist: there are REMOTE_ADDR and X-Remote-Addr", source)
	}
	if a.lower && a.upper {
		return nil, errors.New("[auth] lc_username and uc_username exclude each other")
	}
	switch strings.ToLower(c.String("encoding", "request")) {
	case "iso-8859-1", "iso8859-1", "latin-1", "latin1":
		a.latin1 = true
	}
	switch a.kind {
	case "none", "denyall", "http_remote_user", "http_x_remote_user":
	case "remote_user":
		a.external = os.Getenv("REMOTE_USER")
	case "htpasswd":
		var err error
		if a.users, err = newUsers(c); err != nil {
			return nil, err
		}
	case "ldap", "imap", "dovecot", "oauth2", "pam", "checkpassword":
	default:
		return nil, fmt.Errorf("[auth] type: %q does not exist here: there are none, denyall, htpasswd, ldap, imap, dovecot, oauth2, pam, checkpassword, remote_user, http_remote_user and http_x_remote_user", a.kind)
	}
	var err error
	if a.Groups, err = newGroups(c); err != nil {
		return nil, err
	}
	return a, nil
}

// byHelper reports whether another program verifies logins.
func (a *Authenticator) byHelper() bool {
	switch a.kind {
	case "ldap", "imap", "dovecot", "oauth2", "pam", "checkpassword":
		return true
	}
	return false
}

// Challenge returns the value of WWW-Authenticate for an answer 401
// (RFC 7617, 2), or "" when the user comes from outside and asking is useless.
func (a *Authenticator) Challenge() string {
	if a.isExternal() {
		return ""
	}
	var b strings.Builder
	b.WriteString(`Basic realm="`)
	for _, r := range a.realm {
		if r < ' ' || r == 0x7F {
			continue
		}
		if r == '"' || r == '\\' {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	b.WriteString(`", charset="UTF-8"`)
	return b.String()
}

func (a *Authenticator) isExternal() bool {
	return a.kind == "remote_user" || a.kind == "http_remote_user" || a.kind == "http_x_remote_user"
}

// Authenticate returns the user of a request, "" when there are no
// credentials: what nobody may do is for the rights to say. ErrCredentials
// comes after the configured delay, unless the request's context ends it;
// ErrMalformed at once, as *BusyError. Other errors are failures of this side.
func (a *Authenticator) Authenticate(r *http.Request) (user string, err error) {
	var login, password string
	var groups []string
	switch a.kind {
	case "remote_user":
		login = a.external
	case "http_remote_user", "http_x_remote_user":
		name := "Remote-User"
		if a.kind == "http_x_remote_user" {
			name = "X-Remote-User"
		}
		values := r.Header[name]
		if len(values) > 1 {
			// One of them may be the client's own.
			a.logf(levelWarning, "Refused request from %s: more than one field %s", peer(r), name)
			return "", a.refuse(r.Context())
		}
		if len(values) == 1 {
			login = values[0]
		}
	default:
		var ok bool
		if login, password, ok, err = a.basic(r); err != nil || !ok {
			return "", err
		}
	}
	if login == "" {
		return "", nil
	}
	user = a.name(login)
	ok := user != "" && ValidName(a.rule, user)
	if ok {
		_, ok = Principal(user)
	}
	switch {
	case !ok:
		a.logf(levelInfo, "Refused unsafe username: %s", repr(login))
	case a.kind == "denyall":
		if a.unset {
			a.unset = false
			a.logf(levelWarning, "no [auth] type is set: nobody can log in")
		}
		ok = false
	case a.kind == "htpasswd" || a.byHelper():
		var v verified
		if v, ok, err = a.verify(r, user, password); err != nil {
			return "", err
		}
		if ok {
			user, groups = v.user, v.groups
		}
	}
	if ok && a.Groups.In() && user == GroupFolder {
		a.logf(levelWarning, "Refused username %s: it is the folder of the groups", repr(login))
		ok = false
	}
	if !ok {
		a.logf(levelWarning, "Failed login attempt from %s: %s (%s)", peer(r), repr(login), a.kind)
		err = a.refuse(r.Context())
		if a.kind == "denyall" {
			err = nobody{}
		}
		return "", err
	}
	a.Groups.login(user, groups)
	if login == user {
		a.logf(levelInfo, "Successful login: %s (%s)", repr(login), a.kind)
	} else {
		a.logf(levelInfo, "Successful login: %s -> %s (%s)", repr(login), repr(user), a.kind)
	}
	return user, nil
}

// basic reads the Authorization field (RFC 7617, 2). Another scheme than Basic
// counts as no credentials.
func (a *Authenticator) basic(r *http.Request) (login, password string, ok bool, err error) {
	values := r.Header["Authorization"]
	if len(values) == 0 {
		return "", "", false, nil
	}
	if len(values) > 1 {
		return "", "", false, ErrMalformed
	}
	scheme, token, _ := strings.Cut(strings.TrimSpace(values[0]), " ")
	if !strings.EqualFold(scheme, "Basic") {
		return "", "", false, nil
	}
	token = strings.TrimRight(strings.TrimSpace(token), "=")
	b, err := base64.RawStdEncoding.DecodeString(token)
	if err != nil {
		return "", "", false, ErrMalformed
	}
	text := string(b)
	if a.latin1 || !utf8.ValidString(text) {
		// Clients of before RFC 7617 send ISO-8859-1.
		latin1 := make([]byte, 0, 2*len(b))
		for _, c := range b {
			latin1 = utf8.AppendRune(latin1, rune(c))
		}
		text = string(latin1)
	}
	login, password, ok = strings.Cut(text, ":")
	if !ok {
		return "", "", false, ErrMalformed
	}
	return login, password, true, nil
}

// name makes the user of a login, in Radicale's order.
func (a *Authenticator) name(login string) string {
	if a.lower {
		login = strings.ToLower(login)
	}
	if a.upper {
		login = strings.ToUpper(login)
	}
	if a.unquote {
		login = unquote(login)
	}
	if a.cutDomain {
		login, _, _ = strings.Cut(login, "@")
	}
	return login
}

// unquote is Python's urllib.parse.unquote: bad escapes stay, bad UTF-8 becomes U+FFFD.
func unquote(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	digit := func(i int) int {
		if i >= len(s) {
			return -1
		}
		if s[i] < '0' {
			return -1
		}
		return strings.IndexByte("0123456789abcdef", s[i]|0x20)
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && digit(i+1) >= 0 && digit(i+2) >= 0 {
			b = append(b, byte(digit(i+1)<<4|digit(i+2)))
			i += 2
			continue
		}
		b = append(b, s[i])
	}
	return strings.ToValidUTF8(string(b), "\uFFFD")
}

// refuse waits, somewhat by chance, and returns ErrCredentials.
func (a *Authenticator) refuse(ctx context.Context) error {
	if a.delay > 0 {
		d := min(float64(a.delay)*(0.5+mathrand.Float64()), float64(maxDelay))
		sleep(ctx, time.Duration(d))
	}
	return ErrCredentials
}

// maxDelay is how long an answer to a wrong login may take on purpose: a process
// that sleeps is one that the super-server cannot start for somebody else.
const maxDelay = 10 * time.Second

// sleep ends early with the context.
func sleep(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func (a *Authenticator) logf(level int, format string, args ...any) {
	if a.Logf != nil {
		a.Logf(level, format, args...)
	}
}

// peer says where a request comes from, in the words that fail2ban's filters for Radicale know.
func peer(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	if host == "" || host == "@" {
		host = "unknown"
	}
	if f := r.Header.Get("X-Forwarded-For"); f != "" {
		host += " (forwarded for " + repr(f) + ")"
	}
	return host
}

// repr shows a text as Python's repr does, without control characters.
func repr(s string) string {
	quote := byte('\'')
	if strings.IndexByte(s, '\'') >= 0 && strings.IndexByte(s, '"') < 0 {
		quote = '"'
	}
	b := []byte{quote}
	for i, r := range s {
		switch {
		case r == rune(quote), r == '\\':
			b = append(b, '\\', byte(r))
		case r == '\n':
			b = append(b, `\n`...)
		case r == '\r':
			b = append(b, `\r`...)
		case r == '\t':
			b = append(b, `\t`...)
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD"):
			b = fmt.Appendf(b, `\x%02x`, s[i])
		case unicode.IsPrint(r):
			b = utf8.AppendRune(b, r)
		case r < 0x100:
			b = fmt.Appendf(b, `\x%02x`, r)
		case r < 0x10000:
			b = fmt.Appendf(b, `\u%04x`, r)
		default:
			b = fmt.Appendf(b, `\U%08x`, r)
		}
	}
	return string(append(b, quote))
}

// Principal returns the path of a user's principal: the user's name is the
// name of one folder below the root of the collections, as it is. ok is false
// for names that cannot be that: empty, ".", "..", with a slash, with a dot in
// front or a tilde at the end (those are other files of the store), with NUL
// or longer than 255 bytes.
func Principal(user string) (path string, ok bool) {
	if user == "" || len(user) > 255 || user[0] == '.' || user[len(user)-1] == '~' || strings.ContainsAny(user, "/\x00") {
		return "", false
	}
	return user, true
}

// ValidName applies [server] validate_user_value, the rule, to a user's name.
func ValidName(rule, user string) bool { return valid(rule, user, "-.@_") }

// ValidPath applies [server] validate_path_value, the rule, to a path.
func ValidPath(rule, path string) bool { return valid(rule, path, "-.@_/~") }

// valid knows the rules none (and unicode-none), minimal, no-unicode,
// unicode-letter and strict. signs are what the last two allow beside letters
// and digits. All of them refuse bad UTF-8 and what Unicode does not call graphic.
func valid(rule, s, signs string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		ok := unicode.IsGraphic(r)
		sign := strings.ContainsRune(signs, r) || '0' <= r && r <= '9'
		switch rule {
		case "none", "unicode-none":
		case "no-unicode":
			ok = ok && r < 0x100 && !strings.ContainsRune(`:'"*?`, r)
		case "unicode-letter":
			ok = ok && (sign || unicode.IsLetter(r))
		case "strict":
			ok = sign || r < utf8.RuneSelf && unicode.IsLetter(r)
		default:
			ok = ok && !strings.ContainsRune(`:'"*?`, r)
		}
		if !ok {
			return false
		}
	}
	if rule == "strict" && !strings.Contains(signs, "/") {
		return strings.Count(s, "@") <= 1 && !strings.HasPrefix(s, "@") && !strings.HasSuffix(s, "@")
	}
	return true
}
