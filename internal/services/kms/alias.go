package kms

import (
	"context"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/kms"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

func (s *Service) aliasBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.CreateAlias, onAlias(s, "kms:CreateAlias", func(in *api.CreateAliasRequest) (alias, key string) {
			return opt.Val(in.AliasName), opt.Val(in.TargetKeyId)
		}), s.createAlias),
		call.Bind(api.UpdateAlias, onAlias(s, "kms:UpdateAlias", func(in *api.UpdateAliasRequest) (alias, key string) {
			return opt.Val(in.AliasName), opt.Val(in.TargetKeyId)
		}), s.updateAlias),
		call.Bind(api.DeleteAlias, onAlias(s, "kms:DeleteAlias", func(in *api.DeleteAliasRequest) (alias, key string) {
			return opt.Val(in.AliasName), ""
		}), s.deleteAlias),
		call.Bind(api.ListAliases, call.Any[api.ListAliasesRequest]("kms:ListAliases"), s.listAliases),
	}
}

// onAlias is the rule of operations on an alias: they take the permission on the
// alias, on the key that it stands for, and on the one that it is to stand for.
// https://docs.aws.amazon.com/kms/latest/developerguide/alias-access.html
func onAlias[I any](s *Service, action string, of func(*I) (alias, key string)) call.Access[I] {
	return call.Rule(func(ctx context.Context, rq *call.Decoded, in *I) ([]call.Need, error) {
		name, target := of(in)
		a := areaOfCall(rq)
		ref, _ := refer(a, name)
		needs := []call.Need{{Action: action, Resource: a.aliasARN(ref.alias), Keys: conditions(rq, nil)}}
		for _, key := range []string{name, target} {
			if key == "" || managed[ref.alias] != "" {
				continue
			}
			n, err := s.need(ctx, rq, action, key, nil)
			if err != nil {
				return nil, err
			}
			needs = append(needs, n)
		}
		return needs, nil
	}, action)
}

// pointed finds the key that an alias is to stand for: one of the caller's account.
func (s *Service) pointed(r data.Reader, a area, name string) (*target, error) {
	ref, ok := refer(a, name)
	if !ok || ref.alias != "" || ref.account != a.account {
		return nil, api.NotFoundException("Invalid keyId '%s'", name)
	}
	t, err := s.find(r, ref)
	switch {
	case err != nil:
		return nil, err
	case t == nil:
		return nil, noKey(ref)
	case t.Managed != "":
		return nil, unsupported("TargetKeyId", "an alias cannot stand for an AWS managed key")
	case !t.Deletion.IsZero():
		return nil, t.pending()
	}
	return t, nil
}

func (s *Service) createAlias(ctx context.Context, rq *call.Authorized, in *api.CreateAliasRequest) (*call.None, error) {
	name, err := checkAlias(*in.AliasName)
	if err != nil {
		return nil, err
	}
	a, now := areaOfCall(rq.Decoded), s.d.Clock.Now()
	return &call.None{}, s.d.Store.Update(ctx, func(tx data.Txn) error {
		old, err := data.Load[alias](tx, a.alias(name))
		if err != nil {
			return err
		}
		if old != nil {
			had, err := s.find(tx, reference{area: a, id: old.Target})
			if err != nil {
				return err
			}
			if had != nil {
				return api.AlreadyExistsException("An alias with the name %s already exists", a.aliasARN(name))
			}
		}
		t, err := s.pointed(tx, a, *in.TargetKeyId)
		if err != nil {
			return err
		}
		return data.Save(tx, a.alias(name), &alias{V: version, Name: name, Target: t.ID, Created: now, Updated: now})
	})
}

// changeAlias finds an alias and carries out f on it.
func (s *Service) changeAlias(ctx context.Context, a area, given string, f func(tx data.Txn, x *alias) error) error {
	name, err := checkAlias(given)
	if err != nil {
		return err
	}
	return s.d.Store.Update(ctx, func(tx data.Txn) error {
		x, err := data.Load[alias](tx, a.alias(name))
		if err != nil {
			return err
		}
		if x == nil {
			return api.NotFoundException("Alias %s is not found.", a.aliasARN(name))
		}
		return f(tx, x)
	})
}

func (s *Service) updateAlias(ctx context.Context, rq *call.Authorized, in *api.UpdateAliasRequest) (*call.None, error) {
	a := areaOfCall(rq.Decoded)
	return &call.None{}, s.changeAlias(ctx, a, *in.AliasName, func(tx data.Txn, x *alias) error {
		t, err := s.pointed(tx, a, *in.TargetKeyId)
		if err != nil {
			return err
		}
		x.Target, x.Updated = t.ID, s.d.Clock.Now()
		return data.Save(tx, a.alias(x.Name), x)
	})
}

func (s *Service) deleteAlias(ctx context.Context, rq *call.Authorized, in *api.DeleteAliasRequest) (*call.None, error) {
	a := areaOfCall(rq.Decoded)
	return &call.None{}, s.changeAlias(ctx, a, *in.AliasName, func(tx data.Txn, x *alias) error { return tx.Delete(a.alias(x.Name)) })
}

// listAliases lists the customer's aliases, and those of AWS managed keys that
// have been used.
func (s *Service) listAliases(ctx context.Context, rq *call.Authorized, in *api.ListAliasesRequest) (*api.ListAliasesResponse, error) {
	a, out := areaOfCall(rq.Decoded), &api.ListAliasesResponse{Aliases: []api.AliasListEntry{}}
	var only *target
	if in.KeyId != nil {
		var err error
		if only, err = s.key(ctx, rq, *in.KeyId); err != nil {
			return nil, err
		}
	}
	entry := func(x *alias) {
		out.Aliases = append(out.Aliases, api.AliasListEntry{
			AliasName: new("alias/" + x.Name), AliasArn: new(a.aliasARN(x.Name)), TargetKeyId: new(x.Target), CreationDate: new(x.Created), LastUpdatedDate: new(x.Updated),
		})
	}
	err := s.d.Store.View(ctx, func(r data.Reader) error {
		if in.Marker == nil {
			for _, name := range []string{"aws/secretsmanager", "aws/ssm"} {
				k, err := data.Load[key](r, a.key(s.vault.managedID(a, name)))
				if err != nil {
					return err
				}
				if k != nil && (only == nil || only.ID == k.ID) {
					entry(&alias{Name: name, Target: k.ID, Created: k.Created, Updated: k.Created})
				}
			}
		}
		var failed error
		next, err := listing(r, a.aliases(), in.Marker, in.Limit, func(x *alias) bool {
			if only != nil {
				return x.Target == only.ID
			}
			t, err := s.find(r, reference{area: a, id: x.Target})
			if err != nil {
				failed = err
			}
			return t != nil
		}, entry)
		out.NextMarker = next
		if err == nil {
			err = failed
		}
		return err
	})
	out.Truncated = new(out.NextMarker != nil)
	return out, err
}
