package sdk

import (
	"archive/zip"
	"bufio"
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	gateway "github.com/aws/aws-sdk-go-v2/service/apigateway/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	fn "github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/tierra-cloud/tierra/test/harness"
)

// The gate tells the streaming function when its reader has the first line: it is a
// stage variable.
const pathFunctions = `
exports.version = async (e, context) => ({statusCode: 200, headers: {'Content-Type': 'text/plain'}, body: context.functionVersion});
exports.unique = async () => ({statusCode: 200, headers: {'Content-Type': 'text/plain'}, body: crypto.randomUUID()});
exports.stream = awslambda.streamifyResponse(async (e, out) => {
  out = awslambda.HttpResponseStream.from(out, {statusCode: 201, headers: {'Content-Type': 'text/event-stream', 'X-One': '1'}});
  out.write('first\n');
  const gate = process.env.AWS_ENDPOINT_URL + '/_aws/execute-api/' + e.requestContext.apiId + '/prod/gate';
  while (await (await fetch(gate)).text() !== 'open') await new Promise((go) => setTimeout(go, 20));
  out.write('last\n');
  out.end();
});
`

const pathDocument = `{"openapi":"3.0.1","info":{"title":"path","version":"1"},"paths":{
"/version":{"get":{"responses":{},"x-amazon-apigateway-integration":{"type":"aws_proxy","httpMethod":"POST","uri":"FUNCTION:version:${stageVariables.alias}/invocations"}}},
"/unique":{"get":{"parameters":[{"name":"q","in":"query","schema":{"type":"string"}}],"responses":{},"x-amazon-apigateway-integration":{"type":"aws_proxy","httpMethod":"POST",
  "uri":"FUNCTION:unique/invocations","cacheKeyParameters":["method.request.querystring.q"]}}},
"/stream":{"get":{"responses":{},"x-amazon-apigateway-integration":{"type":"aws_proxy","httpMethod":"POST","uri":"STREAMED:stream/response-streaming-invocations","responseTransferMode":"STREAM"}}},
"/gate":{"get":{"responses":{"200":{"description":"ok"}},"x-amazon-apigateway-integration":{"type":"mock","requestTemplates":{"application/json":"{\"statusCode\":200}"},
  "responses":{"default":{"statusCode":"200","responseTemplates":{"application/json":"$stageVariables.gate"}}}}}},
"/text/{n}":{"get":{"responses":{"200":{"description":"ok"}},"x-amazon-apigateway-integration":{"type":"mock","requestTemplates":{"application/json":"{\"statusCode\":200}"},
  "responses":{"default":{"statusCode":"200","responseTemplates":{"application/json":"#foreach($i in [1..99])ten bytes #end#if($input.params('n') == '100')ten bytes #end"}}}}}}
}}`

// path is a deployed REST API with functions.
type path struct {
	t    *testing.T
	apis *apigateway.Client
	id   *string
	base string
}

func (p *path) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// set patches the stage: "replace /path value", "copy /to /from".
func (p *path) set(edits ...string) {
	p.t.Helper()
	var ops []gateway.PatchOperation
	for _, e := range edits {
		f := strings.SplitN(e+"  ", " ", 3)
		op := gateway.PatchOperation{Op: gateway.Op(f[0]), Path: &f[1]}
		if v := strings.TrimSpace(f[2]); f[0] == "copy" {
			op.From = &v
		} else if f[0] != "remove" {
			op.Value = &v
		}
		ops = append(ops, op)
	}
	_, err := p.apis.UpdateStage(p.t.Context(), &apigateway.UpdateStageInput{RestApiId: p.id, StageName: aws.String("prod"), PatchOperations: ops})
	p.must(err)
}

// get asks the stage; the caller closes the answer's body.
func (p *path) get(at string, header ...string) *http.Response {
	p.t.Helper()
	rq, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, p.base+at, nil)
	p.must(err)
	rq.Header.Set("Accept-Encoding", "identity")
	for i := 0; i < len(header); i += 2 {
		rq.Header.Set(header[i], header[i+1])
	}
	rs, err := harness.Free().Do(rq)
	p.must(err)
	return rs
}

// text is the body of an answer that must be 200.
func (p *path) text(at string, header ...string) string {
	p.t.Helper()
	rs := p.get(at, header...)
	defer rs.Body.Close()
	b, err := io.ReadAll(rs.Body)
	p.must(err)
	if rs.StatusCode != http.StatusOK {
		p.t.Fatalf("%s: %d %s", at, rs.StatusCode, b)
	}
	return string(b)
}

