package dynamodb

import (
	"maps"

	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/services/dynamodb/expr"
)

// needsOld reports whether writing an item takes to know what it replaces.
func (t *table) needsOld() bool { return len(t.indexes) > 0 || t.expiry != nil }

// written is what a write cost: write units of the table and of its indexes.
type written struct {
	table   float64
	indexes map[string]float64
}

// write replaces the item old at key by item, with everything that is derived
// from it; a nil item is none. size is the size of item, which has been checked.
func (t *table) write(txn data.Txn, key []byte, old, item expr.Item, size int) (written, error) {
	w := written{table: writeUnits(max(size, oldSize(old)))}
	if item == nil {
		if err := txn.Delete(key); err != nil {
			return w, err
		}
	} else if err := txn.Put(key, encodeItem(item, size)); err != nil {
		return w, err
	}
	for _, x := range t.indexes {
		units, err := t.writeEntry(txn, x, old, item)
		if err != nil {
			return w, err
		}
		if units > 0 {
			if w.indexes == nil {
				w.indexes = map[string]float64{}
			}
			w.indexes[x.Name] = units
		}
	}
	if t.expiry != nil {
		return w, t.writeExpiry(txn, old, item)
	}
	return w, nil
}

func oldSize(old expr.Item) int {
	if old == nil {
		return 0
	}
	return expr.ItemSize(old)
}

// project returns what an index keeps of an item.
func (x *index) project(item expr.Item) expr.Item {
	if x.keep == nil {
		return item
	}
	out := make(expr.Item, len(x.keep))
	for name := range x.keep {
		if v, ok := item[name]; ok {
			out[name] = v
		}
	}
	return out
}

// writeEntry brings an index in line and returns the write units that it took.
func (t *table) writeEntry(txn data.Txn, x *index, old, item expr.Item) (units float64, err error) {
	var was, is []byte
	var had, has bool
	if old != nil {
		was, had = t.indexKey(x, old)
	}
	if item != nil {
		is, has = t.indexKey(x, item)
	}
	var entry expr.Item
	if has {
		entry = x.project(item)
	}
	moved := had && has && string(was) != string(is)
	if had && (!has || moved) {
		units += writeUnits(expr.ItemSize(x.project(old)))
		if err := txn.Delete(was); err != nil {
			return 0, err
		}
	}
	if !has || had && !moved && expr.EqualItems(x.project(old), entry) {
		return units, nil
	}
	size := expr.ItemSize(entry)
	if had && !moved {
		units += writeUnits(max(size, expr.ItemSize(x.project(old))))
	} else {
		units += writeUnits(size)
	}
	return units, txn.Put(is, encodeItem(entry, size))
}

func (t *table) writeExpiry(txn data.Txn, old, item expr.Item) error {
	var was, is []byte
	var had, has bool
	if old != nil {
		was, had = t.expiryKey(old)
	}
	if item != nil {
		is, has = t.expiryKey(item)
	}
	if had && has && string(was) == string(is) {
		return nil
	}
	if had {
		if err := txn.Delete(was); err != nil {
			return err
		}
	}
	if has {
		return txn.Put(is, nil)
	}
	return nil
}

// derivation returns what makes the entry of an item in the index of the given
// number; nil if there is no such index any more.
func (t *table) derivation(number string) func(expr.Item) (key, value []byte, ok bool) {
	if t.expiry != nil && t.expiry.Number == number {
		return func(item expr.Item) ([]byte, []byte, bool) {
			k, ok := t.expiryKey(item)
			return k, nil, ok
		}
	}
	for _, x := range t.indexes {
		if x.Number == number {
			return func(item expr.Item) ([]byte, []byte, bool) {
				k, ok := t.indexKey(x, item)
				if !ok {
					return nil, nil, false
				}
				entry := x.project(item)
				return k, encodeItem(entry, expr.ItemSize(entry)), true
			}
		}
	}
	return nil
}

// add sums costs up.
func (w *written) add(o written) {
	w.table += o.table
	if o.indexes == nil {
		return
	}
	if w.indexes == nil {
		w.indexes = maps.Clone(o.indexes)
		return
	}
	for name, units := range o.indexes {
		w.indexes[name] += units
	}
}
