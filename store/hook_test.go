package store

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestHookExpand(t *testing.T) {
	c := Cause{User: "o'brien", Path: "/o'brien/my cal/x.ics", ToPath: "/u/cal/y.ics", Request: "MOVE"}
	s := &Store{options: Options{Folder: "/srv/dav"}, root: &root{path: "/srv/dav/collection-root"}}
	for hook, want := range map[Hook]string{
		"true":                  "true",
		"echo %(user)s":         `echo 'o'"'"'brien'`,
		"%(path)s %(to_path)s":  `'/srv/dav/collection-root/o'"'"'brien/my cal/x.ics' /srv/dav/collection-root/u/cal/y.ics`,
		"%(cwd)s/x %(request)s": "/srv/dav/x MOVE",
		"date +%%s":             "date +%s",
		"a%%%(request)s%%":      "a%MOVE%",
		"100%":                  "",
		"%s":                    "",
		"%(user)d":              "",
		"%(name)s":              "",
		"%(user":                "",
		"%user)s":               "",
	} {
		s.Hook = hook
		got, err := s.command(c)
		if got != want || (err != nil) != (want == "") || (hook.Check() != nil) != (err != nil) {
			t.Errorf("%s: %s, %v, want %s", hook, got, err, want)
		}
	}
	s.Hook = "%(user)s %(to_path)s %(request)s"
	if got, _ := s.command(Cause{}); got != "Anonymous '' NONE" {
		t.Errorf("of nobody: %s", got)
	}
}

// TestHookQuotes: what a client calls its objects is never a command, wherever
// the placeholder stands: each shell makes of the hook one and the same word, or
// is not started.
func TestHookQuotes(t *testing.T) {
	dir := t.TempDir()
	evil := filepath.Join(dir, "evil")
	s := &Store{root: &root{path: "/r"}}
	values := []string{"plain", "Jürgen", "my cal", "$(touch EVIL)", "`touch EVIL`", ";touch EVIL;", "\"; touch EVIL; \"", "'; touch EVIL; '", "\\$(touch EVIL)",
		"'$(touch EVIL)'", "\"$(touch EVIL)", "a\\", "'\"; touch EVIL #", "& touch EVIL", "$HOME", "*"}
	ran := map[string]bool{}
	for _, hook := range []string{
		`echo %(user)s`, `echo "by "%(user)s`, `echo 'by '%(user)s`, `echo "by %(user)s"`, `echo 'by %(user)s'`, `echo "by '%(user)s'"`, `echo 'by "%(user)s"'`,
		`echo "$(echo "%(user)s")"`, `echo "$(echo %(user)s)"`, `echo $(echo %(user)s)`, `echo $(echo "%(user)s")`, "echo `echo %(user)s`", "echo `echo \"%(user)s\"`", `echo \%(user)s`,
		`echo $%(user)s`, `echo \"%(user)s\"`, `echo "\"%(user)s\""`, "cat <<END\n%(user)s\nEND\n", "cat <<END\n\"%(user)s\nEND\n", `echo ${x:-%(user)s}`, `echo "${x:-%(user)s}"`,
		`sh -c 'echo %(user)s'`, "echo x # don't\necho %(user)s",
	} {
		s.Hook = Hook(hook)
		for _, value := range values {
			value = strings.ReplaceAll(value, "EVIL", evil)
			command, err := s.command(Cause{User: value})
			if err != nil {
				continue
			}
			ran[hook] = true
			for _, shell := range []string{"sh", "bash"} {
				if _, err := exec.LookPath(shell); err == nil {
					exec.Command(shell, "-c", command).Run()
				}
			}
			if os.Remove(evil) == nil {
				t.Errorf("%s: %q is a command: %s", hook, value, command)
			}
		}
	}
	for _, hook := range []string{`echo %(user)s`, `echo "by "%(user)s`, `echo 'by '%(user)s`, `echo $(echo %(user)s)`} {
		s.Hook = Hook(hook)
		for _, value := range values {
			if command, err := s.command(Cause{User: value}); err != nil || !strings.HasSuffix(strings.TrimRight(command, ")"), shellQuote(value)) {
				t.Errorf("%s: %q: %s, %v", hook, value, command, err)
			}
		}
	}
	for _, hook := range []string{`echo "by %(user)s"`, `echo 'by %(user)s'`} {
		if !ran[hook] {
			t.Errorf("%s has never run", hook)
		}
	}
}

