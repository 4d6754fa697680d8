package openapi

import (
	"maps"

	"github.com/tierra-cloud/tierra/internal/services/apigateway/definition"
)

// Overwrite returns the definition that the document puts in place of old. What
// stays at its path keeps its id.
func (d *Document) Overwrite(old *definition.API) *definition.API {
	is := d.API.Clone()
	if !d.HasBinary {
		is.Binary = old.Binary
	}
	if is.MinCompression == nil {
		is.MinCompression = old.MinCompression
	}
	if is.KeySource == "" {
		is.KeySource = old.KeySource
	}
	if !d.HasPolicy {
		is.Policy = old.Policy
	}
	if !d.HasDisabled {
		is.Disabled = old.Disabled
	}
	ids := map[string]string{} // of the document to those that stay
	for _, r := range is.Resources {
		if o := at(old, is.Path(r)); o != nil {
			ids[r.ID] = o.ID
		}
	}
	resources := map[string]*definition.Resource{}
	for _, r := range is.Resources {
		if id := ids[r.ID]; id != "" {
			r.ID = id
		}
		if id := ids[r.Parent]; id != "" {
			r.Parent = id
		}
		resources[r.ID] = r
	}
	is.Resources, is.Root = resources, old.Root
	is.Authorizers, is.Validators = adopt(is, old), adoptValidators(is, old)
	for name, m := range old.Models {
		if is.Models == nil {
			is.Models = map[string]*definition.Model{}
		}
		if n := is.Models[name]; n != nil {
			n.ID = m.ID
		} else if name == "Empty" || name == "Error" {
			is.Models[name] = m
		}
	}
	return is
}

// Merge puts what the document has into old, method by method.
func (d *Document) Merge(old *definition.API, newID func() string) (*definition.API, error) {
	is, add := old.Clone(), d.API.Clone()
	authorizers := adopt(add, old)
	if is.Authorizers == nil {
		is.Authorizers = map[string]*definition.Authorizer{}
	}
	maps.Copy(is.Authorizers, authorizers)
	validators := adoptValidators(add, old)
	if is.Validators == nil {
		is.Validators = map[string]*definition.Validator{}
	}
	maps.Copy(is.Validators, validators)
	for _, r := range add.Sorted() {
		into, err := is.At(add.Path(r), newID)
		if err != nil {
			return nil, err
		}
		if into.Methods == nil {
			into.Methods = map[string]*definition.Method{}
		}
		maps.Copy(into.Methods, r.Methods)
	}
	if is.Responses == nil {
		is.Responses = map[string]*definition.GatewayResponse{}
	}
	maps.Copy(is.Responses, add.Responses)
	if is.Models == nil {
		is.Models = map[string]*definition.Model{}
	}
	maps.Copy(is.Models, add.Models)
	if d.HasBinary {
		is.Binary = add.Binary
	}
	if add.MinCompression != nil {
		is.MinCompression = add.MinCompression
	}
	if add.KeySource != "" {
		is.KeySource = add.KeySource
	}
	if d.HasPolicy {
		is.Policy = add.Policy
	}
	if d.HasDisabled {
		is.Disabled = add.Disabled
	}
	return is, nil
}

// adopt returns the authorizers of a definition with the ids that those of the
// same names have in old, and lets the definition's methods name those ids.
func adopt(is, old *definition.API) map[string]*definition.Authorizer {
	ids, all := map[string]string{}, map[string]*definition.Authorizer{}
	for id, a := range is.Authorizers {
		if o := old.AuthorizerNamed(a.Name); o != nil {
			a.ID = o.ID
		}
		ids[id], all[a.ID] = a.ID, a
	}
	for _, r := range is.Resources {
		for _, m := range r.Methods {
			if m.Authorizer != "" {
				m.Authorizer = ids[m.Authorizer]
			}
		}
	}
	return all
}

// at finds the resource at a path.
func at(a *definition.API, path string) *definition.Resource {
	for _, r := range a.Resources {
		if a.Path(r) == path {
			return r
		}
	}
	return nil
}
