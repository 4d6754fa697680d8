package data

import (
	"encoding/json"
	"fmt"
)

// Records are what most rooms keep: values of their own types as JSON.

// Load reads a record; nil if there is none.
func Load[T any](r Reader, key []byte) (*T, error) {
	b, ok, err := r.Get(key)
	if err != nil || !ok {
		return nil, err
	}
	return Decode[T](Pair{key, b})
}

// LoadAll reads all records below a prefix, in the order of their keys.
func LoadAll[T any](r Reader, prefix []byte) ([]*T, error) {
	var all []*T
	for p, err := range r.Scan(prefix, PrefixEnd(prefix), false) {
		if err != nil {
			return nil, err
		}
		v, err := Decode[T](p)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, nil
}

// Decode reads a record that a scan found.
func Decode[T any](p Pair) (*T, error) {
	v := new(T)
	if err := json.Unmarshal(p.Value, v); err != nil {
		return nil, fmt.Errorf("record %q: %w", p.Key, err)
	}
	return v, nil
}

// Save writes a record.
func Save(t Txn, key []byte, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("record %q: %w", key, err)
	}
	return t.Put(key, b)
}
