package openapi

import (
	"encoding/json"
	"maps"
	"strconv"
	"strings"

	"github.com/tierra-cloud/tierra/internal/services/apigateway/definition"
)

// nameSchemes finds out which security schemes the document needs, and what the
// authorizers are called in it.
func (x *exporter) nameSchemes() {
	taken := map[string]bool{keyScheme: true, iamScheme: true}
	for id, a := range x.API.Authorizers {
		name := a.Name
		if taken[name] {
			name += "-" + id
		}
		taken[name], x.names[id] = true, name
	}
	for _, r := range x.API.Resources {
		for _, m := range r.Methods {
			x.keys = x.keys || m.KeyRequired
			x.iam = x.iam || m.Authorization == definition.IAMAuthorization
		}
	}
}

// requirements are what a method demands of its callers.
func (x *exporter) requirements(m *definition.Method) []any {
	var all []any
	if name := x.names[m.Authorizer]; name != "" {
		all = append(all, object{name: append([]any{}, anyList(m.Scopes)...)})
	}
	if m.Authorization == definition.IAMAuthorization {
		all = append(all, object{iamScheme: []any{}})
	}
	if m.KeyRequired {
		all = append(all, object{keyScheme: []any{}})
	}
	return all
}

func (x *exporter) schemes() object {
	o := object{}
	if x.keys {
		o[keyScheme] = object{"type": "apiKey", "name": "x-api-key", "in": "header"}
	}
	if x.iam {
		o[iamScheme] = object{"type": "apiKey", "name": "Authorization", "in": "header", extension + "authtype": "awsSigv4"}
	}
	for id, a := range x.API.Authorizers {
		s := object{}
		maps.Copy(s, x.docs.Of(definition.Location{Type: definition.OfAuthorizer, Name: a.Name}))
		s["type"], s["in"], s["name"] = "apiKey", "header", "Unused"
		if sources := a.Sources(); len(sources) > 0 {
			if n, ok := strings.CutPrefix(sources[0], "method.request.header."); ok {
				s["name"] = n
			}
		}
		if x.Authorizers {
			authType := a.AuthType
			if authType == "" {
				authType = "custom"
			}
			s[extension+"authtype"], s[extension+"authorizer"] = authType, authorizerObject(a)
		}
		o[x.names[id]] = s
	}
	return o
}

// authorizerObject is x-amazon-apigateway-authorizer.
func authorizerObject(a *definition.Authorizer) object {
	o := object{"type": strings.ToLower(a.Type)}
	set(o, "authorizerUri", a.URI)
	if len(a.Providers) > 0 {
		o["providerARNs"] = anyList(a.Providers)
	}
	set(o, "authorizerCredentials", a.Credentials)
	set(o, "identitySource", a.Identity)
	set(o, "identityValidationExpression", a.Validation)
	if a.TTL != nil {
		o["authorizerResultTtlInSeconds"] = whole(*a.TTL)
	}
	return o
}

func whole(n int32) json.Number { return json.Number(strconv.Itoa(int(n))) }

// integrationObject is x-amazon-apigateway-integration.
func integrationObject(i *definition.Integration) object {
	o := object{"type": strings.ToLower(i.Type), "passthroughBehavior": strings.ToLower(i.PassthroughBehavior())}
	set(o, "httpMethod", i.HTTPMethod)
	set(o, "uri", i.URI)
	set(o, "credentials", i.Credentials)
	set(o, "contentHandling", i.Convert)
	set(o, "cacheNamespace", i.CacheNamespace)
	if len(i.CacheKeys) > 0 {
		o["cacheKeyParameters"] = anyList(i.CacheKeys)
	}
	if i.Stream {
		o["responseTransferMode"] = "STREAM"
	}
	put(o, "requestTemplates", anyMap(i.Templates))
	put(o, "requestParameters", anyMap(i.Parameters))
	if i.Timeout != 0 {
		o["timeoutInMillis"] = whole(i.Timeout)
	}
	responses := object{}
	for _, status := range sortedKeys(i.Responses) {
		r := i.Responses[status]
		v := object{"statusCode": status}
		put(v, "responseParameters", anyMap(r.Parameters))
		put(v, "responseTemplates", anyMap(r.Templates))
		set(v, "contentHandling", r.Convert)
		pattern := "default"
		if r.Pattern != nil {
			pattern = *r.Pattern
		}
		if responses[pattern] == nil { // of several with one pattern, the first is the one that is chosen
			responses[pattern] = v
		}
	}
	put(o, "responses", responses)
	return o
}
