package lambda

import (
	"context"
	"maps"
	"slices"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/lambda"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/kernel/page"
)

func (s *Service) aliasBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.CreateAlias, on("lambda:CreateAlias", func(in *api.CreateAliasRequest) (n, q *string) { return in.FunctionName, nil }), s.createAlias),
		call.Bind(api.GetAlias, on("lambda:GetAlias", func(in *api.GetAliasRequest) (n, q *string) { return in.FunctionName, nil }), s.getAlias),
		call.Bind(api.UpdateAlias, on("lambda:UpdateAlias", func(in *api.UpdateAliasRequest) (n, q *string) { return in.FunctionName, nil }), s.updateAlias),
		call.Bind(api.DeleteAlias, on("lambda:DeleteAlias", func(in *api.DeleteAliasRequest) (n, q *string) { return in.FunctionName, nil }), s.deleteAlias),
		call.Bind(api.ListAliases, on("lambda:ListAliases", func(in *api.ListAliasesRequest) (n, q *string) { return in.FunctionName, nil }), s.listAliases),
	}
}

func (f *function) showAlias(a *alias) *api.AliasConfiguration {
	out := &api.AliasConfiguration{
		AliasArn: new(f.key.arn(a.Name)), Name: &a.Name, FunctionVersion: &a.Version, Description: &a.Description, RevisionId: &a.Revision,
	}
	if len(a.Weights) > 0 {
		out.RoutingConfig = &api.AliasRoutingConfiguration{AdditionalVersionWeights: maps.Clone(a.Weights)}
	}
	return out
}

func (f *function) noAlias(name string) error {
	return api.ResourceNotFoundException("Cannot find alias arn: %s", f.key.arn(name)).With("Type", "User")
}

// checkAlias says whether the versions that an alias names exist.
func (f *function) checkAlias(a *alias) error {
	if f.versions[a.Version] == nil {
		return f.key.notFound(a.Version)
	}
	for v := range a.Weights {
		if f.versions[v] == nil {
			return f.key.notFound(v)
		}
	}
	return nil
}

func (s *Service) createAlias(ctx context.Context, rq *call.Authorized, in *api.CreateAliasRequest) (*api.AliasConfiguration, error) {
	k, err := unqualified(rq, in.FunctionName)
	if err != nil {
		return nil, err
	}
	if err := checkAliasName(*in.Name); err != nil {
		return nil, err
	}
	weights, err := checkWeights(*in.FunctionVersion, in.RoutingConfig)
	if err != nil {
		return nil, err
	}
	a := &alias{Name: *in.Name, Version: *in.FunctionVersion, Description: opt.Val(in.Description), Weights: weights, Revision: s.ids.UUID()}
	f, err := s.changeRecord(ctx, k, func(f *function) error {
		if f.rec.Aliases[a.Name] != nil {
			return api.ResourceConflictException("Alias already exists: %s", f.key.arn(a.Name)).With("Type", "User")
		}
		if err := f.checkAlias(a); err != nil {
			return err
		}
		if f.rec.Aliases == nil {
			f.rec.Aliases = map[string]*alias{}
		}
		f.rec.Aliases[a.Name] = a
		return nil
	})
	if err != nil {
		return nil, err
	}
	return f.showAlias(a), nil
}

func (s *Service) getAlias(ctx context.Context, rq *call.Authorized, in *api.GetAliasRequest) (*api.AliasConfiguration, error) {
	k, err := unqualified(rq, in.FunctionName)
	if err != nil {
		return nil, err
	}
	if err := checkAliasName(*in.Name); err != nil {
		return nil, err
	}
	f, err := s.existing(ctx, k, "")
	if err != nil {
		return nil, err
	}
	a := f.rec.Aliases[*in.Name]
	if a == nil {
		return nil, f.noAlias(*in.Name)
	}
	return f.showAlias(a), nil
}

func (s *Service) updateAlias(ctx context.Context, rq *call.Authorized, in *api.UpdateAliasRequest) (*api.AliasConfiguration, error) {
	k, err := unqualified(rq, in.FunctionName)
	if err != nil {
		return nil, err
	}
	if err := checkAliasName(*in.Name); err != nil {
		return nil, err
	}
	revision := s.ids.UUID()
	f, err := s.changeRecord(ctx, k, func(f *function) error {
		a := f.rec.Aliases[*in.Name]
		if a == nil {
			return f.noAlias(*in.Name)
		}
		if err := checkRevision(in.RevisionId, a.Revision); err != nil {
			return err
		}
		next := *a
		next.Version, next.Description, next.Revision = opt.Or(in.FunctionVersion, a.Version), opt.Or(in.Description, a.Description), revision
		routing := in.RoutingConfig
		if routing == nil {
			routing = &api.AliasRoutingConfiguration{AdditionalVersionWeights: a.Weights}
		}
		var err error
		if next.Weights, err = checkWeights(next.Version, routing); err != nil {
			return err
		}
		if err := f.checkAlias(&next); err != nil {
			return err
		}
		if next.Version == latest && f.rec.Provisioned[a.Name] != nil {
			return errUnpublished()
		}
		f.rec.Aliases[a.Name] = &next
		return nil
	})
	if err != nil {
		return nil, err
	}
	return f.showAlias(f.rec.Aliases[*in.Name]), nil
}

func (s *Service) deleteAlias(ctx context.Context, rq *call.Authorized, in *api.DeleteAliasRequest) (*call.None, error) {
	k, err := unqualified(rq, in.FunctionName)
	if err != nil {
		return nil, err
	}
	if err := checkAliasName(*in.Name); err != nil {
		return nil, err
	}
	_, err = s.change(ctx, k, func(t data.Txn, f *function) error {
		if f == nil {
			return k.notFound("")
		}
		// AWS answers success also for an alias that is not there.
		delete(f.rec.Aliases, *in.Name)
		delete(f.rec.Policies, *in.Name)
		delete(f.rec.Async, *in.Name)
		delete(f.rec.Provisioned, *in.Name)
		if err := f.dropURL(t, *in.Name); err != nil {
			return err
		}
		return data.Save(t, k.record(), f.rec)
	})
	if err != nil {
		return nil, err
	}
	return &call.None{}, s.plane.recount(context.WithoutCancel(ctx), k.area())
}

func (s *Service) listAliases(ctx context.Context, rq *call.Authorized, in *api.ListAliasesRequest) (*api.ListAliasesResponse, error) {
	k, err := unqualified(rq, in.FunctionName)
	if err != nil {
		return nil, err
	}
	marker, err := after(in.Marker)
	if err != nil {
		return nil, err
	}
	f, err := s.existing(ctx, k, "")
	if err != nil {
		return nil, err
	}
	out := &api.ListAliasesResponse{Aliases: []api.AliasConfiguration{}}
	last := ""
	for _, name := range slices.Sorted(maps.Keys(f.rec.Aliases)) {
		a := f.rec.Aliases[name]
		if name <= marker || in.FunctionVersion != nil && a.Version != *in.FunctionVersion {
			continue
		}
		if len(out.Aliases) == pageSize(in.MaxItems) {
			out.NextMarker = new(page.Token(last))
			break
		}
		out.Aliases = append(out.Aliases, *f.showAlias(a))
		last = name
	}
	return out, nil
}
