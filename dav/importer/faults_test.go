package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// A faulty proxy stands before a server and does to each request what fault
// says: it gets the number of the request among those of its method, and what
// the server answered. What it returns is sent, cut bytes of it, if cut is not
// negative, before the connection is broken.
type faulty struct {
	base string
	mu   sync.Mutex
	seen map[string]int // requests of each method
	asks []string       // hrefs that multigets asked for
}

type fault func(method string, n int, resp *http.Response) (answer *http.Response, cut int)

func startFaulty(t *testing.T, behind string, do fault) *faulty {
	t.Helper()
	to, err := url.Parse(behind)
	if err != nil {
		t.Fatal(err)
	}
	f := &faulty{seen: map[string]int{}}
	proxy := httputil.NewSingleHostReverseProxy(to)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(b))
		r.Header.Del("Accept-Encoding")
		f.mu.Lock()
		n := f.seen[r.Method]
		f.seen[r.Method]++
		for _, part := range strings.Split(string(b), "href>")[1:] {
			if href, _, ok := strings.Cut(part, "</"); ok && strings.HasPrefix(href, "/") {
				f.asks = append(f.asks, href)
			}
		}
		f.mu.Unlock()
		record := httptest.NewRecorder()
		proxy.ServeHTTP(record, r)
		resp, cut := do(r.Method, n, record.Result())
		body, _ := io.ReadAll(resp.Body)
		for k, v := range resp.Header {
			w.Header()[k] = v
		}
		w.Header().Set("Content-Length", fmt.Sprint(len(body)))
		w.WriteHeader(resp.StatusCode)
		if cut >= 0 {
			w.Write(body[:min(cut, len(body))])
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}
		w.Write(body)
	}))
	t.Cleanup(server.Close)
	f.base = server.URL
	return f
}

// status answers with a status instead.
func status(code int, headers ...string) *http.Response {
	h := http.Header{}
	for i := 0; i < len(headers); i += 2 {
		h.Set(headers[i], headers[i+1])
	}
	return &http.Response{StatusCode: code, Header: h, Body: io.NopCloser(strings.NewReader("no"))}
}

func filledOurs(t *testing.T, n int) *source {
	base, _ := startOurs(t)
	s := &source{base: base, login: "bob", password: "x", calendar: "/bob/work/", cards: "/bob/people/"}
	s.send(t, "PROPFIND", "/", "")
	s.makeCollections(t)
	s.fill(t, n)
	t.Setenv(passwordVariable, "x")
	return s
}

// What fails and passes is tried again, and no object is fetched twice that was
// already there.
func TestFaults(t *testing.T) {
	for _, test := range []struct {
		name string
		do   fault
	}{
		{"cut in the middle of an answer", func(method string, n int, resp *http.Response) (*http.Response, int) {
			if method == "REPORT" && n < 5 {
				return resp, 1500 + 100*n
			}
			return resp, -1
		}},
		{"cut before the answer", func(method string, n int, resp *http.Response) (*http.Response, int) {
			if n%3 == 1 {
				return resp, 0
			}
			return resp, -1
		}},
		{"a cut list", func(method string, n int, resp *http.Response) (*http.Response, int) {
			if method == "PROPFIND" && resp.ContentLength != 0 && n > 5 && n%2 == 0 {
				return resp, 700
			}
			return resp, -1
		}},
		{"500", func(method string, n int, resp *http.Response) (*http.Response, int) {
			if n%2 == 1 {
				return status(500), -1
			}
			return resp, -1
		}},
		{"503 Retry-After", func(method string, n int, resp *http.Response) (*http.Response, int) {
			if n%3 != 0 {
				return status(503, "Retry-After", "0"), -1
			}
			return resp, -1
		}},
		{"no multiget", func(method string, n int, resp *http.Response) (*http.Response, int) {
			if method == "REPORT" {
				return status(501), -1
			}
			return resp, -1
		}},
		{"multiget without data", func(method string, n int, resp *http.Response) (*http.Response, int) {
			if method == "REPORT" {
				a := status(207, "Content-Type", "application/xml")
				a.Body = io.NopCloser(strings.NewReader(`<multistatus xmlns="DAV:"></multistatus>`))
				return a, -1
			}
			return resp, -1
		}},
		{"multiget that is no XML", func(method string, n int, resp *http.Response) (*http.Response, int) {
			if method == "REPORT" {
				b, _ := io.ReadAll(resp.Body)
				a := status(207, "Content-Type", "application/xml")
				a.Body = io.NopCloser(strings.NewReader(strings.Replace(string(b), "SUMMARY", "\x01", 1)))
				return a, -1
			}
			return resp, -1
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := filledOurs(t, 20)
			f := startFaulty(t, s.base, test.do)
			folder := t.TempDir()
			want(t, exitDone, []string{`"alice/work" (Büro & Haus): 20 new,`, `"alice/people" (Leute): 20 new,`}, folder,
				"--to=alice", "--login=bob", "--batch=10", f.base+"/bob/")
			if events := objects(t, folder, "alice/work"); len(events) != 20 || events["event7.ics"] != event("event7", "Ereignis Nº 7 & <more>") {
				t.Errorf("%d events; %q", len(events), events["event7.ics"])
			}
		})
	}
}

