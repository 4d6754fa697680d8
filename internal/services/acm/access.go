package acm

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/acm"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/kernel/tags"
)

// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscertificatemanager.html

func areaOf(rq *call.Decoded) area { return area{rq.Account(), rq.Region()} }

// own takes the ARN of a certificate apart, which must be of the caller's account
// and region.
func own(rq *call.Authorized, s *string) (area, string, error) {
	a, id, err := locate(opt.Val(s))
	if err == nil && a != areaOf(rq.Decoded) {
		err = api.ResourceNotFoundException("Could not find certificate %s.", *s)
	}
	return a, id, err
}

// read loads the certificate of an ARN.
func (s *Service) read(ctx context.Context, rq *call.Authorized, arn *string) (a area, c *certificate, err error) {
	a, id, err := own(rq, arn)
	if err != nil {
		return a, nil, err
	}
	err = s.d.Store.View(ctx, func(r data.Reader) error {
		c, err = load(r, a, id)
		return err
	})
	return a, c, err
}

// onCertificate is the rule of operations on one certificate, whose tags count.
func onCertificate[I any](s *Service, action string, of func(*I) (arn *string, keys map[string][]string)) call.Access[I] {
	return call.Rule(func(ctx context.Context, _ *call.Decoded, in *I) ([]call.Need, error) {
		arn, keys := of(in)
		n := call.Need{Action: action, Resource: opt.Val(arn), Keys: maps.Clone(keys)}
		a, id, err := locate(n.Resource)
		if err != nil {
			return []call.Need{n}, nil // the operation refuses it
		}
		err = s.d.Store.View(ctx, func(r data.Reader) error {
			c, err := data.Load[certificate](r, a.certificate(id))
			if err != nil || c == nil {
				return err
			}
			if n.Keys == nil {
				n.Keys = map[string][]string{}
			}
			for k, v := range c.Tags {
				n.Keys["aws:resourcetag/"+strings.ToLower(k)] = []string{v}
			}
			return nil
		})
		return []call.Need{n}, err
	}, action)
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

func tagMap(list []api.Tag) (map[string]string, error) {
	m := map[string]string{}
	for _, t := range list {
		m[opt.Val(t.Key)] = opt.Val(t.Value)
	}
	if len(m) > tags.MaxPerResource {
		return nil, api.TooManyTagsException("A certificate can have at most %d tags.", tags.MaxPerResource)
	}
	if err := tags.Check(m); err != nil {
		return nil, api.InvalidTagException("%s", err.Error())
	}
	return m, nil
}
