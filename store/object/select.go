package object

import (
	"bytes"
	"fmt"
	"slices"
	"unicode/utf8"

	"inetdav/store/object/caltime"
	"inetdav/store/object/ical"
)

// CalendarData is what a client asks for in CALDAV:calendar-data (RFC 4791,
// 9.6). The zero value asks for the whole object.
type CalendarData struct {
	// Comp is CALDAV:comp for VCALENDAR, or nil for everything.
	Comp *CompSelect
	// At most one of Expand and LimitRecurrenceSet.
	Expand             *TimeRange
	LimitRecurrenceSet *TimeRange
	LimitFreeBusySet   *TimeRange
	// MaxExpand is how many instances Expand may give in all calls of Append
	// together, more being ErrInstances; 0, or what is larger, is the constant
	// MaxExpand for each.
	MaxExpand int

	expanded int // instances that Expand has given
}

// CompSelect is CALDAV:comp (RFC 4791, 9.6.1). One that is empty but for its
// name asks for the whole component, as the examples of RFC 4791, 7.8, have it.
type CompSelect struct {
	Name    string
	AllProp bool
	Props   []PropSelect
	AllComp bool
	Comps   []CompSelect
}

// PropSelect is CALDAV:prop (RFC 4791, 9.6.4) and CARDDAV:prop (RFC 6352, 10.4.2).
type PropSelect struct {
	Name    string
	NoValue bool
}

// AddressData is what a client asks for in CARDDAV:address-data (RFC 6352,
// 10.4). Without Props it asks for the whole object.
type AddressData struct {
	// Version is that of vCard which the client wants, "3.0" or "4.0", see
	// [Card.Convert]. Without it, cards are given as they are stored.
	Version string
	Props   []PropSelect
}

// MaxSelect is the number of elements within CalendarData or AddressData.
const MaxSelect = 500

// Check says whether d can be asked for. Errors wrap ErrFilter.
func (d *CalendarData) Check() error {
	for _, r := range []*TimeRange{d.Expand, d.LimitRecurrenceSet, d.LimitFreeBusySet} {
		if err := r.check(); err != nil {
			return err
		}
		// RFC 4791, 9.6.5: both ends are required.
		if r != nil && (r.Start == NoStart || r.End == NoEnd) {
			return fmt.Errorf("%w: calendar-data with an open time-range", ErrFilter)
		}
	}
	if d.Expand != nil && d.LimitRecurrenceSet != nil {
		return fmt.Errorf("%w: expand beside limit-recurrence-set", ErrFilter)
	}
	if d.Comp == nil {
		return nil
	}
	if !sameName(d.Comp.Name, "VCALENDAR") {
		return fmt.Errorf("%w: the outermost comp is not VCALENDAR", ErrFilter)
	}
	left := MaxSelect
	return d.Comp.check(MaxFilterDepth, &left)
}

func (d *CompSelect) check(depth int, left *int) error {
	if *left -= 1 + len(d.Props); *left < 0 || depth == 0 {
		return fmt.Errorf("%w: calendar-data asks for too many parts", ErrFilter)
	}
	for i := range d.Comps {
		if err := d.Comps[i].check(depth-1, left); err != nil {
			return err
		}
	}
	return nil
}

// Check says whether d can be asked for. Errors wrap ErrFilter.
func (d *AddressData) Check() error {
	if len(d.Props) > MaxSelect {
		return fmt.Errorf("%w: address-data asks for too many parts", ErrFilter)
	}
	if d.Version != "" && d.Version != vCard3 && d.Version != vCard4 {
		return fmt.Errorf("%w: address-data in vCard %q", ErrFilter, clip(d.Version))
	}
	return nil
}

func (d *CalendarData) most() int {
	if d.MaxExpand > 0 {
		return min(d.MaxExpand-d.expanded, MaxExpand)
	}
	return MaxExpand
}

