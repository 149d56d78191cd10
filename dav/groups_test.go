package dav

import (
	"encoding/xml"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestGroups: the collections of the user's groups are listed with his home, and
// nowhere else.
func TestGroups(t *testing.T) {
	groups := filepath.Join(t.TempDir(), "groups")
	if err := os.WriteFile(groups, []byte("staff: ann bob\nnone: ann\nempty:\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	url, folder := testServer(t, "--group-type=htgroup", "--group-htgroup-filename="+groups)
	for _, path := range []string{"ann/own", "bob", "carl", "GROUPS/c3RhZmY=/sub", "GROUPS/b3RoZXI="} {
		if err := os.MkdirAll(filepath.Join(folder, "collection-root", path), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	props := filepath.Join(folder, "collection-root/GROUPS/c3RhZmY=/.Radicale.props")
	if err := os.WriteFile(props, []byte(`{"tag": "VCALENDAR"}`), 0o666); err != nil {
		t.Fatal(err)
	}
	const staff = "/GROUPS/c3RhZmY%3D/"
	tests := []struct {
		user, path, depth string
		want              []string
	}{
		{"ann", "/ann/", "1", []string{"/ann/", "/ann/own/", staff}},
		{"ann", "/ann/", "0", []string{"/ann/"}},
		{"ann", "/ann/own/", "1", []string{"/ann/own/"}},
		{"ann", "/bob/", "1", []string{"/bob/"}},
		{"bob", "/bob/", "1", []string{"/bob/", staff}},
		{"carl", "/carl/", "1", []string{"/carl/"}},
		{"", "/ann/", "1", []string{"/ann/", "/ann/own/"}},
	}
	for _, test := range tests {
		req, err := http.NewRequest("PROPFIND", url+test.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Depth", test.depth)
		if test.user != "" {
			req.SetBasicAuth(test.user, "secret")
		}
		_, b := roundTrip(t, "PROPFIND "+test.path, req)
		var m struct {
			Hrefs []string `xml:"response>href"`
		}
		if err := xml.Unmarshal(b, &m); err != nil {
			t.Fatal(err)
		}
		for i, h := range m.Hrefs {
			if h == "/GROUPS/c3RhZmY=/" {
				m.Hrefs[i] = staff
			}
		}
		if !slices.Equal(m.Hrefs, test.want) {
			t.Errorf("%s asks for %s with depth %s: %q, want %q", test.user, test.path, test.depth, m.Hrefs, test.want)
		}
	}
}
