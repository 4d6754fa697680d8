package lambda

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/tierra-cloud/tierra/internal/call/calltest"
	api "github.com/tierra-cloud/tierra/internal/gen/lambda"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
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
		"arn:aws:sqs:us-east-1:000000000000:queue":             "not a Lambda function",
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
