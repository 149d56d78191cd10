package main

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"inetdav/dav/config"
)

func TestVersionCommand(t *testing.T) {
	for _, name := range []string{"version", "--version", "-V"} {
		out, errs, code := run(t, "", name)
		if code != 0 || errs != "" || !regexp.MustCompile(`^inetdav test \(go1\.\S+ \w+/\w+\)\n$`).MatchString(out) {
			t.Errorf("%s: %q %q %d", name, out, errs, code)
		}
	}
}

func TestHelpCommand(t *testing.T) {
	for _, name := range []string{"help", "--help", "-h", "verify --help", "hash-password -h", "--config= verify --help", "--config= --help"} {
		out, errs, code := run(t, "", strings.Fields(name)...)
		if code != 0 || errs != "" {
			t.Errorf("%s: %q %d", name, errs, code)
		}
		for _, c := range commands() {
			if !strings.Contains(out, c.does) {
				t.Errorf("%s does not tell of %q", name, c.name)
			}
		}
		for line := range strings.Lines(out) {
			if len(line) > 81 {
				t.Errorf("%s: too long: %q", name, line)
			}
		}
	}
}

// The hashes are right when a login with them succeeds.
func TestHashPasswordCommand(t *testing.T) {
	users := filepath.Join(t.TempDir(), "users")
	var file strings.Builder
	for i, scheme := range []string{"", "bcrypt", "argon2id", "sha512-crypt", "sha256-crypt"} {
		args := []string{"hash-password"}
		if scheme != "" {
			args = append(args, "-s", scheme)
		}
		out, errs, code := run(t, "pass word\r\n", append(args, fmt.Sprintf("user%d", i))...)
		if code != 0 || errs != "" || strings.Count(out, "\n") != 1 || !strings.HasPrefix(out, fmt.Sprintf("user%d:$", i)) {
			t.Errorf("%s: %q %q %d", scheme, out, errs, code)
		}
		file.WriteString(out)
	}
	if err := os.WriteFile(users, []byte(file.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	s := startServer(t, "--auth-type=htpasswd", "--auth-htpasswd-filename="+users, "--auth-delay=0")
	for i := range 5 {
		for password, want := range map[string]int{"pass word": http.StatusMultiStatus, "pass word\r": http.StatusUnauthorized} {
			request, _ := http.NewRequest("PROPFIND", s.URL, nil)
			request.Header.Set("Depth", "0")
			request.SetBasicAuth(fmt.Sprintf("user%d", i), password)
			resp, err := s.Client.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			if resp.StatusCode != want {
				t.Errorf("user%d with %q: %s, want %d", i, password, resp.Status, want)
			}
		}
	}
}

func TestHashPasswordAlone(t *testing.T) {
	out, errs, code := run(t, "x", "hash-password") // no line end, no user
	if code != 0 || errs != "" || !strings.HasPrefix(out, "$2") {
		t.Errorf("%q %q %d", out, errs, code)
	}
}

func TestMisuse(t *testing.T) {
	tests := []struct {
		stdin string
		args  []string
		code  int
		want  string
	}{
		{"", []string{"hash-password"}, exitFailed, "no password"},
		{"\n", []string{"hash-password"}, exitFailed, "no password"},
		{strings.Repeat("x", 10000), []string{"hash-password"}, exitFailed, "too long"},
		{"", []string{"hash-password", "-s", "rot13"}, exitUsage, "rot13"}, // before it asks
		{"x\n", []string{"hash-password", "a", "b"}, exitUsage, `unexpected argument "b"`},
		{"x\n", []string{"hash-password", "a:b"}, exitUsage, "cannot be a user's name"},
		{"x\n", []string{"hash-password", "a/b"}, exitUsage, "cannot be a user's name"},
		{"x\n", []string{"hash-password", "--frob"}, exitUsage, `unexpected argument "--frob"`},
		{"", []string{"version", "x"}, exitUsage, `unexpected argument "x"`},
		{"", []string{"verify", "x"}, exitUsage, `unknown argument "x"`},
		{"", []string{"verify", "--config=/nonexistent/config"}, exitUsage, "/nonexistent/config"},
		{"", []string{"verify", "--config=", "--storage-filesystem-folder=/nonexistent/f"}, exitUnable, "/nonexistent/f"},
		{"", []string{"verify", "--config=", "--aside"}, exitUsage, "--aside goes with --repair"},
		{"", []string{"verify", "--config=", "--item", "/nonexistent/f"}, exitUnable, "/nonexistent/f"},
		{"", []string{"verify", "--frob"}, exitUsage, `unknown argument "--frob"`},
		{"", []string{"frobnicate"}, exitUsage, `unknown command "frobnicate"`},
		{"", []string{"--config=", "frobnicate"}, exitUsage, `unknown command "frobnicate"`},
		{"", []string{"--config=/nonexistent/config", "check-config"}, exitRefused, "/nonexistent/config"},
		{"", []string{"check-config", "--config=/nonexistent/config"}, exitFailed, "/nonexistent/config"},
		{"", []string{"check-config", "--config=", "x"}, exitUsage, `unknown argument "x"`},
		{"", []string{"--config=", "--frob"}, exitRefused, `unknown argument "--frob"`},
	}
	for _, test := range tests {
		t.Run(strings.Join(test.args, " "), func(t *testing.T) {
			out, errs, code := run(t, test.stdin, test.args...)
			if out != "" || code != test.code || !strings.Contains(errs, test.want) || strings.Count(errs, "\n") != 1 {
				t.Errorf("printed %q, %q, code %d; want %q, code %d", out, errs, code, test.want, test.code)
			}
		})
	}
}

func TestVerifyCommand(t *testing.T) {
	folder := t.TempDir()
	home := filepath.Join(folder, "collection-root", "u", "cal")
	if err := os.MkdirAll(home, 0o700); err != nil {
		t.Fatal(err)
	}
	good := filepath.Join(home, "good.ics")
	os.WriteFile(filepath.Join(home, ".Radicale.props"), []byte(`{"tag": "VCALENDAR"}`), 0o600)
	os.WriteFile(good, []byte("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:u\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:20260101T000000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"), 0o600)
	folderOption := "--storage-filesystem-folder=" + folder
	clean := "no defects in " + folder + " (3 collections, 1 object looked at)\n"
	try := func(code int, out, errs string, args ...string) {
		t.Helper()
		gotOut, gotErrs, got := run(t, "", append([]string{"--config=", folderOption}, args...)...)
		if got != code || !strings.Contains(gotOut, out) || !strings.Contains(gotErrs, errs) {
			t.Errorf("%q: %q %q %d", args, gotOut, gotErrs, got)
		}
	}
	try(exitDone, clean, "", "verify")
	if out, errs, code := run(t, "", "verify", "--config=", folderOption); code != exitDone || out != clean || errs != "" {
		t.Errorf("before options: %q %q %d", out, errs, code)
	}
	broken := filepath.Join(home, "broken.ics")
	os.WriteFile(broken, []byte("BEGIN:VCALENDAR\nnonsense"), 0o600)
	try(exitFailed, `"u/cal/broken.ics": `, "1 defect in "+folder+" (3 collections, 2 objects looked at)", "verify")
	try(exitFailed, `"u/cal/broken.ics": `, "1 defect in ", "--verify-storage")
	try(exitFailed, `"`+broken+`": `, "", "--verify-item", broken)
	try(exitFailed, `"`+broken+`": `, "", "--verify-item="+broken)
	try(exitDone, "no defects in 2 files\n", "", "verify", "--item", good, "--item="+good)
	try(exitFailed, "", "1 defect in", "verify", "--repair")
	try(exitDone, `"u/cal/broken.ics": repaired: moved to lost+found`, "", "verify", "--repair", "--aside")
	try(exitDone, clean, "", "verify")
	if _, err := os.Stat(filepath.Join(folder, "lost+found", "u", "cal", "broken.ics")); err != nil {
		t.Error(err)
	}
}

// A password that bcrypt would cut is hashed, with a warning.
func TestHashPasswordLength(t *testing.T) {
	for _, test := range []struct {
		length int
		args   []string
		warned bool
	}{
		{72, nil, false},
		{73, nil, true},
		{73, []string{"-s", "argon2id"}, false},
	} {
		out, errs, code := run(t, strings.Repeat("x", test.length)+"\n", append([]string{"hash-password"}, test.args...)...)
		if code != 0 || !strings.HasPrefix(out, "$") || strings.Contains(errs, "first 72") != test.warned {
			t.Errorf("%v: %q %q %d", test, out, errs, code)
		}
	}
}

func TestCheckConfigCommand(t *testing.T) {
	folder := t.TempDir()
	args := []string{"check-config", "--config=", "--storage-filesystem-folder=" + folder}
	out, errs, code := run(t, "", append(args, "--auth-type=none")...)
	if code != 0 || errs != "" || !strings.HasSuffix(out, "\n# the configuration can be served\n") ||
		!strings.Contains(out, "\n[auth]\n# command line\ntype = none\n# default\n") {
		t.Errorf("a good one: %q %q %d", out, errs, code)
	}
	if left, _ := os.ReadDir(folder); len(left) > 0 {
		t.Errorf("made %q", left)
	}
	conf := filepath.Join(t.TempDir(), "config")
	os.WriteFile(conf, []byte("[server]\nhosts = 0.0.0.0:5232\nmax_connections = 20\nfrob = 1\ntimeout = 20\nvalidate_path_value = no-unicode\n"+
		"[web]\ntype = none\n[hook]\ntype = email\nsmtp_password = geheim\n[inetdav]\nlog = stderr\n"), 0o600)
	args[1] = "--config=" + conf
	out, errs, code = run(t, "", args...)
	for _, want := range []string{
		"unknown option [server] frob (Radicale would not start)", "no [auth] type is set",
		"no effect here: [server] hosts (instead: ", "[server] max_connections (instead: ", "radicale.socket", "not done here: [hook] type\n",
		"no-unicode", "[inetdav] stands in a file",
	} {
		if code != 0 || !strings.Contains(errs, want) {
			t.Errorf("%q is not in %q, %d", want, errs, code)
		}
	}
	for _, want := range []string{
		"# files, named by --config on the command line: " + conf + "\n",
		"\n# idle_timeout is not set: 150 for a peer on this machine, else 60\n", "\n# body_timeout is not set: [server] timeout holds\n",
		"# " + conf + ", line 2; no effect here, but ", "\nmax_connections = 20\n", "# smtp_password is not shown: " + conf + ", line 11\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in %q", want, out)
		}
	}
	if strings.Contains(out+errs, "geheim") {
		t.Error("a secret is shown")
	}
	// What is printed is a configuration, and the same one.
	again := filepath.Join(t.TempDir(), "again")
	os.WriteFile(again, []byte(out), 0o600)
	args[1] = "--config=" + again
	second, _, code := run(t, "", args...)
	values := func(text string) (list []string) {
		for line := range strings.Lines(text) {
			if line[0] != '#' && !strings.HasPrefix(line, "smtp_password") {
				list = append(list, strings.TrimSpace(line)) // a file cannot hold the indentation of a value
			}
		}
		return list
	}
	if code != 0 || !slices.Equal(values(out), values(second)) {
		t.Errorf("%d, read again it is\n%s", code, second)
	}
}

