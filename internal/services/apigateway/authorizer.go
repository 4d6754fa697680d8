package apigateway

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	api "github.com/tierra-cloud/tierra/internal/gen/apigateway"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/services/apigateway/definition"
)

// Like methods, authorizers are part of the definition: a change acts from the
// next deployment on.

func onAuthorizer(id, authorizer *string) string {
	return below(id, "authorizers", opt.Val(authorizer))
}

func (s *Service) authorizerBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.CreateAuthorizer, call.Rule(func(_ context.Context, rq *call.Decoded, in *api.CreateAuthorizerRequest) ([]call.Need, error) {
			needs := []call.Need{{Action: actionPost, Resource: resourceARN(rq.Region(), below(in.RestApiId, "authorizers"))}}
			if c := opt.Val(in.AuthorizerCredentials); c != "" {
				needs = append(needs, passRole(c))
			}
			return needs, nil
		}, actionPost, "iam:PassRole"), s.createAuthorizer),
		call.Bind(api.GetAuthorizer, on(actionGet, func(in *api.GetAuthorizerRequest) string { return onAuthorizer(in.RestApiId, in.AuthorizerId) }), s.getAuthorizer),
		call.Bind(api.GetAuthorizers, on(actionGet, func(in *api.GetAuthorizersRequest) string { return below(in.RestApiId, "authorizers") }), s.getAuthorizers),
		call.Bind(api.UpdateAuthorizer, call.Rule(func(_ context.Context, rq *call.Decoded, in *api.UpdateAuthorizerRequest) ([]call.Need, error) {
			needs := []call.Need{{Action: actionPatch, Resource: resourceARN(rq.Region(), onAuthorizer(in.RestApiId, in.AuthorizerId))}}
			for _, p := range in.PatchOperations {
				if opt.Val(p.Path) == "/authorizerCredentials" && opt.Val(p.Value) != "" {
					needs = append(needs, passRole(*p.Value))
				}
			}
			return needs, nil
		}, actionPatch, "iam:PassRole"), s.updateAuthorizer),
		call.Bind(api.DeleteAuthorizer, on(actionDelete, func(in *api.DeleteAuthorizerRequest) string { return onAuthorizer(in.RestApiId, in.AuthorizerId) }), s.deleteAuthorizer),
		call.Bind(api.TestInvokeAuthorizer, on(actionPost, func(in *api.TestInvokeAuthorizerRequest) string {
			return onAuthorizer(in.RestApiId, in.AuthorizerId)
		}), s.testInvokeAuthorizer),
		call.Bind(api.FlushStageAuthorizersCache, on(actionDelete, func(in *api.FlushStageAuthorizersCacheRequest) string {
			return below(in.RestApiId, "stages", *in.StageName, "cache", "authorizers")
		}), s.flushStageAuthorizersCache),
	}
}

func findAuthorizer(d *definition.API, id *string) (*definition.Authorizer, error) {
	if a := d.Authorizers[opt.Val(id)]; a != nil {
		return a, nil
	}
	return nil, api.NotFoundException("Invalid Authorizer identifier specified")
}

func authorizerAnswer(a *definition.Authorizer) *api.Authorizer {
	return &api.Authorizer{
		Id: &a.ID, Name: &a.Name, Type: &a.Type, AuthType: new(opt.Or(opt.NonZero(a.AuthType), defaultAuthType(a))), AuthorizerUri: opt.NonZero(a.URI), ProviderARNs: a.Providers,
		AuthorizerCredentials: opt.NonZero(a.Credentials), IdentitySource: opt.NonZero(a.Identity),
		IdentityValidationExpression: opt.NonZero(a.Validation), AuthorizerResultTtlInSeconds: new(a.Seconds()),
	}
}

func defaultAuthType(a *definition.Authorizer) string {
	if a.Type == definition.CognitoAuthorizer {
		return "cognito_user_pools"
	}
	return "custom"
}

// checkAuthorizer checks an authorizer among the others.
func (s *Service) checkAuthorizer(d *definition.API, a *definition.Authorizer) error {
	if err := a.Check(); err != nil {
		return err
	}
	if err := s.checkIssuers(a); err != nil {
		return err
	}
	if o := d.AuthorizerNamed(a.Name); o != nil && o.ID != a.ID {
		return api.BadRequestException("Authorizer name must be unique. Authorizer name %s already exists in this RestApi.", a.Name)
	}
	return nil
}

