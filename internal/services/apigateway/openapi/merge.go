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
	if d.HasDisabled {
		is.Disabled = add.Disabled
	}
	return is, nil
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
