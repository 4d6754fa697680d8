package apigateway

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"regexp"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/apigateway"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/services/apigateway/proxy"
)

// Base path mappings lead from a path below a custom domain name to a stage.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/rest-api-mappings.html

// noBasePath is how the API writes the mapping of what no other one takes.
const noBasePath = "(none)"

func onMapping(name, path *string) string { return onDomain(name, "basepathmappings", opt.Val(path)) }

func (s *Service) basePathBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.CreateBasePathMapping, on(actionPost, func(in *api.CreateBasePathMappingRequest) string {
			return onDomain(in.DomainName, "basepathmappings")
		}), s.createBasePathMapping),
		call.Bind(api.GetBasePathMapping, on(actionGet, func(in *api.GetBasePathMappingRequest) string { return onMapping(in.DomainName, in.BasePath) }), s.getBasePathMapping),
		call.Bind(api.GetBasePathMappings, on(actionGet, func(in *api.GetBasePathMappingsRequest) string {
			return onDomain(in.DomainName, "basepathmappings")
		}), s.getBasePathMappings),
		call.Bind(api.UpdateBasePathMapping, on(actionPatch, func(in *api.UpdateBasePathMappingRequest) string {
			return onMapping(in.DomainName, in.BasePath)
		}), s.updateBasePathMapping),
		call.Bind(api.DeleteBasePathMapping, on(actionDelete, func(in *api.DeleteBasePathMappingRequest) string {
			return onMapping(in.DomainName, in.BasePath)
		}), s.deleteBasePathMapping),
	}
}

// basePath is the record of a base path mapping.
type basePath struct {
	V     int    `json:"v"`
	Path  string `json:"path"` // "" is (none)
	API   string `json:"api"`
	Stage string `json:"stage,omitempty"`
}

func (m *basePath) answer() *api.BasePathMapping {
	out := &api.BasePathMapping{BasePath: &m.Path, RestApiId: &m.API, Stage: opt.NonZero(m.Stage)}
	if m.Path == "" {
		out.BasePath = new(noBasePath)
	}
	return out
}

// readBasePath reads a base path as it is given.
func readBasePath(s string) (string, error) {
	if s == noBasePath || s == "" {
		return "", nil
	}
	if !regexp.MustCompile(`^[A-Za-z0-9$_.+!*'()-]+(/[A-Za-z0-9$_.+!*'()-]+)*$`).MatchString(s) || len(s) > 300 {
		return "", api.BadRequestException("Invalid base path: %s. Base paths may contain letters, digits and $-_.+!*'() and slashes between them.", s)
	}
	return s, nil
}

// checkTarget checks that there is what a mapping leads to.
func checkTarget(r data.Reader, a area, m *basePath) error {
	if _, err := loadAPI(r, a, m.API); err != nil {
		return err
	}
	if m.Stage == "" {
		return nil
	}
	_, err := loadStage(r, a, m.API, m.Stage)
	return err
}

func loadMapping(r data.Reader, a area, name, path string) (*basePath, error) {
	if _, err := loadDomain(r, a, name); err != nil {
		return nil, err
	}
	m, err := data.Load[basePath](r, a.mapping(name, path))
	if err == nil && m == nil {
		err = api.NotFoundException("Invalid base path mapping identifier specified")
	}
	return m, err
}

// remap changes the mappings of a domain and makes them act.
func (s *Service) remap(ctx context.Context, rq *call.Authorized, name, id *string, f func(t data.Txn, a area, name string) error) error {
	n, err := named(name, id)
	if err != nil {
		return err
	}
	a := areaOf(rq)
	s.domaining.Lock()
	defer s.domaining.Unlock()
	if err := s.store.Update(ctx, func(t data.Txn) error { return f(t, a, n) }); err != nil {
		return err
	}
	return s.publishDomain(ctx, a, n)
}

func (s *Service) createBasePathMapping(ctx context.Context, rq *call.Authorized, in *api.CreateBasePathMappingRequest) (*api.BasePathMapping, error) {
	m := &basePath{V: 1, API: *in.RestApiId, Stage: opt.Val(in.Stage)}
	var err error
	if m.Path, err = readBasePath(opt.Val(in.BasePath)); err != nil {
		return nil, err
	}
	err = s.remap(ctx, rq, in.DomainName, in.DomainNameId, func(t data.Txn, a area, name string) error {
		if _, err := loadDomain(t, a, name); err != nil {
			return err
		}
		if err := checkTarget(t, a, m); err != nil {
			return err
		}
		if was, err := data.Load[basePath](t, a.mapping(name, m.Path)); err != nil || was != nil {
			if err == nil {
				err = api.ConflictException("Base path already exists for this domain name")
			}
			return err
		}
		return data.Save(t, a.mapping(name, m.Path), m)
	})
	return m.answer(), err
}

