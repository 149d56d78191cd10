package access

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"
)

// vectors were made by passlib, bcrypt and argon2-cffi.
var vectors = []struct{ digest, password string }{
	{"$apr1$ab./12zZ$s.Cqe8sIywk.aXNZWUHOW/", "secret"},
	{"$5$saltstring$C3o4O1TC6aRHF4FI.QSZMXtHbaj2gSXr4sUc/3NcUi.", "secret"},
	{"$6$rounds=1000$0123456789abcdef$mcCDk6dNL5N0ijt8G9cMeU.2SLHUPRvQks/S0b3xWPKwxC/ouwbeCpt1WQloVhjazWF95X44lzjAj904IpNm1/", "secret"},
	{"$2b$04$6Ow0OwyczV9.uL7J9r.10OtGc7fdasyyB3Ed4kgKoMhTnd2GNoP36", "secret"},
	{"$2y$04$Xvd/HA4VceYqfnpVacBagemWYvZlX5XyHVtgWlpObyDQK0CaINlM2", "secret"},
	{"$argon2id$v=19$m=64,t=1,p=2$7baCt1JMentYZ5xKyd6UFQ$LAf7hJZwfuz4YQvqb1ntIg", "secret"},
	{"$argon2i$v=19$m=64,t=1,p=2$2AKxipjjJ9Q7y2wdvDaehA$a1FKbZbaJcIALb7iD/gAIA", "secret"},
	{"$apr1$ab./12zZ$BYLG6SwVowtNELBP9i8g11", "pässwörd €"},
	{"$5$saltstring$tV/79FUyRyNvGfmciS94zbnccDZxa8C4Dhg8hsaSdS0", "pässwörd €"},
	{"$6$rounds=1000$0123456789abcdef$FG8cQFmA4r2z0MXhs0avVapZ7zC6G7BRHIqpXmVU1DS4rM/gC9ou15Zzk7JRXFZCLzDuRUDrSDoyYlVhlme4P0", "pässwörd €"},
	{"$2b$04$bV24JSRYeBUY2qsRM0UAM.wdU3hBsPfcwl9K7YdAgxcl6kHnIiKuW", "pässwörd €"},
	{"$2y$04$/PVq4oDcwLMHwU1SiIBHse2XU3Qspd/H1peLkmY42N9s0cLtMkn.e", "pässwörd €"},
	{"$argon2id$v=19$m=64,t=1,p=2$89OuIKL+3L36Af8m/IHRWw$E7d1nFjrLsEKxvEpcZB1nQ", "pässwörd €"},
	{"$argon2i$v=19$m=64,t=1,p=2$SuFjtbXyfMs/oZzffiblRA$J2sGouRVjuyQuUN8WElJaA", "pässwörd €"},
	{"$apr1$ab./12zZ$7TC/9NLqJlbb/RpDQIkBw1", strings.Repeat("x", 80)},
	{"$5$saltstring$jZdy2gGq0OUSP01AhBb7yOgBitgAZa7g8axx/wgsXj5", strings.Repeat("x", 80)},
	{"$6$rounds=1000$0123456789abcdef$wH.MB7zDANCi5ELE3Uul5WsNlU01lHMXHm3117JwPFuDCjY3htPlGdecDnl.L9CKIZcZC.aER90gSJXMJ3XfP1", strings.Repeat("x", 80)},
	{"$2b$04$6hxTFZP8ZLlm2tX84gXslORHtTkkZSwiA0npnSZRpMTV0pChtTgza", strings.Repeat("x", 80)},
	{"$2y$04$q.3HLJfg4pRP0Bw7GpPJw.57REcsFRSmnTpO4ciGTjCDTZs6a5bmG", strings.Repeat("x", 80)},
	{"$argon2id$v=19$m=64,t=1,p=2$8qp8UWqE2JP8lq2r5OLZ6A$3mOso2YBdJzT9BbinfoBHA", strings.Repeat("x", 80)},
	{"$argon2i$v=19$m=64,t=1,p=2$V0/YodweAVAJtxNI37xQeQ$BiFF7wKXqnNrO4i2UG9olw", strings.Repeat("x", 80)},
	{"$apr1$ab./12zZ$1QlQUBiU7VWCu89EkpKOB/", "a"},
	{"$5$saltstring$7cz4bTeQ7MnNssphNhFVrITtuJYY/1tdvLL2uzLvOk8", "a"},
	{"$6$rounds=1000$0123456789abcdef$mCxGHJTF9sbr3IgCUy.R0Zpz25NlL.KdpQi8qAQXelm6xl5S6Lt7samr9JrjsgWWMHYY/itHGoCwaIkkGFY5O/", "a"},
	{"$2b$04$5ApBaTDjqUj9ULWRdBRFAeVlSj9/Con6oAXmkpw6GLwBAjr7mbTpK", "a"},
	{"$2y$04$0eVV9hXndpEeEgsoIXuH6uW5kkkADP8rQY3uOr8uh5iCgE0h56vIm", "a"},
	{"$argon2id$v=19$m=64,t=1,p=2$IUbawh/SdiIAVOmfRbmfvA$HqOmLblZbQF/6dHEEqifzw", "a"},
	{"$argon2i$v=19$m=64,t=1,p=2$+vPpuKTzpVt/xdn8PRaajw$s28kpE+SRol2/VuUqCsdTQ", "a"},
	{"$apr1$s$EMM7M/DpEX63UpJJvOSwk.", "short salt"},
	{"$6$rounds=1234$$nam8hJhHblZrlHu.OLybRvTnweJeWk5youeHjoRMKikMQCqWkqldnbzrsUR.CO8hLDDHjarUZVGq092kunQLs0", "no salt"},
	// An example of the specification of SHA-crypt.
	{"$5$rounds=10000$saltstringsaltst$3xv.VbSHBb41AL9AvLeujZkZRBAwqFMz2.opqey6IcA", "Hello world!"},
}

