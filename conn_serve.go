package main

import (
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"inetdav/store/confine"
)

// Limits of a connection that are not for configuration.
const (
	// maxHeader bounds a request's line and header, in bytes. Radicale's
	// server takes a line of 64 KiB and no more either.
	maxHeader = 64 << 10

	// minRate is how many bytes a second a peer has to move on average, after
	// a grace of twice the deadline, to be more than a drain on us.
	minRate = 500

	// sendSlice is how much of a file goes out under one deadline, in bytes.
	sendSlice = 256 << 10

	// signalDelay is how old a process becomes before it listens for signals, for
	// which the runtime needs a thread: a tenth of all page faults of a poll. A
	// signal that comes sooner ends the process as one during its start does.
	signalDelay = 10 * time.Millisecond

	// stopGrace is how long, after a signal to stop, a request which was
	// about to arrive may still do so.
	stopGrace = time.Second

	// stopLimit is how long, after a signal to stop, a request under way may
	// take. Shorter than TimeoutStopSec= of the unit.
	stopLimit = 12 * time.Second

	// idleNear and idleFar are how long a kept connection may idle when
	// nothing is configured: a reverse proxy (near) must be the first of the
	// two to give up, or it sends requests into a closing connection, and
	// proxies wait 60 s (nginx) to 120 s (Caddy).
	idleNear = 150 * time.Second
	idleFar  = 60 * time.Second
)

// Limits are the durations and counts that bound a connection. Zero means the
// default for idle, and no limit for maxRequests and maxAge.
type limits struct {
	header time.Duration // for a request's line and header, and a TLS handshake
	body   time.Duration // for each wait for a piece of a request's body
	write  time.Duration // for each wait for the peer to take a piece of an answer
	idle   time.Duration // between two requests

	maxRequests int           // then the connection is closed after the answer
	maxAge      time.Duration // the same
}

// serveHTTP speaks HTTP/1.1 with handler on c until the connection is closed:
// by the peer, a deadline or limit, or SIGTERM, SIGINT or SIGHUP, which lets the
// request under way finish. tlsConfig may be nil. None of this is an error;
// once serveHTTP has returned, all that was to be said to the peer is said.
func serveHTTP(c *connection, handler http.Handler, l limits, tlsConfig *tls.Config, logs *sink) {
	if l.idle == 0 {
		l.idle = idleFar
		if c.near {
			l.idle = idleNear
		}
	}
	setUserTimeout(c.Conn, l.write)

	h := &guard{conn: c.Conn, peer: c.peer, handler: handler, limits: l, start: time.Now(), logs: logs}
	idle := &rest{memory: c.memory}
	once := &onceListener{conn: c.Conn, closed: make(chan struct{})}
	server := &http.Server{
		Handler:                      h,
		ReadHeaderTimeout:            l.header,
		IdleTimeout:                  l.idle,
		MaxHeaderBytes:               maxHeader,
		DisableGeneralOptionsHandler: true, // `OPTIONS *` shall name DAV's classes, too
		ErrorLog:                     log.New(logs, "", 0),
		TLSConfig:                    tlsConfig,
		TLSNextProto:                 map[string]func(*http.Server, *tls.Conn, http.Handler){}, // no HTTP/2
		ConnState: func(_ net.Conn, state http.ConnState) {
			switch state {
			case http.StateActive:
				h.active.Store(true)
				idle.end()
				// For what the server itself says: `100 Continue`, errors.
				c.SetWriteDeadline(time.Now().Add(l.write))
			case http.StateIdle:
				idle.begin()
			case http.StateClosed:
				// Comes after the lingering close, in which the peer gets
				// the time to read an answer that came before its body.
				close(once.closed)
			}
		},
	}

	idle.leave = func() {
		logs.Logf(levelInfo, "memory is short: the idle connection is closed")
		server.SetKeepAlivesEnabled(false) // closes it only if it is still idle
	}

	signals := make(chan os.Signal, 1)
	stopped := func() {
		sig := <-signals
		time.AfterFunc(stopLimit, func() {
			logs.Logf(levelWarning, "a request was not finished in %v after the signal to stop", stopLimit)
			os.Exit(exitDone)
		})
		time.AfterFunc(stopGrace, func() {
			if !h.active.Load() {
				c.SetReadDeadline(time.Now()) // http.Server leaves a new connection alone
			}
		})
		// Not Shutdown: it returns from Serve at once and polls. This closes
		// an idle connection, or says `Connection: close` in the answer.
		server.SetKeepAlivesEnabled(false)
		logs.Logf(levelDebug, "%v: finishing", sig)
	}
	h.heedSignals = sync.OnceFunc(func() {
		signal.Notify(signals, unix.SIGTERM, unix.SIGINT, unix.SIGHUP)
		go stopped()
		logs.Logf(levelDebug, "signals are heeded")
	})
	time.AfterFunc(signalDelay, h.heedSignals)

	logs.Logf(levelDebug, "connection from %s", c.peer)
	if tlsConfig != nil {
		once.conn = &namedConn{c.Conn, c.peer}
		server.ServeTLS(once, "", "")
	} else {
		server.Serve(once)
	}
}

