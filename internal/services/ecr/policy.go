package ecr

import (
	"context"
	"errors"

	"github.com/tierra-cloud/tierra/internal/call"
	api "github.com/tierra-cloud/tierra/internal/gen/ecr"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/policy"
)

func (s *Service) policyBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.SetRepositoryPolicy, on(s, "ecr:SetRepositoryPolicy", func(in *api.SetRepositoryPolicyRequest) (r, n *string) { return in.RegistryId, in.RepositoryName }), s.setRepositoryPolicy),
		call.Bind(api.GetRepositoryPolicy, on(s, "ecr:GetRepositoryPolicy", func(in *api.GetRepositoryPolicyRequest) (r, n *string) { return in.RegistryId, in.RepositoryName }), s.getRepositoryPolicy),
		call.Bind(api.DeleteRepositoryPolicy, on(s, "ecr:DeleteRepositoryPolicy", func(in *api.DeleteRepositoryPolicyRequest) (r, n *string) { return in.RegistryId, in.RepositoryName }), s.deleteRepositoryPolicy),
	}
}

// setRepositoryPolicy keeps a policy whose statements are all about the
// repository that it belongs to: they name no resource.
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/repository-policies.html
func (s *Service) setRepositoryPolicy(ctx context.Context, rq *call.Authorized, in *api.SetRepositoryPolicyRequest) (*api.SetRepositoryPolicyResponse, error) {
	a := place(rq.Decoded, in.RegistryId)
	p, err := policy.Parse([]byte(*in.PolicyText))
	if err == nil {
		for _, st := range p.Statements() {
			if len(st.Principal) == 0 && len(st.NotPrincipal) == 0 { // a repository's policy is about others
				err = errNoPrincipal
			}
		}
	}
	if err != nil || len(*in.PolicyText) > maxPolicy {
		return nil, api.InvalidParameterException("Invalid parameter at 'PolicyText' failed to satisfy constraint: 'Invalid repository policy provided'")
	}
	_, err = s.change(ctx, a, *in.RepositoryName, func(x *repository) error {
		x.Policy = *in.PolicyText
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &api.SetRepositoryPolicyResponse{RegistryId: &a.account, RepositoryName: in.RepositoryName, PolicyText: in.PolicyText}, nil
}

var errNoPrincipal = errors.New("a statement names no principal")

func (a area) noPolicy(name string) error {
	return api.RepositoryPolicyNotFoundException("Repository policy does not exist for the repository with name '%s' in the registry with id '%s'", name, a.account)
}

func (s *Service) getRepositoryPolicy(ctx context.Context, rq *call.Authorized, in *api.GetRepositoryPolicyRequest) (*api.GetRepositoryPolicyResponse, error) {
	a := place(rq.Decoded, in.RegistryId)
	x, err := s.read(ctx, a, *in.RepositoryName)
	if err != nil {
		return nil, err
	}
	if x.Policy == "" {
		return nil, a.noPolicy(x.Name)
	}
	return &api.GetRepositoryPolicyResponse{RegistryId: &a.account, RepositoryName: &x.Name, PolicyText: &x.Policy}, nil
}

func (s *Service) deleteRepositoryPolicy(ctx context.Context, rq *call.Authorized, in *api.DeleteRepositoryPolicyRequest) (*api.DeleteRepositoryPolicyResponse, error) {
	a := place(rq.Decoded, in.RegistryId)
	text := ""
	_, err := s.change(ctx, a, *in.RepositoryName, func(x *repository) error {
		if text = x.Policy; text == "" {
			return a.noPolicy(x.Name)
		}
		x.Policy = ""
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &api.DeleteRepositoryPolicyResponse{RegistryId: &a.account, RepositoryName: in.RepositoryName, PolicyText: opt.NonZero(text)}, nil
}
