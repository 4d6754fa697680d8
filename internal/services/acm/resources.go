package acm

import (
	"context"
	"maps"
	"slices"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/resource"
	api "github.com/tierra-cloud/tierra/internal/gen/acm"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
)

type tagProperty struct {
	Key   string `cfn:"Key,required"`
	Value string `cfn:"Value,required"`
}

type validationProperty struct {
	DomainName       string  `cfn:"DomainName,required"`
	HostedZoneID     *string `cfn:"HostedZoneId,meaningless"`
	ValidationDomain *string `cfn:"ValidationDomain"`
}

// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-certificatemanager-certificate.html
type certificateProperties struct {
	DomainName                               string               `cfn:"DomainName,required,replace"`
	SubjectAlternativeNames                  []string             `cfn:"SubjectAlternativeNames,replace"`
	ValidationMethod                         *string              `cfn:"ValidationMethod,replace"`
	DomainValidationOptions                  []validationProperty `cfn:"DomainValidationOptions,replace"`
	KeyAlgorithm                             *string              `cfn:"KeyAlgorithm,replace"`
	CertificateAuthorityARN                  *string              `cfn:"CertificateAuthorityArn,replace"`
	CertificateExport                        *string              `cfn:"CertificateExport,replace"`
	CertificateTransparencyLoggingPreference *string              `cfn:"CertificateTransparencyLoggingPreference,replace"`
	Tags                                     []tagProperty        `cfn:"Tags"`
}

// ResourceTypes implements resource.Provider.
func (s *Service) ResourceTypes() []resource.Type {
	return []resource.Type{
		resource.Define("AWS::CertificateManager::Certificate", resource.Handlers[certificateProperties]{
			Create: createCertificate, Update: updateCertificate, Delete: removeCertificate, Attributes: []string{"CertificateArn"},
			Identifier: []string{"CertificateArn"}, Read: readCertificate, List: listCertificateARNs,
		}),
	}
}

func (p *certificateProperties) tags(rq *resource.Request) map[string]string {
	m := map[string]string{}
	maps.Copy(m, rq.StackTags)
	for _, t := range p.Tags {
		m[t.Key] = t.Value
	}
	return m
}

func list(m map[string]string) []api.Tag {
	var out []api.Tag
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, api.Tag{Key: new(k), Value: new(m[k])})
	}
	return out
}

func stateOf(arn string) resource.State {
	return resource.State{ID: arn, Attributes: map[string]any{"CertificateArn": arn}}
}

// createCertificate can be repeated: the token stands for the request.
func createCertificate(ctx context.Context, rq *resource.Request, p *certificateProperties) (resource.State, error) {
	in := &api.RequestCertificateRequest{
		DomainName: &p.DomainName, SubjectAlternativeNames: p.SubjectAlternativeNames, ValidationMethod: p.ValidationMethod, KeyAlgorithm: p.KeyAlgorithm,
		CertificateAuthorityArn: p.CertificateAuthorityARN, IdempotencyToken: new(rq.Token[:32]), Tags: list(p.tags(rq)),
	}
	if p.CertificateExport != nil || p.CertificateTransparencyLoggingPreference != nil {
		in.Options = &api.CertificateOptions{Export: p.CertificateExport, CertificateTransparencyLoggingPreference: p.CertificateTransparencyLoggingPreference}
	}
	for _, o := range p.DomainValidationOptions {
		if o.ValidationDomain != nil {
			in.DomainValidationOptions = append(in.DomainValidationOptions, api.DomainValidationOption{DomainName: &o.DomainName, ValidationDomain: o.ValidationDomain})
		}
	}
	out, err := call.Do(ctx, rq.Caller, rq.As, api.RequestCertificate, in)
	if err != nil {
		return resource.State{}, err
	}
	return stateOf(*out.CertificateArn), nil
}

// updateCertificate changes the tags: everything else replaces.
func updateCertificate(ctx context.Context, rq *resource.Request, id string, old, p *certificateProperties) (resource.State, error) {
	is := p.tags(rq)
	var gone []string
	for k := range old.tags(rq) {
		if _, stays := is[k]; !stays {
			gone = append(gone, k)
		}
	}
	if len(gone) > 0 {
		if _, err := call.Do(ctx, rq.Caller, rq.As, api.UntagResource, &api.UntagResourceRequest{ResourceArn: &id, TagKeys: gone}); err != nil {
			return resource.State{}, err
		}
	}
	if len(is) > 0 {
		if _, err := call.Do(ctx, rq.Caller, rq.As, api.AddTagsToCertificate, &api.AddTagsToCertificateRequest{CertificateArn: &id, Tags: list(is)}); err != nil {
			return resource.State{}, err
		}
	}
	return stateOf(id), nil
}

func removeCertificate(ctx context.Context, rq *resource.Request, id string, _ *certificateProperties) error {
	_, err := call.Do(ctx, rq.Caller, rq.As, api.DeleteCertificate, &api.DeleteCertificateRequest{CertificateArn: &id})
	if fault.Is(err, "ResourceNotFoundException") {
		return nil
	}
	return err
}
