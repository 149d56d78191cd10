package caltime

import (
	"bufio"
	"bytes"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/teambition/rrule-go"
)

// randomRule makes a rule in which all parts have a chance, with an UNTIL so near
// that an oracle which walks to it comes back. It leaves out what the oracles
// understand otherwise than RFC 5545 says or than each other:
// BYWEEKNO without a part that selects days (they take the whole week instead of
// DTSTART's weekday), BYSETPOS with a first week that is not whole (they count from
// DTSTART, not from the week's start), weekdays with and without number in one BYDAY (they
// intersect them), the negative numbers of BYWEEKNO which may be week 1.
func randomRule(r *rand.Rand) (start DateTime, rule string) {
	chance := func(percent int) bool { return r.IntN(100) < percent }
	some := func(n int, f func() int) string {
		var out []string
		for range 1 + r.IntN(n) {
			if v := strconv.Itoa(f()); !slices.Contains(out, v) {
				out = append(out, v)
			}
		}
		return strings.Join(out, ",")
	}
	signed := func(n int) func() int {
		return func() int {
			v := 1 + r.IntN(n)
			if chance(30) {
				v = -v
			}
			return v
		}
	}
	upto := func(n int) func() int { return func() int { return r.IntN(n + 1) } }
	freq := Freq(r.IntN(7))
	start = DateTime{Date(1970+r.IntN(80), 1+r.IntN(12), 1+r.IntN(28)) + Civil(r.IntN(Day)), Local}
	if chance(30) {
		start.Civil = start.Civil.Midnight() + 9*3600
	}
	horizon := start.Civil + [...]Civil{2 * 3600, 2 * Day, 40 * Day, 700 * Day, 2000 * Day, 6000 * Day, 20000 * Day}[freq]
	names := [...]string{"SECONDLY", "MINUTELY", "HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY"}
	parts := []string{"FREQ=" + names[freq], "UNTIL=" + horizon.String()}
	add := func(name, value string) { parts = append(parts, name+"="+value) }
	if chance(60) {
		most := [...]int{200, 100, 30, 12, 5, 14, 5}[freq]
		add("INTERVAL", strconv.Itoa(1+r.IntN(most)))
	}
	if chance(40) {
		add("COUNT", strconv.Itoa(1+r.IntN(40)))
	}
	if chance(30) {
		add("BYMONTH", some(4, func() int { return 1 + r.IntN(12) }))
	}
	selects := false
	if freq != Weekly && chance(25) {
		add("BYMONTHDAY", some(5, signed(31)))
		selects = true
	}
	if (freq == Yearly || freq < Daily) && chance(15) {
		add("BYYEARDAY", some(8, signed(366)))
		selects = true
	}
	weekNo := freq == Yearly && chance(20)
	if weekNo {
		add("BYWEEKNO", some(4, signed(51)))
	}
	if chance(40) || weekNo && !selects {
		numbered := freq >= Monthly && !weekNo && chance(60)
		var out []string
		for range 1 + r.IntN(3) {
			n := ""
			switch {
			case !numbered:
			case freq == Yearly && !strings.Contains(strings.Join(parts, ";"), "BYMONTH="):
				n = strconv.Itoa(signed(53)())
			default:
				n = strconv.Itoa(signed(5)())
			}
			if v := n + [...]string{"MO", "TU", "WE", "TH", "FR", "SA", "SU"}[r.IntN(7)]; !slices.Contains(out, v) {
				out = append(out, v)
			}
		}
		add("BYDAY", strings.Join(out, ","))
	}
	if chance(25) {
		add("BYHOUR", some(4, upto(23)))
	}
	if chance(25) {
		add("BYMINUTE", some(4, upto(59)))
	}
	if chance(25) {
		add("BYSECOND", some(4, upto(59)))
	}
	setPos := chance(30) && len(parts) > 3
	if setPos {
		add("BYSETPOS", some(3, signed(6)))
	}
	if setPos && freq == Weekly {
		start.Civil -= Civil(start.Civil.Weekday()) * Day
	} else if chance(40) {
		add("WKST", [...]string{"MO", "TU", "WE", "TH", "FR", "SA", "SU"}[r.IntN(7)])
	}
	return start, strings.Join(parts, ";")
}

// oracleLength is how many instances are compared.
const oracleLength = 50

// expected turns what an oracle gives, which holds only what fits the rule, into
// the recurrence set with DTSTART as first instance.
func expected(start DateTime, rule string, oracle []string) []string {
	if len(oracle) > 0 && oracle[0] == start.String() {
		return oracle
	}
	all := append([]string{start.String()}, oracle...)
	if _, c, ok := strings.Cut(rule, "COUNT="); ok {
		c, _, _ = strings.Cut(c, ";")
		all = all[:min(len(all), atoi(c))]
	}
	return all[:min(len(all), oracleLength)]
}

