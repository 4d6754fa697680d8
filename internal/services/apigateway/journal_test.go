package apigateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/calltest"
	api "github.com/tierra-cloud/tierra/internal/gen/apigateway"
	"github.com/tierra-cloud/tierra/internal/gen/lambda"
	"github.com/tierra-cloud/tierra/internal/gen/logs"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/model"
	"github.com/tierra-cloud/tierra/internal/policy"
)

// logGroups is a room with as much of CloudWatch Logs as a journal needs.
type logGroups struct {
	mu     sync.Mutex
	groups map[string][]string // lines by group
	who    map[string]bool     // ARNs that wrote
}

func (g *logGroups) Model() *model.Service { return &logs.Model }

func (g *logGroups) Bindings() []call.Binding {
	return []call.Binding{
		call.Bind(logs.CreateLogGroup, call.Any[logs.CreateLogGroupRequest]("logs:CreateLogGroup"), func(_ context.Context, _ *call.Authorized, in *logs.CreateLogGroupRequest) (*call.None, error) {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.groups[*in.LogGroupName] = []string{}
			return &call.None{}, nil
		}),
		call.Bind(logs.CreateLogStream, call.Any[logs.CreateLogStreamRequest]("logs:CreateLogStream"), func(_ context.Context, _ *call.Authorized, in *logs.CreateLogStreamRequest) (*call.None, error) {
			g.mu.Lock()
			defer g.mu.Unlock()
			if g.groups[*in.LogGroupName] == nil {
				return nil, logs.ResourceNotFoundException("The specified log group does not exist.")
			}
			return &call.None{}, nil
		}),
		call.Bind(logs.PutLogEvents, call.Any[logs.PutLogEventsRequest]("logs:PutLogEvents"), func(_ context.Context, rq *call.Authorized, in *logs.PutLogEventsRequest) (*logs.PutLogEventsResponse, error) {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.who[rq.Principal().ARN] = true
			for _, e := range in.LogEvents {
				g.groups[*in.LogGroupName] = append(g.groups[*in.LogGroupName], *e.Message)
			}
			return &logs.PutLogEventsResponse{}, nil
		}),
	}
}

// writers are identities of which the service may be the role "writer", which
// may do everything.
type writers struct{}

func (writers) Key(context.Context, string, string) (call.Identity, string, error) {
	return call.Identity{}, "", fault.Of(fault.InvalidClientTokenID, "no")
}

