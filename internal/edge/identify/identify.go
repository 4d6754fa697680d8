// Package identify tells what a request is for before anything of it is
// trusted: a public address (an API, a website, a function URL), one of the
// platform's own pages, or an operation of a service.
package identify

import (
	"net"
	"net/http"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/edge/sigv4"
	"github.com/tierra-cloud/tierra/internal/kernel/model"
)

// Suffixes are the host names below which public addresses and services stand.
var suffixes = []string{"localhost.localstack.cloud", "localhost", "amazonaws.com"}

// Directory knows the services by the names under which requests ask for them.
type Directory struct {
	bySigning map[string][]*model.Service
	byTarget  map[string]*model.Service
	bySmithy  map[string]*model.Service
	byHost    map[string]*model.Service
	byVersion map[string]*model.Service // API version of the query services
	s3        *model.Service
	domains   []string
}

// NewDirectory indexes services. domains are further host names of this server.
func NewDirectory(services []*model.Service, domains ...string) *Directory {
	d := &Directory{
		bySigning: map[string][]*model.Service{}, byTarget: map[string]*model.Service{}, bySmithy: map[string]*model.Service{},
		byHost: map[string]*model.Service{}, byVersion: map[string]*model.Service{}, domains: append(domains, suffixes...),
	}
	for _, s := range services {
		d.bySigning[s.SigningName] = append(d.bySigning[s.SigningName], s)
		if s.TargetPrefix != "" {
			d.byTarget[s.TargetPrefix] = s
		}
		d.bySmithy[s.SmithyName] = s
		d.byHost[s.EndpointPrefix] = s
		if s.Speaks(model.Query) {
			d.byVersion[s.APIVersion] = s
		}
		if s.Name == "s3" {
			d.s3 = s
		}
	}
	return d
}

// Target is what a request is for. Exactly one of Face, Page and Service is set.
type Target struct {
	Face *call.Address
	// Page is the path of one of the platform's own pages: "/_localstack/health".
	Page string
	// Service and Protocol are those of an API call; Action is the operation's
	// name as far as a header or the path says it.
	Service  *model.Service
	Protocol model.Protocol
	Action   string
	// Bucket is the bucket that the host names (virtual-host style).
	Bucket string
	// Region is what the host says; "" if nothing.
	Region string
}

// Locate looks at a request's host and path for a public address or a page of
// the platform; what is neither is an API call, for which Service asks further.
func (d *Directory) Locate(r *http.Request) Target {
	path := r.URL.EscapedPath()
	if strings.HasPrefix(path, "/_") {
		if t, ok := underscore(r, path); ok {
			return t
		}
	}
	if rest, ok := strings.CutPrefix(path, "/restapis/"); ok {
		if p := strings.SplitN(rest, "/", 4); len(p) >= 3 && p[2] == "_user_request_" {
			return userRequest(r, p)
		}
	}
	labels := d.labels(r.Host)
	if f := registry(r, labels, path); f != nil {
		return Target{Face: f, Region: f.Region}
	}
	if len(labels) >= 2 {
		if f := face(r, labels, path); f != nil {
			return Target{Face: f, Region: f.Region}
		}
	}
	return d.hostService(labels)
}

// labels returns the labels of host that stand before one of our domains.
func (d *Directory) labels(host string) []string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	for _, dom := range d.domains {
		if rest, ok := strings.CutSuffix(host, "."+dom); ok {
			return strings.Split(rest, ".")
		}
	}
	return nil
}

func base(r *http.Request, path string) string {
	return scheme(r) + "://" + r.Host + path
}

func scheme(r *http.Request) string {
	if r.TLS != nil {
		return "https"
	}
	return "http"
}

// face recognises <id>.<kind>[.<region>].
func face(r *http.Request, labels []string, path string) *call.Address {
	for i := 1; i < len(labels); i++ {
		kind, region := labels[i], ""
		if reg, ok := strings.CutPrefix(kind, "s3-website-"); ok {
			kind, region = "s3-website", reg
		}
		switch kind {
		case "execute-api", "s3-website", "lambda-url":
		default:
			continue
		}
		if i+1 < len(labels) {
			region = labels[i+1]
		}
		return &call.Address{Kind: kind, ID: strings.Join(labels[:i], "."), Region: region, Path: path, Base: base(r, "")}
	}
	return nil
}

// registry recognises the registry protocol of container images: by a host of the
// form <account>.dkr.ecr.<region>, whose account is the address's ID, or by a path
// below /v2/ that no service's API has. What is signed is a call of an API.
func registry(r *http.Request, labels []string, path string) *call.Address {
	if path != "/v2" && !strings.HasPrefix(path, "/v2/") || strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-") {
		return nil
	}
	a := &call.Address{Kind: "ecr", Path: path, Base: base(r, "")}
	if len(labels) == 4 && labels[1] == "dkr" && labels[2] == "ecr" {
		a.ID, a.Region = labels[0], labels[3]
		return a
	}
	for _, part := range [...]string{"/blobs/", "/manifests/", "/tags/list", "/referrers/"} {
		if strings.Contains(path, part) {
			return a
		}
	}
	if path == "/v2" || path == "/v2/" || path == "/v2/_catalog" || strings.HasPrefix(r.Header.Get("Authorization"), "Basic ") {
		return a
	}
	return nil
}

