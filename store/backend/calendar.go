package backend

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"time"

	goical "github.com/emersion/go-ical"
	"github.com/emersion/go-webdav/caldav"

	"inetdav/store"
	"inetdav/store/object"
	"inetdav/store/object/caltime"
)

// Keys of .Radicale.props that a caldav.Calendar and a carddav.AddressBook show.
const (
	nameKey            = "D:displayname"
	descriptionKey     = "C:calendar-description"
	cardDescriptionKey = "CR:addressbook-description"
	componentsKey      = "C:supported-calendar-component-set"
	timezoneKey        = "C:calendar-timezone"
)

// components are the types of component that a calendar takes where it does
// not say otherwise.
const components = "VEVENT,VTODO,VJOURNAL,VFREEBUSY,VAVAILABILITY"

// componentSet is what the properties of a calendar say of the types of
// component it takes; empty if nothing.
func componentSet(p store.Props) []string {
	set, _ := p.Get(componentsKey)
	return strings.FieldsFunc(set, func(r rune) bool { return r == ',' || r == ' ' })
}

// CalendarHomeSetPath returns the URL path of the home of whoever asks, which
// holds address books as well.
func (b *Backend) CalendarHomeSetPath(ctx context.Context) (string, error) { return b.home(ctx) }

// CreateCalendar makes an empty calendar with the Name, the Description and the
// SupportedComponentSet given. 405 if there is something, 409 if there is no
// collection to hold it.
func (b *Backend) CreateCalendar(ctx context.Context, calendar *caldav.Calendar) error {
	return b.writing(ctx, calendar.Path, func(p string) error {
		props := store.Props{}.Set(store.TagKey, "VCALENDAR")
		for _, prop := range [...]store.Prop{
			{Key: nameKey, Value: calendar.Name},
			{Key: descriptionKey, Value: calendar.Description},
			{Key: componentsKey, Value: strings.ToUpper(strings.Join(calendar.SupportedComponentSet, ","))},
		} {
			if prop.Value != "" {
				props = props.Set(prop.Key, prop.Value)
			}
		}
		return b.mkcol(ctx, p, props)
	})
}

// ListCalendars returns the calendars of whoever asks, in the order of their
// paths; subscriptions, which hold no objects, are not among them.
func (b *Backend) ListCalendars(ctx context.Context) ([]caldav.Calendar, error) {
	var list []caldav.Calendar
	err := b.members(ctx, store.Calendar, func(c *store.Collection, readOnly bool) {
		list = append(list, b.calendar(c, readOnly))
	})
	if err != nil {
		return nil, err // never a part that looks whole
	}
	return list, nil
}

// members calls f with each collection of a kind in the home of whoever asks.
func (b *Backend) members(ctx context.Context, kind store.Kind, f func(c *store.Collection, readOnly bool)) error {
	user, err := b.asker(ctx)
	if err != nil {
		return fail(err)
	}
	return b.reading(ctx, b.href(user, true), func(home string) error {
		c, err := b.store.Collection(ctx, home)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // it comes with the first calendar
		}
		if err != nil {
			return err
		}
		defer c.Close()
		for name, err := range c.Collections() {
			if err == nil && b.allow(user, join(home, name), false) {
				err = b.member(ctx, user, join(home, name), kind, f)
			}
			if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
				return err
			}
		}
		return nil
	})
}

func (b *Backend) member(ctx context.Context, user, p string, kind store.Kind, f func(*store.Collection, bool)) error {
	if r, err := b.store.Resource(p); err != nil || r.Kind != kind {
		return err
	}
	c, err := b.store.Collection(ctx, p)
	if err != nil {
		return err
	}
	defer c.Close()
	f(c, !b.allow(user, p, true))
	return nil
}

