package dav

import "inetdav/dav/davxml"

// addressbookMultiget is RFC 6352, 8.7.
func (q *request) addressbookMultiget(root *davxml.Element) error {
	return q.multiget(root, kAddressbook)
}
