package main

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The files of units/ as they are installed, but for paths, ports and users, below
// the real programs: each serves the same scenario.

// A shipped is what the files of a test are substituted with.
type shipped struct {
	t       *testing.T
	dir     string // for everything
	bin     string // where "inetdav" is, a script with the test's options
	port    string // of the super-server
	front   string // of a proxy
	socket  string // where a super-server listens for a proxy
	log     string
	mark    string // in the command lines of the program
	replace []string
}

func newShipped(t *testing.T, args ...string) *shipped {
	dir := t.TempDir()
	os.Chmod(dir, 0o755)
	_, port, _ := net.SplitHostPort(freeAddress(t))
	_, front, _ := net.SplitHostPort(freeAddress(t))
	h := &shipped{t: t, dir: dir, bin: dir, port: port, front: front, socket: filepath.Join(dir, "sock"), log: filepath.Join(dir, "log")}
	h.mark = "--storage-filesystem-folder=" + filepath.Join(dir, "storage")
	options := append([]string{"--config=", h.mark, "--auth-type=none", "--logging-level=info"}, args...)
	script := fmt.Sprintf("#!/bin/sh\nexec %s %s \"$@\" --inetdav-log=%s\n", programPath, strings.Join(options, " "), h.log)
	if err := os.WriteFile(filepath.Join(dir, "inetdav"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	certificate, key := selfSigned(t)
	both := ""
	for name, from := range map[string]string{"cert.pem": certificate, "key.pem": key} {
		b, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		os.WriteFile(filepath.Join(dir, name), b, 0o600)
		both += string(b)
	}
	os.WriteFile(filepath.Join(dir, "both.pem"), []byte(both), 0o600)
	me := userName(t)
	h.replace = []string{
		"@BINDIR@", dir, "/etc/ssl/radicale.cert.pem", dir + "/cert.pem", "/etc/ssl/radicale.key.pem", dir + "/key.pem",
		"/etc/ssl/radicale.pem", dir + "/both.pem", "/run/radicale.sock", h.socket, "/run/radicale", dir + "/run",
		"5232", port, "5233", front,
		"-u radicale", "-u " + me, "-g radicale", "-g " + groupName(t), "-g www-data", "-g " + groupName(t), "-o radicale", "-o " + me,
		"setuidgid radicale", "setuidgid " + me, "su=radicale", "su=" + me, "= radicale", "= " + me, "= stunnel4", "= " + me,
		"nowait.10000 radicale", "nowait.10000 " + me,
	}
	return h
}

func groupName(t *testing.T) string {
	g, err := user.LookupGroupId(fmt.Sprint(os.Getgid()))
	if err != nil {
		t.Fatal(err)
	}
	return g.Name
}

// file gives the place of a shipped file, substituted; more are replacements that
// only this one needs.
func (h *shipped) file(name string, more ...string) string {
	h.t.Helper()
	b, err := os.ReadFile(filepath.Join("units", name))
	if err != nil {
		h.t.Fatal(err)
	}
	text := strings.NewReplacer(append(more, h.replace...)...).Replace(string(b))
	path := filepath.Join(h.dir, filepath.Base(name))
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		h.t.Fatal(err)
	}
	return path
}

// script gives the command of a shipped script, nil where a program of it is not
// installed.
func (h *shipped) script(name, program string) []string {
	if found([]string{program}) == nil {
		return nil
	}
	return []string{"/bin/sh", h.file(name)}
}

// start starts argv, which listens at address.
func (h *shipped) start(argv []string, address string) {
	h.t.Helper()
	startSuperServer(h.t, argv, address)
	dial := dialUntilThere(address).Transport.(*http.Transport).Dial
	c, err := dial("", "")
	if err != nil {
		h.t.Fatal(err)
	}
	c.Close()
}

// behind starts a super-server for a proxy, at a unix socket or at h.port.
func (h *shipped) behind(unix bool) {
	h.t.Helper()
	address := "127.0.0.1:" + h.port
	if unix {
		address = h.socket
	}
	argv := found([]string{"systemd-socket-activate"}, "--accept", "--listen="+address, filepath.Join(h.bin, "inetdav"))
	if argv == nil {
		h.t.Skip("systemd-socket-activate is not installed")
	}
	h.start(argv, address)
	os.Chmod(h.socket, 0o666)
}

// scenario is what clients do: a new connection for each request, kept ones, an
// upload of 10 MB, a connection that breaks off, many at once.
func scenario(t *testing.T, network, address, scheme string, many int) {
	t.Helper()
	raw := func() (net.Conn, error) { return net.DialTimeout(network, address, patience) }
	client := func(keep bool) *http.Client {
		transport := &http.Transport{
			Dial:              func(_, _ string) (net.Conn, error) { return raw() },
			TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
			DisableKeepAlives: !keep,
		}
		t.Cleanup(transport.CloseIdleConnections)
		return &http.Client{Transport: transport, Timeout: 2 * patience}
	}
	ask := func(c *http.Client, method, path, body string) (int, string, error) {
		r, err := http.NewRequest(method, scheme+"://localhost"+path, strings.NewReader(body))
		if err != nil {
			return 0, "", err
		}
		r.SetBasicAuth("demo", "demo")
		resp, err := c.Do(r)
		if err != nil {
			return 0, "", err
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		return resp.StatusCode, string(b), err
	}
	want := func(c *http.Client, method, path, body string, status int) string {
		t.Helper()
		got, answer, err := ask(c, method, path, body)
		if err != nil || got != status {
			t.Fatalf("%s %s: %d %v, want %d\n%.500s", method, path, got, err, status, answer)
		}
		return answer
	}
	event := func(uid string) string { return crlf(vevent(uid, "Text", "20261201T100000Z", "")) }

	each := client(false)
	want(each, "MKCALENDAR", "/demo/cal/", "", 201)
	for i := range 5 {
		name := fmt.Sprintf("/demo/cal/each%d.ics", i)
		want(each, "PUT", name, event(name), 201)
		if got := want(each, "GET", name, "", 200); got != event(name) {
			t.Errorf("%s came back as %q", name, got)
		}
	}
	kept := client(true)
	for i := range 5 {
		name := fmt.Sprintf("/demo/cal/kept%d.ics", i)
		want(kept, "PUT", name, event(name), 201)
		want(kept, "DELETE", name, "", 204)
	}
	const size = 9_900_000 // [server] max_resource_size is 10 MB
	line := "COMMENT:" + strings.Repeat("x", 64) + "\n"
	large := crlf(vevent("large", "Text", "20261201T100000Z", strings.Repeat(line, size/(len(line)+1))))
	want(kept, "PUT", "/demo/cal/large.ics", large, 201)
	if got := want(each, "GET", "/demo/cal/large.ics", "", 200); got != large {
		t.Errorf("%d bytes came back, of %d", len(got), len(large))
	}

	c, err := raw()
	if err != nil {
		t.Fatal(err)
	}
	wire := c
	if scheme == "https" {
		c = tls.Client(c, &tls.Config{InsecureSkipVerify: true})
	}
	fmt.Fprintf(c, "PUT /demo/cal/half.ics HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic %s\r\nContent-Length: %d\r\n\r\n%.5000s",
		basic("demo"), len(large), large)
	if tcp, ok := wire.(*net.TCPConn); ok {
		tcp.SetLinger(0) // a reset
	}
	wire.Close()
	want(each, "GET", "/demo/cal/half.ics", "", 404)

	var wait sync.WaitGroup
	errs := make(chan error, many)
	for range many {
		wait.Go(func() {
			status, _, err := ask(each, "GET", "/demo/cal/each0.ics", "")
			if err == nil && status != 200 {
				err = fmt.Errorf("status %d", status)
			}
			errs <- err
		})
	}
	wait.Wait()
	close(errs)
	failed := 0
	for err := range errs {
		if err != nil {
			failed++
			t.Logf("one of many: %v", err)
		}
	}
	if failed > 0 {
		t.Errorf("%d of %d at once failed", failed, many)
	}
}

// finish looks at what is left: no process, no error in the log, and clients there
// by their address, not by their proxy's.
func (h *shipped) finish(peer string) {
	h.t.Helper()
	b, _ := os.ReadFile(h.log)
	log := string(b)
	for _, bad := range []string{"[ERROR]", "[WARNING]", "panic"} {
		for line := range strings.Lines(log) {
			if strings.Contains(line, bad) && !strings.Contains(line, "running as root") {
				h.t.Errorf("logged %s", line)
				break
			}
		}
	}
	if !strings.Contains(log, "received from "+peer) {
		h.t.Errorf("no request is from %s:\n%.1000s", peer, log)
	}
}

const atOnce = 50

func TestShippedSuperServers(t *testing.T) {
	tests := []struct {
		name, peer string
		unix, tls  bool
		argv       func(h *shipped) []string
	}{
		{name: "xinetd.conf", peer: "127.0.0.1", argv: func(h *shipped) []string {
			return found([]string{"xinetd"}, "-dontfork", "-f", h.file("xinetd.conf", "group\t\t= radicale", "group\t\t= "+groupName(h.t)), "-pidfile", h.dir+"/pid", "-stayalive")
		}},
		{name: "inetd.conf openbsd-inetd", peer: "127.0.0.1", argv: func(h *shipped) []string {
			return found([]string{"openbsd-inetd"}, "-i", h.file("inetd.conf"))
		}},
		{name: "inetd.conf busybox", peer: "127.0.0.1", argv: func(h *shipped) []string {
			return applet("inetd", "-f", h.file("inetd.conf"))
		}},
		{name: "tcpserver.sh", peer: "127.0.0.1", argv: func(h *shipped) []string { return h.script("tcpserver.sh", "tcpserver") }},
		{name: "tcpsvd.sh", peer: "127.0.0.1", argv: func(h *shipped) []string { return h.script("tcpsvd.sh", "tcpsvd") }},
		{name: "tcpsvd.sh busybox", peer: "127.0.0.1", argv: func(h *shipped) []string {
			if applet("tcpsvd") == nil {
				return nil
			}
			return []string{"/bin/sh", h.file("tcpsvd.sh", "command -v tcpsvd", "false")}
		}},
		{name: "socat.sh", peer: "127.0.0.1", argv: func(h *shipped) []string { return h.script("socat.sh", "socat") }},
		{name: "s6-run.sh", unix: true, peer: "unix", argv: func(h *shipped) []string {
			h.socket = h.dir + "/run/socket"
			return h.script("s6-run.sh", "s6-ipcserver")
		}},
		{name: "stunnel.conf", tls: true, peer: "127.0.0.1", argv: func(h *shipped) []string {
			return found([]string{"stunnel", "stunnel4"}, h.file("stunnel.conf", "pid =", "pid = "+h.dir+"/pid"))
		}},
		// What Podman runs in the container: the listening socket is on fd 3.
		{name: "podman/Containerfile", peer: "127.0.0.1", argv: func(h *shipped) []string {
			if found([]string{"s6-ipcserverd"}) == nil {
				return nil
			}
			return found([]string{"systemd-socket-activate"}, append([]string{"-E", "PATH=" + h.dir + ":" + os.Getenv("PATH"), "--listen=127.0.0.1:" + h.port}, entrypoint(h)...)...)
		}},
		// launchd, as far as it can be had here: below an inetd that knows the
		// property list.
		{name: "org.inetdav.plist", peer: "127.0.0.1", argv: launchd},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := newShipped(t)
			argv := test.argv(h)
			if argv == nil {
				t.Skip("a program of it is not installed")
			}
			network, address, scheme := "tcp4", "127.0.0.1:"+h.port, "http"
			if test.tls {
				address, scheme = "127.0.0.1:"+h.front, "https"
			}
			if test.unix {
				network, address = "unix", h.socket
			}
			h.start(argv, address)
			scenario(t, network, address, scheme, atOnce)
			h.finish(test.peer)
		})
	}
}

