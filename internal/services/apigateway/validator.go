package apigateway

import (
	"context"
	"slices"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	api "github.com/tierra-cloud/tierra/internal/gen/apigateway"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/services/apigateway/definition"
)

func onValidator(id, validator *string) string {
	return below(id, "requestvalidators", opt.Val(validator))
}

func (s *Service) validatorBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.CreateRequestValidator, on(actionPost, func(in *api.CreateRequestValidatorRequest) string { return below(in.RestApiId, "requestvalidators") }), s.createRequestValidator),
		call.Bind(api.GetRequestValidator, on(actionGet, func(in *api.GetRequestValidatorRequest) string {
			return onValidator(in.RestApiId, in.RequestValidatorId)
		}), s.getRequestValidator),
		call.Bind(api.GetRequestValidators, on(actionGet, func(in *api.GetRequestValidatorsRequest) string { return below(in.RestApiId, "requestvalidators") }), s.getRequestValidators),
		call.Bind(api.UpdateRequestValidator, on(actionPatch, func(in *api.UpdateRequestValidatorRequest) string {
			return onValidator(in.RestApiId, in.RequestValidatorId)
		}), s.updateRequestValidator),
		call.Bind(api.DeleteRequestValidator, on(actionDelete, func(in *api.DeleteRequestValidatorRequest) string {
			return onValidator(in.RestApiId, in.RequestValidatorId)
		}), s.deleteRequestValidator),
	}
}

func findValidator(d *definition.API, id *string) (*definition.Validator, error) {
	if v := d.Validators[opt.Val(id)]; v != nil {
		return v, nil
	}
	return nil, api.NotFoundException("Invalid Request Validator identifier specified")
}

// checkValidator checks that the validator that a method names exists.
func checkValidator(d *definition.API, id string) error {
	if id != "" && d.Validators[id] == nil {
		return api.BadRequestException("Invalid Request Validator identifier specified")
	}
	return nil
}

func validatorAnswer(v *definition.Validator) *api.RequestValidator {
	return &api.RequestValidator{Id: &v.ID, Name: opt.NonZero(v.Name), ValidateRequestBody: &v.Body, ValidateRequestParameters: &v.Parameters}
}

func (s *Service) createRequestValidator(ctx context.Context, rq *call.Authorized, in *api.CreateRequestValidatorRequest) (out *api.RequestValidator, err error) {
	v := &definition.Validator{ID: s.newID(), Name: opt.Val(in.Name), Body: opt.Val(in.ValidateRequestBody), Parameters: opt.Val(in.ValidateRequestParameters)}
	err = s.edit(ctx, rq, *in.RestApiId, func(d *definition.API) error {
		if d.Validators == nil {
			d.Validators = map[string]*definition.Validator{}
		}
		d.Validators[v.ID] = v
		out = validatorAnswer(v)
		return nil
	})
	return out, err
}

func (s *Service) getRequestValidator(ctx context.Context, rq *call.Authorized, in *api.GetRequestValidatorRequest) (out *api.RequestValidator, err error) {
	err = s.view(ctx, rq, *in.RestApiId, func(d *definition.API) error {
		v, err := findValidator(d, in.RequestValidatorId)
		if err == nil {
			out = validatorAnswer(v)
		}
		return err
	})
	return out, err
}

func (s *Service) getRequestValidators(ctx context.Context, rq *call.Authorized, in *api.GetRequestValidatorsRequest) (*api.RequestValidators, error) {
	out := &api.RequestValidators{}
	err := s.view(ctx, rq, *in.RestApiId, func(d *definition.API) error {
		for _, v := range d.Validators {
			out.Items = append(out.Items, *validatorAnswer(v))
		}
		slices.SortFunc(out.Items, func(x, y api.RequestValidator) int { return strings.Compare(*x.Id, *y.Id) })
		var err error
		out.Items, out.Position, err = pageOf(out.Items, in.Position, in.Limit, func(v api.RequestValidator) string { return *v.Id })
		return err
	})
	return out, err
}

func (s *Service) updateRequestValidator(ctx context.Context, rq *call.Authorized, in *api.UpdateRequestValidatorRequest) (out *api.RequestValidator, err error) {
	err = s.edit(ctx, rq, *in.RestApiId, func(d *definition.API) error {
		v, err := findValidator(d, in.RequestValidatorId)
		if err != nil {
			return err
		}
		e := edits{
			"replace /name": text(&v.Name), "replace /validateRequestBody": boolean(&v.Body), "replace /validateRequestParameters": boolean(&v.Parameters),
		}
		if err := e.apply(in.PatchOperations); err != nil {
			return err
		}
		out = validatorAnswer(v)
		return nil
	})
	return out, err
}

func (s *Service) deleteRequestValidator(ctx context.Context, rq *call.Authorized, in *api.DeleteRequestValidatorRequest) (*call.None, error) {
	return &call.None{}, s.edit(ctx, rq, *in.RestApiId, func(d *definition.API) error {
		v, err := findValidator(d, in.RequestValidatorId)
		if err != nil {
			return err
		}
		for _, r := range d.Sorted() {
			for name, m := range r.Methods {
				if m.Validator == v.ID {
					return api.ConflictException("Cannot delete validator '%s', is referenced in method: %s %s", v.Name, name, d.Path(r))
				}
			}
		}
		delete(d.Validators, v.ID)
		return nil
	})
}
