package secretsmanager

import (
	"context"
	"encoding/json"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/resource"
	api "github.com/tierra-cloud/tierra/internal/gen/secretsmanager"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

// readSecret leaves the value alone: it is write-only.
func readSecret(ctx context.Context, rq *resource.Request, arn string, _ *secretProperties) (*secretProperties, resource.State, error) {
	is, err := call.Do(ctx, rq.Caller, rq.As, api.DescribeSecret, &api.DescribeSecretRequest{SecretId: &arn})
	if err != nil || is.DeletedDate != nil {
		return nil, resource.State{}, unlessGone(err)
	}
	p := &secretProperties{Name: is.Name, Description: is.Description, KmsKeyID: is.KmsKeyId}
	for _, t := range is.Tags {
		p.Tags = append(p.Tags, tagProperty{opt.Val(t.Key), opt.Val(t.Value)})
	}
	return p, state(*is.ARN), nil
}

func listSecrets(ctx context.Context, rq *resource.Request, _ *secretProperties) (out []string, err error) {
	in := &api.ListSecretsRequest{}
	for {
		page, err := call.Do(ctx, rq.Caller, rq.As, api.ListSecrets, in)
		if err != nil {
			return nil, err
		}
		for _, s := range page.SecretList {
			out = append(out, *s.ARN)
		}
		if in.NextToken = page.NextToken; in.NextToken == nil {
			return out, nil
		}
	}
}

func readPolicy(ctx context.Context, rq *resource.Request, arn string, _ *policyProperties) (*policyProperties, resource.State, error) {
	is, err := call.Do(ctx, rq.Caller, rq.As, api.GetResourcePolicy, &api.GetResourcePolicyRequest{SecretId: &arn})
	if err != nil || is.ResourcePolicy == nil {
		return nil, resource.State{}, unlessGone(err)
	}
	p := &policyProperties{SecretID: *is.ARN}
	if err := json.Unmarshal([]byte(*is.ResourcePolicy), &p.ResourcePolicy); err != nil {
		return nil, resource.State{}, err
	}
	return p, resource.State{ID: *is.ARN}, nil
}
