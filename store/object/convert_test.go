package object

import (
	"bytes"
	"encoding/base64"
	"errors"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	govcard "github.com/emersion/go-vcard"

	"inetdav/store/object/ical"
)

// convert parses lines as a card and converts it. Lines are joined with CRLF.
func convert(t testing.TB, version string, lines ...string) (string, error) {
	t.Helper()
	source := crlf(lines...)
	c, err := ParseCard(source)
	if err != nil {
		t.Fatalf("%v\n%s", err, source)
	}
	out, err := c.Convert([]byte("x"), source, version)
	if err != nil {
		if string(out) != "x" {
			t.Errorf("on an error dst is %q", out)
		}
		return "", err
	}
	return string(out[1:]), nil
}

// unfolded are the lines of a card without the first two and the last.
func unfolded(t testing.TB, card, version string) []string {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(strings.ReplaceAll(card, "\r\n ", ""), "\r\n"), "\r\n")
	n := len(lines)
	if n < 3 || lines[0] != "BEGIN:VCARD" || lines[1] != "VERSION:"+version || lines[n-1] != "END:VCARD" {
		t.Fatalf("not a card of version %s:\n%s", version, card)
	}
	return lines[2 : n-1]
}

func body(lines string) []string {
	if lines == "" {
		return nil
	}
	return strings.Split(lines, "\n")
}

