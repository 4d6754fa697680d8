package ssm

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/ssm"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/kernel/page"
)

func (s *Service) readBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.GetParameter, on(s, "ssm:GetParameter", func(in *api.GetParameterRequest) []string { return one(in.Name) }), s.getParameter),
		call.Bind(api.GetParameters, on(s, "ssm:GetParameters", func(in *api.GetParametersRequest) []string { return in.Names }), s.getParameters),
		call.Bind(api.GetParametersByPath, call.Rule(func(_ context.Context, rq *call.Decoded, in *api.GetParametersByPathRequest) ([]call.Need, error) {
			return []call.Need{{
				Action: "ssm:GetParametersByPath", Resource: areaOf(rq).arn(opt.Val(in.Path)), Keys: map[string][]string{"ssm:recursive": yes(in.Recursive)},
			}}, nil
		}, "ssm:GetParametersByPath"), s.getParametersByPath),
		call.Bind(api.GetParameterHistory, on(s, "ssm:GetParameterHistory", func(in *api.GetParameterHistoryRequest) []string { return one(in.Name) }), s.getParameterHistory),
	}
}

// found is a version of a parameter with the selector by which it was asked for.
type found struct {
	*parameter
	value
	selector string
}

// find reads the version that a reference means; nil if there is no such parameter.
func (s *Service) find(r data.Reader, a area, name string) (*found, error) {
	ref := refer(a, name)
	if ref.foreign {
		return nil, notHere()
	}
	p, err := data.Load[parameter](r, a.parameter(ref.name))
	if err != nil || p == nil {
		return nil, err
	}
	n, err := p.pick(ref)
	if err != nil {
		return nil, err
	}
	v, err := a.at(r, p, n)
	if err != nil || v == nil {
		return nil, err
	}
	f := &found{p, *v, ""}
	if ref.selector != "" {
		f.selector = ":" + ref.selector
	}
	return f, nil
}

// text is a version's value as its reader sees it.
func (s *Service) text(ctx context.Context, rq *call.Authorized, arn string, v *value, decrypt *bool) (string, error) {
	switch {
	case v.Type != api.ParameterTypeSecureString:
		return v.Text, nil
	case opt.Val(decrypt):
		return s.open(ctx, rq, arn, v)
	}
	return base64.StdEncoding.EncodeToString(slices.Concat(v.Wrapped, v.Sealed)), nil
}

func (s *Service) describe(ctx context.Context, rq *call.Authorized, f *found, decrypt *bool) (*api.Parameter, error) {
	arn := areaOf(rq.Decoded).arn(f.Name)
	text, err := s.text(ctx, rq, arn, &f.value, decrypt)
	if err != nil {
		return nil, err
	}
	return &api.Parameter{
		Name: new(f.Name), ARN: new(arn), Type: new(f.Type), Value: &text, Version: new(f.Version), Selector: opt.NonZero(f.selector),
		LastModifiedDate: new(f.Modified), DataType: new("text"),
	}, nil
}

func (s *Service) getParameter(ctx context.Context, rq *call.Authorized, in *api.GetParameterRequest) (*api.GetParameterResult, error) {
	var f *found
	err := s.d.Store.View(ctx, func(r data.Reader) (err error) {
		f, err = s.find(r, areaOf(rq.Decoded), *in.Name)
		return err
	})
	if err != nil {
		return nil, err
	}
	if f == nil {
		return nil, api.ParameterNotFound("")
	}
	p, err := s.describe(ctx, rq, f, in.WithDecryption)
	return &api.GetParameterResult{Parameter: p}, err
}

