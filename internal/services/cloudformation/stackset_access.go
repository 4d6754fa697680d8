package cloudformation

import (
	"context"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

// setResource is the ARN that a policy names for a stack set, with * for the part that
// it gets when it is made.
func (s *Service) setResource(ctx context.Context, rq *call.Decoded, nameOrID string) (string, error) {
	sc := scopeOf(rq)
	id := nameOrID
	err := s.view(ctx, func(rd data.Reader) error {
		set, err := sc.findSet(rd, nameOrID)
		if set != nil {
			id = set.ID
		}
		return err
	})
	if id == nameOrID && id == setName(id) {
		id += ":*"
	}
	return setARN(sc, id), err
}

// onSet is the rule of operations on one stack set. more, if not nil, adds condition keys
// and the administration role that is passed on, if one is.
//
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscloudformation.html
func onSet[I any](s *Service, action string, name func(*I) *string, more func(*I) (keys map[string][]string, role string)) call.Access[I] {
	return onNamed(s.setResource, action, name, more)
}

// inRegions is the rule of operations on the instances of a stack set.
func inRegions[I any](s *Service, action string, name func(*I) *string, regions func(*I) []string) call.Access[I] {
	return call.Rule(func(ctx context.Context, rq *call.Decoded, in *I) ([]call.Need, error) {
		r, err := s.setResource(ctx, rq, opt.Val(name(in)))
		return []call.Need{{Action: action, Resource: r, Keys: targetRegions(nil, regions(in))}}, err
	}, action)
}

// targetRegions adds the regions in which an operation acts to condition keys.
func targetRegions(keys map[string][]string, regions []string) map[string][]string {
	if keys == nil {
		keys = map[string][]string{}
	}
	if len(regions) > 0 {
		keys["cloudformation:targetregion"] = regions
	}
	return keys
}
