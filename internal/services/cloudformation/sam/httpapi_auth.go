package sam

import "strings"

// httpAuth enters an HTTP API's Auth into its definition.
// https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-property-httpapi-httpapiauth.html
func (m *macro) httpAuth(body object) {
	auth, _ := m.props["Auth"].(object)
	if len(auth) == 0 {
		return
	}
	if truthy(m.props["DefinitionUri"]) {
		refuse(m.id, "Auth works only with inline OpenApi specified in the 'DefinitionBody' property.")
	}
	for _, k := range keys(auth) {
		if k != "Authorizers" && k != "DefaultAuthorizer" && k != "EnableIamAuthorizer" {
			refuse(m.id, "Invalid value for 'Auth' property")
		}
	}
	if !validDefinition(body) {
		refuse(m.id, "Unable to add Auth configuration because 'DefinitionBody' does not contain a valid OpenApi definition.")
	}
	all := m.httpAuthorizers(auth)
	for name, a := range all {
		schemes := child(child(body, "components"), "securitySchemes")
		schemes[name] = a.definition3(m.t.in.Partition)
	}
	v := auth["DefaultAuthorizer"]
	if !truthy(v) {
		return
	}
	name, ok := v.(string)
	if !ok || all[name] == nil {
		if intrinsic(v) {
			refuse(m.id, "Unable to set DefaultAuthorizer because intrinsic functions are not supported for this field.")
		}
		refuse(m.id, "Unable to set DefaultAuthorizer because '%s' was not defined in 'Authorizers'.", plain(v))
	}
	newEditor(body).each(func(_, kind string, def object) {
		if kind == "options" {
			return // a preflight request carries no credentials
		}
		list := security(def)
		switch {
		case len(list) > 0:
			// A method that says which authorizer it has, or NONE, keeps it.
			if first, ok := list[0].(object); !ok || first[""] == nil {
				return
			}
			def["security"] = []any{object{name: list[0].(object)[""]}}
		default:
			def["security"] = []any{object{name: all[name].scopes()}}
		}
	})
}

// httpAuthorizers reads an HTTP API's authorizers, AWS_IAM among them if it is enabled.
func (m *macro) httpAuthorizers(auth object) map[string]*authorizer {
	out := map[string]*authorizer{}
	if v := auth["Authorizers"]; truthy(v) {
		all, ok := v.(object)
		if !ok {
			refuse(m.id, "Property 'Auth.Authorizers' should be a map.")
		}
		for _, name := range keys(all) {
			config, ok := all[name].(object)
			if !ok {
				refuse(m.id, "Property 'Auth.Authorizers.%s' should be a map.", name)
			}
			out[name] = m.httpAuthorizer(name, config)
		}
	}
	if truthy(auth["EnableIamAuthorizer"]) && out["AWS_IAM"] == nil {
		out["AWS_IAM"] = &authorizer{id: m.id, name: "AWS_IAM", iam: true, config: object{}}
	}
	return out
}

func (m *macro) httpAuthorizer(name string, config object) *authorizer {
	function := config["FunctionArn"] != nil
	if v := config["EnableFunctionDefaultPermissions"]; v != nil {
		if _, ok := v.(bool); !ok {
			refuse(m.id, "Property 'Authorizers.%s.EnableFunctionDefaultPermissions' should be a boolean.", name)
		}
	}
	if v := config["AuthorizationScopes"]; v != nil {
		if _, ok := v.([]any); !ok {
			refuse(m.id, "AuthorizationScopes must be a list.")
		}
	}
	jwt := config["JwtConfiguration"] != nil
	for _, k := range []string{"AuthorizationScopes", "JwtConfiguration"} {
		if config[k] != nil && !jwt {
			refuse(m.id, "%s is only supported for OAuth2 Authorizer.", k)
		}
	}
	if config["IdentitySource"] != nil && !jwt {
		refuse(m.id, "IdentitySource is only supported for OAuth2 Authorizer. For Lambda Authorizer, use the 'Identity' property instead.")
	}
	for _, k := range []string{"FunctionArn", "FunctionInvokeRole", "EnableFunctionDefaultPermissions", "Identity", "AuthorizerPayloadFormatVersion", "EnableSimpleResponses"} {
		if config[k] != nil && jwt {
			refuse(m.id, "%s is only supported for Lambda Authorizer.", k)
		}
	}
	if function && !truthy(config["AuthorizerPayloadFormatVersion"]) {
		refuse(m.id, "%s Lambda Authorizer must define 'AuthorizerPayloadFormatVersion'.", name)
	}
	if !function && !truthy(config["JwtConfiguration"]) {
		refuse(m.id, "%s OAuth2 Authorizer must define 'JwtConfiguration'.", name)
	}
	if !function && !truthy(config["IdentitySource"]) {
		refuse(m.id, "%s OAuth2 Authorizer must define 'IdentitySource'.", name)
	}
	return &authorizer{id: m.id, name: name, config: config}
}

