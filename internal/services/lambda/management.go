package lambda

import (
	"context"
	"io"

	"github.com/tierra-cloud/tierra/internal/call"
	api "github.com/tierra-cloud/tierra/internal/gen/lambda"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

func (s *Service) managementBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.GetRuntimeManagementConfig, on("lambda:GetRuntimeManagementConfig", func(in *api.GetRuntimeManagementConfigRequest) (n, q *string) { return in.FunctionName, in.Qualifier }), s.getRuntimeManagementConfig),
		call.Bind(api.PutRuntimeManagementConfig, on("lambda:PutRuntimeManagementConfig", func(in *api.PutRuntimeManagementConfigRequest) (n, q *string) { return in.FunctionName, in.Qualifier }), s.putRuntimeManagementConfig),
		call.Bind(api.InvokeAsync, call.Rule(func(ctx context.Context, rq *call.Decoded, in *api.InvokeAsyncRequest) ([]call.Need, error) {
			return s.invokeNeeds(ctx, rq, &api.InvocationRequest{FunctionName: in.FunctionName})
		}, "lambda:InvokeFunction"), s.invokeAsync),
	}
}

// A runtime is the machine's own interpreter, which is taken as it is whenever an
// environment starts: that is what Auto says, and the other ways cannot be had.

func (s *Service) getRuntimeManagementConfig(ctx context.Context, rq *call.Authorized, in *api.GetRuntimeManagementConfigRequest) (*api.GetRuntimeManagementConfigResponse, error) {
	f, _, q, err := s.look(ctx, rq, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	return &api.GetRuntimeManagementConfigResponse{UpdateRuntimeOn: new(api.UpdateRuntimeOnAuto), FunctionArn: new(f.key.arn(opt.Or(opt.NonZero(q), latest)))}, nil
}

func (s *Service) putRuntimeManagementConfig(ctx context.Context, rq *call.Authorized, in *api.PutRuntimeManagementConfigRequest) (*api.PutRuntimeManagementConfigResponse, error) {
	f, _, q, err := s.look(ctx, rq, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	if *in.UpdateRuntimeOn != api.UpdateRuntimeOnAuto {
		return nil, api.InvalidParameterValueException("UpdateRuntimeOn: %s is not supported: the runtimes are this machine's own interpreters, and change with the machine (Auto).", *in.UpdateRuntimeOn)
	}
	if opt.Val(in.RuntimeVersionArn) != "" {
		return nil, api.InvalidParameterValueException("RuntimeVersionArn is only valid when UpdateRuntimeOn is Manual.")
	}
	return &api.PutRuntimeManagementConfigResponse{UpdateRuntimeOn: in.UpdateRuntimeOn, FunctionArn: new(f.key.arn(opt.Or(opt.NonZero(q), latest)))}, nil
}

// invokeAsync is the old form of an Invoke of type Event.
func (s *Service) invokeAsync(ctx context.Context, rq *call.Authorized, in *api.InvokeAsyncRequest) (*api.InvokeAsyncResponse, error) {
	var payload []byte
	if in.InvokeArgs != nil {
		defer in.InvokeArgs.Close()
		var err error
		if payload, err = io.ReadAll(io.LimitReader(in.InvokeArgs, maxEventPayload+1)); err != nil {
			return nil, err
		}
	}
	out, err := s.invoke(ctx, rq, &api.InvocationRequest{FunctionName: in.FunctionName, InvocationType: new("Event"), Payload: payload})
	if err != nil {
		return nil, err
	}
	return &api.InvokeAsyncResponse{Status: out.StatusCode}, nil
}
