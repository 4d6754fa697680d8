package lambda

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/tierra-cloud/tierra/internal/call/calltest"
	"github.com/tierra-cloud/tierra/internal/call/resource"
	api "github.com/tierra-cloud/tierra/internal/gen/lambda"
)

// TestResources makes, changes and removes a stack's resources.
func TestResources(t *testing.T) {
	st := newStand(t)
	types := map[string]*resource.Type{}
	for _, ty := range st.room.ResourceTypes() {
		types[ty.Name] = &ty
	}
	rq := &resource.Request{
		Caller: st.Board, As: st.As, Account: calltest.Account, Region: calltest.Region, StackName: "stack", StackTags: map[string]string{"stack": "yes"},
		Name: func(int) string { return "stack-thing-ABC" },
	}
	if _, err := st.deps.Runtimes.Resolve(t.Context(), "nodejs20.x"); err != nil {
		t.Skip(err)
	}
	props := func(s string) map[string]any {
		var m map[string]any
		if err := json.Unmarshal([]byte(s), &m); err != nil {
			t.Fatal(err)
		}
		return m
	}
	create := func(name, p string) resource.State {
		t.Helper()
		s, err := types[name].Create(t.Context(), rq, props(p))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return s
	}
	const first = `{"Role": "` + testRole + `", "Runtime": "nodejs20.x", "Handler": "index.handler", "Timeout": "30", "Environment": {"Variables": {"NAME": "one"}}, "ReservedConcurrentExecutions": 3,
		"Tags": [{"Key": "a", "Value": "b"}], "Code": {"ZipFile": "exports.handler = async () => process.env.NAME || 'nobody'"}}`
	const second = `{"Role": "` + testRole + `", "Runtime": "nodejs20.x", "Handler": "index.handler", "Code": {"ZipFile": "exports.handler = async () => 'again ' + (process.env.NAME || 'nobody')"}}`
	f := create("AWS::Lambda::Function", first)
	if f.ID != "stack-thing-ABC" || f.Attributes["Arn"] != "arn:aws:lambda:us-east-1:000000000000:function:stack-thing-ABC" {
		t.Errorf("state: %v", f)
	}
	if got := st.answer(t, f.ID, `{}`); got != `"one"` {
		t.Errorf("answer: %s", got)
	}
	v := create("AWS::Lambda::Version", `{"FunctionName": "stack-thing-ABC"}`)
	if v.ID != f.Attributes["Arn"].(string)+":1" || v.Attributes["Version"] != "1" {
		t.Errorf("version: %v", v)
	}
	a := create("AWS::Lambda::Alias", `{"FunctionName": "stack-thing-ABC", "Name": "live", "FunctionVersion": "1"}`)
	p := create("AWS::Lambda::Permission", `{"FunctionName": "`+a.ID+`", "Action": "lambda:InvokeFunction", "Principal": "apigateway.amazonaws.com", "SourceArn": "arn:aws:execute-api:us-east-1:000000000000:x/*"}`)
	doc := calltest.Must(t, st.World, api.GetPolicy, &api.GetPolicyRequest{FunctionName: &f.ID, Qualifier: new("live")})
	if !strings.Contains(*doc.Policy, p.ID) {
		t.Errorf("policy: %s", *doc.Policy)
	}

	if _, err := types["AWS::Lambda::Function"].Update(t.Context(), rq, f.ID, props(first), props(second)); err != nil {
		t.Fatal(err)
	}
	if got := st.answer(t, f.ID, `{}`) + st.answer(t, a.ID, `{}`); got != `"again nobody""one"` {
		t.Errorf("after the update: %s", got)
	}
	out := calltest.Must(t, st.World, api.GetFunction, &api.GetFunctionRequest{FunctionName: &f.ID})
	if *out.Configuration.Timeout != 3 || out.Concurrency != nil || len(out.Tags) != 1 || out.Tags["stack"] != "yes" {
		t.Errorf("what was taken out has not gone back: %s", calltest.JSON(out))
	}

	ctx := context.Background()
	for _, step := range []struct{ name, id, props string }{
		{"AWS::Lambda::Permission", p.ID, `{"FunctionName": "` + a.ID + `", "Action": "lambda:InvokeFunction", "Principal": "x"}`},
		{"AWS::Lambda::Alias", a.ID, `{"FunctionName": "stack-thing-ABC", "Name": "live", "FunctionVersion": "1"}`},
		{"AWS::Lambda::Version", v.ID, `{"FunctionName": "stack-thing-ABC"}`},
		{"AWS::Lambda::Function", f.ID, first},
	} {
		for range 2 { // what is gone already is no error
			if err := types[step.name].Delete(ctx, rq, step.id, props(step.props)); err != nil {
				t.Errorf("%s: %v", step.name, err)
			}
		}
	}

	if bad := types["AWS::Lambda::Function"].Check(props(`{"Role": "r", "Code": {}, "VpcConfig": {"SubnetIds": [], "SecurityGroupIds": []}, "DeadLetterConfig": {}}`)); len(bad) > 0 {
		t.Errorf("what turns nothing on: %v", bad)
	}
	for p, want := range map[string]string{
		`{"Role": "r", "Code": {}, "Runtime": "nodejs12.x"}`:                                "no longer supported",
		`{"Role": "r", "Code": {"ZipFile": "x"}, "Runtime": "provided.al2"}`:                "inline code is for Node.js and Python only",
		`{"Role": "r", "Code": {"ZipFile": "x"}, "DeadLetters": {}}`:                        "extraneous key",
		`{"Role": "r", "Code": {"ZipFile": "x"}, "VpcConfig": {"SubnetIds": ["subnet-1"]}}`: "[VpcConfig] is not supported",
		`{"Role": "r", "Code": {"SourceKMSKeyArn": "k"}}`:                                   "Code.SourceKMSKeyArn: [SourceKMSKeyArn] is not supported",
		`{"Code": {"ZipFile": "x"}}`:                                                        "required key [Role]",
	} {
		bad := types["AWS::Lambda::Function"].Check(props(p))
		if len(bad) == 0 || !strings.Contains(bad[0].String(), want) {
			t.Errorf("%s: %v", p, bad)
		}
	}
}
