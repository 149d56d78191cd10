package object

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"inetdav/store/object/ical"
)

// ErrConversion: CARDDAV:supported-address-data-conversion (RFC 6352, 5.1.1.1).
const ErrConversion Error = "cannot be converted"

// Versions of vCard. Cards may be asked for in the later two.
const (
	vCard21 = "2.1"
	vCard3  = "3.0" // RFC 2426
	vCard4  = "4.0" // RFC 6350
)

// Version returns the version of vCard that c is in: "2.1", "3.0", "4.0"; "3.0"
// if it does not say (RFC 6352, 6.2.2); "" for a VLIST and for what is none of
// these.
func (c *Card) Version() string {
	if c.Root.Name != "VCARD" {
		return ""
	}
	p := c.Root.Prop("VERSION")
	if p == nil {
		return vCard3
	}
	return knownVersion(strings.TrimSpace(p.Value))
}

// CardVersion is [Card.Version] of an object that is not parsed. It reads no
// further than the line that tells, which is the second as a rule.
func CardVersion(source []byte) string {
	depth := 0
	for l := ical.NewLines(source); l.Next(); {
		name, _, value := ical.Cut(l.Text)
		switch {
		case len(name) == 5 && l.Text[5] == ':' && ical.Is(name, "BEGIN"):
			if depth == 0 && !strings.EqualFold(strings.TrimSpace(string(value)), "VCARD") {
				return ""
			}
			depth++
		case len(name) == 3 && l.Text[3] == ':' && ical.Is(name, "END"):
			depth--
		case depth == 1 && ical.Is(name, "VERSION"):
			return knownVersion(strings.TrimSpace(string(value)))
		}
	}
	return vCard3
}

func knownVersion(s string) string {
	switch s {
	case vCard21:
		return vCard21
	case vCard3:
		return vCard3
	case vCard4:
		return vCard4
	}
	return ""
}

// Convert appends c, which was parsed from source, to dst as a vCard of the
// version "3.0" (RFC 2426) or "4.0" (RFC 6350), whichever of 2.1, 3.0 and 4.0 it
// is in. A card that is in the version already is appended as it is. Errors wrap
// ErrConversion; dst then comes back as it was: for a VLIST, an unknown version
// on either side, a text in a character set that is neither UTF-8 nor Western.
//
// Properties keep their order and their groups, and those which are the same in
// both versions keep their bytes; so do all properties and parameters that
// neither RFC knows. VERSION comes first. These change, to 4.0 and back:
//
//	TYPE=pref                       PREF=1; of several PREFs the lowest is pref
//	PHOTO, LOGO, SOUND, KEY         data: URI, MEDIATYPE
//	  with ENCODING=b or VALUE=uri
//	BDAY, X-ABDATE, REV             the basic format, the year left out
//	  1996-04-15, X-APPLE-OMIT-YEAR
//	X-ABDATE with the X-ABLabel     ANNIVERSARY
//	  of an anniversary
//	X-ADDRESSBOOKSERVER-KIND        KIND
//	X-ADDRESSBOOKSERVER-MEMBER      MEMBER
//	X-ABShowAs:COMPANY              KIND:org
//	X-ABRELATEDNAMES, X-ABLabel     RELATED;VALUE=text, TYPE (X-ABLabel stays)
//	LABEL                           the parameter LABEL of its ADR
//	SORT-STRING                     the parameter SORT-AS of N
//	AGENT                           RELATED;TYPE=agent, a vCard as a data: URI
//	GEO:1;2                         GEO:geo:1,2
//	TZ:-05:00, TZ;VALUE=text        TZ;VALUE=utc-offset:-0500, TZ
//	CLASS, MAILER                   X-CLASS, X-MAILER (RFC 6350, A.2 and 6.10)
//	UID of free text                UID;VALUE=text
//
// FN and, in 3.0, N are made from what else there is, since they must be there;
// an N that is empty, or only the name of a group, is left out of 4.0. The value
// of UID never changes, "urn:uuid:" or not: it names the object to the server
// (RFC 6352, 6.3.2.1) and to the groups that it is a member of.
//
// One way only, or lost:
//
//   - to 4.0: NAME, PROFILE, the parameters CHARSET and CONTEXT, the types
//     internet of EMAIL and dom, intl, postal, parcel of ADR (RFC 6350, A.2); the
//     year that X-APPLE-OMIT-YEAR marks; fractions of seconds; the backslashes that
//     Apple puts into URIs; X-ANNIVERSARY and
//     X-EVOLUTION-ANNIVERSARY become ANNIVERSARY, and come back as X-ABDATE; the
//     time of a REV that is only a date is midnight;
//   - to 3.0: a tel: URI becomes the number, with " ext. " before an extension,
//     and stays one in 4.0, where free text is the default; KIND:individual,
//     which is the default; the altitude and the uncertainty of a geo: URI; the
//     media type application/octet-stream;
//   - from 2.1: quoted-printable, the character set, the bare parameters.
//
// What only one version can say stays as it is in the other, where RFC 2425 and
// RFC 6350, 5, let programs pass over it: other PREFs than the lowest, ALTID,
// PID, CALSCALE, GENDER, LANG, RELATED, XML and CLIENTPIDMAP in 3.0, a BDAY that is
// no whole date, types of TEL such as msg and modem in 4.0.
func (c *Card) Convert(dst, source []byte, version string) ([]byte, error) {
	if c.Version() == version && version != "" {
		return append(dst, source...), nil
	}
	root, err := c.convert(source, version)
	if err != nil {
		return dst, err
	}
	w := writer{dst: slices.Grow(dst, len(source)+len(source)/16+256), source: source, crlf: true}
	w.begin(root)
	for i := range root.Properties {
		w.property(&root.Properties[i], false)
	}
	for _, sub := range root.Components {
		w.dst = appendLines(w.dst, source[sub.Start:sub.End])
	}
	w.end(root)
	return w.dst, nil
}

