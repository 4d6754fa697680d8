package openapi

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"github.com/tierra-cloud/tierra/internal/services/apigateway/definition"
)

func ids() func() string {
	n := 0
	return func() string { n++; return strconv.Itoa(n) }
}

// Whatever is imported can replace and be merged with what was imported, and
// says the same afterwards.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"swagger":"2.0","info":{"title":"t"},"paths":{"/a/{b}":{"get":{"parameters":[{"in":"query","name":"q"},{"$ref":"#/parameters/p"}],"responses":{"200":{"headers":{"A":{}}}},
	 "x-amazon-apigateway-integration":{"type":"mock","responses":{"default":{"statusCode":"200","responseParameters":{"method.response.header.A":"'a'"}}}}}}},
	 "parameters":{"p":{"in":"header","name":"h","required":true}},"definitions":{"M":{"type":"object"}}}`))
	f.Add([]byte("openapi: 3.0.1\npaths:\n  /x:\n    get:\n      requestBody: {content: {a/b: {schema: {$ref: '#/components/schemas/S'}}}}\ncomponents: {schemas: {S: {}}}\n"))
	f.Add([]byte(`{"openapi":"3.0","paths":{"/{p+}":{"x-amazon-apigateway-any-method":{"$ref":"#/paths"}}}}`))
	f.Add([]byte(`{"openapi":"3.0","paths":{"/":{"get":{"requestBody":{"$ref":"#/a"}}}},"a":{"$ref":"#/a"}}`))
	f.Add([]byte(extended))
	f.Fuzz(func(t *testing.T, body []byte) {
		newID := ids()
		d, err := Parse(body, Options{Root: "root", NewID: newID})
		if err != nil {
			return
		}
		paths := func(a *definition.API) (all []string) {
			for _, r := range a.Sorted() {
				all = append(all, a.Path(r))
			}
			return all
		}
		want := paths(d.API)
		over := d.Overwrite(definition.New("other"))
		again := d.Overwrite(over)
		merged, err := d.Merge(over, newID)
		if err != nil {
			t.Fatal(err)
		}
		// What is exported can be imported, and is then exported as it was.
		all := Format{Three: true, Integrations: true, Authorizers: true, Documented: true}
		for _, f := range []Format{all, {Three: true, YAML: true, Integrations: true, Authorizers: true, Documented: true}, {Integrations: true}} {
			first, err := Export(sourceOf(d), f)
			if err != nil {
				t.Fatal(err)
			}
			e, err := Parse(first, Options{Root: "root", NewID: ids()})
			if err != nil {
				t.Fatalf("%q: the export %s: %v", body, first, err)
			}
			second, err := Export(sourceOf(e), f)
			if err != nil {
				t.Fatal(err)
			}
			if f.Three && string(first) != string(second) {
				t.Errorf("%q:\n%s\nbecame\n%s", body, first, second)
			}
		}
		for _, a := range []*definition.API{over, again, merged} {
			got := paths(a)
			if len(got) != len(want) || a.Resources[a.Root] == nil || a.Root != "other" {
				t.Errorf("%q: %q, want %q", body, got, want)
			}
			for id, r := range a.Resources {
				if r.ID != id || id != a.Root && a.Resources[r.Parent] == nil {
					t.Errorf("%q: resource %q of %q", body, id, r.Parent)
				}
			}
		}
	})
}

func sourceOf(d *Document) Source {
	return Source{Title: d.Title, Description: d.Description, Version: d.Version, API: d.API, Parts: d.Parts, Scheme: "https", Host: "h", Base: "/s"}
}

// extended is a document with everything of API Gateway's own.
const extended = `{
 "openapi": "3.0.1", "info": {"title": "t", "description": "d", "version": "1"},
 "servers": [{"url": "https://example.org/{basePath}", "variables": {"basePath": {"default": "/a/b"}}}],
 "x-amazon-apigateway-api-key-source": "AUTHORIZER",
 "x-amazon-apigateway-binary-media-types": ["image/*"],
 "x-amazon-apigateway-endpoint-configuration": {"disableExecuteApiEndpoint": true},
 "x-amazon-apigateway-policy": {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "*"}]},
 "x-amazon-apigateway-gateway-responses": {"DEFAULT_4XX": {"statusCode": 418, "responseParameters": {"gatewayresponse.header.A": "'a'"}, "responseTemplates": {"application/json": "{}"}}},
 "x-amazon-apigateway-request-validators": {"all": {"validateRequestBody": true, "validateRequestParameters": true}, "none": {}},
 "x-amazon-apigateway-request-validator": "all",
 "x-amazon-apigateway-documentation": {"version": "1", "documentationParts": [
   {"location": {"type": "RESPONSE", "statusCode": "404"}, "properties": {"description": "not there"}},
   {"location": {"type": "AUTHORIZER", "name": "who"}, "properties": {"description": "asks"}}]},
 "tags": [{"name": "x"}],
 "components": {
  "schemas": {"Pet": {"type": "object", "properties": {"id": {"type": "integer", "maximum": 9223372036854775807}, "kids": {"type": "array", "items": {"$ref": "#/components/schemas/Pet"}}}}},
  "parameters": {"limit": {"name": "limit", "in": "query", "description": "how many", "schema": {"type": "integer"}}},
  "responses": {"Gone": {"description": "gone", "content": {"application/json": {"schema": {"type": "object"}}}}},
  "x-amazon-apigateway-integrations": {"f": {"type": "mock", "requestTemplates": {"application/json": "{\"statusCode\": 200}"}, "passthroughBehavior": "never", "timeoutInMillis": 1000, "cacheNamespace": "n", "cacheKeyParameters": ["method.request.querystring.limit"],
    "requestParameters": {"integration.request.header.A": "method.request.querystring.limit"},
    "responses": {"default": {"statusCode": "200", "responseTemplates": {"application/json": "{}"}}, "4..": {"statusCode": "404"}}}},
  "securitySchemes": {
   "who": {"type": "apiKey", "name": "X-Who", "in": "header", "x-amazon-apigateway-authtype": "custom", "x-amazon-apigateway-authorizer": {"type": "request", "identitySource": "method.request.header.X-Who", "authorizerResultTtlInSeconds": 0,
     "authorizerUri": "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:000000000000:function:f/invocations", "authorizerCredentials": "arn:aws:iam::000000000000:role/r"}},
   "key": {"type": "apiKey", "name": "x-api-key", "in": "header"},
   "signed": {"type": "apiKey", "name": "Authorization", "in": "header", "x-amazon-apigateway-authtype": "awsSigv4"},
   "oauth": {"type": "oauth2", "flows": {}}}},
 "paths": {
  "/pets": {"parameters": [{"$ref": "#/components/parameters/limit"}], "summary": "all pets",
   "get": {"operationId": "list", "summary": "s", "security": [{"who": [], "key": []}],
    "responses": {"200": {"description": "200 response", "headers": {"X-N": {"description": "n", "schema": {"type": "integer"}}}, "content": {"application/json": {"schema": {"type": "array", "items": {"$ref": "#/components/schemas/Pet"}}}}}, "404": {"$ref": "#/components/responses/Gone"}},
    "x-amazon-apigateway-integration": {"$ref": "#/components/x-amazon-apigateway-integrations/f"}},
   "post": {"security": [{"signed": []}], "requestBody": {"description": "the pet", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Pet"}}}}, "responses": {}, "x-amazon-apigateway-request-validator": "none"},
   "x-amazon-apigateway-any-method": {"x-amazon-apigateway-auth": {"type": "AWS_IAM"}, "security": [], "responses": {}}},
  "/pets/{id}/{rest+}": {}}
}`

// Everything of a document comes back from its export.
func TestExtensions(t *testing.T) {
	d, err := Parse([]byte(extended), Options{Root: "root", NewID: ids()})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []Format{
		{Three: true, Integrations: true, Authorizers: true, Documented: true}, {Integrations: true, Authorizers: true, Documented: true},
		{Three: true, YAML: true, Integrations: true, Authorizers: true, Documented: true},
	} {
		text, err := Export(sourceOf(d), f)
		if err != nil {
			t.Fatal(err)
		}
		e, err := Parse(text, Options{Root: "root", NewID: ids()})
		if err != nil {
			t.Fatalf("%s\n%v", text, err)
		}
		if want, got := plainly(t, d), plainly(t, e); want != got {
			t.Errorf("%+v: want\n%s\ngot\n%s\nfrom\n%s", f, want, got, text)
		}
	}
	// An export without extensions says nothing of them.
	text, err := Export(sourceOf(d), Format{Three: true})
	if err != nil || strings.Contains(string(text), "integration") || strings.Contains(string(text), "policy") || strings.Contains(string(text), extension+"authorizer") {
		t.Errorf("%v %s", err, text)
	}
}

// plainly is a document's API with names in the place of ids.
func plainly(t *testing.T, d *Document) string {
	t.Helper()
	a := d.API.Clone()
	names := []string{}
	for id, v := range a.Validators {
		names = append(names, id, "validator "+v.Name)
	}
	for id, v := range a.Authorizers {
		names = append(names, id, "authorizer "+v.Name)
	}
	byName := map[string]any{"api": a.Binary, "disabled": a.Disabled, "key": a.KeySource, "policy": a.Policy, "responses": a.Responses, "warnings": nil}
	rename := func(id string) string {
		for i := 0; i < len(names); i += 2 {
			if names[i] == id {
				return names[i+1]
			}
		}
		return id
	}
	for _, r := range a.Resources {
		for name, m := range r.Methods {
			m.Authorizer, m.Validator = rename(m.Authorizer), rename(m.Validator)
			byName[name+" "+a.Path(r)] = m
		}
		byName[a.Path(r)] = true
	}
	for id, v := range a.Validators {
		v.ID = ""
		byName[rename(id)] = v
	}
	for id, v := range a.Authorizers {
		v.ID = ""
		byName[rename(id)] = v
	}
	for name, m := range a.Models {
		m.ID = ""
		byName["model "+name] = m
	}
	for _, p := range d.Parts {
		byName["part "+p.Location.Named()] = p.Properties
	}
	b, err := json.MarshalIndent(byName, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestBasePath(t *testing.T) {
	swagger := `{"swagger": "2.0", "basePath": "/a/b/c", "paths": {"/e": {}, "/f/": {}}}`
	for _, c := range []struct{ body, how, want string }{
		{swagger, "", "/ /e /f"}, {swagger, "ignore", "/ /e /f"}, {swagger, "prepend", "/ /a /a/b /a/b/c /a/b/c/e /a/b/c/f"}, {swagger, "split", "/ /b /b/c /b/c/e /b/c/f"},
		{`{"openapi": "3.0.1", "servers": [{"url": "https://h/v1"}], "paths": {"/e": {}}}`, "prepend", "/ /v1 /v1/e"},
		{`{"openapi": "3.0.1", "servers": [{"url": "https://h/x"}, {"url": "https://h/{basePath}", "variables": {"basePath": {"default": "/v2"}}}], "paths": {"/": {}}}`, "prepend", "/ /v2"},
		{swagger, "x", "Invalid basepath specified: x. Must be one of: ignore, prepend, split"},
	} {
		d, err := Parse([]byte(c.body), Options{Root: "root", NewID: ids(), BasePath: c.how})
		got := ""
		if err != nil {
			got = err.Error()
		} else {
			var all []string
			for _, r := range d.API.Sorted() {
				all = append(all, d.API.Path(r))
			}
			got = strings.Join(all, " ")
		}
		if got != c.want {
			t.Errorf("%s %s: %s, want %s", c.body, c.how, got, c.want)
		}
	}
}
