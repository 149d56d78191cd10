package caltime_test

import (
	"strings"
	"testing"

	"inetdav/store/object/caltime"
)

// TestAppendTimezone: RFC 7809, 3.1.5. What is written is read as the same zone, by
// itself and by this package's reader of observances.
func TestAppendTimezone(t *testing.T) {
	for _, id := range []string{
		"Europe/Berlin", "Europe/London", "Europe/Dublin", "America/New_York", "America/Godthab", "America/Sao_Paulo",
		"America/Santiago", "Africa/Casablanca", "Africa/Cairo", "Asia/Gaza", "Asia/Jerusalem", "Asia/Tehran", "Asia/Tokyo",
		"Asia/Kathmandu", "Asia/Pyongyang", "Australia/Lord_Howe", "Pacific/Apia", "Pacific/Chatham", "Pacific/Norfolk",
		"Pacific/Kiritimati", "Antarctica/Troll", "Etc/GMT+5", "UTC", "W. Europe Standard Time", "UTC+05:30", "US/Eastern",
		"/freeassociation.sourceforge.net/Europe/Rome",
	} {
		b, ok := caltime.AppendTimezone(nil, id)
		if !ok {
			t.Errorf("%s: unknown", id)
			continue
		}
		if len(b) > 10_000 {
			t.Errorf("%s: %d bytes", id, len(b))
		}
		z, err := caltime.NewZone("x", observancesOf(t, string(b)), nil)
		if err != nil {
			t.Errorf("%s: %v", id, err)
			continue
		}
		want := (*caltime.Zones)(nil).Lookup(id)
		start, end := int64(caltime.Date(1970, 1, 2)), int64(caltime.Date(2150, 1, 1))
		if id == "Africa/Cairo" {
			// The last Thursday at 24:00 is in October or in November.
			end = int64(caltime.Date(2130, 1, 1))
		}
		for at := start; at < end; at += 6*3600 + 1799 {
			if got, want := z.Offset(at), want.Offset(at); got != want {
				t.Errorf("%s at %v: %d, want %d\n%s", id, caltime.Civil(at), got, want, b)
				break
			}
		}
	}
	for _, id := range []string{"Mars/Phobos", "a\r\nBEGIN:x/Europe/Berlin", "a;b/Europe/Berlin", strings.Repeat("a", 70) + "/Europe/Berlin", ""} {
		if b, ok := caltime.AppendTimezone([]byte("x"), id); ok || string(b) != "x" {
			t.Errorf("%q: %q, %v", id, b, ok)
		}
	}
}

func observancesOf(t *testing.T, s string) (all []caltime.Observance) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%v in\n%s", err, s)
		}
	}
	for line := range strings.SplitSeq(s, "\r\n") {
		if len(line) > 75 {
			t.Errorf("%q is too long", line)
		}
		name, value, _ := strings.Cut(line, ":")
		if line == "BEGIN:STANDARD" || line == "BEGIN:DAYLIGHT" {
			all = append(all, caltime.Observance{})
		}
		if len(all) == 0 {
			continue
		}
		o := &all[len(all)-1]
		var err error
		switch name {
		case "DTSTART", "RDATE":
			d, err := caltime.ParseDateTime(value)
			must(err)
			if name == "DTSTART" {
				o.Start = d.Civil
			} else {
				o.Dates = append(o.Dates, d.Civil)
			}
		case "RRULE":
			r, err := caltime.ParseRule(value)
			must(err)
			o.Rules = append(o.Rules, r)
		case "TZOFFSETFROM":
			o.From, err = caltime.ParseOffset(value)
		case "TZOFFSETTO":
			o.To, err = caltime.ParseOffset(value)
		}
		must(err)
	}
	return all
}

func TestIsStandard(t *testing.T) {
	for id, want := range map[string]bool{
		"Europe/Berlin": true, "UTC": true, "US/Eastern": true, "": false, "Local": false, "../etc": false,
		"W. Europe Standard Time": false, "/x/Europe/Berlin": false, "Nowhere": false, strings.Repeat("A", 200): false,
	} {
		if got := caltime.IsStandard(id); got != want {
			t.Errorf("%q: %v", id, got)
		}
	}
}
