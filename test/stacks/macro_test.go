package stacks

import (
	"context"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/calltest"
	"github.com/tierra-cloud/tierra/internal/call/resource"
	"github.com/tierra-cloud/tierra/internal/data/blob/memblob"
	"github.com/tierra-cloud/tierra/internal/data/mem"
	api "github.com/tierra-cloud/tierra/internal/gen/cloudformation"
	"github.com/tierra-cloud/tierra/internal/gen/lambda"
	"github.com/tierra-cloud/tierra/internal/gen/s3"
	"github.com/tierra-cloud/tierra/internal/kernel/model"
	"github.com/tierra-cloud/tierra/internal/services/cloudformation"
	"github.com/tierra-cloud/tierra/internal/services/logs"
	buckets "github.com/tierra-cloud/tierra/internal/services/s3"
)

// transformer stands for the functions of macros.
type transformer struct {
	asked  []map[string]any
	answer func(rq map[string]any) any
}

func (f *transformer) Model() *model.Service { return lambda.Invoke.Service }

func (f *transformer) Bindings() []call.Binding {
	return []call.Binding{call.Bind(lambda.Invoke, call.Allow("lambda:InvokeFunction", func(_ *call.Decoded, in *lambda.InvocationRequest) string { return *in.FunctionName }),
		func(_ context.Context, _ *call.Authorized, in *lambda.InvocationRequest) (*lambda.InvocationResponse, error) {
			var rq map[string]any
			if err := json.Unmarshal(in.Payload, &rq); err != nil {
				return nil, err
			}
			f.asked = append(f.asked, rq)
			b, err := json.Marshal(f.answer(rq))
			return &lambda.InvocationResponse{Payload: b}, err
		})}
}

// macroWorld is the engine, S3 and CloudWatch Logs with a macro named Grow.
func macroWorld(t *testing.T) (*calltest.World, *transformer) {
	t.Helper()
	store := mem.New()
	w, f := calltest.New(), &transformer{}
	objects := buckets.New(buckets.Deps{Store: store, Blobs: memblob.New(), Clock: w.Clock, IDs: w.IDs, Caller: w.Board, Host: "localhost:4566", Key: make([]byte, 32)})
	groups := logs.New(logs.Deps{Store: store, Clock: w.Clock, IDs: w.IDs})
	room := cloudformation.New(cloudformation.Deps{
		Store: store, Clock: w.Clock, IDs: w.IDs, Caller: w.Board, Linger: time.Hour,
		Types: func() []resource.Type { return append(objects.ResourceTypes(), groups.ResourceTypes()...) },
	})
	w.Plug(room, objects, groups, f)
	t.Cleanup(func() { _ = room.Stop(context.Background()) })
	calltest.Must(t, w, api.CreateStack, &api.CreateStackInput{StackName: new("macros"), TemplateBody: new(`
Resources: {Grow: {Type: AWS::CloudFormation::Macro, Properties: {Name: Grow, FunctionName: grow}}}`)})
	calltest.Must(t, w, s3.CreateBucket, &s3.CreateBucketRequest{Bucket: new("parts")})
	return w, f
}

func made(t *testing.T, w *calltest.World, body string) (string, error) {
	t.Helper()
	_, err := calltest.Do(w, api.CreateStack, &api.CreateStackInput{StackName: new("s"), TemplateBody: &body, Capabilities: []string{api.CapabilityCapabilityAutoExpand},
		Parameters: []api.Parameter{{ParameterKey: new("Days"), ParameterValue: new("7")}}})
	if err != nil {
		return "", err
	}
	if got := status(t, w); got != "CREATE_COMPLETE" {
		t.Fatalf("it ended as %s\n%s", got, reasons(t, w))
	}
	return *calltest.Must(t, w, api.GetTemplate, &api.GetTemplateInput{StackName: new("s"), TemplateStage: new(api.TemplateStageProcessed)}).TemplateBody, nil
}

