package sdk

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	gateway "github.com/aws/aws-sdk-go-v2/service/apigateway/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/tierra-cloud/tierra/test/harness"
)

// TestJournal: an API writes its logs as the account's role, if that may, and its
// numbers are among the server's metrics.
func TestJournal(t *testing.T) {
	p := harness.Serve(t, "", "--metrics", "127.0.0.1:0")
	cfg := configured(t, p)
	apis, groups, roles := apigateway.NewFromConfig(cfg), cloudwatchlogs.NewFromConfig(cfg), iam.NewFromConfig(cfg)
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	role := func(name, service, allowed string) string {
		r, err := roles.CreateRole(ctx, &iam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: aws.String(
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"` + service + `"},"Action":"sts:AssumeRole"}]}`)})
		must(err)
		_, err = roles.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: &name, PolicyName: aws.String("logs"), PolicyDocument: aws.String(
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"logs:*","Resource":"` + allowed + `"}]}`)})
		must(err)
		return *r.Role.Arn
	}
	account := p.Credentials().Account
	all := "arn:aws:logs:" + cfg.Region + ":" + account + ":log-group:"
	writer, stranger := role("writer", "apigateway.amazonaws.com", all+"calls*"), role("stranger", "lambda.amazonaws.com", all+"*")
	doc := `{"swagger":"2.0","info":{"title":"pets"},"paths":{"/pets/{id}":{"get":{"responses":{"200":{"description":"ok"}},"x-amazon-apigateway-integration":{"type":"mock",
		"requestTemplates":{"application/json":"{\"statusCode\":200}"},"responses":{"default":{"statusCode":"200","responseTemplates":{"application/json":"hello"}}}}}}}}`
	x, err := apis.ImportRestApi(ctx, &apigateway.ImportRestApiInput{Body: []byte(doc)})
	must(err)
	_, err = apis.CreateDeployment(ctx, &apigateway.CreateDeploymentInput{RestApiId: x.Id, StageName: aws.String("prod")})
	must(err)
	set := func(pairs ...string) error {
		var ops []gateway.PatchOperation
		for i := 0; i < len(pairs); i += 2 {
			ops = append(ops, gateway.PatchOperation{Op: gateway.OpReplace, Path: &pairs[i], Value: &pairs[i+1]})
		}
		_, err := apis.UpdateStage(ctx, &apigateway.UpdateStageInput{RestApiId: x.Id, StageName: aws.String("prod"), PatchOperations: ops})
		return err
	}
	settings := []string{
		"/accessLogSettings/destinationArn", all + "calls", "/accessLogSettings/format", `{"id":"$context.requestId","path":"$context.path","status":$context.status}`,
		"/*/*/logging/loglevel", "INFO", "/*/*/logging/dataTrace", "true", "/*/*/metrics/enabled", "true",
	}
	if err := set(settings...); code(err) != "BadRequestException" || !strings.Contains(err.Error(), "CloudWatch Logs role ARN must be set") {
		t.Errorf("without a role: %v", err)
	}
	as := func(role string) error {
		_, err := apis.UpdateAccount(ctx, &apigateway.UpdateAccountInput{PatchOperations: []gateway.PatchOperation{
			{Op: gateway.OpReplace, Path: aws.String("/cloudwatchRoleArn"), Value: &role},
		}})
		return err
	}
	if err := as(stranger); code(err) != "BadRequestException" {
		t.Errorf("a role that does not trust the service: %v", err)
	}
	must(as(writer))
	must(set(settings...))

	client := &http.Client{Transport: localhost()}
	get := func(path string) string {
		rs, err := client.Get("http://" + *x.Id + ".execute-api.localhost:" + p.URL[strings.LastIndex(p.URL, ":")+1:] + path)
		must(err)
		defer rs.Body.Close()
		_, _ = io.Copy(io.Discard, rs.Body)
		return rs.Header.Get("X-Amzn-Requestid")
	}
	lines := func(group string) (all []string) {
		out, err := groups.FilterLogEvents(ctx, &cloudwatchlogs.FilterLogEventsInput{LogGroupName: &group})
		if err != nil && code(err) != "ResourceNotFoundException" {
			t.Fatal(err)
		}
		if err == nil {
			for _, e := range out.Events {
				all = append(all, *e.Message)
			}
		}
		return all
	}
	until := func(what string, ok func() bool) {
		t.Helper()
		for end := time.Now().Add(harness.Patience); !ok(); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s: not in time", what)
			}
		}
	}
	first := get("/prod/pets/1")
	until("the access log", func() bool { return len(lines("calls")) == 1 })
	var line struct {
		ID, Path string
		Status   int
	}
	must(json.Unmarshal([]byte(lines("calls")[0]), &line))
	if line.ID != first || line.Path != "/prod/pets/1" || line.Status != 200 {
		t.Errorf("%+v", line)
	}
	// The role may not write the execution log: it has none, and nobody is held up.
	execution := "API-Gateway-Execution-Logs_" + *x.Id + "/prod"
	_, err = roles.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: aws.String("writer"), PolicyName: aws.String("logs"), PolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"logs:*","Resource":"*"}]}`)})
	must(err)
	second := get("/prod/pets/2")
	get("/prod/nothing")
	until("the access log", func() bool { return len(lines("calls")) == 3 })
	done := fmt.Sprintf("(%s) Method completed with status: 200", second)
	until("the execution log", func() bool { return strings.Contains(strings.Join(lines(execution), "\n"), done) })
	text := strings.Join(lines(execution), "\n")
	if strings.Contains(text, first) || !strings.Contains(text, "("+second+") Method request path: {id=2}\n") || !strings.Contains(text, "("+second+") Method response body after transformations: hello\n") {
		t.Errorf("the execution log is\n%s", text)
	}

	rs, err := client.Get(p.WaitFor(`Metrics at (\S+)`)[1])
	must(err)
	defer rs.Body.Close()
	page, err := io.ReadAll(rs.Body)
	must(err)
	labels := `{account="` + account + `",api_name="pets",method="%s",region="` + cfg.Region + `",resource="%s",stage="%s"} %d` + "\n"
	for _, want := range []string{
		"tierra_apigateway_count_total" + fmt.Sprintf(labels, "", "", "", 3), "tierra_apigateway_count_total" + fmt.Sprintf(labels, "", "", "prod", 3),
		"tierra_apigateway_4xx_error_total" + fmt.Sprintf(labels, "", "", "prod", 1), "tierra_apigateway_count_total" + fmt.Sprintf(labels, "GET", "/pets/{id}", "prod", 2),
		"tierra_apigateway_latency_seconds_count" + fmt.Sprintf(labels, "", "", "prod", 3),
	} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the metrics have no %s", want)
		}
	}
}
