package sam

import (
	"regexp"
	"strings"
)

var pathParameter = regexp.MustCompile(`\{(.*?)\}`)

// httpAPI is an event of the type HttpApi: a permission, and the route with its
// integration in the API's definition.
// https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-property-function-httpapi.html
func (e *event) httpAPI() {
	path, name := e.props["Path"].(string), strings.ToLower(e.props["Method"].(string))
	id, _ := apiOf(e.props["ApiId"]).(string)
	resource, _ := e.t.src[id].(object)
	api := properties(resource)
	body, ok := api["DefinitionBody"].(object)
	if !ok || len(body) == 0 {
		e.httpPermission(path, name)
		return
	}
	if !validDefinition(body) {
		panic(Problem{ID: id, Text: "Structure of the SAM template is invalid. Invalid OpenApi document. Invalid values or missing keys for 'openapi' or 'paths' in 'DefinitionBody'."})
	}
	ed := newEditor(body)
	e.route(ed, api, path, name)
	if path == defaultRoute || !e.takesRest(ed) {
		e.httpPermission(path, name)
	}
}

// takesRest reports whether the function has the API's default route, whose
// permission covers all other routes.
func (e *event) takesRest(ed *editor) bool {
	if _, ok := ed.paths[defaultRoute]; !ok {
		return false
	}
	want := plain(e.invocationURI3())
	for _, def := range ed.methods(defaultRoute, anyMethod) {
		in, _ := def[integration].(object)
		if list, ok := branches(in["uri"]); ok && plain(list[1]) == want || plain(in["uri"]) == want {
			return true
		}
	}
	return false
}

func (e *event) httpPermission(path, name string) {
	on := "/${__Stage__}/"
	switch verb := strings.ToUpper(name); {
	case path == defaultRoute:
		on += "*"
	case name == "any" || name == anyMethod:
		on += "*" + wildcards(path, false)
	default:
		on += verb + wildcards(path, false)
	}
	if len(path) > 1 {
		on = strings.TrimSuffix(on, "/")
	}
	e.permission("apigateway.amazonaws.com", object{"SourceArn": sub(
		"arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${__ApiId__}"+on,
		object{"__ApiId__": e.props["ApiId"], "__Stage__": "*"})})
}

func (e *event) invocationURI3() object {
	arn := "${" + e.macro.id + ".Arn}"
	if e.to.alias != "" {
		arn = "${" + e.to.alias + "}"
	}
	return sub("arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/"+arn+"/invocations", nil)
}

// route enters the event's route into the definition. An integration that is
// there stays, unless the transform manages the definition: then the route is
// there twice.
func (e *event) route(ed *editor, api object, path, name string) {
	auth, ok := e.props["Auth"].(object)
	if !ok && truthy(e.props["Auth"]) {
		e.fail("Property 'Auth' should be a map.")
	}
	there := ed.has(path, name)
	if there && api[managed] == true {
		e.fail("API method '%s' defined multiple times for path '%s'.", name, path)
	}
	if !there {
		e.addRoute(ed, path, name)
	}
	if len(auth) > 0 {
		e.routeAuth(ed, api, auth, path, name)
	}
	for _, def := range ed.methods(path, name) {
		in := def[integration].(object)
		if v := e.props["TimeoutInMillis"]; truthy(v) {
			in["timeoutInMillis"] = v
		}
		if v := e.props["PayloadFormatVersion"]; truthy(v) {
			in["payloadFormatVersion"] = v
		}
		pathParameters(def, path)
	}
}

func (e *event) addRoute(ed *editor, path, name string) {
	ed.addPath(path, name)
	condition := e.condition()
	for _, item := range ed.items(path) {
		for _, x := range contents(item[method(name)]) {
			def, ok := x.(object)
			if !ok {
				continue
			}
			def[integration] = object{"type": "aws_proxy", "httpMethod": "POST", "payloadFormatVersion": "2.0", "uri": when(condition, e.invocationURI3())}
			if path == defaultRoute && method(name) == anyMethod {
				def["isDefaultRoute"] = true
			}
			if _, has := def["responses"]; !has {
				def["responses"] = object{}
			}
		}
		if condition != "" && !intrinsic(item[method(name)]) {
			item[method(name)] = when(condition, item[method(name)])
		}
	}
}

// pathParameters declares the parameters of a path.
func pathParameters(def object, path string) {
	found := pathParameter.FindAllStringSubmatch(path, -1)
	if len(found) == 0 {
		return
	}
	list, _ := def["parameters"].([]any)
next:
	for _, f := range found {
		one := object{"name": f[1], "in": "path", "required": true}
		for _, old := range list {
			if o, ok := old.(object); ok && o["name"] == f[1] && o["in"] == "path" {
				o["required"] = true
				continue next
			}
		}
		list = append(list, one)
	}
	def["parameters"] = list
}

// routeAuth enters the event's own Auth.
func (e *event) routeAuth(ed *editor, api, auth object, path, name string) {
	apiAuth, _ := e.t.resolve(api["Auth"]).(object)
	authorizers, _ := apiAuth["Authorizers"].(object)
	where := "on API method [" + name + "] for path [" + path + "]"
	v := auth["Authorizer"]
	if !truthy(v) {
		v = apiAuth["DefaultAuthorizer"]
	}
	authorizer, ok := v.(string)
	switch {
	case !ok || authorizer == "":
		if truthy(auth["AuthorizationScopes"]) {
			e.fail("AuthorizationScopes works only when Authorizer is set")
		}
		return
	case authorizer == "NONE":
		if !truthy(apiAuth["DefaultAuthorizer"]) {
			e.fail("Unable to set Authorizer %s because 'NONE' is only a valid value when a DefaultAuthorizer on the API is specified.", where)
		}
	case authorizer == "AWS_IAM" && truthy(apiAuth["EnableIamAuthorizer"]):
	case len(authorizers) == 0:
		e.fail("Unable to set Authorizer [%s] %s because the related API does not define any Authorizers.", authorizer, where)
	case !truthy(authorizers[authorizer]):
		e.fail("Unable to set Authorizer [%s] %s because it wasn't defined in the API's Authorizers.", authorizer, where)
	}
	var scopes any = []any{}
	if config, ok := authorizers[authorizer].(object); ok && config["AuthorizationScopes"] != nil {
		scopes = config["AuthorizationScopes"]
	}
	if own := auth["AuthorizationScopes"]; own != nil && authorizer != "AWS_IAM" {
		if _, ok := own.([]any); !ok {
			e.fail("Property 'Auth.AuthorizationScopes' should be a list.")
		}
		scopes = own
	}
	for _, def := range ed.methods(path, name) {
		def["security"] = append(security(def), object{authorizer: scopes})
	}
}
