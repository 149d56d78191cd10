package main

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// Processes that end at any moment, system calls that fail, many clients at once.
// -long does more of it.

func oneEvent(uid, summary string) string {
	return crlf(vevent(uid, summary, "20261202T100000Z", ""))
}

// lastingClient gives a client of its own, which keeps its connection.
func (s *server) lastingClient() *http.Client {
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, s.Address.Network(), s.Address.String())
	}}
	s.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: patience}
}

// verifyFolder checks the storage folder with the program.
func (s *server) verifyFolder() {
	s.t.Helper()
	if stdout, stderr, code := run(s.t, "", "verify", "--config=", "--storage-filesystem-folder="+s.Folder); code != 0 {
		s.t.Errorf("verify: %d\n%s%s", code, stdout, stderr)
	}
}

// followed is what a client knows of a collection by sync-collection alone.
type followed struct {
	token string
	etags map[string]string
}

func (f *followed) follow(client *http.Client, url, collection string) error {
	changed, next, err := changesAt(client, url, collection, f.token)
	if err != nil {
		return err
	}
	if f.etags == nil {
		f.etags = map[string]string{}
	}
	for name, etag := range changed {
		if etag == "" {
			delete(f.etags, name)
		} else {
			f.etags[name] = etag
		}
	}
	f.token = next
	return nil
}

// TestKilledUnderLoad: processes are killed all the time while twenty clients
// write. What was answered is there, what was not is there whole or not at all.
func TestKilledUnderLoad(t *testing.T) {
	t.Parallel()
	const writers = 20
	span := 2 * time.Second
	if *long {
		span = 3 * time.Minute
	}
	prepared := clientServer(t)
	prepared.mkcalendar("/demo/cal/", "Calendar")
	var first followed
	if err := first.follow(prepared.Client, prepared.URL, "demo/cal"); err != nil {
		t.Fatal(err)
	}
	s := startServerWith(t, serverOptions{anyExit: true, args: append(slices.Clone(prepared.options.args), "--storage-filesystem-folder="+prepared.Folder)})
	s.exits = make(chan int, 1_000_000)
	s.Folder = prepared.Folder

	stop := make(chan struct{})
	var killer, group sync.WaitGroup
	var killed, answered atomic.Int64
	killer.Go(func() {
		rnd := rand.New(rand.NewPCG(1, 1))
		for {
			select {
			case <-stop:
				return
			case <-time.After(time.Duration(rnd.IntN(20)+1) * time.Millisecond):
			}
			s.mu.Lock()
			for cmd := range s.procs { // one by chance
				cmd.Process.Kill()
				killed.Add(1)
				break
			}
			s.mu.Unlock()
		}
	})
	// may is what each object may be: the summaries, "" for none.
	may := make([]map[string][]string, writers)
	for w := range writers {
		may[w] = map[string][]string{}
		group.Go(func() {
			client := s.lastingClient()
			rnd := rand.New(rand.NewPCG(uint64(w), 2))
			for step := 0; ; step++ {
				select {
				case <-stop:
					return
				default:
				}
				name := fmt.Sprintf("w%d-%d.ics", w, rnd.IntN(3))
				want, method, body := "", "DELETE", ""
				if rnd.IntN(4) > 0 {
					want, method = fmt.Sprint("step ", step), "PUT"
					body = crlf(vevent(strings.TrimSuffix(name, ".ics"), want, "20261202T100000Z", ""))
				}
				before := may[w][name]
				if before == nil {
					before = []string{""}
				}
				a, err := askAt(client, s.URL, method, "/demo/cal/"+name, body)
				switch {
				case err != nil:
					may[w][name] = append(slices.Clone(before), want)
				case a.Code/100 == 2:
					answered.Add(1)
					may[w][name] = []string{want}
				case a.Code == 404 && method == "DELETE":
					if !slices.Contains(before, "") {
						t.Errorf("%s is gone, it has to be one of %q", name, before)
					}
					may[w][name] = []string{""}
				default:
					t.Errorf("%s %s: %d\n%s", method, name, a.Code, a.Body)
					return
				}
			}
		})
	}
	time.Sleep(span) // how long it lasts, not what it waits for
	close(stop)
	killer.Wait()
	group.Wait()

	summary := regexp.MustCompile(`SUMMARY:(.*)\r\n`)
	stored := prepared.stored("demo/cal")
	for _, objects := range may {
		for name, allowed := range objects {
			is := ""
			if text, ok := stored[name]; ok {
				m := summary.FindStringSubmatch(text)
				if m == nil || !strings.HasSuffix(text, "END:VCALENDAR\r\n") {
					t.Errorf("%s is not whole: %q", name, text)
					continue
				}
				is = m[1]
			}
			if !slices.Contains(allowed, is) {
				t.Errorf("%s is %q, it has to be one of %q", name, is, allowed)
			}
		}
	}
	if err := first.follow(prepared.Client, prepared.URL, "demo/cal"); err != nil {
		t.Error(err)
	}
	if d := different(first.etags, side{t: t, http: prepared.Client, url: prepared.URL}.etags("demo/cal")); d != "" {
		t.Errorf("who follows the changes has, and has not:%s", d)
	}
	prepared.verifyFolder()
	if killed.Load() == 0 || answered.Load() == 0 {
		t.Errorf("%d killed, %d answered", killed.Load(), answered.Load())
	}
	t.Logf("%d processes killed, %d writes answered", killed.Load(), answered.Load())
}

