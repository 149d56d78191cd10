//go:build unix

package store

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"inetdav/store/object"
)

// roleVariable makes the test binary play another process.
const roleVariable = "INETDAV_STORE_ROLE"

// runnerVariable names the program below which this one runs where the machine
// has another processor (qemu of `make test-cross`).
const runnerVariable = "INETDAV_TEST_RUNNER"

func TestMain(m *testing.M) {
	role := os.Getenv(roleVariable)
	if role == "" {
		os.Exit(m.Run())
	}
	s, err := Open(Options{Folder: os.Args[1], FolderUmask: -1, StatAge: statNever, Logf: func(_ int, format string, args ...any) {
		fmt.Fprintf(os.Stderr, format+"\n", args...)
	}})
	if err == nil {
		err = play(s, role)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, role, err)
		os.Exit(1)
	}
}

// process prepares another process that plays a role on the fixture's folder.
func (fx *fixture) process(role string, wrapper ...string) *exec.Cmd {
	return fx.programProcess(os.Args[0], role, wrapper...)
}

func (fx *fixture) programProcess(program, role string, wrapper ...string) *exec.Cmd {
	args := slices.Clone(wrapper)
	if runner := os.Getenv(runnerVariable); runner != "" {
		args = append(args, runner)
	}
	args = append(args, program, fx.opts.Folder)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), roleVariable+"="+role)
	cmd.Stderr = os.Stderr
	return cmd
}

func play(s *Store, role string) error {
	n := 0
	if i := strings.LastIndexByte(role, ' '); i > 0 {
		n, _ = strconv.Atoi(role[i+1:])
		role = role[:i]
	}
	switch role {
	case "count":
		return playCount(s, n)
	case "write":
		return playWrite(s, n)
	case "read":
		return playRead(s)
	case "put":
		body := event("a", n)
		st, err := s.StageBytes(calPath, body)
		if err != nil {
			return err
		}
		defer st.Discard()
		sum, _ := object.Summarize(object.KindCalendar, body)
		err = s.Update(context.Background(), func(tx *Tx) error {
			_, err := tx.Put(calPath+"/a.ics", st, sum)
			return err
		})
		if err == nil {
			fmt.Println("done")
		}
		return err
	case "replace":
		st, err := s.StageCollection(calPath)
		if err == nil {
			err = errors.Join(st.Add("a.ics", event("a", n)), st.Sync())
		}
		if err != nil {
			return err
		}
		return s.Update(context.Background(), func(tx *Tx) error {
			return tx.Replace(calPath, Props{{"tag", "VCALENDAR"}}, st)
		})
	case "poll", "idle poll":
		for range n {
			if role == "idle poll" {
				s.StatAge = StatAuto
				past := time.Now().Add(-maxStatAge / 2)
				checked := filepath.Join(s.Folder, rootName, journalPath(calPath), checkedName)
				if err := os.Chtimes(checked, past, past); err != nil {
					return err
				}
			}
			c, err := s.Collection(context.Background(), calPath)
			if err != nil {
				return err
			}
			c.CTag()
			c.SyncToken()
			c.Close()
		}
		return nil
	}
	return errors.New("unknown role")
}

// playCount adds n to the number in counter.ics, one by one, as clients do
// that read, change and write with If-Match, and prints "ok" for each.
func playCount(s *Store, n int) error {
	const path = calPath + "/counter.ics"
	for done := 0; done < n; {
		o, err := s.OpenObject(path)
		if err != nil {
			return err
		}
		var b [4096]byte
		size, err := o.Read(b[:])
		o.Close()
		if err != nil {
			return err
		}
		_, rest, _ := strings.Cut(string(b[:size]), "SUMMARY:")
		value, err := strconv.Atoi(rest[:6])
		if err != nil {
			return err
		}
		body := event("counter", value+1)
		st, err := s.StageBytes(calPath, body)
		if err != nil {
			return err
		}
		sum, err := object.Summarize(object.KindCalendar, body)
		if err != nil {
			return err
		}
		err = s.Update(context.Background(), func(tx *Tx) error {
			if etag, err := tx.ETag(path); err != nil || etag != o.ETag {
				return err
			}
			_, err := tx.Put(path, st, sum)
			if err == nil {
				done++
			}
			return err
		})
		st.Discard()
		if err != nil {
			return err
		}
	}
	return nil
}

