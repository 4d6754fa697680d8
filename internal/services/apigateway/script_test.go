package apigateway

import (
	"testing"

	"github.com/tierra-cloud/tierra/internal/call/calltest"
)

func TestScripts(t *testing.T) {
	for _, name := range []string{"apis", "methods", "authorizers", "plans", "stages", "documentation", "canaries"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			calltest.Script(t, "testdata/"+name+".txt", w.World, nil)
		})
	}
}
