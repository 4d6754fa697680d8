package apigateway

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/gateway/domain"
	api "github.com/tierra-cloud/tierra/internal/gen/apigateway"
	"github.com/tierra-cloud/tierra/internal/gen/s3"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/ids"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

// Custom domain names: what a client that asks for a name gets to see, and where
// the paths below it lead.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-custom-domains.html

func onDomain(name *string, parts ...string) string {
	return "/domainnames/" + opt.Val(name) + strings.Join(append([]string{""}, parts...), "/")
}

func (s *Service) domainBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.CreateDomainName, on(actionPost, func(*api.CreateDomainNameRequest) string { return "/domainnames" }), s.createDomainName),
		call.Bind(api.GetDomainName, on(actionGet, func(in *api.GetDomainNameRequest) string { return onDomain(in.DomainName) }), s.getDomainName),
		call.Bind(api.GetDomainNames, on(actionGet, func(*api.GetDomainNamesRequest) string { return "/domainnames" }), s.getDomainNames),
		call.Bind(api.UpdateDomainName, on(actionPatch, func(in *api.UpdateDomainNameRequest) string { return onDomain(in.DomainName) }), s.updateDomainName),
		call.Bind(api.DeleteDomainName, on(actionDelete, func(in *api.DeleteDomainNameRequest) string { return onDomain(in.DomainName) }), s.deleteDomainName),
	}
}

// domainName is the record of a custom domain name.
type domainName struct {
	V               int               `json:"v"`
	Name            string            `json:"name"`
	ID              string            `json:"id"` // in the name that is the target of DNS records
	Endpoint        string            `json:"endpoint"`
	Addresses       string            `json:"addresses,omitempty"`
	Certificate     string            `json:"certificate"` // ARN
	CertificateName string            `json:"certificateName,omitempty"`
	Ownership       string            `json:"ownership,omitempty"` // ARN
	Policy          string            `json:"policy"`
	Access          string            `json:"access,omitempty"`
	Truststore      *truststore       `json:"truststore,omitempty"`
	Tags            map[string]string `json:"tags,omitempty"`
	Uploaded        int64             `json:"uploaded"` // when it got its certificate
}

// truststore is a trust store as it was read: a change of the object acts when the
// domain is updated, as on AWS.
type truststore struct {
	URI      string   `json:"uri"`
	Version  string   `json:"version,omitempty"`
	Document string   `json:"document"`
	Warnings []string `json:"warnings,omitempty"`
}

// domainPrefix begins the keys of domains, which stand apart from the APIs':
//
//	name    <domain name>              domainName
//	mapping <domain name> <base path>  basePath
const domainPrefix = "apigateway-domain"

func (a area) domainKey(parts ...string) []byte {
	return data.Key(append([]string{domainPrefix, a.account, a.region}, parts...)...)
}
func (a area) domain(name string) []byte        { return a.domainKey("name", name) }
func (a area) mapping(name, path string) []byte { return a.domainKey("mapping", name, path) }
func (a area) mappings(name string) []byte      { return a.domainKey("mapping", name) }
func (a area) domainARN(name string) string     { return resourceARN(a.region, "/domainnames/"+name) }
func loadDomain(r data.Reader, a area, name string) (*domainName, error) {
	x, err := data.Load[domainName](r, a.domain(name))
	if err == nil && x == nil {
		err = api.NotFoundException("Invalid domain name identifier specified")
	}
	return x, err
}

// hosted are the ids of the zones of the names that DNS records lead to. Nothing
// here serves DNS, so that they mean nothing but that they are told.
const (
	hostedEdge     = "Z2FDTNDATAQYW2"
	hostedRegional = "Z1UJRXOUMOOFQ8"
)

