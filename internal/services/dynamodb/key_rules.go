package dynamodb

import (
	api "github.com/tierra-cloud/tierra/internal/gen/dynamodb"
	"github.com/tierra-cloud/tierra/internal/services/dynamodb/expr"
)

// Limits of keys and items, in bytes.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
const (
	maxHashKey  = 2048
	maxRangeKey = 1024
	maxItem     = 400 << 10
)

// is reports whether v has the attribute's type.
func (a attribute) is(v *api.AttributeValue) bool {
	switch a.typ {
	case "S":
		return v.S != nil
	case "N":
		return v.N != nil
	}
	return v.B != nil
}

// fits reports whether v can be a key.
func (a attribute) fits(v *api.AttributeValue, limit int) bool {
	n := expr.Size(v)
	return a.is(v) && n > 0 && n <= limit
}

func (t *table) keys() []attribute {
	if t.rng.name == "" {
		return []attribute{t.hash}
	}
	return []attribute{t.hash, t.rng}
}

func (x *index) keys() []attribute {
	if x.rng.name == "" {
		return []attribute{x.hash}
	}
	return []attribute{x.hash, x.rng}
}

// checkKeySizes refuses keys that are too long or empty.
func (t *table) checkKeySizes(item expr.Item) error {
	for i, a := range t.keys() {
		v := item[a.name]
		n := expr.Size(&v)
		switch {
		case n == 0 && v.B != nil:
			return invalid("One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty binary value. Key: %s", a.name)
		case n == 0:
			return invalid("One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: %s", a.name)
		case i == 0 && n > maxHashKey:
			return invalid("One or more parameter values were invalid: Size of hashkey has exceeded the maximum size limit of%d bytes", maxHashKey)
		case i == 1 && n > maxRangeKey:
			return invalid("One or more parameter values were invalid: Aggregated size of all range keys has exceeded the size limit of %d bytes", maxRangeKey)
		}
	}
	return nil
}

// checkKey checks a Key member and returns it in normal form.
func (t *table) checkKey(key expr.Item) (expr.Item, error) {
	keys := t.keys()
	if len(key) != len(keys) {
		return nil, badKey()
	}
	out, err := expr.NormalItem(key)
	if err != nil {
		return nil, wrong(err)
	}
	for _, a := range keys {
		if v, ok := out[a.name]; !ok || !a.is(&v) {
			return nil, badKey()
		}
	}
	return out, t.checkKeySizes(out)
}

func badKey() error { return invalid("The provided key element does not match the schema") }

// checkItem checks the keys of an item in normal form, those of indexes too, and
// its size, which it returns.
func (t *table) checkItem(item expr.Item) (size int, err error) {
	for _, a := range t.keys() {
		v, ok := item[a.name]
		if !ok {
			return 0, invalid("One or more parameter values were invalid: Missing the key %s in the item", a.name)
		}
		if !a.is(&v) {
			return 0, invalid("One or more parameter values were invalid: Type mismatch for key %s expected: %s actual: %s", a.name, a.typ, expr.TypeOf(&v))
		}
	}
	if err := t.checkKeySizes(item); err != nil {
		return 0, err
	}
	for _, x := range t.indexes {
		for i, a := range x.keys() {
			v, ok := item[a.name]
			if !ok {
				continue
			}
			if !a.is(&v) {
				return 0, invalid("One or more parameter values were invalid: Type mismatch for Index Key %s Expected: %s Actual: %s IndexName: %s", a.name, a.typ, expr.TypeOf(&v), x.Name)
			}
			n := expr.Size(&v)
			switch {
			case n == 0 && v.B != nil:
				return 0, invalid("One or more parameter values are not valid. A value specified for a secondary index key is not supported. The AttributeValue for a key attribute cannot contain an empty binary value. IndexName: %s, IndexKey: %s", x.Name, a.name)
			case n == 0:
				return 0, invalid("One or more parameter values are not valid. A value specified for a secondary index key is not supported. The AttributeValue for a key attribute cannot contain an empty string value. IndexName: %s, IndexKey: %s", x.Name, a.name)
			case i == 0 && n > maxHashKey:
				return 0, invalid("One or more parameter values were invalid: Size of hashkey has exceeded the maximum size limit of%d bytes", maxHashKey)
			case i == 1 && n > maxRangeKey:
				return 0, invalid("One or more parameter values were invalid: Aggregated size of all range keys has exceeded the size limit of %d bytes", maxRangeKey)
			}
		}
	}
	size = expr.ItemSize(item)
	if size > maxItem {
		return 0, invalid("Item size has exceeded the maximum allowed size")
	}
	if _, empty := item[""]; empty {
		return 0, invalid("One or more parameter values were invalid: An attribute name may not be empty")
	}
	return size, nil
}

// keyOf returns the key attributes of an item.
func (t *table) keyOf(item expr.Item) expr.Item {
	out := make(expr.Item, 2)
	for _, a := range t.keys() {
		out[a.name] = item[a.name]
	}
	return out
}
