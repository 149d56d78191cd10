package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"

	"inetdav/dav/access/question"
	"inetdav/dav/config"
)

// maxDovecotLines bounds what Dovecot may say before it answers.
const maxDovecotLines = 1000

// dovecotLogin asks Dovecot's authentication service, in version 1.1 of its
// protocol.
func dovecotLogin(ctx context.Context, c *config.Config, q question.Question) (a question.Answer, err error) {
	network, address := "unix", c.String("auth", "dovecot_socket")
	switch kind := c.String("auth", "dovecot_connection_type"); kind {
	case "AF_UNIX":
	case "AF_INET", "AF_INET6":
		network = map[string]string{"AF_INET": "tcp4", "AF_INET6": "tcp6"}[kind]
		address = net.JoinHostPort(c.String("auth", "dovecot_host"), c.String("auth", "dovecot_port"))
	default:
		return a, fmt.Errorf("[auth] dovecot_connection_type: %q is none of AF_UNIX, AF_INET and AF_INET6", kind)
	}
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return a, fmt.Errorf("dovecot: %w", err)
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	conn.SetDeadline(deadline)

	in := bufio.NewReader(io.LimitReader(conn, 1<<20))
	lines := 0
	read := func() ([]string, error) {
		if lines++; lines > maxDovecotLines {
			return nil, errors.New("dovecot: it says too much")
		}
		line, err := in.ReadString('\n')
		if err != nil {
			return nil, fmt.Errorf("dovecot: %w", err)
		}
		return strings.Split(strings.TrimSuffix(line, "\n"), "\t"), nil
	}
	if _, err := fmt.Fprintf(conn, "VERSION\t1\t1\nCPID\t%d\n", os.Getpid()); err != nil {
		return a, fmt.Errorf("dovecot: %w", err)
	}
	plain := false
	for {
		words, err := read()
		if err != nil {
			return a, err
		}
		if words[0] == "VERSION" && (len(words) < 2 || words[1] != "1") {
			return a, fmt.Errorf("dovecot: version %v of its protocol is unknown", words[1:])
		}
		plain = plain || words[0] == "MECH" && len(words) > 1 && words[1] == "PLAIN"
		if words[0] == "DONE" {
			break
		}
	}
	if !plain {
		return a, errors.New("dovecot: it does not offer PLAIN")
	}
	request := "AUTH\t1\tPLAIN\tservice=radicale"
	if q.Address != "" && !strings.ContainsAny(q.Address, "\t\n/") {
		request += "\trip=" + q.Address
	}
	resp := base64.StdEncoding.EncodeToString([]byte("\x00" + q.User + "\x00" + q.Password))
	if _, err := io.WriteString(conn, request+"\tresp="+resp+"\n"); err != nil {
		return a, fmt.Errorf("dovecot: %w", err)
	}
	for {
		words, err := read()
		switch {
		case err != nil:
			return a, err
		case len(words) < 2 || words[1] != "1":
			continue
		case words[0] == "OK":
			return yes(q.User), nil
		case words[0] == "CONT":
			return a, errors.New("dovecot: it wants to know more than PLAIN says")
		case words[0] == "FAIL":
			for _, w := range words[2:] {
				if w == "temp" {
					return a, errors.New("dovecot: temporary failure")
				}
			}
			return no("dovecot refuses"), nil
		}
	}
}
