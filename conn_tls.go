package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"inetdav/dav/access"
	"inetdav/dav/config"
)

// loadTLS gives the configuration of TLS, nil when the connection is plain.
// Certificates need no reload: each process reads them.
func loadTLS(c *config.Config, logs *sink) (*tls.Config, error) {
	if !c.Bool("server", "ssl") {
		return nil, nil
	}
	pair, err := tls.LoadX509KeyPair(c.Path("server", "certificate"), c.Path("server", "key"))
	if err != nil {
		return nil, fmt.Errorf("[server] ssl is on, but certificate or key is not usable: %w", err)
	}
	t := &tls.Config{
		Certificates: []tls.Certificate{pair},
		NextProtos:   []string{"http/1.1"},
		// No other process could resume with this one's keys.
		SessionTicketsDisabled: true,
	}
	var older []string
	if t.MinVersion, t.MaxVersion, older, err = tlsVersions(c.String("server", "protocol")); err != nil {
		return nil, fmt.Errorf("[server] protocol: %w", err)
	}
	if len(older) > 0 {
		logs.Logf(levelNotice, "[server] protocol: %s left out: nothing older than TLS 1.2 is spoken here", strings.Join(older, ", "))
	}
	var unknown []string
	if t.CipherSuites, unknown, err = tlsSuites(c.String("server", "ciphersuite")); err != nil {
		return nil, fmt.Errorf("[server] ciphersuite: %w", err)
	}
	if len(unknown) > 0 {
		logs.Logf(levelNotice, "[server] ciphersuite: no effect here: %s", strings.Join(unknown, ", "))
	}
	if name := c.Path("server", "certificate_authority"); name != "" {
		pem, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("[server] certificate_authority: %w", err)
		}
		t.ClientCAs = x509.NewCertPool()
		if !t.ClientCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("[server] certificate_authority: no certificate in %s", name)
		}
		t.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return t, nil
}

// shareTickets lets clients resume what they have begun with another process, as
// far as the certificates of both ends are asked for alike.
func shareTickets(t *tls.Config, c *config.Config, logs *sink) {
	authority := ""
	if name := c.Path("server", "certificate_authority"); name != "" {
		pem, err := os.ReadFile(name)
		if err != nil {
			return
		}
		authority = string(pem)
	}
	keys, err := access.TicketKeys(c, os.Getenv, time.Now(), string(slices.Concat(t.Certificates[0].Certificate...)), authority)
	if err != nil {
		logs.Logf(levelWarning, "keys of TLS session tickets: %v: each connection begins with a full handshake", err)
	}
	if len(keys) > 0 {
		t.SessionTicketsDisabled = false
		t.SetSessionTicketKeys(keys)
	}
}

// tlsVersions reads Radicale's [server] protocol: words which each add a version
// or all of them, or take one away with a "-". older are those wanted that are not
// spoken.
func tlsVersions(protocol string) (lowest, highest uint16, older []string, err error) {
	names := [...]string{"SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"}
	const v12, v13 = 3, 4
	words := strings.Fields(protocol)
	if len(words) == 0 {
		return tls.VersionTLS12, 0, nil, nil
	}
	var on [len(names)]bool
	for _, word := range words {
		word = strings.Trim(word, "+") // as Radicale
		name, off := strings.CutPrefix(word, "-")
		i := slices.Index(names[:], name)
		switch {
		case word == "ALL":
			// the old ones were not asked for by name
			on[v12], on[v13] = true, true
		case word == "SSLv2" || word == "-SSLv2":
		case i < 0:
			return 0, 0, nil, fmt.Errorf("%q is no version (ALL, TLSv1.2, TLSv1.3, or with a - before)", word)
		default:
			on[i] = !off
		}
	}
	for i := range v12 {
		if on[i] {
			older = append(older, names[i])
		}
	}
	switch {
	case on[v12] && on[v13]:
		return tls.VersionTLS12, tls.VersionTLS13, older, nil
	case on[v12]:
		return tls.VersionTLS12, tls.VersionTLS12, older, nil
	case on[v13]:
		return tls.VersionTLS13, tls.VersionTLS13, older, nil
	}
	return 0, 0, nil, errors.New("neither TLSv1.2 nor TLSv1.3 is left")
}

