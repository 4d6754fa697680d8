package apigateway

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/resource"
	api "github.com/tierra-cloud/tierra/internal/gen/apigateway"
	"github.com/tierra-cloud/tierra/internal/gen/s3"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

type tagProperty struct {
	Key   string `cfn:"Key,required"`
	Value string `cfn:"Value,required"`
}

// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-apigateway-restapi.html
type restAPIProperties struct {
	Name                      *string             `cfn:"Name"`
	Description               *string             `cfn:"Description"`
	Body                      any                 `cfn:"Body"`
	BodyS3Location            *s3Location         `cfn:"BodyS3Location"`
	BinaryMediaTypes          []string            `cfn:"BinaryMediaTypes"`
	MinimumCompressionSize    *int32              `cfn:"MinimumCompressionSize"`
	Parameters                map[string]string   `cfn:"Parameters"`
	EndpointConfiguration     *endpointProperties `cfn:"EndpointConfiguration"`
	FailOnWarnings            *bool               `cfn:"FailOnWarnings"`
	Mode                      *string             `cfn:"Mode"`
	DisableExecuteApiEndpoint *bool               `cfn:"DisableExecuteApiEndpoint"`
	APIKeySourceType          *string             `cfn:"ApiKeySourceType"`
	Policy                    any                 `cfn:"Policy"`
	Version                   *string             `cfn:"Version"`
	CloneFrom                 *string             `cfn:"CloneFrom,replace"`
	Tags                      []tagProperty       `cfn:"Tags"`

	_ any `cfn:"EndpointAccessMode,refused"`
	_ any `cfn:"SecurityPolicy,refused"`
}

type endpointProperties struct {
	Types          []string `cfn:"Types"`
	IPAddressType  *string  `cfn:"IpAddressType"`
	VpcEndpointIDs []string `cfn:"VpcEndpointIds"`
}

type s3Location struct {
	Bucket  string  `cfn:"Bucket,required"`
	Key     string  `cfn:"Key,required"`
	Version *string `cfn:"Version"`
	ETag    *string `cfn:"ETag"`
}

