package datatest

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/tierra-cloud/tierra/internal/data"
)

// testModel runs random transactions against the store and a plain map.
func testModel(t *testing.T, open func(t testing.TB) data.Store) {
	s := open(t)
	defer s.Close()
	rapid.Check(t, func(rt *rapid.T) {
		model := map[string]string{}
		if err := clear(s); err != nil {
			rt.Fatal(err)
		}
		key := rapid.Custom(func(rt *rapid.T) string {
			return string(rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 'a', 'b', 0xff}), 1, 3).Draw(rt, "key"))
		})
		rollback := errors.New("rollback")
		rt.Repeat(map[string]func(*rapid.T){
			"update": func(rt *rapid.T) {
				next := maps.Clone(model)
				fails := rapid.IntRange(0, 4).Draw(rt, "fails") == 0
				steps := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) func(data.Txn) error { return step(rt, key, next) }), 1, 8).Draw(rt, "steps")
				err := s.Update(bg, func(tx data.Txn) error {
					for _, do := range steps {
						if err := do(tx); err != nil {
							return err
						}
					}
					if fails {
						return rollback
					}
					return nil
				})
				switch {
				case fails && err != rollback, !fails && err != nil:
					rt.Fatalf("Update: %v", err)
				case !fails:
					model = next
				}
			},
			"view": func(rt *rapid.T) {
				look := scan(rt, key, model)
				if err := s.View(bg, look); err != nil {
					rt.Fatal(err)
				}
			},
			"": func(rt *rapid.T) {
				if err := s.View(bg, func(r data.Reader) error { return compare(r, nil, nil, false, model) }); err != nil {
					rt.Fatal(err)
				}
			},
		})
	})
}

// step draws one step of a transaction and does it to the model.
func step(rt *rapid.T, key *rapid.Generator[string], model map[string]string) func(data.Txn) error {
	k := key.Draw(rt, "k")
	switch rapid.IntRange(0, 4).Draw(rt, "step") {
	case 0, 1:
		v := rapid.StringN(0, 3, -1).Draw(rt, "v")
		model[k] = v
		return func(tx data.Txn) error { return tx.Put([]byte(k), []byte(v)) }
	case 2:
		delete(model, k)
		return func(tx data.Txn) error { return tx.Delete([]byte(k)) }
	case 3:
		want, has := model[k]
		return func(tx data.Txn) error {
			got, ok, err := tx.Get([]byte(k))
			if err == nil && (ok != has || string(got) != want) {
				err = fmt.Errorf("Get(%q) = %q, %v, want %q, %v", k, got, ok, want, has)
			}
			return err
		}
	}
	look := scan(rt, key, maps.Clone(model))
	return func(tx data.Txn) error { return look(tx) }
}

// scan draws a scan, which compares what it sees to the model.
func scan(rt *rapid.T, key *rapid.Generator[string], model map[string]string) func(data.Reader) error {
	edge := rapid.OneOf(rapid.Just("~"), rapid.Just(""), key)
	from, to := bound(edge.Draw(rt, "from")), bound(edge.Draw(rt, "to"))
	reverse := rapid.Bool().Draw(rt, "reverse")
	return func(r data.Reader) error { return compare(r, from, to, reverse, model) }
}

func compare(r data.Reader, from, to []byte, reverse bool, model map[string]string) error {
	var want []string
	for _, k := range slices.Sorted(maps.Keys(model)) {
		if k >= string(from) && (to == nil || bytes.Compare([]byte(k), to) < 0) {
			want = append(want, k+"="+model[k])
		}
	}
	if reverse {
		slices.Reverse(want)
	}
	var got []string
	for p, err := range r.Scan(from, to, reverse) {
		if err != nil {
			return err
		}
		got = append(got, string(p.Key)+"="+string(p.Value))
	}
	if !slices.Equal(got, want) {
		return fmt.Errorf("Scan(%q, %q, %v) = %q, want %q", from, to, reverse, got, want)
	}
	return nil
}

// clear empties the store.
func clear(s data.Store) error {
	return s.Update(bg, func(tx data.Txn) error {
		for p, err := range tx.Scan(nil, nil, false) {
			if err != nil {
				return err
			}
			if err := tx.Delete(p.Key); err != nil {
				return err
			}
		}
		return nil
	})
}
