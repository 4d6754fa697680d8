package mapping

import (
	"strings"
	"testing"

	"github.com/tierra-cloud/tierra/internal/services/apigateway/vtl"
)

type vars struct{}

func (vars) Context(n string) string { return "<context " + n + ">" }
func (vars) Stage(n string) string   { return "<stage " + n + ">" }
func (vars) Header(n string) string  { return "<header " + n + ">" }
func (vars) Query(n string) string   { return "<query " + n + ">" }
func (vars) Path(n string) string    { return "<path " + n + ">" }

func TestParse(t *testing.T) {
	for expr, want := range map[string]string{
		"'*'": "*", "''": "", "'it''s'": "it''s", "context.requestId": "<context requestId>", "stageVariables.a": "<stage a>",
		"method.request.header.X-Y": "<header X-Y>", "method.request.querystring.q": "<query q>", "method.request.path.id": "<path id>",
		"integration.response.header.X": "",
	} {
		v, err := Parse(expr)
		if err != nil || v.In(vars{}) != want {
			t.Errorf("%s: %q %v, want %q", expr, v.In(vars{}), err, want)
		}
	}
	for _, expr := range []string{"", "'", "*", "context.", "context.nothing", "a.b"} {
		if _, err := Parse(expr); err == nil {
			t.Errorf("%s is taken", expr)
		}
	}
}

func TestText(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "plain": "plain", `{"message":$context.error.messageString}`: `{"message":<context error.messageString>}`,
		"$stageVariables.a.": "<stage a>.", "$ $$context.stage": "$ $<context stage>", "costs 5$": "costs 5$", "$input.body": "$input.body",
		"$method.request.header.A-B,": "<header A-B>,",
	} {
		p, err := ParseText(text)
		if err != nil || string(p.Append(nil, vars{})) != want {
			t.Errorf("%s: %q %v, want %q", text, p.Append(nil, vars{}), err, want)
		}
	}
	if _, err := ParseText("$context.unknown"); err == nil {
		t.Error("an unknown variable is taken")
	}
}

func FuzzText(f *testing.F) {
	f.Add("a $context.stage b")
	f.Add("$$stageVariables.-")
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParseText(s)
		if err == nil && !strings.Contains(s, "$") && string(p.Append(nil, vars{})) != s {
			t.Errorf("%q became %q", s, p.Append(nil, vars{}))
		}
		if v, err := Parse(s); err == nil {
			v.In(vars{})
		}
	})
}

func (vars) AuthorizerNames() []string { return []string{"principalId", "role", "claims.sub"} }

// params are the parameters of a request.
func params(place string) *vtl.Map {
	m := vtl.NewMap()
	m.Put("in", place)
	m.Put("A", "1")
	return m
}

// TestTemplate holds what $input, $context, $stageVariables and $util are.
func TestTemplate(t *testing.T) {
	const body = `{"a":[1,"x/y"],"b":"it's","n":5,"d":1.0,"o":{"k":[{"z":null}]}}`
	for _, c := range []struct{ text, want string }{
		{"$input.path('$')", `{a=[1,"x\/y"], b=it's, n=5, d=1.0, o={k=[{"z":null}]}}`}, {"$input.path('$.a')|$input.path('$.a')[1]|$input.path('$.a').size()|$input.path('$.a[*]')", `[1,"x\/y"]|x/y|2|[1,"x\/y"]`},
		{"$input.path('$.nope')|$input.path('$..x')|$input.path('$.nope[*]')|$input.path('$.a.nope')", "|[]||"}, {"$input.json('$.a')|$input.json('$.b')|$input.json('$.nope')|$input.json('$.d')", `[1,"x/y"]|"it's"|""|1.0`},
		{"$input.json('$')", body}, {"$input.body", body}, {"#set($x = $input.path('$.n') + 1)$x", "6"},
		{"$input.params('in')|$input.params('a')|$input.params().path.in|$input.params().get('header').get('A')|$input.params().header.a", "<path in>|<path a>|path|1|"},
		{"#foreach($k in $input.params().keySet())$k,#end", "path,querystring,header,"},
		{"$context.identity.sourceIp|$context.authorizer.role|$context.authorizer.claims.sub|$context.identity.get('user')", "<context identity.sourceIp>|<context authorizer.role>|<context authorizer.claims.sub>|<context identity.user>"},
		{"$context.authorizer|#foreach($k in $context.authorizer.claims.keySet())$k#end", "{principalId=<context authorizer.principalId>, role=<context authorizer.role>}|sub"},
		{"#foreach($k in $context.identity.keySet())#if($context.identity.get($k) != '')$k#if($foreach.hasNext),#end#end#end", "cognitoIdentityPoolId,accountId,cognitoIdentityId,caller,apiKey,sourceIp,accessKey,cognitoAuthenticationType,cognitoAuthenticationProvider,userArn,userAgent,user"},
		{"$stageVariables.a|$stageVariables.get('a')|$stageVariables|$stageVariables.nope", "b|b|{a=b}|"},
		{`$util.escapeJavaScript("it's ""q"" / \ é")`, `it\'s \"q\" \/ \\ \u00E9`}, {"$util.escapeJavaScript($input.json('$.a'))", `[1,\"x\/y\"]`},
		{"$util.urlEncode('a b*~/-_.')|$util.urlDecode('a+b%2F')", "a+b*%7E%2F-_.|a b/"}, {"$util.base64Encode('hé')|$util.base64Decode('aMOp')|$util.base64Decode('YWI')|$util.base64Decode('YWI=')", "aMOp|hé|ab|ab"},
		{"#set($p = $util.parseJson('{\"a\":[1,{\"b\":2}]}'))$p.a[1].b|$p.a|$util.nope(1)", "2|[1, {b=2}]|"},
		{"#set($context.requestOverride.header.X = 1)#set($context.responseOverride.status = 404)$context.requestOverride.header|$context.responseOverride.status", "{X=1}|404"},
	} {
		compiled, err := vtl.Compile(c.text)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		s := &Source{Vars: vars{}, Body: []byte(body), Params: params, Stage: map[string]string{"a": "b"}, Overrides: &Overrides{}}
		if got, err := compiled.Render(nil, s, vtl.Limits{}); err != nil || string(got) != c.want {
			t.Errorf("%s\n got %s %v\nwant %s", c.text, got, err, c.want)
		}
	}
}

// FuzzTemplate renders templates over a request.
func FuzzTemplate(f *testing.F) {
	f.Add(`#set($d = $input.path('$'))#set($x = $d.put('a', $d))$input.json('$..a') $util.base64Encode($d) $d`, `{"a":[1,{"b":2}]}`)
	f.Add(`#set($context.responseOverride.header.A = $input.params().header)$context.identity.sourceIp $stageVariables.get('a') $util.parseJson($input.body).a`, `{}`)
	f.Fuzz(func(t *testing.T, text, body string) {
		c, err := vtl.Compile(text)
		if err != nil {
			return
		}
		var o Overrides
		s := &Source{Vars: vars{}, Body: []byte(body), Params: func(string) *vtl.Map { return vtl.NewMap() }, Stage: map[string]string{"a": "b"}, Overrides: &o}
		_, _ = c.Render(nil, s, vtl.Limits{Output: 1 << 16, Steps: 20_000, Memory: 1 << 20})
		Strings(o.Response, "header")
	})
}