// definition3 is the authorizer's entry in an HTTP API's securitySchemes.
func (a *authorizer) definition3(partition string) object {
	const key = "x-amazon-apigateway-authorizer"
	if a.iam {
		return object{"type": "apiKey", "name": "Authorization", "in": "header", "x-amazon-apigateway-authtype": "awsSigv4"}
	}
	if jwt, ok := a.config["JwtConfiguration"].(object); ok {
		config := object{}
		for k, v := range jwt {
			config[strings.ToLower(k)] = v
		}
		return object{"type": "oauth2", key: object{"type": "jwt", "jwtConfiguration": config, "identitySource": a.config["IdentitySource"]}}
	}
	d := object{
		"type": "request", "authorizerPayloadFormatVersion": a.config["AuthorizerPayloadFormatVersion"],
		"authorizerUri": sub("arn:"+partition+":apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${__FunctionArn__}/invocations",
			object{"__FunctionArn__": a.config["FunctionArn"]}),
	}
	identity := a.identity()
	if v := identity["ReauthorizeEvery"]; v != nil {
		d["authorizerResultTtlInSeconds"] = v
	}
	if v := a.config["FunctionInvokeRole"]; truthy(v) && v != "NONE" {
		d["authorizerCredentials"] = v
	}
	if truthy(a.config["EnableSimpleResponses"]) {
		d["enableSimpleResponses"] = a.config["EnableSimpleResponses"]
	}
	var sources []any
	for _, s := range [][2]string{{"Headers", "$request.header."}, {"QueryStrings", "$request.querystring."}, {"StageVariables", "$stageVariables."}, {"Context", "$context."}} {
		list, ok := identity[s[0]].([]any)
		if !ok && truthy(identity[s[0]]) {
			refuse(a.id, "Property 'Authorizers.%s.Identity.%s' should be a list.", a.name, s[0])
		}
		for i, v := range list {
			text, ok := v.(string)
			if !ok {
				refuse(a.id, "Property 'Authorizers.%s.Identity.%s[%d]' should be a string.", a.name, s[0], i)
			}
			sources = append(sources, s[1]+text)
		}
	}
	if len(sources) > 0 {
		d["identitySource"] = sources
	}
	return object{"type": "apiKey", "name": "Unused", "in": "header", key: d}
}

// httpAuthorizerPermissions let API Gateway invoke the functions of the
// authorizers that ask for it.
func (m *macro) httpAuthorizerPermissions() {
	auth, _ := m.props["Auth"].(object)
	all := m.httpAuthorizers(auth)
	names := object{}
	for n := range all {
		names[n] = nil
	}
	for _, n := range keys(names) {
		if a := all[n]; truthy(a.config["FunctionArn"]) && truthy(a.config["EnableFunctionDefaultPermissions"]) {
			m.add(m.id+n+"AuthorizerPermission", "AWS::Lambda::Permission", m.passed(), object{
				"Action": "lambda:InvokeFunction", "FunctionName": a.config["FunctionArn"], "Principal": "apigateway.amazonaws.com",
				"SourceArn": sub("arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${__ApiId__}/authorizers/*", object{"__ApiId__": ref(m.id)}),
			})
		}
	}
}
