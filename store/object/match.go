package object

import (
	"fmt"
	"strings"

	"inetdav/store/object/caltime"
	"inetdav/store/object/ical"
)

// Match and Check of filters: the whole object against RFC 4791, 9.7, and RFC
// 6352, 10.5. What an index can answer is in decide.go.

// Limits of filters. Both are far beyond what any client sends.
const (
	// MaxFilterDepth is how deep comp-filters may nest: as deep as components.
	MaxFilterDepth = ical.MaxDepth
	// MaxFilters is the number of filters and text-matches within one filter:
	// each is tried on each object.
	MaxFilters = 100
	// MaxText is the length of the text of a text-match in bytes.
	MaxText = 16 << 10
)

// Check says whether f is a filter that Match can apply. Errors wrap
// ErrFilter or ErrCollation.
func (f *CompFilter) Check() error {
	left := MaxFilters
	if !sameName(f.Name, "VCALENDAR") {
		return fmt.Errorf("%w: the outermost comp-filter is not for VCALENDAR", ErrFilter)
	}
	if f.TimeRange != nil {
		return fmt.Errorf("%w: time-range on VCALENDAR", ErrFilter)
	}
	return f.check(MaxFilterDepth, &left)
}

// within reports whether RFC 5545, 3.6 has a place for a component in another: only
// then can a comp-filter for it be valid (RFC 4791, 7.8). Unknown ones may be
// anywhere.
func within(name, parent string) bool {
	in := func(parents ...string) bool {
		for _, p := range parents {
			if sameName(parent, p) {
				return true
			}
		}
		return !known(parent)
	}
	switch strings.ToUpper(name) {
	case "VCALENDAR":
		return false
	case "VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VTIMEZONE", "VAVAILABILITY":
		return in("VCALENDAR")
	case "VALARM":
		return in("VEVENT", "VTODO")
	case "STANDARD", "DAYLIGHT":
		return in("VTIMEZONE")
	case "AVAILABLE":
		return in("VAVAILABILITY")
	}
	return true
}

// known reports whether a component is one of RFC 5545 or RFC 7953.
func known(name string) bool {
	switch strings.ToUpper(name) {
	case "VCALENDAR", "VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VTIMEZONE", "VAVAILABILITY",
		"VALARM", "STANDARD", "DAYLIGHT", "AVAILABLE":
		return true
	}
	return false
}

// isText reports whether a property is one of RFC 5545 that cannot be a date or a
// time: a time-range on it is not valid (RFC 4791, 7.8).
func isText(name string) bool {
	switch strings.ToUpper(name) {
	case "CALSCALE", "METHOD", "PRODID", "VERSION", "ATTACH", "CATEGORIES", "CLASS", "COMMENT", "DESCRIPTION",
		"GEO", "LOCATION", "PERCENT-COMPLETE", "PRIORITY", "RESOURCES", "STATUS", "SUMMARY", "DURATION", "TRANSP",
		"TZID", "TZNAME", "TZOFFSETFROM", "TZOFFSETTO", "TZURL", "ATTENDEE", "CONTACT", "ORGANIZER", "RELATED-TO",
		"URL", "UID", "ACTION", "REPEAT", "SEQUENCE", "REQUEST-STATUS", "RRULE", "EXRULE":
		return true
	}
	return false
}

func (f *CompFilter) check(depth int, left *int) error {
	if depth == 0 {
		return fmt.Errorf("%w: comp-filters nested too deep", ErrFilter)
	}
	if *left--; *left < 0 {
		return fmt.Errorf("%w: too many conditions", ErrFilter)
	}
	if f.Name == "" {
		return fmt.Errorf("%w: comp-filter without a name", ErrFilter)
	}
	if f.IsNotDefined && (f.TimeRange != nil || len(f.Props)+len(f.Comps) > 0) {
		return fmt.Errorf("%w: is-not-defined beside other conditions", ErrFilter)
	}
	if err := f.TimeRange.check(); err != nil {
		return err
	}
	for i := range f.Props {
		p := &f.Props[i]
		if *left--; *left < 0 {
			return fmt.Errorf("%w: too many conditions", ErrFilter)
		}
		if p.Name == "" {
			return fmt.Errorf("%w: prop-filter without a name", ErrFilter)
		}
		if p.IsNotDefined && (p.TimeRange != nil || p.TextMatch != nil || len(p.Params) > 0) {
			return fmt.Errorf("%w: is-not-defined beside other conditions", ErrFilter)
		}
		if p.TimeRange != nil && isText(p.Name) {
			return fmt.Errorf("%w: time-range on %s", ErrFilter, clip(p.Name))
		}
		if err := p.TimeRange.check(); err != nil {
			return err
		}
		if err := p.TextMatch.check(); err != nil {
			return err
		}
		if err := checkParams(p.Params, left); err != nil {
			return err
		}
	}
	for i := range f.Comps {
		if sub := &f.Comps[i]; !within(sub.Name, f.Name) {
			return fmt.Errorf("%w: %s within %s", ErrFilter, clip(sub.Name), clip(f.Name))
		}
		if err := f.Comps[i].check(depth-1, left); err != nil {
			return err
		}
	}
	return nil
}