// convert makes the tree of another version. Properties that are unchanged
// still say where they are in the source; the others have Start == End == 0.
func (c *Card) convert(source []byte, version string) (*ical.Component, error) {
	v := converter{card: c.Root, source: source, from: c.Version(), to: version, becomes: -1}
	if v.from == "" || version != vCard3 && version != vCard4 {
		return nil, fmt.Errorf("%w: %s %q to vCard %q", ErrConversion, clip(c.Root.Name), clip(c.Root.Value("VERSION")), clip(version))
	}
	v.survey()
	v.out = make([]ical.Property, 0, len(c.Root.Properties)+4)
	v.add(ical.Property{Name: "VERSION", Value: version})
	v.names()
	for i := range c.Root.Properties {
		e := edit{Property: c.Root.Properties[i], source: &c.Root.Properties[i]}
		if e.Name == "" || e.Name == "VERSION" {
			if e.Name == "" {
				v.out = append(v.out, e.Property)
			}
			continue
		}
		if err := v.decode(&e); err != nil {
			return nil, err
		}
		if version == vCard4 {
			v.to4(i, &e)
		} else {
			v.to3(&e)
		}
	}
	if len(v.out) > ical.MaxProperties {
		return nil, fmt.Errorf("%w: too many properties", ErrConversion)
	}
	return &ical.Component{Name: c.Root.Name, Properties: v.out, Components: v.inner()}, nil
}

// converter makes a card of another version.
type converter struct {
	card     *ical.Component
	source   []byte
	from, to string
	out      []ical.Property

	// What survey finds. Maps are made when something needs them.
	kind        string // in 4.0: what KIND is or will be, in lower case
	kindDone    bool   // KIND is written
	showAs      bool   // there is an X-ABShowAs
	anniversary bool   // there is an ANNIVERSARY
	hasFN, hasN bool
	groupName   string             // FN of a group in 3.0
	sortString  string             // the text of SORT-STRING
	sortAs      bool               // N has or gets SORT-AS
	best        map[string]int     // the lowest PREF, by name
	labels      map[int]string     // the text of a LABEL, by the index of its ADR
	labelled    map[int]bool       // LABELs that are among labels
	groups      map[string]dateTag // by group in lower case
	abLabels    map[string]string  // X-ABLabel, likewise, if names of relatives need it
	becomes     int                // the index of what becomes ANNIVERSARY in 4.0, or -1
	agents      []*ical.Component  // that went into an AGENT
	items       int                // the last group that anniversary3 has tried
}

// dateTag says what is in a group that may be that of an X-ABDATE.
type dateTag struct {
	label  bool // an X-ABLabel that says anniversary
	others int  // properties besides the label
}

// anniversaryLabel is what Apple calls the anniversary among the dates.
const anniversaryLabel = "_$!<Anniversary>!$_"

// survey looks for what one property must know of the others.
func (v *converter) survey() {
	if k, fn := v.card.Prop("X-ADDRESSBOOKSERVER-KIND"), v.card.Prop("FN"); k != nil && fn != nil &&
		strings.EqualFold(strings.TrimSpace(k.Value), "group") {
		v.groupName = strings.TrimRight(ical.Unescape(fn.Value), "; \t")
	}
	var adrs, labels, dates, prefs, relatives bool
	for i := range v.card.Properties {
		p := &v.card.Properties[i]
		switch p.Name {
		case "FN":
			v.hasFN = true
		case "N":
			v.hasN = v.hasN || v.to == vCard3 || !v.isEmpty(p)
			if p.Param("SORT-AS") != nil {
				v.sortAs = true
			}
		case "KIND":
			if v.kindDone {
				break
			}
			v.kind, v.kindDone = strings.ToLower(strings.TrimSpace(p.Value)), true
		case "X-ADDRESSBOOKSERVER-KIND":
			if !v.kindDone && v.kind == "" {
				v.kind = strings.ToLower(strings.TrimSpace(p.Value))
			}
		case "X-ABSHOWAS":
			v.showAs = true
		case "ANNIVERSARY":
			v.anniversary = true
		case "SORT-STRING":
			v.sortString = strings.TrimSpace(ical.Unescape(p.Decoded()))
		case "ADR":
			adrs = true
		case "LABEL":
			labels = true
		case "X-ABDATE":
			dates = true
		case "X-ABRELATEDNAMES":
			relatives = true
		case "RELATED":
			relatives = relatives || upperParam(p, "VALUE") == "TEXT"
		}
		prefs = prefs || p.Param("PREF") != nil
	}
	if prefs && v.to == vCard3 {
		v.best = map[string]int{}
		for i := range v.card.Properties {
			p := &v.card.Properties[i]
			if n, ok := pref(p); ok && (v.best[p.Name] == 0 || n < v.best[p.Name]) {
				v.best[p.Name] = n
			}
		}
	}
	if labels && v.to == vCard4 {
		v.pairLabels(adrs)
	}
	if relatives {
		v.abLabels = map[string]string{}
		for i := range v.card.Properties {
			if p := &v.card.Properties[i]; p.Name == "X-ABLABEL" && p.Group != "" {
				v.abLabels[strings.ToLower(p.Group)] = strings.TrimSpace(ical.Unescape(p.Value))
			}
		}
	}
	if dates && v.to == vCard4 || (v.anniversary || relatives) && v.to == vCard3 {
		v.groups = map[string]dateTag{}
		for i := range v.card.Properties {
			p := &v.card.Properties[i]
			if p.Group == "" {
				continue
			}
			g := strings.ToLower(p.Group)
			t := v.groups[g]
			if p.Name != "X-ABLABEL" {
				t.others++
			} else if strings.EqualFold(strings.TrimSpace(p.Value), anniversaryLabel) {
				t.label = true
			} else {
				t.others++ // another label keeps the group from being one for an anniversary
			}
			v.groups[g] = t
		}
	}
	if !v.anniversary && v.to == vCard4 {
		v.becomes = slices.IndexFunc(v.card.Properties, func(p ical.Property) bool {
			return p.Name == "X-ANNIVERSARY" || p.Name == "X-EVOLUTION-ANNIVERSARY" ||
				p.Name == "X-ABDATE" && p.Group != "" && v.groups[strings.ToLower(p.Group)].label
		})
	}
}

