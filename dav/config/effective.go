package config

import (
	"fmt"
	"io"
	"strings"
)

// What a limit of 0 comes down to, in bytes: in Radicale it is none.
const (
	maxBody   = 1 << 30
	maxObject = 100_000_000
)

// MaxBody returns how long the body of a request may be, in bytes: [server]
// max_content_length.
func (c *Config) MaxBody() int64 {
	if n := c.Int("server", "max_content_length"); n > 0 {
		return n
	}
	return maxBody
}

// MaxObject returns how long an object may be, in bytes: [server]
// max_resource_size, but as in Radicale no more than 80 % of MaxBody.
func (c *Config) MaxObject() int64 {
	n := c.Int("server", "max_resource_size")
	if n == 0 {
		n = maxObject
	}
	return min(n, c.MaxBody()/5*4)
}

// Unused names the options which are set to something else than their default
// and have no effect here: those whose place is taken by something else, with
// what that is, and those that are not done. Each is "" or one line.
func (c *Config) Unused() (elsewhere, undone string) {
	for i := range sections {
		s := &sections[i]
		for j := range s.options {
			o := &s.options[j]
			if o.instead == "" {
				continue
			}
			value, from := c.at(o)
			if from.source == fromDefault || strings.EqualFold(value, o.value) || value == "none" || value == "" {
				continue
			}
			name := "[" + s.name + "] " + o.key
			if o.instead == notDone {
				undone = join(undone, name)
			} else {
				elsewhere = join(elsewhere, name+" (instead: "+o.instead+")")
			}
		}
	}
	return elsewhere, undone
}

func join(list, more string) string {
	if list == "" {
		return more
	}
	return list + ", " + more
}

// Write writes the whole configuration in the form of its files. Comments say
// where the values below them come from, and what takes the place of those which
// have no effect. Secrets are left out, and so are the options that can only be
// read.
func (c *Config) Write(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# files, named by %s:", c.chosen)
	if len(c.files) == 0 {
		b.WriteString(" none of them is there")
	}
	for _, name := range c.files {
		b.WriteString(" " + comment(name))
	}
	b.WriteString("\n")
	for i := range sections {
		s := &sections[i]
		b.WriteString("\n[" + s.name + "]\n")
		last := ""
		for j := range s.options {
			o := &s.options[j]
			if o.key[0] == '_' {
				continue
			}
			value, from := c.at(o)
			about := comment(from.String())
			if unset := c.whenUnset(s.name, o.key); unset != "" && from.source == fromDefault {
				b.WriteString("# " + o.key + " is not set: " + unset + "\n")
				last = ""
				continue
			}
			switch {
			case o.instead == notDone && value != "none":
				about += "; not done here"
			case o.instead != "" && o.instead != notDone:
				about += "; no effect here, but " + o.instead
			}
			if o.kind == secret && value != "" {
				fmt.Fprintf(&b, "# %s is not shown: %s\n", o.key, about)
				last = ""
				continue
			}
			last = writeOption(&b, last, about, o.key, value)
		}
	}
	if len(c.headers) > 0 {
		b.WriteString("\n[headers]\n")
		last := ""
		for _, h := range c.headers {
			last = writeOption(&b, last, comment(h.place.String()), h.name, h.value)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// whenUnset says of an option that does otherwise where nobody has set it than
// where somebody has set its default, what it does. Such a default must not be
// written as a value: a file with it would not be the same configuration.
func (c *Config) whenUnset(section, key string) string {
	switch section + " " + key {
	case "server validate_path_value":
		return "names are not looked at; minimal, where a Radicale reads this"
	case "inetdav stat_age":
		return "the age grows with the collection"
	case "inetdav idle_timeout":
		return "150 for a peer on this machine, else 60"
	case "inetdav header_timeout", "inetdav body_timeout", "inetdav write_timeout":
		if c.Source("server", "timeout") != fromDefault {
			return "[server] timeout holds"
		}
	}
	return ""
}

// writeOption writes an option, below about unless that was said last.
func writeOption(b *strings.Builder, last, about, key, value string) string {
	if about != last {
		b.WriteString("# " + about + "\n")
	}
	b.WriteString(key + " =")
	for i, line := range strings.Split(value, "\n") {
		switch {
		case i > 0 && line != "":
			b.WriteString("\n   ")
			fallthrough
		case line != "":
			b.WriteString(" " + line)
		case i > 0:
			b.WriteString("\n")
		}
	}
	b.WriteString("\n")
	return about
}

// comment is text on one line.
func comment(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' {
			return '?'
		}
		return r
	}, text)
}

// Sets reports whether a file sets an option of a section.
func (c *Config) Sets(section string) bool {
	options := optionsOf(section)
	for i := range options {
		if _, from := c.at(&options[i]); from.line > 0 {
			return true
		}
	}
	return false
}

// Values gives the values of all options of a section, in the order of the table.
func (c *Config) Values(section string) []string {
	options := optionsOf(section)
	values := make([]string, len(options))
	for i := range options {
		values[i], _ = c.at(&options[i])
	}
	return values
}
