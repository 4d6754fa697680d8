package apigateway

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/tierra-cloud/tierra/internal/call/calltest"
	api "github.com/tierra-cloud/tierra/internal/gen/apigateway"
	"github.com/tierra-cloud/tierra/internal/gen/lambda"
)

// says is an authorizer's answer that allows or denies what resource names.
func says(effect, resource, more string) string {
	return `{"principalId":"me","policyDocument":{"Version":"2012-10-17","Statement":[{"Action":"execute-api:Invoke","Effect":"` + effect + `","Resource":"` + resource + `"}]}` + more + `}`
}

// gate is a world whose function "f" echoes and whose function "auth" authorizes.
type gated struct {
	*world
	id     string
	asked  int    // of the authorizer
	says   string // the authorizer's answer
	fails  string // the authorizer's error
	event  []byte // the authorizer's
	called []byte // the event of the method
}

func newGated(t *testing.T, in *api.CreateAuthorizerRequest, routes ...string) *gated {
	g := &gated{world: newWorld(t), says: says("Allow", "*", "")}
	g.f.invoke = func(_ context.Context, name string, event []byte) (*lambda.InvocationResponse, error) {
		if strings.HasSuffix(name, ":auth") {
			g.asked++
			g.event = append([]byte(nil), event...)
			if g.fails != "" {
				return &lambda.InvocationResponse{FunctionError: new("Unhandled"), Payload: []byte(`{"errorMessage":"` + g.fails + `"}`)}, nil
			}
			return &lambda.InvocationResponse{Payload: []byte(g.says)}, nil
		}
		g.called = append([]byte(nil), event...)
		return &lambda.InvocationResponse{Payload: []byte(`{"body":"in"}`)}, nil
	}
	g.id = g.newAPI(t, routes...)
	in.RestApiId, in.Name, in.AuthorizerUri = &g.id, new("auth"), new(uri("${stageVariables.fn}"))
	a := calltest.Must(t, g.World, api.CreateAuthorizer, in)
	for _, r := range routes {
		method, path, _ := strings.Cut(r, " ")
		rid := g.resource(t, g.id, path)
		calltest.Must(t, g.World, api.UpdateMethod, &api.UpdateMethodRequest{RestApiId: &g.id, ResourceId: &rid, HttpMethod: &method, PatchOperations: []api.PatchOperation{
			{Op: new("replace"), Path: new("/authorizationType"), Value: new("CUSTOM")}, {Op: new("replace"), Path: new("/authorizerId"), Value: a.Id},
		}})
	}
	dep := g.deploy(t, g.id, "")
	calltest.Must(t, g.World, api.CreateStage, &api.CreateStageRequest{RestApiId: &g.id, StageName: new("s"), DeploymentId: &dep, Variables: map[string]string{"fn": "auth"}})
	return g
}

func (g *gated) expect(t *testing.T, got answer, status int, body, code string) {
	t.Helper()
	if got.StatusCode != status || got.body != body || got.Header.Get("x-amzn-ErrorType") != code {
		t.Errorf("%d %s %s, want %d %s %s", got.StatusCode, got.body, got.Header.Get("x-amzn-ErrorType"), status, body, code)
	}
}