// Each case is what a card holds besides FN and N, before and after.
func TestConvertTo4(t *testing.T) {
	photo := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{0xff, 0xd8, 0xff}, 40))
	for _, c := range []struct{ section, from, to string }{
		{"RFC 6350, 5.3: TYPE=pref", "TEL;TYPE=home,pref:+1", "TEL;TYPE=home;PREF=1:+1"},
		{"RFC 6350, 5.3: Apple's", "TEL;type=HOME;type=VOICE;type=pref:+1", "TEL;TYPE=HOME,VOICE;PREF=1:+1"},
		{"RFC 6350, 5.3: only pref", "EMAIL;TYPE=PREF:a@b", "EMAIL;PREF=1:a@b"},
		{"RFC 6350, 5.3: both", "EMAIL;TYPE=pref;PREF=3:a@b", "EMAIL;PREF=3:a@b"},
		{"RFC 6350, 5.6: bare types", "TEL;HOME;CELL:+1", "TEL;TYPE=HOME,CELL:+1"},
		{"RFC 6350, 3.3: groups and labels", "item1.TEL:+1\nitem1.X-ABLabel:_$!<Other>!$_", "item1.TEL:+1\nitem1.X-ABLabel:_$!<Other>!$_"},
		{"RFC 6350, 6.10: unknown", "x-Foo;type=pref;x-Bar=1,2:a\\,b;c,d", "x-Foo;type=pref;x-Bar=1,2:a\\,b;c,d"},
		{"RFC 6350, 6.2.2: five components", "N:Public;John", "N:Public;John;;;"},
		{"RFC 6350, 6.2.2: empty", "N:;;;;", ""},
		{"RFC 6350, 6.2.4: PHOTO", "PHOTO;ENCODING=b;TYPE=JPEG:" + photo, "PHOTO:data:image/jpeg;base64," + photo},
		{"RFC 6350, 6.2.4: its type by its bytes", "PHOTO;ENCODING=b:" + photo, "PHOTO:data:image/jpeg;base64," + photo},
		{"RFC 6350, 6.2.4: a PNG", "PHOTO;ENCODING=B:iVBORw0KGgo=", "PHOTO:data:image/png;base64,iVBORw0KGgo="},
		{"RFC 6350, 6.2.4: other types and parameters", "PHOTO;X-CROP=\"a,b\";ENCODING=b;TYPE=gif,HOME:Zm9v", "PHOTO;X-CROP=\"a,b\";TYPE=HOME:data:image/gif;base64,Zm9v"},
		{"RFC 6350, 6.2.4: BASE64", "PHOTO;BASE64;JPG:Zm9v", "PHOTO:data:image/jpeg;base64,Zm9v"},
		{"RFC 6350, 6.2.4: said to be binary", "PHOTO;VALUE=binary:Zm9v", "PHOTO:data:application/octet-stream;base64,Zm9v"},
		{"RFC 6350, 6.2.4: not said", "PHOTO;TYPE=JPEG:" + photo, "PHOTO:data:image/jpeg;base64," + photo},
		{"RFC 6350, 6.2.4: a URI", "PHOTO;VALUE=uri;TYPE=GIF:http://x/y.gif", "PHOTO;MEDIATYPE=image/gif:http://x/y.gif"},
		{"RFC 6350, 6.2.4: a URI, not said", "PHOTO:http://x/y.gif", "PHOTO:http://x/y.gif"},
		{"RFC 6350, 6.2.4: a data: URI", "PHOTO;VALUE=uri;TYPE=GIF:data:image/gif;base64,Zm9v", "PHOTO:data:image/gif;base64,Zm9v"},
		{"RFC 6350, 6.2.4: a URI said to be base64", "PHOTO;ENCODING=b:https://x/y", "PHOTO:https://x/y"},
		{"RFC 6350, 6.2.4: empty", "PHOTO;ENCODING=b:", "PHOTO:"},
		{"RFC 6350, 6.6.3: LOGO", "LOGO;ENCODING=b;TYPE=PNG:Zm9v", "LOGO:data:image/png;base64,Zm9v"},
		{"RFC 6350, 6.7.5: SOUND", "SOUND;TYPE=BASIC;ENCODING=b:Zm9v", "SOUND:data:audio/basic;base64,Zm9v"},
		{"RFC 6350, 6.7.5: SOUND by reference", "SOUND;TYPE=BASIC;VALUE=uri:CID:a@b", "SOUND;MEDIATYPE=audio/basic:CID:a@b"},
		{"RFC 6350, 6.8.1: KEY", "KEY;TYPE=PGP;ENCODING=b:Zm9v", "KEY:data:application/pgp-keys;base64,Zm9v"},
		{"RFC 6350, 6.8.1: certificate", "KEY;TYPE=X509;ENCODING=b:Zm9v", "KEY:data:application/pkix-cert;base64,Zm9v"},
		{"RFC 6350, 6.8.1: text", "KEY;TYPE=PGP:-----BEGIN PGP PUBLIC KEY BLOCK-----\\n", "KEY;TYPE=PGP;VALUE=text:-----BEGIN PGP PUBLIC KEY BLOCK-----\\n"},
		{"RFC 6350, 6.2.5: date", "BDAY:1996-04-15", "BDAY:19960415"},
		{"RFC 6350, 6.2.5: VALUE", "BDAY;VALUE=date:1996-04-15", "BDAY:19960415"},
		{"RFC 6350, 6.2.5: basic already", "BDAY:19960415", "BDAY:19960415"},
		{"RFC 6350, 6.2.5: date-time", "BDAY;VALUE=date-time:1953-10-15T23:10:00Z", "BDAY:19531015T231000Z"},
		{"RFC 6350, 6.2.5: offset", "BDAY:1987-09-27T08:30:00.5-06:00", "BDAY:19870927T083000-0600"},
		{"RFC 6350, 6.2.5: Apple's year", "BDAY;X-APPLE-OMIT-YEAR=1604:1604-02-29", "BDAY:--0229"},
		{"RFC 6350, 6.2.5: another year", "BDAY;X-APPLE-OMIT-YEAR=1604:1605-02-28", "BDAY:16050228"},
		{"RFC 6350, 6.2.5: really 1604", "BDAY:1604-02-29", "BDAY:16040229"},
		{"RFC 6350, 6.2.5: no year", "BDAY:--02-29", "BDAY:--0229"},
		{"RFC 6350, 6.2.5: text", "BDAY:circa 1800", "BDAY;VALUE=text:circa 1800"},
		{"RFC 6350, 6.2.5: no date", "BDAY:1996-13-15", "BDAY;VALUE=text:1996-13-15"},
		{"RFC 6350, 6.2.6: Apple's", "item2.X-ABDATE;type=pref:2001-09-09\nitem2.X-ABLabel:_$!<Anniversary>!$_", "item2.ANNIVERSARY:20010909"},
		{"RFC 6350, 6.2.6: another date", "item2.X-ABDATE:2001-09-09\nitem2.X-ABLabel:_$!<Other>!$_", "item2.X-ABDATE:2001-09-09\nitem2.X-ABLabel:_$!<Other>!$_"},
		{"RFC 6350, 6.2.6: only one", "item1.X-ABDATE:2001-09-09\nitem1.X-ABLabel:_$!<Anniversary>!$_\nX-ANNIVERSARY:2001-09-09\nitem2.X-ABDATE:2002-09-09\nitem2.X-ABLabel:_$!<Anniversary>!$_",
			"item1.ANNIVERSARY:20010909\nX-ANNIVERSARY:2001-09-09\nitem2.X-ABDATE:2002-09-09\nitem2.X-ABLabel:_$!<Anniversary>!$_"},
		{"RFC 6350, 6.2.6: Evolution's", "X-EVOLUTION-ANNIVERSARY:2001-09-09", "ANNIVERSARY:20010909"},
		{"RFC 6350, 6.2.6: of 4.0 already", "ANNIVERSARY:2001-09-09\nX-ANNIVERSARY:2001-09-09", "ANNIVERSARY:20010909\nX-ANNIVERSARY:2001-09-09"},
		{"RFC 6350, 6.3.1: LABEL", "ADR;TYPE=home,postal:;;1 Main St;;;;\nLABEL;TYPE=home:1 Main St\\nB \\\\ \"C\" ^",
			"ADR;TYPE=home;LABEL=1 Main St\\nB \\\\ ^'C^' ^^:;;1 Main St;;;;"},
		{"RFC 6350, 6.3.1: the LABEL behind", "ADR:;;1;;;;\nADR:;;2;;;;\nLABEL:two\nLABEL:one", "ADR;LABEL=one:;;1;;;;\nADR;LABEL=two:;;2;;;;"},
		{"RFC 6350, 6.3.1: of other types", "ADR;TYPE=work:;;1;;;;\nLABEL;TYPE=home:x", "ADR;TYPE=work:;;1;;;;\nADR;TYPE=home;LABEL=x:;;;;;;"},
		{"RFC 6350, 6.3.1: groups", "a.ADR:;;1;;;;\nb.ADR:;;2;;;;\nb.LABEL:x", "a.ADR:;;1;;;;\nb.ADR;LABEL=x:;;2;;;;"},
		{"RFC 6350, 6.3.1: seven components", "ADR:;;1 Main St;Any Town", "ADR:;;1 Main St;Any Town;;;"},
		{"RFC 6350, A.2: types of ADR", "ADR;TYPE=dom,parcel,intl:;;1;;;;", "ADR:;;1;;;;"},
		{"RFC 6350, 6.4.1: TEL is text", "TEL;TYPE=work,msg:(412) 605 0499", "TEL;TYPE=work,msg:(412) 605 0499"},
		{"RFC 6350, 6.4.1: phone-number", "TEL;VALUE=phone-number:+1", "TEL:+1"},
		{"RFC 6350, 6.4.2: internet", "EMAIL;TYPE=INTERNET,HOME:a@b", "EMAIL;TYPE=HOME:a@b"},
		{"RFC 6350, 6.4.2: x400", "EMAIL;TYPE=x400:a", "EMAIL;TYPE=x400:a"},
		{"RFC 6350, 6.4.3: IMPP", "IMPP;X-SERVICE-TYPE=Jabber;type=HOME;type=pref:xmpp:a@b\nX-JABBER:a@b", "IMPP;X-SERVICE-TYPE=Jabber;TYPE=HOME;PREF=1:xmpp:a@b\nX-JABBER:a@b"},
		{"RFC 6350, 4.2: URIs are not escaped", "URL;type=pref:http\\://x/a\\,b\nPHOTO;VALUE=uri:http\\://x\nURL:a\\,b", "URL;PREF=1:http://x/a,b\nPHOTO:http://x\nURL:a\\,b"},
		{"RFC 6350, 6.5.1: offset", "TZ:-05:00", "TZ;VALUE=utc-offset:-0500"},
		{"RFC 6350, 6.5.1: text", "TZ;VALUE=text:-05:00; EST; Raleigh/North America", "TZ:-05:00; EST; Raleigh/North America"},
		{"RFC 6350, 6.5.1: name", "TZ:America/New_York", "TZ:America/New_York"},
		{"RFC 6350, 6.5.2: GEO", "GEO:37.386013;-122.082932", "GEO:geo:37.386013,-122.082932"},
		{"RFC 6350, 6.5.2: escaped", "GEO:+37.386013\\;-122.082932", "GEO:geo:37.386013,-122.082932"},
		{"RFC 6350, 6.5.2: no place", "GEO:here", "GEO:here"},
		{"RFC 6350, 6.6.6: AGENT", "AGENT;VALUE=uri:http://x/y.vcf", "RELATED;TYPE=agent:http://x/y.vcf"},
		{"RFC 6350, 6.6.6: AGENT as text", "AGENT;VALUE=text:Jane\\, next door", "RELATED;VALUE=text;TYPE=agent:Jane\\, next door"},
		{"RFC 6350, A.2: AGENT in line", "AGENT:BEGIN:VCARD\\nFN:J\\nEND:VCARD\\n", "RELATED;TYPE=agent:data:text/vcard;base64," + base64.StdEncoding.EncodeToString([]byte("BEGIN:VCARD\nFN:J\nEND:VCARD\n"))},
		{"RFC 6350, 6.6.6: Apple's relatives", "item1.X-ABRELATEDNAMES;type=pref:Jane\\, née D\nitem1.X-ABLabel:_$!<Wife>!$_\nitem2.X-ABRELATEDNAMES:Bob\nitem2.X-ABLabel:_$!<Manager>!$_\nitem3.X-ABRELATEDNAMES:Eve\nitem3.X-ABLabel:colleague\nX-ABRELATEDNAMES;type=HOME:Ann",
			"item1.RELATED;TYPE=spouse;VALUE=text;PREF=1:Jane\\, née D\nitem1.X-ABLabel:_$!<Wife>!$_\nitem2.RELATED;VALUE=text:Bob\nitem2.X-ABLabel:_$!<Manager>!$_\nitem3.RELATED;VALUE=text;TYPE=colleague:Eve\nitem3.X-ABLabel:colleague\nRELATED;TYPE=HOME;VALUE=text:Ann"},
		{"RFC 6350, 6.1.4: KIND", "X-ADDRESSBOOKSERVER-KIND:group\nX-ADDRESSBOOKSERVER-MEMBER:urn:uuid:1", "KIND:group\nMEMBER:urn:uuid:1"},
		{"RFC 6350, 6.1.4: org", "X-ABShowAs:COMPANY", "KIND:org"},
		{"RFC 6350, 6.1.4: group shown as", "X-ABShowAs:COMPANY\nX-ADDRESSBOOKSERVER-KIND:group", "X-ABShowAs:COMPANY\nKIND:group"},
		{"RFC 6350, 6.1.4: twice", "KIND:group\nX-ADDRESSBOOKSERVER-KIND:group", "KIND:group"},
		{"RFC 6350, 6.6.5: no group", "X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:1", "X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:1"},
		{"RFC 6350, 5.9: SORT-AS", "N:van der Harten;Rene;;;\nSORT-STRING:Harten", "N;SORT-AS=Harten:van der Harten;Rene;;;"},
		{"RFC 6350, 5.9: no N", "SORT-STRING:Harten", "X-SORT-STRING:Harten"},
		{"RFC 6350, 6.7.4: REV", "REV:1995-10-31T22:27:10Z", "REV:19951031T222710Z"},
		{"RFC 6350, 6.7.4: fractions", "REV;VALUE=date-time:2014-03-20T10:00:00.000+01:00", "REV:20140320T100000+0100"},
		{"RFC 6350, 6.7.4: a date", "REV:1997-11-15", "REV:19971115T000000Z"},
		{"RFC 6350, 6.7.4: nonsense", "REV:1", "REV:1"},
		{"RFC 6350, 6.7.6: UID of text", "UID:34222-232@example.com", "UID;VALUE=text:34222-232@example.com"},
		{"RFC 6350, 6.7.6: UID", "UID:urn:uuid:1", "UID:urn:uuid:1"},
		{"RFC 6350, A.2: removed", "PROFILE:VCARD\nNAME:x\nSOURCE;CONTEXT=LDAP:ldap://x\nNOTE;CHARSET=UTF-8:é", "SOURCE:ldap://x\nNOTE:é"},
		{"RFC 6350, A.2: kept apart", "CLASS:PRIVATE\nMAILER:Pine", "X-CLASS:PRIVATE\nX-MAILER:Pine"},
		{"RFC 6350, 6.7.1: the same in both", "ORG:ABC\\, Inc.;Marketing\nCATEGORIES:a,b\\,c\nNICKNAME:Jim,Jimmie\nURL:http://x\nNOTE;LANGUAGE=de:ä\\nb", "ORG:ABC\\, Inc.;Marketing\nCATEGORIES:a,b\\,c\nNICKNAME:Jim,Jimmie\nURL:http://x\nNOTE;LANGUAGE=de:ä\\nb"},
	} {
		t.Run(c.section, func(t *testing.T) {
			lines := append([]string{"BEGIN:VCARD", "VERSION:3.0", "FN:x"}, body(c.from)...)
			got, err := convert(t, "4.0", append(lines, "END:VCARD")...)
			if err != nil {
				t.Fatal(err)
			}
			if want := append([]string{"FN:x"}, body(c.to)...); !slices.Equal(unfolded(t, got, "4.0"), want) {
				t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
			}
		})
	}
}

