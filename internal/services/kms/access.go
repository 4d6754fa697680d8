package kms

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/kms"
	"github.com/tierra-cloud/tierra/internal/kernel/arn"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/policy"
)

// reference is a key as a caller names it: by id, ARN, alias name or alias ARN.
// https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html#key-id
type reference struct {
	area
	id    string // of the key, "" if an alias names it
	alias string // without "alias/"
}

// refer reads a reference; ok is false if it is none, or one of another region.
func refer(a area, s string) (ref reference, ok bool) {
	ref.area = a
	if x, isARN := arn.Parse(s); isARN {
		if x.Service != "kms" || x.Region != a.region || x.Account == "" {
			return ref, false
		}
		ref.account, s = x.Account, x.Resource
		if id, isKey := strings.CutPrefix(s, "key/"); isKey {
			ref.id = id
			return ref, id != ""
		}
		if !strings.HasPrefix(s, "alias/") {
			return ref, false
		}
	}
	if name, isAlias := strings.CutPrefix(s, "alias/"); isAlias {
		ref.alias = name
		return ref, name != ""
	}
	ref.id = s
	return ref, s != "" && !strings.ContainsAny(s, ":/")
}

// target is a key that was found, with where it was found.
type target struct {
	area
	*key
	alias string // by which it was named, if by one
}

func (t *target) arn() string { return t.keyARN(t.ID) }

// find looks a key up; it returns nil if there is none. An AWS managed key that
// nobody has used yet is as it will be, but without material.
func (s *Service) find(r data.Reader, ref reference) (*target, error) {
	id := ref.id
	if ref.alias != "" {
		if managed[ref.alias] != "" {
			id = s.vault.managedID(ref.area, ref.alias)
		} else {
			x, err := data.Load[alias](r, ref.area.alias(ref.alias))
			if err != nil || x == nil {
				return nil, err
			}
			id = x.Target
		}
	}
	k, err := data.Load[key](r, ref.key(id))
	if err != nil {
		return nil, err
	}
	if k == nil && managed[ref.alias] != "" {
		k = s.managedKey(ref.area, ref.alias)
	}
	if k == nil || k.gone(s.d.Clock.Now()) {
		return nil, nil
	}
	return &target{ref.area, k, ref.alias}, nil
}

// key finds the key that a caller names, for a handler. An AWS managed key is
// made if need be.
func (s *Service) key(ctx context.Context, rq *call.Authorized, name string) (*target, error) {
	ref, ok := refer(areaOfCall(rq.Decoded), name)
	if !ok {
		return nil, api.NotFoundException("Invalid keyId '%s'", name)
	}
	var t *target
	err := s.d.Store.View(ctx, func(r data.Reader) (err error) {
		t, err = s.find(r, ref)
		return err
	})
	if err == nil && t != nil && t.Material == nil {
		err = s.d.Store.Update(ctx, func(tx data.Txn) error {
			if t, err = s.find(tx, ref); err != nil || t == nil || t.Material != nil {
				return err
			}
			t.Material = s.vault.material(t.arn())
			return data.Save(tx, t.area.key(t.ID), t.key)
		})
	}
	switch {
	case err != nil:
		return nil, err
	case t == nil && ref.alias != "":
		return nil, api.NotFoundException("Alias %s is not found.", ref.aliasARN(ref.alias))
	case t == nil:
		return nil, noKey(ref)
	}
	return t, nil
}

func noKey(ref reference) error {
	return api.NotFoundException("Key '%s' does not exist", ref.keyARN(ref.id))
}

// change rewrites a key's record. name must not be an alias of an AWS managed key
// that does not exist, which key makes.
func (s *Service) change(ctx context.Context, rq *call.Authorized, name string, f func(t *target) error) error {
	t, err := s.key(ctx, rq, name)
	if err != nil {
		return err
	}
	return s.d.Store.Update(ctx, func(tx data.Txn) error {
		now, err := s.find(tx, reference{area: t.area, id: t.ID})
		if err != nil {
			return err
		}
		if now == nil {
			return noKey(reference{area: t.area, id: t.ID})
		}
		if err := f(now); err != nil {
			return err
		}
		return data.Save(tx, t.area.key(t.ID), now.key)
	})
}

func areaOfCall(rq *call.Decoded) area { return area{rq.Account(), rq.Region()} }

