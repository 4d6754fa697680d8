package cloudformation

import "context"

// Settle waits for the operations that are under way.
func (s *Service) Settle() { _ = s.plane.Wait(context.Background()) }
