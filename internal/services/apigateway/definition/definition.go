// Package definition holds what an API consists of: resources, methods,
// integrations, gateway responses, models; and the rules that they keep. It is
// what the operations edit, what an OpenAPI document becomes, what a deployment
// freezes, and what is stored. It knows neither requests nor stores.
package definition

import (
	"encoding/json"
	"slices"
	"strings"
)

// API is one state of a REST API.
type API struct {
	V    int    `json:"v"`
	Root string `json:"root"` // id of the root resource
	// Resources by id.
	Resources map[string]*Resource `json:"resources"`
	// Responses are the gateway responses that were set, by type.
	Responses map[string]*GatewayResponse `json:"responses,omitempty"`
	Models    map[string]*Model           `json:"models,omitempty"` // by name
	// Authorizers by id.
	Authorizers map[string]*Authorizer `json:"authorizers,omitempty"`
	// Validators by id.
	Validators map[string]*Validator `json:"validators,omitempty"`
	// Binary are the media types that are binary: "image/png", "*/*".
	Binary []string `json:"binary,omitempty"`
	// MinCompression is the least size of answers that are compressed, in bytes; nil
	// compresses none, and takes no compressed request.
	MinCompression *int32 `json:"minCompression,omitempty"`
	// Disabled says that the API cannot be called at its default address.
	Disabled bool `json:"disabled,omitempty"`
	// KeySource is where API keys come from: HEADER (also if empty) or AUTHORIZER.
	KeySource string `json:"keySource,omitempty"`
	// Policy is the resource policy of the API.
	Policy string `json:"policy,omitempty"`
}

// Resource is one place in the tree of paths.
type Resource struct {
	ID      string             `json:"id"`
	Parent  string             `json:"parent,omitempty"` // "" for the root
	Part    string             `json:"part,omitempty"`   // "pets", "{id}", "{proxy+}"
	Methods map[string]*Method `json:"methods,omitempty"`
}

// Method is one HTTP method of a resource, or "ANY".
type Method struct {
	Authorization string                     `json:"authorization"`
	Authorizer    string                     `json:"authorizer,omitempty"` // its id
	Scopes        []string                   `json:"scopes,omitempty"`     // of access tokens, one of which is wanted
	KeyRequired   bool                       `json:"keyRequired,omitempty"`
	Validator     string                     `json:"validator,omitempty"` // its id
	Operation     string                     `json:"operation,omitempty"`
	Parameters    map[string]bool            `json:"parameters,omitempty"` // "method.request.header.X": required
	Models        map[string]string          `json:"models,omitempty"`     // by content type
	Responses     map[string]*MethodResponse `json:"responses,omitempty"`  // by status code
	Integration   *Integration               `json:"integration,omitempty"`
}

// MethodResponse declares a response of a method.
type MethodResponse struct {
	Parameters map[string]bool   `json:"parameters,omitempty"` // "method.response.header.X"
	Models     map[string]string `json:"models,omitempty"`
}

// Integration is what carries a method out.
type Integration struct {
	Type        string                          `json:"type"` // AWS, AWS_PROXY, HTTP, HTTP_PROXY, MOCK
	HTTPMethod  string                          `json:"httpMethod,omitempty"`
	URI         string                          `json:"uri,omitempty"`
	Credentials string                          `json:"credentials,omitempty"` // a role's ARN
	Templates   map[string]string               `json:"templates,omitempty"`   // by content type
	Passthrough string                          `json:"passthrough,omitempty"`
	Timeout     int32                           `json:"timeout,omitempty"`   // milliseconds; 0 means DefaultTimeout
	Responses   map[string]*IntegrationResponse `json:"responses,omitempty"` // by status code
	// Parameters are "integration.request.PLACE.NAME" with the expressions of their values.
	Parameters map[string]string `json:"parameters,omitempty"`
	Convert    string            `json:"convert,omitempty"` // contentHandling: CONVERT_TO_TEXT, CONVERT_TO_BINARY
	// Stream says that the integration's response goes to the caller as it comes:
	// responseTransferMode STREAM.
	Stream bool `json:"stream,omitempty"`
	// CacheNamespace is whose cached answers the integration shares; "" means the
	// resource's own.
	CacheNamespace string `json:"cacheNamespace,omitempty"`
	// CacheKeys are the parameters on which a cached answer depends:
	// "method.request.path.id", "integration.request.header.X".
	CacheKeys []string `json:"cacheKeys,omitempty"`
}

