package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"inetdav/dav"
	"inetdav/dav/access"
	"inetdav/dav/config"
	"inetdav/dav/console"
	"inetdav/store"
	"inetdav/store/object"
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

// verify checks the storage folder of the configuration, or single files, and
// prints each defect.
func verify(args []string) int {
	c, rest, warnings, err := config.Load(args, os.Getenv)
	if err != nil {
		return misused("%v", err)
	}
	var repair, aside bool
	var items []string
	for i := 0; i < len(rest); i++ {
		file, isItem := strings.CutPrefix(rest[i], "--item=")
		switch {
		case isItem:
			items = append(items, file)
		case rest[i] == "--item" && i+1 < len(rest):
			i++
			items = append(items, rest[i])
		case rest[i] == "--repair":
			repair = true
		case rest[i] == "--aside":
			aside = true
		default:
			return misused("unknown argument %q", rest[i])
		}
	}
	if aside && !repair || repair && items != nil {
		return misused("--aside goes with --repair, and neither with --item")
	}
	logs := &sink{level: levelWarning, fd: 2}
	for _, w := range warnings {
		logs.Logf(levelWarning, "%s", w)
	}
	if items != nil {
		return verifyItems(c, items)
	}
	options, err := storeOptions(c, logs)
	if err != nil {
		return misused("%v", err)
	}
	var found store.Verified
	if repair {
		if err := asOwner(options.Folder); err != nil {
			return unable(err)
		}
		found, err = store.Repair(options, os.Stdout, aside)
	} else {
		found, err = store.Verify(options, os.Stdout)
	}
	if err != nil {
		return unable(err)
	}
	repaired := ""
	if found.Repaired > 0 {
		repaired = fmt.Sprintf(", %s repaired", counted(found.Repaired, "defect"))
	}
	looked := fmt.Sprintf("%s (%s, %s looked at%s)", options.Folder, counted(found.Collections, "collection"), counted(found.Objects, "object"), repaired)
	if found.Defects > 0 {
		return fail(fmt.Errorf("%s in %s", counted(found.Defects, "defect"), looked))
	}
	fmt.Printf("no defects in %s\n", looked)
	return exitDone
}

func counted(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprint(n, " ", what)
}

// exitUnable is verify's exit code when not all could be checked.
const exitUnable = 3

func unable(err error) int {
	fail(err)
	return exitUnable
}

// asOwner refuses to let root write into the folder of somebody else, who could
// not use what is made there.
func asOwner(folder string) error {
	var st unix.Stat_t
	if os.Geteuid() == 0 && unix.Stat(folder, &st) == nil && st.Uid != 0 {
		return fmt.Errorf("%s belongs to user %d: run this as that user (sudo -u '#%d' inetdav ...)", folder, st.Uid, st.Uid)
	}
	return nil
}

// verifyItems checks files as if they were to be stored.
func verifyItems(c *config.Config, files []string) int {
	code := exitDone
	limit := c.Int("server", "max_resource_size")
	for _, name := range files {
		b, err := readItem(name, limit)
		if err != nil {
			return unable(err)
		}
		if err := checkItem(b, limit, int(min(c.Int("server", "max_vevent_rrule_occurrence"), 1<<30))); err != nil {
			fmt.Printf("%q: %v\n", name, err)
			code = exitFailed
		}
	}
	if code == exitDone {
		fmt.Printf("no defects in %s\n", counted(len(files), "file"))
	}
	return code
}

func readItem(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, min(limit, math.MaxInt64-1)+1))
}

// checkItem is what PUT checks of an object (RFC 4791, 5.3.2.1; RFC 6352, 6.3.2.1).
func checkItem(b []byte, limit int64, instances int) error {
	if int64(len(b)) > limit {
		return fmt.Errorf("more than %d bytes", limit)
	}
	head := bytes.ToUpper(bytes.TrimLeft(bytes.TrimPrefix(b[:min(len(b), 64)], []byte("\xef\xbb\xbf")), " \t\r\n"))
	if !bytes.HasPrefix(head, []byte("BEGIN:VCALENDAR")) {
		card, err := object.ParseCard(b)
		if err == nil {
			err = card.Check()
		}
		if err == nil {
			_, err = object.Summarize(object.KindAddressBook, b)
		}
		return err
	}
	cal, err := object.ParseCalendar(b)
	if err == nil {
		err = cal.Check()
	}
	if err == nil {
		err = cal.CheckLimits(instances)
	}
	if err == nil {
		_, err = object.Summarize(object.KindCalendar, b)
	}
	return err
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
