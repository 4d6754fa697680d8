package sam

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
	"strings"
)

// Name is the transform's name in a template's Transform section.
const Name = "AWS::Serverless-2016-10-31"

const prefix = "AWS::Serverless::"

// Input is what the transform is told besides the template.
type Input struct {
	// Params are the values of the parameters and pseudo parameters.
	Params            map[string]any
	Region, Partition string
	// Managed maps further names of managed policies to their ARNs, besides those
	// that the transform knows.
	Managed map[string]string
	// Local lets paths of this disk through where a deployment needs packages in
	// S3: the result shows the path, as a template does before it is packaged.
	Local bool
	// Keys returns the keys of the map at a path as the template's text has them one
	// after the other: what is wrong is told in this order. Without it they are sorted.
	Keys func(path ...string) []string
}

// Error is a template that the transform refuses, with everything that is wrong.
type Error struct{ Problems []Problem }

// Error implements error, in the words of AWS's transform.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Invalid Serverless Application Specification document. Number of errors found: %d.", len(e.Problems))
	for _, p := range e.Problems {
		b.WriteString(" " + p.String())
	}
	return b.String()
}

// Problem is one thing that is wrong.
type Problem struct {
	ID    string // of the resource; "" if it concerns the whole template
	Event string // of the function's event, if it concerns one
	// Shown is what the message has for the id where AWS names another resource
	// than the template's, such as one that is being made.
	Shown string
	Text  string
	// Path leads from the resource to what is wrong, as far as is known.
	Path []string
}

// String words the problem as AWS's transform does.
func (p Problem) String() string {
	id := p.ID
	if p.Shown != "" {
		id = p.Shown
	}
	switch {
	case id == "":
		return p.Text
	case p.Event != "":
		return fmt.Sprintf("Resource with id [%s] is invalid. Event with id [%s] is invalid. %s", id, p.Event, p.Text)
	}
	return fmt.Sprintf("Resource with id [%s] is invalid. %s", id, p.Text)
}

// A Problem travels as a panic within the package, and is caught at the resource
// that it concerns.

// refuse ends the work on a resource.
func refuse(id, format string, args ...any) {
	panic(Problem{ID: id, Text: fmt.Sprintf(format, args...)})
}

// refuseProperty ends the work on a resource because of one of its properties.
func refuseProperty(id, name, format string, args ...any) {
	panic(Problem{ID: id, Text: fmt.Sprintf(format, args...), Path: []string{"Properties", name}})
}

func refuseEvent(id, event, format string, args ...any) {
	panic(Problem{ID: id, Event: event, Text: fmt.Sprintf(format, args...), Path: []string{"Properties", "Events", event}})
}

// transform is one run.
type transform struct {
	in      Input
	params  map[string]any
	doc     object            // the template as it is being worked on
	src     object            // its Resources
	out     object            // the Resources of the result
	refs    map[string]string // "Function.Alias" -> the id of what it stands for
	moved   map[string]string // logical ids that changed
	shared  usagePlan
	deploys codeDeploy
	// connected are the resources that connectors became.
	connected map[string][]string
	// managed maps the names of managed policies to their ARNs.
	managed map[string]string
	bad     []Problem
	place   map[string]int // where a resource stands in the template
	// hashed is set for templates with a REST API, or an HTTP API with a default
	// authorizer: AWS works on their resources and events in the order of a hash
	// table, and spells values in another way in messages.
	hashed bool
}

// Transform returns the template that doc stands for; doc stays as it is. The
// error is an *Error.
func Transform(doc map[string]any, in Input) (map[string]any, error) {
	t := &transform{in: in, doc: clone(doc).(object), refs: map[string]string{}, moved: map[string]string{}, connected: map[string][]string{}, place: map[string]int{}}
	if in.Keys != nil {
		for i, id := range in.Keys("Resources") {
			t.place[id] = i
		}
	}
	t.managed = managedPolicies(in.Partition)
	for name, arn := range in.Managed {
		t.managed[name] = arn
	}
	t.params = parameters(t.doc, in)
	t.src, _ = t.doc["Resources"].(object)
	if len(t.src) == 0 {
		return nil, &Error{[]Problem{{Text: "Structure of the SAM template is invalid. 'Resources' section is required"}}}
	}
	if t.hashed = t.hasAPI(); t.hashed {
		for i, id := range hashOrder(t.ids()) {
			t.place[id] = i
		}
	}
	if !t.try(t.prepare) || len(t.bad) > 0 {
		return nil, &Error{t.bad}
	}
	t.embedded()
	t.out = object{}
	for id, r := range t.src {
		if kind, _ := typeOf(r); !strings.HasPrefix(kind, prefix) {
			t.out[id] = r
		}
	}
	for _, id := range t.order() {
		t.try(func() { t.resource(id) })
	}
	t.codeDeploy()
	if len(t.bad) > 0 {
		return nil, &Error{t.bad}
	}
	t.dependencies()
	t.doc["Resources"] = t.out
	delete(t.doc, "Transform")
	delete(t.doc, "Globals")
	return t.rename(t.doc).(object), nil
}