// Check says whether f is a filter that Match can apply. Errors wrap
// ErrFilter or ErrCollation.
func (f *CardFilter) Check() error {
	left := MaxFilters
	for i := range f.Props {
		p := &f.Props[i]
		if left -= 1 + len(p.TextMatches); left < 0 {
			return fmt.Errorf("%w: too many conditions", ErrFilter)
		}
		if p.Name == "" {
			return fmt.Errorf("%w: prop-filter without a name", ErrFilter)
		}
		if p.IsNotDefined && len(p.TextMatches)+len(p.Params) > 0 {
			return fmt.Errorf("%w: is-not-defined beside other conditions", ErrFilter)
		}
		for j := range p.TextMatches {
			if err := p.TextMatches[j].check(); err != nil {
				return err
			}
		}
		if err := checkParams(p.Params, &left); err != nil {
			return err
		}
	}
	return nil
}

func checkParams(params []ParamFilter, left *int) error {
	if *left -= len(params); *left < 0 {
		return fmt.Errorf("%w: too many conditions", ErrFilter)
	}
	for i := range params {
		m := &params[i]
		if m.Name == "" {
			return fmt.Errorf("%w: param-filter without a name", ErrFilter)
		}
		if m.IsNotDefined && m.TextMatch != nil {
			return fmt.Errorf("%w: is-not-defined beside other conditions", ErrFilter)
		}
		if err := m.TextMatch.check(); err != nil {
			return err
		}
	}
	return nil
}

func (t *TextMatch) check() error {
	if t == nil {
		return nil
	}
	if len(t.Text) > MaxText {
		return fmt.Errorf("%w: text-match too long", ErrFilter)
	}
	_, err := collationOf(t.Collation, octet)
	return err
}

func (r *TimeRange) check() error {
	if r != nil && r.Start >= r.End {
		return fmt.Errorf("%w: time-range does not end after its start", ErrFilter)
	}
	return nil
}

// Match reports whether c matches f. DATE and floating values lie in the zone
// floating; nil is UTC. Errors wrap ErrCollation, ErrInstances or ErrSyntax (a
// time in c which the question depends on cannot be read).
func (f *CompFilter) Match(c *Calendar, floating *caltime.Zone) (bool, error) {
	m := matcher{c, floating}
	if !sameName(f.Name, c.Root.Name) {
		return f.IsNotDefined, nil
	}
	if f.IsNotDefined {
		return false, nil
	}
	return m.component(f, c.Root, MaxFilterDepth)
}

type matcher struct {
	c        *Calendar
	floating *caltime.Zone
}

// scope applies f to the components within parent.
func (m *matcher) scope(f *CompFilter, parent *ical.Component, depth int) (bool, error) {
	if depth == 0 {
		return false, fmt.Errorf("%w: comp-filters nested too deep", ErrFilter)
	}
	// One component whose times cannot be read must not hide another that
	// matches.
	var failed error
	for _, comp := range parent.Components {
		if !sameName(f.Name, comp.Name) {
			continue
		}
		if f.IsNotDefined {
			return false, nil
		}
		ok, err := m.component(f, comp, depth)
		if ok && err == nil {
			return true, nil
		}
		if failed == nil {
			failed = err
		}
	}
	return f.IsNotDefined, failed
}

// component tells whether comp, whose name f has, fulfils its conditions. The
// cheap ones are tried first.
func (m *matcher) component(f *CompFilter, comp *ical.Component, depth int) (bool, error) {
	for i := range f.Props {
		if ok, err := m.property(&f.Props[i], comp); !ok || err != nil {
			return false, err
		}
	}
	for i := range f.Comps {
		if ok, err := m.scope(&f.Comps[i], comp, depth-1); !ok || err != nil {
			return false, err
		}
	}
	if f.TimeRange != nil {
		return m.c.overlaps(comp, *f.TimeRange, m.floating)
	}
	return true, nil
}

