package caltime

import "fmt"

// Form is how a date or time was written (RFC 5545, 3.3.4 and 3.3.5).
type Form uint8

const (
	// Local is a DATE-TIME without "Z": in the zone which a TZID parameter
	// names, else floating.
	Local Form = iota
	// UTC is a DATE-TIME with "Z".
	UTC
	// DateOnly is a DATE.
	DateOnly
)

// DateTime is a value of type DATE or DATE-TIME. The Civil of a DateOnly is
// midnight; that of a UTC one is in UTC.
type DateTime struct {
	Civil Civil
	Form  Form
}

// Append appends the text form of t to dst.
func (t DateTime) Append(dst []byte) []byte {
	switch t.Form {
	case DateOnly:
		return t.Civil.AppendDate(dst)
	case UTC:
		return append(t.Civil.Append(dst), 'Z')
	}
	return t.Civil.Append(dst)
}

// String returns the text form of t.
func (t DateTime) String() string { return string(t.Append(nil)) }

// Instant returns the instant that t means, where zone is that of local times
// and of the midnight at which a date starts.
func (t DateTime) Instant(zone *Zone) int64 {
	if t.Form == UTC {
		return int64(t.Civil)
	}
	return zone.Instant(t.Civil)
}

// What bounds the days, and the seconds, of a Duration: the years 1 to
// 9999 and a little.
const (
	maxDurationDays    = 3_660_000
	maxDurationSeconds = maxDurationDays * Day
)

// Duration is a value of type DURATION (RFC 5545, 3.3.6): first Days, which are
// as long as the wall clock makes them (a week is seven), then Seconds, which are
// exact. Both have the same sign.
type Duration struct {
	Days    int64
	Seconds int64
}

// Positive says whether d is longer than nothing.
func (d Duration) Positive() bool { return d.Days > 0 || d.Seconds > 0 }

// After returns the instant d after the local time t in zone: days on the wall
// clock, then seconds of elapsed time.
func (d Duration) After(t Civil, zone *Zone) int64 {
	return zone.Instant(t+Civil(d.Days*Day)) + d.Seconds
}

// Nominal returns the length of d in seconds when each day has 86400.
func (d Duration) Nominal() int64 { return d.Days*Day + d.Seconds }

// Period is a value of type PERIOD (RFC 5545, 3.3.9): from Start to End, or of
// length Duration if HasDuration.
type Period struct {
	Start, End  DateTime
	Duration    Duration
	HasDuration bool
}

// digits reads n decimal digits at the start of s; -1 if they are not there.
func digits(s string, n int) int {
	if len(s) < n {
		return -1
	}
	v := 0
	for i := range n {
		d := s[i] - '0'
		if d > 9 {
			return -1
		}
		v = v*10 + int(d)
	}
	return v
}

func parseDate(s string) (Civil, bool) {
	y, m, d := digits(s, 4), -1, -1
	if len(s) == 8 {
		m, d = digits(s[4:], 2), digits(s[6:], 2)
	}
	if y < 1 || m < 1 || m > 12 || d < 1 || d > DaysIn(y, m) {
		return 0, false
	}
	return Date(y, m, d), true
}

// ParseDate reads a DATE: 19970714.
func ParseDate(s string) (DateTime, error) {
	c, ok := parseDate(s)
	if !ok {
		if isYearZero(s) {
			return DateTime{}, fmt.Errorf("%w: %w: %q", ErrValue, ErrYear, clip(s))
		}
		return DateTime{}, valueError("date", s)
	}
	return DateTime{c, DateOnly}, nil
}

// ParseDateTime reads a DATE-TIME, 19970714T133000 or 19970714T173000Z, or a
// DATE: what many write where the other should stand is plain from its form.
// Second 60 is taken as 59 (RFC 5545, 3.3.5).
func ParseDateTime(s string) (DateTime, error) {
	if len(s) == 8 {
		return ParseDate(s)
	}
	t := DateTime{}
	v := s
	if len(v) == 16 && v[15]|0x20 == 'z' {
		t.Form = UTC
		v = v[:15]
	}
	if len(v) == 15 && v[8]|0x20 == 't' {
		c, ok := parseDate(v[:8])
		h, m, sec := digits(v[9:], 2), digits(v[11:], 2), digits(v[13:], 2)
		if ok && h >= 0 && h <= 23 && m >= 0 && m <= 59 && sec >= 0 && sec <= 60 {
			t.Civil = c + Civil(h*3600+m*60+min(sec, 59))
			return t, nil
		}
	}
	if isYearZero(s) {
		return DateTime{}, fmt.Errorf("%w: %w: %q", ErrValue, ErrYear, clip(s))
	}
	return DateTime{}, valueError("date-time", s)
}

