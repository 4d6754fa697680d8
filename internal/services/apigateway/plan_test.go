package apigateway

import (
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/calltest"
	api "github.com/tierra-cloud/tierra/internal/gen/apigateway"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/ids"
)

func patch(op, path, value string) api.PatchOperation {
	return api.PatchOperation{Op: &op, Path: &path, Value: &value}
}

func TestMethodThrottle(t *testing.T) {
	w := newWorld(t)
	w.returns(`{}`)
	id := w.newAPI(t, "GET /pets", "GET /dogs")
	w.deploy(t, id, "s")
	set := func(ops ...api.PatchOperation) *api.Stage {
		t.Helper()
		return calltest.Must(t, w.World, api.UpdateStage, &api.UpdateStageRequest{RestApiId: &id, StageName: new("s"), PatchOperations: ops})
	}
	expect := func(path string, statuses ...int) {
		t.Helper()
		for i, want := range statuses {
			got := w.send("GET", id, "/s"+path, "")
			if got.StatusCode != want {
				t.Errorf("%s, request %d: %d, want %d", path, i, got.StatusCode, want)
			}
			if want == 429 && (got.body != `{"message":"Too Many Requests"}` || got.Header.Get("x-amzn-ErrorType") != "TooManyRequestsException") {
				t.Errorf("%s %v", got.body, got.Header)
			}
		}
	}
	st := set(patch("replace", "/*/*/throttling/rateLimit", "1"), patch("replace", "/*/*/throttling/burstLimit", "2"), patch("replace", "/~1dogs/GET/throttling/rateLimit", "0"))
	if m := st.MethodSettings["*/*"]; *m.ThrottlingRateLimit != 1 || *m.ThrottlingBurstLimit != 2 {
		t.Errorf("%s", calltest.JSON(st))
	}
	expect("/pets", 200, 200, 429)
	expect("/dogs", 429)
	w.deploy(t, id, "s") // fills no bucket again
	expect("/pets", 429)
	w.Clock.Advance(time.Second)
	expect("/pets", 200, 429)
	expect("/dogs", 429)
	set(patch("remove", "/~1dogs/GET", ""))
	expect("/dogs", 200, 200, 429)
	set(patch("replace", "/*/*/throttling/rateLimit", "-1"))
	expect("/pets", 200, 200, 200, 200)
	for _, bad := range []api.PatchOperation{
		patch("replace", "/*/*/throttling/rateLimit", "x"), patch("replace", "/*/*/throttling/none", "1"), patch("add", "/*/*/throttling/rateLimit", "1"),
		patch("replace", "/*/*/logging/loglevel", "INFO"), patch("replace", "/*/*/caching/enabled", "perhaps"), patch("replace", "/pets/GET/throttling/rateLimit", "1"),
	} {
		_, err := calltest.Do(w.World, api.UpdateStage, &api.UpdateStageRequest{RestApiId: &id, StageName: new("s"), PatchOperations: []api.PatchOperation{bad}})
		if !fault.Is(err, "BadRequestException") {
			t.Errorf("%s: %v", calltest.JSON(bad), err)
		}
	}
}

// planned world: an API whose method takes a key, and a key in a plan.
type sold struct {
	*world
	api, key, plan string
}

const keyValue = "a-key-of-twenty-and-more"

func newSold(t *testing.T, in *api.CreateUsagePlanRequest) *sold {
	s := &sold{world: newWorld(t)}
	s.returns(`{}`)
	s.api = s.newAPI(t, "GET /", "GET /open")
	rid := s.resource(t, s.api, "/")
	calltest.Must(t, s.World, api.UpdateMethod, &api.UpdateMethodRequest{RestApiId: &s.api, ResourceId: &rid, HttpMethod: new("GET"), PatchOperations: []api.PatchOperation{patch("replace", "/apiKeyRequired", "true")}})
	s.deploy(t, s.api, "s")
	s.key = *calltest.Must(t, s.World, api.CreateApiKey, &api.CreateApiKeyRequest{Name: new("k"), Value: new(keyValue), Enabled: new(true)}).Id
	in.Name, in.ApiStages = new("p"), []api.ApiStage{{ApiId: &s.api, Stage: new("s")}}
	s.plan = *calltest.Must(t, s.World, api.CreateUsagePlan, in).Id
	calltest.Must(t, s.World, api.CreateUsagePlanKey, &api.CreateUsagePlanKeyRequest{UsagePlanId: &s.plan, KeyId: &s.key, KeyType: new("API_KEY")})
	return s
}

