package s3

import "github.com/tierra-cloud/tierra/internal/call"
import "context"
import api "github.com/tierra-cloud/tierra/internal/gen/s3"

func (s *Service) policyBindings() []call.Binding    { return nil }
func (s *Service) aclBindings() []call.Binding       { return nil }
func (s *Service) configBindings() []call.Binding    { return nil }
func (s *Service) copyBindings() []call.Binding      { return nil }
func (s *Service) multipartBindings() []call.Binding { return nil }
func (s *Service) expire(context.Context) error      { return nil }
func expirationOf(*bucket, *version) *string         { return nil }
func checkRedirect(string) error                     { return nil }
func publicPolicy([]byte) bool                       { return false }
func (b *bucket) publicBlock() api.PublicAccessBlockConfiguration {
	if b.Public == nil {
		return api.PublicAccessBlockConfiguration{}
	}
	return *b.Public
}
