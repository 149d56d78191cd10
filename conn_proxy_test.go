package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"inetdav/dav/config"
)

// binaryHeader makes a header of version 2.
func binaryHeader(command, kind byte, rest string) string {
	return proxySignature + string([]byte{command, kind, byte(len(rest) >> 8), byte(len(rest))}) + rest
}

const (
	ends4 = "\xc0\x00\x02\x07\x7f\x00\x00\x01\x30\x39\x00\x50"
	ends6 = "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x07" + "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01" + "\x30\x39\x00\x50"
)

func TestProxyHeader(t *testing.T) {
	const bad = "bad"
	tests := []struct{ name, header, want string }{
		{"1", "PROXY TCP4 192.0.2.7 127.0.0.1 12345 80\r\n", "192.0.2.7:12345"},
		{"1 IPv6", "PROXY TCP6 2001:db8::7 2001:db8::1 12345 80\r\n", "[2001:db8::7]:12345"},
		{"1 IPv4 as IPv6", "PROXY TCP6 ::ffff:192.0.2.7 ::1 12345 80\r\n", "192.0.2.7:12345"},
		{"1 longest", "PROXY TCP6 ffff:f:f:f:f:f:f:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n", "[ffff:f:f:f:f:f:f:ffff]:65535"},
		{"1 unknown", "PROXY UNKNOWN\r\n", ""},
		{"1 unknown with more", "PROXY UNKNOWN ffff::f ffff::f 65535 65535\r\n", ""},
		{"1 wrong family", "PROXY TCP4 ::1 ::1 1 2\r\n", bad},
		{"1 families mixed", "PROXY TCP6 ::1 127.0.0.1 1 2\r\n", bad},
		{"1 zone", "PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n", bad},
		{"1 a name", "PROXY TCP4 localhost 127.0.0.1 1 2\r\n", bad},
		{"1 port too large", "PROXY TCP4 192.0.2.7 127.0.0.1 65536 2\r\n", bad},
		{"1 port with a sign", "PROXY TCP4 192.0.2.7 127.0.0.1 +1 2\r\n", bad},
		{"1 port with a zero", "PROXY TCP4 192.0.2.7 127.0.0.1 01 2\r\n", bad},
		{"1 blanks", "PROXY TCP4  192.0.2.7 127.0.0.1 1 2\r\n", bad},
		{"1 too few", "PROXY TCP4 192.0.2.7 127.0.0.1 1\r\n", bad},
		{"1 no CR", "PROXY TCP4 192.0.2.7 127.0.0.1 1 2\n", bad},
		{"1 other case", "proxy TCP4 192.0.2.7 127.0.0.1 1 2\r\n", bad},
		{"1 another protocol", "PROXY UDP4 192.0.2.7 127.0.0.1 1 2\r\n", bad},
		{"1 without an end", "PROXY UNKNOWN " + strings.Repeat("x", 200), bad},
		{"1 cut", "PROXY TCP4 192.0.2.7", bad},
		{"2", binaryHeader(0x21, 0x11, ends4), "192.0.2.7:12345"},
		{"2 IPv6", binaryHeader(0x21, 0x21, ends6), "[2001:db8::7]:12345"},
		{"2 unix", binaryHeader(0x21, 0x31, strings.Repeat("/", 216)), ""},
		{"2 unspecified", binaryHeader(0x21, 0x00, "anything"), ""},
		{"2 local", binaryHeader(0x20, 0x00, ""), ""},
		{"2 local with addresses", binaryHeader(0x20, 0x11, ends4), ""},
		{"2 additions", binaryHeader(0x21, 0x11, ends4+"\x04\x00\x02ab"), "192.0.2.7:12345"},
		{"2 datagrams", binaryHeader(0x21, 0x12, ends4), bad},
		{"2 another version", binaryHeader(0x31, 0x11, ends4), bad},
		{"2 another command", binaryHeader(0x22, 0x11, ends4), bad},
		{"2 too short", binaryHeader(0x21, 0x11, ends4[:11]), bad},
		{"2 IPv6 too short", binaryHeader(0x21, 0x21, ends4), bad},
		{"2 unix too short", binaryHeader(0x21, 0x31, ends4), bad},
		{"2 longest", binaryHeader(0x21, 0x11, ends4+strings.Repeat("\x04", maxProxyRest-12)), "192.0.2.7:12345"},
		{"2 too long", binaryHeader(0x21, 0x11, ends4+strings.Repeat("\x04", maxProxyRest-11)), bad},
		{"2 cut", binaryHeader(0x21, 0x11, ends4)[:20], bad},
		{"HTTP", "OPTIONS / HTTP/1.1\r\nHost: h\r\n\r\n", bad},
		{"TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\x00\x00", bad},
		{"nothing", "", bad},
		{"little", "GET", bad},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			const next = "OPTIONS"
			r := strings.NewReader(test.header + next)
			if test.want == bad && len(test.header) < 30 && strings.Contains(test.name, "cut") || len(test.header) < 4 {
				r = strings.NewReader(test.header) // the peer has gone
			}
			client, err := readProxyHeader(r)
			got := bad
			if err == nil {
				got = ""
				if client.IsValid() {
					got = client.String()
				}
				if rest, _ := io.ReadAll(r); string(rest) != next {
					t.Errorf("left %q of what follows", rest)
				}
			}
			if got != test.want {
				t.Errorf("got %q, %v, want %q", got, err, test.want)
			}
			if test.header == "" && err != io.EOF {
				t.Errorf("nothing is %v", err)
			}
		})
	}
}

