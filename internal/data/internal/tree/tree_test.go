package tree

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// check verifies order and balance, and returns the height.
func check[V any](t *rapid.T, n *node[V], lo, hi []byte) int {
	if n == nil {
		return 0
	}
	if lo != nil && bytes.Compare(n.key, lo) <= 0 || hi != nil && bytes.Compare(n.key, hi) >= 0 {
		t.Fatalf("%q is out of place", n.key)
	}
	l, r := check(t, n.left, lo, n.key), check(t, n.right, n.key, hi)
	if d := l - r; d < -1 || d > 1 || n.height != 1+max(l, r) {
		t.Fatalf("at %q: heights %d and %d, noted %d", n.key, l, r, n.height)
	}
	return n.height
}

func TestModel(t *testing.T) {
	type version struct {
		tree  Map[int]
		model map[string]int
	}
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.Custom(func(t *rapid.T) string { return fmt.Sprintf("%02d", rapid.IntRange(0, 60).Draw(t, "key")) })
		versions := []version{{model: map[string]int{}}}
		n := rapid.IntRange(1, 150).Draw(t, "changes")
		for i := range n {
			// Mostly the newest, now and then an old version is changed.
			v := versions[len(versions)-1]
			if rapid.IntRange(0, 9).Draw(t, "old") == 0 {
				v = rapid.SampledFrom(versions).Draw(t, "version")
			}
			k, model := key.Draw(t, "k"), maps.Clone(v.model)
			if rapid.Bool().Draw(t, "delete") {
				delete(model, k)
				v = version{v.tree.Delete([]byte(k)), model}
			} else {
				model[k] = i
				v = version{v.tree.Set([]byte(k), i), model}
			}
			check(t, v.tree.root, nil, nil)
			versions = append(versions, v)
		}
		for _, v := range versions {
			if v.tree.Len() != len(v.model) {
				t.Fatalf("Len = %d, want %d", v.tree.Len(), len(v.model))
			}
			for i := range 62 {
				k := fmt.Sprintf("%02d", i)
				want, has := v.model[k]
				if got, ok := v.tree.Get([]byte(k)); ok != has || got != want {
					t.Fatalf("Get(%s) = %d, %v, want %d, %v", k, got, ok, want, has)
				}
			}
		}
		v := versions[len(versions)-1]
		from, to := []byte(key.Draw(t, "from")), []byte(key.Draw(t, "to"))
		if rapid.Bool().Draw(t, "unbounded") {
			from, to = nil, nil
		}
		for _, reverse := range []bool{false, true} {
			var want, got []string
			for _, k := range slices.Sorted(maps.Keys(v.model)) {
				if k >= string(from) && (to == nil || k < string(to)) {
					want = append(want, k)
				}
			}
			if reverse {
				slices.Reverse(want)
			}
			for c := v.tree.Range(from, to, reverse); c.Valid(); c.Next() {
				got = append(got, string(c.Key()))
				if c.Value() != v.model[string(c.Key())] {
					t.Fatalf("at %s: %d", c.Key(), c.Value())
				}
			}
			if !slices.Equal(got, want) {
				t.Fatalf("Range(%q, %q, %v) = %q, want %q", from, to, reverse, got, want)
			}
		}
	})
}
