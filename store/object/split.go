package object

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"iter"
	"strings"

	"inetdav/store/object/ical"
)

// MaxSplit is the number of components besides time zones, or of cards, that
// one stream may have.
const MaxSplit = 300_000

// MaxSplitGrowth and MaxSplitExtra bound the length in bytes of all parts of a
// stream together: so many times the stream's own, and so much more. The zones
// are in each part which uses them, so the parts are longer than the stream.
const (
	MaxSplitGrowth = 64
	MaxSplitExtra  = 1 << 20
)

// Part is one object of a stream.
type Part struct {
	// UID is unescaped. If the stream had none it is made from the bytes of
	// the component, so that the same stream gives the same UIDs again.
	UID string
	// Data is the object. The lines of its components are those of the
	// stream, byte for byte. It belongs to the caller.
	Data []byte
}

// walk goes over the lines of a stream and keeps track of the nesting.
type walk struct {
	ical.Lines
	open []string
	err  error

	// What the current line is.
	begin, end          bool
	component           string // of begin and end
	name, params, value []byte // of other lines
}

func newWalk(b []byte) walk { return walk{Lines: ical.NewLines(b)} }

// next goes to the next line. The depth of a begin or end line is that of
// its component's parent.
func (w *walk) next() bool {
	if w.err != nil {
		return false
	}
	if w.end {
		w.end = false
	} else if w.begin {
		w.open = append(w.open, w.component)
		w.begin = false
	}
	if !w.Next() {
		if w.err = w.Err(); w.err == nil && len(w.open) > 0 {
			w.err = &ical.SyntaxError{Line: w.Line, Msg: "BEGIN:" + clip(w.open[len(w.open)-1]) + " without END"}
		}
		return false
	}
	w.name, w.params, w.value = ical.Cut(w.Text)
	switch {
	case len(w.params) > 0:
	case len(w.name) == 5 && ical.Is(w.name, "BEGIN"):
		w.begin, w.component = true, componentName(w.value)
		switch {
		case len(w.open) >= ical.MaxDepth:
			w.err = &ical.SyntaxError{Line: w.Line, Msg: "components nested too deep"}
			return false
		case w.component == "" || len(w.component) > ical.MaxName:
			w.err = &ical.SyntaxError{Line: w.Line, Msg: "BEGIN without a name, or with one too long"}
			return false
		}
		return true
	case len(w.name) == 3 && ical.Is(w.name, "END"):
		w.end, w.component = true, componentName(w.value)
		n := len(w.open)
		if n == 0 || w.open[n-1] != w.component {
			w.err = &ical.SyntaxError{Line: w.Line, Msg: "END:" + clip(w.component) + " without BEGIN"}
			return false
		}
		w.open = w.open[:n-1]
		return true
	}
	if len(w.open) == 0 {
		w.err = &ical.SyntaxError{Line: w.Line, Msg: "content outside of a component"}
		return false
	}
	return true
}

// depth is the number of components around the current line.
func (w *walk) depth() int { return len(w.open) }

func componentName(value []byte) string {
	switch value = bytes.TrimSpace(value); string(value) {
	case "VCALENDAR":
		return "VCALENDAR"
	case "VEVENT":
		return "VEVENT"
	case "VTODO":
		return "VTODO"
	case "VCARD":
		return "VCARD"
	}
	return strings.ToUpper(string(value))
}

// tzid returns the TZID parameter of the current line, or "".
func (w *walk) tzid() []byte {
	if len(w.params) < len("TZID=x") {
		return nil
	}
	v, _ := ical.ParamValue(w.params, "TZID")
	return bytes.TrimSpace(v)
}

// stretch is a component within a VCALENDAR of a stream.
type stretch struct {
	start, end int
	last       int // where its END line begins
	root       int // which VCALENDAR
	next       int // the next one with the same UID, or -1
	uid        string
	// The zones it uses lie between these in splitter.tzids.
	tz0, tz1 int
}

// zone is a VTIMEZONE of a stream.
type zone struct {
	start, end, root int
}

// splitter is all that splitting a calendar needs to know of it.
type splitter struct {
	b      []byte
	comps  []stretch
	tzids  []string
	zones  map[string][]zone
	heads  [][]byte          // per VCALENDAR: the lines to be repeated in each part
	intern map[string]string // TZIDs
}

