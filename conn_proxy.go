package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"inetdav/dav/config"
)

// This file reads the PROXY protocol, versions 1 and 2, in which a proxy tells
// in front of everything else on a connection, also TLS, who its client is
// (proxy-protocol.txt of HAProxy). Whoever may say it decides by it for whom
// failed logins are counted, so it is read from configured peers only, and these
// have to say it: nothing is guessed from what arrives. Nothing is read beyond
// the header, for what follows is another's.

// Limits of a header, in bytes.
const (
	// maxProxyLine is that of version 1, with its end (section 2.1).
	maxProxyLine = 107
	// maxProxyRest bounds what follows the fixed part in version 2: addresses,
	// and what proxies add to them (216 and some hundreds in practice).
	maxProxyRest = 4096
)

// proxySignature begins version 2 (section 2.2). No line of HTTP or of version
// 1, and no TLS record, begins like it.
const proxySignature = "\r\n\r\n\x00\r\nQUIT\n"

var errProxyHeader = errors.New("no header of the PROXY protocol, which this peer is configured to send")

// proxies are the peers that speak the PROXY protocol.
type proxies struct {
	unix     bool // whoever can connect to a unix socket
	prefixes []netip.Prefix
}

// loadProxies reads [inetdav] proxy_protocol: addresses, networks and "unix",
// separated by commas or blanks. Nobody is the default.
func loadProxies(c *config.Config) (p proxies, err error) {
	for _, word := range strings.FieldsFunc(c.String("inetdav", "proxy_protocol"), func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\n' }) {
		if word == "unix" {
			p.unix = true
			continue
		}
		prefix, err := netip.ParsePrefix(word)
		if err != nil {
			ip, err := netip.ParseAddr(word)
			if err != nil {
				return p, fmt.Errorf("[inetdav] proxy_protocol: %q is no address, no network and not unix", word)
			}
			prefix = netip.PrefixFrom(ip, ip.BitLen())
		}
		p.prefixes = append(p.prefixes, prefix)
	}
	return p, nil
}

// speaks tells whether the peer at the socket's other end, not the one that a
// super-server's variable names, has to send a header.
func (p *proxies) speaks(addr net.Addr) bool {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return p.unix
	}
	ip := tcp.AddrPort().Addr().Unmap().WithZone("")
	for _, prefix := range p.prefixes {
		if prefix.Contains(ip) {
			return true
		}
	}
	return false
}

// introduce reads the header, if the peer is one of p, and makes the client
// that it names c's peer. A proxy that speaks for itself (LOCAL: it only looks
// whether we are there) stays what it is.
func (c *connection) introduce(p *proxies, patience time.Duration) error {
	if !p.speaks(c.RemoteAddr()) {
		return nil
	}
	c.SetReadDeadline(time.Now().Add(patience))
	client, err := readProxyHeader(c)
	if err != nil {
		return err
	}
	c.SetReadDeadline(time.Time{})
	if client.IsValid() {
		c.peer = client.String()
	}
	return nil
}

// readProxyHeader reads a header, not a byte more, and gives the client's
// address; none where the header has none. io.EOF means that the peer has gone
// without a word.
func readProxyHeader(r io.Reader) (client netip.AddrPort, err error) {
	// The smallest header of version 1 is longer than the signature of 2.
	var head [maxProxyLine]byte
	n := len(proxySignature)
	if got, err := io.ReadFull(r, head[:n]); err != nil {
		if err == io.ErrUnexpectedEOF && !strings.HasPrefix("PROXY ", string(head[:min(got, 6)])) {
			err = errProxyHeader
		}
		return client, err
	}
	if string(head[:n]) == proxySignature {
		return readProxyBinary(r)
	}
	if !bytes.HasPrefix(head[:n], []byte("PROXY ")) {
		return client, errProxyHeader
	}
	for head[n-1] != '\n' {
		if n == len(head) {
			return client, errors.New("PROXY protocol: a line without an end")
		}
		if _, err := io.ReadFull(r, head[n:n+1]); err != nil {
			return client, err
		}
		n++
	}
	return parseProxyLine(string(head[:n]))
}

// parseProxyLine reads a header of version 1 (section 2.1).
func parseProxyLine(line string) (client netip.AddrPort, err error) {
	text, ok := strings.CutSuffix(line, "\r\n")
	fields := strings.Split(text, " ")
	if ok && len(fields) > 1 && fields[1] == "UNKNOWN" {
		return client, nil // whatever follows
	}
	if !ok || len(fields) != 6 || fields[1] != "TCP4" && fields[1] != "TCP6" {
		return client, fmt.Errorf("PROXY protocol: %q", line)
	}
	from, err1 := proxyEnd(fields[2], fields[4])
	to, err2 := proxyEnd(fields[3], fields[5])
	if err1 != nil || err2 != nil || from.Addr().Is4() != (fields[1] == "TCP4") || to.Addr().Is4() != from.Addr().Is4() {
		return client, fmt.Errorf("PROXY protocol: %q", line)
	}
	return netip.AddrPortFrom(from.Addr().Unmap(), from.Port()), nil
}

// proxyEnd reads one end of a connection. A zone is no address of another
// machine's.
func proxyEnd(address, port string) (netip.AddrPort, error) {
	ip, err := netip.ParseAddr(address)
	if err != nil || ip.Zone() != "" {
		return netip.AddrPort{}, errProxyHeader
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || port != strconv.FormatUint(n, 10) {
		return netip.AddrPort{}, errProxyHeader
	}
	return netip.AddrPortFrom(ip, uint16(n)), nil
}

// readProxyBinary reads a header of version 2 behind its signature (section
// 2.2).
func readProxyBinary(r io.Reader) (client netip.AddrPort, err error) {
	var fixed [4]byte
	if _, err := io.ReadFull(r, fixed[:]); err != nil {
		return client, err
	}
	length := int(binary.BigEndian.Uint16(fixed[2:]))
	if fixed[0]>>4 != 2 || fixed[0]&15 > 1 {
		return client, fmt.Errorf("PROXY protocol: version and command 0x%02x", fixed[0])
	}
	if length > maxProxyRest {
		return client, fmt.Errorf("PROXY protocol: a header of %d bytes", length)
	}
	rest := make([]byte, length)
	if _, err := io.ReadFull(r, rest); err != nil {
		return client, err
	}
	if fixed[0]&15 == 0 {
		return client, nil // LOCAL, whatever follows
	}
	size := 0 // of an address
	switch fixed[1] {
	case 0x00: // of no kind that the proxy could name
		return client, nil
	case 0x11:
		size = 4
	case 0x21:
		size = 16
	case 0x31: // a unix socket, whose name says nothing of the client
		size = 108
	default:
		return client, fmt.Errorf("PROXY protocol: address family and protocol 0x%02x", fixed[1])
	}
	ends := 2 * size
	if size < 108 {
		ends += 4
	}
	if length < ends {
		return client, fmt.Errorf("PROXY protocol: %d bytes for the addresses of kind 0x%02x", length, fixed[1])
	}
	if size == 108 {
		return client, nil
	}
	ip, _ := netip.AddrFromSlice(rest[:size])
	return netip.AddrPortFrom(ip.Unmap(), binary.BigEndian.Uint16(rest[2*size:])), nil
}
