package openapi

import (
	"github.com/tierra-cloud/tierra/internal/services/apigateway/definition"
	"github.com/tierra-cloud/tierra/internal/services/apigateway/problem"
)

// validators reads x-amazon-apigateway-request-validators.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-swagger-extensions-request-validators.html
func (im *importer) validators() {
	all := child(im.root, extension+"request-validators")
	for _, name := range sorted(all) {
		o, _ := all[name].(object)
		v := &definition.Validator{ID: im.newID(), Name: name}
		for _, k := range sorted(o) {
			is := o[k] == true || o[k] == "true"
			switch k {
			case "validateRequestBody":
				v.Body = is
			case "validateRequestParameters":
				v.Parameters = is
			default:
				im.refuse("the request validator setting " + k)
			}
		}
		if im.api.Validators == nil {
			im.api.Validators = map[string]*definition.Validator{}
		}
		im.api.Validators[v.ID] = v
	}
}

// validator returns the id of the validator that an operation, or else the whole
// document, names; "" for none.
func (im *importer) validator(op object) (string, error) {
	const key = extension + "request-validator"
	v, own := op[key]
	if !own {
		v = im.root[key]
	}
	name := text(v)
	if name == "" {
		return "", nil
	}
	if x := im.api.ValidatorNamed(name); x != nil {
		return x.ID, nil
	}
	return "", problem.New("Invalid request validator specified: %s", name)
}

// adoptValidators returns the validators of a definition with the ids that those
// of the same names have in old, and lets the definition's methods name those ids.
func adoptValidators(is, old *definition.API) map[string]*definition.Validator {
	ids, all := map[string]string{}, map[string]*definition.Validator{}
	for id, v := range is.Validators {
		if o := old.ValidatorNamed(v.Name); o != nil {
			v.ID = o.ID
		}
		ids[id], all[v.ID] = v.ID, v
	}
	for _, r := range is.Resources {
		for _, m := range r.Methods {
			if m.Validator != "" {
				m.Validator = ids[m.Validator]
			}
		}
	}
	return all
}
