package apigateway

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tierra-cloud/tierra/internal/call/calltest"
	api "github.com/tierra-cloud/tierra/internal/gen/apigateway"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
)

// cors is what the SAM translator makes of an API with CORS.
const cors = `{
 "swagger": "2.0", "info": {"version": "1.0", "title": "shop"},
 "x-amazon-apigateway-binary-media-types": ["image/png"],
 "x-amazon-apigateway-gateway-responses": {"DEFAULT_4XX": {"responseParameters": {"gatewayresponse.header.Access-Control-Allow-Origin": "'*'"}}},
 "paths": {"/pets": {
  "get": {"responses": {}, "x-amazon-apigateway-integration": {"type": "aws_proxy", "httpMethod": "POST", "uri": "` + "%s" + `"}},
  "x-amazon-apigateway-any-method": {"responses": {}, "x-amazon-apigateway-integration": {"type": "aws_proxy", "httpMethod": "POST", "uri": "` + "%s" + `"}},
  "options": {"summary": "CORS support", "consumes": ["application/json"], "produces": ["application/json"],
   "responses": {"200": {"description": "d", "headers": {"Access-Control-Allow-Origin": {"type": "string"}, "Access-Control-Allow-Methods": {"type": "string"}}}},
   "x-amazon-apigateway-integration": {"type": "mock", "requestTemplates": {"application/json": "{\n  \"statusCode\" : 200\n}\n"},
    "responses": {"default": {"statusCode": "200", "responseTemplates": {"application/json": "{}\n"},
     "responseParameters": {"method.response.header.Access-Control-Allow-Origin": "'*'", "method.response.header.Access-Control-Allow-Methods": "'GET,OPTIONS'"}}}}}
 }}}`

func TestImport(t *testing.T) {
	w := newWorld(t)
	x := calltest.Must(t, w.World, api.ImportRestApi, &api.ImportRestApiRequest{Body: fmt.Appendf(nil, cors, uri("get"), uri("any")), Parameters: map[string]string{"endpointConfigurationTypes": "REGIONAL"}})
	if *x.Name != "shop" || x.EndpointConfiguration.Types[0] != "REGIONAL" || x.BinaryMediaTypes[0] != "image/png" {
		t.Errorf("API: %s", calltest.JSON(x))
	}
	w.deploy(t, *x.Id, "s")
	_, name := w.records(`{"body":"x"}`)
	for method, want := range map[string]string{"GET": "get", "DELETE": "any"} {
		if got := w.send(method, *x.Id, "/s/pets", ""); got.StatusCode != 200 || *name != functionARN+want {
			t.Errorf("%s: %d by %s", method, got.StatusCode, *name)
		}
	}
	got := w.send("OPTIONS", *x.Id, "/s/pets", "", "Origin", "http://example.org", "Access-Control-Request-Method", "GET")
	if got.StatusCode != 200 || got.body != "{}\n" || got.Header.Get("Access-Control-Allow-Origin") != "*" || got.Header.Get("Access-Control-Allow-Methods") != "GET,OPTIONS" {
		t.Errorf("preflight: %d %q %v", got.StatusCode, got.body, got.Header)
	}
	got = w.send("GET", *x.Id, "/s/none", "")
	if got.StatusCode != 403 || got.Header.Get("Access-Control-Allow-Origin") != "*" || got.body != `{"message":"Missing Authentication Token"}` {
		t.Errorf("gateway response: %d %q %v", got.StatusCode, got.body, got.Header)
	}

	// Overwriting keeps the ids of what stays; nothing is live before a deployment.
	before := calltest.Must(t, w.World, api.GetResources, &api.GetResourcesRequest{RestApiId: x.Id})
	other := strings.Replace(fmt.Sprintf(cors, uri("new"), uri("any")), `"paths": {`, `"paths": {"/dogs/{id}": {"get": {}},`, 1)
	calltest.Must(t, w.World, api.PutRestApi, &api.PutRestApiRequest{RestApiId: x.Id, Mode: new("overwrite"), Body: []byte(other)})
	after := calltest.Must(t, w.World, api.GetResources, &api.GetResourcesRequest{RestApiId: x.Id})
	ids := map[string]string{}
	for _, r := range after.Items {
		ids[*r.Path] = *r.Id
	}
	for _, r := range before.Items {
		if ids[*r.Path] != *r.Id {
			t.Errorf("%s was %s and is %s", *r.Path, *r.Id, ids[*r.Path])
		}
	}
	w.send("GET", *x.Id, "/s/pets", "")
	if *name != functionARN+"get" {
		t.Errorf("live before a deployment: %s", *name)
	}
	if _, err := calltest.Do(w.World, api.CreateDeployment, &api.CreateDeploymentRequest{RestApiId: x.Id, StageName: new("s")}); err == nil || !strings.Contains(err.Error(), "No integration defined for method") {
		t.Errorf("a method without an integration: %v", err)
	}
	// Merging adds to what is there.
	merge := `{"openapi": "3.0.1", "info": {"title": "ignored"}, "paths": {"/dogs/{id}": {"get": {"responses": {"200": {}},
	 "x-amazon-apigateway-integration": {"type": "AWS_PROXY", "httpMethod": "POST", "uri": "` + uri("dogs") + `"}}}}}`
	y := calltest.Must(t, w.World, api.PutRestApi, &api.PutRestApiRequest{RestApiId: x.Id, Mode: new("merge"), Body: []byte(merge)})
	if *y.Name != "shop" {
		t.Errorf("merged name: %s", *y.Name)
	}
	w.deploy(t, *x.Id, "s")
	for path, want := range map[string]string{"/s/pets": "new", "/s/dogs/1": "dogs"} {
		if w.send("GET", *x.Id, path, ""); *name != functionARN+want {
			t.Errorf("%s by %s", path, *name)
		}
	}
}

