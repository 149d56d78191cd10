// Command inetdav is a CalDAV and CardDAV server for one connection: a
// super-server (systemd, xinetd, inetd, tcpserver, ...) accepts it and starts
// inetdav on it, which serves Radicale's storage folder until the connection
// ends.
//
// Start order, and why: the socket leaves descriptors 0-2 before anything can
// be printed; then the configuration is read, the log opened, and with it all
// that the process will need (users, rights, storage root), so that it may be
// confined afterwards; only then the client's first byte is read. A
// configuration that cannot work ends the process with exit code 100 and a line
// in the log; what clients do never does.
package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"inetdav/dav"
	"inetdav/dav/access"
	"inetdav/dav/config"
	"inetdav/dav/console"
	"inetdav/store"
)

// version is set by the build: -ldflags "-X main.version=1.2". Nothing else
// writes it.
var version = "devel"

// A command is what the first argument asks for; without one the connection is
// served.
type command struct {
	name, args, does string
	run              func(args []string) int
	ownHelp          bool // -h is the command's own business
}

func commands() []command {
	return []command{
		{name: "", args: "[OPTION...]", does: "serve the connection on fd 3 (systemd) or fd 0 (inetd)", run: serve},
		{name: "hash-password", args: "[-s SCHEME] [USER]", does: "read a password, print its line for the users file", run: hashPassword},
		{name: "verify", args: "[--repair [--aside]] [--item FILE] [OPTION...]", does: "check the storage folder, or a file, name each defect", run: verify},
		{name: "check-config", args: "[OPTION...]", does: "check the configuration and that its files can be used", run: checkConfig},
		{name: "import", args: "[OPTION...] SOURCE...", does: "store what is in files, folders or on another server", run: beside("import"), ownHelp: true},
		{name: "export", args: "[OPTION...] FOLDER", does: "write calendars and address books to files", run: beside("import", "--export"), ownHelp: true},
		{name: "auth-helper", args: "[OPTION...]", does: "answer for the server whether a login is right", run: beside("auth-helper"), ownHelp: true},
		{name: "version", does: "print the version", run: printVersion},
		{name: "help", does: "print this", run: printHelp},
	}
}

func main() {
	os.Exit(dispatch(os.Args[1:]))
}

func dispatch(args []string) int {
	for i, arg := range args {
		c := commandOf(arg)
		if c.run == nil {
			continue
		}
		if i > 0 {
			// Behind options: where it is not the value of one of them.
			_, rest, _, err := config.Load(args, os.Getenv)
			if err != nil || len(rest) == 0 || rest[0] != arg {
				continue
			}
		}
		if file, ok := strings.CutPrefix(arg, itemOption); ok {
			args = slices.Replace(slices.Clone(args), i, i+1, "--item"+file)
		} else {
			args = slices.Delete(slices.Clone(args), i, i+1)
		}
		if !c.ownHelp && (slices.Contains(args, "-h") || slices.Contains(args, "--help")) {
			return printHelp(nil)
		}
		return c.run(args)
	}
	return serve(args)
}

// itemOption is Radicale's option to check a file.
const itemOption = "--verify-item"

// commandOf gives the command that an argument names; without a run, it names
// none.
func commandOf(name string) command {
	switch name {
	case "":
		return command{}
	case "-h", "--help":
		name = "help"
	case "-V", "--version":
		name = "version"
	case "--verify-storage", itemOption: // Radicale's
		name = "verify"
	}
	if strings.HasPrefix(name, itemOption+"=") {
		name = "verify"
	}
	for _, c := range commands() {
		if c.name == name {
			return c
		}
	}
	return command{}
}

// gcPercent makes the collector start at 2 MB of heap instead of 4: what a
// report leaves behind for each object is then gone before it adds up, for a
// twentieth more time in the largest reports.
const gcPercent = 50

// serve is the program's work: one connection, from a super-server.
func serve(args []string) int {
	debug.SetGCPercent(gcPercent)
	conn, refused := inherit(os.Getenv)
	if errors.Is(refused, errPeerGone) {
		return exitDone
	}
	c, rest, warnings, err := config.Load(args, os.Getenv)
	if err != nil {
		return refuse(nil, err)
	}
	logs, err := openLog(c)
	if err != nil {
		return refuse(nil, err)
	}
	if len(rest) > 0 && !strings.HasPrefix(rest[0], "-") && refused != nil && !isNull(2) {
		return misused("unknown command %q", rest[0]) // a person's, no super-server's
	}
	if len(rest) > 0 {
		return refuse(logs, fmt.Errorf("unknown argument %q (try `inetdav help`)", rest[0]))
	}
	if refused != nil {
		return refuse(logs, refused)
	}
	for _, w := range warnings {
		logs.Logf(levelWarning, "%s", w)
	}

	handler, auth, tlsConfig, err := open(c, logs, store.Open)
	if err != nil {
		return refuse(logs, err)
	}
	proxies, err := loadProxies(c)
	if err != nil {
		return refuse(logs, err)
	}
	if tlsConfig != nil {
		shareTickets(tlsConfig, c, logs)
	}
	if err := confineProcess(c, auth, logs); err != nil {
		return refuse(logs, err)
	}
	limits := loadLimits(c)
	if err := conn.introduce(&proxies, limits.header); err != nil {
		if !isGone(err) && err != io.EOF {
			logs.Logf(levelInfo, "connection from %s: %v", conn.peer, err)
		}
	} else {
		serveHTTP(conn, handler, limits, tlsConfig, logs)
	}
	auth.Close()
	return exitDone
}

