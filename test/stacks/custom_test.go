// Package stacks holds what a stack's template may ask of rooms besides
// CloudFormation's own: custom resources that answer through S3.
package stacks

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/calltest"
	"github.com/tierra-cloud/tierra/internal/call/resource"
	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/data/blob"
	"github.com/tierra-cloud/tierra/internal/data/blob/memblob"
	"github.com/tierra-cloud/tierra/internal/data/mem"
	api "github.com/tierra-cloud/tierra/internal/gen/cloudformation"
	"github.com/tierra-cloud/tierra/internal/gen/lambda"
	"github.com/tierra-cloud/tierra/internal/gen/s3"
	"github.com/tierra-cloud/tierra/internal/kernel/model"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/services/cloudformation"
	"github.com/tierra-cloud/tierra/internal/services/logs"
	buckets "github.com/tierra-cloud/tierra/internal/services/s3"
)

const function = "arn:aws:lambda:us-east-1:000000000000:function:provider"

// provider is a function that makes custom resources.
type provider struct {
	w  *calltest.World
	mu sync.Mutex
	// answer gives what is put to the ResponseURL; nil puts nothing.
	answer func(rq map[string]any) map[string]any
	asked  []map[string]any
}

func (p *provider) Model() *model.Service { return lambda.Invoke.Service }

func (p *provider) Bindings() []call.Binding {
	return []call.Binding{call.Bind(lambda.Invoke, call.Allow("lambda:InvokeFunction", func(*call.Decoded, *lambda.InvocationRequest) string { return function }),
		func(ctx context.Context, _ *call.Authorized, in *lambda.InvocationRequest) (*lambda.InvocationResponse, error) {
			var rq map[string]any
			if err := json.Unmarshal(in.Payload, &rq); err != nil {
				return nil, err
			}
			p.mu.Lock()
			p.asked = append(p.asked, rq)
			a := p.answer(rq)
			p.mu.Unlock()
			if a == nil {
				return &lambda.InvocationResponse{}, nil
			}
			return &lambda.InvocationResponse{}, p.put(ctx, rq["ResponseURL"].(string), a)
		})}
}

// put answers as a signed address lets it be done.
func (p *provider) put(ctx context.Context, address string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	bucket, key, _ := strings.Cut(strings.TrimPrefix(address, "test://"), "/")
	_, err = call.Do(ctx, p.w.Board, p.w.As, s3.PutObject, &s3.PutObjectRequest{Bucket: &bucket, Key: &key, Body: io.NopCloser(strings.NewReader(string(b)))})
	return err
}

// requests lists what was asked: type, physical id, properties.
func (p *provider) requests() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var b strings.Builder
	for _, rq := range p.asked {
		fmt.Fprintf(&b, "%v %v %v old=%v\n", rq["RequestType"], rq["PhysicalResourceId"], rq["ResourceProperties"], rq["OldResourceProperties"])
	}
	p.asked = nil
	return strings.ReplaceAll(b.String(), "ServiceToken:"+function, "T")
}

// world is the engine, S3, CloudWatch Logs and the provider over one store.
func world(t *testing.T, store data.Store, blobs blob.Store, linger time.Duration) (*calltest.World, *provider, *cloudformation.Service) {
	t.Helper()
	w := calltest.New()
	p := &provider{w: w}
	objects := buckets.New(buckets.Deps{Store: store, Blobs: blobs, Clock: w.Clock, IDs: w.IDs, Caller: w.Board, Host: "localhost:4566", Key: make([]byte, 32)})
	groups := logs.New(logs.Deps{Store: store, Clock: w.Clock, IDs: w.IDs})
	room := cloudformation.New(cloudformation.Deps{
		Store: store, Clock: w.Clock, IDs: w.IDs, Caller: w.Board, Linger: linger, Signer: calltest.Account,
		Types:   func() []resource.Type { return append(objects.ResourceTypes(), groups.ResourceTypes()...) },
		Presign: func(_, bucket, key string, _ time.Duration) string { return "test://" + bucket + "/" + key },
	})
	w.Plug(room, objects, groups, p)
	t.Cleanup(func() { _ = room.Stop(context.Background()) })
	return w, p, room
}

// settle moves the clock until no stack operation is under way.
func settle(w *calltest.World, room *cloudformation.Service) {
	ended := make(chan bool)
	go func() { _ = room.Wait(context.Background()); close(ended) }()
	for {
		select {
		case <-ended:
			return
		default:
			runtime.Gosched()
			w.Clock.Advance(time.Second)
		}
	}
}

