package backend

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"reflect"

	goical "github.com/emersion/go-ical"
	"github.com/emersion/go-vcard"

	"inetdav/store/object"
	"inetdav/store/object/ical"
)

// MaxParamCost bounds the sum of the squares of the lengths of all parameter
// values of an object, in bytes squared: go-ical copies a value once for each
// of its bytes. One value of 32 KiB, or a thousand of 1 KiB, is as much.
const MaxParamCost = 1 << 30

// sent is the body of a PUT as it came.
type sent struct {
	calendar *object.Calendar // what it is, if it is one
	card     *object.Card
	body     []byte
	plain    []byte // what the handler reads instead
}

type sentKey struct{}

// Guard stands in front of go-webdav's handlers and makes the bodies of
// requests fit for them: none is longer than the store's MaxObject (413), and a
// calendar or vCard comes to the handler as plain lines that its decoder reads
// without harm, or, if package object cannot read it, as a body that cannot be
// read. The methods of a Backend then store what the client sent, byte for byte.
//
// A body is held in memory.
func (b *Backend) Guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, b.store.MaxObject))
		var tooLarge *http.MaxBytesError
		switch {
		case errors.As(err, &tooLarge):
			http.Error(w, "body too large", http.StatusRequestEntityTooLarge)
			return
		case err != nil:
			http.Error(w, "cannot read the body", http.StatusBadRequest)
			return
		}
		if r.Method != http.MethodPut {
			r = r.WithContext(r.Context()) // not to change the caller's
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
			next.ServeHTTP(w, r)
			return
		}
		s := &sent{body: body}
		r = r.WithContext(context.WithValue(r.Context(), sentKey{}, s))
		if err := s.read(r.Header.Get("Content-Type")); err != nil {
			r.Body, r.ContentLength = unreadableBody{err}, -1
		} else {
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(s.plain)), int64(len(s.plain))
		}
		next.ServeHTTP(w, r)
	})
}

// unreadableBody lets a decoder fail with the reason why it is not to see the
// body.
type unreadableBody struct{ error }

func (b unreadableBody) Read([]byte) (int, error) { return 0, b.error }
func (unreadableBody) Close() error               { return nil }

// read finds out what the decoders are to read instead of the body.
func (s *sent) read(contentType string) error {
	mediaType, _, _ := mime.ParseMediaType(contentType)
	var root *ical.Component
	switch mediaType {
	case goical.MIMEType:
		c, err := object.ParseCalendar(s.body)
		if err != nil {
			return err
		}
		s.calendar, root = c, c.Root
	case vcard.MIMEType:
		c, err := object.ParseCard(s.body)
		if err != nil {
			return err
		}
		s.card, root = c, c.Root
	default:
		s.plain = s.body
		return nil
	}
	var cost int64
	if err := harmless(root, &cost); err != nil {
		return err
	}
	s.plain = plainLines(nil, root)
	return nil
}

// harmless refuses what plainLines would leave out or what would harm a
// decoder. The depth is bounded by ical.MaxDepth.
func harmless(c *ical.Component, cost *int64) error {
	for i := range c.Properties {
		p := &c.Properties[i]
		if p.Name == "" || delimits(p) {
			return fmt.Errorf("line %d: no content line", p.Line)
		}
		for _, param := range p.Params {
			if !isToken(param.Name) || len(param.Values) == 0 {
				return fmt.Errorf("line %d: not a parameter: %.60q", p.Line, param.Name)
			}
			for _, v := range param.Values {
				if *cost += int64(len(v)) * int64(len(v)); *cost > MaxParamCost {
					return fmt.Errorf("line %d: parameters too long", p.Line)
				}
			}
		}
	}
	for _, sub := range c.Components {
		if err := harmless(sub, cost); err != nil {
			return err
		}
	}
	return nil
}

// sentCalendar returns the bytes of which the handler made cal, or nil if cal
// is something else.
func sentCalendar(ctx context.Context, cal *goical.Calendar) []byte {
	s, _ := ctx.Value(sentKey{}).(*sent)
	if s == nil || s.calendar == nil || cal == nil || !reflect.DeepEqual(calendarTree(s.calendar.Root), cal.Component) {
		return nil
	}
	return s.body
}

// sentCard returns the bytes of which the handler made card, or nil if card is
// something else.
func sentCard(ctx context.Context, card vcard.Card) []byte {
	s, _ := ctx.Value(sentKey{}).(*sent)
	if s == nil || s.card == nil {
		return nil
	}
	if c, err := vcard.NewDecoder(bytes.NewReader(s.plain)).Decode(); err != nil || !reflect.DeepEqual(c, card) {
		return nil
	}
	return s.body
}

// sentFile returns the bytes instead of which the handler read data, or data.
func sentFile(ctx context.Context, data []byte, readErr error) ([]byte, error) {
	s, _ := ctx.Value(sentKey{}).(*sent)
	if s == nil || readErr == nil && !bytes.Equal(s.plain, data) {
		return data, readErr
	}
	return s.body, nil
}