// TestMacros hands parts of a template and the whole of it to a macro.
func TestMacros(t *testing.T) {
	w, f := macroWorld(t)
	f.answer = func(rq map[string]any) any {
		fragment := rq["fragment"].(map[string]any)
		if resources, whole := fragment["Resources"].(map[string]any); whole {
			resources["Added"] = map[string]any{"Type": "AWS::Logs::LogGroup"}
		} else {
			fragment["RetentionInDays"] = rq["params"].(map[string]any)["Days"]
		}
		return map[string]any{"requestId": rq["requestId"], "status": "SUCCESS", "fragment": fragment}
	}
	body := `
Parameters: {Days: {Type: Number}}
Transform: [Grow]
Resources:
  Group:
    Type: AWS::Logs::LogGroup
    Properties: {LogGroupName: g, Fn::Transform: {Name: Grow, Parameters: {Days: !Ref Days}}}`
	got, err := made(t, w, body)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"Parameters":{"Days":{"Type":"Number"}},"Resources":{"Added":{"Type":"AWS::Logs::LogGroup"},"Group":{"Properties":{"LogGroupName":"g","RetentionInDays":"7"},"Type":"AWS::Logs::LogGroup"}}}`
	if got != want {
		t.Errorf("the template is %s", got)
	}
	if len(f.asked) != 2 {
		t.Fatalf("the macro was called %d times", len(f.asked))
	}
	for k, v := range map[string]string{"region": calltest.Region, "accountId": calltest.Account, "transformId": calltest.Account + "::Grow"} {
		if f.asked[0][k] != v {
			t.Errorf("%s is %v", k, f.asked[0][k])
		}
	}
	if v := f.asked[0]["templateParameterValues"].(map[string]any)["Days"]; v != "7" {
		t.Errorf("the parameter is %v", v)
	}
	// Nothing is called without the capability.
	_, err = calltest.Do(w, api.CreateStack, &api.CreateStackInput{StackName: new("other"), TemplateBody: &body, Parameters: []api.Parameter{{ParameterKey: new("Days"), ParameterValue: new("7")}}})
	if err == nil || !strings.Contains(err.Error(), "Requires capabilities : [CAPABILITY_AUTO_EXPAND]") || len(f.asked) != 2 {
		t.Errorf("without the capability: %v, %d calls", err, len(f.asked))
	}
}

// TestMacroFails: what a macro does wrong fails the request, and no stack is made.
func TestMacroFails(t *testing.T) {
	w, f := macroWorld(t)
	me := calltest.Account + "::Grow"
	for _, c := range []struct {
		body, want string
		answer     func(rq map[string]any) any
	}{
		{"Transform: Grow", "Transform " + me + " failed with: too small", func(rq map[string]any) any {
			return map[string]any{"requestId": rq["requestId"], "status": "failure", "errorMessage": "too small"}
		}},
		{"Transform: Grow", "Transform " + me + " failed without an error message.", func(rq map[string]any) any {
			return map[string]any{"requestId": rq["requestId"], "status": "failure"}
		}},
		{"Transform: Grow", "Received malformed response from transform " + me, func(map[string]any) any { return "what?" }},
		{"Transform: Grow", "Received malformed response from transform " + me, func(map[string]any) any {
			return map[string]any{"requestId": "another", "status": "success", "fragment": map[string]any{}}
		}},
		{"Transform: Unknown", "No transform named " + calltest.Account + "::Unknown found.", nil},
	} {
		f.answer = c.answer
		_, err := made(t, w, c.body+"\nParameters: {Days: {Type: Number}}\nResources: {G: {Type: AWS::Logs::LogGroup}}")
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.want, err)
		}
	}
	if got := status(t, w); got != "gone" {
		t.Errorf("there is a stack: %s", got)
	}
}

// TestInclude takes text in from S3, in a part and at the top.
func TestInclude(t *testing.T) {
	w, _ := macroWorld(t)
	object := func(key, text string) {
		calltest.Must(t, w, s3.PutObject, &s3.PutObjectRequest{Bucket: new("parts"), Key: &key, Body: io.NopCloser(strings.NewReader(text))})
	}
	object("top.yaml", "Resources:\n  Top: {Type: AWS::Logs::LogGroup}\n")
	object("part.json", `{"RetentionInDays": {"Ref": "Days"}}`)
	object("bad.txt", "no template")
	got, err := made(t, w, `
Parameters: {Days: {Type: Number}}
Transform: {Name: AWS::Include, Parameters: {Location: s3://parts/top.yaml}}
Resources:
  Group:
    Type: AWS::Logs::LogGroup
    Properties: {Fn::Transform: {Name: AWS::Include, Parameters: {Location: !Sub "s3://parts/part.json"}}}`)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"Parameters":{"Days":{"Type":"Number"}},"Resources":{"Group":{"Properties":{"RetentionInDays":{"Ref":"Days"}},"Type":"AWS::Logs::LogGroup"},"Top":{"Type":"AWS::Logs::LogGroup"}}}`
	if got != want {
		t.Errorf("the template is %s", got)
	}
	for location, want := range map[string]string{
		"s3://parts/bad.txt":  "The specified S3 object's content should be valid Yaml/JSON",
		"s3://parts/none":     "S3 error: The specified key does not exist.",
		"https://example.com": "Location must be a supported URL.",
	} {
		_, err := calltest.Do(w, api.CreateStack, &api.CreateStackInput{StackName: new("other"), Capabilities: []string{api.CapabilityCapabilityAutoExpand},
			TemplateBody: new("Transform: {Name: AWS::Include, Parameters: {Location: '" + location + "'}}\nResources: {G: {Type: AWS::Logs::LogGroup}}")})
		if err == nil || !strings.Contains(err.Error(), "Transform AWS::Include failed with: "+want) {
			t.Errorf("%s: %v", location, err)
		}
	}
}
