package apigateway

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tierra-cloud/tierra/internal/call/calltest"
	api "github.com/tierra-cloud/tierra/internal/gen/apigateway"
	"github.com/tierra-cloud/tierra/internal/gen/lambda"
	"github.com/tierra-cloud/tierra/internal/policy"
	"github.com/tierra-cloud/tierra/internal/services/apigateway/proxy"
)

// tally is a world whose function answers with how often it was called.
type tally struct {
	*world
	id    string
	calls atomic.Int32
}

func newTally(t testing.TB, routes ...string) *tally {
	c := &tally{world: newWorld(t)}
	c.s.ledgers.on = true
	c.f.invoke = func(context.Context, string, []byte) (*lambda.InvocationResponse, error) {
		return &lambda.InvocationResponse{Payload: []byte(`{"headers":{"X-Many":"1"},"body":"` + strconv.Itoa(int(c.calls.Add(1))) + `"}`)}, nil
	}
	c.id = c.newAPI(t, routes...)
	return c
}

// keys makes what a route's cached answers depend on, of parameters that it declares.
func (c *tally) keyed(t testing.TB, route, namespace string, keys ...string) {
	t.Helper()
	method, path, _ := strings.Cut(route, " ")
	rid := c.resource(t, c.id, path)
	var declare, patches []api.PatchOperation
	for _, k := range keys {
		declare = append(declare, api.PatchOperation{Op: new("add"), Path: new("/requestParameters/" + k), Value: new("false")})
		patches = append(patches, api.PatchOperation{Op: new("add"), Path: new("/cacheKeyParameters/" + k)})
	}
	if namespace != "" {
		patches = append(patches, api.PatchOperation{Op: new("replace"), Path: new("/cacheNamespace"), Value: &namespace})
	}
	calltest.Must(t, c.World, api.UpdateMethod, &api.UpdateMethodRequest{RestApiId: &c.id, ResourceId: &rid, HttpMethod: &method, PatchOperations: declare})
	calltest.Must(t, c.World, api.UpdateIntegration, &api.UpdateIntegrationRequest{RestApiId: &c.id, ResourceId: &rid, HttpMethod: &method, PatchOperations: patches})
}

// cached deploys to a stage with a cache.
func (c *tally) cached(t testing.TB, stage string, ops ...string) {
	t.Helper()
	c.deploy(t, c.id, stage)
	c.patch(t, c.id, stage, append([]string{"replace /cacheClusterEnabled true", "replace /*/*/caching/enabled true"}, ops...)...)
}

func (c *tally) expect(t testing.TB, what string, got answer, want string) {
	t.Helper()
	if got.StatusCode != 200 || got.body != want {
		t.Errorf("%s: %d %q, want %q", what, got.StatusCode, got.body, want)
	}
}

