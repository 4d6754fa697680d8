package intrinsic

import (
	"math"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tierra-cloud/tierra/internal/services/cloudformation/template"
)

// maxParameterValue is the most bytes that a parameter's value has.
const maxParameterValue = 4096

// Values checks the parameter values that were given against the template's
// declarations and returns all of them as text, defaults filled in.
func Values(t *template.Template, given map[string]string) (map[string]string, error) {
	var extra, missing []string
	for name := range given {
		if t.Parameters[name] == nil {
			extra = append(extra, name)
		}
	}
	out := map[string]string{}
	for name, p := range t.Parameters {
		v, ok := given[name]
		if !ok {
			v, ok = template.Text(p.Default)
		}
		if !ok {
			missing = append(missing, name)
		}
		out[name] = v
	}
	if len(extra) > 0 {
		sort.Strings(extra)
		return nil, failed("Parameters: [%s] do not exist in the template", strings.Join(extra, ", "))
	}
	if len(missing) > 0 {
		sort.Strings(missing)
		return nil, failed("Parameters: [%s] must have values", strings.Join(missing, ", "))
	}
	for _, name := range keys(out) {
		if text := violation(t.Parameters[name], name, out[name]); text != "" {
			return nil, &Error{text, []string{"Parameters", name}}
		}
	}
	return out, nil
}

// Params turns the text of parameters into the values that Ref gives.
func Params(t *template.Template, values map[string]string) map[string]any {
	out := make(map[string]any, len(values)+7)
	for name, v := range values {
		if p := t.Parameters[name]; p != nil && p.IsList() {
			list := []any{}
			if v != "" {
				for _, x := range Members(p, v) {
					list = append(list, x)
				}
			}
			out[name] = list
			continue
		}
		out[name] = v
	}
	return out
}

// Members are the values that a parameter's text has: those between its commas,
// without the space around them, if the parameter is a list.
func Members(p *template.Parameter, text string) []string {
	if !p.IsList() {
		return []string{text}
	}
	out := strings.Split(text, ",")
	for i := range out {
		out[i] = strings.TrimSpace(out[i])
	}
	return out
}

// number reads a number as parameters may have it, decimal and finite.
func number(s string) (float64, bool) {
	if strings.Trim(s, "0123456789+-.eE") != "" {
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil && !math.IsInf(f, 0)
}

// violation says which constraint a value does not meet.
func violation(p *template.Parameter, name, v string) string {
	constraint := func(text string) string {
		if p.ConstraintDescription != "" {
			return "Parameter '" + name + "' failed to satisfy constraint: " + p.ConstraintDescription
		}
		return "Parameter '" + name + "' " + text
	}
	if len(v) > maxParameterValue {
		return "Parameter '" + name + "' exceeds maximum length of " + strconv.Itoa(maxParameterValue) + " characters"
	}
	for _, x := range Members(p, v) {
		if p.AllowedValues != nil {
			found := false
			for _, a := range p.AllowedValues {
				found = found || a == x
			}
			if !found {
				return constraint("must be one of AllowedValues")
			}
		}
		if p.Type == "Number" || p.Type == "List<Number>" {
			f, ok := number(x)
			switch {
			case !ok:
				return "Parameter '" + name + "' must be a number"
			case p.MinValue != nil && f < *p.MinValue:
				return constraint("must be a number not less than " + num(*p.MinValue))
			case p.MaxValue != nil && f > *p.MaxValue:
				return constraint("must be a number not greater than " + num(*p.MaxValue))
			}
		}
		n := float64(utf8.RuneCountInString(x))
		switch {
		case p.MinLength != nil && n < *p.MinLength:
			return constraint("must contain at least " + num(*p.MinLength) + " characters")
		case p.MaxLength != nil && n > *p.MaxLength:
			return constraint("must contain at most " + num(*p.MaxLength) + " characters")
		case p.AllowedPattern != nil && !p.AllowedPattern.MatchString(x):
			return constraint("must match pattern " + p.PatternText)
		}
	}
	return ""
}

func num(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
