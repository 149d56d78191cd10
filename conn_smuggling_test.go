package main

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestSmuggling: where two readers of a connection could disagree about where a
// request ends, it is refused and the connection closed; what follows it is never
// taken for a request (RFC 9112, 11.2). Nothing is stored.
func TestSmuggling(t *testing.T) {
	t.Parallel()
	s := clientServer(t)
	s.mkcalendar("/demo/cal/", "Calendar")
	const (
		auth   = "Host: h\r\nAuthorization: Basic ZGVtbzpkZW1v\r\n"
		behind = "MKCALENDAR /demo/smuggled/ HTTP/1.1\r\n" + auth + "\r\n"
	)
	put := func(headers, body string) string {
		return "PROPFIND /demo/cal/ HTTP/1.1\r\n" + auth + "Depth: 0\r\n" + headers + "\r\n" + body + behind
	}
	for _, test := range []struct {
		name, request string
		want          int
	}{
		{"two lengths", put("Content-Length: 0\r\nContent-Length: 5\r\n", ""), 400},
		{"a list of lengths", put("Content-Length: 0, 5\r\n", ""), 400},
		{"length with a sign", put("Content-Length: +0\r\n", ""), 400},
		{"length in hex", put("Content-Length: 0x0\r\n", ""), 400},
		{"no number", put("Content-Length: a\r\n", ""), 400},
		{"length below zero", put("Content-Length: -1\r\n", ""), 400},
		{"length beyond all bounds", put("Content-Length: 99999999999999999999999\r\n", ""), 400},
		{"unknown coding", put("Transfer-Encoding: gzip\r\n", ""), 501},
		{"two codings", put("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), 501},
		{"chunked twice", put("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 501},
		{"coding with a vertical tab", put("Transfer-Encoding: \x0bchunked\r\n", "0\r\n\r\n"), 400},
		{"space before the colon", put("Content-Length : 0\r\n", ""), 400},
		{"folded line", put("X-A: b\r\n Content-Length: 5\r\nConnection: close\r\n", ""), 207},
		{"line end in a name", put("X-A\r: b\r\n", ""), 400},
		{"bare CR in a value", put("X-A: b\rContent-Length: 5\r\n", ""), 400},
		{"NUL in a value", put("X-A: b\x00c\r\n", ""), 400},
		{"chunk size beyond all bounds", put("Transfer-Encoding: chunked\r\n", "fffffffffffffffffff\r\n"), 400},
		{"chunk size with a sign", put("Transfer-Encoding: chunked\r\n", "-1\r\n"), 400},
		{"chunk longer than its size", put("Transfer-Encoding: chunked\r\n", "1\r\nab\r\n0\r\n\r\n"), 400},
		{"two hosts", "PROPFIND / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n" + behind, 400},
		{"no host", "PROPFIND / HTTP/1.1\r\n\r\n" + behind, 400},
		{"line end in the path", "GET /demo/cal/%0d%0aSet-Cookie:x HTTP/1.1\r\nConnection: close\r\n" + auth + "\r\n" + behind, 404},
		{"space in the path", "GET /demo/cal/ a HTTP/1.1\r\n" + auth + "\r\n" + behind, 400},
		{"length and chunks", put("Content-Length: 3\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n", "0\r\n\r\n"), 207}, // the chunks count
		{"a request in the body", put("Content-Length: "+fmt.Sprint(len(behind))+"\r\nConnection: close\r\n", behind), 400},
		{"HTTP/0.9", "GET /demo/cal/\r\n" + behind, 400},
		{"HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + behind, 501},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := s.dial()
			if _, err := io.WriteString(c, test.request); err != nil {
				t.Fatal(err)
			}
			r := bufio.NewReader(c)
			resp, err := http.ReadResponse(r, nil)
			if err != nil {
				t.Fatal(err)
			}
			io.Copy(io.Discard, resp.Body)
			if resp.StatusCode != test.want {
				t.Errorf("%d, want %d", resp.StatusCode, test.want)
			}
			if rest, _ := io.ReadAll(r); len(rest) > 0 {
				t.Errorf("goes on: %q", rest)
			}
			for name, values := range resp.Header {
				if strings.Contains(strings.Join(values, ""), "smuggled") || name == "Set-Cookie" {
					t.Errorf("%s: %q", name, values)
				}
			}
		})
	}
	s.must([]int{404}, "PROPFIND", "/demo/smuggled/", "", "Depth: 0")

	s.noServerError()
}
