// Package dav is the protocol: WebDAV (RFC 4918), CalDAV (RFC 4791), CardDAV
// (RFC 6352) and collection synchronization (RFC 6578) on Radicale's URL space
//
//	/                                 the root
//	/<user>/                          a principal, and its home
//	/<user>/<collection>/             a calendar or an address book
//	/<user>/<collection>/<object>     a calendar object or an address object
//
// Three tables of literals drive everything. [methods] says what may be done to
// which kind of resource and with which privilege, and dispatches; [properties]
// says which properties live on which kind of resource and how they are
// written; [reports] does the same for REPORT. What OPTIONS, Allow, propname and
// supported-report-set answer is read off these tables, so they cannot disagree.
//
// A method that reads streams its answer from an immutable snapshot. A method
// that writes has two halves: the first receives, parses and validates, with no
// lock held; the second, a [change], runs in a transaction, checks the
// preconditions again, and returns its [answer]: it never sees the
// ResponseWriter, so the lock cannot be held across the network.
//
// An error becomes a status in one place, [request.fail].
package dav

import (
	"fmt"
	"iter"
	"math"
	"net/http"
	"strings"
	"time"

	"inetdav/dav/access"
	"inetdav/dav/config"
	"inetdav/store"
	"inetdav/store/object/caltime"
)

// Levels of the log, by syslog's numbers (RFC 5424, 6.2.1).
const (
	levelError   = 3
	levelWarning = 4
	levelInfo    = 6
)

// Options is what a handler needs. All fields but Version are required.
type Options struct {
	Store   *store.Store
	Auth    *access.Authenticator
	Rights  *access.Rights
	Config  *config.Config
	Logf    func(level int, format string, args ...any) // level: syslog's numbers
	Version string                                      // shown to Radicale's web page
}

// handler serves one connection's requests, one after the other; it holds no
// state between them.
type handler struct {
	store   *store.Store
	auth    *access.Authenticator
	rights  *access.Rights
	logf    func(level int, format string, args ...any)
	version string

	methods    []method
	properties []property
	reports    []report

	headers      iter.Seq2[string, string] // [headers]
	scriptName   string                    // [server] script_name
	pathRule     string                    // [server] validate_path_value; "" if nobody chose one
	errorDelay   time.Duration             // [server] delay_on_error
	maxBody      int64                     // bytes; [server] max_content_length
	maxObject    int64                     // bytes; [server] max_resource_size
	permitDelete bool                      // [rights] permit_delete_collection
	permitOver   bool                      // [rights] permit_overwrite_collection
	strict       bool                      // [storage] strict_preconditions
	maxInstances int                       // of a series that ends; [server] max_vevent_rrule_occurrence
	maxExpand    int                       // instances in an answer; [reporting] max_expand_occurrence
	maxFreeBusy  int                       // busy periods in an answer; [reporting] max_freebusy_occurrence

	now func() time.Time // when locks begin and end
}

// New returns the handler.
func New(o Options) (http.Handler, error) {
	c := o.Config
	scriptName := strings.TrimRight(c.String("server", "script_name"), "/")
	if scriptName != "" && !validPrefix(scriptName) {
		return nil, fmt.Errorf("[server] script_name: %q does not begin with a slash", scriptName)
	}
	var pathRule string
	if c.Source("server", "validate_path_value") != "default" {
		pathRule = c.String("server", "validate_path_value")
	}
	for name, value := range c.Headers() {
		switch {
		case framing(name):
			return nil, fmt.Errorf("[headers] %s: a field that says where an answer ends cannot be set", name)
		case !isField(name, value):
			return nil, fmt.Errorf("[headers] %q: %q is no field of HTTP", name, value)
		}
	}
	return &handler{
		store: o.Store, auth: o.Auth, rights: o.Rights, logf: o.Logf, version: o.Version,
		methods: methods(), properties: properties(), reports: reports(),
		headers:      c.Headers(),
		scriptName:   scriptName,
		pathRule:     pathRule,
		errorDelay:   min(c.Duration("server", "delay_on_error"), maxErrorDelay),
		maxBody:      c.MaxBody(),
		maxObject:    c.MaxObject(),
		permitDelete: c.Bool("rights", "permit_delete_collection"),
		permitOver:   c.Bool("rights", "permit_overwrite_collection"),
		strict:       c.Bool("storage", "strict_preconditions"),
		maxInstances: count(c.Int("server", "max_vevent_rrule_occurrence")),
		maxExpand:    count(c.Int("reporting", "max_expand_occurrence")),
		maxFreeBusy:  count(c.Int("reporting", "max_freebusy_occurrence")),
		now:          time.Now,
	}, nil
}

