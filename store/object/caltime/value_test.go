package caltime

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// TestCivil compares the calendar with package time's over all days.
func TestCivil(t *testing.T) {
	at := time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)
	for c := MinCivil; c <= MaxCivil; c += Day {
		y, m, d := c.Date()
		ty, tm, td := at.Date()
		if y != ty || m != int(tm) || d != td || int64(c) != at.Unix() || Date(y, m, d) != c ||
			(int(c.Weekday())+1)%7 != int(at.Weekday()) {
			t.Fatalf("%d: %d-%d-%d %d, want %v", c, y, m, d, c.Weekday(), at)
		}
		if d == 1 && DaysIn(y, m) != at.AddDate(0, 1, -1).Day() {
			t.Fatalf("%d-%d has %d days", y, m, DaysIn(y, m))
		}
		at = at.AddDate(0, 0, 1)
	}
	if got := MinCivil.String() + " " + MaxCivil.String() + " " + (MaxCivil + 1).String(); got != "00010101T000000 99991231T235959 99991231T235959" {
		t.Error(got)
	}
	if h, m, s := (MaxCivil).Clock(); h != 23 || m != 59 || s != 59 {
		t.Error(h, m, s)
	}
	if c := Date(1969, 12, 31) + 3600; c.Midnight() != Date(1969, 12, 31) {
		t.Error(c.Midnight())
	}
}

// RFC 5545, 3.3.4 and 3.3.5.
func TestParseDateTime(t *testing.T) {
	for _, tt := range []struct {
		in, want string
		form     Form
	}{
		{"19970714", "19970714", DateOnly},
		{"19980118T230000", "19980118T230000", Local},
		{"19980119T070000Z", "19980119T070000Z", UTC},
		{"19980119t070000z", "19980119T070000Z", UTC},
		{"19970630T235960Z", "19970630T235959Z", UTC},
		{"20240229", "20240229", DateOnly},
		{"00010101T000000", "00010101T000000", Local},
		{"99991231T235959Z", "99991231T235959Z", UTC},
	} {
		got, err := ParseDateTime(tt.in)
		if err != nil || got.String() != tt.want || got.Form != tt.form {
			t.Errorf("%s: %v %v %v", tt.in, got, got.Form, err)
		}
	}
	for _, in := range []string{
		"", "1997071", "199707144", "19970732", "19971301", "19970001", "19970100", "20230229", "00000101", "1997O714",
		"19980119T230000-0800", "19980118T23000", "19980118 230000", "19980118T240000", "19980118T236000", "19980118T230061",
		"19980118T230000ZZ", "19980118T230000X", "-9980118", "1997-07-14", "19980118T", "\xff9980118",
	} {
		if got, err := ParseDateTime(in); !errors.Is(err, ErrValue) {
			t.Errorf("%q: %v %v", in, got, err)
		}
	}
	if _, err := ParseDate("19980118T230000"); err == nil {
		t.Error("a date-time as a date")
	}
}

// RFC 5545, 3.3.6.
func TestParseDuration(t *testing.T) {
	for _, tt := range []struct {
		in            string
		days, seconds int64
	}{
		{"P15DT5H0M20S", 15, 5*3600 + 20}, {"P7W", 49, 0}, {"PT1H0M0S", 0, 3600}, {"PT15M", 0, 900}, {"-PT15M", 0, -900},
		{"+P1D", 1, 0}, {"-P1DT1S", -1, -1}, {"PT0S", 0, 0}, {"P0D", 0, 0}, {"pt5m", 0, 300}, {"P1W2DT3S", 9, 3}, {"PT1H5S", 0, 3605},
		{"P1DT", 1, 0},
	} {
		d, err := ParseDuration(tt.in)
		if err != nil || d.Days != tt.days || d.Seconds != tt.seconds {
			t.Errorf("%s: %+v %v", tt.in, d, err)
		}
	}
	for _, in := range []string{
		"", "P", "PT", "-P", "1D", "P1", "P1H", "PT1D", "P1DT1", "PT1S1M", "P1D1W", "PT1H1H", "P1Y", "P1M", "PP1D", "--P1D", "P-1D",
		"PT99999999999999999999S", "P9999999999D", "P1DT1H ", "P1.5D", "PTT1S",
	} {
		if d, err := ParseDuration(in); !errors.Is(err, ErrValue) {
			t.Errorf("%q: %+v %v", in, d, err)
		}
	}
	// Days are nominal, hours exact: over the change to summer time on 10 March 2024.
	ny := zoneOf(t, "America/New_York")
	noon := mustTime(t, "20240309T120000").Civil
	for in, want := range map[string]string{"P1D": "20240310T120000", "PT24H": "20240310T130000", "P1DT1H": "20240310T130000"} {
		d, _ := ParseDuration(in)
		if got := ny.Civil(d.After(noon, ny)).String(); got != want {
			t.Errorf("%s after %s: %s, want %s", in, noon, got, want)
		}
	}
}

