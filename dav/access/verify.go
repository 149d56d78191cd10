package access

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"time"

	"golang.org/x/crypto/bcrypt"

	"inetdav/dav/access/question"
)

// verify says whether a login is right, by what is remembered of earlier ones if
// it can. Attempts are throttled, see failures.
func (a *Authenticator) verify(r *http.Request, user, password string) (v verified, ok bool, err error) {
	if len(password) > MaxPassword || strings.IndexByte(password, 0) >= 0 || a.byHelper() && password == "" {
		// An empty password is a bind without authentication to LDAP (RFC 4513, 5.1.2).
		return v, false, nil
	}
	var e entry
	known := true
	if a.users != nil {
		if err := a.users.refresh(a.logf); err != nil {
			return v, false, err
		}
		e, known = a.users.find(user)
	}
	if a.key == nil {
		a.key = make([]byte, sha256.Size)
		rand.Read(a.key)
	}
	proof := [sha256.Size]byte(mac(a.key, user, e.digest, password))
	now := time.Now()
	for i := range a.logins {
		if l := &a.logins[i]; hmac.Equal(l.proof[:], proof[:]) && l.user != "" && (l.until.IsZero() || now.Before(l.until)) {
			return *l, true, nil
		}
	}

	address := a.address(r)
	delay, err := a.begin(address, user)
	if err != nil {
		return v, false, err
	}
	sleep(r.Context(), delay)
	if err := r.Context().Err(); err != nil {
		return v, false, err
	}
	if a.users != nil {
		ok, err = a.htpasswd(r.Context(), user, password, e, known)
		v = verified{user: user}
	} else {
		v, ok, err = a.asked(r.Context(), user, password, address)
		v.until = now.Add(a.expiry)
	}
	if err != nil || !ok {
		return verified{}, false, err
	}
	a.succeeded(address, user)
	v.proof = proof
	a.logins[a.next%remembered] = v
	a.next++
	return v, true, nil
}

// address is who is counted for a failed login: the client's address, of IPv6
// its network, "" where that is not known. A peer on this machine is taken for a
// proxy, which tells its client's address last in X-Forwarded-For.
func (a *Authenticator) address(r *http.Request) string {
	text, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		text = ""
	}
	ip, err := netip.ParseAddr(text)
	if a.header != "" {
		ip, err = netip.Addr{}, nil
		if list := r.Header[a.header]; len(list) == 1 { // of two, one may be the client's own
			ip, err = netip.ParseAddr(list[0])
		}
	} else if err != nil || ip.IsLoopback() {
		ip, err = netip.Addr{}, nil
		if list := r.Header["X-Forwarded-For"]; len(list) > 0 {
			last := list[len(list)-1]
			ip, err = netip.ParseAddr(strings.TrimSpace(last[strings.LastIndexByte(last, ',')+1:]))
		}
	}
	if err != nil || !ip.IsValid() {
		return ""
	}
	if ip = ip.Unmap().WithZone(""); ip.Is6() {
		if net, err := ip.Prefix(64); err == nil {
			return net.String()
		}
	}
	return ip.String()
}

// folder is the folder of what processes share, "" where there is none.
func (a *Authenticator) folder() string {
	if !a.stateKnown {
		a.stateKnown = true
		var err error
		if a.state, err = stateFolder(a.config, a.getenv); err != nil {
			a.logf(levelWarning, "%v: failed logins are not counted, and no login is cached", err)
		}
	}
	return a.state
}

// begin counts an attempt, where there is a folder and a delay to grow.
func (a *Authenticator) begin(address, user string) (delay time.Duration, err error) {
	if a.delay <= 0 || a.folder() == "" {
		return 0, nil
	}
	t, err := openFailures(a.state, time.Now())
	if err == nil {
		defer t.close()
		var wait time.Duration
		if wait, delay, err = t.begin(a.delay, address, user); err == nil && wait > 0 {
			a.logf(levelInfo, "Too many failed login attempts from %s: refused for %d s", address, (wait+time.Second-1)/time.Second)
			return 0, &BusyError{wait, errors.New("too many failed logins")}
		}
	}
	if err != nil {
		a.logf(levelWarning, "failed logins: %v", err)
		return 0, nil
	}
	return delay, nil
}

