// Package cdk turns an application of the AWS Cloud Development Kit into a cloud
// assembly, as the CDK's command line does, and reads assemblies.
// https://docs.aws.amazon.com/cdk/v2/guide/configure-synth.html
package cdk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
)

// File is the file that makes a folder a CDK application.
const File = "cdk.json"

// App is a CDK application on this disk.
type App struct {
	// Dir is the application's folder, an absolute path.
	Dir string
	// Output is the folder that the assembly is written to, an absolute path.
	Output string
	// Toolkit names the stack of the bootstrap resources.
	Toolkit string
	// Unused are the settings of cdk.json that steer the CDK's command line only.
	Unused []string

	command, build string
	context        map[string]any
	include        []string
	exclude        []string
}

// settings of cdk.json that say how the CDK's command line talks, or what it asks.
var quiet = map[string]bool{
	"notices": true, "versionReporting": true, "requireApproval": true, "progress": true, "debug": true, "color": true,
	"pathMetadata": true, "assetMetadata": true, "telemetry": true, "language": true, "ci": true,
}

// Load reads cdk.json and cdk.context.json of a folder.
func Load(dir string) (*App, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, File)
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var doc map[string]json.RawMessage
	if err := json.Unmarshal(text, &doc); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	a := &App{Dir: dir, Output: "cdk.out", Toolkit: "CDKToolkit", context: map[string]any{}}
	var watch struct{ Include, Exclude patterns }
	for name, value := range doc {
		var to any
		switch name {
		case "app":
			to = &a.command
		case "build":
			to = &a.build
		case "output":
			to = &a.Output
		case "toolkitStackName":
			to = &a.Toolkit
		case "context":
			to = &a.context
		case "watch":
			to = &watch
		default:
			if !quiet[name] {
				a.Unused = append(a.Unused, name)
			}
			continue
		}
		if err := json.Unmarshal(value, to); err != nil {
			return nil, fmt.Errorf("%s: %s: %w", path, name, err)
		}
	}
	if a.command == "" {
		return nil, fmt.Errorf("%s has no \"app\", the command that makes the assembly", path)
	}
	a.include, a.exclude = watch.Include, watch.Exclude
	if !filepath.IsAbs(a.Output) {
		a.Output = filepath.Join(dir, a.Output)
	}
	looked := map[string]any{}
	text, err = os.ReadFile(filepath.Join(dir, "cdk.context.json"))
	if err == nil {
		err = json.Unmarshal(text, &looked)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, "cdk.context.json"), err)
	}
	if a.context == nil {
		a.context = map[string]any{}
	}
	maps.Copy(a.context, looked)
	return a, nil
}

// patterns is one pattern, or a list of them.
type patterns []string

// UnmarshalJSON implements json.Unmarshaler.
func (p *patterns) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*p = patterns{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(p))
}

// Run runs a command in a folder with further variables and returns what it wrote.
type Run func(ctx context.Context, dir string, env []string, name string, args ...string) ([]byte, error)

// Synth runs the application's command for an account and a region and reads the
// assembly that it makes. path is the variable PATH. Where "app" of cdk.json is a
// folder, that is the assembly.
func (a *App) Synth(ctx context.Context, run Run, path, account, region string) (*Assembly, error) {
	if dir := filepath.Join(a.Dir, a.command); isAssembly(dir) {
		return Read(dir, account, region)
	}
	values := map[string]any{"aws:cdk:enable-path-metadata": true, "aws:cdk:enable-asset-metadata": true}
	maps.Copy(values, a.context)
	context, err := json.Marshal(values)
	if err != nil {
		return nil, err
	}
	env := []string{
		// Programs of the application's packages are found as npx finds them.
		"PATH=" + filepath.Join(a.Dir, "node_modules", ".bin") + string(os.PathListSeparator) + path,
		"CDK_OUTDIR=" + a.Output, "CDK_DEFAULT_ACCOUNT=" + account, "CDK_DEFAULT_REGION=" + region, "CDK_CONTEXT_JSON=" + string(context),
	}
	for _, command := range []string{a.build, a.command} {
		if command == "" {
			continue
		}
		if text, err := run(ctx, a.Dir, env, "sh", "-c", command); err != nil {
			return nil, fmt.Errorf("%s: %w\n%s", command, err, strings.TrimSpace(string(text)))
		}
	}
	return Read(a.Output, account, region)
}

func isAssembly(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, manifestFile))
	return err == nil
}
