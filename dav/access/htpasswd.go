package access

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"inetdav/dav/config"
)

// The limits of a users file.
const (
	MaxUsersFile = 4 << 20 // bytes
	MaxUsers     = 50_000
)

// users is a file of Apache's htpasswd. It is read at the first login and
// again when it has changed.
type users struct {
	name  string
	fixed scheme      // of all entries, unknown when each says its own
	file  *os.File    // opened and not yet read, or nil
	info  os.FileInfo // of the file as read, nil before
	list  []entry
	usual entry // of the kind that most entries have
}

type entry struct {
	user, digest string
	scheme       scheme
	line         int
}

// newUsers opens the file, so that it can be read after the process has
// confined itself.
func newUsers(c *config.Config) (*users, error) {
	u := &users{name: c.Path("auth", "htpasswd_filename")}
	switch kind := c.String("auth", "htpasswd_encryption"); kind {
	case "autodetect":
	case "plain":
		u.fixed = plain
	case "md5":
		u.fixed = apr1
	case "sha256":
		u.fixed = sha256crypt
	case "sha512":
		u.fixed = sha512crypt
	case "bcrypt":
		u.fixed = bcryptHash
	case "argon2":
		u.fixed = argon2Hash
	default:
		return nil, fmt.Errorf("[auth] htpasswd_encryption: %q does not exist: there are autodetect, plain, md5, sha256, sha512, bcrypt and argon2", kind)
	}
	if u.name == "" {
		return nil, errors.New("[auth] htpasswd_filename is empty")
	}
	var err error
	if u.file, err = os.Open(u.name); err != nil {
		return nil, fmt.Errorf("[auth] htpasswd_filename: %w", err)
	}
	return u, nil
}

// refresh reads the file if it has not been read or is another one by now. A
// file that cannot be read any more leaves what is known as it is.
func (u *users) refresh(logf func(int, string, ...any)) error {
	text, info, err := readChanged(u.name, u.file, u.info, MaxUsersFile)
	u.file = nil
	if err != nil {
		err = fmt.Errorf("users file: %w", err)
		if u.info != nil {
			logf(levelWarning, "%v", err)
			return nil
		}
		return err
	}
	if info != nil {
		u.info = info
		u.parse(text, logf)
	}
	return nil
}

// parse reads lines "user:hash". Blank lines and comments are left out. A line
// that is neither is reported and ignored; of two lines for one user the first
// counts.
func (u *users) parse(text string, logf func(int, string, ...any)) {
	u.list, u.usual = nil, entry{}
	var counts [schemes]int
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimRight(line, "\r\n")
		if bare := strings.TrimSpace(line); bare == "" || bare[0] == '#' {
			continue
		}
		user, digest, ok := strings.Cut(line, ":")
		if !ok || user == "" || digest == "" {
			logf(levelWarning, "%s: line %d is not of the form user:hash", u.name, number)
			continue
		}
		if len(u.list) == MaxUsers {
			logf(levelError, "%s: more than %d users, the rest is ignored", u.name, MaxUsers)
			break
		}
		e := entry{user: user, digest: digest, line: number, scheme: detect(digest)}
		switch {
		case u.fixed == plain:
			e.scheme = plain
		case u.fixed != unknown && e.scheme != u.fixed:
			e.scheme = unknown
		}
		u.list = append(u.list, e)
		counts[e.scheme]++
	}
	for i := range u.list {
		if s := u.list[i].scheme; s != unknown && (u.usual.scheme == unknown || counts[s] > counts[u.usual.scheme]) {
			u.usual = u.list[i]
		}
	}
}

// unusable says why nobody can log in with an entry of unknown kind.
func (u *users) unusable(e entry) string {
	if is := detect(e.digest); is != unknown {
		return fmt.Sprintf("%s: line %d: the entry is of kind %s, but [auth] htpasswd_encryption = %s allows no other (autodetect takes all)",
			u.name, e.line, is, u.fixed)
	}
	return fmt.Sprintf("%s: line %d: the hash is of no known kind, too expensive or damaged; nobody can log in with it", u.name, e.line)
}

func (u *users) find(user string) (entry, bool) {
	for i := range u.list {
		if u.list[i].user == user {
			return u.list[i], true
		}
	}
	return entry{}, false
}
