package backend

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"time"

	goical "github.com/emersion/go-ical"
	"github.com/emersion/go-vcard"

	"inetdav/store/object"
	"inetdav/store/object/ical"
)

// This file is the only place where objects become go-ical's and go-vcard's
// trees. Neither decoder sees a byte that a client sent.

// calendarTree returns the tree that go-ical's decoder would make of a
// component, if it could stand it. What it cannot express (lines that are no
// content lines) is left out. The depth is bounded by ical.MaxDepth.
func calendarTree(c *ical.Component) *goical.Component {
	t := &goical.Component{Name: c.Name, Props: make(goical.Props, len(c.Properties))}
	for i := range c.Properties {
		p := &c.Properties[i]
		if p.Name == "" || delimits(p) {
			continue
		}
		prop := goical.Prop{Name: p.Name, Params: make(goical.Params, len(p.Params)), Value: oneLine(p.Value)}
		if p.Group != "" {
			prop.Name = strings.ToUpper(p.Group) + "." + p.Name
		}
		for _, param := range p.Params {
			if !isToken(param.Name) {
				continue
			}
			values := prop.Params[param.Name]
			for _, v := range param.Values {
				values = append(values, oneLine(strings.ReplaceAll(v, `"`, "^'"))) // RFC 6868, 3.1
			}
			prop.Params[param.Name] = values
		}
		t.Props[prop.Name] = append(t.Props[prop.Name], prop)
	}
	for _, sub := range c.Components {
		t.Children = append(t.Children, calendarTree(sub))
	}
	return t
}

// delimits reports whether a property would be read as a BEGIN or END by
// programs that allow these to have parameters.
func delimits(p *ical.Property) bool { return p.Name == "BEGIN" || p.Name == "END" }

// oneLine takes out the line ends of a value.
func oneLine(s string) string {
	if !strings.ContainsAny(s, "\r\n") {
		return s
	}
	return strings.NewReplacer("\r\n", " ", "\n", " ", "\r", " ").Replace(s)
}

// isToken reports whether s can be the name of a parameter (RFC 5545, 3.1).
func isToken(s string) bool {
	for i := range len(s) {
		if c := s[i]; c != '-' && c != '_' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return s != ""
}

// complete adds what go-ical's encoder insists on and the folder need not have.
func complete(t *goical.Component, modTime time.Time) {
	add := func(c *goical.Component, name, value string) {
		if len(c.Props[name]) == 0 {
			p := goical.NewProp(name)
			p.Value = value
			c.Props[name] = []goical.Prop{*p}
		}
	}
	add(t, goical.PropVersion, "2.0")
	add(t, goical.PropProductID, "-//inetdav//backend//EN")
	for _, c := range t.Children {
		switch c.Name {
		case goical.CompEvent, goical.CompToDo, goical.CompJournal, goical.CompFreeBusy:
			add(c, goical.PropDateTimeStamp, modTime.UTC().Format("20060102T150405Z"))
		}
	}
}

// decodeCalendar returns the tree of an object that was changed last at modTime.
func decodeCalendar(c *object.Calendar, modTime time.Time) *goical.Calendar {
	t := calendarTree(c.Root)
	complete(t, modTime)
	return &goical.Calendar{Component: t}
}

// noCalendar stands for an object that cannot be read. go-ical's encoder
// refuses it with an error, where it would panic at nil.
func noCalendar() *goical.Calendar {
	return &goical.Calendar{Component: &goical.Component{Name: goical.CompCalendar, Props: goical.Props{}}}
}

// encodeCalendar returns the bytes of a tree.
func encodeCalendar(cal *goical.Calendar) ([]byte, error) {
	if cal == nil || cal.Component == nil {
		return nil, fmt.Errorf("%w: no calendar", object.ErrSyntax)
	}
	var b bytes.Buffer
	if err := goical.NewEncoder(&b).Encode(cal); err != nil {
		return nil, fmt.Errorf("%w: %w", object.ErrSyntax, err)
	}
	return b.Bytes(), nil
}

// decodeCard returns go-vcard's reading of an object.
func decodeCard(c *object.Card) (vcard.Card, error) {
	if c.Root.Name != "VCARD" {
		return nil, fmt.Errorf("%w: %s is no vCard", object.ErrSyntax, c.Root.Name)
	}
	card, err := vcard.NewDecoder(bytes.NewReader(plainLines(nil, c.Root))).Decode()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", object.ErrSyntax, err)
	}
	if card.Get(vcard.FieldVersion) == nil {
		card.SetValue(vcard.FieldVersion, "3.0")
	}
	return card, nil
}

// encodeCard returns the bytes of a card.
func encodeCard(card vcard.Card) ([]byte, error) {
	if card.Get(vcard.FieldVersion) == nil {
		return nil, fmt.Errorf("%w: no VERSION", object.ErrSyntax)
	}
	var b bytes.Buffer
	if err := vcard.NewEncoder(&b).Encode(card); err != nil {
		return nil, fmt.Errorf("%w: %w", object.ErrSyntax, err)
	}
	return b.Bytes(), nil
}

// plainLines appends a component as both decoders read it without harm: each
// content line is one physical line.
func plainLines(dst []byte, c *ical.Component) []byte {
	dst = append(append(append(dst, "BEGIN:"...), c.Name...), "\r\n"...)
	for i := range c.Properties {
		if p := &c.Properties[i]; p.Name != "" && !delimits(p) {
			dst = append(p.AppendUnfolded(dst), "\r\n"...)
		}
	}
	for _, sub := range c.Components {
		dst = plainLines(dst, sub)
	}
	return append(append(append(dst, "END:"...), c.Name...), "\r\n"...)
}

// counter counts what is written.
type counter struct{ n int64 }

func (c *counter) Write(b []byte) (int, error) {
	c.n += int64(len(b))
	return len(b), nil
}

// length returns how much encode writes, or 0 if it fails: what go-webdav's
// handlers send has this length, not that of the file.
func length(encode func(io.Writer) error) int64 {
	var c counter
	if encode(&c) != nil {
		return 0
	}
	return c.n
}