func success(id string, data map[string]any) map[string]any {
	return map[string]any{"Status": "SUCCESS", "PhysicalResourceId": id, "Data": data}
}

func status(t *testing.T, w *calltest.World) string {
	t.Helper()
	out, err := calltest.Do(w, api.DescribeStacks, &api.DescribeStacksInput{StackName: new("s")})
	if err != nil {
		return "gone"
	}
	text := *out.Stacks[0].StackStatus
	for _, o := range out.Stacks[0].Outputs {
		text += " " + *o.OutputKey + "=" + *o.OutputValue
	}
	return text
}

// reasons lists the reasons of the events of a resource that failed.
func reasons(t *testing.T, w *calltest.World) string {
	t.Helper()
	text := ""
	for _, e := range calltest.Must(t, w, api.DescribeStackEvents, &api.DescribeStackEventsInput{StackName: new("s")}).StackEvents {
		if strings.HasSuffix(*e.ResourceStatus, "FAILED") {
			text += *e.LogicalResourceId + ": " + opt.Val(e.ResourceStatusReason) + "\n"
		}
	}
	return text
}

func template(properties string) *string {
	return new(`
Resources:
  C: {Type: "Custom::Thing", Properties: {ServiceToken: "` + function + `", ` + properties + `}}
  After: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: !GetAtt C.Name}}
Outputs:
  Ref: {Value: !Ref C}
  Nested: {Value: !GetAtt C.Outer.Inner}
`)
}

