package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// longVariable, set to anything, makes the tests that can run long do so.
const longVariable = "INETDAV_TEST_LONG"

// copySources copies what `make` reads.
func copySources(t *testing.T, to string) {
	t.Helper()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		switch {
		case path == "build" || path == "testdata" || d.IsDir() && path != "." && strings.HasPrefix(path, "."):
			return fs.SkipDir
		case d.IsDir():
			return os.MkdirAll(filepath.Join(to, path), 0o755)
		case !d.Type().IsRegular() || strings.HasSuffix(path, "_test.go") || filepath.Dir(path) == "." && strings.HasPrefix(path, "inetdav"):
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, path), b, info.Mode().Perm())
	})
	if err != nil {
		t.Fatal(err)
	}
}

// sums gives the SHA-256 of each file directly in the folders.
func sums(t *testing.T, dirs ...string) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			if entry.IsDir() {
				continue
			}
			b, err := os.ReadFile(filepath.Join(dir, entry.Name()))
			if err != nil {
				t.Fatal(err)
			}
			found[entry.Name()] = fmt.Sprintf("%x", sha256.Sum256(b))
		}
	}
	return found
}

// Two builds, in different places, by people with different habits, are the same
// bytes; and what comes out can be installed, upgraded and removed.
func TestPackages(t *testing.T) {
	for _, program := range []string{"make", "dpkg-deb", "sha256sum"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("SKIPPED: %s is not installed, no package is built", program)
		}
	}
	arch, err := exec.Command("dpkg", "--print-architecture").Output()
	if err != nil {
		t.Skipf("dpkg: %v", err)
	}
	dirs := []string{filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "much", "deeper")}
	habits := [][]string{
		{"TZ=UTC", "LC_ALL=C"},
		{"TZ=Asia/Tokyo", "LC_ALL=C.UTF-8", "USER=somebody", "GZIP_ENV=-1"},
	}
	masks := []string{"022", "077"}
	if os.Getenv(longVariable) != "" {
		habits[1] = append(habits[1], "GOCACHE="+filepath.Join(t.TempDir(), "cache"))
	}
	for i, dir := range dirs {
		copySources(t, dir)
		cmd := exec.Command("sh", "-c", "umask "+masks[i]+" && exec make -s deb dist VERSION=1.2 DIST_TARGETS=linux/$(go env GOARCH)")
		cmd.Dir = dir
		// The network is not asked for modules.
		cmd.Env = append(append(os.Environ(), "SOURCE_DATE_EPOCH=1790000000", "GOPROXY=off", "MAKEFLAGS="), habits[i]...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	first, second := sums(t, dirs[0]+"/build", dirs[0]+"/build/dist"), sums(t, dirs[1]+"/build", dirs[1]+"/build/dist")
	if len(first) != 3 || !maps.Equal(first, second) {
		t.Errorf("two builds are not the same three files:\n%v\n%v", first, second)
	}

	deb := filepath.Join(dirs[0], "build", "inetdav_1.2_"+strings.TrimSpace(string(arch))+".deb")
	t.Run("tarball", func(t *testing.T) { checkTarball(t, filepath.Join(dirs[0], "build/dist")) })
	t.Run("content", func(t *testing.T) { checkDebContent(t, deb) })
	t.Run("lintian", func(t *testing.T) {
		if _, err := exec.LookPath("lintian"); err != nil {
			t.Skip("SKIPPED: lintian is not installed")
		}
		out, err := exec.Command("lintian", "--allow-root", "-I", "--fail-on", "error,warning,info", deb).CombinedOutput()
		if err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	})
	t.Run("install", func(t *testing.T) { checkDebInstall(t, deb) })
}

func checkTarball(t *testing.T, dist string) {
	check := exec.Command("sha256sum", "--strict", "-c", "SHA256SUMS")
	check.Dir = dist
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	tarballs, err := filepath.Glob(dist + "/*.tar.gz")
	if err != nil || len(tarballs) != 1 {
		t.Fatalf("%v, %v, want one tarball", tarballs, err)
	}
	root := t.TempDir()
	if out, err := exec.Command("tar", "-xzf", tarballs[0], "-C", root).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := exec.Command(root+"/usr/bin/inetdav", "version").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "1.2") {
		t.Errorf("the tarball's program: %v, %q", err, out)
	}
	for _, name := range []string{"usr/bin/inetdav-import", "usr/bin/inetdav-auth-helper", "usr/share/man/man1/inetdav.1",
		"usr/share/doc/inetdav/LICENSE", "usr/share/doc/inetdav/examples/xinetd.conf"} {
		if _, err := os.Stat(filepath.Join(root, name)); err != nil {
			t.Error(err)
		}
	}
}

func checkDebContent(t *testing.T, deb string) {
	root, control := t.TempDir(), t.TempDir()
	for _, args := range [][]string{{"-x", deb, root}, {"-e", deb, control}} {
		if out, err := exec.Command("dpkg-deb", args...).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	out, err := exec.Command(root+"/usr/bin/inetdav", "version").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "1.2") {
		t.Errorf("the package's program: %v, %q", err, out)
	}
	for _, name := range []string{"usr/libexec/inetdav/inetdav-import", "usr/libexec/inetdav/inetdav-auth-helper", "usr/share/man/man1/inetdav.1.gz",
		"usr/lib/systemd/system/radicale.socket", "usr/lib/sysusers.d/inetdav.conf", "usr/lib/tmpfiles.d/inetdav.conf"} {
		if _, err := os.Stat(filepath.Join(root, name)); err != nil {
			t.Error(err)
		}
	}
	unit, err := os.ReadFile(root + "/usr/lib/systemd/system/radicale@.service")
	if err != nil || !strings.Contains(string(unit), "\nExecStart=/usr/bin/inetdav\n") {
		t.Errorf("%v, radicale@.service does not start the package's program", err)
	}
	conffiles, err := os.ReadFile(control + "/conffiles")
	if err != nil || string(conffiles) != "/etc/xinetd.d/inetdav\n" {
		t.Errorf("conffiles: %v, %q", err, conffiles)
	}
	sums := exec.Command("md5sum", "--strict", "--quiet", "-c", control+"/md5sums")
	sums.Dir = root
	if out, err := sums.CombinedOutput(); err != nil {
		t.Errorf("md5sums: %v\n%s", err, out)
	}
}

