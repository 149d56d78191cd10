// Package config reads Radicale's configuration: its INI dialect, its places,
// its options with their types and defaults, its command line. One set of
// files serves Radicale and inetdav.
//
// Every option of Radicale is known, also those that mean nothing to a process
// that serves one connection. What is unknown is reported and ignored, where
// Radicale refuses to start; what is known must have a good value. Our own
// options are in the section [inetdav]. Radicale refuses unknown sections, so
// where one file serves both they belong on the command line:
//
//	--inetdav-idle-timeout=30
//
// A process starts for each connection, so Load does little: the table of
// options is constant, and only what is set is kept.
package config

import (
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// DefaultPath is where configuration files are looked for: a list separated by
// colons, in which "?" marks files that may be missing.
const DefaultPath = "?/etc/radicale/config:?~/.config/radicale/config"

// Config holds the options that are set; the others have their defaults. The
// zero Config has them all.
//
// The getters panic when asked for an option that does not exist or for
// another type than it has: both are mistakes of the caller, not of a user.
type Config struct {
	set     []setting
	headers []header
	files   []string // those that were read
	chosen  string   // what named them
}

type setting struct {
	option *option
	value  string
	place
}

type header struct {
	name, value string
	place
}

// place is where a value comes from.
type place struct {
	source string // the name of a file, or fromCommandLine
	line   int    // of the file
}

// What Source says beside the names of files.
const (
	fromDefault     = "default"
	fromCommandLine = "command line"
)

func (p place) String() string {
	if p.line == 0 {
		return p.source
	}
	return p.source + ", line " + strconv.Itoa(p.line)
}

// Load reads the files that the environment and the command line name, or
// those of DefaultPath, and then the options of the command line.
//
// What is no option of a configuration is returned in rest, in order: commands,
// their arguments, flags that Load does not know. Nothing after "--" is looked
// at. Each warning is a line about one unknown section or option. An error
// names the place of a value and what is expected there.
//
// RADICALE_CONFIG empty counts as not set.
func Load(args []string, getenv func(string) string) (c *Config, rest, warnings []string, err error) {
	c = new(Config)
	l := loader{c, getenv, nil}
	list := DefaultPath
	c.chosen = "the default search path"
	if p := getenv("RADICALE_CONFIG"); p != "" {
		list = p
		c.chosen = "RADICALE_CONFIG in the environment"
	}
	given := false
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if arg == "--" {
			break
		}
		value, n, ok, err := argument(args[i:], "-C", "--config")
		if err != nil {
			return nil, nil, nil, err
		}
		if !ok {
			continue
		}
		i += n - 1
		if given {
			list += ":" + value
		} else {
			list, given = value, true
			c.chosen = "--config on the command line"
		}
	}
	if err := l.files(list); err != nil {
		return nil, nil, nil, err
	}
	if rest, err = l.arguments(args); err != nil {
		return nil, nil, nil, err
	}
	return c, rest, l.warnings, nil
}

// String returns an option as text, whatever its type.
func (c *Config) String(section, key string) string {
	value, _ := c.at(known(section, key))
	return value
}

// Bool returns an option of type bool.
func (c *Config) Bool(section, key string) bool {
	v, err := parseBool(c.typed(section, key, boolean))
	must(err)
	return v
}

// Int returns an option of type int or positive_int.
func (c *Config) Int(section, key string) int64 {
	v, err := parseInt(c.typed(section, key, integer, count, ageMax))
	must(err)
	return v
}

// Duration returns an option that is a number of seconds. What is longer than
// time.Duration can hold becomes its maximum.
func (c *Config) Duration(section, key string) time.Duration {
	v, err := parseSeconds(c.typed(section, key, seconds, count, integer))
	must(err)
	return v
}

// Path returns the absolute path of a file or folder, or "".
func (c *Config) Path(section, key string) string {
	return c.typed(section, key, path)
}

// Source says where an option's value comes from: "default", "command line" or
// the name of a file.
func (c *Config) Source(section, key string) string {
	_, from := c.at(known(section, key))
	return from.source
}

// Headers gives names and values of the section [headers] in order.
func (c *Config) Headers() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for _, h := range c.headers {
			if !yield(h.name, h.value) {
				return
			}
		}
	}
}

