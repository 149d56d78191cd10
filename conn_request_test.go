package main

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A said is what a client sends.
type said struct {
	method, path, body string
	header             http.Header
}

// say sends requests, each on a connection of its own, and returns the log.
func say(t *testing.T, s *server, list ...said) string {
	t.Helper()
	for _, q := range list {
		r, err := http.NewRequest(q.method, strings.TrimSuffix(s.URL, "/")+q.path, strings.NewReader(q.body))
		if err != nil {
			t.Fatal(err)
		}
		r.Close = true
		for name, values := range q.header {
			r.Header[name] = values
		}
		resp, err := s.Client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		s.waitExit()
	}
	return s.Log()
}

// fields makes a header of names and values.
func fields(list ...string) http.Header {
	h := make(http.Header)
	for i := 0; i < len(list); i += 2 {
		h.Set(list[i], list[i+1])
	}
	return h
}

const (
	basicU     = "Basic dTpw" // u:p
	wrongBasic = "Basic dTp4" // u:x
)

// The lines of requests and logins are Radicale's: those patterns are the ones
// of its script for logwatch and of filters for fail2ban.
func TestRequestLog(t *testing.T) {
	users := filepath.Join(t.TempDir(), "users")
	if err := os.WriteFile(users, []byte("u:p\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := startServer(t, "--logging-level=info", "--auth-type=htpasswd", "--auth-htpasswd-filename="+users, "--auth-htpasswd-encryption=plain", "--auth-delay=0")
	log := say(t, s,
		said{"PROPFIND", "/u/", "", fields("Depth", "1", "Authorization", basicU, "User-Agent", "it's/1", "X-Forwarded-For", "192.0.2.7")},
		said{"GET", "/u/x%0Ay", "", fields("Authorization", basicU, "User-Agent", "")},
		said{"PROPFIND", "/u/", "", fields("Depth", "0", "Authorization", wrongBasic, "User-Agent", "")},
		said{"PROPFIND", "/u/", "", fields("Depth", "0", "Authorization", wrongBasic, "User-Agent", "", "X-Forwarded-For", "192.0.2.7")},
	)
	const at = `^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4}\] \[\d+\] `
	for _, want := range []string{
		at + `\[INFO\] PROPFIND request for '/u/' with depth '1' received from 127\.0\.0\.1 \(forwarded for '192\.0\.2\.7'\) using "it's/1"$`,
		at + `\[INFO\] PROPFIND response status for '/u/' with depth '1' in \d+\.\d{3} seconds: 207 Multi-Status$`,
		at + `\[INFO\] GET request for '/u/x\\ny' received from 127\.0\.0\.1$`,
		at + `\[INFO\] GET response status for '/u/x\\ny' in \d+\.\d{3} seconds: 404 Not Found$`,
		at + `\[WARNING\] Failed login attempt from 127\.0\.0\.1: 'u' \(htpasswd\)$`,
		at + `\[WARNING\] Failed login attempt from 127\.0\.0\.1 \(forwarded for '192\.0\.2\.7'\): 'u' \(htpasswd\)$`,
	} {
		if n := len(regexp.MustCompile("(?m)"+want).FindAllString(log, -1)); n != 1 {
			t.Errorf("%d lines are like %s", n, want)
		}
	}
	// Radicale's contrib/logwatch; the number of lines.
	for pattern, want := range map[string]int{
		`\[(DEBUG|INFO|WARNING|ERROR|CRITICAL)\] `:                                    15,
		` (\S+) response status`:                                                      4,
		` \S+ response status for .* with depth '(\d)' in ([0-9.]+) seconds: (\d+)`:   3,
		` \S+ response status for .* in ([0-9.]+) seconds: (\d+)`:                     4,
		` \S+ request for .* with depth '(\d)' received`:                              3,
		` (Successful login): '([^']+)'`:                                              2,
		` (Failed login attempt) `:                                                    2,
		`^.*\[WARNING\] Failed login attempt from .*\(forwarded for '(192\.0\.2\.7)'`: 1, // filters for fail2ban
		`^.*Failed login attempt from (127\.0\.0\.1):`:                                1,
	} {
		if n := len(regexp.MustCompile("(?m)"+pattern).FindAllString(log, -1)); n != want {
			t.Errorf("%d lines are like %s, want %d", n, pattern, want)
		}
	}
	// In the journal and in syslog what stands before the text matches, too.
	for _, form := range []form{formLevels, formSyslog, formPlain} {
		line := string((&sink{form: form}).prefix(nil, levelInfo)) + "GET response status for '/' in 0.001 seconds: 200 OK"
		if !regexp.MustCompile(`\[INFO\] \S+ response status for .* in ([0-9.]+) seconds: (\d+)`).MatchString(line) {
			t.Errorf("%q", line)
		}
	}

	quiet := startServer(t, "--logging-level=warning", "--logging-bad-put-request-content=False")
	if log := say(t, quiet, said{"OPTIONS", "/", "", nil}); log != "" {
		t.Errorf("at level warning: %q", log)
	}
}

// The options of [logging] that show more of a request.
func TestLogDetails(t *testing.T) {
	all := []string{"--logging-request-header-on-debug", "--logging-request-content-on-debug",
		"--logging-response-header-on-debug", "--logging-response-content-on-debug"}
	compressed := fields("Authorization", basicU, "Cookie", "geheim", "Depth", "0", "Accept-Encoding", "gzip")
	propfind := said{"PROPFIND", "/u/", "<propfind xmlns='DAV:'>\n<prop><resourcetype/></prop></propfind>", compressed}
	broken := said{"PUT", "/u/c/x.ics", "BEGIN:VCALENDAR\r\nSUMMARY:kaputt\r\n", fields("Authorization", basicU)}
	calendar := said{"MKCALENDAR", "/u/c/", "", fields("Authorization", basicU)}
	for _, test := range []struct {
		name      string
		args      []string
		want, not []string
	}{
		{"none of them", nil, nil, []string{"Request header", "Request content", "Response header", "Response content", "kaputt", "geheim", basicU}},
		{"all", all, []string{
			"[DEBUG] Request header: Authorization: Basic **masked**\n", "[DEBUG] Request header: Cookie: **masked**\n", "[DEBUG] Request header: Host: ",
			"[DEBUG] Request content: <propfind xmlns='DAV:'>\n", "[DEBUG] Request content: <prop><resourcetype/></prop></propfind>\n",
			"[DEBUG] Response header: Content-Type: application/xml; charset=utf-8\n", "[DEBUG] Response content: <?xml", "<resourcetype>",
		}, []string{"geheim", basicU, "Bad PUT"}},
		{"passwords", append(all, "--no-logging-mask-passwords"), []string{"Request header: Authorization: " + basicU + "\n"}, []string{"geheim"}},
		{"limit", append(all, "--logging-limit-content=5"), []string{"Request content: <prop\n", "Request content: ... (5 of "}, []string{"resourcetype"}},
		{"at info", append(all, "--logging-level=info"), []string{"[INFO] PROPFIND request for"}, []string{"Request header", "Request content", "Response", "kaputt"}},
		{"bad content", []string{"--logging-level=warning", "--logging-bad-put-request-content"}, []string{"[WARNING] Bad PUT request content of '/u/c/x.ics': SUMMARY:kaputt\n"}, []string{"INFO", "propfind"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			log := say(t, startServer(t, test.args...), calendar, propfind, broken)
			for _, want := range test.want {
				if !strings.Contains(log, want) {
					t.Errorf("%q is not logged", want)
				}
			}
			for _, not := range test.not {
				if strings.Contains(log, not) {
					t.Errorf("%q is logged", not)
				}
			}
		})
	}
}

// What a client sends compressed is no line of the log.
func TestLogBinaryContent(t *testing.T) {
	var body bytes.Buffer
	z := gzip.NewWriter(&body)
	io.WriteString(z, "<propfind xmlns='DAV:'><allprop/></propfind>")
	z.Close()
	log := say(t, startServer(t, "--logging-request-content-on-debug"),
		said{"PROPFIND", "/", body.String(), fields("Content-Encoding", "gzip", "Depth", "0")})
	if strings.Contains(log, "\x1f") || !strings.Contains(log, `Request content: \x1f\x8b`) {
		t.Errorf("%q", log)
	}
}

func BenchmarkRequestLog(b *testing.B) {
	for name, level := range map[string]int{"info": levelInfo, "warning": levelWarning} {
		b.Run(name, func(b *testing.B) {
			fd, err := unix.Open(os.DevNull, unix.O_WRONLY, 0)
			if err != nil {
				b.Fatal(err)
			}
			defer unix.Close(fd)
			s := &sink{level: level, fd: fd, form: formLevels}
			r, _ := http.NewRequest("PROPFIND", "http://h/u/c/", nil)
			r.RemoteAddr = "127.0.0.1:1"
			r.Header.Set("Depth", "1")
			r.Header.Set("User-Agent", "DAVx5/4.5 (Android)")
			b.ReportAllocs()
			for b.Loop() {
				if e := s.begin(r); e != nil {
					e.end(207, nil, 100)
				}
			}
		})
	}
}
