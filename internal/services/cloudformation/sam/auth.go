package sam

import (
	"sort"
	"strings"
)

// authorizer is one of an API's authorizers.
type authorizer struct {
	id, name string // of the API, of the authorizer
	iam      bool
	config   object
}

func (m *macro) authorizer(name string, config object) *authorizer {
	a := &authorizer{id: m.id, name: name, config: config}
	switch config["FunctionPayloadType"] {
	case nil, "TOKEN":
	case "REQUEST":
		if a.sources() == "" && !a.uncached() {
			refuse(m.id, "%s Authorizer must specify Identity with at least one of Headers, QueryStrings, StageVariables, or Context.", name)
		}
	default:
		refuse(m.id, "%s Authorizer has invalid 'FunctionPayloadType': %s.", name, plain(config["FunctionPayloadType"]))
	}
	if v, has := config["AuthorizationScopes"]; has && v != nil {
		if _, ok := v.([]any); !ok {
			refuse(m.id, "Property 'Authorizers.%s.AuthorizationScopes' should be a list.", name)
		}
	}
	if v, has := config["DisableFunctionDefaultPermissions"]; has && v != nil {
		if _, ok := v.(bool); !ok {
			refuse(m.id, "Property 'Authorizers.%s.DisableFunctionDefaultPermissions' should be a boolean.", name)
		}
	}
	return a
}

func (a *authorizer) identity() object {
	m, ok := a.config["Identity"].(object)
	if !ok && truthy(a.config["Identity"]) {
		refuse(a.id, "Auth.Authorizers.<Authorizer>.Identity must be a dict (LambdaTokenAuthorizationIdentity, LambdaRequestAuthorizationIdentity or CognitoAuthorizationIdentity).")
	}
	return m
}

// uncached reports an authorizer whose answers are not kept, which needs no identity.
func (a *authorizer) uncached() bool {
	switch v := a.identity()["ReauthorizeEvery"].(type) {
	case int64:
		return v <= 0
	case string:
		return v == "0"
	}
	return false
}

// sources is the identitySource of a REQUEST authorizer.
func (a *authorizer) sources() string {
	var out []string
	id := a.identity()
	for _, s := range [][2]string{{"Headers", "method.request.header."}, {"QueryStrings", "method.request.querystring."}, {"StageVariables", "stageVariables."}, {"Context", "context."}} {
		list, ok := id[s[0]].([]any)
		if !ok && truthy(id[s[0]]) {
			refuse(a.id, "Property 'Auth.Authorizers.%s.Identity.%s' should be a list.", a.name, s[0])
		}
		for i, v := range list {
			text, ok := v.(string)
			if !ok {
				refuse(a.id, "Property 'Auth.Authorizers.%s.Identity.%s[%d]' should be a string.", a.name, s[0], i)
			}
			out = append(out, s[1]+text)
		}
	}
	return strings.Join(out, ", ")
}

func (a *authorizer) cognito() bool { return !a.iam && truthy(a.config["UserPoolArn"]) }

func (a *authorizer) request() bool {
	return !a.iam && !a.cognito() && a.config["FunctionPayloadType"] == "REQUEST"
}

func (a *authorizer) scopes() []any {
	l, _ := a.config["AuthorizationScopes"].([]any)
	if l == nil {
		l = []any{}
	}
	return l
}

