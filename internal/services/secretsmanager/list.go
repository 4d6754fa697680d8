package secretsmanager

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/secretsmanager"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/kernel/page"
)

func (s *Service) listBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.ListSecrets, call.Any[api.ListSecretsRequest]("secretsmanager:ListSecrets"), s.listSecrets),
	}
}

const listPage = 100

// matches holds a secret against filters: all must match, each by one of its
// values. A value that begins with "!" matches what it does not name.
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/manage_search-secret.html
func (x *secret) matches(filters []api.Filter) bool {
	for _, f := range filters {
		if !slices.ContainsFunc(f.Values, func(v string) bool {
			v, not := strings.CutPrefix(v, "!")
			return x.matchOne(opt.Val(f.Key), v) != not
		}) {
			return false
		}
	}
	return true
}

// matchOne matches names and tags by their beginnings, with case; descriptions and
// "all" by the beginnings of their words, without.
func (x *secret) matchOne(key, v string) bool {
	words := func(text string) bool {
		return slices.ContainsFunc(strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return strings.ContainsRune(" /_+=.@!-", r) }), func(w string) bool {
			return strings.HasPrefix(w, strings.ToLower(v))
		})
	}
	switch key {
	case api.FilterNameStringTypeName:
		return strings.HasPrefix(x.Name, v)
	case api.FilterNameStringTypeDescription:
		return words(x.Description)
	case api.FilterNameStringTypeTagKey, api.FilterNameStringTypeTagValue:
		for k, t := range x.Tags {
			if key == api.FilterNameStringTypeTagValue {
				k = t
			}
			if strings.HasPrefix(k, v) {
				return true
			}
		}
	case api.FilterNameStringTypeAll:
		if words(x.Name) || words(x.Description) {
			return true
		}
		for k, t := range x.Tags {
			if words(k) || words(t) {
				return true
			}
		}
	}
	return false // nothing has an owning service, or a primary Region elsewhere
}

func (s *Service) listSecrets(ctx context.Context, rq *call.Authorized, in *api.ListSecretsRequest) (*api.ListSecretsResponse, error) {
	a, now := areaOf(rq.Decoded), s.d.Clock.Now()
	after, err := page.After(opt.Val(in.NextToken))
	if err != nil {
		return nil, api.InvalidNextTokenException("The NextToken value is invalid.")
	}
	by := opt.Or(in.SortBy, api.SortByTypeCreatedDate)
	if by == api.SortByTypeLastAccessedDate {
		return nil, api.InvalidParameterException("SortBy last-accessed-date is not supported: when secrets were read is not recorded.")
	}
	var all []*secret
	err = s.d.Store.View(ctx, func(r data.Reader) error {
		all = nil
		for p, err := range r.Scan(a.secrets(), data.PrefixEnd(a.secrets()), false) {
			if err != nil {
				return err
			}
			x := new(secret)
			if err := decode(p, x); err != nil {
				return err
			}
			if !x.gone(now) && (x.Deletion.IsZero() || opt.Val(in.IncludePlannedDeletion)) && x.matches(in.Filters) {
				all = append(all, x)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b *secret) int {
		order := 0
		switch by {
		case api.SortByTypeCreatedDate:
			order = a.Created.Compare(b.Created)
		case api.SortByTypeLastChangedDate:
			order = a.Changed.Compare(b.Changed)
		}
		if order = cmp.Or(order, strings.Compare(a.Name, b.Name)); opt.Val(in.SortOrder) == api.SortOrderTypeDesc {
			order = -order
		}
		return order
	})
	from := 0
	if after != "" { // the page begins after the secret that the last one ended with
		from = slices.IndexFunc(all, func(x *secret) bool { return x.Name == after }) + 1
	}
	out := &api.ListSecretsResponse{SecretList: []api.SecretListEntry{}}
	for i := from; i < len(all); i++ {
		x := all[i]
		if int64(len(out.SecretList)) == int64(opt.Or(in.MaxResults, listPage)) {
			out.NextToken = new(page.Token(all[i-1].Name))
			break
		}
		out.SecretList = append(out.SecretList, api.SecretListEntry{
			ARN: new(a.arn(x.Name, x.Suffix)), Name: new(x.Name), Description: opt.NonZero(x.Description), KmsKeyId: opt.NonZero(x.KeyID),
			LastChangedDate: new(x.Changed), CreatedDate: new(x.Created), DeletedDate: when(x.Deletion), Tags: sortedTags(x.Tags), SecretVersionsToStages: x.stages(),
		})
	}
	return out, nil
}
