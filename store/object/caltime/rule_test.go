package caltime

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func mustRule(t testing.TB, s string) *Rule {
	t.Helper()
	r, err := ParseRule(s)
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return r
}

func mustTime(t testing.TB, s string) DateTime {
	t.Helper()
	v, err := ParseDateTime(s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func zoneOf(t testing.TB, name string) *Zone {
	t.Helper()
	z := (*Zones)(nil).Lookup(name)
	if z == nil {
		t.Fatalf("no zone %s", name)
	}
	return z
}

// list returns up to n instances as text.
func list(t testing.TB, rule, start string, zone *Zone, from Civil, n int) ([]string, error) {
	t.Helper()
	var b Budget
	it := mustRule(t, rule).Instances(mustTime(t, start), zone, from, &b)
	var got []string
	for c, ok := it.Next(); ok; c, ok = it.Next() {
		if got = append(got, c.String()); len(got) == n {
			break
		}
	}
	return got, it.Err()
}

// days writes out "1997 9 2 4-6; 10 1" with the time of day.
func days(year, spec, clock string) string {
	var out []string
	for _, part := range strings.Split(spec, ";") {
		f := strings.Fields(part)
		month := atoi(f[0])
		for _, d := range f[1:] {
			a, b, ok := strings.Cut(d, "-")
			if !ok {
				b = a
			}
			for day := atoi(a); day <= atoi(b); day++ {
				out = append(out, year+two(month)+two(day)+"T"+clock)
			}
		}
	}
	return strings.Join(out, " ")
}

func atoi(s string) int {
	n := digits(s, len(s))
	if n < 0 {
		panic(s)
	}
	return n
}

func two(n int) string { return string([]byte{digit(n / 10), digit(n)}) }

// TestRFC5545Examples are all the examples of RFC 5545, 3.8.5.3, with the dates
// listed there. EXDATE is not of this package, so in "Friday the 13th" DTSTART
// comes first.
func TestRFC5545Examples(t *testing.T) {
	at9 := func(year, spec string) string { return days(year, spec, "090000") }
	j := func(parts ...string) string { return strings.Join(parts, " ") }
	everyDayInJanuary := j(at9("1998", "1 1-31"), at9("1999", "1 1-31"), at9("2000", "1 1-31"))
	every20Minutes := func(day string) string {
		var out []string
		for h := 9; h <= 16; h++ {
			for m := 0; m < 60; m += 20 {
				out = append(out, day+"T"+two(h)+two(m)+"00")
			}
		}
		return strings.Join(out, " ")
	}
	tests := []struct {
		name, start, rule, want string
		more                    bool // "..."
	}{
		{"Daily for 10 occurrences", "19970902T090000", "FREQ=DAILY;COUNT=10", at9("1997", "9 2-11"), false},
		{"Daily until December 24, 1997", "19970902T090000", "FREQ=DAILY;UNTIL=19971224T000000Z", at9("1997", "9 2-30;10 1-31;11 1-30;12 1-23"), false},
		{"Every other day - forever", "19970902T090000", "FREQ=DAILY;INTERVAL=2", at9("1997", "9 2 4 6 8 10 12 14 16 18 20 22 24 26 28 30;10 2 4 6 8 10 12 14 16 18 20 22 24 26 28 30;11 1 3 5 7 9 11 13 15 17 19 21 23 25 27 29;12 1 3"), true},
		{"Every 10 days, 5 occurrences", "19970902T090000", "FREQ=DAILY;INTERVAL=10;COUNT=5", at9("1997", "9 2 12 22;10 2 12"), false},
		{"Every day in January, for 3 years", "19980101T090000", "FREQ=YEARLY;UNTIL=20000131T140000Z;BYMONTH=1;BYDAY=SU,MO,TU,WE,TH,FR,SA", everyDayInJanuary, false},
		{"Every day in January, for 3 years, or", "19980101T090000", "FREQ=DAILY;UNTIL=20000131T140000Z;BYMONTH=1", everyDayInJanuary, false},
		{"Weekly for 10 occurrences", "19970902T090000", "FREQ=WEEKLY;COUNT=10", at9("1997", "9 2 9 16 23 30;10 7 14 21 28;11 4"), false},
		{"Weekly until December 24, 1997", "19970902T090000", "FREQ=WEEKLY;UNTIL=19971224T000000Z", at9("1997", "9 2 9 16 23 30;10 7 14 21 28;11 4 11 18 25;12 2 9 16 23"), false},
		{"Every other week - forever", "19970902T090000", "FREQ=WEEKLY;INTERVAL=2;WKST=SU", j(at9("1997", "9 2 16 30;10 14 28;11 11 25;12 9 23"), at9("1998", "1 6 20;2 3 17")), true},
		{"Weekly on Tuesday and Thursday for five weeks", "19970902T090000", "FREQ=WEEKLY;UNTIL=19971007T000000Z;WKST=SU;BYDAY=TU,TH", at9("1997", "9 2 4 9 11 16 18 23 25 30;10 2"), false},
		{"Weekly on Tuesday and Thursday for five weeks, or", "19970902T090000", "FREQ=WEEKLY;COUNT=10;WKST=SU;BYDAY=TU,TH", at9("1997", "9 2 4 9 11 16 18 23 25 30;10 2"), false},
		{"Every other week on Monday, Wednesday, and Friday until December 24, 1997", "19970901T090000", "FREQ=WEEKLY;INTERVAL=2;UNTIL=19971224T000000Z;WKST=SU;BYDAY=MO,WE,FR", at9("1997", "9 1 3 5 15 17 19 29;10 1 3 13 15 17 27 29 31;11 10 12 14 24 26 28;12 8 10 12 22"), false},
		{"Every other week on Tuesday and Thursday, for 8 occurrences", "19970902T090000", "FREQ=WEEKLY;INTERVAL=2;COUNT=8;WKST=SU;BYDAY=TU,TH", at9("1997", "9 2 4 16 18 30;10 2 14 16"), false},
		{"Monthly on the first Friday for 10 occurrences", "19970905T090000", "FREQ=MONTHLY;COUNT=10;BYDAY=1FR", j(at9("1997", "9 5;10 3;11 7;12 5"), at9("1998", "1 2;2 6;3 6;4 3;5 1;6 5")), false},
		{"Monthly on the first Friday until December 24, 1997", "19970905T090000", "FREQ=MONTHLY;UNTIL=19971224T000000Z;BYDAY=1FR", at9("1997", "9 5;10 3;11 7;12 5"), false},
		{"Every other month on the first and last Sunday of the month for 10 occurrences", "19970907T090000", "FREQ=MONTHLY;INTERVAL=2;COUNT=10;BYDAY=1SU,-1SU", j(at9("1997", "9 7 28;11 2 30"), at9("1998", "1 4 25;3 1 29;5 3 31")), false},
		{"Monthly on the second-to-last Monday of the month for 6 months", "19970922T090000", "FREQ=MONTHLY;COUNT=6;BYDAY=-2MO", j(at9("1997", "9 22;10 20;11 17;12 22"), at9("1998", "1 19;2 16")), false},
		{"Monthly on the third-to-the-last day of the month, forever", "19970928T090000", "FREQ=MONTHLY;BYMONTHDAY=-3", j(at9("1997", "9 28;10 29;11 28;12 29"), at9("1998", "1 29;2 26")), true},
		{"Monthly on the 2nd and 15th of the month for 10 occurrences", "19970902T090000", "FREQ=MONTHLY;COUNT=10;BYMONTHDAY=2,15", j(at9("1997", "9 2 15;10 2 15;11 2 15;12 2 15"), at9("1998", "1 2 15")), false},
		{"Monthly on the first and last day of the month for 10 occurrences", "19970930T090000", "FREQ=MONTHLY;COUNT=10;BYMONTHDAY=1,-1", j(at9("1997", "9 30;10 1 31;11 1 30;12 1 31"), at9("1998", "1 1 31;2 1")), false},
		{"Every 18 months on the 10th thru 15th of the month for 10 occurrences", "19970910T090000", "FREQ=MONTHLY;INTERVAL=18;COUNT=10;BYMONTHDAY=10,11,12,13,14,15", j(at9("1997", "9 10-15"), at9("1999", "3 10-13")), false},
		{"Every Tuesday, every other month", "19970902T090000", "FREQ=MONTHLY;INTERVAL=2;BYDAY=TU", j(at9("1997", "9 2 9 16 23 30;11 4 11 18 25"), at9("1998", "1 6 13 20 27;3 3 10 17 24 31")), true},
		{"Yearly in June and July for 10 occurrences", "19970610T090000", "FREQ=YEARLY;COUNT=10;BYMONTH=6,7", j(at9("1997", "6 10;7 10"), at9("1998", "6 10;7 10"), at9("1999", "6 10;7 10"), at9("2000", "6 10;7 10"), at9("2001", "6 10;7 10")), false},
		{"Every other year on January, February, and March for 10 occurrences", "19970310T090000", "FREQ=YEARLY;INTERVAL=2;COUNT=10;BYMONTH=1,2,3", j(at9("1997", "3 10"), at9("1999", "1 10;2 10;3 10"), at9("2001", "1 10;2 10;3 10"), at9("2003", "1 10;2 10;3 10")), false},
		{"Every third year on the 1st, 100th, and 200th day for 10 occurrences", "19970101T090000", "FREQ=YEARLY;INTERVAL=3;COUNT=10;BYYEARDAY=1,100,200", j(at9("1997", "1 1;4 10;7 19"), at9("2000", "1 1;4 9;7 18"), at9("2003", "1 1;4 10;7 19"), at9("2006", "1 1")), false},
		{"Every 20th Monday of the year, forever", "19970519T090000", "FREQ=YEARLY;BYDAY=20MO", j(at9("1997", "5 19"), at9("1998", "5 18"), at9("1999", "5 17")), true},
		{"Monday of week number 20", "19970512T090000", "FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO", j(at9("1997", "5 12"), at9("1998", "5 11"), at9("1999", "5 17")), true},
		{"Every Thursday in March, forever", "19970313T090000", "FREQ=YEARLY;BYMONTH=3;BYDAY=TH", j(at9("1997", "3 13 20 27"), at9("1998", "3 5 12 19 26"), at9("1999", "3 4 11 18 25")), true},
		{"Every Thursday, but only during June, July, and August, forever", "19970605T090000", "FREQ=YEARLY;BYDAY=TH;BYMONTH=6,7,8", j(at9("1997", "6 5 12 19 26;7 3 10 17 24 31;8 7 14 21 28"), at9("1998", "6 4 11 18 25;7 2 9 16 23 30;8 6 13 20 27"), at9("1999", "6 3 10 17 24;7 1 8 15 22 29;8 5 12 19 26")), true},
		{"Every Friday the 13th, forever", "19970902T090000", "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13", j(at9("1997", "9 2"), at9("1998", "2 13;3 13;11 13"), at9("1999", "8 13"), at9("2000", "10 13")), true},
		{"The first Saturday that follows the first Sunday of the month, forever", "19970913T090000", "FREQ=MONTHLY;BYDAY=SA;BYMONTHDAY=7,8,9,10,11,12,13", j(at9("1997", "9 13;10 11;11 8;12 13"), at9("1998", "1 10;2 7;3 7;4 11;5 9;6 13")), true},
		{"U.S. Presidential Election day", "19961105T090000", "FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8", j(at9("1996", "11 5"), at9("2000", "11 7"), at9("2004", "11 2")), true},
		{"The third instance into the month of one of Tuesday, Wednesday, or Thursday, for the next 3 months", "19970904T090000", "FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3", at9("1997", "9 4;10 7;11 6"), false},
		{"The second-to-last weekday of the month", "19970929T090000", "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2", j(at9("1997", "9 29;10 30;11 27;12 30"), at9("1998", "1 29;2 26;3 30")), true},
		// The RFC's UNTIL=19970902T170000Z is 1 PM EDT and would leave out the 15:00
		// which it lists: 5 PM, as the title says, is 21:00 in UTC.
		{"Every 3 hours from 9:00 AM to 5:00 PM on a specific day", "19970902T090000", "FREQ=HOURLY;INTERVAL=3;UNTIL=19970902T210000Z", "19970902T090000 19970902T120000 19970902T150000", false},
		{"Every 15 minutes for 6 occurrences", "19970902T090000", "FREQ=MINUTELY;INTERVAL=15;COUNT=6", "19970902T090000 19970902T091500 19970902T093000 19970902T094500 19970902T100000 19970902T101500", false},
		{"Every hour and a half for 4 occurrences", "19970902T090000", "FREQ=MINUTELY;INTERVAL=90;COUNT=4", "19970902T090000 19970902T103000 19970902T120000 19970902T133000", false},
		{"Every 20 minutes from 9:00 AM to 4:40 PM every day", "19970902T090000", "FREQ=DAILY;BYHOUR=9,10,11,12,13,14,15,16;BYMINUTE=0,20,40", j(every20Minutes("19970902"), every20Minutes("19970903")), true},
		{"Every 20 minutes from 9:00 AM to 4:40 PM every day, or", "19970902T090000", "FREQ=MINUTELY;INTERVAL=20;BYHOUR=9,10,11,12,13,14,15,16", j(every20Minutes("19970902"), every20Minutes("19970903")), true},
		{"WKST=MO", "19970805T090000", "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO", at9("1997", "8 5 10 19 24"), false},
		{"WKST=SU", "19970805T090000", "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU", at9("1997", "8 5 17 19 31"), false},
		{"An invalid date (i.e., February 30) is ignored", "20070115T090000", "FREQ=MONTHLY;BYMONTHDAY=15,30;COUNT=5", at9("2007", "1 15 30;2 15;3 15 30"), false},
		// RFC 5545, 3.3.10: evaluating multiple BYxxx rule parts.
		{"multiple BYxxx rule parts", "19970105T083000", "FREQ=YEARLY;INTERVAL=2;BYMONTH=1;BYDAY=SU;BYHOUR=8,9;BYMINUTE=30", "19970105T083000 19970105T093000 19970112T083000 19970112T093000 19970119T083000 19970119T093000 19970126T083000 19970126T093000 19990103T083000 19990103T093000", true},
	}
	ny := zoneOf(t, "America/New_York")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := strings.Fields(tt.want)
			n := len(want)
			if !tt.more {
				n++ // there must be no further one
			}
			got, err := list(t, tt.rule, tt.start, ny, MinCivil, n)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Join(got, " ") != strings.Join(want, " ") {
				t.Errorf("%s\n got %v\nwant %v", tt.rule, got, want)
			}
			// Beginning anywhere gives the rest of the same.
			for i := range want {
				from, _ := ParseDateTime(want[i])
				rest, err := list(t, tt.rule, tt.start, ny, from.Civil, n-i)
				if err != nil || strings.Join(rest, " ") != strings.Join(want[i:], " ") {
					t.Fatalf("from %s: got %v (%v)\nwant %v", want[i], rest, err, want[i:])
				}
			}
		})
	}
}