// newPath deploys the functions, version with the aliases stable and next, and the
// API in front of them.
func newPath(t *testing.T) *path {
	harness.Tool(t, require, "node")
	s := harness.Serve(t, "")
	cfg := configured(t, s)
	p := &path{t: t, apis: apigateway.NewFromConfig(cfg)}
	roles, functions, ctx := iam.NewFromConfig(cfg), lambda.NewFromConfig(cfg), t.Context()
	role, err := roles.CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String("fn"), AssumeRolePolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}`)})
	p.must(err)
	_, err = roles.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: aws.String("fn"), PolicyName: aws.String("logs"), PolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"logs:*","Resource":"*"}]}`)})
	p.must(err)
	const poll = 20 * time.Millisecond
	var code bytes.Buffer
	z := zip.NewWriter(&code)
	w, err := z.Create("app.js")
	p.must(err)
	_, err = io.WriteString(w, pathFunctions)
	p.must(err)
	p.must(z.Close())
	for _, name := range []string{"version", "unique", "stream"} {
		_, err := functions.CreateFunction(ctx, &lambda.CreateFunctionInput{
			FunctionName: &name, Runtime: fn.RuntimeNodejs20x, Handler: aws.String("app." + name), Role: role.Role.Arn, Code: &fn.FunctionCode{ZipFile: code.Bytes()}, Timeout: aws.Int32(60),
		})
		p.must(err)
		active := lambda.NewFunctionActiveV2Waiter(functions, func(o *lambda.FunctionActiveV2WaiterOptions) { o.MinDelay, o.MaxDelay = poll, time.Second })
		p.must(active.Wait(ctx, &lambda.GetFunctionInput{FunctionName: &name}, harness.Patience))
	}
	allow := func(function string) {
		_, err := functions.AddPermission(ctx, &lambda.AddPermissionInput{FunctionName: &function, StatementId: aws.String("api"), Action: aws.String("lambda:InvokeFunction"), Principal: aws.String("apigateway.amazonaws.com")})
		p.must(err)
	}
	allow("unique")
	allow("stream")
	for i, alias := range []string{"stable", "next"} {
		_, err := functions.UpdateFunctionConfiguration(ctx, &lambda.UpdateFunctionConfigurationInput{FunctionName: aws.String("version"), Timeout: aws.Int32(int32(10 + i))})
		p.must(err)
		updated := lambda.NewFunctionUpdatedV2Waiter(functions, func(o *lambda.FunctionUpdatedV2WaiterOptions) { o.MinDelay, o.MaxDelay = poll, time.Second })
		p.must(updated.Wait(ctx, &lambda.GetFunctionInput{FunctionName: aws.String("version")}, harness.Patience))
		v, err := functions.PublishVersion(ctx, &lambda.PublishVersionInput{FunctionName: aws.String("version")})
		p.must(err)
		_, err = functions.CreateAlias(ctx, &lambda.CreateAliasInput{FunctionName: aws.String("version"), Name: &alias, FunctionVersion: v.Version})
		p.must(err)
		allow("version:" + alias)
	}
	account := s.Credentials().Account
	uri := func(api string) string {
		return "arn:aws:apigateway:" + cfg.Region + ":lambda:path/" + api + "/functions/arn:aws:lambda:" + cfg.Region + ":" + account + ":function"
	}
	doc := strings.NewReplacer("FUNCTION", uri("2015-03-31"), "STREAMED", uri("2021-11-15")).Replace(pathDocument)
	x, err := p.apis.ImportRestApi(ctx, &apigateway.ImportRestApiInput{Body: []byte(doc), FailOnWarnings: true})
	p.must(err)
	p.id = x.Id
	_, err = p.apis.UpdateRestApi(ctx, &apigateway.UpdateRestApiInput{RestApiId: p.id, PatchOperations: []gateway.PatchOperation{
		{Op: gateway.OpReplace, Path: aws.String("/minimumCompressionSize"), Value: aws.String("1000")},
	}})
	p.must(err)
	_, err = p.apis.CreateDeployment(ctx, &apigateway.CreateDeploymentInput{
		RestApiId: p.id, StageName: aws.String("prod"), Variables: map[string]string{"alias": "stable", "gate": "shut"}, CacheClusterEnabled: aws.Bool(true), CacheClusterSize: gateway.CacheClusterSizeSize0Point5Gb,
	})
	p.must(err)
	p.base = "http://" + *p.id + ".execute-api.localhost:" + s.URL[strings.LastIndex(s.URL, ":")+1:] + "/prod"
	return p
}

// TestGatewayPath is a REST API's request path with real functions, as its callers
// see it.
func TestGatewayPath(t *testing.T) {
	p := newPath(t)
	for _, part := range []struct {
		name string
		test func(*testing.T, path)
	}{{"canary", testCanaryPath}, {"cache", testCachePath}, {"compression", testCompressionPath}, {"stream", testStreamPath}} {
		t.Run(part.name, func(t *testing.T) {
			of := *p
			of.t = t
			part.test(t, of)
		})
	}
}

