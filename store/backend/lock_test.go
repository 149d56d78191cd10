package backend_test

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-webdav/caldav"

	"inetdav/store"
	"inetdav/store/backend"
)

// RFC 4918, 7: what another protocol's client has locked stays as it is.
func TestLocks(t *testing.T) {
	_, s := seeded(t)
	b := backend.New(backend.Options{Store: s, User: userOf})
	ctx := as(t, "alice")
	lock := func(root string, deep bool, expires time.Time) {
		t.Helper()
		err := s.Update(ctx, func(tx *store.Tx) error {
			return tx.SetWriteLocks(store.WriteLocks{{Token: store.NewLockToken(), Root: root, User: "alice",
				Deep: deep, Timeout: time.Hour, Expires: expires}})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	create := func(path string) error {
		_, _, err := b.Create(ctx, path, io.NopCloser(strings.NewReader("x")), nil)
		return err
	}
	put := func(path, data string) error {
		_, err := b.PutCalendarObject(ctx, path, decodeICal(t, data), nil)
		return err
	}
	move := func(from, to string) error {
		_, err := b.Move(ctx, from, to, nil)
		return err
	}
	copied := func(from, to string) error {
		_, err := b.Copy(ctx, from, to, nil)
		return err
	}
	soon := time.Now().Add(time.Hour)

	lock("alice/docs/note.txt", false, soon)
	expect(t, "change", status(create("/alice/docs/note.txt")), "423")
	expect(t, "remove", status(b.RemoveAll(ctx, "/alice/docs/note.txt", nil)), "423")
	expect(t, "remove with its collection", status(b.RemoveAll(ctx, "/alice/docs", nil)), "423")
	expect(t, "move away", status(move("/alice/docs/note.txt", "/alice/docs/sub/n.txt")), "423")
	expect(t, "move over", status(move("/alice/docs/sub/deep.txt", "/alice/docs/note.txt")), "423")
	expect(t, "copy of it", status(copied("/alice/docs/note.txt", "/alice/docs/sub/n.txt")), "200")
	expect(t, "another", status(create("/alice/docs/new.txt")), "200")

	lock("alice/work", false, soon)
	expect(t, "new member", status(put("/alice/work/9.ics", unlike(event))), "423")
	expect(t, "member removed", status(b.DeleteCalendarObject(ctx, "/alice/work/1.ics")), "423")
	expect(t, "member changed", status(put("/alice/work/1.ics", event)), "200")
	expect(t, "calendar removed", status(b.DeleteCalendarObject(ctx, "/alice/work")), "423")

	lock("alice", true, soon)
	expect(t, "deep", status(put("/alice/work/1.ics", event)), "423")
	expect(t, "new calendar", status(b.CreateCalendar(ctx, &caldav.Calendar{Path: "/alice/new"})), "423")
	expect(t, "new folder", status(b.Mkdir(ctx, "/alice/docs/new")), "423")

	lock("alice", true, time.Now().Add(-time.Second))
	expect(t, "expired", status(put("/alice/work/1.ics", event)), "200")
}
