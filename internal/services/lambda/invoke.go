package lambda

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	api "github.com/tierra-cloud/tierra/internal/gen/lambda"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

func (s *Service) invokeBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.Invoke, call.Rule(s.invokeNeeds, "lambda:InvokeFunction"), s.invoke),
	}
}

// invokeNeeds is asked for every invocation: it reads memory only.
func (s *Service) invokeNeeds(ctx context.Context, rq *call.Decoded, in *api.InvocationRequest) ([]call.Need, error) {
	k, q, err := target(rq, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	need := call.Need{Action: "lambda:InvokeFunction", Resource: k.arn(q), Owner: k.account}
	f, err := s.find(ctx, k)
	if err != nil {
		return nil, err
	}
	if f != nil {
		need.Policy = f.policies[q]
	}
	return []call.Need{need}, nil
}

// tooLarge words AWS's refusal of a payload.
func tooLarge(n int, kind string, limit int) error {
	return api.RequestTooLargeException("%d byte payload is too large for the %s invocation type (limit %d bytes)", n, kind, limit).With("Type", "User")
}

func (s *Service) invoke(ctx context.Context, rq *call.Authorized, in *api.InvocationRequest) (*api.InvocationResponse, error) {
	k, q, err := target(rq.Decoded, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	if in.DurableExecutionName != nil || in.TenantId != nil {
		return nil, refuse("Invoke", setting{"DurableExecutionName", in.DurableExecutionName != nil}, setting{"TenantId", true})
	}
	kind := opt.Or(in.InvocationType, "RequestResponse")
	limit := maxPayload
	if kind == "Event" {
		limit = maxEventPayload
	}
	f, inv, err := s.accept(ctx, rq, k, q, in.Payload, kind, limit)
	if err != nil {
		return nil, err
	}
	inv.tail = opt.Val(in.LogType) == "Tail"
	if inv.context, err = clientContext(in.ClientContext); err != nil {
		return nil, err
	}
	switch kind {
	case "DryRun":
		return &api.InvocationResponse{StatusCode: new(int32(204)), Payload: []byte{}}, nil
	case "Event":
		now := s.clock.Now()
		err := s.async.enqueue(ctx, k.area(), &event{
			V: 1, ID: inv.id, Function: k.name, Qualifier: q, Payload: inv.payload, Context: inv.context, Trace: inv.trace, Enqueued: now, Due: now,
		})
		if err != nil {
			return nil, err
		}
		f.pools.meters.of(q, "").counts[countReceived].Add(1)
		return &api.InvocationResponse{StatusCode: new(int32(202)), Payload: []byte{}}, nil
	}
	out, err := s.plane.invoke(ctx, f, f.resolve(q, s.random), inv)
	if err != nil {
		return nil, err
	}
	res := &api.InvocationResponse{StatusCode: new(int32(200)), Payload: out.payload, ExecutedVersion: &out.version, FunctionError: opt.NonZero(out.failure)}
	if inv.tail {
		res.LogResult = new(base64.StdEncoding.EncodeToString(out.log))
	}
	return res, nil
}

// accept checks what a function is invoked with.
func (s *Service) accept(ctx context.Context, rq *call.Authorized, k key, q string, payload []byte, kind string, limit int) (*function, *invocation, error) {
	switch {
	case len(payload) > limit:
		return nil, nil, tooLarge(len(payload), kind, limit)
	case len(payload) == 0:
		payload = []byte("{}")
	case !validJSON(payload):
		return nil, nil, api.InvalidRequestContentException("Could not parse request body into json: the payload is not valid JSON").With("Type", "User")
	}
	f, err := s.existing(ctx, k, q)
	return f, &invocation{id: rq.RequestID(), payload: payload, trace: s.trace(rq), arn: k.arn(q), as: q}, err
}

// clientContext decodes the ClientContext parameter.
func clientContext(s *string) (string, error) {
	if opt.Val(s) == "" {
		return "", nil
	}
	b, err := base64.StdEncoding.DecodeString(*s)
	if err != nil || !json.Valid(b) || len(b) > maxClientContext {
		return "", api.InvalidRequestContentException("Client context must be a valid Base64-encoded JSON object of at most %d bytes.", maxClientContext).With("Type", "User")
	}
	return string(b), nil
}

// random is a number from 0 to 1, evenly.
func (s *Service) random() float64 {
	return float64(binary.BigEndian.Uint64(s.ids.Bytes(8))>>11) / (1 << 53)
}

// trace is the caller's trace header, or a new one that is not sampled.
func (s *Service) trace(rq *call.Authorized) string {
	if t := rq.Incoming().TraceHeader; t != "" {
		return t
	}
	return newTrace(rq.Time(), s.ids.Bytes(20))
}

// newTrace forms an X-Amzn-Trace-Id of a time and 20 random bytes.
// https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader
func newTrace(at time.Time, random []byte) string {
	b := make([]byte, 0, 80)
	b = append(b, "Root=1-"...)
	b = hex.AppendEncode(b, binary.BigEndian.AppendUint32(nil, uint32(at.Unix())))
	b = append(b, '-')
	b = hex.AppendEncode(b, random[:12])
	b = append(b, ";Parent="...)
	b = hex.AppendEncode(b, random[12:])
	return string(append(b, ";Sampled=0"...))
}
