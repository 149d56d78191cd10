package backend_test

// difference is one in which go-webdav's handlers over a Backend and package
// dav's handler answer differently. In all but why, * stands for anything (not
// for nothing); an empty value is a fact that is missing.
type difference struct {
	request, fact string
	theirs, ours  string
	why           string
}

const (
	otherOrder   = "what the handler sends went through a tree, which forgets the order of lines; we send the bytes that were stored"
	completed    = otherOrder + "; what its encoder insists on (PRODID, DTSTAMP) is added"
	ownPrincipal = "its handlers type URLs by depth: the principal is the mount itself, and Radicale's /alice/ is a home only; ours is principal and home at once"
	oneSort      = "its handler lists one kind of collection; for us a home is a collection as any other"
	noCTag       = "it knows no CTag and no sync token (RFC 6578)"
	noPrivileges = "it tells only read and write; we tell the privileges of RFC 3744"
	noCondition  = "it names no condition (RFC 4918, 16)"
	noLength     = "lists come off the index; the length of what GET would send is not known before it is encoded"
	noCollation  = "it drops the collation (RFC 4791, 9.7.5; RFC 6352, 10.5.4)"
	noNegation   = "it drops negate-condition (RFC 4791, 9.7.5)"
	plainType    = "it names no charset and no component"
	noLocks      = "it knows no locks (RFC 4918, 6 and 7)"
	allowed      = "what is allowed is what its handler implements for the URL; ours says what we implement"
)

