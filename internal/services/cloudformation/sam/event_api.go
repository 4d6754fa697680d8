package sam

import (
	"regexp"
	"strings"
)

// api is an event of the type Api: a permission, and the path and method in the
// API's definition if the transform writes that.
func (e *event) api() {
	path, name := e.props["Path"].(string), strings.ToLower(e.props["Method"].(string))
	id, _ := apiOf(e.props["RestApiId"]).(string)
	resource, _ := e.t.src[id].(object)
	api := properties(resource)
	stage := "Stage"
	if s, ok := api["StageName"].(string); ok {
		if stage = s; s == "" {
			refuse(id, "StageName cannot be empty.")
		}
	}
	e.apiPermission(path, name, stage)
	if api[managed] == true || truthy(api["MergeDefinitions"]) {
		e.integrate(api, id, path, name, stage)
	}
	auth, _ := e.props["Auth"].(object)
	if body, ok := api["DefinitionBody"].(object); ok && len(body) > 0 && truthy(auth["OverrideApiAuth"]) {
		if !truthy(auth["Authorizer"]) && !truthy(auth["ApiKeyRequired"]) && !truthy(auth["ResourcePolicy"]) {
			e.fail("Must define one of: Authorizer, ApiKeyRequired or ResourcePolicy when using the OverrideApiAuth property.")
		}
		if !validDefinition(body) {
			panic(Problem{Text: "Structure of the SAM template is invalid. Invalid Swagger document or the Swagger document is not explicitly defined in 'DefinitionBody'."})
		}
		e.auth(newEditor(body), api, auth, path, name, stage)
	}
}

func (e *event) apiPermission(path, name, stage string) {
	if len(path) > 1 {
		path = strings.TrimSuffix(path, "/")
	}
	verb := strings.ToUpper(name)
	if name == "any" {
		verb = "*"
	}
	id := hashed(e.id+"Permission", stage)
	if alphanumeric(stage) {
		id = e.id + "Permission" + stage
	}
	e.permissionAs(id, "apigateway.amazonaws.com", object{"SourceArn": sub(
		"arn:"+e.t.in.Partition+":execute-api:${AWS::Region}:${AWS::AccountId}:${__ApiId__}/${__Stage__}/"+verb+wildcards(path, true),
		object{"__ApiId__": e.props["RestApiId"], "__Stage__": "*"})})
}

// invocationURI is where API Gateway sends a request for the function.
func (e *event) invocationURI() object {
	version, end := "2015-03-31", "/invocations"
	if e.props["ResponseTransferMode"] == "RESPONSE_STREAM" {
		version, end = "2021-11-15", "/response-streaming-invocations"
	}
	arn := "${" + e.macro.id + ".Arn}"
	if e.to.alias != "" {
		arn = "${" + e.to.alias + "}"
	}
	return sub("arn:"+e.t.in.Partition+":apigateway:${AWS::Region}:lambda:path/"+version+"/functions/"+arn+end, nil)
}

// integrate enters the method with its integration into the API's definition.
func (e *event) integrate(api object, id, path, name, stage string) {
	body, ok := api["DefinitionBody"].(object)
	if !ok {
		return
	}
	if truthy(api["MergeDefinitions"]) {
		e.merge(api, id, body, path, name, stage)
		return
	}
	if !validDefinition(body) {
		panic(Problem{Text: "Structure of the SAM template is invalid. Invalid Swagger document or the Swagger document is not explicitly defined in 'DefinitionBody'."})
	}
	e.define(newEditor(body), api, path, name, stage)
}

// define adds the method to a definition.
func (e *event) define(ed *editor, api object, path, name, stage string) {
	if ed.has(path, name) {
		e.fail("API method \"%s\" defined multiple times for path \"%s\".", name, path)
	}
	auth, ok := e.props["Auth"].(object)
	if !ok && truthy(e.props["Auth"]) {
		e.fail("Property 'Auth' should be a map.")
	}
	apiAuth, ok := api["Auth"].(object)
	if !ok && truthy(api["Auth"]) {
		id, _ := apiOf(e.props["RestApiId"]).(string)
		refuse(id, "Property 'Auth' should be a map.")
	}
	ed.addPath(path, name)
	condition := e.condition()
	for _, item := range ed.items(path) {
		def, ok := item[method(name)].(object)
		if !ok {
			continue
		}
		in := object{"type": "aws_proxy", "httpMethod": "POST", "uri": when(condition, e.invocationURI())}
		if e.props["ResponseTransferMode"] == "RESPONSE_STREAM" {
			in["responseTransferMode"] = "STREAM"
		}
		if auth["Authorizer"] == "AWS_IAM" || apiAuth["DefaultAuthorizer"] == "AWS_IAM" && len(auth) == 0 {
			if c := e.credentials(auth, apiAuth); c != nil {
				in["credentials"] = c
			}
		}
		def[integration] = in
		if _, has := def["responses"]; !has {
			def["responses"] = object{}
		}
		if condition != "" {
			item[method(name)] = when(condition, def)
		}
	}
	if len(auth) > 0 {
		e.auth(ed, api, auth, path, name, stage)
	}
	if v := e.props["TimeoutInMillis"]; truthy(v) {
		for _, def := range ed.methods(path, name) {
			def[integration].(object)["timeoutInMillis"] = v
		}
	}
	e.requestModel(ed, api, path, name)
	e.requestParameters(ed, path, name)
}

