package apigateway

import (
	"context"
	"slices"
	"strconv"

	"github.com/tierra-cloud/tierra/internal/call"
	api "github.com/tierra-cloud/tierra/internal/gen/apigateway"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/services/apigateway/definition"
)

func (s *Service) integrationBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.PutIntegration, call.Rule(putIntegrationNeeds, actionPut, "iam:PassRole"), s.putIntegration),
		call.Bind(api.GetIntegration, on(actionGet, func(in *api.GetIntegrationRequest) string {
			return onMethod(in.RestApiId, in.ResourceId, in.HttpMethod, "integration")
		}), s.getIntegration),
		call.Bind(api.UpdateIntegration, call.Rule(updateIntegrationNeeds, actionPatch, "iam:PassRole"), s.updateIntegration),
		call.Bind(api.DeleteIntegration, on(actionDelete, func(in *api.DeleteIntegrationRequest) string {
			return onMethod(in.RestApiId, in.ResourceId, in.HttpMethod, "integration")
		}), s.deleteIntegration),
		call.Bind(api.PutIntegrationResponse, on(actionPut, func(in *api.PutIntegrationResponseRequest) string {
			return onMethod(in.RestApiId, in.ResourceId, in.HttpMethod, "integration", "responses", *in.StatusCode)
		}), s.putIntegrationResponse),
		call.Bind(api.GetIntegrationResponse, on(actionGet, func(in *api.GetIntegrationResponseRequest) string {
			return onMethod(in.RestApiId, in.ResourceId, in.HttpMethod, "integration", "responses", *in.StatusCode)
		}), s.getIntegrationResponse),
		call.Bind(api.UpdateIntegrationResponse, on(actionPatch, func(in *api.UpdateIntegrationResponseRequest) string {
			return onMethod(in.RestApiId, in.ResourceId, in.HttpMethod, "integration", "responses", *in.StatusCode)
		}), s.updateIntegrationResponse),
		call.Bind(api.DeleteIntegrationResponse, on(actionDelete, func(in *api.DeleteIntegrationResponseRequest) string {
			return onMethod(in.RestApiId, in.ResourceId, in.HttpMethod, "integration", "responses", *in.StatusCode)
		}), s.deleteIntegrationResponse),
	}
}

// servicePrincipal is who invokes functions and assumes integration roles.
const servicePrincipal = "apigateway.amazonaws.com"

// passRole is the need to hand a role to the service.
func passRole(role string) call.Need {
	return call.Need{Action: "iam:PassRole", Resource: role, Keys: map[string][]string{"iam:passedtoservice": {servicePrincipal}}}
}

func putIntegrationNeeds(_ context.Context, rq *call.Decoded, in *api.PutIntegrationRequest) ([]call.Need, error) {
	needs := []call.Need{{Action: actionPut, Resource: resourceARN(rq.Region(), onMethod(in.RestApiId, in.ResourceId, in.HttpMethod, "integration"))}}
	if c := opt.Val(in.Credentials); c != "" {
		needs = append(needs, passRole(c))
	}
	return needs, nil
}

func updateIntegrationNeeds(_ context.Context, rq *call.Decoded, in *api.UpdateIntegrationRequest) ([]call.Need, error) {
	needs := []call.Need{{Action: actionPatch, Resource: resourceARN(rq.Region(), onMethod(in.RestApiId, in.ResourceId, in.HttpMethod, "integration"))}}
	for _, p := range in.PatchOperations {
		if opt.Val(p.Path) == "/credentials" && opt.Val(p.Value) != "" {
			needs = append(needs, passRole(*p.Value))
		}
	}
	return needs, nil
}

func findIntegration(d *definition.API, resource, name *string) (*definition.Resource, *definition.Method, error) {
	r, m, err := findMethod(d, resource, name)
	if err == nil && m.Integration == nil {
		err = noIntegration()
	}
	return r, m, err
}

func integrationAnswer(r *definition.Resource, i *definition.Integration) *api.Integration {
	out := &api.Integration{
		Type: &i.Type, HttpMethod: opt.NonZero(i.HTTPMethod), Uri: opt.NonZero(i.URI), Credentials: opt.NonZero(i.Credentials),
		RequestTemplates: i.Templates, PassthroughBehavior: new(i.PassthroughBehavior()), TimeoutInMillis: new(i.TimeoutMillis()),
		CacheNamespace: new(i.Namespace(r)), CacheKeyParameters: i.CacheKeys, RequestParameters: i.Parameters, ContentHandling: opt.NonZero(i.Convert),
	}
	if i.Stream {
		out.ResponseTransferMode = new(api.ResponseTransferModeStream)
	}
	for status, x := range i.Responses {
		if out.IntegrationResponses == nil {
			out.IntegrationResponses = map[string]api.IntegrationResponse{}
		}
		out.IntegrationResponses[status] = *integrationResponseAnswer(status, x)
	}
	return out
}

