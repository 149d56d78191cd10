package dav

import (
	"strconv"
	"strings"

	"inetdav/dav/davxml"
	"inetdav/store/object/caltime"
)

// propCalDAV is RFC 4791, 5.2 and 6.2, and what RFC 6638, 2.4.1 asks of a
// principal.
func propCalDAV() []property {
	c := func(local string) davxml.Name { return davxml.Name{Space: davxml.CalDAV, Local: local} }
	return []property{
		{name: c("calendar-home-set"), on: kPrincipal, refs: principalRef},
		{name: nUserAddressSet, on: kPrincipal, get: getCalendarUserAddressSet},
		{name: nComponentSet, on: kCalendar | kSubscribed, get: getComponentSet, set: setComponentSet},
		{name: c("supported-calendar-data"), on: kCalendar, get: getSupportedCalendarData},
		{name: c("supported-rscale-set"), on: kCalendar | kPrincipal, get: getSupportedRscaleSet}, // RFC 7529, 10.1
		{name: c("supported-collation-set"), on: kCalendar | kCalObject | kPrincipal | kPlain, get: getSupportedCollationSet},
		{name: c("max-resource-size"), on: kCalendar, get: getMaxResourceSize},
		{name: nCalendarDescription, on: kCalendar | kSubscribed, get: getHuman(nCalendarDescription), set: setText(nCalendarDescription)},
		{name: nCalendarTimezone, on: kCalendar, get: getText(nCalendarTimezone), set: setTimezone},
		{name: c("calendar-timezone-id"), on: kCalendar, get: getTimezoneID, set: setTimezoneID},                 // RFC 7809, 5.2
		{name: nCalendarAvailability, on: kPrincipal, get: getText(nCalendarAvailability), set: setAvailability}, // RFC 7953, 7.2.4
	}
}

// setTimezone takes an iCalendar object with one VTIMEZONE (RFC 4791, 5.2.2).
func setTimezone(p *proppatch, e *davxml.Element) error {
	if e != nil {
		if _, err := zoneOf(e.Text()); err != nil {
			return violates(nValidCalData, err)
		}
	}
	return setText(nCalendarTimezone)(p, e)
}

func getCalendarUserAddressSet(q *request, t *target, o *propOut) error {
	o.elements(func(x *davxml.Writer) {
		for _, address := range q.userAddresses(t) {
			x.Element(nHref, address)
		}
	})
	return nil
}

// userAddresses are the URLs of a user: that of his principal, and his mail
// address where his name is one.
func (q *request) userAddresses(t *target) []string {
	var list []string
	for _, address := range emails(t.res.Path) {
		list = append(list, "mailto:"+address)
	}
	return append(list, davxml.EscapePath(q.collectionHref(t.res.Path)))
}

func getComponentSet(q *request, t *target, o *propOut) error {
	c, err := q.collection(t)
	if err != nil {
		return err
	}
	o.elements(func(x *davxml.Writer) {
		for name := range strings.SplitSeq(componentSet(c.Props()), ",") {
			x.Empty(nComp, davxml.Attr{Name: davxml.Name{Local: "name"}, Value: strings.TrimSpace(name)})
		}
	})
	return nil
}

// setComponentSet initializes the set: RFC 4791, 5.2.3 lets MKCALENDAR do it,
// and protects it afterwards; Radicale's web page changes it later too.
func setComponentSet(p *proppatch, e *davxml.Element) error {
	if e == nil {
		p.remove(nComponentSet)
		return nil
	}
	var names []string
	for c := range e.Elements() {
		name := strings.ToUpper(strings.TrimSpace(c.Attr("name")))
		if c.Name != nComp || !isToken(name) {
			return violates(nSupportedCalComponent, nil)
		}
		names = append(names, name)
	}
	if len(names) == 0 {
		return violates(nSupportedCalComponent, nil)
	}
	p.put(nComponentSet, strings.Join(names, ","))
	return nil
}

// isToken reports whether s can be the name of a component (RFC 5545, 3.1).
func isToken(s string) bool {
	for i := range len(s) {
		if c := s[i]; c != '-' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return s != ""
}

func getSupportedCalendarData(_ *request, _ *target, o *propOut) error {
	o.elements(func(x *davxml.Writer) { emptyMediaType(x, nCalendarData, "text/calendar", "2.0") })
	return nil
}

func emptyMediaType(x *davxml.Writer, name davxml.Name, mediaType, version string) {
	x.Empty(name, davxml.Attr{Name: davxml.Name{Local: "content-type"}, Value: mediaType},
		davxml.Attr{Name: davxml.Name{Local: "version"}, Value: version})
}

func getSupportedCollationSet(_ *request, _ *target, o *propOut) error {
	name := nSupportedCollationE
	if o.name.Space == davxml.CardDAV {
		name = nCardCollation
	}
	o.elements(func(x *davxml.Writer) {
		for _, c := range []string{"i;ascii-casemap", "i;octet", "i;unicode-casemap"} {
			x.Element(name, c)
		}
	})
	return nil
}

func getSupportedRscaleSet(_ *request, _ *target, o *propOut) error {
	o.elements(func(x *davxml.Writer) {
		for scale := range strings.SplitSeq(caltime.Scales, ",") {
			x.Element(nSupportedRscale, scale)
		}
	})
	return nil
}

func getMaxResourceSize(q *request, _ *target, o *propOut) error {
	o.text(strconv.FormatInt(q.h.maxObject, 10))
	return nil
}
