package dav

import (
	"crypto/sha256"
	"encoding/hex"
	"io"

	"inetdav/dav/davxml"
	"inetdav/store"
)

// propApple is caldav-ctag, and the properties of Apple's clients that mean
// something to others too: the rest are dead properties.
func propApple() []property {
	source := davxml.Name{Space: davxml.CS, Local: "source"}
	return []property{
		{name: davxml.Name{Space: davxml.CS, Local: "getctag"}, on: kTagged | kPrincipal, allprop: true, get: getCTag},
		{name: source, on: kSubscribed, get: getSource(source), set: setSource(source)},
	}
}

// getCTag is opaque; clients only compare it. It is also the entity tag of a
// collection as a whole.
func getCTag(q *request, t *target, o *propOut) error {
	c, err := q.collection(t)
	if err != nil {
		return err
	}
	if t.kind() == kPrincipal {
		return getHomeCTag(q, c, o)
	}
	o.text(`"` + c.CTag() + `"`)
	return nil
}

// getHomeCTag changes with any collection of a home that the user may see:
// Apple's clients look at nothing else to learn that one is gone.
func getHomeCTag(q *request, home *store.Collection, o *propOut) error {
	sum := sha256.New()
	for res, err := range q.members(home) {
		var c *store.Collection
		if err == nil {
			c, err = q.snapshot(res.Path, false)
		}
		if err != nil {
			if memberStatus(err) == 0 {
				return err
			}
			continue
		}
		// a name holds no NUL
		io.WriteString(sum, base(res.Path)+"\x00"+c.CTag()+"\x00")
		c.Close()
	}
	o.text(`"` + hex.EncodeToString(sum.Sum(nil)) + `"`)
	return nil
}

// The URL of a subscribed calendar stands as text in .Radicale.props.
func getSource(name davxml.Name) func(*request, *target, *propOut) error {
	return func(q *request, t *target, o *propOut) error {
		url, ok, err := q.text(t, name)
		if ok {
			o.elements(func(x *davxml.Writer) { x.Element(nHref, url) })
		}
		return err
	}
}

func setSource(name davxml.Name) func(*proppatch, *davxml.Element) error {
	return func(p *proppatch, e *davxml.Element) error {
		switch {
		case e == nil:
			p.remove(name)
		case e.Child(nHref) != nil:
			p.put(name, e.Child(nHref).Text())
		default:
			p.put(name, e.Text())
		}
		return nil
	}
}
