package sdk

import (
	"os/exec"
	"testing"

	"github.com/tierra-cloud/tierra/test/harness"
)

// TestJavaScript runs the SDK for JavaScript v3, if NODE_PATH has it.
func TestJavaScript(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is not installed")
	}
	if exec.Command(node, "-e", `require("@aws-sdk/client-s3"); require("@aws-sdk/client-dynamodb")`).Run() != nil {
		t.Skip("@aws-sdk/client-s3 and @aws-sdk/client-dynamodb are not in NODE_PATH")
	}
	p := harness.Serve(t, "")
	if out, err := command(t, p.Env(), "", node, testdata(t, "javascript.mjs")); err != nil {
		t.Errorf("%v:\n%s", err, out)
	}
}
