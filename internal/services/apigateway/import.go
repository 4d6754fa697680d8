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
	"github.com/tierra-cloud/tierra/internal/services/apigateway/openapi"
)

func (s *Service) importBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.ImportRestApi, call.Rule(func(_ context.Context, rq *call.Decoded, in *api.ImportRestApiRequest) ([]call.Need, error) {
			return importNeeds(actionPost, resourceARN(rq.Region(), "/restapis"), in.Body), nil
		}, actionPost, "iam:PassRole", actionPolicy), s.importRestApi),
		call.Bind(api.PutRestApi, call.Rule(func(_ context.Context, rq *call.Decoded, in *api.PutRestApiRequest) ([]call.Need, error) {
			return importNeeds(actionPut, resourceARN(rq.Region(), below(in.RestApiId)), in.Body), nil
		}, actionPut, "iam:PassRole", actionPolicy), s.putRestApi),
	}
}

// importNeeds are the action and the passing of every role in the document. What
// cannot be read needs no more: the handler says what is wrong with it.
func importNeeds(action, resource string, body []byte) []call.Need {
	needs := []call.Need{{Action: action, Resource: resource}}
	n := 0
	doc, err := openapi.Parse(body, openapi.Options{Root: "root", NewID: func() string { n++; return strconv.Itoa(n) }, Undocumented: true})
	if err != nil {
		return needs
	}
	needs = policyNeeds(action, resource, doc.HasPolicy)
	roles := map[string]bool{}
	for _, r := range doc.API.Resources {
		for _, m := range r.Methods {
			if m.Integration != nil && m.Integration.Credentials != "" {
				roles[m.Integration.Credentials] = true
			}
		}
	}
	for _, a := range doc.API.Authorizers {
		if a.Credentials != "" {
			roles[a.Credentials] = true
		}
	}
	for _, r := range slices.Sorted(maps.Keys(roles)) {
		needs = append(needs, passRole(r))
	}
	return needs
}

// parse reads the document of an import, and the parameters that came with it.
func (s *Service) parse(body []byte, parameters map[string]string, failOnWarnings bool, x *restAPI) (*openapi.Document, error) {
	o := openapi.Options{Root: s.ids.Of(ids.LowerAlnum, 10), NewID: s.newID}
	for _, k := range slices.Sorted(maps.Keys(parameters)) {
		v := parameters[k]
		switch {
		case k == "mode" || k == "failonwarnings": // the query string has them, too, and the input tells them apart
		case k == "endpointConfigurationTypes":
			if err := checkEndpoint(v); err != nil {
				return nil, err
			}
			x.Endpoint = v
		case k == "endpointConfigurationIpAddressType" && (v == api.IpAddressTypeIpv4 || v == api.IpAddressTypeDualstack):
			x.Addresses = v
		case k == "basepath":
			o.BasePath = v
		case k == "ignore" && v == "documentation":
			o.Undocumented = true
		default:
			return nil, refuse("the import parameter " + k + "=" + v)
		}
	}
	doc, err := openapi.Parse(body, o)
	if err != nil {
		return nil, faultOf(err)
	}
	for _, a := range doc.API.Authorizers {
		if err := s.checkIssuers(a); err != nil {
			return nil, err
		}
	}
	if failOnWarnings && len(doc.Warnings) > 0 {
		return nil, api.BadRequestException("Warnings found during import:\n\t%s", strings.Join(doc.Warnings, "\n\t"))
	}
	return doc, nil
}

func (s *Service) importRestApi(ctx context.Context, rq *call.Authorized, in *api.ImportRestApiRequest) (*api.RestApi, error) {
	x := s.newAPI("", "", rq)
	doc, err := s.parse(in.Body, in.Parameters, opt.Val(in.FailOnWarnings), x)
	if err != nil {
		return nil, err
	}
	if doc.Title == "" {
		return nil, api.BadRequestException("Invalid OpenAPI input. The title of the API is missing.")
	}
	x.Name, x.Description, x.Version, x.Warnings = doc.Title, doc.Description, doc.Version, doc.Warnings
	if doc.API.Policy, err = setPolicy(areaOf(rq), x.ID, doc.API.Policy); err != nil {
		return nil, err
	}
	empty := definition.New(s.ids.Of(ids.LowerAlnum, 10))
	addDefaultModels(empty, s.newID)
	return s.saveNew(ctx, rq, x, doc.Overwrite(empty), doc.Parts...)
}

func (s *Service) putRestApi(ctx context.Context, rq *call.Authorized, in *api.PutRestApiRequest) (out *api.RestApi, err error) {
	a := areaOf(rq)
	err = s.store.Update(ctx, func(t data.Txn) error {
		x, err := loadAPI(t, a, *in.RestApiId)
		if err != nil {
			return err
		}
		old, err := loadDefinition(t, a, x.ID)
		if err != nil {
			return err
		}
		doc, err := s.parse(in.Body, in.Parameters, opt.Val(in.FailOnWarnings), x)
		if err != nil {
			return err
		}
		if doc.API.Policy, err = setPolicy(a, x.ID, doc.API.Policy); err != nil {
			return err
		}
		var is *definition.API
		if opt.Val(in.Mode) == api.PutModeOverwrite {
			is = doc.Overwrite(old)
			x.Description, x.Version = doc.Description, doc.Version
			if doc.Title != "" {
				x.Name = doc.Title
			}
		} else if is, err = doc.Merge(old, s.newID); err != nil {
			return faultOf(err)
		}
		if _, err := addParts(t, a, x.ID, doc.Parts, opt.Val(in.Mode) == api.PutModeOverwrite); err != nil {
			return err
		}
		x.Warnings = doc.Warnings
		out = x.answer(is)
		if err := data.Save(t, a.api(x.ID), x); err != nil {
			return err
		}
		return data.Save(t, a.definition(x.ID), is)
	})
	return out, err
}