func TestConvertTo3(t *testing.T) {
	for _, c := range []struct{ section, from, to string }{
		{"RFC 2426, 3.3.1: pref", "TEL;PREF=1;TYPE=home:+1", "TEL;TYPE=home,pref:+1"},
		{"RFC 2426, 3.3.1: the lowest", "EMAIL;PREF=20:a@b\nEMAIL;PREF=10;TYPE=work:c@d\nEMAIL:e@f\nTEL;PREF=20:+1", "EMAIL;PREF=20:a@b\nEMAIL;TYPE=work,pref:c@d\nEMAIL:e@f\nTEL;TYPE=pref:+1"},
		{"RFC 2426, 3.3.1: no PREF", "EMAIL;PREF=0:a@b\nEMAIL;PREF=x:c@d", "EMAIL;PREF=0:a@b\nEMAIL;PREF=x:c@d"},
		{"RFC 2426, 3.3.1: quoted list", "TEL;TYPE=\"voice,home\":+1", "TEL;TYPE=voice,home:+1"},
		{"RFC 2426, 3.3.1: tel: URI", "TEL;VALUE=uri;TYPE=home:tel:+33-01-23-45-67", "TEL;TYPE=home:+33-01-23-45-67"},
		{"RFC 2426, 3.3.1: extension", "TEL;VALUE=uri;PREF=1;TYPE=\"voice,home\":tel:+1-555-555-5555;ext=5555", "TEL;TYPE=voice,home,pref:+1-555-555-5555 ext. 5555"},
		{"RFC 2426, 3.3.1: more than a number", "TEL;VALUE=uri:tel:7042;phone-context=example.com\nTEL;VALUE=uri:sip:a@b", "TEL;VALUE=uri:tel:7042;phone-context=example.com\nTEL;VALUE=uri:sip:a@b"},
		{"RFC 2426, 3.1.4: PHOTO", "PHOTO:data:image/jpeg;base64,Zm9v", "PHOTO;ENCODING=b;TYPE=JPEG:Zm9v"},
		{"RFC 2426, 3.1.4: escaped", "PHOTO:data:image/jpeg\\;base64\\,Zm9v", "PHOTO;ENCODING=b;TYPE=JPEG:Zm9v"},
		{"RFC 2426, 3.1.4: parameters", "PHOTO;VALUE=uri;PREF=1;TYPE=home:data:image/svg+xml;charset=utf-8;base64,Zm9v", "PHOTO;ENCODING=b;TYPE=SVG+XML,home,pref:Zm9v"},
		{"RFC 2426, 3.1.4: percent-encoded", "PHOTO:data:image/gif,f%6F%20o", "PHOTO;ENCODING=b;TYPE=GIF:" + base64.StdEncoding.EncodeToString([]byte("fo o"))},
		{"RFC 2426, 3.1.4: no type", "PHOTO:data:;base64,/9j/AAAA\nPHOTO:data:application/octet-stream;base64,AAAA", "PHOTO;ENCODING=b;TYPE=JPEG:/9j/AAAA\nPHOTO;ENCODING=b:AAAA"},
		{"RFC 2426, 3.1.4: not base64", "PHOTO:data:image/gif;base64,???", "PHOTO;VALUE=uri:data:image/gif;base64,???"},
		{"RFC 2426, 3.1.4: a URI", "PHOTO;MEDIATYPE=image/gif:http://x/y", "PHOTO;VALUE=uri;TYPE=GIF:http://x/y"},
		{"RFC 2426, 3.5.3: LOGO", "LOGO:data:image/png;base64,Zm9v", "LOGO;ENCODING=b;TYPE=PNG:Zm9v"},
		{"RFC 2426, 3.6.6: SOUND", "SOUND:data:audio/basic;base64,Zm9v", "SOUND;ENCODING=b;TYPE=BASIC:Zm9v"},
		{"RFC 2426, 3.7.2: KEY", "KEY:data:application/pgp-keys;base64,Zm9v\nKEY:data:application/pkix-cert;base64,Zm9v\nKEY:data:text/plain;base64,Zm9v\nKEY;VALUE=text:x",
			"KEY;ENCODING=b;TYPE=PGP:Zm9v\nKEY;ENCODING=b;TYPE=X509:Zm9v\nKEY;ENCODING=b;TYPE=text/plain:Zm9v\nKEY;VALUE=text:x"},
		{"RFC 2426, 3.1.5: BDAY", "BDAY:19960415", "BDAY:1996-04-15"},
		{"RFC 2426, 3.1.5: date-time", "BDAY;VALUE=date-and-or-time:19531015T2310Z", "BDAY;VALUE=date-time:1953-10-15T23:10:00Z"},
		{"RFC 2426, 3.1.5: offset", "BDAY:19870927T083000-06", "BDAY;VALUE=date-time:1987-09-27T08:30:00-06:00"},
		{"RFC 2426, 3.1.5: no year", "BDAY:--0229", "BDAY;X-APPLE-OMIT-YEAR=1604:1604-02-29"},
		{"RFC 2426, 3.1.5: not whole", "BDAY:1996-04", "BDAY:1996-04"},
		{"RFC 2426, 3.1.5: text", "BDAY;VALUE=text:circa 1800", "BDAY;VALUE=text:circa 1800"},
		{"RFC 6350, 6.2.6: ANNIVERSARY", "item1.TEL:+1\nANNIVERSARY:20010909", "item1.TEL:+1\nitem2.X-ABDATE:2001-09-09\nitem2.X-ABLabel:_$!<Anniversary>!$_"},
		{"RFC 6350, 6.2.6: its group", "a.ANNIVERSARY:--0909", "a.X-ABDATE;X-APPLE-OMIT-YEAR=1604:1604-09-09\na.X-ABLabel:_$!<Anniversary>!$_"},
		{"RFC 6350, 6.2.6: another's group", "item1.ANNIVERSARY:20010909\nitem1.NOTE:x", "item2.X-ABDATE:2001-09-09\nitem2.X-ABLabel:_$!<Anniversary>!$_\nitem1.NOTE:x"},
		{"RFC 6350, 6.2.6: labelled", "item1.ANNIVERSARY:20010909\nitem1.X-ABLabel:_$!<Anniversary>!$_", "item1.X-ABDATE:2001-09-09\nitem1.X-ABLabel:_$!<Anniversary>!$_"},
		{"RFC 2426, 3.2.2: LABEL", "a.ADR;TYPE=home;LABEL=\"1 Main St\\nB, \\\\ ^'C^'\":;;1 Main St;;;;", "a.ADR;TYPE=home:;;1 Main St;;;;\na.LABEL;TYPE=home:1 Main St\\nB\\, \\\\ \"C\""},
		{"RFC 2426, 3.2.2: only LABEL", "ADR;PREF=1;LABEL=x^ny:;;;;;;", "LABEL;TYPE=pref:x\\ny"},
		{"RFC 2426, 3.4.1: TZ", "TZ:Raleigh/North America\nTZ;VALUE=utc-offset:-0500\nTZ;VALUE=uri:http://x", "TZ;VALUE=text:Raleigh/North America\nTZ:-05:00\nTZ;VALUE=uri:http://x"},
		{"RFC 2426, 3.4.2: GEO", "GEO:geo:37.386013,-122.082932\nGEO:geo:1\\,2\\,3;u=4\nGEO:http://x", "GEO:37.386013;-122.082932\nGEO:1;2\nGEO;VALUE=uri:http://x"},
		{"RFC 2426, 3.5.4: AGENT", "RELATED;TYPE=agent:http://x\nRELATED;TYPE=agent;VALUE=text:Jane\nRELATED;TYPE=\"agent,friend\":http://x", "AGENT;VALUE=uri:http://x\nAGENT;VALUE=text:Jane\nRELATED;TYPE=agent,friend:http://x"},
		{"RFC 6350, 6.6.6: Apple's relatives", "item1.RELATED;PREF=1;VALUE=text;TYPE=spouse:Jane\nitem1.X-ABLabel:_$!<Wife>!$_\nRELATED;TYPE=child;VALUE=text:Bob\na.RELATED;TYPE=Kin;VALUE=text:Eve\na.NOTE:x\nb.RELATED;TYPE=met;VALUE=text:Tom\nRELATED;VALUE=text;TYPE=HOME:Ann",
			"item1.X-ABRELATEDNAMES;TYPE=pref:Jane\nitem1.X-ABLabel:_$!<Wife>!$_\nitem2.X-ABRELATEDNAMES:Bob\nitem2.X-ABLabel:_$!<Child>!$_\nitem3.X-ABRELATEDNAMES:Eve\nitem3.X-ABLabel:kin\na.NOTE:x\nb.X-ABRELATEDNAMES:Tom\nb.X-ABLabel:met\nX-ABRELATEDNAMES;TYPE=HOME:Ann"},
		{"RFC 6350, 6.6.6: relatives that stay", "RELATED;TYPE=\"friend,kin\";VALUE=text:Jane\nitem1.RELATED;TYPE=friend;VALUE=text:Bob\nitem1.X-ABLabel:_$!<Wife>!$_\nRELATED;TYPE=spouse:urn:uuid:1",
			"RELATED;TYPE=friend,kin;VALUE=text:Jane\nitem1.RELATED;TYPE=friend;VALUE=text:Bob\nitem1.X-ABLabel:_$!<Wife>!$_\nRELATED;TYPE=spouse:urn:uuid:1"},
		{"RFC 2426, 3.6.4: REV", "REV:19951031T222710Z\nREV;VALUE=timestamp:19961022T140000-0500", "REV:1995-10-31T22:27:10Z\nREV:1996-10-22T14:00:00-05:00"},
		{"RFC 2426, 3.6.5: SORT-STRING", "SORT-STRING:x", "SORT-STRING:x"},
		{"RFC 2426, 3.6.7: UID", "UID;VALUE=text:a\nUID;VALUE=uri:urn:uuid:1", "UID:a\nUID:urn:uuid:1"},
		{"RFC 2426, 3.7.1: CLASS", "X-CLASS:PRIVATE\nX-MAILER:Pine\nX-SORT-STRING:x", "CLASS:PRIVATE\nMAILER:Pine\nSORT-STRING:x"},
		{"RFC 6350, 6.1.4: KIND", "KIND:individual", ""},
		{"RFC 6350, 6.1.4: org", "KIND:org", "X-ABShowAs:COMPANY"},
		{"RFC 6350, 6.1.4: group", "KIND:Group\nMEMBER;PREF=1:urn:uuid:1\nMEMBER:mailto:a@b", "X-ADDRESSBOOKSERVER-KIND:Group\nX-ADDRESSBOOKSERVER-MEMBER;TYPE=pref:urn:uuid:1\nX-ADDRESSBOOKSERVER-MEMBER:mailto:a@b"},
		{"RFC 6350, 6.1.4: location", "KIND:location", "X-ADDRESSBOOKSERVER-KIND:location"},
		{"what 3.0 passes over", "GENDER:M\nLANG;TYPE=work;PREF=1:en\nLANG;PREF=2:fr\nRELATED;TYPE=friend:urn:uuid:1\nXML:<a xmlns=\"b\"/>\nCLIENTPIDMAP:1;urn:uuid:2\nEMAIL;PID=1.1;ALTID=1:a@b\nIMPP;PREF=1:xmpp:a@b\nCALURI;MEDIATYPE=text/calendar:http://x",
			"GENDER:M\nLANG;TYPE=work,pref:en\nLANG;PREF=2:fr\nRELATED;TYPE=friend:urn:uuid:1\nXML:<a xmlns=\"b\"/>\nCLIENTPIDMAP:1;urn:uuid:2\nEMAIL;PID=1.1;ALTID=1:a@b\nIMPP;TYPE=pref:xmpp:a@b\nCALURI;MEDIATYPE=text/calendar:http://x"},
	} {
		t.Run(c.section, func(t *testing.T) {
			lines := append([]string{"BEGIN:VCARD", "VERSION:4.0", "FN:x", "N:x;;;;"}, body(c.from)...)
			got, err := convert(t, "3.0", append(lines, "END:VCARD")...)
			if err != nil {
				t.Fatal(err)
			}
			if want := append([]string{"FN:x", "N:x;;;;"}, body(c.to)...); !slices.Equal(unfolded(t, got, "3.0"), want) {
				t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
			}
		})
	}
}