func (s *Service) createAuthorizer(ctx context.Context, rq *call.Authorized, in *api.CreateAuthorizerRequest) (out *api.Authorizer, err error) {
	a := &definition.Authorizer{
		ID: s.newID(), Name: *in.Name, Type: *in.Type, AuthType: opt.Val(in.AuthType), URI: opt.Val(in.AuthorizerUri), Providers: in.ProviderARNs,
		Credentials: opt.Val(in.AuthorizerCredentials), Identity: opt.Val(in.IdentitySource),
		Validation: opt.Val(in.IdentityValidationExpression), TTL: in.AuthorizerResultTtlInSeconds,
	}
	err = s.edit(ctx, rq, *in.RestApiId, func(d *definition.API) error {
		if err := s.checkAuthorizer(d, a); err != nil {
			return err
		}
		if d.Authorizers == nil {
			d.Authorizers = map[string]*definition.Authorizer{}
		}
		d.Authorizers[a.ID] = a
		out = authorizerAnswer(a)
		return nil
	})
	return out, err
}

func (s *Service) getAuthorizer(ctx context.Context, rq *call.Authorized, in *api.GetAuthorizerRequest) (out *api.Authorizer, err error) {
	err = s.view(ctx, rq, *in.RestApiId, func(d *definition.API) error {
		a, err := findAuthorizer(d, in.AuthorizerId)
		if err == nil {
			out = authorizerAnswer(a)
		}
		return err
	})
	return out, err
}

func (s *Service) getAuthorizers(ctx context.Context, rq *call.Authorized, in *api.GetAuthorizersRequest) (*api.Authorizers, error) {
	out := &api.Authorizers{}
	err := s.view(ctx, rq, *in.RestApiId, func(d *definition.API) error {
		for _, a := range d.Authorizers {
			out.Items = append(out.Items, *authorizerAnswer(a))
		}
		slices.SortFunc(out.Items, func(x, y api.Authorizer) int { return strings.Compare(*x.Id, *y.Id) })
		var err error
		out.Items, out.Position, err = pageOf(out.Items, in.Position, in.Limit, func(a api.Authorizer) string { return *a.Id })
		return err
	})
	return out, err
}

func (s *Service) updateAuthorizer(ctx context.Context, rq *call.Authorized, in *api.UpdateAuthorizerRequest) (out *api.Authorizer, err error) {
	err = s.edit(ctx, rq, *in.RestApiId, func(d *definition.API) error {
		a, err := findAuthorizer(d, in.AuthorizerId)
		if err != nil {
			return err
		}
		e := edits{
			"replace /name": text(&a.Name), "replace /type": text(&a.Type), "replace /authType": text(&a.AuthType),
			"replace /authorizerUri": text(&a.URI), "replace /authorizerCredentials": text(&a.Credentials),
			"remove /authorizerCredentials":         func(_, _ string) error { a.Credentials = ""; return nil },
			"replace /identitySource":               text(&a.Identity),
			"remove /identitySource":                func(_, _ string) error { a.Identity = ""; return nil },
			"replace /identityValidationExpression": text(&a.Validation),
			"remove /identityValidationExpression":  func(_, _ string) error { a.Validation = ""; return nil },
			"replace /authorizerResultTtlInSeconds": func(_, v string) error {
				n, err := strconv.ParseInt(v, 10, 32)
				if err != nil {
					return api.BadRequestException("Invalid value for authorizerResultTtlInSeconds: %s", v)
				}
				a.TTL = new(int32(n))
				return nil
			},
		}
		listEdits(e, "/providerARNs", &a.Providers)
		if err := e.apply(in.PatchOperations); err != nil {
			return err
		}
		out = authorizerAnswer(a)
		return s.checkAuthorizer(d, a)
	})
	return out, err
}

func (s *Service) deleteAuthorizer(ctx context.Context, rq *call.Authorized, in *api.DeleteAuthorizerRequest) (*call.None, error) {
	return &call.None{}, s.edit(ctx, rq, *in.RestApiId, func(d *definition.API) error {
		a, err := findAuthorizer(d, in.AuthorizerId)
		if err != nil {
			return err
		}
		for _, r := range d.Sorted() {
			for name, m := range r.Methods {
				if m.Authorizer == a.ID {
					return api.ConflictException("Cannot delete authorizer '%s', is referenced in method: %s %s", a.Name, name, d.Path(r))
				}
			}
		}
		delete(d.Authorizers, a.ID)
		return nil
	})
}

func (s *Service) flushStageAuthorizersCache(ctx context.Context, rq *call.Authorized, in *api.FlushStageAuthorizersCacheRequest) (*call.None, error) {
	if _, err := s.getStage(ctx, rq, &api.GetStageRequest{RestApiId: in.RestApiId, StageName: in.StageName}); err != nil {
		return nil, err
	}
	s.verdicts.flush(*in.RestApiId, *in.StageName)
	return &call.None{}, nil
}