// underscore recognises /_aws/<kind>/<id>/… and the platform's own pages.
func underscore(r *http.Request, path string) (Target, bool) {
	if rest, ok := strings.CutPrefix(path, "/_aws/"); ok {
		p := strings.SplitN(rest, "/", 3)
		if len(p) >= 2 && p[1] != "" && (p[0] == "execute-api" || p[0] == "s3-website" || p[0] == "lambda-url") {
			below := "/"
			if len(p) == 3 {
				below += p[2]
			}
			return Target{Face: &call.Address{Kind: p[0], ID: p[1], Path: below, Base: base(r, "/_aws/"+p[0]+"/"+p[1])}}, true
		}
	}
	if strings.HasPrefix(path, "/_localstack/") || strings.HasPrefix(path, "/_tierra/") {
		return Target{Page: path}, true
	}
	return Target{}, false
}

// userRequest recognises /restapis/<id>/<stage>/_user_request_/….
func userRequest(r *http.Request, p []string) Target {
	below := "/" + p[1] + "/"
	if len(p) == 4 {
		below += p[3]
	}
	return Target{Face: &call.Address{Kind: "execute-api", ID: p[0], Path: below, Base: base(r, "/restapis/"+p[0]+"/"+p[1]+"/_user_request_")}}
}

// hostService recognises [<bucket>.]s3[.<region>] and <service>[.<region>].
func (d *Directory) hostService(labels []string) Target {
	var t Target
	for i, l := range labels {
		region := ""
		if i+1 < len(labels) {
			region = labels[i+1]
		}
		if r, ok := strings.CutPrefix(l, "s3-"); ok && strings.Count(r, "-") >= 2 {
			l, region = "s3", r
		}
		if l == "s3" && d.s3 != nil {
			t.Service, t.Region, t.Bucket = d.s3, region, strings.Join(labels[:i], ".")
			return t
		}
	}
	if len(labels) > 0 {
		if s := d.byHost[labels[0]]; s != nil {
			t.Service = s
			if len(labels) > 1 {
				t.Region = labels[1]
			}
		}
	}
	return t
}

// Service finds out which service's API a request calls, and in which protocol.
// What the signature is for counts most, because clients may reach every service
// at one address; then X-Amz-Target, the path, the host. form is the request's
// body if it is a form. A nil Service means that nothing fits.
func (d *Directory) Service(t Target, r *http.Request, sig *sigv4.Signature, form func() map[string][]string) Target {
	target := r.Header.Get("X-Amz-Target")
	prefix, action, _ := strings.Cut(target, ".")
	if i := strings.LastIndexByte(target, '.'); i >= 0 {
		prefix, action = target[:i], target[i+1:]
	}
	byTarget := d.byTarget[prefix]
	path := r.URL.Path
	cbor := r.Header.Get("Smithy-Protocol") == "rpc-v2-cbor"
	host := t.Service
	t.Service = nil
	switch {
	case cbor:
		if rest, ok := strings.CutPrefix(path, "/service/"); ok {
			p := strings.Split(rest, "/")
			if len(p) == 3 && p[1] == "operation" {
				t.Service, t.Protocol, t.Action = d.bySmithy[p[0]], model.RPCv2CBOR, p[2]
				return t
			}
		}
	case byTarget != nil && (sig == nil || byTarget.SigningName == sig.Service):
		t.Service, t.Protocol, t.Action = byTarget, model.JSON, action
		return t
	}
	if sig != nil {
		t.Service = pick(d.bySigning[sig.Service], path)
	}
	isForm := strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded")
	if t.Service == nil && sig == nil {
		if isForm && r.Method == http.MethodPost && host == nil {
			if v := form()["Version"]; len(v) == 1 {
				t.Service = d.byVersion[v[0]]
			}
		}
		if v := r.URL.Query().Get("Version"); t.Service == nil && v != "" && r.URL.Query().Get("Action") != "" {
			t.Service = d.byVersion[v]
		}
		if t.Service == nil {
			t.Service = host
		}
		if t.Service == nil && target == "" && !isForm {
			t.Service = d.s3
		}
	}
	if t.Service == nil {
		return t
	}
	t.Protocol = protocolOf(t.Service, r, isForm, target != "")
	if t.Protocol == model.JSON {
		t.Action = action
	}
	return t
}

// pick chooses among the services that share a signing name.
func pick(services []*model.Service, path string) *model.Service {
	for _, s := range services {
		if s.Name == "apigatewayv2" && (path == "/v2" || strings.HasPrefix(path, "/v2/")) {
			return s
		}
	}
	for _, s := range services {
		if s.Name != "apigatewayv2" {
			return s
		}
	}
	return nil
}

func protocolOf(s *model.Service, r *http.Request, isForm, hasTarget bool) model.Protocol {
	if hasTarget && s.Speaks(model.JSON) {
		return model.JSON
	}
	if (isForm || r.Method == http.MethodGet && r.URL.Query().Get("Action") != "") && s.Speaks(model.Query) {
		return model.Query
	}
	if isForm && s.Speaks(model.EC2) {
		return model.EC2
	}
	for _, p := range s.Protocols {
		if p != model.RPCv2CBOR {
			return p
		}
	}
	return s.Protocols[0]
}
