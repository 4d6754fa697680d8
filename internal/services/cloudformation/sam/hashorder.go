package sam

import "sort"

// hashOrder returns names in the order in which the hash table that AWS's transform
// keeps them in gives them back: it decides which of several wrong events is the one
// that is told. Names that fall on the same place come as they are handed over.
func hashOrder(names []string) []string {
	size := 8
	for 3*size < 2*(len(names)+1)+size { // it grows before it is two thirds full
		size *= 4
	}
	table := make([]int, size) // one more than the index of the name
	for i, n := range names {
		h := hash27(n)
		mask, perturb := uint64(size-1), h
		at := h & mask
		for table[at] != 0 {
			h = h<<2 + h + perturb + 1
			perturb >>= 5
			at = h & mask
		}
		table[at] = i + 1
	}
	out := make([]string, 0, len(names))
	for _, i := range table {
		if i > 0 {
			out = append(out, names[i-1])
		}
	}
	return out
}

// hash27 is the hash of a string in Python 2.7 on 64 bits, which that order is of.
func hash27(s string) uint64 {
	if s == "" {
		return 0
	}
	runes := []rune(s)
	h := uint64(runes[0]) << 7
	for _, r := range runes {
		h = h*1000003 ^ uint64(r)
	}
	return h ^ uint64(len(runes))
}

var _ = sort.Strings