// An event of a history: what a client asked and what it was told, and when.
type historyEvent struct {
	begin, end time.Duration
	put        string // written; "" for a read
	was        string // read, or the value that If-Match named
	ok         bool   // not refused with 412
}

// linearizable reports whether there is an order of the events, each at a moment
// between its begin and its end, in which a register that begins as initial does
// what they say (Wing and Gong).
func linearizable(h []historyEvent, initial string) bool {
	slices.SortFunc(h, func(a, b historyEvent) int { return cmp.Compare(a.begin, b.begin) })
	type position struct {
		done  string // a bit for each event
		value string
	}
	seen := map[position]bool{}
	done := make([]byte, len(h))
	var try func(left int, value string) bool
	try = func(left int, value string) bool {
		if left == 0 {
			return true
		}
		p := position{string(done), value}
		if seen[p] {
			return false
		}
		seen[p] = true
		limit := time.Duration(1<<63 - 1) // nothing that begins later can be next
		for i, e := range h {
			if done[i] == 0 {
				limit = min(limit, e.end)
			}
		}
		for i, e := range h {
			if done[i] == 1 || e.begin > limit {
				continue
			}
			next := value
			switch {
			case e.put == "" && e.was != value, e.put != "" && e.ok != (e.was == value):
				continue
			case e.put != "" && e.ok:
				next = e.put
			}
			done[i] = 1
			if try(left-1, next) {
				return true
			}
			done[i] = 0
		}
		return false
	}
	return try(len(h), initial)
}

func TestLinearizable(t *testing.T) {
	ms := func(a, b int) (begin, end time.Duration) { return time.Duration(a), time.Duration(b) }
	event := func(a, b int, put, was string, ok bool) historyEvent {
		begin, end := ms(a, b)
		return historyEvent{begin, end, put, was, ok}
	}
	for _, test := range []struct {
		what string
		want bool
		h    []historyEvent
	}{
		{"read what was", true, []historyEvent{event(0, 1, "", "0", true)}},
		{"read what never was", false, []historyEvent{event(0, 1, "", "1", true)}},
		{"read during a write", true, []historyEvent{event(0, 9, "1", "0", true), event(1, 2, "", "1", true), event(3, 4, "", "1", true)}},
		{"read the old after the new", false, []historyEvent{event(0, 9, "1", "0", true), event(1, 2, "", "1", true), event(3, 4, "", "0", true)}},
		{"two of the same version", false, []historyEvent{event(0, 9, "1", "0", true), event(0, 9, "2", "0", true)}},
		{"refused without cause", false, []historyEvent{event(0, 1, "1", "0", false)}},
		{"refused", true, []historyEvent{event(0, 9, "1", "0", true), event(0, 9, "2", "0", false)}},
	} {
		if got := linearizable(test.h, "0"); got != test.want {
			t.Errorf("%s: %v", test.what, got)
		}
	}
}

