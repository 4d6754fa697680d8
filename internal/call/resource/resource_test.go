package resource_test

import (
	"context"
	"fmt"
	"reflect"
	"testing"

	"github.com/tierra-cloud/tierra/internal/call/resource"
)

type inner struct {
	Name string `cfn:"Name,required"`

	_ any `cfn:"Inner,refused"`
}

type outer struct {
	Name  *string `cfn:"Name"`
	Inner []inner `cfn:"Inner"`

	_ any `cfn:"Setting,refused"`
}

func defined() resource.Type {
	return resource.Define("AWS::A::B", resource.Handlers[outer]{
		Create: func(context.Context, *resource.Request, *outer) (resource.State, error) { return resource.State{}, nil },
		Delete: func(context.Context, *resource.Request, string, *outer) error { return nil },
		Read: func(context.Context, *resource.Request, string, *outer) (*outer, resource.State, error) {
			return nil, resource.State{}, nil
		},
		Identifier: []string{"Name"},
	})
}

// A property that AWS has and the platform does not honour is named as that, unless
// its value turns nothing on.
func TestRefusedProperties(t *testing.T) {
	type m = map[string]any
	ty := defined()
	for _, c := range []struct {
		props m
		want  string
	}{
		{m{"Setting": m{"Enabled": true}}, "Setting: [Setting] is not supported by this version of Tierra"},
		{m{"Setting": "x"}, "Setting: [Setting] is not supported by this version of Tierra"},
		{m{"Setting": 1}, "Setting: [Setting] is not supported by this version of Tierra"},
		{m{"Setting": []any{false}}, "Setting: [Setting] is not supported by this version of Tierra"},
		{m{"Inner": []any{m{"Name": "a", "Inner": true}}}, "Inner.0.Inner: [Inner] is not supported by this version of Tierra"},
		{m{"Settings": m{}}, "Settings: extraneous key [Settings] is not permitted (known here: Name, Inner)"},
		{props: m{"Setting": m{"Enabled": false, "Also": []any{}}}},
		{props: m{"Setting": "false"}},
		{props: m{"Setting": false}},
		{props: m{"Setting": resource.Unknown{}}},
	} {
		got := ""
		for _, b := range ty.Check(c.props) {
			got += b.String()
		}
		if got != c.want {
			t.Errorf("%v: %q, not %q", c.props, got, c.want)
		}
	}
	if d := ty.Differences(m{"Name": "a", "Setting": m{"Enabled": false}}, m{"Name": "a"}, nil); len(d) > 0 {
		t.Errorf("what is not honoured is no drift: %v", d)
	}
	schema := ty.Schema()["properties"].(m)
	if _, has := schema["Setting"]; has || len(schema) != 2 {
		t.Errorf("the schema has %v", reflect.ValueOf(schema).MapKeys())
	}
	if names := fmt.Sprint(ty.Properties); names != "[{Name false false false} {Inner false false false}]" {
		t.Errorf("the properties are %s", names)
	}
}