// hasAPI reports a REST API or an event of one, or an HTTP API with a default authorizer.
func (t *transform) hasAPI() bool {
	globals, _ := t.doc["Globals"].(object)
	httpGlobals, _ := globals["HttpApi"].(object)
	globalAuth, _ := httpGlobals["Auth"].(object)
	global := truthy(globalAuth["DefaultAuthorizer"])
	for _, x := range t.src {
		r, _ := x.(object)
		props, _ := r["Properties"].(object)
		kind, _ := typeOf(r)
		switch strings.TrimPrefix(kind, prefix) {
		case "Api":
			return true
		case "HttpApi":
			if auth, _ := props["Auth"].(object); global || truthy(auth["DefaultAuthorizer"]) {
				return true
			}
		case "Function", "StateMachine":
			events, _ := props["Events"].(object)
			for _, e := range events {
				if k, _ := typeOf(e); k == "Api" || k == "HttpApi" && global && kind == prefix+"Function" {
					return true
				}
			}
		}
	}
	return false
}

// try runs f and notes what it refuses.
func (t *transform) try(f func()) (ok bool) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case Problem:
			known := slices.ContainsFunc(t.bad, func(o Problem) bool { return o.String() == p.String() })
			if !known {
				t.bad = append(t.bad, p)
			}
			ok = false
		default:
			panic(p)
		}
	}()
	f()
	return true
}

// parameters are the values that references in SAM's own properties resolve to.
func parameters(doc object, in Input) map[string]any {
	out := map[string]any{}
	if ps, ok := doc["Parameters"].(object); ok {
		for k, p := range ps {
			if m, ok := p.(object); ok {
				if d, has := m["Default"]; has {
					out[k] = d
				}
			}
		}
	}
	for k, v := range in.Params {
		if !strings.HasPrefix(k, "AWS::") {
			out[k] = v
		}
	}
	out["AWS::Region"], out["AWS::Partition"] = in.Region, in.Partition
	return out
}

// prepare gives APIs without a definition an empty one, adds the implicit API,
// and spreads the globals.
func (t *transform) prepare() {
	for _, id := range t.ids() {
		r, ok := t.src[id].(object)
		if !ok {
			panic(Problem{Text: "Structure of the SAM template is invalid. All 'Resources' must be Objects. If you're using YAML, this may be an indentation issue."})
		}
		if c, has := r["Condition"]; has && truthy(c) {
			if _, ok := c.(string); !ok {
				panic(Problem{Text: "Structure of the SAM template is invalid. Every Condition member must be a string."})
			}
		}
	}
	for _, id := range t.ids() {
		r := t.src[id].(object)
		kind, _ := typeOf(r)
		if !strings.HasPrefix(kind, prefix) {
			continue
		}
		if given, has := r["Properties"]; !has {
			r["Properties"] = object{}
		} else if _, ok := given.(object); !ok {
			if kind == prefix+"Connector" || kind == prefix+"GraphQLApi" || kind == prefix+"Application" {
				refuse(id, "Properties of a resource must be an object.")
			}
			refuse(id, "Attribute 'Properties' should be a map.")
		}
		props := properties(r)
		if kind == prefix+"Api" && !truthy(props["DefinitionBody"]) && !truthy(props["DefinitionUri"]) {
			props["DefinitionBody"], props[managed] = skeleton(), true
		}
		if kind == prefix+"HttpApi" && !truthy(props["DefinitionBody"]) && !truthy(props["DefinitionUri"]) {
			props["DefinitionBody"], props[managed] = skeleton3(), true
		}
	}
	for _, f := range []flavour{{"Api", implicitREST, "Prod", "RestApiId"}, {"HttpApi", implicitHTTP, defaultRoute, "ApiId"}} {
		if t.implicitAPI(f); len(t.bad) > 0 {
			return // which ends the transform
		}
	}
	t.globals()
}

