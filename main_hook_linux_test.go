package main

import (
	"os/exec"
	"testing"
)

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
