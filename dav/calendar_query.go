package dav

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"strings"

	"inetdav/dav/davxml"
	"inetdav/store"
	"inetdav/store/object"
	"inetdav/store/object/caltime"
)

// calendarQuery is RFC 4791, 7.8. On a calendar it is about the objects of that,
// whatever the Depth: many clients forget the header, and none means to ask for
// nothing. On a collection of calendars Depth counts as in free-busy-query.
func (q *request) calendarQuery(root *davxml.Element) error {
	a, err := q.readAsked(root)
	if err != nil {
		return err
	}
	e := root.Child(nFilter).Child(nCompFilter)
	if e == nil {
		return violates(nValidFilter, errors.New("no comp-filter"))
	}
	f, err := readCompFilter(e)
	if err != nil {
		return err
	}
	if err := f.Check(); err != nil {
		return badQuery(err, nValidFilter, nSupportedCollation)
	}
	floating, given, err := q.floating(root)
	if err != nil {
		return err
	}
	depth, err := q.depth(0)
	if err != nil {
		return err
	}
	decide := func(s *object.Summary) object.Verdict { return f.Decide(s, a.floating) }
	match := func(t *target) (bool, error) { return f.Match(t.calendar, a.floating) }
	m := q.newMultistatus()
	path, only := q.path, ""
	if q.kind()&kObject != 0 { // the scope is the one object
		path, only = parent(path), base(path)
	}
	err = q.collectionsBelow(store.Calendar, path, depth, func(c *store.Collection) error {
		if a.floating = floating; !given {
			a.floating = q.floatingOf(c)
		}
		return m.matches(c, only, a, nil, decide, match)
	})
	if err != nil {
		return err
	}
	return m.close()
}

// floating is the time zone in which floating times and dates are meant, if the
// request gives one (RFC 4791, 7.3; RFC 7809, 3.1.6).
func (q *request) floating(root *davxml.Element) (z *caltime.Zone, given bool, err error) {
	zone, id := root.Child(nTimezone), root.Child(nTimezoneID)
	switch {
	case zone != nil && id != nil: // RFC 7809, 6.1
		return nil, true, refuse(http.StatusBadRequest, "timezone beside timezone-id")
	case zone != nil:
		if z, err = zoneOf(zone.Text()); err != nil {
			err = violates(nValidCalData, err)
		}
		return z, true, err
	case id != nil:
		z, err = q.timezoneOf(id.Text())
		return z, true, err
	}
	return nil, false, nil
}

// collectionsBelow visits a calendar or address book, whichever is wanted, or those
// in a collection, depth levels down, that the user may read.
func (q *request) collectionsBelow(want store.Kind, path string, depth int, visit func(*store.Collection) error) error {
	c, err := q.snapshot(path, q.kind()&kObject == 0)
	if gone(err) && path != q.path {
		return nil
	}
	if err != nil {
		return err
	}
	defer c.Close()
	if c.Kind() == want {
		return visit(c)
	}
	if depth == 0 || c.Kind() != store.Plain {
		return nil
	}
	for in, err := range q.members(c) {
		if err != nil {
			return err
		}
		if err := q.collectionsBelow(want, in.Path, depth-1, visit); err != nil {
			return err
		}
	}
	return nil
}

// zoneOf is the time zone of an iCalendar object that holds one VTIMEZONE
// (RFC 4791, 5.2.2).
func zoneOf(text string) (*caltime.Zone, error) {
	c, err := object.ParseCalendar([]byte(strings.TrimSpace(text) + "\r\n"))
	if err != nil {
		return nil, err
	}
	return c.Timezone()
}

// badQuery is the error of a filter that cannot be carried out.
func badQuery(err error, filter, collation davxml.Name) error {
	if errors.Is(err, object.ErrCollation) {
		return violates(collation, err)
	}
	return violates(filter, err)
}

func badFilter(e *davxml.Element) error { return fmt.Errorf("filter element %v", e.Name) }

// readCompFilter reads CALDAV:comp-filter (RFC 4791, 9.7.1).
func readCompFilter(e *davxml.Element) (f object.CompFilter, err error) {
	f.Name = e.Attr("name")
	if f.Name == "" {
		return f, violates(nValidFilter, badFilter(e))
	}
	for c := range e.Elements() {
		switch c.Name {
		case nIsNotDefined:
			f.IsNotDefined = true
		case nTimeRange:
			f.TimeRange, err = readTimeRange(c)
		case nPropFilter:
			var p object.PropFilter
			p, err = readPropFilter(c)
			f.Props = append(f.Props, p)
		case nCompFilter:
			var sub object.CompFilter
			sub, err = readCompFilter(c)
			f.Comps = append(f.Comps, sub)
		default:
			err = violates(nSupportedFilter, badFilter(c))
		}
		if err != nil {
			return f, err
		}
	}
	return f, nil
}

// readPropFilter reads CALDAV:prop-filter (RFC 4791, 9.7.2).
func readPropFilter(e *davxml.Element) (f object.PropFilter, err error) {
	f.Name = e.Attr("name")
	if f.Name == "" {
		return f, violates(nValidFilter, badFilter(e))
	}
	for c := range e.Elements() {
		switch c.Name {
		case nIsNotDefined:
			f.IsNotDefined = true
		case nTimeRange:
			f.TimeRange, err = readTimeRange(c)
		case nTextMatch:
			f.TextMatch, err = readTextMatch(c, nSupportedFilter)
		case nParamFilter:
			var p object.ParamFilter
			p, err = readParamFilter(c, nIsNotDefined, nTextMatch, nSupportedFilter)
			f.Params = append(f.Params, p)
		default:
			err = violates(nSupportedFilter, badFilter(c))
		}
		if err != nil {
			return f, err
		}
	}
	return f, nil
}