// TestHistories: clients, each with processes of its own, read and write a few
// objects with If-Match. There is one order in which all they were told is true.
// Others move the objects to and fro; who follows by sync-collection sees only
// what there is.
func TestHistories(t *testing.T) {
	t.Parallel()
	const objects, clients = 2, 6
	steps := 12
	if *long {
		steps = 40
	}
	rounds := 1
	if *long {
		rounds = 50
	}
	s := clientServer(t)
	for round := range rounds {
		calendar := fmt.Sprintf("demo/cal%d", round)
		s.mkcalendar("/"+calendar+"/", "Calendar")
		start := time.Now()
		var mu sync.Mutex
		history := make([][]historyEvent, objects)
		initial := make([]string, objects)
		path := func(o int) string { return fmt.Sprintf("/%s/o%d.ics", calendar, o) }
		for o := range objects {
			initial[o] = s.must([]int{201}, "PUT", path(o), crlf(vevent(fmt.Sprint("o", o), "0", "20261202T100000Z", ""))).Header.Get("ETag")
		}
		var writers, others sync.WaitGroup
		stop := make(chan struct{})
		for c := range clients {
			client := s.lastingClient()
			writers.Go(func() {
				rnd := rand.New(rand.NewPCG(uint64(c), uint64(round)))
				knows := slices.Clone(initial)
				for step := range steps {
					o := rnd.IntN(objects)
					e := historyEvent{begin: time.Since(start), was: knows[o], ok: true}
					if rnd.IntN(2) == 0 {
						a, err := askAt(client, s.URL, "GET", path(o), "")
						if err != nil || a.Code != 200 {
							t.Errorf("GET: %d %v", a.Code, err)
							return
						}
						e.was = a.Header.Get("ETag")
						knows[o] = e.was
					} else {
						a, err := askAt(client, s.URL, "PUT", path(o), crlf(vevent(fmt.Sprint("o", o), fmt.Sprintf("%d-%d", c, step), "20261202T100000Z", "")), "If-Match: "+knows[o])
						if err != nil || a.Code != 204 && a.Code != 412 {
							t.Errorf("PUT: %d %v\n%s", a.Code, err, a.Body)
							return
						}
						e.put, e.ok = fmt.Sprint("refused ", c, step), a.Code == 204
						if e.ok {
							e.put = a.Header.Get("ETag")
							knows[o] = e.put
						}
					}
					e.end = time.Since(start)
					mu.Lock()
					history[o] = append(history[o], e)
					mu.Unlock()
				}
			})
		}
		// One comes and goes by MOVE: it is always in exactly one place.
		s.must([]int{201}, "PUT", "/"+calendar+"/here.ics", crlf(vevent("wanderer", "0", "20261202T100000Z", "")))
		others.Go(func() {
			client := s.lastingClient()
			from, to := "here", "there"
			for {
				select {
				case <-stop:
					return
				default:
				}
				a, err := askAt(client, s.URL, "MOVE", "/"+calendar+"/"+from+".ics", "", "Destination: "+s.URL+calendar+"/"+to+".ics")
				if err != nil || a.Code != 201 {
					t.Errorf("MOVE: %d %v\n%s", a.Code, err, a.Body)
					return
				}
				from, to = to, from
			}
		})
		var f followed
		others.Go(func() {
			client := s.lastingClient()
			for {
				if err := f.follow(client, s.URL, calendar); err != nil {
					t.Error(err)
					return
				}
				_, here := f.etags["here.ics"]
				_, there := f.etags["there.ics"]
				if len(f.etags) != objects+1 || here == there {
					t.Errorf("who follows the changes has %v", f.etags)
					return
				}
				select {
				case <-stop:
					return
				default:
				}
			}
		})
		writers.Wait()
		close(stop)
		others.Wait()
		if err := f.follow(s.Client, s.URL, calendar); err != nil {
			t.Fatal(err)
		}
		if d := different(f.etags, side{t: t, http: s.Client, url: s.URL}.etags(calendar)); d != "" {
			t.Errorf("who follows the changes has, and has not:%s", d)
		}
		for o, h := range history {
			if !linearizable(h, initial[o]) {
				t.Errorf("no order of these is true: %+v", h)
			}
		}
	}
	s.noServerError()
	s.verifyFolder()
}

