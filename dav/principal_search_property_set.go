package dav

import (
	"net/http"

	"inetdav/dav/davxml"
)

// principalSearchPropertySet is RFC 3744, 9.5: the properties that
// principal-property-search looks at, the most useful one first.
func (q *request) principalSearchPropertySet(*davxml.Element) error {
	if err := q.depth0(); err != nil {
		return err
	}
	b := q.answerBody(http.StatusOK, contentXML)
	x := davxml.NewWriter(b)
	x.Header()
	x.Start(nSearchPropertySet)
	for _, p := range []struct {
		name        davxml.Name
		description string
	}{
		{nDisplayname, "Name"},
		{nEmailAddressSet, "Mail address"},
		{nUserAddressSet, "Calendar user address"},
	} {
		x.Start(nSearchProperty)
		x.Start(nProp)
		x.Empty(p.name)
		x.End(nProp)
		writeDescription(x, p.description)
		x.End(nSearchProperty)
	}
	x.End(nSearchPropertySet)
	if err := x.Flush(); err != nil {
		return err
	}
	return b.Close()
}