// order is that in which resources are worked on: functions first, because their
// events become part of APIs.
func (t *transform) order() []string {
	rank := map[string]int{"Function": -2, "StateMachine": -1, "Api": 1, "HttpApi": 1, "WebSocketApi": 1, "Connector": 3}
	var out []string
	for id, r := range t.src {
		if kind, _ := typeOf(r); strings.HasPrefix(kind, prefix) {
			out = append(out, id)
		}
	}
	at := func(id string) int {
		kind, _ := typeOf(t.src[id])
		if n, ok := rank[strings.TrimPrefix(kind, prefix)]; ok {
			return n
		}
		return 2
	}
	sort.Slice(out, func(i, j int) bool {
		if a, b := at(out[i]), at(out[j]); a != b {
			return a < b
		}
		return t.before(out[i], out[j])
	})
	return out
}

// ids are the logical ids of the template's resources, in its order.
func (t *transform) ids() []string {
	out := keys(t.src)
	sort.SliceStable(out, func(i, j int) bool { return t.before(out[i], out[j]) })
	return out
}

// keys are the keys of m in the order of the template's text, where m is at path;
// those that the text does not have come last.
func (t *transform) keys(m object, path ...string) []string {
	out := keys(m)
	if t.in.Keys == nil {
		return out
	}
	order := t.in.Keys(path...)
	slices.SortStableFunc(out, func(a, b string) int {
		i, j := slices.Index(order, a), slices.Index(order, b)
		if i < 0 || j < 0 {
			return cmp.Compare(j, i) // the known one first
		}
		return cmp.Compare(i, j)
	})
	return out
}

// before reports whether a resource stands before another. Those that the template
// does not have itself come last.
func (t *transform) before(a, b string) bool {
	i, known := t.place[a]
	j, both := t.place[b]
	switch {
	case known && both:
		return i < j
	case known != both:
		return known
	}
	return a < b
}

func (t *transform) resource(id string) {
	r := t.src[id].(object)
	kind, _ := typeOf(r)
	m := &macro{t: t, id: id, res: r, props: properties(r), made: map[string]string{}}
	finished := false
	defer func() {
		if !finished { // connectors do not find what was refused
			for _, id := range m.added {
				delete(t.out, id)
			}
		}
	}()
	switch strings.TrimPrefix(kind, prefix) {
	case "Function":
		m.check(functionProperties)
		m.linkEvents()
		m.function()
	case "Api":
		m.check(apiProperties)
		m.api()
	case "HttpApi":
		m.check(httpAPIProperties)
		m.httpAPI()
	case "Connector":
		m.check(connectorProperties)
		m.connector()
	case "GraphQLApi":
		m.check(graphQLProperties)
		m.graphQL()
	case "StateMachine":
		m.check(stateMachineProperties)
		m.linkEvents()
		m.stateMachine()
	case "WebSocketApi":
		m.check(webSocketProperties)
		m.webSocket()
	case "CapacityProvider":
		m.check(capacityProperties)
		m.capacityProvider()
	case "Application":
		m.check(applicationProperties)
		m.application()
	case "SimpleTable":
		m.check(tableProperties)
		m.table()
	case "LayerVersion":
		m.check(layerProperties)
		m.layer()
	default:
		refuse(id, "The resource type %s is not supported yet.", kind)
	}
	finished = true
	for of, property := range referable {
		if made := m.made[of]; made != "" {
			t.refs[id+"."+property] = made
		}
	}
}

// referable are the types of derived resources that templates may refer to, with
// the names for that, as in !Ref Function.Alias.
var referable = map[string]string{
	"AWS::Lambda::Alias": "Alias", "AWS::Lambda::Version": "Version",
	"AWS::ApiGateway::Stage": "Stage", "AWS::ApiGateway::Deployment": "Deployment", "AWS::ApiGatewayV2::Stage": "Stage",
	"AWS::ApiGateway::DomainName": "DomainName", "AWS::ApiGateway::DomainNameV2": "DomainNameV2", "AWS::ApiGatewayV2::DomainName": "DomainName",
	"AWS::ApiGateway::UsagePlan": "UsagePlan", "AWS::ApiGateway::UsagePlanKey": "UsagePlanKey", "AWS::ApiGateway::ApiKey": "ApiKey",
}

// macro is the work on one resource of a SAM type.
type macro struct {
	t     *transform
	id    string
	res   object
	props object
	made  map[string]string // the last resource made, by its type
	added []string
}

// taken says that a resource would be called as another one is.
func taken(id, made, kind string) string {
	return fmt.Sprintf("Transforming resource with id [%s] attempts to create a new resource with id [%s] and type \"%s\". "+
		"A resource with that id already exists within this template. Please use a different id for that resource.", id, made, kind)
}

