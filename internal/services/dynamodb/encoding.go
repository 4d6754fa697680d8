package dynamodb

import (
	"encoding/binary"
	"errors"

	api "github.com/tierra-cloud/tierra/internal/gen/dynamodb"
	"github.com/tierra-cloud/tierra/internal/services/dynamodb/expr"
)

// Stored items are bytes:
//
//	1            the format
//	uvarint      the item's size by DynamoDB's rules
//	uvarint      how many strings and numbers the item holds at any depth
//	uvarint      how many attributes follow
//	attributes   name and value each; strings have their length before them
//
// Reading makes one string of it all, of which every name and text is a part, and
// one array for the strings' headers: an item costs a handful of allocations.
const itemFormat = 1

// The tags of values. They are stored: never renumber.
const (
	tagS byte = 1 + iota
	tagN
	tagB
	tagSS
	tagNS
	tagBS
	tagM
	tagL
	tagNull
	tagFalse
	tagTrue
)

var errItem = errors.New("dynamodb: a stored item is damaged or of an unknown format")

// encodeItem writes an item in normal form, whose size is known.
func encodeItem(item expr.Item, size int) []byte {
	b := make([]byte, 0, size+3*len(item)+16)
	b = append(b, itemFormat)
	b = binary.AppendUvarint(b, uint64(size))
	b = binary.AppendUvarint(b, uint64(texts(item)))
	return appendAttributes(b, item)
}

func texts(item expr.Item) (n int) {
	for _, v := range item {
		n += textsIn(&v)
	}
	return n
}

func textsIn(v *api.AttributeValue) int {
	switch {
	case v.S != nil, v.N != nil:
		return 1
	case v.M != nil:
		return texts(v.M)
	}
	n := 0
	for i := range v.L {
		n += textsIn(&v.L[i])
	}
	return n
}

func appendAttributes(b []byte, item expr.Item) []byte {
	b = binary.AppendUvarint(b, uint64(len(item)))
	for name, v := range item {
		b = appendText(b, name)
		b = appendValue(b, &v)
	}
	return b
}

func appendText(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

func appendTexts(b []byte, tag byte, set []string) []byte {
	b = binary.AppendUvarint(append(b, tag), uint64(len(set)))
	for _, s := range set {
		b = appendText(b, s)
	}
	return b
}

func appendBlob(b []byte, s []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

func appendValue(b []byte, v *api.AttributeValue) []byte {
	switch {
	case v.S != nil:
		return appendText(append(b, tagS), *v.S)
	case v.N != nil:
		return appendText(append(b, tagN), *v.N)
	case v.B != nil:
		return appendBlob(append(b, tagB), v.B)
	case v.M != nil:
		return appendAttributes(append(b, tagM), v.M)
	case v.L != nil:
		b = binary.AppendUvarint(append(b, tagL), uint64(len(v.L)))
		for i := range v.L {
			b = appendValue(b, &v.L[i])
		}
		return b
	case v.BOOL != nil && *v.BOOL:
		return append(b, tagTrue)
	case v.BOOL != nil:
		return append(b, tagFalse)
	case v.SS != nil:
		return appendTexts(b, tagSS, v.SS)
	case v.NS != nil:
		return appendTexts(b, tagNS, v.NS)
	case v.BS != nil:
		b = binary.AppendUvarint(append(b, tagBS), uint64(len(v.BS)))
		for _, e := range v.BS {
			b = appendBlob(b, e)
		}
		return b
	}
	return append(b, tagNull)
}

// decodeItem reads what encodeItem wrote.
func decodeItem(b []byte) (expr.Item, int, error) {
	if len(b) == 0 || b[0] != itemFormat {
		return nil, 0, errItem
	}
	d := decoder{s: string(b[1:])}
	size := d.count(1 << 30)
	n := d.count(len(d.s))
	if d.bad {
		return nil, 0, errItem
	}
	d.texts = make([]string, 0, n)
	item := d.attributes()
	if d.bad || len(d.s) != 0 {
		return nil, 0, errItem
	}
	return item, size, nil
}

// storedSize returns the size that an encoded item says it has.
func storedSize(b []byte) int {
	if len(b) == 0 {
		return 0
	}
	n, _ := binary.Uvarint(b[1:])
	return int(n)
}

type decoder struct {
	s     string
	texts []string
	depth int
	bad   bool
}

// count reads a number that can be at most limit.
func (d *decoder) count(limit int) int {
	var v uint64
	for i := 0; i < len(d.s) && i < 5; i++ {
		c := d.s[i]
		v |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			d.s = d.s[i+1:]
			if v > uint64(limit) {
				break
			}
			return int(v)
		}
	}
	d.bad = true
	return 0
}

func (d *decoder) text() string {
	n := d.count(len(d.s))
	if d.bad || n > len(d.s) {
		d.bad = true
		return ""
	}
	t := d.s[:n]
	d.s = d.s[n:]
	return t
}

func (d *decoder) pointer() *string {
	t := d.text()
	if len(d.texts) == cap(d.texts) {
		d.bad = true
		return &t
	}
	d.texts = append(d.texts, t)
	return &d.texts[len(d.texts)-1]
}

func (d *decoder) list() []string {
	out := make([]string, 0, d.count(len(d.s)))
	for range cap(out) {
		if d.bad {
			break
		}
		out = append(out, d.text())
	}
	return out
}

func (d *decoder) attributes() expr.Item {
	n := d.count(len(d.s))
	item := make(expr.Item, n)
	for range n {
		name := d.text()
		v := d.value()
		if d.bad {
			break
		}
		item[name] = v
	}
	return item
}

func (d *decoder) value() (v api.AttributeValue) {
	if d.bad || d.s == "" || d.depth > expr.MaxDepth+1 {
		d.bad = true
		return v
	}
	tag := d.s[0]
	d.s = d.s[1:]
	d.depth++
	switch tag {
	case tagS:
		v.S = d.pointer()
	case tagN:
		v.N = d.pointer()
	case tagB:
		v.B = []byte(d.text())
	case tagSS:
		v.SS = d.list()
	case tagNS:
		v.NS = d.list()
	case tagBS:
		n := d.count(len(d.s))
		v.BS = make([][]byte, 0, n)
		for range n {
			if d.bad {
				break
			}
			v.BS = append(v.BS, []byte(d.text()))
		}
	case tagM:
		v.M = d.attributes()
	case tagL:
		n := d.count(len(d.s))
		v.L = make([]api.AttributeValue, 0, n)
		for range n {
			if d.bad {
				break
			}
			v.L = append(v.L, d.value())
		}
	case tagNull:
		v.NULL = new(true)
	case tagFalse:
		v.BOOL = new(false)
	case tagTrue:
		v.BOOL = new(true)
	default:
		d.bad = true
	}
	d.depth--
	return v
}
