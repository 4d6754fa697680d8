package apigateway

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/calltest"
	"github.com/tierra-cloud/tierra/internal/data/mem"
	"github.com/tierra-cloud/tierra/internal/edge/inside"
	api "github.com/tierra-cloud/tierra/internal/gen/apigateway"
	tables "github.com/tierra-cloud/tierra/internal/gen/dynamodb"
	"github.com/tierra-cloud/tierra/internal/gen/lambda"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/model"
	"github.com/tierra-cloud/tierra/internal/policy"
	"github.com/tierra-cloud/tierra/internal/services/dynamodb"
)

// replies are integration responses by status code.
type replies map[string]api.PutIntegrationResponseRequest

const jsonType = "application/json"

// method gives a route an integration that is no proxy; params are what the
// method declares.
func (w *world) method(t testing.TB, id, route string, in api.PutIntegrationRequest, params []string, all replies) {
	t.Helper()
	verb, path, _ := strings.Cut(route, " ")
	rid := w.resource(t, id, path)
	declared := map[string]bool{}
	for _, p := range params {
		declared["method.request."+p] = false
	}
	calltest.Must(t, w.World, api.PutMethod, &api.PutMethodRequest{
		RestApiId: &id, ResourceId: &rid, HttpMethod: &verb, AuthorizationType: new("NONE"), RequestParameters: declared,
	})
	in.RestApiId, in.ResourceId, in.HttpMethod = &id, &rid, &verb
	calltest.Must(t, w.World, api.PutIntegration, &in)
	for status, r := range all {
		declared := map[string]bool{}
		for p := range r.ResponseParameters {
			declared[p] = false
		}
		calltest.Must(t, w.World, api.PutMethodResponse, &api.PutMethodResponseRequest{
			RestApiId: &id, ResourceId: &rid, HttpMethod: &verb, StatusCode: &status, ResponseParameters: declared,
		})
		r.RestApiId, r.ResourceId, r.HttpMethod, r.StatusCode = &id, &rid, &verb, &status
		calltest.Must(t, w.World, api.PutIntegrationResponse, &r)
	}
}

func (w *world) emptyAPI(t testing.TB) string {
	t.Helper()
	return *calltest.Must(t, w.World, api.CreateRestApi, &api.CreateRestApiRequest{Name: new("test")}).Id
}

// TestMockTemplates renders what templates see, and what they override.
func TestMockTemplates(t *testing.T) {
	w := newWorld(t)
	id := w.emptyAPI(t)
	w.method(t, id, "POST /pets/{id}", api.PutIntegrationRequest{
		Type: new("MOCK"), RequestTemplates: map[string]string{
			jsonType:   `#set($context.requestOverride.path.body = $input.body){"statusCode": #if($input.path('$.fail') == true)400#{else}200#end}`,
			"text/bad": `#if(`,
		},
	}, []string{"header.X-Name", "querystring.q"}, replies{
		"200": {
			ResponseParameters: map[string]string{"method.response.header.X-Id": "method.request.path.id", "method.response.header.X-Name": "method.request.header.X-Name"},
			ResponseTemplates: map[string]string{
				jsonType: `#set($in = $util.parseJson($context.requestOverride.path.body))` +
					`{"id":"$input.params('id')","q":"$input.params().querystring.q","name":"$input.params().header.get('X-Name')","color":"$stageVariables.color",` +
					`"stage":"$context.stage","ip":"$context.identity.sourceIp","tags":$in.tags,"n":#foreach($t in $in.tags)$foreach.count#end,"none":"$context.nothing$in.nothing"}`,
				"text/plain": `#set($context.responseOverride.status = 201)#set($context.responseOverride.header.X-Late = "$util.base64Encode('hi')")` +
					`$util.escapeJavaScript("it's") $util.urlEncode('a b/c') $util.urlDecode('a%20b') $util.base64Decode('aGk=')`,
			},
		},
		"400": {SelectionPattern: new("4\\d{2}"), ResponseTemplates: map[string]string{jsonType: `{"message":"no"}`}},
	})
	w.deploy(t, id, "prod")
	calltest.Must(t, w.World, api.UpdateStage, &api.UpdateStageRequest{RestApiId: &id, StageName: new("prod"), PatchOperations: []api.PatchOperation{
		{Op: new("replace"), Path: new("/variables/color"), Value: new("blue")},
	}})
	got := w.send("POST", id, "/prod/pets/a%20b?q=1", `{"tags":["x",1]}`, "X-Name", "Ann")
	want := `{"id":"a b","q":"1","name":"Ann","color":"blue","stage":"prod","ip":"192.0.2.7","tags":["x",1],"n":12,"none":""}`
	want = strings.Replace(want, `["x",1]`, `[x, 1]`, 1) // as Java prints a list
	if got.StatusCode != 200 || got.body != want || got.Header.Get("X-Id") != "a b" || got.Header.Get("X-Name") != "Ann" {
		t.Errorf("got %d %s %v\nwant %s", got.StatusCode, got.body, got.Header, want)
	}
	got = w.send("POST", id, "/prod/pets/1", `{}`, "Accept", "text/plain")
	if got.StatusCode != 201 || got.body != `it\'s a+b%2Fc a b hi` || got.Header.Get("X-Late") != "aGk=" || got.Header.Get("Content-Type") != "text/plain" {
		t.Errorf("got %d %s %v", got.StatusCode, got.body, got.Header)
	}
	if got = w.send("POST", id, "/prod/pets/1", `{"fail":true}`); got.StatusCode != 400 || got.body != `{"message":"no"}` {
		t.Errorf("got %d %s", got.StatusCode, got.body)
	}
	for _, c := range []struct{ typ, body string }{{"text/bad", "x"}, {jsonType, "not JSON"}} {
		if got = w.send("POST", id, "/prod/pets/1", c.body, "Content-Type", c.typ); got.StatusCode != 500 || !strings.Contains(got.body, "Internal server error") {
			t.Errorf("%s: got %d %s", c.typ, got.StatusCode, got.body)
		}
	}
}

