package object

import (
	"iter"

	"inetdav/store/object/caltime"
	"inetdav/store/object/ical"
)

// Sketch of the seam, for the time engineer to overwrite. A property with
// Start == End is written from its fields, one with Start < End is copied from
// the source: changed ones must set both to 0.

// expand yields the components that replace all within VCALENDAR (RFC 4791, 9.6.5).
func (c *Calendar) expand(r TimeRange, floating *caltime.Zone) iter.Seq2[*ical.Component, error] {
	return func(yield func(*ical.Component, error) bool) { yield(nil, ErrInstances) }
}

// inRecurrenceSet says whether a component within VCALENDAR is kept (RFC 4791, 9.6.6).
func (c *Calendar) inRecurrenceSet(comp *ical.Component, r TimeRange, floating *caltime.Zone) (bool, error) {
	return true, nil
}

// limitFreeBusy returns comp without the FREEBUSY values beside r (RFC 4791,
// 9.6.7): comp itself if nothing falls away.
func (c *Calendar) limitFreeBusy(comp *ical.Component, r TimeRange, floating *caltime.Zone) (*ical.Component, error) {
	return comp, nil
}
