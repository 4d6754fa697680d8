package openapi

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/tierra-cloud/tierra/internal/services/apigateway/definition"
	"github.com/tierra-cloud/tierra/internal/services/apigateway/problem"
)

// Source is what is exported: an API as a stage serves it.
type Source struct {
	Title, Description, Version string
	API                         *definition.API
	// Parts document the API; Documentation is their version, if they have one, and
	// Created when it was made.
	Parts                  []definition.Part
	Documentation, Created string
	// Scheme and Host are where the API is called, Base the path before its own.
	Scheme, Host, Base string
}

// Format says how a document is written.
type Format struct {
	// Three chooses version 3.0.1 of OpenAPI instead of 2.0.
	Three, YAML bool
	// Integrations adds the integrations and what else is API Gateway's own;
	// Authorizers adds authorizers, and Documented the parts as they are.
	Integrations, Authorizers, Documented bool
}

// Extensions sets what a list like "integrations,authorizers" asks for.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-export-api.html
func (f *Format) Extensions(names string) error {
	for name := range strings.SplitSeq(names, ",") {
		switch strings.TrimSpace(name) {
		case "":
		case "integrations":
			f.Integrations = true
		case "authorizers":
			f.Authorizers = true
		case "documentation":
			f.Documented = true
		case "apigateway":
			f.Integrations, f.Authorizers = true, true
		case "postman":
			return problem.Unsupported("the export extension postman")
		default:
			return problem.New("Invalid export extension specified: %s. Must be one of: apigateway, authorizers, documentation, integrations, postman", name)
		}
	}
	return nil
}

type exporter struct {
	Source
	Format
	docs  *definition.Parts
	names map[string]string // of security schemes by authorizer id
	keys  bool              // a method takes an API key
	iam   bool              // a method takes a signature
}

// The names of the security schemes that are not authorizers.
const (
	keyScheme = "api_key"
	iamScheme = "sigv4"
)

// Export writes the document of an API.
func Export(s Source, f Format) ([]byte, error) {
	x := &exporter{Source: s, Format: f, docs: definition.NewParts(s.Parts), names: map[string]string{}}
	o := object{}
	maps.Copy(o, x.docs.Of(definition.Location{Type: definition.OfAPI}))
	info, _ := o["info"].(object)
	info = maps.Clone(info)
	if info == nil {
		info = object{}
	}
	set(info, "title", s.Title)
	set(info, "description", s.Description)
	set(info, "version", s.Version)
	o["info"] = info
	if f.Three {
		o["openapi"] = "3.0.1"
		o["servers"] = []any{object{"url": s.Scheme + "://" + s.Host + "/{basePath}", "variables": object{"basePath": object{"default": s.Base}}}}
	} else {
		o["swagger"], o["host"], o["basePath"], o["schemes"] = "2.0", s.Host, s.Base, []any{s.Scheme}
	}
	x.nameSchemes()
	paths := object{}
	for _, r := range s.API.Sorted() {
		if len(r.Methods) > 0 || r.ID != s.API.Root && len(s.API.Children(r.ID)) == 0 {
			paths[s.API.Path(r)] = x.resource(r)
		}
	}
	o["paths"] = paths
	schemas := object{}
	for name, m := range s.API.Models {
		if schema, ok := m.Located(x.prefix()); ok {
			schemas[name] = schema
		}
	}
	schemes := x.schemes()
	if f.Three {
		components := object{}
		put(components, "schemas", schemas)
		put(components, "securitySchemes", schemes)
		put(o, "components", components)
	} else {
		put(o, "definitions", schemas)
		put(o, "securityDefinitions", schemes)
	}
	if f.Integrations {
		x.settings(o)
	}
	if f.Documented && len(s.Parts) > 0 {
		d, err := x.documentation()
		if err != nil {
			return nil, err
		}
		o[extension+"documentation"] = d
	}
	return write(o, f.YAML)
}

func (x *exporter) prefix() string {
	if x.Three {
		return "#/components/schemas/"
	}
	return local
}

// set sets a member that is not empty.
func set(o object, name, value string) {
	if value != "" {
		o[name] = value
	}
}

func put(o object, name string, value object) {
	if len(value) > 0 {
		o[name] = value
	}
}

// strings and lists as JSON's kinds.
func anyList(all []string) []any {
	l := make([]any, len(all))
	for i, s := range all {
		l[i] = s
	}
	return l
}

func anyMap(m map[string]string) object {
	o := object{}
	for k, v := range m {
		o[k] = v
	}
	return o
}

// settings adds API Gateway's own members of the whole document.
func (x *exporter) settings(o object) {
	a := x.API
	if len(a.Binary) > 0 {
		o[extension+"binary-media-types"] = anyList(a.Binary)
	}
	if a.MinCompression != nil {
		o[extension+"minimum-compression-size"] = whole(*a.MinCompression)
	}
	if a.KeySource != "" {
		o[extension+"api-key-source"] = a.KeySource
	}
	if a.Disabled {
		o[extension+"endpoint-configuration"] = object{"disableExecuteApiEndpoint": true}
	}
	if a.Policy != "" {
		var p any
		if json.Unmarshal([]byte(a.Policy), &p) == nil {
			o[extension+"policy"] = p
		}
	}
	responses := object{}
	for typ, g := range a.Responses {
		r := object{}
		set(r, "statusCode", g.Status)
		put(r, "responseParameters", anyMap(g.Parameters))
		put(r, "responseTemplates", anyMap(g.Templates))
		responses[typ] = r
	}
	put(o, extension+"gateway-responses", responses)
	validators := object{}
	for _, v := range a.Validators {
		validators[a.ValidatorKey(v)] = object{"validateRequestBody": v.Body, "validateRequestParameters": v.Parameters}
	}
	put(o, extension+"request-validators", validators)
}