// TestCacheKeys tells what an answer depends on, and which are kept.
func TestCacheKeys(t *testing.T) {
	c := newTally(t, "GET /plain/{id}", "GET /keyed/{id}", "ANY /any", "POST /post", "GET /one", "GET /two")
	c.keyed(t, "GET /keyed/{id}", "", "method.request.path.id", "method.request.querystring.q", "method.request.header.X-Key")
	c.keyed(t, "GET /one", "shared")
	c.keyed(t, "GET /two", "shared")
	c.cached(t, "s", "replace /~1post/POST/caching/enabled true")
	get := func(target string, header ...string) answer { return c.send("GET", c.id, "/s"+target, "", header...) }
	c.expect(t, "first", get("/plain/1"), "1")
	c.expect(t, "again", get("/plain/1"), "1")
	c.expect(t, "what is no key", get("/plain/2?q=1"), "1")
	c.expect(t, "a key", get("/keyed/1"), "2")
	c.expect(t, "another in the path", get("/keyed/2"), "3")
	c.expect(t, "another in the query", get("/keyed/1?q=1"), "4")
	c.expect(t, "another in the headers", get("/keyed/1", "X-Key", "1"), "5")
	c.expect(t, "the first", get("/keyed/1?other=2"), "2")
	c.expect(t, "the second", get("/keyed/2"), "3")
	c.expect(t, "a namespace", get("/one"), "6")
	c.expect(t, "the same namespace", get("/two"), "6")
	c.expect(t, "GET of ANY", get("/any"), "7")
	c.expect(t, "GET of ANY again", get("/any"), "7")
	c.expect(t, "PUT of ANY", c.send("PUT", c.id, "/s/any", ""), "8")
	c.expect(t, "PUT of ANY again", c.send("PUT", c.id, "/s/any", ""), "9")
	c.expect(t, "POST", c.send("POST", c.id, "/s/post", "a"), "10")
	c.expect(t, "POST again", c.send("POST", c.id, "/s/post", "b"), "10")

	first := get("/plain/1", "X-Amzn-Trace-Id", "Root=1-5759e988-bd862e3fe1be46a994272793")
	if h := first.Header; h.Get("X-Amzn-Trace-Id") != "Root=1-5759e988-bd862e3fe1be46a994272793" || h.Get("X-Many") != "1" || h.Get("Content-Type") != "application/json" {
		t.Errorf("headers of a kept answer: %v", first.Header)
	}
	if second := get("/plain/1"); second.Header.Get("x-amzn-RequestId") == first.Header.Get("x-amzn-RequestId") {
		t.Error("two requests have one id")
	}

	if m := c.measures(); m["CacheHitCount test s"].Sum == 0 || m["CacheMissCount test s"].Sum != 8 {
		t.Errorf("hits and misses: %+v", m)
	}
	calltest.Must(t, c.World, api.FlushStageCache, &api.FlushStageCacheRequest{RestApiId: &c.id, StageName: new("s")})
	c.expect(t, "after a flush", get("/plain/1"), "11")
	c.patch(t, c.id, "s", "replace /~1plain~1{id}/GET/caching/enabled false")
	c.expect(t, "without caching", get("/plain/1"), "12")
	c.patch(t, c.id, "s", "remove /~1plain~1{id}/GET")
	c.expect(t, "with caching again", get("/plain/1"), "11")
	c.deploy(t, c.id, "s")
	c.expect(t, "after a deployment", get("/plain/1"), "11")
	c.patch(t, c.id, "s", "replace /cacheClusterSize 1.6")
	c.expect(t, "in a cache of another size", get("/plain/1"), "13")
	c.patch(t, c.id, "s", "replace /cacheClusterEnabled false")
	c.expect(t, "without a cache", get("/plain/1"), "14")
	c.expect(t, "without a cache again", get("/plain/1"), "15")
}

// TestCacheTTL holds that answers live as long as the settings say, encrypted or not.
func TestCacheTTL(t *testing.T) {
	c := newTally(t, "GET /a", "GET /b", "GET /c")
	c.cached(t, "s", "replace /~1b/GET/caching/enabled true", "replace /~1b/GET/caching/ttlInSeconds 10", "replace /~1b/GET/caching/dataEncrypted true",
		"replace /~1c/GET/caching/enabled true", "replace /~1c/GET/caching/ttlInSeconds 0")
	get := func(target string) answer { return c.send("GET", c.id, "/s"+target, "") }
	c.expect(t, "a", get("/a"), "1")
	c.expect(t, "b", get("/b"), "2")
	c.expect(t, "c", get("/c"), "3")
	c.expect(t, "c, which is not kept", get("/c"), "4")
	c.Clock.Advance(9 * time.Second)
	c.expect(t, "b after 9 s", get("/b"), "2")
	c.Clock.Advance(2 * time.Second)
	c.expect(t, "b after 11 s", get("/b"), "5")
	c.expect(t, "a after 11 s", get("/a"), "1")
	c.Clock.Advance(290 * time.Second)
	c.expect(t, "a after 301 s", get("/a"), "6")
}

