package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"inetdav/dav/console"
)

// Log levels are syslog's severities (RFC 5424, 6.2.1): the smaller, the
// graver. Every Logf of this program takes one of them.
const (
	levelError   = 3
	levelWarning = 4
	levelNotice  = 5
	levelInfo    = 6
	levelDebug   = 7
)

// maxLogLine bounds the text of an entry, in bytes: clients choose part of it,
// and syslog daemons cut at 8 kB or earlier.
const maxLogLine = 2048

// syslogTimeout bounds how long a syslog daemon that does not read may delay
// us; then the entry is lost.
const syslogTimeout = time.Second

// facilityDaemon is syslog's "system daemons" (RFC 5424, 6.2.1), shifted to
// its place in the priority.
const facilityDaemon = 3 << 3

// A sink is where log entries go: standard error, the system's syslog or a
// file. An entry is one line and one system call, so entries of several
// processes do not mix. Entries that cannot be written are lost: there is
// nobody to tell.
type sink struct {
	level   int // entries above it are left out
	form    form
	details details // what is said about requests

	// http.Server and the wait for signals log beside the handler.
	mu     sync.Mutex
	fd     int    // -1: none
	path   string // syslog's socket
	stream bool
}

// A form is how an entry is written.
type form uint8

const (
	formPlain  form = iota // inetdav[pid]: [INFO] text
	formLevels             // <6>[pid] [INFO] text: systemd's levels, sd-daemon(3), before what Radicale writes there
	formSyslog             // <30>Nov 22 19:45:00 inetdav[pid]: [INFO] text (RFC 3164, 4.1)
	formFile               // [2026-11-22 19:45:00 +0000] [pid] [INFO] text (Radicale's)
)

// openSink opens the log. where is "stderr", "syslog", the path of a file or
// "auto": standard error where it is kept by somebody, syslog where it is not
// (under inetd it was the client and now is /dev/null). It must be called after
// inherit.
func openSink(where string, level int, getenv func(string) string) (*sink, error) {
	s := &sink{level: level, fd: -1}
	switch where {
	case "auto", "":
		if isNull(2) {
			s.openSyslog()
			return s, nil
		}
		s.openStderr(getenv)
	case "stderr":
		s.openStderr(getenv)
	case "syslog":
		if err := s.openSyslog(); err != nil {
			return nil, fmt.Errorf("syslog: %w", err)
		}
	default:
		fd, err := unix.Open(where, unix.O_WRONLY|unix.O_APPEND|unix.O_CREAT|unix.O_CLOEXEC, 0o640)
		if err != nil {
			return nil, &fs.PathError{Op: "open", Path: where, Err: err}
		}
		s.fd, s.form = fd, formFile
		if isNull(2) {
			dup2(fd, 2) // a place for the runtime's last words
		}
	}
	return s, nil
}

func (s *sink) openStderr(getenv func(string) string) {
	s.fd, s.form = 2, formPlain
	// LISTEN_PID: systemd started us, or its systemd-socket-activate.
	if isJournal(2, getenv("JOURNAL_STREAM")) || getenv("LISTEN_PID") != "" && !console.IsTerminal(2) {
		s.form = formLevels
	}
}

// openSyslog connects to the syslog daemon of this machine.
func (s *sink) openSyslog() error {
	var last error
	for _, path := range [...]string{"/dev/log", "/var/run/syslog", "/var/run/log"} {
		err := s.dialSyslog(path)
		if err == nil {
			return nil
		}
		if last == nil || !errors.Is(err, fs.ErrNotExist) {
			last = err
		}
	}
	return last
}

// dialSyslog connects to the syslog daemon that listens on the unix socket
// path: datagrams mostly, a stream with some.
func (s *sink) dialSyslog(path string) error {
	var err error
	for _, kind := range [...]int{unix.SOCK_DGRAM, unix.SOCK_STREAM} {
		var fd int
		if fd, err = unix.Socket(unix.AF_UNIX, kind, 0); err != nil {
			return os.NewSyscallError("socket", err)
		}
		unix.CloseOnExec(fd)
		if err = unix.Connect(fd, &unix.SockaddrUnix{Name: path}); err == nil {
			timeout := unix.NsecToTimeval(syslogTimeout.Nanoseconds())
			unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &timeout)
			s.fd, s.form, s.path, s.stream = fd, formSyslog, path, kind == unix.SOCK_STREAM
			return nil
		}
		unix.Close(fd)
		if !errors.Is(err, unix.EPROTOTYPE) {
			break
		}
	}
	return &fs.PathError{Op: "connect", Path: path, Err: err}
}

