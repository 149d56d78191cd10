// Package davxml reads the XML bodies of WebDAV requests and writes the XML
// of the answers. It knows syntax and names, and gives them no meaning.
//
// Reading ([Parse]) makes a small tree, because a property's value must be
// kept as it came. A body is untrusted, so everything has a limit with a name,
// the parser keeps its own stack, does work in proportion to the body's length,
// and knows neither document types nor entities.
//
// Writing ([Writer]) streams through one fixed buffer: a multistatus of any
// length costs the same memory, and nothing is allocated per response.
//
// encoding/xml is not used because its tables cost every start of the process
// more than a small request does; the tests compare the two on each document.
package davxml

// The namespaces of the protocol and of its neighbours.
const (
	DAV      = "DAV:"                           // RFC 4918
	CalDAV   = "urn:ietf:params:xml:ns:caldav"  // RFC 4791
	CardDAV  = "urn:ietf:params:xml:ns:carddav" // RFC 6352
	CS       = "http://calendarserver.org/ns/"  // getctag, source
	ICAL     = "http://apple.com/ns/ical/"      // calendar-color, calendar-order
	ME       = "http://me.com/_namespace/"      // bulk requests of Apple's clients
	Radicale = "http://radicale.org/ns/"        // properties of Radicale's web page
	INF      = "http://inf-it.com/ns/ab/"       // addressbook-color

	// XML is the namespace of xml:lang, bound to the prefix xml in every document.
	XML = "http://www.w3.org/XML/1998/namespace"

	// xmlns is the namespace of namespace declarations, never to be bound.
	xmlns = "http://www.w3.org/2000/xmlns/"
)

// Name is an expanded name (Namespaces in XML 1.0, 2.1): comparable, and so usable in a switch.
type Name struct{ Space, Local string }

// String returns the name in Clark's notation: "{DAV:}href", or "href" without a namespace.
func (n Name) String() string {
	if n.Space == "" {
		return n.Local
	}
	return "{" + n.Space + "}" + n.Local
}

// Attr is an attribute. Namespace declarations are not attributes here.
type Attr struct {
	Name  Name
	Value string
}

// prefix returns the prefix that every document of a Writer binds to the
// namespace, or "" when the namespace has none. Radicale's answers use the same.
func prefix(space string) string {
	switch space {
	case CalDAV:
		return "C"
	case CardDAV:
		return "CR"
	case CS:
		return "CS"
	case ICAL:
		return "ICAL"
	case ME:
		return "ME"
	case Radicale:
		return "RADICALE"
	case XML:
		return "xml"
	}
	return ""
}

// intern returns the package's own string for a namespace known here, so that
// later comparisons of names end at the pointer.
func intern(space string) string {
	switch space {
	case DAV:
		return DAV
	case CalDAV:
		return CalDAV
	case CardDAV:
		return CardDAV
	case CS:
		return CS
	case ICAL:
		return ICAL
	case ME:
		return ME
	case Radicale:
		return Radicale
	case INF:
		return INF
	case XML:
		return XML
	}
	return space
}
