package caltime

import "math/bits"

// MaxSteps is how many steps one [Budget] allows. A step is one interval of a rule
// looked at, or one instance found: some 10 to 300 ns. A daily rule needs one
// for each day between its DTSTART and the range asked for if it has COUNT and
// is irregular, otherwise only those for the range itself.
const MaxSteps = 100_000

// Budget bounds the work of everything that it is handed to. Its zero value is a
// full one.
type Budget struct{ used int }

// Spend takes n steps, and reports whether they were there.
func (b *Budget) Spend(n int) bool {
	if b.used > MaxSteps-n {
		b.used = MaxSteps
		return false
	}
	b.used += n
	return true
}

// Iterator gives the instances of a rule in increasing order. The usage is:
//
//	it := rule.Instances(start, zone, from, &budget)
//	for c, ok := it.Next(); ok; c, ok = it.Next() { ... }
//	if err := it.Err(); err != nil { ... }
//
// Within, an interval of the rule is a set of days (bits, counted from base)
// times a set of hours, minutes and seconds, which are the same on each of the
// days. So an interval's instances have numbers, from 0 to size-1, without
// being listed: the n-th, and the number of those before a given time, are
// computed. BYSETPOS and the leap to the start of the range rest on that.
type Iterator struct {
	rule *Rule
	// The rule's parts, completed by what DTSTART says (RFC 5545, 3.3.10).
	freq          Freq
	interval      int64
	months        uint16
	weekdays      uint8
	monthDays     uint32
	monthDaysLast uint32
	hours         uint32
	minutes       uint64
	seconds       uint64
	// limitsDays says that some part limits the days of the frequencies below
	// monthly; plainMonths that the days of a year are those of its months.
	limitsDays, plainMonths bool

	start, from, until Civil
	first              bool  // start is still to be given
	plain              bool  // start is given only where the rule fits it
	left               int64 // instances left by COUNT, or -1
	k                  int64 // the number of the interval after the one loaded
	empty, cycle       int   // empty intervals in a row, and how many mean that all others are empty too
	budget             *Budget
	err                error
	done               bool

	// The interval loaded.
	base       int // its first day, as bit 0 of days
	days       yearSet
	hh         uint32
	mm, ss     uint64
	perHour    int // instances of each hour
	perDay     int // instances of each day
	size, next int // instances, and the number of the next one

	// The start of interval 0: in years, months, days or seconds.
	origin int64
	// The day on which the last sub-daily interval was, and whether it counts.
	day   int
	dayOK bool
	// instances of each interval if all have as many, else 0
	constant int64

	// skip is that of the rule where days may have to be moved; then one of an
	// interval may be one of the next again, and last is the latest counted.
	skip skip
	last Civil
}

