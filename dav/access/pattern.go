package access

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The rights file holds regular expressions of Python's module re. They are
// matched by an engine of our own: package regexp would make every start of
// the process a tenth more expensive, and has neither look-ahead nor
// back-references nor Python's words. It backtracks as Python does, but with a
// limit: a user name or path can never keep the process busy.
//
// Not there, and refused when the file is read: look-behind, conditions,
// atomic groups, possessive repeats, flags other than a leading (?i) and (?s).
const (
	maxPatternDepth = 50      // groups within groups
	maxPatternCode  = 10_000  // instructions, with counted repeats written out
	maxPatternSteps = 500_000 // instructions executed in one match
)

var errSteps = errors.New("the pattern takes too long to match")

type opcode uint8

const (
	opRune    opcode = iota // r
	opAny                   // "."; x is 1 if a newline counts
	opClass                 // class
	opSplit                 // go on at x, on failure at y (both relative)
	opJump                  // go on at x
	opSave                  // slot x is the position
	opEmpty                 // jump to x unless the position is still that of slot y
	opBegin                 // \A and ^
	opEnd                   // \Z
	opEndLine               // $
	opWord                  // \b; x is 1 for \B
	opBack                  // what group x matched
	opLook                  // the following x instructions match here; y is 1 if they must not
	opAccept                // end of a look-ahead
	opMatch                 // end of the pattern
)

type instruction struct {
	op    opcode
	r     rune
	x, y  int
	class *class
}

type class struct {
	negated bool
	ranges  []rune // pairs
	kinds   string // letters of \d \D \s \S \w \W
}

// pattern is a compiled regular expression.
type pattern struct {
	code   []instruction
	groups int
	slots  int // two for each group and one for each loop that may be empty
	fold   bool
	state  matcher // of the last match, for its memory
}

type compiler struct {
	s      string
	i      int
	depth  int
	groups int
	closed []bool // by group: may be referred to
	names  []string
	loops  int
	fold   bool
	dotAll bool
}

// compile compiles a regular expression of Python.
func compile(s string) (*pattern, error) {
	if !utf8.ValidString(s) {
		return nil, errors.New("not UTF-8")
	}
	c := compiler{s: s, closed: []bool{false}, names: []string{""}}
	if strings.HasPrefix(s, "(?") {
		if flags, _, ok := strings.Cut(s[2:], ")"); ok && flags != "" && strings.Trim(flags, "isu") == "" {
			c.fold, c.dotAll = strings.Contains(flags, "i"), strings.Contains(flags, "s")
			c.i = len(flags) + 3
		}
	}
	code, _, err := c.alternatives()
	if err == nil && c.i < len(s) {
		err = errors.New("unbalanced parenthesis")
	}
	if err != nil {
		return nil, err
	}
	code = append(code, instruction{op: opMatch})
	// Slots of loops come after those of the groups, which are only now counted.
	for i := range code {
		if code[i].op == opSave && code[i].x < 0 {
			code[i].x = 2*c.groups - 1 - code[i].x
		}
		if code[i].op == opEmpty {
			code[i].y = 2*c.groups - 1 - code[i].y
		}
	}
	return &pattern{code: code, groups: c.groups, slots: 2*c.groups + c.loops, fold: c.fold}, nil
}

// alternatives reads a|b|c and says whether it may match nothing.
func (c *compiler) alternatives() (code []instruction, nullable bool, err error) {
	if c.depth++; c.depth > maxPatternDepth {
		return nil, false, errors.New("groups nest too deep")
	}
	defer func() { c.depth-- }()
	var branches [][]instruction
	for {
		branch, empty, err := c.sequence()
		if err != nil {
			return nil, false, err
		}
		branches = append(branches, branch)
		nullable = nullable || empty
		if c.i == len(c.s) || c.s[c.i] != '|' {
			break
		}
		c.i++
	}
	for _, branch := range slices.Backward(branches) {
		if code == nil {
			code = branch
			if code == nil {
				code = []instruction{}
			}
			continue
		}
		joined := []instruction{{op: opSplit, x: 1, y: len(branch) + 2}}
		joined = append(joined, branch...)
		joined = append(joined, instruction{op: opJump, x: len(code) + 1})
		code = append(joined, code...)
		if len(code) > maxPatternCode {
			return nil, false, errors.New("the pattern is too long")
		}
	}
	return code, nullable, nil
}

