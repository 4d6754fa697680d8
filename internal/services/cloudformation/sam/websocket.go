package sam

import "strings"

const webSocketProperties propertyKinds = "ApiKeySelectionExpression=str AccessLogSettings=map Auth=map DefaultRouteSettings=map Description=str DisableExecuteApiEndpoint=bool " +
	"Domain=map DisableSchemaValidation=bool FailOnWarnings=bool IpAddressType=str Name=str PropagateTags=bool *Routes=map RouteSettings=map " +
	"*RouteSelectionExpression=str StageName=str|map StageVariables=map Tags=map"

// webSocket is AWS::Serverless::WebSocketApi. Of the resource's attributes only
// DependsOn is taken, as with AWS: a Condition or a DeletionPolicy acts on nothing.
func (m *macro) webSocket() {
	p := m.props
	for _, name := range []string{"Auth", "Domain", "Routes"} {
		if p[name] != nil {
			p[name] = m.t.resolve(p[name])
		}
	}
	routes, _ := p["Routes"].(object)
	if len(routes) == 0 {
		refuse(m.id, "WebSocket API must have at least one route.")
	}
	if v := p["IpAddressType"]; v != nil && !intrinsic(v) && v != "ipv4" && v != "dualstack" {
		refuse(m.id, "IpAddressType must be 'ipv4' or 'dualstack'.")
	}
	if d, _ := p["Domain"].(object); truthy(d["MutualTlsAuthentication"]) {
		refuseProperty(m.id, "Domain", "Mutual TLS domain name association is not supported for Websocket APIs.")
	}
	if truthy(p["Auth"]) && routes["$connect"] == nil {
		refuseProperty(m.id, "Auth", "Authorization is only available if there is a $connect route.")
	}
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
	if props["Name"] == nil {
		props["Name"] = m.id
	}
	props["ProtocolType"], props["Tags"] = "WEBSOCKET", tags
	m.add(m.id, "AWS::ApiGatewayV2::Api", pick(m.res, "DependsOn"), props)

	name := p["StageName"]
	if name == nil {
		name = "default"
	}
	text, _ := name.(string)
	stage := m.id + text + "Stage"
	if text == "default" {
		stage = m.id + "DefaultStage"
	}
	m.webSocketDomain(stage, passed)
	if text == "$default" {
		refuse(m.id, "Stages cannot be named $default for WebSocket APIs.")
	}
	if !alphanumeric(stage) {
		panic(Problem{ID: m.id, Shown: stage, Text: "Logical ids must be alphanumeric.", Path: []string{"Properties", "StageName"}})
	}
	ids := map[string]string{}
	var made []any
	for _, key := range keys(routes) {
		words := key
		switch key {
		case "$connect", "$disconnect", "$default":
			words = key[1:]
		}
		if !alphanumeric(words) {
			refuse(m.id, "Route key '%s' must be alphanumeric. Only $connect, $disconnect, and $default special routes are supported.", key)
		}
		route, ok := routes[key].(object)
		if !ok {
			refuse(m.id, "Property 'Routes.%s' should be a map.", key)
		}
		id := m.id + strings.ToUpper(words[:1]) + strings.ToLower(words[1:])
		if other, twice := ids[id]; twice {
			refuse(m.id, "The routes '%s' and '%s' are too much alike to be told apart in logical ids.", other, key)
		}
		ids[id] = key
		m.webSocketRoute(id, key, name, route)
		made = append(made, id+"Route")
	}
	attributes := object{}
	if truthy(p["RouteSettings"]) { // they name routes
		attributes["DependsOn"] = made
	}
	m.add(stage, "AWS::ApiGatewayV2::Stage", attributes, object{
		"ApiId": ref(m.id), "StageName": name, "AutoDeploy": true, "Tags": passed, "StageVariables": p["StageVariables"],
		"AccessLogSettings": p["AccessLogSettings"], "DefaultRouteSettings": p["DefaultRouteSettings"], "RouteSettings": p["RouteSettings"],
	})
}

