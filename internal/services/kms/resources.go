package kms

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/resource"
	api "github.com/tierra-cloud/tierra/internal/gen/kms"
	"github.com/tierra-cloud/tierra/internal/kernel/arn"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

type tagProperty struct {
	Key   string `cfn:"Key,required"`
	Value string `cfn:"Value,required"`
}

// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-kms-key.html
type keyProperties struct {
	Description                    *string       `cfn:"Description"`
	Enabled                        *bool         `cfn:"Enabled"`
	EnableKeyRotation              *bool         `cfn:"EnableKeyRotation"` // false only
	KeyPolicy                      any           `cfn:"KeyPolicy"`
	KeySpec                        *string       `cfn:"KeySpec"`
	KeyUsage                       *string       `cfn:"KeyUsage"`
	MultiRegion                    *bool         `cfn:"MultiRegion"`
	Origin                         *string       `cfn:"Origin"`
	PendingWindowInDays            *int32        `cfn:"PendingWindowInDays"`
	BypassPolicyLockoutSafetyCheck *bool         `cfn:"BypassPolicyLockoutSafetyCheck"`
	Tags                           []tagProperty `cfn:"Tags"`

	_ any `cfn:"RotationPeriodInDays,refused"`
}

// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-kms-alias.html
type aliasProperties struct {
	AliasName   string `cfn:"AliasName,required,replace"`
	TargetKeyID string `cfn:"TargetKeyId,required"`
}

// ResourceTypes implements resource.Provider.
func (s *Service) ResourceTypes() []resource.Type {
	return []resource.Type{
		resource.Define("AWS::KMS::Key", resource.Handlers[keyProperties]{
			Create: createKey, Update: updateKey, Delete: deleteKey, Find: findKeys, Check: checkKey, Attributes: []string{"Arn", "KeyId"},
			Identifier: []string{"KeyId"}, Read: readKey, List: listKeys, WriteOnly: []string{"PendingWindowInDays", "BypassPolicyLockoutSafetyCheck"},
		}),
		resource.Define("AWS::KMS::Alias", resource.Handlers[aliasProperties]{
			Identifier: []string{"AliasName"}, Read: readAlias, List: listAliases,
			Create: createAlias, Update: updateAlias, Delete: deleteAlias, Find: findAlias, Check: func(p *aliasProperties) []resource.Problem {
				if p.AliasName == "" { // not known yet
					return nil
				}
				if _, err := checkAlias(p.AliasName); err != nil {
					return []resource.Problem{{Path: []string{"AliasName"}, Text: fault.As(err).Message}}
				}
				return nil
			},
		}),
	}
}

func checkKey(p *keyProperties) []resource.Problem {
	var bad []resource.Problem
	if opt.Val(p.EnableKeyRotation) {
		bad = append(bad, resource.Problem{Path: []string{"EnableKeyRotation"}, Text: "rotation of keys is not supported yet"})
	}
	if err := checkCreate(&api.CreateKeyRequest{KeySpec: p.KeySpec, KeyUsage: p.KeyUsage, Origin: p.Origin, MultiRegion: p.MultiRegion}); err != nil {
		bad = append(bad, resource.Problem{Text: fault.As(err).Message})
	}
	if d := opt.Or(p.PendingWindowInDays, maxWindow); d != 0 && (d < minWindow || d > maxWindow) {
		bad = append(bad, resource.Problem{Path: []string{"PendingWindowInDays"}, Text: "must be between 7 and 30"})
	}
	return bad
}

func (p *keyProperties) tags(rq *resource.Request) map[string]string {
	m := maps.Clone(rq.StackTags)
	if m == nil {
		m = map[string]string{}
	}
	for _, t := range p.Tags {
		m[t.Key] = t.Value
	}
	return m
}

// policy is the key policy as text; nil if there is none.
func (p *keyProperties) policy() (*string, error) {
	switch v := p.KeyPolicy.(type) {
	case nil:
		return nil, nil
	case string:
		return &v, nil
	}
	b, err := json.Marshal(p.KeyPolicy)
	return new(string(b)), err
}

func keyState(id, arn string) resource.State {
	return resource.State{ID: id, Attributes: map[string]any{"Arn": arn, "KeyId": id}}
}

