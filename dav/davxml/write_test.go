package davxml

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"
)

const declarations = ` xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:CR="urn:ietf:params:xml:ns:carddav"` +
	` xmlns:CS="http://calendarserver.org/ns/" xmlns:ICAL="http://apple.com/ns/ical/" xmlns:ME="http://me.com/_namespace/" xmlns:RADICALE="http://radicale.org/ns/"`

func written(f func(w *Writer)) string {
	var b bytes.Buffer
	w := NewWriter(&b)
	f(w)
	w.Flush()
	return b.String()
}

func TestWriter(t *testing.T) {
	root := Name{DAV, "multistatus"}
	for _, test := range []struct {
		name string
		f    func(w *Writer)
		want string
	}{
		{"names", func(w *Writer) {
			w.Empty(Name{CalDAV, "calendar"})
			w.Element(Name{INF, "addressbook-color"}, "#fff")
			w.Empty(Name{DAV, "collection"}, Attr{Name{"", "a"}, "\"<\t\r\n>"})
		}, `<C:calendar/><X:addressbook-color xmlns:X="http://inf-it.com/ns/ab/">#fff</X:addressbook-color><collection a="&quot;&lt;&#9;&#13;&#10;&gt;"/>`},
		{"no namespace", func(w *Writer) {
			w.Start(Name{"", "a"})
			w.Start(Name{DAV, "b"})
			w.Empty(Name{"", "c"})
			w.End(Name{DAV, "b"})
			w.End(Name{"", "a"})
			w.Empty(Name{DAV, "d"})
		}, `<a xmlns=""><D:b xmlns:D="DAV:"><c xmlns=""/></D:b></a><d/>`},
		{"attributes", func(w *Writer) {
			w.Empty(Name{DAV, "a"}, Attr{Name{XML, "lang"}, "de"}, Attr{Name{CS, "b"}, "1"}, Attr{Name{DAV, "c"}, "2"}, Attr{Name{"u", "d"}, "3"})
		}, `<a xml:lang="de" CS:b="1" xmlns:Aca="DAV:" Aca:c="2" xmlns:Ada="u" Ada:d="3"/>`},
		{"text", func(w *Writer) {
			w.Text("a<b>&\"'\r\n\tü😀")
			w.TextBytes([]byte("]]>\x00\x1f\x7f\xff\xed\xa0\x80\uFFFE\uFFFD."))
		}, "a&lt;b&gt;&amp;\"'&#13;\n\tü😀]]&gt;\uFFFD\uFFFD\x7f\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD."},
		{"href", func(w *Writer) { w.Href("/u@x/a b+c%d/ü&<~.ics\x01") },
			`<href>/u%40x/a%20b%2Bc%25d/%C3%BC%26%3C~.ics%01</href>`},
		{"raw", func(w *Writer) { w.Raw(`<D:x xmlns:D="DAV:"/>`) }, `<D:x xmlns:D="DAV:"/>`},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := written(func(w *Writer) {
				w.Header()
				w.Start(root)
				test.f(w)
				w.End(root)
			})
			want := `<?xml version="1.0" encoding="utf-8"?>` + "\n" + `<multistatus xmlns="DAV:"` + declarations + `>` + test.want + `</multistatus>`
			if got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			if err := xml.Unmarshal([]byte(got), new(any)); err != nil {
				t.Error(err)
			}
			if _, err := Parse([]byte(got)); err != nil {
				t.Error(err)
			}
		})
	}
}

// A root outside of DAV: must not break what is in it.
func TestWriterRoot(t *testing.T) {
	for _, root := range []Name{{"", "a"}, {"u", "a"}, {CalDAV, "a"}, {DAV, "a"}} {
		got := written(func(w *Writer) {
			w.Start(root)
			w.Empty(Name{DAV, "b"})
			w.Empty(root)
			w.End(root)
		})
		e, err := Parse([]byte(got))
		if err != nil {
			t.Fatal(err)
		}
		if want := "<" + root.String() + "><{DAV:}b></><" + root.String() + "></></>"; dump(e) != want {
			t.Errorf("got %s, want %s", dump(e), want)
		}
	}
}

// The buffer's end may fall anywhere.
func TestWriterBuffer(t *testing.T) {
	text := strings.Repeat("a&ü\r\n", 20_000)
	e, err := Parse([]byte(written(func(w *Writer) {
		w.Start(Name{DAV, "a"})
		w.Text(text)
		w.TextBytes([]byte(text))
		w.End(Name{DAV, "a"})
	})))
	if err != nil || e.Text() != text+text {
		t.Fatalf("%v: %d bytes of %d", err, len(e.Text()), 2*len(text))
	}
}

type failing struct{ after int }

