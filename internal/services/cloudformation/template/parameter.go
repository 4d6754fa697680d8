package template

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
)

// parameterTypes are the types besides the lists and the SSM ones.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html
var specificTypes = map[string]bool{
	"AWS::EC2::AvailabilityZone::Name": true, "AWS::EC2::Image::Id": true, "AWS::EC2::Instance::Id": true,
	"AWS::EC2::KeyPair::KeyName": true, "AWS::EC2::SecurityGroup::GroupName": true, "AWS::EC2::SecurityGroup::Id": true,
	"AWS::EC2::Subnet::Id": true, "AWS::EC2::Volume::Id": true, "AWS::EC2::VPC::Id": true, "AWS::Route53::HostedZone::Id": true,
}

// IsList reports whether a parameter's value is a list, written with commas.
func (p *Parameter) IsList() bool {
	t := strings.TrimPrefix(p.Type, "AWS::SSM::Parameter::Value<") // what is named there is a list
	return strings.TrimSuffix(t, ">") == "CommaDelimitedList" || strings.HasPrefix(t, "List<")
}

// IsSSM reports whether a parameter's value names one of SSM's parameters.
func (p *Parameter) IsSSM() bool { return strings.HasPrefix(p.Type, "AWS::SSM::Parameter::") }

func knownType(t string) bool {
	switch t {
	case "String", "Number", "CommaDelimitedList", "List<Number>", "List<String>", "AWS::SSM::Parameter::Name":
		return true
	}
	if in, ok := strings.CutPrefix(t, "List<"); ok {
		return specificTypes[strings.TrimSuffix(in, ">")]
	}
	return specificTypes[t] || strings.HasPrefix(t, "AWS::SSM::Parameter::Value<") && strings.HasSuffix(t, ">")
}

var parameterMembers = []string{"Type", "Default", "Description", "NoEcho", "AllowedValues", "AllowedPattern", "MinLength", "MaxLength", "MinValue", "MaxValue", "ConstraintDescription"}

func (r *reader) parameters(doc map[string]any, t *Template) {
	all := r.object(doc["Parameters"], "Parameters")
	r.count("Parameters", len(all), maxParameters)
	t.Parameters = map[string]*Parameter{}
	for _, name := range sortedKeys(all) {
		path := []string{"Parameters", name}
		if !alphanumeric(name) {
			r.fail(path, "Parameter name %s is non alphanumeric.", name)
		}
		m := r.object(all[name], path...)
		for _, k := range sortedKeys(m) {
			if !contains(parameterMembers, k) {
				r.failAs(append(path, k), "Invalid template parameter property '%s'", k)
			}
		}
		if _, ok := m["Type"]; !ok {
			r.fail(path, "Every Parameters object must contain a Type member.")
		}
		p := &Parameter{
			Type: r.text(m, "Type", path), Description: r.scalar(m, "Description", path), Default: m["Default"],
			ConstraintDescription: r.scalar(m, "ConstraintDescription", path), NoEcho: strings.EqualFold(r.scalar(m, "NoEcho", path), "true"),
			MinLength: r.bound(m, "MinLength", path), MaxLength: r.bound(m, "MaxLength", path),
			MinValue: r.bound(m, "MinValue", path), MaxValue: r.bound(m, "MaxValue", path),
			PatternText: r.scalar(m, "AllowedPattern", path),
		}
		if !knownType(p.Type) {
			r.fail(append(path, "Type"), "Unrecognized parameter type: %s", p.Type)
		}
		if d, ok := m["Default"]; ok {
			if _, scalar := Text(d); !scalar {
				r.fail(append(path, "Default"), "Every Default member must be a string.")
			}
		}
		if p.PatternText != "" {
			re, err := regexp.Compile(`^(?:` + p.PatternText + `)$`)
			if err != nil {
				r.fail(append(path, "AllowedPattern"), "AllowedPattern %s of parameter %s is not a regular expression that can be used here: %v", p.PatternText, name, err)
			}
			p.AllowedPattern = re
		}
		if v, ok := m["AllowedValues"]; ok {
			l, ok := v.([]any)
			if !ok {
				r.fail(append(path, "AllowedValues"), "Every AllowedValues member must be a list.")
			}
			p.AllowedValues = []string{}
			for _, x := range l {
				s, scalar := Text(x)
				if !scalar {
					r.fail(append(path, "AllowedValues"), "Every AllowedValues value must be a string.")
				}
				p.AllowedValues = append(p.AllowedValues, s)
			}
		}
		t.Parameters[name] = p
	}
}

func (r *reader) scalar(m map[string]any, name string, path []string) string {
	v, ok := m[name]
	if !ok {
		return ""
	}
	s, ok := Text(v)
	if !ok {
		r.fail(append(path[:len(path):len(path)], name), "Every %s member must be a string.", name)
	}
	return s
}

func (r *reader) bound(m map[string]any, name string, path []string) *float64 {
	s := r.scalar(m, name, path)
	if s == "" {
		return nil
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		r.fail(append(path[:len(path):len(path)], name), "Every %s member must be a number.", name)
	}
	return &f
}

// Text returns a scalar as CloudFormation turns it into a string; ok is false for
// lists, objects and null.
func Text(v any) (s string, ok bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case bool:
		return strconv.FormatBool(v), true
	case int64:
		return strconv.FormatInt(v, 10), true
	case int:
		return strconv.Itoa(v), true
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), true
	case json.Number:
		return v.String(), true
	}
	return "", false
}
