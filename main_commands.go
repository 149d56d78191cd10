package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	"inetdav/dav"
	"inetdav/dav/access"
	"inetdav/dav/config"
	"inetdav/dav/console"
	"inetdav/store"
)

// The commands beside serving. They are for people: standard error is theirs.

// fail reports why a command did not do its work.
func fail(err error) int {
	fmt.Fprintf(os.Stderr, "inetdav: %v\n", err)
	return exitFailed
}

// misused reports a mistake on the command line.
func misused(format string, args ...any) int {
	fmt.Fprintf(os.Stderr, "inetdav: "+format+" (try `inetdav help`)\n", args...)
	return exitUsage
}

// verify checks the storage folder of the configuration and prints each defect.
func verify(args []string) int {
	c, rest, warnings, err := config.Load(args, os.Getenv)
	if err != nil {
		return misused("%v", err)
	}
	if len(rest) > 0 {
		return misused("unknown argument %q", rest[0])
	}
	logs := &sink{level: levelWarning, fd: 2}
	for _, w := range warnings {
		logs.Logf(levelWarning, "%s", w)
	}
	options, err := storeOptions(c, logs)
	if err != nil {
		return fail(err)
	}
	defects, err := store.Verify(options, os.Stdout)
	if err != nil {
		return fail(err)
	}
	switch defects {
	case 0:
		fmt.Printf("no defects in %s\n", options.Folder)
		return exitDone
	case 1:
		return fail(fmt.Errorf("1 defect in %s", options.Folder))
	}
	return fail(fmt.Errorf("%d defects in %s", defects, options.Folder))
}

// storeOptions reads what the store has to know from the configuration, and
// lets it speak to the log.
func storeOptions(c *config.Config, logs *sink) (store.Options, error) {
	o, err := dav.StoreOptions(c)
	o.Logf = (&unrepeated{sink: logs}).Logf
	return o, err
}

// hashPassword prints the line of a users file for a password from standard
// input, where it is asked for twice if that is a terminal.
func hashPassword(args []string) int {
	var scheme, user string
	for i := 0; i < len(args); i++ {
		arg := args[i]
		switch {
		case arg == "-s" && i+1 < len(args):
			i++
			scheme = args[i]
		case strings.HasPrefix(arg, "-s") && len(arg) > 2:
			scheme = arg[2:]
		case strings.HasPrefix(arg, "-") || user != "" || arg == "":
			return misused("hash-password: unexpected argument %q", arg)
		default:
			user = arg
		}
	}
	if _, ok := access.Principal(user); user != "" && (!ok || strings.ContainsAny(user, ":\r\n")) {
		return misused("hash-password: %q cannot be a user's name", user)
	}

	if err := access.CheckScheme(scheme); err != nil {
		return misused("hash-password: %v", err)
	}

	in := bufio.NewReader(io.LimitReader(os.Stdin, 2*console.MaxTyped))
	password, err := console.AskPassword(in, "Password: ")
	if err == nil && console.IsTerminal(0) {
		var again string
		if again, err = console.AskPassword(in, "Again: "); err == nil && again != password {
			err = errors.New("the passwords differ")
		}
	}
	if err == nil && password == "" {
		err = errors.New("no password given")
	}
	if err != nil {
		return fail(err)
	}
	if (scheme == "" || scheme == "bcrypt") && len(password) > access.MaxBcrypt {
		fmt.Fprintf(os.Stderr, "inetdav: of these %d bytes bcrypt reads the first %d only; -s argon2id reads all\n", len(password), access.MaxBcrypt)
	}
	var line bytes.Buffer
	if user != "" {
		line.WriteString(user + ":")
	}
	if err := access.HashPassword(&line, scheme, password); err != nil {
		return fail(err)
	}
	line.WriteByte('\n')
	if _, err := os.Stdout.Write(line.Bytes()); err != nil {
		return fail(err)
	}
	return exitDone
}

func printVersion(args []string) int {
	if len(args) > 0 {
		return misused("version: unexpected argument %q", args[0])
	}
	fmt.Printf("inetdav %s (%s %s/%s)\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return exitDone
}

func printHelp([]string) int {
	fmt.Print("inetdav serves CalDAV and CardDAV on one connection, which a super-server\nhands over to it: systemd, xinetd, inetd, tcpserver, s6, socat.\n\n")
	for _, c := range commands() {
		fmt.Printf("  %s\n      %s\n", strings.Join(strings.Fields("inetdav "+c.name+" "+c.args), " "), c.does)
	}
	fmt.Print(`
Options are Radicale's, as --SECTION-OPTION=VALUE, after those of its files:
  -C, --config FILES       configuration files, separated by colons
  --storage-filesystem-folder=FOLDER
  --auth-type=htpasswd --auth-htpasswd-filename=FILE
  --inetdav-log=auto|stderr|syslog|FILE
  -D, --debug              log more

SCHEME is bcrypt (the default), argon2id, sha512-crypt or sha256-crypt.

To try it, below systemd:
  systemd-socket-activate --accept -l 127.0.0.1:5232 inetdav --auth-type=none \
      --storage-filesystem-folder=$HOME/collections
`)
	return exitDone
}
