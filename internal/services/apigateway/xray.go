package apigateway

import (
	"encoding/hex"
	"strings"
	"sync/atomic"
)

// Traces: a stage that is traced decides which requests are sampled, and says so
// in the header that goes on to the integration. The segments themselves have
// nowhere to go, because there is no X-Ray here.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-xray.html

const traceHeader = "X-Amzn-Trace-Id"

// tracer is X-Ray's default rule: the first request of each second, and one in
// twenty of the others.
type tracer struct{ second atomic.Int64 }

// sample decides about a request of a second. lot is a random byte.
func (s *tracer) sample(second int64, lot byte) bool {
	if was := s.second.Load(); was != second && s.second.CompareAndSwap(was, second) {
		return true
	}
	return lot < 256/20
}

// traceField returns a field of a trace header: "Root".
func traceField(header, name string) string {
	for f := range strings.SplitSeq(header, ";") {
		if k, v, ok := strings.Cut(strings.TrimSpace(f), "="); ok && k == name {
			return v
		}
	}
	return ""
}

// sampled makes the trace header of a traced stage's request: with the decision
// of the caller if it made one, and this stage as the parent.
func (s *tracer) sampled(x *exchange, header string) string {
	var id [16]byte
	digits := x.digits()
	_, _ = hex.Decode(id[:], digits[:]) // they are digits
	decision := traceField(header, "Sampled")
	if decision != "0" && decision != "1" {
		decision = "0"
		if s.sample(x.in.Time.Unix(), id[15]) {
			decision = "1"
		}
	}
	var b strings.Builder
	b.WriteString("Root=" + traceField(header, "Root"))
	if decision == "1" {
		b.WriteString(";Parent=" + string(digits[:16]))
	} else if p := traceField(header, "Parent"); p != "" {
		b.WriteString(";Parent=" + p)
	}
	b.WriteString(";Sampled=" + decision)
	if l := traceField(header, "Lineage"); l != "" {
		b.WriteString(";Lineage=" + l)
	}
	return b.String()
}

// traced puts the trace header into what goes on, once the stage is known. A
// function gets it as its own trace, too.
func (x *exchange) traced() {
	for i := range x.rq.Extra {
		h := &x.rq.Extra[i]
		if h.Name != traceHeader {
			continue
		}
		if s := x.stage.journal.tracer; s != nil && traceField(h.Value, "Root") != "" {
			h.Value = s.sampled(x, h.Value)
		}
		x.in.TraceHeader = h.Value
	}
}
