package dynamodb

import (
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/dynamodb"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/services/dynamodb/expr"
)

// mutation is one change of one item, or a check of one: what PutItem,
// UpdateItem, DeleteItem, batches and transactions have in common. It has been
// checked as far as that is possible without the item that is there.
type mutation struct {
	t         *table
	key       []byte
	keys      expr.Item // the key attributes
	condition expr.Condition
	change    change
	item      expr.Item    // put
	size      int          // of item
	update    *expr.Update // nil: only make sure that the item exists
	// wantOld says that the caller wants the item that was there, or to know what
	// the change cost.
	wantOld bool
	onFail  *string // ReturnValuesOnConditionCheckFailure
}

type change uint8

const (
	put change = iota
	update
	remove
	check
)

// conditionFailed is the error of a condition that does not hold.
type conditionFailed struct{ item expr.Item }

func (*conditionFailed) Error() string { return "The conditional request failed" }

func (c *conditionFailed) fault() error {
	f := api.ConditionalCheckFailedException("The conditional request failed")
	if c.item != nil {
		f = f.With("Item", c.item)
	}
	return f
}

// newPut makes the mutation of PutItem.
func newPut(t *table, item expr.Item, condition expr.Condition) (*mutation, error) {
	item, err := expr.NormalItem(item)
	if err != nil {
		return nil, wrong(err)
	}
	size, err := t.checkItem(item)
	if err != nil {
		return nil, err
	}
	return &mutation{t: t, key: t.itemKey(item), keys: item, condition: condition, change: put, item: item, size: size}, nil
}

// newChange makes the mutation of an operation that names a key.
func newChange(t *table, c change, key expr.Item, condition expr.Condition, u *expr.Update) (*mutation, error) {
	if u != nil {
		for _, p := range u.Paths() {
			if p.Top() == t.hash.name || p.Top() == t.rng.name {
				return nil, badParameter("Cannot update attribute %s. This attribute is part of the key", p.Top())
			}
		}
	}
	key, err := t.checkKey(key)
	if err != nil {
		return nil, err
	}
	return &mutation{t: t, key: t.itemKey(key), keys: key, condition: condition, change: c, update: u}, nil
}

// run carries the mutation out. It may run several times.
func (m *mutation) run(txn data.Txn) (old, item expr.Item, w written, err error) {
	if m.wantOld || m.condition != nil || m.change == update || m.t.needsOld() {
		stored, ok, err := txn.Get(m.key)
		if err != nil {
			return nil, nil, w, err
		}
		if ok {
			if old, _, err = decodeItem(stored); err != nil {
				return nil, nil, w, err
			}
		}
	}
	if m.condition != nil && !m.condition.Holds(old) {
		f := &conditionFailed{}
		if opt.Val(m.onFail) == api.ReturnValuesOnConditionCheckFailureAllOld {
			f.item = old
		}
		return old, nil, w, f
	}
	size := m.size
	switch m.change {
	case check:
		return old, nil, written{table: writeUnits(oldSize(old))}, nil
	case put:
		item = m.item
	case update:
		if old == nil && m.update != nil && m.update.OnlyRemoves() {
			return nil, nil, written{table: writeUnits(0)}, nil
		}
		if item, size, err = m.updated(old); err != nil {
			return old, nil, w, err
		}
	}
	w, err = m.t.write(txn, m.key, old, item, size)
	return old, item, w, err
}

// updated is what the update makes of the item that was there.
func (m *mutation) updated(old expr.Item) (item expr.Item, size int, err error) {
	if m.update == nil {
		item = old
	} else if item, err = m.update.Apply(old); err != nil {
		return nil, 0, wrong(err)
	}
	if old == nil {
		if item == nil {
			item = expr.Item{}
		}
		for name, v := range m.keys {
			item[name] = v
		}
	}
	for _, x := range m.t.indexes {
		for _, a := range x.keys() {
			if v, ok := item[a.name]; ok && !a.is(&v) {
				return nil, 0, invalid("The update expression attempted to update the secondary index key to unsupported type")
			}
		}
	}
	if expr.ItemSize(item) > maxItem {
		return nil, 0, invalid("Item size to update has exceeded the maximum allowed size")
	}
	size, err = m.t.checkItem(item)
	return item, size, err
}
