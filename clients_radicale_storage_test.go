package main

import (
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// What a storage folder has beside objects and properties, as Radicale has it:
// entity tags of its own, sync tokens, links, a hook.

// TestRadicaleTokens: a client that was Radicale's and comes with its sync token
// is told what happened since, and fetches nothing else; also objects that
// somebody put into the folder by hand keep the entity tag that it knows.
func TestRadicaleTokens(t *testing.T) {
	t.Parallel()
	need(t, "radicale", "/usr/bin/radicale")
	s := startServer(t)
	theirs := side{"Radicale", startRadicale(t, s), &http.Client{Transport: s.transportOf(), Timeout: patience}, s, t}
	ours := side{"inetdav", s.URL, s.Client, s, t}
	theirs.must("MKCALENDAR", "/demo/cal/", "")
	for _, name := range []string{"kept", "changed", "gone"} {
		theirs.must("PUT", "/demo/cal/"+name+".ics", crlf(weekly(name, "Team")))
	}
	theirs.must("PUT", "/demo/cal/early.ics", crlf(weekly("early", "Gone before the token")))
	theirs.must("DELETE", "/demo/cal/early.ics", "")
	folder := filepath.Join(s.Folder, "collection-root/demo/cal")
	hand := func(name, text string) { writeFile(t, filepath.Join(folder, name), text) }
	hand("hand.ics", weekly("hand", "By hand")) // LF
	_, token := theirs.changes("demo/cal", "")
	before := theirs.etags("demo/cal")

	changed, next := ours.changes("demo/cal", token)
	if len(changed) != 0 || next == token {
		t.Errorf("nothing happened since Radicale's token; told %v and %s", changed, next)
	}
	if now := ours.etags("demo/cal"); !maps.Equal(now, before) {
		t.Errorf("entity tags %v, of Radicale %v", now, before)
	}
	if a := ours.must("GET", "/demo/cal/hand.ics", ""); a.Header.Get("ETag") != before["hand.ics"] {
		t.Errorf("GET of what was put there by hand: %s, of Radicale %s", a.Header.Get("ETag"), before["hand.ics"])
	}
	if a := ours.ask("PUT", "/demo/cal/hand.ics", crlf(weekly("hand", "Lost")), `If-Match: "x"`); a.Code != 412 {
		t.Errorf("PUT with another tag: %d", a.Code)
	}

	// Changes by either, and by hand.
	theirs.must("PUT", "/demo/cal/changed.ics", crlf(weekly("changed", "By Radicale")))
	ours.must("DELETE", "/demo/cal/gone.ics", "")
	ours.must("PUT", "/demo/cal/hand.ics", crlf(weekly("hand", "By inetdav")), "If-Match: "+before["hand.ics"])
	hand("new.ics", weekly("new", "By hand"))
	want := []string{"changed.ics", "gone.ics", "hand.ics", "new.ics"}
	for _, from := range []string{token, next} {
		changed, _ := ours.changes("demo/cal", from)
		if !slices.Equal(slices.Sorted(maps.Keys(changed)), want) || changed["gone.ics"] != "" {
			t.Errorf("since %s: %v, want %v", from, changed, want)
		}
	}
	if changed, _ := theirs.changes("demo/cal", token); !slices.Equal(slices.Sorted(maps.Keys(changed)), want) {
		t.Errorf("Radicale, since its own token: %v", changed)
	}
	s.noServerError()
}

// TestStorageHook is the use of the hook that Radicale documents: each change is
// a commit, and nothing else is.
func TestStorageHook(t *testing.T) {
	t.Parallel()
	need(t, "git", "/usr/bin/git")
	s := startServer(t, "--storage-hook=git add -A && (git diff --cached --quiet || git commit -m \"Changes by \"%(user)s)",
		`--storage-predefined-collections={"personal": {"tag": "VCALENDAR", "D:displayname": "Mine"}}`)
	git := func(args ...string) string {
		t.Helper()
		cmd := exec.Command("/usr/bin/git", args...)
		cmd.Dir = s.Folder
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	if err := os.MkdirAll(s.Folder, 0o777); err != nil {
		t.Fatal(err)
	}
	git("init", "-q")
	git("config", "user.name", "radicale")
	git("config", "user.email", "radicale@example.org")
	writeFile(t, filepath.Join(s.Folder, ".gitignore"), ".Radicale.cache\n.Radicale.lock\n.Radicale.tmp-*\n.inetdav.locks\n")
	p := side{"inetdav", s.URL, s.Client, s, t}
	p.must("MKCALENDAR", "/demo/cal/", "")
	p.must("PUT", "/demo/cal/a.ics", crlf(weekly("a", "A")))
	p.must("PROPFIND", "/demo/cal/", "", "Depth: 1")
	if a := p.ask("PUT", "/demo/cal/a.ics", crlf(weekly("a", "B")), "If-None-Match: *"); a.Code != 412 {
		t.Errorf("PUT: %d", a.Code)
	}
	p.must("MOVE", "/demo/cal/a.ics", "", "Destination: "+s.URL+"demo/cal/b.ics")
	p.must("DELETE", "/demo/cal/b.ics", "")
	var files []string
	for line := range strings.Lines(git("log", "--reverse", "--format=", "--name-status", "--no-renames")) {
		files = append(files, strings.Join(strings.Fields(line), " "))
	}
	want := []string{
		"A .gitignore", "A collection-root/demo/personal/.Radicale.props",
		"A collection-root/demo/cal/.Radicale.props",
		"A collection-root/demo/cal/a.ics",
		"D collection-root/demo/cal/a.ics", "A collection-root/demo/cal/b.ics",
		"D collection-root/demo/cal/b.ics",
	}
	if !slices.Equal(files, want) {
		t.Errorf("commits of %q, want %q", files, want)
	}
	s.noServerError()
}