// add puts a resource into the result. Properties that are nil are left out.
func (m *macro) add(id, kind string, attributes, props object) object {
	if _, other := m.t.src[id]; other && id != m.id {
		panic(Problem{Text: taken(m.id, id, kind)})
	}
	r := object{"Type": kind}
	for k, v := range attributes {
		r[k] = v
	}
	p := object{}
	for k, v := range props {
		if v != nil {
			p[k] = v
		}
	}
	r["Properties"] = p
	m.t.out[id] = r
	m.made[kind] = id
	m.added = append(m.added, id)
	return r
}

// own are the attributes that the main resource keeps.
func (m *macro) own() object {
	return pick(m.res, "DependsOn", "Condition", "DeletionPolicy", "UpdateReplacePolicy", "UpdatePolicy", "Metadata")
}

// passed are the attributes that derived resources get too.
func (m *macro) passed() object {
	return pick(m.res, "Condition", "DeletionPolicy", "UpdateReplacePolicy")
}

func (m *macro) condition() string {
	s, _ := m.res["Condition"].(string)
	return s
}

// propagate gives the resource's tags to everything that it became and that takes tags.
func (m *macro) propagate() {
	tags, _ := m.props["Tags"].(object)
	if !truthy(m.props["PropagateTags"]) || len(tags) == 0 {
		return
	}
	for _, id := range m.added {
		r := m.t.out[id].(object)
		switch r["Type"] {
		case "AWS::Lambda::Function", "AWS::IAM::Role", "AWS::ApiGateway::RestApi", "AWS::ApiGateway::Stage", "AWS::ApiGateway::UsagePlan",
			"AWS::ApiGateway::ApiKey", "AWS::ApiGateway::DomainName", "AWS::ApiGateway::DomainNameV2", "AWS::DynamoDB::Table", "AWS::SQS::Queue", "AWS::SNS::Topic", "AWS::IoT::TopicRule", "AWS::StepFunctions::StateMachine":
			properties(r)["Tags"] = tagList(tags)
		}
	}
}

// rename resolves references to derived resources and to ids that changed.
func (t *transform) rename(v any) any {
	if len(t.refs) == 0 && len(t.moved) == 0 {
		return v
	}
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = t.rename(v[i])
		}
		return v
	case object:
		for k, x := range v {
			v[k] = t.rename(x)
		}
		if d, ok := v["DependsOn"]; ok {
			switch d := d.(type) {
			case string:
				v["DependsOn"] = t.renameID(d)
			case []any:
				for i := range d {
					if s, ok := d[i].(string); ok {
						d[i] = t.renameID(s)
					}
				}
			}
		}
		if len(v) != 1 {
			return v
		}
		if s, ok := v["Ref"].(string); ok {
			if to, ok := t.refs[s]; ok {
				v["Ref"] = to
			} else {
				v["Ref"] = t.renameID(s)
			}
		}
		switch a := v["Fn::GetAtt"].(type) {
		case []any:
			var parts []string
			for _, x := range a {
				s, ok := x.(string)
				if !ok {
					return v
				}
				parts = append(parts, strings.Split(s, ".")...)
			}
			if len(parts) > 2 {
				if to, ok := t.refs[parts[0]+"."+parts[1]]; ok {
					v["Fn::GetAtt"] = []any{to, strings.Join(parts[2:], ".")}
					return v
				}
			}
			if id, ok := first(a).(string); ok {
				a[0] = t.renameID(id)
			}
		case string:
			v["Fn::GetAtt"] = t.renamePath(a)
		}
		switch s := v["Fn::Sub"].(type) {
		case string:
			v["Fn::Sub"] = t.renameSub(s)
		case []any:
			if len(s) > 0 {
				if text, ok := s[0].(string); ok {
					s[0] = t.renameSub(text)
				}
			}
		}
		return v
	}
	return v
}

func (t *transform) renameID(id string) string {
	if to, ok := t.moved[id]; ok {
		return to
	}
	return id
}

func (t *transform) renamePath(path string) string {
	parts := strings.SplitN(path, ".", 3)
	if len(parts) > 1 {
		if to, ok := t.refs[parts[0]+"."+parts[1]]; ok {
			return strings.Join(append([]string{to}, parts[2:]...), ".")
		}
	}
	parts[0] = t.renameID(parts[0])
	return strings.Join(parts, ".")
}

func (t *transform) renameSub(text string) string {
	return subVariable.ReplaceAllStringFunc(text, func(v string) string {
		return "${" + t.renamePath(v[2:len(v)-1]) + "}"
	})
}