// TestCacheFailures holds that what a backend answers is kept with any status, and
// that the gateway's own failures are not.
func TestCacheFailures(t *testing.T) {
	c := newTally(t, "GET /a")
	c.cached(t, "s")
	n := 0
	says := []string{`broken`, `{"statusCode":503,"body":"busy"}`, `{"body":"late"}`}
	c.f.invoke = func(context.Context, string, []byte) (*lambda.InvocationResponse, error) {
		n++
		return &lambda.InvocationResponse{Payload: []byte(says[n-1])}, nil
	}
	for i, want := range []string{`502 {"message":"Internal server error"}`, "503 busy", "503 busy"} {
		if got := c.send("GET", c.id, "/s/a", ""); fmt.Sprintf("%d %s", got.StatusCode, got.body) != want {
			t.Errorf("request %d: %d %s", i, got.StatusCode, got.body)
		}
	}
}

// TestCacheControl tells who may have an answer made anew, and what becomes of
// those who may not.
func TestCacheControl(t *testing.T) {
	c := newTally(t, "GET /open", "GET /signed")
	c.Gate.Identities = people{c.Gate.Identities, map[string]*policy.Policy{
		"ann": parse2(t, "execute-api:Invoke", "execute-api:InvalidateCache"), "bob": parse2(t, "execute-api:Invoke"),
	}}
	rid := c.resource(t, c.id, "/signed")
	calltest.Must(t, c.World, api.UpdateMethod, &api.UpdateMethodRequest{RestApiId: &c.id, ResourceId: &rid, HttpMethod: new("GET"), PatchOperations: []api.PatchOperation{
		{Op: new("replace"), Path: new("/authorizationType"), Value: new("AWS_IAM")},
	}})
	c.cached(t, "s")
	const warning = "199 Cache-control headers were ignored because the caller was unauthorized."
	refresh := func() answer { return c.send("GET", c.id, "/s/open", "", "Cache-Control", "no-transform, Max-Age=0") }
	warned := func(got answer, want string) {
		t.Helper()
		if got.Header.Get("Warning") != want {
			t.Errorf("warning: %q", got.Header.Get("Warning"))
		}
	}
	c.expect(t, "open", c.send("GET", c.id, "/s/open", ""), "1")
	got := refresh()
	c.expect(t, "unauthorized", got, "1")
	warned(got, warning)
	c.patch(t, c.id, "s", "replace /*/*/caching/unauthorizedCacheControlHeaderStrategy SUCCEED_WITHOUT_RESPONSE_HEADER")
	got = refresh()
	c.expect(t, "unauthorized without a header", got, "1")
	warned(got, "")
	c.patch(t, c.id, "s", "replace /*/*/caching/unauthorizedCacheControlHeaderStrategy FAIL_WITH_403")
	if got := refresh(); got.StatusCode != 403 {
		t.Errorf("unauthorized to fail: %d %s", got.StatusCode, got.body)
	}
	c.patch(t, c.id, "s", "replace /*/*/caching/requireAuthorizationForCacheControl false")
	c.expect(t, "everybody may", refresh(), "2")
	c.expect(t, "what is kept then", c.send("GET", c.id, "/s/open", ""), "2")
	c.patch(t, c.id, "s", "replace /*/*/caching/requireAuthorizationForCacheControl true")

	c.expect(t, "signed", c.sendAs(user(calltest.Account, "ann"), nil, "GET", c.id, "/s/signed"), "3")
	c.expect(t, "one who may not", c.sendAs(user(calltest.Account, "bob"), nil, "GET", c.id, "/s/signed"), "3")
	if got := c.sendAs(user(calltest.Account, "bob"), nil, "GET", c.id, "/s/signed", "Cache-Control", "max-age=0"); got.StatusCode != 403 {
		t.Errorf("one who may not: %d %s", got.StatusCode, got.body)
	}
	c.expect(t, "one who may", c.sendAs(user(calltest.Account, "ann"), nil, "GET", c.id, "/s/signed", "Cache-Control", "max-age=0"), "4")

	// The API's own policy opens it to everybody.
	setResourcePolicy(t, c.world, c.id, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"execute-api:*","Resource":"execute-api:/*"}]}`)
	c.expect(t, "by the resource policy", refresh(), "5")
}

func parse2(t *testing.T, actions ...string) *policy.Policy {
	return parse(t, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["`+strings.Join(actions, `","`)+`"],"Resource":"*"}]}`)
}

