package intrinsic

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call/resource"
	"github.com/tierra-cloud/tierra/internal/services/cloudformation/template"
)

// Resources says what the stack's resources give. Either method may return
// resource.Unknown{}.
type Resources interface {
	Ref(id string) (any, error)
	GetAtt(id, attribute string) (any, error)
}

// Scope is what functions are evaluated in. A Scope is used by one goroutine.
type Scope struct {
	Template *template.Template
	// Params are the parameters' values and the pseudo parameters: strings, or
	// []any of strings.
	Params    map[string]any
	Resources Resources
	// Import returns the value of an export.
	Import func(name string) (any, error)
	// Extensions says that the template has the transform AWS::LanguageExtensions.
	Extensions bool

	conditions map[string]condition
}

type condition uint8

const (
	undecided condition = iota
	deciding
	holds
	fails
)

// Error is a function that cannot be evaluated. Path leads to it from the value
// that was handed to Eval.
type Error struct {
	Text string
	Path []string
}

// Error implements error.
func (e *Error) Error() string { return e.Text }

func failed(format string, args ...any) error { return &Error{Text: fmt.Sprintf(format, args...)} }

// under notes that err arose below key.
func under(err error, key string) error {
	if e, ok := err.(*Error); ok {
		return &Error{e.Text, append([]string{key}, e.Path...)}
	}
	return err
}

// noValue is what Ref AWS::NoValue gives: the property is left out.
type noValue struct{}

// Eval evaluates the functions in v and returns a value without any. v stays as
// it is. A value that is left out altogether gives nil.
func (s *Scope) Eval(v any) (any, error) {
	out, err := s.eval(v)
	if _, none := out.(noValue); none {
		return nil, err
	}
	return out, err
}

func (s *Scope) eval(v any) (any, error) {
	switch v := v.(type) {
	case map[string]any:
		if len(v) == 1 {
			for name, arg := range v {
				if out, ok, err := s.call(name, arg); ok {
					return out, under(err, name)
				}
				if strings.HasPrefix(name, "Fn::") {
					return nil, under(failed("Template error: Encountered unsupported function: %s", name), name)
				}
			}
		}
		out := make(map[string]any, len(v))
		for k, x := range v {
			y, err := s.eval(x)
			if err != nil {
				return nil, under(err, k)
			}
			if _, none := y.(noValue); !none {
				out[k] = y
			}
		}
		return out, nil
	case []any:
		out := make([]any, 0, len(v))
		for i, x := range v {
			y, err := s.eval(x)
			if err != nil {
				return nil, under(err, strconv.Itoa(i))
			}
			if _, none := y.(noValue); !none {
				out = append(out, y)
			}
		}
		return out, nil
	}
	return v, nil
}

// Condition evaluates a condition of the template by its name.
func (s *Scope) Condition(name string) (bool, error) {
	switch s.conditions[name] {
	case holds:
		return true, nil
	case fails:
		return false, nil
	case deciding:
		return false, failed("Template format error: Circular dependency between conditions: [%s]", name)
	}
	def, ok := s.Template.Conditions[name]
	if !ok {
		return false, failed("Template format error: Unresolved condition dependency %s", name)
	}
	if s.conditions == nil {
		s.conditions = map[string]condition{}
	}
	s.conditions[name] = deciding
	b, err := s.boolean(def)
	if err != nil {
		delete(s.conditions, name)
		return false, err
	}
	s.conditions[name] = fails
	if b {
		s.conditions[name] = holds
	}
	return b, nil
}

// boolean evaluates an expression of the Conditions section.
func (s *Scope) boolean(v any) (bool, error) {
	m, _ := v.(map[string]any)
	if len(m) == 1 {
		for name, arg := range m {
			b, err := s.booleanFunction(name, arg)
			return b, under(err, name)
		}
	}
	return false, failed("Template format error: Conditions can only be boolean operations on parameters and other conditions")
}

func (s *Scope) booleanFunction(name string, arg any) (bool, error) {
	list, _ := arg.([]any)
	switch name {
	case "Condition":
		if ref, ok := arg.(string); ok {
			return s.Condition(ref)
		}
		// The transform of serverless applications names conditions within a name.
		if inner, ok := arg.(map[string]any); ok && len(inner) == 1 {
			if ref, ok := inner["Condition"].(string); ok {
				return s.Condition(ref)
			}
		}
	case "Fn::Equals":
		if len(list) != 2 {
			return false, failed("Template error: every Fn::Equals object requires a list of two string parameters.")
		}
		a, err := s.Eval(list[0])
		if err != nil {
			return false, under(err, "0")
		}
		b, err := s.Eval(list[1])
		return err == nil && Same(a, b), under(err, "1")
	case "Fn::Not":
		if len(list) != 1 {
			return false, failed("Template error: every Fn::Not object requires one boolean parameter.")
		}
		b, err := s.boolean(list[0])
		return !b, under(err, "0")
	case "Fn::And", "Fn::Or":
		if len(list) < 2 || len(list) > 10 {
			return false, failed("Template error: every %s object requires a list of at least 2 and at most 10 boolean parameters.", name)
		}
		all, any := true, false
		for i, x := range list {
			b, err := s.boolean(x)
			if err != nil {
				return false, under(err, strconv.Itoa(i))
			}
			all, any = all && b, any || b
		}
		return name == "Fn::And" && all || name == "Fn::Or" && any, nil
	}
	return false, failed("Template format error: Conditions can only be boolean operations on parameters and other conditions")
}

// Same compares values as CloudFormation does: 5 is "5", true is "true".
func Same(a, b any) bool {
	if x, ok := template.Text(a); ok {
		y, ok := template.Text(b)
		return ok && x == y
	}
	switch a := a.(type) {
	case nil:
		return b == nil
	case resource.Unknown:
		return false
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for i := range a {
			if !Same(a[i], b[i]) {
				return false
			}
		}
		return true
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for k, x := range a {
			if y, ok := b[k]; !ok || !Same(x, y) {
				return false
			}
		}
		return true
	}
	return false
}

// Known reports whether nothing in v is unknown.
func Known(v any) bool {
	switch v := v.(type) {
	case resource.Unknown:
		return false
	case []any:
		for _, x := range v {
			if !Known(x) {
				return false
			}
		}
	case map[string]any:
		for _, x := range v {
			if !Known(x) {
				return false
			}
		}
	}
	return true
}
