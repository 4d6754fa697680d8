package sam

import (
	"fmt"
	"sort"
	"strings"
)

const (
	implicitREST = "ServerlessRestApi"
	implicitHTTP = "ServerlessHttpApi"
	// defaultRoute takes what no other route of an HTTP API does.
	defaultRoute = "$default"
	// managed marks an API whose definition the transform writes. It is a property
	// within the package only.
	managed = "__MANAGE_SWAGGER"
)

// flavour is one of the two kinds of API that events attach functions to.
type flavour struct {
	kind     string // of the events, and of the type after "AWS::Serverless::"
	implicit string // the logical id of the implicit API
	stage    string // of the implicit API
	id       string // the property of events that names their API
}

// implicitAPI adds the API that functions' events without an API of their own
// belong to, and enters the paths of all such events into the definitions that
// the transform writes.
func (t *transform) implicitAPI(f flavour) {
	implicitID := f.implicit
	existing, hadOne := t.src[implicitID]
	body := skeleton()
	if f.kind == "HttpApi" {
		body = skeleton3()
	}
	t.src[implicitID] = object{"Type": prefix + f.kind, "Properties": object{"StageName": f.stage, "DefinitionBody": body, managed: true}}
	a := &attachments{t: t, flavour: f, conditions: map[string]map[string]map[string]string{}}
	for _, id := range t.ids() {
		r, ok := t.src[id].(object)
		if kind, _ := typeOf(r); !ok || kind != prefix+"Function" && (kind != prefix+"StateMachine" || f.kind != "Api") {
			continue
		}
		t.try(func() { a.events(id, r) })
	}
	if len(t.bad) > 0 {
		return
	}
	a.conditionOfImplicit()
	a.conditionsOfPaths()
	api := t.src[implicitID].(object)
	if len(properties(api)["DefinitionBody"].(object)["paths"].(object)) == 0 {
		delete(t.src, implicitID)
		if hadOne {
			t.src[implicitID] = existing
		}
	}
}

// attachments are the API events of a template: which conditions stand on the
// methods of which path of which API, and the policies of what is behind them.
type attachments struct {
	flavour
	t          *transform
	conditions map[string]map[string]map[string]string // API, path, method
	deletion   []any                                   // of functions at the implicit API
	replace    []any
}

// events attaches the events of a function or state machine. The first that is
// wrong ends it.
func (a *attachments) events(id string, r object) {
	events, _ := properties(r)["Events"].(object)
	for _, name := range hashOrder(a.t.keys(events, "Resources", id, "Properties", "Events")) {
		e, ok := events[name].(object)
		if !ok || e["Type"] != a.kind {
			continue
		}
		v, has := e["Properties"]
		props, ok := v.(object)
		switch {
		case !ok && has && (truthy(v) || a.kind == "HttpApi"):
			refuseEvent(id, name, "Properties should be a map.")
		case a.kind == "HttpApi":
			if props == nil {
				props = object{}
				e["Properties"] = props
			}
			if !truthy(props["Path"]) && !truthy(props["Method"]) {
				props["Path"], props["Method"] = defaultRoute, anyMethod
			}
		}
		if len(props) > 0 {
			a.event(id, name, r, props)
		}
	}
}

// apiOf returns the logical id in a RestApiId, which is a string or a Ref.
func apiOf(v any) any {
	if m, ok := v.(object); ok {
		if id, has := m["Ref"]; has {
			return id
		}
	}
	return v
}

func (a *attachments) event(function, name string, r, props object) {
	fail := func(format string, args ...any) { refuseEvent(function, name, format, args...) }
	if _, has := props[a.flavour.id]; !has {
		a.tag(r)
		props[a.flavour.id] = ref(a.implicit)
	}
	for _, required := range []string{"Path", "Method"} {
		if props[required] == nil {
			fail("Property '%s' is required.", required)
		}
	}
	str := func(name string, v any) string {
		s, ok := v.(string)
		if !ok {
			fail("Property '%s' should be a string.", name)
		}
		return s
	}
	id, path, method := str(a.flavour.id, apiOf(props[a.flavour.id])), str("Path", props["Path"]), str("Method", props["Method"])
	if a.conditions[id] == nil {
		a.conditions[id] = map[string]map[string]string{}
	}
	if a.conditions[id][path] == nil {
		a.conditions[id][path] = map[string]string{}
	}
	condition, _ := r["Condition"].(string)
	a.conditions[id][path][method] = condition
	if id == a.implicit {
		a.deletion, a.replace = append(a.deletion, r["DeletionPolicy"]), append(a.replace, r["UpdateReplacePolicy"])
	}
	api, ok := a.t.src[id].(object)
	if kind, _ := typeOf(api); a.kind == "HttpApi" && (!ok || kind != "" && kind != prefix+"HttpApi") {
		fail("ApiId must be a valid reference to an 'AWS::Serverless::HttpApi' resource in same template.")
	} else if a.kind == "Api" && (!ok || kind == prefix+"HttpApi") {
		fail("RestApiId must be a valid reference to an 'AWS::Serverless::Api' resource in same template.")
	}
	body, ok := properties(api)["DefinitionBody"].(object)
	if ok && properties(api)[managed] == true && validDefinition(body) {
		newEditor(body).addPath(path, method)
	}
	if v, has := props["RouteSettings"]; has && a.kind == "HttpApi" {
		own, ok := v.(object)
		if !ok && condition == "" {
			fail("Property 'RouteSettings' should be a map.")
		}
		if condition != "" {
			own = when(condition, v).(object)
		}
		a.routeSettings(id, api, path, method, own)
	}
}

