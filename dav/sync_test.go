package dav

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"inetdav/dav/davxml"
)

// TestSyncModel lets clients follow a calendar by sync-collection (RFC 6578),
// each at its own pace and some in parts, while it is changed at random: through
// the server and behind its back. What a client that has caught up knows is what
// PROPFIND lists.
func TestSyncModel(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			syncModel(t, rand.New(rand.NewPCG(seed, 1)))
		})
	}
}

type syncClient struct {
	token string
	limit int
	etags map[string]string // by href
}

func syncModel(t *testing.T, r *rand.Rand) {
	url, folder := testServer(t)
	folder = filepath.Join(folder, "collection-root", "bernard", "work")
	do := func(method, path, header, body string, want ...int) []byte {
		t.Helper()
		req, err := http.NewRequest(method, url+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth("bernard", "secret")
		if k, v, ok := strings.Cut(header, ": "); ok {
			req.Header.Set(k, v)
		}
		resp, got := roundTrip(t, method+" "+path, req)
		for _, w := range want {
			if w == resp.StatusCode {
				return got
			}
		}
		t.Fatalf("%s %s: %d\n%s", method, path, resp.StatusCode, got)
		return nil
	}
	version := 0
	event := func(uid string) string {
		version++
		return fmt.Sprintf("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:test\r\nBEGIN:VEVENT\r\nUID:%s\r\nDTSTAMP:20260101T000000Z\r\n"+
			"DTSTART:20260101T100000Z\r\nSUMMARY:Version %d\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n", uid, version)
	}
	// an object's UID is its name, so that names can be used again
	name := func() string { return fmt.Sprintf("o%d", r.IntN(12)) }
	const work = "/bernard/work/"
	change := func() {
		n := name()
		switch r.IntN(12) {
		case 0, 1, 2, 3, 4:
			do("PUT", work+n+".ics", "", event(n), 201, 204)
		case 5, 6:
			do("DELETE", work+n+".ics", "", "", 204, 404)
		case 7: // another program writes
			if err := os.WriteFile(filepath.Join(folder, ".tmp"), []byte(event(n)), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(filepath.Join(folder, ".tmp"), filepath.Join(folder, n+".ics")); err != nil {
				t.Fatal(err)
			}
		case 8: // and removes
			os.Remove(filepath.Join(folder, n+".ics"))
		case 9: // there and back: the names of objects change, what they are does not
			do("MOVE", work+n+".ics", "Destination: "+work+"moved.ics", "", 201, 404)
			do("MOVE", work+"moved.ics", "Destination: "+work+n+".ics", "", 201, 204, 404)
		case 10:
			do("PROPPATCH", work, "", fmt.Sprintf(`<propertyupdate xmlns="DAV:"><set><prop><displayname>%d</displayname></prop></set></propertyupdate>`, version), 207)
		case 11:
			if r.IntN(4) > 0 {
				return
			}
			var all strings.Builder // the whole calendar at once
			for i := range 12 {
				if r.IntN(2) == 0 {
					all.WriteString(strings.TrimSuffix(strings.TrimPrefix(event(fmt.Sprintf("o%d", i)),
						"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:test\r\n"), "END:VCALENDAR\r\n"))
				}
			}
			do("PUT", work, "", "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:test\r\n"+all.String()+"END:VCALENDAR\r\n", 204)
		}
	}
	// sync asks once; more says that there is more
	sync := func(c *syncClient) (more bool) {
		limit := ""
		if c.limit > 0 {
			limit = fmt.Sprintf("<limit><nresults>%d</nresults></limit>", c.limit)
		}
		b := do("REPORT", work, "", `<sync-collection xmlns="DAV:"><sync-token>`+c.token+`</sync-token><sync-level>1</sync-level>`+limit+
			`<prop><getetag/></prop></sync-collection>`, 207)
		root, err := davxml.Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for e := range root.Elements() {
			if e.Name != nResponse {
				continue
			}
			href := e.Child(nHref).Text()
			switch status := statusOf(e); {
			case href == work && status == 507:
				more = true
				continue
			case status == 404:
				delete(c.etags, href)
			default:
				c.etags[href] = e.Child(nPropstat).Child(nProp).Child(nGetetag).Text()
			}
			n++
		}
		if c.limit > 0 && n > c.limit || more && n < c.limit {
			t.Errorf("%d answers, the limit is %d", n, c.limit)
		}
		if c.token = root.Child(nSyncToken).Text(); c.token == "" {
			t.Fatal("no sync token")
		}
		return more
	}
	truth := func() map[string]string {
		root, err := davxml.Parse(do("PROPFIND", work, "Depth: 1", `<propfind xmlns="DAV:"><prop><getetag/></prop></propfind>`, 207))
		if err != nil {
			t.Fatal(err)
		}
		etags := map[string]string{}
		for e := range root.Elements() {
			if href := e.Child(nHref).Text(); href != work {
				etags[href] = e.Child(nPropstat).Child(nProp).Child(nGetetag).Text()
			}
		}
		return etags
	}

	do("MKCALENDAR", work, "", "", 201)
	clients := []*syncClient{{etags: map[string]string{}}, {limit: 1, etags: map[string]string{}}, {limit: 3, etags: map[string]string{}}}
	for round := range 60 {
		for range r.IntN(6) {
			change()
		}
		c := clients[r.IntN(len(clients))]
		if r.IntN(3) == 0 {
			sync(c) // a part, perhaps
			continue
		}
		for n := 0; sync(c); n++ {
			if n > 100 {
				t.Fatal("no end")
			}
		}
		if want := truth(); !maps.Equal(c.etags, want) {
			t.Fatalf("round %d, limit %d: knows\n%v\nwant\n%v", round, c.limit, c.etags, want)
		}
	}
}

// RFC 6578, 3.6: who comes with a token of Radicale's, and wants little at once,
// is told all that is gone, and comes to an end.
func TestSyncRadicaleLimit(t *testing.T) {
	for _, limit := range []int{1, 2, 3, 4, 5, 9} {
		url, folder := testServer(t)
		do := func(method, path, body string, want int) []byte {
			t.Helper()
			req, err := http.NewRequest(method, url+path, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			req.SetBasicAuth("bernard", "secret")
			resp, got := roundTrip(t, method+" "+path, req)
			if resp.StatusCode != want {
				t.Fatalf("%s %s: %d\n%s", method, path, resp.StatusCode, got)
			}
			return got
		}
		const work = "/bernard/work/"
		do("MKCALENDAR", work, "", 201)
		for _, name := range []string{"a", "b", "c"} {
			do("PUT", work+name+".ics", fmt.Sprintf("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:test\r\nBEGIN:VEVENT\r\nUID:%s\r\nDTSTAMP:20260101T000000Z\r\n"+
				"DTSTART:20260101T100000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n", name), 201)
		}
		// a pickle of {"gone0.ics": "0", ...}
		pickle := "\x80\x02}("
		for i := range 4 {
			pickle += fmt.Sprintf("X\x09\x00\x00\x00gone%d.icsX\x01\x00\x00\x00%d", i, i)
		}
		cache := filepath.Join(folder, "collection-root", work, ".Radicale.cache", "sync-token")
		if err := os.MkdirAll(cache, 0o700); err != nil {
			t.Fatal(err)
		}
		digest := strings.Repeat("ab", 32)
		if err := os.WriteFile(filepath.Join(cache, digest), []byte(pickle+"u."), 0o600); err != nil {
			t.Fatal(err)
		}
		token, more, told := "http://radicale.org/ns/sync/"+digest, true, map[string]int{}
		for rounds := 0; more; rounds++ {
			if rounds == 8 {
				t.Fatalf("limit %d: no end", limit)
			}
			root, err := davxml.Parse(do("REPORT", work, fmt.Sprintf(`<sync-collection xmlns="DAV:"><sync-token>%s</sync-token><sync-level>1</sync-level>`+
				`<limit><nresults>%d</nresults></limit><prop><getetag/></prop></sync-collection>`, token, limit), 207))
			if err != nil {
				t.Fatal(err)
			}
			more, token = false, root.Child(nSyncToken).Text()
			for e := range root.Elements() {
				if e.Name != nResponse {
					continue
				}
				href, status := e.Child(nHref).Text(), statusOf(e)
				more = more || status == 507
				if status != 507 {
					told[href] = status
				}
			}
			if token == "" {
				t.Fatalf("limit %d: no token", limit)
			}
		}
		gone := 0
		for _, status := range told {
			if status == 404 {
				gone++
			}
		}
		if len(told) != 7 || gone != 4 {
			t.Errorf("limit %d: %v", limit, told)
		}
	}
}