// TestShellQuote compares with Python's shlex.quote.
func TestShellQuote(t *testing.T) {
	const python = "/usr/bin/python3"
	if _, err := os.Stat(python); err != nil {
		t.Skip("no python3")
	}
	words := []string{"", "a", "a b", "it's", "$HOME", "`x`", "ü", "a\nb", "_@%+=:,./-", "~", "*", "a;b", `"`, `\`, "''"}
	out, err := exec.Command(python, append([]string{"-c", "import shlex,sys\nfor w in sys.argv[1:]: sys.stdout.write(shlex.quote(w)+'\\0')"}, words...)...).Output()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, w := range words {
		got = append(got, shellQuote(w))
	}
	if want := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00"); !slices.Equal(got, want) {
		t.Errorf("%q\nwant %q", got, want)
	}
}

// TestHook: it runs after each change and after nothing else, under the lock.
func TestHook(t *testing.T) {
	record := filepath.Join(t.TempDir(), "record")
	fx := newFixture(t, func(o *Options) {
		o.Hook = Hook(`flock -xn .Radicale.lock true; echo "%(request)s $? $(pwd) $(cat)" >>` + record)
	})
	ran := func() string {
		b, err := os.ReadFile(record)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		os.Remove(record)
		return string(b)
	}
	if got, want := ran(), strings.Repeat("NONE 1 "+fx.opts.Folder+" \n", 2); got != want { // by newFixture
		t.Errorf("home and calendar: %q, want %q", got, want)
	}
	st := func() *Staged {
		st, err := fx.StageBytes(calPath, event("a", 1))
		fx.must(err)
		return st
	}
	steps := []struct {
		name string
		do   func(tx *Tx) error
		want bool
	}{
		{"PUT", func(tx *Tx) error { _, err := tx.Put(calPath+"/a.ics", st(), unknownSummary()); return err }, true},
		{"NOTHING", func(*Tx) error { return nil }, false},
		{"REFUSED", func(*Tx) error { return fs.ErrPermission }, false},
		{"LOCK", func(tx *Tx) error { return nil }, false},
		{"PROPPATCH", func(tx *Tx) error {
			return tx.SetProps(calPath, Props{{"D:displayname", "x"}, {"tag", "VCALENDAR"}}, nil)
		}, true},
		{"COPY", func(tx *Tx) error { return tx.Copy(calPath+"/a.ics", calPath+"/b.ics", true) }, true},
		{"MOVE", func(tx *Tx) error { return tx.Move(calPath+"/b.ics", calPath+"/c.ics") }, true},
		{"MKCOL", func(tx *Tx) error { return tx.Mkcol("user/new", nil, nil) }, true},
		{"MOVE", func(tx *Tx) error { return tx.Move("user/new", "user/newer") }, true},
		{"MISSING", func(tx *Tx) error { return tx.Delete("user/new") }, false},
		{"DELETE", func(tx *Tx) error { return tx.Delete("user/newer") }, true},
		{"DELETE", func(tx *Tx) error { return tx.Delete(calPath + "/a.ics") }, true},
		// What has happened before it failed has happened.
		{"PART", func(tx *Tx) error { return errors.Join(tx.Delete(calPath+"/c.ics"), fs.ErrPermission) }, true},
	}
	for _, step := range steps {
		fx.Update(context.Background(), func(tx *Tx) error {
			tx.Cause = Cause{Request: step.name}
			return step.do(tx)
		})
		want := ""
		if step.want {
			want = step.name + " 1 " + fx.opts.Folder + " \n"
		}
		if got := ran(); got != want {
			t.Errorf("%s: %q, want %q", step.name, got, want)
		}
	}
}

// TestHookEnds: nothing of a hook outlives it, and none holds the lock for ever.
func TestHookEnds(t *testing.T) {
	fx := newFixture(t)
	ended := func(hook Hook, timeout time.Duration, want string) {
		t.Helper()
		pids := filepath.Join(t.TempDir(), "pids")
		fx.Hook, fx.HookTimeout, fx.logs = Hook(strings.ReplaceAll(string(hook), "PIDS", pids)), timeout, nil
		fx.update(func(tx *Tx) error { tx.changed = true; return nil })
		if got := strings.Join(fx.logs, "\n"); !strings.Contains(got, want) {
			t.Errorf("%s: log %q, want %q", hook, got, want)
		}
		b, err := os.ReadFile(pids)
		fx.must(err)
		for _, pid := range strings.Fields(string(b)) {
			// The kernel may take a moment over who was killed.
			for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
				stat, err := os.ReadFile("/proc/" + pid + "/stat")
				if err != nil || strings.Contains(string(stat), ") Z ") {
					break
				}
				if time.Now().After(deadline) {
					t.Fatalf("%s: process %s is still there: %s", hook, pid, stat)
				}
			}
		}
	}
	ended("sleep 1000 & echo $! $$ >PIDS; echo said; exit 3", time.Minute, "exit status 3: said\n")
	ended("sleep 1000 & echo $! $$ >PIDS; wait", 300*time.Millisecond, "killed after 300ms")
	ended("echo $$ >PIDS; head -c 1000000 /dev/zero | tr '\\0' x; exit 1", time.Minute, "exit status 1: xxx")
	ended("echo $$ >PIDS; kill -9 $$", time.Minute, "signal 9")
}

// TestHookGit: the use that Radicale documents.
func TestHookGit(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("no git")
	}
	fx := newFixture(t)
	git := func(args ...string) string {
		t.Helper()
		cmd := exec.Command("git", args...)
		cmd.Dir = fx.opts.Folder
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	git("init", "-q")
	git("config", "user.name", "radicale")
	git("config", "user.email", "radicale@example.org")
	fx.must(os.WriteFile(filepath.Join(fx.opts.Folder, ".gitignore"), []byte(".Radicale.cache\n.Radicale.lock\n.Radicale.tmp-*\n.inetdav.locks\n"), 0o666))
	fx.Hook = `git add -A && (git diff --cached --quiet || git commit -m "Changes by "%(user)s)`
	change := func(f func(tx *Tx) error) {
		t.Helper()
		fx.update(func(tx *Tx) error {
			tx.Cause = Cause{User: "o'brien x"}
			return f(tx)
		})
	}
	st, err := fx.StageBytes(calPath, event("a", 1))
	fx.must(err)
	change(func(tx *Tx) error { _, err := tx.Put(calPath+"/a.ics", st, unknownSummary()); return err })
	change(func(tx *Tx) error { return tx.Delete(calPath + "/a.ics") })
	change(func(tx *Tx) error { return nil })
	if got, want := git("log", "--format=%s", "--name-status"), "Changes by o'brien x\n\nD\tcollection-root/user/cal/a.ics\nChanges by o'brien x\n\nA\t.gitignore\nA\tcollection-root/user/cal/.Radicale.props\nA\tcollection-root/user/cal/a.ics\n"; got != want {
		t.Errorf("git log:\n%s\nwant\n%s\nlog %q", got, want, fx.logs)
	}
}

func TestPredefined(t *testing.T) {
	fx := newFixture(t, func(o *Options) {
		o.Predefined = `{"personal": {"D:displayname": "Persönlich", "tag": "VCALENDAR", "C:calendar-description": null}, "book": {"tag": "VADDRESSBOOK"}, "files": {}}`
	})
	for name, want := range map[string]Kind{"personal": Calendar, "book": AddressBook, "files": Plain, "cal": Calendar} {
		if r, err := fx.Resource("user/" + name); err != nil || r.Kind != want {
			t.Errorf("%s: %v, %v", name, r.Kind, err)
		}
	}
	if p := fx.open("user/personal").Props(); !slices.Equal(p, Props{{"D:displayname", "Persönlich"}, {"tag", "VCALENDAR"}}) {
		t.Errorf("properties %v", p)
	}
	// Only with the home.
	fx.update(func(tx *Tx) error { return tx.Delete("user/personal") })
	fx.must(fx.EnsurePrincipal("user"))
	if _, err := fx.Resource("user/personal"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("made again: %v", err)
	}
	for text, ok := range map[string]bool{
		"": true, "{}": true, `{"a": {}}`: true, `{"a": {"D:displayname": "b"}}`: true,
		"{": false, `{"../a": {}}`: false, `{".a": {}}`: false, `{"a": {"tag": "VJOURNAL"}}`: false, `{"a": 1}`: false, `["a"]`: false,
	} {
		if err := CheckPredefined(text); (err == nil) != ok {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestFollowLinks: links out of the folder are followed only where that is wanted.
func TestFollowLinks(t *testing.T) {
	for _, follow := range []bool{false, true} {
		fx := newFixture(t, func(o *Options) { o.FollowLinks = follow })
		out := t.TempDir()
		fx.must(os.WriteFile(filepath.Join(out, propsName), []byte(`{"tag": "VCALENDAR"}`), 0o666))
		fx.must(os.WriteFile(filepath.Join(out, "a.ics"), event("a", 1), 0o666))
		fx.must(os.Symlink(out, filepath.Join(fx.opts.Folder, rootName, "user", "out")))
		r, err := fx.Resource("user/out")
		if follow && (err != nil || r.Kind != Calendar) || !follow && !errors.Is(err, fs.ErrPermission) {
			t.Errorf("follow %v: %v, %v", follow, r.Kind, err)
		}
		if !follow {
			continue
		}
		if c := fx.open("user/out"); c.Len() != 1 || c.SyncToken() == "" {
			t.Errorf("%d objects, token %q", c.Len(), c.SyncToken())
		}
		st, err := fx.StageBytes("user/out", event("b", 1))
		fx.must(err)
		fx.update(func(tx *Tx) error { _, err := tx.Put("user/out/b.ics", st, unknownSummary()); return err })
		if got := slices.Sorted(maps.Keys(fx.etagsOf(fx.open("user/out")))); !slices.Equal(got, []string{"a.ics", "b.ics"}) {
			t.Errorf("objects %v", got)
		}
	}
}
