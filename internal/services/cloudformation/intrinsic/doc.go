// Package intrinsic evaluates CloudFormation's intrinsic functions, conditions
// and parameters. It is pure: what resources and exports give is asked of the
// Scope's owner, and a value that is not known yet is resource.Unknown{}.
//
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference.html
//
// Fn::Length, Fn::ToJsonString, Fn::ForEach and the default value of
// Fn::FindInMap take the transform AWS::LanguageExtensions, as with AWS.
// Fn::Transform is carried out before, by the engine; here it is refused by the macro's
// name.
package intrinsic
