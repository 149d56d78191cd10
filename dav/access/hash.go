package access

import (
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"io"
	"math/bits"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
)

// What one verification may cost. A hash that asks for more is refused like
// one of an unknown kind: the file is ours, but anybody may ask for a login.
const (
	// MaxPassword is the length in bytes of the longest password, as in glibc's crypt.
	MaxPassword = 512
	// MaxRounds bounds rounds= of sha256 and sha512.
	MaxRounds = 1_000_000
	// MaxBcryptCost is about five seconds of a server's processor.
	MaxBcryptCost = 16
	// MaxArgon2Memory is in KiB; the common default is 64 MiB.
	MaxArgon2Memory = 256 << 10
	// MaxArgon2Work bounds memory in KiB times passes.
	MaxArgon2Work = 2 << 20
)

// scheme is how a password is kept.
type scheme uint8

const (
	unknown scheme = iota // not known, too expensive or damaged: never lets in
	plain
	apr1
	sha256crypt
	sha512crypt
	bcryptHash
	argon2Hash
	schemes // how many there are
)

// String gives the value of [auth] htpasswd_encryption that allows the scheme.
func (s scheme) String() string {
	return [...]string{"unknown", "plain", "md5", "sha256", "sha512", "bcrypt", "argon2"}[s]
}

// detect says what kind of hash an entry of a users file is. What looks like
// a hash but is none that we know is unknown, not plain: else the hash itself
// would be the password.
func detect(digest string) scheme {
	switch {
	case strings.HasPrefix(digest, "$apr1$"):
		if salt, sum, ok := strings.Cut(digest[6:], "$"); ok && len(salt) <= 8 && inAlphabet(salt) && len(sum) == 22 && inAlphabet(sum) {
			return apr1
		}
	case strings.HasPrefix(digest, "$5$"), strings.HasPrefix(digest, "$6$"):
		if _, _, _, ok := shaParts(digest); ok && digest[1] == '5' {
			return sha256crypt
		} else if ok {
			return sha512crypt
		}
	case strings.HasPrefix(digest, "$2"):
		// "$2$", the oldest form, hashes otherwise than its followers.
		if len(digest) == 60 && strings.IndexByte("abxy", digest[2]) >= 0 && digest[3] == '$' && digest[6] == '$' && inAlphabet(digest[7:]) {
			if cost, err := strconv.ParseUint(digest[4:6], 10, 8); err == nil && cost >= 4 && cost <= MaxBcryptCost {
				return bcryptHash
			}
		}
	case strings.HasPrefix(digest, "$argon2"):
		if _, ok := parseArgon2(digest); ok {
			return argon2Hash
		}
	case !likeHash(digest):
		return plain
	}
	return unknown
}