// onKey is the rule of operations on one key. Its policy decides.
func onKey[I any](s *Service, action string, of func(*I) (name string, keys map[string][]string)) call.Access[I] {
	return call.Rule(func(ctx context.Context, rq *call.Decoded, in *I) ([]call.Need, error) {
		name, keys := of(in)
		need, err := s.need(ctx, rq, action, name, keys)
		return []call.Need{need}, err
	}, action)
}

// need is the permission for an action on the key that name names. A key that
// does not exist has no policy, so that the caller's own decide who is told.
func (s *Service) need(ctx context.Context, rq *call.Decoded, action, name string, keys map[string][]string) (call.Need, error) {
	a := areaOfCall(rq)
	n := call.Need{Action: action, Resource: a.keyARN(name), Keys: conditions(rq, keys)}
	ref, ok := refer(a, name)
	if !ok {
		return n, nil
	}
	n.Owner = ref.account
	if ref.alias != "" {
		n.Resource = ref.aliasARN(ref.alias)
		n.Keys["kms:requestalias"] = []string{"alias/" + ref.alias}
	} else {
		n.Resource = ref.keyARN(ref.id)
	}
	err := s.d.Store.View(ctx, func(r data.Reader) error {
		t, err := s.find(r, ref)
		if err != nil || t == nil {
			return err
		}
		n.Resource, n.PolicyDecides = t.arn(), true
		for k, v := range t.Tags {
			n.Keys["aws:resourcetag/"+strings.ToLower(k)] = []string{v}
		}
		n.Keys["kms:keyspec"], n.Keys["kms:keyusage"], n.Keys["kms:keyorigin"] = []string{symmetric}, []string{encryptDecrypt}, []string{api.OriginTypeAwsKms}
		n.Keys["kms:multiregion"] = []string{"false"}
		if n.Keys["kms:resourcealiases"], err = s.aliasesOf(r, t); err != nil {
			return err
		}
		n.Policy, err = policy.Parse([]byte(t.Policy))
		return err
	})
	return n, err
}

// aliasesOf lists the names of a key's aliases.
func (s *Service) aliasesOf(r data.Reader, t *target) ([]string, error) {
	var out []string
	if t.Managed != "" {
		return []string{"alias/" + t.Managed}, nil
	}
	for p, err := range r.Scan(t.aliases(), data.PrefixEnd(t.aliases()), false) {
		if err != nil {
			return nil, err
		}
		var x alias
		if err := decode(p, &x); err != nil {
			return nil, err
		}
		if x.Target == t.ID {
			out = append(out, "alias/"+x.Name)
		}
	}
	return out, nil
}

// conditions adds the keys that every request has.
func conditions(rq *call.Decoded, keys map[string][]string) map[string][]string {
	out := maps.Clone(keys)
	if out == nil {
		out = map[string][]string{}
	}
	out["kms:calleraccount"] = []string{rq.Account()}
	if via := rq.Incoming().Via; len(via) > 0 {
		// ssm.amazonaws.com becomes ssm.us-east-1.amazonaws.com.
		service, domain, _ := strings.Cut(via[len(via)-1], ".")
		out["kms:viaservice"] = []string{service + "." + rq.Region() + "." + domain}
	}
	return out
}

// contextKeys are the condition keys of an encryption context.
func contextKeys(context map[string]string) map[string][]string {
	out := map[string][]string{"kms:encryptionalgorithm": {symmetric}}
	for k, v := range context {
		out["kms:encryptioncontext:"+strings.ToLower(k)] = []string{v}
	}
	if len(context) > 0 {
		out["kms:encryptioncontextkeys"] = slices.Sorted(maps.Keys(context))
	}
	return out
}

// tagConditions are the condition keys of the tags in a request.
func tagConditions(tags map[string]string) map[string][]string {
	out := map[string][]string{}
	for k, v := range tags {
		out["aws:requesttag/"+strings.ToLower(k)] = []string{v}
	}
	if len(tags) > 0 {
		out["aws:tagkeys"] = slices.Sorted(maps.Keys(tags))
	}
	return out
}

func yes(b *bool) []string { return []string{strconv.FormatBool(b != nil && *b)} }

// noGrants refuses what has no meaning without grants.
func noGrants(tokens []string) error {
	if len(tokens) > 0 {
		return api.InvalidGrantTokenException("GrantTokens is not supported: there are no grants here.")
	}
	return nil
}

func unsupported(name, why string) *fault.Fault {
	return api.UnsupportedOperationException("%s is not supported: %s.", name, why)
}
