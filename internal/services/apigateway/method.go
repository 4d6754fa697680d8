package apigateway

import (
	"context"

	"github.com/tierra-cloud/tierra/internal/call"
	api "github.com/tierra-cloud/tierra/internal/gen/apigateway"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/services/apigateway/definition"
)

func onMethod(id, resource, method *string, parts ...string) string {
	return below(id, append([]string{"resources", opt.Val(resource), "methods", opt.Val(method)}, parts...)...)
}

func (s *Service) methodBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.PutMethod, on(actionPut, func(in *api.PutMethodRequest) string { return onMethod(in.RestApiId, in.ResourceId, in.HttpMethod) }), s.putMethod),
		call.Bind(api.GetMethod, on(actionGet, func(in *api.GetMethodRequest) string { return onMethod(in.RestApiId, in.ResourceId, in.HttpMethod) }), s.getMethod),
		call.Bind(api.UpdateMethod, on(actionPatch, func(in *api.UpdateMethodRequest) string { return onMethod(in.RestApiId, in.ResourceId, in.HttpMethod) }), s.updateMethod),
		call.Bind(api.DeleteMethod, on(actionDelete, func(in *api.DeleteMethodRequest) string { return onMethod(in.RestApiId, in.ResourceId, in.HttpMethod) }), s.deleteMethod),
		call.Bind(api.PutMethodResponse, on(actionPut, func(in *api.PutMethodResponseRequest) string {
			return onMethod(in.RestApiId, in.ResourceId, in.HttpMethod, "responses", *in.StatusCode)
		}), s.putMethodResponse),
		call.Bind(api.GetMethodResponse, on(actionGet, func(in *api.GetMethodResponseRequest) string {
			return onMethod(in.RestApiId, in.ResourceId, in.HttpMethod, "responses", *in.StatusCode)
		}), s.getMethodResponse),
		call.Bind(api.UpdateMethodResponse, on(actionPatch, func(in *api.UpdateMethodResponseRequest) string {
			return onMethod(in.RestApiId, in.ResourceId, in.HttpMethod, "responses", *in.StatusCode)
		}), s.updateMethodResponse),
		call.Bind(api.DeleteMethodResponse, on(actionDelete, func(in *api.DeleteMethodResponseRequest) string {
			return onMethod(in.RestApiId, in.ResourceId, in.HttpMethod, "responses", *in.StatusCode)
		}), s.deleteMethodResponse),
	}
}

func findMethod(d *definition.API, resource, name *string) (*definition.Resource, *definition.Method, error) {
	r, err := findResource(d, opt.Val(resource))
	if err != nil {
		return nil, nil, err
	}
	if m := r.Methods[opt.Val(name)]; m != nil {
		return r, m, nil
	}
	return nil, nil, noMethod()
}

func findMethodResponse(d *definition.API, resource, name, status *string) (*definition.MethodResponse, error) {
	_, m, err := findMethod(d, resource, name)
	if err != nil {
		return nil, err
	}
	if r := m.Responses[opt.Val(status)]; r != nil {
		return r, nil
	}
	return nil, noResponse()
}

func methodAnswer(r *definition.Resource, name string, m *definition.Method) *api.Method {
	out := &api.Method{
		HttpMethod: &name, AuthorizationType: &m.Authorization, AuthorizerId: opt.NonZero(m.Authorizer), ApiKeyRequired: &m.KeyRequired, OperationName: opt.NonZero(m.Operation),
		RequestParameters: m.Parameters, RequestModels: m.Models, RequestValidatorId: opt.NonZero(m.Validator),
		AuthorizationScopes: m.Scopes,
	}
	for status, x := range m.Responses {
		if out.MethodResponses == nil {
			out.MethodResponses = map[string]api.MethodResponse{}
		}
		out.MethodResponses[status] = *methodResponseAnswer(status, x)
	}
	if m.Integration != nil {
		out.MethodIntegration = integrationAnswer(r, m.Integration)
	}
	return out
}

