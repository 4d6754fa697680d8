package dynamodb

import (
	"maps"
	"slices"

	api "github.com/tierra-cloud/tierra/internal/gen/dynamodb"
	"github.com/tierra-cloud/tierra/internal/services/dynamodb/expr"
)

// Expressions and the parameters that they replaced do not mix.
func mixed(legacy, expression string) error {
	return invalid("Can not use both expression and non-expression parameters in the same request: Non-expression parameters: {%s} Expression parameters: {%s}", legacy, expression)
}

func sortedNames[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// conditionOf reads the parameters that make a write conditional; nil means that
// it is not.
func conditionOf(expression *string, names map[string]string, values map[string]api.AttributeValue, expected map[string]api.ExpectedAttributeValue, operator *string) (expr.Condition, error) {
	if expected != nil || operator != nil {
		switch {
		case expression != nil && expected != nil:
			return nil, mixed("Expected", "ConditionExpression")
		case expression != nil:
			return nil, mixed("ConditionalOperator", "ConditionExpression")
		case names != nil:
			return nil, invalid("ExpressionAttributeNames can only be specified when using expressions")
		case values != nil:
			return nil, invalid("ExpressionAttributeValues can only be specified when using expressions")
		}
		c, err := expr.Expected(expected, operator)
		return c, wrong(err)
	}
	if expression == nil && names == nil && values == nil {
		return nil, nil
	}
	scope, err := expr.NewScope(names, values, expression != nil, expression != nil)
	if err != nil {
		return nil, wrong(err)
	}
	c, err := scope.Condition(*expression)
	if err != nil {
		return nil, wrong(err)
	}
	return c, wrong(scope.Finish())
}

// updateOf reads the parameters of UpdateItem.
func updateOf(in *api.UpdateItemInput) (*expr.Update, expr.Condition, error) {
	if in.AttributeUpdates == nil && in.Expected == nil && in.ConditionalOperator == nil {
		return changeOf(in.UpdateExpression, in.ConditionExpression, in.ExpressionAttributeNames, in.ExpressionAttributeValues)
	}
	legacy := "AttributeUpdates"
	switch {
	case in.AttributeUpdates != nil:
	case in.Expected != nil:
		legacy = "Expected"
	default:
		legacy = "ConditionalOperator"
	}
	switch {
	case in.UpdateExpression != nil:
		return nil, nil, mixed(legacy, "UpdateExpression")
	case in.ConditionExpression != nil:
		return nil, nil, mixed(legacy, "ConditionExpression")
	}
	c, err := conditionOf(nil, in.ExpressionAttributeNames, in.ExpressionAttributeValues, in.Expected, in.ConditionalOperator)
	if err != nil {
		return nil, nil, err
	}
	if in.AttributeUpdates == nil {
		return nil, c, nil
	}
	u, err := expr.AttributeUpdates(in.AttributeUpdates)
	return u, c, wrong(err)
}

// changeOf reads an update and a condition that share their placeholders.
func changeOf(change, condition *string, names map[string]string, values map[string]api.AttributeValue) (*expr.Update, expr.Condition, error) {
	some := change != nil || condition != nil
	if !some && names == nil && values == nil {
		return nil, nil, nil
	}
	scope, err := expr.NewScope(names, values, some, some)
	if err != nil {
		return nil, nil, wrong(err)
	}
	var u *expr.Update
	var c expr.Condition
	if change != nil {
		if u, err = scope.Update(*change); err != nil {
			return nil, nil, wrong(err)
		}
	}
	if condition != nil {
		if c, err = scope.Condition(*condition); err != nil {
			return nil, nil, wrong(err)
		}
	}
	return u, c, wrong(scope.Finish())
}

// attributesToGet reads the parameter that ProjectionExpression replaced.
func attributesToGet(names []string) (*expr.Projection, error) {
	if names == nil {
		return nil, nil
	}
	p := &expr.Projection{}
	for i, n := range names {
		if slices.Contains(names[:i], n) {
			return nil, invalid("One or more parameter values were invalid: Duplicate value in attribute name: %s", n)
		}
		p.Paths = append(p.Paths, expr.Attribute(n))
	}
	return p, nil
}
