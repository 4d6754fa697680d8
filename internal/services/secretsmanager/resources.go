package secretsmanager

import (
	"context"
	"encoding/json"
	"maps"
	"reflect"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/resource"
	api "github.com/tierra-cloud/tierra/internal/gen/secretsmanager"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

type tagProperty struct {
	Key   string `cfn:"Key,required"`
	Value string `cfn:"Value,required"`
}

type generateProperty struct {
	ExcludeCharacters       *string `cfn:"ExcludeCharacters"`
	ExcludeLowercase        *bool   `cfn:"ExcludeLowercase"`
	ExcludeNumbers          *bool   `cfn:"ExcludeNumbers"`
	ExcludePunctuation      *bool   `cfn:"ExcludePunctuation"`
	ExcludeUppercase        *bool   `cfn:"ExcludeUppercase"`
	GenerateStringKey       *string `cfn:"GenerateStringKey"`
	IncludeSpace            *bool   `cfn:"IncludeSpace"`
	PasswordLength          *int64  `cfn:"PasswordLength"`
	RequireEachIncludedType *bool   `cfn:"RequireEachIncludedType"`
	SecretStringTemplate    *string `cfn:"SecretStringTemplate"`
}

// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-secretsmanager-secret.html
type secretProperties struct {
	Name                 *string           `cfn:"Name,replace"`
	Description          *string           `cfn:"Description"`
	KmsKeyID             *string           `cfn:"KmsKeyId"`
	SecretString         *string           `cfn:"SecretString"`
	GenerateSecretString *generateProperty `cfn:"GenerateSecretString"`
	Tags                 []tagProperty     `cfn:"Tags"`

	_ any `cfn:"ReplicaRegions,refused"`
	_ any `cfn:"Type,refused"`
}

// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-secretsmanager-resourcepolicy.html
type policyProperties struct {
	SecretID          string `cfn:"SecretId,required,replace"`
	ResourcePolicy    any    `cfn:"ResourcePolicy,required"`
	BlockPublicPolicy *bool  `cfn:"BlockPublicPolicy"`
}

// ResourceTypes implements resource.Provider.
func (s *Service) ResourceTypes() []resource.Type {
	return []resource.Type{
		resource.Define("AWS::SecretsManager::Secret", resource.Handlers[secretProperties]{
			Create: createSecret, Update: updateSecret, Delete: deleteSecret, Find: findSecret, Check: checkSecret, Attributes: []string{"Id"},
			Identifier: []string{"Id"}, Read: readSecret, List: listSecrets, WriteOnly: []string{"SecretString", "GenerateSecretString"},
		}),
		resource.Define("AWS::SecretsManager::ResourcePolicy", resource.Handlers[policyProperties]{
			Create: putPolicy, Delete: deletePolicy, Identifier: []string{"Id"}, Read: readPolicy, WriteOnly: []string{"BlockPublicPolicy"},
			Update: func(ctx context.Context, rq *resource.Request, _ string, _, p *policyProperties) (resource.State, error) {
				return putPolicy(ctx, rq, p)
			},
		}),
	}
}

func checkSecret(p *secretProperties) []resource.Problem {
	var bad []resource.Problem
	g := p.GenerateSecretString
	if g != nil && p.SecretString != nil {
		bad = append(bad, resource.Problem{Text: "SecretString and GenerateSecretString cannot be used together"})
	}
	if g != nil && (g.SecretStringTemplate == nil) != (g.GenerateStringKey == nil) {
		bad = append(bad, resource.Problem{Path: []string{"GenerateSecretString"}, Text: "SecretStringTemplate and GenerateStringKey go together"})
	}
	return bad
}

func (p *secretProperties) tags(rq *resource.Request) map[string]string {
	m := maps.Clone(rq.StackTags)
	if m == nil {
		m = map[string]string{}
	}
	for _, t := range p.Tags {
		m[t.Key] = t.Value
	}
	return m
}

// value is the secret's value: given, generated, or none.
func (p *secretProperties) value(ctx context.Context, rq *resource.Request) (*string, error) {
	g := p.GenerateSecretString
	if g == nil {
		return p.SecretString, nil
	}
	out, err := call.Do(ctx, rq.Caller, rq.As, api.GetRandomPassword, &api.GetRandomPasswordRequest{
		PasswordLength: g.PasswordLength, ExcludeCharacters: g.ExcludeCharacters, ExcludeNumbers: g.ExcludeNumbers, ExcludePunctuation: g.ExcludePunctuation,
		ExcludeUppercase: g.ExcludeUppercase, ExcludeLowercase: g.ExcludeLowercase, IncludeSpace: g.IncludeSpace, RequireEachIncludedType: g.RequireEachIncludedType,
	})
	if err != nil || g.SecretStringTemplate == nil {
		if err != nil {
			return nil, err
		}
		return out.RandomPassword, nil
	}
	m := map[string]any{}
	if err := json.Unmarshal([]byte(*g.SecretStringTemplate), &m); err != nil || m == nil {
		return nil, api.InvalidRequestException("Could not parse SecretStringTemplate JSON.")
	}
	m[*g.GenerateStringKey] = *out.RandomPassword
	b, err := json.Marshal(m)
	return new(string(b)), err
}

func (p *secretProperties) name(rq *resource.Request) string {
	if n := opt.Val(p.Name); n != "" {
		return n
	}
	return rq.Name(512)
}

func state(arn string) resource.State {
	return resource.State{ID: arn, Attributes: map[string]any{"Id": arn}}
}

func createSecret(ctx context.Context, rq *resource.Request, p *secretProperties) (resource.State, error) {
	v, err := p.value(ctx, rq)
	if err != nil {
		return resource.State{}, err
	}
	out, err := call.Do(ctx, rq.Caller, rq.As, api.CreateSecret, &api.CreateSecretRequest{
		Name: new(p.name(rq)), Description: p.Description, KmsKeyId: p.KmsKeyID, SecretString: v, Tags: sortedTags(p.tags(rq)),
	})
	if err != nil {
		return resource.State{}, err
	}
	return state(*out.ARN), nil
}

func findSecret(ctx context.Context, rq *resource.Request, p *secretProperties) ([]resource.State, error) {
	out, err := call.Do(ctx, rq.Caller, rq.As, api.DescribeSecret, &api.DescribeSecretRequest{SecretId: new(p.name(rq))})
	if err != nil || out.DeletedDate != nil {
		return nil, unlessGone(err)
	}
	return []resource.State{state(*out.ARN)}, nil
}

func updateSecret(ctx context.Context, rq *resource.Request, arn string, old, p *secretProperties) (resource.State, error) {
	in := &api.UpdateSecretRequest{SecretId: &arn, Description: new(opt.Val(p.Description)), KmsKeyId: p.KmsKeyID}
	if in.KmsKeyId == nil && old.KmsKeyID != nil {
		in.KmsKeyId = new(defaultKey)
	}
	if !reflect.DeepEqual(old.SecretString, p.SecretString) || !reflect.DeepEqual(old.GenerateSecretString, p.GenerateSecretString) {
		var err error
		if in.SecretString, err = p.value(ctx, rq); err != nil {
			return state(arn), err
		}
	}
	if _, err := call.Do(ctx, rq.Caller, rq.As, api.UpdateSecret, in); err != nil {
		return state(arn), err
	}
	want := p.tags(rq)
	has, err := call.Do(ctx, rq.Caller, rq.As, api.DescribeSecret, &api.DescribeSecretRequest{SecretId: &arn})
	if err != nil {
		return state(arn), err
	}
	var gone []string
	for _, t := range has.Tags {
		if _, stays := want[*t.Key]; !stays {
			gone = append(gone, *t.Key)
		}
	}
	if len(gone) > 0 {
		if _, err := call.Do(ctx, rq.Caller, rq.As, api.UntagResource, &api.UntagResourceRequest{SecretId: &arn, TagKeys: gone}); err != nil {
			return state(arn), err
		}
	}
	if len(want) > 0 {
		_, err = call.Do(ctx, rq.Caller, rq.As, api.TagResource, &api.TagResourceRequest{SecretId: &arn, Tags: sortedTags(want)})
	}
	return state(arn), err
}

// deleteSecret leaves no recovery window, as CloudFormation does: the name can be
// used again at once.
func deleteSecret(ctx context.Context, rq *resource.Request, arn string, _ *secretProperties) error {
	_, err := call.Do(ctx, rq.Caller, rq.As, api.DeleteSecret, &api.DeleteSecretRequest{SecretId: &arn, ForceDeleteWithoutRecovery: new(true)})
	return unlessGone(err)
}

func putPolicy(ctx context.Context, rq *resource.Request, p *policyProperties) (resource.State, error) {
	b, err := json.Marshal(p.ResourcePolicy)
	if err != nil {
		return resource.State{}, err
	}
	out, err := call.Do(ctx, rq.Caller, rq.As, api.PutResourcePolicy, &api.PutResourcePolicyRequest{
		SecretId: &p.SecretID, ResourcePolicy: new(string(b)), BlockPublicPolicy: p.BlockPublicPolicy,
	})
	if err != nil {
		return resource.State{}, err
	}
	return resource.State{ID: *out.ARN}, nil
}

func deletePolicy(ctx context.Context, rq *resource.Request, arn string, _ *policyProperties) error {
	_, err := call.Do(ctx, rq.Caller, rq.As, api.DeleteResourcePolicy, &api.DeleteResourcePolicyRequest{SecretId: &arn})
	return unlessGone(err)
}

func unlessGone(err error) error {
	if fault.Is(err, "ResourceNotFoundException") {
		return nil
	}
	return err
}