// A onceListener gives its connection to the first Accept; the next one waits
// until closed is closed and then ends http.Server.Serve.
type onceListener struct {
	conn   net.Conn
	given  bool
	closed chan struct{}
}

func (l *onceListener) Accept() (net.Conn, error) {
	if !l.given {
		l.given = true
		return l.conn, nil
	}
	<-l.closed
	return nil, io.EOF
}

func (l *onceListener) Close() error   { return nil }
func (l *onceListener) Addr() net.Addr { return l.conn.LocalAddr() }

// A namedConn has the client's address, where the peer is another, for what
// http.Server says of handshakes that fail. Below TLS it may wrap the connection:
// there is no sendfile.
type namedConn struct {
	net.Conn
	peer string
}

func (c *namedConn) RemoteAddr() net.Addr { return peerAddr(c.peer) }

type peerAddr string

func (peerAddr) Network() string  { return "tcp" }
func (a peerAddr) String() string { return string(a) }

// A guard stands between http.Server and the handler: it names the peer, keeps
// deadlines which move on with the data, ends the connection after its number
// of requests or its time, and turns a panic into a log entry. Requests of a
// connection come one after the other, so it is used by one goroutine; only
// active is also read by the wait for signals.
type guard struct {
	conn    net.Conn
	peer    string
	handler http.Handler
	limits
	start    time.Time
	requests int
	logs     *sink
	active   atomic.Bool // a request has begun to arrive

	heedSignals func() // at once: what is begun is to be finished

	in  pacedBody
	out pacedWriter
}

func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.requests++
	if g.maxRequests > 0 && g.requests >= g.maxRequests || g.maxAge > 0 && time.Since(g.start) >= g.maxAge {
		w.Header().Set("Connection", "close")
	}
	r.RemoteAddr = g.peer
	if !repeatable(r.Method) {
		g.heedSignals()
	}

	g.out = pacedWriter{ResponseWriter: w, conn: g.conn, pace: pace{stall: g.write}}
	hasBody := r.Body != nil && r.Body != http.NoBody
	if hasBody {
		g.in = pacedBody{ReadCloser: r.Body, conn: g.conn, pace: pace{stall: g.body}, write: g.write}
		// A copy, since http.Server looks at the kind of body in its own: behind
		// an answer without "100 Continue" it must not wait for what never comes.
		paced := *r
		paced.Body = &g.in
		r = &paced
		g.conn.SetReadDeadline(time.Now().Add(g.body))
	}

	if e := g.logs.begin(r); e != nil {
		g.in.excerpt, g.out.excerpt = e.content, e.answer
		defer func() { e.end(g.status(), w.Header(), g.out.moved) }()
	}
	defer g.recoverPanic(r)
	g.handler.ServeHTTP(&g.out, r)
	g.out.whole = true

	// What is left of the answer, and of the body, which http.Server reads a
	// little further to keep the connection.
	now := time.Now()
	g.conn.SetWriteDeadline(now.Add(g.write))
	switch {
	case hasBody && !g.in.begun && r.Header.Get("Expect") != "":
		g.conn.SetReadDeadline(now) // nobody told the peer to send it
	case hasBody && g.in.err == nil:
		g.conn.SetReadDeadline(now.Add(g.body))
	case hasBody && g.in.err != io.EOF:
		g.conn.SetReadDeadline(now) // it will not become better
	}
}

// repeatable tells whether a request with this method changes nothing, so that
// its client may simply send it again.
func repeatable(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, "PROPFIND", "REPORT":
		return true
	}
	return false
}

// status is that of the answer, 0 where it was broken off.
func (g *guard) status() int {
	switch {
	case !g.out.whole:
		return 0
	case g.out.status == 0:
		return http.StatusOK
	}
	return g.out.status
}

// maxStack bounds the lines of a stack trace in the log.
const maxStack = 40