// isEmpty reports whether an N is only there because vCard 3.0 demands one: it
// has no text, or a group's name.
func (v *converter) isEmpty(n *ical.Property) bool {
	text := strings.TrimRight(n.Value, "; \t")
	return strings.Trim(text, ";") == "" || v.groupName != "" && ical.Unescape(text) == v.groupName
}

// pairLabels finds for each LABEL the ADR that it is the label of: the one right
// before it, or else the first one left with the same group and types.
func (v *converter) pairLabels(adrs bool) {
	v.labels, v.labelled = map[int]string{}, map[int]bool{}
	if !adrs {
		return
	}
	key := func(p *ical.Property) string {
		e := edit{Property: *p}
		var types []string
		for _, t := range e.types() {
			if t = strings.ToLower(t); !addressType(t) && t != "pref" {
				types = append(types, t)
			}
		}
		slices.Sort(types)
		return strings.ToLower(p.Group) + "." + strings.Join(types, ",")
	}
	free := map[string][]int{}
	props := v.card.Properties
	for i := range props {
		if props[i].Name == "ADR" && props[i].Param("LABEL") == nil {
			if k := key(&props[i]); i+1 < len(props) && props[i+1].Name == "LABEL" && key(&props[i+1]) == k {
				v.label(i, i+1)
			} else {
				free[k] = append(free[k], i)
			}
		}
	}
	for i := range props {
		if props[i].Name == "LABEL" && !v.labelled[i] {
			if k := key(&props[i]); len(free[k]) > 0 {
				v.label(free[k][0], i)
				free[k] = free[k][1:]
			}
		}
	}
}

// label notes that one property is the LABEL of another.
func (v *converter) label(adr, label int) {
	e := edit{Property: v.card.Properties[label]}
	if v.decode(&e) == nil {
		v.labels[adr], v.labelled[label] = ical.Unescape(e.Value), true
	}
}

// add writes a property that did not come from the source.
func (v *converter) add(p ical.Property) {
	p.Start, p.End = 0, 0
	v.out = append(v.out, p)
}

// put writes a property: from the source, if it has not changed, or if what it
// has become cannot be written.
func (v *converter) put(e *edit) {
	if !e.changed {
		v.out = append(v.out, e.Property)
		return
	}
	n := 0
	for i := range e.Params {
		n += max(1, len(e.Params[i].Values))
		if !isToken(e.Params[i].Name) {
			// What was taken for a parameter, though it cannot be one, would
			// make the line unreadable.
			e.own()
			e.Params = slices.DeleteFunc(e.Params, func(m ical.Param) bool { return !isToken(m.Name) })
			break
		}
	}
	if n > ical.MaxParams || len(e.Value) > ical.MaxLine-maxHead {
		v.out = append(v.out, *e.source)
		return
	}
	v.add(e.Property)
	// With this word before the colon, an equals sign at the end would be read
	// as a soft line break (vCard 2.1, 2.1.3), and swallow the next line.
	if p := &v.out[len(v.out)-1]; strings.HasSuffix(p.Value, "=") && len(p.Params) > 0 &&
		strings.Contains(strings.ToUpper(string(p.AppendHead(nil))), "QUOTED-PRINTABLE") {
		p.Value += " "
	}
}

// maxHead is room for the name and the parameters of a long line, in bytes.
const maxHead = 1 << 20

// names writes the FN and N that must be there and are not (RFC 6350, 6.2.1;
// RFC 2426, 3.1.1 and 3.1.2).
func (v *converter) names() {
	if v.hasFN && (v.hasN || v.to == vCard4) {
		return
	}
	text := func(name string) string {
		p := v.card.Prop(name)
		if p == nil {
			return ""
		}
		e := edit{Property: *p}
		if v.decode(&e) != nil {
			return ""
		}
		return e.Value
	}
	fn := text("FN")
	if !v.hasFN {
		var parts []string
		for p := range ical.Split(text("N"), ';') {
			parts = append(parts, strings.TrimSpace(strings.Join(slices.Collect(ical.Split(p, ',')), " ")))
		}
		// Prefix, given, additional, family, suffix.
		for _, i := range []int{3, 1, 2, 0, 4} {
			if i < len(parts) && parts[i] != "" {
				fn = strings.TrimSpace(fn + " " + parts[i])
			}
		}
		for _, name := range []string{"ORG", "NICKNAME", "EMAIL", "TEL"} {
			if fn == "" {
				for p := range ical.Split(strings.Join(slices.Collect(ical.Split(text(name), ',')), ";"), ';') {
					if fn = strings.TrimSpace(p); fn != "" {
						break
					}
				}
			}
		}
		v.add(ical.Property{Name: "FN", Value: fn})
	}
	if !v.hasN && v.to == vCard3 {
		n := ";;;;"
		if v.kind == "group" {
			// Apple's groups have their name here; a person's name is not
			// to be guessed from how it is written.
			n = string(ical.AppendEscaped(nil, ical.Unescape(fn))) + n
		}
		v.add(ical.Property{Name: "N", Value: n})
	}
}

