package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"inetdav/dav/access/question"
	"inetdav/dav/config"
)

// maxCheckpassword is what a checkpassword program reads, in bytes.
const maxCheckpassword = 512

// checkpasswordLogin asks the program of [inetdav] checkpassword.
func checkpasswordLogin(ctx context.Context, c *config.Config, q question.Question) (a question.Answer, err error) {
	argv := strings.Fields(c.String("inetdav", "checkpassword"))
	if len(argv) == 0 {
		return a, errors.New("[inetdav] checkpassword is empty: it is the program, and its arguments, to ask")
	}
	return checkpassword(ctx, argv, q)
}

// checkpassword runs a program that speaks the interface of D. J. Bernstein's
// checkpassword: it reads the user, the password and a timestamp from descriptor
// 3, each with NUL behind, and ends with 0 or becomes what the rest of its
// arguments say if the login is right, with 1 if it is wrong, with 111 if it
// cannot tell now, and with 2 if it is misused.
func checkpassword(ctx context.Context, argv []string, q question.Question) (a question.Answer, err error) {
	text := q.User + "\x00" + q.Password + "\x00Y" + strconv.FormatInt(time.Now().Unix(), 10) + "\x00"
	if len(text) > maxCheckpassword {
		return no("user and password are longer than a checkpassword program reads"), nil
	}
	r, w, err := os.Pipe()
	if err != nil {
		return a, err
	}
	defer r.Close()
	_, err = io.WriteString(w, text) // less than a pipe holds
	w.Close()
	if err != nil {
		return a, err
	}
	code, said, err := command(ctx, argv, "", r)
	if err != nil {
		return a, fmt.Errorf("[inetdav] checkpassword: %w", err)
	}
	switch code {
	case 0:
		return yes(q.User), nil
	case 1:
		return no("%s refuses", argv[0]), nil
	}
	return a, fmt.Errorf("%s ended with %d: %s", argv[0], code, said)
}

// command runs a program with little of an environment, and gives its exit code
// and the beginning of what it said.
func command(ctx context.Context, argv []string, stdin string, extra ...*os.File) (code int, said string, err error) {
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=" + path(), "LC_ALL=C"}
	cmd.Stdin = strings.NewReader(stdin)
	cmd.Stdout, cmd.Stderr = &limited{w: &out, left: 4096}, &limited{w: &out, left: 4096}
	cmd.ExtraFiles = extra
	cmd.WaitDelay = time.Second
	err = cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Exited() {
		err = nil
	}
	if err != nil {
		return 0, "", err
	}
	return cmd.ProcessState.ExitCode(), out.String(), nil
}

func path() string {
	if p := os.Getenv("PATH"); p != "" {
		return p
	}
	return "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
}

type limited struct {
	w    io.Writer
	left int
}

func (l *limited) Write(b []byte) (int, error) {
	n, err := l.w.Write(b[:min(len(b), l.left)])
	l.left -= n
	if err != nil {
		return n, err
	}
	return len(b), nil
}

// pamLogin asks PAM, through a program, since its modules are for C: that of
// [inetdav] checkpassword, else checkpassword-pam, else pamtester. The groups are
// those of the system's user.
func pamLogin(ctx context.Context, c *config.Config, q question.Question) (a question.Answer, err error) {
	code, said, err := command(ctx, []string{"id", "-Gn", "--", q.User}, "")
	if err != nil {
		return a, fmt.Errorf("pam: %w", err)
	}
	if code != 0 {
		return no("pam: the system has no such user"), nil
	}
	groups := strings.Fields(said)
	if need := c.String("auth", "pam_group_membership"); need != "" && !slices.Contains(groups, need) {
		return no("pam: the user is not in group %s", need), nil
	}
	service := c.String("auth", "pam_service")
	argv := strings.Fields(c.String("inetdav", "checkpassword"))
	if len(argv) == 0 {
		if _, err := exec.LookPath("checkpassword-pam"); err == nil {
			argv = []string{"checkpassword-pam", "-s", service, "--", "true"}
		}
	}
	if len(argv) > 0 {
		a, err = checkpassword(ctx, argv, q)
	} else if _, missing := exec.LookPath("pamtester"); missing == nil {
		if strings.ContainsAny(q.Password, "\r\n") {
			return no("pam: a line break in the password"), nil
		}
		if code, said, err = command(ctx, []string{"pamtester", "--", service, q.User, "authenticate", "acct_mgmt"}, q.Password+"\n"); err != nil {
			return a, fmt.Errorf("pam: %w", err)
		}
		if a = yes(q.User); code != 0 {
			a = no("pam: %s", said)
		}
	} else {
		return a, errors.New("pam: neither checkpassword-pam nor pamtester is installed, and [inetdav] checkpassword names no other program")
	}
	if err == nil && a.Verdict == question.Yes {
		a = yes(q.User, groups...)
	}
	return a, err
}
