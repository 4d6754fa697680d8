package intrinsic

import (
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call/resource"
	"github.com/tierra-cloud/tierra/internal/services/cloudformation/template"
)

var unknown = resource.Unknown{}

// call evaluates the function called name; ok is false if there is none. The
// boolean functions stand in conditions only.
func (s *Scope) call(name string, arg any) (v any, ok bool, err error) {
	ok = true
	switch name {
	case "Ref":
		v, err = s.ref(arg)
	case "Fn::GetAtt":
		v, err = s.getAtt(arg)
	case "Fn::Sub":
		v, err = s.sub(arg)
	case "Fn::Join":
		v, err = s.join(arg)
	case "Fn::Select":
		v, err = s.selectOne(arg)
	case "Fn::Split":
		v, err = s.split(arg)
	case "Fn::FindInMap":
		v, err = s.findInMap(arg)
	case "Fn::If":
		v, err = s.choose(arg)
	case "Fn::Base64":
		v, err = s.base64(arg)
	case "Fn::Cidr":
		v, err = s.cidr(arg)
	case "Fn::GetAZs":
		v, err = s.zones(arg)
	case "Fn::ImportValue":
		v, err = s.importValue(arg)
	case "Fn::Length":
		v, err = s.length(arg)
	case "Fn::ToJsonString":
		v, err = s.toJSON(arg)
	case "Fn::Transform":
		v, err = s.transform(arg)
	default:
		ok = false
	}
	return v, ok, err
}

func (s *Scope) ref(arg any) (any, error) {
	name, ok := arg.(string)
	if !ok {
		return nil, failed("Template format error: every Ref object must have a single String value.")
	}
	if name == "AWS::NoValue" {
		return noValue{}, nil
	}
	if v, ok := s.Params[name]; ok {
		return v, nil
	}
	if s.Resources != nil && s.Template.Resources[name] != nil {
		return s.Resources.Ref(name)
	}
	return nil, failed("Template format error: Unresolved resource dependencies [%s] in the Resources block of the template", name)
}

// attribute takes the argument of Fn::GetAtt apart.
func (s *Scope) attribute(arg any) (id, attr string, err error) {
	switch arg := arg.(type) {
	case string:
		id, attr, _ = strings.Cut(arg, ".")
	case []any:
		parts := make([]string, len(arg))
		for i, x := range arg {
			v, err := s.Eval(x)
			if err != nil {
				return "", "", under(err, strconv.Itoa(i))
			}
			parts[i], _ = v.(string)
		}
		if len(parts) > 1 {
			id, attr = parts[0], strings.Join(parts[1:], ".")
		}
	}
	if id == "" || attr == "" {
		return "", "", failed("Template error: every Fn::GetAtt object requires two non-empty parameters, the resource name and the resource attribute")
	}
	return id, attr, nil
}

func (s *Scope) getAtt(arg any) (any, error) {
	id, attr, err := s.attribute(arg)
	if err != nil {
		return nil, err
	}
	if s.Resources == nil || s.Template.Resources[id] == nil {
		return nil, failed("Template error: instance of Fn::GetAtt references undefined resource %s", id)
	}
	return s.Resources.GetAtt(id, attr)
}

const subArguments = "Template error: One or more Fn::Sub intrinsic functions don't specify expected arguments. Specify a string as first argument, and an optional second argument to specify a mapping of values to replace in the string"

func (s *Scope) sub(arg any) (any, error) {
	text, ok := arg.(string)
	own := map[string]any{}
	if list, isList := arg.([]any); isList && len(list) == 2 {
		text, ok = list[0].(string)
		if m, isMap := list[1].(map[string]any); isMap {
			own = m
		} else {
			ok = false
		}
	}
	if !ok {
		return nil, failed(subArguments)
	}
	parts, err := subParts(text)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	known := true
	for _, p := range parts {
		if p.name == "" {
			b.WriteString(p.text)
			continue
		}
		var v any
		if x, mine := own[p.name]; mine {
			v, err = s.Eval(x)
			err = under(under(err, p.name), "1")
		} else if id, attr, dot := strings.Cut(p.name, "."); dot {
			v, err = s.getAtt([]any{id, attr})
		} else {
			v, err = s.ref(p.name)
		}
		if err != nil {
			return nil, err
		}
		switch v := v.(type) {
		case resource.Unknown:
			known = false
		case noValue:
		default:
			t, scalar := template.Text(v)
			if !scalar {
				return nil, failed("Template error: variable %s in Fn::Sub does not resolve to a string", p.name)
			}
			b.WriteString(t)
		}
	}
	if !known {
		return unknown, nil
	}
	return b.String(), nil
}

