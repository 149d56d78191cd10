package access

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"inetdav/dav/config"
)

// Processes end with their connections, so what they must know of each other
// is in files of a folder in memory (tmpfs): failed logins ([failures]),
// verified ones ([logins]), and who is hashing. All files have a fixed size and
// are made where they are missing. A file that is damaged is made anew; one
// that is not this user's alone, or a folder that others can write to, is not
// touched, and everything works without it, for the process alone.

// stateFolder is the folder, "" where there is none: the configured one, else
// the first of RUNTIME_DIRECTORY (systemd's RuntimeDirectory=), else
// /run/inetdav where that is ours.
func stateFolder(c *config.Config, getenv func(string) string) (string, error) {
	if dir := c.Path("inetdav", "state_folder"); dir != "" {
		if err := ours(dir); err != nil {
			return "", fmt.Errorf("[inetdav] state_folder: %w", err)
		}
		return dir, nil
	}
	first, _, _ := strings.Cut(getenv("RUNTIME_DIRECTORY"), ":")
	for _, dir := range [...]string{first, "/run/inetdav"} {
		if dir != "" && ours(dir) == nil {
			return dir, nil
		}
	}
	return "", nil
}

// ours says why a folder is not one that this user alone can write to.
func ours(dir string) error {
	var st unix.Stat_t
	if err := unix.Fstatat(unix.AT_FDCWD, dir, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return &os.PathError{Op: "stat", Path: dir, Err: err}
	}
	switch {
	case st.Mode&unix.S_IFMT != unix.S_IFDIR:
		return errors.New(dir + " is no folder")
	case int(st.Uid) != os.Geteuid():
		return fmt.Errorf("%s belongs to user %d, not to %d, who runs this", dir, st.Uid, os.Geteuid())
	case st.Mode&0o022 != 0:
		return fmt.Errorf("%s can be written to by others", dir)
	}
	return nil
}

// A table is an open and locked file of the state folder.
type table struct {
	f   *os.File
	key []byte // made with the file, at random
}

const (
	keySize    = sha256.Size
	headerSize = 64 // magic, key, checksum, zeros
	lockTries  = 200
	lockPause  = time.Millisecond
)

var errState = errors.New("is not this user's alone")

// openTable opens a file and locks it. Whoever has the lock looks up or changes
// one entry, so nobody waits long; a process that was stopped with the lock is
// not waited for.
func openTable(dir, name, magic string, size int64) (*table, error) {
	path := filepath.Join(dir, name)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, err
	}
	t := &table{f: f}
	if err := t.prepare(magic, size); err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}

func (t *table) prepare(magic string, size int64) error {
	var st unix.Stat_t
	if err := unix.Fstat(int(t.f.Fd()), &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG || int(st.Uid) != os.Geteuid() || st.Mode&0o077 != 0 || st.Nlink != 1 {
		return errState
	}
	for tries := 0; ; tries++ {
		err := unix.Flock(int(t.f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			break
		}
		if err != unix.EINTR && err != unix.EWOULDBLOCK || tries == lockTries {
			return err
		}
		time.Sleep(lockPause)
	}
	info, err := t.f.Stat()
	if err != nil {
		return err
	}
	header := make([]byte, headerSize)
	if info.Size() == size {
		if _, err := t.f.ReadAt(header, 0); err != nil {
			return err
		}
		sum := sha256.Sum256(header[:8+keySize])
		if string(header[:8]) == magic && bytes.Equal(header[8+keySize:][:8], sum[:8]) {
			t.key = header[8:][:keySize]
			return nil
		}
	}
	return t.reset(magic, size)
}

// reset empties the file and gives it another key.
func (t *table) reset(magic string, size int64) error {
	header := make([]byte, headerSize)
	copy(header, magic)
	t.key = header[8:][:keySize]
	rand.Read(t.key)
	sum := sha256.Sum256(header[:8+keySize])
	copy(header[8+keySize:], sum[:8])
	if err := t.f.Truncate(0); err != nil {
		return err
	}
	if err := t.f.Truncate(size); err != nil {
		return err
	}
	_, err := t.f.WriteAt(header, 0)
	return err
}

// close ends the lock, too.
func (t *table) close() { t.f.Close() }

// mac is HMAC-SHA256 over texts and their lengths.
func mac(key []byte, texts ...string) []byte {
	h := hmac.New(sha256.New, key)
	for _, s := range texts {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(s)))
		h.Write(n[:])
		io.WriteString(h, s)
	}
	return h.Sum(nil)
}

