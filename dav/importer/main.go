// Command inetdav-import copies calendars and address books between a storage
// folder and the world: from files, folders and other servers into it, and,
// with --export, out of it into files.
//
// Into the folder it writes as a client would: through the handler of the
// server, in this process, so that what it stores has passed the same checks and
// running servers notice. What other servers have is found by go-webdav's
// clients; the objects themselves are passed on as bytes, never through a
// decoder: what one program wrote, another may not understand, but should get.
//
// What was fetched is written down in the storage folder beside collection-root
// (see journal), so that an import that was interrupted goes on where it
// stopped, and a later one fetches only what has changed. An object is stored
// first and written down then: what a crash loses is fetched twice.
//
// Memory: one batch of objects at a time, and a few hundred bytes for each
// object of a collection (its name and entity tags).
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"inetdav/dav"
	"inetdav/dav/config"
	"inetdav/dav/console"
	"inetdav/store"
)

// version is set by the build: -ldflags "-X main.version=1.2".
var version = "devel"

// Exit codes, which scripts rely on.
const (
	exitDone    = 0 // all is there
	exitRefused = 1 // all was tried, but not all is there: each is named
	exitUsage   = 2
	exitFailed  = 3 // could not go on; the same again goes on where it stopped
)

// passwordVariable is the environment variable that the password may be in.
const passwordVariable = "INETDAV_PASSWORD"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// options are what the command line says.
type options struct {
	to          string
	login       string
	collections list
	rejects     string
	trust       list
	batch       int
	retries     int
	dryRun      bool
	overwrite   bool
	prune       bool
	quiet       bool
	objects     bool // of an export
	from        list
}

// list is a flag that may be given more than once.
type list []string

func (l *list) String() string     { return strings.Join(*l, " ") }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }

const importUsage = `usage: inetdav import --to PATH [OPTION...] SOURCE...

A SOURCE is a URL (https://dav.example.org/), a domain or address whose server
is looked up (alice@example.org), a file (.ics, .vcf) or a folder of them.

  --to PATH          a user, whose collections they become, or USER/COLLECTION
  --login NAME       the user on the other server; the password comes from
                     $INETDAV_PASSWORD, or is asked for, or read from standard input
  --collection NAME  only this collection (last part of its URL or its display
                     name); may be given more than once
  --rejects FOLDER   keep there what is refused
  --overwrite        what was changed on both sides becomes the source's
  --prune            remove what came from there and has been removed there
  --trust-host HOST  send the password there too, when the server leads there
  --batch N          objects of one request (default 50)
  --retries N        attempts without any progress (default 6)
  -n, --dry-run      only say what would be done
  -q, --quiet        no progress
  -C, --config FILES, --storage-filesystem-folder=FOLDER ... as of inetdav

Exit code: 0 all is there, 1 some objects are not (each is named), 2 wrong
usage, 3 could not go on: the same command again goes on where it stopped.
`

const exportUsage = `usage: inetdav export --from PATH [OPTION...] FOLDER

  --from PATH        a user, or USER/COLLECTION; may be given more than once
  --objects          a folder for each collection with a file for each object,
                     byte for byte, instead of one file for each collection
  -q, --quiet        no progress
  -C, --config FILES, --storage-filesystem-folder=FOLDER ... as of inetdav

Beside each NAME.ics, NAME.vcf or folder NAME, NAME.json has the properties.
Exit code: 0 all is there, 1 some objects are not (each is named), 2 wrong
usage, 3 could not go on.
`

// job is one run of the program.
type job struct {
	options
	ctx      context.Context
	out      io.Writer
	progress *progress
	store    *store.Store // nil: a dry run, and there is no folder yet
	dest     *destination
	maxSize  int64         // of an object, bytes
	missing  int           // what is not there at the end
	within   []os.FileInfo // folders that are being imported, each in the one before
}

