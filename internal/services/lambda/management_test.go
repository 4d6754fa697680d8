package lambda

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/tierra-cloud/tierra/internal/call/calltest"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/lambda"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
)

// TestRefusedByName: what does not act is refused with its name, and nothing is
// said to be there that is not.
func TestRefusedByName(t *testing.T) {
	st := newStand(t)
	st.function(t, "f", "provided.al2023", "none", nil, entry{"bootstrap", "#!/bin/false", 0o755})
	f, arn := new("f"), new("arn:aws:lambda:us-east-1:000000000000:code-signing-config:csc-0123456789abcdef0")
	publishers := &api.AllowedPublishers{SigningProfileVersionArns: []string{"arn:aws:signer:us-east-1:000000000000:/signing-profiles/p/v"}}
	errs := map[string]error{}
	add := func(want string, err error) { errs[want] = err }
	_, err := calltest.Do(st.World, api.CreateCodeSigningConfig, &api.CreateCodeSigningConfigRequest{AllowedPublishers: publishers})
	add("InvalidParameterValueException AWS Signer", err)
	_, err = calltest.Do(st.World, api.PutFunctionCodeSigningConfig, &api.PutFunctionCodeSigningConfigRequest{FunctionName: f, CodeSigningConfigArn: arn})
	add("CodeSigningConfigNotFoundException csc-", err)
	_, err = calltest.Do(st.World, api.GetCodeSigningConfig, &api.GetCodeSigningConfigRequest{CodeSigningConfigArn: arn})
	add("ResourceNotFoundException csc-", err)
	_, err = calltest.Do(st.World, api.UpdateFunctionConfiguration, &api.UpdateFunctionConfigurationRequest{FunctionName: f, SnapStart: &api.SnapStart{ApplyOn: new("PublishedVersions")}})
	add("InvalidParameterValueException SnapStart", err)
	for want, err := range errs {
		code, text, _ := strings.Cut(want, " ")
		if f := fault.As(err); f == nil || f.Code != code || !strings.Contains(f.Message, text) {
			t.Errorf("want %s, got %v", want, err)
		}
	}
	if got := calltest.Must(t, st.World, api.ListCodeSigningConfigs, &api.ListCodeSigningConfigsRequest{}); len(got.CodeSigningConfigs) != 0 {
		t.Errorf("%s", calltest.JSON(got))
	}
	calltest.Must(t, st.World, api.DeleteFunctionCodeSigningConfig, &api.DeleteFunctionCodeSigningConfigRequest{FunctionName: f})
}