// credentials are those with which API Gateway invokes the function under AWS_IAM:
// the caller's, unless InvokeRole says otherwise. Nil means none.
func (e *event) credentials(auth, apiAuth object) any {
	pick := func(m object) any {
		v, has := m["InvokeRole"]
		if has && !truthy(v) {
			return "NONE"
		}
		return v
	}
	v := pick(auth)
	if !truthy(v) {
		v = pick(apiAuth)
	}
	switch {
	case v == "NONE":
		return nil
	case !truthy(v) || v == "CALLER_CREDENTIALS":
		return "arn:" + e.t.in.Partition + ":iam::*:user/*"
	}
	return v
}

// merge makes the method apart and lays it over the definition that the template has.
func (e *event) merge(api object, id string, body object, path, name, stage string) {
	ed := newEditor(skeleton())
	e.define(ed, api, path, name, stage)
	paths, ok := body["paths"].(object)
	if !ok {
		if truthy(body["paths"]) {
			refuse(id, "Property 'DefinitionBody' is invalid: The value of 'paths' should be a map.")
		}
		paths = object{}
	}
	item, ok := paths[path].(object)
	if !ok {
		if truthy(paths[path]) {
			refuse(id, "Property 'DefinitionBody' is invalid: The value of '%s' should be a map.", path)
		}
		item = object{}
		paths[path] = item
	}
	old, ok := item[name].(object)
	if !ok && truthy(item[name]) {
		refuse(id, "Property 'DefinitionBody.paths.%s.%s' should be a map.", path, name)
	}
	merged := object{}
	for k, v := range old {
		merged[k] = v
	}
	if def, ok := ed.paths[path].(object)[method(name)].(object); ok {
		for k, v := range def {
			merged[k] = v
		}
	}
	item[name] = merged
}

// auth enters the event's own Auth.
func (e *event) auth(ed *editor, api, auth object, path, name string, stage any) {
	apiAuth, _ := e.t.resolve(api["Auth"]).(object)
	authorizers, _ := apiAuth["Authorizers"].(object)
	where := "on API method [" + name + "] for path [" + path + "]"
	if v := auth["Authorizer"]; truthy(v) && v != "AWS_IAM" {
		if v == "NONE" {
			if !truthy(apiAuth["DefaultAuthorizer"]) {
				e.fail("Unable to set Authorizer %s because 'NONE' is only a valid value when a DefaultAuthorizer on the API is specified.", where)
			}
		} else {
			if len(authorizers) == 0 {
				e.fail("Unable to set Authorizer [%s] %s because the related API does not define any Authorizers.", plain(v), where)
			}
			s, ok := v.(string)
			if !ok {
				e.fail("Unable to set Authorizer %s because the method's Authorizer must be a string.", where)
			}
			if !truthy(authorizers[s]) {
				e.fail("Unable to set Authorizer [%s] %s because it wasn't defined in the API's Authorizers.", s, where)
			}
		}
	}
	if scopes := auth["AuthorizationScopes"]; truthy(scopes) {
		if _, ok := scopes.([]any); !ok {
			e.fail("Property 'Auth.AuthorizationScopes' should be a list.")
		}
		if !truthy(auth["Authorizer"]) {
			e.fail("AuthorizationScopes works only when Authorizer is set")
		}
	}
	key := auth["ApiKeyRequired"]
	if key != nil && !truthy(key) && !truthy(apiAuth["ApiKeyRequired"]) {
		e.fail("Unable to set ApiKeyRequired [False] %s because the related API does not specify any ApiKeyRequired.", where)
	}
	if v, ok := auth["Authorizer"].(string); ok && v != "" {
		raw, _ := api["Auth"].(object)
		own, _ := raw["Authorizers"].(object)
		ed.methodAuthorizer(path, name, v, own, auth["AuthorizationScopes"])
	}
	if key != nil {
		for _, def := range ed.methods(path, name) {
			mark := "api_key_false"
			if truthy(key) {
				mark = "api_key"
				ed.apiKeyDefinition()
			}
			def["security"] = append(security(def), object{mark: []any{}})
		}
	}
	if policy := auth["ResourcePolicy"]; truthy(policy) {
		p, ok := policy.(object)
		if !ok {
			e.fail("Property 'Auth.ResourcePolicy' should be a map.")
		}
		ed.resourcePolicy(p, path, stage)
		ed.customStatements(p["CustomStatements"])
	}
}