func (a *Authenticator) succeeded(address, user string) {
	if a.delay <= 0 || a.folder() == "" {
		return
	}
	t, err := openFailures(a.state, time.Now())
	if err == nil {
		defer t.close()
		err = t.succeeded(address, user)
	}
	if err != nil {
		a.logf(levelWarning, "failed logins: %v", err)
	}
}

// cache opens the table of logins, if they are to be cached, and calls do.
func (a *Authenticator) cache(do func(*logins) error) {
	if !a.shared || a.folder() == "" {
		return
	}
	t, err := openLogins(a.state, time.Now())
	if err == nil {
		defer t.close()
		a.cached = true
		err = do(t)
	}
	if err != nil {
		a.logf(levelWarning, "cache of logins: %v", err)
	}
}

// Close erases what is cached and has expired.
func (a *Authenticator) Close() {
	if a.cached {
		a.cache(func(*logins) error { return nil })
	}
}

// htpasswd verifies a login by the users file.
func (a *Authenticator) htpasswd(ctx context.Context, user, password string, e entry, known bool) (bool, error) {
	right := known
	switch {
	case !known:
		// As slow as a wrong password.
		e = a.users.usual
	case e.scheme == unknown:
		a.logf(levelError, "%s", a.users.unusable(e))
		e, right = a.users.usual, false
	case e.scheme == plain:
		return verify(e.scheme, e.digest, password), nil
	}
	tag := func(t *logins) []byte { return mac(mac(t.key, "htpasswd", e.digest), user, password) }
	var have, answer bool
	if right {
		a.cache(func(t *logins) error {
			k, ok, err := t.get(tag(t))
			have, answer = ok, k.text != ""
			return err
		})
	}
	if have {
		return answer, nil
	}
	release, err := acquire(ctx, a.folder(), e.scheme == argon2Hash)
	if err != nil {
		return false, &BusyError{hashingWait, err}
	}
	ok := verify(e.scheme, e.digest, password) && right
	release()
	if right {
		a.cache(func(t *logins) error {
			if ok {
				return t.put(tag(t), kept{text: user + "\x00"}, a.expiry)
			}
			return t.put(tag(t), kept{}, a.sorry)
		})
	}
	return ok, nil
}

// asked verifies a login by the helper.
func (a *Authenticator) asked(ctx context.Context, user, password, address string) (v verified, ok bool, err error) {
	// One entry for a login that was right and one for one that was wrong: which
	// password it was, only a slow hash tells. The key is of who was asked, too:
	// services with one state folder may ask different ones, or others from now on.
	tag := func(t *logins, right string) []byte { return mac(a.authority(t.key), right, user) }
	var fileKey []byte
	var right, wrong kept
	var hasRight, hasWrong bool
	a.cache(func(t *logins) (err error) {
		fileKey = append(fileKey, t.key...)
		if right, hasRight, err = t.get(tag(t, "yes")); err == nil {
			wrong, hasWrong, err = t.get(tag(t, "no"))
		}
		return err
	})
	secret := func() []byte { // shorter than what bcrypt looks at
		return base64.RawStdEncoding.AppendEncode(nil, mac(fileKey, "password", user, password))
	}
	if hasRight && bcrypt.CompareHashAndPassword(right.hash, secret()) == nil {
		names := strings.Split(strings.TrimSuffix(right.text, "\x00"), "\x00")
		return verified{user: names[0], groups: names[1:]}, names[0] != "", nil
	}
	if hasWrong && bcrypt.CompareHashAndPassword(wrong.hash, secret()) == nil {
		return v, false, nil
	}
	answer, err := a.ask(ctx, question.Question{User: user, Password: password, Address: address})
	if err == nil && answer.Verdict == question.Later {
		err = errors.New(answer.Reason)
	}
	if err != nil {
		a.logf(levelError, "a login cannot be verified (%s): %v", a.kind, err)
		return v, false, &BusyError{10 * time.Second, err}
	}
	keep := kept{}
	expiry := a.sorry
	verdict := "no"
	if answer.Verdict == question.Yes {
		if _, ok = Principal(answer.User); !ok || !ValidName(a.rule, answer.User) {
			a.logf(levelWarning, "Refused unsafe username: %s", repr(answer.User))
			return v, false, nil
		}
		keep.text = answer.User + "\x00"
		for _, g := range answer.Groups {
			keep.text += g + "\x00"
		}
		verdict, expiry = "yes", a.expiry
		v = verified{user: answer.User, groups: answer.Groups}
	} else if answer.Reason != "" {
		a.logf(levelInfo, "%s: %s", a.kind, answer.Reason)
	}
	if fileKey != nil {
		if keep.hash, err = bcrypt.GenerateFromPassword(secret(), slowCost); err == nil {
			a.cache(func(t *logins) error {
				if !hmac.Equal(t.key, fileKey) { // made anew meanwhile
					return nil
				}
				return t.put(tag(t, verdict), keep, expiry)
			})
		}
	}
	return v, ok, nil
}