// known returns an option that has to exist.
func known(section, key string) *option {
	o := find(section, key)
	if o == nil {
		panic("config: no option [" + section + "] " + key)
	}
	return o
}

func (c *Config) at(o *option) (value string, from place) {
	for i := range c.set {
		if c.set[i].option == o {
			return c.set[i].value, c.set[i].place
		}
	}
	return o.value, place{source: fromDefault}
}

func (c *Config) typed(section, key string, kinds ...kind) string {
	o := known(section, key)
	if slices.Contains(kinds, o.kind) {
		value, _ := c.at(o)
		return value
	}
	panic("config: [" + section + "] " + key + " is of another type")
}

// must guards what Load has checked before.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

type loader struct {
	c        *Config
	getenv   func(string) string
	warnings []string
}

// files reads a list of files; later ones override earlier ones option by option.
func (l *loader) files(list string) error {
	for name := range strings.SplitSeq(list, ":") {
		name, optional := strings.CutPrefix(name, "?")
		name, err := l.expand(name)
		if err != nil {
			if optional {
				continue
			}
			return err
		}
		if name == "" {
			continue
		}
		err = l.file(name)
		if optional && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.ENOTDIR)) {
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (l *loader) file(name string) error {
	r, err := os.Open(name)
	if err != nil {
		return err
	}
	defer r.Close()
	f, err := Parse(r, name)
	if err != nil {
		return err
	}
	l.c.files = append(l.c.files, name)
	for i := range f.Sections {
		s := &f.Sections[i]
		if s.Name != "headers" && optionsOf(s.Name) == nil {
			l.warnings = append(l.warnings, name+": unknown section ["+s.Name+"]")
			continue
		}
		for _, list := range [...][]Option{f.Defaults, s.Options} {
			for _, o := range list {
				if s.Name == "headers" {
					l.c.setHeader(o.Key, o.Value, place{name, o.Line})
					continue
				}
				option := find(s.Name, o.Key)
				if option == nil || strings.HasPrefix(o.Key, "_") {
					l.warnings = append(l.warnings, name+": unknown option ["+s.Name+"] "+o.Key)
					continue
				}
				if err := l.set(s.Name, option, o.Value, place{name, o.Line}); err != nil {
					return fmt.Errorf("%s: line %d: %w", name, o.Line, err)
				}
			}
		}
	}
	return nil
}

// set checks a value and keeps it.
func (l *loader) set(section string, o *option, value string, from place) error {
	if o.kind == path {
		var err error
		if value, err = l.expand(value); err != nil {
			return fmt.Errorf("[%s] %s: %w", section, o.key, err)
		}
	} else if want := check(o.kind, value); want != "" {
		return fmt.Errorf("[%s] %s: %q is not %s", section, o.key, value, want)
	}
	for i := range l.c.set {
		if l.c.set[i].option == o {
			l.c.set[i].value, l.c.set[i].place = value, from
			return nil
		}
	}
	l.c.set = append(l.c.set, setting{o, value, from})
	return nil
}

func (c *Config) setHeader(name, value string, from place) {
	for i := range c.headers {
		if strings.EqualFold(c.headers[i].name, name) {
			c.headers[i] = header{name, value, from}
			return
		}
	}
	c.headers = append(c.headers, header{name, value, from})
}

// arguments takes the options of the command line and returns what is left.
func (l *loader) arguments(args []string) (rest []string, err error) {
	from := place{source: fromCommandLine}
next:
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if arg == "--" {
			return append(rest, args[i+1:]...), nil
		}
		if len(arg) < 2 || arg[0] != '-' {
			rest = append(rest, arg)
			continue
		}
		if _, n, ok, _ := argument(args[i:], "-C", "--config"); ok {
			i += n - 1
			continue
		}
		if h, ok := strings.CutPrefix(arg, "--headers-"); ok {
			name, value, found := strings.Cut(h, "=")
			if !found || name == "" {
				return nil, errors.New(arg + ": expected --headers-NAME=VALUE")
			}
			l.c.setHeader(name, value, from)
			continue
		}
		for _, a := range aliases {
			if a.value != "" && arg == a.flag {
				if err := l.set(a.section, known(a.section, a.key), a.value, from); err != nil {
					return nil, err
				}
				continue next
			}
			if a.value != "" {
				continue
			}
			value, n, ok, err := argument(args[i:], a.flag)
			if err != nil {
				return nil, err
			}
			if ok {
				if err := l.set(a.section, known(a.section, a.key), value, from); err != nil {
					return nil, fmt.Errorf("%s: %w", arg, err)
				}
				i += n - 1
				continue next
			}
		}
		name, value, hasValue := strings.Cut(arg, "=")
		section, o, no := findFlag(name)
		switch {
		case o == nil:
			rest = append(rest, arg)
			continue
		case no && hasValue:
			return nil, errors.New(name + " takes no value")
		case no:
			value = "False"
		case hasValue:
		case o.kind == boolean:
			value = "True"
			// A word after a switch may be a command, so only a boolean is taken.
			if i+1 < len(args) && check(boolean, args[i+1]) == "" {
				i++
				value = args[i]
			}
		default:
			var n int
			if value, n, _, err = argument(args[i:], name); err != nil {
				return nil, err
			}
			i += n - 1
		}
		if err := l.set(section, o, value, from); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return rest, nil
}

// argument looks for an option with a value at the start of args: "--name
// value", "--name=value", "-n value" or "-nvalue". n is how many arguments it takes.
func argument(args []string, names ...string) (value string, n int, ok bool, err error) {
	for _, name := range names {
		after, found := strings.CutPrefix(args[0], name)
		switch {
		case !found:
		case after == "":
			// As in Python's argparse only a number may begin with a dash.
			if len(args) < 2 || len(args[1]) > 1 && args[1][0] == '-' && check(seconds, args[1][1:]) != "" {
				return "", 0, false, errors.New(name + ": expected a value")
			}
			return args[1], 2, true, nil
		case after[0] == '=':
			return after[1:], 1, true, nil
		case len(name) == 2 && name[1] != '-':
			return after, 1, true, nil
		}
	}
	return "", 0, false, nil
}

// findFlag returns the option that --section-key or --no-section-key names, or nil.
func findFlag(flag string) (section string, o *option, no bool) {
	name, ok := strings.CutPrefix(flag, "--")
	if !ok {
		return "", nil, false
	}
	for _, no := range [...]bool{false, true} {
		if no {
			if name, ok = strings.CutPrefix(name, "no-"); !ok {
				break
			}
		}
		for i := range sections {
			key, ok := strings.CutPrefix(name, sections[i].name)
			if !ok || key == "" || key[0] != '-' {
				continue
			}
			options := sections[i].options
			for j := range options {
				o := &options[j]
				if len(key) == len(o.key)+1 && sameFlag(key[1:], o.key) && (!no || o.kind == boolean) {
					return sections[i].name, o, no
				}
			}
		}
	}
	return "", nil, false
}

// sameFlag compares the flag of an option, which has dashes, with its key, which has underscores.
func sameFlag(flag, key string) bool {
	for i := range len(key) {
		if c := key[i]; c == '_' && (i == 0 || flag[i] != '-') || c != '_' && flag[i] != c {
			return false
		}
	}
	return true
}

// expand makes a path absolute, with ~ and ~user as the homes they stand for.
func (l *loader) expand(name string) (string, error) {
	if name == "" {
		return "", nil
	}
	if rest, ok := strings.CutPrefix(name, "~"); ok {
		user, rest, _ := strings.Cut(rest, "/")
		home := ""
		if user == "" {
			home = l.getenv("HOME")
		}
		if home == "" {
			home = passwdHome(user)
		}
		if home == "" {
			return "", errors.New("the home folder of " + name + " is not known")
		}
		name = filepath.Join(home, rest)
	}
	return filepath.Abs(name)
}

// passwdHome returns the home folder of a user, or of the process's own user
// when the name is "": super-servers often give no HOME. It is "" when unknown.
func passwdHome(user string) string {
	b, err := os.ReadFile("/etc/passwd")
	if err != nil {
		return ""
	}
	uid := strconv.Itoa(os.Getuid())
	for line := range strings.Lines(string(b)) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), ":")
		if len(f) >= 6 && (f[0] == user || user == "" && f[2] == uid) {
			return f[5]
		}
	}
	return ""
}

