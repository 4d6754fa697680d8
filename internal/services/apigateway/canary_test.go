package apigateway

import (
	"strings"
	"sync"
	"testing"

	"github.com/tierra-cloud/tierra/internal/call/calltest"
	api "github.com/tierra-cloud/tierra/internal/gen/apigateway"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

// newMock makes an API that answers with a template, and returns its id.
func (w *world) newMock(t testing.TB, template string) string {
	t.Helper()
	x := calltest.Must(t, w.World, api.CreateRestApi, &api.CreateRestApiRequest{Name: new("mock")})
	calltest.Must(t, w.World, api.PutMethod, &api.PutMethodRequest{RestApiId: x.Id, ResourceId: x.RootResourceId, HttpMethod: new("GET"), AuthorizationType: new("NONE")})
	calltest.Must(t, w.World, api.PutMethodResponse, &api.PutMethodResponseRequest{RestApiId: x.Id, ResourceId: x.RootResourceId, HttpMethod: new("GET"), StatusCode: new("200")})
	calltest.Must(t, w.World, api.PutIntegration, &api.PutIntegrationRequest{
		RestApiId: x.Id, ResourceId: x.RootResourceId, HttpMethod: new("GET"), Type: new("MOCK"), RequestTemplates: map[string]string{"application/json": `{"statusCode": 200}`},
	})
	w.setTemplate(t, *x.Id, template)
	return *x.Id
}

// setTemplate changes what the API of newMock answers after its next deployment.
func (w *world) setTemplate(t testing.TB, id, template string) {
	t.Helper()
	root := calltest.Must(t, w.World, api.GetRestApi, &api.GetRestApiRequest{RestApiId: &id}).RootResourceId
	calltest.Must(t, w.World, api.PutIntegrationResponse, &api.PutIntegrationResponseRequest{
		RestApiId: &id, ResourceId: root, HttpMethod: new("GET"), StatusCode: new("200"), ResponseTemplates: map[string]string{"application/json": template},
	})
}

// patch updates a stage: "replace /path value", "remove /path", "copy /from /path".
func (w *world) patch(t testing.TB, id, stage string, ops ...string) {
	t.Helper()
	in := &api.UpdateStageRequest{RestApiId: &id, StageName: &stage}
	for _, o := range ops {
		op, rest, _ := strings.Cut(o, " ")
		path, value, _ := strings.Cut(rest, " ")
		p := api.PatchOperation{Op: &op, Path: &path, Value: opt.NonZero(value)}
		if op == "copy" {
			p = api.PatchOperation{Op: &op, From: &path, Path: &value}
		}
		in.PatchOperations = append(in.PatchOperations, p)
	}
	calltest.Must(t, w.World, api.UpdateStage, in)
}

const canaryTemplate = ` $context.isCanaryRequest $context.deploymentId $stageVariables.a $stageVariables.b $stageVariables.c`

// TestCanary tells which requests the canary gets and what they see there, until
// it is promoted and after.
func TestCanary(t *testing.T) {
	w := newWorld(t)
	id := w.newMock(t, "base"+canaryTemplate)
	body := func(want string) {
		t.Helper()
		if got := w.send("GET", id, "/s", ""); got.body != want {
			t.Errorf("%q, want %q", got.body, want)
		}
	}
	base := *calltest.Must(t, w.World, api.CreateDeployment, &api.CreateDeploymentRequest{RestApiId: &id, StageName: new("s"), Variables: map[string]string{"a": "1", "b": "2"}}).Id
	body("base  " + base + " 1 2 ")
	w.setTemplate(t, id, "canary"+canaryTemplate)
	next := *calltest.Must(t, w.World, api.CreateDeployment, &api.CreateDeploymentRequest{
		RestApiId: &id, StageName: new("s"), CanarySettings: &api.DeploymentCanarySettings{StageVariableOverrides: map[string]string{"a": "9", "c": "3"}},
	}).Id
	ofBase, ofCanary := "base false "+base+" 1 2 ", "canary true "+next+" 9 2 3"
	for range 20 {
		body(ofBase)
	}
	w.patch(t, id, "s", "replace /canarySettings/percentTraffic 100.0")
	for range 20 {
		body(ofCanary)
	}
	w.patch(t, id, "s", "replace /canarySettings/percentTraffic 25")
	canaries := 0
	const all = 2000
	for range all {
		switch got := w.send("GET", id, "/s", "").body; got {
		case ofCanary:
			canaries++
		case ofBase:
		default:
			t.Fatalf("a mixture: %q", got)
		}
	}
	if canaries < all/5 || canaries > 3*all/10 { // the randomness is the same each time
		t.Errorf("%d of %d requests were the canary's", canaries, all)
	}

	// Another room over the same store has the canary, too.
	again := New(Deps{Store: w.s.store, Clock: w.Clock, IDs: w.IDs, Caller: w.Board})
	if err := again.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if st := (*again.live.find(id).stages.Load())["s"]; st.canary == nil || st.percent != 25 {
		t.Error("the canary is not there after a start")
	}

	w.patch(t, id, "s", "replace /canarySettings/percentTraffic 0.0", "copy /canarySettings/stageVariableOverrides /variables", "copy /canarySettings/deploymentId /deploymentId")
	body("canary false " + next + " 9 2 3")
	w.patch(t, id, "s", "remove /canarySettings")
	body("canary  " + next + " 9 2 3")
	calltest.Must(t, w.World, api.DeleteDeployment, &api.DeleteDeploymentRequest{RestApiId: &id, DeploymentId: &base})
}

// TestCanaryThrottle holds that a method's bucket is one for both.
func TestCanaryThrottle(t *testing.T) {
	w := newWorld(t)
	id := w.newMock(t, "")
	w.deploy(t, id, "s")
	w.patch(t, id, "s", "replace /*/*/throttling/rateLimit 1", "replace /*/*/throttling/burstLimit 10", "replace /canarySettings/percentTraffic 50")
	passed := 0
	for range 40 {
		if w.send("GET", id, "/s", "").StatusCode == 200 {
			passed++
		}
	}
	if passed != 10 {
		t.Errorf("%d requests passed, want 10", passed)
	}
}

// TestSwap holds that under load every request sees one deployment whole, while a
// stage goes from one to the other and back with its variables.
func TestSwap(t *testing.T) {
	w := newWorld(t).unlimited()
	id := w.newMock(t, "one"+canaryTemplate)
	one := *calltest.Must(t, w.World, api.CreateDeployment, &api.CreateDeploymentRequest{RestApiId: &id, StageName: new("s"), Variables: map[string]string{"a": "one"}}).Id
	w.setTemplate(t, id, "two"+canaryTemplate)
	two := w.deploy(t, id, "")
	of := map[string]string{"one": "one  " + one + " one  ", "two": "two  " + two + " two  "}
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
				got := w.send("GET", id, "/s", "")
				name, _, _ := strings.Cut(got.body, " ")
				if got.body != of[name] {
					t.Errorf("%d %q", got.StatusCode, got.body)
					return
				}
			}
		})
	}
	for range 50 {
		w.patch(t, id, "s", "replace /deploymentId "+two, "replace /variables/a two")
		if got := w.send("GET", id, "/s", ""); got.body != of["two"] {
			t.Errorf("after the change: %q", got.body)
		}
		w.patch(t, id, "s", "replace /deploymentId "+one, "replace /variables/a one")
		if got := w.send("GET", id, "/s", ""); got.body != of["one"] {
			t.Errorf("after going back: %q", got.body)
		}
	}
	close(stop)
	readers.Wait()
}

// TestAccountThrottle holds that an account has a bucket in each region.
func TestAccountThrottle(t *testing.T) {
	w := newWorld(t)
	w.s.accounts.burst = 5
	id := w.newMock(t, "")
	w.deploy(t, id, "s")
	var passed, refused int
	for range 8 {
		switch got := w.send("GET", id, "/s", ""); {
		case got.StatusCode == 200:
			passed++
		case got.StatusCode == 429 && got.body == `{"message":"Too Many Requests"}`:
			refused++
		}
	}
	if passed != 5 || refused != 3 {
		t.Errorf("%d passed, %d refused", passed, refused)
	}
}
