package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The units below a real systemd, which units/systemd-in-box.sh boots in
// namespaces of its own: the sandbox of radicale@.service must let everything
// through that the program does.
func TestSystemd(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("booting a systemd needs root")
	}
	buildBeside(t, "inetdav-import", "./dav/importer")
	buildBeside(t, "inetdav-auth-helper", "./dav/access/helper")
	dest := t.TempDir()
	cmd := exec.Command("make", "install", "GO=false", "DESTDIR="+dest, "PREFIX=/usr/local", "PROGRAM="+programPath)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	config := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(config, []byte("[auth]\ntype = none\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	lib := filepath.Join(dest, "usr/local/lib")
	examples := filepath.Join(dest, "usr/local/share/doc/inetdav/examples") + "/"

	units := func(names ...string) (args []string) {
		for _, name := range names {
			file, as, _ := strings.Cut(name, ":")
			dir := lib + "/systemd/system/"
			if _, err := os.Stat(dir + file); err != nil {
				dir = examples
			}
			args = append(args, "-u", strings.TrimSuffix(dir+file+":"+as, ":"))
		}
		return args
	}
	instances := units("radicale.socket", "radicale@.service", "radicale.slice", "unix.conf:radicale.socket.d/unix.conf")
	for _, test := range []struct {
		name     string
		units    []string
		socket   string
		services string // what systemctl stop is told
		sockets  string // kinds of connections that it listens for
		needs    string
	}{
		{"strict", instances, "radicale.socket", "radicale@*.service", "tcp4 tcp6 unix", ""},
		{"fast", append(units("fast.conf:radicale@.service.d/fast.conf"), instances...), "radicale.socket", "radicale@*.service", "tcp4 tcp6 unix", ""},
		{"s6", units("radicale-s6.socket", "radicale-s6.service", "radicale.slice"), "radicale-s6.socket", "radicale-s6.service", "tcp4", "/usr/bin/s6-ipcserverd"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.needs != "" && !isExecutable(test.needs) {
				t.Skipf("%s is not installed", test.needs)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			args := append([]string{"units/systemd-in-box.sh", "-k", "-r", "rm -rf /var/lib/radicale",
				"-u", lib + "/sysusers.d/inetdav.conf:radicale.sysusers.conf",
				"-u", lib + "/tmpfiles.d/inetdav.conf:radicale.tmpfiles.conf",
				"-c", filepath.Join(dest, "usr/local/bin/inetdav") + ":/usr/local/bin/inetdav:755",
				"-c", config + ":/etc/radicale/config:644",
				"-c", os.Args[0] + ":/root/client:755",
				"-s", test.socket}, test.units...)
			args = append(args, "--", "env", helperVariable+"=box", "/root/client", test.services)
			cmd := exec.CommandContext(ctx, "bash", append(args, strings.Fields(test.sockets)...)...)
			cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // it cleans up
			cmd.WaitDelay = 10 * time.Second
			out, err := cmd.CombinedOutput()
			var exit *exec.ExitError
			if errors.As(err, &exit) && exit.ExitCode() == 125 {
				t.Skipf("no systemd can be booted here:\n%s", out)
			}
			if err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// boxMain is the client in the box; its arguments are the services and the
// networks. It prints what is wrong.
func boxMain() (code int) {
	complain := func(format string, args ...any) {
		fmt.Printf(format+"\n", args...)
		code = 1
	}
	services := os.Args[1]
	for _, network := range os.Args[2:] {
		dial := func() (net.Conn, error) {
			return net.Dial(network, map[string]string{"tcp4": "127.0.0.1:5232", "tcp6": "[::1]:5232", "unix": "/run/radicale.sock"}[network])
		}
		boxRequests(network, dial, complain)
		boxStops(network, services, dial, complain)
	}
	for _, ask := range [][]string{
		{"systemctl", "--failed", "--no-legend", "--plain"},
		{"journalctl", "-b", "-t", "inetdav", "-p", "warning", "-q", "--no-pager"},
	} {
		out, err := exec.Command(ask[0], ask[1:]...).CombinedOutput()
		if err != nil || len(bytes.TrimSpace(out)) > 0 {
			complain("%q: %v\n%s", ask, err, out)
		}
	}
	return code
}

const boxEvent = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:box\r\nBEGIN:VEVENT\r\nUID:a\r\nDTSTAMP:20260101T000000Z\r\n" +
	"DTSTART:20260101T000000Z\r\nRRULE:FREQ=WEEKLY\r\nSUMMARY:x\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"

// boxRequests makes, reads and changes things on one connection.
func boxRequests(name string, dial func() (net.Conn, error), complain func(string, ...any)) {
	transport := &http.Transport{Dial: func(_, _ string) (net.Conn, error) { return dial() }}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: patience}
	home := "http://server/" + name + "/"
	for _, step := range []struct {
		method, path, body string
		status             int
		contains           string
	}{
		{"PROPFIND", "", "", 207, "multistatus"},
		{"MKCALENDAR", "cal/", "", 201, ""},
		{"PUT", "cal/a.ics", boxEvent, 201, ""},
		{"PUT", "cal/a.ics", boxEvent + "\r\n", 204, ""},
		{"GET", "cal/a.ics", "", 200, "SUMMARY:x"},
		{"PROPPATCH", "cal/", `<propertyupdate xmlns="DAV:"><set><prop><displayname>n</displayname></prop></set></propertyupdate>`, 207, "200 OK"},
		{"PROPFIND", "cal/", "", 207, "a.ics"},
		{"REPORT", "cal/", `<sync-collection xmlns="DAV:"><sync-token/><sync-level>1</sync-level><prop><getetag/></prop></sync-collection>`, 207, "a.ics"},
		{"REPORT", "cal/", `<C:calendar-query xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><prop><getetag/></prop><C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT"><C:time-range start="20260201T000000Z" end="20260301T000000Z"/></C:comp-filter></C:comp-filter></C:filter></C:calendar-query>`, 207, "a.ics"},
		{"MOVE", "cal/a.ics", "", 201, ""},
		{"COPY", "cal/b.ics", "", 409, ""}, // the same UID twice
		{"DELETE", "cal/b.ics", "", 204, ""},
		{"DELETE", "cal/", "", 204, ""},
	} {
		request, err := http.NewRequest(step.method, home+step.path, strings.NewReader(step.body))
		if err != nil {
			complain("%v", err)
			return
		}
		request.SetBasicAuth(name, "")
		request.Header.Set("Depth", "1")
		switch step.method {
		case "MOVE":
			request.Header.Set("Destination", home+"cal/b.ics")
		case "COPY":
			request.Header.Set("Destination", home+"cal/c.ics")
		case "PUT":
			request.Header.Set("Content-Type", "text/calendar")
		case "DELETE":
			request.Header.Del("Depth")
		}
		resp, err := client.Do(request)
		if err != nil {
			complain("%s: %s %s: %v", name, step.method, step.path, err)
			return
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != step.status || !strings.Contains(string(body), step.contains) {
			complain("%s: %s %s: %s, %v, want %d\n%s", name, step.method, step.path, resp.Status, err, step.status, body)
		}
	}
}

// boxStops stops the services with a request under way and without one.
func boxStops(name, services string, dial func() (net.Conn, error), complain func(string, ...any)) {
	c, err := dial()
	if err != nil {
		complain("%s: %v", name, err)
		return
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	r := bufio.NewReader(c)
	const body = `<propertyupdate xmlns="DAV:"><set><prop><displayname>home</displayname></prop></set></propertyupdate>`
	// The interim answer says that the request has begun; one that changes
	// something is finished however young its process is.
	fmt.Fprintf(c, "PROPPATCH /%s/ HTTP/1.1\r\nHost: h\r\nAuthorization: Basic %s\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n",
		name, basic(name), len(body))
	if resp, err := http.ReadResponse(r, nil); err != nil || resp.StatusCode != 100 {
		complain("%s: %v, %v, want 100 Continue", name, resp, err)
		return
	}
	stop := exec.Command("systemctl", "stop", services)
	if err := stop.Start(); err != nil {
		complain("%s: %v", name, err)
		return
	}
	// It says no earlier than after the signal that it is stopping.
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		out, _ := exec.Command("systemctl", "list-units", "--plain", "--no-legend", "--state=deactivating,stop-sigterm", services).Output()
		if len(bytes.TrimSpace(out)) > 0 {
			break
		}
	}
	io.WriteString(c, body)
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		complain("%s: stopped during a request: %v", name, err)
		return
	}
	_, err = io.Copy(io.Discard, resp.Body)
	// The answer is whole, and the last one. Whether it says so itself depends on
	// who was quicker, the signal or the body.
	_, end := r.ReadByte()
	if err != nil || resp.StatusCode != http.StatusMultiStatus || end != io.EOF {
		complain("%s: stopped during a request: %s, %v, then %v", name, resp.Status, err, end)
	}
	if err := stop.Wait(); err != nil {
		complain("%s: systemctl stop: %v", name, err)
	}

	idle, err := dial()
	if err != nil {
		complain("%s: %v", name, err)
		return
	}
	defer idle.Close()
	idle.SetDeadline(time.Now().Add(patience))
	io.WriteString(idle, "OPTIONS / HTTP/1.1\r\nHost: h\r\n\r\n")
	r = bufio.NewReader(idle)
	if _, err := http.ReadResponse(r, nil); err != nil {
		complain("%s: %v", name, err)
	}
	if out, err := exec.Command("systemctl", "stop", services).CombinedOutput(); err != nil {
		complain("%s: systemctl stop: %v %s", name, err, out)
	}
	if _, err := r.ReadByte(); err != io.EOF {
		complain("%s: stopped while idle: %v, want the end", name, err)
	}
}

func basic(user string) string {
	request, _ := http.NewRequest("GET", "http://h/", nil)
	request.SetBasicAuth(user, "")
	return strings.TrimPrefix(request.Header.Get("Authorization"), "Basic ")
}
