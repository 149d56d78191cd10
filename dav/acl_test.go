package dav

import (
	"net/http"
	"strings"
	"testing"
)

// RFC 3744, 7.2 and 7.2.1: access-control in the DAV header would promise that the
// ACL method works, so it is not there, nor is ACL in Allow.
func TestOptionsWithoutACL(t *testing.T) {
	url, _ := testServer(t)
	for _, method := range []string{"OPTIONS", "PUT"} { // the PUT is a 405
		req, err := http.NewRequest(method, url+"/bernard/", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth("bernard", "secret")
		resp, _ := roundTrip(t, method, req)
		for _, name := range []string{"DAV", "Allow"} {
			value := resp.Header.Get(name)
			if value == "" && (name == "Allow" || method == "OPTIONS") {
				t.Errorf("%s: %d without %s", method, resp.StatusCode, name)
			}
			for token := range strings.SplitSeq(value, ",") {
				if token = strings.TrimSpace(token); token == "access-control" || token == "ACL" {
					t.Errorf("%s: %s has %s", method, name, token)
				}
			}
		}
	}
}
