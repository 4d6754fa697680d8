package lambda

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/calltest"
	api "github.com/tierra-cloud/tierra/internal/gen/lambda"
)

// measured is what the room counts: "count/sum" by name and dimensions.
func (st *stand) measured() map[string]string {
	out := map[string]string{}
	st.room.Measure(func(m *call.Measure) {
		name := m.Name
		for _, d := range m.Dimensions {
			name += " " + d.Name + "=" + d.Value
		}
		out[name] = fmt.Sprintf("%d/%v", m.Count, m.Sum)
	})
	return out
}

func (st *stand) expect(t *testing.T, want map[string]string) {
	t.Helper()
	got := st.measured()
	for name, v := range want {
		if got[name] != v {
			t.Errorf("%s: %q, want %q", name, got[name], v)
		}
	}
}

// TestMetrics: invocations count for the function, for what it was invoked as, for
// the version that an alias meant, and for all functions; and go on counting for the
// whole when the parts are gone.
func TestMetrics(t *testing.T) {
	st := newStand(t)
	st.custom(t, "f", func(in *api.CreateFunctionRequest) { in.Publish = new(true) })
	st.custom(t, "g", nil)
	calltest.Must(t, st.World, api.CreateAlias, &api.CreateAliasRequest{FunctionName: new("f"), Name: new("live"), FunctionVersion: new("1")})
	st.answer(t, "f", `{"do":"count"}`)
	st.answer(t, "f:1", `{"do":"count"}`)
	st.answer(t, "f:live", `{"do":"count"}`)
	st.answer(t, "g", `{"do":"count"}`)
	if out, err := st.invoke("f:live", `{"do":"fail","text":"no"}`); err != nil || out.FunctionError == nil {
		t.Fatal(err, out)
	}
	st.expect(t, map[string]string{
		"Invocations": "5/5", "Errors": "5/1", "Duration": "5/0", "ConcurrentExecutions": "5/5", "UnreservedConcurrentExecutions": "5/5", "ClaimedAccountConcurrency": "5/5",
		"Invocations FunctionName=f": "4/4", "Errors FunctionName=f": "4/1", "Duration FunctionName=f": "4/0", "ConcurrentExecutions FunctionName=f": "4/4",
		"Invocations FunctionName=f Resource=f": "1/1", "Errors FunctionName=f Resource=f": "1/0",
		"Invocations FunctionName=f Resource=f:1": "1/1", "Invocations FunctionName=f Resource=f:1 ExecutedVersion=1": "",
		"Invocations FunctionName=f Resource=f:live": "2/2", "Errors FunctionName=f Resource=f:live": "2/1", "ConcurrentExecutions FunctionName=f Resource=f:live": "2/2",
		"Invocations FunctionName=f Resource=f:live ExecutedVersion=1": "2/2", "Errors FunctionName=f Resource=f:live ExecutedVersion=1": "2/1",
		"Invocations FunctionName=g": "1/1", "Throttles FunctionName=f": "",
	})

	// What is reserved is claimed, and what it does not let in is throttled.
	calltest.Must(t, st.World, api.PutFunctionConcurrency, &api.PutFunctionConcurrencyRequest{FunctionName: new("g"), ReservedConcurrentExecutions: new(int32(0))})
	calltest.Must(t, st.World, api.PutFunctionConcurrency, &api.PutFunctionConcurrencyRequest{FunctionName: new("f"), ReservedConcurrentExecutions: new(int32(7))})
	if _, err := st.invoke("g", `{}`); err == nil {
		t.Error("g is not throttled")
	}
	st.answer(t, "f", `{"do":"count"}`)
	st.expect(t, map[string]string{"Throttles FunctionName=g": "1/1", "Throttles FunctionName=g Resource=g": "1/1", "Throttles": "1/1", "UnreservedConcurrentExecutions": "5/5", "ConcurrentExecutions": "6/6"})
	calltest.Must(t, st.World, api.DeleteFunctionConcurrency, &api.DeleteFunctionConcurrencyRequest{FunctionName: new("g")})
	st.answer(t, "g", `{"do":"count"}`)
	st.expect(t, map[string]string{"UnreservedConcurrentExecutions": "6/6", "ClaimedAccountConcurrency": "6/13"})

	// An alias that means another version, and one that is gone.
	calltest.Must(t, st.World, api.UpdateFunctionConfiguration, &api.UpdateFunctionConfigurationRequest{FunctionName: new("f"), Timeout: new(int32(9))})
	two := *calltest.Must(t, st.World, api.PublishVersion, &api.PublishVersionRequest{FunctionName: new("f")}).Version
	calltest.Must(t, st.World, api.UpdateAlias, &api.UpdateAliasRequest{FunctionName: new("f"), Name: new("live"), FunctionVersion: &two})
	st.answer(t, "f:live", `{"do":"count"}`)
	st.expect(t, map[string]string{
		"Invocations FunctionName=f Resource=f:live ExecutedVersion=1": "", "Invocations FunctionName=f Resource=f:live ExecutedVersion=2": "1/1",
		"Invocations FunctionName=f Resource=f:live": "3/3", "Invocations FunctionName=f": "6/6", "ConcurrentExecutions FunctionName=f Resource=f:live": "3/3",
	})
	calltest.Must(t, st.World, api.DeleteAlias, &api.DeleteAliasRequest{FunctionName: new("f"), Name: new("live")})
	st.expect(t, map[string]string{"Invocations FunctionName=f Resource=f:live": "", "Invocations FunctionName=f": "6/6", "Errors FunctionName=f": "6/1", "Invocations": "8/8"})
	calltest.Must(t, st.World, api.DeleteFunction, &api.DeleteFunctionRequest{FunctionName: new("f")})
	st.expect(t, map[string]string{"Invocations FunctionName=f": "", "Invocations FunctionName=g": "2/2", "Invocations": "8/8", "Errors": "8/1"})
}

func TestMetricsOfURLs(t *testing.T) {
	st := newStand(t)
	st.custom(t, "f", nil)
	id := st.url(t, "f", nil)
	door := st.door(t)
	ask := func(status int) {
		t.Helper()
		res, err := http.Post(door.URL+"/"+id+"/", "text/plain", strings.NewReader("x"))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if b, _ := io.ReadAll(res.Body); res.StatusCode != status {
			t.Errorf("%d %s", res.StatusCode, b)
		}
	}
	ask(403)
	st.open4(t, "f", authNone)
	ask(200)
	calltest.Must(t, st.World, api.PutFunctionConcurrency, &api.PutFunctionConcurrencyRequest{FunctionName: new("f"), ReservedConcurrentExecutions: new(int32(0))})
	ask(429)
	until(func() bool { return st.measured()["UrlRequestCount"] == "3/3" }) // it is counted when it was answered
	st.expect(t, map[string]string{
		"UrlRequestCount FunctionName=f": "3/3", "UrlRequestCount FunctionName=f Resource=f": "3/3", "Url4xxCount FunctionName=f": "3/2", "Url5xxCount FunctionName=f": "3/0",
		"UrlRequestLatency FunctionName=f": "3/0", "Invocations FunctionName=f": "1/1", "Throttles FunctionName=f": "1/1",
	})
}