// GetCalendar returns the calendar at path. 404 if there is none.
func (b *Backend) GetCalendar(ctx context.Context, path string) (*caldav.Calendar, error) {
	var cal caldav.Calendar
	err := b.collection(ctx, path, store.Calendar, b.store.Collection, func(c *store.Collection) error {
		cal = b.calendar(c, b.need(ctx, c.Path(), true) != nil)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &cal, nil
}

// snapshot is one of the store's ways to take a snapshot: its Collection, or its
// Listing where every object is asked for.
type snapshot func(ctx context.Context, path string) (*store.Collection, error)

// collection calls f with a snapshot of the collection of a kind at a URL path.
func (b *Backend) collection(ctx context.Context, path string, kind store.Kind, take snapshot, f func(c *store.Collection) error) error {
	return b.reading(ctx, path, func(p string) error {
		c, err := take(ctx, p)
		if errors.Is(err, store.ErrKind) {
			return refuse(http.StatusNotFound, "an object")
		}
		if err != nil {
			return err
		}
		defer c.Close()
		if c.Kind() != kind {
			return refuse(http.StatusNotFound, "a collection of another kind")
		}
		return f(c)
	})
}

func (b *Backend) calendar(c *store.Collection, readOnly bool) caldav.Calendar {
	cal := caldav.Calendar{
		Path:                  b.href(c.Path(), true),
		Name:                  displayName(c),
		MaxResourceSize:       b.store.MaxObject,
		SupportedComponentSet: componentSet(c.Props()),
		ReadOnly:              readOnly,
	}
	cal.Description, _ = c.Props().Get(descriptionKey)
	if len(cal.SupportedComponentSet) == 0 {
		cal.SupportedComponentSet = strings.Split(components, ",")
	}
	return cal
}

// displayName falls back to the name in the URL, as package dav does.
func displayName(c *store.Collection) string {
	name, ok := c.Props().Get(nameKey)
	if !ok {
		_, name = split(c.Path())
	}
	return name
}

// GetCalendarObject returns the object at path, its Data as asked for by req:
// whole if req is nil or names no components and no properties. 404 if there is
// none in a calendar, 500 if it cannot be read.
//
// ContentLength is the length of what go-ical writes of Data, if that is whole.
func (b *Backend) GetCalendarObject(ctx context.Context, path string, req *caldav.CalendarCompRequest) (co *caldav.CalendarObject, err error) {
	err = b.object(ctx, path, store.Calendar, func(o *store.OpenedObject, data []byte) error {
		d, err := calendarData(req)
		if err != nil {
			return err
		}
		var floating *caltime.Zone
		if d.Expand != nil {
			if floating, err = b.floatingOf(ctx, o.Path); err != nil {
				return err
			}
		}
		co = &caldav.CalendarObject{Path: b.href(o.Path, false), ModTime: o.ModTime, ETag: bare(o.ETag)}
		if err := fillCalendar(co, d, data, floating); err != nil {
			co = nil
			return fmt.Errorf("stored object: %w", err)
		}
		return nil
	})
	return co, err
}

// object calls f with the object at a URL path, which has to be in a
// collection of that kind, and with its bytes.
func (b *Backend) object(ctx context.Context, path string, in store.Kind, f func(o *store.OpenedObject, data []byte) error) error {
	return b.reading(ctx, path, func(p string) error {
		o, err := b.store.OpenObject(p)
		if errors.Is(err, store.ErrKind) {
			return refuse(http.StatusNotFound, "a collection")
		}
		if err != nil {
			return err
		}
		defer o.Close()
		if o.In != in {
			return refuse(http.StatusNotFound, "in a collection of another kind")
		}
		data, err := io.ReadAll(io.LimitReader(o, b.store.MaxObject+1))
		if err == nil && int64(len(data)) > b.store.MaxObject {
			err = refuse(http.StatusInsufficientStorage, "stored object: %w", store.ErrTooLarge)
		}
		if err != nil {
			return err
		}
		return f(o, data)
	})
}

// fillCalendar gives an object its Data and ContentLength.
func fillCalendar(co *caldav.CalendarObject, d *object.CalendarData, data []byte, floating *caltime.Zone) error {
	cal, err := object.ParseCalendar(data)
	if err != nil {
		return err
	}
	if !d.Whole() {
		part, err := d.Append(nil, cal, data, floating)
		if err != nil {
			return err
		}
		if cal, err = object.ParseCalendar(part); err != nil {
			return err
		}
		co.Data = &goical.Calendar{Component: calendarTree(cal.Root)}
		return nil
	}
	co.Data = decodeCalendar(cal, co.ModTime)
	co.ContentLength = length(func(w io.Writer) error { return goical.NewEncoder(w).Encode(co.Data) })
	return nil
}

// calendarData is what a request asks for. The whole object, if the request
// asks for nothing in particular, and also where it does not name what it asks
// for: the components that go-webdav's handler hands on have lost their names.
func calendarData(req *caldav.CalendarCompRequest) (*object.CalendarData, error) {
	d := &object.CalendarData{}
	if req == nil {
		return d, nil
	}
	if named(req, 0) {
		d.Comp = compSelect(req)
	}
	if req.Expand != nil {
		d.Expand = timeRange(req.Expand.Start, req.Expand.End)
	}
	if err := d.Check(); err != nil {
		return nil, refuse(http.StatusBadRequest, "calendar-data: %w", err)
	}
	return d, nil
}

// named reports whether a request names all components that it asks for.
func named(req *caldav.CalendarCompRequest, depth int) bool {
	if req.Name == "" || depth > object.MaxFilterDepth {
		return false
	}
	for i := range req.Comps {
		if !named(&req.Comps[i], depth+1) {
			return false
		}
	}
	return true
}

func compSelect(req *caldav.CalendarCompRequest) *object.CompSelect {
	s := &object.CompSelect{Name: req.Name, AllProp: req.AllProps, AllComp: req.AllComps}
	for _, name := range req.Props {
		s.Props = append(s.Props, object.PropSelect{Name: name})
	}
	for i := range req.Comps {
		s.Comps = append(s.Comps, *compSelect(&req.Comps[i]))
	}
	return s
}

// timeRange is [start, end), open where one of them is zero.
func timeRange(start, end time.Time) *object.TimeRange {
	r := &object.TimeRange{Start: object.NoStart, End: object.NoEnd}
	if !start.IsZero() {
		r.Start = start.Unix()
	}
	if !end.IsZero() {
		r.End = end.Unix()
	}
	return r
}

// floatingOf is the zone of floating times in the calendar that the object at p
// is in.
func (b *Backend) floatingOf(ctx context.Context, p string) (*caltime.Zone, error) {
	collection, _ := split(p)
	c, err := b.store.Collection(ctx, collection)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return floating(c), nil
}

// floating is the zone of floating times and dates in a calendar, if it says
// so; nil is UTC (RFC 4791, 5.2.2).
func floating(c *store.Collection) *caltime.Zone {
	text, ok := c.Props().Get(timezoneKey)
	if !ok {
		return nil
	}
	cal, err := object.ParseCalendar([]byte(strings.TrimSpace(text) + "\r\n"))
	if err != nil {
		return nil
	}
	zone, err := cal.Timezone()
	if err != nil {
		return nil
	}
	return zone
}

// ListCalendarObjects returns the objects of the calendar at path, in the order
// of their names. If req asks for nothing (it is not nil but zero, as
// go-webdav's PROPFIND has it) that is read off the index: Data is then empty.
// So it is for an object that cannot be read.
func (b *Backend) ListCalendarObjects(ctx context.Context, path string, req *caldav.CalendarCompRequest) (list []caldav.CalendarObject, err error) {
	err = b.collection(ctx, path, store.Calendar, b.store.Listing, func(c *store.Collection) error {
		d, err := calendarData(req)
		if err != nil {
			return err
		}
		light := req != nil && !req.AllProps && !req.AllComps && req.Expand == nil &&
			req.Name == "" && len(req.Props)+len(req.Comps) == 0
		zone := floating(c)
		var read reader
		for rec := range c.Objects() {
			co := b.calendarRecord(c, rec)
			if !light {
				data, etag, err := read.object(c, rec)
				if gone(err) {
					continue
				}
				if err == nil {
					co.ETag = bare(etag)
					err = fillCalendar(&co, d, data, zone)
				}
				if err != nil && !unreadable(err) {
					return err
				}
			}
			list = append(list, co)
		}
		return c.Err()
	})
	if err != nil {
		return nil, err // never a part that looks whole
	}
	return list, nil
}

// calendarRecord is an object as the index knows it.
func (b *Backend) calendarRecord(c *store.Collection, rec *store.Record) caldav.CalendarObject {
	return caldav.CalendarObject{
		Path:    b.href(join(c.Path(), rec.Name), false),
		ModTime: rec.ModTime,
		ETag:    bare(rec.ETag()),
		Data:    noCalendar(),
	}
}

// reader reads the objects of one answer.
type reader struct {
	buf []byte
	n   int64 // bytes read so far
}

// object returns the bytes of an object, which are good until the next one is
// read, and their entity tag. The error is 507 past MaxAnswer.
func (r *reader) object(c *store.Collection, rec *store.Record) ([]byte, string, error) {
	data, etag, err := c.Read(rec.Name, r.buf)
	r.buf = data[:0]
	r.n += int64(len(data))
	if err == nil && r.n > MaxAnswer {
		err = refuse(http.StatusInsufficientStorage, "more than %d bytes of objects: ask for less", MaxAnswer)
	}
	return data, etag, err
}

// gone reports whether an object has vanished since the snapshot was taken.
func gone(err error) bool { return errors.Is(err, fs.ErrNotExist) || errors.Is(err, store.ErrKind) }

// unreadable reports whether it is the object that is at fault.
func unreadable(err error) bool {
	return errors.Is(err, object.ErrSyntax) || errors.Is(err, object.ErrObject) ||
		errors.Is(err, object.ErrInstances) || errors.Is(err, store.ErrTooLarge)
}

// QueryCalendarObjects returns the objects that match query, whole: of the
// calendar at path, or that one object at path (RFC 4791, 7.8). Without a query
// all match. Objects that cannot be read match nothing.
func (b *Backend) QueryCalendarObjects(ctx context.Context, path string, query *caldav.CalendarQuery) (list []caldav.CalendarObject, err error) {
	f := object.CompFilter{Name: "VCALENDAR"}
	var req *caldav.CalendarCompRequest
	if query != nil {
		req = &query.CompRequest
		if query.CompFilter.Name != "" {
			if f, err = compFilter(&query.CompFilter, 0); err == nil {
				err = f.Check()
			}
			if err != nil {
				return nil, fail(calViolates("valid-filter", err))
			}
		}
	}
	d, err := calendarData(req)
	if err != nil {
		return nil, fail(err)
	}
	err = b.scope(ctx, path, store.Calendar, func(c *store.Collection, only string) error {
		zone := floating(c)
		zones := &caltime.Zones{}
		var read reader
		for rec := range c.Objects() {
			if only != "" && rec.Name != only || rec.Flags&object.Broken != 0 {
				continue
			}
			v := f.Decide(&rec.Summary, zone)
			if v == object.No {
				continue
			}
			co := b.calendarRecord(c, rec)
			data, etag, err := read.object(c, rec)
			ok := err == nil
			if ok && v == object.Maybe {
				ok, err = matches(&f, data, zone, zones)
			}
			if ok {
				co.ETag = bare(etag)
				err = fillCalendar(&co, d, data, zone)
				ok = err == nil
			}
			if err != nil && !unreadable(err) && !gone(err) {
				return err
			}
			if ok {
				list = append(list, co)
			}
		}
		return c.Err()
	})
	if err != nil {
		return nil, err // never a part that looks whole
	}
	return list, nil
}

func matches(f *object.CompFilter, data []byte, zone *caltime.Zone, zones *caltime.Zones) (bool, error) {
	cal, err := object.ParseCalendar(data)
	if err != nil {
		return false, err
	}
	cal.Zones = zones
	return f.Match(cal, zone)
}

// scope calls f with a snapshot of the collection of a kind at a URL path, or
// of the one that the object at the path is in, with its name.
func (b *Backend) scope(ctx context.Context, path string, kind store.Kind, f func(c *store.Collection, only string) error) error {
	return b.reading(ctx, path, func(p string) error {
		only := ""
		c, err := b.store.Listing(ctx, p)
		if errors.Is(err, store.ErrKind) {
			p, only = split(p)
			c, err = b.store.Collection(ctx, p)
		}
		if err != nil {
			return err
		}
		defer c.Close()
		if c.Kind() != kind {
			return refuse(http.StatusForbidden, "a collection of another kind")
		}
		return f(c, only)
	})
}

// compFilter is CALDAV:comp-filter (RFC 4791, 9.7.1) as go-webdav has it.
func compFilter(c *caldav.CompFilter, depth int) (object.CompFilter, error) {
	if depth > object.MaxFilterDepth {
		return object.CompFilter{}, fmt.Errorf("%w: nested too deep", object.ErrFilter)
	}
	f := object.CompFilter{Name: c.Name, IsNotDefined: c.IsNotDefined, TimeRange: filterRange(c.Start, c.End)}
	for i := range c.Props {
		p := &c.Props[i]
		pf := object.PropFilter{Name: p.Name, IsNotDefined: p.IsNotDefined, TimeRange: filterRange(p.Start, p.End), TextMatch: textMatch(p.TextMatch)}
		for _, param := range p.ParamFilter {
			pf.Params = append(pf.Params, object.ParamFilter{Name: param.Name, IsNotDefined: param.IsNotDefined, TextMatch: textMatch(param.TextMatch)})
		}
		f.Props = append(f.Props, pf)
	}
	for i := range c.Comps {
		sub, err := compFilter(&c.Comps[i], depth+1)
		if err != nil {
			return f, err
		}
		f.Comps = append(f.Comps, sub)
	}
	return f, nil
}

// filterRange is timeRange, but nil where nothing is said.
func filterRange(start, end time.Time) *object.TimeRange {
	if start.IsZero() && end.IsZero() {
		return nil
	}
	return timeRange(start, end)
}

func textMatch(m *caldav.TextMatch) *object.TextMatch {
	if m == nil {
		return nil
	}
	return &object.TextMatch{Text: m.Text, Negate: m.NegateCondition}
}

// PutCalendarObject validates an object and stores it: as it was sent, if it
// comes unchanged from a request through Guard, else as go-ical encodes it. The
// errors are the preconditions of RFC 4791, 5.3.2.1; 412; 409 if there is no
// collection to hold it.
func (b *Backend) PutCalendarObject(ctx context.Context, path string, calendar *goical.Calendar, opts *caldav.PutCalendarObjectOptions) (co *caldav.CalendarObject, err error) {
	if opts == nil {
		opts = &caldav.PutCalendarObjectOptions{}
	}
	err = b.writing(ctx, path, func(p string) error {
		body := sentCalendar(ctx, calendar)
		if body == nil {
			var err error
			if body, err = encodeCalendar(calendar); err != nil {
				return calViolates(caldav.PreconditionValidCalendarData, err)
			}
		}
		s, err := b.putObject(ctx, p, store.Calendar, body, opts.IfMatch, opts.IfNoneMatch)
		if err != nil {
			return err
		}
		co = &caldav.CalendarObject{Path: b.href(p, false), ModTime: s.modTime, ETag: s.etag, Data: calendar}
		return nil
	})
	return co, err
}

// DeleteCalendarObject deletes the object at path, or the whole calendar, as
// go-webdav's handler sends every DELETE here. It does not hand on If-Match.
func (b *Backend) DeleteCalendarObject(ctx context.Context, path string) error {
	return b.writing(ctx, path, func(p string) error {
		return b.deleteKind(ctx, p, func(r store.Resource) bool {
			return r.Kind == store.Calendar || r.Kind == store.Object && r.In == store.Calendar
		})
	})
}
