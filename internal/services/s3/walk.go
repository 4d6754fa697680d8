package s3

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/tierra-cloud/tierra/internal/data"
)

// query is what all listings ask: the keys with a prefix, of which those that go
// on with a delimiter after it are rolled up into common prefixes.
type query struct {
	// base is what the keys of the pairs begin with; the object's key is the next part.
	base              []byte
	prefix, delimiter string
	// after is the key or common prefix behind which the page begins. A common
	// prefix in which it lies is not listed again.
	after string
	// within begins the page behind this pair of after, if it is not nil.
	within []byte
}

// commonPrefix returns the common prefix into which key is rolled up, "" for none.
func (q *query) commonPrefix(key string) string {
	if q.delimiter == "" {
		return ""
	}
	i := strings.Index(key[len(q.prefix):], q.delimiter)
	if i < 0 {
		return ""
	}
	return key[:len(q.prefix)+i+len(q.delimiter)]
}

// start returns where a listing begins.
func (q *query) start() []byte {
	from := data.AppendPartial(clone(q.base), q.prefix)
	if q.after == "" || q.after < q.prefix {
		return from
	}
	if q.within != nil {
		return data.PrefixEnd(q.within)
	}
	if strings.HasPrefix(q.after, q.prefix) {
		if cp := q.commonPrefix(q.after); cp != "" {
			return data.PrefixEnd(data.AppendPartial(clone(q.base), cp))
		}
	}
	return data.PrefixEnd(data.AppendPart(clone(q.base), q.after))
}

func clone(b []byte) []byte { return append(make([]byte, 0, len(b)+maxKey/4), b...) }

// move says where a walk goes on.
type move uint8

const (
	step     move = iota // to the next pair
	overKey              // to the next key
	overRoll             // behind the key's common prefix
	done                 // nowhere
)

// patience is how many pairs a walk reads over before it seeks instead.
const patience = 8

// walk visits the pairs of a listing in order. first tells that a pair is its
// key's first. What is passed over costs nothing: walk seeks.
func (q *query) walk(r data.Reader, visit func(key string, first bool, p data.Pair) (move, error)) error {
	from := q.start()
	end := data.PrefixEnd(data.AppendPartial(clone(q.base), q.prefix))
	last := q.after
	over, skipped := false, 0 // passing over the rest of last
	for from != nil {
		var seek []byte
		for p, err := range r.Scan(from, end, false) {
			if err != nil {
				return err
			}
			key, err := q.key(p.Key)
			if err != nil {
				return err
			}
			if over && key == last {
				if skipped++; skipped < patience {
					continue
				}
				seek = data.PrefixEnd(data.AppendPart(clone(q.base), key))
				break
			}
			m, err := visit(key, key != last, p)
			if err != nil || m == done {
				return err
			}
			last, over, skipped = key, m == overKey, 0
			if m == overRoll {
				seek = data.PrefixEnd(data.AppendPartial(clone(q.base), q.commonPrefix(key)))
				break
			}
		}
		from = seek
	}
	return nil
}

// key returns the object's key in a pair's key.
func (q *query) key(k []byte) (string, error) {
	rest := k[len(q.base):]
	for i := 0; i+1 < len(rest); i++ {
		if rest[i] == 0 {
			if rest[i+1] == 1 {
				if parts, ok := data.Parts(rest[:i+2]); ok {
					return parts[0], nil
				}
				break
			}
			i++
		}
	}
	return "", fmt.Errorf("the record at %q is damaged", k)
}

// encoding writes keys as a listing's encoding-type asks.
type encoding bool

func (e encoding) text(s string) string {
	if !e {
		return s
	}
	return strings.ReplaceAll(url.QueryEscape(s), "%2F", "/")
}

// optional is text for members that are left out if they were not given.
func (e encoding) optional(s *string) *string {
	if s == nil {
		return nil
	}
	return new(e.text(*s))
}
