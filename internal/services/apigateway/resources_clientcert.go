package apigateway

import (
	"context"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/resource"
	api "github.com/tierra-cloud/tierra/internal/gen/apigateway"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-apigateway-clientcertificate.html
type certificateProperties struct {
	Description *string       `cfn:"Description"`
	Tags        []tagProperty `cfn:"Tags"`
}

func certificateState(id string) resource.State { return givenState("ClientCertificateId", id) }

func createCertificate(ctx context.Context, rq *resource.Request, p *certificateProperties) (resource.State, error) {
	x, err := call.Do(ctx, rq.Caller, rq.As, api.GenerateClientCertificate, &api.GenerateClientCertificateRequest{Description: p.Description, Tags: tagMap(rq, p.Tags)})
	if err != nil {
		return resource.State{}, err
	}
	return certificateState(*x.ClientCertificateId), nil
}

func updateCertificate(ctx context.Context, rq *resource.Request, id string, _, p *certificateProperties) (resource.State, error) {
	var ops patches
	ops.set("/description", new(opt.Val(p.Description)))
	x, err := call.Do(ctx, rq.Caller, rq.As, api.UpdateClientCertificate, &api.UpdateClientCertificateRequest{ClientCertificateId: &id, PatchOperations: ops})
	if err != nil {
		return resource.State{}, err
	}
	return certificateState(id), retag(ctx, rq, resourceARN(rq.Region, "/clientcertificates/"+id), x.Tags, tagMap(rq, p.Tags))
}

func deleteCertificate(ctx context.Context, rq *resource.Request, id string, _ *certificateProperties) error {
	_, err := call.Do(ctx, rq.Caller, rq.As, api.DeleteClientCertificate, &api.DeleteClientCertificateRequest{ClientCertificateId: &id})
	return unlessGone(err)
}

func certificatesOf(ctx context.Context, rq *resource.Request) ([]api.ClientCertificate, error) {
	return pages(ctx, rq, api.GetClientCertificates, &api.GetClientCertificatesRequest{Limit: new(int32(pageMax))},
		func(o *api.ClientCertificates) ([]api.ClientCertificate, *string) { return o.Items, o.Position },
		func(in *api.GetClientCertificatesRequest, at *string) { in.Position = at })
}

// leftCertificates finds the certificates of the same description: they have no
// names.
func leftCertificates(ctx context.Context, rq *resource.Request, p *certificateProperties) (all []resource.State, err error) {
	found, err := certificatesOf(ctx, rq)
	for _, x := range found {
		if opt.Val(x.Description) == opt.Val(p.Description) {
			all = append(all, certificateState(*x.ClientCertificateId))
		}
	}
	return all, err
}

func readCertificate(ctx context.Context, rq *resource.Request, id string, _ *certificateProperties) (*certificateProperties, resource.State, error) {
	x, err := call.Do(ctx, rq.Caller, rq.As, api.GetClientCertificate, &api.GetClientCertificateRequest{ClientCertificateId: &id})
	if err != nil {
		return found[certificateProperties](nil, resource.State{}, err)
	}
	return &certificateProperties{x.Description, tagProperties(x.Tags)}, certificateState(id), nil
}

func listCertificates(ctx context.Context, rq *resource.Request, _ *certificateProperties) ([]string, error) {
	all, err := certificatesOf(ctx, rq)
	return identifiers(all, err, func(x *api.ClientCertificate) string { return *x.ClientCertificateId })
}
