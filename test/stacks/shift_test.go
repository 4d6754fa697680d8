package stacks

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tierra-cloud/tierra/internal/edge/sigv4"
	"github.com/tierra-cloud/tierra/tierratest"
)

// gradual is a function whose alias CodeDeploy moves.
const gradual = `
Transform: AWS::Serverless-2016-10-31
Resources:
  F:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.13
      Handler: index.f
      InlineCode: "def f(e, c): return VERSION"
      AutoPublishAlias: live
      DeploymentPreference: {Type: AllAtOnce}
Outputs:
  Version: {Value: !Ref F.Version}
  Application: {Value: !Ref ServerlessDeploymentApplication}
  Group: {Value: !Ref FDeploymentGroup}
`

// TestDeploymentPreference updates a function of SAM's: the new version gets the
// traffic through a deployment of CodeDeploy, in which the service role acts.
func TestDeploymentPreference(t *testing.T) {
	t.Parallel()
	s := tierratest.Start(t)
	path := filepath.Join(t.TempDir(), "template.yaml")
	var out map[string]string
	for _, v := range []string{"1", "2"} {
		if err := os.WriteFile(path, []byte(strings.ReplaceAll(gradual, "VERSION", v)), 0o644); err != nil {
			t.Fatal(err)
		}
		out = s.DeployStack(t, "s", path)
	}
	if !strings.HasSuffix(out["Version"], ":2") {
		t.Errorf("the stack has version %s", out["Version"])
	}
	list := codeDeploy(t, s, "ListDeployments", map[string]any{"applicationName": out["Application"], "deploymentGroupName": out["Group"], "includeOnlyStatuses": []string{"Succeeded"}})
	ids, _ := list["deployments"].([]any)
	if len(ids) != 1 {
		t.Fatalf("deployments that succeeded: %v", list)
	}
	targets := codeDeploy(t, s, "ListDeploymentTargets", map[string]any{"deploymentId": ids[0]})
	target := codeDeploy(t, s, "GetDeploymentTarget", map[string]any{"deploymentId": ids[0], "targetId": targets["targetIds"].([]any)[0]})
	text, _ := json.Marshal(target)
	for _, want := range []string{`"currentVersion":"1"`, `"targetVersion":"2"`, `"functionAlias":"live"`, `"status":"Succeeded"`} {
		if !bytes.Contains(text, []byte(want)) {
			t.Errorf("the deployment's target lacks %s: %s", want, text)
		}
	}
}

// codeDeploy calls an operation of CodeDeploy over the wire.
func codeDeploy(t *testing.T, s *tierratest.Server, op string, in map[string]any) map[string]any {
	t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	rq, err := http.NewRequest(http.MethodPost, s.Endpoint()+"/", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	now, sum := time.Now().UTC(), sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:])
	h := map[string]string{
		"host": rq.URL.Host, "content-type": "application/x-amz-json-1.1", "x-amz-target": "CodeDeploy_20141006." + op,
		"x-amz-date": now.Format("20060102T150405Z"), "x-amz-content-sha256": hash,
	}
	key, secret := s.Credentials()
	h["authorization"] = sigv4.Sign(&sigv4.Request{Method: rq.Method, Path: "/", Host: rq.URL.Host, Header: func(n string) []string { return []string{h[n]} }},
		sigv4.Credentials{AccessKey: key, Secret: secret}, s.Region(), "codedeploy", hash, []string{"host", "x-amz-content-sha256", "x-amz-date", "x-amz-target"}, now)
	for k, v := range h {
		rq.Header.Set(k, v)
	}
	rs, err := s.HTTP().Do(rq)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rs.Body.Close() }()
	out := map[string]any{}
	if err := json.NewDecoder(rs.Body).Decode(&out); err != nil || rs.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %v %v", op, rs.StatusCode, out, err)
	}
	return out
}
