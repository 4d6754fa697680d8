package openapi

import (
	"slices"
	"strings"

	"github.com/tierra-cloud/tierra/internal/services/apigateway/definition"
	"github.com/tierra-cloud/tierra/internal/services/apigateway/problem"
)

// place is where an operation stands.
type place struct{ path, method string }

// method reads an operation.
func (im *importer) method(at place, op, item object) (*definition.Method, error) {
	m := &definition.Method{Authorization: definition.NoAuthorization, Operation: text(op["operationId"])}
	if err := im.security(at, m, op); err != nil {
		return nil, err
	}
	for _, k := range sorted(op) {
		if name, ok := strings.CutPrefix(k, extension); ok && name != "integration" && name != "auth" && name != "request-validator" {
			return nil, problem.Unsupported(k)
		}
	}
	im.part(definition.Location{Type: definition.OfMethod, Path: at.path, Method: at.method}, op, "tags", "summary", "description", "externalDocs", "deprecated")
	var err error
	if m.Validator, err = im.validator(op); err != nil {
		return nil, err
	}
	consumes, produces := im.types(op, "consumes"), im.types(op, "produces")
	// What an operation says of a parameter hides what its path says.
	own := map[string]bool{}
	for _, p := range items(op["parameters"]) {
		o := im.resolve(p)
		own[text(o["in"])+" "+text(o["name"])] = true
		if err := im.parameter(at, m, o, consumes); err != nil {
			return nil, err
		}
	}
	for _, p := range items(item["parameters"]) {
		o := im.resolve(p)
		if own[text(o["in"])+" "+text(o["name"])] {
			continue
		}
		if err := im.parameter(at, m, o, consumes); err != nil {
			return nil, err
		}
	}
	if body := im.resolve(op["requestBody"]); body != nil {
		im.part(definition.Location{Type: definition.OfRequestBody, Path: at.path, Method: at.method}, body, "description")
		im.content(child(body, "content"), &m.Models)
	}
	if err := definition.CheckParameters(m.Parameters); err != nil {
		return nil, err
	}
	responses := child(op, "responses")
	for _, status := range sorted(responses) {
		if definition.CheckStatus(status) != nil {
			continue // "default" documents what has no status code
		}
		im.methodResponse(at, m, status, im.resolve(responses[status]), produces)
	}
	o := im.resolve(op[extension+"integration"])
	if o == nil {
		return m, nil
	}
	return m, im.integration(at, m, o)
}

// types are the media types that an operation, or else the document, consumes or
// produces, as version 2 says it.
func (im *importer) types(op object, member string) []string {
	all := list(op[member])
	if op[member] == nil {
		all = list(im.root[member])
	}
	if len(all) == 0 {
		all = []string{"application/json"}
	}
	return all
}

var places = map[string]string{"header": "header", "query": "querystring", "path": "path"}

func (im *importer) parameter(at place, m *definition.Method, o object, consumes []string) error {
	name, in := text(o["name"]), text(o["in"])
	switch {
	case in == "body":
		im.part(definition.Location{Type: definition.OfRequestBody, Path: at.path, Method: at.method}, o, "description")
		im.useSchema(&m.Models, consumes, o["schema"])
	case places[in] != "" && name != "":
		if m.Parameters == nil {
			m.Parameters = map[string]bool{}
		}
		full := "method.request." + places[in] + "." + name
		m.Parameters[full] = o["required"] == true || o["required"] == "true"
		typ, _ := definition.ParameterPlace(full)
		im.part(definition.Location{Type: typ, Path: at.path, Method: at.method, Name: name}, o, "description", "deprecated", "example", "examples")
	case in == "cookie" || in == "formData":
		im.warn("Parameters in '%s' are not supported: %s is skipped", in, name)
	default:
		return problem.New("Invalid parameter specified: %q in %q", name, in)
	}
	return nil
}

// content takes the schemas of a body by media type.
func (im *importer) content(content object, models *map[string]string) {
	for _, typ := range sorted(content) {
		o, _ := content[typ].(object)
		im.useSchema(models, []string{typ}, o["schema"])
	}
}

func (im *importer) methodResponse(at place, m *definition.Method, status string, o object, produces []string) {
	r := &definition.MethodResponse{}
	where := definition.Location{Path: at.path, Method: at.method, Status: status}
	where.Type = definition.OfResponseHeader
	headers := child(o, "headers")
	for _, name := range sorted(headers) {
		if r.Parameters == nil {
			r.Parameters = map[string]bool{}
		}
		r.Parameters["method.response.header."+name] = false
		where.Name = name
		im.part(where, im.resolve(headers[name]), "description", "deprecated", "example", "examples")
	}
	where.Type, where.Name = definition.OfResponse, ""
	if text(o["description"]) != plainResponse(status) {
		im.part(where, o, "description")
	}
	im.useSchema(&r.Models, produces, o["schema"])
	im.content(child(o, "content"), &r.Models)
	if m.Responses == nil {
		m.Responses = map[string]*definition.MethodResponse{}
	}
	m.Responses[status] = r
}

// plainResponse is the description of a response that nobody described: a
// document must have one.
func plainResponse(status string) string { return status + " response" }

// resolve follows a reference within the document, a few steps at most.
func (im *importer) resolve(v any) object {
	o, _ := v.(object)
	for range 8 {
		ref, ok := strings.CutPrefix(text(o["$ref"]), "#/")
		if !ok {
			return o
		}
		var at any = im.root
		for part := range strings.SplitSeq(ref, "/") {
			at = child(object{"x": at}, "x")[unescape.Replace(part)]
		}
		o, _ = at.(object)
	}
	return nil
}

// unescape undoes JSON Pointer's escapes.
var unescape = strings.NewReplacer("~1", "/", "~0", "~")

func items(v any) []any {
	l, _ := v.([]any)
	return l
}

var httpMethods = []string{"get", "put", "post", "delete", "options", "head", "patch"}

func (im *importer) path(path string, item object) {
	if !strings.HasPrefix(path, "/") {
		im.fail("Unable to create resource at path '%s': Resource's path must begin with /", path)
		return
	}
	full := im.base + path
	if len(full) > 1 {
		full = strings.TrimSuffix(full, "/")
	}
	r, err := im.api.At(full, im.newID)
	if err != nil {
		im.fail("Unable to create resource at path '%s': %s", full, err)
		return
	}
	path = im.api.Path(r)
	im.part(definition.Location{Type: definition.OfResource, Path: path}, item, "summary", "description")
	for _, k := range sorted(item) {
		name := strings.ToUpper(k)
		switch {
		case k == anyMethod:
			name = "ANY"
		case slices.Contains(httpMethods, k):
		case k == "parameters" || k == "summary" || k == "description" || k == "servers" || strings.HasPrefix(k, "x-") && !strings.HasPrefix(k, extension):
			continue
		case k == "trace":
			im.fail("Unable to put method 'TRACE' on resource at path '%s': Invalid HttpMethod specified.", path)
			continue
		default:
			im.fail("Unexpected member '%s' at path '%s'", k, path)
			continue
		}
		op, ok := item[k].(object)
		if !ok {
			continue
		}
		m, err := im.method(place{path, name}, op, item)
		if err != nil {
			im.fail("Unable to put method '%s' on resource at path '%s': %s", name, path, err)
			continue
		}
		if r.Methods == nil {
			r.Methods = map[string]*definition.Method{}
		}
		r.Methods[name] = m
	}
}
