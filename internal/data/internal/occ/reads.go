package occ

import "bytes"

// reads is what a transaction has seen of its snapshot.
type reads struct {
	keys  map[string]struct{}
	spans []*span
}

// span is the part of a scan that was consumed: lo <= key < hi, or <= hi if closed.
// It is empty until some is set.
type span struct {
	lo, hi            []byte
	some              bool
	closed, boundless bool
}

func (r *reads) key(k []byte) {
	if r.keys == nil {
		r.keys = make(map[string]struct{})
	}
	if _, ok := r.keys[string(k)]; !ok {
		r.keys[string(k)] = struct{}{}
	}
}

// scan begins to note a scan over the given range.
func (r *reads) scan(from, to []byte, reverse bool) *span {
	s := &span{}
	if reverse {
		s.hi, s.boundless = bytes.Clone(to), to == nil
	} else {
		s.lo = bytes.Clone(from)
	}
	r.spans = append(r.spans, s)
	return s
}

// upTo notes that the scan has come to key.
func (s *span) upTo(key []byte, reverse bool) {
	s.some = true
	if reverse {
		s.lo = append(s.lo[:0], key...)
	} else {
		s.hi, s.closed = append(s.hi[:0], key...), true
	}
}

// all notes that the scan has come to its end.
func (s *span) all(from, to []byte, reverse bool) {
	s.some = true
	if reverse {
		s.lo = append(s.lo[:0], from...)
	} else {
		s.hi, s.closed, s.boundless = append(s.hi[:0], to...), false, to == nil
	}
}

func (s *span) has(key []byte) bool {
	if !s.some || bytes.Compare(key, s.lo) < 0 {
		return false
	}
	if s.boundless {
		return true
	}
	c := bytes.Compare(key, s.hi)
	return c < 0 || c == 0 && s.closed
}

// touched reports whether any of the keys is among what was read.
func (r *reads) touched(keys [][]byte) bool {
	for _, k := range keys {
		if _, ok := r.keys[string(k)]; ok {
			return true
		}
		for _, s := range r.spans {
			if s.has(k) {
				return true
			}
		}
	}
	return false
}
