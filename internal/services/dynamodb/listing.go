package dynamodb

import (
	"bytes"
	"context"
	"encoding/binary"
	"math/bits"

	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/dynamodb"
	"github.com/tierra-cloud/tierra/internal/services/dynamodb/expr"
)

// maxPage is how many bytes of items one Query or Scan goes through.
const maxPage = 1 << 20

// partition sets the range of keys that the key condition selects.
func (l *listing) partition() error {
	keys, c := l.keys(), l.key
	if err := checkCondition(keys[0], c.Hash); err != nil {
		return err
	}
	whole := appendHash(bytes.Clone(l.prefix()), c.Hash)
	l.from, l.to = whole, data.PrefixEnd(whole)
	if c.Op == "" {
		return nil
	}
	for _, v := range []*api.AttributeValue{c.Low, c.High} {
		if v != nil {
			if err := checkCondition(keys[1], v); err != nil {
				return err
			}
		}
	}
	low := l.sortKey(whole, c.Low)
	switch c.Op {
	case "=":
		l.from, l.to = low, l.after(low)
	case "<":
		l.to = low
	case "<=":
		l.to = l.after(low)
	case ">":
		l.from = l.after(low)
	case ">=":
		l.from = low
	case "BETWEEN":
		l.from, l.to = low, l.after(l.sortKey(whole, c.High))
	case "begins_with":
		text := string(c.Low.B)
		if c.Low.S != nil {
			text = *c.Low.S
		}
		if l.from = append(bytes.Clone(whole), text...); l.x != nil {
			l.from = data.AppendPartial(bytes.Clone(whole), text)
		}
		l.to = data.PrefixEnd(l.from)
	}
	return nil
}

func checkCondition(a attribute, v *api.AttributeValue) error {
	if !a.is(v) {
		return badParameter("Condition parameter type does not match schema type")
	}
	if expr.Size(v) == 0 {
		kind := "string"
		if v.B != nil {
			kind = "binary"
		}
		return invalid("One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty %s value. Key: %s", kind, a.name)
	}
	return nil
}

func (l *listing) sortKey(partition []byte, v *api.AttributeValue) []byte {
	return appendSort(bytes.Clone(partition), v, l.x == nil)
}

// after is the first key after those of a sort key's value.
func (l *listing) after(k []byte) []byte {
	if l.x == nil {
		return append(bytes.Clone(k), 0)
	}
	return data.PrefixEnd(k)
}

// segment sets the range of keys of one of total segments of a scan: partitions
// are spread evenly by their hashes.
func (l *listing) segment(n, total uint64) {
	at := func(n uint64) []byte {
		if n == total {
			return data.PrefixEnd(l.prefix())
		}
		// n/total of the space of hashes, by their first 64 bits
		bound, _ := bits.Div64(n, 0, total)
		return binary.BigEndian.AppendUint64(bytes.Clone(l.prefix()), bound)
	}
	l.from, l.to = at(n), at(n+1)
}

// resume goes on after the key with which an earlier page ended.
func (l *listing) resume(start expr.Item) error {
	if start == nil {
		return nil
	}
	want := map[string]attribute{}
	for _, a := range append(l.t.keys(), l.keys()...) {
		want[a.name] = a
	}
	if len(start) != len(want) {
		return invalid("The provided starting key is invalid")
	}
	key, err := expr.NormalItem(start)
	if err != nil {
		return invalid("The provided starting key is invalid: %s", err.Error())
	}
	for name, a := range want {
		v, ok := key[name]
		if !ok || !a.is(&v) || expr.Size(&v) == 0 {
			return invalid("The provided starting key is invalid: The provided key element does not match the schema")
		}
	}
	if err := l.t.checkKeySizes(key); err != nil {
		return err
	}
	at := l.t.itemKey(key)
	if l.x != nil {
		var ok bool
		if at, ok = l.t.indexKey(l.x, key); !ok {
			return invalid("The provided starting key is invalid")
		}
	}
	if bytes.Compare(at, l.from) < 0 || bytes.Compare(at, l.to) >= 0 {
		if l.key == nil {
			return invalid("The provided starting key is invalid: Invalid ExclusiveStartKey. Please use ExclusiveStartKey with correct Segment.")
		}
		return invalid("The provided starting key is outside query boundaries based on provided conditions")
	}
	if l.reverse {
		l.to = at
	} else {
		l.from = append(at, 0)
	}
	return nil
}

// found is what one Query or Scan answers.
type found struct {
	items          []map[string]api.AttributeValue
	count, scanned int32
	last           expr.Item
	size           int     // of the items that were gone through
	fetched        float64 // read units of items fetched from the table for an index
}

func (p *found) used(l *listing, name string) *used {
	units := readUnits(p.size, l.consistent)
	if l.x == nil {
		return &used{name: name, table: units}
	}
	return &used{name: name, table: p.fetched, indexes: map[string]float64{l.x.Name: units}}
}

func (s *Service) list(ctx context.Context, l *listing) (p *found, err error) {
	err = s.store.View(ctx, func(r data.Reader) error {
		p = &found{}
		if !l.countOnly {
			p.items = []map[string]api.AttributeValue{}
		}
		if bytes.Compare(l.from, l.to) >= 0 {
			return nil
		}
		var last expr.Item
		for pair, err := range r.Scan(l.from, l.to, l.reverse) {
			if err != nil {
				return err
			}
			if p.size >= maxPage {
				p.last = l.place(last)
				return nil
			}
			item, size, err := decodeItem(pair.Value)
			if err != nil {
				return err
			}
			last = item
			if p.size += size; l.fetch {
				if item, err = p.fetch(r, l, item); err != nil {
					return err
				}
			}
			p.scanned++
			if l.filter == nil || l.filter.Holds(item) {
				p.count++
				if !l.countOnly {
					if l.projection != nil {
						item = l.projection.Apply(item)
					}
					p.items = append(p.items, item)
				}
			}
			if int(p.scanned) == l.limit {
				p.last = l.place(last)
				return nil
			}
		}
		return nil
	})
	return p, err
}

// fetch reads the whole of an item that an index keeps a part of.
func (p *found) fetch(r data.Reader, l *listing, entry expr.Item) (expr.Item, error) {
	stored, ok, err := r.Get(l.t.itemKey(entry))
	if err != nil || !ok {
		return entry, err
	}
	item, size, err := decodeItem(stored)
	p.fetched += readUnits(size, l.consistent)
	return item, err
}

// place is the key with which the next page begins after an item.
func (l *listing) place(item expr.Item) expr.Item {
	out := l.t.keyOf(item)
	for _, a := range l.keys() {
		out[a.name] = item[a.name]
	}
	return out
}
