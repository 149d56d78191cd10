package access

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"

	"inetdav/dav/config"
)

// Keys of TLS session tickets (RFC 5077, 4; RFC 8446, 4.6.1), so that a client
// may resume with the next process what it has begun with another: that spares
// both of them the signature. The file [tickets] has a few keys, each with the
// time at which it was made. Tickets are made with the newest, for
// ticketRotation; then whoever comes first makes another one, in the place of the
// oldest. What is too old is erased, not only left out: with a key, and what went
// over the wire under TLS 1.2, resumed connections can be read.
const (
	ticketRotation = 24 * time.Hour
	ticketKeys     = 3 // so a ticket is good for two days at least

	// ticketSkew is by how much a key may come from the future: clocks are
	// read before locks are had.
	ticketSkew = time.Minute

	ticketsMagic = "inetdvT1"
	ticketSize   = 48 // made at, in milliseconds 8, key 32, checksum 8
	ticketsSize  = headerSize + ticketKeys*ticketSize
)

// TicketKeys gives the keys for session tickets, the newest first; none where
// there is no state folder. They hold for one set of bound (the certificate, the
// authority of clients' certificates) alone: a client that had shown a
// certificate has to show it again where another one is asked for.
func TicketKeys(c *config.Config, getenv func(string) string, now time.Time, bound ...string) ([][32]byte, error) {
	dir, err := stateFolder(c, getenv)
	if dir == "" || err != nil {
		return nil, err
	}
	t, err := openTable(dir, "tickets", ticketsMagic, ticketsSize)
	if err != nil {
		return nil, err
	}
	defer t.close()
	var b [ticketKeys * ticketSize]byte
	if _, err := t.f.ReadAt(b[:], headerSize); err != nil {
		return nil, fmt.Errorf("%s: %w", t.f.Name(), err)
	}
	changed := false
	newest, oldest := 0, 0
	var made [ticketKeys]int64 // 0: no key
	for i := range made {
		slot := b[i*ticketSize:][:ticketSize]
		made[i] = int64(binary.LittleEndian.Uint64(slot))
		age := time.Duration(now.UnixMilli()-made[i]) * time.Millisecond
		sum := sha256.Sum256(slot[:40])
		if !bytes.Equal(slot[40:], sum[:8]) || made[i] <= 0 || age < -ticketSkew || age >= ticketKeys*ticketRotation {
			changed = changed || made[i] != 0
			made[i] = 0
			clear(slot)
		}
		if made[i] > made[newest] {
			newest = i
		}
		if made[i] < made[oldest] {
			oldest = i
		}
	}
	if made[newest] == 0 || now.UnixMilli()-made[newest] >= ticketRotation.Milliseconds() {
		changed = true
		newest = oldest
		made[newest] = now.UnixMilli()
		slot := b[newest*ticketSize:][:ticketSize]
		binary.LittleEndian.PutUint64(slot, uint64(made[newest]))
		rand.Read(slot[8:40])
		sum := sha256.Sum256(slot[:40])
		copy(slot[40:], sum[:8])
	}
	if changed {
		if _, err := t.f.WriteAt(b[:], headerSize); err != nil {
			return nil, err
		}
	}
	var keys [][32]byte
	for i := range made {
		if at := (newest + ticketKeys - i) % ticketKeys; made[at] != 0 {
			keys = append(keys, [32]byte(mac(b[at*ticketSize:][8:40], bound...)))
		}
	}
	return keys, nil
}
