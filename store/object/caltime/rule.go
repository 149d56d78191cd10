package caltime

import (
	"fmt"
	"math/bits"
	"strings"
)

// Freq is the FREQ of a rule.
type Freq uint8

// The frequencies of RFC 5545, 3.3.10, finest first.
const (
	Secondly Freq = iota
	Minutely
	Hourly
	Daily
	Weekly
	Monthly
	Yearly
)

// yearSet is a set of numbers from 0 to 383: days of a year, or the positions
// of BYSETPOS.
type yearSet [6]uint64

func (s *yearSet) add(n int)      { s[n>>6] |= 1 << (n & 63) }
func (s *yearSet) has(n int) bool { return s[n>>6]>>(n&63)&1 != 0 }

func (s *yearSet) len() int {
	n := 0
	for _, w := range s {
		n += bits.OnesCount64(w)
	}
	return n
}

// below is the number of elements less than n.
func (s *yearSet) below(n int) int {
	k := 0
	for i := range n >> 6 {
		k += bits.OnesCount64(s[i])
	}
	if n&63 != 0 {
		k += bits.OnesCount64(s[n>>6] & (1<<(n&63) - 1))
	}
	return k
}

// nth is the element with k smaller ones; there must be one.
func (s *yearSet) nth(k int) int {
	i := 0
	for ; ; i++ {
		n := bits.OnesCount64(s[i])
		if k < n {
			break
		}
		k -= n
	}
	return i<<6 + nth64(s[i], k)
}

// next is the smallest element that is at least n, or -1.
func (s *yearSet) next(n int) int {
	for i := n >> 6; i < len(s); i++ {
		w := s[i]
		if i == n>>6 {
			w &^= 1<<(n&63) - 1
		}
		if w != 0 {
			return i<<6 + bits.TrailingZeros64(w)
		}
	}
	return -1
}

// prev is the largest element that is at most n, or -1.
func (s *yearSet) prev(n int) int {
	for i := n >> 6; i >= 0; i-- {
		w := s[i]
		if i == n>>6 {
			w &= 1<<(n&63)<<1 - 1
		}
		if w != 0 {
			return i<<6 + 63 - bits.LeadingZeros64(w)
		}
	}
	return -1
}

// nth64 is the position of the bit of w with k lower ones set.
func nth64(w uint64, k int) int {
	for ; k > 0; k-- {
		w &= w - 1
	}
	return bits.TrailingZeros64(w)
}

// Rule is a recurrence rule (RFC 5545, 3.3.10). Its lists are kept as sets of
// bits, so that however long a list is, the rule stays small and what it says
// twice is said once. A Rule has no pointers and does not change once parsed.
type Rule struct {
	freq     Freq
	interval int64 // at least 1
	count    int64 // 0: none
	until    DateTime
	hasUntil bool
	wkst     Weekday

	seconds uint64 // bit n: BYSECOND=n; 60 is kept as 59
	minutes uint64 // bit n: BYMINUTE=n
	hours   uint32 // bit n: BYHOUR=n
	months  uint16 // bit n: BYMONTH=n

	weekdays uint8 // bit n: BYDAY=that Weekday, without number
	numbered bool  // there are numbered weekdays
	nth      [7]uint64
	nthLast  [7]uint64 // bit n of [w]: BYDAY=-nw

	monthDays     uint32 // bit n: BYMONTHDAY=n
	monthDaysLast uint32 // bit n: BYMONTHDAY=-n
	weekNos       uint64 // bit n: BYWEEKNO=n
	weekNosLast   uint64
	yearDays      yearSet // n: BYYEARDAY=n
	yearDaysLast  yearSet
	setPos        yearSet
	setPosLast    yearSet

	hasYearDays, hasSetPos bool

	skip skip
}

// skip is what becomes of a day that a month or a year does not have (RFC 7529, 4.1).
type skip uint8

const (
	omit skip = iota
	backward
	forward
)

// The largest INTERVAL and COUNT that are told apart from larger ones. In
// either case the years end first.
const (
	maxInterval = 1 << 40
	maxCount    = 1 << 40
)

// Until returns UNTIL and whether there is one.
func (r *Rule) Until() (DateTime, bool) { return r.until, r.hasUntil }

// Endless reports whether r has neither COUNT nor UNTIL.
func (r *Rule) Endless() bool { return r.count == 0 && !r.hasUntil }

