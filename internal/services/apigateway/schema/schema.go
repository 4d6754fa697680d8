// Package schema checks bodies against an API's models, which are JSON Schemas
// of draft 4 that may refer to each other.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/models-mappings-models.html
package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/tierra-cloud/tierra/internal/services/apigateway/vtl"
)

// Schema is a compiled model. It is safe for concurrent use.
type Schema struct{ s *jsonschema.Schema }

// place is where models stand for each other.
const place = "tierra:///models/"

// Compile compiles the model with a name. models are the schemas of all models
// by name. It reads nothing else: a reference elsewhere is an error.
func Compile(models map[string]string, name string) (*Schema, error) {
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft4)
	c.UseLoader(nowhere{})
	c.UseRegexpEngine(func(java string) (jsonschema.Regexp, error) {
		text, err := vtl.Pattern(java)
		if err != nil {
			return nil, err
		}
		re, err := regexp.Compile(text)
		if err != nil {
			return nil, err
		}
		return re, nil
	})
	if models[name] == "" {
		return &Schema{}, nil // a model without a schema takes anything
	}
	// Only the models that the one refers to are read: another that is wrong does
	// not matter.
	todo, seen := []string{name}, map[string]bool{name: true}
	for len(todo) > 0 {
		n := todo[0]
		todo = todo[1:]
		text := models[n]
		if text == "" {
			text = "{}"
		}
		doc, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		if err != nil {
			return nil, fmt.Errorf("the model %s: %w", n, err)
		}
		root, _ := doc.(map[string]any)
		redirect(doc, root, func(other string) {
			if _, ok := models[other]; ok && !seen[other] {
				seen[other] = true
				todo = append(todo, other)
			}
		}, 0)
		delete(root, "id")      // a model is known by its name
		delete(root, "$schema") // draft 4 is the one that API Gateway knows
		if err := c.AddResource(place+n, doc); err != nil {
			return nil, fmt.Errorf("the model %s: %w", n, err)
		}
	}
	s, err := c.Compile(place + name)
	if err != nil {
		return nil, fmt.Errorf("the model %s: %w", name, err)
	}
	return &Schema{s}, nil
}

// nowhere is a loader that has nothing.
type nowhere struct{}

// Load implements jsonschema.URLLoader.
func (nowhere) Load(url string) (any, error) {
	return nil, fmt.Errorf("%s is no model of the API", strings.TrimPrefix(url, place))
}

var modelURL = regexp.MustCompile(`^https://apigateway\.amazonaws\.com/restapis/[^/]+/models/([A-Za-z0-9]+)(#.*)?$`)

// redirect lets references to other models name their places, in whichever form
// they were written: AWS's address, or a name within the OpenAPI document that
// the models came from.
func redirect(v any, root map[string]any, found func(name string), depth int) {
	if depth > 200 {
		return
	}
	switch v := v.(type) {
	case []any:
		for _, x := range v {
			redirect(x, root, found, depth+1)
		}
	case map[string]any:
		for k, x := range v {
			ref, ok := x.(string)
			if k != "$ref" || !ok {
				redirect(x, root, found, depth+1)
				continue
			}
			name, rest := "", ""
			if m := modelURL.FindStringSubmatch(ref); m != nil {
				name, rest = m[1], m[2]
			} else if n, ok := strings.CutPrefix(ref, "#/components/schemas/"); ok {
				name = n
			} else if n, ok := strings.CutPrefix(ref, "#/definitions/"); ok {
				own, _ := root["definitions"].(map[string]any)
				if first, _, _ := strings.Cut(n, "/"); own[first] == nil {
					name = n
				}
			}
			if name == "" {
				continue
			}
			if n, deeper, ok := strings.Cut(name, "/"); ok {
				name, rest = n, "#/"+deeper
			}
			v[k] = place + name + rest
			found(name)
		}
	}
}

// Check returns what is wrong with a body, in words; nothing if it is valid.
func (s *Schema) Check(body []byte) []string {
	if s.s == nil {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil || d.More() {
		return []string{"the body is not JSON"}
	}
	err := s.s.Validate(v)
	var bad *jsonschema.ValidationError
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &bad):
		return []string{err.Error()}
	}
	var all []string
	leaves(bad.DetailedOutput(), &all)
	slices.Sort(all)
	return slices.Compact(all)
}

func leaves(o *jsonschema.OutputUnit, all *[]string) {
	if len(o.Errors) == 0 && o.Error != nil {
		at := o.InstanceLocation
		if at != "" {
			at += ": "
		}
		*all = append(*all, at+o.Error.String())
	}
	for i := range o.Errors {
		leaves(&o.Errors[i], all)
	}
}