// entrypoint reads that of the Containerfile.
func entrypoint(h *shipped) (argv []string) {
	b, err := os.ReadFile(h.file("podman/Containerfile"))
	if err != nil {
		h.t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(b), "\nENTRYPOINT ")
	if err := json.Unmarshal([]byte(list), &argv); err != nil || len(argv) == 0 {
		h.t.Fatalf("ENTRYPOINT %q: %v", list, err)
	}
	return argv
}

// launchd gives an inetd that does what the property list says: the connection on
// descriptors 0, 1 and 2, the list's variables and no others.
func launchd(h *shipped) []string {
	python := found([]string{"python3"})
	if python == nil {
		return nil
	}
	script := filepath.Join(h.dir, "launchd.py")
	const text = `
import os, plistlib, signal, socket, sys
with open(sys.argv[1], "rb") as f:
    job = plistlib.load(f)
assert job["inetdCompatibility"]["Wait"] is False
assert job["Label"] and "RunAtLoad" not in job and "KeepAlive" not in job
listen = job["Sockets"]["Listeners"]
server = socket.create_server((listen["SockNodeName"], int(listen["SockServiceName"])), backlog=128)
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
while True:
    connection, _ = server.accept()
    if os.fork() == 0:
        os.setsid()
        os.chdir("/")
        os.umask(job["Umask"])
        assert job["Umask"] == 0o027
        for fd in 0, 1, 2:
            os.dup2(connection.fileno(), fd)
        os.execve(job["ProgramArguments"][0], job["ProgramArguments"], job["EnvironmentVariables"])
    connection.close()
`
	if err := os.WriteFile(script, []byte(text), 0o600); err != nil {
		h.t.Fatal(err)
	}
	return append(python, script, h.file("org.inetdav.plist"))
}

