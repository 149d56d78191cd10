package dav

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"slices"
	"strings"

	"inetdav/store"
	"inetdav/store/object"
)

// put is PUT (RFC 9110, 9.3.4). Radicale gives it three meanings: an object in
// a calendar or address book (RFC 4791, 5.3.2; RFC 6352, 6.3.2); a whole
// calendar or address book, when the URL names one or could; and, in a plain
// collection, a file.
func (q *request) put() (change, error) {
	if q.r.Header.Get("Content-Range") != "" { // RFC 9110, 14.5
		return nil, refuse(http.StatusBadRequest, "PUT of a part")
	}
	in, err := q.lookIn(q.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := q.need(q.res, mayWrite); err != nil {
			return nil, err
		}
		return nil, refuse(http.StatusConflict, "no collection to hold it") // RFC 4918, 9.7.1
	case err != nil:
		return nil, err
	}
	switch k := kindOf(in); {
	case q.kind()&kTagged != 0:
		return q.putCollection(nil)
	case k&(kCalendar|kAddressbook) != 0:
		return q.putObject(in)
	case k == kSubscribed:
		return nil, refuse(http.StatusForbidden, "a subscription holds no objects")
	case k&kObject != 0:
		return nil, refuse(http.StatusConflict, "inside an object")
	}
	return q.putNew(in)
}

