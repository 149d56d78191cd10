package dav

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"inetdav/dav/davxml"
)

// propCardDAV is RFC 6352, 6.2 and 7.1.
func propCardDAV() []property {
	c := func(local string) davxml.Name { return davxml.Name{Space: davxml.CardDAV, Local: local} }
	description := c("addressbook-description")
	return []property{
		{name: c("addressbook-home-set"), on: kPrincipal, refs: principalRef},
		{name: nPrincipalAddress, on: kPrincipal, get: getPrincipalAddress, set: setPrincipalAddress},
		{name: description, on: kAddressbook, get: getHuman(description), set: setText(description)},
		{name: c("supported-address-data"), on: kAddressbook, get: getSupportedAddressData},
		{name: c("supported-collation-set"), on: kAddressbook | kCardObject | kPrincipal | kPlain, get: getSupportedCollationSet},
		{name: c("max-resource-size"), on: kAddressbook, get: getMaxResourceSize},
	}
}

func getSupportedAddressData(_ *request, _ *target, o *propOut) error {
	o.elements(func(x *davxml.Writer) {
		emptyMediaType(x, nAddressDataType, "text/vcard", "3.0")
		emptyMediaType(x, nAddressDataType, "text/vcard", "4.0")
	})
	return nil
}

// getPrincipalAddress gives the card that the user has said is his own (RFC 6352,
// 7.1.2), also with CS:me-card, in which Apple's Contacts say it; nothing where it
// is no card that the reader may see.
func getPrincipalAddress(q *request, t *target, o *propOut) error {
	href, ok, err := q.text(t, nPrincipalAddress)
	if err != nil {
		return err
	}
	if !ok {
		rich, err := q.rich(t)
		if err != nil {
			return err
		}
		value, _ := rich.Get(nMeCard.String())
		if e, err := davxml.Parse([]byte(value)); err == nil {
			href = e.Child(nHref).Text()
		}
	}
	path, ok := q.pathOfHref(strings.TrimSpace(href))
	if !ok || href == "" {
		return nil
	}
	res, err := q.lookAt(path)
	if err != nil || kindOf(res)&(kCardObject|kFile) == 0 || !q.allowed(res, mayRead) {
		return absentOrForbidden(err)
	}
	o.elements(func(x *davxml.Writer) { x.Href(q.href(path)) })
	return nil
}

// absentOrForbidden makes no error of what a client cannot be told of.
func absentOrForbidden(err error) error {
	if memberStatus(err) == http.StatusForbidden {
		return nil
	}
	return absent(err)
}

// setPrincipalAddress takes one href. What it leads to is looked at whenever it is
// asked for: cards come and go.
func setPrincipalAddress(p *proppatch, e *davxml.Element) error {
	if e == nil {
		p.remove(nPrincipalAddress)
		return nil
	}
	href := strings.TrimSpace(e.Child(nHref).Text())
	if _, err := url.Parse(href); err != nil || href == "" {
		return &Error{Status: http.StatusConflict, Err: errors.New("principal-address without an href")} // RFC 4918, 9.2.1
	}
	p.put(nPrincipalAddress, href)
	return nil
}
