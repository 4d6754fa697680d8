// Package cbor reads and writes shapes as CBOR (RFC 8949), in the form of the
// protocol Smithy RPC v2 CBOR.
// https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html
package cbor

import (
	"encoding/binary"
	"math"
	"unicode/utf8"
)

// Error says what is wrong with a CBOR text.
type Error struct{ Message string }

// Error implements error.
func (e *Error) Error() string { return e.Message }

var (
	errForm  = &Error{"The request body is not well-formed CBOR"}
	errDepth = &Error{"The CBOR text is nested too deeply"}
	errUTF8  = &Error{"A CBOR text string is not valid UTF-8"}
)

// maxDepth bounds nesting: deeper than any shape that a service takes.
const maxDepth = 256

// The major types, in the upper three bits of an item's first byte.
const (
	unsigned = iota
	negative
	byteString
	textString
	array
	dict
	tag
	simple
)

// The simple values, and what follows the major type "simple".
const (
	falseValue = 20
	trueValue  = 21
	nullValue  = 22
	undefined  = 23
	half       = 25
	single     = 26
	double     = 27
	indefinite = 31 // as length: until a break follows; as a simple value: the break
)

const breakByte = simple<<5 | indefinite

// reader reads items.
type reader struct {
	data  []byte
	pos   int
	depth int
}

// head is an item's first part: the major type, the additional information and
// the argument.
type head struct {
	major, info byte
	arg         uint64
}

func (h head) indefinite() bool { return h.info == indefinite }

func (h head) null() bool {
	return h.major == simple && (h.info == nullValue || h.info == undefined)
}

// head reads the next item's head.
func (r *reader) head() (head, error) {
	if r.pos >= len(r.data) {
		return head{}, errForm
	}
	c := r.data[r.pos]
	r.pos++
	h := head{major: c >> 5, info: c & 31}
	rest := r.data[r.pos:]
	size := 0
	switch {
	case h.info < 24:
		h.arg = uint64(h.info)
	case h.info <= double:
		size = 1 << (h.info - 24)
	case h.info == indefinite && h.major >= byteString && h.major != tag:
	default:
		return h, errForm
	}
	if len(rest) < size {
		return h, errForm
	}
	switch size {
	case 1:
		h.arg = uint64(rest[0])
	case 2:
		h.arg = uint64(binary.BigEndian.Uint16(rest))
	case 4:
		h.arg = uint64(binary.BigEndian.Uint32(rest))
	case 8:
		h.arg = binary.BigEndian.Uint64(rest)
	}
	r.pos += size
	return h, nil
}

// item reads the next item's head, past tags that say nothing to us.
func (r *reader) item() (head, error) {
	for range maxDepth {
		h, err := r.head()
		if err != nil || h.major != tag {
			return h, err
		}
	}
	return head{}, errDepth
}

// bytes reads the content of a string whose head was read.
func (r *reader) bytes(h head) ([]byte, error) {
	var b []byte
	if !h.indefinite() {
		if h.arg > uint64(len(r.data)-r.pos) {
			return nil, errForm
		}
		b = r.data[r.pos : r.pos+int(h.arg)]
		r.pos += int(h.arg)
	} else {
		b = []byte{}
		for !r.atBreak() {
			c, err := r.head()
			if err != nil {
				return nil, err
			}
			if c.major != h.major || c.indefinite() {
				return nil, errForm
			}
			part, err := r.bytes(c)
			if err != nil {
				return nil, err
			}
			b = append(b, part...)
		}
		r.pos++
	}
	if h.major == textString && !utf8.Valid(b) {
		return nil, errUTF8
	}
	return b, nil
}

func (r *reader) atBreak() bool { return r.pos < len(r.data) && r.data[r.pos] == breakByte }

// open goes into an array or map whose head was read. Every entry takes a byte
// at least, so that a length beyond the text's end is seen before anything is
// made of it.
func (r *reader) open(h head) error {
	if r.depth++; r.depth > maxDepth {
		return errDepth
	}
	if !h.indefinite() && h.arg > uint64(len(r.data)-r.pos) {
		return errForm
	}
	return nil
}

// more reports whether the open array or map has an entry after n that were
// read; it consumes the break.
func (r *reader) more(h head, n uint64) bool {
	if h.indefinite() {
		if !r.atBreak() {
			return true
		}
		r.pos++
	} else if n < h.arg {
		return true
	}
	r.depth--
	return false
}

// float returns the value of a floating-point item.
func (h head) float() float64 {
	switch h.info {
	case half:
		return fromHalf(uint16(h.arg))
	case single:
		return float64(math.Float32frombits(uint32(h.arg)))
	}
	return math.Float64frombits(h.arg)
}

func (h head) isFloat() bool { return h.major == simple && h.info >= half && h.info <= double }

// integer returns the value of an integer item, and whether it is one in range.
func (h head) integer() (int64, bool) {
	switch {
	case h.arg > math.MaxInt64:
		return 0, false
	case h.major == unsigned:
		return int64(h.arg), true
	case h.major == negative:
		return -1 - int64(h.arg), true
	}
	return 0, false
}

// fromHalf widens a half-precision number.
func fromHalf(b uint16) float64 {
	exp, frac := int(b>>10&31), float64(b&1023)
	var f float64
	switch exp {
	case 0:
		f = math.Ldexp(frac, -24)
	case 31:
		f = math.Inf(1)
		if frac != 0 {
			f = math.NaN()
		}
	default:
		f = math.Ldexp(frac+1024, exp-25)
	}
	if b>>15 == 1 {
		return -f
	}
	return f
}

// skip passes over the item whose head was read.
func (r *reader) skip(h head) error {
	switch h.major {
	case byteString, textString:
		_, err := r.bytes(h)
		return err
	case array, dict:
		if err := r.open(h); err != nil {
			return err
		}
		items := 1
		if h.major == dict {
			items = 2
		}
		for n := uint64(0); r.more(h, n); n++ {
			for range items {
				c, err := r.item()
				if err != nil {
					return err
				}
				if err := r.skip(c); err != nil {
					return err
				}
			}
		}
	case simple:
		if h.indefinite() { // a break where there is nothing to end
			return errForm
		}
	}
	return nil
}
