package backend_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-webdav"
	"github.com/emersion/go-webdav/caldav"
	"github.com/emersion/go-webdav/carddav"

	"inetdav/store"
	"inetdav/store/backend"
)

const (
	event = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VEVENT\r\nUID:one\r\nSUMMARY:Lunch with Ann\r\nDTSTART:20260105T120000Z\r\nDTEND:20260105T130000Z\r\nDTSTAMP:20260101T000000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
	// weekly has lines that are folded, parameters in quotes, no DTSTAMP and no PRODID.
	weekly = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:two\r\nSUMMARY:Choir\\, every\r\n  week\r\nATTENDEE;CN=\"Ann; Alto\":mailto:ann@example.org\r\nRRULE:FREQ=WEEKLY\r\nDTSTART:20260106T180000Z\r\nDURATION:PT2H\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
	todo   = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VTODO\r\nUID:three\r\nDTSTAMP:20260101T000000Z\r\nSUMMARY:Tax\r\nEND:VTODO\r\nEND:VCALENDAR\r\n"
	ann    = "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:ann\r\nFN:Ann Alto\r\nN:Alto;Ann;;;\r\nEMAIL;TYPE=HOME:ann@example.org\r\nEND:VCARD\r\n"
	// bob holds what go-vcard alters.
	bob = "BEGIN:VCARD\r\nVERSION:4.0\r\nUID:bob\r\nFN:Bob\r\nNOTE:half\\; and half\r\nCATEGORIES:Friends,Choir\r\nEND:VCARD\r\n"
)

// seed is what lies in the folder when a test begins.
var seed = map[string]string{
	"alice/work/.Radicale.props":   `{"C:calendar-description": "What I do", "C:supported-calendar-component-set": "VEVENT,VTODO", "D:displayname": "Work", "tag": "VCALENDAR"}`,
	"alice/work/1.ics":             event,
	"alice/work/2.ics":             weekly,
	"alice/work/3.ics":             todo,
	"alice/empty/.Radicale.props":  `{"tag": "VCALENDAR"}`,
	"alice/people/.Radicale.props": `{"CR:addressbook-description": "Who I know", "D:displayname": "People", "tag": "VADDRESSBOOK"}`,
	"alice/people/ann.vcf":         ann,
	"alice/people/bob.vcf":         bob,
	"alice/docs/.Radicale.props":   `{}`,
	"alice/docs/note.txt":          "Hello\n",
	"alice/docs/sub/deep.txt":      "Deep\n",
	"bob/private/.Radicale.props":  `{"tag": "VCALENDAR"}`,
	"bob/private/1.ics":            event,
}

// maxObject is what package dav's configuration has where nothing is said.
const maxObject = 10_000_000

// seedTime is when all of it was changed last.
var seedTime = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func openStore(t testing.TB, folder string) *store.Store {
	t.Helper()
	s, err := store.Open(store.Options{Folder: folder, FolderUmask: -1, MaxObject: maxObject, Logf: func(level int, format string, args ...any) {
		t.Logf("<%d> "+format, append([]any{level}, args...)...)
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// seeded makes a folder with the seed and opens it.
func seeded(t testing.TB) (folder string, s *store.Store) {
	t.Helper()
	folder = t.TempDir()
	root := filepath.Join(folder, "collection-root")
	for name, data := range seed {
		write(t, filepath.Join(root, name), data)
	}
	err := filepath.WalkDir(root, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chtimes(path, seedTime, seedTime)
	})
	if err != nil {
		t.Fatal(err)
	}
	return folder, openStore(t, folder)
}

func write(t testing.TB, file, data string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(data), 0o600); err != nil {
		t.Fatal(err)
	}
}

type userKey struct{}

// login takes any password for true.
func login(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, _, _ := r.BasicAuth()
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), userKey{}, user)))
	})
}

func userOf(ctx context.Context) (string, error) {
	user, _ := ctx.Value(userKey{}).(string)
	return user, nil
}

// as is the context of a request by user.
func as(t testing.TB, user string) context.Context {
	return context.WithValue(t.Context(), userKey{}, user)
}

// handler mounts go-webdav's three handlers over a store: /cal/, /card/, /files/.
func handler(s *store.Store) http.Handler {
	b := backend.New(backend.Options{Store: s, User: userOf})
	mux := http.NewServeMux()
	mux.Handle("/cal/", &caldav.Handler{Backend: b.At("/cal")})
	mux.Handle("/.well-known/caldav", &caldav.Handler{Backend: b.At("/cal")})
	mux.Handle("/card/", &carddav.Handler{Backend: b.At("/card")})
	mux.Handle("/files/", &webdav.Handler{FileSystem: b.At("/files")})
	return login(b.Guard(mux))
}

// serve returns the URL of a server over a new folder with the seed, and
// alice's HTTP client for it.
func serve(t testing.TB) (url, folder string, alice webdav.HTTPClient) {
	t.Helper()
	folder, s := seeded(t)
	srv := httptest.NewServer(handler(s))
	t.Cleanup(srv.Close)
	return srv.URL, folder, webdav.HTTPClientWithBasicAuth(srv.Client(), "alice", "x")
}

// content is the object at a path as it lies in the folder.
func content(t testing.TB, folder, path string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(folder, "collection-root", filepath.FromSlash(path)))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func missing(t testing.TB, folder, path string) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(folder, "collection-root", filepath.FromSlash(path))); !os.IsNotExist(err) {
		t.Errorf("%s is there: %v", path, err)
	}
}

// status is the status of an error of go-webdav's.
func status(err error) string {
	if err == nil {
		return "200"
	}
	s, _, _ := strings.Cut(err.Error(), " ")
	return s
}

// etagOf is the entity tag that the store gives to the bytes in the folder.
func etagOf(t testing.TB, folder, path string) string {
	t.Helper()
	s := openStore(t, folder)
	o, err := s.OpenObject(path)
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	return o.ETag
}

// restore puts 1.ics back as the seed has it.
func restore(t testing.TB, s *store.Store, folder string) {
	t.Helper()
	b := backend.New(backend.Options{Store: s, User: userOf})
	if _, _, err := b.Create(as(t, "alice"), "/alice/work/1.ics", io.NopCloser(strings.NewReader(event)), nil); err != nil {
		t.Fatal(err)
	}
	expect(t, "restored", content(t, folder, "alice/work/1.ics"), event)
}
