package cloudformation

// Settle waits for the operations that are under way.
func (s *Service) Settle() { s.plane.wg.Wait() }
