package openapi

import (
	"strconv"
	"strings"

	"github.com/tierra-cloud/tierra/internal/services/apigateway/definition"
	"github.com/tierra-cloud/tierra/internal/services/apigateway/problem"
)

// schemes reads the security schemes that decide something here: those with an
// authorizer. The others document an API, unless a method requires them.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-swagger-extensions-authorizer.html
func (im *importer) schemes() {
	for _, name := range sorted(im.named()) {
		o := im.scheme(name)
		im.part(definition.Location{Type: definition.OfAuthorizer, Name: name}, o, "description")
		a := child(o, extension+"authorizer")
		if a == nil {
			continue
		}
		x := &definition.Authorizer{
			ID: im.newID(), Name: name, Type: strings.ToUpper(text(a["type"])), AuthType: text(o[extension+"authtype"]), URI: text(a["authorizerUri"]),
			Credentials: text(a["authorizerCredentials"]), Identity: text(a["identitySource"]), Validation: text(a["identityValidationExpression"]),
		}
		for _, k := range sorted(a) {
			switch k {
			case "type", "authorizerUri", "authorizerCredentials", "identitySource", "identityValidationExpression":
			case "authorizerResultTtlInSeconds":
				n, ok := number(a[k])
				if !ok {
					n = -1
				}
				x.TTL = &n
			case "providerARNs":
				x.Providers = list(a[k])
			default:
				im.refuse("the authorizer setting " + k)
			}
		}
		if (x.Type == definition.TokenAuthorizer || x.Type == definition.CognitoAuthorizer) && x.Identity == "" && text(o["in"]) == "header" {
			x.Identity = "method.request.header." + text(o["name"])
		}
		if err := x.Check(); err != nil {
			im.fail("Unable to create authorizer '%s': %s", name, err)
			continue
		}
		if im.api.Authorizers == nil {
			im.api.Authorizers = map[string]*definition.Authorizer{}
		}
		im.api.Authorizers[x.ID] = x
	}
}

// named are the security schemes by name.
func (im *importer) named() object {
	if c := child(im.root, "components"); c != nil {
		return child(c, "securitySchemes")
	}
	return child(im.root, "securityDefinitions")
}

// scheme returns the security scheme with a name, nil if there is none.
func (im *importer) scheme(name string) object { return im.resolve(im.named()[name]) }

// security gives a method the authorization that its requirements name.
func (im *importer) security(at place, m *definition.Method, op object) error {
	if auth := child(op, extension+"auth"); auth != nil {
		switch typ := text(auth["type"]); typ {
		case definition.IAMAuthorization:
			m.Authorization = typ
		case definition.NoAuthorization:
		default:
			return problem.Unsupported("authorization of type " + typ)
		}
	}
	v, own := op["security"]
	if !own {
		v = im.root["security"]
	}
	alternatives, _ := v.([]any)
	for _, a := range alternatives {
		o, _ := a.(object)
		for _, name := range sorted(o) {
			if err := im.require(at, m, name, o[name]); err != nil {
				return err
			}
		}
	}
	return nil
}

// require makes a method require a security scheme.
func (im *importer) require(at place, m *definition.Method, name string, scopes any) error {
	if name == "NONE" {
		return nil
	}
	a := im.api.AuthorizerNamed(name)
	if s := im.scheme(name); a == nil && text(s["type"]) == "apiKey" && strings.EqualFold(text(s["name"]), "x-api-key") {
		m.KeyRequired = true
		return nil
	} else if a == nil && strings.EqualFold(text(s[extension+"authtype"]), "awsSigv4") {
		if m.Authorizer != "" {
			return problem.New("Only one authorizer can be required: %s is another", name)
		}
		m.Authorization = definition.IAMAuthorization
		return nil
	}
	switch {
	case a != nil && m.Authorization == definition.IAMAuthorization:
		return problem.New("Only one authorizer can be required: %s is another", name)
	case a == nil:
		// As at AWS, only what API Gateway knows protects a method.
		im.warn("The security requirement '%s' of method '%s' on resource at path '%s' has no authorizer. Ignoring.", name, at.method, at.path)
		return nil
	case len(list(scopes)) > 0 && a.Type != definition.CognitoAuthorizer:
		return problem.Unsupported("scopes of the security requirement " + name)
	case m.Authorizer != "" && m.Authorizer != a.ID:
		return problem.New("Only one authorizer can be required: %s is another", name)
	}
	m.Authorization, m.Authorizer = definition.CustomAuthorization, a.ID
	if a.Type == definition.CognitoAuthorizer {
		m.Authorization, m.Scopes = definition.CognitoAuthorization, list(scopes)
	}
	return nil
}

// number reads a whole number.
func number(v any) (int32, bool) {
	n, err := strconv.ParseInt(text(v), 10, 32)
	return int32(n), err == nil
}