func (x *domainName) answer(a area, in call.Incoming) *api.DomainName {
	target, _, _ := strings.Cut(call.PublicHost(in.Host), ":")
	target = x.ID + ".execute-api." + target
	out := &api.DomainName{
		DomainName: &x.Name, DomainNameArn: new(a.domainARN(x.Name)), DomainNameStatus: new(api.DomainNameStatusAvailable), SecurityPolicy: &x.Policy,
		EndpointAccessMode: opt.NonZero(x.Access), OwnershipVerificationCertificateArn: opt.NonZero(x.Ownership), Tags: x.Tags,
		EndpointConfiguration: &api.EndpointConfiguration{Types: []string{x.Endpoint}, IpAddressType: new(cmp.Or(x.Addresses, api.IpAddressTypeIpv4))},
		CertificateUploadDate: seconds(x.Uploaded), RoutingMode: new(api.RoutingModeBasePathMappingOnly),
	}
	if x.Endpoint == endpointEdge {
		out.CertificateArn, out.CertificateName = &x.Certificate, opt.NonZero(x.CertificateName)
		out.DistributionDomainName, out.DistributionHostedZoneId = &target, new(hostedEdge)
	} else {
		out.RegionalCertificateArn, out.RegionalCertificateName = &x.Certificate, opt.NonZero(x.CertificateName)
		out.RegionalDomainName, out.RegionalHostedZoneId = &target, new(hostedRegional)
	}
	if t := x.Truststore; t != nil {
		out.MutualTlsAuthentication = &api.MutualTlsAuthentication{TruststoreUri: &t.URI, TruststoreVersion: opt.NonZero(t.Version), TruststoreWarnings: t.Warnings}
	}
	return out
}

// checkDomainName checks the form of a name.
func checkDomainName(name string) error {
	ok := regexp.MustCompile(`^(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`).MatchString(name)
	if !ok || len(name) > 253 {
		return api.BadRequestException("Invalid domain name: %s", name)
	}
	return nil
}

// check holds a domain against what it uses; it is called before the domain is
// stored.
func (s *Service) checkDomain(ctx context.Context, a area, x *domainName) error {
	p := domain.Policy(x.Policy)
	switch {
	case !p.Known():
		return refuse("the security policy " + x.Policy)
	case p.Modern() && p.Edge() != (x.Endpoint == endpointEdge):
		return api.BadRequestException("The security policy %s is not for the endpoint type %s.", x.Policy, x.Endpoint)
	case p.Modern() && x.Access == "":
		return api.BadRequestException("The security policy %s requires an endpoint access mode.", x.Policy)
	case !p.Modern() && x.Access != "":
		return api.BadRequestException("An endpoint access mode requires a security policy whose name begins with SecurityPolicy_.")
	case x.Access != "" && x.Access != api.EndpointAccessModeBasic && x.Access != api.EndpointAccessModeStrict:
		return api.BadRequestException("Invalid endpoint access mode: %s", x.Access)
	case x.Truststore != nil && x.Endpoint != endpointRegional:
		return api.BadRequestException("Mutual TLS authentication is supported for the endpoint type REGIONAL only.")
	case x.Truststore != nil && strings.HasPrefix(x.Name, "*."):
		return api.BadRequestException("Mutual TLS authentication is not supported for wildcard custom domain names.")
	case x.Certificate == "" && x.Endpoint == endpointEdge:
		return api.BadRequestException("A certificateArn is required for the endpoint type EDGE.")
	case x.Certificate == "":
		return api.BadRequestException("A regionalCertificateArn is required for the endpoint type REGIONAL.")
	}
	home := a.region
	if x.Endpoint == endpointEdge {
		home = "us-east-1"
	}
	for _, arn := range []string{x.Certificate, x.Ownership} {
		if arn == "" {
			continue
		}
		if !strings.HasPrefix(arn, "arn:") || !strings.Contains(arn, ":acm:"+home+":"+a.account+":certificate/") {
			return api.BadRequestException("Invalid certificate ARN: %s. Certificate must be in '%s'.", arn, home)
		}
		c, err := s.domains.Certificate(ctx, arn)
		if fault.Is(err, "ResourceNotFoundException") {
			return api.BadRequestException("Certificate %s was not found in ACM.", arn)
		}
		if err != nil {
			return err
		}
		if !covers(c, x.Name) {
			return api.BadRequestException("The certificate %s is not for the domain name %s.", arn, x.Name)
		}
	}
	return nil
}

// covers reports whether a certificate is for a domain name, which may be a
// wildcard.
func covers(c *tls.Certificate, name string) bool {
	if strings.HasPrefix(name, "*.") {
		return slices.Contains(c.Leaf.DNSNames, name)
	}
	return c.Leaf.VerifyHostname(name) == nil
}

