package dav

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// expand asks for an expansion, and gives the answer.
func expand(t *testing.T, url, path, properties string) string {
	t.Helper()
	req, err := http.NewRequest("REPORT", url+path, strings.NewReader(`<expand-property xmlns="DAV:">`+properties+`</expand-property>`))
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("bernard", "secret")
	resp, body := roundTrip(t, "expand", req)
	if resp.StatusCode != http.StatusMultiStatus {
		t.Fatalf("status %d\n%s", resp.StatusCode, body)
	}
	return string(body)
}

// RFC 3253, 3.8: an expansion goes no deeper than MaxExpand.
func TestExpandDepth(t *testing.T) {
	url, _ := testServer(t)
	const deep = MaxExpand + 5
	body := expand(t, url, "/bernard/", strings.Repeat(`<property name="owner">`, deep)+strings.Repeat(`</property>`, deep))
	if n := strings.Count(body, "<response>"); n != MaxExpand+1 {
		t.Errorf("%d responses, want %d", n, MaxExpand+1)
	}
	if !strings.Contains(body, "<owner><href>/bernard/</href></owner>") {
		t.Errorf("no href left in\n%s", body)
	}
}

// RFC 3253, 3.8: an expansion follows no more than MaxExpansions hrefs, whatever
// grows in it.
func TestExpandLimit(t *testing.T) {
	url, _ := testServer(t)
	hrefs := strings.Repeat("<href>/bernard/</href>", 40)
	req, err := http.NewRequest("PROPPATCH", url+"/bernard/", strings.NewReader(
		fmt.Sprintf(`<propertyupdate xmlns="DAV:"><set><prop><x:see xmlns:x="http://example.com/">%s</x:see></prop></set></propertyupdate>`, hrefs)))
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("bernard", "secret")
	if resp, body := roundTrip(t, "PROPPATCH", req); resp.StatusCode != http.StatusMultiStatus {
		t.Fatalf("status %d\n%s", resp.StatusCode, body)
	}
	see := `<property name="see" namespace="http://example.com/">`
	body := expand(t, url, "/bernard/", strings.Repeat(see, 6)+strings.Repeat(`</property>`, 6))
	if !strings.Contains(body, "507 Insufficient Storage") || !strings.Contains(body, "number-of-matches-within-limits") {
		t.Error("nothing is left out")
	}
	if n := strings.Count(body, "200 OK"); n > MaxExpansions+1 {
		t.Errorf("%d resources, want no more than %d", n, MaxExpansions+1)
	}
}
