// Package samconfig reads samconfig.toml (or .yaml), in which the SAM CLI keeps a
// project's settings.
// https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/serverless-sam-cli-config.html
package samconfig

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Config is what a deployment takes from the file.
type Config struct {
	Path       string // of the file; "" if there is none
	Stack      string
	Region     string
	Parameters map[string]string
	Tags       map[string]string
	Role       string // role_arn: as whom CloudFormation acts
	// Unused are the settings that a deployment would act on and this one does not.
	Unused []string
}

// meaningless are settings of a deployment that change nothing of the stack here:
// how it is uploaded, what is asked and printed, and where AWS is.
var meaningless = map[string]bool{
	"capabilities": true, "confirm_changeset": true, "resolve_s3": true, "s3_bucket": true, "s3_prefix": true, "force_upload": true,
	"resolve_image_repos": true, "image_repository": true, "image_repositories": true, "profile": true, "fail_on_empty_changeset": true,
	"no_progressbar": true, "debug": true, "beta_features": true, "save_params": true, "use_json": true, "guided": true, "max_wait_duration": true,
	"template": true, "template_file": true, "on_failure": true,
}

// Load reads the settings of an environment ("default") for `deploy`, over those
// for all commands, from the file beside a template. A folder without a file
// gives an empty Config; an environment that is named and not there is an error.
func Load(dir, environment string) (*Config, error) {
	c := &Config{Parameters: map[string]string{}, Tags: map[string]string{}}
	var tables map[string]map[string]any
	for _, name := range []string{"samconfig.toml", "samconfig.yaml", "samconfig.yml"} {
		path := filepath.Join(dir, name)
		text, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			if strings.HasSuffix(name, ".toml") {
				tables, err = parse(string(text))
			} else {
				tables, err = fromYAML(text)
			}
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		c.Path = path
		break
	}
	if environment == "" {
		environment = "default"
	}
	found := false
	for _, command := range []string{"global", "deploy"} {
		table, ok := tables[environment+"."+command+".parameters"]
		found = found || ok
		if err := c.take(table); err != nil {
			return nil, fmt.Errorf("%s: [%s.%s.parameters]: %w", c.Path, environment, command, err)
		}
	}
	if !found && environment != "default" {
		if c.Path == "" {
			return nil, fmt.Errorf("the environment %s is wanted, and %s has no samconfig.toml", environment, dir)
		}
		return nil, fmt.Errorf("%s has no [%s.deploy.parameters]", c.Path, environment)
	}
	sort.Strings(c.Unused)
	return c, nil
}

// fromYAML brings the YAML form, whose tables are nested, into TOML's.
func fromYAML(text []byte) (map[string]map[string]any, error) {
	var doc map[string]any
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, err
	}
	out := map[string]map[string]any{}
	for environment, v := range doc {
		commands, _ := v.(map[string]any)
		for command, v := range commands {
			m, _ := v.(map[string]any)
			if table, ok := m["parameters"].(map[string]any); ok {
				out[environment+"."+command+".parameters"] = table
			}
		}
	}
	return out, nil
}

func (c *Config) take(table map[string]any) error {
	for k, v := range table {
		switch k {
		case "stack_name":
			c.Stack = fmt.Sprint(v)
		case "region":
			c.Region = fmt.Sprint(v)
		case "role_arn":
			c.Role = fmt.Sprint(v)
		case "parameter_overrides":
			if err := pairs(k, v, c.Parameters); err != nil {
				return err
			}
		case "tags":
			if err := pairs(k, v, c.Tags); err != nil {
				return err
			}
		default:
			if off, isBool := v.(bool); !meaningless[k] && (!isBool || off) {
				c.Unused = append(c.Unused, k)
			}
		}
	}
	return nil
}

// pairs reads parameter_overrides or tags into a map: a text or a list of
// "Name=Value", of the older "ParameterKey=Name,ParameterValue=Value", or a map.
func pairs(setting string, v any, to map[string]string) error {
	var all []string
	switch v := v.(type) {
	case string:
		var err error
		if all, err = words(v); err != nil {
			return fmt.Errorf("%s: %w", setting, err)
		}
	case []any:
		for _, x := range v {
			all = append(all, fmt.Sprint(x))
		}
	case map[string]any:
		for k, x := range v {
			to[k] = fmt.Sprint(x)
		}
	}
	for _, w := range all {
		if rest, ok := strings.CutPrefix(w, "ParameterKey="); ok {
			k, value, ok := strings.Cut(rest, ",ParameterValue=")
			if !ok {
				return fmt.Errorf("%s: %q has no ParameterValue", setting, w)
			}
			to[k] = value
			continue
		}
		k, value, ok := strings.Cut(w, "=")
		if !ok || k == "" {
			return fmt.Errorf("%s: %q is not Name=Value", setting, w)
		}
		to[k] = value
	}
	return nil
}

// words splits a text at spaces, but for those in quotes, which are taken off.
func words(s string) ([]string, error) {
	var out []string
	var b strings.Builder
	quote, inside := rune(0), false
	escaped := false
	for _, r := range s {
		switch {
		case escaped:
			b.WriteRune(r)
			escaped = false
		case r == '\\' && quote != '\'':
			escaped, inside = true, true
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			b.WriteRune(r)
		case r == '"' || r == '\'':
			quote, inside = r, true
		case r == ' ' || r == '\t' || r == '\n':
			if inside {
				out = append(out, b.String())
				b.Reset()
				inside = false
			}
		default:
			b.WriteRune(r)
			inside = true
		}
	}
	if quote != 0 || escaped {
		return nil, errors.New("a quote is not closed")
	}
	if inside {
		out = append(out, b.String())
	}
	return out, nil
}
