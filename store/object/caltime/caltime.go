// Package caltime is calendar time as RFC 5545 means it: dates and times on a
// wall clock, the zones which turn them into instants, and the rules by which
// they recur. It is pure: no clock, no files but the zone database which
// package time reads, and never the machine's own zone.
//
// There are two kinds of numbers and they never mix. A [Civil] is what a wall
// clock and a calendar show, without saying where they hang. An instant is an
// int64: seconds since 1970-01-01T00:00:00Z, leap seconds not counted. Only a
// [Zone] leads from one to the other.
//
// The text of a value becomes a [DateTime], a [Duration], a [Period] or an
// offset ([ParseDateTime] and its sisters). The text of an RRULE becomes a
// [Rule], whose instances come one at a time from an [Iterator] that starts
// near the wanted time instead of walking there, as far as COUNT allows that,
// and that never takes more steps than a [Budget] has.
//
// Recurrence is computed on the wall clock, where the rule was written; only
// the instances found are turned into instants (RFC 5545, 3.3.10). Years go
// from 1 to 9999, as far as four digits reach.
package caltime

// Error is a kind of error of this package. Errors returned wrap one of them.
type Error string

func (e Error) Error() string { return string(e) }

// The errors of this package.
const (
	// ErrValue: a date, time, duration, period or offset that is none.
	ErrValue Error = "not a date, time, duration or offset"
	// ErrRule: a recurrence rule that is none, or has values out of range.
	ErrRule Error = "not a recurrence rule"
	// ErrScale: a recurrence rule in a calendar that is none of [Scales] (RFC
	// 7529). The precondition is CALDAV:supported-rscale.
	ErrScale Error = "unsupported calendar scale in a recurrence rule"
	// ErrZone: a time zone definition which cannot be used.
	ErrZone Error = "not a usable time zone definition"
	// ErrYear: a date of the year 0, which [Civil] does not have.
	ErrYear Error = "a date of the year 0"
	// ErrBudget: more steps than MaxSteps.
	ErrBudget Error = "too many steps of recurrence"
)

// Civil is a date and a time of day without a zone: the seconds from
// 1970-01-01T00:00:00 to it on the proleptic Gregorian calendar, each day having
// 86400. Differences of two are what a wall clock would show, not time elapsed.
type Civil int64

// The first and the last Civil that have a text form.
const (
	MinCivil Civil = -62135596800 // 0001-01-01T00:00:00
	MaxCivil Civil = 253402300799 // 9999-12-31T23:59:59
)

// Day is the number of seconds of a day on the wall clock.
const Day = 86400

// Weekday is a day of the week; the week of ISO 8601 starts on Monday.
type Weekday uint8

// The days of the week.
const (
	Monday Weekday = iota
	Tuesday
	Wednesday
	Thursday
	Friday
	Saturday
	Sunday
)

// Date returns midnight of a day. Year must be in 1 to 9999, month in 1 to 12,
// day in 1 to [DaysIn].
func Date(year, month, day int) Civil {
	return Civil(dayNumber(year, month, day)) * Day
}

// Date returns the calendar date of c.
func (c Civil) Date() (year, month, day int) { return dateOf(c.day()) }

// Clock returns the time of day of c.
func (c Civil) Clock() (hour, minute, second int) {
	t := c.clock()
	return t / 3600, t / 60 % 60, t % 60
}

// Midnight returns the start of c's day.
func (c Civil) Midnight() Civil { return c - Civil(c.clock()) }

// Weekday returns the day of the week of c.
func (c Civil) Weekday() Weekday { return weekday(c.day()) }

// day is the number of days from 1970-01-01 to c's.
func (c Civil) day() int { return int(floorDiv(int64(c), Day)) }

// clock is the number of seconds since midnight.
func (c Civil) clock() int { return int(int64(c) - floorDiv(int64(c), Day)*Day) }

// Append appends the text form YYYYMMDD"T"HHMMSS to dst. Values beyond MinCivil
// and MaxCivil are written as those.
func (c Civil) Append(dst []byte) []byte {
	c = min(max(c, MinCivil), MaxCivil)
	h, m, s := c.Clock()
	dst = append(c.AppendDate(dst), 'T')
	return append(dst, digit(h/10), digit(h), digit(m/10), digit(m), digit(s/10), digit(s))
}

// AppendDate appends the text form YYYYMMDD of c's date to dst.
func (c Civil) AppendDate(dst []byte) []byte {
	c = min(max(c, MinCivil), MaxCivil)
	y, m, d := c.Date()
	return append(dst, digit(y/1000), digit(y/100), digit(y/10), digit(y),
		digit(m/10), digit(m), digit(d/10), digit(d))
}

// String returns the text form of c.
func (c Civil) String() string { return string(c.Append(nil)) }

func digit(n int) byte { return byte('0' + n%10) }

// DaysIn returns the number of days of a month.
func DaysIn(year, month int) int {
	switch month {
	case 2:
		if leap(year) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

func leap(year int) bool { return year%4 == 0 && (year%100 != 0 || year%400 == 0) }

func yearLen(year int) int {
	if leap(year) {
		return 366
	}
	return 365
}

// dayNumber counts the days from 1970-01-01. The computation starts the year in
// March, so that the leap day is its last, and takes eras of 400 years (146097
// days), in which the calendar repeats.
func dayNumber(year, month, day int) int {
	y, m := year, month-3
	if m < 0 {
		y--
		m += 12
	}
	era := int(floorDiv(int64(y), 400))
	yoe := y - era*400
	doy := (153*m+2)/5 + day - 1
	return era*146097 + yoe*365 + yoe/4 - yoe/100 + doy - 719468
}

// dateOf is the inverse of dayNumber.
func dateOf(n int) (year, month, day int) {
	n += 719468
	era := n / 146097
	if n < 0 {
		era = (n - 146096) / 146097
	}
	doe := n - era*146097
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	m := (5*doy + 2) / 153
	day = doy - (153*m+2)/5 + 1
	year = yoe + era*400
	if m += 3; m > 12 {
		m -= 12
		year++
	}
	return year, m, day
}

// weekday of a day number; 1970-01-01 was a Thursday.
func weekday(day int) Weekday {
	w := (day + 3) % 7
	if w < 0 {
		w += 7
	}
	return Weekday(w)
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