func TestTokenAuthorizer(t *testing.T) {
	g := newGated(t, &api.CreateAuthorizerRequest{
		Type: new("TOKEN"), IdentitySource: new("method.request.header.Authorization"), IdentityValidationExpression: new("Bearer [a-z]+"),
	}, "GET /pets/{id}", "POST /pets/{id}")
	const no = `{"message":"Unauthorized"}`
	g.expect(t, g.send("GET", g.id, "/s/pets/1", ""), 401, no, "UnauthorizedException")
	g.expect(t, g.send("GET", g.id, "/s/pets/1", "", "Authorization", "Bearer 1"), 401, no, "UnauthorizedException")
	if g.asked != 0 {
		t.Errorf("the function was asked %d times without a valid token", g.asked)
	}
	get := "arn:aws:execute-api:us-east-1:000000000000:" + g.id + "/s/GET/pets/*"
	g.says = says("Allow", get, `,"context":{"n":1.5,"b":true,"s":"x","none":null}`)
	g.expect(t, g.send("GET", g.id, "/s/pets/1", "", "Authorization", "Bearer a"), 200, "in", "")
	e := decode(t, g.event)
	if e["type"] != "TOKEN" || e["authorizationToken"] != "Bearer a" || e["methodArn"] != strings.Replace(get, "*", "1", 1) || len(e) != 3 {
		t.Errorf("event: %s", g.event)
	}
	said := decode(t, g.called)["requestContext"].(map[string]any)["authorizer"].(map[string]any)
	if said["principalId"] != "me" || said["n"] != "1.5" || said["b"] != "true" || said["s"] != "x" || len(said) != 5 {
		t.Errorf("authorizer in the event: %v", said)
	}
	// The verdict is kept, and is for every method.
	g.expect(t, g.send("GET", g.id, "/s/pets/2", "", "Authorization", "Bearer a"), 200, "in", "")
	g.expect(t, g.send("POST", g.id, "/s/pets/2", "", "Authorization", "Bearer a"), 403, `{"Message":"User is not authorized to access this resource"}`, "AccessDeniedException")
	if g.asked != 1 {
		t.Errorf("asked %d times, want once", g.asked)
	}
	g.Clock.Advance(301 * time.Second)
	g.says = says("Deny", "*", "")
	const explicit = `{"Message":"User is not authorized to access this resource with an explicit deny"}`
	g.expect(t, g.send("GET", g.id, "/s/pets/2", "", "Authorization", "Bearer a"), 403, explicit, "AccessDeniedException")
	g.says = says("Allow", "*", "")
	g.expect(t, g.send("GET", g.id, "/s/pets/2", "", "Authorization", "Bearer a"), 403, explicit, "AccessDeniedException")
	calltest.Must(t, g.World, api.FlushStageAuthorizersCache, &api.FlushStageAuthorizersCacheRequest{RestApiId: &g.id, StageName: new("s")})
	g.expect(t, g.send("GET", g.id, "/s/pets/2", "", "Authorization", "Bearer a"), 200, "in", "")

	// What a function must not do.
	g.fails = "Unauthorized"
	g.expect(t, g.send("GET", g.id, "/s/pets/2", "", "Authorization", "Bearer b"), 401, no, "UnauthorizedException")
	g.fails = "broken"
	g.expect(t, g.send("GET", g.id, "/s/pets/2", "", "Authorization", "Bearer b"), 500, `{"message":null}`, "AuthorizerFailureException")
	g.fails = ""
	for _, bad := range []string{
		`null`, `{}`, `"x"`, `{"principalId":"a"}`, `{"policyDocument":{"Version":"2012-10-17","Statement":[]}}`, says("Maybe", "*", ""),
		says("Allow", "*", `,"context":{"list":[1]}`), says("Allow", "*", `,"context":{"o":{}}`),
	} {
		g.says = bad
		g.expect(t, g.send("GET", g.id, "/s/pets/2", "", "Authorization", "Bearer b"), 500, `{"message":null}`, "AuthorizerConfigurationException")
	}
}