func TestRules(t *testing.T) {
	tests := []struct {
		name, start, rule, from, want string
		more                          bool
	}{
		{"leap day only", "20240229T120000", "FREQ=YEARLY", "", "20240229T120000 20280229T120000 20320229T120000", true},
		{"day 31 is skipped", "20240131T120000", "FREQ=MONTHLY", "", "20240131T120000 20240331T120000 20240531T120000", true},
		{"DTSTART does not fit", "20240101T100000", "FREQ=WEEKLY;BYDAY=TU;COUNT=3", "", "20240101T100000 20240102T100000 20240109T100000", false},
		{"UNTIL is a date", "20240101T100000", "FREQ=DAILY;UNTIL=20240103", "", "20240101T100000 20240102T100000 20240103T100000", false},
		{"UNTIL before DTSTART", "20240101T100000", "FREQ=DAILY;UNTIL=20230103", "", "20240101T100000", false},
		{"UNTIL in UTC is local in the zone", "20240101T230000", "FREQ=DAILY;UNTIL=20240103T040000Z", "", "20240101T230000 20240102T230000", false},
		{"COUNT and UNTIL", "20240101T100000", "FREQ=DAILY;UNTIL=20240103T235959;COUNT=10", "", "20240101T100000 20240102T100000 20240103T100000", false},
		{"date", "20240101", "FREQ=DAILY;COUNT=2;BYHOUR=5,6", "", "20240101T000000 20240102T000000", false},
		{"date, hours", "20240101", "FREQ=HOURLY;INTERVAL=36;COUNT=3", "", "20240101T000000 20240103T000000 20240105T000000", false},
		{"BYSECOND=60", "20240101T100000", "FREQ=MINUTELY;BYSECOND=60;COUNT=3", "", "20240101T100000 20240101T100059 20240101T100159", false},
		{"BYWEEKNO without BYDAY takes DTSTART's", "20240103T100000", "FREQ=YEARLY;BYWEEKNO=10", "", "20240103T100000 20240306T100000 20250305T100000", true},
		{"week 53", "20201228T100000", "FREQ=YEARLY;BYWEEKNO=53;BYDAY=MO", "", "20201228T100000 20261228T100000 20321227T100000", true},
		{"last week", "20201228T100000", "FREQ=YEARLY;BYWEEKNO=-1;BYDAY=MO", "", "20201228T100000 20211227T100000 20221226T100000", true},
		{"number of BYDAY ignored weekly", "20240101T100000", "FREQ=WEEKLY;BYDAY=1MO,3WE", "", "20240101T100000 20240103T100000 20240108T100000", true},
		{"10MO of a month", "20240101T100000", "FREQ=MONTHLY;BYDAY=10MO", "", "20240101T100000", false},
		{"53rd Friday", "20210101T100000", "FREQ=YEARLY;BYDAY=53FR", "", "20210101T100000 20211231T100000 20271231T100000", true},
		{"nested positions", "20240101T000000", "FREQ=DAILY;BYHOUR=0,6,12,18;BYMINUTE=0,30;BYSETPOS=1,3,-1,-3,-100,100", "", "20240101T000000 20240101T060000 20240101T123000 20240101T183000 20240102T000000", true},
		{"far from start", "19700105T090000", "FREQ=WEEKLY", "20260101T000000", "20260105T090000 20260112T090000", true},
		{"far from start, counted", "19700101T090000", "FREQ=SECONDLY;COUNT=1000000000", "20010909T104638", "20010909T104638 20010909T104639", false},
		{"far from start, counted days", "19700101T090000", "FREQ=DAILY;COUNT=20000", "20241001T000000", "20241001T090000 20241002T090000 20241003T090000", false},
		{"seconds of one hour a day", "19700101T090000", "FREQ=SECONDLY;BYHOUR=9;BYMINUTE=0;BYSECOND=0", "20260101T000000", "20260101T090000 20260102T090000", true},
		{"each second of a year", "19700101T000000", "FREQ=YEARLY;BYMONTH=1,2,3,4,5,6,7,8,9,10,11,12;BYDAY=MO,TU,WE,TH,FR,SA,SU;BYHOUR=0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23;BYMINUTE=" + upTo(59) + ";BYSECOND=" + upTo(59), "20260615T121314", "20260615T121314 20260615T121315", true},
		{"RSCALE", "20240101T100000", "RSCALE=GREGORIAN;FREQ=YEARLY;SKIP=OMIT;COUNT=2", "", "20240101T100000 20250101T100000", false},
		// RFC 7529, 4.3.4
		{"leap day forward", "20120229", "RSCALE=GREGORIAN;FREQ=YEARLY;SKIP=FORWARD;COUNT=6", "", "20120229T000000 20130301T000000 20140301T000000 20150301T000000 20160229T000000 20170301T000000", false},
		// RFC 7529, 4.1
		{"leap day backward", "20120229", "RSCALE=ROC;FREQ=YEARLY;SKIP=BACKWARD", "20250101", "20250228T000000 20260228T000000 20270228T000000 20280229T000000", true},
		{"day 31 backward", "20240131T120000", "RSCALE=GREGORIAN;FREQ=MONTHLY;SKIP=BACKWARD;UNTIL=20240430", "", "20240131T120000 20240229T120000 20240331T120000 20240430T120000", false},
		{"day 31 forward, and day 1", "20240131T120000", "RSCALE=GREGORIAN;FREQ=MONTHLY;BYMONTHDAY=1,31;SKIP=FORWARD;COUNT=5", "", "20240131T120000 20240201T120000 20240301T120000 20240331T120000 20240401T120000", false},
		{"day 31 from the end", "20240131T120000", "RSCALE=GREGORIAN;FREQ=MONTHLY;BYMONTHDAY=-31;SKIP=BACKWARD;COUNT=4", "", "20240131T120000 20240301T120000 20240331T120000 20240501T120000", false},
		{"moved before BYDAY", "20240131T120000", "RSCALE=GREGORIAN;FREQ=MONTHLY;BYMONTHDAY=31;BYDAY=FR;SKIP=FORWARD", "20240201", "20240301T120000 20240531T120000 20250131T120000", true},
		{"30 February forward", "20240101T100000", "RSCALE=GREGORIAN;FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30;SKIP=FORWARD", "20250101", "20250301T100000 20260301T100000", true},
		{"day 366 forward", "20241231T100000", "RSCALE=GREGORIAN;FREQ=YEARLY;BYYEARDAY=366;SKIP=FORWARD", "20250101", "20260101T100000 20270101T100000 20280101T100000 20281231T100000", true},
		{"day 366 backward", "20241231T100000", "RSCALE=GREGORIAN;FREQ=YEARLY;BYYEARDAY=366;SKIP=BACKWARD", "20250101", "20251231T100000 20261231T100000", true},
		{"day 366 from the end, backward", "20240101T100000", "RSCALE=GREGORIAN;FREQ=YEARLY;BYYEARDAY=-366;SKIP=BACKWARD", "20240102", "20241231T100000 20251231T100000 20261231T100000 20280101T100000", true},
		{"end of time", "99981231T100000", "FREQ=YEARLY", "", "99981231T100000 99991231T100000", false},
		{"30 February", "20240101T100000", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "", "20240101T100000", false},
		{"31 April, daily", "20240101T100000", "FREQ=DAILY;BYMONTH=4;BYMONTHDAY=31", "", "20240101T100000", false},
		{"Monday that is a Tuesday", "20240101T100000", "FREQ=DAILY;INTERVAL=7;BYDAY=TU", "", "20240101T100000", false},
		{"never that hour", "20240101T100000", "FREQ=HOURLY;INTERVAL=24;BYHOUR=11", "", "20240101T100000", false},
		{"never that second", "20240101T100000", "FREQ=SECONDLY;INTERVAL=120;BYSECOND=1", "", "20240101T100000", false},
		{"366th of odd years", "20230101T100000", "FREQ=YEARLY;INTERVAL=2;BYYEARDAY=366", "", "20230101T100000", false},
		{"far position", "20230101T100000", "FREQ=YEARLY;BYMONTHDAY=1;BYSETPOS=13", "", "20230101T100000", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := strings.Fields(tt.want)
			n := len(want)
			if !tt.more {
				n++
			}
			from := MinCivil
			if tt.from != "" {
				from = mustTime(t, tt.from).Civil
			}
			got, err := list(t, tt.rule, tt.start, zoneOf(t, "America/New_York"), from, n)
			if err != nil || strings.Join(got, " ") != strings.Join(want, " ") {
				t.Errorf("%s\n got %v (%v)\nwant %v", tt.rule, got, err, want)
			}
		})
	}
}

