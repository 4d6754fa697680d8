package cloudformation

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/resource"
	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/gen/lambda"
	"github.com/tierra-cloud/tierra/internal/kernel/arn"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/services/cloudformation/template"
)

// Custom resources: a function of the user's makes them and answers with an object
// that it puts to the ResponseURL.
//
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref.html
//
// A provider may be asked twice if the server ends between the invocation and the
// note of it; the RequestId is the same then.

// customName is the type of custom resources that have no type name of their own.
const customName = "AWS::CloudFormation::CustomResource"

var customTypeName = regexp.MustCompile(`^Custom::[A-Za-z0-9_@-]{1,60}$`)

const (
	// customTimeout is how long a provider has to answer, unless ServiceTimeout
	// says otherwise: 1 to 3,600 seconds.
	customTimeout = time.Hour
	// maxResponse is the greatest size of an answer in bytes.
	maxResponse = 4096
)

func (s *Service) customType(name string) resource.Type {
	return resource.Define(name, resource.Handlers[resource.Open]{
		Create: s.createCustom, Update: s.updateCustom, Delete: s.deleteCustom, Check: s.checkCustom, Attributes: []string{resource.AnyAttribute}, Waits: true,
	})
}

func (s *Service) checkCustom(p *resource.Open) []resource.Problem {
	fail := func(text string, path ...string) []resource.Problem {
		return []resource.Problem{{Path: path, Text: text}}
	}
	if s.d.Presign == nil {
		return fail("custom resources need an address for their answers, which this server does not have")
	}
	switch token := (*p)["ServiceToken"].(type) {
	case resource.Unknown:
	case string:
		a, ok := arn.Parse(token)
		switch {
		case !ok || a.Service != "lambda" && a.Service != "sns":
			return fail("Invalid service token.", "ServiceToken")
		case a.Service == "sns":
			return fail("custom resources through SNS are not supported yet; name a Lambda function", "ServiceToken")
		}
	default:
		return fail("required key [ServiceToken] not found")
	}
	if _, err := serviceTimeout(*p); err != nil {
		return fail(err.Error(), "ServiceTimeout")
	}
	return nil
}

func serviceTimeout(p resource.Open) (time.Duration, error) {
	raw, ok := p["ServiceTimeout"]
	if _, unknown := raw.(resource.Unknown); !ok || unknown {
		return customTimeout, nil
	}
	text, _ := template.Text(raw)
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > 3600 {
		return 0, fmt.Errorf("must be a number of seconds from 1 to 3600")
	}
	return time.Duration(n) * time.Second, nil
}

// customRequest is what a provider is sent.
type customRequest struct {
	RequestType           string
	ServiceToken          string
	ResponseURL           string
	StackID               string `json:"StackId"`
	RequestID             string `json:"RequestId"`
	LogicalResourceID     string `json:"LogicalResourceId"`
	PhysicalResourceID    string `json:"PhysicalResourceId,omitempty"`
	ResourceType          string
	ResourceProperties    map[string]any
	OldResourceProperties map[string]any `json:",omitempty"`
}

// customResponse is what a provider answers.
type customResponse struct {
	Status, Reason     string
	PhysicalResourceID string `json:"PhysicalResourceId"`
	NoEcho             any
	Data               map[string]any
}

func (s *Service) createCustom(ctx context.Context, rq *resource.Request, p *resource.Open) (resource.State, error) {
	st, asked, err := s.provide(ctx, rq, customRequest{RequestType: "Create"}, *p)
	if st.ID == "" && asked && err != nil {
		// What failed, or never answered, is deleted under a name of ours.
		st.ID = rq.Name(128)
	}
	return st, err
}

func (s *Service) updateCustom(ctx context.Context, rq *resource.Request, id string, old, p *resource.Open) (resource.State, error) {
	if (*old)["ServiceToken"] != (*p)["ServiceToken"] {
		return resource.State{ID: id}, &saidError{"Modifying service token is not allowed."}
	}
	st, _, err := s.provide(ctx, rq, customRequest{RequestType: "Update", PhysicalResourceID: id, OldResourceProperties: texts(*old).(map[string]any)}, *p)
	if err != nil {
		st.ID = id
	}
	return st, err
}

func (s *Service) deleteCustom(ctx context.Context, rq *resource.Request, id string, p *resource.Open) error {
	_, _, err := s.provide(ctx, rq, customRequest{RequestType: "Delete", PhysicalResourceID: id}, *p)
	return err
}

