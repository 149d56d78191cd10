package caltime

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestSkip compares random rules with SKIP (RFC 7529, 4.1) with a list that package time
// makes of their days, one after the other.
func TestSkip(t *testing.T) {
	r := rand.New(rand.NewPCG(7529, 41))
	moved := 0
	for range 3000 {
		start := time.Date(2019+r.IntN(3), time.Month(1+r.IntN(12)), 1+r.IntN(28), 9, 0, 0, 0, time.UTC)
		if r.IntN(4) == 0 {
			start = time.Date(2020, 2, 29, 9, 0, 0, 0, time.UTC)
		}
		forward, yearly := r.IntN(2) == 0, r.IntN(2) == 0
		interval, count := 1+r.IntN(3), 1+r.IntN(15)
		rule := "RSCALE=GREGORIAN;SKIP=BACKWARD"
		if forward {
			rule = "RSCALE=GREGORIAN;SKIP=FORWARD"
		}
		if yearly {
			rule += ";FREQ=YEARLY"
		} else {
			rule += ";FREQ=MONTHLY"
		}
		rule += fmt.Sprintf(";INTERVAL=%d;COUNT=%d", interval, count)
		days, months := []int{start.Day()}, []time.Month(nil)
		if yearly {
			months = []time.Month{start.Month()}
		}
		if r.IntN(4) > 0 {
			days, months = nil, nil
			var text []string
			for range 1 + r.IntN(3) {
				d := []int{1, 15, 28, 29, 30, 31, -1, -2, -28, -29, -30, -31}[r.IntN(12)]
				days = append(days, d)
				text = append(text, strconv.Itoa(d))
			}
			rule += ";BYMONTHDAY=" + strings.Join(text, ",")
			if r.IntN(2) == 0 {
				months = []time.Month{2, time.Month(1 + r.IntN(12))}
				rule += fmt.Sprintf(";BYMONTH=2,%d", months[1])
			}
		}
		weekday := time.Weekday(-1)
		if r.IntN(4) == 0 && strings.Contains(rule, "BYMONTHDAY") {
			weekday = time.Weekday(r.IntN(7))
			rule += ";BYDAY=" + []string{"SU", "MO", "TU", "WE", "TH", "FR", "SA"}[weekday]
		}
		set := map[time.Time]bool{start: true}
		for k := 0; k < 12*90; k++ {
			month := time.Date(start.Year(), start.Month()+time.Month(k), 1, 9, 0, 0, 0, time.UTC)
			n := k
			if yearly {
				month = time.Date(start.Year(), 1+time.Month(k), 1, 9, 0, 0, 0, time.UTC)
				n = month.Year() - start.Year()
			}
			if n%interval != 0 || months != nil && !slices.Contains(months, month.Month()) {
				continue
			}
			next := month.AddDate(0, 1, 0)
			for _, d := range days {
				day := month.AddDate(0, 0, d-1)
				if d < 0 {
					day = next.AddDate(0, 0, d)
				}
				if day.Month() != month.Month() {
					moved++
					switch {
					case d > 0 && forward:
						day = next
					case d > 0:
						day = next.AddDate(0, 0, -1)
					case forward:
						day = month
					default:
						day = month.AddDate(0, 0, -1)
					}
				}
				if day.After(start) && (weekday < 0 || day.Weekday() == weekday) {
					set[day] = true
				}
			}
		}
		var want []string
		for day := range set {
			want = append(want, day.Format("20060102T150405"))
		}
		slices.Sort(want)
		whole := len(want) >= count
		want = want[:min(len(want), count)]
		first := DateTime{mustTime(t, start.Format("20060102T150405")).Civil, Local}
		got, err := list(t, rule, first.String(), nil, MinCivil, len(want))
		if err != nil || strings.Join(got, " ") != strings.Join(want, " ") {
			t.Fatalf("DTSTART:%s\nRRULE:%s\n got %v (%v)\nwant %v", first, rule, got, err, want)
		}
		half := want[len(want)/2:]
		// With COUNT from DTSTART, without it from the range.
		for _, rule := range []string{rule, strings.Replace(rule, fmt.Sprintf(";COUNT=%d", count), "", 1)} {
			if got, err = list(t, rule, first.String(), nil, mustTime(t, half[0]).Civil, len(half)); err != nil || strings.Join(got, " ") != strings.Join(half, " ") {
				t.Fatalf("DTSTART:%s\nRRULE:%s from the middle\n got %v (%v)\nwant %v", first, rule, got, err, half)
			}
		}
		if !whole {
			continue
		}
		end := want[len(want)-1]
		until := strings.Replace(rule, fmt.Sprintf("COUNT=%d", count), "UNTIL="+end, 1)
		if got, err = list(t, until, first.String(), nil, MinCivil, len(want)+1); err != nil || strings.Join(got, " ") != strings.Join(want, " ") {
			t.Fatalf("DTSTART:%s\nRRULE:%s\n got %v (%v)\nwant %v", first, until, got, err, want)
		}
		for _, rule := range []string{rule, until} {
			var b Budget
			last, finite, err := mustRule(t, rule).Last(first, nil, &b)
			if err != nil || !finite || last.String() != end {
				t.Fatalf("DTSTART:%s\nRRULE:%s last %s %v %v, not %s", first, rule, last, finite, err, end)
			}
		}
	}
	if moved < 1000 {
		t.Errorf("only %d days moved", moved)
	}
}