// check returns "" when the value is good, else what is expected.
func check(k kind, value string) (want string) {
	switch k {
	case boolean:
		if _, err := parseBool(value); err != nil {
			return "a boolean (true, yes, on, 1, false, no, off, 0)"
		}
	case integer:
		if _, err := parseInt(value); err != nil {
			return "a whole number"
		}
	case count:
		if n, err := parseInt(value); err != nil || n < 0 {
			return "a whole number of at least 0"
		}
	case seconds:
		if _, err := parseSeconds(value); err != nil {
			return "a number of at least 0"
		}
	case hosts:
		for host := range strings.SplitSeq(value, ",") {
			n := strings.LastIndexByte(host, ':')
			if n < 0 {
				return "a list of host:port"
			}
			if _, err := parseInt(strip(host[n+1:])); err != nil {
				return "a list of host:port"
			}
		}
	case imapAddress:
		// A colon behind the bracket of an IPv6 address begins the port.
		host := value[strings.LastIndexByte(value, ']')+1:]
		if n := strings.LastIndexByte(host, ':'); n >= 0 {
			if _, err := parseInt(strip(host[n+1:])); err != nil {
				return "a host or host:port"
			}
		}
	case storageType:
		// Another one is a module of Python's, which keeps the collections elsewhere.
		return oneOf(value, "multifilesystem", "multifilesystem_nolock")
	case level:
		return oneOf(value, "trace", "debug", "info", "notice", "warning", "error", "critical", "alert")
	case validate:
		return oneOf(value, "none", "minimal", "no-unicode", "unicode-none", "unicode-letter", "strict")
	case imapSecurity:
		return oneOf(strings.ToLower(value), "tls", "starttls", "none")
	case profiling:
		return oneOf(value, "none", "per_request", "per_request_method")
	case letters:
		if strings.Trim(value, "RriWwDdOoTtMmPpEe") != "" {
			return "some of the letters RriWwDdOoTtMmPpEe"
		}
	case confinement:
		return oneOf(value, "auto", "no", "strict")
	case ageMax:
		if n, err := parseInt(value); err != nil || n < 0 || n > 199 {
			return "a whole number from 0 to 199"
		}
	}
	return ""
}

