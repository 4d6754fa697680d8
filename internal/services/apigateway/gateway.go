package apigateway

import (
	"context"

	"github.com/tierra-cloud/tierra/internal/call"
	api "github.com/tierra-cloud/tierra/internal/gen/apigateway"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/services/apigateway/definition"
)

func (s *Service) gatewayBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.PutGatewayResponse, on(actionPut, func(in *api.PutGatewayResponseRequest) string {
			return below(in.RestApiId, "gatewayresponses", *in.ResponseType)
		}), s.putGatewayResponse),
		call.Bind(api.GetGatewayResponse, on(actionGet, func(in *api.GetGatewayResponseRequest) string {
			return below(in.RestApiId, "gatewayresponses", *in.ResponseType)
		}), s.getGatewayResponse),
		call.Bind(api.GetGatewayResponses, on(actionGet, func(in *api.GetGatewayResponsesRequest) string { return below(in.RestApiId, "gatewayresponses") }), s.getGatewayResponses),
		call.Bind(api.UpdateGatewayResponse, on(actionPatch, func(in *api.UpdateGatewayResponseRequest) string {
			return below(in.RestApiId, "gatewayresponses", *in.ResponseType)
		}), s.updateGatewayResponse),
		call.Bind(api.DeleteGatewayResponse, on(actionDelete, func(in *api.DeleteGatewayResponseRequest) string {
			return below(in.RestApiId, "gatewayresponses", *in.ResponseType)
		}), s.deleteGatewayResponse),
	}
}

// defaultTemplate is the body of gateway responses that have no template.
const defaultTemplate = `{"message":$context.error.messageString}`

func gatewayAnswer(typ string, g *definition.GatewayResponse) *api.GatewayResponse {
	status, _ := definition.ResponseStatus(typ)
	out := &api.GatewayResponse{
		ResponseType: &typ, StatusCode: opt.NonZero(status), DefaultResponse: new(g == nil),
		ResponseParameters: map[string]string{}, ResponseTemplates: map[string]string{"application/json": defaultTemplate},
	}
	if g != nil {
		out.StatusCode = opt.NonZero(g.Status)
		if g.Status == "" {
			out.StatusCode = opt.NonZero(status)
		}
		out.ResponseParameters, out.ResponseTemplates = g.Parameters, g.Templates
	}
	return out
}

func (s *Service) putGatewayResponse(ctx context.Context, rq *call.Authorized, in *api.PutGatewayResponseRequest) (out *api.GatewayResponse, err error) {
	g := &definition.GatewayResponse{Status: opt.Val(in.StatusCode), Parameters: in.ResponseParameters, Templates: in.ResponseTemplates}
	err = s.edit(ctx, rq, *in.RestApiId, func(d *definition.API) error {
		if err := g.Check(); err != nil {
			return err
		}
		if d.Responses == nil {
			d.Responses = map[string]*definition.GatewayResponse{}
		}
		d.Responses[*in.ResponseType] = g
		out = gatewayAnswer(*in.ResponseType, g)
		return nil
	})
	return out, err
}

func (s *Service) getGatewayResponse(ctx context.Context, rq *call.Authorized, in *api.GetGatewayResponseRequest) (out *api.GatewayResponse, err error) {
	err = s.view(ctx, rq, *in.RestApiId, func(d *definition.API) error {
		out = gatewayAnswer(*in.ResponseType, d.Responses[*in.ResponseType])
		return nil
	})
	return out, err
}

func (s *Service) getGatewayResponses(ctx context.Context, rq *call.Authorized, in *api.GetGatewayResponsesRequest) (*api.GatewayResponses, error) {
	out := &api.GatewayResponses{}
	err := s.view(ctx, rq, *in.RestApiId, func(d *definition.API) error {
		for _, t := range definition.ResponseTypes {
			out.Items = append(out.Items, *gatewayAnswer(t.Type, d.Responses[t.Type]))
		}
		var err error
		out.Items, out.Position, err = pageOf(out.Items, in.Position, in.Limit, func(g api.GatewayResponse) string { return *g.ResponseType })
		return err
	})
	return out, err
}

func (s *Service) updateGatewayResponse(ctx context.Context, rq *call.Authorized, in *api.UpdateGatewayResponseRequest) (out *api.GatewayResponse, err error) {
	err = s.edit(ctx, rq, *in.RestApiId, func(d *definition.API) error {
		g := d.Responses[*in.ResponseType]
		if g == nil {
			g = &definition.GatewayResponse{Templates: map[string]string{"application/json": defaultTemplate}}
		}
		e := edits{"replace /statusCode": text(&g.Status)}
		e.entries("/responseParameters", &g.Parameters)
		e.entries("/responseTemplates", &g.Templates)
		if err := e.apply(in.PatchOperations); err != nil {
			return err
		}
		if d.Responses == nil {
			d.Responses = map[string]*definition.GatewayResponse{}
		}
		d.Responses[*in.ResponseType] = g
		out = gatewayAnswer(*in.ResponseType, g)
		return g.Check()
	})
	return out, err
}

func (s *Service) deleteGatewayResponse(ctx context.Context, rq *call.Authorized, in *api.DeleteGatewayResponseRequest) (*call.None, error) {
	return &call.None{}, s.edit(ctx, rq, *in.RestApiId, func(d *definition.API) error {
		if d.Responses[*in.ResponseType] == nil {
			return api.NotFoundException("Gateway response type not defined on api")
		}
		delete(d.Responses, *in.ResponseType)
		return nil
	})
}
