package main

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"inetdav/store"
)

// What is exported and imported again is what it was: byte for byte with
// --objects; otherwise all objects, their names and properties, and all lines
// of their components.
func TestRoundTrip(t *testing.T) {
	folder := t.TempDir()
	s, err := store.Open(store.Options{Folder: folder, FolderUmask: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.EnsurePrincipal("alice"); err != nil {
		t.Fatal(err)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	write := func(path, data string) {
		t.Helper()
		must(os.WriteFile(filepath.Join(folder, "collection-root", path), []byte(data), 0o600))
	}
	must(s.Update(t.Context(), func(tx *store.Tx) error {
		work := store.Props{}.Set("tag", "VCALENDAR").Set("D:displayname", "Büro & <Haus>").Set("ICAL:calendar-color", "#ff0000").Set("{urn:x}y", "z")
		if err := tx.Mkcol("alice/work", work, store.Props{}.Set("{urn:x}rich", `<rich xmlns="urn:x"><a/></rich>`)); err != nil {
			return err
		}
		if err := tx.Mkcol("alice/people", store.Props{}.Set("tag", "VADDRESSBOOK"), nil); err != nil {
			return err
		}
		if err := tx.Mkcol("alice/work.ics", store.Props{}.Set("tag", "VCALENDAR").Set("D:displayname", "One"), nil); err != nil {
			return err
		}
		return tx.Mkcol("alice/Ä: ?", store.Props{}.Set("tag", "VCALENDAR"), nil)
	}))
	zoned := strings.Replace(event("zoned", "x"), "BEGIN:VEVENT", "BEGIN:VTIMEZONE\r\nTZID:Here\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0100\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\nBEGIN:VEVENT", 1)
	zoned = strings.Replace(zoned, "DTSTART:20260102", "DTSTART;TZID=Here:20260102", 1)
	write("alice/work/a.ics", event("a", "one"))
	write("alice/work/other name.ics", event("b", "two"))
	write("alice/work/zoned.ics", zoned)
	write("alice/work.ics/single.ics", event("e", "five"))
	write("alice/people/c.vcf", card("c", "Zoë"))
	write("alice/people/"+strings.Repeat("n", 200)+".vcf", card("d", "D"))
	must(s.Update(t.Context(), func(tx *store.Tx) error {
		return tx.SetObjectProps("alice/work/a.ics", store.Props{}.Set("{urn:x}of", `<of xmlns="urn:x">a</of>`))
	}))

	for _, objectsToo := range []bool{false, true} {
		out, back := t.TempDir(), t.TempDir()
		args := []string{"--export", "--from=alice", out}
		if objectsToo {
			args = append(args, "--objects")
		}
		want(t, exitDone, []string{`"alice/work": 3 objects, 0 left out`}, folder, args...)
		want(t, exitDone, []string{`"alice/work": 3 objects, 0 left out`}, folder, args...) // over itself
		if err := filepath.WalkDir(out, func(path string, _ os.DirEntry, err error) error {
			if strings.ContainsAny(filepath.Base(path), `:?`) || strings.HasPrefix(filepath.Base(path), ".") {
				t.Errorf("not a safe name: %q", path)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		want(t, exitDone, []string{`"carol/work": 3 new`}, back, "--to=carol", out)
		for _, c := range []string{"work", "people", "work.ics"} {
			a, b := objects(t, folder, "alice/"+c), objects(t, back, "carol/"+c)
			if objectsToo && !maps.Equal(a, b) {
				t.Errorf("%s: %q became %q", c, a, b)
			}
			if x, y := slices.Sorted(maps.Keys(a)), slices.Sorted(maps.Keys(b)); !slices.Equal(x, y) {
				t.Errorf("%s: %q became %q", c, x, y)
			}
			for name, data := range a {
				if strings.Contains(b[name], "X-WR-CALNAME") {
					t.Errorf("%s/%s has the name of its collection", c, name)
				}
				for line := range strings.Lines(data) {
					if !strings.Contains(b[name], line) && !strings.HasPrefix(line, "PRODID") {
						t.Errorf("%s/%s: %q is missing", c, name, line)
					}
				}
			}
			for _, file := range []string{".Radicale.props", ".inetdav.props"} {
				x, _ := os.ReadFile(filepath.Join(folder, "collection-root/alice", c, file))
				y, _ := os.ReadFile(filepath.Join(back, "collection-root/carol", c, file))
				if string(x) != string(y) {
					t.Errorf("%s/%s: %s became %s", c, file, x, y)
				}
			}
		}
	}

	// A single collection; what the export did not write stays.
	out := t.TempDir()
	must(os.Mkdir(filepath.Join(out, "work"), 0o700))
	must(os.WriteFile(filepath.Join(out, "work", "mine.ics"), []byte("mine"), 0o600))
	want(t, exitDone, nil, folder, "--export", "--from=alice/work", "--objects", out)
	if _, err := os.Stat(filepath.Join(out, "work", "mine.ics")); err != nil {
		t.Error(err)
	}
	if entries, _ := os.ReadDir(out); len(entries) != 2 {
		t.Errorf("%v", entries)
	}
	// What cannot be read is named and left out, and the exit code says so.
	write("alice/work/broken.ics", "nonsense")
	want(t, exitRefused, []string{`"alice/work/broken.ics": `, "3 objects, 1 left out"}, folder, "--export", "--from=alice/work", out)
}

// What an export writes is all there: users do not overwrite each other, nor
// objects; and what could not be read this time stays as it was written.
func TestExportKeeps(t *testing.T) {
	folder, files := t.TempDir(), t.TempDir()
	file := filepath.Join(files, "cal.ics")
	for _, user := range []string{"alice", "bob"} {
		if err := os.WriteFile(file, []byte(event(user, user)), 0o600); err != nil {
			t.Fatal(err)
		}
		want(t, exitDone, nil, folder, "--to="+user, "--", file)
	}
	out, back := t.TempDir(), t.TempDir()
	want(t, exitDone, nil, folder, "--export", "--from=alice", "--from=bob/cal", out)
	for _, user := range []string{"alice", "bob"} {
		want(t, exitDone, nil, back, "--to="+user, filepath.Join(out, user))
		if got := objects(t, back, user+"/cal"); len(got) != 1 || !strings.Contains(got[user+".ics"], "UID:"+user) {
			t.Errorf("%s: %q", user, got)
		}
	}

	root := filepath.Join(folder, "collection-root", "alice", "cal")
	write := func(name, data string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(root, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("alice", event("other", "other"))
	out = t.TempDir()
	want(t, exitRefused, []string{`another object is in the file "alice.ics"`, "1 objects, 1 left out"}, folder, "--export", "--from=alice/cal", "--objects", out)
	if err := os.Rename(filepath.Join(root, "alice"), filepath.Join(root, "other.ics")); err != nil {
		t.Fatal(err)
	}
	want(t, exitDone, []string{"2 objects"}, folder, "--export", "--from=alice/cal", "--objects", out)
	const limit = "--server-max-resource-size=1000"
	write("other.ics", event("other", strings.Repeat("x", 1000)))
	want(t, exitRefused, []string{"1 objects, 1 left out"}, folder, "--export", "--from=alice/cal", "--objects", limit, out)
	if b, err := os.ReadFile(filepath.Join(out, "cal", "other.ics")); err != nil || string(b) != event("other", "other") {
		t.Errorf("the older form of what was left out: %q, %v", b, err)
	}
	if err := os.Remove(filepath.Join(root, "other.ics")); err != nil {
		t.Fatal(err)
	}
	want(t, exitDone, []string{"1 objects"}, folder, "--export", "--from=alice/cal", "--objects", out)
	if _, err := os.Stat(filepath.Join(out, "cal", "other.ics")); err == nil {
		t.Error("what is gone is still in the export")
	}
}

// A description that somebody else wrote does not lead out of the collection,
// nor out of the folder of what is refused.
func TestForeignNames(t *testing.T) {
	files, folder, outside := t.TempDir(), t.TempDir(), t.TempDir()
	put := func(name, data string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(files, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("bob.ics", event("b", "b"))
	want(t, exitDone, nil, folder, "--to=bob/cal", filepath.Join(files, "bob.ics"))
	rejects := filepath.Join(outside, "a", "rejects")
	for _, name := range []string{"../../bob/cal/in.ics", "../../../out.ics", "../../../../out.ics", "sub/in.ics", ".hidden.ics"} {
		put("cal.ics", event("a", "x"))
		put("cal.json", `{"format":"inetdav export 1","properties":{"tag":"VCALENDAR"},"objects":[{"uid":"a","name":"`+name+`"}]}`)
		want(t, exitDone, nil, folder, "--to=alice", "--rejects="+rejects, filepath.Join(files, "cal.ics"))
		if got := objects(t, folder, "alice/cal"); len(got) != 1 || got["a.ics"] == "" {
			t.Errorf("%s: %q", name, got)
		}
	}
	if got := objects(t, folder, "bob/cal"); len(got) != 1 {
		t.Errorf("%q", got)
	}
	if err := writeReject(rejects, "alice/cal/../../../out.ics", nil); err == nil {
		t.Error("written outside of the folder")
	}
	if entries, _ := os.ReadDir(outside); len(entries) != 0 {
		t.Errorf("%v", entries)
	}
}

// Links that lead up again have an end.
func TestLinkedFolders(t *testing.T) {
	files := t.TempDir()
	if err := os.WriteFile(filepath.Join(files, "cal.ics"), []byte(event("a", "x")), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"one", "two", "three"} { // a few of them would take for ever
		if err := os.Symlink(".", filepath.Join(files, name)); err != nil {
			t.Fatal(err)
		}
	}
	want(t, exitDone, []string{"one leads to a folder that it is in", "1 new"}, t.TempDir(), "--to=alice", files)
}

// How users log in, and what groups they have, does not matter to an import.
func TestImportWithoutGroups(t *testing.T) {
	file := filepath.Join(t.TempDir(), "cal.ics")
	if err := os.WriteFile(file, []byte(event("a", "x")), 0o600); err != nil {
		t.Fatal(err)
	}
	want(t, exitDone, []string{"1 new"}, t.TempDir(), "--to=alice", "--auth-type=ldap", "--group-type=from_auth", file)
}

// Files of other programs.
func TestFiles(t *testing.T) {
	files := t.TempDir()
	put := func(name, data string) {
		t.Helper()
		name = filepath.Join(files, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	whole := "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nX-WR-CALNAME:Büro\r\n"
	for _, uid := range []string{"a", "b", "../c"} {
		whole += strings.TrimSuffix(event(uid, uid)[strings.Index(event(uid, uid), "BEGIN:VEVENT"):], "END:VCALENDAR\r\n")
	}
	put("whole.ics", whole+"END:VCALENDAR\r\n")
	put("cards.vcf", card("p", "P")+card("q", "Q"))
	put("vdir/1.ics", event("1", "one"))
	put("vdir/2.ics", event("2", "two"))
	put("vdir/twice.ics", event("2", "two again"))
	put("vdir/broken.ics", "BEGIN:VCALENDAR\r\nnonsense")
	put("vdir/bad.ics", strings.Replace(event("bad", "x"), "DTSTART:20260102T100000Z", "DTSTART:tomorrow", 1))
	put("vdir/color", "#123456\n")
	put("vdir/displayname", "Vdir\n")
	put("vdir/note.txt", "not ours")
	put("vdir/.hidden.ics", "no")

	folder, rejects := t.TempDir(), t.TempDir()
	want(t, exitDone, []string{`"u/whole": 3 new`, `"u/cards": 2 new`}, folder, "--to=u", filepath.Join(files, "whole.ics"), filepath.Join(files, "cards.vcf"))
	if got := slices.Sorted(maps.Keys(objects(t, folder, "u/whole"))); len(got) != 3 || got[1] != "a.ics" || got[2] != "b.ics" {
		t.Errorf("%q", got)
	}
	if name := property(t, folder, "u/whole", "D:displayname"); name != "Büro" {
		t.Errorf("%q", name)
	}
	for range 2 { // the second time, all is there
		out := want(t, exitRefused, []string{`"u/vdir/broken.ics": `, `"u/vdir/bad.ics": 403 valid-calendar-data: `, `"u/vdir/twice.ics": "2.ics" has the same UID`, "1 kept, 2 refused"},
			folder, "--to=u", "--rejects="+rejects, filepath.Join(files, "vdir"))
		if strings.Contains(out, "note.txt") || strings.Contains(out, "hidden") {
			t.Error(out)
		}
	}
	if got := objects(t, folder, "u/vdir"); len(got) != 2 || got["2.ics"] != event("2", "two") {
		t.Errorf("%q", got)
	}
	if color := property(t, folder, "u/vdir", "ICAL:calendar-color"); color != "#123456" {
		t.Errorf("%q", color)
	}
	for _, name := range []string{"broken.ics", "bad.ics", "twice.ics"} {
		a, _ := os.ReadFile(filepath.Join(files, "vdir", name))
		b, err := os.ReadFile(filepath.Join(rejects, "u/vdir", name))
		if err != nil || string(a) != string(b) {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
	// With --overwrite the file wins.
	want(t, exitRefused, []string{"1 changed"}, folder, "--to=u/vdir", "--overwrite", filepath.Join(files, "vdir"))
	if got := objects(t, folder, "u/vdir"); got["2.ics"] != event("2", "two again") {
		t.Errorf("%q", got)
	}
	want(t, exitUsage, []string{"--to"}, folder, files)
	want(t, exitUsage, []string{"name not allowed"}, folder, "--to=../x", files)
	want(t, exitUsage, []string{"frob"}, folder, "--to=x", "--frob", files)
	want(t, exitFailed, []string{"no such file"}, folder, "--to=x", "/nonexistent/file.ics")
}
