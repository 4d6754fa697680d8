package intrinsic

import (
	"strings"

	"github.com/tierra-cloud/tierra/internal/services/cloudformation/template"
)

// maxLoops is how many entries one Fn::ForEach may make.
const maxLoops = 500

// Expand carries out the loops (Fn::ForEach::NAME) of a template, wherever they
// stand but in Parameters and Metadata. The scope needs the parameters and, for
// collections that come from them, the mappings.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference-foreach.html
func (s *Scope) Expand(doc map[string]any) (map[string]any, error) {
	out := make(map[string]any, len(doc))
	for k, v := range doc {
		if k == "Parameters" || k == "Metadata" {
			out[k] = v
			continue
		}
		x, err := s.expand(v, nil)
		if err != nil {
			return nil, under(err, k)
		}
		out[k] = x
	}
	return out, nil
}

func (s *Scope) expand(v any, vars map[string]string) (any, error) {
	switch v := v.(type) {
	case string:
		return substitute(v, vars), nil
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			y, err := s.expand(x, vars)
			if err != nil {
				return nil, err
			}
			out[i] = y
		}
		return out, nil
	case map[string]any:
		if name, ok := v["Ref"].(string); ok && len(v) == 1 {
			if x, loop := vars[name]; loop {
				return x, nil
			}
		}
		out := make(map[string]any, len(v))
		for k, x := range v {
			if strings.HasPrefix(k, "Fn::ForEach::") {
				if err := s.loop(out, k, x, vars); err != nil {
					return nil, under(err, k)
				}
				continue
			}
			y, err := s.expand(x, vars)
			if err != nil {
				return nil, under(err, k)
			}
			if err := put(out, substitute(k, vars), y); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	return v, nil
}

func put(m map[string]any, k string, v any) error {
	if _, twice := m[k]; twice {
		return failed("Template format error: Fn::ForEach makes the key %s twice", k)
	}
	m[k] = v
	return nil
}

func (s *Scope) loop(into map[string]any, name string, arg any, vars map[string]string) error {
	const arguments = "Template error: every Fn::ForEach object requires three parameters: an identifier, a collection, and an output whose keys have the identifier"
	list, _ := arg.([]any)
	if len(list) != 3 {
		return failed(arguments)
	}
	id, ok := list[0].(string)
	body, isMap := list[2].(map[string]any)
	if !ok || !isMap {
		return failed(arguments)
	}
	raw, err := s.expand(list[1], vars)
	if err != nil {
		return err
	}
	v, err := s.Eval(raw)
	if err != nil {
		return under(err, "1")
	}
	items, ok := v.([]any)
	if !ok {
		return failed(arguments)
	}
	if len(items)*len(body) > maxLoops {
		return failed("Template error: %s makes more than %d entries", name, maxLoops)
	}
	for _, item := range items {
		text, ok := template.Text(item)
		if !ok {
			return failed(arguments)
		}
		inner := map[string]string{id: text}
		for k, x := range vars {
			if k != id {
				inner[k] = x
			}
		}
		made, err := s.expand(body, inner)
		if err != nil {
			return under(err, "2")
		}
		for k, x := range made.(map[string]any) {
			if err := put(into, k, x); err != nil {
				return err
			}
		}
	}
	return nil
}

// substitute replaces ${Name}, and &{Name} by the value without what no logical
// id can have. What comes in is not looked at again.
func substitute(text string, vars map[string]string) string {
	if len(vars) == 0 {
		return text
	}
	var b strings.Builder
	for {
		i := strings.IndexByte(text, '{')
		if i < 0 {
			break
		}
		end := strings.IndexByte(text[i:], '}')
		if end < 0 {
			break
		}
		v, known := vars[text[i+1:i+end]]
		if i == 0 || !known || text[i-1] != '$' && text[i-1] != '&' {
			b.WriteString(text[:i+1])
			text = text[i+1:]
			continue
		}
		if text[i-1] == '&' {
			v = strings.Map(func(r rune) rune {
				if r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' {
					return r
				}
				return -1
			}, v)
		}
		b.WriteString(text[:i-1] + v)
		text = text[i+end+1:]
	}
	return b.String() + text
}