// TestCacheAuthorizer holds that an authorizer's policy may let callers have an
// answer made anew.
func TestCacheAuthorizer(t *testing.T) {
	g := newGated(t, &api.CreateAuthorizerRequest{
		Type: new("TOKEN"), IdentitySource: new("method.request.header.Authorization"), AuthorizerResultTtlInSeconds: new(int32(0)),
	}, "GET /a")
	g.patch(t, g.id, "s", "replace /cacheClusterEnabled true", "replace /*/*/caching/enabled true", "replace /*/*/caching/unauthorizedCacheControlHeaderStrategy FAIL_WITH_403")
	ask := func() answer {
		return g.send("GET", g.id, "/s/a", "", "Authorization", "x", "Cache-Control", "max-age=0")
	}
	g.expect(t, ask(), 403, `{"Message":"User is not authorized to access this resource"}`, "AccessDeniedException")
	g.says = strings.Replace(g.says, `"execute-api:Invoke"`, `["execute-api:Invoke","execute-api:InvalidateCache"]`, 1)
	g.expect(t, ask(), 200, "in", "")
}

// TestCacheStampede holds that of many who ask at once one asks the function.
func TestCacheStampede(t *testing.T) {
	c := newTally(t, "GET /a")
	c.cached(t, "s")
	began, release := make(chan struct{}, 1), make(chan struct{})
	answer := c.f.invoke
	c.f.invoke = func(ctx context.Context, name string, event []byte) (*lambda.InvocationResponse, error) {
		began <- struct{}{}
		<-release
		return answer(ctx, name, event)
	}
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() { c.expect(t, "one of many", c.send("GET", c.id, "/s/a", ""), "1") })
	}
	<-began
	close(release)
	all.Wait()
}

// TestCanaryCache holds that a canary has a cache of its own unless it uses the stage's.
func TestCanaryCache(t *testing.T) {
	c := newTally(t, "GET /a")
	c.cached(t, "s")
	get := func() answer { return c.send("GET", c.id, "/s/a", "") }
	c.expect(t, "the stage", get(), "1")
	c.patch(t, c.id, "s", "replace /canarySettings/percentTraffic 100")
	c.expect(t, "the canary", get(), "2")
	c.expect(t, "the canary again", get(), "2")
	c.patch(t, c.id, "s", "replace /description x")
	c.expect(t, "the canary after a change", get(), "2")
	c.patch(t, c.id, "s", "replace /canarySettings/useStageCache true")
	c.expect(t, "the canary in the stage's cache", get(), "1")
	c.patch(t, c.id, "s", "replace /canarySettings/useStageCache false")
	c.expect(t, "the canary on its own again", get(), "3")
	calltest.Must(t, c.World, api.FlushStageCache, &api.FlushStageCacheRequest{RestApiId: &c.id, StageName: new("s")})
	c.expect(t, "the canary after a flush", get(), "4")
	c.patch(t, c.id, "s", "remove /canarySettings")
	c.expect(t, "the stage after the flush", get(), "5")
}

// TestPack holds that an answer comes out as it went in, but for the trace.
func TestPack(t *testing.T) {
	for _, headers := range [][]proxy.Header{nil, {{Name: "A", Value: "1"}, {Name: "A", Value: ""}}, {{Name: traceHeader, Value: "old"}, {Name: "B", Value: "2"}}} {
		x := &exchange{status: 418, headers: headers, body: []byte("tea\x00")}
		y := new(exchange)
		y.rq.Header = map[string][]string{traceHeader: {"new"}}
		y.unpack(x.pack())
		if y.status != 418 || !bytes.Equal(y.body, x.body) || len(y.headers) != len(headers) {
			t.Fatalf("%+v", y)
		}
		for i, h := range headers {
			if h.Name == traceHeader {
				h.Value = "new"
			}
			if y.headers[i] != h {
				t.Errorf("%v, want %v", y.headers[i], h)
			}
		}
	}
}
