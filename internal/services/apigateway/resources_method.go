package apigateway

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/resource"
	api "github.com/tierra-cloud/tierra/internal/gen/apigateway"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-apigateway-resource.html
type pathProperties struct {
	RestAPIID string `cfn:"RestApiId,required,replace"`
	ParentID  string `cfn:"ParentId,required,replace"`
	PathPart  string `cfn:"PathPart,required,replace"`
}

func createPath(ctx context.Context, rq *resource.Request, p *pathProperties) (resource.State, error) {
	x, err := call.Do(ctx, rq.Caller, rq.As, api.CreateResource, &api.CreateResourceRequest{RestApiId: &p.RestAPIID, ParentId: &p.ParentID, PathPart: &p.PathPart})
	if err != nil {
		return resource.State{}, err
	}
	return resource.State{ID: *x.Id, Attributes: map[string]any{"ResourceId": *x.Id}}, nil
}

func deletePath(ctx context.Context, rq *resource.Request, id string, p *pathProperties) error {
	_, err := call.Do(ctx, rq.Caller, rq.As, api.DeleteResource, &api.DeleteResourceRequest{RestApiId: &p.RestAPIID, ResourceId: &id})
	return unlessGone(err)
}

// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-apigateway-method.html
//
// Properties of features that are refused are here so that the refusal is the
// operation's, which names them.
type methodProperties struct {
	RestAPIID           string                     `cfn:"RestApiId,required,replace"`
	ResourceID          string                     `cfn:"ResourceId,required,replace"`
	HTTPMethod          string                     `cfn:"HttpMethod,required,replace"`
	AuthorizationType   *string                    `cfn:"AuthorizationType"`
	AuthorizationScopes []string                   `cfn:"AuthorizationScopes"`
	AuthorizerID        *string                    `cfn:"AuthorizerId"`
	APIKeyRequired      *bool                      `cfn:"ApiKeyRequired"`
	OperationName       *string                    `cfn:"OperationName"`
	RequestValidatorID  *string                    `cfn:"RequestValidatorId"`
	RequestModels       map[string]string          `cfn:"RequestModels"`
	RequestParameters   map[string]bool            `cfn:"RequestParameters"`
	MethodResponses     []methodResponseProperties `cfn:"MethodResponses"`
	Integration         *integrationProperties     `cfn:"Integration"`
}

type methodResponseProperties struct {
	StatusCode         string            `cfn:"StatusCode,required"`
	ResponseModels     map[string]string `cfn:"ResponseModels"`
	ResponseParameters map[string]bool   `cfn:"ResponseParameters"`
}

type integrationProperties struct {
	Type                  string                          `cfn:"Type,required"`
	IntegrationHTTPMethod *string                         `cfn:"IntegrationHttpMethod"`
	URI                   *string                         `cfn:"Uri"`
	Credentials           *string                         `cfn:"Credentials"`
	ConnectionType        *string                         `cfn:"ConnectionType"`
	ConnectionID          *string                         `cfn:"ConnectionId"`
	ContentHandling       *string                         `cfn:"ContentHandling"`
	CacheNamespace        *string                         `cfn:"CacheNamespace"`
	CacheKeyParameters    []string                        `cfn:"CacheKeyParameters"`
	PassthroughBehavior   *string                         `cfn:"PassthroughBehavior"`
	RequestParameters     map[string]string               `cfn:"RequestParameters"`
	RequestTemplates      map[string]string               `cfn:"RequestTemplates"`
	ResponseTransferMode  *string                         `cfn:"ResponseTransferMode"`
	TimeoutInMillis       *int32                          `cfn:"TimeoutInMillis"`
	IntegrationResponses  []integrationResponseProperties `cfn:"IntegrationResponses"`

	_ any `cfn:"IntegrationTarget,refused"`
}

type integrationResponseProperties struct {
	StatusCode         string            `cfn:"StatusCode,required"`
	SelectionPattern   *string           `cfn:"SelectionPattern"`
	ContentHandling    *string           `cfn:"ContentHandling"`
	ResponseParameters map[string]string `cfn:"ResponseParameters"`
	ResponseTemplates  map[string]string `cfn:"ResponseTemplates"`
}

func createMethod(ctx context.Context, rq *resource.Request, p *methodProperties) (resource.State, error) {
	_, err := call.Do(ctx, rq.Caller, rq.As, api.PutMethod, &api.PutMethodRequest{
		RestApiId: &p.RestAPIID, ResourceId: &p.ResourceID, HttpMethod: &p.HTTPMethod, AuthorizationType: new(opt.Or(p.AuthorizationType, "NONE")),
		AuthorizationScopes: p.AuthorizationScopes, AuthorizerId: p.AuthorizerID, ApiKeyRequired: p.APIKeyRequired, OperationName: p.OperationName,
		RequestValidatorId: p.RequestValidatorID, RequestModels: p.RequestModels, RequestParameters: p.RequestParameters,
	})
	if err != nil {
		return resource.State{}, err
	}
	if err := fillMethod(ctx, rq, p); err != nil {
		return resource.State{}, errors.Join(err, deleteMethod(ctx, rq, "", p))
	}
	return resource.State{ID: p.RestAPIID + "|" + p.ResourceID + "|" + p.HTTPMethod}, nil
}

