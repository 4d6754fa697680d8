// Package openapi makes a definition of an OpenAPI document: version 2 (Swagger)
// or 3, in JSON or YAML, with the extensions of API Gateway. It is pure. What the
// definition could not honour is an error that names it.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/import-api.html
package openapi

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/tierra-cloud/tierra/internal/services/apigateway/definition"
	"github.com/tierra-cloud/tierra/internal/services/apigateway/problem"
)

// Document is what a document says.
type Document struct {
	Title, Description, Version string
	API                         *definition.API
	// Parts document the API.
	Parts []definition.Part
	// HasBinary, HasDisabled and HasPolicy say whether the document speaks of them.
	HasBinary, HasDisabled, HasPolicy bool
	Warnings                          []string
}

// Options say how a document is taken.
type Options struct {
	// Root is the id of the root resource; the others have ids from NewID.
	Root  string
	NewID func() string
	// BasePath says what becomes of the document's base path: "ignore" (also if
	// empty), "prepend", or "split", which leaves its first part away.
	// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-import-api-basePath.html
	BasePath string
	// Undocumented leaves what only documents away.
	Undocumented bool
}

type importer struct {
	root         object
	doc          *Document
	api          *definition.API
	newID        func() string
	base         string // before every path
	schemas      object // by name
	undocumented bool
	parts        map[definition.Location]bool // that the document has
	explicit     *definition.Parts
	errors       []string
}

// extension is the prefix of API Gateway's own members.
const extension = "x-amazon-apigateway-"

// anyMethod stands for every method of a path.
const anyMethod = extension + "any-method"

// Parse reads a document.
func Parse(body []byte, opt Options) (*Document, error) {
	im, err := parse(body, opt)
	if err != nil {
		return nil, err
	}
	if len(im.errors) > 0 {
		return nil, problem.New("Errors found during import:\n\t%s", strings.Join(im.errors, "\n\t"))
	}
	return im.doc, nil
}

// Documentation reads only what a document says for people.
func Documentation(body []byte, newID func() string) ([]definition.Part, error) {
	im, err := parse(body, Options{Root: "root", NewID: newID})
	if err != nil {
		return nil, err
	}
	return im.doc.Parts, nil
}

func parse(body []byte, opt Options) (*importer, error) {
	o, err := read(body)
	if err != nil {
		return nil, err
	}
	if s, v := text(o["swagger"]), text(o["openapi"]); !strings.HasPrefix(s, "2") && !strings.HasPrefix(v, "3.0") {
		if v != "" {
			return nil, problem.New("Unsupported OpenAPI version specified: %s", v)
		}
		return nil, errInput
	}
	info := child(o, "info")
	im := &importer{root: o, newID: opt.NewID, api: definition.New(opt.Root), undocumented: opt.Undocumented, parts: map[definition.Location]bool{}}
	im.doc = &Document{Title: text(info["title"]), Description: text(info["description"]), Version: text(info["version"]), API: im.api}
	if err := im.basePath(opt.BasePath); err != nil {
		return nil, err
	}
	im.explicitParts()
	im.settings()
	im.schemes()
	im.models()
	im.responses()
	im.validators()
	paths := child(o, "paths")
	for _, p := range sorted(paths) {
		item := im.resolve(paths[p])
		if item == nil || strings.HasPrefix(p, "x-") {
			continue
		}
		im.path(p, item)
	}
	im.documentation()
	slices.SortFunc(im.doc.Parts, func(x, y definition.Part) int { return strings.Compare(x.Location.Named(), y.Location.Named()) })
	return im, nil
}

// basePath finds out what comes before every path.
func (im *importer) basePath(how string) error {
	switch how {
	case "", "ignore":
		return nil
	case "prepend", "split":
	default:
		return problem.New("Invalid basepath specified: %s. Must be one of: ignore, prepend, split", how)
	}
	im.base = text(im.root["basePath"])
	servers := items(im.root["servers"])
	for i, v := range servers {
		o, _ := v.(object)
		if b := text(child(child(o, "variables"), "basePath")["default"]); b != "" {
			im.base = b
			break
		}
		if i == 0 {
			im.base = ""
			if u, err := url.Parse(text(o["url"])); err == nil {
				im.base = u.Path
			}
		}
	}
	im.base = strings.Trim(im.base, "/")
	if how == "split" {
		_, im.base, _ = strings.Cut(im.base, "/")
	}
	if im.base != "" {
		im.base = "/" + im.base
	}
	return nil
}

func (im *importer) fail(format string, args ...any) {
	im.errors = append(im.errors, fmt.Sprintf(format, args...))
}

func (im *importer) refuse(setting string) { im.fail("%s", problem.Unsupported(setting).Error()) }

func (im *importer) warn(format string, args ...any) {
	im.doc.Warnings = append(im.doc.Warnings, fmt.Sprintf(format, args...))
}

// settings reads the extensions at the top.
func (im *importer) settings() {
	for _, k := range sorted(im.root) {
		v := im.root[k]
		name, ok := strings.CutPrefix(k, extension)
		if !ok {
			continue
		}
		switch name {
		case "binary-media-types":
			im.api.Binary, im.doc.HasBinary = list(v), true
		case "minimum-compression-size":
			n, ok := number(v)
			if !ok {
				n = -1
			}
			if err := definition.CheckCompression(&n); err != nil {
				im.fail("%s", err)
			}
			im.api.MinCompression = &n
		case "policy":
			b, err := json.Marshal(v)
			if err != nil {
				im.fail("Invalid policy document: %s", err)
			}
			im.api.Policy, im.doc.HasPolicy = string(b), true
		case "gateway-responses", "documentation", "importexport-version", "request-validators", "request-validator":
		case "api-key-source":
			switch im.api.KeySource = text(v); im.api.KeySource {
			case "HEADER", "AUTHORIZER":
			default:
				im.fail("Invalid API Key Source specified: %s", text(v))
			}
		case "endpoint-configuration":
			c, _ := v.(object)
			for _, name := range sorted(c) {
				switch {
				case name == "disableExecuteApiEndpoint":
					im.api.Disabled, im.doc.HasDisabled = c[name] == true || c[name] == "true", true
				case name == "types":
					for _, t := range list(c[name]) {
						if t == "PRIVATE" {
							im.refuse("the endpoint type " + t)
						}
					}
				case name == "ipAddressType":
				default:
					im.refuse(k + "." + name)
				}
			}
		case "cors":
			im.warn("%s is only supported for HTTP APIs. Ignoring.", k)
		default:
			im.refuse(k)
		}
	}
}

// responses reads the gateway responses.
func (im *importer) responses() {
	all := child(im.root, extension+"gateway-responses")
	for _, typ := range sorted(all) {
		o, _ := all[typ].(object)
		if _, ok := definition.ResponseStatus(typ); !ok {
			im.fail("Invalid gateway response type specified: %s", typ)
			continue
		}
		g := &definition.GatewayResponse{Status: text(o["statusCode"]), Parameters: texts(o["responseParameters"]), Templates: texts(o["responseTemplates"])}
		if err := g.Check(); err != nil {
			im.fail("Unable to put gateway response '%s': %s", typ, err)
			continue
		}
		if im.api.Responses == nil {
			im.api.Responses = map[string]*definition.GatewayResponse{}
		}
		im.api.Responses[typ] = g
	}
}
