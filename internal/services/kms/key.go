package kms

import (
	"context"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/kms"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/kernel/page"
)

func (s *Service) keyBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.CreateKey, call.Rule(createNeeds, "kms:CreateKey", "kms:TagResource"), s.createKey),
		call.Bind(api.DescribeKey, onKey(s, "kms:DescribeKey", func(in *api.DescribeKeyRequest) (string, map[string][]string) { return opt.Val(in.KeyId), nil }), s.describeKey),
		call.Bind(api.ListKeys, call.Any[api.ListKeysRequest]("kms:ListKeys"), s.listKeys),
		call.Bind(api.EnableKey, onKey(s, "kms:EnableKey", func(in *api.EnableKeyRequest) (string, map[string][]string) { return opt.Val(in.KeyId), nil }), s.enableKey),
		call.Bind(api.DisableKey, onKey(s, "kms:DisableKey", func(in *api.DisableKeyRequest) (string, map[string][]string) { return opt.Val(in.KeyId), nil }), s.disableKey),
		call.Bind(api.UpdateKeyDescription, onKey(s, "kms:UpdateKeyDescription", func(in *api.UpdateKeyDescriptionRequest) (string, map[string][]string) {
			return opt.Val(in.KeyId), nil
		}), s.updateKeyDescription),
		call.Bind(api.ScheduleKeyDeletion, onKey(s, "kms:ScheduleKeyDeletion", func(in *api.ScheduleKeyDeletionRequest) (string, map[string][]string) {
			return opt.Val(in.KeyId), nil
		}), s.scheduleKeyDeletion),
		call.Bind(api.CancelKeyDeletion, onKey(s, "kms:CancelKeyDeletion", func(in *api.CancelKeyDeletionRequest) (string, map[string][]string) {
			return opt.Val(in.KeyId), nil
		}), s.cancelKeyDeletion),
		call.Bind(api.GetKeyRotationStatus, onKey(s, "kms:GetKeyRotationStatus", func(in *api.GetKeyRotationStatusRequest) (string, map[string][]string) {
			return opt.Val(in.KeyId), nil
		}), s.getKeyRotationStatus),
	}
}

func createNeeds(_ context.Context, rq *call.Decoded, in *api.CreateKeyRequest) ([]call.Need, error) {
	m := map[string]string{}
	for _, t := range in.Tags {
		m[opt.Val(t.TagKey)] = opt.Val(t.TagValue)
	}
	keys := conditions(rq, tagConditions(m))
	keys["kms:keyspec"] = []string{opt.Or(in.KeySpec, symmetric)}
	keys["kms:keyusage"] = []string{opt.Or(in.KeyUsage, encryptDecrypt)}
	keys["kms:keyorigin"] = []string{opt.Or(in.Origin, api.OriginTypeAwsKms)}
	keys["kms:multiregion"] = yes(in.MultiRegion)
	keys["kms:bypasspolicylockoutsafetycheck"] = yes(in.BypassPolicyLockoutSafetyCheck)
	needs := []call.Need{{Action: "kms:CreateKey", Resource: "*", Keys: keys}}
	if len(m) > 0 {
		needs = append(needs, call.Need{Action: "kms:TagResource", Resource: "*", Keys: keys})
	}
	return needs, nil
}

func (s *Service) createKey(ctx context.Context, rq *call.Authorized, in *api.CreateKeyRequest) (*api.CreateKeyResponse, error) {
	if err := checkCreate(in); err != nil {
		return nil, err
	}
	tags, err := tagMap(in.Tags)
	if err != nil {
		return nil, err
	}
	a := areaOfCall(rq.Decoded)
	k := &key{V: version, ID: s.d.IDs.UUID(), Created: s.d.Clock.Now(), Description: opt.Val(in.Description), Tags: tags, Policy: defaultPolicy(a)}
	t := &target{area: a, key: k}
	if in.Policy != nil {
		if err := checkPolicy(*in.Policy, t.arn(), rq.Principal(), opt.Val(in.BypassPolicyLockoutSafetyCheck)); err != nil {
			return nil, err
		}
		k.Policy = *in.Policy
	}
	k.Material = s.vault.material(t.arn())
	err = s.d.Store.Update(ctx, func(tx data.Txn) error { return data.Save(tx, a.key(k.ID), k) })
	return &api.CreateKeyResponse{KeyMetadata: t.describe()}, err
}

func (s *Service) describeKey(ctx context.Context, rq *call.Authorized, in *api.DescribeKeyRequest) (*api.DescribeKeyResponse, error) {
	if err := noGrants(in.GrantTokens); err != nil {
		return nil, err
	}
	t, err := s.key(ctx, rq, *in.KeyId)
	if err != nil {
		return nil, err
	}
	return &api.DescribeKeyResponse{KeyMetadata: t.describe()}, nil
}

// perPage is how many entries a listing has unless Limit says otherwise.
const perPage = 100

