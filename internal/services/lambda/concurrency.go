package lambda

import (
	"context"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/lambda"
)

func (s *Service) concurrencyBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.PutFunctionConcurrency, on("lambda:PutFunctionConcurrency", func(in *api.PutFunctionConcurrencyRequest) (n, q *string) { return in.FunctionName, nil }), s.putFunctionConcurrency),
		call.Bind(api.GetFunctionConcurrency, on("lambda:GetFunctionConcurrency", func(in *api.GetFunctionConcurrencyRequest) (n, q *string) { return in.FunctionName, nil }), s.getFunctionConcurrency),
		call.Bind(api.DeleteFunctionConcurrency, on("lambda:DeleteFunctionConcurrency", func(in *api.DeleteFunctionConcurrencyRequest) (n, q *string) { return in.FunctionName, nil }), s.deleteFunctionConcurrency),
		call.Bind(api.GetAccountSettings, call.Any[api.GetAccountSettingsRequest]("lambda:GetAccountSettings"), s.getAccountSettings),
	}
}

// usage is what an account uses in a region.
type usage struct {
	functions int64
	code      int64 // bytes of packages
	reserved  int   // concurrency that functions have reserved, or have provisioned without that
}

// used adds up what is used, without the function named except.
func used(r data.Reader, a area, except string) (u usage, err error) {
	for p, err := range r.Scan(a.functions(), data.PrefixEnd(a.functions()), false) {
		if err != nil {
			return u, err
		}
		rec, err := data.Decode[record](p)
		if err != nil {
			return u, err
		}
		if rec.Name == except {
			continue
		}
		u.functions++
		if rec.Reserved != nil {
			u.reserved += int(*rec.Reserved)
		} else {
			u.reserved += rec.requested()
		}
		k := key{a.account, a.region, rec.Name}
		for p, err := range r.Scan(k.versions(), data.PrefixEnd(k.versions()), false) {
			if err != nil {
				return u, err
			}
			v, err := data.Decode[version](p)
			if err != nil {
				return u, err
			}
			u.code += v.CodeSize
		}
	}
	for p, err := range r.Scan(a.layerVersions(), data.PrefixEnd(a.layerVersions()), false) {
		if err != nil {
			return u, err
		}
		v, err := data.Decode[layerVersion](p)
		if err != nil {
			return u, err
		}
		u.code += v.Size
	}
	return u, nil
}

// reserve sets what a function reserves; nil is nothing.
func (s *Service) reserve(ctx context.Context, k key, n *int32) error {
	_, err := s.change(ctx, k, func(t data.Txn, f *function) error {
		if f == nil {
			return k.notFound("")
		}
		if sum := f.rec.requested(); n != nil && int(*n) < sum {
			return api.InvalidParameterValueException("ReservedConcurrentExecutions  %d should not be lower than function's total provisioned concurrency [%d].", *n, sum)
		}
		if n != nil {
			others, err := used(t, k.area(), k.name)
			if err != nil {
				return err
			}
			if maxConcurrency-others.reserved-int(*n) < minUnreserved {
				return api.InvalidParameterValueException("Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [%d].", minUnreserved)
			}
		}
		f.rec.Reserved = n
		return data.Save(t, k.record(), f.rec)
	})
	if err != nil {
		return err
	}
	return s.plane.recount(context.WithoutCancel(ctx), k.area())
}

func (s *Service) putFunctionConcurrency(ctx context.Context, rq *call.Authorized, in *api.PutFunctionConcurrencyRequest) (*api.Concurrency, error) {
	k, err := unqualified(rq, in.FunctionName)
	if err != nil {
		return nil, err
	}
	if err := s.reserve(ctx, k, in.ReservedConcurrentExecutions); err != nil {
		return nil, err
	}
	return &api.Concurrency{ReservedConcurrentExecutions: in.ReservedConcurrentExecutions}, nil
}

func (s *Service) getFunctionConcurrency(ctx context.Context, rq *call.Authorized, in *api.GetFunctionConcurrencyRequest) (*api.GetFunctionConcurrencyResponse, error) {
	k, err := unqualified(rq, in.FunctionName)
	if err != nil {
		return nil, err
	}
	f, err := s.existing(ctx, k, "")
	if err != nil {
		return nil, err
	}
	return &api.GetFunctionConcurrencyResponse{ReservedConcurrentExecutions: f.rec.Reserved}, nil
}

func (s *Service) deleteFunctionConcurrency(ctx context.Context, rq *call.Authorized, in *api.DeleteFunctionConcurrencyRequest) (*call.None, error) {
	k, err := unqualified(rq, in.FunctionName)
	if err != nil {
		return nil, err
	}
	return &call.None{}, s.reserve(ctx, k, nil)
}

func (s *Service) getAccountSettings(ctx context.Context, rq *call.Authorized, _ *api.GetAccountSettingsRequest) (*api.GetAccountSettingsResponse, error) {
	var u usage
	err := s.store.View(ctx, func(r data.Reader) (err error) {
		u, err = used(r, area{rq.Account(), rq.Region()}, "")
		return err
	})
	if err != nil {
		return nil, err
	}
	return &api.GetAccountSettingsResponse{
		AccountLimit: &api.AccountLimit{
			TotalCodeSize: new(int64(maxCodeStorage)), CodeSizeUnzipped: new(int64(maxUnzipped)), CodeSizeZipped: new(int64(maxZip)),
			ConcurrentExecutions: new(int32(maxConcurrency)), UnreservedConcurrentExecutions: new(int32(maxConcurrency - u.reserved)),
		},
		AccountUsage: &api.AccountUsage{TotalCodeSize: &u.code, FunctionCount: &u.functions},
	}, nil
}
