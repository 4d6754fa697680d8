package sdk

import (
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tierra-cloud/tierra/test/harness"
)

// visit asks an API's stage, as anybody would.
func (s *shell) visit(method, api, path string, header ...string) (status int, body string) {
	s.t.Helper()
	u, err := url.Parse(s.p.URL)
	if err != nil {
		s.t.Fatal(err)
	}
	rq, err := http.NewRequestWithContext(s.t.Context(), method, "http://"+api+".execute-api.localhost:"+u.Port()+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		rq.Header.Set(header[i], header[i+1])
	}
	rs, err := harness.Free().Do(rq)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = rs.Body.Close() }()
	b, err := io.ReadAll(rs.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return rs.StatusCode, string(b)
}

func (s *shell) expect(what string, wantStatus int, wantBody, method, api, path string, header ...string) {
	s.t.Helper()
	if status, body := s.visit(method, api, path, header...); status != wantStatus || !strings.Contains(body, wantBody) {
		s.t.Errorf("%s: %s %s: %d %s, want %d %s", what, method, path, status, body, wantStatus, wantBody)
	}
}

// lines are what a script printed, one value a line.
func (s *shell) lines(script string, n int) []string {
	s.t.Helper()
	l := strings.Split(strings.TrimSpace(s.run(script)), "\n")
	if len(l) != n {
		s.t.Fatalf("%s\nprinted %d lines, want %d: %q", script, len(l), n, l)
	}
	return l
}

const pythonFunctions = `
def greet(event, context):
    return {"statusCode": 200, "body": "version " + context.function_version + " for " + event["requestContext"].get("authorizer", {}).get("principalId", "anybody")}

def decide(event, context):
    effect = "Allow" if event["authorizationToken"] == "open" else "Deny"
    return {"principalId": "ada", "policyDocument": {"Version": "2012-10-17", "Statement": [{"Action": "execute-api:Invoke", "Effect": effect, "Resource": event["methodArn"]}]}}
`

