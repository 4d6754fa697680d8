package openapi

import (
	"encoding/json"
	"reflect"

	"github.com/tierra-cloud/tierra/internal/services/apigateway/definition"
)

// part makes a documentation part of the members of an object that only document.
func (im *importer) part(at definition.Location, o object, members ...string) {
	content := object{}
	for _, k := range members {
		if v := o[k]; v != nil {
			content[k] = v
		}
	}
	im.addPart(at, content)
}

// addPart adds what the document itself says of a place, unless its parts say it.
func (im *importer) addPart(at definition.Location, content object) {
	if len(content) == 0 || im.undocumented {
		return
	}
	at, err := at.Settle()
	if err != nil {
		im.fail("Unable to create documentation part: %s", err)
		return
	}
	if im.parts[at] || reflect.DeepEqual(im.explicit.Of(at), content) {
		return
	}
	im.keepPart(at, content)
}

func (im *importer) keepPart(at definition.Location, content object) {
	b, err := json.Marshal(content)
	if err != nil {
		im.fail("Unable to create documentation part: %v", err)
		return
	}
	im.parts[at] = true
	im.doc.Parts = append(im.doc.Parts, definition.Part{ID: im.newID(), Location: at, Properties: string(b)})
}

// explicitParts reads x-amazon-apigateway-documentation, which is more definite
// than what stands elsewhere.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-swagger-extensions-documentation.html
func (im *importer) explicitParts() {
	d := child(im.root, extension+"documentation")
	if im.undocumented {
		d = nil
	}
	for _, v := range items(d["documentationParts"]) {
		o, _ := v.(object)
		l := child(o, "location")
		at, err := definition.Location{Type: text(l["type"]), Path: text(l["path"]), Method: text(l["method"]), Status: text(l["statusCode"]), Name: text(l["name"])}.Settle()
		content, ok := o["properties"].(object)
		switch {
		case err != nil:
			im.fail("Unable to create documentation part: %s", err)
		case !ok:
			im.fail("Unable to create documentation part: Documentation part properties must be a JSON object")
		case im.parts[at]:
			im.warn("Documentation part already exists for the specified location: %s. Ignoring.", at.Named())
		default:
			im.keepPart(at, content)
		}
	}
	im.explicit = definition.NewParts(im.doc.Parts)
}

// documentation reads what documents the whole document.
func (im *importer) documentation() {
	content := object{}
	for _, k := range []string{"tags", "externalDocs"} {
		if v := im.root[k]; v != nil {
			content[k] = v
		}
	}
	info := object{}
	for _, k := range []string{"description", "termsOfService", "contact", "license"} {
		if v := child(im.root, "info")[k]; v != nil {
			info[k] = v
		}
	}
	if len(info) > 0 {
		content["info"] = info
	}
	im.addPart(definition.Location{Type: definition.OfAPI}, content)
}
