package secretsmanager

import (
	"context"
	"slices"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/secretsmanager"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/policy"
)

func (s *Service) policyBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.PutResourcePolicy, onSecret(s, "secretsmanager:PutResourcePolicy", func(in *api.PutResourcePolicyRequest) (*string, map[string][]string) {
			return in.SecretId, keysOf(map[string]*string{"blockpublicpolicy": text(in.BlockPublicPolicy)})
		}), s.putResourcePolicy),
		call.Bind(api.GetResourcePolicy, onSecret(s, "secretsmanager:GetResourcePolicy", func(in *api.GetResourcePolicyRequest) (*string, map[string][]string) { return in.SecretId, nil }), s.getResourcePolicy),
		call.Bind(api.DeleteResourcePolicy, onSecret(s, "secretsmanager:DeleteResourcePolicy", func(in *api.DeleteResourcePolicyRequest) (*string, map[string][]string) { return in.SecretId, nil }), s.deleteResourcePolicy),
	}
}

// public reports whether a policy lets everybody in without a condition.
func public(p *policy.Policy) bool {
	return slices.ContainsFunc(p.Statements(), func(st policy.Statement) bool {
		return st.Allow && !st.HasConditions && slices.ContainsFunc(st.Principal, func(e policy.PrincipalEntry) bool { return e.Value == "*" })
	})
}

func (s *Service) putResourcePolicy(ctx context.Context, rq *call.Authorized, in *api.PutResourcePolicyRequest) (*api.PutResourcePolicyResponse, error) {
	p, err := checkPolicy(*in.ResourcePolicy)
	if err != nil {
		return nil, err
	}
	if opt.Val(in.BlockPublicPolicy) && public(p) {
		return nil, api.PublicPolicyException("You can't attach a resource policy that allows broad access to the secret.")
	}
	arn, name, err := s.change(ctx, rq, in.SecretId, func(_ data.Txn, _ place, x *secret) error { x.Policy = *in.ResourcePolicy; return nil })
	return &api.PutResourcePolicyResponse{ARN: arn, Name: name}, err
}

func (s *Service) getResourcePolicy(ctx context.Context, rq *call.Authorized, in *api.GetResourcePolicyRequest) (*api.GetResourcePolicyResponse, error) {
	p, x, err := s.secretOf(ctx, rq, in.SecretId, false)
	if err != nil {
		return nil, err
	}
	return &api.GetResourcePolicyResponse{ARN: new(p.arn(x.Name, x.Suffix)), Name: new(x.Name), ResourcePolicy: opt.NonZero(x.Policy)}, nil
}

func (s *Service) deleteResourcePolicy(ctx context.Context, rq *call.Authorized, in *api.DeleteResourcePolicyRequest) (*api.DeleteResourcePolicyResponse, error) {
	arn, name, err := s.change(ctx, rq, in.SecretId, func(_ data.Txn, _ place, x *secret) error { x.Policy = ""; return nil })
	return &api.DeleteResourcePolicyResponse{ARN: arn, Name: name}, err
}
