package main

import (
	"net/http"
	"strings"
	"testing"
)

const exclusiveLock = `<lockinfo xmlns="DAV:"><lockscope><exclusive/></lockscope><locktype><write/></locktype></lockinfo>`

// A lock outlives the process that made it: here each request has a process of
// its own (RFC 4918, 6).
func TestLocksAcrossProcesses(t *testing.T) {
	t.Parallel()
	s := plainServer(t, systemd)
	s.Client.Transport.(*http.Transport).DisableKeepAlives = true
	s.must([]int{201}, "MKCOL", "/demo/plain/", "")
	s.must([]int{201}, "PUT", "/demo/plain/a", "one")
	lock := s.must([]int{200}, "LOCK", "/demo/plain/", exclusiveLock, "Timeout: Second-600")
	token := lock.Header.Get("Lock-Token")
	for _, refused := range [][3]string{
		{"PUT", "/demo/plain/a", "two"},
		{"PUT", "/demo/plain/b", "two"},
		{"DELETE", "/demo/plain/", ""},
		{"MKCOL", "/demo/plain/c/", ""},
		{"LOCK", "/demo/plain/a", exclusiveLock},
	} {
		s.must([]int{423}, refused[0], refused[1], refused[2])
	}
	a := s.must([]int{207}, "PROPFIND", "/demo/plain/a", `<propfind xmlns="DAV:"><prop><lockdiscovery/></prop></propfind>`, "Depth: 0")
	if !strings.Contains(a.Body, strings.Trim(token, "<>")) {
		t.Errorf("lockdiscovery does not know %s:\n%s", token, a.Body)
	}
	s.must([]int{204}, "PUT", "/demo/plain/a", "three", "If: ("+token+")")
	s.must([]int{200}, "LOCK", "/demo/plain/a", "", "If: ("+token+")")
	s.must([]int{204}, "UNLOCK", "/demo/plain/a", "", "Lock-Token: "+token)
	s.must([]int{204}, "PUT", "/demo/plain/a", "four")

	// Of those who want it at the same time one gets it.
	codes := make(chan int)
	for range 4 {
		go func() {
			a, err := askAt(s.Client, s.URL, "LOCK", "/demo/plain/race", exclusiveLock)
			if err != nil {
				t.Error(err)
			}
			codes <- a.Code
		}()
	}
	count := map[int]int{}
	for range 4 {
		count[<-codes]++
	}
	if count[201] != 1 || count[423] != 3 {
		t.Errorf("four at once: %v, want one 201 and three 423", count)
	}
	s.noServerError()
}
