package tierratest_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/tierra-cloud/tierra/internal/dev/client"
	"github.com/tierra-cloud/tierra/internal/edge/sigv4"
	"github.com/tierra-cloud/tierra/tierratest"
)

const greeter = `
AWSTemplateFormatVersion: "2010-09-09"
Parameters:
  Table: {Type: String}
Resources:
  Data:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: !Ref Table
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: pk, AttributeType: S}]
      KeySchema: [{AttributeName: pk, KeyType: HASH}]
Outputs:
  Arn: {Value: !GetAtt Data.Arn}
`

// TestDeploy deploys the same template twice beside itself and once over it.
func TestDeploy(t *testing.T) {
	t.Parallel()
	s := tierratest.Start(t)
	one, two := s.Deploy(t, greeter, "Table=one"), s.Deploy(t, greeter, "Table=two")
	if want := "arn:aws:dynamodb:" + s.Region() + ":" + s.Account() + ":table/one"; one["Arn"] != want || two["Arn"] == want {
		t.Errorf("the outputs are %v and %v", one, two)
	}
	s.DeployStack(t, "named", greeter, "Table=three")
	if out := s.DeployStack(t, "named", greeter, "Table=four"); !strings.HasSuffix(out["Arn"], "table/four") {
		t.Errorf("the update gives %v", out)
	}
}

// TestApart holds that servers have nothing of each other's: neither data nor keys.
func TestApart(t *testing.T) {
	t.Parallel()
	a, b := tierratest.Start(t), tierratest.Start(t)
	a.Deploy(t, greeter, "Table=one")
	ka, sa := a.Credentials()
	kb, sb := b.Credentials()
	c := client.New(b.Endpoint(), b.Region(), sigv4.Credentials{AccessKey: kb, Secret: sb})
	if stack, err := c.Stack(t.Context(), "TestApart-1"); err != nil || stack != nil {
		t.Errorf("the other server has the stack: %v, %v", stack, err)
	}
	c.Credentials = sigv4.Credentials{AccessKey: ka, Secret: sa}
	if _, err := c.Stack(t.Context(), "x"); err == nil {
		t.Error("the other server's key is accepted")
	}
	open := tierratest.Start(t, tierratest.WithoutAuth())
	c.Endpoint = open.Endpoint()
	if _, err := c.Stack(t.Context(), "x"); err != nil {
		t.Errorf("without authorisation: %v", err)
	}
}

// TestApplication runs an example: build, deploy, call.
func TestApplication(t *testing.T) {
	t.Parallel()
	s := tierratest.Start(t)
	outputs := s.Deploy(t, "../examples/tickets")
	url := outputs["Api"]
	if url == "" {
		t.Fatalf("the outputs are %v", outputs)
	}
	rs, err := s.HTTP().Get(url + "/tickets")
	if err != nil {
		t.Fatal(err)
	}
	defer rs.Body.Close()
	body, err := io.ReadAll(rs.Body)
	if err != nil || rs.StatusCode != http.StatusOK {
		t.Errorf("%d %s, %v", rs.StatusCode, body, err)
	}
}

// TestEnv holds that the variables are the server's.
func TestEnv(t *testing.T) {
	s := tierratest.Start(t)
	s.Setenv(t)
	key, _ := s.Credentials()
	env := "\n" + strings.Join(s.Env(), "\n") + "\n"
	for _, want := range []string{"AWS_ENDPOINT_URL=" + s.Endpoint(), "AWS_ACCESS_KEY_ID=" + key, "AWS_REGION=us-east-1"} {
		if !strings.Contains(env, "\n"+want+"\n") {
			t.Errorf("%s is not in %s", want, env)
		}
	}
}

// BenchmarkStart is the time to a server that answers.
func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		s := tierratest.Start(b)
		rs, err := http.Get(s.Endpoint() + "/_tierra/health")
		if err != nil || rs.StatusCode != http.StatusOK {
			b.Fatal(rs, err)
		}
		_ = rs.Body.Close()
	}
}