func run(ctx context.Context, args []string, stdin *os.File, out io.Writer, errs io.Writer) int {
	exporting := len(args) > 0 && args[0] == "--export"
	usage := importUsage
	if exporting {
		args, usage = args[1:], exportUsage
	}
	misused := func(format string, args ...any) int {
		fmt.Fprintf(errs, "inetdav: "+format+" (try --help)\n", args...)
		return exitUsage
	}
	if slices.Contains(args, "-h") || slices.Contains(args, "--help") {
		io.WriteString(out, usage)
		return exitDone
	}
	// The folder is ours to write; who may read and write what is no question
	// for its administrator. A hook for each object would take its time.
	var behind []string // "--": sources, whatever they look like
	if i := slices.Index(args, "--"); i >= 0 {
		args, behind = args[:i], args[i+1:]
	}
	c, rest, warnings, err := config.Load(append(slices.Clone(args), "--auth-type=none", "--group-type=none", "--rights-type=owner_only",
		"--storage-hook=", "--server-script-name="), os.Getenv)
	if err != nil {
		return misused("%v", err)
	}
	j := &job{ctx: ctx, out: out, maxSize: c.Int("server", "max_resource_size")}
	sources, err := j.parse(rest, behind, exporting)
	if err != nil {
		return misused("%v", err)
	}
	for _, w := range warnings {
		fmt.Fprintf(errs, "inetdav: %s\n", w)
	}
	failed := func(err error) int {
		fmt.Fprintf(errs, "inetdav: %v\n", err)
		return exitFailed
	}
	if err := j.open(c, exporting); err != nil {
		return failed(err)
	}
	if j.store != nil {
		defer j.store.Close()
	}
	if exporting {
		j.progress = newProgress(errs, j.quiet)
		err = j.export(sources[0])
	} else {
		var password string
		if j.login != "" {
			if password, err = askPassword(stdin, j.login); err != nil {
				return failed(err)
			}
		}
		j.progress = newProgress(errs, j.quiet)
		err = j.importAll(sources, password)
	}
	j.progress.clear()
	switch {
	case err != nil && ctx.Err() != nil:
		return failed(errors.New("interrupted; the same again goes on from here"))
	case err != nil:
		return failed(err)
	case j.missing > 0:
		return exitRefused
	}
	return exitDone
}