// decode undoes what only vCard 2.1 has: quoted-printable, character sets,
// parameters without names, texts that are not escaped. Cards of other versions
// have some of it too.
func (v *converter) decode(e *edit) error {
	encoding, charset := upperParam(&e.Property, "ENCODING"), upperParam(&e.Property, "CHARSET")
	old := v.from == vCard21
	if !old && encoding != "QUOTED-PRINTABLE" && charset == "" {
		return nil
	}
	value, ok := e.Value, true
	if e.Name != "UID" { // which is taken as it is written, see Card.UID
		value, ok = decodeCharset(e.Decoded(), charset)
	}
	if !ok {
		return fmt.Errorf("%w: line %d: character set %q", ErrConversion, e.Line, clip(charset))
	}
	if charset != "" {
		e.drop("CHARSET")
	}
	switch encoding {
	case "QUOTED-PRINTABLE", "8BIT", "7BIT":
		e.drop("ENCODING")
	}
	if old {
		if len(e.Params) > 0 {
			e.setTypes(e.types()) // names the bare ones
			e.changed = true
		}
		switch upperParam(&e.Property, "VALUE") {
		case "URL":
			e.set("VALUE", "uri")
		case "CID", "CONTENT-ID":
			e.set("VALUE", "uri")
			if !isURI(value) {
				value = "cid:" + strings.Trim(value, "<> ")
			}
		case "INLINE":
			e.drop("VALUE")
		}
		if encoding == "BASE64" || encoding == "B" {
			e.set("ENCODING", "b")
			value = noBlanks(value)
		} else if e.Name == "AGENT" && strings.TrimSpace(value) == "" {
			if sub := v.componentAt(e.End); sub != nil {
				value = string(ical.AppendEscaped(nil, string(v.source[sub.Start:sub.End])))
				v.agents = append(v.agents, sub)
			}
		} else if z, ok := parseOffset(strings.TrimSpace(value)); ok && e.Name == "TZ" {
			value = z[:3] + ":" + z[3:]
		} else {
			value = escape21(e.Name, value)
		}
	}
	e.setValue(escapeBreaks(value))
	return nil
}

// componentAt returns the component that begins there, but for an empty line or
// two: what stands in vCard 2.1 where the value of an AGENT belongs.
func (v *converter) componentAt(pos int) *ical.Component {
	i, _ := slices.BinarySearchFunc(v.card.Components, pos, func(c *ical.Component, pos int) int { return c.Start - pos })
	if i == len(v.card.Components) {
		return nil
	}
	sub := v.card.Components[i]
	if gap := sub.Start - pos; gap > 8 || strings.Trim(string(v.source[pos:sub.Start]), "\r\n") != "" {
		return nil
	}
	return sub
}

// inner returns the components within the card that no AGENT took over.
func (v *converter) inner() []*ical.Component {
	if len(v.agents) == 0 {
		return v.card.Components
	}
	var rest []*ical.Component
	i := 0
	for _, sub := range v.card.Components {
		if i < len(v.agents) && v.agents[i] == sub {
			i++
		} else {
			rest = append(rest, sub)
		}
	}
	return rest
}

// to4 writes a property of vCard 3.0 in 4.0. i is its index in the source.
func (v *converter) to4(i int, e *edit) {
	switch e.Name {
	case "PROFILE", "NAME": // RFC 6350, A.2
		return
	case "CLASS", "MAILER": // RFC 6350, A.2
		e.rename("X-" + e.Name)
		v.put(e)
		return
	case "SOURCE", "URL", "IMPP", "FBURL", "CALURI", "CALADRURI":
		e.drop("CONTEXT") // RFC 6350, A.2
		e.uri4()
	case "N":
		if !v.hasN {
			return
		}
		if v.sortString != "" && !v.sortAs {
			e.set("SORT-AS", ical.EncodeParam(v.sortString))
			v.sortAs = true
		}
		e.pad(5)
	case "SORT-STRING":
		if v.hasN {
			return
		}
		e.rename("X-SORT-STRING")
	case "ADR":
		if s, ok := v.labels[i]; ok {
			e.set("LABEL", labelParam(s))
		}
		e.pad(7)
		e.dropTypes(addressType)
	case "LABEL":
		if v.labelled[i] {
			return
		}
		// No address goes with it: one of which nothing but the label is known.
		label := labelParam(ical.Unescape(e.Value))
		e.rename("ADR")
		e.set("LABEL", label)
		e.setValue(";;;;;;")
		e.dropTypes(addressType)
	case "EMAIL":
		e.dropTypes(func(t string) bool { return strings.EqualFold(t, "internet") })
	case "TEL":
		// RFC 6350, 6.4.1, would rather have a tel: URI. But a number that
		// somebody typed need not be one, and text is the default.
		if upperParam(&e.Property, "VALUE") == "PHONE-NUMBER" {
			e.drop("VALUE")
		}
	case "BDAY", "ANNIVERSARY":
		e.date4()
	case "X-ABDATE", "X-ANNIVERSARY", "X-EVOLUTION-ANNIVERSARY":
		if i != v.becomes {
			v.put(e)
			return
		}
		e.rename("ANNIVERSARY")
		e.drop("TYPE")
		e.date4()
	case "X-ABLABEL":
		// The label of the X-ABDATE that has become ANNIVERSARY.
		if v.becomes >= 0 && e.Group != "" && strings.EqualFold(v.card.Properties[v.becomes].Group, e.Group) {
			if t := v.groups[strings.ToLower(e.Group)]; t.label && t.others == 1 {
				return
			}
		}
		v.put(e)
		return
	case "REV":
		e.rev4()
	case "PHOTO", "LOGO", "SOUND", "KEY":
		e.media4()
	case "GEO":
		e.geo4()
	case "TZ":
		e.tz4()
	case "UID":
		if e.Param("VALUE") == nil && !isURI(e.Value) && strings.TrimSpace(e.Value) != "" {
			e.set("VALUE", "text")
		}
	case "AGENT":
		e.agent4()
	case "X-ABRELATEDNAMES":
		e.rename("RELATED")
		e.set("VALUE", "text")
		if t := relation(v.abLabels[strings.ToLower(e.Group)]); t != "" && e.Group != "" {
			e.setTypes(append(e.types(), t))
		}
	case "X-ADDRESSBOOKSERVER-KIND":
		if v.kindDone || v.kind == "" {
			return
		}
		v.kindDone = true
		e.rename("KIND")
	case "X-ABSHOWAS":
		if v.kind == "" && strings.EqualFold(strings.TrimSpace(e.Value), "COMPANY") {
			v.kind, v.kindDone = "org", true
			e.rename("KIND")
			e.setValue("org")
		}
		v.put(e)
		return
	case "X-ADDRESSBOOKSERVER-MEMBER":
		if v.kind != "group" { // RFC 6350, 6.6.5
			v.put(e)
			return
		}
		e.rename("MEMBER")
	}
	if isKnown(e.Name) && e.Param("TYPE") != nil {
		types := e.types()
		n := len(types)
		types = slices.DeleteFunc(types, func(t string) bool { return strings.EqualFold(t, "pref") })
		e.setTypes(types)
		e.changed = true
		if len(types) < n && e.Param("PREF") == nil {
			e.set("PREF", "1")
		}
	}
	v.put(e)
}