func TestImportYAML(t *testing.T) {
	w := newWorld(t)
	body := "openapi: 3.0.3\ninfo:\n  title: y\npaths:\n  /:\n    get:\n      responses:\n        200:\n          description: ok\n" +
		"      x-amazon-apigateway-integration: {type: mock, requestTemplates: {application/json: '{ statusCode: 204 }'}, responses: {default: {statusCode: 204}}}\n"
	x := calltest.Must(t, w.World, api.ImportRestApi, &api.ImportRestApiRequest{Body: []byte(body)})
	w.deploy(t, *x.Id, "s")
	if got := w.send("GET", *x.Id, "/s", ""); got.StatusCode != 204 {
		t.Errorf("%d %s", got.StatusCode, got.body)
	}
}

// TestImportRefuses holds that what would not act is refused by name, and that
// nothing is left of the attempt.
func TestImportRefuses(t *testing.T) {
	w := newWorld(t)
	op := func(more string) string {
		return `{"swagger":"2.0","info":{"title":"t"},"paths":{"/x":{"get":{` + more + `}}}}`
	}
	integration := func(more string) string { return op(`"x-amazon-apigateway-integration":{` + more + `}`) }
	for body, want := range map[string]string{
		`[]`: "Invalid OpenAPI input", `{`: "Invalid OpenAPI input", `{}`: "Invalid OpenAPI input", "a: &x\n  b: *x": "Invalid OpenAPI input",
		`{"openapi":"3.1.0"}`:                                                                                "Unsupported OpenAPI version",
		`{"swagger":"2.0","info":{},"paths":{}}`:                                                             "title",
		op(`"x-amazon-apigateway-request-validator":"all"`):                                                  "Invalid request validator specified: all",
		integration(`"type":"aws","httpMethod":"POST","uri":"x"`):                                            "Invalid ARN",
		integration(`"type":"http_proxy","uri":"http://x"`):                                                  "HttpMethod must be non-empty",
		integration(`"type":"aws_proxy","httpMethod":"POST","uri":"x"`):                                      "Invalid ARN specified in the request",
		integration(`"type":"mock","connectionType":"VPC_LINK"`):                                             "connectionType VPC_LINK",
		integration(`"type":"mock","requestTemplates":{"application/json":"{\"statusCode\": #parse('x')}"}`): "#parse",
		integration(`"type":"mock","responses":{"default":{"statusCode":"200","responseParameters":{"method.response.header.A":"a"}}}`):                                                 "No method response exists for method",
		`{"swagger":"2.0","info":{"title":"t"},"x-amazon-apigateway-policy":{},"paths":{}}`:                                                                                             "Invalid policy document",
		`{"swagger":"2.0","info":{"title":"t"},"securityDefinitions":{"a":{"x-amazon-apigateway-authorizer":{"type":"cognito_user_pools","providerARNs":["x"]}}},"paths":{}}`:           "Invalid Cognito User Pool ARN: x",
		`{"swagger":"2.0","info":{"title":"t"},"definitions":{"a_b":{}},"paths":{}}`:                                                                                                    "Unable to create model for 'a_b': Model name must be alphanumeric: a_b",
		`{"swagger":"2.0","info":{"title":"t"},"definitions":{"A":{"$ref":"#/definitions/B"}},"paths":{}}`:                                                                              "Unable to create model for 'A': Invalid model specified: Validation Result: warnings : [], errors : [Invalid model specified: B]",
		`{"swagger":"2.0","info":{"title":"t"},"x-amazon-apigateway-endpoint-configuration":{"types":["PRIVATE"]},"paths":{}}`:                                                          "PRIVATE",
		`{"swagger":"2.0","info":{"title":"t"},"x-amazon-apigateway-documentation":{"documentationParts":[{"location":{"type":"METHOD","name":"x"},"properties":{"a":1}}]},"paths":{}}`: "name is not valid for the type METHOD",
		`{"swagger":"2.0","info":{"title":"t"},"paths":{"/a b":{}}}`:                                                                                                                    "path part",
		`{"swagger":"2.0","info":{"title":"t"},"paths":{"/{a}":{},"/{b}":{}}}`:                                                                                                          "A sibling ({a})",
		`{"swagger":"2.0","info":{"title":"t"},"paths":{"/{a+}/b":{}}}`:                                                                                                                 "greedy",
	} {
		_, err := calltest.Do(w.World, api.ImportRestApi, &api.ImportRestApiRequest{Body: []byte(body)})
		if !fault.Is(err, "BadRequestException") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s:\n got %v\nwant %s", body, err, want)
		}
	}
	if all := calltest.Must(t, w.World, api.GetRestApis, &api.GetRestApisRequest{}); len(all.Items) != 0 {
		t.Errorf("left: %s", calltest.JSON(all))
	}
}

