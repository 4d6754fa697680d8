package ssm

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssystemsmanager.html

func areaOf(rq *call.Decoded) area { return area{rq.Account(), rq.Region()} }

// need is the permission for an action on a parameter, with its tags as keys.
func (s *Service) need(ctx context.Context, rq *call.Decoded, action, name string, keys map[string][]string) (call.Need, error) {
	a := areaOf(rq)
	ref := refer(a, name)
	n := call.Need{Action: action, Resource: a.arn(ref.name), Keys: maps.Clone(keys)}
	if ref.foreign {
		n.Resource = name
		return n, nil
	}
	err := s.d.Store.View(ctx, func(r data.Reader) error {
		p, err := data.Load[parameter](r, a.parameter(ref.name))
		if err != nil || p == nil {
			return err
		}
		if n.Keys == nil {
			n.Keys = map[string][]string{}
		}
		for k, v := range p.Tags {
			n.Keys["aws:resourcetag/"+strings.ToLower(k)] = []string{v}
			n.Keys["ssm:resourcetag/"+strings.ToLower(k)] = []string{v}
		}
		return nil
	})
	return n, err
}

// on is the rule of operations on parameters.
func on[I any](s *Service, action string, of func(*I) []string) call.Access[I] {
	return call.Rule(func(ctx context.Context, rq *call.Decoded, in *I) ([]call.Need, error) {
		var needs []call.Need
		for _, name := range of(in) {
			n, err := s.need(ctx, rq, action, name, nil)
			if err != nil {
				return nil, err
			}
			needs = append(needs, n)
		}
		return needs, nil
	}, action)
}

func one(name *string) []string { return []string{opt.Val(name)} }

// tagConditions are the condition keys of the tags in a request.
func tagConditions(tags map[string]string) map[string][]string {
	out := map[string][]string{}
	for k, v := range tags {
		out["aws:requesttag/"+strings.ToLower(k)] = []string{v}
	}
	if len(tags) > 0 {
		out["aws:tagkeys"] = slices.Sorted(maps.Keys(tags))
	}
	return out
}

func yes(b *bool) []string { return []string{strconv.FormatBool(opt.Val(b))} }
