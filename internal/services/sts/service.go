package sts

import (
	"context"
	"slices"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	api "github.com/tierra-cloud/tierra/internal/gen/sts"
	"github.com/tierra-cloud/tierra/internal/kernel/clock"
	"github.com/tierra-cloud/tierra/internal/kernel/model"
	"github.com/tierra-cloud/tierra/internal/policy"
)

// Mint makes credentials and knows the roles that they are for. IAM's room is one.
type Mint interface {
	// Session returns the identity of a session of a role, with the role's tags,
	// the role's trust policy and the longest session that the role allows. The
	// trust policy is nil if there is no such role.
	Session(ctx context.Context, roleARN, name string) (id call.Identity, trust *policy.Policy, max time.Duration, err error)
	// Managed returns the document of a managed policy that an account may use;
	// ok is false if there is none.
	Managed(ctx context.Context, account, policyARN string) (document string, ok bool, err error)
	// Issue makes credentials for a session until expires. id.Tags are the
	// session's own tags; doc and policyARNs its policies, which were checked.
	Issue(ctx context.Context, id call.Identity, doc string, policyARNs []string, expires time.Time) (accessKey, secret, token string, err error)
	// Owner returns the account that an access key belongs to; ok is false if the
	// key is of no form that is known.
	Owner(accessKey string) (account string, ok bool)
}

// Deps is what the room is given.
type Deps struct {
	Clock clock.Clock
	Mint  Mint
	// Lenient lets root assume roles, which AWS never does. It is for platforms
	// whose gate does not enforce: there, who comes from an emulator is root.
	Lenient bool
}

// Service is the room. It keeps nothing. Make it with New.
type Service struct{ d Deps }

// New makes the room.
func New(d Deps) *Service { return &Service{d} }

// Model implements call.Service.
func (s *Service) Model() *model.Service { return &api.Model }

// Bindings implements call.Service.
func (s *Service) Bindings() []call.Binding {
	return slices.Concat(s.roleBindings(), s.tokenBindings(), s.callerBindings())
}

// credentials issues credentials that end after seconds.
func (s *Service) credentials(ctx context.Context, id call.Identity, p passed, seconds int32) (*api.Credentials, error) {
	now := s.d.Clock.Now().UTC().Truncate(time.Second)
	id.IssuedAt = now
	ends := now.Add(time.Duration(seconds) * time.Second)
	accessKey, secret, token, err := s.d.Mint.Issue(ctx, id, p.document, p.arns, ends)
	if err != nil {
		return nil, err
	}
	return &api.Credentials{AccessKeyId: &accessKey, SecretAccessKey: &secret, SessionToken: &token, Expiration: &ends}, nil
}