// Whatever arrives: no panic, no byte of what follows is taken, and what a proxy
// would have written for the same client is read alike.
func FuzzProxyHeader(f *testing.F) {
	f.Add([]byte("PROXY TCP4 192.0.2.7 127.0.0.1 12345 80\r\n"))
	f.Add([]byte("PROXY UNKNOWN\r\n"))
	f.Add([]byte(binaryHeader(0x21, 0x21, ends6)))
	f.Add([]byte(binaryHeader(0x20, 0, "")))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bytes.NewReader(b)
		client, err := readProxyHeader(r)
		used := len(b) - r.Len()
		if used > len(proxySignature)+4+maxProxyRest {
			t.Fatalf("read %d bytes", used)
		}
		if err != nil {
			if client != (netip.AddrPort{}) {
				t.Errorf("%v with %v", client, err)
			}
			return
		}
		if again, err := readProxyHeader(bytes.NewReader(b[:used])); err != nil || again != client {
			t.Errorf("the header alone is %v, %v", again, err)
		}
		if !client.IsValid() {
			return
		}
		line := fmt.Sprintf("PROXY TCP4 %s 127.0.0.1 %d 1\r\n", client.Addr(), client.Port())
		if client.Addr().Is6() {
			line = fmt.Sprintf("PROXY TCP6 %s ::1 %d 1\r\n", client.Addr(), client.Port())
		}
		if again, err := readProxyHeader(strings.NewReader(line)); err != nil || again != client {
			t.Errorf("%q is %v, %v", line, again, err)
		}
	})
}

