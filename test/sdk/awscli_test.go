package sdk

import (
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tierra-cloud/tierra/test/harness"
)

// shell is a session of lines, in one folder, pointed at a server.
type shell struct {
	t   *testing.T
	env []string
	dir string
	p   *harness.Process
}

// run runs lines after `eval "$(tierra env)"`, and fails the test if one fails.
func (s *shell) run(lines string) string {
	s.t.Helper()
	out, err := s.try(lines)
	if err != nil {
		s.t.Fatalf("%s\n%v:\n%s", lines, err, out)
	}
	return out
}

func (s *shell) try(lines string) (string, error) {
	return command(s.t, s.env, s.dir, "sh", "-ec", `eval "$(tierra env --data `+s.p.Dir+`)"`+"\n"+lines)
}

// hello builds the function of testdata/hello into dir/code/bootstrap and puts its
// template beside it.
func hello(t *testing.T, dir string) {
	t.Helper()
	cmd := exec.Command("go", "build", "-o", filepath.Join(dir, "code", "bootstrap"), "./testdata/hello")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	doc, err := os.ReadFile(testdata(t, "hello/template.yaml"))
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "template.yaml"), doc, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestAWSCLI is a session of somebody who tries the server out.
func TestAWSCLI(t *testing.T) {
	harness.Tool(t, require, "aws")
	p := harness.Serve(t, "")
	s := &shell{t: t, env: p.Bare(), dir: t.TempDir(), p: p}
	if err := os.WriteFile(filepath.Join(s.dir, "README.md"), []byte("# Hello\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	hello(t, s.dir)

	contains(t, "the caller", s.run(`aws sts get-caller-identity`), `"Account": "000000000000"`, `"Arn": "arn:aws:iam::000000000000:root"`)
	contains(t, "the listing", s.run(`aws s3 mb s3://demo && aws s3 cp README.md s3://demo/ && aws s3 ls s3://demo`), "make_bucket: demo", "upload: ./README.md to s3://demo/README.md", " 8 README.md")
	contains(t, "the object", s.run(`aws s3 cp s3://demo/README.md -`), "# Hello")
	contains(t, "the table", s.run(`aws dynamodb create-table --table-name t --attribute-definitions AttributeName=pk,AttributeType=S --key-schema AttributeName=pk,KeyType=HASH --billing-mode PAY_PER_REQUEST
		aws dynamodb wait table-exists --table-name t
		aws dynamodb put-item --table-name t --item '{"pk":{"S":"a"},"n":{"N":"1"}}'
		aws dynamodb get-item --table-name t --key '{"pk":{"S":"a"}}' --query Item.n.N`), `"TableArn": "arn:aws:dynamodb:us-east-1:000000000000:table/t"`, "\n\"1\"\n")

	s.run(`aws s3 mb s3://artifacts`)
	contains(t, "the packaging", s.run(`aws cloudformation package --template-file template.yaml --s3-bucket artifacts --output-template-file packaged.yaml`), "Successfully packaged artifacts")
	contains(t, "the deployment", s.run(`aws cloudformation deploy --template-file packaged.yaml --stack-name again --capabilities CAPABILITY_IAM CAPABILITY_AUTO_EXPAND`),
		"Successfully created/updated stack - again")
	contains(t, "deploying it again", s.run(`aws cloudformation deploy --no-fail-on-empty-changeset --template-file packaged.yaml --stack-name again --capabilities CAPABILITY_IAM CAPABILITY_AUTO_EXPAND`), "No changes to deploy")
	contains(t, "the stacks", s.run(`aws cloudformation describe-stacks`), `"StackName": "again"`, `"StackStatus": "CREATE_COMPLETE"`, `"OutputKey": "Function"`)
	contains(t, "the stack's resources", s.run(`aws cloudformation list-stack-resources --stack-name again`), "AWS::Lambda::Function", "AWS::IAM::Role", "AWS::ApiGateway::RestApi")
	output := func(key string) string {
		return strings.TrimSpace(s.run(`aws cloudformation describe-stacks --stack-name again --output text --query "Stacks[0].Outputs[?OutputKey=='` + key + `'].OutputValue"`))
	}
	name, api := output("Function"), output("Api")

	s.run(`echo '{"path":"/cli"}' > good.json; echo '{"fail":"no luck"}' > bad.json`)
	contains(t, "the invocation", s.run(`aws lambda invoke --function-name `+name+` --payload fileb://good.json out.json; cat out.json`), `"StatusCode": 200`, `{\"hello\":\"/cli\"}`)
	contains(t, "the failing invocation", s.run(`aws lambda invoke --function-name `+name+` --payload fileb://bad.json out.json; cat out.json`), `"FunctionError": "Unhandled"`, `"errorMessage":"no luck"`)
	contains(t, "the APIs", s.run(`aws apigateway get-rest-apis`), `"id": "`+api+`"`)
	for _, path := range []string{"/_aws/execute-api/" + api + "/Prod/hello", "/restapis/" + api + "/Prod/_user_request_/hello"} {
		rs, err := harness.Free().Get(p.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(rs.Body)
		if _ = rs.Body.Close(); err != nil || rs.StatusCode != http.StatusOK || string(body) != `{"hello":"/hello"}` {
			t.Errorf("GET %s: %d %s %v", path, rs.StatusCode, body, err)
		}
	}
	logs := "aws logs filter-log-events --log-group-name /aws/lambda/" + name
	if strings.Contains(s.run(`aws --version`), "aws-cli/2") {
		logs = "aws logs tail /aws/lambda/" + name
	} else {
		t.Log("this is version 1 of the AWS CLI, which has no `logs tail`")
	}
	contains(t, "the log", s.run(logs), "START RequestId", `asked for \"/cli\"`, "END RequestId", "REPORT RequestId", "Billed Duration")

	out, err := s.try(`aws s3 rb s3://demo`)
	if err == nil {
		t.Error("a bucket that is not empty was removed")
	}
	contains(t, "the refusal", out, "BucketNotEmpty")
	s.run(`aws cloudformation delete-stack --stack-name again && aws cloudformation wait stack-delete-complete --stack-name again`)
	out, err = s.try(`aws lambda get-function --function-name ` + name)
	if err == nil {
		t.Error("the function outlives its stack")
	}
	contains(t, "the refusal", out, "ResourceNotFoundException")
	s.run(`aws s3 rb --force s3://demo && aws s3 rm --recursive s3://artifacts && aws s3 rb s3://artifacts && aws dynamodb delete-table --table-name t`)
	if out := s.run(`aws s3 ls`); strings.TrimSpace(out) != "" {
		t.Errorf("buckets are left: %s", out)
	}
}

// TestAWSCLISync moves folders and large files, which the CLI uploads in parts.
func TestAWSCLISync(t *testing.T) {
	harness.Tool(t, require, "aws")
	p := harness.Serve(t, "")
	s := &shell{t: t, env: p.Bare(), dir: t.TempDir(), p: p}
	s.run(`mkdir -p here/deep "here/odd names & ü"
		echo one > here/one.txt; echo two > here/deep/two.html; echo three > "here/odd names & ü/three+3.txt"
		head -c 20000000 /dev/urandom > here/large.bin
		aws s3 mb s3://demo
		aws s3 sync here s3://demo/there
		aws s3 sync s3://demo/there back
		diff -r here back`)
	if out := s.run(`rm here/one.txt; aws s3 sync --delete here s3://demo/there; aws s3 ls --recursive s3://demo`); strings.Contains(out, "  4 there/one.txt") {
		t.Errorf("sync --delete left a file: %s", out)
	}
	contains(t, "the type", s.run(`aws s3api head-object --bucket demo --key there/deep/two.html`), `"ContentType": "text/html"`)
	contains(t, "the copy", s.run(`aws s3 cp s3://demo/there/large.bin s3://demo/copy.bin && aws s3 mv s3://demo/copy.bin moved.bin && cmp moved.bin here/large.bin && echo same`), "same")
	url := strings.TrimSpace(s.run(`aws s3 presign s3://demo/there/deep/two.html`))
	rs, err := harness.Free().Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer rs.Body.Close()
	if body, err := io.ReadAll(rs.Body); err != nil || string(body) != "two\n" {
		t.Errorf("the presigned address answers %d %s %v", rs.StatusCode, body, err)
	}
}