func (writers) Policies(context.Context, call.Identity) (policy.Sets, error) {
	p, err := policy.Parse([]byte(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`))
	return policy.Sets{Identity: []*policy.Policy{p}}, err
}

func (writers) Assume(_ context.Context, role, _, service string) (call.Identity, error) {
	if role != writer || service != servicePrincipal {
		return call.Identity{}, fault.Of(fault.AccessDenied, "role %s does not trust %s", role, service)
	}
	return call.Identity{Principal: policy.Principal{Kind: policy.Role, Account: calltest.Account, ARN: role, RoleARN: role}}, nil
}

const (
	writer   = "arn:aws:iam::" + calltest.Account + ":role/writer"
	logARN   = "arn:aws:logs:" + calltest.Region + ":" + calltest.Account + ":log-group:"
	needRole = "CloudWatch Logs role ARN must be set in account settings to enable logging"
)

// journaled is a world whose account has a role that writes logs.
func journaled(t testing.TB) (*world, *logGroups) {
	w, g := newWorld(t), &logGroups{groups: map[string][]string{}, who: map[string]bool{}}
	w.Plug(g)
	w.Gate.Identities = writers{}
	calltest.Must(t, w.World, api.UpdateAccount, &api.UpdateAccountRequest{PatchOperations: []api.PatchOperation{patch("replace", "/cloudwatchRoleArn", writer)}})
	return w, g
}

func (w *world) patchStage(id, stage string, ops ...api.PatchOperation) error {
	_, err := calltest.Do(w.World, api.UpdateStage, &api.UpdateStageRequest{RestApiId: &id, StageName: &stage, PatchOperations: ops})
	return err
}

// stop ends the journal and returns the lines of each group.
func (g *logGroups) stop(t testing.TB, w *world) map[string][]string {
	t.Helper()
	if err := w.s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.groups
}

func TestAccessLog(t *testing.T) {
	w, g := journaled(t)
	id := w.newAPI(t, "GET /pets/{id}")
	w.deploy(t, id, "prod")
	format := `{"id":"$context.requestId","ip":"$context.identity.sourceIp","what":"$context.httpMethod $context.resourcePath","path":"$context.path","status":"$context.status",` +
		`"length":"$context.responseLength","latency":"$context.responseLatency","ilatency":"${context.integration.latency}","istatus":"$context.integration.status",` +
		`"lstatus":"$context.integrationStatus","waf":"$context.wafResponseCode","error":$context.error.messageString,"why":"$context.integrationErrorMessage","trace":"$context.xrayTraceId"}`
	if err := w.patchStage(id, "prod", patch("replace", "/accessLogSettings/destinationArn", logARN+"calls:*"), patch("replace", "/accessLogSettings/format", format)); err != nil {
		t.Fatal(err)
	}
	st := calltest.Must(t, w.World, api.GetStage, &api.GetStageRequest{RestApiId: &id, StageName: new("prod")})
	if *st.AccessLogSettings.DestinationArn != logARN+"calls" || *st.AccessLogSettings.Format != format {
		t.Errorf("stage: %+v", *st.AccessLogSettings)
	}
	w.f.invoke = func(context.Context, string, []byte) (*lambda.InvocationResponse, error) {
		w.Clock.Advance(30 * time.Millisecond)
		return &lambda.InvocationResponse{StatusCode: new(int32(200)), Payload: []byte(`{"statusCode":201,"body":"hello"}`)}, nil
	}
	first := w.send("GET", id, "/prod/pets/7?x=1", "", "X-Amzn-Trace-Id", "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1")
	w.send("GET", id, "/prod/nothing", "")
	w.f.invoke = func(context.Context, string, []byte) (*lambda.InvocationResponse, error) {
		return &lambda.InvocationResponse{StatusCode: new(int32(200)), FunctionError: new("Unhandled"), Payload: []byte(`{"errorMessage":"it \"broke\""}`)}, nil
	}
	w.send("GET", id, "/prod/pets/8", "")
	lines := g.stop(t, w)["calls"]
	if len(lines) != 3 {
		t.Fatalf("lines: %q", lines)
	}
	want := map[string]string{
		"id": first.Header.Get("X-Amzn-Requestid"), "ip": "192.0.2.7", "what": "GET /pets/{id}", "path": "/prod/pets/7", "status": "201", "length": "5", "latency": "30",
		"ilatency": "30", "istatus": "201", "lstatus": "200", "waf": "-", "why": "-", "trace": "1-5759e988-bd862e3fe1be46a994272793",
	}
	got := map[string]string{}
	if err := json.Unmarshal([]byte(strings.Replace(lines[0], `"error":-`, `"error":"-"`, 1)), &got); err != nil {
		t.Fatalf("%v in %s", err, lines[0])
	}
	if delete(got, "error"); !maps.Equal(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
	for i, parts := range map[int][]string{
		1: {`"what":"GET -"`, `"status":"403"`, `"error":"Missing Authentication Token"`, `"istatus":"-"`},
		2: {`"status":"502"`, `"error":"Internal server error"`, `"why":"Lambda execution failed with status 200 due to customer function error: it \"broke\""`},
	} {
		for _, p := range parts {
			if !strings.Contains(lines[i], p) {
				t.Errorf("%s is not in %s", p, lines[i])
			}
		}
	}
	if who := slices.Collect(maps.Keys(g.who)); len(who) != 1 || who[0] != writer {
		t.Errorf("written by %q", who)
	}
}

// TestStreamedLength holds that the log tells how long a streamed response was.
func TestStreamedLength(t *testing.T) {
	w, g := journaled(t)
	id := newStreamed(t, w, &api.PutIntegrationRequest{Type: new("AWS_PROXY"), IntegrationHttpMethod: new("POST"), Uri: new(streamedURI)})
	if err := w.patchStage(id, "s", patch("replace", "/accessLogSettings/destinationArn", logARN+"calls"), patch("replace", "/accessLogSettings/format", "$context.requestId $context.responseLength")); err != nil {
		t.Fatal(err)
	}
	w.f.stream = func(_ context.Context, _ []byte, send func(string) error) error {
		return errors.Join(send("{}\x00\x00\x00\x00\x00\x00\x00\x00first "), send("last"))
	}
	got := w.send("GET", id, "/s", "")
	want := got.Header.Get("X-Amzn-Requestid") + " 10"
	if lines := g.stop(t, w)["calls"]; got.body != "first last" || len(lines) != 1 || lines[0] != want {
		t.Errorf("%d %q, logged %q, want %q", got.StatusCode, got.body, lines, want)
	}
}

func TestAccessLogSettings(t *testing.T) {
	w, _ := journaled(t)
	id := w.newAPI(t, "GET /")
	w.deploy(t, id, "prod")
	destination, format := "/accessLogSettings/destinationArn", "/accessLogSettings/format"
	for name, c := range map[string]struct {
		ops  []api.PatchOperation
		says string
	}{
		"no format":      {[]api.PatchOperation{patch("replace", destination, logARN+"g")}, "format is required"},
		"no destination": {[]api.PatchOperation{patch("replace", format, "$context.requestId")}, "destinationArn is required"},
		"no request id":  {[]api.PatchOperation{patch("replace", destination, logARN+"g"), patch("replace", format, "$context.status")}, "$context.requestId"},
		"two lines":      {[]api.PatchOperation{patch("replace", destination, logARN+"g"), patch("replace", format, "$context.requestId\nx")}, "single line"},
		"Firehose": {[]api.PatchOperation{patch("replace", destination, "arn:aws:firehose:us-east-1:000000000000:deliverystream/amazon-apigateway-x"),
			patch("replace", format, "$context.requestId")}, "does not support the Firehose stream"},
		"a table":         {[]api.PatchOperation{patch("replace", destination, "arn:aws:dynamodb:us-east-1:000000000000:table/t"), patch("replace", format, "$context.requestId")}, "Invalid ARN"},
		"another account": {[]api.PatchOperation{patch("replace", destination, "arn:aws:logs:us-east-1:111111111111:log-group:g"), patch("replace", format, "$context.requestId")}, "Invalid ARN"},
		"no level":        {[]api.PatchOperation{patch("replace", "/*/*/logging/loglevel", "DEBUG")}, "Invalid logging level"},
	} {
		if err := w.patchStage(id, "prod", c.ops...); !fault.Is(err, "BadRequestException") || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, not %q", name, err, c.says)
		}
	}
	set := []api.PatchOperation{patch("replace", destination, logARN+"g"), patch("replace", format, "$context.requestId")}
	if err := w.patchStage(id, "prod", set...); err != nil {
		t.Error(err)
	}
	if err := w.patchStage(id, "prod", patch("remove", "/accessLogSettings", "")); err != nil {
		t.Error(err)
	}
	if st := calltest.Must(t, w.World, api.GetStage, &api.GetStageRequest{RestApiId: &id, StageName: new("prod")}); st.AccessLogSettings != nil {
		t.Errorf("%+v is still there", st.AccessLogSettings)
	}
	calltest.Must(t, w.World, api.UpdateAccount, &api.UpdateAccountRequest{PatchOperations: []api.PatchOperation{patch("remove", "/cloudwatchRoleArn", "")}})
	for _, ops := range [][]api.PatchOperation{set, {patch("replace", "/*/*/logging/loglevel", "ERROR")}} {
		if err := w.patchStage(id, "prod", ops...); !fault.Is(err, "BadRequestException") || !strings.Contains(err.Error(), needRole) {
			t.Errorf("without a role: %v", err)
		}
	}
	if err := w.patchStage(id, "prod", patch("replace", "/*/*/metrics/enabled", "true"), patch("replace", "/*/*/logging/loglevel", "OFF")); err != nil {
		t.Error(err)
	}
}

func TestAccount(t *testing.T) {
	w, _ := journaled(t)
	if a := calltest.Must(t, w.World, api.GetAccount, &api.GetAccountRequest{}); a.CloudwatchRoleArn == nil || *a.CloudwatchRoleArn != writer {
		t.Errorf("%+v", a)
	}
	for role, says := range map[string]string{
		"arn": "Invalid Role ARN", "arn:aws:iam::111111111111:role/writer": "Invalid Role ARN", writer + "2": "does not have required permissions configured",
	} {
		_, err := calltest.Do(w.World, api.UpdateAccount, &api.UpdateAccountRequest{PatchOperations: []api.PatchOperation{patch("replace", "/cloudwatchRoleArn", role)}})
		if !fault.Is(err, "BadRequestException") || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", role, err)
		}
	}
	if a := calltest.Must(t, w.World, api.GetAccount, &api.GetAccountRequest{}); *a.CloudwatchRoleArn != writer {
		t.Errorf("a bad role is kept: %+v", a)
	}
}

// TestExecutionLog compares a whole log with AWS's layout.
func TestExecutionLog(t *testing.T) {
	w, g := journaled(t)
	id := w.newAPI(t, "POST /pets/{id}")
	w.deploy(t, id, "prod")
	level := func(level string, data bool) {
		t.Helper()
		if err := w.patchStage(id, "prod", patch("replace", "/*/*/logging/loglevel", level), patch("replace", "/*/*/logging/dataTrace", fmt.Sprint(data))); err != nil {
			t.Fatal(err)
		}
	}
	w.f.invoke = func(context.Context, string, []byte) (*lambda.InvocationResponse, error) {
		w.Clock.Advance(34 * time.Millisecond)
		return &lambda.InvocationResponse{StatusCode: new(int32(200)), Payload: []byte(`{"statusCode":201,"headers":{"X-One":"1"},"body":"hello"}`)}, nil
	}
	level("INFO", true)
	a := w.send("POST", id, "/prod/pets/7?x=1&y=2", strings.Repeat("b", 2000), "Authorization", "Bearer abcdefghijklmn", "X-Two", "2")
	level("INFO", false)
	b := w.send("POST", id, "/prod/pets/8", "body")
	level("ERROR", true)
	w.send("POST", id, "/prod/pets/9", "body")
	w.returns(`"nonsense"`)
	c := w.send("POST", id, "/prod/pets/10", "body")
	level("OFF", true)
	w.send("POST", id, "/prod/pets/11", "body")
	var got []string
	for _, l := range g.stop(t, w)["API-Gateway-Execution-Logs_"+id+"/prod"] {
		if len(l) > 1024 {
			t.Errorf("%d bytes: %.80s", len(l), l)
		}
		got = append(got, l)
	}
	invocations := "https://lambda.us-east-1.amazonaws.com/2015-03-31/functions/" + functionARN + "f/invocations"
	trace := a.Header.Get("X-Amzn-Trace-Id")
	type line struct{ rq, text string }
	at := func(a answer) string { return a.Header.Get("X-Amzn-Requestid") }
	opening := func(a answer) []line {
		return []line{
			{at(a), "Extended Request Id: " + a.Header.Get("X-Amz-Apigw-Id")},
			{at(a), "Verifying Usage Plan for request: " + at(a) + ". API Key:  API Stage: " + id + "/prod"},
			{at(a), "API Key  authorized because method 'POST /pets/{id}' does not require API Key. Request will not contribute to throttle or quota limits"},
			{at(a), "Usage Plan check succeeded for API Key  and API Stage " + id + "/prod"},
			{at(a), "Starting execution for request: " + at(a)},
		}
	}
	want := append(opening(a), []line{
		{at(a), "HTTP Method: POST, Resource Path: /pets/7"},
		{at(a), "Method request path: {id=7}"},
		{at(a), "Method request query string: {x=1, y=2}"},
		{at(a), "Method request headers: {Authorization=***************ijklmn, Host=" + id + ".execute-api.localhost:4566, X-Amzn-Trace-Id=" + trace + ", X-Forwarded-For=192.0.2.7, X-Forwarded-Port=4566, X-Forwarded-Proto=http, X-Two=2}"},
		{at(a), "Method request body before transformations: bbb…"},
		{at(a), "Endpoint request URI: " + invocations},
		{at(a), "Endpoint request headers: {}"},
		{at(a), `Endpoint request body after transformations: {"resource":"/pets/{id}"…`},
		{at(a), "Sending request to " + invocations},
		{at(a), "Received response. Status: 200, Integration latency: 34 ms"},
		{at(a), "Endpoint response headers: {}"},
		{at(a), `Endpoint response body before transformations: {"statusCode":201,"headers":{"X-One":"1"},"body":"hello"}`},
		{at(a), "Method response body after transformations: hello"},
		{at(a), "Method response headers: {Content-Type=application/json, X-Amzn-Trace-Id=" + trace + ", X-One=1}"},
		{at(a), "Successfully completed execution"},
		{at(a), "Method completed with status: 201"},
	}...)
	want = append(append(want, opening(b)...), []line{
		{at(b), "HTTP Method: POST, Resource Path: /pets/8"},
		{at(b), "Sending request to " + invocations},
		{at(b), "Received response. Status: 200, Integration latency: 34 ms"},
		{at(b), "Successfully completed execution"},
		{at(b), "Method completed with status: 201"},
		{at(c), "Execution failed due to configuration error: Malformed Lambda proxy response"},
		{at(c), "Method completed with status: 502"},
	}...)
	for i, l := range want {
		text := "(" + l.rq + ") " + l.text
		if begin, ok := strings.CutSuffix(text, "…"); i < len(got) && ok && strings.HasPrefix(got[i], begin) && strings.HasSuffix(got[i], " [TRUNCATED]") {
			continue
		}
		if i >= len(got) || got[i] != text {
			t.Fatalf("line %d of %d\n got %s\nwant %s", i, len(got), append(got, "")[min(i, len(got))], text)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d lines, not %d: %q", len(got), len(want), got[len(want):])
	}
}

// TestCanaryLogs: the lines of a canary go to logs of its own as well.
func TestCanaryLogs(t *testing.T) {
	w, g := journaled(t)
	w.s.ledgers.on = true
	id := w.newAPI(t, "GET /")
	w.deploy(t, id, "prod")
	calltest.Must(t, w.World, api.CreateDeployment, &api.CreateDeploymentRequest{RestApiId: &id, StageName: new("prod"), CanarySettings: &api.DeploymentCanarySettings{PercentTraffic: new(100.0)}})
	err := w.patchStage(id, "prod", patch("replace", "/accessLogSettings/destinationArn", logARN+"calls"), patch("replace", "/accessLogSettings/format", "$context.requestId $context.isCanaryRequest"),
		patch("replace", "/*/*/logging/loglevel", "INFO"))
	if err != nil {
		t.Fatal(err)
	}
	w.returns(`{"statusCode":200}`)
	w.send("GET", id, "/prod/", "")
	if err := w.patchStage(id, "prod", patch("replace", "/canarySettings/percentTraffic", "0")); err != nil {
		t.Fatal(err)
	}
	w.send("GET", id, "/prod/", "")
	all := g.stop(t, w)
	execution := "API-Gateway-Execution-Logs_" + id + "/prod"
	if len(all["calls"]) != 2 || len(all["calls/Canary"]) != 1 || !strings.HasSuffix(all["calls/Canary"][0], " true") || !strings.HasSuffix(all["calls"][1], " false") {
		t.Errorf("access: %q, %q", all["calls"], all["calls/Canary"])
	}
	if n := len(all[execution+"/Canary"]); n == 0 || len(all[execution]) != 2*n {
		t.Errorf("execution: %d and %d lines", len(all[execution]), n)
	}
	if m := w.measures(); m["Count test prod"].Sum != 2 || m["Count test prod/Canary"].Sum != 1 || m["Count test"].Sum != 2 {
		t.Errorf("metrics: %+v", m)
	}
}

// TestQuiet: a request that nobody reads about leaves nothing behind.
func TestQuiet(t *testing.T) {
	w, g := journaled(t)
	id := w.newAPI(t, "GET /")
	w.deploy(t, id, "prod")
	w.returns(`{"statusCode":200}`)
	if a := w.send("GET", id, "/prod/", ""); a.StatusCode != http.StatusOK {
		t.Error(a.StatusCode)
	}
	if all := g.stop(t, w); len(all) != 0 {
		t.Errorf("%v", all)
	}
}

// TestDecisions: an execution log tells how authorizers and keys decided, and
// shows no secret.
func TestDecisions(t *testing.T) {
	w, g := journaled(t)
	id := w.newAPI(t, "GET /pets")
	rid := w.resource(t, id, "/pets")
	auth := calltest.Must(t, w.World, api.CreateAuthorizer, &api.CreateAuthorizerRequest{
		RestApiId: &id, Name: new("a"), Type: new("TOKEN"), AuthorizerUri: new(uri("auth")), IdentitySource: new("method.request.header.Authorization"), AuthorizerResultTtlInSeconds: new(int32(0)),
	})
	calltest.Must(t, w.World, api.UpdateMethod, &api.UpdateMethodRequest{RestApiId: &id, ResourceId: &rid, HttpMethod: new("GET"), PatchOperations: []api.PatchOperation{
		patch("replace", "/authorizationType", "CUSTOM"), patch("replace", "/authorizerId", *auth.Id), patch("replace", "/apiKeyRequired", "true"),
	}})
	w.deploy(t, id, "prod")
	if err := w.patchStage(id, "prod", patch("replace", "/*/*/logging/loglevel", "INFO"), patch("replace", "/*/*/logging/dataTrace", "true"),
		patch("replace", "/accessLogSettings/destinationArn", logARN+"calls"), patch("replace", "/accessLogSettings/format", "$context.requestId $context.authorizer.status $context.authorizer.error")); err != nil {
		t.Fatal(err)
	}
	effect := "Allow"
	w.f.invoke = func(_ context.Context, name string, _ []byte) (*lambda.InvocationResponse, error) {
		if !strings.HasSuffix(name, "auth") {
			return &lambda.InvocationResponse{Payload: []byte(`{"statusCode":200}`)}, nil
		}
		if effect == "" {
			return &lambda.InvocationResponse{FunctionError: new("Unhandled"), Payload: []byte(`{"errorMessage":"Unauthorized"}`)}, nil
		}
		return &lambda.InvocationResponse{Payload: fmt.Appendf(nil, `{"principalId":"somebody-known","policyDocument":{"Version":"2012-10-17","Statement":[{"Effect":%q,"Action":"*","Resource":"*"}]}}`, effect)}, nil
	}
	const secret = "secret-0123456789-abcdefgh"
	key := calltest.Must(t, w.World, api.CreateApiKey, &api.CreateApiKeyRequest{Name: new("k"), Value: new(secret), Enabled: new(true)})
	plan := calltest.Must(t, w.World, api.CreateUsagePlan, &api.CreateUsagePlanRequest{Name: new("p"), ApiStages: []api.ApiStage{{ApiId: &id, Stage: new("prod")}}})
	calltest.Must(t, w.World, api.CreateUsagePlanKey, &api.CreateUsagePlanKeyRequest{UsagePlanId: plan.Id, KeyId: key.Id, KeyType: new("API_KEY")})
	for _, e := range []string{"Allow", "Deny", ""} {
		effect = e
		w.send("GET", id, "/prod/pets", "", "Authorization", "Bearer 0123456789", "X-Api-Key", secret)
	}
	effect = "Allow"
	w.send("GET", id, "/prod/pets", "", "Authorization", "Bearer 0123456789")
	all := g.stop(t, w)
	text := strings.Join(all["API-Gateway-Execution-Logs_"+id+"/prod"], "\n")
	for part, n := range map[string]int{
		") Starting authorizer: " + *auth.Id + " for request: ": 4, ") Successfully completed authorizer execution": 3, ") Unauthorized request: ": 1,
		") The client is not authorized to perform this operation.": 1, "API Key ********************cdefgh authorized because": 1, " not authorized because method 'GET /pets' requires API Key": 1,
		"Method completed with status: 200": 1, "Method completed with status: 401": 1, "Method completed with status: 403": 2,
	} {
		if got := strings.Count(text, part); got != n {
			t.Errorf("%q stands %d times there, not %d", part, got, n)
		}
	}
	if strings.Contains(text, "0123456789") || t.Failed() {
		t.Errorf("the log is\n%s", text)
	}
	for i, want := range []string{" 200 -", " 403 User is not authorized to access this resource with an explicit deny", " 401 Unauthorized", " 403 Forbidden"} {
		if l := all["calls"]; i >= len(l) || !strings.HasSuffix(l[i], want) {
			t.Errorf("access log: %q, want %q at %d", l, want, i)
		}
	}
}

// TestTestLog: the log of TestInvokeMethod is an execution log.
func TestTestLog(t *testing.T) {
	w := newWorld(t)
	id := w.newAPI(t, "GET /pets/{id}")
	rid := w.resource(t, id, "/pets/{id}")
	w.returns(`{"statusCode":200,"body":"hello"}`)
	out := calltest.Must(t, w.World, api.TestInvokeMethod, &api.TestInvokeMethodRequest{RestApiId: &id, ResourceId: &rid, HttpMethod: new("GET"), PathWithQueryString: new("/pets/7?x=1")})
	lines := strings.Split(*out.Log, "\n")
	if !strings.HasPrefix(lines[0], "Execution log for request ") || !strings.HasPrefix(lines[1], "Sun Nov 01 12:00:00 UTC 2026 : Starting execution for request: ") {
		t.Errorf("it begins %q", lines[:2])
	}
	for _, part := range []string{": Method request path: {id=7}\n", ": Method request query string: {x=1}\n", ": Received response. Status: 200, Integration latency: 0 ms\n", ": Successfully completed execution\n", ": Method completed with status: 200\n"} {
		if !strings.Contains(*out.Log, part) {
			t.Errorf("%q is not in\n%s", part, *out.Log)
		}
	}
}
