package object

import (
	"fmt"
	"strings"

	"inetdav/store/object/ical"
)

// productID names this program in the calendars that it puts together (RFC
// 5545, 3.7.3).
const productID = "-//inetdav//inetdav//EN"

// Export writes the objects of a collection as one stream, object by object,
// so that it never holds more than one of them. Its methods append to a buffer:
//
//	e := object.NewExport(kind)
//	buf = e.Header(buf[:0], name, description)
//	for each object { buf, err = e.Add(buf, source) }
//	buf = e.Footer(buf)
//
// Components are those of the sources byte for byte. Of time zones with the
// same TZID the first one stands for all. An address book is its cards one
// after the other.
type Export struct {
	kind  Kind
	zones map[string]bool
}

// NewExport returns an Export of a collection of this kind.
func NewExport(kind Kind) *Export {
	return &Export{kind: kind, zones: map[string]bool{}}
}

// Header appends what comes before the first object. The name and the
// description of a calendar may be empty.
func (e *Export) Header(dst []byte, name, description string) []byte {
	if e.kind != KindCalendar {
		return dst
	}
	dst = append(dst, "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:"+productID+"\r\n"...)
	if name != "" {
		dst = ical.AppendLine(dst, ical.AppendEscaped([]byte("X-WR-CALNAME:"), name))
	}
	if description != "" {
		dst = ical.AppendLine(dst, ical.AppendEscaped([]byte("X-WR-CALDESC:"), description))
	}
	return dst
}

// Add appends an object. An object that cannot be read is left out: dst comes
// back as it was, with an error that wraps ErrSyntax.
func (e *Export) Add(dst, source []byte) ([]byte, error) {
	before := len(dst)
	var added []string
	w := newWalk(source)
	start, tzid := 0, ""
	for w.next() {
		switch {
		case w.begin && w.depth() == 0 && (w.component == "VCALENDAR") != (e.kind == KindCalendar):
			return e.undo(dst[:before], added), fmt.Errorf("%w: line %d: %q in a %s", ErrSyntax, w.Line, clip(w.component), e.kind)
		case e.kind != KindCalendar:
			if w.begin && w.depth() == 0 {
				start = w.Start
			} else if w.end && w.depth() == 0 {
				dst = appendLines(dst, source[start:w.End])
			}
		case w.depth() == 1 && w.begin:
			start, tzid = w.Start, ""
		case w.depth() == 1 && w.end:
			if w.component == "VTIMEZONE" {
				if e.zones[tzid] {
					continue
				}
				e.zones[tzid] = true
				added = append(added, tzid)
			}
			dst = appendLines(dst, source[start:w.End])
		case w.depth() == 2 && !w.begin && !w.end && tzid == "" && ical.Is(w.name, "TZID"):
			tzid = strings.TrimSpace(string(w.value))
		}
	}
	if w.err != nil {
		return e.undo(dst[:before], added), fmt.Errorf("%w: %w", ErrSyntax, w.err)
	}
	return dst, nil
}

// undo forgets the zones of an object that is left out.
func (e *Export) undo(dst []byte, added []string) []byte {
	for _, id := range added {
		delete(e.zones, id)
	}
	return dst
}

// Footer appends what comes after the last object.
func (e *Export) Footer(dst []byte) []byte {
	if e.kind != KindCalendar {
		return dst
	}
	return append(dst, "END:VCALENDAR\r\n"...)
}

// String names the kind in messages.
func (k Kind) String() string {
	switch k {
	case KindCalendar:
		return "calendar"
	case KindAddressBook:
		return "address book"
	}
	return "unknown kind"
}
