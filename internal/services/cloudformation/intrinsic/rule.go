package intrinsic

import (
	"sort"
	"strconv"
	"strings"

	"github.com/tierra-cloud/tierra/internal/services/cloudformation/template"
)

// CheckRules evaluates the rules of the template, which judge the parameters
// before anything is made. The error has the path from the template's root.
//
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/rules-section-structure.html
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference-rules.html
func (s *Scope) CheckRules() error {
	for _, name := range keys(s.Template.Rules) {
		if err := s.rule(name); err != nil {
			return under(under(err, name), "Rules")
		}
	}
	return nil
}

func (s *Scope) rule(name string) error {
	rule, ok := s.Template.Rules[name].(map[string]any)
	if !ok {
		return failed("Template format error: [/Rules/%s] Every Rules member must be an object.", name)
	}
	for k := range rule {
		if k != "RuleCondition" && k != "Assertions" {
			return under(failed("Template format error: [/Rules/%s] Invalid property '%s': a rule has RuleCondition and Assertions.", name, k), k)
		}
	}
	assertions, ok := rule["Assertions"].([]any)
	if !ok || len(assertions) == 0 {
		return failed("Template format error: [/Rules/%s] Every Rules member must contain a list of Assertions.", name)
	}
	applies := true
	if c, ok := rule["RuleCondition"]; ok {
		var err error
		if applies, err = s.ruleBoolean(c); err != nil {
			return under(err, "RuleCondition")
		}
	}
	var broken []string
	for i, x := range assertions {
		a, _ := x.(map[string]any)
		test, ok := a["Assert"]
		if !ok {
			return under(under(failed("Template format error: [/Rules/%s/Assertions/%d] Every assertion must contain an Assert.", name, i), strconv.Itoa(i)), "Assertions")
		}
		holds, err := s.ruleBoolean(test)
		if err != nil {
			return under(under(under(err, "Assert"), strconv.Itoa(i)), "Assertions")
		}
		if applies && !holds {
			text, _ := template.Text(a["AssertDescription"])
			if text == "" {
				text = "assertion " + strconv.Itoa(i+1)
			}
			broken = append(broken, text)
		}
	}
	if len(broken) > 0 {
		return failed("Template error: Rule %s failed for following assertions: [%s]", name, strings.Join(broken, ", "))
	}
	return nil
}

const ruleForm = "Template format error: Rules can only use boolean functions that evaluate to true or false: Fn::And, Fn::Contains, Fn::EachMemberEquals, Fn::EachMemberIn, Fn::Equals, Fn::Not, Fn::Or"

// ruleBoolean evaluates a condition of a rule or an assertion.
func (s *Scope) ruleBoolean(v any) (bool, error) {
	m, _ := v.(map[string]any)
	if len(m) != 1 {
		return false, failed(ruleForm)
	}
	for name, arg := range m {
		b, err := s.ruleFunction(name, arg)
		return b, under(err, name)
	}
	return false, nil
}

func (s *Scope) ruleFunction(name string, arg any) (bool, error) {
	list, _ := arg.([]any)
	switch name {
	case "Fn::Not":
		if len(list) != 1 {
			return false, failed("Template error: every Fn::Not object requires one boolean parameter.")
		}
		b, err := s.ruleBoolean(list[0])
		return !b, under(err, "0")
	case "Fn::And", "Fn::Or":
		if len(list) < 2 || len(list) > 10 {
			return false, failed("Template error: every %s object requires a list of at least 2 and at most 10 boolean parameters.", name)
		}
		all, some := true, false
		for i, x := range list {
			b, err := s.ruleBoolean(x)
			if err != nil {
				return false, under(err, strconv.Itoa(i))
			}
			all, some = all && b, some || b
		}
		return name == "Fn::And" && all || name == "Fn::Or" && some, nil
	case "Fn::Equals", "Fn::Contains", "Fn::EachMemberEquals", "Fn::EachMemberIn":
	default:
		return false, failed(ruleForm)
	}
	if len(list) != 2 {
		return false, failed("Template error: every %s object requires a list of two parameters.", name)
	}
	a, err := s.ruleValue(list[0])
	if err != nil {
		return false, under(err, "0")
	}
	b, err := s.ruleValue(list[1])
	if err != nil {
		return false, under(err, "1")
	}
	if name == "Fn::Equals" {
		return Same(a, b), nil
	}
	members, ok := a.([]any)
	if !ok {
		return false, under(failed("Template error: the first parameter of every %s object must be a list of strings.", name), "0")
	}
	among, isList := b.([]any)
	if name == "Fn::EachMemberIn" && !isList {
		return false, under(failed("Template error: the second parameter of every Fn::EachMemberIn object must be a list of strings."), "1")
	}
	found := 0
	for _, x := range members {
		same := Same(x, b)
		for _, y := range among {
			same = same || name == "Fn::EachMemberIn" && Same(x, y)
		}
		if same {
			found++
		}
	}
	if name == "Fn::Contains" {
		return found > 0, nil
	}
	return found == len(members), nil
}

// ruleValue evaluates what a rule compares: literals, parameters, and what
// Fn::RefAll gives of all parameters of a type.
func (s *Scope) ruleValue(v any) (any, error) {
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			var err error
			if out[i], err = s.ruleValue(x); err != nil {
				return nil, under(err, strconv.Itoa(i))
			}
		}
		return out, nil
	case map[string]any:
		for name, arg := range v {
			if len(v) != 1 {
				break
			}
			switch name {
			case "Ref":
				x, err := s.ref(arg)
				if _, none := x.(noValue); none {
					x = ""
				}
				return x, under(err, name)
			case "Fn::RefAll":
				kind, ok := arg.(string)
				if !ok {
					return nil, under(failed("Template error: every Fn::RefAll object must have the name of a parameter type."), name)
				}
				return s.refAll(kind), nil
			case "Fn::ValueOf", "Fn::ValueOfAll":
				return nil, under(failed("Template error: %s reads attributes of Amazon EC2 and Route 53 resources, which do not exist on this platform", name), name)
			}
		}
		return nil, failed("Template error: rules can only compare literals, Ref to parameters, and Fn::RefAll")
	}
	return v, nil
}

// refAll returns the values of all parameters of a type.
func (s *Scope) refAll(kind string) []any {
	out := []any{}
	var names []string
	for name, p := range s.Template.Parameters {
		if p.Type == kind || p.Type == "List<"+kind+">" {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	for _, name := range names {
		if l, ok := s.Params[name].([]any); ok {
			out = append(out, l...)
		} else {
			out = append(out, s.Params[name])
		}
	}
	return out
}
