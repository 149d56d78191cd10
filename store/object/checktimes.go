package object

import (
	"errors"
	"fmt"
	"strings"

	"inetdav/store/object/caltime"
	"inetdav/store/object/ical"
)

// checkTimes says whether the dates, times, durations and rules on which the
// server's answers depend can be read. It is for Check; what lies in the
// folder already is read as well as it goes. Errors wrap ErrSyntax and name the
// line.
func (c *Calendar) checkTimes() error {
	for _, comp := range c.Root.Components {
		if err := checkComponentTimes(comp); err != nil {
			return err
		}
		if err := checkRequired(comp); err != nil {
			return fmt.Errorf("%w: %s %w", ErrSyntax, comp.Name, err)
		}
	}
	return nil
}

// checkRequired says whether a component has what RFC 5545, 3.6 requires of it
// and nothing that contradicts it. More than other servers it hurts Radicale,
// which fails on a whole calendar with one such object in it.
func checkRequired(c *ical.Component) error {
	start, end := c.Prop("DTSTART"), c.Prop("DTEND")
	switch c.Name {
	case "VTIMEZONE": // 3.6.5
		for _, sub := range c.Components {
			if sub.Name == "STANDARD" || sub.Name == "DAYLIGHT" {
				return nil
			}
		}
		return errors.New("without STANDARD and DAYLIGHT")
	case "VAVAILABILITY", "AVAILABLE": // RFC 7953, 3.1
		d := c.Prop("DURATION")
		switch {
		case end != nil && d != nil:
			return errors.New("with both DTEND and DURATION")
		case start == nil && (d != nil || c.Name == "AVAILABLE"):
			return errors.New("without DTSTART")
		}
		for _, sub := range c.Components {
			if err := checkRequired(sub); err != nil && sub.Name == "AVAILABLE" {
				return fmt.Errorf("with AVAILABLE %w", err)
			}
		}
	case "VEVENT": // 3.6.1
		if start == nil {
			return errors.New("without DTSTART")
		}
		if end == nil {
			return nil
		}
		if d := c.Prop("DURATION"); d != nil {
			// Lightning writes one of no length beside DTEND
			if n, err := caltime.ParseDuration(strings.TrimSpace(d.Value)); err == nil && n.Nominal() != 0 {
				return errors.New("with both DTEND and DURATION")
			}
		}
		// 3.8.2.2
		if isDate(start) != isDate(end) {
			return errors.New("with DTSTART and DTEND of different types")
		}
	}
	return nil
}

// isDate reports whether the value of a property that has been checked is a DATE.
func isDate(p *ical.Property) bool { return len(strings.TrimSpace(p.Value)) == len("20060102") }

func checkComponentTimes(c *ical.Component) error {
	for i := range c.Properties {
		p := &c.Properties[i]
		if p.Group != "" {
			return fmt.Errorf("%w: line %d: a group in iCalendar", ErrSyntax, p.Line)
		}
		if err := checkTime(p); err != nil {
			return fmt.Errorf("%w: line %d: %s: %w", ErrSyntax, p.Line, p.Name, err)
		}
	}
	switch c.Name {
	case "VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VAVAILABILITY", "AVAILABLE":
		for _, name := range []string{"UID", "DTSTART", "DTEND", "DUE", "RECURRENCE-ID"} {
			n := 0
			for p := range c.Props(name) {
				// RFC 5545, 3.6.1: not more than once.
				if n++; n > 1 {
					return fmt.Errorf("%w: line %d: %s a second time", ErrSyntax, p.Line, name)
				}
			}
		}
	}
	for _, sub := range c.Components {
		if sub.Name == "STANDARD" || sub.Name == "DAYLIGHT" || sub.Name == "AVAILABLE" {
			if err := checkComponentTimes(sub); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkTime reads the value of one property. Blanks around it and empty
// elements of lists are seen and harmless.
func checkTime(p *ical.Property) error {
	value := strings.TrimSpace(p.Value)
	var err error
	switch p.Name {
	case "DTSTART", "DTEND", "DUE", "RECURRENCE-ID":
		_, err = caltime.ParseDateTime(value)
	case "DURATION":
		_, err = caltime.ParseDuration(value)
	case "TZOFFSETFROM", "TZOFFSETTO":
		_, err = caltime.ParseOffset(value)
	case "RRULE", "EXRULE":
		_, err = caltime.ParseRule(value)
	case "EXDATE", "RDATE", "FREEBUSY":
		for part := range strings.SplitSeq(value, ",") {
			if part = strings.TrimSpace(part); part == "" {
				continue
			}
			if strings.IndexByte(part, '/') >= 0 {
				_, err = caltime.ParsePeriod(part)
			} else {
				_, err = caltime.ParseDateTime(part)
			}
			if err != nil {
				break
			}
		}
	}
	return err
}
