package policy

// matchResource reports whether the statement is about the request's resource.
// Wildcards range over the whole ARN, colons and slashes included, and case
// counts. A statement with neither Resource nor NotResource is about whatever it
// is attached to.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
func (s *Statement) matchResource(e *evaluation) bool {
	if s.Resource == nil && s.NotResource == nil {
		return true
	}
	for i := range s.resources {
		p := &s.resources[i]
		if s.NotResource != nil && !p.resolves(e) {
			return false
		}
		if p.match(e, e.request.Resource, 0) {
			return s.NotResource == nil
		}
	}
	return s.NotResource != nil
}
