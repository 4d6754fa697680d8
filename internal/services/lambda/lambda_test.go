package lambda

import (
	"testing"

	"github.com/tierra-cloud/tierra/internal/call/calltest"
)

func TestScripts(t *testing.T) {
	if architecture() != "x86_64" {
		t.Skip("the scripts name the architecture x86_64")
	}
	for _, name := range []string{"functions", "permissions"} {
		t.Run(name, func(t *testing.T) {
			calltest.Script(t, "testdata/"+name+".txt", newStand(t).World, nil)
		})
	}
}
