package apigateway

import (
	"maps"
	"testing"

	"github.com/tierra-cloud/tierra/internal/call/calltest"
	api "github.com/tierra-cloud/tierra/internal/gen/apigateway"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

// TestStackSettings makes, changes and removes a stage's canary, cache and method
// settings as templates say them.
func TestStackSettings(t *testing.T) {
	w := newWorld(t)
	w.returns(`{"body":"ok"}`)
	s := newStack(t, w)
	x := s.create("RestApi", props{"Body": body("GET /a")})
	one, two := s.create("Deployment", props{"RestApiId": x.ID}).ID, s.create("Deployment", props{"RestApiId": x.ID}).ID
	was := props{
		"RestApiId": x.ID, "StageName": "s", "DeploymentId": one, "CacheClusterEnabled": true, "CacheClusterSize": "1.6",
		"CanarySetting":  props{"DeploymentId": two, "PercentTraffic": 12.5, "StageVariableOverrides": props{"a": "1", "b": "2"}, "UseStageCache": true},
		"MethodSettings": []any{props{"ResourcePath": "/*", "HttpMethod": "*", "CachingEnabled": true, "CacheTtlInSeconds": 60, "CacheDataEncrypted": true, "ThrottlingRateLimit": 5}},
	}
	s.create("Stage", was)
	stage := func() *api.Stage {
		t.Helper()
		return calltest.Must(t, w.World, api.GetStage, &api.GetStageRequest{RestApiId: &x.ID, StageName: new("s")})
	}
	st := stage()
	all := st.MethodSettings["*/*"]
	if c := st.CanarySettings; *c.DeploymentId != two || *c.PercentTraffic != 12.5 || !*c.UseStageCache || c.StageVariableOverrides["b"] != "2" ||
		*st.CacheClusterSize != "1.6" || *st.CacheClusterStatus != "AVAILABLE" || !*all.CachingEnabled || *all.CacheTtlInSeconds != 60 || !*all.CacheDataEncrypted {
		t.Errorf("made: %s", calltest.JSON(st))
	}
	is := props{
		"RestApiId": x.ID, "StageName": "s", "DeploymentId": one,
		"CanarySetting":  props{"DeploymentId": two, "PercentTraffic": 50, "StageVariableOverrides": props{"a": "3"}},
		"MethodSettings": []any{props{"ResourcePath": "/*", "HttpMethod": "*", "ThrottlingRateLimit": 7}},
	}
	s.update("Stage", "s", was, is)
	st = stage()
	all = st.MethodSettings["*/*"]
	if c := st.CanarySettings; *c.PercentTraffic != 50 || *c.UseStageCache || len(c.StageVariableOverrides) != 1 || *st.CacheClusterEnabled ||
		*all.CachingEnabled || *all.CacheTtlInSeconds != 300 || *all.ThrottlingRateLimit != 7 {
		t.Errorf("changed: %s", calltest.JSON(st))
	}
	plain := props{"RestApiId": x.ID, "StageName": "s", "DeploymentId": one}
	s.update("Stage", "s", is, plain)
	if st = stage(); st.CanarySettings != nil || len(st.MethodSettings) != 0 {
		t.Errorf("without settings: %s", calltest.JSON(st))
	}

	// A deployment makes a canary of a stage that is there, and takes it away.
	canary := props{"RestApiId": x.ID, "StageName": "s", "DeploymentCanarySettings": props{"PercentTraffic": 5}}
	dep := s.create("Deployment", canary)
	if c := stage().CanarySettings; c == nil || *c.DeploymentId != dep.ID || *c.PercentTraffic != 5 {
		t.Errorf("canary: %s", calltest.JSON(c))
	}
	s.remove("Deployment", dep.ID, canary)
	if st := stage(); st.CanarySettings != nil || *st.DeploymentId != one {
		t.Errorf("without the canary: %s", calltest.JSON(st))
	}

	// A deployment describes the stage that it makes.
	described := props{"RestApiId": x.ID, "StageName": "d", "StageDescription": props{
		"CacheClusterEnabled": true, "CachingEnabled": true, "CacheTtlInSeconds": 9, "ThrottlingBurstLimit": 3, "Variables": props{"v": "1"},
		"MethodSettings": []any{props{"ResourcePath": "/a", "HttpMethod": "GET", "CachingEnabled": false}}, "CanarySetting": props{"PercentTraffic": 1},
	}}
	dep = s.create("Deployment", described)
	st = calltest.Must(t, w.World, api.GetStage, &api.GetStageRequest{RestApiId: &x.ID, StageName: new("d")})
	all = st.MethodSettings["*/*"]
	if opt.Val(st.CacheClusterSize) != "0.5" || *all.CacheTtlInSeconds != 9 || *all.ThrottlingBurstLimit != 3 || *st.MethodSettings["~1a/GET"].CachingEnabled || *st.CanarySettings.PercentTraffic != 1 {
		t.Errorf("described: %s", calltest.JSON(st))
	}
	s.remove("Deployment", dep.ID, described)
}

// Tags of keys and usage plans change in place: a key that clients hold stays.
func TestTagsOfPlans(t *testing.T) {
	w := newWorld(t)
	s := newStack(t, w)
	tagged := func(name, k, v string) props { return props{name: "n", "Tags": []any{props{"Key": k, "Value": v}}} }
	key, plan := s.create("ApiKey", tagged("Name", "a", "1")), s.create("UsagePlan", tagged("UsagePlanName", "a", "1"))
	for _, typ := range []string{"ApiKey", "UsagePlan"} {
		if !s.typ(typ).InPlace([]string{"Tags"}) {
			t.Errorf("%s is replaced", typ)
		}
	}
	s.update("ApiKey", key.ID, tagged("Name", "a", "1"), tagged("Name", "b", "2"))
	s.update("UsagePlan", plan.ID, tagged("UsagePlanName", "a", "1"), tagged("UsagePlanName", "b", "2"))
	want := map[string]string{"stack": "st", "b": "2"}
	if x := calltest.Must(t, w.World, api.GetApiKey, &api.GetApiKeyRequest{ApiKey: &key.ID}); !maps.Equal(x.Tags, want) {
		t.Errorf("the key's tags: %v", x.Tags)
	}
	if x := calltest.Must(t, w.World, api.GetUsagePlan, &api.GetUsagePlanRequest{UsagePlanId: &plan.ID}); !maps.Equal(x.Tags, want) {
		t.Errorf("the plan's tags: %v", x.Tags)
	}
}

// An API is a clone of another, with a version of its own.
func TestClonedAPI(t *testing.T) {
	w := newWorld(t)
	s := newStack(t, w)
	first := s.create("RestApi", props{"Name": "first"})
	s.create("Resource", props{"RestApiId": first.ID, "ParentId": first.Attributes["RootResourceId"], "PathPart": "pets"})
	st := s.create("RestApi", props{"Name": "second", "CloneFrom": first.ID, "Version": "v7"})
	if x := calltest.Must(t, w.World, api.GetRestApi, &api.GetRestApiRequest{RestApiId: &st.ID}); *x.Name != "second" || *x.Version != "v7" {
		t.Errorf("%s, version %s", *x.Name, *x.Version)
	}
	if x := calltest.Must(t, w.World, api.GetResources, &api.GetResourcesRequest{RestApiId: &st.ID}); len(x.Items) != 2 {
		t.Errorf("%d resources", len(x.Items))
	}
}
