package store

import (
	"encoding/binary"
	"errors"
)

// This file reads and writes the pickles of Radicale's caches: strings,
// numbers, and tuples, lists and dictionaries of them. Python's own reader runs
// what a pickle names; this one knows no opcode that names anything, and
// refuses what it does not know.

// errPickle: not a pickle, or not one of those that Radicale's caches hold.
var errPickle = errors.New("not a pickle of texts and numbers")

// pickleKind says what a value is.
type pickleKind uint8

const (
	pickleOther pickleKind = iota // None, True, False
	pickleText
	pickleNumber
	pickleList // or a tuple
	pickleDict
)

// pickled is a value. The items of a dictionary are key and value by turns.
type pickled struct {
	kind   pickleKind
	text   string
	number int64
	items  []pickled
}

// texts returns the items, all of which have to be texts, and n of them unless
// n is negative.
func (p *pickled) texts(kind pickleKind, n int) ([]string, error) {
	if p.kind != kind || n >= 0 && len(p.items) != n {
		return nil, errPickle
	}
	texts := make([]string, len(p.items))
	for i := range p.items {
		if p.items[i].kind != pickleText {
			return nil, errPickle
		}
		texts[i] = p.items[i].text
	}
	return texts, nil
}

// The opcodes, of protocols 1 to 5 (Python's pickletools).
const (
	opMark            = '('
	opStop            = '.'
	opBinInt          = 'J'
	opBinInt1         = 'K'
	opBinInt2         = 'M'
	opNone            = 'N'
	opBinUnicode      = 'X'
	opAppend          = 'a'
	opAppends         = 'e'
	opBinGet          = 'h'
	opLongBinGet      = 'j'
	opBinPut          = 'q'
	opLongBinPut      = 'r'
	opSetItem         = 's'
	opTuple           = 't'
	opSetItems        = 'u'
	opEmptyTuple      = ')'
	opEmptyList       = ']'
	opEmptyDict       = '}'
	opProto           = 0x80
	opTuple1          = 0x85
	opTuple3          = 0x87
	opNewTrue         = 0x88
	opNewFalse        = 0x89
	opLong1           = 0x8a
	opShortBinUnicode = 0x8c
	opBinUnicode8     = 0x8d
	opMemoize         = 0x94
	opFrame           = 0x95
)

// pickleReader is Python's machine of a stack, marks on it, and a memo, of
// which only texts are taken out again.
type pickleReader struct {
	b     []byte
	stack []pickled
	marks []int
	memo  []pickled
	left  int // values that may still come
}

// parsePickle reads a pickle of at most limit values. The texts are views of b.
func parsePickle(b []byte, limit int) (pickled, error) {
	p := pickleReader{b: b, left: limit}
	for {
		op, err := p.take(1)
		if err != nil {
			return pickled{}, err
		}
		if op[0] == opStop {
			if len(p.stack) != 1 || len(p.marks) != 0 {
				return pickled{}, errPickle
			}
			return p.stack[0], nil
		}
		if err := p.do(op[0]); err != nil {
			return pickled{}, err
		}
	}
}