// TestPassthrough holds the three behaviours for bodies without a template.
func TestPassthrough(t *testing.T) {
	for _, c := range []struct {
		behaviour string
		templates map[string]string
		status    int
	}{
		{"WHEN_NO_MATCH", map[string]string{"a/b": "x"}, 202}, {"WHEN_NO_TEMPLATES", nil, 202}, {"WHEN_NO_TEMPLATES", map[string]string{"a/b": "x"}, 415},
		{"NEVER", nil, 415}, {"NEVER", map[string]string{jsonType: "{\"statusCode\":202}"}, 202},
	} {
		w := newWorld(t)
		id := w.emptyAPI(t)
		w.method(t, id, "POST /", api.PutIntegrationRequest{Type: new("MOCK"), PassthroughBehavior: &c.behaviour, RequestTemplates: c.templates}, nil, replies{"202": {}})
		w.deploy(t, id, "s")
		if got := w.send("POST", id, "/s/", `{"statusCode":202}`, "Content-Type", "application/json; charset=utf-8"); got.StatusCode != c.status {
			t.Errorf("%s with %v: %d %s", c.behaviour, c.templates, got.StatusCode, got.body)
		}
	}
}

// TestFunctionBackend calls a function with what a template makes, chooses the
// response by its error, and starts it without waiting.
func TestFunctionBackend(t *testing.T) {
	w := newWorld(t)
	id := w.emptyAPI(t)
	w.method(t, id, "POST /f", api.PutIntegrationRequest{
		Type: new("AWS"), IntegrationHttpMethod: new("POST"), Uri: new(uri("f")), RequestTemplates: map[string]string{jsonType: `{"name":$input.json('$.who.name')}`},
		RequestParameters: map[string]string{"integration.request.header.X-Amz-Invocation-Type": "method.request.header.How"},
	}, []string{"header.How"}, replies{
		"200": {ResponseTemplates: map[string]string{jsonType: `{"got":$input.json('$'),"first":"$input.path('$.list[0]')"}`}},
		"404": {
			SelectionPattern: new("not found:.*"), ResponseTemplates: map[string]string{jsonType: `{"why":"$input.path('$.errorMessage')"}`},
			ResponseParameters: map[string]string{"method.response.header.X-Why": "integration.response.body.errorType"},
		},
	})
	w.deploy(t, id, "s")
	var seen string
	reply := &lambda.InvocationResponse{Payload: []byte(`{"list":["a"]}`)}
	w.f.invoke = func(_ context.Context, _ string, event []byte) (*lambda.InvocationResponse, error) {
		seen = string(event)
		return reply, nil
	}
	got := w.send("POST", id, "/s/f", `{"who":{"name":"A\"nn"}}`)
	if got.StatusCode != 200 || got.body != `{"got":{"list":["a"]},"first":"a"}` || seen != `{"name":"A\"nn"}` {
		t.Errorf("got %d %s, the function %s", got.StatusCode, got.body, seen)
	}
	reply = &lambda.InvocationResponse{FunctionError: new("Unhandled"), Payload: []byte(`{"errorMessage":"not found: x\ny","errorType":"Missing"}`)}
	if got = w.send("POST", id, "/s/f", `{}`); got.StatusCode != 404 || got.Header.Get("X-Why") != "Missing" || !strings.Contains(got.body, "not found: x") {
		t.Errorf("got %d %s %v", got.StatusCode, got.body, got.Header)
	}
	reply = &lambda.InvocationResponse{FunctionError: new("Unhandled"), Payload: []byte(`{"errorMessage":"other"}`)}
	if got = w.send("POST", id, "/s/f", `{}`); got.StatusCode != 200 {
		t.Errorf("an error without a pattern: %d %s", got.StatusCode, got.body)
	}
	reply = &lambda.InvocationResponse{}
	if got = w.send("POST", id, "/s/f", `{}`, "How", "Event"); got.StatusCode != 200 || got.body != `{"got":{},"first":""}` {
		t.Errorf("got %d %s", got.StatusCode, got.body)
	}
	if got = w.send("POST", id, "/s/f", `{}`, "How", "Sideways"); got.StatusCode != 500 {
		t.Errorf("got %d %s", got.StatusCode, got.body)
	}
}