func (s *Service) getBasePathMapping(ctx context.Context, rq *call.Authorized, in *api.GetBasePathMappingRequest) (out *api.BasePathMapping, err error) {
	name, err := named(in.DomainName, in.DomainNameId)
	if err != nil {
		return nil, err
	}
	path, err := readBasePath(*in.BasePath)
	if err != nil {
		return nil, err
	}
	err = s.store.View(ctx, func(r data.Reader) error {
		m, err := loadMapping(r, areaOf(rq), name, path)
		if err == nil {
			out = m.answer()
		}
		return err
	})
	return out, err
}

func (s *Service) getBasePathMappings(ctx context.Context, rq *call.Authorized, in *api.GetBasePathMappingsRequest) (*api.BasePathMappings, error) {
	name, err := named(in.DomainName, in.DomainNameId)
	if err != nil {
		return nil, err
	}
	a, out := areaOf(rq), &api.BasePathMappings{}
	err = s.store.View(ctx, func(r data.Reader) error {
		if _, err := loadDomain(r, a, name); err != nil {
			return err
		}
		all, err := data.LoadAll[basePath](r, a.mappings(name))
		if err != nil {
			return err
		}
		all, out.Position, err = pageOf(all, in.Position, in.Limit, func(m *basePath) string { return *m.answer().BasePath })
		for _, m := range all {
			out.Items = append(out.Items, *m.answer())
		}
		return err
	})
	return out, err
}

func (s *Service) updateBasePathMapping(ctx context.Context, rq *call.Authorized, in *api.UpdateBasePathMappingRequest) (out *api.BasePathMapping, err error) {
	path, err := readBasePath(*in.BasePath)
	if err != nil {
		return nil, err
	}
	err = s.remap(ctx, rq, in.DomainName, in.DomainNameId, func(t data.Txn, a area, name string) error {
		m, err := loadMapping(t, a, name, path)
		if err != nil {
			return err
		}
		to := text(&m.API)
		e := edits{
			"replace /basePath": func(_, v string) (err error) {
				m.Path, err = readBasePath(v)
				return err
			},
			"replace /restapiId": to, "replace /restApiId": to, "replace /stage": text(&m.Stage),
			"remove /stage": func(_, _ string) error { m.Stage = ""; return nil },
		}
		if err := e.apply(in.PatchOperations); err != nil {
			return err
		}
		if err := checkTarget(t, a, m); err != nil {
			return err
		}
		if m.Path != path {
			if was, err := data.Load[basePath](t, a.mapping(name, m.Path)); err != nil || was != nil {
				if err == nil {
					err = api.ConflictException("Base path already exists for this domain name")
				}
				return err
			}
			if err := t.Delete(a.mapping(name, path)); err != nil {
				return err
			}
		}
		out = m.answer()
		return data.Save(t, a.mapping(name, m.Path), m)
	})
	return out, err
}

func (s *Service) deleteBasePathMapping(ctx context.Context, rq *call.Authorized, in *api.DeleteBasePathMappingRequest) (*call.None, error) {
	path, err := readBasePath(*in.BasePath)
	if err != nil {
		return nil, err
	}
	return &call.None{}, s.remap(ctx, rq, in.DomainName, in.DomainNameId, func(t data.Txn, a area, name string) error {
		if _, err := loadMapping(t, a, name, path); err != nil {
			return err
		}
		return t.Delete(a.mapping(name, path))
	})
}

// arrive finds the API, and the path with the stage before it, of a request to a
// custom domain name. A request that the domain does not take is a failure.
func (s *Service) arrive(x *exchange, c *tls.ConnectionState, at call.Address) (id, staged string, failed *failure) {
	d := s.domains.Find(at.Domain)
	if d == nil || !d.Secure(c) {
		return "", "", forbidden
	}
	m, rest, ok := d.Match(at.Path)
	if !ok {
		return "", "", forbidden
	}
	if a := s.live.find(m.API); a == nil || a.account != d.Account || a.region != d.Region {
		return "", "", forbidden
	}
	x.rq.DomainName = at.Domain
	x.rq.DomainPrefix, _, _ = strings.Cut(at.Domain, ".")
	x.custom, x.rq.Custom = true, true
	if m.Path != "" {
		x.rq.Base = "/" + m.Path
	}
	if d.Clients != nil {
		x.rq.Identity.Certificate = certificateOf(c.PeerCertificates[0])
	}
	if m.Stage == "" { // the caller says which
		stage, _, _ := strings.Cut(rest[1:], "/")
		x.rq.Base += "/" + stage
		return m.API, rest, nil
	}
	return m.API, "/" + m.Stage + rest, nil
}

// certificateOf is what events tell of a client's certificate.
func certificateOf(c *x509.Certificate) *proxy.Certificate {
	serial := ""
	for i, b := range c.SerialNumber.Bytes() {
		if i > 0 {
			serial += ":"
		}
		serial += hex.EncodeToString([]byte{b})
	}
	return &proxy.Certificate{
		PEM: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})), Subject: c.Subject.String(), Issuer: c.Issuer.String(), Serial: serial,
		NotBefore: c.NotBefore.UTC().Format(proxy.CertificateTime), NotAfter: c.NotAfter.UTC().Format(proxy.CertificateTime),
	}
}
