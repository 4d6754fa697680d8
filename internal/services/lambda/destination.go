package lambda

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"strings"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	api "github.com/tierra-cloud/tierra/internal/gen/lambda"
	"github.com/tierra-cloud/tierra/internal/gen/s3"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
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

// bucketARN begins the ARNs of buckets.
const bucketARN = "arn:aws:s3:::"

// checkDestinations says whether records of the function k can be sent where they
// are to be: to functions, and those of failures to buckets also.
func checkDestinations(k key, c *api.DestinationConfig) error {
	failures := opt.Val(onFailure(c))
	if bucket, ok := strings.CutPrefix(failures, bucketARN); ok {
		if bucket == "" || strings.ContainsAny(bucket, "/:*") {
			return api.InvalidParameterValueException("The destination ARN %s is invalid.", failures)
		}
		failures = ""
	}
	for _, to := range []string{opt.Val(onSuccess(c)), failures} {
		if err := checkDestination(k, to); err != nil {
			return err
		}
	}
	return nil
}

func checkDestination(k key, to string) error {
	if to == "" {
		return nil
	}
	d, _, region, ok := parseName(to, key{})
	switch {
	case strings.HasPrefix(to, bucketARN):
		return api.InvalidParameterValueException("The destination ARN %s is invalid: a bucket can be a destination of failures only.", to)
	case !ok || !strings.HasPrefix(to, "arn:"):
		return refuse("EventInvokeConfig", setting{"a destination that is no Lambda function and no bucket (" + to + ")", true})
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
	if condition != conditionSuccess {
		f.pools.meters.of(e.Qualifier, "").counts[countLost].Add(1)
	}
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
	sent := &report{To: to, Role: v.Role, Record: b}
	if strings.HasPrefix(to, bucketARN) { // one object, however often it is put
		sent.Object = "aws/lambda/async/" + e.Function + a.s.clock.Now().UTC().Format("/2006/01/02/2006-01-02T15.04.05-") + a.s.ids.UUID()
	}
	return &event{V: e.V, ID: e.ID, Function: e.Function, Qualifier: e.Qualifier, Trace: e.Trace, Enqueued: e.Enqueued, Due: a.s.clock.Now(), Report: sent}
}

// act does what an event waits for: it runs it, or delivers its record.
func (a *async) act(ctx context.Context, k key, e *event) *event {
	if e.Report == nil {
		return a.attempt(ctx, k, e)
	}
	as := call.AsRole(e.Report.Role, k.session(), principal, k.region).From(call.Incoming{Region: k.region, TraceHeader: e.Trace})
	err := a.send(ctx, as, e.Report)
	if err == nil {
		return nil
	}
	if ps, err := a.s.plane.of(ctx, k); err == nil {
		ps.meters.of(e.Qualifier, "").counts[countUndelivered].Add(1)
	}
	switch f := fault.As(err); {
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

// send gives a record to its destination.
func (a *async) send(ctx context.Context, as call.As, r *report) error {
	if r.Object == "" {
		_, err := call.Do(ctx, a.s.caller, as, api.Invoke, &api.InvocationRequest{FunctionName: &r.To, InvocationType: new("Event"), Payload: r.Record})
		return err
	}
	_, err := call.Do(ctx, a.s.caller, as, s3.PutObject, &s3.PutObjectRequest{
		Bucket: new(strings.TrimPrefix(r.To, bucketARN)), Key: &r.Object, Body: io.NopCloser(bytes.NewReader(r.Record)),
		ContentLength: new(int64(len(r.Record))), ContentType: new("application/json"),
	})
	return err
}