func TestRequestAuthorizer(t *testing.T) {
	g := newGated(t, &api.CreateAuthorizerRequest{
		Type: new("REQUEST"), IdentitySource: new("method.request.header.X-Who, method.request.querystring.q,context.httpMethod,stageVariables.fn"),
	}, "ANY /pets/{id}")
	for _, target := range []string{"/s/pets/1", "/s/pets/1?q="} {
		g.expect(t, g.send("GET", g.id, target, "", "X-Who", "me"), 401, `{"message":"Unauthorized"}`, "UnauthorizedException")
	}
	g.expect(t, g.send("GET", g.id, "/s/pets/1?q=1", "", "X-Who", "me"), 200, "in", "")
	e := decode(t, g.event)
	for k, want := range map[string]any{
		"type": "REQUEST", "resource": "/pets/{id}", "path": "/pets/1", "httpMethod": "GET", "methodArn": "arn:aws:execute-api:us-east-1:000000000000:" + g.id + "/s/GET/pets/1",
	} {
		if e[k] != want {
			t.Errorf("%s: %v, want %v", k, e[k], want)
		}
	}
	if e["pathParameters"].(map[string]any)["id"] != "1" || e["requestContext"].(map[string]any)["authorizer"] != nil || e["body"] != nil {
		t.Errorf("event: %s", g.event)
	}
	if _, there := e["isBase64Encoded"]; there {
		t.Error("an authorizer gets no body")
	}
	g.send("GET", g.id, "/s/pets/1?q=1", "", "X-Who", "me")
	g.send("GET", g.id, "/s/pets/1?q=2", "", "X-Who", "me")
	g.send("PUT", g.id, "/s/pets/1?q=1", "", "X-Who", "me")
	if g.asked != 3 {
		t.Errorf("asked %d times, want 3", g.asked)
	}
}

// TestAuthorizerPermission holds that the function's policy decides, on the ARN
// of the authorizer.
func TestAuthorizerPermission(t *testing.T) {
	g := newGated(t, &api.CreateAuthorizerRequest{Type: new("REQUEST"), AuthorizerResultTtlInSeconds: new(int32(0))}, "GET /")
	allow := func(source string) string {
		return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"apigateway.amazonaws.com"},"Action":"lambda:InvokeFunction",` +
			`"Resource":"*","Condition":{"ArnLike":{"AWS:SourceArn":"arn:aws:execute-api:us-east-1:000000000000:` + g.id + source + `"}}}]}`
	}
	g.f.policies = map[string]string{functionARN + "f": allow("/*"), functionARN + "auth": allow("/*/GET/")}
	g.expect(t, g.send("GET", g.id, "/s/", ""), 500, `{"message":null}`, "AuthorizerConfigurationException")
	g.f.policies[functionARN+"auth"] = allow("/authorizers/*")
	g.expect(t, g.send("GET", g.id, "/s/", ""), 200, "in", "")
}

func TestImportAuthorizer(t *testing.T) {
	w := newWorld(t)
	doc := func(kind string) []byte {
		return []byte(`{"swagger":"2.0","info":{"title":"t"},"paths":{"/":{"get":{"security":[{"mine":[]}],"x-amazon-apigateway-integration":{"type":"mock"}}}},
			"securityDefinitions":{"mine":{"type":"apiKey","name":"X-Token","in":"header","x-amazon-apigateway-authtype":"custom","x-amazon-apigateway-authorizer":
			{"type":"` + kind + `","authorizerUri":"` + uri("auth") + `","authorizerResultTtlInSeconds":60}}}}`)
	}
	x := calltest.Must(t, w.World, api.ImportRestApi, &api.ImportRestApiRequest{Body: doc("token")})
	all := calltest.Must(t, w.World, api.GetAuthorizers, &api.GetAuthorizersRequest{RestApiId: x.Id}).Items
	if len(all) != 1 || *all[0].Type != "TOKEN" || *all[0].IdentitySource != "method.request.header.X-Token" || *all[0].AuthorizerResultTtlInSeconds != 60 {
		t.Fatalf("%s", calltest.JSON(all))
	}
	for _, mode := range []string{"merge", "overwrite"} {
		calltest.Must(t, w.World, api.PutRestApi, &api.PutRestApiRequest{RestApiId: x.Id, Mode: &mode, Body: doc("token")})
		m := calltest.Must(t, w.World, api.GetMethod, &api.GetMethodRequest{RestApiId: x.Id, ResourceId: x.RootResourceId, HttpMethod: new("GET")})
		if *m.AuthorizationType != "CUSTOM" || *m.AuthorizerId != *all[0].Id {
			t.Errorf("%s: the method is decided by %s of %s, want %s", mode, *m.AuthorizerId, *m.AuthorizationType, *all[0].Id)
		}
	}
	if _, err := calltest.Do(w.World, api.DeleteAuthorizer, &api.DeleteAuthorizerRequest{RestApiId: x.Id, AuthorizerId: all[0].Id}); err == nil || !strings.Contains(err.Error(), "is referenced in method: GET /") {
		t.Errorf("delete what is used: %v", err)
	}
	if _, err := calltest.Do(w.World, api.ImportRestApi, &api.ImportRestApiRequest{Body: doc("cognito_user_pools")}); err == nil {
		t.Error("a kind of authorizer that does not act was imported")
	}
}

func TestTestInvokeAuthorizer(t *testing.T) {
	g := newGated(t, &api.CreateAuthorizerRequest{Type: new("TOKEN"), IdentitySource: new("method.request.header.Authorization")}, "GET /")
	a := calltest.Must(t, g.World, api.GetAuthorizers, &api.GetAuthorizersRequest{RestApiId: &g.id}).Items[0].Id
	in := &api.TestInvokeAuthorizerRequest{RestApiId: &g.id, AuthorizerId: a, StageVariables: map[string]string{"fn": "auth"}}
	if out := calltest.Must(t, g.World, api.TestInvokeAuthorizer, in); *out.ClientStatus != 401 || g.asked != 0 {
		t.Errorf("without a token: %s", calltest.JSON(out))
	}
	in.Headers = map[string]string{"authorization": "t"}
	g.says = says("Allow", "*", `,"context":{"a":1}`)
	out := calltest.Must(t, g.World, api.TestInvokeAuthorizer, in)
	if *out.ClientStatus != 200 || *out.PrincipalId != "me" || out.Authorization["a"][0] != "1" || !strings.Contains(*out.Policy, `"Effect":"Allow"`) {
		t.Errorf("%s", calltest.JSON(out))
	}
	g.says = `null`
	if out := calltest.Must(t, g.World, api.TestInvokeAuthorizer, in); *out.ClientStatus != 500 || !strings.Contains(*out.Log, "principalId") {
		t.Errorf("%s", calltest.JSON(out))
	}
}

func FuzzVerdict(f *testing.F) {
	f.Add([]byte(says("Allow", "*", `,"context":{"a":1,"b":"c"},"usageIdentifierKey":"k"`)))
	f.Add([]byte(`{"principalId":"","policyDocument":{}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := parseVerdict(b)
		if err != nil {
			return
		}
		if decode(t, v.object(time.Second))["principalId"] != v.principal {
			t.Error("the principal was lost")
		}
	})
}