func TestCheckConfigRefuses(t *testing.T) {
	for want, args := range map[string][]string{
		"radicale_imap":       {"--auth-type=radicale_imap"},
		"log: /nonexistent/l": {"--auth-type=none", "--storage-filesystem-folder=" + t.TempDir(), "--inetdav-log=/nonexistent/l/log"},
		"/nonexistent/r":      {"--auth-type=none", "--rights-type=from_file", "--rights-file=/nonexistent/r"},
		"/nonexistent/f":      {"--auth-type=none", "--storage-filesystem-folder=/nonexistent/f"},
		"script_name":         {"--auth-type=none", "--server-script-name=dav", "--storage-filesystem-folder=" + t.TempDir()},
	} {
		_, errs, code := run(t, "", append([]string{"check-config", "--config="}, args...)...)
		if code != exitFailed || !strings.Contains(errs, want) {
			t.Errorf("%q: %q, %d", args, errs, code)
		}
	}
}

// Who runs it as root on somebody else's folder is told.
func TestRootWarning(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	for owner, want := range map[int]int{0: 0, 12345: 1} {
		s := startServer(t)
		if err := os.Mkdir(s.Folder, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(s.Folder, owner, -1); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			get(t, s, ".well-known/caldav")
		}
		if n := strings.Count(s.Log(), "running as root, but "+s.Folder+" belongs to user 12345"); n != want {
			t.Errorf("owner %d: told %d times, want %d", owner, n, want)
		}
	}
}