// likeHash says whether a text has the form of some hash: $id$..., {SCHEME}...,
// "_" with 19 more, or traditional crypt(3), which is thirteen characters;
// words of thirteen letters are taken for passwords.
func likeHash(s string) bool {
	if len(s) > 1 && (s[0] == '$' || s[0] == '{') {
		end := byte('$')
		if s[0] == '{' {
			end = '}'
		}
		n := strings.IndexByte(s[1:], end)
		return n > 0 && strings.Trim(s[1:1+n], "-._0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz,=") == ""
	}
	if len(s) == 20 && s[0] == '_' {
		return inAlphabet(s[1:])
	}
	return len(s) == 13 && inAlphabet(s) && strings.ContainsAny(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") &&
		strings.ContainsAny(s, "abcdefghijklmnopqrstuvwxyz") && strings.ContainsAny(s, "./0123456789")
}

// alphabet is the base 64 of crypt(3).
const alphabet = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

func inAlphabet(s string) bool { return strings.Trim(s, alphabet) == "" }

// verify says whether the password belongs to the entry, which must be of the scheme.
func verify(s scheme, digest, password string) bool {
	if len(password) > MaxPassword || strings.IndexByte(password, 0) >= 0 {
		return false
	}
	switch s {
	case plain:
		// Hashed first, so that the time does not tell the length.
		a, b := sha256.Sum256([]byte(digest)), sha256.Sum256([]byte(password))
		return subtle.ConstantTimeCompare(a[:], b[:]) == 1
	case apr1:
		salt, _, ok := strings.Cut(strings.TrimPrefix(digest, "$apr1$"), "$")
		return ok && same(apr1Crypt(password, salt), digest)
	case sha256crypt, sha512crypt:
		rounds, salt, sum, ok := shaParts(digest)
		return ok && same(shaCrypt(s, password, salt, rounds), sum)
	case bcryptHash:
		return bcrypt.CompareHashAndPassword([]byte(digest), bcryptKey(password)) == nil
	case argon2Hash:
		a, ok := parseArgon2(digest)
		return ok && subtle.ConstantTimeCompare(a.key(password), a.sum) == 1
	}
	return false
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// bcryptKey cuts a password to what bcrypt looks at, as Radicale does.
func bcryptKey(password string) []byte { return []byte(password[:min(MaxBcrypt, len(password))]) }

// MaxBcrypt is how many bytes of a password bcrypt looks at.
const MaxBcrypt = 72

// CheckScheme tells whether HashPassword knows a scheme.
func CheckScheme(scheme string) error {
	switch scheme {
	case "", "bcrypt", "argon2id", "sha512-crypt", "sha256-crypt":
		return nil
	}
	return errors.New("unknown scheme " + strconv.Quote(scheme) + ": there are bcrypt, argon2id, sha512-crypt and sha256-crypt")
}

// HashPassword writes a hash of the password for a users file, without a line
// end. Schemes are bcrypt (also for ""), argon2id, sha512-crypt, sha256-crypt.
func HashPassword(w io.Writer, scheme, password string) error {
	if err := CheckScheme(scheme); err != nil {
		return err
	}
	if password == "" || len(password) > MaxPassword || strings.IndexByte(password, 0) >= 0 {
		return fmt.Errorf("a password has 1 to %d bytes and no NUL", MaxPassword)
	}
	var digest string
	switch scheme {
	case "", "bcrypt":
		b, err := bcrypt.GenerateFromPassword(bcryptKey(password), bcrypt.DefaultCost)
		if err != nil {
			return err
		}
		digest = string(b)
	case "argon2id":
		// RFC 9106, 4 has larger ones; these are for small machines too.
		a := argon2Params{id: true, memory: 19 << 10, time: 2, threads: 1, salt: make([]byte, 16), sum: make([]byte, 32)}
		rand.Read(a.salt)
		digest = fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, a.memory, a.time, a.threads,
			base64.RawStdEncoding.EncodeToString(a.salt), base64.RawStdEncoding.EncodeToString(a.key(password)))
	case "sha512-crypt", "sha256-crypt":
		const rounds = 50_000
		var random [16]byte
		rand.Read(random[:])
		for i := range random {
			random[i] = alphabet[random[i]&63]
		}
		salt := string(random[:])
		id, kind := "5", sha256crypt
		if scheme == "sha512-crypt" {
			id, kind = "6", sha512crypt
		}
		digest = "$" + id + "$rounds=" + strconv.Itoa(rounds) + "$" + salt + "$" + shaCrypt(kind, password, salt, rounds)
	}
	_, err := io.WriteString(w, digest)
	return err
}

// encode64 appends n characters for three bytes, the lowest bits first.
func encode64(b []byte, b2, b1, b0 byte, n int) []byte {
	w := uint(b2)<<16 | uint(b1)<<8 | uint(b0)
	for range n {
		b = append(b, alphabet[w&63])
		w >>= 6
	}
	return b
}

// apr1Crypt is Apache's variant of the MD5 crypt of FreeBSD (apr_md5.c).
func apr1Crypt(password, salt string) string {
	p := []byte(password)
	h := md5.New()
	io.WriteString(h, password+salt+password)
	alt := h.Sum(nil)
	h.Reset()
	io.WriteString(h, password+"$apr1$"+salt)
	for n := len(p); n > 0; n -= 16 {
		h.Write(alt[:min(16, n)])
	}
	for n := len(p); n > 0; n >>= 1 {
		if n&1 != 0 {
			h.Write([]byte{0})
		} else {
			h.Write(p[:1])
		}
	}
	sum := h.Sum(nil)
	for i := range 1000 {
		h.Reset()
		if i&1 != 0 {
			h.Write(p)
		} else {
			h.Write(sum)
		}
		if i%3 != 0 {
			io.WriteString(h, salt)
		}
		if i%7 != 0 {
			h.Write(p)
		}
		if i&1 != 0 {
			h.Write(sum)
		} else {
			h.Write(p)
		}
		sum = h.Sum(sum[:0])
	}
	b := []byte("$apr1$" + salt + "$")
	for i := range 5 {
		last := i + 12
		if last == 16 {
			last = 5
		}
		b = encode64(b, sum[i], sum[i+6], sum[last], 4)
	}
	return string(encode64(b, 0, 0, sum[11], 2))
}

// shaParts takes a hash of SHA crypt apart and checks its form.
func shaParts(digest string) (rounds int, salt, sum string, ok bool) {
	rounds = 5000
	rest := digest[3:]
	if after, found := strings.CutPrefix(rest, "rounds="); found {
		number, after, found := strings.Cut(after, "$")
		n, err := strconv.ParseUint(number, 10, 32)
		// Others clamp what is below 1000; nobody writes it.
		if !found || err != nil || n < 1000 || n > MaxRounds || number[0] == '0' {
			return 0, "", "", false
		}
		rounds, rest = int(n), after
	}
	salt, sum, ok = strings.Cut(rest, "$")
	want := 86
	if digest[1] == '5' {
		want = 43
	}
	return rounds, salt, sum, ok && len(salt) <= 16 && len(sum) == want && inAlphabet(sum)
}

// shaCrypt is SHA-crypt as U. Drepper specified it
// (https://www.akkadia.org/drepper/SHA-crypt.txt); the comments count its steps.
func shaCrypt(s scheme, password, salt string, rounds int) string {
	newHash := sha256.New
	if s == sha512crypt {
		newHash = sha512.New
	}
	h := newHash()
	size := h.Size()
	p := []byte(password)

	io.WriteString(h, password+salt+password) // 4-8
	b := h.Sum(nil)
	h.Reset()
	io.WriteString(h, password+salt)  // 1-3
	spread(h, b, len(p))              // 9-10
	for n := len(p); n > 0; n >>= 1 { // 11
		if n&1 != 0 {
			h.Write(b)
		} else {
			h.Write(p)
		}
	}
	a := h.Sum(nil) // 12

	h.Reset()
	for range len(p) { // 13-14
		h.Write(p)
	}
	pseq := stretch(h.Sum(nil), len(p)) // 15-16
	h.Reset()
	for range 16 + int(a[0]) { // 17-18
		io.WriteString(h, salt)
	}
	sseq := stretch(h.Sum(nil), len(salt)) // 19-20

	for i := range rounds { // 21
		h.Reset()
		if i&1 != 0 {
			h.Write(pseq)
		} else {
			h.Write(a)
		}
		if i%3 != 0 {
			h.Write(sseq)
		}
		if i%7 != 0 {
			h.Write(pseq)
		}
		if i&1 != 0 {
			h.Write(a)
		} else {
			h.Write(pseq)
		}
		a = h.Sum(a[:0])
	}

	// 22: three bytes from the three thirds of the sum, turning by one each time.
	var out []byte
	if s == sha256crypt {
		x, y, z := 0, 10, 20
		for range 10 {
			out = encode64(out, a[x], a[y], a[z], 4)
			x, y, z = z+1, x+1, y+1
		}
		return string(encode64(out, 0, a[31], a[30], 3))
	}
	x, y, z := 0, 21, 42
	for range 21 {
		out = encode64(out, a[x], a[y], a[z], 4)
		x, y, z = y+1, z+1, x+1
	}
	return string(encode64(out, 0, 0, a[size-1], 2))
}

// spread writes sum again and again, n bytes in all.
func spread(h hash.Hash, sum []byte, n int) {
	for ; n > 0; n -= len(sum) {
		h.Write(sum[:min(n, len(sum))])
	}
}

func stretch(sum []byte, n int) []byte {
	b := make([]byte, 0, n)
	for len(b) < n {
		b = append(b, sum[:min(n-len(b), len(sum))]...)
	}
	return b
}

// argon2Params is a hash in the PHC string format.
type argon2Params struct {
	id           bool // argon2id, else argon2i; argon2d is not supported
	memory, time uint32
	threads      uint8
	salt, sum    []byte
}

func (a *argon2Params) key(password string) []byte {
	if a.id {
		return argon2.IDKey([]byte(password), a.salt, a.time, a.memory, a.threads, uint32(len(a.sum)))
	}
	return argon2.Key([]byte(password), a.salt, a.time, a.memory, a.threads, uint32(len(a.sum)))
}

func parseArgon2(digest string) (a argon2Params, ok bool) {
	parts := strings.Split(digest, "$")
	if len(parts) != 6 || parts[1] != "argon2i" && parts[1] != "argon2id" || parts[2] != "v="+strconv.Itoa(argon2.Version) {
		return a, false
	}
	a.id = parts[1] == "argon2id"
	numbers := strings.Split(parts[3], ",")
	if len(numbers) != 3 {
		return a, false
	}
	var n [3]uint64
	for i, name := range [...]string{"m=", "t=", "p="} {
		value, found := strings.CutPrefix(numbers[i], name)
		var err error
		if n[i], err = strconv.ParseUint(value, 10, 32); !found || err != nil || n[i] == 0 {
			return a, false
		}
	}
	high, work := bits.Mul64(n[0], n[1])
	if n[0] > MaxArgon2Memory || high != 0 || work > MaxArgon2Work || n[2] > 64 || n[0] < 8*n[2] {
		return a, false
	}
	a.memory, a.time, a.threads = uint32(n[0]), uint32(n[1]), uint8(n[2])
	var err, err2 error
	a.salt, err = base64.RawStdEncoding.DecodeString(parts[4])
	a.sum, err2 = base64.RawStdEncoding.DecodeString(parts[5])
	return a, err == nil && err2 == nil && len(a.salt) >= 8 && len(a.salt) <= 64 && len(a.sum) >= 4 && len(a.sum) <= 128
}
