package dav

import (
	"compress/gzip"
	"net/http"
	"strconv"
	"strings"

	"inetdav/dav/davxml"
)

// multistatus streams a 207 (RFC 4918, 13). Nothing is kept of what has been
// written: its memory is the writer's one buffer.
type multistatus struct {
	q    *request
	x    *davxml.Writer
	body *answerBody
	out  propOut
}

// newMultistatus makes a 207 whose status and first bytes go out with the first
// full buffer, or at the end: until then an error still has a status.
func (q *request) newMultistatus() *multistatus {
	m := &multistatus{q: q, body: q.answerBody(http.StatusMultiStatus, contentXML)}
	m.x = davxml.NewWriter(m.body)
	m.x.Header()
	m.x.Start(nMultistatus)
	m.out.x = m.x
	return m
}

// close ends the answer. It must be called only where the answer is whole.
func (m *multistatus) close() error {
	m.x.End(nMultistatus)
	if err := m.x.Flush(); err != nil {
		return err
	}
	return m.body.Close()
}

// status writes a response that only has a status, and the condition that
// explains it, if any. The href is percent-encoded already.
func (m *multistatus) status(href string, code int, cond ...davxml.Name) error {
	m.x.Start(nResponse)
	m.x.Element(nHref, href)
	m.x.Element(nStatus, statusLine(code))
	if len(cond) > 0 {
		m.x.Start(nError)
		m.x.Empty(cond[0])
		m.x.End(nError)
	}
	m.x.End(nResponse)
	return m.x.Err()
}

// failed writes the response of a resource that cannot be read, before which
// nothing of it was written. The error, if any, is the one given: it ends the
// whole answer (see memberStatus).
func (m *multistatus) failed(href, path string, err error) error {
	code := memberStatus(err)
	switch code {
	case 0:
		return err
	case http.StatusNotFound:
	default:
		m.q.h.logf(levelError, "%s %s: /%s: %v", m.q.r.Method, m.q.r.URL.Path, path, err)
	}
	return m.status(href, code)
}

func statusLine(code int) string {
	switch code { // the frequent ones need no memory
	case http.StatusOK:
		return "HTTP/1.1 200 OK"
	case http.StatusNotFound:
		return "HTTP/1.1 404 Not Found"
	}
	return "HTTP/1.1 " + strconv.Itoa(code) + " " + http.StatusText(code)
}

// response writes one resource: what it has of the names asked for in a
// propstat with 200, what it lacks in one with 404, which minimal leaves out
// (RFC 8144, 2.1).
func (m *multistatus) response(t *target, names []wanted, minimal bool) error {
	m.x.Start(nResponse)
	m.x.Href(m.q.hrefOf(t.res))
	if err := m.propstats(t, names, minimal); err != nil {
		return err
	}
	m.x.End(nResponse)
	return m.x.Err()
}

func (m *multistatus) propstats(t *target, names []wanted, minimal bool) error {
	x := m.x
	m.out.open = false
	lacks := 0
	for i := range names {
		n := &names[i]
		m.out.name, m.out.wrote = n.name, false
		if err := m.q.getProp(t, n, &m.out); err != nil {
			return err
		}
		if n.lacks = !m.out.wrote && !n.optional; n.lacks {
			lacks++
		}
	}
	found := m.out.open
	m.out.close(http.StatusOK)
	if lacks > 0 && !minimal {
		m.out.start()
		for i := range names {
			if names[i].lacks {
				x.Empty(names[i].name)
			}
		}
		m.out.close(http.StatusNotFound)
	} else if !found { // RFC 4918, 14.24: a response has a status or a propstat
		m.out.start()
		m.out.close(http.StatusOK)
	}
	return x.Err()
}

// propOut writes properties into a propstat, which opens at the first one. A
// getter that writes nothing says that the resource lacks the property.
type propOut struct {
	x     *davxml.Writer
	name  davxml.Name // of the property being written
	open  bool        // the propstat is
	wrote bool        // the property is written
}

func (o *propOut) start() {
	if !o.open {
		o.x.Start(nPropstat)
		o.x.Start(nProp)
		o.open = true
	}
	o.wrote = true
}

func (o *propOut) close(status int) {
	if o.open {
		o.x.End(nProp)
		o.x.Element(nStatus, statusLine(status))
		o.x.End(nPropstat)
		o.open = false
	}
}

// text writes a property that is only text.
func (o *propOut) text(s string) {
	o.start()
	o.x.Element(o.name, s)
}

// elements writes a property that f fills.
func (o *propOut) elements(f func(x *davxml.Writer)) {
	o.start()
	o.x.Start(o.name)
	f(o.x)
	o.x.End(o.name)
}

// compressFrom is the size in bytes of a first write from which an answer is
// worth a compressor, which costs a cold process half a millisecond and 800 kB.
const compressFrom = 8 << 10

// answerBody sends the status with the first byte, and compresses answers that
// are long and whose client asks for it.
type answerBody struct {
	q           *request
	status      int
	contentType string
	z           *gzip.Writer
}

func (q *request) answerBody(status int, contentType string) *answerBody {
	return &answerBody{q: q, status: status, contentType: contentType}
}

func (b *answerBody) Write(p []byte) (int, error) {
	q := b.q
	if !q.wrote {
		h := q.w.Header()
		h.Set("Content-Type", b.contentType)
		h.Add("Vary", "Accept-Encoding")
		if len(p) >= compressFrom && acceptsGzip(q.r.Header) {
			h.Set("Content-Encoding", "gzip")
			if etag := h.Get("ETag"); strings.HasPrefix(etag, `"`) {
				h.Set("ETag", "W/"+etag) // other bytes: RFC 9110, 8.8.3.3
			}
			b.z, _ = gzip.NewWriterLevel(q.w, gzip.BestSpeed)
		}
		q.w.WriteHeader(b.status)
		q.wrote = true
	}
	if b.z != nil {
		return b.z.Write(p)
	}
	return q.w.Write(p)
}

// Close ends an answer that is whole.
func (b *answerBody) Close() error {
	if b.z != nil {
		return b.z.Close()
	}
	return nil
}

// acceptsGzip reports whether Accept-Encoding lists gzip with a weight above
// zero (RFC 9110, 12.5.3).
func acceptsGzip(h http.Header) bool {
	accept, _ := list(h, "Accept-Encoding")
	for part := range strings.SplitSeq(accept, ",") {
		coding, weight, _ := strings.Cut(part, ";")
		if c := strings.TrimSpace(coding); strings.EqualFold(c, "gzip") || strings.EqualFold(c, "x-gzip") {
			w := strings.TrimSpace(weight)
			w, ok := strings.CutPrefix(w, "q=")
			return !ok || strings.Trim(w, "0.") != ""
		}
	}
	return false
}
