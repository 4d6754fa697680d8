package apigateway

import (
	"maps"
	"slices"
	"strings"

	"github.com/tierra-cloud/tierra/internal/services/apigateway/definition"
	"github.com/tierra-cloud/tierra/internal/services/apigateway/schema"
)

// validation is what a request must keep before its integration is called.
type validation struct {
	required []string // "header.X", "querystring.q"
	schemas  map[string]*schema.Schema
}

// badBody is the failure of a body that its model does not allow.
var badBody = &failure{"BAD_REQUEST_BODY", 400, "BadRequestException", "Invalid request body"}

// compileValidation compiles a method's validation; nil if there is none.
func compileValidation(d *definition.API, m *definition.Method) (*validation, error) {
	rules := d.Validators[m.Validator]
	if rules == nil {
		return nil, nil
	}
	v := &validation{}
	if rules.Parameters {
		for _, p := range slices.Sorted(maps.Keys(m.Parameters)) {
			if m.Parameters[p] {
				v.required = append(v.required, strings.TrimPrefix(strings.TrimPrefix(p, "method.request."), "multivalue"))
			}
		}
	}
	schemas, err := d.Schemas(m)
	v.schemas = make(map[string]*schema.Schema, len(schemas))
	for typ, s := range schemas {
		v.schemas[strings.ToLower(typ)] = s
	}
	return v, err
}

// validate checks a request. Parameters must be there and not blank; a body of a
// type for which there is no model is not checked, as at AWS.
func (x *exchange) validate() *failure {
	v := x.end.validation
	if v == nil {
		return nil
	}
	var missing []string
	for _, p := range v.required {
		place, name, _ := strings.Cut(p, ".")
		value := ""
		switch place {
		case "header":
			value = x.Header(name)
		case "querystring":
			value = x.Query(name)
		case "path":
			value = x.Path(name)
		}
		if strings.TrimSpace(value) == "" {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		f := *badParameters
		f.message = "Missing required request parameters: [" + strings.Join(missing, ", ") + "]"
		return &f
	}
	if len(v.schemas) == 0 {
		return nil
	}
	typ := mediaType(x.header("Content-Type"))
	if typ == "" {
		typ = "application/json"
	}
	if s := v.schemas[typ]; s != nil {
		if wrong := s.Check(x.rq.Body); len(wrong) > 0 {
			x.note = "[" + strings.Join(wrong, ", ") + "]"
			return badBody
		}
	}
	return nil
}
