package definition

import (
	"encoding/json"
	"strings"
)

// ModelName reports whether a model may have a name: letters and digits.
func ModelName(name string) bool {
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}

// modelPlace begins AWS's address of a model: then come the id of the API,
// "/models/" and the name.
const modelPlace = "https://apigateway.amazonaws.com/restapis/"

// Referred returns the model that a reference names in any of its forms: AWS's
// address, or a place in an OpenAPI document of either version; and what follows
// the name. name is "" if the reference is to something else.
func Referred(ref string) (name, rest string) {
	for _, prefix := range []string{"#/definitions/", "#/components/schemas/"} {
		if n, ok := strings.CutPrefix(ref, prefix); ok {
			if name, rest, ok := strings.Cut(n, "/"); ok {
				return name, "/" + rest
			}
			return n, ""
		}
	}
	if n, ok := strings.CutPrefix(ref, modelPlace); ok {
		if _, n, ok = strings.Cut(n, "/models/"); ok {
			name, rest, _ = strings.Cut(n, "#")
			return name, rest
		}
	}
	return "", ""
}

// References replaces every reference in a schema by what f makes of it.
func References(schema any, f func(ref string) string) {
	switch v := schema.(type) {
	case []any:
		for _, x := range v {
			References(x, f)
		}
	case map[string]any:
		for k, x := range v {
			if ref, ok := x.(string); ok && k == "$ref" {
				v[k] = f(ref)
			} else {
				References(x, f)
			}
		}
	}
}

// Addressed returns the schema of a model as the API tells it: references to
// other models are AWS's addresses of them.
func (m *Model) Addressed(api string) string {
	if !strings.Contains(m.Schema, `"$ref"`) {
		return m.Schema
	}
	own := false
	schema, ok := m.parsed()
	if !ok {
		return m.Schema
	}
	inside, _ := schema["definitions"].(map[string]any)
	References(schema, func(ref string) string {
		n, rest := Referred(ref)
		if n == "" || strings.HasPrefix(ref, modelPlace) || inside[n] != nil {
			return ref
		}
		own = true
		if rest != "" {
			rest = "#" + rest
		}
		return modelPlace + api + "/models/" + n + rest
	})
	if !own {
		return m.Schema
	}
	b, err := json.Marshal(schema)
	if err != nil {
		return m.Schema
	}
	return string(b)
}

// Located returns the schema of a model as an OpenAPI document has it: references
// to other models begin with a prefix. ok is false if it is no JSON object.
func (m *Model) Located(prefix string) (schema map[string]any, ok bool) {
	schema, ok = m.parsed()
	if !ok {
		return nil, false
	}
	inside, _ := schema["definitions"].(map[string]any)
	References(schema, func(ref string) string {
		n, rest := Referred(ref)
		if n == "" || inside[n] != nil {
			return ref
		}
		return prefix + n + strings.TrimPrefix(rest, "#")
	})
	return schema, true
}

func (m *Model) parsed() (map[string]any, bool) {
	var schema map[string]any
	d := json.NewDecoder(strings.NewReader(m.Schema))
	d.UseNumber()
	return schema, d.Decode(&schema) == nil
}

// Flat returns the schema of a model with all that it refers to in its own
// definitions.
func (a *API) Flat(m *Model) string {
	schema, ok := m.Located("#/definitions/")
	if !ok {
		return m.Schema
	}
	own, _ := schema["definitions"].(map[string]any)
	if own == nil {
		own = map[string]any{}
	}
	var follow func(v any)
	follow = func(v any) {
		References(v, func(ref string) string {
			name, _ := Referred(ref)
			if x := a.Models[name]; x != nil && own[name] == nil {
				if inner, ok := x.Located("#/definitions/"); ok {
					own[name] = inner
					follow(inner)
				}
			}
			return ref
		})
	}
	follow(schema)
	if len(own) == 0 {
		return m.Schema
	}
	schema["definitions"] = own
	b, err := json.Marshal(schema)
	if err != nil {
		return m.Schema
	}
	return string(b)
}