// isYearZero reports whether s is a DATE or a DATE-TIME of the year 0, which the
// format has and [Civil] has not. It is 4 years before one that has the same days.
func isYearZero(s string) bool {
	if len(s) < 8 || s[:4] != "0000" {
		return false
	}
	_, err := ParseDateTime("0004" + s[4:])
	return err == nil
}

// ParseDuration reads a DURATION: P15DT5H0M20S, -PT15M, P7W. Weeks may stand
// before other parts, and parts may be left out between others, as ISO 8601
// allows and many write. It is at most about 10000 years.
func ParseDuration(s string) (Duration, error) {
	v := s
	sign := int64(1)
	if v != "" && (v[0] == '+' || v[0] == '-') {
		if v[0] == '-' {
			sign = -1
		}
		v = v[1:]
	}
	if v == "" || v[0]|0x20 != 'p' {
		return Duration{}, valueError("duration", s)
	}
	v = v[1:]
	var d Duration
	// The units must come in this order: W and D before T, then H, M, S.
	const units = "wdthms"
	last, numbers := -1, 0
	for v != "" {
		n, i := int64(0), 0
		for i < len(v) && v[i]-'0' <= 9 {
			n = n*10 + int64(v[i]-'0')
			if n > maxDurationSeconds {
				return Duration{}, valueError("duration", s)
			}
			i++
		}
		if i == len(v) {
			return Duration{}, valueError("duration", s)
		}
		unit := -1
		for u := last + 1; u < len(units); u++ {
			if v[i]|0x20 == units[u] {
				unit = u
				break
			}
		}
		// T has no number, all others have one, and H, M, S need the T.
		if unit < 0 || (unit == 2) != (i == 0) || unit > 2 && last < 2 {
			return Duration{}, valueError("duration", s)
		}
		switch unit {
		case 0:
			d.Days += n * 7
		case 1:
			d.Days += n
		case 3:
			d.Seconds += n * 3600
		case 4:
			d.Seconds += n * 60
		case 5:
			d.Seconds += n
		}
		if unit != 2 {
			numbers++
		}
		last = unit
		v = v[i+1:]
	}
	if numbers == 0 || d.Days > maxDurationDays || d.Seconds > maxDurationSeconds {
		return Duration{}, valueError("duration", s)
	}
	d.Days *= sign
	d.Seconds *= sign
	return d, nil
}

// ParsePeriod reads a PERIOD: two DATE-TIMEs, or a DATE-TIME and a positive
// DURATION, with a slash between. That the end is not before the start is for the
// caller to see, who knows the zone.
func ParsePeriod(s string) (Period, error) {
	slash := 0
	for slash < len(s) && s[slash] != '/' {
		slash++
	}
	if slash == len(s) || slash == len(s)-1 {
		return Period{}, valueError("period", s)
	}
	var p Period
	var err error
	if p.Start, err = ParseDateTime(s[:slash]); err != nil {
		return Period{}, err
	}
	switch end := s[slash+1:]; end[0] {
	case 'P', 'p', '+', '-':
		p.HasDuration = true
		if p.Duration, err = ParseDuration(end); err == nil && (p.Duration.Days < 0 || p.Duration.Seconds < 0) {
			err = valueError("period", s)
		}
	default:
		p.End, err = ParseDateTime(end)
	}
	if err != nil {
		return Period{}, err
	}
	return p, nil
}

// ParseOffset reads a UTC-OFFSET (RFC 5545, 3.3.14), +0100 or -043020, and returns
// seconds east of UTC. A missing sign is taken as plus.
func ParseOffset(s string) (int, error) {
	v := s
	sign := 1
	if v != "" && (v[0] == '+' || v[0] == '-') {
		if v[0] == '-' {
			sign = -1
		}
		v = v[1:]
	}
	if len(v) == 4 || len(v) == 6 {
		h, m, sec := digits(v, 2), digits(v[2:], 2), 0
		if len(v) == 6 {
			sec = digits(v[4:], 2)
		}
		if h >= 0 && h <= 23 && m >= 0 && m <= 59 && sec >= 0 && sec <= 59 {
			return sign * (h*3600 + m*60 + sec), nil
		}
	}
	return 0, valueError("UTC offset", s)
}

func valueError(what, s string) error {
	return fmt.Errorf("%w: %s %q", ErrValue, what, clip(s))
}

// clip keeps error texts short whatever the input.
func clip(s string) string {
	const most = 64
	if len(s) > most {
		return s[:most] + "..."
	}
	return s
}