func (s *sold) expect(t *testing.T, key string, status int, body string) {
	t.Helper()
	got := s.send("GET", s.api, "/s/", "", "X-Api-Key", key)
	if got.StatusCode != status || status != 200 && got.body != `{"message":"`+body+`"}` {
		t.Errorf("%d %s, want %d %s", got.StatusCode, got.body, status, body)
	}
}

func (s *sold) usage(t *testing.T, from, to string) string {
	t.Helper()
	out := calltest.Must(t, s.World, api.GetUsage, &api.GetUsageRequest{UsagePlanId: &s.plan, StartDate: &from, EndDate: &to})
	return strings.Join(strings.Fields(calltest.JSON(out.Items[s.key])), "")
}

func TestAPIKeys(t *testing.T) {
	s := newSold(t, &api.CreateUsagePlanRequest{})
	s.expect(t, "", 403, "Forbidden")
	s.expect(t, "no", 403, "Forbidden")
	s.expect(t, keyValue, 200, "")
	if got := s.send("GET", s.api, "/s/open", ""); got.StatusCode != 200 {
		t.Errorf("a method that takes no key: %d", got.StatusCode)
	}
	set := func(v string) {
		calltest.Must(t, s.World, api.UpdateApiKey, &api.UpdateApiKeyRequest{ApiKey: &s.key, PatchOperations: []api.PatchOperation{patch("replace", "/enabled", v)}})
	}
	set("false")
	s.expect(t, keyValue, 403, "Forbidden")
	set("true")
	s.expect(t, keyValue, 200, "")
	calltest.Must(t, s.World, api.UpdateUsagePlan, &api.UpdateUsagePlanRequest{UsagePlanId: &s.plan, PatchOperations: []api.PatchOperation{patch("remove", "/apiStages", s.api+":s")}})
	s.expect(t, keyValue, 403, "Forbidden")
	calltest.Must(t, s.World, api.UpdateUsagePlan, &api.UpdateUsagePlanRequest{UsagePlanId: &s.plan, PatchOperations: []api.PatchOperation{patch("add", "/apiStages", s.api+":s")}})
	s.expect(t, keyValue, 200, "")
	calltest.Must(t, s.World, api.DeleteUsagePlanKey, &api.DeleteUsagePlanKeyRequest{UsagePlanId: &s.plan, KeyId: &s.key})
	s.expect(t, keyValue, 403, "Forbidden")
	calltest.Must(t, s.World, api.DeleteApiKey, &api.DeleteApiKeyRequest{ApiKey: &s.key})
	if _, err := calltest.Do(s.World, api.DeleteUsagePlan, &api.DeleteUsagePlanRequest{UsagePlanId: &s.plan}); err == nil || !strings.Contains(err.Error(), "API Stages associated with it, including "+s.api+":s") {
		t.Errorf("a plan with a stage was deleted: %v", err)
	}
	calltest.Must(t, s.World, api.UpdateUsagePlan, &api.UpdateUsagePlanRequest{UsagePlanId: &s.plan, PatchOperations: []api.PatchOperation{patch("remove", "/apiStages", s.api+":s")}})
	calltest.Must(t, s.World, api.DeleteUsagePlan, &api.DeleteUsagePlanRequest{UsagePlanId: &s.plan})
	for _, k := range s.keys(t) {
		if strings.Contains(k, s.key) || strings.Contains(k, s.plan) {
			t.Errorf("left: %q", k)
		}
	}
}

