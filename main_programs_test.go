package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A program beside ours takes our place: its arguments, its exit code.
func TestProgramBeside(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	self := filepath.Join(dir, "inetdav")
	b, err := os.ReadFile(programPath)
	if err == nil {
		err = os.WriteFile(self, b, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	script := func(dir, says string, mode os.FileMode) string {
		t.Helper()
		path := filepath.Join(dir, "inetdav-import")
		if err := os.WriteFile(path, []byte("#!/bin/sh\necho "+says+" \"$@\"; exit 3\n"), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	try := func(path, want string, wantCode int, args ...string) {
		t.Helper()
		cmd := exec.Command(self, args...)
		cmd.Env = []string{"PATH=" + path}
		out, _ := cmd.CombinedOutput()
		if code := cmd.ProcessState.ExitCode(); code != wantCode || !strings.Contains(string(out), want) {
			t.Errorf("%q with PATH %s: %q, code %d; want %q, code %d", args, path, out, code, want, wantCode)
		}
	}
	try("/nonexistent/bin:"+other, "inetdav-import is not installed (looked in "+dir+", ", exitFailed, "import")
	script(other, "path", 0o755)
	try("/nonexistent/bin:"+other, "path a --help\n", 3, "import", "a", "--help")
	beside := script(dir, "beside", 0o644)
	try(other, "path a\n", 3, "import", "a") // not executable
	if err := os.Chmod(beside, 0o755); err != nil {
		t.Fatal(err)
	}
	try(other, "beside --export a\n", 3, "export", "a")
	try(other, "beside --debug a -x\n", 3, "--debug", "import", "a", "-x")
}
