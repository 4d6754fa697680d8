package apigateway

import (
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
