package intrinsic_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/tierra-cloud/tierra/internal/call/resource"
	"github.com/tierra-cloud/tierra/internal/services/cloudformation/intrinsic"
	"github.com/tierra-cloud/tierra/internal/services/cloudformation/template"
)

const base = `
Parameters:
  Name: {Type: String, Default: hello}
  List: {Type: CommaDelimitedList, Default: "a, b,c"}
  Stage: {Type: String, Default: prod}
Mappings:
  M: {us-east-1: {ami: x, zones: [p, q]}}
Conditions:
  Prod: !Equals [!Ref Stage, prod]
  Other: !Not [!Condition Prod]
  Both: !And [!Condition Prod, !Not [!Condition Other]]
  Either: !Or [!Condition Other, !Condition Prod]
  Loop: !Not [!Condition Loop]
Resources:
  Made: {Type: A::B::C}
  Later: {Type: A::B::C}
`

// resources: Made exists, Later does not yet.
type resources struct{}

func (resources) Ref(id string) (any, error) {
	if id == "Made" {
		return "made-id", nil
	}
	return resource.Unknown{}, nil
}

func (resources) GetAtt(id, attribute string) (any, error) {
	if id == "Made" {
		return "made." + attribute, nil
	}
	return resource.Unknown{}, nil
}

func scope(t testing.TB, extensions bool) *intrinsic.Scope {
	n, err := template.Parse([]byte(base))
	if err != nil {
		t.Fatal(err)
	}
	tmpl, err := template.Read(n.Value().(map[string]any), n)
	if err != nil {
		t.Fatal(err)
	}
	values, err := intrinsic.Values(tmpl, nil)
	if err != nil {
		t.Fatal(err)
	}
	params := intrinsic.Params(tmpl, values)
	params["AWS::Region"] = "us-east-1"
	return &intrinsic.Scope{Template: tmpl, Params: params, Resources: resources{}, Extensions: extensions, Import: func(name string) (any, error) {
		if name == "known" {
			return "imported", nil
		}
		return nil, &intrinsic.Error{Text: "No export named " + name + " found"}
	}}
}

