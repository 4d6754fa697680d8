package cloudformation_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tierra-cloud/tierra/internal/call/calltest"
	"github.com/tierra-cloud/tierra/internal/data/mem"
	api "github.com/tierra-cloud/tierra/internal/gen/cloudformation"
)

// TestLimits holds that a template over a limit makes nothing, and that one at the
// limit is read.
func TestLimits(t *testing.T) {
	w, _ := world(mem.New(), newShop())
	w.Plug(shelf{})
	section := func(name, entry string, n int) string {
		var b strings.Builder
		fmt.Fprintf(&b, "%s:\n", name)
		for i := range n {
			fmt.Fprintf(&b, "  N%d: %s\n", i, entry)
		}
		return b.String()
	}
	const one = "Resources: {A: {Type: 'Test::Shop::Box', Properties: {Size: 1}}}\n"
	bomb := "Metadata:\n  a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
	for i := 1; i < 9; i++ {
		bomb += fmt.Sprintf("  a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 10), ", "))
	}
	for _, c := range []struct{ what, body, want string }{
		{"resources", section("Resources", "{Type: 'Test::Shop::Box', Properties: {Size: 1}}", 501), "500"},
		{"parameters", section("Parameters", "{Type: String, Default: x}", 201) + one, "200"},
		{"outputs", section("Outputs", "{Value: x}", 201) + one, "200"},
		{"mappings", section("Mappings", "{a: {b: c}}", 201) + one, "200"},
		{"aliases", bomb + one, "aliases"},
	} {
		_, err := calltest.Do(w, api.CreateStack, &api.CreateStackInput{StackName: new("s"), TemplateBody: &c.body})
		if err == nil || !strings.HasPrefix(err.Error(), "ValidationException: Template") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.what, err)
		}
	}
	if n := len(calltest.Must(t, w, api.DescribeStacks, &api.DescribeStacksInput{}).Stacks); n != 0 {
		t.Errorf("%d stacks were made", n)
	}
	for _, body := range []string{
		section("Parameters", "{Type: String, Default: x}", 200) + one, section("Mappings", "{a: {b: c}}", 200) + one, section("Outputs", "{Value: x}", 200) + one,
		section("Resources", "{Type: 'Test::Shop::Box', Properties: {Size: 1}}", 500),
	} {
		if _, err := calltest.Do(w, api.ValidateTemplate, &api.ValidateTemplateInput{TemplateBody: &body}); err != nil {
			t.Errorf("at the limit: %v", err)
		}
	}
}

// TestDeploymentModeRefused: a mode that would do something else is refused by name.
func TestDeploymentModeRefused(t *testing.T) {
	w, _ := world(mem.New(), newShop())
	calltest.Must(t, w, api.CreateStack, &api.CreateStackInput{StackName: new("s"), TemplateBody: new("Resources: {A: {Type: 'Test::Shop::Box', Properties: {Size: 1}}}")})
	_, err := calltest.Do(w, api.CreateChangeSet, &api.CreateChangeSetInput{
		StackName: new("s"), ChangeSetName: new("c"), DeploymentMode: new(api.DeploymentModeRevertDrift), UsePreviousTemplate: new(true),
	})
	if err == nil || !strings.Contains(err.Error(), "DeploymentMode REVERT_DRIFT is not supported yet") {
		t.Errorf("REVERT_DRIFT: %v", err)
	}
}
