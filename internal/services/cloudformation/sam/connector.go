package sam

import (
	"fmt"
	"slices"
	"sort"
	"strings"
)

// become maps SAM's types to those that they become, where connectors know these.
var become = map[string]string{
	"Function": "Lambda::Function", "Api": "ApiGateway::RestApi", "HttpApi": "ApiGatewayV2::Api", "SimpleTable": "DynamoDB::Table",
	"StateMachine": "StepFunctions::StateMachine", "GraphQLApi": "AppSync::GraphQLApi",
}

// end is one end of a connector.
type end struct {
	which string // "Source" or "Destination"
	id    string // "" if the end is described by its properties
	given object
	kind  string // as the template says it: "AWS::Serverless::Function"
	t     *transform
}

// name is the type without "AWS::", with SAM's types replaced.
func (e end) name() string {
	if sam, ok := strings.CutPrefix(e.kind, prefix); ok {
		if e.id != "" && e.t.out[e.t.renameID(e.id)] == nil {
			return "" // it was refused itself
		}
		return become[sam]
	}
	if other, ok := strings.CutPrefix(e.kind, "AWS::"); ok {
		return other
	}
	return ""
}

// connector is AWS::Serverless::Connector, or one of a resource's Connectors.
// https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-resource-connector.html
func (m *macro) connector() {
	destinations, many := m.props["Destination"].([]any)
	if many && len(destinations) == 0 {
		refuseProperty(m.id, "Destination", "'Destination' is an empty list")
	}
	if !many {
		destinations = []any{m.props["Destination"]}
	}
	for i, d := range destinations {
		suffix := ""
		if many {
			suffix = fmt.Sprintf("Destination%d", i)
		}
		destination := m.end("Destination", d)
		m.connect(m.end("Source", m.props["Source"]), destination, suffix)
	}
	m.t.connected[m.id] = m.added
}

// end reads one end: {Id: …} of a resource of the template, or its properties.
func (m *macro) end(which string, v any) end {
	given, ok := v.(object)
	if !ok {
		refuse(m.id, "Type of property '%s' is invalid.", which)
	}
	e := end{which: which, given: given, t: m.t}
	_, known := given["Id"]
	others := 0
	for k := range given {
		if k != "Id" && k != "Qualifier" {
			others++
		}
	}
	if known == (others > 0) {
		refuseProperty(m.id, which, "Must provide 'Id' (with optional 'Qualifier') or a supported combination of other properties.")
	}
	if id := given["Id"]; truthy(id) {
		if e.id, ok = id.(string); !ok {
			refuse(m.id, "'Id' is missing or not a string.")
		}
		r, ok := m.t.src[e.id].(object)
		if !ok {
			refuse(m.id, "Unable to find resource with logical ID '%s'.", e.id)
		}
		if e.kind, _ = r["Type"].(string); e.kind == "" {
			refuse(m.id, "'Type' is missing or not a string.")
		}
		return e
	}
	if e.kind, _ = given["Type"].(string); e.kind == "" {
		refuse(m.id, "'Type' is missing or not a string.")
	}
	return e
}

// shown is the end's type in messages: what a resource of SAM became, if it did.
func (e end) shown() string {
	if n := e.name(); n != "" {
		return "AWS::" + n
	}
	return e.kind
}

// attribute returns a value of the end's resource: what is given, or what a
// function of the template gives.
func (m *macro) attribute(e end, name string) any {
	if v := e.given[name]; v != nil {
		return v
	}
	if e.id != "" {
		id := e.t.renameID(e.id)
		switch name {
		case "Arn":
			if n := e.name(); n == "SNS::Topic" || n == "StepFunctions::StateMachine" {
				return ref(id)
			}
			return getAtt(id, "Arn")
		case "Name":
			return getAtt(id, "Name")
		case "ResourceId":
			if e.name() == "AppSync::GraphQLApi" {
				return getAtt(id, "ApiId")
			}
			return ref(id)
		case "QueueUrl":
			return ref(id)
		case "Qualifier":
			return "*"
		}
	}
	if name == "QueueUrl" {
		refuse(m.id, "Unable to get SQS queue URL from '%s' resource.", e.which)
	}
	refuse(m.id, "%s.%s is missing.", e.which, name)
	return nil
}

// roleOf returns the name of the role that the end's resource acts with.
func (m *macro) roleOf(e, other end) any {
	if v := e.given["RoleName"]; truthy(v) {
		return v
	}
	r, _ := m.t.out[e.id].(object)
	props, _ := r["Properties"].(object)
	var v any
	switch e.name() {
	case "Lambda::Function":
		v = props["Role"]
	case "StepFunctions::StateMachine":
		v = props["RoleArn"]
	case "AppSync::DataSource":
		v = props["ServiceRoleArn"]
	case "Events::Rule":
		targets, _ := props["Targets"].([]any)
		for _, x := range targets {
			if target, ok := x.(object); ok && other.id != "" && referenced(target["Arn"]) == other.id {
				v = target["RoleArn"]
			}
		}
	}
	if id := referenced(v); id != "" {
		return ref(id)
	}
	refuse(m.id, "Unable to get IAM role name from '%s' resource.", e.which)
	return nil
}