func (c *compiler) sequence() (code []instruction, nullable bool, err error) {
	nullable = true
	for c.i < len(c.s) && c.s[c.i] != '|' && c.s[c.i] != ')' {
		if n := c.plain(); n > 0 {
			if len(code)+n > maxPatternCode {
				return nil, false, errors.New("the pattern is too long")
			}
			code = slices.Grow(code, n+1)
			for _, r := range c.s[c.i : c.i+n] {
				code = append(code, instruction{op: opRune, r: r})
			}
			c.i += n
			nullable = false
			continue
		}
		if strings.HasPrefix(c.s[c.i:], "(?#") {
			n := strings.IndexByte(c.s[c.i:], ')')
			if n < 0 {
				return nil, false, errors.New("comment does not end")
			}
			c.i += n + 1
			continue
		}
		atom, empty, repeatable, err := c.atom()
		if err != nil {
			return nil, false, err
		}
		low, high, lazy, repeated, err := c.repeat()
		if err != nil {
			return nil, false, err
		}
		if repeated {
			if !repeatable {
				return nil, false, errors.New("nothing to repeat")
			}
			if atom, err = c.loop(atom, empty, low, high, lazy); err != nil {
				return nil, false, err
			}
			empty = empty || low == 0
		}
		code = append(code, atom...)
		if len(code) > maxPatternCode {
			return nil, false, errors.New("the pattern is too long")
		}
		nullable = nullable && empty
	}
	return code, nullable, nil
}

// plain returns the length of the literal text ahead: what means itself and is not repeated.
func (c *compiler) plain() int {
	const special = `\.[]{}()*+?^$|`
	rest := c.s[c.i:]
	n := strings.IndexAny(rest, special)
	if n < 0 {
		return len(rest)
	}
	if n > 0 && strings.IndexByte("*+?{", rest[n]) >= 0 {
		_, last := utf8.DecodeLastRuneInString(rest[:n])
		n -= last
	}
	return n
}

// repeat reads a quantifier, if there is one; high < 0 has no limit.
func (c *compiler) repeat() (low, high int, lazy, ok bool, err error) {
	if c.i == len(c.s) {
		return
	}
	n := 1
	switch c.s[c.i] {
	case '*':
		low, high = 0, -1
	case '+':
		low, high = 1, -1
	case '?':
		low, high = 0, 1
	case '{':
		if low, high, n = counts(c.s[c.i:]); n == 0 {
			return 0, 0, false, false, nil
		}
		if high >= 0 && low > high {
			return 0, 0, false, false, errors.New("repeats from more to less")
		}
	default:
		return
	}
	c.i += n
	if c.i < len(c.s) && c.s[c.i] == '?' {
		lazy = true
		c.i++
	}
	if c.i < len(c.s) && strings.IndexByte("*+?", c.s[c.i]) >= 0 {
		return 0, 0, false, false, errors.New("multiple repeat")
	}
	if c.i < len(c.s) && c.s[c.i] == '{' {
		if _, _, n := counts(c.s[c.i:]); n > 0 {
			return 0, 0, false, false, errors.New("multiple repeat")
		}
	}
	return low, high, lazy, true, nil
}

// counts reads {m}, {m,}, {,n} or {m,n} of length n; anything else is literal, n being 0.
func counts(s string) (low, high, n int) {
	inner, _, ok := strings.Cut(s[1:], "}")
	if !ok || inner == "" {
		return 0, 0, 0
	}
	first, second, comma := strings.Cut(inner, ",")
	number := func(s string, empty int) int {
		if s == "" {
			return empty
		}
		if len(s) > 6 || strings.Trim(s, "0123456789") != "" {
			if strings.Trim(s, "0123456789") == "" {
				return maxPatternCode + 1
			}
			return -2
		}
		v, _ := strconv.Atoi(s)
		return v
	}
	low = number(first, 0)
	high = low
	if comma {
		high = number(second, -1)
	}
	if low == -2 || high == -2 {
		return 0, 0, 0
	}
	return low, high, len(inner) + 2
}

