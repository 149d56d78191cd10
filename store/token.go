package store

import (
	"encoding/hex"
	"strconv"
	"strings"
)

// A sync token is a URI (RFC 6578, 3.1 wants one): "data:,", the epoch of the
// journal in 16 hex digits, "-", and a sequence number in hex. It is only
// understood if it is exactly what we write.
const tokenPrefix = "data:,"

func syncToken(epoch, seq uint64) string {
	b := make([]byte, 0, len(tokenPrefix)+33)
	b = append(b, tokenPrefix...)
	b = appendHex64(b, epoch)
	b = append(b, '-')
	return string(strconv.AppendUint(b, seq, 16))
}

// parseToken returns the sequence number of a token of j's history that can
// still be answered.
func (j *journal) parseToken(token string) (seq uint64, err error) {
	_, digits, _ := strings.Cut(token, "-")
	seq, err = strconv.ParseUint(digits, 16, 64)
	if err != nil || token != syncToken(j.idx.epoch, seq) || seq > j.now.seq || seq < j.idx.floor {
		return 0, ErrSyncToken
	}
	return seq, nil
}

func appendHex64(dst []byte, v uint64) []byte {
	var b [8]byte
	for i := range b {
		b[i] = byte(v >> (56 - 8*i))
	}
	return hex.AppendEncode(dst, b[:])
}
