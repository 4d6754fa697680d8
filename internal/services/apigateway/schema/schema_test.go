package schema

import (
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	models := map[string]string{
		"Pet": `{"$schema":"http://json-schema.org/draft-04/schema#","type":"object","required":["name"],"additionalProperties":false,
			"properties":{"name":{"type":"string","pattern":"^[a-z]+$","maxLength":5},"age":{"type":"integer","minimum":0,"exclusiveMinimum":true},
			"friend":{"$ref":"https://apigateway.amazonaws.com/restapis/abc/models/Pet"},"home":{"$ref":"#/definitions/Home"},"tag":{"$ref":"#/components/schemas/Tag"}}}`,
		"Home": `{"type":"object","properties":{"street":{"$ref":"#/definitions/text"}},"definitions":{"text":{"type":"string"}}}`,
		"Tag":  `{"enum":["a","b"]}`, "Broken": `{"$ref":"http://example.com/x"}`, "Any": "", "Lost": `{"$ref":"#/definitions/Gone"}`, "Wrong": `{"type":"thing"}`,
	}
	s, err := Compile(models, "Pet")
	if err != nil {
		t.Fatal(err)
	}
	for body, want := range map[string]string{
		`{"name":"rex"}`: "", `{"name":"rex","age":1,"friend":{"name":"bo"},"home":{"street":"x"},"tag":"a"}`: "",
		`{}`: "missing property", `{"name":"Rex"}`: "/name", `{"name":"abcdef"}`: "maxLength", `{"name":"a","age":0}`: "/age", `{"name":"a","age":1.5}`: "integer",
		`{"name":"a","x":1}`: "additional", `{"name":"a","friend":{}}`: "/friend", `{"name":"a","home":{"street":1}}`: "/home/street", `{"name":"a","tag":"c"}`: "/tag",
		``: "not JSON", `{"name":"a"} x`: "not JSON", `[]`: "object",
	} {
		got := strings.Join(s.Check([]byte(body)), "; ")
		if want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %s", body, got, want)
		}
	}
	for _, name := range []string{"Broken", "Lost", "Wrong"} {
		if _, err := Compile(models, name); err == nil {
			t.Errorf("%s was compiled", name)
		}
	}
	if s, err := Compile(models, "Any"); err != nil || s.Check([]byte("x")) != nil {
		t.Error("a model without a schema", err)
	}
}

func FuzzCompile(f *testing.F) {
	f.Add(`{"type":"object","properties":{"a":{"$ref":"#/definitions/M"}}}`, `{"a":{}}`)
	f.Fuzz(func(t *testing.T, schema, body string) {
		if s, err := Compile(map[string]string{"M": schema}, "M"); err == nil && len(body) < 1000 {
			s.Check([]byte(body))
		}
	})
}
