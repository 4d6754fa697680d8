package template

import (
	"encoding/json"
	"strconv"
	"strings"
)

// ZoneName is the type of parameters that name an availability zone.
const ZoneName = "AWS::EC2::AvailabilityZone::Name"

// specific reports the types of what exists in an account.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-supplied-parameter-types.html
func specific(t string) bool {
	switch t {
	case ZoneName, "AWS::EC2::Image::Id", "AWS::EC2::Instance::Id", "AWS::EC2::KeyPair::KeyName",
		"AWS::EC2::SecurityGroup::GroupName", "AWS::EC2::SecurityGroup::Id", "AWS::EC2::Subnet::Id",
		"AWS::EC2::Volume::Id", "AWS::EC2::VPC::Id", "AWS::Route53::HostedZone::Id":
		return true
	}
	return false
}

// inside returns what stands between the brackets of a type such as List<…>.
func inside(t, outer string) (string, bool) {
	in, ok := strings.CutPrefix(t, outer+"<")
	if !ok {
		return "", false
	}
	return strings.CutSuffix(in, ">")
}

const ssmValue = "AWS::SSM::Parameter::Value"

// Names returns what a parameter's value, or each member of its list, names in the
// account: an AWS-specific type; "" if it is any text.
func (p *Parameter) Names() string {
	t := p.Type
	for _, outer := range []string{ssmValue, "List"} {
		if in, ok := inside(t, outer); ok {
			t = in
		}
	}
	if specific(t) {
		return t
	}
	return ""
}

// IsList reports whether a parameter's value is a list, written with commas.
func (p *Parameter) IsList() bool {
	t := p.Type
	if in, ok := inside(t, ssmValue); ok { // what is named there is a list
		t = in
	}
	return t == "CommaDelimitedList" || strings.HasPrefix(t, "List<")
}

// IsSSM reports whether a parameter's value names one of SSM's parameters.
func (p *Parameter) IsSSM() bool { return strings.HasPrefix(p.Type, "AWS::SSM::Parameter::") }

func knownType(t string) bool {
	switch t {
	case "String", "Number", "CommaDelimitedList", "List<Number>", "List<String>", "AWS::SSM::Parameter::Name":
		return true
	}
	if in, ok := inside(t, ssmValue); ok {
		if in == "String" || in == "List<String>" || in == "CommaDelimitedList" {
			return true
		}
		t = in
	}
	if in, ok := inside(t, "List"); ok {
		t = in
	}
	return specific(t)
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
			re, err := compile(p.PatternText)
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
