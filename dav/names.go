package dav

import "inetdav/dav/davxml"

// The names of RFC 4918, 3253, 3744, 4791, 5397, 5689, 6352, 6578 and of the
// extensions that clients ask for. A name stands here once.
var (
	// elements
	nMultistatus         = davxml.Name{Space: davxml.DAV, Local: "multistatus"}
	nResponse            = davxml.Name{Space: davxml.DAV, Local: "response"}
	nPropstat            = davxml.Name{Space: davxml.DAV, Local: "propstat"}
	nProp                = davxml.Name{Space: davxml.DAV, Local: "prop"}
	nStatus              = davxml.Name{Space: davxml.DAV, Local: "status"}
	nHref                = davxml.Name{Space: davxml.DAV, Local: "href"}
	nError               = davxml.Name{Space: davxml.DAV, Local: "error"}
	nPropfind            = davxml.Name{Space: davxml.DAV, Local: "propfind"}
	nAllprop             = davxml.Name{Space: davxml.DAV, Local: "allprop"}
	nPropname            = davxml.Name{Space: davxml.DAV, Local: "propname"}
	nInclude             = davxml.Name{Space: davxml.DAV, Local: "include"}
	nPropertyupdate      = davxml.Name{Space: davxml.DAV, Local: "propertyupdate"}
	nSet                 = davxml.Name{Space: davxml.DAV, Local: "set"}
	nRemove              = davxml.Name{Space: davxml.DAV, Local: "remove"}
	nMkcol               = davxml.Name{Space: davxml.DAV, Local: "mkcol"}
	nMkcolResponse       = davxml.Name{Space: davxml.DAV, Local: "mkcol-response"}
	nMkcalendar          = davxml.Name{Space: davxml.CalDAV, Local: "mkcalendar"}
	nMkcalendarResponse  = davxml.Name{Space: davxml.CalDAV, Local: "mkcalendar-response"}
	nCollection          = davxml.Name{Space: davxml.DAV, Local: "collection"}
	nPrincipal           = davxml.Name{Space: davxml.DAV, Local: "principal"}
	nCalendar            = davxml.Name{Space: davxml.CalDAV, Local: "calendar"}
	nAddressbook         = davxml.Name{Space: davxml.CardDAV, Local: "addressbook"}
	nSubscribed          = davxml.Name{Space: davxml.CS, Local: "subscribed"}
	nComp                = davxml.Name{Space: davxml.CalDAV, Local: "comp"}
	nCompFilter          = davxml.Name{Space: davxml.CalDAV, Local: "comp-filter"}
	nPropFilter          = davxml.Name{Space: davxml.CalDAV, Local: "prop-filter"}
	nParamFilter         = davxml.Name{Space: davxml.CalDAV, Local: "param-filter"}
	nTextMatch           = davxml.Name{Space: davxml.CalDAV, Local: "text-match"}
	nIsNotDefined        = davxml.Name{Space: davxml.CalDAV, Local: "is-not-defined"}
	nTimeRange           = davxml.Name{Space: davxml.CalDAV, Local: "time-range"}
	nFilter              = davxml.Name{Space: davxml.CalDAV, Local: "filter"}
	nTimezone            = davxml.Name{Space: davxml.CalDAV, Local: "timezone"}
	nCalendarData        = davxml.Name{Space: davxml.CalDAV, Local: "calendar-data"}
	nCalAllprop          = davxml.Name{Space: davxml.CalDAV, Local: "allprop"}
	nCalAllcomp          = davxml.Name{Space: davxml.CalDAV, Local: "allcomp"}
	nCalProp             = davxml.Name{Space: davxml.CalDAV, Local: "prop"}
	nExpand              = davxml.Name{Space: davxml.CalDAV, Local: "expand"}
	nLimitRecurrenceSet  = davxml.Name{Space: davxml.CalDAV, Local: "limit-recurrence-set"}
	nLimitFreebusySet    = davxml.Name{Space: davxml.CalDAV, Local: "limit-freebusy-set"}
	nCardFilter          = davxml.Name{Space: davxml.CardDAV, Local: "filter"}
	nCardPropFilter      = davxml.Name{Space: davxml.CardDAV, Local: "prop-filter"}
	nCardParamFilter     = davxml.Name{Space: davxml.CardDAV, Local: "param-filter"}
	nCardTextMatch       = davxml.Name{Space: davxml.CardDAV, Local: "text-match"}
	nCardIsNotDefined    = davxml.Name{Space: davxml.CardDAV, Local: "is-not-defined"}
	nCardLimit           = davxml.Name{Space: davxml.CardDAV, Local: "limit"}
	nNresults            = davxml.Name{Space: davxml.CardDAV, Local: "nresults"}
	nCardProp            = davxml.Name{Space: davxml.CardDAV, Local: "prop"}
	nAddressData         = davxml.Name{Space: davxml.CardDAV, Local: "address-data"}
	nAddressDataType     = davxml.Name{Space: davxml.CardDAV, Local: "address-data-type"}
	nLimit               = davxml.Name{Space: davxml.DAV, Local: "limit"}
	nDAVNresults         = davxml.Name{Space: davxml.DAV, Local: "nresults"}
	nSyncLevel           = davxml.Name{Space: davxml.DAV, Local: "sync-level"}
	nPropertyElement     = davxml.Name{Space: davxml.DAV, Local: "property"}
	nPrivilege           = davxml.Name{Space: davxml.DAV, Local: "privilege"}
	nSupportedReport     = davxml.Name{Space: davxml.DAV, Local: "supported-report"}
	nReport              = davxml.Name{Space: davxml.DAV, Local: "report"}
	nUnauthenticated     = davxml.Name{Space: davxml.DAV, Local: "unauthenticated"}
	nSupportedCollationE = davxml.Name{Space: davxml.CalDAV, Local: "supported-collation"}
	nCardCollation       = davxml.Name{Space: davxml.CardDAV, Local: "supported-collation"}
	nActivelock          = davxml.Name{Space: davxml.DAV, Local: "activelock"}
	nDepth               = davxml.Name{Space: davxml.DAV, Local: "depth"}
	nExclusive           = davxml.Name{Space: davxml.DAV, Local: "exclusive"}
	nLockentry           = davxml.Name{Space: davxml.DAV, Local: "lockentry"}
	nLockinfo            = davxml.Name{Space: davxml.DAV, Local: "lockinfo"}
	nLockroot            = davxml.Name{Space: davxml.DAV, Local: "lockroot"}
	nLockscope           = davxml.Name{Space: davxml.DAV, Local: "lockscope"}
	nLocktoken           = davxml.Name{Space: davxml.DAV, Local: "locktoken"}
	nLocktype            = davxml.Name{Space: davxml.DAV, Local: "locktype"}
	nShared              = davxml.Name{Space: davxml.DAV, Local: "shared"}
	nTimeout             = davxml.Name{Space: davxml.DAV, Local: "timeout"}
	nWrite               = davxml.Name{Space: davxml.DAV, Local: "write"}
	nOwner               = davxml.Name{Space: davxml.DAV, Local: "owner"}

	// properties
	nResourcetype         = davxml.Name{Space: davxml.DAV, Local: "resourcetype"}
	nDisplayname          = davxml.Name{Space: davxml.DAV, Local: "displayname"}
	nGetetag              = davxml.Name{Space: davxml.DAV, Local: "getetag"}
	nLockdiscovery        = davxml.Name{Space: davxml.DAV, Local: "lockdiscovery"}
	nSyncToken            = davxml.Name{Space: davxml.DAV, Local: "sync-token"}
	nCurrentUserPrincipal = davxml.Name{Space: davxml.DAV, Local: "current-user-principal"}
	nComponentSet         = davxml.Name{Space: davxml.CalDAV, Local: "supported-calendar-component-set"}
	nCalendarTimezone     = davxml.Name{Space: davxml.CalDAV, Local: "calendar-timezone"}
	nCalendarDescription  = davxml.Name{Space: davxml.CalDAV, Local: "calendar-description"}

	// pre- and postconditions
	nCannotModifyProtected = davxml.Name{Space: davxml.DAV, Local: "cannot-modify-protected-property"}
	nResourceMustBeNull    = davxml.Name{Space: davxml.DAV, Local: "resource-must-be-null"}
	nValidResourcetype     = davxml.Name{Space: davxml.DAV, Local: "valid-resourcetype"}
	nSupportedReportCond   = davxml.Name{Space: davxml.DAV, Local: "supported-report"}
	nValidSyncToken        = davxml.Name{Space: davxml.DAV, Local: "valid-sync-token"}
	nNumberOfMatches       = davxml.Name{Space: davxml.DAV, Local: "number-of-matches-within-limits"}
	nLockTokenSubmitted    = davxml.Name{Space: davxml.DAV, Local: "lock-token-submitted"}
	nLockTokenMatches      = davxml.Name{Space: davxml.DAV, Local: "lock-token-matches-request-uri"}
	nNoConflictingLock     = davxml.Name{Space: davxml.DAV, Local: "no-conflicting-lock"}
	nNeedPrivileges        = davxml.Name{Space: davxml.DAV, Local: "need-privileges"}
	nSupportedCalData      = davxml.Name{Space: davxml.CalDAV, Local: "supported-calendar-data"}
	nValidCalData          = davxml.Name{Space: davxml.CalDAV, Local: "valid-calendar-data"}
	nValidCalObject        = davxml.Name{Space: davxml.CalDAV, Local: "valid-calendar-object-resource"}
	nSupportedCalComponent = davxml.Name{Space: davxml.CalDAV, Local: "supported-calendar-component"}
	nNoUIDConflict         = davxml.Name{Space: davxml.CalDAV, Local: "no-uid-conflict"}
	nMaxResourceSize       = davxml.Name{Space: davxml.CalDAV, Local: "max-resource-size"}
	nMaxInstances          = davxml.Name{Space: davxml.CalDAV, Local: "max-instances"}
	nCalLocationOK         = davxml.Name{Space: davxml.CalDAV, Local: "calendar-collection-location-ok"}
	nValidFilter           = davxml.Name{Space: davxml.CalDAV, Local: "valid-filter"}
	nSupportedCollation    = davxml.Name{Space: davxml.CalDAV, Local: "supported-collation"}
	nSupportedFilter       = davxml.Name{Space: davxml.CalDAV, Local: "supported-filter"}
	nInitializeCalendar    = davxml.Name{Space: davxml.CalDAV, Local: "initialize-calendar-collection"}
	nSupportedAddrData     = davxml.Name{Space: davxml.CardDAV, Local: "supported-address-data"}
	nValidAddrData         = davxml.Name{Space: davxml.CardDAV, Local: "valid-address-data"}
	nCardNoUIDConflict     = davxml.Name{Space: davxml.CardDAV, Local: "no-uid-conflict"}
	nCardMaxResourceSize   = davxml.Name{Space: davxml.CardDAV, Local: "max-resource-size"}
	nCardLocationOK        = davxml.Name{Space: davxml.CardDAV, Local: "addressbook-collection-location-ok"}
	nCardSupportedFilter   = davxml.Name{Space: davxml.CardDAV, Local: "supported-filter"}
	nCardSupportedCollate  = davxml.Name{Space: davxml.CardDAV, Local: "supported-collation"}
)
