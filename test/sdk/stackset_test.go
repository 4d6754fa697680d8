package sdk

import (
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tierra-cloud/tierra/test/harness"
)

// setFiles are the templates and policies of the tests with stack sets.
var setFiles = map[string]string{
	"set.yaml": `
Parameters: {Value: {Type: String, Default: plain}}
Resources:
  P: {Type: AWS::SSM::Parameter, Properties: {Name: /set/p, Type: String, Value: !Sub "${Value} in ${AWS::AccountId} ${AWS::Region}"}}
`,
	"more.yaml": `
Parameters: {Value: {Type: String, Default: plain}}
Resources:
  P: {Type: AWS::SSM::Parameter, Properties: {Name: /set/p, Type: String, Value: !Sub "${Value} in ${AWS::AccountId} ${AWS::Region}"}}
  Q: {Type: AWS::SSM::Parameter, Properties: {Name: /set/q, Type: String, Value: more}}
`,
	"wait.yaml": `
Resources:
  Wait: {Type: AWS::CloudFormation::WaitCondition, CreationPolicy: {ResourceSignal: {Timeout: PT1H}}}
`,
	"admin.json": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"cloudformation.amazonaws.com"},"Action":"sts:AssumeRole"}]}`,
	"exec.json":  `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:role/AWSCloudFormationStackSetAdministrationRole"},"Action":"sts:AssumeRole"}]}`,
	"gate.json":  `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}`,
	"may.json":   `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"arn:aws:iam::*:role/AWSCloudFormationStackSetExecutionRole"}]}`,
}

const (
	setAdminRole = `aws iam create-role --role-name AWSCloudFormationStackSetAdministrationRole --assume-role-policy-document file://admin.json
		aws iam put-role-policy --role-name AWSCloudFormationStackSetAdministrationRole --policy-name assume --policy-document file://may.json
	`
	setExecRole = `aws iam create-role --role-name AWSCloudFormationStackSetExecutionRole --assume-role-policy-document file://exec.json
		aws iam attach-role-policy --role-name AWSCloudFormationStackSetExecutionRole --policy-arn arn:aws:iam::aws:policy/AdministratorAccess
	`
)