// ResourceTypes implements resource.Provider.
func (s *Service) ResourceTypes() []resource.Type {
	return append(domainTypes(), []resource.Type{
		resource.Define("AWS::ApiGateway::RestApi", resource.Handlers[restAPIProperties]{
			Create: createRestAPI, Find: leftRestAPIs, Update: updateRestAPI, Delete: deleteRestAPI, Attributes: []string{"RestApiId", "RootResourceId"},
			Identifier: []string{"RestApiId"}, Read: readRestAPI, List: listRestAPIs,
			WriteOnly: []string{"Body", "BodyS3Location", "CloneFrom", "FailOnWarnings", "Mode", "Parameters"},
			Check: func(p *restAPIProperties) []resource.Problem {
				if p.Name == nil && p.Body == nil && p.BodyS3Location == nil {
					return []resource.Problem{{Text: "one of the keys [Name, Body, BodyS3Location] is required"}}
				}
				return nil
			},
		}),
		resource.Define("AWS::ApiGateway::Resource", resource.Handlers[pathProperties]{Create: createPath, Find: leftPath, Delete: deletePath, Attributes: []string{"ResourceId"},
			Identifier: []string{"RestApiId", "ResourceId"}, Read: readPath, List: listPaths,
		}),
		resource.Define("AWS::ApiGateway::Method", resource.Handlers[methodProperties]{Create: createMethod, Find: leftMethod, Update: updateMethod, Delete: deleteMethod,
			Identifier: []string{"RestApiId", "ResourceId", "HttpMethod"}, Read: readMethod, List: listMethods,
		}),
		resource.Define("AWS::ApiGateway::Authorizer", resource.Handlers[authorizerProperties]{
			Create: createAuthorizer, Find: leftAuthorizer, Update: updateAuthorizer, Delete: deleteAuthorizer, Attributes: []string{"AuthorizerId"},
			Identifier: []string{"RestApiId", "AuthorizerId"}, Read: readAuthorizer, List: listAuthorizers,
		}),
		resource.Define("AWS::ApiGateway::ApiKey", resource.Handlers[apiKeyProperties]{
			Create: createAPIKey, Find: leftAPIKeys, Update: updateAPIKey, Delete: deleteAPIKey, Attributes: []string{"APIKeyId"},
			Identifier: []string{"APIKeyId"}, Read: readAPIKey, List: listAPIKeys, WriteOnly: []string{"GenerateDistinctId"},
		}),
		resource.Define("AWS::ApiGateway::ClientCertificate", resource.Handlers[certificateProperties]{
			Create: createCertificate, Find: leftCertificates, Update: updateCertificate, Delete: deleteCertificate, Attributes: []string{"ClientCertificateId"},
			Identifier: []string{"ClientCertificateId"}, Read: readCertificate, List: listCertificates,
		}),
		resource.Define("AWS::ApiGateway::UsagePlan", resource.Handlers[planProperties]{
			Create: createPlan, Find: leftPlans, Update: updatePlan, Delete: deletePlan, Attributes: []string{"Id"},
			Identifier: []string{"Id"}, Read: readPlan, List: listPlans,
		}),
		resource.Define("AWS::ApiGateway::UsagePlanKey", resource.Handlers[planKeyProperties]{
			Create: createPlanKey, Find: leftPlanKey, Delete: deletePlanKey, Attributes: []string{"Id"},
			Identifier: []string{"Id"}, Read: readPlanKey, List: listPlanKeys,
		}),
		resource.Define("AWS::ApiGateway::RequestValidator", resource.Handlers[validatorProperties]{
			Create: createValidator, Find: leftValidators, Update: updateValidator, Delete: deleteValidator, Attributes: []string{"RequestValidatorId"},
			Identifier: []string{"RestApiId", "RequestValidatorId"}, Read: readValidator, List: listValidators,
		}),
		resource.Define("AWS::ApiGateway::Model", resource.Handlers[modelProperties]{Create: createModel, Find: leftModel, Update: updateModel, Delete: deleteModel,
			Identifier: []string{"RestApiId", "Name"}, Read: readModel, List: listModels,
		}),
		resource.Define("AWS::ApiGateway::DocumentationPart", resource.Handlers[partProperties]{
			Create: createPart, Find: leftPart, Update: updatePart, Delete: deletePart, Attributes: []string{"DocumentationPartId"},
			Identifier: []string{"DocumentationPartId", "RestApiId"}, Read: readPart, List: listParts,
		}),
		resource.Define("AWS::ApiGateway::DocumentationVersion", resource.Handlers[docVersionProperties]{
			Create: createDocVersion, Find: leftDocVersion, Update: updateDocVersion, Delete: deleteDocVersion,
			Identifier: []string{"DocumentationVersion", "RestApiId"}, Read: readDocVersion,
		}),
		resource.Define("AWS::ApiGateway::GatewayResponse", resource.Handlers[gatewayProperties]{
			Create: putGateway, Delete: deleteGateway, Attributes: []string{"Id"},
			Update: func(ctx context.Context, rq *resource.Request, _ string, _, p *gatewayProperties) (resource.State, error) {
				return putGateway(ctx, rq, p)
			},
			Identifier: []string{"Id"}, Read: readGateway, List: listGateways,
		}),
		resource.Define("AWS::ApiGateway::Deployment", resource.Handlers[deploymentProperties]{
			Create: createDeployment, Find: leftDeployments, Update: updateDeployment, Delete: deleteDeployment, Attributes: []string{"DeploymentId"},
			Identifier: []string{"DeploymentId", "RestApiId"}, Read: readDeployment, List: listDeployments, WriteOnly: []string{"StageName", "StageDescription", "DeploymentCanarySettings"},
		}),
		resource.Define("AWS::ApiGateway::Stage", resource.Handlers[stageProperties]{Create: createStage, Find: leftStage, Update: updateStage, Delete: deleteStage,
			Identifier: []string{"RestApiId", "StageName"}, Read: readStage, List: listStages,
		}),
		resource.Define("AWS::ApiGateway::Account", resource.Handlers[accountProperties]{
			Create: putAccount, Delete: func(context.Context, *resource.Request, string, *accountProperties) error { return nil }, Attributes: []string{"Id"},
			Update: func(ctx context.Context, rq *resource.Request, _ string, _, p *accountProperties) (resource.State, error) {
				return putAccount(ctx, rq, p)
			},
			Identifier: []string{"Id"}, Read: readAccount, List: listAccounts,
		}),
	}...)
}

