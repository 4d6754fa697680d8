package lambda

import (
	"context"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	api "github.com/tierra-cloud/tierra/internal/gen/lambda"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
)

// maxRecursion is how often an event and what comes of it may run one function.
// https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html
const maxRecursion = 16

// lineage counts an invocation in the trace header that the event came with, and
// returns the header for the function, which its SDK hands on to what it calls.
// The member Lineage has the invocations in all, and then for each function a
// sign and how often it was invoked before:
//
//	Lineage=3:a87bd80c:1|68fd508a:0
//
// sign is this function's. It reports false if it was invoked too often.
func lineage(trace, sign string) (string, bool) {
	before, rest, had := strings.Cut(trace, "Lineage=")
	if trace := strings.TrimSuffix(before, ";"); !had && trace != "" {
		return trace + ";Lineage=1:" + sign + ":0", true
	}
	text, after, more := strings.Cut(rest, ";")
	total, list, _ := strings.Cut(text, ":")
	n, err := strconv.ParseUint(total, 10, 16)
	if err != nil || n == 0 {
		n, list = 0, "" // it is none, or of another form
	}
	var b strings.Builder
	b.WriteString(strings.TrimSuffix(before, ";"))
	if b.Len() > 0 {
		b.WriteByte(';')
	}
	fmt.Fprintf(&b, "Lineage=%d", n+1)
	sep, found := ":", false
	for list != "" {
		var one string
		one, list, _ = strings.Cut(list, "|")
		s, count, _ := strings.Cut(one, ":")
		times, err := strconv.ParseUint(count, 10, 16)
		if err != nil {
			continue
		}
		if s == sign {
			found = true
			times++
			if times >= maxRecursion {
				return trace, false
			}
		}
		b.WriteString(sep + s + ":" + strconv.FormatUint(times, 10))
		sep = "|"
	}
	if !found {
		b.WriteString(sep + sign + ":0")
	}
	if had && more {
		b.WriteString(";" + after)
	}
	return b.String(), true
}

// sign tells functions apart in a lineage.
func (k key) sign() string {
	h := fnv.New32a()
	h.Write([]byte(k.arn("")))
	return fmt.Sprintf("%08x", h.Sum32())
}

// recursion refuses an invocation that is one of a loop, unless the function allows it.
func (f *function) recursion(inv *invocation) error {
	next, ok := lineage(inv.trace, f.pools.sign)
	if !ok && f.rec.Recursion != api.RecursiveLoopAllow {
		return api.RecursiveInvocationException("Lambda has detected the function %s being invoked in a recursive loop with other AWS resources and stopped the function's invocation.", f.key.name).With("Type", "User")
	}
	inv.trace = next
	return nil
}

// recursive is what a refused invocation comes to when it is asynchronous.
func recursive(err error) (outcome, bool) {
	f := fault.As(err)
	if f == nil || f.Code != "RecursiveInvocationException" {
		return outcome{}, false
	}
	return outcome{payload: fmt.Appendf(nil, `{"errorType":%q,"errorMessage":%q}`, f.Code, f.Message), failure: "Unhandled", version: latest}, true
}

func (s *Service) recursionBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.GetFunctionRecursionConfig, on("lambda:GetFunctionRecursionConfig", func(in *api.GetFunctionRecursionConfigRequest) (n, q *string) { return in.FunctionName, nil }), s.getFunctionRecursionConfig),
		call.Bind(api.PutFunctionRecursionConfig, on("lambda:PutFunctionRecursionConfig", func(in *api.PutFunctionRecursionConfigRequest) (n, q *string) { return in.FunctionName, nil }), s.putFunctionRecursionConfig),
	}
}

func (s *Service) getFunctionRecursionConfig(ctx context.Context, rq *call.Authorized, in *api.GetFunctionRecursionConfigRequest) (*api.GetFunctionRecursionConfigResponse, error) {
	k, err := unqualified(rq, in.FunctionName)
	if err != nil {
		return nil, err
	}
	f, err := s.existing(ctx, k, "")
	if err != nil {
		return nil, err
	}
	loop := f.rec.Recursion
	if loop == "" {
		loop = api.RecursiveLoopTerminate
	}
	return &api.GetFunctionRecursionConfigResponse{RecursiveLoop: &loop}, nil
}

func (s *Service) putFunctionRecursionConfig(ctx context.Context, rq *call.Authorized, in *api.PutFunctionRecursionConfigRequest) (*api.PutFunctionRecursionConfigResponse, error) {
	k, err := unqualified(rq, in.FunctionName)
	if err != nil {
		return nil, err
	}
	_, err = s.changeRecord(ctx, k, func(f *function) error {
		f.rec.Recursion = *in.RecursiveLoop
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &api.PutFunctionRecursionConfigResponse{RecursiveLoop: in.RecursiveLoop}, nil
}
