package apigateway

import (
	"strings"
	"testing"

	"github.com/tierra-cloud/tierra/internal/call/calltest"
	api "github.com/tierra-cloud/tierra/internal/gen/apigateway"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
)

// validated is a document whose one method checks parameters and body.
const validated = `{"swagger":"2.0","info":{"title":"t"},
"x-amazon-apigateway-request-validators":{"all":{"validateRequestBody":true,"validateRequestParameters":true},"none":{}},
"x-amazon-apigateway-request-validator":"all",
"x-amazon-apigateway-gateway-responses":{"BAD_REQUEST_BODY":{"statusCode":"422","responseTemplates":{"application/json":"{\"why\":\"$context.error.validationErrorString\"}"}}},
"definitions":{"Pet":{"type":"object","required":["name"],"properties":{"name":{"$ref":"#/definitions/Name"}}},"Name":{"type":"string","minLength":2}},
"paths":{"/pets":{"post":{"consumes":["application/json"],"parameters":[{"name":"q","in":"query","required":true},{"name":"X-Key","in":"header","required":true},{"name":"o","in":"query"},
	{"name":"Pet","in":"body","required":true,"schema":{"$ref":"#/definitions/Pet"}}],"responses":{"200":{"description":"ok"}},
	"x-amazon-apigateway-integration":{"type":"mock","passthroughBehavior":"never","requestTemplates":{"application/json":"{\"statusCode\":200}","text/plain":"{\"statusCode\":200}"},"responses":{"default":{"statusCode":"200"}}}},
 "get":{"x-amazon-apigateway-request-validator":"none","parameters":[{"name":"q","in":"query","required":true}],"responses":{"200":{"description":"ok"}},
	"x-amazon-apigateway-integration":{"type":"mock","requestTemplates":{"application/json":"{\"statusCode\":200}"},"responses":{"default":{"statusCode":"200"}}}}}}}`

func TestValidation(t *testing.T) {
	w := newWorld(t)
	id := *calltest.Must(t, w.World, api.ImportRestApi, &api.ImportRestApiRequest{Body: []byte(validated)}).Id
	w.deploy(t, id, "s")
	for _, c := range []struct {
		method, query, body string
		headers             []string
		status              int
		want                string
	}{
		{"POST", "?q=1", `{"name":"rex"}`, []string{"X-Key", "k"}, 200, ""},
		{"POST", "", `{"name":"rex"}`, nil, 400, `{"message":"Missing required request parameters: [X-Key, q]"}`},
		{"POST", "?q=+", `{"name":"rex"}`, []string{"X-Key", "k"}, 400, "[q]"},
		{"POST", "?q=1", `{"name":"r"}`, []string{"X-Key", "k"}, 422, "/name: "},
		{"POST", "?q=1", `{}`, []string{"X-Key", "k"}, 422, "missing property"},
		{"POST", "?q=1", ``, []string{"X-Key", "k", "Content-Type", "application/json; charset=utf-8"}, 422, "not JSON"},
		{"POST", "?q=1", `not checked`, []string{"X-Key", "k", "Content-Type", "text/plain"}, 200, ""},
		{"GET", "", ``, nil, 200, ""},
	} {
		got := w.send(c.method, id, "/s/pets"+c.query, c.body, c.headers...)
		if got.StatusCode != c.status || !strings.Contains(got.body, c.want) {
			t.Errorf("%s %s with %s: %d %s, want %d %s", c.method, c.query, c.body, got.StatusCode, got.body, c.status, c.want)
		}
	}
	all := calltest.Must(t, w.World, api.GetRequestValidators, &api.GetRequestValidatorsRequest{RestApiId: &id})
	if len(all.Items) != 2 {
		t.Fatalf("%s", calltest.JSON(all))
	}
	for _, v := range all.Items {
		if _, err := calltest.Do(w.World, api.DeleteRequestValidator, &api.DeleteRequestValidatorRequest{RestApiId: &id, RequestValidatorId: v.Id}); !fault.Is(err, "ConflictException") {
			t.Errorf("a validator in use: %v", err)
		}
	}
	// A second import keeps the ids.
	calltest.Must(t, w.World, api.PutRestApi, &api.PutRestApiRequest{RestApiId: &id, Mode: new("overwrite"), Body: []byte(validated)})
	again := calltest.Must(t, w.World, api.GetRequestValidators, &api.GetRequestValidatorsRequest{RestApiId: &id})
	if calltest.JSON(again) != calltest.JSON(all) {
		t.Errorf("after a second import: %s", calltest.JSON(again))
	}
}