func upTo(n int) string {
	var b []byte
	for i := range n + 1 {
		b = append(b, digit(i/10), digit(i), ',')
	}
	return string(b)
}

func TestParseRuleErrors(t *testing.T) {
	for _, s := range []string{
		"", "COUNT=1", "FREQ=", "FREQ=FORTNIGHTLY", "FREQ=DAILY;FREQ=DAILY", "FREQ=DAILY;COUNT=0", "FREQ=DAILY;COUNT=-1",
		"FREQ=DAILY;COUNT=x", "FREQ=DAILY;INTERVAL=0", "FREQ=DAILY;INTERVAL=", "FREQ=DAILY;UNTIL=tomorrow", "FREQ=MONTHLY;BYDAY=0TH",
		"FREQ=MONTHLY;BYDAY=54TH", "FREQ=MONTHLY;BYDAY=1", "FREQ=MONTHLY;BYDAY=M", "FREQ=MONTHLY;BYMONTHDAY=0", "FREQ=MONTHLY;BYMONTHDAY=32",
		"FREQ=MONTHLY;BYMONTHDAY=--1", "FREQ=YEARLY;BYMONTH=0", "FREQ=YEARLY;BYMONTH=13", "FREQ=YEARLY;BYMONTH=5L", "FREQ=YEARLY;BYWEEKNO=54",
		"FREQ=YEARLY;BYYEARDAY=367", "FREQ=YEARLY;BYSETPOS=0", "FREQ=DAILY;BYHOUR=24", "FREQ=DAILY;BYMINUTE=60", "FREQ=DAILY;BYSECOND=61",
		"FREQ=DAILY;WKST=XX", "FREQ=DAILY;BYEASTER=1", "FREQ=DAILY;COUNT", "FREQ=DAILY;BYHOUR=-1",
		"RSCALE=GREGORIAN;FREQ=YEARLY;SKIP=ASIDE", "RSCALE=GREGORIAN;FREQ=YEARLY;BYMONTH=2L", "RSCALE=GREGORIAN;RSCALE=GREGORIAN;FREQ=YEARLY",
		"FREQ=DAILY;BYMONTHDAY=99999999999999999999999999",
	} {
		if _, err := ParseRule(s); !errors.Is(err, ErrRule) {
			t.Errorf("%q: %v", s, err)
		}
	}
	for _, s := range []string{"RSCALE=CHINESE;FREQ=YEARLY", "FREQ=YEARLY;BYMONTH=5L;BYMONTHDAY=8;SKIP=FORWARD;RSCALE=HEBREW",
		"RSCALE=ETHIOPIC;FREQ=MONTHLY;BYMONTH=13", "RSCALE=;FREQ=DAILY"} {
		if _, err := ParseRule(s); !errors.Is(err, ErrScale) {
			t.Errorf("%q: %v", s, err)
		}
	}
	for _, s := range []string{"freq=daily;interval=2", "FREQ=DAILY;", "FREQ=DAILY;;BYDAY=", "FREQ=DAILY;X-FOO=1", "FREQ=DAILY;COUNT=99999999999999999999"} {
		if _, err := ParseRule(s); err != nil {
			t.Errorf("%q: %v", s, err)
		}
	}
}