func TestVerifyVectors(t *testing.T) {
	for _, v := range vectors {
		s := detect(v.digest)
		if s == unknown || s == plain {
			t.Errorf("%s is not recognised", v.digest)
			continue
		}
		if !verify(s, v.digest, v.password) {
			t.Errorf("%s does not verify", v.digest)
		}
		for _, wrong := range []string{"", v.password + "x", "x" + v.password, v.digest} {
			if len(v.password) >= 72 && s == bcryptHash && strings.HasPrefix(wrong, v.password) {
				continue // bcrypt looks at 72 bytes
			}
			if verify(s, v.digest, wrong) {
				t.Errorf("%s takes %q", v.digest, wrong)
			}
		}
		// The last character changed.
		other := byte('.')
		if v.digest[len(v.digest)-1] == other {
			other = 'A'
		}
		if s != argon2Hash && s != bcryptHash && verify(s, v.digest[:len(v.digest)-1]+string(other), v.password) {
			t.Errorf("%s changed verifies", v.digest)
		}
	}
}

// A hash of a kind not known must never be a password (a trap of Radicale's autodetect).
func TestDetect(t *testing.T) {
	for _, test := range []struct {
		digest string
		want   scheme
	}{
		{"secret", plain},
		{"a$b", plain},
		{"$", plain},
		{"$5", plain},
		{"pass{word}", plain},
		{"{", plain},
		{"correcthorses", plain}, // thirteen letters
		{"{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", unknown},
		{"{SSHA}x", unknown},
		{"{CRYPT}$6$x", unknown},
		{"rqXexS6ZhobKA", unknown}, // crypt(3)
		{"_J9..CCCCXBrJUJV154M", unknown},
		{"$1$saltsalt$qjXMvbEw8oaL.CzflDtaK/", unknown},
		{"$apr1$saltsalt", unknown},
		{"$apr1$saltsaltX$qjXMvbEw8oaL.CzflDtaK/", unknown},
		{"$apr1$saltsalt$short", unknown},
		{"$2$04$eIAq8PR8sIUnJ1HaohxX2O4oKdDXM6t2KCV9TZrBEfvFqQqFqPyCq", unknown},
		{"$2b$04$5ApBaTDjqUj9ULWRdBRFAeVlSj9/Con6oAXmkpw6GLwBAjr7mbTp", unknown},
		{"$2b$31$5ApBaTDjqUj9ULWRdBRFAeVlSj9/Con6oAXmkpw6GLwBAjr7mbTpK", unknown},
		{"$2b$03$5ApBaTDjqUj9ULWRdBRFAeVlSj9/Con6oAXmkpw6GLwBAjr7mbTpK", unknown},
		{"$2b$0x$5ApBaTDjqUj9ULWRdBRFAeVlSj9/Con6oAXmkpw6GLwBAjr7mbTpK", unknown},
		{"$2x$04$5ApBaTDjqUj9ULWRdBRFAeVlSj9/Con6oAXmkpw6GLwBAjr7mbTpK", bcryptHash},
		{"$5$", unknown},
		{"$6$salt$short", unknown},
		{"$5$rounds=999999999$saltstring$7cz4bTeQ7MnNssphNhFVrITtuJYY/1tdvLL2uzLvOk8", unknown},
		{"$5$rounds=10$saltstring$7cz4bTeQ7MnNssphNhFVrITtuJYY/1tdvLL2uzLvOk8", unknown},
		{"$5$rounds=x$saltstring$7cz4bTeQ7MnNssphNhFVrITtuJYY/1tdvLL2uzLvOk8", unknown},
		{"$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7", unknown},
		{"$argon2d$v=19$m=64,t=1,p=1$gxOG0/dQ6jak4dbEEHccrQ$eKV/KWqETMeP4Gh0NqlXIg", unknown},
		{"$argon2id$v=16$m=64,t=1,p=1$gxOG0/dQ6jak4dbEEHccrQ$eKV/KWqETMeP4Gh0NqlXIg", unknown},
		{"$argon2id$v=19$m=4294967295,t=1,p=1$gxOG0/dQ6jak4dbEEHccrQ$eKV/KWqETMeP4Gh0NqlXIg", unknown},
		{"$argon2id$v=19$m=262144,t=4294967295,p=1$gxOG0/dQ6jak4dbEEHccrQ$eKV/KWqETMeP4Gh0NqlXIg", unknown},
		{"$argon2id$v=19$m=64,t=0,p=1$gxOG0/dQ6jak4dbEEHccrQ$eKV/KWqETMeP4Gh0NqlXIg", unknown},
		{"$argon2id$v=19$m=64,t=1,p=1$gxOG0/dQ6jak4dbEEHccrQ$!", unknown},
		{"$argon2id$", unknown},
		{"$pbkdf2-sha256$29000$x$y", unknown},
	} {
		if got := detect(test.digest); got != test.want {
			t.Errorf("%s: got %d, want %d", test.digest, got, test.want)
		}
	}
}