func createKey(ctx context.Context, rq *resource.Request, p *keyProperties) (resource.State, error) {
	doc, err := p.policy()
	if err != nil {
		return resource.State{}, err
	}
	out, err := call.Do(ctx, rq.Caller, rq.As, api.CreateKey, &api.CreateKeyRequest{
		Description: p.Description, Policy: doc, BypassPolicyLockoutSafetyCheck: p.BypassPolicyLockoutSafetyCheck, Tags: sortedTags(p.tags(rq)),
		KeySpec: p.KeySpec, KeyUsage: p.KeyUsage, Origin: p.Origin, MultiRegion: p.MultiRegion,
	})
	if err != nil {
		return resource.State{}, err
	}
	st := keyState(*out.KeyMetadata.KeyId, *out.KeyMetadata.Arn)
	if !opt.Or(p.Enabled, true) {
		_, err = call.Do(ctx, rq.Caller, rq.As, api.DisableKey, &api.DisableKeyRequest{KeyId: &st.ID})
	}
	return st, err
}

// findKeys returns the customer's keys with the description; ids are the room's.
func findKeys(ctx context.Context, rq *resource.Request, p *keyProperties) ([]resource.State, error) {
	var out []resource.State
	in := &api.ListKeysRequest{}
	for {
		page, err := call.Do(ctx, rq.Caller, rq.As, api.ListKeys, in)
		if err != nil {
			return nil, err
		}
		for _, k := range page.Keys {
			d, err := call.Do(ctx, rq.Caller, rq.As, api.DescribeKey, &api.DescribeKeyRequest{KeyId: k.KeyId})
			if err != nil {
				if fault.Is(err, "NotFoundException") || fault.Is(err, "AccessDeniedException") {
					continue // not one that the deployer made
				}
				return nil, err
			}
			m := d.KeyMetadata
			if *m.KeyManager == api.KeyManagerTypeCustomer && *m.KeyState != api.KeyStatePendingDeletion && *m.Description == opt.Val(p.Description) {
				out = append(out, keyState(*m.KeyId, *m.Arn))
			}
		}
		if in.Marker = page.NextMarker; in.Marker == nil {
			return out, nil
		}
	}
}

// settled refuses to change what a key is. On AWS such an update fails, so that no
// key is replaced, and deleted, by accident.
func (p *keyProperties) settled(now *keyProperties) error {
	if p.KeySpec == nil && now.KeySpec == nil && p.KeyUsage == nil && now.KeyUsage == nil && p.Origin == nil && now.Origin == nil && p.MultiRegion == nil && now.MultiRegion == nil {
		return nil
	}
	for _, x := range []struct{ name, was, is string }{
		{"KeySpec", opt.Or(p.KeySpec, api.KeySpecSymmetricDefault), opt.Or(now.KeySpec, api.KeySpecSymmetricDefault)},
		{"KeyUsage", opt.Or(p.KeyUsage, api.KeyUsageTypeEncryptDecrypt), opt.Or(now.KeyUsage, api.KeyUsageTypeEncryptDecrypt)},
		{"Origin", opt.Or(p.Origin, api.OriginTypeAwsKms), opt.Or(now.Origin, api.OriginTypeAwsKms)},
		{"MultiRegion", fmt.Sprint(opt.Val(p.MultiRegion)), fmt.Sprint(opt.Val(now.MultiRegion))},
	} {
		if x.was != x.is {
			return fault.Of(fault.Validation, "You cannot change the %s of an existing KMS key.", x.name)
		}
	}
	return nil
}