// to3 writes a property of vCard 4.0, or 2.1, in 3.0.
func (v *converter) to3(e *edit) {
	name := e.Name
	switch e.Name {
	case "BDAY":
		e.date3()
	case "REV":
		e.rev3()
	case "GEO":
		e.geo3()
	}
	if v.from == vCard21 {
		v.put(e)
		return
	}
	switch e.Name {
	case "X-CLASS", "X-MAILER", "X-SORT-STRING":
		e.rename(e.Name[2:])
	case "UID":
		e.drop("VALUE")
	case "TEL":
		e.tel3()
	case "TZ":
		e.tz3()
	case "PHOTO", "LOGO", "SOUND", "KEY":
		e.media3()
	case "KIND":
		switch strings.ToLower(strings.TrimSpace(e.Value)) {
		case "individual":
			return
		case "org":
			if v.showAs {
				return
			}
			e.rename("X-ABShowAs")
			e.setValue("COMPANY")
		default:
			e.rename("X-ADDRESSBOOKSERVER-KIND")
		}
		v.put(e)
		return
	case "MEMBER":
		e.rename("X-ADDRESSBOOKSERVER-MEMBER")
	case "RELATED":
		e.agent3()
	}
	label := ""
	if e.Name == "RELATED" && upperParam(&e.Property, "VALUE") == "TEXT" {
		label = v.relative3(e)
	}
	if n, ok := pref(&e.Property); ok && isKnown(name) && n == v.best[name] {
		e.drop("PREF")
		e.setTypes(append(slices.DeleteFunc(e.types(), func(t string) bool { return strings.EqualFold(t, "pref") }), "pref"))
	} else if isKnown(name) && e.Param("TYPE") != nil {
		e.setTypes(e.types()) // no quotes about a list of them
		e.changed = true
	}
	switch e.Name {
	case "N":
		v.sort3(e)
	case "ADR":
		v.address3(e)
	case "ANNIVERSARY":
		v.anniversary3(e)
	default:
		v.put(e)
	}
	if label != "" {
		v.add(ical.Property{Group: e.Group, Name: "X-ABLabel", Value: string(ical.AppendEscaped(nil, label))})
	}
}

// relations are the types of RELATED (RFC 6350, 6.6.6) for which Apple has labels,
// the first of which stands for the type where a card has none.
const relations = "parent:Parent,Father,Mother child:Child,Son,Daughter sibling:Sibling,Brother,Sister " +
	"spouse:Spouse,Wife,Husband friend:Friend"

// relation is the type of RELATED that an X-ABLabel says: one of Apple's, or the
// type itself; "" if it says something else.
func relation(label string) string {
	word, apple := strings.CutPrefix(label, "_$!<")
	word, end := strings.CutSuffix(word, ">!$_")
	if apple != end {
		return ""
	}
	for r := range strings.FieldsSeq(relations) {
		typ, words, _ := strings.Cut(r, ":")
		for w := range strings.SplitSeq(words, ",") {
			if apple && strings.EqualFold(w, word) {
				return typ
			}
		}
	}
	switch word = strings.ToLower(word); word {
	case "contact", "acquaintance", "friend", "met", "co-worker", "colleague", "co-resident", "neighbor", "child",
		"parent", "sibling", "spouse", "kin", "muse", "crush", "date", "sweetheart", "me", "emergency":
		if !apple {
			return word
		}
	}
	return ""
}

// relationLabel is the inverse.
func relationLabel(typ string) string {
	for r := range strings.FieldsSeq(relations) {
		if t, words, _ := strings.Cut(r, ":"); strings.EqualFold(t, typ) {
			first, _, _ := strings.Cut(words, ",")
			return "_$!<" + first + ">!$_"
		}
	}
	return strings.ToLower(typ)
}