// OpenWrt: the file of its package radicale3 becomes a configuration and a service
// of xinetd, with busybox's shell and a stub of uci.
func TestOpenWrt(t *testing.T) {
	busybox := applet("ash")
	if busybox == nil {
		t.Skip("busybox is not installed")
	}
	h := newShipped(t)
	os.MkdirAll(h.dir+"/var/radicale3/data/collection-root", 0o755)
	stubs := h.dir + "/stubs"
	os.Mkdir(stubs, 0o755)
	uci := "#!/bin/sh\n[ \"$1 $2\" = '-q get' ] || exit 2\ncase $3 in\n"
	for _, option := range [][2]string{
		{"server.host", "127.0.0.1:" + h.port + " [::1]:" + h.port}, {"server.max_connections", "60"}, {"server.ssl", "0"},
		{"server.max_content_length", "50000000"}, {"server.ciphers", "ECDHE+AESGCM"}, {"auth.realm", "Home router"}, {"auth.delay", "0"},
		{"logging.level", "info"}, {"logging.mask_passwords", "1"}, {"headers.cors", "*"},
		{"@user[0].name", "demo"}, {"@user[0].password", "demo"}, {"@user[1].name", "o ther"}, {"@user[1].password", "a'b$c:d"},
	} {
		uci += fmt.Sprintf("'radicale3.%s') cat <<'END'\n%s\nEND\n;;\n", option[0], option[1])
	}
	os.WriteFile(stubs+"/uci", []byte(uci+"*) exit 1 ;;\nesac\n"), 0o755)
	os.WriteFile(stubs+"/logger", []byte("#!/bin/sh\necho \"$@\" >>"+h.dir+"/logged\n"), 0o755)
	glue := func() {
		t.Helper()
		cmd := exec.Command(busybox[0], "ash", h.file("openwrt/inetdav-uci"))
		cmd.Env = []string{"PATH=" + stubs + ":" + os.Getenv("PATH"), "ROOT=" + h.dir, "INETDAV_USER=" + userName(t), "INETDAV=" + h.bin + "/inetdav"}
		if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	glue()
	service := h.dir + "/etc/xinetd.d/inetdav"
	before, err := os.Stat(service)
	if err != nil {
		t.Fatal(err)
	}
	glue()
	if after, _ := os.Stat(service); !os.SameFile(before, after) || !after.ModTime().Equal(before.ModTime()) {
		t.Error("flash is written without a change")
	}
	logged, _ := os.ReadFile(h.dir + "/logged")
	if !strings.Contains(string(logged), "/var/radicale3/data is lost with the next boot") {
		t.Errorf("logged %q", logged)
	}
	users, _ := os.ReadFile(h.dir + "/var/etc/inetdav/users")
	if string(users) != "demo:demo\no ther:a'b$c:d\n" {
		t.Errorf("users %q", users)
	}
	for _, private := range []string{"users", "config"} {
		if info, err := os.Stat(h.dir + "/var/etc/inetdav/" + private); err != nil || info.Mode().Perm() != 0o640 {
			t.Errorf("%s: %v %v", private, info.Mode(), err)
		}
	}
	config := h.dir + "/var/etc/inetdav/config"
	out, errs, code := run(t, "", "check-config", "--config="+config, "--storage-filesystem-folder="+h.dir+"/srv/radicale3", "--auth-htpasswd-filename="+h.dir+"/var/etc/inetdav/users")
	if code != 0 || strings.Contains(errs, "unknown") {
		t.Errorf("check-config: %d %s", code, errs)
	}
	for _, want := range []string{"max_content_length = 50000000", "ciphersuite = ECDHE+AESGCM", "realm = Home router", "type = htpasswd", "htpasswd_encryption = plain", "Access-Control-Allow-Origin = *"} {
		if !strings.Contains(strings.ToLower(out), strings.ToLower(want)) {
			t.Errorf("the configuration lacks %q:\n%s", want, out)
		}
	}
	if b, _ := os.ReadFile(config); !strings.Contains(string(b), "filesystem_folder = /srv/radicale3\n") {
		t.Errorf("the data is not on flash:\n%s", b)
	}

	// Below xinetd; the paths in the file are a router's.
	b, err := os.ReadFile(service)
	if err != nil || strings.Count(string(b), "service inetdav") != 2 {
		t.Fatalf("%v\n%s", err, b)
	}
	conf := h.dir + "/xinetd.conf"
	// without the folders of a router, with the options of h.bin
	text := strings.NewReplacer("--config=/var/etc/inetdav/config --inetdav-state-folder=/var/run/inetdav", "--inetdav-state-folder="+h.dir+"/var/run/inetdav").Replace(string(b))
	os.WriteFile(conf, []byte(text), 0o600)
	argv := found([]string{"xinetd"}, "-dontfork", "-f", conf, "-pidfile", h.dir+"/pid", "-stayalive")
	if argv == nil {
		t.Skip("xinetd is not installed")
	}
	h.start(argv, "127.0.0.1:"+h.port)
	scenario(t, "tcp4", "127.0.0.1:"+h.port, "http", atOnce)
	h.finish("127.0.0.1")
}

func TestShippedProxies(t *testing.T) {
	tests := []struct {
		name, peer string
		unix       bool // between the proxy and us
		protocol   bool // PROXY
		argv       func(h *shipped) []string
	}{
		{name: "nginx.conf", unix: true, peer: "unix (forwarded for '127.0.0.1'", argv: func(h *shipped) []string {
			main := h.dir + "/main.conf"
			os.WriteFile(main, []byte(fmt.Sprintf("daemon off;\npid %s/pid;\nerror_log stderr;\nuser %s %s;\nevents {}\nhttp {\naccess_log off;\nclient_body_temp_path %[1]s/b;\nproxy_temp_path %[1]s/p;\nfastcgi_temp_path %[1]s/f;\nuwsgi_temp_path %[1]s/u;\nscgi_temp_path %[1]s/s;\ninclude %[4]s;\n}\n",
				h.dir, userName(h.t), groupName(h.t), h.file("nginx.conf"))), 0o600)
			return found([]string{"nginx"}, "-c", main, "-e", "stderr")
		}},
		{name: "Caddyfile", unix: true, peer: "unix (forwarded for '127.0.0.1'", argv: func(h *shipped) []string {
			return found([]string{"caddy"}, "run", "--config", h.file("Caddyfile", "admin off", "admin off\n\tauto_https disable_redirects\n\tskip_install_trust"), "--adapter", "caddyfile")
		}},
		{name: "haproxy.cfg", protocol: true, peer: "127.0.0.2", argv: func(h *shipped) []string {
			return found([]string{"haproxy"}, "-db", "-f", h.file("haproxy.cfg"))
		}},
		{name: "haproxy.cfg version 1", protocol: true, peer: "127.0.0.2", argv: func(h *shipped) []string {
			return found([]string{"haproxy"}, "-db", "-f", h.file("haproxy.cfg", "send-proxy-v2", "send-proxy"))
		}},
		{name: "stunnel-proxy.conf", protocol: true, peer: "127.0.0.2", argv: func(h *shipped) []string {
			return found([]string{"stunnel", "stunnel4"}, h.file("stunnel-proxy.conf", "pid =", "pid = "+h.dir+"/pid"))
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var args []string
			if test.protocol {
				args = append(args, "--inetdav-proxy-protocol=127.0.0.1")
			}
			h := newShipped(t, args...)
			argv := test.argv(h)
			if argv == nil {
				t.Skip("its program is not installed")
			}
			h.behind(test.unix)
			h.start(argv, "127.0.0.1:"+h.front)
			scenario(t, "tcp4", "127.0.0.1:"+h.front, "https", atOnce)
			peer := test.peer
			if test.protocol {
				// A client whose address is not the proxy's.
				dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}, Timeout: patience}
				c, err := tls.DialWithDialer(&dialer, "tcp4", "127.0.0.1:"+h.front, &tls.Config{InsecureSkipVerify: true})
				if err != nil {
					t.Fatal(err)
				}
				fmt.Fprintf(c, "OPTIONS / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
				if b, err := io.ReadAll(c); !strings.HasPrefix(string(b), "HTTP/1.1 200") {
					t.Errorf("%q, %v", b, err)
				}
				c.Close()
			}
			h.finish(peer)
		})
	}
}

