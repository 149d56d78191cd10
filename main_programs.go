package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// libexecDir is set by the build: where the programs beside this one are
// installed when they are not in its own folder. Nothing else writes it.
var libexecDir = ""

// beside gives the command that becomes the program inetdav-NAME. What serving
// has no use for is a program of its own, so that no start pays for it.
func beside(name string, first ...string) func(args []string) int {
	return func(args []string) int {
		program := "inetdav-" + name
		path, places := findProgram(program)
		if path == "" {
			return fail(fmt.Errorf("%s is not installed (looked in %s)", program, strings.Join(places, ", ")))
		}
		argv := append([]string{program}, first...)
		err := unix.Exec(path, append(argv, args...), os.Environ())
		return fail(fmt.Errorf("%s: %w", path, err))
	}
}

// findProgram looks for a program where this one is, where the build says, and
// in PATH. Relative folders in PATH are left out: what is run must not depend
// on where one stands.
func findProgram(program string) (path string, places []string) {
	if self, err := os.Executable(); err == nil {
		if real, err := filepath.EvalSymlinks(self); err == nil {
			self = real
		}
		places = append(places, filepath.Dir(self))
	}
	if libexecDir != "" {
		places = append(places, libexecDir)
	}
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		if filepath.IsAbs(dir) {
			places = append(places, dir)
		}
	}
	for _, dir := range places {
		path := filepath.Join(dir, program)
		var st unix.Stat_t
		if unix.Stat(path, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFREG && unix.Access(path, unix.X_OK) == nil {
			return path, nil
		}
	}
	return "", places
}
