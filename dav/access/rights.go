package access

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"inetdav/dav/config"
)

// Rights says what a user may do with a path, in Radicale's letters: R and W
// are for reading and writing plain collections, r and w for calendars and
// address books and what is in them, i for reading whole ones only; D d, O o
// permit or forbid to delete and to overwrite collections. The letters of a
// path count for a collection; an object has those of its parent.
type Rights struct {
	// Logf gets messages in syslog's severities; nil drops them.
	Logf func(level int, format string, args ...any)
	// Groups says who is in which group; nil: nobody is in any.
	Groups *Groups

	kind   string
	verify bool // whether users must be who they are, false with auth type none
	rules  []rule
}

// rule is a section of the rights file.
type rule struct {
	section    string
	user       *pattern // nil never matches
	groups     []string // whose members it is for, too
	collection string   // to be formatted with the user
	letters    string

	// For the user asked for last: a connection rarely has more than one.
	asked bool
	last  string
	turn  int        // of the groups
	paths []*pattern // none: the rule is not for the user
	err   error
}

// NewRights makes the rights that [rights] type asks for: owner_only,
// owner_write, authenticated or from_file. It reads the rights file, and fails
// when anything in it is wrong, naming the section.
func NewRights(c *config.Config) (*Rights, error) {
	r := &Rights{kind: c.String("rights", "type"), verify: c.String("auth", "type") != "none"}
	switch r.kind {
	case "owner_only", "owner_write", "authenticated":
		return r, nil
	case "from_file":
	default:
		return nil, errors.New("[rights] type: " + strconv.Quote(r.kind) + " does not exist here: there are owner_only, owner_write, authenticated and from_file")
	}
	name := c.Path("rights", "file")
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("[rights] file: %w", err)
	}
	defer f.Close()
	file, err := config.Parse(f, name)
	if err != nil {
		return nil, err
	}
	for i := range file.Sections {
		rule, err := newRule(file, &file.Sections[i])
		if err != nil {
			return nil, fmt.Errorf("%s: section [%s]: %w", name, file.Sections[i].Name, err)
		}
		r.rules = append(r.rules, rule)
	}
	return r, nil
}

func newRule(file *config.File, section *config.Section) (r rule, err error) {
	r.section = section.Name
	user, _, err := file.Interpolated(section, "user")
	if err != nil {
		return r, err
	}
	collection, ok, err := file.Interpolated(section, "collection")
	if err == nil && !ok {
		err = errors.New("collection is missing")
	}
	if err != nil {
		return r, err
	}
	r.collection = collection
	letters, ok, err := file.Interpolated(section, "permissions")
	if err == nil && !ok {
		err = errors.New("permissions is missing")
	}
	if err != nil {
		return r, err
	}
	r.letters = letters
	names, _, err := file.Interpolated(section, "groups")
	if err != nil {
		return r, err
	}
	for name := range strings.SplitSeq(names, ",") {
		if name = strings.TrimSpace(name); name != "" {
			r.groups = append(r.groups, name)
		}
	}
	groups := []string{}
	if user != "" {
		expression, err := format(user, nil, nil)
		if err == nil {
			r.user, err = compile(expression)
		}
		if err != nil {
			return r, fmt.Errorf("user: %w", err)
		}
		for range r.user.groups {
			groups = append(groups, "x")
		}
	}
	// Tried with an example, so that a mistake shows now and not at a request.
	example := "x"
	expression, err := format(collection, groups, &example)
	if err == nil {
		_, err = compile(expression)
	}
	if err != nil {
		return r, fmt.Errorf("collection: %w", err)
	}
	if len(r.groups) > 0 {
		// Who comes by a group has matched no pattern whose groups {0} could be.
		if _, err := format(collection, nil, &example); err != nil {
			return r, fmt.Errorf("collection: in a section with groups: %w", err)
		}
	}
	return r, nil
}

// Letters returns what the user, "" when nobody has logged in, may do with the
// path, which is unescaped. Slashes at its ends do not matter. An object has
// the letters of its parent, so ask for that.
func (r *Rights) Letters(user, path string) string {
	path = strings.Trim(path, "/")
	if r.kind == "from_file" {
		return r.fromFile(user, path)
	}
	if r.verify && user == "" {
		return ""
	}
	owner, rest, below := strings.Cut(path, "/")
	if strings.Contains(rest, "/") {
		return ""
	}
	mine := !r.verify || user == owner
	switch r.kind {
	case "authenticated":
		mine = true
	default:
		if path == "" {
			return "R"
		}
		if !mine && r.kind == "owner_only" {
			return ""
		}
	}
	switch {
	case mine && below:
		return "rw"
	case mine:
		return "RW"
	case below:
		return "r"
	}
	return "R"
}

// Personal reports whether nobody has rights to a home but its owner: then who
// asks what a user may read need look no further than the user's own.
func (r *Rights) Personal() bool { return r.kind == "owner_only" && r.verify }

