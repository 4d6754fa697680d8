package cloudcontrol

// Settle waits for the requests that are under way.
func (s *Service) Settle() { s.plane.wg.Wait() }

// ApplyPatch is applyPatch, for its tests.
var ApplyPatch = applyPatch
