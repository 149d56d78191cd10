package backend_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"

	"github.com/emersion/go-webdav"
	"github.com/emersion/go-webdav/caldav"
	"github.com/emersion/go-webdav/carddav"

	"inetdav/store"
	"inetdav/store/backend"
)

// A Radicale folder behind go-webdav's three handlers. Who the user is comes
// from whatever checks the passwords; here everybody is alice.
func Example() {
	folder, err := os.MkdirTemp("", "radicale")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	s, err := store.Open(store.Options{Folder: folder, FolderUmask: -1})
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()

	b := backend.New(backend.Options{
		Store: s,
		User:  func(context.Context) (string, error) { return "alice", nil },
	})
	mux := http.NewServeMux()
	mux.Handle("/cal/", &caldav.Handler{Backend: b.At("/cal")})
	mux.Handle("/card/", &carddav.Handler{Backend: b.At("/card")})
	mux.Handle("/files/", &webdav.Handler{FileSystem: b.At("/files")})
	srv := httptest.NewServer(b.Guard(mux))
	defer srv.Close()

	// and without any handler
	ctx := context.Background()
	if err := b.CreateCalendar(ctx, &caldav.Calendar{Path: "/alice/work", Name: "Work"}); err != nil {
		log.Fatal(err)
	}
	client, err := caldav.NewClient(nil, srv.URL+"/cal/")
	if err != nil {
		log.Fatal(err)
	}
	calendars, err := client.FindCalendars(ctx, "/cal/alice/")
	if err != nil {
		log.Fatal(err)
	}
	for _, c := range calendars {
		fmt.Println(c.Path, c.Name)
	}
	f, err := b.Open(ctx, "/alice/work/none.ics")
	if err == nil {
		defer f.Close()
		io.Copy(os.Stdout, f)
	}
	fmt.Println(err)
	// Output:
	// /cal/alice/work/ Work
	// 404 Not Found: open alice/work/none.ics: no such file or directory
}
