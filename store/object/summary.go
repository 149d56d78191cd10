package object

import "math"

// Kind is what a collection holds.
type Kind uint8

const (
	// KindCalendar objects are iCalendar (RFC 5545).
	KindCalendar Kind = iota + 1
	// KindAddressBook objects are vCard (RFC 6350, RFC 2426).
	KindAddressBook
)

// Flags of a Summary. The values are stored in indexes: they never change.
type Flags uint16

const (
	// Broken: the object could not be read. All that is known is that it is there.
	Broken Flags = 1 << iota
	// Recurring: more than one instance, or possibly so.
	Recurring
	// Exact: there is one component besides time zones, with one instance
	// that covers exactly [Start, End), whatever the floating zone is.
	Exact
	// HasAlarm: there is a VALARM.
	HasAlarm
	// Floating: an instance has a DATE or a floating time, so that where it
	// lies depends on the reader. Start and End are widened for that.
	Floating
	// Several: more than one component besides time zones.
	Several
	// HasTimezone: there is a VTIMEZONE.
	HasTimezone
	// HintsWhole: Hints has all properties with the names that it may have.
	HintsWhole
)

// NoStart and NoEnd are the Start and End of a Summary that is open there, or
// where nothing is known.
const (
	NoStart = math.MinInt64
	NoEnd   = math.MaxInt64
)

// Summary is what an index keeps of an object, so that most questions are
// answered without opening its file.
type Summary struct {
	// Component is the type of the object: VEVENT, VTODO, VJOURNAL,
	// VFREEBUSY, ..., VCARD, VLIST; empty if Broken.
	Component string
	// UID is unescaped; empty if there is none.
	UID string
	// Start and End enclose all instances of a calendar object, alarms not
	// included, in Unix seconds: nothing of it lies before Start or at or
	// after End (an instance without length lies at Start: End is then larger
	// by one). For address objects they are NoStart and NoEnd.
	Start, End int64
	Flags      Flags
	// Hints are a few whole content lines, unfolded, each with a line feed.
	// For address objects: FN N NICKNAME EMAIL TEL ORG KIND UID. For a
	// calendar object that is not Several: STATUS TRANSP COMPLETED of its component.
	Hints []byte
}

// Summarize reads an object just as far as its summary needs. It never fails
// whole: with an error (which wraps ErrSyntax, ErrObject or ErrInstances and
// says why) comes a Summary which is right though it may say little. A client's
// object is to be refused by [Check], not by this.
func Summarize(kind Kind, b []byte) (Summary, error) {
	return Summary{Start: NoStart, End: NoEnd, Flags: Broken}, ErrSyntax
}
