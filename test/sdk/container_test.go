package sdk

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tierra-cloud/tierra/test/harness"
)

// TestContainer is what testcontainers' modules and init hooks expect of the
// program that a container runs.
func TestContainer(t *testing.T) {
	hooks := t.TempDir()
	for _, stage := range []string{"boot", "ready", "shutdown"} {
		dir := filepath.Join(hooks, stage+".d")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		text := `echo "` + stage + ` ${AWS_ENDPOINT_URL:-no} ${AWS_DEFAULT_REGION:-no}" >>` + filepath.Join(hooks, "log")
		if err := os.WriteFile(filepath.Join(dir, "one.sh"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for k, v := range map[string]string{
		"SERVICES": "s3,dynamodb", "LOCALSTACK_HOST": "localhost", "LAMBDA_DOCKER_FLAGS": "-l org.testcontainers=true", "PERSISTENCE": "1", "ENFORCE_IAM": "0",
		"AWS_ENDPOINT_URL": "", "AWS_DEFAULT_REGION": "", "GATEWAY_LISTEN": "127.0.0.1:0",
	} {
		t.Setenv(k, v)
	}
	p := harness.Start(t, "", "container", "--init", hooks, "an argument that is left alone")
	p.WaitFor(`The variable LOCALSTACK_HOST means nothing here`)
	get := func(path string) (int, map[string]any) {
		t.Helper()
		rs, err := harness.Free().Get(p.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		defer rs.Body.Close()
		body, err := io.ReadAll(rs.Body)
		if err != nil {
			t.Fatal(err)
		}
		var doc map[string]any
		_ = json.Unmarshal(body, &doc) // that it is none is seen by who asked
		return rs.StatusCode, doc
	}
	if code, doc := get("/_localstack/health"); code != http.StatusOK || doc["services"].(map[string]any)["dynamodb"] != "running" {
		t.Errorf("health: %d %v", code, doc)
	}
	if code, doc := get("/_localstack/init/ready"); code != http.StatusOK || doc["completed"] != true {
		t.Errorf("init: %d %v", code, doc)
	}
	if code, _ := get("/_localstack/init/never"); code != http.StatusNotFound {
		t.Errorf("a stage that there is not: %d", code)
	}
	// The well-known key is one of --auth off, which ENFORCE_IAM=0 asks for.
	rq, err := http.NewRequest(http.MethodGet, p.URL+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	rq.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature="+strings.Repeat("0", 64))
	rq.Header.Set("X-Amz-Date", "20260101T000000Z")
	rs, err := harness.Free().Do(rq)
	if err != nil {
		t.Fatal(err)
	}
	rs.Body.Close()
	if rs.StatusCode != http.StatusOK {
		t.Errorf("the key test: %d", rs.StatusCode)
	}
	p.Stop()
	log, err := os.ReadFile(filepath.Join(hooks, "log"))
	if want := "boot no no\nready " + p.URL + " us-east-1\nshutdown " + p.URL + " us-east-1\n"; err != nil || string(log) != want {
		t.Errorf("%v: the hooks wrote\n%s, not\n%s", err, log, want)
	}
	for env, says := range map[string]string{
		"SERVICES=quantum": "SERVICES names quantum", "LAMBDA_KEEPALIVE_MS=5": "LAMBDA_KEEPALIVE_MS asks for what Tierra has not",
	} {
		k, v, _ := strings.Cut(env, "=")
		t.Setenv(k, v)
		_, stderr, code := harness.Run(t, os.Environ(), "container", "--init", hooks, "--data", t.TempDir())
		if code == 0 || !strings.Contains(stderr, says) {
			t.Errorf("%s: %d, %s", env, code, stderr)
		}
		t.Setenv(k, "")
	}
}
