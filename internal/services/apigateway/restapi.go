package apigateway

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/apigateway"
	"github.com/tierra-cloud/tierra/internal/kernel/ids"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/services/apigateway/definition"
)

func (s *Service) restAPIBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.CreateRestApi, call.Rule(func(_ context.Context, rq *call.Decoded, in *api.CreateRestApiRequest) ([]call.Need, error) {
			needs := policyNeeds(actionPost, resourceARN(rq.Region(), "/restapis"), opt.Val(in.Policy) != "")
			if in.CloneFrom != nil {
				needs = append(needs, call.Need{Action: actionGet, Resource: resourceARN(rq.Region(), below(in.CloneFrom))})
			}
			return needs, nil
		}, actionPost, actionPolicy, actionGet), s.createRestApi),
		call.Bind(api.GetRestApi, on(actionGet, func(in *api.GetRestApiRequest) string { return below(in.RestApiId) }), s.getRestApi),
		call.Bind(api.GetRestApis, on(actionGet, func(*api.GetRestApisRequest) string { return "/restapis" }), s.getRestApis),
		call.Bind(api.UpdateRestApi, call.Rule(func(_ context.Context, rq *call.Decoded, in *api.UpdateRestApiRequest) ([]call.Need, error) {
			touches := slices.ContainsFunc(in.PatchOperations, func(p api.PatchOperation) bool { return strings.HasPrefix(opt.Val(p.Path), "/policy") })
			return policyNeeds(actionPatch, resourceARN(rq.Region(), below(in.RestApiId)), touches), nil
		}, actionPatch, actionPolicy), s.updateRestApi),
		call.Bind(api.DeleteRestApi, on(actionDelete, func(in *api.DeleteRestApiRequest) string { return below(in.RestApiId) }), s.deleteRestApi),
	}
}

// actionPolicy is what a change of a resource policy takes beside its operation.
const actionPolicy = "apigateway:UpdateRestApiPolicy"

// policyNeeds are an action and, if it touches a resource policy, what that takes.
func policyNeeds(action, resource string, touches bool) []call.Need {
	needs := []call.Need{{Action: action, Resource: resource}}
	if touches {
		needs = append(needs, call.Need{Action: actionPolicy, Resource: resource})
	}
	return needs
}

// Endpoint types. Both are one here: there is no network of edge locations.
const (
	endpointEdge     = api.EndpointTypeEdge
	endpointRegional = api.EndpointTypeRegional
)

func checkEndpoint(typ string) error {
	switch typ {
	case endpointEdge, endpointRegional:
		return nil
	case api.EndpointTypePrivate:
		return refuse("the endpoint type PRIVATE")
	}
	return api.BadRequestException("Invalid endpoint type specified: %s", typ)
}

// setEndpoint takes an endpoint configuration into the record.
func (x *restAPI) setEndpoint(c *api.EndpointConfiguration) error {
	if c == nil {
		return nil
	}
	if len(c.VpcEndpointIds) > 0 {
		return refuse("endpointConfiguration.vpcEndpointIds")
	}
	if len(c.Types) > 1 {
		return api.BadRequestException("Only one endpoint type can be specified.")
	}
	for _, t := range c.Types {
		if err := checkEndpoint(t); err != nil {
			return err
		}
		x.Endpoint = t
	}
	x.Addresses = opt.Val(c.IpAddressType)
	return nil
}

func (s *Service) createRestApi(ctx context.Context, rq *call.Authorized, in *api.CreateRestApiRequest) (*api.RestApi, error) {
	err := refuseAny(
		given{"securityPolicy", in.SecurityPolicy != nil}, given{"endpointAccessMode", in.EndpointAccessMode != nil},
	)
	if err != nil {
		return nil, err
	}
	if *in.Name == "" {
		return nil, api.BadRequestException("Invalid API name specified")
	}
	if err := checkTags(in.Tags); err != nil {
		return nil, err
	}
	if _, err := setPolicy(areaOf(rq), "", opt.Val(in.Policy)); err != nil {
		return nil, err
	}
	if err := definition.CheckCompression(in.MinimumCompressionSize); err != nil {
		return nil, faultOf(err)
	}
	var d *definition.API
	var parts []definition.Part
	if in.CloneFrom != nil {
		if d, parts, err = s.clone(ctx, rq, *in.CloneFrom); err != nil {
			return nil, err
		}
	}
	x := s.newAPI(opt.Val(in.Name), opt.Val(in.Description), rq)
	x.Version, x.Tags = opt.Val(in.Version), in.Tags
	if err := x.setEndpoint(in.EndpointConfiguration); err != nil {
		return nil, err
	}
	if d == nil {
		d = definition.New(s.ids.Of(ids.LowerAlnum, 10))
		addDefaultModels(d, s.newID)
	}
	d.KeySource = opt.Val(in.ApiKeySource)
	d.Binary, d.Disabled, d.MinCompression = in.BinaryMediaTypes, opt.Val(in.DisableExecuteApiEndpoint), in.MinimumCompressionSize
	if d.Policy, err = setPolicy(areaOf(rq), x.ID, opt.Val(in.Policy)); err != nil {
		return nil, err
	}
	return s.saveNew(ctx, rq, x, d, parts...)
}