// The real program on each kind of connection.
func TestServe(t *testing.T) {
	for _, how := range []handover{systemd, inetd} {
		for _, network := range []string{"tcp4", "tcp6", "unix"} {
			t.Run(how.String()+" "+network, func(t *testing.T) {
				s := startServerWith(t, serverOptions{handover: how, network: network})
				for range 2 {
					request, _ := http.NewRequest("PROPFIND", s.URL+"someone/", nil)
					request.Header.Set("Depth", "0")
					request.SetBasicAuth("someone", "")
					resp, err := s.Client.Do(request)
					if err != nil {
						t.Fatal(err)
					}
					body, err := io.ReadAll(resp.Body)
					resp.Body.Close()
					if err != nil || resp.StatusCode != http.StatusMultiStatus || !bytes.Contains(body, []byte("multistatus")) {
						t.Errorf("%s, %v\n%s", resp.Status, err, body)
					}
				}
				s.Client.CloseIdleConnections()
				if code := s.waitExit(); code != 0 {
					t.Errorf("exit code %d", code)
				}
				if n := strings.Count(s.Log(), "connection from "); n != 1 {
					t.Errorf("%d connections for two requests", n)
				}
			})
		}
	}
}

func TestOptionsAsterisk(t *testing.T) {
	s := startServer(t)
	c := s.dial()
	io.WriteString(c, "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode >= 500 {
		t.Errorf("status %s", resp.Status)
	}
}