func (m *matcher) property(f *PropFilter, comp *ical.Component) (bool, error) {
	if f.TimeRange != nil && f.TextMatch == nil && len(f.Params) == 0 && effective(comp, f.Name) {
		return m.c.effectiveOverlaps(comp, f.Name, *f.TimeRange, m.floating)
	}
	var failed error
	for i := range comp.Properties {
		p := &comp.Properties[i]
		if !sameName(f.Name, p.Name) {
			continue
		}
		if f.IsNotDefined {
			return false, nil
		}
		ok, err := m.propertyValue(f, p)
		if ok && err == nil {
			return true, nil
		}
		if failed == nil {
			failed = err
		}
	}
	return f.IsNotDefined, failed
}

func (m *matcher) propertyValue(f *PropFilter, p *ical.Property) (bool, error) {
	for i := range f.Params {
		if ok, err := f.Params[i].match(p, asciiCasemap); !ok || err != nil {
			return false, err
		}
	}
	if f.TextMatch != nil {
		if ok, err := f.TextMatch.match(ical.Unescape(p.Value), asciiCasemap); !ok || err != nil {
			return false, err
		}
	}
	if f.TimeRange != nil {
		return m.c.propertyOverlaps(p, *f.TimeRange, m.floating)
	}
	return true, nil
}

// match applies the collation, and Negate.
func (t *TextMatch) match(value string, byDefault collation) (bool, error) {
	n, err := t.needle(byDefault)
	if err != nil {
		return false, err
	}
	return n.in(value) != t.Negate, nil
}

// match tells whether a parameter of p matches (RFC 4791, 9.7.3; RFC 6352,
// 10.5.2). One of several values is enough; negated, none may.
func (f *ParamFilter) match(p *ical.Property, byDefault collation) (bool, error) {
	found := false
	for i := range p.Params {
		if !sameName(f.Name, p.Params[i].Name) {
			continue
		}
		if f.IsNotDefined {
			return false, nil
		}
		found = true
		if f.TextMatch == nil {
			return true, nil
		}
		n, err := f.TextMatch.needle(byDefault)
		if err != nil {
			return false, err
		}
		for j := range p.Params[i].Values {
			if n.in(p.Params[i].Text(j)) {
				return !f.TextMatch.Negate, nil
			}
		}
	}
	if f.IsNotDefined {
		return true, nil
	}
	return found && f.TextMatch != nil && f.TextMatch.Negate, nil
}

// Match reports whether c matches f. Errors wrap ErrCollation.
func (f *CardFilter) Match(c *Card) (bool, error) {
	if len(f.Props) == 0 {
		return true, nil
	}
	for i := range f.Props {
		ok, err := f.Props[i].match(c.Root.Properties)
		if err != nil {
			return false, err
		}
		if ok != f.AllOf {
			return ok, nil
		}
	}
	return f.AllOf, nil
}

// match tells whether one of the properties fulfils the filter.
func (f *CardPropFilter) match(props []ical.Property) (bool, error) {
	for i := range props {
		p := &props[i]
		if !f.names(p) {
			continue
		}
		if f.IsNotDefined {
			return false, nil
		}
		if ok, err := f.value(p); ok || err != nil {
			return ok, err
		}
	}
	return f.IsNotDefined, nil
}

// names tells whether p is a property that f asks for: with a group only that
// very group, without one any (RFC 6352, 10.5.1).
func (f *CardPropFilter) names(p *ical.Property) bool {
	if i := strings.LastIndexByte(f.Name, '.'); i >= 0 {
		return sameName(f.Name[i+1:], p.Name) && sameName(f.Name[:i], p.Group)
	}
	return sameName(f.Name, p.Name)
}

// value tells whether p fulfils any, or all, of the conditions of f.
func (f *CardPropFilter) value(p *ical.Property) (bool, error) {
	if len(f.TextMatches)+len(f.Params) == 0 {
		return true, nil
	}
	for i := range f.TextMatches {
		t := &f.TextMatches[i]
		n, err := t.needle(unicodeCasemap)
		if err != nil {
			return false, err
		}
		if ok := n.inCardValue(p) != t.Negate; ok != f.AllOf {
			return ok, nil
		}
	}
	for i := range f.Params {
		ok, err := f.Params[i].match(p, unicodeCasemap)
		if err != nil {
			return false, err
		}
		if ok != f.AllOf {
			return ok, nil
		}
	}
	return f.AllOf, nil
}

// inCardValue compares the whole value, and of lists each element too: who
// asks whether NICKNAME equals "Bob" means "Bob,Bobby" as well.
func (n *needle) inCardValue(p *ical.Property) bool {
	value := p.Decoded()
	if n.in(ical.Unescape(value)) {
		return true
	}
	if n.typ == Contains || (p.Name != "NICKNAME" && p.Name != "CATEGORIES") {
		return false
	}
	for part := range ical.Split(value, ',') {
		if n.in(ical.Unescape(strings.TrimSpace(part))) {
			return true
		}
	}
	return false
}
