package lambda

import (
	"context"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/resource"
	api "github.com/tierra-cloud/tierra/internal/gen/lambda"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-eventinvokeconfig.html
type asyncProperties struct {
	FunctionName             string                `cfn:"FunctionName,required,replace"`
	Qualifier                string                `cfn:"Qualifier,required,replace"`
	MaximumEventAgeInSeconds *int32                `cfn:"MaximumEventAgeInSeconds"`
	MaximumRetryAttempts     *int32                `cfn:"MaximumRetryAttempts"`
	DestinationConfig        *destinationsProperty `cfn:"DestinationConfig"`
}

type destinationsProperty struct {
	OnSuccess *destinationProperty `cfn:"OnSuccess"`
	OnFailure *destinationProperty `cfn:"OnFailure"`
}

type destinationProperty struct {
	Destination string `cfn:"Destination,required"`
}

func asyncResources() []resource.Type {
	return []resource.Type{resource.Define("AWS::Lambda::EventInvokeConfig", resource.Handlers[asyncProperties]{
		Create: func(ctx context.Context, rq *resource.Request, p *asyncProperties) (resource.State, error) {
			return putAsyncResource(ctx, rq, rq.Name(100), p)
		},
		Update: func(ctx context.Context, rq *resource.Request, id string, _, p *asyncProperties) (resource.State, error) {
			return putAsyncResource(ctx, rq, id, p)
		},
		Delete: func(ctx context.Context, rq *resource.Request, _ string, p *asyncProperties) error {
			_, err := call.Do(ctx, rq.Caller, rq.As, api.DeleteFunctionEventInvokeConfig, &api.DeleteFunctionEventInvokeConfigRequest{FunctionName: &p.FunctionName, Qualifier: &p.Qualifier})
			return unlessGone(err)
		},
		Identifier: []string{"FunctionName", "Qualifier"}, Read: readAsync, List: listAsync,
	})}
}

// putAsyncResource sets every property, so that it can be repeated.
func putAsyncResource(ctx context.Context, rq *resource.Request, id string, p *asyncProperties) (resource.State, error) {
	in := &api.PutFunctionEventInvokeConfigRequest{
		FunctionName: &p.FunctionName, Qualifier: &p.Qualifier, MaximumEventAgeInSeconds: p.MaximumEventAgeInSeconds, MaximumRetryAttempts: p.MaximumRetryAttempts,
	}
	if d := p.DestinationConfig; d != nil {
		in.DestinationConfig = &api.DestinationConfig{}
		if d.OnSuccess != nil {
			in.DestinationConfig.OnSuccess = &api.OnSuccess{Destination: opt.NonZero(d.OnSuccess.Destination)}
		}
		if d.OnFailure != nil {
			in.DestinationConfig.OnFailure = &api.OnFailure{Destination: opt.NonZero(d.OnFailure.Destination)}
		}
	}
	_, err := call.Do(ctx, rq.Caller, rq.As, api.PutFunctionEventInvokeConfig, in)
	return resource.State{ID: id}, err
}
