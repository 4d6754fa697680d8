package stacks

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/tierra-cloud/tierra/tierratest"
)

// TestAnswers deploys providers written inline, which answer with the module that
// is there for them, over signed addresses of a real server.
func TestAnswers(t *testing.T) {
	for program, c := range map[string][3]string{
		"node": {"nodejs22.x", "index.handler", `
          const response = require('cfn-response');
          exports.handler = (event, context) => response.send(event, context, response.SUCCESS, {Greeting: 'hello ' + event.ResourceProperties.Name}, 'thing-' + event.LogicalResourceId);`},
		"python3": {"python3.13", "index.handler", `
          import cfnresponse
          def handler(event, context):
              cfnresponse.send(event, context, cfnresponse.SUCCESS, {"Greeting": "hello " + event["ResourceProperties"]["Name"]}, "thing-" + event["LogicalResourceId"])`},
	} {
		t.Run(program, func(t *testing.T) {
			if _, err := exec.LookPath(program); err != nil {
				t.Skip(program + " is not here")
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
      Runtime: ` + c[0] + `
      Handler: ` + c[1] + `
      Role: !GetAtt Role.Arn
      Code:
        ZipFile: |` + c[2] + `
  Thing: {Type: Custom::Thing, Properties: {ServiceToken: !GetAtt Provider.Arn, ServiceTimeout: 60, Name: Ada}}
Outputs:
  Greeting: {Value: !GetAtt Thing.Greeting}
  Thing: {Value: !Ref Thing}
`
			path := filepath.Join(t.TempDir(), "template.yaml")
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			out := tierratest.Start(t).Deploy(t, path)
			if out["Greeting"] != "hello Ada" || out["Thing"] != "thing-Thing" {
				t.Errorf("outputs %v", out)
			}
		})
	}
}