// Individual reports whether the rights can give somebody what others do not
// have, outside of the own home: only a rights file can.
func (r *Rights) Individual() bool { return r.kind == "from_file" }

// Reach returns the folders just below the root in which the user may have
// rights, the own home among them; all says that it may be any, or that the root
// itself may be changed.
func (r *Rights) Reach(user string) (homes []string, all bool) {
	if _, ok := Principal(user); ok {
		homes = append(homes, user)
	}
	switch r.kind {
	case "owner_only":
		return homes, !r.verify
	case "from_file":
	default:
		return nil, user != "" || !r.verify
	}
	if strings.ContainsAny(r.fromFile(user, ""), "Ww") {
		return nil, true
	}
	turn := r.Groups.current()
	for i := range r.rules {
		rule := r.ruleFor(i, user, turn)
		if rule.letters == "" {
			continue
		}
		for _, p := range rule.paths {
			home, alone, ok := p.home()
			switch {
			case !ok || alone && strings.Contains(rule.letters, "w"):
				// A calendar just below the root is made and replaced in the root.
				return nil, true
			case home != "" && !slices.Contains(homes, home):
				homes = append(homes, home)
			}
		}
	}
	return homes, false
}

// fromFile finds the first section whose user or groups, and whose collection
// match. A pattern that cannot be decided gives no rights, and what follows it is
// not looked at: it might give more than was meant.
func (r *Rights) fromFile(user, path string) string {
	turn := r.Groups.current()
	for i := range r.rules {
		rule := r.ruleFor(i, user, turn)
		err := rule.err
		for _, p := range rule.paths {
			var ok bool
			if _, ok, err = p.match(path); ok && err == nil {
				return rule.letters
			} else if err != nil {
				break
			}
		}
		if err != nil {
			r.logf(levelError, "rights file: section [%s]: %v", rule.section, err)
			return ""
		}
	}
	return ""
}

// ruleFor returns a rule that knows whether it is for the user.
func (r *Rights) ruleFor(i int, user string, turn int) *rule {
	rule := &r.rules[i]
	if !rule.asked || rule.last != user || rule.turn != turn {
		rule.ask(user, r.Groups)
		rule.turn = turn
	}
	return rule
}

// ask finds out whether the rule is for the user, and for which paths.
func (r *rule) ask(user string, known *Groups) {
	r.asked, r.last, r.paths, r.err = true, user, nil, nil
	quoted := quote(user)
	if r.user != nil {
		offsets, ok, err := r.user.match(user)
		if err != nil {
			r.err = err
			return
		}
		if ok {
			groups := make([]string, 0, len(offsets)/2)
			for i := 0; i < len(offsets); i += 2 {
				if offsets[i] < 0 || offsets[i+1] < 0 {
					r.err = errors.New("a group of user took no part in the match")
					return
				}
				groups = append(groups, quote(user[offsets[i]:offsets[i+1]]))
			}
			r.add(groups, quoted)
		}
	}
	if len(r.groups) > 0 && slices.ContainsFunc(known.Of(user), func(g string) bool { return slices.Contains(r.groups, g) }) {
		r.add(nil, quoted)
	}
}

// add makes the pattern of the paths of a user.
func (r *rule) add(groups []string, quoted string) {
	expression, err := format(r.collection, groups, &quoted)
	if err == nil {
		var p *pattern
		if p, err = compile(expression); err == nil {
			r.paths = append(r.paths, p)
		}
	}
	if err != nil {
		r.err = err
	}
}

func (r *Rights) logf(level int, format string, args ...any) {
	if r.Logf != nil {
		r.Logf(level, format, args...)
	}
}

// format is Python's str.format for fields {}, {0} and {user}; {{ and }} are braces.
func format(s string, groups []string, user *string) (string, error) {
	var b strings.Builder
	next, numbered := 0, false
	for {
		n := strings.IndexAny(s, "{}")
		if n < 0 {
			b.WriteString(s)
			return b.String(), nil
		}
		b.WriteString(s[:n])
		c := s[n]
		s = s[n+1:]
		if len(s) > 0 && s[0] == c {
			b.WriteByte(c)
			s = s[1:]
			continue
		}
		if c == '}' {
			return "", errors.New("a single } must be written }}")
		}
		field, rest, ok := strings.Cut(s, "}")
		if !ok {
			return "", errors.New("a single { must be written {{")
		}
		s = rest
		if field == "user" && user != nil {
			b.WriteString(*user)
			continue
		}
		i := next
		if field == "" {
			next++
		} else {
			v, err := strconv.ParseUint(field, 10, 16)
			if err != nil {
				return "", errors.New("{" + field + "} is no field; braces of the pattern must be doubled")
			}
			i, numbered = int(v), true
		}
		if next > 0 && numbered {
			return "", errors.New("fields {} and {0} must not be mixed")
		}
		if i >= len(groups) {
			return "", errors.New("{" + field + "}: user has no such group; braces of the pattern must be doubled")
		}
		b.WriteString(groups[i])
	}
}