// listing walks the records below prefix from where marker says, up to limit.
// after is the last part of the key of the record that the page ends with.
func listing[T any](r data.Reader, prefix []byte, marker *string, limit *int32, keep func(*T) bool, f func(*T)) (next *string, err error) {
	from := prefix
	after, err := page.After(opt.Val(marker))
	if err != nil {
		return nil, api.InvalidMarkerException("The marker is not valid.")
	}
	if after != "" {
		from = append(data.AppendPart(append([]byte(nil), prefix...), after), 0)
	}
	n, last := int32(0), ""
	for p, err := range r.Scan(from, data.PrefixEnd(prefix), false) {
		if err != nil {
			return nil, err
		}
		v := new(T)
		if err := decode(p, v); err != nil {
			return nil, err
		}
		if !keep(v) {
			continue
		}
		if n == opt.Or(limit, perPage) {
			return new(page.Token(last)), nil
		}
		f(v)
		parts, _ := data.Parts(p.Key)
		n, last = n+1, parts[len(parts)-1]
	}
	return nil, nil
}

func (s *Service) listKeys(ctx context.Context, rq *call.Authorized, in *api.ListKeysRequest) (*api.ListKeysResponse, error) {
	a, out, now := areaOfCall(rq.Decoded), &api.ListKeysResponse{Keys: []api.KeyListEntry{}}, s.d.Clock.Now()
	err := s.d.Store.View(ctx, func(r data.Reader) (err error) {
		out.NextMarker, err = listing(r, a.keys(), in.Marker, in.Limit, func(k *key) bool { return !k.gone(now) }, func(k *key) {
			out.Keys = append(out.Keys, api.KeyListEntry{KeyId: new(k.ID), KeyArn: new(a.keyARN(k.ID))})
		})
		return err
	})
	out.Truncated = new(out.NextMarker != nil)
	return out, err
}

func (s *Service) enableKey(ctx context.Context, rq *call.Authorized, in *api.EnableKeyRequest) (*call.None, error) {
	return &call.None{}, s.able(ctx, rq, *in.KeyId, false)
}

func (s *Service) disableKey(ctx context.Context, rq *call.Authorized, in *api.DisableKeyRequest) (*call.None, error) {
	return &call.None{}, s.able(ctx, rq, *in.KeyId, true)
}

func (s *Service) able(ctx context.Context, rq *call.Authorized, name string, disabled bool) error {
	return s.change(ctx, rq, name, func(t *target) error {
		if !t.Deletion.IsZero() {
			return t.pending()
		}
		t.Disabled = disabled
		return nil
	})
}

func (s *Service) updateKeyDescription(ctx context.Context, rq *call.Authorized, in *api.UpdateKeyDescriptionRequest) (*call.None, error) {
	return &call.None{}, s.change(ctx, rq, *in.KeyId, func(t *target) error {
		if !t.Deletion.IsZero() {
			return t.pending()
		}
		t.Description = *in.Description
		return nil
	})
}

func (s *Service) scheduleKeyDeletion(ctx context.Context, rq *call.Authorized, in *api.ScheduleKeyDeletionRequest) (*api.ScheduleKeyDeletionResponse, error) {
	window := opt.Or(in.PendingWindowInDays, maxWindow)
	if window < minWindow || window > maxWindow {
		return nil, fault.Of(fault.Validation, "PendingWindowInDays must be between %d and %d, inclusive", minWindow, maxWindow)
	}
	out := &api.ScheduleKeyDeletionResponse{PendingWindowInDays: &window, KeyState: new(api.KeyStatePendingDeletion)}
	err := s.change(ctx, rq, *in.KeyId, func(t *target) error {
		if !t.Deletion.IsZero() {
			return t.pending()
		}
		t.Deletion, t.Disabled = s.d.Clock.Now().Add(days(window)), true
		out.KeyId, out.DeletionDate = new(t.arn()), new(t.Deletion)
		return nil
	})
	return out, err
}

func (s *Service) cancelKeyDeletion(ctx context.Context, rq *call.Authorized, in *api.CancelKeyDeletionRequest) (*api.CancelKeyDeletionResponse, error) {
	out := &api.CancelKeyDeletionResponse{}
	err := s.change(ctx, rq, *in.KeyId, func(t *target) error {
		if t.Deletion.IsZero() {
			return api.KMSInvalidStateException("%s is not pending deletion.", t.arn())
		}
		t.Deletion = time.Time{} // the key stays disabled, as on AWS
		out.KeyId = new(t.arn())
		return nil
	})
	return out, err
}

func (s *Service) getKeyRotationStatus(ctx context.Context, rq *call.Authorized, in *api.GetKeyRotationStatusRequest) (*api.GetKeyRotationStatusResponse, error) {
	t, err := s.key(ctx, rq, *in.KeyId)
	if err != nil {
		return nil, err
	}
	return &api.GetKeyRotationStatusResponse{KeyId: new(t.arn()), KeyRotationEnabled: new(false)}, nil
}
