package policy

import (
	"fmt"
	"strings"
)

// condition is one compiled line of a Condition block: an operator, a key and
// the values to compare with. All lines of a block must hold.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
type condition struct {
	operator
	key      key
	set      set
	ifExists bool
	values   values
}

// set is the qualifier for keys with several values.
type set uint8

const (
	single    set = iota
	allValues     // ForAllValues: holds for each value of the request, or there is none
	anyValue      // ForAnyValue: holds for one value at least
)

// compileCondition reads the operator's name, in which case does not count, and
// prepares the values.
func compileCondition(raw *rawCondition, variables bool) (condition, error) {
	c := condition{key: newKey(raw.key)}
	name := strings.ToLower(raw.operator)
	if rest, ok := strings.CutPrefix(name, "forallvalues:"); ok {
		name, c.set = rest, allValues
	} else if rest, ok := strings.CutPrefix(name, "foranyvalue:"); ok {
		name, c.set = rest, anyValue
	}
	name, c.ifExists = strings.CutSuffix(name, "ifexists")
	var known bool
	c.operator, known = operatorOf(name)
	if !known || c.kind == isNull && (c.ifExists || c.set != single) {
		return c, fmt.Errorf("unknown condition operator %q", raw.operator)
	}
	if raw.key == "" {
		return c, fmt.Errorf("its Condition %s has an empty key", raw.operator)
	}
	err := c.values.compile(c.operator, raw.values, variables)
	if err != nil {
		err = fmt.Errorf("its Condition %s on %s: %w", raw.operator, raw.key, err)
	}
	return c, err
}

// holds reports whether the condition is met. A key that the request does not
// have meets negated operators, ...IfExists and ForAllValues, nothing else.
func (c *condition) holds(e *evaluation) bool {
	// Before the key's own values are asked for: a context may answer the next
	// lookup in the same place. For that reason, too, values are ranged over below.
	if c.negated && !c.values.resolve(e) {
		return false
	}
	have := e.lookup(&c.key)
	if c.kind == isNull {
		return c.values.matchNull(len(have) == 0)
	}
	empty := len(have) == 0 || c.set != single && len(have) == 1 && have[0] == ""
	switch {
	case empty && c.set != single:
		return c.set == allValues
	case empty:
		return c.ifExists || c.negated
	case c.set == allValues:
		for _, v := range have {
			if c.match(e, v) == c.negated {
				return false
			}
		}
		return true
	case c.set == anyValue:
		for _, v := range have {
			if c.match(e, v) != c.negated {
				return true
			}
		}
		return false
	}
	for _, v := range have {
		if c.match(e, v) {
			return !c.negated
		}
	}
	return c.negated
}

// meets reports whether all conditions of the statement hold.
func (s *Statement) meets(e *evaluation) bool {
	for i := range s.conditions {
		if !s.conditions[i].holds(e) {
			return false
		}
	}
	return true
}
