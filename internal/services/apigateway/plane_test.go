package apigateway

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/tierra-cloud/tierra/internal/call/calltest"
	api "github.com/tierra-cloud/tierra/internal/gen/apigateway"
	"github.com/tierra-cloud/tierra/internal/gen/lambda"
)

// TestSnapshots holds that requests under load see one deployment or the other
// whole: the stage variable that names the function and the one that the event
// tells always agree, and so does the deployment.
func TestSnapshots(t *testing.T) {
	w := newWorld(t).unlimited()
	w.f.invoke = func(_ context.Context, name string, event []byte) (*lambda.InvocationResponse, error) {
		e := string(event)
		variable := e[strings.Index(e, `"stageVariables":`):strings.Index(e, `,"requestContext"`)]
		return &lambda.InvocationResponse{Payload: []byte(`{"body":` + strconv.Quote(name+" "+variable) + `}`)}, nil
	}
	id := w.newAPI(t)
	w.addRoute(t, id, "GET /x", uri("${stageVariables.v}"))
	w.deploy(t, id, "s")
	set := func(v string) {
		calltest.Must(t, w.World, api.UpdateStage, &api.UpdateStageRequest{RestApiId: &id, StageName: new("s"), PatchOperations: []api.PatchOperation{
			{Op: new("replace"), Path: new("/variables/v"), Value: &v},
		}})
	}
	set("f0")
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				got := w.send("GET", id, "/s/x", "")
				name, variable, _ := strings.Cut(got.body, " ")
				name = strings.TrimPrefix(name, functionARN)
				if got.StatusCode != 200 || !strings.Contains(variable, `"`+name+`"`) {
					t.Errorf("%d %s", got.StatusCode, got.body)
					return
				}
			}
		})
	}
	for i := range 100 {
		set("f" + strconv.Itoa(i))
		if got := w.send("GET", id, "/s/x", ""); !strings.HasPrefix(got.body, functionARN+"f"+strconv.Itoa(i)+" ") {
			t.Errorf("after change %d: %s", i, got.body)
		}
	}
	close(stop)
	readers.Wait()
}

// TestLive holds that changes are live after a deployment only, that a stage can
// go back, and that what is deleted is gone.
func TestLive(t *testing.T) {
	w := newWorld(t)
	_, name := w.records(`{}`)
	id := w.newAPI(t, "GET /a")
	one := w.deploy(t, id, "s")
	w.addRoute(t, id, "GET /b", uri("b"))
	status := func(path string, want int) {
		t.Helper()
		if got := w.send("GET", id, path, ""); got.StatusCode != want {
			t.Errorf("%s: %d, want %d", path, got.StatusCode, want)
		}
	}
	status("/s/b", 403)
	two := w.deploy(t, id, "")
	status("/s/b", 403)
	point := func(dep string) {
		calltest.Must(t, w.World, api.UpdateStage, &api.UpdateStageRequest{RestApiId: &id, StageName: new("s"), PatchOperations: []api.PatchOperation{
			{Op: new("replace"), Path: new("/deploymentId"), Value: &dep},
		}})
	}
	point(two)
	status("/s/b", 200)
	point(one)
	status("/s/b", 403)
	status("/s/a", 200)

	// Another room over the same store has the same stages once it has started.
	again := New(Deps{Store: w.s.store, Clock: w.Clock, IDs: w.IDs, Caller: w.Board})
	if err := again.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	old := w.s
	w.s = again
	*name = ""
	status("/s/a", 200)
	status("/s/b", 403)
	if *name != functionARN+"f" {
		t.Errorf("function: %s", *name)
	}
	w.s = old

	calltest.Must(t, w.World, api.UpdateRestApi, &api.UpdateRestApiRequest{RestApiId: &id, PatchOperations: []api.PatchOperation{
		{Op: new("replace"), Path: new("/disableExecuteApiEndpoint"), Value: new("true")},
	}})
	status("/s/a", 200)
	w.deploy(t, id, "closed")
	status("/closed/a", 403)
	calltest.Must(t, w.World, api.DeleteStage, &api.DeleteStageRequest{RestApiId: &id, StageName: new("s")})
	status("/s/a", 403)
	calltest.Must(t, w.World, api.DeleteRestApi, &api.DeleteRestApiRequest{RestApiId: &id})
	if w.s.live.find(id) != nil {
		t.Error("a deleted API is still there")
	}
	if left := w.keys(t); len(left) != 0 {
		t.Errorf("records are left: %q", left)
	}
}

// TestStageVariables holds that a variable that is missing is found out when the
// method is called.
func TestStageVariables(t *testing.T) {
	w := newWorld(t)
	_, name := w.records(`{}`)
	id := w.newAPI(t)
	w.addRoute(t, id, "GET /x", uri("f:${stageVariables.alias}"))
	w.deploy(t, id, "s")
	if got := w.send("GET", id, "/s/x", ""); got.StatusCode != 500 || got.body != `{"message":"Internal server error"}` {
		t.Errorf("%d %s", got.StatusCode, got.body)
	}
	calltest.Must(t, w.World, api.CreateDeployment, &api.CreateDeploymentRequest{RestApiId: &id, StageName: new("s"), Variables: map[string]string{"alias": "live"}})
	if w.send("GET", id, "/s/x", ""); *name != functionARN+"f:live" {
		t.Errorf("function: %s", *name)
	}
}

