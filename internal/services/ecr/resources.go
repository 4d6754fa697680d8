package ecr

import (
	"context"
	"encoding/json"
	"maps"
	"reflect"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/resource"
	api "github.com/tierra-cloud/tierra/internal/gen/ecr"
	"github.com/tierra-cloud/tierra/internal/kernel/arn"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ecr-repository.html
type repositoryProperties struct {
	RepositoryName                     *string             `cfn:"RepositoryName,replace"`
	EmptyOnDelete                      *bool               `cfn:"EmptyOnDelete"`
	EncryptionConfiguration            *encryptionProperty `cfn:"EncryptionConfiguration,replace"`
	ImageScanningConfiguration         *scanningProperty   `cfn:"ImageScanningConfiguration"`
	ImageTagMutability                 *string             `cfn:"ImageTagMutability"`
	ImageTagMutabilityExclusionFilters []exclusionProperty `cfn:"ImageTagMutabilityExclusionFilters"`
	LifecyclePolicy                    *lifecycleProperty  `cfn:"LifecyclePolicy"`
	RepositoryPolicyText               any                 `cfn:"RepositoryPolicyText"`
	Tags                               []tagProperty       `cfn:"Tags"`
}

type encryptionProperty struct {
	EncryptionType string  `cfn:"EncryptionType,required"`
	KmsKey         *string `cfn:"KmsKey"`
}

type scanningProperty struct {
	ScanOnPush *bool `cfn:"ScanOnPush"`
}

type exclusionProperty struct {
	Type  string `cfn:"ImageTagMutabilityExclusionFilterType,required"`
	Value string `cfn:"ImageTagMutabilityExclusionFilterValue,required"`
}

type lifecycleProperty struct {
	LifecyclePolicyText *string `cfn:"LifecyclePolicyText"`
	RegistryID          *string `cfn:"RegistryId,meaningless"`
}

type tagProperty struct {
	Key   string `cfn:"Key,required"`
	Value string `cfn:"Value,required"`
}

// ResourceTypes implements resource.Provider.
func (s *Service) ResourceTypes() []resource.Type {
	return []resource.Type{
		resource.Define("AWS::ECR::Repository", resource.Handlers[repositoryProperties]{
			Create: createRepositoryResource, Find: findRepository, Update: updateRepositoryResource, Delete: deleteRepositoryResource,
			Check: checkRepository, Attributes: []string{"Arn", "RepositoryUri"},
			Identifier: []string{"RepositoryName"}, Read: readRepository, List: listRepositories, WriteOnly: []string{"EmptyOnDelete"},
		}),
	}
}

func checkRepository(p *repositoryProperties) (bad []resource.Problem) {
	note := func(err error, path ...string) {
		if f := fault.As(err); f != nil {
			bad = append(bad, resource.Problem{Path: path, Text: f.Message})
		}
	}
	note(checkScanning(p.scanning()), "ImageScanningConfiguration")
	note(checkEncryption(p.encryption()), "EncryptionConfiguration")
	if p.LifecyclePolicy != nil && p.LifecyclePolicy.LifecyclePolicyText != nil {
		note(checkLifecycle(*p.LifecyclePolicy.LifecyclePolicyText), "LifecyclePolicy", "LifecyclePolicyText")
	}
	return bad
}

func (p *repositoryProperties) scanning() *api.ImageScanningConfiguration {
	if p.ImageScanningConfiguration == nil {
		return nil
	}
	return &api.ImageScanningConfiguration{ScanOnPush: p.ImageScanningConfiguration.ScanOnPush}
}

func (p *repositoryProperties) encryption() *api.EncryptionConfiguration {
	if p.EncryptionConfiguration == nil {
		return nil
	}
	return &api.EncryptionConfiguration{EncryptionType: &p.EncryptionConfiguration.EncryptionType, KmsKey: p.EncryptionConfiguration.KmsKey}
}

func (p *repositoryProperties) exclusions() []api.ImageTagMutabilityExclusionFilter {
	var out []api.ImageTagMutabilityExclusionFilter
	for _, f := range p.ImageTagMutabilityExclusionFilters {
		out = append(out, api.ImageTagMutabilityExclusionFilter{FilterType: &f.Type, Filter: &f.Value})
	}
	return out
}

func (p *repositoryProperties) lifecycle() string {
	if p.LifecyclePolicy == nil {
		return ""
	}
	return opt.Val(p.LifecyclePolicy.LifecyclePolicyText)
}

func (p *repositoryProperties) tags(rq *resource.Request) map[string]string {
	m := maps.Clone(rq.StackTags)
	if m == nil {
		m = map[string]string{}
	}
	for _, t := range p.Tags {
		m[t.Key] = t.Value
	}
	return m
}

func (p *repositoryProperties) name(rq *resource.Request) string {
	if n := opt.Val(p.RepositoryName); n != "" {
		return n
	}
	return lower(rq.Name(maxRepository))
}

// lower makes a generated name one that repositories may have.
func lower(name string) string {
	b := []byte(name)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

func repositoryState(x *api.Repository) resource.State {
	return resource.State{ID: *x.RepositoryName, Attributes: map[string]any{"Arn": *x.RepositoryArn, "RepositoryUri": *x.RepositoryUri}}
}

func createRepositoryResource(ctx context.Context, rq *resource.Request, p *repositoryProperties) (resource.State, error) {
	name := p.name(rq)
	out, err := call.Do(ctx, rq.Caller, rq.As, api.CreateRepository, &api.CreateRepositoryRequest{
		RepositoryName: &name, Tags: sortedTags(p.tags(rq)), ImageTagMutability: p.ImageTagMutability, ImageTagMutabilityExclusionFilters: p.exclusions(),
		ImageScanningConfiguration: p.scanning(), EncryptionConfiguration: p.encryption(),
	})
	if err != nil {
		return resource.State{}, err
	}
	return repositoryState(out.Repository), setPolicies(ctx, rq, name, &repositoryProperties{}, p)
}

// setPolicies sets the policies, or removes those that the template has no more.
func setPolicies(ctx context.Context, rq *resource.Request, name string, old, p *repositoryProperties) error {
	switch text := p.lifecycle(); {
	case text != "":
		if _, err := call.Do(ctx, rq.Caller, rq.As, api.PutLifecyclePolicy, &api.PutLifecyclePolicyRequest{RepositoryName: &name, LifecyclePolicyText: &text}); err != nil {
			return err
		}
	case old.lifecycle() != "":
		_, err := call.Do(ctx, rq.Caller, rq.As, api.DeleteLifecyclePolicy, &api.DeleteLifecyclePolicyRequest{RepositoryName: &name})
		if err != nil && !fault.Is(err, "LifecyclePolicyNotFoundException") {
			return err
		}
	}
	switch {
	case p.RepositoryPolicyText != nil:
		text, ok := p.RepositoryPolicyText.(string)
		if !ok {
			b, err := json.Marshal(p.RepositoryPolicyText)
			if err != nil {
				return err
			}
			text = string(b)
		}
		if _, err := call.Do(ctx, rq.Caller, rq.As, api.SetRepositoryPolicy, &api.SetRepositoryPolicyRequest{RepositoryName: &name, PolicyText: &text}); err != nil {
			return err
		}
	case old.RepositoryPolicyText != nil:
		_, err := call.Do(ctx, rq.Caller, rq.As, api.DeleteRepositoryPolicy, &api.DeleteRepositoryPolicyRequest{RepositoryName: &name})
		if err != nil && !fault.Is(err, "RepositoryPolicyNotFoundException") {
			return err
		}
	}
	return nil
}

func describe(ctx context.Context, rq *resource.Request, name string) (*api.Repository, error) {
	out, err := call.Do(ctx, rq.Caller, rq.As, api.DescribeRepositories, &api.DescribeRepositoriesRequest{RepositoryNames: []string{name}})
	if err != nil {
		return nil, err
	}
	return &out.Repositories[0], nil
}

func findRepository(ctx context.Context, rq *resource.Request, p *repositoryProperties) ([]resource.State, error) {
	x, err := describe(ctx, rq, p.name(rq))
	if err != nil {
		return nil, unlessGone(err)
	}
	return []resource.State{repositoryState(x)}, nil
}

func updateRepositoryResource(ctx context.Context, rq *resource.Request, name string, old, p *repositoryProperties) (resource.State, error) {
	x, err := describe(ctx, rq, name)
	if err != nil {
		return resource.State{ID: name}, err
	}
	st := repositoryState(x)
	if opt.Val(old.ImageTagMutability) != opt.Val(p.ImageTagMutability) || !reflect.DeepEqual(old.ImageTagMutabilityExclusionFilters, p.ImageTagMutabilityExclusionFilters) {
		_, err := call.Do(ctx, rq.Caller, rq.As, api.PutImageTagMutability, &api.PutImageTagMutabilityRequest{
			RepositoryName: &name, ImageTagMutability: new(opt.Or(p.ImageTagMutability, api.ImageTagMutabilityMutable)), ImageTagMutabilityExclusionFilters: p.exclusions(),
		})
		if err != nil {
			return st, err
		}
	}
	if err := setPolicies(ctx, rq, name, old, p); err != nil {
		return st, err
	}
	return st, setTags(ctx, rq, name, p)
}

func setTags(ctx context.Context, rq *resource.Request, name string, p *repositoryProperties) error {
	at, want := arn.Make("ecr", rq.Region, rq.Account, "repository/"+name), p.tags(rq)
	has, err := call.Do(ctx, rq.Caller, rq.As, api.ListTagsForResource, &api.ListTagsForResourceRequest{ResourceArn: &at})
	if err != nil {
		return err
	}
	var gone []string
	for _, t := range has.Tags {
		if _, stays := want[*t.Key]; !stays {
			gone = append(gone, *t.Key)
		}
	}
	if len(gone) > 0 {
		if _, err := call.Do(ctx, rq.Caller, rq.As, api.UntagResource, &api.UntagResourceRequest{ResourceArn: &at, TagKeys: gone}); err != nil {
			return err
		}
	}
	if len(want) == 0 {
		return nil
	}
	_, err = call.Do(ctx, rq.Caller, rq.As, api.TagResource, &api.TagResourceRequest{ResourceArn: &at, Tags: sortedTags(want)})
	return err
}

// deleteRepositoryResource deletes a repository that has images only if the
// template says EmptyOnDelete, as CloudFormation does.
func deleteRepositoryResource(ctx context.Context, rq *resource.Request, name string, p *repositoryProperties) error {
	_, err := call.Do(ctx, rq.Caller, rq.As, api.DeleteRepository, &api.DeleteRepositoryRequest{RepositoryName: &name, Force: p.EmptyOnDelete})
	return unlessGone(err)
}

func unlessGone(err error) error {
	if fault.Is(err, "RepositoryNotFoundException") {
		return nil
	}
	return err
}
