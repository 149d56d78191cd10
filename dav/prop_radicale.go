package dav

import (
	"strconv"

	"inetdav/dav/davxml"
)

// propRadicale is what Radicale's web page asks for.
func propRadicale() []property {
	r := func(local string) davxml.Name { return davxml.Name{Space: davxml.Radicale, Local: local} }
	return []property{
		{name: r("displayname"), on: kTagged, get: getText(nDisplayname)},
		{name: r("getcontentcount"), on: kTagged, get: getContentCount},
		{name: r("version"), on: kCollection, get: getVersion},
	}
}

func getContentCount(q *request, t *target, o *propOut) error {
	c, err := q.collection(t)
	if err != nil {
		return err
	}
	o.text(strconv.Itoa(c.Len()))
	return nil
}

func getVersion(q *request, _ *target, o *propOut) error {
	if q.user != "" {
		o.text(q.h.version)
	}
	return nil
}