func (s *Service) getParameters(ctx context.Context, rq *call.Authorized, in *api.GetParametersRequest) (*api.GetParametersResult, error) {
	out := &api.GetParametersResult{Parameters: []api.Parameter{}, InvalidParameters: []string{}}
	var all []*found
	err := s.d.Store.View(ctx, func(r data.Reader) error {
		for _, name := range in.Names {
			f, err := s.find(r, areaOf(rq.Decoded), name)
			switch {
			case err != nil && fault.As(err) == nil:
				return err
			case err != nil || f == nil:
				out.InvalidParameters = append(out.InvalidParameters, name)
			case !slices.ContainsFunc(all, func(x *found) bool { return x.Name == f.Name && x.selector == f.selector }):
				all = append(all, f)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, f := range all {
		p, err := s.describe(ctx, rq, f, in.WithDecryption)
		if err != nil {
			return nil, err
		}
		out.Parameters = append(out.Parameters, *p)
	}
	return out, nil
}

// walk calls f with the parameters whose names begin with prefix, from where a
// token says, until a page is full of those that f takes.
func (a area) walk(r data.Reader, prefix string, token *string, most int32, f func(*parameter) (bool, error)) (next *string, err error) {
	after, err := page.After(opt.Val(token))
	if err != nil {
		return nil, api.InvalidNextToken("The specified token isn't valid.")
	}
	from := a.named(prefix)
	if after != "" {
		from = append(a.parameter(after), 0)
	}
	n, last := int32(0), ""
	for pair, err := range r.Scan(from, data.PrefixEnd(a.named(prefix)), false) {
		if err != nil {
			return nil, err
		}
		var p parameter
		if err := decode(pair, &p); err != nil {
			return nil, err
		}
		if n == most {
			return new(page.Token(last)), nil
		}
		took, err := f(&p)
		if err != nil {
			return nil, err
		}
		if last = p.Name; took {
			n++
		}
	}
	return nil, nil
}

const (
	byPathPage   = 10
	describePage = 50
	historyPage  = 50
)

func (s *Service) getParametersByPath(ctx context.Context, rq *call.Authorized, in *api.GetParametersByPathRequest) (*api.GetParametersByPathResult, error) {
	if err := checkPath(*in.Path); err != nil {
		return nil, err
	}
	filter, err := newFilter(in.ParameterFilters, byPathFilters)
	if err != nil {
		return nil, err
	}
	a, out := areaOf(rq.Decoded), &api.GetParametersByPathResult{Parameters: []api.Parameter{}}
	prefix := *in.Path
	if prefix == "/" {
		prefix = "" // names without a slash stand at the root, too
	} else if prefix[len(prefix)-1] != '/' {
		prefix += "/"
	}
	var all []*found
	err = s.d.Store.View(ctx, func(r data.Reader) error {
		all = nil
		var err error
		out.NextToken, err = a.walk(r, prefix, in.NextToken, opt.Or(in.MaxResults, byPathPage), func(p *parameter) (bool, error) {
			if !within(*in.Path, p.Name, opt.Val(in.Recursive)) || !filter.takes(p) {
				return false, nil
			}
			f := &found{p, p.Now, ""}
			if label, ok := filter.label(p); ok {
				v, err := a.at(r, p, p.Labels[label])
				if err != nil || v == nil {
					return false, err
				}
				f.value, f.selector = *v, ":"+label
			}
			all = append(all, f)
			return true, nil
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, f := range all {
		p, err := s.describe(ctx, rq, f, in.WithDecryption)
		if err != nil {
			return nil, err
		}
		out.Parameters = append(out.Parameters, *p)
	}
	return out, nil
}

func (s *Service) getParameterHistory(ctx context.Context, rq *call.Authorized, in *api.GetParameterHistoryRequest) (*api.GetParameterHistoryResult, error) {
	a, out := areaOf(rq.Decoded), &api.GetParameterHistoryResult{Parameters: []api.ParameterHistory{}}
	from := int64(0)
	after, err := page.After(opt.Val(in.NextToken))
	if err == nil && after != "" {
		_, err = fmt.Sscan(after, &from)
	}
	if err != nil {
		return nil, api.InvalidNextToken("The specified token isn't valid.")
	}
	var p *parameter
	var all []value
	err = s.d.Store.View(ctx, func(r data.Reader) error {
		all = nil
		ref := refer(a, *in.Name)
		if p, err = data.Load[parameter](r, a.parameter(ref.name)); err != nil {
			return err
		}
		if p == nil || ref.foreign || ref.selector != "" {
			return api.ParameterNotFound("")
		}
		for n := max(p.Oldest, from+1); n <= p.Latest; n++ {
			if len(all) == int(opt.Or(in.MaxResults, historyPage)) {
				out.NextToken = new(page.Token(fmt.Sprint(n - 1)))
				return nil
			}
			v, err := a.at(r, p, n)
			if err != nil {
				return err
			}
			if v != nil {
				all = append(all, *v)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, v := range all {
		text, err := s.text(ctx, rq, a.arn(p.Name), &v, in.WithDecryption)
		if err != nil {
			return nil, err
		}
		out.Parameters = append(out.Parameters, api.ParameterHistory{
			Name: new(p.Name), Type: new(v.Type), Value: &text, Version: new(v.Version), KeyId: opt.NonZero(v.KeyID), Description: opt.NonZero(v.Description),
			AllowedPattern: opt.NonZero(v.Pattern), Tier: new(v.Tier), LastModifiedDate: new(v.Modified), LastModifiedUser: opt.NonZero(v.User),
			Labels: p.labelled(v.Version), DataType: new("text"), Policies: []api.ParameterInlinePolicy{},
		})
	}
	return out, nil
}