// fillMethod gives a method its responses and its integration.
func fillMethod(ctx context.Context, rq *resource.Request, p *methodProperties) error {
	for _, r := range p.MethodResponses {
		_, err := call.Do(ctx, rq.Caller, rq.As, api.PutMethodResponse, &api.PutMethodResponseRequest{
			RestApiId: &p.RestAPIID, ResourceId: &p.ResourceID, HttpMethod: &p.HTTPMethod,
			StatusCode: &r.StatusCode, ResponseModels: r.ResponseModels, ResponseParameters: r.ResponseParameters,
		})
		if err != nil {
			return err
		}
	}
	i := p.Integration
	if i == nil {
		return nil
	}
	_, err := call.Do(ctx, rq.Caller, rq.As, api.PutIntegration, &api.PutIntegrationRequest{
		RestApiId: &p.RestAPIID, ResourceId: &p.ResourceID, HttpMethod: &p.HTTPMethod,
		Type: &i.Type, IntegrationHttpMethod: i.IntegrationHTTPMethod, Uri: i.URI, Credentials: i.Credentials, ConnectionType: i.ConnectionType,
		ConnectionId: i.ConnectionID, ContentHandling: i.ContentHandling, CacheNamespace: i.CacheNamespace, CacheKeyParameters: i.CacheKeyParameters,
		PassthroughBehavior: i.PassthroughBehavior, RequestParameters: i.RequestParameters, RequestTemplates: i.RequestTemplates,
		ResponseTransferMode: i.ResponseTransferMode, TimeoutInMillis: i.TimeoutInMillis,
	})
	if err != nil {
		return err
	}
	for _, r := range i.IntegrationResponses {
		_, err := call.Do(ctx, rq.Caller, rq.As, api.PutIntegrationResponse, &api.PutIntegrationResponseRequest{
			RestApiId: &p.RestAPIID, ResourceId: &p.ResourceID, HttpMethod: &p.HTTPMethod, StatusCode: &r.StatusCode,
			SelectionPattern: r.SelectionPattern, ContentHandling: r.ContentHandling, ResponseParameters: r.ResponseParameters, ResponseTemplates: r.ResponseTemplates,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// updateMethod makes the method anew: nothing of it is live before a deployment.
func updateMethod(ctx context.Context, rq *resource.Request, _ string, _, p *methodProperties) (resource.State, error) {
	if err := deleteMethod(ctx, rq, "", p); err != nil {
		return resource.State{}, err
	}
	return createMethod(ctx, rq, p)
}

func deleteMethod(ctx context.Context, rq *resource.Request, _ string, p *methodProperties) error {
	_, err := call.Do(ctx, rq.Caller, rq.As, api.DeleteMethod, &api.DeleteMethodRequest{RestApiId: &p.RestAPIID, ResourceId: &p.ResourceID, HttpMethod: &p.HTTPMethod})
	return unlessGone(err)
}

// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-apigateway-model.html
type modelProperties struct {
	RestAPIID   string  `cfn:"RestApiId,required,replace"`
	Name        *string `cfn:"Name,replace"`
	Description *string `cfn:"Description"`
	ContentType *string `cfn:"ContentType,replace"`
	Schema      any     `cfn:"Schema"`
}

// name is the model's name, or one of letters and digits that the platform gives.
func (p *modelProperties) name(rq *resource.Request) string {
	name := opt.Val(p.Name)
	if name == "" {
		for _, c := range rq.Name(40) {
			if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' {
				name += string(c)
			}
		}
	}
	return name
}

// jsonText is a property that templates write as an object or as its text.
func jsonText(v any) (*string, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case string:
		return &v, nil
	}
	b, err := json.Marshal(v)
	return new(string(b)), err
}

func updateModel(ctx context.Context, rq *resource.Request, name string, _, p *modelProperties) (resource.State, error) {
	schema, err := jsonText(p.Schema)
	if err != nil {
		return resource.State{}, err
	}
	var ops patches
	ops.set("/description", new(opt.Val(p.Description)))
	ops.set("/schema", new(opt.Val(schema)))
	_, err = call.Do(ctx, rq.Caller, rq.As, api.UpdateModel, &api.UpdateModelRequest{RestApiId: &p.RestAPIID, ModelName: &name, PatchOperations: ops})
	return resource.State{ID: name}, err
}

func createModel(ctx context.Context, rq *resource.Request, p *modelProperties) (resource.State, error) {
	name := p.name(rq)
	schema, err := jsonText(p.Schema)
	if err != nil {
		return resource.State{}, err
	}
	_, err = call.Do(ctx, rq.Caller, rq.As, api.CreateModel, &api.CreateModelRequest{
		RestApiId: &p.RestAPIID, Name: &name, Description: p.Description, Schema: schema, ContentType: new(opt.Or(p.ContentType, "application/json")),
	})
	if err != nil {
		return resource.State{}, err // nothing was made, so there is nothing to delete
	}
	return resource.State{ID: name}, nil
}

func deleteModel(ctx context.Context, rq *resource.Request, id string, p *modelProperties) error {
	_, err := call.Do(ctx, rq.Caller, rq.As, api.DeleteModel, &api.DeleteModelRequest{RestApiId: &p.RestAPIID, ModelName: &id})
	return unlessGone(err)
}
