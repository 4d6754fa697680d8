package apigateway

import (
	"context"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/resource"
	api "github.com/tierra-cloud/tierra/internal/gen/apigateway"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

// What stands before APIs and beside them, as it is: keys, plans, domains, gateway
// responses, documentation.

func readAPIKey(ctx context.Context, rq *resource.Request, id string, _ *apiKeyProperties) (*apiKeyProperties, resource.State, error) {
	x, err := call.Do(ctx, rq.Caller, rq.As, api.GetApiKey, &api.GetApiKeyRequest{ApiKey: &id, IncludeValue: new(true)})
	if err != nil {
		return found[apiKeyProperties](nil, resource.State{}, err)
	}
	return &apiKeyProperties{Name: x.Name, Description: x.Description, CustomerID: x.CustomerId, Enabled: x.Enabled, Value: x.Value, Tags: tagProperties(x.Tags)}, givenState("APIKeyId", id), nil
}

func listAPIKeys(ctx context.Context, rq *resource.Request, _ *apiKeyProperties) ([]string, error) {
	items, err := pages(ctx, rq, api.GetApiKeys, &api.GetApiKeysRequest{}, func(o *api.ApiKeys) ([]api.ApiKey, *string) { return o.Items, o.Position },
		func(in *api.GetApiKeysRequest, at *string) { in.Position = at })
	return identifiers(items, err, func(x *api.ApiKey) string { return *x.Id })
}

func throttleRead(t *api.ThrottleSettings) *throttleProperty {
	if t == nil {
		return nil
	}
	return &throttleProperty{t.RateLimit, t.BurstLimit}
}

func readPlan(ctx context.Context, rq *resource.Request, id string, _ *planProperties) (*planProperties, resource.State, error) {
	x, err := call.Do(ctx, rq.Caller, rq.As, api.GetUsagePlan, &api.GetUsagePlanRequest{UsagePlanId: &id})
	if err != nil {
		return found[planProperties](nil, resource.State{}, err)
	}
	p := &planProperties{UsagePlanName: x.Name, Description: x.Description, Throttle: throttleRead(x.Throttle), Tags: tagProperties(x.Tags)}
	if q := x.Quota; q != nil {
		p.Quota = &quotaProperty{q.Limit, q.Offset, q.Period}
	}
	for _, st := range x.ApiStages {
		stage := planStageProperty{APIID: st.ApiId, Stage: st.Stage}
		for k, t := range st.Throttle {
			if stage.Throttle == nil {
				stage.Throttle = map[string]throttleProperty{}
			}
			stage.Throttle[k] = *throttleRead(&t)
		}
		p.APIStages = append(p.APIStages, stage)
	}
	return p, givenState("Id", id), nil
}

func listPlans(ctx context.Context, rq *resource.Request, _ *planProperties) ([]string, error) {
	items, err := pages(ctx, rq, api.GetUsagePlans, &api.GetUsagePlansRequest{}, func(o *api.UsagePlans) ([]api.UsagePlan, *string) { return o.Items, o.Position },
		func(in *api.GetUsagePlansRequest, at *string) { in.Position = at })
	return identifiers(items, err, func(x *api.UsagePlan) string { return *x.Id })
}

// readPlanKey reads by the id that a key has in a plan: "KEY:PLAN".
func readPlanKey(ctx context.Context, rq *resource.Request, id string, _ *planKeyProperties) (*planKeyProperties, resource.State, error) {
	key, plan, ok := strings.Cut(id, ":")
	if !ok {
		return nil, resource.State{}, nil
	}
	x, err := call.Do(ctx, rq.Caller, rq.As, api.GetUsagePlanKey, &api.GetUsagePlanKeyRequest{UsagePlanId: &plan, KeyId: &key})
	if err != nil {
		return found[planKeyProperties](nil, resource.State{}, err)
	}
	p := &planKeyProperties{plan, key, opt.Val(x.Type)}
	return p, p.state(), nil
}

func listPlanKeys(ctx context.Context, rq *resource.Request, known *planKeyProperties) (ids []string, err error) {
	plans := []string{known.UsagePlanID}
	if known.UsagePlanID == "" {
		if plans, err = listPlans(ctx, rq, nil); err != nil {
			return nil, err
		}
	}
	for _, plan := range plans {
		items, err := pages(ctx, rq, api.GetUsagePlanKeys, &api.GetUsagePlanKeysRequest{UsagePlanId: &plan}, func(o *api.UsagePlanKeys) ([]api.UsagePlanKey, *string) { return o.Items, o.Position },
			func(in *api.GetUsagePlanKeysRequest, at *string) { in.Position = at })
		if err != nil {
			return nil, err
		}
		for _, x := range items {
			ids = append(ids, *x.Id+":"+plan)
		}
	}
	return ids, nil
}

func readDomain(ctx context.Context, rq *resource.Request, name string, _ *domainProperties) (*domainProperties, resource.State, error) {
	x, err := call.Do(ctx, rq.Caller, rq.As, api.GetDomainName, &api.GetDomainNameRequest{DomainName: &name})
	if err != nil {
		return found[domainProperties](nil, resource.State{}, err)
	}
	p := &domainProperties{
		DomainName: *x.DomainName, CertificateARN: x.CertificateArn, RegionalCertificateARN: x.RegionalCertificateArn, EndpointConfiguration: endpoints(x.EndpointConfiguration),
		EndpointAccessMode: x.EndpointAccessMode, SecurityPolicy: x.SecurityPolicy, OwnershipVerificationCertificateARN: x.OwnershipVerificationCertificateArn,
		RoutingMode: x.RoutingMode, Tags: tagProperties(x.Tags),
	}
	if m := x.MutualTlsAuthentication; m != nil {
		p.MutualTLSAuthentication = &mutualProperties{m.TruststoreUri, m.TruststoreVersion}
	}
	return p, domainState(x), nil
}

func listDomains(ctx context.Context, rq *resource.Request, _ *domainProperties) ([]string, error) {
	items, err := pages(ctx, rq, api.GetDomainNames, &api.GetDomainNamesRequest{}, func(o *api.DomainNames) ([]api.DomainName, *string) { return o.Items, o.Position },
		func(in *api.GetDomainNamesRequest, at *string) { in.Position = at })
	return identifiers(items, err, func(x *api.DomainName) string { return *x.DomainName })
}

func readMapping(ctx context.Context, rq *resource.Request, _ string, known *basePathProperties) (*basePathProperties, resource.State, error) {
	x, err := call.Do(ctx, rq.Caller, rq.As, api.GetBasePathMapping, &api.GetBasePathMappingRequest{DomainName: &known.DomainName, BasePath: known.path()})
	if err != nil {
		return found[basePathProperties](nil, resource.State{}, err)
	}
	p := &basePathProperties{known.DomainName, known.BasePath, x.RestApiId, x.Stage}
	if p.BasePath == nil || *p.BasePath != "" {
		p.BasePath = x.BasePath
	}
	return p, mappingState(p), nil
}

func listMappings(ctx context.Context, rq *resource.Request, known *basePathProperties) ([]string, error) {
	items, err := pages(ctx, rq, api.GetBasePathMappings, &api.GetBasePathMappingsRequest{DomainName: &known.DomainName}, func(o *api.BasePathMappings) ([]api.BasePathMapping, *string) { return o.Items, o.Position },
		func(in *api.GetBasePathMappingsRequest, at *string) { in.Position = at })
	return identifiers(items, err, func(x *api.BasePathMapping) string { return known.DomainName + "|" + *x.BasePath })
}

// readGateway reads by the id that a response of an API has: "API|TYPE".
func readGateway(ctx context.Context, rq *resource.Request, id string, _ *gatewayProperties) (*gatewayProperties, resource.State, error) {
	of, kind, ok := strings.Cut(id, "|")
	if !ok {
		return nil, resource.State{}, nil
	}
	x, err := call.Do(ctx, rq.Caller, rq.As, api.GetGatewayResponse, &api.GetGatewayResponseRequest{RestApiId: &of, ResponseType: &kind})
	if err != nil || opt.Val(x.DefaultResponse) { // the platform's own is nobody's
		return found[gatewayProperties](nil, resource.State{}, err)
	}
	return &gatewayProperties{of, kind, x.StatusCode, x.ResponseParameters, x.ResponseTemplates}, givenState("Id", id), nil
}

func listGateways(ctx context.Context, rq *resource.Request, known *gatewayProperties) (ids []string, err error) {
	apis := []string{known.RestAPIID}
	if known.RestAPIID == "" {
		if apis, err = listRestAPIs(ctx, rq, nil); err != nil {
			return nil, err
		}
	}
	for _, of := range apis {
		out, err := call.Do(ctx, rq.Caller, rq.As, api.GetGatewayResponses, &api.GetGatewayResponsesRequest{RestApiId: &of})
		if err != nil {
			return nil, unlessGone(err)
		}
		for _, x := range out.Items {
			if !opt.Val(x.DefaultResponse) {
				ids = append(ids, of+"|"+*x.ResponseType)
			}
		}
	}
	return ids, nil
}

func readAccount(ctx context.Context, rq *resource.Request, id string, _ *accountProperties) (*accountProperties, resource.State, error) {
	x, err := call.Do(ctx, rq.Caller, rq.As, api.GetAccount, &api.GetAccountRequest{})
	if err != nil || id != rq.Account {
		return nil, resource.State{}, err
	}
	return &accountProperties{opt.NonZero(opt.Val(x.CloudwatchRoleArn))}, givenState("Id", id), nil
}

func listAccounts(_ context.Context, rq *resource.Request, _ *accountProperties) ([]string, error) {
	return []string{rq.Account}, nil
}

func readPart(ctx context.Context, rq *resource.Request, id string, known *partProperties) (*partProperties, resource.State, error) {
	x, err := call.Do(ctx, rq.Caller, rq.As, api.GetDocumentationPart, &api.GetDocumentationPartRequest{RestApiId: &known.RestAPIID, DocumentationPartId: &id})
	if err != nil {
		return found[partProperties](nil, resource.State{}, err)
	}
	l := x.Location
	return &partProperties{known.RestAPIID, locationProperty{l.Type, l.Path, l.Method, l.StatusCode, l.Name}, opt.Val(x.Properties)}, partState(&id), nil
}

func listParts(ctx context.Context, rq *resource.Request, known *partProperties) ([]string, error) {
	items, err := pages(ctx, rq, api.GetDocumentationParts, &api.GetDocumentationPartsRequest{RestApiId: &known.RestAPIID}, func(o *api.DocumentationParts) ([]api.DocumentationPart, *string) { return o.Items, o.Position },
		func(in *api.GetDocumentationPartsRequest, at *string) { in.Position = at })
	return identifiers(items, err, func(x *api.DocumentationPart) string { return *x.Id + "|" + known.RestAPIID })
}

// readDocVersion has no listing beside it: the identifier begins with the version, which
// a listing would be asked for.
func readDocVersion(ctx context.Context, rq *resource.Request, _ string, known *docVersionProperties) (*docVersionProperties, resource.State, error) {
	x, err := call.Do(ctx, rq.Caller, rq.As, api.GetDocumentationVersion, &api.GetDocumentationVersionRequest{RestApiId: &known.RestAPIID, DocumentationVersion: &known.Version})
	if err != nil {
		return found[docVersionProperties](nil, resource.State{}, err)
	}
	return &docVersionProperties{known.RestAPIID, known.Version, x.Description}, resource.State{ID: known.Version}, nil
}
