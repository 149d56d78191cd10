package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"inetdav/dav/access/question"
	"inetdav/dav/config"
)

// ldapLogin finds the one entry of the user as the reader, its groups, and binds
// as the entry with the password.
func ldapLogin(ctx context.Context, c *config.Config, q question.Question) (a question.Answer, err error) {
	conn, err := ldapDial(ctx, c)
	if err != nil {
		return a, fmt.Errorf("[auth] ldap_uri: %w", err)
	}
	defer conn.Close()
	conn.SetTimeout(verifying)
	secret := c.String("auth", "ldap_secret")
	if name := c.String("auth", "ldap_secret_file"); name != "" {
		b, err := os.ReadFile(name)
		if err != nil {
			return a, fmt.Errorf("[auth] ldap_secret_file: %w", err)
		}
		secret = strings.TrimRight(string(b), "\r\n")
	}
	if reader := c.String("auth", "ldap_reader_dn"); reader != "" {
		if err := conn.Bind(reader, secret); err != nil {
			return a, fmt.Errorf("[auth] ldap_reader_dn: %w", err)
		}
	}

	filter := c.String("auth", "ldap_filter")
	escaped := ldap.EscapeFilter(q.User)
	filter = strings.NewReplacer("{{", "{", "}}", "}", "{0}", escaped, "{}", escaped).Replace(filter)
	userAttribute, groupsAttribute := c.String("auth", "ldap_user_attribute"), c.String("auth", "ldap_groups_attribute")
	attributes := []string{"1.1"} // none: RFC 4511, 4.5.1.8
	for _, name := range []string{userAttribute, groupsAttribute} {
		if name != "" {
			attributes = append(attributes, name)
		}
	}
	if len(attributes) > 1 {
		attributes = attributes[1:]
	}
	found, err := ldapSearch(conn, c.String("auth", "ldap_base"), filter, 2, attributes...)
	if err != nil {
		return a, fmt.Errorf("[auth] ldap_filter: %w", err)
	}
	if len(found) != 1 {
		return no("%d entries for the user, not 1", len(found)), nil
	}
	entry := found[0]
	user := q.User
	if userAttribute != "" {
		if user = entry.GetAttributeValue(userAttribute); user == "" {
			return no("the entry %s has no %s", entry.DN, userAttribute), nil
		}
	}
	var groups []string
	if groupsAttribute != "" {
		for _, value := range entry.GetAttributeValues(groupsAttribute) {
			groups = append(groups, groupName(value))
		}
	} else if base, members := c.String("auth", "ldap_group_base"), c.String("auth", "ldap_group_members_attribute"); base != "" && members != "" {
		filter := "(" + members + "=" + ldap.EscapeFilter(entry.DN) + ")"
		if more := c.String("auth", "ldap_group_filter"); more != "" {
			filter = "(&" + more + filter + ")"
		}
		found, err := ldapSearch(conn, base, filter, question.MaxGroups, "1.1")
		if err != nil {
			return a, fmt.Errorf("[auth] ldap_group_filter: %w", err)
		}
		for _, e := range found {
			groups = append(groups, groupName(e.DN))
		}
	}

	err = conn.Bind(entry.DN, q.Password)
	switch {
	case err == nil:
		return yes(user, groups...), nil
	case ldap.IsErrorAnyOf(err, ldap.LDAPResultInvalidCredentials, ldap.LDAPResultInappropriateAuthentication,
		ldap.LDAPResultNoSuchObject, ldap.LDAPResultUnwillingToPerform):
		return no("%v", err), nil
	}
	return a, err
}

func ldapSearch(conn *ldap.Conn, base, filter string, limit int, attributes ...string) ([]*ldap.Entry, error) {
	r, err := conn.Search(ldap.NewSearchRequest(base, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases,
		limit, int(verifying/time.Second), false, filter, attributes, nil))
	if err != nil && !ldap.IsErrorAnyOf(err, ldap.LDAPResultSizeLimitExceeded, ldap.LDAPResultNoSuchObject) {
		return nil, err
	}
	return r.Entries, nil
}

// groupName is the value of the first part of a name in a directory, and what is
// no such name as it is.
func groupName(value string) string {
	dn, err := ldap.ParseDN(value)
	if err != nil || len(dn.RDNs) == 0 || len(dn.RDNs[0].Attributes) == 0 {
		return value
	}
	return dn.RDNs[0].Attributes[0].Value
}

func ldapDial(ctx context.Context, c *config.Config) (*ldap.Conn, error) {
	uri := c.String("auth", "ldap_uri")
	deadline, _ := ctx.Deadline()
	dialer := &net.Dialer{Deadline: deadline}
	if rest, ok := strings.CutPrefix(uri, "ldapi://"); ok {
		return ldapLocal(ctx, dialer, rest)
	}
	u, err := url.Parse(uri)
	if err != nil {
		return nil, err
	}
	security := c.String("auth", "ldap_security")
	settings := &tls.Config{ServerName: u.Hostname(), MinVersion: tls.VersionTLS12}
	switch mode := c.String("auth", "ldap_ssl_verify_mode"); strings.ToUpper(mode) {
	case "REQUIRED", "OPTIONAL": // which are one to a client: a server always shows a certificate
	case "NONE":
		settings.InsecureSkipVerify = true
	default:
		return nil, fmt.Errorf("ldap_ssl_verify_mode: %q is none of NONE, OPTIONAL and REQUIRED", mode)
	}
	if name := c.String("auth", "ldap_ssl_ca_file"); name != "" {
		pem, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		if settings.RootCAs = x509.NewCertPool(); !settings.RootCAs.AppendCertsFromPEM(pem) {
			return nil, errors.New(name + " has no certificate")
		}
	}
	switch {
	case u.Scheme == "ldap" && security == "tls":
		port := u.Port()
		if port == "" {
			port = "636"
		}
		uri = "ldaps://" + net.JoinHostPort(u.Hostname(), port)
	case u.Scheme == "ldap" || u.Scheme == "ldaps":
	default:
		return nil, fmt.Errorf("%q is none of ldap://, ldaps:// and ldapi://", uri)
	}
	l, err := ldap.DialURL(uri, ldap.DialWithDialer(dialer), ldap.DialWithTLSConfig(settings))
	if err != nil {
		return nil, err
	}
	switch {
	case security == "starttls" && u.Scheme == "ldap":
		if err := l.StartTLS(settings); err != nil {
			l.Close()
			return nil, err
		}
	case security != "none" && security != "tls" && security != "starttls":
		l.Close()
		return nil, fmt.Errorf("ldap_security: %q is none of none, tls and starttls", security)
	}
	return l, nil
}

// ldapLocal connects to the socket of ldapi://, whose path is escaped.
func ldapLocal(ctx context.Context, dialer *net.Dialer, escaped string) (*ldap.Conn, error) {
	path, err := url.PathUnescape(escaped)
	if err != nil {
		return nil, err
	}
	if path == "" || path == "/" {
		path = "/var/run/slapd/ldapi"
	}
	conn, err := dialer.DialContext(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	l := ldap.NewConn(conn, false)
	l.Start()
	return l, nil
}
