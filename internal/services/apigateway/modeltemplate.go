package apigateway

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	api "github.com/tierra-cloud/tierra/internal/gen/apigateway"
	"github.com/tierra-cloud/tierra/internal/services/apigateway/definition"
)

// getModelTemplate answers a mapping template that makes a body as a model wants
// it, with sample values to be replaced.
// https://docs.aws.amazon.com/apigateway/latest/api/API_GetModelTemplate.html
func (s *Service) getModelTemplate(ctx context.Context, rq *call.Authorized, in *api.GetModelTemplateRequest) (out *api.Template, err error) {
	err = s.view(ctx, rq, *in.RestApiId, func(d *definition.API) error {
		m, err := findModel(d, *in.ModelName)
		if err == nil {
			out = &api.Template{Value: new(sampleTemplate(d, m))}
		}
		return err
	})
	return out, err
}

// sampler writes a template. It follows references, but no model into itself.
type sampler struct {
	b      strings.Builder
	models map[string]*definition.Model
	inside map[string]bool
	root   map[string]any // of the model whose own definitions are meant
}

func sampleTemplate(d *definition.API, m *definition.Model) string {
	w := &sampler{models: d.Models, inside: map[string]bool{m.Name: true}}
	w.b.WriteString("#set($inputRoot = $input.path('$'))\n")
	schema, _ := m.Located("#/definitions/")
	w.root = schema
	w.value(schema, "", 0)
	return w.b.String()
}

// maxSampleDepth is how deep a sample goes.
const maxSampleDepth = 20

// referred returns what a schema refers to, or the schema, and what ends the visit.
func (w *sampler) referred(schema map[string]any) (map[string]any, func()) {
	ref, _ := schema["$ref"].(string)
	name, rest := definition.Referred(ref)
	if name == "" || rest != "" || w.inside[name] {
		if ref != "" {
			return nil, func() {}
		}
		return schema, func() {}
	}
	outer := w.root
	w.inside[name] = true
	done := func() { delete(w.inside, name); w.root = outer }
	if own, _ := w.root["definitions"].(map[string]any); own[name] != nil {
		x, _ := own[name].(map[string]any)
		return x, done
	}
	if w.models[name] == nil {
		return nil, done
	}
	x, _ := w.models[name].Located("#/definitions/")
	w.root = x
	return x, done
}

func (w *sampler) value(v any, indent string, depth int) {
	given, _ := v.(map[string]any)
	schema, done := w.referred(given)
	defer done()
	if all, ok := schema["allOf"].([]any); ok && schema["properties"] == nil {
		schema = w.together(all)
	}
	if e, ok := schema["enum"].([]any); ok && len(e) > 0 {
		if b, err := json.Marshal(e[0]); err == nil {
			w.b.WriteString(literal(string(b)))
			return
		}
	}
	typ, _ := schema["type"].(string)
	if many, ok := schema["type"].([]any); ok && len(many) > 0 {
		typ, _ = many[0].(string)
	}
	if typ == "" && schema["properties"] == nil && schema["items"] != nil {
		typ = "array"
	}
	switch {
	case depth > maxSampleDepth:
		w.b.WriteString("{}")
	case typ == "string":
		w.b.WriteString(`"foo"`)
	case typ == "integer" || typ == "number":
		w.b.WriteString("42")
	case typ == "boolean":
		w.b.WriteString("true")
	case typ == "null":
		w.b.WriteString("null")
	case typ == "array":
		w.b.WriteString("[\n" + indent + "  ##TODO: Update this foreach loop to reference array from input json\n" + indent + "  #foreach($elem in $inputRoot)\n" + indent + "  ")
		w.value(schema["items"], indent+"  ", depth+1)
		w.b.WriteString("#if($foreach.hasNext),#end\n" + indent + "  #end\n" + indent + "]")
	default:
		w.members(schema, indent, depth)
	}
}

// together joins the members of several schemas.
func (w *sampler) together(all []any) map[string]any {
	members := map[string]any{}
	for _, a := range all {
		given, _ := a.(map[string]any)
		schema, done := w.referred(given)
		own, _ := schema["properties"].(map[string]any)
		maps.Copy(members, own)
		done()
	}
	return map[string]any{"type": "object", "properties": members}
}

func (w *sampler) members(schema map[string]any, indent string, depth int) {
	members, _ := schema["properties"].(map[string]any)
	if len(members) == 0 {
		w.b.WriteString("{}")
		return
	}
	w.b.WriteString("{")
	for i, name := range slices.Sorted(maps.Keys(members)) {
		if i > 0 {
			w.b.WriteString(",")
		}
		b, err := json.Marshal(name)
		if err != nil {
			continue
		}
		w.b.WriteString("\n" + indent + "  " + literal(string(b)) + " : ")
		w.value(members[name], indent+"  ", depth+1)
	}
	w.b.WriteString("\n" + indent + "}")
}

// literal lets JSON stand in a template as it is.
func literal(text string) string {
	return strings.NewReplacer("$", "\\u0024", "#", "\\u0023").Replace(text)
}