// referenced returns the logical id that a Ref or Fn::GetAtt names.
func referenced(v any) string {
	r, _ := v.(object)
	if s, ok := r["Ref"].(string); ok {
		return s
	}
	switch a := r["Fn::GetAtt"].(type) {
	case []any:
		if len(a) == 2 {
			s, _ := a[0].(string)
			return s
		}
	case string:
		if parts := strings.Split(a, "."); len(parts) == 2 {
			return parts[0]
		}
	}
	return ""
}

func (m *macro) connect(source, destination end, suffix string) {
	p, ok := profiles(source.name(), destination.name())
	if !ok {
		refuse(m.id, "Unable to create connector from %s to %s; it's not supported or the template is invalid.", source.shown(), destination.shown())
	}
	wanted := m.permissions(p, source, destination)
	attributes := m.own()
	metadata, _ := clone(attributes["Metadata"]).(object)
	if metadata == nil {
		metadata = object{}
	}
	metadata["aws:sam:connectors"] = object{m.id: object{"Source": object{"Type": source.kind}, "Destination": object{"Type": destination.kind}}}
	attributes["Metadata"] = metadata
	arns := func(text string) any { return m.fill(text, source, destination) }
	service := p.service + ".amazonaws.com"
	switch p.how {
	case permission:
		props := object{"Action": "lambda:InvokeFunction", "FunctionName": m.attribute(destination, "Arn"), "Principal": service, "SourceArn": arns(p.from)}
		if p.service == "s3" {
			props["SourceAccount"] = sub("${AWS::AccountId}", nil)
		}
		m.add(m.id+"WriteLambdaPermission"+suffix, "AWS::Lambda::Permission", attributes, props)
	case topicPolicy, queuePolicy:
		action, kind, id, on := "sns:Publish", "AWS::SNS::TopicPolicy", m.id+"TopicPolicy", "Topics"
		if p.how == queuePolicy {
			action, kind, id, on = "sqs:SendMessage", "AWS::SQS::QueuePolicy", m.id+"QueuePolicy", "Queues"
		}
		target := any(m.attribute(destination, "Arn"))
		resource := target
		if p.how == queuePolicy {
			target = m.attribute(destination, "QueueUrl")
		}
		m.add(id+suffix, kind, attributes, object{on: []any{target}, "PolicyDocument": object{"Version": "2012-10-17", "Statement": []any{object{
			"Effect": "Allow", "Principal": object{"Service": service}, "Resource": resource, "Action": action,
			"Condition": object{"ArnEquals": object{"aws:SourceArn": m.attribute(source, "Arn")}},
		}}}})
	default:
		actor, other := source, destination
		if p.how == destinationRole {
			actor, other = destination, source
		}
		role := m.roleOf(actor, other)
		statements := []any{}
		for _, g := range p.grants {
			if !slices.Contains(wanted, g.category) {
				continue
			}
			actions, resources, _ := strings.Cut(g.text, " -> ")
			service, actions, _ := strings.Cut(actions, ":")
			var list, on []any
			for _, a := range strings.Fields(actions) {
				list = append(list, service+":"+a)
			}
			for _, r := range strings.Fields(resources) {
				on = append(on, arns(r))
			}
			statements = append(statements, object{"Effect": "Allow", "Action": list, "Resource": on})
		}
		m.add(m.id+"Policy"+suffix, "AWS::IAM::ManagedPolicy", attributes, object{
			"Roles": []any{role}, "PolicyDocument": object{"Version": "2012-10-17", "Statement": statements},
		})
		m.wait(p.first, m.id+"Policy"+suffix, source, destination)
	}
}

// permissions checks the permissions that are asked for.
func (m *macro) permissions(p profile, source, destination end) []string {
	var known, wanted []string
	for _, g := range p.grants {
		if !slices.Contains(known, g.category) {
			known = append(known, g.category)
		}
	}
	list, ok := m.props["Permissions"].([]any)
	if f, isMap := m.props["Permissions"].(object); isMap && !ok {
		for _, k := range keys(f) {
			list = append(list, k)
		}
	}
	if len(list) == 0 {
		refuse(m.id, "'Permissions' cannot be empty; valid values are: %s.", strings.Join(known, ", "))
	}
	for _, v := range list {
		s, ok := v.(string)
		if !ok || !slices.Contains(known, s) {
			refuse(m.id, "Unsupported 'Permissions' provided for connector from %s to %s; valid values are: %s.", source.shown(), destination.shown(), strings.Join(known, ", "))
		}
		if !slices.Contains(wanted, s) {
			wanted = append(wanted, s)
		}
	}
	sort.Strings(wanted)
	var combinations []string
	for _, v := range p.valid {
		if slices.Equal(v, wanted) {
			return wanted
		}
		combinations = append(combinations, strings.Join(v, " + "))
	}
	if len(combinations) > 0 {
		refuse(m.id, "Unsupported 'Permissions' provided for connector from %s to %s; valid combinations are: %s.", source.shown(), destination.shown(), strings.Join(combinations, ", "))
	}
	return wanted
}

