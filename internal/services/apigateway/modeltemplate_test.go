package apigateway

import (
	"encoding/json"
	"testing"

	"github.com/tierra-cloud/tierra/internal/call/calltest"
	api "github.com/tierra-cloud/tierra/internal/gen/apigateway"
	"github.com/tierra-cloud/tierra/internal/services/apigateway/schema"
)

// TestModelTemplate holds that the template of a model makes what the model takes.
func TestModelTemplate(t *testing.T) {
	models := map[string]string{
		"Kind":    `{"type": "string", "enum": ["$a #if", "b"]}`,
		"Pet":     `{"type": "object", "required": ["id", "kind", "tags"], "properties": {"id": {"type": "integer"}, "name": {"type": ["string", "null"]}, "kind": {"$ref": "https://apigateway.amazonaws.com/restapis/x/models/Kind"}, "tags": {"type": "array", "items": {"type": "string"}}, "good": {"type": "boolean"}, "price": {"type": "number"}, "none": {"type": "null"}}}`,
		"Pets":    `{"type": "array", "items": {"$ref": "#/definitions/Pet"}}`,
		"Tree":    `{"type": "object", "properties": {"value": {"$ref": "#/definitions/Pet"}, "left": {"$ref": "#/definitions/Tree"}}}`,
		"Both":    `{"allOf": [{"$ref": "#/definitions/Pet"}, {"type": "object", "required": ["more"], "properties": {"more": {"type": "string"}}}]}`,
		"Own":     `{"definitions": {"inner": {"type": "object", "properties": {"x": {"type": "integer"}}}}, "type": "object", "properties": {"a": {"$ref": "#/definitions/inner"}}}`,
		"Nothing": ``,
	}
	for name := range models {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			id := *calltest.Must(t, w.World, api.CreateRestApi, &api.CreateRestApiRequest{Name: new("m")}).Id
			for n, text := range models {
				calltest.Must(t, w.World, api.CreateModel, &api.CreateModelRequest{RestApiId: &id, Name: &n, ContentType: new("application/json"), Schema: &text})
			}
			template := *calltest.Must(t, w.World, api.GetModelTemplate, &api.GetModelTemplateRequest{RestApiId: &id, ModelName: &name}).Value
			root, get, status := w.resource(t, id, "/"), "GET", "200"
			calltest.Must(t, w.World, api.PutMethod, &api.PutMethodRequest{RestApiId: &id, ResourceId: &root, HttpMethod: &get, AuthorizationType: new("NONE")})
			calltest.Must(t, w.World, api.PutMethodResponse, &api.PutMethodResponseRequest{RestApiId: &id, ResourceId: &root, HttpMethod: &get, StatusCode: &status})
			calltest.Must(t, w.World, api.PutIntegration, &api.PutIntegrationRequest{RestApiId: &id, ResourceId: &root, HttpMethod: &get, Type: new("MOCK"), RequestTemplates: map[string]string{"application/json": `{"statusCode": 200}`}})
			calltest.Must(t, w.World, api.PutIntegrationResponse, &api.PutIntegrationResponseRequest{RestApiId: &id, ResourceId: &root, HttpMethod: &get, StatusCode: &status, ResponseTemplates: map[string]string{"application/json": template}})
			w.deploy(t, id, "s")
			got := w.send("GET", id, "/s", "")
			if got.StatusCode != 200 || !json.Valid([]byte(got.body)) {
				t.Fatalf("%d %s of\n%s", got.StatusCode, got.body, template)
			}
			compiled, err := schema.Compile(models, name)
			if err != nil {
				t.Fatal(err)
			}
			if bad := compiled.Check([]byte(got.body)); bad != nil {
				t.Errorf("%s: %v", got.body, bad)
			}
			// A flat model stands alone.
			m := calltest.Must(t, w.World, api.GetModel, &api.GetModelRequest{RestApiId: &id, ModelName: &name, Flatten: new(true)})
			flat := map[string]string{name: ""}
			if m.Schema != nil {
				flat[name] = *m.Schema
			}
			alone, err := schema.Compile(flat, name)
			if err != nil {
				t.Fatalf("%s: %v", flat[name], err)
			}
			if bad := alone.Check([]byte(got.body)); bad != nil {
				t.Errorf("flat: %s: %v", got.body, bad)
			}
		})
	}
}

// TestKeyOfStage holds that a key with a stage of its own opens it without a plan,
// and no other stage.
func TestKeyOfStage(t *testing.T) {
	w := newWorld(t)
	w.returns(`{"statusCode": 200}`)
	id := w.newAPI(t, "GET /x")
	rid, get := w.resource(t, id, "/x"), "GET"
	calltest.Must(t, w.World, api.UpdateMethod, &api.UpdateMethodRequest{RestApiId: &id, ResourceId: &rid, HttpMethod: &get, PatchOperations: []api.PatchOperation{{Op: new("replace"), Path: new("/apiKeyRequired"), Value: new("true")}}})
	w.deploy(t, id, "a")
	w.deploy(t, id, "b")
	k := calltest.Must(t, w.World, api.CreateApiKey, &api.CreateApiKeyRequest{Enabled: new(true), StageKeys: []api.StageKey{{RestApiId: &id, StageName: new("a")}}})
	visit := func(stage string, want int) {
		t.Helper()
		if got := w.send("GET", id, "/"+stage+"/x", "", "X-Api-Key", *k.Value); got.StatusCode != want {
			t.Errorf("%s: %d %s, want %d", stage, got.StatusCode, got.body, want)
		}
	}
	visit("a", 200)
	visit("b", 403)
	ops := []api.PatchOperation{{Op: new("add"), Path: new("/stages"), Value: new(id + "/b")}, {Op: new("remove"), Path: new("/stages"), Value: new(id + "/a")}}
	calltest.Must(t, w.World, api.UpdateApiKey, &api.UpdateApiKeyRequest{ApiKey: k.Id, PatchOperations: ops})
	visit("a", 403)
	visit("b", 200)
}

// TestClone holds that an API that is made of another does the same, and goes its
// own way from there.
func TestClone(t *testing.T) {
	w := newWorld(t)
	w.returns(`{"statusCode": 200, "body": "f"}`)
	id := w.newAPI(t, "GET /x")
	other := calltest.Must(t, w.World, api.CreateRestApi, &api.CreateRestApiRequest{Name: new("other"), CloneFrom: &id})
	calltest.Must(t, w.World, api.DeleteRestApi, &api.DeleteRestApiRequest{RestApiId: &id})
	w.deploy(t, *other.Id, "s")
	if got := w.send("GET", *other.Id, "/s/x", ""); got.StatusCode != 200 || got.body != "f" {
		t.Errorf("%d %s", got.StatusCode, got.body)
	}
}

// No file of keys makes reading it fail in another way than with an error.
func FuzzReadKeys(f *testing.F) {
	f.Add([]byte("Name,key,description,Enabled,usageplanIds\na,b,\"c, d\",TRUE,\"x,y\"\n"))
	f.Add([]byte("\xef\xbb\xbfkey,name\n,\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		rows, err := readKeys(body)
		if err != nil && rows != nil {
			t.Errorf("rows and %v", err)
		}
	})
}