// document returns the OpenAPI document of a template; nil if it has none. An
// API's own name stands in for a title.
func (p *restAPIProperties) document(ctx context.Context, rq *resource.Request) ([]byte, error) {
	if p.BodyS3Location != nil {
		l := p.BodyS3Location
		out, err := call.Do(ctx, rq.Caller, rq.As, s3.GetObject, &s3.GetObjectRequest{Bucket: &l.Bucket, Key: &l.Key, VersionId: l.Version, IfMatch: l.ETag})
		if err != nil {
			return nil, fmt.Errorf("read s3://%s/%s: %w", l.Bucket, l.Key, err)
		}
		defer out.Body.Close()
		return io.ReadAll(io.LimitReader(out.Body, maxDocument))
	}
	switch b := p.Body.(type) {
	case nil:
		return nil, nil
	case string:
		return []byte(b), nil
	case map[string]any:
		info, _ := b["info"].(map[string]any)
		if p.Name != nil && (info == nil || info["title"] == nil) {
			info = maps.Clone(info)
			if info == nil {
				info = map[string]any{}
			}
			info["title"] = *p.Name
			b = maps.Clone(b)
			b["info"] = info
		}
		return json.Marshal(b)
	}
	return nil, api.BadRequestException("Body must be an object")
}

// maxDocument is the most that an OpenAPI document may hold, in bytes.
const maxDocument = 6 << 20

func (p *restAPIProperties) tags(rq *resource.Request) map[string]string {
	t := maps.Clone(rq.StackTags)
	if t == nil {
		t = map[string]string{}
	}
	for _, x := range p.Tags {
		t[x.Key] = x.Value
	}
	return t
}

func createRestAPI(ctx context.Context, rq *resource.Request, p *restAPIProperties) (resource.State, error) {
	body, err := p.document(ctx, rq)
	if err != nil {
		return resource.State{}, err
	}
	var x *api.RestApi
	if body == nil {
		x, err = call.Do(ctx, rq.Caller, rq.As, api.CreateRestApi, &api.CreateRestApiRequest{Name: p.Name, CloneFrom: p.CloneFrom})
	} else {
		x, err = call.Do(ctx, rq.Caller, rq.As, api.ImportRestApi, &api.ImportRestApiRequest{Body: body, Parameters: p.Parameters, FailOnWarnings: p.FailOnWarnings})
	}
	if err != nil {
		return resource.State{}, err
	}
	state, err := settleRestAPI(ctx, rq, *x.Id, &restAPIProperties{}, p)
	if err != nil {
		// Nothing stays of an API that could not be made whole.
		_, undo := call.Do(ctx, rq.Caller, rq.As, api.DeleteRestApi, &api.DeleteRestApiRequest{RestApiId: x.Id})
		if undo != nil {
			err = fmt.Errorf("%w (and the API %s could not be deleted: %w)", err, *x.Id, undo)
		}
		return resource.State{}, err
	}
	return state, nil
}

func updateRestAPI(ctx context.Context, rq *resource.Request, id string, old, p *restAPIProperties) (resource.State, error) {
	body, err := p.document(ctx, rq)
	if err != nil {
		return resource.State{}, err
	}
	if body != nil {
		_, err := call.Do(ctx, rq.Caller, rq.As, api.PutRestApi, &api.PutRestApiRequest{
			RestApiId: &id, Body: body, Mode: new(opt.Or(p.Mode, api.PutModeOverwrite)), Parameters: p.Parameters, FailOnWarnings: p.FailOnWarnings,
		})
		if err != nil {
			return resource.State{}, err
		}
	}
	return settleRestAPI(ctx, rq, id, old, p)
}

