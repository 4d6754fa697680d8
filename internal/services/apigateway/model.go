package apigateway

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	api "github.com/tierra-cloud/tierra/internal/gen/apigateway"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/services/apigateway/definition"
)

// Models document bodies. Without a request validator nothing is checked against
// them, as at AWS.

func (s *Service) modelBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.CreateModel, on(actionPost, func(in *api.CreateModelRequest) string { return below(in.RestApiId, "models") }), s.createModel),
		call.Bind(api.GetModel, on(actionGet, func(in *api.GetModelRequest) string { return below(in.RestApiId, "models", *in.ModelName) }), s.getModel),
		call.Bind(api.GetModels, on(actionGet, func(in *api.GetModelsRequest) string { return below(in.RestApiId, "models") }), s.getModels),
		call.Bind(api.GetModelTemplate, on(actionGet, func(in *api.GetModelTemplateRequest) string {
			return below(in.RestApiId, "models", *in.ModelName, "default_template")
		}), s.getModelTemplate),
		call.Bind(api.UpdateModel, on(actionPatch, func(in *api.UpdateModelRequest) string { return below(in.RestApiId, "models", *in.ModelName) }), s.updateModel),
		call.Bind(api.DeleteModel, on(actionDelete, func(in *api.DeleteModelRequest) string { return below(in.RestApiId, "models", *in.ModelName) }), s.deleteModel),
	}
}

// addDefaultModels adds the two models that every API begins with.
func addDefaultModels(d *definition.API, newID func() string) {
	const title = "{\n  \"$schema\": \"http://json-schema.org/draft-04/schema#\",\n  \"title\" : \""
	d.Models = map[string]*definition.Model{
		"Empty": {ID: newID(), Name: "Empty", ContentType: "application/json", Description: "This is a default empty schema model",
			Schema: title + "Empty Schema\",\n  \"type\" : \"object\"\n}"},
		"Error": {ID: newID(), Name: "Error", ContentType: "application/json", Description: "This is a default error schema model",
			Schema: title + "Error Schema\",\n  \"type\" : \"object\",\n  \"properties\" : {\n    \"message\" : { \"type\" : \"string\" }\n  }\n}"},
	}
}

// checkModels checks that the models that something names exist.
func checkModels(d *definition.API, names map[string]string) error {
	for _, n := range names {
		if d.Models[n] == nil {
			return api.BadRequestException("Invalid model identifier specified: %s", n)
		}
	}
	return nil
}

func findModel(d *definition.API, name string) (*definition.Model, error) {
	if m := d.Models[name]; m != nil {
		return m, nil
	}
	return nil, api.NotFoundException("Invalid model name specified: %s", name)
}

// modelAnswer tells a model of the API with an id.
func modelAnswer(id string, m *definition.Model) *api.Model_ {
	return &api.Model_{Id: &m.ID, Name: &m.Name, Description: opt.NonZero(m.Description), ContentType: &m.ContentType, Schema: opt.NonZero(m.Addressed(id))}
}

func checkSchema(schema string) error {
	if schema != "" && !json.Valid([]byte(schema)) {
		return api.BadRequestException("Model schema is invalid: it is not JSON")
	}
	return nil
}

func (s *Service) createModel(ctx context.Context, rq *call.Authorized, in *api.CreateModelRequest) (out *api.Model_, err error) {
	if !definition.ModelName(*in.Name) {
		return nil, api.BadRequestException("Model name must be alphanumeric: %s", *in.Name)
	}
	if err := checkSchema(opt.Val(in.Schema)); err != nil {
		return nil, err
	}
	err = s.edit(ctx, rq, *in.RestApiId, func(d *definition.API) error {
		if d.Models[*in.Name] != nil {
			return api.ConflictException("Model name already exists for this REST API")
		}
		if d.Models == nil {
			d.Models = map[string]*definition.Model{}
		}
		m := &definition.Model{ID: s.newID(), Name: *in.Name, Description: opt.Val(in.Description), ContentType: *in.ContentType, Schema: opt.Val(in.Schema)}
		d.Models[m.Name] = m
		out = modelAnswer(*in.RestApiId, m)
		return nil
	})
	return out, err
}

func (s *Service) getModel(ctx context.Context, rq *call.Authorized, in *api.GetModelRequest) (out *api.Model_, err error) {
	err = s.view(ctx, rq, *in.RestApiId, func(d *definition.API) error {
		m, err := findModel(d, *in.ModelName)
		if err == nil {
			out = modelAnswer(*in.RestApiId, m)
		}
		if err == nil && opt.Val(in.Flatten) {
			out.Schema = opt.NonZero(d.Flat(m))
		}
		return err
	})
	return out, err
}

func (s *Service) getModels(ctx context.Context, rq *call.Authorized, in *api.GetModelsRequest) (*api.Models, error) {
	out := &api.Models{}
	err := s.view(ctx, rq, *in.RestApiId, func(d *definition.API) error {
		for _, m := range d.Models {
			out.Items = append(out.Items, *modelAnswer(*in.RestApiId, m))
		}
		slices.SortFunc(out.Items, func(x, y api.Model_) int { return strings.Compare(*x.Name, *y.Name) })
		var err error
		out.Items, out.Position, err = pageOf(out.Items, in.Position, in.Limit, func(m api.Model_) string { return *m.Name })
		return err
	})
	return out, err
}

func (s *Service) updateModel(ctx context.Context, rq *call.Authorized, in *api.UpdateModelRequest) (out *api.Model_, err error) {
	err = s.edit(ctx, rq, *in.RestApiId, func(d *definition.API) error {
		m, err := findModel(d, *in.ModelName)
		if err != nil {
			return err
		}
		if err := (edits{"replace /description": text(&m.Description), "replace /schema": text(&m.Schema)}).apply(in.PatchOperations); err != nil {
			return err
		}
		out = modelAnswer(*in.RestApiId, m)
		return checkSchema(m.Schema)
	})
	return out, err
}

func (s *Service) deleteModel(ctx context.Context, rq *call.Authorized, in *api.DeleteModelRequest) (*call.None, error) {
	return &call.None{}, s.edit(ctx, rq, *in.RestApiId, func(d *definition.API) error {
		if _, err := findModel(d, *in.ModelName); err != nil {
			return err
		}
		for _, r := range d.Resources {
			for name, m := range r.Methods {
				if m.Uses(*in.ModelName) {
					return api.ConflictException("Cannot delete model '%s', is referenced in method: %s %s", *in.ModelName, name, d.Path(r))
				}
			}
		}
		delete(d.Models, *in.ModelName)
		return nil
	})
}
