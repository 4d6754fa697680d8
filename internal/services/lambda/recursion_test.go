package lambda

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/calltest"
	api "github.com/tierra-cloud/tierra/internal/gen/lambda"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
)

func TestLineage(t *testing.T) {
	k := key{"000000000000", "us-east-1", "f"}
	first, ok := lineage("Root=1-2-3;Parent=4;Sampled=0", k.sign())
	sign := strings.TrimSuffix(strings.TrimPrefix(first, "Root=1-2-3;Parent=4;Sampled=0;Lineage=1:"), ":0")
	if !ok || len(sign) != 8 {
		t.Fatalf("first: %q", first)
	}
	for _, c := range []struct{ in, out string }{
		{"", "Lineage=1:S:0"},
		{"Root=1;Lineage=1:S:0", "Root=1;Lineage=2:S:1"},
		{"Root=1;Lineage=1:S:0;Other=2", "Root=1;Lineage=2:S:1;Other=2"},
		{"Lineage=3:aaaaaaaa:1|S:4", "Lineage=4:aaaaaaaa:1|S:5"},
		{"Lineage=3:aaaaaaaa:1", "Lineage=4:aaaaaaaa:1|S:0"},
		{"Root=1;Lineage=nonsense", "Root=1;Lineage=1:S:0"},
		{"Root=1;Lineage=5:S", "Root=1;Lineage=6:S:0"},
		{"Root=1;Lineage=16:S:14", "Root=1;Lineage=17:S:15"},
		{"Root=1;Lineage=17:S:15", ""},
	} {
		out, ok := lineage(strings.ReplaceAll(c.in, "S", sign), k.sign())
		if want := strings.ReplaceAll(c.out, "S", sign); ok != (want != "") || ok && out != want {
			t.Errorf("%s: %q, %v", c.in, out, ok)
		}
	}
}

func FuzzLineage(f *testing.F) {
	f.Add("Root=1-2-3;Parent=4;Sampled=0;Lineage=3:aaaaaaaa:1|bbbbbbbb:4")
	f.Add("Lineage=||;;")
	f.Fuzz(func(t *testing.T, trace string) {
		k := key{"000000000000", "us-east-1", "f"}
		for range maxRecursion + 1 {
			next, ok := lineage(trace, k.sign())
			if !ok {
				return
			}
			trace = next
		}
		t.Errorf("%q goes on", trace)
	})
}

// TestRecursion: what invokes itself by way of its trace header is stopped.
func TestRecursion(t *testing.T) {
	st := newStand(t)
	st.custom(t, "f", nil)
	run := func(trace string) (string, error) {
		out, err := call.Do(t.Context(), st.Board, st.As.From(call.Incoming{Region: calltest.Region, TraceHeader: trace}), api.Invoke, &api.InvocationRequest{FunctionName: new("f"), Payload: []byte(`{"do":"context"}`)})
		if err != nil {
			return "", err
		}
		var c struct{ Trace string }
		err = json.Unmarshal(out.Payload, &c)
		return c.Trace, err
	}
	trace, n := "Root=1-2-3", 0
	for ; ; n++ {
		next, err := run(trace)
		if fault.Is(err, "RecursiveInvocationException") {
			break
		}
		if err != nil || n > 20 {
			t.Fatalf("after %d: %v", n, err)
		}
		trace = next
	}
	if n != maxRecursion {
		t.Errorf("it ran %d times", n)
	}
	config := func() string {
		return *calltest.Must(t, st.World, api.GetFunctionRecursionConfig, &api.GetFunctionRecursionConfigRequest{FunctionName: new("f")}).RecursiveLoop
	}
	if got := config(); got != "Terminate" {
		t.Errorf("the default is %s", got)
	}
	calltest.Must(t, st.World, api.PutFunctionRecursionConfig, &api.PutFunctionRecursionConfigRequest{FunctionName: new("f"), RecursiveLoop: new("Allow")})
	if _, err := run(trace); err != nil || config() != "Allow" {
		t.Errorf("allowed: %v", err)
	}
}

// TestRecursionOfDestinations: two functions that are each other's destination
// come to an end.
func TestRecursionOfDestinations(t *testing.T) {
	st := newStand(t, realTime)
	st.needs(t, "nodejs20.x")
	for _, name := range []string{"ping", "pong"} {
		st.function(t, name, "nodejs20.x", "index.handler", nil, entry{"index.js", "exports.handler = async () => 1", 0})
		calltest.Must(t, st.World, api.AddPermission, &api.AddPermissionRequest{FunctionName: &name, StatementId: new("s"), Action: new("lambda:InvokeFunction"), Principal: new(testRole)})
	}
	for from, to := range map[string]string{"ping": "pong", "pong": "ping"} {
		calltest.Must(t, st.World, api.PutFunctionEventInvokeConfig, &api.PutFunctionEventInvokeConfigRequest{
			FunctionName: &from, DestinationConfig: &api.DestinationConfig{OnSuccess: &api.OnSuccess{Destination: new("arn:aws:lambda:us-east-1:000000000000:function:" + to)}},
		})
	}
	calltest.Must(t, st.World, api.Invoke, &api.InvocationRequest{FunctionName: new("ping"), InvocationType: new("Event"), Payload: []byte(`{}`)})
	counted := map[string]float64{}
	measure := func() {
		st.room.Measure(func(m *call.Measure) {
			if len(m.Dimensions) == 1 {
				counted[m.Name+" "+m.Dimensions[0].Value] = m.Sum
			}
		})
	}
	until(func() bool {
		measure()
		return counted["RecursiveInvocationsDropped ping"] == 1
	})
	measure() // while the last time was under way it went on
	for _, name := range []string{"ping", "pong"} {
		if n := counted["Invocations "+name]; n != maxRecursion {
			t.Errorf("%s ran %v times", name, n)
		}
	}
}