// loop writes out a repeated piece of code.
func (c *compiler) loop(atom []instruction, nullable bool, low, high int, lazy bool) ([]instruction, error) {
	if total := max(low, high) + 2; total > maxPatternCode || total*(len(atom)+4) > maxPatternCode {
		return nil, errors.New("the pattern is too long")
	}
	split := func(x, y int) instruction {
		if lazy {
			x, y = y, x
		}
		return instruction{op: opSplit, x: x, y: y}
	}
	var code []instruction
	for range low {
		code = append(code, atom...)
	}
	if high < 0 {
		if nullable {
			// A round that matches nothing is the last one, or the loop would not end.
			slot := -1 - c.loops
			c.loops++
			code = append(code, split(1, len(atom)+3), instruction{op: opSave, x: slot})
			code = append(code, atom...)
			return append(code, instruction{op: opEmpty, x: -len(atom) - 2, y: slot}), nil
		}
		code = append(code, split(1, len(atom)+2))
		code = append(code, atom...)
		return append(code, instruction{op: opJump, x: -len(atom) - 1}), nil
	}
	for left := high - low; left > 0; left-- {
		code = append(code, split(1, left*(len(atom)+1)))
		code = append(code, atom...)
	}
	return code, nil
}

func (c *compiler) atom() (code []instruction, nullable, repeatable bool, err error) {
	r, n := utf8.DecodeRuneInString(c.s[c.i:])
	c.i += n
	one := func(in instruction) ([]instruction, bool, bool, error) {
		return []instruction{in}, false, true, nil
	}
	switch r {
	case '.':
		in := instruction{op: opAny}
		if c.dotAll {
			in.x = 1
		}
		return one(in)
	case '^':
		return []instruction{{op: opBegin}}, true, false, nil
	case '$':
		return []instruction{{op: opEndLine}}, true, false, nil
	case '*', '+', '?':
		return nil, false, false, errors.New("nothing to repeat")
	case '[':
		class, err := c.class()
		if err != nil {
			return nil, false, false, err
		}
		return one(instruction{op: opClass, class: class})
	case '(':
		return c.group()
	case '\\':
		return c.escape()
	case '{':
		if _, _, n := counts(c.s[c.i-1:]); n > 0 {
			return nil, false, false, errors.New("nothing to repeat")
		}
	}
	return one(instruction{op: opRune, r: r})
}

func (c *compiler) group() (code []instruction, nullable, repeatable bool, err error) {
	fail := func(msg string) ([]instruction, bool, bool, error) {
		return nil, false, false, errors.New(msg)
	}
	group, look, negative := 0, false, 0
	rest := c.s[c.i:]
	switch {
	case strings.HasPrefix(rest, "?:"):
		c.i += 2
	case strings.HasPrefix(rest, "?="):
		c.i += 2
		look = true
	case strings.HasPrefix(rest, "?!"):
		c.i += 2
		look, negative = true, 1
	case strings.HasPrefix(rest, "?P="):
		name, _, ok := strings.Cut(rest[3:], ")")
		at := slices.Index(c.names, name)
		if !ok || name == "" || at < 0 || !c.closed[at] {
			return fail("reference to an unknown group")
		}
		c.i += len(name) + 4
		return []instruction{{op: opBack, x: at}}, true, true, nil
	case strings.HasPrefix(rest, "?") && !strings.HasPrefix(rest, "?P<"):
		return fail("(" + rest[:min(3, len(rest))] + " is not supported")
	default:
		name := ""
		if strings.HasPrefix(rest, "?P<") {
			var ok bool
			name, _, ok = strings.Cut(rest[3:], ">")
			if !ok || !isIdentifier(name) || slices.Contains(c.names, name) {
				return fail("bad name of a group")
			}
			c.i += len(name) + 4
		}
		c.groups++
		group = c.groups
		c.closed = append(c.closed, false)
		c.names = append(c.names, name)
	}
	inner, nullable, err := c.alternatives()
	if err != nil {
		return nil, false, false, err
	}
	if c.i == len(c.s) {
		return fail("missing parenthesis")
	}
	c.i++
	switch {
	case look:
		code = []instruction{{op: opLook, x: len(inner) + 2, y: negative}}
		code = append(append(code, inner...), instruction{op: opAccept})
		return code, true, true, nil
	case group > 0:
		c.closed[group] = true
		code = append([]instruction{{op: opSave, x: 2 * (group - 1)}}, inner...)
		return append(code, instruction{op: opSave, x: 2*(group-1) + 1}), nullable, true, nil
	}
	return inner, nullable, true, nil
}

