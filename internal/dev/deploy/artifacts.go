package deploy

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"go.yaml.in/yaml/v4"
)

// local are the properties that hold a path of this disk, besides functions' code.
var local = map[string][]string{
	"AWS::Serverless::Api": {"DefinitionUri"}, "AWS::Serverless::HttpApi": {"DefinitionUri"},
	"AWS::Serverless::StateMachine": {"DefinitionUri"}, "AWS::Serverless::LayerVersion": {"ContentUri"},
	"AWS::Serverless::Application": {"Location"}, "AWS::Serverless::Function": {"CodeUri"}, "AWS::Serverless::GraphQLApi": {"SchemaUri"},
	"AWS::CloudFormation::Stack": {"TemplateURL"}, "AWS::Lambda::LayerVersion": {"Content"}, "AWS::Lambda::Function": {"Code"},
	"AWS::ApiGateway::RestApi": {"BodyS3Location"}, "AWS::StepFunctions::StateMachine": {"DefinitionS3Location"},
	"AWS::AppSync::GraphQLSchema": {"DefinitionS3Location"},
}

// Artifacts does what `sam build` does: it builds the functions into folders
// below dir that are named after them, and writes beside them a template.yaml
// that names these folders, for `sam deploy` or `aws cloudformation package` to
// go on from. Paths that nothing is built from are rewritten to be seen from dir.
// It returns the path of that template.
func (u *Up) Artifacts(ctx context.Context, dir string) (string, error) {
	app, err := u.read()
	if err != nil {
		return "", err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return "", err
	}
	packages, err := u.build(ctx, app.functions)
	if err != nil {
		return "", err
	}
	doc, _ := app.node.Value().(map[string]any)
	if err := app.rebase(doc, dir); err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	for _, f := range app.functions {
		p := packages[f.LogicalID]
		if info, err := os.Stat(f.Source); err == nil && (!info.IsDir() || f.SkipBuild && !slices.Contains(app.inherited, f.LogicalID)) {
			continue // what is finished stays where it is
		}
		if err := p.Unpack(filepath.Join(dir, f.LogicalID)); err != nil {
			return "", fmt.Errorf("write the package of %s: %w", f.LogicalID, err)
		}
		r := object(object(doc["Resources"])[f.LogicalID])
		props := object(r["Properties"])
		if props == nil {
			props = map[string]any{}
			r["Properties"] = props
		}
		props[codeKey(text1(r["Type"]))] = f.LogicalID
	}
	if g := object(object(doc["Globals"])["Function"]); len(app.inherited) > 0 {
		delete(g, "CodeUri") // each function has its own now
	}
	text, err := yaml.Marshal(doc)
	if err != nil {
		return "", fmt.Errorf("write the template: %w", err)
	}
	path := filepath.Join(dir, "template.yaml")
	return path, os.WriteFile(path, text, 0o644)
}

// rebase rewrites the paths that doc holds to be seen from dir.
func (a *application) rebase(doc map[string]any, dir string) error {
	from, err := filepath.Rel(dir, a.dir)
	if err != nil {
		return err
	}
	move := func(m map[string]any, key string) {
		s, ok := m[key].(string)
		if !ok || s == "" || remote(s) || filepath.IsAbs(s) {
			return
		}
		if _, err := os.Stat(filepath.Join(a.dir, s)); err == nil {
			m[key] = filepath.ToSlash(filepath.Join(from, s))
		}
	}
	for _, v := range object(doc["Resources"]) {
		r := object(v)
		for _, key := range local[text1(r["Type"])] {
			move(object(r["Properties"]), key)
		}
		move(object(object(r["Metadata"])["Content"]), "Folder")
	}
	includes(doc, move)
	return nil
}

// includes finds the Location of every AWS::Include.
func includes(v any, move func(m map[string]any, key string)) {
	switch v := v.(type) {
	case []any:
		for _, x := range v {
			includes(x, move)
		}
	case map[string]any:
		if v["Name"] == "AWS::Include" {
			move(object(v["Parameters"]), "Location")
		}
		for _, x := range v {
			includes(x, move)
		}
	}
}
