// Package console asks a person at a terminal.
package console

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"golang.org/x/sys/unix"
)

// MaxTyped bounds what is read as a password, in bytes.
const MaxTyped = 4096

// exitInterrupted is the exit code of who gives up at the question.
const exitInterrupted = 1

// IsTerminal reports whether fd is a terminal.
func IsTerminal(fd int) bool {
	_, err := unix.IoctlGetTermios(fd, ioctlGetTermios)
	return err == nil
}

// AskPassword reads a line from standard input, whose reader is in; on a
// terminal with a question, and without echo.
func AskPassword(in *bufio.Reader, question string) (string, error) {
	if IsTerminal(0) {
		fmt.Fprint(os.Stderr, question)
		before, err := unix.IoctlGetTermios(0, ioctlGetTermios)
		if err != nil {
			return "", err
		}
		silent := *before
		silent.Lflag &^= unix.ECHO
		silent.Lflag |= unix.ECHONL
		if err := unix.IoctlSetTermios(0, ioctlSetTermios, &silent); err != nil {
			return "", err
		}
		restore := func() { unix.IoctlSetTermios(0, ioctlSetTermios, before) }
		defer restore()
		interrupted := make(chan os.Signal, 1)
		signal.Notify(interrupted, unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
		defer signal.Stop(interrupted)
		done := make(chan struct{})
		defer close(done)
		go func() {
			select {
			case <-interrupted:
				restore()
				os.Exit(exitInterrupted)
			case <-done:
			}
		}()
	}
	line, err := in.ReadString('\n')
	if err != nil && (err != io.EOF || line == "") {
		if err == io.EOF {
			err = errors.New("no password given")
		}
		return "", err
	}
	line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
	if len(line) > MaxTyped {
		return "", errors.New("the password is too long")
	}
	return line, nil
}
