package main

import (
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"hash"
	"net/http"
	"strings"
)

// digest is a challenge of Digest authentication (RFC 7616), which Baïkal asks
// for by default. Only what is sent for it is here: qop "auth" or none.
type digest struct {
	realm, nonce, opaque, algorithm string
	qop                             bool
	count                           int // how often the nonce was used
}

// parseDigest finds a challenge that can be answered, or nil. Where Basic is
// offered as well, Basic has been tried before.
func parseDigest(challenges []string) *digest {
	for _, c := range challenges {
		scheme, rest, _ := strings.Cut(strings.TrimSpace(c), " ")
		if !strings.EqualFold(scheme, "Digest") {
			continue
		}
		p := parameters(rest)
		d := &digest{realm: p["realm"], nonce: p["nonce"], opaque: p["opaque"], algorithm: p["algorithm"]}
		if d.newHash() == nil || d.nonce == "" {
			continue
		}
		if qop, ok := p["qop"]; ok {
			for _, q := range strings.Split(qop, ",") {
				d.qop = d.qop || strings.TrimSpace(q) == "auth"
			}
			if !d.qop {
				continue
			}
		}
		return d
	}
	return nil
}

// parameters reads name=value, name="value", ... The names come out in lower case.
func parameters(s string) map[string]string {
	p := map[string]string{}
	for s = strings.TrimLeft(s, " ,"); s != ""; s = strings.TrimLeft(s, " ,\t") {
		name, rest, ok := strings.Cut(s, "=")
		if !ok {
			break
		}
		var value strings.Builder
		if quoted, ok := strings.CutPrefix(strings.TrimLeft(rest, " "), `"`); ok {
			i := 0
			for ; i < len(quoted) && quoted[i] != '"'; i++ {
				if quoted[i] == '\\' && i+1 < len(quoted) {
					i++
				}
				value.WriteByte(quoted[i])
			}
			s = quoted[min(i+1, len(quoted)):]
		} else {
			end := strings.IndexAny(rest, ", ")
			if end < 0 {
				end = len(rest)
			}
			value.WriteString(rest[:end])
			s = rest[end:]
		}
		p[strings.ToLower(strings.TrimSpace(name))] = value.String()
	}
	return p
}

func (d *digest) newHash() func() hash.Hash {
	switch strings.ToUpper(strings.TrimSuffix(strings.ToLower(d.algorithm), "-sess")) {
	case "", "MD5":
		return md5.New
	case "SHA-256":
		return sha256.New
	}
	return nil
}

// answer is the Authorization field of a request (RFC 7616, 3.4).
func (d *digest) answer(r *http.Request, user, password string) string {
	sum := func(parts ...string) string {
		h := d.newHash()()
		h.Write([]byte(strings.Join(parts, ":")))
		return fmt.Sprintf("%x", h.Sum(nil))
	}
	d.count++
	nc, cnonce, uri := fmt.Sprintf("%08x", d.count), rand.Text(), r.URL.RequestURI()
	a1 := sum(user, d.realm, password)
	if strings.HasSuffix(strings.ToLower(d.algorithm), "-sess") {
		a1 = sum(a1, d.nonce, cnonce)
	}
	a2 := sum(r.Method, uri)
	quote := func(s string) string { return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"` }
	field := "Digest username=" + quote(user) + ", realm=" + quote(d.realm) + ", nonce=" + quote(d.nonce) + ", uri=" + quote(uri)
	if d.qop {
		field += ", qop=auth, nc=" + nc + ", cnonce=" + quote(cnonce) + ", response=" + quote(sum(a1, d.nonce, nc, cnonce, "auth", a2))
	} else {
		field += ", response=" + quote(sum(a1, d.nonce, a2))
	}
	if d.algorithm != "" {
		field += ", algorithm=" + d.algorithm
	}
	if d.opaque != "" {
		field += ", opaque=" + quote(d.opaque)
	}
	return field
}
