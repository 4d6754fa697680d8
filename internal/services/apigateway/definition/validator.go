package definition

import (
	"maps"
	"slices"

	"github.com/tierra-cloud/tierra/internal/services/apigateway/problem"
	"github.com/tierra-cloud/tierra/internal/services/apigateway/schema"
)

// Validator says what of a request is checked before its integration is called.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-method-request-validation.html
type Validator struct {
	ID         string `json:"id"`
	Name       string `json:"name,omitempty"`
	Body       bool   `json:"body,omitempty"`
	Parameters bool   `json:"parameters,omitempty"`
}

// ValidatorNamed returns the validator with a name, or nil.
func (a *API) ValidatorNamed(name string) *Validator {
	for _, id := range slices.Sorted(maps.Keys(a.Validators)) {
		if a.Validators[id].Name == name {
			return a.Validators[id]
		}
	}
	return nil
}

// Schemas compiles the models that bodies of a method are checked against, by
// content type; none if its validator checks no bodies.
func (a *API) Schemas(m *Method) (map[string]*schema.Schema, error) {
	v := a.Validators[m.Validator]
	if v == nil || !v.Body {
		return nil, nil
	}
	texts := make(map[string]string, len(a.Models))
	for name, model := range a.Models {
		texts[name] = model.Schema
	}
	all := map[string]*schema.Schema{}
	for typ, name := range m.Models {
		if a.Models[name] == nil {
			return nil, problem.New("Invalid model identifier specified: %s", name)
		}
		s, err := schema.Compile(texts, name)
		if err != nil {
			return nil, problem.New("Invalid model schema specified: %s", err)
		}
		all[typ] = s
	}
	return all, nil
}

// ValidatorKey is the name under which a validator stands in an OpenAPI document:
// its own, or its id if that is empty or another's, too.
func (a *API) ValidatorKey(v *Validator) string {
	if v.Name == "" {
		return v.ID
	}
	for id, o := range a.Validators {
		if id < v.ID && o.Name == v.Name {
			return v.ID
		}
	}
	return v.Name
}
