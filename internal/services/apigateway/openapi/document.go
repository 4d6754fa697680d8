package openapi

import (
	"encoding/json"

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

func (im *importer) addPart(at definition.Location, content object) {
	if len(content) == 0 || im.undocumented {
		return
	}
	at, err := at.Settle()
	if err != nil {
		im.fail("Unable to create documentation part: %s", err)
		return
	}
	b, err := json.Marshal(content)
	if err != nil {
		im.fail("Unable to create documentation part: %v", err)
		return
	}
	if p, ok := im.parts[at]; ok {
		im.doc.Parts[p].Properties = string(b)
		return
	}
	im.parts[at] = len(im.doc.Parts)
	im.doc.Parts = append(im.doc.Parts, definition.Part{ID: im.newID(), Location: at, Properties: string(b)})
}

// documentation reads what documents the whole document, and then
// x-amazon-apigateway-documentation, which is more definite than anything else.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-swagger-extensions-documentation.html
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
	d := child(im.root, extension+"documentation")
	for _, v := range items(d["documentationParts"]) {
		o, _ := v.(object)
		l := child(o, "location")
		at := definition.Location{Type: text(l["type"]), Path: text(l["path"]), Method: text(l["method"]), Status: text(l["statusCode"]), Name: text(l["name"])}
		content, ok := o["properties"].(object)
		if !ok {
			im.fail("Unable to create documentation part: Documentation part properties must be a JSON object")
			continue
		}
		im.addPart(at, content)
	}
}
