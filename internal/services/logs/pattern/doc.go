// Package pattern is the filter pattern language of CloudWatch Logs: Compile
// reads a pattern, Match decides about a message. It is pure.
//
// There are four forms, told apart by their first character:
//
//	ERROR "exact phrase" -debug      terms: all must occur, none that has a minus
//	?ERROR ?WARN                     optional terms: one of them must occur
//	%regular expression%
//	{ $.level = "ERROR" && $.n > 3 } conditions on a message that is a JSON object
//	[ip, user, ..., status = 4*]     conditions on fields between spaces
//
// What AWS's page leaves open is decided so: a term matches anywhere in the
// message, also inside a word; optional terms are ignored beside other terms; a
// message that is not a JSON object never matches a JSON pattern, and one with
// another number of fields never matches a field pattern; a comparison with a
// member that is absent does not hold, also with !=.
//
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
package pattern
