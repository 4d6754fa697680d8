package apigateway

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/resource"
	api "github.com/tierra-cloud/tierra/internal/gen/apigateway"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

// APIs as they are, for drift, import and Cloud Control.

// found turns "there is none" into no properties.
func found[P any](p *P, st resource.State, err error) (*P, resource.State, error) {
	if err != nil {
		return nil, resource.State{}, unlessGone(err)
	}
	return p, st, nil
}

func givenState(name, id string) resource.State {
	return resource.State{ID: id, Attributes: map[string]any{name: id}}
}

func tagProperties(m map[string]string) (out []tagProperty) {
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, tagProperty{k, m[k]})
	}
	return out
}

// parsed reads a document that is kept as text, which may be escaped once more.
func parsed(text *string) any {
	if opt.Val(text) == "" {
		return nil
	}
	var doc any
	if json.Unmarshal([]byte(*text), &doc) == nil {
		return doc
	}
	if plain, err := strconv.Unquote(`"` + *text + `"`); err == nil && json.Unmarshal([]byte(plain), &doc) == nil {
		return doc
	}
	return *text
}

func endpoints(e *api.EndpointConfiguration) *endpointProperties {
	if e == nil {
		return nil
	}
	return &endpointProperties{e.Types, e.IpAddressType, e.VpcEndpointIds}
}

// pages collects a paginated listing.
func pages[I, O, T any](ctx context.Context, rq *resource.Request, op call.Op[I, O], in *I, page func(*O) (items []T, next *string), position func(*I, *string)) (all []T, err error) {
	for {
		out, err := call.Do(ctx, rq.Caller, rq.As, op, in)
		if err != nil {
			return nil, unlessGone(err)
		}
		items, next := page(out)
		all = append(all, items...)
		if next == nil {
			return all, nil
		}
		position(in, next)
	}
}

// identifiers turns what a listing gave into identifiers.
func identifiers[T any](items []T, err error, identifier func(*T) string) (ids []string, _ error) {
	for i := range items {
		ids = append(ids, identifier(&items[i]))
	}
	return ids, err
}

func readRestAPI(ctx context.Context, rq *resource.Request, id string, _ *restAPIProperties) (*restAPIProperties, resource.State, error) {
	x, err := call.Do(ctx, rq.Caller, rq.As, api.GetRestApi, &api.GetRestApiRequest{RestApiId: &id})
	if err != nil {
		return found[restAPIProperties](nil, resource.State{}, err)
	}
	p := &restAPIProperties{
		Name: x.Name, Description: x.Description, BinaryMediaTypes: x.BinaryMediaTypes, MinimumCompressionSize: x.MinimumCompressionSize,
		EndpointConfiguration: endpoints(x.EndpointConfiguration), DisableExecuteApiEndpoint: x.DisableExecuteApiEndpoint, APIKeySourceType: x.ApiKeySource,
		Policy: parsed(x.Policy), Version: x.Version, Tags: tagProperties(x.Tags),
	}
	return p, resource.State{ID: id, Attributes: map[string]any{"RestApiId": id, "RootResourceId": *x.RootResourceId}}, nil
}

func listRestAPIs(ctx context.Context, rq *resource.Request, _ *restAPIProperties) ([]string, error) {
	items, err := pages(ctx, rq, api.GetRestApis, &api.GetRestApisRequest{}, func(o *api.RestApis) ([]api.RestApi, *string) { return o.Items, o.Position },
		func(in *api.GetRestApisRequest, at *string) { in.Position = at })
	return identifiers(items, err, func(x *api.RestApi) string { return *x.Id })
}

func readPath(ctx context.Context, rq *resource.Request, id string, known *pathProperties) (*pathProperties, resource.State, error) {
	x, err := call.Do(ctx, rq.Caller, rq.As, api.GetResource, &api.GetResourceRequest{RestApiId: &known.RestAPIID, ResourceId: &id})
	if err != nil {
		return found[pathProperties](nil, resource.State{}, err)
	}
	return &pathProperties{known.RestAPIID, opt.Val(x.ParentId), opt.Val(x.PathPart)}, givenState("ResourceId", id), nil
}