func (p *pickleReader) do(op byte) error {
	switch op {
	case opProto:
		_, err := p.take(1)
		return err
	case opFrame:
		_, err := p.take(8)
		return err
	case opMark:
		p.marks = append(p.marks, len(p.stack))
		return p.spend()
	case opNone, opNewTrue, opNewFalse:
		return p.push(pickled{})
	case opEmptyTuple, opEmptyList:
		return p.push(pickled{kind: pickleList})
	case opEmptyDict:
		return p.push(pickled{kind: pickleDict})
	case opShortBinUnicode:
		return p.pushText(1)
	case opBinUnicode:
		return p.pushText(4)
	case opBinUnicode8:
		return p.pushText(8)
	case opBinInt1:
		return p.pushNumber(1, false)
	case opBinInt2:
		return p.pushNumber(2, false)
	case opBinInt:
		return p.pushNumber(4, true)
	case opLong1:
		n, err := p.number(1)
		if err != nil || n > 8 {
			return errPickle
		}
		return p.pushNumber(int(n), true)
	case opMemoize:
		return p.put(uint64(len(p.memo)))
	case opBinPut, opLongBinPut, opBinGet, opLongBinGet:
		width := 1
		if op == opLongBinPut || op == opLongBinGet {
			width = 4
		}
		i, err := p.number(width)
		switch {
		case err != nil:
			return err
		case op == opBinPut || op == opLongBinPut:
			return p.put(i)
		case i >= uint64(len(p.memo)) || p.memo[i].kind != pickleText:
			return errPickle
		}
		return p.push(p.memo[i])
	case opTuple:
		items, err := p.cut()
		if err != nil {
			return err
		}
		return p.push(pickled{kind: pickleList, items: items})
	case opAppends, opSetItems:
		items, err := p.cut()
		if err != nil {
			return err
		}
		return p.extend(op == opSetItems, items)
	case opAppend:
		return p.extend(false, p.top(1))
	case opSetItem:
		return p.extend(true, p.top(2))
	}
	if op >= opTuple1 && op <= opTuple3 {
		items := p.top(int(op - opTuple1 + 1))
		if items == nil {
			return errPickle
		}
		return p.push(pickled{kind: pickleList, items: items})
	}
	return errPickle
}

func (p *pickleReader) take(n uint64) ([]byte, error) {
	if n > uint64(len(p.b)) {
		return nil, errPickle
	}
	b := p.b[:n]
	p.b = p.b[n:]
	return b, nil
}

// number reads an unsigned number of that many bytes.
func (p *pickleReader) number(width int) (v uint64, err error) {
	b, err := p.take(uint64(width))
	var full [8]byte
	copy(full[:], b)
	return binary.LittleEndian.Uint64(full[:]), err
}

func (p *pickleReader) spend() error {
	if p.left--; p.left < 0 {
		return errPickle
	}
	return nil
}

func (p *pickleReader) push(v pickled) error {
	p.stack = append(p.stack, v)
	return p.spend()
}

func (p *pickleReader) pushText(width int) error {
	n, err := p.number(width)
	if err != nil {
		return err
	}
	b, err := p.take(n)
	if err != nil {
		return err
	}
	return p.push(pickled{kind: pickleText, text: view(b)})
}

func (p *pickleReader) pushNumber(width int, signed bool) error {
	v, err := p.number(width)
	if err != nil {
		return err
	}
	if shift := 64 - 8*width; signed && width > 0 {
		v = uint64(int64(v<<shift) >> shift)
	}
	return p.push(pickled{kind: pickleNumber, number: int64(v)})
}

// put remembers what is on top; Python numbers what it remembers one by one.
func (p *pickleReader) put(i uint64) error {
	if len(p.stack) == 0 || i != uint64(len(p.memo)) {
		return errPickle
	}
	p.memo = append(p.memo, p.stack[len(p.stack)-1])
	return p.spend()
}

// cut takes what is above the last mark off the stack.
func (p *pickleReader) cut() ([]pickled, error) {
	if len(p.marks) == 0 {
		return nil, errPickle
	}
	at := p.marks[len(p.marks)-1]
	p.marks = p.marks[:len(p.marks)-1]
	return p.top(len(p.stack) - at), nil
}

// top takes n values off the stack, none of which lies below a mark; nil if
// there are not so many.
func (p *pickleReader) top(n int) []pickled {
	at := len(p.stack) - n
	if at < 0 || len(p.marks) > 0 && at < p.marks[len(p.marks)-1] {
		return nil
	}
	items := append(make([]pickled, 0, n), p.stack[at:]...)
	p.stack = p.stack[:at]
	return items
}

// extend adds items to the list or dictionary on top.
func (p *pickleReader) extend(dict bool, items []pickled) error {
	want := pickleList
	if dict {
		want = pickleDict
	}
	if items == nil || len(p.stack) == 0 || dict && len(items)%2 != 0 {
		return errPickle
	}
	onto := &p.stack[len(p.stack)-1]
	if onto.kind != want {
		return errPickle
	}
	onto.items = append(onto.items, items...)
	return nil
}