// testCanaryPath: a canary gets its part of the requests, with a function's other
// alias, and is promoted.
func testCanaryPath(t *testing.T, p path) {
	const asked = 200
	ask := func() (versions map[string]int) {
		versions = map[string]int{}
		for range asked {
			versions[p.text("/version")]++
		}
		return versions
	}
	_, err := p.apis.CreateDeployment(t.Context(), &apigateway.CreateDeploymentInput{
		RestApiId: p.id, StageName: aws.String("prod"), CanarySettings: &gateway.DeploymentCanarySettings{PercentTraffic: 50, StageVariableOverrides: map[string]string{"alias": "next"}},
	})
	p.must(err)
	// Fewer than 50 of 200 are some seven standard deviations away.
	if n := ask(); n["1"] < 50 || n["2"] < 50 || n["1"]+n["2"] != asked {
		t.Errorf("at 50 percent the versions are asked %v", n)
	}
	p.set("replace /canarySettings/percentTraffic 100")
	if n := ask(); n["2"] != asked {
		t.Errorf("at 100 percent: %v", n)
	}
	p.set("replace /canarySettings/percentTraffic 0")
	if n := ask(); n["1"] != asked {
		t.Errorf("at 0 percent: %v", n)
	}
	p.set("copy /deploymentId /canarySettings/deploymentId", "copy /variables /canarySettings/stageVariableOverrides", "remove /canarySettings")
	if n := ask(); n["2"] != asked {
		t.Errorf("after the promotion: %v", n)
	}
	st, err := p.apis.GetStage(t.Context(), &apigateway.GetStageInput{RestApiId: p.id, StageName: aws.String("prod")})
	p.must(err)
	if st.CanarySettings != nil || st.Variables["alias"] != "next" || st.Variables["gate"] != "shut" {
		t.Errorf("after the promotion: %+v %v", st.CanarySettings, st.Variables)
	}
}

// testCachePath: the stage's cache answers, is passed over by who may, and flushed.
func testCachePath(t *testing.T, p path) {
	if one, two := p.text("/unique?q=a"), p.text("/unique?q=a"); one == two {
		t.Error("it is cached before it is switched on")
	}
	p.set("replace /~1unique/GET/caching/enabled true")
	first := p.text("/unique?q=a")
	if again := p.text("/unique?q=a&other=1"); again != first {
		t.Errorf("a hit: %s, want %s", again, first)
	}
	if p.text("/unique?q=b") == first {
		t.Error("another key has the same answer")
	}
	rs := p.get("/unique?q=a", "Cache-Control", "max-age=0")
	defer rs.Body.Close()
	if b, _ := io.ReadAll(rs.Body); string(b) != first || !strings.HasPrefix(rs.Header.Get("Warning"), "199 ") {
		t.Errorf("a caller who may not: %s, %v", b, rs.Header)
	}
	p.set("replace /~1unique/GET/caching/unauthorizedCacheControlHeaderStrategy FAIL_WITH_403")
	if rs := p.get("/unique?q=a", "Cache-Control", "max-age=0"); rs.StatusCode != http.StatusForbidden {
		t.Errorf("a caller who may not: %d", rs.StatusCode)
	}
	p.set("replace /~1unique/GET/caching/requireAuthorizationForCacheControl false")
	second := p.text("/unique?q=a", "Cache-Control", "max-age=0")
	if again := p.text("/unique?q=a"); second == first || again != second {
		t.Errorf("made anew: %s, then %s, before %s", second, again, first)
	}
	_, err := p.apis.FlushStageCache(t.Context(), &apigateway.FlushStageCacheInput{RestApiId: p.id, StageName: aws.String("prod")})
	p.must(err)
	if p.text("/unique?q=a") == second {
		t.Error("the flush left the answer")
	}
}

// testCompressionPath: answers of the minimum size are compressed for who takes that.
func testCompressionPath(t *testing.T, p path) {
	for _, c := range []struct {
		at, accept, coding string
		size               int
	}{{"/text/100", "gzip", "gzip", 1000}, {"/text/99", "gzip", "", 990}, {"/text/100", "identity", "", 1000}} {
		rs := p.get(c.at, "Accept-Encoding", c.accept)
		defer rs.Body.Close()
		body := io.Reader(rs.Body)
		if coding := rs.Header.Get("Content-Encoding"); coding != c.coding {
			t.Errorf("%+v: the coding is %q", c, coding)
		} else if coding == "gzip" {
			z, err := gzip.NewReader(body)
			p.must(err)
			body = z
		}
		if b, err := io.ReadAll(body); err != nil || string(b) != strings.Repeat("ten bytes ", c.size/10) {
			t.Errorf("%+v: %q %v", c, b, err)
		}
	}
}

// testStreamPath: the caller has the beginning of a response before its end is made.
func testStreamPath(t *testing.T, p path) {
	rs := p.get("/stream", "Accept-Encoding", "gzip")
	defer rs.Body.Close()
	if h := rs.Header; rs.StatusCode != http.StatusCreated || h.Get("X-One") != "1" || h.Get("Content-Type") != "text/event-stream" || h.Get("Content-Encoding") != "" {
		t.Fatalf("%d %v", rs.StatusCode, h)
	}
	r := bufio.NewReader(rs.Body)
	if first, err := r.ReadString('\n'); err != nil || first != "first\n" {
		t.Fatalf("%q %v", first, err)
	}
	p.set("replace /variables/gate open")
	if rest, err := io.ReadAll(r); err != nil || string(rest) != "last\n" {
		t.Errorf("%q %v", rest, err)
	}
}
