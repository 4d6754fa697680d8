package apigateway

import (
	"context"
	"strconv"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/resource"
	api "github.com/tierra-cloud/tierra/internal/gen/apigateway"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-apigateway-requestvalidator.html
type validatorProperties struct {
	RestAPIID                 string  `cfn:"RestApiId,required,replace"`
	Name                      *string `cfn:"Name,replace"`
	ValidateRequestBody       *bool   `cfn:"ValidateRequestBody"`
	ValidateRequestParameters *bool   `cfn:"ValidateRequestParameters"`
}

func createValidator(ctx context.Context, rq *resource.Request, p *validatorProperties) (resource.State, error) {
	x, err := call.Do(ctx, rq.Caller, rq.As, api.CreateRequestValidator, &api.CreateRequestValidatorRequest{
		RestApiId: &p.RestAPIID, Name: p.Name, ValidateRequestBody: p.ValidateRequestBody, ValidateRequestParameters: p.ValidateRequestParameters,
	})
	if err != nil {
		return resource.State{}, err
	}
	return resource.State{ID: *x.Id, Attributes: map[string]any{"RequestValidatorId": *x.Id}}, nil
}

func updateValidator(ctx context.Context, rq *resource.Request, id string, _, p *validatorProperties) (resource.State, error) {
	var ops patches
	ops.set("/validateRequestBody", new(strconv.FormatBool(opt.Val(p.ValidateRequestBody))))
	ops.set("/validateRequestParameters", new(strconv.FormatBool(opt.Val(p.ValidateRequestParameters))))
	_, err := call.Do(ctx, rq.Caller, rq.As, api.UpdateRequestValidator, &api.UpdateRequestValidatorRequest{RestApiId: &p.RestAPIID, RequestValidatorId: &id, PatchOperations: ops})
	return resource.State{ID: id, Attributes: map[string]any{"RequestValidatorId": id}}, err
}

func deleteValidator(ctx context.Context, rq *resource.Request, id string, p *validatorProperties) error {
	_, err := call.Do(ctx, rq.Caller, rq.As, api.DeleteRequestValidator, &api.DeleteRequestValidatorRequest{RestApiId: &p.RestAPIID, RequestValidatorId: &id})
	return unlessGone(err)
}

// leftValidators finds the validators that are as the properties say.
func leftValidators(ctx context.Context, rq *resource.Request, p *validatorProperties) ([]resource.State, error) {
	out, err := call.Do(ctx, rq.Caller, rq.As, api.GetRequestValidators, &api.GetRequestValidatorsRequest{RestApiId: &p.RestAPIID, Limit: new(int32(pageMax))})
	if err != nil {
		return nil, unlessGone(err)
	}
	var all []resource.State
	for _, x := range out.Items {
		if opt.Val(x.Name) == opt.Val(p.Name) && *x.ValidateRequestBody == opt.Val(p.ValidateRequestBody) && *x.ValidateRequestParameters == opt.Val(p.ValidateRequestParameters) {
			all = append(all, resource.State{ID: *x.Id, Attributes: map[string]any{"RequestValidatorId": *x.Id}})
		}
	}
	return all, nil
}
