package codedeploy

import (
	"encoding/json"
	"fmt"
	"sort"
	"strings"

	"go.yaml.in/yaml/v4"

	api "github.com/tierra-cloud/tierra/internal/gen/codedeploy"
)

// appSpec is what an AppSpec file for Lambda says.
// https://docs.aws.amazon.com/codedeploy/latest/userguide/reference-appspec-file-structure-resources.html#reference-appspec-file-structure-resources-lambda
type appSpec struct {
	Function, Alias string
	Current, Target string // versions
	Before, After   string `json:",omitempty"` // the hooks' functions
}

// maxAppSpec is the most bytes that an AppSpec file may have.
const maxAppSpec = 256 << 10

// The lifecycle events of a deployment to Lambda.
const (
	eventStart  = "Start"
	eventBefore = "BeforeAllowTraffic"
	eventAllow  = "AllowTraffic"
	eventAfter  = "AfterAllowTraffic"
	eventEnd    = "End"
)

// parseAppSpec reads an AppSpec file, in YAML or JSON.
func parseAppSpec(text string) (appSpec, error) {
	var out appSpec
	wrong := func(format string, args ...any) (appSpec, error) {
		return appSpec{}, api.InvalidRevisionException("The AppSpec file is not valid: "+format, args...)
	}
	if len(text) > maxAppSpec {
		return wrong("it has more than %d bytes", maxAppSpec)
	}
	var doc struct {
		Version   any                         `yaml:"version"`
		Resources []map[string]map[string]any `yaml:"Resources"`
		Lower     []map[string]map[string]any `yaml:"resources"`
		Hooks     []map[string]any            `yaml:"Hooks"`
		LowerHook []map[string]any            `yaml:"hooks"`
	}
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		return wrong("it can be read neither as YAML nor as JSON")
	}
	if v := fmt.Sprint(doc.Version); v != "0" && v != "0.0" {
		return wrong("the version must be 0.0")
	}
	resources := append(doc.Resources, doc.Lower...)
	if len(resources) != 1 || len(resources[0]) != 1 {
		return wrong("it must name one function in Resources")
	}
	for name, r := range resources[0] {
		if t := field(r, "Type"); t != "AWS::Lambda::Function" {
			return wrong("the type of resource %s must be AWS::Lambda::Function", name)
		}
		props, _ := r["Properties"].(map[string]any)
		if props == nil {
			props, _ = r["properties"].(map[string]any)
		}
		out = appSpec{Function: field(props, "Name"), Alias: field(props, "Alias"), Current: field(props, "CurrentVersion"), Target: field(props, "TargetVersion")}
		for k, v := range map[string]string{"Name": out.Function, "Alias": out.Alias, "CurrentVersion": out.Current, "TargetVersion": out.Target} {
			if v == "" {
				return wrong("resource %s has no %s", name, k)
			}
		}
	}
	for _, h := range append(doc.Hooks, doc.LowerHook...) {
		var names []string
		for event := range h {
			names = append(names, event)
		}
		sort.Strings(names)
		for _, event := range names {
			function, _ := h[event].(string)
			switch {
			case function == "":
				return wrong("the hook %s names no function", event)
			case event == eventBefore:
				out.Before = function
			case event == eventAfter:
				out.After = function
			default:
				return wrong("there is no lifecycle event %s: the hooks of Lambda are %s and %s", event, eventBefore, eventAfter)
			}
		}
	}
	return out, nil
}

// field reads a member as text, in either writing of its name.
func field(m map[string]any, name string) string {
	v, ok := m[name]
	if !ok {
		v, ok = m[strings.ToLower(name[:1])+name[1:]]
	}
	if !ok || v == nil {
		return ""
	}
	switch v := v.(type) {
	case string:
		return v
	case int, int64, uint64:
		return fmt.Sprint(v)
	}
	return ""
}

// revision is the AppSpec file that says what a deployment of our own does.
func (a appSpec) revision() *api.RevisionLocation {
	props := map[string]any{"Name": a.Function, "Alias": a.Alias, "CurrentVersion": a.Current, "TargetVersion": a.Target}
	text, err := json.Marshal(map[string]any{
		"version": 0.0, "Resources": []any{map[string]any{a.Function: map[string]any{"Type": "AWS::Lambda::Function", "Properties": props}}},
	})
	if err != nil {
		return nil // only strings are written
	}
	return &api.RevisionLocation{RevisionType: new(api.RevisionLocationTypeAppSpecContent), AppSpecContent: &api.AppSpecContent{Content: new(string(text))}}
}