// relative3 writes a name of RELATED as Apple does, and returns the label that it
// needs, if any. A relation of several types stays: there is one label to a group.
func (v *converter) relative3(e *edit) (label string) {
	g := strings.ToLower(e.Group)
	has, labelled := v.abLabels[g]
	labelled = labelled && e.Group != ""
	isRelation := func(t string) bool { return relation(relationLabel(t)) != "" }
	switch types := e.types(); {
	case !slices.ContainsFunc(types, isRelation):
	case len(types) == 1 && labelled && strings.EqualFold(relation(has), types[0]):
	case len(types) == 1 && !labelled:
		label = relationLabel(types[0])
		if e.Group == "" || v.groups[g].others != 1 {
			v.ownGroup(e)
		}
	default:
		return ""
	}
	e.rename("X-ABRELATEDNAMES")
	e.drop("VALUE")
	e.dropTypes(isRelation)
	return label
}

// ownGroup gives a property a group that no other is in.
func (v *converter) ownGroup(e *edit) {
	for used := true; used; _, used = v.groups[e.Group] {
		v.items++
		e.Group = "item" + strconv.Itoa(v.items)
	}
	e.changed = true
}

// sort3 writes N, and SORT-STRING for its SORT-AS (RFC 6350, 5.9; RFC 2426,
// 3.6.5), which stays where it says more.
func (v *converter) sort3(e *edit) {
	m := e.Param("SORT-AS")
	if m == nil || len(m.Values) == 0 || v.sortString != "" {
		v.put(e)
		return
	}
	first, _, more := strings.Cut(m.Text(0), ",")
	if !more && len(m.Values) == 1 {
		e.drop("SORT-AS")
	}
	v.put(e)
	if first = strings.TrimSpace(first); first != "" {
		v.sortString = first
		v.add(ical.Property{Group: e.Group, Name: "SORT-STRING", Value: string(ical.AppendEscaped(nil, first))})
	}
}

// address3 writes ADR, and LABEL for its parameter (RFC 6350, 6.3.1; RFC 2426,
// 3.2.2).
func (v *converter) address3(e *edit) {
	m := e.Param("LABEL")
	if m == nil || len(m.Values) == 0 {
		v.put(e)
		return
	}
	text := ical.Unescape(ical.DecodeParam(strings.Join(m.Values, ",")))
	e.drop("LABEL")
	if strings.Trim(e.Value, "; ") != "" {
		v.put(e)
	}
	var types []ical.Param
	if t := e.Param("TYPE"); t != nil {
		types = []ical.Param{*t}
	}
	v.add(ical.Property{Group: e.Group, Name: "LABEL", Params: types, Value: string(ical.AppendEscaped(nil, text))})
}

// anniversary3 writes ANNIVERSARY as Apple does.
func (v *converter) anniversary3(e *edit) {
	e.rename("X-ABDATE")
	e.date3()
	// The label is the whole group's: it needs one to itself.
	t := v.groups[strings.ToLower(e.Group)]
	if e.Group == "" || t.others != 1 {
		t = dateTag{}
		v.ownGroup(e)
	}
	v.put(e)
	if !t.label {
		v.add(ical.Property{Group: e.Group, Name: "X-ABLabel", Value: anniversaryLabel})
	}
}

// edit is a property that is being changed. The tree it comes from stays as it is.
type edit struct {
	ical.Property
	source  *ical.Property // as it was
	changed bool
	owned   bool // Params is a copy
}

func (e *edit) own() {
	if !e.owned {
		e.Params, e.owned = slices.Clone(e.Params), true
	}
	e.changed = true
}

func (e *edit) rename(name string) {
	e.Name, e.changed = name, true
}

func (e *edit) setValue(s string) {
	if s != e.Value {
		e.Value, e.changed = s, true
	}
}

// drop removes all parameters with this name.
func (e *edit) drop(name string) {
	if e.Param(name) != nil {
		e.own()
		e.Params = slices.DeleteFunc(e.Params, func(m ical.Param) bool { return m.Name == name })
	}
}

// set makes value the one value of a parameter, where the parameter stands or
// behind the others.
func (e *edit) set(name string, values ...string) {
	e.own()
	i := slices.IndexFunc(e.Params, func(m ical.Param) bool { return m.Name == name })
	if i < 0 {
		e.Params = append(e.Params, ical.Param{Name: name, Values: values})
		return
	}
	e.Params[i].Values = values
	rest := slices.DeleteFunc(e.Params[i+1:], func(m ical.Param) bool { return m.Name == name })
	e.Params = e.Params[:i+1+len(rest)]
}

// types returns the values of all parameters TYPE, also those which are a list
// within quotes (RFC 6350, 6.4.1).
func (e *edit) types() []string {
	var types []string
	for i := range e.Params {
		if e.Params[i].Name == "TYPE" {
			for _, list := range e.Params[i].Values {
				for t := range strings.SplitSeq(list, ",") {
					if t = strings.TrimSpace(t); t != "" {
						types = append(types, t)
					}
				}
			}
		}
	}
	return types
}

func (e *edit) setTypes(types []string) {
	if len(types) > 0 {
		e.set("TYPE", types...)
	} else {
		e.drop("TYPE")
	}
}

func (e *edit) dropTypes(unwanted func(string) bool) {
	if types := e.types(); slices.ContainsFunc(types, unwanted) {
		e.setTypes(slices.DeleteFunc(types, unwanted))
	}
}

// pad gives a structured value the components that vCard 4.0 demands.
func (e *edit) pad(n int) {
	have := 0
	for range ical.Split(e.Value, ';') {
		have++
	}
	if have < n {
		e.setValue(e.Value + strings.Repeat(";", n-have))
	}
}

