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
				for _, x := range strings.Split(v, ",") {
					list = append(list, strings.TrimSpace(x))
				}
			}
			out[name] = list
			continue
		}
		out[name] = v
	}
	return out
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
	values := []string{v}
	if p.IsList() {
		values = strings.Split(v, ",")
		for i := range values {
			values[i] = strings.TrimSpace(values[i])
		}
	}
	for _, x := range values {
		if p.AllowedValues != nil {
			found := false
			for _, a := range p.AllowedValues {
				found = found || a == x
			}
			if !found {
				return constraint("must be one of AllowedValues")
			}
		}
		switch {
		case p.Type == "Number" || p.Type == "List<Number>":
			f, err := strconv.ParseFloat(x, 64)
			switch {
			case err != nil || math.IsNaN(f) || math.IsInf(f, 0):
				return "Parameter '" + name + "' must be a number"
			case p.MinValue != nil && f < *p.MinValue:
				return constraint("must be a number not less than " + num(*p.MinValue))
			case p.MaxValue != nil && f > *p.MaxValue:
				return constraint("must be a number not greater than " + num(*p.MaxValue))
			}
		case strings.HasPrefix(p.Type, "AWS::") || strings.HasPrefix(p.Type, "List<AWS::"):
			if x == "" {
				return "Parameter validation failed: parameter value for parameter name " + name + " is empty. Rollback requested by user."
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
