package secretsmanager

import (
	"context"
	"errors"
	"maps"
	"strconv"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/secretsmanager"
	"github.com/tierra-cloud/tierra/internal/kernel/ids"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

func (s *Service) secretBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.CreateSecret, call.Rule(s.createNeeds, "secretsmanager:CreateSecret", "secretsmanager:TagResource"), s.createSecret),
		call.Bind(api.UpdateSecret, onSecret(s, "secretsmanager:UpdateSecret", func(in *api.UpdateSecretRequest) (*string, map[string][]string) {
			return in.SecretId, keysOf(map[string]*string{"description": in.Description, "kmskeyid": in.KmsKeyId})
		}), s.updateSecret),
		call.Bind(api.DescribeSecret, onSecret(s, "secretsmanager:DescribeSecret", func(in *api.DescribeSecretRequest) (*string, map[string][]string) { return in.SecretId, nil }), s.describeSecret),
		call.Bind(api.DeleteSecret, onSecret(s, "secretsmanager:DeleteSecret", func(in *api.DeleteSecretRequest) (*string, map[string][]string) {
			keys := keysOf(map[string]*string{"forcedeletewithoutrecovery": text(in.ForceDeleteWithoutRecovery)})
			if in.RecoveryWindowInDays != nil {
				keys["secretsmanager:recoverywindowindays"] = []string{strconv.FormatInt(*in.RecoveryWindowInDays, 10)}
			}
			return in.SecretId, keys
		}), s.deleteSecret),
		call.Bind(api.RestoreSecret, onSecret(s, "secretsmanager:RestoreSecret", func(in *api.RestoreSecretRequest) (*string, map[string][]string) { return in.SecretId, nil }), s.restoreSecret),
	}
}

func (s *Service) createNeeds(_ context.Context, rq *call.Decoded, in *api.CreateSecretRequest) ([]call.Need, error) {
	keys := keysOf(map[string]*string{"name": in.Name, "description": in.Description, "kmskeyid": in.KmsKeyId})
	maps.Copy(keys, tagConditions(in.Tags))
	n := call.Need{Action: "secretsmanager:CreateSecret", Resource: areaOf(rq).arn(opt.Val(in.Name), ""), Keys: keys}
	needs := []call.Need{n}
	if len(in.Tags) > 0 {
		n.Action = "secretsmanager:TagResource"
		needs = append(needs, n)
	}
	return needs, nil
}

// version is the id of the version that a request makes.
func (s *Service) version(token *string) string {
	if t := opt.Val(token); t != "" {
		return t
	}
	return s.d.IDs.UUID()
}

// errSame says that a version exists already with the same value: the request was
// repeated.
var errSame = errors.New("secretsmanager: the version is there already")

func (s *Service) createSecret(ctx context.Context, rq *call.Authorized, in *api.CreateSecretRequest) (*api.CreateSecretResponse, error) {
	switch {
	case len(in.AddReplicaRegions) > 0:
		return nil, api.InvalidParameterException("AddReplicaRegions is not supported: secrets are of one Region.")
	case in.Type != nil:
		return nil, api.InvalidParameterException("Type is not supported: there are no secrets that others manage.")
	}
	if err := checkName(*in.Name); err != nil {
		return nil, err
	}
	tags, err := tagMap(in.Tags)
	if err != nil {
		return nil, err
	}
	v, err := contentOf(in.SecretString, in.SecretBinary)
	if err != nil {
		return nil, err
	}
	a, now, name := areaOf(rq.Decoded), s.d.Clock.Now(), *in.Name
	x := &secret{
		V: recordVersion, Name: name, Suffix: s.d.IDs.Of(ids.Alnum, suffixLength), Description: opt.Val(in.Description), KeyID: opt.Val(in.KmsKeyId),
		Created: now, Changed: now, Tags: tags, Versions: map[string]*edition{},
	}
	id, key := s.version(in.ClientRequestToken), opt.Or(in.KmsKeyId, defaultKey)
	old, err := s.look(ctx, place{a, []string{name}, []string{""}})
	if err != nil {
		return nil, err
	}
	if old != nil {
		return s.existing(ctx, rq, a, old, id, v)
	}
	var w *sealed
	if v != nil {
		if w, err = s.seal(ctx, rq, key, a.arn(name, x.Suffix), id, v); err != nil {
			return nil, err
		}
		x.Versions[id] = &edition{Created: now, Stages: []string{current}, KeyID: key}
	}
	err = s.d.Store.Update(ctx, func(t data.Txn) error {
		old, err := data.Load[secret](t, a.secret(name))
		if err != nil {
			return err
		}
		if old != nil {
			if !old.gone(now) {
				return taken(old)
			}
			if err := a.remove(t, old); err != nil {
				return err
			}
		}
		if w != nil {
			if err := data.Save(t, a.value(name, id), w); err != nil {
				return err
			}
		}
		return data.Save(t, a.secret(name), x)
	})
	if err != nil {
		return nil, err
	}
	out := &api.CreateSecretResponse{ARN: new(a.arn(name, x.Suffix)), Name: &name}
	if w != nil {
		out.VersionId = &id
	}
	return out, nil
}

