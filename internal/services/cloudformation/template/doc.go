// Package template reads CloudFormation templates: JSON and YAML with the short
// forms of the intrinsic functions, anchors and merge keys, every value with its
// line and column, and the sections with the checks that CloudFormation makes of
// their form. It is pure: no intrinsic function is evaluated here.
//
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-anatomy.html
//
// Values are plain Go values: map[string]any, []any, string, bool, int64,
// float64, json.Number (integers beyond 64 bits) and nil. Where a value stands is
// asked of the Node that it came from (Node.At), by its path.
//
// Deliberate differences from CloudFormation's YAML 1.1: sexagesimal numbers
// (12:30) stay strings, and aliases and merge keys, which CloudFormation refuses,
// are understood, because the AWS CLI and SAM CLI resolve them before they send.
package template
