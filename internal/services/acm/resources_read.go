package acm

import (
	"context"
	"slices"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/resource"
	api "github.com/tierra-cloud/tierra/internal/gen/acm"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
)

// readCertificate returns a certificate as it is, for drift, import and Cloud Control.
// How it was validated says nothing of what it is, and stays as it is known.
func readCertificate(ctx context.Context, rq *resource.Request, id string, known *certificateProperties) (*certificateProperties, resource.State, error) {
	out, err := call.Do(ctx, rq.Caller, rq.As, api.DescribeCertificate, &api.DescribeCertificateRequest{CertificateArn: &id})
	if fault.Is(err, "ResourceNotFoundException") {
		return nil, resource.State{}, nil
	}
	if err != nil {
		return nil, resource.State{}, err
	}
	c := out.Certificate
	p := &certificateProperties{
		DomainName: *c.DomainName, KeyAlgorithm: known.KeyAlgorithm, CertificateAuthorityARN: c.CertificateAuthorityArn,
		ValidationMethod: known.ValidationMethod, DomainValidationOptions: known.DomainValidationOptions,
	}
	for _, name := range c.SubjectAlternativeNames {
		if name != p.DomainName || slices.Contains(known.SubjectAlternativeNames, name) { // the first is always the domain itself
			p.SubjectAlternativeNames = append(p.SubjectAlternativeNames, name)
		}
	}
	if o := c.Options; o != nil {
		p.CertificateTransparencyLoggingPreference, p.CertificateExport = o.CertificateTransparencyLoggingPreference, o.Export
	}
	tags, err := call.Do(ctx, rq.Caller, rq.As, api.ListTagsForCertificate, &api.ListTagsForCertificateRequest{CertificateArn: &id})
	if err != nil {
		return nil, resource.State{}, err
	}
	for _, t := range tags.Tags {
		p.Tags = append(p.Tags, tagProperty{*t.Key, *t.Value})
	}
	return p, stateOf(id), nil
}

func listCertificateARNs(ctx context.Context, rq *resource.Request, _ *certificateProperties) (arns []string, err error) {
	in := &api.ListCertificatesRequest{}
	for {
		out, err := call.Do(ctx, rq.Caller, rq.As, api.ListCertificates, in)
		if err != nil {
			return nil, err
		}
		for _, c := range out.CertificateSummaryList {
			arns = append(arns, *c.CertificateArn)
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			return arns, nil
		}
	}
}
