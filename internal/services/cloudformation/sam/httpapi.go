package sam

import "slices"

// httpAPI is AWS::Serverless::HttpApi.
// https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-resource-httpapi.html
func (m *macro) httpAPI() {
	p := m.props
	if truthy(p["DefinitionUri"]) && truthy(p["DefinitionBody"]) {
		refuse(m.id, "Specify either 'DefinitionUri' or 'DefinitionBody' property and not both.")
	}
	body, _ := p["DefinitionBody"].(object)
	m.httpCORS(body)
	m.httpAuth(body)
	tags := m.httpTags(body)
	if v := p["DisableExecuteApiEndpoint"]; v != nil {
		m.needsBody(body, "DisableExecuteApiEndpoint works only within 'DefinitionBody' property.")
		disableEndpoint(body, v)
	}
	m.describe(body)
	api := object{"FailOnWarnings": or(p["FailOnWarnings"])}
	switch {
	case truthy(p["DefinitionUri"]):
		if path, ok := m.t.localPath(p["DefinitionUri"]); ok {
			api["BodyS3Location"] = path
			break
		}
		bucket, key, version := m.t.s3Object(m.id, m.id, p["DefinitionUri"], "DefinitionUri")
		at := object{"Bucket": bucket, "Key": key}
		if version != nil {
			at["Version"] = version
		}
		api["BodyS3Location"] = at
	case truthy(p["DefinitionBody"]):
		api["Body"] = p["DefinitionBody"]
	default:
		refuse(m.id, "'DefinitionUri' or 'DefinitionBody' are required properties of an 'AWS::Serverless::HttpApi'. Add a value for one of these properties or add a 'HttpApi' event to an 'AWS::Serverless::Function'.")
	}
	m.add(m.id, "AWS::ApiGatewayV2::Api", m.own(), api)
	stage := m.httpStage(tags)
	if len(tags) == 0 {
		tags = object{"httpapi:createdBy": "SAM"}
	}
	m.httpDomain(stage, tags)
	m.httpAuthorizerPermissions()
}

// httpStage makes the stage, which deploys by itself.
func (m *macro) httpStage(tags object) string {
	p := m.props
	name := p["StageName"]
	id := m.id + "ApiGatewayDefaultStage"
	if !truthy(name) {
		name = defaultRoute
	}
	if text, ok := name.(string); !ok || text != defaultRoute {
		if id = hashed(m.id+"Stage", text); alphanumeric(text) {
			id = m.id + text + "Stage"
		}
	}
	m.add(id, "AWS::ApiGatewayV2::Stage", m.passed(), object{
		"ApiId": ref(m.id), "StageName": name, "StageVariables": p["StageVariables"], "AccessLogSettings": p["AccessLogSettings"],
		"DefaultRouteSettings": p["DefaultRouteSettings"], "RouteSettings": p["RouteSettings"], "AutoDeploy": true, "Tags": or(any(tags)),
	})
	return id
}

// httpTags enters the tags into the definition, where API Gateway reads them, and
// returns them; none for a definition that is not one.
func (m *macro) httpTags(body object) object {
	given, _ := m.props["Tags"].(object)
	if !validDefinition(body) {
		if len(given) > 0 && truthy(m.props["DefinitionUri"]) {
			refuse(m.id, "Tags works only with inline OpenApi specified in the 'DefinitionBody' property.")
		}
		if len(given) > 0 {
			refuse(m.id, "Unable to add `Tags` because 'DefinitionBody' does not contain a valid OpenApi definition.")
		}
		return object{}
	}
	tags := object{}
	for k, v := range given {
		tags[k] = v
	}
	tags["httpapi:createdBy"] = "SAM"
	list, _ := body["tags"].([]any)
next:
	for _, k := range keys(tags) {
		one := object{"name": k, "x-amazon-apigateway-tag-value": tags[k]}
		for i, old := range list {
			if o, ok := old.(object); ok && o["name"] == k {
				list[i] = one
				continue next
			}
		}
		list = append(list, one)
	}
	body["tags"] = list
	return tags
}

// describe enters Name and Description into the definition.
func (m *macro) describe(body object) {
	name, description := m.props["Name"], m.props["Description"]
	if !truthy(name) && !truthy(description) {
		return
	}
	if !validDefinition(body) {
		refuse(m.id, "Description works only with inline OpenApi specified in the 'DefinitionBody' property.")
	}
	info := child(body, "info")
	if truthy(description) {
		if truthy(info["description"]) {
			refuse(m.id, "Unable to set Description because it is already defined within inline OpenAPI specified in the 'DefinitionBody' property.")
		}
		info["description"] = description
	}
	if truthy(name) {
		if title := info["title"]; truthy(title) && m.props[managed] != true {
			refuse(m.id, "Unable to set Name because it is already defined within inline OpenAPI specified in the 'DefinitionBody' property.")
		}
		info["title"] = name
	}
}

// httpCORS enters CorsConfiguration into the definition.
func (m *macro) httpCORS(body object) {
	v := m.t.resolve(m.props["CorsConfiguration"])
	if !truthy(v) {
		return
	}
	m.needsBody(body, "Cors works only with inline OpenApi specified in 'DefinitionBody' property.")
	if !validDefinition(body) {
		refuse(m.id, "Unable to add Cors configuration because 'DefinitionBody' does not contain a valid OpenApi definition.")
	}
	const key = "x-amazon-apigateway-cors"
	names := map[string]string{
		"AllowMethods": "allowMethods", "AllowHeaders": "allowHeaders", "AllowOrigins": "allowOrigins", "ExposeHeaders": "exposeHeaders",
		"MaxAge": "maxAge", "AllowCredentials": "allowCredentials",
	}
	switch config := v.(type) {
	case bool:
		child(body, key)["allowOrigins"] = []any{"*"}
	case object:
		if intrinsic(v) {
			body[key] = renameKeys(config, names)
			return
		}
		out := object{}
		for _, k := range keys(config) {
			if names[k] == "" {
				refuse(m.id, "Invalid key '%s' for 'Cors' property.", k)
			}
			if truthy(config[k]) {
				out[names[k]] = config[k]
			}
		}
		if origins, ok := config["AllowOrigins"].([]any); config["AllowCredentials"] == true && (ok && slices.Contains(origins, any("*")) || config["AllowOrigins"] == nil) {
			refuseProperty(m.id, "CorsConfiguration", "Unable to add Cors configuration because 'AllowCredentials' can not be true when 'AllowOrigin' is \"'*'\" or not set.")
		}
		c := child(body, key)
		for k, x := range out {
			c[k] = x
		}
	}
}

// renameKeys renames keys wherever they stand in v.
func renameKeys(v any, names map[string]string) any {
	switch v := v.(type) {
	case object:
		out := make(object, len(v))
		for k, x := range v {
			if n := names[k]; n != "" {
				k = n
			}
			out[k] = renameKeys(x, names)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = renameKeys(x, names)
		}
		return out
	}
	return v
}
