package codedeploy_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/calltest"
	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/data/mem"
	api "github.com/tierra-cloud/tierra/internal/gen/codedeploy"
	"github.com/tierra-cloud/tierra/internal/gen/lambda"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/model"
	"github.com/tierra-cloud/tierra/internal/policy"
	"github.com/tierra-cloud/tierra/internal/services/codedeploy"
)

// functions is a room with one alias, which notes what happens to it.
type functions struct {
	mu      sync.Mutex
	version string
	log     []string
	hooks   chan map[string]string // what hooks were asked
	broken  bool                   // the alias cannot be changed
}

func (*functions) Model() *model.Service { return lambda.GetAlias.Service }

func (f *functions) Bindings() []call.Binding {
	any := "*"
	return []call.Binding{
		call.Bind(lambda.GetAlias, call.Allow("lambda:GetAlias", func(*call.Decoded, *lambda.GetAliasRequest) string { return any }),
			func(context.Context, *call.Authorized, *lambda.GetAliasRequest) (*lambda.AliasConfiguration, error) {
				f.mu.Lock()
				defer f.mu.Unlock()
				return &lambda.AliasConfiguration{FunctionVersion: new(f.version)}, nil
			}),
		call.Bind(lambda.UpdateAlias, call.Allow("lambda:UpdateAlias", func(*call.Decoded, *lambda.UpdateAliasRequest) string { return any }),
			func(_ context.Context, rq *call.Authorized, in *lambda.UpdateAliasRequest) (*lambda.AliasConfiguration, error) {
				f.mu.Lock()
				defer f.mu.Unlock()
				if f.broken {
					return nil, lambda.ResourceNotFoundException("no such version")
				}
				line := fmt.Sprintf("+%s %s", rq.Time().Sub(calltest.Start), *in.FunctionVersion)
				for v, w := range in.RoutingConfig.AdditionalVersionWeights {
					line += fmt.Sprintf(" %s:%g", v, w)
				}
				f.version, f.log = *in.FunctionVersion, append(f.log, line)
				return &lambda.AliasConfiguration{}, nil
			}),
		call.Bind(lambda.Invoke, call.Allow("lambda:InvokeFunction", func(*call.Decoded, *lambda.InvocationRequest) string { return any }),
			func(_ context.Context, _ *call.Authorized, in *lambda.InvocationRequest) (*lambda.InvocationResponse, error) {
				var asked map[string]string
				if err := json.Unmarshal(in.Payload, &asked); err != nil {
					return nil, err
				}
				asked["function"] = *in.FunctionName
				f.hooks <- asked
				return &lambda.InvocationResponse{StatusCode: new(int32(202))}, nil
			}),
	}
}

func (f *functions) history() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strings.Join(f.log, "\n")
}

// roles lets the service role be assumed.
type roles struct{ call.Identities }

func (roles) Assume(_ context.Context, role, _, _ string) (call.Identity, error) {
	if role != "arn:aws:iam::000000000000:role/deployer" {
		return call.Identity{}, fault.Of(fault.AccessDenied, "not authorized to assume %s", role)
	}
	return call.Identity{Principal: policy.Principal{Kind: policy.Root, Account: calltest.Account, ARN: "arn:aws:iam::000000000000:root"}}, nil
}

func world(store data.Store, f *functions) (*calltest.World, *codedeploy.Service) {
	w := calltest.New()
	w.Gate.Identities = roles{w.Gate.Identities}
	room := codedeploy.New(codedeploy.Deps{Store: store, Clock: w.Clock, IDs: w.IDs, Caller: w.Board})
	w.Plug(room, f)
	return w, room
}