// SplitCalendar gives the objects of a stream of one or more VCALENDARs: one
// per UID, with all components of that UID, the VTIMEZONEs which they name and
// VERSION, PRODID and CALSCALE. Its other properties fall away. What is given
// may still not be storable (see [Calendar.Check]): that is for the caller to
// see, part by part.
//
// An error ends it and wraps ErrSyntax: the stream is no iCalendar at all, or
// more than MaxSplit and MaxSplitGrowth allow.
func SplitCalendar(b []byte) iter.Seq2[Part, error] {
	return func(yield func(Part, error) bool) {
		s := splitter{b: b, zones: map[string][]zone{}, intern: map[string]string{}}
		if err := s.scan(); err != nil {
			yield(Part{}, fmt.Errorf("%w: %w", ErrSyntax, err))
			return
		}
		// Chain the components of one UID; the first one leads.
		last := make(map[string]int, len(s.comps))
		follows := make([]bool, len(s.comps))
		total := int64(0)
		var made uidMaker
		for i := range s.comps {
			c := &s.comps[i]
			if c.uid == "" {
				continue
			}
			if j, ok := last[c.uid]; ok {
				s.comps[j].next = i
				follows[i] = true
			}
			last[c.uid] = i
		}
		for i := range s.comps {
			if follows[i] {
				continue
			}
			part := Part{UID: s.comps[i].uid}
			missing := part.UID == ""
			if missing {
				part.UID = made.uid(b[s.comps[i].start:s.comps[i].end])
			}
			part.Data = s.object(i, part.UID, missing)
			if total += int64(len(part.Data)); total > MaxSplitGrowth*int64(len(b))+MaxSplitExtra {
				yield(Part{}, fmt.Errorf("%w: too long with its time zones", ErrSyntax))
				return
			}
			if !yield(part, nil) {
				return
			}
		}
	}
}

// scan finds the components, their UIDs and zones.
func (s *splitter) scan() error {
	w := newWalk(s.b)
	var cur stretch
	var curTZID string
	for w.next() {
		switch {
		case w.begin && w.depth() == 0:
			if w.component != "VCALENDAR" {
				return &ical.SyntaxError{Line: w.Line, Msg: clip(w.component) + " where VCALENDAR belongs"}
			}
			s.heads = append(s.heads, nil)
		case w.begin && w.depth() == 1:
			cur = stretch{start: w.Start, root: len(s.heads) - 1, next: -1, tz0: len(s.tzids)}
			curTZID = ""
		case w.end && w.depth() == 1:
			cur.last, cur.end, cur.tz1 = w.Start, w.End, len(s.tzids)
			if w.component == "VTIMEZONE" {
				s.zones[curTZID] = append(s.zones[curTZID], zone{cur.start, cur.end, cur.root})
				s.tzids = s.tzids[:cur.tz0]
				break
			}
			if len(s.comps) >= MaxSplit {
				return &ical.SyntaxError{Line: w.Line, Msg: "too many components"}
			}
			s.comps = append(s.comps, cur)
		case w.begin || w.end:
		case w.depth() == 1:
			if ical.Is(w.name, "VERSION") || ical.Is(w.name, "PRODID") || ical.Is(w.name, "CALSCALE") {
				root := len(s.heads) - 1
				s.heads[root] = appendLines(s.heads[root], s.b[w.Start:w.End])
			}
		default:
			if w.depth() == 2 {
				switch {
				case cur.uid == "" && ical.Is(w.name, "UID"):
					cur.uid = strings.TrimSpace(string(ical.AppendUnescaped(nil, w.value)))
				case curTZID == "" && ical.Is(w.name, "TZID"):
					curTZID = strings.TrimSpace(string(w.value))
				}
			}
			if id := w.tzid(); len(id) > 0 {
				s.use(string(id), cur.tz0)
			}
		}
	}
	if w.err == nil && len(s.heads) == 0 {
		return &ical.SyntaxError{Line: 1, Msg: "no VCALENDAR"}
	}
	return w.err
}

// use notes a zone for the current component. The few that one component
// names are looked through; a thousand different ones would be an attack, and
// the rest of them is not needed.
func (s *splitter) use(id string, tz0 int) {
	const most = 50
	if len(s.tzids)-tz0 >= most {
		return
	}
	for _, known := range s.tzids[tz0:] {
		if known == id {
			return
		}
	}
	if known, ok := s.intern[id]; ok {
		id = known
	} else {
		s.intern[id] = id
	}
	s.tzids = append(s.tzids, id)
}

