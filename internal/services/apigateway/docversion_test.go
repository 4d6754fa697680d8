package apigateway

import (
	"strings"
	"testing"

	"github.com/tierra-cloud/tierra/internal/call/calltest"
	api "github.com/tierra-cloud/tierra/internal/gen/apigateway"
)

// TestDocumentationVersionTooLong: a name that no record can have is refused, and one that is as long as it may be is found.
func TestDocumentationVersionTooLong(t *testing.T) {
	w := newWorld(t)
	id := *calltest.Must(t, w.World, api.CreateRestApi, &api.CreateRestApiRequest{Name: new("documented")}).Id
	longest := strings.Repeat("ü", maxDocVersion)
	for _, version := range []string{longest + "x", strings.Repeat("x", 70_000)} {
		_, err := calltest.Do(w.World, api.CreateDocumentationVersion, &api.CreateDocumentationVersionRequest{RestApiId: &id, DocumentationVersion: &version})
		if err == nil || !strings.Contains(err.Error(), "more than 1024 characters") {
			t.Errorf("%d bytes: %v", len(version), err)
		}
	}
	calltest.Must(t, w.World, api.CreateDocumentationVersion, &api.CreateDocumentationVersionRequest{RestApiId: &id, DocumentationVersion: &longest})
	calltest.Must(t, w.World, api.GetDocumentationVersion, &api.GetDocumentationVersionRequest{RestApiId: &id, DocumentationVersion: &longest})
}