// RFC 5545, 3.3.9.
func TestParsePeriod(t *testing.T) {
	p, err := ParsePeriod("19970101T180000Z/19970102T070000Z")
	if err != nil || p.Start.String() != "19970101T180000Z" || p.End.String() != "19970102T070000Z" || p.HasDuration {
		t.Error(p, err)
	}
	p, err = ParsePeriod("19970101T180000Z/PT5H30M")
	if err != nil || p.Duration.Seconds != 19800 || !p.HasDuration {
		t.Error(p, err)
	}
	for _, in := range []string{"", "/", "19970101T180000Z", "19970101T180000Z/", "/PT5H", "19970101T180000Z/-PT5H", "19970101T180000Z/x", "x/PT5H", "19970101T180000Z/P"} {
		if p, err := ParsePeriod(in); !errors.Is(err, ErrValue) {
			t.Errorf("%q: %+v %v", in, p, err)
		}
	}
}

// RFC 5545, 3.3.14.
func TestParseOffset(t *testing.T) {
	for in, want := range map[string]int{"-0500": -18000, "+0100": 3600, "+013045": 5445, "0530": 19800, "-0000": 0, "+2359": 86340} {
		if got, err := ParseOffset(in); err != nil || got != want {
			t.Errorf("%s: %d %v", in, got, err)
		}
	}
	for _, in := range []string{"", "+", "+01", "+01:00", "+2400", "+0160", "++100", "+01000", "Z", "+0100000"} {
		if got, err := ParseOffset(in); !errors.Is(err, ErrValue) {
			t.Errorf("%q: %d %v", in, got, err)
		}
	}
}

func TestErrorTextIsShort(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	for _, f := range []func(string) error{
		func(s string) error { _, err := ParseDateTime(s); return err },
		func(s string) error { _, err := ParseDuration(s); return err },
		func(s string) error { _, err := ParsePeriod(s); return err },
		func(s string) error { _, err := ParseOffset(s); return err },
		func(s string) error { _, err := ParseRule(s); return err },
		func(s string) error { _, err := NewZone(s, nil, nil); return err },
	} {
		if err := f(long); err == nil || len(err.Error()) > 300 {
			t.Error(len(err.Error()))
		}
	}
}

func FuzzParseDateTime(f *testing.F) {
	for _, s := range []string{"19970714", "19980118T230000", "19980119T070000Z", "19970630T235960Z", "19980119T230000-0800"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := ParseDateTime(s)
		if err != nil {
			return
		}
		if v.Civil < MinCivil || v.Civil > MaxCivil {
			t.Fatalf("%q: %d", s, v.Civil)
		}
		again, err := ParseDateTime(v.String())
		if err != nil || again != v {
			t.Fatalf("%q: %v, again %v %v", s, v, again, err)
		}
		layout := map[Form]string{DateOnly: "20060102", Local: "20060102T150405", UTC: "20060102T150405Z"}[v.Form]
		if want, err := time.Parse(layout, v.String()); err != nil || want.Unix() != int64(v.Civil) {
			t.Fatalf("%q: %v, want %v %v", s, v, want, err)
		}
	})
}

func FuzzParseDuration(f *testing.F) {
	for _, s := range []string{"P15DT5H0M20S", "P7W", "-PT15M", "PT", "P99999999999D", "P1WT1S"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := ParseDuration(s)
		if err != nil {
			return
		}
		if d.Days > maxDurationDays || d.Days < -maxDurationDays || d.Seconds > maxDurationSeconds || d.Seconds < -maxDurationSeconds ||
			d.Days < 0 && d.Seconds > 0 || d.Days > 0 && d.Seconds < 0 {
			t.Fatalf("%q: %+v", s, d)
		}
	})
}

