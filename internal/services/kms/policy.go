package kms

import (
	"context"

	"github.com/tierra-cloud/tierra/internal/call"
	api "github.com/tierra-cloud/tierra/internal/gen/kms"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

func (s *Service) policyBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.GetKeyPolicy, onKey(s, "kms:GetKeyPolicy", func(in *api.GetKeyPolicyRequest) (string, map[string][]string) { return opt.Val(in.KeyId), nil }), s.getKeyPolicy),
		call.Bind(api.PutKeyPolicy, onKey(s, "kms:PutKeyPolicy", func(in *api.PutKeyPolicyRequest) (string, map[string][]string) {
			return opt.Val(in.KeyId), map[string][]string{"kms:bypasspolicylockoutsafetycheck": yes(in.BypassPolicyLockoutSafetyCheck)}
		}), s.putKeyPolicy),
		call.Bind(api.ListKeyPolicies, onKey(s, "kms:ListKeyPolicies", func(in *api.ListKeyPoliciesRequest) (string, map[string][]string) { return opt.Val(in.KeyId), nil }), s.listKeyPolicies),
	}
}

func (s *Service) getKeyPolicy(ctx context.Context, rq *call.Authorized, in *api.GetKeyPolicyRequest) (*api.GetKeyPolicyResponse, error) {
	t, err := s.key(ctx, rq, *in.KeyId)
	if err != nil {
		return nil, err
	}
	if opt.Or(in.PolicyName, defaultPolicyName) != defaultPolicyName {
		return nil, api.NotFoundException("No such policy exists")
	}
	return &api.GetKeyPolicyResponse{Policy: new(t.Policy), PolicyName: new(defaultPolicyName)}, nil
}

func (s *Service) putKeyPolicy(ctx context.Context, rq *call.Authorized, in *api.PutKeyPolicyRequest) (*call.None, error) {
	if opt.Or(in.PolicyName, defaultPolicyName) != defaultPolicyName {
		return nil, api.NotFoundException("No such policy exists")
	}
	return &call.None{}, s.change(ctx, rq, *in.KeyId, func(t *target) error {
		if !t.Deletion.IsZero() {
			return t.pending()
		}
		if err := checkPolicy(*in.Policy, t.arn(), rq.Principal(), opt.Val(in.BypassPolicyLockoutSafetyCheck)); err != nil {
			return err
		}
		t.Policy = *in.Policy
		return nil
	})
}

func (s *Service) listKeyPolicies(ctx context.Context, rq *call.Authorized, in *api.ListKeyPoliciesRequest) (*api.ListKeyPoliciesResponse, error) {
	if in.Marker != nil {
		return nil, api.InvalidMarkerException("The marker is not valid.") // a key has one policy
	}
	if _, err := s.key(ctx, rq, *in.KeyId); err != nil {
		return nil, err
	}
	return &api.ListKeyPoliciesResponse{PolicyNames: []string{defaultPolicyName}, Truncated: new(false)}, nil
}