// TestGatewayResponses holds that they change what the gateway answers.
func TestGatewayResponses(t *testing.T) {
	w := newWorld(t)
	id := w.newAPI(t, "GET /a")
	for typ, g := range map[string]api.PutGatewayResponseRequest{
		"DEFAULT_4XX": {ResponseParameters: map[string]string{"gatewayresponse.header.X-Origin": "method.request.header.origin", "gatewayresponse.header.X-Q": "method.request.querystring.q"}},
		"DEFAULT_5XX": {StatusCode: new("503"), ResponseTemplates: map[string]string{"text/plain": "$context.error.responseType $context.error.message at $context.resourcePath in $context.stage ($stageVariables.v)"}},
	} {
		g.RestApiId, g.ResponseType = &id, &typ
		calltest.Must(t, w.World, api.PutGatewayResponse, &g)
	}
	calltest.Must(t, w.World, api.CreateDeployment, &api.CreateDeploymentRequest{RestApiId: &id, StageName: new("s"), Variables: map[string]string{"v": "1"}})
	got := w.send("POST", id, "/s/a?q=5", "", "Origin", "http://o")
	if got.StatusCode != 403 || got.Header.Get("X-Origin") != "http://o" || got.Header.Get("X-Q") != "5" || got.body != `{"message":"Missing Authentication Token"}` {
		t.Errorf("%d %v %s", got.StatusCode, got.Header, got.body)
	}
	w.returns(`nothing`)
	got = w.send("GET", id, "/s/a", "")
	if got.StatusCode != 503 || got.Header.Get("Content-Type") != "text/plain" || got.body != "DEFAULT_5XX Internal server error at /a in s (1)" {
		t.Errorf("%d %v %s", got.StatusCode, got.Header, got.body)
	}
}

// TestMock tells how a mock chooses its response.
func TestMock(t *testing.T) {
	w := newWorld(t)
	x := calltest.Must(t, w.World, api.ImportRestApi, &api.ImportRestApiRequest{Body: []byte(`{"swagger":"2.0","info":{"title":"m"},"paths":{"/m":{"post":{
	 "responses":{"200":{"headers":{"X-Id":{}}},"404":{},"418":{}},
	 "x-amazon-apigateway-integration":{"type":"mock","passthroughBehavior":"when_no_templates",
	  "requestTemplates":{"application/json":"{\"statusCode\": 200}","text/plain":"{\"statusCode\": 404}","text/broken":"x"},
	  "responses":{"4\\d{2}":{"statusCode":"404","responseTemplates":{"text/html":"<p>none</p>"}},
	   "default":{"statusCode":"200","responseParameters":{"method.response.header.X-Id":"context.requestId"},"responseTemplates":{"application/json":"{}","text/html":"<p>"}}}}}}}}`)})
	w.deploy(t, *x.Id, "s")
	for _, c := range []struct {
		typ, accept string
		status      int
		body        string
	}{
		{"", "", 200, "{}"}, {"application/json; charset=utf-8", "*/*", 200, "{}"}, {"application/json", "text/html;q=1", 200, "<p>"},
		{"text/plain", "", 404, "<p>none</p>"}, {"text/broken", "", 500, `{"message":"Internal server error"}`},
		{"image/png", "", 415, `{"message":"Unsupported Media Type"}`},
	} {
		got := w.send("POST", *x.Id, "/s/m", "", "Content-Type", c.typ, "Accept", c.accept)
		if got.StatusCode != c.status || got.body != c.body {
			t.Errorf("%+v: %d %s", c, got.StatusCode, got.body)
		}
		if c.status == 200 && got.Header.Get("X-Id") != got.Header.Get("x-amzn-RequestId") {
			t.Errorf("%+v: %v", c, got.Header)
		}
	}
}

// TestTestInvoke holds that the definition as it is can be tried.
func TestTestInvoke(t *testing.T) {
	w := newWorld(t)
	event, name := w.records(`{"statusCode":201,"headers":{"A":"b"},"body":"ok"}`)
	id := w.newAPI(t)
	w.addRoute(t, id, "GET /pets/{id}", uri("f:${stageVariables.alias}"))
	rid := w.resource(t, id, "/pets/{id}")
	in := &api.TestInvokeMethodRequest{
		RestApiId: &id, ResourceId: &rid, HttpMethod: new("GET"), PathWithQueryString: new("/pets/7?a=b"), StageVariables: map[string]string{"alias": "live"},
		Headers: map[string]string{"x-one": "1"},
	}
	out := calltest.Must(t, w.World, api.TestInvokeMethod, in)
	if *out.Status != 201 || *out.Body != "ok" || out.Headers["A"] != "b" || *name != functionARN+"f:live" || !strings.Contains(*out.Log, "Method completed with status: 201") {
		t.Errorf("%s by %s", calltest.JSON(out), *name)
	}
	e := decode(t, *event)
	if e["pathParameters"].(map[string]any)["id"] != "7" || e["requestContext"].(map[string]any)["stage"] != testStage || e["headers"].(map[string]any)["X-One"] != "1" {
		t.Errorf("event: %s", *event)
	}
	in.PathWithQueryString = new("/other")
	if _, err := calltest.Do(w.World, api.TestInvokeMethod, in); err == nil {
		t.Error("a path of another resource is taken")
	}
}