// RFC 2426, 3.1.1 and 3.1.2; RFC 6350, 6.2.1.
func TestConvertNames(t *testing.T) {
	for _, c := range []struct{ version, from, to string }{
		{"4.0", "N:Public;John;Quinlan,Paul;Mr.;Esq.", "FN:Mr. John Quinlan Paul Public Esq.\nN:Public;John;Quinlan,Paul;Mr.;Esq."},
		{"4.0", "ORG:;Sales\\, North", "FN:Sales\\, North\nORG:;Sales\\, North"},
		{"4.0", "NICKNAME:Jim,Jimmie", "FN:Jim\nNICKNAME:Jim,Jimmie"},
		{"4.0", "EMAIL:a@b", "FN:a@b\nEMAIL:a@b"},
		{"4.0", "TEL:+1", "FN:+1\nTEL:+1"},
		{"4.0", "NOTE:x", "FN:\nNOTE:x"},
		{"3.0", "FN:Jane Doe", "N:;;;;\nFN:Jane Doe"},
		{"3.0", "NOTE:x", "FN:\nN:;;;;\nNOTE:x"},
		{"3.0", "KIND:group\nFN:Friends\\; family", "N:Friends\\; family;;;;\nX-ADDRESSBOOKSERVER-KIND:group\nFN:Friends\\; family"},
		{"3.0", "N;SORT-AS=\"Harten,Rene\":van der Harten;Rene;;;\nFN:x", "N;SORT-AS=\"Harten,Rene\":van der Harten;Rene;;;\nSORT-STRING:Harten\nFN:x"},
		{"3.0", "N;SORT-AS=Harten:van der Harten;Rene;;;\nFN:x", "N:van der Harten;Rene;;;\nSORT-STRING:Harten\nFN:x"},
	} {
		from := "4.0"
		if c.version == from {
			from = "3.0"
		}
		got, err := convert(t, c.version, append(append([]string{"BEGIN:VCARD", "VERSION:" + from}, body(c.from)...), "END:VCARD")...)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(unfolded(t, got, c.version), body(c.to)) {
			t.Errorf("%s: got\n%s\nwant\n%s", c.from, got, c.to)
		}
	}
}