func resourcesOf(ctx context.Context, rq *resource.Request, id string) ([]api.Resource, error) {
	return pages(ctx, rq, api.GetResources, &api.GetResourcesRequest{RestApiId: &id, Embed: []string{"methods"}}, func(o *api.Resources) ([]api.Resource, *string) { return o.Items, o.Position },
		func(in *api.GetResourcesRequest, at *string) { in.Position = at })
}

func listPaths(ctx context.Context, rq *resource.Request, known *pathProperties) (ids []string, err error) {
	items, err := resourcesOf(ctx, rq, known.RestAPIID)
	return identifiers(items, err, func(x *api.Resource) string { return known.RestAPIID + "|" + *x.Id })
}

func readMethod(ctx context.Context, rq *resource.Request, _ string, known *methodProperties) (*methodProperties, resource.State, error) {
	m, err := call.Do(ctx, rq.Caller, rq.As, api.GetMethod, &api.GetMethodRequest{RestApiId: &known.RestAPIID, ResourceId: &known.ResourceID, HttpMethod: &known.HTTPMethod})
	if err != nil {
		return found[methodProperties](nil, resource.State{}, err)
	}
	p := &methodProperties{
		RestAPIID: known.RestAPIID, ResourceID: known.ResourceID, HTTPMethod: known.HTTPMethod, AuthorizationType: m.AuthorizationType, AuthorizationScopes: m.AuthorizationScopes,
		AuthorizerID: m.AuthorizerId, APIKeyRequired: m.ApiKeyRequired, OperationName: m.OperationName, RequestValidatorID: m.RequestValidatorId,
		RequestModels: m.RequestModels, RequestParameters: m.RequestParameters,
	}
	for _, status := range slices.Sorted(maps.Keys(m.MethodResponses)) {
		r := m.MethodResponses[status]
		p.MethodResponses = append(p.MethodResponses, methodResponseProperties{status, r.ResponseModels, r.ResponseParameters})
	}
	if i := m.MethodIntegration; i != nil {
		p.Integration = &integrationProperties{
			Type: opt.Val(i.Type), IntegrationHTTPMethod: i.HttpMethod, URI: i.Uri, Credentials: i.Credentials, ConnectionType: i.ConnectionType, ConnectionID: i.ConnectionId,
			ContentHandling: i.ContentHandling, CacheNamespace: i.CacheNamespace, CacheKeyParameters: i.CacheKeyParameters, PassthroughBehavior: i.PassthroughBehavior,
			RequestParameters: i.RequestParameters, RequestTemplates: i.RequestTemplates, ResponseTransferMode: i.ResponseTransferMode, TimeoutInMillis: i.TimeoutInMillis,
		}
		for _, status := range slices.Sorted(maps.Keys(i.IntegrationResponses)) {
			r := i.IntegrationResponses[status]
			p.Integration.IntegrationResponses = append(p.Integration.IntegrationResponses, integrationResponseProperties{status, r.SelectionPattern, r.ContentHandling, r.ResponseParameters, r.ResponseTemplates})
		}
	}
	return p, resource.State{ID: p.RestAPIID + "|" + p.ResourceID + "|" + p.HTTPMethod}, nil
}

func listMethods(ctx context.Context, rq *resource.Request, known *methodProperties) (ids []string, err error) {
	items, err := resourcesOf(ctx, rq, known.RestAPIID)
	for _, x := range items {
		if known.ResourceID != "" && known.ResourceID != *x.Id {
			continue
		}
		for method := range x.ResourceMethods {
			ids = append(ids, known.RestAPIID+"|"+*x.Id+"|"+method)
		}
	}
	return ids, err
}