func (ed *editor) methodAuthorizer(path, name, authorizer string, authorizers object, scopes any) {
	for _, def := range ed.methods(path, name) {
		own := any([]any{})
		if config, ok := authorizers[authorizer].(object); ok && authorizer != "NONE" {
			if s := config["AuthorizationScopes"]; s != nil {
				own = s
			}
			if scopes != nil {
				own = scopes
			}
		}
		list := append(security(def), object{authorizer: own})
		def["security"] = list
		if first, ok := list[0].(object); ok {
			if _, iam := first["AWS_IAM"]; iam {
				ed.iamDefinition()
			}
		}
	}
}

func (e *event) requestModel(ed *editor, api object, path, name string) {
	v := e.props["RequestModel"]
	if !truthy(v) {
		return
	}
	config, ok := v.(object)
	if !ok {
		e.fail("Property 'RequestModel' should be a map.")
	}
	if !truthy(config["Model"]) {
		return
	}
	fail := func(why string) {
		e.fail("Unable to set RequestModel [%s] on API method [%s] for path [%s] because %s", plain(config["Model"]), name, path, why)
	}
	if !truthy(api["Models"]) {
		fail("the related API does not define any Models.")
	}
	models, ok := api["Models"].(object)
	if !ok {
		fail("the related API Models defined is of invalid type.")
	}
	model, ok := config["Model"].(string)
	if !ok {
		fail("the related API does not contain valid Models.")
	}
	if !truthy(models[model]) {
		fail("it wasn't defined in the API's Models.")
	}
	model = strings.ToLower(model)
	for _, def := range ed.methods(path, name) {
		if ed.doc["swagger"] != nil {
			param := object{"in": "body", "name": model, "schema": object{"$ref": "#/definitions/" + model}}
			if config["Required"] != nil {
				param["required"] = config["Required"]
			}
			list, _ := def["parameters"].([]any)
			def["parameters"] = append(list, param)
		} else if openAPI3(ed.doc["openapi"]) {
			body := object{"content": object{"application/json": object{"schema": object{"$ref": "#/components/schemas/" + model}}}}
			if config["Required"] != nil {
				body["required"] = config["Required"]
			}
			def["requestBody"] = body
		}
	}
	if config["ValidateBody"] == nil && config["ValidateParameters"] == nil {
		return
	}
	flags := [2]bool{}
	for i, k := range []string{"ValidateBody", "ValidateParameters"} {
		if config[k] != nil {
			if flags[i], ok = config[k].(bool); !ok {
				e.fail("Unable to set Validator to RequestModel [%s] on API method [%s] for path [%s] ValidateBody and ValidateParameters must be a boolean type, strings or intrinsics are not supported.", plain(config["Model"]), name, path)
			}
		}
	}
	kind := map[[2]bool]string{{true, true}: "body-and-params", {true, false}: "body-only", {false, true}: "params-only", {false, false}: "no-validation"}[flags]
	all := child(ed.doc, validators)
	if !truthy(all[kind]) {
		all[kind] = object{"validateRequestBody": flags[0], "validateRequestParameters": flags[1]}
	}
	for _, def := range ed.methods(path, name) {
		def[validator] = kind
	}
}

var requestParameter = regexp.MustCompile(`^method\.request\.(querystring|path|header)\.(.+)$`)

func (e *event) requestParameters(ed *editor, path, name string) {
	list, _ := e.props["RequestParameters"].([]any)
	for _, x := range list {
		settings := object{}
		key, ok := x.(string)
		if m, isMap := x.(object); isMap && len(m) > 0 {
			key = keys(m)[0]
			settings, ok = m[key].(object)
			for k := range settings {
				ok = ok && (k == "Required" || k == "Caching")
			}
			if !ok {
				e.fail("Invalid value for 'RequestParameters' property. Values must be an object, e.g { Required: true, Caching: false }")
			}
		}
		if !ok {
			e.fail("Invalid value for 'RequestParameters' property. Property must be either a string or an object")
		}
		found := requestParameter.FindStringSubmatch(key)
		if found == nil {
			e.fail("Invalid value for 'RequestParameters' property. Keys must be in the format 'method.request.[querystring|path|header].{value}', e.g 'method.request.header.Authorization'.")
		}
		in := found[1]
		if in == "querystring" {
			in = "query"
		}
		required := any(false)
		if v, has := settings["Required"]; has {
			required = v
		}
		for _, def := range ed.methods(path, name) {
			params, _ := def["parameters"].([]any)
			def["parameters"] = append(params, object{"in": in, "name": found[2], "required": required, "type": "string"})
			if truthy(settings["Caching"]) {
				target := def[integration].(object)
				cache, _ := target["cacheKeyParameters"].([]any)
				target["cacheKeyParameters"] = append(cache, key)
			}
		}
	}
}
