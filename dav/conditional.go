package dav

import (
	"net/http"
	"strings"
	"time"
)

// precondition evaluates If-Match, If-Unmodified-Since and If-None-Match in the
// order of RFC 9110, 13.2.2, for methods other than GET. etag is that of the
// resource as it is, with quotes, "" where it does not exist. It fails with
// 412.
func precondition(h http.Header, etag string, exists bool, modified time.Time) error {
	if im, ok := list(h, "If-Match"); ok {
		// Evolution and others write `If-Match: *` or an unquoted etag
		if !matches(im, etag, exists, strongMatch) {
			return refuse(http.StatusPreconditionFailed, "If-Match %s, etag %s", im, etag)
		}
	} else if us := h.Get("If-Unmodified-Since"); us != "" {
		if t, err := http.ParseTime(us); err == nil && exists && modified.Truncate(time.Second).After(t) {
			return refuse(http.StatusPreconditionFailed, "If-Unmodified-Since %s", us)
		}
	}
	if inm, ok := list(h, "If-None-Match"); ok && matches(inm, etag, exists, weakMatch) {
		return refuse(http.StatusPreconditionFailed, "If-None-Match %s, etag %s", inm, etag)
	}
	return nil
}

// unmodified evaluates the conditions of a GET in the same order: true is an
// answer with 304 (RFC 9110, 13.2.2).
func unmodified(h http.Header, etag string, modified time.Time) (bool, error) {
	if inm, ok := list(h, "If-None-Match"); ok {
		rest := h.Clone()
		rest.Del("If-None-Match")
		return matches(inm, etag, true, weakMatch), precondition(rest, etag, true, modified)
	}
	if err := precondition(h, etag, true, modified); err != nil {
		return false, err
	}
	t, err := http.ParseTime(h.Get("If-Modified-Since"))
	return err == nil && !modified.Truncate(time.Second).After(t), nil
}

// list joins the lines of a list-valued field (RFC 9110, 5.3).
func list(h http.Header, key string) (string, bool) {
	v := h.Values(key)
	if len(v) == 0 {
		return "", false
	}
	return strings.Join(v, ","), true
}

// matches reports whether a list of entity tags holds the one of a resource
// (RFC 9110, 13.1.1 and 13.1.2); `*` matches any that exists.
func matches(tags, etag string, exists bool, same func(a, b string) bool) bool {
	if strings.TrimSpace(tags) == "*" {
		return exists
	}
	if !exists || etag == "" {
		return false
	}
	for tags = strings.TrimLeft(tags, " \t,"); tags != ""; tags = strings.TrimLeft(tags, " \t,") {
		tag, rest := cutEtag(tags)
		if same(tag, etag) {
			return true
		}
		tags = rest
	}
	return false
}

// cutEtag takes the first entity tag off a list (RFC 9110, 8.8.3). What is not
// quoted, as some clients send it, counts as the tag up to the next comma.
func cutEtag(s string) (tag, rest string) {
	start := 0
	if strings.HasPrefix(s, "W/") {
		start = 2
	}
	if start < len(s) && s[start] == '"' {
		if end := strings.IndexByte(s[start+1:], '"'); end >= 0 {
			end += start + 2
			return s[:end], s[end:]
		}
		return s, ""
	}
	bare, rest, _ := strings.Cut(s, ",")
	return `"` + strings.TrimRight(bare, " \t") + `"`, rest
}

// strongMatch compares as RFC 9110, 8.8.3.2 does for If-Match.
func strongMatch(a, b string) bool {
	return a == b && !strings.HasPrefix(a, "W/")
}

func weakMatch(a, b string) bool {
	return strings.TrimPrefix(a, "W/") == strings.TrimPrefix(b, "W/")
}
