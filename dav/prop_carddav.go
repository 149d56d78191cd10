package dav

import "inetdav/dav/davxml"

// propCardDAV is RFC 6352, 6.2 and 7.1.
func propCardDAV() []property {
	c := func(local string) davxml.Name { return davxml.Name{Space: davxml.CardDAV, Local: local} }
	description := c("addressbook-description")
	return []property{
		{name: c("addressbook-home-set"), on: kPrincipal, refs: principalRef},
		{name: description, on: kAddressbook, get: getHuman(description), set: setText(description)},
		{name: c("supported-address-data"), on: kAddressbook, get: getSupportedAddressData},
		{name: c("supported-collation-set"), on: kAddressbook, get: getSupportedCollationSet},
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
