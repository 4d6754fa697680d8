package lambda

import (
	"context"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/resource"
	api "github.com/tierra-cloud/tierra/internal/gen/lambda"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

// What an interrupted creation may have made, for resource.Handlers.Find.
// Versions and permissions need none: to publish what is published already gives
// the same version, and a permission's id is that of its step.

func leftFunction(ctx context.Context, rq *resource.Request, p *functionProperties) ([]resource.State, error) {
	name := opt.Val(p.FunctionName)
	if name == "" {
		name = rq.Name(maxName)
	}
	_, err := call.Do(ctx, rq.Caller, rq.As, api.GetFunctionConfiguration, &api.GetFunctionConfigurationRequest{FunctionName: &name})
	if err != nil {
		return nil, unlessGone(err)
	}
	return []resource.State{functionState(rq, name)}, nil
}

func leftAlias(ctx context.Context, rq *resource.Request, p *aliasProperties) ([]resource.State, error) {
	a, err := call.Do(ctx, rq.Caller, rq.As, api.GetAlias, &api.GetAliasRequest{FunctionName: &p.FunctionName, Name: &p.Name})
	if err != nil {
		return nil, unlessGone(err)
	}
	return []resource.State{{ID: *a.AliasArn, Attributes: map[string]any{"AliasArn": *a.AliasArn}}}, nil
}