// recoverPanic logs a panic of the handler and closes the connection. The
// handler's own way of breaking off an answer is http.ErrAbortHandler.
func (g *guard) recoverPanic(r *http.Request) {
	v := recover()
	if v == nil {
		return
	}
	if err, ok := v.(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
		g.logs.Logf(levelError, "panic in %s %q: %v", r.Method, r.URL.Path, v)
		stack := debug.Stack()
		if p, ok := v.(*confine.Panic); ok {
			stack = p.Stack
		}
		n := 0
		for line := range strings.Lines(string(stack)) {
			if n++; n > maxStack {
				break
			}
			g.logs.Logf(levelError, "%s", strings.TrimRight(line, "\n"))
		}
	}
	// Whatever is half said stays half said; the peer must not take it for
	// whole.
	panic(http.ErrAbortHandler)
}

// A pace bounds how long a peer may keep us waiting in one direction of one
// request: no single wait is longer than stall, and all together not longer
// than twice that and a second for each minRate bytes that came through.
type pace struct {
	stall, spent time.Duration
	moved        int64
}

// allowance is how long the next wait may be; not positive when the peer's
// time is up.
func (p *pace) allowance() time.Duration {
	return min(p.stall, 2*p.stall+time.Duration(p.moved/minRate)*time.Second-p.spent)
}

// passed takes note of a wait since start that moved n bytes.
func (p *pace) passed(start time.Time, n int64) {
	p.spent += time.Since(start)
	p.moved += n
}

// A pacedBody is a request's body whose reads have deadlines.
type pacedBody struct {
	io.ReadCloser
	conn net.Conn
	pace
	write   time.Duration
	begun   bool
	err     error // what ended it
	excerpt *excerpt
}

func (b *pacedBody) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	now := time.Now()
	if !b.begun {
		b.begun = true
		b.conn.SetWriteDeadline(now.Add(b.write)) // the first read may say `100 Continue`
	}
	b.conn.SetReadDeadline(now.Add(b.allowance()))
	n, err := b.ReadCloser.Read(p)
	b.passed(now, int64(n))
	b.excerpt.add(p[:n])
	if b.err = err; err == io.EOF {
		// From here on http.Server watches for the peer's going; a deadline
		// would look like that.
		b.conn.SetReadDeadline(time.Time{})
	}
	return n, err
}

// A pacedWriter is a ResponseWriter whose writes have deadlines.
type pacedWriter struct {
	http.ResponseWriter
	conn net.Conn
	pace
	status  int  // of the answer; 0 before it is said
	whole   bool // the handler came to its end
	excerpt *excerpt
}

func (w *pacedWriter) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap serves http.ResponseController.
func (w *pacedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *pacedWriter) begin() time.Time {
	now := time.Now()
	w.conn.SetWriteDeadline(now.Add(w.allowance()))
	return now
}

func (w *pacedWriter) Write(p []byte) (int, error) {
	start := w.begin()
	n, err := w.ResponseWriter.Write(p)
	w.passed(start, int64(n))
	w.excerpt.add(p[:n])
	return n, err
}

func (w *pacedWriter) WriteString(s string) (int, error) {
	start := w.begin()
	n, err := io.WriteString(w.ResponseWriter, s)
	w.passed(start, int64(n))
	if w.excerpt != nil {
		w.excerpt.add([]byte(s[:n]))
	}
	return n, err
}

// Flush implements http.Flusher.
func (w *pacedWriter) Flush() {
	start := w.begin()
	w.ResponseWriter.(http.Flusher).Flush()
	w.passed(start, 0)
}

// ReadFrom keeps sendfile for files: the slices in which it goes on are what
// net/http and net recognise.
func (w *pacedWriter) ReadFrom(src io.Reader) (total int64, err error) {
	to, ok := w.ResponseWriter.(io.ReaderFrom)
	if !ok || w.excerpt != nil {
		return io.Copy(struct{ io.Writer }{w}, src)
	}
	slice := io.LimitedReader{R: src}
	left := int64(-1) // no limit of its own
	limited, _ := src.(*io.LimitedReader)
	if limited != nil {
		slice.R, left = limited.R, limited.N
	}
	for left != 0 {
		slice.N = sendSlice
		if left >= 0 {
			slice.N = min(left, sendSlice)
		}
		want := slice.N
		start := w.begin()
		n, err := to.ReadFrom(&slice)
		w.passed(start, n)
		total += n
		if left >= 0 {
			left -= n
			limited.N = left
		}
		if err != nil || n < want {
			return total, err
		}
	}
	return total, nil
}
