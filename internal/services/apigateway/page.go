package apigateway

import (
	api "github.com/tierra-cloud/tierra/internal/gen/apigateway"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/kernel/page"
)

// Sizes of a page of a listing.
const (
	pageDefault = 25
	pageMax     = 500
)

// pageOf cuts the page out of all that position and limit ask for. all is in the
// order of key, which names what the next page begins after.
func pageOf[T any](all []T, position *string, limit *int32, key func(T) string) (part []T, next *string, err error) {
	n := int(opt.Or(limit, pageDefault))
	if n < 1 || n > pageMax {
		return nil, nil, api.BadRequestException("Invalid limit specified: it must be between 1 and %d", pageMax)
	}
	after, err := page.After(opt.Val(position))
	if err != nil {
		return nil, nil, api.BadRequestException("Invalid position parameter specified.")
	}
	from := 0
	if after != "" {
		for from < len(all) && key(all[from]) <= after {
			from++
		}
	}
	all = all[from:]
	if len(all) <= n {
		return all, nil, nil
	}
	return all[:n], new(page.Token(key(all[n-1]))), nil
}