// TestBombs: rules which would keep a naive evaluation busy for minutes end, with
// or without ErrBudget, and quickly.
func TestBombs(t *testing.T) {
	all := upTo(59)
	for _, rule := range []string{
		"FREQ=SECONDLY;COUNT=1000000000", "FREQ=SECONDLY;UNTIL=99991231T235959Z", "FREQ=SECONDLY",
		"FREQ=DAILY;BYSECOND=" + strings.Repeat(all, 100),
		"FREQ=SECONDLY;INTERVAL=7;BYSECOND=" + all + ";BYMONTH=2;BYMONTHDAY=30",
		"FREQ=SECONDLY;BYMONTHDAY=31;BYYEARDAY=60",
		"FREQ=MINUTELY;INTERVAL=1440;BYHOUR=11;BYDAY=MO;BYMONTHDAY=31;BYMONTH=2,4",
		"FREQ=HOURLY;BYYEARDAY=366;BYWEEKNO=1;BYMONTH=7",
		"FREQ=YEARLY;BYWEEKNO=20;BYMONTH=1", "FREQ=YEARLY;BYYEARDAY=1;BYMONTHDAY=2",
		"FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30;COUNT=1000000000",
		"FREQ=DAILY;COUNT=1000000000;BYDAY=MO;BYMONTHDAY=31;BYMONTH=2", "FREQ=WEEKLY;INTERVAL=1000000000000000",
		"FREQ=SECONDLY;INTERVAL=99999999999999999999;COUNT=99999999999999999999",
		"FREQ=MONTHLY;BYDAY=5MO;BYMONTHDAY=1,2,3", "FREQ=MONTHLY;COUNT=1000000000;BYMONTHDAY=-1;BYSETPOS=-366",
		"FREQ=MONTHLY;BYMONTHDAY=1,31,-31;SKIP=FORWARD;COUNT=1000000000;BYHOUR=0,1,2,3,4,5,6,7,8,9;BYSECOND=" + all + ";BYMINUTE=" + all,
		"FREQ=MONTHLY;BYMONTHDAY=31,-31;SKIP=BACKWARD;BYHOUR=0,1,2,3,4,5,6,7,8,9;BYSECOND=" + all + ";BYMINUTE=" + all + ";BYSETPOS=-1",
		"FREQ=YEARLY;BYYEARDAY=366;BYMONTHDAY=15;SKIP=FORWARD", "FREQ=YEARLY;BYMONTHDAY=31;BYMONTH=2;BYDAY=5MO;SKIP=FORWARD;COUNT=1000000000",
		"FREQ=MONTHLY;BYMONTHDAY=31;BYSETPOS=300;SKIP=BACKWARD;COUNT=1000000000",
	} {
		r := mustRule(t, rule)
		began := time.Now()
		for _, from := range []Civil{MinCivil, Date(2026, 1, 1), MaxCivil - 10*Day} {
			var b Budget
			it := r.Instances(mustTime(t, "20200101T100000"), nil, from, &b)
			n, last := 0, MinCivil
			for c, ok := it.Next(); ok; c, ok = it.Next() {
				if c <= last || c < from {
					t.Fatalf("%.60s: %s after %s, from %s", rule, c, last, from)
				}
				last = c
				n++
			}
			if n > MaxSteps || b.used > MaxSteps {
				t.Errorf("%.60s: %d instances, %d steps", rule, n, b.used)
			}
			var b2 Budget
			if _, _, err := r.Last(mustTime(t, "20200101T100000"), nil, &b2); err != nil && err != ErrBudget {
				t.Errorf("%.60s: Last: %v", rule, err)
			}
		}
		if d := time.Since(began); d > 5*time.Second {
			t.Errorf("%.60s took %v", rule, d)
		}
	}
}

