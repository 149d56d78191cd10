package dav

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"inetdav/store"
)

// countedState counts the looks at entity tags.
type countedState struct {
	*store.Tx
	etags int
}

func (c *countedState) ETag(path string) (string, error) {
	c.etags++
	return c.Tx.ETag(path)
}

// RFC 4918, 10.4: however often an If header speaks of a resource, its bytes are
// read once, since the lock is held meanwhile.
func TestIfReadsOnce(t *testing.T) {
	folder := t.TempDir()
	h := testHandler(t, folder).(*handler)
	dir := filepath.Join(folder, "collection-root", "bernard", "files")
	err := os.MkdirAll(dir, 0o700)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "a"), []byte("text"), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	err = h.store.Update(t.Context(), func(tx *store.Tx) error {
		etag, err := tx.ETag("bernard/files/a")
		if err != nil {
			return err
		}
		r := httptest.NewRequest("PUT", "/bernard/files/b", nil)
		r.Header.Set("If", "</bernard/files/a> ("+strings.Repeat(`["x"]`, 1000)+") (["+etag+"])")
		c := &countedState{Tx: tx}
		if err := (&request{h: h, r: r, user: "bernard", path: "bernard/files/b"}).ifHeader(c); err != nil {
			return err
		}
		if c.etags != 1 {
			t.Errorf("read %d times", c.etags)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
