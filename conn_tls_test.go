package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// tlsServer serves with TLS and a state folder.
func tlsServer(t *testing.T, args ...string) (s *server, state string) {
	t.Helper()
	certificate, key := selfSigned(t)
	state = t.TempDir()
	os.Chmod(state, 0o700)
	return startServerWith(t, serverOptions{tls: true, args: append([]string{"--ssl", "--certificate=" + certificate, "--key=" + key,
		"--inetdav-state-folder=" + state}, args...)}), state
}

// visit makes a connection and a request, and tells whether it was resumed.
func (s *server) visit(c *tls.Config) (resumed bool, version uint16, err error) {
	client := http.Client{Transport: &http.Transport{TLSClientConfig: c}, Timeout: patience}
	defer client.CloseIdleConnections()
	r, _ := http.NewRequest("OPTIONS", s.URL, nil)
	resp, err := client.Do(r)
	if err != nil {
		return false, 0, err
	}
	resp.Body.Close()
	return resp.TLS.DidResume, resp.TLS.Version, nil
}

// A client resumes with the next process, but not what it has begun under other
// certificates.
func TestTLSResumption(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			t.Parallel()
			s, state := tlsServer(t)
			c := &tls.Config{InsecureSkipVerify: true, MaxVersion: version, ClientSessionCache: tls.NewLRUClientSessionCache(8)}
			want := func(what string, want bool) {
				t.Helper()
				resumed, got, err := s.visit(c)
				if err != nil || resumed != want || got != version {
					t.Errorf("%s: resumed %v, want %v (%x, %v)", what, resumed, want, got, err)
				}
				s.waitExit()
			}
			want("at first", false)
			want("the next process", true)
			want("a third process", true)
			if err := os.Remove(filepath.Join(state, "tickets")); err != nil {
				t.Fatal(err)
			}
			want("without the old keys", false)
			want("with new ones", true)
			// Another user's file is not used, nor a damaged one.
			if err := os.Chmod(filepath.Join(state, "tickets"), 0o644); err != nil {
				t.Fatal(err)
			}
			want("with a file of others", false)
			if !strings.Contains(s.Log(), "keys of TLS session tickets") {
				t.Error("the log does not say so")
			}
			os.Chmod(filepath.Join(state, "tickets"), 0o600)
			want("with its own again", true)
			os.WriteFile(filepath.Join(state, "tickets"), []byte("damaged"), 0o600)
			want("with a damaged file", false)
			want("replaced", true)
			// The server's certificate is another one.
			certificate, key := selfSigned(t)
			s.options.args[1], s.options.args[2] = "--certificate="+certificate, "--key="+key
			want("after another certificate", false)
			want("and again", true)
			// Now clients have to show one.
			s.options.args = append(s.options.args, "--certificate-authority="+certificate)
			if _, _, err := s.visit(c); err == nil {
				t.Error("an old session takes the place of a certificate")
			}
			s.waitExit()
			pair, err := tls.LoadX509KeyPair(certificate, key)
			if err != nil {
				t.Fatal(err)
			}
			c.Certificates = []tls.Certificate{pair}
			want("with a certificate", false)
			want("with it again", true)
			// And one of another authority's.
			other, _ := selfSigned(t)
			s.options.args[len(s.options.args)-1] = "--certificate-authority=" + other
			if _, _, err := s.visit(c); err == nil {
				t.Error("a session of the old authority's client goes on")
			}
			s.waitExit()
		})
	}
}

// OpenSSL's client, too.
func TestTLSResumptionOpenSSL(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("openssl is not installed")
	}
	for _, version := range []string{"-tls1_2", "-tls1_3"} {
		t.Run(version, func(t *testing.T) {
			s, _ := tlsServer(t)
			session := filepath.Join(t.TempDir(), "session")
			ask := func(option string) string {
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				cmd := exec.CommandContext(ctx, "openssl", "s_client", "-connect", s.Address.String(), version, option, session, "-ign_eof")
				cmd.Stdin = strings.NewReader("OPTIONS / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
				out, err := cmd.CombinedOutput()
				if err != nil || !strings.Contains(string(out), "HTTP/1.1 200 OK") {
					t.Fatalf("%v\n%s", err, out)
				}
				s.waitExit()
				return string(out)
			}
			if out := ask("-sess_out"); !strings.Contains(out, "New, TLS") {
				t.Errorf("at first:\n%s", out)
			}
			if out := ask("-sess_in"); !strings.Contains(out, "Reused, TLS") {
				t.Errorf("the next process:\n%s", out)
			}
		})
	}
}

