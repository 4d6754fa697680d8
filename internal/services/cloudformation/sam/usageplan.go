package sam

import (
	"reflect"
	"strings"
)

// usagePlan collects what APIs that share a usage plan add to it.
type usagePlan struct {
	depends, stages, keys []any
	conditions            map[string]bool
	unconditional         bool
	deletion, replace     any
}

const sharedCondition = "SharedUsagePlanCondition"

// usagePlan makes the usage plan and the key that an API's Auth asks for.
func (m *macro) usagePlan(stage string) {
	auth, _ := m.props["Auth"].(object)
	v, has := auth["UsagePlan"]
	if !has || v == nil {
		return
	}
	config, ok := v.(object)
	if !ok {
		refuse(m.id, "'UsagePlan' must be a dictionary")
	}
	for _, k := range keys(config) {
		if !strings.Contains(" CreateUsagePlan Description Quota Tags Throttle UsagePlanName ", " "+k+" ") {
			refuse(m.id, "Invalid property for 'UsagePlan'")
		}
	}
	props := object{}
	for _, k := range []string{"UsagePlanName", "Description", "Quota", "Tags", "Throttle"} {
		props[k] = or(config[k])
	}
	at := object{"ApiId": ref(m.id), "Stage": ref(stage)}
	stageKey := object{"RestApiId": ref(m.id), "StageName": ref(stage)}
	switch config["CreateUsagePlan"] {
	case nil:
		refuse(m.id, "'CreateUsagePlan' is a required field for UsagePlan.")
	case "NONE":
	case "PER_API":
		props["ApiStages"] = []any{at}
		m.plan(m.id, []any{m.id}, m.passed(), props, []any{stageKey})
	case "SHARED":
		s := &m.t.shared
		s.depends = appendNew(s.depends, m.id)
		s.stages = appendNew(s.stages, at)
		s.keys = appendNew(s.keys, stageKey)
		props["ApiStages"] = clone(s.stages)
		m.plan("Serverless", append([]any{}, s.depends...), m.sharedAttributes(), props, clone(s.keys).([]any))
	default:
		refuse(m.id, "'CreateUsagePlan' accepts one of ['SHARED', 'PER_API', 'NONE'].")
	}
}

func appendNew(list []any, v any) []any {
	for _, x := range list {
		if reflect.DeepEqual(x, v) {
			return list
		}
	}
	return append(list, v)
}

func (m *macro) plan(prefix string, depends []any, attributes, props object, stageKeys []any) {
	with := func(on ...any) object {
		out := object{"DependsOn": on}
		for k, v := range attributes {
			out[k] = v
		}
		return out
	}
	m.add(prefix+"UsagePlan", "AWS::ApiGateway::UsagePlan", with(depends...), props)
	m.add(prefix+"ApiKey", "AWS::ApiGateway::ApiKey", with(prefix+"UsagePlan"), object{"Enabled": true, "StageKeys": stageKeys})
	m.add(prefix+"UsagePlanKey", "AWS::ApiGateway::UsagePlanKey", with(prefix+"ApiKey"), object{
		"KeyId": ref(prefix + "ApiKey"), "KeyType": "API_KEY", "UsagePlanId": ref(prefix + "UsagePlan"),
	})
}

// sharedAttributes combine those of all APIs so far: the strongest policies, and
// a condition if every API has one.
func (m *macro) sharedAttributes() object {
	s := &m.t.shared
	if d := m.res["DeletionPolicy"]; d != nil && (s.deletion == nil || d == "Retain") {
		s.deletion = d
	}
	if r := m.res["UpdateReplacePolicy"]; r != nil && (s.replace == nil || r == "Retain" || r == "Snapshot" && s.replace == "Delete") {
		s.replace = r
	}
	if c := m.condition(); c == "" {
		s.unconditional = true
	} else if !s.unconditional && !s.conditions[c] {
		if s.conditions == nil {
			s.conditions = map[string]bool{}
		}
		s.conditions[c] = true
		or := []any{}
		all := object{}
		for x := range s.conditions {
			all[x] = nil
		}
		for _, x := range keys(all) {
			or = append(or, object{"Condition": x})
		}
		if len(or) > 1 {
			m.t.conditions()[sharedCondition] = object{"Fn::Or": or}
		} else {
			m.t.conditions()[sharedCondition] = object{"Condition": c}
		}
	}
	out := object{}
	if s.deletion != nil {
		out["DeletionPolicy"] = s.deletion
	}
	if s.replace != nil {
		out["UpdateReplacePolicy"] = s.replace
	}
	if len(s.conditions) > 0 && !s.unconditional {
		out["Condition"] = sharedCondition
	}
	return out
}
