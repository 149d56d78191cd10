package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Limits of what another server may ask of us.
const (
	// maxRedirects is how often one request is sent elsewhere.
	maxRedirects = 10
	// maxRetryAfter is how long a server may have us wait.
	maxRetryAfter = 5 * time.Minute
	// maxWhole is the size of an answer that is not read piece by piece, in bytes.
	maxWhole = 64 << 20
	// firstPause and maxPause are the shortest and the longest time between
	// attempts; each is twice the one before.
	firstPause = 100 * time.Millisecond
	maxPause   = 30 * time.Second
	// idleTimeout is how long a connection may say nothing. Servers think for
	// a while about a listing of all that they have.
	idleTimeout = 3 * time.Minute
)

// A client speaks to another server for go-webdav's clients and for us. It
// repeats what failed for a reason that passes, follows redirects with the
// method and the body that it was given (net/http would make a GET of a
// PROPFIND), and sends the password to no host but those it may.
type client struct {
	http            *http.Client
	login, password string
	hosts           map[string]bool // who may have the password; nil: not known yet
	retries         int
	digest          *digest // the challenge that the server answered with
	wait            func(ctx context.Context, d time.Duration) error
}

func newClient(login, password string, trust []string, retries int) *client {
	dialer := &net.Dialer{Timeout: 30 * time.Second}
	c := &client{login: login, password: password, hosts: map[string]bool{}, retries: retries, wait: wait}
	for _, h := range trust {
		c.hosts[strings.ToLower(h)] = true
	}
	c.http = &http.Client{
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment,
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				conn, err := dialer.DialContext(ctx, network, address)
				if err != nil {
					return nil, err
				}
				return idleConn{conn}, nil
			},
			TLSHandshakeTimeout: 30 * time.Second,
			MaxIdleConnsPerHost: 1,
			IdleConnTimeout:     idleTimeout,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c
}

// idleConn is a connection that fails when nothing moves on it.
type idleConn struct{ net.Conn }

func (c idleConn) Read(b []byte) (int, error) {
	c.SetReadDeadline(time.Now().Add(idleTimeout))
	return c.Conn.Read(b)
}

func (c idleConn) Write(b []byte) (int, error) {
	c.SetWriteDeadline(time.Now().Add(idleTimeout))
	return c.Conn.Write(b)
}

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// pause is the time before the attempt after so many.
func pause(attempts int) time.Duration {
	return min(firstPause<<min(attempts, 16), maxPause)
}

// Do implements webdav.HTTPClient: its answer is whole, in memory.
func (c *client) Do(req *http.Request) (*http.Response, error) { return c.do(req, true) }

// do gives an answer which no further attempt, no other place and not the
// password would change. If whole is set, it has arrived.
func (c *client) do(req *http.Request, whole bool) (*http.Response, error) {
	authorized := false
	for attempts, redirects := 0, 0; ; {
		resp, err := c.once(req)
		if err == nil && whole {
			err = arrive(resp)
		}
		if err != nil {
			if err = explain(req.URL, err); attempts >= c.retries || req.Context().Err() != nil || lasting(err) {
				return nil, err
			}
			if err := c.wait(req.Context(), pause(attempts)); err != nil {
				return nil, err
			}
			attempts++
			continue
		}
		switch resp.StatusCode {
		case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
			drain(resp)
			if redirects++; redirects > maxRedirects {
				return nil, fmt.Errorf("%s: redirected without end", req.URL.Redacted())
			}
			to, err := resp.Location()
			if err != nil {
				return nil, fmt.Errorf("%s: redirected to nowhere: %w", req.URL.Redacted(), err)
			}
			if req.URL.Scheme == "https" && to.Scheme != "https" {
				return nil, fmt.Errorf("%s: redirected to %s, which is not encrypted", req.URL.Redacted(), to.Redacted())
			}
			req = req.Clone(req.Context())
			req.URL, req.Host = to, ""
		case http.StatusUnauthorized:
			d := parseDigest(resp.Header.Values("WWW-Authenticate"))
			drain(resp)
			again := !authorized && d != nil && c.login != "" && c.mayKnow(req.URL)
			if !again {
				return nil, c.unauthorized(req.URL)
			}
			// The challenge is new, or its nonce is: once more, with an answer.
			c.digest, authorized = d, true
		case http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
			if attempts >= c.retries {
				return resp, nil
			}
			d := pause(attempts)
			if after, ok := retryAfter(resp.Header, time.Now()); ok {
				d = min(after, maxRetryAfter)
			}
			drain(resp)
			if err := c.wait(req.Context(), d); err != nil {
				return nil, err
			}
			attempts++
		default:
			return resp, nil
		}
	}
}

