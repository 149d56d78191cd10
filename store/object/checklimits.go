package object

import (
	"errors"
	"fmt"
	"strings"

	"inetdav/store/object/caltime"
	"inetdav/store/object/ical"
)

// The limits that a calendar tells its clients (RFC 4791, 5.2.6 to 5.2.9).
const (
	// MinDateTime and MaxDateTime are the earliest and the latest date with UTC time
	// that an object may have, time zones aside: as much as the format can say, but
	// for the year 0.
	MinDateTime = "00010101T000000Z"
	MaxDateTime = "99991231T235959Z"
	// MaxAttendees is the number of ATTENDEEs of one instance.
	MaxAttendees = 10_000
)

// What of these limits an object, or a time-range, can exceed.
const (
	// ErrMinDate: CALDAV:min-date-time.
	ErrMinDate Error = "date too early"
	// ErrMaxDate: CALDAV:max-date-time.
	ErrMaxDate Error = "date too late"
	// ErrAttendees: CALDAV:max-attendees-per-instance.
	ErrAttendees Error = "too many attendees"
)

// CheckLimits says whether c, which Check has accepted, keeps to the limits above
// and has no more instances than so many (0: as many as it likes). A series without
// an end has no number of instances: it may be kept, and is expanded as far as
// [CalendarData] and [FreeBusy] go. Errors wrap ErrMinDate, ErrMaxDate,
// ErrAttendees, ErrInstances or ErrSyntax.
func (c *Calendar) CheckLimits(instances int) error {
	for _, comp := range c.Root.Components {
		if comp.Name == "VTIMEZONE" {
			// The first onset of many a zone is in a year long past.
			continue
		}
		if err := c.checkDates(comp); err != nil {
			return err
		}
		n := 0
		for range comp.Props("ATTENDEE") {
			n++
		}
		if n > MaxAttendees {
			return fmt.Errorf("%w: %d, %d are allowed", ErrAttendees, n, MaxAttendees)
		}
		if comp.Name == "VAVAILABILITY" {
			all, err := c.availableSeries(comp, nil)
			if err != nil {
				return err
			}
			for _, s := range all {
				if err := s.checkInstances(instances); err != nil {
					return err
				}
			}
		}
	}
	c.readSeries(nil)
	for _, s := range c.times.all {
		if err := s.checkInstances(instances); err != nil {
			return err
		}
	}
	return nil
}

// checkInstances counts the instances of a series that has an end.
func (s *series) checkInstances(most int) error {
	if s.err != nil {
		return s.err
	}
	for _, r := range s.rules {
		if r.Endless() {
			return nil
		}
	}
	if most <= 0 {
		return nil
	}
	n := 0
	var b caltime.Budget
	err := s.each(TimeRange{NoStart, NoEnd}, &b, func(*instance) bool {
		n++
		return n <= most
	})
	if err == nil && n > most {
		err = fmt.Errorf("%w: more than %d", ErrInstances, most)
	}
	return err
}

// checkDates looks at all dates and times of a component and of what is in it, at
// a depth that Parse limits.
func (c *Calendar) checkDates(comp *ical.Component) error {
	for i := range comp.Properties {
		p := &comp.Properties[i]
		switch p.Name {
		case "DTSTART", "DTEND", "DUE", "RECURRENCE-ID", "RDATE", "EXDATE", "FREEBUSY",
			"DTSTAMP", "CREATED", "LAST-MODIFIED", "COMPLETED", "TRIGGER":
			if err := c.checkDate(p); err != nil {
				return fmt.Errorf("line %d: %s: %w", p.Line, p.Name, err)
			}
		}
	}
	for _, sub := range comp.Components {
		if err := c.checkDates(sub); err != nil {
			return err
		}
	}
	return nil
}

func (c *Calendar) checkDate(p *ical.Property) error {
	for value := range strings.SplitSeq(p.Value, ",") {
		start, end, _ := strings.Cut(value, "/")
		for _, v := range [...]string{start, end} {
			m, err := c.moment(p, v, nil)
			if errors.Is(err, caltime.ErrYear) {
				return fmt.Errorf("%w: %w", ErrMinDate, err)
			}
			if err != nil {
				continue // Check has judged it, or it is a duration
			}
			if err := checkInstant(m.instant()); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkInstant(t int64) error {
	switch {
	case t < int64(caltime.MinCivil):
		return fmt.Errorf("%w: before %s", ErrMinDate, MinDateTime)
	case t > int64(caltime.MaxCivil):
		return fmt.Errorf("%w: after %s", ErrMaxDate, MaxDateTime)
	}
	return nil
}