// vCard 2.1: quoted-printable, character sets, bare parameters, AGENT.
func TestConvert21(t *testing.T) {
	for _, c := range []struct{ from, to3, to4 string }{
		{"N;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:M=C3=BCller;J=\n=C3=BCrgen", "N:Müller;Jürgen", "N:Müller;Jürgen;;;"},
		{"NOTE;CHARSET=ISO-8859-1;QUOTED-PRINTABLE:J=F6rg=0D=0A80 =80", "NOTE:Jörg\\n80 €", "NOTE:Jörg\\n80 €"},
		{"TEL;HOME;VOICE;PREF:+1", "TEL;TYPE=HOME,VOICE,PREF:+1", "TEL;TYPE=HOME,VOICE;PREF=1:+1"},
		{"NOTE:a, b; c\\d \\, \\n", "NOTE:a\\, b\\; c\\\\d \\, \\n", "NOTE:a\\, b\\; c\\\\d \\, \\n"},
		{"ORG:a, b;c\\;d", "ORG:a\\, b;c\\;d", "ORG:a\\, b;c\\;d"},
		{"CATEGORIES:a,b;c", "CATEGORIES:a,b;c", "CATEGORIES:a,b;c"},
		{"PHOTO;JPEG;ENCODING=BASE64:\n /9j/\n AAAA\n", "PHOTO;TYPE=JPEG;ENCODING=b:/9j/AAAA", "PHOTO:data:image/jpeg;base64,/9j/AAAA"},
		{"PHOTO;VALUE=URL;GIF:http://x/y", "PHOTO;VALUE=uri;TYPE=GIF:http://x/y", "PHOTO;MEDIATYPE=image/gif:http://x/y"},
		{"PHOTO;VALUE=CID:<a@b>", "PHOTO;VALUE=uri:cid:a@b", "PHOTO:cid:a@b"},
		{"PHOTO;INLINE;ENCODING=BASE64:Zm9v", "PHOTO;ENCODING=b:Zm9v", "PHOTO:data:application/octet-stream;base64,Zm9v"},
		{"BDAY:19960415\nREV:19951031T222710", "BDAY:1996-04-15\nREV:1995-10-31T22:27:10", "BDAY:19960415\nREV:19951031T222710"},
		{"TZ:-05", "TZ:-05:00", "TZ;VALUE=utc-offset:-0500"},
		{"GEO:37.24,-17.87", "GEO:37.24;-17.87", "GEO:geo:37.24,-17.87"},
		{"X-A;ENCODING=QUOTED-PRINTABLE:=41=\n=42\nX-B:a;b,c", "X-A:AB\nX-B:a;b,c", "X-A:AB\nX-B:a;b,c"},
		{"UID;QUOTED-PRINTABLE:a=3Db,c", "UID:a=3Db,c", "UID;VALUE=text:a=3Db,c"},
		{"AGENT:\nBEGIN:VCARD\nFN:J, K\nEND:VCARD\nTEL:+1", "AGENT:BEGIN:VCARD\\nFN:J\\, K\\nEND:VCARD\\n\nTEL:+1",
			"RELATED;TYPE=agent:data:text/vcard;base64," + base64.StdEncoding.EncodeToString([]byte("BEGIN:VCARD\nFN:J, K\nEND:VCARD\n")) + "\nTEL:+1"},
	} {
		for version, want := range map[string]string{"3.0": c.to3, "4.0": c.to4} {
			lines := append([]string{"BEGIN:VCARD", "VERSION:2.1", "FN:x"}, body(c.from)...)
			got, err := convert(t, version, append(lines, "END:VCARD")...)
			if err != nil {
				t.Fatal(err)
			}
			full := []string{"FN:x"}
			if version == "3.0" && !strings.HasPrefix(c.from, "N;") {
				full = []string{"N:;;;;", "FN:x"}
			}
			if !slices.Equal(unfolded(t, got, version), append(full, body(want)...)) {
				t.Errorf("%s: got\n%s\nwant\n%s", version, got, want)
			}
		}
	}
}

