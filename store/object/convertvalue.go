package object

import (
	"encoding/base64"
	"net/url"
	"strings"
	"unicode/utf8"

	"inetdav/store/object/ical"
)

// dateTime is a value of the type date-and-or-time (RFC 6350, 4.3.4) or one of
// RFC 2426: digits, or "" for what is left out.
type dateTime struct {
	year, month, day     string
	hour, minute, second string
	zone                 string // "Z", or sign and four digits, or ""
}

// parseDateTime reads the basic and the extended format. Fractions of seconds
// are passed over, a time without a date and one that is truncated refused.
func parseDateTime(s string) (d dateTime, ok bool) {
	s = strings.TrimSpace(s)
	date, time, timed := strings.Cut(s, "T")
	if !timed {
		date, time, timed = strings.Cut(s, "t")
	}
	if !d.parseDate(date) {
		return d, false
	}
	if timed && (d.day == "" || !d.parseTime(time)) {
		return d, false
	}
	return d, true
}

func (d *dateTime) parseDate(s string) bool {
	switch {
	case len(s) == 8 && isDigits(s):
		d.year, d.month, d.day = s[:4], s[4:6], s[6:]
	case len(s) == 5 && s[:3] == "---":
		d.day = s[3:]
	case len(s) == 7 && s[:2] == "--" && s[4] == '-':
		d.month, d.day = s[2:4], s[5:]
	case len(s) == 6 && s[:2] == "--":
		d.month, d.day = s[2:4], s[4:]
	case len(s) == 4 && s[:2] == "--":
		d.month = s[2:]
	case len(s) == 10 && s[4] == '-' && s[7] == '-':
		d.year, d.month, d.day = s[:4], s[5:7], s[8:]
	case len(s) == 7 && s[4] == '-':
		d.year, d.month = s[:4], s[5:]
	case len(s) == 4 && isDigits(s):
		d.year = s
	default:
		return false
	}
	return (d.year == "" || isDigits(d.year)) && inRange(d.month, "01", "12") && inRange(d.day, "01", "31")
}

func (d *dateTime) parseTime(s string) bool {
	if i := strings.IndexAny(s, "Zz+-"); i >= 0 {
		if z := s[i:]; z == "Z" || z == "z" {
			d.zone = "Z"
		} else if z, ok := parseOffset(z); ok {
			d.zone = z
		} else {
			return false
		}
		s = s[:i]
	}
	if i := strings.IndexAny(s, ".,"); i >= 0 {
		if !isDigits(s[i+1:]) || i < 6 {
			return false
		}
		s = s[:i]
	}
	switch {
	case len(s) == 8 && s[2] == ':' && s[5] == ':':
		d.hour, d.minute, d.second = s[:2], s[3:5], s[6:]
	case len(s) == 6:
		d.hour, d.minute, d.second = s[:2], s[2:4], s[4:]
	case len(s) == 5 && s[2] == ':':
		d.hour, d.minute = s[:2], s[3:]
	case len(s) == 4:
		d.hour, d.minute = s[:2], s[2:]
	case len(s) == 2:
		d.hour = s
	default:
		return false
	}
	return inRange(d.hour, "00", "23") && inRange(d.minute, "00", "59") && inRange(d.second, "00", "60")
}

// complete fills the time up, where there is one.
func (d *dateTime) complete() {
	if d.hour != "" && d.minute == "" {
		d.minute = "00"
	}
	if d.hour != "" && d.second == "" {
		d.second = "00"
	}
}

// basic is the format of vCard 4.0 (RFC 6350, 4.3).
func (d dateTime) basic() string {
	s := d.year + d.month + d.day
	switch {
	case d.year == "" && d.month == "":
		s = "---" + d.day
	case d.year == "":
		s = "--" + d.month + d.day
	case d.month != "" && d.day == "":
		s = d.year + "-" + d.month
	}
	if d.hour != "" {
		s += "T" + d.hour + d.minute + d.second + d.zone
	}
	return s
}

// extended is the format of vCard 3.0 for a whole date (RFC 2426, 3.1.5).
func (d dateTime) extended() string {
	s := d.year + "-" + d.month + "-" + d.day
	if d.hour != "" {
		d.complete()
		s += "T" + d.hour + ":" + d.minute + ":" + d.second
		if len(d.zone) == 5 {
			s += d.zone[:3] + ":" + d.zone[3:]
		} else {
			s += d.zone
		}
	}
	return s
}

