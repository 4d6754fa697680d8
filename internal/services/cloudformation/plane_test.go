package cloudformation_test

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/calltest"
	"github.com/tierra-cloud/tierra/internal/data/mem"
	api "github.com/tierra-cloud/tierra/internal/gen/cloudformation"
	"github.com/tierra-cloud/tierra/internal/gen/s3"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/model"
	"github.com/tierra-cloud/tierra/internal/services/cloudformation"
)

// TestBusy asks things of a stack while an operation is under way.
func TestBusy(t *testing.T) {
	s, w := newShop(), calltest.New()
	room := cloudformation.New(cloudformation.Deps{Store: mem.New(), Clock: w.Clock, IDs: w.IDs, Caller: w.Board, Types: s.ResourceTypes})
	w.Plug(room)
	stuck, free := make(chan bool, 8), make(chan bool)
	s.step = func(ctx context.Context, what string) {
		if strings.HasPrefix(what, "create ") {
			stuck <- true
			<-free
		}
	}
	body := "Resources:\n  A: {Type: Test::Shop::Box, Properties: {Size: 1}}\n  B: {Type: Test::Shop::Box, Properties: {Size: 1}}\n"
	name := new("s")
	first := calltest.Must(t, w, api.CreateStack, &api.CreateStackInput{StackName: name, TemplateBody: &body, ClientRequestToken: new("t1")})
	<-stuck
	<-stuck // both at once: they do not depend on each other
	if st := calltest.Must(t, w, api.DescribeStacks, &api.DescribeStacksInput{StackName: name}); *st.Stacks[0].StackStatus != "CREATE_IN_PROGRESS" {
		t.Errorf("status %s", *st.Stacks[0].StackStatus)
	}
	again := calltest.Must(t, w, api.CreateStack, &api.CreateStackInput{StackName: name, TemplateBody: &body, ClientRequestToken: new("t1")})
	if *again.StackId != *first.StackId {
		t.Errorf("the same token made %s and %s", *first.StackId, *again.StackId)
	}
	refused := func(what, code, text string, err error) {
		t.Helper()
		if !fault.Is(err, code) || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err := calltest.Do(w, api.CreateStack, &api.CreateStackInput{StackName: name, TemplateBody: &body})
	refused("another creation", "AlreadyExistsException", "Stack [s] already exists", err)
	_, err = calltest.Do(w, api.UpdateStack, &api.UpdateStackInput{StackName: name, TemplateBody: &body})
	refused("an update", "ValidationException", "is in CREATE_IN_PROGRESS state and can not be updated", err)
	_, err = calltest.Do(w, api.DeleteStack, &api.DeleteStackInput{StackName: name})
	refused("a deletion", "ValidationException", "is in CREATE_IN_PROGRESS state and can not be deleted", err)
	close(free)
	room.Settle()
	if got := state(t, w, s); !strings.HasPrefix(got, "CREATE_COMPLETE\n") {
		t.Errorf("it ended as %s", got)
	}
	calltest.Must(t, w, api.UpdateTerminationProtection, &api.UpdateTerminationProtectionInput{StackName: name, EnableTerminationProtection: new(true)})
	_, err = calltest.Do(w, api.DeleteStack, &api.DeleteStackInput{StackName: name})
	refused("a deletion of a protected stack", "ValidationException", "Stack [s] cannot be deleted while TerminationProtection is enabled", err)
}

// TestTimeout holds that TimeoutInMinutes ends a creation.
func TestTimeout(t *testing.T) {
	s, w := newShop(), calltest.New()
	room := cloudformation.New(cloudformation.Deps{Store: mem.New(), Clock: w.Clock, IDs: w.IDs, Caller: w.Board, Types: s.ResourceTypes})
	w.Plug(room)
	stuck := make(chan bool, 1)
	s.step = func(ctx context.Context, what string) {
		if what == "create B" {
			stuck <- true
			<-ctx.Done()
		}
	}
	body := "Resources:\n  A: {Type: Test::Shop::Box, Properties: {Size: 1}}\n  B: {Type: Test::Shop::Box, Properties: {Size: 1, Note: !Ref A}}\n"
	calltest.Must(t, w, api.CreateStack, &api.CreateStackInput{StackName: new("s"), TemplateBody: &body, TimeoutInMinutes: new(int32(2))})
	<-stuck
	w.Clock.Advance(3 * time.Minute)
	room.Settle()
	out := calltest.Must(t, w, api.DescribeStackEvents, &api.DescribeStackEventsInput{StackName: new("s")})
	reasons := ""
	for _, e := range out.StackEvents {
		if e.ResourceStatusReason != nil {
			reasons += *e.ResourceStatusReason + "\n"
		}
	}
	if got := state(t, w, s); !strings.HasPrefix(got, "ROLLBACK_COMPLETE\n") || !strings.Contains(reasons, "exceeded its timeout of 2 minutes") {
		t.Errorf("it ended as %s\n%s", got, reasons)
	}
}

// shelf is a room that hands out objects.
type shelf map[string]string

func (shelf) Model() *model.Service { return s3.GetObject.Service }

func (s shelf) Bindings() []call.Binding {
	return []call.Binding{call.Bind(s3.GetObject, call.Allow("s3:GetObject", func(_ *call.Decoded, in *s3.GetObjectRequest) string {
		return "arn:aws:s3:::" + *in.Bucket + "/" + *in.Key
	}), func(_ context.Context, _ *call.Authorized, in *s3.GetObjectRequest) (*s3.GetObjectOutput, error) {
		text, ok := s[*in.Bucket+"/"+*in.Key]
		if !ok {
			return nil, fault.New("NoSuchKey", 404, "The specified key does not exist.")
		}
		return &s3.GetObjectOutput{Body: io.NopCloser(strings.NewReader(text))}, nil
	})}
}

func TestTemplateURL(t *testing.T) {
	s := newShop()
	w, _ := world(mem.New(), s)
	long := strings.Repeat("#", 60_000) + "\nResources: {A: {Type: Test::Shop::Box, Properties: {Size: 1}}}\n"
	w.Plug(shelf{"bucket/a/t.yaml": long, "bucket/huge": strings.Repeat("#", 1_100_000)})
	for _, url := range []string{
		"https://s3.amazonaws.com/bucket/a/t.yaml", "https://s3.eu-west-1.amazonaws.com/bucket/a/t.yaml", "https://bucket.s3.amazonaws.com/a/t.yaml",
		"https://bucket.s3.us-east-1.amazonaws.com/a/t.yaml", "https://bucket.s3-us-west-2.amazonaws.com/a/t.yaml", "s3://bucket/a/t.yaml",
		"http://localhost:4566/bucket/a/t.yaml", "http://127.0.0.1:4566/bucket/a/t.yaml", "http://bucket.s3.localhost:4566/a/t.yaml",
		"http://bucket.s3.localhost.localstack.cloud:4566/a/t.yaml", "http://s3.localhost.localstack.cloud:4566/bucket/a/t.yaml", "http://bucket.localhost:4566/a/t.yaml",
	} {
		if _, err := calltest.Do(w, api.ValidateTemplate, &api.ValidateTemplateInput{TemplateURL: &url}); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
	for url, want := range map[string]string{
		"https://s3.amazonaws.com/bucket/none": "S3 error: The specified key does not exist.",
		"ftp://x/y":                            "TemplateURL must be a supported URL.",
		"https://s3.amazonaws.com/bucket":      "TemplateURL must be a supported URL.",
		"https://s3.amazonaws.com/bucket/huge": "Template may not exceed 1048576 bytes in size.",
	} {
		if _, err := calltest.Do(w, api.ValidateTemplate, &api.ValidateTemplateInput{TemplateURL: &url}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", url, err)
		}
	}
	if _, err := calltest.Do(w, api.ValidateTemplate, &api.ValidateTemplateInput{TemplateBody: &long}); err == nil || !strings.Contains(err.Error(), "less than or equal to 51200") {
		t.Errorf("a long body: %v", err)
	}
}
