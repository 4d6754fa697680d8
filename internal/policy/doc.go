// Package policy is the IAM policy language as pure functions: Parse reads a
// document, the Validate functions check what a kind of policy may hold, and
// Evaluate decides a request. Nothing here reads a clock, a store or the
// environment; whatever a condition asks about comes from the request's
// Context, which is asked only for the keys that matter.
//
// A *Policy is compiled once and never changes, so it may be cached and used by
// any number of goroutines. Evaluate allocates nothing for policies without
// StringEqualsIgnoreCase on policy variables.
//
// Pages followed (IAM User Guide):
//
//   - reference_policies_grammar, reference_policies_elements*
//   - reference_policies_elements_condition_operators
//   - reference_policies_condition-single-vs-multi-valued-context-keys
//   - reference_policies_variables
//   - reference_policies_evaluation-logic*, access_policies_boundaries
//   - troubleshoot_access-denied (the wording of Message)
//
// # Where the documentation leaves room
//
//   - A statement without Resource, as trust policies and some resource
//     policies have them, applies to whatever it is attached to.
//   - A policy variable whose key the request does not have (or has more than
//     once) resolves to nothing: a value or resource with it never matches, and
//     a negated comparison or NotResource with it does not apply either.
//   - The value of a variable is taken literally; a * in it is no wildcard.
//   - Variables are replaced anywhere in a Resource, also before the fifth colon.
//   - ForAnyValue is false for a missing key even with IfExists.
//   - A comparison without ForAllValues or ForAnyValue holds for a key with
//     several values if it holds for one; negated, if it holds for none.
//   - {"AWS":"*"} and "*" both name everybody, services and anonymous callers
//     included.
//   - A service principal with a region in its name
//     (logs.us-east-1.amazonaws.com) names that service in requests to that
//     region.
//   - NotPrincipal spares a caller that one of its entries names in any way:
//     session, role, user or account. As AWS documents, a Deny with NotPrincipal
//     hits every caller that has a permissions boundary.
//   - BinaryEquals compares with the bytes of the context's value.
//   - Numbers are compared as 64-bit floating point.
//   - A value that its operator could never match (a word for NumericEquals, a
//     CIDR that is none) is refused by Parse instead of being kept without effect.
package policy