// CheckUsers reads the users file, if there is one, and logs what of it lets
// nobody in.
func (a *Authenticator) CheckUsers() error {
	if a.users == nil {
		return nil
	}
	if err := a.users.refresh(a.logf); err != nil {
		return err
	}
	for _, e := range a.users.list {
		if e.scheme == unknown {
			a.logf(levelWarning, "%s", a.users.unusable(e))
		}
	}
	if len(a.users.list) == 0 {
		a.logf(levelWarning, "%s: no users: nobody can log in", a.users.name)
	}
	return nil
}

// authority is a key made of key and of all that says who is asked, and what.
func (a *Authenticator) authority(key []byte) []byte {
	return mac(key, append(a.config.Values("auth"), a.socket, a.config.String("inetdav", "checkpassword"))...)
}

// CheckHelper says why no helper can be asked, if one has to be.
func (a *Authenticator) CheckHelper() error {
	if !a.byHelper() {
		return nil
	}
	if _, err := os.Stat(a.socket); err == nil && a.socket != "" {
		return nil
	}
	if a.Helper == nil {
		return errors.New("nobody listens at " + a.socket)
	}
	if _, err := a.Helper(); err != nil {
		return fmt.Errorf("nobody listens at %q, and %w", a.socket, err)
	}
	return nil
}

// helperWait is how long the helper may take; it gives up itself earlier.
const helperWait = 25 * time.Second

// ask puts a question to the helper, who listens or is started.
func (a *Authenticator) ask(ctx context.Context, q question.Question) (answer question.Answer, err error) {
	deadline := time.Now().Add(helperWait)
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	if a.socket != "" {
		dialer := net.Dialer{Deadline: deadline}
		c, err := dialer.DialContext(ctx, "unix", a.socket)
		if err == nil {
			defer c.Close()
			c.SetDeadline(deadline)
			if err = q.Write(c); err != nil {
				return answer, err
			}
			return question.ReadAnswer(c)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return answer, fmt.Errorf("asking the helper: %w (see AUTHENTICATION in inetdav(1))", err)
		}
	}
	if a.Helper == nil {
		return answer, errors.New("nobody listens at " + a.socket)
	}
	argv, err := a.Helper()
	if err != nil {
		return answer, fmt.Errorf("nobody listens at %q, and %w", a.socket, err)
	}
	if answer, err = runHelper(argv, q, deadline); err != nil {
		err = fmt.Errorf("nobody listens at %q, and starting the helper: %w (see AUTHENTICATION in inetdav(1))", a.socket, err)
	}
	return answer, err
}

// runHelper starts a helper for one question.
func runHelper(argv []string, q question.Question, deadline time.Time) (answer question.Answer, err error) {
	var ends [4]*os.File // its input, our end of it; our end of its output, its output
	defer func() {
		for _, f := range ends {
			if f != nil {
				f.Close()
			}
		}
	}()
	if ends[0], ends[1], err = os.Pipe(); err != nil {
		return answer, err
	}
	if ends[2], ends[3], err = os.Pipe(); err != nil {
		return answer, err
	}
	p, err := os.StartProcess(argv[0], argv, &os.ProcAttr{Dir: "/", Files: []*os.File{ends[0], ends[3], os.Stderr}})
	if err != nil {
		return answer, err
	}
	defer p.Wait()
	ends[0].Close()
	ends[3].Close()
	ends[0], ends[3] = nil, nil
	// Our ends do not block where the system lets them be waited for.
	ends[1].SetDeadline(deadline)
	ends[2].SetDeadline(deadline)
	if err = q.Write(ends[1]); err == nil {
		answer, err = question.ReadAnswer(ends[2])
	}
	if err != nil {
		p.Kill()
	}
	return answer, err
}
