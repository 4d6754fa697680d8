package runtime_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/tierra-cloud/tierra/internal/engine/runtime"
)

// TestNodePath: functions find the modules of the server's folders, after their
// own, and the AWS SDK as ES modules too.
func TestNodePath(t *testing.T) {
	lib := code(t, map[string]string{
		"@aws-sdk/client-x/package.json": `{"name":"@aws-sdk/client-x","main":"index.js"}`, "@aws-sdk/client-x/index.js": "exports.who = 'the sdk'",
		"p/index.js": "module.exports = 'theirs'",
	})
	c, err := runtime.NewCatalog(runtime.CatalogConfig{Dir: filepath.Join(t.TempDir(), "runtimes"), Path: os.Getenv("PATH"), NodePath: lib + ":/no/such:relative"})
	if err != nil {
		t.Fatal(err)
	}
	choice, err := c.Resolve(t.Context(), "nodejs20.x")
	if err != nil {
		t.Skip(err)
	}
	for name, x := range map[string]struct {
		files map[string]string
		want  string
	}{
		"require":        {map[string]string{"main.js": "exports.handler = async () => require('@aws-sdk/client-x').who + require('p')"}, `"the sdktheirs"`},
		"import":         {map[string]string{"main.mjs": "import x from '@aws-sdk/client-x'; export const handler = async () => x.who"}, `"the sdk"`},
		"own goes first": {map[string]string{"main.js": "exports.handler = async () => require('p')", "node_modules/p/index.js": "module.exports = 'own'"}, `"own"`},
	} {
		t.Run(name, func(t *testing.T) {
			cfg, _ := config(t, "nodejs20.x", "main.handler", code(t, x.files))
			cfg.Runtime = choice
			if got := string(invoke(t, start(t, cfg), event("h", "{}")).Payload); got != x.want {
				t.Errorf("got %s", got)
			}
		})
	}
}