// readTruststore reads a trust store as the caller.
func (s *Service) readTruststore(ctx context.Context, rq *call.Authorized, uri, version string) (*truststore, error) {
	bucket, key, ok := strings.Cut(strings.TrimPrefix(uri, "s3://"), "/")
	if !ok || !strings.HasPrefix(uri, "s3://") || bucket == "" || key == "" {
		return nil, api.BadRequestException("Invalid truststoreUri: %s. It must be of the form s3://bucket/key.", uri)
	}
	out, err := call.Do(ctx, s.caller, rq.As(), s3.GetObject, &s3.GetObjectRequest{Bucket: &bucket, Key: &key, VersionId: opt.NonZero(version)})
	if f := fault.As(err); f != nil {
		return nil, api.BadRequestException("Cannot read the truststore %s: %s", uri, f.Message)
	}
	if err != nil {
		return nil, fmt.Errorf("read the trust store %s: %w", uri, err)
	}
	defer out.Body.Close()
	doc, err := io.ReadAll(io.LimitReader(out.Body, domain.MaxTruststore+1))
	if err != nil {
		return nil, fmt.Errorf("read the trust store %s: %w", uri, err)
	}
	_, warnings, err := domain.Truststore(doc, rq.Time())
	if err != nil {
		return nil, api.BadRequestException("Invalid truststore %s: %s", uri, err)
	}
	return &truststore{URI: uri, Version: version, Document: string(doc), Warnings: warnings}, nil
}

func (s *Service) createDomainName(ctx context.Context, rq *call.Authorized, in *api.CreateDomainNameRequest) (*api.DomainName, error) {
	err := refuseAny(
		given{"certificateBody: import the certificate into ACM", in.CertificateBody != nil || in.CertificatePrivateKey != nil || in.CertificateChain != nil},
		given{"policy", in.Policy != nil},
		given{"routingMode " + opt.Val(in.RoutingMode), opt.Or(in.RoutingMode, api.RoutingModeBasePathMappingOnly) != api.RoutingModeBasePathMappingOnly},
	)
	if err == nil {
		err = checkTags(in.Tags)
	}
	if err != nil {
		return nil, err
	}
	a := areaOf(rq)
	x := &domainName{
		V: 1, Name: strings.ToLower(*in.DomainName), ID: "d-" + s.ids.Of(ids.LowerAlnum, 10), Policy: opt.Or(in.SecurityPolicy, string(domain.TLS12)),
		Access: opt.Val(in.EndpointAccessMode), Ownership: opt.Val(in.OwnershipVerificationCertificateArn), Tags: in.Tags, Uploaded: millis(rq.Time()),
		Endpoint: endpointEdge,
	}
	if in.RegionalCertificateArn != nil && in.CertificateArn == nil {
		x.Endpoint = endpointRegional // unless it is said
	}
	if c := in.EndpointConfiguration; c != nil {
		var e restAPI
		e.Endpoint = x.Endpoint
		if err := e.setEndpoint(c); err != nil {
			return nil, err
		}
		x.Endpoint, x.Addresses = e.Endpoint, e.Addresses
	}
	x.Certificate, x.CertificateName = opt.Val(in.CertificateArn), opt.Val(in.CertificateName)
	if x.Endpoint == endpointRegional {
		x.Certificate, x.CertificateName = opt.Val(in.RegionalCertificateArn), opt.Val(in.RegionalCertificateName)
	}
	if err := checkDomainName(x.Name); err != nil {
		return nil, err
	}
	if m := in.MutualTlsAuthentication; m != nil && opt.Val(m.TruststoreUri) != "" {
		if x.Truststore, err = s.readTruststore(ctx, rq, *m.TruststoreUri, opt.Val(m.TruststoreVersion)); err != nil {
			return nil, err
		}
	}
	if err := s.checkDomain(ctx, a, x); err != nil {
		return nil, err
	}
	s.domaining.Lock()
	defer s.domaining.Unlock()
	if d := s.domains.Find(x.Name); d != nil && d.Name == x.Name { // names are unique among all accounts
		return nil, api.BadRequestException("The domain name you provided already exists.")
	}
	if err := s.store.Update(ctx, func(t data.Txn) error { return data.Save(t, a.domain(x.Name), x) }); err != nil {
		return nil, err
	}
	return x.answer(a, rq.Incoming()), s.publishDomain(ctx, a, x.Name)
}