func updateKey(ctx context.Context, rq *resource.Request, id string, old, p *keyProperties) (resource.State, error) {
	st := keyState(id, arn.Make("kms", rq.Region, rq.Account, "key/"+id))
	if err := old.settled(p); err != nil {
		return st, err
	}
	doc, err := p.policy()
	if err != nil {
		return st, err
	}
	was, err := old.policy()
	if err != nil {
		return st, err
	}
	if doc == nil && was != nil {
		doc = new(defaultPolicy(area{rq.Account, rq.Region}))
	}
	if doc != nil && opt.Val(doc) != opt.Val(was) {
		if _, err := call.Do(ctx, rq.Caller, rq.As, api.PutKeyPolicy, &api.PutKeyPolicyRequest{
			KeyId: &id, Policy: doc, BypassPolicyLockoutSafetyCheck: p.BypassPolicyLockoutSafetyCheck,
		}); err != nil {
			return st, err
		}
	}
	if opt.Val(old.Description) != opt.Val(p.Description) {
		if _, err := call.Do(ctx, rq.Caller, rq.As, api.UpdateKeyDescription, &api.UpdateKeyDescriptionRequest{KeyId: &id, Description: new(opt.Val(p.Description))}); err != nil {
			return st, err
		}
	}
	if on := opt.Or(p.Enabled, true); on {
		_, err = call.Do(ctx, rq.Caller, rq.As, api.EnableKey, &api.EnableKeyRequest{KeyId: &id})
	} else {
		_, err = call.Do(ctx, rq.Caller, rq.As, api.DisableKey, &api.DisableKeyRequest{KeyId: &id})
	}
	if err != nil {
		return st, err
	}
	return st, retag(ctx, rq, id, p.tags(rq))
}

// retag gives a key exactly these tags.
func retag(ctx context.Context, rq *resource.Request, id string, want map[string]string) error {
	has, err := call.Do(ctx, rq.Caller, rq.As, api.ListResourceTags, &api.ListResourceTagsRequest{KeyId: &id})
	if err != nil {
		return err
	}
	var gone []string
	for _, t := range has.Tags {
		if _, stays := want[*t.TagKey]; !stays {
			gone = append(gone, *t.TagKey)
		}
	}
	if len(gone) > 0 {
		if _, err := call.Do(ctx, rq.Caller, rq.As, api.UntagResource, &api.UntagResourceRequest{KeyId: &id, TagKeys: gone}); err != nil {
			return err
		}
	}
	tags := sortedTags(want)
	if slices.EqualFunc(tags, has.Tags, func(a, b api.Tag) bool { return *a.TagKey == *b.TagKey && *a.TagValue == *b.TagValue }) {
		return nil
	}
	_, err = call.Do(ctx, rq.Caller, rq.As, api.TagResource, &api.TagResourceRequest{KeyId: &id, Tags: tags})
	return err
}

// deleteKey lets the key wait for its deletion, as CloudFormation does.
func deleteKey(ctx context.Context, rq *resource.Request, id string, p *keyProperties) error {
	_, err := call.Do(ctx, rq.Caller, rq.As, api.ScheduleKeyDeletion, &api.ScheduleKeyDeletionRequest{KeyId: &id, PendingWindowInDays: p.PendingWindowInDays})
	if fault.Is(err, "KMSInvalidStateException") { // it waits already
		return nil
	}
	return unlessGone(err)
}

func createAlias(ctx context.Context, rq *resource.Request, p *aliasProperties) (resource.State, error) {
	_, err := call.Do(ctx, rq.Caller, rq.As, api.CreateAlias, &api.CreateAliasRequest{AliasName: &p.AliasName, TargetKeyId: &p.TargetKeyID})
	return resource.State{ID: p.AliasName}, err
}

func findAlias(ctx context.Context, rq *resource.Request, p *aliasProperties) ([]resource.State, error) {
	in := &api.ListAliasesRequest{}
	for {
		page, err := call.Do(ctx, rq.Caller, rq.As, api.ListAliases, in)
		if err != nil {
			return nil, err
		}
		for _, a := range page.Aliases {
			if *a.AliasName == p.AliasName {
				return []resource.State{{ID: p.AliasName}}, nil
			}
		}
		if in.Marker = page.NextMarker; in.Marker == nil {
			return nil, nil
		}
	}
}

func updateAlias(ctx context.Context, rq *resource.Request, name string, _, p *aliasProperties) (resource.State, error) {
	_, err := call.Do(ctx, rq.Caller, rq.As, api.UpdateAlias, &api.UpdateAliasRequest{AliasName: &name, TargetKeyId: &p.TargetKeyID})
	return resource.State{ID: name}, err
}

func deleteAlias(ctx context.Context, rq *resource.Request, name string, _ *aliasProperties) error {
	_, err := call.Do(ctx, rq.Caller, rq.As, api.DeleteAlias, &api.DeleteAliasRequest{AliasName: &name})
	return unlessGone(err)
}

func unlessGone(err error) error {
	if fault.Is(err, "NotFoundException") {
		return nil
	}
	return err
}
