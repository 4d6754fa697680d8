package lambda

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/calltest"
	"github.com/tierra-cloud/tierra/internal/call/resource"
	api "github.com/tierra-cloud/tierra/internal/gen/lambda"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
)

func (st *stand) provision(t *testing.T, name, qualifier string, n int32) {
	t.Helper()
	out := calltest.Must(t, st.World, api.PutProvisionedConcurrencyConfig, &api.PutProvisionedConcurrencyConfigRequest{
		FunctionName: &name, Qualifier: &qualifier, ProvisionedConcurrentExecutions: &n,
	})
	if *out.Status != "IN_PROGRESS" || *out.RequestedProvisionedConcurrentExecutions != n {
		t.Errorf("provisioning %s:%s: %s", name, qualifier, calltest.JSON(out))
	}
}

// provisioned waits for a state of what is provisioned.
func (st *stand) provisioned(t *testing.T, name, qualifier, state string) *api.GetProvisionedConcurrencyConfigResponse {
	t.Helper()
	var out *api.GetProvisionedConcurrencyConfigResponse
	until(func() bool {
		out = calltest.Must(t, st.World, api.GetProvisionedConcurrencyConfig, &api.GetProvisionedConcurrencyConfigRequest{FunctionName: &name, Qualifier: &qualifier})
		if *out.Status == "FAILED" && state != "FAILED" {
			t.Fatalf("provisioning %s:%s: %s", name, qualifier, calltest.JSON(out))
		}
		return *out.Status == state
	})
	return out
}

func TestProvisionedConcurrency(t *testing.T) {
	st := newStand(t, realTime)
	st.custom(t, "f", func(in *api.CreateFunctionRequest) { in.Publish, in.Timeout = new(true), new(int32(300)) })
	calltest.Must(t, st.World, api.CreateAlias, &api.CreateAliasRequest{FunctionName: new("f"), Name: new("live"), FunctionVersion: new("1")})
	st.provision(t, "f", "live", 2)
	out := st.provisioned(t, "f", "live", "READY")
	if *out.AllocatedProvisionedConcurrentExecutions != 2 {
		t.Errorf("ready: %s", calltest.JSON(out))
	}
	kinds := func(name string) string {
		env := st.answer(t, name, `{"do":"env"}`)
		_, kind, _ := strings.Cut(env, `"AWS_LAMBDA_INITIALIZATION_TYPE":"`)
		kind, _, _ = strings.Cut(kind, `"`)
		return kind
	}
	if got := kinds("f:live"); got != "provisioned-concurrency" {
		t.Errorf("initialization type: %s", got)
	}
	// The initialisation was billed when it was; no invocation waits for it.
	res, err := st.invoke("f:live", `{}`)
	if err != nil || strings.Contains(logTail(t, res), "Init Duration") {
		t.Errorf("%v: %s", err, logTail(t, res))
	}
	settings := calltest.Must(t, st.World, api.GetAccountSettings, &api.GetAccountSettingsRequest{})
	if n := *settings.AccountLimit.UnreservedConcurrentExecutions; n != 998 {
		t.Errorf("unreserved: %d", n)
	}

	// What is beyond it is started when it is needed.
	release := st.hold(t, "f:live", 2)
	if got := *st.provisioned(t, "f", "live", "READY").AvailableProvisionedConcurrentExecutions; got != 0 {
		t.Errorf("%d are available while all are busy", got)
	}
	if got := kinds("f:live"); got != "on-demand" {
		t.Errorf("beyond what is provisioned: %s", got)
	}
	release()

	counted := map[string]float64{}
	st.room.Measure(func(m *call.Measure) { counted[m.Name] = m.Sum })
	for name, want := range map[string]float64{"Invocations": 5, "ProvisionedConcurrencyInvocations": 4, "ProvisionedConcurrencySpilloverInvocations": 1, "ConcurrentExecutions": 1 + 1 + 1 + 2 + 3, "ProvisionedConcurrentExecutions": 1 + 1 + 1 + 2, "Errors": 0} {
		if counted[name] != want {
			t.Errorf("%s is %v", name, counted[name])
		}
	}

	// What ends is replaced.
	if _, err := st.invoke("f:live", `{"do":"exit","number":1}`); err != nil {
		t.Fatal(err)
	}
	until(func() bool {
		return *st.provisioned(t, "f", "live", "READY").AvailableProvisionedConcurrentExecutions == 2
	})

	// The alias takes it along.
	calltest.Must(t, st.World, api.UpdateFunctionConfiguration, &api.UpdateFunctionConfigurationRequest{FunctionName: new("f"), Description: new("next"), Timeout: new(int32(9))})
	calltest.Must(t, st.World, api.PublishVersion, &api.PublishVersionRequest{FunctionName: new("f")})
	calltest.Must(t, st.World, api.UpdateAlias, &api.UpdateAliasRequest{FunctionName: new("f"), Name: new("live"), FunctionVersion: new("2")})
	st.provisioned(t, "f", "live", "READY")
	if got := kinds("f:2"); got != "provisioned-concurrency" {
		t.Errorf("the alias's new version: %s", got)
	}
	if have := st.poolOf(t, "f", "1"); have != 0 {
		t.Errorf("%d environments are kept for the version that it left", have)
	}
	// So do its weights.
	calltest.Must(t, st.World, api.UpdateAlias, &api.UpdateAliasRequest{FunctionName: new("f"), Name: new("live"), RoutingConfig: &api.AliasRoutingConfiguration{AdditionalVersionWeights: map[string]float64{"1": 0.5}}})
	st.provisioned(t, "f", "live", "READY")
	if a, b := st.poolOf(t, "f", "1"), st.poolOf(t, "f", "2"); a != 1 || b != 1 {
		t.Errorf("with weights: %d and %d", a, b)
	}

	list := calltest.Must(t, st.World, api.ListProvisionedConcurrencyConfigs, &api.ListProvisionedConcurrencyConfigsRequest{FunctionName: new("f")})
	if len(list.ProvisionedConcurrencyConfigs) != 1 || *list.ProvisionedConcurrencyConfigs[0].FunctionArn != "arn:aws:lambda:us-east-1:000000000000:function:f:live" {
		t.Errorf("list: %s", calltest.JSON(list))
	}

	// It is there again after a restart, without an invocation.
	st.restart(t)
	st.provisioned(t, "f", "live", "READY")

	calltest.Must(t, st.World, api.DeleteProvisionedConcurrencyConfig, &api.DeleteProvisionedConcurrencyConfigRequest{FunctionName: new("f"), Qualifier: new("live")})
	_, err = calltest.Do(st.World, api.GetProvisionedConcurrencyConfig, &api.GetProvisionedConcurrencyConfigRequest{FunctionName: new("f"), Qualifier: new("live")})
	if !fault.Is(err, "ProvisionedConcurrencyConfigNotFoundException") {
		t.Errorf("after the deletion: %v", err)
	}
	if a, b := st.poolOf(t, "f", "1"), st.poolOf(t, "f", "2"); a+b != 0 {
		t.Errorf("after the deletion %d and %d are kept", a, b)
	}
}

