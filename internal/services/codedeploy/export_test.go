package codedeploy

// Settle waits for the deployments that are under way.
func (s *Service) Settle() { s.plane.wg.Wait() }

// ParseAppSpec is parseAppSpec, for its tests.
var ParseAppSpec = parseAppSpec