// RFC 6352, 5.1.1: what cannot be converted says so; what need not be, is not touched.
func TestConvertRefuses(t *testing.T) {
	for _, c := range []struct{ version, from string }{
		{"4.0", "BEGIN:VLIST\nUID:1\nEND:VLIST"},
		{"2.1", "BEGIN:VCARD\nVERSION:3.0\nUID:1\nEND:VCARD"},
		{"5.0", "BEGIN:VCARD\nVERSION:3.0\nUID:1\nEND:VCARD"},
		{"", "BEGIN:VCARD\nVERSION:3.0\nUID:1\nEND:VCARD"},
		{"", "BEGIN:VCARD\nVERSION:x\nUID:1\nEND:VCARD"},
		{"4.0", "BEGIN:VCARD\nVERSION:x\nUID:1\nEND:VCARD"},
		{"4.0", "BEGIN:VCARD\nVERSION:2.1\nUID:1\nFN;CHARSET=SHIFT_JIS;QUOTED-PRINTABLE:=93=FA\nEND:VCARD"},
	} {
		if got, err := convert(t, c.version, body(c.from)...); !errors.Is(err, ErrConversion) {
			t.Errorf("%q to %q: %q, %v", c.from, c.version, got, err)
		}
	}
	for version, from := range map[string]string{
		"3.0": "BEGIN:VCARD\nUID:1\nend:vcard\n\n", // no VERSION: RFC 6352, 6.2.2
		"4.0": "BEGIN:VCARD\nNOTE:late\nVERSION: 4.0\nUID:1\nEND:VCARD",
	} {
		c, err := ParseCard([]byte(from))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := c.Convert(nil, []byte(from), version); err != nil || string(got) != from || CardVersion([]byte(from)) != version {
			t.Errorf("%q: %q, %v", from, got, err)
		}
	}
	// More lines than can be read again.
	source := []byte("BEGIN:VCARD\r\nVERSION:4.0\r\nUID:1\r\n" + strings.Repeat("ADR;LABEL=x:;;1\r\n", ical.MaxProperties/2) + "END:VCARD\r\n")
	c, err := ParseCard(source)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Convert(nil, source, "3.0"); !errors.Is(err, ErrConversion) {
		t.Error(err)
	}
}

// Lines that do not change keep their bytes, but for the line end; others are
// folded (RFC 6350, 3.2).
func TestConvertBytes(t *testing.T) {
	source := []byte("BEGIN:VCARD\nVERSION:3.0\nx-Long;a=\"b\":0123456789012345678901234567890123456789012345678901234567\n  8901234567890ä\n" +
		"fn:J\xc3\n \xa4\r\nN:J;;;;\r\nno content line\r\nPHOTO;ENCODING=b:" + strings.Repeat("AAAA", 30) + "\r\nEND:VCARD")
	want := "BEGIN:VCARD\r\nVERSION:4.0\r\nx-Long;a=\"b\":0123456789012345678901234567890123456789012345678901234567 890\r\n 1234567890ä\r\n" +
		"fn:Jä\r\nN:J;;;;\r\nno content line\r\nPHOTO:data:application/octet-stream;base64," + strings.Repeat("A", 32) + "\r\n " +
		strings.Repeat("A", 74) + "\r\n " + strings.Repeat("A", 120-32-74) + "\r\nEND:VCARD\r\n"
	c, err := ParseCard(source)
	if err != nil {
		t.Fatal(err)
	}
	before := plainCard(c.Root)
	got, err := c.Convert(nil, source, "4.0")
	if err != nil || string(got) != want {
		t.Errorf("%v\n%q\nwant\n%q", err, got, want)
	}
	if plainCard(c.Root) != before {
		t.Error("the source's tree has changed")
	}
	// RFC 6352, 10.4.2: the parts are those of the version asked for.
	d := AddressData{Version: "4.0", Props: []PropSelect{{Name: "photo", NoValue: true}, {Name: "X-LONG"}}}
	got, err = d.Append(nil, c, source)
	want = "BEGIN:VCARD\r\nVERSION:4.0\r\nx-Long;a=\"b\":0123456789012345678901234567890123456789012345678901234567 890\r\n 1234567890ä\r\nPHOTO:\r\nEND:VCARD\r\n"
	if err != nil || string(got) != want {
		t.Errorf("%v\n%q\nwant\n%q", err, got, want)
	}
	for _, d := range []AddressData{{Version: "2.1"}, {Version: "4"}} {
		if err := d.Check(); !errors.Is(err, ErrFilter) {
			t.Errorf("%+v: %v", d, err)
		}
		if _, err := d.Append(nil, c, source); !errors.Is(err, ErrConversion) {
			t.Errorf("%+v: %v", d, err)
		}
	}
}

func plainCard(c *ical.Component) string {
	var b []byte
	for i := range c.Properties {
		b = c.Properties[i].Append(b)
	}
	return string(b)
}

// cardSeeds are lines that cards of a version are put together of; "" is what
// is in neither RFC or in the wrong one, and yet in somebody's card.
func cardSeeds(version string) []string {
	common := `FN:Jörg \, B.
UID:urn:x
N:Public;John;Quinlan;Mr.;Esq.
item1.NOTE:x\ny
item3.X-ABLabel:_$!<Other>!$_
ORG;SORT-AS=ABC:ABC\, Inc.;North
NICKNAME:Jim,Jimmie
CATEGORIES:a,b
URL:http://x
PRODID:y
X-FOO;TYPE=pref:x=`
	seeds := ""
	switch version {
	case "3.0":
		seeds = `N:B.;Jörg
N:;;;;
SORT-STRING:Harten
UID:1
TEL;TYPE=home,pref:+1
TEL;type=CELL;type=pref:+2
EMAIL;TYPE=INTERNET:a@b
item1.X-ABDATE;type=pref:2001-09-09
item1.X-ABLabel:_$!<Anniversary>!$_
item2.X-ABDATE;X-APPLE-OMIT-YEAR=1604:1604-09-09
item2.X-ABLabel:_$!<anniversary>!$_
X-ANNIVERSARY:2001-09-09
BDAY;X-APPLE-OMIT-YEAR=1604:1604-02-29
BDAY:1953-10-15T23:10:00Z
PHOTO;ENCODING=b;TYPE=JPEG:/9j/AAAA
PHOTO;ENCODING=b:/9j/AAAA
LOGO;VALUE=uri;TYPE=GIF:http://x
SOUND;ENCODING=b;TYPE=BASIC:AAAA
KEY;TYPE=PGP;ENCODING=B:Zm9v
KEY;TYPE=PGP:text
ADR;TYPE=dom,home:;;1 Main St;;;;
ADR;TYPE=work:;;1 Main St
LABEL;TYPE=home,postal:x\n\\"y"
LABEL:z
GEO:1;2
TZ:-05:00
TZ;VALUE=text:EST
REV:1995-10-31T22:27:10Z
REV:1997-11-15
AGENT:BEGIN:VCARD\nFN:J\nEND:VCARD\n
AGENT;VALUE=uri:http://x
X-ABShowAs:COMPANY
X-ADDRESSBOOKSERVER-KIND:group
X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:1
CLASS:PRIVATE
MAILER:x
NAME:x
PROFILE:VCARD
SOURCE;CONTEXT=x:http://x
IMPP;X-SERVICE-TYPE=Jabber;type=pref:xmpp:a@b`
	case "4.0":
		seeds = `N;SORT-AS="Harten,Rene":van der Harten;Rene,J.;Sir;R.D.O.N.;
UID;VALUE=text:1
TEL;VALUE=uri;PREF=1;TYPE="voice,home":tel:+1-555-555-5555;ext=5555
TEL;VALUE=uri;PREF=7:sip:a
EMAIL;PREF=50:c@d
item1.EMAIL;PREF=60:c@d
ANNIVERSARY:--0909
item1.ANNIVERSARY;VALUE=text:soon
BDAY:1996-04
BDAY:--04
BDAY:--0229
BDAY:19531015T23Z
BDAY:T10
PHOTO:data:image/jpeg;base64,/9j/AAAA
PHOTO:data:,a%20b
PHOTO;MEDIATYPE=image/jpg;TYPE=home:http://x
SOUND:data:image/png;base64,Zm9v
KEY:data:text/plain;base64,Zm9v
ADR;TYPE=home;LABEL="a\n^'b^'":;;2;;;;
ADR;LABEL=x:;;;;;;
GEO:geo:1,2,3;u=4
TZ;VALUE=utc-offset:-0500
TZ:Europe/Paris
REV:19951031T222710-05
RELATED;TYPE=agent:data:text/vcard;base64,QkVHSU46VkNBUkQK
RELATED;TYPE="agent";PREF=1:http://x
RELATED;TYPE=friend:http://x
KIND:group
KIND:individual
KIND:org
MEMBER;PREF=2:mailto:a@b
GENDER:M
LANG;PREF=1:en
LANG;PREF=2:fr
CLIENTPIDMAP:1;urn:uuid:2
XML:<a xmlns="b"/>`
	default:
		return strings.Split(`TEL;HOME;VOICE;PREF:+3
BDAY;VALUE=date:1996/04/15
item2.KIND:x
X-ABDATE:1
PHOTO;BASE64:/9j/AAAA==
PHOTO;VALUE=uri;TYPE=GIF:data:image/png;base64,Zm9v
SOUND;X-IRMC-N:Tanaka
SOUND;ENCODING=b;TYPE=image/png:AAAA
REV:19951031T222710.5-05
AGENT:Jane
X-CLASS:PRIVATE
NOTE;CHARSET=ISO-8859-1;ENCODING=QUOTED-PRINTABLE:=F6=0D=0A=
NOTE;QUOTED-PRINTABLE;X-A="b":=
X-FOO;"a;=b;c="^n":x=
X-QUOTED-PRINTABLE;TYPE=pref:a
QUOTED-PRINTABLE.PHOTO;TYPE=pref;ENCODING=b:Zg==
no line`, "\n")
	}
	return strings.Split(common+"\n"+seeds, "\n")
}

