package definition

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/tierra-cloud/tierra/internal/services/apigateway/problem"
)

// Part documents one place of an API.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-documenting-api-content-representation.html
type Part struct {
	ID       string   `json:"id"`
	Location Location `json:"location"`
	// Properties is a JSON object: what the place of an OpenAPI document says.
	Properties string `json:"properties"`
}

// Location is the place that a part documents.
type Location struct {
	Type   string `json:"type"`
	Path   string `json:"path,omitempty"`   // "/pets"
	Method string `json:"method,omitempty"` // "GET"; "*" is any
	Status string `json:"status,omitempty"` // "200"; "*" is any
	Name   string `json:"name,omitempty"`   // of a parameter, header, model, authorizer
}

// Types of location.
const (
	OfAPI            = "API"
	OfAuthorizer     = "AUTHORIZER"
	OfModel          = "MODEL"
	OfResource       = "RESOURCE"
	OfMethod         = "METHOD"
	OfPathParameter  = "PATH_PARAMETER"
	OfQueryParameter = "QUERY_PARAMETER"
	OfRequestHeader  = "REQUEST_HEADER"
	OfRequestBody    = "REQUEST_BODY"
	OfResponse       = "RESPONSE"
	OfResponseHeader = "RESPONSE_HEADER"
	OfResponseBody   = "RESPONSE_BODY"
)

// The members that a location of a type may have.
const (
	hasPath = 1 << iota
	hasMethod
	hasStatus
	hasName
)

func members(typ string) (int, bool) {
	switch typ {
	case OfAPI:
		return 0, true
	case OfAuthorizer, OfModel:
		return hasName, true
	case OfResource:
		return hasPath, true
	case OfMethod, OfRequestBody:
		return hasPath | hasMethod, true
	case OfPathParameter, OfQueryParameter, OfRequestHeader:
		return hasPath | hasMethod | hasName, true
	case OfResponse, OfResponseBody:
		return hasPath | hasMethod | hasStatus, true
	case OfResponseHeader:
		return hasPath | hasMethod | hasStatus | hasName, true
	}
	return 0, false
}

// Settle returns the location with what was left out filled in: the root, any
// method, any status code.
func (l Location) Settle() (Location, error) {
	has, ok := members(l.Type)
	if !ok {
		return l, problem.New("Invalid documentation part type specified: %s", l.Type)
	}
	for _, m := range []struct {
		bit      int
		name     string
		into     *string
		fallback string
	}{{hasPath, "path", &l.Path, "/"}, {hasMethod, "method", &l.Method, "*"}, {hasStatus, "statusCode", &l.Status, "*"}, {hasName, "name", &l.Name, ""}} {
		switch {
		case has&m.bit == 0 && *m.into != "":
			return l, problem.New("Invalid documentation location: %s is not valid for the type %s", m.name, l.Type)
		case has&m.bit == 0 || *m.into != "":
		case m.fallback == "":
			return l, problem.New("Invalid documentation location: %s is required for the type %s", m.name, l.Type)
		default:
			*m.into = m.fallback
		}
	}
	if has&hasPath != 0 && l.Path[0] != '/' {
		return l, problem.New("Invalid documentation location: path must begin with /")
	}
	return l, nil
}

// Named is the location in words: "type 'METHOD', path '/pets', method 'GET'".
func (l Location) Named() string {
	text := "type '" + l.Type + "'"
	for _, m := range [][2]string{{"path", l.Path}, {"method", l.Method}, {"statusCode", l.Status}, {"name", l.Name}} {
		if m[1] != "" {
			text += ", " + m[0] + " '" + m[1] + "'"
		}
	}
	return text
}

// CheckProperties checks that the content of a part is a JSON object.
func CheckProperties(text string) error {
	var o map[string]any
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return problem.New("Documentation part properties must be a JSON object")
	}
	return nil
}

// Parts finds the documentation of places.
type Parts struct {
	exact map[Location]string
	// open are those that speak for places below them, or for any method.
	open []Part
}

// NewParts makes parts ready to be looked up.
func NewParts(all []Part) *Parts {
	p := &Parts{exact: map[Location]string{}}
	for _, x := range all {
		p.exact[x.Location] = x.Properties
		if x.Location.Method == "*" || x.Location.Status == "*" {
			p.open = append(p.open, x)
		}
	}
	// The nearest comes first, then the one that names more.
	slices.SortFunc(p.open, func(x, y Part) int {
		if n := len(y.Location.Path) - len(x.Location.Path); n != 0 {
			return n
		}
		return strings.Compare(y.Location.Method+y.Location.Status, x.Location.Method+x.Location.Status)
	})
	return p
}

// Of returns what documents a place: its own part, or else the nearest that leaves
// method or status code open and stands above it.
func (p *Parts) Of(l Location) map[string]any {
	text, ok := p.exact[l]
	if !ok {
		i := slices.IndexFunc(p.open, func(x Part) bool {
			o := x.Location
			return o.Type == l.Type && o.Name == l.Name && (o.Method == "*" || o.Method == l.Method) && (o.Status == l.Status || o.Status == "*") &&
				(o.Path == l.Path || o.Path == "/" || strings.HasPrefix(l.Path, o.Path+"/"))
		})
		if i < 0 {
			return nil
		}
		text = p.open[i].Properties
	}
	var o map[string]any
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if d.Decode(&o) != nil {
		return nil
	}
	return o
}

// Places lists every place of an API that can be documented.
func (a *API) Places() []Location {
	all := []Location{{Type: OfAPI}}
	for _, x := range a.Authorizers {
		all = append(all, Location{Type: OfAuthorizer, Name: x.Name})
	}
	for name := range a.Models {
		all = append(all, Location{Type: OfModel, Name: name})
	}
	for _, r := range a.Resources {
		path := a.Path(r)
		all = append(all, Location{Type: OfResource, Path: path})
		for name, m := range r.Methods {
			all = append(all, Location{Type: OfMethod, Path: path, Method: name}, Location{Type: OfRequestBody, Path: path, Method: name})
			for p := range m.Parameters {
				typ, n := ParameterPlace(p)
				if typ != "" {
					all = append(all, Location{Type: typ, Path: path, Method: name, Name: n})
				}
			}
			for status, mr := range m.Responses {
				all = append(all, Location{Type: OfResponse, Path: path, Method: name, Status: status}, Location{Type: OfResponseBody, Path: path, Method: name, Status: status})
				for p := range mr.Parameters {
					all = append(all, Location{Type: OfResponseHeader, Path: path, Method: name, Status: status, Name: strings.TrimPrefix(p, "method.response.header.")})
				}
			}
		}
	}
	slices.SortFunc(all, func(x, y Location) int { return strings.Compare(x.Named(), y.Named()) })
	return slices.Compact(all)
}

// ParameterPlace returns the type of location of a method's request parameter,
// and its name: "method.request.header.X" is a REQUEST_HEADER named X.
func ParameterPlace(parameter string) (typ, name string) {
	place, name, _ := strings.Cut(strings.TrimPrefix(parameter, "method.request."), ".")
	switch strings.TrimPrefix(place, "multivalue") {
	case "header":
		return OfRequestHeader, name
	case "querystring":
		return OfQueryParameter, name
	case "path":
		return OfPathParameter, name
	}
	return "", name
}
