package ssm

import (
	"context"
	"fmt"
	"slices"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/ssm"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

func (s *Service) labelBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.LabelParameterVersion, on(s, "ssm:LabelParameterVersion", func(in *api.LabelParameterVersionRequest) []string { return one(in.Name) }), s.labelParameterVersion),
		call.Bind(api.UnlabelParameterVersion, on(s, "ssm:UnlabelParameterVersion", func(in *api.UnlabelParameterVersionRequest) []string { return one(in.Name) }), s.unlabelParameterVersion),
	}
}

// labelled lists the labels of a version.
func (p *parameter) labelled(version int64) []string {
	out := []string{}
	for l, n := range p.Labels {
		if n == version {
			out = append(out, l)
		}
	}
	slices.Sort(out)
	return out
}

// change rewrites a parameter's record.
func (s *Service) change(ctx context.Context, rq *call.Authorized, name string, missing error, f func(*parameter) error) error {
	a := areaOf(rq.Decoded)
	ref := refer(a, name)
	return s.d.Store.Update(ctx, func(t data.Txn) error {
		p, err := data.Load[parameter](t, a.parameter(ref.name))
		if err != nil {
			return err
		}
		if p == nil || ref.foreign || ref.selector != "" {
			return missing
		}
		if err := f(p); err != nil {
			return err
		}
		return data.Save(t, a.parameter(p.Name), p)
	})
}

func (s *Service) labelParameterVersion(ctx context.Context, rq *call.Authorized, in *api.LabelParameterVersionRequest) (*api.LabelParameterVersionResult, error) {
	out := &api.LabelParameterVersionResult{}
	err := s.change(ctx, rq, *in.Name, api.ParameterNotFound(""), func(p *parameter) error {
		n := opt.Or(in.ParameterVersion, p.Latest)
		if n < p.Oldest || n > p.Latest {
			return noVersion(p.Name, fmt.Sprint(n))
		}
		out.ParameterVersion, out.InvalidLabels = &n, []string{}
		if p.Labels == nil {
			p.Labels = map[string]int64{}
		}
		for _, l := range in.Labels {
			if checkLabel(l) {
				p.Labels[l] = n // it moves from the version that had it
			} else {
				out.InvalidLabels = append(out.InvalidLabels, l)
			}
		}
		if len(p.labelled(n)) > maxLabels {
			return api.ParameterVersionLabelLimitExceeded("An error occurred (ParameterVersionLabelLimitExceeded) when calling the LabelParameterVersion operation: A parameter version can have maximum %d labels. Move one or more labels to another version and try again.", maxLabels)
		}
		return nil
	})
	return out, err
}

func (s *Service) unlabelParameterVersion(ctx context.Context, rq *call.Authorized, in *api.UnlabelParameterVersionRequest) (*api.UnlabelParameterVersionResult, error) {
	out := &api.UnlabelParameterVersionResult{}
	err := s.change(ctx, rq, *in.Name, api.ParameterNotFound(""), func(p *parameter) error {
		n := *in.ParameterVersion
		if n < p.Oldest || n > p.Latest {
			return noVersion(p.Name, fmt.Sprint(n))
		}
		out.InvalidLabels, out.RemovedLabels = []string{}, []string{}
		for _, l := range in.Labels {
			if has, ok := p.Labels[l]; ok && has == n {
				delete(p.Labels, l)
				out.RemovedLabels = append(out.RemovedLabels, l)
			} else {
				out.InvalidLabels = append(out.InvalidLabels, l)
			}
		}
		return nil
	})
	return out, err
}