// putCondition evaluates the preconditions under the lock.
func (q *request) putCondition(tx *store.Tx) error {
	etag, err := tx.ETag(q.path)
	if err != nil {
		return err
	}
	res, err := tx.Resource(q.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	exists := err == nil
	if q.h.strict && exists && q.r.Header.Get("If-Match") == "" {
		return refuse(http.StatusPreconditionFailed, "[storage] strict_preconditions: no If-Match")
	}
	return precondition(q.r.Header, etag, exists, res.ModTime)
}

// earlyCondition spares a client the sending of a body that will be refused;
// what counts is the same test under the lock.
func (q *request) earlyCondition() error {
	if q.res.Kind == store.None {
		return precondition(q.r.Header, "", false, q.res.ModTime)
	}
	if inm := q.r.Header.Get("If-None-Match"); inm == "*" {
		return refuse(http.StatusPreconditionFailed, "If-None-Match *, and it exists")
	}
	return nil
}

// putObject stores a calendar object or an address object.
func (q *request) putObject(in store.Resource) (change, error) {
	res := store.Resource{Path: q.path, Kind: store.Object, In: in.Kind}
	if err := q.need(res, mayWrite); err != nil {
		return nil, err
	}
	if q.res.Kind.IsCollection() {
		return nil, refuse(http.StatusConflict, "a collection is there")
	}
	if err := q.earlyCondition(); err != nil {
		return nil, err
	}
	n, err := q.receiveObject(in)
	if err != nil {
		return nil, err
	}
	return func(tx *store.Tx) (answer, error) {
		if err := q.putCondition(tx); err != nil {
			return answer{}, err
		}
		return q.putReceived(tx, q.path, n)
	}, nil
}

// newObject is an object that has been received, checked and staged.
type newObject struct {
	staged   *store.Staged
	sum      object.Summary
	language string
}

// receiveObject receives an object for a calendar or address book.
func (q *request) receiveObject(in store.Resource) (*newObject, error) {
	calendar := in.Kind == store.Calendar
	tooLarge := nCardMaxResourceSize
	if calendar {
		tooLarge = nMaxResourceSize
	}
	if q.r.ContentLength > q.h.maxObject && q.r.ContentLength <= q.h.maxBody {
		return nil, violates(tooLarge, fmt.Errorf("%d bytes", q.r.ContentLength))
	}
	if err := q.checkMediaType(calendar); err != nil {
		return nil, err
	}
	language, err := q.contentLanguage()
	if err != nil {
		return nil, err
	}
	b, err := q.readText(q.h.maxObject)
	if err != nil {
		var e *http.MaxBytesError
		if errors.As(err, &e) {
			return nil, violates(tooLarge, err)
		}
		return nil, err
	}
	sum, err := q.check(b, calendar)
	if err != nil {
		return nil, err
	}
	staged, err := q.h.store.StageBytes(in.Path, b)
	if err != nil {
		return nil, err
	}
	q.discard = staged.Discard
	return &newObject{staged, sum, language}, nil
}

// putReceived stores an object where its collection takes it.
func (q *request) putReceived(tx *store.Tx, path string, n *newObject) (answer, error) {
	if err := accepts(tx, parent(path), &n.sum); err != nil {
		return answer{}, err
	}
	if err := uidConflict(tx, path, n.sum.UID); err != nil {
		return answer{}, err
	}
	created, err := tx.Put(path, n.staged, n.sum)
	if err != nil {
		return answer{}, err
	}
	q.keepLanguage(tx, path, n.language)
	return q.echo(answer{status: putStatus(created), etag: n.staged.ETag}, path), nil
}

func putStatus(created bool) int {
	if created {
		return http.StatusCreated
	}
	return http.StatusNoContent
}

// checkMediaType refuses what says of itself that it is something else (RFC
// 4791, 5.3.2.1: supported-calendar-data; RFC 6352, 6.3.2.1).
func (q *request) checkMediaType(calendar bool) error {
	ct := q.r.Header.Get("Content-Type")
	if ct == "" {
		return nil
	}
	mediaType, _, err := mime.ParseMediaType(ct)
	if err != nil && mediaType == "" {
		mediaType = strings.ToLower(strings.TrimSpace(strings.Split(ct, ";")[0]))
	}
	switch mediaType {
	// what a program says that does not know
	case "text/plain", "application/octet-stream", "application/x-www-form-urlencoded", "binary/octet-stream", "":
		return nil
	case "text/calendar", "application/ics", "text/x-vcalendar":
		if calendar {
			return nil
		}
	case "text/vcard", "text/x-vcard", "text/directory", "text/x-vlist":
		if !calendar {
			return nil
		}
	}
	if calendar {
		return violates(nSupportedCalData, fmt.Errorf("media type %q", ct))
	}
	return violates(nSupportedAddrData, fmt.Errorf("media type %q", ct))
}

// check parses an object and says what the index is to remember of it, or which
// precondition it fails (RFC 4791, 5.3.2.1; RFC 6352, 6.3.2.1).
func (q *request) check(b []byte, calendar bool) (object.Summary, error) {
	if !calendar {
		card, err := object.ParseCard(b)
		if err == nil {
			err = card.Check()
		}
		if err != nil {
			return object.Summary{}, violates(nValidAddrData, err)
		}
		sum, err := object.Summarize(object.KindAddressBook, b)
		if err != nil {
			return sum, violates(nValidAddrData, err)
		}
		return sum, nil
	}
	cal, err := object.ParseCalendar(b)
	if err == nil {
		cal.Zones = &q.zones
		if err = cal.Check(); err == nil {
			err = cal.CheckLimits(q.h.maxInstances)
		}
	}
	var sum object.Summary
	if err == nil {
		sum, err = object.Summarize(object.KindCalendar, b)
	}
	if err != nil {
		return sum, calendarCondition(err)
	}
	return sum, nil
}

// accepts checks that a calendar takes components of this type (RFC 4791,
// 5.2.3).
func accepts(tx *store.Tx, collection string, sum *object.Summary) error {
	c, err := tx.Collection(collection)
	if err != nil {
		return err
	}
	if c.Kind() != store.Calendar {
		return nil
	}
	return takes(c.Props(), sum.Component)
}

// uidConflict refuses what RFC 4791, 5.3.2.1 and RFC 6352, 6.3.2.1 call a
// no-uid-conflict: another object of the collection has the UID, or the one
// that would be replaced has another.
func uidConflict(tx *store.Tx, path, uid string) error {
	if uid == "" {
		return nil
	}
	c, err := tx.Collection(parent(path))
	if err != nil {
		return err
	}
	if other, ok := c.FindUID(uid); ok && other != base(path) {
		return hasUID(c, join(parent(path), other), uid)
	}
	return otherUID(c, path, uid)
}

// otherUID refuses to put an object with this UID in the place of one of c with
// another.
func otherUID(c *store.Collection, path, uid string) error {
	r, ok := c.Lookup(base(path))
	if !ok || uid == "" || r.UID == uid || r.UID == "" || r.Flags&object.Broken != 0 {
		return c.Err()
	}
	return hasUID(c, path, r.UID)
}

func hasUID(c *store.Collection, path, uid string) error {
	cond := nNoUIDConflict
	if c.Kind() == store.AddressBook {
		cond = nCardNoUIDConflict
	}
	e := conflicts(cond, fmt.Errorf("/%s has the UID %q", path, uid))
	e.Href = path
	return e
}

// putNew stores what comes to a place in a plain collection: a whole calendar
// or address book becomes a collection, anything else a file.
func (q *request) putNew(in store.Resource) (change, error) {
	if q.kind() == kNone {
		// what it will be, the body tells: first see whether it may be anything
		if err := q.need(q.res, mayWrite); err != nil {
			return nil, err
		}
		head, err := q.peek()
		if err != nil {
			return nil, err
		}
		if kind := wholeKind(head, q.r.Header.Get("Content-Type")); kind != kNone {
			return q.putCollection(&kind)
		}
	}
	res := store.Resource{Path: q.path, Kind: store.Object, In: store.Plain}
	if err := q.need(res, mayWrite); err != nil {
		return nil, err
	}
	if kindOf(in)&(kRoot|kPrincipal) != 0 {
		// a Radicale beside us fails on a home that holds files
		return nil, refuse(http.StatusForbidden, "files cannot be stored here, only calendars and address books")
	}
	if err := q.earlyCondition(); err != nil {
		return nil, err
	}
	language, err := q.contentLanguage()
	if err != nil {
		return nil, err
	}
	r, err := q.body(q.h.maxBody)
	if err != nil {
		return nil, err
	}
	staged, err := q.h.store.Stage(in.Path, r, q.h.maxBody)
	if err != nil {
		if errors.Is(err, store.ErrTooLarge) {
			return nil, &Error{Status: http.StatusRequestEntityTooLarge, Err: err}
		}
		return nil, bodyError(err)
	}
	q.discard = staged.Discard
	return func(tx *store.Tx) (answer, error) {
		if err := q.putCondition(tx); err != nil {
			return answer{}, err
		}
		created, err := tx.Put(q.path, staged, object.Summary{Start: object.NoStart, End: object.NoEnd})
		if err != nil {
			return answer{}, err
		}
		q.keepLanguage(tx, q.path, language)
		return q.echo(answer{status: putStatus(created), etag: staged.ETag}, q.path), nil
	}, nil
}

// wholeKind tells from the first bytes of a body, or where there are none from
// its media type, what kind of collection it is to become; kNone: none.
func wholeKind(head []byte, contentType string) kind {
	head = bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n")
	begins := func(s string) bool {
		return len(head) >= len(s) && bytes.EqualFold(head[:len(s)], []byte(s))
	}
	switch {
	case begins("BEGIN:VCALENDAR"):
		return kCalendar
	case begins("BEGIN:VCARD"), begins("BEGIN:VLIST"):
		return kAddressbook
	case len(head) > 0:
		return kNone
	}
	mediaType, _, _ := strings.Cut(contentType, ";")
	switch strings.ToLower(strings.TrimSpace(mediaType)) {
	case "text/calendar":
		return kCalendar
	case "text/vcard", "text/x-vcard", "text/directory":
		return kAddressbook
	}
	return kNone
}

// putCollection replaces or makes a whole calendar or address book (one object
// for each UID), in one step. kind is nil where the collection exists.
func (q *request) putCollection(asked *kind) (change, error) {
	k := q.kind()
	if asked != nil {
		k = *asked
	}
	if asked == nil {
		if err := q.need(q.res, mayWrite); err != nil {
			return nil, err
		}
		if !q.permitted(q.h.permitOver, 'o', q.path) {
			return nil, refuse(http.StatusForbidden, "[rights] permit_overwrite_collection")
		}
	} else if err := q.mayMake(k); err != nil {
		return nil, err
	}
	if k == kSubscribed {
		return nil, refuse(http.StatusForbidden, "a subscription holds no objects")
	}
	language, err := q.contentLanguage()
	if err != nil {
		return nil, err
	}
	b, err := q.readText(q.h.maxBody)
	if err != nil {
		return nil, err
	}
	calendar := k == kCalendar
	if got := wholeKind(b, ""); got != kNone && got != k {
		if calendar {
			return nil, violates(nSupportedCalData, errors.New("not iCalendar"))
		}
		return nil, violates(nSupportedAddrData, errors.New("not vCard"))
	}
	staged, err := q.h.store.StageCollection(q.path)
	if err != nil {
		return nil, err
	}
	q.discard = staged.Discard
	types, err := q.stageObjects(staged, b, calendar)
	if err != nil {
		return nil, err
	}
	name, description := "", ""
	if calendar {
		name, description = object.CalendarName(b)
	}
	return func(tx *store.Tx) (answer, error) {
		var props store.Props
		exists := false
		etag := ""
		switch c, err := tx.Collection(q.path); {
		case err == nil:
			exists, props, etag = true, c.Props(), `"`+c.CTag()+`"`
		case !errors.Is(err, fs.ErrNotExist):
			return answer{}, err
		}
		if err := precondition(q.r.Header, etag, exists, q.res.ModTime); err != nil {
			return answer{}, err
		}
		if exists != (asked == nil) {
			return answer{}, refuse(http.StatusConflict, "changed meanwhile")
		}
		if asked != nil {
			if err := q.makeable(tx, k); err != nil {
				return answer{}, err
			}
			p := &proppatch{h: q.h, isNew: true}
			p.setKind(k)
			props = p.props
		}
		for _, component := range types {
			if !calendar {
				break
			}
			if err := takes(props, component); err != nil {
				return answer{}, err
			}
		}
		if name != "" {
			props = props.Set("D:displayname", name)
		}
		if description != "" {
			props = props.Set("C:calendar-description", description)
		}
		if language != "" {
			props = props.Set(store.Tag(nGetContentLanguage.Space, nGetContentLanguage.Local), language)
		}
		if err := tx.Replace(q.path, props, staged); err != nil {
			return answer{}, err
		}
		return answer{status: putStatus(!exists)}, nil
	}, nil
}

// stageObjects splits a whole collection and stages each object under a name
// made of its UID, as Radicale names them. It returns the types of component.
func (q *request) stageObjects(staged *store.StagedCollection, b []byte, calendar bool) (types []string, err error) {
	split, suffix, invalid, tooLarge := object.SplitCards, ".vcf", nValidAddrData, nCardMaxResourceSize
	if calendar {
		split, suffix, invalid, tooLarge = object.SplitCalendar, ".ics", nValidCalData, nMaxResourceSize
	}
	for part, err := range split(b) {
		if err != nil {
			return nil, violates(invalid, err)
		}
		if int64(len(part.Data)) > q.h.maxObject {
			return nil, violates(tooLarge, fmt.Errorf("UID %q: %d bytes", part.UID, len(part.Data)))
		}
		sum, err := q.check(part.Data, calendar)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(types, sum.Component) {
			types = append(types, sum.Component)
		}
		for try := range 3 {
			err = staged.Add(ObjectName(part.UID, suffix, try), part.Data)
			if !errors.Is(err, fs.ErrExist) {
				break
			}
		}
		if err != nil {
			return nil, err
		}
	}
	return types, staged.Sync()
}

// ObjectName makes the name of an object: its UID with the suffix; where that
// cannot be a name, a hash of it; where that is taken, a random one.
func ObjectName(uid, suffix string, try int) string {
	name := uid
	if !strings.HasSuffix(strings.ToLower(uid), suffix) {
		name += suffix
	}
	switch {
	case try == 0 && store.CheckName(name) == nil && printable(name):
		return name
	case try < 2:
		sum := sha256.Sum256([]byte(uid))
		return hex.EncodeToString(sum[:]) + suffix
	}
	return strings.ToLower(rand.Text()) + suffix
}