func oneOf(value string, words ...string) (want string) {
	for _, w := range words {
		if value == w {
			return ""
		}
	}
	return "one of " + strings.Join(words, ", ")
}

var errValue = errors.New("bad value")

// parseBool knows the words of RawConfigParser.BOOLEAN_STATES.
func parseBool(s string) (bool, error) {
	switch s { // the defaults, of which a start asks for many
	case "True":
		return true, nil
	case "False":
		return false, nil
	}
	switch strings.ToLower(s) {
	case "1", "yes", "true", "on":
		return true, nil
	case "0", "no", "false", "off":
		return false, nil
	}
	return false, errValue
}

// digits is a number as Python writes it, without the underscores that may stand between digits.
func digits(s string) (string, error) {
	isDigit := func(i int) bool { return i >= 0 && i < len(s) && '0' <= s[i] && s[i] <= '9' }
	plain := s != ""
	for i := range len(s) {
		plain = plain && isDigit(i)
	}
	if plain {
		return s, nil
	}
	b := make([]byte, 0, len(s))
	for i := range len(s) {
		switch c := s[i]; {
		case c == '_':
			if !isDigit(i-1) || !isDigit(i+1) {
				return "", errValue
			}
		case isDigit(i), strings.IndexByte("+-.eE", c) >= 0:
			b = append(b, c)
		default:
			return "", errValue
		}
	}
	return string(b), nil
}

func parseInt(s string) (int64, error) {
	s, err := digits(s)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(s, 10, 64)
}

func parseSeconds(s string) (time.Duration, error) {
	s, err := digits(s)
	if err != nil {
		return 0, err
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f < 0 || math.IsInf(f, 0) {
		return 0, errValue
	}
	if f *= float64(time.Second); f >= math.MaxInt64 {
		return math.MaxInt64, nil
	}
	return time.Duration(f), nil
}