func isIdentifier(s string) bool {
	for i, r := range s {
		if r != '_' && !unicode.IsLetter(r) && (i == 0 || !unicode.IsDigit(r)) {
			return false
		}
	}
	return s != ""
}

func (c *compiler) escape() (code []instruction, nullable, repeatable bool, err error) {
	if c.i == len(c.s) {
		return nil, false, false, errors.New("backslash at the end")
	}
	switch e := c.s[c.i]; e {
	case 'A', 'Z', 'b', 'B':
		c.i++
		in := instruction{op: opBegin}
		switch e {
		case 'Z':
			in.op = opEnd
		case 'b':
			in.op = opWord
		case 'B':
			in.op, in.x = opWord, 1
		}
		return []instruction{in}, true, false, nil
	case 'd', 'D', 's', 'S', 'w', 'W':
		c.i++
		return []instruction{{op: opClass, class: &class{kinds: string(e)}}}, false, true, nil
	case '1', '2', '3', '4', '5', '6', '7', '8', '9':
		n := int(e - '0')
		c.i++
		if c.i < len(c.s) && '0' <= c.s[c.i] && c.s[c.i] <= '9' {
			if c.i+1 < len(c.s) && e < '4' && isOctal(c.s[c.i]) && isOctal(c.s[c.i+1]) {
				return nil, false, false, errors.New("octal escapes are not supported")
			}
			n = 10*n + int(c.s[c.i]-'0')
			c.i++
		}
		if n >= len(c.closed) || !c.closed[n] {
			return nil, false, false, errors.New("reference to an unknown group")
		}
		return []instruction{{op: opBack, x: n}}, true, true, nil
	}
	r, err := c.literal()
	return []instruction{{op: opRune, r: r}}, false, true, err
}

func isOctal(c byte) bool { return '0' <= c && c <= '7' }

