package expr

import (
	"slices"
	"strings"

	api "github.com/tierra-cloud/tierra/internal/gen/dynamodb"
)

// The parameters that expressions replaced are read into the same conditions and
// updates.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/LegacyConditionalParameters.html

// Expected reads the parameters Expected and ConditionalOperator.
func Expected(expected map[string]api.ExpectedAttributeValue, operator *string) (Condition, error) {
	if operator != nil && expected == nil {
		return nil, errorf("One or more parameter values were invalid: ConditionalOperator cannot be used without Filter or Expected")
	}
	if operator != nil && len(expected) == 0 {
		return nil, errorf("One or more parameter values were invalid: ConditionalOperator can only be used when Filter or Expected has two or more elements")
	}
	var parts []Condition
	for _, name := range sortedKeys(expected) {
		c, err := expectation(name, expected[name])
		if err != nil {
			return nil, err
		}
		parts = append(parts, c)
	}
	return join(parts, operator), nil
}

func join(parts []Condition, operator *string) Condition {
	var all Condition
	for _, c := range parts {
		switch {
		case all == nil:
			all = c
		case operator != nil && *operator == api.ConditionalOperatorOr:
			all = or{all, c}
		default:
			all = and{all, c}
		}
	}
	return all
}

func expectation(name string, e api.ExpectedAttributeValue) (Condition, error) {
	if e.ComparisonOperator != nil {
		if e.Exists != nil {
			return nil, errorf("One or more parameter values were invalid: Exists and ComparisonOperator cannot be used together for Attribute: %s", name)
		}
		list := e.AttributeValueList
		if e.Value != nil {
			if list != nil {
				return nil, errorf("One or more parameter values were invalid: Value and AttributeValueList cannot be used together for Attribute: %s", name)
			}
			list = []Value{*e.Value}
		}
		return comparison(name, *e.ComparisonOperator, list)
	}
	if e.AttributeValueList != nil {
		return nil, errorf("One or more parameter values were invalid: AttributeValueList can only be used with a ComparisonOperator for Attribute: %s", name)
	}
	path := Attribute(name)
	if e.Exists != nil && !*e.Exists {
		if e.Value != nil {
			return nil, errorf("One or more parameter values were invalid: Value cannot be used when Exists is false for Attribute: %s", name)
		}
		return exists{path, false}, nil
	}
	if e.Value == nil {
		return nil, errorf("One or more parameter values were invalid: Value must be provided when Exists is %s for Attribute: %s", existsText(e.Exists), name)
	}
	v, err := Normal(*e.Value)
	return compare{"=", pathOperand{path}, valueOperand{&v}}, err
}

func existsText(e *bool) string {
	if e == nil {
		return "null"
	}
	return "true"
}

// Filter reads the parameters QueryFilter or ScanFilter, and ConditionalOperator.
func Filter(filter map[string]api.Condition, operator *string) (Condition, error) {
	if operator != nil && len(filter) < 2 {
		return nil, errorf("One or more parameter values were invalid: ConditionalOperator can only be used when Filter or Expected has two or more elements")
	}
	var parts []Condition
	for _, name := range sortedKeys(filter) {
		f := filter[name]
		if f.ComparisonOperator == nil {
			return nil, errorf("One or more parameter values were invalid: ComparisonOperator must be specified for Attribute: %s", name)
		}
		c, err := comparison(name, *f.ComparisonOperator, f.AttributeValueList)
		if err != nil {
			return nil, err
		}
		parts = append(parts, c)
	}
	return join(parts, operator), nil
}

// KeyConditions reads the parameter KeyConditions.
func KeyConditions(conditions map[string]api.Condition, hash, rng string) (*KeyCondition, error) {
	if len(conditions) < 1 || len(conditions) > 2 {
		return nil, errorf("Conditions can be of length 1 or 2 only")
	}
	var parts []Condition
	for _, name := range sortedKeys(conditions) {
		f := conditions[name]
		if f.ComparisonOperator == nil {
			return nil, errorf("One or more parameter values were invalid: ComparisonOperator must be specified for Attribute: %s", name)
		}
		switch *f.ComparisonOperator {
		case api.ComparisonOperatorEq, api.ComparisonOperatorLt, api.ComparisonOperatorLe, api.ComparisonOperatorGt,
			api.ComparisonOperatorGe, api.ComparisonOperatorBetween, api.ComparisonOperatorBeginsWith:
		default:
			return nil, errorf("Attempted conditional constraint is not an indexable operation")
		}
		c, err := comparison(name, *f.ComparisonOperator, f.AttributeValueList)
		if err != nil {
			return nil, err
		}
		parts = append(parts, c)
	}
	return keyCondition(parts, hash, rng)
}

