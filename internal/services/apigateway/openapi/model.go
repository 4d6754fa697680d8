package openapi

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"

	"github.com/tierra-cloud/tierra/internal/services/apigateway/definition"
)

// Models are JSON texts whose references name other models as version 2 does.
const local = "#/definitions/"

// models reads the named schemas.
func (im *importer) models() {
	schemas := child(im.root, "definitions")
	if c := child(im.root, "components"); c != nil {
		schemas = child(c, "schemas")
	}
	im.schemas = schemas
	for _, name := range sorted(schemas) {
		if !definition.ModelName(name) {
			im.fail("Unable to create model for '%s': Model name must be alphanumeric: %s", name, name)
			continue
		}
		if im.refers(name, schemas[name]) {
			im.addModel(name, schemas[name])
		}
	}
}

// refers checks that the models to which a schema refers are there.
func (im *importer) refers(name string, schema any) bool {
	var missing []string
	definition.References(schema, func(ref string) string {
		n, _ := definition.Referred(ref)
		if n != "" && im.schemas[n] == nil {
			missing = append(missing, "Invalid model specified: "+n)
		}
		return ref
	})
	if missing != nil {
		im.fail("Unable to create model for '%s': Invalid model specified: Validation Result: warnings : [], errors : [%s]", name, strings.Join(missing, ", "))
	}
	return missing == nil
}

func (im *importer) addModel(name string, schema any) {
	// The document is read once: its schemas may be changed in place.
	definition.References(schema, func(ref string) string {
		if n, rest := definition.Referred(ref); n != "" {
			return local + n + rest
		}
		return ref
	})
	b, err := json.Marshal(schema)
	if err != nil {
		im.fail("Unable to create model for '%s': %v", name, err)
		return
	}
	if im.api.Models == nil {
		im.api.Models = map[string]*definition.Model{}
	}
	im.api.Models[name] = &definition.Model{ID: im.newID(), Name: name, ContentType: "application/json", Schema: string(b)}
}

// useSchema makes a schema the model of bodies of some media types: the one that
// it refers to, or one of its own.
func (im *importer) useSchema(models *map[string]string, types []string, schema any) {
	o, ok := schema.(object)
	if !ok {
		return
	}
	name, rest := definition.Referred(text(o["$ref"]))
	if name == "" || rest != "" {
		if len(o) == 0 {
			return
		}
		name = im.inline(o)
	}
	if im.api.Models[name] == nil {
		im.warn("Reference to model '%s' not found. Ignoring.", name)
		return
	}
	if *models == nil {
		*models = map[string]string{}
	}
	for _, typ := range types {
		(*models)[typ] = name
	}
}

// inline makes a model of a schema that has no name. What is the same has the same
// name, in every document.
func (im *importer) inline(schema object) string {
	definition.References(schema, func(ref string) string {
		if n, rest := definition.Referred(ref); n != "" {
			return local + n + rest
		}
		return ref
	})
	b, err := json.Marshal(schema)
	if err != nil {
		im.fail("Unable to create model: %v", err)
		return ""
	}
	sum := sha256.Sum256(b)
	for n := 3; n <= len(sum); n++ {
		name := "MODEL" + hex.EncodeToString(sum[:n])
		m := im.api.Models[name]
		if m == nil {
			if !im.refers(name, schema) {
				return ""
			}
			im.addModel(name, schema)
			return name
		}
		if m.Schema == string(b) {
			return name
		}
	}
	return ""
}
