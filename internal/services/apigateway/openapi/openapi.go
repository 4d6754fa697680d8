// Package openapi makes a definition of an OpenAPI document: version 2 (Swagger)
// or 3, in JSON or YAML, with the extensions of API Gateway. It is pure. What the
// definition could not honour is an error that names it.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/import-api.html
package openapi

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/tierra-cloud/tierra/internal/services/apigateway/definition"
	"github.com/tierra-cloud/tierra/internal/services/apigateway/problem"
)

// Document is what a document says.
type Document struct {
	Title, Description, Version string
	API                         *definition.API
	// HasBinary, HasDisabled and HasPolicy say whether the document speaks of them.
	HasBinary, HasDisabled, HasPolicy bool
	Warnings                          []string
}

type importer struct {
	root   object
	doc    *Document
	api    *definition.API
	newID  func() string
	errors []string
}

// extension is the prefix of API Gateway's own members.
const extension = "x-amazon-apigateway-"

// anyMethod stands for every method of a path.
const anyMethod = extension + "any-method"

// Parse reads a document. The root resource has the id root, the others have ids
// from newID.
func Parse(body []byte, root string, newID func() string) (*Document, error) {
	o, err := read(body)
	if err != nil {
		return nil, err
	}
	if s, v := text(o["swagger"]), text(o["openapi"]); !strings.HasPrefix(s, "2") && !strings.HasPrefix(v, "3.0") {
		if v != "" {
			return nil, problem.New("Unsupported OpenAPI version specified: %s", v)
		}
		return nil, errInput
	}
	info := child(o, "info")
	im := &importer{root: o, newID: newID, api: definition.New(root)}
	im.doc = &Document{Title: text(info["title"]), Description: text(info["description"]), Version: text(info["version"]), API: im.api}
	im.settings()
	im.schemes()
	im.models()
	im.responses()
	im.validators()
	paths := child(o, "paths")
	for _, p := range sorted(paths) {
		item, ok := paths[p].(object)
		if !ok || strings.HasPrefix(p, "x-") {
			continue
		}
		im.path(p, item)
	}
	if len(im.errors) > 0 {
		return nil, problem.New("Errors found during import:\n\t%s", strings.Join(im.errors, "\n\t"))
	}
	return im.doc, nil
}

func (im *importer) fail(format string, args ...any) {
	im.errors = append(im.errors, fmt.Sprintf(format, args...))
}

func (im *importer) refuse(setting string) { im.fail("%s", problem.Unsupported(setting).Error()) }

func (im *importer) warn(format string, args ...any) {
	im.doc.Warnings = append(im.doc.Warnings, fmt.Sprintf(format, args...))
}

// settings reads the extensions at the top.
func (im *importer) settings() {
	for _, k := range sorted(im.root) {
		v := im.root[k]
		name, ok := strings.CutPrefix(k, extension)
		if !ok {
			continue
		}
		switch name {
		case "binary-media-types":
			im.api.Binary, im.doc.HasBinary = list(v), true
		case "policy":
			b, err := json.Marshal(v)
			if err != nil {
				im.fail("Invalid policy document: %s", err)
			}
			im.api.Policy, im.doc.HasPolicy = string(b), true
		case "gateway-responses", "documentation", "importexport-version", "request-validators", "request-validator":
		case "api-key-source":
			switch im.api.KeySource = text(v); im.api.KeySource {
			case "HEADER", "AUTHORIZER":
			default:
				im.fail("Invalid API Key Source specified: %s", text(v))
			}
		case "endpoint-configuration":
			c, _ := v.(object)
			for _, name := range sorted(c) {
				switch {
				case name == "disableExecuteApiEndpoint":
					im.api.Disabled, im.doc.HasDisabled = c[name] == true || c[name] == "true", true
				case name == "types" || name == "ipAddressType":
				default:
					im.refuse(k + "." + name)
				}
			}
		default:
			im.refuse(k)
		}
	}
}

var modelName = regexp.MustCompile(`^[a-zA-Z0-9]+$`)