func compareWithOracle(t *testing.T, start DateTime, rule string, oracle []string) {
	t.Helper()
	want := expected(start, rule, oracle)
	got, err := list(t, rule, start.String(), nil, MinCivil, oracleLength)
	if err != nil || strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("DTSTART:%s\nRRULE:%s\n got %v (%v)\nwant %v", start, rule, got, err, want)
		return
	}
	// From the middle on it is the same.
	from := mustTime(t, got[len(got)/2]).Civil
	rest, err := list(t, rule, start.String(), nil, from, len(got)-len(got)/2)
	if err != nil || strings.Join(rest, " ") != strings.Join(got[len(got)/2:], " ") {
		t.Errorf("DTSTART:%s\nRRULE:%s from %s\n got %v (%v)\nwant %v", start, rule, from, rest, err, got[len(got)/2:])
	}
	if len(got) < oracleLength {
		var b Budget
		last, finite, err := mustRule(t, rule).Last(start, nil, &b)
		if !finite || err != nil || last < mustTime(t, got[len(got)-1]).Civil {
			t.Errorf("DTSTART:%s\nRRULE:%s last %s %v %v, want %v", start, rule, last, finite, err, got[len(got)-1])
		}
	}
}

// soonAfterUntil says whether the rule without its UNTIL has an instance not long
// after it. Otherwise an oracle, which looks at UNTIL only when it has found an
// instance, walks on to the year 9999.
func soonAfterUntil(t *testing.T, start DateTime, rule string) bool {
	r := *mustRule(t, rule)
	until := r.until.Civil
	r.hasUntil, r.count = false, 0
	var b Budget
	it := r.Instances(start, nil, until+1, &b)
	c, ok := it.Next()
	return ok && c < until+4*(until-start.Civil)
}

// TestAgainstRRuleGo compares thousands of random rules with rrule-go.
func TestAgainstRRuleGo(t *testing.T) {
	r := rand.New(rand.NewPCG(5545, 1))
	compared := 0
	for range 3500 {
		start, rule := randomRule(r)
		option, err := rrule.StrToROption(rule)
		if err != nil {
			t.Fatal(rule, err)
		}
		if !soonAfterUntil(t, start, rule) {
			continue
		}
		option.Dtstart = time.Unix(int64(start.Civil), 0).UTC()
		oracle, err := rrule.NewRRule(*option)
		if err != nil {
			continue // it refuses what can never match
		}
		next := oracle.Iterator()
		var dates []string
		for len(dates) < oracleLength {
			v, ok := next()
			if !ok {
				break
			}
			dates = append(dates, v.Format("20060102T150405"))
		}
		compareWithOracle(t, start, rule, dates)
		compared++
	}
	t.Logf("%d rules compared", compared)
	if compared < 2000 {
		t.Errorf("only %d rules compared", compared)
	}
}

const dateutil = `
import sys, itertools, warnings, signal
class Late(Exception): pass
def late(*_): raise Late
signal.signal(signal.SIGALRM, late)
warnings.simplefilter("ignore")
from datetime import datetime
from dateutil.rrule import rrulestr
for line in sys.stdin:
    start, rule = line.split()
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        rr = rrulestr(rule, dtstart=datetime.strptime(start, "%Y%m%dT%H%M%S"))
        dates = [d.strftime("%Y%m%dT%H%M%S") for d in itertools.islice(rr, 50)]
        signal.setitimer(signal.ITIMER_REAL, 0)
        print("ok", *dates)
    except Late:
        print("late")
    except ValueError:
        print("refused")
`

// TestAgainstDateutil compares thousands of random rules with python-dateutil.
func TestAgainstDateutil(t *testing.T) {
	if err := exec.Command("python3", "-c", "import dateutil.rrule").Run(); err != nil {
		t.Skip("SKIPPED: python3 with dateutil (Debian: python3-dateutil) is not installed: recurrence rules are NOT compared with it")
	}
	n := 1200
	if testing.Short() {
		n = 400
	}
	r := rand.New(rand.NewPCG(5545, 2))
	var in bytes.Buffer
	starts, rules := make([]DateTime, n), make([]string, n)
	for i := range n {
		starts[i], rules[i] = randomRule(r)
		// Walking through seconds to the year 9999 takes it too long.
		for mustRule(t, rules[i]).freq < Daily && !soonAfterUntil(t, starts[i], rules[i]) {
			starts[i], rules[i] = randomRule(r)
		}
		fmt.Fprintln(&in, starts[i], rules[i])
	}
	cmd := exec.Command("python3", "-c", dateutil)
	cmd.Stdin = &in
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	sc := bufio.NewScanner(bytes.NewReader(out))
	sc.Buffer(nil, 1<<20)
	i, refused, late := 0, 0, 0
	for ; sc.Scan(); i++ {
		f := strings.Fields(sc.Text())
		switch f[0] {
		case "late":
			late++
			continue
		case "refused":
			refused++ // what can never match: DTSTART alone
		}
		compareWithOracle(t, starts[i], rules[i], f[1:])
	}
	t.Logf("%d rules compared, %d of them refused, %d left out", i-late, refused, late)
	if i != n || late > n/3 {
		t.Errorf("%d answers to %d rules", i, n)
	}
}