// ParseRule reads a RECUR value. Errors wrap ErrRule, or ErrScale.
//
// It is strict in the values, each of which must be in its range, and lenient
// where the meaning is plain nevertheless: parts in any order and case, empty
// parts, parts whose names start with X-, COUNT together with UNTIL (both
// bound the rule), numbers of BYDAY where the RFC forbids them (they are
// ignored), BYxxx with a FREQ for which the RFC forbids it (it limits).
// SKIP is taken without RSCALE too, and RSCALE is one of [Scales].
func ParseRule(s string) (*Rule, error) {
	r := &Rule{interval: 1}
	const none = 0xff
	r.freq = none
	var seen uint32
	if scale := scaleOf(s); !isScale(scale) {
		// Its months and days have ranges of their own.
		return nil, fmt.Errorf("%w: RSCALE=%s", ErrScale, clip(scale))
	}
	for rest, more := s, true; more; {
		var part string
		part, rest, more = strings.Cut(rest, ";")
		if part == "" {
			continue
		}
		name, value, ok := strings.Cut(part, "=")
		if !ok {
			return nil, ruleError(part)
		}
		id := partOf(name)
		if id == partUnknown {
			if len(name) > 2 && name[0]|0x20 == 'x' && name[1] == '-' {
				continue
			}
			return nil, ruleError(part)
		}
		if seen>>id&1 != 0 {
			return nil, ruleError(part)
		}
		seen |= 1 << id
		switch id {
		case partFreq:
			r.freq, ok = parseFreq(value)
		case partUntil:
			var err error
			r.until, err = ParseDateTime(value)
			r.hasUntil, ok = true, err == nil
		case partCount:
			r.count, ok = parseNumber(value, maxCount)
			ok = ok && r.count > 0
		case partInterval:
			r.interval, ok = parseNumber(value, maxInterval)
			ok = ok && r.interval > 0
		case partWkst:
			r.wkst, ok = parseWeekday(value)
		case partScale:
		case partSkip:
			r.skip, ok = parseSkip(value)
		case partByDay:
			ok = r.parseByDay(value)
		default:
			ok = r.parseList(id, value)
		}
		if !ok {
			return nil, ruleError(part)
		}
	}
	if r.freq == none {
		return nil, ruleError(s)
	}
	// The number of a BYDAY means something only in months and years, and not
	// together with week numbers.
	if r.numbered && (r.freq < Monthly || r.hasWeekNos()) {
		for w := range r.nth {
			if r.nth[w]|r.nthLast[w] != 0 {
				r.weekdays |= 1 << w
			}
		}
		r.nth, r.nthLast, r.numbered = [7]uint64{}, [7]uint64{}, false
	}
	return r, nil
}

// Scales are the values of RSCALE that are computed (RFC 7529, 5): the names that
// the CLDR has for the Gregorian calendar, and for those with its months and days,
// which only number the years otherwise.
const Scales = "GREGORIAN,GREGORY,ISO8601,BUDDHIST,JAPANESE,ROC"

// scaleOf is the value of RSCALE in a rule, or that which holds without it.
func scaleOf(s string) string {
	for part := range strings.SplitSeq(s, ";") {
		if name, value, ok := strings.Cut(part, "="); ok && strings.EqualFold(name, "RSCALE") {
			return value
		}
	}
	return "GREGORIAN"
}

func isScale(s string) bool {
	for scale := range strings.SplitSeq(Scales, ",") {
		if strings.EqualFold(s, scale) {
			return true
		}
	}
	return false
}

func parseSkip(s string) (skip, bool) {
	switch {
	case strings.EqualFold(s, "OMIT"):
		return omit, true
	case strings.EqualFold(s, "BACKWARD"):
		return backward, true
	case strings.EqualFold(s, "FORWARD"):
		return forward, true
	}
	return omit, false
}

func (r *Rule) hasWeekNos() bool   { return r.weekNos|r.weekNosLast != 0 }
func (r *Rule) hasMonthDays() bool { return r.monthDays|r.monthDaysLast != 0 }
func (r *Rule) hasByDay() bool     { return r.weekdays != 0 || r.numbered }

const (
	partFreq = iota
	partUntil
	partCount
	partInterval
	partBySecond
	partByMinute
	partByHour
	partByDay
	partByMonthDay
	partByYearDay
	partByWeekNo
	partByMonth
	partBySetPos
	partWkst
	partScale
	partSkip
	partUnknown
)

func partOf(name string) int {
	if len(name) > 10 {
		return partUnknown
	}
	switch strings.ToUpper(name) {
	case "FREQ":
		return partFreq
	case "UNTIL":
		return partUntil
	case "COUNT":
		return partCount
	case "INTERVAL":
		return partInterval
	case "BYSECOND":
		return partBySecond
	case "BYMINUTE":
		return partByMinute
	case "BYHOUR":
		return partByHour
	case "BYDAY":
		return partByDay
	case "BYMONTHDAY":
		return partByMonthDay
	case "BYYEARDAY":
		return partByYearDay
	case "BYWEEKNO":
		return partByWeekNo
	case "BYMONTH":
		return partByMonth
	case "BYSETPOS":
		return partBySetPos
	case "WKST":
		return partWkst
	case "RSCALE":
		return partScale
	case "SKIP":
		return partSkip
	}
	return partUnknown
}