// settleRestAPI brings the properties beside the document to an API.
func settleRestAPI(ctx context.Context, rq *resource.Request, id string, old, p *restAPIProperties) (resource.State, error) {
	x, err := call.Do(ctx, rq.Caller, rq.As, api.GetRestApi, &api.GetRestApiRequest{RestApiId: &id})
	if err != nil {
		return resource.State{}, err
	}
	var ops patches
	ops.set("/name", p.Name)
	ops.set("/apiKeySource", p.APIKeySourceType)
	if p.Version != nil || old.Version != nil {
		ops.set("/version", new(opt.Val(p.Version)))
	}
	if p.Description != nil || old.Description != nil {
		ops.set("/description", new(opt.Val(p.Description)))
	}
	if p.DisableExecuteApiEndpoint != nil || old.DisableExecuteApiEndpoint != nil {
		ops.set("/disableExecuteApiEndpoint", new(fmt.Sprint(opt.Val(p.DisableExecuteApiEndpoint))))
	}
	switch v := p.Policy.(type) {
	case nil:
		if old.Policy != nil {
			ops.op("remove", "/policy", nil)
		}
	case string:
		ops.set("/policy", &v)
	default:
		b, err := json.Marshal(v)
		if err != nil {
			return resource.State{}, err
		}
		ops.set("/policy", new(string(b)))
	}
	if e := p.EndpointConfiguration; e != nil {
		if len(e.VpcEndpointIDs) > 0 {
			return resource.State{}, refuse("EndpointConfiguration.VpcEndpointIds")
		}
		for _, t := range e.Types {
			ops.set("/endpointConfiguration/types/"+x.EndpointConfiguration.Types[0], &t)
		}
		ops.set("/endpointConfiguration/ipAddressType", e.IPAddressType)
	}
	if n := p.MinimumCompressionSize; n != nil {
		ops.set("/minimumCompressionSize", new(strconv.Itoa(int(*n))))
	} else if old.MinimumCompressionSize != nil {
		ops.op(api.OpRemove, "/minimumCompressionSize", nil)
	}
	for _, t := range old.BinaryMediaTypes {
		if !slices.Contains(p.BinaryMediaTypes, t) {
			ops.op("remove", "/binaryMediaTypes/"+escape.Replace(t), nil)
		}
	}
	for _, t := range p.BinaryMediaTypes {
		if !slices.Contains(x.BinaryMediaTypes, t) {
			ops.op("add", "/binaryMediaTypes/"+escape.Replace(t), nil)
		}
	}
	if len(ops) > 0 {
		if _, err := call.Do(ctx, rq.Caller, rq.As, api.UpdateRestApi, &api.UpdateRestApiRequest{RestApiId: &id, PatchOperations: ops}); err != nil {
			return resource.State{}, err
		}
	}
	if err := retag(ctx, rq, resourceARN(rq.Region, below(&id)), x.Tags, p.tags(rq)); err != nil {
		return resource.State{}, err
	}
	return resource.State{ID: id, Attributes: map[string]any{"RestApiId": id, "RootResourceId": *x.RootResourceId}}, nil
}

// retag makes the tags of a resource those of the template.
func retag(ctx context.Context, rq *resource.Request, arn string, was, is map[string]string) error {
	var gone []string
	for k := range was {
		if _, stays := is[k]; !stays {
			gone = append(gone, k)
		}
	}
	if len(gone) > 0 {
		if _, err := call.Do(ctx, rq.Caller, rq.As, api.UntagResource, &api.UntagResourceRequest{ResourceArn: &arn, TagKeys: gone}); err != nil {
			return err
		}
	}
	if len(is) == 0 || maps.Equal(was, is) {
		return nil
	}
	_, err := call.Do(ctx, rq.Caller, rq.As, api.TagResource, &api.TagResourceRequest{ResourceArn: &arn, Tags: is})
	return err
}

func deleteRestAPI(ctx context.Context, rq *resource.Request, id string, _ *restAPIProperties) error {
	_, err := call.Do(ctx, rq.Caller, rq.As, api.DeleteRestApi, &api.DeleteRestApiRequest{RestApiId: &id})
	return unlessGone(err)
}

func unlessGone(err error) error {
	if fault.Is(err, "NotFoundException") {
		return nil
	}
	return err
}

// patches is a patch that grows.
type patches []api.PatchOperation

func (p *patches) op(op, path string, value *string) {
	*p = append(*p, api.PatchOperation{Op: &op, Path: &path, Value: value})
}

// set replaces what is at path, unless there is no value.
func (p *patches) set(path string, value *string) {
	if value != nil {
		p.op("replace", path, value)
	}
}

// entries makes a map of strings at path what it is in the template.
func (p *patches) entries(path string, was, is map[string]string) {
	for _, k := range slices.Sorted(maps.Keys(was)) {
		if _, stays := is[k]; !stays {
			p.op("remove", path+"/"+escape.Replace(k), nil)
		}
	}
	for _, k := range slices.Sorted(maps.Keys(is)) {
		p.op("replace", path+"/"+escape.Replace(k), new(is[k]))
	}
}

// escape does JSON Pointer's escapes.
var escape = strings.NewReplacer("~", "~0", "/", "~1")