// existing answers CreateSecret for a secret that is there: a repeated request
// succeeds.
func (s *Service) existing(ctx context.Context, rq *call.Authorized, a area, x *secret, id string, v *content) (*api.CreateSecretResponse, error) {
	if v == nil || !x.Deletion.IsZero() || x.Versions[id] == nil {
		return nil, taken(x)
	}
	if err := s.repeated(ctx, rq, a, x, id, v); !errors.Is(err, errSame) {
		return nil, err
	}
	return &api.CreateSecretResponse{ARN: new(a.arn(x.Name, x.Suffix)), Name: new(x.Name), VersionId: &id}, nil
}

func taken(x *secret) error {
	if !x.Deletion.IsZero() {
		return api.InvalidRequestException("You can't create this secret because a secret with this name is already scheduled for deletion.")
	}
	return api.ResourceExistsException("The operation failed because the secret %s already exists.", x.Name)
}

// look reads a secret outside of a transaction; nil if there is none.
func (s *Service) look(ctx context.Context, p place) (x *secret, err error) {
	err = s.d.Store.View(ctx, func(r data.Reader) error {
		x, err = s.find(r, p)
		return err
	})
	return x, err
}

// secretOf reads the secret that a request names; one that is marked for deletion
// is refused unless deleted says that it is wanted all the same.
func (s *Service) secretOf(ctx context.Context, rq *call.Authorized, id *string, deleted bool) (place, *secret, error) {
	p := locate(areaOf(rq.Decoded), opt.Val(id))
	x, err := s.look(ctx, p)
	switch {
	case err != nil:
		return p, nil, err
	case x == nil:
		return p, nil, absent()
	case !deleted && !x.Deletion.IsZero():
		return p, nil, marked()
	}
	return p, x, nil
}

func marked() error {
	return api.InvalidRequestException("You can't perform this operation on the secret because it was marked for deletion.")
}

// change rewrites the record of a secret that is not marked for deletion.
func (s *Service) change(ctx context.Context, rq *call.Authorized, id *string, f func(t data.Txn, p place, x *secret) error) (arn, name *string, err error) {
	return s.changeAny(ctx, rq, id, func(t data.Txn, p place, x *secret) error {
		if !x.Deletion.IsZero() {
			return marked()
		}
		x.Changed = s.d.Clock.Now()
		return f(t, p, x)
	})
}

func (s *Service) changeAny(ctx context.Context, rq *call.Authorized, id *string, f func(t data.Txn, p place, x *secret) error) (arn, name *string, err error) {
	p := locate(areaOf(rq.Decoded), opt.Val(id))
	err = s.d.Store.Update(ctx, func(t data.Txn) error {
		x, err := s.find(t, p)
		if err != nil {
			return err
		}
		if x == nil {
			return absent()
		}
		if err := f(t, p, x); err != nil {
			return err
		}
		arn, name = new(p.arn(x.Name, x.Suffix)), new(x.Name)
		return data.Save(t, p.secret(x.Name), x)
	})
	return arn, name, err
}

