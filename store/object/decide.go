package object

import (
	"iter"
	"strings"
	"unsafe"

	"inetdav/store/object/caltime"
	"inetdav/store/object/ical"
)

// Verdict is what a filter can say of an object from its summary alone.
//
// No and Yes are promises: Match of the object itself would say the same. In
// all doubt the answer is Maybe.
type Verdict int8

// The verdicts, such that the smaller one of two is their conjunction.
const (
	No Verdict = iota - 1
	Maybe
	Yes
)

func verdict(yes bool) Verdict {
	if yes {
		return Yes
	}
	return No
}

// Decide says whether the calendar object with the summary s matches f, which
// f.Check has accepted. Broken objects match nothing.
func (f *CompFilter) Decide(s *Summary, floating *caltime.Zone) Verdict {
	if s.Flags&Broken != 0 {
		return No
	}
	if !sameName(f.Name, "VCALENDAR") {
		return verdict(f.IsNotDefined)
	}
	if f.IsNotDefined {
		return No
	}
	v := Yes
	if f.TimeRange != nil || len(f.Props) > 0 {
		v = Maybe
	}
	for i := range f.Comps {
		if v = min(v, f.Comps[i].decide(s)); v == No {
			break
		}
	}
	return v
}

// decide is Decide for a filter within that for VCALENDAR.
func (f *CompFilter) decide(s *Summary) Verdict {
	bare := f.TimeRange == nil && len(f.Props)+len(f.Comps) == 0
	exists := false
	switch {
	case sameName(f.Name, s.Component):
		exists = true
	case sameName(f.Name, "VTIMEZONE"):
		exists = s.Flags&HasTimezone != 0
	case s.Flags&Mixed != 0:
		return Maybe
	}
	if !exists || f.IsNotDefined {
		return verdict(exists == !f.IsNotDefined)
	}
	if bare {
		return Yes
	}
	if !sameName(f.Name, s.Component) || s.Flags&Mixed != 0 {
		return Maybe
	}
	v := Yes
	if f.TimeRange != nil {
		v = f.TimeRange.decide(s)
	}
	// All conditions must hold for one and the same component: where there
	// are several, one that holds says nothing yet.
	if s.Flags&Several != 0 {
		v = min(v, Maybe)
	}
	for i := range f.Comps {
		if v == No {
			return No
		}
		sub := &f.Comps[i]
		switch {
		case sameName(sub.Name, "VALARM") && s.Flags&HasAlarm == 0:
			v = min(v, verdict(sub.IsNotDefined))
		default:
			v = min(v, Maybe)
		}
	}
	for i := range f.Props {
		if v == No {
			return No
		}
		v = min(v, f.Props[i].decide(s))
	}
	return v
}

// decide says whether an instance overlaps the range.
func (r *TimeRange) decide(s *Summary) Verdict {
	if s.End <= r.Start || s.Start >= r.End {
		return No
	}
	if s.Flags&Exact != 0 || s.Flags&Single != 0 && r.Start <= s.Start && s.End <= r.End {
		return Yes
	}
	return Maybe
}

// decide says whether the only component of an object has such a property.
func (f *PropFilter) decide(s *Summary) Verdict {
	if s.Flags&HintsWhole == 0 || s.Flags&Several != 0 || f.TimeRange != nil {
		return Maybe
	}
	switch {
	case sameName(f.Name, "UID"):
		if s.UID == "" || len(f.Params) > 0 {
			return Maybe
		}
		if f.IsNotDefined {
			return No
		}
		if f.TextMatch == nil {
			return Yes
		}
		ok, err := f.TextMatch.match(s.UID, asciiCasemap)
		if err != nil {
			return Maybe
		}
		return verdict(ok)
	case sameName(f.Name, "STATUS"), sameName(f.Name, "TRANSP"), sameName(f.Name, "COMPLETED"):
	default:
		return Maybe
	}
	var m matcher
	for p := range hints(s.Hints, f.Name) {
		if f.IsNotDefined {
			return No
		}
		if ok, err := m.propertyValue(f, p); err != nil {
			return Maybe
		} else if ok {
			return Yes
		}
	}
	return verdict(f.IsNotDefined)
}

// hints returns the properties with this name, of any group, one after the
// other; each is good until the next.
func hints(b []byte, name string) iter.Seq[*ical.Property] {
	// A view instead of a copy: an address book has a hundred thousand of
	// these, and nothing of them outlives the verdict.
	all := unsafe.String(unsafe.SliceData(b), len(b))
	return func(yield func(*ical.Property) bool) {
		var p ical.Property
		for len(all) > 0 {
			var line string
			line, all, _ = strings.Cut(all, "\n")
			n := 0
			for n < len(line) && line[n] != ':' && line[n] != ';' {
				n++
			}
			start := n - len(name)
			if start < 0 || start > 0 && line[start-1] != '.' || !equalFold(line[start:n], name) {
				continue
			}
			p = ical.ParseProperty(line)
			if !yield(&p) {
				return
			}
		}
	}
}

// Decide says whether the address object with the summary s matches f, which
// f.Check has accepted. Broken objects match nothing.
func (f *CardFilter) Decide(s *Summary) Verdict {
	if s.Flags&Broken != 0 {
		return No
	}
	if len(f.Props) == 0 {
		return Yes
	}
	v := No
	if f.AllOf {
		v = Yes
	}
	for i := range f.Props {
		p := f.Props[i].decide(s)
		if f.AllOf {
			v = min(v, p)
		} else {
			v = max(v, p)
		}
		if f.AllOf && v == No || !f.AllOf && v == Yes {
			break
		}
	}
	return v
}

func (f *CardPropFilter) decide(s *Summary) Verdict {
	name := f.Name[strings.LastIndexByte(f.Name, '.')+1:]
	if s.Flags&HintsWhole == 0 || !isCardHint(name) {
		return Maybe
	}
	for p := range hints(s.Hints, name) {
		if !f.names(p) {
			continue
		}
		if f.IsNotDefined {
			return No
		}
		if ok, err := f.value(p); err != nil {
			return Maybe
		} else if ok {
			return Yes
		}
	}
	return verdict(f.IsNotDefined)
}
