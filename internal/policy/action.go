package policy

import "strings"

// compileAction makes the pattern of an action; actions ignore case and know no
// variables.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_action.html
func compileAction(a string) pattern {
	p, _ := compilePattern(strings.ToLower(a), true, false) // only variables can fail
	return p
}

// matchAction reports whether the statement is about the request's action. A
// statement with neither Action nor NotAction is about none.
func (s *Statement) matchAction(action string) bool {
	for i := range s.actions {
		if s.actions[i].matchFold(action) {
			return s.NotAction == nil
		}
	}
	return s.NotAction != nil
}
