package dav

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"io"
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"

	"inetdav/dav/davxml"
)

// MaxXML bounds the XML body of a request, in bytes: a multiget of some
// 50 000 hrefs.
const MaxXML = 8 << 20

// body is the request's body as the client meant it, at most limit bytes: more
// is 413. The one content coding that clients use is undone, and what comes out
// of it is bounded too.
func (q *request) body(limit int64) (io.Reader, error) {
	if q.r.ContentLength > limit {
		return nil, refuse(http.StatusRequestEntityTooLarge, "body of %d bytes, %d are allowed", q.r.ContentLength, limit)
	}
	r := http.MaxBytesReader(q.w, q.r.Body, limit)
	switch coding := strings.ToLower(q.r.Header.Get("Content-Encoding")); coding {
	case "", "identity":
		return r, nil
	case "gzip", "x-gzip":
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, refuse(http.StatusBadRequest, "gzip: %w", err)
		}
		return http.MaxBytesReader(q.w, z, limit), nil
	default:
		q.w.Header().Set("Accept-Encoding", "gzip") // RFC 9110, 15.5.16
		return nil, refuse(http.StatusUnsupportedMediaType, "content coding %q", coding)
	}
}

// readAll reads the whole body, at most limit bytes.
func (q *request) readAll(limit int64) ([]byte, error) {
	r, err := q.body(limit)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if n := q.r.ContentLength; n > 0 {
		b.Grow(int(min(n, limit)) + bytes.MinRead)
	}
	if _, err := b.ReadFrom(r); err != nil {
		return nil, bodyError(err)
	}
	return b.Bytes(), nil
}

// readText reads the whole body of a calendar or of cards, at most limit bytes,
// as UTF-8: also one that its media type declares to be ISO-8859-1 (RFC 5545,
// 3.1.4), as old programs send. Undeclared bytes are never guessed at.
func (q *request) readText(limit int64) ([]byte, error) {
	b, err := q.readAll(limit)
	if err != nil {
		return nil, err
	}
	_, params, _ := mime.ParseMediaType(q.r.Header.Get("Content-Type"))
	switch strings.ToLower(params["charset"]) {
	case "iso-8859-1", "iso8859-1", "latin1":
	default:
		return b, nil
	}
	text := make([]byte, 0, len(b)+len(b)/8)
	for _, c := range b {
		text = utf8.AppendRune(text, rune(c))
	}
	if int64(len(text)) > limit {
		return nil, &http.MaxBytesError{Limit: limit}
	}
	return text, nil
}

// bodyError turns a failure to receive into what the client did wrong.
func bodyError(err error) error {
	if e := asError(err); e.Status != http.StatusInternalServerError {
		return err
	}
	return refuse(http.StatusBadRequest, "body: %w", err)
}

// noBody refuses a body where none means anything (RFC 4918, 8.4).
func (q *request) noBody() error {
	var b [1]byte
	if n, _ := io.ReadFull(q.r.Body, b[:]); n > 0 {
		return refuse(http.StatusUnsupportedMediaType, "%s with a body", q.r.Method)
	}
	return nil
}

// readXML parses the body; nil where there is none.
func (q *request) readXML() (*davxml.Element, error) {
	b, err := q.readAll(MaxXML)
	if err != nil {
		return nil, err
	}
	if len(bytes.TrimSpace(b)) == 0 {
		return nil, nil
	}
	root, err := davxml.Parse(b)
	if err != nil {
		return nil, err
	}
	return root, boundNames(root)
}

// boundNames refuses a request that asks for more than MaxNames properties.
func boundNames(root *davxml.Element) error {
	for e := range root.Elements() {
		if e.Name != nProp && e.Name != nInclude {
			continue
		}
		n := 0
		for range e.Elements() {
			if n++; n > MaxNames {
				return refuse(http.StatusRequestEntityTooLarge, "more than %d names of properties", MaxNames)
			}
		}
	}
	return nil
}

// sniffLength is how much of a body tells a calendar or a card from a file, in
// bytes.
const sniffLength = 512

// peek gives the first bytes of the body, which stays whole. Of a compressed
// body it gives nothing.
func (q *request) peek() ([]byte, error) {
	if q.r.Header.Get("Content-Encoding") != "" {
		return nil, nil
	}
	b := bufio.NewReaderSize(q.r.Body, sniffLength)
	head, err := b.Peek(sniffLength)
	if err != nil && err != io.EOF {
		return nil, bodyError(err)
	}
	q.r.Body = struct {
		io.Reader
		io.Closer
	}{b, q.r.Body}
	return head, nil
}
