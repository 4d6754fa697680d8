package expr

import (
	"slices"
	"strings"
)

// Limits of expressions.
const (
	maxExpression = 4 << 10 // bytes
	maxOperators  = 300
	maxNameLen    = 65535
)

// Scope holds the placeholders of a request, and notes which of them its
// expressions use.
type Scope struct {
	names      map[string]string
	values     map[string]Value
	usedNames  map[string]bool
	usedValues map[string]bool
}

// NewScope checks the placeholders of a request and brings values into normal
// form. anyExpression says whether the request has an expression at all.
func NewScope(names map[string]string, values map[string]Value, anyExpression, anyWithValues bool) (*Scope, error) {
	s := &Scope{names: names}
	if !anyExpression && names != nil {
		return nil, errorf("ExpressionAttributeNames can only be specified when using expressions")
	}
	if names != nil && len(names) == 0 {
		return nil, errorf("ExpressionAttributeNames must not be empty")
	}
	if !anyWithValues && values != nil {
		return nil, errorf("ExpressionAttributeValues can only be specified when using expressions")
	}
	if values != nil && len(values) == 0 {
		return nil, errorf("ExpressionAttributeValues must not be empty")
	}
	for _, k := range sortedKeys(names) {
		if !placeholder(k, '#') {
			return nil, errorf("ExpressionAttributeNames contains invalid key: Syntax error; key: \"%s\"", k)
		}
		if v := names[k]; v == "" || len(v) > maxNameLen {
			return nil, errorf("ExpressionAttributeNames contains invalid value for key %s", k)
		}
	}
	if len(values) > 0 {
		s.values = make(map[string]Value, len(values))
	}
	for _, k := range sortedKeys(values) {
		if !placeholder(k, ':') {
			return nil, errorf("ExpressionAttributeValues contains invalid key: Syntax error; key: \"%s\"", k)
		}
		v, err := Normal(values[k])
		if err != nil {
			return nil, errorf("ExpressionAttributeValues contains invalid value: %s for key %s", err.Error(), k)
		}
		s.values[k] = v
	}
	return s, nil
}

func placeholder(s string, first byte) bool {
	if len(s) < 2 || s[0] != first {
		return false
	}
	for i := 1; i < len(s); i++ {
		if !letterOrDigit(s[i]) {
			return false
		}
	}
	return true
}

func sortedKeys[V any](m map[string]V) []string {
	if len(m) == 0 {
		return nil
	}
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// Finish reports placeholders that no expression used.
func (s *Scope) Finish() error {
	if unused := missing(s.names, s.usedNames); len(unused) > 0 {
		return errorf("Value provided in ExpressionAttributeNames unused in expressions: keys: {%s}", strings.Join(unused, ", "))
	}
	if unused := missing(s.values, s.usedValues); len(unused) > 0 {
		return errorf("Value provided in ExpressionAttributeValues unused in expressions: keys: {%s}", strings.Join(unused, ", "))
	}
	return nil
}

func missing[V any](all map[string]V, used map[string]bool) (unused []string) {
	for _, k := range sortedKeys(all) {
		if !used[k] {
			unused = append(unused, k)
		}
	}
	return unused
}

func (s *Scope) name(placeholder string) (string, error) {
	n, ok := s.names[placeholder]
	if !ok {
		return "", errorf("An expression attribute name used in the document path is not defined; attribute name: %s", placeholder)
	}
	if s.usedNames == nil {
		s.usedNames = make(map[string]bool, len(s.names))
	}
	s.usedNames[placeholder] = true
	return n, nil
}

func (s *Scope) value(placeholder string) (*Value, error) {
	v, ok := s.values[placeholder]
	if !ok {
		return nil, errorf("An expression attribute value used in expression is not defined; attribute value: %s", placeholder)
	}
	if s.usedValues == nil {
		s.usedValues = make(map[string]bool, len(s.values))
	}
	s.usedValues[placeholder] = true
	return &v, nil
}

// Tops returns the attributes in which the document paths of an expression
// begin, as far as it can be read. Access rules ask for it before anything has
// been checked.
func Tops(src string, names map[string]string) []string {
	var out []string
	toks := scan(src)
	for i, t := range toks {
		name := ""
		switch {
		case i > 0 && toks[i-1].punct("."):
			continue
		case t.kind == tokName:
			name = names[t.text]
		case t.kind == tokWord && !toks[i+1].punct("(") && !Reserved(t.text):
			name = t.text
		}
		if name != "" && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}