// checkConversion converts there and back. All that comes of it are cards with
// the same UID, of bounded size, and after a few ways nothing changes any more;
// strictly, the first one changes nothing but what one version cannot say: what
// has been in the other version is what would have gone there.
func checkConversion(t *testing.T, source []byte, strict bool) {
	t.Helper()
	c, err := ParseCard(source)
	if err != nil {
		return
	}
	if v := CardVersion(source); v != c.Version() {
		t.Fatalf("CardVersion %q, Version %q\n%q", v, c.Version(), source)
	}
	valid := c.Check() == nil
	step := func(from []byte, version string) ([]byte, bool) {
		c, err := ParseCard(from)
		if err != nil {
			t.Fatalf("to %s: %v\n%q\nfrom\n%q", version, err, from, source)
		}
		out, err := c.Convert(nil, from, version)
		if err != nil {
			if !errors.Is(err, ErrConversion) {
				t.Fatal(err)
			}
			return nil, false
		}
		if len(out) > 8*len(from)+1024 {
			t.Fatalf("%d bytes of %d\n%q\nfrom\n%q", len(out), len(from), out, from)
		}
		d, err := ParseCard(out)
		if err != nil {
			t.Fatalf("to %s: %v\n%q\nfrom\n%q", version, err, out, source)
		}
		if valid {
			if err := d.Check(); err != nil {
				t.Fatalf("to %s: %v\n%q\nfrom\n%q", version, err, out, source)
			}
		}
		// A lone CR cannot be written in a line.
		if d.UID() != c.UID() && !strings.Contains(c.UID(), "\r") || d.Version() != version {
			t.Fatalf("to %s: UID %q, was %q", version, d.UID(), c.UID())
		}
		return out, true
	}
	for _, version := range []string{"4.0", "3.0"} {
		other := "3.0"
		if version == other {
			other = "4.0"
		}
		there, ok := step(source, version)
		for n := 0; ok; n++ {
			var back, again []byte
			if back, ok = step(there, other); ok {
				again, ok = step(back, version)
			}
			if !ok || !valid { // what is no card by Check is only to be harmless
				break
			}
			if normal(there) == normal(again) {
				break
			}
			if strict && c.Version() != version || n == 5 {
				t.Fatalf("from\n%q\nthere\n%s\nback\n%s\nand there\n%s", source, there, back, again)
			}
			there = again
		}
	}
}

// normal is a card without the order of its lines: FN and N are written first
// where they were missing, LABEL goes to its ADR. ANNIVERSARY needs a group in 3.0.
func normal(card []byte) string {
	roots, err := ical.Parse(card)
	if err != nil || len(roots) != 1 {
		return string(card)
	}
	var lines []string
	for i := range roots[0].Properties {
		p := &roots[0].Properties[i]
		if p.Name == "ANNIVERSARY" {
			p.Group = ""
		}
		lines = append(lines, string(p.AppendUnfolded(nil)))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func TestConvertRoundTrip(t *testing.T) {
	versions := []string{"3.0", "4.0", "2.1"}
	all := slices.Concat(cardSeeds("3.0"), cardSeeds("4.0"), cardSeeds(""))
	r := rand.New(rand.NewPCG(1, 2))
	for i, version := range versions {
		strict := i < 2
		for _, line := range cardSeeds(version) {
			checkConversion(t, crlf("BEGIN:VCARD", "VERSION:"+version, "UID:u", "FN:x", line, "END:VCARD"), strict)
			checkConversion(t, crlf("BEGIN:VCARD", "VERSION:"+version, "UID:u", line, "END:VCARD"), strict)
		}
		for n := range 4000 {
			seeds := cardSeeds(version)
			if n%2 == 0 {
				seeds, strict = all, false
			} else {
				strict = i < 2
			}
			lines := []string{"BEGIN:VCARD", "VERSION:" + version, "UID:u"}
			for _, k := range r.Perm(len(seeds))[:r.IntN(12)] {
				name := seeds[k][:strings.IndexAny(seeds[k]+":", ":;")]
				once := slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, name) })
				switch name {
				case "N", "KIND", "X-ADDRESSBOOKSERVER-KIND", "X-ABShowAs", "SORT-STRING":
					if once && strict {
						continue
					}
				}
				lines = append(lines, seeds[k])
			}
			checkConversion(t, crlf(append(lines, "END:VCARD")...), strict)
		}
	}
}

