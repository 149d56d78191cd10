// Package question is what the server and inetdav-auth-helper say to each
// other: a login is the question, the verdict is the answer. Each goes over its
// own connection of a Unix stream socket, or over the standard input and output
// of a helper that the server started.
//
// A question is
//
//	inetdav-auth 1 NUL user NUL password NUL address NUL
//
// and an answer one of
//
//	yes NUL user NUL {group NUL}
//	no NUL reason NUL
//	later NUL reason NUL
//
// followed by the end of the stream. The address is the client's, or empty. The
// user of the answer may be another name than that of the question. "no" is about
// the login; "later" says that nobody can tell now, and is a 503 to the client.
// The reason is for the log, in one line, and tells no password.
package question

import (
	"errors"
	"fmt"
	"io"
	"strings"
)

// The limits, in bytes, and of the number of groups.
const (
	MaxQuestion = 4 << 10
	MaxAnswer   = 64 << 10
	MaxGroups   = 1000
)

const greeting = "inetdav-auth 1"

// A Question asks whether a login is right.
type Question struct{ User, Password, Address string }

// A Verdict is the kind of an answer.
type Verdict string

const (
	Yes   Verdict = "yes"
	No    Verdict = "no"
	Later Verdict = "later"
)

// An Answer to a question. User and Groups are of Yes, Reason of the others.
type Answer struct {
	Verdict Verdict
	User    string
	Groups  []string
	Reason  string
}

// Write writes a question.
func (q Question) Write(w io.Writer) error {
	return write(w, MaxQuestion, greeting, q.User, q.Password, q.Address)
}

// ReadQuestion reads a question, and no further.
func ReadQuestion(r io.Reader) (q Question, err error) {
	var b []byte
	var one [1]byte
	for n := 0; n < 4; {
		if len(b) == MaxQuestion {
			return q, errors.New("the question is too long")
		}
		if _, err := io.ReadFull(r, one[:]); err != nil {
			return q, fmt.Errorf("reading the question: %w", err)
		}
		if b = append(b, one[0]); one[0] == 0 {
			n++
		}
	}
	parts := strings.Split(string(b), "\x00")
	if parts[0] != greeting {
		return q, errors.New("the question is of an unknown version")
	}
	return Question{parts[1], parts[2], parts[3]}, nil
}

// Write writes an answer.
func (a Answer) Write(w io.Writer) error {
	if a.Verdict == Yes {
		return write(w, MaxAnswer, append([]string{string(Yes), a.User}, a.Groups...)...)
	}
	return write(w, MaxAnswer, string(a.Verdict), strings.Join(strings.Fields(strings.ToValidUTF8(a.Reason, "?")), " "))
}

// ReadAnswer reads an answer up to the end of the stream.
func ReadAnswer(r io.Reader) (a Answer, err error) {
	b, err := io.ReadAll(io.LimitReader(r, MaxAnswer+1))
	if err != nil {
		return a, fmt.Errorf("reading the answer: %w", err)
	}
	text, whole := strings.CutSuffix(string(b), "\x00")
	parts := strings.Split(text, "\x00")
	if !whole || len(b) > MaxAnswer || len(parts) < 2 {
		return a, errors.New("the answer is not whole")
	}
	a.Verdict = Verdict(parts[0])
	switch {
	case a.Verdict == Yes && parts[1] != "" && len(parts) <= 2+MaxGroups:
		a.User, a.Groups = parts[1], parts[2:]
	case (a.Verdict == No || a.Verdict == Later) && len(parts) == 2:
		a.Reason = parts[1]
	default:
		return Answer{}, errors.New("the answer cannot be understood")
	}
	return a, nil
}

func write(w io.Writer, limit int, texts ...string) error {
	var b []byte
	for _, s := range texts {
		if strings.IndexByte(s, 0) >= 0 {
			return errors.New("NUL in a text")
		}
		b = append(append(b, s...), 0)
	}
	if len(b) > limit {
		return fmt.Errorf("longer than %d bytes", limit)
	}
	_, err := w.Write(b)
	return err
}
