package apigateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/gen/lambda"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/services/apigateway/proxy"
)

// Responses that go to the caller as they come, without a limit of their size.
// They are not cached, not compressed and not mapped.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/response-transfer-mode.html

// flow is the rest of a body that is still to come.
type flow interface {
	// next returns the next part, which stays as it is until the next call; io.EOF
	// is the end.
	next() ([]byte, error)
	close()
}

// idleTime is how long a response that is streamed may pause.
const idleTime = 5 * time.Minute

// guard ends a response that takes too long, or pauses for too long.
type guard struct {
	s            *Service
	ctx          context.Context
	cancel       context.CancelCauseFunc
	total, pause func() bool // stop the timers
}

func (s *Service) guard(ctx context.Context, timeout time.Duration) (context.Context, *guard) {
	g := &guard{s: s}
	g.ctx, g.cancel = context.WithCancelCause(ctx)
	g.total = s.clock.AfterFunc(timeout, g.expire)
	g.pause = s.clock.AfterFunc(idleTime, g.expire)
	return g.ctx, g
}

func (g *guard) expire() { g.cancel(errTimeout) }

// beat says that the response goes on.
func (g *guard) beat() {
	g.pause()
	g.pause = g.s.clock.AfterFunc(idleTime, g.expire)
}

func (g *guard) end() {
	g.total()
	g.pause()
	g.cancel(nil)
}

// late reports whether the time is up.
func (g *guard) late() bool { return errors.Is(context.Cause(g.ctx), errTimeout) }

// lambdaStream hands requests to a function as they are, and its response on as
// it comes.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/response-transfer-mode-lambda.html
type lambdaStream struct{ *lambdaProxy }

// What stands before the body ends with eight zero bytes, after at most 16 KiB.
const (
	delimiter  = "\x00\x00\x00\x00\x00\x00\x00\x00"
	maxPrelude = 16 << 10
)

func (p lambdaStream) run(ctx context.Context, s *Service, x *exchange) *failure {
	as, ok := p.as(x.rq.Method)
	if !ok {
		return noRoute
	}
	in := &lambda.InvokeWithResponseStreamRequest{FunctionName: &p.function, Payload: p.template.Append(make([]byte, 0, p.template.Size(&x.rq)), &x.rq)}
	ctx, g := s.guard(ctx, p.timeout)
	x.departs(s, departure{function: p.function, body: in.Payload})
	f, failed := p.begin(ctx, s, x, in, as, g)
	if failed != nil {
		x.returns(s, 0, nil, nil)
		if g.late() {
			failed = timedOut
		}
		g.end()
		return failed
	}
	x.flow = f
	return nil
}

// begin invokes the function and takes what stands before the body.
func (p lambdaStream) begin(ctx context.Context, s *Service, x *exchange, in *lambda.InvokeWithResponseStreamRequest, as call.As, g *guard) (flow, *failure) {
	out, err := call.Do(ctx, s.caller, as.From(x.in), lambda.InvokeWithResponseStream, in)
	switch {
	case fault.Is(err, "RequestTooLargeException"), fault.Is(err, "RequestEntityTooLargeException"):
		return nil, tooLarge
	case err != nil:
		x.note = err.Error()
		return nil, misconfigure
	}
	f := newLambdaFlow(ctx, out, g)
	var head []byte
	for {
		b, err := f.next()
		head = append(head, b...)
		if before, after, ok := bytes.Cut(head, []byte(delimiter)); ok && len(before) <= maxPrelude {
			if err := x.prelude(before); err != nil {
				x.note = err.Error()
				f.close()
				return nil, badResponse
			}
			x.returns(s, int(opt.Or(out.StatusCode, 200)), nil, before)
			f.first = after
			return f, nil
		}
		if err != nil || len(head) > maxPrelude {
			x.note = fmt.Sprintf("the streamed response has no delimiter in its first %d bytes", maxPrelude)
			if err != nil && err != io.EOF {
				x.note = err.Error()
			}
			f.close()
			return nil, badResponse
		}
	}
}

// prelude makes what stands before a streamed body the answer's status and headers.
func (x *exchange) prelude(text []byte) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		return fmt.Errorf("the metadata of the streamed response: %w", err)
	}
	var cookies []string
	if c := members["cookies"]; c != nil {
		if err := json.Unmarshal(c, &cookies); err != nil {
			return fmt.Errorf("the cookies of the streamed response: %w", err)
		}
	}
	for _, name := range []string{"cookies", "body", "isBase64Encoded"} {
		delete(members, name)
	}
	rest, err := json.Marshal(members)
	if err != nil {
		return err
	}
	if x.take(rest) != nil {
		return proxy.ErrMalformed
	}
	for _, c := range cookies {
		x.headers = append(x.headers, proxy.Header{Name: "Set-Cookie", Value: c})
	}
	x.body = nil
	return nil
}

// lambdaFlow is the body of a function's response.
type lambdaFlow struct {
	first []byte // that came with what stands before the body
	pull  func() ([]byte, error, bool)
	stop  func()
	guard *guard
}

var errNobodyReads = errors.New("nobody reads the response any more")

func newLambdaFlow(ctx context.Context, out *lambda.InvokeWithResponseStreamResponse, g *guard) *lambdaFlow {
	f := &lambdaFlow{guard: g}
	f.pull, f.stop = iter.Pull2(func(yield func([]byte, error) bool) {
		err := out.EventStream(ctx, func(_ string, event any) error {
			switch e := event.(type) {
			case *lambda.InvokeResponseStreamUpdate:
				if !yield(e.Payload, nil) {
					return errNobodyReads
				}
			case *lambda.InvokeWithResponseStreamCompleteEvent:
				if e.ErrorCode != nil {
					return fmt.Errorf("the function failed: %s %s", *e.ErrorCode, opt.Val(e.ErrorDetails))
				}
			}
			return nil
		})
		if err != nil && !errors.Is(err, errNobodyReads) {
			yield(nil, err)
		}
	})
	return f
}

func (f *lambdaFlow) next() ([]byte, error) {
	if b := f.first; len(b) > 0 {
		f.first = nil
		return b, nil
	}
	f.guard.beat()
	b, err, ok := f.pull()
	switch {
	case f.guard.late():
		return nil, errTimeout
	case !ok:
		return nil, io.EOF
	}
	return b, err
}

func (f *lambdaFlow) close() {
	f.stop()
	f.guard.end()
}

// gather makes a streamed body part of the answer, up to MaxBody bytes, for who
// tests a method.
func (x *exchange) gather() {
	if x.flow == nil {
		return
	}
	defer x.flow.close()
	for len(x.body) <= MaxBody {
		b, err := x.flow.next()
		x.body = append(x.body, b...)
		if err != nil {
			return
		}
	}
}