func readModel(ctx context.Context, rq *resource.Request, name string, known *modelProperties) (*modelProperties, resource.State, error) {
	x, err := call.Do(ctx, rq.Caller, rq.As, api.GetModel, &api.GetModelRequest{RestApiId: &known.RestAPIID, ModelName: &name})
	if err != nil {
		return found[modelProperties](nil, resource.State{}, err)
	}
	return &modelProperties{known.RestAPIID, x.Name, x.Description, x.ContentType, parsed(x.Schema)}, resource.State{ID: name}, nil
}

func listModels(ctx context.Context, rq *resource.Request, known *modelProperties) ([]string, error) {
	items, err := pages(ctx, rq, api.GetModels, &api.GetModelsRequest{RestApiId: &known.RestAPIID}, func(o *api.Models) ([]api.Model_, *string) { return o.Items, o.Position },
		func(in *api.GetModelsRequest, at *string) { in.Position = at })
	return identifiers(items, err, func(x *api.Model_) string { return known.RestAPIID + "|" + *x.Name })
}

func readValidator(ctx context.Context, rq *resource.Request, id string, known *validatorProperties) (*validatorProperties, resource.State, error) {
	x, err := call.Do(ctx, rq.Caller, rq.As, api.GetRequestValidator, &api.GetRequestValidatorRequest{RestApiId: &known.RestAPIID, RequestValidatorId: &id})
	if err != nil {
		return found[validatorProperties](nil, resource.State{}, err)
	}
	return &validatorProperties{known.RestAPIID, x.Name, x.ValidateRequestBody, x.ValidateRequestParameters}, givenState("RequestValidatorId", id), nil
}

func listValidators(ctx context.Context, rq *resource.Request, known *validatorProperties) ([]string, error) {
	items, err := pages(ctx, rq, api.GetRequestValidators, &api.GetRequestValidatorsRequest{RestApiId: &known.RestAPIID}, func(o *api.RequestValidators) ([]api.RequestValidator, *string) { return o.Items, o.Position },
		func(in *api.GetRequestValidatorsRequest, at *string) { in.Position = at })
	return identifiers(items, err, func(x *api.RequestValidator) string { return known.RestAPIID + "|" + *x.Id })
}

func readAuthorizer(ctx context.Context, rq *resource.Request, id string, known *authorizerProperties) (*authorizerProperties, resource.State, error) {
	x, err := call.Do(ctx, rq.Caller, rq.As, api.GetAuthorizer, &api.GetAuthorizerRequest{RestApiId: &known.RestAPIID, AuthorizerId: &id})
	if err != nil {
		return found[authorizerProperties](nil, resource.State{}, err)
	}
	return &authorizerProperties{
		known.RestAPIID, opt.Val(x.Name), opt.Val(x.Type), x.AuthType, x.AuthorizerUri, x.AuthorizerCredentials, x.AuthorizerResultTtlInSeconds, x.IdentitySource,
		x.IdentityValidationExpression, x.ProviderARNs,
	}, givenState("AuthorizerId", id), nil
}

func listAuthorizers(ctx context.Context, rq *resource.Request, known *authorizerProperties) ([]string, error) {
	items, err := pages(ctx, rq, api.GetAuthorizers, &api.GetAuthorizersRequest{RestApiId: &known.RestAPIID}, func(o *api.Authorizers) ([]api.Authorizer, *string) { return o.Items, o.Position },
		func(in *api.GetAuthorizersRequest, at *string) { in.Position = at })
	return identifiers(items, err, func(x *api.Authorizer) string { return known.RestAPIID + "|" + *x.Id })
}

func readDeployment(ctx context.Context, rq *resource.Request, id string, known *deploymentProperties) (*deploymentProperties, resource.State, error) {
	x, err := call.Do(ctx, rq.Caller, rq.As, api.GetDeployment, &api.GetDeploymentRequest{RestApiId: &known.RestAPIID, DeploymentId: &id})
	if err != nil {
		return found[deploymentProperties](nil, resource.State{}, err)
	}
	return &deploymentProperties{RestAPIID: known.RestAPIID, Description: x.Description}, givenState("DeploymentId", id), nil
}

