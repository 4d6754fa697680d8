package ecr

import (
	"context"
	"slices"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/engine/image"
	api "github.com/tierra-cloud/tierra/internal/gen/ecr"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/kernel/page"
)

func (s *Service) repositoryBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.CreateRepository, call.Rule(func(_ context.Context, rq *call.Decoded, in *api.CreateRepositoryRequest) ([]call.Need, error) {
			a := place(rq, in.RegistryId)
			needs := []call.Need{{Action: "ecr:CreateRepository", Resource: a.arn(*in.RepositoryName), Owner: a.account, Keys: tagConditions(in.Tags)}}
			if len(in.Tags) > 0 {
				needs = append(needs, call.Need{Action: "ecr:TagResource", Resource: a.arn(*in.RepositoryName), Owner: a.account, Keys: tagConditions(in.Tags)})
			}
			return needs, nil
		}, "ecr:CreateRepository", "ecr:TagResource"), s.createRepository),
		call.Bind(api.DescribeRepositories, call.Rule(s.describeNeeds, "ecr:DescribeRepositories"), s.describeRepositories),
		call.Bind(api.DeleteRepository, on(s, "ecr:DeleteRepository", func(in *api.DeleteRepositoryRequest) (r, n *string) { return in.RegistryId, in.RepositoryName }), s.deleteRepository),
		call.Bind(api.PutImageTagMutability, on(s, "ecr:PutImageTagMutability", func(in *api.PutImageTagMutabilityRequest) (r, n *string) { return in.RegistryId, in.RepositoryName }), s.putImageTagMutability),
		call.Bind(api.PutImageScanningConfiguration, on(s, "ecr:PutImageScanningConfiguration", func(in *api.PutImageScanningConfigurationRequest) (r, n *string) {
			return in.RegistryId, in.RepositoryName
		}), s.putImageScanningConfiguration),
		call.Bind(api.DescribeRegistry, call.Any[api.DescribeRegistryRequest]("ecr:DescribeRegistry"), s.describeRegistry),
	}
}

func (s *Service) describeNeeds(ctx context.Context, rq *call.Decoded, in *api.DescribeRepositoriesRequest) ([]call.Need, error) {
	a := place(rq, in.RegistryId)
	if len(in.RepositoryNames) == 0 {
		return []call.Need{{Action: "ecr:DescribeRepositories", Resource: a.arn("*"), Owner: a.account}}, nil
	}
	var needs []call.Need
	for _, name := range in.RepositoryNames {
		n, err := s.need(ctx, a, name, "ecr:DescribeRepositories")
		if err != nil {
			return nil, err
		}
		needs = append(needs, n)
	}
	return needs, nil
}

// uri is the address that clients of the registry push to: where the caller
// reached the server, so that it reaches it there again. The account and region are
// those of the token that it logs in with.
func uri(rq *call.Authenticated, name string) string { return rq.Incoming().Host + "/" + name }

// show is a repository as operations answer it.
func (a area) show(rq *call.Authenticated, x *repository) *api.Repository {
	return &api.Repository{
		RepositoryArn: new(a.arn(x.Name)), RegistryId: &a.account, RepositoryName: &x.Name, RepositoryUri: new(uri(rq, x.Name)), CreatedAt: &x.Created,
		ImageTagMutability: &x.Mutability, ImageTagMutabilityExclusionFilters: showExclusions(x.Exclusions),
		ImageScanningConfiguration: &api.ImageScanningConfiguration{ScanOnPush: new(false)},
		EncryptionConfiguration:    &api.EncryptionConfiguration{EncryptionType: new(api.EncryptionTypeAes256)},
	}
}

func showExclusions(list []string) []api.ImageTagMutabilityExclusionFilter {
	var out []api.ImageTagMutabilityExclusionFilter
	for _, f := range list {
		out = append(out, api.ImageTagMutabilityExclusionFilter{FilterType: new(api.ImageTagMutabilityExclusionFilterTypeWildcard), Filter: &f})
	}
	return out
}