func TestHeaderLimit(t *testing.T) {
	s := startServer(t)
	c := s.dial()
	fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: h\r\nX: %s\r\n\r\n", strings.Repeat("x", 2*maxHeader))
	if status, _ := readAnswer(t, bufio.NewReader(c)); status != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("status %d", status)
	}
}

// What cannot work is said in the log, one line, with exit code 100; the
// client hears nothing.
func TestBadConfiguration(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	tests := []struct {
		name  string
		args  []string
		wants []string
	}{
		{"no file", []string{"--config=/nonexistent/config"}, []string{"/nonexistent/config"}},
		{"syntax", []string{"--config=" + write("syntax", "[auth\n")}, []string{"syntax"}},
		{"value", []string{"--config=" + write("value", "[server]\nssl = perhaps\n")}, []string{"value", "line 2", "ssl", "perhaps"}},
		{"argument", []string{"--frob"}, []string{"--frob"}},
		{"word", []string{"serve"}, []string{`"serve"`}},
		{"authentication", []string{"--auth-type=radicale_imap"}, []string{"ldap", "htpasswd"}},
		{"rights", []string{"--rights-type=from_file", "--rights-file=/nonexistent/rights"}, []string{"/nonexistent/rights"}},
		{"level", []string{"--logging-level=loud"}, []string{"loud"}},
		{"umask", []string{"--storage-folder-umask=9"}, []string{"folder_umask", "octal"}},
		{"certificate", []string{"--server-ssl=true", "--server-certificate=/nonexistent/cert"}, []string{"[server] ssl", "/nonexistent/cert"}},
		{"log", []string{"--inetdav-log=/nonexistent/log"}, []string{"[inetdav] log", "/nonexistent/log"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := startServerWith(t, serverOptions{args: test.args, noLog: true, anyExit: true})
			c := s.dial()
			if got, _ := io.ReadAll(c); len(got) > 0 {
				t.Errorf("the client got %q", got)
			}
			if code := s.waitExit(); code != exitRefused {
				t.Errorf("exit code %d", code)
			}
			log := s.Log()
			if strings.Count(log, "\n") != 1 || !strings.HasPrefix(log, "<3>") {
				t.Errorf("logged %q", log)
			}
			for _, want := range test.wants {
				if !strings.Contains(log, want) {
					t.Errorf("%q is not in %q", want, log)
				}
			}
		})
	}
}