// Failed logins are counted for each address and for each user. The file has
// three areas, so that who fills one cannot push anything out of another:
// addresses, users, and pairs of a user and an address from which the user has
// logged in. An entry is found by a MAC under the file's key: the file tells
// no names.
//
//   - An address may fail freeFailures times; then each further attempt has to
//     wait twice as long as the one before, at most maxWait. Who does not wait is
//     told so at once, whatever the password; that does not count. The count goes
//     down by one in forgetAfter. So an address has about a guess a minute.
//   - A user for whom logins fail from anywhere is never refused, or anybody could
//     lock him out. His logins take longer, at most maxTarpit.
//   - Neither holds for a user at an address from which he has logged in, until
//     more than freeFailures attempts for him fail there: others in the same
//     household cannot lock him out, either.
//
// An attempt counts from its beginning, and no more once it has succeeded, so
// that many at once are no way around.
const (
	freeFailures = 10
	maxWait      = time.Minute
	maxTarpit    = 4 * time.Second
	forgetAfter  = time.Minute

	failuresMagic = "inetdvF1"
	failureSize   = 32 // tag 16, count 4, zeros 4, milliseconds of the last attempt 8
	failureWays   = 8
	failureSets   = 64 // in each area
	failuresSize  = headerSize + 3*failureSets*failureWays*failureSize
)

type area int

const (
	addresses area = iota
	names
	pairs
)

// failures is the table of failed logins, while it is locked.
type failures struct {
	*table
	now int64 // milliseconds
}

func openFailures(dir string, now time.Time) (*failures, error) {
	t, err := openTable(dir, "failures", failuresMagic, failuresSize)
	if err != nil {
		return nil, err
	}
	return &failures{t, now.UnixMilli()}, nil
}

// failure is an entry of the table and its place.
type failure struct {
	at    int64
	tag   [16]byte
	count uint32
	last  int64
}

// find gives the entry for texts, or the place of the one that it replaces:
// what has been quiet for longest.
func (t *failures) find(a area, texts ...string) (e failure, known bool, err error) {
	sum := mac(t.key, append([]string{strconv.Itoa(int(a))}, texts...)...)
	set := int64(sum[31]) % failureSets
	start := headerSize + (int64(a)*failureSets+set)*failureWays*failureSize
	var b [failureWays * failureSize]byte
	if _, err := t.f.ReadAt(b[:], start); err != nil {
		return e, false, err
	}
	oldest := int64(-1)
	for i := 0; i < len(b); i += failureSize {
		last := int64(binary.LittleEndian.Uint64(b[i+24:]))
		if bytes.Equal(b[i:i+16], sum[:16]) {
			e = failure{at: start + int64(i), count: binary.LittleEndian.Uint32(b[i+16:]), last: last}
			copy(e.tag[:], sum)
			age := t.now - last
			if age < -maxWait.Milliseconds() { // the clock was set back
				e.count = 0
			}
			e.count -= uint32(min(int64(e.count), max(age, 0)/forgetAfter.Milliseconds()))
			return e, true, nil
		}
		if oldest < 0 || last < oldest {
			oldest = last
			e = failure{at: start + int64(i)}
		}
	}
	copy(e.tag[:], sum)
	return e, false, nil
}

func (t *failures) put(e failure) error {
	var b [failureSize]byte
	copy(b[:], e.tag[:])
	binary.LittleEndian.PutUint32(b[16:], e.count)
	binary.LittleEndian.PutUint64(b[24:], uint64(e.last))
	_, err := t.f.WriteAt(b[:], e.at)
	return err
}

// penalty is base doubled for each failure that is not free, at most limit.
func penalty(base time.Duration, count uint32, limit time.Duration) time.Duration {
	if count <= freeFailures {
		return 0
	}
	d := base
	for range min(count-freeFailures-1, 30) {
		if d *= 2; d >= limit {
			return limit
		}
	}
	return min(d, limit)
}