func TestKeyFromAuthorizer(t *testing.T) {
	g := newGated(t, &api.CreateAuthorizerRequest{Type: new("TOKEN"), IdentitySource: new("method.request.header.Authorization")}, "GET /")
	rid := g.resource(t, g.id, "/")
	calltest.Must(t, g.World, api.UpdateMethod, &api.UpdateMethodRequest{RestApiId: &g.id, ResourceId: &rid, HttpMethod: new("GET"), PatchOperations: []api.PatchOperation{patch("replace", "/apiKeyRequired", "true")}})
	calltest.Must(t, g.World, api.UpdateRestApi, &api.UpdateRestApiRequest{RestApiId: &g.id, PatchOperations: []api.PatchOperation{patch("replace", "/apiKeySource", "AUTHORIZER")}})
	g.deploy(t, g.id, "s")
	key := calltest.Must(t, g.World, api.CreateApiKey, &api.CreateApiKeyRequest{Enabled: new(true)})
	plan := calltest.Must(t, g.World, api.CreateUsagePlan, &api.CreateUsagePlanRequest{Name: new("p"), ApiStages: []api.ApiStage{{ApiId: &g.id, Stage: new("s")}}})
	calltest.Must(t, g.World, api.CreateUsagePlanKey, &api.CreateUsagePlanKeyRequest{UsagePlanId: plan.Id, KeyId: key.Id, KeyType: new("API_KEY")})
	const no = `{"message":"Forbidden"}`
	g.expect(t, g.send("GET", g.id, "/s/", "", "Authorization", "a", "X-Api-Key", *key.Value), 403, no, "ForbiddenException")
	g.says = says("Allow", "*", `,"usageIdentifierKey":"`+*key.Value+`"`)
	g.expect(t, g.send("GET", g.id, "/s/", "", "Authorization", "b"), 200, "in", "")
	who := decode(t, g.called)["requestContext"].(map[string]any)["identity"].(map[string]any)
	if who["apiKey"] != *key.Value || who["apiKeyId"] != *key.Id {
		t.Errorf("identity: %v", who)
	}
}

func TestPlanThrottle(t *testing.T) {
	s := newSold(t, &api.CreateUsagePlanRequest{Throttle: &api.ThrottleSettings{RateLimit: new(1.0), BurstLimit: new(int32(2))}})
	s.expect(t, keyValue, 200, "")
	s.expect(t, keyValue, 200, "")
	s.expect(t, keyValue, 429, "Too Many Requests")
	s.Clock.Advance(time.Second)
	s.expect(t, keyValue, 200, "")
	s.expect(t, keyValue, 429, "Too Many Requests")
	// A method's own bucket, beside that of the plan.
	calltest.Must(t, s.World, api.UpdateUsagePlan, &api.UpdateUsagePlanRequest{UsagePlanId: &s.plan, PatchOperations: []api.PatchOperation{
		patch("remove", "/throttle", ""), patch("add", "/apiStages/"+s.api+":s/throttle/~1/GET/rateLimit", "1"), patch("add", "/apiStages/"+s.api+":s/throttle/~1/GET/burstLimit", "1"),
	}})
	s.expect(t, keyValue, 200, "")
	s.expect(t, keyValue, 429, "Too Many Requests")
}

func TestQuota(t *testing.T) {
	s := newSold(t, &api.CreateUsagePlanRequest{Quota: &api.QuotaSettings{Limit: new(int32(3)), Period: new("DAY")}})
	for range 3 {
		s.expect(t, keyValue, 200, "")
	}
	s.expect(t, keyValue, 429, "Limit Exceeded")
	if got := s.usage(t, "2026-10-31", "2026-11-01"); got != "[[0,3],[3,0]]" {
		t.Errorf("usage: %s", got)
	}
	calltest.Must(t, s.World, api.UpdateUsage, &api.UpdateUsageRequest{UsagePlanId: &s.plan, KeyId: &s.key, PatchOperations: []api.PatchOperation{patch("replace", "/remaining", "2")}})
	s.expect(t, keyValue, 200, "")
	// A new room over the same store goes on where the old one stopped.
	if err := s.s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	again := New(Deps{Store: s.s.store, Clock: s.Clock, IDs: ids.From(rand.NewChaCha8([32]byte{2})), Caller: s.Board, Gate: s.Gate})
	if err := again.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.s = again
	s.expect(t, keyValue, 200, "")
	s.expect(t, keyValue, 429, "Limit Exceeded")
	s.Clock.Advance(24 * time.Hour)
	s.expect(t, keyValue, 200, "")
}

// TestUsageIsWritten holds that counts come to the store without a stop.
func TestUsageIsWritten(t *testing.T) {
	s := newSold(t, &api.CreateUsagePlanRequest{})
	s.expect(t, keyValue, 200, "")
	s.Clock.Advance(flushAfter)
	for written := false; !written; runtime.Gosched() {
		s.s.usages.mu.Lock()
		written = len(s.s.usages.dirty) == 0
		s.s.usages.mu.Unlock()
	}
	again := New(Deps{Store: s.s.store, Clock: s.Clock, IDs: s.IDs, Caller: s.Board, Gate: s.Gate})
	ok := false
	err := again.use(t.Context(), usageID{area{calltest.Account, calltest.Region}, s.plan, s.key}, func(u *usage) bool { ok = u.Days["2026-11-01"] == 1; return false })
	if err != nil || !ok {
		t.Errorf("the count is not in the store: %v", err)
	}
}

