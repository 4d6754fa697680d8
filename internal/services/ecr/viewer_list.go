package ecr

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/tierra-cloud/tierra/internal/data"
)

// maxPage is how many names a page has, and how many if the client does not say.
const maxPage = 1000

func (x *exchange) tags(ctx context.Context) error {
	if x.r.Method != http.MethodGet {
		return notAllowed()
	}
	if err := x.allow(ctx, x.area, x.name, "ecr:ListImages"); err != nil {
		return err
	}
	all, err := x.page(ctx, "/v2/"+x.name+"/tags/list", x.area.tagsOf(x.name), func(r data.Reader) error {
		_, err := x.area.find(r, x.name)
		return err
	})
	if err != nil {
		return err
	}
	x.json(http.StatusOK, "application/json", struct {
		Name string   `json:"name"`
		Tags []string `json:"tags"`
	}{x.name, all})
	return nil
}

// catalog lists the registry's repositories.
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/registry_auth.html
func (x *exchange) catalog(ctx context.Context) error {
	if x.r.Method != http.MethodGet {
		return notAllowed()
	}
	if err := x.allow(ctx, x.area, "*", "ecr:DescribeRepositories"); err != nil {
		return err
	}
	all, err := x.page(ctx, "/v2/_catalog", x.area.repositories(), func(data.Reader) error { return nil })
	if err != nil {
		return err
	}
	x.json(http.StatusOK, "application/json", struct {
		Repositories []string `json:"repositories"`
	}{all})
	return nil
}

// page reads the names below a prefix that the client asks for, after check, and
// tells it at which address the next are.
func (x *exchange) page(ctx context.Context, at string, prefix []byte, check func(data.Reader) error) ([]string, error) {
	q := x.r.URL.Query()
	limit, last := maxPage, q.Get("last")
	if text := q.Get("n"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return nil, &registryError{http.StatusBadRequest, "PAGINATION_NUMBER_INVALID", "The number of names of a page is not valid."}
		}
		limit = min(n, maxPage)
	}
	var all []string
	more := false
	err := x.s.d.Store.View(ctx, func(r data.Reader) error {
		all, more = []string{}, false
		if err := check(r); err != nil {
			return err
		}
		for p, err := range r.Scan(data.AppendPart(prefix, last), data.PrefixEnd(prefix), false) {
			if err != nil {
				return err
			}
			parts, _ := data.Parts(p.Key)
			if name := parts[len(parts)-1]; name != last {
				if more = len(all) == limit; more {
					return nil
				}
				all = append(all, name)
			}
		}
		return nil
	})
	if err == nil && more && limit > 0 {
		next := url.Values{"n": {strconv.Itoa(limit)}, "last": {all[limit-1]}}
		x.w.Header().Set("Link", fmt.Sprintf(`<%s?%s>; rel="next"`, at, next.Encode()))
	}
	return all, err
}
