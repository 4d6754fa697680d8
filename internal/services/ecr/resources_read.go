package ecr

import (
	"context"
	"encoding/json"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/resource"
	api "github.com/tierra-cloud/tierra/internal/gen/ecr"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
)

// readRepository returns a repository as it is, for drift, import and Cloud Control.
func readRepository(ctx context.Context, rq *resource.Request, name string, known *repositoryProperties) (*repositoryProperties, resource.State, error) {
	x, err := describe(ctx, rq, name)
	if err != nil {
		return nil, resource.State{}, unlessGone(err)
	}
	p := &repositoryProperties{RepositoryName: x.RepositoryName, ImageTagMutability: x.ImageTagMutability}
	for _, f := range x.ImageTagMutabilityExclusionFilters {
		p.ImageTagMutabilityExclusionFilters = append(p.ImageTagMutabilityExclusionFilters, exclusionProperty{*f.FilterType, *f.Filter})
	}
	if e := x.EncryptionConfiguration; e != nil {
		p.EncryptionConfiguration = &encryptionProperty{*e.EncryptionType, e.KmsKey}
	}
	if x.ImageScanningConfiguration != nil {
		p.ImageScanningConfiguration = &scanningProperty{x.ImageScanningConfiguration.ScanOnPush}
	}
	life, err := call.Do(ctx, rq.Caller, rq.As, api.GetLifecyclePolicy, &api.GetLifecyclePolicyRequest{RepositoryName: &name})
	switch {
	case err == nil:
		p.LifecyclePolicy = &lifecycleProperty{LifecyclePolicyText: life.LifecyclePolicyText}
		if known.LifecyclePolicy != nil {
			p.LifecyclePolicy.RegistryID = known.LifecyclePolicy.RegistryID
			if sameJSON(*life.LifecyclePolicyText, known.lifecycle()) { // the same policy in other spacing
				p.LifecyclePolicy.LifecyclePolicyText = known.LifecyclePolicy.LifecyclePolicyText
			}
		}
	case !fault.Is(err, "LifecyclePolicyNotFoundException"):
		return nil, resource.State{}, unlessGone(err)
	}
	policy, err := call.Do(ctx, rq.Caller, rq.As, api.GetRepositoryPolicy, &api.GetRepositoryPolicyRequest{RepositoryName: &name})
	switch {
	case err == nil:
		if err := json.Unmarshal([]byte(*policy.PolicyText), &p.RepositoryPolicyText); err != nil {
			return nil, resource.State{}, err
		}
	case !fault.Is(err, "RepositoryPolicyNotFoundException"):
		return nil, resource.State{}, unlessGone(err)
	}
	tags, err := call.Do(ctx, rq.Caller, rq.As, api.ListTagsForResource, &api.ListTagsForResourceRequest{ResourceArn: x.RepositoryArn})
	if err != nil {
		return nil, resource.State{}, unlessGone(err)
	}
	for _, t := range tags.Tags {
		p.Tags = append(p.Tags, tagProperty{*t.Key, *t.Value})
	}
	return p, repositoryState(x), nil
}

// sameJSON reports whether two texts are the same JSON.
func sameJSON(a, b string) bool {
	var x, y any
	if json.Unmarshal([]byte(a), &x) != nil || json.Unmarshal([]byte(b), &y) != nil {
		return a == b
	}
	p, errX := json.Marshal(x)
	q, errY := json.Marshal(y)
	return errX == nil && errY == nil && string(p) == string(q)
}

func listRepositories(ctx context.Context, rq *resource.Request, _ *repositoryProperties) (names []string, err error) {
	in := &api.DescribeRepositoriesRequest{}
	for {
		out, err := call.Do(ctx, rq.Caller, rq.As, api.DescribeRepositories, in)
		if err != nil {
			return nil, err
		}
		for _, x := range out.Repositories {
			names = append(names, *x.RepositoryName)
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			return names, nil
		}
	}
}