func TestUnknownOptionsAreNamed(t *testing.T) {
	conf := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(conf, []byte("[server]\nfrob = 1\n[frob]\na = b\nc = d\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := startServer(t, "--config="+conf)
	resp, err := s.Client.Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if n := strings.Count(s.Log(), "[WARNING]"); n != 2 || !strings.Contains(s.Log(), "unknown option [server] frob") || !strings.Contains(s.Log(), "unknown section [frob]") {
		t.Errorf("logged %q", s.Log())
	}
}

// Limits come from the configuration.
func TestConfiguredLimits(t *testing.T) {
	s := startServer(t, "--inetdav-idle-timeout=0.05", "--inetdav-max-requests=2")
	c := s.dial()
	r := bufio.NewReader(c)
	io.WriteString(c, "OPTIONS / HTTP/1.1\r\nHost: h\r\n\r\n")
	readAnswer(t, r)
	if _, err := r.ReadByte(); err != io.EOF {
		t.Errorf("idle: %v, want the end", err)
	}
	c = s.dial()
	io.WriteString(c, strings.Repeat("OPTIONS / HTTP/1.1\r\nHost: h\r\n\r\n", 3))
	r = bufio.NewReader(c)
	for range 2 {
		readAnswer(t, r)
	}
	if _, err := r.ReadByte(); err != io.EOF {
		t.Errorf("third request: %v, want the end", err)
	}
}

// selfSigned makes a certificate for 127.0.0.1.
func selfSigned(t *testing.T) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "test"},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(time.Hour),
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certificate, key = filepath.Join(dir, "cert"), filepath.Join(dir, "key")
	os.WriteFile(certificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600)
	os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), 0o600)
	return certificate, key
}

func TestTLS(t *testing.T) {
	certificate, key := selfSigned(t)
	text, err := os.ReadFile(certificate)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	pair, err := tls.LoadX509KeyPair(certificate, key)
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"--ssl", "--certificate=" + certificate, "--key=" + key}
	request := func(s *server, c *tls.Config) (*http.Response, error) {
		s.Client.Transport.(*http.Transport).TLSClientConfig = c
		r, _ := http.NewRequest("OPTIONS", s.URL, nil)
		resp, err := s.Client.Do(r)
		if err == nil {
			resp.Body.Close()
		}
		return resp, err
	}
	for _, how := range []handover{systemd, inetd} {
		t.Run(how.String(), func(t *testing.T) {
			s := startServerWith(t, serverOptions{handover: how, args: args, tls: true})
			for range 2 {
				resp, err := request(s, &tls.Config{RootCAs: pool})
				if err != nil {
					t.Fatal(err)
				}
				if resp.StatusCode >= 300 || resp.ProtoMajor != 1 || resp.TLS.Version != tls.VersionTLS13 {
					t.Errorf("%s, %s, TLS %x", resp.Status, resp.Proto, resp.TLS.Version)
				}
			}
			s.Client.CloseIdleConnections()
			s.waitExit()
		})
	}
	t.Run("plain request", func(t *testing.T) {
		s := startServerWith(t, serverOptions{args: args})
		resp, err := s.Client.Get(s.URL)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 400 {
			t.Errorf("%s", resp.Status)
		}
		s.waitExit()
	})
	t.Run("old protocol", func(t *testing.T) {
		s := startServerWith(t, serverOptions{args: args, tls: true})
		if _, err := request(s, &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}); err == nil {
			t.Error("TLS 1.1 is taken")
		}
		s.waitExit()
	})
	t.Run("client certificate", func(t *testing.T) {
		s := startServerWith(t, serverOptions{args: append(args, "--certificate-authority="+certificate), tls: true})
		if _, err := request(s, &tls.Config{RootCAs: pool}); err == nil {
			t.Error("a client without a certificate is served")
		}
		s.waitExit()
		s = startServerWith(t, serverOptions{args: append(args, "--certificate-authority="+certificate), tls: true})
		if _, err := request(s, &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}}); err != nil {
			t.Error(err)
		}
	})
}