var differences = []difference{
	// everywhere
	{"*", "header Content-Type", "", "application/xml; charset=utf-8", "it sets the header of a 207 after the status line has gone; net/http then guesses"},
	{"*", "header Allow", "", "OPTIONS, GET, *", "RFC 9110, 15.5.6 wants Allow with 405; it sends none"},
	{"*", "header Content-Type", "text/calendar", "text/calendar; charset=utf-8", plainType},
	{"*", "header Content-Type", "text/vcard", "text/vcard; charset=utf-8", plainType},
	{"*", "* C:calendar-data", "lines of *, in another order", "bytes of *", otherOrder},
	{"*", "* C:calendar-data", "text of 13 lines", "bytes of 2.ics", completed},
	{"*", "* CR:address-data", "lines of *, in another order", "bytes of *", otherOrder},
	{"*", "* CR:address-data", "text of 7 lines", "bytes of bob.vcf", "go-vcard's encoder alters escaped semicolons and lists"},
	{"*", "* getcontenttype", "text/*", "text/*; charset=utf-8; component=*", plainType},
	{"card members", "* getcontenttype", "text/vcard", "text/vcard; charset=utf-8", plainType},
	{"* members", "* getcontentlength", "404", "*", noLength},
	{"*put*", "header Last-Modified", "now", "", "we send the entity tag alone, which is the stronger validator"},
	{"*put*", "header Location", "*", "", "it says where the object is; RFC 9110, 9.3.4 asks for that only if it is not where it was put"},
	{"*taken UID", "condition", "*no-uid-conflict", "*no-uid-conflict(href(*))", "RFC 4791, 5.3.2.1: the condition holds the href of the object that has the UID; NewPreconditionError cannot"},

	// discovery
	{"cal principal", "/cal/ C:calendar-home-set", "href(/cal/alice/)", "404", ownPrincipal},
	{"card principal", "/card/ CR:addressbook-home-set", "href(/card/alice/)", "404", ownPrincipal},
	{"cal principal", "/cal/ current-user-principal", "href(/cal/)", "href(/cal/alice/)", ownPrincipal},
	{"card principal", "/card/ current-user-principal", "href(/card/)", "href(/card/alice/)", ownPrincipal},
	{"cal principal", "/cal/ resourcetype", "collection principal", "collection", ownPrincipal},
	{"card principal", "/card/ resourcetype", "collection principal", "collection", ownPrincipal},
	{"cal*", "/cal/alice/ resourcetype", "collection", "collection principal", ownPrincipal},
	{"card home", "/card/alice/ resourcetype", "collection", "collection principal", ownPrincipal},
	{"* home", "*/alice/ displayname", "404", "alice", "a home has no name there; ours falls back to that in the URL"},
	{"cal home", "/cal/alice/* CS:getctag", "404", "*", noCTag},
	{"cal home", "/cal/alice/* sync-token", "404", "data:,*", noCTag},
	{"cal home", "/cal/alice/ current-user-privilege-set", "404", "privilege(*", noPrivileges},
	{"cal home", "/cal/alice/*/ current-user-privilege-set", "privilege(read write)", "privilege(*", noPrivileges},
	{"cal home", "/cal/alice/empty/ C:calendar-description", "", "404", "it has an empty description, which the client takes for none; ours has none"},
	{"cal home", "/cal/alice/docs/*", "", "*", oneSort},
	{"cal home", "/cal/alice/people/*", "", "*", oneSort},
	{"card home", "/card/alice/docs/*", "", "*", oneSort},
	{"card home", "/card/alice/empty/*", "", "*", oneSort},
	{"card home", "/card/alice/work/*", "", "*", oneSort},
	{"cal infinite", "/cal/alice/docs/*", "", "*", oneSort},
	{"cal infinite", "/cal/alice/people/*", "", "*", oneSort},
	{"cal infinite", "/cal/alice/*/ getetag", "404", "*", "a calendar has no entity tag there; ours has its CTag"},
	{"cal home of another", "status", "207", "403", "at a home that is not that of who asks it finds nothing, and says so with an empty 207"},
	{"cal home of another", "condition", "", "need-privileges(resource(href(/cal/bob/) privilege(read)))", noCondition},
	{"cal of another", "condition", "", "need-privileges(resource(href(/cal/bob/private/) privilege(read)))", noCondition},
	{"cal put at another's", "condition", "", "need-privileges(resource(href(/cal/bob/private/) privilege(bind)))", noCondition},
	{"cal well-known", "status", "308", "301", "which of them hardly matters for GET; ours answers PROPFIND with 307"},
	{"cal well-known", "header Location", "/cal/", "/", "each leads to its own root"},
	{"cal well-known", "header Content-Type", "text/html; charset=utf-8", "", "http.Redirect adds a page"},

	// PROPFIND
	{"* members", "/ca*/ getcontenttype", "404", "text/*", "a calendar as a whole can be had with GET from us, hence it has a type"},
	{"* members", "/ca*/ getetag", "404", "*", "a calendar has no entity tag there; ours has its CTag"},
	{"* members", "/*/ getlastmodified", "404", "*", "collections have no time there"},
	{"cal object", "* getcontentlength", "274", "219", "each says what its own GET sends"},
	{"cal allprop", "* C:calendar-data", "lines of 1.ics, in another order", "", "RFC 4791, 9.6: calendar-data is no property, but asked for in reports; it treats it as one"},
	{"cal allprop", "* current-user-principal", "href(/cal/)", "", "RFC 5397, 3: not returned for allprop"},
	{"cal allprop", "* supportedlock", "", "lockentry(*", noLocks},
	{"cal options", "status", "204", "200", "both may be (RFC 9110, 9.3.7)"},
	{"cal options", "header Allow", "OPTIONS, HEAD, GET, PUT, DELETE, PROPFIND", "OPTIONS, *", allowed},
	{"cal options", "header DAV", "1, 3, calendar-access", "1, *3, calendar-access, *addressbook, extended-mkcol", "one handler for both, and MKCOL with a body is announced (RFC 5689, 3.1)"},

	// reports
	{"query negated", "/cal/alice/work/1.ics*", "*", "", noNegation},
	{"query negated", "/cal/alice/work/2.ics*", "", "*", noNegation},
	{"query octets", "/cal/alice/work/1.ics*", "*", "", noCollation},
	{"card query octets", "/card/alice/people/ann.vcf*", "*", "", noCollation},
	{"card query limit", "/card/alice/people/", "", "507", "RFC 6352, 8.6.2: a truncated answer says so; it does not"},
	{"multiget part", "* C:calendar-data", "lines of 1.ics, in another order", "text of 5 lines", "it loses the names of the components asked for (RFC 4791, 9.6.1), so that a Backend can only give all"},
	{"multiget expanded", "* C:calendar-data", "text of 13 lines", "text of 21 lines", "it drops expand (RFC 4791, 9.6.5)"},
	{"multiget elsewhere", "/cal/bob/private/1.ics", "403", "404", "ours does not tell names; it has one status for all of an error"},
	{"sync-collection", "status", "400", "207", "it does not know the report (RFC 6578, 3.2)"},
	{"sync-collection", "/cal/alice/work/*", "", "*", "it does not know the report"},
	{"sync-collection", "multistatus sync-token", "", "some", "it does not know the report"},
	{"free-busy-query", "status", "400", "200", "it does not know the report (RFC 4791, 7.10)"},
	{"free-busy-query", "body", "", "text of *", "it does not know the report"},
	{"free-busy-query", "header Content-Type", "", "text/calendar; charset=utf-8", "it does not know the report"},

	// GET
	{"cal get*", "body", "lines of *, in another order", "bytes of *", otherOrder},
	{"card get*", "body", "lines of *, in another order", "bytes of *", otherOrder},
	{"cal get folded", "body", "text of 13 lines", "bytes of 2.ics", completed},
	{"card get altered", "body", "text of 7 lines", "bytes of bob.vcf", "go-vcard's encoder alters escaped semicolons and lists"},
	{"cal get unchanged", "*", "*", "304", "its calendar handler does not look at If-None-Match (RFC 9110, 13.1.2)"},
	{"cal get unchanged", "*", "*", "", "its calendar handler does not look at If-None-Match"},
	{"cal get all", "status", "404", "200", "a whole calendar can be had with GET from us, as from Radicale"},
	{"cal get all", "*", "", "*", "a whole calendar can be had with GET from us"},
	{"file get dir", "status", "405", "403", "ours answers as Radicale does"},

	// PUT
	{"cal put again", "status", "201", "204", "its Backends cannot say whether an object is new (RFC 9110, 9.3.4)"},
	{"cal put if-match list", "status", "400", "412", "a webdav.ConditionalMatch holds one entity tag, not a list (RFC 9110, 13.1.1)"},
	{"* put nonsense", "status", "400", "403", "what its decoder refuses no Backend sees; RFC 4791, 5.3.2.1 wants valid-calendar-data"},
	{"* put nonsense", "condition", "", "*valid-*-data", "what its decoder refuses no Backend sees"},
	{"cal put card", "status", "400", "403", "it takes the media type as wrong; RFC 4791, 5.3.2.1 wants supported-calendar-data"},
	{"cal put card", "condition", "", "C:supported-calendar-data", noCondition},
	{"cal put untyped", "*", "*", "201", "it demands a Content-Type; RFC 9110, 8.3 does not"},
	{"cal put untyped", "*", "", "*", "it demands a Content-Type"},

	// DELETE, MKCOL, PROPPATCH, COPY, MOVE in calendars and address books
	{"cal delete if-match", "status", "204", "412", "its calendar handler does not hand on the conditions of DELETE"},
	{"cal delete if-match", "folder /alice/work/1.ics", "gone", "", "its calendar handler does not hand on the conditions of DELETE"},
	{"cal delete home", "status", "403", "204", "a Backend deletes calendars and their objects; ours deletes what the rights allow"},
	{"cal delete home", "folder /alice/*", "", "gone", "a Backend deletes calendars and their objects"},
	{"cal mkcol", "folder /alice/new/.Radicale.props", `{"D:displayname"*`, `{"C:calendar-description"*`, "its handler reads nothing but the displayname"},
	{"cal mkcol bare", "folder /alice/new/.Radicale.props", `{"tag": "VCALENDAR"}`, "", "for its calendar handler any MKCOL makes a calendar; RFC 4918, 9.3 means a plain collection"},
	{"cal mkcalendar", "status", "405", "201", "it does not know MKCALENDAR (RFC 4791, 5.3.1)"},
	{"cal mkcalendar", "folder /alice/new/*", "", "*", "it does not know MKCALENDAR"},
	{"* proppatch", "status", "501", "207", "it does not know PROPPATCH of calendars (RFC 4918, 9.2)"},
	{"* proppatch", "folder *", "", "*", "it changes no properties"},
	{"cal proppatch", "/cal/alice/work/*", "", "*", "it does not know PROPPATCH of calendars"},
	{"file proppatch", "/files/alice/docs/ displayname", "403", "", "it changes no properties"},
	{"cal move", "status", "501", "201", "it does not know MOVE of calendar objects"},
	{"cal move", "folder *", "", "*", "it does not know MOVE of calendar objects"},
	{"card copy", "status", "501", "409", "it does not know COPY of address objects; ours finds the UID taken"},
	{"card copy", "condition", "", "CR:no-uid-conflict*", "it does not know COPY of address objects"},

	// files
	{"file lock", "status", "405", "200", noLocks},
	{"file lock", "body", "", "prop", noLocks},
	{"file options", "status", "204", "200", "both may be (RFC 9110, 9.3.7)"},
	{"file options", "header Allow", "OPTIONS, DELETE, PROPFIND, COPY, MOVE, HEAD, GET, PUT", "OPTIONS, *", allowed},
	{"file options", "header DAV", "1, 3", "1, *3, calendar-access, *addressbook, extended-mkcol", "one handler for all"},
	{"file copy elsewhere", "status", "201", "502", "it ignores the host of the Destination (RFC 4918, 9.8.5: 502), and so copies within"},
	{"file copy elsewhere", "folder /alice/docs/x.txt", "*", "", "it ignores the host of the Destination"},
}
