package backend_test

import "strings"

// request is one that both handlers get.
type request struct {
	name, method, url string
	headers           string // lines
	body              string
}

const (
	xmlns     = ` xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:CR="urn:ietf:params:xml:ns:carddav" xmlns:CS="http://calendarserver.org/ns/"`
	fileProps = `<resourcetype/><getetag/><getcontenttype/><getcontentlength/><getlastmodified/>`
	isEvent   = "Content-Type: text/calendar\n"
	isCard    = "Content-Type: text/vcard\n"
)

func propfind(props string) string {
	return `<propfind` + xmlns + `><prop>` + props + `</prop></propfind>`
}

func calendarQueryBody(filter string) string {
	return `<C:calendar-query` + xmlns + `><prop><getetag/><C:calendar-data/></prop><C:filter><C:comp-filter name="VCALENDAR">` + filter + `</C:comp-filter></C:filter></C:calendar-query>`
}

func calendarMultigetBody(data, hrefs string) string {
	return `<C:calendar-multiget` + xmlns + `><prop><getetag/>` + data + `</prop>` + hrefs + `</C:calendar-multiget>`
}

func addressbookQueryBody(attrs, filter, rest string) string {
	return `<CR:addressbook-query` + xmlns + `><prop><getetag/><CR:address-data/></prop><CR:filter` + attrs + `>` + filter + `</CR:filter>` + rest + `</CR:addressbook-query>`
}

// unlike is an object of the seed with another UID.
func unlike(s string) string { return strings.Replace(s, "\nUID:", "\nUID:un", 1) }

