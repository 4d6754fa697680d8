package server

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/engine/sandbox"
	"github.com/tierra-cloud/tierra/internal/gen/acm"
	"github.com/tierra-cloud/tierra/internal/gen/apigateway"
	"github.com/tierra-cloud/tierra/internal/gen/s3"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/policy"
)

// site is a running server with an API that tells what it was asked.
type site struct {
	t   *testing.T
	s   *Server
	as  call.As
	api string
}

func newSite(t *testing.T) *site {
	t.Helper()
	dir, err := os.MkdirTemp("", "tls-*")
	if err != nil {
		t.Fatal(err)
	}
	s, err := Start(context.WithoutCancel(t.Context()), Config{
		Data: dir, Memory: true, Listen: "127.0.0.1:0", Mode: call.Enforce, Network: sandbox.NetworkHost, Log: slog.New(slog.DiscardHandler), Path: os.Getenv("PATH"),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Stop(); _ = os.RemoveAll(dir) })
	x := &site{t: t, s: s, as: call.AsIdentity(call.Identity{Principal: policy.Principal{
		Kind: policy.Root, Account: DefaultAccount, ARN: "arn:aws:iam::" + DefaultAccount + ":root", UserID: DefaultAccount,
	}}, DefaultRegion)}
	document := `{"openapi": "3.0.1", "info": {"title": "told", "version": "1"}, "paths": {"/{proxy+}": {"get": {"parameters": [{"name": "proxy", "in": "path", "required": true, "schema": {"type": "string"}}],
		"responses": {"200": {"description": "told"}},
		"x-amazon-apigateway-integration": {"type": "mock", "requestTemplates": {"application/json": "{\"statusCode\": 200}"}, "responses": {"default": {"statusCode": "200",
		"responseTemplates": {"application/json": "$context.stage $context.path $input.params('proxy') $context.domainName $context.domainPrefix [$context.identity.clientCert.subjectDN]"}}}}}}}}`
	x.api = *must(x, apigateway.ImportRestApi, &apigateway.ImportRestApiRequest{Body: []byte(document)}).Id
	for _, stage := range []string{"prod", "test"} {
		must(x, apigateway.CreateDeployment, &apigateway.CreateDeploymentRequest{RestApiId: &x.api, StageName: &stage})
	}
	return x
}

func must[I, O any](x *site, op call.Op[I, O], in *I) *O {
	x.t.Helper()
	out, err := call.Do(x.t.Context(), x.s.Board(), x.as, op, in)
	if err != nil {
		x.t.Fatal(err)
	}
	return out
}

// certificate requests one for a name.
func (x *site) certificate(name string) *string {
	x.t.Helper()
	return must(x, acm.RequestCertificate, &acm.RequestCertificateRequest{DomainName: &name, KeyAlgorithm: new("EC_prime256v1")}).CertificateArn
}

// client trusts the server's authority and finds every name at the server.
func (x *site) client(c *tls.Config) *http.Client {
	x.t.Helper()
	ca, err := x.s.Authority()
	if err != nil {
		x.t.Fatal(err)
	}
	c.RootCAs = x509.NewCertPool()
	c.RootCAs.AppendCertsFromPEM(ca)
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig: c, DisableKeepAlives: true, ForceAttemptHTTP2: true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, strings.TrimPrefix(x.s.Endpoint(), "http://"))
		},
	}}
}

// get returns the status and the body of an answer, or the error.
func get(c *http.Client, address string) string {
	rs, err := c.Get(address)
	if err != nil {
		return err.Error()
	}
	defer rs.Body.Close()
	b, _ := io.ReadAll(rs.Body)
	return fmt.Sprintf("%d %s", rs.StatusCode, b)
}

func (x *site) want(c *http.Client, address, want string) {
	x.t.Helper()
	if got := get(c, address); !strings.Contains(got, want) {
		x.t.Errorf("%s: %q, want %q", address, got, want)
	}
}

// refused wants no answer: the connection ends with the handshake, of which the
// client learns in one way or another.
func (x *site) refused(c *http.Client, address string) {
	x.t.Helper()
	if rs, err := c.Get(address); err == nil {
		rs.Body.Close()
		x.t.Errorf("%s: answered with %s", address, rs.Status)
	}
}