// clone loads what a new API takes over of another: all that is below it, and
// nothing that the request for the new one tells.
func (s *Service) clone(ctx context.Context, rq *call.Authorized, id string) (d *definition.API, parts []definition.Part, err error) {
	err = s.store.View(ctx, func(r data.Reader) error {
		doc, err := loadParts(r, areaOf(rq), id)
		if err != nil {
			return err
		}
		parts = doc.Parts
		d, err = loadDefinition(r, areaOf(rq), id)
		return err
	})
	return d, parts, err
}

// newAPI makes the record of an API with a fresh id. Ids are unique among all
// accounts, because addresses have nothing else.
func (s *Service) newAPI(name, description string, rq *call.Authorized) *restAPI {
	id := s.ids.Of(ids.LowerAlnum, 10)
	for s.live.find(id) != nil {
		id = s.ids.Of(ids.LowerAlnum, 10)
	}
	return &restAPI{V: 1, ID: id, Name: name, Description: description, Created: millis(rq.Time()), Endpoint: endpointEdge}
}

// newID makes an id of a part of an API.
func (s *Service) newID() string { return s.ids.Of(ids.LowerAlnum, 6) }

func (s *Service) saveNew(ctx context.Context, rq *call.Authorized, x *restAPI, d *definition.API, parts ...definition.Part) (*api.RestApi, error) {
	a := areaOf(rq)
	err := s.store.Update(ctx, func(t data.Txn) error {
		if len(parts) > 0 {
			if _, err := addParts(t, a, x.ID, parts, true); err != nil {
				return err
			}
		}
		if err := data.Save(t, a.api(x.ID), x); err != nil {
			return err
		}
		return data.Save(t, a.definition(x.ID), d)
	})
	if err != nil {
		return nil, err
	}
	return x.answer(d), s.publish(ctx, a, x.ID)
}

func (x *restAPI) answer(d *definition.API) *api.RestApi {
	return &api.RestApi{
		Id: &x.ID, Name: &x.Name, Description: opt.NonZero(x.Description), Version: opt.NonZero(x.Version), CreatedDate: seconds(x.Created),
		BinaryMediaTypes: d.Binary, MinimumCompressionSize: d.MinCompression, ApiKeySource: new(opt.Or(opt.NonZero(d.KeySource), api.ApiKeySourceTypeHeader)), Warnings: x.Warnings, Tags: x.Tags, Policy: opt.NonZero(d.Policy),
		EndpointConfiguration:     &api.EndpointConfiguration{Types: []string{x.Endpoint}, IpAddressType: new(opt.Or(opt.NonZero(x.Addresses), api.IpAddressTypeIpv4))},
		DisableExecuteApiEndpoint: &d.Disabled, RootResourceId: &d.Root,
	}
}

func (s *Service) getRestApi(ctx context.Context, rq *call.Authorized, in *api.GetRestApiRequest) (out *api.RestApi, err error) {
	a := areaOf(rq)
	err = s.store.View(ctx, func(r data.Reader) error {
		x, err := loadAPI(r, a, *in.RestApiId)
		if err != nil {
			return err
		}
		d, err := loadDefinition(r, a, *in.RestApiId)
		if err == nil {
			out = x.answer(d)
		}
		return err
	})
	return out, err
}

