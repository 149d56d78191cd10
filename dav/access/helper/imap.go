package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/emersion/go-sasl"

	"inetdav/dav/access/question"
	"inetdav/dav/config"
)

// imapLogin logs in to an IMAP server, and out again.
func imapLogin(ctx context.Context, c *config.Config, q question.Question) (a question.Answer, err error) {
	security := strings.ToLower(c.String("auth", "imap_security")) // in any case, as Radicale takes it
	host, port, err := net.SplitHostPort(c.String("auth", "imap_host"))
	if err != nil {
		host, port = strings.Trim(c.String("auth", "imap_host"), "[]"), ""
	}
	if port == "" {
		port = "143"
		if security == "tls" {
			port = "993"
		}
	}
	settings := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(host, port))
	if err != nil {
		return a, fmt.Errorf("[auth] imap_host: %w", err)
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	conn.SetDeadline(deadline)
	var client *imapclient.Client
	switch security {
	case "tls":
		client = imapclient.New(tls.Client(conn, settings), nil)
	case "starttls":
		if client, err = imapclient.NewStartTLS(conn, &imapclient.Options{TLSConfig: settings}); err != nil {
			return a, fmt.Errorf("imap: %w", err)
		}
	case "none":
		client = imapclient.New(conn, nil)
	default:
		return a, fmt.Errorf("[auth] imap_security: %q is none of none, tls and starttls", security)
	}
	if err := client.WaitGreeting(); err != nil {
		return a, fmt.Errorf("imap: %w", err)
	}
	login := q.User
	if domain := c.String("auth", "imap_append_domain"); domain != "" && !strings.Contains(login, "@") {
		login += "@" + strings.TrimPrefix(domain, "@")
	}
	caps := client.Caps()
	if caps.Has(imap.AuthCap("PLAIN")) || !caps.Has(imap.AuthCap("LOGIN")) {
		err = client.Authenticate(sasl.NewPlainClient("", login, q.Password))
	} else {
		err = client.Authenticate(sasl.NewLoginClient(login, q.Password))
	}
	var refused *imap.Error
	if errors.As(err, &refused) && refused.Type == imap.StatusResponseTypeNo && refused.Code != imap.ResponseCodeUnavailable {
		return no("%v", err), nil
	}
	if err != nil {
		return a, fmt.Errorf("imap: %w", err)
	}
	client.Logout().Wait()
	return yes(q.User), nil
}