// TestAPIGatewayCLI is the life of a REST API, from its creation to its end, by
// the AWS CLI alone.
func TestAPIGatewayCLI(t *testing.T) {
	harness.Tool(t, require, "aws")
	harness.Tool(t, require, "python3")
	p := harness.Serve(t, "")
	s := &shell{t: t, env: p.Bare(), dir: t.TempDir(), p: p}
	if err := os.WriteFile(filepath.Join(s.dir, "app.py"), []byte(pythonFunctions), 0o600); err != nil {
		t.Fatal(err)
	}

	// Two functions, one of which has two versions under two aliases.
	s.run(`python3 -m zipfile -c app.zip app.py
		aws iam create-role --role-name fn --assume-role-policy-document '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}' >/dev/null
		for f in greet decide; do
		  aws lambda create-function --function-name $f --runtime python3.11 --handler app.$f --timeout 30 --role arn:aws:iam::000000000000:role/fn --zip-file fileb://app.zip >/dev/null
		  aws lambda wait function-active-v2 --function-name $f
		done
		aws lambda publish-version --function-name greet >/dev/null
		aws lambda create-alias --function-name greet --name old --function-version 1 >/dev/null
		aws lambda update-function-configuration --function-name greet --timeout 60 >/dev/null
		aws lambda wait function-updated-v2 --function-name greet
		aws lambda publish-version --function-name greet >/dev/null
		aws lambda create-alias --function-name greet --name new --function-version 2 >/dev/null
		for a in old new; do aws lambda add-permission --function-name greet:$a --statement-id api --action lambda:InvokeFunction --principal apigateway.amazonaws.com >/dev/null; done
		aws lambda add-permission --function-name decide --statement-id api --action lambda:InvokeFunction --principal apigateway.amazonaws.com >/dev/null`)

	// An API with a mock behind a mapping template, and a function whose alias the
	// stage chooses.
	made := s.lines(`api=$(aws apigateway create-rest-api --name shop --description first --tags team=a --query id --output text)
		echo $api
		root=$(aws apigateway get-resources --rest-api-id $api --query 'items[0].id' --output text)
		hello=$(aws apigateway create-resource --rest-api-id $api --parent-id $root --path-part hello --query id --output text)
		echo $hello
		name=$(aws apigateway create-resource --rest-api-id $api --parent-id $hello --path-part '{name}' --query id --output text)
		exec 3>&1 1>/dev/null
		aws apigateway put-method --rest-api-id $api --resource-id $name --http-method GET --authorization-type NONE --request-parameters method.request.path.name=true
		aws apigateway put-integration --rest-api-id $api --resource-id $name --http-method GET --type MOCK --request-templates '{"application/json":"{\"statusCode\": 200}"}'
		aws apigateway put-method-response --rest-api-id $api --resource-id $name --http-method GET --status-code 200 --response-models application/json=Empty
		aws apigateway put-integration-response --rest-api-id $api --resource-id $name --http-method GET --status-code 200 --response-templates '{"application/json":"{\"hello\": \"$input.params(\u0027name\u0027)\", \"from\": \"$stageVariables.alias\"}"}'
		aws apigateway put-method --rest-api-id $api --resource-id $hello --http-method GET --authorization-type NONE
		aws apigateway put-integration --rest-api-id $api --resource-id $hello --http-method GET --type AWS_PROXY --integration-http-method POST \
		  --uri 'arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:000000000000:function:greet:${stageVariables.alias}/invocations'
		exec 1>&3
		aws apigateway create-deployment --rest-api-id $api --stage-name prod --variables alias=old --query id --output text`, 3)
	api, hello, first := made[0], made[1], made[2]
	s.expect("the mock", 200, `{"hello": "ada", "from": "old"}`, "GET", api, "/prod/hello/ada")
	s.expect("the function", 200, "version 1 for anybody", "GET", api, "/prod/hello")
	s.expect("an unknown route", 403, "Missing Authentication Token", "GET", api, "/prod/none")
	s.run(`aws apigateway update-stage --rest-api-id ` + api + ` --stage-name prod --patch-operations op=replace,path=/variables/alias,value=new`)
	s.expect("the other alias", 200, "version 2 for anybody", "GET", api, "/prod/hello")
	contains(t, "a test of a method", s.run(`aws apigateway test-invoke-method --rest-api-id `+api+` --resource-id `+hello+` --http-method GET --stage-variables alias=old`), `"status": 200`, "version 1 for anybody", "Execution log for request")

	// A deployment with an authorizer and a key, and back again.
	made = s.lines(`api=`+api+` hello=`+hello+`
		authorizer=$(aws apigateway create-authorizer --rest-api-id $api --name who --type TOKEN --identity-source method.request.header.Authorization --authorizer-result-ttl-in-seconds 0 \
		  --authorizer-uri arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:000000000000:function:decide/invocations --query id --output text)
		aws apigateway update-method --rest-api-id $api --resource-id $hello --http-method GET \
		  --patch-operations op=replace,path=/authorizationType,value=CUSTOM op=replace,path=/authorizerId,value=$authorizer op=replace,path=/apiKeyRequired,value=true >/dev/null
		aws apigateway create-deployment --rest-api-id $api --stage-name prod --query id --output text
		key=$(aws apigateway create-api-key --name k --enabled --value abcdefghijklmnopqrstuvwxyz --query id --output text)
		plan=$(aws apigateway create-usage-plan --name p --api-stages apiId=$api,stage=prod --quota limit=2,period=DAY --query id --output text)
		aws apigateway create-usage-plan-key --usage-plan-id $plan --key-type API_KEY --key-id $key >/dev/null
		echo $plan
		echo $key`, 3)
	plan, key := made[1], made[2]
	const token, value = "abcdefghijklmnopqrstuvwxyz", "X-Api-Key"
	s.expect("nobody", 401, "Unauthorized", "GET", api, "/prod/hello")
	s.expect("somebody else", 403, "not authorized", "GET", api, "/prod/hello", "Authorization", "closed", value, token)
	s.expect("without a key", 403, "Forbidden", "GET", api, "/prod/hello", "Authorization", "open")
	for range 2 {
		s.expect("with both", 200, "version 2 for ada", "GET", api, "/prod/hello", "Authorization", "open", value, token)
	}
	s.expect("over the quota", 429, "Limit Exceeded", "GET", api, "/prod/hello", "Authorization", "open", value, token)
	contains(t, "the usage", s.run(`aws apigateway get-usage --usage-plan-id `+plan+` --start-date $(date -u +%F) --end-date $(date -u +%F) --query 'items.*[0][]' --output text`), "2\t0")
	s.run(`aws apigateway update-usage --usage-plan-id ` + plan + ` --key-id ` + key + ` --patch-operations op=replace,path=/remaining,value=5`)
	s.expect("after more was granted", 200, "version 2 for ada", "GET", api, "/prod/hello", "Authorization", "open", value, token)
	contains(t, "the authorizer's test", s.run(`aws apigateway test-invoke-authorizer --rest-api-id `+api+` --authorizer-id $(aws apigateway get-authorizers --rest-api-id `+api+` --query 'items[0].id' --output text) --headers Authorization=open`), `"principalId": "ada"`)
	s.run(`aws apigateway update-stage --rest-api-id ` + api + ` --stage-name prod --patch-operations op=replace,path=/deploymentId,value=` + first)
	s.expect("rolled back", 200, "version 2 for anybody", "GET", api, "/prod/hello")

	// A canary gets all traffic, with its own alias, and is promoted.
	s.run(`aws apigateway create-deployment --rest-api-id ` + api + ` --stage-name prod --canary-settings 'percentTraffic=100,stageVariableOverrides={alias=old}' >/dev/null`)
	s.expect("the canary", 200, "version 1 for ada", "GET", api, "/prod/hello", "Authorization", "open", value, token)
	s.run(`aws apigateway update-stage --rest-api-id ` + api + ` --stage-name prod --patch-operations op=copy,from=/canarySettings/deploymentId,path=/deploymentId op=copy,from=/canarySettings/stageVariableOverrides,path=/variables >/dev/null
		aws apigateway update-stage --rest-api-id ` + api + ` --stage-name prod --patch-operations op=remove,path=/canarySettings`)
	s.expect("the promoted canary", 200, "version 1 for ada", "GET", api, "/prod/hello", "Authorization", "open", value, token)

	// What is exported can be imported: another API that does the same.
	s.run(`api=` + api + `
		aws apigateway create-documentation-part --rest-api-id $api --location type=METHOD,path=/hello,method=GET --properties '{"summary": "says hello"}' >/dev/null
		aws apigateway create-documentation-version --rest-api-id $api --documentation-version 1 --stage-name prod >/dev/null
		aws apigateway get-export --rest-api-id $api --stage-name prod --export-type swagger swagger.json >/dev/null
		aws apigateway get-export --rest-api-id $api --stage-name prod --export-type oas30 --accepts application/yaml --parameters extensions=apigateway oas30.yaml >/dev/null`)
	contains(t, "the Swagger document", s.run(`cat swagger.json`), `"swagger": "2.0"`, `"says hello"`, `"basePath": "/prod"`, `"/hello/{name}"`, "x-api-key")
	contains(t, "the OpenAPI document", s.run(`cat oas30.yaml`), `openapi: "3.0.1"`, "x-amazon-apigateway-integration:", "x-amazon-apigateway-authorizer:")
	second := s.lines(`api=$(aws apigateway import-rest-api --body fileb://oas30.yaml --query id --output text)
		echo $api
		aws apigateway create-deployment --rest-api-id $api --stage-name prod --variables alias=new >/dev/null`, 1)[0]
	s.expect("the imported mock", 200, `{"hello": "bob", "from": "new"}`, "GET", second, "/prod/hello/bob")
	s.expect("the imported authorizer", 401, "Unauthorized", "GET", second, "/prod/hello")
	contains(t, "both APIs", s.run(`aws apigateway get-rest-apis --query 'items[].name'`), `"shop",`, `"shop"`)
	contains(t, "a wrong patch", s.fails(`aws apigateway update-rest-api --rest-api-id `+api+` --patch-operations op=replace,path=/nothing,value=x`), "BadRequestException", "Invalid patch path")

	// The end.
	contains(t, "a deployment in use", s.fails(`aws apigateway delete-deployment --rest-api-id `+api+` --deployment-id $(aws apigateway get-stage --rest-api-id `+api+` --stage-name prod --query deploymentId --output text)`), "Active stages pointing to this deployment must be moved or deleted")
	s.run(`aws apigateway delete-stage --rest-api-id ` + api + ` --stage-name prod
		aws apigateway delete-deployment --rest-api-id ` + api + ` --deployment-id ` + first + `
		aws apigateway delete-usage-plan --usage-plan-id ` + plan + ` || aws apigateway update-usage-plan --usage-plan-id ` + plan + ` --patch-operations op=remove,path=/apiStages,value=` + api + `:prod
		aws apigateway delete-api-key --api-key ` + key + `
		aws apigateway delete-rest-api --rest-api-id ` + api + `
		aws apigateway delete-rest-api --rest-api-id ` + second)
	s.expect("the deleted API", 403, "Forbidden", "GET", api, "/prod/hello/ada")
	contains(t, "no APIs", s.run(`aws apigateway get-rest-apis --query 'length(items || `+"`[]`"+`)'`), "0")
}

// fails runs lines that must fail, and returns what they said.
func (s *shell) fails(lines string) string {
	s.t.Helper()
	out, err := s.try(lines)
	if err == nil {
		s.t.Errorf("%s\ndid not fail:\n%s", lines, out)
	}
	return out
}