// publishDomain makes what the store says of a domain reachable.
func (s *Service) publishDomain(ctx context.Context, a area, name string) error {
	var d *domain.Domain
	err := s.store.View(context.WithoutCancel(ctx), func(r data.Reader) error {
		x, err := data.Load[domainName](r, a.domain(name))
		if err != nil || x == nil {
			return err
		}
		d, err = s.reachable(r, a, x)
		return err
	})
	switch {
	case err != nil:
		return fmt.Errorf("publish the domain %s: %w", name, err)
	case d == nil:
		s.domains.Remove(name)
	default:
		s.domains.Put(d)
	}
	return nil
}

// reachable makes a domain of its record.
func (s *Service) reachable(r data.Reader, a area, x *domainName) (*domain.Domain, error) {
	d := &domain.Domain{
		Name: x.Name, ARN: a.domainARN(x.Name), Account: a.account, Region: a.region, Certificates: []string{x.Certificate},
		Policy: domain.Policy(x.Policy), Strict: x.Access == api.EndpointAccessModeStrict,
	}
	if x.Ownership != "" {
		d.Certificates = append(d.Certificates, x.Ownership)
	}
	if x.Truststore != nil {
		var err error
		if d.Clients, _, err = domain.Truststore([]byte(x.Truststore.Document), s.clock.Now()); err != nil {
			return nil, err
		}
	}
	all, err := data.LoadAll[basePath](r, a.mappings(x.Name))
	for _, m := range all {
		d.Mappings = append(d.Mappings, domain.Mapping{Path: m.Path, API: m.API, Stage: m.Stage})
	}
	return d, err
}

// publishDomains makes all domains of the store reachable.
func (s *Service) publishDomains(ctx context.Context) error {
	return s.store.View(ctx, func(r data.Reader) error {
		prefix := data.Key(domainPrefix)
		for p, err := range r.Scan(prefix, data.PrefixEnd(prefix), false) {
			if err != nil {
				return err
			}
			parts, ok := data.Parts(p.Key)
			if !ok || len(parts) != 5 || parts[3] != "name" {
				continue
			}
			a := area{parts[1], parts[2]}
			x, err := data.Load[domainName](r, p.Key)
			if err != nil {
				return err
			}
			d, err := s.reachable(r, a, x)
			if err != nil {
				return fmt.Errorf("the domain %s: %w", x.Name, err)
			}
			s.domains.Put(d)
		}
		return nil
	})
}

// named is the name of a domain as operations take it, of those that are public.
func named(name, id *string) (string, error) {
	if id != nil {
		return "", refuse("domainNameId: there are no private domain names")
	}
	return strings.ToLower(opt.Val(name)), nil
}

func (s *Service) getDomainName(ctx context.Context, rq *call.Authorized, in *api.GetDomainNameRequest) (out *api.DomainName, err error) {
	a := areaOf(rq)
	name, err := named(in.DomainName, in.DomainNameId)
	if err != nil {
		return nil, err
	}
	err = s.store.View(ctx, func(r data.Reader) error {
		x, err := loadDomain(r, a, name)
		if err == nil {
			out = x.answer(a, rq.Incoming())
		}
		return err
	})
	return out, err
}

func (s *Service) getDomainNames(ctx context.Context, rq *call.Authorized, in *api.GetDomainNamesRequest) (*api.DomainNames, error) {
	if opt.Or(in.ResourceOwner, api.ResourceOwnerSelf) != api.ResourceOwnerSelf {
		return &api.DomainNames{}, nil // nobody shares private domain names with this account
	}
	a := areaOf(rq)
	out := &api.DomainNames{}
	err := s.store.View(ctx, func(r data.Reader) error {
		all, err := data.LoadAll[domainName](r, a.domainKey("name"))
		if err != nil {
			return err
		}
		all, out.Position, err = pageOf(all, in.Position, in.Limit, func(x *domainName) string { return x.Name })
		for _, x := range all {
			out.Items = append(out.Items, *x.answer(a, rq.Incoming()))
		}
		return err
	})
	return out, err
}