// definition is the authorizer's entry in securityDefinitions.
func (a *authorizer) definition(partition string) object {
	out := object{"type": "apiKey", "in": "header", "name": "Authorization", "x-amazon-apigateway-authtype": "custom"}
	id := a.identity()
	if h := id["Header"]; truthy(h) {
		out["name"] = h
	}
	if a.request() {
		out["name"] = "Unused"
	}
	const key = "x-amazon-apigateway-authorizer"
	var d object
	switch {
	case a.iam:
		out["x-amazon-apigateway-authtype"] = "awsSigv4"
		return out
	case a.cognito():
		out["x-amazon-apigateway-authtype"] = "cognito_user_pools"
		pools, ok := a.config["UserPoolArn"].([]any)
		if !ok {
			pools = []any{a.config["UserPoolArn"]}
		}
		d = object{"type": "cognito_user_pools", "providerARNs": pools}
	default:
		d = object{"type": "token", "authorizerUri": sub(
			"arn:"+partition+":apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${__FunctionArn__}/invocations",
			object{"__FunctionArn__": a.config["FunctionArn"]})}
		if v := id["ReauthorizeEvery"]; v != nil {
			d["authorizerResultTtlInSeconds"] = v
		}
		if v := a.config["FunctionInvokeRole"]; truthy(v) && v != "NONE" {
			d["authorizerCredentials"] = v
		}
		if a.request() {
			d["type"] = "request"
			if s := a.sources(); s != "" {
				d["identitySource"] = s
			}
		}
	}
	if v := id["ValidationExpression"]; truthy(v) && !a.request() {
		d["identityValidationExpression"] = v
	}
	out[key] = d
	return out
}

// authorizers reads an API's authorizers; with the default one if that is AWS_IAM.
func (m *macro) authorizers(auth object, withDefault bool) map[string]*authorizer {
	out := map[string]*authorizer{}
	if withDefault && auth["DefaultAuthorizer"] == "AWS_IAM" {
		out["AWS_IAM"] = &authorizer{id: m.id, name: "AWS_IAM", iam: true, config: object{}}
	}
	v := auth["Authorizers"]
	if !truthy(v) {
		return out
	}
	all, ok := v.(object)
	if !ok {
		refuse(m.id, "Property 'Auth.Authorizers' should be a map.")
	}
	for _, name := range keys(all) {
		config, ok := all[name].(object)
		if !ok {
			refuse(m.id, "Property 'Auth.Authorizers.%s' should be a map.", name)
		}
		out[name] = m.authorizer(name, config)
	}
	return out
}

// auth enters an API's Auth into its definition.
func (m *macro) auth(body object) {
	auth, _ := m.props["Auth"].(object)
	if len(auth) == 0 {
		return
	}
	m.needsBody(body, "Auth works only with inline Swagger specified in 'DefinitionBody' property.")
	for _, k := range keys(auth) {
		if !strings.Contains(" Authorizers DefaultAuthorizer InvokeRole AddDefaultAuthorizerToCorsPreflight AddApiKeyRequiredToCorsPreflight ApiKeyRequired ResourcePolicy UsagePlan ", " "+k+" ") {
			refuse(m.id, "Invalid value for 'Auth' property")
		}
	}
	if !validDefinition(body) {
		refuse(m.id, "Unable to add Auth configuration because 'DefinitionBody' does not contain a valid Swagger definition.")
	}
	e := newEditor(body)
	preflight := func(name string) bool { v, has := auth[name]; return !has || v == nil || truthy(v) }
	if all := m.authorizers(auth, true); len(all) > 0 {
		for name, a := range all {
			child(body, "securityDefinitions")[name] = a.definition(m.t.in.Partition)
		}
		m.defaultAuthorizer(e, all, auth["DefaultAuthorizer"], preflight("AddDefaultAuthorizerToCorsPreflight"))
	}
	if truthy(auth["ApiKeyRequired"]) {
		e.apiKeyDefinition()
		e.defaultAPIKey(preflight("AddApiKeyRequiredToCorsPreflight"))
	}
	if policy := auth["ResourcePolicy"]; truthy(policy) {
		p, ok := policy.(object)
		if !ok {
			panic(Problem{Text: "Structure of the SAM template is invalid. ResourcePolicy must be a map (ResourcePolicyStatement)."})
		}
		for _, path := range keys(e.paths) {
			e.resourcePolicy(p, path, m.props["StageName"])
		}
		e.customStatements(p["CustomStatements"])
	}
	finish(body, m.props["OpenApiVersion"])
}

func security(m object) []any {
	l, has := m["security"]
	if !has {
		return nil
	}
	list, ok := l.([]any)
	if !ok {
		panic(Problem{Text: "Structure of the SAM template is invalid. Type of security must be a list"})
	}
	return list
}

