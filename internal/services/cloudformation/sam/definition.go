package sam

import (
	"regexp"
	"sort"
	"strings"
)

// Members of an API's definition.
const (
	integration  = "x-amazon-apigateway-integration"
	anyMethod    = "x-amazon-apigateway-any-method"
	binaryTypes  = "x-amazon-apigateway-binary-media-types"
	gatewayAns   = "x-amazon-apigateway-gateway-responses"
	resourcePol  = "x-amazon-apigateway-policy"
	validators   = "x-amazon-apigateway-request-validators"
	validator    = "x-amazon-apigateway-request-validator"
	endpointConf = "x-amazon-apigateway-endpoint-configuration"
)

func skeleton() object {
	return object{"swagger": "2.0", "info": object{"version": "1.0", "title": ref("AWS::StackName")}, "paths": object{}}
}

// skeleton3 is the definition of an HTTP API.
func skeleton3() object {
	return object{"openapi": "3.0.1", "info": object{"version": "1.0", "title": ref("AWS::StackName")}, "paths": object{}}
}

var version3 = regexp.MustCompile(`^3(\.\d)(\.\d)?$`)

func openAPI3(v any) bool { return v != nil && version3.MatchString(plain(v)) }

func validDefinition(v any) bool {
	m, ok := v.(object)
	if !ok {
		return false
	}
	if _, ok := m["paths"].(object); !ok {
		return false
	}
	return truthy(m["swagger"]) || openAPI3(m["openapi"])
}

// editor changes an API's definition in place.
type editor struct{ doc, paths object }

func newEditor(doc object) *editor { return &editor{doc, doc["paths"].(object)} }

// method is the spelling of a method in definitions.
func method(name string) string {
	if name = strings.ToLower(name); name == "any" || name == anyMethod {
		return anyMethod
	}
	return name
}

// contents are what a value holds: itself, or both branches of a Fn::If.
func contents(v any) []any {
	m, ok := v.(object)
	if !ok {
		return []any{v}
	}
	list, ok := m["Fn::If"].([]any)
	if !ok {
		return []any{v}
	}
	var out []any
	for _, x := range list[min(1, len(list)):] {
		if !isNoValue(x) {
			out = append(out, x)
		}
	}
	return out
}

// items are the path items at a path.
func (e *editor) items(path string) []object {
	var out []object
	for _, c := range contents(e.paths[path]) {
		item, ok := c.(object)
		if !ok {
			panic(Problem{Text: "Structure of the SAM template is invalid. Value of '" + path + "' path must be a dictionary according to Swagger spec."})
		}
		out = append(out, item)
	}
	return out
}

func (e *editor) addPath(path, name string) {
	if _, has := e.paths[path]; !has {
		e.paths[path] = object{}
	}
	for _, item := range e.items(path) {
		if old, has := item[method(name)]; !has || old == nil {
			item[method(name)] = object{}
		}
	}
}

func integrated(v any) bool {
	m, ok := v.(object)
	return ok && truthy(m[integration])
}

func (e *editor) has(path, name string) bool {
	if _, ok := e.paths[path]; !ok {
		return false
	}
	for _, item := range e.items(path) {
		found := false
		for _, m := range contents(item[method(name)]) {
			found = found || integrated(m)
		}
		if !found {
			return false
		}
	}
	return true
}

// methods are the definitions of one method at a path that have an integration.
func (e *editor) methods(path, name string) []object {
	var out []object
	for _, item := range e.items(path) {
		for _, m := range contents(item[method(name)]) {
			if integrated(m) {
				out = append(out, m.(object))
			}
		}
	}
	return out
}

// each calls f for every method with an integration, sorted by path and method.
func (e *editor) each(f func(path, name string, m object)) {
	for _, path := range keys(e.paths) {
		for _, item := range e.items(path) {
			for _, name := range keys(item) {
				if name == "summary" || name == "description" || name == "parameters" {
					continue
				}
				for _, m := range contents(item[name]) {
					def, ok := m.(object)
					if !ok {
						panic(Problem{Text: "Structure of the SAM template is invalid. Definition of method '" + name + "' for path '" + path + "' should be a map."})
					}
					if integrated(def) {
						f(path, method(name), def)
					}
				}
			}
		}
	}
}

