package dav

import (
	"net/http"
	"strconv"
	"strings"

	"inetdav/dav/davxml"
	"inetdav/store"
	"inetdav/store/object"
)

// addressbookQuery is RFC 6352, 8.6. Depth counts as in calendarQuery: on a
// collection of address books alone (RFC 6352, 8.2).
func (q *request) addressbookQuery(root *davxml.Element) error {
	a, err := q.readAsked(root)
	if err != nil {
		return err
	}
	var f object.CardFilter
	if e := root.Child(nCardFilter); e != nil {
		if f, err = readCardFilter(e); err != nil {
			return err
		}
	}
	if err := f.Check(); err != nil {
		return badQuery(err, nCardSupportedFilter, nCardSupportedCollate)
	}
	var left *int
	if l := root.Child(nCardLimit); l != nil { // RFC 6352, 8.6.1
		limit, err := strconv.Atoi(strings.TrimSpace(l.Child(nNresults).Text()))
		if err != nil || limit < 1 {
			return refuse(http.StatusBadRequest, "limit")
		}
		left = &limit
	}
	depth, err := q.depth(0)
	if err != nil {
		return err
	}
	m := q.newMultistatus()
	path, only := q.path, ""
	if q.kind()&kObject != 0 { // the scope is the one object
		path, only = parent(path), base(path)
	}
	err = q.collectionsBelow(store.AddressBook, path, depth, func(c *store.Collection) error {
		return m.matches(c, only, a, left, f.Decide, func(t *target) (bool, error) { return f.Match(t.card) })
	})
	if err == errTruncated {
		err = m.truncated(davxml.EscapePath(q.hrefOf(q.res)))
	}
	if err != nil {
		return err
	}
	return m.close()
}

// readCardFilter reads CARDDAV:filter (RFC 6352, 10.5).
func readCardFilter(e *davxml.Element) (f object.CardFilter, err error) {
	if f.AllOf, err = allOf(e); err != nil {
		return f, err
	}
	for c := range e.Elements() {
		if c.Name != nCardPropFilter {
			return f, violates(nCardSupportedFilter, badFilter(c))
		}
		p, err := readCardPropFilter(c)
		if err != nil {
			return f, err
		}
		f.Props = append(f.Props, p)
	}
	return f, nil
}

// allOf reads the attribute test, which is anyof where it is missing.
func allOf(e *davxml.Element) (bool, error) {
	switch e.Attr("test") {
	case "", "anyof":
		return false, nil
	case "allof":
		return true, nil
	}
	return false, violates(nCardSupportedFilter, badFilter(e))
}

func readCardPropFilter(e *davxml.Element) (p object.CardPropFilter, err error) {
	p.Name = e.Attr("name")
	if p.Name == "" {
		return p, violates(nCardSupportedFilter, badFilter(e))
	}
	if p.AllOf, err = allOf(e); err != nil {
		return p, err
	}
	for c := range e.Elements() {
		switch c.Name {
		case nCardIsNotDefined:
			p.IsNotDefined = true
		case nCardTextMatch:
			m, err := readTextMatch(c, nCardSupportedFilter)
			if err != nil {
				return p, err
			}
			p.TextMatches = append(p.TextMatches, *m)
		case nCardParamFilter:
			f, err := readParamFilter(c, nCardIsNotDefined, nCardTextMatch, nCardSupportedFilter)
			if err != nil {
				return p, err
			}
			p.Params = append(p.Params, f)
		default:
			return p, violates(nCardSupportedFilter, badFilter(c))
		}
	}
	return p, nil
}

// readAddressData reads CARDDAV:address-data as a request has it (RFC 6352,
// 10.4); nil: the whole object as it is stored. That is also what a client gets
// that names neither type nor version: the definition's default, 3.0, would change
// the cards of clients that do not know of versions, as Thunderbird, which stores
// 4.0. It counts for those that show, with the type, that they do.
func readAddressData(e *davxml.Element) (*object.AddressData, error) {
	if e == nil {
		return nil, nil
	}
	if err := checkMediaType(e, "text/vcard", nSupportedAddrData, "3.0", "4.0"); err != nil {
		return nil, err
	}
	d := &object.AddressData{Version: e.Attr("version")}
	if d.Version == "" && e.HasAttr("content-type") {
		d.Version = "3.0"
	}
	all := false
	for c := range e.Elements() {
		switch {
		case c.Name == nCardProp:
			d.Props = append(d.Props, object.PropSelect{Name: c.Attr("name"), NoValue: c.Attr("novalue") == "yes"})
		case c.Name.Local == "allprop":
			all = true
		}
	}
	if all {
		d.Props = nil
	}
	if err := d.Check(); err != nil {
		return nil, refuse(http.StatusBadRequest, "address-data: %w", err)
	}
	if d.Version == "" && len(d.Props) == 0 {
		return nil, nil
	}
	return d, nil
}
