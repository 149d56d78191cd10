package config

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxFile is how long a configuration or rights file may be, in bytes.
const MaxFile = 1 << 20

// MaxOptions is how many options a file may have, and how many sections.
const MaxOptions = 10_000

// File is a file in the INI dialect of Python's configparser.RawConfigParser,
// as Radicale reads its configuration and rights files: sections and options
// in the order of the file, values with their continuation lines joined by
// newlines, [DEFAULT] kept apart.
type File struct {
	Name     string // as given to Parse, for messages
	Defaults []Option
	Sections []Section
}

// Section is a section and the options written in it.
type Section struct {
	Name    string
	Options []Option
}

// Option is one key, in lower case, with its raw value.
type Option struct {
	Key, Value string
	Line       int // counted from 1
}

// Parse reads a file. It takes what RawConfigParser takes: "=" or ":" after a
// key, comments of whole lines only (# and ;), values continued by lines that
// are indented deeper than their key, blank lines within them. It refuses what
// RawConfigParser refuses: duplicate sections and keys, a line before the first
// section, a line that is neither of these; and text that is not UTF-8 or
// longer than MaxFile.
func Parse(r io.Reader, name string) (*File, error) {
	text, err := io.ReadAll(io.LimitReader(r, MaxFile+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(text) > MaxFile {
		return nil, fmt.Errorf("%s: longer than %d bytes", name, MaxFile)
	}
	f := &File{Name: name}
	if err := f.parse(string(text)); err != nil {
		return nil, err
	}
	return f, nil
}

func (f *File) parse(text string) error {
	var (
		options *[]Option // of the section at hand, nil before the first one
		current bool      // whether its last option may be continued
		value   []byte    // of the last option, when it has more than one line
		indent  int       // of the last line that was no continuation, in characters
		number  int
		count   int
	)
	finish := func() {
		if !current {
			return
		}
		last := &(*options)[len(*options)-1]
		if len(value) > 0 {
			last.Value = string(value)
			value = value[:0]
		}
		last.Value = stripRight(last.Value)
		current = false
	}
	more := func(line string) {
		if len(value) == 0 {
			value = append(value, (*options)[len(*options)-1].Value...)
		}
		value = append(append(value, '\n'), line...)
	}
	fail := func(msg string) error { return fmt.Errorf("%s: line %d: %s", f.Name, number, msg) }
	for rest := text; rest != ""; {
		line := rest
		// Python's universal newlines: LF, CR LF or CR.
		if n := strings.IndexAny(rest, "\r\n"); n < 0 {
			rest = ""
		} else {
			line, rest = rest[:n], rest[n+1:]
			if text[len(text)-len(rest)-1] == '\r' && strings.HasPrefix(rest, "\n") {
				rest = rest[1:]
			}
		}
		number++
		if !utf8.ValidString(line) {
			return fail("not UTF-8")
		}
		bare := strip(line)
		switch {
		case bare == "":
			if current {
				more("")
			}
			continue
		case bare[0] == '#' || bare[0] == ';':
			continue
		}
		depth := utf8.RuneCountInString(line[:strings.Index(line, bare)])
		if current && depth > indent {
			more(bare)
			continue
		}
		finish()
		indent = depth
		// The header ends at the last bracket; what follows is ignored.
		if end := strings.LastIndexByte(bare, ']'); bare[0] == '[' && end > 1 {
			header := bare[1:end]
			if header == "DEFAULT" {
				options = &f.Defaults
				continue
			}
			if slices.ContainsFunc(f.Sections, func(s Section) bool { return s.Name == header }) {
				return fail("section [" + header + "] is there twice")
			}
			if len(f.Sections) == MaxOptions {
				return fail("too many sections")
			}
			f.Sections = append(f.Sections, Section{Name: header})
			options = &f.Sections[len(f.Sections)-1].Options
			continue
		}
		if options == nil {
			return fail("text before the first section")
		}
		n := strings.IndexAny(bare, "=:")
		if n <= 0 {
			return fail("neither a section, nor key = value, nor a comment")
		}
		key := strings.ToLower(stripRight(bare[:n]))
		if slices.ContainsFunc(*options, func(o Option) bool { return o.Key == key }) {
			return fail(key + " is there twice in its section")
		}
		if count++; count > MaxOptions {
			return fail("too many options")
		}
		*options = append(*options, Option{key, strip(bare[n+1:]), number})
		current = true
	}
	finish()
	return nil
}

// Get returns the raw value of a key in a section, or that of [DEFAULT].
func (f *File) Get(s *Section, key string) (string, bool) {
	for _, options := range [...][]Option{s.Options, f.Defaults} {
		for i := range options {
			if options[i].Key == key {
				return options[i].Value, true
			}
		}
	}
	return "", false
}

// The limits of interpolation. The depth is Python's; the length is there
// because each level may double the text.
const (
	maxInterpolationDepth  = 10
	maxInterpolationLength = 64 << 10
)

// Interpolated is Get with the interpolation of Python's ConfigParser: %% is a
// percent sign, %(key)s the value of another key of the section, and any other
// percent sign is an error.
func (f *File) Interpolated(s *Section, key string) (value string, ok bool, err error) {
	raw, ok := f.Get(s, key)
	if !ok || strings.IndexByte(raw, '%') < 0 {
		return raw, ok, nil
	}
	var b []byte
	if b, err = f.interpolate(b, s, raw, 1); err != nil {
		return "", true, fmt.Errorf("%s: section [%s]: %s: %w", f.Name, s.Name, key, err)
	}
	return string(b), true, nil
}

func (f *File) interpolate(b []byte, s *Section, rest string, depth int) ([]byte, error) {
	if depth > maxInterpolationDepth {
		return nil, fmt.Errorf("values refer to each other too deep")
	}
	for {
		n := strings.IndexByte(rest, '%')
		if n < 0 {
			return append(b, rest...), nil
		}
		b, rest = append(b, rest[:n]...), rest[n+1:]
		if len(b) > maxInterpolationLength {
			return nil, fmt.Errorf("value longer than %d bytes", maxInterpolationLength)
		}
		switch {
		case strings.HasPrefix(rest, "%"):
			b, rest = append(b, '%'), rest[1:]
		case strings.HasPrefix(rest, "("):
			key, after, found := strings.Cut(rest[1:], ")")
			if !found || key == "" || !strings.HasPrefix(after, "s") {
				return nil, fmt.Errorf("bad reference %%%s", rest)
			}
			rest = after[1:]
			value, ok := f.Get(s, strings.ToLower(key))
			if !ok {
				return nil, fmt.Errorf("reference to %q, which is not there", key)
			}
			var err error
			if b, err = f.interpolate(b, s, value, depth+1); err != nil {
				return nil, err
			}
		default:
			return nil, fmt.Errorf("a percent sign must be written %%%%")
		}
	}
}

func strip(s string) string      { return strings.TrimFunc(s, isSpace) }
func stripRight(s string) string { return strings.TrimRightFunc(s, isSpace) }

// isSpace is Python's str.isspace for one character.
func isSpace(r rune) bool {
	return r == ' ' || r >= 0x1C && r <= 0x1F || unicode.IsSpace(r)
}