// poolOf counts the provisioned environments of a version.
func (st *stand) poolOf(t *testing.T, name, version string) int {
	t.Helper()
	f, err := st.room.find(t.Context(), key{calltest.Account, calltest.Region, name})
	if err != nil {
		t.Fatal(err)
	}
	f.pools.mu.Lock()
	defer f.pools.mu.Unlock()
	p := f.pools.versions[version]
	if p == nil {
		return 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.have
}

func TestProvisionedConcurrencyFails(t *testing.T) {
	st := newStand(t, realTime)
	st.custom(t, "f", func(in *api.CreateFunctionRequest) {
		in.Publish = new(true)
		in.Environment = &api.Environment{Variables: map[string]string{"FAIL_INIT": "1"}}
	})
	st.provision(t, "f", "1", 3)
	out := st.provisioned(t, "f", "1", "FAILED")
	if *out.StatusReason != "FUNCTION_ERROR_INIT_FAILURE: Runtime.ExitError" || *out.AllocatedProvisionedConcurrentExecutions != 0 {
		t.Errorf("failed: %s", calltest.JSON(out))
	}
	types := map[string]*resource.Type{}
	for _, ty := range st.room.ResourceTypes() {
		types[ty.Name] = &ty
	}
	rq := &resource.Request{Caller: st.Board, As: st.As, Account: calltest.Account, Region: calltest.Region, StackName: "stack"}
	props := map[string]any{"FunctionName": "f", "Name": "x", "FunctionVersion": "1", "ProvisionedConcurrencyConfig": map[string]any{"ProvisionedConcurrentExecutions": "1"}}
	calltest.Must(t, st.World, api.DeleteProvisionedConcurrencyConfig, &api.DeleteProvisionedConcurrencyConfigRequest{FunctionName: new("f"), Qualifier: new("1")})
	if _, err := types["AWS::Lambda::Alias"].Create(t.Context(), rq, props); err == nil || !strings.Contains(err.Error(), "FUNCTION_ERROR_INIT_FAILURE") {
		t.Errorf("a stack: %v", err)
	}
}

func TestProvisionedConcurrencyByStack(t *testing.T) {
	st := newStand(t, realTime)
	st.custom(t, "f", nil)
	types := map[string]*resource.Type{}
	for _, ty := range st.room.ResourceTypes() {
		types[ty.Name] = &ty
	}
	rq := &resource.Request{Caller: st.Board, As: st.As, Account: calltest.Account, Region: calltest.Region, StackName: "stack"}
	props := func(n int) map[string]any {
		p := map[string]any{"FunctionName": "f"}
		if n > 0 {
			p["ProvisionedConcurrencyConfig"] = map[string]any{"ProvisionedConcurrentExecutions": n}
		}
		return p
	}
	v, err := types["AWS::Lambda::Version"].Create(t.Context(), rq, props(2))
	if err != nil || st.poolOf(t, "f", "1") != 2 {
		t.Fatalf("%v, %d", err, st.poolOf(t, "f", "1"))
	}
	for _, c := range []struct{ old, n int }{{2, 1}, {1, 0}} {
		if _, err := types["AWS::Lambda::Version"].Update(t.Context(), rq, v.ID, props(c.old), props(c.n)); err != nil || st.poolOf(t, "f", "1") != c.n {
			t.Errorf("%d: %v, %d", c.n, err, st.poolOf(t, "f", "1"))
		}
	}
}

// TestProvisionedConcurrencyRefused holds AWS's refusals.
func TestProvisionedConcurrencyRefused(t *testing.T) {
	st := newStand(t)
	st.function(t, "f", "provided.al2023", "none", func(in *api.CreateFunctionRequest) { in.Publish = new(true) }, entry{"bootstrap", "#!/bin/false", 0o755})
	alias := func(name, version string, weights map[string]float64) {
		calltest.Must(t, st.World, api.CreateAlias, &api.CreateAliasRequest{FunctionName: new("f"), Name: &name, FunctionVersion: &version, RoutingConfig: &api.AliasRoutingConfiguration{AdditionalVersionWeights: weights}})
	}
	calltest.Must(t, st.World, api.UpdateFunctionConfiguration, &api.UpdateFunctionConfigurationRequest{FunctionName: new("f"), Timeout: new(int32(9))})
	calltest.Must(t, st.World, api.PublishVersion, &api.PublishVersionRequest{FunctionName: new("f")})
	alias("a", "1", nil)
	alias("b", "1", nil)
	alias("latest", "$LATEST", nil)
	alias("weighted", "1", map[string]float64{"2": 0.1})
	alias("two", "2", nil)
	st.provision(t, "f", "a", 1)
	st.provision(t, "f", "2", 1)
	put := func(name, q string, n int32) error {
		_, err := calltest.Do(st.World, api.PutProvisionedConcurrencyConfig, &api.PutProvisionedConcurrencyConfigRequest{FunctionName: &name, Qualifier: &q, ProvisionedConcurrentExecutions: &n})
		return err
	}
	reserve := func(n int32) error {
		_, err := calltest.Do(st.World, api.PutFunctionConcurrency, &api.PutFunctionConcurrencyRequest{FunctionName: new("f"), ReservedConcurrentExecutions: &n})
		return err
	}
	move := func(alias, version string) error {
		_, err := calltest.Do(st.World, api.UpdateAlias, &api.UpdateAliasRequest{FunctionName: new("f"), Name: &alias, FunctionVersion: &version})
		return err
	}
	for _, c := range []struct {
		err        error
		code, text string
	}{
		{put("f", "$LATEST", 1), "InvalidParameterValueException", "unpublished function versions"},
		{put("f", "latest", 1), "InvalidParameterValueException", "unpublished function versions"},
		{put("f", "weighted", 1), "InvalidParameterValueException", "Alias with weights"},
		{move("a", "$LATEST"), "InvalidParameterValueException", "unpublished function versions"},
		{put("f", "b", 1), "InvalidParameterValueException", "already Provisioned version"},
		{put("f", "two", 1), "InvalidParameterValueException", "already Provisioned version"},
		{put("f", "1", 1), "InvalidParameterValueException", "pointed by a Provisioned Concurrency alias"},
		{put("f", "2", 0), "ValidationException", ""},
		{put("f", "7", 1), "ResourceNotFoundException", "Function not found"},
		{put("none", "1", 1), "ResourceNotFoundException", "Function not found"},
		{put("f", "2", 1000), "InvalidParameterValueException", "greater than account's unreserved concurrency [1000]"},
		{put("f", "2", 900), "InvalidParameterValueException", "below its minimum value of [100]"},
		{put("f", "2", 899), "", ""},
		{reserve(899), "InvalidParameterValueException", "should not be lower than function's total provisioned concurrency [900]"},
		{put("f", "2", 1), "", ""},
		{reserve(2), "", ""},
		{put("f", "2", 2), "InvalidParameterValueException", "greater than the reservedConcurrentExecution"},
	} {
		switch f := (*fault.Fault)(nil); {
		case c.code == "" && c.err != nil:
			t.Error(c.err)
		case c.code != "" && (!errors.As(c.err, &f) || f.Code != c.code || !strings.Contains(f.Message, c.text)):
			t.Errorf("want %s %q, got %v", c.code, c.text, c.err)
		}
	}
}

// TestMemoryBudget: environments of others make room for those that are needed,
// and what has none gets AWS's answer in the end.
func TestMemoryBudget(t *testing.T) {
	const each = 48 << 20
	st := newStand(t, realTime, func(d *Deps) { d.Memory = 2 * each })
	for i := range 4 {
		st.custom(t, fmt.Sprintf("f%d", i), func(in *api.CreateFunctionRequest) { in.Timeout = new(int32(300)) })
	}
	held := func() int64 { return st.room.plane.memory.held.Load() }
	// More functions than fit take turns.
	for i := range 6 {
		st.answer(t, fmt.Sprintf("f%d", i%3), `{}`)
		if n := held(); n <= 0 || n > 2*each {
			t.Fatalf("%d bytes are held", n)
		}
	}
	// Those that are busy make no room.
	st.room.plane.memory.limit = held() // for what is there
	release := st.hold(t, "f2", 1)
	st.room.plane.memory.limit = 1
	_, err := st.invoke("f3", `{}`)
	if f := fault.As(err); f == nil || f.Code != "TooManyRequestsException" || f.Status != 429 || f.Fields["Reason"] != reasonAccount {
		t.Errorf("without memory: %v", err)
	}
	release()
	st.room.plane.memory.limit = 2 * each
	st.answer(t, "f3", `{}`)
	if err := st.room.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := held(); n != 0 {
		t.Errorf("after the end %d bytes are held", n)
	}
}

// TestProvisionedOfReserved: what is provisioned is part of what the function
// reserves; the other versions share what is left of that, which may be nothing.
func TestProvisionedOfReserved(t *testing.T) {
	st := newStand(t, realTime)
	st.custom(t, "f", func(in *api.CreateFunctionRequest) { in.Publish = new(true) })
	calltest.Must(t, st.World, api.PutFunctionConcurrency, &api.PutFunctionConcurrencyRequest{FunctionName: new("f"), ReservedConcurrentExecutions: new(int32(1))})
	st.answer(t, "f", `{}`)
	st.provision(t, "f", "1", 1)
	st.provisioned(t, "f", "1", "READY")
	st.answer(t, "f:1", `{}`)
	_, err := st.invoke("f", `{}`)
	if f := fault.As(err); f == nil || f.Code != "TooManyRequestsException" || f.Fields["Reason"] != reasonReserved {
		t.Errorf("another version: %v", err)
	}
	calltest.Must(t, st.World, api.PutFunctionConcurrency, &api.PutFunctionConcurrencyRequest{FunctionName: new("f"), ReservedConcurrentExecutions: new(int32(2))})
	st.answer(t, "f", `{}`)
	calltest.Must(t, st.World, api.DeleteFunctionConcurrency, &api.DeleteFunctionConcurrencyRequest{FunctionName: new("f")})
	st.answer(t, "f", `{}`)
	st.answer(t, "f:1", `{}`)
}