// A user's own units are well-formed.
func TestUserUnits(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("systemd-analyze is not installed")
	}
	h := newShipped(t)
	cmd := exec.Command("systemd-analyze", "verify", "--user", "--man=no", "--recursive-errors=no", h.file("user/radicale.socket"), h.file("user/radicale@.service"))
	cmd.Env = append(baseEnv(), "XDG_RUNTIME_DIR="+h.dir)
	if out, err := cmd.CombinedOutput(); err != nil || strings.TrimSpace(string(out)) != "" {
		t.Errorf("%v\n%s", err, out)
	}
}

// Idle times fit: what a proxy keeps, it closes before inetdav does.
func TestShippedIdleTimes(t *testing.T) {
	for name, setting := range map[string]string{"nginx.conf": "keepalive_timeout 60s;", "Caddyfile": "keepalive 60s", "haproxy.cfg": "timeout http-keep-alive 60s", "stunnel-proxy.conf": "TIMEOUTidle = 120"} {
		b, err := os.ReadFile("units/" + name)
		if err != nil || !strings.Contains(string(b), setting) {
			t.Errorf("%s lacks %q (%v)", name, setting, err)
		}
	}
	if idleNear <= 120*time.Second {
		t.Errorf("inetdav closes after %v", idleNear)
	}
}

// HAProxy's check with send-proxy is a header for itself and the end: nothing is
// said of it, and the process ends well.
func TestHAProxyCheck(t *testing.T) {
	haproxy := found([]string{"haproxy"})
	if haproxy == nil {
		t.Skip("haproxy is not installed")
	}
	s := startServer(t, "--inetdav-proxy-protocol=127.0.0.1", "--logging-level=info")
	_, port, _ := net.SplitHostPort(s.Address.String())
	h := newShipped(t)
	conf := h.file("haproxy.cfg", "127.0.0.1:5232 send-proxy-v2", "127.0.0.1:"+port+" send-proxy-v2 check inter 100ms", "No check", "A check")
	cmd := exec.Command(haproxy[0], "-db", "-f", conf)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if code := s.waitExit(); code != exitDone {
			t.Errorf("ended with %d", code)
		}
	}
	cmd.Process.Signal(syscall.SIGTERM)
	var exit *exec.ExitError
	if err := cmd.Wait(); err != nil && !errors.As(err, &exit) {
		t.Error(err)
	}
	if s.Log() != "" {
		t.Errorf("logged %q", s.Log())
	}
}
