package lambda

import (
	"context"
	"encoding/json"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/calltest"
	api "github.com/tierra-cloud/tierra/internal/gen/lambda"
	"github.com/tierra-cloud/tierra/internal/gen/s3"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/model"
)

// TestDestinations tells that functions get records of what became of events, as
// far as the role of the function may invoke them.
func TestDestinations(t *testing.T) {
	lines := make(chan string, 1000)
	st := newStand(t, func(d *Deps) {
		d.Tap = func(f, line string) {
			if f == "to" && strings.HasPrefix(line, "{") || strings.HasPrefix(line, "The record of") {
				lines <- line
			}
		}
	})
	st.needs(t, "nodejs20.x")
	st.custom(t, "f", nil)
	st.function(t, "to", "nodejs20.x", "index.handler", nil, entry{"index.js", "exports.handler = async (e) => { process.stdout.write(JSON.stringify(e) + '\\n') }", 0})
	const to = "arn:aws:lambda:us-east-1:000000000000:function:to"
	retries := int32(1)
	put := func(success, failure *string) error {
		_, err := calltest.Do(st.World, api.PutFunctionEventInvokeConfig, &api.PutFunctionEventInvokeConfigRequest{
			FunctionName: new("f"), MaximumRetryAttempts: &retries, MaximumEventAgeInSeconds: new(int32(120)),
			DestinationConfig: &api.DestinationConfig{OnSuccess: &api.OnSuccess{Destination: success}, OnFailure: &api.OnFailure{Destination: failure}},
		})
		return err
	}
	for bad, want := range map[string]string{
		"arn:aws:sqs:us-east-1:000000000000:queue":             "no Lambda function and no bucket",
		"arn:aws:s3:::records":                                 "of failures only",
		"arn:aws:lambda:eu-west-1:000000000000:function:to":    "not in the function's region",
		"arn:aws:lambda:us-east-1:000000000000:function:f:one": "of its own",
	} {
		if f := fault.As(put(new(bad), nil)); f == nil || !strings.Contains(f.Message, want) {
			t.Errorf("%s: %v", bad, f)
		}
	}
	if err := put(new(to), new(to)); err != nil {
		t.Fatal(err)
	}
	send := func(payload string) {
		t.Helper()
		calltest.Must(t, st.World, api.Invoke, &api.InvocationRequest{FunctionName: new("f"), InvocationType: new("Event"), Payload: []byte(payload)})
	}
	send(`{"n":1}`)
	if l := <-lines; !strings.HasPrefix(l, "The record of") || !strings.Contains(l, "not authorized to perform: lambda:InvokeFunction") {
		t.Errorf("without a permission: %s", l)
	}
	calltest.Must(t, st.World, api.AddPermission, &api.AddPermissionRequest{FunctionName: new("to"), StatementId: new("s"), Action: new("lambda:InvokeFunction"), Principal: new(testRole)})
	record := func() (r destinationRecord) {
		t.Helper()
		if err := json.Unmarshal([]byte(<-lines), &r); err != nil {
			t.Fatal(err)
		}
		return r
	}
	send(`{"n":2}`)
	r := record()
	if r.Version != "1.0" || r.Request.Condition != "Success" || r.Request.Count != 1 || r.Request.Function != "arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST" || len(r.Request.ID) != 36 ||
		string(r.Payload) != `{"n":2}` || r.Response.Status != 200 || r.Response.Version != "$LATEST" || r.Response.Error != "" || string(r.Answer) != `{"n":2}` || r.Timestamp != "2026-11-01T12:00:00.000Z" {
		t.Errorf("success: %s", calltest.JSON(r))
	}
	send(`{"do":"fail","text":"no"}`)
	st.timer(t, 1)
	st.Clock.Advance(time.Minute)
	if r := record(); r.Request.Condition != "RetriesExhausted" || r.Request.Count != 2 || r.Response.Error != "Unhandled" || !strings.Contains(string(r.Answer), "no") {
		t.Errorf("failure: %s", calltest.JSON(r))
	}
	// The third attempt would be two minutes after the second: too late for it.
	retries = 2
	if err := put(new(to), new(to)); err != nil {
		t.Fatal(err)
	}
	send(`{"do":"fail","text":"no"}`)
	st.timer(t, 1)
	st.Clock.Advance(time.Minute)
	st.timer(t, 2)
	st.Clock.Advance(2 * time.Minute)
	if r := record(); r.Request.Condition != "EventAgeExceeded" || r.Request.Count != 2 || r.Response != nil {
		t.Errorf("age: %s", calltest.JSON(r))
	}
	until(func() bool { return len(st.events(t)) == 0 })
}