// playWrite puts and deletes objects for ever, printing each name and entity
// tag before and after.
func playWrite(s *Store, seed int) error {
	rnd := rand.New(rand.NewPCG(uint64(seed), 0))
	for i := 0; ; i++ {
		name := fmt.Sprintf("o%d.ics", rnd.IntN(8))
		body := event(strings.TrimSuffix(name, ".ics"), seed*100_000+i)
		etag := etagOf(body)
		if rnd.IntN(4) == 0 {
			etag = "-"
		}
		fmt.Println("begin", name, etag)
		var err error
		if etag == "-" {
			err = s.Update(context.Background(), func(tx *Tx) error { return tx.Delete(calPath + "/" + name) })
			if errors.Is(err, fs.ErrNotExist) {
				err = nil
			}
		} else {
			var st *Staged
			if st, err = s.StageBytes(calPath, body); err == nil {
				sum, _ := object.Summarize(object.KindCalendar, body)
				err = s.Update(context.Background(), func(tx *Tx) error {
					_, err := tx.Put(calPath+"/"+name, st, sum)
					return err
				})
			}
		}
		if err != nil {
			return err
		}
		fmt.Println("end", name, etag)
	}
}

// playRead lists the calendar: name and entity tag, then what it has for tokens.
func playRead(s *Store) error {
	c, err := s.Collection(context.Background(), calPath)
	if err != nil {
		return err
	}
	defer c.Close()
	for r := range c.Objects() {
		data, etag, err := c.Read(r.Name, nil)
		if err != nil || etag != r.ETag() || len(data) == 0 {
			return fmt.Errorf("read %q: %s %v", r.Name, etag, err)
		}
		fmt.Println(r.Name, r.ETag())
	}
	fmt.Printf("token %q\n", c.SyncToken())
	if _, ok := c.Lookup("no"); ok {
		return errors.New("found what is not there")
	}
	err = s.Update(context.Background(), func(tx *Tx) error { return tx.Delete(calPath + "/a.ics") })
	fmt.Println("delete:", errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS))
	return c.Err()
}

// TestConcurrentWriters: several processes count in one object; no increment
// is lost, and a client that looks on all the time ends with the truth.
func TestConcurrentWriters(t *testing.T) {
	fx := newFixture(t)
	fx.put("counter.ics", 0)
	const processes, each = 4, 15
	var running []*exec.Cmd
	for range processes {
		cmd := fx.process(fmt.Sprint("count ", each))
		fx.must(cmd.Start())
		running = append(running, cmd)
	}
	done := make(chan error)
	go func() {
		var err error
		for _, cmd := range running {
			err = errors.Join(err, cmd.Wait())
		}
		done <- err
	}()
	var client syncClient
	for waiting := true; waiting; {
		select {
		case err := <-done:
			fx.must(err)
			waiting = false
		default:
		}
		fx.sync(&client, 0)
	}
	b, err := os.ReadFile(fx.at("user/cal/counter.ics"))
	fx.must(err)
	if want := event("counter", processes*each); string(b) != string(want) {
		t.Errorf("got %s\nwant %s", b, want)
	}
	if !equalMaps(client.have, fx.truth()) {
		t.Errorf("client has %v, truth %v", client.have, fx.truth())
	}
	fx.noTemps()
	if len(fx.logs) > 0 {
		t.Errorf("log: %q", fx.logs)
	}
}

