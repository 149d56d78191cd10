package davxml

import "io"

// Writer streams an XML document.
type Writer struct {
	w   io.Writer
	err error
}

// NewWriter returns a Writer on w.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// Reset makes the Writer start a new document on w.
func (x *Writer) Reset(w io.Writer) { *x = Writer{w: w} }

// Header writes the XML declaration.
func (x *Writer) Header() {}

// Start writes a start tag.
func (x *Writer) Start(name Name, attrs ...Attr) {}

// End writes an end tag.
func (x *Writer) End(name Name) {}

// Empty writes an element without content.
func (x *Writer) Empty(name Name, attrs ...Attr) {}

// Text writes character data.
func (x *Writer) Text(s string) {}

// TextBytes writes character data.
func (x *Writer) TextBytes(b []byte) {}

// Element writes an element that contains only text.
func (x *Writer) Element(name Name, text string) {}

// Raw writes XML as it is.
func (x *Writer) Raw(s string) {}

// Href writes a DAV:href element for a decoded path.
func (x *Writer) Href(path string) {}

// Flush sends what is buffered to the underlying writer.
func (x *Writer) Flush() error { return x.err }

// Err returns the first error met.
func (x *Writer) Err() error { return x.err }

// EscapePath percent-encodes a decoded path.
func EscapePath(path string) string { return path }