// begin counts an attempt. wait is how long the client has to wait before the
// next one, if this one must not be made; delay, how long this one has to take.
func (t *failures) begin(base time.Duration, address, user string) (wait, delay time.Duration, err error) {
	pair, trusted, err := t.find(pairs, user, address)
	if err != nil {
		return 0, 0, err
	}
	if trusted && pair.count <= freeFailures {
		pair.count++
		pair.last = t.now
		return 0, 0, t.put(pair)
	}
	at, _, err := t.find(addresses, address)
	if err != nil {
		return 0, 0, err
	}
	if address != "" {
		wait = penalty(base, at.count, maxWait) - time.Duration(t.now-at.last)*time.Millisecond
		if at.count > freeFailures && wait > 0 {
			return min(wait, maxWait), 0, nil
		}
		at.count = min(at.count+1, 1<<10)
		// what is left of the count begins to be forgotten anew
		at.last = t.now
		if err := t.put(at); err != nil {
			return 0, 0, err
		}
	}
	who, _, err := t.find(names, user)
	if err != nil {
		return 0, 0, err
	}
	delay = penalty(base, who.count, maxTarpit)
	who.count = min(who.count+1, 1<<10)
	who.last = t.now
	return 0, delay, t.put(who)
}

// succeeded takes back what begin has counted, and trusts the pair.
func (t *failures) succeeded(address, user string) error {
	pair, trusted, err := t.find(pairs, user, address)
	if err != nil {
		return err
	}
	if !trusted || pair.count > freeFailures {
		back := func(a area, text string) error {
			e, known, err := t.find(a, text)
			if err != nil || !known || e.count == 0 {
				return err
			}
			e.count--
			return t.put(e)
		}
		if address != "" {
			if err := back(addresses, address); err != nil {
				return err
			}
		}
		if err := back(names, user); err != nil {
			return err
		}
	}
	pair.count, pair.last = 0, t.now
	return t.put(pair)
}

// Verified logins, if [auth] cache_logins. What a thief of the file can do with
// it is what matters:
//
//   - It is on tmpfs, 0600, and has what was verified in the last seconds
//     (cache_successful_logins_expiry): whoever opens the file erases what has
//     expired, and each process does at its end. An empty file gets another key.
//   - Of a login by the users file there is a MAC, whose key is made of the file's
//     key and the user's line in the users file. Without that line, with its salt
//     and hash, no guess can be tried. Plain passwords are not cached at all.
//   - Where somebody else verifies logins there is no such line. There it is a
//     bcrypt hash (cost slowCost) of the MAC under the file's key, so that each
//     guess costs milliseconds, and needs the file.
//
// Only root and the user of the server can read the file, who can also read the
// users file, and see passwords arrive.
const (
	loginsMagic = "inetdvL1"
	loginSize   = 1024 // tag 32, hash 64, length 2, text
	loginWays   = 8
	loginSets   = 32
	loginsCount = loginSets * loginWays
	loginsIndex = headerSize // of each entry: when it expires, in milliseconds; 0: free
	loginsStart = loginsIndex + 8*loginsCount
	loginsSize  = loginsStart + loginsCount*loginSize
	loginText   = loginSize - 98
	slowCost    = 6
)

// logins is the table of verified logins, while it is locked.
type logins struct {
	*table
	now     int64
	expires [loginsCount]int64
}