func FuzzConvert(f *testing.F) {
	all := slices.Concat(cardSeeds("3.0"), cardSeeds("4.0"), cardSeeds(""))
	for _, version := range []string{"2.1", "3.0", "4.0"} {
		for _, line := range all {
			f.Add([]byte("BEGIN:VCARD\nVERSION:" + version + "\nUID:u\n" + line + "\nEND:VCARD\n"))
		}
		f.Add([]byte("BEGIN:VCARD\nVERSION:" + version + "\nUID:u\n" + strings.Join(all, "\n") + "\nEND:VCARD\n"))
	}
	f.Add([]byte("BEGIN:VCARD\nVERSION:2.1\nUID:u\nAGENT:\nBEGIN:VCARD\nAGENT:\nBEGIN:VCARD\nEND:VCARD\nEND:VCARD\nBEGIN:X\nEND:X\nEND:VCARD\n"))
	f.Fuzz(func(t *testing.T, b []byte) { checkConversion(t, b, false) })
}

// Whatever there is a lot of, the work stays in proportion.
func TestConvertHostile(t *testing.T) {
	const n = 20_000
	for name, line := range map[string]string{
		"labels":        "ADR;TYPE=home:;;1;;;;\r\nLABEL;TYPE=work:x\r\n",
		"paired":        "LABEL:x\r\nADR:;;1;;;;\r\n",
		"dates":         "item#.X-ABDATE:2001-09-09\r\nitem#.X-ABLabel:_$!<Anniversary>!$_\r\n",
		"one group":     "a.X-ABDATE:2001-09-09\r\na.X-ABLabel:_$!<Anniversary>!$_\r\n",
		"anniversaries": "item#.ANNIVERSARY:20010909\r\nitem#.TEL:1\r\n",
		"a group":       "N:x\r\n",
		"agents":        "AGENT:\r\nBEGIN:VCARD\r\nEND:VCARD\r\n",
		"names":         "N;SORT-AS=a:;;;;\r\nSORT-STRING:b\r\nORG:\r\nNICKNAME:,\r\n",
		"prefs":         "TEL;PREF=#;TYPE=pref:1\r\n",
		"kinds":         "X-ADDRESSBOOKSERVER-KIND:group\r\nX-ADDRESSBOOKSERVER-MEMBER:x\r\nX-ABShowAs:COMPANY\r\n",
		"parameters":    "TEL" + strings.Repeat(";TYPE=a", 900) + ":1\r\n",
		"types":         "TEL;TYPE=\"" + strings.Repeat("a,", 2000) + "\":1\r\n",
		"long":          "PHOTO;ENCODING=b:" + strings.Repeat("AAAA", 2000) + "\r\n",
	} {
		for _, version := range []string{"2.1", "3.0", "4.0"} {
			b := []byte("BEGIN:VCARD\r\nVERSION:" + version + "\r\nUID:u\r\n")
			for i := 0; i < n && len(b) < 2<<20; i++ {
				b = append(b, strings.ReplaceAll(line, "#", strconv.Itoa(i))...)
			}
			b = append(b, "FN:x\r\nX-ADDRESSBOOKSERVER-KIND:group\r\nEND:VCARD\r\n"...)
			c, err := ParseCard(b)
			if err != nil {
				t.Fatal(err)
			}
			for _, to := range []string{"3.0", "4.0"} {
				start := time.Now()
				out, err := c.Convert(nil, b, to)
				if err != nil {
					t.Errorf("%s: %v", name, err)
				}
				if d := time.Since(start); d > 5*time.Second || len(out) > 8*len(b) {
					t.Errorf("%s, %s to %s: %v, %d bytes of %d", name, version, to, d, len(out), len(b))
				}
				if d, err := ParseCard(out); err != nil || d.UID() != "u" {
					t.Errorf("%s, %s to %s: %v", name, version, to, err)
				}
			}
		}
	}
}

// go-vcard reads in the result what it read in the source, and finds the
// preferred ones that its own conversion, which knows nothing but PREF, finds.
func TestConvertOracle(t *testing.T) {
	source := crlf("BEGIN:VCARD", "VERSION:3.0", "UID:u", "FN:Jörg B.", "N:B.;Jörg;;;",
		"item1.TEL;TYPE=home:+1", "TEL;TYPE=work,pref:+2", "item1.X-ABLabel:x", "EMAIL;TYPE=work:a@b", "EMAIL;TYPE=pref,home:c@d",
		"ORG:ABC;Sales", "TITLE:Boss", "NOTE:"+strings.Repeat("long ", 40), "CATEGORIES:a,b", "URL:http://x", "BDAY:19960415",
		"ADR;TYPE=home,pref:;;1 Main St;Town;;123;", "REV:19951031T222710Z", "END:VCARD")
	decode := func(b []byte) govcard.Card {
		card, err := govcard.NewDecoder(bytes.NewReader(b)).Decode()
		if err != nil {
			t.Fatal(err)
		}
		return card
	}
	c, err := ParseCard(source)
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.Convert(nil, source, "4.0")
	if err != nil {
		t.Fatal(err)
	}
	want, got := decode(source), decode(out)
	govcard.ToV4(want)
	if got.Value("VERSION") != want.Value("VERSION") {
		t.Error(got.Value("VERSION"))
	}
	for name, fields := range want {
		if name == "BDAY" || len(fields) != len(got[name]) {
			if name != "BDAY" {
				t.Errorf("%s: %d, want %d", name, len(got[name]), len(fields))
			}
			continue
		}
		for i, f := range fields {
			if g := got[name][i]; g.Value != f.Value || g.Group != f.Group {
				t.Errorf("%s: %q, want %q", name, g.Value, f.Value)
			}
			for _, typ := range f.Params.Types() {
				if typ != "pref" && !got[name][i].Params.HasType(typ) {
					t.Errorf("%s: no type %s", name, typ)
				}
			}
		}
		if g, w := got.PreferredValue(name), want.PreferredValue(name); g != w {
			t.Errorf("%s: prefers %q, want %q", name, g, w)
		}
	}
	if adr := got.Address(); adr.StreetAddress != "1 Main St" || adr.PostalCode != "123" {
		t.Errorf("%+v", adr)
	}
}

func BenchmarkConvert(b *testing.B) {
	plain := []string{"FN:Jörg B.", "N:B.;Jörg;;;", "UID:4fbe8971-0bc3-424c-9c26-36c3e1eff6b1", "item1.TEL;TYPE=home:+1", "TEL;TYPE=work,pref:+2",
		"EMAIL;TYPE=work:a@b", "ORG:ABC;Sales", "TITLE:Boss", "NOTE:a few words", "CATEGORIES:a,b", "URL:http://x", "BDAY:1996-04-15",
		"ADR;TYPE=home,pref:;;1 Main St;Town;;123;", "REV:1995-10-31T22:27:10Z"}
	photo := slices.Concat(plain, []string{"PHOTO;ENCODING=b;TYPE=JPEG:" + strings.Repeat("/9j/", 10<<10)})
	for name, lines := range map[string][]string{"plain": plain, "photo40k": photo} {
		var three []byte
		three = append(three, "BEGIN:VCARD\r\nVERSION:3.0\r\n"...)
		for _, l := range lines {
			three = ical.AppendLine(three, l)
		}
		three = append(three, "END:VCARD\r\n"...)
		c, err := ParseCard(three)
		if err != nil {
			b.Fatal(err)
		}
		four, err := c.Convert(nil, three, "4.0")
		if err != nil {
			b.Fatal(err)
		}
		for version, source := range map[string][]byte{"4.0": three, "3.0": four} {
			b.Run(name+"To"+version[:1], func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(len(source)))
				var out []byte
				for b.Loop() {
					c, err := ParseCard(source)
					if err == nil {
						out, err = c.Convert(out[:0], source, version)
					}
					if err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
