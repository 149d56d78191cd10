package object

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"reflect"
	"strings"
	"testing"

	"inetdav/store/object/ical"
)

// readWithVobject reads cards, each after the other, and says what it has
// understood of each.
const readWithVobject = `
import base64, json, sys, vobject
out = []
for text in json.load(sys.stdin):
    c = vobject.readOne(text)
    n, a = c.n.value, c.adr.value
    one = lambda v: v if isinstance(v, str) else ",".join(v)
    out.append({
        "version": c.version.value, "uid": c.uid.value, "fn": c.fn.value, "note": c.note.value,
        "n": [one(x) for x in (n.family, n.given, n.additional, n.prefix, n.suffix)],
        "adr": [one(x) for x in (a.street, a.city, a.region, a.code, a.country)],
        "org": c.org.value, "categories": c.categories.value,
        "bday": c.bday.value, "rev": c.rev.value,
        "photo": base64.b64encode(c.photo.value).decode(),
        "tel": [[t.group, t.value, sorted(x.lower() for x in t.params.get("TYPE", []))] for t in c.contents["tel"]],
        "label": [l.value for l in c.contents["label"]],
    })
json.dump(out, sys.stdout)
`

// TestConvertVobject asks another reader of vCard 3.0, python-vobject, which
// Radicale uses, what it finds in cards that were 4.0, and in those that became 4.0
// and 3.0 again: every text, however awkward, is the same.
func TestConvertVobject(t *testing.T) {
	const python = "/usr/bin/python3"
	if err := exec.Command(python, "-c", "import vobject").Run(); err != nil {
		t.Skip("no python3-vobject (apt-get install python3-vobject): ", err)
	}
	r := rand.New(rand.NewPCG(6350, 2426))
	words := []string{"a", "Zoë", "und", ",", ";", ":", `\`, "\n", `"`, "^", "x=y", "日本", "http://x/?a=b", "%41", "<b>", "&", "'", "end"}
	text := func() string {
		var b strings.Builder
		for range 1 + r.IntN(12) {
			b.WriteString(words[r.IntN(len(words))])
			b.WriteByte(' ')
		}
		return strings.TrimSpace("t" + b.String() + "t")
	}
	esc := func(s string) string { return string(ical.AppendEscaped(nil, s)) }
	type card struct {
		Version, UID, FN, Note, Bday, Rev, Photo string
		N, Adr, Org, Categories, Label           []string
		Tel                                      [][]any
	}
	var texts []string
	var want []card
	for i := range 200 {
		w := card{Version: "3.0", UID: fmt.Sprint("urn:uuid:", i), FN: text(), Note: text(), Bday: "1996-04-15", Rev: "1995-10-31T22:27:10Z",
			N: []string{text(), text(), "", text(), ""}, Adr: []string{text(), text(), "", "12345", text()},
			Org: []string{text(), text()}, Categories: []string{"one", "two"}, Label: []string{text()},
			Photo: base64.StdEncoding.EncodeToString([]byte("\x89PNG\r\n\x1a\n" + text())),
			Tel:   [][]any{{"item1", "+1-555-0100", []any{"home", "pref"}}, {nil, "+1-555-0199 ext. 7", []any{"work"}}}}
		// a parameter has neither line breaks nor quotes of its own (RFC 6868)
		label := strings.NewReplacer("^", "^^", `"`, "^'", "\n", "^n", `\`, `\\`).Replace(w.Label[0])
		source := crlf("BEGIN:VCARD", "VERSION:4.0", "UID:"+w.UID, "FN:"+esc(w.FN), "NOTE:"+esc(w.Note),
			"N:"+esc(w.N[0])+";"+esc(w.N[1])+";;"+esc(w.N[3])+";",
			`ADR;LABEL="`+label+`":;;`+esc(w.Adr[0])+";"+esc(w.Adr[1])+";;12345;"+esc(w.Adr[4]),
			"ORG:"+esc(w.Org[0])+";"+esc(w.Org[1]), "CATEGORIES:one,two", "BDAY:19960415", "REV:19951031T222710Z",
			"PHOTO:data:image/png;base64,"+w.Photo,
			`item1.TEL;PREF=1;TYPE=home;VALUE=uri:tel:+1-555-0100`, `TEL;TYPE=work;VALUE=uri:tel:+1-555-0199;ext=7`, "END:VCARD")
		three := convertTo(t, source, "3.0")
		again := convertTo(t, convertTo(t, three, "4.0"), "3.0")
		texts = append(texts, string(three), string(again))
		want = append(want, w, w)
	}
	in, err := json.Marshal(texts)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, "-X", "utf8", "-c", readWithVobject)
	cmd.Stdin = strings.NewReader(string(in))
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	var got []card
	if err := json.Unmarshal(out, &got); err != nil || len(got) != len(want) {
		t.Fatal(len(got), err)
	}
	bad := 0
	for i := range want {
		if !reflect.DeepEqual(got[i], want[i]) {
			if bad++; bad <= 3 {
				t.Errorf("%s\nis read as\n%+v\nwant\n%+v", texts[i], got[i], want[i])
			}
		}
	}
	if bad > 3 {
		t.Errorf("and %d others", bad-3)
	}
}

func convertTo(t *testing.T, source []byte, version string) []byte {
	t.Helper()
	c, err := ParseCard(source)
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.Convert(nil, source, version)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