// routeSettings enters the settings of an event's route into its API.
func (a *attachments) routeSettings(id string, api object, path, method string, own object) {
	settings := properties(api)["RouteSettings"]
	if settings == nil {
		settings = object{}
		properties(api)["RouteSettings"] = settings
	}
	all, ok := settings.(object)
	if !ok {
		refuse(id, "Property 'RouteSettings' should be a map.")
	}
	route := strings.ToUpper(method) + " " + path
	if method == anyMethod {
		route = path
	}
	for k, v := range own {
		child(all, route)[k] = v
	}
}

// tag gives the implicit API the tags of functions that propagate theirs.
func (a *attachments) tag(r object) {
	props := properties(r)
	globals, _ := a.t.doc["Globals"].(object)
	kind, _ := typeOf(r)
	shared, _ := globals[strings.TrimPrefix(kind, prefix)].(object)
	tags, _ := props["Tags"].(object)
	if len(tags) == 0 {
		tags, _ = shared["Tags"].(object)
	}
	if len(tags) == 0 || !truthy(props["PropagateTags"]) && !truthy(shared["PropagateTags"]) {
		return
	}
	api := properties(a.t.src[a.implicit].(object))
	all, ok := api["Tags"].(object)
	if !ok {
		all = object{}
		api["Tags"] = all
	}
	for k, v := range tags {
		all[k] = v
	}
	api["PropagateTags"] = true
}

// conditionOfImplicit makes the implicit API conditional if all that is behind it is.
func (a *attachments) conditionOfImplicit() {
	api := a.t.src[a.implicit].(object)
	all := map[string]bool{}
	for _, methods := range a.conditions[a.implicit] {
		for _, c := range methods {
			all[c] = true
		}
	}
	if len(all) > 0 && !all[""] {
		api["Condition"] = a.t.combined(all, a.implicit+"Condition")
	}
	strongest := func(values []any, order ...string) any {
		for _, o := range order {
			for _, v := range values {
				if v == o {
					return o
				}
			}
		}
		return nil
	}
	if v := strongest(a.deletion, "Retain", "Delete"); v != nil {
		api["DeletionPolicy"] = v
	}
	if v := strongest(a.replace, "Retain", "Snapshot", "Delete"); v != nil {
		api["UpdateReplacePolicy"] = v
	}
}

// conditionsOfPaths makes paths conditional whose methods all are.
func (a *attachments) conditionsOfPaths() {
	for _, id := range a.t.ids() {
		api, ok := a.t.src[id].(object)
		if kind, _ := typeOf(api); !ok || kind != prefix+a.kind || properties(api)[managed] != true {
			continue
		}
		body, _ := properties(api)["DefinitionBody"].(object)
		paths, _ := body["paths"].(object)
		for _, path := range keys(paths) {
			all := map[string]bool{}
			for _, c := range a.conditions[id][path] {
				all[c] = true
			}
			if len(all) > 0 && !all[""] {
				name := id + strings.NewReplacer("/", "SLASH", "{", "OB", "}", "CB").Replace(path) + "PathCondition"
				paths[path] = when(a.t.combined(all, name), paths[path])
			}
		}
	}
}

// combined returns the condition that holds if any of some does: the only one, or
// a new one called name.
func (t *transform) combined(all map[string]bool, name string) string {
	var list []string
	for c := range all {
		list = append(list, c)
	}
	sort.Strings(list)
	if len(list) == 1 {
		return list[0]
	}
	// Fn::Or takes up to ten, so there may be a chain of them.
	const most = 10
	number := (len(list) - 2) / (most - 1)
	for len(list) > 1 {
		one := name
		if number > 0 {
			one = fmt.Sprintf("%s%d", name, number)
			number--
		}
		n := min(most, len(list))
		or := []any{}
		for _, c := range list[:n] {
			or = append(or, object{"Condition": c})
		}
		t.conditions()[one] = object{"Fn::Or": or}
		list = append(list[n:], one)
	}
	return list[0]
}