func methodResponseAnswer(status string, x *definition.MethodResponse) *api.MethodResponse {
	return &api.MethodResponse{StatusCode: &status, ResponseParameters: x.Parameters, ResponseModels: x.Models}
}

func (s *Service) putMethod(ctx context.Context, rq *call.Authorized, in *api.PutMethodRequest) (out *api.Method, err error) {
	err = refuseAny(
		given{"authorizationScopes with the authorization type " + *in.AuthorizationType, len(in.AuthorizationScopes) > 0 && *in.AuthorizationType != definition.CognitoAuthorization},
		given{"authorizerId with the authorization type " + *in.AuthorizationType, opt.Val(in.AuthorizerId) != "" && !asks(*in.AuthorizationType)},
	)
	if err != nil {
		return nil, err
	}
	err = s.edit(ctx, rq, *in.RestApiId, func(d *definition.API) error {
		r, err := findResource(d, *in.ResourceId)
		if err != nil {
			return err
		}
		if err := definition.CheckHTTPMethod(*in.HttpMethod); err != nil {
			return err
		}
		if err := definition.CheckParameters(in.RequestParameters); err != nil {
			return err
		}
		m := &definition.Method{
			Authorization: *in.AuthorizationType, Authorizer: opt.Val(in.AuthorizerId), Scopes: in.AuthorizationScopes, KeyRequired: opt.Val(in.ApiKeyRequired), Operation: opt.Val(in.OperationName), Validator: opt.Val(in.RequestValidatorId),
			Parameters: in.RequestParameters, Models: in.RequestModels,
		}
		if err := d.CheckAuthorization(m); err != nil {
			return err
		}
		if r.Methods[*in.HttpMethod] != nil {
			return api.ConflictException("Method already exists for this resource")
		}
		if err := checkModels(d, in.RequestModels); err != nil {
			return err
		}
		if err := checkValidator(d, m.Validator); err != nil {
			return err
		}
		if r.Methods == nil {
			r.Methods = map[string]*definition.Method{}
		}
		r.Methods[*in.HttpMethod] = m
		out = methodAnswer(r, *in.HttpMethod, m)
		return nil
	})
	return out, err
}

func (s *Service) getMethod(ctx context.Context, rq *call.Authorized, in *api.GetMethodRequest) (out *api.Method, err error) {
	err = s.view(ctx, rq, *in.RestApiId, func(d *definition.API) error {
		r, m, err := findMethod(d, in.ResourceId, in.HttpMethod)
		if err == nil {
			out = methodAnswer(r, *in.HttpMethod, m)
		}
		return err
	})
	return out, err
}

func (s *Service) updateMethod(ctx context.Context, rq *call.Authorized, in *api.UpdateMethodRequest) (out *api.Method, err error) {
	err = s.edit(ctx, rq, *in.RestApiId, func(d *definition.API) error {
		r, m, err := findMethod(d, in.ResourceId, in.HttpMethod)
		if err != nil {
			return err
		}
		e := edits{
			"replace /operationName":      text(&m.Operation),
			"replace /authorizationType":  text(&m.Authorization),
			"replace /authorizerId":       text(&m.Authorizer),
			"replace /requestValidatorId": text(&m.Validator),
			"add /requestValidatorId":     text(&m.Validator),
			"remove /requestValidatorId":  func(_, _ string) error { m.Validator = ""; return nil },
			"add /authorizerId":           text(&m.Authorizer),
			"remove /authorizerId":        func(_, _ string) error { m.Authorizer = ""; return nil },
			"replace /apiKeyRequired":     boolean(&m.KeyRequired),
		}
		e.flags("/requestParameters", &m.Parameters)
		e.entries("/requestModels", &m.Models)
		listEdits(e, "/authorizationScopes", &m.Scopes)
		if err := e.apply(in.PatchOperations); err != nil {
			return err
		}
		if err := definition.CheckParameters(m.Parameters); err != nil {
			return err
		}
		if !asks(m.Authorization) {
			m.Authorizer = ""
		}
		if m.Authorization != definition.CognitoAuthorization {
			m.Scopes = nil
		}
		if err := d.CheckAuthorization(m); err != nil {
			return err
		}
		if err := checkValidator(d, m.Validator); err != nil {
			return err
		}
		out = methodAnswer(r, *in.HttpMethod, m)
		return checkModels(d, m.Models)
	})
	return out, err
}

