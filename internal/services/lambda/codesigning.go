package lambda

import (
	"context"

	"github.com/tierra-cloud/tierra/internal/call"
	api "github.com/tierra-cloud/tierra/internal/gen/lambda"
)

// There are no code signing configurations: who signs are profiles of AWS Signer,
// which is not here. So none can be made, and what asks for one finds none.

func (s *Service) codeSigningBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.CreateCodeSigningConfig, call.Any[api.CreateCodeSigningConfigRequest]("lambda:CreateCodeSigningConfig"), s.createCodeSigningConfig),
		call.Bind(api.ListCodeSigningConfigs, call.Any[api.ListCodeSigningConfigsRequest]("lambda:ListCodeSigningConfigs"), s.listCodeSigningConfigs),
		call.Bind(api.GetCodeSigningConfig, onSigning("lambda:GetCodeSigningConfig", func(in *api.GetCodeSigningConfigRequest) *string { return in.CodeSigningConfigArn }),
			noSigning[api.GetCodeSigningConfigRequest, api.GetCodeSigningConfigResponse](func(in *api.GetCodeSigningConfigRequest) *string { return in.CodeSigningConfigArn })),
		call.Bind(api.UpdateCodeSigningConfig, onSigning("lambda:UpdateCodeSigningConfig", func(in *api.UpdateCodeSigningConfigRequest) *string { return in.CodeSigningConfigArn }),
			noSigning[api.UpdateCodeSigningConfigRequest, api.UpdateCodeSigningConfigResponse](func(in *api.UpdateCodeSigningConfigRequest) *string { return in.CodeSigningConfigArn })),
		call.Bind(api.DeleteCodeSigningConfig, onSigning("lambda:DeleteCodeSigningConfig", func(in *api.DeleteCodeSigningConfigRequest) *string { return in.CodeSigningConfigArn }),
			noSigning[api.DeleteCodeSigningConfigRequest, api.DeleteCodeSigningConfigResponse](func(in *api.DeleteCodeSigningConfigRequest) *string { return in.CodeSigningConfigArn })),
		call.Bind(api.ListFunctionsByCodeSigningConfig, onSigning("lambda:ListFunctionsByCodeSigningConfig", func(in *api.ListFunctionsByCodeSigningConfigRequest) *string { return in.CodeSigningConfigArn }),
			noSigning[api.ListFunctionsByCodeSigningConfigRequest, api.ListFunctionsByCodeSigningConfigResponse](func(in *api.ListFunctionsByCodeSigningConfigRequest) *string { return in.CodeSigningConfigArn })),
		call.Bind(api.GetFunctionCodeSigningConfig, on("lambda:GetFunctionCodeSigningConfig", func(in *api.GetFunctionCodeSigningConfigRequest) (n, q *string) { return in.FunctionName, nil }), s.getFunctionCodeSigningConfig),
		call.Bind(api.PutFunctionCodeSigningConfig, on("lambda:PutFunctionCodeSigningConfig", func(in *api.PutFunctionCodeSigningConfigRequest) (n, q *string) { return in.FunctionName, nil }), s.putFunctionCodeSigningConfig),
		call.Bind(api.DeleteFunctionCodeSigningConfig, on("lambda:DeleteFunctionCodeSigningConfig", func(in *api.DeleteFunctionCodeSigningConfigRequest) (n, q *string) { return in.FunctionName, nil }), s.deleteFunctionCodeSigningConfig),
	}
}

// onSigning is the rule of operations on one configuration.
func onSigning[I any](action string, name func(*I) *string) call.Access[I] {
	return call.Allow(action, func(_ *call.Decoded, in *I) string { return *name(in) })
}

// noSigning answers that there is no such configuration.
func noSigning[I, O any](name func(*I) *string) func(context.Context, *call.Authorized, *I) (*O, error) {
	return func(_ context.Context, _ *call.Authorized, in *I) (*O, error) {
		return nil, api.ResourceNotFoundException("The code signing configuration cannot be found: %s", *name(in)).With("Type", "User")
	}
}

func (s *Service) createCodeSigningConfig(context.Context, *call.Authorized, *api.CreateCodeSigningConfigRequest) (*api.CreateCodeSigningConfigResponse, error) {
	return nil, api.InvalidParameterValueException("CreateCodeSigningConfig: AllowedPublishers are profiles of AWS Signer, which Tierra does not have; code signing is not supported.")
}

func (s *Service) listCodeSigningConfigs(context.Context, *call.Authorized, *api.ListCodeSigningConfigsRequest) (*api.ListCodeSigningConfigsResponse, error) {
	return &api.ListCodeSigningConfigsResponse{CodeSigningConfigs: []api.CodeSigningConfig{}}, nil
}

// signable finds a function that a code signing operation names.
func (s *Service) signable(ctx context.Context, rq *call.Authorized, name *string) (key, error) {
	k, err := unqualified(rq, name)
	if err == nil {
		_, err = s.existing(ctx, k, "")
	}
	return k, err
}

// getFunctionCodeSigningConfig answers as AWS does for a function without code
// signing; Terraform asks for it.
func (s *Service) getFunctionCodeSigningConfig(ctx context.Context, rq *call.Authorized, in *api.GetFunctionCodeSigningConfigRequest) (*api.GetFunctionCodeSigningConfigResponse, error) {
	k, err := s.signable(ctx, rq, in.FunctionName)
	if err != nil {
		return nil, err
	}
	return &api.GetFunctionCodeSigningConfigResponse{FunctionName: &k.name, CodeSigningConfigArn: new("")}, nil
}

func (s *Service) putFunctionCodeSigningConfig(ctx context.Context, rq *call.Authorized, in *api.PutFunctionCodeSigningConfigRequest) (*api.PutFunctionCodeSigningConfigResponse, error) {
	if _, err := s.signable(ctx, rq, in.FunctionName); err != nil {
		return nil, err
	}
	return nil, api.CodeSigningConfigNotFoundException("The code signing configuration cannot be found: %s", *in.CodeSigningConfigArn).With("Type", "User")
}

func (s *Service) deleteFunctionCodeSigningConfig(ctx context.Context, rq *call.Authorized, in *api.DeleteFunctionCodeSigningConfigRequest) (*call.None, error) {
	_, err := s.signable(ctx, rq, in.FunctionName)
	return &call.None{}, err
}