// framing reports whether a header field says how an answer is encoded and
// where it ends, which only the server can know.
func framing(name string) bool {
	switch strings.ToLower(name) {
	case "connection", "content-encoding", "content-length", "trailer", "transfer-encoding":
		return true
	}
	return false
}

// isField reports whether an answer can have this field (RFC 9110, 5.1 and 5.5).
func isField(name, value string) bool {
	const separators = "\"(),/:;<=>?@[\\]{}"
	for i := range len(name) {
		if c := name[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(separators, c) >= 0 {
			return false
		}
	}
	for i := range len(value) {
		if c := value[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return name != ""
}

// count is a number of the configuration that an int can hold on any machine.
func count(n int64) int { return int(min(n, math.MaxInt32)) }

// request is one request under way.
type request struct {
	h      *handler
	w      http.ResponseWriter
	r      *http.Request
	user   string // "" when anonymous
	prefix string // of all URLs, "" or "/dav": what a proxy cut off
	path   string // of the resource, as the store names it: decoded, no slash at its ends
	slash  bool   // the URL ended in one
	res    store.Resource
	wrote  bool          // the status is out
	zones  caltime.Zones // read for this request
	locks  lockTable

	discard func() // of what was staged and not put in place; nil: nothing was
}

const contentXML = "application/xml; charset=utf-8"

// davHeader names the compliance classes (RFC 4918, 10.1). It does not say
// access-control (RFC 3744, 7.2), which would promise that the ACL method changes
// what it is sent to: the rights are the administrator's, and can only be read.
const davHeader = "1, 2, 3, calendar-access, calendar-availability, addressbook, extended-mkcol"

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for name, value := range h.headers {
		w.Header().Set(name, value)
	}
	q := &request{h: h, w: w, r: r}
	if err := q.serve(); err != nil {
		q.fail(err)
	}
}

func (q *request) serve() error {
	h := q.h
	if err := q.locate(); err != nil {
		return err
	}
	if where, ok := strings.CutPrefix(q.path, ".well-known/"); ok {
		return q.wellKnown(where)
	}
	m := h.method(q.r.Method)
	if m == nil {
		return refuse(http.StatusNotImplemented, "unknown method") // RFC 9110, 9.1
	}
	user, err := h.auth.Authenticate(q.r)
	if err != nil {
		return authError(err)
	}
	q.user = user
	if m.name == http.MethodOptions { // a login may be wrong, but needs not be: RFC 4918, 10.1
		return q.options()
	}
	if err := q.welcome(); err != nil {
		return err
	}
	homes, all := h.rights.Reach(user)
	if all {
		return q.perform(m)
	}
	return h.store.Confined(homes, func() error { return q.perform(m) })
}

// perform is what is done for a user whose rights are known: the kernel may bound
// what it reaches.
func (q *request) perform(m *method) error {
	h := q.h
	if err := q.resolve(); err != nil {
		return err
	}
	if m.on&q.kind() == 0 {
		if q.kind() == kNone {
			return q.missing()
		}
		if err := q.need(q.res, m.needs); err != nil {
			return err
		}
		return refuse(http.StatusMethodNotAllowed, "not on this kind of resource")
	}
	if m.read != nil {
		return m.read(q)
	}
	change, err := m.prepare(q)
	if q.discard != nil {
		defer q.discard()
	}
	if err != nil {
		return err
	}
	if change == nil { // answered by preparing alone
		return nil
	}
	var a answer
	err = h.store.Update(q.r.Context(), func(tx *store.Tx) error {
		tx.Cause = q.cause()
		if err := q.ifHeader(tx); err != nil {
			return err
		}
		if a, err = q.locked(tx); err != nil || a.body != nil {
			return err
		}
		if a, err = change(tx); err == nil {
			q.endLocks(tx)
		}
		return err
	})
	if err != nil {
		return err
	}
	return q.reply(a)
}

// cause is what the storage hook is told of the request.
func (q *request) cause() store.Cause {
	c := store.Cause{User: q.user, Path: "/" + q.path, Request: q.r.Method}
	if q.slash && q.path != "" {
		c.Path += "/"
	}
	if q.r.Header.Get("Destination") != "" {
		if to, err := q.destination(); err == nil {
			c.ToPath = "/" + to
		}
	}
	return c
}

// change is the half of a writing method that runs under the lock.
type change func(*store.Tx) (answer, error)

// answer is what a change says to the client once the lock is gone.
type answer struct {
	status int
	etag   string                 // with quotes; "" for none
	body   func(q *request) error // writes the whole answer instead, status included
}

func (q *request) reply(a answer) error {
	if a.body != nil {
		return a.body(q)
	}
	if a.etag != "" {
		q.w.Header().Set("ETag", a.etag)
	}
	if a.status != http.StatusNoContent {
		q.w.Header().Set("Content-Length", "0")
	}
	q.w.WriteHeader(a.status)
	return nil
}

// method is a row of the table of methods.
type method struct {
	name  string
	on    kind   // the kinds of resource that it may be sent to
	needs letter // checked before a 405 tells that the resource exists
	quiet bool   // left out of Allow: it is understood, and always refused
	makes bool   // left out of the Allow of what exists: it refuses that, with a condition
	// one of these two
	read    func(*request) error
	prepare func(*request) (change, error)
}

// methods is the table of methods (RFC 4918, 9; RFC 4791, 5.3.1; RFC 3253, 3.6).
func methods() []method {
	return []method{
		{name: "OPTIONS", on: kAny | kNone}, // answered without rights
		{name: "GET", on: kAny, needs: mayRead, read: (*request).get},
		{name: "HEAD", on: kAny, needs: mayRead, read: (*request).get},
		{name: "PUT", on: kObject | kTagged | kNone, needs: mayWrite, prepare: (*request).put},
		{name: "POST", on: kCalendar | kAddressbook, needs: mayWrite, prepare: (*request).post},
		{name: "DELETE", on: kAny, needs: mayWrite, prepare: (*request).delete},
		{name: "COPY", on: (kObject | kCollection) &^ (kRoot | kPrincipal), needs: mayRead, prepare: (*request).copy},
		{name: "MOVE", on: (kObject | kCollection) &^ (kRoot | kPrincipal), needs: mayWrite, prepare: (*request).move},
		{name: "LOCK", on: (kAny | kNone) &^ kRoot, needs: mayWrite, prepare: (*request).lock},
		{name: "UNLOCK", on: kAny &^ kRoot, needs: mayRead, prepare: (*request).unlock},
		{name: "MKCOL", on: kAny | kNone, needs: mayWrite, makes: true, prepare: (*request).mkcol},
		{name: "MKCALENDAR", on: kAny | kNone, needs: mayWrite, makes: true, prepare: (*request).mkcalendar},
		{name: "PROPFIND", on: kAny, needs: mayRead, read: (*request).propfind},
		{name: "PROPPATCH", on: kAny, needs: mayWrite, prepare: (*request).proppatch},
		{name: "ACL", on: kAny, needs: mayWrite, quiet: true, prepare: (*request).acl},
		{name: "REPORT", on: kAny, needs: mayRead, read: (*request).report},
	}
}

func (h *handler) method(name string) *method {
	for i := range h.methods {
		if h.methods[i].name == name {
			return &h.methods[i]
		}
	}
	return nil
}

// allow is the value of an Allow header (RFC 9110, 10.2.1).
func (h *handler) allow(k kind) string {
	var b strings.Builder
	for i := range h.methods {
		if m := &h.methods[i]; m.on&k != 0 && !m.quiet && (!m.makes || k&kNone != 0) {
			if b.Len() > 0 {
				b.WriteString(", ")
			}
			b.WriteString(m.name)
		}
	}
	return b.String()
}
