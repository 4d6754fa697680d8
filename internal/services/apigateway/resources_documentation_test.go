package apigateway

import (
	"strings"
	"testing"

	"github.com/tierra-cloud/tierra/internal/call/calltest"
	api "github.com/tierra-cloud/tierra/internal/gen/apigateway"
)

// TestDocumentationStack makes, changes and removes documentation and models as a
// stack does, and reads the export of its stage.
func TestDocumentationStack(t *testing.T) {
	w := newWorld(t)
	s := newStack(t, w)
	x := s.create("RestApi", props{"Body": body("GET /a")})
	part := props{"RestApiId": x.ID, "Location": props{"Type": "METHOD", "Path": "/a", "Method": "GET"}, "Properties": `{"summary": "one"}`}
	p := s.create("DocumentationPart", part)
	changed := props{"RestApiId": x.ID, "Location": part["Location"], "Properties": `{"summary": "two"}`}
	s.update("DocumentationPart", p.ID, part, changed)
	left, err := s.typ("DocumentationPart").Find(t.Context(), s.rq, changed)
	if err != nil || len(left) != 1 || left[0].ID != p.ID {
		t.Errorf("left: %v %v", left, err)
	}
	version := props{"RestApiId": x.ID, "DocumentationVersion": "1"}
	v := s.create("DocumentationVersion", version)
	s.update("DocumentationVersion", v.ID, version, props{"RestApiId": x.ID, "DocumentationVersion": "1", "Description": "first"})
	model := props{"RestApiId": x.ID, "Name": "M", "Schema": props{"type": "object"}}
	m := s.create("Model", model)
	s.update("Model", m.ID, model, props{"RestApiId": x.ID, "Name": "M", "Schema": `{"type":"array"}`, "Description": "d"})
	dep := s.create("Deployment", props{"RestApiId": x.ID})
	with := props{"RestApiId": x.ID, "StageName": "s", "DeploymentId": dep.ID, "DocumentationVersion": "1"}
	st := s.create("Stage", with)
	export := func() string {
		return string(calltest.Must(t, w.World, api.GetExport, &api.GetExportRequest{RestApiId: &x.ID, StageName: &st.ID, ExportType: new("swagger")}).Body)
	}
	if got := export(); !strings.Contains(got, `"summary": "two"`) || !strings.Contains(got, `"type": "array"`) {
		t.Errorf("export: %s", got)
	}
	s.update("Stage", st.ID, with, props{"RestApiId": x.ID, "StageName": "s", "DeploymentId": dep.ID})
	if got := export(); strings.Contains(got, "summary") {
		t.Errorf("export without documentation: %s", got)
	}
	s.remove("DocumentationVersion", v.ID, version)
	s.remove("DocumentationPart", p.ID, changed)
	s.remove("Model", m.ID, model)
}
