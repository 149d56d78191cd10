package main

import (
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// vdirsyncer keeps folders of files (vdirs) the same as collections; khal,
// todoman and khard work on the vdirs.

// vdirDesk is a desk with the vdirs ~/cal and ~/con, which vdirsyncer keeps the
// same as demo's calendars and address books below url.
func vdirDesk(t *testing.T, url string) *desk {
	t.Helper()
	need(t, "vdirsyncer", "/usr/bin/vdirsyncer")
	d := newDesk(t)
	pair := func(name, kind, ext, metadata string) string {
		return fmt.Sprintf(`
[pair %[1]s]
a = "%[1]s_here"
b = "%[1]s_there"
collections = ["from a", "from b"]
metadata = [%[4]s]
conflict_resolution = "b wins"

[storage %[1]s_here]
type = "filesystem"
path = "~/%[1]s/"
fileext = "%[3]s"

[storage %[1]s_there]
type = "%[2]s"
url = "%[5]s"
username = "demo"
password = "demo"
`, name, kind, ext, metadata, url)
	}
	d.write(".config/vdirsyncer/config", `
[general]
status_path = "~/status/"
`+pair("cal", "caldav", ".ics", `"displayname", "color"`)+pair("con", "carddav", ".vcf", `"displayname"`))
	for _, dir := range []string{"cal", "con"} {
		if err := os.Mkdir(d.path(dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

// vdirDiscover finds the collections of both sides and makes what is missing.
func (d *desk) vdirDiscover() {
	d.t.Helper()
	d.run(strings.Repeat("y\n", 20), "vdirsyncer", "discover")
}

// transfer is a line of vdirsyncer that tells of an object (or a property)
// moved, changed or deleted on some side.
var transfer = regexp.MustCompile(`(?m)^(Copying|Deleting|Doing conflict).*$`)

// vdirSync synchronises and gives the transfers, sorted.
func (d *desk) vdirSync() []string {
	d.t.Helper()
	return transfers(d.run("", "vdirsyncer", "sync"))
}

func transfers(out string) []string {
	found := transfer.FindAllString(out, -1)
	slices.Sort(found)
	return found
}

// wantTransfers compares what vdirsyncer did.
func wantTransfers(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n %s\nwant\n %s", what, strings.Join(got, "\n "), strings.Join(want, "\n "))
	}
}

func TestVdirsyncer(t *testing.T) {
	t.Parallel()
	need(t, "vdirsyncer", "/usr/bin/vdirsyncer")
	s := clientServer(t)
	s.mkcalendar("/demo/work/", "Work &amp; Travel")
	s.mkaddressbook("/demo/people/", "People")
	anna, bert := vdirDesk(t, s.URL), vdirDesk(t, s.URL)

	// Discovery: what the server has comes down, what anna has is made there.
	anna.write("cal/home/weekly.ics", weekly("weekly", "Team"))
	anna.write("cal/home/task.ics", vtodo("task", "Buy milk", "DUE:20261205T100000Z\n"))
	anna.vdirDiscover()
	kinds := s.must([]int{207}, "PROPFIND", "/demo/home/", `<propfind xmlns="DAV:"><prop><resourcetype/></prop></propfind>`, "Depth: 0").Body
	if !strings.Contains(kinds, "calendar/>") {
		t.Errorf("what vdirsyncer made is no calendar:\n%s", kinds)
	}
	anna.run("", "vdirsyncer", "metasync")
	if got := anna.read("cal/work/displayname"); got != "Work & Travel" {
		t.Errorf("metasync brought the name %q", got)
	}
	if got := anna.read("cal/work/color"); got != "#11aa33ff" {
		t.Errorf("metasync brought the colour %q", got)
	}
	if got := anna.read("con/people/displayname"); got != "People" {
		t.Errorf("metasync brought the name %q", got)
	}

	// Up, and down at bert's.
	anna.write("con/people/ada.vcf", vcardOf("ada", "Ada Löwe", "EMAIL;TYPE=work:ada@example.org\nNOTE:a\\, b\\; c\n"))
	wantTransfers(t, "anna's first", anna.vdirSync(),
		"Copying (uploading) item weekly to cal_there/home",
		"Copying (uploading) item task to cal_there/home",
		"Copying (uploading) item ada to con_there/people")
	wantTransfers(t, "anna's second", anna.vdirSync())
	bert.vdirDiscover()
	wantTransfers(t, "bert's first", bert.vdirSync(),
		"Copying (uploading) item weekly to cal_here/home",
		"Copying (uploading) item task to cal_here/home",
		"Copying (uploading) item ada to con_here/people")
	converged := func(when string) {
		t.Helper()
		for _, c := range []string{"cal/home", "cal/work", "con/people"} {
			here := vdirObjects(bert.files(c))
			same(t, when+": anna's "+c, vdirObjects(anna.files(c)), here)
			stored := map[string]string{}
			for _, text := range s.stored("demo/" + filepath.Base(c)) {
				stored[uidOf(text)] = text
			}
			same(t, when+": stored in "+c, stored, here)
		}
	}
	converged("after the first")

	// Changes on each side.
	edit(t, vdirFile(bert, "cal/home", "weekly"), "SUMMARY:Team\n", "SUMMARY:Team of four\n")
	remove(t, vdirFile(bert, "cal/home", "task"))
	bert.write("con/people/grace.vcf", vcardOf("grace", "Grace", "TEL:+1 555\n"))
	edit(t, vdirFile(anna, "con/people", "ada"), "EMAIL;TYPE=work", "EMAIL;TYPE=home")
	anna.write("cal/work/flight.ics", vevent("flight", "Flight", "20261224T060000Z", ""))
	wantTransfers(t, "bert's changes", bert.vdirSync(),
		"Copying (updating) item weekly to cal_there/home",
		"Deleting item task from cal_there/home",
		"Copying (uploading) item grace to con_there/people")
	wantTransfers(t, "both changes, at anna's", anna.vdirSync(),
		"Copying (updating) item weekly to cal_here/home",
		"Deleting item task from cal_here/home",
		"Copying (uploading) item grace to con_here/people",
		"Copying (updating) item ada to con_there/people",
		"Copying (uploading) item flight to cal_there/work")
	wantTransfers(t, "anna's changes, at bert's", bert.vdirSync(),
		"Copying (updating) item ada to con_here/people",
		"Copying (uploading) item flight to cal_here/work")
	converged("after changes")

	// The same object changed at both: the server's wins.
	edit(t, vdirFile(anna, "cal/work", "flight"), "SUMMARY:Flight", "SUMMARY:Flight by night")
	edit(t, vdirFile(bert, "cal/work", "flight"), "SUMMARY:Flight", "SUMMARY:Train")
	anna.vdirSync()
	bert.vdirSync()
	converged("after a conflict")
	if text := vdirObjects(bert.files("cal/work"))["flight"]; !strings.Contains(text, "by night") {
		t.Errorf("the server did not win:\n%s", text)
	}

	// Changes that another client made on the server.
	s.must([]int{201}, "PUT", "/demo/work/by%20hand%20%C3%BC.ics", crlf(vevent("by hand", "By hand", "20261201T090000Z", "")), "Content-Type: text/calendar")
	s.must([]int{200, 204}, "DELETE", "/demo/people/"+nameOf(t, s, "demo/people", "grace"), "")
	wantTransfers(t, "another's changes", anna.vdirSync(),
		"Copying (uploading) item by hand to cal_here/work",
		"Deleting item grace from con_here/people")
	bert.vdirSync()
	converged("after another's changes")

	// Properties, upwards.
	anna.write("cal/work/color", "#ff0000")
	anna.write("cal/work/displayname", "Work – nur Büro")
	anna.run("", "vdirsyncer", "metasync")
	var m multistatus
	a := s.must([]int{207}, "PROPFIND", "/demo/work/", `<propfind xmlns="DAV:"><prop><displayname/><calendar-color xmlns="http://apple.com/ns/ical/"/></prop></propfind>`, "Depth: 0")
	if err := xml.Unmarshal([]byte(a.Body), &m); err != nil {
		t.Fatal(err)
	}
	if p := m.Responses[0].Stats[0].Prop; p.Name != "Work – nur Büro" || !strings.HasPrefix(p.Tint, "#ff0000") {
		t.Errorf("metasync left the name %q and the colour %q", p.Name, p.Tint)
	}
	bert.run("", "vdirsyncer", "metasync")
	if got := bert.read("cal/work/displayname"); got != "Work – nur Büro" {
		t.Errorf("metasync brought the name %q", got)
	}

	wantTransfers(t, "anna's last", anna.vdirSync())
	wantTransfers(t, "bert's last", bert.vdirSync())
	s.noServerError()
}

// Many objects, which vdirsyncer sends and fetches over many connections at
// once: as many processes, which take turns at the folder.
func TestVdirsyncerMany(t *testing.T) {
	t.Parallel()
	need(t, "vdirsyncer", "/usr/bin/vdirsyncer")
	s := clientServerOn(t, inetd)
	anna, bert := vdirDesk(t, s.URL), vdirDesk(t, s.URL)
	for i := range 80 {
		anna.write(fmt.Sprintf("cal/many/%d.ics", i), weekly(fmt.Sprintf("event %d", i), "Team"))
		anna.write(fmt.Sprintf("con/many/%d.vcf", i), vcardOf(fmt.Sprintf("card-%d", i), "Somebody", ""))
	}
	// Two collections below one home cannot have one name.
	if err := os.Rename(anna.path("con/many"), anna.path("con/people")); err != nil {
		t.Fatal(err)
	}
	anna.vdirDiscover()
	if n := len(anna.vdirSync()); n != 160 {
		t.Errorf("%d transfers", n)
	}
	bert.vdirDiscover()
	if n := len(bert.vdirSync()); n != 160 {
		t.Errorf("%d transfers", n)
	}
	for _, c := range []string{"cal/many", "con/people"} {
		same(t, c, vdirObjects(bert.files(c)), vdirObjects(anna.files(c)))
		if n := len(s.stored("demo/" + filepath.Base(c))); n != 80 {
			t.Errorf("%d objects are stored in %s", n, c)
		}
	}
	wantTransfers(t, "nothing changed", anna.vdirSync())
	s.noServerError()
}

// vdirObjects gives a vdir's objects by UID, without the files for properties.
func vdirObjects(files map[string]string) map[string]string {
	objects := map[string]string{}
	for name, text := range files {
		if strings.Contains(name, ".") {
			objects[uidOf(text)] = text
		}
	}
	return objects
}

var uidLine = regexp.MustCompile(`(?m)^UID:(.*?)\r?$`)

func uidOf(text string) string {
	m := uidLine.FindStringSubmatch(text)
	if m == nil {
		return ""
	}
	return m[1]
}

// vdirFile gives the path of the file with this UID.
func vdirFile(d *desk, vdir, uid string) string {
	d.t.Helper()
	for name, text := range d.files(vdir) {
		if strings.Contains(name, ".") && uidOf(text) == uid {
			return d.path(vdir + "/" + name)
		}
	}
	d.t.Fatalf("nothing with UID %s in %s", uid, vdir)
	return ""
}

// nameOf gives the name of the stored object with this UID.
func nameOf(t *testing.T, s *server, collection, uid string) string {
	t.Helper()
	for name, text := range s.stored(collection) {
		if uidOf(text) == uid {
			return name
		}
	}
	t.Fatalf("nothing with UID %s in %s", uid, collection)
	return ""
}

func edit(t *testing.T, path, old, new string) {
	t.Helper()
	text := readFile(t, path)
	if !strings.Contains(text, old) {
		t.Fatalf("%s: no %q in\n%s", path, old, text)
	}
	// beside and renamed, as editors do: a change within the clock's
	// granularity would escape vdirsyncer, which looks at mtime and inode
	writeFile(t, path+".tmp", strings.Replace(text, old, new, 1))
	if err := os.Rename(path+".tmp", path); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

// khal, todoman and khard at one desk, read at another.
func TestVdirPrograms(t *testing.T) {
	t.Parallel()
	need(t, "vdirsyncer", "/usr/bin/vdirsyncer")
	s := clientServer(t)
	s.mkcalendar("/demo/home/", "Home")
	s.mkaddressbook("/demo/people/", "People")
	anna, bert := vdirDesk(t, s.URL), vdirDesk(t, s.URL)
	for _, d := range []*desk{anna, bert} {
		d.write(".config/khal/config", `[calendars]
[[home]]
path = ~/cal/home
[locale]
timeformat = %H:%M
dateformat = %Y-%m-%d
longdateformat = %Y-%m-%d
datetimeformat = %Y-%m-%d %H:%M
longdatetimeformat = %Y-%m-%d %H:%M
default_timezone = Europe/Berlin
local_timezone = Europe/Berlin
[default]
default_calendar = home
`)
		d.write(".config/todoman/config.py", `path = "~/cal/*"
date_format = "%Y-%m-%d"
time_format = "%H:%M"
default_list = "home"
`)
		d.write(".config/khard/khard.conf", `[addressbooks]
[[people]]
path = ~/con/people/
[general]
default_action = list
editor = /bin/false
merge_editor = /bin/false
`)
		d.vdirDiscover()
		// todoman names its lists after the folder unless there is a name.
		d.run("", "vdirsyncer", "metasync")
	}
	exchange := func() {
		anna.t.Helper()
		anna.vdirSync()
		bert.vdirSync()
	}
	says := func(d *desk, text string, yes bool, argv ...string) {
		d.t.Helper()
		if out := d.run("", argv...); strings.Contains(out, text) != yes {
			d.t.Errorf("%s: has %q: %v, want %v:\n%s", strings.Join(argv, " "), text, !yes, yes, out)
		}
	}

	t.Run("khal", func(t *testing.T) {
		anna.t, bert.t = t, t
		need(t, "khal", "/usr/bin/khal")
		anna.run("", "khal", "new", "-a", "home", "2026-12-01", "10:00", "11:00", "Dentist", "::", "bring the card")
		anna.run("", "khal", "new", "-a", "home", "-r", "weekly", "-u", "2026-12-31", "2026-12-02", "18:00", "19:00", "Choir")
		anna.run("", "khal", "new", "-a", "home", "2026-12-24", "2026-12-26", "Christmas")
		exchange()
		want := anna.run("", "khal", "list", "2026-12-01", "40d")
		for _, line := range []string{"10:00-11:00 Dentist", "Christmas", "18:00-19:00 Choir"} {
			if !strings.Contains(want, line) {
				t.Errorf("khal list has no %q:\n%s", line, want)
			}
		}
		if got := bert.run("", "khal", "list", "2026-12-01", "40d"); got != want {
			t.Errorf("khal lists at bert's\n%s\nand at anna's\n%s", got, want)
		}
		for uid, text := range vdirObjects(bert.files("cal/home")) {
			if strings.Contains(text, "SUMMARY:Dentist") {
				edit(t, vdirFile(bert, "cal/home", uid), "SUMMARY:Dentist", "SUMMARY:Dentist again")
			} else if strings.Contains(text, "SUMMARY:Christmas") {
				remove(t, vdirFile(bert, "cal/home", uid))
			}
		}
		bert.vdirSync()
		anna.vdirSync()
		says(anna, "Dentist again", true, "khal", "list", "2026-12-01", "40d")
		says(anna, "Christmas", false, "khal", "list", "2026-12-01", "40d")
	})

	t.Run("todoman", func(t *testing.T) {
		anna.t, bert.t = t, t
		need(t, "todoman", "/usr/bin/todoman")
		lists := anna.run("", "todoman", "list")
		if strings.TrimSpace(lists) != "" {
			t.Fatalf("todoman begins with\n%s", lists)
		}
		list := strings.TrimSpace(anna.read("cal/home/displayname"))
		anna.run("", "todoman", "new", "-l", list, "-d", "2026-12-05", "Buy milk")
		exchange()
		says(bert, "Buy milk", true, "todoman", "list")
		bert.run("", "todoman", "done", "1")
		bert.vdirSync()
		anna.vdirSync()
		says(anna, "Buy milk", false, "todoman", "list")
		says(anna, "[X]", true, "todoman", "list", "--status", "ANY")
		// The server, too, knows that it is done.
		a := s.must([]int{207}, "REPORT", "/demo/home/", `<C:calendar-query xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><prop><getetag/></prop>
<C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VTODO"><C:prop-filter name="STATUS"><C:text-match>COMPLETED</C:text-match></C:prop-filter></C:comp-filter></C:comp-filter></C:filter></C:calendar-query>`, "Depth: 1")
		if strings.Count(a.Body, "<response>") != 1 {
			t.Errorf("a query for what is completed gives\n%s", a.Body)
		}
	})

	t.Run("khard", func(t *testing.T) {
		anna.t, bert.t = t, t
		need(t, "khard", "/usr/bin/khard")
		anna.run("First name: Ada\nLast name: Löwe\nEmail:\n  work: ada@example.org\nPhone:\n  cell: +49 30 1234\n",
			"khard", "new", "-a", "people", "-i", "/dev/stdin")
		// vdirsyncer does not believe in a folder that was emptied.
		anna.write("con/people/grace.vcf", vcardOf("grace", "Grace", ""))
		exchange()
		says(bert, "ada@example.org", true, "khard", "email", "ada")
		says(bert, "+49 30 1234", true, "khard", "phone", "Löwe")
		bert.run("", "khard", "remove", "--force", "ada")
		bert.vdirSync()
		anna.vdirSync()
		if left := vdirObjects(anna.files("con/people")); len(left) != 1 || left["grace"] == "" {
			t.Errorf("removed at bert's, left at anna's: %v", left)
		}
	})
	s.noServerError()
}