func (s *Service) updateSecret(ctx context.Context, rq *call.Authorized, in *api.UpdateSecretRequest) (*api.UpdateSecretResponse, error) {
	if in.Type != nil {
		return nil, api.InvalidParameterException("Type is not supported: there are no secrets that others manage.")
	}
	v, err := contentOf(in.SecretString, in.SecretBinary)
	if err != nil {
		return nil, err
	}
	describe := func(x *secret) {
		if in.Description != nil {
			x.Description = *in.Description
		}
		if in.KmsKeyId != nil {
			x.KeyID = *in.KmsKeyId
		}
	}
	if v == nil {
		arn, name, err := s.change(ctx, rq, in.SecretId, func(_ data.Txn, _ place, x *secret) error { describe(x); return nil })
		return &api.UpdateSecretResponse{ARN: arn, Name: name}, err
	}
	put, err := s.store(ctx, rq, in.SecretId, s.version(in.ClientRequestToken), v, []string{current}, in.KmsKeyId, describe)
	if err != nil {
		return nil, err
	}
	return &api.UpdateSecretResponse{ARN: put.ARN, Name: put.Name, VersionId: put.VersionId}, nil
}

func (s *Service) describeSecret(ctx context.Context, rq *call.Authorized, in *api.DescribeSecretRequest) (*api.DescribeSecretResponse, error) {
	p, x, err := s.secretOf(ctx, rq, in.SecretId, true)
	if err != nil {
		return nil, err
	}
	return &api.DescribeSecretResponse{
		ARN: new(p.arn(x.Name, x.Suffix)), Name: new(x.Name), Description: opt.NonZero(x.Description), KmsKeyId: opt.NonZero(x.KeyID), RotationEnabled: new(false),
		LastChangedDate: new(x.Changed), CreatedDate: new(x.Created), DeletedDate: when(x.Deletion), Tags: sortedTags(x.Tags), VersionIdsToStages: x.stages(),
	}, nil
}

func when(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// stages are the labels of the versions that have some.
func (x *secret) stages() map[string][]string {
	out := map[string][]string{}
	for id, e := range x.Versions {
		if len(e.Stages) > 0 {
			out[id] = e.Stages
		}
	}
	return out
}

func (s *Service) deleteSecret(ctx context.Context, rq *call.Authorized, in *api.DeleteSecretRequest) (*api.DeleteSecretResponse, error) {
	force, now := opt.Val(in.ForceDeleteWithoutRecovery), s.d.Clock.Now()
	days := opt.Or(in.RecoveryWindowInDays, maxWindow)
	switch {
	case force && in.RecoveryWindowInDays != nil:
		return nil, api.InvalidParameterException("You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.")
	case days < minWindow || days > maxWindow:
		return nil, api.InvalidParameterException("The RecoveryWindowInDays value must be between %d and %d days (inclusive).", minWindow, maxWindow)
	}
	out := &api.DeleteSecretResponse{}
	if !force {
		var err error
		out.ARN, out.Name, err = s.change(ctx, rq, in.SecretId, func(_ data.Txn, _ place, x *secret) error {
			x.Deletion = now.Add(time.Duration(days) * 24 * time.Hour)
			out.DeletionDate = new(x.Deletion)
			return nil
		})
		return out, err
	}
	p := locate(areaOf(rq.Decoded), opt.Val(in.SecretId))
	return out, s.d.Store.Update(ctx, func(t data.Txn) error {
		*out = api.DeleteSecretResponse{ARN: new(p.arn(p.names[0], p.suffix[0])), Name: new(p.names[0]), DeletionDate: &now}
		x, err := s.find(t, p)
		if err != nil || x == nil {
			return err // a forced deletion of what is gone succeeds
		}
		out.ARN, out.Name = new(p.arn(x.Name, x.Suffix)), new(x.Name)
		return p.remove(t, x)
	})
}

func (s *Service) restoreSecret(ctx context.Context, rq *call.Authorized, in *api.RestoreSecretRequest) (*api.RestoreSecretResponse, error) {
	arn, name, err := s.changeAny(ctx, rq, in.SecretId, func(_ data.Txn, _ place, x *secret) error {
		x.Deletion = time.Time{}
		return nil
	})
	return &api.RestoreSecretResponse{ARN: arn, Name: name}, err
}