func listDeployments(ctx context.Context, rq *resource.Request, known *deploymentProperties) ([]string, error) {
	items, err := pages(ctx, rq, api.GetDeployments, &api.GetDeploymentsRequest{RestApiId: &known.RestAPIID}, func(o *api.Deployments) ([]api.Deployment, *string) { return o.Items, o.Position },
		func(in *api.GetDeploymentsRequest, at *string) { in.Position = at })
	return identifiers(items, err, func(x *api.Deployment) string { return *x.Id + "|" + known.RestAPIID })
}

func readStage(ctx context.Context, rq *resource.Request, name string, known *stageProperties) (*stageProperties, resource.State, error) {
	x, err := call.Do(ctx, rq.Caller, rq.As, api.GetStage, &api.GetStageRequest{RestApiId: &known.RestAPIID, StageName: &name})
	if err != nil {
		return found[stageProperties](nil, resource.State{}, err)
	}
	p := &stageProperties{
		RestAPIID: known.RestAPIID, StageName: &name, DeploymentID: opt.Val(x.DeploymentId), Description: x.Description, Variables: x.Variables, TracingEnabled: x.TracingEnabled,
		CacheClusterEnabled: x.CacheClusterEnabled, CacheClusterSize: x.CacheClusterSize, DocumentationVersion: x.DocumentationVersion, ClientCertificateID: x.ClientCertificateId, Tags: tagProperties(x.Tags),
		MethodSettings: settingsOf(x.MethodSettings, known.MethodSettings),
	}
	if l := x.AccessLogSettings; l != nil {
		p.AccessLogSetting = &accessLogProperty{l.DestinationArn, l.Format}
	}
	if c := x.CanarySettings; c != nil {
		p.CanarySetting = &canaryProperty{c.DeploymentId, c.PercentTraffic, c.StageVariableOverrides, c.UseStageCache}
	}
	return p, resource.State{ID: name}, nil
}

// settingsOf turns the settings of methods into the property, in the words of known
// where that has them: a path may be written in several ways.
func settingsOf(all map[string]api.MethodSetting, known []methodSettingProperty) (out []methodSettingProperty) {
	for _, key := range slices.Sorted(maps.Keys(all)) {
		x, m := all[key], methodSettingProperty{}
		i := strings.LastIndexByte(key, '/')
		m.ResourcePath, m.HTTPMethod = new(unescape.Replace(key[:max(i, 0)])), new(key[i+1:])
		if *m.ResourcePath == "*" {
			*m.ResourcePath = "/*"
		}
		for _, k := range known {
			if k.key() == key {
				m.ResourcePath, m.HTTPMethod = k.ResourcePath, k.HTTPMethod
			}
		}
		m.MetricsEnabled, m.LoggingLevel, m.DataTraceEnabled = x.MetricsEnabled, x.LoggingLevel, x.DataTraceEnabled
		m.CachingEnabled, m.CacheTTLInSeconds, m.CacheDataEncrypted = x.CachingEnabled, x.CacheTtlInSeconds, x.CacheDataEncrypted
		if opt.Val(x.ThrottlingRateLimit) >= 0 { // -1 says that there is none
			m.ThrottlingRateLimit = x.ThrottlingRateLimit
		}
		if opt.Val(x.ThrottlingBurstLimit) >= 0 {
			m.ThrottlingBurstLimit = x.ThrottlingBurstLimit
		}
		out = append(out, m)
	}
	return out
}

func listStages(ctx context.Context, rq *resource.Request, known *stageProperties) (ids []string, err error) {
	out, err := call.Do(ctx, rq.Caller, rq.As, api.GetStages, &api.GetStagesRequest{RestApiId: &known.RestAPIID})
	if err != nil {
		return nil, unlessGone(err)
	}
	return identifiers(out.Item, nil, func(x *api.Stage) string { return known.RestAPIID + "|" + *x.StageName })
}
