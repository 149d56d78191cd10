// Command inetdav-auth-helper says whether a login is right, for the kinds of
// [auth] type that need the network, large libraries or the rights of another
// user: ldap, imap, dovecot, oauth2, pam and checkpassword. The server asks it on
// a Unix socket, so that none of this is in the process that serves strangers
// (package question has the protocol). It reads the server's configuration,
// answers one question on standard input with standard output, and ends.
//
// Its super-server is inetdav-auth.socket or any other; where there is none, the
// server starts it as a child. Whoever can connect to the socket can try
// passwords, so only the server's user may.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"inetdav/dav/access/question"
	"inetdav/dav/config"
)

// The limits of time, below what the server waits.
const (
	asking    = 5 * time.Second // for the question
	verifying = 15 * time.Second
)

// A verifier asks who knows. An error says that nobody can tell now.
type verifier func(ctx context.Context, c *config.Config, q question.Question) (question.Answer, error)

func verifiers(kind string) verifier {
	switch kind {
	case "ldap":
		return ldapLogin
	case "imap":
		return imapLogin
	case "dovecot":
		return dovecotLogin
	case "oauth2":
		return oauth2Login
	case "pam":
		return pamLogin
	case "checkpassword":
		return checkpasswordLogin
	}
	return nil
}

func main() {
	args := os.Args[1:]
	if slices.Contains(args, "-h") || slices.Contains(args, "--help") {
		fmt.Print(`inetdav-auth-helper answers one login of inetdav on standard input, for
[auth] type = ldap, imap, dovecot, oauth2, pam or checkpassword. It is started by
inetdav-auth.socket, or by inetdav itself; see AUTHENTICATION in inetdav(1).
Its options are those of inetdav.
`)
		return
	}
	os.Exit(run(args, os.Getenv, os.Stdin, os.Stdout, os.Stderr))
}

// run answers one question. The exit code is 0 when it could, whatever the answer.
func run(args []string, getenv func(string) string, in io.Reader, out, log io.Writer) int {
	late := time.AfterFunc(asking, func() { os.Exit(1) })
	q, err := question.ReadQuestion(in)
	if err != nil {
		fmt.Fprintf(log, "inetdav-auth-helper: %v\n", err)
		return 1
	}
	late.Stop()
	answer, err := verify(args, getenv, q)
	if err != nil {
		answer = question.Answer{Verdict: question.Later, Reason: err.Error()}
	}
	if err := answer.Write(out); err != nil {
		fmt.Fprintf(log, "inetdav-auth-helper: %v\n", err)
		return 1
	}
	return 0
}

func verify(args []string, getenv func(string) string, q question.Question) (a question.Answer, err error) {
	c, _, _, err := config.Load(args, getenv)
	if err != nil {
		return a, err
	}
	kind := c.String("auth", "type")
	v := verifiers(kind)
	if v == nil {
		return a, fmt.Errorf("[auth] type = %s needs no helper: does it read the server's configuration?", kind)
	}
	if q.User == "" || q.Password == "" {
		// RFC 4513, 5.1.2, and no better anywhere else
		return no("empty user or password"), nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), verifying)
	defer cancel()
	type result struct {
		a   question.Answer
		err error
	}
	done := make(chan result, 1)
	go func() {
		a, err := v(ctx, c, q)
		done <- result{a, err}
	}()
	select {
	case r := <-done:
		return r.a, r.err
	case <-ctx.Done():
		return a, errors.New(kind + ": no answer in time")
	}
}

func no(format string, args ...any) question.Answer {
	return question.Answer{Verdict: question.No, Reason: fmt.Sprintf(format, args...)}
}

func yes(user string, groups ...string) question.Answer {
	groups = slices.DeleteFunc(groups, func(g string) bool { return g == "" || strings.IndexByte(g, 0) >= 0 })
	return question.Answer{Verdict: question.Yes, User: user, Groups: groups[:min(len(groups), question.MaxGroups)]}
}
