package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Clients of calendars that are programs of their own: calcurse, SyncEvolution,
// Python's caldav.

func TestCalcurse(t *testing.T) {
	t.Parallel()
	need(t, "calcurse", "/usr/bin/calcurse-caldav")
	need(t, "python3-httplib2", "/usr/lib/python3/dist-packages/httplib2/__init__.py")
	s := clientServer(t)
	s.mkcalendar("/demo/cal/", "Calendar")
	s.must([]int{201}, "PUT", "/demo/cal/lunch%20%C3%BC.ics", crlf(vevent("lunch", "Lunch", "20261201T110000Z", "")))
	// calcurse knows no overridden instances, and endings by a date only.
	s.must([]int{201}, "PUT", "/demo/cal/weekly.ics", crlf(vevent("weekly", "Team", "20261012T080000Z", "RRULE:FREQ=WEEKLY;UNTIL=20261231T000000Z\nEXDATE:20261026T080000Z\n")))
	s.must([]int{201}, "PUT", "/demo/cal/milk.ics", crlf(vtodo("milk", "Milk", "PRIORITY:3\n")))
	seat := func() *desk {
		d := newDesk(t)
		d.write(".calcurse/caldav/config", "[General]\nHostname = "+s.Address.String()+"\nPath = /demo/cal/\nHTTPS = No\nAuthMethod = basic\nDryRun = No\nVerbose = Yes\n[Auth]\nUsername = demo\nPassword = demo\n")
		d.write(".calcurse/apts", "")
		d.write(".calcurse/todo", "")
		return d
	}
	anna, bert := seat(), seat()
	sync := func(d *desk, args ...string) string {
		t.Helper()
		return d.run("", append([]string{"calcurse-caldav"}, args...)...)
	}
	has := func(d *desk, file, text string, yes bool) {
		t.Helper()
		if got := d.read(".calcurse/" + file); strings.Contains(got, text) != yes {
			t.Errorf("%s has %q: %v, want %v:\n%s", file, text, !yes, yes, got)
		}
	}
	summaries := func(text string) (n int) {
		t.Helper()
		for _, object := range s.stored("demo/cal") {
			if strings.Contains(object, "SUMMARY:"+text) {
				n++
			}
		}
		return n
	}

	// The server's objects come, what was here goes.
	anna.write(".calcurse/todo", "[1] Forget me\n")
	sync(anna, "--init", "keep-remote")
	has(anna, "apts", "Lunch", true)
	has(anna, "apts", "Team", true)
	has(anna, "todo", "Milk", true)
	has(anna, "todo", "Forget me", false)
	if out := sync(anna); !strings.Contains(out, "0 items imported, 0 items removed locally") || !strings.Contains(out, "0 items exported, 0 items removed from the server") {
		t.Errorf("nothing changed, and calcurse-caldav says\n%s", out)
	}

	// Both ways: a new event here, a removed one there.
	edit(t, anna.path(".calcurse/todo"), "Milk", "Milk and bread")
	f, err := os.OpenFile(anna.path(".calcurse/apts"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.WriteString("12/24/2026 @ 18:00 -> 12/24/2026 @ 20:00 |Dinner\n")
	f.Close()
	s.must([]int{200, 204}, "DELETE", "/demo/cal/lunch%20%C3%BC.ics", "")
	s.must([]int{201}, "PUT", "/demo/cal/tea.ics", crlf(vevent("tea", "Tea", "20261202T150000Z", "")))
	sync(anna)
	has(anna, "apts", "Lunch", false)
	has(anna, "apts", "Tea", true)
	has(anna, "apts", "Dinner", true)
	if summaries("Dinner") != 1 || summaries("Milk and bread") != 1 || summaries("Milk") != 1 {
		t.Errorf("the server has %v", s.stored("demo/cal"))
	}

	// At another desk.
	sync(bert, "--init", "keep-remote")
	for _, text := range []string{"Dinner", "Tea", "Team"} {
		has(bert, "apts", text, true)
	}
	edit(t, bert.path(".calcurse/apts"), "Dinner", "Dinner for one")
	if err := os.WriteFile(bert.path(".calcurse/todo"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	sync(bert)
	sync(anna)
	has(anna, "apts", "Dinner for one", true)
	has(anna, "todo", "Milk", false)
	if summaries("Dinner") != 1 || summaries("Milk") != 0 {
		t.Errorf("the server has %v", s.stored("demo/cal"))
	}

	// What is here goes up, what the server had is gone.
	carl := seat()
	carl.write(".calcurse/todo", "[1] Carl's\n")
	sync(carl, "--init", "keep-local")
	if summaries("Carl's") != 1 || len(s.stored("demo/cal")) != 1 {
		t.Errorf("after --init keep-local the server has %v", s.stored("demo/cal"))
	}
	sync(anna)
	has(anna, "todo", "Carl's", true)
	has(anna, "apts", "Tea", false)
	s.noServerError()
}

// SyncEvolution keeps folders of files the same as a calendar and an address
// book.
func TestSyncEvolution(t *testing.T) {
	t.Parallel()
	need(t, "syncevolution", "/usr/bin/syncevolution")
	s := clientServer(t)
	s.mkcalendar("/demo/cal/", "Calendar")
	s.mkaddressbook("/demo/book/", "People")
	s.must([]int{201}, "PUT", "/demo/cal/weekly.ics", crlf(weekly("weekly", "Team")))
	s.must([]int{201}, "PUT", "/demo/book/ada.vcf", crlf(vcardOf("ada", "Ada", "EMAIL:ada@example.org\n")))
	d := newDesk(t)
	run := func(args ...string) string {
		t.Helper()
		return d.run("", append([]string{"syncevolution", "--daemon=no"}, args...)...)
	}
	login := []string{"keyring=no", "username=demo", "password=demo", "syncURL=" + s.URL}
	for backend, found := range map[string]string{"caldav": "Calendar (" + s.URL + "demo/cal/) <default>", "carddav": "People (" + s.URL + "demo/book/) <default>"} {
		if out := run(append([]string{"backend=" + backend, "--print-databases"}, login...)...); !strings.Contains(out, found) {
			t.Errorf("--print-databases finds no %q:\n%s", found, out)
		}
	}
	for _, dir := range []string{"cal", "book"} {
		if err := os.Mkdir(d.path(dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	run(append(append([]string{"--configure", "--template", "WebDAV"}, login...), "target-config@there")...)
	run("--configure", "backend=caldav", "database="+s.URL+"demo/cal/", "target-config@there", "calendar")
	run("--configure", "backend=carddav", "database="+s.URL+"demo/book/", "target-config@there", "addressbook")
	run("--configure", "--template", "SyncEvolution_Client", "username=", "password=", "keyring=no", "syncURL=local://@there", "sync=two-way", "backend=file",
		"calendar/database=file://"+d.path("cal"), "calendar/databaseFormat=text/calendar",
		"addressbook/database=file://"+d.path("book"), "addressbook/databaseFormat=text/vcard", "here", "calendar", "addressbook")
	has := func(what string, texts map[string]string, want ...string) {
		t.Helper()
		var all strings.Builder
		for _, text := range texts {
			all.WriteString(text)
		}
		for _, w := range want {
			w, not := strings.CutPrefix(w, "!")
			if strings.Contains(all.String(), w) == not {
				t.Errorf("%s has %q: %v:\n%s", what, w, not, all.String())
			}
		}
	}
	run("--sync", "slow", "here")
	has("the desk", d.files("cal"), "SUMMARY:Team", "SUMMARY:Team (moved)")
	has("the desk", d.files("book"), "Ada")
	d.write("cal/99", vevent("here", "From here", "20261202T100000Z", ""))
	d.write("book/99", vcardOf("grace", "Grace", ""))
	s.must([]int{201}, "PUT", "/demo/cal/there.ics", crlf(vevent("there", "From there", "20261203T100000Z", "")))
	s.must([]int{204}, "PUT", "/demo/book/ada.vcf", crlf(vcardOf("ada", "Ada Löwe", "EMAIL:ada@example.org\n")))
	run("--sync", "two-way", "here")
	has("the server", s.stored("demo/cal"), "SUMMARY:From here", "SUMMARY:From there", "SUMMARY:Team (moved)")
	has("the server", s.stored("demo/book"), "FN:Grace", "FN:Ada Löwe")
	has("the desk", d.files("cal"), "SUMMARY:From there")
	has("the desk", d.files("book"), "Ada Löwe")
	remove(t, d.path("cal/99"))
	s.must([]int{204}, "DELETE", "/demo/book/ada.vcf", "")
	edit(t, d.path("book/99"), "FN:Grace", "FN:Grace H.")
	run("--sync", "two-way", "here")
	has("the server", s.stored("demo/cal"), "!From here", "SUMMARY:From there")
	has("the server", s.stored("demo/book"), "Grace H.", "!Ada")
	has("the desk", d.files("book"), "!Ada")
	s.noServerError()
}

// pythonCalDAV is what a Python program does with the library. It prints
// nothing but failures; an assertion ends it.
const pythonCalDAV = `
import sys, warnings, logging
from datetime import datetime, date, timedelta, timezone
import caldav
from caldav.lib import error
warnings.simplefilter("ignore")

url, weekly = sys.argv[1], open(sys.argv[2]).read()
try:
    caldav.DAVClient(url=url, username="demo", password="wrong").principal()
except error.AuthorizationError:
    pass
else:
    raise AssertionError("a wrong password was taken")

# from every address that users type in
for entry in ("", "demo/", "demo", ".well-known/caldav", "principals/"):
    client = caldav.DAVClient(url=url + entry, username="demo", password="demo")
    principal = client.principal()
    assert str(principal.url).rstrip("/").endswith("/demo"), (entry, principal.url)
    assert principal.calendars() == [], principal.calendars()
    assert client.check_cdav_support(), entry
client = caldav.DAVClient(url=url, username="demo", password="demo")
principal = client.principal()
assert str(principal.calendar_home_set.url).endswith("/demo/")
principal.calendar_user_address_set()

cal = principal.make_calendar(name="Büro & Co", cal_id="office")
tasks = principal.make_calendar(name="Tasks", cal_id="tasks", supported_calendar_component_set=["VTODO"])
assert sorted(c.name for c in principal.calendars()) == ["Büro & Co", "Tasks"], principal.calendars()
assert principal.calendar(name="Büro & Co").url == cal.url
assert cal.get_supported_components() is not None
assert tasks.get_supported_components() == ["VTODO"], tasks.get_supported_components()
try:
    tasks.save_event(weekly)
except (error.AuthorizationError, error.PutError): # what the library makes of 403
    pass
else:
    raise AssertionError("an event went into a list of tasks")

def ics(kind, uid, *lines):
    return "\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:x", "BEGIN:" + kind, "UID:" + uid, "DTSTAMP:20261101T120000Z", *lines, "END:" + kind, "END:VCALENDAR", ""])
start = cal.objects()
assert list(start) == [], list(start)
event = cal.save_event(weekly)
single = cal.save_event(dtstart=datetime(2026, 12, 1, 10, tzinfo=timezone.utc), dtend=datetime(2026, 12, 1, 11, tzinfo=timezone.utc), summary="Einzeln: é")
day = cal.save_event(dtstart=date(2026, 12, 24), dtend=date(2026, 12, 25), summary="Eve")
assert len(cal.events()) == 3

# time-range, recurrences, expand
def found(**args):
    return sorted(str(o.icalendar_component["SUMMARY"]) for o in cal.search(event=True, **args))
def at(*t): return datetime(*t, tzinfo=timezone.utc)
assert found(start=at(2026, 12, 1), end=at(2026, 12, 2)) == ["Einzeln: é"], found(start=at(2026, 12, 1), end=at(2026, 12, 2))
assert found(start=at(2026, 10, 26), end=at(2026, 10, 27)) == [], "an excluded instance was found"
assert found(start=at(2026, 11, 3, 14), end=at(2026, 11, 3, 15)) == ["Team"], "a moved instance was not found"
assert found(start=at(2026, 11, 2, 9), end=at(2026, 11, 2, 10)) == [], "a moved instance was found in its old place"
assert found(start=at(2026, 12, 24, 12), end=at(2026, 12, 24, 13)) == ["Eve"]
assert found(summary="Einz") == ["Einzeln: é"]
expanded = cal.search(start=at(2026, 10, 1), end=at(2027, 1, 1), event=True, expand=True)
starts = sorted(o.icalendar_component["DTSTART"].dt.isoformat() for o in expanded if o.icalendar_component["UID"] == "weekly")
assert len(starts) == 7, starts
together = cal.date_search(start=at(2026, 10, 12), end=at(2026, 11, 10), expand=True)
assert sum(len(o.icalendar_instance.walk("VEVENT")) for o in together) == 4, [o.data for o in together]
server = cal.search(start=at(2026, 10, 1), end=at(2027, 1, 1), event=True)
assert len(server) == 3

# expand by the server
query = '''<C:calendar-query xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><prop><C:calendar-data><C:expand start="20261001T000000Z" end="20270101T000000Z"/></C:calendar-data></prop>
<C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT"><C:time-range start="20261001T000000Z" end="20270101T000000Z"/></C:comp-filter></C:comp-filter></C:filter></C:calendar-query>'''
bodies = [r for r in cal._query(query, 1, "report").expand_simple_props([caldav.elements.cdav.CalendarData()]).values()]
texts = [list(b.values())[0] for b in bodies]
import icalendar
instances = [c for text in texts for c in icalendar.Calendar.from_ical(text).walk("VEVENT") if c["UID"] == "weekly"]
assert sorted(c["DTSTART"].dt.isoformat() for c in instances) == [
    "2026-10-12T08:00:00+00:00", "2026-10-19T08:00:00+00:00", "2026-11-03T14:00:00+00:00", "2026-11-09T09:00:00+00:00",
    "2026-11-16T09:00:00+00:00", "2026-11-23T09:00:00+00:00", "2026-11-30T09:00:00+00:00"], [c["DTSTART"].dt.isoformat() for c in instances]
assert not any("RRULE" in text or "VTIMEZONE" in text for text in texts if "UID:weekly" in text), texts

# tasks
milk = tasks.save_todo(ics("VTODO", "milk", "SUMMARY:Milk", "DUE;VALUE=DATE:20261205"))
tasks.save_todo(summary="Bread", priority=1)
assert sorted(t.icalendar_component["SUMMARY"] for t in tasks.todos()) == ["Bread", "Milk"]
milk.complete()
assert [t.icalendar_component["SUMMARY"] for t in tasks.todos()] == ["Bread"], [t.data for t in tasks.todos()]
assert len(tasks.todos(include_completed=True)) == 2
assert tasks.todo_by_uid("milk").icalendar_component["STATUS"] == "COMPLETED"
journal = cal.save_journal(dtstart=date(2026, 12, 1), summary="Diary")
assert len(cal.journals()) == 1

# what changed since
mine = cal.objects(load_objects=True)
assert len(list(mine)) == 4, list(mine)
updated, deleted = mine.sync()
assert (updated, deleted) == ([], []), (updated, deleted)
single.icalendar_component["SUMMARY"] = "Changed"
single.save()
day.delete()
new = cal.save_event(ics("VEVENT", "new", "DTSTART:20261202T100000Z", "DTEND:20261202T110000Z", "SUMMARY:New"))
updated, deleted = mine.sync()
assert sorted(o.icalendar_component["SUMMARY"] for o in updated) == ["Changed", "New"], updated
assert [str(o.url) for o in deleted] == [str(day.url)], deleted
try:
    cal.objects_by_sync_token("http://example.org/ns/sync/none")
except error.DAVError:
    pass
else:
    raise AssertionError("a foreign sync token was taken")

# free and busy
busy = cal.freebusy_request(at(2026, 11, 23), at(2026, 12, 3))
periods = sorted(p.to_ical().decode() for c in icalendar.Calendar.from_ical(busy.data).walk("VFREEBUSY") for p in ([c["FREEBUSY"]] if not isinstance(c["FREEBUSY"], list) else c["FREEBUSY"]))
assert periods == ["20261123T090000Z/20261123T100000Z", "20261130T090000Z/20261130T100000Z",
    "20261201T100000Z/20261201T110000Z", "20261202T100000Z/20261202T110000Z"], periods

same = cal.event_by_uid("new")
assert same.url == new.url
assert cal.event_by_url(new.url).icalendar_component["UID"] == "new"
assert len(cal.calendar_multiget([new.url, single.url])) == 2
copy = new.copy()
copy.save()
assert copy.icalendar_component["UID"] != "new"
new.delete()
try:
    cal.event_by_uid("new")
except error.NotFoundError:
    pass
else:
    raise AssertionError("a deleted event was found")
try:
    new.load()
except error.NotFoundError:
    pass
else:
    raise AssertionError("a deleted event was loaded")

cal.set_properties([caldav.elements.dav.DisplayName("Neu <&>")])
assert cal.get_display_name() == "Neu <&>", cal.get_display_name()
tasks.delete()
cal.delete()
assert principal.calendars() == [], principal.calendars()
print("all done")
`

func TestPythonCalDAV(t *testing.T) {
	t.Parallel()
	need(t, "python3-caldav", "/usr/lib/python3/dist-packages/caldav/__init__.py")
	s := clientServer(t)
	d := newDesk(t)
	d.write("program.py", pythonCalDAV)
	d.write("weekly.ics", weekly("weekly", "Team"))
	out, err := d.try("", "/usr/bin/python3", "program.py", s.URL, "weekly.ics")
	if err != nil || !strings.Contains(out, "all done") {
		t.Errorf("%v\n%s", err, out)
	}
	s.noServerError()
}

// What Python sends and computes itself, beside this language's ideas of the
// same: bytes, hashes, encodings.
const pythonBytes = `
import base64, hashlib, http.client, os, sys, urllib.parse
host, folder = sys.argv[1], sys.argv[2]
auth = {"Authorization": "Basic " + base64.b64encode(b"demo:demo").decode()}
conn = http.client.HTTPConnection(host, timeout=30)
def ask(method, path, body=None, **headers):
    conn.request(method, urllib.parse.quote(path), body, {**auth, **{k.replace("_", "-"): v for k, v in headers.items()}})
    r = conn.getresponse()
    return r.status, r.headers, r.read()
def event(uid, more, end="\r\n"):
    return end.join(["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:x", "BEGIN:VEVENT", "UID:" + uid, "DTSTAMP:20261101T120000Z",
        "DTSTART:20261201T100000Z", *more, "END:VEVENT", "END:VCALENDAR", ""]).encode()
def card(uid, more, version="3.0", end="\r\n"):
    return end.join(["BEGIN:VCARD", "VERSION:" + version, "UID:" + uid, "FN:" + uid, "N:" + uid + ";;;;", *more, "END:VCARD", ""]).encode()
cases = {
    "cal/plain.ics": event("plain", []),
    "cal/lf.ics": event("lf", ["SUMMARY:line feeds"], end="\n"),
    "cal/ünï cödé+%41@&;=.ics": event("unicode", ["SUMMARY:\U0001F4C5 Żółć 日本語", "X-EMOJI;X-P=\"a:b;c\":\U0001F600"]),
    "cal/folded.ics": event("folded", ["DESCRIPTION:" + "x" * 60, " " + "y" * 70, "\tz", "SUMMARY:a\\, b\\; c\\n\\\\"]),
    "cal/split.ics": event("split", []).replace(b"DTSTART", b"SUMMARY:caf\xc3\r\n \xa9\r\nDTSTART"),
    "cal/long.ics": event("long", ["DESCRIPTION:" + "é" * 5000]),
    "cal/lower.ics": event("lower", ["summary:lower case", "x-Unknown;Param=v:w"]),
    "cal/blank.ics": event("blank", ["", "SUMMARY:after a blank line"]),
    "cal/order.ics": event("order", ["X-Z:1", "SUMMARY:s", "CATEGORIES:B,A", "X-A:2", "CATEGORIES:C"]),
    "cal/alarm.ics": event("alarm", ["BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER:-PT15M", "X-WR-ALARMUID:1", "END:VALARM"]),
    "cal/no-suffix": event("no-suffix", []),
    "book/three.vcf": card("three", ["item1.X-ABLabel:_$!<HomePage>!$_", "item1.URL;type=pref:http\\://example.org", "TEL;type=CELL;type=VOICE:1"]),
    "book/four.vcf": card("four", ["KIND:individual", "PHOTO:data:image/png;base64,iVBORw0KGgo=", "TEL;VALUE=uri:tel:+1-555"], version="4.0"),
    "book/photo.vcf": card("photo", ["PHOTO;ENCODING=b;TYPE=JPEG:" + base64.b64encode(os.urandom(60000)).decode()]),
    "book/group.vcf": card("group", ["X-ADDRESSBOOKSERVER-KIND:group", "X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:three"]),
    "book/lf.vcf": card("lf", ["NOTE:x"], end="\n"),
    "book/ß日.vcf": card("ß日", []),
}
bad = 0
for name, body in cases.items():
    for round in range(2):
        status, headers, _ = ask("PUT", "/demo/" + name, body, **({"If_None_Match": "*"} if round == 0 else {"If_Match": etag}))
        etag = '"' + hashlib.sha256(body).hexdigest() + '"'
        problems = []
        if status != (201, 204)[round]: problems.append("PUT %d" % status)
        if headers.get("ETag") != etag: problems.append("ETag of PUT %s" % headers.get("ETag"))
        file = os.path.join(folder, "collection-root/demo", name)
        if not os.path.exists(file) or open(file, "rb").read() != body: problems.append("the file differs")
        status, headers, got = ask("GET", "/demo/" + name)
        if status != 200 or got != body: problems.append("GET %d gives %d bytes of %d" % (status, len(got), len(body)))
        if headers.get("ETag") != etag or headers.get("Content-Length") != str(len(body)): problems.append("headers of GET: %s" % headers)
        status, headers, got = ask("HEAD", "/demo/" + name)
        if status != 200 or got or headers.get("ETag") != etag: problems.append("HEAD %d" % status)
        status, headers, got = ask("GET", "/demo/" + name, If_None_Match=etag)
        if status != 304 or got: problems.append("GET with If-None-Match %d" % status)
        ns = ("calendar", "caldav") if name.startswith("cal/") else ("addressbook", "carddav")
        what = "calendar" if ns[0] == "calendar" else "address"
        query = ('<C:%s-multiget xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:%s"><prop><getetag/><C:%s-data/></prop><href>%s</href></C:%s-multiget>'
            % (ns[0], ns[1], what, urllib.parse.quote("/demo/" + name), ns[0]))
        status, _, got = ask("REPORT", "/demo/" + name.split("/")[0] + "/", query.encode(), Depth="0", Content_Type="application/xml")
        import xml.etree.ElementTree as ET
        tree = ET.fromstring(got)
        data = tree.findtext(".//{urn:ietf:params:xml:ns:%s}%s-data" % (ns[1], what))
        if status != 207 or data is None: problems.append("multiget %d: %s" % (status, got[:500]))
        # XML's line ends are LF unless escaped; both forms of a CR are right
        elif data.replace("\r\n", "\n").encode() != body.replace(b"\r\n", b"\n") and name != "cal/split.ics":
            problems.append("multiget gives %r" % data[:500])
        if tree.findtext(".//{DAV:}getetag") != etag: problems.append("multiget's etag")
        if problems:
            bad += 1
            print(name, "round", round, "; ".join(problems))
# the listing names them all, by the same tags
status, _, got = ask("PROPFIND", "/demo/cal/", b'<propfind xmlns="DAV:"><prop><getetag/></prop></propfind>', Depth="1")
listed = {urllib.parse.unquote(r.findtext("{DAV:}href")) for r in ET.fromstring(got).findall("{DAV:}response")}
want = {"/demo/" + n for n in cases if n.startswith("cal/")} | {"/demo/cal/"}
if listed != want:
    bad += 1
    print("listed", sorted(listed ^ want))
sys.exit(bad != 0)
`

func TestPythonBytes(t *testing.T) {
	t.Parallel()
	need(t, "python3", "/usr/bin/python3")
	s := clientServer(t)
	s.mkcalendar("/demo/cal/", "Calendar")
	s.mkaddressbook("/demo/book/", "Book")
	d := newDesk(t)
	d.write("program.py", pythonBytes)
	if out, err := d.try("", "/usr/bin/python3", filepath.Join(d.Home, "program.py"), s.Address.String(), s.Folder); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	s.noServerError()
}