func group(t *testing.T, w *calltest.World, config string, rollback ...string) {
	t.Helper()
	calltest.Must(t, w, api.CreateApplication, &api.CreateApplicationInput{ApplicationName: new("app"), ComputePlatform: new(api.ComputePlatformLambda)})
	in := &api.CreateDeploymentGroupInput{
		ApplicationName: new("app"), DeploymentGroupName: new("group"), ServiceRoleArn: new("arn:aws:iam::000000000000:role/deployer"), DeploymentConfigName: &config,
	}
	if len(rollback) > 0 {
		in.AutoRollbackConfiguration = &api.AutoRollbackConfiguration{Enabled: new(true), Events: rollback}
	}
	calltest.Must(t, w, api.CreateDeploymentGroup, in)
}

const spec = `{"version": 0.0, "Resources": [{"f": {"Type": "AWS::Lambda::Function", "Properties": {"Name": "f", "Alias": "live", "CurrentVersion": "1", "TargetVersion": "2"}}}]`

func deploy(t *testing.T, w *calltest.World, hooks string) string {
	t.Helper()
	text := spec + hooks + "}"
	out := calltest.Must(t, w, api.CreateDeployment, &api.CreateDeploymentInput{
		ApplicationName: new("app"), DeploymentGroupName: new("group"),
		Revision: &api.RevisionLocation{RevisionType: new(api.RevisionLocationTypeAppSpecContent), AppSpecContent: &api.AppSpecContent{Content: &text}},
	})
	return *out.DeploymentId
}

func info(t *testing.T, w *calltest.World, id string) *api.DeploymentInfo {
	t.Helper()
	return calltest.Must(t, w, api.GetDeployment, &api.GetDeploymentInput{DeploymentId: &id}).DeploymentInfo
}

// events prints the lifecycle events of a deployment.
func events(t *testing.T, w *calltest.World, id string) string {
	t.Helper()
	ids := calltest.Must(t, w, api.ListDeploymentTargets, &api.ListDeploymentTargetsInput{DeploymentId: &id})
	out := calltest.Must(t, w, api.GetDeploymentTarget, &api.GetDeploymentTargetInput{DeploymentId: &id, TargetId: &ids.TargetIds[0]})
	var b strings.Builder
	for _, e := range out.DeploymentTarget.LambdaTarget.LifecycleEvents {
		fmt.Fprintf(&b, "%s=%s ", *e.LifecycleEventName, *e.Status)
	}
	return strings.TrimSpace(b.String())
}

// TestShifting moves traffic by every kind of configuration, at its own pace.
func TestShifting(t *testing.T) {
	for config, want := range map[string]struct {
		steps int
		every time.Duration
		log   string
	}{
		"CodeDeployDefault.LambdaAllAtOnce":                    {0, 0, "+0s 2"},
		"CodeDeployDefault.LambdaCanary10Percent5Minutes":      {1, 5 * time.Minute, "+0s 1 2:0.1\n+5m0s 2"},
		"CodeDeployDefault.LambdaLinear10PercentEvery2Minutes": {9, 2 * time.Minute, "+0s 1 2:0.1\n+2m0s 1 2:0.2\n+4m0s 1 2:0.3\n+6m0s 1 2:0.4\n+8m0s 1 2:0.5\n+10m0s 1 2:0.6\n+12m0s 1 2:0.7\n+14m0s 1 2:0.8\n+16m0s 1 2:0.9\n+18m0s 2"},
		"mine": {2, time.Minute, "+0s 1 2:0.4\n+1m0s 1 2:0.8\n+2m0s 2"},
	} {
		f := &functions{version: "1"}
		w, room := world(mem.New(), f)
		if config == "mine" {
			calltest.Must(t, w, api.CreateDeploymentConfig, &api.CreateDeploymentConfigInput{
				DeploymentConfigName: &config, ComputePlatform: new(api.ComputePlatformLambda), TrafficRoutingConfig: &api.TrafficRoutingConfig{
					Type: new(api.TrafficRoutingTypeTimeBasedLinear), TimeBasedLinear: &api.TimeBasedLinear{LinearPercentage: new(int32(40)), LinearInterval: new(int32(1))},
				},
			})
		}
		group(t, w, config)
		id := deploy(t, w, "")
		for range want.steps {
			w.Clock.Sleepers(1)
			w.Clock.Advance(want.every)
		}
		room.Settle()
		if got := info(t, w, id); *got.Status != api.DeploymentStatusSucceeded || f.history() != want.log {
			t.Errorf("%s ended as %s:\n%s", config, *got.Status, f.history())
		}
		if got := events(t, w, id); got != "Start=Succeeded AllowTraffic=Succeeded End=Succeeded" {
			t.Errorf("%s: %s", config, got)
		}
	}
}