// subPart is literal text, or a variable.
type subPart struct{ text, name string }

func subParts(text string) ([]subPart, error) {
	var parts []subPart
	for {
		i := strings.Index(text, "${")
		if i < 0 {
			return append(parts, subPart{text: text}), nil
		}
		end := strings.IndexByte(text[i:], '}')
		if end < 0 {
			return append(parts, subPart{text: text}), nil
		}
		name := text[i+2 : i+end]
		parts = append(parts, subPart{text: text[:i]})
		text = text[i+end+1:]
		if lit, ok := strings.CutPrefix(strings.TrimLeft(name, " \t"), "!"); ok {
			parts = append(parts, subPart{text: "${" + lit + "}"})
			continue
		}
		name = strings.TrimSpace(name)
		for _, c := range []byte(name) {
			if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '.' && c != ':' && c != '_' {
				name = ""
			}
		}
		if name == "" {
			return nil, failed("Template error: variable names in Fn::Sub syntax must contain only alphanumeric characters, underscores, periods, and colons")
		}
		parts = append(parts, subPart{name: name})
	}
}

const joinArguments = "Template error: every Fn::Join object requires two parameters, (1) a string delimiter and (2) a list of strings to be joined or a function that returns a list of strings (such as Fn::GetAZs) to be joined."

func (s *Scope) join(arg any) (any, error) {
	list, _ := arg.([]any)
	if len(list) != 2 {
		return nil, failed(joinArguments)
	}
	sep, ok := list[0].(string)
	if !ok {
		return nil, failed(joinArguments)
	}
	v, err := s.Eval(list[1])
	if err != nil {
		return nil, under(err, "1")
	}
	if v == unknown {
		return unknown, nil
	}
	items, ok := v.([]any)
	if !ok {
		return nil, failed(joinArguments)
	}
	parts := make([]string, len(items))
	for i, x := range items {
		if x == unknown {
			return unknown, nil
		}
		if parts[i], ok = template.Text(x); !ok {
			return nil, failed(joinArguments)
		}
	}
	return strings.Join(parts, sep), nil
}

func (s *Scope) selectOne(arg any) (any, error) {
	list, _ := arg.([]any)
	if len(list) != 2 {
		return nil, failed("Template error: Fn::Select requires a list argument with two elements: an integer index and a list")
	}
	iv, err := s.Eval(list[0])
	if err != nil {
		return nil, under(err, "0")
	}
	text, _ := template.Text(iv)
	i, err := strconv.Atoi(text)
	if err != nil {
		return nil, failed("Template error: Fn::Select requires a list argument with two elements: an integer index and a list")
	}
	v, err := s.Eval(list[1])
	if err != nil {
		return nil, under(err, "1")
	}
	if v == unknown {
		return unknown, nil
	}
	items, ok := v.([]any)
	if !ok {
		return nil, failed("Template error: Fn::Select requires a list argument with two elements: an integer index and a list")
	}
	if i < 0 || i >= len(items) {
		return nil, failed("Template error: Fn::Select cannot select nonexistent value at index %d", i)
	}
	return items[i], nil
}

const splitArguments = "Template error: every Fn::Split object requires two parameters, (1) a string delimiter and (2) a string to be split or a function that returns a string to be split."

func (s *Scope) split(arg any) (any, error) {
	list, _ := arg.([]any)
	if len(list) != 2 {
		return nil, failed(splitArguments)
	}
	sep, ok := list[0].(string)
	if !ok || sep == "" {
		return nil, failed(splitArguments)
	}
	v, err := s.Eval(list[1])
	if err != nil {
		return nil, under(err, "1")
	}
	if v == unknown {
		return unknown, nil
	}
	text, ok := template.Text(v)
	if !ok {
		return nil, failed(splitArguments)
	}
	var out []any
	for _, p := range strings.Split(text, sep) {
		out = append(out, p)
	}
	return out, nil
}

const mapArguments = "Template error: every Fn::FindInMap object requires three parameters, the map name, map key and the attribute for return value"