// date4 makes a date of vCard 3.0 one of 4.0 (RFC 6350, 6.2.5 and 4.3.4).
func (e *edit) date4() {
	if upperParam(&e.Property, "VALUE") == "TEXT" {
		return
	}
	d, ok := parseDateTime(e.Value)
	if !ok {
		// A time without a date has no meaning here, but a place in 4.0.
		if t := strings.TrimSpace(e.Value); t != "" && (t[0] != 'T' || strings.Trim(t, "T0123456789+-Z") != "") {
			e.set("VALUE", "text")
		}
		return
	}
	if m := e.Param("X-APPLE-OMIT-YEAR"); m != nil {
		if len(m.Values) > 0 && strings.TrimSpace(m.Values[0]) == d.year && d.month != "" {
			d.year = ""
		}
		e.drop("X-APPLE-OMIT-YEAR")
	}
	e.drop("VALUE")
	e.setValue(d.basic())
}

// date3 makes a date of vCard 4.0 one of 3.0 (RFC 2426, 3.1.5). One that is not
// whole stays: 3.0 has no place for it.
func (e *edit) date3() {
	if upperParam(&e.Property, "VALUE") == "TEXT" {
		return
	}
	e.drop("VALUE")
	d, ok := parseDateTime(e.Value)
	if !ok || d.month == "" || d.day == "" {
		return
	}
	if d.year == "" {
		d.year = omittedYear
		e.set("X-APPLE-OMIT-YEAR", omittedYear)
	}
	if d.hour != "" {
		e.set("VALUE", "date-time")
	}
	e.setValue(d.extended())
}

// omittedYear is what Apple writes for no year: a leap year, so that there is a
// 29 February in it, in front of all others.
const omittedYear = "1604"

// rev4 is RFC 6350, 6.7.4: a date and time, complete.
func (e *edit) rev4() {
	e.drop("VALUE")
	d, ok := parseDateTime(e.Value)
	if !ok || d.year == "" || d.month == "" || d.day == "" {
		return
	}
	if d.hour == "" {
		d.hour, d.zone = "00", "Z"
	}
	d.complete()
	e.setValue(d.basic())
}

// rev3 is RFC 2426, 3.6.4: a date and time, or a date.
func (e *edit) rev3() {
	e.drop("VALUE")
	d, ok := parseDateTime(e.Value)
	if !ok || d.year == "" || d.month == "" || d.day == "" {
		return
	}
	if d.hour == "" {
		e.set("VALUE", "date")
	}
	e.setValue(d.extended())
}

// uri4 takes the escapes of a text, as Apple has them, out of a URI (RFC 6350, 4.2).
func (e *edit) uri4() {
	if strings.IndexByte(e.Value, '\\') >= 0 {
		if s := ical.Unescape(e.Value); isURI(s) && !strings.ContainsAny(s, "\n\\") {
			e.setValue(s)
		}
	}
}

// media4 makes a data: URI of what stands in the line (RFC 6350, 6.2.4).
func (e *edit) media4() {
	value, encoding := upperParam(&e.Property, "VALUE"), upperParam(&e.Property, "ENCODING")
	if value != "TEXT" {
		e.uri4()
	}
	inline := encoding == "B" || encoding == "BASE64" || value == "BINARY" || value == "" && len(e.Value) >= 64 && isBase64(e.Value)
	switch {
	case value == "TEXT" || strings.TrimSpace(e.Value) == "":
		e.drop("ENCODING")
	case isURI(e.Value):
		e.drop("ENCODING")
		e.drop("VALUE")
		if typ, rest := e.mediaType(); typ != "" && e.Param("MEDIATYPE") == nil {
			e.setTypes(rest)
			if !hasPrefixFold(strings.TrimSpace(e.Value), "data:") { // which says it itself
				e.set("MEDIATYPE", typ)
			}
		}
	case inline:
		data := noBlanks(e.Value)
		typ, rest := e.mediaType()
		e.drop("ENCODING")
		e.drop("VALUE")
		e.setTypes(rest)
		if typ == "" {
			typ = sniff(data)
		}
		e.setValue("data:" + typ + ";base64," + data)
	default:
		e.set("VALUE", "text")
	}
}

// mediaType returns the media type that TYPE gives, or "", and the types that
// are something else.
func (e *edit) mediaType() (typ string, rest []string) {
	for _, t := range e.types() {
		if typ == "" {
			if typ = mediaType(e.Name, t); typ != "" {
				continue
			}
		}
		rest = append(rest, t)
	}
	return typ, rest
}

// media3 makes ENCODING=b of a data: URI (RFC 2426, 3.1.4).
func (e *edit) media3() {
	switch {
	case upperParam(&e.Property, "VALUE") == "TEXT" || !isURI(e.Value):
	case hasPrefixFold(e.Value, "data:"):
		typ, data, ok := cutData(e.Value)
		if !ok {
			e.set("VALUE", "uri")
			return
		}
		types := e.types()
		e.drop("VALUE")
		e.drop("MEDIATYPE")
		e.drop("TYPE")
		e.set("ENCODING", "b")
		t := mediaName(e.Name, typ)
		if t == "" {
			t = mediaName(e.Name, sniff(data))
		}
		if t != "" {
			types = append([]string{t}, types...)
		}
		e.setTypes(types)
		e.setValue(data)
	default:
		e.set("VALUE", "uri")
		if m := e.Param("MEDIATYPE"); m != nil && len(m.Values) > 0 {
			if t := mediaName(e.Name, m.Text(0)); t != "" {
				types := append([]string{t}, e.types()...)
				e.drop("MEDIATYPE")
				e.setTypes(types)
			}
		}
	}
}

// geo4 is RFC 6350, 6.5.2: a geo: URI (RFC 5870).
func (e *edit) geo4() {
	lat, lon, ok := strings.Cut(ical.Unescape(e.Value), ";")
	if !ok {
		lat, lon, ok = strings.Cut(lat, ",")
	}
	if lat, lon = strings.TrimSpace(lat), strings.TrimSpace(lon); ok && isFloat(lat) && isFloat(lon) {
		e.drop("VALUE")
		e.setValue("geo:" + strings.TrimPrefix(lat, "+") + "," + strings.TrimPrefix(lon, "+"))
	}
}

