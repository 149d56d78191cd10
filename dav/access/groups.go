package access

import (
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"inetdav/dav/config"
)

// The limits of a groups file.
const (
	MaxGroupsFile = 4 << 20 // bytes
	MaxMembers    = 100_000 // names in all groups together
)

// GroupFolder is the folder below the root whose members are the groups'
// collections, each named by [GroupName].
const GroupFolder = "GROUPS"

// GroupName is the name of a group's collection in GroupFolder: Radicale's, the
// base 64 of the group's name. Where that has a slash, which no file can have in
// its name, ok is false.
func GroupName(group string) (name string, ok bool) {
	name = base64.StdEncoding.EncodeToString([]byte(group))
	return name, name != "" && len(name) <= 255 && strings.IndexByte(name, '/') < 0
}

// Groups says who is in which group.
type Groups struct {
	// Logf gets messages in syslog's severities; nil drops them.
	Logf func(level int, format string, args ...any)

	kind string
	file groupsFile
	// from_auth: what was told with the last login; a connection rarely has
	// more than one user, and nothing is known of others.
	user string
	list []string
	turn int // goes up when anything may have changed
}

type groupsFile struct {
	name  string
	file  *os.File // opened and not yet read, or nil
	info  os.FileInfo
	list  []members
	fresh bool // looked at since the last login
}

type members struct {
	group string
	users []string
}

// newGroups makes the groups that [group] type asks for: none, from_auth or
// htgroup. The file is opened, so that it can be read after the process has
// confined itself.
func newGroups(c *config.Config) (*Groups, error) {
	g := &Groups{kind: c.String("group", "type")}
	switch g.kind {
	case "none":
	case "from_auth":
		if kind := c.String("auth", "type"); kind != "ldap" && kind != "pam" {
			return nil, fmt.Errorf("[group] type = from_auth needs [auth] type ldap or pam; %s knows no groups", kind)
		}
	case "htgroup":
		g.file.name = c.Path("group", "htgroup_filename")
		var err error
		if g.file.file, err = os.Open(g.file.name); err != nil {
			return nil, fmt.Errorf("[group] htgroup_filename: %w", err)
		}
	default:
		return nil, fmt.Errorf("[group] type: %q does not exist: there are none, from_auth and htgroup", g.kind)
	}
	return g, nil
}

// Of returns the groups of a user, in the order of the file or of the directory.
// With from_auth it knows those of the user who has logged in last.
func (g *Groups) Of(user string) []string {
	if g == nil || user == "" {
		return nil
	}
	switch g.kind {
	case "from_auth":
		if user == g.user {
			return g.list
		}
	case "htgroup":
		g.refresh()
		var list []string
		for _, m := range g.file.list {
			if slices.Contains(m.users, user) {
				list = append(list, m.group)
			}
		}
		return list
	}
	return nil
}

// In reports whether there are groups at all.
func (g *Groups) In() bool { return g != nil && g.kind != "none" }

// current reads the file if it has to be; the number is another one when
// anything may have changed.
func (g *Groups) current() int {
	if g == nil {
		return 0
	}
	if g.kind == "htgroup" {
		g.refresh()
	}
	return g.turn
}

// login takes note of who has logged in and what is known of the groups.
func (g *Groups) login(user string, list []string) {
	g.file.fresh = false
	if g.kind == "from_auth" && (user != g.user || !slices.Equal(list, g.list)) {
		g.user, g.list = user, slices.Clone(list)
		g.turn++
	}
}

// refresh reads the file if it is another one than at the last login. One that
// cannot be read any more leaves what is known as it is.
func (g *Groups) refresh() {
	f := &g.file
	if f.fresh {
		return
	}
	f.fresh = true
	text, info, err := readChanged(f.name, f.file, f.info, MaxGroupsFile)
	f.file = nil
	if err != nil {
		g.logf(levelError, "groups file: %v", err)
		return
	}
	if info == nil {
		return
	}
	f.info = info
	f.list = nil
	g.turn++
	number, names := 0, 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		group, users, ok := strings.Cut(line, ":")
		group = strings.TrimSpace(group)
		if !ok || group == "" {
			g.logf(levelWarning, "%s: line %d is not of the form group: user user", f.name, number)
			continue
		}
		m := members{group, strings.Fields(users)}
		if names += len(m.users); names > MaxMembers {
			g.logf(levelError, "%s: more than %d members, the rest is ignored", f.name, MaxMembers)
			return
		}
		// Apache lets a group have several lines.
		if i := slices.IndexFunc(f.list, func(old members) bool { return old.group == group }); i >= 0 {
			f.list[i].users = append(f.list[i].users, m.users...)
			continue
		}
		f.list = append(f.list, m)
	}
}

func (g *Groups) logf(level int, format string, args ...any) {
	if g.Logf != nil {
		g.Logf(level, format, args...)
	}
}

// readChanged reads a file of at most limit bytes; info is nil when it is still
// the one that old was of. opened may be the file, not yet read; it is closed.
func readChanged(name string, opened *os.File, old os.FileInfo, limit int64) (text string, info os.FileInfo, err error) {
	f := opened
	if f == nil {
		if old != nil {
			now, err := os.Stat(name)
			if err != nil {
				return "", nil, err
			}
			if os.SameFile(now, old) && now.Size() == old.Size() && now.ModTime().Equal(old.ModTime()) {
				return "", nil, nil
			}
		}
		if f, err = os.Open(name); err != nil {
			return "", nil, err
		}
	}
	defer f.Close()
	// What the file is before it is read: a change meanwhile shows next time.
	if info, err = f.Stat(); err != nil {
		return "", nil, err
	}
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return "", nil, err
	}
	if int64(len(b)) > limit {
		return "", nil, fmt.Errorf("%s: longer than %d bytes", name, limit)
	}
	return string(b), info, nil
}