func (s *Scope) findInMap(arg any) (any, error) {
	list, _ := arg.([]any)
	var fallback any
	if len(list) == 4 {
		m, _ := list[3].(map[string]any)
		d, ok := m["DefaultValue"]
		if !ok || len(m) != 1 {
			return nil, failed(mapArguments)
		}
		if !s.Extensions {
			return nil, failed("Template error: the DefaultValue of Fn::FindInMap requires the transform AWS::LanguageExtensions")
		}
		fallback, list = d, list[:3]
	}
	if len(list) != 3 {
		return nil, failed(mapArguments)
	}
	var keys [3]string
	for i, x := range list {
		v, err := s.Eval(x)
		if err != nil {
			return nil, under(err, strconv.Itoa(i))
		}
		var ok bool
		if keys[i], ok = template.Text(v); !ok {
			return nil, failed(mapArguments)
		}
	}
	if v, ok := s.Template.Mappings[keys[0]][keys[1]][keys[2]]; ok {
		return v, nil
	}
	if fallback != nil {
		v, err := s.Eval(fallback)
		return v, under(under(err, "DefaultValue"), "3")
	}
	if s.Template.Mappings[keys[0]] == nil {
		return nil, failed("Template error: Mapping named '%s' is not present in the 'Mappings' section of template.", keys[0])
	}
	return nil, failed("Template error: Unable to get mapping for %s::%s::%s", keys[0], keys[1], keys[2])
}

func (s *Scope) choose(arg any) (any, error) {
	list, _ := arg.([]any)
	if len(list) != 3 {
		return nil, failed("Template error: Fn::If requires a list argument with three elements")
	}
	name, ok := list[0].(string)
	if !ok {
		return nil, failed("Template error: Fn::If requires a list argument with the first element being a condition")
	}
	b, err := s.Condition(name)
	if err != nil {
		return nil, err
	}
	if b {
		v, err := s.eval(list[1])
		return v, under(err, "1")
	}
	v, err := s.eval(list[2])
	return v, under(err, "2")
}

func (s *Scope) base64(arg any) (any, error) {
	v, err := s.Eval(arg)
	if err != nil || v == unknown {
		return v, err
	}
	text, ok := template.Text(v)
	if !ok {
		return nil, failed("Template error: every Fn::Base64 object must have a String-typed value.")
	}
	return base64.StdEncoding.EncodeToString([]byte(text)), nil
}

// zones gives three availability zones for every region.
func (s *Scope) zones(arg any) (any, error) {
	v, err := s.Eval(arg)
	if err != nil {
		return nil, err
	}
	region, ok := v.(string)
	if !ok {
		return nil, failed("Template error: every Fn::GetAZs object must have a String-typed value.")
	}
	if region == "" {
		region, _ = s.Params["AWS::Region"].(string)
	}
	var out []any
	for _, zone := range Zones(region) {
		out = append(out, zone)
	}
	return out, nil
}

// Zones are the availability zones of a region.
func Zones(region string) []string { return []string{region + "a", region + "b", region + "c"} }

func (s *Scope) importValue(arg any) (any, error) {
	v, err := s.Eval(arg)
	if err != nil || v == unknown {
		return v, err
	}
	name, ok := template.Text(v)
	if !ok {
		return nil, failed("Template error: the attribute in Fn::ImportValue must be a string or a function that returns a string")
	}
	if s.Import == nil {
		return unknown, nil
	}
	return s.Import(name)
}

func (s *Scope) length(arg any) (any, error) {
	if !s.Extensions {
		return nil, failed("Template error: Fn::Length requires the transform AWS::LanguageExtensions")
	}
	v, err := s.Eval(arg)
	if err != nil || v == unknown {
		return v, err
	}
	list, ok := v.([]any)
	if !ok {
		return nil, failed("Template error: Fn::Length requires a list or a function that returns a list")
	}
	return int64(len(list)), nil
}

func (s *Scope) toJSON(arg any) (any, error) {
	if !s.Extensions {
		return nil, failed("Template error: Fn::ToJsonString requires the transform AWS::LanguageExtensions")
	}
	v, err := s.Eval(arg)
	if err != nil {
		return nil, err
	}
	if !Known(v) {
		return unknown, nil
	}
	switch v.(type) {
	case []any, map[string]any:
	default:
		return nil, failed("Template error: Fn::ToJsonString requires an object or a list")
	}
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, failed("Template error: Fn::ToJsonString: %v", err)
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}

func (s *Scope) transform(arg any) (any, error) {
	m, _ := arg.(map[string]any)
	name, _ := m["Name"].(string)
	return nil, failed("Transform %s is not supported here: what a transform makes cannot ask for another", name)
}
