package store

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// This file runs the administrator's command after a change, as Radicale does:
// with the exclusive lock held, in the storage folder, in a process group of its
// own, of which nothing is left when the shell has ended. It does not change
// what the client is told: the change has happened.

// Hook is a command for the shell with placeholders in the manner of Python's %
// operator: %(user)s, %(path)s, %(to_path)s, %(cwd)s and %(request)s, which are
// quoted for the shell, and %% for a percent sign ([storage] hook).
type Hook string

// Cause is what a hook is told of a change. Paths begin with the slash of the
// root, as in the request.
type Cause struct {
	User    string // "": anonymous
	Path    string
	ToPath  string // of a move or copy; "" else
	Request string // the method; "": none was asked for
}

// hookOutput is how much of what a hook says is logged, in bytes.
const hookOutput = 2 << 10

// Check tells whether all placeholders are known.
func (h Hook) Check() error {
	_, err := h.expand(func(string) string { return "" })
	return err
}

// expand replaces the placeholders by what value says, quoted. Clients choose the
// names of what they store: a value that the shell could take for more than a
// word, where its placeholder stands, is an error.
func (h Hook) expand(value func(name string) string) (string, error) {
	var b strings.Builder
	var q quoting
	rest := string(h)
	for {
		before, after, found := strings.Cut(rest, "%")
		b.WriteString(before)
		q.read(before)
		if !found {
			return b.String(), nil
		}
		if rest, found = strings.CutPrefix(after, "%"); found {
			b.WriteByte('%')
			continue
		}
		name, behind, found := strings.Cut(strings.TrimPrefix(after, "("), ")s")
		switch name {
		case "user", "path", "to_path", "cwd", "request":
		default:
			found = false
		}
		if !found || after[0] != '(' {
			return "", fmt.Errorf("%q: after %% only (user)s, (path)s, (to_path)s, (cwd)s, (request)s and another %% are known", "%"+after)
		}
		v := value(name)
		if !q.takes(v) {
			return "", fmt.Errorf("%%(%s)s stands within quotes of the shell, where %q is no word; it is quoted itself", name, v)
		}
		b.WriteString(shellQuote(v))
		rest = behind
	}
}

// quoting is how the shell reads what stands behind a text (POSIX.1, Shell Command
// Language, 2.2), as far as it can be told without being the shell.
type quoting struct {
	in    byte // the quote, 0 outside
	doubt bool // a text within a text: no more can be told
}

func (q *quoting) read(text string) {
	for i := 0; i < len(text); i++ {
		c, last := text[i], i == len(text)-1
		switch {
		case q.in == '\'':
			if c == '\'' {
				q.in = 0
			}
		case c == '`', last && (c == '\\' || c == '$'), strings.HasPrefix(text[i:], "<<"),
			q.in == '"' && c == '$' && (text[i+1] == '(' || text[i+1] == '{'):
			q.doubt = true
		case c == '\\':
			i++
		case c == q.in:
			q.in = 0
		case q.in == 0 && (c == '\'' || c == '"'):
			q.in = c
		}
	}
}

// takes tells whether what shellQuote makes of s is there nothing but text.
func (q *quoting) takes(s string) bool {
	switch {
	case q.doubt || q.in == '\'':
		return strings.IndexFunc(s, func(r rune) bool { return r < utf8.RuneSelf && !plain(r) }) < 0
	case q.in == '"':
		return !strings.ContainsAny(s, "$`\\\"'")
	}
	return true
}

// plain tells whether a character means nothing to the shell.
func plain(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_@%+=:,./-", r)
}

// shellQuote quotes s as Python's shlex.quote.
func shellQuote(s string) string {
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'"'"'`) + "'"
}

// command returns what the shell is given.
func (s *Store) command(c Cause) (string, error) {
	return s.Hook.expand(func(name string) string {
		switch name {
		case "user":
			if c.User == "" {
				return "Anonymous"
			}
			return c.User
		case "path":
			return s.root.path + "/" + strings.TrimPrefix(c.Path, "/")
		case "to_path":
			if c.ToPath == "" {
				return ""
			}
			return s.root.path + "/" + strings.TrimPrefix(c.ToPath, "/")
		case "request":
			if c.Request == "" {
				return "NONE"
			}
			return c.Request
		}
		return s.Folder
	})
}

// runHook runs the hook and waits for it. What goes wrong is only logged.
func (s *Store) runHook(c Cause) {
	command, err := s.command(c)
	if err != nil {
		s.logf(LevelError, "storage hook is not run: %v", err)
		return
	}
	said, err := s.runShell(command)
	switch {
	case errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES):
		s.logf(LevelError, "storage hook is not run: %v; where a sandbox forbids it, as that of radicale@.service does, the drop-in hook.conf allows it", err)
	case err != nil:
		s.logf(LevelError, "storage hook: %v: %s", err, said)
	default:
		s.logf(LevelDebug, "storage hook: %q said %q", command, said)
	}
}

// runShell runs a command with sh, in a group of its own, and returns the end of
// what it said.
func (s *Store) runShell(command string) (said string, err error) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return "", err
	}
	defer null.Close()
	out, in, err := os.Pipe()
	if err != nil {
		return "", err
	}
	defer out.Close()
	// What speaks of the connection is not for others (sd_listen_fds(3)).
	env := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "LISTEN_") })
	pid, err := syscall.ForkExec("/bin/sh", []string{"sh", "-c", command}, &syscall.ProcAttr{
		Dir:   s.Folder,
		Env:   env,
		Files: []uintptr{null.Fd(), in.Fd(), in.Fd()},
		Sys:   &syscall.SysProcAttr{Setpgid: true},
	})
	in.Close()
	if err != nil {
		return "", fmt.Errorf("sh: %w", err)
	}
	heard := make(chan string, 1)
	go func() { heard <- tail(out) }()
	timer := time.AfterFunc(s.HookTimeout, func() { unix.Kill(-pid, unix.SIGKILL) })
	var status unix.WaitStatus
	err = retry(func() error { _, err := unix.Wait4(pid, &status, 0, nil); return err })
	late := !timer.Stop()
	// What is left of the group goes, too.
	unix.Kill(-pid, unix.SIGKILL)
	// Who left the group may still hold the pipe.
	out.SetReadDeadline(time.Now().Add(hookGrace))
	said = <-heard
	switch {
	case err != nil:
	case late:
		err = fmt.Errorf("killed after %v", s.HookTimeout)
	case status.Signaled():
		err = fmt.Errorf("ended by signal %d", status.Signal())
	case status.ExitStatus() != 0:
		err = fmt.Errorf("exit status %d", status.ExitStatus())
	}
	return said, err
}

// hookGrace is how long is waited for the last words of a hook that has ended.
const hookGrace = 100 * time.Millisecond

// tail reads to the end and returns the last of it.
func tail(r io.Reader) string {
	var b []byte
	buf := make([]byte, hookOutput)
	for {
		n, err := r.Read(buf)
		b = append(b, buf[:n]...)
		b = b[max(0, len(b)-hookOutput):]
		if err != nil {
			return string(b)
		}
	}
}