func openLogins(dir string, now time.Time) (*logins, error) {
	t, err := openTable(dir, "logins", loginsMagic, loginsSize)
	if err != nil {
		return nil, err
	}
	l := &logins{table: t, now: now.UnixMilli()}
	if err := l.sweep(); err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

// sweep reads the index and erases what has expired.
func (t *logins) sweep() error {
	index := make([]byte, 8*loginsCount)
	if _, err := t.f.ReadAt(index, loginsIndex); err != nil {
		return err
	}
	old, live := false, false
	for i := range t.expires {
		e := int64(binary.LittleEndian.Uint64(index[8*i:]))
		// longer than anything may be kept: the clock was set back
		if e != 0 && (e <= t.now || e > t.now+maxExpiry.Milliseconds()) {
			old = true
			if err := t.erase(i); err != nil {
				return err
			}
			e = 0
		}
		live = live || e != 0
		t.expires[i] = e
	}
	if old && !live {
		return t.reset(loginsMagic, loginsSize)
	}
	return nil
}

func (t *logins) erase(i int) error {
	if _, err := t.f.WriteAt(make([]byte, loginSize), loginsStart+int64(i)*loginSize); err != nil {
		return err
	}
	_, err := t.f.WriteAt(make([]byte, 8), loginsIndex+8*int64(i))
	return err
}

// maxExpiry bounds how long a login is remembered.
const maxExpiry = 24 * time.Hour

// kept is what is remembered with a tag.
type kept struct {
	hash []byte // bcrypt's, where the tag has no password in it
	text string // the user and the groups, each with NUL behind; "" where the login failed
}

func (t *logins) get(tag []byte) (l kept, ok bool, err error) {
	set := int(tag[0]) % loginSets
	for i := set * loginWays; i < (set+1)*loginWays; i++ {
		if t.expires[i] == 0 {
			continue
		}
		var b [loginSize]byte
		if _, err := t.f.ReadAt(b[:], loginsStart+int64(i)*loginSize); err != nil {
			return l, false, err
		}
		n := int(binary.LittleEndian.Uint16(b[96:]))
		if hmac.Equal(b[:32], tag) && n <= loginText {
			return kept{bytes.TrimRight(b[32:96], "\x00"), string(b[98:][:n])}, true, nil
		}
	}
	return l, false, nil
}

// put remembers a login for a time, in place of one with the same tag, or of the
// one that expires first. What is too long is not remembered.
func (t *logins) put(tag []byte, l kept, expiry time.Duration) error {
	if len(l.text) > loginText || len(l.hash) > 64 || expiry <= 0 {
		return nil
	}
	set := int(tag[0]) % loginSets
	place := set * loginWays
	var b [loginSize]byte
	for i := place; i < (set+1)*loginWays; i++ {
		if t.expires[i] != 0 {
			if _, err := t.f.ReadAt(b[:32], loginsStart+int64(i)*loginSize); err != nil {
				return err
			}
			if bytes.Equal(b[:32], tag) {
				place = i
				break
			}
		}
		if t.expires[i] < t.expires[place] {
			place = i
		}
	}
	clear(b[:])
	copy(b[:], tag)
	copy(b[32:], l.hash)
	binary.LittleEndian.PutUint16(b[96:], uint16(len(l.text)))
	copy(b[98:], l.text)
	if _, err := t.f.WriteAt(b[:], loginsStart+int64(place)*loginSize); err != nil {
		return err
	}
	var e [8]byte
	t.expires[place] = t.now + min(expiry, maxExpiry).Milliseconds()
	binary.LittleEndian.PutUint64(e[:], uint64(t.expires[place]))
	_, err := t.f.WriteAt(e[:], loginsIndex+8*int64(place))
	return err
}

// hashing bounds how many processes hash passwords at once: as many as there are
// processors, and one alone where a hash takes much memory.
const (
	maxHashing  = 8
	hashingWait = 20 * time.Second
)

// acquire waits for a turn to hash. release ends it; the kernel does where the
// process ends. Without a folder it is always one's turn.
func acquire(ctx context.Context, dir string, hungry bool) (release func(), err error) {
	none := func() {}
	if dir == "" {
		return none, nil
	}
	places := min(runtime.NumCPU(), maxHashing)
	if hungry {
		places = 1
	}
	var files [maxHashing]*os.File
	defer func() {
		for _, f := range files {
			if f != nil {
				f.Close()
			}
		}
	}()
	deadline := time.Now().Add(hashingWait)
	for pause := lockPause; ; pause = min(2*pause, 50*time.Millisecond) {
		for i := range places {
			if files[i] == nil {
				f, err := os.OpenFile(filepath.Join(dir, "hashing."+strconv.Itoa(i)), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
				if err != nil {
					return none, nil // as without a folder
				}
				files[i] = f
			}
			if err := unix.Flock(int(files[i].Fd()), unix.LOCK_EX|unix.LOCK_NB); err == nil {
				f := files[i]
				files[i] = nil
				return func() { f.Close() }, nil
			}
		}
		if time.Now().After(deadline) {
			return nil, errors.New("too many processes are verifying passwords")
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, ctx.Err()
		}
	}
}