// fill replaces what stands for the two ends in a text: S and D at its beginning,
// and names in braces.
func (m *macro) fill(text string, source, destination end) any {
	for _, x := range []struct {
		short string
		of    end
	}{{"S", source}, {"D", destination}} {
		rest, ok := strings.CutPrefix(text, x.short)
		if !ok || rest != "" && rest[0] != '/' && rest[0] != ':' {
			continue
		}
		arn := m.attribute(x.of, "Arn")
		if rest == "" {
			return arn
		}
		return sub("${"+x.of.which+"Arn}"+rest, object{x.of.which + "Arn": arn})
	}
	variables := object{}
	for name, v := range map[string]struct {
		of        end
		attribute string
	}{"{Name}": {destination, "Name"}, "{Id}": {source, "ResourceId"}, "{Qualifier}": {source, "Qualifier"}} {
		if strings.Contains(text, name) {
			variable := v.of.which + v.attribute
			variables[variable] = m.attribute(v.of, v.attribute)
			text = strings.ReplaceAll(text, name, "${"+variable+"}")
		}
	}
	return sub(text, variables)
}

// wait makes what needs the policy depend on it.
func (m *macro) wait(first, policy string, source, destination end) {
	switch first {
	case "source":
		if r, ok := m.t.out[source.id].(object); ok {
			r["DependsOn"] = dependOn(r["DependsOn"], policy)
		}
	case "mapping":
		for _, id := range keys(m.t.out) {
			r, _ := m.t.out[id].(object)
			props, _ := r["Properties"].(object)
			if r["Type"] == "AWS::Lambda::EventSourceMapping" && source.id != "" && destination.id != "" &&
				referenced(props["FunctionName"]) == destination.id && referenced(props["EventSourceArn"]) == source.id {
				r["DependsOn"] = dependOn(r["DependsOn"], policy)
			}
		}
	}
}

// embedded turns the Connectors of resources into resources of their own.
func (t *transform) embedded() {
	for _, id := range t.ids() {
		r, _ := t.src[id].(object)
		v, has := r["Connectors"]
		if !has {
			continue
		}
		delete(r, "Connectors")
		all, ok := v.(object)
		if !ok {
			t.try(func() { refuse(id, "Attribute '%s.Connectors' should be a map.", id) })
			continue
		}
		for _, name := range t.keys(all, "Resources", id, "Connectors") {
			t.try(func() { t.embed(id, name, all[name]) })
		}
	}
}

// embed makes a resource of one of a resource's Connectors.
func (t *transform) embed(id, name string, v any) {
	c, ok := v.(object)
	if !ok {
		panic(Problem{ID: id, Shown: id + name, Text: id + "." + id + name + " should be a map."})
	}
	given, ok := c["Properties"].(object)
	if !ok {
		refuse(id, "Attribute 'Connectors.%s.Properties' should be a map.", name)
	}
	one := clone(c).(object)
	props := clone(given).(object)
	source := object{"Id": id}
	if v, has := props["SourceReference"]; has {
		reference, ok := v.(object)
		if !ok {
			refuse(id, "Property 'Connectors.%s.Properties.SourceReference' should be a map.", name)
		}
		if _, has := reference["Id"]; has {
			panic(Problem{ID: id, Shown: name, Text: "'Id' shouldn't be defined in 'SourceReference'."})
		}
		for k, v := range reference {
			source[k] = v
		}
	}
	delete(props, "SourceReference")
	props["Source"] = source
	one["Type"], one["Properties"] = prefix+"Connector", props
	connectorProperties.check(props, keys(props), prefix+"Connector", func(_, text string) { panic(Problem{ID: id, Shown: id + name, Text: text}) })
	if _, twice := t.src[id+name]; twice {
		panic(Problem{Text: taken(id, id+name, prefix+"Connector")})
	}
	t.src[id+name] = one
}

// dependencies puts what connectors became in their place in every DependsOn.
func (t *transform) dependencies() {
	if len(t.connected) == 0 {
		return
	}
	for _, x := range t.out {
		r, ok := x.(object)
		if !ok || r["DependsOn"] == nil {
			continue
		}
		list, isList := r["DependsOn"].([]any)
		if s, ok := r["DependsOn"].(string); ok && !isList {
			list = []any{s}
		}
		var out []any
		found := false
		for _, d := range list {
			s, _ := d.(string)
			made, ok := t.connected[s]
			if !ok {
				out = append(out, d)
				continue
			}
			found = true
			for _, id := range made {
				out = append(out, id)
			}
		}
		if found {
			r["DependsOn"] = out
		}
	}
}
