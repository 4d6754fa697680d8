package lambda

import (
	"testing"

	"github.com/tierra-cloud/tierra/internal/call/calltest"
	api "github.com/tierra-cloud/tierra/internal/gen/lambda"
)

// BenchmarkWarm invokes a warm function through the board: authorisation, the
// pool, the sandbox, log lines.
func BenchmarkWarm(b *testing.B) {
	for _, c := range []struct {
		runtime string
		file    entry
	}{
		{"nodejs20.x", entry{"index.js", `exports.handler = async (e) => e`, 0}},
		{"python3.11", entry{"index.py", "def handler(e, c):\n    return e\n", 0}},
		{"provided.al2023", entry{}},
	} {
		b.Run(c.runtime, func(b *testing.B) {
			st := newStand(b, realTime)
			if _, err := st.deps.Runtimes.Resolve(b.Context(), c.runtime); err != nil {
				b.Skip(err)
			}
			if c.file.name == "" {
				st.custom(b, "f", nil)
			} else {
				st.function(b, "f", c.runtime, "index.handler", nil, c.file)
			}
			in := &api.InvocationRequest{FunctionName: new("f"), Payload: []byte(`{"n":1}`)}
			calltest.Must(b, st.World, api.Invoke, in)
			b.ReportAllocs()
			for b.Loop() {
				calltest.Must(b, st.World, api.Invoke, in)
			}
		})
	}
}
