package samconfig

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

const file = `
version = 0.1
[default] # a table without anything
[default.global.parameters]
stack_name = "all"
region = 'eu-west-1'

[default.deploy.parameters]
stack_name = "shop"
capabilities = "CAPABILITY_IAM"
parameter_overrides = "Stage=\"dev one\" Size=3 ParameterKey=Old,ParameterValue=\"a b\" Empty="
disable_rollback = true
tags = "team=one owner=\"some body\""
role_arn = "arn:aws:iam::000000000000:role/deployer"
no_progressbar = false

[prod.deploy.parameters]
stack_name = """shop-prod"""
parameter_overrides = [
  "Stage=prod", # the list form
  "Name=with space",
]
confirm_changeset = true
`

func folder(t *testing.T, name, text string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestLoad(t *testing.T) {
	dir := folder(t, "samconfig.toml", file)
	inYAML := folder(t, "samconfig.yaml", "version: 0.1\nprod: {deploy: {parameters: {stack_name: shop-prod, parameter_overrides: [Stage=prod, Name=with space]}}}\n")
	for _, c := range []struct {
		dir, environment string
		want             Config
	}{
		{dir, "", Config{Stack: "shop", Region: "eu-west-1", Unused: []string{"disable_rollback"},
			Tags: map[string]string{"team": "one", "owner": "some body"}, Role: "arn:aws:iam::000000000000:role/deployer",
			Parameters: map[string]string{"Stage": "dev one", "Size": "3", "Old": "a b", "Empty": ""}}},
		{dir, "prod", Config{Stack: "shop-prod", Parameters: map[string]string{"Stage": "prod", "Name": "with space"}}},
		{inYAML, "prod", Config{Stack: "shop-prod", Parameters: map[string]string{"Stage": "prod", "Name": "with space"}}},
		{t.TempDir(), "", Config{Parameters: map[string]string{}}},
	} {
		got, err := Load(c.dir, c.environment)
		if err != nil {
			t.Fatal(err)
		}
		got.Path = ""
		if c.want.Tags == nil {
			c.want.Tags = map[string]string{}
		}
		if !reflect.DeepEqual(*got, c.want) {
			t.Errorf("%s: got %+v, want %+v", c.environment, *got, c.want)
		}
	}
}

func TestRefused(t *testing.T) {
	for text, want := range map[string]string{
		"x":            `line 1: "=" is missing after x`,
		"x = ":         "line 1: a value is missing",
		"\nx = \"a":    "line 2: a string is not closed",
		"x = 1 2":      "line 1: there is more after the value of x",
		"[[a]]":        "line 1: arrays of tables are not read",
		"x = 1\nx = 2": "line 2: the key x is there twice",
		"x = [1":       "an array is not closed",
		"x = {a = 1}":  "is not a value that is read here",
		`x = "\q"`:     `\q is no escape`,
		"[default.deploy.parameters]\nparameter_overrides = \"a\"":  `"a" is not Name=Value`,
		"[default.deploy.parameters]\nparameter_overrides = \"'a\"": "a quote is not closed",
	} {
		if _, err := Load(folder(t, "samconfig.toml", text), ""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
	for _, dir := range []string{t.TempDir(), folder(t, "samconfig.toml", file)} {
		if _, err := Load(dir, "test"); err == nil {
			t.Error("an environment that is not there is taken")
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(file)
	f.Add("x = [\"a\", 'b', 1.5, 0x1f, true,]\n\"quoted key\".b = \"\\u00e9\\\\\"")
	f.Fuzz(func(t *testing.T, text string) {
		tables, err := parse(text)
		if err != nil {
			return
		}
		c := &Config{Parameters: map[string]string{}, Tags: map[string]string{}}
		for _, table := range tables {
			_ = c.take(table) // whatever it says
		}
	})
}