func TestLast(t *testing.T) {
	for _, tt := range []struct{ start, rule, want string }{
		{"20240101T100000", "FREQ=DAILY", ""},
		{"20240101T100000", "FREQ=DAILY;COUNT=3", "20240103T100000"},
		{"20240101T100000", "FREQ=DAILY;COUNT=1", "20240101T100000"},
		{"20240101T100000", "FREQ=DAILY;COUNT=1000000", "47611127T100000"},
		{"20240101T100000", "FREQ=DAILY;COUNT=1000000000000", ""},
		{"20240101T100000", "FREQ=DAILY;BYHOUR=10,11;COUNT=1000001", "33921214T100000"},
		{"20240101T100000", "FREQ=WEEKLY;BYDAY=TU;UNTIL=20240301T000000Z", "20240227T100000"},
		{"20240101T100000", "FREQ=YEARLY;UNTIL=20991231", "20990101T100000"},
		{"20240101T100000", "FREQ=YEARLY;UNTIL=20231231", "20240101T100000"},
		{"20240129T100000", "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1,-2;COUNT=4", "20240228T100000"},
		{"20240101T100000", "FREQ=MONTHLY;BYMONTHDAY=30,31;COUNT=5", "20240331T100000"},
		{"20240101T100000", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;UNTIL=20270101", "20240229T100000"},
	} {
		var b Budget
		last, finite, err := mustRule(t, tt.rule).Last(mustTime(t, tt.start), nil, &b)
		got := ""
		if finite {
			got = last.String()
		}
		if got != tt.want || err != nil {
			t.Errorf("%s: %q %v, want %q", tt.rule, got, err, tt.want)
		}
	}
}
