package object

import (
	"errors"
	"strings"
)

func wraps(err, want error) bool {
	if want == nil {
		return err == nil
	}
	return errors.Is(err, want)
}

func crlf(lines ...string) []byte { return []byte(strings.Join(lines, "\r\n") + "\r\n") }