// child returns a member that is a map, made if it is not there.
func child(m object, name string) object {
	c, ok := m[name].(object)
	if !ok {
		c = object{}
		m[name] = c
	}
	return c
}

// cors adds an OPTIONS method to every path that has none.
func (e *editor) cors(c corsConfig) {
	seen := map[string]bool{}
	for _, path := range keys(e.paths) {
		normal := path
		if path != "/" {
			normal = strings.TrimRight(path, "/")
		}
		if seen[normal] {
			continue // API Gateway takes /a and /a/ for the same
		}
		seen[normal] = true
		allowed := c.methods
		for _, item := range e.items(path) {
			if _, has := item["options"]; has {
				continue
			}
			if !truthy(c.origin) {
				panic(Problem{Text: "Invalid input. Value for AllowedOrigins is required"})
			}
			if !truthy(allowed) {
				allowed = "'" + allowedMethods(item) + "'"
			}
			item["options"] = c.options(allowed)
		}
	}
}

func allowedMethods(item object) string {
	set := map[string]bool{}
	if _, has := item[anyMethod]; has {
		for _, m := range strings.Fields("OPTIONS GET HEAD POST PUT DELETE PATCH") {
			set[m] = true
		}
	} else {
		set["OPTIONS"] = true
		for m := range item {
			set[strings.ToUpper(m)] = true
		}
	}
	var out []string
	for m := range set {
		out = append(out, m)
	}
	sort.Strings(out)
	return strings.Join(out, ",")
}

// corsConfig is an API's Cors property.
type corsConfig struct{ origin, headers, methods, maxAge, credentials any }

// options is the method that answers a preflight request.
func (c corsConfig) options(methods any) object {
	params, headers := object{}, object{}
	set := func(name string, v any, kind string) {
		params["method.response.header."+name], headers[name] = v, object{"type": kind}
	}
	set("Access-Control-Allow-Origin", c.origin, "string")
	if truthy(c.headers) {
		set("Access-Control-Allow-Headers", c.headers, "string")
	}
	if truthy(methods) {
		set("Access-Control-Allow-Methods", methods, "string")
	}
	if c.maxAge != nil {
		set("Access-Control-Max-Age", c.maxAge, "integer")
	}
	if c.credentials == true {
		set("Access-Control-Allow-Credentials", "'true'", "string")
	}
	return object{
		"summary": "CORS support", "consumes": []any{"application/json"}, "produces": []any{"application/json"},
		integration: object{
			"type": "mock", "requestTemplates": object{"application/json": "{\n  \"statusCode\" : 200\n}\n"},
			"responses": object{"default": object{"statusCode": "200", "responseParameters": params, "responseTemplates": object{"application/json": "{}\n"}}},
		},
		"responses": object{"200": object{"description": "Default response for CORS method", "headers": headers}},
	}
}

// finish turns what the transform added into OpenAPI 3 if the definition is that.
// It is called after each of several additions, and wraps the headers of OPTIONS
// responses anew each time, because so does AWS's transform.
func finish(body object, version any) {
	if body["swagger"] != nil {
		return
	}
	if body["openapi"] != nil {
		version = body["openapi"]
	}
	if !openAPI3(version) {
		return
	}
	for from, to := range map[string]string{"securityDefinitions": "securitySchemes", "definitions": "schemas"} {
		if truthy(body[from]) {
			child(body, "components")[to] = body[from]
			delete(body, from)
		}
	}
	paths, _ := body["paths"].(object)
	for _, p := range paths {
		item, _ := p.(object)
		options, ok := item["options"].(object)
		if !ok {
			continue
		}
		delete(options, "produces")
		delete(options, "consumes")
		responses, _ := options["responses"].(object)
		ok200, _ := responses["200"].(object)
		headers, _ := ok200["headers"].(object)
		for k, v := range headers {
			headers[k] = object{"schema": v}
		}
	}
}