// parseOffset reads an offset from UTC, ±hh, ±hhmm or ±hh:mm, and returns its
// basic format with minutes.
func parseOffset(s string) (string, bool) {
	switch {
	case len(s) == 6 && s[3] == ':':
		s = s[:3] + s[4:]
	case len(s) == 3:
		s += "00"
	}
	if len(s) != 5 || s[0] != '+' && s[0] != '-' || !inRange(s[1:3], "00", "23") || !inRange(s[3:], "00", "59") {
		return "", false
	}
	return s, true
}

// inRange reports whether s is empty or two digits in a range.
func inRange(s, least, most string) bool {
	return s == "" || len(s) == 2 && isDigits(s) && least <= s && s <= most
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// isFloat is RFC 6350, 4.6.
func isFloat(s string) bool {
	if s != "" && (s[0] == '+' || s[0] == '-') {
		s = s[1:]
	}
	whole, part, dot := strings.Cut(s, ".")
	return isDigits(whole) && (!dot || isDigits(part)) && len(s) < 40
}

// isToken reports whether s can name a parameter (RFC 6350, 3.3).
func isToken(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return s != ""
}

// isURI reports whether s begins with a scheme (RFC 3986, 3.1).
func isURI(s string) bool {
	s = strings.TrimSpace(s)
	for i := range min(len(s), 64) {
		switch c := s[i]; {
		case 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z':
		case i > 0 && ('0' <= c && c <= '9' || c == '+' || c == '-' || c == '.'):
		default:
			return c == ':' && i > 1 // a single letter is a drive
		}
	}
	return false
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// isBase64 reports whether s is written in the alphabet of RFC 4648, 4.
func isBase64(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '+', c == '/', c == '=', c == ' ', c == '\t':
		default:
			return false
		}
	}
	return true
}

// noBlanks takes out what older programs leave in folded base64.
func noBlanks(s string) string {
	if !strings.ContainsAny(s, " \t\r\n") {
		return s
	}
	return strings.Map(func(r rune) rune {
		switch r {
		case ' ', '\t', '\r', '\n':
			return -1
		}
		return r
	}, s)
}

// The media types of RFC 6350, 6.8.1, and RFC 2585 for the keys of RFC 2426, 3.7.2.
const (
	mediaPGP  = "application/pgp-keys"
	mediaX509 = "application/pkix-cert"
	mediaAny  = "application/octet-stream"
)

// mediaType returns the media type that a value of TYPE means on a property of
// vCard 3.0 (RFC 2426, 3.1.4, 3.6.6, 3.7.2), or "" if it means something else.
func mediaType(property, typ string) string {
	t := strings.ToLower(typ)
	switch t {
	case "home", "work", "pref":
		return ""
	case "jpg", "jpe":
		t = "jpeg"
	}
	for i := range len(t) {
		if c := t[i]; !(isToken(t[i:i+1]) || strings.IndexByte("!#$&^.+/", c) >= 0) {
			return ""
		}
	}
	if strings.Count(t, "/") == 1 && t[0] != '/' && t[len(t)-1] != '/' {
		return t
	} else if strings.Contains(t, "/") || t == "" {
		return ""
	}
	switch property {
	case "SOUND":
		return "audio/" + t
	case "KEY":
		switch t {
		case "pgp":
			return mediaPGP
		case "x509":
			return mediaX509
		}
		return ""
	}
	return "image/" + t
}

// mediaName is the inverse: the value of TYPE for a media type, or "".
func mediaName(property, media string) string {
	media, _, _ = strings.Cut(strings.ToLower(media), ";")
	media = strings.TrimSpace(media)
	top, sub, _ := strings.Cut(media, "/")
	name := media
	switch {
	case media == mediaAny:
		return ""
	case property == "KEY" && media == mediaPGP:
		name = "PGP"
	case property == "KEY" && media == mediaX509:
		name = "X509"
	case property == "SOUND" && top == "audio", (property == "PHOTO" || property == "LOGO") && top == "image":
		name = strings.ToUpper(sub)
	}
	switch mediaType(property, name) {
	case "":
		return "" // it would be taken for something else
	case "image/jpeg": // not what some call it
		if name != media {
			return "JPEG"
		}
	}
	return name
}