// IntegrationResponse makes a method's response of an integration's.
type IntegrationResponse struct {
	// Pattern selects the response; nil makes it the default.
	Pattern    *string           `json:"pattern,omitempty"`
	Parameters map[string]string `json:"parameters,omitempty"`
	Templates  map[string]string `json:"templates,omitempty"`
	Convert    string            `json:"convert,omitempty"`
}

// GatewayResponse is what the gateway itself answers with.
type GatewayResponse struct {
	Status     string            `json:"status,omitempty"`
	Parameters map[string]string `json:"parameters,omitempty"` // "gatewayresponse.header.X"
	Templates  map[string]string `json:"templates,omitempty"`
}

// Model describes a body. It documents an API, and a validator checks bodies
// against it.
type Model struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	ContentType string `json:"contentType"`
	Schema      string `json:"schema,omitempty"`
}

// New makes an API that has a root and nothing else.
func New(root string) *API {
	return &API{V: 1, Root: root, Resources: map[string]*Resource{root: {ID: root}}}
}

// Clone makes a copy that shares nothing with a.
func (a *API) Clone() *API {
	b, err := json.Marshal(a)
	if err != nil {
		panic("definition: " + err.Error()) // strings, numbers and maps always encode
	}
	c := new(API)
	if err := json.Unmarshal(b, c); err != nil {
		panic("definition: " + err.Error())
	}
	return c
}

// Path returns the path of a resource: "/pets/{id}".
func (a *API) Path(r *Resource) string {
	var parts []string
	for r != nil && r.ID != a.Root {
		parts = append(parts, r.Part)
		r = a.Resources[r.Parent]
	}
	slices.Reverse(parts)
	return "/" + strings.Join(parts, "/")
}

// Children returns the resources right below one, ordered by their part.
func (a *API) Children(id string) []*Resource {
	var all []*Resource
	for _, r := range a.Resources {
		if r.Parent == id && r.ID != a.Root {
			all = append(all, r)
		}
	}
	slices.SortFunc(all, func(x, y *Resource) int { return strings.Compare(x.Part, y.Part) })
	return all
}

// Child returns the resource with a part right below another, or nil.
func (a *API) Child(id, part string) *Resource {
	for _, r := range a.Resources {
		if r.Parent == id && r.Part == part && r.ID != a.Root {
			return r
		}
	}
	return nil
}

// Remove removes a resource with everything below it.
func (a *API) Remove(id string) {
	for _, c := range a.Children(id) {
		a.Remove(c.ID)
	}
	delete(a.Resources, id)
}

// At returns the resource at a path, making what is missing on the way with ids
// from newID.
func (a *API) At(path string, newID func() string) (*Resource, error) {
	r := a.Resources[a.Root]
	for _, part := range strings.Split(strings.Trim(path, "/"), "/") {
		if part == "" {
			continue
		}
		next := a.Child(r.ID, part)
		if next == nil {
			if err := a.CheckPart(r, part, ""); err != nil {
				return nil, err
			}
			next = &Resource{ID: newID(), Parent: r.ID, Part: part}
			a.Resources[next.ID] = next
		}
		r = next
	}
	return r, nil
}

// Sorted returns the resources ordered by path.
func (a *API) Sorted() []*Resource {
	paths := map[string]string{}
	all := make([]*Resource, 0, len(a.Resources))
	for _, r := range a.Resources {
		paths[r.ID] = a.Path(r)
		all = append(all, r)
	}
	slices.SortFunc(all, func(x, y *Resource) int { return strings.Compare(paths[x.ID], paths[y.ID]) })
	return all
}

// PassthroughBehavior returns what happens to bodies for which there is no template.
func (i *Integration) PassthroughBehavior() string {
	if i.Passthrough == "" {
		return "WHEN_NO_MATCH"
	}
	return i.Passthrough
}

// TimeoutMillis returns how long the integration may take.
func (i *Integration) TimeoutMillis() int32 {
	if i.Timeout == 0 {
		return DefaultTimeout
	}
	return i.Timeout
}

// Namespace returns the name of the cached answers that the integration of a
// method of r shares.
func (i *Integration) Namespace(r *Resource) string {
	if i.CacheNamespace == "" {
		return r.ID
	}
	return i.CacheNamespace
}

// Uses reports whether the method names a model.
func (m *Method) Uses(model string) bool {
	for _, n := range m.Models {
		if n == model {
			return true
		}
	}
	for _, r := range m.Responses {
		for _, n := range r.Models {
			if n == model {
				return true
			}
		}
	}
	return false
}
