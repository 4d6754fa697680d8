package sts

import (
	"context"

	"github.com/tierra-cloud/tierra/internal/call"
	api "github.com/tierra-cloud/tierra/internal/gen/sts"
	"github.com/tierra-cloud/tierra/internal/kernel/arn"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/policy"
)

// How long sessions of users last, in seconds; root's at most an hour.
const (
	defaultTokenSeconds = 43200
	maxRootSeconds      = 3600
)

func (s *Service) tokenBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.GetSessionToken, call.Open[api.GetSessionTokenRequest]("https://docs.aws.amazon.com/STS/latest/APIReference/API_GetSessionToken.html: no permissions are required"), s.getSessionToken),
		call.Bind(api.GetFederationToken, call.Rule(s.federationNeeds, "sts:GetFederationToken", "sts:TagSession"), s.getFederationToken),
	}
}

func noSecondFactor() error {
	return fault.Of(fault.AccessDenied, "MultiFactorAuthentication failed, unable to validate MFA code: there are no MFA devices here.")
}

// longLived refuses callers that are a session already.
func longLived(id call.Identity, op string) error {
	k := id.Principal.Kind
	if k != policy.User && k != policy.Root || !id.IssuedAt.IsZero() {
		return fault.Of(fault.AccessDenied, "Cannot call %s with session credentials", op)
	}
	return nil
}

// seconds is how long a session of a user lasts.
func seconds(id call.Identity, given *int32) int32 {
	n := opt.Or(given, defaultTokenSeconds)
	if id.Principal.Kind == policy.Root {
		return min(n, maxRootSeconds)
	}
	return n
}

func (s *Service) getSessionToken(ctx context.Context, rq *call.Authorized, in *api.GetSessionTokenRequest) (*api.GetSessionTokenResponse, error) {
	if in.SerialNumber != nil || in.TokenCode != nil {
		return nil, noSecondFactor()
	}
	id := rq.Identity()
	if err := longLived(id, "GetSessionToken"); err != nil {
		return nil, err
	}
	n := seconds(id, in.DurationSeconds)
	id.Tags = nil // the user's own come with the user
	c, err := s.credentials(ctx, id, passed{}, n)
	if err != nil {
		return nil, err
	}
	return &api.GetSessionTokenResponse{Credentials: c}, nil
}

func federated(account, name string) string {
	return arn.Make("sts", "", account, "federated-user/"+name)
}

func (s *Service) federationNeeds(_ context.Context, rq *call.Decoded, in *api.GetFederationTokenRequest) ([]call.Need, error) {
	need := call.Need{Action: "sts:GetFederationToken", Resource: federated(rq.Account(), *in.Name), Keys: map[string][]string{}}
	requestTags(need.Keys, in.Tags)
	needs := []call.Need{need}
	if len(in.Tags) > 0 {
		need.Action = "sts:TagSession"
		needs = append(needs, need)
	}
	return needs, nil
}

func (s *Service) getFederationToken(ctx context.Context, rq *call.Authorized, in *api.GetFederationTokenRequest) (*api.GetFederationTokenResponse, error) {
	by := rq.Identity()
	if err := longLived(by, "GetFederationToken"); err != nil {
		return nil, err
	}
	account := rq.Account()
	tags, err := readTags(in.Tags)
	if err != nil {
		return nil, err
	}
	p, err := s.pass(ctx, account, in.Policy, in.PolicyArns, tags)
	if err != nil {
		return nil, err
	}
	id := call.Identity{
		Principal: policy.Principal{
			Kind: policy.FederatedUser, Account: account, ARN: federated(account, *in.Name),
			RoleARN: by.Principal.ARN, UserID: account + ":" + *in.Name,
		},
		Tags: tags,
	}
	c, err := s.credentials(ctx, id, p, seconds(by, in.DurationSeconds))
	if err != nil {
		return nil, err
	}
	return &api.GetFederationTokenResponse{
		Credentials:      c,
		FederatedUser:    &api.FederatedUser{FederatedUserId: &id.Principal.UserID, Arn: &id.Principal.ARN},
		PackedPolicySize: p.percent(),
	}, nil
}
