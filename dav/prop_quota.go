package dav

import (
	"strconv"

	"inetdav/dav/davxml"
	"inetdav/store"
)

// propQuota is RFC 4331, 3 and 4. Neither is part of allprop, as it says.
func propQuota() []property {
	d := func(local string) davxml.Name { return davxml.Name{Space: davxml.DAV, Local: local} }
	return []property{
		{name: d("quota-available-bytes"), on: kCollection, get: getQuotaAvailable},
		{name: d("quota-used-bytes"), on: kCollection &^ kRoot, get: getQuotaUsed},
	}
}

// getQuotaAvailable: there is no limit but the disk's.
func getQuotaAvailable(q *request, _ *target, o *propOut) error {
	n, err := q.h.store.Available()
	if err != nil {
		return err
	}
	o.text(strconv.FormatInt(max(0, n), 10))
	return nil
}

// getQuotaUsed adds up the sizes of the objects in a collection and in the
// collections in it that the user may read, as the indexes know them.
func getQuotaUsed(q *request, t *target, o *propOut) error {
	c, err := q.collection(t)
	if err != nil {
		return err
	}
	n, err := q.used(c, MaxDepth)
	if err != nil {
		return err
	}
	o.text(strconv.FormatInt(n, 10))
	return nil
}

func (q *request) used(c *store.Collection, depth int) (n int64, err error) {
	for rec := range c.Objects() {
		n += rec.Size
	}
	if err := c.Err(); err != nil || depth == 0 || c.Kind() != store.Plain {
		return n, err
	}
	for res, err := range q.members(c) {
		var m *store.Collection
		if err == nil {
			m, err = q.snapshot(res.Path, false)
		}
		if err != nil && memberStatus(err) != 0 {
			continue
		}
		if err != nil {
			return 0, err
		}
		inside, err := q.used(m, depth-1)
		m.Close()
		if err != nil {
			return 0, err
		}
		n += inside
	}
	return n, nil
}