// comparison makes a condition of a legacy operator and its arguments.
func comparison(name, op string, list []Value) (Condition, error) {
	args := make([]operand, len(list))
	values := make([]*Value, len(list))
	for i := range list {
		v, err := Normal(list[i])
		if err != nil {
			return nil, err
		}
		args[i], values[i] = valueOperand{&v}, &v
	}
	want := 1
	switch op {
	case api.ComparisonOperatorNull, api.ComparisonOperatorNotNull:
		want = 0
	case api.ComparisonOperatorBetween:
		want = 2
	case api.ComparisonOperatorIn:
		want = max(1, len(args))
	}
	if len(args) != want {
		return nil, errorf("One or more parameter values were invalid: Invalid number of argument(s) for the %s ComparisonOperator", op)
	}
	if err := argumentTypes(op, values); err != nil {
		return nil, err
	}
	path := Attribute(name)
	of := pathOperand{path}
	switch op {
	case api.ComparisonOperatorNull:
		return exists{path, false}, nil
	case api.ComparisonOperatorNotNull:
		return exists{path, true}, nil
	case api.ComparisonOperatorEq:
		return compare{"=", of, args[0]}, nil
	case api.ComparisonOperatorNe:
		return compare{"<>", of, args[0]}, nil
	case api.ComparisonOperatorLt:
		return compare{"<", of, args[0]}, nil
	case api.ComparisonOperatorLe:
		return compare{"<=", of, args[0]}, nil
	case api.ComparisonOperatorGt:
		return compare{">", of, args[0]}, nil
	case api.ComparisonOperatorGe:
		return compare{">=", of, args[0]}, nil
	case api.ComparisonOperatorBetween:
		return between{of, args[0], args[1]}, bounds(values[0], values[1])
	case api.ComparisonOperatorIn:
		return in{of, args}, nil
	case api.ComparisonOperatorBeginsWith:
		return beginsWith{of, args[0]}, nil
	case api.ComparisonOperatorContains:
		return contains{of, args[0]}, nil
	default:
		// NOT_CONTAINS holds only of an attribute that is there.
		return and{exists{path, true}, not{contains{of, args[0]}}}, nil
	}
}

func argumentTypes(op string, values []*Value) error {
	allowed := []string{typeS, typeN, typeB}
	switch op {
	case api.ComparisonOperatorEq, api.ComparisonOperatorNe, api.ComparisonOperatorNull, api.ComparisonOperatorNotNull:
		return nil
	case api.ComparisonOperatorBeginsWith:
		allowed = []string{typeS, typeB}
	case api.ComparisonOperatorContains, api.ComparisonOperatorNotContains:
		allowed = []string{typeS, typeN, typeB, typeBOOL, typeNULL}
	}
	for _, v := range values {
		if t := TypeOf(v); !slices.Contains(allowed, t) {
			return errorf("One or more parameter values were invalid: ComparisonOperator %s is not valid for %s AttributeValue type", op, t)
		}
		if op == api.ComparisonOperatorIn && TypeOf(v) != TypeOf(values[0]) {
			return errorf("One or more parameter values were invalid: AttributeValues inside AttributeValueList must be of same type")
		}
	}
	return nil
}

// AttributeUpdates reads the parameter AttributeUpdates.
func AttributeUpdates(updates map[string]api.AttributeValueUpdate) (*Update, error) {
	u := &Update{}
	for _, name := range sortedKeys(updates) {
		change := updates[name]
		action := api.AttributeActionPut
		if change.Action != nil {
			action = *change.Action
		}
		path := Attribute(name)
		if change.Value == nil {
			if action != api.AttributeActionDelete {
				return nil, errorf("One or more parameter values were invalid: Only DELETE action is allowed when no attribute value is specified")
			}
			u.removes = append(u.removes, path)
			continue
		}
		v, err := Normal(*change.Value)
		if err != nil {
			return nil, err
		}
		a := assignment{path, valueSource{&v}}
		set := strings.HasSuffix(TypeOf(&v), "S") && TypeOf(&v) != typeS
		switch action {
		case api.AttributeActionPut:
			u.sets = append(u.sets, a)
		case api.AttributeActionDelete:
			if !set {
				return nil, errorf("One or more parameter values were invalid: DELETE action with value is not supported for the type %s", TypeOf(&v))
			}
			u.deletes = append(u.deletes, a)
		default:
			switch {
			case v.L != nil:
				a.rhs = listAppend{ifNotExists{path, valueSource{&Value{L: []Value{}}}}, a.rhs}
				u.sets = append(u.sets, a)
				continue
			case v.N == nil && !set:
				return nil, errorf("One or more parameter values were invalid: ADD action is not supported for the type %s", TypeOf(&v))
			}
			u.adds = append(u.adds, a)
		}
	}
	return u, nil
}
