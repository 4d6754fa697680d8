package apigateway

import (
	"context"
	"strings"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/apigateway"
	"github.com/tierra-cloud/tierra/internal/kernel/ids"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

// Client certificates prove to backends that requests come from here.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/getting-started-client-side-ssl-authentication.html

// certificatePath is the path of a stage's patches that gives it a certificate.
const certificatePath = "/clientCertificateId"

// certificateLife is for how long a client certificate is valid.
const certificateLife = 365 * 24 * time.Hour

func (s *Service) certificateBindings() []call.Binding {
	one := func(id *string) string { return "/clientcertificates/" + opt.Val(id) }
	return []call.Binding{
		call.Bind(api.GenerateClientCertificate, on(actionPost, func(*api.GenerateClientCertificateRequest) string { return "/clientcertificates" }), s.generateClientCertificate),
		call.Bind(api.GetClientCertificates, on(actionGet, func(*api.GetClientCertificatesRequest) string { return "/clientcertificates" }), s.getClientCertificates),
		call.Bind(api.GetClientCertificate, on(actionGet, func(in *api.GetClientCertificateRequest) string { return one(in.ClientCertificateId) }), s.getClientCertificate),
		call.Bind(api.UpdateClientCertificate, on(actionPatch, func(in *api.UpdateClientCertificateRequest) string { return one(in.ClientCertificateId) }), s.updateClientCertificate),
		call.Bind(api.DeleteClientCertificate, on(actionDelete, func(in *api.DeleteClientCertificateRequest) string { return one(in.ClientCertificateId) }), s.deleteClientCertificate),
	}
}

// clientCertificate is the record of a client certificate.
type clientCertificate struct {
	V           int               `json:"v"`
	ID          string            `json:"id"`
	Description string            `json:"description,omitempty"`
	PEM         string            `json:"pem"`
	Key         []byte            `json:"key"` // the private key, sealed
	Tags        map[string]string `json:"tags,omitempty"`
	Created     int64             `json:"created"`
	Expires     int64             `json:"expires"`
}

func (a area) clientCertificate(id string) []byte { return a.key("clientcertificate", id) }
func (a area) clientCertificates() []byte         { return a.key("clientcertificate") }

func (c *clientCertificate) answer() *api.ClientCertificate {
	return &api.ClientCertificate{
		ClientCertificateId: &c.ID, Description: opt.NonZero(c.Description), PemEncodedCertificate: &c.PEM,
		CreatedDate: seconds(c.Created), ExpirationDate: seconds(c.Expires), Tags: c.Tags,
	}
}

func loadCertificate(r data.Reader, a area, id string) (*clientCertificate, error) {
	c, err := data.Load[clientCertificate](r, a.clientCertificate(id))
	if err == nil && c == nil {
		err = api.NotFoundException("Invalid Client Certificate identifier specified")
	}
	return c, err
}

func (s *Service) generateClientCertificate(ctx context.Context, rq *call.Authorized, in *api.GenerateClientCertificateRequest) (*api.ClientCertificate, error) {
	if err := checkTags(in.Tags); err != nil {
		return nil, err
	}
	a, now := areaOf(rq), rq.Time()
	c := &clientCertificate{
		V: 1, ID: s.ids.Of(ids.LowerAlnum, 6), Description: opt.Val(in.Description), Tags: in.Tags,
		Created: millis(now), Expires: millis(now.Add(certificateLife)),
	}
	if err := s.mint(a, c); err != nil {
		return nil, err
	}
	err := s.store.Update(ctx, func(t data.Txn) error { return data.Save(t, a.clientCertificate(c.ID), c) })
	return c.answer(), err
}

func (s *Service) getClientCertificate(ctx context.Context, rq *call.Authorized, in *api.GetClientCertificateRequest) (out *api.ClientCertificate, err error) {
	err = s.store.View(ctx, func(r data.Reader) error {
		c, err := loadCertificate(r, areaOf(rq), *in.ClientCertificateId)
		if err == nil {
			out = c.answer()
		}
		return err
	})
	return out, err
}

func (s *Service) getClientCertificates(ctx context.Context, rq *call.Authorized, in *api.GetClientCertificatesRequest) (*api.ClientCertificates, error) {
	out := &api.ClientCertificates{Items: []api.ClientCertificate{}}
	err := s.store.View(ctx, func(r data.Reader) error {
		all, err := data.LoadAll[clientCertificate](r, areaOf(rq).clientCertificates())
		if err != nil {
			return err
		}
		all, out.Position, err = pageOf(all, in.Position, in.Limit, func(c *clientCertificate) string { return c.ID })
		for _, c := range all {
			out.Items = append(out.Items, *c.answer())
		}
		return err
	})
	return out, err
}

func (s *Service) updateClientCertificate(ctx context.Context, rq *call.Authorized, in *api.UpdateClientCertificateRequest) (out *api.ClientCertificate, err error) {
	a := areaOf(rq)
	err = s.store.Update(ctx, func(t data.Txn) error {
		c, err := loadCertificate(t, a, *in.ClientCertificateId)
		if err != nil {
			return err
		}
		if err := (edits{"replace /description": text(&c.Description)}).apply(in.PatchOperations); err != nil {
			return err
		}
		out = c.answer()
		return data.Save(t, a.clientCertificate(c.ID), c)
	})
	return out, err
}

func (s *Service) deleteClientCertificate(ctx context.Context, rq *call.Authorized, in *api.DeleteClientCertificateRequest) (*call.None, error) {
	a, id := areaOf(rq), *in.ClientCertificateId
	return &call.None{}, s.store.Update(ctx, func(t data.Txn) error {
		if _, err := loadCertificate(t, a, id); err != nil {
			return err
		}
		stages, err := data.LoadAll[stage](t, a.key("stage"))
		if err != nil {
			return err
		}
		var users []string
		for _, st := range stages {
			if st.Certificate == id {
				users = append(users, st.Name)
			}
		}
		if users != nil {
			return api.BadRequestException("Client certificate %s is in use by the stages [%s]: they must be moved to another one or deleted", id, strings.Join(users, ", "))
		}
		return t.Delete(a.clientCertificate(id))
	})
}

// certificateEdits adds what a patch may do with a stage's client certificate.
func (st *stage) certificateEdits(e edits, r data.Reader, a area) {
	e["replace "+certificatePath] = func(_, v string) error {
		st.Certificate = v
		if v == "" {
			return nil
		}
		_, err := loadCertificate(r, a, v)
		return err
	}
	e["remove "+certificatePath] = func(_, _ string) error { st.Certificate = ""; return nil }
}
