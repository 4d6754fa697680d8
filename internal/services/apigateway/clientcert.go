package apigateway

import (
	"context"

	"github.com/tierra-cloud/tierra/internal/call"
	api "github.com/tierra-cloud/tierra/internal/gen/apigateway"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

// Client certificates would prove to backends that requests come from here. The
// connections to backends carry none, so none is made.

func (s *Service) certificateBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.GenerateClientCertificate, on(actionPost, func(*api.GenerateClientCertificateRequest) string { return "/clientcertificates" }), s.generateClientCertificate),
		call.Bind(api.GetClientCertificates, on(actionGet, func(*api.GetClientCertificatesRequest) string { return "/clientcertificates" }), s.getClientCertificates),
		call.Bind(api.GetClientCertificate, on(actionGet, func(in *api.GetClientCertificateRequest) string {
			return "/clientcertificates/" + opt.Val(in.ClientCertificateId)
		}), s.getClientCertificate),
	}
}

func (s *Service) generateClientCertificate(context.Context, *call.Authorized, *api.GenerateClientCertificateRequest) (*api.ClientCertificate, error) {
	return nil, refuse("client certificates")
}

func (s *Service) getClientCertificates(context.Context, *call.Authorized, *api.GetClientCertificatesRequest) (*api.ClientCertificates, error) {
	return &api.ClientCertificates{Items: []api.ClientCertificate{}}, nil
}

func (s *Service) getClientCertificate(context.Context, *call.Authorized, *api.GetClientCertificateRequest) (*api.ClientCertificate, error) {
	return nil, api.NotFoundException("Invalid Client Certificate identifier specified")
}
