package sam

import "strings"

var webSocketProperties = propertyKinds{
	"Name": "str", "*Routes": "map", "*RouteSelectionExpression": "str", "ApiKeySelectionExpression": "str", "Auth": "map", "Description": "str",
	"DisableExecuteApiEndpoint": "bool", "DisableSchemaValidation": "bool", "IpAddressType": "str", "AccessLogSettings": "map", "DefaultRouteSettings": "map",
	"RouteSettings": "map", "StageName": "str|map", "FailOnWarnings": "bool", "StageVariables": "map", "Tags": "map", "PropagateTags": "bool", "Domain": "map",
}

// webSocket is AWS::Serverless::WebSocketApi.
func (m *macro) webSocket() {
	p := m.props
	tags := object{"websocketapi:createdBy": "SAM"}
	passed := clone(tags).(object)
	given, _ := p["Tags"].(object)
	for k, v := range given {
		tags[k] = v
		if truthy(p["PropagateTags"]) {
			passed[k] = v
		}
	}
	props := pick(p, "Name", "RouteSelectionExpression", "ApiKeySelectionExpression", "Description", "DisableExecuteApiEndpoint", "DisableSchemaValidation", "IpAddressType")
	props["ProtocolType"], props["Tags"] = "WEBSOCKET", tags
	m.add(m.id, "AWS::ApiGatewayV2::Api", m.own(), props)

	name, ok := p["StageName"].(string)
	if !ok || name == "" {
		name = "default"
	}
	stage := m.id + "DefaultStage"
	if name != "default" {
		if stage = hashed(m.id+"Stage", name); alphanumeric(name) {
			stage = m.id + name + "Stage"
		}
	}
	routes, _ := m.t.resolve(p["Routes"]).(object)
	if len(routes) == 0 {
		refuse(m.id, "WebSocket API must have at least one route.")
	}
	if auth, _ := p["Auth"].(object); len(auth) > 0 && routes["$connect"] == nil {
		refuseProperty(m.id, "Auth", "Authorization is only available if there is a $connect route.")
	}
	ids := map[string]string{}
	for _, key := range keys(routes) {
		route, ok := routes[key].(object)
		if !ok {
			refuse(m.id, "Property 'Routes.%s' should be a map.", key)
		}
		words := letters(key)
		if key != words && key != "$connect" && key != "$disconnect" && key != "$default" || words == "" {
			refuse(m.id, "Route key '%s' must be alphanumeric. Only $connect, $disconnect, and $default special routes are supported.", key)
		}
		id := m.id + strings.ToUpper(words[:1]) + words[1:]
		if other, twice := ids[id]; twice {
			refuse(m.id, "The routes '%s' and '%s' are too much alike to be told apart in logical ids.", other, key)
		}
		ids[id] = key
		m.webSocketRoute(id, key, name, route)
	}
	m.add(stage, "AWS::ApiGatewayV2::Stage", m.passed(), object{
		"ApiId": ref(m.id), "StageName": name, "AutoDeploy": true, "Tags": passed, "StageVariables": p["StageVariables"],
		"AccessLogSettings": p["AccessLogSettings"], "DefaultRouteSettings": p["DefaultRouteSettings"], "RouteSettings": p["RouteSettings"],
	})
	m.httpDomain(stage, passed)
}

func (m *macro) webSocketRoute(id, key, stage string, route object) {
	for _, k := range keys(route) {
		if !strings.Contains(" FunctionArn ApiKeyRequired ModelSelectionExpression OperationName RequestModels RequestParameters RouteResponseSelectionExpression IntegrationTimeout ", " "+k+" ") {
			refuse(m.id, "property Routes.%s.%s not defined for resource of type %s", key, k, m.res["Type"])
		}
	}
	function := route["FunctionArn"]
	if function == nil {
		refuse(m.id, "Route must have associated function.")
	}
	m.add(id+"Integration", "AWS::ApiGatewayV2::Integration", m.passed(), object{
		"ApiId": ref(m.id), "IntegrationType": "AWS_PROXY", "TimeoutInMillis": route["IntegrationTimeout"],
		"IntegrationUri": sub("arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${FunctionArn}/invocations", object{"FunctionArn": function}),
	})
	m.add(id+"Permission", "AWS::Lambda::Permission", m.passed(), object{
		"Action": "lambda:InvokeFunction", "FunctionName": function, "Principal": "apigateway.amazonaws.com",
		"SourceArn": sub("arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${"+m.id+".ApiId}/"+stage+"/"+key, nil),
	})
	props := pick(route, "ApiKeyRequired", "ModelSelectionExpression", "OperationName", "RequestModels", "RequestParameters", "RouteResponseSelectionExpression")
	props["ApiId"], props["RouteKey"] = ref(m.id), key
	props["Target"] = object{"Fn::Join": []any{"/", []any{"integrations", ref(id + "Integration")}}}
	if key == "$connect" {
		m.webSocketAuth(props)
	}
	m.add(id+"Route", "AWS::ApiGatewayV2::Route", m.passed(), props)
}

// webSocketAuth enters Auth into the route $connect, the only one that can have any.
func (m *macro) webSocketAuth(route object) {
	auth, _ := m.props["Auth"].(object)
	if len(auth) == 0 {
		return
	}
	kind, _ := auth["AuthType"].(string)
	switch strings.ToUpper(kind) {
	case "NONE", "AWS_IAM":
		route["AuthorizationType"] = strings.ToUpper(kind)
		return
	case "CUSTOM":
	default:
		refuse(m.id, "AuthType is not one of AWS_IAM, CUSTOM or NONE.")
	}
	if auth["AuthArn"] == nil {
		refuse(m.id, "AuthArn must be specified if AuthType is CUSTOM.")
	}
	id := m.id + "ConnectAuthorizer"
	route["AuthorizationType"], route["AuthorizerId"] = "CUSTOM", ref(id)
	name := auth["Name"]
	if name == nil {
		name = id
	}
	m.add(id, "AWS::ApiGatewayV2::Authorizer", m.passed(), object{
		"ApiId": ref(m.id), "AuthorizerType": "REQUEST", "Name": name, "IdentitySource": auth["IdentitySource"], "AuthorizerCredentialsArn": auth["InvokeRole"],
		"AuthorizerUri": sub("arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${AuthArn}/invocations", object{"AuthArn": auth["AuthArn"]}),
	})
	if auth["InvokeRole"] == nil {
		m.add(m.id+"AuthorizerPermission", "AWS::Lambda::Permission", m.passed(), object{
			"Action": "lambda:InvokeFunction", "FunctionName": auth["AuthArn"], "Principal": "apigateway.amazonaws.com",
			"SourceArn": sub("arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${__ApiId__}/authorizers/*", object{"__ApiId__": ref(m.id)}),
		})
	}
}