// object writes the object that the component first leads.
func (s *splitter) object(first int, uid string, missing bool) []byte {
	// Zones first, each once.
	var zones []zone
	size := 64 + len(uid) + len(s.heads[s.comps[first].root])
	seen := map[string]bool{}
	for i := first; i >= 0; i = s.comps[i].next {
		c := &s.comps[i]
		size += c.end - c.start
		for _, id := range s.tzids[c.tz0:c.tz1] {
			if seen[id] {
				continue
			}
			seen[id] = true
			if z, ok := s.zone(id, c.root); ok {
				zones = append(zones, z)
				size += z.end - z.start
			}
		}
	}
	dst := make([]byte, 0, size)
	dst = append(dst, "BEGIN:VCALENDAR\r\n"...)
	dst = append(dst, s.heads[s.comps[first].root]...)
	for _, z := range zones {
		dst = appendLines(dst, s.b[z.start:z.end])
	}
	for i := first; i >= 0; i = s.comps[i].next {
		c := &s.comps[i]
		if missing {
			dst = appendLines(dst, s.b[c.start:c.last])
			dst = ical.AppendLine(dst, "UID:"+uid)
			dst = appendLines(dst, s.b[c.last:c.end])
		} else {
			dst = appendLines(dst, s.b[c.start:c.end])
		}
	}
	return append(dst, "END:VCALENDAR\r\n"...)
}

// zone finds the definition of a zone, best in the VCALENDAR that uses it.
func (s *splitter) zone(id string, root int) (zone, bool) {
	all := s.zones[id]
	for _, z := range all {
		if z.root == root {
			return z, true
		}
	}
	if len(all) > 0 {
		return all[0], true
	}
	return zone{}, false
}

// appendLines appends whole lines, of which the last may lack its end.
func appendLines(dst, lines []byte) []byte {
	dst = append(dst, lines...)
	if n := len(lines); n > 0 && lines[n-1] != '\n' {
		dst = append(dst, "\r\n"...)
	}
	return dst
}

// uidMaker makes UIDs for components that have none.
type uidMaker struct {
	times map[[sha256.Size]byte]uint32
}

// uid makes another one each time that it sees the same component.
func (m *uidMaker) uid(source []byte) string {
	h := sha256.Sum256(source)
	n := m.times[h]
	if m.times == nil {
		m.times = map[[sha256.Size]byte]uint32{}
	}
	m.times[h] = n + 1
	if n > 0 {
		h = sha256.Sum256(binary.LittleEndian.AppendUint32(h[:], n))
	}
	x := hex.EncodeToString(h[:16])
	return x[:8] + "-" + x[8:12] + "-" + x[12:16] + "-" + x[16:20] + "-" + x[20:]
}

// SplitCards gives the cards of a stream, as they come. An error, which wraps
// ErrSyntax, ends it: what follows the place cannot be told apart any more.
func SplitCards(b []byte) iter.Seq2[Part, error] {
	return func(yield func(Part, error) bool) {
		w := newWalk(b)
		start, n := 0, 0
		uid := ""
		var made uidMaker
		for w.next() {
			switch {
			case w.begin && w.depth() == 0:
				if w.component != "VCARD" && w.component != "VLIST" {
					yield(Part{}, fmt.Errorf("%w: line %d: %q where VCARD belongs", ErrSyntax, w.Line, clip(w.component)))
					return
				}
				if n++; n > MaxSplit {
					yield(Part{}, fmt.Errorf("%w: line %d: too many cards", ErrSyntax, w.Line))
					return
				}
				start, uid = w.Start, ""
			case w.end && w.depth() == 0:
				part := Part{UID: uid}
				if uid == "" {
					source := b[start:w.End]
					part.UID = made.uid(source)
					part.Data = make([]byte, 0, len(source)+64)
					part.Data = appendLines(part.Data, b[start:w.Start])
					part.Data = ical.AppendLine(part.Data, "UID:"+part.UID)
					part.Data = appendLines(part.Data, b[w.Start:w.End])
				} else {
					part.Data = appendLines(make([]byte, 0, w.End-start+2), b[start:w.End])
				}
				if !yield(part, nil) {
					return
				}
			case w.begin || w.end:
			case w.depth() == 1 && uid == "" && ical.Is(w.name, "UID"):
				uid = strings.TrimSpace(string(ical.AppendUnescaped(nil, w.value)))
			}
		}
		if w.err != nil {
			yield(Part{}, fmt.Errorf("%w: %w", ErrSyntax, w.err))
		}
	}
}

// CalendarName returns the name and the description that programs write into
// a stream of a whole calendar, X-WR-CALNAME (or NAME, RFC 7986, 5.1) and
// X-WR-CALDESC (or DESCRIPTION), or "".
func CalendarName(b []byte) (name, description string) {
	w := newWalk(b)
	for w.next() {
		if w.begin || w.end || w.depth() != 1 {
			continue
		}
		switch {
		case ical.Is(w.name, "X-WR-CALNAME") || name == "" && ical.Is(w.name, "NAME"):
			name = string(ical.AppendUnescaped(nil, w.value))
		case ical.Is(w.name, "X-WR-CALDESC") || description == "" && ical.Is(w.name, "DESCRIPTION"):
			description = string(ical.AppendUnescaped(nil, w.value))
		}
	}
	return name, description
}