func (s *Service) getRestApis(ctx context.Context, rq *call.Authorized, in *api.GetRestApisRequest) (*api.RestApis, error) {
	a := areaOf(rq)
	out := &api.RestApis{}
	err := s.store.View(ctx, func(r data.Reader) error {
		all, err := data.LoadAll[restAPI](r, a.apis())
		if err != nil {
			return err
		}
		all, out.Position, err = pageOf(all, in.Position, in.Limit, func(x *restAPI) string { return x.ID })
		for _, x := range all {
			d, err := loadDefinition(r, a, x.ID)
			if err != nil {
				return err
			}
			out.Items = append(out.Items, *x.answer(d))
		}
		return err
	})
	return out, err
}

func (s *Service) updateRestApi(ctx context.Context, rq *call.Authorized, in *api.UpdateRestApiRequest) (out *api.RestApi, err error) {
	a := areaOf(rq)
	err = s.store.Update(ctx, func(t data.Txn) error {
		x, err := loadAPI(t, a, *in.RestApiId)
		if err != nil {
			return err
		}
		d, err := loadDefinition(t, a, x.ID)
		if err != nil {
			return err
		}
		endpoint := func(_, value string) error {
			if err := checkEndpoint(value); err != nil {
				return err
			}
			x.Endpoint = value
			return nil
		}
		e := edits{
			"replace /description": text(&x.Description), "replace /version": text(&x.Version),
			"replace /name": func(_, v string) error {
				if v == "" {
					return api.BadRequestException("Invalid API name specified")
				}
				x.Name = v
				return nil
			},
			"replace /policy": func(_, v string) (err error) {
				d.Policy, err = setPolicy(a, x.ID, v)
				return err
			},
			"remove /policy": func(_, _ string) error { d.Policy = ""; return nil },
			"replace /apiKeySource": func(_, v string) error {
				if v != api.ApiKeySourceTypeHeader && v != api.ApiKeySourceTypeAuthorizer {
					return api.BadRequestException("Invalid API Key Source specified: %s", v)
				}
				d.KeySource = v
				return nil
			},
			"replace /disableExecuteApiEndpoint": boolean(&d.Disabled),
			"replace /minimumCompressionSize": func(_, v string) error {
				if d.MinCompression = nil; v == "" || v == "null" {
					return nil
				}
				n, err := strconv.ParseInt(v, 10, 32)
				if err != nil {
					n = -1
				}
				d.MinCompression = new(int32(n))
				return definition.CheckCompression(d.MinCompression)
			},
			"remove /minimumCompressionSize": func(_, _ string) error { d.MinCompression = nil; return nil },
			"add /binaryMediaTypes/*": func(name, _ string) error {
				if !slices.Contains(d.Binary, name) {
					d.Binary = append(d.Binary, name)
				}
				return nil
			},
			"remove /binaryMediaTypes/*": func(name, _ string) error {
				d.Binary = slices.DeleteFunc(d.Binary, func(b string) bool { return b == name })
				return nil
			},
			"replace /binaryMediaTypes/*": func(name, value string) error {
				if i := slices.Index(d.Binary, name); i >= 0 {
					d.Binary[i] = value
				}
				return nil
			},
			"replace /endpointConfiguration/types/*":       endpoint,
			"add /endpointConfiguration/types":             endpoint,
			"replace /endpointConfiguration/types":         endpoint,
			"replace /endpointConfiguration/ipAddressType": text(&x.Addresses),
		}
		if err := e.apply(in.PatchOperations, "/vpcEndpointIds", "/securityPolicy", "/endpointAccessMode"); err != nil {
			return err
		}
		out = x.answer(d)
		if err := data.Save(t, a.api(x.ID), x); err != nil {
			return err
		}
		return data.Save(t, a.definition(x.ID), d)
	})
	return out, err
}

func (s *Service) deleteRestApi(ctx context.Context, rq *call.Authorized, in *api.DeleteRestApiRequest) (*call.None, error) {
	a := areaOf(rq)
	err := s.store.Update(ctx, func(t data.Txn) error {
		if _, err := loadAPI(t, a, *in.RestApiId); err != nil {
			return err
		}
		for _, prefix := range a.everythingOf(*in.RestApiId) {
			for p, err := range t.Scan(prefix, data.PrefixEnd(prefix), false) {
				if err != nil {
					return err
				}
				if err := t.Delete(p.Key); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &call.None{}, s.publish(ctx, a, *in.RestApiId)
}

// merged returns the tags of b over those of a.
func merged(a, b map[string]string) map[string]string {
	m := maps.Clone(a)
	if m == nil {
		m = map[string]string{}
	}
	maps.Copy(m, b)
	return m
}
