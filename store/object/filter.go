package object

// Filters are the elements of RFC 4791, 9.7, and RFC 6352, 10.5, as plain
// structs in the RFCs' words. Names are compared without regard to case.

// TimeRange is CALDAV:time-range (RFC 4791, 9.9): [Start, End) in Unix
// seconds, math.MinInt64 and math.MaxInt64 where it is open.
type TimeRange struct {
	Start, End int64
}

// CompFilter is CALDAV:comp-filter (RFC 4791, 9.7.1). That of a query is the
// one for VCALENDAR.
type CompFilter struct {
	Name         string
	IsNotDefined bool
	TimeRange    *TimeRange
	Props        []PropFilter
	Comps        []CompFilter
}

// PropFilter is CALDAV:prop-filter (RFC 4791, 9.7.2).
type PropFilter struct {
	Name         string
	IsNotDefined bool
	TimeRange    *TimeRange
	TextMatch    *TextMatch
	Params       []ParamFilter
}

// ParamFilter is CALDAV:param-filter (RFC 4791, 9.7.3) and
// CARDDAV:param-filter (RFC 6352, 10.5.2).
type ParamFilter struct {
	Name         string
	IsNotDefined bool
	TextMatch    *TextMatch
}

// MatchType is the attribute match-type of CARDDAV:text-match. CalDAV knows
// only Contains.
type MatchType uint8

const (
	Contains MatchType = iota
	Equals
	StartsWith
	EndsWith
)

// TextMatch is CALDAV:text-match (RFC 4791, 9.7.5) and CARDDAV:text-match
// (RFC 6352, 10.5.4).
type TextMatch struct {
	Text      string
	Collation string // "" is the default of the protocol
	MatchType MatchType
	Negate    bool
}

// CardFilter is CARDDAV:filter (RFC 6352, 10.5): any of Props must match, or
// all of them. Without Props it matches everything.
type CardFilter struct {
	AllOf bool
	Props []CardPropFilter
}

// CardPropFilter is CARDDAV:prop-filter (RFC 6352, 10.5.1). Name may begin
// with a group and a dot.
type CardPropFilter struct {
	Name         string
	AllOf        bool
	IsNotDefined bool
	TextMatches  []TextMatch
	Params       []ParamFilter
}
