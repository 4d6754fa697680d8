package runtime

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/tierra-cloud/tierra/internal/engine/sandbox"
)

// MaxPayload is the largest response in bytes: 6 MiB and 100 bytes, as on AWS.
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const MaxPayload = 6<<20 + 100

// Invocation is one event for a function. The engine does not change Payload
// and does not keep it after Invoke has returned.
type Invocation struct {
	// RequestID identifies the invocation to the function and in its log.
	RequestID string
	// Payload is the event, as JSON.
	Payload []byte
	// Deadline is when the environment is killed. The zero time means never.
	Deadline time.Time
	// Timeout is the function's configured time, for the message when the deadline is passed.
	Timeout time.Duration
	// TraceID is the value of X-Amzn-Trace-Id, or empty.
	TraceID string
	// FunctionARN is the name by which the function was invoked.
	FunctionARN string
	// ClientContext and CognitoIdentity are JSON documents, or empty.
	ClientContext   string
	CognitoIdentity string
	// Stream takes the response of a function that streams it; nil gathers it in
	// Result.Payload. Functions that do not stream answer in Result.Payload too.
	Stream Stream
}

// Stream takes a streamed response as it comes: contentType is what the function
// said, or empty, and always the same; chunk is only valid during the call. It is
// called first when the response begins, perhaps with an empty chunk, and not any
// more once it has failed; the function goes on then.
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-response-streaming.html
type Stream func(contentType string, chunk []byte) error

// MaxStream is the largest streamed response in bytes: 200 MiB, as on AWS.
const MaxStream = 200 << 20

// collector puts a streamed response where it belongs.
type collector struct {
	to          Stream
	contentType string
	size        int
	begun       bool
	gathered    []byte // without a Stream
	tooLarge    bool
}

func (c *collector) add(chunk []byte) {
	limit := MaxPayload
	if c.to != nil || c.begun && c.gathered == nil {
		limit = MaxStream
	}
	c.size += len(chunk)
	switch {
	case c.size > limit:
		c.tooLarge = true
	case c.to != nil:
		c.begun = true
		if c.to(c.contentType, chunk) != nil {
			c.to = nil // nobody listens any more
		}
	case !c.begun:
		c.gathered = append(c.gathered, chunk...)
	}
}

// result is what a response comes to that has ended, with an error perhaps.
func (c *collector) result(failed []byte) *Result {
	res := &Result{Payload: c.gathered, ContentType: c.contentType, Streamed: c.begun}
	switch {
	case len(failed) > 0:
		res.Payload, res.FunctionError = failed, Unhandled
	case c.tooLarge:
		streamed := c.begun
		res = tooLarge()
		res.Streamed = streamed
	}
	return res
}

// Values of Result.FunctionError.
const (
	// Unhandled: the function raised an error or its environment failed.
	Unhandled = "Unhandled"
	// Handled: a custom runtime reported an error as handled.
	Handled = "Handled"
)

// Result is how a function answered.
type Result struct {
	// Payload is the response, or the error as a JSON object. It belongs to the caller.
	Payload []byte
	// ContentType is what a custom runtime said about its response, or empty.
	ContentType string
	// Streamed tells that the response went to Invocation.Stream; Payload is empty
	// then, or the error with which it broke off.
	Streamed bool
	// FunctionError is empty, or Unhandled or Handled.
	FunctionError string
	// ErrorType is the errorType of an error that the environment itself gave
	// (Runtime.ExitError, Sandbox.Timedout, …); empty for errors of the function.
	ErrorType string
	// Duration is from handing the event over to having the response.
	Duration time.Duration
	// PeakMemory is the most memory in bytes that the environment has used so
	// far; zero when the host cannot tell.
	PeakMemory int64
	// TimedOut tells that the deadline was passed.
	TimedOut bool
	// OOMKilled tells that the environment died of its memory limit.
	OOMKilled bool
}

// Error types of the environment itself, in AWS's words.
const (
	typeExit     = "Runtime.ExitError"
	typeTimedOut = "Sandbox.Timedout"
	typeTooLarge = "Function.ResponseSizeTooLarge"
	typeEntry    = "Runtime.InvalidEntrypoint"
	// typeWorkingDir is of an image's working directory that is not there.
	typeWorkingDir = "Runtime.InvalidWorkingDir"
	typeProtocol   = "Runtime.InvalidResponse"
	typeOtherInit  = "Runtime.Unknown"
)

// ErrNotDelivered is returned by Invoke when the environment ended before it
// took the event: the function has not seen it, and another environment may have it.
var ErrNotDelivered = errors.New("the environment ended before it took the event")

// ErrBusy is returned by Invoke while another invocation is under way.
var ErrBusy = errors.New("the environment is busy with another event")

// InitError tells why an environment did not become ready.
type InitError struct {
	// Type is the errorType: the runtime's own, or one of the environment.
	Type string
	// Message is what happened, without the request id.
	Message string
	// Payload is the JSON object that the runtime itself reported, or nil.
	Payload []byte
	// TimedOut tells that the time for the init phase was used up.
	TimedOut bool
	// OOMKilled tells that the environment died of its memory limit.
	OOMKilled bool
}

func (e *InitError) Error() string { return e.Type + ": " + e.Message }

// Result is what an invocation gets that met this error.
func (e *InitError) Result(requestID string) *Result {
	r := &Result{FunctionError: Unhandled, ErrorType: e.Type, TimedOut: e.TimedOut, OOMKilled: e.OOMKilled, Payload: e.Payload}
	if r.Payload == nil {
		r.Payload = errorPayload(e.Type, requestID, e.Message)
	}
	return r
}

// errorPayload is an error as the environment reports it.
func errorPayload(errorType, requestID, message string) []byte {
	b, err := json.Marshal(errorObject{errorType, fmt.Sprintf("RequestId: %s Error: %s", requestID, message)})
	if err != nil {
		panic(err) // two strings
	}
	return b
}

// failure is a result that the environment itself gives.
func failure(errorType, requestID, message string) *Result {
	return &Result{FunctionError: Unhandled, ErrorType: errorType, Payload: errorPayload(errorType, requestID, message)}
}

// exitMessage tells how a runtime ended, in AWS's words.
func exitMessage(st sandbox.ExitStatus) string {
	switch {
	case st.Signal != 0:
		return "Runtime exited with error: signal: " + syscall.Signal(st.Signal).String()
	case st.Code != 0:
		return fmt.Sprintf("Runtime exited with error: exit status %d", st.Code)
	default:
		return "Runtime exited without providing a reason"
	}
}

// parseInitError reads the error object that a runtime reported.
func parseInitError(payload []byte, headerType string) *InitError {
	var v struct {
		Type    string `json:"errorType"`
		Message string `json:"errorMessage"`
	}
	if err := json.Unmarshal(payload, &v); err != nil {
		return &InitError{Type: cmp.Or(headerType, typeOtherInit), Message: "the runtime reported an error without an error object"}
	}
	return &InitError{Type: cmp.Or(v.Type, headerType, typeOtherInit), Message: v.Message, Payload: payload}
}