// models reads the named schemas.
func (im *importer) models() {
	schemas := child(im.root, "definitions")
	if c := child(im.root, "components"); c != nil {
		schemas = child(c, "schemas")
	}
	for _, name := range sorted(schemas) {
		if !modelName.MatchString(name) {
			im.warn("Model name must be alphanumeric. Model %s is skipped", name)
			continue
		}
		b, err := json.Marshal(schemas[name])
		if err != nil {
			im.fail("Unable to create model '%s': %v", name, err)
			continue
		}
		if im.api.Models == nil {
			im.api.Models = map[string]*definition.Model{}
		}
		im.api.Models[name] = &definition.Model{ID: im.newID(), Name: name, ContentType: "application/json", Schema: string(b)}
	}
}

// responses reads the gateway responses.
func (im *importer) responses() {
	all := child(im.root, extension+"gateway-responses")
	for _, typ := range sorted(all) {
		o, _ := all[typ].(object)
		if _, ok := definition.ResponseStatus(typ); !ok {
			im.fail("Invalid gateway response type specified: %s", typ)
			continue
		}
		g := &definition.GatewayResponse{Status: text(o["statusCode"]), Parameters: texts(o["responseParameters"]), Templates: texts(o["responseTemplates"])}
		if err := g.Check(); err != nil {
			im.fail("Unable to put gateway response '%s': %s", typ, err)
			continue
		}
		if im.api.Responses == nil {
			im.api.Responses = map[string]*definition.GatewayResponse{}
		}
		im.api.Responses[typ] = g
	}
}

var httpMethods = []string{"get", "put", "post", "delete", "options", "head", "patch"}