// split takes a method's security apart: what concerns names, and the rest.
func split(list []any, names map[string]bool) (rest, own []any) {
	for _, s := range list {
		m, _ := s.(object)
		mine := false
		for k := range m {
			mine = mine || names[k]
		}
		if mine {
			own = append(own, s)
		} else {
			rest = append(rest, s)
		}
	}
	return rest, own
}

// without removes the first entry that has a key.
func without(list []any, key string) ([]any, bool) {
	for i, s := range list {
		if m, ok := s.(object); ok {
			if _, has := m[key]; has {
				return append(append([]any{}, list[:i]...), list[i+1:]...), true
			}
		}
	}
	return list, false
}

// defaultAuthorizer puts an authorizer on every method that names none.
func (m *macro) defaultAuthorizer(e *editor, all map[string]*authorizer, v any, preflight bool) {
	if !truthy(v) {
		return
	}
	name, ok := v.(string)
	if !ok {
		refuse(m.id, "DefaultAuthorizer is not a string.")
	}
	if all[name] == nil && name != "AWS_IAM" {
		refuse(m.id, "Unable to set DefaultAuthorizer because '%s' was not defined in 'Authorizers'.", name)
	}
	names := map[string]bool{"AWS_IAM": true}
	for n := range all {
		names[n] = true
	}
	e.each(func(_, kind string, def object) {
		if kind == "options" && !preflight {
			return
		}
		rest, own := split(security(def), names)
		rest, none := without(rest, "NONE")
		switch {
		case none:
			own = nil
		case len(own) == 0:
			scopes := []any{}
			if a := all[name]; a != nil {
				scopes = a.scopes()
			}
			own = []any{object{name: scopes}}
		}
		if list := append(rest, own...); len(list) > 0 {
			def["security"] = list
			if first, ok := list[0].(object); ok {
				if _, iam := first["AWS_IAM"]; iam {
					e.iamDefinition()
				}
			}
		}
	})
}

func (e *editor) iamDefinition() {
	d := child(e.doc, "securityDefinitions")
	if _, has := d["AWS_IAM"]; !has {
		d["AWS_IAM"] = object{"x-amazon-apigateway-authtype": "awsSigv4", "type": "apiKey", "name": "Authorization", "in": "header"}
	}
}

func (e *editor) apiKeyDefinition() {
	d := child(e.doc, "securityDefinitions")
	if _, has := d["api_key"]; !has {
		d["api_key"] = object{"type": "apiKey", "name": "x-api-key", "in": "header"}
	}
}

// defaultAPIKey asks every method for an API key that does not say otherwise.
func (e *editor) defaultAPIKey(preflight bool) {
	e.each(func(_, kind string, def object) {
		old := security(def)
		rest, own := split(old, map[string]bool{"api_key": true, "api_key_false": true})
		list := append([]any{}, rest...)
		if _, no := without(own, "api_key_false"); !no {
			list = append(list, object{"api_key": []any{}})
		}
		if kind == "options" && !preflight {
			list = rest
		}
		if len(list) > 0 || len(old) > 0 {
			if list == nil {
				list = []any{}
			}
			def["security"] = list
		}
	})
}

// authorizerPermissions let API Gateway invoke the authorizers' functions.
func (m *macro) authorizerPermissions() {
	auth, _ := m.props["Auth"].(object)
	all := m.authorizers(auth, false)
	var names []string
	for n := range all {
		names = append(names, n)
	}
	sort.Strings(names)
	for _, n := range names {
		a := all[n]
		if !truthy(a.config["FunctionArn"]) || truthy(a.config["DisableFunctionDefaultPermissions"]) {
			continue
		}
		m.add(m.id+n+"AuthorizerPermission", "AWS::Lambda::Permission", m.passed(), object{
			"Action": "lambda:InvokeFunction", "FunctionName": a.config["FunctionArn"], "Principal": "apigateway.amazonaws.com",
			"SourceArn": sub("arn:"+m.t.in.Partition+":execute-api:${AWS::Region}:${AWS::AccountId}:${__ApiId__}/authorizers/*", object{"__ApiId__": ref(m.id)}),
		})
	}
}
