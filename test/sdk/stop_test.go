package sdk

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tierra-cloud/tierra/test/harness"
)

// TestStopWhileBusy: a function that takes its time does not hold up the end of
// the server, which the end of the test asks for.
func TestStopWhileBusy(t *testing.T) {
	dir := t.TempDir()
	hello(t, dir)
	program, err := os.ReadFile(filepath.Join(dir, "code", "bootstrap"))
	if err != nil {
		t.Fatal(err)
	}
	w := newWire(t)
	role := w.role(t, "runner")
	w.ok(t, form("iam", "2010-05-08", "AttachRolePolicy", "RoleName", "runner", "PolicyArn", "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"))
	rq := w.createFunction("busy", role, "provided.al2023", archive(t, map[string]string{"bootstrap": string(program)}))
	rq.body = strings.Replace(rq.body, "{", `{"Timeout":900,`, 1)
	w.ok(t, rq)
	c := w.dial(t)
	call := w.prepared(request{service: "lambda", path: "/2015-03-31/functions/busy/invocations", body: `{"path":"here","sleep":900}`})
	if _, err := c.Write(call.bytes()); err != nil {
		t.Fatal(err)
	}
	for began := time.Now(); !strings.Contains(w.do(t, logged).body, "here"); time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > harness.Patience {
			t.Fatal("the function does not start")
		}
	}
	began := time.Now()
	w.Stop()
	t.Logf("stopped in %v", time.Since(began).Round(time.Millisecond))
}

var logged = request{service: "logs", target: "Logs_20140328.FilterLogEvents", header: map[string]string{"content-type": "application/x-amz-json-1.1"},
	body: `{"logGroupName":"/aws/lambda/busy"}`}