const hooks = `, "Hooks": [{"BeforeAllowTraffic": "before"}, {"AfterAllowTraffic": "after"}]`

func answer(w *calltest.World, asked map[string]string, status string) error {
	_, err := calltest.Do(w, api.PutLifecycleEventHookExecutionStatus, &api.PutLifecycleEventHookExecutionStatusInput{
		DeploymentId: new(asked["DeploymentId"]), LifecycleEventHookExecutionId: new(asked["LifecycleEventHookExecutionId"]), Status: &status,
	})
	return err
}

// TestHooks lets both hooks succeed, the second fail, and the first never answer.
func TestHooks(t *testing.T) {
	for _, how := range []string{"succeed", "fail", "silent"} {
		f := &functions{version: "1", hooks: make(chan map[string]string, 2)}
		w, room := world(mem.New(), f)
		group(t, w, "CodeDeployDefault.LambdaAllAtOnce", api.AutoRollbackEventDeploymentFailure)
		id := deploy(t, w, hooks)
		first := <-f.hooks
		if how == "silent" {
			w.Clock.Sleepers(1)
			w.Clock.Advance(time.Hour)
		} else {
			if err := answer(w, map[string]string{"DeploymentId": id, "LifecycleEventHookExecutionId": "another"}, "Succeeded"); !fault.Is(err, "InvalidLifecycleEventHookExecutionIdException") {
				t.Errorf("another's answer was taken: %v", err)
			}
			if err := answer(w, first, "Succeeded"); err != nil {
				t.Fatal(err)
			}
			second := <-f.hooks
			if first["function"]+second["function"] != "beforeafter" {
				t.Errorf("asked %v and %v", first, second)
			}
			status := map[string]string{"succeed": "Succeeded", "fail": "Failed"}[how]
			if err := answer(w, second, status); err != nil {
				t.Fatal(err)
			}
		}
		room.Settle()
		got, log := info(t, w, id), f.history()
		switch how {
		case "succeed":
			if *got.Status != api.DeploymentStatusSucceeded || log != "+0s 2" {
				t.Errorf("it ended as %s: %s", *got.Status, log)
			}
			continue
		case "fail":
			if log != "+0s 2\n+0s 1" || events(t, w, id) != "Start=Succeeded BeforeAllowTraffic=Succeeded AllowTraffic=Succeeded AfterAllowTraffic=Failed End=Skipped" {
				t.Errorf("%s\n%s", log, events(t, w, id))
			}
		case "silent":
			if log != "+1h0m0s 1" || events(t, w, id) != "Start=Succeeded BeforeAllowTraffic=Failed AllowTraffic=Skipped AfterAllowTraffic=Skipped End=Skipped" {
				t.Errorf("%s\n%s", log, events(t, w, id))
			}
		}
		if *got.Status != api.DeploymentStatusFailed || *got.ErrorInformation.Code != api.ErrorCodeHookExecutionFailure {
			t.Errorf("%s: it ended as %s", how, *got.Status)
		}
		back := info(t, w, *got.RollbackInfo.RollbackDeploymentId)
		if *back.Status != api.DeploymentStatusSucceeded || *back.Creator != api.DeploymentCreatorCodeDeployRollback || *back.RollbackInfo.RollbackTriggeringDeploymentId != id {
			t.Errorf("%s: its rollback ended as %s", how, *back.Status)
		}
	}
}