func FuzzParsePeriod(f *testing.F) {
	for _, s := range []string{"19970101T180000Z/19970102T070000Z", "19970101T180000Z/PT5H30M", "/", "19970101/P1D"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if p, err := ParsePeriod(s); err == nil && p.HasDuration && p.Duration.Nominal() < 0 {
			t.Fatalf("%q: %+v", s, p)
		}
	})
}

func FuzzParseOffset(f *testing.F) {
	for _, s := range []string{"+0100", "-043020", "0000", "+9999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if n, err := ParseOffset(s); err == nil && (n <= -Day || n >= Day) {
			t.Fatalf("%q: %d", s, n)
		}
	})
}

func FuzzZones(f *testing.F) {
	for _, s := range []string{"Europe/Berlin", "/mozilla.org/20070129_1/America/Argentina/Buenos_Aires", "Local", "../etc/passwd", "UTC+1", "W. Europe Standard Time", "right/UTC", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var zs Zones
		z := zs.Lookup(s)
		if z == nil {
			return
		}
		if z.location == time.Local {
			t.Fatalf("%q is the machine's zone", s)
		}
		if o := z.Offset(1700000000); o <= -Day || o >= Day {
			t.Fatalf("%q: %d", s, o)
		}
	})
}

func FuzzRule(f *testing.F) {
	for _, s := range []string{
		"FREQ=DAILY;COUNT=10;INTERVAL=2", "FREQ=SECONDLY;COUNT=1000000000", "FREQ=YEARLY;BYWEEKNO=1,-1;BYDAY=MO", "FREQ=MONTHLY;BYDAY=10MO",
		"FREQ=MONTHLY;BYDAY=MO,TU,WE;BYSETPOS=-1,2", "FREQ=HOURLY;INTERVAL=7;BYHOUR=3;BYMINUTE=1,2;BYSETPOS=2", "FREQ=WEEKLY;BYMONTH=2;WKST=SU;UNTIL=20300101",
		"FREQ=YEARLY;BYYEARDAY=-366,1,366;BYMONTHDAY=31", "FREQ=MINUTELY;INTERVAL=1441;BYHOUR=1;BYMONTH=3", "RSCALE=GREGORIAN;FREQ=MONTHLY;BYMONTHDAY=31,-31;SKIP=BACKWARD", "FREQ=YEARLY;BYMONTHDAY=29;BYHOUR=1,2;SKIP=FORWARD",
	} {
		f.Add(s, int64(1700000000), int64(1800000000), uint8(0))
	}
	f.Fuzz(func(t *testing.T, s string, start, from int64, form uint8) {
		r, err := ParseRule(s)
		if err != nil {
			return
		}
		dt := DateTime{min(max(Civil(start), MinCivil), MaxCivil), Form(form % 3)}
		if dt.Form == DateOnly {
			dt.Civil = dt.Civil.Midnight()
		}
		for _, from := range []Civil{MinCivil, Civil(from)} {
			var b Budget
			it := r.Instances(dt, nil, from, &b)
			last, n := MinCivil-1, 0
			for c, ok := it.Next(); ok && n < 2000; c, ok = it.Next() {
				if c <= last || c < dt.Civil || c < from || c > MaxCivil || dt.Form == DateOnly && c != c.Midnight() {
					t.Fatalf("%s: %s after %s, start %s, from %s", s, c, last, dt, from)
				}
				if c != dt.Civil && c > r.limit(dt.Form, nil) {
					t.Fatalf("%s: %s is after UNTIL", s, c)
				}
				last = c
				n++
			}
			if b.used > MaxSteps {
				t.Fatal(b.used)
			}
			if r.count > 0 && int64(n) > r.count {
				t.Fatalf("%s: %d instances", s, n)
			}
			if n < 2000 && it.Err() == nil && n > 0 {
				var b Budget
				if l, finite, err := r.Last(dt, nil, &b); finite && err == nil && l < last {
					t.Fatalf("%s: last is %s, not %s", s, last, l)
				}
			}
		}
	})
}