func TestFunctions(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{`!Ref Name`, `"hello"`},
		{`!Ref List`, `["a","b","c"]`},
		{`!Ref Made`, `"made-id"`},
		{`!Ref Later`, `unknown`},
		{`!Ref Nothing`, `Template format error: Unresolved resource dependencies [Nobody]`},
		{`!GetAtt Made.Arn`, `"made.Arn"`},
		{`!GetAtt [Made, Outputs.X]`, `"made.Outputs.X"`},
		{`{"Fn::GetAtt": "Made.Arn"}`, `"made.Arn"`},
		{`!GetAtt Gone.Arn`, `Template error: instance of Fn::GetAtt references undefined resource Gone`},
		{`!Sub "${Name}-${Made}-${Made.Arn}-${!Keep}"`, `"hello-made-id-made.Arn-${Keep}"`},
		{`!Sub ["${x}/${Name}", {x: !Ref Stage}]`, `"prod/hello"`},
		{`!Sub "${Later}"`, `unknown`},
		{`!Sub "${List}"`, `Template error: variable List in Fn::Sub does not resolve to a string`},
		{`!Sub "${a b}"`, `Template error: variable names in Fn::Sub`},
		{`!Sub {a: b}`, `Template error: One or more Fn::Sub intrinsic functions`},
		{`!Join [",", [a, 1, true, !Ref Name]]`, `"a,1,true,hello"`},
		{`!Join [",", !Ref List]`, `"a,b,c"`},
		{`!Join [",", [a, !Ref Later]]`, `unknown`},
		{`!Join [",", a]`, `Template error: every Fn::Join object requires two parameters`},
		{`!Select [1, !Ref List]`, `"b"`},
		{`!Select ["0", [!Ref Made, !Ref Later]]`, `"made-id"`},
		{`!Select [3, !Ref List]`, `Template error: Fn::Select cannot select nonexistent value at index 3`},
		{`!Select [-1, !Ref List]`, `Template error: Fn::Select cannot select nonexistent value at index -1`},
		{`!Split ["-", "a-b-c"]`, `["a","b","c"]`},
		{`!Select [1, !Split ["/", !Sub "x/${Name}"]]`, `"hello"`},
		{`!Split ["", a]`, `Template error: every Fn::Split object requires two parameters`},
		{`!FindInMap [M, !Ref "AWS::Region", ami]`, `"x"`},
		{`!FindInMap [M, us-east-1, zones]`, `["p","q"]`},
		{`!FindInMap [M, eu-west-1, ami]`, `Template error: Unable to get mapping for M::eu-west-1::ami`},
		{`!FindInMap [M, eu-west-1, ami, {DefaultValue: z}]`, `"z"`},
		{`!FindInMap [N, a, b]`, `Template error: Mapping named 'N' is not present`},
		{`!If [Prod, a, b]`, `"a"`},
		{`!If [Other, a, !Ref Name]`, `"hello"`},
		{`[x, !If [Other, a, !Ref "AWS::NoValue"]]`, `["x"]`},
		{`{k: !Ref "AWS::NoValue", l: 1}`, `{"l":1}`},
		{`!If [Both, !If [Either, both, no], b]`, `"both"`},
		{`!If [Loop, a, b]`, `Template format error: Circular dependency between conditions`},
		{`!If [Prod, a]`, `Template error: Fn::If requires a list argument with three elements`},
		{`!If [Missing, a, b]`, `Template format error: Unresolved condition dependency Missing`},
		{`!Base64 héllo`, `"aMOpbGxv"`},
		{`!Cidr ["10.0.0.0/16", 3, 8]`, `["10.0.0.0/24","10.0.1.0/24","10.0.2.0/24"]`},
		{`!Cidr ["2001:db8::/56", 2, 64]`, `["2001:db8::/64","2001:db8:0:1::/64"]`},
		{`!Cidr ["10.0.0.0/24", 3, 8]`, `Template error: Fn::Cidr: 10.0.0.0/24 has no room`},
		{`!Select [2, !Cidr ["10.0.0.0/16", 256]]`, `"10.0.2.0/24"`},
		{`!GetAZs ""`, `["us-east-1a","us-east-1b","us-east-1c"]`},
		{`!Select [0, !GetAZs eu-west-1]`, `"eu-west-1a"`},
		{`!ImportValue known`, `"imported"`},
		{`!ImportValue other`, `No export named other found`},
		{`!Length [a, b]`, `2`},
		{`!Length a`, `Template error: Fn::Length requires a list`},
		{`!ToJsonString {a: [1, !Ref Name], b: "<"}`, `"{\"a\":[1,\"hello\"],\"b\":\"<\"}"`},
		{`!ToJsonString {a: !Ref Later}`, `unknown`},
		{`{"Fn::Transform": {Name: AWS::Include, Parameters: {}}}`, `Transform AWS::Include is not supported`},
		{`{"Fn::Nonsense": 1}`, `Template error: Encountered unsupported function: Fn::Nonsense`},
	} {
		t.Run(c.in, func(t *testing.T) {
			n, err := template.Parse([]byte("v: " + c.in))
			if err != nil {
				t.Fatal(err)
			}
			in := strings.Replace(c.want, "Nobody", "Nothing", 1)
			v, err := scope(t, true).Eval(n.Value().(map[string]any)["v"])
			got := ""
			switch {
			case err != nil:
				got = err.Error()
			case !intrinsic.Known(v):
				got = "unknown"
			default:
				b := &strings.Builder{}
				enc := json.NewEncoder(b)
				enc.SetEscapeHTML(false)
				if err := enc.Encode(v); err != nil {
					t.Fatal(err)
				}
				got = strings.TrimSpace(b.String())
			}
			if err == nil && got != in || err != nil && !strings.HasPrefix(got, in) {
				t.Errorf("got %s, want %s", got, in)
			}
		})
	}
}