// provide asks a resource's provider and reads its answer. asked is false if the
// provider could not even be asked.
func (s *Service) provide(ctx context.Context, rq *resource.Request, m customRequest, p resource.Open) (st resource.State, asked bool, err error) {
	m.ServiceToken, _ = p["ServiceToken"].(string)
	m.StackID, m.LogicalResourceID, m.ResourceType, m.RequestID = rq.StackID, rq.LogicalID, rq.Type, requestID(rq.Token)
	m.ResourceProperties = texts(p).(map[string]any)
	timeout, err := serviceTimeout(p)
	if err != nil {
		return st, false, err
	}
	raw, asked, err := s.ask(ctx, rq, &m, timeout)
	if err != nil {
		return st, asked, err
	}
	var a customResponse
	if err := json.Unmarshal(raw, &a); err != nil || a.Status != "SUCCESS" && a.Status != "FAILED" {
		return st, true, s.again(ctx, rq, &saidError{"Invalid Response object: Value of property Status must be SUCCESS or FAILED in a JSON object"})
	}
	st = resource.State{ID: a.PhysicalResourceID, Attributes: a.Data, NoEcho: a.NoEcho == true || a.NoEcho == "true"}
	switch {
	case a.Status == "FAILED":
		err = &saidError{fmt.Sprintf("Received response status [FAILED] from custom resource. Message returned: %s (RequestId: %s)", a.Reason, m.RequestID)}
	case a.PhysicalResourceID == "" && m.RequestType != "Delete":
		err = &saidError{"Invalid PhysicalResourceId"}
	}
	if err != nil {
		err = s.again(ctx, rq, err)
	}
	return st, true, err
}

// again lets a step that failed with err ask anew when it is repeated.
func (s *Service) again(ctx context.Context, rq *resource.Request, err error) error {
	gone := s.d.Store.Update(ctx, func(tx data.Txn) error {
		return tx.Delete(scope{rq.Account, rq.Region}.askedKey(rq.StackID, rq.Token))
	})
	if gone != nil {
		return gone
	}
	return err
}

// ask sends a request, unless that was done before a restart, and waits for the answer.
func (s *Service) ask(ctx context.Context, rq *resource.Request, m *customRequest, timeout time.Duration) (answer []byte, asked bool, err error) {
	sc := scope{rq.Account, rq.Region}
	key := sc.askedKey(rq.StackID, rq.Token)
	var rec *askedRecord
	err = s.view(ctx, func(rd data.Reader) (err error) {
		rec, err = get[askedRecord](rd, key)
		return err
	})
	if err != nil {
		return nil, false, err
	}
	box := mailbox{s, rq.Region, "custom/" + rq.StackID + "/" + rq.LogicalID + "/" + m.RequestID}
	keep := func(r *askedRecord) error { // also if the server is about to stop
		return s.d.Store.Update(context.WithoutCancel(ctx), func(tx data.Txn) error { return put(tx, key, r) })
	}
	if rec == nil {
		if err := box.open(ctx); err != nil {
			return nil, false, err
		}
		m.ResponseURL = secure(box.address(timeout + time.Hour))
		body, err := json.Marshal(m)
		if err != nil {
			return nil, false, err
		}
		rec = &askedRecord{V: version, Deadline: s.d.Clock.Now().Add(timeout)}
		in := &lambda.InvocationRequest{FunctionName: &m.ServiceToken, InvocationType: new(lambda.InvocationTypeEvent), Payload: body}
		if _, err := call.Do(ctx, rq.Caller, rq.As, lambda.Invoke, in); err != nil {
			if f := fault.As(err); f != nil {
				err = &saidError{fmt.Sprintf("Failed to invoke the custom resource's function: %s (Service: AWSLambda; Status Code: %d; Error Code: %s)", f.Message, f.Status, f.Code)}
			}
			return nil, false, err
		}
		if err := keep(rec); err != nil {
			return nil, true, err
		}
	}
	if rec.Response != nil {
		return rec.Response, true, nil
	}
	got, err := box.wait(ctx, rec.Deadline, func(got [][]byte) bool { return len(got) > 0 })
	if err != nil {
		return nil, true, err
	}
	if len(got) == 0 {
		return nil, true, s.again(ctx, rq, &saidError{"CloudFormation did not receive a response from your Custom Resource. Please check your logs for requestId [" + m.RequestID + "]. If you are using the Python cfn-response module, you may need to update your Lambda function code so that CloudFormation can attach the updated version."})
	}
	rec.Response = got[0]
	if len(rec.Response) > maxResponse {
		return nil, true, s.again(ctx, rq, &saidError{"Response object is too long."})
	}
	return rec.Response, true, keep(rec)
}

// secure is the address over TLS, which the modules that answer custom resources
// expect. Functions trust the server; the signature does not tell the scheme.
func secure(address string) string {
	if rest, ok := strings.CutPrefix(address, "http://"); ok {
		return "https://" + rest
	}
	return address
}

// requestID writes a step's token as a UUID.
func requestID(token string) string {
	return token[:8] + "-" + token[8:12] + "-" + token[12:16] + "-" + token[16:20] + "-" + token[20:32]
}

// texts makes strings of all numbers and booleans, as providers get them.
func texts(v any) any {
	switch v := v.(type) {
	case resource.Open:
		return texts(map[string]any(v))
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, x := range v {
			out[k] = texts(x)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = texts(x)
		}
		return out
	}
	if t, ok := template.Text(v); ok {
		return t
	}
	return v
}