// readParamFilter reads a param-filter (RFC 4791, 9.7.3; RFC 6352, 10.5.2),
// whose parts have the given names.
func readParamFilter(e *davxml.Element, isNotDefined, textMatch, cond davxml.Name) (f object.ParamFilter, err error) {
	f.Name = e.Attr("name")
	if f.Name == "" {
		return f, violates(cond, badFilter(e))
	}
	for c := range e.Elements() {
		switch c.Name {
		case isNotDefined:
			f.IsNotDefined = true
		case textMatch:
			f.TextMatch, err = readTextMatch(c, cond)
		default:
			err = violates(cond, badFilter(c))
		}
		if err != nil {
			return f, err
		}
	}
	return f, nil
}

// readTextMatch reads a text-match (RFC 4791, 9.7.5; RFC 6352, 10.5.4).
func readTextMatch(e *davxml.Element, cond davxml.Name) (*object.TextMatch, error) {
	m := &object.TextMatch{Text: e.Text(), Collation: e.Attr("collation"), Negate: e.Attr("negate-condition") == "yes"}
	switch e.Attr("match-type") {
	case "", "contains":
	case "equals":
		m.MatchType = object.Equals
	case "starts-with":
		m.MatchType = object.StartsWith
	case "ends-with":
		m.MatchType = object.EndsWith
	default:
		return nil, violates(cond, badFilter(e))
	}
	return m, nil
}

// readTimeRange reads the attributes start and end, each a date with UTC time
// (RFC 4791, 9.9).
func readTimeRange(e *davxml.Element) (*object.TimeRange, error) {
	r := &object.TimeRange{Start: math.MinInt64, End: math.MaxInt64}
	for _, end := range []struct {
		attr string
		t    *int64
	}{{"start", &r.Start}, {"end", &r.End}} {
		if s := e.Attr(end.attr); s != "" {
			t, err := caltime.ParseDateTime(s)
			if errors.Is(err, caltime.ErrYear) { // RFC 4791, 7.8; max-date-time is all that the format has
				return nil, violates(nMinDateTime, err)
			}
			if err != nil || t.Form != caltime.UTC {
				return nil, violates(nValidFilter, fmt.Errorf("%s=%q is no date with UTC time", end.attr, s))
			}
			*end.t = t.Instant(nil)
		}
	}
	if !e.HasAttr("start") && !e.HasAttr("end") || r.Start >= r.End {
		return nil, violates(nValidFilter, fmt.Errorf("time-range from %q to %q", e.Attr("start"), e.Attr("end")))
	}
	return r, nil
}

// checkMediaType checks the attributes content-type and version of
// calendar-data and address-data.
func checkMediaType(e *davxml.Element, mediaType string, cond davxml.Name, versions ...string) error {
	if ct := e.Attr("content-type"); ct != "" && !strings.EqualFold(ct, mediaType) {
		return violates(cond, fmt.Errorf("content-type %q", ct))
	}
	v := e.Attr("version")
	for _, known := range versions {
		if v == "" || v == known {
			return nil
		}
	}
	return violates(cond, fmt.Errorf("version %q", v))
}

// readCalendarData reads CALDAV:calendar-data as a request has it (RFC 4791,
// 9.6); nil: the whole object.
func readCalendarData(e *davxml.Element) (*object.CalendarData, error) {
	if e == nil {
		return nil, nil
	}
	if err := checkMediaType(e, "text/calendar", nSupportedCalData, "2.0"); err != nil {
		return nil, err
	}
	d := &object.CalendarData{}
	for c := range e.Elements() {
		var err error
		switch c.Name {
		case nComp:
			d.Comp, err = readComp(c)
		case nExpand:
			d.Expand, err = readSpan(c)
		case nLimitRecurrenceSet:
			d.LimitRecurrenceSet, err = readSpan(c)
		case nLimitFreebusySet:
			d.LimitFreeBusySet, err = readSpan(c)
		}
		if err != nil {
			return nil, err
		}
	}
	if err := d.Check(); err != nil {
		return nil, refuse(http.StatusBadRequest, "calendar-data: %w", err)
	}
	if d.Whole() {
		return nil, nil
	}
	return d, nil
}

// readSpan is a time-range of which both ends are required (RFC 4791, 9.6.5).
func readSpan(e *davxml.Element) (*object.TimeRange, error) {
	if e.Attr("start") == "" || e.Attr("end") == "" {
		return nil, refuse(http.StatusBadRequest, "%v without start or end", e.Name)
	}
	return readTimeRange(e)
}

// readComp reads CALDAV:comp (RFC 4791, 9.6.1).
func readComp(e *davxml.Element) (*object.CompSelect, error) {
	s := &object.CompSelect{Name: e.Attr("name")}
	if s.Name == "" {
		return nil, refuse(http.StatusBadRequest, "comp without a name")
	}
	for c := range e.Elements() {
		switch c.Name {
		case nCalAllprop:
			s.AllProp = true
		case nCalAllcomp:
			s.AllComp = true
		case nCalProp:
			s.Props = append(s.Props, object.PropSelect{Name: c.Attr("name"), NoValue: c.Attr("novalue") == "yes"})
		case nComp:
			sub, err := readComp(c)
			if err != nil {
				return nil, err
			}
			s.Comps = append(s.Comps, *sub)
		}
	}
	return s, nil
}
