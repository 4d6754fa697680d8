package secretsmanager

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/secretsmanager"
	"github.com/tierra-cloud/tierra/internal/kernel/arn"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/policy"
)

// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssecretsmanager.html

const suffixLength = 6

// place is where a secret may be: the account and region of its ARN, or the caller's.
type place struct {
	area
	names  []string // in the order in which to look
	suffix []string // the ARN's suffix that goes with each name, "" if any
}

// locate reads a secret's id: its name, its ARN, or its ARN without the suffix.
func locate(a area, id string) place {
	x, ok := arn.Parse(id)
	name, isSecret := strings.CutPrefix(x.Resource, "secret:")
	if !ok || x.Service != "secretsmanager" || !isSecret {
		return place{a, []string{id}, []string{""}}
	}
	p := place{area: area{x.Account, x.Region}}
	if n := len(name) - suffixLength - 1; n > 0 && name[n] == '-' {
		p.names, p.suffix = append(p.names, name[:n]), append(p.suffix, name[n+1:])
	}
	p.names, p.suffix = append(p.names, name), append(p.suffix, "")
	return p
}

// find reads a secret; nil if there is none.
func (s *Service) find(r data.Reader, p place) (*secret, error) {
	for i, name := range p.names {
		x, err := data.Load[secret](r, p.secret(name))
		if err != nil {
			return nil, err
		}
		if x != nil && (p.suffix[i] == "" || p.suffix[i] == x.Suffix) && !x.gone(s.d.Clock.Now()) {
			return x, nil
		}
	}
	return nil, nil
}

func areaOf(rq *call.Decoded) area { return area{rq.Account(), rq.Region()} }

func absent() error {
	return api.ResourceNotFoundException("Secrets Manager can't find the specified secret.")
}

// onSecret is the rule of operations on one secret, whose policy counts.
func onSecret[I any](s *Service, action string, of func(*I) (id *string, keys map[string][]string)) call.Access[I] {
	return call.Rule(func(ctx context.Context, rq *call.Decoded, in *I) ([]call.Need, error) {
		id, keys := of(in)
		n, err := s.need(ctx, rq, action, opt.Val(id), keys)
		return []call.Need{n}, err
	}, action)
}

func (s *Service) need(ctx context.Context, rq *call.Decoded, action, id string, keys map[string][]string) (call.Need, error) {
	p := locate(areaOf(rq), id)
	n := call.Need{Action: action, Resource: p.arn(p.names[0], p.suffix[0]), Owner: p.account, Keys: maps.Clone(keys)}
	if n.Keys == nil {
		n.Keys = map[string][]string{}
	}
	err := s.d.Store.View(ctx, func(r data.Reader) error {
		x, err := s.find(r, p)
		if err != nil || x == nil {
			return err
		}
		n.Resource = p.arn(x.Name, x.Suffix)
		for k, v := range x.Tags {
			n.Keys["aws:resourcetag/"+strings.ToLower(k)] = []string{v}
			n.Keys["secretsmanager:resourcetag/"+strings.ToLower(k)] = []string{v}
		}
		if x.Policy != "" {
			n.Policy, err = policy.Parse([]byte(x.Policy))
		}
		return err
	})
	n.Keys["secretsmanager:secretid"] = []string{n.Resource}
	return n, err
}

// keysOf makes condition keys of parameters, leaving out those that are absent.
func keysOf(pairs map[string]*string) map[string][]string {
	out := map[string][]string{}
	for k, v := range pairs {
		if v != nil {
			out["secretsmanager:"+k] = []string{*v}
		}
	}
	return out
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

func text(b *bool) *string {
	if b == nil {
		return nil
	}
	return new(strconv.FormatBool(*b))
}
