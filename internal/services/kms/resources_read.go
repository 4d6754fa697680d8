package kms

import (
	"context"
	"encoding/json"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/resource"
	api "github.com/tierra-cloud/tierra/internal/gen/kms"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

func readKey(ctx context.Context, rq *resource.Request, id string, _ *keyProperties) (*keyProperties, resource.State, error) {
	none := resource.State{}
	out, err := call.Do(ctx, rq.Caller, rq.As, api.DescribeKey, &api.DescribeKeyRequest{KeyId: &id})
	if err != nil {
		return nil, none, unlessGone(err)
	}
	m := out.KeyMetadata
	if *m.KeyState == api.KeyStatePendingDeletion {
		return nil, none, nil
	}
	p := &keyProperties{Description: m.Description, Enabled: m.Enabled, KeySpec: m.KeySpec, KeyUsage: m.KeyUsage, MultiRegion: m.MultiRegion, Origin: m.Origin, EnableKeyRotation: new(false)}
	doc, err := call.Do(ctx, rq.Caller, rq.As, api.GetKeyPolicy, &api.GetKeyPolicyRequest{KeyId: &id})
	if err != nil {
		return nil, none, err
	}
	if err := json.Unmarshal([]byte(opt.Val(doc.Policy)), &p.KeyPolicy); err != nil {
		return nil, none, err
	}
	tags, err := call.Do(ctx, rq.Caller, rq.As, api.ListResourceTags, &api.ListResourceTagsRequest{KeyId: &id})
	if err != nil {
		return nil, none, err
	}
	for _, t := range tags.Tags {
		p.Tags = append(p.Tags, tagProperty{opt.Val(t.TagKey), opt.Val(t.TagValue)})
	}
	return p, keyState(*m.KeyId, *m.Arn), nil
}

func listKeys(ctx context.Context, rq *resource.Request, _ *keyProperties) (out []string, err error) {
	in := &api.ListKeysRequest{}
	for {
		page, err := call.Do(ctx, rq.Caller, rq.As, api.ListKeys, in)
		if err != nil {
			return nil, err
		}
		for _, k := range page.Keys {
			out = append(out, *k.KeyId)
		}
		if in.Marker = page.NextMarker; in.Marker == nil {
			return out, nil
		}
	}
}

// aliases calls f with every alias.
func aliases(ctx context.Context, rq *resource.Request, f func(*api.AliasListEntry)) error {
	in := &api.ListAliasesRequest{}
	for {
		page, err := call.Do(ctx, rq.Caller, rq.As, api.ListAliases, in)
		if err != nil {
			return err
		}
		for i := range page.Aliases {
			f(&page.Aliases[i])
		}
		if in.Marker = page.NextMarker; in.Marker == nil {
			return nil
		}
	}
}

// readAlias gives the key as it was named, if it is the same key still.
func readAlias(ctx context.Context, rq *resource.Request, name string, known *aliasProperties) (p *aliasProperties, st resource.State, err error) {
	err = aliases(ctx, rq, func(a *api.AliasListEntry) {
		if *a.AliasName == name {
			p, st = &aliasProperties{AliasName: name, TargetKeyID: opt.Val(a.TargetKeyId)}, resource.State{ID: name}
		}
	})
	if p != nil && known.TargetKeyID != "" && p.TargetKeyID != known.TargetKeyID {
		out, e := call.Do(ctx, rq.Caller, rq.As, api.DescribeKey, &api.DescribeKeyRequest{KeyId: &known.TargetKeyID})
		if e == nil && *out.KeyMetadata.KeyId == p.TargetKeyID {
			p.TargetKeyID = known.TargetKeyID
		}
	}
	return p, st, err
}

func listAliases(ctx context.Context, rq *resource.Request, _ *aliasProperties) (out []string, err error) {
	err = aliases(ctx, rq, func(a *api.AliasListEntry) { out = append(out, *a.AliasName) })
	return out, err
}
