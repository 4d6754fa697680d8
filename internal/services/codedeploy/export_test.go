package codedeploy

import "context"

// Settle waits for the deployments that are under way.
func (s *Service) Settle() { _ = s.plane.Wait(context.Background()) }

// ParseAppSpec is parseAppSpec, for its tests.
var ParseAppSpec = parseAppSpec