func (s *Service) deleteMethod(ctx context.Context, rq *call.Authorized, in *api.DeleteMethodRequest) (*call.None, error) {
	return &call.None{}, s.edit(ctx, rq, *in.RestApiId, func(d *definition.API) error {
		r, _, err := findMethod(d, in.ResourceId, in.HttpMethod)
		if err == nil {
			delete(r.Methods, *in.HttpMethod)
		}
		return err
	})
}

func (s *Service) putMethodResponse(ctx context.Context, rq *call.Authorized, in *api.PutMethodResponseRequest) (out *api.MethodResponse, err error) {
	err = s.edit(ctx, rq, *in.RestApiId, func(d *definition.API) error {
		_, m, err := findMethod(d, in.ResourceId, in.HttpMethod)
		if err != nil {
			return err
		}
		if err := definition.CheckStatus(*in.StatusCode); err != nil {
			return err
		}
		if err := definition.CheckResponseParameters(in.ResponseParameters); err != nil {
			return err
		}
		if err := checkModels(d, in.ResponseModels); err != nil {
			return err
		}
		if m.Responses[*in.StatusCode] != nil {
			return api.ConflictException("Response already exists for this resource")
		}
		if m.Responses == nil {
			m.Responses = map[string]*definition.MethodResponse{}
		}
		x := &definition.MethodResponse{Parameters: in.ResponseParameters, Models: in.ResponseModels}
		m.Responses[*in.StatusCode] = x
		out = methodResponseAnswer(*in.StatusCode, x)
		return nil
	})
	return out, err
}

func (s *Service) getMethodResponse(ctx context.Context, rq *call.Authorized, in *api.GetMethodResponseRequest) (out *api.MethodResponse, err error) {
	err = s.view(ctx, rq, *in.RestApiId, func(d *definition.API) error {
		x, err := findMethodResponse(d, in.ResourceId, in.HttpMethod, in.StatusCode)
		if err == nil {
			out = methodResponseAnswer(*in.StatusCode, x)
		}
		return err
	})
	return out, err
}

func (s *Service) updateMethodResponse(ctx context.Context, rq *call.Authorized, in *api.UpdateMethodResponseRequest) (out *api.MethodResponse, err error) {
	err = s.edit(ctx, rq, *in.RestApiId, func(d *definition.API) error {
		x, err := findMethodResponse(d, in.ResourceId, in.HttpMethod, in.StatusCode)
		if err != nil {
			return err
		}
		e := edits{}
		e.flags("/responseParameters", &x.Parameters)
		e.entries("/responseModels", &x.Models)
		if err := e.apply(in.PatchOperations); err != nil {
			return err
		}
		if err := definition.CheckResponseParameters(x.Parameters); err != nil {
			return err
		}
		out = methodResponseAnswer(*in.StatusCode, x)
		return checkModels(d, x.Models)
	})
	return out, err
}

func (s *Service) deleteMethodResponse(ctx context.Context, rq *call.Authorized, in *api.DeleteMethodResponseRequest) (*call.None, error) {
	return &call.None{}, s.edit(ctx, rq, *in.RestApiId, func(d *definition.API) error {
		_, m, err := findMethod(d, in.ResourceId, in.HttpMethod)
		if err != nil {
			return err
		}
		if m.Responses[*in.StatusCode] == nil {
			return noResponse()
		}
		delete(m.Responses, *in.StatusCode)
		return nil
	})
}