// Radicale's timeout stands for ours that are not set.
func TestLimitsOfConfiguration(t *testing.T) {
	for _, test := range []struct {
		args         string
		header, body time.Duration
	}{
		{"", 30 * time.Second, 60 * time.Second},
		{"--server-timeout=7", 7 * time.Second, 7 * time.Second},
		{"--server-timeout=7 --inetdav-body-timeout=9", 7 * time.Second, 9 * time.Second},
		{"--server-timeout=0", longest, longest},
	} {
		c, _, _, err := config.Load(append([]string{"--config="}, strings.Fields(test.args)...), os.Getenv)
		if err != nil {
			t.Fatal(err)
		}
		if l := loadLimits(c); l.header != test.header || l.body != test.body || l.idle != 0 {
			t.Errorf("%s: %+v", test.args, l)
		}
	}
}

// Lines of the users file that let nobody in are named before anybody tries.
func TestCheckConfigUsers(t *testing.T) {
	users := filepath.Join(t.TempDir(), "users")
	os.WriteFile(users, []byte("nobody\nalice:$9$x$y\n# a comment\nbob:secret\n"), 0o600)
	args := []string{"check-config", "--config=", "--auth-type=htpasswd", "--auth-htpasswd-filename=" + users, "--storage-filesystem-folder=" + t.TempDir()}
	_, errs, code := run(t, "", args...)
	if code != exitDone || strings.Count(errs, "\n") != 2 || !strings.Contains(errs, "line 1 is not of the form user:hash") ||
		!strings.Contains(errs, "line 2: the hash is of no known kind") || strings.Contains(errs, "$9$") {
		t.Errorf("%d, %q", code, errs)
	}
	if _, errs, _ := run(t, "", append(args, "--auth-htpasswd-encryption=bcrypt")...); !strings.Contains(errs, "line 4: the entry is of kind plain") {
		t.Errorf("%q", errs)
	}
	os.WriteFile(users, nil, 0o600)
	if _, errs, _ := run(t, "", args...); !strings.Contains(errs, "no users: nobody can log in") {
		t.Errorf("%q", errs)
	}
}

// The man page names every option that check-config prints.
func TestManPageNamesOptions(t *testing.T) {
	page, err := os.ReadFile("doc/inetdav.1")
	if err != nil {
		t.Fatal(err)
	}
	out, _, code := run(t, "", "check-config", "--config=", "--auth-type=none", "--storage-filesystem-folder="+t.TempDir())
	if code != 0 {
		t.Fatal(out)
	}
	section := ""
	for line := range strings.Lines(out) {
		if line[0] == '[' {
			section = strings.Trim(line, "[]\n")
		}
		key, _, ok := strings.Cut(line, " =")
		if !ok || line[0] == '#' || line[0] == ' ' {
			continue
		}
		// What goes with a type that is not done is not named one by one.
		switch {
		case section == "sharing" || section == "hook" || section == "web", strings.HasPrefix(key, "profiling"):
			continue
		}
		if !regexp.MustCompile(`\b` + regexp.QuoteMeta(key) + `\b`).Match(page) {
			t.Errorf("[%s] %s is not in inetdav(1)", section, key)
		}
	}
}