func TestCustomDomain(t *testing.T) {
	x := newSite(t)
	arn := x.certificate("api.example.test")
	d := must(x, apigateway.CreateDomainName, &apigateway.CreateDomainNameRequest{
		DomainName: new("API.example.test"), RegionalCertificateArn: arn, EndpointConfiguration: &apigateway.EndpointConfiguration{Types: []string{"REGIONAL"}},
	})
	if *d.DomainName != "api.example.test" || *d.SecurityPolicy != "TLS_1_2" || *d.DomainNameStatus != "AVAILABLE" {
		t.Errorf("made %+v", d)
	}
	for path, stage := range map[string]string{"": "prod", "v1": "test", "v1/pets": "prod", "free": ""} {
		in := &apigateway.CreateBasePathMappingRequest{DomainName: d.DomainName, RestApiId: &x.api}
		if path != "" {
			in.BasePath = &path
		}
		if stage != "" {
			in.Stage = &stage
		}
		must(x, apigateway.CreateBasePathMapping, in)
	}
	c := x.client(&tls.Config{})
	const at = "https://api.example.test"
	x.want(c, at+"/a/b", "200 prod /a/b a/b api.example.test api []")
	x.want(c, at+"/v1/a", "200 test /v1/a a api.example.test api []")
	x.want(c, at+"/v1/pets/a", "200 prod /v1/pets/a a api.example.test api []")
	x.want(c, at+"/free/test/a", "200 test /free/test/a a api.example.test api []")
	x.want(c, at+"/free/none/a", "403 ")
	x.want(c, "http://api.example.test/v1/a", "200 test /v1/a a") // a Host is enough where nothing asks for more
	x.want(c, "https://other.example.test/a", "403 ")

	// The API's own address goes away where that is asked for, the domain stays.
	own := "https://" + x.api + ".execute-api.localhost"
	x.want(c, own+"/prod/a", "200 prod /prod/a a "+x.api+".execute-api.localhost")
	must(x, apigateway.UpdateRestApi, &apigateway.UpdateRestApiRequest{RestApiId: &x.api, PatchOperations: []apigateway.PatchOperation{{Op: new("replace"), Path: new("/disableExecuteApiEndpoint"), Value: new("true")}}})
	must(x, apigateway.CreateDeployment, &apigateway.CreateDeploymentRequest{RestApiId: &x.api, StageName: new("prod")})
	x.want(c, own+"/prod/a", "403 ")
	x.want(c, at+"/a", "200 prod")

	_, err := call.Do(t.Context(), x.s.Board(), x.as, acm.DeleteCertificate, &acm.DeleteCertificateRequest{CertificateArn: arn})
	if !fault.Is(err, "ResourceInUseException") {
		t.Errorf("the certificate was deleted: %v", err)
	}
	must(x, apigateway.DeleteBasePathMapping, &apigateway.DeleteBasePathMappingRequest{DomainName: d.DomainName, BasePath: new("v1/pets")})
	x.want(c, at+"/v1/pets/a", "200 test /v1/pets/a pets/a")
	must(x, apigateway.DeleteDomainName, &apigateway.DeleteDomainNameRequest{DomainName: d.DomainName})
	x.want(c, at+"/a", "403 ") // as for any name that is nobody's
	must(x, acm.DeleteCertificate, &acm.DeleteCertificateRequest{CertificateArn: arn})
}