// bucketRoom is as much of S3 as takes objects; the first is refused for a moment.
type bucketRoom struct {
	puts chan object
	bad  bool
}

type object struct{ bucket, key, as, body string }

func (b *bucketRoom) Model() *model.Service { return &s3.Model }

func (b *bucketRoom) Bindings() []call.Binding {
	return []call.Binding{call.Bind(s3.PutObject, call.Open[s3.PutObjectRequest]("it is a test"), func(_ context.Context, rq *call.Authorized, in *s3.PutObjectRequest) (*s3.PutObjectOutput, error) {
		text, err := io.ReadAll(in.Body)
		if err != nil {
			return nil, err
		}
		b.puts <- object{*in.Bucket, *in.Key, rq.Principal().RoleARN, string(text)}
		if !b.bad {
			b.bad = true
			return nil, fault.Of(fault.ServiceUnavailable, "later")
		}
		return &s3.PutObjectOutput{}, nil
	})}
}

// TestBucketDestination tells that a bucket gets the records of failures, under
// AWS's keys, as the function's role; and what is counted of events.
func TestBucketDestination(t *testing.T) {
	st := newStand(t)
	room := &bucketRoom{puts: make(chan object, 10)}
	st.Plug(room)
	st.custom(t, "f", nil)
	for to, ok := range map[string]bool{"arn:aws:s3:::": false, "arn:aws:s3:::records/key": false, "arn:aws:s3:::records": true} {
		_, err := calltest.Do(st.World, api.PutFunctionEventInvokeConfig, &api.PutFunctionEventInvokeConfigRequest{
			FunctionName: new("f"), MaximumRetryAttempts: new(int32(0)), DestinationConfig: &api.DestinationConfig{OnFailure: &api.OnFailure{Destination: &to}},
		})
		if f := fault.As(err); ok != (err == nil) || !ok && (f == nil || f.Code != "InvalidParameterValueException") {
			t.Errorf("%s: %v", to, err)
		}
	}
	send := func(payload string) {
		calltest.Must(t, st.World, api.Invoke, &api.InvocationRequest{FunctionName: new("f"), InvocationType: new("Event"), Payload: []byte(payload)})
	}
	send(`{"do":"fail","text":"no"}`)
	first := <-room.puts
	st.timer(t, 0)
	st.Clock.Advance(backOffFirst)
	second := <-room.puts
	if first != second || first.bucket != "records" || first.as != testRole || !regexp.MustCompile(`^aws/lambda/async/f/2026/11/01/2026-11-01T12\.00\.00-[0-9a-f-]{36}$`).MatchString(first.key) {
		t.Errorf("put: %+v, then %+v", first, second)
	}
	var r destinationRecord
	if err := json.Unmarshal([]byte(first.body), &r); err != nil || r.Request.Condition != "RetriesExhausted" || r.Request.Count != 1 || string(r.Payload) != `{"do":"fail","text":"no"}` || r.Response.Error != "Unhandled" {
		t.Errorf("record: %v %s", err, first.body)
	}
	until(func() bool { return len(st.events(t)) == 0 })
	send(`{}`)
	until(func() bool { return len(st.events(t)) == 0 })
	counted := map[string]uint64{}
	st.room.Measure(func(m *call.Measure) { counted[m.Name] = m.Count })
	for name, want := range map[string]uint64{"AsyncEventsReceived": 2, "AsyncEventAge": 2, "AsyncEventsDropped": 1, "DestinationDeliveryFailures": 1, "Invocations": 2} {
		if counted[name] != want {
			t.Errorf("%s: %d", name, counted[name])
		}
	}
}
