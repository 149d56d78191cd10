// Package davxml reads the XML bodies of WebDAV requests and writes the XML
// of the answers. It knows syntax and names, and gives them no meaning.
//
// Reading ([Parse]) builds a small tree with limits on everything: a body is
// untrusted. Writing ([Writer]) streams through one fixed buffer: a multistatus
// of any length costs the same memory, and nothing is allocated per response.
package davxml

// The namespaces of the protocol and of its neighbours.
const (
	DAV      = "DAV:"                           // RFC 4918
	CalDAV   = "urn:ietf:params:xml:ns:caldav"  // RFC 4791
	CardDAV  = "urn:ietf:params:xml:ns:carddav" // RFC 6352
	CS       = "http://calendarserver.org/ns/"  // getctag, source, ...
	ICAL     = "http://apple.com/ns/ical/"      // calendar-color, calendar-order
	ME       = "http://me.com/_namespace/"      // bulk requests of Apple's clients
	Radicale = "http://radicale.org/ns/"        // properties of Radicale's web page
	INF      = "http://inf-it.com/ns/ab/"       // addressbook-color
	xmlSpace = "http://www.w3.org/XML/1998/namespace"
	nsSpace  = "http://www.w3.org/2000/xmlns/"
)

// Name is an expanded name (Namespaces in XML 1.0, 2.1): comparable, usable in a switch.
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