func (s *Service) updateDomainName(ctx context.Context, rq *call.Authorized, in *api.UpdateDomainNameRequest) (*api.DomainName, error) {
	a := areaOf(rq)
	name, err := named(in.DomainName, in.DomainNameId)
	if err != nil {
		return nil, err
	}
	s.domaining.Lock()
	defer s.domaining.Unlock()
	var x *domainName
	err = s.store.View(ctx, func(r data.Reader) (err error) {
		x, err = loadDomain(r, a, name)
		return err
	})
	if err != nil {
		return nil, err
	}
	uri, version := "", ""
	if x.Truststore != nil {
		uri, version = x.Truststore.URI, x.Truststore.Version
	}
	reread := false
	trust := func(into *string) func(_, v string) error {
		return func(_, v string) error { *into, reread = v, true; return nil }
	}
	certificate := func(endpoint string) func(_, v string) error {
		return func(_, v string) error {
			if x.Endpoint != endpoint {
				return api.BadRequestException("The domain name has the endpoint type %s.", x.Endpoint)
			}
			x.Certificate, x.Uploaded = v, millis(rq.Time())
			return nil
		}
	}
	endpoint := func(_, v string) error {
		if err := checkEndpoint(v); err != nil {
			return err
		}
		x.Endpoint = v
		return nil
	}
	e := edits{
		"replace /certificateArn": certificate(endpointEdge), "replace /regionalCertificateArn": certificate(endpointRegional),
		"replace /certificateName": text(&x.CertificateName), "replace /regionalCertificateName": text(&x.CertificateName),
		"replace /securityPolicy": text(&x.Policy), "replace /endpointAccessMode": text(&x.Access),
		"replace /ownershipVerificationCertificateArn":       text(&x.Ownership),
		"remove /ownershipVerificationCertificateArn":        func(_, _ string) error { x.Ownership = ""; return nil },
		"replace /mutualTlsAuthentication/truststoreUri":     trust(&uri),
		"replace /mutualTlsAuthentication/truststoreVersion": trust(&version),
		"remove /mutualTlsAuthentication/truststoreVersion":  func(_, _ string) error { version, reread = "", true; return nil },
		"replace /endpointConfiguration/types/*":             endpoint,
		"replace /endpointConfiguration/types":               endpoint,
		"replace /endpointConfiguration/ipAddressType":       text(&x.Addresses),
		"replace /routingMode": func(_, v string) error {
			if v != api.RoutingModeBasePathMappingOnly {
				return refuse("routingMode " + v)
			}
			return nil
		},
	}
	if err := e.apply(in.PatchOperations, "/policy", "/vpcEndpointIds", "/managementPolicy"); err != nil {
		return nil, err
	}
	if reread {
		x.Truststore = nil
		if uri != "" {
			if x.Truststore, err = s.readTruststore(ctx, rq, uri, version); err != nil {
				return nil, err
			}
		}
	}
	if err := s.checkDomain(ctx, a, x); err != nil {
		return nil, err
	}
	err = s.store.Update(ctx, func(t data.Txn) error {
		if _, err := loadDomain(t, a, name); err != nil {
			return err
		}
		return data.Save(t, a.domain(name), x)
	})
	if err != nil {
		return nil, err
	}
	return x.answer(a, rq.Incoming()), s.publishDomain(ctx, a, name)
}

func (s *Service) deleteDomainName(ctx context.Context, rq *call.Authorized, in *api.DeleteDomainNameRequest) (*call.None, error) {
	a := areaOf(rq)
	name, err := named(in.DomainName, in.DomainNameId)
	if err != nil {
		return nil, err
	}
	s.domaining.Lock()
	defer s.domaining.Unlock()
	err = s.store.Update(ctx, func(t data.Txn) error {
		if _, err := loadDomain(t, a, name); err != nil {
			return err
		}
		for p, err := range t.Scan(a.mappings(name), data.PrefixEnd(a.mappings(name)), false) {
			if err != nil {
				return err
			}
			if err := t.Delete(p.Key); err != nil {
				return err
			}
		}
		return t.Delete(a.domain(name))
	})
	if err != nil {
		return nil, err
	}
	return &call.None{}, s.publishDomain(ctx, a, name)
}

// errNoCertificates says that the room was not given any.
var errNoCertificates = errors.New("apigateway: there is nowhere to take certificates from")
