package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const shop = `
Transform: AWS::Serverless-2016-10-31
Parameters:
  Stage: {Type: String, AllowedValues: [dev, prod]}
Resources:
  Hello:
    Type: AWS::Serverless::Function
    Properties: {Runtime: nodejs22.x, Handler: index.handler, InlineCode: "exports.handler = async () => 1", FunctionName: !Ref Stage}
`

// run runs a command of the command line and returns what it printed.
func run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	c := commands()
	c.SetOut(&out)
	c.SetErr(&out)
	c.SetArgs(args)
	err := c.ExecuteContext(t.Context())
	return out.String(), err
}

func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "template.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestTransform prints what SAM makes of a template without a server.
func TestTransform(t *testing.T) {
	path := file(t, shop)
	out, err := run(t, "transform", path)
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Transform any
		Resources map[string]struct{ Type string }
	}
	if err := json.Unmarshal([]byte(out), &doc); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	if doc.Resources["Hello"].Type != "AWS::Lambda::Function" || doc.Resources["HelloRole"].Type != "AWS::IAM::Role" || doc.Transform != nil {
		t.Errorf("got %s", out)
	}
	if !strings.Contains(out, `"Ref": "Stage"`) {
		t.Errorf("the reference to a parameter without a value is gone: %s", out)
	}
	out, err = run(t, "transform", path, "--yaml", "--parameter", "Stage=dev", "--region", "eu-west-1")
	if err != nil || !strings.Contains(out, "Type: AWS::Lambda::Function") {
		t.Errorf("as YAML: %v, %s", err, out)
	}
}

// TestTransformLocal lets paths of the disk through, as a template has them before
// it is packaged.
func TestTransformLocal(t *testing.T) {
	out, err := run(t, "transform", filepath.Join("..", "..", "examples", "links", "template.yaml"))
	if err != nil || !strings.Contains(out, `"Code": "functions/`) && !strings.Contains(out, `"Code": "follow`) {
		t.Errorf("%v: %s", err, out)
	}
}

// TestTransformRefuses words errors as the server does.
func TestTransformRefuses(t *testing.T) {
	for _, c := range []struct{ text, parameter, want string }{
		{strings.Replace(shop, "Handler: index.handler", "Handle: index.handler", 1), "Stage=dev",
			"Transform AWS::Serverless-2016-10-31 failed with: Invalid Serverless Application Specification document. Number of errors found: 1. Resource with id [Hello] is invalid."},
		{shop, "Stage=test", "Parameter 'Stage' must be one of AllowedValues"},
		{shop, "Stag=dev", "Parameters: [Stag] do not exist in the template"},
		{"Resources: [", "Stage=dev", "Template"},
		{"[]", "Stage=dev", "Template"},
	} {
		_, err := run(t, "transform", file(t, c.text), "--parameter", c.parameter)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
}

// TestTransformTellsWhere names the file, the line and the column of what is wrong.
func TestTransformTellsWhere(t *testing.T) {
	path := file(t, "Transform: AWS::Serverless-2016-10-31\nResources:\n  T:\n    Type: AWS::Serverless::SimpleTable\n    Properties:\n      Zoo: 1\n")
	if _, err := run(t, "transform", path); err == nil || !strings.HasSuffix(err.Error(), "property Zoo not defined for resource of type AWS::Serverless::SimpleTable ("+path+":6:7)") {
		t.Errorf("got %v", err)
	}
	path = file(t, "a: [\n")
	if _, err := run(t, "transform", path); err == nil || !strings.Contains(err.Error(), "("+path+":") {
		t.Errorf("got %v", err)
	}
	if _, err := run(t, "transform"); err == nil || !strings.Contains(err.Error(), "one TEMPLATE") {
		t.Errorf("without a template: %v", err)
	}
}

// TestTransformParameters takes values with commas and equals signs in them.
func TestTransformParameters(t *testing.T) {
	path := file(t, `Transform: AWS::Serverless-2016-10-31
Parameters: {Query: {Type: String}, Zones: {Type: CommaDelimitedList}}
Resources:
  L: {Type: AWS::Serverless::LayerVersion, Properties: {ContentUri: s3://b/k, Description: !Ref Query}}
`)
	out, err := run(t, "transform", path, "--parameter", "Query=a=1,b=2", "--parameter", "Zones=p,q")
	if err != nil || !strings.Contains(out, `"Description": "a=1,b=2"`) {
		t.Errorf("%v: %s", err, out)
	}
	if _, err := run(t, "transform", path, "--parameter", "Query"); err == nil || !strings.Contains(err.Error(), "K=V") {
		t.Errorf("a parameter without a value: %v", err)
	}
}