// An import that was ended in its middle goes on where it stopped: what is
// stored is not asked for again.
func TestResume(t *testing.T) {
	s := filledOurs(t, 30)
	broken := startFaulty(t, s.base, func(method string, n int, resp *http.Response) (*http.Response, int) {
		if method == "REPORT" && n >= 1 {
			return status(503, "Retry-After", "0"), -1
		}
		return resp, -1
	})
	folder := t.TempDir()
	args := []string{"--to=alice", "--login=bob", "--batch=10", "--retries=1"}
	out := want(t, exitFailed, []string{"503"}, folder, append(args, broken.base+"/bob/")...)
	if n := len(objects(t, folder, "alice/work")); n != 10 {
		t.Fatalf("%d objects\n%s", n, out)
	}
	// The journal is by URL: the same one has to be asked.
	s2 := startFaulty(t, s.base, func(_ string, _ int, resp *http.Response) (*http.Response, int) { return resp, -1 })
	rename(t, folder, broken.base, s2.base)
	want(t, exitDone, []string{"20 new, 0 changed, 10 as before", "30 new, 0 changed, 0 as before"}, folder, append(args, s2.base+"/bob/")...)
	if len(s2.asks) != 50 {
		t.Errorf("%d objects were asked for: %q", len(s2.asks), s2.asks)
	}
	want(t, exitDone, []string{"0 new, 0 changed, 30 as before"}, folder, append(args, s2.base+"/bob/")...)
	if len(s2.asks) != 50 {
		t.Errorf("asked again for %q", s2.asks[50:])
	}
}

// rename lets what came from one URL be as if it came from another.
func rename(t *testing.T, folder, from, to string) {
	t.Helper()
	for _, c := range []string{"work", "people"} {
		old, err := openJournal(folder, from+"/bob/"+c+"/", "alice/"+c, false)
		if err != nil {
			t.Fatal(err)
		}
		now, err := openJournal(folder, to+"/bob/"+c+"/", "alice/"+c, false)
		if err == nil && len(old.objects) > 0 {
			err = os.Rename(old.path, now.path)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// Ended by a signal, between any two objects.
func TestInterrupted(t *testing.T) {
	s := filledOurs(t, 10)
	folder := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	f := startFaulty(t, s.base, func(method string, n int, resp *http.Response) (*http.Response, int) {
		if method == "REPORT" && n == 1 {
			cancel()
		}
		return resp, -1
	})
	out, code := importing(t, ctx, folder, "--to=alice", "--login=bob", "--batch=3", f.base+"/bob/")
	if code != exitFailed || !strings.Contains(out, "goes on from here") {
		t.Errorf("%d %s", code, out)
	}
	want(t, exitDone, []string{"7 new, 0 changed, 3 as before"}, folder, "--to=alice", "--login=bob", "--batch=3", f.base+"/bob/")
}

// The last line of a journal may be torn; one that is no line of ours is none.
func TestJournal(t *testing.T) {
	folder := t.TempDir()
	j, err := openJournal(folder, "s", "t", true)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []fetched{{Step: stepBegun}, {Path: "/a", ETag: "1", Name: "a", Ours: "x"}, {Path: "/b", ETag: "1", Name: "b", Ours: "x"}, {Path: "/b"}, {Path: "/a", ETag: "2", Name: "a", Ours: "y"}} {
		if err := j.add(f); err != nil {
			t.Fatal(err)
		}
	}
	j.file.WriteString(`{"path":"/c","etag`)
	j.close()
	j, err = openJournal(folder, "s", "t", true)
	if err != nil {
		t.Fatal(err)
	}
	defer j.close()
	if len(j.objects) != 1 || j.objects["/a"].ETag != "2" || !j.begun || j.props {
		t.Errorf("%+v", j)
	}
	if err := j.add(fetched{Path: "/d", ETag: "1", Name: "d"}); err != nil {
		t.Fatal(err)
	}
	again, err := openJournal(folder, "s", "t", false)
	if err != nil || len(again.objects) != 2 {
		t.Errorf("%+v %v", again, err)
	}
}

// Passwords go where they may, requests where they are led.
func TestClient(t *testing.T) {
	var got []string
	var mu sync.Mutex
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		b, _ := io.ReadAll(r.Body)
		_, _, ok := r.BasicAuth()
		got = append(got, fmt.Sprint(r.Method, " ", r.URL.Path, " ", string(b), " ", ok))
		if !ok {
			w.WriteHeader(401)
		}
	}))
	defer other.Close()
	otherURL := strings.Replace(other.URL, "127.0.0.1", "localhost", 1)
	first := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusMovedPermanently)
		case "/other":
			http.Redirect(w, r, otherURL+"/there", http.StatusFound)
		default:
			_, password, _ := r.BasicAuth()
			if password != "x" {
				w.WriteHeader(401)
			}
		}
	}))
	defer first.Close()
	for _, test := range []struct {
		path, login, password string
		trust                 []string
		want                  string
	}{
		{"/", "bob", "x", nil, ""},
		{"/", "bob", "y", nil, `refuses user "bob"`},
		{"/", "", "", nil, "wants a login"},
		{"/loop", "bob", "x", nil, "without end"},
		{"/other", "bob", "x", nil, "say --trust-host localhost"},
		{"/other", "bob", "x", []string{"localhost"}, ""},
	} {
		c := newClient(test.login, test.password, append(test.trust, "127.0.0.1"), 0)
		req, err := http.NewRequest("PROPFIND", first.URL+test.path, strings.NewReader("body"))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := c.Do(req)
		if err == nil {
			resp.Body.Close()
		}
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: %v", test, err)
		}
	}
	if want := []string{"PROPFIND /there body false", "PROPFIND /there body true"}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%q", got)
	}
	// A certificate that nobody vouches for is not tried again.
	secret := httptest.NewTLSServer(http.NotFoundHandler())
	defer secret.Close()
	c := newClient("bob", "x", nil, 5)
	c.wait = func(context.Context, time.Duration) error { t.Error("tried again"); return nil }
	req, _ := http.NewRequest("PROPFIND", secret.URL, nil)
	if _, err := c.Do(req); err == nil || !strings.Contains(err.Error(), "SSL_CERT_FILE") {
		t.Error(err)
	}
	plain, _ := http.NewRequest("PROPFIND", strings.Replace(first.URL, "http:", "https:", 1), nil)
	if _, err := c.Do(plain); err == nil || !strings.Contains(err.Error(), "does not speak TLS") {
		t.Error(err)
	}
}

