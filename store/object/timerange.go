package object

import (
	"inetdav/store/object/caltime"
	"inetdav/store/object/ical"
)

// Sketch of the seam, for the time engineer to overwrite.

func (c *Calendar) overlaps(comp *ical.Component, r TimeRange, floating *caltime.Zone) (bool, error) {
	return false, ErrInstances
}

func (c *Calendar) propertyOverlaps(p *ical.Property, r TimeRange, floating *caltime.Zone) (bool, error) {
	return false, ErrInstances
}

func (c *Calendar) span(floating *caltime.Zone) (start, end int64, exact bool, err error) {
	return NoStart, NoEnd, false, nil
}