func (s *Service) createRepository(ctx context.Context, rq *call.Authorized, in *api.CreateRepositoryRequest) (*api.CreateRepositoryResponse, error) {
	a, err := own(rq, in.RegistryId)
	if err != nil {
		return nil, err
	}
	if err := checkScanning(in.ImageScanningConfiguration); err != nil {
		return nil, err
	}
	if err := checkEncryption(in.EncryptionConfiguration); err != nil {
		return nil, err
	}
	x := &repository{V: recordVersion, Name: *in.RepositoryName, Created: rq.Time(), Mutability: opt.Or(in.ImageTagMutability, api.ImageTagMutabilityMutable)}
	if x.Exclusions, err = checkExclusions(x.Mutability, in.ImageTagMutabilityExclusionFilters); err != nil {
		return nil, err
	}
	if x.Tags, err = tagMap(in.Tags); err != nil {
		return nil, err
	}
	err = s.d.Store.Update(ctx, func(t data.Txn) error {
		if old, err := data.Load[repository](t, a.repository(x.Name)); err != nil || old != nil {
			if err == nil {
				err = api.RepositoryAlreadyExistsException("The repository with name '%s' already exists in the registry with id '%s'", x.Name, a.account)
			}
			return err
		}
		return data.Save(t, a.repository(x.Name), x)
	})
	if err != nil {
		return nil, err
	}
	return &api.CreateRepositoryResponse{Repository: a.show(rq.Authenticated, x)}, nil
}

// own is the caller's registry, which is the only one where things are made.
func own(rq *call.Authorized, registry *string) (area, error) {
	a := place(rq.Decoded, registry)
	if a.account != rq.Account() {
		return a, api.InvalidParameterException("Invalid parameter at 'registryId' failed to satisfy constraint: 'must be the caller's own account'")
	}
	return a, nil
}

// pageSize is how many entries a page has: at most 1,000, and 100 unless the
// caller says otherwise.
func pageSize(n *int32) int { return int(min(opt.Or(n, 100), 1000)) }

func after(token *string) (string, error) {
	a, err := page.After(opt.Val(token))
	if err != nil {
		err = api.InvalidParameterException("Invalid parameter at 'nextToken' failed to satisfy constraint: 'Invalid nextToken'")
	}
	return a, err
}

func (s *Service) describeRepositories(ctx context.Context, rq *call.Authorized, in *api.DescribeRepositoriesRequest) (*api.DescribeRepositoriesResponse, error) {
	a := place(rq.Decoded, in.RegistryId)
	out := &api.DescribeRepositoriesResponse{Repositories: []api.Repository{}}
	last, err := after(in.NextToken)
	if err != nil {
		return nil, err
	}
	if len(in.RepositoryNames) > 0 && (in.NextToken != nil || in.MaxResults != nil) {
		return nil, api.InvalidParameterException("Invalid parameter: 'repositoryNames' and pagination cannot be used together")
	}
	limit := pageSize(in.MaxResults)
	err = s.d.Store.View(ctx, func(r data.Reader) error {
		for _, name := range in.RepositoryNames {
			x, err := a.find(r, name)
			if err != nil {
				return err
			}
			out.Repositories = append(out.Repositories, *a.show(rq.Authenticated, x))
		}
		if len(in.RepositoryNames) > 0 {
			return nil
		}
		for x, err := range list[repository](r, a.repositories(), a.repository(last)) {
			switch {
			case err != nil:
				return err
			case x.Name == last:
				continue
			case len(out.Repositories) == limit:
				out.NextToken = new(page.Token(*out.Repositories[limit-1].RepositoryName))
				return nil
			}
			out.Repositories = append(out.Repositories, *a.show(rq.Authenticated, x))
		}
		return nil
	})
	return out, err
}