// Whole reports whether d asks for objects as they are: nobody need parse
// them then, and [ForXML] of the source is what Append appends (whose c may
// be nil).
func (d *CalendarData) Whole() bool {
	return d.Expand == nil && d.LimitRecurrenceSet == nil && d.LimitFreeBusySet == nil &&
		(d.Comp == nil || d.Comp.whole())
}

// Whole reports whether d asks for this object as it is: nobody need parse it
// then, and [ForXML] of the source is what Append appends (whose c may be nil).
func (d *AddressData) Whole(source []byte) bool {
	return len(d.Props) == 0 && (d.Version == "" || d.Version == CardVersion(source))
}

func (d *CompSelect) whole() bool { return d.wholeProps() && d.wholeComps() }

func (d *CompSelect) empty() bool {
	return !d.AllProp && !d.AllComp && len(d.Props)+len(d.Comps) == 0
}

func (d *CompSelect) wholeProps() bool { return d.AllProp || d.empty() }
func (d *CompSelect) wholeComps() bool { return d.AllComp || d.empty() }

// Append appends to dst what d asks for of c, which was parsed from source.
// What is not changed by Expand or a limit is copied from there byte for byte.
// DATE and floating values lie in the zone floating; nil is UTC. On an error
// (ErrInstances, ErrSyntax) dst comes back as it was.
func (d *CalendarData) Append(dst []byte, c *Calendar, source []byte, floating *caltime.Zone) ([]byte, error) {
	if d.Whole() {
		return append(dst, ForXML(source)...), nil
	}
	w := writer{dst: dst, source: source}
	sel := d.Comp
	if sel == nil {
		sel = &CompSelect{Name: "VCALENDAR"}
	}
	w.begin(c.Root)
	switch {
	case d.Expand != nil:
		w.properties(sel, c.Root)
		n := 0
		for comp, err := range c.expand(*d.Expand, d.most(), floating) {
			if err != nil {
				return dst, err
			}
			n++
			if sub := sel.find(comp.Name); sub != nil {
				w.component(sub, comp)
			}
		}
		d.expanded += n
	default:
		err := w.children(sel, c.Root, func(comp *ical.Component) (*ical.Component, error) {
			if d.LimitRecurrenceSet != nil {
				if ok, err := c.inRecurrenceSet(comp, *d.LimitRecurrenceSet, floating); !ok || err != nil {
					return nil, err
				}
			}
			if d.LimitFreeBusySet != nil {
				return c.limitFreeBusy(comp, *d.LimitFreeBusySet, floating)
			}
			return comp, nil
		})
		if err != nil {
			return dst, err
		}
	}
	w.end(c.Root)
	return w.dst, nil
}

// Append appends to dst what d asks for of c, which was parsed from source. Props
// are those of the version asked for. On an error (ErrConversion) dst comes back
// as it was.
func (d *AddressData) Append(dst []byte, c *Card, source []byte) ([]byte, error) {
	if d.Whole(source) {
		return append(dst, ForXML(source)...), nil
	}
	root, convert := c.Root, d.Version != "" && d.Version != c.Version()
	if convert {
		if len(d.Props) == 0 {
			return c.Convert(dst, source, d.Version)
		}
		var err error
		if root, err = c.convert(source, d.Version); err != nil {
			return dst, err
		}
	}
	w := writer{dst: dst, source: source, crlf: convert}
	w.begin(root)
	for i := range root.Properties {
		p := &root.Properties[i]
		for j := range d.Props {
			f := CardPropFilter{Name: d.Props[j].Name}
			// VERSION is what makes a card readable at all; RFC 6352, 8.6.3,
			// shows it asked for, but clients forget it.
			if f.names(p) || p.Name == "VERSION" {
				w.property(p, d.Props[j].NoValue && p.Name != "VERSION")
				break
			}
		}
	}
	w.end(root)
	return w.dst, nil
}