// Instances returns the instances of r, beginning at from, for a component with
// this DTSTART in this zone (which turns an UNTIL in UTC into local time). They are
// local times in the zone, or in UTC if that is start's form, or dates at midnight.
//
// The first one is start, whether the rule fits it or not, and COUNT counts it (RFC
// 5545, 3.8.5.3); if it is before from it is counted only. A rule without COUNT
// starts working at from, however far from start that is.
//
// With a DateOnly start, BYHOUR, BYMINUTE and BYSECOND are ignored, as the RFC
// says; frequencies below daily, of which it says nothing, count as daily with the
// interval rounded up to days.
func (r *Rule) Instances(start DateTime, zone *Zone, from Civil, b *Budget) Iterator {
	it := Iterator{
		rule: r, freq: r.freq, interval: r.interval,
		months: r.months, weekdays: r.weekdays, monthDays: r.monthDays, monthDaysLast: r.monthDaysLast,
		hours: r.hours, minutes: r.minutes, seconds: r.seconds,
		start: start.Civil, last: start.Civil, from: from, until: r.limit(start.Form, zone),
		first: true, left: -1, budget: b,
	}
	if r.count > 0 {
		it.left = r.count
	}
	h, m, s := start.Civil.Clock()
	if start.Form == DateOnly {
		it.hours, it.minutes, it.seconds = 0, 0, 0
		if it.freq < Daily {
			it.interval = (it.interval*it.unit() + Day - 1) / Day
			it.freq = Daily
		}
	}
	if it.freq > Hourly && it.hours == 0 {
		it.hours = 1 << h
	}
	if it.freq > Minutely && it.minutes == 0 {
		it.minutes = 1 << m
	}
	if it.freq > Secondly && it.seconds == 0 {
		it.seconds = 1 << s
	}
	year, month, day := start.Civil.Date()
	if it.freq >= Weekly && !r.hasByDay() && !r.hasMonthDays() && !r.hasYearDays {
		switch {
		case it.freq == Weekly || r.hasWeekNos():
			it.weekdays = 1 << start.Civil.Weekday()
		default:
			it.monthDays = 1 << day
			if it.freq == Yearly && it.months == 0 {
				it.months = 1 << month
			}
		}
	}
	it.limitsDays = it.months != 0 || it.monthDays|it.monthDaysLast != 0 || r.hasYearDays || r.hasWeekNos() ||
		it.weekdays != 0 && it.freq != Weekly
	it.plainMonths = !r.hasYearDays && !r.hasWeekNos() && (!r.numbered || it.months != 0)

	startDay := start.Civil.day()
	switch it.freq {
	case Yearly:
		it.origin, it.cycle = int64(year), 400
	case Monthly:
		it.origin, it.cycle = int64(year)*12+int64(month-1), 4800
	case Weekly:
		it.origin, it.cycle = int64(startDay-int((weekday(startDay)+7-r.wkst)%7)), 146097/7
		if !it.limitsDays {
			it.constant = int64(bits.OnesCount8(it.weekdays))
		}
	case Daily:
		it.origin, it.cycle = int64(startDay), 146097
		if !it.limitsDays {
			it.constant = 1
		}
	default:
		it.origin = floorDiv(int64(start.Civil), it.unit()) * it.unit()
		it.day = -1 << 30
		if !it.limitsDays && (it.freq == Hourly && it.hours == 0 || it.freq == Minutely && it.hours == 0 && it.minutes == 0 ||
			it.freq == Secondly && it.hours == 0 && it.minutes == 0 && it.seconds == 0) {
			it.constant = 1
		}
		if !it.reachable() {
			it.until = MinCivil - 1
		}
	}
	if it.freq >= Daily {
		// The calendar repeats after 400 years; of the intervals in them only
		// so many are met.
		it.cycle /= int(gcd(it.interval, int64(it.cycle)))
		it.setClock(it.hours, it.minutes, it.seconds)
	}
	switch {
	case r.hasSetPos:
		it.constant = 0
	case it.freq >= Daily:
		it.constant *= int64(it.perDay)
	case it.freq == Hourly:
		it.constant *= int64(bits.OnesCount64(it.minutes) * bits.OnesCount64(it.seconds))
	case it.freq == Minutely:
		it.constant *= int64(bits.OnesCount64(it.seconds))
	}
	if it.freq >= Monthly && (it.monthDays|it.monthDaysLast != 0 || r.hasYearDays) {
		it.skip = r.skip
	}
	if it.skip == omit && !it.anyMonthDay() {
		it.until = MinCivil - 1
	}
	if it.left < 0 && from > start.Civil {
		it.k = it.intervalOf(from)
		if it.skip != omit { // the last day of the interval before may be this one's
			it.k = max(0, it.k-1)
		}
	}
	return it
}

// Exclusions returns what r excludes as the EXRULE (RFC 2445, 4.8.5.2) of such a
// component: as [Rule.Instances], but start is among them, and counted, only if the
// rule fits it.
func (r *Rule) Exclusions(start DateTime, zone *Zone, from Civil, b *Budget) Iterator {
	it := r.Instances(start, zone, from, b)
	it.first, it.plain = false, true
	return it
}

// unit is the length of a sub-daily frequency in seconds.
func (it *Iterator) unit() int64 {
	switch it.freq {
	case Hourly:
		return 3600
	case Minutely:
		return 60
	}
	return 1
}