func (s *Service) deleteRepository(ctx context.Context, rq *call.Authorized, in *api.DeleteRepositoryRequest) (*api.DeleteRepositoryResponse, error) {
	a, name := place(rq.Decoded, in.RegistryId), *in.RepositoryName
	var x *repository
	var unused []image.Digest
	err := s.d.Store.Update(ctx, func(t data.Txn) (err error) {
		unused = unused[:0]
		if x, err = a.find(t, name); err != nil {
			return err
		}
		if !opt.Val(in.Force) {
			for _, err := range t.Scan(a.images(name), data.PrefixEnd(a.images(name)), false) {
				if err != nil {
					return err
				}
				return api.RepositoryNotEmptyException("The repository with name '%s' in registry with id '%s' cannot be deleted because it still contains images", name, a.account)
			}
		}
		var gone [][]byte
		for _, kind := range []string{"layer", "use", "image", "manifest", "tag"} {
			prefix := a.key(kind, name)
			for p, err := range t.Scan(prefix, data.PrefixEnd(prefix), false) {
				if err != nil {
					return err
				}
				gone = append(gone, p.Key)
				if kind == "layer" {
					parts, _ := data.Parts(p.Key)
					d := image.Digest(parts[len(parts)-1])
					unused = append(unused, d)
					gone = append(gone, image.HolderKey(d, a.holder(name)))
				}
			}
		}
		for _, k := range append(gone, a.repository(name)) {
			if err := t.Delete(k); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.uploads.abort(func(u *upload) bool { return u.area == a && u.name == name })
	s.drop(ctx, unused)
	return &api.DeleteRepositoryResponse{Repository: a.show(rq.Authenticated, x)}, nil
}

// drop removes bytes that nobody holds any more. What stays behind after an error
// is collected by the sweep.
func (s *Service) drop(ctx context.Context, digests []image.Digest) {
	_ = s.d.Content.Drop(context.WithoutCancel(ctx), digests...)
}

func (s *Service) putImageTagMutability(ctx context.Context, rq *call.Authorized, in *api.PutImageTagMutabilityRequest) (*api.PutImageTagMutabilityResponse, error) {
	a := place(rq.Decoded, in.RegistryId)
	exclusions, err := checkExclusions(*in.ImageTagMutability, in.ImageTagMutabilityExclusionFilters)
	if err != nil {
		return nil, err
	}
	x, err := s.change(ctx, a, *in.RepositoryName, func(x *repository) error {
		x.Mutability, x.Exclusions = *in.ImageTagMutability, exclusions
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &api.PutImageTagMutabilityResponse{RegistryId: &a.account, RepositoryName: &x.Name, ImageTagMutability: &x.Mutability, ImageTagMutabilityExclusionFilters: showExclusions(x.Exclusions)}, nil
}

func (s *Service) putImageScanningConfiguration(ctx context.Context, rq *call.Authorized, in *api.PutImageScanningConfigurationRequest) (*api.PutImageScanningConfigurationResponse, error) {
	a := place(rq.Decoded, in.RegistryId)
	if err := checkScanning(in.ImageScanningConfiguration); err != nil {
		return nil, err
	}
	if _, err := s.read(ctx, a, *in.RepositoryName); err != nil {
		return nil, err
	}
	return &api.PutImageScanningConfigurationResponse{RegistryId: &a.account, RepositoryName: in.RepositoryName, ImageScanningConfiguration: &api.ImageScanningConfiguration{ScanOnPush: new(false)}}, nil
}

func (s *Service) describeRegistry(_ context.Context, rq *call.Authorized, _ *api.DescribeRegistryRequest) (*api.DescribeRegistryResponse, error) {
	return &api.DescribeRegistryResponse{RegistryId: new(rq.Account()), ReplicationConfiguration: &api.ReplicationConfiguration{Rules: []api.ReplicationRule{}}}, nil
}

// mutable tells whether a tag of the repository may be moved to another image.
func (x *repository) mutable(tag string) bool {
	excluded := slices.ContainsFunc(x.Exclusions, func(f string) bool { return wildcard(f, tag) })
	return strings.HasPrefix(x.Mutability, api.ImageTagMutabilityMutable) != excluded
}
