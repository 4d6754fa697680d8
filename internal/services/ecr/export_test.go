package ecr

import "context"

// Sweep is one round of the sweeper.
func (s *Service) Sweep(ctx context.Context) error { return s.sweep(ctx) }