func FuzzDetect(f *testing.F) {
	for _, v := range vectors {
		f.Add(v.digest)
	}
	f.Add("{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=")
	f.Fuzz(func(t *testing.T, digest string) {
		switch s := detect(digest); s {
		case bcryptHash, argon2Hash, sha256crypt, sha512crypt:
			// Recognised is enough: verifying may be dear.
		default:
			verify(s, digest, "password")
		}
	})
}

func run(t *testing.T, program string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Skipf("SKIPPED: %s is missing, nothing was compared", program)
	}
	var stderr bytes.Buffer
	cmd := exec.Command(program, args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", program, args, err, &stderr)
	}
	return strings.TrimSpace(string(out))
}

var passwords = []string{"a", "secret", "pass word", "pässwörd€", "fifteen chars..", "sixteen chars...", "seventeen chars..", strings.Repeat("0123456789", 7), strings.Repeat("x", 200)}

func TestHtpasswd(t *testing.T) {
	for flag, want := range map[string]scheme{"-m": apr1, "-2": sha256crypt, "-5": sha512crypt, "-B": bcryptHash, "-s": unknown, "-d": unknown, "-p": plain} {
		t.Run(flag, func(t *testing.T) {
			for _, password := range passwords {
				if flag == "-B" && len(password) > 72 {
					continue
				}
				line := run(t, "htpasswd", "-nb", flag, "user", password)
				_, digest, _ := strings.Cut(line, ":")
				got := detect(digest)
				if flag == "-d" && got == plain && len(digest) == 13 {
					t.Logf("crypt(3) not recognised: %s", digest) // one in some hundred lacks a class of characters
					continue
				}
				if got != want {
					t.Errorf("%q is of kind %d, want %d", digest, got, want)
				}
				if ok := verify(got, digest, password); ok != (want != unknown) {
					t.Errorf("%q with %q: %v", digest, password, ok)
				}
			}
		})
	}
}

func TestOpensslPasswd(t *testing.T) {
	for _, flag := range []string{"-apr1", "-5", "-6"} {
		for _, password := range passwords {
			for _, salt := range []string{"s", "saltsalt", "0123456789abcdef"} {
				if flag == "-apr1" && len(salt) > 8 {
					continue
				}
				digest := run(t, "openssl", "passwd", flag, "-salt", salt, password)
				if s := detect(digest); !verify(s, digest, password) || verify(s, digest, password+"x") {
					t.Errorf("%s %q: %s, kind %d", flag, password, digest, s)
				}
			}
		}
	}
}

func TestHashPassword(t *testing.T) {
	for scheme, want := range map[string]scheme{"": bcryptHash, "bcrypt": bcryptHash, "argon2id": argon2Hash, "sha512-crypt": sha512crypt, "sha256-crypt": sha256crypt} {
		var a, b strings.Builder
		if err := HashPassword(&a, scheme, "pässword"); err != nil {
			t.Fatal(err)
		}
		HashPassword(&b, scheme, "pässword")
		if a.String() == b.String() {
			t.Errorf("%s: no salt", scheme)
		}
		if got := detect(a.String()); got != want || !verify(got, a.String(), "pässword") || verify(got, a.String(), "other") {
			t.Errorf("%s: %s", scheme, a.String())
		}
	}
	var b strings.Builder
	long := strings.Repeat("x", 100)
	if err := HashPassword(&b, "bcrypt", long); err != nil || !verify(bcryptHash, b.String(), long) || !verify(bcryptHash, b.String(), long[:72]) {
		t.Errorf("long password: %v", err)
	}
	for _, bad := range []string{"", "a\x00b", strings.Repeat("x", MaxPassword+1)} {
		if HashPassword(&b, "", bad) == nil {
			t.Errorf("%.20q is taken", bad)
		}
	}
	if HashPassword(&b, "md5", "x") == nil {
		t.Error("unknown scheme")
	}
}
