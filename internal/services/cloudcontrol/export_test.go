package cloudcontrol

import "context"

// Settle waits for the requests that are under way.
func (s *Service) Settle() { _ = s.plane.Wait(context.Background()) }

// ApplyPatch is applyPatch, for its tests.
var ApplyPatch = applyPatch
