package stacks

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/tierra-cloud/tierra/internal/engine/sandbox"
	"github.com/tierra-cloud/tierra/internal/server"
	"github.com/tierra-cloud/tierra/tierratest"
)

// fixedPort is a provider that answers over TLS as AWS's own module and the CDK's
// do: at port 443, whatever the address says.
func fixedPort(port string) string {
	return `
          const https = require('https');
          const url = require('url');
          exports.handler = async (event) => {
            const body = JSON.stringify({Status: 'SUCCESS', StackId: event.StackId, RequestId: event.RequestId, LogicalResourceId: event.LogicalResourceId,
              PhysicalResourceId: 'thing-' + event.LogicalResourceId, Data: {Greeting: 'hello ' + event.ResourceProperties.Name}});
            const to = url.parse(event.ResponseURL);
            await new Promise((resolve, reject) => {
              const rq = https.request({hostname: to.hostname, ` + port + ` path: to.path, method: 'PUT',
                headers: {'content-type': '', 'content-length': Buffer.byteLength(body)}}, (rs) => { rs.resume(); resolve(); });
              rq.on('error', reject);
              rq.end(body);
            });
          };`
}

// urllib is a provider that answers with nothing but Python's standard library.
const urllib = `
          import json, urllib.request
          def handler(event, context):
              body = json.dumps({"Status": "SUCCESS", "StackId": event["StackId"], "RequestId": event["RequestId"], "LogicalResourceId": event["LogicalResourceId"],
                  "PhysicalResourceId": "thing-" + event["LogicalResourceId"], "Data": {"Greeting": "hello " + event["ResourceProperties"]["Name"]}}).encode()
              assert event["ResponseURL"].startswith("https://")
              urllib.request.urlopen(urllib.request.Request(event["ResponseURL"], data=body, method="PUT", headers={"Content-Type": ""}))`

// TestAnswers deploys providers written inline, which answer with the module that
// is there for them, over signed addresses of a real server.
func TestAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		program, runtime, handler, code string
		network                         sandbox.Network
	}{
		"cfn-response for Node.js": {"node", "nodejs22.x", "index.handler", `
          const response = require('cfn-response');
          exports.handler = (event, context) => response.send(event, context, response.SUCCESS, {Greeting: 'hello ' + event.ResourceProperties.Name}, 'thing-' + event.LogicalResourceId);`, sandbox.NetworkHost},
		"Node.js at port 443":          {"node", "nodejs22.x", "index.handler", fixedPort("port: 443,"), sandbox.NetworkHost},
		"Node.js without a port":       {"node", "nodejs22.x", "index.handler", fixedPort(""), sandbox.NetworkHost},
		"Node.js in a private network": {"node", "nodejs22.x", "index.handler", fixedPort("port: 443,"), sandbox.NetworkPrivate},
		"Python's urllib":              {"python3", "python3.13", "index.handler", urllib, sandbox.NetworkHost},
		"Python in a private network":  {"python3", "python3.13", "index.handler", urllib, sandbox.NetworkPrivate},
		"cfnresponse for Python": {"python3", "python3.13", "index.handler", `
          import cfnresponse
          def handler(event, context):
              cfnresponse.send(event, context, cfnresponse.SUCCESS, {"Greeting": "hello " + event["ResourceProperties"]["Name"]}, "thing-" + event["LogicalResourceId"])`, sandbox.NetworkHost},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := exec.LookPath(c.program); err != nil {
				t.Skip(c.program + " is not here")
			}
			t.Parallel()
			text := `
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: sts:AssumeRole}]}
  Provider:
    Type: AWS::Lambda::Function
    Properties:
      Runtime: ` + c.runtime + `
      Handler: ` + c.handler + `
      Role: !GetAtt Role.Arn
      Timeout: 60
      Code:
        ZipFile: |` + c.code + `
  Thing: {Type: Custom::Thing, Properties: {ServiceToken: !GetAtt Provider.Arn, ServiceTimeout: 300, Name: Ada}}
Outputs:
  Greeting: {Value: !GetAtt Thing.Greeting}
  Thing: {Value: !Ref Thing}
`
			path := filepath.Join(t.TempDir(), "template.yaml")
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			out := tierratest.Start(t, func(s *server.Config) { s.Network = c.network }).Deploy(t, path)
			if out["Greeting"] != "hello Ada" || out["Thing"] != "thing-Thing" {
				t.Errorf("outputs %v", out)
			}
		})
	}
}