// [server] protocol and ciphersuite.
func TestTLSOptions(t *testing.T) {
	for _, test := range []struct {
		protocol string
		low, top uint16
		older    string
	}{
		{"", tls.VersionTLS12, 0, ""},
		{"ALL -SSLv3 -TLSv1 -TLSv1.1", tls.VersionTLS12, tls.VersionTLS13, ""},
		{"ALL", tls.VersionTLS12, tls.VersionTLS13, ""},
		{"ALL -TLSv1.2", tls.VersionTLS13, tls.VersionTLS13, ""},
		{"ALL -TLSv1.3", tls.VersionTLS12, tls.VersionTLS12, ""},
		{"TLSv1.2", tls.VersionTLS12, tls.VersionTLS12, ""},
		{"+TLSv1.1 TLSv1.3 SSLv2", tls.VersionTLS13, tls.VersionTLS13, "TLSv1.1"},
		{"TLSv1.1", 0, 0, "error"},
		{"TLSv9", 0, 0, "error"},
		{"ALL,-SSLv3", 0, 0, "error"},
	} {
		low, top, older, err := tlsVersions(test.protocol)
		got := strings.Join(older, " ")
		if err != nil {
			got = "error"
		}
		if low != test.low || top != test.top || got != test.older {
			t.Errorf("%q: %x %x %q %v", test.protocol, low, top, got, err)
		}
	}
	const gcm128e, gcm128r = tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
	for _, test := range []struct {
		list    string
		want    []uint16 // of the first two
		count   int
		unknown string
	}{
		{"", nil, 0, ""},
		{"ECDHE-ECDSA-AES128-GCM-SHA256", []uint16{gcm128e}, 1, ""},
		{"ECDHE+AESGCM", []uint16{gcm128e, gcm128r}, 4, ""},
		{"DHE:ECDHE:-NULL:-SHA", []uint16{gcm128e, gcm128r}, 6, "DHE"}, // Radicale's example
		{"HIGH:!aNULL:!MD5", []uint16{gcm128e, gcm128r}, 10, ""},
		{"HIGH:!ECDSA:ECDSA", []uint16{gcm128r}, 5, ""},
		{"HIGH:-ECDSA:ECDHE-ECDSA-AES128-GCM-SHA256", []uint16{gcm128e, gcm128r}, 6, ""},
		{"ECDHE-RSA-AES128-GCM-SHA256:AES128-SHA:@STRENGTH", []uint16{gcm128r}, 1, "AES128-SHA @STRENGTH"},
		{"AES128-SHA", nil, -1, ""},
		{"HIGH:!HIGH", nil, -1, ""},
		{"+", nil, -1, ""},
	} {
		ids, unknown, err := tlsSuites(test.list)
		count := len(ids)
		if err != nil {
			count = -1
		}
		slices.Sort(ids)
		for _, id := range test.want {
			if !slices.Contains(ids, id) {
				t.Errorf("%q lacks %s", test.list, tls.CipherSuiteName(id))
			}
		}
		if count != test.count || strings.Join(unknown, " ") != test.unknown {
			t.Errorf("%q: %d, %q, %v", test.list, count, unknown, err)
		}
	}
	// Go may have changed its mind.
	for _, s := range openSSLSuites() {
		if !slices.ContainsFunc(tls.CipherSuites(), func(c *tls.CipherSuite) bool { return c.ID == s.id }) {
			t.Errorf("%s is not safe any more", s.name)
		}
	}

	s, _ := tlsServer(t, "--server-protocol=ALL -TLSv1.3 TLSv1.1", "--server-ciphersuite=ECDHE-ECDSA-CHACHA20-POLY1305:DES")
	for _, suite := range []uint16{tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, gcm128e} {
		_, version, err := s.visit(&tls.Config{InsecureSkipVerify: true, CipherSuites: []uint16{suite}})
		if (err == nil) != (suite != gcm128e) || err == nil && version != tls.VersionTLS12 {
			t.Errorf("%s: %x, %v", tls.CipherSuiteName(suite), version, err)
		}
	}
	if log := s.Log(); !strings.Contains(log, "TLSv1.1 left out") || !strings.Contains(log, "no effect here: DES") {
		t.Errorf("logged %q", log)
	}
	for _, bad := range []string{"--server-protocol=TLSv1", "--server-ciphersuite=NULL"} {
		args := append(slices.Clone(s.options.args), "--config=", "--storage-filesystem-folder="+t.TempDir(), bad)
		if _, errs, code := run(t, "", append([]string{"check-config"}, args...)...); code != exitFailed || !strings.Contains(errs, strings.TrimPrefix(strings.SplitN(bad, "=", 2)[0], "--server-")) {
			t.Errorf("%s: %d %s", bad, code, errs)
		}
	}
}

// Looking at the configuration makes no file.
func TestCheckConfigMakesNoTickets(t *testing.T) {
	s, state := tlsServer(t)
	args := append([]string{"check-config", "--config=", "--storage-filesystem-folder=" + t.TempDir()}, s.options.args...)
	if _, errs, code := run(t, "", args...); code != 0 {
		t.Fatalf("%d %s", code, errs)
	}
	if names, _ := os.ReadDir(state); len(names) > 0 {
		t.Errorf("made %v", fmt.Sprint(names))
	}
}