func (im *importer) path(path string, item object) {
	if !strings.HasPrefix(path, "/") {
		im.fail("Unable to create resource at path '%s': Resource's path must begin with /", path)
		return
	}
	r, err := im.api.At(path, im.newID)
	if err != nil {
		im.fail("Unable to create resource at path '%s': %s", path, err)
		return
	}
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
		m, err := im.method(op, item)
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

// method reads an operation.
func (im *importer) method(op, item object) (*definition.Method, error) {
	m := &definition.Method{Authorization: "NONE", Operation: text(op["operationId"])}
	if err := im.security(m, op); err != nil {
		return nil, err
	}
	for _, k := range sorted(op) {
		if name, ok := strings.CutPrefix(k, extension); ok && name != "integration" && name != "auth" && name != "request-validator" {
			return nil, problem.Unsupported(k)
		}
	}
	var err error
	if m.Validator, err = im.validator(op); err != nil {
		return nil, err
	}
	for _, list := range []any{item["parameters"], op["parameters"]} {
		if err := im.parameters(m, list); err != nil {
			return nil, err
		}
	}
	if body := im.resolve(op["requestBody"]); body != nil {
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
		im.methodResponse(m, status, im.resolve(responses[status]))
	}
	o, ok := op[extension+"integration"].(object)
	if !ok {
		return m, nil
	}
	return m, im.integration(m, o)
}

var places = map[string]string{"header": "header", "query": "querystring", "path": "path"}

func (im *importer) parameters(m *definition.Method, v any) error {
	all, _ := v.([]any)
	for _, p := range all {
		o := im.resolve(p)
		name, in := text(o["name"]), text(o["in"])
		switch {
		case in == "body":
			if n := modelOf(o["schema"]); n != "" {
				im.useModel(&m.Models, "application/json", n)
			}
		case places[in] != "" && name != "":
			if m.Parameters == nil {
				m.Parameters = map[string]bool{}
			}
			m.Parameters["method.request."+places[in]+"."+name] = o["required"] == true || o["required"] == "true"
		case in == "cookie" || in == "formData":
			im.warn("Parameters in '%s' are not supported: %s is skipped", in, name)
		default:
			return problem.New("Invalid parameter specified: %q in %q", name, in)
		}
	}
	return nil
}

func (im *importer) content(content object, models *map[string]string) {
	for _, typ := range sorted(content) {
		o, _ := content[typ].(object)
		if n := modelOf(o["schema"]); n != "" {
			im.useModel(models, typ, n)
		}
	}
}

func (im *importer) useModel(models *map[string]string, typ, name string) {
	if im.api.Models[name] == nil {
		return
	}
	if *models == nil {
		*models = map[string]string{}
	}
	(*models)[typ] = name
}

// modelOf returns the name of the schema that a reference names.
func modelOf(schema any) string {
	o, _ := schema.(object)
	ref := text(o["$ref"])
	for _, prefix := range []string{"#/definitions/", "#/components/schemas/"} {
		if n, ok := strings.CutPrefix(ref, prefix); ok {
			return n
		}
	}
	return ""
}

func (im *importer) methodResponse(m *definition.Method, status string, o object) {
	r := &definition.MethodResponse{}
	for name := range child(o, "headers") {
		if r.Parameters == nil {
			r.Parameters = map[string]bool{}
		}
		r.Parameters["method.response.header."+name] = false
	}
	if n := modelOf(o["schema"]); n != "" {
		im.useModel(&r.Models, "application/json", n)
	}
	im.content(child(o, "content"), &r.Models)
	if m.Responses == nil {
		m.Responses = map[string]*definition.MethodResponse{}
	}
	m.Responses[status] = r
}

// resolve follows a reference within the document, a few steps at most.
func (im *importer) resolve(v any) object {
	o, _ := v.(object)
	for range 8 {
		ref, ok := strings.CutPrefix(text(o["$ref"]), "#/")
		if !ok {
			return o
		}
		var at any = im.root
		for _, part := range strings.Split(ref, "/") {
			at = child(object{"x": at}, "x")[strings.NewReplacer("~1", "/", "~0", "~").Replace(part)]
		}
		o, _ = at.(object)
	}
	return nil
}

// integration reads x-amazon-apigateway-integration.
func (im *importer) integration(m *definition.Method, o object) error {
	i := &definition.Integration{
		Type: strings.ToUpper(text(o["type"])), HTTPMethod: strings.ToUpper(text(o["httpMethod"])), URI: text(o["uri"]), Credentials: text(o["credentials"]),
		Templates: texts(o["requestTemplates"]), Passthrough: strings.ToUpper(text(o["passthroughBehavior"])),
		Parameters: texts(o["requestParameters"]), Convert: strings.ToUpper(text(o["contentHandling"])),
	}
	if text(o["httpMethod"]) == anyMethod {
		i.HTTPMethod = "ANY"
	}
	for _, k := range sorted(o) {
		switch k {
		case "type", "httpMethod", "uri", "credentials", "requestTemplates", "passthroughBehavior", "responses", "payloadFormatVersion", "requestParameters", "contentHandling":
		case "timeoutInMillis":
			n, ok := o[k].(float64)
			if !ok || n < 1 || n > 1e6 {
				n = -1
			}
			i.Timeout = int32(n)
		case "connectionType":
			if !strings.EqualFold(text(o[k]), "INTERNET") {
				return problem.Unsupported(k + " " + text(o[k]))
			}
		case "responseTransferMode":
			if !strings.EqualFold(text(o[k]), "BUFFERED") {
				return problem.Unsupported(k + " " + text(o[k]))
			}
		default:
			return problem.Unsupported("the integration's " + k)
		}
	}
	if i.Type == "" {
		return problem.New("Invalid integration type specified: ")
	}
	if err := i.Check(); err != nil {
		return err
	}
	if err := m.CheckDeclared(i); err != nil {
		return err
	}
	m.Integration = i
	responses := child(o, "responses")
	for _, pattern := range sorted(responses) {
		r, _ := responses[pattern].(object)
		status := text(r["statusCode"])
		x := &definition.IntegrationResponse{
			Parameters: texts(r["responseParameters"]), Templates: texts(r["responseTemplates"]), Convert: strings.ToUpper(text(r["contentHandling"])),
		}
		if pattern != "default" {
			x.Pattern = &pattern
		}
		if i.Type != definition.Proxy && i.Type != definition.HTTPProxy {
			if m.Responses[status] == nil && definition.CheckStatus(status) == nil && len(x.Parameters) == 0 {
				im.methodResponse(m, status, nil)
			}
			if err := m.CheckMapped(status, x); err != nil {
				return err
			}
		} else if err := definition.CheckStatus(status); err != nil {
			return err
		}
		if i.Responses == nil {
			i.Responses = map[string]*definition.IntegrationResponse{}
		}
		i.Responses[status] = x
	}
	return nil
}