// roles lets the one role be assumed, with all rights.
type roles struct{ call.Identities }

const role = "arn:aws:iam::000000000000:role/gateway"

func (r roles) Assume(_ context.Context, arn, session, service string) (call.Identity, error) {
	if arn != role || service != servicePrincipal {
		return call.Identity{}, fault.Of(fault.AccessDenied, "no")
	}
	return call.Identity{Principal: policy.Principal{Kind: policy.Root, Account: calltest.Account, ARN: "arn:aws:iam::000000000000:root"}}, nil
}

// TestDynamoDB puts templates in front of a table, with no function at all.
func TestDynamoDB(t *testing.T) {
	w := newWorld(t)
	store := mem.New()
	t.Cleanup(func() { store.Close() })
	w.Gate.Identities = roles{w.Gate.Identities}
	w.Plug(dynamodb.New(dynamodb.Deps{Store: store, Clock: w.Clock, IDs: w.IDs, Caller: w.Board}))
	w.s.wire = inside.New(w.Board, []*model.Service{&tables.Model})
	calltest.Must(t, w.World, tables.CreateTable, &tables.CreateTableInput{
		TableName: new("pets"), BillingMode: new("PAY_PER_REQUEST"),
		KeySchema:            []tables.KeySchemaElement{{AttributeName: new("id"), KeyType: new("HASH")}},
		AttributeDefinitions: []tables.AttributeDefinition{{AttributeName: new("id"), AttributeType: new("S")}},
	})
	w.Clock.Advance(time.Minute)
	id := w.emptyAPI(t)
	action := func(name, credentials string, templates map[string]string) api.PutIntegrationRequest {
		return api.PutIntegrationRequest{
			Type: new("AWS"), IntegrationHttpMethod: new("POST"), Uri: new("arn:aws:apigateway:us-east-1:dynamodb:action/" + name), Credentials: &credentials,
			PassthroughBehavior: new("NEVER"), RequestTemplates: templates,
		}
	}
	bad := api.PutIntegrationResponseRequest{SelectionPattern: new("4\\d\\d"), ResponseTemplates: map[string]string{jsonType: `{"error":"$input.path('$.__type').split('#')[1]"}`}}
	put := map[string]string{jsonType: `#set($in = $input.path('$')){"TableName":"pets","Item":{"id":{"S":"$context.requestId"},"name":{"S":"$util.escapeJavaScript($in.name)"},"age":{"N":"$in.age"}}}`}
	w.method(t, id, "POST /pets", action("PutItem", role, put), nil, replies{"201": {ResponseTemplates: map[string]string{jsonType: `{"id":"$context.requestId"}`}}, "400": bad})
	scan := map[string]string{jsonType: `{"TableName":"pets"}`}
	w.method(t, id, "GET /pets", action("Scan", role, scan), nil, replies{"200": {ResponseTemplates: map[string]string{
		jsonType: `{"pets":[#foreach($i in $input.path('$.Items')){"name":"$i.name.S","age":$i.age.N}#if($foreach.hasNext),#end#end],"count":$input.path('$.Count')}`,
	}}})
	w.method(t, id, "GET /other", action("Scan", role+"2", scan), nil, replies{"200": {}})
	w.method(t, id, "GET /unknown", action("Nothing", role, scan), nil, replies{"200": {}})
	w.deploy(t, id, "s")

	if got := w.send("POST", id, "/s/pets", `{"name":"Rex \"the\" dog","age":3}`); got.StatusCode != 201 || !strings.Contains(got.body, got.Header.Get("X-Amzn-Requestid")) {
		t.Errorf("put: %d %s", got.StatusCode, got.body)
	}
	if got := w.send("POST", id, "/s/pets", `{"name":"Rex","age":"old"}`); got.StatusCode != 400 || got.body != `{"error":"ValidationException"}` {
		t.Errorf("put: %d %s", got.StatusCode, got.body)
	}
	if got := w.send("GET", id, "/s/pets", ``); got.StatusCode != 200 || got.body != `{"pets":[{"name":"Rex "the" dog","age":3}],"count":1}` {
		t.Errorf("scan: %d %s", got.StatusCode, got.body)
	}
	if got := w.send("GET", id, "/s/other", ``); got.StatusCode != 500 {
		t.Errorf("a role that may not be assumed: %d %s", got.StatusCode, got.body)
	}
	if got := w.send("GET", id, "/s/unknown", ``); got.StatusCode != 500 {
		t.Errorf("an unknown action: %d %s", got.StatusCode, got.body)
	}
}