// geo3 is RFC 2426, 3.4.2: latitude and longitude.
func (e *edit) geo3() {
	v := ical.Unescape(e.Value)
	if hasPrefixFold(v, "geo:") {
		v, _, _ = strings.Cut(v[len("geo:"):], ";")
	} else if isURI(v) {
		e.set("VALUE", "uri")
		return
	}
	lat, lon, ok := strings.Cut(v, ",")
	lon, _, _ = strings.Cut(lon, ",")
	if lat, lon = strings.TrimSpace(lat), strings.TrimSpace(lon); ok && isFloat(lat) && isFloat(lon) {
		e.drop("VALUE")
		e.setValue(lat + ";" + lon)
	}
}

// tz4 is RFC 6350, 6.5.1: text by default.
func (e *edit) tz4() {
	switch value := upperParam(&e.Property, "VALUE"); {
	case value == "TEXT":
		e.drop("VALUE")
	case value == "URI":
	default:
		e.drop("VALUE")
		if z, ok := parseOffset(strings.TrimSpace(e.Value)); ok {
			e.set("VALUE", "utc-offset")
			e.setValue(z)
		}
	}
}

// tz3 is RFC 2426, 3.4.1: an offset by default.
func (e *edit) tz3() {
	switch upperParam(&e.Property, "VALUE") {
	case "URI":
	case "UTC-OFFSET":
		if z, ok := parseOffset(strings.TrimSpace(e.Value)); ok {
			e.drop("VALUE")
			e.setValue(z[:3] + ":" + z[3:])
		}
	default:
		if strings.TrimSpace(e.Value) != "" {
			e.set("VALUE", "text")
		}
	}
}

// tel3 makes a number of a tel: URI (RFC 3966) that says no more than one; the
// word for an extension is that of ITU-T E.123.
func (e *edit) tel3() {
	if !hasPrefixFold(e.Value, "tel:") {
		return
	}
	number, params, _ := strings.Cut(ical.Unescape(e.Value)[len("tel:"):], ";")
	if params != "" {
		ext, ok := strings.CutPrefix(strings.ToLower(params), "ext=")
		if !ok || strings.Contains(ext, ";") {
			return
		}
		number += " ext. " + ext
	}
	e.drop("VALUE")
	e.drop("MEDIATYPE")
	e.setValue(string(ical.AppendEscaped(nil, number)))
}

// agentData is how a data: URI begins that holds an AGENT's vCard.
const agentData = "data:text/vcard;base64,"

// agent4 makes AGENT (RFC 2426, 3.5.4) a RELATED (RFC 6350, 6.6.6 and A.2).
func (e *edit) agent4() {
	value := upperParam(&e.Property, "VALUE")
	e.rename("RELATED")
	e.drop("VALUE")
	switch text := ical.Unescape(e.Value); {
	case value == "URI":
	case value != "TEXT" && hasPrefixFold(strings.TrimSpace(text), "BEGIN:VCARD"):
		e.setValue(agentData + base64.StdEncoding.EncodeToString([]byte(text)))
	default:
		e.set("VALUE", "text")
	}
	e.setTypes(append(e.types(), "agent"))
}

// agent3 is the inverse.
func (e *edit) agent3() {
	types := e.types()
	if i := slices.IndexFunc(types, func(t string) bool { return strings.EqualFold(t, "agent") }); i < 0 {
		return
	} else if types = slices.Delete(types, i, i+1); len(types) > 0 {
		return // more than an agent
	}
	if data, ok := strings.CutPrefix(e.Value, agentData); ok {
		if text, err := base64.StdEncoding.DecodeString(data); err == nil && validUTF8(text) {
			e.rename("AGENT")
			e.drop("TYPE")
			e.drop("VALUE")
			e.setValue(string(ical.AppendEscaped(nil, string(text))))
			return
		}
	}
	e.rename("AGENT")
	e.drop("TYPE")
	if upperParam(&e.Property, "VALUE") != "TEXT" {
		e.set("VALUE", "uri")
	}
}

// pref returns the value of PREF, if it is one (RFC 6350, 5.3).
func pref(p *ical.Property) (int, bool) {
	m := p.Param("PREF")
	if m == nil || len(m.Values) != 1 {
		return 0, false
	}
	n, err := strconv.Atoi(m.Values[0])
	return n, err == nil && 1 <= n && n <= 100
}

// upperParam returns the first value of a parameter in upper case, or "".
func upperParam(p *ical.Property, name string) string {
	if m := p.Param(name); m != nil && len(m.Values) > 0 {
		return strings.ToUpper(strings.TrimSpace(m.Values[0]))
	}
	return ""
}

// addressType reports whether a type of ADR is one that vCard 4.0 has no more
// (RFC 6350, A.2).
func addressType(t string) bool {
	switch strings.ToLower(t) {
	case "dom", "intl", "postal", "parcel":
		return true
	}
	return false
}

// isKnown reports whether a property is one whose TYPE and PREF this package
// understands: those of RFC 2426, RFC 6350, RFC 4770, RFC 2739.
func isKnown(name string) bool {
	switch name {
	case "ADR", "AGENT", "CALADRURI", "CALURI", "CAPURI", "CATEGORIES", "EMAIL", "FBURL", "FN", "GEO", "IMPP",
		"KEY", "LABEL", "LANG", "LOGO", "MEMBER", "NICKNAME", "NOTE", "ORG", "PHOTO", "RELATED", "ROLE",
		"SOUND", "SOURCE", "TEL", "TITLE", "TZ", "URL":
		return true
	}
	return false
}
