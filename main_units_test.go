package main

import (
	"bufio"
	"bytes"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// install installs below a folder of the test's and gives it.
func install(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("make"); err != nil {
		t.Skip("make is not installed")
	}
	buildBeside(t, "inetdav-import", "./dav/importer")
	buildBeside(t, "inetdav-auth-helper", "./dav/access/helper")
	prefix := filepath.Join(t.TempDir(), "usr")
	// The program is there already: it is installed without Go.
	cmd := exec.Command("make", "install", "GO=false", "PREFIX="+prefix, "PROGRAM="+programPath)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return prefix
}

func TestInstall(t *testing.T) {
	prefix := install(t)
	seen := map[string]bool{}
	err := filepath.WalkDir(prefix, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, _ := filepath.Rel(prefix, path)
		seen[name] = true
		if filepath.Dir(name) == "bin" {
			return nil
		}
		b, err := os.ReadFile(path)
		if left := regexp.MustCompile(`@[A-Z]+@`).Find(b); left != nil {
			t.Errorf("%s: %s is not substituted", name, left)
		}
		if filepath.Dir(name) == "share/doc/inetdav/examples" && bytes.Contains(b, []byte("/inetdav ")) &&
			!bytes.Contains(b, []byte(prefix+"/bin/inetdav")) {
			t.Errorf("%s does not name the program that was installed", name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"bin/inetdav", "lib/systemd/system/radicale.socket", "lib/systemd/system/radicale@.service",
		"lib/systemd/system/inetdav-auth.socket",
		"lib/systemd/system/inetdav-auth@.service", "share/doc/inetdav/examples/auth.conf", "bin/inetdav-auth-helper", "lib/sysusers.d/inetdav.conf", "lib/tmpfiles.d/inetdav.conf", "share/doc/inetdav/examples/xinetd.conf"} {
		if !seen[name] {
			t.Errorf("%s is not installed", name)
		}
	}
}

// systemd itself says whether the units are well-formed, and how much of the
// system they leave open.
func TestUnits(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("systemd-analyze is not installed")
	}
	dir := filepath.Join(install(t), "lib/systemd/system")
	cmd := exec.Command("systemd-analyze", "verify", "--man=no", "--recursive-errors=no",
		filepath.Join(dir, "radicale.socket"), filepath.Join(dir, "radicale@.service"), filepath.Join(dir, "radicale.slice"),
		filepath.Join(dir, "inetdav-auth.socket"), filepath.Join(dir, "inetdav-auth@.service"))
	if out, err := cmd.CombinedOutput(); err != nil || len(bytes.TrimSpace(out)) > 0 {
		t.Errorf("verify: %v\n%s", err, out)
	}
	examples := filepath.Join(dir, "../../../share/doc/inetdav/examples")
	for _, test := range []struct {
		unit, dropIn string
		exposure     string // in tenths
	}{
		{"radicale@.service", "", "5"},
		{"radicale@.service", "fast.conf", "26"},
		{"radicale@.service", "auth.conf", "7"},
		{"inetdav-auth@.service", "", "11"}, // the network is what it is for
	} {
		own := t.TempDir()
		files := map[string]string{filepath.Join(dir, test.unit): test.unit}
		if test.dropIn != "" {
			files[filepath.Join(examples, test.dropIn)] = filepath.Join(test.unit+".d", test.dropIn)
		}
		for from, to := range files {
			b, err := os.ReadFile(from)
			if err == nil {
				err = os.MkdirAll(filepath.Dir(filepath.Join(own, to)), 0o755)
			}
			if err == nil {
				err = os.WriteFile(filepath.Join(own, to), b, 0o644)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		cmd = exec.Command("systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold="+test.exposure, filepath.Join(own, test.unit))
		if out, err := cmd.CombinedOutput(); err != nil {
			lines := strings.Split(strings.TrimSpace(string(out)), "\n")
			t.Errorf("%s %s: exposure: %v: %s, want %s tenths", test.unit, test.dropIn, err, lines[len(lines)-1], test.exposure)
		}
	}
}

// The demonstration: its URL answers, what it says to try works, and nothing
// of it stays.
func TestTry(t *testing.T) {
	for _, name := range []string{"systemd-socket-activate", "tcpsvd", "tcpserver", "socat", "xinetd"} {
		t.Run(name, func(t *testing.T) {
			program := found([]string{name})
			if program == nil {
				t.Skipf("%s is not installed", name)
			}
			// A PATH on which there is no other super-server.
			bin, temp := t.TempDir(), t.TempDir()
			for _, tool := range []string{"sh", "awk", "cat", "date", "id", "kill", "mkdir", "mktemp", "pwd", "rm", "setsid", "sleep", "chmod"} {
				if path := found([]string{tool}); path != nil {
					os.Symlink(path[0], filepath.Join(bin, tool))
				}
			}
			os.Symlink(program[0], filepath.Join(bin, name))
			script, err := os.ReadFile("units/try")
			if err != nil {
				t.Fatal(err)
			}
			script = bytes.Replace(script, []byte("\nPATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin\n"), []byte("\n"), 1)
			copied := filepath.Join(temp, "try")
			if err := os.WriteFile(copied, script, 0o700); err != nil {
				t.Fatal(err)
			}

			address := freeAddress(t)
			_, port, _ := strings.Cut(address, ":")
			cmd := exec.Command(copied)
			cmd.Env = []string{"PATH=" + bin, "TMPDIR=" + temp, "PORT=" + port, "INETDAV=" + programPath}
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			stdout, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			var said strings.Builder
			for r := bufio.NewReader(stdout); !strings.Contains(said.String(), "Ctrl-C"); {
				line, err := r.ReadString('\n')
				said.WriteString(line)
				if err != nil {
					t.Fatalf("%v: %q %q", err, said.String(), stderr.String())
				}
			}
			if !strings.Contains(said.String(), "http://"+address+"/") || !strings.Contains(said.String(), "below "+name+":") {
				t.Errorf("said %q", said.String())
			}

			client := dialUntilThere(address)
			ask := func(method, path, password string) (int, string) {
				request, _ := http.NewRequest(method, "http://"+address+path, nil)
				request.Header.Set("Depth", "1")
				request.SetBasicAuth("demo", password)
				resp, err := client.Do(request)
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				b, _ := io.ReadAll(resp.Body)
				return resp.StatusCode, string(b)
			}
			if status, body := ask("PROPFIND", "/demo/", "demo"); status != 207 || !strings.Contains(body, "/demo/calendar/") || !strings.Contains(body, "/demo/contacts/") {
				t.Errorf("PROPFIND: %d %s", status, body)
			}
			if status, body := ask("GET", "/demo/calendar/lunch.ics", "demo"); status != 200 || !strings.Contains(body, "SUMMARY:Lunch\r\n") {
				t.Errorf("GET: %d %s", status, body)
			}
			if status, _ := ask("GET", "/demo/contacts/ada.vcf", "wrong"); status != 401 {
				t.Errorf("a wrong password: %d", status)
			}
			if _, errs, code := run(t, "", "verify", "--config=", "--storage-filesystem-folder="+demoFolder(t, said.String())+"/collections"); code != 0 {
				t.Errorf("verify: %d %s", code, errs)
			}

			syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) // Ctrl-C
			if err := cmd.Wait(); err != nil {
				t.Errorf("ended with %v\n%s", err, stderr.String())
			}
			client.CloseIdleConnections()
			left, _ := filepath.Glob(filepath.Join(temp, "inetdav-demo*"))
			if len(left) > 0 {
				t.Errorf("left %q", left)
			}
			argument := "--storage-filesystem-folder=" + demoFolder(t, said.String()) + "/collections"
			waitFor(t, "its processes to end", func() bool { return processes(argument) == 0 })
		})
	}
	t.Run("port in use", func(t *testing.T) {
		if _, err := os.Stat("/proc/net/tcp"); err != nil {
			t.Skip("no /proc/net/tcp")
		}
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		_, port, _ := net.SplitHostPort(l.Addr().String())
		temp := t.TempDir()
		cmd := exec.Command("units/try")
		cmd.Env = append(baseEnv(), "INETDAV="+programPath, "TMPDIR="+temp, "PORT="+port)
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(out), "port "+port+" is in use") || !strings.Contains(string(out), "PORT=") || strings.Contains(string(out), "http://") {
			t.Errorf("%v, %q", err, out)
		}
		if left, _ := os.ReadDir(temp); len(left) > 0 {
			t.Errorf("left %q", left)
		}
	})
	t.Run("none", func(t *testing.T) {
		script, err := os.ReadFile("units/try")
		if err != nil {
			t.Fatal(err)
		}
		script = bytes.Replace(script, []byte("have() { command -v"), []byte("have() { false &&"), 1)
		cmd := exec.Command("/bin/sh", "-c", string(script))
		cmd.Env = append(baseEnv(), "INETDAV="+programPath, "TMPDIR="+t.TempDir())
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(out), "Install one of") {
			t.Errorf("%v, %q", err, out)
		}
	})
}

func demoFolder(t *testing.T, said string) string {
	t.Helper()
	m := regexp.MustCompile(`(?m)^folder: (.+)$`).FindStringSubmatch(said)
	if m == nil {
		t.Fatalf("no folder in %q", said)
	}
	return m[1]
}
