package lambda

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"

	"github.com/tierra-cloud/tierra/internal/call"
	api "github.com/tierra-cloud/tierra/internal/gen/lambda"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

func (s *Service) streamBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.InvokeWithResponseStream, call.Rule(func(ctx context.Context, rq *call.Decoded, in *api.InvokeWithResponseStreamRequest) ([]call.Need, error) {
			return s.invokeNeeds(ctx, rq, &api.InvocationRequest{FunctionName: in.FunctionName, Qualifier: in.Qualifier})
		}, "lambda:InvokeFunction"), s.invokeWithResponseStream),
	}
}

// flow is an invocation whose response is read while it comes.
type flow struct {
	pieces chan piece    // not buffered: the function waits for who reads
	gone   chan struct{} // closed when nobody reads any more
	end    chan ending
}

// piece is a part of a response.
type piece struct {
	contentType string
	chunk       []byte
}

// ending is what an invocation came to.
type ending struct {
	out outcome
	err error
}

var errNobodyReads = errors.New("nobody reads the response any more")

// begin starts an invocation. The caller closes gone when it reads no more; the
// function goes on then.
func (s *Service) begin(ctx context.Context, f *function, v *version, inv *invocation) *flow {
	w := &flow{pieces: make(chan piece), gone: make(chan struct{}), end: make(chan ending, 1)}
	inv.stream = func(contentType string, chunk []byte) error {
		select {
		case w.pieces <- piece{contentType, bytes.Clone(chunk)}:
			return nil
		case <-w.gone:
		case <-ctx.Done():
		}
		return errNobodyReads
	}
	begun := s.plane.work.Go(func() {
		out, err := s.plane.invoke(ctx, f, v, inv)
		w.end <- ending{out, err}
	})
	if !begun {
		w.end <- ending{err: errStopping()}
	}
	return w
}

// next is the next piece, or the end.
func (w *flow) next() (*piece, *ending) {
	select {
	case p := <-w.pieces:
		return &p, nil
	case e := <-w.end:
		return nil, &e
	}
}

// https://docs.aws.amazon.com/lambda/latest/api/API_InvokeWithResponseStream.html
func (s *Service) invokeWithResponseStream(ctx context.Context, rq *call.Authorized, in *api.InvokeWithResponseStreamRequest) (*api.InvokeWithResponseStreamResponse, error) {
	k, q, err := target(rq.Decoded, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	if err := refuse("InvokeWithResponseStream", setting{"TenantId", in.TenantId != nil}); err != nil {
		return nil, err
	}
	f, inv, err := s.accept(ctx, rq, k, q, in.Payload, opt.Or(in.InvocationType, "RequestResponse"), maxPayload)
	if err != nil {
		return nil, err
	}
	inv.tail = opt.Val(in.LogType) == "Tail"
	if inv.context, err = clientContext(in.ClientContext); err != nil {
		return nil, err
	}
	v := f.resolve(q, s.random)
	out := &api.InvokeWithResponseStreamResponse{StatusCode: new(int32(200)), ExecutedVersion: &v.Version, ResponseStreamContentType: new("application/json")}
	if opt.Val(in.InvocationType) == "DryRun" {
		out.StatusCode = new(int32(204))
		out.EventStream = func(context.Context, func(string, any) error) error { return nil }
		return out, nil
	}
	w := s.begin(ctx, f, v, inv)
	p, end := w.next()
	if end != nil && end.err != nil {
		return nil, end.err
	}
	if p != nil {
		out.ResponseStreamContentType = new(opt.Or(opt.NonZero(p.contentType), "application/octet-stream"))
	}
	out.EventStream = func(_ context.Context, send func(string, any) error) error {
		defer close(w.gone)
		chunk := func(b []byte) error {
			if len(b) == 0 {
				return nil
			}
			return send("PayloadChunk", &api.InvokeResponseStreamUpdate{Payload: b})
		}
		for ; end == nil; p, end = w.next() {
			if err := chunk(p.chunk); err != nil {
				return err
			}
		}
		done := &api.InvokeWithResponseStreamCompleteEvent{}
		switch {
		case end.err != nil:
			return end.err
		case end.out.failure != "":
			done.ErrorCode, done.ErrorDetails = &end.out.failure, new(string(end.out.payload))
		default:
			if err := chunk(end.out.payload); err != nil {
				return err
			}
		}
		if inv.tail {
			done.LogResult = new(base64.StdEncoding.EncodeToString(end.out.log))
		}
		return send("InvokeComplete", done)
	}
	return out, nil
}
