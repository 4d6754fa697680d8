package template

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestYAML reads what templates are written in.
func TestYAML(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"short forms", "a: !Ref X\nb: !Sub '${Y}'\nc: !GetAtt R.Arn.Sub\nd: !Join [',', [!Ref A, b]]\ne: !If [C, 1, !Ref AWS::NoValue]",
			`{"a":{"Ref":"X"},"b":{"Fn::Sub":"${Y}"},"c":{"Fn::GetAtt":["R","Arn.Sub"]},"d":{"Fn::Join":[",",[{"Ref":"A"},"b"]]},"e":{"Fn::If":["C",1,{"Ref":"AWS::NoValue"}]}}`},
		{"long forms in flow maps", "a: {Fn::Join: ['', [x, {Ref: y}]]}", `{"a":{"Fn::Join":["",["x",{"Ref":"y"}]]}}`},
		{"versions stay text", "Version: 2012-10-17\nat: 12:30\nn: 010\nt: yes\nq: 'yes'\nz: ~", `{"Version":"2012-10-17","at":"12:30","n":8,"q":"yes","t":true,"z":null}`},
		{"anchors and merges", "x: &x {a: 1, b: 2}\ny:\n  <<: *x\n  b: 3\nz: *x", `{"x":{"a":1,"b":2},"y":{"a":1,"b":3},"z":{"a":1,"b":2}}`},
		{"blocks", "a: |\n  one\n  two\nb: >-\n  one\n  two\n", `{"a":"one\ntwo\n","b":"one two"}`},
		{"account ids stay digits", "a: '000000000000'\nb: 123456789012", `{"a":"000000000000","b":123456789012}`},
	} {
		n, err := Parse([]byte(c.text))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		got, err := json.Marshal(n.Value())
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
}

// TestYAMLRefused names the line of what is wrong.
func TestYAMLRefused(t *testing.T) {
	bomb := "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
	for i := 1; i < 8; i++ {
		p, c := string(rune('0'+i-1)), string(rune('0'+i))
		bomb += "a" + c + ": &a" + c + " [" + strings.TrimSuffix(strings.Repeat("*a"+p+", ", 10), ", ") + "]\n"
	}
	for _, c := range []struct{ name, text, want string }{
		{"duplicate key", "Resources:\n  A: 1\n  B: 2\n  A: 3\n", "Duplicate key 'A' (line 4, column 3)"},
		{"unknown tag", "a: 1\nb: !Nope x\n", "unknown tag !Nope"},
		{"tab", "a:\n\tb: 1\n", "line 2"},
		{"open quote", "a: 'x\nb: 1\n", "YAML not well-formed"},
		{"two documents", "a: 1\n---\nb: 2\n", "more than one document"},
		{"alias bomb", bomb, "once its aliases are followed"},
		{"alias within itself", "a: &a\n  b: *a\n", "YAML not well-formed"},
		{"a list", "- a\n", "unsupported structure"},
		{"nothing", "", "unsupported structure"},
		{"deep", "a: " + strings.Repeat("[", 500) + strings.Repeat("]", 500), "nested deeper"},
		{"half a GetAtt", "a: !GetAtt X\n", "Fn::GetAtt"},
	} {
		_, err := Parse([]byte(c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want it to say %q", c.name, err, c.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("Resources:\n  A: {Type: X, Properties: {B: !Sub '${C}'}}\n"))
	f.Add([]byte(`{"Resources": {"A": {"Type": "X"}}}`))
	f.Add([]byte("a: &a {b: 1}\nc: {<<: *a}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		n, err := Parse(text)
		if err != nil {
			return
		}
		doc, ok := n.Value().(map[string]any)
		if !ok {
			t.Fatalf("a template became %T", n.Value())
		}
		if tpl, err := Read(doc, n); err == nil && tpl == nil {
			t.Fatal("neither a template nor an error")
		}
	})
}