func TestSecurityPolicies(t *testing.T) {
	x := newSite(t)
	arn := x.certificate("*.example.test")
	for policy, access := range map[string]string{"TLS_1_0": "", "TLS_1_2": "", "SecurityPolicy_TLS13_1_3_2025_09": "STRICT", "SecurityPolicy_TLS13_1_2_PFS_PQ_2025_09": "BASIC"} {
		name := strings.ReplaceAll(strings.ToLower(policy), "_", "-") + ".example.test"
		in := &apigateway.CreateDomainNameRequest{DomainName: &name, RegionalCertificateArn: arn, SecurityPolicy: &policy}
		if access != "" {
			in.EndpointAccessMode = &access
		}
		must(x, apigateway.CreateDomainName, in)
		must(x, apigateway.CreateBasePathMapping, &apigateway.CreateBasePathMappingRequest{DomainName: &name, RestApiId: &x.api, Stage: new("prod")})
		least := map[string]uint16{"TLS_1_0": tls.VersionTLS10, "SecurityPolicy_TLS13_1_3_2025_09": tls.VersionTLS13}[policy]
		if least == 0 {
			least = tls.VersionTLS12
		}
		for _, v := range []uint16{tls.VersionTLS10, tls.VersionTLS11, tls.VersionTLS12, tls.VersionTLS13} {
			got := get(x.client(&tls.Config{MinVersion: v, MaxVersion: v}), "https://"+name+"/a")
			if strings.HasPrefix(got, "200 ") != (v >= least) {
				t.Errorf("%s with %s: %s", policy, tls.VersionName(v), got)
			}
		}
		// Who asks for one name at the handshake and another one in the request.
		got := get(x.client(&tls.Config{ServerName: "localhost"}), "https://"+name+"/a")
		if strings.HasPrefix(got, "403 ") != (access == "STRICT") {
			t.Errorf("%s by another name: %s", policy, got)
		}
	}
	for name, in := range map[string]*apigateway.CreateDomainNameRequest{
		"FIPS":                  {DomainName: new("a.example.test"), RegionalCertificateArn: arn, SecurityPolicy: new("SecurityPolicy_TLS13_1_3_FIPS_2025_09"), EndpointAccessMode: new("BASIC")},
		"endpoint access mode":  {DomainName: new("a.example.test"), RegionalCertificateArn: arn, SecurityPolicy: new("SecurityPolicy_TLS13_1_3_2025_09")},
		"not for the domain":    {DomainName: new("a.example.org"), RegionalCertificateArn: arn},
		"ROUTING_RULE_ONLY":     {DomainName: new("a.example.test"), RegionalCertificateArn: arn, RoutingMode: new("ROUTING_RULE_ONLY")},
		"PRIVATE":               {DomainName: new("a.example.test"), CertificateArn: arn, EndpointConfiguration: &apigateway.EndpointConfiguration{Types: []string{"PRIVATE"}}},
		"not found in ACM":      {DomainName: new("a.example.test"), RegionalCertificateArn: new(*arn + "0")},
		"must be in":            {DomainName: new("a.example.test"), RegionalCertificateArn: new(strings.Replace(*arn, "us-east-1", "eu-west-1", 1))},
		"is required":           {DomainName: new("a.example.test")},
		"already exists":        {DomainName: new("tls-1-2.example.test"), RegionalCertificateArn: arn},
		"Invalid domain name":   {DomainName: new("a_b"), RegionalCertificateArn: arn},
		"supported for the end": {DomainName: new("a.example.test"), CertificateArn: arn, MutualTlsAuthentication: &apigateway.MutualTlsAuthenticationInput{TruststoreUri: new("s3://none/none")}},
	} {
		if _, err := call.Do(t.Context(), x.s.Board(), x.as, apigateway.CreateDomainName, in); err == nil || !strings.Contains(err.Error(), name) && !strings.Contains(err.Error(), "Cannot read") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// pair makes a certificate signed by parent, or by itself.
func pair(t *testing.T, name string, parent *tls.Certificate) *tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(258), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	issuer, signer := c, any(key)
	if parent == nil {
		c.IsCA, c.BasicConstraintsValid = true, true
	} else {
		issuer, signer = parent.Leaf, parent.PrivateKey
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	}
	der, err := x509.CreateCertificate(rand.Reader, c, issuer, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func TestMutualTLS(t *testing.T) {
	x := newSite(t)
	ours, theirs := pair(t, "ours", nil), pair(t, "theirs", nil)
	put := func(all ...*tls.Certificate) {
		t.Helper()
		doc := ""
		for _, c := range all {
			doc += string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]}))
		}
		must(x, s3.PutObject, &s3.PutObjectRequest{Bucket: new("trust"), Key: new("store.pem"), Body: io.NopCloser(strings.NewReader(doc))})
	}
	must(x, s3.CreateBucket, &s3.CreateBucketRequest{Bucket: new("trust")})
	put(ours)
	name := "mutual.example.test"
	d := must(x, apigateway.CreateDomainName, &apigateway.CreateDomainNameRequest{
		DomainName: &name, RegionalCertificateArn: x.certificate(name), MutualTlsAuthentication: &apigateway.MutualTlsAuthenticationInput{TruststoreUri: new("s3://trust/store.pem")},
	})
	if len(d.MutualTlsAuthentication.TruststoreWarnings) != 0 {
		t.Errorf("warned of %v", d.MutualTlsAuthentication.TruststoreWarnings)
	}
	must(x, apigateway.CreateBasePathMapping, &apigateway.CreateBasePathMappingRequest{DomainName: &name, RestApiId: &x.api, Stage: new("prod")})
	at := "https://" + name + "/a"
	with := func(c *tls.Certificate) *http.Client {
		return x.client(&tls.Config{GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			if c == nil {
				return new(tls.Certificate), nil
			}
			return c, nil
		}})
	}
	good, bad := pair(t, "Ada", ours), pair(t, "Eve", theirs)
	x.want(with(good), at, "200 prod /a a mutual.example.test mutual [CN=Ada]")
	x.refused(with(bad), at)
	x.refused(with(nil), at)
	x.want(with(nil), "http://"+name+"/a", "403 ") // not around the handshake
	// Nor by the handshake of another name.
	x.want(x.client(&tls.Config{ServerName: "localhost"}), at, "403 ")

	// The trust store is read when the domain is updated, not before.
	put(theirs)
	x.refused(with(bad), at)
	patch := func(path, value string) {
		t.Helper()
		must(x, apigateway.UpdateDomainName, &apigateway.UpdateDomainNameRequest{DomainName: &name, PatchOperations: []apigateway.PatchOperation{{Op: new("replace"), Path: &path, Value: &value}}})
	}
	patch("/mutualTlsAuthentication/truststoreUri", "s3://trust/store.pem")
	x.want(with(bad), at, "200 prod /a a mutual.example.test mutual [CN=Eve]")
	x.refused(with(good), at)
	patch("/mutualTlsAuthentication/truststoreUri", "")
	x.want(with(nil), at, "200 prod")
	put(good)
	_, err := call.Do(t.Context(), x.s.Board(), x.as, apigateway.UpdateDomainName, &apigateway.UpdateDomainNameRequest{DomainName: &name, PatchOperations: []apigateway.PatchOperation{
		{Op: new("replace"), Path: new("/mutualTlsAuthentication/truststoreUri"), Value: new("s3://trust/none.pem")}}})
	if !fault.Is(err, "BadRequestException") {
		t.Errorf("a trust store that is not there: %v", err)
	}
	x.want(with(nil), at, "200 prod")
}