// TestStop stops a deployment half-way, with and without a rollback.
func TestStop(t *testing.T) {
	for _, back := range []bool{false, true} {
		f := &functions{version: "1"}
		w, room := world(mem.New(), f)
		group(t, w, "CodeDeployDefault.LambdaCanary10Percent5Minutes")
		id := deploy(t, w, "")
		w.Clock.Sleepers(1)
		if _, err := calltest.Do(w, api.CreateDeployment, &api.CreateDeploymentInput{
			ApplicationName: new("app"), DeploymentGroupName: new("group"),
			Revision: &api.RevisionLocation{RevisionType: new(api.RevisionLocationTypeString), String: &api.RawString{Content: new(spec + "}")}},
		}); !fault.Is(err, "DeploymentLimitExceededException") {
			t.Errorf("two at once: %v", err)
		}
		calltest.Must(t, w, api.StopDeployment, &api.StopDeploymentInput{DeploymentId: &id, AutoRollbackEnabled: &back})
		room.Settle()
		want := "+0s 1 2:0.1"
		if back {
			want += "\n+0s 1"
		}
		if got := info(t, w, id); *got.Status != api.DeploymentStatusStopped || *got.ErrorInformation.Code != api.ErrorCodeManualStop || f.history() != want {
			t.Errorf("rollback %v: it ended as %s: %s", back, *got.Status, f.history())
		}
		if _, err := calltest.Do(w, api.StopDeployment, &api.StopDeploymentInput{DeploymentId: &id}); !fault.Is(err, "DeploymentAlreadyCompletedException") {
			t.Errorf("stopped twice: %v", err)
		}
	}
}

// TestResume ends the server between two steps: the next one goes on when it is time.
func TestResume(t *testing.T) {
	f, store := &functions{version: "1"}, mem.New()
	w, room := world(store, f)
	group(t, w, "CodeDeployDefault.LambdaCanary10Percent30Minutes")
	id := deploy(t, w, "")
	w.Clock.Sleepers(1)
	w.Clock.Advance(10 * time.Minute)
	if err := room.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	w, room = world(store, f)
	w.Clock.Advance(20 * time.Minute)
	if err := room.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	w.Clock.Sleepers(1)
	w.Clock.Advance(10 * time.Minute)
	room.Settle()
	if got := info(t, w, id); *got.Status != api.DeploymentStatusSucceeded || f.history() != "+0s 1 2:0.1\n+30m0s 2" {
		t.Errorf("it ended as %s: %s", *got.Status, f.history())
	}
}

// TestWrong fails a deployment whose alias is elsewhere, or cannot be changed.
func TestWrong(t *testing.T) {
	for _, f := range []*functions{{version: "3"}, {version: "1", broken: true}} {
		w, room := world(mem.New(), f)
		group(t, w, "CodeDeployDefault.LambdaAllAtOnce")
		id := deploy(t, w, "")
		room.Settle()
		if got := info(t, w, id); *got.Status != api.DeploymentStatusFailed || *got.ErrorInformation.Code != api.ErrorCodeInvalidLambdaConfiguration || f.history() != "" {
			t.Errorf("it ended as %s: %s", *got.Status, f.history())
		}
	}
}

func TestScript(t *testing.T) {
	w, room := world(mem.New(), &functions{version: "1"})
	t.Cleanup(func() { _ = room.Stop(context.Background()) })
	calltest.Script(t, "testdata/refused.txt", w, nil)
}

func FuzzAppSpec(f *testing.F) {
	f.Add(spec + hooks + "}")
	f.Add("version: 0.0\nResources:\n  - f:\n      Type: AWS::Lambda::Function\n      Properties: {Name: f, Alias: live, CurrentVersion: 1, TargetVersion: 2}\n")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := codedeploy.ParseAppSpec(text)
		if err == nil && (got.Function == "" || got.Alias == "" || got.Current == "" || got.Target == "") {
			t.Errorf("%q gave %+v", text, got)
		}
		if err != nil && fault.As(err) == nil {
			t.Errorf("%q: %v", text, err)
		}
	})
}