func TestPeriods(t *testing.T) {
	for _, c := range []struct {
		period     string
		offset     int32
		at, begins string
	}{
		{"DAY", 0, "2026-11-01", "2026-11-01"}, {"WEEK", 0, "2026-11-01", "2026-11-01"}, {"WEEK", 0, "2026-11-07", "2026-11-01"},
		{"WEEK", 1, "2026-11-01", "2026-10-26"}, {"WEEK", 6, "2026-11-07", "2026-11-07"}, {"MONTH", 0, "2026-11-30", "2026-11-01"},
		{"MONTH", 27, "2026-03-01", "2026-02-28"}, {"MONTH", 5, "2026-01-03", "2025-12-06"}, {"MONTH", 5, "2026-01-06", "2026-01-06"},
	} {
		at, err := time.Parse(dayForm, c.at)
		if err != nil {
			t.Fatal(err)
		}
		q := &quota{Limit: 1, Offset: c.offset, Period: c.period}
		if got := q.begin(at.Add(13 * time.Hour)).Format(dayForm); got != c.begins {
			t.Errorf("%s+%d at %s: %s, want %s", c.period, c.offset, c.at, got, c.begins)
		}
	}
}

func TestPlanResources(t *testing.T) {
	w := newWorld(t)
	w.returns(`{}`)
	s := newStack(t, w)
	id := w.newAPI(t, "GET /")
	dep := w.deploy(t, id, "")
	settings := []any{props{"ResourcePath": "/*", "HttpMethod": "*", "ThrottlingRateLimit": 5.0, "ThrottlingBurstLimit": 7, "LoggingLevel": "OFF"}}
	stage := props{"RestApiId": id, "DeploymentId": dep, "StageName": "s", "MethodSettings": settings}
	s.create("Stage", stage)
	st := calltest.Must(t, w.World, api.GetStage, &api.GetStageRequest{RestApiId: &id, StageName: new("s")})
	if m := st.MethodSettings["*/*"]; *m.ThrottlingBurstLimit != 7 {
		t.Errorf("%s", calltest.JSON(st))
	}
	s.update("Stage", "s", stage, props{"RestApiId": id, "DeploymentId": dep, "StageName": "s"})
	if st = calltest.Must(t, w.World, api.GetStage, &api.GetStageRequest{RestApiId: &id, StageName: new("s")}); len(st.MethodSettings) != 0 {
		t.Errorf("%s", calltest.JSON(st))
	}
	key := s.create("ApiKey", props{"Enabled": true})
	plan := props{"UsagePlanName": "p", "ApiStages": []any{props{"ApiId": id, "Stage": "s"}}, "Quota": props{"Limit": 5, "Period": "WEEK"}}
	p := s.create("UsagePlan", plan)
	member := props{"UsagePlanId": p.ID, "KeyId": key.ID, "KeyType": "API_KEY"}
	m := s.create("UsagePlanKey", member)
	is := props{"ApiStages": []any{props{"ApiId": id, "Stage": "s", "Throttle": props{"/pets/GET": props{"RateLimit": 3.0}}}}, "Throttle": props{"BurstLimit": 9}}
	s.update("UsagePlan", p.ID, plan, is)
	got := calltest.Must(t, w.World, api.GetUsagePlan, &api.GetUsagePlanRequest{UsagePlanId: &p.ID})
	if got.Quota != nil || *got.Throttle.BurstLimit != 9 || *got.ApiStages[0].Throttle["/pets/GET"].RateLimit != 3 {
		t.Errorf("%s", calltest.JSON(got))
	}
	for name, x := range map[string]struct {
		id string
		p  props
	}{"UsagePlanKey": {m.ID, member}, "ApiKey": {key.ID, props{}}, "UsagePlan": {p.ID, is}} {
		if err := s.typ(name).Delete(t.Context(), s.rq, x.id, x.p); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

var _ call.Worker = (*Service)(nil)
