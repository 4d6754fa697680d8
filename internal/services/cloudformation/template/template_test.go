package template

import (
	"strings"
	"testing"
)

func TestPlaces(t *testing.T) {
	for name, text := range map[string]string{
		"yaml": "Resources:\n  A:\n    Type: X\n    Properties:\n      Size: [1,\n        2]\n",
		"json": "{\"Resources\":\n  {\"A\":\n    {\"Type\": \"X\", \"Properties\":\n      {\"Size\": [1,\n        2]}}}}",
	} {
		n, err := Parse([]byte(text))
		if err != nil {
			t.Fatal(name, err)
		}
		if got := n.At("Resources", "A", "Properties", "Size", "1").Line; got != 6 && got != 5 {
			t.Errorf("%s: the second size is in line %d", name, got)
		}
		if a, b := n.At("Resources", "A", "Nope"), n.At("Resources", "A"); a != b {
			t.Errorf("%s: what is missing stands at %v, not %v", name, a, b)
		}
	}
}

func TestRefused(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{`{"Resources": {"A": {"Type": "X"}, "A": {"Type": "Y"}}}`, "Template format error: Duplicate key 'A' (line 1, column 36)"},
		{`{"Resources": }`, "Template format error: JSON not well-formed. (line 1, column 15)"},
		{`{"Resources": {}} x`, "Template format error: JSON not well-formed."},
		{`{"Resources": {"A": `, "Template format error: JSON not well-formed."},
		{strings.Repeat("[", 1000) + "]", "Template format error:"},
		{`{"a": ` + strings.Repeat("[", 1000), "Template format error: the template is nested"},
		{"- a", "Template format error: unsupported structure."},
		{"text", "Template format error: unsupported structure."},
		{"", "Template format error: unsupported structure."},
		{"a: !Foo x", "Template format error: YAML not well-formed: unknown tag !Foo"},
		{"a: !GetAtt x", "Template format error: every Fn::GetAtt object requires two non-empty parameters"},
		{strings.Repeat("x", MaxURL+1), "Template format error: the template has more than 1048576 bytes"},
	} {
		_, err := Parse([]byte(c.text))
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%.40s: %v, want %s", c.text, err, c.want)
		}
	}
}

func TestSections(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"Resources: {}", "Template format error: At least one Resources member must be defined."},
		{"Description: x", "Template format error: At least one Resources member must be defined."},
		{"Foo: 1\nBar: 2\nResources: {A: {Type: X}}", "Invalid template property or properties [Bar, Foo] (line 2, column 1)"},
		{"AWSTemplateFormatVersion: 2012-01-01\nResources: {A: {Type: X}}", "Template format error: unsupported value for AWSTemplateFormatVersion."},
		{"Resources:\n  A: {}", "Template format error: [/Resources/A] Every Resources object must contain a Type member. (line 2, column 3)"},
		{"Resources:\n  A-B: {Type: X}", "Template format error: Resource name A-B is non alphanumeric. (line 2, column 3)"},
		{"Resources:\n  A: {Type: X, Properties: [1]}", "Template format error: [/Resources/A] Any Properties member must be a JSON object."},
		{"Resources:\n  A: {Type: X, Foo: 1}", "Invalid template resource property 'Foo' (line 2, column 16)"},
		{"Resources:\n  A:\n    Type: X\n    Properties:\n      P:\n", "Template format error: [/Resources/A/Properties/P] 'null' values are not allowed in templates (line 5, column 7)"},
		{"Resources:\n  A: {Type: X, DependsOn: {a: b}}", "Template format error: [/Resources/A] DependsOn must be a string or a list of strings."},
		{"Parameters: {P: {}}\nResources: {A: {Type: X}}", "Template format error: Every Parameters object must contain a Type member."},
		{"Parameters: {P: {Type: Strin}}\nResources: {A: {Type: X}}", "Template format error: Unrecognized parameter type: Strin"},
		{"Parameters: {P: {Type: String, AllowedPattern: '('}}\nResources: {A: {Type: X}}", "Template format error: AllowedPattern ("},
		{"Outputs: {O: {}}\nResources: {A: {Type: X}}", "Template format error: Every Outputs member must contain a Value object"},
		{"Outputs: {O: {Value: 1, Export: x}}\nResources: {A: {Type: X}}", "Template format error: Every Export member must contain a Name object"},
		{"Mappings: {M: {a: b}}\nResources: {A: {Type: X}}", "Template format error: Every Mappings attribute must be a String or a List"},
	} {
		n, err := Parse([]byte(c.text))
		if err == nil {
			_, err = Read(n.Value().(map[string]any), n)
		}
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%q: %v, want %s", c.text, err, c.want)
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, s := range []string{
		"Resources:\n  A: {Type: X, Properties: {B: !Sub 'x', C: [!Ref A, &a 1, *a]}}\n", `{"Resources": {"A": {"Type": "X"}}}`,
		"a: |\n  x\nb: >-\n  y\n<<: {c: 1}\n", "!!str a: !!int b\n? x\n: y\n", "%YAML 1.1\n---\na: 'b''c'\n...\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		n, err := Parse(text)
		if err != nil {
			return
		}
		doc := n.Value().(map[string]any)
		if tmpl, err := Read(doc, n); err == nil && len(tmpl.Resources) != len(tmpl.Order) {
			t.Errorf("%d resources, %d in order", len(tmpl.Resources), len(tmpl.Order))
		}
	})
}
