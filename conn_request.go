package main

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"inetdav/dav/access"
	"inetdav/dav/config"
)

// maxLogContent is how much of a body is logged where [logging] limit_content
// sets no limit, in bytes.
const maxLogContent = 1 << 20

// Details is what the log says about requests beside the two lines that each
// has at level info. The zero value is nothing.
type details struct {
	requestHeader, requestContent   bool // at level debug
	responseHeader, responseContent bool // at level debug
	badContent                      bool // of a PUT that is refused, at level warning
	passwords                       bool // as they are
	limit                           int  // of each content, in bytes
}

func loadDetails(c *config.Config) details {
	d := details{
		requestHeader:   c.Bool("logging", "request_header_on_debug"),
		requestContent:  c.Bool("logging", "request_content_on_debug"),
		responseHeader:  c.Bool("logging", "response_header_on_debug"),
		responseContent: c.Bool("logging", "response_content_on_debug"),
		badContent:      c.Bool("logging", "bad_put_request_content"),
		passwords:       !c.Bool("logging", "mask_passwords"),
		limit:           maxLogContent,
	}
	if n := c.Int("logging", "limit_content"); n > 0 {
		d.limit = int(min(n, maxLogContent))
	}
	return d
}

// An entry is what the log says about a request, in the words of Radicale's
// log, which people's filters and statistics know.
type entry struct {
	logs            *sink
	method, path    string // as the client said them: the handler may change the request
	depth           string // " with depth '1'", or ""
	began           time.Time
	content, answer *excerpt // of the bodies, nil where they are not logged
}

// begin logs that a request has come. It returns nil where nothing is logged,
// and of an entry only end may be used.
func (s *sink) begin(r *http.Request) *entry {
	d := &s.details
	debug := s.level >= levelDebug
	if s.level < levelInfo && !(d.badContent && s.level >= levelWarning) {
		return nil
	}
	e := &entry{logs: s, method: r.Method, path: access.Repr(r.URL.Path), began: time.Now()}
	if debug && d.requestContent || d.badContent && r.Method == http.MethodPut {
		e.content = &excerpt{limit: d.limit}
	}
	if debug && d.responseContent {
		e.answer = &excerpt{limit: d.limit}
		r.Header.Del("Accept-Encoding") // what is logged is to be read
	}
	if s.level < levelInfo {
		return e
	}
	if depth := r.Header.Get("Depth"); depth != "" {
		e.depth = " with depth " + access.Repr(depth)
	}
	agent := r.UserAgent()
	if agent != "" {
		agent = " using " + access.Repr(agent)
	}
	s.Logf(levelInfo, "%s request for %s%s received from %s%s", e.method, e.path, e.depth, access.Peer(r), agent)
	if debug && d.requestHeader {
		s.Logf(levelDebug, "Request header: Host: %s", r.Host)
		s.logHeader("Request", r.Header)
	}
	return e
}

// end logs what became of the request: status is 0 where the answer was broken
// off.
func (e *entry) end(status int, header http.Header, bytes int64) {
	s := e.logs
	text := "broken off"
	if status != 0 {
		text = strconv.Itoa(status) + " " + http.StatusText(status)
	}
	took := time.Since(e.began)
	s.Logf(levelInfo, "%s response status for %s%s in %.3f seconds: %s", e.method, e.path, e.depth, took.Seconds(), text)
	if e.content != nil && s.details.badContent && e.method == http.MethodPut && status >= 400 && status < 500 {
		s.logContent(levelWarning, "Bad PUT request content of "+e.path, e.content)
	}
	if s.level < levelDebug {
		return
	}
	s.Logf(levelDebug, "Response: %d bytes", bytes)
	if e.content != nil && s.details.requestContent {
		s.logContent(levelDebug, "Request content", e.content)
	}
	if s.details.responseHeader {
		s.logHeader("Response", header)
	}
	if e.answer != nil {
		s.logContent(levelDebug, "Response content", e.answer)
	}
}

// logHeader logs each field of a header. Cookies are never shown.
func (s *sink) logHeader(of string, header http.Header) {
	for _, name := range slices.Sorted(maps.Keys(header)) {
		for _, value := range header[name] {
			switch {
			case name == "Cookie" || name == "Set-Cookie":
				value = "**masked**"
			case (name == "Authorization" || name == "Proxy-Authorization") && !s.details.passwords:
				scheme, _, _ := strings.Cut(value, " ")
				value = scheme + " **masked**"
			}
			s.Logf(levelDebug, "%s header: %s: %s", of, name, value)
		}
	}
}

// logContent logs each line of a body that is not empty.
func (s *sink) logContent(level int, of string, x *excerpt) {
	for line := range strings.Lines(string(x.text)) {
		if line = strings.TrimRight(line, "\r\n"); line != "" {
			s.Logf(level, "%s: %s", of, line)
		}
	}
	if left := x.total - int64(len(x.text)); left > 0 {
		s.Logf(level, "%s: ... %s", of, fmt.Sprintf("(%d of %d bytes: [logging] limit_content)", len(x.text), x.total))
	}
}

// An excerpt keeps the beginning of what passes by.
type excerpt struct {
	limit int // in bytes
	text  []byte
	total int64
}

// add takes note of a piece. It may be called on nil.
func (x *excerpt) add(p []byte) {
	if x == nil {
		return
	}
	x.total += int64(len(p))
	x.text = append(x.text, p[:min(len(p), x.limit-len(x.text))]...)
}