func TestProxies(t *testing.T) {
	load := func(value string) (proxies, error) {
		c, _, _, err := config.Load([]string{"--config=", "--inetdav-proxy-protocol=" + value}, func(string) string { return "" })
		if err != nil {
			t.Fatal(err)
		}
		return loadProxies(c)
	}
	local := &net.UnixAddr{Net: "unix", Name: "@"}
	tcp := func(s string) net.Addr { a, _ := net.ResolveTCPAddr("tcp", s); return a }
	for _, test := range []struct {
		value string
		yes   []net.Addr
		no    []net.Addr
	}{
		{"", nil, []net.Addr{local, tcp("127.0.0.1:1"), tcp("[::1]:1")}},
		{"unix", []net.Addr{local}, []net.Addr{tcp("127.0.0.1:1")}},
		{"127.0.0.1, ::1", []net.Addr{tcp("127.0.0.1:1"), tcp("[::1]:1"), tcp("[::ffff:127.0.0.1]:1")}, []net.Addr{local, tcp("127.0.0.2:1")}},
		{"10.0.0.0/8 2001:db8::/32", []net.Addr{tcp("10.9.8.7:1"), tcp("[2001:db8::5]:1")}, []net.Addr{tcp("11.0.0.1:1"), tcp("[2001:db9::5]:1"), local}},
	} {
		p, err := load(test.value)
		if err != nil {
			t.Errorf("%q: %v", test.value, err)
		}
		for _, a := range test.yes {
			if !p.speaks(a) {
				t.Errorf("%q: %v does not speak it", test.value, a)
			}
		}
		for _, a := range test.no {
			if p.speaks(a) {
				t.Errorf("%q: %v speaks it", test.value, a)
			}
		}
	}
	for _, bad := range []string{"yes", "proxy.example", "10.0.0.0/33", "unix:/run/s"} {
		if _, err := load(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
		if _, errs, code := run(t, "", "check-config", "--config=", "--inetdav-proxy-protocol="+bad); code != exitFailed || !strings.Contains(errs, "proxy_protocol") {
			t.Errorf("check-config of %q: %d %s", bad, code, errs)
		}
	}
}

// The address that a proxy tells is the one that the log names and that is
// counted for failed logins, over TLS, too; and what it does not tell is not
// believed.
func TestProxyProtocol(t *testing.T) {
	certificate, key := selfSigned(t)
	for _, test := range []struct{ name, header, peer string }{
		{"1", "PROXY TCP4 192.0.2.7 127.0.0.1 12345 80\r\n", "192.0.2.7"},
		{"2", binaryHeader(0x21, 0x21, ends6), "2001:db8::7"},
		{"2 local", binaryHeader(0x20, 0, ""), "127.0.0.1"},
	} {
		for _, secure := range []bool{false, true} {
			t.Run(fmt.Sprint(test.name, " TLS ", secure), func(t *testing.T) {
				t.Parallel()
				args := []string{"--inetdav-proxy-protocol=127.0.0.0/8"}
				if secure {
					args = append(args, "--server-ssl=True", "--server-certificate="+certificate, "--server-key="+key)
				}
				s := startServer(t, args...)
				c := s.dial()
				io.WriteString(c, test.header)
				if secure {
					c = tls.Client(c, &tls.Config{InsecureSkipVerify: true})
				}
				r := bufio.NewReader(c)
				for range 2 { // once for the connection, not for each request
					io.WriteString(c, "OPTIONS / HTTP/1.1\r\nHost: h\r\n\r\n")
					if resp, err := http.ReadResponse(r, nil); err != nil || resp.StatusCode != 200 {
						t.Fatalf("%v, %v", resp, err)
					}
				}
				c.Close()
				s.waitLog("connection from " + strings.TrimSuffix(net.JoinHostPort(test.peer, ""), ":"))
				if n := strings.Count(s.Log(), "received from "+test.peer); n != 2 {
					t.Errorf("%d requests are from %s", n, test.peer)
				}
				s.waitExit()
			})
		}
	}
	t.Run("gone", func(t *testing.T) {
		// Probes: whoever only connects, or says no more than that he is there.
		for _, header := range []string{"", "PROXY ", "PROXY TCP4 192.0.2.7 127.0", binaryHeader(0x20, 0, ""), "PROXY UNKNOWN\r\n"} {
			s := startServer(t, "--inetdav-proxy-protocol=127.0.0.1", "--logging-level=info")
			c := s.dial()
			io.WriteString(c, header)
			c.Close()
			if code := s.waitExit(); code != exitDone {
				t.Errorf("%q: exit code %d", header, code)
			}
			if quiet := header == "" || strings.HasSuffix(header, "\n") || header[0] == '\r'; quiet && s.Log() != "" {
				t.Errorf("%q: logged %q", header, s.Log())
			}
		}
	})
	t.Run("refused", func(t *testing.T) {
		for _, header := range []string{"OPTIONS / HTTP/1.1\r\nHost: h\r\n\r\n", "PROXY TCP4 x y 1 2\r\n\r\n"} {
			s := startServer(t, "--inetdav-proxy-protocol=127.0.0.1")
			c := s.dial()
			io.WriteString(c, header)
			if b, _ := io.ReadAll(c); len(b) > 0 {
				t.Errorf("%q: answered %q", header, b)
			}
			s.waitExit()
			if !strings.Contains(s.Log(), "PROXY protocol") || !strings.Contains(s.Log(), "connection from 127.0.0.1") {
				t.Errorf("%q: logged %q", header, s.Log())
			}
		}
	})
	t.Run("not believed", func(t *testing.T) {
		s := startServer(t, "--inetdav-proxy-protocol=unix, 192.0.2.1")
		c := s.dial()
		io.WriteString(c, "PROXY TCP4 192.0.2.7 127.0.0.1 12345 80\r\nOPTIONS / HTTP/1.1\r\nHost: h\r\n\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil || resp.StatusCode != 400 {
			t.Errorf("%v, %v", resp, err)
		}
		if strings.Contains(s.Log(), "192.0.2.7") {
			t.Errorf("logged %q", s.Log())
		}
	})
	t.Run("slow", func(t *testing.T) {
		s := startServer(t, "--inetdav-proxy-protocol=127.0.0.1", "--inetdav-header-timeout=0.1")
		c := s.dial()
		io.WriteString(c, "PROXY ")
		start := time.Now()
		io.ReadAll(c)
		if code := s.waitExit(); code != exitDone || time.Since(start) > patience/2 {
			t.Errorf("ended with %d after %v", code, time.Since(start))
		}
	})
}

// Failed logins count for the client that the proxy names, not for the proxy and
// not for whom the client names in a field.
func TestProxyThrottle(t *testing.T) {
	users := filepath.Join(t.TempDir(), "users")
	if err := os.WriteFile(users, []byte("demo:demo\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	state := t.TempDir()
	os.Chmod(state, 0o700)
	s := startServer(t, "--auth-type=htpasswd", "--auth-htpasswd-filename="+users, "--auth-htpasswd-encryption=plain",
		"--auth-delay=0.002", "--inetdav-state-folder="+state, "--inetdav-proxy-protocol=127.0.0.1")
	try := func(client, password string) int {
		c := s.dial()
		defer c.Close()
		fmt.Fprintf(c, "PROXY TCP4 %s 127.0.0.1 12345 80\r\n", client)
		r, _ := http.NewRequest("PROPFIND", s.URL, nil)
		r.SetBasicAuth("demo", password)
		r.Header.Set("Depth", "0")
		r.Header.Set("X-Forwarded-For", "198.51.100.1")
		r.Write(c)
		resp, err := http.ReadResponse(bufio.NewReader(c), r)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode
	}
	// The waits double from two milliseconds on up to a minute.
	refused := false
	for range 200 {
		if refused = try("192.0.2.7", "wrong") == 503; refused {
			break
		}
	}
	if !refused {
		t.Fatal("an address that guesses is never refused")
	}
	if got := try("192.0.2.8", "demo"); got != 207 {
		t.Errorf("another client of the proxy: %d", got)
	}
}
