package access

import "net/http"

// Peer says where a request comes from, in the words that Radicale's log has
// for it, and filters for it know: "ADDRESS (forwarded for 'ADDRESSES')".
func Peer(r *http.Request) string { return peer(r) }

// Repr shows a text as Python's repr does, without control characters.
func Repr(s string) string { return repr(s) }