// TestRuntimeManagement: a function says which version of its runtime it uses, in
// its configuration and its log, and holds on to it if it is told to.
func TestRuntimeManagement(t *testing.T) {
	st := newStand(t, realTime)
	st.custom(t, "f", nil)
	f := new("f")
	manage := func(in *api.PutRuntimeManagementConfigRequest) (*api.PutRuntimeManagementConfigResponse, error) {
		in.FunctionName = f
		return calltest.Do(st.World, api.PutRuntimeManagementConfig, in)
	}
	get := func(q *string) *api.GetRuntimeManagementConfigResponse {
		t.Helper()
		return calltest.Must(t, st.World, api.GetRuntimeManagementConfig, &api.GetRuntimeManagementConfigRequest{FunctionName: f, Qualifier: q})
	}
	configuration := func() *api.FunctionConfiguration {
		t.Helper()
		return calltest.Must(t, st.World, api.GetFunctionConfiguration, &api.GetFunctionConfigurationRequest{FunctionName: f})
	}
	c := configuration().RuntimeVersionConfig
	if c == nil || c.Error != nil || !strings.HasPrefix(*c.RuntimeVersionArn, "arn:aws:lambda:us-east-1::runtime:") {
		t.Fatalf("%s", calltest.JSON(c))
	}
	here := *c.RuntimeVersionArn
	if got := get(nil); *got.UpdateRuntimeOn != "Auto" || got.RuntimeVersionArn != nil || !strings.HasSuffix(*got.FunctionArn, ":f:$LATEST") {
		t.Errorf("%s", calltest.JSON(got))
	}
	elsewhere := "arn:aws:lambda:us-east-1::runtime:" + strings.Repeat("0", 64)
	for want, in := range map[string]*api.PutRuntimeManagementConfigRequest{
		"is required when":             {UpdateRuntimeOn: new("Manual")},
		"only valid when":              {UpdateRuntimeOn: new("Auto"), RuntimeVersionArn: &here},
		elsewhere + " is not on this":  {UpdateRuntimeOn: new("Manual"), RuntimeVersionArn: &elsewhere},
		"Function not found":           {UpdateRuntimeOn: new("Auto"), Qualifier: new("7")},
		"Value 'Sometimes' at 'update": {UpdateRuntimeOn: new("Sometimes")},
	} {
		if _, err := manage(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %s, got %v", want, err)
		}
	}
	before := *configuration().RevisionId
	if got, err := manage(&api.PutRuntimeManagementConfigRequest{UpdateRuntimeOn: new("Manual"), RuntimeVersionArn: &here}); err != nil || *got.RuntimeVersionArn != here {
		t.Fatalf("%s, %v", calltest.JSON(got), err)
	}
	if *configuration().RevisionId == before {
		t.Error("the revision is the same")
	}
	version := *calltest.Must(t, st.World, api.PublishVersion, &api.PublishVersionRequest{FunctionName: f}).Version
	if got := get(&version); *got.UpdateRuntimeOn != "Manual" || *got.RuntimeVersionArn != here || !strings.HasSuffix(*got.FunctionArn, ":f:1") {
		t.Errorf("the version: %s", calltest.JSON(got))
	}
	if _, err := st.invoke("f", `{}`); err != nil {
		t.Error(err)
	}
	st.logs.wait("/aws/lambda/f", "INIT_START Runtime Version: provided:al2023.v")
	st.logs.wait("/aws/lambda/f", "\tRuntime Version ARN: "+here)
	if _, err := manage(&api.PutRuntimeManagementConfigRequest{UpdateRuntimeOn: new("FunctionUpdate")}); err != nil {
		t.Fatal(err)
	}
	if got := get(nil); *got.UpdateRuntimeOn != "FunctionUpdate" || got.RuntimeVersionArn != nil || *configuration().RuntimeVersionConfig.RuntimeVersionArn != here {
		t.Errorf("%s", calltest.JSON(got))
	}

	// The machine is another one: what was held on to is not there.
	k := key{calltest.Account, calltest.Region, "f"}
	_, err := st.room.change(t.Context(), k, func(tx data.Txn, f *function) error {
		v := *f.versions[latest]
		v.RuntimeVersion, v.Revision = "provided:al2023.vplan9-4", "other"
		return data.Save(tx, k.version(latest), &v)
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.invoke("f", `{}`); !fault.Is(err, "InvalidRuntimeException") || !strings.Contains(err.Error(), "plan9") {
		t.Errorf("invoked without its runtime version: %v", err)
	}
	if c := configuration().RuntimeVersionConfig; c.Error == nil || !strings.Contains(*c.Error.Message, "plan9") {
		t.Errorf("%s", calltest.JSON(c))
	}
	calltest.Must(t, st.World, api.UpdateFunctionConfiguration, &api.UpdateFunctionConfigurationRequest{FunctionName: f, Description: new("again")})
	if _, err := st.invoke("f", `{}`); err != nil || *configuration().RuntimeVersionConfig.RuntimeVersionArn != here {
		t.Errorf("after an update: %v", err)
	}
}

func TestInvokeAsync(t *testing.T) {
	st := newStand(t, realTime)
	st.custom(t, "f", nil)
	out := calltest.Must(t, st.World, api.InvokeAsync, &api.InvokeAsyncRequest{FunctionName: new("f"), InvokeArgs: io.NopCloser(bytes.NewReader([]byte(`{"do":"print","text":"once upon"}`)))})
	if *out.Status != 202 {
		t.Errorf("status %d", *out.Status)
	}
	st.logs.wait("/aws/lambda/f", "once upon")
}
