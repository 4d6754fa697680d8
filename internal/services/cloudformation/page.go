package cloudformation

import (
	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/kernel/page"
)

// pageOf reads up to most records below a prefix, from where token says.
func pageOf[T any](rd data.Reader, prefix []byte, token *string, most int) (out []*T, next *string, err error) {
	from := prefix
	after, err := page.After(opt.Val(token))
	if err != nil {
		return nil, nil, fault.Of(fault.Validation, "Invalid NextToken")
	}
	if after != "" {
		from = append([]byte(after), 0)
	}
	last := ""
	for p, err := range rd.Scan(from, data.PrefixEnd(prefix), false) {
		if err != nil {
			return nil, nil, err
		}
		if len(out) == most {
			return out, new(page.Token(last)), nil
		}
		v := new(T)
		if err := decode(p.Value, v); err != nil {
			return nil, nil, err
		}
		out, last = append(out, v), string(p.Key)
	}
	return out, nil, nil
}
