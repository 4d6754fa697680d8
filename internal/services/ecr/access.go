package ecr

import (
	"context"
	"slices"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/ecr"
	"github.com/tierra-cloud/tierra/internal/kernel/arn"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/policy"
)

// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelasticcontainerregistry.html

// place is where a registry is: the account that is named, or the caller's.
func place(rq *call.Decoded, registry *string) area {
	return area{opt.Or(opt.NonZero(opt.Val(registry)), rq.Account()), rq.Region()}
}

// on is the rule of operations on one repository, whose policy counts.
func on[I any](s *Service, action string, of func(*I) (registry, name *string)) call.Access[I] {
	return call.Rule(func(ctx context.Context, rq *call.Decoded, in *I) ([]call.Need, error) {
		registry, name := of(in)
		n, err := s.need(ctx, place(rq, registry), opt.Val(name), action)
		return []call.Need{n}, err
	}, action)
}

// need is the permission to do action with a repository, whether it is there or not.
func (s *Service) need(ctx context.Context, a area, name, action string) (call.Need, error) {
	n := call.Need{Action: action, Resource: a.arn(name), Owner: a.account, Keys: map[string][]string{}}
	err := s.d.Store.View(ctx, func(r data.Reader) error {
		x, err := data.Load[repository](r, a.repository(name))
		if err != nil || x == nil {
			return err
		}
		for k, v := range x.Tags {
			n.Keys["aws:resourcetag/"+strings.ToLower(k)] = []string{v}
			n.Keys["ecr:resourcetag/"+strings.ToLower(k)] = []string{v}
		}
		if x.Policy != "" {
			n.Policy, err = policy.Parse([]byte(x.Policy))
		}
		return err
	})
	return n, err
}

// ofARN is the rule of operations that name a repository by its ARN.
func ofARN[I any](s *Service, action string, of func(*I) (string, map[string][]string)) call.Access[I] {
	return call.Rule(func(ctx context.Context, rq *call.Decoded, in *I) ([]call.Need, error) {
		text, keys := of(in)
		a, name, err := byARN(text)
		if err != nil {
			return nil, err
		}
		n, err := s.need(ctx, a, name, action)
		for k, v := range keys {
			n.Keys[k] = v
		}
		return []call.Need{n}, err
	}, action)
}

// byARN reads a repository's ARN.
func byARN(text string) (area, string, error) {
	x, ok := arn.Parse(text)
	name, isRepository := strings.CutPrefix(x.Resource, "repository/")
	if !ok || x.Service != "ecr" || !isRepository {
		return area{}, "", api.InvalidParameterException("Invalid parameter at 'resourceArn' failed to satisfy constraint: 'Invalid ARN'")
	}
	return area{x.Account, x.Region}, name, nil
}

func tagConditions(list []api.Tag) map[string][]string {
	out := map[string][]string{}
	for _, t := range list {
		out["aws:requesttag/"+strings.ToLower(opt.Val(t.Key))] = []string{opt.Val(t.Value)}
		out["aws:tagkeys"] = append(out["aws:tagkeys"], opt.Val(t.Key))
	}
	slices.Sort(out["aws:tagkeys"])
	return out
}

// noRepository is the answer for one that is not there.
func (a area) noRepository(name string) error {
	return api.RepositoryNotFoundException("The repository with name '%s' does not exist in the registry with id '%s'", name, a.account)
}

// find reads a repository; the error is RepositoryNotFoundException if it is not there.
func (a area) find(r data.Reader, name string) (*repository, error) {
	x, err := data.Load[repository](r, a.repository(name))
	if err == nil && x == nil {
		err = a.noRepository(name)
	}
	return x, err
}

// change rewrites a repository's record.
func (s *Service) change(ctx context.Context, a area, name string, f func(x *repository) error) (out *repository, err error) {
	err = s.d.Store.Update(ctx, func(t data.Txn) error {
		x, err := a.find(t, name)
		if err != nil {
			return err
		}
		if err := f(x); err != nil {
			return err
		}
		out = x
		return data.Save(t, a.repository(name), x)
	})
	return out, err
}

// read reads a repository's record.
func (s *Service) read(ctx context.Context, a area, name string) (x *repository, err error) {
	err = s.d.Store.View(ctx, func(r data.Reader) error {
		x, err = a.find(r, name)
		return err
	})
	return x, err
}