var requests = []request{
	// RFC 6764, RFC 5397, RFC 4791, 6.2, RFC 6352, 7.1: discovery
	{"cal principal", "PROPFIND", "/cal/", "Depth: 0", propfind(`<current-user-principal/><C:calendar-home-set/><resourcetype/>`)},
	{"card principal", "PROPFIND", "/card/", "Depth: 0", propfind(`<current-user-principal/><CR:addressbook-home-set/><resourcetype/>`)},
	{"cal home", "PROPFIND", "/cal/alice/", "Depth: 1", propfind(`<resourcetype/><displayname/><C:calendar-description/><C:supported-calendar-component-set/><CS:getctag/><sync-token/><current-user-privilege-set/><C:max-resource-size/>`)},
	{"card home", "PROPFIND", "/card/alice/", "Depth: 1", propfind(`<resourcetype/><displayname/><CR:addressbook-description/><CR:supported-address-data/><CR:max-resource-size/>`)},
	{"cal home of another", "PROPFIND", "/cal/bob/", "Depth: 1", propfind(`<resourcetype/>`)},
	{"cal infinite", "PROPFIND", "/cal/alice/", "Depth: infinity", propfind(`<resourcetype/><getetag/>`)},
	{"cal members", "PROPFIND", "/cal/alice/work/", "Depth: 1", propfind(fileProps)},
	{"card members", "PROPFIND", "/card/alice/people/", "Depth: 1", propfind(fileProps)},
	{"cal object", "PROPFIND", "/cal/alice/work/2.ics", "Depth: 0", propfind(fileProps)},
	{"cal of another", "PROPFIND", "/cal/bob/private/", "Depth: 1", propfind(`<getetag/>`)},
	{"cal missing", "PROPFIND", "/cal/alice/none/", "Depth: 0", propfind(`<getetag/>`)},
	{"cal names", "PROPFIND", "/cal/alice/work/", "Depth: 0", `<propfind xmlns="DAV:"><propname/></propfind>`},
	{"cal allprop", "PROPFIND", "/cal/alice/work/1.ics", "Depth: 0", ""},
	{"cal depth 2", "PROPFIND", "/cal/alice/work/", "Depth: 2", propfind(`<getetag/>`)},
	{"cal options", "OPTIONS", "/cal/alice/work/1.ics", "", ""},
	{"cal well-known", "GET", "/.well-known/caldav", "", ""},

	// RFC 4791, 7.8: calendar-query
	{"query events", "REPORT", "/cal/alice/work/", "Depth: 1", calendarQueryBody(`<C:comp-filter name="VEVENT"/>`)},
	{"query range", "REPORT", "/cal/alice/work/", "Depth: 1", calendarQueryBody(`<C:comp-filter name="VEVENT"><C:time-range start="20270104T000000Z" end="20270111T000000Z"/></C:comp-filter>`)},
	{"query todo", "REPORT", "/cal/alice/work/", "Depth: 1", calendarQueryBody(`<C:comp-filter name="VTODO"><C:time-range start="20270104T000000Z"/></C:comp-filter>`)},
	{"query text", "REPORT", "/cal/alice/work/", "Depth: 1", calendarQueryBody(`<C:comp-filter name="VEVENT"><C:prop-filter name="SUMMARY"><C:text-match>LUNCH</C:text-match></C:prop-filter></C:comp-filter>`)},
	{"query negated", "REPORT", "/cal/alice/work/", "Depth: 1", calendarQueryBody(`<C:comp-filter name="VEVENT"><C:prop-filter name="SUMMARY"><C:text-match negate-condition="yes">lunch</C:text-match></C:prop-filter></C:comp-filter>`)},
	{"query octets", "REPORT", "/cal/alice/work/", "Depth: 1", calendarQueryBody(`<C:comp-filter name="VEVENT"><C:prop-filter name="SUMMARY"><C:text-match collation="i;octet">LUNCH</C:text-match></C:prop-filter></C:comp-filter>`)},
	{"query absent", "REPORT", "/cal/alice/work/", "Depth: 1", calendarQueryBody(`<C:comp-filter name="VEVENT"><C:prop-filter name="RRULE"><C:is-not-defined/></C:prop-filter></C:comp-filter>`)},
	{"query param", "REPORT", "/cal/alice/work/", "Depth: 1", calendarQueryBody(`<C:comp-filter name="VEVENT"><C:prop-filter name="ATTENDEE"><C:param-filter name="CN"><C:text-match>alto</C:text-match></C:param-filter></C:prop-filter></C:comp-filter>`)},
	{"query bad range", "REPORT", "/cal/alice/work/", "Depth: 1", calendarQueryBody(`<C:comp-filter name="VEVENT"><C:time-range start="20270111T000000Z" end="20270104T000000Z"/></C:comp-filter>`)},

	// RFC 4791, 7.9: calendar-multiget
	{"multiget", "REPORT", "/cal/alice/work/", "", calendarMultigetBody(`<C:calendar-data/>`, `<href>/cal/alice/work/1.ics</href><href>/cal/alice/work/none.ics</href>`)},
	{"multiget part", "REPORT", "/cal/alice/work/", "", calendarMultigetBody(`<C:calendar-data><C:comp name="VCALENDAR"><C:comp name="VEVENT"><C:prop name="SUMMARY"/></C:comp></C:comp></C:calendar-data>`, `<href>/cal/alice/work/1.ics</href>`)},
	{"multiget expanded", "REPORT", "/cal/alice/work/", "", calendarMultigetBody(`<C:calendar-data><C:expand start="20260101T000000Z" end="20260120T000000Z"/></C:calendar-data>`, `<href>/cal/alice/work/2.ics</href>`)},
	{"multiget elsewhere", "REPORT", "/cal/alice/work/", "", calendarMultigetBody(``, `<href>/cal/bob/private/1.ics</href>`)},

	// RFC 6578, 3.2; RFC 4791, 7.10
	{"sync-collection", "REPORT", "/cal/alice/work/", "", `<sync-collection` + xmlns + `><sync-token/><sync-level>1</sync-level><prop><getetag/></prop></sync-collection>`},
	{"free-busy-query", "REPORT", "/cal/alice/work/", "Depth: 1", `<C:free-busy-query` + xmlns + `><C:time-range start="20260105T000000Z" end="20260112T000000Z"/></C:free-busy-query>`},

	// RFC 9110, 9.3.1
	{"cal get", "GET", "/cal/alice/work/1.ics", "", ""},
	{"cal get folded", "GET", "/cal/alice/work/2.ics", "", ""},
	{"cal head", "HEAD", "/cal/alice/work/1.ics", "", ""},
	{"cal get missing", "GET", "/cal/alice/work/none.ics", "", ""},
	{"cal get unchanged", "GET", "/cal/alice/work/1.ics", "If-None-Match: *", ""},
	{"cal get all", "GET", "/cal/alice/work/", "", ""},
	{"card get", "GET", "/card/alice/people/ann.vcf", "", ""},
	{"card get altered", "GET", "/card/alice/people/bob.vcf", "", ""},

	// RFC 4791, 5.3.2; RFC 6352, 6.3.2
	{"cal put new", "PUT", "/cal/alice/work/9.ics", isEvent, unlike(event)},
	{"cal put again", "PUT", "/cal/alice/work/1.ics", isEvent, strings.Replace(event, "Lunch", "Dinner", 1)},
	{"cal put if-none-match", "PUT", "/cal/alice/work/1.ics", isEvent + "If-None-Match: *", event},
	{"cal put if-match", "PUT", "/cal/alice/work/1.ics", isEvent + `If-Match: "x"`, event},
	{"cal put if-match list", "PUT", "/cal/alice/work/1.ics", isEvent + `If-Match: "x", "y"`, event},
	{"cal put nonsense", "PUT", "/cal/alice/work/9.ics", isEvent, "nonsense"},
	{"cal put no UID", "PUT", "/cal/alice/work/9.ics", isEvent, strings.Replace(event, "UID:one\r\n", "", 1)},
	{"cal put METHOD", "PUT", "/cal/alice/work/9.ics", isEvent, strings.Replace(unlike(event), "VERSION", "METHOD:REQUEST\r\nVERSION", 1)},
	{"cal put taken UID", "PUT", "/cal/alice/work/9.ics", isEvent, event},
	{"cal put journal", "PUT", "/cal/alice/work/9.ics", isEvent, strings.ReplaceAll(unlike(todo), "VTODO", "VJOURNAL")},
	{"cal put card", "PUT", "/cal/alice/work/9.ics", isCard, ann},
	{"cal put untyped", "PUT", "/cal/alice/work/9.ics", "", unlike(event)},
	{"cal put nowhere", "PUT", "/cal/alice/none/9.ics", isEvent, event},
	{"cal put in book", "PUT", "/cal/alice/people/9.ics", isEvent, event},
	{"cal put at another's", "PUT", "/cal/bob/private/9.ics", isEvent, unlike(event)},
	{"cal put hidden", "PUT", "/cal/alice/work/.9.ics", isEvent, unlike(event)},
	{"card put new", "PUT", "/card/alice/people/9.vcf", isCard, unlike(bob)},
	{"card put nonsense", "PUT", "/card/alice/people/9.vcf", isCard, "nonsense"},
	{"card put no UID", "PUT", "/card/alice/people/9.vcf", isCard, strings.Replace(ann, "UID:ann\r\n", "", 1)},
	{"card put taken UID", "PUT", "/card/alice/people/9.vcf", isCard, ann},

	// RFC 4918, 9.6
	{"cal delete", "DELETE", "/cal/alice/work/1.ics", "", ""},
	{"cal delete if-match", "DELETE", "/cal/alice/work/1.ics", `If-Match: "x"`, ""},
	{"cal delete all", "DELETE", "/cal/alice/work/", "", ""},
	{"cal delete missing", "DELETE", "/cal/alice/work/none.ics", "", ""},
	{"cal delete home", "DELETE", "/cal/alice/", "", ""},
	{"card delete", "DELETE", "/card/alice/people/ann.vcf", "", ""},
	{"card delete all", "DELETE", "/card/alice/people/", "", ""},

	// RFC 4791, 5.3.1; RFC 5689; RFC 4918, 9.2
	{"cal mkcol", "MKCOL", "/cal/alice/new/", "", `<mkcol` + xmlns + `><set><prop><resourcetype><collection/><C:calendar/></resourcetype><displayname>New</displayname><C:calendar-description>Why</C:calendar-description></prop></set></mkcol>`},
	{"cal mkcol bare", "MKCOL", "/cal/alice/new/", "", ""},
	{"cal mkcol taken", "MKCOL", "/cal/alice/work/", "", ""},
	{"cal mkcol inside", "MKCOL", "/cal/alice/work/new/", "", ""},
	{"cal mkcalendar", "MKCALENDAR", "/cal/alice/new/", "", `<C:mkcalendar` + xmlns + `><set><prop><displayname>New</displayname></prop></set></C:mkcalendar>`},
	{"cal proppatch", "PROPPATCH", "/cal/alice/work/", "", `<propertyupdate` + xmlns + `><set><prop><displayname>Other</displayname></prop></set></propertyupdate>`},
	{"card mkcol", "MKCOL", "/card/alice/new/", "", `<mkcol` + xmlns + `><set><prop><resourcetype><collection/><CR:addressbook/></resourcetype><displayname>New</displayname><CR:addressbook-description>Why</CR:addressbook-description></prop></set></mkcol>`},
	{"cal move", "MOVE", "/cal/alice/work/1.ics", "Destination: /cal/alice/empty/1.ics", ""},
	{"card copy", "COPY", "/card/alice/people/ann.vcf", "Destination: /card/alice/people/ann2.vcf", ""},

	// RFC 6352, 8.6 and 8.7
	{"card query", "REPORT", "/card/alice/people/", "Depth: 1", addressbookQueryBody("", `<CR:prop-filter name="FN"><CR:text-match>ANN</CR:text-match></CR:prop-filter>`, "")},
	{"card query all", "REPORT", "/card/alice/people/", "Depth: 1", addressbookQueryBody("", "", "")},
	{"card query limit", "REPORT", "/card/alice/people/", "Depth: 1", addressbookQueryBody("", "", `<CR:limit><CR:nresults>1</CR:nresults></CR:limit>`)},
	{"card query negated", "REPORT", "/card/alice/people/", "Depth: 1", addressbookQueryBody(` test="allof"`, `<CR:prop-filter name="FN"><CR:text-match negate-condition="yes" match-type="equals">bob</CR:text-match></CR:prop-filter>`, "")},
	{"card query octets", "REPORT", "/card/alice/people/", "Depth: 1", addressbookQueryBody("", `<CR:prop-filter name="FN"><CR:text-match collation="i;octet">ANN</CR:text-match></CR:prop-filter>`, "")},
	{"card multiget part", "REPORT", "/card/alice/people/", "", `<CR:addressbook-multiget` + xmlns + `><prop><getetag/><CR:address-data><CR:prop name="VERSION"/><CR:prop name="FN"/></CR:address-data></prop><href>/card/alice/people/ann.vcf</href></CR:addressbook-multiget>`},

	// RFC 4918
	{"file members", "PROPFIND", "/files/alice/docs/", "Depth: 1", propfind(fileProps)},
	{"file infinite", "PROPFIND", "/files/alice/docs/", "Depth: infinity", propfind(`<resourcetype/>`)},
	{"file event", "PROPFIND", "/files/alice/work/1.ics", "Depth: 0", propfind(fileProps)},
	{"file options", "OPTIONS", "/files/alice/docs/note.txt", "", ""},
	{"file get", "GET", "/files/alice/docs/note.txt", "", ""},
	{"file get event", "GET", "/files/alice/work/2.ics", "", ""},
	{"file get range", "GET", "/files/alice/docs/note.txt", "Range: bytes=1-2", ""},
	{"file get unchanged", "GET", "/files/alice/docs/note.txt", "If-None-Match: *", ""},
	{"file get dir", "GET", "/files/alice/docs/", "", ""},
	{"file head", "HEAD", "/files/alice/docs/note.txt", "", ""},
	{"file get missing", "GET", "/files/alice/docs/none.txt", "", ""},
	{"file put", "PUT", "/files/alice/docs/new.txt", "", "New\n"},
	{"file put again", "PUT", "/files/alice/docs/note.txt", "", "New\n"},
	{"file put event", "PUT", "/files/alice/work/9.ics", isEvent, unlike(event)},
	{"file put nowhere", "PUT", "/files/alice/none/new.txt", "", "New\n"},
	{"file put home", "PUT", "/files/alice/new.txt", "", "New\n"},
	{"file put on dir", "PUT", "/files/alice/docs/sub", "", "New\n"},
	{"file delete", "DELETE", "/files/alice/docs/note.txt", "", ""},
	{"file delete dir", "DELETE", "/files/alice/docs/", "", ""},
	{"file delete if-match", "DELETE", "/files/alice/docs/note.txt", `If-Match: "x"`, ""},
	{"file mkcol", "MKCOL", "/files/alice/docs/new/", "", ""},
	{"file mkcol taken", "MKCOL", "/files/alice/docs/sub/", "", ""},
	{"file mkcol nowhere", "MKCOL", "/files/alice/none/new/", "", ""},
	{"file copy", "COPY", "/files/alice/docs/note.txt", "Destination: /files/alice/docs/sub/note.txt", ""},
	{"file copy over", "COPY", "/files/alice/docs/note.txt", "Destination: /files/alice/docs/sub/deep.txt", ""},
	{"file copy not over", "COPY", "/files/alice/docs/note.txt", "Destination: /files/alice/docs/sub/deep.txt\nOverwrite: F", ""},
	{"file copy dir", "COPY", "/files/alice/docs/", "Destination: /files/alice/docs2/", ""},
	{"file copy shallow", "COPY", "/files/alice/docs/", "Destination: /files/alice/docs2/\nDepth: 0", ""},
	{"file copy into itself", "COPY", "/files/alice/docs/", "Destination: /files/alice/docs/sub/docs/", ""},
	{"file copy taken UID", "COPY", "/files/alice/work/1.ics", "Destination: /files/alice/work/9.ics", ""},
	{"file copy elsewhere", "COPY", "/files/alice/docs/note.txt", "Destination: http://example.org/files/alice/docs/x.txt", ""},
	{"file move", "MOVE", "/files/alice/docs/note.txt", "Destination: /files/alice/docs/sub/note.txt", ""},
	{"file move event", "MOVE", "/files/alice/work/1.ics", "Destination: /files/alice/empty/1.ics", ""},
	{"file move event into book", "MOVE", "/files/alice/work/1.ics", "Destination: /files/alice/people/1.ics", ""},
	{"file move cal", "MOVE", "/files/alice/work/", "Destination: /files/alice/play/", ""},
	{"file move cal inside", "MOVE", "/files/alice/work/", "Destination: /files/alice/empty/work/", ""},
	{"file proppatch", "PROPPATCH", "/files/alice/docs/", "", `<propertyupdate` + xmlns + `><set><prop><displayname>Other</displayname></prop></set></propertyupdate>`},
	{"file lock", "LOCK", "/files/alice/docs/note.txt", "", `<lockinfo` + xmlns + `><lockscope><exclusive/></lockscope><locktype><write/></locktype></lockinfo>`},
}