// literal reads what follows a backslash where it means one character.
func (c *compiler) literal() (rune, error) {
	r, n := utf8.DecodeRuneInString(c.s[c.i:])
	c.i += n
	width := 0
	switch r {
	case 'a':
		return '\a', nil
	case 'f':
		return '\f', nil
	case 'n':
		return '\n', nil
	case 'r':
		return '\r', nil
	case 't':
		return '\t', nil
	case 'v':
		return '\v', nil
	case 'x':
		width = 2
	case 'u':
		width = 4
	case 'U':
		width = 8
	default:
		if r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r)) {
			return 0, errors.New(`bad escape \` + string(r))
		}
		return r, nil
	}
	if len(c.s)-c.i < width {
		return 0, errors.New(`bad escape \` + string(r))
	}
	v, err := strconv.ParseUint(c.s[c.i:c.i+width], 16, 32)
	if err != nil || v > unicode.MaxRune {
		return 0, errors.New(`bad escape \` + string(r))
	}
	c.i += width
	return rune(v), nil
}

// class reads a set of characters after its opening bracket.
func (c *compiler) class() (*class, error) {
	set := new(class)
	if strings.HasPrefix(c.s[c.i:], "^") {
		set.negated = true
		c.i++
	}
	// member reads one character, or a kind such as \d.
	member := func() (r rune, kind byte, err error) {
		if c.i == len(c.s) {
			return 0, 0, errors.New("set of characters does not end")
		}
		r, n := utf8.DecodeRuneInString(c.s[c.i:])
		c.i += n
		if r != '\\' {
			return r, 0, nil
		}
		if c.i == len(c.s) {
			return 0, 0, errors.New("set of characters does not end")
		}
		switch e := c.s[c.i]; e {
		case 'd', 'D', 's', 'S', 'w', 'W':
			c.i++
			return 0, e, nil
		case 'b':
			c.i++
			return '\b', 0, nil
		}
		r, err = c.literal()
		return r, 0, err
	}
	for first := true; first || !strings.HasPrefix(c.s[c.i:], "]"); first = false {
		low, kind, err := member()
		if err != nil {
			return nil, err
		}
		high := low
		rest := c.s[c.i:]
		if len(rest) > 1 && rest[0] == '-' && rest[1] != ']' {
			c.i++
			var kind2 byte
			if high, kind2, err = member(); err != nil {
				return nil, err
			}
			if kind != 0 || kind2 != 0 || low > high {
				return nil, errors.New("bad range of characters")
			}
		}
		if kind != 0 {
			set.kinds += string(kind)
		} else {
			set.ranges = append(set.ranges, low, high)
		}
	}
	c.i++
	return set, nil
}

func (c *class) has(r rune, fold bool) bool {
	in := c.in(r)
	if fold && !in {
		for f := unicode.SimpleFold(r); f != r && !in; f = unicode.SimpleFold(f) {
			in = c.in(f)
		}
	}
	return in != c.negated
}

func (c *class) in(r rune) bool {
	for i := 0; i < len(c.ranges); i += 2 {
		if c.ranges[i] <= r && r <= c.ranges[i+1] {
			return true
		}
	}
	for i := range len(c.kinds) {
		var in bool
		switch c.kinds[i] | 0x20 {
		case 'd':
			in = unicode.IsDigit(r)
		case 's':
			in = unicode.IsSpace(r) || r >= 0x1C && r <= 0x1F
		case 'w':
			in = isWord(r)
		}
		if in == (c.kinds[i]&0x20 != 0) {
			return true
		}
	}
	return false
}

func isWord(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsNumber(r) }

func sameRune(a, b rune, fold bool) bool {
	if a == b || !fold {
		return a == b
	}
	for f := unicode.SimpleFold(a); f != a; f = unicode.SimpleFold(f) {
		if f == b {
			return true
		}
	}
	return false
}

// match is re.fullmatch: it matches all of s or nothing. groups holds two
// offsets for each group, -1 where the group took no part; they are valid until
// the next match.
func (p *pattern) match(s string) (groups []int, ok bool, err error) {
	m := &p.state
	m.p, m.s, m.steps, m.stack = p, s, 0, m.stack[:0]
	m.slots = append(m.slots[:0], make([]int, p.slots)...)
	for i := range m.slots {
		m.slots[i] = -1
	}
	ok = m.run(0, 0)
	if m.steps > maxPatternSteps {
		return nil, false, errSteps
	}
	return m.slots[:2*p.groups], ok, nil
}

type matcher struct {
	p     *pattern
	s     string
	slots []int
	stack []choice
	steps int
}

// choice is what to do on failure: go on elsewhere, or first undo a slot.
type choice struct{ pc, at, slot int } // slot is -1 for going on

func (m *matcher) set(slot, value int) {
	m.stack = append(m.stack, choice{0, m.slots[slot], slot})
	m.slots[slot] = value
}

func (m *matcher) run(pc, at int) bool {
	base := len(m.stack)
	for {
		if m.steps++; m.steps > maxPatternSteps {
			return false
		}
		in := &m.p.code[pc]
		ok := true
		switch in.op {
		case opRune, opAny, opClass:
			if ok = at < len(m.s); !ok {
				break
			}
			r, n := utf8.DecodeRuneInString(m.s[at:])
			switch in.op {
			case opRune:
				ok = sameRune(r, in.r, m.p.fold)
			case opAny:
				ok = r != '\n' || in.x == 1
			case opClass:
				ok = in.class.has(r, m.p.fold)
			}
			at += n
		case opSplit:
			m.stack = append(m.stack, choice{pc + in.y, at, -1})
			pc += in.x
			continue
		case opJump:
			pc += in.x
			continue
		case opSave:
			m.set(in.x, at)
		case opEmpty:
			if m.slots[in.y] != at {
				pc += in.x
				continue
			}
		case opBegin:
			ok = at == 0
		case opEnd:
			ok = at == len(m.s)
		case opEndLine:
			ok = at == len(m.s) || at == len(m.s)-1 && m.s[at] == '\n'
		case opWord:
			before, _ := utf8.DecodeLastRuneInString(m.s[:at])
			after, _ := utf8.DecodeRuneInString(m.s[at:])
			boundary := (at > 0 && isWord(before)) != (at < len(m.s) && isWord(after))
			ok = len(m.s) > 0 && boundary == (in.x == 0) // in an empty text there is neither
		case opBack:
			from, to := m.slots[2*in.x-2], m.slots[2*in.x-1]
			if ok = from >= 0 && to >= from; ok {
				at, ok = m.back(m.s[from:to], at)
			}
		case opLook:
			before := slices.Clone(m.slots)
			depth := len(m.stack)
			found := m.run(pc+1, at)
			m.stack = m.stack[:depth]
			after := m.slots
			m.slots = before
			if ok = found == (in.y == 0); ok && found {
				for slot, v := range after {
					if v != before[slot] {
						m.set(slot, v)
					}
				}
			}
			if ok {
				pc += in.x
				continue
			}
		case opAccept:
			return true
		case opMatch:
			if at == len(m.s) {
				return true
			}
			ok = false
		}
		if ok {
			pc++
			continue
		}
		for {
			if len(m.stack) == base {
				return false
			}
			last := m.stack[len(m.stack)-1]
			m.stack = m.stack[:len(m.stack)-1]
			if last.slot < 0 {
				pc, at = last.pc, last.at
				break
			}
			m.slots[last.slot] = last.at
		}
	}
}

// back matches the text of a group again.
func (m *matcher) back(text string, at int) (int, bool) {
	for _, want := range text {
		r, n := utf8.DecodeRuneInString(m.s[at:])
		if n == 0 || !sameRune(r, want, m.p.fold) {
			return at, false
		}
		at += n
	}
	return at, true
}

// quote is re.escape.
func quote(s string) string {
	var b []byte
	for i := range len(s) {
		if strings.IndexByte("()[]{}?*+-|^$\\.&~# \t\n\r\v\f", s[i]) >= 0 {
			b = append(b, '\\')
		}
		b = append(b, s[i])
	}
	return string(b)
}

// home returns the first segment of all paths that the pattern can match; alone
// says that it may be all there is of the path, ok is false where there is no such
// segment.
func (p *pattern) home() (segment string, alone, ok bool) {
	if p.fold {
		return "", false, false
	}
	var b strings.Builder
	for at := 0; ; at++ {
		switch in := p.code[at]; in.op {
		case opSave, opBegin:
			continue
		case opRune:
			if in.r != '/' {
				b.WriteRune(in.r)
				continue
			}
		}
		// Nothing was optional so far. What follows has to be a slash or the end.
		alone, ok = p.ends(at)
		return b.String(), alone, ok
	}
}

// ends reports whether whatever is matched from an instruction on begins with a
// slash or is nothing; alone, whether it may be nothing.
func (p *pattern) ends(at int) (alone, ok bool) {
	seen := make([]bool, len(p.code))
	for todo := []int{at}; len(todo) > 0; {
		at, todo = todo[len(todo)-1], todo[:len(todo)-1]
		if seen[at] {
			continue
		}
		seen[at] = true
		switch in := p.code[at]; in.op {
		case opSave, opBegin, opEnd, opEmpty:
			todo = append(todo, at+1)
		case opJump:
			todo = append(todo, at+in.x)
		case opSplit:
			todo = append(todo, at+in.x, at+in.y)
		case opMatch:
			alone = true
		case opRune:
			if in.r == '/' {
				continue
			}
			return false, false
		default:
			return false, false
		}
	}
	return alone, true
}