// open opens what serving needs, the folder with openStore; tlsConfig is nil
// when the connection is plain. What will not work as it may have been meant is
// said in the log.
func open(c *config.Config, logs *sink, openStore func(store.Options) (*store.Store, error)) (handler http.Handler, auth *access.Authenticator, tlsConfig *tls.Config, err error) {
	warnUnused(c, logs)
	if tlsConfig, err = loadTLS(c, logs); err != nil {
		return nil, nil, nil, err
	}
	auth, err = access.NewAuthenticator(c)
	if err != nil {
		return nil, nil, nil, err
	}
	auth.Logf, auth.Groups.Logf = logs.Logf, logs.Logf
	auth.Helper = func() ([]string, error) {
		path, places := findProgram("inetdav-auth-helper")
		if path == "" {
			return nil, fmt.Errorf("inetdav-auth-helper is not installed (looked in %s)", strings.Join(places, ", "))
		}
		return append([]string{path}, os.Args[1:]...), nil
	}
	rights, err := access.NewRights(c)
	if err != nil {
		return nil, nil, nil, err
	}
	rights.Logf, rights.Groups = logs.Logf, auth.Groups
	options, err := storeOptions(c, logs)
	if err != nil {
		return nil, nil, nil, err
	}
	var st unix.Stat_t
	if os.Geteuid() == 0 && unix.Stat(options.Folder, &st) == nil && st.Uid != 0 {
		logs.Logf(levelWarning, "running as root, but %s belongs to user %d, who will not be able to use what is made now: have the super-server start inetdav as that user", options.Folder, st.Uid)
	}
	options.Confine = threadPolicy(c, auth, logs)
	folder, err := openStore(options)
	if err != nil {
		return nil, nil, nil, err
	}
	handler, err = dav.New(dav.Options{Store: folder, Auth: auth, Rights: rights, Config: c, Logf: logs.Logf, Version: version})
	return handler, auth, tlsConfig, err
}

// refuse says where an administrator sees it why this process cannot serve: in
// the log, and on standard error when that is a terminal. logs may be nil.
func refuse(logs *sink, err error) int {
	if logs == nil {
		logs, _ = openSink("auto", levelError, os.Getenv)
	}
	logs.Logf(levelError, "%v", err)
	if logs.fd != 2 && console.IsTerminal(2) {
		(&sink{level: levelError, fd: 2}).Logf(levelError, "%v", err)
	}
	return exitRefused
}

func openLog(c *config.Config) (*sink, error) {
	level, ok := parseLevel(c.String("logging", "level"))
	if !ok {
		return nil, fmt.Errorf("[logging] level: %q is no level", c.String("logging", "level"))
	}
	logs, err := openSink(c.String("inetdav", "log"), level, os.Getenv)
	if err != nil {
		return nil, fmt.Errorf("[inetdav] log: %w", err)
	}
	logs.details = loadDetails(c)
	return logs, nil
}

// longest is what a limit of 0, "none", and longer ones come down to: no peer
// is waited for longer.
const longest = 24 * time.Hour

// maxAge is how old a connection may become before it is closed after an
// answer. RuntimeMaxSec= of the unit, which does not wait for an answer, is
// longer.
const maxAge = time.Hour

func loadLimits(c *config.Config) limits {
	seconds := func(key string) time.Duration {
		d := c.Duration("inetdav", key)
		// Radicale's one timeout, of each wait, stands for what is not said more precisely.
		if c.Source("inetdav", key) == "default" && c.Source("server", "timeout") != "default" {
			d = c.Duration("server", "timeout")
		}
		if d <= 0 {
			return longest
		}
		return min(d, longest)
	}
	l := limits{
		header:      seconds("header_timeout"),
		body:        seconds("body_timeout"),
		write:       seconds("write_timeout"),
		maxRequests: int(min(c.Int("inetdav", "max_requests"), 1<<30)),
		maxAge:      maxAge,
	}
	if c.Source("inetdav", "idle_timeout") != "default" {
		l.idle = seconds("idle_timeout")
	}
	return l
}