// limit is the last local time that UNTIL allows.
func (r *Rule) limit(form Form, zone *Zone) Civil {
	if !r.hasUntil {
		return MaxCivil
	}
	switch u := r.until; {
	case u.Form == DateOnly:
		// The whole day: it is inclusive.
		return u.Civil + Day - 1
	case u.Form == UTC && form == Local:
		return zone.lastCivil(int64(u.Civil))
	default:
		return u.Civil
	}
}

// anyMonthDay says whether a day of BYMONTHDAY exists in a month of BYMONTH: 30
// February is found out at once.
func (it *Iterator) anyMonthDay() bool {
	if it.monthDays|it.monthDaysLast == 0 || it.months == 0 {
		return true
	}
	least := min(bits.TrailingZeros32(it.monthDays), bits.TrailingZeros32(it.monthDaysLast))
	for m := 1; m <= 12; m++ {
		if it.months>>m&1 != 0 && DaysIn(2000, m) >= least {
			return true
		}
	}
	return false
}

// reachable says whether a sub-daily rule ever comes to a time of day that its
// BYHOUR, BYMINUTE and BYSECOND allow. Such a rule meets, of the times of day,
// those that are equal to its start modulo gcd(interval, a day).
func (it *Iterator) reachable() bool {
	hours, minutes, seconds := it.hours, it.minutes, it.seconds
	if hours == 0 && minutes == 0 && seconds == 0 {
		return true
	}
	if hours == 0 {
		hours = 1<<24 - 1
	}
	step := it.interval * it.unit()
	g := gcd(step, Day)
	rest := int(it.origin-floorDiv(it.origin, g)*g) % int(g)
	for h := range 24 {
		if hours>>h&1 == 0 {
			continue
		}
		if it.freq == Hourly {
			if h*3600%int(g) == rest {
				return true
			}
			continue
		}
		for m := range 60 {
			if minutes != 0 && minutes>>m&1 == 0 {
				continue
			}
			t := h*3600 + m*60
			if it.freq == Minutely {
				if t%int(g) == rest {
					return true
				}
				continue
			}
			// The seconds s with t+s equal to rest modulo g.
			for s := ((rest-t)%int(g) + int(g)) % int(g); s < 60; s += int(g) {
				if seconds == 0 || seconds>>s&1 != 0 {
					return true
				}
			}
		}
	}
	return false
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// intervalOf is the number of the last interval which starts no later than c.
func (it *Iterator) intervalOf(c Civil) int64 {
	c = min(c, MaxCivil)
	if c <= it.start {
		return 0
	}
	var at int64
	switch it.freq {
	case Yearly:
		y, _, _ := c.Date()
		at = int64(y)
	case Monthly:
		y, m, _ := c.Date()
		at = int64(y)*12 + int64(m-1)
	case Weekly:
		return (int64(c.day()) - it.origin) / 7 / it.interval
	case Daily:
		at = int64(c.day())
	default:
		return (int64(c) - it.origin) / it.unit() / it.interval
	}
	return (at - it.origin) / it.interval
}

// Err returns ErrBudget if the iterator stopped for want of steps.
func (it *Iterator) Err() error { return it.err }

// Next returns the next instance, or false when there is none or Err is not nil.
func (it *Iterator) Next() (Civil, bool) {
	if it.first {
		it.first = false
		it.take(1)
		if !it.spend() {
			return 0, false
		}
		if it.start >= it.from {
			return it.start, true
		}
	}
	for !it.done {
		n := it.next
		if it.rule.hasSetPos {
			n = it.position(n)
		}
		if n >= it.size {
			it.load()
			continue
		}
		it.next = n + 1
		c := it.at(n)
		if c > it.until {
			it.done = true
			break
		}
		it.empty = 0
		if c < it.start || c == it.start && !it.plain {
			continue
		}
		it.last = c
		if !it.spend() {
			break
		}
		it.take(1)
		if c >= it.from {
			return c, true
		}
	}
	return 0, false
}

// take counts n instances against COUNT.
func (it *Iterator) take(n int64) {
	if it.left >= 0 {
		if it.left -= n; it.left <= 0 {
			it.left, it.done = 0, true
		}
	}
}

func (it *Iterator) spend() bool {
	if !it.budget.Spend(1) {
		it.err, it.done = ErrBudget, true
		return false
	}
	return true
}

// position is the smallest number of an instance, at least n, that BYSETPOS wants;
// size if there is none.
func (it *Iterator) position(n int) int {
	best := it.size
	if n < it.size {
		if n+1 < 384 {
			if p := it.rule.setPos.next(n + 1); p > 0 {
				best = min(best, p-1)
			}
		}
		if q := it.rule.setPosLast.prev(min(it.size-n, 383)); q > 0 {
			best = min(best, it.size-q)
		}
	}
	return best
}

// at is the instance with number n of the interval loaded.
func (it *Iterator) at(n int) Civil {
	d, r := n, 0
	if it.perDay > 1 {
		d, r = n/it.perDay, n%it.perDay
	}
	t := Civil(it.base+it.days.nth(d)) * Day
	if it.perDay == 1 {
		return t + Civil(bits.TrailingZeros32(it.hh)*3600+bits.TrailingZeros64(it.mm)*60+bits.TrailingZeros64(it.ss))
	}
	h, r := r/it.perHour, r%it.perHour
	perMinute := bits.OnesCount64(it.ss)
	return t + Civil(nth64(uint64(it.hh), h)*3600+nth64(it.mm, r/perMinute)*60+nth64(it.ss, r%perMinute))
}

// rank is how many instances of the interval loaded are before c.
func (it *Iterator) rank(c Civil) int {
	d := c.day() - it.base
	if d < 0 {
		return 0
	}
	if d >= 384 {
		return it.days.len() * it.perDay
	}
	n := it.days.below(d) * it.perDay
	if it.days.has(d) {
		h, m, s := c.Clock()
		n += bits.OnesCount32(it.hh&(1<<h-1)) * it.perHour
		if it.hh>>h&1 != 0 {
			n += bits.OnesCount64(it.mm&(1<<m-1)) * bits.OnesCount64(it.ss)
			if it.mm>>m&1 != 0 {
				n += bits.OnesCount64(it.ss & (1<<s - 1))
			}
		}
	}
	return n
}

func (it *Iterator) setClock(hours uint32, minutes, seconds uint64) {
	it.hh, it.mm, it.ss = hours, minutes, seconds
	it.perHour = bits.OnesCount64(minutes) * bits.OnesCount64(seconds)
	it.perDay = bits.OnesCount32(hours) * it.perHour
}

// load goes on to the next interval and drops those of its instances that are not
// after DTSTART, or before the range asked for.
func (it *Iterator) load() {
	it.size, it.next = 0, 0
	if it.cycle != 0 && it.empty > it.cycle {
		it.done = true
		return
	}
	if !it.spend() {
		return
	}
	if it.left >= 0 && it.constant > 0 && it.k > 0 {
		if to := it.intervalOf(it.from); to > it.k {
			// Less than 2^63: at most 3*10^11 intervals of 86400 each.
			it.take((to - it.k) * it.constant)
			it.k = to
			if it.done {
				return
			}
		}
	}
	at := it.origin + it.k*it.interval
	it.days = yearSet{}
	it.empty++
	switch it.freq {
	case Yearly:
		if at > 9999 || Date(int(at), 1, 1) > it.lastStart() {
			it.done = true
			return
		}
		it.k++
		it.base = dayNumber(int(at), 1, 1)
		if it.skip != omit {
			it.loadMoved(int(at), 1, 12)
		} else {
			it.loadYear(int(at))
		}
	case Monthly:
		y, m := int(at/12), int(at%12)+1
		if at >= 120000 || Date(y, m, 1) > it.lastStart() {
			it.done = true
			return
		}
		it.k++
		it.base = dayNumber(y, m, 1)
		if it.skip != omit {
			it.loadMoved(y, m, m)
		} else {
			it.loadMonth(y, m)
		}
	case Weekly:
		at = it.origin + it.k*it.interval*7
		if at*Day > int64(it.until) {
			it.done = true
			return
		}
		it.k++
		it.base = int(at)
		it.loadWeek()
	case Daily:
		if at*Day > int64(it.until) {
			it.done = true
			return
		}
		it.k++
		it.base = int(at)
		if it.dayFits(it.base) {
			it.days[0] = 1
		} else {
			it.leapMonths(it.base)
		}
	default:
		if !it.loadClock() {
			return
		}
	}
	it.size = it.days.len() * it.perDay
	if it.size == 0 {
		return
	}
	if !it.rule.hasSetPos {
		it.empty = 0
	}
	if it.k == 1 {
		it.next = it.rank(it.start)
		if !it.plain {
			it.next = it.rank(it.start + 1)
		}
	}
	if it.from > it.start && (it.left < 0 || !it.rule.hasSetPos && it.skip == omit) {
		if n := it.rank(it.from); n > it.next {
			it.take(int64(n - it.next))
			it.next = n
		}
	}
	if it.skip != omit && it.last > it.start {
		it.next = max(it.next, it.rank(it.last+1))
	}
}

// monthDaysOf returns the days of a month (bit 0 is the first) that BYMONTHDAY and
// BYDAY allow, where the numbers of BYDAY count within the month.
func (it *Iterator) monthDaysOf(first, n int, byDay bool) uint64 {
	all := uint64(1)<<n - 1
	set := all
	if it.monthDays|it.monthDaysLast != 0 {
		// Bit n of monthDaysLast, the n-th last day, reversed, is day len-n.
		last := bits.Reverse64(uint64(it.monthDaysLast)) // bit 63-n
		set &= uint64(it.monthDays)>>1 | last>>(63-n)
	}
	if byDay && (it.weekdays != 0 || it.rule.numbered) {
		var wd uint64
		day := int(weekday(first))
		for w := range 7 {
			plain := it.weekdays>>w&1 != 0
			if !plain && it.rule.nth[w]|it.rule.nthLast[w] == 0 {
				continue
			}
			o := (w - day + 7) % 7
			if plain {
				wd |= 0x10204081 << o
			}
			last := o + (n-1-o)/7*7
			for i := range 5 {
				if it.rule.nth[w]>>(i+1)&1 != 0 && o+7*i < n {
					wd |= 1 << (o + 7*i)
				}
				if it.rule.nthLast[w]>>(i+1)&1 != 0 && last-7*i >= 0 {
					wd |= 1 << (last - 7*i)
				}
			}
		}
		set &= wd
	}
	return set & all
}

func (it *Iterator) loadMonth(year, month int) {
	if it.months != 0 && it.months>>month&1 == 0 {
		return
	}
	set := it.monthDaysOf(it.base, DaysIn(year, month), true)
	if it.rule.hasYearDays || it.rule.hasWeekNos() {
		for w := set; w != 0; w &= w - 1 {
			d := bits.TrailingZeros64(w)
			if !it.yearDayFits(it.base+d, year) || !it.weekNoFits(it.base+d, year) {
				set &^= 1 << d
			}
		}
	}
	it.days[0] = set
}

func (it *Iterator) loadYear(year int) {
	day := 0
	byDay := !it.rule.numbered || it.months != 0
	for m := 1; m <= 12; m++ {
		n := DaysIn(year, m)
		if it.months == 0 || it.months>>m&1 != 0 {
			set := it.monthDaysOf(it.base+day, n, byDay)
			it.days[day>>6] |= set << (day & 63)
			if day&63+n > 64 {
				it.days[day>>6+1] |= set >> (64 - day&63)
			}
		}
		day += n
	}
	if it.plainMonths {
		return
	}
	for d := it.days.next(0); d >= 0 && d < day; d = it.days.next(d + 1) {
		if !it.yearDayFits(it.base+d, year) || !it.weekNoFits(it.base+d, year) || !byDay && !it.nthInYear(d, day) {
			it.days[d>>6] &^= 1 << (d & 63)
		}
	}
}

// lastStart is the last time at which an interval may start that has an instance: what
// is moved backward may be a day earlier.
func (it *Iterator) lastStart() Civil {
	if it.skip != omit {
		return it.until + Day
	}
	return it.until
}

// loadMoved loads the months from m to to of a year, where days that are not there
// are moved, before BYDAY is applied (RFC 7529, 4.1). Bit 0 of days is the day before
// the first.
func (it *Iterator) loadMoved(year, m, to int) {
	it.base--
	put := func(day int) {
		if y, _, _ := dateOf(day); it.movedFits(day, y) {
			it.days.add(day - it.base)
		}
	}
	// moved is day n, from 1 or, negative, from the end, of the many that begin with
	// first.
	moved := func(n, first, many int) int {
		switch {
		case n > many && it.skip == forward:
			return first + many
		case n > many:
			return first + many - 1
		case n > 0:
			return first + n - 1
		case -n <= many:
			return first + many + n
		case it.skip == forward:
			return first
		}
		return first - 1
	}
	year1 := dayNumber(year, 1, 1)
	var yearDays yearSet // bit n is the day n-1 after the first of January
	if it.rule.hasYearDays {
		for n := 1; n <= 366; n++ {
			if it.rule.yearDays.has(n) {
				yearDays.add(moved(n, year1, yearLen(year)) - year1 + 1)
			}
			if it.rule.yearDaysLast.has(n) {
				yearDays.add(moved(-n, year1, yearLen(year)) - year1 + 1)
			}
		}
	}
	for ; m <= to; m++ {
		if it.months != 0 && it.months>>m&1 == 0 {
			continue
		}
		first, many := dayNumber(year, m, 1), DaysIn(year, m)
		if it.monthDays|it.monthDaysLast == 0 {
			// What is moved out of the year belongs to its last or first month.
			begin, end := first, first+many
			if m == 1 {
				begin--
			}
			if m == 12 {
				end++
			}
			for day := begin; day < end; day++ {
				if yearDays.has(day - year1 + 1) {
					put(day)
				}
			}
			continue
		}
		for n := 1; n <= 31; n++ {
			for sign, set := range [...]uint32{it.monthDays, it.monthDaysLast} {
				if set>>n&1 == 0 {
					continue
				}
				day := moved(n-2*n*sign, first, many)
				if !it.rule.hasYearDays || yearDays.has(day-year1+1) {
					put(day)
				}
			}
		}
	}
}

// movedFits says whether a day is one of BYWEEKNO and of BYDAY.
func (it *Iterator) movedFits(day, year int) bool {
	if !it.weekNoFits(day, year) {
		return false
	}
	if it.weekdays == 0 && !it.rule.numbered {
		return true
	}
	w := weekday(day)
	if it.weekdays>>w&1 != 0 {
		return true
	}
	first, many := dayNumber(year, 1, 1), yearLen(year)
	if it.freq == Monthly || it.months != 0 {
		_, m, d := dateOf(day)
		first, many = day-d+1, DaysIn(year, m)
	}
	n := day - first
	return it.rule.nth[w]>>(n/7+1)&1 != 0 || it.rule.nthLast[w]>>((many-1-n)/7+1)&1 != 0
}

// nthInYear says whether day d (from 0) of the n of this year is one of BYDAY,
// where the numbers count within the year.
func (it *Iterator) nthInYear(d, n int) bool {
	w := weekday(it.base + d)
	return it.weekdays>>w&1 != 0 || it.rule.nth[w]>>(d/7+1)&1 != 0 || it.rule.nthLast[w]>>((n-1-d)/7+1)&1 != 0
}

func (it *Iterator) yearDayFits(day, year int) bool {
	if !it.rule.hasYearDays {
		return true
	}
	d := day - dayNumber(year, 1, 1)
	return it.rule.yearDays.has(d+1) || it.rule.yearDaysLast.has(yearLen(year)-d)
}

// weekNoFits says whether the week of the day, as WKST makes weeks, has one of the
// numbers of BYWEEKNO, in the year to which that week belongs (ISO 8601).
func (it *Iterator) weekNoFits(day, year int) bool {
	if !it.rule.hasWeekNos() {
		return true
	}
	first, next := it.rule.weekOne(year), 0
	switch {
	case day < first:
		next = first
		first = it.rule.weekOne(year - 1)
	default:
		if next = it.rule.weekOne(year + 1); day >= next {
			first, next = next, it.rule.weekOne(year+2)
		}
	}
	n, total := (day-first)/7+1, (next-first)/7
	return it.rule.weekNos>>n&1 != 0 || it.rule.weekNosLast>>(total-n+1)&1 != 0
}

// weekOne is the first day of week 1 of a year: of the first week with at least
// four days in it.
func (r *Rule) weekOne(year int) int {
	d := dayNumber(year, 1, 1)
	o := int((weekday(d) + 7 - r.wkst) % 7)
	if o <= 3 {
		return d - o
	}
	return d - o + 7
}

func (it *Iterator) loadWeek() {
	if !it.limitsDays {
		// Bit w of weekdays is Monday's w; bit 0 of days is WKST's.
		w, o := uint64(it.weekdays), it.rule.wkst
		it.days[0] = (w>>o | w<<(7-o)) & 0x7f
		return
	}
	for d := range 7 {
		if it.weekdayFits(it.base+d) && it.dayFits(it.base+d) {
			it.days[0] |= 1 << d
		}
	}
	if it.days[0] == 0 {
		it.leapMonths(it.base + 6)
	}
}

func (it *Iterator) weekdayFits(day int) bool {
	return it.weekdays == 0 || it.weekdays>>weekday(day)&1 != 0
}

// dayFits applies all that limits the days of frequencies below monthly.
func (it *Iterator) dayFits(day int) bool {
	if !it.limitsDays {
		return true
	}
	if !it.weekdayFits(day) {
		return false
	}
	y, m, d := dateOf(day)
	if it.months != 0 && it.months>>m&1 == 0 {
		return false
	}
	if it.monthDays|it.monthDaysLast != 0 && it.monthDays>>d&1 == 0 && it.monthDaysLast>>(DaysIn(y, m)-d+1)&1 == 0 {
		return false
	}
	return it.yearDayFits(day, y) && it.weekNoFits(day, y)
}

// dayAfter is the next day after one that does not fit which might: the
// first of the next month of BYMONTH if the day's month is none of them.
func (it *Iterator) dayAfter(day int) int {
	if it.months != 0 {
		y, m, d := dateOf(day)
		if it.months>>m&1 == 0 {
			day -= d - 1
			for it.months>>m&1 == 0 {
				day += DaysIn(y, m)
				if m++; m > 12 {
					m = 1
					y++
				}
			}
			return day
		}
	}
	return day + 1
}

// leapMonths sets the next interval of a daily or weekly rule to the first one that
// ends on or after the next day which might fit after day, the interval's last.
func (it *Iterator) leapMonths(day int) {
	unit := int64(1)
	if it.freq == Weekly {
		unit = 7
	}
	target := int64(it.dayAfter(day)) - (unit - 1) - it.origin
	step := it.interval * unit
	it.k = max(it.k, (target+step-1)/step)
}

// loadClock loads the next interval of a sub-daily rule that is not empty.
func (it *Iterator) loadClock() bool {
	step := it.interval * it.unit()
	for {
		at := it.origin + it.k*step
		if at > int64(it.until) {
			it.done = true
			return false
		}
		c := Civil(at)
		if day := c.day(); day != it.day {
			it.day, it.dayOK = day, it.dayFits(day)
		}
		h, m, s := c.Clock()
		// target is the next time at which this might fit.
		var target int64
		midnight := int64(it.day) * Day
		switch {
		case !it.dayOK:
			target = int64(it.dayAfter(it.day)) * Day
		case it.hours != 0 && it.hours>>h&1 == 0:
			target = midnight + nextBit(uint64(it.hours), h, 24)*3600
		case it.freq <= Minutely && it.minutes != 0 && it.minutes>>m&1 == 0:
			target = midnight + int64(h)*3600 + nextBit(it.minutes, m, 60)*60
		case it.freq == Secondly && it.seconds != 0 && it.seconds>>s&1 == 0:
			target = midnight + int64(h)*3600 + int64(m)*60 + nextBit(it.seconds, s, 60)
		default:
			it.k++
			it.base, it.days[0] = it.day, 1
			minutes, seconds := it.minutes, it.seconds
			if it.freq <= Minutely {
				minutes = 1 << m
			}
			if it.freq == Secondly {
				seconds = 1 << s
			}
			it.setClock(1<<h, minutes, seconds)
			return true
		}
		it.k = max(it.k+1, (target-it.origin+step-1)/step)
		if !it.spend() {
			return false
		}
	}
}

// nextBit is the position of the next bit of w after n, or end.
func nextBit(w uint64, n int, end int64) int64 {
	if w = w >> n >> 1; w != 0 {
		return int64(n + 1 + bits.TrailingZeros64(w))
	}
	return end
}

// Last returns the last instance of r, for arguments as in [Rule.Instances], and
// false if r has no end or has it after the year 9999. Where both COUNT and UNTIL
// bound the rule it may be later than the last instance, never earlier.
func (r *Rule) Last(start DateTime, zone *Zone, b *Budget) (Civil, bool, error) {
	last := MaxCivil
	if r.hasUntil {
		c := *r
		c.count = 0
		until, err := c.Before(start, zone, r.limit(start.Form, zone), b)
		if err != nil || r.count == 0 {
			return until, true, err
		}
		last = until
	}
	if r.count == 0 {
		return 0, false, nil
	}
	c := *r
	c.hasUntil = false
	counted, ok, err := c.lastCounted(start, b)
	if ok {
		last = min(last, counted)
	}
	return last, ok || r.hasUntil, err
}

// lastCounted is Last of a rule with COUNT only.
func (r *Rule) lastCounted(start DateTime, b *Budget) (Civil, bool, error) {
	it := r.Instances(start, nil, start.Civil, b)
	last := start.Civil
	it.first = false
	it.take(1)
	if it.skip != omit {
		for c, ok := it.Next(); ok; c, ok = it.Next() {
			last = c
		}
		return last, true, it.err
	}
	for !it.done {
		it.load()
		if r.hasSetPos {
			for n := it.position(it.next); n < it.size && !it.done; n = it.position(n + 1) {
				it.empty = 0
				if c := it.at(n); c > it.start && it.spend() {
					last = c
					it.take(1)
				}
			}
			continue
		}
		n := int64(it.size - it.next)
		if n <= 0 {
			continue
		}
		last = it.at(it.next + int(min(it.left, n)) - 1)
		it.take(n)
		if it.constant > 0 && it.left > it.constant {
			// Leave out so many intervals that the last one remains.
			skip := (it.left - 1) / it.constant
			if it.k+skip > it.intervalOf(MaxCivil) {
				return 0, false, nil
			}
			it.k += skip
			it.left -= skip * it.constant
		}
	}
	return last, true, it.err
}

// Before returns the last instance of r that is no later than c, and start if
// there is none, for arguments as in [Rule.Instances]. It is quick for rules without
// COUNT, which it need not walk from their start.
func (r *Rule) Before(start DateTime, zone *Zone, c Civil, b *Budget) (Civil, error) {
	last := start.Civil
	for back := Civil(400 * Day); ; back *= 8 {
		from := c - back
		if r.count > 0 || from <= start.Civil {
			from = start.Civil
		}
		it := r.Instances(start, zone, from, b)
		found := false
		for i, ok := it.Next(); ok && i <= c; i, ok = it.Next() {
			last, found = i, true
		}
		if it.err != nil || found || from == start.Civil {
			return max(last, start.Civil), it.err
		}
	}
}
