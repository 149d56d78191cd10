package main

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"inetdav/dav/davxml"
)

// response is one of a 207 (RFC 4918, 14.24), as far as it concerns objects.
type response struct {
	Href     string `xml:"DAV: href"`
	Status   string `xml:"DAV: status"`
	Propstat []struct {
		Status string `xml:"DAV: status"`
		Prop   struct {
			ETag         string `xml:"DAV: getetag"`
			ResourceType struct {
				Collection *struct{} `xml:"DAV: collection"`
			} `xml:"DAV: resourcetype"`
			Calendar *string `xml:"urn:ietf:params:xml:ns:caldav calendar-data"`
			Address  *string `xml:"urn:ietf:params:xml:ns:carddav address-data"`
		} `xml:"DAV: prop"`
	} `xml:"DAV: propstat"`
}

// succeeded reads an HTTP-Status (RFC 4918, 14.28).
func succeeded(status string) bool {
	_, rest, _ := strings.Cut(strings.TrimSpace(status), " ")
	return strings.HasPrefix(rest, "2")
}

// etag is the entity tag; "" when the server gave none.
func (r *response) etag() string {
	for _, p := range r.Propstat {
		if succeeded(p.Status) && p.Prop.ETag != "" {
			return strings.TrimSpace(p.Prop.ETag)
		}
	}
	return ""
}

func (r *response) isCollection() bool {
	for _, p := range r.Propstat {
		if p.Prop.ResourceType.Collection != nil {
			return true
		}
	}
	return strings.HasSuffix(r.Href, "/")
}

// data is the object, or nil. XML has only one kind of line end, iCalendar and
// vCard another one: those of a server that did not escape them are restored.
func (r *response) data() []byte {
	for _, p := range r.Propstat {
		for _, text := range [...]*string{p.Prop.Calendar, p.Prop.Address} {
			if text == nil || !succeeded(p.Status) {
				continue
			}
			if strings.Contains(*text, "\r\n") {
				return []byte(*text)
			}
			return []byte(strings.ReplaceAll(*text, "\n", "\r\n"))
		}
	}
	return nil
}

// errCut says that an answer is not whole.
var errCut = errors.New("the connection was cut")

// eachResponse reads a 207, one response at a time. limit bounds the answer, in
// bytes. The error wraps errCut when the answer is cut short, *xml.SyntaxError
// when it is no XML.
func eachResponse(body io.Reader, limit int64, each func(*response) error) error {
	counted := &io.LimitedReader{R: body, N: limit}
	d := xml.NewDecoder(counted)
	fail := func(err error) error {
		var syntax *xml.SyntaxError
		switch {
		case counted.N <= 0:
			return fmt.Errorf("an answer of more than %d bytes", limit)
		case errors.As(err, &syntax) && !strings.Contains(syntax.Msg, "unexpected EOF"):
			return err
		}
		return fmt.Errorf("%w: %w", errCut, err)
	}
	for depth := 0; ; {
		t, err := d.Token()
		if err != nil {
			return fail(err)
		}
		switch t := t.(type) {
		case xml.StartElement:
			if depth == 1 && t.Name == (xml.Name{Space: davxml.DAV, Local: "response"}) {
				var r response
				if err := d.DecodeElement(&r, &t); err != nil {
					return fail(err)
				}
				if err := each(&r); err != nil {
					return err
				}
				continue
			}
			depth++
		case xml.EndElement:
			if depth--; depth == 0 {
				return nil
			}
		}
	}
}

// pathOf is the path of an href, unescaped.
func pathOf(href string) (string, bool) {
	u, err := url.Parse(strings.TrimSpace(href))
	if err != nil || u.Path == "" {
		return "", false
	}
	return u.Path, true
}

// statusError is an answer that is not what was asked for.
type statusError struct {
	method string
	url    *url.URL
	code   int
}

func (e *statusError) Error() string {
	return fmt.Sprintf("%s %s: %d %s", e.method, e.url.Redacted(), e.code, http.StatusText(e.code))
}

// request sends one request with an XML body and wants that status. The answer
// may break off while it is read.
func (c *client) request(ctx context.Context, method string, u *url.URL, depth, body string, want int) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, u.String(), bytes.NewReader([]byte(body)))
	if err != nil {
		return nil, err
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/xml; charset=utf-8")
	}
	if depth != "" {
		req.Header.Set("Depth", depth)
	}
	resp, err := c.do(req, false)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != want {
		drain(resp)
		return nil, &statusError{method, u, resp.StatusCode}
	}
	return resp, nil
}

// propfind asks for properties of one resource (RFC 4918, 9.1), and says where
// redirects have led.
func (c *client) propfind(ctx context.Context, u *url.URL, body string) (b []byte, at *url.URL, err error) {
	req, err := http.NewRequestWithContext(ctx, "PROPFIND", u.String(), strings.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	req.Header.Set("Content-Type", "application/xml; charset=utf-8")
	req.Header.Set("Depth", "0")
	resp, err := c.Do(req)
	if err != nil {
		return nil, nil, err
	}
	if resp.StatusCode != http.StatusMultiStatus {
		return nil, nil, &statusError{"PROPFIND", u, resp.StatusCode}
	}
	b, err = io.ReadAll(io.LimitReader(resp.Body, maxProperties))
	return b, resp.Request.URL, err
}

// get fetches one object of at most limit bytes; a longer one is cut behind that.
func (c *client) get(ctx context.Context, u *url.URL, limit int64) (data []byte, etag string, err error) {
	resp, err := c.request(ctx, http.MethodGet, u, "", "", http.StatusOK)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	data, err = io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return nil, "", fmt.Errorf("%w: %w", errCut, err)
	}
	return data, resp.Header.Get("ETag"), nil
}
