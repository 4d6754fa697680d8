package apigateway

import (
	"context"
	"maps"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/resource"
	api "github.com/tierra-cloud/tierra/internal/gen/apigateway"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

type mutualProperties struct {
	TruststoreURI     *string `cfn:"TruststoreUri"`
	TruststoreVersion *string `cfn:"TruststoreVersion"`
}

// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-apigateway-domainname.html
type domainProperties struct {
	DomainName                          string              `cfn:"DomainName,required,replace"`
	CertificateARN                      *string             `cfn:"CertificateArn"`
	RegionalCertificateARN              *string             `cfn:"RegionalCertificateArn"`
	EndpointConfiguration               *endpointProperties `cfn:"EndpointConfiguration"`
	EndpointAccessMode                  *string             `cfn:"EndpointAccessMode"`
	SecurityPolicy                      *string             `cfn:"SecurityPolicy"`
	MutualTLSAuthentication             *mutualProperties   `cfn:"MutualTlsAuthentication"`
	OwnershipVerificationCertificateARN *string             `cfn:"OwnershipVerificationCertificateArn"`
	RoutingMode                         *string             `cfn:"RoutingMode"`
	Tags                                []tagProperty       `cfn:"Tags"`
}

// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-apigateway-basepathmapping.html
type basePathProperties struct {
	DomainName string  `cfn:"DomainName,required,replace"`
	BasePath   *string `cfn:"BasePath,replace"`
	RestAPIID  *string `cfn:"RestApiId"`
	Stage      *string `cfn:"Stage"`
}

func domainTypes() []resource.Type {
	return []resource.Type{
		resource.Define("AWS::ApiGateway::DomainName", resource.Handlers[domainProperties]{
			Create: createDomain, Find: leftDomain, Update: updateDomain, Delete: deleteDomain,
			Attributes: []string{"DistributionDomainName", "DistributionHostedZoneId", "DomainNameArn", "RegionalDomainName", "RegionalHostedZoneId"},
			Identifier: []string{"DomainName"}, Read: readDomain, List: listDomains,
		}),
		resource.Define("AWS::ApiGateway::BasePathMapping", resource.Handlers[basePathProperties]{
			Create: createMapping, Find: leftMapping, Update: updateMapping, Delete: deleteMapping,
			Identifier: []string{"DomainName", "BasePath"}, Read: readMapping, List: listMappings,
		}),
	}
}

func domainState(x *api.DomainName) resource.State {
	attributes := map[string]any{"DomainNameArn": *x.DomainNameArn}
	for k, v := range map[string]*string{
		"DistributionDomainName": x.DistributionDomainName, "DistributionHostedZoneId": x.DistributionHostedZoneId,
		"RegionalDomainName": x.RegionalDomainName, "RegionalHostedZoneId": x.RegionalHostedZoneId,
	} {
		if v != nil {
			attributes[k] = *v
		}
	}
	return resource.State{ID: *x.DomainName, Attributes: attributes}
}

func (p *domainProperties) tags(rq *resource.Request) map[string]string {
	t := maps.Clone(rq.StackTags)
	if t == nil {
		t = map[string]string{}
	}
	for _, x := range p.Tags {
		t[x.Key] = x.Value
	}
	return t
}

func createDomain(ctx context.Context, rq *resource.Request, p *domainProperties) (resource.State, error) {
	in := &api.CreateDomainNameRequest{
		DomainName: &p.DomainName, CertificateArn: p.CertificateARN, RegionalCertificateArn: p.RegionalCertificateARN, EndpointAccessMode: p.EndpointAccessMode,
		SecurityPolicy: p.SecurityPolicy, OwnershipVerificationCertificateArn: p.OwnershipVerificationCertificateARN, RoutingMode: p.RoutingMode, Tags: p.tags(rq),
	}
	if e := p.EndpointConfiguration; e != nil {
		in.EndpointConfiguration = &api.EndpointConfiguration{Types: e.Types, IpAddressType: e.IPAddressType, VpcEndpointIds: e.VpcEndpointIDs}
	}
	if m := p.MutualTLSAuthentication; m != nil {
		in.MutualTlsAuthentication = &api.MutualTlsAuthenticationInput{TruststoreUri: m.TruststoreURI, TruststoreVersion: m.TruststoreVersion}
	}
	x, err := call.Do(ctx, rq.Caller, rq.As, api.CreateDomainName, in)
	if err != nil {
		return resource.State{}, err
	}
	return domainState(x), nil
}

func updateDomain(ctx context.Context, rq *resource.Request, id string, old, p *domainProperties) (resource.State, error) {
	x, err := call.Do(ctx, rq.Caller, rq.As, api.GetDomainName, &api.GetDomainNameRequest{DomainName: &id})
	if err != nil {
		return resource.State{}, err
	}
	var ops patches
	if e := p.EndpointConfiguration; e != nil {
		for _, t := range e.Types {
			ops.set("/endpointConfiguration/types/"+x.EndpointConfiguration.Types[0], &t)
		}
		ops.set("/endpointConfiguration/ipAddressType", e.IPAddressType)
	}
	ops.set("/certificateArn", p.CertificateARN)
	ops.set("/regionalCertificateArn", p.RegionalCertificateARN)
	if p.SecurityPolicy != nil || old.SecurityPolicy != nil {
		ops.set("/securityPolicy", new(opt.Or(p.SecurityPolicy, api.SecurityPolicyTls12)))
	}
	if p.EndpointAccessMode != nil || old.EndpointAccessMode != nil {
		ops.set("/endpointAccessMode", new(opt.Val(p.EndpointAccessMode)))
	}
	if p.OwnershipVerificationCertificateARN != nil || old.OwnershipVerificationCertificateARN != nil {
		ops.set("/ownershipVerificationCertificateArn", new(opt.Val(p.OwnershipVerificationCertificateARN)))
	}
	if m := p.MutualTLSAuthentication; m != nil || old.MutualTLSAuthentication != nil {
		if m == nil {
			m = &mutualProperties{}
		}
		ops.set("/mutualTlsAuthentication/truststoreVersion", new(opt.Val(m.TruststoreVersion)))
		ops.set("/mutualTlsAuthentication/truststoreUri", new(opt.Val(m.TruststoreURI)))
	}
	ops.set("/routingMode", p.RoutingMode)
	if len(ops) > 0 {
		if x, err = call.Do(ctx, rq.Caller, rq.As, api.UpdateDomainName, &api.UpdateDomainNameRequest{DomainName: &id, PatchOperations: ops}); err != nil {
			return resource.State{}, err
		}
	}
	return domainState(x), retag(ctx, rq, *x.DomainNameArn, x.Tags, p.tags(rq))
}

func deleteDomain(ctx context.Context, rq *resource.Request, id string, _ *domainProperties) error {
	_, err := call.Do(ctx, rq.Caller, rq.As, api.DeleteDomainName, &api.DeleteDomainNameRequest{DomainName: &id})
	return unlessGone(err)
}

func leftDomain(ctx context.Context, rq *resource.Request, p *domainProperties) ([]resource.State, error) {
	x, err := call.Do(ctx, rq.Caller, rq.As, api.GetDomainName, &api.GetDomainNameRequest{DomainName: &p.DomainName})
	if err != nil {
		return nil, unlessGone(err)
	}
	return []resource.State{domainState(x)}, nil
}

// path is the base path as operations name it.
func (p *basePathProperties) path() *string {
	if opt.Val(p.BasePath) == "" {
		return new(noBasePath)
	}
	return p.BasePath
}

func mappingState(p *basePathProperties) resource.State {
	return resource.State{ID: p.DomainName + "|" + *p.path()}
}

func createMapping(ctx context.Context, rq *resource.Request, p *basePathProperties) (resource.State, error) {
	if p.RestAPIID == nil {
		return resource.State{}, api.BadRequestException("RestApiId is required")
	}
	_, err := call.Do(ctx, rq.Caller, rq.As, api.CreateBasePathMapping, &api.CreateBasePathMappingRequest{
		DomainName: &p.DomainName, BasePath: p.BasePath, RestApiId: p.RestAPIID, Stage: p.Stage,
	})
	return mappingState(p), err
}

func updateMapping(ctx context.Context, rq *resource.Request, id string, _, p *basePathProperties) (resource.State, error) {
	var ops patches
	ops.set("/restapiId", p.RestAPIID)
	ops.set("/stage", new(opt.Val(p.Stage)))
	_, err := call.Do(ctx, rq.Caller, rq.As, api.UpdateBasePathMapping, &api.UpdateBasePathMappingRequest{DomainName: &p.DomainName, BasePath: p.path(), PatchOperations: ops})
	return resource.State{ID: id}, err
}

func deleteMapping(ctx context.Context, rq *resource.Request, _ string, p *basePathProperties) error {
	_, err := call.Do(ctx, rq.Caller, rq.As, api.DeleteBasePathMapping, &api.DeleteBasePathMappingRequest{DomainName: &p.DomainName, BasePath: p.path()})
	return unlessGone(err)
}

func leftMapping(ctx context.Context, rq *resource.Request, p *basePathProperties) ([]resource.State, error) {
	_, err := call.Do(ctx, rq.Caller, rq.As, api.GetBasePathMapping, &api.GetBasePathMappingRequest{DomainName: &p.DomainName, BasePath: p.path()})
	if err != nil {
		return nil, unlessGone(err)
	}
	return []resource.State{mappingState(p)}, nil
}