func parseFreq(s string) (Freq, bool) {
	if len(s) > 8 {
		return 0, false
	}
	switch strings.ToUpper(s) {
	case "SECONDLY":
		return Secondly, true
	case "MINUTELY":
		return Minutely, true
	case "HOURLY":
		return Hourly, true
	case "DAILY":
		return Daily, true
	case "WEEKLY":
		return Weekly, true
	case "MONTHLY":
		return Monthly, true
	case "YEARLY":
		return Yearly, true
	}
	return 0, false
}

func parseWeekday(s string) (Weekday, bool) {
	if len(s) != 2 {
		return 0, false
	}
	switch strings.ToUpper(s) {
	case "MO":
		return Monday, true
	case "TU":
		return Tuesday, true
	case "WE":
		return Wednesday, true
	case "TH":
		return Thursday, true
	case "FR":
		return Friday, true
	case "SA":
		return Saturday, true
	case "SU":
		return Sunday, true
	}
	return 0, false
}

// parseNumber reads decimal digits; a number beyond most is most.
func parseNumber(s string, most int64) (int64, bool) {
	if s == "" {
		return 0, false
	}
	n := int64(0)
	for i := range len(s) {
		d := s[i] - '0'
		if d > 9 {
			return 0, false
		}
		n = min(n*10+int64(d), most)
	}
	return n, true
}

// parseByDay reads what BYDAY lists: MO, 1MO, +1MO, -1SU.
func (r *Rule) parseByDay(list string) bool {
	for rest, more := list, true; more; {
		var item string
		item, rest, more = strings.Cut(rest, ",")
		if item == "" {
			continue
		}
		if len(item) < 2 {
			return false
		}
		w, ok := parseWeekday(item[len(item)-2:])
		if !ok {
			return false
		}
		number := item[:len(item)-2]
		if number == "" {
			r.weekdays |= 1 << w
			continue
		}
		n, last, ok := parseSigned(number, 53)
		if !ok {
			return false
		}
		r.numbered = true
		if last {
			r.nthLast[w] |= 1 << n
		} else {
			r.nth[w] |= 1 << n
		}
	}
	return true
}

// parseSigned reads a number from 1 to most, or from -most to -1 (last).
func parseSigned(s string, most int64) (n int, last, ok bool) {
	if s != "" && (s[0] == '+' || s[0] == '-') {
		last = s[0] == '-'
		s = s[1:]
	}
	v, ok := parseNumber(s, most+1)
	if !ok || v < 1 || v > most {
		return 0, false, false
	}
	return int(v), last, true
}

// parseList reads what one of the other BYxxx parts lists.
func (r *Rule) parseList(part int, list string) bool {
	for rest, more := list, true; more; {
		var item string
		item, rest, more = strings.Cut(rest, ",")
		if item == "" {
			continue
		}
		switch part {
		case partBySecond, partByMinute, partByHour, partByMonth:
			n, ok := parseNumber(item, 100)
			if !ok {
				return false
			}
			switch {
			case part == partBySecond && n <= 60:
				r.seconds |= 1 << min(n, 59)
			case part == partByMinute && n <= 59:
				r.minutes |= 1 << n
			case part == partByHour && n <= 23:
				r.hours |= 1 << n
			case part == partByMonth && n >= 1 && n <= 12:
				r.months |= 1 << n
			default:
				return false
			}
		case partByMonthDay:
			n, last, ok := parseSigned(item, 31)
			if !ok {
				return false
			}
			if last {
				r.monthDaysLast |= 1 << n
			} else {
				r.monthDays |= 1 << n
			}
		case partByWeekNo:
			n, last, ok := parseSigned(item, 53)
			if !ok {
				return false
			}
			if last {
				r.weekNosLast |= 1 << n
			} else {
				r.weekNos |= 1 << n
			}
		default:
			n, last, ok := parseSigned(item, 366)
			if !ok {
				return false
			}
			switch {
			case part == partByYearDay && last:
				r.yearDaysLast.add(n)
			case part == partByYearDay:
				r.yearDays.add(n)
			case last:
				r.setPosLast.add(n)
			default:
				r.setPos.add(n)
			}
			if part == partByYearDay {
				r.hasYearDays = true
			} else {
				r.hasSetPos = true
			}
		}
	}
	return true
}

func ruleError(s string) error { return fmt.Errorf("%w: %q", ErrRule, clip(s)) }
