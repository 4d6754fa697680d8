package lambda

import (
	"context"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/resource"
	api "github.com/tierra-cloud/tierra/internal/gen/lambda"
)

// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-url.html
type urlProperties struct {
	TargetFunctionArn string        `cfn:"TargetFunctionArn,required,replace"`
	Qualifier         *string       `cfn:"Qualifier,replace"`
	AuthType          string        `cfn:"AuthType,required"`
	InvokeMode        *string       `cfn:"InvokeMode"`
	Cors              *corsProperty `cfn:"Cors"`
}

type corsProperty struct {
	AllowCredentials *bool    `cfn:"AllowCredentials"`
	AllowHeaders     []string `cfn:"AllowHeaders"`
	AllowMethods     []string `cfn:"AllowMethods"`
	AllowOrigins     []string `cfn:"AllowOrigins"`
	ExposeHeaders    []string `cfn:"ExposeHeaders"`
	MaxAge           *int32   `cfn:"MaxAge"`
}

func (p *urlProperties) cors() *api.Cors {
	if p.Cors == nil {
		return nil
	}
	return &api.Cors{
		AllowCredentials: p.Cors.AllowCredentials, AllowHeaders: p.Cors.AllowHeaders, AllowMethods: p.Cors.AllowMethods,
		AllowOrigins: p.Cors.AllowOrigins, ExposeHeaders: p.Cors.ExposeHeaders, MaxAge: p.Cors.MaxAge,
	}
}

func urlResources() []resource.Type {
	return []resource.Type{resource.Define("AWS::Lambda::Url", resource.Handlers[urlProperties]{
		Create: createURLResource, Find: leftURL, Update: updateURLResource, Delete: deleteURLResource, Attributes: []string{"FunctionArn", "FunctionUrl"},
		Identifier: []string{"FunctionArn"}, Read: readURL, List: listURLs,
	})}
}

func urlState(arn, url *string) resource.State {
	return resource.State{ID: *arn, Attributes: map[string]any{"FunctionArn": *arn, "FunctionUrl": *url}}
}

func createURLResource(ctx context.Context, rq *resource.Request, p *urlProperties) (resource.State, error) {
	out, err := call.Do(ctx, rq.Caller, rq.As, api.CreateFunctionUrlConfig, &api.CreateFunctionUrlConfigRequest{
		FunctionName: &p.TargetFunctionArn, Qualifier: p.Qualifier, AuthType: &p.AuthType, InvokeMode: p.InvokeMode, Cors: p.cors(),
	})
	if err != nil {
		return resource.State{}, err
	}
	return urlState(out.FunctionArn, out.FunctionUrl), nil
}

// leftURL is the URL of a function or alias, which has one at most.
func leftURL(ctx context.Context, rq *resource.Request, p *urlProperties) ([]resource.State, error) {
	out, err := call.Do(ctx, rq.Caller, rq.As, api.GetFunctionUrlConfig, &api.GetFunctionUrlConfigRequest{FunctionName: &p.TargetFunctionArn, Qualifier: p.Qualifier})
	if err != nil {
		return nil, unlessGone(err)
	}
	return []resource.State{urlState(out.FunctionArn, out.FunctionUrl)}, nil
}

func updateURLResource(ctx context.Context, rq *resource.Request, _ string, _, p *urlProperties) (resource.State, error) {
	cors, mode := p.cors(), p.InvokeMode
	if cors == nil {
		cors = &api.Cors{}
	}
	if mode == nil {
		mode = new(buffered)
	}
	out, err := call.Do(ctx, rq.Caller, rq.As, api.UpdateFunctionUrlConfig, &api.UpdateFunctionUrlConfigRequest{
		FunctionName: &p.TargetFunctionArn, Qualifier: p.Qualifier, AuthType: &p.AuthType, InvokeMode: mode, Cors: cors,
	})
	if err != nil {
		return resource.State{}, err
	}
	return urlState(out.FunctionArn, out.FunctionUrl), nil
}

func deleteURLResource(ctx context.Context, rq *resource.Request, _ string, p *urlProperties) error {
	_, err := call.Do(ctx, rq.Caller, rq.As, api.DeleteFunctionUrlConfig, &api.DeleteFunctionUrlConfigRequest{FunctionName: &p.TargetFunctionArn, Qualifier: p.Qualifier})
	return unlessGone(err)
}