// TestHTTP sends requests over the network: mapped, and passed on.
func TestHTTP(t *testing.T) {
	w := newWorld(t)
	release := make(chan struct{})
	target := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		switch r.URL.Path {
		case "/slow":
			<-release
			return
		case "/missing":
			rw.WriteHeader(404)
			return
		}
		rw.Header().Set("Content-Type", "application/json")
		rw.Header().Set("X-Back", "1")
		rw.Header().Set("Connection", "X-Back-Hop")
		_ = json.NewEncoder(rw).Encode(map[string]any{
			"method": r.Method, "uri": r.RequestURI, "body": string(b), "mapped": r.Header.Get("X-Mapped"), "own": r.Header.Get("X-Own"), "hop": r.Header.Get("X-Hop"),
			"forwarded": r.Header.Get("X-Forwarded-For"), "typ": r.Header.Get("Content-Type"),
		})
	}))
	defer target.Close()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	w.s.outbound = transport
	id := w.emptyAPI(t)
	host := strings.TrimPrefix(target.URL, "http://")
	calls := func(typ, uri string) api.PutIntegrationRequest {
		return api.PutIntegrationRequest{Type: &typ, IntegrationHttpMethod: new("ANY"), Uri: &uri, RequestParameters: map[string]string{}}
	}
	plain := calls("HTTP", "http://${stageVariables.host}/x/{id}?fixed=1")
	plain.RequestParameters = map[string]string{
		"integration.request.path.id": "method.request.path.id", "integration.request.querystring.q": "method.request.querystring.search", "integration.request.header.X-Mapped": "'m'",
	}
	plain.RequestTemplates = map[string]string{jsonType: `<$input.path('$.a')>`}
	w.method(t, id, "POST /plain/{id}", plain, []string{"path.id", "querystring.search"}, replies{
		"200": {ResponseParameters: map[string]string{"method.response.header.X-Got": "integration.response.header.X-Back"}, ResponseTemplates: map[string]string{jsonType: "$input.path('$.method') $input.path('$.uri') $input.path('$.body') $input.path('$.mapped')$input.path('$.own')"}},
	})
	w.method(t, id, "GET /missing", calls("HTTP", "http://${stageVariables.host}/missing"), nil, replies{"200": {}, "410": {SelectionPattern: new("404")}})
	greedy := calls("HTTP_PROXY", target.URL+"/{rest}")
	greedy.RequestParameters["integration.request.path.rest"] = "method.request.path.rest"
	w.method(t, id, "ANY /proxy/{rest+}", greedy, []string{"path.rest"}, nil)
	slow := calls("HTTP_PROXY", target.URL+"/slow")
	slow.TimeoutInMillis = new(int32(100))
	w.method(t, id, "GET /slow", slow, nil, nil)
	w.method(t, id, "GET /gone", calls("HTTP_PROXY", "http://127.0.0.1:1/"), nil, nil)
	w.deploy(t, id, "s")
	calltest.Must(t, w.World, api.UpdateStage, &api.UpdateStageRequest{RestApiId: &id, StageName: new("s"), PatchOperations: []api.PatchOperation{
		{Op: new("replace"), Path: new("/variables/host"), Value: &host},
	}})

	got := w.send("POST", id, "/s/plain/a%2Fb%20c?search=z&other=1", `{"a":7}`, "X-Own", "o")
	if want := "POST /x/a/b%20c?fixed=1&q=z <7> m"; got.StatusCode != 200 || got.body != want || got.Header.Get("X-Got") != "1" {
		t.Errorf("HTTP: %d %s %v, want %s", got.StatusCode, got.body, got.Header, want)
	}
	if got = w.send("GET", id, "/s/missing", ""); got.StatusCode != 410 {
		t.Errorf("selection: %d %s", got.StatusCode, got.body)
	}
	got = w.send("PUT", id, "/s/proxy/a/b?x=1&x=2", "body", "X-Own", "o", "Connection", "X-Hop", "X-Hop", "h", "Content-Type", "text/plain")
	var seen map[string]string
	if err := json.Unmarshal([]byte(got.body), &seen); err != nil {
		t.Fatalf("%v in %d %s", err, got.StatusCode, got.body)
	}
	for k, want := range map[string]string{"method": "PUT", "uri": "/a/b?x=1&x=2", "body": "body", "own": "o", "hop": "", "forwarded": "192.0.2.7", "typ": "text/plain"} {
		if seen[k] != want {
			t.Errorf("%s: %q, want %q", k, seen[k], want)
		}
	}
	if got.Header.Get("X-Back") != "1" || got.Header.Get("Connection") != "" {
		t.Errorf("headers: %v", got.Header)
	}
	if got = w.send("GET", id, "/s/gone", ""); got.StatusCode != 504 || !strings.Contains(got.body, "Network error") {
		t.Errorf("nobody there: %d %s", got.StatusCode, got.body)
	}
	done := make(chan answer)
	go func() { done <- w.send("GET", id, "/s/slow", "") }()
	for late := (answer{}); late.Response == nil; {
		select {
		case late = <-done:
			if late.StatusCode != 504 || !strings.Contains(late.body, "timed out") {
				t.Errorf("slow: %d %s", late.StatusCode, late.body)
			}
		default:
			w.Clock.Advance(100 * time.Millisecond)
		}
	}
	close(release)
}

