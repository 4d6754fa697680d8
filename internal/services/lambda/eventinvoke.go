package lambda

import (
	"context"
	"maps"
	"slices"

	"github.com/tierra-cloud/tierra/internal/call"
	api "github.com/tierra-cloud/tierra/internal/gen/lambda"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/kernel/page"
)

func (s *Service) eventInvokeBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.PutFunctionEventInvokeConfig, on("lambda:PutFunctionEventInvokeConfig", func(in *api.PutFunctionEventInvokeConfigRequest) (n, q *string) { return in.FunctionName, in.Qualifier }),
			func(ctx context.Context, rq *call.Authorized, in *api.PutFunctionEventInvokeConfigRequest) (*api.FunctionEventInvokeConfig, error) {
				return s.setEventInvoke(ctx, rq, (*api.UpdateFunctionEventInvokeConfigRequest)(in), true)
			}),
		call.Bind(api.UpdateFunctionEventInvokeConfig, on("lambda:UpdateFunctionEventInvokeConfig", func(in *api.UpdateFunctionEventInvokeConfigRequest) (n, q *string) {
			return in.FunctionName, in.Qualifier
		}),
			func(ctx context.Context, rq *call.Authorized, in *api.UpdateFunctionEventInvokeConfigRequest) (*api.FunctionEventInvokeConfig, error) {
				return s.setEventInvoke(ctx, rq, in, false)
			}),
		call.Bind(api.GetFunctionEventInvokeConfig, on("lambda:GetFunctionEventInvokeConfig", func(in *api.GetFunctionEventInvokeConfigRequest) (n, q *string) { return in.FunctionName, in.Qualifier }), s.getFunctionEventInvokeConfig),
		call.Bind(api.DeleteFunctionEventInvokeConfig, on("lambda:DeleteFunctionEventInvokeConfig", func(in *api.DeleteFunctionEventInvokeConfigRequest) (n, q *string) {
			return in.FunctionName, in.Qualifier
		}), s.deleteFunctionEventInvokeConfig),
		call.Bind(api.ListFunctionEventInvokeConfigs, on("lambda:ListFunctionEventInvokeConfigs", func(in *api.ListFunctionEventInvokeConfigsRequest) (n, q *string) { return in.FunctionName, nil }), s.listFunctionEventInvokeConfigs),
	}
}

// asyncKey is the qualifier under which a configuration is kept: $LATEST and the
// function itself are one.
func asyncKey(qualifier string) string {
	if qualifier == latest {
		return ""
	}
	return qualifier
}

func (f *function) showAsync(q string, c *asyncConfig) *api.FunctionEventInvokeConfig {
	shown := q
	if q == "" {
		shown = latest
	}
	d := &api.DestinationConfig{OnSuccess: &api.OnSuccess{Destination: opt.NonZero(c.OnSuccess)}, OnFailure: &api.OnFailure{Destination: opt.NonZero(c.OnFailure)}}
	return &api.FunctionEventInvokeConfig{
		LastModified: &c.Modified, FunctionArn: new(f.key.arn(shown)), MaximumRetryAttempts: c.Attempts, MaximumEventAgeInSeconds: c.MaxAge,
		DestinationConfig: d,
	}
}

func (f *function) noAsync(q string) error {
	return api.ResourceNotFoundException("The function %s doesn't have an EventInvokeConfig", f.key.arn(q)).With("Type", "User")
}

func (s *Service) setEventInvoke(ctx context.Context, rq *call.Authorized, in *api.UpdateFunctionEventInvokeConfigRequest, replace bool) (*api.FunctionEventInvokeConfig, error) {
	k, q, err := target(rq.Decoded, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	q = asyncKey(q)
	if in.MaximumRetryAttempts == nil && in.MaximumEventAgeInSeconds == nil && in.DestinationConfig == nil {
		return nil, api.InvalidParameterValueException("You must specify at least one of error handling or destination setting.")
	}
	if d := in.DestinationConfig; d != nil {
		if err := checkDestinations(k, d); err != nil {
			return nil, err
		}
	}
	f, err := s.changeRecord(ctx, k, func(f *function) error {
		if err := f.has(q); err != nil {
			return err
		}
		c := &asyncConfig{}
		if old := f.rec.Async[q]; old != nil && !replace {
			*c = *old
		} else if old == nil && !replace {
			return f.noAsync(q)
		}
		if in.MaximumRetryAttempts != nil {
			c.Attempts = in.MaximumRetryAttempts
		}
		if in.MaximumEventAgeInSeconds != nil {
			c.MaxAge = in.MaximumEventAgeInSeconds
		}
		if d := in.DestinationConfig; d != nil {
			c.OnSuccess, c.OnFailure = opt.Or(onSuccess(d), c.OnSuccess), opt.Or(onFailure(d), c.OnFailure)
		}
		c.Modified = s.clock.Now()
		if f.rec.Async == nil {
			f.rec.Async = map[string]*asyncConfig{}
		}
		f.rec.Async[q] = c
		return nil
	})
	if err != nil {
		return nil, err
	}
	return f.showAsync(q, f.rec.Async[q]), nil
}

func (s *Service) getFunctionEventInvokeConfig(ctx context.Context, rq *call.Authorized, in *api.GetFunctionEventInvokeConfigRequest) (*api.FunctionEventInvokeConfig, error) {
	k, q, err := target(rq.Decoded, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	f, err := s.existing(ctx, k, q)
	if err != nil {
		return nil, err
	}
	c := f.rec.Async[asyncKey(q)]
	if c == nil {
		return nil, f.noAsync(q)
	}
	return f.showAsync(asyncKey(q), c), nil
}

func (s *Service) deleteFunctionEventInvokeConfig(ctx context.Context, rq *call.Authorized, in *api.DeleteFunctionEventInvokeConfigRequest) (*call.None, error) {
	k, q, err := target(rq.Decoded, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	_, err = s.changeRecord(ctx, k, func(f *function) error {
		if f.rec.Async[asyncKey(q)] == nil {
			return f.noAsync(q)
		}
		delete(f.rec.Async, asyncKey(q))
		return nil
	})
	return &call.None{}, err
}

func (s *Service) listFunctionEventInvokeConfigs(ctx context.Context, rq *call.Authorized, in *api.ListFunctionEventInvokeConfigsRequest) (*api.ListFunctionEventInvokeConfigsResponse, error) {
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
	out := &api.ListFunctionEventInvokeConfigsResponse{FunctionEventInvokeConfigs: []api.FunctionEventInvokeConfig{}}
	last := ""
	for _, q := range slices.Sorted(maps.Keys(f.rec.Async)) {
		if in.Marker != nil && "q"+q <= marker {
			continue
		}
		if len(out.FunctionEventInvokeConfigs) == pageSize(in.MaxItems) {
			out.NextMarker = new(page.Token(last))
			break
		}
		out.FunctionEventInvokeConfigs = append(out.FunctionEventInvokeConfigs, *f.showAsync(q, f.rec.Async[q]))
		last = "q" + q // the function's own qualifier is empty, a marker must not be
	}
	return out, nil
}
