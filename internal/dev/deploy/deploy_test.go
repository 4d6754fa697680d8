package deploy

import (
	"errors"
	"testing"
)

// TestPlaced holds that errors of a template begin with their place in it.
func TestPlaced(t *testing.T) {
	for text, want := range map[string]string{
		"property X not defined (line 12, column 7)":                 "app/template.yaml:12:7: property X not defined (line 12, column 7)",
		"two of them: a (line 3, column 1) and b (line 4, column 2)": "app/template.yaml:3:1: two of them: a (line 3, column 1) and b (line 4, column 2)",
		"the stack is busy":   "the stack is busy",
		"a (line of thought)": "a (line of thought)",
	} {
		if got := placed("app/template.yaml", errors.New(text)).Error(); got != want {
			t.Errorf("%s: %s", text, got)
		}
	}
}