// TestValidators changes validators and what names them.
func TestValidators(t *testing.T) {
	w := newWorld(t)
	id := w.emptyAPI(t)
	v := calltest.Must(t, w.World, api.CreateRequestValidator, &api.CreateRequestValidatorRequest{RestApiId: &id, Name: new("v")})
	w.method(t, id, "POST /", api.PutIntegrationRequest{Type: new("MOCK"), RequestTemplates: map[string]string{jsonType: `{"statusCode":200}`}}, nil, replies{"200": {}})
	rid := w.resource(t, id, "/")
	patch := func(path, value string) error {
		_, err := calltest.Do(w.World, api.UpdateMethod, &api.UpdateMethodRequest{RestApiId: &id, ResourceId: &rid, HttpMethod: new("POST"), PatchOperations: []api.PatchOperation{
			{Op: new("replace"), Path: &path, Value: &value},
		}})
		return err
	}
	if err := patch("/requestValidatorId", "nothing"); !fault.Is(err, "BadRequestException") {
		t.Errorf("a validator that is not there: %v", err)
	}
	calltest.Must(t, w.World, api.CreateModel, &api.CreateModelRequest{RestApiId: &id, Name: new("M"), ContentType: new(jsonType), Schema: new(`{"pattern":"(?=x)"}`)})
	for _, p := range [][2]string{{"/requestValidatorId", *v.Id}, {"/requestModels/application~1json", "M"}} {
		if err := patch(p[0], p[1]); err != nil {
			t.Fatal(err)
		}
	}
	w.deploy(t, id, "s") // the model is not used yet
	on := []api.PatchOperation{{Op: new("replace"), Path: new("/validateRequestBody"), Value: new("true")}}
	if x := calltest.Must(t, w.World, api.UpdateRequestValidator, &api.UpdateRequestValidatorRequest{RestApiId: &id, RequestValidatorId: v.Id, PatchOperations: on}); !*x.ValidateRequestBody {
		t.Error(calltest.JSON(x))
	}
	if _, err := calltest.Do(w.World, api.CreateDeployment, &api.CreateDeploymentRequest{RestApiId: &id}); !fault.Is(err, "BadRequestException") || !strings.Contains(err.Error(), "Invalid model schema") {
		t.Errorf("a model that cannot be checked against: %v", err)
	}
	schema := []api.PatchOperation{{Op: new("replace"), Path: new("/schema"), Value: new(`{"type":"array"}`)}}
	calltest.Must(t, w.World, api.UpdateModel, &api.UpdateModelRequest{RestApiId: &id, ModelName: new("M"), PatchOperations: schema})
	w.deploy(t, id, "s")
	for body, status := range map[string]int{`[]`: 200, `{}`: 400} {
		if got := w.send("POST", id, "/s/", body); got.StatusCode != status {
			t.Errorf("%s: %d %s", body, got.StatusCode, got.body)
		}
	}
	if err := patch("/requestValidatorId", ""); err != nil {
		t.Error(err)
	}
	calltest.Must(t, w.World, api.DeleteRequestValidator, &api.DeleteRequestValidatorRequest{RestApiId: &id, RequestValidatorId: v.Id})
	if _, err := calltest.Do(w.World, api.GetRequestValidator, &api.GetRequestValidatorRequest{RestApiId: &id, RequestValidatorId: v.Id}); !fault.Is(err, "NotFoundException") {
		t.Errorf("gone: %v", err)
	}
}

// TestValidatedStack makes, from a template, a method that is checked and calls
// an action.
func TestValidatedStack(t *testing.T) {
	w := newWorld(t)
	s := newStack(t, w)
	x := s.create("RestApi", props{"Name": "n"})
	root := x.Attributes["RootResourceId"]
	off, on := props{"RestApiId": x.ID, "Name": "v"}, props{"RestApiId": x.ID, "Name": "v", "ValidateRequestParameters": true}
	v := s.create("RequestValidator", off)
	s.update("RequestValidator", v.ID, off, on)
	if left, err := s.typ("RequestValidator").Find(t.Context(), s.rq, on); err != nil || len(left) != 1 || left[0].ID != v.ID {
		t.Errorf("found %v %v", left, err)
	}
	method := props{
		"RestApiId": x.ID, "ResourceId": root, "HttpMethod": "GET", "RequestValidatorId": v.ID, "RequestParameters": props{"method.request.querystring.q": true},
		"MethodResponses": []any{props{"StatusCode": "200"}},
		"Integration": props{
			"Type": "MOCK", "ContentHandling": "CONVERT_TO_TEXT", "RequestTemplates": props{"application/json": `{"statusCode":#if(true)200#end}`},
			"RequestParameters":    props{"integration.request.header.A": "method.request.querystring.q"},
			"IntegrationResponses": []any{props{"StatusCode": "200", "ResponseTemplates": props{"application/json": "$input.params('q')"}}},
		},
	}
	m := s.create("Method", method)
	s.create("Deployment", props{"RestApiId": x.ID, "StageName": "s"})
	if got := w.send("GET", x.ID, "/s/?q=hi", ""); got.StatusCode != 200 || got.body != "hi" {
		t.Errorf("got %d %s", got.StatusCode, got.body)
	}
	if got := w.send("GET", x.ID, "/s/", ""); got.StatusCode != 400 {
		t.Errorf("got %d %s", got.StatusCode, got.body)
	}
	s.remove("Method", m.ID, method)
	s.remove("RequestValidator", v.ID, on)
}
