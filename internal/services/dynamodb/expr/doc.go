// Package expr is DynamoDB's data language, as pure functions: values and their
// rules, 38-digit decimal numbers, document paths, and the expressions for
// conditions, filters, keys, updates and projections.
//
// It knows no tables and no store. Every error that it returns is meant for the
// caller and becomes the message of a ValidationException.
//
//   - https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.html
//   - https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
//   - https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
package expr

import (
	"fmt"

	api "github.com/tierra-cloud/tierra/internal/gen/dynamodb"
)

// Value is an attribute's value. Exactly one of its members is set.
type Value = api.AttributeValue

// Item is a set of named attributes. An Item handed to this package is not
// changed by it, and what it returns may share values with it.
type Item = map[string]Value

// Error is a violation of the language's rules.
type Error struct{ Message string }

// Error implements error.
func (e *Error) Error() string { return e.Message }

func errorf(format string, args ...any) error { return &Error{fmt.Sprintf(format, args...)} }