// TestContentHandling converts bodies on both ways.
func TestContentHandling(t *testing.T) {
	w := newWorld(t)
	id := w.emptyAPI(t)
	calltest.Must(t, w.World, api.UpdateRestApi, &api.UpdateRestApiRequest{RestApiId: &id, PatchOperations: []api.PatchOperation{
		{Op: new("add"), Path: new("/binaryMediaTypes/image~1png")},
	}})
	w.method(t, id, "POST /", api.PutIntegrationRequest{
		Type: new("AWS"), IntegrationHttpMethod: new("POST"), Uri: new(uri("f")), ContentHandling: new("CONVERT_TO_TEXT"),
		RequestTemplates: map[string]string{"image/png": `{"data":"$input.body"}`, "text/plain": `{"data":"$input.body"}`},
	}, nil, replies{"200": {ContentHandling: new("CONVERT_TO_BINARY")}})
	w.deploy(t, id, "s")
	w.f.invoke = func(_ context.Context, _ string, event []byte) (*lambda.InvocationResponse, error) {
		if string(event) != `{"data":"AP8="}` {
			return nil, errors.New(string(event))
		}
		return &lambda.InvocationResponse{Payload: []byte("/wA=")}, nil
	}
	if got := w.send("POST", id, "/s/", "\x00\xff", "Content-Type", "image/png"); got.StatusCode != 200 || got.body != "\xff\x00" {
		t.Errorf("got %d %q", got.StatusCode, got.body)
	}
	if got := w.send("POST", id, "/s/", "AP8=", "Content-Type", "text/plain"); got.StatusCode != 200 || got.body != "\xff\x00" {
		t.Errorf("text stays text: %d %q", got.StatusCode, got.body)
	}
}

