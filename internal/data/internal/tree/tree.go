// Package tree is a persistent ordered map from byte keys to values: every change
// gives a new map that shares all but a path of nodes with the old one, so that a
// snapshot is a copy of one pointer. It is an AVL tree, so its depth does not
// depend on what keys somebody chooses.
package tree

import "bytes"

// Map is an ordered map; the zero Map is empty. A Map never changes, so it may be
// read by any number of goroutines. Keys handed in are kept and must not be
// changed afterwards.
type Map[V any] struct {
	root *node[V]
	n    int
}

type node[V any] struct {
	key         []byte
	value       V
	left, right *node[V]
	height      int
}

// Len returns the number of keys.
func (m Map[V]) Len() int { return m.n }

// Get returns the value of key.
func (m Map[V]) Get(key []byte) (value V, ok bool) {
	for n := m.root; n != nil; {
		switch c := bytes.Compare(key, n.key); {
		case c < 0:
			n = n.left
		case c > 0:
			n = n.right
		default:
			return n.value, true
		}
	}
	return value, false
}

// Set returns a map in which key has the given value.
func (m Map[V]) Set(key []byte, value V) Map[V] {
	root, added := set(m.root, key, value)
	if added {
		m.n++
	}
	m.root = root
	return m
}

// Delete returns a map without key.
func (m Map[V]) Delete(key []byte) Map[V] {
	if root, found := remove(m.root, key); found {
		m.root = root
		m.n--
	}
	return m
}

func set[V any](n *node[V], key []byte, value V) (_ *node[V], added bool) {
	if n == nil {
		return &node[V]{key: key, value: value, height: 1}, true
	}
	switch c := bytes.Compare(key, n.key); {
	case c < 0:
		left, added := set(n.left, key, value)
		return join(n, left, n.right), added
	case c > 0:
		right, added := set(n.right, key, value)
		return join(n, n.left, right), added
	}
	return &node[V]{key: n.key, value: value, left: n.left, right: n.right, height: n.height}, false
}

func remove[V any](n *node[V], key []byte) (_ *node[V], found bool) {
	if n == nil {
		return nil, false
	}
	switch c := bytes.Compare(key, n.key); {
	case c < 0:
		left, found := remove(n.left, key)
		if !found {
			return n, false
		}
		return join(n, left, n.right), true
	case c > 0:
		right, found := remove(n.right, key)
		if !found {
			return n, false
		}
		return join(n, n.left, right), true
	}
	if n.left == nil {
		return n.right, true
	}
	if n.right == nil {
		return n.left, true
	}
	least, rest := removeLeast(n.right)
	return join(least, n.left, rest), true
}

func removeLeast[V any](n *node[V]) (least, rest *node[V]) {
	if n.left == nil {
		return n, n.right
	}
	least, left := removeLeast(n.left)
	return least, join(n, left, n.right)
}

func height[V any](n *node[V]) int {
	if n == nil {
		return 0
	}
	return n.height
}

// link makes a node of n's pair over two trees that are balanced to each other.
func link[V any](n, left, right *node[V]) *node[V] {
	return &node[V]{key: n.key, value: n.value, left: left, right: right,
		height: 1 + max(height(left), height(right))}
}

// join is link for trees whose heights may differ by two.
func join[V any](n, left, right *node[V]) *node[V] {
	switch d := height(left) - height(right); {
	case d > 1:
		if height(left.left) >= height(left.right) {
			return link(left, left.left, link(n, left.right, right))
		}
		mid := left.right
		return link(mid, link(left, left.left, mid.left), link(n, mid.right, right))
	case d < -1:
		if height(right.right) >= height(right.left) {
			return link(right, link(n, left, right.left), right.right)
		}
		mid := right.left
		return link(mid, link(n, left, mid.left), link(right, mid.right, right.right))
	}
	return link(n, left, right)
}

// Cursor walks over a range of a map.
type Cursor[V any] struct {
	path    []*node[V] // the next node is on top; below it are those that come after
	end     []byte     // the bound that stops the walk, if bounded
	bounded bool
	reverse bool
}

// Range returns a cursor at the first key of from <= key < to, or at the last one
// if reverse. A nil to means no upper bound.
func (m Map[V]) Range(from, to []byte, reverse bool) *Cursor[V] {
	c := &Cursor[V]{reverse: reverse}
	if reverse {
		c.end, c.bounded = from, len(from) > 0
	} else {
		c.end, c.bounded = to, to != nil
	}
	for n := m.root; n != nil; {
		var ahead bool // n is in the range as far as the starting bound is concerned
		if reverse {
			ahead = to == nil || bytes.Compare(n.key, to) < 0
		} else {
			ahead = bytes.Compare(n.key, from) >= 0
		}
		if ahead {
			c.path = append(c.path, n)
		}
		if ahead != reverse {
			n = n.left
		} else {
			n = n.right
		}
	}
	c.clip()
	return c
}

// Valid reports whether the cursor stands at a pair.
func (c *Cursor[V]) Valid() bool { return len(c.path) > 0 }

// Key returns the key that the cursor stands at, which must not be changed.
func (c *Cursor[V]) Key() []byte { return c.path[len(c.path)-1].key }

// Value returns the value that the cursor stands at.
func (c *Cursor[V]) Value() V { return c.path[len(c.path)-1].value }

// Next moves on by one pair.
func (c *Cursor[V]) Next() {
	n := c.path[len(c.path)-1]
	c.path = c.path[:len(c.path)-1]
	if c.reverse {
		for n = n.left; n != nil; n = n.right {
			c.path = append(c.path, n)
		}
	} else {
		for n = n.right; n != nil; n = n.left {
			c.path = append(c.path, n)
		}
	}
	c.clip()
}

// clip ends the walk when it has come to the bound.
func (c *Cursor[V]) clip() {
	if len(c.path) == 0 || !c.bounded {
		return
	}
	d := bytes.Compare(c.Key(), c.end)
	if c.reverse && d < 0 || !c.reverse && d >= 0 {
		c.path = nil
	}
}
