package lambda

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	api "github.com/tierra-cloud/tierra/internal/gen/lambda"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
)

// Why a record is sent, in AWS's words.
const (
	conditionSuccess = "Success"
	conditionRetries = "RetriesExhausted"
	conditionAge     = "EventAgeExceeded"
)

func onSuccess(d *api.DestinationConfig) *string {
	if d.OnSuccess == nil {
		return nil
	}
	return d.OnSuccess.Destination
}

func onFailure(d *api.DestinationConfig) *string {
	if d.OnFailure == nil {
		return nil
	}
	return d.OnFailure.Destination
}

// checkDestination says whether records of the function k can be sent to an ARN.
func checkDestination(k key, to string) error {
	if to == "" {
		return nil
	}
	d, _, region, ok := parseName(to, key{})
	switch {
	case !ok || !strings.HasPrefix(to, "arn:"):
		return refuse("EventInvokeConfig", setting{"a destination that is not a Lambda function (" + to + ")", true})
	case region != k.region:
		return api.InvalidParameterValueException("The destination ARN %s is invalid: it is not in the function's region.", to)
	case d.account == k.account && d.name == k.name:
		return api.InvalidParameterValueException("The function %s cannot be a destination of its own.", k.name)
	}
	return nil
}

// destinationRecord is what a destination gets.
// https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
type destinationRecord struct {
	Version   string               `json:"version"`
	Timestamp string               `json:"timestamp"`
	Request   destinationRequest   `json:"requestContext"`
	Payload   json.RawMessage      `json:"requestPayload"`
	Response  *destinationResponse `json:"responseContext,omitempty"`
	Answer    json.RawMessage      `json:"responsePayload,omitempty"`
}

type destinationRequest struct {
	ID        string `json:"requestId"`
	Function  string `json:"functionArn"`
	Condition string `json:"condition"`
	Count     int    `json:"approximateInvokeCount"`
}

type destinationResponse struct {
	Status  int    `json:"statusCode"`
	Version string `json:"executedVersion"`
	Error   string `json:"functionError,omitempty"`
}

// report is the form in which an event waits that is done and whose destination
// has to be told; nil if there is none.
func (a *async) report(f *function, e *event, condition string, out outcome) *event {
	c := f.rec.Async[asyncKey(e.Qualifier)]
	if c == nil {
		return nil
	}
	to, count := c.OnFailure, e.Failures
	switch condition {
	case conditionSuccess:
		to, count = c.OnSuccess, e.Failures+1
	case conditionRetries:
		count++
	}
	if to == "" {
		return nil
	}
	qualifier := e.Qualifier
	if qualifier == "" {
		qualifier = latest
	}
	r := destinationRecord{
		Version: "1.0", Timestamp: a.s.clock.Now().UTC().Format("2006-01-02T15:04:05.000Z"), Payload: e.Payload,
		Request: destinationRequest{ID: e.ID, Function: f.key.arn(qualifier), Condition: condition, Count: count},
	}
	v := f.versions[out.version]
	if out.version != "" {
		r.Response = &destinationResponse{Status: 200, Version: out.version, Error: out.failure}
		if json.Valid(out.payload) {
			r.Answer = out.payload
		}
	}
	if v == nil {
		v = f.resolve(e.Qualifier, a.s.random)
	}
	b, err := json.Marshal(&r)
	if err != nil || v == nil {
		return nil // the payload was checked when it came
	}
	return &event{V: e.V, ID: e.ID, Function: e.Function, Qualifier: e.Qualifier, Trace: e.Trace, Enqueued: e.Enqueued, Due: a.s.clock.Now(), Report: &report{To: to, Role: v.Role, Record: b}}
}

// act does what an event waits for: it runs it, or delivers its record.
func (a *async) act(ctx context.Context, k key, e *event) *event {
	if e.Report == nil {
		return a.attempt(ctx, k, e)
	}
	as := call.AsRole(e.Report.Role, k.session(), principal, k.region).From(call.Incoming{Region: k.region, TraceHeader: e.Trace})
	_, err := call.Do(ctx, a.s.caller, as, api.Invoke, &api.InvocationRequest{FunctionName: &e.Report.To, InvocationType: new("Event"), Payload: e.Report.Record})
	switch f := fault.As(err); {
	case err == nil:
		return nil
	case f != nil && f.Sender && f.Code != "TooManyRequestsException":
		// It will not do better another time.
		if tap := a.s.plane.deps.Tap; tap != nil {
			tap(k.name, "The record of "+e.ID+" was not delivered to "+e.Report.To+": "+f.Message)
		}
		return nil
	}
	next := *e
	next.Due = a.s.clock.Now().Add(min(backOffMax, backOffFirst<<min(next.Throttles, 20)))
	if next.Throttles++; next.Due.Sub(e.Enqueued) > 2*defaultMaxEventAge*time.Second {
		return nil
	}
	return &next
}