// TestKilledWriters: processes are killed at any moment. What they said was
// done is done, and clients converge.
func TestKilledWriters(t *testing.T) {
	fx := newFixture(t)
	var client syncClient
	rounds := 30
	if testing.Short() {
		rounds = 5
	}
	acknowledged := map[string]string{}
	for round := range rounds {
		cmd := fx.process(fmt.Sprint("write ", round+1))
		out, err := cmd.StdoutPipe()
		fx.must(err)
		fx.must(cmd.Start())
		lines := bufio.NewScanner(out)
		begun := [2]string{}
		limit := 3 + round%7 // lines until it is killed
		for lines.Scan() {
			verb, rest, _ := strings.Cut(lines.Text(), " ")
			name, etag, _ := strings.Cut(rest, " ")
			begun = [2]string{name, etag}
			if verb == "end" {
				acknowledged[name] = etag
				begun = [2]string{}
			}
			if limit--; limit == 0 {
				// After a "begin", it is in the middle of something.
				fx.must(cmd.Process.Kill())
			}
		}
		cmd.Wait()
		truth := fx.truth()
		for name, etag := range acknowledged {
			got := truth[name]
			if got == "" {
				got = "-"
			}
			if got == etag || begun == [2]string{name, got} {
				acknowledged[name] = got
				continue
			}
			t.Fatalf("round %d: %s is %s, acknowledged was %s", round, name, got, etag)
		}
		fx.sync(&client, 0)
		if !equalMaps(client.have, truth) {
			t.Fatalf("round %d: client has %v, truth %v", round, client.have, truth)
		}
		fx.checkTruth().Close()
	}
}

// TestReadOnly: someone who may not write can read everything, by a journal of
// his own in memory if the one that lies there is not up to date.
func TestReadOnly(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root, to become someone else")
	}
	for _, stale := range []bool{false, true} {
		for _, journal := range []bool{false, true} {
			t.Run(fmt.Sprintf("stale %v journal %v", stale, journal), func(t *testing.T) {
				fx := newFixture(t)
				fx.put("a.ics", 1)
				fx.put("b.ics", 1)
				fx.must(filepath.WalkDir(fx.opts.Folder, func(path string, d fs.DirEntry, err error) error {
					if err == nil && d.IsDir() {
						err = os.Chmod(path, 0o755)
					} else if err == nil {
						err = os.Chmod(path, 0o644)
					}
					return err
				}))
				fx.collection() // the chmod changed the times of the folder
				if !journal {
					fx.must(os.RemoveAll(filepath.Join(fx.dir, radicaleCache)))
				}
				if stale {
					fx.write("c.ics", event("c", 1))
				}
				for dir := filepath.Dir(fx.opts.Folder); len(dir) > len(os.TempDir()); dir = filepath.Dir(dir) {
					fx.must(os.Chmod(dir, 0o755))
				}
				binary := filepath.Join(filepath.Dir(fx.opts.Folder), "role")
				b, err := os.ReadFile(os.Args[0])
				fx.must(err)
				fx.must(os.WriteFile(binary, b, 0o755))
				cmd := fx.programProcess(binary, "read")
				cmd.Dir = "/"
				cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
				cmd.Stderr = nil
				out, err := cmd.Output()
				if err != nil {
					t.Fatalf("%v: %s", err, out)
				}
				var want strings.Builder
				for _, name := range []string{"a.ics", "b.ics", "c.ics"} {
					if etag, ok := fx.truth()[name]; ok {
						fmt.Fprintln(&want, name, etag)
					}
				}
				if !strings.HasPrefix(string(out), want.String()) || !strings.Contains(string(out), "delete: true") {
					t.Errorf("read:\n%s\nwant:\n%s", out, want.String())
				}
				// Only the journal on disk can answer for a history.
				if strings.Contains(string(out), `token ""`) != (stale || !journal) {
					t.Errorf("token:\n%s", out)
				}
			})
		}
	}
}