func TestExtensionsTakeTheTransform(t *testing.T) {
	for _, name := range []string{"Fn::Length", "Fn::ToJsonString"} {
		_, err := scope(t, false).Eval(map[string]any{name: []any{}})
		if err == nil || !strings.Contains(err.Error(), "AWS::LanguageExtensions") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestErrorsLeadToTheirPlace(t *testing.T) {
	_, err := scope(t, true).Eval(map[string]any{"a": []any{"x", map[string]any{"Fn::Join": []any{",", []any{map[string]any{"Ref": "No"}}}}}})
	var e *intrinsic.Error
	if !errors.As(err, &e) || strings.Join(e.Path, "/") != "a/1/Fn::Join/1/0/Ref" {
		t.Errorf("path %v of %v", e.Path, err)
	}
}

func TestParameters(t *testing.T) {
	for _, c := range []struct{ def, value, want string }{
		{`{Type: String, AllowedValues: [a, b]}`, "c", "Parameter 'P' must be one of AllowedValues"},
		{`{Type: String, AllowedPattern: "[a-z]+"}`, "abc", ""},
		{`{Type: String, AllowedPattern: "[a-z]+"}`, "ab1", "Parameter 'P' must match pattern [a-z]+"},
		{`{Type: String, AllowedPattern: "[a-z]+", ConstraintDescription: only letters}`, "1", "Parameter 'P' failed to satisfy constraint: only letters"},
		{`{Type: String, MinLength: 2, MaxLength: "3"}`, "x", "Parameter 'P' must contain at least 2 characters"},
		{`{Type: String, MinLength: 2, MaxLength: "3"}`, "wxyz", "Parameter 'P' must contain at most 3 characters"},
		{`{Type: Number, MinValue: 2.5, MaxValue: 10}`, "2", "Parameter 'P' must be a number not less than 2.5"},
		{`{Type: Number, MinValue: 2.5, MaxValue: 10}`, "11", "Parameter 'P' must be a number not greater than 10"},
		{`{Type: Number}`, "x", "Parameter 'P' must be a number"},
		{`{Type: List<Number>}`, "1, 2,x", "Parameter 'P' must be a number"},
		{`{Type: List<Number>}`, "1, 2", ""},
		{`{Type: CommaDelimitedList, AllowedValues: [a, b]}`, "a,c", "Parameter 'P' must be one of AllowedValues"},
		{`{Type: CommaDelimitedList, AllowedValues: [a, b]}`, " a , b", ""},
		{`{Type: CommaDelimitedList, AllowedPattern: "[a-z]+"}`, "a,b1", "Parameter 'P' must match pattern [a-z]+"},
		{`{Type: CommaDelimitedList, AllowedPattern: "[a-z]+", MinLength: 2}`, "ab,c", "Parameter 'P' must contain at least 2 characters"},
		{`{Type: List<Number>, MaxValue: 3}`, "1,4", "Parameter 'P' must be a number not greater than 3"},
		{`{Type: List<Number>, AllowedValues: [1, 2]}`, "1,3", "Parameter 'P' must be one of AllowedValues"},
		{`{Type: Number, MinValue: -2}`, "-1e0", ""},
		{`{Type: Number}`, ".5", ""},
		{`{Type: Number}`, "0x10", "Parameter 'P' must be a number"},
		{`{Type: Number}`, "1_000", "Parameter 'P' must be a number"},
		{`{Type: Number}`, "Infinity", "Parameter 'P' must be a number"},
		{`{Type: Number}`, "1e999", "Parameter 'P' must be a number"},
		{`{Type: Number}`, "", "Parameter 'P' must be a number"},
		{`{Type: Number, AllowedValues: ["1", 2]}`, "2", ""},
		{`{Type: Number, MinValue: 1, ConstraintDescription: one or more}`, "0", "Parameter 'P' failed to satisfy constraint: one or more"},
		{`{Type: String, MinLength: 1}`, "", "Parameter 'P' must contain at least 1 characters"},
		{`{Type: String, MaxLength: 2}`, "éé", ""},
		{`{Type: String, AllowedPattern: "a|b"}`, "ab", "Parameter 'P' must match pattern a|b"},
		{`{Type: String, AllowedPattern: "(?=.*[0-9])(?=.*[a-z])[a-z0-9]{4,}"}`, "abc1", ""},
		{`{Type: String, AllowedPattern: "(?=.*[0-9])(?=.*[a-z])[a-z0-9]{4,}"}`, "abcd", "Parameter 'P' must match pattern (?=.*[0-9])(?=.*[a-z])[a-z0-9]{4,}"},
		{`{Type: String, AllowedPattern: "(?!aws)[a-z]+"}`, "awsome", "Parameter 'P' must match pattern (?!aws)[a-z]+"},
		{`{Type: String, AllowedPattern: "(?!aws)[a-z]+"}`, "mine", ""},
		{`{Type: String, AllowedPattern: "(?!aws)[a-z]+"}`, "mine\n", "Parameter 'P' must match pattern (?!aws)[a-z]+"},
		{`{Type: String, AllowedPattern: '(\w)\1'}`, "aa", ""},
		{`{Type: String, AllowedPattern: "(?=a)(a|aa)+b"}`, strings.Repeat("a", 3000), "Parameter 'P' must match pattern (?=a)(a|aa)+b"},
		{`{Type: AWS::SSM::Parameter::Name, AllowedPattern: "/app/.+"}`, "/other", "Parameter 'P' must match pattern /app/.+"},
		{`{Type: AWS::SSM::Parameter::Value<List<String>>, AllowedPattern: "/app/.+"}`, "/app/list", ""},
	} {
		n, err := template.Parse([]byte("Parameters: {P: " + c.def + "}\nResources: {A: {Type: B}}"))
		if err != nil {
			t.Fatal(err)
		}
		tmpl, err := template.Read(n.Value().(map[string]any), n)
		if err != nil {
			t.Fatal(err)
		}
		_, err = intrinsic.Values(tmpl, map[string]string{"P": c.value})
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got == "" && c.want != "" || !strings.HasPrefix(got, c.want) {
			t.Errorf("%s = %s: %q, want %q", c.def, c.value, got, c.want)
		}
	}
}

func TestLoops(t *testing.T) {
	n, err := template.Parse([]byte(`
Resources:
  Fn::ForEach::Topics:
    - Name
    - !Ref List
    - Topic${Name}:
        Type: A::B::C
        Properties:
          Fn::ForEach::Inner: [X, [p, q-r], {"Key&{X}": !Sub "${Name}/${X}"}]
          Id: !Ref Name
`))
	if err != nil {
		t.Fatal(err)
	}
	s := scope(t, true)
	got, err := s.Expand(n.Value().(map[string]any))
	if err != nil {
		t.Fatal(err)
	}
	b, _ := json.Marshal(got)
	want := `"Topica":{"Properties":{"Id":"a","Keyp":{"Fn::Sub":"a/p"},"Keyqr":{"Fn::Sub":"a/q-r"}},"Type":"A::B::C"}`
	if !strings.Contains(string(b), want) || strings.Count(string(b), "A::B::C") != 3 {
		t.Errorf("got %s", b)
	}
	for _, bad := range []string{`[X, [a, a], {"K${X}": 1}]`, `[X, nope, {"K${X}": 1}]`, `[X, [a]]`, `x`} {
		n, err := template.Parse([]byte("Resources:\n  Fn::ForEach::L: " + bad))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Expand(n.Value().(map[string]any)); err == nil {
			t.Errorf("%s was accepted", bad)
		}
	}
}

func FuzzEval(f *testing.F) {
	for _, s := range []string{`!Sub "${Name}${"`, `!Join [",", [!Ref Later]]`, `!Cidr ["::/0", 256, 128]`, `!Select [!Ref Made, []]`, `{"Fn::If": [Prod]}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		n, err := template.Parse([]byte("v: " + in))
		if err != nil {
			return
		}
		s := scope(t, true)
		_, _ = s.Eval(n.Value())
		if doc, err := s.Expand(n.Value().(map[string]any)); err == nil {
			_, _ = s.Eval(doc)
		}
	})
}

// TestParameterTypes: which types parameters may have, whether they are lists, and
// what of the account they name.
func TestParameterTypes(t *testing.T) {
	for _, c := range []struct {
		kind  string
		list  bool
		names string
		wrong bool
	}{
		{kind: "String"}, {kind: "Number"}, {kind: "List<Number>", list: true}, {kind: "List<String>", list: true}, {kind: "CommaDelimitedList", list: true},
		{kind: "AWS::EC2::VPC::Id", names: "AWS::EC2::VPC::Id"}, {kind: "AWS::Route53::HostedZone::Id", names: "AWS::Route53::HostedZone::Id"},
		{kind: "List<AWS::EC2::Subnet::Id>", list: true, names: "AWS::EC2::Subnet::Id"},
		{kind: "AWS::SSM::Parameter::Name"}, {kind: "AWS::SSM::Parameter::Value<String>"},
		{kind: "AWS::SSM::Parameter::Value<List<String>>", list: true}, {kind: "AWS::SSM::Parameter::Value<CommaDelimitedList>", list: true},
		{kind: "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>", names: "AWS::EC2::Image::Id"},
		{kind: "AWS::SSM::Parameter::Value<List<AWS::EC2::Image::Id>>", list: true, names: "AWS::EC2::Image::Id"},
		{kind: "AWS::SSM::Parameter::Value<Number>", wrong: true}, {kind: "AWS::SSM::Parameter::Value<>", wrong: true}, {kind: "AWS::SSM::Parameter::Value", wrong: true},
		{kind: "List<CommaDelimitedList>", wrong: true}, {kind: "List<AWS::EC2::Subnet::Id", wrong: true}, {kind: "AWS::EC2::Nothing::Id", wrong: true}, {kind: "string", wrong: true}, {kind: "List<AWS::SSM::Parameter::Name>", wrong: true},
	} {
		n, err := template.Parse([]byte("Parameters: {P: {Type: '" + c.kind + "'}}\nResources: {A: {Type: B}}"))
		if err != nil {
			t.Fatal(err)
		}
		tmpl, err := template.Read(n.Value().(map[string]any), n)
		if c.wrong {
			if err == nil || !strings.Contains(err.Error(), "Unrecognized parameter type: "+c.kind) {
				t.Errorf("%s: %v", c.kind, err)
			}
			continue
		}
		if err != nil {
			t.Error(err)
		} else if p := tmpl.Parameters["P"]; p.IsList() != c.list || p.Names() != c.names {
			t.Errorf("%s: a list %v, names %q", c.kind, p.IsList(), p.Names())
		}
	}
}