// parse reads the options that are ours, before, between and behind the
// sources; behind are more of these.
func (j *job) parse(args, behind []string, exporting bool) (sources []string, err error) {
	f := flag.NewFlagSet("", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.BoolVar(&j.quiet, "quiet", false, "")
	f.BoolVar(&j.quiet, "q", false, "")
	if exporting {
		f.Var(&j.from, "from", "")
		f.BoolVar(&j.objects, "objects", false, "")
	} else {
		f.StringVar(&j.to, "to", "", "")
		f.StringVar(&j.login, "login", "", "")
		f.Var(&j.collections, "collection", "")
		f.StringVar(&j.rejects, "rejects", "", "")
		f.Var(&j.trust, "trust-host", "")
		f.IntVar(&j.batch, "batch", 50, "")
		f.IntVar(&j.retries, "retries", 6, "")
		f.BoolVar(&j.dryRun, "dry-run", false, "")
		f.BoolVar(&j.dryRun, "n", false, "")
		f.BoolVar(&j.overwrite, "overwrite", false, "")
		f.BoolVar(&j.prune, "prune", false, "")
	}
	for len(args) > 0 {
		if err := f.Parse(args); err != nil {
			return nil, err
		}
		if args = f.Args(); len(args) > 0 {
			sources, args = append(sources, args[0]), args[1:]
		}
	}
	sources = append(sources, behind...)
	paths := []string(j.from)
	if !exporting {
		paths = []string{j.to}
	}
	if len(paths) == 0 || paths[0] == "" {
		return nil, fmt.Errorf("say %s", map[bool]string{true: "--from PATH", false: "--to PATH"}[exporting])
	}
	for i, path := range paths {
		path = strings.Trim(path, "/")
		segments := strings.Split(path, "/")
		for _, s := range segments {
			if err := store.CheckName(s); err != nil {
				return nil, err
			}
		}
		if len(segments) > 2 {
			return nil, fmt.Errorf("%q is neither USER nor USER/COLLECTION", path)
		}
		paths[i] = path
	}
	switch {
	case exporting:
		j.from = paths
		if len(sources) != 1 {
			return nil, errors.New("say one folder to write to")
		}
	case len(sources) == 0:
		return nil, errors.New("say where from")
	case j.batch < 1 || j.batch > maxBatch:
		return nil, fmt.Errorf("--batch is from 1 to %d", maxBatch)
	case j.retries < 0:
		return nil, errors.New("--retries cannot be negative")
	default:
		j.to = paths[0]
	}
	return sources, nil
}

// open opens the storage folder. A dry run makes nothing.
func (j *job) open(c *config.Config, exporting bool) error {
	o, err := dav.StoreOptions(c)
	if err != nil {
		return err
	}
	var st unix.Stat_t
	err = unix.Stat(o.Folder, &st)
	if os.Geteuid() == 0 && err == nil && st.Uid != 0 {
		return fmt.Errorf("%s belongs to user %d, who could not use what root makes there: run this as that user (sudo -u '#%d' inetdav ...)", o.Folder, st.Uid, st.Uid)
	}
	if err != nil && exporting {
		return fmt.Errorf("storage folder: %s: %w", o.Folder, err)
	}
	if err != nil && j.dryRun {
		return nil
	}
	if j.store, err = store.Open(o); err != nil {
		return err
	}
	j.dest, err = newDestination(j.store, c, o.Folder)
	return err
}

// askPassword gets the password from where nobody else sees it.
func askPassword(stdin *os.File, login string) (string, error) {
	if password, ok := os.LookupEnv(passwordVariable); ok {
		return password, nil
	}
	return console.AskPassword(bufio.NewReader(io.LimitReader(stdin, 2*console.MaxTyped)), "Password of "+login+": ")
}

// tally counts what became of the objects of a collection.
type tally struct {
	fresh, changed, same, removed, kept, refused int
}

func (t *tally) add(o outcome) {
	switch o {
	case isNew:
		t.fresh++
	case isChanged:
		t.changed++
	case isSame:
		t.same++
	case isKept:
		t.kept++
	case isRefused:
		t.refused++
	}
}

// report prints the line of one collection.
func (j *job) report(path, name string, t tally) {
	j.progress.clear()
	if name != "" {
		name = fmt.Sprintf(" (%s)", name)
	}
	verb := ""
	if j.dryRun {
		verb = "would be: "
	}
	fmt.Fprintf(j.out, "%q%s: %s%d new, %d changed, %d as before, %d removed, %d kept, %d refused\n",
		path, name, verb, t.fresh, t.changed, t.same, t.removed, t.kept, t.refused)
	j.missing += t.kept + t.refused
}

// reject names an object that is not stored, and keeps it where it was wished.
func (j *job) reject(path, reason string, data []byte) {
	j.progress.clear()
	fmt.Fprintf(j.out, "%q: %s\n", path, reason)
	if j.rejects != "" && data != nil && !j.dryRun {
		if err := writeReject(j.rejects, path, data); err != nil {
			fmt.Fprintf(j.out, "%q: not kept: %v\n", path, err)
		}
	}
}

// note tells of something that is not about an object.
func (j *job) note(format string, args ...any) {
	j.progress.clear()
	fmt.Fprintf(j.out, format+"\n", args...)
}

// importAll imports each source.
func (j *job) importAll(sources []string, password string) error {
	for _, source := range sources {
		var err error
		if _, statErr := os.Stat(source); statErr == nil {
			err = j.importFiles(source)
		} else if isRemote(source) {
			err = j.importRemote(source, password)
		} else {
			err = statErr
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// isRemote tells a server from a file that does not exist.
func isRemote(source string) bool {
	if strings.HasPrefix(source, "http://") || strings.HasPrefix(source, "https://") {
		return true
	}
	return !strings.ContainsAny(source, "/\\") && strings.Contains(source, ".") && kindOfFile(source) == store.None
}

// progress shows on a terminal how far it is.
type progress struct {
	w     io.Writer // nil: nobody looks
	shown bool
	last  time.Time
}

func newProgress(w io.Writer, quiet bool) *progress {
	if f, ok := w.(*os.File); !quiet && ok && console.IsTerminal(int(f.Fd())) {
		return &progress{w: w}
	}
	return &progress{}
}

// show says that so many of all objects are done; it does so now and then.
func (p *progress) show(path string, done, all int) {
	const width, often = 30, 100 * time.Millisecond
	if p.w == nil || done < all && time.Since(p.last) < often {
		return
	}
	p.last, p.shown = time.Now(), true
	full := width * min(done, all) / max(all, 1)
	fmt.Fprintf(p.w, "\r\x1b[K%.40q [%s%s] %d/%d", path, strings.Repeat("#", full), strings.Repeat("-", width-full), done, all)
}

// clear makes room for other lines.
func (p *progress) clear() {
	if p.shown {
		io.WriteString(p.w, "\r\x1b[K")
		p.shown = false
	}
}