// sniff returns the media type of base64 data by how it begins.
func sniff(data string) string {
	switch {
	case strings.HasPrefix(data, "/9j/"):
		return "image/jpeg"
	case strings.HasPrefix(data, "iVBORw0KGgo"):
		return "image/png"
	case strings.HasPrefix(data, "R0lGOD"):
		return "image/gif"
	}
	return mediaAny
}

// cutData splits a data: URI (RFC 2397) into its media type and its data in
// base64. Some programs escape it like a text.
func cutData(s string) (media, data string, ok bool) {
	s = s[len("data:"):]
	if strings.IndexByte(s, '\\') >= 0 {
		s = ical.Unescape(s)
	}
	head, data, ok := strings.Cut(s, ",")
	if !ok {
		return "", "", false
	}
	media, params, _ := strings.Cut(head, ";")
	if strings.Contains(data, "%") {
		decoded, err := url.PathUnescape(data)
		if err != nil {
			return "", "", false
		}
		data = decoded
	}
	if params = strings.ToLower(params); params != "base64" && !strings.HasSuffix(params, ";base64") {
		return media, base64.StdEncoding.EncodeToString([]byte(data)), true
	}
	data = noBlanks(data)
	return media, data, isBase64(data)
}

// labelParam encodes the text of a LABEL for the parameter: line ends as in
// texts (RFC 6350, 6.3.1), quotes as RFC 6868 has it.
func labelParam(s string) string {
	s = strings.NewReplacer(`\`, `\\`, "\r\n", `\n`, "\n", `\n`, "\r", "").Replace(s)
	// The circumflex must be encoded if anything is: EncodeParam sees to that.
	return ical.EncodeParam(s)
}

// escapeBreaks writes line breaks, which quoted-printable can hold, as texts do.
func escapeBreaks(s string) string {
	if !strings.ContainsAny(s, "\r\n") {
		return s
	}
	return strings.NewReplacer("\r\n", `\n`, "\n", `\n`, "\r", `\n`).Replace(s)
}

// escape21 escapes a text of vCard 2.1, where commas and backslashes were
// nothing special and programs have written all of it: what looks like an
// escape is taken for one.
func escape21(name, s string) string {
	structured, list := false, false
	switch name {
	case "N", "ADR", "ORG":
		structured = true
	case "CATEGORIES", "NICKNAME":
		list = true
	case "FN", "TITLE", "ROLE", "NOTE", "LABEL", "EMAIL", "TEL", "MAILER", "SORT-STRING":
	default:
		return s
	}
	if !strings.ContainsAny(s, `\,;`) {
		return s
	}
	b := make([]byte, 0, len(s)+16)
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && i+1 < len(s) && strings.IndexByte(`\,;nN`, s[i+1]) >= 0:
			b = append(b, c, s[i+1])
			i++
		case c == '\\' && i+1 < len(s) && s[i+1] == ':':
		case c == '\\', c == ',' && !list, c == ';' && !structured && !list:
			b = append(b, '\\', c)
		default:
			b = append(b, c)
		}
	}
	return string(b)
}

// decodeCharset brings a text to UTF-8. What is UTF-8 is taken for it whatever
// the card says; else it is Western, as most of the rest of the old cards are,
// unless the card names another character set, which is not known here: !ok.
func decodeCharset(s, charset string) (text string, ok bool) {
	if utf8.ValidString(s) {
		return s, true
	}
	switch charset {
	case "UTF-8", "UTF8":
		return strings.ToValidUTF8(s, "\uFFFD"), true
	case "", "US-ASCII", "ASCII", "ISO-8859-1", "ISO8859-1", "LATIN1", "LATIN-1", "WINDOWS-1252", "CP1252":
	default:
		return "", false
	}
	upper := []rune(windows1252)
	var b strings.Builder
	b.Grow(len(s) + len(s)/4)
	for i := range len(s) {
		if c := s[i]; 0x80 <= c && c < 0xa0 {
			b.WriteRune(upper[c-0x80])
		} else {
			b.WriteRune(rune(c))
		}
	}
	return b.String(), true
}

// windows1252 is what that character set has where ISO 8859-1 has controls.
const windows1252 = "€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ"