func (f *failing) Write(b []byte) (int, error) {
	if f.after--; f.after < 0 {
		return 0, io.ErrClosedPipe
	}
	return len(b), nil
}

func TestWriterError(t *testing.T) {
	f := &failing{1}
	w := NewWriter(f)
	w.Start(Name{DAV, "a"})
	for range 10 {
		w.Text(strings.Repeat("a", bufferSize))
	}
	if !errors.Is(w.Err(), io.ErrClosedPipe) || !errors.Is(w.Flush(), io.ErrClosedPipe) {
		t.Errorf("got %v", w.Err())
	}
	if f.after != -1 {
		t.Errorf("written on after the error: %d", f.after)
	}
	var b bytes.Buffer
	w.Reset(&b)
	w.Start(Name{DAV, "a"})
	if err := w.Flush(); err != nil || b.String() != `<a xmlns="DAV:"`+declarations+`>` {
		t.Errorf("after Reset: %v, %s", err, b.String())
	}
}

func TestEscapePath(t *testing.T) {
	for in, want := range map[string]string{
		"":                    "",
		"/":                   "/",
		"/a-b_c.d~e/0Z":       "/a-b_c.d~e/0Z",
		"/u@example.org/a b/": "/u%40example.org/a%20b/",
		"/%2F?#[]!$&'()*+,;=": "/%252F%3F%23%5B%5D%21%24%26%27%28%29%2A%2B%2C%3B%3D",
		"/ü/\xff\x00":         "/%C3%BC/%FF%00",
	} {
		got := EscapePath(in)
		if got != want {
			t.Errorf("EscapePath(%q) = %q, want %q", in, got, want)
		}
		if back, err := url.PathUnescape(got); err != nil || back != in {
			t.Errorf("%q comes back as %q, %v", in, back, err)
		}
	}
}

// FuzzText: what was written as text is read back; only what XML cannot carry becomes U+FFFD.
func FuzzText(f *testing.F) {
	f.Add("a<b>&c\r\n\t\x00\xff", "\"'\n")
	f.Add("12345678901234567\x01", "<12345678>&amp;")
	f.Fuzz(func(t *testing.T, text, value string) {
		e, err := Parse([]byte(written(func(w *Writer) {
			w.Start(Name{DAV, "a"}, Attr{Name{"", "b"}, value})
			w.Text(text)
			w.End(Name{DAV, "a"})
		})))
		if err != nil {
			t.Fatal(err)
		}
		if got, want := e.Text(), carried(text); got != want {
			t.Errorf("text %q, want %q", got, want)
		}
		if got, want := e.Attr("b"), carried(value); got != want {
			t.Errorf("attribute %q, want %q", got, want)
		}
	})
}

func carried(s string) string {
	var b strings.Builder
	for _, r := range s { // gives U+FFFD for each bad byte
		if !isChar(r) {
			r = utf8.RuneError
		}
		b.WriteRune(r)
	}
	return b.String()
}

func writeResponses(w *Writer, n int) {
	multistatus, response, propstat := Name{DAV, "multistatus"}, Name{DAV, "response"}, Name{DAV, "propstat"}
	w.Header()
	w.Start(multistatus)
	for range n {
		w.Start(response)
		w.Href("/user@example.org/calendar/6ba7b810-9dad-11d1-80b4-00c04fd430c8.ics")
		w.Start(propstat)
		w.Start(Name{DAV, "prop"})
		w.Element(Name{DAV, "getetag"}, `"2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"`)
		w.End(Name{DAV, "prop"})
		w.Element(Name{DAV, "status"}, "HTTP/1.1 200 OK")
		w.End(propstat)
		w.End(response)
	}
	w.End(multistatus)
	w.Flush()
}

func TestWriterDoesNotAllocate(t *testing.T) {
	w := NewWriter(io.Discard)
	data := []byte("BEGIN:VCALENDAR\r\n")
	if n := testing.AllocsPerRun(10, func() {
		w.Reset(io.Discard)
		writeResponses(w, 100)
		w.Start(Name{CalDAV, "calendar-data"}, Attr{Name{"", "content-type"}, "text/calendar"})
		w.TextBytes(data)
		w.End(Name{CalDAV, "calendar-data"})
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkWriteResponses(b *testing.B) {
	w := NewWriter(io.Discard)
	b.ReportAllocs()
	for b.Loop() {
		w.Reset(io.Discard)
		writeResponses(w, 10_000)
	}
}

func BenchmarkWriteCalendarData(b *testing.B) {
	data := []byte(strings.Repeat("SUMMARY:Something of the usual length in a line\r\n", 24))
	w := NewWriter(io.Discard)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		w.Reset(io.Discard)
		w.TextBytes(data)
		w.Flush()
	}
}