// TestStoppedLockHolder: while somebody holds the lock and does not go on,
// objects are read, and who has to wait is told so after a while.
func TestStoppedLockHolder(t *testing.T) {
	t.Parallel()
	s := clientServer(t)
	s.mkcalendar("/demo/cal/", "Calendar")
	s.must([]int{201}, "PUT", "/demo/cal/a.ics", oneEvent("a", "A"))
	lock, err := os.OpenFile(filepath.Join(s.Folder, ".Radicale.lock"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	s.must([]int{200}, "GET", "/demo/cal/a.ics", "")
	if !*long {
		return // the rest takes half a minute; store's TestUpdateTimesOut is its beginning
	}
	var group sync.WaitGroup
	for _, r := range [][2]string{{"PROPFIND", ""}, {"PUT", oneEvent("b", "B")}} {
		group.Go(func() {
			client := s.lastingClient()
			client.Timeout = time.Minute
			path := map[string]string{"PROPFIND": "/demo/cal/", "PUT": "/demo/cal/b.ics"}[r[0]]
			a, err := askAt(client, s.URL, r[0], path, r[1], "Depth: 1")
			if err != nil || a.Code != 503 || a.Header.Get("Retry-After") == "" {
				t.Errorf("%s: %d %v %v", r[0], a.Code, a.Header, err)
			}
		})
	}
	group.Wait()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_UN); err != nil {
		t.Fatal(err)
	}
	s.must([]int{201}, "PUT", "/demo/cal/b.ics", oneEvent("b", "B"))
}

// TestFaults lets system calls of the real program fail. The answer is right,
// the log names the path, nothing is lost, and the next request succeeds.
func TestFaults(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("strace"); err != nil {
		t.Skip("SKIPPED, NOT TESTED: strace is not installed")
	}
	for _, f := range []struct {
		call, errno string
		want        []int // besides success
		reads       bool  // happens to readers, too
		heals       bool  // nobody may notice: a journal that cannot be read is made anew
	}{
		// write(2) is the runtime's, too: see store's TestFullDisk
		{"fsync", "EDQUOT", []int{507}, false, false},
		{"fsync", "EIO", []int{500}, false, false},
		{"fsync", "ENOSPC", []int{507}, false, false},
		{"renameat", "EIO", []int{500}, false, false},
		{"renameat", "ENOSPC", []int{507}, false, false},
		{"renameat", "EROFS", []int{403}, false, false},
		{"renameat", "EACCES", []int{403}, false, false},
		{"flock", "ENOLCK", []int{503}, true, false},
		{"openat2", "EMFILE", []int{503}, true, false},
		{"openat2", "ENFILE", []int{503}, true, false},
		{"openat2", "ENOMEM", []int{503}, true, false},
		{"openat2", "ESTALE", []int{503}, true, false},
		{"openat2", "EIO", []int{500}, true, false},
		{"openat2", "EACCES", []int{403}, true, false},
		{"pread64", "EIO", []int{500}, true, true},
	} {
		t.Run(f.call+" "+f.errno, func(t *testing.T) {
			s := clientServer(t)
			s.mkcalendar("/demo/cal/", "Calendar")
			s.must([]int{201}, "PUT", "/demo/cal/a.ics", oneEvent("a", "0"))
			methods := []string{"PUT"}
			if f.reads {
				methods = append(methods, "GET", "PROPFIND")
			}
			last := 3
			if f.call == "openat2" { // which thread makes the first ones, for which nobody is refused, varies
				last = 6
			}
			if *long {
				last = 40
			}
			failed, version := 0, "0"
			for _, method := range methods {
				for when := 1; when <= last; when++ {
					trace := filepath.Join(t.TempDir(), "trace")
					broken := startServerWith(t, serverOptions{
						handover: inetd, anyExit: true,
						command: []string{"strace", "-f", "-qq", "-o", trace, "-e", "trace=" + f.call,
							"-e", fmt.Sprintf("inject=%s:error=%s:when=%d", f.call, f.errno, when)},
						args: append(slices.Clone(s.options.args), "--storage-filesystem-folder="+s.Folder),
					})
					path, body, headers := "/demo/cal/a.ics", "", []string{"Depth: 1"}
					next := strconv.Itoa(when)
					switch method {
					case "PUT":
						body = oneEvent("a", next)
					case "PROPFIND":
						path = "/demo/cal/"
					}
					a, err := askAt(broken.Client, broken.URL, method, path, body, headers...)
					broken.Client.CloseIdleConnections()
					broken.waitExit()
					b, _ := os.ReadFile(trace)
					if len(b) == 0 && err != nil {
						t.Skipf("SKIPPED, NOT TESTED: strace does not work here: %v", err)
					}
					what := fmt.Sprintf("%s with %s number %d failing: %d %v", method, f.call, when, a.Code, err)
					switch {
					case err != nil: // no answer: it could not even begin, or the answer itself failed
					case a.Code/100 == 2:
					case slices.Contains(f.want, a.Code):
						failed++
						if log := broken.Log(); !strings.Contains(log, method+" "+path+": ") || a.Code == 503 && a.Header.Get("Retry-After") == "" {
							t.Errorf("%s: %v\n%s", what, a.Header, log)
						}
					default:
						t.Errorf("%s, want %v\n%s", what, f.want, broken.Log())
					}
					if strings.Contains(broken.Log(), "panic in ") {
						t.Errorf("%s\n%s", what, broken.Log())
					}
					stored := s.stored("demo/cal")
					switch stored["a.ics"] {
					case oneEvent("a", next):
						if method == "PUT" {
							version = next
						}
					case oneEvent("a", version):
						if method == "PUT" && err == nil && a.Code/100 == 2 {
							t.Errorf("%s: acknowledged, but not there", what)
						}
					default:
						t.Fatalf("%s: neither old nor new: %q", what, stored)
					}
					if len(stored) != 1 {
						t.Fatalf("%s: left %q", what, stored)
					}
					if !strings.Contains(string(b), "INJECTED") {
						break
					}
				}
			}
			if failed == 0 && !f.heals {
				t.Errorf("no request failed with %v", f.want)
			}
			s.must([]int{204}, "PUT", "/demo/cal/a.ics", oneEvent("a", "after"))
			s.verifyFolder()
			t.Logf("%d requests refused", failed)
		})
	}
}