// Logf writes one entry, if level is not above the sink's. Control characters
// and what is not UTF-8 are escaped, so that nobody forges a line.
func (s *sink) Logf(level int, format string, args ...any) {
	if level > s.level {
		return
	}
	text := format
	if len(args) > 0 {
		text = fmt.Sprintf(format, args...)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fd < 0 {
		return
	}
	line := s.prefix(make([]byte, 0, 128+len(text)), level)
	line = appendPrintable(line, text, maxLogLine)
	if s.form != formSyslog {
		line = append(line, '\n')
	} else if s.stream {
		line = append(line, 0) // as the C library does
	}
	// Not through os.Stderr: with that a reader of ours that has gone would
	// end the process by SIGPIPE.
	if !writeAll(s.fd, line) && s.form == formSyslog {
		// The daemon was restarted: its socket is another one now.
		unix.Close(s.fd)
		s.fd = -1
		if s.dialSyslog(s.path) == nil {
			writeAll(s.fd, line)
		}
	}
}

// unrepeated is a sink for what may go wrong again and again for one reason: it
// leaves out what it has logged before. Not for what peers do, which somebody
// may want to count.
type unrepeated struct {
	sink *sink
	mu   sync.Mutex
	said [16]string // the last ones; one reason seldom makes more
	next int
}

func (u *unrepeated) Logf(level int, format string, args ...any) {
	if level > u.sink.level {
		return
	}
	text := fmt.Sprintf(format, args...)
	u.mu.Lock()
	known := slices.Contains(u.said[:], text)
	if !known {
		u.said[u.next%len(u.said)] = text
		u.next++
	}
	u.mu.Unlock()
	if !known {
		u.sink.Logf(level, "%s", text)
	}
}

// prefix appends what stands before an entry's text.
func (s *sink) prefix(line []byte, level int) []byte {
	switch s.form {
	case formLevels:
		line = append(line, '<', byte('0'+level), '>')
	case formSyslog:
		line = append(line, '<')
		line = strconv.AppendInt(line, int64(facilityDaemon|level), 10)
		line = append(line, '>')
		line = time.Now().AppendFormat(line, time.Stamp) // local, as RFC 3164, 4.1.2 has it
		line = append(line, ' ')
	case formFile:
		line = time.Now().AppendFormat(line, "[2006-01-02 15:04:05 -0700] ")
	}
	named := s.form == formPlain || s.form == formSyslog
	if named {
		line = append(line, "inetdav"...)
	}
	line = append(line, '[')
	line = strconv.AppendInt(line, int64(os.Getpid()), 10)
	line = append(line, ']')
	if named {
		line = append(line, ':')
	}
	line = append(line, " ["...)
	line = append(line, levelName(level)...)
	return append(line, "] "...)
}

// levelName gives the name that Radicale writes into its log for level.
func levelName(level int) string {
	switch level {
	case levelDebug:
		return "DEBUG"
	case levelInfo:
		return "INFO"
	case levelNotice:
		return "NOTICE"
	case levelWarning:
		return "WARNING"
	case levelError:
		return "ERROR"
	}
	return "CRITICAL"
}

// parseLevel reads a value of Radicale's [logging] level.
func parseLevel(name string) (level int, ok bool) {
	switch strings.ToLower(name) {
	case "trace", "debug":
		return levelDebug, true
	case "info":
		return levelInfo, true
	case "notice":
		return levelNotice, true
	case "warning":
		return levelWarning, true
	case "error":
		return levelError, true
	case "critical", "alert":
		return levelError - 1, true
	}
	return levelInfo, false
}

// Write takes the entries of http.Server and its friends, which are about what
// peers do (handshakes that fail, answers without a reader). It never fails.
func (s *sink) Write(p []byte) (int, error) {
	level := levelInfo
	text := strings.TrimRight(string(p), "\n")
	if strings.Contains(text, "superfluous") || strings.Contains(text, "panic") {
		level = levelError
	}
	s.Logf(level, "%s", text)
	return len(p), nil
}

// printable is s as it may stand in a log line.
func printable(s string) string {
	return string(appendPrintable(nil, s, maxLogLine))
}

// appendPrintable appends s, in which control characters (also C1 and the line
// and paragraph separators) and bytes that are not UTF-8 are written as \xNN or
// \uNNNN, up to limit bytes of s; a cut shows as "...".
func appendPrintable(dst []byte, s string, limit int) []byte {
	cut := len(s) > limit
	if cut {
		s = s[:limit]
	}
	for i := 0; i < len(s); {
		c := s[i]
		if c >= 0x20 && c < 0x7f {
			dst = append(dst, c)
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case c == '\n':
			dst = append(dst, `\n`...)
		case c < utf8.RuneSelf, r == utf8.RuneError && size == 1:
			if cut && i+utf8.UTFMax > len(s) && c >= utf8.RuneSelf {
				return append(dst, "..."...) // the cut went through a character
			}
			dst = append(dst, '\\', 'x', hexDigit(c>>4), hexDigit(c&15))
		case r >= 0x80 && r < 0xa0, r == 0x2028, r == 0x2029, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
			dst = append(dst, '\\', 'u', hexDigit(byte(r>>12)), hexDigit(byte(r>>8)&15), hexDigit(byte(r>>4)&15), hexDigit(byte(r)&15))
		default:
			dst = append(dst, s[i:i+size]...)
		}
		i += size
	}
	if cut {
		dst = append(dst, "..."...)
	}
	return dst
}

func hexDigit(b byte) byte { return "0123456789abcdef"[b] }

// writeAll writes p to fd with plain system calls and tells whether that
// worked.
func writeAll(fd int, p []byte) bool {
	for len(p) > 0 {
		n, err := unix.Write(fd, p)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return false
		}
		p = p[n:]
	}
	return true
}

// isNull tells whether fd is closed or /dev/null, where nobody reads.
func isNull(fd int) bool {
	var st, null unix.Stat_t
	if unix.Fstat(fd, &st) != nil {
		return true
	}
	return st.Mode&unix.S_IFMT == unix.S_IFCHR && unix.Stat(os.DevNull, &null) == nil && st.Rdev == null.Rdev
}
