package sam

// hashOrder returns names in the order in which the hash table that AWS's transform
// keeps them in, that of Python 2.7, gives them back. It decides which of several
// events that are wrong is the one that is told.
func hashOrder(names []string) []string {
	t := hashTable{slots: make([]string, 8)}
	for _, n := range names {
		t.add(n)
	}
	return t.names()
}

// hashTable is open addressing over a power of two of slots; "" is a free one.
type hashTable struct {
	slots []string
	used  int
}

func (t *hashTable) add(name string) {
	if name == "" {
		return
	}
	mask := uint64(len(t.slots) - 1)
	perturb := hash27(name)
	at := perturb & mask
	for walk := at; t.slots[at] != "" && t.slots[at] != name; perturb >>= 5 {
		walk = walk<<2 + walk + perturb + 1
		at = walk & mask
	}
	if t.slots[at] == name {
		return
	}
	t.slots[at] = name
	if t.used++; t.used*3 < len(t.slots)*2 {
		return
	}
	old := t.names()
	size := 8
	for size <= 4*t.used {
		size *= 2
	}
	t.slots, t.used = make([]string, size), 0
	for _, n := range old {
		t.add(n)
	}
}

func (t *hashTable) names() []string {
	var out []string
	for _, n := range t.slots {
		if n != "" {
			out = append(out, n)
		}
	}
	return out
}

// hash27 is the hash of a string in Python 2.7 on 64 bits.
func hash27(s string) uint64 {
	if s == "" {
		return 0
	}
	var h uint64
	n := uint64(0)
	for _, r := range s {
		if n == 0 {
			h = uint64(r) << 7
		}
		h = h*1000003 ^ uint64(r)
		n++
	}
	return h ^ n
}
