package proxy

import (
	"net/url"
	"strings"
)

// pair is a query parameter, decoded.
type pair struct{ key, value string }

// appendQuery reads a raw query into pairs, in order. A pair whose encoding is
// wrong is left as it was sent.
func appendQuery(pairs []pair, raw string) []pair {
	for raw != "" {
		var one string
		one, raw, _ = strings.Cut(raw, "&")
		if one == "" {
			continue
		}
		key, value, _ := strings.Cut(one, "=")
		pairs = append(pairs, pair{unquery(key), unquery(value)})
	}
	return pairs
}

func unquery(s string) string {
	if strings.IndexByte(s, '%') < 0 && strings.IndexByte(s, '+') < 0 {
		return s
	}
	if d, err := url.QueryUnescape(s); err == nil {
		return d
	}
	return s
}

// Query returns the last value of a parameter in a raw query.
func Query(raw, name string) string {
	value := ""
	for _, p := range appendQuery(nil, raw) {
		if p.key == name {
			value = p.value
		}
	}
	return value
}

// Pairs returns the parameters of a raw query in order, decoded.
func Pairs(raw string) []Header {
	var all []Header
	for _, p := range appendQuery(nil, raw) {
		all = append(all, Header{p.key, p.value})
	}
	return all
}

// fewPairs is up to how many parameters are grouped by looking at each other.
const fewPairs = 16

// appendParameters appends queryStringParameters (the last value of each) and
// multiValueQueryStringParameters, each none if there are none.
func appendParameters(dst []byte, raw, none string) []byte {
	if raw == "" {
		dst = append(append(dst, `,"queryStringParameters":`...), none...)
		return append(append(dst, `,"multiValueQueryStringParameters":`...), none...)
	}
	var space [fewPairs]pair
	pairs := appendQuery(space[:0], raw)
	if len(pairs) == 0 {
		return appendParameters(dst, "", none)
	}
	var few [3 * fewPairs]int
	first, next, last := group(pairs, few[:])
	dst = append(dst, `,"queryStringParameters":{`...)
	for n, i := range first {
		if n > 0 {
			dst = append(dst, ',')
		}
		dst = append(AppendString(dst, pairs[i].key), ':')
		dst = AppendString(dst, pairs[last[i]].value)
	}
	dst = append(dst, `},"multiValueQueryStringParameters":{`...)
	for n, i := range first {
		if n > 0 {
			dst = append(dst, ',')
		}
		dst = append(AppendString(dst, pairs[i].key), ":["...)
		for j := i; j >= 0; j = next[j] {
			if j != i {
				dst = append(dst, ',')
			}
			dst = AppendString(dst, pairs[j].value)
		}
		dst = append(dst, ']')
	}
	return append(dst, '}')
}

// group chains pairs of equal keys: first are the indexes of each key's first
// pair, next leads from a pair to the following one (-1 ends), last from the
// first to the last. space is where they stand, if it is large enough.
func group(pairs []pair, space []int) (first, next, last []int) {
	if len(space) < 3*len(pairs) {
		space = make([]int, 3*len(pairs))
	}
	first, next, last = space[:0:len(pairs)], space[len(pairs):2*len(pairs)], space[2*len(pairs):3*len(pairs)]
	var index map[string]int
	if len(pairs) > fewPairs {
		index = make(map[string]int, len(pairs))
	}
	for i := range pairs {
		next[i] = -1
		head := -1
		if index != nil {
			if h, ok := index[pairs[i].key]; ok {
				head = h
			} else {
				index[pairs[i].key] = i
			}
		} else {
			for _, h := range first {
				if pairs[h].key == pairs[i].key {
					head = h
					break
				}
			}
		}
		if head < 0 {
			first = append(first, i)
			last[i] = i
			continue
		}
		next[last[head]] = i
		last[head] = i
	}
	return first, next, last
}