// installScript is a package's life below a systemd: each line says what is
// expected where something else is.
const installScript = `cd /
must() { "$@" >/tmp/out 2>&1 || { echo "$*: $?"; cat /tmp/out; }; }
is() { [ "$2" = "$3" ] || echo "$1: got $2, want $3"; }
ask() { curl -s -m 20 -o /dev/null -w '%{http_code}' -u alice:secret "$@" http://127.0.0.1:5232/alice/; }

# On a machine that knows nothing of it.
must dpkg -i /first.deb
is 'the socket is not started' "$(systemctl is-active radicale.socket)" inactive
is 'nor enabled' "$(systemctl is-enabled radicale.socket)" disabled
is 'owner of the folder' "$(stat -c '%U %a' /var/lib/radicale/collections)" 'radicale 750'
is 'owner of the users' "$(stat -c '%U:%G %a' /etc/radicale/users)" 'root:radicale 640'
must runuser -u radicale -- inetdav check-config
echo alice:secret >>/etc/radicale/users
sed -i 's/^htpasswd_filename/htpasswd_encryption = plain\n&/' /etc/radicale/config
must systemctl enable --now radicale.socket
is 'served' "$(ask -X PROPFIND)" 207
is 'a calendar' "$(curl -s -m 20 -o /dev/null -w '%{http_code}' -u alice:secret -X MKCALENDAR http://127.0.0.1:5232/alice/cal/)" 201
must inetdav import --help

# The upgrade keeps the socket, what is configured and who is connected.
echo '# mine' >>/etc/xinetd.d/inetdav
before=$(systemctl show -p InvocationID --value radicale.socket)
bash -c 'exec 5<>/dev/tcp/127.0.0.1/5232
	printf "OPTIONS / HTTP/1.1\r\nHost: h\r\n\r\n" >&5; IFS= read -r a <&5
	dpkg --force-confold -i /second.deb >/tmp/upgrade 2>&1 || { echo upgrade; cat /tmp/upgrade; }
	printf "OPTIONS / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n" >&5; b=$(cat <&5)
	case $a,$b in HTTP/1.1\ 200*HTTP/1.1\ 200*) ;; *) echo "a connection over the upgrade: $a, $b";; esac'
is 'the version' "$(dpkg-query -W -f '${Version}' inetdav)" 1.3
is 'the socket over the upgrade' "$(systemctl show -p InvocationID --value radicale.socket)" "$before"
is 'served after the upgrade' "$(ask -X PROPFIND)" 207
is 'the conffile' "$(tail -n 1 /etc/xinetd.d/inetdav)" '# mine'

# What was stored and configured outlives the package.
must dpkg -r inetdav
is 'the socket after removal' "$(systemctl is-active radicale.socket)" inactive
[ -e /etc/xinetd.d/inetdav ] || echo 'removal took the conffile'
must dpkg -P inetdav
[ ! -e /etc/xinetd.d/inetdav ] || echo 'purge left the conffile'
is 'links that enabled it' "$(ls /etc/systemd/system/sockets.target.wants 2>/dev/null | grep -c radicale)" 0
for kept in /etc/radicale/config /etc/radicale/users /var/lib/radicale/collections/collection-root/alice/cal/.Radicale.props; do
	[ -e $kept ] || echo "purge took $kept"
done
`

func checkDebInstall(t *testing.T, deb string) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("SKIPPED: curl is not installed")
	}
	// The same package as a version later.
	dir := t.TempDir()
	second := filepath.Join(dir, "second.deb")
	for _, args := range [][]string{
		{"dpkg-deb", "-R", deb, dir + "/root"},
		{"sed", "-i", "s/^Version:.*/Version: 1.3/", dir + "/root/DEBIAN/control"},
		{"dpkg-deb", "--root-owner-group", "-Znone", "-b", dir + "/root", second},
	} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%q: %v\n%s", args, err, out)
		}
	}
	out := inBox(t, []string{"-r", "rm -rf /var/lib/radicale /etc/radicale /usr/sbin/policy-rc.d", "-c", deb + ":/first.deb", "-c", second + ":/second.deb"},
		"sh", "-c", installScript)
	if out != "" {
		t.Errorf("%s", out)
	}
}

// inBox boots a systemd of its own with the arguments for systemd-in-box.sh and
// gives what the command says in it. An exit code that is not 0 is the test's
// failure.
func inBox(t *testing.T, box []string, command ...string) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("SKIPPED: booting a systemd needs root")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", slices.Concat([]string{"units/systemd-in-box.sh", "-k"}, box, []string{"--"}, command)...)
	cmd.Env = append(os.Environ(), "BOX_TIMEOUT=600")
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // it cleans up
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		if exit.ExitCode() == 125 {
			t.Skipf("SKIPPED: no systemd can be booted here:\n%s%s", out, exit.Stderr)
		}
		t.Logf("%s", exit.Stderr)
	}
	if err != nil {
		t.Errorf("%v", err)
	}
	return strings.TrimSpace(string(out))
}