func TestCustomResource(t *testing.T) {
	w, p, _ := world(t, mem.New(), memblob.New(), time.Hour)
	id := "one"
	p.answer = func(map[string]any) map[string]any {
		a := success(id, map[string]any{"Name": "secret-group", "Outer": map[string]any{"Inner": "deep"}})
		a["NoEcho"] = true
		return a
	}
	expect := func(what, want, requests string) {
		t.Helper()
		if got := status(t, w); got != want {
			t.Errorf("%s: it ended as %s\n%s", what, got, reasons(t, w))
		}
		if got := p.requests(); got != requests {
			t.Errorf("%s: asked\n%s", what, got)
		}
	}
	step := func(f func() error) {
		t.Helper()
		done := make(chan error, 1)
		go func() { done <- f() }()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	update := func(properties string) func() error {
		return func() error {
			_, err := calltest.Do(w, api.UpdateStack, &api.UpdateStackInput{StackName: new("s"), TemplateBody: template(properties)})
			return err
		}
	}
	step(func() error {
		_, err := calltest.Do(w, api.CreateStack, &api.CreateStackInput{StackName: new("s"), TemplateBody: template("Count: 3, Flag: true, List: [1, a]")})
		return err
	})
	expect("create", "CREATE_COMPLETE Nested=deep Ref=one", "Create <nil> map[Count:3 Flag:true List:[1 a] T] old=<nil>\n")
	for _, e := range calltest.Must(t, w, api.DescribeStackEvents, &api.DescribeStackEventsInput{StackName: new("s")}).StackEvents {
		if strings.Contains(opt.Val(e.ResourceProperties), "secret-group") {
			t.Errorf("an event shows what NoEcho hides: %s", *e.ResourceProperties)
		}
	}
	step(update("Count: 4"))
	expect("update in place", "UPDATE_COMPLETE Nested=deep Ref=one", "Update one map[Count:4 T] old=map[Count:3 Flag:true List:[1 a] T]\n")
	id = "two"
	step(update("Count: 5"))
	expect("update with a new id", "UPDATE_COMPLETE Nested=deep Ref=two", "Update one map[Count:5 T] old=map[Count:4 T]\nDelete one map[Count:4 T] old=<nil>\n")
	p.answer = func(rq map[string]any) map[string]any {
		if rq["ResourceProperties"].(map[string]any)["Count"] == "6" {
			return map[string]any{"Status": "FAILED", "Reason": "six is unlucky", "PhysicalResourceId": "two"}
		}
		return success(id, map[string]any{"Name": "secret-group", "Outer": map[string]any{"Inner": "deep"}})
	}
	step(update("Count: 6"))
	expect("update that fails", "UPDATE_ROLLBACK_COMPLETE Nested=deep Ref=two", "Update two map[Count:6 T] old=map[Count:5 T]\nUpdate two map[Count:5 T] old=map[Count:6 T]\n")
	if !strings.Contains(reasons(t, w), "C: Received response status [FAILED] from custom resource. Message returned: six is unlucky (RequestId: ") {
		t.Errorf("reasons %s", reasons(t, w))
	}
	step(func() error {
		_, err := calltest.Do(w, api.DeleteStack, &api.DeleteStackInput{StackName: new("s")})
		return err
	})
	expect("delete", "gone", "Delete two map[Count:5 T] old=<nil>\n")
	if out := calltest.Must(t, w, s3.ListBuckets, &s3.ListBucketsRequest{}); len(out.Buckets) != 0 {
		t.Errorf("the account sees the bucket for answers: %v", *out.Buckets[0].Name)
	}
}

// TestCustomRefused holds what a template with a custom resource is refused for.
func TestCustomRefused(t *testing.T) {
	w, _, _ := world(t, mem.New(), memblob.New(), time.Hour)
	for _, c := range [][2]string{
		{"Type: Custom::X", "required key [ServiceToken] not found"},
		{"Type: Custom::X, Properties: {ServiceToken: x}", "Invalid service token."},
		{"Type: Custom::X, Properties: {ServiceToken: 'arn:aws:sns:us-east-1:000000000000:t'}", "custom resources through SNS are not supported yet"},
		{"Type: Custom::X, Properties: {ServiceToken: '" + function + "', ServiceTimeout: 3601}", "from 1 to 3600"},
		{"Type: 'Custom::no/such'", "Unrecognized resource types: [Custom::no/such]"},
	} {
		_, err := calltest.Do(w, api.CreateStack, &api.CreateStackInput{StackName: new("s"), TemplateBody: new("Resources: {C: {" + c[0] + "}}")})
		if err == nil || !strings.Contains(err.Error(), c[1]) {
			t.Errorf("%s: %v", c[0], err)
		}
	}
}

// TestCustomSilent holds that a provider that never answers fails at its timeout,
// on the clock, also across a restart, and is asked only once.
func TestCustomSilent(t *testing.T) {
	store, blobs := mem.New(), memblob.New()
	w, p, room := world(t, store, blobs, 0)
	asked := make(chan bool, 4)
	p.answer = func(map[string]any) map[string]any { asked <- true; return nil }
	calltest.Must(t, w, api.CreateStack, &api.CreateStackInput{StackName: new("s"), TemplateBody: new("Resources: {C: {Type: AWS::CloudFormation::CustomResource, Properties: {ServiceToken: '" + function + "', ServiceTimeout: 30}}}"), DisableRollback: new(true)})
	<-asked
	if err := room.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	w, p, room = world(t, store, blobs, 0)
	p.answer = func(map[string]any) map[string]any { asked <- true; return nil }
	if err := room.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got := status(t, w); got != "CREATE_IN_PROGRESS" {
		t.Errorf("before the timeout it is %s", got)
	}
	settle(w, room)
	if got := status(t, w); got != "CREATE_FAILED" || !strings.Contains(reasons(t, w), "CloudFormation did not receive a response from your Custom Resource. Please check your logs for requestId [") {
		t.Errorf("it ended as %s: %s", got, reasons(t, w))
	}
	if got := p.requests(); got != "" {
		t.Errorf("asked again after a restart:\n%s", got)
	}
}

// TestCustomCancelled holds that nobody waits for a provider once another resource
// of the stack has failed, and that what it may have made is deleted.
func TestCustomCancelled(t *testing.T) {
	w, p, room := world(t, mem.New(), memblob.New(), 0)
	p.answer = func(rq map[string]any) map[string]any {
		if rq["RequestType"] == "Create" {
			return nil
		}
		return success(rq["PhysicalResourceId"].(string), nil)
	}
	calltest.Must(t, w, api.CreateStack, &api.CreateStackInput{StackName: new("s"), TemplateBody: new(`
Resources:
  C: {Type: Custom::Thing, Properties: {ServiceToken: "` + function + `"}}
  Group: {Type: AWS::Logs::LogGroup}
  Bad: {Type: AWS::Logs::LogStream, Properties: {LogGroupName: !Ref Group, LogStreamName: "a:b"}}
`)})
	_ = room.Wait(context.Background()) // the clock stands still: it ends by itself
	if got := status(t, w); got != "ROLLBACK_COMPLETE" || !strings.Contains(reasons(t, w), "C: Resource creation cancelled\n") {
		t.Errorf("it ended as %s: %s", got, reasons(t, w))
	}
	if got := p.requests(); strings.Contains(got, "Create") != strings.Contains(got, "Delete s-C-") {
		t.Errorf("asked\n%s", got)
	}
}