func integrationResponseAnswer(status string, x *definition.IntegrationResponse) *api.IntegrationResponse {
	return &api.IntegrationResponse{StatusCode: &status, SelectionPattern: x.Pattern, ResponseParameters: x.Parameters, ResponseTemplates: x.Templates, ContentHandling: opt.NonZero(x.Convert)}
}

func (s *Service) putIntegration(ctx context.Context, rq *call.Authorized, in *api.PutIntegrationRequest) (out *api.Integration, err error) {
	err = refuseAny(
		given{"connectionType VPC_LINK", opt.Val(in.ConnectionType) == api.ConnectionTypeVpcLink}, given{"connectionId", in.ConnectionId != nil},
		given{"tlsConfig", in.TlsConfig != nil}, given{"integrationTarget", in.IntegrationTarget != nil},
	)
	if err != nil {
		return nil, err
	}
	i := &definition.Integration{
		Type: *in.Type, HTTPMethod: opt.Val(in.IntegrationHttpMethod), URI: opt.Val(in.Uri), Credentials: opt.Val(in.Credentials),
		Templates: in.RequestTemplates, Passthrough: opt.Val(in.PassthroughBehavior), Timeout: opt.Val(in.TimeoutInMillis),
		Parameters: in.RequestParameters, Convert: opt.Val(in.ContentHandling), CacheNamespace: opt.Val(in.CacheNamespace), CacheKeys: in.CacheKeyParameters,
		Stream: opt.Val(in.ResponseTransferMode) == api.ResponseTransferModeStream,
	}
	if in.TimeoutInMillis != nil && *in.TimeoutInMillis == 0 {
		i.Timeout = -1 // out of range, unlike an absent one
	}
	err = s.edit(ctx, rq, *in.RestApiId, func(d *definition.API) error {
		r, m, err := findMethod(d, in.ResourceId, in.HttpMethod)
		if err != nil {
			return err
		}
		if err := i.Check(); err != nil {
			return err
		}
		if err := m.CheckDeclared(i); err != nil {
			return err
		}
		m.Integration = i
		out = integrationAnswer(r, i)
		return nil
	})
	return out, err
}

func (s *Service) getIntegration(ctx context.Context, rq *call.Authorized, in *api.GetIntegrationRequest) (out *api.Integration, err error) {
	err = s.view(ctx, rq, *in.RestApiId, func(d *definition.API) error {
		r, m, err := findIntegration(d, in.ResourceId, in.HttpMethod)
		if err == nil {
			out = integrationAnswer(r, m.Integration)
		}
		return err
	})
	return out, err
}

func (s *Service) updateIntegration(ctx context.Context, rq *call.Authorized, in *api.UpdateIntegrationRequest) (out *api.Integration, err error) {
	err = s.edit(ctx, rq, *in.RestApiId, func(d *definition.API) error {
		r, m, err := findIntegration(d, in.ResourceId, in.HttpMethod)
		if err != nil {
			return err
		}
		i := m.Integration
		e := edits{
			"replace /uri": text(&i.URI), "replace /httpMethod": text(&i.HTTPMethod), "replace /credentials": text(&i.Credentials),
			"replace /passthroughBehavior": text(&i.Passthrough), "replace /type": text(&i.Type), "replace /contentHandling": text(&i.Convert),
			"replace /timeoutInMillis": func(_, v string) error {
				n, err := strconv.ParseInt(v, 10, 32)
				if err != nil || n == 0 {
					n = -1
				}
				i.Timeout = int32(n)
				return nil
			},
			"remove /credentials":     func(_, _ string) error { i.Credentials = ""; return nil },
			"remove /contentHandling": func(_, _ string) error { i.Convert = ""; return nil },
			"replace /responseTransferMode": func(_, v string) error {
				if v != api.ResponseTransferModeStream && v != api.ResponseTransferModeBuffered {
					return api.BadRequestException("Invalid response transfer mode specified: %s", v)
				}
				i.Stream = v == api.ResponseTransferModeStream
				return nil
			},
			"replace /cacheNamespace": text(&i.CacheNamespace),
			"remove /cacheNamespace":  func(_, _ string) error { i.CacheNamespace = ""; return nil },
			"add /cacheKeyParameters/*": func(name, _ string) error {
				if !slices.Contains(i.CacheKeys, name) {
					i.CacheKeys = append(i.CacheKeys, name)
				}
				return nil
			},
			"remove /cacheKeyParameters/*": func(name, _ string) error {
				i.CacheKeys = slices.DeleteFunc(i.CacheKeys, func(k string) bool { return k == name })
				return nil
			},
		}
		e.entries("/requestTemplates", &i.Templates)
		e.entries("/requestParameters", &i.Parameters)
		err = e.apply(in.PatchOperations, "/connection", "/tlsConfig", "/integrationTarget")
		if err != nil {
			return err
		}
		if err := m.CheckDeclared(i); err != nil {
			return err
		}
		out = integrationAnswer(r, i)
		return i.Check()
	})
	return out, err
}