// TestBinaryForText holds that a caller who does not take binary data gets its text
// in base64, where no setting says otherwise, and that an answer to HEAD is one.
func TestBinaryForText(t *testing.T) {
	w := newWorld(t)
	id := w.emptyAPI(t)
	calltest.Must(t, w.World, api.UpdateRestApi, &api.UpdateRestApiRequest{RestApiId: &id, PatchOperations: []api.PatchOperation{
		{Op: new("add"), Path: new("/binaryMediaTypes/image~1png")},
	}})
	target := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "image/png")
		_, _ = io.WriteString(rw, "\xff\x00")
	}))
	defer target.Close()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	w.s.outbound = transport
	w.method(t, id, "GET /", api.PutIntegrationRequest{Type: new("HTTP"), IntegrationHttpMethod: new("GET"), Uri: &target.URL}, nil, replies{"200": {}})
	w.method(t, id, "ANY /proxy", api.PutIntegrationRequest{Type: new("HTTP_PROXY"), IntegrationHttpMethod: new("ANY"), Uri: &target.URL}, nil, nil)
	w.deploy(t, id, "s")
	for accept, want := range map[string]string{"image/png": "\xff\x00", "image/png,text/html": "\xff\x00", "text/html,image/png": "/wA=", "": "/wA="} {
		if got := w.send("GET", id, "/s/", "", "Accept", accept); got.StatusCode != 200 || got.body != want {
			t.Errorf("Accept %q: %d %q, want %q", accept, got.StatusCode, got.body, want)
		}
	}
	for method, want := range map[string]string{"GET": "\xff\x00", "HEAD": ""} {
		if got := w.send(method, id, "/s/proxy", ""); got.StatusCode != 200 || got.body != want {
			t.Errorf("%s: %d %q", method, got.StatusCode, got.body)
		}
	}
}

// TestTemplateConformance renders the recorded templates as they were recorded:
// by a mock whose request template hands the body to the response template.
func TestTemplateConformance(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(conformance(t, "vtl"), "cases.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Cases []struct {
			Name, Template, Expected string
			Context                  map[string]json.RawMessage
			Options                  struct {
				IgnoreWhitespaces bool `json:"ignore_whitespaces"`
			}
		}
	}
	if err := json.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	for _, c := range file.Cases {
		w := newWorld(t)
		id := w.emptyAPI(t)
		text := "#set($body = $context.requestOverride.path.body)\n#set($bodyJSON = $util.parseJson($body)) "
		for k := range c.Context {
			text += "#set($" + k + " = $bodyJSON." + k + ") "
		}
		w.method(t, id, "POST /", api.PutIntegrationRequest{
			Type: new("MOCK"), RequestTemplates: map[string]string{jsonType: "#set($context.requestOverride.path.body = $input.body){\"statusCode\": 200}"},
		}, nil, replies{"200": {ResponseTemplates: map[string]string{jsonType: text + "\n" + c.Template}}})
		w.deploy(t, id, "s")
		body, _ := json.Marshal(c.Context)
		got, want := w.send("POST", id, "/s/", string(body)).body, c.Expected
		if c.Options.IgnoreWhitespaces {
			got, want = strings.Join(strings.Fields(got), " "), strings.Join(strings.Fields(want), " ")
		}
		if strings.TrimSpace(got) != strings.TrimSpace(want) {
			t.Errorf("%s: %s with %s\n got %q\nwant %q", c.Name, c.Template, body, got, want)
		}
	}
}

func BenchmarkMock(b *testing.B) {
	w := newWorld(b)
	id := w.emptyAPI(b)
	w.method(b, id, "POST /pets/{id}", api.PutIntegrationRequest{Type: new("MOCK"), RequestTemplates: map[string]string{jsonType: `{"statusCode": 200}`}}, nil, replies{
		"200": {ResponseTemplates: map[string]string{jsonType: `{"id":"$input.params('id')","request":"$context.requestId","items":[#foreach($i in [1..3])$i#if($foreach.hasNext),#end#end]}`}},
	})
	w.deploy(b, id, "prod")
	b.ReportAllocs()
	for b.Loop() {
		if got := w.send("POST", id, "/prod/pets/7", `{}`); got.StatusCode != 200 {
			b.Fatal(got.body)
		}
	}
}
