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