// TestSAM imports the API bodies that the SAM translator makes. A body is
// imported or refused for a feature by name; what is imported can be deployed.
func TestSAM(t *testing.T) {
	dir := filepath.Join(conformance(t, "sam"), "expected")
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	w := newWorld(t)
	imported, refused := 0, 0
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var template struct {
			Resources map[string]struct {
				Type       any
				Properties struct{ Body any }
			}
		}
		if json.Unmarshal(text, &template) != nil {
			continue
		}
		for name, r := range template.Resources {
			body, ok := known(r.Properties.Body).(map[string]any)
			if r.Type != "AWS::ApiGateway::RestApi" || !ok {
				continue
			}
			where := filepath.Base(f) + " " + name
			b, _ := json.Marshal(body)
			x, err := calltest.Do(w.World, api.ImportRestApi, &api.ImportRestApiRequest{Body: b})
			if err != nil {
				refused++
				t.Logf("%s: %v", where, err)
				continue
			}
			imported++
			if _, err := calltest.Do(w.World, api.CreateDeployment, &api.CreateDeploymentRequest{RestApiId: x.Id, StageName: new("Prod")}); err != nil && !strings.Contains(err.Error(), "doesn't contain any methods") && !strings.Contains(err.Error(), "No integration defined") {
				t.Errorf("%s: %v", where, err)
			}
		}
	}
	t.Logf("%d imported, %d refused", imported, refused)
	if imported < 30 {
		t.Errorf("only %d of %d bodies were imported", imported, imported+refused)
	}
}

// known puts a value in for every intrinsic function, as CloudFormation would.
func known(v any) any {
	switch v := v.(type) {
	case map[string]any:
		if len(v) == 1 {
			for k, arg := range v {
				switch {
				case k == "Ref":
					return "name"
				case k == "Fn::Sub":
					s, ok := arg.(string)
					if !ok {
						return "text"
					}
					for strings.Contains(s, "${") {
						i := strings.Index(s, "${")
						j := strings.IndexByte(s[i:], '}')
						name, with := s[i+2:i+j], "name"
						switch {
						case name == "AWS::Region":
							with = "us-east-1"
						case name == "AWS::Partition":
							with = "aws"
						case strings.HasSuffix(name, "Arn"), strings.Contains(name, "Alias"):
							with = functionARN + "f"
						}
						s = s[:i] + with + s[i+j+1:]
					}
					return s
				case k == "Fn::GetAtt":
					return "arn:aws:iam::000000000000:role/r"
				case k == "Fn::If":
					return known(arg.([]any)[1])
				case strings.HasPrefix(k, "Fn::"):
					return "text"
				}
			}
		}
		for k, e := range v {
			v[k] = known(e)
		}
	case []any:
		for i, e := range v {
			v[i] = known(e)
		}
	}
	return v
}