// arrive reads an answer to its end.
func arrive(resp *http.Response) error {
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxWhole+1))
	resp.Body.Close()
	if err == nil && len(b) > maxWhole {
		err = errLasting{fmt.Errorf("an answer of more than %d bytes", maxWhole)}
	}
	resp.Body = io.NopCloser(bytes.NewReader(b))
	return err
}

// once sends a request, with the password if the host may have it.
func (c *client) once(req *http.Request) (*http.Response, error) {
	r := req.Clone(req.Context())
	if req.GetBody != nil {
		body, err := req.GetBody()
		if err != nil {
			return nil, err
		}
		r.Body = body
	}
	r.Header.Set("User-Agent", "inetdav-import/"+version)
	r.Header.Del("Authorization")
	if c.login != "" && c.mayKnow(r.URL) {
		if c.digest != nil {
			r.Header.Set("Authorization", c.digest.answer(r, c.login, c.password))
		} else {
			r.SetBasicAuth(c.login, c.password)
		}
	}
	return c.http.Do(r)
}

func (c *client) mayKnow(u *url.URL) bool { return c.hosts[strings.ToLower(u.Hostname())] }

// trust lets a host have the password, if it is in the domain by which it was
// found: anybody may have answered the question to the DNS (RFC 6764, 8).
func (c *client) trust(host, domain string) {
	host, domain = strings.ToLower(host), strings.ToLower(domain)
	if host == domain || strings.HasSuffix(host, "."+domain) {
		c.hosts[host] = true
	}
}

func (c *client) unauthorized(u *url.URL) error {
	switch {
	case c.login == "":
		return fmt.Errorf("%s wants a login (--login NAME)", u.Host)
	case !c.mayKnow(u):
		return fmt.Errorf("the server leads to %s, which wants the password, too: if that is right, say --trust-host %s", u.Host, u.Hostname())
	}
	return fmt.Errorf("%s refuses user %q or the password", u.Host, c.login)
}

// errLasting marks what another attempt will not change.
type errLasting struct{ error }

func (e errLasting) Unwrap() error { return e.error }

func lasting(err error) bool { return errors.As(err, new(errLasting)) }

// explain says of an error of TLS what to do about it.
func explain(u *url.URL, err error) error {
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	var record tls.RecordHeaderError
	var dns *net.DNSError
	switch {
	case errors.As(err, &unknown):
		return errLasting{fmt.Errorf("%s: nobody known vouches for the certificate; its authority can be named in SSL_CERT_FILE: %w", u.Host, unknown)}
	case errors.As(err, &name):
		return errLasting{fmt.Errorf("%s: the certificate is another host's: %w", u.Host, name)}
	case errors.As(err, &invalid):
		return errLasting{fmt.Errorf("%s: the certificate is not valid: %w", u.Host, invalid)}
	case errors.As(err, &record), strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		return errLasting{fmt.Errorf("%s does not speak TLS: http:// instead of https://?", u.Host)}
	case errors.As(err, &dns) && dns.IsNotFound:
		return errLasting{fmt.Errorf("there is no host %s", u.Hostname())}
	}
	return err
}

// drain lets the connection be used again.
func drain(resp *http.Response) {
	io.CopyN(io.Discard, resp.Body, 64<<10)
	resp.Body.Close()
}

// retryAfter reads the field (RFC 9110, 10.2.3).
func retryAfter(h http.Header, now time.Time) (time.Duration, bool) {
	text := h.Get("Retry-After")
	if n, err := strconv.Atoi(text); err == nil && n >= 0 {
		return time.Duration(min(n, 1<<20)) * time.Second, true
	}
	if t, err := http.ParseTime(text); err == nil {
		return max(t.Sub(now), 0), true
	}
	return 0, false
}