func (s *Service) deleteIntegration(ctx context.Context, rq *call.Authorized, in *api.DeleteIntegrationRequest) (*call.None, error) {
	return &call.None{}, s.edit(ctx, rq, *in.RestApiId, func(d *definition.API) error {
		_, m, err := findIntegration(d, in.ResourceId, in.HttpMethod)
		if err == nil {
			m.Integration = nil
		}
		return err
	})
}

func (s *Service) putIntegrationResponse(ctx context.Context, rq *call.Authorized, in *api.PutIntegrationResponseRequest) (out *api.IntegrationResponse, err error) {
	x := &definition.IntegrationResponse{Pattern: in.SelectionPattern, Parameters: in.ResponseParameters, Templates: in.ResponseTemplates, Convert: opt.Val(in.ContentHandling)}
	err = s.edit(ctx, rq, *in.RestApiId, func(d *definition.API) error {
		_, m, err := findIntegration(d, in.ResourceId, in.HttpMethod)
		if err != nil {
			return err
		}
		if m.Responses[*in.StatusCode] == nil {
			return noResponse()
		}
		if err := m.CheckMapped(*in.StatusCode, x); err != nil {
			return err
		}
		if m.Integration.Responses == nil {
			m.Integration.Responses = map[string]*definition.IntegrationResponse{}
		}
		m.Integration.Responses[*in.StatusCode] = x
		out = integrationResponseAnswer(*in.StatusCode, x)
		return nil
	})
	return out, err
}

func findIntegrationResponse(d *definition.API, resource, name, status *string) (*definition.Method, *definition.IntegrationResponse, error) {
	_, m, err := findIntegration(d, resource, name)
	if err != nil {
		return nil, nil, err
	}
	if x := m.Integration.Responses[opt.Val(status)]; x != nil {
		return m, x, nil
	}
	return nil, nil, noResponse()
}

func (s *Service) getIntegrationResponse(ctx context.Context, rq *call.Authorized, in *api.GetIntegrationResponseRequest) (out *api.IntegrationResponse, err error) {
	err = s.view(ctx, rq, *in.RestApiId, func(d *definition.API) error {
		_, x, err := findIntegrationResponse(d, in.ResourceId, in.HttpMethod, in.StatusCode)
		if err == nil {
			out = integrationResponseAnswer(*in.StatusCode, x)
		}
		return err
	})
	return out, err
}

func (s *Service) updateIntegrationResponse(ctx context.Context, rq *call.Authorized, in *api.UpdateIntegrationResponseRequest) (out *api.IntegrationResponse, err error) {
	err = s.edit(ctx, rq, *in.RestApiId, func(d *definition.API) error {
		m, x, err := findIntegrationResponse(d, in.ResourceId, in.HttpMethod, in.StatusCode)
		if err != nil {
			return err
		}
		e := edits{
			"replace /selectionPattern": func(_, v string) error { x.Pattern = &v; return nil },
			"remove /selectionPattern":  func(_, _ string) error { x.Pattern = nil; return nil },
			"replace /contentHandling":  text(&x.Convert),
			"remove /contentHandling":   func(_, _ string) error { x.Convert = ""; return nil },
		}
		e.entries("/responseParameters", &x.Parameters)
		e.entries("/responseTemplates", &x.Templates)
		if err := e.apply(in.PatchOperations); err != nil {
			return err
		}
		out = integrationResponseAnswer(*in.StatusCode, x)
		return m.CheckMapped(*in.StatusCode, x)
	})
	return out, err
}

func (s *Service) deleteIntegrationResponse(ctx context.Context, rq *call.Authorized, in *api.DeleteIntegrationResponseRequest) (*call.None, error) {
	return &call.None{}, s.edit(ctx, rq, *in.RestApiId, func(d *definition.API) error {
		m, _, err := findIntegrationResponse(d, in.ResourceId, in.HttpMethod, in.StatusCode)
		if err == nil {
			delete(m.Integration.Responses, *in.StatusCode)
		}
		return err
	})
}
