package dav

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// RFC 3744, 9.4, DAV:number-of-matches-within-limits: a search that finds more
// than MaxPrincipals fails as a whole, and one that finds fewer does not.
func TestPrincipalPropertySearchLimit(t *testing.T) {
	url, folder := testServer(t)
	for i := range MaxPrincipals + 1 {
		if err := os.MkdirAll(filepath.Join(folder, "collection-root", fmt.Sprintf("user%04d", i)), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		match  string
		status int
		found  int
	}{
		{"user0", http.StatusMultiStatus, MaxPrincipals},
		{"user", http.StatusForbidden, 0},
		{"user012", http.StatusMultiStatus, 10},
	} {
		req, err := http.NewRequest("REPORT", url+"/", strings.NewReader(`<principal-property-search xmlns="DAV:"><property-search>
			<prop><displayname/></prop><match>`+test.match+`</match></property-search></principal-property-search>`))
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth("bernard", "secret")
		resp, body := roundTrip(t, test.match, req)
		if resp.StatusCode != test.status || strings.Count(string(body), "<response>") != test.found {
			t.Errorf("%q: status %d, %d responses, want %d and %d", test.match, resp.StatusCode, strings.Count(string(body), "<response>"), test.status, test.found)
		}
		if refused := strings.Contains(string(body), "<number-of-matches-within-limits/>"); refused != (test.status == http.StatusForbidden) {
			t.Errorf("%q: %s", test.match, body)
		}
	}
}