func TestAuthorizerResource(t *testing.T) {
	w := newWorld(t)
	s := newStack(t, w)
	id := w.newAPI(t, "GET /")
	p := props{"RestApiId": id, "Name": "a", "Type": "TOKEN", "AuthorizerUri": uri("auth"), "IdentitySource": "method.request.header.A", "AuthorizerCredentials": "arn:aws:iam::000000000000:role/r"}
	st := s.create("Authorizer", p)
	is := props{"RestApiId": id, "Name": "b", "Type": "REQUEST", "AuthorizerUri": uri("auth"), "AuthorizerResultTtlInSeconds": 0}
	s.update("Authorizer", st.ID, p, is)
	a := calltest.Must(t, w.World, api.GetAuthorizer, &api.GetAuthorizerRequest{RestApiId: &id, AuthorizerId: &st.ID})
	if *a.Name != "b" || *a.Type != "REQUEST" || *a.AuthorizerResultTtlInSeconds != 0 || a.IdentitySource != nil || a.AuthorizerCredentials != nil {
		t.Errorf("%s", calltest.JSON(a))
	}
	if found, err := s.typ("Authorizer").Find(t.Context(), s.rq, is); err != nil || len(found) != 1 || found[0].ID != st.ID {
		t.Errorf("found %v, %v", found, err)
	}
	if err := s.typ("Authorizer").Delete(t.Context(), s.rq, st.ID, is); err != nil {
		t.Error(err)
	}
	if all := calltest.Must(t, w.World, api.GetAuthorizers, &api.GetAuthorizersRequest{RestApiId: &id}).Items; len(all) != 0 {
		t.Errorf("left: %s", calltest.JSON(all))
	}
}