// newSetShell is a session with the files in its folder.
func newSetShell(t *testing.T, p *harness.Process) *shell {
	t.Helper()
	s := &shell{t: t, env: p.Bare(), dir: t.TempDir(), p: p}
	for name, text := range setFiles {
		if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// operation runs a command that begins an operation on the stack set s, and returns its id.
func (s *shell) operation(command string) string {
	s.t.Helper()
	return strings.TrimSpace(s.run(command + ` --query OperationId --output text`))
}

// ended waits for the end of an operation and returns its status, and what became of each
// target, sorted.
func (s *shell) ended(id string) string {
	s.t.Helper()
	for began := time.Now(); ; {
		status := strings.TrimSpace(s.run(`aws cloudformation describe-stack-set-operation --stack-set-name s --operation-id ` + id + ` --query StackSetOperation.Status --output text`))
		if !slices.Contains([]string{"QUEUED", "RUNNING", "STOPPING"}, status) {
			lines := strings.Split(strings.TrimSpace(s.run(`aws cloudformation list-stack-set-operation-results --stack-set-name s --operation-id `+id+
				` --output text --query "Summaries[].[Account,Region,Status,AccountGateResult.Status]"`)), "\n")
			slices.Sort(lines)
			return strings.ReplaceAll(status+"\n"+strings.Join(lines, "\n"), "\t", " ")
		}
		if time.Since(began) > harness.Patience {
			s.t.Fatalf("the operation %s is still %s", id, status)
		}
	}
}

func (s *shell) same(what, got, want string) {
	s.t.Helper()
	if strings.TrimSpace(got) != strings.TrimSpace(want) {
		s.t.Errorf("%s:\n%s\nwant:\n%s", what, got, want)
	}
}

// TestAWSCLIStackSets takes a stack set through its life in two regions.
func TestAWSCLIStackSets(t *testing.T) {
	harness.Tool(t, require, "aws")
	s := newSetShell(t, harness.Serve(t, ""))
	const both = ` --stack-set-name s --accounts 000000000000 --regions us-east-1 eu-west-1`
	value := func(region string) string {
		out, _ := s.try(`aws ssm get-parameter --name /set/p --region ` + region + ` --query Parameter.Value --output text`)
		return strings.TrimSpace(out)
	}
	s.run(setAdminRole + setExecRole)
	contains(t, "the creation", s.run(`aws cloudformation create-stack-set --stack-set-name s --template-body file://set.yaml --parameters ParameterKey=Value,ParameterValue=first`), `"StackSetId": "s:`)
	s.same("the instances' creation", s.ended(s.operation(`aws cloudformation create-stack-instances`+both)), `
SUCCEEDED
000000000000 eu-west-1 SUCCEEDED SKIPPED
000000000000 us-east-1 SUCCEEDED SKIPPED`)
	s.same("what they have made", value("us-east-1")+"\n"+value("eu-west-1"), "first in 000000000000 us-east-1\nfirst in 000000000000 eu-west-1")
	contains(t, "the set", s.run(`aws cloudformation describe-stack-set --stack-set-name s`), `"Status": "ACTIVE"`, `"ParameterValue": "first"`, `:stackset/s:`, `"PermissionModel": "SELF_MANAGED"`)
	contains(t, "the instance", s.run(`aws cloudformation describe-stack-instance --stack-set-name s --stack-instance-account 000000000000 --stack-instance-region eu-west-1`),
		`:eu-west-1:000000000000:stack/StackSet-s-`, `"Status": "CURRENT"`)
	s.same("the sets", s.run(`aws cloudformation list-stack-sets --output text --query "Summaries[].[StackSetName,Status]"`), "s\tACTIVE")
	// The CLI's own paging, one entry a page.
	s.same("the regions", s.run(`aws cloudformation list-stack-instances --stack-set-name s --page-size 1 --output text --query "Summaries[].[Region]"`), "eu-west-1\nus-east-1")

	s.run(`aws ssm put-parameter --region us-east-1 --name /set/q --type String --value "in the way"`)
	update := `aws cloudformation update-stack-set --stack-set-name s --template-body file://more.yaml --parameters ParameterKey=Value,ParameterValue=second --operation-preferences RegionOrder=us-east-1,eu-west-1`
	s.same("an update of which none may fail", s.ended(s.operation(update)), `
FAILED
000000000000 eu-west-1 CANCELLED None
000000000000 us-east-1 FAILED SKIPPED`)
	s.same("an update of which one may fail", s.ended(s.operation(update+`,FailureToleranceCount=1`)), `
SUCCEEDED
000000000000 eu-west-1 SUCCEEDED SKIPPED
000000000000 us-east-1 FAILED SKIPPED`)
	s.same("what they have made", value("us-east-1")+"\n"+value("eu-west-1"), "first in 000000000000 us-east-1\nsecond in 000000000000 eu-west-1")
	s.same("the instances", s.run(`aws cloudformation list-stack-instances --stack-set-name s --output text --query "Summaries[].[Region,Status]"`), "eu-west-1\tCURRENT\nus-east-1\tOUTDATED")

	// A template that no request could hold comes from S3, and stays for the next update.
	long := setFiles["set.yaml"] + strings.Repeat("# "+strings.Repeat("x", 97)+"\n", 600)
	if err := os.WriteFile(filepath.Join(s.dir, "long.yaml"), []byte(long), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := s.try(`aws cloudformation update-stack-set --stack-set-name s --template-body file://long.yaml`)
	if err == nil {
		t.Error("a template of 60,000 bytes came with the request")
	}
	contains(t, "the refusal", out, "51200")
	s.run(`aws s3 mb s3://templates && aws s3 cp long.yaml s3://templates/ && aws ssm delete-parameter --name /set/q --region us-east-1`)
	s.same("an update from S3", s.ended(s.operation(`aws cloudformation update-stack-set --stack-set-name s --template-url https://templates.s3.amazonaws.com/long.yaml --parameters ParameterKey=Value,UsePreviousValue=true`)), `
SUCCEEDED
000000000000 eu-west-1 SUCCEEDED SKIPPED
000000000000 us-east-1 SUCCEEDED SKIPPED`)
	s.same("an update with the same template", s.ended(s.operation(`aws cloudformation update-stack-set --stack-set-name s --use-previous-template --parameters ParameterKey=Value,ParameterValue=third`)), `
SUCCEEDED
000000000000 eu-west-1 SUCCEEDED SKIPPED
000000000000 us-east-1 SUCCEEDED SKIPPED`)
	s.same("what they have made", value("us-east-1")+"\n"+value("eu-west-1"), "third in 000000000000 us-east-1\nthird in 000000000000 eu-west-1")

	out, err = s.try(`aws cloudformation delete-stack-set --stack-set-name s`)
	if err == nil {
		t.Error("a stack set was deleted with its instances")
	}
	contains(t, "the refusal", out, "StackSetNotEmptyException")
	s.same("the instances' deletion", s.ended(s.operation(`aws cloudformation delete-stack-instances --no-retain-stacks`+both)), `
SUCCEEDED
000000000000 eu-west-1 SUCCEEDED SKIPPED
000000000000 us-east-1 SUCCEEDED SKIPPED`)
	contains(t, "what they had made", value("us-east-1")+value("eu-west-1"), "ParameterNotFound")
	s.run(`aws cloudformation delete-stack-set --stack-set-name s`)
	s.same("the sets", s.run(`aws cloudformation list-stack-sets --output text --query "Summaries[].[StackSetName,Status]"`), "s\tDELETED")
}

// TestAWSCLIStackSetStop stops an operation between two regions.
func TestAWSCLIStackSetStop(t *testing.T) {
	harness.Tool(t, require, "aws")
	s := newSetShell(t, harness.Serve(t, ""))
	s.run(setAdminRole + setExecRole + `aws cloudformation create-stack-set --stack-set-name s --template-body file://wait.yaml`)
	op := s.operation(`aws cloudformation create-stack-instances --stack-set-name s --accounts 000000000000 --regions us-east-1 eu-west-1`)
	var stack string
	for began := time.Now(); stack == ""; {
		stack = strings.TrimSpace(s.run(`aws cloudformation list-stacks --stack-status-filter CREATE_IN_PROGRESS --output text --query "StackSummaries[].StackName"`))
		if time.Since(began) > harness.Patience {
			t.Fatal("the first stack is not begun")
		}
	}
	out, err := s.try(`aws cloudformation delete-stack-instances --no-retain-stacks --stack-set-name s --accounts 000000000000 --regions us-east-1`)
	if err == nil {
		t.Error("a second operation began")
	}
	contains(t, "the refusal", out, "OperationInProgressException")
	s.run(`aws cloudformation stop-stack-set-operation --stack-set-name s --operation-id ` + op)
	s.same("the operation", s.run(`aws cloudformation describe-stack-set-operation --stack-set-name s --operation-id `+op+` --query StackSetOperation.Status --output text`), "STOPPING")
	for began := time.Now(); ; { // it may not wait yet
		if out, err = s.try(`aws cloudformation signal-resource --stack-name ` + stack + ` --logical-resource-id Wait --unique-id a --status SUCCESS`); err == nil {
			break
		}
		if time.Since(began) > harness.Patience {
			t.Fatal(out)
		}
	}
	s.same("the end", s.ended(op), `
STOPPED
000000000000 eu-west-1 CANCELLED None
000000000000 us-east-1 SUCCEEDED SKIPPED`)
}

// TestAWSCLIStackSetAccounts makes stacks in two accounts, whose gates decide. The second
// account begins without a key of its own, which only a server that asks for none serves;
// what was made there serves when keys are asked for again.
func TestAWSCLIStackSetAccounts(t *testing.T) {
	harness.Tool(t, require, "aws")
	p := harness.Serve(t, "", "--auth", "off")
	s := newSetShell(t, p)
	cmd := exec.Command("go", "build", "-o", filepath.Join(s.dir, "bootstrap"), "./testdata/gate")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	program, err := os.ReadFile(filepath.Join(s.dir, "bootstrap"))
	if err != nil {
		t.Fatal(err)
	}
	packed, err := base64.StdEncoding.DecodeString(archive(t, map[string]string{"bootstrap": string(program)}))
	if err == nil {
		err = os.WriteFile(filepath.Join(s.dir, "gate.zip"), packed, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	const second = `export AWS_ACCESS_KEY_ID=111111111111 AWS_SECRET_ACCESS_KEY=any
	`
	const gate = `aws lambda update-function-configuration --function-name AWSCloudFormationStackSetAccountGate --environment `
	s.run(setAdminRole + setExecRole)
	keys := strings.Fields(s.run(second + setExecRole + `aws iam create-user --user-name admin >&2
		aws iam attach-user-policy --user-name admin --policy-arn arn:aws:iam::aws:policy/AdministratorAccess
		aws iam create-role --role-name gate --assume-role-policy-document file://gate.json >&2
		aws lambda create-function --function-name AWSCloudFormationStackSetAccountGate --runtime provided.al2023 --handler bootstrap --role arn:aws:iam::111111111111:role/gate \
			--zip-file fileb://gate.zip --environment 'Variables={STATUS=FAILED}' >&2
		echo
		aws iam create-access-key --user-name admin --query "AccessKey.[AccessKeyId,SecretAccessKey]" --output text`))
	if len(keys) < 2 {
		t.Fatal("there is no key")
	}
	keys = keys[len(keys)-2:]

	p.Stop()
	p.Args = slices.DeleteFunc(slices.Clone(p.Args), func(a string) bool { return a == "--auth" || a == "off" })
	p.Restart()
	out, err := s.try(second + `aws sts get-caller-identity`)
	if err == nil {
		t.Error("an account's number is a key")
	}
	contains(t, "the refusal", out, "InvalidClientTokenId")
	own := `export AWS_ACCESS_KEY_ID=` + keys[0] + ` AWS_SECRET_ACCESS_KEY=` + keys[1] + "\n"
	contains(t, "the second account's user", s.run(own+`aws sts get-caller-identity`), `"Account": "111111111111"`)

	const both = ` --stack-set-name s --accounts 000000000000 111111111111 --regions us-east-1 --operation-preferences FailureToleranceCount=1,MaxConcurrentCount=2`
	value := own + `aws ssm get-parameter --name /set/p --query Parameter.Value --output text`
	s.run(`aws cloudformation create-stack-set --stack-set-name s --template-body file://set.yaml`)
	op := s.operation(`aws cloudformation create-stack-instances` + both)
	s.same("with a gate that is shut", s.ended(op), `
SUCCEEDED
000000000000 us-east-1 SUCCEEDED SKIPPED
111111111111 us-east-1 FAILED FAILED`)
	contains(t, "the reasons", s.run(`aws cloudformation list-stack-set-operation-results --stack-set-name s --operation-id `+op), "Function not found", "Account gate check failed")
	out, _ = s.try(value)
	contains(t, "what a shut gate lets through", out, "ParameterNotFound")
	s.run(own + gate + `'Variables={STATUS=SUCCEEDED}'`)
	s.same("with a gate that is open", s.ended(s.operation(`aws cloudformation update-stack-instances`+both)), `
SUCCEEDED
000000000000 us-east-1 SUCCEEDED SKIPPED
111111111111 us-east-1 SUCCEEDED SUCCEEDED`)
	s.same("the second account's stack", s.run(value), "plain in 111111111111 us-east-1")
}