// RFC 6764, 8: whom the DNS names gets no password, unless it is in the domain.
func TestTrust(t *testing.T) {
	for _, test := range []struct {
		host, domain string
		want         bool
	}{
		{"example.org", "example.org", true},
		{"DAV.example.org", "Example.org", true},
		{"dav.example.com", "example.org", false},
		{"notexample.org", "example.org", false},
		{"example.org", "dav.example.org", false},
	} {
		c := newClient("bob", "x", nil, 0)
		c.trust(test.host, test.domain)
		if got := c.mayKnow(&url.URL{Host: test.host + ":443"}); got != test.want {
			t.Errorf("%s, found by %s: %v", test.host, test.domain, got)
		}
	}
}

// RFC 7616, 3.9.1.
func TestDigest(t *testing.T) {
	for _, algorithm := range []string{"MD5", "SHA-256", "MD5-sess", "SHA-512-256"} {
		d := parseDigest([]string{`Basic realm="x"`, `Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=` + algorithm + `, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"`})
		if (d == nil) != (algorithm == "SHA-512-256") {
			t.Fatal(algorithm, d)
		}
		if d == nil {
			continue
		}
		r, _ := http.NewRequest("GET", "http://h/dir/index.html", nil)
		p := parameters(strings.TrimPrefix(d.answer(r, "Mufasa", "Circle of Life"), "Digest "))
		if p["username"] != "Mufasa" || p["nc"] != "00000001" || p["uri"] != "/dir/index.html" || len(p["response"]) != map[string]int{"MD5": 32, "MD5-sess": 32, "SHA-256": 64}[algorithm] {
			t.Errorf("%q", p)
		}
	}
}

// The storage folder is not touched by a dry run, and neither is a collection
// of another kind.
func TestDryRun(t *testing.T) {
	s := filledOurs(t, 3)
	folder := filepath.Join(t.TempDir(), "no")
	want(t, exitDone, []string{"would be: 3 new"}, folder, "--to=alice", "--login=bob", "-n", s.base+"/bob/")
	if _, err := os.Stat(folder); err == nil {
		t.Error("made the folder")
	}
	want(t, exitDone, []string{`"alice/x" (Büro & Haus): would be`}, folder, "--to=alice/x", "--login=bob", "-n", s.base+"/bob/work/")
	want(t, exitFailed, []string{"2 collections"}, folder, "--to=alice/x", "--login=bob", "-n", s.base+"/bob/")
	want(t, exitDone, nil, folder, "--to=alice/x", "--login=bob", "--collection=Leute", s.base+"/bob/")
	want(t, exitFailed, []string{"of another kind"}, folder, "--to=alice/x", "--login=bob", "--collection=work", s.base+"/bob/")
	want(t, exitFailed, []string{"no such calendars"}, folder, "--to=alice/x", "--login=bob", "--collection=none", s.base+"/bob/")
}
