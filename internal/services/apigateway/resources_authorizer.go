package apigateway

import (
	"context"
	"strconv"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/resource"
	api "github.com/tierra-cloud/tierra/internal/gen/apigateway"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-apigateway-authorizer.html
type authorizerProperties struct {
	RestAPIID                    string   `cfn:"RestApiId,required,replace"`
	Name                         string   `cfn:"Name,required"`
	Type                         string   `cfn:"Type,required"`
	AuthType                     *string  `cfn:"AuthType"`
	AuthorizerURI                *string  `cfn:"AuthorizerUri"`
	AuthorizerCredentials        *string  `cfn:"AuthorizerCredentials"`
	AuthorizerResultTTLInSeconds *int32   `cfn:"AuthorizerResultTtlInSeconds"`
	IdentitySource               *string  `cfn:"IdentitySource"`
	IdentityValidationExpression *string  `cfn:"IdentityValidationExpression"`
	ProviderARNs                 []string `cfn:"ProviderARNs"`
}

func createAuthorizer(ctx context.Context, rq *resource.Request, p *authorizerProperties) (resource.State, error) {
	x, err := call.Do(ctx, rq.Caller, rq.As, api.CreateAuthorizer, &api.CreateAuthorizerRequest{
		RestApiId: &p.RestAPIID, Name: &p.Name, Type: &p.Type, AuthType: p.AuthType, AuthorizerUri: p.AuthorizerURI,
		AuthorizerCredentials: p.AuthorizerCredentials, AuthorizerResultTtlInSeconds: p.AuthorizerResultTTLInSeconds,
		IdentitySource: p.IdentitySource, IdentityValidationExpression: p.IdentityValidationExpression, ProviderARNs: p.ProviderARNs,
	})
	if err != nil {
		return resource.State{}, err
	}
	return resource.State{ID: *x.Id, Attributes: map[string]any{"AuthorizerId": *x.Id}}, nil
}

func updateAuthorizer(ctx context.Context, rq *resource.Request, id string, was, p *authorizerProperties) (resource.State, error) {
	var ops patches
	ops.set("/name", &p.Name)
	ops.set("/type", &p.Type)
	ops.set("/authType", new(opt.Val(p.AuthType)))
	ops.set("/authorizerUri", new(opt.Val(p.AuthorizerURI)))
	for _, arn := range was.ProviderARNs {
		ops.op("remove", "/providerARNs", &arn)
	}
	for _, arn := range p.ProviderARNs {
		ops.op("add", "/providerARNs", &arn)
	}
	ops.set("/authorizerCredentials", new(opt.Val(p.AuthorizerCredentials)))
	ops.set("/identitySource", new(opt.Val(p.IdentitySource)))
	ops.set("/identityValidationExpression", new(opt.Val(p.IdentityValidationExpression)))
	ops.set("/authorizerResultTtlInSeconds", new(strconv.Itoa(int(opt.Or(p.AuthorizerResultTTLInSeconds, 300)))))
	_, err := call.Do(ctx, rq.Caller, rq.As, api.UpdateAuthorizer, &api.UpdateAuthorizerRequest{RestApiId: &p.RestAPIID, AuthorizerId: &id, PatchOperations: ops})
	return resource.State{ID: id, Attributes: map[string]any{"AuthorizerId": id}}, err
}

func deleteAuthorizer(ctx context.Context, rq *resource.Request, id string, p *authorizerProperties) error {
	_, err := call.Do(ctx, rq.Caller, rq.As, api.DeleteAuthorizer, &api.DeleteAuthorizerRequest{RestApiId: &p.RestAPIID, AuthorizerId: &id})
	return unlessGone(err)
}

// leftAuthorizer finds the authorizer of the same name.
func leftAuthorizer(ctx context.Context, rq *resource.Request, p *authorizerProperties) ([]resource.State, error) {
	out, err := call.Do(ctx, rq.Caller, rq.As, api.GetAuthorizers, &api.GetAuthorizersRequest{RestApiId: &p.RestAPIID, Limit: new(int32(pageMax))})
	if err != nil {
		return nil, unlessGone(err)
	}
	for _, x := range out.Items {
		if *x.Name == p.Name {
			return []resource.State{{ID: *x.Id, Attributes: map[string]any{"AuthorizerId": *x.Id}}}, nil
		}
	}
	return nil, nil
}