// tlsSuites reads [server] ciphersuite, an OpenSSL cipher list (openssl-ciphers(1)),
// as far as it is about suites that Go takes for safe; of TLS 1.3 all are used, as
// with OpenSSL. unknown are the words that name none of them. Their order says
// nothing: the hardware of both ends decides.
func tlsSuites(list string) (ids []uint16, unknown []string, err error) {
	words := strings.FieldsFunc(list, func(r rune) bool { return r == ':' || r == ',' || r == ' ' })
	if len(words) == 0 {
		return nil, nil, nil
	}
	var banned []uint16
	for _, word := range words {
		name := strings.TrimLeft(word, "+-!")
		var named []uint16
		for _, s := range openSSLSuites() {
			if s.is(name) {
				named = append(named, s.id)
			}
		}
		if len(named) == 0 {
			if name == word { // what is taken away is not there anyhow
				unknown = append(unknown, word)
			}
			continue
		}
		named = slices.DeleteFunc(named, func(id uint16) bool { return slices.Contains(banned, id) })
		switch word[0] {
		case '+': // only changes the order
		case '-', '!':
			ids = slices.DeleteFunc(ids, func(id uint16) bool { return slices.Contains(named, id) })
			if word[0] == '!' {
				banned = append(banned, named...)
			}
		default:
			for _, id := range named {
				if !slices.Contains(ids, id) {
					ids = append(ids, id)
				}
			}
		}
	}
	if len(ids) == 0 {
		return nil, nil, fmt.Errorf("%q leaves no suite that is safe", list)
	}
	return ids, unknown, nil
}

// openSSLSuite is a suite of TLS 1.2 and what OpenSSL's lists call it by.
type openSSLSuite struct {
	id    uint16
	name  string
	words string // keywords, with a blank around each
}

func openSSLSuites() []openSSLSuite {
	const common = " ALL DEFAULT HIGH ECDHE EECDH kECDHE kEECDH "
	const aead = " TLSv1.2 AEAD "
	return []openSSLSuite{
		{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, "ECDHE-ECDSA-AES128-GCM-SHA256", common + aead + " ECDSA aECDSA AES AES128 AESGCM SHA256 "},
		{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, "ECDHE-RSA-AES128-GCM-SHA256", common + aead + " RSA aRSA AES AES128 AESGCM SHA256 "},
		{tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, "ECDHE-ECDSA-AES256-GCM-SHA384", common + aead + " ECDSA aECDSA AES AES256 AESGCM SHA384 "},
		{tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, "ECDHE-RSA-AES256-GCM-SHA384", common + aead + " RSA aRSA AES AES256 AESGCM SHA384 "},
		{tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, "ECDHE-ECDSA-CHACHA20-POLY1305", common + aead + " ECDSA aECDSA CHACHA20 "},
		{tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, "ECDHE-RSA-CHACHA20-POLY1305", common + aead + " RSA aRSA CHACHA20 "},
		{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, "ECDHE-ECDSA-AES128-SHA", common + " TLSv1 ECDSA aECDSA AES AES128 SHA SHA1 "},
		{tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, "ECDHE-RSA-AES128-SHA", common + " TLSv1 RSA aRSA AES AES128 SHA SHA1 "},
		{tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA, "ECDHE-ECDSA-AES256-SHA", common + " TLSv1 ECDSA aECDSA AES AES256 SHA SHA1 "},
		{tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA, "ECDHE-RSA-AES256-SHA", common + " TLSv1 RSA aRSA AES AES256 SHA SHA1 "},
	}
}

// is tells whether the suite is meant by a name, or by keywords joined by "+".
func (s *openSSLSuite) is(name string) bool {
	if name == s.name {
		return true
	}
	for word := range strings.SplitSeq(name, "+") {
		if word == "" || !strings.Contains(s.words, " "+word+" ") {
			return false
		}
	}
	return true
}
