package lambda

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/tierra-cloud/tierra/internal/call/calltest"
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
	_, err = calltest.Do(st.World, api.PutRuntimeManagementConfig, &api.PutRuntimeManagementConfigRequest{FunctionName: f, UpdateRuntimeOn: new("FunctionUpdate")})
	add("InvalidParameterValueException UpdateRuntimeOn", err)
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
	m := calltest.Must(t, st.World, api.PutRuntimeManagementConfig, &api.PutRuntimeManagementConfigRequest{FunctionName: f, UpdateRuntimeOn: new("Auto")})
	g := calltest.Must(t, st.World, api.GetRuntimeManagementConfig, &api.GetRuntimeManagementConfigRequest{FunctionName: f})
	if *m.UpdateRuntimeOn != "Auto" || *g.UpdateRuntimeOn != "Auto" || *g.FunctionArn != *m.FunctionArn {
		t.Errorf("%s, %s", calltest.JSON(m), calltest.JSON(g))
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