// documentation is x-amazon-apigateway-documentation.
func (x *exporter) documentation() (object, error) {
	var parts []any
	for _, p := range x.Parts {
		l := object{"type": p.Location.Type}
		set(l, "path", p.Location.Path)
		set(l, "method", p.Location.Method)
		set(l, "statusCode", p.Location.Status)
		set(l, "name", p.Location.Name)
		content, err := decode([]byte(p.Properties))
		if err != nil {
			return nil, err
		}
		parts = append(parts, object{"location": l, "properties": content})
	}
	d := object{"documentationParts": parts}
	set(d, "version", x.Documentation)
	set(d, "createdDate", x.Created)
	return d, nil
}

// resource writes what stands at a path.
func (x *exporter) resource(r *definition.Resource) object {
	path := x.API.Path(r)
	item := object{}
	maps.Copy(item, x.docs.Of(definition.Location{Type: definition.OfResource, Path: path}))
	for name, m := range r.Methods {
		k := strings.ToLower(name)
		if name == "ANY" {
			k = anyMethod
		}
		item[k] = x.method(path, name, m)
	}
	return item
}

func (x *exporter) method(path, name string, m *definition.Method) object {
	op := object{}
	maps.Copy(op, x.docs.Of(definition.Location{Type: definition.OfMethod, Path: path, Method: name}))
	set(op, "operationId", m.Operation)
	var parameters []any
	for _, p := range slices.Sorted(maps.Keys(m.Parameters)) {
		typ, n := definition.ParameterPlace(p)
		in := map[string]string{definition.OfRequestHeader: "header", definition.OfQueryParameter: "query", definition.OfPathParameter: "path"}[typ]
		o := object{}
		maps.Copy(o, x.docs.Of(definition.Location{Type: typ, Path: path, Method: name, Name: n}))
		o["name"], o["in"] = n, in
		if m.Parameters[p] {
			o["required"] = true
		}
		x.typed(o, strings.HasPrefix(p, "method.request.multivalue"))
		parameters = append(parameters, o)
	}
	if len(m.Models) > 0 {
		body := object{}
		maps.Copy(body, x.docs.Of(definition.Location{Type: definition.OfRequestBody, Path: path, Method: name}))
		if x.Three {
			body["content"], body["required"] = x.content(m.Models), true
			op["requestBody"] = body
		} else {
			types := slices.Sorted(maps.Keys(m.Models))
			model := mainModel(m.Models)
			op["consumes"] = anyList(types)
			body["in"], body["name"], body["required"], body["schema"] = "body", model, true, object{"$ref": x.prefix() + model}
			parameters = append(parameters, body)
		}
	}
	if len(parameters) > 0 {
		op["parameters"] = parameters
	}
	responses, produces := object{}, map[string]bool{}
	for status, r := range m.Responses {
		responses[status] = x.response(path, name, status, r, produces)
	}
	op["responses"] = responses
	if !x.Three && len(produces) > 0 {
		op["produces"] = anyList(slices.Sorted(maps.Keys(produces)))
	}
	if s := x.requirements(m); len(s) > 0 {
		op["security"] = s
	}
	if x.Integrations {
		if v := x.API.Validators[m.Validator]; v != nil {
			op[extension+"request-validator"] = x.API.ValidatorKey(v)
		}
		if m.Integration != nil {
			op[extension+"integration"] = integrationObject(m.Integration)
		}
	}
	return op
}

// typed gives a parameter or a header the only type that API Gateway knows.
func (x *exporter) typed(o object, many bool) {
	schema := object{"type": "string"}
	if many {
		schema = object{"type": "array", "items": object{"type": "string"}}
	}
	if x.Three {
		o["schema"] = schema
		return
	}
	maps.Copy(o, schema)
	delete(o, "example") // version 2 knows none of a parameter
	delete(o, "examples")
	delete(o, "deprecated")
}

func (x *exporter) content(models map[string]string) object {
	o := object{}
	for typ, name := range models {
		o[typ] = object{"schema": object{"$ref": x.prefix() + name}}
	}
	return o
}

// mainModel is the model of JSON bodies, or else of the first media type: version
// 2 has one schema for all of them.
func mainModel(models map[string]string) string {
	if m := models["application/json"]; m != "" {
		return m
	}
	return models[slices.Sorted(maps.Keys(models))[0]]
}

func (x *exporter) response(path, name, status string, r *definition.MethodResponse, produces map[string]bool) object {
	at := definition.Location{Type: definition.OfResponse, Path: path, Method: name, Status: status}
	o := object{"description": plainResponse(status)}
	maps.Copy(o, x.docs.Of(at))
	headers := object{}
	for p := range r.Parameters {
		n := strings.TrimPrefix(p, "method.response.header.")
		h := object{}
		at.Type, at.Name = definition.OfResponseHeader, n
		maps.Copy(h, x.docs.Of(at))
		x.typed(h, false)
		headers[n] = h
	}
	put(o, "headers", headers)
	if len(r.Models) == 0 {
		return o
	}
	if x.Three {
		o["content"] = x.content(r.Models)
		return o
	}
	for typ := range r.Models {
		produces[typ] = true
	}
	o["schema"] = object{"$ref": x.prefix() + mainModel(r.Models)}
	return o
}
