package dav

import "inetdav/dav/davxml"

// calendarMultiget is RFC 4791, 7.9.
func (q *request) calendarMultiget(root *davxml.Element) error {
	return q.multiget(root, kCalendar)
}
