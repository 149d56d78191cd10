package caltime

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// observances reads the STANDARD and DAYLIGHT parts of a VTIMEZONE.
func observances(t testing.TB, text string) []Observance {
	t.Helper()
	var all []Observance
	var o *Observance
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		var err error
		switch name {
		case "BEGIN":
			o = &Observance{}
		case "END":
			all = append(all, *o)
		case "DTSTART":
			o.Start = mustTime(t, value).Civil
		case "RDATE":
			for _, v := range strings.Split(value, ",") {
				o.Dates = append(o.Dates, mustTime(t, v).Civil)
			}
		case "RRULE":
			o.Rules = append(o.Rules, mustRule(t, value))
		case "TZOFFSETFROM":
			o.From, err = ParseOffset(value)
		case "TZOFFSETTO":
			o.To, err = ParseOffset(value)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func zoneFrom(t testing.TB, name, text string, zones *Zones) *Zone {
	t.Helper()
	z, err := NewZone(name, observances(t, text), zones)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// The first example of RFC 5545, 3.6.5.
const newYork = `BEGIN:DAYLIGHT
DTSTART:19670430T020000
RRULE:FREQ=YEARLY;BYMONTH=4;BYDAY=-1SU;UNTIL=19730429T070000Z
TZOFFSETFROM:-0500
TZOFFSETTO:-0400
END:DAYLIGHT
BEGIN:STANDARD
DTSTART:19671029T020000
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU;UNTIL=20061029T060000Z
TZOFFSETFROM:-0400
TZOFFSETTO:-0500
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:19740106T020000
RDATE:19750223T020000
TZOFFSETFROM:-0500
TZOFFSETTO:-0400
END:DAYLIGHT
BEGIN:DAYLIGHT
DTSTART:19760425T020000
RRULE:FREQ=YEARLY;BYMONTH=4;BYDAY=-1SU;UNTIL=19860427T070000Z
TZOFFSETFROM:-0500
TZOFFSETTO:-0400
END:DAYLIGHT
BEGIN:DAYLIGHT
DTSTART:19870405T020000
RRULE:FREQ=YEARLY;BYMONTH=4;BYDAY=1SU;UNTIL=20060402T070000Z
TZOFFSETFROM:-0500
TZOFFSETTO:-0400
END:DAYLIGHT
BEGIN:DAYLIGHT
DTSTART:20070311T020000
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=2SU
TZOFFSETFROM:-0500
TZOFFSETTO:-0400
END:DAYLIGHT
BEGIN:STANDARD
DTSTART:20071104T020000
RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=1SU
TZOFFSETFROM:-0400
TZOFFSETTO:-0500
END:STANDARD`

const berlin = `BEGIN:DAYLIGHT
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
DTSTART:19810329T020000
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU
END:DAYLIGHT
BEGIN:STANDARD
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
DTSTART:19961027T030000
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
END:STANDARD`

const sydney = `BEGIN:STANDARD
TZOFFSETFROM:+1100
TZOFFSETTO:+1000
DTSTART:20080406T030000
RRULE:FREQ=YEARLY;BYMONTH=4;BYDAY=1SU
END:STANDARD
BEGIN:DAYLIGHT
TZOFFSETFROM:+1000
TZOFFSETTO:+1100
DTSTART:20081005T020000
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=1SU
END:DAYLIGHT`

const lordHowe = `BEGIN:STANDARD
TZOFFSETFROM:+1100
TZOFFSETTO:+1030
DTSTART:20080406T020000
RRULE:FREQ=YEARLY;BYMONTH=4;BYDAY=1SU
END:STANDARD
BEGIN:DAYLIGHT
TZOFFSETFROM:+1030
TZOFFSETTO:+1100
DTSTART:20081005T020000
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=1SU
END:DAYLIGHT`

// Moscow as clients write it: nothing recurs any more.
const moscow = `BEGIN:STANDARD
TZOFFSETFROM:+0400
TZOFFSETTO:+0300
DTSTART:20141026T020000
END:STANDARD
BEGIN:STANDARD
TZOFFSETFROM:+0300
TZOFFSETTO:+0400
DTSTART:20110327T020000
END:STANDARD`

// TestZoneObservances compares definitions with the IANA database, at and around
// every hour of four days about each change and every eight days in between.
func TestZoneObservances(t *testing.T) {
	for _, tt := range []struct{ name, text, from string }{
		{"America/New_York", newYork, "19670430T070000"},
		{"Europe/Berlin", berlin, "19961027T010000"},
		{"Australia/Sydney", sydney, "20080405T160000"},
		{"Australia/Lord_Howe", lordHowe, "20080405T150000"},
		{"Europe/Moscow", moscow, "20110326T230000"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			z, want := zoneFrom(t, tt.name, tt.text, nil), zoneOf(t, tt.name)
			from := int64(mustTime(t, tt.from).Civil)
			check := func(u int64) {
				if u < from {
					return
				}
				if g, w := z.Offset(u), want.Offset(u); g != w {
					t.Fatalf("%s: offset %d, want %d", Civil(u), g, w)
				}
				c := z.Civil(u)
				if g, w := z.Instant(c), want.Instant(c); g != w && w >= from {
					t.Fatalf("%s: instant %s, want %s", c, Civil(g), Civil(w))
				}
			}
			for u := from; u < int64(Date(2110, 1, 1)); u += 8 * Day {
				check(u)
			}
			for u := from; u < int64(Date(2060, 1, 1)); {
				end := want.find(u).end
				if end > int64(Date(2060, 1, 1)) {
					break
				}
				for d := int64(-2 * Day); d <= 2*Day; d += 1800 {
					check(end + d - 1)
					check(end + d)
				}
				u = end
			}
		})
	}
}

// Before the first onset of a definition, the database knows better; without it,
// the first TZOFFSETFROM holds.
func TestZoneBeforeFirstOnset(t *testing.T) {
	const text = `BEGIN:STANDARD
DTSTART:20071104T020000
TZOFFSETFROM:-0400
TZOFFSETTO:-0500
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:20070311T020000
TZOFFSETFROM:-0500
TZOFFSETTO:-0400
END:DAYLIGHT`
	for _, tt := range []struct {
		name  string
		zones *Zones
		want  int
	}{{"America/New_York", &Zones{}, -4}, {"America/New_York", nil, -5}, {"Mine", &Zones{}, -5}} {
		z := zoneFrom(t, tt.name, text, tt.zones)
		if got := z.Offset(int64(Date(2005, 7, 1))); got != tt.want*3600 {
			t.Errorf("%s: %d", tt.name, got)
		}
		if got := z.Offset(int64(Date(2007, 7, 1))); got != -4*3600 {
			t.Errorf("%s: in 2007 %d", tt.name, got)
		}
		if got := z.Offset(int64(Date(2030, 7, 1))); got != -5*3600 {
			t.Errorf("%s: after the last onset %d", tt.name, got)
		}
	}
}

// RFC 5545, 3.3.5: the examples of the fold and of the gap.
func TestZoneFoldAndGap(t *testing.T) {
	for _, z := range []*Zone{zoneOf(t, "America/New_York"), zoneFrom(t, "x", newYork, nil)} {
		for in, want := range map[string]string{
			"20071104T013000": "20071104T053000", // 1:30 EDT
			"20071104T020000": "20071104T070000",
			"20070311T023000": "20070311T073000", // 3:30 EDT
			"20070311T020000": "20070311T070000",
			"20070311T025959": "20070311T075959",
			"20070311T030000": "20070311T070000",
			"20070311T015959": "20070311T065959",
		} {
			if got := Civil(z.Instant(mustTime(t, in).Civil)).String(); got != want {
				t.Errorf("%s is %sZ, want %sZ", in, got, want)
			}
		}
		// 05:45Z is 1:45 EDT, 06:15Z 1:15 EST: all of 1:00 to 1:59 came before.
		for in, want := range map[string]string{"20071104T054500": "20071104T014500", "20071104T061500": "20071104T015959", "20071104T070000": "20071104T020000"} {
			if got := z.lastCivil(int64(mustTime(t, in).Civil)).String(); got != want {
				t.Errorf("last local time until %sZ is %s, want %s", in, got, want)
			}
		}
	}
}

// TestZoneInstant compares with a search through all offsets near a time.
func TestZoneInstant(t *testing.T) {
	for _, name := range []string{"America/New_York", "Europe/London", "Europe/Dublin", "Africa/Casablanca", "Africa/Monrovia", "Asia/Kathmandu",
		"Asia/Tehran", "Australia/Lord_Howe", "Pacific/Apia", "Pacific/Chatham", "America/St_Johns", "Antarctica/Troll", "America/Caracas", "Asia/Pyongyang"} {
		z := zoneOf(t, name)
		for u := int64(Date(1960, 1, 1)); u < int64(Date(2040, 1, 1)); {
			end := z.find(u).end
			if end > int64(Date(2040, 1, 1)) {
				break
			}
			before, after := z.find(end-1).offset, z.find(end).offset
			for d := int64(-30 * 3600); d <= 30*3600; d += 900 {
				c := Civil(end + d)
				best := int64(1 << 62)
				for _, o := range []int{before, after} {
					if v := int64(c) - int64(o); z.Offset(v) == o {
						best = min(best, v)
					}
				}
				if best == 1<<62 {
					best = int64(c) - int64(before)
				}
				if got := z.Instant(c); got != best {
					t.Fatalf("%s: %s is %s, want %s", name, c, Civil(got), Civil(best))
				}
			}
			u = end
		}
		for _, c := range []Civil{MinCivil, MaxCivil} {
			if d := int64(c) - z.Instant(c); d < -Day || d > Day {
				t.Errorf("%s: %s is off by %d", name, c, d)
			}
		}
	}
}

func TestZonesLookup(t *testing.T) {
	for tzid, want := range map[string]string{
		"Europe/Berlin": "Europe/Berlin",
		"/freeassociation.sourceforge.net/Tzfile/Europe/Berlin":  "Europe/Berlin",
		"/mozilla.org/20070129_1/America/Argentina/Buenos_Aires": "America/Argentina/Buenos_Aires",
		"/softwarestudio.org/Olson_20011030_5/America/New_York":  "America/New_York",
		"W. Europe Standard Time":                                "Europe/Berlin",
		"Eastern Standard Time":                                  "America/New_York",
		"\"Asia/Tokyo\"":                                         "Asia/Tokyo",
		"US/Eastern":                                             "America/New_York",
		"/citadel.org/20210210_1/Australia/Sydney":               "Australia/Sydney",
		"http://example.org/zones/Europe/Paris":                  "Europe/Paris",
		"tzone://Microsoft/Utc":                                  "Etc/UTC",
		// What leads elsewhere in the file system is only an identifier here.
		"right/Europe/Berlin":       "Europe/Berlin",
		"../zoneinfo/Europe/Berlin": "Europe/Berlin",
		"CET":                       "CET",
	} {
		z := (&Zones{}).Lookup(tzid)
		if z == nil {
			t.Errorf("%s is unknown", tzid)
			continue
		}
		w := zoneOf(t, want)
		for m := 1; m <= 12; m++ {
			if u := int64(Date(2024, m, 15)); z.Offset(u) != w.Offset(u) {
				t.Errorf("%s is not %s", tzid, want)
			}
		}
		if z.Name() != tzid {
			t.Errorf("name %q of %q", z.Name(), tzid)
		}
	}
	for tzid, want := range map[string]int{"UTC": 0, "GMT": 0, "Z": 0, "UTC+01:00": 3600, "GMT-0330": -12600, "UTC+5": 18000, "/x/UTC": 0} {
		if z := (*Zones)(nil).Lookup(tzid); z == nil || z.Offset(0) != want {
			t.Errorf("%s: %v", tzid, z)
		}
	}
	for _, tzid := range []string{"", "Local", "localtime", "right/Local", "../../etc/passwd", "/etc/localtime", "Europe//Berlin", "Europe/../Berlin", "Nowhere/City", "UTC+99", "UTC+", "UTC+1:2", "Customized Time Zone", "Europe/", "/", "///", strings.Repeat("Europe/", 1000),
		"Europe\\Berlin", "Etc/Unknown", "leapseconds", "zone.tab", "America"} {
		if z := (&Zones{}).Lookup(tzid); z != nil {
			t.Errorf("%s is %v", tzid, z)
		}
	}
	var zs Zones
	if a, b := zs.Lookup("Europe/Berlin"), zs.Lookup("Europe/Berlin"); a != b {
		t.Error("not remembered")
	}
	for i := range 3 * MaxZones {
		zs.Lookup("Nowhere/" + two(i) + two(i/100))
		if len(zs.byName) > MaxZones {
			t.Fatal("remembers without limit")
		}
	}
	if (*Zone)(nil).Name() != "UTC" || (*Zone)(nil).Instant(5) != 5 || (*Zone)(nil).Civil(5) != 5 {
		t.Error("nil is not UTC")
	}
	if z := FixedZone("x", 3600); z.Instant(0) != -3600 || z.Offset(1<<62) != 3600 || z.Offset(-1<<62) != 3600 {
		t.Error("fixed zone")
	}
}

// Every name Windows has leads to a zone of the database.
func TestWindowsZones(t *testing.T) {
	for _, name := range []string{"AUS Central Standard Time", "Romance Standard Time", "UTC-11", "Yukon Standard Time", "Russia Time Zone 11", "E. South America Standard Time"} {
		iana := windowsZone(name)
		if iana == "" {
			t.Errorf("%s is unknown", name)
			continue
		}
		if _, err := time.LoadLocation(iana); err != nil {
			t.Error(err)
		}
	}
}

func TestNewZoneErrors(t *testing.T) {
	o := observances(t, berlin)
	many := make([]Observance, MaxZoneOnsets+1)
	secondly := []Observance{{Rules: []*Rule{mustRule(t, "FREQ=SECONDLY")}}}
	rules := Observance{}
	for range MaxZoneRules + 1 {
		rules.Rules = append(rules.Rules, o[0].Rules[0])
	}
	for name, obs := range map[string][]Observance{"none": nil, "many": many, "secondly": secondly, "rules": {rules},
		"offset": {{From: Day}}, "offset to": {{To: -Day}}} {
		if _, err := NewZone("x", obs, nil); !errors.Is(err, ErrZone) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Definitions which are legal but absurd cost a bounded time.
func TestZoneBombs(t *testing.T) {
	began := time.Now()
	all := upTo(59)
	dense := mustRule(t, "FREQ=YEARLY;BYMONTH=1,2,3,4,5,6,7,8,9,10,11,12;BYDAY=MO,TU,WE,TH,FR,SA,SU;BYHOUR=1,2;BYMINUTE="+all+";BYSECOND="+all)
	never := mustRule(t, "FREQ=YEARLY;BYYEARDAY=366;BYWEEKNO=3")
	var obs []Observance
	for range 100 {
		obs = append(obs, Observance{Start: Date(1970, 1, 1), From: 3600, To: 7200, Rules: []*Rule{dense, never}})
	}
	dates := Observance{Start: Date(2024, 1, 1), To: 60}
	for i := range MaxZoneOnsets - 200 {
		dates.Dates = append(dates.Dates, Date(2024, 1, 1)+Civil(i))
	}
	obs = append(obs, dates)
	z, err := NewZone("x", obs, nil)
	if err != nil {
		t.Fatal(err)
	}
	r := mustRule(t, "FREQ=DAILY")
	var b Budget
	it := r.Instances(DateTime{Date(1970, 1, 1), Local}, z, MinCivil, &b)
	for c, ok := it.Next(); ok; c, ok = it.Next() {
		z.Instant(c)
	}
	if d := time.Since(began); d > 10*time.Second {
		t.Errorf("took %v", d)
	}
}

func BenchmarkZoneInstant(b *testing.B) {
	for name, z := range map[string]*Zone{"iana": zoneOf(b, "America/New_York"), "observances": zoneFrom(b, "x", newYork, nil)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			c := Date(2024, 1, 1)
			for i := 0; b.Loop(); i++ {
				z.Instant(c + Civil(i%700*Day))
			}
		})
	}
}

func BenchmarkInstances(b *testing.B) {
	for _, bb := range []struct{ name, rule string }{
		{"weekly", "FREQ=WEEKLY"}, {"weekly count", "FREQ=WEEKLY;COUNT=500"}, {"daily", "FREQ=DAILY"}, {"monthly", "FREQ=MONTHLY;BYDAY=1FR"},
		{"monthly count", "FREQ=MONTHLY;BYDAY=-1SU;COUNT=500"}, {"yearly", "FREQ=YEARLY"}, {"yearly count", "FREQ=YEARLY;BYDAY=20MO;COUNT=100"},
	} {
		b.Run(bb.name, func(b *testing.B) {
			r := mustRule(b, bb.rule)
			b.ReportAllocs()
			for b.Loop() {
				var budget Budget
				it := r.Instances(DateTime{Date(2020, 1, 1), Local}, nil, Date(2024, 1, 1), &budget)
				for c, ok := it.Next(); ok && c < Date(2024, 2, 1); c, ok = it.Next() {
				}
			}
		})
	}
	b.Run("parse", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			ParseRule("FREQ=WEEKLY;INTERVAL=2;UNTIL=19971224T000000Z;WKST=SU;BYDAY=MO,WE,FR")
		}
	})
}