// webSocketDomain makes the API's custom domain, whose resources have no attributes.
func (m *macro) webSocketDomain(stage string, tags object) {
	plain := &macro{t: m.t, id: m.id, res: object{"Type": m.res["Type"]}, props: m.props, made: m.made}
	plain.httpDomain(stage, tags)
	m.added = append(m.added, plain.added...)
}

func (m *macro) webSocketRoute(id, key string, stage any, route object) {
	props := pick(route, "ApiKeyRequired", "ModelSelectionExpression", "OperationName", "RequestModels", "RouteResponseSelectionExpression")
	props["ApiId"], props["RouteKey"] = ref(m.id), key
	if v := route["RequestParameters"]; truthy(v) {
		if key != "$connect" {
			refuse(m.id, "Request parameters are only supported for the $connect route in WebSocket APIs.")
		}
		props["RequestParameters"] = v
	}
	props["Target"] = object{"Fn::Join": []any{"/", []any{"integrations", ref(id + "Integration")}}}
	m.webSocketAuth(key, props)
	function, ok := route["FunctionArn"]
	if !ok {
		refuse(m.id, "Route must have associated function.")
	}
	m.add(id+"Route", "AWS::ApiGatewayV2::Route", nil, props)
	m.add(id+"Integration", "AWS::ApiGatewayV2::Integration", nil, object{
		"ApiId": ref(m.id), "IntegrationType": "AWS_PROXY", "TimeoutInMillis": route["IntegrationTimeout"],
		"IntegrationUri": sub("arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${FunctionArn}/invocations", object{"FunctionArn": function}),
	})
	name, variables := "${__StageName__}", object{"__StageName__": stage}
	if text, ok := stage.(string); ok {
		name, variables = text, nil
	}
	m.add(id+"Permission", "AWS::Lambda::Permission", nil, object{
		"Action": "lambda:InvokeFunction", "FunctionName": function, "Principal": "apigateway.amazonaws.com",
		"SourceArn": sub("arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${"+m.id+".ApiId}/"+name+"/"+key, variables),
	})
}

// webSocketAuth enters Auth into the route $connect, the only one that can have any.
func (m *macro) webSocketAuth(key string, route object) {
	auth, _ := m.props["Auth"].(object)
	if len(auth) == 0 {
		return
	}
	given, _ := auth["AuthType"].(string)
	kind := given
	switch {
	case given == "":
		refuse(m.id, "AuthType must be specified for additional auth configurations.")
	case kind == "CUSTOM" && !truthy(auth["AuthArn"]):
		refuse(m.id, "AuthArn must be specified if AuthType is CUSTOM.")
	case kind == "CUSTOM":
	case kind != "NONE" && kind != "AWS_IAM":
		refuse(m.id, "AuthType is not one of AWS_IAM, CUSTOM or NONE.")
	case len(auth) > 1:
		refuse(m.id, "No additional configurations supported for AuthType %s.", kind)
	}
	if key != "$connect" {
		return
	}
	if kind != "CUSTOM" {
		route["AuthorizationType"] = kind
		return
	}
	id := m.id + "ConnectAuthorizer"
	route["AuthorizationType"], route["AuthorizerId"] = "CUSTOM", ref(id)
	name := auth["Name"]
	if !truthy(name) {
		name = id
	}
	m.add(id, "AWS::ApiGatewayV2::Authorizer", nil, object{
		"ApiId": ref(m.id), "AuthorizerType": "REQUEST", "Name": name, "IdentitySource": auth["IdentitySource"], "AuthorizerCredentialsArn": auth["InvokeRole"],
		"AuthorizerUri": sub("arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${AuthArn}/invocations", object{"AuthArn": auth["AuthArn"]}),
	})
	if !truthy(auth["InvokeRole"]) {
		m.add(m.id+"AuthorizerPermission", "AWS::Lambda::Permission", nil, object{
			"Action": "lambda:InvokeFunction", "FunctionName": auth["AuthArn"], "Principal": "apigateway.amazonaws.com",
			"SourceArn": sub("arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${__ApiId__}/authorizers/*", object{"__ApiId__": ref(m.id)}),
		})
	}
}