// ForXML returns an object as it may stand in an XML document: source itself,
// except that lines which are folded within a character, as RFC 5545, 3.1,
// allows, are folded anew, for half a character cannot be there.
func ForXML(source []byte) []byte {
	if utf8.Valid(source) {
		return source
	}
	dst := make([]byte, 0, len(source)+64)
	done := 0
	for l := ical.NewLines(source); l.Next(); {
		dst = append(dst, source[done:l.Start]...)
		if line := source[l.Start:l.End]; utf8.Valid(line) {
			dst = append(dst, line...)
		} else {
			dst = ical.AppendLine(dst, l.Text)
		}
		done = l.End
	}
	return append(dst, source[done:]...)
}

// find returns how the inner component with this name is selected, or nil.
func (d *CompSelect) find(name string) *CompSelect {
	for i := range d.Comps {
		if sameName(d.Comps[i].Name, name) {
			return &d.Comps[i]
		}
	}
	if d.wholeComps() {
		return &CompSelect{}
	}
	return nil
}

// writer writes parts of a tree: from the source where they came from it, else
// anew. A property with Start == End did not come from the source.
type writer struct {
	dst, source []byte
	crlf        bool // lines that end otherwise are written anew
}

func (w *writer) begin(c *ical.Component) {
	w.dst = append(append(append(w.dst, "BEGIN:"...), c.Name...), "\r\n"...)
}

func (w *writer) end(c *ical.Component) {
	w.dst = append(append(append(w.dst, "END:"...), c.Name...), "\r\n"...)
}

func (w *writer) property(p *ical.Property, noValue bool) {
	switch {
	case noValue:
		w.dst = p.AppendHead(w.dst)
	case w.crlf && p.Start < p.End && !cleanLines(w.source[p.Start:p.End]):
		for l := ical.NewLines(w.source[p.Start:p.End]); l.Next(); {
			w.dst = ical.AppendLine(w.dst, l.Text)
		}
	case p.Start < p.End && p.End <= len(w.source) && utf8.Valid(w.source[p.Start:p.End]):
		w.dst = append(w.dst, w.source[p.Start:p.End]...)
		if w.source[p.End-1] != '\n' {
			w.dst = append(w.dst, "\r\n"...)
		}
	default:
		w.dst = p.Append(w.dst)
	}
}

// cleanLines reports whether all lines end in CRLF and none is folded within a
// character.
func cleanLines(b []byte) bool {
	return bytes.Count(b, []byte("\n")) == bytes.Count(b, []byte("\r\n")) && utf8.Valid(b)
}

func (w *writer) properties(sel *CompSelect, c *ical.Component) {
	all := sel.wholeProps()
	for i := range c.Properties {
		w.selected(sel, all, &c.Properties[i])
	}
}

func (w *writer) selected(sel *CompSelect, all bool, p *ical.Property) {
	j := slices.IndexFunc(sel.Props, func(s PropSelect) bool { return sameName(s.Name, p.Name) })
	if j >= 0 {
		w.property(p, sel.Props[j].NoValue)
	} else if all {
		w.property(p, false)
	}
}

func (w *writer) component(sel *CompSelect, c *ical.Component) {
	w.begin(c)
	// Without a change of components there is no error.
	_ = w.children(sel, c, nil)
	w.end(c)
}

// children writes the properties and components within c in the order of the
// source; those without a place in it come first. Change may return another
// component for one of them, or nil to leave it out.
func (w *writer) children(sel *CompSelect, c *ical.Component, change func(*ical.Component) (*ical.Component, error)) error {
	all := sel.wholeProps()
	i := 0
	for _, sub := range c.Components {
		for ; i < len(c.Properties) && c.Properties[i].Start <= sub.Start; i++ {
			w.selected(sel, all, &c.Properties[i])
		}
		s := sel.find(sub.Name)
		if s == nil {
			continue
		}
		if change != nil {
			var err error
			if sub, err = change(sub); err != nil {
				return err
			}
			if sub == nil {
				continue
			}
		}
		w.component(s, sub)
	}
	for ; i < len(c.Properties); i++ {
		w.selected(sel, all, &c.Properties[i])
	}
	return nil
}
