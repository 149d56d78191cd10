package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestStorageHookInherits: a hook gets nothing of the connection, neither the
// descriptor nor the variables that speak of it.
func TestStorageHookInherits(t *testing.T) {
	t.Parallel()
	for _, how := range []handover{systemd, inetd} {
		t.Run(how.String(), func(t *testing.T) {
			t.Parallel()
			out := filepath.Join(t.TempDir(), "out")
			s := startServerWith(t, serverOptions{handover: how, args: []string{
				`--storage-hook=for f in /proc/$$/fd/*; do echo ${f##*/} $(readlink $f); done >` + out + `; env >>` + out,
			}})
			s.must([]int{201}, "MKCALENDAR", "/demo/cal/", "")
			b, err := os.ReadFile(out)
			if err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(string(b)) {
				if strings.Contains(line, "socket:") || strings.HasPrefix(line, "LISTEN") {
					t.Errorf("the hook has %q", line)
				}
			}
			if !strings.HasPrefix(string(b), "0 /dev/null\n") {
				t.Errorf("the hook has %q", b)
			}
		})
	}
}

// TestStorageHookForbidden: where a sandbox forbids what it takes to start a
// program, as that of radicale@.service does, the change is made and the log says
// what to do.
func TestStorageHookForbidden(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("strace"); err != nil {
		t.Skip("strace is not installed")
	}
	s := startServerWith(t, serverOptions{
		handover: inetd,
		command:  []string{"strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=setpgid", "-e", "inject=setpgid:error=EPERM"},
		args:     []string{"--storage-hook=true"},
	})
	s.must([]int{201}, "MKCALENDAR", "/demo/cal/", "")
	s.waitLog("storage hook is not run: ")
	s.waitLog("the drop-in hook.conf allows it")
}
